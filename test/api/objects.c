/* See objects.h. Small numbers of objects: arrays, searched from the front. */
#include "test/api/objects.h"

#include "base/alloc.h"
#include "base/str.h"

#include <cjson/cJSON.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct api_kind api_pods = {"/api/v1", "pods", "Pod", "v1"};
const struct api_kind api_leases = {"/apis/coordination.k8s.io/v1", "leases", "Lease", "coordination.k8s.io/v1"};
const struct api_kind api_events = {"/apis/events.k8s.io/v1", "events", "Event", "events.k8s.io/v1"};
const struct api_kind api_pod_metrics = {"/apis/metrics.k8s.io/v1beta1", "pods", "PodMetrics",
                                         "metrics.k8s.io/v1beta1"};
const struct api_kind api_autoscalers = {"/apis/ai4k8s.io/v1alpha1", "predictiveautoscalers", "PredictiveAutoscaler",
                                         "ai4k8s.io/v1alpha1"};
const struct api_kind api_checkpoints = {"/apis/ai4k8s.io/v1alpha1", "predictiveautoscalercheckpoints",
                                         "PredictiveAutoscalerCheckpoint", "ai4k8s.io/v1alpha1"};
const struct api_kind api_deployments = {"/apis/apps/v1", "deployments", "Deployment", "apps/v1"};
const struct api_kind api_statefulsets = {"/apis/apps/v1", "statefulsets", "StatefulSet", "apps/v1"};
const struct api_kind api_hpas = {"/apis/autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler",
                                  "autoscaling/v2"};

struct stored {
    const struct api_kind *kind;
    char *namespace_, *name, *uid, *json;
    uint64_t version;
};

struct api_objects {
    struct stored *objects;
    size_t n_objects;
    struct api_event *events;
    size_t n_events;
    uint64_t version, oldest, next_uid;
};

struct api_objects *api_objects_new(void)
{
    struct api_objects *o = xcalloc(1, sizeof(*o));
    o->version = o->oldest = 1000;
    return o;
}

static void forget_history(struct api_objects *o)
{
    for (size_t i = 0; i < o->n_events; i++) {
        free(o->events[i].namespace_);
        free(o->events[i].json);
    }
    o->n_events = 0;
    o->oldest = o->version;
}

static void stored_done(struct stored *s)
{
    free(s->namespace_);
    free(s->name);
    free(s->uid);
    free(s->json);
}

struct api_objects *api_objects_free(struct api_objects *o)
{
    if (!o)
        return NULL;
    forget_history(o);
    for (size_t i = 0; i < o->n_objects; i++)
        stored_done(&o->objects[i]);
    free(o->objects);
    free(o->events);
    free(o);
    return NULL;
}

uint64_t api_objects_version(const struct api_objects *o)
{
    return o->version;
}

uint64_t api_objects_oldest(const struct api_objects *o)
{
    return o->oldest;
}

void api_objects_compact(struct api_objects *o)
{
    forget_history(o);
}

void api_objects_rewind(struct api_objects *o, uint64_t version)
{
    o->version = version;
    forget_history(o);
    o->oldest = 0;
}

static struct stored *find(const struct api_objects *o, const struct api_kind *kind, const char *ns, const char *name)
{
    for (size_t i = 0; i < o->n_objects; i++) {
        struct stored *s = &o->objects[i];
        if (s->kind == kind && streq(s->namespace_, ns ? ns : "") && streq(s->name, name))
            return s;
    }
    return NULL;
}

static void remember(struct api_objects *o, const char *type, const struct stored *s)
{
    o->events = xreallocarray(o->events, o->n_events + 1, sizeof(*o->events));
    o->events[o->n_events++] = (struct api_event){.kind = s->kind,
                                                  .namespace_ = xstrdup(s->namespace_),
                                                  .type = type,
                                                  .version = s->version,
                                                  .json = xstrdup(s->json)};
}

static void set_text(cJSON *object, const char *key, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    (void)cJSON_AddStringToObject(object, key, value);
}

