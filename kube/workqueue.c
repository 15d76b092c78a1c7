/* The work queue: one small record per key that is wanted, waiting, being processed or backing off; see
 * workqueue.h.
 *
 * client-go spreads this over four types (queue, delaying queue, rate-limiting queue, limiter), each with a
 * goroutine and a lock. On one thread they fold into one record: two flags, a place in the list of ready
 * keys, a place in the heap of due times, a failure count. The record lives as long as any of them says
 * something.
 */
#include "kube/workqueue.h"

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/list.h"
#include "base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_INITIAL_US (5 * USEC_PER_MSEC)
#define RETRY_CAP_US     (1000 * USEC_PER_SEC)
#define RETRY_RATE       10.0
#define RETRY_BURST      100.0
/* What one turn may hand out, so that a storm of keys leaves room for leases and sockets between its slices.
 */
#define SLICE_KEYS 64
/* How often the two gauges of work under way are brought up to date; nothing ticks while there is none. */
#define TICK_US (500 * USEC_PER_MSEC)

struct item {
    struct list ready;        /* in the queue's list: dirty and not processing */
    struct list running;      /* in the queue's list: processing */
    struct heap_node waiting; /* due time of an add with a delay */
    bool dirty, processing;
    unsigned failures;
    int64_t added_us;   /* since when it is dirty, or was due */
    int64_t started_us; /* since when it is being processed */
    char key[];
};

struct queue_metrics {
    struct metrics_series *depth, *adds, *retries, *latency, *duration, *unfinished, *longest;
};

struct workqueue {
    struct loop *loop;
    unsigned parallel;
    void (*process)(void *data, const char *key);
    void *data;
    struct map items;
    struct list ready, running;
    struct heap waiting;
    struct ratelimit bucket;
    size_t n_dirty, n_running;
    bool paused, dispatching;
    struct loop_timer timer; /* the next slice, or the next due time */
    struct loop_timer tick;
    bool measured;
    struct queue_metrics m;
};

static void slice(void *data);
static void tick(void *data);

static struct metrics_series *series(struct metrics *m, enum metrics_type type, const char *metric, const char *help,
                                     const char *name)
{
    return metrics_get(metrics_family(m, type, metric, help, "name", NULL, 0), name, NULL);
}

static struct metrics_series *histogram(struct metrics *m, const char *metric, const char *help, const double *buckets,
                                        size_t n, const char *name)
{
    return metrics_get(metrics_family(m, METRICS_HISTOGRAM, metric, help, "name", buckets, n), name, NULL);
}

static void measure(struct workqueue *q, struct metrics *m, const char *name)
{
    q->measured = true;
    q->m = (struct queue_metrics){
        .depth = series(m, METRICS_GAUGE, "workqueue_depth", "Current depth of the work queue.", name),
        .adds = series(m, METRICS_COUNTER, "workqueue_adds_total", "Keys added to the work queue.", name),
        .retries = series(m, METRICS_COUNTER, "workqueue_retries_total", "Keys added with a delay.", name),
        .latency = histogram(m, "workqueue_queue_duration_seconds",
                             "How long a key is due, or wanted, before it is handed out.", metrics_buckets_wait,
                             ARRAY_SIZE(metrics_buckets_wait), name),
        .duration =
            histogram(m, "workqueue_work_duration_seconds", "How long processing a key of the work queue takes.",
                      metrics_buckets_queue, ARRAY_SIZE(metrics_buckets_queue), name),
        .unfinished = series(m, METRICS_GAUGE, "workqueue_unfinished_work_seconds",
                             "Work under way that work_duration has not observed yet.", name),
        .longest = series(m, METRICS_GAUGE, "workqueue_longest_running_processor_seconds",
                          "How long the longest work under way has been running.", name),
    };
}

