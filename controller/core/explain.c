/* Plans in words. */
#include "core/explain.h"

#include "core/outlook.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const direction_names[] = {[CORE_HOLD] = "Hold", [CORE_UP] = "Up", [CORE_DOWN] = "Down"};
static const char *const reason_names[] = {
    [CORE_REASON_WITHIN_TARGET] = "WithinTarget",
    [CORE_REASON_METRIC_ABOVE_TARGET] = "MetricAboveTarget",
    [CORE_REASON_FORECAST_ABOVE_CAPACITY] = "ForecastAboveCapacity",
    [CORE_REASON_METRIC_BELOW_TARGET] = "MetricBelowTarget",
    [CORE_REASON_TOO_FEW_REPLICAS] = "TooFewReplicas",
    [CORE_REASON_TOO_MANY_REPLICAS] = "TooManyReplicas",
    [CORE_REASON_METRICS_MISSING] = "MetricsMissing",
    [CORE_REASON_SCALING_DISABLED] = "ScalingDisabled",
    [CORE_REASON_OFF] = "Off",
    [CORE_REASON_CONTENDED] = "Contended",
    [CORE_REASON_SCHEDULED] = "Scheduled",
    [CORE_REASON_FALLBACK] = "Fallback",
    [CORE_REASON_ADVISED] = "Advised",
};
static const char *const limit_names[CORE_N_LIMITS] = {
    "Tolerance",      "ScaleUpStabilized", "ScaleDownStabilized", "ScaleUpLimit", "ScaleDownLimit",
    "TooFewReplicas", "TooManyReplicas",   "MissingMetrics",      "NotActive",    "Contention",
    "Untrusted",      "Scheduled",         "GlobalShrinkBudget",  "Held",
};
static const char *const state_names[] = {[CORE_METRIC_NORMAL] = "Normal",
                                          [CORE_METRIC_STALE] = "Stale",
                                          [CORE_METRIC_MISSING] = "Missing",
                                          [CORE_METRIC_FALLBACK] = "Fallback"};
static const char *const problem_texts[] = {
    [CORE_PROBLEM_NONE] = "no problem",
    [CORE_PROBLEM_QUERY] = "the query failed",
    [CORE_PROBLEM_EMPTY] = "no metrics returned",
    [CORE_PROBLEM_STALE] = "all samples are too old",
    [CORE_PROBLEM_NO_PODS] = "the target has no pods",
    [CORE_PROBLEM_NOT_READY] = "no ready pod has a sample",
    [CORE_PROBLEM_NO_REQUEST] = "a container has no request for it",
    [CORE_PROBLEM_ZERO_REQUEST] = "the pods' requests are 0",
};
/* Of advice that is looked at; what is expired or does not fit has no stage. */
static const char *const advice_texts[ADVICE_N_OUTCOMES] = {
    [ADVICE_NONE] = "there is none",
    [ADVICE_APPLIED] = "the advisor asks for it",
    [ADVICE_AGREES] = "the advisor agrees with the need",
    [ADVICE_LOWER_SHOWN] = "the advisor asks for less: shown, not applied",
    [ADVICE_OBSERVED] = "the advisor asks for it: mode Observe, not applied",
    [ADVICE_AWAITS_APPROVAL] = "the advisor asks for it: waits for approval",
    [ADVICE_EXPIRED] = "expired",
    [ADVICE_MOVED_ON] = "the situation has changed since it was asked for",
    [ADVICE_UNSURE] = "the advisor is not sure enough",
    [ADVICE_WRONG_LATELY] = "its model has been wrong lately",
    [ADVICE_NOT_ACTIVE] = "no advice is taken now",
};
STATIC_ASSERT(ARRAY_SIZE(reason_names) == CORE_N_REASONS);

const char *core_direction_name(enum core_direction direction)
{
    return direction_names[direction];
}

const char *core_reason_name(enum core_reason reason)
{
    return reason_names[reason];
}

const char *core_metric_state_name(enum core_metric_state state)
{
    return state_names[state];
}

