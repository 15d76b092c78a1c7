/* PredictiveAutoscaler (ai4k8s.io/v1alpha1, short name pa): the API type as plain structs. The table that
 * describes it is in pa_table.c, its rules in pa_rules.c, its status in status.h.
 *
 * Decoded means complete: defaults are applied, bounds and rules hold. Where absence means something of its
 * own there is a has_ flag; everything else is always there. No pointers: copied by value.
 */
#ifndef API_PA_H
#define API_PA_H

#include "api/decode.h"
#include "api/schema.h"
#include "kube/resource.h"

#define PA_GROUP       "ai4k8s.io"
#define PA_VERSION     "v1alpha1"
#define PA_API_VERSION PA_GROUP "/" PA_VERSION
#define PA_KIND        "PredictiveAutoscaler"

#define PA_MAX_METRICS   8
#define PA_MAX_FORECAST  4 /* metrics that are forecast */
#define PA_MAX_POLICIES  8
#define PA_MAX_PERIODS   4
#define PA_MAX_SCHEDULES 16
#define PA_MAX_ZONE      47
#define PA_MAX_CRON      100
#define PA_MIN_SLOTS     12 /* samples of history */
#define PA_MAX_SLOTS     4032
#define PA_MAX_HORIZON   288 /* samples ahead */

#define PA_ANNOTATION_PAUSED  PA_GROUP "/paused"
#define PA_ANNOTATION_APPROVE PA_GROUP "/approve-advice"
#define PA_LABEL_SOURCE       PA_GROUP "/source"
#define PA_SOURCE_ANNOTATION  "annotation"

extern const struct resource resource_predictiveautoscalers;
extern const struct schema_resource pa_resource;

enum pa_mode { PA_AUTO, PA_SCALE_UP_ONLY, PA_RECOMMEND, PA_OFF };
enum pa_conflict_policy { PA_REFUSE };
enum pa_metric_type { PA_METRIC_RESOURCE, PA_METRIC_CONTAINER_RESOURCE };
enum pa_resource_name { PA_CPU, PA_MEMORY };
enum pa_target_type { PA_UTILIZATION, PA_AVERAGE_VALUE };
enum pa_select { PA_SELECT_MAX, PA_SELECT_MIN, PA_SELECT_DISABLED };
enum pa_policy_type { PA_POLICY_PODS, PA_POLICY_PERCENT };
enum pa_fallback_behavior { PA_FALLBACK_CURRENT_IF_HIGHER, PA_FALLBACK_AT_LEAST };
enum pa_advisor_mode { PA_ADVISOR_OFF, PA_ADVISOR_OBSERVE, PA_ADVISOR_BOUNDED, PA_ADVISOR_APPROVAL };
enum pa_seasonality_mode { PA_SEASON_AUTO, PA_SEASON_FIXED, PA_SEASON_NONE };

struct pa_target_ref {
    char api_version[128];
    char kind[64];
    char name[254];
};

struct pa_metric_target {
    enum pa_target_type type;
    bool has_average_utilization, has_average_value;
    int32_t average_utilization; /* percent of the request */
    struct quantity average_value;
};

struct pa_metric {
    char name[64];
    enum pa_metric_type type;
    bool has_resource;
    struct pa_metric_resource {
        enum pa_resource_name name;
        struct pa_metric_target target;
    } resource;
    bool has_container_resource;
    struct pa_metric_container_resource {
        enum pa_resource_name name;
        char container[64];
        struct pa_metric_target target;
    } container_resource;
    bool has_forecast, forecast; /* use pa_metric_forecast() */
    bool has_capacity_per_pod;
    struct quantity capacity_per_pod;
    bool has_fallback;
    struct pa_fallback {
        int32_t failure_duration_s;
        int32_t replicas;
        enum pa_fallback_behavior behavior;
    } fallback;
};

struct pa_schedule {
    char name[64];
    char time_zone[PA_MAX_ZONE + 1];
    char start[PA_MAX_CRON + 1], end[PA_MAX_CRON + 1];
    int32_t min_replicas;
};

struct pa_rules {
    int32_t stabilization_window_s;
    struct quantity tolerance;
    enum pa_select select_policy;
    uint32_t n_policies;
    struct pa_policy {
        enum pa_policy_type type;
        int32_t value;
        int32_t period_s;
    } policies[PA_MAX_POLICIES];
};

