/* The global shrink budget: across all targets at most max(5, 10 % of them) are lowered within any minute
 * (the 5 is shrinksPerMinute of the operator's configuration), so that no
 * mistake that all decisions share (a metrics server that lies, a bad forecast) empties a cluster before a person sees
 * it.
 *
 * A target asks right before it would be written. Whoever waits longest comes first: a younger one is refused as long
 * as the older ones that still ask would take what is left. After a takeover nothing is lowered for a minute. This
 * belongs to the executor: no plan depends on it, and raising never asks.
 */
#ifndef RECONCILE_SHRINK_H
#define RECONCILE_SHRINK_H

#include "base/list.h"
#include "base/map.h"

#define SHRINK_PERCENT 10
#define SHRINK_MAX     1024 /* a minute at most, however many targets there are */

struct shrink {
    struct map waiting;  /* key -> who was refused and has not got through yet */
    struct list order;   /* the same, longest waiting first */
    int64_t *granted_us; /* SHRINK_MAX entries: a ring of the newest grants */
    uint32_t first, n;
    uint32_t least; /* a minute, however few targets there are */
    int64_t closed_until_us;
};

void shrink_init(struct shrink *s, uint32_t least); /* 1 to SHRINK_MAX */
void shrink_done(struct shrink *s);

/* A takeover: the budget begins empty. All times are CLOCK_BOOTTIME. */
void shrink_empty(struct shrink *s, int64_t now_us);

/* Whether `key` may be lowered now; it counts when it may. One that is refused asks again within `patience_us`, or
 * loses its place until it does. `n_targets`: how many there are now. */
bool shrink_ask(struct shrink *s, const char *key, int64_t now_us, int64_t patience_us, size_t n_targets);
/* What was granted at `granted_us` was not written after all. */
void shrink_refund(struct shrink *s, int64_t granted_us);
/* `key` does not want to be lowered any more. */
void shrink_leave(struct shrink *s, const char *key);

size_t shrink_waiting(const struct shrink *s);

#endif
