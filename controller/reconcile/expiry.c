/* Deleting checkpoints that have expired; see expiry.h. They are listed by their label, page by page. */
#include "reconcile/expiry.h"

#include "api/pa_checkpoint.h"
#include "base/alloc.h"
#include "kube/meta.h"

#include <stdlib.h>

#define INTERVAL_US (INT64_C(3600) * USEC_PER_SEC)

struct expiry {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    int64_t looked_us; /* CLOCK_BOOTTIME; 0: never */
    int64_t request;
};

static void on_deleted(void *data, const struct kube_response *response, const struct error *err)
{
    struct expiry *e = data;
    if (err && response->code != 404)
        log_warn(e->log, "an expired checkpoint was not deleted", LOG_ERR(err));
}

static void delete_if_expired(struct expiry *e, const json_t *object)
{
    struct pa_checkpoint cp;
    struct object_meta meta = {0};
    if (pa_checkpoint_decode(object, &cp, NULL) < 0)
        return;
    bool expired = cp.expire_us != 0 && cp.expire_us < loop_real_us(e->loop);
    pa_checkpoint_done(&cp);
    if (!expired || object_meta_decode(object, &meta, NULL) < 0)
        return;
    struct buf path = BUF_INIT(4096), body = BUF_INIT(1024);
    resource_path(&path, &resource_checkpoints, meta.namespace_, meta.name, NULL);
    /* Only this very version: it may have come to life again in between. */
    (void)buf_printf(&body, "{\"preconditions\":{\"resourceVersion\":\"%s\"}}", meta.resource_version);
    (void)kube_client_start(e->client, &(struct kube_request){.verb = KUBE_DELETE,
                                                              .path = buf_str(&path),
                                                              .body = body.data,
                                                              .body_len = body.len,
                                                              .done = on_deleted,
                                                              .data = e});
    buf_done(&path);
    buf_done(&body);
    object_meta_done(&meta);
}

static void list_expiring(struct expiry *e, const char *continuation);

static void on_expiring(void *data, const struct kube_response *response, const struct error *err)
{
    struct expiry *e = data;
    e->request = 0;
    if (err)
        return; /* next time */
    _json_cleanup_ json_t *root = json_parse(response->body, response->body_len, NULL);
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)json_at(root, "items"), i, item) delete_if_expired(e, item);
    const char *continuation = json_str(root, "metadata.continue");
    if (continuation && *continuation)
        list_expiring(e, continuation);
}

static void list_expiring(struct expiry *e, const char *continuation)
{
    struct buf path = BUF_INIT(16 * 1024);
    resource_path(&path, &resource_checkpoints, NULL, NULL, NULL);
    resource_query(&path, "labelSelector", PA_CHECKPOINT_LABEL_EXPIRES "=true");
    resource_query(&path, "limit", "20");
    if (continuation)
        resource_query(&path, "continue", continuation);
    if (!path.failed)
        e->request = kube_client_start(
            e->client,
            &(struct kube_request){
                .verb = KUBE_GET, .path = buf_str(&path), .max_body = 8 << 20, .done = on_expiring, .data = e});
    buf_done(&path);
}

void expiry_look(struct expiry *e)
{
    int64_t now = loop_now_us(e->loop);
    if (e->request != 0 || (e->looked_us != 0 && now - e->looked_us < INTERVAL_US))
        return;
    e->looked_us = now;
    list_expiring(e, NULL);
}

struct expiry *expiry_new(struct kube_client *client, struct log *log)
{
    struct expiry *e = xcalloc(1, sizeof(*e));
    *e = (struct expiry){.client = client, .loop = kube_client_loop(client), .log = log};
    return e;
}

struct expiry *expiry_free(struct expiry *e)
{
    if (!e)
        return NULL;
    kube_client_cancel(e->client, e->request);
    free(e);
    return NULL;
}
