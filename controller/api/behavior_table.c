/* The table of a PredictiveAutoscaler's behavior: HPA v2's scaling rules, with its defaults. */
#include "api/pa.h"
#include "api/pa_tables.h"

static const struct schema_quantity_bounds share = {.min = "0", .max = "1"};

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

/* Both directions have the same fields, with other defaults. */
static const char *const selects[] = {"Max", "Min", "Disabled", NULL};
static const char window_doc[] = "How far back, in seconds, earlier recommendations count: the most cautious of them "
                                 "is taken (the lowest for scaling up, the highest for scaling down).";
static const char tolerance_doc[] =
    "How far a metric may be from its target, as a share of it, before anything is done.";
static const char select_doc[] = "Which policy counts when there are several: the one that allows the most change "
                                 "(Max) or the least (Min). Disabled forbids scaling in this direction.";
static const char policies_doc[] = "How much may change in one period.";

static const struct schema_field up_fields[] = {
    {.name = "stabilizationWindowSeconds",
     .type = SCHEMA_INT32,
     .fallback = "0",
     .max = 3600,
     .doc = window_doc,
     AT(pa_rules, stabilization_window_s)},
    {.name = "tolerance",
     .type = SCHEMA_QUANTITY,
     .fallback = "\"0.1\"",
     .bounds = &share,
     .doc = tolerance_doc,
     AT(pa_rules, tolerance)},
    {.name = "selectPolicy",
     .type = SCHEMA_ENUM,
     .fallback = "\"Max\"",
     .values = selects,
     .doc = select_doc,
     AT(pa_rules, select_policy)},
    {.name = "policies",
     .type = SCHEMA_LIST,
     .item = &policy_item,
     .fallback = "[{\"type\":\"Pods\",\"value\":4,\"periodSeconds\":15},{\"type\":\"Percent\",\"value\":100,"
                 "\"periodSeconds\":15}]",
     .min = 1,
     .max = PA_MAX_POLICIES,
     .doc = policies_doc,
     LIST(pa_rules, policies)},
};
static const struct schema_field down_fields[] = {
    {.name = "stabilizationWindowSeconds",
     .type = SCHEMA_INT32,
     .fallback = "300",
     .max = 3600,
     .doc = window_doc,
     AT(pa_rules, stabilization_window_s)},
    {.name = "tolerance",
     .type = SCHEMA_QUANTITY,
     .fallback = "\"0.1\"",
     .bounds = &share,
     .doc = tolerance_doc,
     AT(pa_rules, tolerance)},
    {.name = "selectPolicy",
     .type = SCHEMA_ENUM,
     .fallback = "\"Max\"",
     .values = selects,
     .doc = select_doc,
     AT(pa_rules, select_policy)},
    {.name = "policies",
     .type = SCHEMA_LIST,
     .item = &policy_item,
     .fallback = "[{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]",
     .min = 1,
     .max = PA_MAX_POLICIES,
     .doc = policies_doc,
     LIST(pa_rules, policies)},
};
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
const struct schema_object pa_behavior_schema = SCHEMA_OBJECT_OF(behavior_fields);
