/* The decision core: core_step(spec, state, observation) -> plan, state'.
 *
 *     reactive (HPA v2) --+
 *     predicted ----------+
 *     fallback -----------+-> max = D -> raise ahead -> advice -> stabilise -> policies -> clamp -> hold -> mode,
 *                             contention -> plan
 *     schedules raise the lower bound of the clamp; an anomaly of the demand holds what would be lowered, or sets the
 *     prediction aside, for half an hour at most
 *
 * Pure: no I/O, no clock (the observation carries the time), deterministic. The daemon, the simulator and the
 * tests call this same function. `struct core_state` is everything that survives a restart; its encoding is
 * the checkpoint, and encoding and decoding at any step changes no later plan, bit for bit.
 *
 * The invariants I1, I2, I3, I8, I9 and I11 of the design are asserted at the end of core_step() and are tested
 * as properties; the header of each part (hpa.h, behavior.h, contention.h) says which is its own.
 *
 * A caller's sync:  core_step(); core_explain(); if (plan.write) { patch /scale; core_applied(); }
 */
#ifndef CORE_STEP_H
#define CORE_STEP_H

#include "base/base.h"
#include "base/error.h"
#include "core/codec.h"
#include "core/forecast.h"
#include "core/spec.h"
#include "core/watch.h"

/* ---- observation: what was seen at one sync ---- */

/* A pod of the target, as the HPA's readiness rules need it. Pods that are deleting or Failed are given too.
 */
enum core_pod_phase { CORE_POD_PENDING, CORE_POD_RUNNING, CORE_POD_SUCCEEDED, CORE_POD_FAILED, CORE_POD_UNKNOWN };
enum core_ready { CORE_READY_ABSENT, CORE_READY_TRUE, CORE_READY_FALSE, CORE_READY_UNKNOWN }; /* condition Ready */
struct core_pod {
    enum core_pod_phase phase;
    enum core_ready ready;
    bool deleting;
    int64_t start_us;            /* status.startTime; 0: absent */
    int64_t ready_transition_us; /* lastTransitionTime of the Ready condition */
};

/* One pod's sample of one per-pod metric; entry i belongs to pod i. Thousandths, because the HPA counts in
 * them: the sum over containers of each container's value, each rounded up. */
struct core_pod_sample {
    bool present;
    int64_t usage_milli;
    int64_t request_milli;      /* < 0: a container lacks it (Utilization then fails as a whole); needed without a
                                   sample too */
    int64_t limit_milli;        /* <= 0: none */
    int64_t time_us, window_us; /* the sample covers [time - window, time]; time 0: not known, taken as fresh */
};

/* Quantity.MilliValue() of a number: thousandths, rounded up, saturating. What binary fractions add to a
 * decimal number (1.1 x 1000 = 1100.0000000000002) is not rounded up. Not finite gives 0. */
int64_t core_milli(double value);

struct core_metric_observation {
    enum sample_kind kind;      /* of the whole query; SAMPLE_ERROR: it failed, SAMPLE_NO_DATA: it was empty */
    int64_t value_milli;        /* CORE_METRIC_TOTAL: the sum over all series, saturating; may be negative */
    int64_t time_us, window_us; /* CORE_METRIC_TOTAL, as in core_pod_sample */
    /* Per-pod kinds: n_pods entries, borrowed for the step. Also when the query failed (with `present`
     * false): requests and limits are known from the pods. NULL: nothing is known. */
    const struct core_pod_sample *pods;
    /* Samples of pods that are not in the list (just gone). The HPA counts them in its means, so we do. */
    uint32_t n_strays;
    int64_t strays_milli;
};

struct core_observation {
    int64_t time_us;         /* Unix; increasing, or set back: then what is remembered of later ends no later than it
                                would have from now on */
    int32_t spec_replicas;   /* /scale spec.replicas, not older than our own last write */
    int32_t status_replicas; /* /scale status.replicas */
    const struct core_pod *pods;
    uint32_t n_pods;
    uint32_t n_metrics; /* as in the spec, in its order */
    struct core_metric_observation metrics[CORE_MAX_METRICS];
    bool ambiguous;        /* another workload's autoscaler counts some of the pods too: all metrics are errors */
    uint32_t metric_age_s; /* typical age of a fresh sample, part of the lead */
    uint32_t startup_s;    /* measured pod start-up (p90), 0: not known (120 s is used) */

