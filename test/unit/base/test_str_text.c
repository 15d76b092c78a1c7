/* UTF-8, sanitising, and the two ways of quoting. What logs make of nasty bytes is in test_log.c. */
#include "test/unit/base/unit.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define FFFD "\xEF\xBF\xBD"

/* Every code point, encoded by the rule and not by a table. */
static size_t encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 63));
    out[0] = (char)((0xF00U >> n & 0xFF) | c);
    return n;
}

static void test_every_code_point(void **state UNUSED)
{
    for (uint32_t c = 0; c <= 0x110000; c++) {
        char text[4];
        size_t len = encode(c, text), taken;
        bool valid = c < 0x110000 && (c < 0xD800 || c > 0xDFFF);
        uint32_t got = str_code_point(text, len, &taken);
        if (got != (valid ? c : STR_INVALID) || taken != (valid ? len : 1) || str_is_utf8(text, len) != valid)
            fail_msg("U+%04X: got %X, %zu bytes", c, got, taken);
        for (size_t cut = 1; cut < len && valid; cut++) {
            assert_true(str_code_point(text, cut, &taken) == STR_INVALID);
            assert_int_equal(taken, cut);
        }
    }
}

static void test_invalid(void **state UNUSED)
{
    /* How much one U+FFFD stands for: the examples of The Unicode Standard, section 3.9. */
    static const struct {
        const char *s, *want;
    } rows[] = {
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"},
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", FFFD FFFD FFFD FFFD "A"},
        {"a\xC3", "a" FFFD},
        {"\xC3"
         "a",
         FFFD "a"},
        {"\xC1\xBF", FFFD FFFD},
        {"\xF8\x88\x80\x80\x80", FFFD FFFD FFFD FFFD FFFD},
    };
    struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t len = strlen(rows[i].s);
        buf_clear(&out);
        assert_false(str_is_utf8(rows[i].s, len));
        assert_int_equal(str_sanitize(&out, rows[i].s, len, 1000), len);
        assert_string_equal(buf_str(&out), rows[i].want);
    }
    buf_done(&out);
}

static void test_sanitize(void **state UNUSED)
{
    static const struct {
        const char *s;
        size_t len, max;
        const char *want;
        size_t taken;
    } rows[] = {
        {"plain \xC3\xA4", 8, 100, "plain \xC3\xA4", 8},
        {"a\tb\nc\r\nd\ve\ff", 12, 100, "a b c  d e f", 12},
        {"a\0b", 3, 100, "a" FFFD "b", 3},
        {"\x1b[31m\x7f", 6, 100, FFFD "[31m" FFFD, 6},
        {"\xC2\x85|\xC2\x9B", 5, 100, " |" FFFD, 5},
        {"\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAE\xE2\x81\xA6\xD8\x9C\xE2\x80\x8E", 17, 100, "  " FFFD FFFD FFFD FFFD, 17},
        {"\xE2\x80\x8B\xE2\x80\x8D\xC2\xA0", 8, 100, "\xE2\x80\x8B\xE2\x80\x8D\xC2\xA0", 8},
        /* The limit is on what is appended, and cuts no sequence. */
        {"abc", 3, 3, "abc", 3},
        {"abcd", 4, 3, "abc", 3},
        {"ab\xC3\xA4", 4, 3, "ab", 2},
        {"\x01z", 2, 2, "", 0},
        {"\x01z", 2, 3, FFFD, 1},
        {"abc", 3, 0, "", 0},
        {"", 0, 0, "", 0},
        {"abc", 2, 100, "ab", 2},
    };
    struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        buf_clear(&out);
        check_row(rows[i].want, str_sanitize(&out, rows[i].s, rows[i].len, rows[i].max) == rows[i].taken);
        assert_string_equal(buf_str(&out), rows[i].want);
    }
    buf_done(&out);
}

static void test_json(void **state UNUSED)
{
    static const struct {
        const char *s;
        size_t len;
        const char *want;
    } rows[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\""},
        {"\xC3\xA4\xF0\x9F\x98\x80", 6, "\"\xC3\xA4\xF0\x9F\x98\x80\""},
        {"\xC2\x9B\xE2\x80\xA8\xE2\x80\xAE", 8, "\"\\u009b\\u2028\\u202e\""},
        {"a\xFF\xC3", 3, "\"a" FFFD FFFD "\""},
        {"abc\n", 2, "\"ab\""},
    };
    struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        buf_clear(&out);
        str_json(&out, rows[i].s, rows[i].len);
        assert_string_equal(buf_str(&out), rows[i].want);
    }
    buf_done(&out);
}

static void test_quote_cut(void **state UNUSED)
{
    static const struct {
        const char *s;
        size_t max;
        const char *json, *go;
        size_t taken_json, taken_go;
    } rows[] = {
        {"ab", 2, "\"ab\"", "\"ab\"", 2, 2},
        {"abc", 2, "\"ab\"", "\"ab\"", 2, 2},
        {"a\n", 2, "\"a\"", "\"a\"", 1, 1},
        {"a\n", 3, "\"a\\n\"", "\"a\\n\"", 2, 2},
        {"\x1b", 5, "\"\"", "\"\\x1b\"", 0, 1},
        {"\x1b", 6, "\"\\u001b\"", "\"\\x1b\"", 1, 1},
        {"\b", 4, "\"\\b\"", "\"\\x08\"", 1, 1},
        {"\xFF", 3, "\"" FFFD "\"", "\"\"", 1, 0},
        {"\xFF", 4, "\"" FFFD "\"", "\"\\xff\"", 1, 1},
        {"\xE2\x82\xFF", 12, "\"" FFFD FFFD "\"", "\"\\xe2\\x82\\xff\"", 3, 3},
        {"\xE2\x80\xAE", 6, "\"\\u202e\"", "\"\\u202e\"", 3, 3},
        {"\xE2\x82\xAC", 2, "\"\"", "\"\"", 0, 0},
        {"", 0, "\"\"", "\"\"", 0, 0},
    };
    struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t len = strlen(rows[i].s);
        buf_clear(&out);
        check_row(rows[i].json, str_json_cut(&out, rows[i].s, len, rows[i].max) == rows[i].taken_json);
        assert_string_equal(buf_str(&out), rows[i].json);
        buf_clear(&out);
        check_row(rows[i].go, str_quote_cut(&out, rows[i].s, len, rows[i].max) == rows[i].taken_go);
        assert_string_equal(buf_str(&out), rows[i].go);
    }
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point), cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_sanitize),         cmocka_unit_test(test_json),
        cmocka_unit_test(test_quote_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
