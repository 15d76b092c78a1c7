/* One sync: observe, propose, decide, record. */
#include "core/step.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/consult.h"
#include "core/hpa.h"
#include "core/measure.h"
#include "core/outlook.h"
#include "core/pipeline.h"
#include "core/schedule.h"
#include "core/situation.h"
#include "core/state.h"

#define STARTUP_DEFAULT_S 120
#define STARTUP_MIN_S     15
#define STARTUP_MAX_S     1800
#define METRIC_AGE_MAX_S  3600

uint32_t core_lead_s(const struct core_spec *spec, uint32_t startup_s, uint32_t metric_age_s)
{
    uint32_t startup = STARTUP_DEFAULT_S;
    if (spec->lead_time_s > 0)
        startup = spec->lead_time_s;
    else if (startup_s > 0)
        startup = MIN(MAX(startup_s, STARTUP_MIN_S), STARTUP_MAX_S);
    return startup + spec->sync_period_s + MIN(metric_age_s, METRIC_AGE_MAX_S);
}

static uint32_t lead_s(const struct core_spec *spec, const struct core_observation *observation)
{
    return core_lead_s(spec, observation->startup_s, observation->metric_age_s);
}

/* ---- metrics ---- */

/* Measures what is forecast and feeds it. `out` has an entry per metric of the state. */
static void observe(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation,
                    struct sample out[CORE_MAX_METRICS])
{
    assert(!core_spec_broken(spec) && observation->n_metrics == spec->n_metrics);
    state_take_spec(state, spec);
    uint32_t lead = lead_s(spec, observation), n = 0;
    struct demand *demands[CORE_MAX_METRICS];
    for (uint32_t i = 0; i < state->n_metrics; i++)
        demands[i] = state->metrics[i].demand;
    watch_observe(&state->watch, spec, demands, state->n_metrics, observation->time_us);
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        if (!spec->metrics[i].forecast)
            continue;
        out[n] = measure_demand(&spec->metrics[i], observation, &observation->metrics[i]);
        demand_observe(state->metrics[n].demand, observation->time_us, out[n], 0, lead);
        n++;
    }
}

void core_observe(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation)
{
    struct sample unused[CORE_MAX_METRICS];
    observe(spec, state, observation, unused);
}

/* What the forecast of one metric asks for. */
static void predict(struct demand *demand, int64_t now_us, uint32_t lead, struct core_metric_plan *out)
{
    out->trusted = demand_trusted(demand);
    struct demand_drive drive = demand_drive(demand, now_us, lead);
    if (!drive.usable || !isfinite(drive.quantile) || drive.quantile < 0)
        return;
    out->drive = drive.quantile;
    out->margin = drive.quantile - drive.mean;
    double pods = out->capacity > 0 ? ceil(drive.quantile / out->capacity) : -1;
    out->predicted = pods < (double)INT32_MAX ? (int32_t)pods : INT32_MAX;
}

/* `count` is the one that rules look at: the live one, but for what advice has added. */
static void propose(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation,
                    const struct sample *samples, int32_t count, struct hpa_proposal *proposals, struct core_plan *plan)
{
    uint32_t forecasts = 0, trusted = 0;
    plan->n_metrics = spec->n_metrics;
    plan->lead_s = lead_s(spec, observation);
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        const struct core_metric_spec *metric = &spec->metrics[i];
        struct core_metric_plan *out = &plan->metrics[i];
        struct hpa_proposal *p = &proposals[i];
        *p = state->loan.active ? hpa_propose_for(spec, metric, observation, &observation->metrics[i], count)
                                : hpa_propose(spec, metric, observation, &observation->metrics[i]);
        *out = (struct core_metric_plan){.problem = p->problem,
                                         .reactive = p->replicas,
                                         .predicted = -1,
                                         .fallback = -1,
                                         .within_tolerance = p->within_tolerance,
                                         .current_percent = p->percent,
                                         .current_milli = p->milli,
                                         .demand = -1,
                                         .drive = -1};
        if (p->problem != CORE_PROBLEM_NONE)
            out->state = p->problem == CORE_PROBLEM_STALE ? CORE_METRIC_STALE : CORE_METRIC_MISSING;
        if (!metric->forecast)
            continue;
        if (samples[forecasts].kind == SAMPLE_VALUE) {
            out->demand = samples[forecasts].value;
            out->censored = samples[forecasts].censored;
        }
        out->capacity = measure_capacity(metric, observation, &observation->metrics[i]);
        predict(state->metrics[forecasts++].demand, observation->time_us, plan->lead_s, out);
        trusted += out->trusted;
        int32_t *highest = out->trusted ? &plan->predicted : &plan->untrusted;
        *highest = MAX(*highest, out->predicted);
    }
    plan->forecast_trusted = forecasts > 0 && trusted == forecasts;
}

