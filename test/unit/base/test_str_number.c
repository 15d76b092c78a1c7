/* Numbers from text and to text: grammar, range, exact rounding, shortest digits, no locale. */
#include "test/unit/base/unit.h"

#include "base/rng.h"
#include "base/str.h"
#include "test/support/comma_locale.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static void test_integers(void **state UNUSED)
{
    static const struct {
        const char *s;
        bool is_i64, is_u64;
        int64_t i64;
        uint64_t u64;
    } rows[] = {
        {"0", true, true, 0, 0},
        {"-0", true, false, 0, 0},
        {"007", true, true, 7, 7},
        {"42", true, true, 42, 42},
        {"-42", true, false, -42, 0},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", false, true, 0, UINT64_C(9223372036854775808)},
        {"-9223372036854775808", true, false, INT64_MIN, 0},
        {"-9223372036854775809", false, false, 0, 0},
        {"18446744073709551615", false, true, 0, UINT64_MAX},
        {"18446744073709551616", false, false, 0, 0},
        {"18446744073709551620", false, false, 0, 0},
        {"99999999999999999999999", false, false, 0, 0},
        {"", false, false, 0, 0},
        {"-", false, false, 0, 0},
        {"+1", false, false, 0, 0},
        {"--1", false, false, 0, 0},
        {" 1", false, false, 0, 0},
        {"1 ", false, false, 0, 0},
        {"1\n", false, false, 0, 0},
        {"1.0", false, false, 0, 0},
        {"1e3", false, false, 0, 0},
        {"0x10", false, false, 0, 0},
        {"\xD9\xA1", false, false, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t i64 = 77;
        uint64_t u64 = 77;
        check_row(rows[i].s, str_to_i64(rows[i].s, &i64) == rows[i].is_i64);
        check_row(rows[i].s, str_to_u64(rows[i].s, &u64) == rows[i].is_u64);
        check_row(rows[i].s, i64 == (rows[i].is_i64 ? rows[i].i64 : 77));
        check_row(rows[i].s, u64 == (rows[i].is_u64 ? rows[i].u64 : 77));
    }
}

static void test_double_grammar(void **state UNUSED)
{
    static const char *const good[] = {"0",   "-0",   "1.",   ".5",   "-.5",   "+1.5",  "1e3",
                                       "1E3", "1e+3", "1e-3", "1.e2", "00.50", "1e-400"};
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      ".",
                                      "e3",
                                      "1e",
                                      "1e+",
                                      "1.2.3",
                                      " 1",
                                      "1 ",
                                      "1\n",
                                      "1,5",
                                      "0x1p3",
                                      "0x10",
                                      "nan",
                                      "NaN",
                                      "inf",
                                      "-Inf",
                                      "+Inf",
                                      "infinity",
                                      "1e400",
                                      "-1e309",
                                      "1_000",
                                      "1e5.0",
                                      "--1",
                                      "1d3",
                                      "1.0f",
                                      "1e1 ",
                                      "1.7976931348623159e308"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        double value;
        check_row(good[i], str_to_double(good[i], &value));
        check_row(good[i], isfinite(value));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        double value = 77;
        check_row(bad[i], !str_to_double(bad[i], &value));
        check_row(bad[i], same_bits(value, 77));
    }
}

static void test_double_rounding(void **state UNUSED)
{
    static const struct {
        const char *s;
        double want;
    } rows[] = {
        {"0.1", 0x1.999999999999ap-4},
        {"9007199254740993", 0x1p53},
        {"9007199254740993.00000000000000000000000000000000001", 0x1.0000000000001p53},
        {"1.00000000000000011102230246251565404236316680908203125", 1.0},
        {"1.00000000000000011102230246251565404236316680908203126", 0x1.0000000000001p0},
        {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022},
        {"2.4703282292062327208e-324", 0},
        {"2.4703282292062327209e-324", 0x1p-1074},
        {"1.7976931348623158e308", DBL_MAX},
        {"123456789012345678901234567890", 0x1.8ee90ff6c373ep+96},
        {"6.02214076e23", 0x1.fe185ca57c517p+78},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        double value;
        check_row(rows[i].s, str_to_double(rows[i].s, &value));
        check_row(rows[i].s, same_bits(value, rows[i].want));
    }
}

static void test_double_length(void **state UNUSED)
{
    double value = 77;
    assert_true(str_to_double_n("12.5xyz", 4, &value));
    assert_true(same_bits(value, 12.5));
    assert_false(str_to_double_n("12.5xyz", 5, &value));
    assert_false(str_to_double_n("12", 0, &value));
    assert_false(str_to_double_n("1\0", 2, &value));

    /* 1 + 2^-53, the middle between two doubles, decided by the last of 1024 characters. */
    char text[1100];
    memset(text, '0', sizeof(text));
    static const char middle[] = "1.00000000000000011102230246251565404236316680908203125";
    memcpy(text, middle, sizeof(middle) - 1);
    assert_true(str_to_double_n(text, 1024, &value));
    assert_true(same_bits(value, 1));
    text[1023] = '1';
    assert_true(str_to_double_n(text, 1024, &value));
    assert_true(same_bits(value, 1 + DBL_EPSILON));
    assert_false(str_to_double_n(text, 1025, &value));
    text[1099] = '\0';
    assert_false(str_to_double(text, &value));
}

