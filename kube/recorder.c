/* Events: what becomes of a recorded one, and the queue that writes them one by one; see recorder.h.
 *
 *     recorder_event -> budget of the object -> series known? -> queue -> POST or PATCH -> done | again |
 * dropped
 *
 * A series is the record of one event object on the server. A job is one write for it. The queue has one
 * request under way at a time: a PATCH must not overtake the POST of its object, and events are never urgent.
 */
#include "kube/recorder.h"

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rfc3339.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX    1000
#define SERIES_MAX   4096
#define BUDGETS_MAX  4096
#define BUDGET_BURST 25.0
#define BUDGET_RATE  (1.0 / 300.0)
#define FINISH_US    (INT64_C(6) * 60 * USEC_PER_SEC)
#define REFRESH_US   (INT64_C(30) * 60 * USEC_PER_SEC)
#define SWEEP_US     (60 * USEC_PER_SEC)
#define TRIES        12
#define RETRY_US     (10 * USEC_PER_SEC)
#define RETRY_JITTER 0.25
#define NOTE_MAX     ((size_t)1024)
#define NAME_MAX_LEN 253
#define FIELD_MAX    128
#define KEY_MAX      ((size_t)16 * 1024)

struct series {
    struct list node;   /* in order of last occurrence */
    struct list queued; /* in the recorder's queue: a write is due */
    char *key;
    char *namespace_, *name; /* of the Event */
    char *body;              /* the Event without its end: series and the closing brace are appended */
    bool created;            /* the server has it */
    bool ended;              /* to be forgotten when its last write is done */
    int64_t count;           /* occurrences */
    int64_t written;         /* of these, what the server knows */
    int64_t last_us, last_real_us;
    int64_t written_us;
    unsigned tries;
};

struct budget {
    struct list node; /* in order of last use */
    struct ratelimit bucket;
    char key[];
};

struct recorder {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    struct rng *rng;
    char *controller, *instance;
    struct map series, budgets;
    struct list series_order, budget_order, queue;
    size_t n_queued;
    struct series *sending; /* first of the queue; NULL: none */
    int64_t request;
    int64_t sent_count;
    struct loop_timer send_timer, sweep_timer;
    bool flushing;
    int64_t last_name_ns;
    uint64_t dropped;
};

static void send_next(void *data);
static void sweep(void *data);
static void plan_sweep(struct recorder *r);

static void series_free(void *value)
{
    struct series *s = value;
    list_remove(&s->node);
    list_remove(&s->queued);
    free(s->key);
    free(s->namespace_);
    free(s->name);
    free(s->body);
    free(s);
}

static void budget_free(void *value)
{
    struct budget *b = value;
    list_remove(&b->node);
    free(b);
}

static char *cut(const char *s, size_t max)
{
    char *out = xcalloc(1, max + 1);
    (void)str_copy(out, max + 1, s);
    return out;
}

struct recorder *recorder_new(struct kube_client *client, const char *controller, const char *instance, struct log *log,
                              struct rng *rng)
{
    struct recorder *r = xcalloc(1, sizeof(*r));
    *r = (struct recorder){.client = client,
                           .loop = kube_client_loop(client),
                           .log = log,
                           .rng = rng,
                           .controller = xstrdup(controller),
                           .instance = cut(instance, FIELD_MAX)};
    map_init(&r->series, series_free);
    map_init(&r->budgets, budget_free);
    list_init(&r->series_order);
    list_init(&r->budget_order);
    list_init(&r->queue);
    loop_timer_init(&r->send_timer, r->loop, LOOP_IDLE, send_next, r);
    loop_timer_init(&r->sweep_timer, r->loop, LOOP_IDLE, sweep, r);
    return r;
}

struct recorder *recorder_free(struct recorder *r)
{
    if (!r)
        return NULL;
    if (r->request)
        kube_client_cancel(r->client, r->request);
    loop_timer_disarm(&r->send_timer);
    loop_timer_disarm(&r->sweep_timer);
    map_done(&r->series);
    map_done(&r->budgets);
    free(r->controller);
    free(r->instance);
    free(r);
    return NULL;
}

