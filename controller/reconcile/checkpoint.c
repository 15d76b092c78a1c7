/* Reading, writing and forgetting of checkpoints; see checkpoint.h.
 *
 * Each tracked autoscaler has a timer; when it runs out its parts are queued. One pump empties the queue as
 * the token bucket allows. The history goes before the tail, and only when a segment has closed since it was
 * written. */
#include "reconcile/checkpoint.h"

#include "api/pa.h"
#include "api/pa_checkpoint.h"
#include "base/alloc.h"
#include "base/backoff.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define MAX_OBJECT     (256 * 1024)
#define FLUSH_PARALLEL 8
#define NO_VERSION     INT64_MIN

struct tracked {
    struct checkpoints *owner;
    struct checkpoint_owner who;
    struct list node; /* in the queue; empty: waits for its timer or for an answer */
    struct loop_timer due;
    const struct core_state *(*state)(void *data);
    void *data;
    int64_t request;
    enum pa_checkpoint_part writing;
    int64_t history_version; /* that was written; NO_VERSION: none */
    int64_t history_sending; /* that is under way */
    int64_t tail_written_us; /* CLOCK_BOOTTIME; 0: never */
    bool again;              /* wanted while it was being written */
    bool flushing;           /* counted by the flush under way */
    bool flushed;            /* its turn in the flush has been */
};

struct load {
    struct list node;
    struct checkpoints *owner;
    int64_t id, request;
    struct checkpoint_owner who;
    struct core_spec spec;
    struct buf tail;
    checkpoint_loaded_fn *done;
    void *data;
};

/* The last write for an autoscaler that is gone: it outlives what was tracked. */
struct farewell {
    struct list node;
    struct checkpoints *owner;
    int64_t request;
};

struct flush {
    bool active;
    void (*done)(void *data, size_t written, size_t left);
    void *data;
    size_t written, running;
    struct loop_timer deadline, step;
};

struct checkpoints {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    struct rng *rng;
    int64_t interval_us;
    struct ratelimit bucket;
    struct map tracked;
    struct list queue, loads, farewells;
    struct loop_timer pump;
    struct flush flush;
    int64_t next_id;
    struct metrics_series *ok, *failed;
};

/* ---- owners ---- */

/* Its texts are one block, which begins with the namespace. */
static struct checkpoint_owner copy_owner(const struct checkpoint_owner *o)
{
    struct checkpoint_owner copy = *o;
    const char **texts[] = {&copy.namespace_,  &copy.name,        &copy.uid,
                            &copy.target_kind, &copy.target_name, &copy.target_uid};
    size_t bytes = 0;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        bytes += strlen(*texts[i]) + 1;
    char *at = xcalloc(1, bytes);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        size_t len = strlen(*texts[i]) + 1;
        *texts[i] = memcpy(at, *texts[i], len);
        at += len;
    }
    return copy;
}

static void owner_done(struct checkpoint_owner *copy)
{
    free((void *)(uintptr_t)copy->namespace_);
}

static void object_path(struct buf *path, const struct checkpoint_owner *who, enum pa_checkpoint_part part)
{
    char name[PA_CHECKPOINT_NAME_CAP];
    pa_checkpoint_name(name, who->name, part);
    resource_path(path, &resource_checkpoints, who->namespace_, name, NULL);
}

/* ---- writing ---- */

/* The body of one part; false: it is larger than the API takes, which the core's encoding rules out. */
static bool encode_body(struct tracked *t, const struct core_state *state, enum pa_checkpoint_part part,
                        int64_t expire_us, struct buf *body)
{
    struct pa_checkpoint c = {
        .has_target = true, .part = part, .time_us = loop_real_us(t->owner->loop), .expire_us = expire_us};
    buf_init(&c.data, PA_CHECKPOINT_MAX_DATA);
    (void)str_copy(c.autoscaler.name, sizeof(c.autoscaler.name), t->who.name);
    (void)str_copy(c.autoscaler.uid, sizeof(c.autoscaler.uid), t->who.uid);
    (void)str_copy(c.target.kind, sizeof(c.target.kind), t->who.target_kind);
    (void)str_copy(c.target.name, sizeof(c.target.name), t->who.target_name);
    (void)str_copy(c.target.uid, sizeof(c.target.uid), t->who.target_uid);
    if (part == PA_PART_TAIL)
        core_state_encode_tail(state, &c.data);
    else
        core_state_encode_history(state, &c.data);
    const struct pa_checkpoint_owner owner = {
        .api_version = PA_API_VERSION, .kind = PA_KIND, .name = t->who.name, .uid = t->who.uid};
    if (!c.data.failed)
        pa_checkpoint_body(&c, t->who.namespace_, t->who.annotated ? NULL : &owner, body);
    bool fits = !c.data.failed && !body->failed;
    pa_checkpoint_done(&c);
    return fits;
}