/* The object as a server would store it: kind, key, uid and resourceVersion are the server's. */
static char *complete(const struct stored *s, const char *body)
{
    cJSON *root = cJSON_Parse(body);
    if (!root)
        abort();
    char version[24];
    snprintf(version, sizeof(version), "%" PRIu64, s->version);
    cJSON *meta = cJSON_GetObjectItemCaseSensitive(root, "metadata");
    if (!meta)
        meta = cJSON_AddObjectToObject(root, "metadata");
    set_text(root, "apiVersion", s->kind->api_version);
    set_text(root, "kind", s->kind->kind);
    set_text(meta, "name", s->name);
    if (s->namespace_[0])
        set_text(meta, "namespace", s->namespace_);
    set_text(meta, "uid", s->uid);
    set_text(meta, "resourceVersion", version);
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

uint64_t api_objects_put(struct api_objects *o, const struct api_kind *kind, const char *ns, const char *name,
                         const char *body)
{
    struct stored *s = find(o, kind, ns, name);
    const char *type = s ? "MODIFIED" : "ADDED";
    if (!s) {
        o->objects = xreallocarray(o->objects, o->n_objects + 1, sizeof(*o->objects));
        s = &o->objects[o->n_objects++];
        *s = (struct stored){.kind = kind,
                             .namespace_ = xstrdup(ns ? ns : ""),
                             .name = xstrdup(name),
                             .uid = xasprintf("uid-%" PRIu64, ++o->next_uid)};
    }
    s->version = ++o->version;
    char *json = complete(s, body);
    free(s->json);
    s->json = json;
    remember(o, type, s);
    return s->version;
}

uint64_t api_objects_delete(struct api_objects *o, const struct api_kind *kind, const char *ns, const char *name)
{
    struct stored *s = find(o, kind, ns, name);
    if (!s)
        return 0;
    s->version = ++o->version;
    char *json = complete(s, s->json);
    free(s->json);
    s->json = json;
    remember(o, "DELETED", s);
    stored_done(s);
    size_t i = (size_t)(s - o->objects);
    memmove(s, s + 1, (o->n_objects - i - 1) * sizeof(*s));
    o->n_objects--;
    return o->version;
}

const char *api_objects_get(const struct api_objects *o, const struct api_kind *kind, const char *ns, const char *name)
{
    const struct stored *s = find(o, kind, ns, name);
    return s ? s->json : NULL;
}

uint64_t api_objects_version_of(const struct api_objects *o, const struct api_kind *kind, const char *ns,
                                const char *name)
{
    const struct stored *s = find(o, kind, ns, name);
    return s ? s->version : 0;
}

static void merge(cJSON *into, const cJSON *patch)
{
    for (const cJSON *p = patch->child; p; p = p->next) {
        cJSON *have = cJSON_GetObjectItemCaseSensitive(into, p->string);
        if (cJSON_IsNull(p)) {
            cJSON_DeleteItemFromObjectCaseSensitive(into, p->string);
        } else if (cJSON_IsObject(p) && cJSON_IsObject(have)) {
            merge(have, p); /* as deep as a test's own patches */
        } else {
            cJSON_DeleteItemFromObjectCaseSensitive(into, p->string);
            cJSON_AddItemToObject(into, p->string, cJSON_Duplicate(p, true));
        }
    }
}

char *api_merge(const char *json, const char *patch)
{
    cJSON *root = cJSON_Parse(json), *change = cJSON_Parse(patch);
    char *text = NULL;
    if (cJSON_IsObject(root) && cJSON_IsObject(change)) {
        merge(root, change);
        text = cJSON_PrintUnformatted(root);
    }
    cJSON_Delete(root);
    cJSON_Delete(change);
    return text;
}

static int by_key(const void *a, const void *b)
{
    const struct stored *x = *(const struct stored *const *)a, *y = *(const struct stored *const *)b;
    int order = strcmp(x->namespace_, y->namespace_);
    return order ? order : strcmp(x->name, y->name);
}

/* In the order of their keys; free(). */
static const struct stored **sorted(const struct api_objects *o, const struct api_kind *kind, const char *ns,
                                    size_t *ret_n)
{
    const struct stored **all = xcalloc(o->n_objects + 1, sizeof(*all));
    size_t n = 0;
    for (size_t i = 0; i < o->n_objects; i++)
        if (o->objects[i].kind == kind && (!ns || streq(o->objects[i].namespace_, ns)))
            all[n++] = &o->objects[i];
    qsort(all, n, sizeof(*all), by_key);
    *ret_n = n;
    return all;
}

void api_objects_digest(const struct api_objects *o, const struct api_kind *kind, const char *ns, struct buf *out)
{
    size_t n;
    const struct stored **all = sorted(o, kind, ns, &n);
    for (size_t i = 0; i < n; i++)
        (void)buf_printf(out, "%s/%s=%" PRIu64 " ", all[i]->namespace_, all[i]->name, all[i]->version);
    free(all);
}

bool api_selected(const char *json, const char *selector)
{
    const char *equals = selector ? strchr(selector, '=') : NULL;
    if (!equals)
        return true;
    char key[256];
    snprintf(key, sizeof(key), "%.*s", (int)(equals - selector), selector);
    cJSON *root = cJSON_Parse(json);
    const cJSON *labels =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "metadata"), "labels");
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(labels, key));
    bool selected = value && streq(value, equals + 1);
    cJSON_Delete(root);
    return selected;
}

char **api_objects_all(const struct api_objects *o, const struct api_kind *kind, const char *ns, const char *selector)
{
    size_t n, kept = 0;
    const struct stored **all = sorted(o, kind, ns, &n);
    char **copies = xcalloc(n + 1, sizeof(*copies));
    for (size_t i = 0; i < n; i++)
        if (api_selected(all[i]->json, selector))
            copies[kept++] = xstrdup(all[i]->json);
    free(all);
    return copies;
}

void api_objects_all_free(char **all)
{
    for (size_t i = 0; all && all[i]; i++)
        free(all[i]);
    free(all);
}

size_t api_objects_events(const struct api_objects *o)
{
    return o->n_events;
}

const struct api_event *api_objects_event(const struct api_objects *o, size_t i)
{
    return &o->events[i];
}

void api_event_line(const char *type, const char *object, struct buf *out)
{
    (void)buf_printf(out, "{\"type\":\"%s\",\"object\":%s}\n", type, object);
}
