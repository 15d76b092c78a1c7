/* PredictiveAutoscaler from API objects and from manifests; see pa.h. */
#include "api/pa.h"

#include "api/status.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define MAX_MANIFEST_BYTES (1 << 20)

const struct resource resource_predictiveautoscalers = {
    .group = PA_GROUP, .version = PA_VERSION, .plural = "predictiveautoscalers", .kind = PA_KIND, .namespaced = true};

bool pa_metric_forecast(const struct pa_metric *m)
{
    if (m->has_forecast)
        return m->forecast;
    return (m->has_resource && m->resource.name == PA_CPU) ||
           (m->has_container_resource && m->container_resource.name == PA_CPU);
}

enum pa_resource_name pa_metric_resource(const struct pa_metric *m)
{
    return m->type == PA_METRIC_CONTAINER_RESOURCE ? m->container_resource.name : m->resource.name;
}

const struct pa_metric_target *pa_metric_target(const struct pa_metric *m)
{
    return m->type == PA_METRIC_CONTAINER_RESOURCE ? &m->container_resource.target : &m->resource.target;
}

bool pa_parse_bool(const char *s, bool *ret)
{
    static const char *const yes[] = {"1", "t", "T", "true", "True", "TRUE"};
    static const char *const no[] = {"0", "f", "F", "false", "False", "FALSE"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (streq(s, yes[i]) || streq(s, no[i])) {
            *ret = streq(s, yes[i]);
            return true;
        }
    }
    return false;
}

int pa_spec_decode_update(const json_t *spec, const struct pa_spec *old, unsigned flags, struct pa_spec *ret,
                          struct api_problems *problems)
{
    if (!spec || json_is_null(spec)) {
        *ret = (struct pa_spec){0};
        return api_problem_add(problems, "spec", "is required");
    }
    return api_decode(pa_resource.spec, spec, "spec", flags, ret, sizeof *ret, old, problems);
}

int pa_spec_decode(const json_t *spec, unsigned flags, struct pa_spec *ret, struct api_problems *problems)
{
    return pa_spec_decode_update(spec, NULL, flags, ret, problems);
}

static int decode(const json_t *object, unsigned flags, struct pa *ret, struct api_problems *problems)
{
    *ret = (struct pa){0};
    const json_t *metadata = json_object_get(object, "metadata");
    const char *paused =
        json_string_value(json_object_get(json_object_get(metadata, "annotations"), PA_ANNOTATION_PAUSED));
    if (paused && !pa_parse_bool(paused, &ret->paused))
        ret->paused_unclear = true;
    const char *approved =
        json_string_value(json_object_get(json_object_get(metadata, "annotations"), PA_ANNOTATION_APPROVE));
    if (approved)
        (void)pa_advice_id_parse(approved, &ret->approved_advice); /* what is no id approves nothing */
    const char *source = json_string_value(json_object_get(json_object_get(metadata, "labels"), PA_LABEL_SOURCE));
    ret->annotated = source && streq(source, PA_SOURCE_ANNOTATION);
    return pa_spec_decode(json_object_get(object, "spec"), flags, &ret->spec, problems);
}

int pa_decode(const json_t *object, struct pa *ret, struct api_problems *problems)
{
    return decode(object, 0, ret, problems);
}

/* ---- manifests ---- */

static void check_envelope(const json_t *root, struct pa_file *ret, struct api_problems *problems)
{
    static const char *const known[] = {"apiVersion", "kind", "metadata", "spec", "status"};
    const char *name;
    json_t *ignored;
    json_object_foreach((json_t *)(uintptr_t)root, name, ignored)
    {
        bool is_known = false;
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
            is_known = is_known || streq(name, known[i]);
        if (!is_known)
            (void)api_problem_add(problems, name, "unknown field");
    }
    const json_t *metadata = json_object_get(root, "metadata");
    if (!json_is_object(metadata)) {
        (void)api_problem_add(problems, "metadata", "is required, with a name");
        return;
    }
    const json_t *object_name = json_object_get(metadata, "name"), *ns = json_object_get(metadata, "namespace");
    const char *text = json_string_value(object_name);
    if (!text || !schema_dns_subdomain.matches(text) || !str_copy(ret->name, sizeof ret->name, text))
        (void)api_problem_add(problems, "metadata.name", "want %s, at most 253 characters", schema_dns_subdomain.hint);
    text = json_string_value(ns);
    if (ns && !json_is_null(ns) &&
        (!text || !schema_dns_label.matches(text) || !str_copy(ret->namespace_, sizeof ret->namespace_, text)))
        (void)api_problem_add(problems, "metadata.namespace", "want %s, at most 63 characters", schema_dns_label.hint);
}

static bool says(const json_t *root, const char *field, const char *want, struct api_problems *problems)
{
    const char *have = json_string_value(json_object_get(root, field));
    if (have && streq(have, want))
        return true;
    (void)api_problem_add(problems, field, "want %s%s%.60s", want, have ? ", have " : "", have ? have : "");
    return false;
}

static int load(const char *path, struct yaml_doc *doc, struct pa_file *ret, struct api_problems *problems,
                struct error *err)
{
    if (!json_is_object(doc->root))
        return error_set(err, ERROR_CONFIG, "%s: not a manifest of a " PA_KIND, path);
    /* Of another kind nothing else is worth saying. */
    bool ours = says(doc->root, "apiVersion", PA_API_VERSION, problems);
    ours = says(doc->root, "kind", PA_KIND, problems) && ours;
    if (ours) {
        check_envelope(doc->root, ret, problems);
        (void)decode(doc->root, API_STRICT, &ret->pa, problems);
    }
    if (problems->total == 0)
        return 0;
    api_problems_locate(problems, doc);
    return api_problems_error(problems, path, err);
}

int pa_load_text(const char *path, const char *text, size_t len, struct pa_file *ret, struct api_problems *problems,
                 struct error *err)
{
    struct api_problems own;
    problems = problems ? problems : &own;
    *problems = (struct api_problems){0};
    *ret = (struct pa_file){0};
    struct yaml_doc doc = {0};
    if (yaml_parse(path, text, len, &doc, err) < 0)
        return -1;
    int result = load(path, &doc, ret, problems, err);
    yaml_done(&doc);
    return result;
}

int pa_load(const char *path, struct pa_file *ret, struct api_problems *problems, struct error *err)
{
    struct api_problems own;
    problems = problems ? problems : &own;
    *problems = (struct api_problems){0};
    *ret = (struct pa_file){0};
    struct yaml_doc doc = {0};
    if (yaml_load(path, MAX_MANIFEST_BYTES, &doc, err) < 0)
        return -1;
    int result = load(path, &doc, ret, problems, err);
    yaml_done(&doc);
    return result;
}
