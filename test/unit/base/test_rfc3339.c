/* Timestamps and the calendar. */
#include "test/unit/base/unit.h"

#include "base/rfc3339.h"
#include "base/rng.h"

#include <string.h>

#define S        INT64_C(1000000)
#define FIRST_US (INT64_C(-62167219200) * S)
#define LAST_US  (INT64_C(253402300799) * S)

static void test_parse(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1970-01-01T00:00:01.000001Z", S + 1},
        {"1969-12-31T23:59:59Z", -S},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2026-11-21T08:48:03Z", INT64_C(1795250883) * S},
        {"2026-11-21T10:18:03+01:30", INT64_C(1795250883) * S},
        {"2026-11-20T20:48:03-12:00", INT64_C(1795250883) * S},
        {"2026-11-22T08:47:03+23:59", INT64_C(1795250883) * S},
        /* Go writes up to nine digits; more are allowed, and what is below a microsecond is dropped. */
        {"2026-11-21T08:48:03.5Z", INT64_C(1795250883) * S + 500000},
        {"2026-11-21T08:48:03.123456Z", INT64_C(1795250883) * S + 123456},
        {"2026-11-21T08:48:03.123456789Z", INT64_C(1795250883) * S + 123456},
        {"2026-11-21T08:48:03.9999999999999999999999999999999+00:00", INT64_C(1795250883) * S + 999999},
        {"2026-11-21T08:48:03.0Z", INT64_C(1795250883) * S},
        /* Leap years: every fourth, not the centuries, but the fourth of these. */
        {"2024-02-29T00:00:00Z", INT64_C(1709164800) * S},
        {"2000-02-29T00:00:00Z", INT64_C(951782400) * S},
        {"0000-02-29T00:00:00Z", INT64_C(-62162121600) * S},
        {"1900-02-28T00:00:00Z", INT64_C(-2203977600) * S},
        /* The ends of the calendar. */
        {"0000-01-01T00:00:00Z", FIRST_US},
        {"0000-01-01T01:00:00+01:00", FIRST_US},
        {"9999-12-31T23:59:59Z", LAST_US},
        {"9999-12-31T23:59:59.999999Z", LAST_US + 999999},
        {"9999-12-31T22:59:59-01:00", LAST_US},
        /* A leap second is the second after, in whatever offset it is written. */
        {"2016-12-31T23:59:60Z", INT64_C(1483228800) * S},
        {"2016-12-31T23:59:60.25Z", INT64_C(1483228800) * S + 250000},
        {"2017-01-01T00:59:60+01:00", INT64_C(1483228800) * S},
        {"1990-12-31T15:59:60-08:00", INT64_C(662688000) * S},
        {"2015-06-30T23:59:60Z", INT64_C(1435708800) * S},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t us = -77;
        check_row(rows[i].text, rfc3339_parse(rows[i].text, &us));
        check_row(rows[i].text, us == rows[i].us);
    }
}

static void test_reject(void **state UNUSED)
{
    static const char *const rows[] = {
        "",
        "2026",
        "2026-11-21",
        "2026-11-21T08:48:03",
        "2026-11-21T08:48Z",
        "2026-11-21 08:48:03Z",
        "2026-11-21T08:48:03Z ",
        " 2026-11-21T08:48:03Z",
        "2026-11-21T08:48:03Zx",
        "2026-11-21T08:48:03ZZ",
        "2026-11-21T08:48:03.Z",
        "2026-11-21T08:48:03,5Z",
        "2026-11-21T08:48:03.5",
        "2026-11-21T08:48:03.5.5Z",
        "2026-11-21T08:48:03.-5Z",
        "26-11-21T08:48:03Z",
        "02026-11-21T08:48:03Z",
        "+2026-11-21T08:48:03Z",
        "-026-11-21T08:48:03Z",
        "2026-1-21T08:48:03Z",
        "2026-00-21T08:48:03Z",
        "2026-13-21T08:48:03Z",
        "2026-11-00T08:48:03Z",
        "2026-11-31T08:48:03Z",
        "2026-12-32T08:48:03Z",
        "2026-02-29T08:48:03Z",
        "2100-02-29T08:48:03Z",
        "1900-02-29T08:48:03Z",
        "2024-02-30T08:48:03Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T08:60:03Z",
        "2026-11-21T08:48:61Z",
        "2026-11-21T8:48:03Z",
        "2026-11-21T08:48:3Z",
        "2026-11-21T08-48-03Z",
        "2026/11/21T08:48:03Z",
        "2026-11-21T08:48:03+0100",
        "2026-11-21T08:48:03+01",
        "2026-11-21T08:48:03+24:00",
        "2026-11-21T08:48:03+01:60",
        "2026-11-21T08:48:03+1:00",
        "2026-11-21T08:48:03+01:00Z",
        "2026-11-21T08:48:03 01:00",
        "2026-11-21T08:48:03\xE2\x88\x92\x30\x31:00",
        "2026-11-21T08:48:03UTC",
        /* Outside the years 0..9999 in UTC. */
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        /* Not where a leap second can be. */
        "2016-12-31T23:58:60Z",
        "2016-12-31T12:59:60Z",
        "2016-12-30T23:59:60Z",
        "2016-12-31T23:59:60+01:00",
        "2017-01-01T00:00:60Z",
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t us = -77;
        check_row(rows[i], !rfc3339_parse(rows[i], &us));
        check_row(rows[i], us == -77);
    }
}

