/* Random autoscalers and what they see, also what no cluster would show: for the properties of the decision
 * core. Deterministic: the same seed gives the same world for ever. */
#ifndef TEST_RANDOM_WORLD_H
#define TEST_RANDOM_WORLD_H

#include <stdio.h>
#include <string.h>

#include "core/step.h"

#define WORLD_SECOND INT64_C(1000000)
#define WORLD_PODS   12

struct random_world {
    uint64_t seed;
    int32_t live; /* spec.replicas of the target */
    double level; /* of the load, 1: as much as the target allows */
    int64_t time_us;
    struct core_pod pods[WORLD_PODS];
    struct core_pod_sample samples[CORE_MAX_METRICS][WORLD_PODS];
    struct core_observation observation;
};

static inline uint64_t world_random(struct random_world *w)
{
    w->seed ^= w->seed << 13;
    w->seed ^= w->seed >> 7;
    w->seed ^= w->seed << 17;
    return w->seed >> 11;
}

static inline uint32_t world_below(struct random_world *w, uint32_t n)
{
    return (uint32_t)(world_random(w) % n);
}

#define WORLD_PICK(w, ...)                                                                                             \
    ((const int64_t[]){__VA_ARGS__}[world_below(w, (uint32_t)(sizeof((const int64_t[]){__VA_ARGS__}) / 8))])

static inline void world_rules(struct random_world *w, struct core_rules *r)
{
    r->stabilization_s = (uint32_t)WORLD_PICK(w, 0, 0, 15, 60, 300, 3600);
    r->tolerance = (double)WORLD_PICK(w, 0, 5, 10, 10, 50) / 100;
    r->select = (enum core_select)WORLD_PICK(w, 0, 0, 0, 1, 2);
    r->n_policies = 1 + world_below(w, 3);
    for (uint32_t i = 0; i < r->n_policies; i++)
        r->policies[i] = (struct core_policy){.type = world_below(w, 2) ? CORE_POLICY_PODS : CORE_POLICY_PERCENT,
                                              .value = (int32_t)WORLD_PICK(w, 1, 4, 10, 100, 300, INT32_MAX),
                                              .period_s = (uint32_t)WORLD_PICK(w, 1, 15, 60, 1800)};
}

static inline void world_metric(struct random_world *w, struct core_metric_spec *m, uint32_t i)
{
    *m = (struct core_metric_spec){.kind = (enum core_metric_kind)world_below(w, 3)};
    snprintf(m->name, sizeof m->name, "m%u", i);
    m->target_type = (enum core_target_type)world_below(w, 3);
    if (m->kind == CORE_METRIC_TOTAL && m->target_type == CORE_TARGET_UTILIZATION)
        m->target_type = CORE_TARGET_VALUE;
    if (m->kind != CORE_METRIC_TOTAL && m->target_type == CORE_TARGET_VALUE)
        m->target_type = CORE_TARGET_UTILIZATION;
    m->target_percent = (int32_t)WORLD_PICK(w, 1, 50, 70, 100, 250);
    m->target_milli = WORLD_PICK(w, 1, 500, 1000, 1000000);
    m->forecast = m->target_type != CORE_TARGET_VALUE && world_below(w, 3) > 0;
    m->capacity_per_pod = world_below(w, 3) ? 0 : (double)WORLD_PICK(w, 1, 1000) / 100;
    if (world_below(w, 3) == 0)
        m->fallback = (struct core_fallback){.after_s = (uint32_t)WORLD_PICK(w, 1, 30, 60, 180),
                                             .replicas = (int32_t)WORLD_PICK(w, 1, 6, 30, INT32_MAX),
                                             .behavior = (enum core_fallback_behavior)world_below(w, 2)};
}

/* Windows of minutes, so that a short world sees them begin, end and overlap. */
static inline void world_schedules(struct random_world *w, struct core_spec *spec)
{
    spec->n_schedules = world_below(w, 2) ? 0 : 1 + world_below(w, 3);
    for (uint32_t i = 0; i < spec->n_schedules; i++) {
        struct core_schedule *s = &spec->schedules[i];
        *s = (struct core_schedule){.zone = tz_utc(), .min_replicas = (int32_t)WORLD_PICK(w, 1, 3, 8, 25, INT32_MAX)};
        snprintf(s->name, sizeof s->name, "s%u", i);
        char text[CRON_MAX_TEXT];
        for (int end = 0; end < 2; end++) {
            snprintf(text, sizeof text, "%u-59/%u * * * *", world_below(w, 10), 2 + world_below(w, 9));
            if (cron_parse(text, end ? &s->end : &s->start, NULL) < 0)
                spec->n_schedules = 0;
        }
    }
}

