/* Showing a backtest; see backtest_view.h. */
#include "lab/backtest_view.h"

#include "base/alloc.h"
#include "kube/json.h"
#include "lab/forecast_line.h"
#include "lab/plot.h"
#include "lab/plot_svg.h"
#include "lab/table.h"

#include <math.h>
#include <stdio.h>

#define Q_50 3
#define Q_90 4
#define Q_95 5

/* ---- table ---- */

static void write_row(struct table *t, const char *name, const struct backtest *b)
{
    table_cell(t, "%s", name);
    table_cell(t, "%u", b->origins);
    table_cell(t, "%u", b->skipped);
    table_cell(t, "%u", b->excluded);
    table_fixed(t, b->mase, 3);
    table_fixed(t, b->pinball[Q_50], 3);
    table_fixed(t, b->pinball[Q_90], 3);
    table_fixed(t, b->pinball[Q_95], 3);
    table_fixed(t, b->inside_80, 3);
    table_fixed(t, b->inside_95, 3);
    table_fixed(t, b->coverage[Q_95], 3);
    table_fixed(t, b->trusted, 2);
    table_fixed(t, b->forecast_us, 0);
}

void backtest_view_table(const struct backtest_view *v, struct buf *out)
{
    static const char *const headers[] = {"SERIES",    "ORIGINS",   "SKIPPED",    "EXCLUDED", "MASE",
                                          "PINBALL.5", "PINBALL.9", "PINBALL.95", "IN80",     "IN95",
                                          "BELOW95",   "TRUSTED",   "US"};
    struct table *t = table_new("lrrrrrrrrrrrr", headers);
    for (unsigned i = 0; i < v->n; i++) {
        _cleanup_(freep) char *name = series_file_title(v->files[i]);
        write_row(t, name, &v->items[i]);
    }
    struct backtest_summary s = backtest_summarize(v->items, v->n, v->min_origins);
    char label[64];
    (void)snprintf(label, sizeof label, "mean of %u", s.series);
    write_row(t, label, &s.mean);
    table_write(t, out);
    table_free(t);
    if (s.series > 0)
        (void)buf_printf(out, "\ngeometric mean of MASE %.3f, least share inside the 95 %% interval %.3f\n",
                         s.geometric_mase, s.least_inside_95);
    else
        (void)buf_puts(
            out,
            "\nnothing could be scored: a series needs the history before its first forecast, a day of slots before "
            "it with values a day earlier, and values after it; try a smaller --history\n");
}

/* ---- JSON ---- */

static void number(struct json_emit *j, const char *key, double value)
{
    char text[32];
    int len = isfinite(value) ? snprintf(text, sizeof text, "%.7g", value) : snprintf(text, sizeof text, "null");
    json_emit_raw(j, key, text, (size_t)len);
}

static void levels(struct json_emit *j, const char *key, const double *values)
{
    json_open(j, key, '{');
    for (unsigned i = 0; i < FORECAST_LEVELS; i++)
        number(j, forecast_level_names[i], values[i]);
    json_close(j, '}');
}

static void figures(struct json_emit *j, const struct backtest *b)
{
    json_emit_int(j, "origins", b->origins);
    json_emit_int(j, "skipped", b->skipped);
    json_emit_int(j, "excluded", b->excluded);
    json_emit_int(j, "points", (int64_t)b->points);
    number(j, "mase", b->mase);
    number(j, "scale", b->scale);
    levels(j, "pinball", b->pinball);
    levels(j, "coverage", b->coverage);
    number(j, "inside80", b->inside_80);
    number(j, "inside95", b->inside_95);
    number(j, "trusted", b->trusted);
    number(j, "forecastMicroseconds", b->forecast_us);
}

