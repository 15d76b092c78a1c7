/* The table of PredictiveAutoscaler's spec: every field once, with what people read about it, and every rule
 * with its expression for the API server beside its C twin. Order is that of the documentation. Its larger
 * parts have files of their own: pa_tables.h. */
#include "api/pa.h"
#include "api/pa_rules.h"
#include "api/pa_tables.h"
#include "api/status.h"

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

/* ---- spec ---- */

static const struct schema_field metric_item = {
    .type = SCHEMA_OBJECT, .object = &pa_metric_schema, .doc = "One metric."};
static const struct schema_field schedule_item = {
    .type = SCHEMA_OBJECT, .object = &pa_schedule_schema, .doc = "One schedule."};
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
     .doc = "Auto: scales up and down. ScaleUpOnly: raises replicas and never lowers them. Recommend: shows in "
            "status what it would do, and changes nothing. \"Off\" (with quotes: YAML takes the bare word for a "
            "boolean): evaluates nothing. The annotation ai4k8s.io/paused: \"true\" acts as Recommend without a "
            "change of the spec.",
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
     .doc = "What replicas are chosen by, as in a HorizontalPodAutoscaler: each metric proposes a number, the "
            "highest counts. Default when absent: cpu at 70 % of the request.",
     LIST(pa_spec, metrics)},
    {.name = "behavior",
     .type = SCHEMA_OBJECT,
     .object = &pa_behavior_schema,
     .doc = "How fast replicas may change in each direction, as in a HorizontalPodAutoscaler. Without it one step at "
            "most doubles the replicas (4 are always allowed), and scaling down waits for the highest need of the "
            "last 300 s.",
     OPT(pa_spec, behavior)},
    {.name = "prediction",
     .type = SCHEMA_OBJECT,
     .object = &pa_prediction_schema,
     .fallback = "{}",
     .doc = "How demand is forecast. A forecast that is trusted raises replicas before the load comes; it never "
            "lowers them.",
     AT(pa_spec, prediction)},
    {.name = "anomaly",
     .type = SCHEMA_OBJECT,
     .object = &pa_anomaly_schema,
     .fallback = "{}",
     .doc = "What is done about demand that is unlike all that is remembered. Looked for in the samples of the metrics "
            "that are forecast, from 20 samples on.",
     AT(pa_spec, anomaly)},
    {.name = "schedules",
     .type = SCHEMA_LIST,
     .item = &schedule_item,
     .list = SCHEMA_MAP,
     .key = "name",
     .max = PA_MAX_SCHEDULES,
     .doc =
         "Floors by the clock: while a window is open, minReplicas is at least its minReplicas; of several open ones "
         "the highest counts. Entered in one step; left through the scale-down window. One whose cron or time zone "
         "can't be understood is ignored, and the condition Ready says which.",
     LIST(pa_spec, schedules)},
    {.name = "conflictPolicy",
     .type = SCHEMA_ENUM,
     .fallback = "\"Refuse\"",
     .values = conflict_policies,
     .doc = "What to do when another autoscaler owns the target. Refuse: write nothing, with condition Conflict, "
            "until it is gone.",
     AT(pa_spec, conflict_policy)},
    {.name = "advisor",
     .type = SCHEMA_OBJECT,
     .object = &pa_advisor_schema,
     .fallback = "{}",
     .doc = "Whether an LLM is asked for advice, and what it may do. Scaling does not wait for it, and is the same "
            "without it but for what advice may add.",
     AT(pa_spec, advisor)},
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
     .expression = "'must be >= syncPeriodSeconds (%d): a sample is the mean of what the syncs in it "
                   "saw'.format([self.syncPeriodSeconds])",
     .path = ".prediction.sampleIntervalSeconds",
     .holds = pa_sample_holds_sync,
     .say = pa_sample_holds_sync_say},
    {.cel = "self.metrics.filter(m, has(m.forecast) ? m.forecast : ((has(m.resource) && m.resource.name == 'cpu') || "
            "(has(m.containerResource) && m.containerResource.name == 'cpu'))).size() <= 4",
     .message = "at most 4 metrics can be forecast: set forecast to false on the others",
     .path = ".metrics",
     .holds = pa_metrics_forecast_few},
    {.cel = "self.metrics.all(a, !has(a.resource) || self.metrics.filter(b, has(b.resource) && b.resource.name == "
            "a.resource.name).size() == 1)",
     .message = "two metrics measure the same resource: keep the one with the target that counts",
     .path = ".metrics",
     .holds = pa_metrics_sources_differ},
    {.cel = "self.metrics.all(a, !has(a.containerResource) || self.metrics.filter(b, has(b.containerResource) && "
            "b.containerResource.name == a.containerResource.name && b.containerResource.container == "
            "a.containerResource.container).size() == 1)",
     .message = "two metrics measure the same resource of the same container: keep the one with the target that counts",
     .path = ".metrics",
     .holds = pa_metrics_containers_differ},
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
    .doc = "A PredictiveAutoscaler scales a workload before its load arrives: as a HorizontalPodAutoscaler does, and "
           "higher where a forecast of the demand that has proved itself says so. Its status says what it saw, what "
           "it expects, and why it decided as it did.",
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
