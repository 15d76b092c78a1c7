/* Two queues (transitions, then drift) behind one token bucket; see status_writer.h for when something is
 * written. */
#include "reconcile/status_writer.h"

#include "api/pa.h"
#include "base/alloc.h"
#include "base/backoff.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define DRIFT_INTERVAL_US (300 * USEC_PER_SEC)
/* With the drift between them at most 12 + 4 writes in an hour without a transition. */
#define REASON_INTERVAL_US (600 * USEC_PER_SEC)
#define REASON_BURST       4
#define RETRY_FIRST_US     (2 * USEC_PER_SEC)
#define RETRY_LAST_US      (120 * USEC_PER_SEC)
#define MAX_BODY_BYTES     (64 * 1024)
#define MAX_RUNNING        8   /* a slow server is not helped by more; so many connections there are without HTTP/2 */
#define MAX_QUEUED         128 /* objects; at some 3 KiB each */

struct entry {
    struct status_writer *owner;
    struct list node;             /* in a queue; empty: waits for nothing */
    const char *key;              /* the map's */
    char *body;                   /* what waits or is being written; NULL: nothing */
    struct schema_digest digest;  /* of `body` */
    struct schema_digest sent;    /* of what is being written */
    struct schema_digest written; /* what the API server has, as far as we know */
    bool has_written, transition;
    bool newer;      /* `body` came after the request had begun */
    int64_t request; /* under way; 0: none */
    int64_t written_us;
    int64_t reasons_us; /* until when the changes of reason that were written use up the budget */
    int64_t retry_us;   /* delay of the next attempt after a failure */
    struct loop_timer retry;
};

struct status_writer {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    struct map entries;
    struct list transitions, drifts;
    struct ratelimit bucket;
    struct loop_timer pump;
    size_t n_running, n_queued; /* requests, and entries in the queues */
    struct metrics_series *ok, *failed;
};

static void drop_body(struct entry *e)
{
    free(e->body);
    e->body = NULL;
}

static void leave_queue(struct entry *e)
{
    e->owner->n_queued -= !list_empty(&e->node);
    list_remove(&e->node);
}

static void request_ended(struct entry *e)
{
    e->request = 0;
    e->owner->n_running--;
    loop_timer_arm(&e->owner->pump, 0);
}

static void entry_free(void *value)
{
    struct entry *e = value;
    if (e->request != 0) {
        kube_client_cancel(e->owner->client, e->request);
        request_ended(e);
    }
    loop_timer_disarm(&e->retry);
    leave_queue(e);
    drop_body(e);
    free(e);
}

static void enqueue(struct entry *e)
{
    leave_queue(e);
    e->owner->n_queued++;
    list_append(e->transition ? &e->owner->transitions : &e->owner->drifts, &e->node);
    loop_timer_arm(&e->owner->pump, 0);
}

static void try_again(void *data)
{
    struct entry *e = data;
    if (e->body && e->request == 0)
        enqueue(e);
}

static void on_written(void *data, const struct kube_response *response, const struct error *err)
{
    struct entry *e = data;
    struct status_writer *w = e->owner;
    request_ended(e);
    if (!err) {
        metrics_add(w->ok, 1);
        e->written = e->sent;
        e->has_written = true;
        e->written_us = loop_now_us(w->loop);
        e->retry_us = 0;
        if (e->newer) {
            enqueue(e);
            return;
        }
        drop_body(e);
        return;
    }
    metrics_add(w->failed, 1);
    if (response->code == 404) { /* deleted meanwhile: its end is on the way to us */
        drop_body(e);
        return;
    }
    e->retry_us = e->retry_us ? MIN(e->retry_us * 2, RETRY_LAST_US) : RETRY_FIRST_US;
    log_warn(w->log, "status was not written, trying again", LOG_S("autoscaler", e->key), LOG_ERR(err),
             LOG_I("seconds", e->retry_us / USEC_PER_SEC));
    loop_timer_arm(&e->retry, e->retry_us);
}

static void send(struct entry *e)
{
    struct status_writer *w = e->owner;
    e->sent = e->digest;
    e->newer = false;
    w->n_running++;
    _cleanup_(freep) char *key = xstrdup(e->key);
    const char *namespace_, *name;
    object_key_split(key, &namespace_, &name);
    struct buf path = BUF_INIT(4096);
    resource_path(&path, &resource_predictiveautoscalers, namespace_, name, "status");
    e->request = kube_client_start(w->client, &(struct kube_request){
                                                  .verb = KUBE_PATCH_APPLY,
                                                  .path = buf_str(&path),
                                                  .body = e->body,
                                                  .body_len = strlen(e->body),
                                                  .force = true, /* these fields are ours alone */
                                                  .max_body = 1 << 20,
                                                  .done = on_written,
                                                  .data = e,
                                              });
    buf_done(&path);
}

