/* The records and their rhythm: informers feed them, the work queue hands them to sync.c, each syncs once per
 * period. */
#include "reconcile/reconciler.h"

#include "base/alloc.h"
#include "base/str.h"
#include "reconcile/autoscaler.h"
#include "reconcile/pa_object.h"
#include "sources/hpas.h"

#include <stdlib.h>
#include <string.h>

#define PARALLEL_SYNCS    1024 /* they wait for the network, not for the processor */
#define TELL_AGAIN_US     (5 * USEC_PER_SEC)
#define LOOK_FAST_US      (USEC_PER_SEC / 4)
#define LOOK_SLOW_US      (600 * USEC_PER_SEC)
#define USAGE_INTERVAL_US (15 * USEC_PER_SEC)
#define LAST_WRITES_US    (4 * USEC_PER_SEC) /* the time limit of a fenced write (client.h) */

/* ---- records ---- */

static void record_free(void *value)
{
    struct autoscaler *a = value;
    struct reconciler *r = a->r;
    sync_abandon(a);
    pod_metrics_forget(r->usage, a->key);
    if (a->watching_pods)
        pods_unwatch(r->pods, a->pa->object.meta.namespace_);
    report_done(a);
    a->flow = advice_flow_free(a->flow);
    list_remove(&a->wait);
    core_state_free(a->state);
    object_unref((struct object *)(uintptr_t)&a->pa->object);
    object_unref((struct object *)(uintptr_t)&a->in_force->object);
    target_scale_done(&a->scale);
    selector_free(a->selector);
    free(a->selector_text);
    free(a->state_target_uid);
    free(a->written_rv);
    free(a->target_key);
    free(a->foreign_writer);
    free(a);
}

static char *key_of(const struct object *o)
{
    struct buf key = BUF_INIT(1024);
    object_key(&key, o->meta.namespace_, o->meta.name);
    return buf_steal(&key);
}

static enum owner_kind owner_kind_of(const struct pa_object *pa)
{
    return pa->annotated ? OWNER_PA_ANNOTATED : OWNER_PA;
}

static void wake_record(void *data, const char *key)
{
    struct reconciler *r = data;
    if (map_get(&r->records, key))
        workqueue_add(r->queue, key);
}

static void wake_by_name(void *data, const char *name)
{
    /* `data` is the reconciler and the namespace, packed by wake_target(). */
    void **args = data;
    struct reconciler *r = args[0];
    _cleanup_(freep) char *key = xasprintf("%s/%s", (const char *)args[1], name);
    wake_record(r, key);
}

/* Everyone who claims this target looks again: its owner may have changed. */
static void wake_target(struct reconciler *r, const char *target_key)
{
    _cleanup_(freep) char *namespace_ = xstrndup(target_key, strcspn(target_key, "/"));
    void *args[2] = {r, namespace_};
    owners_each_pa(&r->owners, target_key, wake_by_name, args);
}

static void record_remove(struct reconciler *r, const char *key)
{
    struct autoscaler *a = map_get(&r->records, key);
    if (!a)
        return;
    _cleanup_(freep) char *target_key = xstrdup0(a->target_key);
    if (target_key)
        owners_release(&r->owners, target_key, owner_kind_of(a->pa), a->pa->object.meta.name);
    checkpoints_untrack(r->checkpoints, key, true);
    shrink_leave(&r->shrink, key);
    status_writer_forget(r->writer, key);
    bool syncing = a->work != NULL;
    sync_abandon(a);
    if (syncing)
        workqueue_finish(r->queue, key);
    workqueue_remove(r->queue, key);
    (void)map_remove(&r->records, key);
    if (target_key)
        wake_target(r, target_key);
}

static struct autoscaler *record_new(struct reconciler *r, const char *key)
{
    struct autoscaler *a = xcalloc(1, sizeof(*a));
    *a = (struct autoscaler){.r = r};
    list_init(&a->wait);
    a->key = map_set(&r->records, key, a);
    return a;
}