const char *core_problem_text(enum core_problem problem)
{
    return problem_texts[problem];
}

const char *core_limit_name(enum core_limit limit)
{
    return limit_names[__builtin_ctz((unsigned)limit)];
}

uint32_t core_limit_names(unsigned limits, const char *out[CORE_N_LIMITS])
{
    uint32_t n = 0;
    for (unsigned i = 0; i < CORE_N_LIMITS; i++)
        if (limits & (1u << i))
            out[n++] = limit_names[i];
    return n;
}

/* ---- text in fixed room ---- */

struct text {
    char *data;
    size_t cap, len;
};

static void say(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->data + t->len, t->cap - t->len, fmt, args);
    va_end(args);
    if (n > 0)
        t->len = MIN(t->len + (size_t)n, t->cap - 1);
}

#define TEXT(array) ((struct text){.data = (array), .cap = sizeof(array)})

/* Thousandths with about three digits: 0.035, 2.9, 45, 12345. No floating point: its text depends on the
 * locale. */
static void say_milli(struct text *t, int64_t milli)
{
    const char *sign = milli < 0 ? "-" : "";
    uint64_t v = milli < 0 ? 0 - (uint64_t)milli : (uint64_t)milli;
    unsigned step = v >= 100000 ? 1000 : v >= 10000 ? 100 : v >= 1000 ? 10 : 1;
    v = (v + step / 2) / step * step;
    unsigned fraction = (unsigned)(v % 1000);
    unsigned digits = 3;
    for (; digits > 0 && fraction % 10 == 0; digits--)
        fraction /= 10;
    say(t, "%s%llu", sign, (unsigned long long)(v / 1000));
    if (digits > 0)
        say(t, ".%0*u", (int)digits, fraction);
}

/* A quantity of a metric, with its unit where it has one. */
static void say_quantity(struct text *t, const struct core_metric_spec *metric, int64_t milli)
{
    static const char *const units[] = {" bytes", "Ki", "Mi", "Gi", "Ti", "Pi"};
    unsigned unit = 0;
    bool bytes = metric->kind == CORE_METRIC_POD && metric->source != CORE_SOURCE_PODS;
    if (bytes)
        for (; milli >= 1024000 && unit + 1 < ARRAY_SIZE(units); unit++)
            milli /= 1024;
    say_milli(t, milli);
    say(t, "%s", bytes ? units[unit] : metric->kind == CORE_METRIC_CPU ? " cores" : "");
}

static void say_seconds(struct text *t, uint32_t s)
{
    if (s >= 120)
        say(t, "%u min", (s + 30) / 60);
    else
        say(t, "%u s", s);
}

/* "cpu is at 84 % of the request, target 70 %" */
static void say_metric(struct text *t, const struct core_spec *spec, const struct core_plan *plan, uint32_t i)
{
    const struct core_metric_spec *metric = &spec->metrics[i];
    const struct core_metric_plan *m = &plan->metrics[i];
    if (m->problem != CORE_PROBLEM_NONE) {
        say(t, "%s is unknown (%s)", metric->name, core_problem_text(m->problem));
    } else if (metric->target_type == CORE_TARGET_UTILIZATION) {
        say(t, "%s is at %d %% of the request, target %d %%", metric->name, m->current_percent, metric->target_percent);
    } else {
        const char *per = metric->target_type == CORE_TARGET_VALUE ? "" : " per pod";
        say(t, "%s is at ", metric->name);
        say_quantity(t, metric, m->current_milli);
        say(t, "%s, target ", per);
        say_quantity(t, metric, metric->target_milli);
    }
}

/* "cpu may need 2.9 cores within 3 min (forecast, 90 % sure), a pod serves 0.5 cores" */
static void say_forecast(struct text *t, const struct core_spec *spec, const struct core_plan *plan, uint32_t i)
{
    const struct core_metric_spec *metric = &spec->metrics[i];
    say(t, "%s may need ", metric->name);
    say_quantity(t, metric, core_milli(plan->metrics[i].drive));
    say(t, " within ");
    say_seconds(t, plan->lead_s);
    say(t, " (forecast, %u %% sure), a pod serves ", spec->prediction.confidence_percent);
    say_quantity(t, metric, core_milli(plan->metrics[i].capacity));
}