static int64_t send_part(struct tracked *t, const struct core_state *state, enum pa_checkpoint_part part,
                         int64_t expire_us,
                         void (*done)(void *data, const struct kube_response *response, const struct error *err),
                         void *data)
{
    struct buf body = BUF_INIT(MAX_OBJECT), path = BUF_INIT(4096);
    int64_t request = 0;
    object_path(&path, &t->who, part);
    if (encode_body(t, state, part, expire_us, &body))
        request = kube_client_start(t->owner->client, &(struct kube_request){.verb = KUBE_PATCH_APPLY,
                                                                             .path = buf_str(&path),
                                                                             .body = body.data,
                                                                             .body_len = body.len,
                                                                             .force = true,
                                                                             .max_body = 1 << 20,
                                                                             .done = done,
                                                                             .data = data});
    else
        log_error(t->owner->log, "a checkpoint is too large to be written", LOG_S("namespace", t->who.namespace_),
                  LOG_S("name", t->who.name));
    buf_done(&path);
    buf_done(&body);
    return request;
}

static void write_next_part(struct tracked *t);

static void arm(struct tracked *t)
{
    int64_t interval = t->owner->interval_us;
    if (t->again) {
        t->again = false;
        loop_timer_arm(&t->due, 0);
        return;
    }
    loop_timer_arm(&t->due, interval - interval / 10 + (int64_t)rng_below(t->owner->rng, (uint64_t)interval / 5 + 1));
}

static void part_ended(struct tracked *t, bool written)
{
    struct checkpoints *c = t->owner;
    if (t->flushing) {
        t->flushing = false;
        c->flush.running--;
        c->flush.written += written;
        loop_timer_arm(&c->flush.step, 0);
        return;
    }
    arm(t);
}

static void on_part_written(void *data, const struct kube_response *response, const struct error *err)
{
    struct tracked *t = data;
    struct checkpoints *c = t->owner;
    t->request = 0;
    metrics_add(err ? c->failed : c->ok, 1);
    if (err) {
        if (response->code != 404) /* 404: the namespace is going */
            log_warn(c->log, "a checkpoint was not written", LOG_S("namespace", t->who.namespace_),
                     LOG_S("name", t->who.name), LOG_ERR(err));
        part_ended(t, false);
        return;
    }
    if (t->writing == PA_PART_HISTORY) {
        t->history_version = t->history_sending;
        write_next_part(t);
        return;
    }
    t->tail_written_us = loop_now_us(c->loop);
    part_ended(t, true);
}

/* The history when a segment has closed, then the tail. */
static void write_next_part(struct tracked *t)
{
    const struct core_state *state = t->state(t->data);
    if (!state) {
        part_ended(t, false);
        return;
    }
    int64_t version = core_state_history_version(state);
    t->writing = version != t->history_version && !t->flushing ? PA_PART_HISTORY : PA_PART_TAIL;
    t->history_sending = version;
    t->request = send_part(t, state, t->writing, 0, on_part_written, t);
    if (t->request == 0)
        part_ended(t, false);
}

static void pump(void *data)
{
    struct checkpoints *c = data;
    while (!list_empty(&c->queue)) {
        if (!ratelimit_take(&c->bucket, loop_now_us(c->loop))) {
            loop_timer_arm(&c->pump, (int64_t)(1e6 / c->bucket.rate));
            return;
        }
        struct tracked *t = CONTAINER_OF(c->queue.next, struct tracked, node);
        list_remove(&t->node);
        write_next_part(t);
    }
}

static void on_due(void *data)
{
    struct tracked *t = data;
    list_remove(&t->node);
    list_append(&t->owner->queue, &t->node);
    loop_timer_arm(&t->owner->pump, 0);
}

