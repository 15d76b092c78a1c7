/* Reading and writing scale targets; see targets.h. Each read or write is an operation with an id; watched
 * kinds answer from the cache, others by GET /scale, after a look at the discovery document of their group
 * where the kind is new. */
#include "sources/targets.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "sources/scale_decode.h"

#include <stdlib.h>
#include <string.h>

#define DISCOVERY_RETRY_US (20 * USEC_PER_SEC)
#define MAX_KINDS          1024 /* a cache: above it, it begins anew */

/* What discovery says of "group/version/Kind". */
struct kind_info {
    char *plural; /* NULL: there is no such kind */
    bool namespaced, scalable;
    int64_t asked_us;
};

enum operation_type { OP_READ, OP_WRITE, OP_WRITER };

struct operation {
    struct list node;
    struct targets *owner;
    int64_t id;
    enum operation_type type;
    char *api_version, *kind, *namespace_, *name;
    bool from_cache;
    char *resource_version; /* OP_WRITE */
    int32_t replicas;
    int64_t request; /* at the client, 0: none under way */
    struct loop_timer later;
    enum target_problem problem; /* what `later` reports when it is not the cache's turn */
    struct error error;
    target_fn *done;
    void (*done_writer)(void *data, const char *manager);
    void *data;
};

struct targets {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    void (*on_workload)(void *data, enum informer_event event, const struct workload *now, const struct workload *old);
    void *data;
    struct informer **informers; /* Deployments and StatefulSets by turns, one pair per namespace */
    size_t n_informers;
    struct map kinds; /* "group/version/Kind" -> struct kind_info */
    struct list operations;
    int64_t next_id;
};

static void kind_info_free(void *value)
{
    struct kind_info *k = value;
    free(k->plural);
    free(k);
}

/* ---- watched workloads ---- */

static struct object *decode_deployment(void *data UNUSED, const char *raw, size_t len, struct error *err)
{
    return workload_decode("Deployment", raw, len, err);
}

static struct object *decode_statefulset(void *data UNUSED, const char *raw, size_t len, struct error *err)
{
    return workload_decode("StatefulSet", raw, len, err);
}

static void on_change(void *data, enum informer_event event, const struct object *now, const struct object *old)
{
    struct targets *t = data;
    if (t->on_workload)
        t->on_workload(t->data, event, CONTAINER_OF(now, const struct workload, object),
                       old ? CONTAINER_OF(old, const struct workload, object) : NULL);
}

static void add_informers(struct targets *t, const char *namespace_, struct log *log, struct metrics *metrics)
{
    static const struct {
        const struct resource *resource;
        struct object *(*decode)(void *data, const char *raw, size_t len, struct error *err);
    } kinds[] = {{&resource_deployments, decode_deployment}, {&resource_statefulsets, decode_statefulset}};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct informer_config config = {.resource = kinds[i].resource,
                                               .namespace_ = namespace_,
                                               .decode = kinds[i].decode,
                                               .handler = on_change,
                                               .data = t};
        t->informers = xreallocarray(t->informers, t->n_informers + 1, sizeof(*t->informers));
        t->informers[t->n_informers++] = informer_new(t->client, &config, log, metrics);
    }
}

struct targets *targets_new(struct kube_client *client, const struct targets_config *config, struct log *log,
                            struct metrics *metrics)
{
    struct targets *t = xcalloc(1, sizeof(*t));
    *t = (struct targets){.client = client,
                          .loop = kube_client_loop(client),
                          .log = log,
                          .on_workload = config->on_workload,
                          .data = config->data,
                          .next_id = 1};
    map_init(&t->kinds, kind_info_free);
    list_init(&t->operations);
    for (size_t i = 0; config->namespaces && config->namespaces[i]; i++)
        add_informers(t, config->namespaces[i], log, metrics);
    if (!config->namespaces)
        add_informers(t, NULL, log, metrics);
    return t;
}

static void operation_free(struct operation *op)
{
    list_remove(&op->node);
    loop_timer_disarm(&op->later);
    free(op->api_version);
    free(op->kind);
    free(op->namespace_);
    free(op->name);
    free(op->resource_version);
    free(op);
}

