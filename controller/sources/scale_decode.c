/* Decoding of Scale objects, workloads, discovery and managedFields; see scale_decode.h. */
#include "sources/scale_decode.h"

#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"

#include <stdlib.h>

#define ANNOTATION_ENABLED "ai4k8s.io/predictive-autoscaling-enabled"
#define ANNOTATION_CONFIG  "ai4k8s.io/predictive-autoscaling-config"

/* A replica count: absent gives `fallback`; what is no int32 >= 0 is refused. */
static int replicas_at(const json_t *root, const char *path, int32_t fallback, int32_t *ret, struct error *err)
{
    const json_t *value = json_at(root, path);
    *ret = fallback;
    if (!value)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > INT32_MAX)
        return error_set(err, ERROR_PARSE, "%s is no replica count", path);
    *ret = (int32_t)json_integer_value(value);
    return 0;
}

void target_scale_done(struct target_scale *s)
{
    free(s->uid);
    free(s->resource_version);
    free(s->selector);
    *s = (struct target_scale){0};
}

int scale_decode(const char *json, size_t len, struct target_scale *ret, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(json, len, err);
    *ret = (struct target_scale){0};
    if (!root)
        return -1;
    const char *kind = json_str(root, "kind"), *version = json_str(root, "apiVersion");
    if (!kind || !version || !streq(kind, "Scale") || !streq(version, "autoscaling/v1"))
        return error_set(err, ERROR_PARSE, "the answer is no autoscaling/v1 Scale");
    const char *uid = json_str(root, "metadata.uid"), *rv = json_str(root, "metadata.resourceVersion");
    if (!uid || !rv)
        return error_set(err, ERROR_PARSE, "a Scale without uid and resourceVersion");
    if (replicas_at(root, "spec.replicas", 0, &ret->spec_replicas, err) < 0 ||
        replicas_at(root, "status.replicas", 0, &ret->status_replicas, err) < 0)
        return -1;
    const char *selector = json_str(root, "status.selector");
    ret->selector = xstrdup(selector ? selector : "");
    ret->uid = xstrdup(uid);
    ret->resource_version = xstrdup(rv);
    return 0;
}

static void workload_free(struct object *o)
{
    struct workload *w = CONTAINER_OF(o, struct workload, object);
    free(w->selector);
    free(w->annotation_enabled);
    free(w->annotation_config);
    free(w);
}

struct object *workload_decode(const char *kind, const char *json, size_t len, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(json, len, err);
    if (!root)
        return NULL;
    struct workload *w = xcalloc(1, sizeof(*w));
    w->object.refs = 1;
    w->object.free = workload_free;
    w->kind = kind;
    struct buf selector = BUF_INIT(64 * 1024);
    if (object_meta_decode(root, &w->object.meta, err) < 0) {
        free(w);
        return NULL;
    }
    /* The API server defaults spec.replicas to 1 when it is absent, so absence can't be seen here. */
    if (replicas_at(root, "spec.replicas", 1, &w->spec_replicas, err) < 0 ||
        replicas_at(root, "status.replicas", 0, &w->status_replicas, err) < 0 ||
        selector_format(json_at(root, "spec.selector"), &selector, err) < 0) {
        buf_done(&selector);
        object_unref(&w->object);
        return NULL;
    }
    w->selector = buf_steal(&selector);
    const json_t *annotations = json_at(root, "metadata.annotations");
    w->annotation_enabled = xstrdup0(json_string_value(json_object_get(annotations, ANNOTATION_ENABLED)));
    w->annotation_config = xstrdup0(json_string_value(json_object_get(annotations, ANNOTATION_CONFIG)));
    return &w->object;
}

static bool is_scale_of(const json_t *resource, const char *plural)
{
    const char *name = json_str(resource, "name"), *kind = json_str(resource, "kind");
    const char *group = json_str(resource, "group"), *version = json_str(resource, "version");
    size_t n = __builtin_strlen(plural);
    return name && str_starts(name, plural) && streq(name + n, "/scale") && kind && streq(kind, "Scale") && group &&
           streq(group, "autoscaling") && version && streq(version, "v1");
}

int discovery_find_kind(const char *json, size_t len, const char *kind, char **ret_plural, bool *ret_namespaced,
                        bool *ret_scalable, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(json, len, err);
    if (!root)
        return -1;
    const json_t *resources = json_at(root, "resources");
    if (!json_is_array(resources))
        return error_set(err, ERROR_PARSE, "the answer is no APIResourceList");
    const char *plural = NULL;
    size_t i;
    json_t *r;
    json_array_foreach((json_t *)(uintptr_t)resources, i, r)
    {
        const char *name = json_str(r, "name"), *k = json_str(r, "kind");
        if (name && k && streq(k, kind) && !__builtin_strchr(name, '/')) {
            plural = name;
            *ret_namespaced = json_bool(r, "namespaced", false);
        }
    }
    if (!plural)
        return 1;
    *ret_scalable = false;
    json_array_foreach((json_t *)(uintptr_t)resources, i, r) *ret_scalable |= is_scale_of(r, plural);
    *ret_plural = xstrdup(plural);
    return 0;
}

void scale_writer_decode(const char *json, size_t len, char *out, size_t cap)
{
    _json_cleanup_ json_t *root = json_parse(json, len, NULL);
    const json_t *latest = NULL;
    int64_t latest_us = INT64_MIN;
    size_t i;
    json_t *entry;
    out[0] = '\0';
    json_array_foreach((json_t *)(uintptr_t)json_at(root, "metadata.managedFields"), i, entry)
    {
        const char *time = json_str(entry, "time");
        int64_t us = INT64_MAX;
        /* The API server gives no time to what was written through /scale. */
        bool ordered = !time || rfc3339_parse(time, &us);
        if (ordered && json_at(entry, "fieldsV1.f:spec.f:replicas") && us >= latest_us) {
            latest = entry;
            latest_us = us;
        }
    }
    const char *manager = json_str(latest, "manager");
    if (!manager)
        return;
    struct buf clean = BUF_INIT(256);
    str_sanitize(&clean, manager, __builtin_strlen(manager), cap - 1);
    (void)str_copy(out, cap, buf_str(&clean));
    buf_done(&clean);
}