struct pa_prediction {
    int32_t history_s;
    int32_t sample_interval_s;
    int32_t horizon_s;
    bool has_lead_time_s; /* else measured */
    int32_t lead_time_s;
    struct pa_seasonality {
        enum pa_seasonality_mode mode;
        uint32_t n_periods_s;
        int32_t periods_s[PA_MAX_PERIODS];
    } seasonality;
    int32_t confidence_percent;
    int32_t min_history_s;
    struct pa_quality_gate {
        int32_t max_error_percent;
        int32_t min_coverage_percent;
    } quality_gate;
    bool has_trusted_down_window_s;
    int32_t trusted_down_window_s;
};

enum pa_anomaly_mode {
    PA_ANOMALY_OFF,
    PA_ANOMALY_EXCLUDE_SAMPLES,
    PA_ANOMALY_HOLD_SCALE_DOWN,
    PA_ANOMALY_REACTIVE_ONLY
};
enum pa_sensitivity { PA_SENSITIVITY_LOW, PA_SENSITIVITY_MEDIUM, PA_SENSITIVITY_HIGH };
struct pa_advisor {
    enum pa_advisor_mode mode;
    bool has_max_replica_delta, has_daily_call_budget;
    int32_t max_replica_delta; /* there in modes Bounded and Approval */
    int32_t timeout_s, min_interval_s, cache_ttl_s;
    int32_t daily_call_budget;
};

struct pa_spec {
    struct pa_target_ref scale_target_ref;
    int32_t min_replicas, max_replicas;
    enum pa_mode mode;
    int32_t sync_period_s;
    enum pa_conflict_policy conflict_policy;
    bool has_behavior; /* an HPA without one limits its steps otherwise, so that absence is kept */
    uint32_t n_metrics, n_schedules;
    struct pa_metric metrics[PA_MAX_METRICS];
    struct pa_behavior {
        struct pa_rules up, down;
    } behavior;
    struct pa_prediction prediction;
    struct pa_anomaly {
        enum pa_anomaly_mode mode;
        enum pa_sensitivity sensitivity;
    } anomaly;
    struct pa_schedule schedules[PA_MAX_SCHEDULES];
    struct pa_advisor advisor;
};

/* Whether the metric is forecast: as it says, by default for cpu. */
bool pa_metric_forecast(const struct pa_metric *m);
/* What both sources that are resources say. */
enum pa_resource_name pa_metric_resource(const struct pa_metric *m);
const struct pa_metric_target *pa_metric_target(const struct pa_metric *m);
const char *pa_mode_name(enum pa_mode mode);

/* What the operator keeps of an object beside its ObjectMeta. */
struct pa {
    struct pa_spec spec;
    bool paused;              /* annotation ai4k8s.io/paused */
    bool paused_unclear;      /* the annotation is there, but neither true nor false: not paused, and worth a word
                               */
    uint64_t approved_advice; /* annotation ai4k8s.io/approve-advice; 0: none */
    bool annotated;           /* label ai4k8s.io/source=annotation: made from an annotated workload */
};

/* From the object as the API server gives it: unknown fields are ignored (a newer CRD may have them). 0, or
 * -1 with problems: the object was stored under other rules; its message goes into the condition. */
int pa_decode(const json_t *object, struct pa *ret, struct api_problems *problems);

/* An update as the API server sees it: with the transition rules. `flags` of decode.h. */
int pa_spec_decode_update(const json_t *spec, const struct pa_spec *old, unsigned flags, struct pa_spec *ret,
                          struct api_problems *problems);
/* `spec` alone; messages begin with "spec.". NULL is an absent one. */
int pa_spec_decode(const json_t *spec, unsigned flags, struct pa_spec *ret, struct api_problems *problems);

/* A manifest, strictly: one PredictiveAutoscaler in one YAML (or JSON) document. `err` has all problems in
 * one line, `problems` one by one with their lines (may be NULL). */
struct pa_file {
    char name[254], namespace_[64]; /* "" when the manifest does not say it */
    struct pa pa;
};
int pa_load(const char *path, struct pa_file *ret, struct api_problems *problems, struct error *err);
int pa_load_text(const char *path, const char *text, size_t len, struct pa_file *ret, struct api_problems *problems,
                 struct error *err);

/* As Go's strconv.ParseBool reads annotations: 1 t T true True TRUE, 0 f F false False FALSE. */
bool pa_parse_bool(const char *s, bool *ret);

#endif
