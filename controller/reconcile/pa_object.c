/* What the informers of PredictiveAutoscalers and HPAs keep of an object. */
#include "reconcile/pa_object.h"

#include "base/alloc.h"
#include "base/str.h"
#include "sources/hpas.h"

#include <stdlib.h>

static void pa_object_free(struct object *o)
{
    free(CONTAINER_OF(o, struct pa_object, object));
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
    free(stored);
}

/* A spec that breaks a rule (stored under an older CRD) is kept with its problem: its status must say so. */
struct object *pa_object_decode(void *data UNUSED, const char *raw, size_t len, struct error *err)
{
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
    struct api_problems problems = {0};
    pa->valid = pa_decode(root, &pa->pa, &problems) == 0;
    if (!pa->valid)
        (void)api_problems_error(&problems, NULL, &pa->problem);
    keep_status(pa, root);
    return &pa->object;
}

struct object *hpa_object_decode(void *data UNUSED, const char *raw, size_t len, struct error *err)
{
    return hpa_decode(raw, len, err);
}

void pa_object_observed(const struct pa_object *pa, struct observed ret[CORE_MAX_METRICS])
{
    ret[0] = (struct observed){.resource = OBSERVE_CPU}; /* the default metric */
    for (uint32_t m = 0; m < pa->pa.spec.n_metrics && m < CORE_MAX_METRICS; m++) {
        const struct pa_metric *metric = &pa->pa.spec.metrics[m];
        ret[m] = (struct observed){.resource = pa_metric_resource(metric) == PA_CPU ? OBSERVE_CPU : OBSERVE_MEMORY};
        if (metric->type == PA_METRIC_CONTAINER_RESOURCE)
            (void)str_copy(ret[m].container, sizeof(ret[m].container), metric->container_resource.container);
    }
}
