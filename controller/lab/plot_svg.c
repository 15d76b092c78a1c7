/* Drawing plots as SVG; see plot_svg.h. Colours: one dark grey for what was measured, one blue for what was forecast,
 * orange for replicas, dashed violet for what another did: distinguishable without colour vision by lightness too. */
#include "lab/plot_svg.h"

#include "base/clock.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH        960
#define LEFT         64.0
#define RIGHT        24.0
#define TOP          64.0
#define FIRST_HEIGHT 300.0
#define NEXT_HEIGHT  120.0
#define PANEL_GAP    44.0
#define BOTTOM       44.0
#define MAX_POINTS   4000u /* of a line: more than that no screen shows */

static const char style[] =
    "<style>"
    "text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#3d4450}"
    ".title{font-size:16px;font-weight:600;fill:#1c2026}.sub{font-size:12px;fill:#5b6370}.tick{font-size:11px}"
    ".label{font-size:12px}.grid{stroke:#e4e7eb;stroke-width:1}.axis{stroke:#9aa1ac;stroke-width:1}"
    ".mark{stroke:#7b8390;stroke-width:1;stroke-dasharray:2 3}"
    ".observed{fill:none;stroke:#3d4450;stroke-width:1.4}.forecast{fill:none;stroke:#2166ac;stroke-width:2}"
    ".interval{fill:#2166ac;fill-opacity:.18;stroke:none}.replicas{fill:none;stroke:#c2600a;stroke-width:1.8}"
    ".baseline{fill:none;stroke:#7b4fa3;stroke-width:1.4;stroke-dasharray:4 2}"
    ".limit{fill:none;stroke:#b3261e;stroke-width:1;stroke-dasharray:6 4}"
    ".bar{fill:#7ea6cf}"
    ".replicas-area{fill:#c2600a;fill-opacity:.85;stroke:none}.baseline-area{fill:#7b4fa3;fill-opacity:.45;stroke:none}"
    ".event{fill:#2166ac;stroke:#fff;stroke-width:.8}.anomaly{fill:#fff;fill-opacity:.6;stroke:#b3261e;stroke-width:2}"
    "</style>\n";

static const char *const classes[PLOT_ROLES] = {
    [PLOT_OBSERVED] = "observed",
    [PLOT_FORECAST] = "forecast",
    [PLOT_INTERVAL] = "interval",
    [PLOT_REPLICAS] = "replicas",
    [PLOT_BASELINE] = "baseline",
    [PLOT_LIMIT] = "limit",
    [PLOT_REPLICAS_AREA] = "replicas-area",
    [PLOT_BASELINE_AREA] = "baseline-area",
    [PLOT_EVENT] = "event",
    [PLOT_ANOMALY] = "anomaly",
};

/* ---- pieces ---- */

/* Names of files are any bytes, and titles made of them are cut anywhere: what is no character of XML, or would change
 * how the rest is shown, is replaced. */
static void escape(struct buf *out, const char *s)
{
    for (size_t left = strlen(s), n; left > 0; s += n, left -= n) {
        uint32_t c = str_code_point(s, left, &n);
        if (c == '&')
            (void)buf_puts(out, "&amp;");
        else if (c == '<')
            (void)buf_puts(out, "&lt;");
        else if (c == '>')
            (void)buf_puts(out, "&gt;");
        else if (c == '"')
            (void)buf_puts(out, "&quot;");
        else if (c == STR_INVALID || c == 0xFFFE || c == 0xFFFF || str_is_unsafe(c))
            (void)buf_puts(out, "\uFFFD");
        else
            (void)buf_append(out, s, n);
    }
}

void svg_begin(struct buf *out, unsigned width, unsigned height, const char *title)
{
    (void)buf_printf(out,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" "
                     "role=\"img\">\n<title>",
                     width, height, width, height);
    escape(out, title);
    (void)buf_puts(out, "</title>\n");
    (void)buf_puts(out, style);
    (void)buf_printf(out, "<rect width=\"%u\" height=\"%u\" fill=\"#fff\"/>\n", width, height);
}

void svg_end(struct buf *out)
{
    (void)buf_puts(out, "</svg>\n");
}

void svg_text(struct buf *out, double x, double y, const char *anchor, const char *class_, const char *text)
{
    (void)buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor, class_);
    escape(out, text);
    (void)buf_puts(out, "</text>\n");
}

static void line(struct buf *out, double x1, double y1, double x2, double y2, const char *class_)
{
    (void)buf_printf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1, x2, y2,
                     class_);
}