/* What metrics propose that have been unknown for too long. */
static void fall_back(const struct core_spec *spec, struct core_state *state, int32_t count, struct core_plan *plan)
{
    bool unknown[CORE_MAX_METRICS] = {false};
    uint32_t unknown_s[CORE_MAX_METRICS];
    for (uint32_t i = 0; i < spec->n_metrics; i++)
        unknown[i] = plan->metrics[i].problem != CORE_PROBLEM_NONE;
    outages_note(&state->outages, spec, unknown, plan->time_us, unknown_s);
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        const struct core_fallback *f = &spec->metrics[i].fallback;
        struct core_metric_plan *m = &plan->metrics[i];
        m->unknown_s = unknown_s[i];
        if (!unknown[i] || f->after_s == 0 || unknown_s[i] < f->after_s)
            continue;
        m->state = CORE_METRIC_FALLBACK;
        m->fallback = f->behavior == CORE_FALLBACK_CURRENT_IF_HIGHER ? MAX(f->replicas, count) : f->replicas;
        plan->fallback = MAX(plan->fallback, m->fallback);
    }
}

/* The bounds of this moment: schedules raise the lower one, trust may change the scale-down window. */
static void take_floor(const struct core_spec *spec, struct core_plan *plan)
{
    struct schedule_floor floor = schedule_floor(spec, plan->time_us);
    plan->scheduled = floor.replicas;
    plan->schedule = floor.schedule;
    plan->min = MAX(spec->min_replicas, floor.replicas);
    if (plan->forecast_trusted && !plan->anomaly.sets_aside && spec->has_trusted_stabilization)
        plan->down_window_s = spec->trusted_stabilization_s;
}

/* What an anomaly takes away: the forecast, in mode ReactiveOnly. */
static void set_aside(const struct core_spec *spec, const struct core_state *state, struct core_plan *plan)
{
    plan->anomaly = watch_finding(&state->watch, spec, plan->time_us);
    if (!plan->anomaly.sets_aside)
        return;
    plan->set_aside = plan->predicted;
    plan->predicted = -1;
}

/* ---- the plan ---- */

static bool has_total(const struct core_spec *spec)
{
    for (uint32_t i = 0; i < spec->n_metrics; i++)
        if (spec->metrics[i].kind == CORE_METRIC_TOTAL)
            return true;
    return false;
}

/* shouldComputeMetricsForZeroReplicas, and the snaps */
static enum pipeline_way way_of(const struct core_spec *spec, const struct core_state *state, int32_t current)
{
    if (current == 0) {
        bool ours = state->scaled_to_zero && (spec->min_replicas != 0 || has_total(spec));
        return ours ? WAY_COMPUTE : WAY_DISABLED;
    }
    if (current > spec->max_replicas)
        return WAY_DOWN_TO_MAX;
    return current < spec->min_replicas ? WAY_UP_TO_MIN : WAY_COMPUTE;
}