/* "cpu is unknown (no metrics returned) for 5 min, its fallback is 6" */
static void say_outage(struct text *t, const struct core_spec *spec, const struct core_plan *plan, uint32_t i)
{
    say_metric(t, spec, plan, i);
    say(t, " for ");
    say_seconds(t, plan->metrics[i].unknown_s);
    say(t, ", its fallback is %d", plan->metrics[i].fallback);
}

/* ---- stages ---- */

static struct text stage(struct core_plan *plan, const char *name, int32_t replicas)
{
    struct core_stage *s = &plan->stages[plan->n_stages++];
    struct text title = TEXT(s->name);
    say(&title, "%s", name);
    s->replicas = replicas;
    s->note[0] = '\0';
    return TEXT(s->note);
}

static uint32_t predicting_metric(const struct core_plan *plan, bool trusted)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < plan->n_metrics; i++)
        if (plan->metrics[i].trusted == trusted && plan->metrics[i].predicted >= 0 &&
            (plan->metrics[best].trusted != trusted || plan->metrics[i].predicted > plan->metrics[best].predicted))
            best = i;
    return best;
}

static uint32_t fallen_back_metric(const struct core_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_metrics; i++)
        if (plan->metrics[i].fallback == plan->fallback)
            return i;
    return 0;
}

static void stages_of_need(const struct core_spec *spec, struct core_plan *plan)
{
    struct text t = stage(plan, "Reactive", plan->reactive);
    if (plan->failed_metric >= 0)
        say_metric(&t, spec, plan, (uint32_t)plan->failed_metric);
    else if (plan->n_metrics > 0) {
        uint32_t highest = 0;
        for (uint32_t i = 1; i < plan->n_metrics; i++)
            if (plan->metrics[i].reactive > plan->metrics[highest].reactive)
                highest = i;
        say_metric(&t, spec, plan, highest);
    }
    if (plan->predicted >= 0 || plan->untrusted >= 0) {
        bool trusted = plan->predicted >= 0;
        t = stage(plan, trusted ? "Predicted" : "Untrusted", trusted ? plan->predicted : plan->untrusted);
        say_forecast(&t, spec, plan, predicting_metric(plan, trusted));
    }
}

