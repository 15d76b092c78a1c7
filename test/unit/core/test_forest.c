/* The Isolation Forest: constants of the literature, what must hold of every forest, and trees from elsewhere. That it
 * agrees with scikit-learn is shown by test/integration/test_forest_agreement.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/forest.h"
#include "core/ln.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS     300
#define FEATURES 3

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-14;
}

static void fill(float *rows, uint32_t n, uint32_t features, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed);
    for (uint32_t i = 0; i < n * features; i++) {
        double x = 0;
        for (int k = 0; k < 12; k++)
            x += rng_unit(&rng);
        rows[i] = (float)(x - 6); /* nearly normal */
    }
}

static void constants_of_the_literature(void **state)
{
    (void)state;
    assert_true(near(forest_c(0), 0) && near(forest_c(1), 0) && near(forest_c(2), 1));
    assert_true(fabs(forest_c(3) - (2 * (log(2) + 0.5772156649015329) - 4.0 / 3)) < 1e-14);
    assert_true(fabs(forest_c(256) - 10.244770920) < 1e-8);
    for (uint32_t n = 3; n <= FOREST_MAX_PSI; n++)
        assert_true(forest_c(n) > forest_c(n - 1));
    assert_true(near(forest_score(1), 0.5) && near(forest_score(0), 1));
}

static void logarithm_from_arithmetic_alone(void **state)
{
    (void)state;
    for (int e = -1021; e < 1023; e++)
        for (int k = 0; k < 16; k++) {
            double v = ldexp(1 + k / 16.0, e), want = log(v);
            assert_true(fabs(ln(v) - want) <= 2e-15 * fmax(fabs(want), 1));
        }
    assert_true(near(ln(1), 0));
    assert_true(fabs(ln(5e-324) - log(5e-324)) < 1e-11);
}

static void same_rows_and_seed_same_depths(void **state)
{
    (void)state;
    static float rows[ROWS * FEATURES];
    double a[ROWS], b[ROWS], other[ROWS];
    fill(rows, ROWS, FEATURES, 1);
    struct forest *f = forest_new(FEATURES, 50), *g = forest_new(FEATURES, 50);
    forest_fit(f, rows, ROWS, 7);
    forest_fit(g, rows, ROWS, 8);
    forest_depths(g, rows, ROWS, other);
    forest_fit(g, rows, ROWS, 7); /* nothing of an earlier fit is left */
    forest_depths(f, rows, ROWS, a);
    forest_depths(g, rows, ROWS, b);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, other, sizeof a);
    for (uint32_t i = 0; i < ROWS; i++) /* one by one or all at once */
        assert_true(fabs(forest_depth(f, rows + (size_t)i * FEATURES) - a[i]) < 1e-12);
    forest_free(f);
    forest_free(g);
}

static void strange_rows_are_alone_sooner(void **state)
{
    (void)state;
    static float rows[ROWS * FEATURES];
    fill(rows, ROWS, FEATURES, 2);
    for (uint32_t k = 0; k < FEATURES; k++)
        rows[17 * FEATURES + k] = 9;
    struct forest *f = forest_new(FEATURES, 100);
    double depth[ROWS];
    forest_fit(f, rows, ROWS, 3);
    forest_depths(f, rows, ROWS, depth);
    for (uint32_t i = 0; i < ROWS; i++) {
        assert_true(depth[i] > 0 && depth[i] < 2);
        assert_true(i == 17 || depth[i] > depth[17]);
    }
    assert_true(forest_score(depth[17]) > 0.7);
    forest_free(f);
}

/* Rows that nothing tells apart are one leaf at depth 0 with all of the sample in it. */
static void what_is_all_the_same_is_ordinary(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 3, 20, 256, 1000};
    static float rows[1000 * 2];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        rows[i] = 4.5f;
    const float elsewhere[] = {-1e30f, 1e30f};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct forest *f = forest_new(2, 10);
        forest_fit(f, rows, sizes[i], 1);
        assert_true(fabs(forest_depth(f, rows) - 1) < 1e-12);
        assert_true(fabs(forest_depth(f, elsewhere) - 1) < 1e-12);
        forest_free(f);
    }
}

/* Neighbouring floats, and the ends of their range: each cut leaves rows on both sides, so that no depth is lost. */
static void values_that_leave_no_room_for_a_cut(void **state)
{
    (void)state;
    const float close[] = {1, nextafterf(1, 2)}, far[] = {-3e38f, 3e38f}, none[] = {0.0f, 1e-45f};
    const float *const pairs[] = {close, far, none};
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        struct forest *f = forest_new(1, 20);
        forest_fit(f, pairs[i], 2, i);
        assert_true(near(forest_depth(f, &pairs[i][0]), 1) && near(forest_depth(f, &pairs[i][1]), 1));
        forest_free(f);
    }
}

