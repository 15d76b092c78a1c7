/* Plans in words. */
#include "core/explain.h"

#include "core/outlook.h"
#include "core/words.h"

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
    [CORE_REASON_ADVICE_ENDED] = "AdviceEnded",
};
static const char *const limit_names[CORE_N_LIMITS] = {
    "Tolerance",      "ScaleUpStabilized", "ScaleDownStabilized", "ScaleUpLimit", "ScaleDownLimit",
    "TooFewReplicas", "TooManyReplicas",   "MissingMetrics",      "NotActive",    "Contention",
    "Untrusted",      "Scheduled",         "GlobalShrinkBudget",  "Held",         "Anomaly",
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

/* "the demand has been odd for 12 min (severity high)" */
static void say_anomaly(struct text *t, const struct core_plan *plan)
{
    const struct watch_finding *f = &plan->anomaly;
    say(t, "the demand has been odd for ");
    say_seconds(t, (uint32_t)MAX(0, MIN((plan->time_us - f->since_us) / 1000000, UINT32_MAX / 2)));
    say(t, " (severity %s)", anomaly_severity_names[f->severity]);
}

/* The forecast has nothing against the reduction: it is what the scale-down window leaves of it that is too small. */
static bool held_by_window(const struct core_plan *plan)
{
    int32_t count = plan->without >= 0 ? plan->without : plan->current;
    return plan->rated >= count && !outlook_nearly(count, plan->ahead);
}

static void stage_held(struct core_plan *plan)
{
    struct text t = stage(plan, "Held", plan->rated);
    if (held_by_window(plan)) {
        say(&t, "the scale-down window still asks for %d: too little to change the count for", plan->stabilized);
        return;
    }
    say(&t, "the forecast is likely to ask for %d within ", plan->ahead);
    say_seconds(&t, OUTLOOK_HOLD_S);
}

static void stages(const struct core_spec *spec, struct core_plan *plan)
{
    plan->n_stages = 0;
    struct text t = stage(plan, "Current", plan->current);
    say(&t, "%u pods ready, %u without a sample, %u not counted", plan->pods_ready, plan->pods_missing,
        plan->pods_ignored);
    if (plan->without >= 0 && plan->without < plan->current) {
        t = stage(plan, "Lent", plan->without);
        say(&t, "would run without the %d that advice has added: need and tolerance are reckoned from here",
            plan->current - plan->without);
    }
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
    if (plan->limits & CORE_LIMIT_HELD)
        stage_held(plan);
    if (plan->anomaly.is_anomaly) {
        t = stage(plan, "Anomaly",
                  plan->anomaly.sets_aside && plan->set_aside >= 0 ? plan->set_aside
                  : plan->limits & CORE_LIMIT_ANOMALY              ? plan->current
                                                                   : plan->rated);
        say_anomaly(&t, plan);
        if (plan->anomaly.holds)
            say(&t, ": scale-down is held");
        else if (plan->anomaly.sets_aside)
            say(&t, ": the forecast is set aside");
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
    case CORE_REASON_ADVICE_ENDED:
        say(t, "advice that is over has added %d to the %d that would run without it", plan->current - plan->without,
            plan->without);
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
    unsigned limits = plan->stabilized >= 0 ? plan->limits : 0;
    if (limits & CORE_LIMIT_HELD && held_by_window(plan)) {
        say(t, "; the scale-down window still asks for %d, too little to change the count for", plan->stabilized);
    } else if (limits & CORE_LIMIT_HELD) {
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
    } else if (limits & CORE_LIMIT_STABILIZED_DOWN && plan->reason == CORE_REASON_ADVICE_ENDED) {
        say(t, "; they go ");
        say_seconds(t, plan->down_window_s);
        say(t, " after its end");
    } else if (limits & CORE_LIMIT_STABILIZED_DOWN) {
        say(t, "; need is %d, but the highest need of the last ", plan->raw);
        say_seconds(t, plan->down_window_s);
        say(t, " was %d", plan->stabilized);
    } else if (limits & CORE_LIMIT_STABILIZED_UP) {
        say(t, "; need is %d, but the lowest need of the last ", plan->raw);
        say_seconds(t, spec->up.stabilization_s);
        say(t, " was %d", plan->stabilized);
    } else if (limits & CORE_LIMIT_TOLERANCE && plan->reason != CORE_REASON_ADVISED &&
               plan->reason != CORE_REASON_ADVICE_ENDED) {
        say(t, ": inside the tolerance");
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
    if (plan->limits & CORE_LIMIT_NOT_ACTIVE && plan->direction == CORE_HOLD)
        say(&t, "; mode ScaleUpOnly does not lower to %d", plan->rated);
    if (plan->limits & CORE_LIMIT_SHRINK_BUDGET)
        say(&t, "; as many targets shrink at once as the operator lets");
    if (plan->limits & CORE_LIMIT_ANOMALY) {
        say(&t, "; ");
        say_anomaly(&t, plan);
        if (plan->set_aside >= 0)
            say(&t, ", so the forecast of %d is set aside", plan->set_aside);
        else
            say(&t, ", so nothing is lowered for now");
    }
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
    else if (plan->reason == CORE_REASON_ADVICE_ENDED)
        say(&t, "advice ended");
    else if (plan->raw < plan->current)
        say(&t, "All metrics below target");
    else if (plan->reason == CORE_REASON_FALLBACK)
        say(&t, "%s unknown, its fallback", metric);
    else if (plan->predicted > plan->reactive)
        say(&t, "%s forecast above capacity", metric);
    else
        say(&t, "%s above target", metric);
}
