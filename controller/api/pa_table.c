/* The table of PredictiveAutoscaler's spec: every field once, with what people read about it, and every rule with its
 * expression for the API server beside its C twin. Order is that of the documentation. */
#include "api/pa.h"
#include "api/pa_rules.h"
#include "api/status.h"

/* Quantities that scaling computes with. 1E is far above any pod and far below what the arithmetic holds. */
static const struct schema_quantity_bounds amount = {.min = "0", .max = "1E", .above_min = true};
static const struct schema_quantity_bounds share = {.min = "0", .max = "1"};

/* ---- scaleTargetRef ---- */

static const struct schema_field target_fields[] = {
    {.name = "apiVersion",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 127,
     .format = &schema_api_version,
     .doc = "API group and version of the target, such as apps/v1.",
     AT(pa_target_ref, api_version)},
    {.name = "kind",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 63,
     .format = &schema_kind,
     .doc = "Kind of the target, such as Deployment or StatefulSet.",
     AT(pa_target_ref, kind)},
    {.name = "name",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 253,
     .format = &schema_dns_subdomain,
     .doc = "Name of the target, in the namespace of this object.",
     AT(pa_target_ref, name)},
};
static const struct schema_rule target_rules[] = {
    {.cel = "self == oldSelf",
     .message = "can't be changed: delete this object and create another for the other target",
     .holds_update = pa_target_unchanged},
    {.cel = "self.apiVersion.contains('/') || self.kind == 'ReplicationController'",
     .message = "must name group and version: a Deployment or StatefulSet is apps/v1",
     .path = ".apiVersion",
     .holds = pa_target_has_group},
    {.cel = "!((self.apiVersion + '/' + self.kind) in ['apps/v1/DaemonSet', 'batch/v1/Job', 'batch/v1/CronJob', "
            "'autoscaling/v2/HorizontalPodAutoscaler', 'ai4k8s.io/v1alpha1/PredictiveAutoscaler'])",
     .message = "has no replicas to scale: name a kind with a scale subresource, such as Deployment or StatefulSet",
     .path = ".kind",
     .holds = pa_target_is_scalable},
};
static const struct schema_object target = SCHEMA_OBJECT_RULED(target_fields, target_rules);

/* ---- metrics ---- */

static const char *const target_types[] = {"Utilization", "AverageValue", NULL};
static const struct schema_field metric_target_fields[] = {
    {.name = "type",
     .type = SCHEMA_ENUM,
     .required = true,
     .values = target_types,
     .doc = "Utilization: the mean over the pods, in percent of what they request. AverageValue: the mean over the pods "
            "as a quantity.",
     AT(pa_metric_target, type)},
    {.name = "averageUtilization",
     .type = SCHEMA_INT32,
     .exact = true,
     .min = 1,
     .max = 1000,
     .doc = "Percent of the request that a pod should use on average. For type Utilization, and required there.",
     OPT(pa_metric_target, average_utilization)},
    {.name = "averageValue",
     .type = SCHEMA_QUANTITY,
     .bounds = &amount,
     .doc = "What a pod should use on average, such as 500m (cores) or 512Mi (bytes). For type AverageValue, and required "
            "there.",
     OPT(pa_metric_target, average_value)},
};
static const struct schema_rule metric_target_rules[] = {
    {.cel = "(self.type == 'Utilization') == has(self.averageUtilization)",
     .message = "is required when type is Utilization, and only then",
     .path = ".averageUtilization",
     .holds = pa_target_utilization_fits},
    {.cel = "(self.type == 'AverageValue') == has(self.averageValue)",
     .message = "is required when type is AverageValue, and only then",
     .path = ".averageValue",
     .holds = pa_target_value_fits},
};
static const struct schema_object metric_target = SCHEMA_OBJECT_RULED(metric_target_fields, metric_target_rules);

