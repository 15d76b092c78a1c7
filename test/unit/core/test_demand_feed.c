/* What is odd about the feed, not about the workload: clocks, sampling, restarts, resets, the first samples. */
#include "core/demand_impl.h"
#include "test/unit/core/demand_fixture.h"

static double at_time(int64_t us)
{
    int64_t slot = us / (300 * S);
    double share = (double)(us % (300 * S)) / (300.0 * S);
    return (1 - share) * daily(slot, DAY) + share * daily(slot + 1, DAY);
}

/* Feeds from `now` for `hours` at steps of `step_s`; gives the time after it. */
static int64_t feed(struct demand *d, int64_t now, double hours, uint32_t step_s, uint64_t *rng)
{
    for (int64_t end = now + (int64_t)(hours * 3600) * S; now < end; now += step_s * S) {
        double v = at_time(now) * (0.95 + 0.1 * uniform(rng));
        (void)demand_observe(d, now, SAMPLE_OF(v), 0, 180);
    }
    return now;
}

static double mean_error(struct demand *d)
{
    const struct forecast *f = demand_forecast(d);
    double error = 0, actual = 0;
    for (uint32_t h = 0; h < f->n; h++) {
        double y = at_time((f->origin_slot + h) * 300 * S + 150 * S);
        error += fabs(y - (double)f->mean[h]);
        actual += y;
    }
    assert_true(f->n > 0);
    return error / actual;
}

static void test_sampling_changes(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    uint64_t rng = 7;
    int64_t now = feed(d, T0, 96, 15, &rng);
    const uint32_t steps[] = {60, 5, 120, 30, 299, 17};
    for (uint32_t i = 0; i < ARRAY_SIZE(steps); i++) {
        now = feed(d, now, 9, steps[i], &rng);
        assert_true(mean_error(d) < 0.05);
        assert_true(demand_trust(d).trusted);
        assert_in_range(demand_trust(d).coverage_percent, 80, 100);
        double q = demand_drive(d, now, 180).quantile;
        assert_true(q > 0.97 * at_time(now) && q < 1.25 * at_time(now + 180 * S));
    }
    demand_free(d);
}

static void test_clock_steps(void **state)
{
    (void)state;
    static const struct {
        int64_t step_s;
        uint32_t kept; /* slots with a value afterwards, of 4 days */
    } rows[] = {
        {-1, 1152},
        {-600, 1152}, /* ignored, until it has caught up */
        {-3600, 1140},
        {-86400, 864},
        {-3 * 86400, 288}, /* what lay after it goes */
        {-5 * 86400, 0},
        {-INT64_C(9) * 365 * 86400, 0}, /* and with it everything */
        {600, 1152},
        {86400, 1152},
        {4 * 86400, 864}, /* a gap, and old slots leave the ring */
        {INT64_C(9) * 365 * 86400, 0},
    };
    for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct demand_config c = demand_config_default();
        struct demand *d = demand_new(&c);
        uint64_t rng = 7;
        int64_t now = feed(d, T0, 96, 30, &rng) + rows[i].step_s * S;
        (void)demand_observe(d, now, SAMPLE_OF(50), 0, 180);
        assert_in_range(demand_filled_slots(d) + 2, rows[i].kept, rows[i].kept + 3);
        check_forecast(d, true);
        check_drive(d, now, 180);
        /* a day later all is well again */
        now = feed(d, now, 24, 30, &rng);
        assert_true(demand_filled_slots(d) >= DAY - 1);
        assert_true(rows[i].kept < DAY || mean_error(d) < 0.05);
        demand_free(d);
    }
}

/* One wrong second must not cost what was learned for good: years ahead, and back. */
static void test_clock_comes_back(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    uint64_t rng = 7;
    int64_t now = feed(d, T0, 48, 30, &rng);
    (void)demand_observe(d, now + INT64_C(86400) * 3 * S, SAMPLE_OF(1), 0, 180);
    now = feed(d, now, 1, 30, &rng);
    assert_true(demand_filled_slots(d) > 2 * DAY);
    assert_int_equal(d->last_us, now - 30 * S);
    assert_true(mean_error(d) < 0.06);
    (void)demand_observe(d, now + INT64_C(86400) * 36500 * S, SAMPLE_OF(1), 0, 180);
    now = feed(d, now, 2, 30, &rng);
    assert_int_equal(demand_filled_slots(d), 23);
    check_drive(d, now, 180);
    demand_free(d);
}

