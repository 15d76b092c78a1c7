/* Importing history; see backfill.h. Objects of part Backfill are watched by their label; each is looked at
 * when it appears and again when its autoscaler gets its state. What has been looked at is deleted; until its
 * end is seen, a removal stands for it, so that it is not looked at again. */
#include "reconcile/backfill.h"

#include "api/pa.h"
#include "api/pa_checkpoint.h"
#include "base/alloc.h"
#include "base/map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST_US (2 * USEC_PER_SEC)
#define RETRY_LAST_US  (300 * USEC_PER_SEC)

/* A Backfill object as the informer keeps it: short-lived, so whole. */
struct backfill_object {
    struct object object;
    struct pa_checkpoint checkpoint;
    struct error problem; /* kind NONE: `checkpoint` is usable */
};

/* The deletion of an object that was looked at to its end. */
struct removal {
    struct backfill *owner;
    char *namespace_, *name, *uid;
    int64_t request, retry_us;
    struct loop_timer retry;
};

struct backfill {
    struct kube_client *client;
    struct backfill_config config;
    struct recorder *recorder;
    struct log *log;
    struct informer **informers;
    size_t n_informers;
    bool paused;
    struct map removals; /* UID -> struct removal */
    struct loop_timer look;
};

static void backfill_object_free(struct object *o)
{
    struct backfill_object *b = CONTAINER_OF(o, struct backfill_object, object);
    if (b->problem.kind == ERROR_NONE)
        pa_checkpoint_done(&b->checkpoint);
    free(b);
}

static struct object *decode(void *data UNUSED, const char *raw, size_t len, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(raw, len, err);
    if (!root)
        return NULL;
    struct backfill_object *b = xcalloc(1, sizeof(*b));
    b->object.refs = 1;
    b->object.free = backfill_object_free;
    if (object_meta_decode(root, &b->object.meta, err) < 0) {
        free(b);
        return NULL;
    }
    (void)pa_checkpoint_decode(root, &b->checkpoint, &b->problem);
    return &b->object;
}

/* ---- one object ---- */

static void removal_free(void *value)
{
    struct removal *r = value;
    kube_client_cancel(r->owner->client, r->request);
    loop_timer_disarm(&r->retry);
    free(r->namespace_);
    free(r->name);
    free(r->uid);
    free(r);
}

static void on_deleted(void *data, const struct kube_response *response, const struct error *err)
{
    struct removal *r = data;
    r->request = 0;
    if (!err || response->code == 404) /* the watch tells us, and ends this */
        return;
    r->retry_us = r->retry_us ? MIN(r->retry_us * 2, RETRY_LAST_US) : RETRY_FIRST_US;
    log_warn(r->owner->log, "a backfill is dealt with, but its object could not be deleted, trying again",
             LOG_S("namespace", r->namespace_), LOG_S("object", r->name), LOG_I("seconds", r->retry_us / USEC_PER_SEC),
             LOG_ERR(err));
    loop_timer_arm(&r->retry, r->retry_us);
}

static void send_removal(void *data)
{
    struct removal *r = data;
    struct buf path = BUF_INIT(4096), body = BUF_INIT(1024);
    resource_path(&path, &resource_checkpoints, r->namespace_, r->name, NULL);
    (void)buf_printf(&body, "{\"preconditions\":{\"uid\":\"%s\"}}", r->uid);
    r->request = kube_client_start(r->owner->client, &(struct kube_request){.verb = KUBE_DELETE,
                                                                            .path = buf_str(&path),
                                                                            .body = body.data,
                                                                            .body_len = body.len,
                                                                            .done = on_deleted,
                                                                            .data = r});
    buf_done(&path);
    buf_done(&body);
}

static void delete_object(struct backfill *b, const struct object_meta *m)
{
    struct removal *r = xcalloc(1, sizeof(*r));
    *r = (struct removal){
        .owner = b, .namespace_ = xstrdup(m->namespace_), .name = xstrdup(m->name), .uid = xstrdup(m->uid)};
    loop_timer_init(&r->retry, kube_client_loop(b->client), LOOP_IDLE, send_removal, r);
    map_set(&b->removals, m->uid, r);
    send_removal(r);
}

