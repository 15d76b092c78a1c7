/* Pods made from totals; see pods.h. */
#include "lab/pods.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>

#define OLD_US (INT64_C(86400) * 1000000) /* beyond every window of the HPA's */

void lab_pods_done(struct lab_pods *p)
{
    free(p->pods);
    free(p->samples);
    *p = (struct lab_pods){0};
}

static void reserve(struct lab_pods *p, uint32_t n, uint32_t n_metrics)
{
    if (n <= p->cap && n_metrics <= p->n_metrics)
        return;
    p->cap = MAX(n, 2 * p->cap);
    p->n_metrics = MAX(n_metrics, p->n_metrics);
    p->pods = xreallocarray(p->pods, p->cap, sizeof *p->pods);
    p->samples = xreallocarray(p->samples, (size_t)p->cap * p->n_metrics, sizeof *p->samples);
}

static void make_pods(struct core_pod *pods, int64_t time_us, uint32_t n, uint32_t ready)
{
    int64_t start_us = time_us - OLD_US;
    start_us -= start_us == 0; /* 0 is no time */
    for (uint32_t i = 0; i < n; i++)
        pods[i] = i < ready ? (struct core_pod){.phase = CORE_POD_RUNNING,
                                                .ready = CORE_READY_TRUE,
                                                .start_us = start_us,
                                                .ready_transition_us = start_us}
                            : (struct core_pod){.phase = CORE_POD_PENDING, .ready = CORE_READY_FALSE};
}

static void make_samples(struct core_pod_sample *samples, uint32_t n, uint32_t ready, const struct lab_metric *m)
{
    bool known = m->kind == SAMPLE_VALUE && ready > 0;
    int64_t each = known ? m->total_milli / ready : 0, rest = known ? m->total_milli % ready : 0;
    for (uint32_t i = 0; i < n; i++) {
        bool present = known && i < ready;
        samples[i] = (struct core_pod_sample){.present = present,
                                              .usage_milli = present ? each + (i < rest) : 0,
                                              .request_milli = m->request_milli,
                                              .limit_milli = m->limit_milli};
    }
}

struct core_observation lab_pods_observe(struct lab_pods *p, const struct core_spec *spec, int64_t time_us,
                                         int32_t replicas, int32_t ready, const struct lab_metric *metrics)
{
    assert(replicas >= 0 && ready >= 0 && ready <= replicas);
    uint32_t n = (uint32_t)replicas;
    reserve(p, MAX(n, 1u), spec->n_metrics);
    make_pods(p->pods, time_us, n, (uint32_t)ready);
    struct core_observation o = {.time_us = time_us,
                                 .spec_replicas = replicas,
                                 .status_replicas = replicas,
                                 .pods = p->pods,
                                 .n_pods = n,
                                 .n_metrics = spec->n_metrics};
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        struct core_metric_observation *to = &o.metrics[i];
        to->kind = metrics[i].kind;
        if (spec->metrics[i].kind == CORE_METRIC_TOTAL) {
            to->value_milli = metrics[i].total_milli;
            continue;
        }
        struct core_pod_sample *samples = p->samples + (size_t)i * p->cap;
        make_samples(samples, n, (uint32_t)ready, &metrics[i]);
        to->pods = samples;
    }
    return o;
}
