/* How good the forecasts are: plays series as the daemon would see them and prints, per series and in the
 * mean, MASE, pinball loss and coverage, by the protocol of `backtest`. For development: no options beyond
 * what a tuning loop needs.
 *
 *     eval_forecast [-H SLOTS] [-N EVERY] [-h HORIZON] [-s START] [-d DUMP] SERIES.csv...
 *
 * -d writes the rows that the prior is fitted on (hack/fit-prior): per series and lead the target relative to
 * the profile, the scale of the series, and the features. A series whose name says "weekdays" counts rows,
 * not time.
 */
#include "base/base.h"
#include "core/demand_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL 300
#define DAY      288

struct options {
    uint32_t history, every, horizon, start;
    FILE *dump;
};

static double parse_time(const char *s)
{
    struct tm tm = {0};
    if (strlen(s) > 10 && s[4] == '-') {
        const char *rest = strptime(s, "%Y-%m-%d", &tm);
        if (rest)
            strptime(rest + 1, "%H:%M:%S", &tm);
        return (double)timegm(&tm);
    }
    return strtod(s, NULL);
}

/* The slots' means; NaN where there is no value. */
static double *load(const char *path, bool rows, uint32_t *ret_n)
{
    FILE *f = fopen(path, "r");
    char line[256];
    if (!f || !fgets(line, sizeof line, f)) {
        perror(path);
        exit(1);
    }
    double *sum = NULL, first = 0;
    uint32_t *count = NULL, n = 0, cap = 0, row = 0;
    while (fgets(line, sizeof line, f)) {
        char *comma = strchr(line, ',');
        if (!comma)
            continue;
        *comma = '\0';
        bool empty = comma[1] == '\n' || comma[1] == '\0';
        double t = parse_time(line), v = empty ? (double)NAN : strtod(comma + 1, NULL);
        if (row == 0)
            first = t;
        uint32_t slot = rows ? row : (uint32_t)((t - first) / INTERVAL);
        row++;
        while (slot >= cap) {
            uint32_t more = cap ? 2 * cap : 4096;
            sum = realloc(sum, more * sizeof *sum);
            count = realloc(count, more * sizeof *count);
            memset(sum + cap, 0, (more - cap) * sizeof *sum);
            memset(count + cap, 0, (more - cap) * sizeof *count);
            cap = more;
        }
        n = MAX(n, slot + 1);
        if (!isnan(v)) {
            sum[slot] += v;
            count[slot]++;
        }
    }
    (void)fclose(f);
    for (uint32_t i = 0; i < n; i++)
        sum[i] = count[i] ? sum[i] / count[i] : (double)NAN;
    free(count);
    *ret_n = n;
    return sum;
}

/* Mean |y[t] - y[t - day]| over the 7 days before the origin; NaN with fewer than 288 pairs. */
static double scale_at(const double *y, uint32_t origin)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t t = origin >= 7 * DAY ? origin - 7 * DAY : 0; t < origin; t++)
        if (t >= DAY && !isnan(y[t]) && !isnan(y[t - DAY])) {
            sum += fabs(y[t] - y[t - DAY]);
            n++;
        }
    return n >= DAY ? sum / n : (double)NAN;
}

struct figures {
    double error, scale, pinball[FORECAST_LEVELS], below[FORECAST_LEVELS], inside;
    uint32_t n, origins;
};

static void score(struct figures *g, const struct forecast *f, const double *y, uint32_t n, uint32_t origin)
{
    double scale = scale_at(y, origin);
    if (isnan(scale) || !(scale > 0) || f->n == 0)
        return;
    g->scale += scale;
    g->origins++;
    for (uint32_t h = 0; h < f->n && origin + h < n; h++) {
        double v = y[origin + h];
        if (isnan(v))
            continue;
        g->error += fabs(v - (double)f->mean[h]);
        for (uint32_t j = 0; j < FORECAST_LEVELS; j++) {
            double q = (double)f->quantile[j][h], e = v - q;
            g->pinball[j] += e >= 0 ? forecast_levels[j] * e : (forecast_levels[j] - 1) * e;
            g->below[j] += v <= q;
        }
        g->inside += v >= (double)f->quantile[0][h] && v <= (double)f->quantile[6][h];
        g->n++;
    }
}

