/* What a sync found, told: status with its conditions, events on transitions, gauges. The words of the plan
 * are core/explain's; here are those of what surrounds it. */
#include "api/pa.h"
#include "base/alloc.h"
#include "base/str.h"
#include "core/condition.h"
#include "core/explain.h"
#include "reconcile/autoscaler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- conditions ---- */

static enum condition_status truth(bool yes)
{
    return yes ? CONDITION_TRUE : CONDITION_FALSE;
}

/* The status that was told last; CONDITION_UNKNOWN when none was. */
static enum condition_status before(const struct autoscaler *a, enum pa_condition_type type)
{
    return a->times.status[type] ? (enum condition_status)(a->times.status[type] - 1) : CONDITION_UNKNOWN;
}

/* One of the HPA's conditions. In a sync in which the HPA would leave it as it was, so do we. */
static void set_core(struct autoscaler *a, struct pa_status *s, enum pa_condition_type type,
                     const struct core_condition *c)
{
    if (c->known)
        pa_condition_set(s, type, truth(c->status), c->reason, "%s", c->message);
    else
        pa_condition_set(s, type, before(a, type), "NotEvaluated", "not looked at in this sync: %s",
                         a->work->plan.message);
}

static void set_able_to_scale(struct autoscaler *a, struct pa_status *s)
{
    const struct finding *f = &a->work->finding;
    struct core_condition c;
    if (f->target != TARGET_OK) {
        pa_condition_set(s, PA_ABLE_TO_SCALE, CONDITION_FALSE, "FailedGetScale", "%s", error_text(&f->target_error));
        return;
    }
    if (!f->ok) {
        pa_condition_set(s, PA_ABLE_TO_SCALE, CONDITION_TRUE, "SucceededGetScale",
                         "the target's current scale was read");
        return;
    }
    bool failed = f->write_error.kind != ERROR_NONE;
    if (failed || f->wrote)
        core_condition_rescaled(&a->work->plan, failed ? error_text(&f->write_error) : NULL, &c);
    else
        core_condition_able_to_scale(&a->work->plan, &c);
    set_core(a, s, PA_ABLE_TO_SCALE, &c);
}

/* What the query of a metric said; NULL: nothing. */
static const char *failure_of(const struct finding *f)
{
    if (f->usage_error.kind != ERROR_NONE)
        return error_text(&f->usage_error);
    return f->lacking.kind != ERROR_NONE ? error_text(&f->lacking) : NULL;
}

static void set_scaling_active(struct autoscaler *a, struct pa_status *s)
{
    const struct finding *f = &a->work->finding;
    struct core_condition c;
    if (f->selector_missing)
        pa_condition_set(s, PA_SCALING_ACTIVE, CONDITION_FALSE, "InvalidSelector",
                         "the target's /scale names no selector, so its pods can't be found");
    else if (f->pods_error.kind != ERROR_NONE)
        pa_condition_set(s, PA_SCALING_ACTIVE, CONDITION_FALSE, "FailedGetPods", "%s", error_text(&f->pods_error));
    else if (f->target != TARGET_OK)
        pa_condition_set(s, PA_SCALING_ACTIVE, CONDITION_FALSE, "FailedGetScale", "the target could not be read");
    else if (f->ok) {
        core_condition_scaling_active(&a->work->spec, &a->work->plan, failure_of(f), &c);
        set_core(a, s, PA_SCALING_ACTIVE, &c);
    }
}

static void set_conflict(struct autoscaler *a, struct pa_status *s)
{
    const struct finding *f = &a->work->finding;
    const char *kind = a->in_force->target.kind;
    if (f->other_owner)
        pa_condition_set(s, PA_CONFLICT, CONDITION_TRUE, "ConflictingAutoscaler",
                         "%s %s scales this %s too; nothing is written while it does: delete it, or this one",
                         f->owner_kind == OWNER_HPA ? "HorizontalPodAutoscaler" : PA_KIND, f->owner_name, kind);
    else if (f->ok && a->work->plan.contended)
        pa_condition_set(s, PA_CONFLICT, CONDITION_TRUE, "ForeignWrites",
                         "%s%sundid our replica count twice; nothing is lowered for 30 minutes, raises hold off",
                         a->foreign_writer ? a->foreign_writer : "someone else",
                         a->foreign_writer ? " (by managedFields) " : " ");
    else
        pa_condition_set(s, PA_CONFLICT, CONDITION_FALSE, "NoConflict", "no one else scales the target");
}

