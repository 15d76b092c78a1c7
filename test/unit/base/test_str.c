/* Views, copies, names, percent encoding and base64. */
#include "test/unit/base/unit.h"

#include "base/rng.h"
#include "base/str.h"

#include <string.h>

static void test_compare(void **state UNUSED)
{
    assert_true(streq0(NULL, NULL));
    assert_false(streq0(NULL, ""));
    assert_false(streq0("", NULL));
    assert_true(streq0("a", "a"));
    assert_false(streq0("a", "b"));
    assert_true(str_starts("apps/v1", "apps/"));
    assert_true(str_starts("a", ""));
    assert_false(str_starts("app", "apps"));
    assert_true(str_ends("x.yaml", ".yaml"));
    assert_true(str_ends("x", ""));
    assert_false(str_ends("yaml", ".yaml"));
    assert_false(str_ends("x.yaml ", ".yaml"));
}

static void test_copy(void **state UNUSED)
{
    static const struct {
        const char *src;
        size_t cap;
        const char *want;
        bool fits;
    } rows[] = {
        {"", 1, "", true},
        {"a", 1, "", false},
        {"abc", 4, "abc", true},
        {"abcd", 4, "abc", false},
        {"a\xC3\xA4", 4, "a\xC3\xA4", true},
        {"a\xC3\xA4", 3, "a", false},
        {"\xE2\x82\xAC", 3, "", false},
        {"\xE2\x82\xACx", 4, "\xE2\x82\xAC", false},
        {"\xF0\x9F\x98\x80!", 4, "", false},
        {"\xF0\x9F\x98\x80!", 5, "\xF0\x9F\x98\x80", false},
        {"\x80\x80\x80\x80\x80\x80", 6, "\x80\x80\x80\x80\x80", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char out[8];
        memset(out, 'X', sizeof(out));
        check_row(rows[i].src, str_copy(out, rows[i].cap, rows[i].src) == rows[i].fits);
        assert_string_equal(out, rows[i].want);
        assert_int_equal(out[rows[i].cap], 'X');
    }
}

static void test_dns_names(void **state UNUSED)
{
    static const struct {
        const char *s;
        bool label, subdomain;
    } rows[] = {
        {"a", true, true},
        {"web-1", true, true},
        {"0", true, true},
        {"", false, false},
        {"-a", false, false},
        {"a-", false, false},
        {"A", false, false},
        {"a_b", false, false},
        {"a.b", false, true},
        {"a..b", false, false},
        {".a", false, false},
        {"a.", false, false},
        {"a.-b", false, false},
        {"a-.b", false, false},
        {"a b", false, false},
        {"a\n", false, false},
        {"a\xC3\xA4", false, false},
        {"0123456789012345678901234567890123456789012345678901234567890ab", true, true},
        /* Kubernetes does not limit the labels of a subdomain. */
        {"0123456789012345678901234567890123456789012345678901234567890abc", false, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        check_row(rows[i].s, str_is_dns_label(rows[i].s) == rows[i].label);
        check_row(rows[i].s, str_is_dns_subdomain(rows[i].s) == rows[i].subdomain);
    }
    char longest[255] = {0};
    memset(longest, 'a', 253);
    assert_true(str_is_dns_subdomain(longest));
    longest[253] = 'a';
    assert_false(str_is_dns_subdomain(longest));
}

static void test_url_escape(void **state UNUSED)
{
    struct buf out = BUF_INIT(4096);
    str_url_escape(&out, "AZaz09-._~");
    assert_string_equal(buf_str(&out), "AZaz09-._~");
    buf_clear(&out);
    str_url_escape(&out, "a b/c?d=e&f%\xC3\xA4+\x01\xFF");
    assert_string_equal(buf_str(&out), "a%20b%2Fc%3Fd%3De%26f%25%C3%A4%2B%01%FF");
    buf_done(&out);
}

static void test_base64_vectors(void **state UNUSED)
{
    /* RFC 4648, section 10, and every digit. */
    static const struct {
        const char *bytes, *text;
    } rows[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xFB\xFF\xBF", "+/+/"},
    };
    struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        buf_clear(&out);
        str_base64_encode(&out, rows[i].bytes, strlen(rows[i].bytes));
        assert_string_equal(buf_str(&out), rows[i].text);
        buf_clear(&out);
        assert_int_equal(str_base64_decode(&out, rows[i].text, strlen(rows[i].text)), 0);
        assert_string_equal(buf_str(&out), rows[i].bytes);
    }
    buf_done(&out);
}

static void test_base64_reads(void **state UNUSED)
{
    static const struct {
        const char *text, *bytes;
    } rows[] = {
        {" Zm9v\r\nYm\tFy\n", "foobar"},
        {"Zg=\n=", "f"},
        {"Zh==", "f"},
        {"\n", ""},
        {"Z", NULL},
        {"Zg", NULL},
        {"Zg=", NULL},
        {"Zg===", NULL},
        {"Zm8==", NULL},
        {"Zm9v=", NULL},
        {"Zm9v====", NULL},
        {"=", NULL},
        {"====", NULL},
        {"Zg==Zg==", NULL},
        {"Z=g=", NULL},
        {"Zm9-", NULL},
        {"Zm9_", NULL},
        {"Zm9v\v", NULL},
        {"Zm9\xC3", NULL},
    };
    struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        buf_clear(&out);
        buf_puts(&out, "before ");
        int r = str_base64_decode(&out, rows[i].text, strlen(rows[i].text));
        check_row(rows[i].text, r == (rows[i].bytes ? 0 : -1));
        /* What a failed decoding had appended is taken back. */
        assert_memory_equal(buf_str(&out), "before ", 7);
        assert_string_equal(buf_str(&out) + 7, rows[i].bytes ? rows[i].bytes : "");
    }
    buf_done(&out);

    struct buf tight = BUF_INIT(2);
    assert_int_equal(str_base64_decode(&tight, "Zm9v", 4), -1);
    assert_int_equal(tight.len, 0);
    buf_done(&tight);
}

static void test_base64_round_trip(void **state UNUSED)
{
    struct rng rng;
    rng_seed(&rng, 64);
    struct buf text = BUF_INIT(4096), back = BUF_INIT(4096);
    for (int i = 0; i < 500; i++) {
        unsigned char bytes[100];
        size_t len = (size_t)rng_below(&rng, sizeof(bytes) + 1);
        for (size_t k = 0; k < len; k++)
            bytes[k] = (unsigned char)rng_next(&rng);
        buf_clear(&text);
        buf_clear(&back);
        str_base64_encode(&text, bytes, len);
        assert_int_equal(text.len, (len + 2) / 3 * 4);
        assert_int_equal(str_base64_decode(&back, buf_str(&text), text.len), 0);
        assert_int_equal(back.len, len);
        assert_memory_equal(buf_str(&back), bytes, len);
    }
    buf_done(&text);
    buf_done(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),           cmocka_unit_test(test_copy),
        cmocka_unit_test(test_dns_names),         cmocka_unit_test(test_url_escape),
        cmocka_unit_test(test_base64_vectors),    cmocka_unit_test(test_base64_reads),
        cmocka_unit_test(test_base64_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