size_t recorder_pending(const struct recorder *r)
{
    return r->n_queued;
}

uint64_t recorder_dropped(const struct recorder *r)
{
    return r->dropped;
}

/* ---- the queue ---- */

static void forget(struct recorder *r, struct series *s)
{
    if (!list_empty(&s->queued))
        r->n_queued--;
    if (r->sending == s)
        r->sending = NULL;
    (void)map_remove(&r->series, s->key);
}

static void drop(struct recorder *r, struct series *s, const char *why, const struct error *err)
{
    r->dropped++;
    log_warn(r->log, "event dropped", LOG_S("why", why), LOG_S("namespace", s->namespace_), LOG_S("event", s->name),
             LOG_S("error", err ? error_text(err) : ""));
    forget(r, s);
}

static bool enqueue(struct recorder *r, struct series *s)
{
    if (!list_empty(&s->queued))
        return true; /* its write will say all there is to say then */
    if (r->n_queued >= QUEUE_MAX)
        return false;
    s->tries = 0;
    list_append(&r->queue, &s->queued);
    r->n_queued++;
    if (!r->sending && !loop_timer_armed(&r->send_timer))
        loop_timer_arm(&r->send_timer, 0);
    return true;
}

static void dequeue(struct recorder *r, struct series *s)
{
    list_remove(&s->queued);
    r->n_queued--;
    r->sending = NULL;
}

/* ---- writing ---- */

static void emit_series(struct json_emit *j, const struct series *s)
{
    char when[RFC3339_CAP];
    rfc3339_format_micro(when, s->last_real_us);
    json_open(j, "series", '{');
    json_emit_int(j, "count", s->count);
    json_emit_str(j, "lastObservedTime", when);
    json_close(j, '}');
}

static void on_done(void *data, const struct kube_response *response, const struct error *err);

/* A series has two members or more: a single occurrence has none. */
static void body_of(const struct series *s, struct buf *body)
{
    struct buf tail = BUF_INIT(512);
    struct json_emit j = json_emit(&tail);
    json_open(&j, NULL, '{');
    if (s->count > 1)
        emit_series(&j, s);
    json_close(&j, '}');
    if (s->created) {
        (void)buf_puts(body, buf_str(&tail));
    } else {
        (void)buf_puts(body, s->body);
        (void)buf_puts(body, tail.len > 2 ? "," : "");
        (void)buf_puts(body, buf_str(&tail) + 1);
    }
    buf_done(&tail);
}

static void send_next(void *data)
{
    struct recorder *r = data;
    if (r->sending || list_empty(&r->queue))
        return;
    struct series *s = CONTAINER_OF(r->queue.next, struct series, queued);
    struct buf path = BUF_INIT(4096), body = BUF_INIT((size_t)64 * 1024);
    resource_path(&path, &resource_events, s->namespace_, s->created ? s->name : NULL, NULL);
    body_of(s, &body);
    if (path.failed || body.failed) {
        buf_done(&path);
        buf_done(&body);
        drop(r, s, "it can't be written down", NULL);
        loop_timer_arm(&r->send_timer, 0);
        return;
    }
    r->sending = s;
    r->sent_count = s->count;
    s->tries++;
    struct kube_request request = {
        .verb = s->created ? KUBE_PATCH_MERGE : KUBE_POST,
        .path = buf_str(&path),
        .body = buf_str(&body),
        .body_len = body.len,
        .priority = LOOP_IDLE,
        .done = on_done,
        .data = r,
    };
    r->request = kube_client_start(r->client, &request);
    buf_done(&path);
    buf_done(&body);
}

static void written(struct recorder *r, struct series *s)
{
    dequeue(r, s);
    s->created = true;
    s->written = r->sent_count;
    s->written_us = loop_now_us(r->loop);
    if (s->ended)
        forget(r, s);
    else if (s->written == 1 && s->count > 1)
        (void)enqueue(r, s); /* the second came while the first was being written */
}

