/* What a trusted forecast says beyond the lead, so that one change of the count does the work of several.
 *
 * A count follows noise up and down, and a ramp in steps of a tenth. Both can be told from what comes next:
 *
 * - a raise that is due goes as far as the HPA would have gone within OUTLOOK_RAISE_S anyway, at most to
 *   OUTLOOK_MOST_PERCENT of the current count. One that is not due is not made.
 * - a reduction is held while there is an even chance that OUTLOOK_HOLD_S bring back a need of nearly the current
 *   count: what is given back now would be fetched again. It ends when that is no longer so; the HPA's windows have
 *   run on in the meantime.
 *
 * "The need" is what the HPA makes of a demand, demand / target, and what the driving quantile makes of it, (demand +
 * its margin) / capacity. "Nearly" is OUTLOOK_SLACK: pods that are a few percent too many cost less than to lower and
 * raise.
 *
 * Both only add replicas to what would be otherwise (I8), and stay within the bounds. With several metrics, the highest
 * of those whose forecasts are trusted counts.
 */
#ifndef CORE_OUTLOOK_H
#define CORE_OUTLOOK_H

#include "core/demand.h"

#define OUTLOOK_RAISE_S      1200
#define OUTLOOK_HOLD_S       1800
#define OUTLOOK_MOST_PERCENT 130
#define OUTLOOK_SLACK        1.15

struct outlook_metric {
    struct demand *demand;
    double target, capacity; /* of a pod, in the metric's unit; 0: not known */
    double margin;           /* of the driving quantile over what is expected */
};

/* Replicas that `ahead_s` will ask for with an even chance; -1: not known. */
int32_t outlook_need(const struct outlook_metric *metric, int64_t now_us, uint32_t lead_s, uint32_t ahead_s,
                     bool with_margin);
/* How far to raise, where `need` > `current` > 0; `ahead` as above, or -1. */
int32_t outlook_raise(int32_t current, int32_t need, int32_t ahead);
/* Where to stop a reduction to `lowered` < `current`. */
int32_t outlook_hold(int32_t current, int32_t lowered, int32_t ahead);

#endif
