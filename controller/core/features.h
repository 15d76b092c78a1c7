/* What the regression sees of a series: thirteen numbers for a target slot t, all known at the origin o (the first slot
 * that is not closed), each a difference to the season's profile P(t), so that the model neither knows nor cares for
 * units.
 *
 * Season m slots, k = 1, 2 ... up to FEATURES_SEASONS past seasons whose slot t - k m is held and before o:
 *
 *     P(t)   mean over k of y around t - k m, smoothed over m / 144 slots to each side
 *     0      mean of the ring - P(t)                        shrinks the profile towards the level
 *     1, 2   mean and median over k of y[t - k m] - P(t)    profiles that keep sharp edges, or ignore one odd day
 *     3..6   deviation of the last 1, 6, 24, 72 slots (of 288) from their own profile: the level now, and, by their
 *            differences, recent growth beyond what the season explains
 *     7, 8   the last season's slot, as it is and smoothed, - P(t)
 *     9      last value - mean of the ring                  for series without a season
 *     10     the same phase of a shorter period - P(t)      0 where none was found
 *     11     W(t) - P(t): the same time of the week, mean over the past two weeks (or the one that is held), smoothed
 *            over m / 48 slots to each side                 0 while less than a week is held
 *     12     mean of W - P over the last 24 slots (of 288)  what of 3..6 is the weekday's
 *
 * The deviations are exponential means, taken forward with each closed slot: with one season in the ring, yesterday's
 * profile of a slot is gone as soon as the slot is closed.
 */
#ifndef CORE_FEATURES_H
#define CORE_FEATURES_H

#include "core/series.h"

#define FEATURES         13
#define FEATURES_SEASONS 7
#define FEATURES_WINDOWS 4
#define FEATURES_WEEKS   2

/* What repeats, in slots; 0: none. */
struct features_cycles {
    uint32_t season;
    uint32_t shorter; /* a period inside the season */
    uint32_t week;    /* seven seasons, where the season is a day */
};

/* The level now against the profile. */
struct features_now {
    float dev[FEATURES_WINDOWS]; /* exponential means of y - P over 1, 6, 24, 72 slots of 288 */
    float week;                  /* exponential mean of W - P over 24 slots */
    float level[2];              /* exponential means of y over 3 and 24 slots, for series without a season */
    float usual;                 /* mean size of a slot's deviation */
    float last;                  /* the last value */
    uint32_t seen;               /* values taken in, saturating at 2^16 */
    uint32_t gap;                /* slots since the last value, saturating */
};

struct features {
    double profile; /* P(t) */
    double x[FEATURES];
    uint32_t seasons; /* past seasons that P(t) has seen; 0: nothing of the above is defined */
    uint32_t weeks;   /* held; 0: no weekly terms */
};

/* Takes slot `next` of the series in, before it is pushed. */
void features_close(struct features_now *now, const struct series *s, const struct features_cycles *c, float value);

void features_at(struct features *f, const struct features_now *now, const struct series *s,
                 const struct features_cycles *c, int64_t target);

#endif