struct targets *targets_free(struct targets *t)
{
    if (!t)
        return NULL;
    list_for_each_safe (it, after, &t->operations) {
        struct operation *op = CONTAINER_OF(it, struct operation, node);
        kube_client_cancel(t->client, op->request);
        operation_free(op);
    }
    for (size_t i = 0; i < t->n_informers; i++)
        informer_free(t->informers[i]);
    free(t->informers);
    map_done(&t->kinds);
    free(t);
    return NULL;
}

void targets_start(struct targets *t)
{
    for (size_t i = 0; i < t->n_informers; i++)
        informer_start(t->informers[i]);
}

bool targets_synced(const struct targets *t)
{
    for (size_t i = 0; i < t->n_informers; i++)
        if (!informer_synced(t->informers[i]))
            return false;
    return true;
}

const struct error *targets_error(const struct targets *t)
{
    for (size_t i = 0; i < t->n_informers; i++)
        if (informer_error(t->informers[i]))
            return informer_error(t->informers[i]);
    return NULL;
}

const struct workload *targets_workload(const struct targets *t, const char *kind, const char *namespace_,
                                        const char *name)
{
    for (size_t i = 0; i < t->n_informers; i++) {
        const struct object *o = informer_get(t->informers[i], namespace_, name);
        const struct workload *w = o ? CONTAINER_OF(o, const struct workload, object) : NULL;
        if (w && streq(w->kind, kind))
            return w;
    }
    return NULL;
}

struct each {
    void (*fn)(void *data, const struct workload *w);
    void *data;
};

static void each_one(void *data, const struct object *o)
{
    struct each *e = data;
    e->fn(e->data, CONTAINER_OF(o, const struct workload, object));
}

void targets_each(const struct targets *t, void (*fn)(void *data, const struct workload *w), void *data)
{
    struct each e = {fn, data};
    for (size_t i = 0; i < t->n_informers; i++)
        informer_each(t->informers[i], NULL, each_one, &e);
}

/* ---- operations ---- */

static bool is_watched_kind(const char *api_version, const char *kind)
{
    return streq(api_version, "apps/v1") && (streq(kind, "Deployment") || streq(kind, "StatefulSet"));
}

static struct operation *operation_new(struct targets *t, enum operation_type type, const struct target_ref *ref,
                                       void *data, void (*later)(void *data))
{
    struct operation *op = xcalloc(1, sizeof(*op));
    *op = (struct operation){.owner = t,
                             .id = t->next_id++,
                             .type = type,
                             .api_version = xstrdup(ref->api_version),
                             .kind = xstrdup(ref->kind),
                             .namespace_ = xstrdup(ref->namespace_),
                             .name = xstrdup(ref->name),
                             .data = data};
    loop_timer_init(&op->later, t->loop, LOOP_NORMAL, later, op);
    list_append(&t->operations, &op->node);
    return op;
}

/* The end of an operation: it is gone before its callback runs, which may start another. */
static void finish(struct operation *op, struct target_result *result, const struct error *err)
{
    target_fn *done = op->done;
    void (*done_writer)(void *data, const char *manager) = op->done_writer;
    void *data = op->data;
    enum operation_type type = op->type;
    operation_free(op);
    if (type == OP_WRITER)
        done_writer(data, "");
    else
        done(data, result, err);
}

static void fail(struct operation *op, enum target_problem problem, const struct error *err)
{
    struct target_result result = {.problem = problem};
    struct error copy = *err;
    finish(op, &result, &copy);
}

static enum target_problem problem_of(const struct kube_response *response)
{
    switch (response->code) {
    case 403:
        return TARGET_FORBIDDEN;
    case 404:
        return TARGET_NOT_FOUND;
    case 409:
        return TARGET_CONFLICT;
    default:
        return TARGET_FAILED;
    }
}

static void on_scale(void *data, const struct kube_response *response, const struct error *err)
{
    struct operation *op = data;
    op->request = 0;
    struct target_result result = {.problem = TARGET_OK, .maybe_applied = response->maybe_applied};
    struct error local = err ? *err : ERROR_INIT;
    if (!err && scale_decode(response->body, response->body_len, &result.scale, &local) < 0)
        result.problem = TARGET_FAILED;
    if (err) {
        result.problem = problem_of(response);
        /* The kind may have gone, or lost its /scale: ask discovery again next time. */
        if (result.problem == TARGET_NOT_FOUND) {
            _cleanup_(freep) char *key = xasprintf("%s/%s", op->api_version, op->kind);
            (void)map_remove(&op->owner->kinds, key);
        }
    }
    if (result.problem != TARGET_OK)
        (void)error_wrap(&local, "%s %s %s/%s", op->type == OP_WRITE ? "scaling" : "reading the scale of", op->kind,
                         op->namespace_, op->name);
    struct target_scale scale = result.scale;
    finish(op, &result, result.problem == TARGET_OK ? NULL : &local);
    target_scale_done(&scale);
}