static void set_config_valid(struct autoscaler *a, struct pa_status *s)
{
    const char *annotation = annotated_problem(a->r->annotated, a->key);
    if (!a->pa->valid)
        pa_condition_set(s, PA_CONFIG_VALID, CONDITION_FALSE, "InvalidSpec", "%s", a->pa->problem);
    else if (annotation)
        pa_condition_set(s, PA_CONFIG_VALID, CONDITION_FALSE, "InvalidAnnotation",
                         "the last valid configuration keeps running: %s", annotation);
    else
        pa_condition_set(s, PA_CONFIG_VALID, CONDITION_TRUE, "Valid", "the configuration obeys all rules");
}

static void set_paused(struct autoscaler *a, struct pa_status *s)
{
    if (a->work->spec.mode == CORE_OFF)
        pa_condition_set(s, PA_PAUSED, CONDITION_TRUE, "ModeOff", "spec.mode is Off: nothing is evaluated");
    else if (a->pa->paused)
        pa_condition_set(s, PA_PAUSED, CONDITION_TRUE, "PausedByAnnotation",
                         "the annotation " PA_ANNOTATION_PAUSED " is set: decisions are shown, not applied");
    else if (a->pa->paused_unclear)
        pa_condition_set(s, PA_PAUSED, CONDITION_FALSE, "UnclearAnnotation",
                         "the annotation " PA_ANNOTATION_PAUSED
                         " is neither \"true\" nor \"false\", so it does not pause");
    else
        pa_condition_set(s, PA_PAUSED, CONDITION_FALSE, "NotPaused", "decisions are applied as spec.mode says");
}

static void set_ready(const struct autoscaler *a, struct pa_status *s)
{
    /* The first of these that is not as it should be is the reason. */
    static const struct {
        enum pa_condition_type type;
        enum condition_status bad;
    } parts[] = {{PA_CONFIG_VALID, CONDITION_FALSE},
                 {PA_ABLE_TO_SCALE, CONDITION_FALSE},
                 {PA_SCALING_ACTIVE, CONDITION_FALSE},
                 {PA_CONFLICT, CONDITION_TRUE}};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        const struct pa_condition *c = pa_condition_get(s, parts[i].type);
        if (c && c->status == parts[i].bad) {
            char reason[sizeof(c->reason)], message[sizeof(c->message)];
            (void)str_copy(reason, sizeof(reason), c->reason);
            (void)str_copy(message, sizeof(message), c->message);
            pa_condition_set(s, PA_READY, CONDITION_FALSE, reason, "%s: %s", pa_condition_name(parts[i].type), message);
            return;
        }
    }
    if (a->pa->ignored_schedule)
        pa_condition_set(s, PA_READY, CONDITION_FALSE, "InvalidSchedule", "%s", a->pa->ignored_schedule);
    else
        pa_condition_set(s, PA_READY, CONDITION_TRUE, "Ready", "the target is looked after");
}

/* ---- forecast ---- */

static int64_t slot_us(const struct forecast *f, uint32_t i)
{
    return (f->origin_slot + i) * (int64_t)f->interval_s * USEC_PER_SEC;
}

enum { LOWER = 1 /* 5 % */, UPPER = 5 /* 95 % */ };

static struct pa_forecast_point point_of(const struct forecast *f, uint32_t i)
{
    return (struct pa_forecast_point){
        .time_us = slot_us(f, i),
        .value = pa_status_quantity((double)f->mean[i]),
        .lower = pa_status_quantity((double)f->quantile[LOWER][i]),
        .upper = pa_status_quantity((double)f->quantile[UPPER][i]),
    };
}

static void set_points(struct pa_forecast_status *out, const struct forecast *f, double capacity)
{
    uint32_t peak = 0, per_hour = MAX(3600 / f->interval_s, 1);
    for (uint32_t i = 1; i < f->n; i++)
        if (f->mean[i] > f->mean[peak])
            peak = i;
    out->has_peak = true;
    out->peak.point = point_of(f, peak);
    out->peak.replicas = capacity > 0 ? (int32_t)MIN(ceil((double)f->quantile[UPPER][peak] / capacity), 1e6) : 0;
    /* A horizon shorter than six hours is shown in six equal parts. */
    uint32_t step = MIN(per_hour, MAX(f->n / PA_STATUS_POINTS, 1));
    for (uint32_t i = step - 1; i < f->n && out->n_hourly < PA_STATUS_POINTS; i += step)
        out->hourly[out->n_hourly++] = point_of(f, i);
}