/* `kubectl describe` finds the events of an object by its UID: a backfill that names none asks for the cached one. */
static void tell(struct backfill *b, const struct backfill_object *o, enum event_type type, const char *reason,
                 const char *note)
{
    _cleanup_(freep) char *key = xasprintf("%s/%s", o->object.meta.namespace_, o->checkpoint.autoscaler.name);
    const char *uid = o->problem.kind == ERROR_NONE ? b->config.uid(b->config.data, key) : NULL;
    const struct object_meta *m = &o->object.meta;
    const struct object_ref self = {.api_version = PA_API_VERSION,
                                    .kind = PA_CHECKPOINT_KIND,
                                    .namespace_ = m->namespace_,
                                    .name = m->name,
                                    .uid = m->uid};
    const struct object_ref autoscaler = {.api_version = PA_API_VERSION,
                                          .kind = PA_KIND,
                                          .namespace_ = m->namespace_,
                                          .name = o->checkpoint.autoscaler.name,
                                          .uid = uid};
    bool known = o->problem.kind == ERROR_NONE;
    recorder_event(b->recorder, known ? &autoscaler : &self, known ? &self : NULL, type, reason, "Backfill", "%s",
                   note);
}

static void reject(struct backfill *b, const struct backfill_object *o, const char *why)
{
    _cleanup_(freep) char *note = xasprintf("the history of %s was not imported: %s", o->object.meta.name, why);
    log_warn(b->log, "a backfill was rejected", LOG_S("object", o->object.meta.name), LOG_S("reason", why));
    tell(b, o, EVENT_WARNING, "BackfillRejected", note);
    delete_object(b, &o->object.meta);
}

/* The samples as values of the ring's slots. A backfill with a finer grid is averaged into slots, a coarser
 * one gives each of its slots' value to all that it covers. */
static uint32_t import(struct demand *d, const struct pa_backfill *grid, const float *samples, size_t n, int64_t now_s,
                       uint32_t lead_s)
{
    const struct demand_config *config = demand_config(d);
    int64_t interval = config->interval_s, first = grid->start_us / USEC_PER_SEC;
    int64_t end = first + (int64_t)n * grid->interval_s;
    int64_t from_slot = MAX((end - 1) / interval - (int64_t)config->slots + 1, first / interval),
            to_slot = (end - 1) / interval;
    float *values = xcalloc(config->slots, sizeof(*values));
    for (int64_t slot = from_slot; slot <= to_slot; slot++) {
        int64_t lo = (slot * interval - first) / grid->interval_s,
                hi = ((slot + 1) * interval - first - 1) / grid->interval_s;
        double sum = 0;
        int64_t count = 0;
        for (int64_t i = MAX(lo, 0); i <= hi && i < (int64_t)n; i++) {
            if (isnan(samples[i]))
                continue;
            sum += (double)samples[i];
            count++;
        }
        values[slot - from_slot] = count ? (float)(sum / (double)count) : NAN;
    }
    uint32_t taken = demand_import(d, from_slot, values, (uint32_t)(to_slot - from_slot + 1), now_s, lead_s);
    free(values);
    return taken;
}

static void take_in(struct backfill *b, const struct backfill_object *o, struct core_state *state, const char *key)
{
    const struct pa_checkpoint *c = &o->checkpoint;
    struct demand *d = core_state_demand(state, c->backfill.metric);
    struct error err = ERROR_INIT;
    float *samples = xcalloc(PA_BACKFILL_MAX_SAMPLES, sizeof(*samples));
    int n = pa_backfill_get(c, samples, &err);
    if (!d) {
        _cleanup_(freep) char *why =
            xasprintf("the autoscaler has no metric \"%s\" that is forecast", c->backfill.metric);
        reject(b, o, why);
    } else if (n < 0) {
        reject(b, o, error_text(&err));
    } else {
        uint32_t taken =
            import(d, &c->backfill, samples, (size_t)n, loop_real_us(kube_client_loop(b->client)) / USEC_PER_SEC,
                   b->config.lead_s(b->config.data, key));
        _cleanup_(freep) char *note =
            xasprintf("imported %u samples into the history of %s", taken, c->backfill.metric);
        tell(b, o, EVENT_NORMAL, "BackfillImported", note);
        delete_object(b, &o->object.meta);
        b->config.imported(b->config.data, key, taken);
    }
    free(samples);
}

/* Those that wait for their autoscaler, as a look finds them. */
struct waiting {
    struct backfill *owner;
    const struct backfill_object **objects;
    size_t n, cap;
};

static void wait_for_state(struct waiting *w, const struct backfill_object *o)
{
    if (w->n == w->cap) {
        w->cap = MAX(w->cap * 2, (size_t)BACKFILL_MAX_WAITING);
        w->objects = xreallocarray(w->objects, w->cap, sizeof(const struct backfill_object *));
    }
    w->objects[w->n++] = o;
}

