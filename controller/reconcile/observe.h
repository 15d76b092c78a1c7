/* What was seen, in the core's words: pods and their usage become a core_observation. Storage is reused from
 * sync to sync. */
#ifndef RECONCILE_OBSERVE_H
#define RECONCILE_OBSERVE_H

#include "core/step.h"
#include "reconcile/claims.h"
#include "sources/pod_metrics.h"
#include "sources/pods.h"
#include "sources/targets.h"

enum observed_resource { OBSERVE_CPU, OBSERVE_MEMORY };
struct observed {
    enum observed_resource resource;
    char container[64]; /* "": the whole pod */
};

struct observer {
    const struct pod **selected;
    size_t selected_cap;
    struct core_pod *pods;
    struct core_pod_sample *samples; /* n_metrics x n_pods */
    size_t pods_cap, samples_cap;
    /* Of the last look; kind NONE: it is not so. */
    struct error lacking;   /* a measured pod lacks the container that a metric is about */
    struct error ambiguous; /* an autoscaler of another workload claims some of the pods */
};

void observer_done(struct observer *o);

struct observe_input {
    const struct core_spec *spec;
    const struct observed *observed; /* per metric of the spec */
    const struct pods *pods;
    const struct pod_metrics *usage;
    const char *namespace_;
    const struct selector *selector;
    const struct pod_claim *claim; /* of these pods */
    const struct target_scale *scale;
    bool usage_failed; /* the metrics API could not be asked: all metrics are errors */
    int64_t time_us;
    uint32_t metric_age_s, startup_s;
};

/* The observation borrows from the observer until the next call. */
void observer_look(struct observer *o, const struct observe_input *in, struct core_observation *ret);

/* Mean age in seconds of the samples of the last look, negative: there were none. */
double observer_sample_age_s(const struct observer *o, const struct core_observation *seen);

#endif
