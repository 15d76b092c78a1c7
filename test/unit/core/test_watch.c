/* Anomalies in the whole core, on the real model: what is kept from training, what is held and for how long, what is
 * set aside, that checkpoints change nothing, and what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/condition.h"
#include "core/explain.h"
#include "core/state.h"

#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define DAY    288
#define DAYS   9

struct play {
    struct core_spec spec;
    struct core_state *state;
    struct core_plan plan;
    int64_t time_us;
    int32_t live;
    uint64_t dice;
};

static void play_init(struct play *p, enum anomaly_mode mode)
{
    *p = (struct play){
        .spec = core_spec_default(), .time_us = INT64_C(1700006400) * SECOND, .live = 5, .dice = 88172645463325252u};
    p->spec.max_replicas = 100;
    p->spec.sync_period_s = 300;
    p->spec.anomaly = (struct core_anomaly_spec){.mode = mode, .sensitivity = ANOMALY_SENSITIVITY_MEDIUM, .seed = 7};
    p->spec.metrics[0] = (struct core_metric_spec){.name = "requests",
                                                   .kind = CORE_METRIC_TOTAL,
                                                   .source = CORE_SOURCE_EXTERNAL,
                                                   .target_type = CORE_TARGET_AVERAGE_VALUE,
                                                   .target_milli = 10000,
                                                   .forecast = true};
    p->state = core_state_new(&p->spec);
}

static void play_done(struct play *p)
{
    core_state_free(p->state);
}

/* A smooth day between 50 and 150, and a little noise. */
static double usual(struct play *p)
{
    double x = (double)(p->time_us / SECOND / 300 % DAY) / DAY * 2 - 1;
    p->dice ^= p->dice << 13;
    p->dice ^= p->dice >> 7;
    p->dice ^= p->dice << 17;
    return 50 + 100 * (1 - x * x) + (double)(p->dice % 1000) / 250;
}

/* A sync; each closes a slot. */
static void step(struct play *p, double demand)
{
    struct core_pod pods[1] = {{.phase = CORE_POD_RUNNING, .ready = CORE_READY_TRUE}};
    struct core_observation seen = {.time_us = p->time_us,
                                    .spec_replicas = p->live,
                                    .status_replicas = p->live,
                                    .pods = pods,
                                    .n_pods = 1,
                                    .n_metrics = 1,
                                    .metrics = {{.kind = SAMPLE_VALUE, .value_milli = core_milli(demand)}}};
    core_step(&p->spec, p->state, &seen, &p->plan);
    core_explain(&p->spec, &p->plan);
    if (p->plan.write) {
        core_applied(&p->spec, p->state, p->time_us, p->live, p->plan.replicas);
        p->live = p->plan.replicas;
    }
    p->time_us += 300 * SECOND;
}

/* To the noon of the tenth day, where there are about 15 pods. */
static void warm_up(struct play *p)
{
    for (int i = 0; i < DAYS * DAY + DAY / 2; i++)
        step(p, usual(p));
    assert_false(p->plan.anomaly.is_anomaly);
    assert_in_range(p->live, 14, 20);
}

static const struct core_stage *stage(const struct core_plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->n_stages; i++)
        if (strcmp(plan->stages[i].name, name) == 0)
            return &plan->stages[i];
    return NULL;
}

static uint32_t excluded(const struct play *p, uint32_t last)
{
    const struct series *s = demand_series(p->state->metrics[0].demand);
    uint32_t n = 0;
    for (uint32_t i = 1; i <= last; i++)
        n += (series_marks(s, s->next - i) & SERIES_EXCLUDED) != 0;
    return n;
}

static void holds_what_would_be_lowered_for_half_an_hour(void **state)
{
    (void)state;
    struct play p, other;
    play_init(&p, ANOMALY_HOLD_SCALE_DOWN);
    play_init(&other, ANOMALY_EXCLUDE_SAMPLES);
    warm_up(&p);
    warm_up(&other);
    int32_t before = p.live;
    int held = 0, lowered = 0;
    for (int i = 0; i < 24; i++) {
        step(&p, 1);
        step(&other, 1);
        if (p.plan.anomaly.holds) {
            assert_true(p.plan.anomaly.is_anomaly && p.plan.anomaly.since_us > 0);
            assert_int_equal(p.plan.replicas, before);
            assert_true(p.live >= other.live);
        }
        if (p.plan.limits & CORE_LIMIT_ANOMALY) {
            held++;
            assert_non_null(stage(&p.plan, "Anomaly"));
            assert_int_equal(stage(&p.plan, "Anomaly")->replicas, before);
            assert_non_null(strstr(p.plan.message, "so nothing is lowered for now"));
            const char *names[CORE_N_LIMITS];
            assert_string_equal(names[core_limit_names(p.plan.limits, names) - 1], "Anomaly");
        }
        lowered += p.live < before;
    }
    assert_in_range(held, 1, 6); /* syncs of 5 minutes */
    assert_true(lowered > 12);
    struct core_condition c;
    core_condition_anomaly(&p.spec, &p.plan, &c);
    assert_true(c.known && c.status && strcmp(c.reason, "Anomaly") == 0);
    play_done(&p);
    play_done(&other);
}

