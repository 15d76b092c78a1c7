/* The world that autoscalers are judged in: nothing is lost or made in it, its small cases are as computed by hand, and
 * no one who serves everything is cheaper than the oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/simulation.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60
#define DAYS   4

static struct trace make_trace(const double *values, uint32_t n, uint32_t interval_s)
{
    struct trace t;
    trace_make(&t, values, n, interval_s, INT64_C(1714521600000000));
    return t;
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9 * fmax(1, fabs(b))))
        fail_msg("%.12g, not %.12g", a, b);
}

/* ---- the trace ---- */

static void demand_is_linear_between_the_middles(void **state)
{
    (void)state;
    struct trace t = make_trace((const double[]){4, 8}, 2, MINUTE);
    static const double want[] = {4,   4,   4.5, 5.5,
                                  6.5, 7.5, 8,   8}; /* middles at 30 s and 90 s; ticks at 7.5 s, 22.5 s ... */
    assert_int_equal(t.n, 8);
    for (unsigned i = 0; i < 8; i++)
        assert_near(t.demand[i], want[i]);
    trace_done(&t);
}

static void demand_goes_straight_over_gaps(void **state)
{
    (void)state;
    struct trace t = make_trace((const double[]){(double)NAN, 2, (double)NAN, (double)NAN, 8, (double)NAN}, 6, 15);
    static const double want[] = {2, 2, 4, 6, 8};
    assert_int_equal(t.n, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_near(t.demand[i], want[i]);
    trace_done(&t);
}

static void high_is_the_quantile_of_the_rows(void **state)
{
    (void)state;
    double values[1001];
    for (unsigned i = 0; i < 1001; i++)
        values[i] = 1000 - i;
    struct trace t = make_trace(values, 1001, MINUTE);
    assert_near(t.high, 999);
    trace_done(&t);
}

/* ---- pods ---- */

static struct world_options flat(const struct trace *t, uint32_t startup_s)
{
    return (struct world_options){
        .trace = t, .pod_capacity = 1, .startup_min_s = startup_s, .startup_max_s = startup_s, .seed = 1};
}

static void tick(struct world *w, uint32_t replicas)
{
    world_begin(w);
    world_scale(w, replicas);
    world_serve(w);
}

static void a_pod_serves_once_it_has_started_and_is_paid_before(void **state)
{
    (void)state;
    double three[20];
    for (unsigned i = 0; i < 20; i++)
        three[i] = 3;
    struct trace t = make_trace(three, 20, 15);
    struct world_options o = flat(&t, 40); /* ready at the third tick after its creation */
    struct world w;
    world_init(&w, &o, 2);
    for (unsigned i = 0; i < 20; i++)
        tick(&w, i >= 4 ? 3 : 2);
    /* Short from tick 0 to 6: created at tick 4 (60 s), ready at 100 s, which tick 7 (105 s) is the first after. */
    assert_near(w.score.under_provisioned_min, 7 * 0.25);
    assert_near(w.score.unserved, 7);
    assert_near(w.score.served, 20 * 3 - 7);
    assert_near(w.score.ready_capacity, 7 * 2 + 13 * 3);
    assert_near(w.score.pod_hours, (4 * 2 + 16 * 3) * 15 / 3600.0);
    assert_int_equal(w.score.actions, 1);
    world_done(&w);
    trace_done(&t);
}

static void scaling_down_takes_unready_pods_first_then_the_newest(void **state)
{
    (void)state;
    struct trace t = make_trace((const double[40]){1}, 40, 15);
    struct world_options o = flat(&t, 30);
    struct world w;
    world_init(&w, &o, 2);
    tick(&w, 3); /* the third is ready at 30 s */
    tick(&w, 3);
    tick(&w, 5); /* at 30 s: two more, unready until 60 s */
    assert_int_equal(w.n_ready, 3);
    tick(&w, 4); /* one of the unready goes: the newest */
    assert_int_equal(w.n_ready, 3);
    assert_int_equal(w.n, 4);
    tick(&w, 2); /* at 60 s the fourth has become ready; the newest two go */
    assert_int_equal(w.n, 2);
    assert_int_equal(w.n_ready, 2);
    assert_true(w.pods[0].ready_s <= 0 && w.pods[1].ready_s <= 0);
    tick(&w, 4);
    tick(&w, 1); /* both unready, and one ready */
    assert_int_equal(w.n, 1);
    assert_int_equal(w.n_ready, 1);
    world_done(&w);
    trace_done(&t);
}

static void the_metric_is_the_mean_of_a_minute_that_ended_15_s_ago(void **state)
{
    (void)state;
    static const double values[] = {1, 2, 4, 8, 16, 32, 64};
    for (unsigned unsaturated = 0; unsaturated < 2; unsaturated++) {
        struct trace t = make_trace(values, 7, 15);
        struct world_options o = flat(&t, 0);
        struct world w;
        double measured;
        o.unsaturated = unsaturated;
        world_init(&w, &o, 5);
        for (unsigned i = 0; i < 5; i++) {
            assert_false(world_metric(&w, &measured));
            tick(&w, 5);
        }
        assert_true(world_metric(&w, &measured));
        assert_near(measured, unsaturated ? (1 + 2 + 4 + 8) / 4.0 : (1 + 2 + 4 + 5) / 4.0);
        tick(&w, 5);
        assert_true(world_metric(&w, &measured));
        assert_near(measured, unsaturated ? (2 + 4 + 8 + 16) / 4.0 : (2 + 4 + 5 + 5) / 4.0);
        world_done(&w);
        trace_done(&t);
    }
}

static void warm_up_is_not_scored(void **state)
{
    (void)state;
    struct trace t = make_trace((const double[]){9, 9, 9, 9, 1, 1, 1, 1}, 8, 15);
    struct world_options o = flat(&t, 0);
    struct world w;
    o.warmup_ticks = 4;
    world_init(&w, &o, 1);
    for (unsigned i = 0; i < 8; i++)
        tick(&w, i < 4 ? 1 + i : 4);
    assert_int_equal(w.score.ticks, 4);
    assert_near(w.score.unserved, 0);
    assert_near(w.score.demand, 4);
    assert_near(w.score.pod_hours, 4 * 4 * 15 / 3600.0);
    assert_int_equal(w.score.actions, 0);
    world_done(&w);
    trace_done(&t);
}

/* ---- properties ---- */

static uint64_t random_state;
static uint32_t below(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % n;
}

static struct trace random_trace(void)
{
    double values[64];
    for (unsigned i = 0; i < 64; i++)
        values[i] = below(10) ? below(2000) / 100.0 : (double)NAN;
    values[below(64)] = 3;
    return make_trace(values, 64, below(2) ? 15 : 60);
}

static void nothing_is_lost_whatever_is_done(void **state)
{
    (void)state;
    random_state = 7;
    for (unsigned round = 0; round < 300; round++) {
        struct trace t = random_trace();
        struct world_options o = {.trace = &t,
                                  .pod_capacity = 0.1 + below(30) / 10.0,
                                  .startup_min_s = below(100),
                                  .warmup_ticks = below(t.n),
                                  .seed = round};
        o.startup_max_s = o.startup_min_s + below(100);
        struct world w;
        double demand = 0, paid = 0;
        world_init(&w, &o, below(10));
        for (uint32_t i = 0; i < t.n; i++) {
            tick(&w, below(3) ? w.n : below(40));
            demand += i >= o.warmup_ticks ? t.demand[i] : 0;
            paid += i >= o.warmup_ticks ? w.n * 15 / 3600.0 : 0;
            uint32_t ready = 0;
            for (uint32_t k = 0; k < w.n; k++)
                ready += w.pods[k].ready;
            assert_int_equal(ready, w.n_ready);
        }
        assert_near(w.score.demand, demand);
        assert_near(w.score.served + w.score.unserved, demand);
        assert_near(w.score.pod_hours, paid);
        assert_true(w.score.served <= w.score.ready_capacity * (1 + 1e-9) + 1e-9);
        assert_true((w.score.under_provisioned_min > 0) == (w.score.unserved > 0));
        world_done(&w);
        trace_done(&t);
    }
}

/* Who serves everything pays at least what the oracle does; the oracle itself, played, serves everything when pods take
 * exactly the shortest start-up. */
static void the_oracle_is_a_lower_bound_that_is_reached(void **state)
{
    (void)state;
    random_state = 11;
    for (unsigned round = 0; round < 300; round++) {
        struct trace t = random_trace();
        uint32_t startup = below(120), plan[64 * 4], floor = below(3);
        struct world_options o = flat(&t, startup);
        struct world played, other;
        double oracle = 0;
        world_oracle(&o, floor, plan);
        world_init(&played, &o, plan[0]);
        world_init(&other, &o, plan[0] + below(3));
        for (uint32_t i = 0; i < t.n; i++) {
            oracle += plan[i] * 15 / 3600.0;
            tick(&played, plan[i]);
            tick(&other, MAX(other.n, plan[i]) - (other.n > plan[i] && below(2) ? below(2) : 0));
        }
        assert_near(played.score.unserved, 0);
        assert_near(played.score.pod_hours, oracle);
        assert_true(other.score.unserved > 0 || other.score.pod_hours >= oracle * (1 - 1e-12));
        world_done(&played);
        world_done(&other);
        trace_done(&t);
    }
}

/* Every count lower by one at one tick leaves something unserved: there is no cheaper plan. */
static void the_oracle_has_nothing_to_spare(void **state)
{
    (void)state;
    random_state = 13;
    for (unsigned round = 0; round < 20; round++) {
        struct trace t = random_trace();
        uint32_t plan[64 * 4];
        struct world_options o = flat(&t, 30);
        world_oracle(&o, 0, plan);
        for (uint32_t spared = 1; spared < t.n; spared++) {
            struct world w;
            if (plan[spared] == 0)
                continue;
            world_init(&w, &o, plan[0]);
            for (uint32_t i = 0; i < t.n; i++)
                tick(&w, plan[i] - (i == spared));
            assert_true(w.score.unserved > 0);
            world_done(&w);
        }
        trace_done(&t);
    }
}

static void starts_are_within_their_range_and_follow_the_seed(void **state)
{
    (void)state;
    struct trace t = make_trace((const double[4]){1}, 4, 15);
    struct world_options o = {.trace = &t, .pod_capacity = 1, .startup_min_s = 60, .startup_max_s = 120, .seed = 5};
    struct world a, b, c;
    double sum = 0, low = 1e9, high = 0;
    world_init(&a, &o, 0);
    world_init(&b, &o, 0);
    o.seed = 6;
    world_init(&c, &o, 0);
    world_scale(&a, 1000);
    world_scale(&b, 1000);
    world_scale(&c, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        sum += a.pods[i].ready_s;
        low = fmin(low, a.pods[i].ready_s);
        high = fmax(high, a.pods[i].ready_s);
        assert_near(a.pods[i].ready_s, b.pods[i].ready_s);
    }
    assert_true(low >= 60 && low < 61 && high <= 120 && high > 119);
    assert_true(fabs(sum / 1000 - 90) < 2);
    assert_true(fabs(a.pods[0].ready_s - c.pods[0].ready_s) > 1e-6);
    world_done(&a);
    world_done(&b);
    world_done(&c);
    trace_done(&t);
}

static void startup_is_measured_as_the_operator_does(void **state)
{
    (void)state;
    struct trace t = make_trace((const double[64]){1}, 64, 15);
    struct world_options o = flat(&t, 70);
    struct world w;
    world_init(&w, &o, 1);
    tick(&w, 5);
    for (unsigned i = 0; i < 6; i++)
        tick(&w, 5);
    assert_int_equal(w.startup_s, 0); /* four are too few */
    for (unsigned i = 0; i < 6; i++)
        tick(&w, 6);
    assert_int_equal(w.startup_s, 70);
    world_done(&w);
    trace_done(&t);
}

/* ---- simulation ---- */

static struct simulation_run at(double pod_hours, double minutes, double target)
{
    return (struct simulation_run){
        .target_percent = target,
        .score = {.pod_hours = pod_hours, .under_provisioned_min = minutes, .unserved = minutes, .demand = 1000}};
}

static void the_frontier_is_geometric_between_its_runs(void **state)
{
    (void)state;
    const struct simulation_run runs[] = {at(400, 1, 40), at(200, 100, 45), at(100, 400, 50), at(50, 0, 55)};
    struct simulation_match m = simulation_match(runs, 4, 400);
    assert_near(m.under_provisioned_min, 1);
    assert_int_equal(m.outside, 0);
    m = simulation_match(runs, 4, sqrt(400.0 * 200));
    assert_near(m.under_provisioned_min, 10);
    assert_near(m.target_percent, 42.5);
    m = simulation_match(runs, 4, sqrt(200.0 * 100));
    assert_near(m.under_provisioned_min, 200);
    assert_near(m.unserved_share, 0.25);
    m = simulation_match(runs, 4, 401);
    assert_near(m.target_percent, 40);
    assert_int_equal(m.outside, 1);
    m = simulation_match(runs, 4, 49);
    assert_near(m.target_percent, 55);
    assert_int_equal(m.outside, -1);
}

static struct core_spec spec_of(uint32_t target_percent)
{
    struct core_spec spec = core_spec_default();
    spec.min_replicas = 2;
    spec.max_replicas = 100;
    spec.metrics[0].target_percent = (int32_t)target_percent;
    spec.prediction.confidence_percent = 99;
    return spec;
}

/* Four days of a daily wave with ramps that start-up can't follow. */
static struct trace wave(void)
{
    uint32_t n = DAYS * 288;
    double *values = xcalloc(n, sizeof *values);
    for (uint32_t i = 0; i < n; i++) {
        double phase = i % 288 / 288.0;
        values[i] = 20 + 15 * sin(phase * 6.283185307179586) + (phase > 0.4 && phase < 0.45 ? 60 : 0) + (i * 7919u) % 5;
    }
    struct trace t = make_trace(values, n, 300);
    free(values);
    return t;
}

static void simulate_wave(const struct core_spec *spec, const struct trace *t, double pod_capacity, uint64_t seed,
                          bool compare, struct simulation *ret)
{
    struct simulation_options o = {.spec = spec, .compare = compare};
    o.world = (struct world_options){.trace = t,
                                     .pod_capacity = pod_capacity,
                                     .startup_min_s = 60,
                                     .startup_max_s = 120,
                                     .warmup_ticks = (DAYS - 1) * 5760,
                                     .seed = seed};
    simulate(&o, ret);
}

static bool same_score(const struct world_score *a, const struct world_score *b)
{
    return a->ticks == b->ticks && a->actions == b->actions &&
           memcmp(&a->under_provisioned_min, &b->under_provisioned_min, 6 * sizeof(double)) == 0;
}

static void the_same_seed_is_the_same_simulation(void **state)
{
    (void)state;
    struct core_spec spec = spec_of(70);
    struct trace t = wave();
    struct simulation a, b, c;
    simulate_wave(&spec, &t, 2, 1, true, &a);
    simulate_wave(&spec, &t, 2, 1, false, &b);
    simulate_wave(&spec, &t, 2, 2, false, &c);
    assert_true(same_score(&a.own.score, &b.own.score));
    assert_true(same_score(&a.hpa.score, &a.frontier[6].score)); /* the target of 70 % is on the frontier */
    assert_false(same_score(&a.own.score, &c.own.score));
    assert_false(same_score(&a.own.score, &a.hpa.score));
    assert_int_equal(a.own.score.ticks, 5760);
    assert_true(a.own.trusted > 0);
    for (unsigned i = 1; i < SIMULATION_TARGETS - 1; i++)
        assert_true(a.frontier[i].score.pod_hours < a.frontier[i - 1].score.pod_hours);
    trace_done(&t);
}

static void without_a_forecast_we_are_the_hpa(void **state)
{
    (void)state;
    struct core_spec spec = spec_of(60);
    spec.metrics[0].forecast = false;
    struct trace t = wave();
    struct simulation s;
    simulate_wave(&spec, &t, 2, 3, true, &s);
    assert_true(same_score(&s.own.score, &s.hpa.score));
    assert_true(same_score(&s.own.score, &s.frontier[4].score));
    trace_done(&t);
}

/* The worst an advisor does is bounded by its delta, and its record ends it; one that knows the future helps; a mode
 * without an advisor is the same as none. */
static void advisors_worst_and_best(void **state)
{
    (void)state;
    struct trace t = wave();
    struct simulation s[3];
    for (int i = 0; i < 3; i++) {
        struct core_spec spec = spec_of(70);
        spec.advice = (struct advice_config){.mode = ADVICE_BOUNDED, .max_replica_delta = 2, .min_interval_s = 30};
        struct simulation_options o = {.advisor = (enum simulation_advisor)i, .spec = &spec};
        o.world = (struct world_options){
            .trace = &t, .pod_capacity = 2, .startup_min_s = 60, .startup_max_s = 60, .warmup_ticks = 0, .seed = 1};
        simulate(&o, &s[i]);
    }
    struct simulation none;
    struct core_spec spec = spec_of(70);
    struct simulation_options o = {.spec = &spec, .world = s[0].world};
    simulate(&o, &none);
    assert_true(same_score(&s[0].own.score, &none.own.score));
    assert_int_equal(s[0].own.questions, 0);
    const struct simulation_run *hostile = &s[SIMULATION_HOSTILE].own, *clairvoyant = &s[SIMULATION_CLAIRVOYANT].own;
    assert_true(hostile->questions > 10 && hostile->advised_syncs > 0);
    assert_true(hostile->score.pod_hours <= none.own.score.pod_hours + 2 * DAYS * 24);
    assert_true(hostile->advised_syncs < DAYS * 5760 / 20); /* found out */
    assert_true(hostile->score.under_provisioned_min <= none.own.score.under_provisioned_min);
    assert_true(clairvoyant->advised_syncs > 0);
    assert_true(clairvoyant->score.under_provisioned_min < none.own.score.under_provisioned_min);
    trace_done(&t);
}

/* Also a target that is an amount is one of the trace's unit, and is played at the scale of the trace. */
static void the_unit_of_the_trace_does_not_matter(void **state)
{
    (void)state;
    for (unsigned amount = 0; amount < 2; amount++) {
        struct core_spec spec = spec_of(70);
        struct core_metric_spec *m = &spec.metrics[0];
        if (amount)
            *m = (struct core_metric_spec){.name = "cpu",
                                           .target_type = CORE_TARGET_AVERAGE_VALUE,
                                           .target_milli = 1400,
                                           .forecast = true,
                                           .capacity_per_pod = 2};
        struct trace t = wave();
        struct simulation a, b;
        simulate_wave(&spec, &t, 2, 4, false, &a);
        for (uint32_t i = 0; i < t.n; i++)
            t.demand[i] *= 1024;
        m->target_milli *= 1024;
        m->capacity_per_pod *= 1024;
        simulate_wave(&spec, &t, 2048, 4, false, &b);
        assert_near(a.own.target_percent, 70);
        assert_near(b.own.target_percent, 70);
        assert_near(a.own.score.under_provisioned_min, b.own.score.under_provisioned_min);
        assert_near(a.own.score.pod_hours, b.own.score.pod_hours);
        assert_near(a.own.score.unserved * 1024, b.own.score.unserved);
        assert_int_equal(a.own.score.actions, b.own.score.actions);
        trace_done(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(demand_is_linear_between_the_middles),
        cmocka_unit_test(demand_goes_straight_over_gaps),
        cmocka_unit_test(high_is_the_quantile_of_the_rows),
        cmocka_unit_test(a_pod_serves_once_it_has_started_and_is_paid_before),
        cmocka_unit_test(scaling_down_takes_unready_pods_first_then_the_newest),
        cmocka_unit_test(the_metric_is_the_mean_of_a_minute_that_ended_15_s_ago),
        cmocka_unit_test(warm_up_is_not_scored),
        cmocka_unit_test(nothing_is_lost_whatever_is_done),
        cmocka_unit_test(the_oracle_is_a_lower_bound_that_is_reached),
        cmocka_unit_test(the_oracle_has_nothing_to_spare),
        cmocka_unit_test(starts_are_within_their_range_and_follow_the_seed),
        cmocka_unit_test(startup_is_measured_as_the_operator_does),
        cmocka_unit_test(the_frontier_is_geometric_between_its_runs),
        cmocka_unit_test(the_same_seed_is_the_same_simulation),
        cmocka_unit_test(without_a_forecast_we_are_the_hpa),
        cmocka_unit_test(advisors_worst_and_best),
        cmocka_unit_test(the_unit_of_the_trace_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
