/* Quantities against apimachinery's own answers (test/data/quantity.tsv), and where we differ on purpose. */
#include "base/alloc.h"
#include "base/str.h"
#include "kube/quantity.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void print_nano(char out[64], __int128 v)
{
    char digits[48];
    size_t at = sizeof(digits);
    bool negative = v < 0;
    unsigned __int128 m = negative ? -(unsigned __int128)v : (unsigned __int128)v;
    digits[--at] = '\0';
    do
        digits[--at] = (char)('0' + (int)(m % 10));
    while ((m /= 10) > 0);
    (void)snprintf(out, 64, "%s%s", negative ? "-" : "", digits + at);
}

static void test_as_apimachinery(void **state)
{
    (void)state;
    FILE *f = fopen("test/data/quantity.tsv", "re");
    assert_non_null(f);
    char line[512];
    unsigned n = 0, wrong = 0;
    while (fgets(line, sizeof(line), f)) {
        if (line[0] == '#')
            continue;
        char *nano = strchr(line, '\t'), *canonical = nano ? strchr(nano + 1, '\t') : NULL;
        assert_non_null(canonical);
        *nano++ = '\0';
        *canonical++ = '\0';
        canonical[strcspn(canonical, "\n")] = '\0';
        struct quantity q;
        char have_nano[64] = "!", have[QUANTITY_CAP] = "!";
        if (quantity_parse(line, &q)) {
            print_nano(have_nano, q.nano);
            quantity_format(have, q);
        }
        if (!streq(have_nano, nano) || !streq(have, canonical)) {
            print_message("\"%s\": want %s %s, have %s %s\n", line, nano, canonical, have_nano, have);
            wrong++;
        }
        n++;
    }
    (void)fclose(f);
    assert_true(n > 500);
    assert_int_equal(wrong, 0);
}

static void test_refused(void **state)
{
    (void)state;
    /* Those without a digit apimachinery takes for zero. */
    static const char *const bad[] = {"",
                                      ".",
                                      "+",
                                      "-",
                                      "-.",
                                      "+.",
                                      "m",
                                      "Ki",
                                      "E",
                                      "e3",
                                      "-Mi",
                                      "-e3",
                                      ".Gi",
                                      "n",
                                      "1 ",
                                      " 1",
                                      "1\t",
                                      "1K",
                                      "1kI",
                                      "1e99999999999",
                                      "1e4294967297",
                                      "2E6024865272343",
                                      "1e-4294967297",
                                      "0x1",
                                      "١",
                                      "1e+-3",
                                      "1e-+3"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct quantity q = {.nano = 42};
        if (quantity_parse(bad[i], &q))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(q.nano == 42);
    }
}

/* Exponents that made other implementations loop, allocate or wrap. */
static void test_hazards(void **state)
{
    (void)state;
    struct quantity q;
    assert_true(quantity_parse("1e2147483647", &q) && q.saturated && q.nano > 0);
    assert_true(quantity_parse("-1e2147483647", &q) && q.saturated && q.nano < 0);
    assert_true(quantity_parse("1e-2147483647", &q) && !q.saturated && q.nano == 1);
    assert_true(quantity_parse("-1e-2147483647", &q) && q.nano == -1);
    assert_true(quantity_parse("0e2147483647", &q) && !q.saturated && q.nano == 0);
    assert_true(quantity_parse("0.000e2147483647", &q) && q.nano == 0);
    assert_true(quantity_parse("170141183460469231731687303715.884105727", &q) && !q.saturated);
    assert_true(quantity_parse("170141183460469231731687303715.884105728", &q) && q.saturated);
    assert_true(quantity_parse("170141183460469231731687303715.8841057271", &q) && q.saturated);
    assert_int_equal(quantity_milli(q), INT64_MAX);

    /* A long text: a hundred thousand digits before and behind the point, and an exponent that brings them
     * back. */
    char *text = xcalloc(1, 200064);
    memset(text, '0', 200001);
    text[100000] = '.';
    text[200000] = '5';
    memcpy(text + 200001, "e100000", 8);
    assert_true(quantity_parse(text, &q) && q.nano == (__int128)5 * 1000000000);
    memset(text, '9', 100000);
    assert_true(quantity_parse(text, &q) && q.saturated);
    memcpy(text + 200001, "Ki", 3);
    assert_true(quantity_parse(text, &q) && q.saturated && q.nano == (__int128)INT64_MAX * 1000000000);
    free(text);
    assert_true(quantity_parse("1.0000000000000000000000000000000000000000000000001Gi", &q));
    assert_true(q.nano == (__int128)1073741824 * 1000000000 + 1);
}