static void claim_target(struct autoscaler *a)
{
    struct buf target_key = BUF_INIT(2048);
    struct target_ref ref = autoscaler_target(a);
    owners_target_key(&target_key, ref.namespace_, ref.api_version, ref.kind, ref.name);
    if (!a->target_key)
        a->target_key = buf_steal(&target_key);
    buf_done(&target_key);
    /* One that evaluates nothing scales nothing, and keeps no one else from it. */
    if (a->in_force->mode == CORE_OFF)
        owners_release(&a->r->owners, a->target_key, owner_kind_of(a->pa), a->pa->object.meta.name);
    else
        owners_claim(&a->r->owners, a->target_key, owner_kind_of(a->pa), a->pa->object.meta.name,
                     a->pa->object.meta.creation_us);
    wake_target(a->r, a->target_key);
}

static void replace(const struct pa_object **slot, const struct pa_object *pa)
{
    const struct pa_object *before = *slot;
    *slot = CONTAINER_OF(object_ref(&pa->object), const struct pa_object, object);
    if (before)
        object_unref((struct object *)(uintptr_t)&before->object);
}

static void record_update(struct reconciler *r, const struct pa_object *pa)
{
    _cleanup_(freep) char *key = key_of(&pa->object);
    struct autoscaler *a = map_get(&r->records, key);
    /* Deleted and made anew between two looks: another object under the same name. */
    if (a && !streq(a->pa->object.meta.uid, pa->object.meta.uid)) {
        record_remove(r, key);
        a = NULL;
    }
    bool is_new = a == NULL;
    if (is_new)
        a = record_new(r, key);
    bool same_spec = !is_new && a->pa->object.meta.generation == pa->object.meta.generation &&
                     a->pa->paused == pa->paused && a->pa->annotated == pa->annotated;
    replace(&a->pa, pa);
    if (pa->valid || !a->in_force || !a->in_force->valid)
        replace(&a->in_force, pa);
    /* Until we are the one who tells, what was told last is what the leader wrote. */
    if (is_new || !r->running) {
        a->times = pa->status_times;
        a->scaled_us = pa->status_scaled_us;
        a->told_current = pa->status_current;
        a->told_desired = pa->status_desired;
        advice_flow_seed(a, pa);
    }
    advice_flow_seen(a, pa);
    if (pa->has_status)
        status_writer_seen(r->writer, key, &pa->status_digest);
    if (same_spec)
        return; /* our own status, most likely */
    if (pa->valid)
        claim_target(a);
    a->outdated = true;
    workqueue_add(r->queue, key);
}

static void on_autoscaler(void *data, enum informer_event event, const struct object *now,
                          const struct object *old UNUSED)
{
    struct reconciler *r = data;
    if (event == INFORMER_DELETED) {
        _cleanup_(freep) char *key = key_of(now);
        record_remove(r, key);
    } else {
        record_update(r, CONTAINER_OF(now, const struct pa_object, object));
    }
    if (now->meta.owner_kind)
        annotated_look(r->annotated, now->meta.owner_kind, now->meta.namespace_, now->meta.owner_name);
}

static void claim_by_hpa(struct reconciler *r, const struct object *o, bool release)
{
    const struct hpa *h = CONTAINER_OF(o, const struct hpa, object);
    struct buf key = BUF_INIT(2048);
    owners_target_key(&key, o->meta.namespace_, h->api_version, h->kind, h->name);
    if (release)
        owners_release(&r->owners, buf_str(&key), OWNER_HPA, o->meta.name);
    else
        owners_claim(&r->owners, buf_str(&key), OWNER_HPA, o->meta.name, o->meta.creation_us);
    wake_target(r, buf_str(&key));
    buf_done(&key);
}

static void on_hpa(void *data, enum informer_event event, const struct object *now, const struct object *old)
{
    if (old)
        claim_by_hpa(data, old, true);
    claim_by_hpa(data, now, event == INFORMER_DELETED);
}

