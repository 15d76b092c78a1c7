/* Someone else writes spec.replicas too (decision rule 9).
 *
 * A count that is neither what we wrote last nor what we saw last is a foreign write: it is adopted as the
 * current count and we go on. One that moves back against our last write, within 10 minutes of it, undoes it.
 * Two of those within 10 minutes and the target is contended for 30 minutes, counted anew from every further
 * one: nothing is lowered, and raises go on with a hold-off between writes that doubles from 15 s to 5 min,
 * so that two writers don't chase each other. Snaps into [min, max] remain, under the same hold-off.
 */
#ifndef CORE_CONTENTION_H
#define CORE_CONTENTION_H

#include "base/base.h"

struct contention {
    bool known; /* `expected` is set */
    int32_t expected;
    int32_t from, to;      /* our last write; equal: none that could be undone */
    int64_t written_us;    /* when */
    int64_t undone_us;     /* the last undoing, 0: none */
    int64_t until_us;      /* contended until then, 0: not */
    int64_t hold_until_us; /* no write before */
    uint32_t hold_off_s;   /* the next one */
};

/* Nothing here lasts longer from now on than it could have from its beginning: for a clock that was set back. */
void contention_set_back(struct contention *c, int64_t now_us);
/* At every sync of an active autoscaler. Returns whether `live` is a foreign write. */
bool contention_observe(struct contention *c, int64_t now_us, int32_t live);
/* The live count is taken as it is: not active, or after a restart. */
void contention_adopt(struct contention *c, int32_t live);
void contention_applied(struct contention *c, int64_t now_us, int32_t from, int32_t to);

bool contention_active(const struct contention *c, int64_t now_us);
/* Seconds until a write is allowed, rounded up; 0: now. */
uint32_t contention_hold_s(const struct contention *c, int64_t now_us);

#endif
