/* The demand of one metric from outside: whatever comes in, what goes out is finite, ordered and not
 * negative; encoding and decoding at any step changes nothing later, to the bit; and it learns what there is
 * to learn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/demand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define S   INT64_C(1000000)
#define T0  (INT64_C(1700006400) * S) /* a midnight */
#define DAY 288

/* xorshift64*: the tests' own dice. */
static uint64_t dice(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static double uniform(uint64_t *state)
{
    return (double)(dice(state) >> 11) / 9007199254740992.0;
}

/* A smooth day: 20 at night, 100 at noon. */
static double daily(int64_t slot, uint32_t m)
{
    double x = (double)(slot % m) / m * 2 - 1; /* -1..1 */
    return 20 + 80 * (1 - x * x) * (1 - x * x);
}

static void check_forecast(struct demand *d, bool nonnegative)
{
    const struct forecast *f = demand_forecast(d);
    for (uint32_t h = 0; h < f->n; h++) {
        assert_true(isfinite(f->mean[h]));
        assert_true(!nonnegative || f->mean[h] >= 0);
        for (uint32_t j = 0; j < FORECAST_LEVELS; j++) {
            assert_true(isfinite(f->quantile[j][h]));
            assert_true(!nonnegative || f->quantile[j][h] >= 0);
            assert_true(j == 0 || f->quantile[j][h] >= f->quantile[j - 1][h]);
        }
    }
}

static void check_drive(struct demand *d, int64_t now, uint32_t lead)
{
    struct demand_drive q = demand_drive(d, now, lead);
    assert_true(isfinite(q.quantile) && isfinite(q.mean));
    assert_true(q.quantile >= q.mean && q.mean >= 0);
    assert_true(q.usable || (q.quantile <= 0 && q.mean <= 0));
}

static struct demand_config small(uint32_t interval, uint32_t slots, uint32_t horizon, uint32_t period)
{
    struct demand_config c = demand_config_default();
    c.interval_s = interval;
    c.slots = slots;
    c.horizon = horizon;
    if (period) {
        c.seasonality = DEMAND_SEASON_FIXED;
        c.n_periods = 1;
        c.periods_s[0] = period;
    }
    return c;
}

/* The whole state through bytes into a new object, segments in an order of their own. */
static struct demand *through_bytes(const struct demand *d)
{
    _cleanup_(buf_done) struct buf tail = BUF_INIT(1 << 20);
    struct codec_writer w = {&tail};
    demand_encode_tail(d, &w);
    assert_false(tail.failed);
    assert_true(tail.len < 12 * 1024);
    struct demand *copy = demand_new(demand_config(d));
    struct codec_reader r = codec_reader(tail.data, tail.len);
    assert_int_equal(demand_decode_tail(copy, &r), 0);
    assert_true(codec_done(&r));
    for (int64_t i = demand_open_segment(d) - 1; i >= demand_first_segment(d); i--) {
        _cleanup_(buf_done) struct buf segment = BUF_INIT(1 << 20);
        struct codec_writer sw = {&segment};
        demand_encode_segment(d, i, &sw);
        struct codec_reader sr = codec_reader(segment.data, segment.len);
        assert_int_equal(demand_decode_segment(copy, i, &sr), 0);
        assert_true(codec_done(&sr));
    }
    demand_decode_done(copy);
    return copy;
}

static void assert_same(struct demand *a, struct demand *b, int64_t now, uint32_t lead)
{
    _cleanup_(buf_done) struct buf x = BUF_INIT(1 << 20), y = BUF_INIT(1 << 20);
    struct codec_writer wx = {&x}, wy = {&y};
    demand_encode_tail(a, &wx);
    demand_encode_tail(b, &wy);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    struct demand_drive qa = demand_drive(a, now, lead), qb = demand_drive(b, now, lead);
    assert_memory_equal(&qa.quantile, &qb.quantile, sizeof qa.quantile);
    assert_memory_equal(&qa.mean, &qb.mean, sizeof qa.mean);
    const struct forecast *fa = demand_forecast(a), *fb = demand_forecast(b);
    assert_int_equal(fa->n, fb->n);
    assert_int_equal(fa->model, fb->model);
    assert_int_equal(fa->trend, fb->trend);
    if (fa->n == 0)
        return;
    assert_memory_equal(fa->mean, fb->mean, fa->n * sizeof *fa->mean);
    for (uint32_t j = 0; j < FORECAST_LEVELS; j++)
        assert_memory_equal(fa->quantile[j], fb->quantile[j], fa->n * sizeof *fa->mean);
    float ha[64], hb[64];
    int64_t first_a, first_b;
    assert_int_equal(demand_history(a, &first_a, ha, 64), demand_history(b, &first_b, hb, 64));
    assert_int_equal(first_a, first_b);
    for (uint32_t i = 0; i < MIN(64u, demand_filled_slots(a)); i++)
        assert_true(memcmp(&ha[i], &hb[i], sizeof ha[i]) == 0 || (isnan(ha[i]) && isnan(hb[i])));
}

/* One step of a random life: mostly syncs, now and then a gap, a jump, an odd value, an outage, a backward
 * clock. */
static void random_step(uint64_t *rng, int64_t *now, uint32_t interval, struct sample *sample,
                        unsigned *flags)
{
    double u = uniform(rng);
    *now += u < 0.9     ? (int64_t)(interval * (0.05 + uniform(rng) * 0.9) * 1e6)
            : u < 0.99  ? (int64_t)(interval * (1 + uniform(rng) * 40)) * S
            : u < 0.992 ? (int64_t)interval * S * 5000
                        : -(int64_t)interval * S;
    double v = 50 + 40 * (double)(*now / S % 2880) / 2880 + 10 * uniform(rng);
    u = uniform(rng);
    *sample = SAMPLE_OF(u < 0.9 ? v : u < 0.93 ? 0 : u < 0.95 ? 1e300 : u < 0.96 ? 1e-300 : v * 20);
    if (u > 0.99)
        *sample = u > 0.995 ? SAMPLE_NONE : SAMPLE_FAIL;
    sample->censored = uniform(rng) < 0.02;
    *flags = uniform(rng) < 0.02 ? DEMAND_EXCLUDE : 0;
}

static void test_bytes_change_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        uint64_t rng = seed * 7919;
        uint32_t interval = 10 + (uint32_t)(dice(&rng) % 60), slots = 12 + (uint32_t)(dice(&rng) % 900);
        uint32_t horizon = 1 + (uint32_t)(dice(&rng) % (seed % 2 ? 100 : 288));
        struct demand_config c = small(interval, slots, horizon, seed % 3 ? 2880 : 0);
        struct demand *a = demand_new(&c), *b = demand_new(&c);
        int64_t now = T0;
        for (uint32_t step = 0; step < 1500; step++) {
            struct sample sample;
            unsigned flags;
            random_step(&rng, &now, interval, &sample, &flags);
            uint32_t lead = 15 + (uint32_t)(dice(&rng) % 400);
            assert_int_equal(demand_observe(a, now, sample, flags, lead),
                             demand_observe(b, now, sample, flags, lead));
            check_drive(a, now, lead);
            if (dice(&rng) % 40)
                continue;
            struct demand *copy = through_bytes(b);
            demand_free(b);
            b = copy;
            check_forecast(a, true);
            assert_same(a, b, now, lead);
        }
        demand_free(a);
        demand_free(b);
    }
}

/* The answer for an origin is the same whether or not anything was asked before, and whatever came after. */
static void test_asking_changes_nothing(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *a = demand_new(&c), *b = demand_new(&c);
    for (int64_t t = 0; t < 3 * DAY; t++) {
        demand_push_slot(a, t, daily(t, DAY), 120);
        demand_push_slot(b, t, daily(t, DAY), 120);
        (void)demand_forecast(a);
        (void)demand_drive(a, t * 300 * S, 400);
    }
    assert_same(a, b, 3 * DAY * 300 * S, 120);
    demand_free(a);
    demand_free(b);
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
    assert_in_range(demand_memory(d), 8 * 1024, 16 * 1024);
    struct demand_trust trust = demand_trust(d);
    assert_true(trust.trusted);
    assert_int_equal(trust.reason, TRUST_EARNED);
    demand_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_change_nothing),
        cmocka_unit_test(test_asking_changes_nothing),
        cmocka_unit_test(test_learns_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
