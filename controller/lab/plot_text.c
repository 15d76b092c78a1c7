/* Plots in block characters; see plot_text.h. */
#include "lab/plot_text.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_WIDTH 7u /* at least */
#define BLUE        "\033[34m"
#define RED         "\033[31m"
#define DIM         "\033[2m"
#define PLAIN       "\033[0m"

static const char *const up[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const right[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};

struct column {
    double solid, mean, upper; /* NaN: nothing there */
    bool marked;
};

/* The mean over the slots that a column covers; of an interval its highest end. */
static void sum_up(const struct plot *p, const struct plot_panel *panel, struct column *columns, unsigned n)
{
    for (unsigned c = 0; c < n; c++) {
        uint32_t from = (uint32_t)((uint64_t)c * p->n / n),
                 to = MAX((uint32_t)((uint64_t)(c + 1) * p->n / n), from + 1);
        columns[c] = (struct column){(double)NAN, (double)NAN, (double)NAN, false};
        for (unsigned k = 0; k < panel->n_items; k++) {
            const struct plot_item *item = &panel->items[k];
            const double *y = item->upper ? item->upper : item->y;
            double sum = 0, highest = -(double)INFINITY;
            unsigned count = 0;
            for (uint32_t t = MAX(from, item->first); t < to && t < item->first + item->n; t++) {
                if (!isfinite(y[t - item->first]))
                    continue;
                sum += y[t - item->first];
                highest = fmax(highest, y[t - item->first]);
                count++;
            }
            if (count == 0)
                continue;
            if (item->role == PLOT_ANOMALY)
                columns[c].marked = true;
            else if (item->upper)
                columns[c].upper = highest;
            else
                *(item->role == PLOT_FORECAST ? &columns[c].mean : &columns[c].solid) = sum / count;
        }
    }
}

/* How many eighths of a row's cell a value fills. */
static int eighths(double value, const struct plot_axis *axis, unsigned height, unsigned row)
{
    double rows = (value - axis->low) / (axis->high - axis->low) * height;
    return isfinite(value) ? (int)fmax(0, fmin(8, round((rows - row) * 8))) : 0;
}

static void draw_cell(const struct column *c, const struct plot_axis *axis, unsigned height, unsigned row, bool colour,
                      struct buf *out)
{
    int solid = eighths(c->solid, axis, height, row);
    const char *cell = up[solid], *shade = "";
    if (solid == 0 && eighths(c->mean, axis, height, row) >= 4) {
        cell = "▓";
        shade = BLUE;
    } else if (solid == 0 && eighths(c->upper, axis, height, row) >= 4) {
        cell = "░";
        shade = BLUE DIM;
    }
    if (colour && *shade)
        (void)buf_printf(out, "%s%s" PLAIN, shade, cell);
    else
        (void)buf_puts(out, cell);
}

/* The tick that is nearest to the upper edge of this row, within half a row. */
static bool row_label(const struct plot_axis *axis, unsigned height, unsigned row, char out[16])
{
    double edge = axis->low + (axis->high - axis->low) * (row + 0.5) / height,
           half = (axis->high - axis->low) / height / 2;
    double tick = axis->low + round((edge - axis->low) / axis->step) * axis->step;
    if (fabs(tick - edge) > half * 1.0001 || (row > 0 && tick <= edge - half * 0.9999))
        return false;
    plot_value_label(out, tick, axis->step);
    return true;
}

static unsigned label_width(const struct plot_axis *axis, unsigned height)
{
    unsigned width = LABEL_WIDTH;
    char label[16];
    for (unsigned row = 0; row < height; row++)
        if (row_label(axis, height, row, label))
            width = MAX(width, (unsigned)strlen(label));
    return width;
}

static void write_times(const struct plot *p, unsigned n, unsigned left, struct buf *out)
{
    struct plot_time_axis times = plot_time_axis(p, n / 14 + 2);
    double slot_us = (double)p->interval_s * 1e6;
    char *line = xcalloc((size_t)n + 32, 1), label[24];
    unsigned used = 0;
    memset(line, ' ', n);
    bool first = true;
    for (int64_t t = times.first_us;; t += times.step_us) {
        double at = (double)(t - p->start_us) / slot_us / p->n * n;
        plot_time_label(label, &times, t, first);
        unsigned len = (unsigned)strlen(label), column = (unsigned)at;
        if (at + len > n)
            break;
        if (column >= used) {
            for (unsigned k = 0; k < len; k++)
                line[column + k] = label[k];
            used = column + len + 1;
            first = false;
        }
    }
    (void)buf_printf(out, "%*s  %s\n", (int)left, "UTC", line);
    free(line);
}

/* Below the bars, so that they are found where the value is low. */
static void write_marks(const struct column *columns, unsigned n, unsigned left, bool colour, struct buf *out)
{
    bool any = false;
    for (unsigned c = 0; c < n; c++)
        any |= columns[c].marked;
    if (!any)
        return;
    (void)buf_printf(out, "%*s  %s", (int)left, "", colour ? RED : "");
    for (unsigned c = 0; c < n; c++)
        (void)buf_puts(out, columns[c].marked ? "▲" : " ");
    (void)buf_printf(out, "%s\n", colour ? PLAIN : "");
}

void plot_text(const struct plot *p, unsigned width, unsigned height, bool colour, struct buf *out)
{
    const struct plot_panel *panel = &p->panels[0];
    struct plot_axis axis = plot_value_axis(panel, MAX(height / 2, 2u));
    unsigned left = label_width(&axis, height), n = MAX(MIN(width, 400u), left + 12) - left - 2;
    n = MIN(n, MAX(p->n, 1u));
    struct column *columns = xcalloc(n, sizeof *columns);
    sum_up(p, panel, columns, n);
    for (unsigned row = height; row-- > 0;) {
        char label[16] = "";
        bool tick = row_label(&axis, height, row, label);
        (void)buf_printf(out, "%*s %s", (int)left, label, tick ? "┤" : "│");
        for (unsigned c = 0; c < n; c++)
            draw_cell(&columns[c], &axis, height, row, colour, out);
        (void)buf_putc(out, '\n');
    }
    write_marks(columns, n, left, colour, out);
    write_times(p, n, left, out);
    free(columns);
}

void plot_text_bar(double value, double whole, unsigned width, struct buf *out)
{
    unsigned parts = whole > 0 ? (unsigned)fmax(0, fmin(width, value / whole * width) * 8 + 0.5) : 0, used = parts / 8;
    for (unsigned i = 0; i < used; i++)
        (void)buf_puts(out, up[8]);
    (void)buf_puts(out, right[parts % 8]);
    used += parts % 8 != 0;
    for (; used < width; used++)
        (void)buf_putc(out, ' ');
}

static unsigned cells(double value, double whole, unsigned width)
{
    return whole > 0 && value > 0 ? (unsigned)(fmin(value / whole, 1) * width + 0.5) : 0;
}

void plot_text_range_bar(double lower, double value, double upper, double whole, unsigned width, struct buf *out)
{
    unsigned solid = cells(lower, whole, width), shaded = cells(value, whole, width),
             dotted = cells(upper, whole, width);
    for (unsigned i = 0; i < width; i++)
        (void)buf_puts(out, i < solid ? "█" : i < shaded ? "▓" : i < dotted ? "░" : " ");
}