/* The clock was ahead when the episode began: what it holds would be held until the clock has come back there. */
static void a_clock_that_is_set_back_ends_the_hold(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, ANOMALY_HOLD_SCALE_DOWN);
    warm_up(&p);
    for (int i = 0; i < 4 && !p.plan.anomaly.holds; i++)
        step(&p, 1);
    assert_true(p.plan.anomaly.holds);
    p.time_us -= 30 * 86400 * SECOND;
    step(&p, 1);
    assert_true(p.plan.anomaly.since_us <= p.plan.time_us);
    assert_false(p.plan.anomaly.holds);
    play_done(&p);
}

static void nothing_is_said_of_what_is_not_forecast(void **state)
{
    (void)state;
    struct play p;
    struct core_condition c;
    play_init(&p, ANOMALY_HOLD_SCALE_DOWN);
    step(&p, 50);
    core_condition_anomaly(&p.spec, &p.plan, &c);
    assert_string_equal(c.reason, "NoAnomaly");
    p.spec.metrics[0].forecast = false;
    step(&p, 50);
    core_condition_anomaly(&p.spec, &p.plan, &c);
    assert_true(c.known && !c.status);
    assert_string_equal(c.reason, "NotWatched");
    play_done(&p);
}

static void what_lasts_is_trained_on(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, ANOMALY_EXCLUDE_SAMPLES);
    warm_up(&p);
    assert_true(excluded(&p, DAY) <= 12); /* ordinary days lose next to nothing */
    for (int i = 0; i < 2 * DAY; i++)
        step(&p, usual(&p) + 400);
    uint32_t n = excluded(&p, 2 * DAY);
    assert_in_range(n, 1, 2 * ANOMALY_MAX_EXCLUDED);
    assert_int_equal(excluded(&p, DAY / 2), 0);
    assert_false(p.plan.anomaly.is_anomaly);
    play_done(&p);
}

static void sets_the_forecast_aside(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, ANOMALY_REACTIVE_ONLY);
    warm_up(&p);
    assert_true(p.plan.predicted >= 0 && p.plan.set_aside < 0);
    int aside = 0;
    for (int i = 0; i < 12; i++) {
        step(&p, 1);
        aside += p.plan.anomaly.sets_aside;
        assert_true(!p.plan.anomaly.sets_aside || p.plan.predicted < 0);
        assert_false(p.plan.anomaly.holds);
    }
    assert_in_range(aside, 1, 6);
    play_done(&p);
}

static void off_looks_at_nothing(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, ANOMALY_OFF);
    warm_up(&p);
    for (int i = 0; i < 20; i++) {
        step(&p, i % 2 ? 1 : 5000);
        assert_false(p.plan.anomaly.is_anomaly || p.plan.anomaly.score > 0);
    }
    assert_int_equal(excluded(&p, 2000), 0);
    assert_null(p.state->watch.detector);
    play_done(&p);
}

