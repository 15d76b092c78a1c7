/* One autoscaler's record, and the parts that work on it in turn: reconciler.c keeps the records, sync.c runs
 * a sync, report.c tells the outcome. Private to controller/reconcile. */
#ifndef RECONCILE_AUTOSCALER_H
#define RECONCILE_AUTOSCALER_H

#include "api/config.h"
#include "api/pa.h"
#include "api/status.h"
#include "base/list.h"
#include "kube/recorder.h"
#include "kube/workqueue.h"
#include "reconcile/advice_flow.h"
#include "reconcile/annotated.h"
#include "reconcile/backfill.h"
#include "reconcile/checkpoint.h"
#include "reconcile/expiry.h"
#include "reconcile/observe.h"
#include "reconcile/orphans.h"
#include "reconcile/owners.h"
#include "reconcile/reconciler.h"
#include "reconcile/shrink.h"
#include "reconcile/status_writer.h"
#include "sources/targets.h"

struct reconciler {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    struct metrics *metrics;
    struct rng *rng;
    const struct operator_config *config;
    struct recorder *recorder;
    struct advisor *advisor; /* NULL: there is none */

    struct informer **autoscalers, **hpas; /* one each per namespace that is looked after */
    size_t n_namespaces;
    struct targets *targets;
    struct pods *pods;
    struct pod_metrics *usage;
    struct checkpoints *checkpoints;
    struct expiry *expiry;
    struct orphans *orphans;
    struct status_writer *writer;
    struct annotated *annotated;
    struct backfill *backfill;
    struct owners owners;
    struct tz_cache *zones; /* of the schedules; specs borrow from it */
    struct shrink shrink;
    struct workqueue *queue;
    /* A sync is over: schedules the next one. `again_us` < 0: at the next due time. After the last write of a process
     * that ends: goes on to the checkpoints. */
    void (*sync_done)(struct autoscaler *a, int64_t again_us);
    struct map records;       /* key -> struct autoscaler */
    struct observer observer; /* a decision takes no turn of the loop: one serves all */
    struct loop_timer look;   /* for sync of the caches, and housekeeping */
    int32_t gone_day;         /* of the calls that were charged to autoscalers that are gone: days since 1970, UTC */
    uint64_t gone_calls;
    struct list waiting; /* autoscalers whose turn to load their state has not come */
    unsigned n_loading;  /* of phase STATE_LOADING */
    bool leading, running, stopping;
    void (*stopped)(void *data); /* told when the checkpoints are saved */
    void *stopped_data;
    struct loop_timer last_writes; /* how long a write under way is waited for at the end */
    int64_t stop_by_us;

    struct metrics_family *replicas_desired, *replicas_current, *trusted, *forecast_error, *decisions, *reconciles;
    struct metrics_family *scheduled, *fallback, *anomaly, *advised, *advice_settled;
    struct metrics_series *reconcile_seconds, *shrinks_waiting;
};

/* The cached object: what of a PredictiveAutoscaler is needed after decoding, no more. */
struct pa_object {
    struct object object;
    struct pa_object_target {
        char *api_version, *kind, *name; /* "" when not valid */
    } target;
    void *spec; /* packed, see pa_object_spec(); the core's defaults when not valid */
    enum core_mode mode;
    enum observed_resource resources[CORE_MAX_METRICS];
    char *containers[CORE_MAX_METRICS];     /* NULL: the whole pod */
    char *ignored_schedule;                 /* which one and why; NULL: none is */
    bool paused, paused_unclear, annotated; /* as in struct pa */
    bool valid;
    char *problem; /* which rules the spec breaks; NULL: it is valid */
    /* What the API server has as status: nothing of it need be written again, and a restart is no transition.
     */
    bool has_status;
    struct schema_digest status_digest;
    struct pa_condition_times status_times;
    int64_t status_scaled_us;
    int32_t status_current, status_desired;
    uint64_t approved_advice; /* as in struct pa */
    bool has_ledger;          /* of the advisor's calls, as it is in status */
    struct ledger ledger;
    int64_t last_call_us;
    struct pa_advisor_status *advice; /* as it is in status; NULL: there is none */
};

