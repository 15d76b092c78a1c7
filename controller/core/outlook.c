/* Beyond the lead; see outlook.h. */
#include "core/outlook.h"

#include <math.h>

#include "core/measure.h"
#include "core/state.h"

struct metric {
    struct demand *demand;
    double target, capacity; /* of a pod, in the metric's unit; 0: not known */
    double margin;           /* of the driving quantile over what is expected */
};

static int32_t pods(double demand, double per_pod)
{
    if (!(per_pod > 0))
        return -1;
    double n = ceil(demand / per_pod);
    return n < (double)INT32_MAX ? (int32_t)n : INT32_MAX;
}

/* Replicas that `ahead_s` will ask for with an even chance; -1: not known. */
static int32_t need_of(const struct metric *metric, int64_t now_us, uint32_t lead_s, uint32_t ahead_s, bool with_margin)
{
    double demand = demand_ahead(metric->demand, now_us, lead_s, ahead_s);
    if (!(demand >= 0))
        return -1;
    int32_t need = pods(demand, metric->target);
    return with_margin ? MAX(need, pods(demand + metric->margin, metric->capacity)) : need;
}

void outlook_ask(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation,
                 int32_t count, int32_t need, struct core_plan *plan)
{
    bool raise = need > count;
    if (plan->anomaly.sets_aside || need < 0 || need == count || (!raise && spec->has_trusted_stabilization))
        return;
    for (uint32_t i = 0, forecasts = 0; i < spec->n_metrics; i++) {
        if (!spec->metrics[i].forecast)
            continue;
        struct demand *demand = state->metrics[forecasts++].demand;
        const struct core_metric_plan *m = &plan->metrics[i];
        if (!m->trusted || m->drive < 0)
            continue;
        struct metric outlook = {
            .demand = demand,
            .target = measure_target(&spec->metrics[i], observation, &observation->metrics[i]),
            .capacity = m->capacity,
            .margin = m->margin,
        };
        uint32_t ahead_s = raise ? OUTLOOK_RAISE_S : OUTLOOK_HOLD_S;
        plan->ahead = MAX(plan->ahead, need_of(&outlook, observation->time_us, plan->lead_s, ahead_s, !raise));
    }
}

int32_t outlook_raise(int32_t current, int32_t need, int32_t ahead)
{
    int64_t most = ((int64_t)current * OUTLOOK_MOST_PERCENT + 99) / 100;
    return MAX(need, (int32_t)MIN(ahead, most));
}

bool outlook_nearly(int32_t current, int32_t count)
{
    return (double)count * OUTLOOK_SLACK >= (double)current;
}

int32_t outlook_hold(int32_t current, int32_t stabilized, int32_t lowered, int32_t ahead)
{
    if (ahead < 0)
        return lowered;
    return outlook_nearly(current, MAX(stabilized, ahead)) ? current : MAX(lowered, ahead);
}
