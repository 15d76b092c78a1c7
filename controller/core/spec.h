/* What the user asked for, in the form that the core computes with: numbers in base units, defaults applied,
 * validated (controller/api makes it from a PredictiveAutoscaler). Plain data, copied by value; only time zones are
 * borrowed, from whoever loaded them, for as long as any copy is in use.
 *
 * Targets are integers, because the HPA computes with integers: percent of the request, and thousandths of a
 * unit (Quantity.MilliValue(), which rounds up). Replica counts equal to the HPA's depend on it.
 */
#ifndef CORE_SPEC_H
#define CORE_SPEC_H

#include "base/base.h"
#include "base/tz.h"
#include "core/advice.h"
#include "core/anomaly.h"
#include "core/cron.h"
#include "core/demand.h"

#define CORE_MAX_METRICS   8
#define CORE_MAX_POLICIES  8
#define CORE_MAX_SCHEDULES 16

#define CORE_MAX_STABILIZATION_S 3600
#define CORE_MAX_PERIOD_S        1800
#define CORE_MAX_FALLBACK_S      86400

enum core_mode { CORE_AUTO, CORE_SCALE_UP_ONLY, CORE_RECOMMEND, CORE_OFF };

/* Where a metric's numbers come from decides the arithmetic. */
enum core_metric_kind {
    CORE_METRIC_CPU,   /* Resource or ContainerResource cpu: per pod, with requests and the CPU readiness
                          windows */
    CORE_METRIC_POD,   /* Resource other than cpu, Pods: per pod, no CPU windows */
    CORE_METRIC_TOTAL, /* Object, External, Prometheus: one number for all */
};
/* The source by its API name. The words of a condition need it, the arithmetic does not. */
enum core_metric_source {
    CORE_SOURCE_RESOURCE,
    CORE_SOURCE_CONTAINER_RESOURCE,
    CORE_SOURCE_PODS,
    CORE_SOURCE_OBJECT,
    CORE_SOURCE_EXTERNAL,
    CORE_SOURCE_PROMETHEUS,
};
enum core_target_type {
    CORE_TARGET_UTILIZATION,   /* `target_percent` of the request; per-pod kinds only */
    CORE_TARGET_AVERAGE_VALUE, /* `target_milli` per pod */
    CORE_TARGET_VALUE,         /* `target_milli`; CORE_METRIC_TOTAL only; not additive: reactive only */
};

/* What a metric proposes once it has been unknown for a while. It only ever raises: nothing is lowered while a metric
 * is unknown, with a fallback or without. */
enum core_fallback_behavior {
    CORE_FALLBACK_CURRENT_IF_HIGHER, /* max(`replicas`, the current count) is the need, and enters the windows as one */
    CORE_FALLBACK_AT_LEAST,          /* `replicas` is */
};
struct core_fallback {
    uint32_t after_s; /* unknown for that long; 0: there is no fallback; <= CORE_MAX_FALLBACK_S */
    int32_t replicas; /* >= 1 */
    enum core_fallback_behavior behavior;
};

struct core_metric_spec {
    char name[64]; /* unique in a spec */
    enum core_metric_kind kind;
    enum core_metric_source source;
    enum core_target_type target_type;
    int32_t target_percent;  /* >= 1, UTILIZATION */
    int64_t target_milli;    /* >= 1, the others */
    bool forecast;           /* additive demand that is forecast; not with CORE_TARGET_VALUE */
    double capacity_per_pod; /* what a pod can serve, in the metric's unit; 0: the default (core_capacity) */
    struct core_fallback fallback;
};

/* A floor while the last `start` is later than the last `end`: a state that can be asked at any time, not an edge that
 * could be missed. Schedules that can't be understood are not here. */
struct core_schedule {
    char name[64];
    const struct tz *zone; /* of both; never NULL */
    struct cron start, end;
    int32_t min_replicas; /* >= 1; above max_replicas it is max_replicas */
};

enum core_select { CORE_SELECT_MAX, CORE_SELECT_MIN, CORE_SELECT_DISABLED };
enum core_policy_type { CORE_POLICY_PODS, CORE_POLICY_PERCENT };

struct core_rules {
    uint32_t stabilization_s; /* up: default 0, down: default 300; <= 3600 */
    double tolerance;         /* default 0.1; as Quantity.AsApproximateFloat64() gives it: digits x 10^exponent */
    enum core_select select;
    uint32_t n_policies;
    struct core_policy {
        enum core_policy_type type;
        int32_t value;     /* >= 1 */
        uint32_t period_s; /* 1..1800 */
    } policies[CORE_MAX_POLICIES];
};

struct core_spec {
    int32_t min_replicas, max_replicas; /* 0 <= min <= max, 1 <= max */
    enum core_mode mode;
    bool paused; /* acts as CORE_RECOMMEND */
    uint32_t sync_period_s;
    uint32_t lead_time_s; /* start-up of a pod; 0: measured */
    uint32_t n_metrics;   /* >= 1 */
    struct core_metric_spec metrics[CORE_MAX_METRICS];

    /* Whether spec.behavior is there at all. Without it the HPA limits otherwise, and so do we: one step goes
     * to at most max(2 x current, 4), scale events are not kept, and of `up` and `down` only the tolerances
     * and the scale-down window count. With it, what is absent in it has the defaults of core_spec_default().
     */
    bool behavior;
    struct core_rules up, down;

    /* In place of down.stabilization_s while every forecast is trusted; only the user can switch it on, because a count
     * may then be lower than that of an HPA. */
    bool has_trusted_stabilization;
    uint32_t trusted_stabilization_s; /* <= 3600 */

    struct demand_config prediction; /* of each metric that is forecast */

    /* Looked for in what is forecast: without a forecast there is none. */
    struct core_anomaly_spec {
        enum anomaly_mode mode;
        enum anomaly_sensitivity sensitivity;
        uint64_t seed; /* of the object; any number will do */
    } anomaly;

    /* HPA constants; the defaults are kube-controller-manager's: 300 s and 30 s. */
    uint32_t cpu_initialization_s, initial_readiness_s;

    struct advice_config advice; /* mode ADVICE_OFF: nobody is asked */

    uint32_t n_schedules;
    struct core_schedule schedules[CORE_MAX_SCHEDULES]; /* the last member: most specs have few */
};

/* Anomalies off. Min 1, max 10, one metric "cpu" at 70 % of the request, forecast; no
 * behavior, and as rules for when it is switched on: up 100 % or 4 pods per 15 s, down 100 % per 15 s after
 * 300 s. */
struct core_spec core_spec_default(void);

/* NULL, or which rule of this header is broken. core_step() asserts it. */
const char *core_spec_broken(const struct core_spec *spec);

#endif
