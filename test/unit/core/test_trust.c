/* Trust: when it is earned, when it is lost, and what is said about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/trust.h"

static const struct trust_score good = {.error = 5, .last_value_error = 10, .actual = 100, .covered = true};

static struct demand_trust state_of(const struct trust *t)
{
    return trust_state(t, 30, 85, true, false);
}

static void take(struct trust *t, struct trust_score score, uint32_t times)
{
    while (times--)
        trust_take(t, &score, true, 30, 85);
}

static void test_earned_after_twelve(void **state)
{
    (void)state;
    struct trust t = {0};
    assert_int_equal(state_of(&t).reason, TRUST_NO_HISTORY);
    assert_true(state_of(&t).error_percent < 0);
    take(&t, good, TRUST_EARN - 1);
    assert_false(state_of(&t).trusted);
    assert_int_equal(state_of(&t).reason, TRUST_LEARNING);
    assert_int_equal(state_of(&t).streak, TRUST_EARN - 1);
    take(&t, good, 1);
    assert_true(state_of(&t).trusted);
    assert_int_equal(state_of(&t).reason, TRUST_EARNED);
    assert_float_equal(state_of(&t).error_percent, 5, 0.05);
    assert_float_equal(state_of(&t).coverage_percent, 100, 1e-9);
    assert_float_equal(state_of(&t).last_value_error_percent, 10, 0.1);
    /* not by itself enough */
    assert_false(trust_state(&t, 30, 85, false, false).trusted);
    assert_int_equal(trust_state(&t, 30, 85, true, true).reason, TRUST_STALE);
    assert_false(trust_state(&t, 30, 85, true, true).trusted);
}

static void test_lost_after_three_with_reason(void **state)
{
    (void)state;
    struct trust_score wrong = good, uncovered = good, worse = good;
    wrong.error = 3000;
    wrong.last_value_error = 4000;
    uncovered.covered = false;
    worse.error = 29;
    worse.last_value_error = 0;
    const struct {
        struct trust_score score;
        uint32_t until; /* scores before the gate over the window gives way */
        enum demand_trust_reason reason;
    } cases[] = {{wrong, 1, TRUST_ERROR_HIGH}, {uncovered, 9, TRUST_COVERAGE_LOW}, {worse, 15, TRUST_NOT_BETTER}};
    for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct trust t = {0};
        take(&t, good, TRUST_SCORES);
        take(&t, cases[i].score, cases[i].until - 1);
        assert_int_equal(state_of(&t).streak, 0);
        uint32_t more = 0;
        while (state_of(&t).trusted && more < 60) {
            take(&t, cases[i].score, 1);
            more++;
        }
        assert_in_range(more, TRUST_LOSE, TRUST_LOSE + 3);
        assert_int_equal(state_of(&t).reason, cases[i].reason);
        assert_int_equal(state_of(&t).scored, TRUST_SCORES);
        /* and comes back only after the window is good for twelve in a row */
        take(&t, good, TRUST_SCORES + TRUST_EARN);
        assert_true(state_of(&t).trusted);
    }
}

static void test_a_bad_score_interrupts_the_streak(void **state)
{
    (void)state;
    struct trust t = {0};
    struct trust_score wrong = good;
    wrong.error = 1e4;
    wrong.last_value_error = 2e4;
    take(&t, good, TRUST_EARN - 1);
    take(&t, wrong, 1);
    assert_int_equal(state_of(&t).streak, 0);
    assert_false(state_of(&t).trusted);
}

static void test_zero_demand(void **state)
{
    (void)state;
    struct trust t = {0};
    struct trust_score zero = {.covered = true};
    take(&t, zero, TRUST_EARN);
    assert_true(state_of(&t).trusted); /* nothing was ever wrong */
    assert_float_equal(state_of(&t).error_percent, 0, 1e-9);
    struct trust u = {0};
    struct trust_score phantom = {.error = 1, .last_value_error = 2, .covered = true};
    take(&u, phantom, TRUST_EARN);
    assert_int_equal(state_of(&u).reason, TRUST_ERROR_HIGH);
}

/* The windows of an hour make one score. */
static void test_windows_of_a_score(void **state)
{
    (void)state;
    struct trust t = {0};
    struct trust_score step = {.error = 30, .last_value_error = 80, .actual = 100};
    struct trust_score flat = {.error = 1, .actual = 20, .covered = true};
    for (uint32_t i = 0; i < 9; i++)
        trust_take(&t, &flat, false, 30, 85);
    assert_int_equal(state_of(&t).scored, 0);
    trust_take(&t, &step, true, 30, 85);
    assert_int_equal(state_of(&t).scored, 1);
    assert_float_equal(state_of(&t).error_percent, 13.93f, 0.1);
    assert_float_equal(state_of(&t).last_value_error_percent, 28.57f, 0.2);
    assert_float_equal(state_of(&t).coverage_percent, 90, 1e-9);
}

static void test_what_counts_as_an_error(void **state)
{
    (void)state;
    const struct {
        double error, last_value;
        bool covered;
        enum demand_trust_reason reason;
    } rows[] = {
        {0, 0, true, TRUST_EARNED},          {4.9, 0, true, TRUST_EARNED}, /* trifles beside a last value that is right
                                                                            */
        {6, 0, true, TRUST_NOT_BETTER},      {14, 10, true, TRUST_EARNED}, /* small: close is enough */
        {14, 9, true, TRUST_NOT_BETTER},     {29, 27, true, TRUST_EARNED},     {29, 26, true, TRUST_NOT_BETTER},
        {34, 36, true, TRUST_EARNED}, /* above the gate, but nobody knows better, and the quantile holds */
        {34, 36, false, TRUST_COVERAGE_LOW}, {34, 20, true, TRUST_ERROR_HIGH}, {61, 90, true, TRUST_ERROR_HIGH},
    };
    for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct trust t = {0};
        take(&t, (struct trust_score){rows[i].error, rows[i].last_value, 100, rows[i].covered}, TRUST_EARN);
        assert_int_equal(state_of(&t).reason, rows[i].reason);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(demand_trust_reason_name(TRUST_EARNED), "Earned");
    assert_string_equal(demand_trust_reason_name(TRUST_STALE), "Stale");
    assert_string_equal(demand_trust_reason_name((enum demand_trust_reason)99), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_earned_after_twelve),
        cmocka_unit_test(test_lost_after_three_with_reason),
        cmocka_unit_test(test_a_bad_score_interrupts_the_streak),
        cmocka_unit_test(test_zero_demand),
        cmocka_unit_test(test_windows_of_a_score),
        cmocka_unit_test(test_what_counts_as_an_error),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
