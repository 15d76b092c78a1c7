/* One sync of one autoscaler, as a chain of asynchronous steps:
 *
 *   read the target -> load the state (once) -> refresh usage -> decide -> ask who else wrote
 *   -> write (GET /scale, PATCH /scale) -> report
 *
 * Each step ends in the next one or in finish(). Nothing is decided on an unsynced cache, and a step that
 * can't get what it needs says so in the finding and holds. */
#include "base/alloc.h"
#include "base/str.h"
#include "core/explain.h"
#include "reconcile/autoscaler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PODS_POLL_US    (USEC_PER_SEC / 2) /* while a namespace's pods are being listed for the first time */
#define RETRY_SOON_US   USEC_PER_SEC       /* the target changed under us: look again */
#define CLOCK_SLEW_US   (5 * USEC_PER_SEC)
#define PARALLEL_LOADS  16   /* answers of some 20 KiB, each copied while it is decoded */
#define METRIC_AGE_S    30.0 /* until some were seen */
#define METRIC_AGE_STEP 15   /* the lead must not jitter with every sample */

static void finish(struct autoscaler *a, int64_t again_us)
{
    (void)report_sync(a); /* what is not taken is told at the next sync */
    a->r->sync_done(a, again_us);
    free(TAKE_PTR(a->work));
}

/* ---- write ---- */

static void remember_write(struct autoscaler *a, int32_t from, int32_t to, const char *resource_version)
{
    int64_t now = loop_real_us(a->r->loop);
    core_applied(&a->work->spec, a->state, MAX(now, a->last_time_us), from, to);
    a->scaled_us = now;
    a->work->finding.wrote = true;
    a->work->finding.from = from;
    a->work->finding.to = to;
    free(a->written_rv);
    a->written_rv = xstrdup0(resource_version);
}

/* A scale-down that certainly did not happen takes no room in the budget. */
static void give_back(struct autoscaler *a, bool maybe_applied)
{
    if (a->work->finding.shrink_granted_us && !maybe_applied)
        shrink_refund(&a->r->shrink, a->work->finding.shrink_granted_us);
    a->work->finding.shrink_granted_us = 0;
}

static void on_written(void *data, const struct target_result *result, const struct error *err)
{
    struct autoscaler *a = data;
    a->op_target = 0;
    a->writing = false;
    if (result->problem == TARGET_OK) {
        remember_write(a, a->scale.spec_replicas, a->work->plan.replicas, result->scale.resource_version);
        finish(a, -1);
        return;
    }
    a->work->finding.write_error = *err;
    a->read_live = true;
    give_back(a, result->maybe_applied);
    if (result->maybe_applied) {
        a->unsure.active = true;
        a->unsure.from = a->scale.spec_replicas;
        a->unsure.to = a->work->plan.replicas;
    }
    /* Someone wrote in between: nothing is wrong, the decision is made again from what is there now. */
    if (result->problem == TARGET_CONFLICT)
        a->work->finding.write_error = ERROR_INIT;
    finish(a, result->problem == TARGET_CONFLICT ? RETRY_SOON_US : -1);
}

/* New bounds, another mode, a pause: what was decided under the old spec is neither written nor told. */
static void decide_anew(struct autoscaler *a)
{
    a->work->finding = (struct finding){.target = TARGET_OK};
    finish(a, 0);
}

/* The decision stands on what the cache said; the write stands on what the server says now. */
static void on_read_before_write(void *data, const struct target_result *result, const struct error *err)
{
    struct autoscaler *a = data;
    a->op_target = 0;
    if (result->problem != TARGET_OK) {
        a->work->finding.write_error = *err;
        a->read_live = true;
        give_back(a, false);
        finish(a, -1);
        return;
    }
    if (result->scale.spec_replicas != a->scale.spec_replicas || !streq(result->scale.uid, a->scale.uid)) {
        a->read_live = true;
        give_back(a, false);
        finish(a, RETRY_SOON_US);
        return;
    }
    if (a->outdated) {
        give_back(a, false);
        decide_anew(a);
        return;
    }
    struct target_ref ref = autoscaler_target(a);
    a->writing = true;
    a->op_target =
        targets_write(a->r->targets, &ref, result->scale.resource_version, a->work->plan.replicas, on_written, a);
}

/* ---- decide ---- */

static void note_metric_age(struct autoscaler *a, const struct core_observation *seen)
{
    double age = observer_sample_age_s(&a->r->observer, seen);
    if (age >= 0 && age < 600)
        a->metric_age_s += (age - a->metric_age_s) / 8;
}

static uint32_t metric_age_s(const struct autoscaler *a)
{
    return (uint32_t)ceil(a->metric_age_s / METRIC_AGE_STEP) * METRIC_AGE_STEP;
}

