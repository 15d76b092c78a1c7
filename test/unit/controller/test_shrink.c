/* The global shrink budget: how many, who first, and what gives room back. */
#include "base/clock.h"
#include "reconcile/shrink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SHRINK_MIN 5

#define S        USEC_PER_SEC
#define START    (1000 * S)
#define PATIENCE (30 * S)

static bool ask(struct shrink *s, int n, int64_t now_us, size_t n_targets)
{
    char key[32];
    (void)snprintf(key, sizeof key, "ns/%d", n);
    return shrink_ask(s, key, now_us, PATIENCE, n_targets);
}

static int granted(struct shrink *s, int from, int to, int64_t now_us, size_t n_targets)
{
    int n = 0;
    for (int i = from; i < to; i++)
        n += ask(s, i, now_us, n_targets);
    return n;
}

static void five_or_a_tenth_in_any_minute(void **state UNUSED)
{
    static const struct {
        size_t targets;
        int most;
    } cases[] = {{1, 5}, {50, 5}, {59, 5}, {60, 6}, {1000, 100}, {100000, SHRINK_MAX}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct shrink s;
        shrink_init(&s, SHRINK_MIN);
        assert_int_equal(granted(&s, 0, 2000, START, cases[i].targets), cases[i].most);
        assert_int_equal(granted(&s, 2000, 2001, START + 60 * S - 1, cases[i].targets), 0);
        shrink_done(&s);
    }
}

/* Seventy targets that want to be lowered all the time, each asking every 14 s: over ten minutes no minute has more
 * than its share, and hardly any room is wasted. */
static void every_minute(void **state UNUSED)
{
    struct shrink s;
    shrink_init(&s, SHRINK_MIN);
    int64_t times[512];
    int n = 0;
    for (int step = 0; step < 3000; step++) {
        int64_t now_us = START + step * S / 5;
        if (ask(&s, step % 70, now_us, 70))
            times[n++] = now_us;
    }
    assert_true(n >= 56 && n <= 70);
    for (int i = 7; i < n; i++)
        assert_true(times[i] - times[i - 7] >= 60 * S);
    shrink_done(&s);
}

static void the_longest_waiting_first(void **state UNUSED)
{
    struct shrink s;
    shrink_init(&s, SHRINK_MIN);
    assert_int_equal(granted(&s, 0, 5, START, 10), 5);
    assert_int_equal(granted(&s, 10, 18, START + 1 * S, 10), 0); /* 10 to 17 wait, in this order */
    assert_int_equal(granted(&s, 10, 18, START + 31 * S, 10), 0);
    assert_int_equal(shrink_waiting(&s), 8);
    assert_false(ask(&s, 99, START + 60 * S, 10)); /* a newcomer, though there is room */
    assert_false(ask(&s, 15, START + 60 * S, 10));
    assert_true(ask(&s, 12, START + 60 * S, 10));
    assert_true(ask(&s, 14, START + 60 * S, 10));
    assert_false(ask(&s, 16, START + 60 * S, 10));
    assert_true(ask(&s, 10, START + 60 * S, 10));
    shrink_leave(&s, "ns/11");                    /* its load is back */
    assert_true(ask(&s, 15, START + 60 * S, 10)); /* behind 13, which still asks: the two last places */
    assert_false(ask(&s, 16, START + 60 * S, 10));
    assert_true(ask(&s, 13, START + 60 * S, 10));
    assert_false(ask(&s, 16, START + 60 * S, 10));
    shrink_done(&s);
}

/* Who does not ask again keeps no one from it. */
static void places_are_lost(void **state UNUSED)
{
    struct shrink s;
    shrink_init(&s, SHRINK_MIN);
    assert_int_equal(granted(&s, 0, 5, START, 10), 5);
    assert_int_equal(granted(&s, 10, 15, START + 1 * S, 10), 0);
    assert_false(ask(&s, 20, START + 40 * S, 10)); /* no room at all */
    assert_int_equal(granted(&s, 20, 26, START + 62 * S, 10), 5);
    assert_false(ask(&s, 10, START + 63 * S, 10));
    shrink_done(&s);
}

static void what_was_not_written(void **state UNUSED)
{
    struct shrink s;
    shrink_init(&s, SHRINK_MIN);
    shrink_refund(&s, START); /* of nothing */
    assert_int_equal(granted(&s, 0, 6, START, 10), 5);
    shrink_refund(&s, START);
    assert_int_equal(granted(&s, 5, 7, START, 10), 1);
    shrink_refund(&s, START - 60 * S); /* counts no more */
    assert_int_equal(granted(&s, 7, 8, START, 10), 0);
    shrink_done(&s);
    /* The room that comes back is that of the one which was not written, not of a later one. */
    shrink_init(&s, SHRINK_MIN);
    assert_int_equal(granted(&s, 0, 1, START, 10), 1);
    assert_int_equal(granted(&s, 1, 5, START + 30 * S, 10), 4);
    shrink_refund(&s, START);
    assert_int_equal(granted(&s, 5, 9, START + 60 * S, 10), 1);
    shrink_done(&s);
}

static void empty_after_a_takeover(void **state UNUSED)
{
    struct shrink s;
    shrink_init(&s, SHRINK_MIN);
    shrink_empty(&s, START);
    assert_int_equal(granted(&s, 0, 9, START, 10), 0);
    assert_int_equal(granted(&s, 0, 9, START + 60 * S - 1, 10), 0);
    assert_int_equal(granted(&s, 0, 9, START + 60 * S, 10), 5);
    shrink_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_or_a_tenth_in_any_minute), cmocka_unit_test(every_minute),
        cmocka_unit_test(the_longest_waiting_first),     cmocka_unit_test(places_are_lost),
        cmocka_unit_test(what_was_not_written),          cmocka_unit_test(empty_after_a_takeover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
