/* From annotations to the body of a server-side apply; see annotation.h. */
#include "api/annotation.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define MAX_CONFIG_BYTES 16384

void annotation_name(char out[API_NAME_CAP], const char *kind, const char *name)
{
    char stem[512];
    (void)snprintf(stem, sizeof stem, "%s-%s", kind, name);
    for (char *p = stem; p < stem + strlen(kind); p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    api_fit_name(out, stem, "");
}

static int refuse(struct error *err, const char *annotation, const char *why)
{
    return error_set(err, ERROR_CONFIG, "annotation %s: %s", annotation, why);
}

/* The short names, and what must not be said. The tree is ours. */
static int expand(json_t *config, const struct annotation_workload *w, struct error *err)
{
    static const struct {
        const char *brief, *full;
    } names[] = {{"min", "minReplicas"}, {"max", "maxReplicas"}};
    if (json_object_get(config, "scaleTargetRef"))
        return refuse(err, ANNOTATION_CONFIG, "scaleTargetRef must not be given, it is the annotated workload");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        json_t *value = json_object_get(config, names[i].brief);
        if (!value)
            continue;
        if (json_object_get(config, names[i].full)) {
            char why[80];
            (void)snprintf(why, sizeof why, "%s and %s mean the same, give one", names[i].brief, names[i].full);
            return refuse(err, ANNOTATION_CONFIG, why);
        }
        (void)json_object_set(config, names[i].full, value);
        (void)json_object_del(config, names[i].brief);
    }
    json_t *target = json_object();
    (void)json_object_set_new(target, "apiVersion", json_string(w->api_version));
    (void)json_object_set_new(target, "kind", json_string(w->kind));
    (void)json_object_set_new(target, "name", json_string(w->name));
    (void)json_object_set_new(config, "scaleTargetRef", target);
    return 0;
}

static json_t *parse(const struct annotation_workload *w, struct error *err)
{
    if (!w->config) {
        (void)refuse(err, ANNOTATION_CONFIG, "is missing, it needs at least the upper limit: {\"max\": 10}");
        return NULL;
    }
    size_t len = strlen(w->config);
    if (len > MAX_CONFIG_BYTES) {
        (void)refuse(err, ANNOTATION_CONFIG, "is too long, at most 16 KiB are read");
        return NULL;
    }
    struct error why = ERROR_INIT;
    json_t *config = json_parse(w->config, len, &why);
    if (!config || !json_is_object(config)) {
        (void)refuse(err, ANNOTATION_CONFIG, config ? "want a JSON object such as {\"max\": 10}" : error_text(&why));
        json_decref(config);
        return NULL;
    }
    return config;
}

static int check(const json_t *config, struct error *err)
{
    struct pa_spec spec;
    struct api_problems problems = {0};
    if (api_decode(pa_resource.spec, config, "", API_STRICT, &spec, sizeof spec, NULL, &problems) == 0)
        return 0;
    (void)api_problems_error(&problems, NULL, err);
    return error_wrap(err, "annotation %s", ANNOTATION_CONFIG);
}

static void write_body(const struct annotation_workload *w, const json_t *config, struct buf *body)
{
    char name[API_NAME_CAP];
    annotation_name(name, w->kind, w->name);
    struct json_emit j = json_emit(body);
    json_open(&j, NULL, '{');
    json_emit_str(&j, "apiVersion", PA_API_VERSION);
    json_emit_str(&j, "kind", PA_KIND);
    json_open(&j, "metadata", '{');
    json_emit_str(&j, "name", name);
    json_emit_str(&j, "namespace", w->namespace_);
    json_open(&j, "labels", '{');
    json_emit_str(&j, PA_LABEL_SOURCE, PA_SOURCE_ANNOTATION);
    json_close(&j, '}');
    json_open(&j, "ownerReferences", '[');
    json_open(&j, NULL, '{');
    json_emit_str(&j, "apiVersion", w->api_version);
    json_emit_str(&j, "kind", w->kind);
    json_emit_str(&j, "name", w->name);
    json_emit_str(&j, "uid", w->uid);
    json_emit_bool(&j, "controller", true);
    json_close(&j, '}');
    json_close(&j, ']');
    json_close(&j, '}');
    struct buf spec = BUF_INIT((size_t)2 * MAX_CONFIG_BYTES);
    json_write(&spec, config);
    json_emit_raw(&j, "spec", buf_str(&spec), spec.len);
    buf_done(&spec);
    json_close(&j, '}');
}

int annotation_render(const struct annotation_workload *w, struct buf *body, struct error *err)
{
    bool on = false;
    if (!w->enabled)
        return ANNOTATION_OFF;
    if (!pa_parse_bool(w->enabled, &on))
        return refuse(err, ANNOTATION_ENABLED, "want \"true\" or \"false\"");
    if (!on)
        return ANNOTATION_OFF;
    _json_cleanup_ json_t *config = parse(w, err);
    if (!config || expand(config, w, err) < 0 || check(config, err) < 0)
        return -1;
    write_body(w, config, body);
    return 0;
}
