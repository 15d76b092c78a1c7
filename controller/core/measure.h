/* What a metric says of the demand: the number that is forecast, and what one pod serves of it (decision
 * rules 1, 2, 6 and 11). Demand is in the metric's unit: cores, requests per second. */
#ifndef CORE_MEASURE_H
#define CORE_MEASURE_H

#include "core/step.h"

/* Per-pod metrics: mean over the ready pods that have a sample x ready pods; no data when fewer than 80 % of
 * them have one. A CPU sample that reaches back before the pod was ready is none: it measures the start.
 * Censored when at least a quarter of the pods with a sample use 95 % of their limit or more: then the sum is
 * a lower bound. Totals: the value itself. Stale samples are no data. */
struct sample measure_demand(const struct core_metric_spec *metric, const struct core_observation *observation,
                             const struct core_metric_observation *measured);

/* What a pod serves: `capacityPerPod`; else for a utilisation the larger of the target and the limit (without
 * a limit: of the request), in the mean over the pods; else target / 0.7. 0: not known. */
double measure_capacity(const struct core_metric_spec *metric, const struct core_observation *observation,
                        const struct core_metric_observation *measured);

/* What the HPA wants of a pod: the target, in the metric's unit. 0: not known. */
double measure_target(const struct core_metric_spec *metric, const struct core_observation *observation,
                      const struct core_metric_observation *measured);

#endif
