/* The pipeline as a whole, with forecasts that the test sets: what prediction may do and what it may not,
 * modes, bounds, missing data, contention, words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/condition.h"
#include "core/explain.h"
#include "core/step.h"
#include "test/support/fake_demand.h"

#include <string.h>

#define SECOND INT64_C(1000000)
#define START  (1700000000 * SECOND)

/* One autoscaler on cpu: every pod has a request of 1 core and a limit of 2. */
struct world {
    struct core_spec spec;
    struct core_state *state;
    struct core_observation observation;
    struct core_pod pods[64];
    struct core_pod_sample samples[64];
    struct core_plan plan;
};

static void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->spec = core_spec_default();
    w->spec.min_replicas = 2;
    w->spec.max_replicas = 50;
    w->spec.behavior = true;
    w->spec.down.stabilization_s = 0;
    w->state = core_state_new(&w->spec);
    w->observation.time_us = START;
}

static void world_done(struct world *w)
{
    core_state_free(w->state);
}

static struct demand *forecast(struct world *w, bool trusted, double quantile)
{
    struct demand *d = core_state_demand(w->state, "cpu");
    d->trusted = trusted;
    d->usable = true;
    d->quantile = quantile;
    return d;
}

/* A sync 15 s later: `replicas` ready pods, each using `usage` cores. */
static const struct core_plan *sync(struct world *w, int32_t replicas, double usage)
{
    w->observation.time_us += 15 * SECOND;
    w->observation.spec_replicas = w->observation.status_replicas = replicas;
    w->observation.pods = w->pods;
    w->observation.n_pods = (uint32_t)replicas;
    w->observation.n_metrics = w->spec.n_metrics;
    for (int32_t i = 0; i < replicas; i++) {
        w->pods[i] = (struct core_pod){.phase = CORE_POD_RUNNING,
                                       .ready = CORE_READY_TRUE,
                                       .start_us = START - 3600 * SECOND,
                                       .ready_transition_us = START - 3500 * SECOND};
        w->samples[i] = (struct core_pod_sample){.present = usage >= 0,
                                                 .usage_milli = core_milli(usage),
                                                 .request_milli = 1000,
                                                 .limit_milli = 2000,
                                                 .time_us = w->observation.time_us - 10 * SECOND,
                                                 .window_us = 30 * SECOND};
    }
    w->observation.metrics[0].kind = SAMPLE_VALUE;
    w->observation.metrics[0].pods = w->samples;
    core_step(&w->spec, w->state, &w->observation, &w->plan);
    core_explain(&w->spec, &w->plan);
    if (w->plan.write)
        core_applied(&w->spec, w->state, w->observation.time_us, replicas, w->plan.replicas);
    return &w->plan;
}

static void assert_plan(const struct core_plan *p, int32_t replicas, enum core_reason reason, unsigned limits,
                        bool write)
{
    if (p->replicas != replicas || p->reason != reason || p->limits != limits || p->write != write)
        fail_msg("%d replicas, %s, limits %x, write %d: %s; want %d, %s, %x, %d", p->replicas,
                 core_reason_name(p->reason), p->limits, p->write, p->message, replicas, core_reason_name(reason),
                 limits, write);
}

static void test_reactive(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_plan(sync(&w, 4, 0.7), 4, CORE_REASON_WITHIN_TARGET, 0, false);
    assert_string_equal(w.plan.message, "Holding 4: cpu is at 70 % of the request, target 70 %.");
    assert_plan(sync(&w, 4, 0.76), 4, CORE_REASON_WITHIN_TARGET, CORE_LIMIT_TOLERANCE, false);
    assert_plan(sync(&w, 4, 1.05), 6, CORE_REASON_METRIC_ABOVE_TARGET, 0, true);
    assert_string_equal(w.plan.message, "Scaling up 4 -> 6: cpu is at 105 % of the request, target 70 %.");
    assert_plan(sync(&w, 6, 0.35), 3, CORE_REASON_METRIC_BELOW_TARGET, 0, true);
    assert_plan(sync(&w, 3, 0.1), 2, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_MIN_REPLICAS, true);
    assert_plan(sync(&w, 1, 0.1), 2, CORE_REASON_TOO_FEW_REPLICAS, CORE_LIMIT_MIN_REPLICAS, true);
    assert_plan(sync(&w, 60, 0.7), 50, CORE_REASON_TOO_MANY_REPLICAS, CORE_LIMIT_MAX_REPLICAS, true);
    assert_plan(sync(&w, 0, 0), 0, CORE_REASON_SCALING_DISABLED, 0, false);
    world_done(&w);
}

