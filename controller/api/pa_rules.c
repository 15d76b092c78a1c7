/* The C twins of the CEL rules; see pa_rules.h. Each computes what its expression computes, with the same
 * integers. */
#include "api/pa_rules.h"

#include "api/pa.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

bool pa_target_has_group(const void *self)
{
    const struct pa_target_ref *t = self;
    return strchr(t->api_version, '/') || streq(t->kind, "ReplicationController");
}

bool pa_target_is_scalable(const void *self)
{
    static const struct {
        const char *api_version, *kind;
    } unscalable[] = {
        {"apps/v1", "DaemonSet"},  {"batch/v1", "Job"},
        {"batch/v1", "CronJob"},   {"autoscaling/v2", "HorizontalPodAutoscaler"},
        {PA_API_VERSION, PA_KIND},
    };
    const struct pa_target_ref *t = self;
    for (size_t i = 0; i < ARRAY_SIZE(unscalable); i++)
        if (streq(t->api_version, unscalable[i].api_version) && streq(t->kind, unscalable[i].kind))
            return false;
    return true;
}

bool pa_target_unchanged(const void *self, const void *old)
{
    const struct pa_target_ref *a = self, *b = old;
    return streq(a->api_version, b->api_version) && streq(a->kind, b->kind) && streq(a->name, b->name);
}

bool pa_target_utilization_fits(const void *self)
{
    const struct pa_metric_target *t = self;
    return (t->type == PA_UTILIZATION) == t->has_average_utilization;
}

bool pa_target_value_fits(const void *self)
{
    const struct pa_metric_target *t = self;
    return (t->type == PA_AVERAGE_VALUE) == t->has_average_value;
}

bool pa_metric_member_fits(const void *self)
{
    const struct pa_metric *m = self;
    return (m->type == PA_METRIC_RESOURCE) == m->has_resource;
}

bool pa_metric_container_member_fits(const void *self)
{
    const struct pa_metric *m = self;
    return (m->type == PA_METRIC_CONTAINER_RESOURCE) == m->has_container_resource;
}

bool pa_schedule_has_room(const void *self)
{
    const struct pa_schedule *s = self;
    return !streq(s->start, s->end);
}

static bool is_memory(const struct pa_metric *m)
{
    return (m->has_resource && m->resource.name == PA_MEMORY) ||
           (m->has_container_resource && m->container_resource.name == PA_MEMORY);
}

bool pa_metric_memory_not_forecast(const void *self)
{
    const struct pa_metric *m = self;
    return !(m->has_forecast && m->forecast && is_memory(m));
}

bool pa_metric_memory_no_capacity(const void *self)
{
    const struct pa_metric *m = self;
    return !(m->has_capacity_per_pod && is_memory(m));
}

bool pa_metric_capacity_fits(const void *self)
{
    const struct pa_metric *m = self;
    if (!m->has_capacity_per_pod)
        return true;
    const struct pa_metric_target *resource = &m->resource.target, *container = &m->container_resource.target;
    return (!m->has_resource || !resource->has_average_value ||
            m->capacity_per_pod.nano >= resource->average_value.nano) &&
           (!m->has_container_resource || !container->has_average_value ||
            m->capacity_per_pod.nano >= container->average_value.nano);
}

bool pa_seasonality_fits(const void *self)
{
    const struct pa_seasonality *s = self;
    return (s->mode == PA_SEASON_FIXED) == (s->n_periods_s > 0);
}

bool pa_history_fits(const void *self)
{
    const struct pa_prediction *p = self;
    return p->history_s >= PA_MIN_SLOTS * p->sample_interval_s && p->history_s <= PA_MAX_SLOTS * p->sample_interval_s;
}

void pa_history_say(const void *self, char *out, size_t cap)
{
    const struct pa_prediction *p = self;
    (void)snprintf(out, cap, "must be %d to %d: 12 to 4032 samples of sampleIntervalSeconds (%d)",
                   PA_MIN_SLOTS * p->sample_interval_s, PA_MAX_SLOTS * p->sample_interval_s, p->sample_interval_s);
}

bool pa_horizon_fits(const void *self)
{
    const struct pa_prediction *p = self;
    return p->horizon_s >= p->sample_interval_s && p->horizon_s <= PA_MAX_HORIZON * p->sample_interval_s;
}

void pa_horizon_say(const void *self, char *out, size_t cap)
{
    const struct pa_prediction *p = self;
    (void)snprintf(out, cap, "must be %d to %d: 1 to 288 samples of sampleIntervalSeconds (%d)", p->sample_interval_s,
                   PA_MAX_HORIZON * p->sample_interval_s, p->sample_interval_s);
}

