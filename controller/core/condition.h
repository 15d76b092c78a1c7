/* What the conditions of an autoscaler say after a plan: those of an HPA with its reasons and messages, and ours. */
#ifndef CORE_CONDITION_H
#define CORE_CONDITION_H

#include "core/step.h"

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
/* ValidMetricFound, ScalingDisabled, FailedGetResourceMetric, AmbiguousSelector ... `detail`: what the query of
 * plan->failed_metric said, or why the selector is ambiguous; NULL: nothing. */
void core_condition_scaling_active(const struct core_spec *spec, const struct core_plan *plan, const char *detail,
                                   struct core_condition *out);
/* MetricUnavailable: a metric is unknown for so long that its fallback counts; MetricsAvailable; NoFallback. Ours, not
 * an HPA's. */
void core_condition_fallback(const struct core_spec *spec, const struct core_plan *plan, struct core_condition *out);
/* Anomaly, NoAnomaly, NotWatched */
void core_condition_anomaly(const struct core_spec *spec, const struct core_plan *plan, struct core_condition *out);
/* DesiredWithinRange, TooFewReplicas, TooManyReplicas, ScaleUpLimit, ScaleDownLimit */
void core_condition_scaling_limited(const struct core_spec *spec, const struct core_plan *plan,
                                    struct core_condition *out);

#endif
