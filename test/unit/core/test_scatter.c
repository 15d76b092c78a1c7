/* How large errors are by the time of the season: read from what past seasons did there. */
#include "test/unit/core/demand_fixture.h"

#include "core/residuals.h"
#include "core/scatter.h"

/* Seven days: calm at night, and as high at noon in the mean, but anywhere between nothing and twice that. */
static bool noon(int64_t slot)
{
    return slot % DAY >= 108 && slot % DAY < 180;
}

static double restless_noon(int64_t slot)
{
    uint64_t rng = (uint64_t)slot * 977 + 1;
    return noon(slot) ? 100 * 2 * uniform(&rng) : 99 + 2 * uniform(&rng);
}

static void fill(struct series *s, uint32_t slots, double (*value)(int64_t slot))
{
    series_init(s, 2016);
    for (int64_t slot = 0; slot < slots; slot++)
        series_push(s, value(slot), 0);
}

/* Of all times of the season alike. */
static double usual_of(const struct series *s, uint32_t season)
{
    struct scatter c;
    scatter_init(&c);
    for (uint32_t i = 0; i < season; i++)
        scatter_take(&c, scatter_at(s, season, s->next + i), 0.1 / season);
    return scatter_usual(&c);
}

static void test_reads_past_seasons(void **state)
{
    (void)state;
    struct series s;
    fill(&s, 7 * DAY, restless_noon);
    double calm = scatter_at(&s, DAY, 7 * DAY + 20), noon_at = scatter_at(&s, DAY, 7 * DAY + 144);
    double usual = usual_of(&s, DAY);
    assert_true(calm > 0.2 && calm < 1); /* uniform over 2: 0.5 in the mean */
    assert_true(noon_at > 35 && noon_at < 65);
    assert_true(usual > calm && usual < noon_at);
    /* the same slot, asked days ahead: fewer seasons lie behind it, none is made up */
    assert_true(scatter_at(&s, DAY, 10 * DAY + 144) > 35);
    double root = series_root(100);
    assert_true(scatter_size(&s, usual, noon_at, root) > 1.5 * scatter_size(&s, usual, calm, root));
    assert_true(scatter_size(&s, usual, calm, series_root(200)) > scatter_size(&s, usual, calm, root));
    series_done(&s);
}

static double forty(int64_t slot)
{
    (void)slot;
    return 40;
}

static double gone(int64_t slot)
{
    return slot < 3 ? 40 : (double)NAN;
}

static double none(int64_t slot)
{
    (void)slot;
    return 0;
}

static double largest(int64_t slot)
{
    return slot % 2 ? SERIES_MAX : -SERIES_MAX;
}

static void test_edges(void **state)
{
    (void)state;
    struct series s;
    fill(&s, 0, forty);
    assert_true(isnan(scatter_at(&s, DAY, 0)) && isnan(usual_of(&s, DAY)));
    assert_float_equal(scatter_size(&s, usual_of(&s, DAY), scatter_at(&s, DAY, 0), 3), 1, 0);
    series_done(&s);
    fill(&s, 3 * DAY, forty); /* nothing ever happens: no time is safer than another */
    assert_float_equal(usual_of(&s, DAY), 0, 0);
    assert_float_equal(scatter_size(&s, 0, scatter_at(&s, DAY, 3 * DAY), series_root(40)), 1, 1e-9);
    assert_float_equal(scatter_size(&s, usual_of(&s, 0), scatter_at(&s, 0, 3 * DAY), series_root(40)), 1,
                       1e-9); /* no season */
    series_done(&s);
    fill(&s, 2 * DAY, gone);
    assert_true(isnan(scatter_at(&s, DAY, 2 * DAY + 100)));
    double size = scatter_size(&s, 1, scatter_at(&s, DAY, 2 * DAY + 100), series_root(40));
    assert_float_equal(size, 1, 1e-9);
    series_done(&s);
    fill(&s, 2 * DAY, none);
    assert_float_equal(scatter_size(&s, usual_of(&s, DAY), scatter_at(&s, DAY, 2 * DAY), 5), 1, 0);
    series_done(&s);
    fill(&s, 2 * DAY, largest);
    assert_true(isfinite(usual_of(&s, DAY)));
    size = scatter_size(&s, usual_of(&s, DAY), scatter_at(&s, DAY, 2 * DAY), series_root(SERIES_MAX));
    assert_true(size > 0 && size < 10);
    series_done(&s);
}

