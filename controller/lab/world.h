/* A model of pods under a demand trace, for judging autoscalers.
 *
 * Time goes in ticks of 15 s. A ready pod serves its capacity, what exceeds the sum is unserved, there is no queue. A
 * pod starts in a time that is uniform in a range, drawn in the order of creation from the seed, and is paid from its
 * creation. A scale-down takes unready pods first, newest first, then the newest ready ones. The metric is the mean of
 * what was served in the 60 s that ended 15 s ago: it can't be more than ready pods x capacity, unless `unsaturated` is
 * set, when it is the demand.
 *
 * One tick: world_begin(), world_metric() and world_scale() as often as wanted, world_serve().
 */
#ifndef LAB_WORLD_H
#define LAB_WORLD_H

#include "lab/trace.h"

#define WORLD_MAX_PODS        200000
#define WORLD_METRIC_AGE_S    45 /* 15, and half of the 60 that it is the mean of */
#define WORLD_STARTUP_SAMPLES 50

struct world_options {
    const struct trace *trace; /* borrowed by the world */
    double pod_capacity;       /* > 0 */
    uint32_t startup_min_s, startup_max_s;
    uint32_t warmup_ticks; /* not scored */
    uint64_t seed;
    bool unsaturated;
};

struct world_score {
    uint64_t ticks;
    double under_provisioned_min;
    double demand, unserved, served; /* demand x ticks */
    double pod_hours, ready_capacity;
    uint64_t actions; /* changes of the count */
};

struct world_pod {
    double ready_s; /* since the start of the trace */
    uint32_t startup_s;
    bool ready;
};

struct world {
    struct world_options options;
    uint32_t tick;
    struct world_pod *pods; /* in the order of creation */
    uint32_t n, n_ready, cap;
    uint64_t random;
    double measured[5]; /* what was observable of the last ticks, by tick modulo 5 */
    uint32_t startups_s[WORLD_STARTUP_SAMPLES], n_startups;
    uint32_t startup_s; /* p90 of these, 0 with fewer than 5: what the operator would have measured */
    struct world_score score;
};

/* Begins with `replicas` ready pods. */
void world_init(struct world *w, const struct world_options *options, uint32_t replicas);
void world_done(struct world *w);

void world_begin(struct world *w); /* pods that have started become ready */
/* What is measured at this tick. False: nothing has been for long enough. */
bool world_metric(const struct world *w, double *ret);
void world_scale(struct world *w, uint32_t replicas);
void world_serve(struct world *w); /* and on to the next tick */

/* Pods that `demand` needs. */
uint32_t world_need(double demand, double pod_capacity);

/* The fewest pods at each tick that serve everything, for one who knows the future: a pod that serves at a tick has
 * been there for the shortest start-up before it. No policy that leaves nothing unserved is cheaper. `ret` [trace->n],
 * at least `min_replicas`. */
void world_oracle(const struct world_options *options, uint32_t min_replicas, uint32_t *ret);

#endif
