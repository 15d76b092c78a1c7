/* The maximum and its sticky failure, and everything that moves the end. */
#include "test/unit/base/unit.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

static void test_empty(void **state UNUSED)
{
    struct buf b = BUF_INIT(10);
    assert_string_equal(buf_str(&b), "");
    buf_clear(&b);
    buf_consume(&b, 5);
    buf_truncate(&b, 0);
    char *text = buf_steal(&b);
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(buf_append(&b, NULL, 0), 0);
    assert_string_equal(buf_str(&b), "");
    buf_done(&b);
    buf_done(&b);
}

static void test_append(void **state UNUSED)
{
    struct buf b = BUF_INIT(100000);
    size_t len = 0;
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(buf_printf(&b, "%d,", i), 0);
        assert_int_equal(buf_putc(&b, 'x'), 0);
        len += strlen(b.data + len);
        assert_int_equal(b.len, len);
    }
    assert_int_equal(memcmp(b.data, "0,x1,x2,x", 9), 0);
    assert_string_equal(b.data + b.len - 6, "4999,x");
    buf_clear(&b);
    assert_int_equal(buf_append(&b, "a\0b", 3), 0);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "a\0b", 4);
    buf_done(&b);
}

static void test_maximum(void **state UNUSED)
{
    struct buf b;
    buf_init(&b, 5);
    assert_int_equal(buf_puts(&b, "12345"), 0);
    assert_int_equal(buf_puts(&b, ""), 0);
    assert_int_equal(buf_putc(&b, '6'), -1);
    assert_true(b.failed);
    assert_string_equal(buf_str(&b), "12345");
    /* It stays failed, even for what would fit. */
    buf_truncate(&b, 1);
    assert_int_equal(buf_puts(&b, ""), -1);
    assert_int_equal(buf_putc(&b, '6'), -1);
    assert_int_equal(buf_printf(&b, "%d", 6), -1);
    assert_string_equal(buf_str(&b), "1");
    buf_clear(&b);
    assert_false(b.failed);
    /* All or nothing. */
    assert_int_equal(buf_puts(&b, "123"), 0);
    assert_int_equal(buf_printf(&b, "%d", 456), -1);
    assert_string_equal(buf_str(&b), "123");
    buf_clear(&b);
    assert_int_equal(buf_append(&b, "x", SIZE_MAX), -1);
    assert_int_equal(b.len, 0);
    buf_done(&b);
    assert_int_equal(b.max, 5);
    assert_int_equal(buf_printf(&b, "%05d", 1), 0);
    assert_string_equal(buf_str(&b), "00001");
    buf_done(&b);

    struct buf none = BUF_INIT(0);
    assert_int_equal(buf_puts(&none, ""), 0);
    assert_int_equal(buf_putc(&none, 'x'), -1);
    buf_done(&none);
    struct buf endless = BUF_INIT(SIZE_MAX);
    assert_int_equal(buf_puts(&endless, "x"), 0);
    assert_int_equal(buf_append(&endless, "x", SIZE_MAX), -1);
    buf_done(&endless);
}

static void test_consume_and_truncate(void **state UNUSED)
{
    struct buf b = BUF_INIT(100);
    buf_puts(&b, "one\ntwo\nthree");
    buf_consume(&b, 4);
    assert_string_equal(buf_str(&b), "two\nthree");
    buf_consume(&b, 0);
    assert_string_equal(buf_str(&b), "two\nthree");
    buf_truncate(&b, 100);
    assert_string_equal(buf_str(&b), "two\nthree");
    buf_truncate(&b, 3);
    assert_string_equal(buf_str(&b), "two");
    buf_puts(&b, "!");
    assert_string_equal(buf_str(&b), "two!");
    buf_consume(&b, 1000);
    assert_int_equal(b.len, 0);
    assert_string_equal(buf_str(&b), "");
    buf_done(&b);
}

static void test_steal(void **state UNUSED)
{
    struct buf b = BUF_INIT(10);
    buf_puts(&b, "mine");
    char *text = buf_steal(&b);
    assert_string_equal(text, "mine");
    free(text);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.max, 10);
    buf_puts(&b, "next");
    assert_string_equal(buf_str(&b), "next");
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),   cmocka_unit_test(test_append),
        cmocka_unit_test(test_maximum), cmocka_unit_test(test_consume_and_truncate),
        cmocka_unit_test(test_steal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
