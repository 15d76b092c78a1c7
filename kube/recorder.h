/* Events (events.k8s.io/v1) for people: one per transition, never per sync.
 *
 * Series: the same (type, reason, action, regarding, related) again within 6 min is a PATCH of series.count,
 * not a new object, and its note is not looked at; from the third on they are counted in memory, written
 * every 30 min, and once more after 6 min of silence, when the series is forgotten. Token bucket per
 * regarding object (burst 25, one per 300 s), queue of 1000, 12 tries 10 s apart for what did not reach the
 * server; what it refuses is dropped. The note is cleaned and cut to 1024 bytes. At most 4096 series are
 * remembered.
 *
 * Events pass the client's write fence: a standby writes none, and what it recorded is dropped.
 */
#ifndef KUBE_RECORDER_H
#define KUBE_RECORDER_H

#include "kube/client.h"

struct recorder;
struct object_ref {
    const char *api_version, *kind, *namespace_, *name, *uid; /* uid and namespace may be NULL (cluster-scoped) */
};
enum event_type { EVENT_NORMAL, EVENT_WARNING };

/* `controller`: "ai4k8s.io/operator"; `instance`: the pod's name, cut to 128 bytes. Both are copied. */
struct recorder *recorder_new(struct kube_client *client, const char *controller, const char *instance, struct log *log,
                              struct rng *rng);
struct recorder *recorder_free(struct recorder *r); /* what is pending is lost */
/* `related` may be NULL. `reason` and `action` are UpperCamel constants. Nothing is sent from inside. */
void recorder_event(struct recorder *r, const struct object_ref *regarding, const struct object_ref *related,
                    enum event_type type, const char *reason, const char *action, const char *note_fmt, ...)
    PRINTF_LIKE(7, 8);
/* The same for events whose note is the news ("New size: 6"): another note is another event, only the same
 * one again is a series. The object's budget holds for all of them. */
void recorder_event_each(struct recorder *r, const struct object_ref *regarding, const struct object_ref *related,
                         enum event_type type, const char *reason, const char *action, const char *note_fmt, ...)
    PRINTF_LIKE(7, 8);
/* Queues the counts that are only in memory, and lets nothing wait for another try any more: before a
 * shutdown. Then wait until recorder_pending() is 0, for as long as there is time. */
void recorder_flush(struct recorder *r);
size_t recorder_pending(const struct recorder *r); /* not yet written */
uint64_t recorder_dropped(
    const struct recorder *r); /* by a full queue, an empty budget, the fence, a refusal, or for good */

#endif
