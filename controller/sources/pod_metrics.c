/* Shared fetching of pod usage; see pod_metrics.h. A group is a namespace: its samples, its requests under
 * way, and who waits for them. */
#include "sources/pod_metrics.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "kube/split.h"
#include "sources/usage_decode.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SELECTORS   8  /* of a namespace; with more of them all its pods are asked for */
#define REQUEST_COST    50 /* a request costs the server about as much as this many pods */
#define MAX_ITEM_BYTES  (256 * 1024)
#define MAX_LIST_BYTES  (64 * 1024 * 1024)
#define FUTURE_LIMIT_US (5 * USEC_PER_SEC)

struct sample_entry {
    struct pod_usage usage;
    uint64_t round; /* the fetch that brought it */
};

static void sample_free(void *value)
{
    struct sample_entry *entry = value;
    free(entry->usage.containers);
    free(entry);
}

struct group {
    struct pod_metrics *owner;
    char *namespace_;
    struct map samples;       /* pod name -> struct sample_entry */
    struct list members;      /* struct interest, by `member` */
    struct list waiters;      /* struct interest, by `waiting` */
    struct loop_timer answer; /* tells the waiters on a later turn */
    struct error error;       /* of the last round; kind NONE: it went well */
    int64_t fetched_us;       /* CLOCK_BOOTTIME at the start of the last round */
    uint64_t round;
    unsigned running;    /* requests of the round under way */
    uint64_t since;      /* the newest fetch when the group came */
    int64_t interval_us; /* how long a round serves; 0: to be found out */
    bool fetched;        /* the round serves all members */
    bool partial;        /* it was asked for by selectors */
};

struct interest {
    struct group *group;
    char *selector_text;
    struct selector *selector;
    int64_t period_us;
    struct list member, waiting;
    void (*done)(void *data, const struct error *err);
    void *data;
};

/* One LIST under way. A cluster-wide one has no group: each item finds its own. */
struct fetch {
    struct list node;
    struct pod_metrics *owner;
    struct group *group;
    struct split split;
    uint64_t serial;
    int64_t request;
    size_t rejected;
};

struct pod_metrics {
    struct kube_client *client;
    struct loop *loop;
    struct pods *pods;
    struct log *log;
    int64_t max_interval_us;
    struct map interests; /* autoscaler key -> struct interest */
    struct map groups;    /* namespace -> struct group */
    struct list fetches;
    uint64_t serial; /* of the newest fetch */
    struct metrics_series *lists, *failures, *samples;
};

static void fetch_free(struct fetch *f)
{
    list_remove(&f->node);
    split_done(&f->split);
    free(f);
}

static void group_free(void *value)
{
    struct group *g = value;
    loop_timer_disarm(&g->answer);
    list_for_each_safe (it, after, &g->owner->fetches) {
        struct fetch *f = CONTAINER_OF(it, struct fetch, node);
        if (f->group == g) {
            kube_client_cancel(g->owner->client, f->request);
            fetch_free(f);
        }
    }
    map_done(&g->samples);
    free(g->namespace_);
    free(g);
}

static void interest_free(void *value)
{
    struct interest *i = value;
    list_remove(&i->waiting);
    list_remove(&i->member);
    selector_free(i->selector);
    free(i->selector_text);
    free(i);
}

/* ---- rounds ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Samples that a complete round did not bring are gone: metrics-server leaves out a pod that it cannot
 * measure. */
static void drop_old_samples(struct group *g)
{
    struct map_iter it = map_iter(&g->samples);
    for (struct map_entry *e; (e = map_next(&g->samples, &it)) != NULL;)
        if (((struct sample_entry *)e->value)->round != g->round)
            (void)map_remove(&g->samples, e->key);
}

static void start_round(struct pod_metrics *m, struct group *g);

static void round_ended(struct group *g)
{
    if (g->error.kind == ERROR_NONE)
        drop_old_samples(g);
    /* Someone with another selector came meanwhile. Few do: above MAX_SELECTORS rounds are not partial. */
    if (!g->fetched && !list_empty(&g->waiters))
        start_round(g->owner, g);
    else
        loop_timer_arm(&g->answer, 0);
}

