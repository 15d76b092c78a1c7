/* What the Reflector brings, as objects in a store: decoding, comparing, telling the handler; see informer.h.
 *
 * A list is collected beside the store. When it is complete it takes the store's place at once; the handler
 * is then told the difference in slices, one per turn, and only after that does the watch begin. So a reader
 * never sees half a list, fifty thousand objects don't hold up the loop, and per key the handler is told in
 * order.
 */
#include "kube/informer.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/str.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_KEYS   1024 /* of one turn, besides LOOP_BUDGET_US */
#define REMEMBER_BAD 1000 /* objects that were complained about; then anew */
#define NAME_CAP     320

/* Telling the difference between two stores, a slice at a time. */
struct delivery {
    bool active, vanished_told;
    struct map before;
    struct map_iter at;
    struct loop_timer timer;
};

struct informer {
    struct informer_config config;
    struct loop *loop;
    struct log *log;
    struct rng rng;
    struct reflector *reflector;
    struct map store;
    struct map fresh; /* the list that is coming in */
    struct delivery delivery;
    bool started, synced, telling;
    struct map complained; /* uid -> something: of undecodable objects */
    uint64_t undecodable, outdated;

    struct metrics *metrics;
    char *namespace_label;
    struct {
        struct metrics_series *lists, *watches, *errors, *undecodable, *items, *timestamp;
        struct metrics_series *events[3];
        struct reflector_stats counted;
    } m;
};

static void on_list_begin(void *data);
static void on_list_item(void *data, struct peek raw);
static void on_list_end(void *data);
static void on_event(void *data, enum watch_type type, struct peek raw, const char *version);
static void deliver(void *data);

/* ---- metrics ---- */

static struct metrics_series *series(struct informer *i, enum metrics_type type, const char *name, const char *help)
{
    return metrics_get(metrics_family(i->metrics, type, name, help, "resource,namespace", NULL, 0),
                       i->config.resource->plural, i->namespace_label, NULL);
}

static struct metrics_series *event_series(struct informer *i, const char *type)
{
    return metrics_get(metrics_family(i->metrics, METRICS_COUNTER, "reflector_watch_events_total",
                                      "Events that watches delivered.", "resource,namespace,type", NULL, 0),
                       i->config.resource->plural, i->namespace_label, type, NULL);
}

static void measure(struct informer *i)
{
    i->m.lists = series(i, METRICS_COUNTER, "reflector_lists_total", "Lists begun, the first and relists.");
    i->m.watches = series(i, METRICS_COUNTER, "reflector_watches_total", "Watches begun.");
    i->m.errors = series(i, METRICS_COUNTER, "reflector_errors_total", "Lists and watches that failed or were cut.");
    i->m.undecodable = series(i, METRICS_COUNTER, "reflector_undecodable_total", "Objects skipped as undecodable.");
    i->m.items = series(i, METRICS_GAUGE, "reflector_items", "Objects in the cache.");
    i->m.timestamp = series(i, METRICS_GAUGE, "reflector_last_event_timestamp_seconds",
                            "Unix time of the last list, event or bookmark.");
    i->m.events[WATCH_ADDED] = event_series(i, "ADDED");
    i->m.events[WATCH_MODIFIED] = event_series(i, "MODIFIED");
    i->m.events[WATCH_DELETED] = event_series(i, "DELETED");
}

/* Brings the counters up to what the Reflector has counted. */
static void publish(void *data)
{
    struct informer *i = data;
    if (!i->metrics || !i->started)
        return;
    struct reflector_stats now = reflector_stats(i->reflector), *was = &i->m.counted;
    metrics_add(i->m.lists, (double)(now.lists - was->lists));
    metrics_add(i->m.watches, (double)(now.watches - was->watches));
    metrics_add(i->m.errors, (double)(now.errors - was->errors));
    metrics_set(i->m.items, (double)i->store.count);
    int64_t age_us = loop_now_us(i->loop) - reflector_active_us(i->reflector);
    metrics_set(i->m.timestamp, (double)(loop_real_us(i->loop) - age_us) / 1e6);
    *was = now;
}

/* ---- life ---- */

struct informer *informer_new(struct kube_client *client, const struct informer_config *config, struct log *log,
                              struct metrics *metrics)
{
    assert(config->decode);
    struct informer *i = xcalloc(1, sizeof(*i));
    *i = (struct informer){.config = *config,
                           .loop = kube_client_loop(client),
                           .log = log,
                           .metrics = metrics,
                           .namespace_label = xstrdup(config->namespace_ ? config->namespace_ : "")};
    if (!config->rng)
        rng_seed_random(&i->rng);
    store_init(&i->store);
    store_init(&i->fresh);
    store_init(&i->delivery.before);
    map_init(&i->complained, NULL);
    loop_timer_init(&i->delivery.timer, i->loop, LOOP_NORMAL, deliver, i);
    struct reflector_config r = {
        .resource = config->resource,
        .namespace_ = config->namespace_,
        .label_selector = config->label_selector,
        .field_selector = config->field_selector,
        .page_size = config->page_size,
        .metadata_only = config->metadata_only,
        .watch_timeout_s = config->watch_timeout_s,
        .backoff = config->backoff,
        .rng = config->rng ? config->rng : &i->rng,
        .list_begin = on_list_begin,
        .list_item = on_list_item,
        .list_end = on_list_end,
        .event = on_event,
        .changed = publish,
        .data = i,
    };
    i->reflector = reflector_new(client, &r, log);
    if (metrics)
        measure(i);
    return i;
}