static inline void world_advisor(struct random_world *w, struct core_spec *spec)
{
    spec->advice = (struct advice_config){.mode = (enum advice_mode)world_below(w, 4),
                                          .max_replica_delta = (int32_t)WORLD_PICK(w, 1, 2, 10, INT32_MAX),
                                          .min_interval_s = (uint32_t)WORLD_PICK(w, 10, 30, 300),
                                          .timeout_s = 240,
                                          .cache_ttl_s = 300};
}

/* What an advisor may answer: anything that a strict reader lets through. NULL: nothing came. */
static inline const struct advice *world_advice(struct random_world *w, struct advice *out)
{
    if (world_below(w, 4) > 0)
        return NULL;
    *out = (struct advice){.id = 1 + world_below(w, 4),
                           .sampled_us = w->time_us - WORLD_PICK(w, -60, 0, 0, 15, 299, 301) * WORLD_SECOND,
                           .need = (int32_t)WORLD_PICK(w, 1, 3, 5, 20, INT32_MAX),
                           .current = w->live,
                           .side = (enum advice_side)world_below(w, 3),
                           .target_replicas = (int32_t)WORLD_PICK(w, 1, 2, 5, 30, 10000, INT32_MAX),
                           .confidence_percent = world_below(w, 101),
                           .provider = world_below(w, 3)};
    return out;
}

/* A changed specification; the prediction is left as it is. */
static inline void world_spec(struct random_world *w, struct core_spec *spec)
{
    spec->max_replicas = (int32_t)WORLD_PICK(w, 1, 5, 20, 20, 1000, INT32_MAX);
    spec->min_replicas = (int32_t)world_below(w, (uint32_t)MIN(spec->max_replicas, 6) + 1);
    spec->mode = (enum core_mode)WORLD_PICK(w, 0, 0, 0, 0, 1, 2, 3);
    spec->paused = world_below(w, 12) == 0;
    spec->lead_time_s = world_below(w, 2) ? 0 : 60;
    spec->n_metrics = 1 + world_below(w, 4);
    for (uint32_t i = 0; i < spec->n_metrics; i++)
        world_metric(w, &spec->metrics[i], i);
    spec->behavior = world_below(w, 4) > 0;
    world_rules(w, &spec->up);
    world_rules(w, &spec->down);
    world_schedules(w, spec);
    spec->anomaly.mode = (enum anomaly_mode)world_below(w, 4);
    world_advisor(w, spec);
    spec->has_trusted_stabilization = world_below(w, 8) == 0;
    spec->trusted_stabilization_s = (uint32_t)WORLD_PICK(w, 0, 15, 60, 3600);
}

static inline void world_pods(struct random_world *w, uint32_t n)
{
    uint32_t trouble = world_below(w, 3); /* none, some, much */
    for (uint32_t i = 0; i < n; i++) {
        bool odd = world_below(w, 10) < trouble * 3;
        int64_t start_us = w->time_us - WORLD_PICK(w, 5, 29, 31, 299, 301, 9000) * WORLD_SECOND;
        w->pods[i] = (struct core_pod){.phase = odd ? (enum core_pod_phase)world_below(w, 5) : CORE_POD_RUNNING,
                                       .ready = odd ? (enum core_ready)world_below(w, 4) : CORE_READY_TRUE,
                                       .deleting = odd && world_below(w, 4) == 0,
                                       .start_us = odd && world_below(w, 8) == 0 ? 0 : start_us,
                                       .ready_transition_us = start_us + world_below(w, 60) * WORLD_SECOND};
    }
}

static inline void world_samples(struct random_world *w, const struct core_metric_spec *m, uint32_t n,
                                 struct core_pod_sample *out)
{
    int64_t target = m->target_type == CORE_TARGET_UTILIZATION ? m->target_percent * 5 : m->target_milli;
    uint32_t missing = world_below(w, 4);
    for (uint32_t i = 0; i < n; i++)
        out[i] = (struct core_pod_sample){.present = world_below(w, 10) >= missing * 2,
                                          .usage_milli = (int64_t)((double)target * w->level) + world_below(w, 9),
                                          .request_milli = world_below(w, 400) ? 500 : WORLD_PICK(w, -1, 0, INT64_MAX),
                                          .limit_milli = world_below(w, 2) ? 1000 : 0,
                                          .time_us = w->time_us - world_below(w, 95) * WORLD_SECOND,
                                          .window_us = WORLD_PICK(w, 10, 30, 60) * WORLD_SECOND};
}