/* A copy through the checkpoint after each step, and one that rests, say what the original says. */
static void checkpoints_and_rests_change_nothing(void **state)
{
    (void)state;
    struct play p, copied, rested;
    play_init(&p, ANOMALY_HOLD_SCALE_DOWN);
    play_init(&copied, ANOMALY_HOLD_SCALE_DOWN);
    play_init(&rested, ANOMALY_HOLD_SCALE_DOWN);
    uint32_t episodes = 0;
    for (int i = 0; i < 330; i++) {
        double odd = i % 110 > 100 ? 1 : i % 97 == 96 ? 4000 : -1;
        struct play *all[] = {&p, &copied, &rested};
        for (int k = 0; k < 3; k++) {
            double v = usual(all[k]);
            step(all[k], odd >= 0 ? odd : v);
            assert_int_equal(all[k]->plan.replicas, p.plan.replicas);
            assert_int_equal(all[k]->plan.limits, p.plan.limits);
            assert_int_equal(all[k]->plan.anomaly.since_us, p.plan.anomaly.since_us);
            assert_memory_equal(&all[k]->plan.anomaly.score, &p.plan.anomaly.score, sizeof p.plan.anomaly.score);
        }
        episodes += p.plan.anomaly.is_anomaly;
        core_rest(rested.state);
        if (i % 3)
            continue;
        _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
        struct error err = ERROR_INIT;
        core_state_encode(copied.state, &b);
        core_state_free(copied.state);
        copied.state = core_state_decode(&copied.spec, b.data, b.len, &err);
        assert_non_null(copied.state);
        core_state_encode(p.state, &again);
        assert_true(b.len == again.len && memcmp(b.data, again.data, b.len) == 0);
    }
    assert_true(episodes > 5);
    play_done(&p);
    play_done(&copied);
    play_done(&rested);
}

/* Another grid of slots, other metrics: begins anew, and does not trip over what was. */
static void a_changed_spec_begins_anew(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, ANOMALY_EXCLUDE_SAMPLES);
    for (int i = 0; i < 400; i++)
        step(&p, usual(&p));
    assert_non_null(p.state->watch.detector);
    p.spec.prediction.interval_s = 600;
    for (int i = 0; i < 100; i++)
        step(&p, usual(&p));
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    struct error err = ERROR_INIT;
    core_state_encode(p.state, &b);
    p.spec.prediction.interval_s = 300; /* changed while nobody ran */
    core_state_free(p.state);
    p.state = core_state_decode(&p.spec, b.data, b.len, &err);
    assert_non_null(p.state);
    assert_null(p.state->watch.detector);
    for (int i = 0; i < 100; i++)
        step(&p, usual(&p));
    p.spec.metrics[0].forecast = false;
    step(&p, usual(&p));
    assert_null(p.state->watch.detector);
    play_done(&p);
}

/* A week that is imported after the first slots have been judged counts at once. */
static void an_imported_history_is_looked_at(void **state)
{
    (void)state;
    struct play p;
    static float week[7 * DAY];
    play_init(&p, ANOMALY_HOLD_SCALE_DOWN);
    for (int i = 0; i < 5; i++)
        step(&p, usual(&p));
    for (int i = 0; i < 7 * DAY; i++) {
        p.time_us -= 300 * SECOND;
        week[7 * DAY - 1 - i] = (float)usual(&p);
    }
    p.time_us += 7 * DAY * 300 * SECOND;
    int64_t now_s = p.time_us / SECOND, first = now_s / 300 - 7 * DAY;
    assert_true(demand_import(p.state->metrics[0].demand, first, week, 7 * DAY, now_s, 180) > 2000);
    step(&p, usual(&p));
    assert_false(p.plan.anomaly.is_anomaly);
    step(&p, 2000);
    step(&p, 2000);
    assert_true(p.plan.anomaly.is_anomaly && p.plan.anomaly.severity == ANOMALY_HIGH);
    play_done(&p);
}

static void memory_at_rest(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, ANOMALY_HOLD_SCALE_DOWN);
    warm_up(&p);
    demand_drop_forecast(p.state->metrics[0].demand);
    core_rest(p.state);
    size_t with = core_state_memory(p.state);
    p.spec.anomaly.mode = ANOMALY_OFF;
    step(&p, usual(&p));
    demand_drop_forecast(p.state->metrics[0].demand);
    size_t without = core_state_memory(p.state);
    print_message("state with 2016 samples: %zu bytes, %zu of them for anomalies\n", with, with - without);
    assert_true(with <= (16 << 10));
    assert_true(with - without <= 1400);
    play_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_would_be_lowered_for_half_an_hour),
        cmocka_unit_test(a_clock_that_is_set_back_ends_the_hold),
        cmocka_unit_test(nothing_is_said_of_what_is_not_forecast),
        cmocka_unit_test(what_lasts_is_trained_on),
        cmocka_unit_test(sets_the_forecast_aside),
        cmocka_unit_test(off_looks_at_nothing),
        cmocka_unit_test(checkpoints_and_rests_change_nothing),
        cmocka_unit_test(a_changed_spec_begins_anew),
        cmocka_unit_test(an_imported_history_is_looked_at),
        cmocka_unit_test(memory_at_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