static void on_workload(void *data, enum informer_event event, const struct workload *now,
                        const struct workload *old UNUSED)
{
    struct reconciler *r = data;
    annotated_look(r->annotated, now->kind, now->object.meta.namespace_, now->object.meta.name);
    if (event == INFORMER_UPDATED)
        return;
    struct buf key = BUF_INIT(2048);
    owners_target_key(&key, now->object.meta.namespace_, "apps/v1", now->kind, now->object.meta.name);
    wake_target(r, buf_str(&key));
    buf_done(&key);
}

/* ---- the rhythm ---- */

static void process(void *data, const char *key)
{
    struct reconciler *r = data;
    struct autoscaler *a = map_get(&r->records, key);
    if (!a || a->pa->object.meta.deletion_us != 0) {
        workqueue_finish(r->queue, key);
        return;
    }
    if (!a->pa->valid) {
        advice_flow_rest(a);
        a->work = xcalloc(1, sizeof(*a->work));
        sync_take_spec(a);
        a->work->finding.target = TARGET_OK;
        bool told = report_sync(a);
        free(TAKE_PTR(a->work));
        workqueue_finish(r->queue, key); /* until it is changed */
        if (!told)
            workqueue_add_after(r->queue, a->key, TELL_AGAIN_US);
        return;
    }
    sync_begin(a);
}

static void save_when_written(struct reconciler *r);

static void sync_done(struct autoscaler *a, int64_t again_us)
{
    struct reconciler *r = a->r;
    int64_t now = loop_now_us(r->loop), period = (int64_t)a->work->spec.sync_period_s * USEC_PER_SEC;
    bool failed = a->work->finding.target != TARGET_OK || a->work->finding.write_error.kind != ERROR_NONE;
    metrics_add(metrics_get(r->reconciles, "predictiveautoscaler", failed ? "error" : "requeue_after", NULL), 1);
    metrics_observe(r->reconcile_seconds, (double)(now - a->work->started_us) / 1e6);
    /* The first period is shortened by chance, so that autoscalers that came together don't sync together for
     * ever. */
    if (a->due_us == 0)
        a->due_us = now - (int64_t)rng_below(r->rng, (uint64_t)period / 2);
    while (a->due_us <= now)
        a->due_us += period;
    if (a->due_us - now > period) /* the period was shortened */
        a->due_us = now + period;
    int64_t wait = a->due_us - now;
    if (again_us >= 0)
        wait = MIN(wait, again_us);
    workqueue_forget(r->queue, a->key);
    workqueue_finish(r->queue, a->key);
    workqueue_add_after(r->queue, a->key, wait);
    if (r->stopping)
        save_when_written(r);
}

/* What autoscalers that are gone have left. */
static void collect(struct reconciler *r)
{
    expiry_collect(r->expiry);
    orphans_look(r->orphans);
}

static void let_run(struct reconciler *r)
{
    r->running = true;
    annotated_pause(r->annotated, false);
    backfill_pause(r->backfill, false);
    workqueue_pause(r->queue, false);
    collect(r);
}

static void look(void *data)
{
    struct reconciler *r = data;
    if (!r->running && r->leading && !r->stopping && reconciler_synced(r))
        let_run(r);
    else if (r->running)
        collect(r);
    if (r->leading) /* a standby has nothing to look for */
        loop_timer_arm(&r->look, r->running ? LOOK_SLOW_US : LOOK_FAST_US);
}

static struct core_state *state_of(void *data, const char *key)
{
    struct reconciler *r = data;
    struct autoscaler *a = map_get(&r->records, key);
    return a && a->phase == STATE_READY ? a->state : NULL;
}

static const char *uid_of(void *data, const char *key)
{
    struct reconciler *r = data;
    const struct autoscaler *a = map_get(&r->records, key);
    return a ? a->pa->object.meta.uid : NULL;
}

static uint32_t lead_of(void *data, const char *key)
{
    struct reconciler *r = data;
    struct autoscaler *a = map_get(&r->records, key);
    return a ? autoscaler_lead_s(a) : 0;
}

