/* The state of a demand: through bytes and back at any step nothing later changes, to the bit; what is missing or
 * broken does no harm; a changed configuration keeps the history. */
#include "test/unit/core/demand_fixture.h"

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
static void random_step(uint64_t *rng, int64_t *now, uint32_t interval, struct sample *sample, unsigned *flags)
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
            assert_int_equal(demand_observe(a, now, sample, flags, lead), demand_observe(b, now, sample, flags, lead));
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

static void test_reconfigure(void **state)
{
    (void)state;
    struct demand *d = played(5 * DAY, day_value);
    struct demand_config c = *demand_config(d);
    c.interval_s = 900;
    c.slots = 400;
    demand_reconfigure(d, &c);
    float h[4032];
    int64_t first;
    assert_int_equal(demand_history(d, &first, h, 4032), 400);
    assert_int_equal(first + 400, 5 * 96);
    for (uint32_t i = 0; i < 400; i++) {
        int64_t t = (first + i) * 3;
        assert_float_equal(h[i], (daily(t, DAY) + daily(t + 1, DAY) + daily(t + 2, DAY)) / 3, 1e-3);
    }
    assert_float_equal(demand_forecast(d)->mean[20], daily((5 * 96 + 20) * 3 + 1, DAY), 3);
    c.interval_s = 300;
    c.slots = 2016;
    demand_reconfigure(d, &c);
    assert_int_equal(demand_history(d, &first, h, 4032), 1200);
    assert_float_equal(h[0], h[1], 1e-6);
    assert_int_equal(demand_forecast(d)->model, FORECAST_SEASONAL);
    assert_float_equal(demand_forecast(d)->mean[20], daily(20, DAY), 3);
    /* what does not touch the model keeps it */
    c.confidence_percent = 99;
    float before = demand_forecast(d)->mean[3];
    demand_reconfigure(d, &c);
    assert_memory_equal(&before, &demand_forecast(d)->mean[3], sizeof before);
    demand_free(d);
}

static void test_missing_segment_rebuilds(void **state)
{
    (void)state;
    struct demand *d = played(5 * DAY + 100, day_value);
    _cleanup_(buf_done) struct buf tail = BUF_INIT(1 << 20), segment = BUF_INIT(1 << 20);
    struct codec_writer w = {&tail}, sw = {&segment};
    demand_encode_tail(d, &w);
    demand_encode_segment(d, 3, &sw);
    struct demand *copy = demand_new(demand_config(d));
    struct codec_reader r = codec_reader(tail.data, tail.len), sr = codec_reader(segment.data, segment.len);
    assert_int_equal(demand_decode_tail(copy, &r), 0);
    assert_int_equal(demand_decode_segment(copy, 3, &sr), 0);
    demand_decode_done(copy);
    assert_int_equal(demand_filled_slots(copy), DEMAND_SEGMENT + 100);
    check_forecast(copy, true);
    int64_t first_a, first_b;
    float a[4], b[4];
    assert_int_equal(demand_history(d, &first_a, a, 4), demand_history(copy, &first_b, b, 4));
    assert_int_equal(first_a, first_b);
    assert_memory_equal(a, b, sizeof a);
    demand_free(d);
    demand_free(copy);
}

static void test_bytes_that_are_not_ours(void **state)
{
    (void)state;
    struct demand *d = played(3 * DAY + 50, day_value);
    _cleanup_(buf_done) struct buf tail = BUF_INIT(1 << 20);
    struct codec_writer w = {&tail};
    demand_encode_tail(d, &w);
    struct demand *copy = demand_new(demand_config(d));
    for (size_t len = 0; len < tail.len; len += 1 + len / 40) { /* cut short anywhere */
        struct codec_reader r = codec_reader(tail.data, len);
        if (demand_decode_tail(copy, &r) == 0)
            demand_decode_done(copy);
        check_forecast(copy, true);
    }
    uint64_t rng = 12345;
    for (uint32_t i = 0; i < 400; i++) { /* broken anywhere: no harm, and sane answers */
        size_t at = dice(&rng) % tail.len;
        char was = tail.data[at];
        tail.data[at] = (char)(was ^ (1 << dice(&rng) % 8));
        struct codec_reader r = codec_reader(tail.data, tail.len);
        if (demand_decode_tail(copy, &r) == 0)
            demand_decode_done(copy);
        check_forecast(copy, false);
        (void)demand_observe(copy, (3 * DAY + 51) * 300 * S, SAMPLE_OF(20), 0, 180);
        (void)demand_drive(copy, (3 * DAY + 51) * 300 * S, 180);
        check_forecast(copy, false);
        tail.data[at] = was;
    }
    demand_free(d);
    demand_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_change_nothing),
        cmocka_unit_test(test_asking_changes_nothing),
        cmocka_unit_test(test_reconfigure),
        cmocka_unit_test(test_missing_segment_rebuilds),
        cmocka_unit_test(test_bytes_that_are_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
