/* Showing a forecast; see forecast_view.h. */
#include "lab/forecast_view.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rfc3339.h"
#include "lab/plot_svg.h"
#include "lab/plot_text.h"
#include "lab/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN_HORIZONS 5u /* so many horizons of history are shown before the forecast */
#define Q_5            1
#define Q_95           5
#define PLOT_ROWS      12u

struct view {
    struct plot plot;
    double *mean, *lower, *upper;
    char *name;
    char title[200], subtitle[300];
};

static double *doubles(const float *values, uint32_t n)
{
    double *out = xcalloc(MAX(n, 1u), sizeof *out);
    for (uint32_t i = 0; i < n; i++)
        out[i] = (double)values[i];
    return out;
}

static void describe(struct view *v, const struct series_file *s, struct demand *d)
{
    const struct forecast *f = demand_forecast(d);
    struct demand_trust trust = demand_trust(d);
    char season[40] = "no season";
    if (f->period_s)
        (void)snprintf(season, sizeof season, "season %.4g h", f->period_s / 3600.0);
    (void)snprintf(v->title, sizeof v->title, "%.80s: forecast of %.4g h", v->name,
                   f->n * (double)s->interval_s / 3600);
    int at = snprintf(v->subtitle, sizeof v->subtitle, "model %s, %s, trend %s, %s (%s)", forecast_model_name(f->model),
                      season, forecast_trend_name(f->trend), trust.trusted ? "trusted" : "not trusted",
                      demand_trust_reason_name(trust.reason));
    if (trust.scored > 0)
        (void)snprintf(v->subtitle + at, sizeof v->subtitle - (size_t)at,
                       ", error %.1f %% (last value: %.1f %%), coverage %.0f %%", trust.error_percent,
                       trust.last_value_error_percent, trust.coverage_percent);
}

static void view_init(struct view *v, const struct series_file *s, const char *file, struct demand *d)
{
    const struct forecast *f = demand_forecast(d);
    uint32_t shown = MIN(s->n, SHOWN_HORIZONS * MAX(f->n, 1u));
    *v = (struct view){.name = series_file_title(file)};
    describe(v, s, d);
    v->mean = doubles(f->mean, f->n);
    v->lower = doubles(f->quantile[Q_5], f->n);
    v->upper = doubles(f->quantile[Q_95], f->n);
    v->plot = (struct plot){
        .title = v->title,
        .subtitle = v->subtitle,
        .start_us = series_file_time_us(s, s->n - shown),
        .interval_s = s->interval_s,
        .n = shown + f->n,
        .has_mark = true,
        .mark = shown,
        .mark_label = "end of the series",
        .n_panels = 1,
    };
    v->plot.panels[0] = (struct plot_panel){
        .title = "demand",
        .n_items = 3,
        .items = {{.role = PLOT_INTERVAL,
                   .label = "5 % to 95 %",
                   .y = v->lower,
                   .upper = v->upper,
                   .first = shown,
                   .n = f->n},
                  {.role = PLOT_OBSERVED, .label = "observed", .y = s->value + (s->n - shown), .n = shown},
                  {.role = PLOT_FORECAST, .label = "mean forecast", .y = v->mean, .first = shown, .n = f->n}},
    };
}

static void view_done(struct view *v)
{
    free(v->mean);
    free(v->lower);
    free(v->upper);
    free(v->name);
}

void forecast_view_svg(const struct series_file *s, const char *file, struct demand *d, struct buf *out)
{
    struct view v;
    view_init(&v, s, file, d);
    plot_svg(&v.plot, out);
    view_done(&v);
}

/* One row an hour, or a slot where slots are longer: means of means, the widest of the intervals. */
static void write_hours(const struct series_file *s, const struct view *v, uint32_t n, struct buf *out)
{
    static const char *const headers[] = {"FROM", "MEAN", "5 %", "95 %"};
    struct table *t = table_new("lrrr", headers);
    uint32_t per_row = MAX(3600 / s->interval_s, 1u);
    for (uint32_t i = 0; i < n; i += per_row) {
        double mean = 0, lower = (double)NAN, upper = (double)NAN;
        uint32_t end = MIN(i + per_row, n);
        char time[RFC3339_CAP];
        for (uint32_t k = i; k < end; k++) {
            mean += v->mean[k] / (end - i);
            lower = fmin(lower, v->lower[k]);
            upper = fmax(upper, v->upper[k]);
        }
        rfc3339_format(time, series_file_time_us(s, s->n + i));
        table_cell(t, "%s", time);
        table_number(t, mean, 4);
        table_number(t, lower, 4);
        table_number(t, upper, 4);
    }
    table_write(t, out);
    table_free(t);
}

void forecast_view_text(const struct series_file *s, const char *file, struct demand *d, unsigned width, bool colour,
                        struct buf *out)
{
    struct view v;
    view_init(&v, s, file, d);
    (void)buf_printf(out, "%s\n%s\n\n", v.title, v.subtitle);
    plot_text(&v.plot, width, PLOT_ROWS, colour, out);
    (void)buf_puts(out, "         █ observed   ▓ mean forecast   ░ up to its 95 % quantile\n\n");
    write_hours(s, &v, demand_forecast(d)->n, out);
    view_done(&v);
}
