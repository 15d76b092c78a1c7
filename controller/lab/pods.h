/* Pods for the core where only totals are known: as many as there are replicas, alike, the ready ones sharing the
 * total.
 *
 * A metric's total is split over the ready pods so that the sum in thousandths is the total: what does not divide goes,
 * one thousandth each, to the first pods. Ready pods have been ready for long. The others are pending, which is what
 * the HPA takes for unready whatever the metric is: left out of a scale-down, counted as idle before a scale-up.
 */
#ifndef LAB_PODS_H
#define LAB_PODS_H

#include "core/step.h"

/* What is known of one metric. */
struct lab_metric {
    enum sample_kind kind;
    int64_t total_milli;   /* over all pods */
    int64_t request_milli; /* per pod, < 0: none */
    int64_t limit_milli;   /* per pod, <= 0: none */
};

struct lab_pods {
    struct core_pod *pods;
    struct core_pod_sample *samples; /* cap for each metric */
    uint32_t cap, n_metrics;
};

void lab_pods_done(struct lab_pods *p);

/* What a sync at `time_us` sees. `metrics` has an entry per metric of the spec. The arrays are `p`'s: good until the
 * next call. */
struct core_observation lab_pods_observe(struct lab_pods *p, const struct core_spec *spec, int64_t time_us,
                                         int32_t replicas, int32_t ready, const struct lab_metric *metrics);

#endif