/* Only what may have been lost on the way, or a server in trouble, is worth another try. */
static bool worth_retrying(const struct kube_response *response)
{
    int code = response ? response->code : 0;
    return code == 0 || code == 429 || code >= 500;
}

static void not_written(struct recorder *r, struct series *s, const struct kube_response *response,
                        const struct error *err)
{
    int code = response ? response->code : 0;
    if (code == 409 && !s->created) {
        written(r, s); /* an earlier try arrived after all */
    } else if (code == 404 && s->created) {
        s->created = false; /* it has expired on the server */
        r->sending = NULL;
    } else if (err->kind == ERROR_FENCED) {
        r->dropped++;
        forget(r, s);
    } else if (!worth_retrying(response)) {
        drop(r, s, "the server refused it", err);
    } else if (r->flushing || s->tries >= TRIES) {
        drop(r, s, "the server could not be reached", err);
    } else {
        r->sending = NULL;
        double wait_us = (double)RETRY_US * (1.0 + RETRY_JITTER * rng_unit(r->rng));
        loop_timer_arm(&r->send_timer, (int64_t)wait_us);
        return;
    }
    if (!list_empty(&r->queue))
        loop_timer_arm(&r->send_timer, 0);
}

static void on_done(void *data, const struct kube_response *response, const struct error *err)
{
    struct recorder *r = data;
    r->request = 0;
    struct series *s = r->sending;
    if (err) {
        not_written(r, s, response, err);
        return;
    }
    written(r, s);
    if (!list_empty(&r->queue))
        loop_timer_arm(&r->send_timer, 0);
}

/* ---- recording ---- */

static void emit_ref(struct json_emit *j, const char *key, const struct object_ref *o)
{
    json_open(j, key, '{');
    json_emit_str(j, "apiVersion", o->api_version);
    json_emit_str(j, "kind", o->kind);
    json_emit_str(j, "namespace", o->namespace_);
    json_emit_str(j, "name", o->name);
    json_emit_str(j, "uid", o->uid);
    json_close(j, '}');
}

static void key_part(struct buf *key, const char *part)
{
    (void)buf_puts(key, part ? part : "");
    (void)buf_putc(key, '\n'); /* in no name, kind or reason */
}

static void key_ref(struct buf *key, const struct object_ref *o)
{
    const struct object_ref none = {0};
    o = o ? o : &none;
    key_part(key, o->api_version);
    key_part(key, o->kind);
    key_part(key, o->namespace_);
    key_part(key, o->name);
    key_part(key, o->uid);
}

/* "<name>.<hex of the time in ns>", unique in this process, and a valid name of an Event whatever the
 * object's is. */
static char *event_name(struct recorder *r, const char *regarding)
{
    int64_t ns = loop_real_us(r->loop) * 1000;
    r->last_name_ns = MAX(ns, r->last_name_ns + 1);
    char suffix[24];
    int n = snprintf(suffix, sizeof(suffix), ".%" PRIx64, (uint64_t)r->last_name_ns);
    size_t keep = MIN(strlen(regarding), NAME_MAX_LEN - (size_t)n);
    while (keep > 0 && (regarding[keep - 1] == '.' || regarding[keep - 1] == '-'))
        keep--;
    char *name = xasprintf("%.*s%s", (int)keep, regarding, suffix);
    if (str_is_dns_subdomain(name))
        return name;
    free(name); /* "system:node" is a good name for a ClusterRole only */
    return xasprintf("event%s", suffix);
}