/* ---- tracking ---- */

static void tracked_free(void *value)
{
    struct tracked *t = value;
    struct checkpoints *c = t->owner;
    kube_client_cancel(c->client, t->request);
    loop_timer_disarm(&t->due);
    list_remove(&t->node);
    if (t->flushing)
        c->flush.running--;
    owner_done(&t->who);
    free(t);
}

void checkpoints_track(struct checkpoints *c, const char *key, const struct checkpoint_owner *owner,
                       const struct core_state *(*state)(void *data), void *data)
{
    struct tracked *t = map_get(&c->tracked, key);
    if (t && streq(t->who.uid, owner->uid) && streq(t->who.target_uid, owner->target_uid) &&
        t->who.annotated == owner->annotated)
        return;
    t = xcalloc(1, sizeof(*t));
    *t = (struct tracked){
        .owner = c, .who = copy_owner(owner), .state = state, .data = data, .history_version = NO_VERSION};
    list_init(&t->node);
    loop_timer_init(&t->due, c->loop, LOOP_IDLE, on_due, t);
    map_set(&c->tracked, key, t);
    arm(t);
}

void checkpoints_save_soon(struct checkpoints *c, const char *key)
{
    struct tracked *t = map_get(&c->tracked, key);
    if (!t)
        return;
    t->again = t->request != 0;
    if (!t->again)
        loop_timer_arm(&t->due, 0);
}

static void farewell_free(struct farewell *f)
{
    kube_client_cancel(f->owner->client, f->request);
    list_remove(&f->node);
    free(f);
}

static void on_farewell(void *data, const struct kube_response *response, const struct error *err)
{
    struct farewell *f = data;
    struct checkpoints *c = f->owner;
    f->request = 0;
    farewell_free(f);
    metrics_add(err ? c->failed : c->ok, 1);
    if (err && response->code != 404) /* 404: the namespace is going */
        log_warn(c->log, "the history of a removed autoscaler was not kept", LOG_ERR(err));
    if (c->flush.active)
        loop_timer_arm(&c->flush.step, 0);
}

static void say_farewell(struct tracked *t, const struct core_state *state, enum pa_checkpoint_part part,
                         int64_t expire_us)
{
    struct farewell *f = xcalloc(1, sizeof(*f));
    *f = (struct farewell){.owner = t->owner};
    list_append(&t->owner->farewells, &f->node);
    f->request = send_part(t, state, part, expire_us, on_farewell, f);
    if (f->request == 0)
        farewell_free(f);
}

void checkpoints_untrack(struct checkpoints *c, const char *key, bool autoscaler_deleted)
{
    struct tracked *t = map_get(&c->tracked, key);
    if (!t)
        return;
    const struct core_state *state = t->state(t->data);
    if (autoscaler_deleted && t->who.annotated && state) {
        int64_t expire = loop_real_us(c->loop) + CHECKPOINT_KEEP_US;
        say_farewell(t, state, PA_PART_HISTORY, expire);
        say_farewell(t, state, PA_PART_TAIL, expire);
    }
    (void)map_remove(&c->tracked, key);
}

/* ---- loading ---- */

static void load_free(struct load *l)
{
    list_remove(&l->node);
    owner_done(&l->who);
    buf_done(&l->tail);
    free(l);
}

static void load_ended(struct load *l, struct core_state *state, const char *note, const struct error *err)
{
    checkpoint_loaded_fn *done = l->done;
    void *data = l->data;
    load_free(l);
    done(data, state, note, err);
}

/* Whether the object holds this autoscaler's state; else why not. */
static const char *not_ours(const struct load *l, const struct pa_checkpoint *c, enum pa_checkpoint_part part)
{
    if (c->part != part || !streq(c->autoscaler.name, l->who.name))
        return "discarded: it is not this autoscaler's";
    if (!streq(c->target.uid, l->who.target_uid))
        return "discarded: the target was recreated";
    if (!l->who.annotated && !streq(c->autoscaler.uid, l->who.uid))
        return "discarded: the autoscaler was recreated";
    return NULL;
}