    /* For the advisor, where the spec has one (core/advice.h). */
    const struct advice *advice; /* an answer that came since the last step; NULL: none */
    uint64_t approved_advice;    /* the id that a person approved; 0: none */
    int32_t unschedulable;       /* pods that no node takes */
};

/* ---- plan ---- */

enum core_direction { CORE_HOLD, CORE_UP, CORE_DOWN };

/* Why the plan is what it is; explain.h has the words, docs/decisions.md what to do. Numbers are stored:
 * never reused. */
enum core_reason {
    CORE_REASON_WITHIN_TARGET = 0,           /* the need is the current count */
    CORE_REASON_METRIC_ABOVE_TARGET = 1,     /* reactive need above the current count */
    CORE_REASON_FORECAST_ABOVE_CAPACITY = 2, /* predicted need above the current count and the reactive need */
    CORE_REASON_METRIC_BELOW_TARGET = 3,     /* need below the current count */
    CORE_REASON_TOO_FEW_REPLICAS = 4,        /* snapped into [min, max] */
    CORE_REASON_TOO_MANY_REPLICAS = 5,
    CORE_REASON_METRICS_MISSING = 6,  /* metrics unknown, and the rest gives no reason to raise: held */
    CORE_REASON_SCALING_DISABLED = 7, /* the target's replicas are 0 by hand */
    CORE_REASON_OFF = 8,
    CORE_REASON_CONTENDED = 9,  /* another writer keeps undoing ours, and that changed the plan */
    CORE_REASON_SCHEDULED = 10, /* the floor of a schedule is above the current count and the need */
    CORE_REASON_FALLBACK = 11,  /* the fallback of an unknown metric is above the current count and the other needs */
    CORE_REASON_ADVISED = 12,   /* advice that was taken is above the current count and the need, or below the need */
    CORE_REASON_ADVICE_ENDED = 13, /* advice that is over has added what would not run otherwise: on its way back */
    CORE_N_REASONS
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
    CORE_LIMIT_MISSING_METRICS = 1 << 7, /* some metric is unknown, so nothing is lowered */
    CORE_LIMIT_NOT_ACTIVE = 1 << 8,      /* Recommend, paused, ScaleUpOnly: what is shown is not applied */
    CORE_LIMIT_CONTENTION = 1 << 9,
    CORE_LIMIT_UNTRUSTED = 1 << 10,     /* the forecast asked for more and is not trusted */
    CORE_LIMIT_SCHEDULED = 1 << 11,     /* the floor of a schedule is above what would be otherwise */
    CORE_LIMIT_SHRINK_BUDGET = 1 << 12, /* the executor's: core_plan_postpone() */
    CORE_LIMIT_HELD = 1 << 13,          /* a reduction that the forecast says would soon be fetched again */
    CORE_LIMIT_ANOMALY = 1 << 14,       /* the demand is odd: nothing is lowered, or the forecast is set aside */
};
#define CORE_N_LIMITS 15

enum core_metric_state {
    CORE_METRIC_NORMAL,
    CORE_METRIC_STALE,
    CORE_METRIC_MISSING,
    CORE_METRIC_FALLBACK, /* unknown for so long that its fallback counts */
};

/* Why a metric gives no proposal. */
enum core_problem {
    CORE_PROBLEM_NONE,
    CORE_PROBLEM_QUERY,        /* the query failed: the caller has the message */
    CORE_PROBLEM_EMPTY,        /* it answered nothing */
    CORE_PROBLEM_STALE,        /* all that there is is older than max(90 s, 3 windows) */
    CORE_PROBLEM_NO_PODS,      /* the target has no pods */
    CORE_PROBLEM_NOT_READY,    /* no pod that counts has a sample */
    CORE_PROBLEM_NO_REQUEST,   /* a container lacks the request that Utilization is a share of */
    CORE_PROBLEM_ZERO_REQUEST, /* the requests are 0 */
    CORE_PROBLEM_AMBIGUOUS,    /* it is not known whose pods they are: the caller has the message */
};

#define CORE_MAX_STAGES 15
struct core_stage {
    /* Current Lent Reactive Predicted Untrusted Fallback Scheduled Need Ahead Advised Stabilised Limited Held Anomaly
     * Final */
    char name[24];
    int32_t replicas;
    char note[120];
};

