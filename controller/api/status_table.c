/* The table of a PredictiveAutoscaler's status; see schema.h for the language and status.h for the structs.
 * `news` says which change is told at once, which now and then, and which never by itself. */
#include "api/pa.h"
#include "api/pa_tables.h"
#include "api/status.h"

/* ---- proposals and decision ---- */

static const struct schema_field proposal_fields[] = {
    {.name = "reactive",
     .type = SCHEMA_INT32,
     .doc = "What the metrics ask for now, as a HorizontalPodAutoscaler computes it.",
     OPT(pa_proposals, reactive)},
    {.name = "predicted",
     .type = SCHEMA_INT32,
     .doc = "What the forecast asks for within the lead time. Absent without a usable forecast.",
     OPT(pa_proposals, predicted)},
    {.name = "scheduled",
     .type = SCHEMA_INT32,
     .doc = "The floor of the schedules that are active. Absent when none is.",
     OPT(pa_proposals, scheduled)},
    {.name = "advisor",
     .type = SCHEMA_INT32,
     .doc = "What the advice in hand asks for, inside of what it may. Absent when there is none that fits.",
     OPT(pa_proposals, advisor)},
    {.name = "final",
     .type = SCHEMA_INT32,
     .doc = "What came out after stabilisation, policies and limits.",
     AT(pa_proposals, final)},
};
static const struct schema_object proposals = SCHEMA_OBJECT_OF(proposal_fields);

static const struct schema_field stage_fields[] = {
    {.name = "name", .type = SCHEMA_STRING, .max = 23, .doc = "Which step of the decision.", AT(pa_stage, name)},
    {.name = "replicas", .type = SCHEMA_INT32, .doc = "What it made of the number.", AT(pa_stage, replicas)},
    {.name = "note", .type = SCHEMA_STRING, .max = 120, .news = SCHEMA_SILENT, .doc = "Why.", AT(pa_stage, note)},
};
static const struct schema_object stage = SCHEMA_OBJECT_OF(stage_fields);
static const struct schema_field stage_item = {.type = SCHEMA_OBJECT, .object = &stage, .doc = "One step."};
static const struct schema_field limit_item = {.type = SCHEMA_STRING, .max = 31, .doc = "One limit."};

static const char *const directions[] = {"Hold", "Up", "Down", NULL};
static const struct schema_field decision_fields[] = {
    {.name = "time", .type = SCHEMA_TIME, .news = SCHEMA_SILENT, .doc = "When it was made.", AT(pa_decision, time_us)},
    {.name = "direction",
     .type = SCHEMA_ENUM,
     .values = directions,
     .doc = "Hold, Up or Down.",
     .news = SCHEMA_PROMPT,
     AT(pa_decision, direction)},
    {.name = "reason",
     .type = SCHEMA_STRING,
     .max = 63,
     .news = SCHEMA_PROMPT,
     .doc = "Why, in one word of a closed list.",
     AT(pa_decision, reason)},
    {.name = "metric",
     .type = SCHEMA_STRING,
     .max = 63,
     .doc = "The metric that decided. Absent when none did.",
     AT(pa_decision, metric)},
    {.name = "rawReplicas",
     .type = SCHEMA_INT32,
     .doc = "What was needed, before stabilisation, policies and limits.",
     AT(pa_decision, raw_replicas)},
    {.name = "limits",
     .type = SCHEMA_LIST,
     .item = &limit_item,
     .max = PA_STATUS_LIMITS,
     .news = SCHEMA_PROMPT,
     .doc = "What kept the decision from what was needed.",
     LIST(pa_decision, limits)},
    {.name = "stages",
     .type = SCHEMA_LIST,
     .item = &stage_item,
     .max = PA_STATUS_STAGES,
     .doc = "The decision step by step; `kubectl ai4k8s explain` shows it as a table.",
     LIST(pa_decision, stages)},
    {.name = "podsReady", .type = SCHEMA_INT32, .doc = "Pods that serve.", AT(pa_decision, pods_ready)},
    {.name = "podsMissingMetrics",
     .type = SCHEMA_INT32,
     .doc = "Pods without a measurement.",
     AT(pa_decision, pods_missing_metrics)},
    {.name = "message",
     .type = SCHEMA_STRING,
     .max = 512,
     .news = SCHEMA_SILENT,
     .doc = "The decision in one sentence.",
     AT(pa_decision, message)},
};
static const struct schema_object decision = SCHEMA_OBJECT_OF(decision_fields);

