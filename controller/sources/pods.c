/* Watched pods, kept compact, and the learning of how long a pod takes to start; see pods.h.
 *
 * One informer per namespace with a target. When there are more than MAX_NAMESPACE_INFORMERS of them a
 * cluster-wide one is started, and takes over once it has synced. */
#include "sources/pods.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "sources/pod_decode.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NAMESPACE_INFORMERS 64
#define STARTUP_SAMPLES         50
#define STARTUP_MIN_SAMPLES     5

/* Start-up times of the pods of one selector, a ring. */
struct startup {
    struct selector *selector;
    uint32_t *seconds; /* NULL: none was seen */
    unsigned count, next;
};

struct watched {
    struct pods *owner;
    unsigned refs;
    struct informer *informer; /* NULL once the cluster-wide one serves */
    struct map startups;       /* selector text -> struct startup */
};

struct pods {
    struct kube_client *client;
    struct log *log;
    struct metrics *metrics;
    struct map namespaces; /* -> struct watched */
    struct informer *cluster;
    struct map starting; /* UIDs of pods that we saw created and that were not Ready yet */
    int64_t started_us;  /* pods created later were seen created */
    struct loop_timer handover;
};

static void startup_free(void *value)
{
    struct startup *s = value;
    selector_free(s->selector);
    free(s->seconds);
    free(s);
}

static void watched_free(void *value)
{
    struct watched *w = value;
    informer_free(w->informer);
    map_done(&w->startups);
    free(w);
}

/* ---- start-up times ---- */

