/* Leader election by Lease, and the write fence: 15 s duration, 10 s renew deadline, 2 s retry.
 *
 * Only our own observation time counts, never the record's clock: a lease is expired when its record has not
 * changed for the record's duration on our CLOCK_BOOTTIME. Renewal has its own connection and the highest
 * loop priority; it is retried every `retry` until the fence closes.
 *
 * The fence: a write is allowed while now < (time before sending the last successful renewal) + renew
 * deadline, on CLOCK_BOOTTIME read at that moment, so that a process which was stopped or suspended finds it
 * closed before it writes anything. With a write timeout of 4 s none can be in flight when another leader may
 * start (lease - renew > 4 s).
 *
 * A lost lease is final for the process: `on_lost`, then exit; the object does not stand for election again.
 */
#ifndef KUBE_LEADER_H
#define KUBE_LEADER_H

#include "kube/client.h"

struct leader_config {
    const char *namespace_, *name;        /* copied */
    const char *identity;                 /* unique per process start: hostname_uuid; copied */
    int64_t lease_us, renew_us, retry_us; /* 0: 15 s, 10 s, 2 s; validated: lease > renew > retry x 1.2 */
    /* None of these may free the leader. */
    void (*on_started)(void *data); /* we lead */
    void (*on_lost)(void *data);    /* we led and don't any more: stop at once. Exactly once; not after a release */
    void (*on_new_leader)(void *data,
                          const char *identity); /* each change of holder that is seen, ours too; may be NULL */
    void *data;
};

struct leader;

/* From here on the client's fence is ours: nothing but the Lease is written before we lead. ERROR_CONFIG for
 * durations that don't fit. `rng`, `log`, `metrics` and `client` outlive the leader. */
struct leader *leader_new(struct kube_client *client, const struct leader_config *config, struct log *log,
                          struct metrics *metrics, struct rng *rng, struct error *err);
/* Without release; the client's fence stays closed. */
struct leader *leader_free(struct leader *l);
void leader_start(struct leader *l);
bool leader_is_leader(const struct leader *l);
/* now < the fence's deadline. */
bool leader_may_write(const struct leader *l);
/* Closes the fence, gives the lease back (empty holder) if it is ours, and calls `done` once on a later turn,
 * whatever came of it, within 4 s. All other work must have stopped. */
void leader_release(struct leader *l, void (*done)(void *data), void *data);
/* For /livez: false when we lead, or led, and the last renewal is older than lease + 20 s. */
bool leader_healthy(const struct leader *l);
/* The holder that was seen last, "" when none; borrowed until the next turn. */
const char *leader_holder(const struct leader *l);

#endif
