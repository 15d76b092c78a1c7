/* What a trusted forecast says beyond the lead, so that one change of the count does the work of several.
 *
 * A count follows noise up and down, and a ramp in steps of a tenth. Both can be told from what comes next:
 *
 * - a raise that is due goes as far as the HPA would have gone within OUTLOOK_RAISE_S anyway, at most to
 *   OUTLOOK_MOST_PERCENT of the current count. One that is not due is not made.
 * - a reduction is held while there is an even chance that OUTLOOK_HOLD_S bring back a need of nearly the current
 *   count: what is given back now would be fetched again. It ends when that is no longer so; the HPA's windows have
 *   run on in the meantime.
 *   One for which the scale-down window still asks for nearly the current count is held as well: a falling load would
 *   be followed pod by pod, with a change at every sync. What the policies permit of a larger one is taken.
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

#include "core/step.h"

#define OUTLOOK_RAISE_S      1200
#define OUTLOOK_HOLD_S       1800
#define OUTLOOK_MOST_PERCENT 130
#define OUTLOOK_SLACK        1.15

/* Asks them, where `need` makes a change of `count` due: fills plan->ahead with the replicas that the time ahead will
 * ask for with an even chance, -1 where nothing is known. The plan's bounds, metrics and anomaly are there already. */
void outlook_ask(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation,
                 int32_t count, int32_t need, struct core_plan *plan);
/* How far to raise, where `need` > `current` > 0; `ahead` is plan->ahead. */
int32_t outlook_raise(int32_t current, int32_t need, int32_t ahead);
/* `count` is so near to `current`, or above it, that a reduction to it is not worth while. */
bool outlook_nearly(int32_t current, int32_t count);
/* Where to stop a reduction to `lowered` < `current`; the scale-down window asks for `stabilized`, the policies may
 * have stopped it above that. */
int32_t outlook_hold(int32_t current, int32_t stabilized, int32_t lowered, int32_t ahead);

#endif
