/* The arithmetic of a backtest on series whose figures are known, and the rule of origins: what is said at one depends
 * on nothing at or after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "lab/backtest.h"
#include "lab/forecast_line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY 24u /* slots of an hour */
#define NO  ((double)NAN)

static struct series_file make(uint32_t n, double (*f)(uint32_t t))
{
    struct series_file s = {
        .value = calloc(n, sizeof(double)), .n = n, .interval_s = 3600, .start_us = 0, .last_is_whole = true};
    for (uint32_t t = 0; t < n; t++) {
        s.value[t] = f(t);
        s.filled += isnan(s.value[t]) ? 0 : 1;
    }
    return s;
}

static double constant(uint32_t t)
{
    (void)t;
    return 7;
}

/* Each day one higher than the day before. */
static double stairs(uint32_t t)
{
    return 100 + t / DAY;
}

/* A day's shape with noise that does not repeat. */
static double noisy(uint32_t t)
{
    uint32_t x = (t + 1) * 2654435761u;
    x ^= x >> 15;
    return 50 + 30 * sin(t * 2 * 3.14159265358979 / DAY) + (x % 1000) / 100.0;
}

static double half_missing(uint32_t t)
{
    return t % 2 ? stairs(t) : NO;
}

static double nearly_all_missing(uint32_t t)
{
    return t % 10 ? NO : stairs(t);
}

static void scales(void **state)
{
    static const struct {
        const char *what;
        double (*f)(uint32_t t);
        uint32_t origin;
        double scale;
    } rows[] = {
        {"constant", constant, 10 * DAY, 0},
        {"one a day", stairs, 10 * DAY, 1},
        {"two days are one day of pairs", stairs, 2 * DAY, 1},
        {"one pair less", stairs, 2 * DAY - 1, NO},
        {"pairs that exist", half_missing, 8 * DAY, 1},
        {"a week of too few pairs", nearly_all_missing, 10 * DAY, NO},
        {"the beginning", stairs, 0, NO},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct series_file s = make(12 * DAY, rows[i].f);
        double scale = backtest_scale(&s, rows[i].origin);
        if (isnan(rows[i].scale) ? !isnan(scale) : !(fabs(scale - rows[i].scale) < 1e-12))
            fail_msg("%s: %g", rows[i].what, scale);
        series_file_done(&s);
    }
}

/* What the model says, collected to compute the figures a second time, in the plainest way. */
struct said {
    const struct series_file *s;
    double error, pinball_9, below_9, inside_95, scale, points;
    uint32_t origins;
};

static bool listen(void *data, uint32_t origin, struct demand *d)
{
    struct said *x = data;
    const struct forecast *f = demand_forecast(d);
    double scale = backtest_scale(x->s, origin), points = x->points;
    if (isnan(scale) || scale <= 0)
        return true;
    for (uint32_t h = 0; h < f->n && origin + h < x->s->n; h++) {
        double y = x->s->value[origin + h], q = (double)f->quantile[4][h];
        if (isnan(y))
            continue;
        x->error += fabs(y - (double)f->mean[h]);
        x->pinball_9 += y > q ? 0.9 * (y - q) : 0.1 * (q - y);
        x->below_9 += y <= q;
        x->inside_95 += y >= (double)f->quantile[0][h] && y <= (double)f->quantile[6][h];
        x->points++;
    }
    if (x->points > points) {
        x->origins++;
        x->scale += scale;
    }
    return true;
}

static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9 * fabs(b)))
        fail_msg("%.12g is not %.12g", a, b);
}

static void figures(void **state)
{
    struct play_options o = {.history = 7 * DAY, .horizon = 6, .every = 5};
    struct series_file s = make(20 * DAY, noisy);
    (void)state;
    s.value[12 * DAY] = s.value[13 * DAY + 5] = NO;
    struct said x = {.s = &s};
    (void)play_series(&s, &o, listen, &x);
    struct backtest b = backtest_series(&s, &o);
    double scale = x.scale / x.origins;
    assert_int_equal(b.origins, x.origins);
    near((double)b.points, x.points);
    near(b.scale, scale);
    near(b.mase, x.error / x.points / scale);
    near(b.pinball[4], x.pinball_9 / x.points / scale);
    near(b.coverage[4], x.below_9 / x.points);
    near(b.inside_95, x.inside_95 / x.points);
    assert_true(b.mase > 0.1 && b.mase < 1.5);
    series_file_done(&s);
}

static void counts_origins(void **state)
{
    struct play_options o = {.history = DAY, .horizon = 6, .every = DAY};
    struct series_file s = make(10 * DAY, constant), stair = make(10 * DAY, stairs);
    (void)state;
    struct backtest b = backtest_series(&s, &o);
    assert_int_equal(b.skipped, 1); /* of 24, 48 .. 240: the first has no pairs */
    assert_int_equal(b.excluded, 9);
    assert_int_equal(b.origins, 0);
    assert_true(isnan(b.mase) && isnan(b.inside_95));
    b = backtest_series(&stair, &o);
    assert_int_equal(b.skipped, 2); /* and behind the last there is nothing */
    assert_int_equal(b.excluded, 0);
    assert_int_equal(b.origins, 8);
    assert_int_equal(b.points, 48);
    assert_true(isfinite(b.mase));
    series_file_done(&s);
    series_file_done(&stair);
}

