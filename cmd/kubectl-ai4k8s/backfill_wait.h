/* What became of a backfill: the operator deletes the object when it has taken it in, or refused it, and says which in
 * an event. */
#ifndef PLUGIN_BACKFILL_WAIT_H
#define PLUGIN_BACKFILL_WAIT_H

#include "cluster.h"

enum backfill_outcome_kind {
    BACKFILL_LEFT,    /* nobody waited */
    BACKFILL_WAITING, /* the time is over, the object is still there */
    BACKFILL_IMPORTED,
    BACKFILL_REJECTED,
    BACKFILL_GONE, /* the object is gone, no event says why */
};
struct backfill_outcome {
    enum backfill_outcome_kind kind;
    char note[600]; /* a sentence for people */
};
const char *backfill_outcome_name(enum backfill_outcome_kind kind); /* "Left" "Waiting" ... */

/* `timeout_s` 0: does not wait. */
int backfill_wait(struct cluster *c, const struct object_meta *autoscaler, const struct object_meta *object,
                  int64_t timeout_s, struct backfill_outcome *ret, struct error *err);

#endif
