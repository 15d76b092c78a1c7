/* Scoring forecasts; see backtest.h. */
#include "lab/backtest.h"

#include "base/clock.h"

#include <math.h>

#define DAYS      7
#define DAY_S     86400u
#define TOOK_BINS 4096
#define Q_2_5     0
#define Q_10      2
#define Q_90      4
#define Q_97_5    6

struct sums {
    double error, scale, pinball[FORECAST_LEVELS], below[FORECAST_LEVELS], inside_80, inside_95, trusted;
};

struct scoring {
    const struct series_file *series;
    struct backtest out;
    struct sums sums;
    uint32_t took_us[TOOK_BINS]; /* how many forecasts took that long; the last one: or longer */
};

double backtest_scale(const struct series_file *s, uint32_t origin)
{
    uint32_t day = (DAY_S + s->interval_s / 2) / s->interval_s, week = DAYS * day, pairs = 0;
    double sum = 0;
    for (uint32_t t = MAX(origin > week ? origin - week : 0, day); t < origin; t++) {
        double difference = s->value[t] - s->value[t - day];
        if (isnan(difference))
            continue;
        sum += fabs(difference);
        pairs++;
    }
    return pairs >= day ? sum / pairs : (double)NAN;
}

static void score_point(struct sums *g, const struct forecast *f, uint32_t h, double y)
{
    g->error += fabs(y - (double)f->mean[h]);
    for (uint32_t j = 0; j < FORECAST_LEVELS; j++) {
        double e = y - (double)f->quantile[j][h];
        g->pinball[j] += e >= 0 ? forecast_levels[j] * e : (forecast_levels[j] - 1) * e;
        g->below[j] += e <= 0;
    }
    g->inside_80 += y >= (double)f->quantile[Q_10][h] && y <= (double)f->quantile[Q_90][h];
    g->inside_95 += y >= (double)f->quantile[Q_2_5][h] && y <= (double)f->quantile[Q_97_5][h];
}

static void score_origin(struct scoring *x, uint32_t origin, struct demand *d)
{
    const struct series_file *s = x->series;
    int64_t before = clock_boot_us(&clock_system);
    const struct forecast *f = demand_forecast(d);
    x->took_us[MAX(0, MIN(clock_boot_us(&clock_system) - before, TOOK_BINS - 1))]++;
    double scale = backtest_scale(s, origin);
    uint64_t points = x->out.points;
    if (isnan(scale)) {
        x->out.skipped++;
        return;
    }
    if (!(scale > 0)) {
        x->out.excluded++;
        return;
    }
    for (uint32_t h = 0; h < f->n && h < s->n - origin; h++)
        if (!isnan(s->value[origin + h])) {
            score_point(&x->sums, f, h, s->value[origin + h]);
            x->out.points++;
        }
    if (x->out.points == points) {
        x->out.skipped++;
        return;
    }
    x->out.origins++;
    x->sums.scale += scale;
    x->sums.trusted += demand_trust(d).trusted;
}

static bool at_origin(void *data, uint32_t origin, struct demand *d)
{
    score_origin(data, origin, d);
    return true;
}

/* The median, because other processes interrupt a few. */
static double median_us(const struct scoring *x)
{
    uint64_t all = 0, below = 0;
    for (uint32_t i = 0; i < TOOK_BINS; i++)
        all += x->took_us[i];
    for (uint32_t i = 0; i < TOOK_BINS; i++) {
        below += x->took_us[i];
        if (2 * below >= all && all > 0)
            return i;
    }
    return (double)NAN;
}

static struct backtest finish(const struct scoring *x)
{
    struct backtest b = x->out;
    const struct sums *g = &x->sums;
    double points = (double)b.points;
    b.scale = g->scale / b.origins; /* NaN when there is none */
    b.mase = g->error / points / b.scale;
    for (uint32_t j = 0; j < FORECAST_LEVELS; j++) {
        b.pinball[j] = g->pinball[j] / points / b.scale;
        b.coverage[j] = g->below[j] / points;
    }
    b.inside_80 = g->inside_80 / points;
    b.inside_95 = g->inside_95 / points;
    b.trusted = g->trusted / b.origins;
    b.forecast_us = median_us(x);
    return b;
}

struct backtest backtest_series(const struct series_file *s, const struct play_options *options)
{
    struct scoring x = {.series = s};
    (void)play_series(s, options, at_origin, &x);
    return finish(&x);
}

static void add(struct backtest *sum, const struct backtest *b)
{
    sum->origins += b->origins;
    sum->skipped += b->skipped;
    sum->excluded += b->excluded;
    sum->points += b->points;
    sum->mase += b->mase;
    sum->scale += b->scale;
    for (uint32_t j = 0; j < FORECAST_LEVELS; j++) {
        sum->pinball[j] += b->pinball[j];
        sum->coverage[j] += b->coverage[j];
    }
    sum->inside_80 += b->inside_80;
    sum->inside_95 += b->inside_95;
    sum->trusted += b->trusted;
    sum->forecast_us += b->forecast_us;
}

static void divide(struct backtest *sum, double n)
{
    sum->mase /= n;
    sum->scale /= n;
    for (uint32_t j = 0; j < FORECAST_LEVELS; j++) {
        sum->pinball[j] /= n;
        sum->coverage[j] /= n;
    }
    sum->inside_80 /= n;
    sum->inside_95 /= n;
    sum->trusted /= n;
    sum->forecast_us /= n;
}

struct backtest_summary backtest_summarize(const struct backtest *items, size_t n, uint32_t min_origins)
{
    struct backtest_summary out = {.least_inside_95 = (double)NAN};
    double logs = 0;
    for (size_t i = 0; i < n; i++) {
        if (items[i].origins < MAX(min_origins, 1u))
            continue;
        add(&out.mean, &items[i]);
        logs += log(items[i].mase);
        out.least_inside_95 = fmin(out.least_inside_95, items[i].inside_95);
        out.series++;
    }
    divide(&out.mean, out.series);
    out.geometric_mase = exp(logs / out.series);
    return out;
}
