/* The words and numbers that are sent; see prompt.h. */
#include "advisor/prompt.h"

#include "kube/json.h"

const char *prompt_system(void)
{
    return "You advise an autoscaler of a Kubernetes workload. You get one JSON object with numbers about it. A "
           "deterministic controller has computed needReplicas, which is enough for the demand that it knows of; you "
           "may "
           "ask for more pods when the numbers show a risk that it does not weigh: an anomaly, a forecast that lost "
           "trust, "
           "steep growth, pods that can't be scheduled, a need near the maximum. Without such a risk ask for "
           "needReplicas. More pods cost money; a few too many are cheap, too few lose requests.\n"
           "Answer with one JSON object and nothing else: {\"action\": \"scale_up\", \"scale_down\" or \"maintain\", "
           "as "
           "target_replicas compares with currentReplicas; \"target_replicas\": integer between minReplicas and "
           "maxReplicas; \"confidence\": number from 0 to 1; \"reasoning\": one or two short sentences; "
           "\"risk_assessment\": \"low\", \"medium\" or \"high\"; \"cost_impact\": \"low\", \"medium\" or \"high\"; "
           "\"recommended_timing\": \"immediate\", \"gradual\" or \"scheduled\"}.";
}

static const char *side_name(enum advice_side side)
{
    return side == ADVICE_ABOVE_TARGET ? "above" : side == ADVICE_BELOW_TARGET ? "below" : "within tolerance";
}

static void emit_known(struct json_emit *j, const char *key, int32_t value)
{
    if (value >= 0)
        json_emit_int(j, key, value);
}

void prompt_situation(const struct advice_situation *s, bool shrink, struct buf *out)
{
    static const char *const anomalies[] = {"none", "low", "medium", "high"};
    struct json_emit j = json_emit(out);
    json_open(&j, NULL, '{');
    json_emit_str(&j, "why", advice_trigger_name(s->trigger));
    json_emit_int(&j, "currentReplicas", s->current);
    json_emit_int(&j, "minReplicas", s->min);
    json_emit_int(&j, "maxReplicas", s->max);
    json_emit_int(&j, "needReplicas", s->need);
    emit_known(&j, "usagePercentOfTarget", s->usage_percent);
    if (!shrink) {
        emit_known(&j, "reactiveReplicas", s->reactive);
        emit_known(&j, "predictedReplicas", s->predicted);
        json_emit_str(&j, "usageIs", side_name(s->side));
        emit_known(&j, "forecastPeakPercentOfPresentDemand", s->peak_percent);
        if (s->growth_percent != -1)
            json_emit_int(&j, "demandGrowthPercentInLastHalfHour", s->growth_percent);
        emit_known(&j, "forecastErrorPercent", s->error_percent);
        json_emit_bool(&j, "forecastTrusted", s->trusted);
        json_emit_str(&j, "anomaly", anomalies[MIN(s->anomaly, 3U)]);
        json_emit_int(&j, "unschedulablePods", s->unschedulable);
        json_emit_int(&j, "secondsUntilANewPodServes", s->lead_s);
    }
    json_close(&j, '}');
}