static uint32_t startup_s(const struct autoscaler *a)
{
    return pods_startup_p90_s(a->r->pods, a->pa->object.meta.namespace_, a->selector_text);
}

uint32_t autoscaler_lead_s(const struct autoscaler *a)
{
    struct core_spec spec;
    pa_object_spec(a->in_force, &spec);
    return core_lead_s(&spec, startup_s(a), metric_age_s(a));
}

static bool other_owner(struct autoscaler *a)
{
    const char *name;
    if (!owners_other(&a->r->owners, a->target_key, a->pa->object.meta.name, &a->work->finding.owner_kind, &name))
        return false;
    (void)str_copy(a->work->finding.owner_name, sizeof(a->work->finding.owner_name), name);
    return true;
}

/* Whether what would be written may be; a scale-down needs room in the budget of all. */
static bool has_room(struct autoscaler *a)
{
    struct reconciler *r = a->r;
    struct sync_work *work = a->work;
    bool lowers = work->plan.write && !work->finding.other_owner && work->plan.direction == CORE_DOWN;
    bool room = true;
    int64_t now_us = loop_now_us(r->loop);
    if (!lowers)
        shrink_leave(&r->shrink, a->key);
    else
        room = shrink_ask(&r->shrink, a->key, now_us, 2 * (int64_t)work->spec.sync_period_s * USEC_PER_SEC,
                          r->records.count);
    metrics_set(r->shrinks_waiting, (double)shrink_waiting(&r->shrink));
    work->finding.shrink_granted_us = lowers && room ? now_us : 0;
    if (!room) {
        core_plan_postpone(&work->plan);
        core_explain(&work->spec, &work->plan);
    }
    return room;
}

/* The plan stands: it is written, unless nothing changes or another autoscaler owns the target. */
static void act(struct autoscaler *a)
{
    if (a->outdated) {
        decide_anew(a);
        return;
    }
    a->work->finding.other_owner = other_owner(a);
    if (!has_room(a) || !a->work->plan.write || a->work->finding.other_owner) {
        finish(a, -1);
        return;
    }
    struct target_ref ref = autoscaler_target(a);
    a->op_target = targets_read(a->r->targets, &ref, true, on_read_before_write, a);
}

static void on_writer(void *data, const char *manager)
{
    struct autoscaler *a = data;
    a->op_writer = 0;
    free(a->foreign_writer);
    a->foreign_writer = *manager ? xstrdup(manager) : NULL;
    act(a);
}

/* The time of an observation; increasing while the wall clock is slewed. Gives whether it was set since the last one. A
 * time that then stood still until the clock has come back would make every sample too old to count. */
static bool take_time(struct autoscaler *a)
{
    int64_t real = loop_real_us(a->r->loop), boot = loop_now_us(a->r->loop);
    int64_t by = real - a->last_time_us - (boot - a->last_boot_us);
    bool set = a->last_time_us != 0 && (by > CLOCK_SLEW_US || by < -CLOCK_SLEW_US);
    a->last_time_us = set ? real : MAX(real, a->last_time_us + 1);
    a->last_boot_us = boot;
    return set;
}

/* The windows begin with the live count, so that nothing is lowered before a whole one has been seen. */
static void resume(struct autoscaler *a)
{
    core_resume(a->state, &a->work->spec, a->last_time_us, a->scale.spec_replicas);
}

static void decide(struct autoscaler *a)
{
    struct reconciler *r = a->r;
    bool set = take_time(a);
    sync_take_spec(a);
    a->outdated = false;
    if (set) {
        log_debug(r->log, "the clock was set", LOG_S("autoscaler", a->key));
        resume(a);
    }
    struct core_observation seen;
    observer_look(&a->r->observer,
                  &(struct observe_input){
                      .spec = &a->work->spec,
                      .observed = a->work->observed,
                      .pods = r->pods,
                      .usage = r->usage,
                      .namespace_ = a->pa->object.meta.namespace_,
                      .selector = a->selector,
                      .scale = &a->scale,
                      .usage_failed = a->work->finding.usage_error.kind != ERROR_NONE,
                      .time_us = a->last_time_us,
                      .metric_age_s = metric_age_s(a),
                      .startup_s = startup_s(a),
                  },
                  &seen);
    a->work->finding.lacking = a->r->observer.lacking;
    note_metric_age(a, &seen);
    advice_flow_observe(a, &seen);
    core_step(&a->work->spec, a->state, &seen, &a->work->plan);
    core_rest(a->state);
    core_explain(&a->work->spec, &a->work->plan);
    if (!other_owner(a)) /* of a target that another one scales, no advice is of use */
        advice_flow_ask(a);
    a->work->finding.ok = true;
    if (!a->work->plan.foreign_write) {
        act(a);
        return;
    }
    /* managedFields name the last writer only: asked before we are that. */
    struct target_ref ref = autoscaler_target(a);
    a->op_writer = targets_writer(r->targets, &ref, on_writer, a);
}

