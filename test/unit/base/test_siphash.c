/* SipHash against published vectors: 2-4 from the reference implementation of its authors, 1-3 from the tests
 * of Rust's core library; and three hashes that CPython 3.11 gives for bytes under PYTHONHASHSEED=0. */
#include "test/unit/base/unit.h"

#include "base/siphash.h"

/* Key 00 01 .. 0f; the n-th message is the bytes 0 .. n-1. */
static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static void test_vectors(void **state UNUSED)
{
    static const uint64_t want24[] = {
        UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd), UINT64_C(0x0d6c8009d9a94f5a),
        UINT64_C(0x85676696d7fb7e2d), UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
        UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137), UINT64_C(0x93f5f5799a932462),
        UINT64_C(0x9e0082df0ba9e4b0), UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
        UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90), UINT64_C(0xf723ca908e7af2ee),
        UINT64_C(0xa129ca6149be45e5), UINT64_C(0x3f2acc7f57c29bdb),
    };
    static const uint64_t want13[] = {
        UINT64_C(0xabac0158050fc4dc), UINT64_C(0xc9f49bf37d57ca93), UINT64_C(0x82cb9b024dc7d44d),
        UINT64_C(0x8bf80ab8e7ddf7fb), UINT64_C(0xcf75576088d38328), UINT64_C(0xdef9d52f49533b67),
        UINT64_C(0xc50d2b50c59f22a7), UINT64_C(0xd3927d989bb11140), UINT64_C(0x369095118d299a8e),
        UINT64_C(0x25a48eb36c063de4), UINT64_C(0x79de85ee92ff097f), UINT64_C(0x70c118c1f94dc352),
        UINT64_C(0x78a384b157b4d9a2), UINT64_C(0x306f760c1229ffa7), UINT64_C(0x605aa111c0f95d34),
        UINT64_C(0xd320d86d2a519956), UINT64_C(0xcc4fdd1a7d908b66),
    };
    unsigned char message[64];
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (unsigned char)i;
    for (size_t i = 0; i < ARRAY_SIZE(want24); i++)
        assert_true(siphash24(key, message, i) == want24[i]);
    for (size_t i = 0; i < ARRAY_SIZE(want13); i++)
        assert_true(siphash13(key, message, i) == want13[i]);
    assert_true(siphash13(key, message, 63) == UINT64_C(0x9d199062b7bbb3a8));
    assert_true(siphash24(key, message, 63) == UINT64_C(0x958a324ceb064572));
    /* Where the message begins in memory makes no difference. */
    assert_true(siphash13(key, message, 9) != siphash13(key, message + 1, 9));
    unsigned char shifted[65];
    for (size_t i = 0; i < 64; i++)
        shifted[i + 1] = message[i];
    assert_true(siphash13(key, shifted + 1, 16) == want13[16]);
}

static void test_python(void **state UNUSED)
{
    static const uint64_t zero[2] = {0, 0};
    unsigned char message[63];
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (unsigned char)i;
    assert_true(siphash13(zero, message, 1) == UINT64_C(0x68a914128e01e473));
    assert_true(siphash13(zero, message, 9) == UINT64_C(0x75927f9d95124362));
    assert_true(siphash13(zero, message, 63) == UINT64_C(0x385d3e39e5f37359));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_python),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
