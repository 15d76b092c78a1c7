/* Leader election by Lease, and the write fence: 15 s duration, 10 s renew deadline, 2 s retry.
 *
 * Only our own observation time counts, never the record's clock. Renewal has its own connection and the highest loop
 * priority. The fence: a write is allowed while now < (time before sending the last successful renewal) + renew deadline,
 * on CLOCK_BOOTTIME; with a write timeout of 4 s none can be in flight when another leader may start. A lost lease is
 * final for the process: `on_lost` and exit.
 */
#ifndef KUBE_LEADER_H
#define KUBE_LEADER_H

#include "kube/client.h"

struct leader_config {
    const char *namespace_, *name;
    const char *identity; /* unique per process start: hostname_uuid */
    int64_t lease_us, renew_us, retry_us; /* 0: 15 s, 10 s, 2 s; validated: lease > renew > retry x 1.2 */
    void (*on_started)(void *data); /* we lead */
    void (*on_lost)(void *data);    /* we led and don't any more: stop at once */
    void (*on_new_leader)(void *data, const char *identity); /* may be NULL */
    void *data;
};

struct leader;
struct leader *leader_new(struct kube_client *client, const struct leader_config *config, struct log *log, struct metrics *metrics,
                          struct rng *rng, struct error *err);
struct leader *leader_free(struct leader *l); /* without release */
void leader_start(struct leader *l);
bool leader_is_leader(const struct leader *l);
/* now < the fence's deadline. */
bool leader_may_write(const struct leader *l);
/* Gives the lease back (empty holder) and calls `done` once, whatever came of it, within 4 s. */
void leader_release(struct leader *l, void (*done)(void *data), void *data);
/* For /livez: false when we lead and the last renewal is older than lease + 20 s. */
bool leader_healthy(const struct leader *l);

#endif