static void stages(const struct core_spec *spec, struct core_plan *plan)
{
    plan->n_stages = 0;
    struct text t = stage(plan, "Current", plan->current);
    say(&t, "%u pods ready, %u without a sample, %u not counted", plan->pods_ready, plan->pods_missing,
        plan->pods_ignored);
    if (plan->n_metrics > 0)
        stages_of_need(spec, plan);
    if (plan->fallback >= 0) {
        t = stage(plan, "Fallback", plan->fallback);
        say_outage(&t, spec, plan, fallen_back_metric(plan));
    }
    if (plan->scheduled >= 0) {
        t = stage(plan, "Scheduled", plan->scheduled);
        say(&t, "schedule %s is active", spec->schedules[plan->schedule].name);
    }
    if (plan->raw >= 0) {
        t = stage(plan, "Need", plan->raw);
        if (plan->limits & CORE_LIMIT_TOLERANCE)
            say(&t, "the change is inside the tolerance");
    }
    if (plan->raised > plan->raw) {
        t = stage(plan, "Ahead", plan->raised);
        say(&t, "raised once: the forecast will ask for %d within ", plan->ahead);
        say_seconds(&t, OUTLOOK_RAISE_S);
    }
    if (plan->advised >= 0) {
        t = stage(plan, "Advised", plan->advised);
        say(&t, "%s", advice_texts[plan->advice]);
    }
    if (plan->stabilized >= 0) {
        t = stage(plan, "Stabilised", plan->stabilized);
        if (plan->limits & CORE_LIMIT_SCHEDULED && plan->stabilized > plan->raw) {
            say(&t, "the floor of schedule %s", spec->schedules[plan->schedule].name);
        } else if (plan->limits & CORE_LIMIT_STABILIZED_DOWN) {
            say(&t, "highest need of the last ");
            say_seconds(&t, plan->down_window_s);
            if (plan->down_window_s != spec->down.stabilization_s)
                say(&t, " (the forecast is trusted)");
        } else if (plan->limits & CORE_LIMIT_STABILIZED_UP) {
            say(&t, "lowest need of the last ");
            say_seconds(&t, spec->up.stabilization_s);
        }
    }
    t = stage(plan, "Limited", plan->limited);
    if (plan->limits & CORE_LIMIT_SCALE_UP_POLICY)
        say(&t, "as fast as the scale-up policies allow");
    else if (plan->limits & CORE_LIMIT_SCALE_DOWN_POLICY)
        say(&t, "as fast as the scale-down policies allow");
    else if (plan->limits & CORE_LIMIT_MAX_REPLICAS)
        say(&t, "maxReplicas");
    else if (plan->limits & CORE_LIMIT_SCHEDULED)
        say(&t, "not below the floor of schedule %s", spec->schedules[plan->schedule].name);
    else if (plan->limits & CORE_LIMIT_MIN_REPLICAS)
        say(&t, "minReplicas");
    if (plan->limits & CORE_LIMIT_HELD) {
        t = stage(plan, "Held", plan->rated);
        say(&t, "the forecast is likely to ask for %d within ", plan->ahead);
        say_seconds(&t, OUTLOOK_HOLD_S);
    }
    t = stage(plan, "Final", plan->replicas);
    if (plan->limits & CORE_LIMIT_CONTENTION)
        say(&t, "another writer keeps undoing our changes");
    else if (plan->limits & CORE_LIMIT_SHRINK_BUDGET)
        say(&t, "waiting: as many targets shrink at once as the operator lets");
    else if (plan->limits & CORE_LIMIT_NOT_ACTIVE)
        say(&t,
            spec->mode == CORE_SCALE_UP_ONLY && !spec->paused ? "ScaleUpOnly does not lower" : "shown, not applied");
}

/* ---- the sentence ---- */

static void say_cause(struct text *t, const struct core_spec *spec, const struct core_plan *plan)
{
    uint32_t metric = plan->metric >= 0 ? (uint32_t)plan->metric : 0;
    switch (plan->reason) {
    case CORE_REASON_WITHIN_TARGET:
    case CORE_REASON_METRIC_ABOVE_TARGET:
    case CORE_REASON_METRIC_BELOW_TARGET:
        if (plan->predicted > plan->reactive)
            say_forecast(t, spec, plan, metric);
        else
            say_metric(t, spec, plan, metric);
        break;
    case CORE_REASON_FORECAST_ABOVE_CAPACITY:
        say_forecast(t, spec, plan, metric);
        break;
    case CORE_REASON_TOO_FEW_REPLICAS:
        say(t, "the count is below minReplicas %d", spec->min_replicas);
        if (plan->limits & CORE_LIMIT_SCHEDULED)
            say(t, ", and schedule %s asks for at least %d", spec->schedules[plan->schedule].name, plan->scheduled);
        break;
    case CORE_REASON_TOO_MANY_REPLICAS:
        say(t, "the count is above maxReplicas %d", spec->max_replicas);
        break;
    case CORE_REASON_METRICS_MISSING:
        say_metric(t, spec, plan, plan->failed_metric >= 0 ? (uint32_t)plan->failed_metric : 0);
        say(t, ", and nothing is lowered while a metric is unknown");
        break;
    case CORE_REASON_CONTENDED:
        say(t, "another writer keeps undoing our changes of the replicas");
        if (plan->hold_off_s > 0)
            say(t, ", next write in %u s", plan->hold_off_s);
        else
            say(t, ", so nothing is lowered for now");
        break;
    case CORE_REASON_SCHEDULED:
        say(t, "schedule %s asks for at least %d", spec->schedules[plan->schedule].name, plan->scheduled);
        break;
    case CORE_REASON_FALLBACK:
        say_outage(t, spec, plan, metric);
        break;
    case CORE_REASON_ADVISED:
        say(t, "the advisor asks for %d, where the need is %d", plan->advised, plan->raw);
        break;
    case CORE_REASON_SCALING_DISABLED:
    case CORE_REASON_OFF:
    case CORE_N_REASONS:
        break;
    }
}

