/* Runs of the world under the core; see simulation.h. */
#include "lab/simulation.h"

#include "base/alloc.h"
#include "lab/pods.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POD_MILLI                                                                                                      \
    1000000 /* a pod's capacity in the core's thousandths: its integers then round nothing that matters                \
             */
#define POD_UNITS        1000.0
#define FIRST_TARGET     40
#define TARGET_STEP      5
#define DEFAULT_TARGET   0.7
#define PROGRESS_EVERY   8192
#define HOSTILE_REPLICAS 10000
#define TICK_MINUTES     (TRACE_TICK_S / 60.0)

double simulation_target(uint32_t i)
{
    return FIRST_TARGET + TARGET_STEP * (double)i;
}

const char *simulation_advisor_name(enum simulation_advisor advisor)
{
    static const char *const names[] = {NULL, "hostile", "clairvoyant", "recorded"};
    return (size_t)advisor < ARRAY_SIZE(names) ? names[advisor] : NULL;
}

/* ---- specs ---- */

static uint32_t metric_of(const struct core_spec *spec)
{
    for (uint32_t i = 0; i < spec->n_metrics; i++)
        if (spec->metrics[i].forecast)
            return i;
    return 0;
}

const char *simulation_refuses(const struct core_spec *spec)
{
    if (spec->metrics[metric_of(spec)].target_type == CORE_TARGET_VALUE)
        return "a target of type Value is a ratio, of which no demand can be played; use Utilization or AverageValue";
    return NULL;
}

/* In units of which a pod serves POD_UNITS. */
static struct core_spec own_spec(const struct core_spec *spec, double pod_capacity)
{
    struct core_spec own = *spec;
    double scale = POD_UNITS / pod_capacity;
    own.metrics[0] = spec->metrics[metric_of(spec)];
    own.n_metrics = 1;
    own.mode = CORE_AUTO;
    own.paused = false;
    struct core_metric_spec *m = &own.metrics[0];
    if (m->target_type != CORE_TARGET_UTILIZATION)
        m->target_milli = (int64_t)MAX(1.0, MIN(round((double)m->target_milli * scale), 9e15));
    m->capacity_per_pod *= scale;
    return own;
}

/* What an HPA can be told of it. */
static struct core_spec plain_spec(const struct core_spec *own)
{
    struct core_spec plain = *own;
    plain.metrics[0].forecast = false;
    plain.metrics[0].fallback = (struct core_fallback){.after_s = 0};
    plain.n_schedules = 0;
    plain.advice.mode = ADVICE_OFF;
    plain.has_trusted_stabilization = false;
    return plain;
}

static double target_percent(const struct core_spec *own)
{
    const struct core_metric_spec *m = &own->metrics[0];
    return m->target_type == CORE_TARGET_UTILIZATION ? m->target_percent : (double)m->target_milli * 100 / POD_MILLI;
}

static void set_target(struct core_spec *own, double percent)
{
    own->metrics[0].target_percent = (int32_t)percent;
    own->metrics[0].target_milli = (int64_t)(percent / 100 * POD_MILLI);
}

/* ---- one run ---- */

struct runner {
    const struct simulation_options *options;
    const struct core_spec *spec;
    struct core_state *state;
    struct world world;
    struct lab_pods pods;
    struct simulation_run *out;
    uint64_t trusted;
    bool answered; /* `advice` goes into the next sync */
    struct advice advice;
    struct answers_replay replay;
};

/* ---- the advisor ---- */

static int32_t clairvoyant(const struct runner *r, const struct advice_situation *asked)
{
    const struct trace *t = r->world.options.trace;
    uint32_t end = MIN(r->world.tick + ADVICE_JUDGE_S / TRACE_TICK_S, t->n);
    double highest = 0;
    for (uint32_t i = r->world.tick; i < end; i++)
        highest = MAX(highest, t->demand[i]);
    return MAX(asked->need, (int32_t)world_need(highest, r->world.options.pod_capacity));
}

static void ask_invented(struct runner *r, const struct core_plan *plan)
{
    const struct advice_situation *asked = &plan->situation;
    core_asked(r->state, asked, plan->time_us);
    r->advice = (struct advice){
        .id = ++r->out->questions,
        .sampled_us = plan->time_us,
        .need = asked->need,
        .current = asked->current,
        .side = asked->side,
        .target_replicas = r->options->advisor == SIMULATION_HOSTILE ? HOSTILE_REPLICAS : clairvoyant(r, asked),
        .confidence_percent = 100,
        .provider = 1,
    };
    r->answered = true;
}

/* The HPA beside us has no advisor. */
static bool is_recorded(const struct runner *r)
{
    return r->options->advisor == SIMULATION_RECORDED && r->spec->advice.mode != ADVICE_OFF;
}