static int forecast_metric(const struct core_spec *spec)
{
    for (uint32_t m = 0; m < spec->n_metrics; m++)
        if (spec->metrics[m].forecast)
            return (int)m;
    return -1;
}

/* Of the first metric that is forecast. */
static void set_forecast(struct autoscaler *a, struct pa_status *s)
{
    int m = forecast_metric(&a->work->spec);
    struct demand *d = m >= 0 && a->state ? core_state_demand(a->state, a->work->spec.metrics[m].name) : NULL;
    if (!d) {
        pa_condition_set(s, PA_FORECAST_READY, CONDITION_FALSE, "NoForecast", "no metric is forecast");
        pa_condition_set(s, PA_FORECAST_TRUSTED, CONDITION_FALSE, "NoForecast", "no metric is forecast");
        return;
    }
    const struct forecast *f = demand_forecast(d);
    struct demand_trust trust = demand_trust(d);
    if (f->n == 0) {
        pa_condition_set(s, PA_FORECAST_READY, CONDITION_FALSE, "NoHistory", "no sample has been taken yet");
    } else {
        struct pa_forecast_status *out = &s->forecast;
        s->has_forecast = true;
        out->generated_us = slot_us(f, 0);
        out->expire_us = slot_us(f, 1);
        (void)str_copy(out->model, sizeof(out->model), forecast_model_name(f->model));
        (void)str_copy(out->trend, sizeof(out->trend), forecast_trend_name(f->trend));
        out->has_period_s = f->period_s > 0;
        out->period_s = (int32_t)f->period_s;
        out->has_error_percent = trust.error_percent >= 0;
        out->error_percent = out->has_error_percent ? (int32_t)MIN(lround(trust.error_percent), 100000) : 0;
        out->has_coverage_percent = trust.coverage_percent >= 0;
        out->coverage_percent = out->has_coverage_percent ? (int32_t)lround(trust.coverage_percent) : 0;
        set_points(out, f, a->work->finding.ok ? a->work->plan.metrics[m].capacity : 0);
        pa_condition_set(s, PA_FORECAST_READY, CONDITION_TRUE, forecast_model_name(f->model),
                         "%s is forecast from %u samples", a->work->spec.metrics[m].name, demand_filled_slots(d));
    }
    pa_condition_set(s, PA_FORECAST_TRUSTED, truth(trust.trusted), demand_trust_reason_name(trust.reason),
                     trust.scored ? "%s: error %.0f %%, coverage %.0f %% over the last %u finished forecasts"
                                  : "%s: no forecast has been scored yet",
                     trust.trusted ? "the forecast drives scaling" : "scaling is the HPA's own", trust.error_percent,
                     trust.coverage_percent, trust.scored);
    demand_drop_forecast(d); /* some 30 us of work against 2 KiB that would wait for the next sync */
}

/* ---- the rest of status ---- */

static void set_metrics(const struct autoscaler *a, struct pa_status *s)
{
    for (uint32_t m = 0; m < MIN(a->work->plan.n_metrics, a->work->spec.n_metrics) && m < PA_STATUS_METRICS; m++) {
        const struct core_metric_plan *p = &a->work->plan.metrics[m];
        struct pa_metric_status *out = &s->current_metrics[s->n_current_metrics++];
        (void)str_copy(out->name, sizeof(out->name), a->work->spec.metrics[m].name);
        const struct observed *observed = &a->work->observed[m];
        bool whole = observed->container[0] == '\0';
        (void)str_copy(out->type, sizeof(out->type), whole ? "Resource" : "ContainerResource");
        out->state = (enum pa_metric_state)p->state;
        out->has_proposed_replicas = p->reactive >= 0;
        out->proposed_replicas = MAX(p->reactive, 0);
        if (p->problem != CORE_PROBLEM_NONE)
            continue;
        struct pa_resource_status *resource = whole ? &out->resource : &out->container_resource;
        *(whole ? &out->has_resource : &out->has_container_resource) = true;
        (void)str_copy(resource->name, sizeof(resource->name), observed->resource == OBSERVE_CPU ? "cpu" : "memory");
        (void)str_copy(resource->container, sizeof(resource->container), observed->container);
        resource->current.has_average_utilization = p->current_percent >= 0;
        resource->current.average_utilization = MAX(p->current_percent, 0);
        resource->current.has_average_value = true;
        resource->current.average_value = pa_status_quantity((double)p->current_milli / 1000);
    }
}

