/* See to_core.h. What the API leaves to the core (behavior that is absent) keeps the core's defaults. */
#include "api/to_core.h"

#include "base/str.h"

#include <assert.h>
#include <string.h>

STATIC_ASSERT(PA_MAX_METRICS <= CORE_MAX_METRICS);
STATIC_ASSERT(PA_MAX_POLICIES <= CORE_MAX_POLICIES);
STATIC_ASSERT(PA_MAX_SCHEDULES <= CORE_MAX_SCHEDULES);
STATIC_ASSERT(PA_MAX_CRON <= CRON_MAX_TEXT);
STATIC_ASSERT(PA_MAX_ZONE <= TZ_MAX_NAME);
STATIC_ASSERT(PA_MAX_PERIODS <= DEMAND_MAX_PERIODS);
STATIC_ASSERT(PA_MIN_SLOTS == DEMAND_MIN_SLOTS);
STATIC_ASSERT(PA_MAX_SLOTS == DEMAND_MAX_SLOTS);
STATIC_ASSERT(PA_MAX_HORIZON == FORECAST_MAX_HORIZON);

static enum core_mode mode_of(enum pa_mode mode)
{
    switch (mode) {
    case PA_SCALE_UP_ONLY:
        return CORE_SCALE_UP_ONLY;
    case PA_RECOMMEND:
        return CORE_RECOMMEND;
    case PA_OFF:
        return CORE_OFF;
    case PA_AUTO:
    default:
        return CORE_AUTO;
    }
}

static struct core_metric_spec metric_of(const struct pa_metric *m)
{
    const struct pa_metric_target *t = pa_metric_target(m);
    bool utilization = t->type == PA_UTILIZATION;
    struct core_metric_spec ret = {
        .kind = pa_metric_resource(m) == PA_CPU ? CORE_METRIC_CPU : CORE_METRIC_POD,
        .source = m->type == PA_METRIC_CONTAINER_RESOURCE ? CORE_SOURCE_CONTAINER_RESOURCE : CORE_SOURCE_RESOURCE,
        .target_type = utilization ? CORE_TARGET_UTILIZATION : CORE_TARGET_AVERAGE_VALUE,
        .target_percent = utilization ? t->average_utilization : 0,
        .target_milli = utilization ? 0 : quantity_milli(t->average_value),
        .forecast = pa_metric_forecast(m),
        .capacity_per_pod = m->has_capacity_per_pod ? quantity_double(m->capacity_per_pod) : 0,
    };
    (void)str_copy(ret.name, sizeof ret.name, m->name);
    if (m->has_fallback)
        ret.fallback = (struct core_fallback){
            .after_s = (uint32_t)m->fallback.failure_duration_s,
            .replicas = m->fallback.replicas,
            .behavior =
                m->fallback.behavior == PA_FALLBACK_AT_LEAST ? CORE_FALLBACK_AT_LEAST : CORE_FALLBACK_CURRENT_IF_HIGHER,
        };
    return ret;
}

static int schedule_of(const struct pa_schedule *s, struct tz_cache *zones, struct core_schedule *ret,
                       struct error *err)
{
    *ret = (struct core_schedule){.min_replicas = s->min_replicas};
    (void)str_copy(ret->name, sizeof ret->name, s->name);
    if (cron_parse(s->start, &ret->start, err) < 0)
        return error_wrap(err, "start");
    if (cron_parse(s->end, &ret->end, err) < 0)
        return error_wrap(err, "end");
    ret->zone = tz_cache_get(zones, s->time_zone, err);
    return ret->zone ? 0 : error_wrap(err, "timeZone");
}

static void schedules_of(const struct pa_spec *s, struct tz_cache *zones, struct core_spec *ret,
                         struct error *ret_ignored)
{
    for (uint32_t i = 0; i < s->n_schedules; i++) {
        struct error err = ERROR_INIT;
        if (schedule_of(&s->schedules[i], zones, &ret->schedules[ret->n_schedules], &err) == 0) {
            ret->n_schedules++;
            continue;
        }
        if (ret_ignored->kind != ERROR_NONE)
            continue;
        *ret_ignored = err;
        error_wrap(ret_ignored, "schedule %s is ignored", s->schedules[i].name);
    }
    if (ret->n_schedules < CORE_MAX_SCHEDULES) /* what was begun and not taken */
        ret->schedules[ret->n_schedules] = (struct core_schedule){.zone = NULL};
}

static enum core_select select_of(enum pa_select select)
{
    switch (select) {
    case PA_SELECT_MIN:
        return CORE_SELECT_MIN;
    case PA_SELECT_DISABLED:
        return CORE_SELECT_DISABLED;
    case PA_SELECT_MAX:
    default:
        return CORE_SELECT_MAX;
    }
}

static struct core_rules rules_of(const struct pa_rules *r)
{
    struct core_rules ret = {
        .stabilization_s = (uint32_t)r->stabilization_window_s,
        .tolerance = quantity_double(r->tolerance),
        .select = select_of(r->select_policy),
        .n_policies = r->n_policies,
    };
    for (uint32_t i = 0; i < r->n_policies; i++)
        ret.policies[i] = (struct core_policy){
            .type = r->policies[i].type == PA_POLICY_PODS ? CORE_POLICY_PODS : CORE_POLICY_PERCENT,
            .value = r->policies[i].value,
            .period_s = (uint32_t)r->policies[i].period_s,
        };
    return ret;
}

