/* History that comes from elsewhere, and a lead that changes for good. */
#include "core/demand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DAY   288
#define SLOTS 2016
#define S     300

/* A day that repeats: a ramp in the morning, with a little that does not. */
static double day(int64_t slot)
{
    int64_t at = slot % DAY;
    double shape = at < 96 ? 1 : at < 120 ? 1 + (double)(at - 96) / 8 : at < 240 ? 4 : 4 - (double)(at - 240) / 16;
    return shape * (1 + 0.05 * (double)((slot * 7919) % 13 - 6) / 6);
}

static void fill(float *values, int64_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        values[i] = (float)day(first + i);
}

static struct demand *fresh(void)
{
    struct demand_config config = demand_config_default();
    return demand_new(&config);
}

static void an_import_is_as_if_it_had_been_seen(void **state UNUSED)
{
    static float values[SLOTS];
    int64_t first = 5000000;
    fill(values, first, SLOTS);
    struct demand *imported = fresh(), *seen = fresh();
    assert_int_equal(demand_import(imported, first, values, SLOTS, (first + SLOTS) * S, 180), SLOTS);
    for (uint32_t i = 0; i < SLOTS; i++)
        demand_push_slot(seen, first + i, (double)values[i], 180);
    assert_int_equal(demand_filled_slots(imported), SLOTS);
    assert_true(demand_trust(imported).trusted);
    const struct forecast *a = demand_forecast(imported), *b = demand_forecast(seen);
    assert_int_equal(a->n, b->n);
    for (uint32_t i = 0; i < a->n; i++)
        assert_true(fabs((double)a->mean[i] - (double)b->mean[i]) <= 1e-6 * (double)b->mean[i]);
    demand_free(imported);
    demand_free(seen);
}

static void own_samples_win_and_the_future_is_left_out(void **state UNUSED)
{
    static float values[SLOTS], history[SLOTS];
    int64_t first = 5000000, now = first + 100;
    fill(values, first, SLOTS);
    struct demand *d = fresh();
    for (int64_t slot = now - 10; slot < now; slot++)
        demand_push_slot(d, slot, 50, 180);
    assert_int_equal(demand_import(d, first, values, SLOTS, now * S, 180), 90);
    int64_t begin;
    uint32_t n = demand_history(d, &begin, history, SLOTS);
    assert_int_equal(n, 100);
    assert_int_equal(begin, first);
    assert_true(fabsf(history[0] - values[0]) < 1e-6F);
    assert_true(fabsf(history[95] - 50) < 1e-6F);
    /* A second time there is nothing left to take. */
    assert_int_equal(demand_import(d, first, values, SLOTS, now * S, 180), 0);
    demand_free(d);
}

static void what_is_no_sample_is_not_taken(void **state UNUSED)
{
    float values[6] = {1, NAN, INFINITY, -1, 2, -INFINITY};
    struct demand *d = fresh();
    assert_int_equal(demand_import(d, 5000000, values, 6, (5000000 + 6) * (int64_t)S, 180), 2);
    assert_int_equal(demand_filled_slots(d), 2);
    assert_int_equal(demand_import(d, 6000000, values, 6, 5000000 * (int64_t)S, 180), 0); /* not over yet */
    demand_free(d);
}

/* Q of an autoscaler whose history was judged at one lead, and that then lives at another. */
static double quantile_after(uint32_t judged, uint32_t used, unsigned syncs)
{
    static float values[SLOTS];
    int64_t first = 5000000;
    fill(values, first, SLOTS);
    struct demand *d = fresh();
    assert_int_equal(demand_import(d, first, values, SLOTS, (first + SLOTS) * S, judged), SLOTS);
    int64_t now = (first + SLOTS) * (int64_t)S;
    for (unsigned i = 0; i < syncs; i++, now += 15)
        (void)demand_observe(d, now * 1000000, SAMPLE_OF(day(now / S)), 0, used);
    double q = demand_drive(d, now * 1000000, used).quantile;
    demand_free(d);
    return q;
}

static void a_lead_that_changes_for_good_is_followed(void **state UNUSED)
{
    /* At once the errors are still those of the long windows; three closed slots later they are those of the short
     * ones. */
    double steady = quantile_after(60, 60, 100), followed = quantile_after(1500, 60, 100),
           still = quantile_after(1500, 60, 20);
    assert_true(fabs(followed - steady) < 0.1 * steady);
    assert_true(still > followed);
}

static void a_lead_that_only_trembles_is_not(void **state UNUSED)
{
    static float values[SLOTS];
    int64_t first = 5000000, now = (first + SLOTS) * (int64_t)S;
    fill(values, first, SLOTS);
    struct demand *d = fresh();
    assert_int_equal(demand_import(d, first, values, SLOTS, now, 180), SLOTS);
    uint32_t scored = 0;
    for (unsigned i = 0; i < 2000; i++, now += 15) {
        (void)demand_observe(d, now * 1000000, SAMPLE_OF(day(now / S)), 0, i % 2 ? 165 : 240);
        uint32_t next = demand_trust(d).scored;
        assert_true(next >= scored); /* a rebuild would begin anew */
        scored = next;
    }
    demand_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_import_is_as_if_it_had_been_seen),
        cmocka_unit_test(own_samples_win_and_the_future_is_left_out),
        cmocka_unit_test(what_is_no_sample_is_not_taken),
        cmocka_unit_test(a_lead_that_changes_for_good_is_followed),
        cmocka_unit_test(a_lead_that_only_trembles_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
