/* Lists the checkpoints, their metadata alone, and reads those whose names belong to no autoscaler that is there; see
 * orphans.h. The mark is applied as the farewell is, with all of the object, so that an autoscaler which comes back
 * takes it away by its next write. */
#include "reconcile/orphans.h"

#include "api/pa_checkpoint.h"
#include "base/alloc.h"
#include "base/str.h"
#include "reconcile/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_US    (INT64_C(3600) * USEC_PER_SEC)
#define PAGE       "500"
#define MAX_PAGE   (8 << 20)
#define MAX_OBJECT (1 << 20)

struct place {
    char *namespace_, *name;
};

struct orphans {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    struct orphans_config config;
    size_t namespace_at; /* the namespace that is looked at */
    char *more;          /* where the next page of it begins; NULL: this was the last one */
    struct place *found; /* of this page */
    size_t n_found, found_at;
    bool looked;
    int64_t looked_us, request;
};

static bool exists(const struct orphans *o, const char *namespace_, const char *name)
{
    _cleanup_(freep) char *key = xasprintf("%s/%s", namespace_, name);
    return o->config.uid(o->config.data, key) != NULL;
}

/* ---- one object ---- */

static void next(struct orphans *o);

static void on_marked(void *data, const struct kube_response *response, const struct error *err)
{
    struct orphans *o = data;
    const struct place *p = &o->found[o->found_at++];
    o->request = 0;
    if (!err)
        log_info(o->log, "the history of an autoscaler that is gone is kept for a day",
                 LOG_S("namespace", p->namespace_), LOG_S("checkpoint", p->name));
    else if (response->code != 404) /* 404: the namespace is going */
        log_warn(o->log, "a checkpoint without an autoscaler was not given its end, trying again in an hour",
                 LOG_S("namespace", p->namespace_), LOG_S("checkpoint", p->name), LOG_ERR(err));
    next(o);
}

static void place_path(const struct place *p, struct buf *path)
{
    resource_path(path, &resource_checkpoints, p->namespace_, p->name, NULL);
}

/* Gives the request, or 0 when there is nothing to mark. */
static int64_t mark(struct orphans *o, const struct place *p, const json_t *object)
{
    struct pa_checkpoint c;
    int64_t request = 0;
    if (pa_checkpoint_decode(object, &c, NULL) < 0)
        return 0;
    struct buf body = BUF_INIT(MAX_OBJECT), path = BUF_INIT(4096);
    c.expire_us = loop_real_us(o->loop) + CHECKPOINT_KEEP_US;
    pa_checkpoint_body(&c, p->namespace_, NULL, &body);
    place_path(p, &path);
    if (!body.failed && !exists(o, p->namespace_, c.autoscaler.name))
        request = kube_client_start(o->client, &(struct kube_request){.verb = KUBE_PATCH_APPLY,
                                                                      .path = buf_str(&path),
                                                                      .body = body.data,
                                                                      .body_len = body.len,
                                                                      .force = true,
                                                                      .max_body = MAX_OBJECT,
                                                                      .done = on_marked,
                                                                      .data = o});
    buf_done(&path);
    buf_done(&body);
    pa_checkpoint_done(&c);
    return request;
}

static void on_object(void *data, const struct kube_response *response, const struct error *err)
{
    struct orphans *o = data;
    o->request = 0;
    _json_cleanup_ json_t *root = err ? NULL : json_parse(response->body, response->body_len, NULL);
    if (root)
        o->request = mark(o, &o->found[o->found_at], root);
    if (o->request != 0)
        return;
    o->found_at++;
    next(o);
}

/* ---- pages ---- */

static void forget_page(struct orphans *o)
{
    for (size_t i = 0; i < o->n_found; i++) {
        free(o->found[i].namespace_);
        free(o->found[i].name);
    }
    free(o->found);
    free(o->more);
    o->found = NULL;
    o->more = NULL;
    o->n_found = o->found_at = 0;
}

