/* Quantiles of a forecast's own errors, from the histogram that they are kept in. */
#include "test/unit/core/demand_fixture.h"

#include "core/residuals.h"

static const struct residuals_rates slow = {.weight = 0.0001, .fast = 0.5, .slow = 0.002, .clip = 40};

static double normal(uint64_t *rng)
{
    return sqrt(-2 * log(uniform(rng) + 1e-12)) * cos(2 * M_PI * uniform(rng));
}

static double laplace(uint64_t *rng)
{
    double size = -log(uniform(rng) + 1e-12);
    return uniform(rng) < 0.5 ? -size : size;
}

/* Both have a known tail, where the bins are wide: to take the errors in one for evenly spread would miss it. */
static void test_known_tails(void **state)
{
    (void)state;
    static const struct {
        double (*draw)(uint64_t *rng);
        double level, truth;
    } cases[] = {
        {normal, 0.5, 0},      {normal, 0.9, 1.282},   {normal, 0.95, 1.645},   {normal, 0.975, 1.960},
        {normal, 0.99, 2.326}, {laplace, 0.95, 2.303}, {laplace, 0.975, 2.996}, {laplace, 0.99, 3.912},
    };
    for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct residuals r;
        residuals_init(&r);
        uint64_t rng = 3;
        for (uint32_t k = 0; k < 100000; k++)
            residuals_take(&r, cases[i].draw(&rng), 1, 0, &slow);
        double most = 0.03 * cases[i].truth + 0.02;
        assert_true(fabs(residuals_quantile(&r, cases[i].level) - cases[i].truth) < most);
        assert_true(fabs(residuals_quantile(&r, 1 - cases[i].level) + cases[i].truth) < most);
    }
}

/* Whatever the histogram: in order, finite, within the range of the bins. */
static void test_order(void **state)
{
    (void)state;
    uint64_t rng = 11;
    for (uint32_t i = 0; i < 300; i++) {
        struct residuals r;
        residuals_init(&r);
        struct residuals_rates rates = slow;
        rates.weight = uniform(&rng);
        double spread = 30 * uniform(&rng) * uniform(&rng);
        for (uint32_t k = 0; k < 1 + i / 10; k++)
            residuals_take(&r, spread * (uniform(&rng) - 0.3), 1, 0, &rates);
        double before = -20;
        for (double level = 0.001; level < 1; level += 0.001) {
            double z = residuals_quantile(&r, level);
            assert_true(z >= before && z <= 20);
            before = z;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_tails),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