static const char *const resource_names[] = {"cpu", "memory", NULL};
static const struct schema_field resource_fields[] = {
    {.name = "name",
     .type = SCHEMA_ENUM,
     .required = true,
     .values = resource_names,
     .doc = "Which resource of the pods, as metrics.k8s.io measures it. Only cpu is forecast: memory does not fall when "
            "pods are added, so a forecast of it would say nothing about replicas.",
     AT(pa_metric_resource, name)},
    {.name = "target",
     .type = SCHEMA_OBJECT,
     .required = true,
     .object = &metric_target,
     .doc = "What the replicas are chosen for: the metric's mean over the pods is kept near this.",
     AT(pa_metric_resource, target)},
};
static const struct schema_object resource = SCHEMA_OBJECT_OF(resource_fields);

static const char *const metric_types[] = {"Resource", NULL};
static const struct schema_field metric_fields[] = {
    {.name = "name",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 63,
     .format = &schema_dns_label,
     .doc = "Name of the metric in this list, in status and in messages. Its history is kept under this name.",
     AT(pa_metric, name)},
    {.name = "type",
     .type = SCHEMA_ENUM,
     .required = true,
     .values = metric_types,
     .doc = "Where the numbers come from. Resource: CPU or memory of the target's pods.",
     AT(pa_metric, type)},
    {.name = "resource",
     .type = SCHEMA_OBJECT,
     .object = &resource,
     .doc = "A resource of the pods that is known from their containers' requests. For type Resource, and required there.",
     OPT(pa_metric, resource)},
    {.name = "forecast",
     .type = SCHEMA_BOOL,
     .doc = "Whether the demand behind this metric is forecast, so that replicas are raised before it comes. At most 4 "
            "metrics can be. Default: true for cpu, false for memory (which can't be).",
     OPT(pa_metric, forecast)},
    {.name = "capacityPerPod",
     .type = SCHEMA_QUANTITY,
     .bounds = &amount,
     .doc = "What one pod can serve at most, in the unit of the metric (cores for cpu). Predicted replicas are the forecast "
            "demand over this. Unset: for Utilization the larger of the target and the pod's limit (100 % of the request "
            "without a limit), for AverageValue the target over 0.7.",
     OPT(pa_metric, capacity_per_pod)},
};
static const struct schema_rule metric_rules[] = {
    {.cel = "(self.type == 'Resource') == has(self.resource)",
     .message = "is required when type is Resource, and only then",
     .path = ".resource",
     .holds = pa_metric_member_fits},
    {.cel = "!(has(self.forecast) && self.forecast && has(self.resource) && self.resource.name == 'memory')",
     .message = "must be false for memory, which does not fall when pods are added",
     .path = ".forecast",
     .holds = pa_metric_memory_not_forecast},
    {.cel = "!(has(self.capacityPerPod) && has(self.resource) && self.resource.name == 'memory')",
     .message = "is for metrics that are forecast, and memory is not",
     .path = ".capacityPerPod",
     .holds = pa_metric_memory_no_capacity},
    {.cel = "!has(self.capacityPerPod) || !has(self.resource) || !has(self.resource.target.averageValue) || "
            "quantity(string(self.capacityPerPod)).compareTo(quantity(string(self.resource.target.averageValue))) >= 0",
     .message = "must be >= resource.target.averageValue: a pod can serve at least what the target gives it",
     .path = ".capacityPerPod",
     .holds = pa_metric_capacity_fits},
};
static const struct schema_object metric = SCHEMA_OBJECT_RULED(metric_fields, metric_rules);
static const struct schema_field metric_item = {.type = SCHEMA_OBJECT, .object = &metric, .doc = "One metric."};

/* ---- behavior ---- */

