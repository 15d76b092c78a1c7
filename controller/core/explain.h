/* Words for what the core decides: the closed lists of reasons and limits (docs/decisions.md has each,
 * stable), the stages, the one sentence, and the conditions of the HPA. Shared by status, events, the offline
 * tools and the tests. */
#ifndef CORE_EXPLAIN_H
#define CORE_EXPLAIN_H

#include "core/step.h"

const char *core_direction_name(enum core_direction direction);   /* "Hold" "Up" "Down" */
const char *core_reason_name(enum core_reason reason);            /* "WithinTarget" ... */
const char *core_limit_name(enum core_limit limit);               /* one bit: "Tolerance" "ScaleUpStabilized" ... */
const char *core_metric_state_name(enum core_metric_state state); /* "Normal" "Stale" "Missing" */
const char *core_problem_text(enum core_problem problem);         /* "no ready pod has a sample" ... */

/* The names of all limits in `limits`, in the order of the pipeline. */
uint32_t core_limit_names(unsigned limits, const char *out[CORE_N_LIMITS]);

/* Fills plan->stages and plan->message from the rest of the plan, e.g.
 *   "Scaling up 4 -> 6: cpu may need 2.9 cores within 3 min (forecast, 90 % sure), a pod serves 0.5 cores."
 *   "Holding 6: cpu is at 30 % of the request, target 70 %; need is 3, but the highest need of the last 5 min
 * was 6." */
void core_explain(const struct core_spec *spec, struct core_plan *plan);

/* What the HPA says in an event: "cpu above target", "All metrics below target", ... */
void core_rescale_reason(const struct core_spec *spec, const struct core_plan *plan, char *out, size_t cap);

/* The conditions of an HPA, with its reasons, as a plan leaves them. `known` false: the HPA leaves the
 * condition as it was. */
struct core_condition {
    bool known;
    bool status;
    const char *reason;
    char message[300];
};
/* SucceededGetScale, ReadyForNewScale, ScaleUpStabilized, ScaleDownStabilized */
void core_condition_able_to_scale(const struct core_plan *plan, struct core_condition *out);
/* After the write: SucceededRescale; or FailedUpdateScale when `failure` says why. */
void core_condition_rescaled(const struct core_plan *plan, const char *failure, struct core_condition *out);
/* ValidMetricFound, ScalingDisabled, FailedGetResourceMetric ... `detail`: what the query of
 * plan->failed_metric said, NULL: nothing. */
void core_condition_scaling_active(const struct core_spec *spec, const struct core_plan *plan, const char *detail,
                                   struct core_condition *out);
/* MetricUnavailable: a metric is unknown for so long that its fallback counts; MetricsAvailable; NoFallback. Ours, not
 * an HPA's. */
void core_condition_fallback(const struct core_spec *spec, const struct core_plan *plan, struct core_condition *out);
/* DesiredWithinRange, TooFewReplicas, TooManyReplicas, ScaleUpLimit, ScaleDownLimit */
void core_condition_scaling_limited(const struct core_spec *spec, const struct core_plan *plan,
                                    struct core_condition *out);

#endif
