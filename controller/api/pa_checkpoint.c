/* The table of PredictiveAutoscalerCheckpoint, its rules and its forms; see pa_checkpoint.h. */
#include "api/pa_checkpoint.h"

#include "api/encode.h"
#include "api/names.h"
#include "api/pa.h"
#include "base/str.h"

#include <assert.h>
#include <math.h>
#include <string.h>

const struct resource resource_checkpoints = {.group = PA_GROUP,
                                              .version = PA_VERSION,
                                              .plural = "predictiveautoscalercheckpoints",
                                              .kind = PA_CHECKPOINT_KIND,
                                              .namespaced = true};

/* ---- table ---- */

static const struct schema_field autoscaler_fields[] = {
    {.name = "name",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 253,
     .format = &schema_dns_subdomain,
     .doc = "Name of the PredictiveAutoscaler.",
     AT(pa_checkpoint_autoscaler, name)},
    {.name = "uid",
     .type = SCHEMA_STRING,
     .min = 1,
     .max = 63,
     .doc = "Its UID: the state of another object of the same name is not used. A Backfill may leave it out.",
     AT(pa_checkpoint_autoscaler, uid)},
};
static const struct schema_object autoscaler = SCHEMA_OBJECT_OF(autoscaler_fields);

static const struct schema_field target_fields[] = {
    {.name = "kind",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 63,
     .format = &schema_kind,
     .doc = "Kind of the target.",
     AT(pa_checkpoint_target, kind)},
    {.name = "name",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 253,
     .format = &schema_dns_subdomain,
     .doc = "Name of the target.",
     AT(pa_checkpoint_target, name)},
    {.name = "uid",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 63,
     .doc = "UID of the target: the history of a recreated one starts anew.",
     AT(pa_checkpoint_target, uid)},
};
static const struct schema_object target = SCHEMA_OBJECT_OF(target_fields);

static const struct schema_field backfill_fields[] = {
    {.name = "metric",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 63,
     .format = &schema_dns_label,
     .doc = "Name of the metric in spec.metrics of the autoscaler.",
     AT(pa_backfill, metric)},
    {.name = "startTime",
     .type = SCHEMA_TIME,
     .required = true,
     .doc = "Start of the first sample. A multiple of the interval in Unix time.",
     AT(pa_backfill, start_us)},
    {.name = "intervalSeconds",
     .type = SCHEMA_INT32,
     .required = true,
     .exact = true,
     .min = 10,
     .max = 3600,
     .doc = "Time between two samples, in seconds.",
     AT(pa_backfill, interval_s)},
};
static bool start_is_slot(const void *self)
{
    const struct pa_backfill *b = self;
    int64_t seconds = b->start_us / 1000000;
    return seconds % b->interval_s == 0;
}
static const struct schema_rule backfill_rules[] = {
    {.cel = "int(self.startTime) % self.intervalSeconds == 0",
     .message = "must be a multiple of intervalSeconds in Unix time",
     .path = ".startTime",
     .holds = start_is_slot},
};
static const struct schema_object backfill = SCHEMA_OBJECT_RULED(backfill_fields, backfill_rules);

static const char *const parts[] = {"Tail", "History", "Backfill", NULL};
static const struct schema_field spec_fields[] = {
    {.name = "autoscaler",
     .type = SCHEMA_OBJECT,
     .required = true,
     .object = &autoscaler,
     .doc = "Whose state it is.",
     AT(pa_checkpoint, autoscaler)},
    {.name = "target",
     .type = SCHEMA_OBJECT,
     .object = &target,
     .doc = "What it scaled when this was written. For Tail and History, and required there.",
     OPT(pa_checkpoint, target)},
    {.name = "part",
     .type = SCHEMA_ENUM,
     .required = true,
     .values = parts,
     .doc = "Tail: the state that changes all the time. History: the closed part of the series. Backfill: a series "
            "to start with, which the operator takes in and deletes.",
     AT(pa_checkpoint, part)},
    {.name = "time", .type = SCHEMA_TIME, .required = true, .doc = "When it was written.", AT(pa_checkpoint, time_us)},
    {.name = "expireTime",
     .type = SCHEMA_TIME,
     .doc = "When it is deleted. Set when an annotation that made the autoscaler was removed, so that one that comes "
            "back finds its history.",
     AT(pa_checkpoint, expire_us)},
    {.name = "backfill",
     .type = SCHEMA_OBJECT,
     .object = &backfill,
     .doc = "What the samples of a Backfill are.",
     OPT(pa_checkpoint, backfill)},
    {.name = "data",
     .type = SCHEMA_BYTES,
     .required = true,
     .min = 4,
     .max = 131072,
     .doc = "Tail and History: the encoded state, versioned and checksummed. Backfill: samples as little-endian "
            "float32, NaN for no data, at most 4032.",
     AT(pa_checkpoint, data)},
};

static bool backfill_fits(const void *self)
{
    const struct pa_checkpoint *c = self;
    return (c->part == PA_PART_BACKFILL) == c->has_backfill;
}

static bool identity_fits(const void *self)
{
    const struct pa_checkpoint *c = self;
    return c->part == PA_PART_BACKFILL || (c->autoscaler.uid[0] != '\0' && c->has_target);
}

