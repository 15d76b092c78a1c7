/* The codec: round trips to the bit, and readers that no bytes can hurt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/codec.h"

#include <math.h>
#include <string.h>

static void test_round_trip(void **state)
{
    (void)state;
    _cleanup_(buf_done) struct buf b = BUF_INIT(4096);
    struct codec_writer w = {&b};
    const double odd[] = {0.0, -0.0, 1.0 / 3, 5e-324, 1.7976931348623157e308, (double)INFINITY, (double)NAN};
    size_t at = codec_section(&w, 7);
    codec_u8(&w, 0xfe);
    codec_u16(&w, 0xfedc);
    codec_u32(&w, 0xfedcba98u);
    codec_u64(&w, 0xfedcba9876543210u);
    codec_i64(&w, INT64_MIN);
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        codec_f64(&w, odd[i]);
        codec_f32(&w, (float)(i < 3 ? odd[i] : (double)INFINITY));
    }
    codec_bytes(&w, "abc", 3);
    codec_section_end(&w, at);
    assert_false(b.failed);

    struct codec_reader r = codec_reader(b.data, b.len), s;
    uint16_t tag;
    assert_true(codec_get_section(&r, &tag, &s));
    assert_int_equal(tag, 7);
    assert_true(codec_done(&r));
    assert_int_equal(codec_get_u8(&s), 0xfe);
    assert_int_equal(codec_get_u16(&s), 0xfedc);
    assert_int_equal(codec_get_u32(&s), 0xfedcba98u);
    assert_true(codec_get_u64(&s) == 0xfedcba9876543210u);
    assert_true(codec_get_i64(&s) == INT64_MIN);
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        double d = codec_get_f64(&s);
        assert_memory_equal(&d, &odd[i], sizeof d);
        float f = codec_get_f32(&s), want = (float)(i < 3 ? odd[i] : (double)INFINITY);
        assert_memory_equal(&f, &want, sizeof f);
    }
    size_t len;
    const void *p = codec_get_bytes(&s, 3, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(p, "abc", 3);
    assert_true(codec_done(&s));
}

/* The bytes are little-endian whatever the machine: they are a file format. */
static void test_bytes_are_fixed(void **state)
{
    (void)state;
    _cleanup_(buf_done) struct buf b = BUF_INIT(64);
    struct codec_writer w = {&b};
    size_t at = codec_section(&w, 0x0102);
    codec_u32(&w, 0x0a0b0c0du);
    codec_f32(&w, 1.0f);
    codec_section_end(&w, at);
    const uint8_t want[] = {2, 1, 8, 0, 0, 0, 0x0d, 0x0c, 0x0b, 0x0a, 0, 0, 0x80, 0x3f};
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.data, want, sizeof want);
}

static void test_violation_is_sticky(void **state)
{
    (void)state;
    const uint8_t data[] = {1, 2, 3};
    struct codec_reader r = codec_reader(data, sizeof data);
    assert_int_equal(codec_get_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(codec_get_u8(&r), 0); /* though a byte is there */
    assert_false(codec_done(&r));

    struct codec_reader empty = codec_reader(NULL, 0);
    assert_true(codec_done(&empty));
    uint16_t tag;
    struct codec_reader s;
    assert_false(codec_get_section(&empty, &tag, &s));
    assert_false(empty.failed); /* an end is no violation */
}

static void test_lengths_are_checked(void **state)
{
    (void)state;
    const uint8_t beyond[] = {1, 0, 0xff, 0xff, 0xff, 0xff, 0};
    struct codec_reader r = codec_reader(beyond, sizeof beyond), s;
    uint16_t tag;
    assert_false(codec_get_section(&r, &tag, &s));
    assert_true(r.failed);
    assert_int_equal(codec_get_u8(&s), 0); /* the section given with a failure reads as failed */

    const uint8_t five[] = {5, 0, 0, 0, 'a', 'b', 'c', 'd', 'e'};
    size_t len = 9;
    r = codec_reader(five, sizeof five);
    assert_null(codec_get_bytes(&r, 4, &len));
    assert_true(r.failed);
    assert_int_equal(len, 0);
}

static void test_finite(void **state)
{
    (void)state;
    const double bad[] = {(double)INFINITY, -(double)INFINITY, (double)NAN};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_(buf_done) struct buf b = BUF_INIT(64);
        struct codec_writer w = {&b};
        codec_f64(&w, bad[i]);
        struct codec_reader r = codec_reader(b.data, b.len);
        assert_true(codec_get_finite(&r) >= 0);
        assert_true(r.failed);
    }
}

static void test_full_buffer(void **state)
{
    (void)state;
    _cleanup_(buf_done) struct buf b = BUF_INIT(8);
    struct codec_writer w = {&b};
    size_t at = codec_section(&w, 1);
    codec_u64(&w, 1);
    codec_section_end(&w, at);
    assert_true(b.failed);
}

static void test_crc(void **state)
{
    (void)state;
    /* RFC 3720, appendix B.4 */
    uint8_t data[32] = {0};
    assert_int_equal(codec_crc32c(data, 32), 0x8a9136aau);
    memset(data, 0xff, 32);
    assert_int_equal(codec_crc32c(data, 32), 0x62a8ab43u);
    for (unsigned i = 0; i < 32; i++)
        data[i] = (uint8_t)i;
    assert_int_equal(codec_crc32c(data, 32), 0x46dd794eu);
    assert_int_equal(codec_crc32c("123456789", 9), 0xe3069283u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bytes_are_fixed),
        cmocka_unit_test(test_violation_is_sticky),
        cmocka_unit_test(test_lengths_are_checked),
        cmocka_unit_test(test_finite),
        cmocka_unit_test(test_full_buffer),
        cmocka_unit_test(test_crc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
