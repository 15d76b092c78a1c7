/* What one plan costs: core_step() with 1 and 4 forecast metrics over ten pods, a week of history, slots not
 * closing; and the words for it. Median of 1,000, beside the target. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/explain.h"
#include "core/step.h"

#define SECOND INT64_C(1000000)
#define RUNS   1000
#define PODS   10

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median_us(int64_t *ns)
{
    qsort(ns, RUNS, sizeof *ns, compare);
    return (double)ns[RUNS / 2] / 1000;
}

static void run(uint32_t metrics, double target_us)
{
    struct core_spec spec = core_spec_default();
    spec.behavior = true;
    for (uint32_t i = 1; i < metrics; i++) {
        spec.metrics[i] = spec.metrics[0];
        snprintf(spec.metrics[i].name, sizeof spec.metrics[i].name, "metric-%u", i);
    }
    spec.n_metrics = metrics;
    struct core_state *state = core_state_new(&spec);
    const int64_t first = 5666000;
    for (uint32_t i = 0; i < metrics; i++)
        for (int k = 0; k < 2016; k++) {
            double phase = (double)(k % 288) / 288;
            demand_push_slot(core_state_demand(state, spec.metrics[i].name), first + k, 2 + 12 * phase * (1 - phase),
                             150);
        }

    struct core_pod pods[PODS];
    struct core_pod_sample samples[PODS];
    struct core_observation seen = {.time_us = (first + 2016) * 300 * SECOND,
                                    .spec_replicas = PODS,
                                    .status_replicas = PODS,
                                    .pods = pods,
                                    .n_pods = PODS,
                                    .n_metrics = metrics,
                                    .metric_age_s = 20};
    for (uint32_t i = 0; i < metrics; i++)
        seen.metrics[i] = (struct core_metric_observation){.kind = SAMPLE_VALUE, .pods = samples};
    static int64_t step_ns[RUNS], explain_ns[RUNS];
    static struct core_plan plan;
    for (int n = 0; n < RUNS;) {
        int64_t slot = seen.time_us / (300 * SECOND);
        seen.time_us += 15 * SECOND;
        for (int k = 0; k < PODS; k++) {
            pods[k] = (struct core_pod){.phase = CORE_POD_RUNNING,
                                        .ready = CORE_READY_TRUE,
                                        .start_us = first * 300 * SECOND,
                                        .ready_transition_us = first * 300 * SECOND};
            samples[k] = (struct core_pod_sample){.present = true,
                                                  .usage_milli = 300 + (n * 37 + k * 11) % 300,
                                                  .request_milli = 500,
                                                  .limit_milli = 1000,
                                                  .time_us = seen.time_us - 15 * SECOND,
                                                  .window_us = 30 * SECOND};
        }
        int64_t began = now_ns();
        core_step(&spec, state, &seen, &plan);
        int64_t done = now_ns();
        core_explain(&spec, &plan);
        int64_t explained = now_ns();
        if (seen.time_us / (300 * SECOND) != slot)
            continue; /* a slot closed and was forecast from */
        step_ns[n] = done - began;
        explain_ns[n] = explained - done;
        n++;
    }
    printf("plan, %u metric%s: %.2f us median of %d (target %.0f us); its words: %.2f us; state: %zu bytes\n", metrics,
           metrics > 1 ? "s" : "", median_us(step_ns), RUNS, target_us, median_us(explain_ns),
           core_state_memory(state));
    core_state_free(state);
}

int main(void)
{
    run(1, 5);
    run(4, 5);
    return 0;
}