/* The Event up to where its series may follow, without the closing brace. */
static char *event_body(const struct recorder *r, const struct series *s, const struct object_ref *regarding,
                        const struct object_ref *related, enum event_type type, const char *reason, const char *action,
                        const char *note)
{
    char when[RFC3339_CAP];
    rfc3339_format_micro(when, s->last_real_us);
    struct buf out = BUF_INIT((size_t)32 * 1024);
    struct json_emit j = json_emit(&out);
    json_open(&j, NULL, '{');
    json_emit_str(&j, "apiVersion", "events.k8s.io/v1");
    json_emit_str(&j, "kind", "Event");
    json_open(&j, "metadata", '{');
    json_emit_str(&j, "namespace", s->namespace_);
    json_emit_str(&j, "name", s->name);
    json_close(&j, '}');
    json_emit_str(&j, "eventTime", when);
    json_emit_str(&j, "type", type == EVENT_WARNING ? "Warning" : "Normal");
    json_emit_str(&j, "reason", reason);
    json_emit_str(&j, "action", action);
    json_emit_str(&j, "reportingController", r->controller);
    json_emit_str(&j, "reportingInstance", r->instance);
    emit_ref(&j, "regarding", regarding);
    if (related)
        emit_ref(&j, "related", related);
    json_emit_str(&j, "note", note);
    return buf_steal(&out);
}

static char *PRINTF_LIKE(1, 0) clean_note(const char *fmt, va_list args)
{
    struct buf clean = BUF_INIT(4 * NOTE_MAX); /* cleaning may lengthen what it replaces */
    char *text = NULL;
    int n = vasprintf(&text, fmt, args);
    if (n > 0)
        str_sanitize(&clean, text, (size_t)n, NOTE_MAX);
    free(n < 0 ? NULL : text);
    char *note = cut(buf_str(&clean), NOTE_MAX);
    buf_done(&clean);
    return note;
}

/* Whether the object may have another event written. */
static bool within_budget(struct recorder *r, const struct object_ref *regarding)
{
    struct buf key = BUF_INIT(KEY_MAX);
    key_ref(&key, regarding);
    int64_t now_us = loop_now_us(r->loop);
    struct budget *b = map_get(&r->budgets, buf_str(&key));
    if (!b) {
        if (r->budgets.count >= BUDGETS_MAX)
            (void)map_remove(&r->budgets, CONTAINER_OF(r->budget_order.next, struct budget, node)->key);
        b = xcalloc(1, sizeof(*b) + key.len + 1);
        memcpy(b->key, buf_str(&key), key.len + 1);
        ratelimit_init(&b->bucket, BUDGET_RATE, BUDGET_BURST, now_us);
        list_init(&b->node);
        map_set(&r->budgets, b->key, b);
    }
    list_remove(&b->node);
    list_append(&r->budget_order, &b->node);
    buf_done(&key);
    return ratelimit_take(&b->bucket, now_us);
}

static void occurred(struct recorder *r, struct series *s)
{
    s->count++;
    s->last_us = loop_now_us(r->loop);
    s->last_real_us = loop_real_us(r->loop);
    list_remove(&s->node);
    list_append(&r->series_order, &s->node);
}

/* An event that is known: the second makes it a series on the server, the rest waits in memory. */
static void again(struct recorder *r, struct series *s, const struct object_ref *regarding)
{
    occurred(r, s);
    s->ended = false;
    if (s->count != 2)
        return;
    if (!within_budget(r, regarding) || !enqueue(r, s))
        r->dropped++;
}

/* One that has nothing to write; there always is one, because the queue is shorter than the memory. */
static void evict_oldest(struct recorder *r)
{
    STATIC_ASSERT(QUEUE_MAX < SERIES_MAX);
    list_for_each (node, &r->series_order) {
        struct series *s = CONTAINER_OF(node, struct series, node);
        if (list_empty(&s->queued)) {
            forget(r, s);
            return;
        }
    }
}

static struct series *series_new(struct recorder *r, const char *key, const struct object_ref *regarding)
{
    if (r->series.count >= SERIES_MAX)
        evict_oldest(r);
    struct series *s = xcalloc(1, sizeof(*s));
    list_init(&s->node);
    list_init(&s->queued);
    s->key = xstrdup(key);
    s->namespace_ = xstrdup(regarding->namespace_ && *regarding->namespace_ ? regarding->namespace_ : "default");
    s->name = event_name(r, regarding->name);
    map_set(&r->series, key, s);
    occurred(r, s);
    return s;
}