static void on_imported(void *data, const char *key, uint32_t samples)
{
    struct reconciler *r = data;
    log_info(r->log, "history imported", LOG_S("autoscaler", key), LOG_I("samples", samples));
    checkpoints_save_soon(r->checkpoints, key);
    workqueue_add(r->queue, key);
}

/* ---- the end ---- */

static void on_flushed(void *data, size_t written, size_t left)
{
    struct reconciler *r = data;
    log_info(r->log, "checkpoints saved", LOG_I("written", written), LOG_I("left", left));
    r->stopped(r->stopped_data);
}

/* Also those that write, or all but those. */
static void abandon_syncs(struct reconciler *r, bool writing)
{
    struct map_iter it = map_iter(&r->records);
    for (struct map_entry *e; (e = map_next(&r->records, &it)) != NULL;) {
        struct autoscaler *a = e->value;
        if (!a->work || (a->writing && !writing))
            continue;
        sync_abandon(a);
        workqueue_finish(r->queue, a->key);
    }
}

/* Once no write is under way: what it did is in the states that are saved now. */
static void save_when_written(struct reconciler *r)
{
    struct map_iter it = map_iter(&r->records);
    for (struct map_entry *e; (e = map_next(&r->records, &it)) != NULL;)
        if (((const struct autoscaler *)e->value)->writing)
            return;
    loop_timer_disarm(&r->last_writes);
    int64_t left_us = r->stop_by_us - loop_now_us(r->loop);
    checkpoints_flush(r->checkpoints, MAX(left_us, 0), on_flushed, r);
}

static void give_up_writes(void *data)
{
    struct reconciler *r = data;
    log_warn(r->log, "a write of a scale was not answered in time: it may have happened");
    abandon_syncs(r, true);
    save_when_written(r);
}

/* ---- life ---- */

static void add_informers(struct reconciler *r, const char *namespace_)
{
    const struct informer_config autoscalers = {.resource = &resource_predictiveautoscalers,
                                                .namespace_ = namespace_,
                                                .decode = pa_object_decode,
                                                .handler = on_autoscaler,
                                                .data = r};
    const struct informer_config hpas = {.resource = &resource_hpas,
                                         .namespace_ = namespace_,
                                         .decode = hpa_object_decode,
                                         .handler = on_hpa,
                                         .data = r};
    size_t n = r->n_namespaces++;
    r->autoscalers = xreallocarray(r->autoscalers, n + 1, sizeof(*r->autoscalers));
    r->hpas = xreallocarray(r->hpas, n + 1, sizeof(*r->hpas));
    r->autoscalers[n] = informer_new(r->client, &autoscalers, r->log, r->metrics);
    r->hpas[n] = informer_new(r->client, &hpas, r->log, r->metrics);
}

