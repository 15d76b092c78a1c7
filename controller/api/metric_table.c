/* The table of one metric of a PredictiveAutoscaler: where its numbers come from, its target, and what is
 * forecast of it. */
#include "api/pa.h"
#include "api/pa_rules.h"
#include "api/pa_tables.h"

/* Quantities that scaling computes with. 1E is far above any pod and far below what the arithmetic holds. */
static const struct schema_quantity_bounds amount = {.min = "0", .max = "1E", .above_min = true};

static const char *const target_types[] = {"Utilization", "AverageValue", NULL};
static const struct schema_field metric_target_fields[] = {
    {.name = "type",
     .type = SCHEMA_ENUM,
     .required = true,
     .values = target_types,
     .doc = "Utilization: the mean over the pods, in percent of what they request. AverageValue: the mean "
            "over the pods as a quantity.",
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
     .doc = "What a pod should use on average, such as 500m (cores) or 512Mi (bytes). For type "
            "AverageValue, and required there.",
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
     .doc = "Which resource of the pods, as metrics.k8s.io measures it. Only cpu is forecast: memory does "
            "not fall when pods are added, so a forecast of it would say nothing about replicas.",
     AT(pa_metric_resource, name)},
    {.name = "target",
     .type = SCHEMA_OBJECT,
     .required = true,
     .object = &metric_target,
     .doc = "What the replicas are chosen for: the metric's mean over the pods is kept near this.",
     AT(pa_metric_resource, target)},
};
static const struct schema_object resource = SCHEMA_OBJECT_OF(resource_fields);

static const struct schema_field container_resource_fields[] = {
    {.name = "name",
     .type = SCHEMA_ENUM,
     .required = true,
     .values = resource_names,
     .doc = "Which resource of the container, as metrics.k8s.io measures it.",
     AT(pa_metric_container_resource, name)},
    {.name = "container",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 63,
     .format = &schema_dns_label,
     .doc = "Name of the container. All pods must have it: of a pod that lacks it, the metric is an error.",
     AT(pa_metric_container_resource, container)},
    {.name = "target",
     .type = SCHEMA_OBJECT,
     .required = true,
     .object = &metric_target,
     .doc = "What the replicas are chosen for: the mean over these containers is kept near this. A utilisation is in "
            "percent of the request of the container.",
     AT(pa_metric_container_resource, target)},
};
static const struct schema_object container_resource = SCHEMA_OBJECT_OF(container_resource_fields);

static const char *const fallback_behaviors[] = {"CurrentReplicasIfHigher", "AtLeast", NULL};
static const struct schema_field fallback_fields[] = {
    {.name = "failureDurationSeconds",
     .type = SCHEMA_INT32,
     .fallback = "180",
     .min = 15,
     .max = 86400,
     .doc = "For how long, in seconds, the metric must have been unknown without a break.",
     AT(pa_fallback, failure_duration_s)},
    {.name = "replicas",
     .type = SCHEMA_INT32,
     .required = true,
     .min = 1,
     .max = 100000,
     .doc = "What the metric then asks for. Never above maxReplicas.",
     AT(pa_fallback, replicas)},
    {.name = "behavior",
     .type = SCHEMA_ENUM,
     .fallback = "\"CurrentReplicasIfHigher\"",
     .values = fallback_behaviors,
     .doc = "Both only raise; while a metric is unknown nothing is lowered. CurrentReplicasIfHigher: a current count "
            "that is higher counts as needed, so that it stays for a whole scale-down window after the metric is back. "
            "AtLeast: only the replicas given here do.",
     AT(pa_fallback, behavior)},
};
const struct schema_object pa_fallback_schema = SCHEMA_OBJECT_OF(fallback_fields);

static const char *const metric_types[] = {"Resource", "ContainerResource", NULL};
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
     .doc = "Where the numbers come from. Resource: CPU or memory of the target's pods. ContainerResource: of one "
            "container of each of them, so that a sidecar does not count.",
     AT(pa_metric, type)},
    {.name = "resource",
     .type = SCHEMA_OBJECT,
     .object = &resource,
     .doc = "A resource of the pods that is known from their containers' requests. For type Resource, and "
            "required there.",
     OPT(pa_metric, resource)},
    {.name = "containerResource",
     .type = SCHEMA_OBJECT,
     .object = &container_resource,
     .doc = "A resource of one container of the pods. For type ContainerResource, and required there.",
     OPT(pa_metric, container_resource)},
    {.name = "forecast",
     .type = SCHEMA_BOOL,
     .doc = "Whether the demand behind this metric is forecast, so that replicas are raised before it "
            "comes. At most 4 metrics can be. Default: true for cpu, false for memory (which can't be).",
     OPT(pa_metric, forecast)},
    {.name = "capacityPerPod",
     .type = SCHEMA_QUANTITY,
     .bounds = &amount,
     .doc = "What one pod can serve at most, in the unit of the metric (cores for cpu). Predicted replicas "
            "are the forecast demand over this. Unset: for Utilization the larger of the target and the "
            "pod's limit (100 % of the request without a limit), for AverageValue the target over 0.7.",
     OPT(pa_metric, capacity_per_pod)},
    {.name = "fallback",
     .type = SCHEMA_OBJECT,
     .object = &pa_fallback_schema,
     .doc = "What to do when the metric stays unknown. Without it the count is held, and raised by the other metrics.",
     OPT(pa_metric, fallback)},
};
static const struct schema_rule metric_rules[] = {
    {.cel = "(self.type == 'Resource') == has(self.resource)",
     .message = "is required when type is Resource, and only then",
     .path = ".resource",
     .holds = pa_metric_member_fits},
    {.cel = "(self.type == 'ContainerResource') == has(self.containerResource)",
     .message = "is required when type is ContainerResource, and only then",
     .path = ".containerResource",
     .holds = pa_metric_container_member_fits},
    {.cel = "!(has(self.forecast) && self.forecast && ((has(self.resource) && self.resource.name == 'memory') || "
            "(has(self.containerResource) && self.containerResource.name == 'memory')))",
     .message = "must be false for memory, which does not fall when pods are added",
     .path = ".forecast",
     .holds = pa_metric_memory_not_forecast},
    {.cel = "!(has(self.capacityPerPod) && ((has(self.resource) && self.resource.name == 'memory') || "
            "(has(self.containerResource) && self.containerResource.name == 'memory')))",
     .message = "is for metrics that are forecast, and memory is not",
     .path = ".capacityPerPod",
     .holds = pa_metric_memory_no_capacity},
    {.cel = "!has(self.capacityPerPod) || ((!has(self.resource) || !has(self.resource.target.averageValue) || "
            "quantity(string(self.capacityPerPod))"
            ".compareTo(quantity(string(self.resource.target.averageValue))) >= 0) && "
            "(!has(self.containerResource) || !has(self.containerResource.target.averageValue) || "
            "quantity(string(self.capacityPerPod))"
            ".compareTo(quantity(string(self.containerResource.target.averageValue))) >= 0))",
     .message = "must be >= target.averageValue: a pod can serve at least what the target gives it",
     .path = ".capacityPerPod",
     .holds = pa_metric_capacity_fits},
};
const struct schema_object pa_metric_schema = SCHEMA_OBJECT_RULED(metric_fields, metric_rules);
