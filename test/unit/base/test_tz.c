/* Time zones: offsets from tables and from rules, local times that are skipped or shown twice, names that lead
 * elsewhere, files that are damaged. The zones of the machine are compared with Python's in
 * test/integration/test_time_zones.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rfc3339.h"
#include "base/tz.h"

#include <string.h>

#define HOUR 3600

/* ---- TZif by hand ---- */

struct file {
    uint8_t data[1024];
    size_t len;
};

static void put(struct file *f, uint64_t v, unsigned bytes)
{
    for (unsigned i = bytes; i > 0; i--)
        f->data[f->len++] = (uint8_t)(v >> (8 * (i - 1)));
}

static void put_header(struct file *f, uint32_t leaps, uint32_t times, uint32_t types)
{
    memcpy(f->data + f->len, "TZif2", 5);
    f->len += 20;
    put(f, 0, 4);
    put(f, 0, 4);
    put(f, leaps, 4);
    put(f, times, 4);
    put(f, types, 4);
    put(f, 4, 4);
}

struct change {
    int64_t at_s;
    int32_t offset_s;
};

/* An empty body of version 1, then the changes with a type each (type 0: `first_s`), then the rule. */
static struct file make(int32_t first_s, const struct change *changes, uint32_t n, const char *rule)
{
    struct file f = {.len = 0};
    put_header(&f, 0, 0, 1);
    put(&f, 0, 6);
    put(&f, 0, 4);
    put_header(&f, 0, n, n + 1);
    for (uint32_t i = 0; i < n; i++)
        put(&f, (uint64_t)changes[i].at_s, 8);
    for (uint32_t i = 0; i < n; i++)
        put(&f, i + 1, 1);
    put(&f, (uint32_t)first_s, 4);
    put(&f, 0, 2);
    for (uint32_t i = 0; i < n; i++) {
        put(&f, (uint32_t)changes[i].offset_s, 4);
        put(&f, 0, 2);
    }
    put(&f, 0, 4);
    put(&f, '\n', 1);
    memcpy(f.data + f.len, rule, strlen(rule));
    f.len += strlen(rule);
    put(&f, '\n', 1);
    return f;
}

static struct tz *zone(const struct file *f)
{
    struct error err = ERROR_INIT;
    struct tz *tz = tz_parse(f->data, f->len, &err);
    if (!tz)
        fail_msg("%s", err.message);
    return tz;
}

static int64_t at(const char *text)
{
    int64_t us;
    assert_true(rfc3339_parse(text, &us));
    return us / 1000000;
}

static int32_t offset(const struct tz *tz, const char *text)
{
    int64_t until;
    int32_t s = tz_offset_s(tz, at(text), &until);
    assert_true(until > at(text));
    return s;
}

/* ---- tests ---- */

static void test_utc(void **state)
{
    (void)state;
    int64_t until;
    assert_int_equal(tz_offset_s(tz_utc(), 1700000000, &until), 0);
    assert_true(until == INT64_MAX);
    assert_true(tz_first_s(tz_utc(), 1700000000) == 1700000000 && tz_latest_s(tz_utc(), 1700000000) == 1700000000);
}

static void test_table(void **state)
{
    (void)state;
    const struct change changes[] = {{1000, HOUR}, {2000, 2 * HOUR}};
    struct file f = make(-100, changes, 2, "");
    struct tz *tz = zone(&f);
    int64_t until;
    assert_int_equal(tz_offset_s(tz, -1000000, &until), -100);
    assert_int_equal(tz_offset_s(tz, 999, &until), -100);
    assert_true(until == 1000);
    assert_int_equal(tz_offset_s(tz, 1000, &until), HOUR);
    assert_true(until == 2000);
    assert_int_equal(tz_offset_s(tz, 2000, &until), 2 * HOUR);
    assert_true(until == INT64_MAX);
    tz_free(tz);
}