static void set_decision(const struct autoscaler *a, struct pa_status *s)
{
    const struct core_plan *plan = &a->work->plan;
    struct pa_decision *d = &s->last_decision;
    s->has_last_decision = s->has_replica_proposals = true;
    s->replica_proposals = (struct pa_proposals){.has_reactive = plan->reactive >= 0,
                                                 .has_predicted = plan->predicted >= 0,
                                                 .has_scheduled = plan->scheduled >= 0,
                                                 .reactive = MAX(plan->reactive, 0),
                                                 .predicted = MAX(plan->predicted, 0),
                                                 .scheduled = MAX(plan->scheduled, 0),
                                                 .final = plan->replicas};
    d->time_us = plan->time_us;
    d->direction = (enum pa_direction)plan->direction;
    (void)str_copy(d->reason, sizeof(d->reason), core_reason_name(plan->reason));
    if (plan->metric >= 0)
        (void)str_copy(d->metric, sizeof(d->metric), a->work->spec.metrics[plan->metric].name);
    d->raw_replicas = MAX(plan->raw, 0);
    const char *limits[CORE_N_LIMITS];
    uint32_t n_limits = core_limit_names(plan->limits, limits);
    for (uint32_t i = 0; i < n_limits && i < PA_STATUS_LIMITS; i++)
        (void)str_copy(d->limits[d->n_limits++], sizeof(d->limits[0]), limits[i]);
    for (uint32_t i = 0; i < plan->n_stages && i < PA_STATUS_STAGES; i++) {
        struct pa_stage *stage = &d->stages[d->n_stages++];
        (void)str_copy(stage->name, sizeof(stage->name), plan->stages[i].name);
        stage->replicas = plan->stages[i].replicas;
        (void)str_copy(stage->note, sizeof(stage->note), plan->stages[i].note);
    }
    d->pods_ready = (int32_t)plan->pods_ready;
    d->pods_missing_metrics = (int32_t)plan->pods_missing;
    (void)str_copy(d->message, sizeof(d->message), plan->message);
}

static void set_anomaly(const struct autoscaler *a, struct pa_status *s)
{
    static const char *const severities[] = {"None", "Low", "Medium", "High"};
    const struct watch_finding *f = &a->work->plan.anomaly;
    if (a->work->spec.anomaly.mode == ANOMALY_OFF || forecast_metric(&a->work->spec) < 0)
        return;
    s->has_anomaly = true;
    s->anomaly = (struct pa_anomaly_status){
        .is_anomaly = f->is_anomaly, .score_percent = (int32_t)lround(100 * f->score), .since_us = f->since_us};
    (void)str_copy(s->anomaly.severity, sizeof(s->anomaly.severity), severities[f->severity]);
}

/* ---- events ---- */

static bool became(const struct autoscaler *a, const struct pa_status *s, enum pa_condition_type type,
                   enum condition_status status)
{
    const struct pa_condition *c = pa_condition_get(s, type);
    return c && c->status == status && before(a, type) != status;
}

static struct object_ref target_object(const struct autoscaler *a)
{
    const struct pa_object_target *t = &a->in_force->target;
    return (struct object_ref){.api_version = t->api_version,
                               .kind = t->kind,
                               .namespace_ = a->pa->object.meta.namespace_,
                               .name = t->name,
                               .uid = a->scale.uid};
}

static void tell(struct autoscaler *a, enum event_type type, const char *reason, const char *action, const char *note)
{
    const struct object_ref regarding = autoscaler_object(a), related = target_object(a);
    recorder_event(a->r->recorder, &regarding, a->pa->valid ? &related : NULL, type, reason, action, "%s", note);
}

