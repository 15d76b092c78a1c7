/* An autoscaler that is advised, and beside it one of the same world that never was. */
#ifndef TEST_SUPPORT_LOAN_WORLD_H
#define TEST_SUPPORT_LOAN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/explain.h"
#include "core/state.h"
#include "test/support/fake_demand.h"

#define SECOND INT64_C(1000000)
#define START  (INT64_C(1700006400) * SECOND)
#define SYNC   15
#define DELTA  3
#define POD    1000000 /* its request, so that roundings in a sample do not matter */
#define PODS   1024

/* An autoscaler and its pods. */
struct side {
    struct core_spec spec;
    struct core_state *state;
    struct core_plan plan;
    int32_t live;
    int64_t born_us[PODS];
};

struct world {
    struct side advised, twin;
    double demand;           /* in pods at their target */
    double predicted, ahead; /* in pods; < 0: no forecast that is trusted */
    int64_t startup_s;       /* until a pod serves */
    int64_t second;
    int64_t surplus; /* pod-seconds that the advised one had more */
    int32_t most;    /* and how many pods at once */
    bool unknown;
    bool refuses;      /* the API server, every write of both */
    uint64_t approved; /* by a person, of the advised one */
    struct core_pod pods[PODS];
    struct core_pod_sample samples[PODS];
};

static inline void side_init(struct side *s, const struct core_spec *spec, enum advice_mode mode, int32_t live)
{
    memset(s, 0, sizeof *s);
    s->spec = *spec;
    s->spec.advice.mode = mode;
    s->state = core_state_new(&s->spec);
    s->live = live;
    for (int i = 0; i < PODS; i++)
        s->born_us[i] = START - 3600 * SECOND;
}

static inline struct core_spec a_spec(uint32_t window_s)
{
    struct core_spec spec = core_spec_default();
    spec.min_replicas = 2;
    spec.max_replicas = PODS;
    spec.behavior = true;
    spec.down.stabilization_s = window_s;
    spec.advice = (struct advice_config){.max_replica_delta = DELTA, .min_interval_s = 30, .timeout_s = 240};
    return spec;
}

static inline void world_init(struct world *w, const struct core_spec *spec, double demand, int32_t live)
{
    memset(w, 0, sizeof *w);
    side_init(&w->advised, spec, ADVICE_BOUNDED, live);
    side_init(&w->twin, spec, ADVICE_OFF, live);
    w->demand = demand;
    w->predicted = w->ahead = -1;
}

static inline void world_done(struct world *w)
{
    core_state_free(w->advised.state);
    core_state_free(w->twin.state);
}

static inline void reload(struct side *s)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    core_state_encode(s->state, &b);
    core_state_free(s->state);
    s->state = core_state_decode(&s->spec, b.data, b.len, NULL);
    assert_non_null(s->state);
}

static inline void scale(struct side *s, int64_t now_us, int32_t to)
{
    for (int32_t i = s->live; i < to; i++)
        s->born_us[i] = now_us;
    s->live = to;
}

/* Pods of a CPU metric, or one sum of which each has its share. */
static inline void look(struct world *w, const struct side *s, struct core_observation *seen)
{
    const struct core_metric_spec *metric = &s->spec.metrics[0];
    int32_t ready = 0;
    for (int32_t i = 0; i < s->live; i++) {
        bool up = seen->time_us >= s->born_us[i] + w->startup_s * SECOND;
        w->pods[i] = (struct core_pod){.phase = up ? CORE_POD_RUNNING : CORE_POD_PENDING,
                                       .ready = up ? CORE_READY_TRUE : CORE_READY_FALSE,
                                       .start_us = s->born_us[i],
                                       .ready_transition_us = s->born_us[i] + w->startup_s * SECOND};
        ready += up;
    }
    double per_pod =
        metric->kind == CORE_METRIC_TOTAL ? (double)metric->target_milli : (double)metric->target_percent * POD / 100;
    seen->metrics[0] = (struct core_metric_observation){.kind = w->unknown ? SAMPLE_NO_DATA : SAMPLE_VALUE,
                                                        .value_milli = (int64_t)ceil(w->demand * per_pod),
                                                        .pods = w->samples};
    for (int32_t i = 0; i < s->live; i++)
        w->samples[i] = (struct core_pod_sample){.present = w->pods[i].phase == CORE_POD_RUNNING,
                                                 .usage_milli = (int64_t)ceil(w->demand * per_pod / MAX(ready, 1)),
                                                 .request_milli = POD,
                                                 .time_us = seen->time_us,
                                                 .window_us = SECOND};
}