/* What is written reads back as the same, in the same form, for numbers all over the range. */
static void test_round_trip(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252;
    for (unsigned i = 0; i < 200000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        __int128 v = (__int128)x * (__int128)(x >> 32);
        v >>= (x >> 3) % 127;
        if (x & 1)
            v = -v;
        struct quantity q = {.nano = v, .binary = i % 3 == 1, .exponent = i % 3 == 2}, again;
        if (q.binary) /* the range of binary ones */
            q.nano = (int64_t)v * (__int128)1000000000;
        if (q.nano == (__int128)INT64_MIN * 1000000000)
            continue;
        char text[QUANTITY_CAP], twice[QUANTITY_CAP];
        quantity_format(text, q);
        assert_true(quantity_parse(text, &again));
        if (again.nano != q.nano)
            fail_msg("%s does not read back", text);
        quantity_format(twice, again);
        if (!q.binary || text[strlen(text) - 1] == 'i') /* a whole number without a suffix reads as a decimal */
            assert_string_equal(text, twice);
    }
    char text[QUANTITY_CAP];
    struct quantity most = {.nano = (__int128)(((unsigned __int128)1 << 127) - 1)}, again;
    quantity_format(text, most);
    assert_string_equal(text, "170141183460469231731687303715884105727n");
    assert_true(quantity_parse(text, &again) && again.nano == most.nano && !again.saturated);
    most.nano = -most.nano - 1;
    quantity_format(text, most);
    assert_string_equal(text, "-170141183460469231731687303715884105728n");
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
        int64_t milli;
    } cases[] = {
        {"0", 0, 0},
        {"250m", 0.25, 250},
        {"123456n", 0.000123456, 1},
        {"1n", 1e-9, 1},
        {"-1n", -1e-9, -1},
        {"-1500u", -0.0015, -2},
        {"1.5Gi", 1610612736, 1610612736000},
        {"0.1", 0.1, 100},
        {"1e20", 1e20, INT64_MAX},
        {"-1e20", -1e20, INT64_MIN},
        {"9223372036854775.807", 9223372036854775.807, INT64_MAX},
        {"9223372036854775.808", 9223372036854775.808, INT64_MAX},
        {"-9223372036854775.808", -9223372036854775.808, INT64_MIN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct quantity q;
        assert_true(quantity_parse(cases[i].text, &q));
        assert_true(fabs(quantity_double(q) - cases[i].value) <= fabs(cases[i].value) * 0x1p-52);
        assert_int_equal(quantity_milli(q), cases[i].milli);
    }
}

static void test_of_double(void **state)
{
    (void)state;
    static const struct {
        double v;
        int digits;
        const char *want;
    } cases[] = {
        {0, 3, "0"},
        {-0.0, 3, "0"},
        {0.12345, 3, "123m"},
        {0.9996, 3, "1"},
        {1234.5, 3, "1230"},
        {1235.0, 4, "1235"},
        {0.1 + 0.2, 3, "300m"},
        {1e-9, 3, "1n"},
        {4e-10, 3, "0"},
        {6e-10, 3, "1n"},
        {-6e-10, 3, "-1n"},
        {1.4e-9, 3, "1n"},
        {1.6e-9, 3, "2n"},
        {123e-9, 2, "120n"},
        {-2.5, 3, "-2500m"},
        {1e21, 3, "1000E"},
        {3.14159265358979, 17, "3141592654n"},
        {999999, 3, "1M"},
        {0.00012345, 9, "123450n"},
        {9.99e-10, 3, "1n"},
        {5, 0, "5"},
        {5, 99, "5"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[QUANTITY_CAP];
        struct quantity q = quantity_of_double(cases[i].v, cases[i].digits);
        quantity_format(text, q);
        assert_string_equal(text, cases[i].want);
        assert_false(q.saturated);
    }
    static const double beyond[] = {HUGE_VAL, -HUGE_VAL, 1e300, -1e300, 1.7976931348623157e308, 0x1p127};
    for (size_t i = 0; i < ARRAY_SIZE(beyond); i++) {
        struct quantity q = quantity_of_double(beyond[i], 3);
        assert_true(q.saturated && (q.nano < 0) == (beyond[i] < 0));
    }
    assert_true(quantity_of_double((double)NAN, 3).saturated && quantity_of_double((double)NAN, 3).nano == 0);
}

static void test_of_json(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want; /* NULL: refused */
    } cases[] = {
        {"\"250m\"", "250m"}, {"3", "3"},
        {"-3", "-3"},         {"0.5", "500m"},
        {"1e3", "1e3"},       {"\"x\"", NULL},
        {"true", NULL},       {"null", NULL},
        {"[]", NULL},         {"9223372036854775807", "9223372036854775807"},
        {"\"\"", NULL},       {"1e300", "170141183460469231731687303715884105727e-9"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _json_cleanup_ json_t *j = json_parse(cases[i].json, strlen(cases[i].json), NULL);
        assert_non_null(j);
        struct quantity q;
        char text[QUANTITY_CAP];
        if (quantity_of_json(j, &q) != (cases[i].want != NULL))
            fail_msg("%s", cases[i].json);
        if (!cases[i].want)
            continue;
        quantity_format(text, q);
        if (!streq(cases[i].json, "1e3")) /* a double's text may be "1000" */
            assert_string_equal(text, cases[i].want);
        else
            assert_true(q.nano == (__int128)1000 * 1000000000);
    }
    assert_false(quantity_of_json(NULL, &(struct quantity){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_apimachinery), cmocka_unit_test(test_refused), cmocka_unit_test(test_hazards),
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_numbers), cmocka_unit_test(test_of_double),
        cmocka_unit_test(test_of_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