static void ask(struct runner *r, const struct core_plan *plan)
{
    if (is_recorded(r)) {
        if (answers_replay_ask(&r->replay, plan))
            core_asked(r->state, &plan->situation, plan->time_us);
    } else if (plan->ask != ADVICE_TRIGGER_NONE && r->options->advisor != SIMULATION_NO_ADVISOR) {
        ask_invented(r, plan);
    }
}

/* ---- a sync ---- */

static void keep(const struct runner *r, const struct core_plan *plan)
{
    const struct simulation_ticks *t = &r->out->ticks;
    uint32_t tick = r->world.tick;
    double per_unit = r->options->world.pod_capacity / POD_UNITS;
    bool known = plan && plan->n_metrics > 0 && plan->metrics[0].trusted && plan->metrics[0].drive >= 0;
    t->capacity[tick] = (float)(r->world.n_ready * r->options->world.pod_capacity);
    t->replicas[tick] = r->world.n;
    if (plan)
        t->forecast[tick] = known ? (float)(plan->metrics[0].drive * per_unit) : NAN;
    else
        t->forecast[tick] = tick > 0 ? t->forecast[tick - 1] : NAN;
    t->predicted[tick] = plan && plan->direction == CORE_UP && plan->reason == CORE_REASON_FORECAST_ABOVE_CAPACITY;
}

static void sync(struct runner *r, struct core_plan *plan)
{
    double measured = 0;
    struct world *w = &r->world;
    struct lab_metric metric = {.kind = SAMPLE_NO_DATA, .request_milli = POD_MILLI, .limit_milli = POD_MILLI};
    if (world_metric(w, &measured)) {
        metric.kind = SAMPLE_VALUE;
        metric.total_milli = core_milli(MIN(measured / r->options->world.pod_capacity * POD_UNITS, 9e15));
    }
    int64_t now_us = w->options.trace->start_us + (int64_t)w->tick * TRACE_TICK_S * 1000000;
    struct core_observation seen =
        lab_pods_observe(&r->pods, r->spec, now_us, (int32_t)w->n, (int32_t)w->n_ready, &metric);
    seen.metric_age_s = WORLD_METRIC_AGE_S;
    seen.startup_s = w->startup_s;
    if (w->tick == 0)
        core_resume(r->state, r->spec, now_us, (int32_t)w->n);
    seen.advice = is_recorded(r) ? answers_replay_take(&r->replay, now_us) : r->answered ? &r->advice : NULL;
    core_step(r->spec, r->state, &seen, plan);
    r->answered = false;
    ask(r, plan);
    if (plan->write) {
        world_scale(w, (uint32_t)plan->replicas);
        core_adopt(r->state, (int32_t)w->n);
        core_applied(r->spec, r->state, now_us, plan->current, (int32_t)w->n);
    }
    if (w->tick < w->options.warmup_ticks)
        return;
    r->trusted += plan->forecast_trusted;
    r->out->advised_syncs += plan->advice == ADVICE_APPLIED;
    r->out->limited_ticks += (plan->limits & CORE_LIMIT_MAX_REPLICAS) != 0;
    r->out->most_replicas = MAX(r->out->most_replicas, w->n);
}

static uint32_t first_replicas(const struct world_options *o, const struct core_spec *spec)
{
    uint32_t need = world_need(o->trace->demand[0] / DEFAULT_TARGET, o->pod_capacity);
    return MIN(MAX(need, (uint32_t)MAX(spec->min_replicas, 1)), (uint32_t)spec->max_replicas);
}

static void run(const struct simulation_options *options, const struct core_spec *spec, uint32_t index, uint32_t runs,
                struct simulation_run *ret)
{
    struct runner r = {.options = options, .spec = spec, .state = core_state_new(spec), .out = ret};
    struct core_plan plan;
    uint32_t n = options->world.trace->n, next_s = 0, syncs = 0;
    world_init(&r.world, &options->world, first_replicas(&options->world, spec));
    if (is_recorded(&r))
        r.replay = answers_replay(options->answers, options->world.trace->start_us);
    for (uint32_t tick = 0; tick < n; tick++) {
        bool due = tick * TRACE_TICK_S >= next_s;
        if (options->progress && tick % PROGRESS_EVERY == 0)
            options->progress(options->data, index * (n / 64 + 1) + tick / 64, runs * (n / 64 + 1));
        world_begin(&r.world);
        if (due) {
            sync(&r, &plan);
            syncs += tick >= options->world.warmup_ticks;
            next_s += spec->sync_period_s;
        }
        if (ret->ticks.capacity)
            keep(&r, due ? &plan : NULL);
        world_serve(&r.world);
    }
    if (is_recorded(&r)) {
        ret->questions = r.replay.asked;
        ret->failures = r.replay.failures;
        ret->contradictions = r.replay.contradictions;
        ret->skipped = r.replay.skipped + (options->answers->n - r.replay.next);
    }
    ret->target_percent = target_percent(spec);
    ret->score = r.world.score;
    ret->trusted = syncs > 0 ? (double)r.trusted / syncs : 0;
    world_done(&r.world);
    lab_pods_done(&r.pods);
    core_state_free(r.state);
}