static void tell_waiters(void *data)
{
    struct group *g = data;
    struct list told;
    list_init(&told);
    /* A callback may ask again, or forget others: take one at a time from a list of its own. */
    list_for_each_safe (it, after, &g->waiters) {
        list_remove(it);
        list_append(&told, it);
    }
    struct error error = g->error;
    while (!list_empty(&told)) {
        struct interest *i = CONTAINER_OF(told.next, struct interest, waiting);
        list_remove(&i->waiting);
        i->done(i->data, error.kind == ERROR_NONE ? NULL : &error);
    }
}

static int on_item(void *data, const char *json, size_t len, struct error *err)
{
    struct fetch *f = data;
    struct pod_metrics *m = f->owner;
    struct usage_item item;
    int r = usage_decode(json, len, &item, err);
    struct group *g = r < 0 ? NULL : f->group ? f->group : map_get(&m->groups, item.namespace_);
    bool future = r == 0 && item.usage.time_us > loop_real_us(m->loop) + FUTURE_LIMIT_US;
    if (r != 0 || future || !g || !streq(g->namespace_, item.namespace_)) {
        f->rejected += r < 0 || future; /* one bad item must not hide the others */
        free(item.usage.containers);
        return 0;
    }
    struct sample_entry *entry = map_get(&g->samples, item.pod);
    if (!entry) {
        entry = xcalloc(1, sizeof(*entry));
        map_set(&g->samples, item.pod, entry);
    }
    free(entry->usage.containers);
    *entry = (struct sample_entry){.usage = item.usage, .round = g->round};
    metrics_add(m->samples, 1);
    return 0;
}

static int on_bytes(void *data, const char *bytes, size_t len, struct error *err)
{
    struct fetch *f = data;
    return split_feed(&f->split, bytes, len, err);
}

static void group_request_ended(struct group *g, const struct error *err)
{
    if (err && g->error.kind == ERROR_NONE)
        g->error = *err;
    if (g->running > 0 && --g->running == 0)
        round_ended(g);
}

static void on_list(void *data, const struct kube_response *response UNUSED, const struct error *err)
{
    struct fetch *f = data;
    struct pod_metrics *m = f->owner;
    struct error incomplete = ERROR_INIT;
    if (!err && split_finish(&f->split, &incomplete) < 0)
        err = &incomplete;
    struct error copy = err ? *err : ERROR_INIT;
    if (err) {
        metrics_add(m->failures, 1);
        (void)error_wrap(&copy, "reading pod metrics");
    }
    if (f->rejected)
        log_warn(m->log, "pod metrics with unusable items", LOG_I("items", f->rejected),
                 LOG_S("namespace", f->group ? f->group->namespace_ : ""));
    struct group *only = f->group;
    uint64_t serial = f->serial;
    fetch_free(f);
    if (only) {
        group_request_ended(only, err ? &copy : NULL);
        return;
    }
    struct map_iter it = map_iter(&m->groups);
    for (struct map_entry *e; (e = map_next(&m->groups, &it)) != NULL;)
        if (((struct group *)e->value)->since < serial)
            group_request_ended(e->value, err ? &copy : NULL);
}

/* Lists the usage of a namespace (of those a selector matches), or of the cluster with `g` NULL. */
static void start_fetch(struct pod_metrics *m, struct group *g, const char *selector)
{
    struct fetch *f = xcalloc(1, sizeof(*f));
    *f = (struct fetch){.owner = m, .group = g, .serial = ++m->serial};
    list_append(&m->fetches, &f->node);
    split_init(&f->split, SPLIT_LIST, MAX_ITEM_BYTES, on_item, f);
    struct buf path = BUF_INIT(64 * 1024);
    resource_path(&path, &resource_pod_metrics, g ? g->namespace_ : NULL, NULL, NULL);
    if (selector && *selector)
        resource_query(&path, "labelSelector", selector);
    f->request = kube_client_start(m->client, &(struct kube_request){
                                                  .verb = KUBE_GET,
                                                  .path = buf_str(&path),
                                                  .max_body = MAX_LIST_BYTES,
                                                  .timeout_us = 10 * USEC_PER_SEC,
                                                  .on_data = on_bytes,
                                                  .done = on_list,
                                                  .data = f,
                                              });
    buf_done(&path);
    metrics_add(m->lists, 1);
}

