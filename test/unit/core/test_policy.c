/* What raises and holds counts beside metrics and forecasts: schedules, fallbacks, the window for trusted forecasts,
 * and what the executor postpones. In numbers and in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/condition.h"
#include "core/explain.h"
#include "core/step.h"
#include "test/support/fake_demand.h"

#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define START  (INT64_C(1700006400) * SECOND) /* 2023-11-15 00:00 UTC */

/* One autoscaler on cpu: every pod has a request and a limit of 1 core. */
struct world {
    struct core_spec spec;
    struct core_state *state;
    struct core_pod pods[64];
    struct core_pod_sample samples[64];
    struct core_plan plan;
    int64_t now_us;
    int32_t live;
};

static void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->spec = core_spec_default();
    w->spec.min_replicas = 2;
    w->spec.max_replicas = 50;
    w->spec.behavior = true;
    w->spec.down.stabilization_s = 60;
    w->state = core_state_new(&w->spec);
    w->now_us = START;
    w->live = 4;
}

static void world_done(struct world *w)
{
    core_state_free(w->state);
}

/* Encoding and decoding between two syncs changes nothing, here as everywhere. */
static void reload(struct world *w)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    core_state_encode(w->state, &b);
    core_state_free(w->state);
    struct error err = ERROR_INIT;
    w->state = core_state_decode(&w->spec, b.data, b.len, &err);
    assert_non_null(w->state);
}

/* A sync at `second`: each pod uses `usage` cores, < 0: no pod is measured. What is to be written is. */
static const struct core_plan *sync_at(struct world *w, int64_t second, double usage)
{
    reload(w);
    w->now_us = START + second * SECOND;
    struct core_observation seen = {.time_us = w->now_us,
                                    .spec_replicas = w->live,
                                    .status_replicas = w->live,
                                    .pods = w->pods,
                                    .n_pods = (uint32_t)w->live,
                                    .n_metrics = 1,
                                    .metrics = {{.kind = SAMPLE_VALUE, .pods = w->samples}}};
    for (int32_t i = 0; i < w->live; i++) {
        w->pods[i] = (struct core_pod){.phase = CORE_POD_RUNNING,
                                       .ready = CORE_READY_TRUE,
                                       .start_us = START - 3600 * SECOND,
                                       .ready_transition_us = START - 3600 * SECOND};
        w->samples[i] = (struct core_pod_sample){.present = usage >= 0,
                                                 .usage_milli = usage >= 0 ? (int64_t)(usage * 1000) : 0,
                                                 .request_milli = 1000,
                                                 .limit_milli = 1000,
                                                 .time_us = w->now_us,
                                                 .window_us = 15 * SECOND};
    }
    core_step(&w->spec, w->state, &seen, &w->plan);
    core_explain(&w->spec, &w->plan);
    if (w->plan.write) {
        core_applied(&w->spec, w->state, w->now_us, w->live, w->plan.replicas);
        w->live = w->plan.replicas;
    }
    return &w->plan;
}

static void plan_is(const struct core_plan *p, int32_t replicas, enum core_reason reason, unsigned limits)
{
    if (p->replicas != replicas || p->reason != reason || p->limits != limits)
        fail_msg("%d replicas, %s, limits %x: %s; want %d, %s, %x", p->replicas, core_reason_name(p->reason), p->limits,
                 p->message, replicas, core_reason_name(reason), limits);
}

static const struct core_stage *stage(const struct core_plan *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_stages; i++)
        if (strcmp(p->stages[i].name, name) == 0)
            return &p->stages[i];
    return NULL;
}

static void add_schedule(struct world *w, const char *name, const char *start, const char *end, int32_t replicas)
{
    struct core_schedule *s = &w->spec.schedules[w->spec.n_schedules++];
    *s = (struct core_schedule){.zone = tz_utc(), .min_replicas = replicas};
    snprintf(s->name, sizeof s->name, "%s", name);
    assert_int_equal(cron_parse(start, &s->start, NULL), 0);
    assert_int_equal(cron_parse(end, &s->end, NULL), 0);
}