static const char *const policy_types[] = {"Pods", "Percent", NULL};
static const struct schema_field policy_fields[] = {
    {.name = "type",
     .type = SCHEMA_ENUM,
     .required = true,
     .values = policy_types,
     .doc = "Pods: an absolute number. Percent: of the replicas at the start of the period.",
     AT(pa_policy, type)},
    {.name = "value",
     .type = SCHEMA_INT32,
     .required = true,
     .min = 1,
     .max = 100000,
     .doc = "How many pods, or how many percent, may be added or removed per period.",
     AT(pa_policy, value)},
    {.name = "periodSeconds",
     .type = SCHEMA_INT32,
     .required = true,
     .min = 1,
     .max = 1800,
     .doc = "The window of time for which the policy holds, in seconds.",
     AT(pa_policy, period_s)},
};
static const struct schema_object policy = SCHEMA_OBJECT_OF(policy_fields);
static const struct schema_field policy_item = {.type = SCHEMA_OBJECT, .object = &policy, .doc = "One policy."};

static const char *const selects[] = {"Max", "Min", "Disabled", NULL};
/* Both directions have the same fields; two defaults differ. */
#define RULE_FIELDS(window, policies_json)                                                                             \
    {                                                                                                                  \
        {.name = "stabilizationWindowSeconds",                                                                         \
         .type = SCHEMA_INT32,                                                                                         \
         .fallback = (window),                                                                                         \
         .max = 3600,                                                                                                  \
         .doc = "How far back, in seconds, earlier recommendations count: the smoothest of them is taken (the lowest "  \
                "for scaling up, the highest for scaling down).",                                                      \
         AT(pa_rules, stabilization_window_s)},                                                                        \
            {.name = "tolerance",                                                                                      \
             .type = SCHEMA_QUANTITY,                                                                                  \
             .fallback = "\"0.1\"",                                                                                    \
             .bounds = &share,                                                                                         \
             .doc = "How far a metric may be from its target, as a share of it, before anything is done.",             \
             AT(pa_rules, tolerance)},                                                                                 \
            {.name = "selectPolicy",                                                                                   \
             .type = SCHEMA_ENUM,                                                                                      \
             .fallback = "\"Max\"",                                                                                    \
             .values = selects,                                                                                        \
             .doc = "Which policy counts when there are several: the one that allows the most change (Max) or the "    \
                    "least (Min). Disabled forbids scaling in this direction.",                                        \
             AT(pa_rules, select_policy)},                                                                             \
        {                                                                                                              \
            .name = "policies", .type = SCHEMA_LIST, .item = &policy_item, .fallback = (policies_json), .min = 1,      \
            .max = PA_MAX_POLICIES, .doc = "How much may change in one period.", LIST(pa_rules, policies)              \
        }                                                                                                              \
    }
static const struct schema_field up_fields[] =
    RULE_FIELDS("0", "[{\"type\":\"Pods\",\"value\":4,\"periodSeconds\":15},{\"type\":\"Percent\",\"value\":100,"
                     "\"periodSeconds\":15}]");
static const struct schema_field down_fields[] =
    RULE_FIELDS("300", "[{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]");
static const struct schema_object up = SCHEMA_OBJECT_OF(up_fields);
static const struct schema_object down = SCHEMA_OBJECT_OF(down_fields);

static const struct schema_field behavior_fields[] = {
    {.name = "scaleUp",
     .type = SCHEMA_OBJECT,
     .object = &up,
     .fallback = "{}",
     .doc = "Limits for raising replicas.",
     AT(pa_behavior, up)},
    {.name = "scaleDown",
     .type = SCHEMA_OBJECT,
     .object = &down,
     .fallback = "{}",
     .doc = "Limits for lowering replicas.",
     AT(pa_behavior, down)},
};
static const struct schema_object behavior = SCHEMA_OBJECT_OF(behavior_fields);

/* ---- prediction ---- */

static const char *const season_modes[] = {"Auto", "Fixed", "None", NULL};
static const struct schema_field period_item = {
    .type = SCHEMA_INT32, .min = 20, .max = 604800, .exact = true, .doc = "One period, in seconds."};