static void on_usage(void *data, const struct error *err)
{
    struct autoscaler *a = data;
    a->work->finding.usage_error = err ? *err : ERROR_INIT;
    decide(a);
}

/* ---- pods and state ---- */

static void need_usage(struct autoscaler *a)
{
    struct reconciler *r = a->r;
    const char *namespace_ = a->pa->object.meta.namespace_;
    if (!pods_synced(r->pods, namespace_)) {
        const struct error *err = pods_error(r->pods, namespace_);
        if (err)
            a->work->finding.pods_error = *err;
        finish(a, err ? -1 : PODS_POLL_US);
        return;
    }
    pod_metrics_interest(r->usage, a->key, namespace_, a->selector_text,
                         (int64_t)a->work->spec.sync_period_s * USEC_PER_SEC);
    pod_metrics_refresh(r->usage, a->key, on_usage, a);
}

/* The state begins: from a checkpoint or anew. */
static void state_ready(struct autoscaler *a, struct core_state *state)
{
    a->state = state ? state : core_state_new(&a->work->spec);
    a->phase = STATE_READY;
    a->off = false;
    free(a->state_target_uid);
    a->state_target_uid = xstrdup(a->scale.uid);
    (void)take_time(a);
    resume(a);
    backfill_ready(a->r->backfill, a->key);
}

/* One load less is under way: the next one in line looks again. */
static void load_ended(struct autoscaler *a, enum state_phase phase)
{
    struct reconciler *r = a->r;
    a->phase = phase;
    r->n_loading--;
    if (list_empty(&r->waiting))
        return;
    struct autoscaler *next = CONTAINER_OF(r->waiting.next, struct autoscaler, wait);
    list_remove(&next->wait);
    workqueue_add(r->queue, next->key);
}

static void on_loaded(void *data, struct core_state *state, const char *note, const struct error *err)
{
    struct autoscaler *a = data;
    a->op_checkpoint = 0;
    load_ended(a, STATE_NONE);
    if (err) {
        log_warn(a->r->log, "the checkpoint could not be read, trying again", LOG_S("autoscaler", a->key),
                 LOG_ERR(err));
        finish(a, 5 * USEC_PER_SEC);
        return;
    }
    log_info(a->r->log, state ? "history restored" : "history starts anew", LOG_S("autoscaler", a->key),
             LOG_S("note", note));
    state_ready(a, state);
    need_usage(a);
}

static struct checkpoint_owner owner_of(const struct autoscaler *a)
{
    const struct pa_object *pa = a->pa;
    return (struct checkpoint_owner){
        .namespace_ = pa->object.meta.namespace_,
        .name = pa->object.meta.name,
        .uid = pa->object.meta.uid,
        .target_kind = a->in_force->target.kind,
        .target_name = a->in_force->target.name,
        .target_uid = a->scale.uid,
        .annotated = pa->annotated,
    };
}

static const struct core_state *current_state(void *data)
{
    const struct autoscaler *a = data;
    return a->phase == STATE_READY ? a->state : NULL;
}

static void need_state(struct autoscaler *a)
{
    struct checkpoint_owner owner = owner_of(a);
    /* A target that was deleted and made anew is another one: its past is not this one's future. */
    if (a->phase == STATE_READY && !streq(a->state_target_uid, a->scale.uid)) {
        log_info(a->r->log, "the target was recreated: its history starts anew", LOG_S("autoscaler", a->key));
        core_state_free(a->state);
        state_ready(a, NULL);
        checkpoints_track(a->r->checkpoints, a->key, &owner, current_state, a);
    }
    if (a->phase == STATE_READY) {
        /* Back from mode Off is like a restart: nothing is lowered before a whole window has been seen. */
        if (a->off) {
            (void)take_time(a);
            resume(a);
        }
        a->off = false;
        need_usage(a);
        return;
    }
    /* After a start thousands want theirs: what all of them took at once would be the most that is ever needed. */
    list_remove(&a->wait);
    if (a->r->n_loading >= PARALLEL_LOADS) {
        list_append(&a->r->waiting, &a->wait);
        finish(a, -1);
        return;
    }
    a->phase = STATE_LOADING;
    a->r->n_loading++;
    checkpoints_track(a->r->checkpoints, a->key, &owner, current_state, a);
    a->op_checkpoint = checkpoints_load(a->r->checkpoints, &owner, &a->work->spec, on_loaded, a);
}