/* In one step past every policy, and out through the window. */
static void test_schedule(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.up.n_policies = 1;
    w.spec.up.policies[0] = (struct core_policy){.type = CORE_POLICY_PODS, .value = 1, .period_s = 60};
    add_schedule(&w, "lunch", "10 0 * * *", "20 0 * * *", 12);
    plan_is(sync_at(&w, 585, 0.7), 4, CORE_REASON_WITHIN_TARGET, 0);
    assert_int_equal(w.plan.scheduled, -1);
    plan_is(sync_at(&w, 600, 0.7), 12, CORE_REASON_SCHEDULED, CORE_LIMIT_SCHEDULED);
    assert_true(w.plan.write && w.plan.scheduled == 12 && w.plan.schedule == 0 && w.plan.min == 12);
    assert_string_equal(w.plan.message, "Scaling up 4 -> 12: schedule lunch asks for at least 12.");
    assert_int_equal(stage(&w.plan, "Scheduled")->replicas, 12);
    assert_string_equal(stage(&w.plan, "Scheduled")->note, "schedule lunch is active");
    char why[64];
    core_rescale_reason(&w.spec, &w.plan, why, sizeof why);
    assert_string_equal(why, "schedule lunch");
    /* Idle pods don't take it below; a need above the floor goes its usual way. */
    for (int64_t t = 615; t <= 700; t += 15)
        sync_at(&w, t, 0.1);
    plan_is(&w.plan, 12, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_SCHEDULED);
    assert_non_null(strstr(w.plan.message,
                           "Holding 12: cpu is at 10 % of the request, target 70 %; need is 2, schedule "
                           "lunch asks for at least 12."));
    plan_is(sync_at(&w, 720, 0.9), 13, CORE_REASON_METRIC_ABOVE_TARGET, CORE_LIMIT_SCALE_UP_POLICY);
    for (int64_t t = 735; t < 1200; t += 15)
        sync_at(&w, t, 0.1);
    assert_int_equal(w.live, 12);
    /* The end: the floor stays for a window, as a need would. */
    plan_is(sync_at(&w, 1200, 0.1), 12, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_STABILIZED_DOWN);
    plan_is(sync_at(&w, 1230, 0.1), 12, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_STABILIZED_DOWN);
    assert_true(sync_at(&w, 1245, 0.1)->replicas < 12);
    world_done(&w);
}

/* Bounds, modes, and metrics that are unknown. */
static void test_schedule_bounds(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    add_schedule(&w, "all", "* * * * *", "0 0 1 1 *", 80);
    plan_is(sync_at(&w, 60, 0.7), 50, CORE_REASON_SCHEDULED, CORE_LIMIT_SCHEDULED); /* the maximum holds */
    w.spec.schedules[0].min_replicas = 9;
    w.live = 5;
    plan_is(sync_at(&w, 1000, -1), 9, CORE_REASON_SCHEDULED, CORE_LIMIT_SCHEDULED | CORE_LIMIT_MISSING_METRICS);
    w.live = 1; /* below the minimum too: straight to the floor */
    plan_is(sync_at(&w, 2000, 0.7), 9, CORE_REASON_TOO_FEW_REPLICAS, CORE_LIMIT_SCHEDULED);
    assert_string_equal(w.plan.message,
                        "Scaling up 1 -> 9: the count is below minReplicas 2, and schedule all asks for at least 9.");
    w.spec.schedules[0].min_replicas = 1; /* below the minimum: changes nothing, and is shown */
    plan_is(sync_at(&w, 3000, 0.7), 9, CORE_REASON_WITHIN_TARGET, 0);
    assert_int_equal(w.plan.scheduled, 1);
    assert_int_equal(w.plan.min, 2);
    w.spec.schedules[0].min_replicas = 20;
    w.spec.paused = true;
    plan_is(sync_at(&w, 4000, 0.7), 20, CORE_REASON_SCHEDULED, CORE_LIMIT_SCHEDULED | CORE_LIMIT_NOT_ACTIVE);
    assert_false(w.plan.write);
    assert_string_equal(w.plan.message, "Would scale up 9 -> 20 (paused): schedule all asks for at least 20.");
    w.spec.paused = false;
    w.spec.mode = CORE_OFF;
    assert_int_equal(sync_at(&w, 5000, 0.7)->scheduled, -1);
    w.spec.mode = CORE_AUTO;
    w.live = 0; /* by hand */
    plan_is(sync_at(&w, 6000, -1), 0, CORE_REASON_SCALING_DISABLED, 0);
    world_done(&w);
}

/* A load that needs more than the floor does not wait for the snap. */
static void test_schedule_and_need(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    add_schedule(&w, "all", "* * * * *", "0 0 1 1 *", 6);
    plan_is(sync_at(&w, 60, 1.4), 8, CORE_REASON_METRIC_ABOVE_TARGET, 0);
    world_done(&w);
}