static void register_metrics(struct reconciler *r)
{
    r->reconciles = metrics_family(r->metrics, METRICS_COUNTER, "controller_runtime_reconcile_total",
                                   "Total number of reconciliations per controller.", "controller,result", NULL, 0);
    r->reconcile_seconds =
        metrics_get(metrics_family(r->metrics, METRICS_HISTOGRAM, "controller_runtime_reconcile_time_seconds",
                                   "Length of time per reconciliation per controller.", "controller",
                                   metrics_buckets_reconcile, ARRAY_SIZE(metrics_buckets_reconcile)),
                    "predictiveautoscaler", NULL);
    r->replicas_desired = metrics_family(r->metrics, METRICS_GAUGE, "ai4k8s_desired_replicas",
                                         "Replicas that the autoscaler wants.", "namespace,name", NULL, 0);
    r->replicas_current = metrics_family(r->metrics, METRICS_GAUGE, "ai4k8s_current_replicas",
                                         "Replicas that the target's spec has.", "namespace,name", NULL, 0);
    r->trusted = metrics_family(r->metrics, METRICS_GAUGE, "ai4k8s_forecast_trusted",
                                "1 while the forecast is trusted and drives.", "namespace,name", NULL, 0);
    r->forecast_error = metrics_family(r->metrics, METRICS_GAUGE, "ai4k8s_forecast_error_ratio",
                                       "Mean absolute error of the last finished forecasts, relative to the demand.",
                                       "namespace,name", NULL, 0);
    r->decisions = metrics_family(r->metrics, METRICS_COUNTER, "ai4k8s_rescales_total",
                                  "Replica counts that were written.", "direction,reason", NULL, 0);
    r->scheduled = metrics_family(r->metrics, METRICS_GAUGE, "ai4k8s_scheduled_replicas",
                                  "Floor of the schedules that are active; 0: none is.", "namespace,name", NULL, 0);
    r->fallback =
        metrics_family(r->metrics, METRICS_GAUGE, "ai4k8s_fallback_active",
                       "1 while a metric is unknown for so long that its fallback counts.", "namespace,name", NULL, 0);
    r->anomaly = metrics_family(r->metrics, METRICS_GAUGE, "ai4k8s_anomaly_active",
                                "1 while the demand is unlike what is remembered.", "namespace,name", NULL, 0);
    r->advised = metrics_family(r->metrics, METRICS_GAUGE, "ai4k8s_advised_replicas",
                                "Replicas that the advice in hand asks for, inside of its limits; 0: there is none.",
                                "namespace,name", NULL, 0);
    r->advice_settled = metrics_family(r->metrics, METRICS_COUNTER, "ai4k8s_advisor_settled_calls_total",
                                       "Calls of the advisor by how they were settled, charged or refunded, and why.",
                                       "how,why", NULL, 0);
    r->shrinks_waiting = metrics_get(metrics_family(r->metrics, METRICS_GAUGE, "ai4k8s_shrinks_waiting",
                                                    "Targets that wait for room in the shrink budget.", "", NULL, 0),
                                     NULL);
    struct metrics_family *all[] = {r->replicas_desired, r->replicas_current, r->trusted, r->forecast_error,
                                    r->scheduled,        r->fallback,         r->anomaly, r->advised};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        metrics_limit(all[i], 10000);
}

struct reconciler *reconciler_new(struct kube_client *client, const struct reconciler_config *config, struct log *log,
                                  struct metrics *metrics, struct rng *rng)
{
    struct reconciler *r = xcalloc(1, sizeof(*r));
    *r = (struct reconciler){.client = client,
                             .loop = kube_client_loop(client),
                             .log = log,
                             .metrics = metrics,
                             .rng = rng,
                             .config = config->config,
                             .recorder = config->recorder,
                             .advisor = config->advisor};
    map_init(&r->records, record_free);
    list_init(&r->waiting);
    owners_init(&r->owners);
    r->sync_done = sync_done;
    shrink_init(&r->shrink, (uint32_t)config->config->shrinks_per_minute);
    r->zones = tz_cache_new(NULL);
    loop_timer_init(&r->look, r->loop, LOOP_NORMAL, look, r);
    loop_timer_init(&r->last_writes, r->loop, LOOP_NORMAL, give_up_writes, r);
    register_metrics(r);
    for (size_t i = 0; config->namespaces && config->namespaces[i]; i++)
        add_informers(r, config->namespaces[i]);
    if (!config->namespaces)
        add_informers(r, NULL);
    const struct targets_config targets = {.namespaces = config->namespaces, .on_workload = on_workload, .data = r};
    r->targets = targets_new(client, &targets, log, metrics);
    r->pods = pods_new(client, log, metrics);
    r->usage = pod_metrics_new(client, r->pods, USAGE_INTERVAL_US, log, metrics);
    const struct checkpoints_config checkpoints = {.interval_us =
                                                       (int64_t)r->config->checkpoint_interval_s * USEC_PER_SEC,
                                                   .writes_per_second = r->config->checkpoint_writes_per_second};
    r->checkpoints = checkpoints_new(client, &checkpoints, log, metrics, rng);
    r->expiry = expiry_new(client, config->namespaces, log);
    r->orphans =
        orphans_new(client, &(struct orphans_config){.namespaces = config->namespaces, .uid = uid_of, .data = r}, log);
    r->writer = status_writer_new(client, r->config->status_writes_per_second, log, metrics);
    const struct annotated_config annotated = {.targets = r->targets,
                                               .autoscalers = r->autoscalers,
                                               .n_informers = r->n_namespaces,
                                               .changed = wake_record,
                                               .data = r};
    r->annotated = annotated_new(client, &annotated, r->recorder, log);
    const struct backfill_config backfill = {.namespaces = config->namespaces,
                                             .state = state_of,
                                             .uid = uid_of,
                                             .lead_s = lead_of,
                                             .imported = on_imported,
                                             .data = r};
    r->backfill = backfill_new(client, &backfill, r->recorder, log, metrics);
    r->queue = workqueue_new(r->loop, "predictiveautoscaler", PARALLEL_SYNCS, process, r, metrics);
    workqueue_pause(r->queue, true);
    backfill_pause(r->backfill, true);
    return r;
}