static void test_prediction_raises(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.lead_time_s = 60;
    w.observation.metric_age_s = 30;
    /* A pod serves its limit of 2 cores: 11 cores are 6 pods. */
    struct demand *d = forecast(&w, true, 11);
    assert_plan(sync(&w, 4, 0.7), 6, CORE_REASON_FORECAST_ABOVE_CAPACITY, 0, true);
    assert_int_equal(w.plan.predicted, 6);
    assert_int_equal(w.plan.reactive, 4);
    assert_int_equal(w.plan.raw, 6);
    assert_int_equal(w.plan.lead_s, 60 + 15 + 30);
    assert_true(w.plan.forecast_trusted);
    assert_string_equal(w.plan.message,
                        "Scaling up 4 -> 6: cpu may need 11 cores within 105 s (forecast, 90 % sure), a pod "
                        "serves 2 cores.");
    assert_int_equal(d->lead_s, 105);
    assert_true(d->last.value > 2.79 && d->last.value < 2.81 && !d->last.censored);
    /* It holds up what the metric would lower, and lowers nothing itself. */
    assert_plan(sync(&w, 8, 0.1), 6, CORE_REASON_METRIC_BELOW_TARGET, 0, true);
    d->quantile = 0;
    assert_plan(sync(&w, 4, 0.7), 4, CORE_REASON_WITHIN_TARGET, 0, false);
    /* Beyond the maximum and beyond all numbers. */
    d->quantile = 1e300;
    assert_plan(sync(&w, 40, 0.7), 50, CORE_REASON_FORECAST_ABOVE_CAPACITY, CORE_LIMIT_MAX_REPLICAS, true);
    d->quantile = (double)__builtin_nanf("");
    assert_plan(sync(&w, 4, 0.7), 4, CORE_REASON_WITHIN_TARGET, 0, false);
    world_done(&w);
}

static void test_prediction_inside_tolerance(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    forecast(&w, true, 44); /* 22 pods, that is 10 % more */
    assert_plan(sync(&w, 20, 0.7), 20, CORE_REASON_WITHIN_TARGET, CORE_LIMIT_TOLERANCE, false);
    assert_int_equal(w.plan.predicted, 22);
    /* Ignored as a raise, it still speaks against going lower. */
    assert_plan(sync(&w, 20, 0.3), 20, CORE_REASON_WITHIN_TARGET, CORE_LIMIT_TOLERANCE, false);
    forecast(&w, true, 44.1);
    assert_plan(sync(&w, 20, 0.7), 23, CORE_REASON_FORECAST_ABOVE_CAPACITY, 0, true);
    world_done(&w);
}

static void test_untrusted_is_shown_only(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    forecast(&w, false, 40);
    assert_plan(sync(&w, 4, 0.7), 4, CORE_REASON_WITHIN_TARGET, CORE_LIMIT_UNTRUSTED, false);
    assert_int_equal(w.plan.predicted, -1);
    assert_int_equal(w.plan.untrusted, 20);
    assert_int_equal(w.plan.metrics[0].predicted, 20);
    assert_string_equal(w.plan.message,
                        "Holding 4: cpu is at 70 % of the request, target 70 %; the forecast asks for 20, but "
                        "is not trusted.");
    world_done(&w);
}

static void test_lead(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    const struct {
        uint32_t lead_time_s, startup_s, age_s, lead_s;
    } cases[] = {
        {0, 0, 0, 135}, {0, 40, 20, 75}, {0, 3, 0, 30}, {0, 9999, 0, 1815}, {7, 40, 20, 42}, {0, 40, UINT32_MAX, 3655},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        w.spec.lead_time_s = cases[i].lead_time_s;
        w.observation.startup_s = cases[i].startup_s;
        w.observation.metric_age_s = cases[i].age_s;
        assert_int_equal(sync(&w, 4, 0.7)->lead_s, cases[i].lead_s);
    }
    world_done(&w);
}