static const struct schema_field seasonality_fields[] = {
    {.name = "mode",
     .type = SCHEMA_ENUM,
     .fallback = "\"Auto\"",
     .values = season_modes,
     .doc = "Auto: a day as soon as the history shows one, a week from two weeks of history. Fixed: the periods below. "
            "None: level and trend only.",
     AT(pa_seasonality, mode)},
    {.name = "periodsSeconds",
     .type = SCHEMA_LIST,
     .item = &period_item,
     .list = SCHEMA_SET,
     .min = 1,
     .max = PA_MAX_PERIODS,
     .doc = "Lengths of the seasons in seconds, such as 86400. For mode Fixed, and required there. Multiples of "
            "sampleIntervalSeconds, from two of it to half of historySeconds.",
     LIST(pa_seasonality, periods_s)},
};
static const struct schema_rule seasonality_rules[] = {
    {.cel = "(self.mode == 'Fixed') == has(self.periodsSeconds)",
     .message = "is required when mode is Fixed, and only then",
     .path = ".periodsSeconds",
     .holds = pa_seasonality_fits},
};
static const struct schema_object seasonality = SCHEMA_OBJECT_RULED(seasonality_fields, seasonality_rules);

static const struct schema_field gate_fields[] = {
    {.name = "maxErrorPercent",
     .type = SCHEMA_INT32,
     .fallback = "30",
     .min = 1,
     .max = 100,
     .doc = "The largest mean error, in percent of the mean demand, of a forecast that is trusted.",
     AT(pa_quality_gate, max_error_percent)},
    {.name = "minCoveragePercent",
     .type = SCHEMA_INT32,
     .fallback = "85",
     .exact = true,
     .max = 99,
     .doc = "The smallest share of windows, in percent, in which demand stayed below the bound that drives scaling. At most "
            "confidencePercent.",
     AT(pa_quality_gate, min_coverage_percent)},
};
static const struct schema_object gate = SCHEMA_OBJECT_OF(gate_fields);