/* 0: `data` is taken; 1: it can't be used, *note says why. */
static int take_part(const struct load *l, const struct kube_response *response, enum pa_checkpoint_part part,
                     struct buf *data, const char **note)
{
    struct error err = ERROR_INIT;
    _json_cleanup_ json_t *root = json_parse(response->body, response->body_len, &err);
    struct pa_checkpoint c;
    if (!root || pa_checkpoint_decode(root, &c, &err) < 0) {
        log_warn(l->owner->log, "a checkpoint can't be read", LOG_S("name", l->who.name), LOG_ERR(&err));
        *note = "discarded: it can't be read";
        return 1;
    }
    *note = not_ours(l, &c, part);
    if (!*note)
        (void)buf_append(data, c.data.data, c.data.len);
    pa_checkpoint_done(&c);
    return *note != NULL;
}

static void finish_load(struct load *l, const struct buf *history)
{
    struct error err = ERROR_INIT;
    struct core_state *state = core_state_decode_parts(
        &l->spec, l->tail.data, l->tail.len, history ? history->data : NULL, history ? history->len : 0, &err);
    if (state) {
        load_ended(l, state, history ? "from its checkpoint" : "from its tail alone", NULL);
        return;
    }
    char note[360];
    (void)snprintf(note, sizeof(note), "discarded: %s", error_text(&err));
    load_ended(l, NULL, note, NULL);
}

/* An answer that is no checkpoint of ours would be none the next time either. */
static bool is_too_large(const struct error *err)
{
    return err->kind == ERROR_LIMIT;
}

static void on_history(void *data, const struct kube_response *response, const struct error *err)
{
    struct load *l = data;
    l->request = 0;
    if (err && response->code != 404 && !is_too_large(err)) {
        load_ended(l, NULL, "", err);
        return;
    }
    struct buf history = BUF_INIT(PA_CHECKPOINT_MAX_DATA);
    const char *note;
    bool usable = !err && take_part(l, response, PA_PART_HISTORY, &history, &note) == 0;
    finish_load(l, usable ? &history : NULL);
    buf_done(&history);
}

static void ask_for(struct load *l, enum pa_checkpoint_part part,
                    void (*done)(void *data, const struct kube_response *response, const struct error *err))
{
    struct buf path = BUF_INIT(4096);
    object_path(&path, &l->who, part);
    l->request = kube_client_start(
        l->owner->client,
        &(struct kube_request){.verb = KUBE_GET, .path = buf_str(&path), .max_body = 1 << 20, .done = done, .data = l});
    buf_done(&path);
}

static void on_tail(void *data, const struct kube_response *response, const struct error *err)
{
    struct load *l = data;
    const char *note;
    l->request = 0;
    if (err && is_too_large(err))
        load_ended(l, NULL, "discarded: it is too large", NULL);
    else if (err && response->code != 404)
        load_ended(l, NULL, "", err);
    else if (err)
        load_ended(l, NULL, "there is no checkpoint", NULL);
    else if (take_part(l, response, PA_PART_TAIL, &l->tail, &note) != 0)
        load_ended(l, NULL, note, NULL);
    else
        ask_for(l, PA_PART_HISTORY, on_history);
}

int64_t checkpoints_load(struct checkpoints *c, const struct checkpoint_owner *owner, const struct core_spec *spec,
                         checkpoint_loaded_fn *done, void *data)
{
    struct load *l = xcalloc(1, sizeof(*l));
    *l = (struct load){
        .owner = c, .id = ++c->next_id, .who = copy_owner(owner), .spec = *spec, .done = done, .data = data};
    buf_init(&l->tail, PA_CHECKPOINT_MAX_DATA);
    list_append(&c->loads, &l->node);
    ask_for(l, PA_PART_TAIL, on_tail);
    return l->id;
}

void checkpoints_cancel(struct checkpoints *c, int64_t id)
{
    list_for_each (it, &c->loads) {
        struct load *l = CONTAINER_OF(it, struct load, node);
        if (l->id != id)
            continue;
        kube_client_cancel(c->client, l->request);
        load_free(l);
        return;
    }
}

/* ---- the last ones ---- */

static bool waits_for_flush(const struct tracked *t)
{
    return t->request == 0 && !t->flushed && t->state(t->data);
}