/* A tree by hand:  0: x0 <= 1.5 ? 1 : 2;  2: x1 <= -2 ? 3 : 4. */
static const struct forest_node by_hand[] = {
    {.left = 1, .right = 2, .feature = 0, .cut = 1.5},
    {.left = -1, .rows = 6},
    {.left = 3, .right = 4, .feature = 1, .cut = -2},
    {.left = -1, .rows = 1},
    {.left = -1, .rows = 9},
};

static void trees_from_elsewhere(void **state)
{
    (void)state;
    static const struct {
        float row[2];
        uint32_t depth, rows;
    } cases[] = {{{1.5f, 0}, 1, 6}, {{1.5000001f, -2}, 2, 1}, {{2, -1.9999999f}, 2, 9}, {{-1e30f, 1e30f}, 1, 6}};
    struct forest *f = forest_new(2, 1);
    assert_int_equal(forest_set_tree(f, 0, by_hand, ARRAY_SIZE(by_hand), 16), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        double want = (cases[i].depth + forest_c(cases[i].rows)) / forest_c(16);
        assert_true(fabs(forest_depth(f, cases[i].row) - want) < 1e-15);
    }
    forest_free(f);
}

/* 0.1 lies between two floats: the row that is nearest above it goes right, as it would in double. */
static void cuts_between_floats(void **state)
{
    (void)state;
    const struct forest_node nodes[] = {
        {.left = 1, .right = 2, .cut = 0.1}, {.left = -1, .rows = 1}, {.left = -1, .rows = 3}};
    struct forest *f = forest_new(1, 1);
    float above = 0.1f, below = nextafterf(0.1f, 0);
    assert_true((double)above > 0.1 && (double)below < 0.1);
    assert_int_equal(forest_set_tree(f, 0, nodes, 3, 4), 0);
    assert_true(fabs(forest_depth(f, &below) - 1 / forest_c(4)) < 1e-15);
    assert_true(fabs(forest_depth(f, &above) - (1 + forest_c(3)) / forest_c(4)) < 1e-15);
    forest_free(f);
}

static void what_is_no_tree_is_refused(void **state)
{
    (void)state;
    struct forest_node deep[2 * FOREST_MAX_DEPTH + 4] = {{0}};
    for (int i = 0; i <= FOREST_MAX_DEPTH; i++) {
        deep[2 * i] = (struct forest_node){.left = 2 * i + 1, .right = 2 * i + 2};
        deep[2 * i + 1] = (struct forest_node){.left = -1, .rows = 1};
    }
    deep[2 * FOREST_MAX_DEPTH + 2] = (struct forest_node){.left = -1, .rows = 1};
    const struct forest_node outside[] = {{.left = 1, .right = 5}, {.left = -1, .rows = 1}},
                             loop[] = {{.left = 0, .right = 0}},
                             feature[] = {{.left = 1, .right = 1, .feature = 2}, {.left = -1}},
                             nan[] = {{.left = 1, .right = 1, .cut = (double)NAN}, {.left = -1}},
                             many[] = {{.left = -1, .rows = FOREST_MAX_PSI + 1}},
                             negative[] = {{.left = 1, .right = -7}, {.left = -1}};
    struct forest *f = forest_new(2, 1);
    assert_int_equal(forest_set_tree(f, 0, deep, ARRAY_SIZE(deep), 256), -1);
    assert_int_equal(forest_set_tree(f, 0, outside, 2, 256), -1);
    assert_int_equal(forest_set_tree(f, 0, loop, 1, 256), -1);
    assert_int_equal(forest_set_tree(f, 0, feature, 2, 256), -1);
    assert_int_equal(forest_set_tree(f, 0, nan, 2, 256), -1);
    assert_int_equal(forest_set_tree(f, 0, many, 1, 256), -1);
    assert_int_equal(forest_set_tree(f, 0, negative, 2, 256), -1);
    assert_int_equal(forest_set_tree(f, 0, NULL, 0, 256), -1);
    forest_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_of_the_literature),
        cmocka_unit_test(logarithm_from_arithmetic_alone),
        cmocka_unit_test(same_rows_and_seed_same_depths),
        cmocka_unit_test(strange_rows_are_alone_sooner),
        cmocka_unit_test(what_is_all_the_same_is_ordinary),
        cmocka_unit_test(values_that_leave_no_room_for_a_cut),
        cmocka_unit_test(trees_from_elsewhere),
        cmocka_unit_test(cuts_between_floats),
        cmocka_unit_test(what_is_no_tree_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