struct reconciler *reconciler_free(struct reconciler *r)
{
    if (!r)
        return NULL;
    loop_timer_disarm(&r->look);
    loop_timer_disarm(&r->last_writes);
    map_done(&r->records);
    observer_done(&r->observer);
    workqueue_free(r->queue);
    backfill_free(r->backfill);
    annotated_free(r->annotated);
    status_writer_free(r->writer);
    orphans_free(r->orphans);
    expiry_free(r->expiry);
    checkpoints_free(r->checkpoints);
    pod_metrics_free(r->usage);
    pods_free(r->pods);
    targets_free(r->targets);
    for (size_t i = 0; i < r->n_namespaces; i++) {
        informer_free(r->autoscalers[i]);
        informer_free(r->hpas[i]);
    }
    free(r->autoscalers);
    free(r->hpas);
    owners_done(&r->owners);
    shrink_done(&r->shrink);
    tz_cache_free(r->zones);
    free(r);
    return NULL;
}

void reconciler_start(struct reconciler *r)
{
    for (size_t i = 0; i < r->n_namespaces; i++) {
        informer_start(r->autoscalers[i]);
        informer_start(r->hpas[i]);
    }
    targets_start(r->targets);
    backfill_start(r->backfill);
}

static void name_unsynced(struct buf *out, const char *what, bool synced, const struct error *err)
{
    if (!synced)
        (void)buf_printf(out, "%s: %s\n", what, err ? error_text(err) : "the first list is under way");
}

void reconciler_unsynced(const struct reconciler *r, struct buf *out)
{
    for (size_t i = 0; i < r->n_namespaces; i++) {
        name_unsynced(out, "predictiveautoscalers", informer_synced(r->autoscalers[i]),
                      informer_error(r->autoscalers[i]));
        name_unsynced(out, "horizontalpodautoscalers", informer_synced(r->hpas[i]), informer_error(r->hpas[i]));
    }
    name_unsynced(out, "deployments and statefulsets", targets_synced(r->targets), targets_error(r->targets));
    name_unsynced(out, "predictiveautoscalercheckpoints", backfill_synced(r->backfill), NULL);
}

bool reconciler_synced(const struct reconciler *r)
{
    struct buf out = BUF_INIT(16 * 1024);
    reconciler_unsynced(r, &out);
    bool synced = out.len == 0;
    buf_done(&out);
    return synced;
}

void reconciler_lead(struct reconciler *r)
{
    r->leading = true;
    shrink_empty(&r->shrink, loop_now_us(r->loop));
    loop_timer_arm(&r->look, 0);
}

void reconciler_stop(struct reconciler *r, int64_t budget_us, void (*done)(void *data), void *data)
{
    r->stopping = true;
    workqueue_pause(r->queue, true);
    annotated_pause(r->annotated, true);
    backfill_pause(r->backfill, true);
    abandon_syncs(r, false);
    r->stopped = done;
    r->stopped_data = data;
    r->stop_by_us = loop_now_us(r->loop) + (r->running ? budget_us : 0);
    loop_timer_arm(&r->last_writes, MIN(LAST_WRITES_US, budget_us));
    save_when_written(r);
}
