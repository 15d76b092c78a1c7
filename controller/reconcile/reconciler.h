/* The reconcile loop: one record per PredictiveAutoscaler, synced every `syncPeriodSeconds`.
 *
 * A sync: read the target -> (first time: load the checkpoint) -> refresh the pods' usage -> core_step ->
 * when it says so and no one else owns the target: GET /scale, PATCH /scale preconditioned on it -> events,
 * status. Everything is asynchronous; a record has at most one sync under way. Syncs run only while this
 * process leads and all caches are synced.
 */
#ifndef RECONCILE_RECONCILER_H
#define RECONCILE_RECONCILER_H

#include "advisor/advisor.h"
#include "api/config.h"
#include "kube/client.h"
#include "kube/recorder.h"

struct reconciler_config {
    const char *const *namespaces; /* NULL: all */
    const struct operator_config *config;
    struct recorder *recorder;
    struct advisor *advisor; /* NULL: none is configured */
};

struct reconciler;
struct reconciler *reconciler_new(struct kube_client *client, const struct reconciler_config *config, struct log *log,
                                  struct metrics *metrics, struct rng *rng);
struct reconciler *reconciler_free(struct reconciler *r);
void reconciler_start(struct reconciler *r); /* the caches begin to fill */
bool reconciler_synced(const struct reconciler *r);
/* What is not synced and why, for /readyz; "" when all is. */
void reconciler_unsynced(const struct reconciler *r, struct buf *out);
/* We lead: syncs begin as soon as the caches are synced. */
void reconciler_lead(struct reconciler *r);
/* No new sync, and what is under way is given up, but for scales that are being written: their answers belong into
 * the checkpoints and are waited for, as long as such a request may take. Then checkpoints are saved, all of it within
 * the budget, and `done` is called. */
void reconciler_stop(struct reconciler *r, int64_t budget_us, void (*done)(void *data), void *data);

#endif
