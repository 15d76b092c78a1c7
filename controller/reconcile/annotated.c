/* From annotations to owned autoscalers; see annotated.h. A record per annotated workload remembers what was
 * applied last, so that the API is written only when the annotation or the object has changed. */
#include "reconcile/annotated.h"

#include "api/annotation.h"
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "reconcile/pa_object.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_US (30 * USEC_PER_SEC)
#define TAKEN_US (60 * USEC_PER_SEC) /* nothing tells us when an object that is not ours has gone */
#define MAX_BODY (512 * 1024)

struct record {
    struct annotated *owner;
    char *kind, *namespace_, *name; /* of the workload */
    char *autoscaler_key;
    char *problem;      /* of the annotation now; NULL: none */
    char *body;         /* applied last; NULL: nothing */
    int64_t generation; /* of the autoscaler when it was applied */
    int64_t request;
    struct loop_timer again;
};

struct annotated {
    struct kube_client *client;
    struct annotated_config config;
    struct recorder *recorder;
    struct log *log;
    struct map records;  /* "kind/namespace/name" -> struct record */
    struct map problems; /* autoscaler key -> its record; borrowed */
    bool paused;
};

static void record_free(void *value)
{
    struct record *r = value;
    loop_timer_disarm(&r->again);
    kube_client_cancel(r->owner->client, r->request);
    (void)map_take(&r->owner->problems, r->autoscaler_key);
    free(r->kind);
    free(r->namespace_);
    free(r->name);
    free(r->autoscaler_key);
    free(r->problem);
    free(r->body);
    free(r);
}

static void look_again(void *data)
{
    struct record *r = data;
    annotated_look(r->owner, r->kind, r->namespace_, r->name);
}

static struct record *record_of(struct annotated *a, const struct workload *w)
{
    const struct object_meta *m = &w->object.meta;
    _cleanup_(freep) char *key = xasprintf("%s/%s/%s", w->kind, m->namespace_, m->name);
    struct record *r = map_get(&a->records, key);
    if (r)
        return r;
    char name[API_NAME_CAP];
    annotation_name(name, w->kind, m->name);
    r = xcalloc(1, sizeof(*r));
    *r = (struct record){.owner = a,
                         .kind = xstrdup(w->kind),
                         .namespace_ = xstrdup(m->namespace_),
                         .name = xstrdup(m->name),
                         .autoscaler_key = xasprintf("%s/%s", m->namespace_, name)};
    loop_timer_init(&r->again, kube_client_loop(a->client), LOOP_NORMAL, look_again, r);
    map_set(&a->records, key, r);
    return r;
}

static const struct pa_object *autoscaler_of(const struct annotated *a, const char *namespace_, const char *name)
{
    for (size_t i = 0; i < a->config.n_informers; i++) {
        const struct object *o = informer_get(a->config.autoscalers[i], namespace_, name);
        if (o)
            return CONTAINER_OF(o, const struct pa_object, object);
    }
    return NULL;
}

static void tell(struct annotated *a, const struct workload *w, const char *reason, const char *note)
{
    const struct object_meta *m = &w->object.meta;
    const struct object_ref self = {
        .api_version = "apps/v1", .kind = w->kind, .namespace_ = m->namespace_, .name = m->name, .uid = m->uid};
    recorder_event(a->recorder, &self, NULL, EVENT_WARNING, reason, "Configure", "%s", note);
}

/* ---- writes ---- */

static void on_written(void *data, const struct kube_response *response, const struct error *err)
{
    struct record *r = data;
    r->request = 0;
    if (!err) { /* the object's change that our own write made is none to answer */
        _json_cleanup_ json_t *root = json_parse(response->body, response->body_len, NULL);
        r->generation = json_int(root, "metadata.generation", r->generation);
        return;
    }
    if (response->code == 404)
        return;
    log_warn(r->owner->log, "the autoscaler of an annotated workload was not written, trying again",
             LOG_S("autoscaler", r->autoscaler_key), LOG_ERR(err));
    free(r->body);
    r->body = NULL;
    loop_timer_arm(&r->again, RETRY_US);
}

static void request_for(struct record *r, enum kube_verb verb, const char *body)
{
    struct buf path = BUF_INIT(4096);
    const char *name = strchr(r->autoscaler_key, '/') + 1;
    resource_path(&path, &resource_predictiveautoscalers, r->namespace_, name, NULL);
    r->request = kube_client_start(r->owner->client, &(struct kube_request){.verb = verb,
                                                                            .path = buf_str(&path),
                                                                            .body = body,
                                                                            .body_len = strlen(body),
                                                                            .force = verb == KUBE_PATCH_APPLY,
                                                                            .done = on_written,
                                                                            .data = r});
    buf_done(&path);
}