/* What a name says without the object; one that was shortened to fit says nothing, and the object is asked. */
static bool is_used(const struct orphans *o, const char *namespace_, const char *name)
{
    static const enum pa_checkpoint_part parts[] = {PA_PART_TAIL, PA_PART_HISTORY};
    const char *dash = strrchr(name, '-');
    _cleanup_(freep) char *autoscaler = dash ? xstrndup(name, (size_t)(dash - name)) : xstrdup(name);
    char again[PA_CHECKPOINT_NAME_CAP];
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        pa_checkpoint_name(again, autoscaler, parts[i]);
        if (streq(again, name))
            return exists(o, namespace_, autoscaler);
    }
    return false;
}

static void consider(struct orphans *o, const json_t *item)
{
    const json_t *labels = json_at(item, "metadata.labels");
    const char *part = json_string_value(json_object_get(labels, PA_CHECKPOINT_LABEL_PART));
    struct object_meta meta = {0};
    if (!part || (!streq(part, "Tail") && !streq(part, "History")) ||
        json_object_get(labels, PA_CHECKPOINT_LABEL_EXPIRES) ||
        json_array_size(json_at(item, "metadata.ownerReferences")) > 0 || object_meta_decode(item, &meta, NULL) < 0)
        return;
    if (meta.deletion_us == 0 && meta.namespace_ && !is_used(o, meta.namespace_, meta.name)) {
        o->found = xreallocarray(o->found, o->n_found + 1, sizeof(*o->found));
        o->found[o->n_found++] = (struct place){.namespace_ = xstrdup(meta.namespace_), .name = xstrdup(meta.name)};
    }
    object_meta_done(&meta);
}

static void on_page(void *data, const struct kube_response *response, const struct error *err)
{
    struct orphans *o = data;
    struct error local = err ? *err : ERROR_INIT;
    o->request = 0;
    forget_page(o);
    _json_cleanup_ json_t *root = err ? NULL : json_parse(response->body, response->body_len, &local);
    if (!root) {
        log_warn(o->log, "checkpoints could not be listed, trying again in an hour", LOG_ERR(&local));
        return;
    }
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)json_at(root, "items"), i, item) consider(o, item);
    const char *more = json_str(root, "metadata.continue");
    o->more = more && *more ? xstrdup(more) : NULL;
    next(o);
}

/* The first page of a namespace or of the cluster, or the next one. */
static void list_page(struct orphans *o)
{
    struct buf path = BUF_INIT(16 * 1024);
    const char *const *namespaces = o->config.namespaces;
    resource_path(&path, &resource_checkpoints, namespaces ? namespaces[o->namespace_at] : NULL, NULL, NULL);
    resource_query(&path, "limit", PAGE);
    if (o->more)
        resource_query(&path, "continue", o->more);
    o->request = kube_client_start(
        o->client, &(struct kube_request){.verb = KUBE_GET,
                                          .path = buf_str(&path),
                                          .max_body = MAX_PAGE,
                                          .accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                                          .done = on_page,
                                          .data = o});
    buf_done(&path);
}

static void next(struct orphans *o)
{
    const char *const *namespaces = o->config.namespaces;
    if (o->found_at < o->n_found) {
        struct buf path = BUF_INIT(4096);
        place_path(&o->found[o->found_at], &path);
        o->request = kube_client_start(
            o->client,
            &(struct kube_request){
                .verb = KUBE_GET, .path = buf_str(&path), .max_body = MAX_OBJECT, .done = on_object, .data = o});
        buf_done(&path);
        return;
    }
    if (o->more || (namespaces && namespaces[++o->namespace_at]))
        list_page(o);
}

/* ---- life ---- */

struct orphans *orphans_new(struct kube_client *client, const struct orphans_config *config, struct log *log)
{
    struct orphans *o = xcalloc(1, sizeof(*o));
    *o = (struct orphans){.client = client, .loop = kube_client_loop(client), .log = log, .config = *config};
    return o;
}

struct orphans *orphans_free(struct orphans *o)
{
    if (!o)
        return NULL;
    kube_client_cancel(o->client, o->request);
    forget_page(o);
    free(o);
    return NULL;
}

void orphans_look(struct orphans *o)
{
    int64_t now = loop_now_us(o->loop);
    if (o->request != 0 || (o->looked && now - o->looked_us < LOOK_US))
        return;
    o->looked = true;
    o->looked_us = now;
    o->namespace_at = 0;
    forget_page(o);
    list_page(o);
}