static const struct {
    double value;
    const char *text, *g;
} prints[] = {
    {0, "0", "0"},
    {-0.0, "-0", "-0"},
    {1, "1", "1"},
    {-1.5, "-1.5", "-1.5"},
    {0.1, "0.1", "0.1"},
    {0.3, "0.3", "0.3"},
    {0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"},
    {1.0 / 3, "0.3333333333333333", "0.3333333333333333"},
    {0.0001, "0.0001", "0.0001"},
    {0.00001, "1e-05", "1e-05"},
    {0.000123, "0.000123", "0.000123"},
    {100000, "100000", "100000"},
    {1e6, "1000000", "1e+06"},
    {1234567.5, "1234567.5", "1.2345675e+06"},
    {1e20, "100000000000000000000", "1e+20"},
    {1e21, "1e+21", "1e+21"},
    {123456789012345680000.0, "123456789012345680000", "1.2345678901234568e+20"},
    {9007199254740991, "9007199254740991", "9.007199254740991e+15"},
    {9007199254740992, "9007199254740992", "9.007199254740992e+15"},
    {1e22, "1e+22", "1e+22"},
    {1e23, "1e+23", "1e+23"},
    {5e-324, "5e-324", "5e-324"},
    {1e-323, "1e-323", "1e-323"},
    {DBL_MIN, "2.2250738585072014e-308", "2.2250738585072014e-308"},
    {DBL_MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"},
    {-DBL_MAX, "-1.7976931348623157e+308", "-1.7976931348623157e+308"},
    {0x1p-1022 - 0x1p-1074, "2.225073858507201e-308", "2.225073858507201e-308"},
    /* Powers of two whose nearest 16 digits belong to the neighbour below. */
    {0x1p-24, "5.960464477539063e-08", "5.960464477539063e-08"},
    {0x1p-44, "5.684341886080802e-14", "5.684341886080802e-14"},
    {0x1p89, "6.189700196426902e+26", "6.189700196426902e+26"},
    {0x1p+976, "6.386688990511104e+293", "6.386688990511104e+293"},
    {0.15, "0.15", "0.15"},
    {9.999999999999999e-06, "9.999999999999999e-06", "9.999999999999999e-06"},
    {(double)INFINITY, "+Inf", "+Inf"},
    {-(double)INFINITY, "-Inf", "-Inf"},
    {(double)NAN, "NaN", "NaN"},
};

static void test_print_table(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(prints); i++) {
        char text[32];
        str_from_double(text, sizeof(text), prints[i].value);
        assert_string_equal(text, prints[i].text);
        str_from_double_g(text, sizeof(text), prints[i].value);
        assert_string_equal(text, prints[i].g);
    }
}

/* Significant digits of a printed number. */
static int significant(const char *text)
{
    int n = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text == '0')
            zeros += n > 0;
        else if (*text != '-' && *text != '.')
            n += 1 + zeros, zeros = 0;
    }
    return n ? n : 1;
}

/* Reads back as the same bits; and with one digit less neither the number below nor the one above does. */
static void check_shortest(double value)
{
    char text[32];
    double back;
    str_from_double(text, sizeof(text), value);
    check_row(text, str_to_double(text, &back));
    check_row(text, same_bits(back, value));
    char g[32];
    str_from_double_g(g, sizeof(g), value);
    check_row(g, str_to_double(g, &back));
    check_row(g, same_bits(back, value));

    int digits = significant(text);
    assert_true(digits <= 17);
    if (digits == 1)
        return;
    /* The digits as an integer: |value| = n x 10^exponent. */
    char exact[64];
    snprintf(exact, sizeof(exact), "%.*e", digits - 1, fabs(value));
    uint64_t n = 0;
    const char *p = exact;
    for (; *p != 'e'; p++)
        n = *p == '.' ? n : 10 * n + (uint64_t)(*p - '0');
    long exponent = strtol(p + 1, NULL, 10) - (digits - 1);
    for (uint64_t candidate = n / 10 - 1; candidate <= n / 10 + 2; candidate++) {
        char shorter[64];
        snprintf(shorter, sizeof(shorter), "%" PRIu64 "e%ld", candidate, exponent + 1);
        check_row(text, !same_bits(strtod(shorter, NULL), fabs(value)));
    }
}

static void test_print_shortest(void **state UNUSED)
{
    struct rng rng;
    rng_seed(&rng, 17);
    for (int exponent = -1074; exponent <= 1023; exponent++) {
        check_shortest(ldexp(1, exponent));
        check_shortest(nextafter(ldexp(1, exponent), 0));
        check_shortest(-nextafter(ldexp(1, exponent), (double)INFINITY));
    }
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_next(&rng);
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (isfinite(value))
            check_shortest(value);
        check_shortest((double)rng_below(&rng, 100000000) / 1000);
        check_shortest((double)(rng_next(&rng) >> rng_below(&rng, 64)));
    }
}

static void test_no_locale(void **state UNUSED)
{
    const char *why = comma_locale_begin();
    if (why)
        fail_msg("%s", why);
    test_print_table(NULL);
    test_double_grammar(NULL);
    test_double_rounding(NULL);
    double value;
    assert_true(str_to_double("1.5", &value));
    assert_true(same_bits(value, 1.5));
    comma_locale_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),        cmocka_unit_test(test_double_grammar),
        cmocka_unit_test(test_double_rounding), cmocka_unit_test(test_double_length),
        cmocka_unit_test(test_print_table),     cmocka_unit_test(test_print_shortest),
        cmocka_unit_test(test_no_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
