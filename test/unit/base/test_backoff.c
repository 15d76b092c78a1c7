/* The numbers of client-go's back-off, and the token bucket on a scripted clock. */
#include "test/unit/base/unit.h"

#include "base/backoff.h"

#define MS INT64_C(1000)
#define S  INT64_C(1000000)

static void test_reflector(void **state UNUSED)
{
    static const int64_t want_ms[] = {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000};
    struct backoff b;
    backoff_init(&b, &backoff_reflector);
    int64_t now_us = 5000 * S;
    for (size_t i = 0; i < ARRAY_SIZE(want_ms); i++, now_us += 60 * S)
        assert_int_equal(backoff_next_us(&b, now_us, NULL), want_ms[i] * MS);
    /* Two minutes since the last one are not yet a reset, more are. */
    now_us += 60 * S;
    assert_int_equal(backoff_next_us(&b, now_us, NULL), 30 * S);
    now_us += 120 * S + 1;
    assert_int_equal(backoff_next_us(&b, now_us, NULL), 800 * MS);
    assert_int_equal(backoff_next_us(&b, now_us, NULL), 1600 * MS);
    backoff_reset(&b);
    assert_int_equal(backoff_next_us(&b, now_us, NULL), 800 * MS);
}

static void test_jitter(void **state UNUSED)
{
    struct rng rng;
    struct backoff b;
    rng_seed(&rng, 3);
    backoff_init(&b, &backoff_reflector);
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 2000; i++) {
        backoff_reset(&b);
        int64_t delay_us = backoff_next_us(&b, 0, &rng);
        assert_in_range(delay_us, 800 * MS, 1600 * MS - 1);
        least = MIN(least, delay_us);
        most = MAX(most, delay_us);
    }
    assert_true(least < 810 * MS && most > 1590 * MS);
    /* The cap is on what is stretched: [30 s, 60 s). */
    for (int i = 0; i < 2000; i++) {
        int64_t delay_us = backoff_next_us(&b, 0, &rng);
        assert_true(i < 6 || (delay_us >= 30 * S && delay_us < 60 * S));
    }
}

static void test_no_reset(void **state UNUSED)
{
    /* The work queue's delays per item: 5 ms x 2^n up to 1000 s. */
    static const struct backoff_config queue = {.initial_us = 5 * MS, .cap_us = 1000 * S, .factor = 2};
    struct backoff b;
    backoff_init(&b, &queue);
    int64_t want_us = 5 * MS;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(backoff_next_us(&b, i * 86400 * S, NULL), want_us);
        want_us = MIN(2 * want_us, 1000 * S);
    }
    static const struct backoff_config steady = {.initial_us = S, .cap_us = BACKOFF_MAX_US, .factor = 1};
    backoff_init(&b, &steady);
    for (int i = 0; i < 10; i++)
        assert_int_equal(backoff_next_us(&b, 0, NULL), S);
    static const struct backoff_config steep = {.initial_us = 1, .cap_us = BACKOFF_MAX_US, .factor = 1e300};
    backoff_init(&b, &steep);
    assert_int_equal(backoff_next_us(&b, 0, NULL), 1);
    assert_int_equal(backoff_next_us(&b, 0, NULL), BACKOFF_MAX_US);
}

static void test_take(void **state UNUSED)
{
    struct ratelimit r;
    int64_t now_us = 1000 * S;
    ratelimit_init(&r, 10, 3, now_us);
    for (int i = 0; i < 3; i++)
        assert_true(ratelimit_take(&r, now_us));
    assert_false(ratelimit_take(&r, now_us));
    assert_false(ratelimit_take(&r, now_us + 99 * MS));
    assert_true(ratelimit_take(&r, now_us + 100 * MS));
    assert_false(ratelimit_take(&r, now_us + 100 * MS));
    /* A clock that goes back gives nothing, and takes nothing. */
    assert_false(ratelimit_take(&r, now_us - 1000 * S));
    assert_true(ratelimit_take(&r, now_us + 200 * MS));
    /* However long it waits, no more than the burst. */
    now_us += 86400 * S;
    for (int i = 0; i < 3; i++)
        assert_true(ratelimit_take(&r, now_us));
    assert_false(ratelimit_take(&r, now_us));
}

/* Over a long time the rate is the rate, whatever the steps. */
static void test_long_run(void **state UNUSED)
{
    static const double rates[] = {0.1, 1.0 / 3, 3, 7, 20};
    static const int64_t steps_us[] = {1, 777, 333333, 1234567};
    for (size_t k = 0; k < ARRAY_SIZE(rates); k++) {
        for (size_t j = 0; j < ARRAY_SIZE(steps_us); j++) {
            struct ratelimit r;
            ratelimit_init(&r, rates[k], 5, 0);
            int64_t now_us = 0, taken = 0;
            for (int i = 0; i < 100000; i++, now_us += steps_us[j])
                taken += ratelimit_take(&r, now_us);
            double most = rates[k] * (double)(now_us - steps_us[j]) / 1e6 + 5;
            assert_true((double)taken <= most + 1e-6);
            /* And all of them, when one is asked for more often than they come. */
            if (rates[k] * (double)steps_us[j] / 1e6 < 1)
                assert_true((double)taken > most - 6);
        }
    }
}

static void test_reserve(void **state UNUSED)
{
    struct ratelimit r;
    ratelimit_init(&r, 10, 2, 0);
    assert_int_equal(ratelimit_reserve_us(&r, 0), 0);
    assert_int_equal(ratelimit_reserve_us(&r, 0), 0);
    assert_int_equal(ratelimit_reserve_us(&r, 0), 100 * MS);
    assert_int_equal(ratelimit_reserve_us(&r, 0), 200 * MS);
    assert_int_equal(ratelimit_reserve_us(&r, 50 * MS), 250 * MS);
    assert_false(ratelimit_take(&r, 300 * MS));
    assert_int_equal(ratelimit_reserve_us(&r, 400 * MS), 0);
    assert_int_equal(ratelimit_reserve_us(&r, 400 * MS), 100 * MS);

    /* A third of a second, rounded up: who waits finds the token. */
    ratelimit_init(&r, 3, 1, 0);
    assert_int_equal(ratelimit_reserve_us(&r, 0), 0);
    assert_int_equal(ratelimit_reserve_us(&r, 0), 333334);

    /* Nothing ever comes, or not in time. */
    ratelimit_init(&r, 0, 1, 0);
    assert_int_equal(ratelimit_reserve_us(&r, 0), 0);
    assert_int_equal(ratelimit_reserve_us(&r, 0), BACKOFF_MAX_US);
    assert_false(ratelimit_take(&r, 86400 * S));
    ratelimit_init(&r, 1e-300, 1, 0);
    (void)ratelimit_reserve_us(&r, 0);
    assert_int_equal(ratelimit_reserve_us(&r, 0), BACKOFF_MAX_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reflector), cmocka_unit_test(test_jitter),   cmocka_unit_test(test_no_reset),
        cmocka_unit_test(test_take),      cmocka_unit_test(test_long_run), cmocka_unit_test(test_reserve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