/* ---- target ---- */

static void take_scale(struct autoscaler *a, const struct target_scale *s)
{
    target_scale_done(&a->scale);
    a->scale = (struct target_scale){
        .uid = xstrdup(s->uid),
        .resource_version = xstrdup(s->resource_version),
        .selector = xstrdup(s->selector),
        .spec_replicas = s->spec_replicas,
        .status_replicas = s->status_replicas,
    };
}

static bool take_selector(struct autoscaler *a)
{
    if (a->selector && streq(a->selector_text, a->scale.selector))
        return true;
    struct error err = ERROR_INIT;
    selector_free(a->selector);
    a->selector = *a->scale.selector ? selector_parse(a->scale.selector, &err) : NULL;
    free(a->selector_text);
    a->selector_text = xstrdup(a->scale.selector);
    a->work->finding.selector_missing = a->selector == NULL;
    return a->selector != NULL;
}

/* A write whose answer was lost has happened after all. */
static void settle_unsure_write(struct autoscaler *a)
{
    if (!a->unsure.active || !a->state)
        return;
    a->unsure.active = false;
    if (a->scale.spec_replicas == a->unsure.to)
        remember_write(a, a->unsure.from, a->unsure.to, a->scale.resource_version);
}

static void on_target(void *data, const struct target_result *result, const struct error *err);

static void read_target(struct autoscaler *a, bool live)
{
    struct target_ref ref = autoscaler_target(a);
    a->reading_live = live;
    a->op_target = targets_read(a->r->targets, &ref, live, on_target, a);
}

static void on_target(void *data, const struct target_result *result, const struct error *err)
{
    struct autoscaler *a = data;
    a->op_target = 0;
    if (result->problem != TARGET_OK) {
        a->work->finding.target = result->problem;
        a->work->finding.target_error = *err;
        finish(a, -1);
        return;
    }
    /* Our own write must be seen before the next decision, or it would look like someone else's. */
    if (a->written_rv && resource_version_compare(result->scale.resource_version, a->written_rv) < 0) {
        if (!a->reading_live) {
            read_target(a, true);
            return;
        }
        /* The server itself is behind it: it was restored from a backup, and our write is not there. */
        free(a->written_rv);
        a->written_rv = NULL;
    }
    a->read_live = false;
    take_scale(a, &result->scale);
    if (!take_selector(a)) {
        finish(a, -1);
        return;
    }
    settle_unsure_write(a);
    if (!a->watching_pods) {
        a->watching_pods = true;
        pods_watch(a->r->pods, a->pa->object.meta.namespace_);
    }
    need_state(a);
}

/* Nothing is evaluated any more: no pods, no usage; the history stays. */
static void let_go(struct autoscaler *a)
{
    a->off = true;
    advice_flow_rest(a);
    shrink_leave(&a->r->shrink, a->key);
    pod_metrics_forget(a->r->usage, a->key);
    if (a->watching_pods)
        pods_unwatch(a->r->pods, a->pa->object.meta.namespace_);
    a->watching_pods = false;
}

void sync_take_spec(struct autoscaler *a)
{
    pa_object_spec(a->in_force, &a->work->spec);
    for (size_t m = 0; m < CORE_MAX_METRICS; m++) {
        struct observed *observed = &a->work->observed[m];
        const char *container = a->in_force->containers[m];
        observed->resource = a->in_force->resources[m];
        (void)str_copy(observed->container, sizeof(observed->container), container ? container : "");
    }
}

void sync_begin(struct autoscaler *a)
{
    bool unsure = a->unsure.active;
    a->work = xcalloc(1, sizeof(*a->work));
    sync_take_spec(a);
    a->work->started_us = loop_now_us(a->r->loop);
    a->work->finding.target = TARGET_OK;
    if (a->metric_age_s <= 0)
        a->metric_age_s = METRIC_AGE_S;
    if (a->work->spec.mode == CORE_OFF) {
        let_go(a);
        finish(a, -1);
        return;
    }
    read_target(a, a->read_live || unsure);
}

void sync_abandon(struct autoscaler *a)
{
    struct reconciler *r = a->r;
    targets_cancel(r->targets, a->op_target);
    targets_cancel(r->targets, a->op_writer);
    checkpoints_cancel(r->checkpoints, a->op_checkpoint);
    pod_metrics_cancel(r->usage, a->key);
    a->op_target = a->op_writer = a->op_checkpoint = 0;
    if (a->phase == STATE_LOADING)
        load_ended(a, STATE_NONE);
    a->writing = false;
    free(TAKE_PTR(a->work));
}
