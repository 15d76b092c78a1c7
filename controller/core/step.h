/* The decision core: core_step(spec, state, observation) -> plan, state'.
 *
 *     reactive (HPA v2) --+
 *     predicted ----------+-> max = D -> stabilise -> policies -> clamp -> plan
 *
 * Pure: no I/O, no clock (the observation carries the time), deterministic. The daemon, the simulator and the tests call
 * this same function. `struct core_state` is everything that survives a restart; its encoding is the checkpoint, and
 * encoding and decoding at any step changes no later plan, bit for bit.
 *
 * The invariants I1, I2, I3, I8 and I11 of the design are asserted at the end of core_step() and are tested as
 * properties; the header of each part (hpa.h, behavior.h, contention.h) says which is its own.
 */
#ifndef CORE_STEP_H
#define CORE_STEP_H

#include "base/base.h"
#include "base/error.h"
#include "core/codec.h"
#include "core/forecast.h"
#include "core/spec.h"

/* ---- observation: what was seen at one sync ---- */

/* A pod of the target, as the HPA's readiness rules need it. Pods that are deleting or Failed are given too. */
struct core_pod {
    bool pending, failed, deleting;
    bool has_ready_condition, ready;
    int64_t start_us;            /* status.startTime; 0: absent */
    int64_t ready_transition_us; /* lastTransitionTime of the Ready condition */
};

/* One pod's sample of one per-pod metric; entry i belongs to pod i. */
struct core_pod_sample {
    bool present;
    double usage;
    double request; /* < 0: a container lacks it (Utilization then fails as a whole) */
    double limit;   /* <= 0: none */
    int64_t time_us, window_us;
};

struct core_metric_observation {
    enum sample_kind kind; /* of the whole query; SAMPLE_ERROR: it failed, SAMPLE_NO_DATA: it was empty or stale */
    double value;          /* CORE_METRIC_TOTAL */
    const struct core_pod_sample *pods; /* per-pod kinds: n_pods entries; borrowed for the step */
};

struct core_observation {
    int64_t time_us; /* Unix; strictly increasing */
    int32_t spec_replicas;   /* /scale spec.replicas, read at this sync */
    int32_t status_replicas; /* /scale status.replicas */
    const struct core_pod *pods;
    uint32_t n_pods;
    uint32_t n_metrics; /* as in the spec, in its order */
    struct core_metric_observation metrics[CORE_MAX_METRICS];
    uint32_t metric_age_s; /* typical age of a fresh sample, part of the lead */
    uint32_t startup_s;    /* measured pod start-up (p90), 0: not known (120 s is used) */
};

/* ---- plan ---- */

enum core_direction { CORE_HOLD, CORE_UP, CORE_DOWN };

/* HPA's reasons for the conditions AbleToScale, ScalingActive and ScalingLimited, and ours: see explain.h for the words. */
enum core_reason {
    CORE_REASON_WITHIN_TARGET,       /* nothing to do */
    CORE_REASON_METRIC_ABOVE_TARGET,
    CORE_REASON_FORECAST_ABOVE_CAPACITY,
    CORE_REASON_METRIC_BELOW_TARGET,
    CORE_REASON_TOO_FEW_REPLICAS,    /* snapped into [min, max] */
    CORE_REASON_TOO_MANY_REPLICAS,
    CORE_REASON_METRICS_MISSING,     /* some or all metrics unknown: held or raised, never lowered */
    CORE_REASON_SCALING_DISABLED,    /* the target's replicas are 0 by hand */
    CORE_REASON_OFF,
    CORE_REASON_CONTENDED,           /* a foreign writer undid ours twice */
};

/* What kept the plan from the raw need; bits, in the order of the pipeline. */
enum core_limit {
    CORE_LIMIT_TOLERANCE = 1 << 0,
    CORE_LIMIT_STABILIZED_UP = 1 << 1,
    CORE_LIMIT_STABILIZED_DOWN = 1 << 2,
    CORE_LIMIT_SCALE_UP_POLICY = 1 << 3,
    CORE_LIMIT_SCALE_DOWN_POLICY = 1 << 4,
    CORE_LIMIT_MIN_REPLICAS = 1 << 5,
    CORE_LIMIT_MAX_REPLICAS = 1 << 6,
    CORE_LIMIT_MISSING_METRICS = 1 << 7,
    CORE_LIMIT_NOT_ACTIVE = 1 << 8, /* Recommend, paused, ScaleUpOnly: what is shown is not applied */
    CORE_LIMIT_CONTENTION = 1 << 9,
    CORE_LIMIT_UNTRUSTED = 1 << 10, /* the forecast asked for more and is not trusted */
};