void backtest_view_jsonl(const struct backtest_view *v, struct buf *out)
{
    for (unsigned i = 0; i < v->n; i++) {
        _cleanup_(freep) char *name = series_file_title(v->files[i]);
        struct json_emit j = json_emit(out);
        json_open(&j, NULL, '{');
        json_emit_str(&j, "series", name);
        figures(&j, &v->items[i]);
        json_close(&j, '}');
        (void)buf_putc(out, '\n');
    }
    struct backtest_summary s = backtest_summarize(v->items, v->n, v->min_origins);
    struct json_emit j = json_emit(out);
    json_open(&j, NULL, '{');
    json_open(&j, "mean", '{');
    json_emit_int(&j, "series", s.series);
    figures(&j, &s.mean);
    number(&j, "geometricMase", s.series ? s.geometric_mase : (double)NAN);
    number(&j, "leastInside95", s.least_inside_95);
    json_close(&j, '}');
    json_close(&j, '}');
    (void)buf_putc(out, '\n');
}

/* ---- bars ---- */

#define SVG_WIDTH 960.0
#define SVG_LEFT  330.0
#define SVG_RIGHT 80.0
#define SVG_TOP   76.0
#define SVG_ROW   22.0

static void bar(struct buf *out, const struct plot_axis *axis, double y, const char *name, double mase)
{
    char label[64];
    double room = SVG_WIDTH - SVG_LEFT - SVG_RIGHT;
    (void)snprintf(label, sizeof label, "%.45s", name);
    svg_text(out, SVG_LEFT - 8, y + 14, "end", "label", label);
    if (!isfinite(mase)) {
        svg_text(out, SVG_LEFT + 6, y + 14, "start", "sub", "too short to be scored");
        return;
    }
    (void)buf_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"bar\"/>\n", SVG_LEFT,
                     y + 3, room * mase / axis->high, SVG_ROW - 6);
    (void)snprintf(label, sizeof label, "%.2f", mase);
    svg_text(out, SVG_LEFT + room * mase / axis->high + 6, y + 14, "start", "tick", label);
}

void backtest_view_svg(const struct backtest_view *v, struct buf *out)
{
    double mases[BACKTEST_VIEW_MAX_BARS + 1] = {1};
    unsigned n = MIN(v->n, (unsigned)BACKTEST_VIEW_MAX_BARS);
    for (unsigned i = 0; i < n; i++)
        mases[i + 1] = v->items[i].mase;
    struct plot_panel panel = {.n_items = 1, .items = {{.y = mases, .n = n + 1}}};
    struct plot_axis axis = plot_value_axis(&panel, 7);
    struct backtest_summary s = backtest_summarize(v->items, v->n, v->min_origins);
    char text[200];
    svg_begin(out, (unsigned)SVG_WIDTH, (unsigned)(SVG_TOP + SVG_ROW * (n + 1) + 40),
              "Mean absolute scaled error of forecasts");
    svg_text(out, 24, 26, "start", "title", "Error of forecasts (MASE)");
    (void)snprintf(text, sizeof text,
                   "1 is the error of \"as yesterday\". Mean of %u: %.3f, geometric %.3f; 95 %% interval holds %.1f %%",
                   s.series, s.mean.mase, s.geometric_mase, 100 * s.mean.inside_95);
    svg_text(out, 24, 46, "start", "sub", s.series ? text : "nothing could be scored");
    for (unsigned i = 0; i < n; i++) {
        _cleanup_(freep) char *name = series_file_title(v->files[i]);
        bar(out, &axis, SVG_TOP + SVG_ROW * i, name, v->items[i].mase);
    }
    bar(out, &axis, SVG_TOP + SVG_ROW * n + 6, "mean", s.series ? s.mean.mase : (double)NAN);
    double one = SVG_LEFT + (SVG_WIDTH - SVG_LEFT - SVG_RIGHT) / axis.high;
    (void)buf_printf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"mark\"/>\n", one, SVG_TOP - 4,
                     one, SVG_TOP + SVG_ROW * (n + 1) + 8);
    svg_text(out, one, SVG_TOP - 10, "middle", "tick", "as yesterday");
    svg_end(out);
}