static void test_format(void **state UNUSED)
{
    static const struct {
        int64_t us;
        const char *seconds, *micro;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
        {1, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000001Z"},
        {-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999999Z"},
        {999999, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.999999Z"},
        {INT64_C(1795250883) * S + 120, "2026-11-21T08:48:03Z", "2026-11-21T08:48:03.000120Z"},
        {INT64_C(951868799) * S, "2000-02-29T23:59:59Z", "2000-02-29T23:59:59.000000Z"},
        {FIRST_US, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"},
        {FIRST_US - 1, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"},
        {INT64_MIN, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"},
        {LAST_US + 999999, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z"},
        {LAST_US + 1000000, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z"},
        {INT64_MAX, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[RFC3339_CAP];
        rfc3339_format(text, rows[i].us);
        assert_string_equal(text, rows[i].seconds);
        rfc3339_format_micro(text, rows[i].us);
        assert_string_equal(text, rows[i].micro);
    }
}

static void test_round_trip(void **state UNUSED)
{
    struct rng rng;
    rng_seed(&rng, 3339);
    for (int i = 0; i < 20000; i++) {
        int64_t us = FIRST_US + (int64_t)rng_below(&rng, (uint64_t)(LAST_US - FIRST_US));
        char text[RFC3339_CAP];
        int64_t back;
        rfc3339_format_micro(text, us);
        check_row(text, rfc3339_parse(text, &back) && back == us);
        rfc3339_format(text, us);
        check_row(text, rfc3339_parse(text, &back) && back <= us && us - back < S);
    }
}

/* The calendar against a count of days that knows only the length of each month. */
static void test_every_day(void **state UNUSED)
{
    int64_t day = days_from_civil(-401, 1, 1);
    for (int year = -401; year <= 2401; year++) {
        bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
        const int lengths[] = {31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        for (int month = 1; month <= 12; month++) {
            assert_int_equal(days_from_civil(year, month, 1), day);
            for (int d = 1; d <= lengths[month - 1]; d++, day++) {
                struct civil_date date = civil_from_days(day);
                assert_true(date.year == year && date.month == month && date.day == d);
            }
        }
    }
    assert_int_equal(days_from_civil(1970, 1, 1), 0);
    assert_int_equal(days_from_civil(1970, 1, 0), -1);
    assert_int_equal(days_from_civil(2026, 1, 60), days_from_civil(2026, 3, 1));
}

static void test_far_years(void **state UNUSED)
{
    static const int years[] = {-1900000000, -10000, 10000, 1900000000};
    for (size_t i = 0; i < ARRAY_SIZE(years); i++) {
        struct civil_date date = civil_from_days(days_from_civil(years[i], 12, 31));
        assert_int_equal(date.year, years[i]);
        assert_int_equal(date.month, 12);
        assert_int_equal(date.day, 31);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),      cmocka_unit_test(test_reject),    cmocka_unit_test(test_format),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_every_day), cmocka_unit_test(test_far_years),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