/* ---- metrics ---- */

static const struct schema_field value_fields[] = {
    {.name = "averageUtilization",
     .type = SCHEMA_INT32,
     .doc = "Mean over the pods, in percent of the request.",
     OPT(pa_metric_value, average_utilization)},
    {.name = "averageValue",
     .type = SCHEMA_QUANTITY,
     .doc = "Mean over the pods.",
     OPT(pa_metric_value, average_value)},
};
static const struct schema_object value = SCHEMA_OBJECT_OF(value_fields);
static const struct schema_field resource_fields[] = {
    {.name = "name", .type = SCHEMA_STRING, .max = 63, .doc = "cpu or memory.", AT(pa_resource_status, name)},
    {.name = "current",
     .type = SCHEMA_OBJECT,
     .object = &value,
     .doc = "What was measured.",
     AT(pa_resource_status, current)},
};
static const struct schema_object resource = SCHEMA_OBJECT_OF(resource_fields);
static const struct schema_field container_resource_fields[] = {
    {.name = "name", .type = SCHEMA_STRING, .max = 63, .doc = "cpu or memory.", AT(pa_resource_status, name)},
    {.name = "container",
     .type = SCHEMA_STRING,
     .max = 63,
     .doc = "The container of each pod.",
     AT(pa_resource_status, container)},
    {.name = "current",
     .type = SCHEMA_OBJECT,
     .object = &value,
     .doc = "What was measured.",
     AT(pa_resource_status, current)},
};
static const struct schema_object container_resource = SCHEMA_OBJECT_OF(container_resource_fields);
static const char *const states[] = {"Normal", "Stale", "Missing", "Fallback", NULL};
static const struct schema_field metric_fields[] = {
    {.name = "name", .type = SCHEMA_STRING, .max = 63, .doc = "Its name in spec.metrics.", AT(pa_metric_status, name)},
    {.name = "type", .type = SCHEMA_STRING, .max = 63, .doc = "Its type in spec.metrics.", AT(pa_metric_status, type)},
    {.name = "state",
     .type = SCHEMA_ENUM,
     .values = states,
     .doc = "Normal: measured. Stale: too old to be used. Missing: not measured, or too few pods were. "
            "Fallback: unknown for so long that its fallback counts.",
     AT(pa_metric_status, state)},
    {.name = "proposedReplicas",
     .type = SCHEMA_INT32,
     .doc = "What this metric alone asks for.",
     OPT(pa_metric_status, proposed_replicas)},
    {.name = "resource",
     .type = SCHEMA_OBJECT,
     .object = &resource,
     .doc = "The measurement of a Resource metric.",
     OPT(pa_metric_status, resource)},
    {.name = "containerResource",
     .type = SCHEMA_OBJECT,
     .object = &container_resource,
     .doc = "The measurement of a ContainerResource metric.",
     OPT(pa_metric_status, container_resource)},
};
static const struct schema_object metric = SCHEMA_OBJECT_OF(metric_fields);
static const struct schema_field metric_item = {.type = SCHEMA_OBJECT, .object = &metric, .doc = "One metric."};

/* ---- forecast ---- */

/* Points move on with the hour: their times are no news. */
static const char lower_doc[] = "Demand is hardly below this (5 % quantile).";
static const char upper_doc[] = "Demand is hardly above this (95 % quantile).";
static const struct schema_field peak_fields[] = {
    {.name = "time",
     .type = SCHEMA_TIME,
     .news = SCHEMA_SILENT,
     .doc = "Start of the interval.",
     AT(pa_peak, point.time_us)},
    {.name = "value", .type = SCHEMA_QUANTITY, .doc = "Expected demand.", AT(pa_peak, point.value)},
    {.name = "lower", .type = SCHEMA_QUANTITY, .doc = lower_doc, AT(pa_peak, point.lower)},
    {.name = "upper", .type = SCHEMA_QUANTITY, .doc = upper_doc, AT(pa_peak, point.upper)},
    {.name = "replicas", .type = SCHEMA_INT32, .doc = "Replicas that it needs.", AT(pa_peak, replicas)},
};
static const struct schema_object peak = SCHEMA_OBJECT_OF(peak_fields);
static const struct schema_field point_fields[] = {
    {.name = "time",
     .type = SCHEMA_TIME,
     .news = SCHEMA_SILENT,
     .doc = "Start of the interval.",
     AT(pa_forecast_point, time_us)},
    {.name = "value", .type = SCHEMA_QUANTITY, .doc = "Expected demand.", AT(pa_forecast_point, value)},
    {.name = "lower", .type = SCHEMA_QUANTITY, .doc = lower_doc, AT(pa_forecast_point, lower)},
    {.name = "upper", .type = SCHEMA_QUANTITY, .doc = upper_doc, AT(pa_forecast_point, upper)},
};
static const struct schema_object point = SCHEMA_OBJECT_OF(point_fields);
static const struct schema_field point_item = {.type = SCHEMA_OBJECT, .object = &point, .doc = "One point."};