/* The one limit that shaped the count most. */
static void say_limit(struct text *t, const struct core_spec *spec, const struct core_plan *plan)
{
    unsigned limits = plan->stabilized >= 0 ? plan->limits : plan->limits & CORE_LIMIT_NOT_ACTIVE;
    if (limits & CORE_LIMIT_HELD) {
        say(t, "; %d would do now, but %d are likely to be needed within ", plan->limited, plan->ahead);
        say_seconds(t, OUTLOOK_HOLD_S);
    } else if (limits & CORE_LIMIT_SCALE_UP_POLICY) {
        say(t, "; need is %d, the scale-up policies allow %d now", plan->stabilized, plan->rated);
    } else if (limits & CORE_LIMIT_SCALE_DOWN_POLICY) {
        say(t, "; need is %d, the scale-down policies allow %d now", plan->stabilized, plan->rated);
    } else if (limits & CORE_LIMIT_MAX_REPLICAS) {
        say(t, "; need is %d, maxReplicas is %d", plan->stabilized, spec->max_replicas);
    } else if (limits & CORE_LIMIT_SCHEDULED) {
        say(t, "; need is %d, schedule %s asks for at least %d", plan->raw, spec->schedules[plan->schedule].name,
            plan->scheduled);
    } else if (limits & CORE_LIMIT_MIN_REPLICAS) {
        say(t, "; need is %d, minReplicas is %d", plan->stabilized, spec->min_replicas);
    } else if (limits & CORE_LIMIT_STABILIZED_DOWN) {
        say(t, "; need is %d, but the highest need of the last ", plan->raw);
        say_seconds(t, plan->down_window_s);
        say(t, " was %d", plan->stabilized);
    } else if (limits & CORE_LIMIT_STABILIZED_UP) {
        say(t, "; need is %d, but the lowest need of the last ", plan->raw);
        say_seconds(t, spec->up.stabilization_s);
        say(t, " was %d", plan->stabilized);
    } else if (limits & CORE_LIMIT_TOLERANCE) {
        say(t, ": inside the tolerance");
    } else if (limits & CORE_LIMIT_NOT_ACTIVE && plan->replicas == plan->current) {
        say(t, "; mode ScaleUpOnly does not lower to %d", plan->rated);
    } else if (limits & CORE_LIMIT_UNTRUSTED) {
        say(t, "; the forecast asks for %d, but is not trusted", plan->untrusted);
    }
}

void core_explain(const struct core_spec *spec, struct core_plan *plan)
{
    stages(spec, plan);
    struct text t = TEXT(plan->message);
    if (plan->reason == CORE_REASON_OFF) {
        say(&t, "Mode is Off: nothing is evaluated.");
        return;
    }
    if (plan->reason == CORE_REASON_SCALING_DISABLED) {
        say(&t, "The replicas were set to 0 by hand: scaling is off until someone sets them above 0.");
        return;
    }
    const char *verb = plan->direction == CORE_UP ? "up" : "down";
    if (plan->direction == CORE_HOLD)
        say(&t, "Holding %d: ", plan->current);
    else if (plan->limits & CORE_LIMIT_NOT_ACTIVE)
        say(&t, "Would scale %s %d -> %d (%s): ", verb, plan->current, plan->replicas,
            spec->paused ? "paused" : "mode Recommend");
    else if (!plan->write)
        say(&t, "Waiting to scale %s %d -> %d: ", verb, plan->current, plan->replicas);
    else
        say(&t, "Scaling %s %d -> %d: ", verb, plan->current, plan->replicas);
    say_cause(&t, spec, plan);
    if (plan->reason != CORE_REASON_SCHEDULED)
        say_limit(&t, spec, plan);
    if (plan->limits & CORE_LIMIT_SHRINK_BUDGET)
        say(&t, "; as many targets shrink at once as the operator lets");
    say(&t, ".");
}

