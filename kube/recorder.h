/* Events (events.k8s.io/v1) for people: one per transition, never per sync.
 *
 * Series: the same (type, reason, action, regarding, related) again within 6 min is a PATCH of series.count, not a new
 * object; refreshed every 30 min; forgotten after 6 min of silence. Token bucket per regarding object (burst 25, one per
 * 300 s), queue of 1000, 12 tries. The note is cleaned and cut to 1024 bytes. */
#ifndef KUBE_RECORDER_H
#define KUBE_RECORDER_H

#include "kube/client.h"

struct recorder;
struct object_ref {
    const char *api_version, *kind, *namespace_, *name, *uid; /* uid and namespace may be NULL */
};
enum event_type { EVENT_NORMAL, EVENT_WARNING };

struct recorder *recorder_new(struct kube_client *client, const char *controller /* "ai4k8s.io/operator" */,
                              const char *instance, struct log *log, struct rng *rng);
struct recorder *recorder_free(struct recorder *r);
/* `related` may be NULL. `reason` and `action` are UpperCamel constants. */
void recorder_event(struct recorder *r, const struct object_ref *regarding, const struct object_ref *related, enum event_type type,
                    const char *reason, const char *action, const char *note_fmt, ...) PRINTF_LIKE(7, 8);
size_t recorder_pending(const struct recorder *r); /* not yet written: drained on shutdown */

#endif
