/* Trust and the driving quantile at sync level: loads that a reactive autoscaler is always late for. */
#include "test/unit/core/demand_fixture.h"

#define LEAD 180
#define SYNC 15

struct day {
    uint32_t trusted_s; /* of the day */
    double q_before;    /* mean of Q over the minute before the morning's step */
};

/* 20 until nine and two minutes, 80 until five: the step falls into the middle of a slot. */
static double stepped(int64_t s, double noise, uint64_t *rng)
{
    int64_t in = s % 86400;
    double v = in >= 9 * 3600 + 120 && in < 17 * 3600 ? 80 : 20;
    return v * (1 + noise * (uniform(rng) - 0.5));
}

/* A day of syncs; `at` gives the demand at a second. */
static struct day play_day(struct demand *d, int64_t day, double (*at)(int64_t s, double noise, uint64_t *rng),
                           double noise, uint64_t *rng)
{
    struct day out = {0};
    uint32_t before = 0;
    for (int64_t s = day * 86400; s < (day + 1) * 86400; s += SYNC) {
        int64_t us = T0 / 86400 / S * 86400 * S + s * S;
        (void)demand_observe(d, us, SAMPLE_OF(at(s, noise, rng)), 0, LEAD);
        double q = demand_drive(d, us, LEAD).quantile;
        out.trusted_s += demand_trust(d).trusted ? SYNC : 0;
        int64_t to_step = 9 * 3600 + 120 - s % 86400;
        if (to_step > 0 && to_step <= 60) {
            out.q_before += q;
            before++;
        }
    }
    out.q_before /= before;
    return out;
}

/* The step of the day, at the same second each day: trusted from the third day on however flat the rest of the day is,
 * and much of what is needed after it is asked for before it. */
static void test_step_of_the_day(void **state)
{
    (void)state;
    const struct {
        double noise, before;
    } rows[] = {{0, 45}, {0.01, 45}, {0.05, 33}, {0.1, 75}, {0.2, 80}};
    for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct demand_config c = demand_config_default();
        struct demand *d = demand_new(&c);
        uint64_t rng = 5;
        for (int64_t day = 0; day < 8; day++) {
            struct day out = play_day(d, day, stepped, rows[i].noise, &rng);
            if (day < 2)
                continue;
            assert_int_equal(out.trusted_s, 86400);
            assert_true(out.q_before > rows[i].before);
        }
        demand_free(d);
    }
}

/* Bursts that nobody can foresee: the point forecast is far off, the quantile is not. */
static double bursty(int64_t s, double noise, uint64_t *rng)
{
    double u = uniform(rng), base = daily(s / 300, 288);
    return base * (1 + noise * u * u * u);
}

static void test_restless_load(void **state)
{
    (void)state;
    const double noises[] = {1, 3, 6, 12};
    for (uint32_t i = 0; i < ARRAY_SIZE(noises); i++) {
        struct demand_config c = demand_config_default();
        struct demand *d = demand_new(&c);
        uint64_t rng = 5;
        for (int64_t day = 0; day < 7; day++) {
            struct day out = play_day(d, day, bursty, noises[i], &rng);
            assert_true(day < 2 || out.trusted_s == 86400);
        }
        assert_true(i < 3 || demand_trust(d).error_percent > c.max_error_percent);
        assert_in_range(demand_trust(d).coverage_percent, 87, 93); /* 90 was asked for */
        demand_free(d);
    }
}

/* Pods may take longer to start than the horizon reaches: then the forecast drives as far as it goes, and what comes in
 * whole windows is learned all the same. */
static void test_lead_beyond_the_horizon(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    c.interval_s = 10;
    c.slots = 720;
    c.horizon = 12;
    struct demand *d = demand_new(&c);
    uint64_t rng = 3;
    bool usable = false;
    for (int64_t s = 0; s < 3600; s += 5) {
        (void)demand_observe(d, T0 + s * S, SAMPLE_OF(10 * (1 + 0.1 * (uniform(&rng) - 0.5))), 0, 2 * LEAD);
        struct demand_drive drive = demand_drive(d, T0 + s * S, 2 * LEAD);
        assert_true(drive.usable || !usable);
        usable = drive.usable;
    }
    assert_true(usable);
    double q = demand_drive(d, T0 + 3600 * S, 2 * LEAD).quantile;
    if (q < 9.9 || q > 12)
        fail_msg("Q is %g", q);
    demand_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step_of_the_day),
        cmocka_unit_test(test_restless_load),
        cmocka_unit_test(test_lead_beyond_the_horizon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