static void send_scale_request(struct operation *op, const char *plural)
{
    const char *slash = strchr(op->api_version, '/');
    _cleanup_(freep) char *group = slash ? xstrndup(op->api_version, (size_t)(slash - op->api_version)) : xstrdup("");
    const struct resource resource = {.group = group,
                                      .version = slash ? slash + 1 : op->api_version,
                                      .plural = plural,
                                      .kind = op->kind,
                                      .namespaced = true};
    struct buf path = BUF_INIT(8192), body = BUF_INIT(8192);
    resource_path(&path, &resource, op->namespace_, op->name, "scale");
    if (op->type == OP_WRITE) {
        struct json_emit j = json_emit(&body);
        json_open(&j, NULL, '{');
        json_open(&j, "metadata", '{');
        json_emit_str(&j, "resourceVersion", op->resource_version);
        json_close(&j, '}');
        json_open(&j, "spec", '{');
        json_emit_int(&j, "replicas", op->replicas);
        json_close(&j, '}');
        json_close(&j, '}');
    }
    op->request = kube_client_start(op->owner->client,
                                    &(struct kube_request){
                                        .verb = op->type == OP_WRITE ? KUBE_PATCH_MERGE : KUBE_GET,
                                        .path = buf_str(&path),
                                        .body = body.data,
                                        .body_len = body.len,
                                        .timeout_us = op->type == OP_WRITE ? 4 * USEC_PER_SEC : 10 * USEC_PER_SEC,
                                        .max_body = 1 << 20,
                                        .done = on_scale,
                                        .data = op,
                                    });
    buf_done(&path);
    buf_done(&body);
}

/* ---- discovery ---- */

static void use_kind(struct operation *op, const struct kind_info *kind)
{
    struct error err = ERROR_INIT;
    if (!kind->plural)
        (void)error_set(&err, ERROR_API, "there is no kind %s in %s: is its CustomResourceDefinition installed?",
                        op->kind, op->api_version);
    else if (!kind->namespaced || !kind->scalable)
        (void)error_set(&err, ERROR_API, "%s of %s has no /scale subresource, so it can't be scaled", op->kind,
                        op->api_version);
    if (err.kind != ERROR_NONE)
        fail(op, TARGET_NO_SCALE, &err);
    else
        send_scale_request(op, kind->plural);
}

static void on_discovery(void *data, const struct kube_response *response, const struct error *err)
{
    struct operation *op = data;
    struct targets *t = op->owner;
    struct error local = err ? *err : ERROR_INIT;
    op->request = 0;
    struct kind_info *kind = xcalloc(1, sizeof(*kind));
    kind->asked_us = loop_now_us(t->loop);
    int r = err ? -1
                : discovery_find_kind(response->body, response->body_len, op->kind, &kind->plural, &kind->namespaced,
                                      &kind->scalable, &local);
    if (r < 0 && response->code != 404) {
        kind_info_free(kind);
        (void)error_wrap(&local, "asking what %s is", op->api_version);
        fail(op, problem_of(response), &local);
        return;
    }
    _cleanup_(freep) char *key = xasprintf("%s/%s", op->api_version, op->kind);
    if (t->kinds.count >= MAX_KINDS)
        map_clear(&t->kinds);
    map_set(&t->kinds, key, kind);
    use_kind(op, kind);
}

static void discover(struct operation *op)
{
    struct targets *t = op->owner;
    _cleanup_(freep) char *key = xasprintf("%s/%s", op->api_version, op->kind);
    const struct kind_info *kind = map_get(&t->kinds, key);
    bool usable = kind && kind->plural && kind->scalable;
    if (kind && (usable || loop_now_us(t->loop) - kind->asked_us < DISCOVERY_RETRY_US)) {
        use_kind(op, kind);
        return;
    }
    struct buf path = BUF_INIT(1024);
    (void)buf_puts(&path, strchr(op->api_version, '/') ? "/apis/" : "/api/");
    const char *slash = strchr(op->api_version, '/');
    if (slash) {
        _cleanup_(freep) char *group = xstrndup(op->api_version, (size_t)(slash - op->api_version));
        str_url_escape(&path, group);
        (void)buf_putc(&path, '/');
    }
    str_url_escape(&path, slash ? slash + 1 : op->api_version);
    op->request = kube_client_start(t->client, &(struct kube_request){.verb = KUBE_GET,
                                                                      .path = buf_str(&path),
                                                                      .timeout_us = 10 * USEC_PER_SEC,
                                                                      .done = on_discovery,
                                                                      .data = op});
    buf_done(&path);
}