bool pa_horizon_within_history(const void *self)
{
    const struct pa_prediction *p = self;
    return p->horizon_s <= p->history_s;
}

void pa_horizon_within_history_say(const void *self, char *out, size_t cap)
{
    const struct pa_prediction *p = self;
    (void)snprintf(out, cap, "must be <= historySeconds (%d)", p->history_s);
}

bool pa_lead_within_horizon(const void *self)
{
    const struct pa_prediction *p = self;
    return !p->has_lead_time_s || p->lead_time_s <= p->horizon_s;
}

void pa_lead_within_horizon_say(const void *self, char *out, size_t cap)
{
    const struct pa_prediction *p = self;
    (void)snprintf(out, cap, "must be <= horizonSeconds (%d)", p->horizon_s);
}

bool pa_min_history_fits(const void *self)
{
    const struct pa_prediction *p = self;
    return p->min_history_s <= p->history_s;
}

void pa_min_history_say(const void *self, char *out, size_t cap)
{
    const struct pa_prediction *p = self;
    (void)snprintf(out, cap, "must be <= historySeconds (%d)", p->history_s);
}

bool pa_coverage_reachable(const void *self)
{
    const struct pa_prediction *p = self;
    return p->quality_gate.min_coverage_percent <= p->confidence_percent;
}

void pa_coverage_reachable_say(const void *self, char *out, size_t cap)
{
    const struct pa_prediction *p = self;
    (void)snprintf(out, cap,
                   "must be <= confidencePercent (%d): that is what a good forecast covers, so this one "
                   "would never be trusted",
                   p->confidence_percent);
}

bool pa_periods_fit(const void *self)
{
    const struct pa_prediction *p = self;
    for (uint32_t i = 0; i < p->seasonality.n_periods_s; i++) {
        int32_t period = p->seasonality.periods_s[i];
        if (period % p->sample_interval_s != 0 || period < 2 * p->sample_interval_s || period > p->history_s / 2)
            return false;
    }
    return true;
}

void pa_periods_say(const void *self, char *out, size_t cap)
{
    const struct pa_prediction *p = self;
    (void)snprintf(out, cap, "must be multiples of sampleIntervalSeconds (%d), from %d to half of historySeconds (%d)",
                   p->sample_interval_s, 2 * p->sample_interval_s, p->history_s / 2);
}

bool pa_min_below_max(const void *self)
{
    const struct pa_spec *s = self;
    return s->min_replicas <= s->max_replicas;
}

void pa_min_below_max_say(const void *self, char *out, size_t cap)
{
    const struct pa_spec *s = self;
    (void)snprintf(out, cap, "must be >= minReplicas (%d)", s->min_replicas);
}

bool pa_sample_holds_sync(const void *self)
{
    const struct pa_spec *s = self;
    return s->sync_period_s <= s->prediction.sample_interval_s;
}

void pa_sample_holds_sync_say(const void *self, char *out, size_t cap)
{
    const struct pa_spec *s = self;
    (void)snprintf(out, cap, "must be >= syncPeriodSeconds (%d): a sample is the mean of what the syncs in it saw",
                   s->sync_period_s);
}

bool pa_metrics_forecast_few(const void *self)
{
    const struct pa_spec *s = self;
    unsigned n = 0;
    for (uint32_t i = 0; i < s->n_metrics; i++)
        n += pa_metric_forecast(&s->metrics[i]);
    return n <= PA_MAX_FORECAST;
}

bool pa_metrics_sources_differ(const void *self)
{
    const struct pa_spec *s = self;
    for (uint32_t i = 0; i < s->n_metrics; i++)
        for (uint32_t k = 0; k < i; k++)
            if (s->metrics[i].has_resource && s->metrics[k].has_resource &&
                s->metrics[i].resource.name == s->metrics[k].resource.name)
                return false;
    return true;
}

bool pa_metrics_containers_differ(const void *self)
{
    const struct pa_spec *s = self;
    for (uint32_t i = 0; i < s->n_metrics; i++)
        for (uint32_t k = 0; k < i; k++) {
            const struct pa_metric *a = &s->metrics[i], *b = &s->metrics[k];
            if (a->has_container_resource && b->has_container_resource &&
                a->container_resource.name == b->container_resource.name &&
                streq(a->container_resource.container, b->container_resource.container))
                return false;
        }
    return true;
}

bool pa_advisor_is_bounded(const void *self)
{
    const struct pa_advisor *a = self;
    return (a->mode != PA_ADVISOR_BOUNDED && a->mode != PA_ADVISOR_APPROVAL) || a->has_max_replica_delta;
}