/* Many at once are the same as one by one: across the ends of the ring and of what is held, with marks and gaps. */
static void test_read(void **state)
{
    (void)state;
    struct series s;
    series_init(&s, 37);
    uint64_t rng = 5;
    for (uint32_t t = 0; t < 100; t++) {
        double dice = uniform(&rng);
        series_push(&s, dice < 0.05 ? (double)NAN : t,
                    dice > 0.97  ? SERIES_EXCLUDED
                    : dice > 0.9 ? SERIES_CENSORED
                                 : 0);
        for (int64_t first = s.next - 45; first < s.next + 3; first++)
            for (uint32_t n = 0; n < 9; n++) {
                float got[9];
                uint32_t step = 1 + n % 2;
                series_read(&s, first, n, step, got);
                for (uint32_t i = 0; i < n; i++) {
                    float want = series_at(&s, first + (int64_t)i * step);
                    assert_memory_equal(&got[i], &want, sizeof want);
                }
            }
    }
    series_done(&s);
}

/* Every ring and season: within bounds, whatever the dice say. */
static void test_bounds(void **state)
{
    (void)state;
    const uint32_t caps[] = {12, 37, 288, 2016}, seasons[] = {0, 2, 5, 24, 288, 1440};
    uint64_t rng = 7;
    for (uint32_t i = 0; i < ARRAY_SIZE(caps); i++)
        for (uint32_t j = 0; j < ARRAY_SIZE(seasons); j++) {
            struct series s;
            series_init(&s, caps[i]);
            for (uint32_t t = 0; t < caps[i] + 30; t++)
                series_push(&s, uniform(&rng) < 0.2 ? (double)NAN : 1 / (uniform(&rng) + 1e-6), t % 11 == 0);
            double usual = usual_of(&s, seasons[j]);
            for (uint32_t lead = 0; lead < 100; lead += 9) {
                double size = scatter_size(&s, usual, scatter_at(&s, seasons[j], s.next + lead), 1000 * uniform(&rng));
                assert_true(size > 0.2 && size <= 25);
            }
            series_done(&s);
        }
}

/* The interval at a restless noon is far wider than at night, though the demand is the same. */
static void test_interval_follows(void **state)
{
    (void)state;
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    double at[2] = {0};
    for (int64_t slot = 0; slot < 7 * DAY + 200; slot++) {
        demand_push_slot(d, slot, restless_noon(slot), 120);
        bool night = slot == 7 * DAY + 10;
        if (!night && slot != 7 * DAY + 100)
            continue;
        const struct forecast *f =
            demand_forecast(d); /* from 00:55 to 06:55, and from 08:25 on: noon from the eighth */
        for (uint32_t h = 10; h < 60; h++)
            at[!night] += (double)f->quantile[5][h] - (double)f->quantile[1][h];
    }
    assert_true(at[1] > 1.4 * at[0]);
    demand_free(d);
}

static void test_unrest(void **state)
{
    (void)state;
    const struct residuals_rates rates = {.weight = 0.003, .fast = 0.5, .slow = 0.002, .clip = 40};
    struct residuals r;
    residuals_init(&r);
    assert_float_equal(residuals_unrest(&r), 1, 0);
    for (uint32_t i = 0; i < 50; i++)
        residuals_take(&r, i % 2 ? 10 : -10, 10, 0, &rates);
    assert_float_equal(residuals_unrest(&r), 1, 1e-3);
    for (uint32_t i = 0; i < 4; i++)
        residuals_take(&r, 60, 10, 0, &rates);
    assert_true(residuals_unrest(&r) > 3);
    for (uint32_t i = 0; i < 30; i++)
        residuals_take(&r, 0, 10, 0, &rates);
    assert_in_range((uint64_t)(1000 * residuals_unrest(&r)), 333, 340);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_past_seasons),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_interval_follows),
        cmocka_unit_test(test_unrest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
