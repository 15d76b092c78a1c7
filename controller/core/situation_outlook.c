/* The part of a situation that needs the forecast itself and the history; see situation.h. */
#include "core/situation.h"

#define GROWTH_S 1800

static int32_t peak_percent(const struct forecast *f, double now)
{
    double peak = -1;
    for (uint32_t i = 0; i < f->n; i++)
        peak = MAX(peak, (double)f->mean[i]);
    return peak < 0 || now <= 0 ? -1 : situation_percent(100 * peak / now);
}

/* Against the sample half an hour before the last one; -1: there is none, which is not steadiness. */
static int32_t growth_percent(const struct demand *d, uint32_t interval_s)
{
    float values[DEMAND_MAX_SLOTS];
    int64_t first;
    uint32_t n = demand_history(d, &first, values, ARRAY_SIZE(values)), back = MAX(GROWTH_S / interval_s, 1);
    if (n <= back || !(values[n - 1 - back] > 0) || !(values[n - 1] >= 0))
        return -1;
    return situation_percent(100.0 * ((double)values[n - 1] / (double)values[n - 1 - back] - 1));
}

void situation_complete(const struct core_spec *spec, struct core_state *state, const struct core_plan *plan,
                        struct advice_situation *s)
{
    for (uint32_t i = 0; i < spec->n_metrics && i < plan->n_metrics; i++) {
        struct demand *d = spec->metrics[i].forecast ? core_state_demand(state, spec->metrics[i].name) : NULL;
        if (!d)
            continue;
        s->peak_percent = peak_percent(demand_forecast(d), plan->metrics[i].demand);
        s->growth_percent = growth_percent(d, spec->prediction.interval_s);
        return;
    }
}
