/* The call budget: every call is charged or refunded exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "reconcile/ledger.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
#define START  (20000 * DAY + 10 * HOUR)

static void test_exactly_once(void **state)
{
    (void)state;
    struct ledger l = {0};
    assert_int_equal(ledger_reserve(&l, 2, 7, START), LEDGER_MAY);
    assert_int_equal(ledger_reserve(&l, 2, 8, START), LEDGER_BUSY);
    assert_false(ledger_charge(&l, 8));
    assert_false(ledger_charge(&l, 0));
    assert_true(ledger_charge(&l, 7));
    assert_false(ledger_charge(&l, 7));
    assert_false(ledger_refund(&l, 7, START));
    assert_int_equal(l.charged, 1);
    assert_int_equal(ledger_spent(&l, START), 1);

    /* What the system failed is not paid for. */
    assert_int_equal(ledger_reserve(&l, 2, 9, START), LEDGER_MAY);
    assert_true(ledger_refund(&l, 9, START));
    assert_int_equal(l.charged, 1);
    assert_int_equal(l.refunded, 1);

    assert_int_equal(ledger_reserve(&l, 2, 10, START), LEDGER_MAY);
    assert_true(ledger_charge(&l, 10));
    assert_int_equal(ledger_reserve(&l, 2, 11, START), LEDGER_SPENT);
    assert_int_equal(ledger_reserve(&l, 0, 11, START), LEDGER_MAY); /* no limit */
}

static void test_days(void **state)
{
    (void)state;
    struct ledger l = {0};
    int64_t late = 20001 * DAY - SECOND;
    assert_int_equal(ledger_reserve(&l, 1, 1, late), LEDGER_MAY);
    /* Answered after midnight: it belongs to the day that it was reserved on, and that is over. */
    assert_true(ledger_charge(&l, 1));
    assert_int_equal(l.charged, 1); /* and is seen there: the object shows the verdict and the charge together */
    assert_int_equal(l.day, late / DAY);
    assert_int_equal(ledger_spent(&l, late + 5 * SECOND), 0);
    assert_int_equal(ledger_reserve(&l, 1, 2, late + 6 * SECOND), LEDGER_MAY);
    assert_true(ledger_charge(&l, 2));
    assert_int_equal(ledger_reserve(&l, 1, 3, late + 8 * SECOND), LEDGER_SPENT);
    /* A clock that is set back gives no new budget. */
    assert_int_equal(ledger_reserve(&l, 1, 3, late - DAY), LEDGER_SPENT);
    assert_int_equal(ledger_spent(&l, late - DAY), 1);
    /* One that had been a year ahead does not lock the budget for a year, nor the refunds. */
    l = (struct ledger){0};
    for (uint64_t i = 1; i <= LEDGER_MAX_REFUNDS; i++) {
        assert_int_equal(ledger_reserve(&l, 1, i, late + 365 * DAY), LEDGER_MAY);
        assert_true(ledger_refund(&l, i, late + 365 * DAY));
    }
    l.charged = 1;
    assert_int_equal(ledger_spent(&l, late), 0);
    assert_int_equal(ledger_reserve(&l, 1, 99, late), LEDGER_MAY);
}

static void test_recovery(void **state)
{
    (void)state;
    struct ledger l = {0};
    assert_false(ledger_recover(&l, START));
    assert_int_equal(ledger_reserve(&l, 5, 1, START), LEDGER_MAY);
    assert_true(ledger_recover(&l, START + SECOND));
    assert_false(ledger_charge(&l, 1)); /* an answer that comes in spite of it */
    assert_int_equal(l.charged, 0);
    assert_int_equal(l.refunded, 1);
}

static void test_failures_are_no_free_loop(void **state)
{
    (void)state;
    struct ledger l = {0};
    for (uint64_t i = 1; i <= LEDGER_MAX_REFUNDS; i++) {
        assert_int_equal(ledger_reserve(&l, 0, i, START + (int64_t)i * SECOND), LEDGER_MAY);
        assert_true(ledger_refund(&l, i, START + (int64_t)i * SECOND));
    }
    assert_int_equal(ledger_reserve(&l, 0, 99, START + 100 * SECOND), LEDGER_TOO_MANY_REFUNDS);
    assert_int_equal(ledger_reserve(&l, 0, 99, START + HOUR + 100 * SECOND), LEDGER_MAY);
}

/* Random outcomes with crashes anywhere: what is charged is what was delivered, never more than the budget a day. */
static void test_accounts_add_up(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 3);
    struct ledger l = {0};
    uint64_t delivered_today = 0;
    int64_t now = START, day = START / DAY;
    for (uint64_t id = 1; id < 100000; id++) {
        now += (int64_t)rng_below(&rng, 600) * SECOND;
        if (now / DAY != day) {
            day = now / DAY;
            delivered_today = 0;
        }
        if (ledger_reserve(&l, 50, id, now) != LEDGER_MAY)
            continue;
        switch (rng_below(&rng, 4)) {
        case 0:
            assert_true(ledger_refund(&l, id, now));
            break;
        case 1:
            assert_true(ledger_recover(&l, now));
            break;
        default:
            assert_true(ledger_charge(&l, id));
            delivered_today++;
            break;
        }
        assert_int_equal(l.charged, delivered_today);
        assert_true(l.charged <= 50);
        assert_int_equal(l.reserved_id, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exactly_once),    cmocka_unit_test(test_days),
        cmocka_unit_test(test_recovery),        cmocka_unit_test(test_failures_are_no_free_loop),
        cmocka_unit_test(test_accounts_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