struct informer *informer_free(struct informer *i)
{
    if (!i)
        return NULL;
    assert(!i->telling);
    i->reflector = reflector_free(i->reflector);
    loop_timer_disarm(&i->delivery.timer);
    map_done(&i->store);
    map_done(&i->fresh);
    map_done(&i->delivery.before);
    map_done(&i->complained);
    if (i->metrics)
        metrics_remove2(i->metrics, "resource", i->config.resource->plural, "namespace", i->namespace_label);
    free(i->namespace_label);
    free(i);
    return NULL;
}

void informer_start(struct informer *i)
{
    i->started = true;
    reflector_start(i->reflector);
}

bool informer_synced(const struct informer *i)
{
    return i->synced;
}

int64_t informer_age_us(const struct informer *i)
{
    return i->started ? loop_now_us(i->loop) - reflector_active_us(i->reflector) : INT64_MAX;
}

const struct error *informer_error(const struct informer *i)
{
    return reflector_error(i->reflector);
}

const struct object *informer_get(const struct informer *i, const char *namespace_, const char *name)
{
    return store_get(&i->store, namespace_, name);
}

size_t informer_count(const struct informer *i)
{
    return i->store.count;
}

void informer_each(const struct informer *i, const char *namespace_, void (*fn)(void *data, const struct object *o),
                   void *data)
{
    const struct map_entry *e;
    for (struct map_iter it = map_iter(&i->store); (e = map_next(&i->store, &it)) != NULL;) {
        const struct object *o = e->value;
        if (!namespace_ || streq0(o->meta.namespace_, namespace_))
            fn(data, o);
    }
}

struct informer_stats informer_stats(const struct informer *i)
{
    return (struct informer_stats){
        .reflector = reflector_stats(i->reflector), .undecodable = i->undecodable, .outdated = i->outdated};
}

/* ---- decoding ---- */

struct identity {
    char namespace_[NAME_CAP], name[NAME_CAP], uid[NAME_CAP];
};

/* Who an object is, when it can't or need not be decoded. False: not even that can be read. */
static bool identify(struct peek object, struct identity *ret)
{
    struct peek meta = peek_member(object, "metadata");
    *ret = (struct identity){0};
    (void)peek_str(meta, "namespace", ret->namespace_, sizeof(ret->namespace_));
    (void)peek_str(meta, "uid", ret->uid, sizeof(ret->uid));
    return peek_str(meta, "name", ret->name, sizeof(ret->name)) && ret->name[0];
}

static void complain(struct informer *i, struct peek raw, const struct error *err)
{
    struct identity id;
    bool known = identify(raw, &id);
    const char *key = id.uid[0] ? id.uid : id.name;
    i->undecodable++;
    if (i->metrics)
        metrics_add(i->m.undecodable, 1);
    if (map_get(&i->complained, key))
        return;
    if (i->complained.count >= REMEMBER_BAD)
        map_clear(&i->complained);
    map_set(&i->complained, key, i);
    log_warn(i->log, "object skipped: it can't be decoded", LOG_S("resource", i->config.resource->plural),
             LOG_S("namespace", known ? id.namespace_ : ""), LOG_S("name", known ? id.name : ""), LOG_ERR(err));
}

/* Lists of built-in kinds leave the kind of their items out; where it is said it must be right. */
static int check_kind(const struct informer *i, struct peek raw, struct error *err)
{
    char kind[NAME_CAP];
    const char *want = i->config.metadata_only ? "PartialObjectMetadata" : i->config.resource->kind;
    if (!peek_member(raw, "kind").at)
        return 0;
    if (!peek_str(raw, "kind", kind, sizeof(kind)) || !streq(kind, want))
        return error_set(err, ERROR_PARSE, "want kind %s", want);
    return 0;
}

enum verdict { WANTED, UNWANTED, BAD };

static enum verdict decode(struct informer *i, struct peek raw, struct object **ret)
{
    struct error err = ERROR_INIT;
    *ret = NULL;
    if (check_kind(i, raw, &err) == 0) {
        *ret = i->config.decode(i->config.data, raw.at, raw.len, &err);
        if (*ret)
            return WANTED;
        if (err.kind == ERROR_NONE)
            return UNWANTED;
    }
    complain(i, raw, &err);
    return BAD;
}

