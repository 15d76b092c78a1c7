/* An autoscaler's situation in small numbers: what an advisor may be told of a plan, and nothing that names anybody.
 *
 * Percentages are rounded to 5 and the lead to 30 s, so that autoscalers in like situations ask the same question and
 * share its answer.
 */
#ifndef CORE_SITUATION_H
#define CORE_SITUATION_H

#include "core/step.h"

/* To the next multiple of 5; what is not a number is not known (-1). */
int32_t situation_percent(double percent);
/* Where the metric stands against its target, by the spec's tolerances. `metric` -1: none is known, which is within. */
enum advice_side situation_side(const struct core_spec *spec, const struct core_plan *plan, int32_t metric);

/* What a step knows anyway: all but the forecast's peak and the growth, which stay unknown (-1). `metric`: the
 * one that decides, -1: none. */
void situation_of(const struct core_spec *spec, const struct core_observation *observation,
                  const struct core_plan *plan, int32_t metric, double error_percent, struct advice_situation *ret);

/* Peak and growth of the metric that is forecast, for a question that is really asked: some 50 us. */
void situation_complete(const struct core_spec *spec, struct core_state *state, const struct core_plan *plan,
                        struct advice_situation *s);

#endif