enum state_phase { STATE_NONE, STATE_LOADING, STATE_READY };

/* What a sync found out besides the plan; report.c makes conditions of it. */
struct finding {
    bool ok;                    /* the plan is of this sync */
    enum target_problem target; /* reading the target */
    struct error target_error;
    struct error usage_error; /* kind NONE: the metrics API answered */
    struct error pods_error;  /* kind NONE: the pods are known */
    struct error lacking;     /* kind NONE: all measured pods have the containers that metrics are about */
    struct error write_error; /* kind NONE: nothing was written, or it went well */
    bool selector_missing;    /* the target's kind has no selector: its pods can't be found */
    bool wrote;
    int64_t shrink_granted_us; /* a place in the shrink budget was taken then; 0: none is */
    int32_t from, to;          /* of the write */
    bool other_owner;          /* another autoscaler owns the target */
    enum owner_kind owner_kind;
    char owner_name[254];
};

/* What is there only while a sync is under way: several KiB, of which a thousand autoscalers need a handful. */
struct sync_work {
    int64_t started_us;    /* CLOCK_BOOTTIME */
    struct core_spec spec; /* as the sync found it, or as the decision did */
    struct observed observed[CORE_MAX_METRICS];
    struct core_plan plan;
    struct finding finding;
};

struct autoscaler {
    struct reconciler *r;
    const char *key; /* the map's */
    char *target_key;
    const struct pa_object *pa;       /* the newest; a reference */
    const struct pa_object *in_force; /* the newest valid one, or `pa` where none has been: a sync that is under way
                                         when the spec breaks ends under the one that it began with; a reference */

    enum state_phase phase;
    struct list wait; /* in `waiting`, or empty */
    struct core_state *state;
    char *state_target_uid; /* the target whose history it is */

    /* the target, as read at this sync */
    struct target_scale scale;
    struct selector *selector;
    char *selector_text;
    bool watching_pods;
    char *written_rv; /* of our last write: an older cache is not believed */
    bool read_live;   /* the next read must be a live one */
    bool reading_live;
    struct {
        bool active;
        int32_t from, to;
    } unsure; /* a write whose answer was lost */

    struct advice_flow *flow; /* NULL: it never had an advisor */
    struct sync_work *work;   /* NULL: no sync is under way */
    bool writing;             /* op_target is the write of the scale: it may happen whatever we do now */
    bool outdated;            /* the spec changed after the decision: it is made again, not carried out */
    bool off;                 /* not evaluated since mode Off: the windows know nothing of the time since */
    int64_t op_target, op_checkpoint, op_writer;
    int64_t due_us;       /* CLOCK_BOOTTIME */
    int64_t last_time_us; /* Unix, of the last observation */
    int64_t last_boot_us; /* CLOCK_BOOTTIME of the same */
    double metric_age_s;

    /* what was told last */
    struct pa_condition_times times;
    char *foreign_writer; /* NULL: not known */
    int64_t scaled_us;    /* Unix, of our last write */
    int32_t told_current, told_desired;
};

/* pa_object.c: the spec as the core wants it. Kept without the metrics and schedules that are not there. */
void pa_object_spec(const struct pa_object *pa, struct core_spec *ret);

/* sync.c */
void sync_take_spec(struct autoscaler *a); /* into `work` */
void sync_begin(struct autoscaler *a);
uint32_t autoscaler_lead_s(const struct autoscaler *a); /* as the next decision will take it */
void sync_abandon(struct autoscaler *a);                /* gives up what is under way; no callback comes any more */

/* report.c: status, conditions, events and metrics of the finding and the plan in `work`. False: too many statuses wait
 * for their turn; the next report tells it. */
bool report_sync(struct autoscaler *a);
void report_done(struct autoscaler *a); /* forgets its metrics */

/* autoscaler.c: borrow from the object */
struct target_ref autoscaler_target(const struct autoscaler *a);
struct object_ref autoscaler_object(const struct autoscaler *a);

#endif