static void test_rules(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *time;
        int32_t offset_s;
    } cases[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-03-27T00:59:59Z", HOUR},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-03-27T01:00:00Z", 2 * HOUR},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-10-30T00:59:59Z", 2 * HOUR},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-10-30T01:00:00Z", HOUR},
        {"EST5EDT,M3.2.0,M11.1.0", "2031-03-09T06:59:59Z", -5 * HOUR},
        {"EST5EDT,M3.2.0,M11.1.0", "2031-03-09T07:00:00Z", -4 * HOUR},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2040-01-01T00:00:00Z", 11 * HOUR}, /* summer over the new year */
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2040-07-01T00:00:00Z", 10 * HOUR},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2040-01-01T00:00:00Z", 0}, /* Dublin: winter time is the other one */
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2040-07-01T00:00:00Z", HOUR},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2040-03-25T00:59:59Z", -2 * HOUR}, /* Nuuk: 22:00 of the day before */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2040-03-25T01:00:00Z", -1 * HOUR},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2040-03-24T00:00:00Z", 3 * HOUR}, /* Gaza: Saturday 2:00 */
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2040-03-23T23:59:59Z", 2 * HOUR},
        {"XXX3EDT4,0/0,J365/23", "2040-12-31T23:59:59Z", -4 * HOUR}, /* summer time for ever (RFC 8536) */
        {"XXX3EDT4,0/0,J365/23", "2041-06-01T00:00:00Z", -4 * HOUR},
        {"AAA0BBB,J60/0,J61/0", "2040-03-01T00:00:00Z", HOUR}, /* J60 is March 1, also in a leap year */
        {"AAA0BBB,59/0,60/0", "2040-02-29T00:00:00Z", HOUR},   /* 59 is February 29 in one */
        {"<+0545>-5:45", "2040-01-01T00:00:00Z", 5 * HOUR + 45 * 60},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct file f = make(0, NULL, 0, cases[i].rule);
        struct tz *tz = zone(&f);
        if (offset(tz, cases[i].time) != cases[i].offset_s)
            fail_msg("%s at %s: %d", cases[i].rule, cases[i].time, offset(tz, cases[i].time));
        tz_free(tz);
    }
}

static void test_gap_and_fold(void **state)
{
    (void)state;
    struct file f = make(0, NULL, 0, "CET-1CEST,M3.5.0,M10.5.0/3");
    struct tz *tz = zone(&f);
    /* 2026-03-29: 2:00 to 3:00 are skipped at 1:00 UTC. */
    assert_true(tz_first_s(tz, at("2026-03-29T01:59:00Z")) == at("2026-03-29T00:59:00Z"));
    assert_true(tz_first_s(tz, at("2026-03-29T02:00:00Z")) == at("2026-03-29T01:00:00Z"));
    assert_true(tz_first_s(tz, at("2026-03-29T02:30:00Z")) == at("2026-03-29T01:00:00Z"));
    assert_true(tz_first_s(tz, at("2026-03-29T03:00:00Z")) == at("2026-03-29T01:00:00Z"));
    assert_true(tz_first_s(tz, at("2026-03-29T03:01:00Z")) == at("2026-03-29T01:01:00Z"));
    /* 2026-10-25: 2:00 to 3:00 are shown twice, from 0:00 and from 1:00 UTC. */
    assert_true(tz_first_s(tz, at("2026-10-25T02:30:00Z")) == at("2026-10-25T00:30:00Z"));
    assert_true(tz_first_s(tz, at("2026-10-25T03:00:00Z")) == at("2026-10-25T02:00:00Z"));
    assert_true(tz_latest_s(tz, at("2026-10-25T00:30:00Z")) == at("2026-10-25T02:30:00Z"));
    assert_true(tz_latest_s(tz, at("2026-10-25T01:30:00Z")) == at("2026-10-25T02:59:59Z"));
    assert_true(tz_latest_s(tz, at("2026-10-25T02:00:00Z")) == at("2026-10-25T03:00:00Z"));
    for (int64_t utc = at("2026-10-24T20:00:00Z"); utc < at("2026-10-25T06:00:00Z"); utc += 61)
        for (int64_t local = utc - 3 * HOUR; local < utc + 3 * HOUR; local += 607)
            assert_true((tz_first_s(tz, local) <= utc) == (local <= tz_latest_s(tz, utc)));
    tz_free(tz);
}

static void test_extremes(void **state)
{
    (void)state;
    struct file f = make(0, (const struct change[]){{-(INT64_C(1) << 60), 26 * HOUR - 1}, {0, -26 * HOUR + 1}}, 2,
                         "CET-1CEST,M3.5.0,M10.5.0/3");
    struct tz *tz = zone(&f);
    static const int64_t times[] = {INT64_MIN, -(INT64_C(1) << 60), -1, 0, INT64_C(1) << 60, INT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        int64_t until;
        int32_t s = tz_offset_s(tz, times[i], &until);
        assert_true(s < 26 * HOUR && s > -26 * HOUR && (until > times[i] || times[i] == INT64_MAX));
        (void)tz_first_s(tz, times[i]);
        (void)tz_latest_s(tz, times[i]);
    }
    tz_free(tz);
}

