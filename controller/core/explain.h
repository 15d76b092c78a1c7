/* Words for what the core decides: the closed lists of reasons and limits (documented in docs/decisions.md,
 * stable), and the one sentence. Shared by status, events, conditions, the offline tools and the tests. */
#ifndef CORE_EXPLAIN_H
#define CORE_EXPLAIN_H

#include "base/buf.h"
#include "core/step.h"

const char *core_direction_name(enum core_direction direction); /* "Hold" "Up" "Down" */
const char *core_reason_name(enum core_reason reason);          /* "WithinTarget" ... */
const char *core_limit_name(enum core_limit limit); /* "Tolerance" "ScaleUpStabilized" "ScaleUpLimit" ... */
const char *core_metric_state_name(enum core_metric_state state);

/* Writes plan->message from the rest of the plan, e.g.
 *   "Scaled up 4 -> 6: cpu will need 2.9 cores within 3 min (forecast, 90 % sure), 0.5 per pod."
 *   "Holding 6: need is 3, but the highest need of the last 5 min was 6 (scale-down stabilisation)." */
void core_explain(const struct core_spec *spec, const struct core_observation *observation,
                  struct core_plan *plan);

#endif