static void pump(void *data)
{
    struct status_writer *w = data;
    for (;;) {
        struct list *queue = !list_empty(&w->transitions) ? &w->transitions : &w->drifts;
        if (list_empty(queue) || w->n_running >= MAX_RUNNING)
            return;
        if (!ratelimit_take(&w->bucket, loop_now_us(w->loop))) {
            loop_timer_arm(&w->pump, (int64_t)(1e6 / w->bucket.rate));
            return;
        }
        struct entry *e = CONTAINER_OF(queue->next, struct entry, node);
        leave_queue(e);
        send(e);
    }
}

static struct entry *entry_of(struct status_writer *w, const char *key)
{
    struct entry *e = map_get(&w->entries, key);
    if (e)
        return e;
    e = xcalloc(1, sizeof(*e));
    *e = (struct entry){.owner = w, .written_us = loop_now_us(w->loop)};
    list_init(&e->node);
    loop_timer_init(&e->retry, w->loop, LOOP_NORMAL, try_again, e);
    e->key = map_set(&w->entries, key, e);
    return e;
}

struct status_writer *status_writer_new(struct kube_client *client, double writes_per_second, struct log *log,
                                        struct metrics *metrics)
{
    struct status_writer *w = xcalloc(1, sizeof(*w));
    *w = (struct status_writer){.client = client, .loop = kube_client_loop(client), .log = log};
    map_init(&w->entries, entry_free);
    list_init(&w->transitions);
    list_init(&w->drifts);
    ratelimit_init(&w->bucket, writes_per_second, MAX(writes_per_second, 1), loop_now_us(w->loop));
    loop_timer_init(&w->pump, w->loop, LOOP_NORMAL, pump, w);
    struct metrics_family *writes =
        metrics_family(metrics, METRICS_COUNTER, "ai4k8s_status_writes_total", "Writes of status.", "result", NULL, 0);
    w->ok = metrics_get(writes, "success", NULL);
    w->failed = metrics_get(writes, "error", NULL);
    return w;
}

struct status_writer *status_writer_free(struct status_writer *w)
{
    if (!w)
        return NULL;
    map_done(&w->entries);
    loop_timer_disarm(&w->pump);
    free(w);
    return NULL;
}

void status_writer_seen(struct status_writer *w, const char *key, const struct schema_digest *digest)
{
    struct entry *e = entry_of(w, key);
    if (e->body)
        return; /* an older echo; what is on its way is newer */
    e->written = *digest;
    e->has_written = true;
}

/* Whether a changed reason may be written now; one that flaps waits like a drift. */
static bool take_reason(struct entry *e, int64_t now)
{
    if (e->reasons_us > now + (REASON_BURST - 1) * REASON_INTERVAL_US)
        return false;
    e->reasons_us = MAX(e->reasons_us, now) + REASON_INTERVAL_US;
    return true;
}

bool status_writer_put(struct status_writer *w, const char *key, const struct pa_status *status)
{
    struct entry *e = entry_of(w, key);
    struct schema_digest digest = pa_status_digest(status);
    enum pa_status_change change = PA_STATUS_TRANSITION;
    if (e->body)
        change = pa_digest_compare(&e->digest, &digest);
    else if (e->has_written)
        change = pa_digest_compare(&e->written, &digest);
    bool waits = e->body && (e->request == 0 || e->newer);
    int64_t now = loop_now_us(w->loop);
    if (change == PA_STATUS_SAME)
        return true;
    if (change != PA_STATUS_TRANSITION && !waits && now - e->written_us < DRIFT_INTERVAL_US &&
        (change == PA_STATUS_DRIFT || !take_reason(e, now)))
        return true;
    if (!e->body && w->n_queued >= MAX_QUEUED)
        return false;
    _cleanup_(freep) char *copy = xstrdup(key);
    const char *namespace_, *name;
    object_key_split(copy, &namespace_, &name);
    struct buf body = BUF_INIT(MAX_BODY_BYTES);
    pa_status_apply_body(status, namespace_, name, &body);
    if (body.failed) {
        log_error(w->log, "a status is too large to be written", LOG_S("autoscaler", key));
        buf_done(&body);
        return true;
    }
    drop_body(e);
    e->body = buf_steal(&body);
    e->digest = digest;
    e->transition = (waits && e->transition) || change == PA_STATUS_TRANSITION;
    e->newer = e->request != 0;
    if (!e->newer && !loop_timer_armed(&e->retry))
        enqueue(e);
    return true;
}

void status_writer_forget(struct status_writer *w, const char *key)
{
    (void)map_remove(&w->entries, key);
}

size_t status_writer_pending(const struct status_writer *w)
{
    size_t n = 0;
    struct map_iter it = map_iter(&w->entries);
    for (struct map_entry *m; (m = map_next(&w->entries, &it)) != NULL;)
        n += ((struct entry *)m->value)->body != NULL;
    return n;
}