struct core_plan {
    int64_t time_us;
    int32_t current;  /* spec.replicas as observed */
    int32_t replicas; /* what should be: the recommendation, also in Recommend mode */
    bool write;       /* the executor shall patch /scale to `replicas` */
    enum core_direction direction;
    enum core_reason reason;
    unsigned limits; /* enum core_limit */

    /* The pipeline, stage by stage. -1: there is none. */
    int32_t reactive;   /* the HPA's desired count, before its windows, policies and bounds */
    int32_t predicted;  /* of trusted forecasts */
    int32_t untrusted;  /* what forecasts that are not trusted would have asked for */
    int32_t fallback;   /* of metrics that are in fallback */
    int32_t scheduled;  /* the highest floor of the schedules that are active, at most maxReplicas */
    int32_t ahead;      /* what a trusted forecast will ask for beyond the lead (outlook.h); -1: none, or not asked */
    int32_t raw;        /* D = max(reactive, predicted, fallback) */
    int32_t bare;       /* as much of D as does not come from the count that runs (advice.h); -1: none */
    int32_t raised;     /* D, or where a raise goes further, to `ahead` */
    int32_t advised;    /* what the advice in hand asks for, inside of what it may; -1: there is none that counts */
    int32_t stabilized; /* after the windows; -1: windows and policies were passed by */
    int32_t limited;    /* after policies and bounds */
    int32_t rated;      /* likewise, and a reduction held */
    int32_t without;    /* what would run now had advice never raised; the rules look at it. -1: nothing is lent */
    int32_t unadvised;  /* what should be without advice; -1: nothing was decided */
    int32_t metric;     /* index of the deciding metric, -1: none */
    int32_t schedule;   /* index of the schedule whose floor `scheduled` is, -1: none */
    int32_t min;        /* the lower bound in force: min(max, max(minReplicas, scheduled)) */
    uint32_t down_window_s; /* the scale-down window in force */

    uint32_t pods_ready, pods_missing, pods_ignored; /* of the deciding metric, else of the first */
    uint32_t lead_s;
    bool forecast_trusted; /* every metric with a forecast has a trusted one, and there is one */
    bool scaling_active;   /* HPA: the metrics that work gave a count */
    int32_t failed_metric; /* the first that has a problem, -1: none */
    bool foreign_write;    /* spec.replicas is not what we wrote or saw last */
    bool contended;
    uint32_t hold_off_s; /* contended: seconds until the next write; 0: may write */

    struct watch_finding anomaly;
    int32_t set_aside;                 /* what the forecast would have asked for; -1: it was not set aside */
    enum advice_outcome advice;        /* what became of the advice in hand */
    enum advice_trigger ask;           /* why the advisor should be asked now: core_asked() when it is */
    struct advice_situation situation; /* what it would be told; filled where the spec has an advisor */

    uint32_t n_metrics;
    struct core_metric_plan {
        enum core_metric_state state;
        enum core_problem problem;
        int32_t reactive;        /* proposed replicas, -1: none */
        int32_t predicted;       /* whether trusted or not; -1: none */
        int32_t fallback;        /* -1: it is not in fallback */
        uint32_t unknown_s;      /* for how long it has been unknown; counted for metrics with a fallback */
        bool trusted;            /* its forecast is */
        bool within_tolerance;   /* the tolerance is why `reactive` is the current count */
        int32_t current_percent; /* utilisation; -1: not a utilisation, or unknown */
        int64_t current_milli;   /* average per pod, or the value of a Value target; 0 with a problem */
        double demand;           /* < 0: no-data */
        bool censored;           /* `demand` is a lower bound: pods are at their limit */
        double drive;            /* Q, < 0: none */
        double margin;           /* of Q over what is expected */
        double capacity;         /* per pod, in use for Q; 0: unknown */
    } metrics[CORE_MAX_METRICS];

    /* Filled by core_explain(). */
    uint32_t n_stages;
    struct core_stage stages[CORE_MAX_STAGES];
    char message[256]; /* one sentence that a person understands */
};

/* The executor has no room for this scale-down now: it is shown, and not written. core_explain() anew. */
void core_plan_postpone(struct core_plan *plan);

/* ---- state ---- */

struct core_state;

