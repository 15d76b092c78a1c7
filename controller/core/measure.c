/* Demand and capacity from an observation. */
#include "core/measure.h"

#include "core/hpa.h"

#define SATURATED_PERCENT 95 /* of the limit */

static bool serves(const struct core_pod *pod)
{
    return pod->phase == CORE_POD_RUNNING && pod->ready == CORE_READY_TRUE && !pod->deleting;
}

static bool usable(const struct core_metric_spec *metric, int64_t now_us, const struct core_pod *pod,
                   const struct core_pod_sample *sample)
{
    if (!sample->present || sample->usage_milli < 0 || hpa_stale(now_us, sample->time_us, sample->window_us))
        return false;
    int64_t from_us;
    return metric->kind != CORE_METRIC_CPU || sample->time_us == 0 ||
           (!__builtin_sub_overflow(sample->time_us, sample->window_us, &from_us) &&
            from_us >= pod->ready_transition_us);
}

static struct sample demand_of_pods(const struct core_metric_spec *metric, const struct core_observation *observation,
                                    const struct core_pod_sample *samples)
{
    uint64_t ready = 0, sampled = 0, saturated = 0;
    double usage_milli = 0;
    for (uint32_t i = 0; i < observation->n_pods; i++) {
        if (!serves(&observation->pods[i]))
            continue;
        ready++;
        if (!usable(metric, observation->time_us, &observation->pods[i], &samples[i]))
            continue;
        sampled++;
        usage_milli += (double)samples[i].usage_milli;
        if (samples[i].limit_milli > 0 &&
            (double)samples[i].usage_milli * 100 >= (double)samples[i].limit_milli * SATURATED_PERCENT)
            saturated++;
    }
    if (sampled == 0 || sampled * 100 < ready * 80)
        return SAMPLE_NONE;
    struct sample demand = SAMPLE_OF(usage_milli / 1000 / (double)sampled * (double)ready);
    demand.censored = saturated > 0 && saturated * 4 >= sampled;
    return demand;
}

struct sample measure_demand(const struct core_metric_spec *metric, const struct core_observation *observation,
                             const struct core_metric_observation *measured)
{
    if (measured->kind == SAMPLE_ERROR)
        return SAMPLE_FAIL;
    if (measured->kind == SAMPLE_NO_DATA)
        return SAMPLE_NONE;
    if (metric->kind != CORE_METRIC_TOTAL)
        return measured->pods ? demand_of_pods(metric, observation, measured->pods) : SAMPLE_NONE;
    if (measured->value_milli < 0 || hpa_stale(observation->time_us, measured->time_us, measured->window_us))
        return SAMPLE_NONE;
    return SAMPLE_OF((double)measured->value_milli / 1000);
}

static double capacity_milli(const struct core_pod_sample *sample, double target_share)
{
    double full = (double)(sample->limit_milli > 0 ? sample->limit_milli : sample->request_milli);
    return MAX((double)sample->request_milli * target_share, full);
}

double measure_capacity(const struct core_metric_spec *metric, const struct core_observation *observation,
                        const struct core_metric_observation *measured)
{
    if (metric->capacity_per_pod > 0)
        return metric->capacity_per_pod;
    if (metric->target_type != CORE_TARGET_UTILIZATION)
        return (double)metric->target_milli / 1000 / 0.7;
    if (!measured->pods)
        return 0;
    double share = (double)metric->target_percent / 100, sum = 0, ready_sum = 0;
    uint32_t n = 0, ready = 0;
    for (uint32_t i = 0; i < observation->n_pods; i++) {
        if (measured->pods[i].request_milli <= 0)
            continue;
        double capacity = capacity_milli(&measured->pods[i], share);
        sum += capacity;
        n++;
        if (serves(&observation->pods[i])) {
            ready_sum += capacity;
            ready++;
        }
    }
    if (ready > 0)
        return ready_sum / ready / 1000;
    return n > 0 ? sum / n / 1000 : 0;
}

double measure_target(const struct core_metric_spec *metric, const struct core_observation *observation,
                      const struct core_metric_observation *measured)
{
    if (metric->target_type != CORE_TARGET_UTILIZATION)
        return (double)metric->target_milli / 1000;
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; measured->pods && i < observation->n_pods; i++) {
        if (measured->pods[i].request_milli <= 0 || !serves(&observation->pods[i]))
            continue;
        sum += (double)measured->pods[i].request_milli;
        n++;
    }
    return n > 0 ? sum / n / 1000 * metric->target_percent / 100 : 0;
}