static inline void sync_side(struct world *w, struct side *s, const struct advice *advice)
{
    int64_t now_us = START + w->second * SECOND;
    struct core_observation seen = {.time_us = now_us,
                                    .spec_replicas = s->live,
                                    .status_replicas = s->live,
                                    .pods = w->pods,
                                    .n_pods = (uint32_t)s->live,
                                    .n_metrics = 1,
                                    .advice = advice,
                                    .approved_advice = w->approved};
    look(w, s, &seen);
    const struct core_metric_spec *metric = &s->spec.metrics[0];
    struct demand *d = core_state_demand(s->state, metric->name);
    assert_non_null(d);
    d->trusted = d->usable = w->predicted >= 0;
    d->quantile = w->predicted * POD / 1000;
    d->ahead = w->ahead < 0 ? -1 : w->ahead * POD / 1000 * metric->target_percent / 100;
    core_step(&s->spec, s->state, &seen, &s->plan);
    core_explain(&s->spec, &s->plan);
    if (s->plan.write && !w->refuses) {
        core_applied(&s->spec, s->state, now_us, s->live, s->plan.replicas);
        scale(s, now_us, s->plan.replicas);
    }
}

/* One sync of both; `advice` for the one. */
static inline void sync_both(struct world *w, const struct advice *advice)
{
    w->second += SYNC;
    sync_side(w, &w->advised, advice);
    sync_side(w, &w->twin, NULL);
    w->surplus += SYNC * (int64_t)(w->advised.live - w->twin.live);
    w->most = MAX(w->most, w->advised.live - w->twin.live);
}

static inline struct advice answer(const struct world *w, int32_t target)
{
    const struct core_plan *p = &w->advised.plan;
    return (struct advice){.id = 1 + (uint64_t)w->second,
                           .sampled_us = p->time_us,
                           .need = p->situation.need,
                           .current = p->current,
                           .side = p->situation.side,
                           .target_replicas = target,
                           .confidence_percent = 90,
                           .provider = 7};
}

static inline uint64_t random_bits(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static inline double random_share(uint64_t *seed)
{
    return (double)(random_bits(seed) >> 11) / (double)(1ull << 53);
}

/* Wanders, mostly inside a tolerance of what runs; now and then it jumps. */
static inline void move(struct world *w, uint64_t *seed)
{
    w->demand *= 1 + (random_share(seed) - 0.5) * (random_bits(seed) % 8 ? 0.02 : 0.1);
    if (random_bits(seed) % 150 == 0)
        w->demand *= 0.4 + 2 * random_share(seed);
    w->demand = fmin(fmax(w->demand, 1), 300);
    if (w->predicted >= 0) {
        w->predicted = w->demand * 0.7 * (1 + (random_share(seed) - 0.3) * 0.3);
        w->ahead = w->demand * (0.6 + 0.6 * random_share(seed));
    }
}

static inline struct core_spec random_spec(uint64_t *seed)
{
    static const uint32_t windows[] = {0, 15, 60, 300};
    struct core_spec spec = a_spec(windows[random_bits(seed) % 4]);
    spec.behavior = random_bits(seed) % 4 != 0;
    if (!spec.behavior)
        spec.down.stabilization_s = 300;
    if (random_bits(seed) % 4 == 0) {
        spec.metrics[0].kind = CORE_METRIC_TOTAL;
        spec.metrics[0].target_type = CORE_TARGET_AVERAGE_VALUE;
        spec.metrics[0].target_milli = POD;
    }
    return spec;
}

static inline void random_world(struct world *w, uint64_t *seed)
{
    struct core_spec spec = random_spec(seed);
    int32_t live = 3 + (int32_t)(random_bits(seed) % 80);
    world_init(w, &spec, live * 0.95, live);
    if (spec.metrics[0].kind != CORE_METRIC_TOTAL && random_bits(seed) % 2)
        w->predicted = live * 0.7;
}

/* One answer on forty pods, taken at the second sync. */
static inline void lend(struct world *w, uint32_t window_s)
{
    const struct core_spec spec = a_spec(window_s);
    world_init(w, &spec, 40, 40);
    sync_both(w, NULL);
    struct advice a = answer(w, 1000);
    sync_both(w, &a);
    assert_int_equal(w->advised.live, 43);
}

static inline void pass(struct world *w, int64_t seconds)
{
    for (int64_t t = 0; t < seconds; t += SYNC)
        sync_both(w, NULL);
}

#endif
