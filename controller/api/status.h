/* The status of a PredictiveAutoscaler: what `kubectl describe` shows of a decision, bounded in size.
 *
 * The reconciler fills a struct pa_status at each sync (cheap, on its stack), stamps the conditions, and asks
 * by digest whether the API server should hear of it:
 *
 *     struct pa_status s = {0};
 *     ... s.current_replicas = 4; pa_condition_set(&s, PA_READY, CONDITION_TRUE, "Ready", "..."); ...
 *     pa_conditions_stamp(&times, &s, now_us);
 *     struct schema_digest now = pa_status_digest(&s);
 *     switch (pa_digest_compare(&written, &now)) { ... }
 *
 * Only the digest (24 bytes) and the condition times have to be kept per autoscaler.
 */
#ifndef API_STATUS_H
#define API_STATUS_H

#include "api/encode.h"
#include "api/schema.h"
#include "kube/meta.h"

#define PA_STATUS_METRICS    8
#define PA_STATUS_STAGES     14
#define PA_STATUS_LIMITS     16
#define PA_STATUS_POINTS     6
#define PA_STATUS_CONDITIONS 12

extern const struct schema_object pa_status_schema;

/* The closed list of condition types; HPA's names for what the HPA has. */
enum pa_condition_type {
    PA_READY,
    PA_ABLE_TO_SCALE,
    PA_SCALING_ACTIVE,
    PA_SCALING_LIMITED,
    PA_FORECAST_READY,
    PA_FORECAST_TRUSTED,
    PA_FALLBACK_ACTIVE,
    PA_ANOMALY_DETECTED,
    PA_ADVISOR_AVAILABLE,
    PA_CONFLICT,
    PA_PAUSED,
    PA_CONFIG_VALID,
    PA_N_CONDITION_TYPES,
};
const char *pa_condition_name(enum pa_condition_type type); /* "Ready" "AbleToScale" ... */

enum pa_direction { PA_HOLD, PA_UP, PA_DOWN };
enum pa_metric_state { PA_NORMAL, PA_STALE, PA_MISSING, PA_FALLBACK };

struct pa_proposals {
    /* else there is none: no metric, no forecast that is usable, no schedule that is active */
    bool has_reactive, has_predicted, has_scheduled, has_advisor;
    int32_t reactive, predicted, scheduled, advisor, final;
};

struct pa_decision {
    int64_t time_us;
    enum pa_direction direction;
    char reason[48];
    char metric[64]; /* the deciding one; "" when it was none */
    int32_t raw_replicas;
    uint32_t n_limits;
    char limits[PA_STATUS_LIMITS][32];
    uint32_t n_stages;
    struct pa_stage {
        char name[24];
        int32_t replicas;
        char note[120];
    } stages[PA_STATUS_STAGES];
    int32_t pods_ready, pods_missing_metrics;
    char message[256];
};

/* HPA v2's MetricStatus, with its name and what became of it. */
struct pa_metric_status {
    char name[64];
    char type[24]; /* "Resource" "ContainerResource" */
    enum pa_metric_state state;
    bool has_proposed_replicas;
    int32_t proposed_replicas;
    bool has_resource, has_container_resource;
    struct pa_resource_status {
        char name[16];
        char container[64]; /* "" where it is of the whole pod */
        struct pa_metric_value {
            bool has_average_utilization, has_average_value;
            int32_t average_utilization;
            struct quantity average_value;
        } current;
    } resource, container_resource;
};

struct pa_forecast_point {
    int64_t time_us;
    struct quantity value, lower, upper;
};

struct pa_forecast_status {
    int64_t generated_us, expire_us;
    char model[16], trend[16];
    bool has_period_s, has_error_percent, has_coverage_percent; /* no season; not scored yet */
    int32_t period_s, error_percent, coverage_percent;
    bool has_peak;
    struct pa_peak {
        struct pa_forecast_point point;
        int32_t replicas;
    } peak;
    uint32_t n_hourly;
    struct pa_forecast_point hourly[PA_STATUS_POINTS];
};

struct pa_anomaly_status {
    bool is_anomaly;
    int32_t score_percent;
    char severity[8]; /* "None" ... "High" */
    int64_t since_us; /* 0: it is none */
};

