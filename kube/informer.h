/* A cache of one kind of object, kept in step by LIST + WATCH (reflector.h), with a handler: client-go's
 * Informer.
 *
 * The first list is consistent (resourceVersion unset), so that a restarted process never travels back in
 * time; relists are at least as fresh as what was seen. Bookmarks, resume after any cut, in-stream 410, too
 * large resource version, back-off 800 ms .. 30 s, watches of 5..10 min on a connection of their own with a
 * client-side deadline. A relist replaces the store at once and reports what vanished as deleted. Absence in
 * a list that failed is never a deletion.
 *
 * Objects are decoded at once by the user's `decode` into a compact immutable struct that embeds `struct
 * object` first.
 *
 * What a handler may rely on: per key, the states it sees are a subsequence of the object's true states, in
 * order; an update never reports the same resourceVersion twice; "updated" is always the same object (uid): a
 * name that was deleted and created anew is reported as DELETED, then ADDED. Like anything level-triggered it
 * should look at the store, not add up events.
 *
 * Metrics, each with the labels resource and namespace: reflector_lists_total, reflector_watches_total,
 * reflector_watch_events_total{type}, reflector_errors_total, reflector_undecodable_total, reflector_items,
 * reflector_last_event_timestamp_seconds (age = time() - it).
 */
#ifndef KUBE_INFORMER_H
#define KUBE_INFORMER_H

#include "base/backoff.h"
#include "kube/client.h"
#include "kube/reflector.h"
#include "kube/store.h"

enum informer_event { INFORMER_ADDED, INFORMER_UPDATED, INFORMER_DELETED };

struct informer_config {
    const struct resource *resource;             /* borrowed for the informer's life */
    const char *namespace_;                      /* NULL: all */
    const char *label_selector, *field_selector; /* NULL: none */
    size_t page_size;                            /* 0: 500 */
    bool metadata_only;                          /* ask for PartialObjectMetadata */
    /* Gives an object with refs == 1 and its meta decoded, or NULL: with err set the object is skipped,
     * counted and logged once per uid, and what the store had of it stays (a bad one must not stop the
     * others); without err it is not wanted, and leaves the store if it was there. `raw` is the item's JSON,
     * `len` bytes, not terminated. */
    struct object *(*decode)(void *data, const char *raw, size_t len, struct error *err);
    /* On every change of the store. ADDED: `old` NULL; DELETED: `now` is the last known state, `old` NULL.
     * Called for each object of the first list too, before synced. Borrowed for the call: object_ref() keeps
     * one. It must not free the informer. NULL: none. */
    void (*handler)(void *data, enum informer_event event, const struct object *now, const struct object *old);
    void (*on_synced)(void *data); /* once, after the handler has seen the first complete list; may be NULL */
    void *data;
    const struct backoff_config *backoff; /* NULL: backoff_reflector; tests use a fast one */
    int64_t watch_timeout_s;              /* 0: uniform random in [300, 600] */
    struct rng *rng;                      /* of the jitter; NULL: its own, seeded by the kernel */
};

struct informer;
struct informer *informer_new(struct kube_client *client, const struct informer_config *config, struct log *log,
                              struct metrics *metrics);
struct informer *informer_free(struct informer *i); /* stops; drops the store; no handler is called */
void informer_start(struct informer *i);

bool informer_synced(const struct informer *i);
/* Time since the last event, bookmark or list; for readiness. INT64_MAX before the start. Bookmarks come
 * every minute. */
int64_t informer_age_us(const struct informer *i);
/* Why the last list or watch failed; NULL when all is well. A forbidden one says which permission is missing.
 */
const struct error *informer_error(const struct informer *i);

const struct object *informer_get(const struct informer *i, const char *namespace_,
                                  const char *name); /* borrowed until the next turn */
size_t informer_count(const struct informer *i);
/* Calls `fn` for every object (of one namespace when not NULL); it must not free the informer. */
void informer_each(const struct informer *i, const char *namespace_, void (*fn)(void *data, const struct object *o),
                   void *data);

struct informer_stats {
    struct reflector_stats reflector;
    uint64_t undecodable; /* items and events that decode() refused */
    uint64_t outdated;    /* events that were older than the object in the store */
};
struct informer_stats informer_stats(const struct informer *i);

#endif