struct core_state *core_state_new(const struct core_spec *spec);
struct core_state *core_state_free(struct core_state *s);

/* One sync. Changes the state; the plan is complete in numbers, core_explain() adds the words. A spec that
 * changed since the last step is taken in (metrics by name: history stays with the name). */
void core_step(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation,
               struct core_plan *plan);

/* How far ahead a decision has to look: until a pod that is asked for at the next sync serves, and the measurement that
 * it would be based on is that old. `startup_s`: measured, 0: not known. */
uint32_t core_lead_s(const struct core_spec *spec, uint32_t startup_s, uint32_t metric_age_s);

/* The half of a step that measures: feeds the series and the trust, decides nothing and touches no window.
 * For warm-up. */
void core_observe(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation);

/* The executor wrote `to` at `time_us`, where `from` was: recorded as a scale event, and as ours. Every write
 * must be told, or the next step takes it for a foreign one. */
void core_applied(const struct core_spec *spec, struct core_state *state, int64_t time_us, int32_t from, int32_t to);

/* The advisor is being asked about `situation`: begins the interval between two calls. */
void core_asked(struct core_state *state, const struct advice_situation *situation, int64_t time_us);
void core_unanswered(struct core_state *state); /* it could not be answered: advice_unanswered() */
void core_spoiled(struct core_state *state);    /* its answer was of no use: advice_spoiled() */
const struct advice_state *core_state_advice(const struct core_state *state); /* borrowed */

/* The live count is taken as it is by the next step: nobody is suspected of having undone a write. For callers that
 * know why it differs (offline: the observation is authoritative). */
void core_adopt(struct core_state *state, int32_t replicas);

/* After a restart or a takeover, before the first step: the live count enters the scale-down window for its
 * full length (into both windows of a state that is new, as in the HPA), and is not taken for a foreign
 * write. */
void core_resume(struct core_state *state, const struct core_spec *spec, int64_t time_us, int32_t replicas);

/* How many pods run because of advice alone, as of the last step and the write that came of it. */
int32_t core_state_lent(const struct core_state *state);
/* After core_resume(), where the status that a leader before us left says that `lent` of `replicas` run because of
 * advice alone: it is newer than a checkpoint that knows of no loan (loan.h). Nothing where the count is another by
 * now. */
void core_lent(struct core_state *state, int64_t time_us, int32_t replicas, int32_t lent);

/* Gives memory back that the next closed slot would make anew (the forest, 300 KiB): for who keeps many states. Changes
 * no plan. */
void core_rest(struct core_state *state);

/* Bytes on the heap, demand included; at rest <= 16 KiB with one forecast metric of 2016 slots. */
size_t core_state_memory(const struct core_state *state);

/* History that comes from elsewhere, for metric `name`; slots before the present only. */
struct demand *core_state_demand(struct core_state *state, const char *metric); /* borrowed; NULL: not forecast */

/* The last decisions, newest last, at most CORE_MAX_DECISIONS. A sync that only repeats the one before (same
 * counts, same reason) is not kept, so that the list reaches far back: each holds until the next. Times are
 * to the second. */
#define CORE_MAX_DECISIONS 288
struct core_decision {
    int64_t time_us;
    int32_t current, desired;
    enum core_reason reason;
};
uint32_t core_state_decisions(const struct core_state *state, struct core_decision *out, uint32_t cap);

/* The whole state in one piece (tests, decide), and split as the checkpoint wants it (demand.h). A tail is <=
 * 5 KiB with one forecast metric and <= 16 KiB with four; a history 8 KiB for each of 2016 slots. Decoding
 * gives NULL and a message for bytes that are not ours, of a newer version or of another checksum; metrics
 * that the spec no longer has are left out, and a history without its tail too. */
void core_state_encode(const struct core_state *state, struct buf *out);
struct core_state *core_state_decode(const struct core_spec *spec, const void *data, size_t len, struct error *err);
void core_state_encode_tail(const struct core_state *state, struct buf *out);
void core_state_encode_history(const struct core_state *state, struct buf *out); /* all closed segments */
int64_t core_state_history_version(const struct core_state *state);              /* changes when a segment closes */
struct core_state *core_state_decode_parts(const struct core_spec *spec, const void *tail, size_t tail_len,
                                           const void *history, size_t history_len, struct error *err);

#endif