void core_rescale_reason(const struct core_spec *spec, const struct core_plan *plan, char *out, size_t cap)
{
    struct text t = {.data = out, .cap = cap};
    const char *metric = plan->metric >= 0 ? spec->metrics[plan->metric].name : "";
    if (plan->reason == CORE_REASON_SCHEDULED)
        say(&t, "schedule %s", spec->schedules[plan->schedule].name);
    else if (plan->stabilized < 0)
        say(&t, "Current number of replicas %s",
            plan->direction == CORE_DOWN ? "above Spec.MaxReplicas" : "below Spec.MinReplicas");
    else if (plan->reason == CORE_REASON_ADVISED)
        say(&t, "advisor");
    else if (plan->raw < plan->current)
        say(&t, "All metrics below target");
    else if (plan->reason == CORE_REASON_FALLBACK)
        say(&t, "%s unknown, its fallback", metric);
    else if (plan->predicted > plan->reactive)
        say(&t, "%s forecast above capacity", metric);
    else
        say(&t, "%s above target", metric);
}

/* ---- conditions ---- */

static void condition(struct core_condition *out, bool status, const char *reason, const char *message)
{
    struct text t = TEXT(out->message);
    out->known = true;
    out->status = status;
    out->reason = reason;
    say(&t, "%s", message);
}

static void unknown(struct core_condition *out)
{
    *out = (struct core_condition){.known = false, .reason = ""};
}

void core_condition_able_to_scale(const struct core_plan *plan, struct core_condition *out)
{
    unknown(out);
    if (plan->reason == CORE_REASON_OFF)
        return;
    if (plan->stabilized < 0)
        condition(out, true, "SucceededGetScale", "the target's current scale was read");
    else if (plan->limits & CORE_LIMIT_STABILIZED_DOWN)
        condition(out, true, "ScaleDownStabilized",
                  "recent recommendations were higher than current one, applying the highest recent "
                  "recommendation");
    else if (plan->limits & CORE_LIMIT_STABILIZED_UP)
        condition(out, true, "ScaleUpStabilized",
                  "recent recommendations were lower than current one, applying the lowest recent recommendation");
    else
        condition(out, true, "ReadyForNewScale", "recommended size matches current size");
}

void core_condition_rescaled(const struct core_plan *plan, const char *failure, struct core_condition *out)
{
    unknown(out);
    condition(out, failure == NULL, failure ? "FailedUpdateScale" : "SucceededRescale", "");
    struct text t = TEXT(out->message);
    if (failure)
        say(&t, "the target scale could not be updated: %s", failure);
    else
        say(&t, "the target scale was updated to %d", plan->replicas);
}

static const char *failed_get(enum core_metric_source source)
{
    switch (source) {
    case CORE_SOURCE_RESOURCE:
        return "FailedGetResourceMetric";
    case CORE_SOURCE_CONTAINER_RESOURCE:
        return "FailedGetContainerResourceMetric";
    case CORE_SOURCE_PODS:
        return "FailedGetPodsMetric";
    case CORE_SOURCE_OBJECT:
        return "FailedGetObjectMetric";
    case CORE_SOURCE_EXTERNAL:
        return "FailedGetExternalMetric";
    case CORE_SOURCE_PROMETHEUS:
        return "FailedGetPrometheusMetric";
    }
    return "InvalidMetricSourceType";
}