static void apply(struct annotated *a, struct record *r, const struct workload *w, const struct pa_object *pa,
                  const char *body)
{
    int64_t generation = pa ? pa->object.meta.generation : 0;
    if (pa && !pa->annotated) {
        _cleanup_(freep) char *note =
            xasprintf("PredictiveAutoscaler %s exists and is not ours (no label " PA_LABEL_SOURCE
                      "): rename it, or remove the annotation",
                      pa->object.meta.name);
        if (!r->body || !streq(r->body, body))
            tell(a, w, "AutoscalerNameTaken", note);
        free(r->body);
        r->body = xstrdup(body);
        loop_timer_arm(&r->again, TAKEN_US);
        return;
    }
    if (pa && r->body && streq(r->body, body) && r->generation == generation)
        return;
    free(r->body);
    r->body = xstrdup(body);
    r->generation = generation;
    request_for(r, KUBE_PATCH_APPLY, body);
}

static void remove_autoscaler(struct record *r, const struct workload *w, const struct pa_object *pa)
{
    if (!pa || !pa->annotated || pa->object.meta.deletion_us != 0 || !pa->object.meta.owner_uid ||
        !streq(pa->object.meta.owner_uid, w->object.meta.uid))
        return;
    _cleanup_(freep) char *body = xasprintf("{\"preconditions\":{\"uid\":\"%s\"}}", pa->object.meta.uid);
    request_for(r, KUBE_DELETE, body);
}

/* ---- the look ---- */

static void set_problem(struct annotated *a, struct record *r, const char *problem)
{
    bool same = r->problem ? problem && streq(r->problem, problem) : !problem;
    if (same)
        return;
    free(r->problem);
    r->problem = xstrdup0(problem);
    if (problem)
        map_set(&a->problems, r->autoscaler_key, r);
    else
        (void)map_take(&a->problems, r->autoscaler_key);
    a->config.changed(a->config.data, r->autoscaler_key);
}

static void look_at(struct annotated *a, const struct workload *w)
{
    const struct object_meta *m = &w->object.meta;
    const struct annotation_workload annotations = {.api_version = "apps/v1",
                                                    .kind = w->kind,
                                                    .namespace_ = m->namespace_,
                                                    .name = m->name,
                                                    .uid = m->uid,
                                                    .enabled = w->annotation_enabled,
                                                    .config = w->annotation_config};
    struct record *r = record_of(a, w);
    if (r->request != 0) {
        loop_timer_arm(&r->again, USEC_PER_SEC / 2);
        return;
    }
    const struct pa_object *pa = autoscaler_of(a, m->namespace_, strchr(r->autoscaler_key, '/') + 1);
    struct buf body = BUF_INIT(MAX_BODY);
    struct error err = ERROR_INIT;
    int asked = annotation_render(&annotations, &body, &err);
    bool new_problem = asked < 0 && (!r->problem || !streq(r->problem, error_text(&err)));
    set_problem(a, r, asked < 0 ? error_text(&err) : NULL);
    if (new_problem)
        tell(a, w, "InvalidAnnotation", error_text(&err));
    else if (asked == ANNOTATION_OFF)
        remove_autoscaler(r, w, pa);
    else if (asked == 0)
        apply(a, r, w, pa, buf_str(&body));
    buf_done(&body);
}

void annotated_look(struct annotated *a, const char *kind, const char *namespace_, const char *name)
{
    if (a->paused)
        return;
    const struct workload *w = targets_workload(a->config.targets, kind, namespace_, name);
    _cleanup_(freep) char *key = xasprintf("%s/%s/%s", kind, namespace_, name);
    if (!w || w->object.meta.deletion_us != 0) {
        (void)map_remove(&a->records, key); /* its autoscaler is collected with it */
        return;
    }
    /* Most workloads never had an annotation: no record for them. */
    if (w->annotation_enabled || map_get(&a->records, key)) {
        look_at(a, w);
        return;
    }
    char owned[API_NAME_CAP];
    annotation_name(owned, kind, name);
    const struct pa_object *pa = autoscaler_of(a, namespace_, owned);
    if (pa && pa->annotated)
        look_at(a, w);
}

static void look_at_workload(void *data, const struct workload *w)
{
    annotated_look(data, w->kind, w->object.meta.namespace_, w->object.meta.name);
}

void annotated_pause(struct annotated *a, bool paused)
{
    a->paused = paused;
    if (!paused)
        targets_each(a->config.targets, look_at_workload, a);
}

const char *annotated_problem(const struct annotated *a, const char *autoscaler_key)
{
    const struct record *r = map_get(&a->problems, autoscaler_key);
    return r ? r->problem : NULL;
}

struct annotated *annotated_new(struct kube_client *client, const struct annotated_config *config,
                                struct recorder *recorder, struct log *log)
{
    struct annotated *a = xcalloc(1, sizeof(*a));
    *a = (struct annotated){.client = client, .config = *config, .recorder = recorder, .log = log, .paused = true};
    map_init(&a->records, record_free);
    map_init(&a->problems, NULL);
    return a;
}

struct annotated *annotated_free(struct annotated *a)
{
    if (!a)
        return NULL;
    map_done(&a->records);
    map_done(&a->problems);
    free(a);
    return NULL;
}
