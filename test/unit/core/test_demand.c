/* The demand of one metric from outside: it learns what there is to learn, and whatever comes in, what goes out is
 * finite, ordered and not negative. */
#include "test/unit/core/demand_fixture.h"

#include "core/anomaly.h"

static double forty_two(int64_t t)
{
    (void)t;
    return 42;
}

static double nothing(int64_t t)
{
    (void)t;
    return 0;
}

static double hourly_peaks(int64_t t)
{
    uint64_t rng = (uint64_t)t * 977 + 1;
    return (t % 13 == 4 ? 80 : 10) + uniform(&rng);
}

static double one_spike(int64_t t)
{
    return t == 3 * DAY - 7 ? 1e6 : daily(t, DAY);
}

static double level_shift(int64_t t)
{
    return t < 6 * DAY - 24 ? 10 : 90;
}

static void test_learns_a_day(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    const uint32_t lead = 180;
    for (int64_t t = 0; t < 10 * DAY; t++) {
        demand_push_slot(d, t, daily(t, DAY), lead);
        enum forecast_model want = t < 11            ? FORECAST_LEVEL
                                   : t < DAY - 1     ? FORECAST_TREND
                                   : t < 2 * DAY - 1 ? FORECAST_SHAPE
                                                     : FORECAST_SEASONAL;
        if (t % 7 == 0)
            assert_int_equal(demand_forecast(d)->model, want);
    }
    const struct forecast *f = demand_forecast(d);
    assert_int_equal(f->n, 72);
    assert_int_equal(f->origin_slot, 10 * DAY);
    assert_int_equal(f->period_s, 86400);
    for (uint32_t h = 0; h < f->n; h++) {
        double truth = daily(f->origin_slot + h, DAY);
        assert_true(fabs((double)f->mean[h] - truth) < 2);
        assert_true((double)f->quantile[0][h] <= truth + 1 && (double)f->quantile[6][h] >= truth - 1);
    }
    assert_int_equal(f->trend, FORECAST_RISING); /* from midnight to the morning */
    assert_in_range(demand_memory(d), 8 * 1024, 14 * 1024);
    struct demand_trust trust = demand_trust(d);
    assert_true(trust.trusted);
    assert_int_equal(trust.reason, TRUST_EARNED);
    demand_free(d);
}

static void test_dropped_forecast_is_made_again(void **state)
{
    (void)state;
    struct demand *d = played(3 * DAY, hourly_peaks);
    const struct forecast *f = demand_forecast(d);
    float mean[72], highest[72];
    assert_int_equal(f->n, 72);
    memcpy(mean, f->mean, sizeof mean);
    memcpy(highest, f->quantile[6], sizeof highest);
    size_t with = demand_memory(d);
    demand_drop_forecast(d);
    assert_true(demand_memory(d) + 2000 < with);
    demand_drop_forecast(d);
    f = demand_forecast(d);
    assert_memory_equal(f->mean, mean, sizeof mean);
    assert_memory_equal(f->quantile[6], highest, sizeof highest);
    demand_free(d);
}

static void test_constant_and_zero(void **state)
{
    (void)state;
    struct demand *d = played(3 * DAY, forty_two);
    check_forecast(d, true);
    const struct forecast *f = demand_forecast(d);
    for (uint32_t h = 0; h < f->n; h++) {
        assert_float_equal(f->mean[h], 42, 1e-3);
        assert_float_equal(f->quantile[6][h], 42, 0.1);
    }
    assert_int_equal(f->trend, FORECAST_STEADY);
    assert_float_equal(demand_drive(d, 3 * DAY * 300 * S, 180).quantile, 42, 0.1);
    demand_free(d);
    d = played(3 * DAY, nothing);
    f = demand_forecast(d);
    for (uint32_t h = 0; h < f->n; h++)
        assert_true(f->mean[h] <= 0 && f->quantile[6][h] <= 0);
    struct demand_drive q = demand_drive(d, 3 * DAY * 300 * S, 180);
    assert_true(q.usable && q.quantile <= 0);
    demand_free(d);
}