struct workqueue *workqueue_new(struct loop *loop, const char *name, unsigned parallel,
                                void (*process)(void *data, const char *key), void *data, struct metrics *metrics)
{
    assert(parallel > 0 && process);
    struct workqueue *q = xcalloc(1, sizeof(*q));
    *q = (struct workqueue){.loop = loop, .parallel = parallel, .process = process, .data = data};
    map_init(&q->items, free);
    list_init(&q->ready);
    list_init(&q->running);
    ratelimit_init(&q->bucket, RETRY_RATE, RETRY_BURST, loop_now_us(loop));
    loop_timer_init(&q->timer, loop, LOOP_NORMAL, slice, q);
    loop_timer_init(&q->tick, loop, LOOP_IDLE, tick, q);
    if (metrics)
        measure(q, metrics, name);
    return q;
}

struct workqueue *workqueue_free(struct workqueue *q)
{
    if (!q)
        return NULL;
    assert(!q->dispatching);
    loop_timer_disarm(&q->timer);
    loop_timer_disarm(&q->tick);
    heap_done(&q->waiting);
    map_done(&q->items);
    free(q);
    return NULL;
}

static struct item *item_get(struct workqueue *q, const char *key)
{
    struct item *it = map_get(&q->items, key);
    if (it)
        return it;
    size_t len = strlen(key);
    it = xcalloc(1, sizeof(*it) + len + 1);
    memcpy(it->key, key, len + 1);
    list_init(&it->ready);
    list_init(&it->running);
    heap_node_init(&it->waiting);
    map_set(&q->items, key, it);
    return it;
}

/* Drops the record when it says nothing any more. */
static void item_settle(struct workqueue *q, struct item *it)
{
    if (!it->dirty && !it->processing && it->failures == 0 && it->waiting.index == HEAP_NONE)
        (void)map_remove(&q->items, it->key);
}

/* The timer follows what is to be done next: a slice, a due time, nothing. */
static void rearm(struct workqueue *q)
{
    if (q->dispatching)
        return; /* the slice does it at its end */
    struct heap_node *first = heap_first(&q->waiting);
    if (!q->paused && !list_empty(&q->ready) && q->n_running < q->parallel)
        loop_timer_arm(&q->timer, 0);
    else if (first)
        loop_timer_arm_at(&q->timer, first->key);
    else
        loop_timer_disarm(&q->timer);
}

static void set_depth(struct workqueue *q)
{
    if (q->measured)
        metrics_set(q->m.depth, (double)q->n_dirty);
}

static void make_dirty(struct workqueue *q, struct item *it, int64_t since_us)
{
    if (it->dirty)
        return;
    it->dirty = true;
    it->added_us = since_us;
    q->n_dirty++;
    if (!it->processing)
        list_append(&q->ready, &it->ready);
    if (q->measured)
        metrics_add(q->m.adds, 1);
    set_depth(q);
}

static void make_clean(struct workqueue *q, struct item *it)
{
    if (!it->dirty)
        return;
    it->dirty = false;
    list_remove(&it->ready);
    q->n_dirty--;
    set_depth(q);
}

void workqueue_add(struct workqueue *q, const char *key)
{
    make_dirty(q, item_get(q, key), loop_now_us(q->loop));
    rearm(q);
}

void workqueue_add_after(struct workqueue *q, const char *key, int64_t after_us)
{
    if (q->measured)
        metrics_add(q->m.retries, 1);
    if (after_us <= 0) {
        workqueue_add(q, key);
        return;
    }
    struct item *it = item_get(q, key);
    int64_t due_us = loop_now_us(q->loop) + after_us;
    if (it->waiting.index == HEAP_NONE || it->waiting.key > due_us)
        heap_add(&q->waiting, &it->waiting, due_us);
    rearm(q);
}

void workqueue_add_failed(struct workqueue *q, const char *key)
{
    struct item *it = item_get(q, key);
    int64_t own_us = RETRY_INITIAL_US;
    for (unsigned i = 0; i < it->failures && own_us < RETRY_CAP_US; i++)
        own_us *= 2;
    if (it->failures < UINT32_MAX)
        it->failures++;
    int64_t overall_us = ratelimit_reserve_us(&q->bucket, loop_now_us(q->loop));
    workqueue_add_after(q, key, MAX(MIN(own_us, RETRY_CAP_US), overall_us));
}

