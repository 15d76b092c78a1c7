/* Errors: what is set, what a wrap keeps, and that a message is one harmless line whatever it quotes. */
#include "test/unit/base/unit.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

static void test_set(void **state UNUSED)
{
    struct error err = {.kind = ERROR_API, .code = 409, .retry_after_ms = 5, .message = "old"};
    assert_true(error_set(&err, ERROR_PARSE, "byte %d", 7) < 0);
    assert_int_equal(err.kind, ERROR_PARSE);
    assert_int_equal(err.code, 0);
    assert_int_equal(err.retry_after_ms, 0);
    assert_string_equal(error_text(&err), "byte 7");
    /* The message may be an argument of its successor. */
    error_set(&err, ERROR_IO, "%s and more", err.message);
    assert_string_equal(err.message, "byte 7 and more");
}

static void test_errno(void **state UNUSED)
{
    struct error err;
    assert_true(error_errno(&err, ENOENT, "opening %s", "/x") < 0);
    assert_int_equal(err.kind, ERROR_IO);
    assert_int_equal(err.code, ENOENT);
    assert_string_equal(err.message, "opening /x: No such file or directory");
}

static void test_wrap(void **state UNUSED)
{
    struct error err = {.kind = ERROR_API, .code = 429, .retry_after_ms = 1000, .message = "too many requests"};
    assert_true(error_wrap(&err, "listing %s", "pods") < 0);
    assert_true(error_wrap(&err, "starting") < 0);
    assert_string_equal(err.message, "starting: listing pods: too many requests");
    assert_int_equal(err.kind, ERROR_API);
    assert_int_equal(err.code, 429);
    assert_int_equal(err.retry_after_ms, 1000);
}

static void test_null(void **state UNUSED)
{
    assert_true(error_set(NULL, ERROR_IO, "x") < 0);
    assert_true(error_errno(NULL, EIO, "x") < 0);
    assert_true(error_wrap(NULL, "x") < 0);
    assert_string_equal(error_text(NULL), "unknown error");
    assert_string_equal(error_text(&ERROR_INIT), "unknown error");
}

static void test_kind_names(void **state UNUSED)
{
    for (int a = ERROR_NONE; a <= ERROR_INTERNAL; a++) {
        for (int b = ERROR_NONE; b < a; b++)
            assert_string_not_equal(error_kind_name((enum error_kind)a), error_kind_name((enum error_kind)b));
        assert_string_not_equal(error_kind_name((enum error_kind)a), "unknown");
    }
    assert_string_equal(error_kind_name((enum error_kind)(ERROR_INTERNAL + 1)), "unknown");
}

static void test_harmless(void **state UNUSED)
{
    struct error err;
    error_set(&err, ERROR_HTTP, "%s", "a\r\nb\x1b[31m\xC2\x9B\xE2\x80\xAE\xFFz \xC3\xA4");
    assert_string_equal(err.message, "a  b [31m  ?z \xC3\xA4");
}

static void test_truncation(void **state UNUSED)
{
    const size_t cap = sizeof((struct error){0}.message) - 1;
    static const char *const units[] = {"a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t u = 0; u < ARRAY_SIZE(units); u++) {
        size_t unit = strlen(units[u]);
        for (size_t lead = 0; lead < 8; lead++) {
            for (size_t total = cap - 10; total < cap + 900; total++) {
                char text[1300] = "xxxxxxxx";
                size_t len = lead;
                for (; len + unit <= total; len += unit)
                    memcpy(text + len, units[u], unit);
                text[len] = '\0';
                struct error err;
                error_set(&err, ERROR_IO, "%s", text);
                size_t got = strlen(err.message);
                assert_true(got <= cap && str_is_utf8(err.message, got));
                if (len <= cap) {
                    assert_string_equal(err.message, text);
                } else {
                    assert_string_equal(err.message + got - 3, "...");
                    assert_memory_equal(err.message, text, got - 3);
                    assert_true(got > cap - unit);
                }
            }
        }
    }
    /* Context stays, what it is about is cut. */
    struct error err;
    char text[2000] = {0};
    memset(text, 'y', sizeof(text) - 1);
    error_set(&err, ERROR_IO, "%s", text);
    error_wrap(&err, "first");
    assert_memory_equal(err.message, "first: yyy", 10);
    assert_string_equal(err.message + cap - 6, "yyy...");
    error_errno(&err, EIO, "%s", text);
    assert_int_equal(strlen(err.message), cap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),        cmocka_unit_test(test_errno),      cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_null),       cmocka_unit_test(test_kind_names), cmocka_unit_test(test_harmless),
        cmocka_unit_test(test_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
