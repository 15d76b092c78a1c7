/* Lists the checkpoints that bear the label of an expiry, page by page and namespace by namespace, and deletes
 * those whose time is over; see expiry.h. */
#include "reconcile/expiry.h"

#include "api/pa_checkpoint.h"
#include "base/alloc.h"

#include <stdlib.h>

#define COLLECT_US (INT64_C(3600) * USEC_PER_SEC)
#define PAGE       "20" /* objects are up to 130 KB each */
#define MAX_PAGE   (8 << 20)

struct expiry {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    const char *const *namespaces;
    size_t next; /* the namespace that is looked at */
    bool looked;
    int64_t looked_us, request;
};

struct expiry *expiry_new(struct kube_client *client, const char *const *namespaces, struct log *log)
{
    struct expiry *x = xcalloc(1, sizeof(*x));
    *x = (struct expiry){.client = client, .loop = kube_client_loop(client), .log = log, .namespaces = namespaces};
    return x;
}

struct expiry *expiry_free(struct expiry *x)
{
    if (x)
        kube_client_cancel(x->client, x->request);
    free(x);
    return NULL;
}

/* Without `data`: a deletion may outlive us. What it does not reach is found again at the next look. */
static void on_deleted(void *data UNUSED, const struct kube_response *response UNUSED, const struct error *err UNUSED)
{
}

static void delete_if_expired(struct expiry *x, const json_t *object)
{
    struct pa_checkpoint cp;
    struct object_meta meta = {0};
    if (pa_checkpoint_decode(object, &cp, NULL) < 0)
        return;
    bool expired = cp.expire_us != 0 && cp.expire_us < loop_real_us(x->loop);
    pa_checkpoint_done(&cp);
    if (!expired || object_meta_decode(object, &meta, NULL) < 0)
        return;
    struct buf path = BUF_INIT(4096), body = BUF_INIT(1024);
    resource_path(&path, &resource_checkpoints, meta.namespace_, meta.name, NULL);
    /* Only this very version: it may have come to life again in between. */
    (void)buf_printf(&body, "{\"preconditions\":{\"resourceVersion\":\"%s\"}}", meta.resource_version);
    (void)kube_client_start(
        x->client,
        &(struct kube_request){
            .verb = KUBE_DELETE, .path = buf_str(&path), .body = body.data, .body_len = body.len, .done = on_deleted});
    buf_done(&path);
    buf_done(&body);
    object_meta_done(&meta);
}

static void list_page(struct expiry *x, const char *from);

static void on_page(void *data, const struct kube_response *response, const struct error *err)
{
    struct expiry *x = data;
    struct error local = err ? *err : ERROR_INIT;
    x->request = 0;
    _json_cleanup_ json_t *root = err ? NULL : json_parse(response->body, response->body_len, &local);
    if (!root) {
        log_warn(x->log, "expired checkpoints could not be listed, trying again in an hour", LOG_ERR(&local));
        return;
    }
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)json_at(root, "items"), i, item) delete_if_expired(x, item);
    const char *more = json_str(root, "metadata.continue");
    if (more && *more)
        list_page(x, more);
    else if (x->namespaces && x->namespaces[++x->next])
        list_page(x, NULL);
}

/* One page of one namespace, or of the cluster. */
static void list_page(struct expiry *x, const char *from)
{
    struct buf path = BUF_INIT(16 * 1024);
    resource_path(&path, &resource_checkpoints, x->namespaces ? x->namespaces[x->next] : NULL, NULL, NULL);
    resource_query(&path, "labelSelector", PA_CHECKPOINT_LABEL_EXPIRES "=true");
    resource_query(&path, "limit", PAGE);
    if (from)
        resource_query(&path, "continue", from);
    x->request = kube_client_start(
        x->client, &(struct kube_request){
                       .verb = KUBE_GET, .path = buf_str(&path), .max_body = MAX_PAGE, .done = on_page, .data = x});
    buf_done(&path);
}

void expiry_collect(struct expiry *x)
{
    int64_t now = loop_now_us(x->loop);
    if (x->request != 0 || (x->looked && now - x->looked_us < COLLECT_US))
        return;
    x->looked = true;
    x->looked_us = now;
    x->next = 0;
    list_page(x, NULL);
}
