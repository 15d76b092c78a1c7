/* Showing anomalies; see anomalies_view.h. */
#include "lab/anomalies_view.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rfc3339.h"
#include "lab/plot_svg.h"
#include "lab/plot_text.h"
#include "lab/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_SLOTS   3600 /* of a plot: more than that no screen shows */
#define PLOT_ROWS   12u
#define SHOWN_TIMES 40u /* in the table, the latest */

const char anomalies_csv_header[] = "timestamp,value,score,is_anomaly,severity\n";

void anomalies_csv_line(const struct series_row *row, const struct anomaly_result *result, struct buf *out)
{
    (void)buf_printf(out, "%s,%s,%.9g,%d,%s\n", row->time_text, row->value_text, result->score, result->is_anomaly,
                     anomaly_severity_names[result->severity]);
}

/* ---- plot ---- */

/* Anomalies have a value of their own, so that a dot stands where the row is and not at the mean of its slot. */
struct slots {
    struct plot plot;
    double *value, *score, *threshold, *event;
    uint32_t *count;
    char *name;
    char title[200], subtitle[200];
};

static uint32_t count_anomalies(const struct anomalies_view *v, enum anomaly_severity least)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n; i++)
        n += v->rows[i].severity >= least;
    return n;
}

static void describe(struct slots *s, const struct anomalies_view *v)
{
    uint32_t all = count_anomalies(v, ANOMALY_LOW), high = count_anomalies(v, ANOMALY_HIGH),
             medium = count_anomalies(v, ANOMALY_MEDIUM) - high;
    (void)snprintf(s->title, sizeof s->title, "%.80s: %u anomal%s in %u rows", s->name, all, all == 1 ? "y" : "ies",
                   v->n);
    (void)snprintf(s->subtitle, sizeof s->subtitle, "severity high %u, medium %u, low %u; threshold of the score %.2f",
                   high, medium, all - high - medium, v->threshold);
}

static uint32_t slot_of(const struct slots *s, int64_t time_us)
{
    return (uint32_t)((time_us - s->plot.start_us) / ((int64_t)s->plot.interval_s * USEC_PER_SEC));
}

static void fill(struct slots *s, const struct anomalies_view *v)
{
    for (uint32_t i = 0; i < s->plot.n; i++) {
        s->value[i] = s->score[i] = s->event[i] = (double)NAN;
        s->threshold[i] = v->threshold;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        const struct anomalies_row *row = &v->rows[i];
        uint32_t slot = slot_of(s, row->time_us);
        s->score[slot] = fmax(s->score[slot], row->score);
        if (row->severity != ANOMALY_NONE)
            s->event[slot] = row->value;
        if (isnan(row->value))
            continue;
        double before = s->count[slot] ? s->value[slot] : 0;
        s->value[slot] = before + (row->value - before) / ++s->count[slot];
    }
}

/* As fine as the rows are on average, but no finer than a screen. */
static void slots_init(struct slots *s, const struct anomalies_view *v)
{
    int64_t span_s = (v->rows[v->n - 1].time_us - v->rows[0].time_us) / USEC_PER_SEC;
    int64_t interval_s = MAX(1, span_s / MAX(1, MIN((int64_t)v->n - 1, MAX_SLOTS)));
    *s = (struct slots){.name = series_file_title(v->file)};
    s->plot = (struct plot){.title = s->title,
                            .subtitle = s->subtitle,
                            .start_us = v->rows[0].time_us,
                            .interval_s = (uint32_t)MIN(interval_s, UINT32_MAX)};
    s->plot.n = slot_of(s, v->rows[v->n - 1].time_us) + 1;
    s->value = xcalloc(s->plot.n, sizeof *s->value);
    s->score = xcalloc(s->plot.n, sizeof *s->score);
    s->threshold = xcalloc(s->plot.n, sizeof *s->threshold);
    s->event = xcalloc(s->plot.n, sizeof *s->event);
    s->count = xcalloc(s->plot.n, sizeof *s->count);
    describe(s, v);
    fill(s, v);
    s->plot.n_panels = 2;
    s->plot.panels[0] = (struct plot_panel){
        .title = "value",
        .n_items = 2,
        .items = {{.role = PLOT_OBSERVED, .label = "observed", .y = s->value, .n = s->plot.n},
                  {.role = PLOT_ANOMALY, .label = "anomaly", .y = s->event, .n = s->plot.n}},
    };
    s->plot.panels[1] = (struct plot_panel){
        .title = "score",
        .n_items = 2,
        .items = {{.role = PLOT_OBSERVED, .label = "score", .y = s->score, .n = s->plot.n},
                  {.role = PLOT_LIMIT, .label = "threshold", .y = s->threshold, .n = s->plot.n}},
    };
}

static void slots_done(struct slots *s)
{
    free(s->value);
    free(s->score);
    free(s->threshold);
    free(s->event);
    free(s->count);
    free(s->name);
}

void anomalies_view_svg(const struct anomalies_view *v, struct buf *out)
{
    struct slots s;
    slots_init(&s, v);
    plot_svg(&s.plot, out);
    slots_done(&s);
}

/* ---- text ---- */

static void write_times(const struct anomalies_view *v, struct buf *out)
{
    static const char *const headers[] = {"TIME", "VALUE", "SCORE", "SEVERITY"};
    struct table *t = table_new("lrrl", headers);
    uint32_t left = count_anomalies(v, ANOMALY_LOW), skip = left > SHOWN_TIMES ? left - SHOWN_TIMES : 0;
    if (skip)
        (void)buf_printf(out, "The latest %u; -o csv has all.\n\n", SHOWN_TIMES);
    for (uint32_t i = 0; i < v->n; i++) {
        char time[RFC3339_CAP];
        if (v->rows[i].severity == ANOMALY_NONE || (skip > 0 && skip-- > 0))
            continue;
        rfc3339_format(time, v->rows[i].time_us);
        table_cell(t, "%s", time);
        table_number(t, v->rows[i].value, 5);
        table_fixed(t, v->rows[i].score, 3);
        table_cell(t, "%s", anomaly_severity_names[v->rows[i].severity]);
    }
    if (left)
        table_write(t, out);
    table_free(t);
}

void anomalies_view_text(const struct anomalies_view *v, unsigned width, bool colour, struct buf *out)
{
    struct slots s;
    slots_init(&s, v);
    (void)buf_printf(out, "%s\n%s\n\n", s.title, s.subtitle);
    plot_text(&s.plot, width, PLOT_ROWS, colour, out);
    (void)buf_puts(out, "         █ observed   ▲ anomaly\n\n");
    write_times(v, out);
    slots_done(&s);
}
