/* A plot over time as data; plot_svg.h and plot_text.h draw it. All items share one grid of slots; a value that is NaN
 * is a gap. Everything is borrowed for the drawing. */
#ifndef LAB_PLOT_H
#define LAB_PLOT_H

#include "base/base.h"
#include "base/buf.h"

#define PLOT_MAX_ITEMS  8
#define PLOT_MAX_PANELS 3

/* What an item is; each drawing has one look for each role, the same in every plot. */
enum plot_role {
    PLOT_OBSERVED,      /* what was measured: a line */
    PLOT_FORECAST,      /* the mean of a forecast: a line */
    PLOT_INTERVAL,      /* between `y` and `upper`: an area */
    PLOT_REPLICAS,      /* steps */
    PLOT_BASELINE,      /* steps: what another would have done */
    PLOT_LIMIT,         /* a dashed line */
    PLOT_REPLICAS_AREA, /* what steps leave over, filled down to 0 */
    PLOT_BASELINE_AREA,
    PLOT_EVENT, /* a dot where there is a value */
    PLOT_ROLES,
};

struct plot_item {
    enum plot_role role;
    const char *label; /* in the legend */
    const double *y;   /* [n], for slots first .. first + n - 1 */
    const double *upper;
    uint32_t first, n;
};

struct plot_panel {
    const char *title;
    unsigned n_items;
    struct plot_item items[PLOT_MAX_ITEMS];
};

struct plot {
    const char *title, *subtitle;
    int64_t start_us; /* where slot 0 begins */
    uint32_t interval_s, n;
    bool has_mark; /* a vertical line at the beginning of slot `mark`, with a word at it */
    uint32_t mark;
    const char *mark_label;
    unsigned n_panels;
    struct plot_panel panels[PLOT_MAX_PANELS];
};

/* ---- axes ---- */

/* Round numbers that hold all that a panel shows: low, low + step ... high. Zero is included when the values come near
 * it. */
struct plot_axis {
    double low, high, step;
    unsigned n; /* ticks */
};
struct plot_axis plot_value_axis(const struct plot_panel *panel, unsigned max_ticks);
/* As it is written at a tick: "0.25", "12k", "3.5M". */
void plot_value_label(char out[16], double value, double step);

/* Times at which a person would put ticks, in UTC: multiples of minutes, hours, days. */
struct plot_time_axis {
    int64_t first_us, step_us;
};
struct plot_time_axis plot_time_axis(const struct plot *p, unsigned max_ticks);
/* "14:00", or "1 May" at midnight and where the steps are days; `dated`: with the day in any case, "1 May 14:00". */
void plot_time_label(char out[24], const struct plot_time_axis *axis, int64_t us, bool dated);

#endif