/* ---- one panel ---- */

struct frame {
    const struct plot *plot;
    double top, height;
    struct plot_axis axis;
};

static double x_of(const struct frame *f, double slot)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * slot / f->plot->n;
}

static double y_of(const struct frame *f, double value)
{
    double share = (value - f->axis.low) / (f->axis.high - f->axis.low);
    return f->top + f->height * (1 - fmax(0, fmin(share, 1)));
}

/* A slot's value stands at its middle; steps hold over the whole of it, and so does a value between two gaps, of which
 * nothing would be seen otherwise. */
static void draw_line(const struct frame *f, const struct plot_item *item, bool steps, struct buf *out)
{
    uint32_t stride = item->n / MAX_POINTS + 1;
    bool open = false;
    (void)buf_printf(out, "<path class=\"%s\" d=\"", classes[item->role]);
    for (uint32_t i = 0; i < item->n; i += stride) {
        if (!isfinite(item->y[i])) {
            open = false;
            continue;
        }
        double x = (double)item->first + i, y = y_of(f, item->y[i]);
        bool alone = !open && (i + stride >= item->n || !isfinite(item->y[i + stride]));
        if (steps || alone)
            (void)buf_printf(out, "%s%.1f %.1fH%.1f", open ? "L" : "M", x_of(f, x), y, x_of(f, x + stride));
        else
            (void)buf_printf(out, "%s%.1f %.1f", open ? "L" : "M", x_of(f, x + 0.5), y);
        open = true;
    }
    (void)buf_puts(out, "\"/>\n");
}

static void draw_area(const struct frame *f, const struct plot_item *item, struct buf *out)
{
    (void)buf_printf(out, "<path class=\"%s\" d=\"", classes[item->role]);
    bool open = false;
    for (uint32_t i = 0; i < item->n; i++) {
        if (!isfinite(item->y[i]) || !isfinite(item->upper[i]))
            continue;
        (void)buf_printf(out, "%s%.1f %.1f", open ? "L" : "M", x_of(f, (double)item->first + i + 0.5),
                         y_of(f, item->upper[i]));
        open = true;
    }
    for (uint32_t i = item->n; i-- > 0;)
        if (isfinite(item->y[i]) && isfinite(item->upper[i]))
            (void)buf_printf(out, "L%.1f %.1f", x_of(f, (double)item->first + i + 0.5), y_of(f, item->y[i]));
    (void)buf_puts(out, open ? "Z\"/>\n" : "\"/>\n");
}

/* Steps down to the axis, one shape for each stretch that is not empty. */
static void draw_filled_steps(const struct frame *f, const struct plot_item *item, struct buf *out)
{
    double floor = y_of(f, 0);
    bool open = false;
    (void)buf_printf(out, "<path class=\"%s\" d=\"", classes[item->role]);
    for (uint32_t i = 0; i < item->n; i++) {
        double x = (double)item->first + i;
        bool shown = isfinite(item->y[i]) && item->y[i] > 0;
        if (shown)
            (void)buf_printf(out, open ? "V%.1f" : "M%.1f", open ? y_of(f, item->y[i]) : x_of(f, x));
        if (shown && !open)
            (void)buf_printf(out, " %.1fV%.1f", floor, y_of(f, item->y[i]));
        if (shown)
            (void)buf_printf(out, "H%.1f", x_of(f, x + 1));
        if (open && !shown)
            (void)buf_printf(out, "V%.1fZ", floor);
        open = shown;
    }
    (void)buf_printf(out, open ? "V%.1fZ\"/>\n" : "\"/>\n", floor);
}

static bool is_dots(enum plot_role role)
{
    return role == PLOT_EVENT || role == PLOT_ANOMALY;
}

static const char *radius(enum plot_role role)
{
    return role == PLOT_ANOMALY ? "4.5" : "2.6";
}

static void draw_events(const struct frame *f, const struct plot_item *item, struct buf *out)
{
    for (uint32_t i = 0; i < item->n; i++)
        if (isfinite(item->y[i]))
            (void)buf_printf(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"/>\n", classes[item->role],
                             x_of(f, (double)item->first + i + 0.5), y_of(f, item->y[i]), radius(item->role));
}

static void draw_item(const struct frame *f, const struct plot_item *item, struct buf *out)
{
    if (item->upper)
        draw_area(f, item, out);
    else if (item->role == PLOT_REPLICAS_AREA || item->role == PLOT_BASELINE_AREA)
        draw_filled_steps(f, item, out);
    else if (is_dots(item->role))
        draw_events(f, item, out);
    else
        draw_line(f, item, item->role == PLOT_REPLICAS || item->role == PLOT_BASELINE, out);
}

