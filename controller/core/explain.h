/* Words for what the core decides: the closed lists of reasons and limits (docs/decisions.md has each,
 * stable), the stages, the one sentence (condition.h has the conditions). Shared by status, events, the offline
 * tools and the tests. */
#ifndef CORE_EXPLAIN_H
#define CORE_EXPLAIN_H

#include "core/step.h"

const char *core_direction_name(enum core_direction direction); /* "Hold" "Up" "Down" */
const char *core_reason_name(enum core_reason reason);          /* "WithinTarget" ... */
const char *core_limit_name(enum core_limit limit);             /* one bit: "Tolerance" "ScaleUpStabilized" ... */

/* The names of all limits in `limits`, in the order of the pipeline. */
uint32_t core_limit_names(unsigned limits, const char *out[CORE_N_LIMITS]);

/* Fills plan->stages and plan->message from the rest of the plan, e.g.
 *   "Scaling up 4 -> 6: cpu may need 2.9 cores within 3 min (forecast, 90 % sure), a pod serves 0.5 cores."
 *   "Holding 6: cpu is at 30 % of the request, target 70 %; need is 3, but the highest need of the last 5 min
 * was 6." */
void core_explain(const struct core_spec *spec, struct core_plan *plan);

/* What the HPA says in an event: "cpu above target", "All metrics below target", ... */
void core_rescale_reason(const struct core_spec *spec, const struct core_plan *plan, char *out, size_t cap);

#endif