/* The counter behind a rate starts over: one sample of nothing, or one far too large. */
static void test_counter_resets(void **state)
{
    (void)state;
    for (uint32_t large = 0; large < 2; large++) {
        struct demand_config c = demand_config_default();
        struct demand *d = demand_new(&c);
        uint64_t rng = 7;
        int64_t now = feed(d, T0, 72, 30, &rng);
        for (uint32_t i = 0; i < 8; i++) { /* eight restarts a day */
            (void)demand_observe(d, now, SAMPLE_OF(large ? 4000 : 0), 0, 180);
            now = feed(d, now + 30 * S, 3, 30, &rng);
            assert_true(mean_error(d) < (large ? 0.25 : 0.05));
        }
        demand_free(d);
    }
}

static void test_restart(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c), *copy = demand_new(&c);
    uint64_t rng = 7;
    int64_t now = feed(d, T0, 80, 15, &rng);
    _cleanup_(buf_done) struct buf bytes = BUF_INIT(1 << 20);
    struct codec_writer w = {&bytes};
    demand_encode_tail(d, &w);
    struct codec_reader r = codec_reader(bytes.data, bytes.len);
    assert_int_equal(demand_decode_tail(copy, &r), 0);
    for (int64_t i = demand_first_segment(d); i < demand_open_segment(d); i++) {
        _cleanup_(buf_done) struct buf part = BUF_INIT(1 << 20);
        struct codec_writer pw = {&part};
        demand_encode_segment(d, i, &pw);
        struct codec_reader pr = codec_reader(part.data, part.len);
        assert_int_equal(demand_decode_segment(copy, i, &pr), 0);
    }
    demand_decode_done(copy);
    demand_free(d);
    /* twenty minutes without an operator */
    now = feed(copy, now + 1200 * S, 1, 15, &rng);
    assert_true(demand_trust(copy).trusted);
    assert_true(mean_error(copy) < 0.05);
    demand_free(copy);
}

/* The first two days: whatever the model, most of what comes is inside of the interval, and nobody trusts it before
 * there is a day to go by. */
static void test_first_days(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    uint64_t rng = 11;
    double inside[5] = {0}, points[5] = {0};
    for (int64_t t = 0; t < 3 * DAY; t++) {
        const struct forecast *f = demand_forecast(d);
        for (uint32_t h = 0; h < f->n; h += 7) {
            double y = daily(t + h, DAY);
            inside[f->model] += y >= (double)f->quantile[0][h] && y <= (double)f->quantile[6][h];
            points[f->model]++;
        }
        assert_true(!demand_trust(d).trusted || t >= DAY);
        demand_push_slot(d, t, daily(t, DAY) * (0.9 + 0.2 * uniform(&rng)), 180);
    }
    for (uint32_t i = FORECAST_LEVEL; i <= FORECAST_SEASONAL; i++) {
        assert_true(inside[i] > (i == FORECAST_LEVEL ? 0.4 : 0.9) * points[i]);
    }
    demand_free(d);
}

static uint32_t period_found(double (*value)(int64_t t, uint32_t p, uint64_t *rng), uint32_t p, uint64_t seed)
{
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    uint64_t rng = seed;
    for (int64_t t = 0; t < 4 * DAY; t++)
        demand_push_slot(d, t, value(t, p, &rng), 180);
    uint32_t found = d->model.period.found;
    demand_free(d);
    return found;
}

static double peaks(int64_t t, uint32_t p, uint64_t *rng)
{
    return 20 + 4 * uniform(rng) + (t % p < MAX(1u, p / 6) ? 30 : 0);
}

static double noise_only(int64_t t, uint32_t p, uint64_t *rng)
{
    (void)t, (void)p;
    double u = uniform(rng);
    return 20 + 30 * u * u * u;
}

static double day_and_noise(int64_t t, uint32_t p, uint64_t *rng)
{
    (void)p;
    return daily(t, DAY) * (0.8 + 0.4 * uniform(rng));
}

static void test_periods(void **state)
{
    (void)state;
    /* Those that divide the day are in its profile already; of the others a multiple serves as well. */
    const uint32_t periods[] = {7, 13, 29, 60};
    for (uint32_t i = 0; i < ARRAY_SIZE(periods); i++) {
        uint32_t found = period_found(peaks, periods[i], i + 1);
        assert_true(found > 0 && found % periods[i] == 0);
    }
    double (*const without[])(int64_t t, uint32_t p, uint64_t * rng) = {noise_only, day_and_noise};
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < ARRAY_SIZE(without); i++)
        for (uint64_t seed = 1; seed <= 25; seed++)
            wrong += period_found(without[i], 0, seed * 31) > 0;
    assert_true(wrong <= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampling_changes), cmocka_unit_test(test_clock_steps),
        cmocka_unit_test(test_clock_comes_back), cmocka_unit_test(test_counter_resets),
        cmocka_unit_test(test_restart),          cmocka_unit_test(test_first_days),
        cmocka_unit_test(test_periods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
