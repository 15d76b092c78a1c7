/* What one plan costs: core_step() with 1 and 4 forecast metrics over ten pods, a week of history, slots not
 * closing; and the words for it. Median of 1,000, beside the target. */
#include "core/explain.h"
#include "core/step.h"
#include "test/bench/meter.h"

#include <stdio.h>

#define SECOND INT64_C(1000000)
#define PODS   10

static bool run(uint32_t metrics, double goal_us)
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
    static struct meter m;
    const uint32_t runs = meter_runs();
    static struct core_plan plan;
    char what[64];
    bool met = true;
    for (uint32_t n = 0; n < 2 * runs;) { /* first its plans, then their words */
        int64_t slot = seen.time_us / (300 * SECOND);
        seen.time_us += 15 * SECOND;
        for (int k = 0; k < PODS; k++) {
            pods[k] = (struct core_pod){.phase = CORE_POD_RUNNING,
                                        .ready = CORE_READY_TRUE,
                                        .start_us = first * 300 * SECOND,
                                        .ready_transition_us = first * 300 * SECOND};
            samples[k] = (struct core_pod_sample){.present = true,
                                                  .usage_milli = 300 + (int)(n * 37 + (uint32_t)k * 11) % 300,
                                                  .request_milli = 500,
                                                  .limit_milli = 1000,
                                                  .time_us = seen.time_us - 15 * SECOND,
                                                  .window_us = 30 * SECOND};
        }
        if (seen.time_us / (300 * SECOND) != slot) { /* a slot closes and is forecast from */
            core_step(&spec, state, &seen, &plan);
            continue;
        }
        if (n < runs)
            meter_begin(&m);
        core_step(&spec, state, &seen, &plan);
        if (n < runs)
            meter_end(&m);
        else
            meter_begin(&m);
        core_explain(&spec, &plan);
        if (n >= runs)
            meter_end(&m);
        if (++n == runs) {
            snprintf(what, sizeof what, "plan, %u metric%s, state of %zu bytes", metrics, metrics > 1 ? "s" : "",
                     core_state_memory(state));
            met = meter_print(&m, what, goal_us);
        }
    }
    (void)meter_print(&m, "its words", 0);
    core_state_free(state);
    return met;
}

int main(void)
{
    bool one = run(1, 5), four = run(4, 5);
    return one && four ? 0 : 1;
}