void core_condition_scaling_active(const struct core_spec *spec, const struct core_plan *plan, const char *detail,
                                   struct core_condition *out)
{
    unknown(out);
    bool snapped = plan->reason == CORE_REASON_TOO_FEW_REPLICAS || plan->reason == CORE_REASON_TOO_MANY_REPLICAS;
    if (plan->reason == CORE_REASON_OFF || snapped)
        return;
    struct text t = TEXT(out->message);
    if (plan->reason == CORE_REASON_SCALING_DISABLED) {
        condition(out, false, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero");
    } else if (plan->scaling_active) {
        uint32_t metric = plan->metric >= 0 ? (uint32_t)plan->metric : 0;
        condition(out, true, "ValidMetricFound", "");
        say(&t, "a replica count was calculated from %s", spec->metrics[metric].name);
    } else if (plan->failed_metric >= 0) {
        const struct core_metric_spec *metric = &spec->metrics[plan->failed_metric];
        condition(out, false, failed_get(metric->source), "");
        say(&t, "unable to compute the replica count: %s: %s%s%s", metric->name,
            core_problem_text(plan->metrics[plan->failed_metric].problem), detail ? ": " : "", detail ? detail : "");
    }
}

void core_condition_scaling_limited(const struct core_spec *spec, const struct core_plan *plan,
                                    struct core_condition *out)
{
    unknown(out);
    if (plan->stabilized < 0)
        return;
    bool scheduled = plan->limits & CORE_LIMIT_SCHEDULED;
    /* From zero, a minimum that was raised meanwhile: with a behavior the HPA goes there after it has said this. */
    bool raised = spec->behavior && plan->current == 0 && !scheduled &&
                  !(plan->limits & (CORE_LIMIT_SCALE_UP_POLICY | CORE_LIMIT_MAX_REPLICAS));
    /* Held back by a policy, and then raised to the minimum all the same, which may be just the stabilised count. */
    bool held = plan->limits & CORE_LIMIT_SCALE_UP_POLICY;
    if ((plan->rated == plan->stabilized && !scheduled && !held) || raised)
        condition(out, false, "DesiredWithinRange", "the desired count is within the acceptable range");
    else if (plan->limits & CORE_LIMIT_SCALE_UP_POLICY)
        condition(out, true, "ScaleUpLimit",
                  "the desired replica count is increasing faster than the maximum scale rate");
    else if (plan->limits & CORE_LIMIT_SCALE_DOWN_POLICY)
        condition(out, true, "ScaleDownLimit",
                  "the desired replica count is decreasing faster than the maximum scale rate");
    else if (plan->limits & CORE_LIMIT_MAX_REPLICAS)
        condition(out, true, "TooManyReplicas", "the desired replica count is more than the maximum replica count");
    else
        condition(out, true, "TooFewReplicas",
                  plan->limits & CORE_LIMIT_SCHEDULED
                      ? "the desired replica count is less than the floor of a schedule"
                      : "the desired replica count is less than the minimum replica count");
}

void core_condition_fallback(const struct core_spec *spec, const struct core_plan *plan, struct core_condition *out)
{
    unknown(out);
    if (plan->reason == CORE_REASON_OFF)
        return;
    bool any = false;
    for (uint32_t i = 0; i < spec->n_metrics; i++)
        any |= spec->metrics[i].fallback.after_s > 0;
    if (!any) {
        condition(out, false, "NoFallback", "no metric has a fallback");
    } else if (plan->fallback < 0) {
        condition(out, false, "MetricsAvailable", "no metric with a fallback has been unknown for long enough");
    } else {
        /* Without how long: the message of a lasting condition must not change at each sync. */
        condition(out, true, "MetricUnavailable", "");
        struct text t = TEXT(out->message);
        uint32_t metric = fallen_back_metric(plan);
        say_metric(&t, spec, plan, metric);
        say(&t, " for at least ");
        say_seconds(&t, spec->metrics[metric].fallback.after_s);
        say(&t, ": its fallback is %d", plan->metrics[metric].fallback);
    }
}
