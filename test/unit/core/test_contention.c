/* Another writer: when it counts as one that undoes ours, and how we give way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/contention.h"

#define SECOND INT64_C(1000000)
#define START  (1700000000 * SECOND)

/* A script of writes: `ours` from -> to, or a count that is seen. */
struct event {
    int64_t at_s;
    bool ours;
    int32_t from, to;
};

static struct contention play(const struct event *events, size_t n, int64_t *ret_now)
{
    struct contention c = {.known = false};
    for (size_t i = 0; i < n; i++) {
        *ret_now = START + events[i].at_s * SECOND;
        if (events[i].ours)
            contention_applied(&c, *ret_now, events[i].from, events[i].to);
        else
            contention_observe(&c, *ret_now, events[i].to);
    }
    return c;
}

#define OURS(t, a, b)                                                                                                  \
    {                                                                                                                  \
        (t), true, (a), (b)                                                                                            \
    }
#define SEEN(t, n)                                                                                                     \
    {                                                                                                                  \
        (t), false, 0, (n)                                                                                             \
    }

static void test_detection(void **state)
{
    (void)state;
    const struct {
        const char *what;
        bool contended;
        struct event events[8];
        size_t n;
    } cases[] = {
        {"nobody else", false, {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 8), OURS(15, 8, 10), SEEN(30, 10)}, 5},
        {"undone once", false, {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 4)}, 3},
        {"undone twice", true, {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 4), OURS(15, 4, 8), SEEN(30, 4)}, 5},
        {"undone in part counts", true, {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 6), OURS(15, 6, 8), SEEN(30, 7)}, 5},
        {"lowering undone", true, {SEEN(0, 8), OURS(0, 8, 4), SEEN(15, 8), OURS(15, 8, 4), SEEN(30, 6)}, 5},
        {"one each way", true, {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 4), OURS(300, 4, 3), SEEN(315, 4)}, 5},
        {"further the same way is no undoing",
         false,
         {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 9), OURS(15, 9, 10), SEEN(30, 12)},
         5},
        {"two foreign writes in a row undo one of ours",
         false,
         {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 5), SEEN(30, 4)},
         4},
        {"undone, made good and undone by someone else is one",
         false,
         {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 5), SEEN(30, 8), SEEN(45, 5)},
         5},
        {"ten minutes apart", true, {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 4), OURS(600, 4, 8), SEEN(615, 4)}, 5},
        {"more than ten minutes apart",
         false,
         {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 4), OURS(600, 4, 8), SEEN(616, 4)},
         5},
        {"long after our write it is a wish of its own",
         false,
         {SEEN(0, 4), OURS(0, 4, 8), SEEN(601, 4), OURS(602, 4, 8), SEEN(615, 4)},
         5},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t now = START;
        struct contention c = play(cases[i].events, cases[i].n, &now);
        if (contention_active(&c, now) != cases[i].contended)
            fail_msg("%s", cases[i].what);
    }
}

static void test_adoption(void **state)
{
    (void)state;
    struct contention c = {.known = false};
    assert_false(contention_observe(&c, START, 4)); /* first sight */
    assert_true(contention_observe(&c, START + SECOND, 7));
    assert_false(contention_observe(&c, START + 2 * SECOND, 7));
    contention_adopt(&c, 9);
    assert_false(contention_observe(&c, START + 3 * SECOND, 9));
}

static void test_hold_off(void **state)
{
    (void)state;
    const struct event events[] = {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 4), OURS(15, 4, 8), SEEN(30, 4)};
    int64_t now = START;
    struct contention c = play(events, ARRAY_SIZE(events), &now);
    static const uint32_t holds[] = {15, 30, 60, 120, 240, 300, 300};
    for (size_t i = 0; i < ARRAY_SIZE(holds); i++) {
        assert_int_equal(contention_hold_s(&c, now), holds[i]);
        assert_int_equal(contention_hold_s(&c, now + holds[i] * SECOND - 1), 1);
        now += holds[i] * SECOND;
        assert_int_equal(contention_hold_s(&c, now), 0);
        contention_applied(&c, now, 4, 8);
        contention_observe(&c, now, 8);
    }
    /* 30 min after the last undoing it is over, and forgotten. */
    now = START + 30 * SECOND + 1800 * SECOND;
    assert_true(contention_active(&c, now - 1));
    assert_false(contention_active(&c, now));
    contention_observe(&c, now, 8);
    contention_applied(&c, now, 8, 9);
    contention_observe(&c, now + SECOND, 8);
    assert_false(contention_active(&c, now + SECOND)); /* one alone */
}

static void test_goes_on_while_undone(void **state)
{
    (void)state;
    const struct event events[] = {SEEN(0, 4), OURS(0, 4, 8), SEEN(15, 4), OURS(15, 4, 8), SEEN(30, 4)};
    int64_t now = START;
    struct contention c = play(events, ARRAY_SIZE(events), &now);
    for (int i = 0; i < 20; i++) {
        now += 300 * SECOND;
        assert_true(contention_active(&c, now));
        contention_applied(&c, now, 4, 8);
        now += SECOND;
        assert_true(contention_observe(&c, now, 4));
    }
    assert_true(contention_active(&c, now + 1799 * SECOND));
    assert_false(contention_active(&c, now + 1800 * SECOND));
}

/* Half an hour stays half an hour when the clock is set back by a day. */
static void test_clock_set_back(void **state)
{
    (void)state;
    const int64_t day = 86400 * SECOND, now = 100 * day;
    struct contention c = {.known = true, .undone_us = now, .until_us = now + 1800 * SECOND, .written_us = now};
    c.hold_until_us = now + 300 * SECOND;
    contention_set_back(&c, now - day);
    assert_true(contention_active(&c, now - day + 1799 * SECOND));
    assert_false(contention_active(&c, now - day + 1800 * SECOND));
    assert_int_equal(contention_hold_s(&c, now - day + 299 * SECOND), 1);
    assert_int_equal(contention_hold_s(&c, now - day + 300 * SECOND), 0);
    struct contention idle = {.known = true};
    contention_set_back(&idle, -day); /* before 1970 too, nothing begins */
    assert_false(contention_active(&idle, -day));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detection),      cmocka_unit_test(test_adoption),
        cmocka_unit_test(test_hold_off),       cmocka_unit_test(test_goes_on_while_undone),
        cmocka_unit_test(test_clock_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
