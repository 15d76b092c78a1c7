/* The table of the operator's configuration, and its loader; see config.h. */
#include "api/config.h"

#include "api/config_tables.h"
#include "api/pa.h"

#include <stdio.h>
#include <string.h>

#define MAX_CONFIG_BYTES 65536

static const char *const api_versions[] = {PA_API_VERSION, NULL};
static const char *const kinds[] = {OPERATOR_CONFIG_KIND, NULL};

static const struct schema_field alertmanager_item = {
    .type = SCHEMA_OBJECT, .object = &config_alertmanager_schema, .doc = "One Alertmanager."};
static const struct schema_field fields[] = {
    {.name = "apiVersion",
     .type = SCHEMA_ENUM,
     .values = api_versions,
     .fallback = "\"" PA_API_VERSION "\"",
     .doc = "Version of this file's format.",
     AT(operator_config, api_version)},
    {.name = "kind",
     .type = SCHEMA_ENUM,
     .values = kinds,
     .fallback = "\"" OPERATOR_CONFIG_KIND "\"",
     .doc = "Kind of this file.",
     AT(operator_config, kind)},
    {.name = "checkpointIntervalSeconds",
     .type = SCHEMA_INT32,
     .fallback = "600",
     .min = 10,
     .max = 86400,
     .doc = "Time between two checkpoints of one autoscaler, in seconds: at most that much history is lost when the "
            "operator is killed.",
     AT(operator_config, checkpoint_interval_s)},
    {.name = "checkpointWritesPerSecond",
     .type = SCHEMA_INT32,
     .fallback = "10",
     .min = 1,
     .max = 1000,
     .doc = "Checkpoints that the whole operator writes per second; with more autoscalers than that the interval "
            "stretches.",
     AT(operator_config, checkpoint_writes_per_second)},
    {.name = "statusWritesPerSecond",
     .type = SCHEMA_INT32,
     .fallback = "20",
     .min = 1,
     .max = 1000,
     .doc = "Statuses that the whole operator writes per second; decisions and changed conditions go first.",
     AT(operator_config, status_writes_per_second)},
    {.name = "apiQPS",
     .type = SCHEMA_INT32,
     .fallback = "50",
     .exact = true,
     .min = 1,
     .max = 10000,
     .doc = "Requests per second to the API server, in the long run. Watches and the lease are not counted.",
     AT(operator_config, api_qps)},
    {.name = "apiBurst",
     .type = SCHEMA_INT32,
     .fallback = "100",
     .exact = true,
     .min = 1,
     .max = 10000,
     .doc = "Requests that may be made at once. Not less than apiQPS.",
     AT(operator_config, api_burst)},
    {.name = "cpuInitializationPeriodSeconds",
     .type = SCHEMA_INT32,
     .fallback = "300",
     .max = 3600,
     .doc = "After the start of a pod, its CPU counts for that long only while it is ready, in seconds: as "
            "kube-controller-manager's flag does for the HPA.",
     AT(operator_config, cpu_initialization_s)},
    {.name = "initialReadinessDelaySeconds",
     .type = SCHEMA_INT32,
     .fallback = "30",
     .max = 3600,
     .doc = "A pod that turned unready within that time of its start has never been ready, in seconds: as "
            "kube-controller-manager's flag does for the HPA.",
     AT(operator_config, initial_readiness_s)},
    {.name = "shrinksPerMinute",
     .type = SCHEMA_INT32,
     .fallback = "5",
     .min = 1,
     .max = 1000,
     .doc =
         "Targets that are lowered within any minute at most, or a tenth of all targets where that is more; the others "
         "wait. So no mistake that all decisions share empties a cluster before a person sees it.",
     AT(operator_config, shrinks_per_minute)},
    {.name = "advisor",
     .type = SCHEMA_OBJECT,
     .fallback = "{}",
     .object = &config_advisor_schema,
     .doc = "The LLM advisor. Without a provider nobody is asked.",
     AT(operator_config, advisor)},
    {.name = "alertmanagers",
     .type = SCHEMA_LIST,
     .item = &alertmanager_item,
     .list = SCHEMA_MAP,
     .key = "url",
     .max = CONFIG_MAX_ALERTMANAGERS,
     .doc = "Who is told of failures that persist. All of them are told.",
     LIST(operator_config, alertmanagers)},
};

static bool burst_fits(const void *self)
{
    const struct operator_config *c = self;
    return c->api_burst >= c->api_qps;
}

static void burst_say(const void *self, char *out, size_t cap)
{
    const struct operator_config *c = self;
    (void)snprintf(out, cap, "must be >= apiQPS (%d)", c->api_qps);
}

static const struct schema_rule rules[] = {
    {.cel = "self.apiBurst >= self.apiQPS",
     .message = "must be >= apiQPS",
     .path = ".apiBurst",
     .holds = burst_fits,
     .say = burst_say},
};
const struct schema_object operator_config_schema = SCHEMA_OBJECT_RULED(fields, rules);

static int decode(const char *name, struct yaml_doc *doc, struct operator_config *ret, struct error *err)
{
    struct api_problems problems = {0};
    int result = api_decode(&operator_config_schema, doc->root, "", API_STRICT, ret, sizeof *ret, NULL, &problems);
    if (result < 0) {
        api_problems_locate(&problems, doc);
        result = api_problems_error(&problems, name, err);
    }
    yaml_done(doc);
    return result;
}

int operator_config_load_text(const char *name, const char *text, size_t len, struct operator_config *ret,
                              struct error *err)
{
    struct yaml_doc doc = {0};
    if (yaml_parse(name, text, len, &doc, err) < 0)
        return -1;
    return decode(name, &doc, ret, err);
}

int operator_config_load(const char *path, struct operator_config *ret, struct error *err)
{
    if (!path)
        return operator_config_load_text("defaults", "{}", 2, ret, err);
    struct yaml_doc doc = {0};
    if (yaml_load(path, MAX_CONFIG_BYTES, &doc, err) < 0)
        return -1;
    return decode(path, &doc, ret, err);
}