static void test_spike_passes(void **state)
{
    (void)state;
    struct demand *d = played(3 * DAY, one_spike);
    const struct forecast *f = demand_forecast(d);
    for (uint32_t h = 0; h < f->n; h++)
        assert_true(f->mean[h] < 1000); /* of a million */
    demand_free(d);
    d = played(5 * DAY, one_spike);
    f = demand_forecast(d);
    for (uint32_t h = 0; h < f->n; h++)
        assert_float_equal(f->mean[h], daily(f->origin_slot + h, DAY), 15);
    demand_free(d);
}

static void test_level_shift_is_followed(void **state)
{
    (void)state;
    struct demand *d = played(6 * DAY, level_shift); /* two hours ago */
    const struct forecast *f = demand_forecast(d);
    assert_true(f->mean[0] > 60);
    assert_true(demand_drive(d, 6 * DAY * 300 * S, 180).quantile > 85);
    demand_free(d);
}

/* The calm before had nothing to teach: what comes after it is not answered with a multiple of itself. */
static void test_level_shift_is_not_overdone(void **state)
{
    (void)state;
    struct demand *d = played(6 * DAY - 24, level_shift);
    for (int64_t t = 6 * DAY - 24; t < 7 * DAY; t++) {
        demand_push_slot(d, t, level_shift(t), 180);
        const struct forecast *f = demand_forecast(d);
        for (uint32_t h = 0; h < f->n; h++)
            assert_true(f->mean[h] > 9 && f->mean[h] < 150);
    }
    demand_free(d);
}

static void test_hourly_peaks_are_found(void **state)
{
    (void)state;
    struct demand *d = played(5 * DAY, hourly_peaks);
    const struct forecast *f = demand_forecast(d);
    for (uint32_t h = 0; h < f->n; h++) {
        bool peak = (f->origin_slot + h) % 13 == 4;
        assert_true(peak ? f->mean[h] > 40 : f->mean[h] < 20);
    }
    demand_free(d);
}

static void test_gap_and_clock(void **state)
{
    (void)state;
    struct demand *d = played(4 * DAY, day_value);
    assert_true(demand_trust(d).trusted);
    int64_t now = (4 * DAY) * 300 * S;
    assert_int_equal(demand_observe(d, now, SAMPLE_OF(20), 0, 180), 0);
    /* backward: nothing happens */
    uint32_t filled = demand_filled_slots(d);
    assert_int_equal(demand_observe(d, now - 1, SAMPLE_OF(1e9), 0, 180), 0);
    assert_int_equal(demand_observe(d, now, SAMPLE_OF(1e9), 0, 180), 0);
    assert_int_equal(demand_filled_slots(d), filled);
    /* ten hours of silence are no data, and distrust */
    now += 36000 * S;
    assert_int_equal(demand_observe(d, now, SAMPLE_OF(90), 0, 180), 120);
    int64_t first;
    float h[200];
    assert_int_equal(demand_history(d, &first, h, 200), 200);
    assert_true(isnan(h[199]) && isnan(h[82]) && !isnan(h[80]));
    assert_int_equal(demand_trust(d).reason, TRUST_STALE);
    assert_false(demand_trust(d).trusted);
    check_forecast(d, true);
    check_drive(d, now, 180);
    assert_true(demand_drive(d, now, 180).quantile >= 90);
    /* a leap of ten years */
    now += INT64_C(315360000) * S;
    (void)demand_observe(d, now, SAMPLE_OF(7), 0, 180);
    assert_int_equal(demand_filled_slots(d), 0);
    check_forecast(d, true);
    check_drive(d, now, 180);
    assert_true(demand_drive(d, now, 180).usable);
    /* and times that are none */
    assert_int_equal(demand_observe(d, INT64_MAX, SAMPLE_OF(7), 0, 180), 0);
    demand_free(d);
}