static struct tracked *oldest_unflushed(struct checkpoints *c)
{
    struct tracked *oldest = NULL;
    struct map_iter it = map_iter(&c->tracked);
    for (struct map_entry *e; (e = map_next(&c->tracked, &it)) != NULL;) {
        struct tracked *t = e->value;
        if (!waits_for_flush(t))
            continue;
        if (!oldest || t->tail_written_us < oldest->tail_written_us)
            oldest = t;
    }
    return oldest;
}

static void flush_ended(struct checkpoints *c)
{
    struct flush *f = &c->flush;
    size_t left = f->running;
    if (!f->active)
        return;
    f->active = false;
    loop_timer_disarm(&f->deadline);
    loop_timer_disarm(&f->step);
    struct map_iter it = map_iter(&c->tracked);
    for (struct map_entry *e; (e = map_next(&c->tracked, &it)) != NULL;)
        left += waits_for_flush(e->value);
    list_for_each (node, &c->farewells)
        left++;
    f->done(f->data, f->written, left);
}

static void flush_step(void *data)
{
    struct checkpoints *c = data;
    struct flush *f = &c->flush;
    struct tracked *t;
    while (f->active && f->running < FLUSH_PARALLEL && (t = oldest_unflushed(c)) != NULL) {
        t->flushing = t->flushed = true;
        f->running++;
        write_next_part(t);
    }
    if (f->running == 0 && !oldest_unflushed(c) && list_empty(&c->farewells))
        flush_ended(c);
}

static void on_flush_deadline(void *data)
{
    flush_ended(data);
}

void checkpoints_flush(struct checkpoints *c, int64_t budget_us, void (*done)(void *data, size_t written, size_t left),
                       void *data)
{
    struct flush *f = &c->flush;
    loop_timer_disarm(&c->pump);
    struct map_iter it = map_iter(&c->tracked);
    for (struct map_entry *e; (e = map_next(&c->tracked, &it)) != NULL;) {
        struct tracked *t = e->value;
        loop_timer_disarm(&t->due);
        list_remove(&t->node);
        /* What is being written is waited for, its tail comes behind it. */
        t->flushing = t->flushed = t->request != 0;
        f->running += t->flushing;
    }
    f->active = true;
    f->done = done;
    f->data = data;
    loop_timer_arm(&f->deadline, budget_us);
    if (budget_us > 0)
        flush_step(c);
}

/* ---- life ---- */

struct checkpoints *checkpoints_new(struct kube_client *client, const struct checkpoints_config *config,
                                    struct log *log, struct metrics *metrics, struct rng *rng)
{
    struct checkpoints *c = xcalloc(1, sizeof(*c));
    *c = (struct checkpoints){
        .client = client, .loop = kube_client_loop(client), .log = log, .rng = rng, .interval_us = config->interval_us};
    map_init(&c->tracked, tracked_free);
    list_init(&c->queue);
    list_init(&c->loads);
    list_init(&c->farewells);
    ratelimit_init(&c->bucket, config->writes_per_second, MAX(config->writes_per_second, 1), loop_now_us(c->loop));
    loop_timer_init(&c->pump, c->loop, LOOP_IDLE, pump, c);
    loop_timer_init(&c->flush.deadline, c->loop, LOOP_NORMAL, on_flush_deadline, c);
    loop_timer_init(&c->flush.step, c->loop, LOOP_NORMAL, flush_step, c);
    struct metrics_family *writes = metrics_family(metrics, METRICS_COUNTER, "ai4k8s_checkpoint_writes_total",
                                                   "Writes of checkpoint objects.", "result", NULL, 0);
    c->ok = metrics_get(writes, "success", NULL);
    c->failed = metrics_get(writes, "error", NULL);
    return c;
}

struct checkpoints *checkpoints_free(struct checkpoints *c)
{
    if (!c)
        return NULL;
    loop_timer_disarm(&c->pump);
    loop_timer_disarm(&c->flush.deadline);
    loop_timer_disarm(&c->flush.step);
    list_for_each_safe (it, after, &c->loads) {
        struct load *l = CONTAINER_OF(it, struct load, node);
        kube_client_cancel(c->client, l->request);
        load_free(l);
    }
    list_for_each_safe (it, after, &c->farewells)
        farewell_free(CONTAINER_OF(it, struct farewell, node));
    map_done(&c->tracked);
    free(c);
    return NULL;
}