static void learn_startup(struct watched *w, const struct pod *pod)
{
    int64_t took_us = pod->core.ready_transition_us - pod->object.meta.creation_us;
    if (took_us < 0)
        return;
    struct map_iter it = map_iter(&w->startups);
    for (struct map_entry *e; (e = map_next(&w->startups, &it)) != NULL;) {
        struct startup *s = e->value;
        if (!selector_matches(s->selector, &pod->labels))
            continue;
        if (!s->seconds)
            s->seconds = xcalloc(STARTUP_SAMPLES, sizeof(*s->seconds));
        s->seconds[s->next] = (uint32_t)MIN((took_us + USEC_PER_SEC - 1) / USEC_PER_SEC, UINT32_MAX);
        s->next = (s->next + 1) % STARTUP_SAMPLES;
        s->count = MIN(s->count + 1, STARTUP_SAMPLES);
    }
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

uint32_t pods_startup_p90_s(struct pods *p, const char *namespace_, const char *selector_text)
{
    struct watched *w = map_get(&p->namespaces, namespace_);
    if (!w)
        return 0;
    struct startup *s = map_get(&w->startups, selector_text);
    if (!s) {
        struct selector *selector = selector_parse(selector_text, NULL);
        if (!selector)
            return 0;
        s = xcalloc(1, sizeof(*s));
        s->selector = selector;
        map_set(&w->startups, selector_text, s);
    }
    if (s->count < STARTUP_MIN_SAMPLES)
        return 0;
    uint32_t sorted[STARTUP_SAMPLES];
    memcpy(sorted, s->seconds, sizeof(*sorted) * s->count);
    qsort(sorted, s->count, sizeof(*sorted), compare_u32);
    return sorted[(s->count * 9 + 9) / 10 - 1];
}

/* ---- the informers ---- */

/* A pod's start ends with its first Ready; one that becomes Ready again later is not in `starting` any more.
 */
static void on_pod(void *data, enum informer_event event, const struct object *now, const struct object *old UNUSED)
{
    struct pods *p = data;
    const struct pod *pod = CONTAINER_OF(now, const struct pod, object);
    if (event == INFORMER_DELETED) {
        (void)map_take(&p->starting, now->meta.uid);
        return;
    }
    bool is_new = event == INFORMER_ADDED && now->meta.creation_us >= p->started_us;
    bool ready = pod->core.ready == CORE_READY_TRUE;
    if (is_new && !ready)
        map_set(&p->starting, now->meta.uid, p);
    if (!ready || !(is_new || map_take(&p->starting, now->meta.uid)))
        return;
    struct watched *w = map_get(&p->namespaces, now->meta.namespace_);
    if (w)
        learn_startup(w, pod);
}

static struct object *decode(void *data UNUSED, const char *raw, size_t len, struct error *err)
{
    return pod_decode(raw, len, err);
}

static void on_cluster_synced(void *data)
{
    struct pods *p = data;
    /* Not from inside an informer's callback: the others are let go on the next turn. */
    loop_timer_arm(&p->handover, 0);
}

static struct informer *make_informer(struct pods *p, const char *namespace_)
{
    const struct informer_config config = {
        .resource = &resource_pods,
        .namespace_ = namespace_,
        .field_selector = "status.phase!=Succeeded,status.phase!=Failed",
        .decode = decode,
        .handler = on_pod,
        .on_synced = namespace_ ? NULL : on_cluster_synced,
        .data = p,
    };
    struct informer *i = informer_new(p->client, &config, p->log, p->metrics);
    informer_start(i);
    return i;
}

static void let_namespaces_go(void *data)
{
    struct pods *p = data;
    struct map_iter it = map_iter(&p->namespaces);
    for (struct map_entry *e; (e = map_next(&p->namespaces, &it)) != NULL;) {
        struct watched *w = e->value;
        w->informer = informer_free(w->informer);
    }
    log_info(p->log, "watching the pods of the whole cluster", LOG_I("namespaces", p->namespaces.count));
}

struct pods *pods_new(struct kube_client *client, struct log *log, struct metrics *metrics)
{
    struct pods *p = xcalloc(1, sizeof(*p));
    struct loop *loop = kube_client_loop(client);
    *p = (struct pods){.client = client, .log = log, .metrics = metrics, .started_us = loop_real_us(loop)};
    map_init(&p->namespaces, watched_free);
    map_init(&p->starting, NULL);
    loop_timer_init(&p->handover, loop, LOOP_NORMAL, let_namespaces_go, p);
    return p;
}

struct pods *pods_free(struct pods *p)
{
    if (!p)
        return NULL;
    loop_timer_disarm(&p->handover);
    map_done(&p->namespaces);
    informer_free(p->cluster);
    map_done(&p->starting);
    free(p);
    return NULL;
}

void pods_watch(struct pods *p, const char *namespace_)
{
    struct watched *w = map_get(&p->namespaces, namespace_);
    if (w) {
        w->refs++;
        return;
    }
    w = xcalloc(1, sizeof(*w));
    *w = (struct watched){.owner = p, .refs = 1};
    map_init(&w->startups, startup_free);
    map_set(&p->namespaces, namespace_, w);
    if (!p->cluster && p->namespaces.count > MAX_NAMESPACE_INFORMERS)
        p->cluster = make_informer(p, NULL);
    if (!p->cluster)
        w->informer = make_informer(p, namespace_);
}

void pods_unwatch(struct pods *p, const char *namespace_)
{
    struct watched *w = map_get(&p->namespaces, namespace_);
    if (w && --w->refs == 0)
        (void)map_remove(&p->namespaces, namespace_);
}

/* The informer that serves a namespace now; NULL: it is not watched. */
static const struct informer *serving(const struct pods *p, const char *namespace_)
{
    const struct watched *w = map_get(&p->namespaces, namespace_);
    if (!w)
        return NULL;
    return w->informer ? w->informer : p->cluster;
}

bool pods_synced(const struct pods *p, const char *namespace_)
{
    const struct informer *i = serving(p, namespace_);
    return i && informer_synced(i);
}

const struct error *pods_error(const struct pods *p, const char *namespace_)
{
    const struct informer *i = serving(p, namespace_);
    return i ? informer_error(i) : NULL;
}

bool pods_watches_cluster(const struct pods *p)
{
    return p->cluster && informer_synced(p->cluster);
}

static void count_one(void *data, const struct object *o UNUSED)
{
    ++*(size_t *)data;
}

size_t pods_count(const struct pods *p, const char *namespace_)
{
    size_t n = 0;
    if (namespace_) {
        const struct informer *i = serving(p, namespace_);
        if (i && i == p->cluster)
            informer_each(i, namespace_, count_one, &n);
        return i && i != p->cluster ? informer_count(i) : n;
    }
    if (p->cluster)
        return informer_count(p->cluster);
    struct map_iter it = map_iter(&p->namespaces);
    for (struct map_entry *e; (e = map_next(&p->namespaces, &it)) != NULL;)
        n += informer_count(((struct watched *)e->value)->informer);
    return n;
}

/* ---- selection ---- */

struct selection {
    const struct selector *selector;
    const struct pod **items;
    size_t count, cap;
};

static void select_one(void *data, const struct object *o)
{
    struct selection *s = data;
    const struct pod *pod = CONTAINER_OF(o, const struct pod, object);
    if (!selector_matches(s->selector, &pod->labels))
        return;
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->items = xreallocarray(s->items, s->cap, sizeof(struct pod *));
    }
    s->items[s->count++] = pod;
}

static int by_name(const void *a, const void *b)
{
    const struct pod *const *x = a, *const *y = b;
    return strcmp((*x)->object.meta.name, (*y)->object.meta.name);
}

size_t pods_select(const struct pods *p, const char *namespace_, const struct selector *selector,
                   const struct pod ***out, size_t *cap)
{
    struct selection s = {.selector = selector, .items = *out, .cap = *cap};
    const struct informer *i = serving(p, namespace_);
    if (i)
        informer_each(i, namespace_, select_one, &s);
    if (s.count > 1)
        qsort(s.items, s.count, sizeof(struct pod *), by_name);
    *out = s.items;
    *cap = s.cap;
    return s.count;
}