static void test_fallback(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.metrics[0].fallback =
        (struct core_fallback){.after_s = 60, .replicas = 7, .behavior = CORE_FALLBACK_CURRENT_IF_HIGHER};
    struct core_condition c;
    plan_is(sync_at(&w, 0, 0.7), 4, CORE_REASON_WITHIN_TARGET, 0);
    core_condition_fallback(&w.spec, &w.plan, &c);
    assert_true(c.known && !c.status);
    assert_string_equal(c.reason, "MetricsAvailable");
    plan_is(sync_at(&w, 15, -1), 4, CORE_REASON_METRICS_MISSING, CORE_LIMIT_MISSING_METRICS);
    plan_is(sync_at(&w, 60, -1), 4, CORE_REASON_METRICS_MISSING, CORE_LIMIT_MISSING_METRICS);
    assert_int_equal(w.plan.metrics[0].unknown_s, 45);
    plan_is(sync_at(&w, 75, -1), 7, CORE_REASON_FALLBACK, CORE_LIMIT_MISSING_METRICS);
    assert_int_equal(w.plan.metrics[0].state, CORE_METRIC_FALLBACK);
    assert_string_equal(w.plan.message, "Scaling up 4 -> 7: cpu is unknown (no ready pod has a sample) for 60 s, its "
                                        "fallback is 7.");
    assert_int_equal(stage(&w.plan, "Fallback")->replicas, 7);
    core_condition_fallback(&w.spec, &w.plan, &c);
    assert_true(c.known && c.status);
    assert_string_equal(c.reason, "MetricUnavailable");
    assert_string_equal(c.message, "cpu is unknown (no ready pod has a sample) for at least 60 s: its fallback is 7");
    /* A person's raise stays, and counts as needed for a window after the metric is back. */
    w.live = 11;
    plan_is(sync_at(&w, 90, -1), 11, CORE_REASON_METRICS_MISSING, CORE_LIMIT_MISSING_METRICS);
    plan_is(sync_at(&w, 105, 0.1), 11, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_STABILIZED_DOWN);
    assert_int_equal(w.plan.metrics[0].unknown_s, 0);
    assert_true(sync_at(&w, 150, 0.1)->replicas < 11);
    /* A break in between begins to count anew. */
    sync_at(&w, 300, -1);
    sync_at(&w, 345, 0.7);
    sync_at(&w, 360, -1);
    assert_int_equal(sync_at(&w, 405, -1)->fallback, -1);
    world_done(&w);
}

/* AtLeast: a higher count is held while the metric is unknown, but is no need of its own. */
static void test_fallback_at_least(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.metrics[0].fallback =
        (struct core_fallback){.after_s = 30, .replicas = 3, .behavior = CORE_FALLBACK_AT_LEAST};
    w.live = 11;
    sync_at(&w, 0, -1);
    plan_is(sync_at(&w, 60, -1), 11, CORE_REASON_METRICS_MISSING, CORE_LIMIT_MISSING_METRICS);
    assert_int_equal(w.plan.fallback, 3);
    assert_true(sync_at(&w, 75, 0.1)->replicas < 11);
    /* Never above the maximum, and at the speed of the policies. */
    w.spec.metrics[0].fallback.replicas = 100;
    w.live = 30;
    sync_at(&w, 90, -1);
    plan_is(sync_at(&w, 130, -1), 50, CORE_REASON_FALLBACK, CORE_LIMIT_MAX_REPLICAS | CORE_LIMIT_MISSING_METRICS);
    w.live = 3;
    assert_true(sync_at(&w, 200, -1)->limits & CORE_LIMIT_SCALE_UP_POLICY);
    assert_int_equal(w.plan.replicas, 7);
    world_done(&w);
}

static void test_trusted_window(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.has_trusted_stabilization = true;
    w.spec.trusted_stabilization_s = 15;
    for (int64_t t = 0; t <= 120; t += 15)
        sync_at(&w, t, 0.7);
    plan_is(sync_at(&w, 135, 0.3), 4, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_STABILIZED_DOWN);
    assert_int_equal(w.plan.down_window_s, 60);
    struct demand *d = core_state_demand(w.state, "cpu");
    d->trusted = true;
    plan_is(sync_at(&w, 150, 0.3), 2, CORE_REASON_METRIC_BELOW_TARGET, 0);
    assert_int_equal(w.plan.down_window_s, 15);
    /* A longer one than usual is kept for as long. */
    w.spec.trusted_stabilization_s = 600;
    w.live = 4;
    for (int64_t t = 165; t <= 300; t += 15)
        sync_at(&w, t, t == 165 ? 0.7 : 0.3);
    plan_is(sync_at(&w, 700, 0.3), 4, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_STABILIZED_DOWN);
    assert_non_null(
        strstr(stage(&w.plan, "Stabilised")->note, "highest need of the last 10 min (the forecast is trusted)"));
    world_done(&w);
}