/* ---- changes ---- */

static void tell(struct informer *i, enum informer_event event, const struct object *now, const struct object *old)
{
    if (!i->config.handler)
        return;
    i->telling = true;
    i->config.handler(i->config.data, event, now, old);
    i->telling = false;
}

static void tell_change(struct informer *i, const struct object *now, const struct object *old)
{
    if (old && !object_same_uid(now, old)) {
        tell(i, INFORMER_DELETED, old, NULL);
        old = NULL;
    }
    tell(i, old ? INFORMER_UPDATED : INFORMER_ADDED, now, old);
}

static void forget(struct informer *i, struct object *old)
{
    if (!old)
        return;
    struct object *kept = object_ref(old);
    store_remove(&i->store, old);
    tell(i, INFORMER_DELETED, kept, NULL);
    object_unref(kept);
}

static void take(struct informer *i, struct object *now, struct object *old)
{
    if (old && object_same(now, old)) {
        object_unref(now);
        return;
    }
    struct object *kept_old = old ? object_ref(old) : NULL, *kept = object_ref(now);
    store_put(&i->store, now);
    tell_change(i, kept, kept_old);
    object_unref(kept);
    object_unref(kept_old);
}

static void on_event(void *data, enum watch_type type, struct peek raw, const char *version)
{
    struct informer *i = data;
    struct identity id;
    struct object *now;
    if (i->metrics)
        metrics_add(i->m.events[type], 1);
    if (!identify(raw, &id)) {
        struct error err;
        (void)error_set(&err, ERROR_PARSE, "an event for an object without a name");
        complain(i, raw, &err);
        return;
    }
    struct object *old = store_get(&i->store, id.namespace_, id.name);
    if (old && resource_version_older(version, old->meta.resource_version)) {
        i->outdated++;
    } else if (type == WATCH_DELETED) {
        forget(i, old);
    } else {
        enum verdict verdict = decode(i, raw, &now);
        if (verdict == WANTED)
            take(i, now, old);
        else if (verdict == UNWANTED)
            forget(i, old);
    }
}

/* ---- lists ---- */

static void on_list_begin(void *data)
{
    struct informer *i = data;
    map_clear(&i->fresh);
}

/* Unchanged objects stay the ones they are: a relist of fifty thousand costs no second copy of them. */
static void on_list_item(void *data, struct peek raw)
{
    struct informer *i = data;
    struct identity id;
    struct object *now;
    enum verdict verdict = decode(i, raw, &now);
    if (verdict == WANTED) {
        struct object *old = store_get(&i->store, now->meta.namespace_, now->meta.name);
        if (old && object_same(now, old)) {
            object_unref(now);
            now = object_ref(old);
        }
        store_put(&i->fresh, now);
    } else if (verdict == BAD && identify(raw, &id)) {
        struct object *old = store_get(&i->store, id.namespace_, id.name);
        if (old)
            store_put(&i->fresh, object_ref(old));
    }
}

static void on_list_end(void *data)
{
    struct informer *i = data;
    struct delivery *d = &i->delivery;
    assert(!d->active && d->before.count == 0);
    d->active = true;
    d->vanished_told = false;
    d->before = i->store;
    i->store = i->fresh;
    store_init(&i->fresh);
    d->at = map_iter(&d->before);
    deliver(i);
}

/* One step of the difference; false when there is no more. */
static bool deliver_one(struct informer *i)
{
    struct delivery *d = &i->delivery;
    const struct map_entry *e;
    if (!d->vanished_told) {
        e = map_next(&d->before, &d->at);
        if (e && !map_get(&i->store, e->key)) {
            tell(i, INFORMER_DELETED, e->value, NULL);
            (void)map_remove(&d->before, e->key);
        }
        if (e)
            return true;
        d->vanished_told = true;
        d->at = map_iter(&i->store);
    }
    e = map_next(&i->store, &d->at);
    if (!e)
        return false;
    const struct object *old = map_get(&d->before, e->key);
    if (old != e->value)
        tell_change(i, e->value, old);
    (void)map_remove(&d->before, e->key); /* here, so that the end has nothing left to free at once */
    return true;
}

static void deliver(void *data)
{
    struct informer *i = data;
    for (unsigned n = 0; n < SLICE_KEYS && (n % 16 != 15 || loop_spent_us(i->loop) < LOOP_BUDGET_US); n++) {
        if (deliver_one(i))
            continue;
        map_done(&i->delivery.before);
        store_init(&i->delivery.before);
        i->delivery.active = false;
        bool first = !i->synced;
        i->synced = true;
        reflector_watch(i->reflector);
        publish(i);
        if (first && i->config.on_synced)
            i->config.on_synced(i->config.data);
        return;
    }
    loop_timer_arm(&i->delivery.timer, 0);
}