static void refused(const struct file *f)
{
    struct error err = ERROR_INIT;
    assert_null(tz_parse(f->data, f->len, &err));
    assert_int_equal(err.kind, ERROR_PARSE);
}

static void test_damaged(void **state)
{
    (void)state;
    const struct change changes[] = {{1000, HOUR}, {2000, 2 * HOUR}};
    struct file good = make(0, changes, 2, "CET-1CEST,M3.5.0,M10.5.0/3");
    for (size_t len = 0; len < good.len; len++) {
        struct file f = good;
        f.len = len;
        refused(&f);
    }
    struct file f = good;
    f.data[4] = 0; /* version 1: no rule, times until 2037 */
    refused(&f);
    f = make(0, (const struct change[]){{2000, 0}, {1000, 0}}, 2, "");
    refused(&f);
    f = make(26 * HOUR, changes, 2, "");
    refused(&f);
    f = make(0, (const struct change[]){{INT64_MAX, 0}}, 1, "");
    refused(&f);
    static const char *const rules[] = {"C-1",
                                        "CET",
                                        "CET-25",
                                        "CET-1CEST",
                                        "CET-1CEST,M3.5.0",
                                        "<+1>-1",
                                        "CET-1x",
                                        "CET-1CEST,M0.5.0,M10.5.0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "CET-1CEST,M3.5.7,M10.5.0",
                                        "CET-1CEST,J0,J365",
                                        "CET-1CEST,0,366",
                                        "CET-1CEST,M3.5.0/168,M10.5.0",
                                        "CET-1CEST,M3.5.0,M10.5.0/3 "};
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        f = make(0, changes, 2, rules[i]);
        struct error err = ERROR_INIT;
        if (tz_parse(f.data, f.len, &err))
            fail_msg("taken: %s", rules[i]);
    }
}

/* A file that counts leap seconds is 27 s off by now. */
static void test_leap_seconds(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct file f = {.len = 0};
    put_header(&f, 0, 0, 1);
    put(&f, 0, 6);
    put(&f, 0, 4);
    put_header(&f, 1, 0, 1);
    put(&f, 0, 6);
    put(&f, 0, 4);
    put(&f, 78796800, 8);
    put(&f, 1, 4);
    memcpy(f.data + f.len, "\nUTC0\n", 6);
    f.len += 6;
    assert_null(tz_parse(f.data, f.len, &err));
    assert_non_null(strstr(err.message, "leap"));
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "/etc/passwd",
                                      "../../etc/passwd",
                                      "Europe/../../../etc/passwd",
                                      "Europe//Berlin",
                                      "Europe/",
                                      "europe/berlin",
                                      "posix/Europe/Berlin",
                                      "right/UTC",
                                      "localtime",
                                      "Europe/Ber lin",
                                      "Europe/Berlin\n",
                                      "A.B",
                                      "Abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx"};
    struct tz_cache *cache = tz_cache_new(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = ERROR_INIT;
        assert_null(tz_cache_get(cache, bad[i], &err));
        assert_non_null(strstr(err.message, "not a name of a time zone"));
    }
    struct error err = ERROR_INIT;
    assert_null(tz_cache_get(cache, "Europe/Atlantis", &err));
    assert_string_equal(err.message, "no time zone is called Europe/Atlantis");
    assert_null(tz_cache_get(cache, "Europe", &err)); /* a folder */
    tz_cache_free(cache);

    cache = tz_cache_new("/nowhere");
    assert_non_null(tz_cache_get(cache, "UTC", &err));
    assert_null(tz_cache_get(cache, "Europe/Berlin", &err));
    assert_non_null(strstr(err.message, "not installed"));
    tz_cache_free(cache);
}

static void test_cache(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct tz_cache *cache = tz_cache_new(NULL);
    const struct tz *tz = tz_cache_get(cache, "Europe/Berlin", &err);
    assert_non_null(tz);
    assert_ptr_equal(tz, tz_cache_get(cache, "Europe/Berlin", &err));
    assert_int_equal(offset(tz, "2026-07-01T00:00:00Z"), 2 * HOUR);
    assert_int_equal(offset(tz, "2090-01-01T00:00:00Z"), HOUR);
    tz_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utc),          cmocka_unit_test(test_table),    cmocka_unit_test(test_rules),
        cmocka_unit_test(test_gap_and_fold), cmocka_unit_test(test_extremes), cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_leap_seconds), cmocka_unit_test(test_names),    cmocka_unit_test(test_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