static void test_postponed(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.down.stabilization_s = 0;
    sync_at(&w, 0, 0.7);
    sync_at(&w, 15, 0.35);
    assert_true(w.plan.write && w.plan.replicas == 2);
    core_plan_postpone(&w.plan);
    core_explain(&w.spec, &w.plan);
    assert_false(w.plan.write);
    assert_string_equal(w.plan.message, "Waiting to scale down 4 -> 2: cpu is at 35 % of the request, target 70 %; as "
                                        "many targets shrink at once as the operator lets.");
    const char *names[CORE_N_LIMITS];
    assert_int_equal(core_limit_names(w.plan.limits, names), 1);
    assert_string_equal(names[0], "GlobalShrinkBudget");
    world_done(&w);
}

/* Before anything has been learnt it is an HPA: from the first sync on, and nothing is lowered at once. */
static void test_cold_start(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.live = 10;
    plan_is(sync_at(&w, 0, 0.1), 10, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_STABILIZED_DOWN);
    assert_true(w.plan.predicted == -1 && !w.plan.forecast_trusted);
    plan_is(sync_at(&w, 15, 1.0), 15, CORE_REASON_METRIC_ABOVE_TARGET, 0);
    world_done(&w);
}

/* A raise that is due goes where the forecast will ask for anyway; a reduction waits while the forecast is likely to
 * undo it. */
static struct demand *forecast_of(struct world *w, double quantile, double ahead)
{
    struct demand *d = core_state_demand(w->state, "cpu");
    d->trusted = d->usable = true;
    d->quantile = quantile;
    d->ahead = ahead;
    return d;
}

static void test_raise_ahead(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.live = 10; /* target 0.7 cores, capacity 1 core */
    const struct {
        double usage, ahead;
        bool trusted;
        int32_t max, want, raised;
    } rows[] = {
        {0.70, 20, true, 50, 10, 10},  /* nothing is due */
        {0.84, 0, true, 50, 12, 12},   /* and nothing more comes */
        {0.84, 8.7, true, 50, 13, 13}, /* 8.7 / 0.7 */
        {0.84, 20, true, 50, 13, 13},  /* 29, but not above 130 % */
        {0.84, 20, false, 50, 12, 12}, /* not trusted */
        {0.84, 20, true, 12, 12, 13},  /* within the bounds */
        {1.40, 20, true, 50, 20, 20},  /* the need itself has no such limit */
    };
    for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
        core_state_free(w.state);
        w.spec.max_replicas = rows[i].max;
        w.state = core_state_new(&w.spec);
        w.live = 10;
        forecast_of(&w, 0, rows[i].ahead)->trusted = rows[i].trusted;
        const struct core_plan *p = sync_at(&w, 15 * i, rows[i].usage);
        assert_int_equal(p->replicas, rows[i].want);
        assert_int_equal(p->raised, rows[i].raised);
        assert_true((stage(p, "Ahead") != NULL) == (p->raised > p->raw));
        if (p->raised > p->raw)
            assert_int_equal(stage(p, "Ahead")->replicas, p->raised);
    }
    world_done(&w);
}

static void test_hold(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.down.stabilization_s = 0;
    const struct {
        double quantile, ahead;
        bool trusted, chosen;
        int32_t want, held;
    } rows[] = {
        {0, 0, true, false, 5, false},   /* 3.5 cores are used by 10: need 5 */
        {0, 7, true, false, 10, true},   /* 10 again */
        {0, 6.2, true, false, 10, true}, /* 9: nearly */
        {0, 5.5, true, false, 8, true},  /* half of the way */
        {0, 500, true, false, 10, true}, /* never above what there is */
        {0, 7, false, false, 5, false},  /* not trusted */
        {0, 7, true, true, 5, false},    /* the user chose the window for trusted forecasts */
        {10, 0, true, false, 10, false}, /* the need itself */
    };
    for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
        core_state_free(w.state);
        w.spec.has_trusted_stabilization = rows[i].chosen;
        w.spec.trusted_stabilization_s = 0;
        w.state = core_state_new(&w.spec);
        w.live = 10;
        forecast_of(&w, rows[i].quantile, rows[i].ahead)->trusted = rows[i].trusted;
        sync_at(&w, 30 * i, 0.7); /* at first sight the live count is in the window */
        const struct core_plan *p = sync_at(&w, 30 * i + 15, 0.35);
        assert_int_equal(p->replicas, rows[i].want);
        assert_int_equal((p->limits & CORE_LIMIT_HELD) != 0, rows[i].held);
        assert_true((stage(p, "Held") != NULL) == rows[i].held);
    }
    world_done(&w);
}