/* ---- all runs ---- */

static void ticks_init(struct simulation_ticks *t, uint32_t n)
{
    t->capacity = xcalloc(n, sizeof *t->capacity);
    t->forecast = xcalloc(n, sizeof *t->forecast);
    t->replicas = xcalloc(n, sizeof *t->replicas);
    t->predicted = xcalloc(n, sizeof *t->predicted);
}

static void ticks_done(struct simulation_ticks *t)
{
    free(t->capacity);
    free(t->forecast);
    free(t->replicas);
    free(t->predicted);
}

/* Between two runs of the frontier; `share` of the way. Zero minutes count as half a tick, so that there is a
 * logarithm. */
static double between(double a, double b, double share)
{
    double least = TICK_MINUTES / 2;
    if (a <= 0 && b <= 0)
        return 0;
    double between = exp(log(MAX(a, least)) * (1 - share) + log(MAX(b, least)) * share);
    return between <= least ? 0 : between;
}

static double unserved(const struct simulation_run *r)
{
    return r->score.demand > 0 ? r->score.unserved / r->score.demand : 0;
}

static struct simulation_match match_of(const struct simulation_run *r, int outside)
{
    return (struct simulation_match){r->target_percent, r->score.under_provisioned_min, unserved(r), outside};
}

struct simulation_match simulation_match(const struct simulation_run *frontier, uint32_t n, double pod_hours)
{
    if (pod_hours >= frontier[0].score.pod_hours)
        return match_of(&frontier[0], pod_hours > frontier[0].score.pod_hours);
    for (uint32_t i = 0; i + 1 < n; i++) {
        const struct simulation_run *a = &frontier[i], *b = &frontier[i + 1];
        if (pod_hours < b->score.pod_hours)
            continue;
        double share = log(a->score.pod_hours / pod_hours) / log(a->score.pod_hours / b->score.pod_hours);
        return (struct simulation_match){a->target_percent + share * (b->target_percent - a->target_percent),
                                         between(a->score.under_provisioned_min, b->score.under_provisioned_min, share),
                                         unserved(a) + share * (unserved(b) - unserved(a)), 0};
    }
    return match_of(&frontier[n - 1], -1);
}

static double oracle_pod_hours(const struct world_options *o, uint32_t min_replicas)
{
    uint32_t *pods = xcalloc(o->trace->n, sizeof *pods);
    double hours = 0;
    world_oracle(o, min_replicas, pods);
    for (uint32_t i = o->warmup_ticks; i < o->trace->n; i++)
        hours += pods[i] * (TRACE_TICK_S / 3600.0);
    free(pods);
    return hours;
}

void simulate(const struct simulation_options *options, struct simulation *ret)
{
    assert(!simulation_refuses(options->spec));
    uint32_t runs = options->compare ? 2 + SIMULATION_TARGETS : 1, n = options->world.trace->n;
    struct core_spec own = own_spec(options->spec, options->world.pod_capacity), plain = plain_spec(&own);
    memset(ret, 0, sizeof *ret);
    ret->world = options->world;
    ret->advisor = options->advisor;
    ret->metric = metric_of(options->spec);
    ret->compared = options->compare;
    ret->oracle_pod_hours = oracle_pod_hours(&options->world, (uint32_t)own.min_replicas);
    if (options->keep_ticks) {
        ticks_init(&ret->own.ticks, n);
        ticks_init(&ret->hpa.ticks, n);
    }
    run(options, &own, 0, runs, &ret->own);
    if (options->compare) {
        run(options, &plain, 1, runs, &ret->hpa);
        for (uint32_t i = 0; i < SIMULATION_TARGETS; i++) {
            set_target(&plain, simulation_target(i));
            run(options, &plain, 2 + i, runs, &ret->frontier[i]);
        }
        ret->match = simulation_match(ret->frontier, SIMULATION_TARGETS, ret->own.score.pod_hours);
    }
    if (options->progress)
        options->progress(options->data, 1, 1);
}

void simulation_done(struct simulation *s)
{
    ticks_done(&s->own.ticks);
    ticks_done(&s->hpa.ticks);
}
