/* From watched pods and fetched usage to the core's observation; see observe.h. */
#include "reconcile/observe.h"

#include "base/alloc.h"
#include "base/str.h"

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

static const struct container_usage *usage_of(const struct pod_usage *usage, const char *container)
{
    for (uint32_t i = 0; i < usage->n_containers; i++)
        if (streq(usage->containers[i].name, container))
            return &usage->containers[i];
    return NULL;
}

/* The same of one container. As in the HPA a pod whose spec lacks it requests nothing; false: its metrics lack it,
 * which is an error of the whole metric. */
static bool container_sample_of(const struct pod *pod, const struct pod_usage *usage, const struct observed *observed,
                                struct core_pod_sample *ret)
{
    const struct pod_container *c = pod_container(pod, observed->container);
    const struct container_usage *used = usage ? usage_of(usage, observed->container) : NULL;
    bool cpu = observed->resource == OBSERVE_CPU;
    *ret = (struct core_pod_sample){.present = false};
    if (c) {
        ret->request_milli = cpu ? c->cpu.request_milli : c->memory.request_milli;
        ret->limit_milli = cpu ? c->cpu.limit_milli : c->memory.limit_milli;
    }
    if (used) {
        ret->present = true;
        ret->usage_milli = cpu ? used->cpu_milli : used->memory_milli;
        ret->time_us = usage->time_us;
        ret->window_us = usage->window_us;
    }
    return used || !usage;
}

/* Gives whether the metric could be read. */
static bool look_at(struct observer *o, const struct observed *observed, const struct pod_usage *usage, size_t pod,
                    struct core_pod_sample *ret)
{
    if (!observed->container[0]) {
        *ret = sample_of(o->selected[pod], usage, observed->resource);
        return true;
    }
    if (container_sample_of(o->selected[pod], usage, observed, ret))
        return true;
    error_set(&o->lacking, ERROR_API, "container %s not present in metrics for pod %s", observed->container,
              o->selected[pod]->object.meta.name);
    return false;
}

/* Nothing of these pods is this workload's for sure: neither what they use nor what they request. */
static void disown(struct observer *o, const char *other, struct core_observation *ret)
{
    error_set(&o->ambiguous, ERROR_CONFIG,
              "its selector also selects pods of PredictiveAutoscaler %s, so neither computes a count: make the "
              "selectors of the two targets disjoint, or delete one of the autoscalers",
              other);
    ret->ambiguous = true;
    for (uint32_t m = 0; m < ret->n_metrics; m++)
        ret->metrics[m] = (struct core_metric_observation){.kind = SAMPLE_ERROR};
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
    bool failed[CORE_MAX_METRICS] = {false};
    o->lacking = o->ambiguous = ERROR_INIT;
    for (size_t i = 0; i < n; i++) {
        const struct pod *pod = o->selected[i];
        const struct pod_usage *usage =
            in->usage_failed ? NULL : pod_metrics_get(in->usage, in->namespace_, pod->object.meta.name);
        o->pods[i] = pod->core;
        ret->unschedulable += pod->unschedulable && !pod->core.deleting;
        for (uint32_t m = 0; m < in->spec->n_metrics; m++)
            failed[m] |= !look_at(o, &in->observed[m], usage, i, &o->samples[m * n + i]);
    }
    for (uint32_t m = 0; m < in->spec->n_metrics; m++) {
        ret->metrics[m].kind = in->usage_failed || failed[m] ? SAMPLE_ERROR : SAMPLE_VALUE;
        ret->metrics[m].pods = o->samples + m * n;
    }
    const char *other = claims_other(in->claim, o->selected, n);
    if (other)
        disown(o, other, ret);
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
