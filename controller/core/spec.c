/* Defaults and rules of a spec. */
#include "core/spec.h"

#include <math.h>
#include <string.h>

static bool rules_ok(const struct core_rules *rules)
{
    if (rules->stabilization_s > CORE_MAX_STABILIZATION_S || !(rules->tolerance >= 0) || !isfinite(rules->tolerance))
        return false;
    if (rules->n_policies < 1 || rules->n_policies > CORE_MAX_POLICIES)
        return false;
    for (uint32_t i = 0; i < rules->n_policies; i++)
        if (rules->policies[i].value < 1 || rules->policies[i].period_s < 1 ||
            rules->policies[i].period_s > CORE_MAX_PERIOD_S)
            return false;
    return true;
}

static const char *metric_broken(const struct core_metric_spec *m)
{
    if (m->name[0] == '\0' || !memchr(m->name, '\0', sizeof m->name))
        return "a metric has no name";
    if (m->target_type == CORE_TARGET_UTILIZATION) {
        if (m->kind == CORE_METRIC_TOTAL)
            return "a utilisation needs pods";
        if (m->target_percent < 1)
            return "a utilisation target is at least 1 percent";
    } else if (m->target_milli < 1) {
        return "a target is above 0";
    }
    if (m->target_type == CORE_TARGET_VALUE && (m->kind != CORE_METRIC_TOTAL || m->forecast))
        return "a Value target is one number for all, and is not forecast";
    if (!(m->capacity_per_pod >= 0) || !isfinite(m->capacity_per_pod))
        return "a capacity is a number >= 0";
    const struct core_fallback *f = &m->fallback;
    if (f->after_s > CORE_MAX_FALLBACK_S || (f->after_s > 0 && f->replicas < 1))
        return "a fallback is at least 1 replica, after at most a day";
    return NULL;
}

static const char *schedules_broken(const struct core_spec *spec)
{
    if (spec->n_schedules > CORE_MAX_SCHEDULES)
        return "at most 16 schedules";
    for (uint32_t i = 0; i < spec->n_schedules; i++) {
        const struct core_schedule *s = &spec->schedules[i];
        if (!s->zone || s->min_replicas < 1 || !memchr(s->name, '\0', sizeof s->name))
            return "a schedule has a name, a zone and a floor of at least 1";
    }
    return NULL;
}

const char *core_spec_broken(const struct core_spec *spec)
{
    if (spec->min_replicas < 0 || spec->max_replicas < 1 || spec->min_replicas > spec->max_replicas)
        return "0 <= min <= max and 1 <= max";
    if (spec->n_metrics < 1 || spec->n_metrics > CORE_MAX_METRICS)
        return "1 to 8 metrics";
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        const char *broken = metric_broken(&spec->metrics[i]);
        if (broken)
            return broken;
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(spec->metrics[i].name, spec->metrics[k].name) == 0)
                return "metric names are unique";
    }
    const struct demand_config *d = &spec->prediction;
    if (d->interval_s < 10 || d->interval_s > 3600 || d->slots < DEMAND_MIN_SLOTS || d->slots > DEMAND_MAX_SLOTS ||
        d->horizon < 1 || d->horizon > FORECAST_MAX_HORIZON || d->confidence_percent < 50 ||
        d->confidence_percent > 99 || d->n_periods > DEMAND_MAX_PERIODS)
        return "prediction out of range";
    if (!rules_ok(&spec->up) || !rules_ok(&spec->down))
        return "scaling rules out of range";
    if (spec->advice.mode != ADVICE_OFF && spec->advice.max_replica_delta < 1)
        return "advice may change at least one replica";
    if (spec->has_trusted_stabilization && spec->trusted_stabilization_s > CORE_MAX_STABILIZATION_S)
        return "a stabilisation window is at most an hour";
    return schedules_broken(spec);
}

struct core_spec core_spec_default(void)
{
    struct core_spec spec = {
        .min_replicas = 1,
        .max_replicas = 10,
        .mode = CORE_AUTO,
        .sync_period_s = 15,
        .n_metrics = 1,
        .metrics = {{.name = "cpu",
                     .kind = CORE_METRIC_CPU,
                     .source = CORE_SOURCE_RESOURCE,
                     .target_type = CORE_TARGET_UTILIZATION,
                     .target_percent = 70,
                     .forecast = true}},
        .up = {.stabilization_s = 0,
               .tolerance = 0.1,
               .select = CORE_SELECT_MAX,
               .n_policies = 2,
               .policies = {{.type = CORE_POLICY_PODS, .value = 4, .period_s = 15},
                            {.type = CORE_POLICY_PERCENT, .value = 100, .period_s = 15}}},
        .down = {.stabilization_s = 300,
                 .tolerance = 0.1,
                 .select = CORE_SELECT_MAX,
                 .n_policies = 1,
                 .policies = {{.type = CORE_POLICY_PERCENT, .value = 100, .period_s = 15}}},
        .prediction = demand_config_default(),
        .anomaly = {.mode = ANOMALY_OFF, .sensitivity = ANOMALY_SENSITIVITY_MEDIUM},
        .cpu_initialization_s = 300,
        .initial_readiness_s = 30,
    };
    return spec;
}