/* What recorder_event() and recorder_event_each() have in common; by_note: another note is another event. */
static void record(struct recorder *r, const struct object_ref *regarding, const struct object_ref *related,
                   enum event_type type, const char *reason, const char *action, const char *note, bool by_note)
{
    struct buf key = BUF_INIT(KEY_MAX);
    key_part(&key, type == EVENT_WARNING ? "W" : "N");
    key_part(&key, reason);
    key_part(&key, action);
    key_ref(&key, regarding);
    key_ref(&key, related);
    key_part(&key, by_note ? note : NULL);
    struct series *s = map_get(&r->series, buf_str(&key));
    if (s) {
        again(r, s, regarding);
    } else if (r->n_queued >= QUEUE_MAX || !within_budget(r, regarding)) {
        r->dropped++;
    } else {
        s = series_new(r, buf_str(&key), regarding);
        s->body = event_body(r, s, regarding, related, type, reason, action, note);
        (void)enqueue(r, s);
        plan_sweep(r);
    }
    buf_done(&key);
}

void recorder_event(struct recorder *r, const struct object_ref *regarding, const struct object_ref *related,
                    enum event_type type, const char *reason, const char *action, const char *note_fmt, ...)
{
    va_list args;
    va_start(args, note_fmt);
    _cleanup_(freep) char *note = clean_note(note_fmt, args);
    va_end(args);
    record(r, regarding, related, type, reason, action, note, false);
}

void recorder_event_each(struct recorder *r, const struct object_ref *regarding, const struct object_ref *related,
                         enum event_type type, const char *reason, const char *action, const char *note_fmt, ...)
{
    va_list args;
    va_start(args, note_fmt);
    _cleanup_(freep) char *note = clean_note(note_fmt, args);
    va_end(args);
    record(r, regarding, related, type, reason, action, note, true);
}

/* ---- time passing ---- */

static bool has_news(const struct series *s)
{
    return s->count > 1 && s->count > s->written;
}

/* A series ends when it has been silent for long enough, and not up to a sweep later. */
static void plan_sweep(struct recorder *r)
{
    int64_t after_us = SWEEP_US, now_us = loop_now_us(r->loop);
    if (!list_empty(&r->series_order)) {
        int64_t end_us = CONTAINER_OF(r->series_order.next, struct series, node)->last_us + FINISH_US;
        after_us = MAX(MIN(after_us, end_us - now_us), USEC_PER_SEC);
    }
    if (r->series.count > 0 || r->budgets.count > 0)
        loop_timer_arm(&r->sweep_timer, after_us);
}

static void sweep(void *data)
{
    struct recorder *r = data;
    int64_t now_us = loop_now_us(r->loop);
    list_for_each_safe (node, after, &r->series_order) {
        struct series *s = CONTAINER_OF(node, struct series, node);
        bool silent = now_us - s->last_us >= FINISH_US;
        if (silent && !has_news(s) && list_empty(&s->queued)) {
            forget(r, s);
        } else if (silent) {
            s->ended = enqueue(r, s);
        } else if (s->created && has_news(s) && now_us - s->written_us >= REFRESH_US) {
            (void)enqueue(r, s);
        }
    }
    list_for_each_safe (node, after, &r->budget_order) {
        struct budget *b = CONTAINER_OF(node, struct budget, node);
        if (now_us - b->bucket.last_us >= (int64_t)(BUDGET_BURST / BUDGET_RATE * 1e6))
            (void)map_remove(&r->budgets, b->key); /* it is full again: the same as none */
    }
    plan_sweep(r);
}

void recorder_flush(struct recorder *r)
{
    r->flushing = true;
    list_for_each (node, &r->series_order) {
        struct series *s = CONTAINER_OF(node, struct series, node);
        if (has_news(s))
            (void)enqueue(r, s);
    }
    if (!r->sending && !list_empty(&r->queue))
        loop_timer_arm(&r->send_timer, 0);
}