/* Each new size is news, however soon it comes after another. */
static void tell_rescale(struct autoscaler *a)
{
    const struct object_ref regarding = autoscaler_object(a), related = target_object(a);
    char why[160];
    core_rescale_reason(&a->work->spec, &a->work->plan, why, sizeof(why));
    recorder_event_each(a->r->recorder, &regarding, &related, EVENT_NORMAL, "SuccessfulRescale", "Rescale",
                        "New size: %d; reason: %s. %s", a->work->finding.to, why, a->work->plan.message);
}

static void tell_of_condition(struct autoscaler *a, const struct pa_status *s, enum pa_condition_type type,
                              enum condition_status status, enum event_type event, const char *reason)
{
    const struct pa_condition *c = pa_condition_get(s, type);
    if (became(a, s, type, status))
        tell(a, event, reason ? reason : c->reason, "Evaluate", c->message);
}

static void tell_transitions(struct autoscaler *a, const struct pa_status *s)
{
    if (a->work->finding.wrote)
        tell_rescale(a);
    if (a->work->finding.write_error.kind != ERROR_NONE && became(a, s, PA_ABLE_TO_SCALE, CONDITION_FALSE))
        tell(a, EVENT_WARNING, "FailedRescale", "Rescale", error_text(&a->work->finding.write_error));
    else
        tell_of_condition(a, s, PA_ABLE_TO_SCALE, CONDITION_FALSE, EVENT_WARNING, NULL);
    /* Pods without samples are nothing to report while everything is new. */
    if (before(a, PA_SCALING_ACTIVE) == CONDITION_TRUE)
        tell_of_condition(a, s, PA_SCALING_ACTIVE, CONDITION_FALSE, EVENT_WARNING, NULL);
    tell_of_condition(a, s, PA_FORECAST_TRUSTED, CONDITION_TRUE, EVENT_NORMAL, "ForecastTrusted");
    if (before(a, PA_FORECAST_TRUSTED) == CONDITION_TRUE)
        tell_of_condition(a, s, PA_FORECAST_TRUSTED, CONDITION_FALSE, EVENT_WARNING, "ForecastDegraded");
    tell_of_condition(a, s, PA_CONFLICT, CONDITION_TRUE, EVENT_WARNING, NULL);
    if (before(a, PA_CONFLICT) == CONDITION_TRUE)
        tell_of_condition(a, s, PA_CONFLICT, CONDITION_FALSE, EVENT_NORMAL, "ConflictResolved");
    tell_of_condition(a, s, PA_PAUSED, CONDITION_TRUE, EVENT_NORMAL, "Paused");
    if (before(a, PA_PAUSED) == CONDITION_TRUE)
        tell_of_condition(a, s, PA_PAUSED, CONDITION_FALSE, EVENT_NORMAL, "Resumed");
    tell_of_condition(a, s, PA_CONFIG_VALID, CONDITION_FALSE, EVENT_WARNING, NULL);
    tell_of_condition(a, s, PA_FALLBACK_ACTIVE, CONDITION_TRUE, EVENT_WARNING, "FallbackActive");
    if (before(a, PA_FALLBACK_ACTIVE) == CONDITION_TRUE)
        tell_of_condition(a, s, PA_FALLBACK_ACTIVE, CONDITION_FALSE, EVENT_NORMAL, "FallbackEnded");
    tell_of_condition(a, s, PA_ANOMALY_DETECTED, CONDITION_TRUE, EVENT_WARNING, "AnomalyDetected");
    if (before(a, PA_ANOMALY_DETECTED) == CONDITION_TRUE)
        tell_of_condition(a, s, PA_ANOMALY_DETECTED, CONDITION_FALSE, EVENT_NORMAL, "AnomalyEnded");
    tell_of_condition(a, s, PA_ADVISOR_AVAILABLE, CONDITION_FALSE, EVENT_WARNING, "AdvisorUnavailable");
    if (before(a, PA_ADVISOR_AVAILABLE) == CONDITION_FALSE)
        tell_of_condition(a, s, PA_ADVISOR_AVAILABLE, CONDITION_TRUE, EVENT_NORMAL, "AdvisorAvailable");
    if (a->pa->ignored_schedule)
        tell_of_condition(a, s, PA_READY, CONDITION_FALSE, EVENT_WARNING, NULL);
}

/* ---- metrics ---- */