enum core_metric_state { CORE_METRIC_NORMAL, CORE_METRIC_STALE, CORE_METRIC_MISSING };

#define CORE_MAX_STAGES 10
struct core_stage {
    char name[24]; /* Reactive Predicted Demand Stabilise Policies Clamp Mode ... */
    int32_t replicas;
    char note[120];
};

struct core_plan {
    int32_t replicas; /* what should be: the recommendation, also in Recommend mode */
    bool write;       /* the executor shall patch /scale to `replicas` */
    enum core_direction direction;
    enum core_reason reason;
    unsigned limits; /* enum core_limit */
    int32_t reactive, predicted; /* proposals; predicted < 0: none */
    int32_t raw;                 /* D, before stabilisation, policies and clamp */
    int32_t metric;              /* index of the deciding metric, -1: none */
    uint32_t pods_ready, pods_missing, pods_ignored;
    uint32_t lead_s;
    bool forecast_trusted; /* of the deciding forecast: all that were asked */
    bool scaling_active;   /* HPA: at least one metric gave a proposal */
    bool contended;
    struct core_metric_plan {
        enum core_metric_state state;
        int32_t reactive;      /* proposed replicas, -1: none */
        int32_t predicted;     /* -1: none */
        double current;        /* utilisation (fraction) or average value or value, as the target's type; < 0: unknown */
        double demand;         /* < 0: no-data */
        double drive;          /* Q, < 0: none */
        double capacity;       /* per pod, in use for Q; 0: unknown */
    } metrics[CORE_MAX_METRICS];
    uint32_t n_stages;
    struct core_stage stages[CORE_MAX_STAGES];
    char message[256]; /* one sentence that a person understands */
};

/* ---- state ---- */

struct core_state;

struct core_state *core_state_new(const struct core_spec *spec);
struct core_state *core_state_free(struct core_state *s);

/* One sync. Changes the state; the plan is complete in itself. A spec that changed since the last step is taken in
 * (metrics by name: history stays with the name). */
void core_step(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation,
               struct core_plan *plan);

/* The executor wrote `to` at `time_us`: recorded as a scale event, and as ours. */
void core_applied(struct core_state *state, int64_t time_us, int32_t from, int32_t to);

/* After a restart or a takeover: seeds the windows with the live count for their full length. */
void core_resume(struct core_state *state, const struct core_spec *spec, int64_t time_us, int32_t replicas);

/* History that comes from elsewhere, for metric `name`; slots before the present only. */
struct demand *core_state_demand(struct core_state *state, const char *metric); /* borrowed; NULL: not forecast */

/* The last decisions, newest last, at most 288: {time, current, desired, reason}. */
struct core_decision {
    int64_t time_us;
    int32_t current, desired;
    enum core_reason reason;
};
uint32_t core_state_decisions(const struct core_state *state, struct core_decision *out, uint32_t cap);

/* The whole state in one piece (tests, decide), and split as the checkpoint wants it (demand.h). A tail is <= 16 KiB and
 * all segments of a history <= 96 KiB, by construction. Decoding gives NULL and a message for bytes that are not ours, of a newer
 * version or of another checksum. */
void core_state_encode(const struct core_state *state, struct buf *out);
struct core_state *core_state_decode(const struct core_spec *spec, const void *data, size_t len, struct error *err);
void core_state_encode_tail(const struct core_state *state, struct buf *out);
void core_state_encode_history(const struct core_state *state, struct buf *out); /* all closed segments */
int64_t core_state_history_version(const struct core_state *state); /* changes when a segment closes */
struct core_state *core_state_decode_parts(const struct core_spec *spec, const void *tail, size_t tail_len,
                                           const void *history, size_t history_len, struct error *err);

#endif