/* The distinct selectors of a group, sorted; gives their number and the pods that they match in all. */
static size_t distinct_selectors(struct pod_metrics *m, const struct group *g, const char **texts, size_t cap,
                                 size_t *ret_pods)
{
    size_t n = 0;
    const struct pod **matched = NULL;
    size_t matched_cap = 0;
    *ret_pods = 0;
    list_for_each (it, &g->members) {
        struct interest *i = CONTAINER_OF(it, struct interest, member);
        bool known = false;
        for (size_t k = 0; k < n && !known; k++)
            known = streq(texts[k], i->selector_text);
        if (known)
            continue;
        if (n == cap) {
            n = cap + 1; /* too many to be worth it */
            break;
        }
        texts[n++] = i->selector_text;
        *ret_pods += pods_select(m->pods, g->namespace_, i->selector, &matched, &matched_cap);
    }
    free(matched);
    if (n <= cap)
        qsort(texts, n, sizeof(*texts), compare_names);
    return n;
}

static void begin_round(struct group *g, int64_t now_us)
{
    g->round++;
    g->error = ERROR_INIT;
    g->fetched = true;
    g->partial = false;
    g->fetched_us = now_us;
    g->running++;
}

/* One list for all namespaces, when that costs less than one for each. Only with a cluster-wide watch do we
 * know how many pods it would return. */
static bool cluster_is_cheaper(const struct pod_metrics *m)
{
    size_t cost = 0;
    if (!pods_watches_cluster(m->pods))
        return false;
    struct map_iter it = map_iter(&m->groups);
    for (struct map_entry *e; (e = map_next(&m->groups, &it)) != NULL;)
        cost += REQUEST_COST + pods_count(m->pods, ((struct group *)e->value)->namespace_);
    return REQUEST_COST + pods_count(m->pods, NULL) < cost;
}

static void start_round(struct pod_metrics *m, struct group *g)
{
    int64_t now = loop_now_us(m->loop);
    if (cluster_is_cheaper(m)) {
        struct map_iter it = map_iter(&m->groups);
        for (struct map_entry *e; (e = map_next(&m->groups, &it)) != NULL;)
            begin_round(e->value, now);
        start_fetch(m, NULL, NULL);
        return;
    }
    const char *selectors[MAX_SELECTORS];
    size_t matched;
    size_t n = distinct_selectors(m, g, selectors, MAX_SELECTORS, &matched);
    begin_round(g, now);
    if (n > MAX_SELECTORS || n * REQUEST_COST + matched >= REQUEST_COST + pods_count(m->pods, g->namespace_)) {
        start_fetch(m, g, NULL);
        return;
    }
    g->partial = true;
    g->running += (unsigned)n - 1;
    for (size_t i = 0; i < n; i++)
        start_fetch(m, g, selectors[i]);
}

/* How long a round's samples serve: a tenth is left for syncs that come a little early. */
static int64_t group_interval_us(const struct pod_metrics *m, struct group *g)
{
    if (g->interval_us == 0) {
        g->interval_us = m->max_interval_us;
        list_for_each (it, &g->members)
            g->interval_us = MIN(g->interval_us, CONTAINER_OF(it, struct interest, member)->period_us);
    }
    return g->interval_us - g->interval_us / 10;
}

/* ---- interface ---- */

struct pod_metrics *pod_metrics_new(struct kube_client *client, struct pods *pods, int64_t max_interval_us,
                                    struct log *log, struct metrics *metrics)
{
    struct pod_metrics *m = xcalloc(1, sizeof(*m));
    *m = (struct pod_metrics){.client = client,
                              .loop = kube_client_loop(client),
                              .pods = pods,
                              .log = log,
                              .max_interval_us = max_interval_us};
    map_init(&m->interests, interest_free);
    map_init(&m->groups, group_free);
    list_init(&m->fetches);
    struct metrics_family *requests = metrics_family(metrics, METRICS_COUNTER, "ai4k8s_pod_metrics_requests_total",
                                                     "Lists of pod metrics that were asked for.", "outcome", NULL, 0);
    m->lists = metrics_get(requests, "started", NULL);
    m->failures = metrics_get(requests, "failed", NULL);
    m->samples = metrics_get(metrics_family(metrics, METRICS_COUNTER, "ai4k8s_pod_metrics_samples_total",
                                            "Samples of pod usage that were taken in.", "", NULL, 0),
                             NULL);
    return m;
}

