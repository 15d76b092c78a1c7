/* Imports history: `kubectl ai4k8s backfill` leaves a PredictiveAutoscalerCheckpoint of part Backfill named
 * `<name>-backfill`; the leader validates it, puts its samples behind the autoscaler's history where that has
 * none, deletes the object and says what it did in an event on the autoscaler. Bad data: a Warning event with
 * the reason, and the object is deleted too (it would never become good).
 *
 * An object (UID) is taken in once: a deletion that fails is tried again, with back-off, until the object is
 * gone. At most BACKFILL_MAX_WAITING wait for an autoscaler that has no state yet; of more, the newest are
 * rejected. */
#ifndef RECONCILE_BACKFILL_H
#define RECONCILE_BACKFILL_H

#include "core/step.h"
#include "kube/informer.h"
#include "kube/recorder.h"

#define BACKFILL_MAX_WAITING 64 /* each is kept whole: up to 80 KB */

struct backfill;
struct backfill_config {
    const char *const *namespaces; /* NULL: all */
    /* The live state of an autoscaler by key; NULL: not there (yet): the import waits. */
    struct core_state *(*state)(void *data, const char *key);
    /* The UID of that autoscaler; NULL: there is none. */
    const char *(*uid)(void *data, const char *key);
    /* The lead in use of that autoscaler: what is imported is judged at it. */
    uint32_t (*lead_s)(void *data, const char *key);
    /* Told after an import, so that the autoscaler is looked at and its checkpoint written soon. */
    void (*imported)(void *data, const char *key, uint32_t samples);
    void *data;
};
struct backfill *backfill_new(struct kube_client *client, const struct backfill_config *config,
                              struct recorder *recorder, struct log *log, struct metrics *metrics);
struct backfill *backfill_free(struct backfill *b);
void backfill_start(struct backfill *b);
bool backfill_synced(const struct backfill *b);
void backfill_pause(struct backfill *b, bool paused); /* nothing is done while paused (not leading) */
/* An autoscaler has just got its state: what waited for it is looked at again. */
void backfill_ready(struct backfill *b, const char *key);

#endif