static void test_capacity(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    forecast(&w, true, 11);
    sync(&w, 4, 0.7);
    assert_true(w.plan.metrics[0].capacity > 1.99 && w.plan.metrics[0].capacity < 2.01);
    w.spec.metrics[0].target_percent = 250; /* above the limit */
    sync(&w, 4, 0.7);
    assert_true(w.plan.metrics[0].capacity > 2.49 && w.plan.metrics[0].capacity < 2.51);
    w.spec.metrics[0].capacity_per_pod = 0.25;
    sync(&w, 4, 0.7);
    assert_true(w.plan.metrics[0].capacity > 0.249 && w.plan.metrics[0].capacity < 0.251);
    assert_int_equal(w.plan.predicted, 44);
    w.spec.metrics[0].capacity_per_pod = 0;
    w.spec.metrics[0].target_type = CORE_TARGET_AVERAGE_VALUE;
    w.spec.metrics[0].target_milli = 700;
    sync(&w, 4, 0.7);
    assert_true(w.plan.metrics[0].capacity > 0.99 && w.plan.metrics[0].capacity < 1.01);
    world_done(&w);
}

static void test_demand_of_pods(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct demand *d = forecast(&w, false, 0);
    sync(&w, 10, 0.5);
    assert_int_equal(d->last.kind, SAMPLE_VALUE);
    /* Eight of ten ready pods are enough, and stand for ten. */
    w.samples[0].present = w.samples[1].present = false;
    w.observation.time_us += SECOND;
    core_step(&w.spec, w.state, &w.observation, &w.plan);
    assert_true(d->last.kind == SAMPLE_VALUE && d->last.value > 4.99 && d->last.value < 5.01);
    w.samples[2].time_us = START - 3510 * SECOND; /* reaches back before it was ready, and is stale besides */
    w.observation.time_us += SECOND;
    core_step(&w.spec, w.state, &w.observation, &w.plan);
    assert_int_equal(d->last.kind, SAMPLE_NO_DATA);
    /* Unready pods are not asked. */
    w.pods[2].ready = CORE_READY_FALSE;
    w.pods[3].deleting = true;
    w.observation.time_us += SECOND;
    core_step(&w.spec, w.state, &w.observation, &w.plan);
    assert_int_equal(d->last.kind, SAMPLE_NO_DATA); /* 6 of 8 */
    w.pods[0].ready = CORE_READY_FALSE;
    w.observation.time_us += SECOND;
    core_step(&w.spec, w.state, &w.observation, &w.plan);
    assert_true(d->last.kind == SAMPLE_VALUE && d->last.value > 3.49 && d->last.value < 3.51);
    /* A failed query is no empty one. */
    w.observation.metrics[0].kind = SAMPLE_ERROR;
    w.observation.time_us += SECOND;
    core_step(&w.spec, w.state, &w.observation, &w.plan);
    assert_int_equal(d->last.kind, SAMPLE_ERROR);
    w.observation.metrics[0].kind = SAMPLE_NO_DATA;
    w.observation.time_us += SECOND;
    core_step(&w.spec, w.state, &w.observation, &w.plan);
    assert_int_equal(d->last.kind, SAMPLE_NO_DATA);
    /* Saturated: a quarter of the pods at 95 % of their limit. */
    sync(&w, 8, 0.5);
    assert_false(d->last.censored);
    w.samples[0].usage_milli = w.samples[1].usage_milli = 1900;
    w.observation.time_us += SECOND;
    core_step(&w.spec, w.state, &w.observation, &w.plan);
    assert_true(d->last.censored && w.plan.metrics[0].censored);
    w.samples[0].usage_milli = 1899;
    w.observation.time_us += SECOND;
    core_step(&w.spec, w.state, &w.observation, &w.plan);
    assert_false(d->last.censored);
    world_done(&w);
}