/* About how wide a label is, by the wider ones of the fonts in use. */
static double label_width(const char *s)
{
    double width = 0;
    for (; *s; s++) {
        if (strchr("iljtf.,:;'|!()[] ", *s))
            width += 4.4;
        else if (strchr("mwMW%", *s))
            width += 11.6;
        else
            width += (unsigned char)*s >= 'A' && *s <= 'Z' ? 8.4 : 7.5;
    }
    return width;
}

static void draw_legend(const struct frame *f, const struct plot_panel *panel, struct buf *out)
{
    double x = WIDTH - RIGHT, y = f->top - 12;
    for (unsigned i = panel->n_items; i-- > 0;) {
        const struct plot_item *item = &panel->items[i];
        x -= label_width(item->label);
        svg_text(out, x, y + 4, "start", "label", item->label);
        x -= 26;
        if (is_dots(item->role))
            (void)buf_printf(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", classes[item->role],
                             x + 14, y);
        else if (item->upper || item->role == PLOT_REPLICAS_AREA || item->role == PLOT_BASELINE_AREA)
            (void)buf_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"20\" height=\"10\" class=\"%s\"/>\n", x, y - 5,
                             classes[item->role]);
        else
            line(out, x, y, x + 20, y, classes[item->role]);
        x -= 18;
    }
}

static void draw_axes(const struct frame *f, bool with_times, struct buf *out)
{
    char label[24];
    double bottom = f->top + f->height;
    for (unsigned i = 0; i < f->axis.n; i++) {
        double value = f->axis.low + i * f->axis.step, y = y_of(f, value);
        plot_value_label(label, value, f->axis.step);
        line(out, LEFT, y, WIDTH - RIGHT, y, i == 0 ? "axis" : "grid");
        svg_text(out, LEFT - 8, y + 4, "end", "tick", label);
    }
    const struct plot *p = f->plot;
    struct plot_time_axis times = plot_time_axis(p, 11);
    double slot_us = (double)p->interval_s * 1e6;
    bool first = true;
    for (int64_t t = times.first_us;; t += times.step_us) {
        double slot = (double)(t - p->start_us) / slot_us;
        if (slot > p->n)
            break;
        line(out, x_of(f, slot), bottom, x_of(f, slot), bottom + 5, "axis");
        plot_time_label(label, &times, t, first);
        if (with_times)
            svg_text(out, x_of(f, slot), bottom + 19, "middle", "tick", label);
        first = false;
    }
    if (with_times)
        svg_text(out, WIDTH - RIGHT, bottom + 36, "end", "sub", "time in UTC");
}

static void draw_mark(const struct frame *f, bool with_label, struct buf *out)
{
    double x = x_of(f, f->plot->mark);
    if (!f->plot->has_mark)
        return;
    line(out, x, f->top, x, f->top + f->height, "mark");
    if (with_label && f->plot->mark_label)
        svg_text(out, x - 6, f->top + 12, "end", "sub", f->plot->mark_label);
}

static void draw_panel(const struct plot *p, unsigned index, double top, double height, struct buf *out)
{
    const struct plot_panel *panel = &p->panels[index];
    struct frame f = {.plot = p, .top = top, .height = height, .axis = plot_value_axis(panel, height > 200 ? 7 : 4)};
    draw_axes(&f, index + 1 == p->n_panels, out);
    for (unsigned i = 0; i < panel->n_items; i++)
        draw_item(&f, &panel->items[i], out);
    draw_mark(&f, index == 0, out);
    draw_legend(&f, panel, out);
    svg_text(out, LEFT, top - 8, "start", "label", panel->title);
}

void plot_svg(const struct plot *p, struct buf *out)
{
    double height = TOP + 24 + BOTTOM;
    for (unsigned i = 0; i < p->n_panels; i++)
        height += i ? NEXT_HEIGHT + PANEL_GAP : FIRST_HEIGHT;
    svg_begin(out, WIDTH, (unsigned)height, p->title);
    svg_text(out, LEFT, 26, "start", "title", p->title);
    svg_text(out, LEFT, 46, "start", "sub", p->subtitle);
    double top = TOP + 24;
    for (unsigned i = 0; i < p->n_panels; i++) {
        double panel_height = i ? NEXT_HEIGHT : FIRST_HEIGHT;
        draw_panel(p, i, top, panel_height, out);
        top += panel_height + PANEL_GAP;
    }
    svg_end(out);
}