/* ---- reads and writes ---- */

static void answer_from_cache(struct operation *op)
{
    const struct workload *w = targets_workload(op->owner, op->kind, op->namespace_, op->name);
    if (!w) {
        struct error err = ERROR_INIT;
        (void)error_set(&err, ERROR_API, "%s %s/%s does not exist", op->kind, op->namespace_, op->name);
        fail(op, TARGET_NOT_FOUND, &err);
        return;
    }
    struct target_result result = {
        .problem = TARGET_OK,
        .scale = {.uid = xstrdup(w->object.meta.uid),
                  .resource_version = xstrdup(w->object.meta.resource_version),
                  .selector = xstrdup(w->selector),
                  .spec_replicas = w->spec_replicas,
                  .status_replicas = w->status_replicas},
    };
    struct target_scale scale = result.scale;
    finish(op, &result, NULL);
    target_scale_done(&scale);
}

static void run(void *data)
{
    struct operation *op = data;
    if (op->from_cache)
        answer_from_cache(op);
    else if (is_watched_kind(op->api_version, op->kind))
        send_scale_request(op, streq(op->kind, "Deployment") ? "deployments" : "statefulsets");
    else
        discover(op);
}

int64_t targets_read(struct targets *t, const struct target_ref *ref, bool live, target_fn *done, void *data)
{
    struct operation *op = operation_new(t, OP_READ, ref, data, run);
    op->done = done;
    op->from_cache = !live && is_watched_kind(ref->api_version, ref->kind);
    loop_timer_arm(&op->later, 0);
    return op->id;
}

int64_t targets_write(struct targets *t, const struct target_ref *ref, const char *resource_version, int32_t replicas,
                      target_fn *done, void *data)
{
    struct operation *op = operation_new(t, OP_WRITE, ref, data, run);
    op->done = done;
    op->resource_version = xstrdup(resource_version);
    op->replicas = replicas;
    loop_timer_arm(&op->later, 0);
    return op->id;
}

static void on_managed_fields(void *data, const struct kube_response *response, const struct error *err)
{
    struct operation *op = data;
    char manager[128] = "";
    if (!err)
        scale_writer_decode(response->body, response->body_len, manager, sizeof(manager));
    void (*done)(void *data, const char *manager) = op->done_writer;
    void *done_data = op->data;
    operation_free(op);
    done(done_data, manager);
}

/* managedFields are on the object itself, so only the watched kinds, which the operator may GET, are asked.
 */
static void run_writer(void *data)
{
    struct operation *op = data;
    if (!is_watched_kind(op->api_version, op->kind)) {
        finish(op, NULL, NULL);
        return;
    }
    struct buf path = BUF_INIT(8192);
    resource_path(&path, streq(op->kind, "Deployment") ? &resource_deployments : &resource_statefulsets, op->namespace_,
                  op->name, NULL);
    op->request = kube_client_start(op->owner->client, &(struct kube_request){.verb = KUBE_GET,
                                                                              .path = buf_str(&path),
                                                                              .timeout_us = 10 * USEC_PER_SEC,
                                                                              .done = on_managed_fields,
                                                                              .data = op});
    buf_done(&path);
}

int64_t targets_writer(struct targets *t, const struct target_ref *ref, void (*done)(void *data, const char *manager),
                       void *data)
{
    struct operation *op = operation_new(t, OP_WRITER, ref, data, run_writer);
    op->done_writer = done;
    loop_timer_arm(&op->later, 0);
    return op->id;
}

void targets_cancel(struct targets *t, int64_t id)
{
    list_for_each (it, &t->operations) {
        struct operation *op = CONTAINER_OF(it, struct operation, node);
        if (op->id != id)
            continue;
        kube_client_cancel(t->client, op->request);
        operation_free(op);
        return;
    }
}