static const struct schema_field prediction_fields[] = {
    {.name = "historySeconds",
     .type = SCHEMA_INT32,
     .fallback = "604800",
     .exact = true,
     .min = 3600,
     .max = 1209600,
     .doc = "How much history the forecast learns from, in seconds: 12 to 4032 samples. Two weeks show a weekly season.",
     AT(pa_prediction, history_s)},
    {.name = "sampleIntervalSeconds",
     .type = SCHEMA_INT32,
     .fallback = "300",
     .exact = true,
     .min = 10,
     .max = 3600,
     .doc = "Time between two samples of the history, in seconds. Not less than syncPeriodSeconds.",
     AT(pa_prediction, sample_interval_s)},
    {.name = "horizonSeconds",
     .type = SCHEMA_INT32,
     .fallback = "21600",
     .exact = true,
     .min = 10,
     .max = 1036800,
     .doc = "How far ahead status shows the forecast, in seconds: 1 to 288 samples. Scaling uses the part of it that "
            "leadTimeSeconds covers.",
     AT(pa_prediction, horizon_s)},
    {.name = "leadTimeSeconds",
     .type = SCHEMA_INT32,
     .exact = true,
     .min = 1,
     .max = 3600,
     .doc = "How long a new pod takes until it serves, in seconds: replicas are raised that much before the load. Unset: "
            "measured from the pods of the target (120 s until five starts were seen).",
     OPT(pa_prediction, lead_time_s)},
    {.name = "seasonality",
     .type = SCHEMA_OBJECT,
     .object = &seasonality,
     .fallback = "{}",
     .doc = "What repeats in the demand.",
     AT(pa_prediction, seasonality)},
    {.name = "confidencePercent",
     .type = SCHEMA_INT32,
     .fallback = "90",
     .exact = true,
     .min = 50,
     .max = 99,
     .doc = "How sure the forecast must be of its bound, in percent: 90 means that demand passes it once in ten windows. "
            "More gives more pods.",
     AT(pa_prediction, confidence_percent)},
    {.name = "minHistorySeconds",
     .type = SCHEMA_INT32,
     .fallback = "0",
     .exact = true,
     .max = 1209600,
     .doc = "No forecast is trusted before there is that much history, in seconds, however well it does.",
     AT(pa_prediction, min_history_s)},
    {.name = "qualityGate",
     .type = SCHEMA_OBJECT,
     .object = &gate,
     .fallback = "{}",
     .doc = "When a forecast is trusted. It is scored on its last 56 forecasts that came due; 12 good ones in a row earn "
            "trust, 3 bad ones lose it. Untrusted forecasts scale nothing.",
     AT(pa_prediction, quality_gate)},
};
static const struct schema_rule prediction_rules[] = {
    {.cel = "self.historySeconds >= 12 * self.sampleIntervalSeconds && "
            "self.historySeconds <= 4032 * self.sampleIntervalSeconds",
     .message = "must be 12 to 4032 samples of sampleIntervalSeconds",
     .expression = "'must be %d to %d: 12 to 4032 samples of sampleIntervalSeconds (%d)'.format("
                   "[12 * self.sampleIntervalSeconds, 4032 * self.sampleIntervalSeconds, self.sampleIntervalSeconds])",
     .path = ".historySeconds",
     .holds = pa_history_fits,
     .say = pa_history_say},
    {.cel = "self.horizonSeconds >= self.sampleIntervalSeconds && "
            "self.horizonSeconds <= 288 * self.sampleIntervalSeconds",
     .message = "must be 1 to 288 samples of sampleIntervalSeconds",
     .expression = "'must be %d to %d: 1 to 288 samples of sampleIntervalSeconds (%d)'.format("
                   "[self.sampleIntervalSeconds, 288 * self.sampleIntervalSeconds, self.sampleIntervalSeconds])",
     .path = ".horizonSeconds",
     .holds = pa_horizon_fits,
     .say = pa_horizon_say},
    {.cel = "self.horizonSeconds <= self.historySeconds",
     .message = "must be <= historySeconds",
     .expression = "'must be <= historySeconds (%d)'.format([self.historySeconds])",
     .path = ".horizonSeconds",
     .holds = pa_horizon_within_history,
     .say = pa_horizon_within_history_say},
    {.cel = "!has(self.leadTimeSeconds) || self.leadTimeSeconds <= self.horizonSeconds",
     .message = "must be <= horizonSeconds",
     .expression = "'must be <= horizonSeconds (%d)'.format([self.horizonSeconds])",
     .path = ".leadTimeSeconds",
     .holds = pa_lead_within_horizon,
     .say = pa_lead_within_horizon_say},
    {.cel = "self.minHistorySeconds <= self.historySeconds",
     .message = "must be <= historySeconds",
     .expression = "'must be <= historySeconds (%d)'.format([self.historySeconds])",
     .path = ".minHistorySeconds",
     .holds = pa_min_history_fits,
     .say = pa_min_history_say},
    {.cel = "self.qualityGate.minCoveragePercent <= self.confidencePercent",
     .message = "must be <= confidencePercent: that is what a good forecast covers, so this one would never be trusted",
     .expression = "'must be <= confidencePercent (%d): that is what a good forecast covers, so this one would never be "
                   "trusted'.format([self.confidencePercent])",
     .path = ".qualityGate.minCoveragePercent",
     .holds = pa_coverage_reachable,
     .say = pa_coverage_reachable_say},
    {.cel = "!has(self.seasonality.periodsSeconds) || self.seasonality.periodsSeconds.all(p, "
            "p % self.sampleIntervalSeconds == 0 && p >= 2 * self.sampleIntervalSeconds && p <= self.historySeconds / 2)",
     .message = "must be multiples of sampleIntervalSeconds, from two of it to half of historySeconds",
     .expression = "'must be multiples of sampleIntervalSeconds (%d), from %d to half of historySeconds (%d)'.format("
                   "[self.sampleIntervalSeconds, 2 * self.sampleIntervalSeconds, self.historySeconds / 2])",
     .path = ".seasonality.periodsSeconds",
     .holds = pa_periods_fit,
     .say = pa_periods_say},
};
static const struct schema_object prediction = SCHEMA_OBJECT_RULED(prediction_fields, prediction_rules);