static enum demand_seasonality seasonality_of(enum pa_seasonality_mode mode)
{
    switch (mode) {
    case PA_SEASON_FIXED:
        return DEMAND_SEASON_FIXED;
    case PA_SEASON_NONE:
        return DEMAND_SEASON_NONE;
    case PA_SEASON_AUTO:
    default:
        return DEMAND_SEASON_AUTO;
    }
}

static struct advice_config advice_of(const struct pa_advisor *a)
{
    static const enum advice_mode modes[] = {[PA_ADVISOR_OFF] = ADVICE_OFF,
                                             [PA_ADVISOR_OBSERVE] = ADVICE_OBSERVE,
                                             [PA_ADVISOR_BOUNDED] = ADVICE_BOUNDED,
                                             [PA_ADVISOR_APPROVAL] = ADVICE_APPROVAL};
    return (struct advice_config){
        .mode = modes[a->mode],
        .max_replica_delta =
            a->has_max_replica_delta ? a->max_replica_delta : INT32_MAX, /* mode Observe: it shows all */
        .min_interval_s = (uint32_t)a->min_interval_s,
        .timeout_s = (uint32_t)a->timeout_s,
        .cache_ttl_s = (uint32_t)a->cache_ttl_s,
        .daily_call_budget = a->has_daily_call_budget ? (uint32_t)a->daily_call_budget : 0,
    };
}

static struct demand_config prediction_of(const struct pa_prediction *p)
{
    struct demand_config ret = {
        .interval_s = (uint32_t)p->sample_interval_s,
        .slots = (uint32_t)(p->history_s / p->sample_interval_s),
        .horizon = (uint32_t)(p->horizon_s / p->sample_interval_s),
        .seasonality = seasonality_of(p->seasonality.mode),
        .n_periods = p->seasonality.n_periods_s,
        .confidence_percent = (uint32_t)p->confidence_percent,
        .min_history_s = (uint32_t)p->min_history_s,
        .max_error_percent = (uint32_t)p->quality_gate.max_error_percent,
        .min_coverage_percent = (uint32_t)p->quality_gate.min_coverage_percent,
    };
    for (uint32_t i = 0; i < ret.n_periods; i++)
        ret.periods_s[i] = (uint32_t)p->seasonality.periods_s[i];
    return ret;
}

static struct core_anomaly_spec anomaly_of(const struct pa_anomaly *a)
{
    static const enum anomaly_mode modes[] = {[PA_ANOMALY_OFF] = ANOMALY_OFF,
                                              [PA_ANOMALY_EXCLUDE_SAMPLES] = ANOMALY_EXCLUDE_SAMPLES,
                                              [PA_ANOMALY_HOLD_SCALE_DOWN] = ANOMALY_HOLD_SCALE_DOWN,
                                              [PA_ANOMALY_REACTIVE_ONLY] = ANOMALY_REACTIVE_ONLY};
    static const enum anomaly_sensitivity sensitivities[] = {[PA_SENSITIVITY_LOW] = ANOMALY_SENSITIVITY_LOW,
                                                             [PA_SENSITIVITY_MEDIUM] = ANOMALY_SENSITIVITY_MEDIUM,
                                                             [PA_SENSITIVITY_HIGH] = ANOMALY_SENSITIVITY_HIGH};
    return (struct core_anomaly_spec){.mode = modes[a->mode], .sensitivity = sensitivities[a->sensitivity]};
}

void pa_to_core(const struct pa *pa, const struct operator_config *config, struct tz_cache *zones,
                struct core_spec *ret, struct error *ret_ignored)
{
    const struct pa_spec *s = &pa->spec;
    struct core_spec core = core_spec_default();
    core.min_replicas = s->min_replicas;
    core.max_replicas = s->max_replicas;
    core.mode = mode_of(s->mode);
    core.paused = pa->paused;
    core.sync_period_s = (uint32_t)s->sync_period_s;
    core.lead_time_s = s->prediction.has_lead_time_s ? (uint32_t)s->prediction.lead_time_s : 0;
    core.n_metrics = s->n_metrics;
    memset(core.metrics, 0, sizeof core.metrics);
    for (uint32_t i = 0; i < s->n_metrics; i++)
        core.metrics[i] = metric_of(&s->metrics[i]);
    core.behavior = s->has_behavior;
    if (s->has_behavior) {
        core.up = rules_of(&s->behavior.up);
        core.down = rules_of(&s->behavior.down);
    }
    core.prediction = prediction_of(&s->prediction);
    core.anomaly = anomaly_of(&s->anomaly);
    core.advice = advice_of(&s->advisor);
    core.has_trusted_stabilization = s->prediction.has_trusted_down_window_s;
    core.trusted_stabilization_s =
        s->prediction.has_trusted_down_window_s ? (uint32_t)s->prediction.trusted_down_window_s : 0;
    *ret_ignored = ERROR_INIT;
    schedules_of(s, zones, &core, ret_ignored);
    core.cpu_initialization_s = (uint32_t)config->cpu_initialization_s;
    core.initial_readiness_s = (uint32_t)config->initial_readiness_s;
    assert(!core_spec_broken(&core));
    *ret = core;
}