struct pa_condition {
    char type[32];
    enum condition_status status;
    int64_t observed_generation;
    int64_t transition_us; /* pa_conditions_stamp() */
    char reason[48];
    char message[256];
};

/* The advice in hand, and who pays for it. */
struct pa_advisor_status {
    char id[17]; /* "": there is none */
    char outcome[32], provider[64];
    int64_t time_us, expire_us, last_call_us;
    char action[16], risk[16], cost[16], timing[16];
    bool has_target_replicas, has_need_replicas, has_confidence_percent;
    int32_t target_replicas, need_replicas, confidence_percent;
    char reasoning[512];
    bool has_right_answers, has_scored_answers;
    int32_t right_answers, scored_answers;
    bool has_lent_replicas;
    int32_t lent_replicas;
    char situation[256];
    bool has_budget;
    struct pa_advisor_budget {
        int64_t day_us;
        int32_t charged, refunded;
        char reserved_id[17]; /* "": none */
        int64_t reserved_us;
    } budget;
};
/* Ids of advice and calls: 16 hexadecimal digits, never 0. */
void pa_advice_id_format(uint64_t id, char out[17]);
bool pa_advice_id_parse(const char *text, uint64_t *ret); /* false: it is none, and *ret is 0 */

struct pa_status {
    int64_t observed_generation;
    char selector[256]; /* cut where it is longer: it is for people */
    int32_t current_replicas, desired_replicas;
    int64_t last_scale_us; /* 0: never */
    bool has_replica_proposals, has_last_decision, has_forecast, has_advisor;
    struct pa_proposals replica_proposals;
    struct pa_decision last_decision;
    uint32_t n_current_metrics;
    struct pa_metric_status current_metrics[PA_STATUS_METRICS];
    struct pa_forecast_status forecast;
    bool has_anomaly;
    struct pa_anomaly_status anomaly;
    struct pa_advisor_status advisor;
    uint32_t n_conditions;
    struct pa_condition conditions[PA_STATUS_CONDITIONS];
};

/* A value for status: three significant digits. What is not finite is shown as 0. */
struct quantity pa_status_quantity(double value);

/* Sets or replaces the condition, with the status' observed generation. `reason` is UpperCamelCase
 * (asserted); the message may quote foreign text: it is made harmless, and cut where it is too long. */
void pa_condition_set(struct pa_status *s, enum pa_condition_type type, enum condition_status status,
                      const char *reason, const char *fmt, ...) PRINTF_LIKE(5, 6);
const struct pa_condition *pa_condition_get(const struct pa_status *s, enum pa_condition_type type); /* NULL: not set */

/* When each condition last changed its status: kept per autoscaler, 100 bytes. Zeroed is "nothing known". */
struct pa_condition_times {
    uint8_t status[PA_N_CONDITION_TYPES]; /* enum condition_status + 1; 0: never set */
    int64_t us[PA_N_CONDITION_TYPES];
};
/* From what the API server has, so that a restart is no transition. */
void pa_conditions_seed(struct pa_condition_times *times, const struct pa_status *stored);
/* Gives every condition of `s` its lastTransitionTime: `now_us` where the status has changed, else what it
 * was. */
void pa_conditions_stamp(struct pa_condition_times *times, struct pa_status *s, int64_t now_us);

/* ---- to and from the API ---- */

/* Appends the body of a server-side apply of the status subresource. Empty lists and absent values are left
 * out. */
void pa_status_apply_body(const struct pa_status *s, const char *namespace_, const char *name, struct buf *out);
/* From a whole object; what is broken or unknown is left out. */
void pa_status_decode(const json_t *object, struct pa_status *ret);

/* ---- whether to write ---- */

enum pa_status_change {
    PA_STATUS_SAME,
    PA_STATUS_DRIFT,      /* a value differs in its first two digits, or a sentence in more than its numbers: worth a
                             write every 5 minutes */
    PA_STATUS_REASON,     /* a reason, a direction or a limit changed: write at once, unless it happens all the time */
    PA_STATUS_TRANSITION, /* replicas, a scaling, a condition's status or the generation changed: write at
                             once */
};
struct schema_digest pa_status_digest(const struct pa_status *s);
enum pa_status_change pa_digest_compare(const struct schema_digest *was, const struct schema_digest *now);

#endif