static void look_at(void *data, const struct object *object)
{
    struct waiting *w = data;
    struct backfill *b = w->owner;
    const struct backfill_object *o = CONTAINER_OF(object, const struct backfill_object, object);
    if (object->meta.deletion_us != 0 || map_get(&b->removals, object->meta.uid))
        return;
    if (o->problem.kind != ERROR_NONE) {
        reject(b, o, error_text(&o->problem));
        return;
    }
    struct buf key = BUF_INIT(1024);
    object_key(&key, object->meta.namespace_, o->checkpoint.autoscaler.name);
    struct core_state *state = b->config.state(b->config.data, buf_str(&key));
    if (state)
        take_in(b, o, state, buf_str(&key));
    else
        wait_for_state(w, o);
    buf_done(&key);
}

static int by_age(const void *a, const void *b)
{
    const struct object_meta *x = &(*(const struct backfill_object *const *)a)->object.meta,
                             *y = &(*(const struct backfill_object *const *)b)->object.meta;
    int order = (x->creation_us > y->creation_us) - (x->creation_us < y->creation_us);
    return order ? order : strcmp(x->uid, y->uid);
}

/* ---- the watch ---- */

static void look(void *data)
{
    struct backfill *b = data;
    struct waiting w = {.owner = b};
    for (size_t i = 0; !b->paused && i < b->n_informers; i++)
        informer_each(b->informers[i], NULL, look_at, &w);
    if (w.n > BACKFILL_MAX_WAITING)
        qsort(w.objects, w.n, sizeof(*w.objects), by_age);
    for (size_t i = BACKFILL_MAX_WAITING; i < w.n; i++)
        reject(b, w.objects[i], "too many wait for autoscalers that do not run yet");
    free(w.objects);
}

/* Several reasons to look at once lead to one look. */
static void on_object(void *data, enum informer_event event, const struct object *now, const struct object *old UNUSED)
{
    struct backfill *b = data;
    if (event == INFORMER_DELETED)
        (void)map_remove(&b->removals, now->meta.uid);
    else
        loop_timer_arm(&b->look, 0);
}

static void add_informer(struct backfill *b, const char *namespace_, struct log *log, struct metrics *metrics)
{
    const struct informer_config config = {.resource = &resource_checkpoints,
                                           .namespace_ = namespace_,
                                           .label_selector = PA_CHECKPOINT_LABEL_PART "=Backfill",
                                           .page_size = 20,
                                           .decode = decode,
                                           .handler = on_object,
                                           .data = b};
    b->informers = xreallocarray(b->informers, b->n_informers + 1, sizeof(*b->informers));
    b->informers[b->n_informers++] = informer_new(b->client, &config, log, metrics);
}

struct backfill *backfill_new(struct kube_client *client, const struct backfill_config *config,
                              struct recorder *recorder, struct log *log, struct metrics *metrics)
{
    struct backfill *b = xcalloc(1, sizeof(*b));
    *b = (struct backfill){.client = client, .config = *config, .recorder = recorder, .log = log};
    map_init(&b->removals, removal_free);
    loop_timer_init(&b->look, kube_client_loop(client), LOOP_IDLE, look, b);
    for (size_t i = 0; config->namespaces && config->namespaces[i]; i++)
        add_informer(b, config->namespaces[i], log, metrics);
    if (!config->namespaces)
        add_informer(b, NULL, log, metrics);
    return b;
}

struct backfill *backfill_free(struct backfill *b)
{
    if (!b)
        return NULL;
    loop_timer_disarm(&b->look);
    for (size_t i = 0; i < b->n_informers; i++)
        informer_free(b->informers[i]);
    free(b->informers);
    map_done(&b->removals);
    free(b);
    return NULL;
}

void backfill_start(struct backfill *b)
{
    for (size_t i = 0; i < b->n_informers; i++)
        informer_start(b->informers[i]);
}

bool backfill_synced(const struct backfill *b)
{
    for (size_t i = 0; i < b->n_informers; i++)
        if (!informer_synced(b->informers[i]))
            return false;
    return true;
}

void backfill_pause(struct backfill *b, bool paused)
{
    b->paused = paused;
    if (!paused)
        loop_timer_arm(&b->look, 0);
}

void backfill_ready(struct backfill *b, const char *key UNUSED)
{
    loop_timer_arm(&b->look, 0);
}
