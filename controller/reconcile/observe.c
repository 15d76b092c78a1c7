/* From watched pods and fetched usage to the core's observation; see observe.h. */
#include "reconcile/observe.h"

#include "base/alloc.h"

#include <stdlib.h>

void observer_done(struct observer *o)
{
    free(o->selected);
    free(o->pods);
    free(o->samples);
    *o = (struct observer){0};
}

static void reserve(struct observer *o, size_t n_pods, size_t n_metrics)
{
    if (n_pods > o->pods_cap) {
        o->pods_cap = n_pods * 2;
        o->pods = xreallocarray(o->pods, o->pods_cap, sizeof(*o->pods));
    }
    if (n_pods * n_metrics > o->samples_cap) {
        o->samples_cap = n_pods * n_metrics * 2;
        o->samples = xreallocarray(o->samples, o->samples_cap, sizeof(*o->samples));
    }
}

static struct core_pod_sample sample_of(const struct pod *pod, const struct pod_usage *usage,
                                        enum observed_resource resource)
{
    const struct pod_resource *r = resource == OBSERVE_CPU ? &pod->cpu : &pod->memory;
    struct core_pod_sample s = {.request_milli = r->request_milli, .limit_milli = r->limit_milli};
    if (usage) {
        s.present = true;
        s.usage_milli = resource == OBSERVE_CPU ? usage->cpu_milli : usage->memory_milli;
        s.time_us = usage->time_us;
        s.window_us = usage->window_us;
    }
    return s;
}

void observer_look(struct observer *o, const struct observe_input *in, struct core_observation *ret)
{
    size_t n = pods_select(in->pods, in->namespace_, in->selector, &o->selected, &o->selected_cap);
    reserve(o, n, in->spec->n_metrics);
    *ret = (struct core_observation){
        .time_us = in->time_us,
        .spec_replicas = in->scale->spec_replicas,
        .status_replicas = in->scale->status_replicas,
        .pods = o->pods,
        .n_pods = (uint32_t)n,
        .n_metrics = in->spec->n_metrics,
        .metric_age_s = in->metric_age_s,
        .startup_s = in->startup_s,
    };
    for (size_t i = 0; i < n; i++) {
        const struct pod *pod = o->selected[i];
        const struct pod_usage *usage =
            in->usage_failed ? NULL : pod_metrics_get(in->usage, in->namespace_, pod->object.meta.name);
        o->pods[i] = pod->core;
        for (uint32_t m = 0; m < in->spec->n_metrics; m++)
            o->samples[m * n + i] = sample_of(pod, usage, in->resources[m]);
    }
    for (uint32_t m = 0; m < in->spec->n_metrics; m++) {
        ret->metrics[m].kind = in->usage_failed ? SAMPLE_ERROR : SAMPLE_VALUE;
        ret->metrics[m].pods = o->samples + m * n;
    }
}

double observer_sample_age_s(const struct observer *o, const struct core_observation *seen)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; seen->n_metrics > 0 && i < seen->n_pods; i++) {
        if (!o->samples[i].present)
            continue;
        sum += (double)(seen->time_us - o->samples[i].time_us) / 1e6;
        count++;
    }
    return count ? sum / (double)count : -1;
}
