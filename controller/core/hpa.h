/* The reactive need of one metric, and of all: HPA v2 to the letter.
 *
 * Follows k8s.io/kubernetes v1.36 pkg/controller/podautoscaler: replica_calculator.go (grouping of pods,
 * ratio, tolerance, the second pass over missing and unready pods), metrics/utilization.go (integer percent,
 * integer means) and computeReplicasForMetrics in horizontal.go. Integer divisions truncate where the HPA's
 * do, so that counts are equal.
 *
 * Equal except where the HPA's own integers overflow (a ratio beyond 2^31 pods, a policy value near 2^31,
 * sums beyond 2^63): there it wraps to nonsense and scales down under the highest load; we saturate.
 *
 * Ours on top: a sample older than max(90 s, 3 windows) counts as absent, so that its pod is a missing one;
 * and when all are, the metric is. And the question what it would propose if fewer pods ran (core/loan.h): the demand
 * is the same, fewer share it; pods that do not serve are the first to be thought away, as a workload that shrinks
 * drops them first.
 */
#ifndef CORE_HPA_H
#define CORE_HPA_H

#include "core/step.h"

struct hpa_proposal {
    enum core_problem problem; /* != NONE: there is no proposal */
    int32_t replicas;
    int32_t bare;          /* what the ratio of those that serve asks for: no tolerance, no unready or missing pods */
    bool within_tolerance; /* the tolerance is why `replicas` is the current count */
    int32_t percent;       /* utilisation, -1: the target is another */
    int64_t milli;         /* mean per pod, or the value: what the HPA shows */
    uint32_t ready, unready, missing, ignored; /* per-pod kinds: pods by group */
};

struct hpa_proposal hpa_propose(const struct core_spec *spec, const struct core_metric_spec *metric,
                                const struct core_observation *observation,
                                const struct core_metric_observation *measured);

/* The same if `count` pods (>= 1) ran and no more. What is shown of the metric (percent, milli, pods by group) stays
 * what is seen. A `Value` target says nothing of how it would be then: it raises as it does now, and lowers only where
 * it would if it were shared like a demand. */
struct hpa_proposal hpa_propose_for(const struct core_spec *spec, const struct core_metric_spec *metric,
                                    const struct core_observation *observation,
                                    const struct core_metric_observation *measured, int32_t count);

struct hpa_need {
    int32_t bare;     /* the highest of them; -1: none */
    int32_t replicas; /* >= 0; -1: do nothing: all failed, or some did and the rest says down */
    int32_t metric;   /* whose it is, -1: none */
    int32_t failed;   /* the first that has a problem, -1: none */
};
struct hpa_need hpa_combine(const struct hpa_proposal *proposals, uint32_t n, int32_t spec_replicas);

/* Whether a sample is too old to count (decision rule 2). */
bool hpa_stale(int64_t now_us, int64_t time_us, int64_t window_us);

#endif
