/* Numbers of a plan, rounded; see situation.h. */
#include "core/situation.h"

#include <math.h>

#define MAX_PERCENT 100000

int32_t situation_percent(double percent)
{
    if (!isfinite(percent))
        return -1;
    double bounded = MIN(MAX(percent, -MAX_PERCENT), MAX_PERCENT);
    return (int32_t)lround(bounded / 5) * 5;
}

/* The metric's value in percent of its target; < 0: not known. */
static double usage_percent(const struct core_metric_spec *spec, const struct core_metric_plan *plan)
{
    if (plan->problem != CORE_PROBLEM_NONE)
        return -1;
    if (spec->target_type == CORE_TARGET_UTILIZATION)
        return plan->current_percent < 0 ? -1 : 100.0 * plan->current_percent / spec->target_percent;
    return MAX(100.0 * (double)plan->current_milli / (double)spec->target_milli, 0);
}

enum advice_side situation_side(const struct core_spec *spec, const struct core_plan *plan, int32_t metric)
{
    double usage = metric >= 0 ? usage_percent(&spec->metrics[metric], &plan->metrics[metric]) : -1;
    if (usage > 100 * (1 + spec->up.tolerance))
        return ADVICE_ABOVE_TARGET;
    return usage >= 0 && usage < 100 * (1 - spec->down.tolerance) ? ADVICE_BELOW_TARGET : ADVICE_WITHIN_TOLERANCE;
}

void situation_of(const struct core_spec *spec, const struct core_observation *observation,
                  const struct core_plan *plan, int32_t metric, double error_percent, struct advice_situation *ret)
{
    double usage = metric >= 0 ? usage_percent(&spec->metrics[metric], &plan->metrics[metric]) : -1;
    *ret = (struct advice_situation){
        .current = plan->current,
        .min = plan->min,
        .max = spec->max_replicas,
        .need = plan->bare < 0 ? -1 : MIN(MAX(plan->bare, plan->min), spec->max_replicas),
        .reactive = plan->reactive,
        .predicted = plan->predicted,
        .usage_percent = usage < 0 ? -1 : situation_percent(usage),
        .peak_percent = -1,
        .growth_percent = -1,
        .error_percent = error_percent < 0 ? -1 : situation_percent(error_percent),
        .trusted = plan->forecast_trusted,
        .side = situation_side(spec, plan, metric),
        .anomaly = plan->anomaly.is_anomaly ? (uint32_t)plan->anomaly.severity : 0,
        .unschedulable = observation->unschedulable,
        .lead_s = (plan->lead_s + 29) / 30 * 30,
    };
}
