/* What the informers of PredictiveAutoscalers and HPAs keep of an object. */
#include "reconcile/pa_object.h"

#include "api/to_core.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "sources/hpas.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void pa_object_free(struct object *o)
{
    struct pa_object *pa = CONTAINER_OF(o, struct pa_object, object);
    free(pa->target.api_version);
    free(pa->target.kind);
    free(pa->target.name);
    free(pa->problem);
    free(pa->ignored_schedule);
    free(pa->advice);
    for (size_t m = 0; m < CORE_MAX_METRICS; m++)
        free(pa->containers[m]);
    free(pa->spec);
    free(pa);
}

/* Packed: what is in front of the metrics, as many of them as there are, what is behind them up to the schedules, as
 * many of those as there are. */
#define METRICS_AT   offsetof(struct core_spec, metrics)
#define BEHIND_AT    (METRICS_AT + sizeof(((struct core_spec *)NULL)->metrics))
#define SCHEDULES_AT offsetof(struct core_spec, schedules)

static size_t bytes_behind(uint32_t n_schedules)
{
    return SCHEDULES_AT - BEHIND_AT + n_schedules * sizeof(struct core_schedule);
}

static void *pack(const struct core_spec *spec)
{
    size_t metrics = spec->n_metrics * sizeof(spec->metrics[0]), behind = bytes_behind(spec->n_schedules);
    char *packed = xcalloc(1, METRICS_AT + metrics + behind);
    memcpy(packed, spec, METRICS_AT + metrics);
    memcpy(packed + METRICS_AT + metrics, (const char *)spec + BEHIND_AT, behind);
    return packed;
}

void pa_object_spec(const struct pa_object *pa, struct core_spec *ret)
{
    *ret = (struct core_spec){0};
    memcpy(ret, pa->spec, METRICS_AT);
    size_t metrics = ret->n_metrics * sizeof(ret->metrics[0]);
    memcpy(ret->metrics, (const char *)pa->spec + METRICS_AT, metrics);
    const char *behind = (const char *)pa->spec + METRICS_AT + metrics;
    memcpy((char *)ret + BEHIND_AT, behind, bytes_behind(0));
    memcpy(ret->schedules, behind + bytes_behind(0), ret->n_schedules * sizeof(ret->schedules[0]));
}

/* The advisor's account, and the advice in hand: after a restart it is where the next leader goes on. */
static void keep_ledger(struct pa_object *pa, const struct pa_advisor_status *stored)
{
    const struct pa_advisor_budget *b = &stored->budget;
    pa->last_call_us = stored->last_call_us;
    if (stored->id[0]) {
        pa->advice = xcalloc(1, sizeof(*pa->advice));
        *pa->advice = *stored;
    }
    pa->has_ledger = stored->has_budget && b->day_us >= 0 && b->charged >= 0 && b->refunded >= 0;
    if (!pa->has_ledger)
        return;
    pa->ledger = (struct ledger){.day = (int32_t)(b->day_us / (86400 * USEC_PER_SEC)),
                                 .charged = (uint32_t)b->charged,
                                 .refunded = (uint32_t)b->refunded,
                                 .reserved_us = b->reserved_us};
    (void)pa_advice_id_parse(b->reserved_id, &pa->ledger.reserved_id);
}

static void keep_status(struct pa_object *pa, const json_t *root)
{
    if (!json_is_object(json_at(root, "status")))
        return;
    struct pa_status *stored = xcalloc(1, sizeof(*stored));
    pa_status_decode(root, stored);
    pa->has_status = true;
    pa->status_digest = pa_status_digest(stored);
    pa->status_scaled_us = stored->last_scale_us;
    pa->status_current = stored->current_replicas;
    pa->status_desired = stored->desired_replicas;
    pa_conditions_seed(&pa->status_times, stored);
    keep_ledger(pa, &stored->advisor);
    free(stored);
}

/* Which numbers of a pod each metric is about. */
static void keep_resources(struct pa_object *pa, const struct pa_spec *spec)
{
    for (uint32_t m = 0; m < spec->n_metrics && m < CORE_MAX_METRICS; m++) {
        const struct pa_metric *metric = &spec->metrics[m];
        pa->resources[m] = pa_metric_resource(metric) == PA_CPU ? OBSERVE_CPU : OBSERVE_MEMORY;
        if (metric->type == PA_METRIC_CONTAINER_RESOURCE)
            pa->containers[m] = xstrdup(metric->container_resource.container);
    }
    if (spec->n_metrics == 0)
        pa->resources[0] = OBSERVE_CPU; /* the default metric */
}

/* From the UID, so that an object has its own and keeps it. */
static uint64_t seed_of(const char *uid)
{
    struct rng rng;
    rng_seed_bytes(&rng, uid, strlen(uid));
    return rng_next(&rng);
}

/* A spec that breaks a rule (stored under an older CRD) is kept with its problem: its status must say so. */
static void keep_spec(struct pa_object *pa, const json_t *root, const struct reconciler *r)
{
    struct core_spec spec = {0};
    struct pa *decoded = xcalloc(1, sizeof(*decoded));
    struct api_problems problems = {0};
    pa->valid = pa_decode(root, decoded, &problems) == 0;
    pa->paused = decoded->paused;
    pa->paused_unclear = decoded->paused_unclear;
    pa->annotated = decoded->annotated;
    pa->approved_advice = decoded->approved_advice;
    const struct pa_target_ref *ref = &decoded->spec.scale_target_ref;
    pa->target.api_version = xstrdup(pa->valid ? ref->api_version : "");
    pa->target.kind = xstrdup(pa->valid ? ref->kind : "");
    pa->target.name = xstrdup(pa->valid ? ref->name : "");
    if (pa->valid) {
        struct error ignored;
        pa_to_core(decoded, r->config, r->zones, &spec, &ignored);
        spec.anomaly.seed = seed_of(pa->object.meta.uid ? pa->object.meta.uid : "");
        pa->ignored_schedule = ignored.kind == ERROR_NONE ? NULL : xstrdup(error_text(&ignored));
        keep_resources(pa, &decoded->spec);
    } else {
        struct error err = ERROR_INIT;
        (void)api_problems_error(&problems, NULL, &err);
        pa->problem = xstrdup(error_text(&err));
        spec = core_spec_default();
    }
    pa->spec = pack(&spec);
    pa->mode = spec.mode;
    free(decoded);
}

struct object *pa_object_decode(void *data, const char *raw, size_t len, struct error *err)
{
    const struct reconciler *r = data;
    _json_cleanup_ json_t *root = json_parse(raw, len, err);
    if (!root)
        return NULL;
    struct pa_object *pa = xcalloc(1, sizeof(*pa));
    pa->object.refs = 1;
    pa->object.free = pa_object_free;
    if (object_meta_decode(root, &pa->object.meta, err) < 0) {
        free(pa);
        return NULL;
    }
    keep_spec(pa, root, r);
    keep_status(pa, root);
    return &pa->object;
}

struct object *hpa_object_decode(void *data UNUSED, const char *raw, size_t len, struct error *err)
{
    return hpa_decode(raw, len, err);
}
