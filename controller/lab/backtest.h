/* How good forecasts would have been: plays a series and compares what was said at each origin with what came.
 *
 * All errors are divided by the series' own scale, so that 1 is the error of "as yesterday". The scale of an origin is
 * mean |y[t] - y[t - day]| over the 7 days before it, over the pairs that exist; with fewer pairs than a day has slots
 * the origin is skipped (as is one with nothing to compare behind it), and a scale of 0 excludes it. Over the origins
 * that are left MASE       = mean |y - mean| / mean scale pinball(q) = mean of (q - [y < Q]) (y - Q) / mean scale
 * (Koenker and Bassett 1978) coverage(q) = share of y <= Q each mean running over all slots with a value that a
 * forecast reaches. MASE: Hyndman and Koehler 2006.
 */
#ifndef LAB_BACKTEST_H
#define LAB_BACKTEST_H

#include "lab/play.h"

struct backtest {
    uint32_t origins, skipped, excluded; /* scored; too little history for a scale; a scale of 0 */
    uint64_t points;                     /* forecast slots that were compared */
    double mase;                         /* this and the rest: NaN without a scored origin */
    double scale;                        /* mean over the scored origins */
    double pinball[FORECAST_LEVELS], coverage[FORECAST_LEVELS];
    double inside_80, inside_95; /* share between the 10 % and 90 %, the 2.5 % and 97.5 % quantiles */
    double trusted;              /* share of the scored origins at which the forecast was trusted */
    double forecast_us;          /* median time that a forecast took to make */
};

/* The scale at `origin`: NaN when it is to be skipped. */
double backtest_scale(const struct series_file *s, uint32_t origin);

struct backtest backtest_series(const struct series_file *s, const struct play_options *options);

/* The means over several series of those figures that one has; those with fewer than `min_origins` origins (at least 1)
 * don't count. `geometric_mase` too. */
struct backtest_summary {
    uint32_t series;
    struct backtest mean; /* origins, skipped, excluded and points are sums */
    double geometric_mase;
    double least_inside_95;
};
struct backtest_summary backtest_summarize(const struct backtest *items, size_t n, uint32_t min_origins);

#endif