static void test_missing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    sync(&w, 8, 0.7);
    assert_plan(sync(&w, 8, -1), 8, CORE_REASON_METRICS_MISSING, CORE_LIMIT_MISSING_METRICS, false);
    assert_int_equal(w.plan.metrics[0].state, CORE_METRIC_MISSING);
    assert_string_equal(w.plan.message,
                        "Holding 8: cpu is unknown (no ready pod has a sample), and nothing is lowered while a "
                        "metric is unknown.");
    /* A trusted forecast still raises. */
    forecast(&w, true, 24);
    assert_plan(sync(&w, 8, -1), 12, CORE_REASON_FORECAST_ABOVE_CAPACITY, CORE_LIMIT_MISSING_METRICS, true);
    /* Two metrics, one unknown: the other raises, and does not lower. */
    forecast(&w, true, 0);
    w.spec.n_metrics = 2;
    w.spec.metrics[1] = (struct core_metric_spec){.name = "queue",
                                                  .kind = CORE_METRIC_TOTAL,
                                                  .source = CORE_SOURCE_EXTERNAL,
                                                  .target_type = CORE_TARGET_AVERAGE_VALUE,
                                                  .target_milli = 10000};
    w.observation.metrics[1] = (struct core_metric_observation){.kind = SAMPLE_ERROR};
    assert_plan(sync(&w, 12, 0.2), 12, CORE_REASON_METRICS_MISSING, CORE_LIMIT_MISSING_METRICS, false);
    assert_plan(sync(&w, 12, 1.05), 18, CORE_REASON_METRIC_ABOVE_TARGET, CORE_LIMIT_MISSING_METRICS, true);
    w.observation.metrics[1] = (struct core_metric_observation){
        .kind = SAMPLE_VALUE, .value_milli = 100, .time_us = w.observation.time_us - 80 * SECOND};
    assert_plan(sync(&w, 18, 0.2), 18, CORE_REASON_METRICS_MISSING, CORE_LIMIT_MISSING_METRICS, false);
    assert_int_equal(w.plan.metrics[1].state, CORE_METRIC_STALE);
    struct core_condition c;
    core_condition_scaling_active(&w.spec, &w.plan, "503", &c);
    assert_true(c.known && !c.status);
    assert_string_equal(c.reason, "FailedGetExternalMetric");
    assert_string_equal(c.message, "unable to compute the replica count: queue: all samples are too old: 503");
    world_done(&w);
}

static void test_modes(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.mode = CORE_RECOMMEND;
    assert_plan(sync(&w, 4, 1.05), 6, CORE_REASON_METRIC_ABOVE_TARGET, CORE_LIMIT_NOT_ACTIVE, false);
    assert_string_equal(w.plan.message,
                        "Would scale up 4 -> 6 (mode Recommend): cpu is at 105 % of the request, target 70 %.");
    assert_plan(sync(&w, 4, 0.7), 4, CORE_REASON_WITHIN_TARGET, 0, false);
    w.spec.mode = CORE_AUTO;
    w.spec.paused = true;
    assert_plan(sync(&w, 4, 0.35), 2, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_NOT_ACTIVE, false);
    w.spec.paused = false;
    w.spec.mode = CORE_SCALE_UP_ONLY;
    assert_plan(sync(&w, 4, 0.35), 4, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_NOT_ACTIVE, false);
    assert_string_equal(w.plan.message,
                        "Holding 4: cpu is at 35 % of the request, target 70 %; mode ScaleUpOnly does not lower "
                        "to 2.");
    assert_plan(sync(&w, 4, 0.1), 4, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_MIN_REPLICAS | CORE_LIMIT_NOT_ACTIVE,
                false);
    assert_string_equal(w.plan.message, "Holding 4: cpu is at 10 % of the request, target 70 %; need is 1, minReplicas "
                                        "is 2; mode ScaleUpOnly does not lower to 2.");
    assert_plan(sync(&w, 4, 1.05), 6, CORE_REASON_METRIC_ABOVE_TARGET, 0, true);
    assert_plan(sync(&w, 60, 0.7), 50, CORE_REASON_TOO_MANY_REPLICAS, CORE_LIMIT_MAX_REPLICAS, true);
    w.spec.mode = CORE_OFF;
    uint32_t observed = core_state_demand(w.state, "cpu")->observed;
    assert_plan(sync(&w, 4, 1.05), 4, CORE_REASON_OFF, 0, false);
    assert_int_equal(core_state_demand(w.state, "cpu")->observed, observed);
    world_done(&w);
}

static void test_windows_remember_the_forecast(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.down.stabilization_s = 60;
    forecast(&w, true, 20);
    assert_plan(sync(&w, 8, 0.7), 10, CORE_REASON_FORECAST_ABOVE_CAPACITY, 0, true);
    forecast(&w, true, 0);
    for (int i = 0; i < 3; i++)
        assert_plan(sync(&w, 10, 0.1), 10, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_STABILIZED_DOWN, false);
    assert_string_equal(w.plan.message,
                        "Holding 10: cpu is at 10 % of the request, target 70 %; need is 2, but the highest need "
                        "of the last 60 s was 10.");
    assert_plan(sync(&w, 10, 0.1), 2, CORE_REASON_METRIC_BELOW_TARGET, 0, true);
    world_done(&w);
}

