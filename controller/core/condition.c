/* The conditions of an HPA, and ours; see condition.h. */
#include "core/condition.h"

#include "core/words.h"

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

void core_condition_anomaly(const struct core_spec *spec, const struct core_plan *plan, struct core_condition *out)
{
    static const char *const doing[] = {
        [ANOMALY_OFF] = "",
        [ANOMALY_EXCLUDE_SAMPLES] = "the forecast does not learn from it",
        [ANOMALY_HOLD_SCALE_DOWN] =
            "the forecast does not learn from it, and nothing is lowered for at most 30 minutes",
        [ANOMALY_REACTIVE_ONLY] =
            "the forecast does not learn from it, and does not raise replicas for at most 30 minutes",
    };
    unknown(out);
    if (plan->reason == CORE_REASON_OFF)
        return;
    bool any = false;
    for (uint32_t i = 0; i < spec->n_metrics; i++)
        any |= spec->metrics[i].forecast;
    if (spec->anomaly.mode == ANOMALY_OFF) {
        condition(out, false, "NotWatched", "spec.anomaly.mode is Off");
    } else if (!any) {
        condition(out, false, "NotWatched", "no metric is forecast, and only what is forecast is looked at");
    } else if (!plan->anomaly.is_anomaly) {
        condition(out, false, "NoAnomaly", "the demand is like what is remembered");
    } else {
        condition(out, true, "Anomaly", "");
        struct text t = TEXT(out->message);
        say(&t, "the demand is unlike what is remembered (severity %s): %s",
            anomaly_severity_names[plan->anomaly.severity], doing[spec->anomaly.mode]);
    }
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
