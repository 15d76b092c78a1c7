/* What the user asked for, in the form that the core computes with: numbers in base units, defaults applied, validated
 * (controller/api makes it from a PredictiveAutoscaler). Plain data: copied by value, no pointers. */
#ifndef CORE_SPEC_H
#define CORE_SPEC_H

#include "base/base.h"
#include "core/demand.h"

#define CORE_MAX_METRICS  8
#define CORE_MAX_POLICIES 8

enum core_mode { CORE_AUTO, CORE_SCALE_UP_ONLY, CORE_RECOMMEND, CORE_OFF };

/* Where a metric's numbers come from decides the arithmetic. */
enum core_metric_kind {
    CORE_METRIC_CPU,    /* Resource or ContainerResource cpu: per pod, with requests and the CPU readiness windows */
    CORE_METRIC_POD,    /* Resource other than cpu, Pods: per pod, no CPU windows */
    CORE_METRIC_TOTAL,  /* Object, External, Prometheus: one number for all */
};
enum core_target_type {
    CORE_TARGET_UTILIZATION,   /* `target` is a fraction of the request: 0.7 */
    CORE_TARGET_AVERAGE_VALUE, /* per pod */
    CORE_TARGET_VALUE,         /* not additive: reactive only */
};

struct core_metric_spec {
    char name[64];
    enum core_metric_kind kind;
    enum core_target_type target_type;
    double target;
    bool forecast;           /* additive demand that is forecast */
    double capacity_per_pod; /* what a pod can serve, in the metric's unit; 0: the default of decision rule 6 */
};

enum core_select { CORE_SELECT_MAX, CORE_SELECT_MIN, CORE_SELECT_DISABLED };
enum core_policy_type { CORE_POLICY_PODS, CORE_POLICY_PERCENT };

struct core_rules {
    uint32_t stabilization_s; /* up: default 0, down: default 300; <= 3600 */
    double tolerance;         /* default 0.1 */
    enum core_select select;
    uint32_t n_policies;
    struct core_policy {
        enum core_policy_type type;
        int32_t value;
        uint32_t period_s; /* 1..1800 */
    } policies[CORE_MAX_POLICIES];
};

struct core_spec {
    int32_t min_replicas, max_replicas;
    enum core_mode mode;
    bool paused; /* acts as CORE_RECOMMEND */
    uint32_t sync_period_s;
    uint32_t lead_time_s; /* 0: measured */
    uint32_t n_metrics;   /* >= 1 */
    struct core_metric_spec metrics[CORE_MAX_METRICS];
    struct core_rules up, down;
    struct demand_config prediction; /* of each metric that is forecast */
    /* HPA constants; the defaults are kube-controller-manager's: 300 s and 30 s. */
    uint32_t cpu_initialization_s, initial_readiness_s;
};

/* HPA v2's defaults: min 1, cpu at 70 % (named "cpu"), up 100 % or 4 pods per 15 s, down 100 % per 15 s after 300 s. */
struct core_spec core_spec_default(void);

#endif
