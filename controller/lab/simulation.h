/* One trace, one PredictiveAutoscaler: what the operator makes of it, what a plain HPA does, and what the HPA would
 * have cost to be as good.
 *
 * All runs decide through core_step(); the HPA is the same function with the forecast switched off. The trace is the
 * demand of the spec's first metric that is forecast (else of its first), which is alone in the simulation. A pod
 * requests its capacity and has it as its limit; a target that is no share of the request stays what it is. Pods'
 * start-up is measured as the operator does, unless the spec has a leadTimeSeconds.
 *
 * Judged at matched cost: the frontier is the HPA at targets of 40, 45 ... 95 % of a pod's capacity, and between two of
 * them minutes are taken as geometric in the pod-hours.
 */
#ifndef LAB_SIMULATION_H
#define LAB_SIMULATION_H

#include "core/step.h"
#include "lab/answers.h"
#include "lab/world.h"

#define SIMULATION_TARGETS 12 /* 40 .. 95 % */

/* Who is asked for advice, where the spec has an advisor: its worst and its best case, whose answers take one sync; or
 * what was answered at the time, which is replayed. */
enum simulation_advisor {
    SIMULATION_NO_ADVISOR,
    SIMULATION_HOSTILE,     /* asks for ten thousand pods, and is sure */
    SIMULATION_CLAIRVOYANT, /* asks for the pods that the highest demand of the next 15 min needs */
    SIMULATION_RECORDED,    /* answers.h */
};

struct simulation_options {
    enum simulation_advisor advisor;
    const struct answers *answers; /* of SIMULATION_RECORDED; borrowed */
    struct world_options world;
    const struct core_spec *spec; /* borrowed */
    bool compare;                 /* with the HPA */
    bool keep_ticks;              /* for plots */
    void (*progress)(void *data, uint32_t part, uint32_t whole);
    void *data;
};

/* What happened at each tick; demand, forecast and capacity in the trace's unit. */
struct simulation_ticks {
    float *capacity; /* of ready pods */
    float
        *forecast; /* highest demand expected within the lead, at the confidence asked for; NaN: none that is trusted */
    uint32_t *replicas;
    uint8_t *predicted; /* 1: raised because of the forecast */
};

struct simulation_run {
    double target_percent; /* of a pod's capacity */
    struct world_score score;
    uint32_t most_replicas;
    uint64_t limited_ticks;                     /* scored ones at which maxReplicas held the count down */
    double trusted;                             /* share of scored ticks with a trusted forecast */
    uint64_t questions;                         /* to the advisor, all of them */
    uint64_t failures, contradictions, skipped; /* of recorded answers; see answers.h */
    uint64_t advised_syncs;                     /* at which its advice was applied */
    struct simulation_ticks ticks;
};

struct simulation {
    struct world_options world;
    enum simulation_advisor advisor;
    uint32_t metric; /* of the spec, that the trace is of */
    double oracle_pod_hours;
    struct simulation_run own;
    bool compared;
    struct simulation_run hpa;
    struct simulation_run frontier[SIMULATION_TARGETS];
    struct simulation_match {
        double target_percent, under_provisioned_min, unserved_share;
        int outside; /* -1: cheaper than the cheapest of the frontier, which is given; 1: dearer than the dearest */
    } match;
};

const char *simulation_advisor_name(enum simulation_advisor advisor); /* "hostile" ...; NULL: there is none */
/* NULL, or why the spec can't be simulated. */
const char *simulation_refuses(const struct core_spec *spec);
void simulate(const struct simulation_options *options, struct simulation *ret);
void simulation_done(struct simulation *s);

/* The frontier at `pod_hours`; the runs are in the order of rising targets. */
struct simulation_match simulation_match(const struct simulation_run *frontier, uint32_t n, double pod_hours);
double simulation_target(uint32_t i); /* of the frontier, in percent */

#endif