/* The next sync, and what it sees. */
static inline const struct core_observation *world_observe(struct random_world *w, const struct core_spec *spec)
{
    w->time_us += world_below(w, 40) ? 15 * WORLD_SECOND : 1 + (int64_t)(world_random(w) % 4000000000u);
    if (world_below(w, 30) == 0)
        w->live = (int32_t)WORLD_PICK(w, 0, 1, 2, 7, 30, INT32_MAX);
    w->level *= 1 + ((double)world_below(w, 201) - 100) / 400;
    if (world_below(w, 20) == 0)
        w->level = (double)WORLD_PICK(w, 0, 30, 100, 105, 300, 100000) / 100;
    w->level = MAX(w->level, 0.001);

    uint32_t n = (uint32_t)MIN(w->live, WORLD_PODS);
    w->observation = (struct core_observation){.time_us = w->time_us,
                                               .spec_replicas = w->live,
                                               .status_replicas = world_below(w, 5) ? w->live : (int32_t)n,
                                               .pods = w->pods,
                                               .n_pods = n,
                                               .n_metrics = spec->n_metrics,
                                               .metric_age_s = world_below(w, 60),
                                               .startup_s = world_below(w, 2) ? 0 : world_below(w, 400)};
    world_pods(w, n);
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        struct core_metric_observation *m = &w->observation.metrics[i];
        const struct core_metric_spec *metric = &spec->metrics[i];
        m->kind = (enum sample_kind)(world_below(w, 12) ? SAMPLE_VALUE : WORLD_PICK(w, SAMPLE_NO_DATA, SAMPLE_ERROR));
        if (metric->kind == CORE_METRIC_TOTAL) {
            m->value_milli = (int64_t)((double)metric->target_milli * w->level * MAX(n, 1));
            m->time_us = world_below(w, 3) ? w->time_us - world_below(w, 95) * WORLD_SECOND : 0;
            continue;
        }
        world_samples(w, metric, n, w->samples[i]);
        m->pods = world_below(w, 50) ? w->samples[i] : NULL;
        m->n_strays = world_below(w, 20) ? 0 : 2;
        m->strays_milli = m->n_strays * 100;
    }
    return &w->observation;
}

/* Equal to the bit, but for what core_explain() adds and the padding. */
static inline bool world_same_plan(const struct core_plan *a, const struct core_plan *b)
{
    if (a->time_us != b->time_us || a->current != b->current || a->replicas != b->replicas || a->write != b->write ||
        a->direction != b->direction || a->reason != b->reason || a->limits != b->limits ||
        a->reactive != b->reactive || a->predicted != b->predicted || a->untrusted != b->untrusted ||
        a->raw != b->raw || a->without != b->without || a->unadvised != b->unadvised || a->fallback != b->fallback ||
        a->scheduled != b->scheduled || a->schedule != b->schedule || a->min != b->min ||
        a->down_window_s != b->down_window_s || a->stabilized != b->stabilized || a->rated != b->rated ||
        a->ahead != b->ahead || a->raised != b->raised || a->limited != b->limited || a->advised != b->advised ||
        a->advice != b->advice || a->ask != b->ask || a->metric != b->metric || a->pods_ready != b->pods_ready ||
        a->pods_missing != b->pods_missing || a->pods_ignored != b->pods_ignored || a->lead_s != b->lead_s ||
        a->forecast_trusted != b->forecast_trusted || a->scaling_active != b->scaling_active ||
        a->failed_metric != b->failed_metric || a->foreign_write != b->foreign_write || a->contended != b->contended ||
        a->hold_off_s != b->hold_off_s || a->set_aside != b->set_aside ||
        a->anomaly.is_anomaly != b->anomaly.is_anomaly || a->anomaly.severity != b->anomaly.severity ||
        a->anomaly.since_us != b->anomaly.since_us || a->anomaly.holds != b->anomaly.holds ||
        a->anomaly.sets_aside != b->anomaly.sets_aside ||
        memcmp(&a->anomaly.score, &b->anomaly.score, sizeof a->anomaly.score) != 0 || a->n_metrics != b->n_metrics)
        return false;
    for (uint32_t i = 0; i < a->n_metrics; i++) {
        const struct core_metric_plan *x = &a->metrics[i], *y = &b->metrics[i];
        if (x->state != y->state || x->problem != y->problem || x->reactive != y->reactive ||
            x->predicted != y->predicted || x->fallback != y->fallback || x->unknown_s != y->unknown_s ||
            x->trusted != y->trusted || x->within_tolerance != y->within_tolerance ||
            x->current_percent != y->current_percent || x->current_milli != y->current_milli ||
            x->censored != y->censored || memcmp(&x->demand, &y->demand, sizeof x->demand) != 0 ||
            memcmp(&x->drive, &y->drive, sizeof x->drive) != 0 ||
            memcmp(&x->margin, &y->margin, sizeof x->margin) != 0 ||
            memcmp(&x->capacity, &y->capacity, sizeof x->capacity) != 0)
            return false;
    }
    return true;
}

#endif
