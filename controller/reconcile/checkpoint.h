/* History that survives: the encoded core state in two PredictiveAutoscalerCheckpoint objects per autoscaler,
 * `<name>-history` (closed segments; rewritten when one closes) and `<name>-tail` (all the rest; every
 * interval with jitter). Names that would be too long are shortened with a hash of the whole.
 *
 * Loaded once per autoscaler, before its first decision. A checkpoint of another object (UID), another
 * version or a wrong checksum is discarded with the reason. Writes go through the process-wide bucket, above
 * it the interval stretches; oldest-written first. Nothing is written by a standby (the client's fence).
 * Objects of hand-written autoscalers are owned by them; those of annotated workloads carry the workload's
 * UID and are kept for 24 h after the autoscaler went, so that an annotation that comes back finds its
 * history. (When nobody saw it go: orphans.h.)
 */
#ifndef RECONCILE_CHECKPOINT_H
#define RECONCILE_CHECKPOINT_H

#include "core/step.h"
#include "kube/client.h"

/* How long the history of an annotated autoscaler is kept when it is gone. */
#define CHECKPOINT_KEEP_US (INT64_C(24) * 3600 * USEC_PER_SEC)

struct checkpoints_config {
    int64_t interval_us;      /* 600 s */
    double writes_per_second; /* 10 */
};

/* Whose state it is. Strings are borrowed for the call. */
struct checkpoint_owner {
    const char *namespace_, *name, *uid; /* the PredictiveAutoscaler */
    const char *target_kind, *target_name, *target_uid;
    bool annotated; /* history is kept 24 h and is bound to the target's UID */
};

struct checkpoints;
struct checkpoints *checkpoints_new(struct kube_client *client, const struct checkpoints_config *config,
                                    struct log *log, struct metrics *metrics, struct rng *rng);
struct checkpoints *checkpoints_free(struct checkpoints *c);

/* Reads both parts. `state` is given to the callback's receiver, or NULL with `note` saying why ("no
 * checkpoint", "discarded: checksum", ...); `err` only when the API could not be asked: ask again. */
typedef void checkpoint_loaded_fn(void *data, struct core_state *state, const char *note, const struct error *err);
int64_t checkpoints_load(struct checkpoints *c, const struct checkpoint_owner *owner, const struct core_spec *spec,
                         checkpoint_loaded_fn *done, void *data);
void checkpoints_cancel(struct checkpoints *c, int64_t id);

/* From now on the state is saved every interval. `state` is asked at that moment (it may have been replaced);
 * NULL: not now. */
void checkpoints_track(struct checkpoints *c, const char *key, const struct checkpoint_owner *owner,
                       const struct core_state *(*state)(void *data), void *data);
/* Something worth keeping came (an import): saved now instead of at the next interval. */
void checkpoints_save_soon(struct checkpoints *c, const char *key);
/* The autoscaler is gone: nothing more is written for it; an annotated one's objects are marked to expire in
 * 24 h. */
void checkpoints_untrack(struct checkpoints *c, const char *key, bool autoscaler_deleted);
/* SIGTERM: writes all tails, oldest first, until all are there, with what was being written before, or the budget is
 * used up. `done` exactly once. */
void checkpoints_flush(struct checkpoints *c, int64_t budget_us, void (*done)(void *data, size_t written, size_t left),
                       void *data);

#endif
