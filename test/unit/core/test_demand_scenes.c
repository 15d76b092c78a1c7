/* What becomes of the forecast when the world changes: one table, one line for each thing that happens to a workload.
 * A scene is played for some days; in each of its stretches the forecasts of six hours are compared with what came, in
 * the mean error relative to the mean demand, and in the share that the 95 % interval held. */
#include "test/unit/core/demand_fixture.h"

#include <stdio.h>

#define EVENT (10 * DAY) /* when it happens */
#define NOISE 0.05

/* The same dice for the same slot. */
static double noise(int64_t t)
{
    uint64_t rng = (uint64_t)(t + 1) * UINT64_C(0x9E3779B97F4A7C15);
    double sum = 0;
    for (uint32_t i = 0; i < 4; i++)
        sum += uniform(&rng) - 0.5;
    return sum * 1.73; /* of variance 1 */
}

static double noisy(int64_t t, double v)
{
    return v * (1 + NOISE * noise(t));
}

static double plain(int64_t t)
{
    return noisy(t, daily(t, DAY));
}

static double clocks_forward(int64_t t)
{
    return noisy(t, daily(t < EVENT ? t : t + 12, DAY));
}

static double clocks_back(int64_t t)
{
    return noisy(t, daily(t < EVENT ? t : t - 12, DAY));
}

static double doubled(int64_t t)
{
    return plain(t) * (t < EVENT ? 1 : 2);
}

static double halved(int64_t t)
{
    return plain(t) * (t < EVENT ? 1 : 0.5);
}

static double spike(int64_t t)
{
    return t == EVENT ? 5000 : plain(t);
}

static double gap(int64_t t)
{
    return t >= EVENT - 72 && t < EVENT ? (double)NAN : plain(t);
}

static double long_gap(int64_t t)
{
    return t >= EVENT - 3 * DAY && t < EVENT ? (double)NAN : plain(t);
}

static double outage(int64_t t) /* measured, and nothing came */
{
    return t >= EVENT - 24 && t < EVENT ? 0 : plain(t);
}

static double wilder(int64_t t)
{
    return daily(t, DAY) * (1 + (t < EVENT ? NOISE : 4 * NOISE) * noise(t));
}

static double calmer(int64_t t)
{
    return daily(t, DAY) * (1 + (t < EVENT ? 4 * NOISE : NOISE) * noise(t));
}

static double week(int64_t t)
{
    return plain(t) * (t / DAY % 7 >= 5 ? 0.4 : 1);
}

static double batch(int64_t t)
{
    return 20 * (1 + NOISE * noise(t)) + (t % 12 < 2 ? 60 : 0);
}

static double growing(int64_t t) /* by a hundredth a day */
{
    return plain(t) * pow(1.01, (double)t / DAY);
}

static double flat(int64_t t)
{
    return noisy(t, 50);
}

struct stretch {
    double from, to; /* days after the event; to 0: none */
    double error;    /* at most */
    double inside;   /* at least */
};

static const struct scene {
    const char *what;
    double (*value)(int64_t t);
    uint32_t slots;
    bool trusted; /* at the end */
    struct stretch stretch[3];
} scenes[] = {
    {"nothing", plain, 2016, true, {{0, 4, 0.06, 0.92}}},
    {"no season", flat, 2016, true, {{0, 4, 0.06, 0.92}}},
    {"clocks go forward", clocks_forward, 2016, true, {{0, 1, 9, 0}, {1, 3, 9, 0}, {7, 10, 9, 0.9}}},
    {"clocks go back", clocks_back, 2016, true, {{0, 1, 9, 0}, {1, 3, 9, 0}, {7, 10, 9, 0.9}}},
    {"twice the level", doubled, 2016, true, {{0.1, 1, 9, 0}, {1, 3, 9, 0}, {7, 10, 9, 0}}},
    {"half the level", halved, 2016, true, {{0.1, 1, 9, 0}, {1, 3, 9, 0}, {7, 10, 9, 0}}},
    {"one spike", spike, 2016, true, {{0.01, 0.5, 9, 0}, {0.5, 2, 9, 0}, {2, 5, 9, 0}}},
    {"a gap of six hours", gap, 2016, true, {{0, 0.25, 9, 0}, {0.25, 2, 9, 0}}},
    {"a gap of three days", long_gap, 2016, true, {{0, 0.25, 9, 0}, {0.25, 2, 9, 0}}},
    {"an outage of two hours", outage, 2016, true, {{0, 0.25, 9, 0}, {0.25, 2, 9, 0}, {2, 4, 9, 0}}},
    {"wilder", wilder, 2016, true, {{0.25, 1, 9, 0}, {1, 3, 9, 0}, {7, 10, 9, 0}}},
    {"calmer", calmer, 2016, true, {{0.25, 1, 9, 0}, {1, 3, 9, 0}, {7, 10, 9, 0}}},
    {"weekends, one week held", week, 2016, true, {{11, 18, 9, 0}}},
    {"weekends, two weeks held", week, 4032, true, {{11, 18, 9, 0}}},
    {"batch jobs every hour", batch, 2016, true, {{0, 4, 9, 0}}},
    {"growth", growing, 2016, true, {{0, 10, 9, 0}}},
};

static void score(const struct forecast *f, double (*value)(int64_t t), double *error, double *actual, double *inside,
                  double *points)
{
    for (uint32_t h = 0; h < f->n; h++) {
        double y = value(f->origin_slot + h);
        if (isnan(y))
            continue;
        *error += fabs(y - (double)f->mean[h]);
        *actual += y;
        *inside += y >= (double)f->quantile[0][h] && y <= (double)f->quantile[FORECAST_LEVELS - 1][h];
        ++*points;
    }
}

static void play(const struct scene *s)
{
    struct demand_config c = demand_config_default();
    c.slots = s->slots;
    struct demand *d = demand_new(&c);
    double error[3] = {0}, actual[3] = {0}, inside[3] = {0}, points[3] = {0};
    double last = 0;
    for (uint32_t i = 0; i < 3; i++)
        last = MAX(last, s->stretch[i].to);
    for (int64_t t = 0; t < EVENT + (int64_t)(last * DAY); t++) {
        double day = (double)(t - EVENT) / DAY;
        for (uint32_t i = 0; i < 3; i++)
            if (t % 5 == 0 && day >= s->stretch[i].from && day < s->stretch[i].to)
                score(demand_forecast(d), s->value, &error[i], &actual[i], &inside[i], &points[i]);
        demand_push_slot(d, t, s->value(t), 180);
        if (t % 11 == 0)
            check_forecast(d, true);
    }
    for (uint32_t i = 0; i < 3 && s->stretch[i].to > 0; i++) {
        double e = error[i] / actual[i], in = inside[i] / points[i];
        print_message("%-26s days %5.2f..%5.2f: error %.3f, inside %.3f\n", s->what, s->stretch[i].from,
                      s->stretch[i].to, e, in);
        assert_true(e <= s->stretch[i].error);
        assert_true(in >= s->stretch[i].inside);
    }
    struct demand_trust trust = demand_trust(d);
    if (trust.trusted != s->trusted)
        print_message("%s: %s, error %.1f against %.1f, coverage %.1f\n", s->what,
                      demand_trust_reason_name(trust.reason), trust.error_percent, trust.last_value_error_percent,
                      trust.coverage_percent);
    demand_free(d);
}

static void test_scenes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ARRAY_SIZE(scenes); i++)
        play(&scenes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
