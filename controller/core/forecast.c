/* The names and levels of forecasts; see forecast.h. */
#include "core/forecast.h"

const double forecast_levels[FORECAST_LEVELS] = {0.025, 0.05, 0.1, 0.5, 0.9, 0.95, 0.975};

const char *forecast_model_name(enum forecast_model model)
{
    static const char *const names[] = {
        [FORECAST_NONE] = "None",   [FORECAST_LEVEL] = "Level",       [FORECAST_TREND] = "Trend",
        [FORECAST_SHAPE] = "Shape", [FORECAST_SEASONAL] = "Seasonal",
    };
    return (unsigned)model < ARRAY_SIZE(names) ? names[model] : "Unknown";
}

const char *forecast_trend_name(enum forecast_trend trend)
{
    static const char *const names[] = {
        [FORECAST_STEADY] = "Steady",
        [FORECAST_RISING] = "Rising",
        [FORECAST_FALLING] = "Falling",
    };
    return (unsigned)trend < ARRAY_SIZE(names) ? names[trend] : "Unknown";
}
