/* The generator: its published sequence, its seeds for ever, and the absence of bias. */
#include "test/unit/base/unit.h"

#include "base/rng.h"

#include <string.h>

/* The sequence of xoshiro256** from the state 1, 2, 3, 4, as its implementations test it. */
static void test_reference(void **state UNUSED)
{
    struct rng rng = {{1, 2, 3, 4}};
    static const uint64_t want[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        assert_true(rng_next(&rng) == want[i]);
}

static void test_seed(void **state UNUSED)
{
    /* The state after a seed is the published sequence of splitmix64 for it. */
    struct rng rng;
    rng_seed(&rng, 1234567);
    assert_true(rng.s[0] == UINT64_C(6457827717110365317));
    assert_true(rng.s[1] == UINT64_C(3203168211198807973));
    assert_true(rng.s[2] == UINT64_C(9817491932198370423));
    assert_true(rng.s[3] == UINT64_C(4593380528125082431));
    rng_seed(&rng, 0);
    assert_true(rng.s[0] | rng.s[1] | rng.s[2] | rng.s[3]);
}

static void test_seed_bytes(void **state UNUSED)
{
    struct rng a, b;
    rng_seed_bytes(&a, "0b6a8d0e-2f7c-4a51", 18);
    rng_seed_bytes(&b, "0b6a8d0e-2f7c-4a51", 18);
    assert_memory_equal(&a, &b, sizeof(a));
    uint64_t first = rng_next(&a);
    /* Kept for ever: what was computed with it must be computable again. */
    assert_true(first == UINT64_C(0xa8b7371a77c07499));
    rng_seed_bytes(&b, "0b6a8d0e-2f7c-4a52", 18);
    assert_true(rng_next(&b) != first);
    rng_seed_bytes(&b, "", 0);
    assert_true(rng_next(&b) != first);
}

static void test_random(void **state UNUSED)
{
    struct rng a, b;
    rng_seed_random(&a);
    rng_seed_random(&b);
    assert_memory_not_equal(&a, &b, sizeof(a));
}

static void test_below(void **state UNUSED)
{
    struct rng rng;
    rng_seed(&rng, 5);
    for (int i = 0; i < 100; i++)
        assert_int_equal(rng_below(&rng, 1), 0);
    /* Three quarters of 2^64: a plain remainder would give the lower third twice as often as the others. */
    const uint64_t limit = UINT64_C(3) << 62;
    uint64_t thirds[3] = {0};
    for (int i = 0; i < 30000; i++) {
        uint64_t r = rng_below(&rng, limit);
        assert_true(r < limit);
        thirds[r >> 62]++;
    }
    /* 10,000 each, standard deviation 82. */
    for (size_t i = 0; i < 3; i++)
        assert_in_range(thirds[i], 9500, 10500);
    bool seen[7] = {false};
    for (int i = 0; i < 1000; i++)
        seen[rng_below(&rng, 7)] = true;
    for (size_t i = 0; i < 7; i++)
        assert_true(seen[i]);
}

static void test_unit(void **state UNUSED)
{
    struct rng rng;
    rng_seed(&rng, 6);
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        double u = rng_unit(&rng);
        assert_true(u >= 0 && u < 1);
        sum += u;
    }
    /* Mean 0.5, standard deviation of the mean 0.0009. */
    assert_true(sum / 100000 > 0.495 && sum / 100000 < 0.505);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference), cmocka_unit_test(test_seed),  cmocka_unit_test(test_seed_bytes),
        cmocka_unit_test(test_random),    cmocka_unit_test(test_below), cmocka_unit_test(test_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