/* After a restart with no matter what checkpoint, nothing is lowered for a whole window. */
static void test_resume(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.down.stabilization_s = 300;
    sync(&w, 4, 0.7);
    w.observation.time_us += 7200 * SECOND;
    core_resume(w.state, &w.spec, w.observation.time_us, 9);
    for (int i = 0; i < 19; i++) {
        assert_int_equal(sync(&w, 9, 0.1)->replicas, 9);
        assert_false(w.plan.foreign_write);
    }
    assert_int_equal(sync(&w, 9, 0.1)->replicas, 2);
    world_done(&w);
}

static void test_contention(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    sync(&w, 4, 1.05);
    assert_true(w.plan.write);
    sync(&w, 4, 1.05); /* someone set it back */
    assert_true(w.plan.foreign_write && w.plan.write && !w.plan.contended);
    sync(&w, 4, 1.05); /* and again */
    assert_true(w.plan.contended);
    assert_plan(&w.plan, 6, CORE_REASON_CONTENDED, CORE_LIMIT_CONTENTION, false);
    assert_string_equal(w.plan.message,
                        "Waiting to scale up 4 -> 6: another writer keeps undoing our changes of the replicas, "
                        "next write in 15 s.");
    assert_plan(sync(&w, 4, 1.05), 6, CORE_REASON_METRIC_ABOVE_TARGET, 0, true);
    /* Nothing is lowered for half an hour, but into the bounds. */
    for (int i = 0; i < 117; i++)
        assert_int_equal(sync(&w, 6, 0.3)->replicas, 6);
    assert_plan(&w.plan, 6, CORE_REASON_CONTENDED, CORE_LIMIT_CONTENTION, false);
    assert_plan(sync(&w, 60, 0.1), 50, CORE_REASON_TOO_MANY_REPLICAS, CORE_LIMIT_MAX_REPLICAS, true);
    assert_true(w.plan.contended);
    assert_plan(sync(&w, 50, 0.1), 8, CORE_REASON_METRIC_BELOW_TARGET, 0, true);
    assert_false(w.plan.contended);
    world_done(&w);
}

static void test_scale_to_zero(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.min_replicas = 0;
    w.spec.metrics[0] = (struct core_metric_spec){.name = "queue",
                                                  .kind = CORE_METRIC_TOTAL,
                                                  .source = CORE_SOURCE_EXTERNAL,
                                                  .target_type = CORE_TARGET_AVERAGE_VALUE,
                                                  .target_milli = 10000};
    w.observation.metrics[0].value_milli = 0;
    assert_plan(sync(&w, 3, 0), 0, CORE_REASON_METRIC_BELOW_TARGET, 0, true);
    assert_plan(sync(&w, 0, 0), 0, CORE_REASON_WITHIN_TARGET, 0, false);
    w.observation.metrics[0].value_milli = 25000;
    assert_plan(sync(&w, 0, 0), 3, CORE_REASON_METRIC_ABOVE_TARGET, 0, true);
    /* By hand it stays. */
    assert_plan(sync(&w, 0, 0), 0, CORE_REASON_SCALING_DISABLED, 0, false);
    /* A minimum that is raised while we hold it at zero is obeyed. */
    w.observation.metrics[0].value_milli = 0;
    sync(&w, 3, 0);
    w.spec.min_replicas = 2;
    assert_plan(sync(&w, 0, 0), 2, CORE_REASON_WITHIN_TARGET, CORE_LIMIT_MIN_REPLICAS, true);
    struct core_condition c; /* as the HPA says it: within the range, and without a behavior not */
    core_condition_scaling_limited(&w.spec, &w.plan, &c);
    assert_string_equal(c.reason, "DesiredWithinRange");
    assert_false(c.status);
    w.spec.behavior = false;
    core_condition_scaling_limited(&w.spec, &w.plan, &c);
    assert_string_equal(c.reason, "TooFewReplicas");
    /* Nor does it hide a policy that would have held the count below it. */
    w.spec.behavior = true;
    w.spec.min_replicas = 0;
    sync(&w, 2, 0);
    w.spec.min_replicas = 9;
    w.observation.metrics[0].value_milli = 70000;
    assert_int_equal(sync(&w, 0, 0)->replicas, 9);
    core_condition_scaling_limited(&w.spec, &w.plan, &c);
    assert_string_equal(c.reason, "ScaleUpLimit");
    w.spec.min_replicas = 0;
    w.observation.metrics[0].value_milli = 0;
    w.observation.time_us += 3600 * SECOND; /* what was added may be taken away */
    sync(&w, 2, 0);
    w.spec.min_replicas = 7; /* just the need */
    w.observation.metrics[0].value_milli = 70000;
    assert_int_equal(sync(&w, 0, 0)->replicas, 7);
    core_condition_scaling_limited(&w.spec, &w.plan, &c);
    assert_string_equal(c.reason, "ScaleUpLimit");
    world_done(&w);
}

