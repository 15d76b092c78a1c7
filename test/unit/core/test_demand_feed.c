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
        assert_int_equal(demand_trusted(d), demand_trust(d).trusted);
        demand_push_slot(d, t, daily(t, DAY) * (0.9 + 0.2 * uniform(&rng)), 180);
    }
    for (uint32_t i = FORECAST_LEVEL; i <= FORECAST_SEASONAL; i++) {
        assert_true(inside[i] > (i == FORECAST_LEVEL ? 0.4 : 0.9) * points[i]);
    }
    demand_free(d);
}

/* A configuration that changes while the first slot of all is being filled: that slot stays where it is. */
static void test_changed_in_first_slot(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    int64_t start = INT64_C(1700006400) * S;
    (void)demand_observe(d, start, SAMPLE_OF(7), 0, 180);
    c.slots = 1000;
    demand_reconfigure(d, &c);
    assert_int_equal(demand_observe(d, start + 15 * S, SAMPLE_OF(9), 0, 180), 0);
    assert_int_equal(demand_observe(d, start + 300 * S, SAMPLE_OF(9), 0, 180), 1);
    int64_t first;
    float value;
    assert_int_equal(demand_history(d, &first, &value, 1), 1);
    assert_int_equal(first, start / S / 300);
    assert_true(fabs((double)value - 8) < 1e-6);
    demand_free(d);
}

/* ---- periods ---- */

/* What a series is made from: dice, and whatever goes on from slot to slot. */
struct source {
    uint64_t rng;
    double level;
    uint32_t left;
    uint32_t period;
};
typedef double make_fn(struct source *f, int64_t t);

static double bell(struct source *f)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform(&f->rng);
    return sum;
}

static double peaks(struct source *f, int64_t t)
{
    return MAX(0, 20 + 6 * bell(f) + (t % f->period < MAX(1u, f->period / 6) ? 30 : 0));
}

static double waves(struct source *f, int64_t t)
{
    return MAX(0, 50 + 30 * sin(2 * M_PI * (double)t / f->period) + 6 * bell(f));
}

static double white_noise(struct source *f, int64_t t)
{
    (void)t;
    double u = uniform(&f->rng);
    return 20 + 30 * u * u * u;
}

static double day_and_noise(struct source *f, int64_t t)
{
    return daily(t, DAY) * (0.8 + 0.4 * uniform(&f->rng));
}

static double random_walk(struct source *f, int64_t t)
{
    f->level = t == 0 ? 50 : MAX(5, f->level + 2 * (uniform(&f->rng) - 0.5));
    return f->level;
}

static double autoregressive(struct source *f, int64_t t)
{
    (void)t;
    f->level = 0.9 * f->level + 2 * bell(f);
    return MAX(0, 50 + f->level);
}

static double rare_spikes(struct source *f, int64_t t)
{
    (void)t;
    return 20 + (uniform(&f->rng) < 0.05 ? 300 : 0);
}

static double rare_bursts(struct source *f, int64_t t)
{
    (void)t;
    if (f->left > 0)
        f->left--;
    else if (uniform(&f->rng) < 0.02)
        f->left = 6;
    return 20 + 2 * uniform(&f->rng) + (f->left > 0 ? 100 : 0);
}

static double level_shifts(struct source *f, int64_t t)
{
    if (t == 0 || uniform(&f->rng) < 0.01)
        f->level = 20 + 100 * uniform(&f->rng);
    return f->level * (0.9 + 0.2 * uniform(&f->rng));
}

static double two_levels(struct source *f, int64_t t)
{
    if (t == 0)
        f->level = 20;
    if (uniform(&f->rng) < 0.02)
        f->level = 100 - f->level;
    return f->level + 2 * uniform(&f->rng);
}