/* It ends at once when the forecast no longer asks for the count: the window has run on meanwhile. */
static void test_hold_ends(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.live = 10;
    forecast_of(&w, 0, 7);
    for (int64_t s = 0; s < 600; s += 15)
        assert_int_equal(sync_at(&w, s, 0.35)->replicas, 10);
    plan_is(&w.plan, 10, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_HELD);
    assert_string_equal(w.plan.message,
                        "Holding 10: cpu is at 35 % of the request, target 70 %; 5 would do now, but 10 "
                        "are likely to be needed within 30 min.");
    forecast_of(&w, 0, 3);
    plan_is(sync_at(&w, 600, 0.35), 5, CORE_REASON_METRIC_BELOW_TARGET, 0);
    world_done(&w);
}

/* The forecast has nothing against a reduction. While the window still asks for nearly the current count, it waits;
 * what a policy permits of a large one is taken, however little it is. */
static void test_hold_for_the_window(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.down.stabilization_s = 300;
    w.live = 20;
    forecast_of(&w, 0, 4);
    for (int64_t s = 0; s <= 300; s += 15)
        assert_int_equal(sync_at(&w, s, 0.6)->replicas, 20); /* 18, and the count at first sight */
    for (int64_t s = 315; s < 600; s += 15)
        plan_is(sync_at(&w, s, 0.35), 20, CORE_REASON_METRIC_BELOW_TARGET,
                CORE_LIMIT_STABILIZED_DOWN | CORE_LIMIT_HELD);
    assert_string_equal(w.plan.message,
                        "Holding 20: cpu is at 35 % of the request, target 70 %; the scale-down window still asks for "
                        "18, too little to change the count for.");
    plan_is(sync_at(&w, 600, 0.35), 10, CORE_REASON_METRIC_BELOW_TARGET, 0);

    core_state_free(w.state);
    w.state = core_state_new(&w.spec);
    w.spec.down.stabilization_s = 0;
    w.spec.down.policies[0] = (struct core_policy){.type = CORE_POLICY_PODS, .value = 1, .period_s = 60};
    w.spec.down.n_policies = 1;
    w.live = 10;
    forecast_of(&w, 0, 2);
    sync_at(&w, 700, 0.7);
    plan_is(sync_at(&w, 715, 0.35), 9, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_SCALE_DOWN_POLICY);
    world_done(&w);
}

/* The clock was ahead by half an hour. What it has seen ends no later than if it had happened now. */
static void test_clock_set_back(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.spec.down.policies[0] = (struct core_policy){.type = CORE_POLICY_PODS, .value = 2, .period_s = 60};
    sync_at(&w, 0, 0.7);
    plan_is(sync_at(&w, 15, 1.05), 6, CORE_REASON_METRIC_ABOVE_TARGET, 0);
    plan_is(sync_at(&w, -1800, 0.1), 6, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_STABILIZED_DOWN);
    plan_is(sync_at(&w, -1741, 0.1), 6, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_STABILIZED_DOWN);
    plan_is(sync_at(&w, -1730, 0.1), 4, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_SCALE_DOWN_POLICY);
    plan_is(sync_at(&w, -1735, 0.1), 4, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_SCALE_DOWN_POLICY);
    plan_is(sync_at(&w, -1675, 0.1), 2, CORE_REASON_METRIC_BELOW_TARGET, CORE_LIMIT_MIN_REPLICAS);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold_for_the_window),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_schedule_bounds),
        cmocka_unit_test(test_schedule_and_need),
        cmocka_unit_test(test_fallback),
        cmocka_unit_test(test_fallback_at_least),
        cmocka_unit_test(test_trusted_window),
        cmocka_unit_test(test_postponed),
        cmocka_unit_test(test_cold_start),
        cmocka_unit_test(test_raise_ahead),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_hold_ends),
        cmocka_unit_test(test_clock_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