static void test_first_samples(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    assert_int_equal(demand_forecast(d)->n, 0);
    assert_false(demand_drive(d, T0, 180).usable);
    assert_int_equal(demand_trust(d).reason, TRUST_NO_HISTORY);
    int64_t now = T0;
    for (uint32_t i = 0; i < 200; i++, now += 15 * S) {
        (void)demand_observe(d, now, SAMPLE_OF(30 + i % 5), 0, 180);
        check_forecast(d, true);
        check_drive(d, now, 180);
        assert_false(demand_trust(d).trusted);
    }
    assert_int_equal(demand_filled_slots(d), 9);
    const struct forecast *f = demand_forecast(d);
    assert_int_equal(f->model, FORECAST_LEVEL);
    assert_float_equal(f->mean[71], 32, 2);
    assert_true(f->quantile[6][71] - f->quantile[0][71] > 4); /* it can't know, and says so */
    demand_free(d);
}

static void test_odd_values(void **state)
{
    (void)state;
    struct demand_config c = small(10, 400, 72, 2880);
    const double odd[] = {(double)NAN, (double)INFINITY, 1e308, 5e-324, 0, 3.4e38, 1e-40};
    struct demand *d = demand_new(&c);
    int64_t now = T0;
    for (uint32_t i = 0; i < 3000; i++, now += 5 * S) {
        (void)demand_observe(d, now, SAMPLE_OF(i % 11 ? 5 : odd[i / 11 % ARRAY_SIZE(odd)]), 0, 30);
        check_drive(d, now, 30);
        if (i % 17 == 0)
            check_forecast(d, true);
    }
    demand_free(d);
    /* negative ones, offline only: nothing is clipped */
    c = demand_config_default();
    d = demand_new(&c);
    for (int64_t t = 0; t < 3 * DAY; t++)
        demand_push_slot(d, t, daily(t, DAY) - 60, 180);
    check_forecast(d, false);
    assert_true(demand_forecast(d)->mean[0] < -20);
    demand_free(d);
}

static void test_censored(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    int64_t now = T0;
    double v = 20;
    for (uint32_t i = 0; i < 4000; i++, now += 15 * S) /* grows by a third an hour, starts over, six times */
        (void)demand_observe(d, now, SAMPLE_OF(v = i % 700 ? v * 1.0012 : 20), 0, 300);
    double before = demand_drive(d, now, 300).quantile;
    for (uint32_t i = 0; i < 40; i++, now += 15 * S) { /* saturated for ten minutes */
        struct sample limit = {.kind = SAMPLE_VALUE, .value = v, .censored = true};
        (void)demand_observe(d, now, limit, 0, 300);
    }
    struct demand_drive q = demand_drive(d, now, 300);
    assert_true(q.quantile > v); /* growth is not taken to have stopped */
    assert_true(q.quantile > before - 0.5 * (before - v));
    demand_free(d);
}

/* Excluded samples leave no more of a trace than a gap. */
static void test_excluded(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *a = demand_new(&c), *b = demand_new(&c);
    int64_t now = T0;
    for (uint32_t i = 0; i < 5 * 1440; i++, now += 60 * S) {
        bool odd = i >= 3 * 1440 + 600 && i < 3 * 1440 + 660;
        double v = daily(now / S / 300, DAY);
        (void)demand_observe(a, now, SAMPLE_OF(odd ? 900 : v), odd ? DEMAND_EXCLUDE : 0, 180);
        (void)demand_observe(b, now, odd ? SAMPLE_NONE : SAMPLE_OF(v), 0, 180);
    }
    const struct forecast *fa = demand_forecast(a), *fb = demand_forecast(b);
    assert_memory_equal(fa->mean, fb->mean, fa->n * sizeof *fa->mean);
    assert_true(demand_filled_slots(a) > demand_filled_slots(b)); /* shown all the same */
    demand_free(a);
    demand_free(b);
}