static const struct schema_field forecast_fields[] = {
    {.name = "generatedTime",
     .type = SCHEMA_TIME,
     .news = SCHEMA_SILENT,
     .doc = "When it was made.",
     AT(pa_forecast_status, generated_us)},
    {.name = "expireTime",
     .type = SCHEMA_TIME,
     .news = SCHEMA_SILENT,
     .doc = "Until when it may be used.",
     AT(pa_forecast_status, expire_us)},
    {.name = "model",
     .type = SCHEMA_STRING,
     .max = 31,
     .doc = "What the history was enough for: Level, Trend, Shape or Seasonal.",
     AT(pa_forecast_status, model)},
    {.name = "trend",
     .type = SCHEMA_STRING,
     .max = 31,
     .doc = "Rising, Falling or Steady.",
     AT(pa_forecast_status, trend)},
    {.name = "periodSeconds",
     .type = SCHEMA_INT32,
     .doc = "The longest season in use, in seconds. Absent when none is.",
     OPT(pa_forecast_status, period_s)},
    {.name = "errorPercent",
     .type = SCHEMA_INT32,
     .doc = "Mean error of the forecasts that came due, in percent of the mean demand. Absent before any has.",
     OPT(pa_forecast_status, error_percent)},
    {.name = "coveragePercent",
     .type = SCHEMA_INT32,
     .doc = "Share of windows in which demand stayed below the bound that drives scaling. Absent before any has "
            "passed.",
     OPT(pa_forecast_status, coverage_percent)},
    {.name = "peak",
     .type = SCHEMA_OBJECT,
     .object = &peak,
     .doc = "The highest expected demand within the horizon.",
     OPT(pa_forecast_status, peak)},
    {.name = "hourly",
     .type = SCHEMA_LIST,
     .item = &point_item,
     .max = PA_STATUS_POINTS,
     .doc = "The next hours.",
     LIST(pa_forecast_status, hourly)},
};
static const struct schema_object forecast = SCHEMA_OBJECT_OF(forecast_fields);

/* ---- anomaly ---- */

static const struct schema_field anomaly_fields[] = {
    {.name = "isAnomaly",
     .type = SCHEMA_BOOL,
     .news = SCHEMA_PROMPT,
     .doc = "Whether an anomaly has been found and is not over yet.",
     AT(pa_anomaly_status, is_anomaly)},
    {.name = "scorePercent",
     .type = SCHEMA_INT32,
     .news = SCHEMA_SILENT,
     .doc =
         "How odd the last sample was: 50 is an anomaly at sensitivity Medium, above 80 it is odder than all that is "
         "remembered.",
     AT(pa_anomaly_status, score_percent)},
    {.name = "severity",
     .type = SCHEMA_STRING,
     .max = 7,
     .news = SCHEMA_PROMPT,
     .doc = "The highest since it began: None, Low, Medium or High.",
     AT(pa_anomaly_status, severity)},
    {.name = "since",
     .type = SCHEMA_TIME,
     .news = SCHEMA_SILENT,
     .doc = "When it began. Absent when there is none.",
     AT(pa_anomaly_status, since_us)},
};
static const struct schema_object anomaly = SCHEMA_OBJECT_OF(anomaly_fields);

/* ---- conditions (metav1.Condition) ---- */