static void summarizes(void **state)
{
    struct backtest items[] = {{.origins = 10, .mase = 0.5, .inside_95 = 0.9},
                               {.origins = 0, .mase = NO, .inside_95 = NO, .skipped = 3},
                               {.origins = 4, .mase = 2, .inside_95 = 1}};
    (void)state;
    struct backtest_summary s = backtest_summarize(items, 3, 1);
    assert_int_equal(s.series, 2);
    near(s.mean.mase, 1.25);
    near(s.geometric_mase, 1);
    near(s.least_inside_95, 0.9);
    assert_int_equal(s.mean.origins, 14);
    s = backtest_summarize(items, 3, 5);
    assert_int_equal(s.series, 1);
    near(s.geometric_mase, 0.5);
    s = backtest_summarize(items, 3, 50);
    assert_int_equal(s.series, 0);
    assert_true(isnan(s.mean.mase));
}

/* ---- origins ---- */

struct lines {
    const struct series_file *s;
    char *at[20 * DAY + 1];
};

static bool keep(void *data, uint32_t origin, struct demand *d)
{
    struct lines *l = data;
    struct buf text = BUF_INIT(1 << 20);
    forecast_line(l->s, origin, d, &text);
    l->at[origin] = buf_steal(&text);
    return true;
}

/* Has enough at the third. */
static bool keep_three(void *data, uint32_t origin, struct demand *d)
{
    (void)keep(data, origin, d);
    return origin < 2 * DAY + 2;
}

static void forget(struct lines *l)
{
    for (unsigned i = 0; i < sizeof l->at / sizeof *l->at; i++)
        free(l->at[i]);
    free(l);
}

static void a_line_knows_only_what_was_before(void **state)
{
    const uint32_t n = 20 * DAY;
    struct series_file whole = make(n, noisy);
    struct lines *all = calloc(1, sizeof *all);
    (void)state;
    whole.value[100] = NO;
    all->s = &whole;
    assert_int_equal(
        play_series(&whole, &(struct play_options){.history = 5 * DAY, .horizon = 12, .every = 1}, keep, all),
        n - 5 * DAY + 1);
    for (uint32_t every = 2; every < 60; every += 13) {
        struct lines *some = calloc(1, sizeof *some);
        struct series_file cut = whole;
        cut.n = n - 7 * every; /* the file ends earlier, or: what follows is a continuation of it */
        some->s = &cut;
        (void)play_series(&cut, &(struct play_options){.history = 5 * DAY, .horizon = 12, .every = every}, keep, some);
        for (uint32_t t = 5 * DAY; t <= cut.n; t += every)
            assert_string_equal(some->at[t], all->at[t]);
        forget(some);
    }
    for (uint32_t t = n / 2; t < n; t++) /* another future */
        whole.value[t] = t % 3 ? 1e6 * t : NO;
    struct lines *other = calloc(1, sizeof *other);
    other->s = &whole;
    (void)play_series(&whole, &(struct play_options){.history = 5 * DAY, .horizon = 12, .every = 1}, keep, other);
    for (uint32_t t = 5 * DAY; t <= n / 2; t++)
        assert_string_equal(other->at[t], all->at[t]);
    assert_string_not_equal(other->at[n / 2 + 2], all->at[n / 2 + 2]);
    forget(other);
    forget(all);
    series_file_done(&whole);
}

static void ends_when_it_is_enough(void **state)
{
    struct series_file s = make(3 * DAY, noisy);
    struct lines *some = calloc(1, sizeof *some);
    struct play_options o = {.history = 2 * DAY, .horizon = 12, .every = 1};
    (void)state;
    some->s = &s;
    assert_int_equal(play_series(&s, &o, keep_three, some), 3);
    assert_non_null(some->at[2 * DAY + 2]);
    assert_null(some->at[2 * DAY + 3]);
    forget(some);
    series_file_done(&s);
}

static void without_every_there_is_one_at_the_end(void **state)
{
    struct series_file s = make(3 * DAY, noisy);
    struct lines *one = calloc(1, sizeof *one), *many = calloc(1, sizeof *many);
    (void)state;
    one->s = many->s = &s;
    assert_int_equal(play_series(&s, &(struct play_options){.history = 2 * DAY, .horizon = 12}, keep, one), 1);
    assert_int_equal(
        play_series(&s, &(struct play_options){.history = 2 * DAY, .horizon = 12, .every = DAY}, keep, many), 2);
    assert_string_equal(one->at[s.n], many->at[s.n]);
    assert_non_null(strstr(one->at[s.n], "{\"origin\":72,\"time\":\"1970-01-04T00:00:00Z\",\"mean\":["));
    s.last_is_whole = false; /* its mean may change: no line for others to compare with */
    struct lines *fewer = calloc(1, sizeof *fewer);
    fewer->s = &s;
    assert_int_equal(
        play_series(&s, &(struct play_options){.history = 2 * DAY, .horizon = 12, .every = DAY}, keep, fewer), 1);
    assert_null(fewer->at[s.n]);
    forget(fewer);
    forget(many);
    forget(one);
    series_file_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales),
        cmocka_unit_test(figures),
        cmocka_unit_test(counts_origins),
        cmocka_unit_test(summarizes),
        cmocka_unit_test(a_line_knows_only_what_was_before),
        cmocka_unit_test(ends_when_it_is_enough),
        cmocka_unit_test(without_every_there_is_one_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