struct pod_metrics *pod_metrics_free(struct pod_metrics *m)
{
    if (!m)
        return NULL;
    map_done(&m->interests);
    list_for_each_safe (it, after, &m->fetches) {
        struct fetch *f = CONTAINER_OF(it, struct fetch, node);
        kube_client_cancel(m->client, f->request);
        fetch_free(f);
    }
    map_done(&m->groups);
    free(m);
    return NULL;
}

static struct group *group_of(struct pod_metrics *m, const char *namespace_)
{
    struct group *g = map_get(&m->groups, namespace_);
    if (g)
        return g;
    g = xcalloc(1, sizeof(*g));
    *g = (struct group){.owner = m, .namespace_ = xstrdup(namespace_), .since = m->serial};
    map_init(&g->samples, sample_free);
    list_init(&g->members);
    list_init(&g->waiters);
    loop_timer_init(&g->answer, m->loop, LOOP_NORMAL, tell_waiters, g);
    map_set(&m->groups, namespace_, g);
    return g;
}

static bool selects(const struct group *g, const char *selector)
{
    list_for_each (it, &g->members)
        if (streq(CONTAINER_OF(it, struct interest, member)->selector_text, selector))
            return true;
    return false;
}

void pod_metrics_interest(struct pod_metrics *m, const char *key, const char *namespace_, const char *selector,
                          int64_t period_us)
{
    struct interest *i = map_get(&m->interests, key);
    if (i && streq(i->group->namespace_, namespace_) && streq(i->selector_text, selector)) {
        if (i->period_us != period_us)
            i->group->interval_us = 0;
        i->period_us = period_us;
        return;
    }
    pod_metrics_forget(m, key);
    i = xcalloc(1, sizeof(*i));
    *i = (struct interest){.group = group_of(m, namespace_),
                           .selector_text = xstrdup(selector),
                           .selector = selector_parse(selector, NULL),
                           .period_us = period_us};
    if (!i->selector)
        i->selector = selector_parse("", NULL);
    struct group *g = i->group;
    /* The next refresh must know the new selector's pods; a round for the whole namespace knows them. */
    g->fetched = g->fetched && (!g->partial || selects(g, selector));
    g->interval_us = 0;
    list_init(&i->waiting);
    list_init(&i->member);
    list_append(&g->members, &i->member);
    map_set(&m->interests, key, i);
}

void pod_metrics_forget(struct pod_metrics *m, const char *key)
{
    struct interest *i = map_get(&m->interests, key);
    if (!i)
        return;
    struct group *g = i->group;
    (void)map_remove(&m->interests, key);
    g->interval_us = 0;
    if (list_empty(&g->members))
        (void)map_remove(&m->groups, g->namespace_);
}

void pod_metrics_refresh(struct pod_metrics *m, const char *key, void (*done)(void *data, const struct error *err),
                         void *data)
{
    struct interest *i = map_get(&m->interests, key);
    struct group *g = i->group;
    i->done = done;
    i->data = data;
    list_remove(&i->waiting);
    list_append(&g->waiters, &i->waiting);
    if (g->running > 0)
        return;
    if (g->fetched && loop_now_us(m->loop) - g->fetched_us < group_interval_us(m, g))
        loop_timer_arm(&g->answer, 0);
    else
        start_round(m, g);
}

void pod_metrics_cancel(struct pod_metrics *m, const char *key)
{
    struct interest *i = map_get(&m->interests, key);
    if (i)
        list_remove(&i->waiting);
}

const struct pod_usage *pod_metrics_get(const struct pod_metrics *m, const char *namespace_, const char *pod)
{
    const struct group *g = map_get(&m->groups, namespace_);
    const struct sample_entry *entry = g ? map_get(&g->samples, pod) : NULL;
    return entry ? &entry->usage : NULL;
}