static enum core_reason reason_of(const struct question *q, const struct answer *a)
{
    if (q->way == WAY_DISABLED)
        return CORE_REASON_SCALING_DISABLED;
    if (a->limits & CORE_LIMIT_CONTENTION)
        return CORE_REASON_CONTENDED;
    if (q->way == WAY_DOWN_TO_MAX)
        return CORE_REASON_TOO_MANY_REPLICAS;
    if (q->way == WAY_UP_TO_MIN)
        return CORE_REASON_TOO_FEW_REPLICAS;
    if (q->min > q->spec->min_replicas && q->min > MAX(q->current, a->raw))
        return CORE_REASON_SCHEDULED;
    if (a->raw < 0)
        return CORE_REASON_METRICS_MISSING;
    if (a->advised > MAX(a->raised, q->current) || pipeline_lowered_by_approval(q, a))
        return CORE_REASON_ADVISED;
    if (q->loan && q->current > q->loan->without && a->raw >= q->loan->without &&
        MAX(a->raw, a->replicas) <= q->current)
        return a->advised_up ? CORE_REASON_ADVISED : CORE_REASON_ADVICE_ENDED;
    if (a->raw > q->current && q->fallback > MAX(q->predicted, q->reactive))
        return CORE_REASON_FALLBACK;
    if (a->raw > q->current)
        return q->predicted > q->reactive ? CORE_REASON_FORECAST_ABOVE_CAPACITY : CORE_REASON_METRIC_ABOVE_TARGET;
    return a->raw < q->current ? CORE_REASON_METRIC_BELOW_TARGET : CORE_REASON_WITHIN_TARGET;
}

/* The metric that the raw need is of. */
static int32_t deciding_metric(const struct core_plan *plan, const struct hpa_need *need, const struct question *q)
{
    if (q->way != WAY_COMPUTE)
        return -1;
    if (plan->reason == CORE_REASON_FALLBACK)
        for (uint32_t i = 0; i < plan->n_metrics; i++)
            if (plan->metrics[i].fallback == plan->fallback)
                return (int32_t)i;
    if (q->predicted <= q->reactive || (q->reactive < 0 && plan->raw < 0))
        return need->metric;
    for (uint32_t i = 0; i < plan->n_metrics; i++)
        if (plan->metrics[i].trusted && plan->metrics[i].predicted == plan->predicted)
            return (int32_t)i;
    return need->metric;
}

static void count_pods(const struct core_spec *spec, const struct core_observation *observation,
                       const struct hpa_proposal *proposals, struct core_plan *plan)
{
    uint32_t i = plan->metric >= 0 ? (uint32_t)plan->metric : 0;
    plan->pods_ready = proposals[i].ready;
    plan->pods_missing = proposals[i].missing;
    plan->pods_ignored = proposals[i].ignored + proposals[i].unready;
    if (spec->metrics[i].kind == CORE_METRIC_TOTAL)
        for (uint32_t k = 0; k < observation->n_pods; k++)
            plan->pods_ready +=
                observation->pods[k].phase == CORE_POD_RUNNING && observation->pods[k].ready == CORE_READY_TRUE;
}

static void fill_plan(const struct question *q, const struct answer *a, const struct hpa_need *need,
                      struct core_plan *plan)
{
    plan->replicas = a->replicas;
    plan->write = a->write;
    plan->direction = a->replicas > q->current ? CORE_UP : a->replicas < q->current ? CORE_DOWN : CORE_HOLD;
    plan->reason = reason_of(q, a);
    plan->reactive = need->replicas;
    plan->raw = a->raw;
    plan->bare = a->bare;
    plan->raised = a->raised;
    plan->advised = a->effect.proposal;
    plan->advice = a->effect.outcome;
    plan->stabilized = a->stabilized;
    plan->limited = a->limits & CORE_LIMIT_HELD ? a->limited : a->rated;
    plan->rated = a->rated;
    plan->unadvised = a->without;
    plan->limits = a->limits;
    plan->metric = deciding_metric(plan, need, q);
    plan->scaling_active = q->way != WAY_DISABLED && need->replicas >= 0;
    plan->failed_metric = need->failed;
    if (q->way != WAY_COMPUTE)
        return;
    if (need->failed >= 0)
        plan->limits |= CORE_LIMIT_MISSING_METRICS;
    if (plan->metric >= 0 && q->predicted <= q->reactive && plan->metrics[plan->metric].within_tolerance)
        plan->limits |= CORE_LIMIT_TOLERANCE;
    if (plan->untrusted > MAX(a->raw, q->current))
        plan->limits |= CORE_LIMIT_UNTRUSTED;
    if (plan->set_aside > MAX(a->raw, q->current))
        plan->limits |= CORE_LIMIT_ANOMALY;
}

