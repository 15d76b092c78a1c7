/* Cron texts, the minutes that they mean, and the floors that windows of them give. Daylight saving is compared with an
 * independent reading of the same rules in test/integration/test_time_zones.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rfc3339.h"
#include "core/schedule.h"

#include <stdio.h>
#include <string.h>

static int64_t at(const char *text)
{
    int64_t us;
    assert_true(rfc3339_parse(text, &us));
    return us / 1000000;
}

static void test_last(void **state)
{
    (void)state;
    static const struct {
        const char *cron, *now, *last; /* as if local time were UTC; NULL: never */
    } cases[] = {
        {"* * * * *", "2026-11-21T12:34:56Z", "2026-11-21T12:34:00Z"},
        {"30 8 * * *", "2026-11-21T08:29:59Z", "2026-11-20T08:30:00Z"},
        {"30 8 * * *", "2026-11-21T08:30:00Z", "2026-11-21T08:30:00Z"},
        {"*/20 8-10 * * *", "2026-11-21T11:00:00Z", "2026-11-21T10:40:00Z"},
        {"50 8,10 * * *", "2026-11-21T10:49:00Z", "2026-11-21T08:50:00Z"},
        {"5-59/25 0 * * *", "2026-11-21T00:54:00Z", "2026-11-21T00:30:00Z"},
        {"0 9 * * mon-fri", "2026-11-22T12:00:00Z", "2026-11-20T09:00:00Z"}, /* a Sunday */
        {"0 9 * * 7", "2026-11-21T12:00:00Z", "2026-11-15T09:00:00Z"},
        {"0 9 * * 0", "2026-11-21T12:00:00Z", "2026-11-15T09:00:00Z"},
        {"0 9 * * fri-sun", "2026-11-23T12:00:00Z", "2026-11-22T09:00:00Z"},
        {"0 9 * * SAT", "2026-11-21T12:00:00Z", "2026-11-21T09:00:00Z"},
        {"0 0 1 * *", "2026-11-21T12:00:00Z", "2026-11-01T00:00:00Z"},
        {"0 0 31 * *", "2026-11-21T12:00:00Z", "2026-10-31T00:00:00Z"},
        {"0 0 25 dec *", "2026-11-21T12:00:00Z", "2025-12-25T00:00:00Z"},
        {"0 0 29 2 *", "2026-11-21T12:00:00Z", "2024-02-29T00:00:00Z"},
        {"0 0 29 2 *", "2103-11-21T12:00:00Z", "2096-02-29T00:00:00Z"},
        {"0 0 29 2 */6", "2103-11-21T12:00:00Z", "2088-02-29T00:00:00Z"}, /* on a Sunday or a Saturday */
        {"0 0 13 * fri", "2026-11-21T12:00:00Z", "2026-11-20T00:00:00Z"}, /* either day */
        {"0 0 13 * fri", "2026-11-14T12:00:00Z", "2026-11-13T00:00:00Z"},
        {"0 0 */2 * fri", "2026-11-21T12:00:00Z", "2026-11-13T00:00:00Z"}, /* a star in front: both */
        {"0 0 13 * */5", "2026-11-21T12:00:00Z", "2026-11-13T00:00:00Z"},  /* the 13th, and Sunday or Friday */
        {" 0\t0  1 1 * ", "1969-12-31T00:00:00Z", "1969-01-01T00:00:00Z"},
        {"59 23 31 12 *", "2026-01-01T00:00:00Z", "2025-12-31T23:59:00Z"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cron cron;
        struct error err = ERROR_INIT;
        if (cron_parse(cases[i].cron, &cron, &err) < 0)
            fail_msg("%s: %s", cases[i].cron, err.message);
        int64_t last;
        assert_true(cron_last(&cron, at(cases[i].now), &last));
        char text[RFC3339_CAP];
        rfc3339_format(text, last * 1000000);
        if (strcmp(text, cases[i].last) != 0)
            fail_msg("%s before %s: %s", cases[i].cron, cases[i].now, text);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *cron, *says;
    } cases[] = {
        {"", "have 0"},
        {"* * * *", "have 4"},
        {"* * * * * *", "have 6"},
        {"60 * * * *", "the minute (60) is not in its range; it is 0 to 59"},
        {"* 24 * * *", "the hour (24)"},
        {"* * 0 * *", "the day of the month (0)"},
        {"* * 32 * *", "the day of the month (32)"},
        {"* * * 13 *", "the month (13)"},
        {"* * * foo *", "the month (foo)"},
        {"* * * * 8", "the day of the week (8)"},
        {"* * * * jan", "the day of the week (jan)"},
        {"* 5-3 * * *", "ends before it begins"},
        {"* 5- * * *", "range without an end"},
        {"5/10 * * * *", "a step needs a range"},
        {"*/0 * * * *", "a step that is not a number from 1 on"},
        {"*/x * * * *", "a step that is not a number from 1 on"},
        {"1,,2 * * * *", "is not in its range"},
        {"1, * * * *", "is not in its range"},
        {"-1 * * * *", "is not in its range"},
        {"1000 * * * *", "not in its range"},
        {"? * * * *", "is not in its range"},
        {"* * L * *", "is not in its range"},
        {"* * * * mon#1", "something that is not cron"},
        {"@daily", "have 1"},
        {"0 0 31 feb,apr *", "never comes"},
        {"0 0 30 2 */2", "never comes"},
        {"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36 * * * *",
         "longer than 100"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cron cron;
        struct error err = ERROR_INIT;
        if (cron_parse(cases[i].cron, &cron, &err) == 0 || !strstr(err.message, cases[i].says))
            fail_msg("%s: %s", cases[i].cron, err.message);
    }
    struct cron cron; /* either day: the weekday comes, though the 30th never does */
    assert_int_equal(cron_parse("0 0 30 2 mon", &cron, NULL), 0);
}

static void add(struct core_spec *spec, const char *start, const char *end, int32_t replicas)
{
    struct core_schedule *s = &spec->schedules[spec->n_schedules++];
    *s = (struct core_schedule){.zone = tz_utc(), .min_replicas = replicas};
    snprintf(s->name, sizeof s->name, "s%u", spec->n_schedules);
    assert_int_equal(cron_parse(start, &s->start, NULL), 0);
    assert_int_equal(cron_parse(end, &s->end, NULL), 0);
}

static void floor_is(const struct core_spec *spec, const char *now, int32_t replicas, int32_t schedule)
{
    struct schedule_floor floor = schedule_floor(spec, at(now) * 1000000);
    if (floor.replicas != replicas || floor.schedule != schedule)
        fail_msg("%s: %d of schedule %d", now, floor.replicas, floor.schedule);
}

static void test_windows(void **state)
{
    (void)state;
    struct core_spec spec = core_spec_default();
    spec.max_replicas = 40;
    add(&spec, "0 8 * * mon-fri", "0 18 * * *", 10);
    add(&spec, "0 12 * * *", "0 13 * * *", 20);    /* overlaps: the highest counts */
    add(&spec, "0 22 * * *", "0 6 * * *", 5);      /* over midnight */
    add(&spec, "0 0 24 12 *", "0 0 27 12 *", 100); /* days on end; above max */
    floor_is(&spec, "2026-11-20T07:59:59Z", -1, -1);
    floor_is(&spec, "2026-11-20T08:00:00Z", 10, 0);
    floor_is(&spec, "2026-11-20T12:00:00Z", 20, 1);
    floor_is(&spec, "2026-11-20T13:00:00Z", 10, 0);
    floor_is(&spec, "2026-11-20T17:59:59Z", 10, 0);
    floor_is(&spec, "2026-11-20T18:00:00Z", -1, -1);
    floor_is(&spec, "2026-11-20T22:00:00Z", 5, 2);
    floor_is(&spec, "2026-11-21T05:59:00Z", 5, 2);
    floor_is(&spec, "2026-11-21T06:00:00Z", -1, -1);
    floor_is(&spec, "2026-11-21T09:00:00Z", -1, -1); /* a Saturday */
    floor_is(&spec, "2026-12-23T23:59:00Z", 5, 2);
    floor_is(&spec, "2026-12-25T12:30:00Z", 40, 3);
    floor_is(&spec, "2026-12-27T00:00:00Z", 5, 2);
}

/* Both in one minute is an end; an end that never was leaves the window open; equals are the first one's. */
static void test_edges(void **state)
{
    (void)state;
    struct core_spec spec = core_spec_default();
    add(&spec, "0 * * * *", "0 */6 * * *", 3);
    floor_is(&spec, "2026-11-20T06:30:00Z", -1, -1);
    floor_is(&spec, "2026-11-20T07:00:00Z", 3, 0);
    floor_is(&spec, "2026-11-20T11:59:00Z", 3, 0);
    add(&spec, "0 * * * *", "30 * * * *", 3);
    floor_is(&spec, "2026-11-20T07:10:00Z", 3, 0);
    floor_is(&spec, "2026-11-20T06:10:00Z", 3, 1);
    floor_is(&spec, "1969-06-01T07:10:00Z", 3, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