static const struct schema_rule spec_rules[] = {
    {.cel = "(self.part == 'Backfill') == has(self.backfill)",
     .message = "is required when part is Backfill, and only then",
     .path = ".backfill",
     .holds = backfill_fits},
    {.cel = "self.part == 'Backfill' || (has(self.autoscaler.uid) && has(self.target))",
     .message = "autoscaler.uid and target are required when part is Tail or History",
     .holds = identity_fits},
};
static const struct schema_object spec = SCHEMA_OBJECT_RULED(spec_fields, spec_rules);

static const struct schema_column columns[] = {
    {"Autoscaler", "string", ".spec.autoscaler.name", "Whose state it is.", false},
    {"Part", "string", ".spec.part", "Which part of it.", false},
    {"Written", "date", ".spec.time", "When it was written.", false},
    {"Age", "date", ".metadata.creationTimestamp", "", false},
};

const struct schema_resource pa_checkpoint_resource = {
    .kind = PA_CHECKPOINT_KIND,
    .plural = "predictiveautoscalercheckpoints",
    .singular = "predictiveautoscalercheckpoint",
    .short_name = "pacp",
    .doc = "A PredictiveAutoscalerCheckpoint keeps the history of a PredictiveAutoscaler over restarts of the "
           "operator. It is written by the operator; deleting it makes the history start anew after the next restart.",
    .spec = &spec,
    .spec_doc = "The state and whose it is.",
    .columns = columns,
    .n_columns = ARRAY_SIZE(columns),
};

/* ---- forms ---- */

void pa_checkpoint_done(struct pa_checkpoint *c)
{
    buf_done(&c->data);
}

void pa_checkpoint_name(char out[API_NAME_CAP], const char *autoscaler_name, enum pa_checkpoint_part part)
{
    static const char *const suffixes[] = {"-tail", "-history", "-backfill"};
    api_fit_name(out, autoscaler_name, suffixes[part]);
}

int pa_checkpoint_decode(const json_t *object, struct pa_checkpoint *ret, struct error *err)
{
    struct api_problems problems = {0};
    if (api_decode(&spec, json_object_get(object, "spec"), "spec", 0, ret, sizeof *ret, NULL, &problems) == 0)
        return 0;
    pa_checkpoint_done(ret);
    return api_problems_error(&problems, NULL, err);
}

void pa_checkpoint_body(const struct pa_checkpoint *c, const char *namespace_, const struct pa_checkpoint_owner *owner,
                        struct buf *out)
{
    char name[API_NAME_CAP];
    pa_checkpoint_name(name, c->autoscaler.name, c->part);
    struct json_emit j = json_emit(out);
    json_open(&j, NULL, '{');
    json_emit_str(&j, "apiVersion", PA_API_VERSION);
    json_emit_str(&j, "kind", PA_CHECKPOINT_KIND);
    json_open(&j, "metadata", '{');
    json_emit_str(&j, "name", name);
    json_emit_str(&j, "namespace", namespace_);
    json_open(&j, "labels", '{');
    json_emit_str(&j, PA_CHECKPOINT_LABEL_PART, parts[c->part]);
    json_emit_str(&j, PA_CHECKPOINT_LABEL_EXPIRES, c->expire_us ? "true" : NULL);
    json_close(&j, '}');
    if (owner) {
        json_open(&j, "ownerReferences", '[');
        json_open(&j, NULL, '{');
        json_emit_str(&j, "apiVersion", owner->api_version);
        json_emit_str(&j, "kind", owner->kind);
        json_emit_str(&j, "name", owner->name);
        json_emit_str(&j, "uid", owner->uid);
        json_close(&j, '}');
        json_close(&j, ']');
    }
    json_close(&j, '}');
    api_encode(&spec, c, &j, "spec");
    json_close(&j, '}');
}

/* ---- samples ---- */

void pa_backfill_put(struct pa_checkpoint *c, const float *samples, size_t n)
{
    assert(n <= PA_BACKFILL_MAX_SAMPLES);
    buf_done(&c->data);
    buf_init(&c->data, PA_CHECKPOINT_MAX_DATA);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &samples[i], sizeof bits);
        const unsigned char bytes[4] = {(unsigned char)bits, (unsigned char)(bits >> 8), (unsigned char)(bits >> 16),
                                        (unsigned char)(bits >> 24)};
        (void)buf_append(&c->data, bytes, sizeof bytes);
    }
}

int pa_backfill_get(const struct pa_checkpoint *c, float samples[PA_BACKFILL_MAX_SAMPLES], struct error *err)
{
    size_t n = c->data.len / 4;
    if (c->data.len % 4 != 0)
        return error_set(err, ERROR_PARSE, "the data is not whole float32 samples: %zu bytes", c->data.len);
    if (n > PA_BACKFILL_MAX_SAMPLES)
        return error_set(err, ERROR_LIMIT, "%zu samples, at most %d are taken", n, PA_BACKFILL_MAX_SAMPLES);
    for (size_t i = 0; i < n; i++) {
        const unsigned char *p = (const unsigned char *)c->data.data + 4 * i;
        uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        memcpy(&samples[i], &bits, sizeof bits);
        if (isinf(samples[i]) || samples[i] < 0)
            return error_set(err, ERROR_PARSE, "sample %zu is %s", i, samples[i] < 0 ? "negative" : "infinite");
    }
    return (int)n;
}