static const char *const condition_statuses[] = {"Unknown", "False", "True", NULL}; /* enum condition_status */
static const struct schema_field condition_fields[] = {
    {.name = "type",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 316,
     .format = &schema_reason,
     .news = SCHEMA_LOUD,
     .doc = "Ready, AbleToScale, ScalingActive, ScalingLimited, ForecastReady, ForecastTrusted, FallbackActive, "
            "AnomalyDetected, AdvisorAvailable, Conflict, Paused or ConfigValid.",
     AT(pa_condition, type)},
    {.name = "status",
     .type = SCHEMA_ENUM,
     .required = true,
     .values = condition_statuses,
     .news = SCHEMA_LOUD,
     .doc = "Whether it holds.",
     AT(pa_condition, status)},
    {.name = "observedGeneration",
     .type = SCHEMA_INT64,
     .news = SCHEMA_SILENT,
     .doc = "The generation of the spec that it is about.",
     AT(pa_condition, observed_generation)},
    {.name = "lastTransitionTime",
     .type = SCHEMA_TIME,
     .required = true,
     .news = SCHEMA_SILENT,
     .doc = "When the status last changed.",
     AT(pa_condition, transition_us)},
    {.name = "reason",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 1024,
     .format = &schema_reason,
     .news = SCHEMA_PROMPT,
     .doc = "Why, in one word.",
     AT(pa_condition, reason)},
    {.name = "message",
     .type = SCHEMA_STRING,
     .required = true,
     .max = 32768,
     .doc = "Why, and what to do, for a person.",
     AT(pa_condition, message)},
};
static const struct schema_object condition = SCHEMA_OBJECT_OF(condition_fields);
static const struct schema_field condition_item = {
    .type = SCHEMA_OBJECT, .object = &condition, .doc = "One condition."};

/* ---- status ---- */

static const struct schema_field status_fields[] = {
    {.name = "observedGeneration",
     .type = SCHEMA_INT64,
     .news = SCHEMA_LOUD,
     .doc = "The generation of the spec that this status is about.",
     AT(pa_status, observed_generation)},
    {.name = "selector",
     .type = SCHEMA_STRING,
     .max = 1024,
     .news = SCHEMA_LOUD,
     .doc = "The label selector of the target's pods.",
     AT(pa_status, selector)},
    {.name = "currentReplicas",
     .type = SCHEMA_INT32,
     .news = SCHEMA_LOUD,
     .doc = "Replicas that the target has.",
     AT(pa_status, current_replicas)},
    {.name = "desiredReplicas",
     .type = SCHEMA_INT32,
     .news = SCHEMA_LOUD,
     .doc = "Replicas that it should have.",
     AT(pa_status, desired_replicas)},
    {.name = "lastScaleTime",
     .type = SCHEMA_TIME,
     .news = SCHEMA_LOUD,
     .doc = "When the operator last changed the replicas.",
     AT(pa_status, last_scale_us)},
    {.name = "replicaProposals",
     .type = SCHEMA_OBJECT,
     .object = &proposals,
     .doc = "What each part of the decision asked for.",
     OPT(pa_status, replica_proposals)},
    {.name = "lastDecision",
     .type = SCHEMA_OBJECT,
     .object = &decision,
     .doc = "The last decision, and how it came about.",
     OPT(pa_status, last_decision)},
    {.name = "currentMetrics",
     .type = SCHEMA_LIST,
     .item = &metric_item,
     .max = PA_STATUS_METRICS,
     .doc = "What the metrics were when it was made.",
     LIST(pa_status, current_metrics)},
    {.name = "forecast",
     .type = SCHEMA_OBJECT,
     .object = &forecast,
     .doc = "What is expected, and how good the forecast has been. Of the metric that decides.",
     OPT(pa_status, forecast)},
    {.name = "anomaly",
     .type = SCHEMA_OBJECT,
     .object = &anomaly,
     .doc = "Whether the demand is unlike what is remembered. Absent with spec.anomaly.mode \"Off\", and without a "
            "forecast.",
     OPT(pa_status, anomaly)},
    {.name = "advisor",
     .type = SCHEMA_OBJECT,
     .object = &pa_advisor_status_schema,
     .doc = "The last advice of an LLM, what became of it, and what it cost.",
     OPT(pa_status, advisor)},
    {.name = "conditions",
     .type = SCHEMA_LIST,
     .item = &condition_item,
     .list = SCHEMA_MAP,
     .key = "type",
     .max = PA_STATUS_CONDITIONS,
     .doc = "What holds and what does not.",
     LIST(pa_status, conditions)},
};
const struct schema_object pa_status_schema = SCHEMA_OBJECT_OF(status_fields);
