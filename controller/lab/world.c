/* Pods that start, serve and are paid; see world.h. */
#include "lab/world.h"

#include "base/alloc.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define METRIC_FIRST       5 /* ticks ago: 75 s */
#define METRIC_TICKS       4
#define STARTUP_MIN_COUNT  5
#define EVEN               1e-9 /* of a pod: rounding, not load */
#define SPLITMIX_INCREMENT UINT64_C(0x9e3779b97f4a7c15)

/* splitmix64 (Steele, Lea and Flood 2014), in [0, 1) */
static double draw(struct world *w)
{
    uint64_t z = w->random += SPLITMIX_INCREMENT;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static void reserve(struct world *w, uint32_t n)
{
    if (n <= w->cap)
        return;
    w->cap = MAX(n, 2 * w->cap);
    w->pods = xreallocarray(w->pods, w->cap, sizeof *w->pods);
}

void world_init(struct world *w, const struct world_options *options, uint32_t replicas)
{
    assert(options->pod_capacity > 0 && options->startup_min_s <= options->startup_max_s);
    *w = (struct world){.options = *options, .random = options->seed};
    replicas = MIN(replicas, WORLD_MAX_PODS);
    reserve(w, MAX(replicas, 16u));
    for (w->n = 0; w->n < replicas; w->n++)
        w->pods[w->n] = (struct world_pod){.ready = true};
    w->n_ready = w->n;
}

void world_done(struct world *w)
{
    free(w->pods);
    w->pods = NULL;
}

static double now_s(const struct world *w)
{
    return w->tick * (double)TRACE_TICK_S;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Kept, as it is asked for at each sync and changes with a start only: sorting was half of a simulation's time. */
static void measure_startup(struct world *w)
{
    uint32_t n = MIN(w->n_startups, WORLD_STARTUP_SAMPLES), sorted[WORLD_STARTUP_SAMPLES];
    if (n < STARTUP_MIN_COUNT)
        return;
    memcpy(sorted, w->startups_s, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    w->startup_s = sorted[(n * 9 + 9) / 10 - 1];
}

void world_begin(struct world *w)
{
    uint32_t before = w->n_startups;
    for (uint32_t i = 0; i < w->n && w->n_ready < w->n; i++) {
        struct world_pod *pod = &w->pods[i];
        if (pod->ready || pod->ready_s > now_s(w))
            continue;
        pod->ready = true;
        w->n_ready++;
        w->startups_s[w->n_startups++ % WORLD_STARTUP_SAMPLES] = pod->startup_s;
    }
    if (w->n_startups != before)
        measure_startup(w);
}

bool world_metric(const struct world *w, double *ret)
{
    if (w->tick < METRIC_FIRST)
        return false;
    double sum = 0;
    for (uint32_t i = 0; i < METRIC_TICKS; i++)
        sum += w->measured[(w->tick - METRIC_FIRST + i) % ARRAY_SIZE(w->measured)];
    *ret = sum / METRIC_TICKS;
    return true;
}

static void create(struct world *w)
{
    const struct world_options *o = &w->options;
    double took_s = o->startup_min_s + draw(w) * (o->startup_max_s - o->startup_min_s);
    w->pods[w->n++] = (struct world_pod){.ready_s = now_s(w) + took_s, .startup_s = (uint32_t)ceil(took_s)};
}

/* Removes the newest pods that are (not) ready until `replicas` are left. */
static void remove_newest(struct world *w, uint32_t replicas, bool ready)
{
    uint32_t surplus = w->n > replicas ? w->n - replicas : 0, kept = w->n;
    for (uint32_t i = w->n; i-- > 0 && surplus > 0;) {
        if (w->pods[i].ready != ready)
            continue;
        memmove(w->pods + i, w->pods + i + 1, (kept - i - 1) * sizeof *w->pods);
        kept--;
        surplus--;
        w->n_ready -= ready;
    }
    w->n = kept;
}

void world_scale(struct world *w, uint32_t replicas)
{
    replicas = MIN(replicas, WORLD_MAX_PODS);
    if (replicas == w->n)
        return;
    if (w->tick >= w->options.warmup_ticks)
        w->score.actions++;
    reserve(w, replicas);
    while (w->n < replicas)
        create(w);
    remove_newest(w, replicas, false);
    remove_newest(w, replicas, true);
    world_begin(w); /* a start that takes no time */
}

static void score(struct world *w, double demand, double capacity, double served)
{
    struct world_score *s = &w->score;
    if (w->tick < w->options.warmup_ticks)
        return;
    s->ticks++;
    s->demand += demand;
    s->served += served;
    s->ready_capacity += capacity;
    s->pod_hours += w->n * (TRACE_TICK_S / 3600.0);
    if (demand > capacity + EVEN * w->options.pod_capacity) {
        s->unserved += demand - served;
        s->under_provisioned_min += TRACE_TICK_S / 60.0;
    }
}

void world_serve(struct world *w)
{
    double demand = w->options.trace->demand[w->tick], capacity = w->n_ready * w->options.pod_capacity;
    double served = MIN(demand, capacity);
    score(w, demand, capacity, served);
    w->measured[w->tick % ARRAY_SIZE(w->measured)] = w->options.unsaturated ? demand : served;
    w->tick++;
}

uint32_t world_need(double demand, double pod_capacity)
{
    double pods = ceil(demand / pod_capacity - EVEN);
    return pods > 0 ? (uint32_t)MIN(pods, (double)WORLD_MAX_PODS) : 0;
}

void world_oracle(const struct world_options *options, uint32_t min_replicas, uint32_t *ret)
{
    const struct trace *t = options->trace;
    uint32_t ahead = (options->startup_min_s + TRACE_TICK_S - 1) / TRACE_TICK_S;
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t most = min_replicas;
        for (uint32_t k = i; k < t->n && k - i <= ahead; k++)
            most = MAX(most, world_need(t->demand[k], options->pod_capacity));
        ret[i] = most;
    }
}