static void step_off(struct core_state *state, int32_t current, struct core_plan *plan)
{
    plan->replicas = plan->limited = plan->rated = current;
    plan->reason = CORE_REASON_OFF;
    contention_adopt(&state->contention, current);
    loan_done(&state->loan); /* who takes over finds the count as it is */
    state->outages.n = 0;
}

static enum core_mode mode_of(const struct core_spec *spec)
{
    return spec->paused && spec->mode != CORE_OFF ? CORE_RECOMMEND : spec->mode;
}

static void set_back(struct core_state *state, int64_t now_us)
{
    behavior_set_back(&state->behavior, now_us);
    loan_set_back(&state->loan, now_us);
    contention_set_back(&state->contention, now_us);
}

static void watch_writers(struct core_state *state, enum core_mode mode, int64_t now_us, int32_t current,
                          struct core_plan *plan)
{
    if (mode == CORE_RECOMMEND) {
        contention_adopt(&state->contention, current);
        return;
    }
    plan->foreign_write = contention_observe(&state->contention, now_us, current);
    plan->contended = contention_active(&state->contention, now_us);
    plan->hold_off_s = contention_hold_s(&state->contention, now_us);
}

/* ---- a step ---- */

/* What this sync adds to the past: of the live count, and of the one without advice. */
static void remember(const struct core_spec *spec, struct core_state *state, const struct question *q,
                     const struct answer *a, const struct core_plan *plan)
{
    int32_t count = state->loan.active ? state->loan.without : q->current;
    int32_t without = q->way == WAY_DOWN_TO_MAX ? MIN(count, a->without) : a->without;
    loan_note(&state->loan, spec, &state->behavior, q->now_us,
              &(struct loan_note){.current = q->current,
                                  .planned = a->write ? a->replicas : q->current,
                                  .raised = a->advised_up,
                                  .refused = pipeline_lowered_by_approval(q, a),
                                  .recorded = a->recorded,
                                  .need = a->raised,
                                  .without = a->without_write ? without : count});
    if (a->recorded)
        behavior_record(&state->behavior, spec, q->now_us, a->advised);
    int32_t held = MAX(plan->scheduled, plan->fallback);
    if (held >= 0 && q->way != WAY_DISABLED) {
        behavior_hold(&state->behavior, q->now_us, held);
        loan_hold(&state->loan, q->now_us, held);
    }
}

static void clear_plan(const struct core_spec *spec, struct core_plan *plan)
{
    memset(plan, 0, sizeof *plan);
    plan->set_aside = plan->reactive = plan->predicted = plan->untrusted = plan->fallback = plan->scheduled = -1;
    plan->raw = plan->bare = plan->ahead = plan->raised = plan->advised = plan->stabilized = plan->metric =
        plan->without = plan->unadvised = plan->schedule = plan->failed_metric = -1;
    plan->min = spec->min_replicas;
    plan->down_window_s = spec->down.stabilization_s;
}