/* What one anomaly sets aside is no outage; a slot more without anything to learn from is. */
static void test_trust_outlives_an_anomaly(void **state)
{
    (void)state;
    struct demand *d = played(4 * DAY, day_value);
    assert_true(demand_trusted(d));
    int64_t slot = 4 * DAY;
    for (uint32_t i = 0; i <= ANOMALY_MAX_EXCLUDED; i++, slot++) {
        (void)demand_observe(d, slot * 300 * S, SAMPLE_OF(900), DEMAND_EXCLUDE, 180);
        assert_true(demand_trusted(d));
    }
    assert_int_equal(demand_trust(d).reason, TRUST_EARNED);
    (void)demand_observe(d, slot * 300 * S, SAMPLE_NONE, 0, 180);
    assert_false(demand_trusted(d));
    assert_int_equal(demand_trust(d).reason, TRUST_STALE);
    demand_free(d);
}

static void test_all_sizes(void **state)
{
    (void)state;
    const uint32_t slots[] = {12, 13, 37, 288, 289, 575, 576, 2016, 4032}, horizons[] = {1, 2, 5, 12, 71, 288};
    for (uint32_t i = 0; i < ARRAY_SIZE(slots); i++)
        for (uint32_t j = 0; j < ARRAY_SIZE(horizons); j++) {
            struct demand_config c = small(300, slots[i], horizons[j], 0);
            struct demand *d = demand_new(&c);
            for (int64_t t = 0; t < MIN(slots[i] + 40, 1000u); t++) {
                demand_push_slot(d, t, daily(t, DAY), 400);
                if (t % 97 == 0)
                    check_forecast(d, true);
                check_drive(d, (t + 1) * 300 * S, 400);
            }
            float h[4032];
            int64_t first;
            uint32_t n = demand_history(d, &first, h, 4032);
            assert_int_equal(n, MIN(MIN(slots[i] + 40, 1000u), slots[i]));
            assert_float_equal(h[n - 1], daily(first + n - 1, DAY), 1e-3);
            assert_float_equal(h[0], daily(first, DAY), 1e-3);
            demand_free(d);
        }
}

/* Demand that doubles in ten minutes, four times over, once a day at another hour; pods take seven minutes.
 * The last value never covers what comes; the driving quantile must, mostly, once it has seen a few such
 * days. */
static void test_exponential_ramps(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    const uint32_t lead = 420, per_day = 5760;
    double *v = calloc((size_t)per_day * 8, sizeof *v);
    assert_non_null(v);
    for (uint32_t i = 0; i < per_day * 8; i++) {
        uint32_t day = i / per_day, at = i % per_day, from = 600 + 613 * (day * 5 % 8);
        v[i] = 10;
        if (at >= from && at < from + 160) /* 40 minutes up */
            v[i] = 10 * pow(2, (at - from) / 40.0);
        else if (at >= from + 160 && at < from + 480)
            v[i] = 160 - 150 * (at - from - 160) / 320.0;
    }
    uint32_t up = 0, covered = 0;
    for (uint32_t i = 0; i + lead / 15 < per_day * 8; i++) {
        int64_t now = T0 + (int64_t)i * 15 * S;
        (void)demand_observe(d, now, SAMPLE_OF(v[i]), 0, lead);
        if (i < 4 * per_day || v[i] < 14 || v[i + lead / 15] < 1.3 * v[i])
            continue;
        up++;
        covered += demand_drive(d, now, lead).quantile >= 0.95 * v[i + lead / 15];
    }
    free(v);
    demand_free(d);
    assert_true(up > 200);
    assert_true(covered > 0.7 * up);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_a_day),
        cmocka_unit_test(test_dropped_forecast_is_made_again),
        cmocka_unit_test(test_constant_and_zero),
        cmocka_unit_test(test_spike_passes),
        cmocka_unit_test(test_level_shift_is_followed),
        cmocka_unit_test(test_level_shift_is_not_overdone),
        cmocka_unit_test(test_hourly_peaks_are_found),
        cmocka_unit_test(test_gap_and_clock),
        cmocka_unit_test(test_first_samples),
        cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_censored),
        cmocka_unit_test(test_excluded),
        cmocka_unit_test(test_trust_outlives_an_anomaly),
        cmocka_unit_test(test_all_sizes),
        cmocka_unit_test(test_exponential_ramps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