static void test_spec_changes(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct demand *cpu = forecast(&w, true, 11);
    sync(&w, 4, 0.7);
    w.spec.n_metrics = 2;
    w.spec.metrics[1] = w.spec.metrics[0];
    strcpy(w.spec.metrics[0].name, "other");
    w.observation.metrics[1] = w.observation.metrics[0];
    sync(&w, 4, 0.7);
    assert_ptr_equal(core_state_demand(w.state, "cpu"), cpu); /* history stays with the name */
    assert_non_null(core_state_demand(w.state, "other"));
    assert_int_equal(w.plan.metric, 1);
    w.spec.prediction.interval_s = 60;
    sync(&w, 4, 0.7);
    assert_int_equal(cpu->reconfigured, 1);
    w.spec.metrics[1].forecast = false;
    sync(&w, 4, 0.7);
    assert_null(core_state_demand(w.state, "cpu"));
    world_done(&w);
}

static void test_conditions(void **state)
{
    (void)state;
    struct world w;
    struct core_condition c;
    world_init(&w);
    sync(&w, 4, 9);
    core_condition_scaling_limited(&w.spec, &w.plan, &c);
    assert_true(c.known && c.status);
    assert_string_equal(c.reason, "ScaleUpLimit");
    core_condition_able_to_scale(&w.plan, &c);
    assert_string_equal(c.reason, "ReadyForNewScale");
    core_condition_scaling_active(&w.spec, &w.plan, NULL, &c);
    assert_true(c.known && c.status);
    assert_string_equal(c.reason, "ValidMetricFound");
    char reason[64];
    core_rescale_reason(&w.spec, &w.plan, reason, sizeof reason);
    assert_string_equal(reason, "cpu above target");
    core_condition_rescaled(&w.plan, NULL, &c);
    assert_string_equal(c.message, "the target scale was updated to 8");
    core_condition_rescaled(&w.plan, "conflict", &c);
    assert_false(c.status);
    sync(&w, 60, 0.7);
    core_condition_scaling_limited(&w.spec, &w.plan, &c);
    assert_false(c.known);
    core_rescale_reason(&w.spec, &w.plan, reason, sizeof reason);
    assert_string_equal(reason, "Current number of replicas above Spec.MaxReplicas");
    sync(&w, 0, 0);
    core_condition_scaling_active(&w.spec, &w.plan, NULL, &c);
    assert_string_equal(c.reason, "ScalingDisabled");
    for (unsigned i = 0; i < CORE_N_LIMITS; i++)
        assert_true(strlen(core_limit_name((enum core_limit)(1u << i))) > 3);
    const char *names[CORE_N_LIMITS];
    assert_int_equal(core_limit_names(CORE_LIMIT_TOLERANCE | CORE_LIMIT_UNTRUSTED, names), 2);
    assert_string_equal(names[1], "Untrusted");
    world_done(&w);
}

static void test_decisions(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    for (int i = 0; i < 5; i++)
        sync(&w, 4, 0.7);
    sync(&w, 4, 1.05);
    sync(&w, 6, 0.7);
    struct core_decision list[8];
    assert_int_equal(core_state_decisions(w.state, list, 8), 3);
    assert_int_equal(list[1].current, 4);
    assert_int_equal(list[1].desired, 6);
    assert_int_equal(list[1].reason, CORE_REASON_METRIC_ABOVE_TARGET);
    assert_int_equal(list[1].time_us, START + 90 * SECOND);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reactive),
        cmocka_unit_test(test_prediction_raises),
        cmocka_unit_test(test_prediction_inside_tolerance),
        cmocka_unit_test(test_untrusted_is_shown_only),
        cmocka_unit_test(test_lead),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_demand_of_pods),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_windows_remember_the_forecast),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_contention),
        cmocka_unit_test(test_scale_to_zero),
        cmocka_unit_test(test_spec_changes),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_decisions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
