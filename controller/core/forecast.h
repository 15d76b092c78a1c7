/* What a forecast is. Who makes it, and owns the numbers: demand.h (they are borrowed: a copy of the struct
 * shares them).
 *
 * Slot k of a series with interval s covers Unix time [k s, (k + 1) s). `mean[i]` and the quantiles are for
 * slot origin_slot + i; all finite, quantiles non-decreasing in the level, >= 0 where all input was.
 */
#ifndef CORE_FORECAST_H
#define CORE_FORECAST_H

#include "base/base.h"

#define FORECAST_MAX_HORIZON 288
#define FORECAST_LEVELS      7
#define FORECAST_MEDIAN      3 /* of the levels */

extern const double forecast_levels[FORECAST_LEVELS]; /* 0.025 0.05 0.1 0.5 0.9 0.95 0.975 */

enum forecast_model {
    FORECAST_NONE,     /* nothing seen yet */
    FORECAST_LEVEL,    /* level only */
    FORECAST_TREND,    /* level and damped trend */
    FORECAST_SHAPE,    /* with yesterday's shape (less than two seasons) */
    FORECAST_SEASONAL, /* the full regression: trend and seasonal terms */
};
enum forecast_trend { FORECAST_STEADY, FORECAST_RISING, FORECAST_FALLING };

struct forecast {
    int64_t origin_slot; /* the first slot that is forecast */
    uint32_t interval_s;
    uint32_t n; /* slots; 0: there is no forecast */
    enum forecast_model model;
    enum forecast_trend trend; /* the mean of the horizon against the last hour's, beyond what the interval explains */
    uint32_t period_s;         /* the longest season in use, 0: none */
    float *mean;               /* [n]; the median: no other number is missed by less in the mean */
    float *quantile[FORECAST_LEVELS]; /* [n] each */
};

const char *forecast_model_name(enum forecast_model model); /* "None" "Level" "Trend" "Shape" "Seasonal" */
const char *forecast_trend_name(enum forecast_trend trend); /* "Steady" "Rising" "Falling" */

#endif