static void dump_rows(const struct options *o, const struct demand *d, const double *y, uint32_t n, double scale,
                      uint32_t series)
{
    static const uint32_t leads[] = {1, 2, 3, 5, 7, 13, 19, 29, 43, 59, 71, 107, 149, 211, 287};
    for (uint32_t i = 0; i < ARRAY_SIZE(leads); i++) {
        int64_t t = d->series.next + leads[i] - 1;
        struct features f;
        struct features_cycles cycles = {d->model.season, d->model.period.found, d->model.week};
        features_at(&f, &d->model.now, &d->series, &cycles, t);
        if (t >= n || isnan(y[t]) || f.seasons == 0)
            continue;
        /* An error on the root scale in plain terms: times the slope of the square. */
        double slope = 2 * MAX(fabs(f.profile), 0.5 * sqrt(scale));
        float row[6 + FEATURES] = {
            (float)series,          (float)leads[i],       (float)(f.weeks >= FEATURES_WEEKS ? 14 : f.seasons),
            (float)(scale / slope), (float)d->series.next, (float)(series_root(y[t]) - f.profile)};
        for (uint32_t j = 0; j < FEATURES; j++)
            row[6 + j] = (float)f.x[j];
        (void)fwrite(row, sizeof row, 1, o->dump);
    }
}

static struct figures play(const struct options *o, const double *y, uint32_t n, uint32_t series)
{
    struct figures g = {0};
    struct demand_config c = demand_config_default();
    c.slots = o->history;
    c.horizon = o->horizon;
    struct demand *d = demand_new(&c);
    double scale = 0;
    uint32_t scales = 0;
    for (uint32_t t = o->start; o->dump && t <= n; t += o->every)
        if (!isnan(scale_at(y, t))) {
            scale += scale_at(y, t);
            scales++;
        }
    for (uint32_t t = 0; t <= n; t++) {
        if (t >= o->start && (t - o->start) % o->every == 0) {
            score(&g, demand_forecast(d), y, n, t);
            if (o->dump && scale > 0)
                dump_rows(o, d, y, n, scale / scales, series);
        }
        if (t < n)
            demand_push_slot(d, t, y[t], 180);
    }
    demand_free(d);
    return g;
}

#define COLUMNS 8

int main(int argc, char **argv)
{
    struct options o = {.history = 2016, .every = 36, .horizon = 72, .start = 2016};
    for (int opt; (opt = getopt(argc, argv, "H:N:h:s:d:")) != -1;) {
        if (opt == 'd')
            o.dump = fopen(optarg, "wb");
        else
            *(opt == 'H'   ? &o.history
              : opt == 'N' ? &o.every
              : opt == 'h' ? &o.horizon
                           : &o.start) = (uint32_t)strtoul(optarg, NULL, 10);
    }
    printf("%-58s %6s %6s %6s %6s %6s | %5s %5s %5s\n", "series", "MASE", "pb.5", "pb.9", "pb.95", "pb.975", "cov95",
           "cov80", "b.95");
    double sum[COLUMNS] = {0}, logs = 0, worst = 1;
    uint32_t count = 0;
    for (int i = optind; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/'), *name = slash ? slash + 1 : argv[i];
        uint32_t n;
        double *y = load(argv[i], strstr(name, "weekdays"), &n);
        struct figures g = play(&o, y, n, (uint32_t)(i - optind));
        free(y);
        if (g.origins < 20 || !(g.scale > 0)) {
            printf("%-58s too few origins (%u)\n", name, g.origins);
            continue;
        }
        double s = g.scale / g.origins * g.n;
        double v[COLUMNS] = {g.error / s,
                             g.pinball[3] / s,
                             g.pinball[4] / s,
                             g.pinball[5] / s,
                             g.pinball[6] / s,
                             g.inside / g.n,
                             (g.below[4] - g.below[2]) / g.n,
                             g.below[5] / g.n};
        printf("%-58.58s %6.3f %6.3f %6.3f %6.3f %6.3f | %5.3f %5.3f %5.3f\n", name, v[0], v[1], v[2], v[3], v[4], v[5],
               v[6], v[7]);
        for (uint32_t j = 0; j < COLUMNS; j++)
            sum[j] += v[j];
        logs += log(v[0]);
        worst = MIN(worst, v[5]);
        count++;
    }
    for (uint32_t j = 0; j < COLUMNS; j++)
        sum[j] /= MAX(count, 1u);
    printf("%-58s %6.3f %6.3f %6.3f %6.3f %6.3f | %5.3f %5.3f %5.3f\ngeometric MASE %.3f, least coverage %.3f\n",
           "mean", sum[0], sum[1], sum[2], sum[3], sum[4], sum[5], sum[6], sum[7], exp(logs / MAX(count, 1u)), worst);
    if (o.dump)
        (void)fclose(o.dump);
    return 0;
}