/* ---- spec ---- */

static const char *const modes[] = {"Auto", "ScaleUpOnly", "Recommend", "Off", NULL};
static const char *const conflict_policies[] = {"Refuse", NULL};
static const struct schema_field spec_fields[] = {
    {.name = "scaleTargetRef",
     .type = SCHEMA_OBJECT,
     .required = true,
     .object = &target,
     .doc = "The workload to scale: any kind with a scale subresource, in the namespace of this object. It can't be "
            "changed later.",
     AT(pa_spec, scale_target_ref)},
    {.name = "minReplicas",
     .type = SCHEMA_INT32,
     .fallback = "1",
     .exact = true,
     .min = 1,
     .max = 100000,
     .doc = "The lower limit of replicas.",
     AT(pa_spec, min_replicas)},
    {.name = "maxReplicas",
     .type = SCHEMA_INT32,
     .required = true,
     .exact = true,
     .min = 1,
     .max = 100000,
     .doc = "The upper limit of replicas. Not less than minReplicas. Nothing passes it, no forecast either.",
     AT(pa_spec, max_replicas)},
    {.name = "mode",
     .type = SCHEMA_ENUM,
     .fallback = "\"Auto\"",
     .values = modes,
     .doc = "Auto: scales up and down. ScaleUpOnly: raises replicas and never lowers them. Recommend: shows in status what it "
            "would do, and changes nothing. \"Off\" (with quotes: YAML takes the bare word for a boolean): evaluates "
            "nothing. The annotation ai4k8s.io/paused: \"true\" acts as Recommend without a change of the spec.",
     AT(pa_spec, mode)},
    {.name = "syncPeriodSeconds",
     .type = SCHEMA_INT32,
     .fallback = "15",
     .exact = true,
     .min = 3,
     .max = 3600,
     .doc = "How often metrics are read and replicas decided, in seconds.",
     AT(pa_spec, sync_period_s)},
    {.name = "metrics",
     .type = SCHEMA_LIST,
     .item = &metric_item,
     .list = SCHEMA_MAP,
     .key = "name",
     .fallback = "[{\"name\":\"cpu\",\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":"
                 "\"Utilization\",\"averageUtilization\":70}}}]",
     .min = 1,
     .max = PA_MAX_METRICS,
     .doc = "What replicas are chosen by, as in a HorizontalPodAutoscaler: each metric proposes a number, the highest "
            "counts. Default when absent: cpu at 70 % of the request.",
     LIST(pa_spec, metrics)},
    {.name = "behavior",
     .type = SCHEMA_OBJECT,
     .object = &behavior,
     .doc = "How fast replicas may change in each direction, as in a HorizontalPodAutoscaler. Without it one step at most "
            "doubles the replicas (4 are always allowed), and scaling down waits for the highest need of the last 300 s.",
     OPT(pa_spec, behavior)},
    {.name = "prediction",
     .type = SCHEMA_OBJECT,
     .object = &prediction,
     .fallback = "{}",
     .doc = "How demand is forecast. A forecast that is trusted raises replicas before the load comes; it never lowers "
            "them.",
     AT(pa_spec, prediction)},
    {.name = "conflictPolicy",
     .type = SCHEMA_ENUM,
     .fallback = "\"Refuse\"",
     .values = conflict_policies,
     .doc = "What to do when another autoscaler owns the target. Refuse: write nothing, with condition Conflict, until it is "
            "gone.",
     AT(pa_spec, conflict_policy)},
};
static const struct schema_rule spec_rules[] = {
    {.cel = "self.minReplicas <= self.maxReplicas",
     .message = "must be >= minReplicas",
     .expression = "'must be >= minReplicas (%d)'.format([self.minReplicas])",
     .path = ".maxReplicas",
     .holds = pa_min_below_max,
     .say = pa_min_below_max_say},
    {.cel = "self.syncPeriodSeconds <= self.prediction.sampleIntervalSeconds",
     .message = "must be >= syncPeriodSeconds: a sample is the mean of what the syncs in it saw",
     .expression = "'must be >= syncPeriodSeconds (%d): a sample is the mean of what the syncs in it saw'.format("
                   "[self.syncPeriodSeconds])",
     .path = ".prediction.sampleIntervalSeconds",
     .holds = pa_sample_holds_sync,
     .say = pa_sample_holds_sync_say},
    {.cel = "self.metrics.filter(m, has(m.forecast) ? m.forecast : (has(m.resource) && m.resource.name == 'cpu'))"
            ".size() <= 4",
     .message = "at most 4 metrics can be forecast: set forecast to false on the others",
     .path = ".metrics",
     .holds = pa_metrics_forecast_few},
    {.cel = "self.metrics.all(a, !has(a.resource) || self.metrics.filter(b, has(b.resource) && "
            "b.resource.name == a.resource.name).size() == 1)",
     .message = "two metrics measure the same resource: keep the one with the target that counts",
     .path = ".metrics",
     .holds = pa_metrics_sources_differ},
};
static const struct schema_object spec = SCHEMA_OBJECT_RULED(spec_fields, spec_rules);