static struct demand *fed(make_fn *make, uint32_t period, uint32_t slots, uint32_t days, uint64_t seed, bool *ret_ever)
{
    struct demand_config c = demand_config_default();
    c.slots = slots;
    struct demand *d = demand_new(&c);
    struct source f = {.rng = seed, .period = period};
    *ret_ever = false;
    for (int64_t t = 0; t < days * DAY; t++) {
        demand_push_slot(d, t, make(&f, t), 180);
        *ret_ever |= d->model.period.found > 0;
    }
    return d;
}

/* Of all series without a period, hardly one is given one at any moment of four days. */
static void test_no_period(void **state)
{
    (void)state;
    make_fn *const rows[] = {white_noise, day_and_noise, random_walk,  autoregressive,
                             rare_spikes, rare_bursts,   level_shifts, two_levels};
    const uint32_t slots[] = {2016, DAY};
    for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (uint32_t j = 0; j < ARRAY_SIZE(slots); j++) {
            uint32_t wrong = 0;
            for (uint64_t seed = 1; seed <= 25; seed++) {
                bool ever;
                struct demand *d = fed(rows[i], 0, slots[j], 4, seed * 31, &ever);
                wrong += ever;
                demand_free(d);
            }
            if (wrong > 1)
                fail_msg("row %u with %u slots: %u of 25 series without a period were given one", i, slots[j], wrong);
        }
}

/* Noise of a fifth of what repeats: the period, or a multiple, is found within two days. Those that divide the day are
 * in its profile after that; where only a day is remembered, they stay. */
static void test_periods_found(void **state)
{
    (void)state;
    make_fn *const rows[] = {peaks, waves};
    const uint32_t periods[] = {7, 12, 13, 24, 29, 36, 60, 67, 72};
    for (uint32_t i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(periods); i++)
        for (uint32_t days = 2; days <= 4; days += 2) {
            uint32_t p = periods[i / 2], found = 0, multiple = 0;
            bool divides = DAY % p == 0, ever;
            for (uint64_t seed = 1; seed <= 5; seed++) {
                struct demand *d = fed(rows[i % 2], p, days == 4 && divides ? DAY : 2016, days, seed * 77, &ever);
                uint32_t it = d->model.period.found;
                found += it > 0;
                multiple += it > 0 && it % p == 0;
                demand_free(d);
            }
            if (found < 4 || multiple < 3)
                fail_msg("row %u, period %u, %u days: found %u times of 5, %u times a multiple", i % 2, p, days, found,
                         multiple);
        }
}

/* Batch jobs every hour, every two, every eight, whatever they are found by: the forecast knows when they run. */
static void test_periods_forecast(void **state)
{
    (void)state;
    const uint32_t rows[][2] = {{12, 2}, {12, 4}, {24, 2}, {24, 4}, {96, 2}, {96, 4}, {29, 4}, {60, 4}};
    for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t p = rows[i][0];
        bool ever;
        struct demand *d = fed(peaks, p, 2016, rows[i][1], 5 + i, &ever);
        const struct forecast *f = demand_forecast(d);
        double on = 0, off = 0;
        uint32_t n_on = 0, n_off = 0;
        for (uint32_t h = 0; h < f->n; h++) {
            bool runs = (f->origin_slot + h) % p < p / 6;
            *(runs ? &on : &off) += (double)f->mean[h];
            *(runs ? &n_on : &n_off) += 1;
        }
        if (n_on > 0 && on / n_on - off / n_off < 10)
            fail_msg("period %u after %u days: %.1f while it runs, %.1f otherwise", p, rows[i][1], on / n_on,
                     off / n_off);
        demand_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampling_changes),
        cmocka_unit_test(test_clock_steps),
        cmocka_unit_test(test_clock_comes_back),
        cmocka_unit_test(test_counter_resets),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_first_days),
        cmocka_unit_test(test_changed_in_first_slot),
        cmocka_unit_test(test_no_period),
        cmocka_unit_test(test_periods_found),
        cmocka_unit_test(test_periods_forecast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