static void set_gauges(struct autoscaler *a, const struct pa_status *s)
{
    struct reconciler *r = a->r;
    const struct object_meta *m = &a->pa->object.meta;
    const struct pa_condition *trusted = pa_condition_get(s, PA_FORECAST_TRUSTED);
    metrics_set(metrics_get(r->replicas_desired, m->namespace_, m->name, NULL), s->desired_replicas);
    metrics_set(metrics_get(r->replicas_current, m->namespace_, m->name, NULL), s->current_replicas);
    metrics_set(metrics_get(r->trusted, m->namespace_, m->name, NULL), trusted && trusted->status == CONDITION_TRUE);
    metrics_set(metrics_get(r->scheduled, m->namespace_, m->name, NULL), s->replica_proposals.scheduled);
    const struct pa_condition *fallback = pa_condition_get(s, PA_FALLBACK_ACTIVE);
    metrics_set(metrics_get(r->fallback, m->namespace_, m->name, NULL), fallback && fallback->status == CONDITION_TRUE);
    metrics_set(metrics_get(r->anomaly, m->namespace_, m->name, NULL), s->anomaly.is_anomaly);
    if (s->has_advisor)
        metrics_set(metrics_get(r->advised, m->namespace_, m->name, NULL), s->replica_proposals.advisor);
    if (s->has_forecast && s->forecast.has_error_percent)
        metrics_set(metrics_get(r->forecast_error, m->namespace_, m->name, NULL),
                    (double)s->forecast.error_percent / 100);
    if (a->work->finding.wrote)
        metrics_add(metrics_get(r->decisions, core_direction_name(a->work->plan.direction),
                                core_reason_name(a->work->plan.reason), NULL),
                    1);
}

void report_done(struct autoscaler *a)
{
    if (a->pa)
        metrics_remove2(a->r->metrics, "namespace", a->pa->object.meta.namespace_, "name", a->pa->object.meta.name);
}

/* ---- the whole ---- */

static bool found_nothing(const struct finding *f)
{
    return !f->ok && f->target == TARGET_OK && f->pods_error.kind == ERROR_NONE && !f->selector_missing;
}

/* Before the target has been read once, what was told last stands: 0 would be a claim. */
static void set_replicas(const struct autoscaler *a, struct pa_status *s)
{
    if (a->work->finding.ok)
        s->desired_replicas = a->work->plan.replicas;
    if (a->work->finding.wrote)
        s->current_replicas = a->work->finding.to;
    else if (a->scale.uid)
        s->current_replicas = a->scale.spec_replicas;
    else
        s->current_replicas = a->told_current;
    if (!a->work->finding.ok)
        s->desired_replicas = a->scale.uid ? s->current_replicas : a->told_desired;
}

bool report_sync(struct autoscaler *a)
{
    bool off = a->work->spec.mode == CORE_OFF;
    if (a->pa->valid && !off && found_nothing(&a->work->finding))
        return true; /* a cache is still being filled */
    struct pa_status *s = xcalloc(1, sizeof(*s));
    s->observed_generation = a->pa->object.meta.generation;
    (void)str_copy(s->selector, sizeof(s->selector), a->selector_text ? a->selector_text : "");
    set_replicas(a, s);
    set_config_valid(a, s);
    set_paused(a, s);
    if (a->pa->valid && !off) {
        set_able_to_scale(a, s);
        set_scaling_active(a, s);
        set_conflict(a, s);
        set_forecast(a, s);
    }
    if (a->work->finding.ok) {
        struct core_condition c;
        core_condition_scaling_limited(&a->work->spec, &a->work->plan, &c);
        set_core(a, s, PA_SCALING_LIMITED, &c);
        core_condition_fallback(&a->work->spec, &a->work->plan, &c);
        set_core(a, s, PA_FALLBACK_ACTIVE, &c);
        core_condition_anomaly(&a->work->spec, &a->work->plan, &c);
        set_core(a, s, PA_ANOMALY_DETECTED, &c);
        set_anomaly(a, s);
        set_metrics(a, s);
        set_decision(a, s);
    }
    advice_flow_report(a, s);
    set_ready(a, s);
    s->last_scale_us = a->scaled_us;
    tell_transitions(a, s);
    pa_conditions_stamp(&a->times, s, loop_real_us(a->r->loop));
    set_gauges(a, s);
    bool taken = status_writer_put(a->r->writer, a->key, s);
    free(s);
    return taken;
}