void core_step(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation,
               struct core_plan *plan)
{
    assert(!core_spec_broken(spec) && observation->n_metrics == spec->n_metrics);
    clear_plan(spec, plan);
    int64_t now_us = observation->time_us;
    int32_t current = MAX(observation->spec_replicas, 0);
    enum core_mode mode = mode_of(spec);
    plan->time_us = now_us;
    plan->current = current;
    if (mode == CORE_OFF) {
        state_take_spec(state, spec);
        step_off(state, current, plan);
    } else {
        struct sample samples[CORE_MAX_METRICS];
        observe(spec, state, observation, samples);
        set_back(state, now_us);
        watch_writers(state, mode, now_us, current, plan);
        behavior_first_sight(&state->behavior, now_us, current);
        int32_t count = loan_begin(&state->loan, spec, now_us, current);
        plan->without = count < current ? count : -1;

        struct hpa_proposal proposals[CORE_MAX_METRICS] = {{.replicas = -1}};
        propose(spec, state, observation, samples, count, proposals, plan);
        set_aside(spec, state, plan);
        fall_back(spec, state, count, plan);
        struct hpa_need need = hpa_combine(proposals, spec->n_metrics, count);
        take_floor(spec, plan);
        consult_answers(spec, state, observation);
        outlook_ask(spec, state, observation, count, MAX(need.replicas, MAX(plan->predicted, plan->fallback)), plan);
        struct question question = {.spec = spec,
                                    .behavior = &state->behavior,
                                    .now_us = now_us,
                                    .way = way_of(spec, state, current),
                                    .mode = mode,
                                    .current = current,
                                    .min = plan->min,
                                    .max = spec->max_replicas,
                                    .reactive = need.replicas,
                                    .bare = need.bare,
                                    .predicted = plan->predicted,
                                    .fallback = plan->fallback,
                                    .ahead = plan->ahead,
                                    .down_window_s = plan->down_window_s,
                                    .contended = plan->contended,
                                    .on_hold = plan->hold_off_s > 0,
                                    .odd = plan->anomaly.holds,
                                    .unknown = need.failed >= 0,
                                    .advice = spec->advice.mode == ADVICE_OFF ? NULL : &state->advice,
                                    .side = situation_side(spec, plan, need.metric),
                                    .loan = state->loan.active ? &state->loan : NULL};
        struct answer answer;
        pipeline_decide(&question, &answer);
        pipeline_assert(&question, &answer, need.failed >= 0);
        fill_plan(&question, &answer, &need, plan);
        count_pods(spec, observation, proposals, plan);
        remember(spec, state, &question, &answer, plan);
        consult(spec, state, observation, need.metric, plan);
    }
    decisions_add(&state->decisions,
                  &(struct core_decision){
                      .time_us = now_us, .current = current, .desired = plan->replicas, .reason = plan->reason});
}

void core_plan_postpone(struct core_plan *plan)
{
    plan->write = false;
    plan->limits |= CORE_LIMIT_SHRINK_BUDGET;
}

void core_applied(const struct core_spec *spec, struct core_state *state, int64_t time_us, int32_t from, int32_t to)
{
    behavior_scaled(&state->behavior, spec, time_us, from, to);
    loan_applied(&state->loan, spec, time_us, to);
    contention_applied(&state->contention, time_us, from, to);
    state->scaled_to_zero = from > 0 && to == 0 && spec->min_replicas == 0 && has_total(spec);
}

void core_adopt(struct core_state *state, int32_t replicas)
{
    contention_adopt(&state->contention, replicas);
}

void core_resume(struct core_state *state, const struct core_spec *spec, int64_t time_us, int32_t replicas)
{
    set_back(state, time_us);
    behavior_resume(&state->behavior, spec, time_us, replicas);
    loan_resume(&state->loan, spec, time_us, replicas);
    contention_adopt(&state->contention, replicas);
}

void core_lent(struct core_state *state, int64_t time_us, int32_t replicas, int32_t lent)
{
    loan_restore(&state->loan, time_us, replicas, lent);
}

int32_t core_state_lent(const struct core_state *state)
{
    const struct loan *l = &state->loan;
    return l->active ? MAX(l->live - l->without, 0) : 0;
}