void workqueue_forget(struct workqueue *q, const char *key)
{
    struct item *it = map_get(&q->items, key);
    if (!it)
        return;
    it->failures = 0;
    item_settle(q, it);
}

unsigned workqueue_failures(const struct workqueue *q, const char *key)
{
    const struct item *it = map_get(&q->items, key);
    return it ? it->failures : 0;
}

void workqueue_finish(struct workqueue *q, const char *key)
{
    struct item *it = map_get(&q->items, key);
    assert(it && it->processing);
    it->processing = false;
    list_remove(&it->running);
    q->n_running--;
    if (q->measured)
        metrics_observe(q->m.duration, (double)(clock_boot_us(loop_clock(q->loop)) - it->started_us) / 1e6);
    if (it->dirty)
        list_append(&q->ready, &it->ready);
    item_settle(q, it);
    rearm(q);
}

void workqueue_remove(struct workqueue *q, const char *key)
{
    struct item *it = map_get(&q->items, key);
    if (!it)
        return;
    make_clean(q, it);
    heap_remove(&q->waiting, &it->waiting);
    it->failures = 0;
    item_settle(q, it);
    rearm(q);
}

size_t workqueue_depth(const struct workqueue *q)
{
    return q->n_dirty;
}

size_t workqueue_unfinished(const struct workqueue *q)
{
    return q->n_running;
}

void workqueue_pause(struct workqueue *q, bool paused)
{
    q->paused = paused;
    rearm(q);
}

static void wake_due(struct workqueue *q)
{
    struct heap_node *first;
    while ((first = heap_first(&q->waiting)) != NULL && first->key <= loop_now_us(q->loop)) {
        int64_t due_us = first->key; /* a loop that was busy then is part of the wait */
        heap_remove(&q->waiting, first);
        make_dirty(q, CONTAINER_OF(first, struct item, waiting), due_us);
    }
}

static void hand_out(struct workqueue *q, struct item *it)
{
    int64_t now_us = clock_boot_us(loop_clock(q->loop));
    make_clean(q, it);
    it->processing = true;
    it->started_us = now_us;
    list_append(&q->running, &it->running);
    q->n_running++;
    if (q->measured) {
        metrics_observe(q->m.latency, (double)(now_us - it->added_us) / 1e6);
        if (!loop_timer_armed(&q->tick))
            loop_timer_arm(&q->tick, TICK_US);
    }
    q->process(q->data, it->key); /* may finish it: `it` is not touched after this */
}

static void slice(void *data)
{
    struct workqueue *q = data;
    q->dispatching = true;
    wake_due(q);
    for (unsigned n = 0; n < SLICE_KEYS && (n == 0 || loop_spent_us(q->loop) < LOOP_BUDGET_US); n++) {
        if (q->paused || list_empty(&q->ready) || q->n_running >= q->parallel)
            break;
        hand_out(q, CONTAINER_OF(q->ready.next, struct item, ready));
    }
    q->dispatching = false;
    rearm(q);
}

/* The first of `running` runs longest: it is kept in order of starting. */
static void tick(void *data)
{
    struct workqueue *q = data;
    int64_t now_us = clock_boot_us(loop_clock(q->loop)), sum_us = 0, longest_us = 0;
    list_for_each (node, &q->running) {
        int64_t age_us = now_us - CONTAINER_OF(node, struct item, running)->started_us;
        sum_us += age_us;
        longest_us = MAX(longest_us, age_us);
    }
    metrics_set(q->m.unfinished, (double)sum_us / 1e6);
    metrics_set(q->m.longest, (double)longest_us / 1e6);
    if (q->n_running > 0)
        loop_timer_arm(&q->tick, TICK_US);
}