/* ---- the kind ---- */

#define CONDITION_STATUS(type) ".status.conditions[?(@.type==\"" type "\")].status"
static const struct schema_column columns[] = {
    {"Target", "string", ".spec.scaleTargetRef.name", "The workload that is scaled.", false},
    {"Min", "integer", ".spec.minReplicas", "The lower limit of replicas.", false},
    {"Max", "integer", ".spec.maxReplicas", "The upper limit of replicas.", false},
    {"Current", "integer", ".status.currentReplicas", "Replicas that the target has.", false},
    {"Desired", "integer", ".status.desiredReplicas", "Replicas that it should have.", false},
    {"Predicted", "integer", ".status.replicaProposals.predicted", "Replicas that the forecast asks for.", false},
    {"Mode", "string", ".spec.mode", "What the autoscaler may do.", false},
    {"Trusted", "string", CONDITION_STATUS("ForecastTrusted"), "Whether the forecast raises replicas.", false},
    {"Ready", "string", CONDITION_STATUS("Ready"), "Whether everything works.", false},
    {"Age", "date", ".metadata.creationTimestamp", "", false},
    {"Peak", "integer", ".status.forecast.peak.replicas", "Replicas for the highest demand that is forecast.", true},
    {"Reason", "string", ".status.lastDecision.reason", "Why the last decision was made.", true},
    {"Last-Scale", "date", ".status.lastScaleTime", "When replicas were last changed.", true},
};

const struct schema_resource pa_resource = {
    .kind = PA_KIND,
    .plural = "predictiveautoscalers",
    .singular = "predictiveautoscaler",
    .short_name = "pa",
    .doc = "A PredictiveAutoscaler scales a workload before its load arrives: as a HorizontalPodAutoscaler does, and higher "
           "where a forecast of the demand that has proved itself says so. Its status says what it saw, what it "
           "expects, and why it decided as it did.",
    .spec = &spec,
    .spec_doc = "What to scale, between which limits, by which metrics, and how to forecast.",
    .status = &pa_status_schema,
    .status_doc = "What was seen, what is expected, what was decided and why. Written by the operator.",
    .columns = columns,
    .n_columns = ARRAY_SIZE(columns),
};

/* The word of an enum; what is outside of it has none. */
const char *pa_mode_name(enum pa_mode mode)
{
    return (size_t)mode < ARRAY_SIZE(modes) - 1 ? modes[mode] : "?";
}
