/* A million random plans over adversarial worlds, with forecasts of any value and damaged states: the invariants as
 * plan_check.h computes them from outside, and the same questions asked without forecasts, schedules and advice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "core/explain.h"
#include "core/state.h"
#include "test/support/fake_demand.h"
#include "test/support/plan_check.h"
#include "test/support/random_world.h"

/* A second state that is made equal to the first again and again, without an allocation: a million plans would spend
 * most of their time in an encoding. (That an encoding is as good is for test_state.c.) */
static void twin_init(struct core_state *t)
{
    *t = (struct core_state){.n_metrics = 0};
    struct behavior_window *windows[] = {&t->behavior.highest, &t->behavior.lowest};
    struct behavior_events *events[] = {&t->behavior.up, &t->behavior.down};
    for (int i = 0; i < 2; i++) {
        windows[i]->cap = BEHAVIOR_MAX_RECOMMENDATIONS;
        windows[i]->entries = xcalloc(windows[i]->cap, sizeof *windows[i]->entries);
        events[i]->cap = BEHAVIOR_MAX_EVENTS;
        events[i]->entries = xcalloc(events[i]->cap, sizeof *events[i]->entries);
    }
    t->decisions.cap = DECISIONS_BYTES;
    t->decisions.bytes = xcalloc(1, DECISIONS_BYTES);
    struct demand_config config = demand_config_default();
    for (int i = 0; i < CORE_MAX_METRICS; i++) {
        t->metrics[i].name = xcalloc(1, sizeof((struct core_metric_spec *)NULL)->name);
        t->metrics[i].demand = demand_new(&config);
    }
}

static void twin_done(struct core_state *t)
{
    for (int i = 0; i < CORE_MAX_METRICS; i++) {
        free(t->metrics[i].name);
        demand_free(t->metrics[i].demand);
    }
    behavior_done(&t->behavior);
    loan_done(&t->loan);
    decisions_done(&t->decisions);
}

static void copy_bytes(void *to, const void *from, size_t n)
{
    if (n > 0) /* an array that was never needed is NULL */
        memcpy(to, from, n);
}

#define COPY_ENTRIES(to, from)                                                                                         \
    do {                                                                                                               \
        copy_bytes((to).entries, (from).entries, (from).n * sizeof *(from).entries);                                   \
        (to).n = (from).n;                                                                                             \
    } while (0)

static void behavior_take(struct behavior *t, const struct behavior *from)
{
    t->seeded = from->seeded;
    COPY_ENTRIES(t->highest, from->highest);
    COPY_ENTRIES(t->lowest, from->lowest);
    COPY_ENTRIES(t->up, from->up);
    COPY_ENTRIES(t->down, from->down);
}

static void twin_copy(struct core_state *t, const struct core_state *from)
{
    loan_done(&t->loan); /* of the few that there are, the copy is made anew */
    struct core_state mine = *t;
    assert_null(from->watch.detector); /* no slot is ever closed here */
    *t = *from;                        /* what has no memory of its own */
    t->behavior = mine.behavior;
    behavior_take(&t->behavior, &from->behavior);
    t->loan.behavior = (struct behavior){.seeded = false};
    behavior_copy(&t->loan.behavior, &from->loan.behavior);
    t->decisions.bytes = mine.decisions.bytes;
    t->decisions.cap = mine.decisions.cap;
    copy_bytes(t->decisions.bytes, from->decisions.bytes, from->decisions.len);
    memcpy(t->metrics, mine.metrics, sizeof t->metrics);
    for (uint32_t i = 0; i < from->n_metrics; i++) {
        memcpy(t->metrics[i].name, from->metrics[i].name, strlen(from->metrics[i].name) + 1);
        *t->metrics[i].demand = *from->metrics[i].demand;
    }
}

/* Half of the worlds are calm: every metric answers, and forecasts mostly ask for nothing, so that counts fall too. */
static void calm_down(struct random_world *w, const struct core_spec *spec, struct core_state *state)
{
    struct core_observation *seen = &w->observation;
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        struct core_metric_observation *m = &seen->metrics[i];
        m->kind = SAMPLE_VALUE;
        m->time_us = 0;
        m->pods = w->samples[i];
        for (uint32_t k = 0; k < seen->n_pods; k++) {
            w->samples[i][k].time_us = seen->time_us;
            w->samples[i][k].present |= k % 4 != 0;
        }
    }
    for (uint32_t i = 0; i < state->n_metrics; i++)
        state->metrics[i].demand->usable = world_below(w, 20) == 0;
}

static void shake_forecasts(struct random_world *w, struct core_state *state)
{
    bool all_trusted = world_below(w, 3) > 0;
    for (uint32_t i = 0; i < state->n_metrics; i++) {
        struct demand *d = state->metrics[i].demand;
        d->trusted = all_trusted || world_below(w, 3) > 0;
        d->usable = world_below(w, 5) > 0;
        d->quantile = (double)WORLD_PICK(w, 0, 1, 5, 10, 20, 100, 1000000000) * (double)world_below(w, 100) / 50;
        d->ahead = (double)WORLD_PICK(w, -1, 1, 5, 10, 20, 100, 1000000000) * (double)world_below(w, 100) / 50;
        if (world_below(w, 200) == 0)
            d->ahead = world_below(w, 2) ? __builtin_inf() : __builtin_nan("");
        d->ahead = (double)WORLD_PICK(w, -1, 0, 1, 5, 10, 20, 100, 1000000000) * (double)world_below(w, 100) / 50;
        if (world_below(w, 200) == 0)
            d->ahead = world_below(w, 2) ? __builtin_inf() : __builtin_nan("");
        if (world_below(w, 200) == 0)
            d->quantile = world_below(w, 2) ? __builtin_inf() : -__builtin_inf();
        if (world_below(w, 200) == 0)
            d->quantile = world_below(w, 2) ? __builtin_nan("") : -1e300;
    }
}

/* Episodes that begin, go on, or were forgotten long ago. */
static void shake_anomaly(struct random_world *w, struct core_state *state)
{
    if (state->n_metrics > 0 && world_below(w, 8) == 0)
        state->watch.policy = (struct anomaly_policy){
            .since_us = world_below(w, 3) ? w->time_us - (int64_t)world_below(w, 4000) * WORLD_SECOND : 0,
            .severity = (enum anomaly_severity)world_below(w, 4)};
}

static void silence_forecasts(struct core_state *state)
{
    for (uint32_t i = 0; i < state->n_metrics; i++)
        state->metrics[i].demand->usable = false;
}

/* The scale-down window that counts: the user's own for trusted forecasts is for when all of them are. */
static uint32_t window_s(const struct core_spec *spec, const struct core_state *state)
{
    bool trusted = state->n_metrics > 0;
    for (uint32_t i = 0; i < state->n_metrics; i++)
        trusted = trusted && state->metrics[i].demand->trusted;
    return trusted && spec->has_trusted_stabilization ? spec->trusted_stabilization_s : spec->down.stabilization_s;
}

/* What a decoder lets through and no core has written: any count at any time. */
static void damage_behavior(struct random_world *w, struct behavior *b, int64_t far_us)
{
    struct behavior_window *windows[] = {&b->highest, &b->lowest};
    struct behavior_events *events[] = {&b->up, &b->down};
    for (int k = 0; k < 2; k++) {
        int64_t time_us = w->time_us - far_us;
        for (uint32_t i = 0; i < windows[k]->n; i++)
            windows[k]->entries[i] =
                (struct behavior_recommendation){.time_us = time_us += (int64_t)(world_random(w) % (uint64_t)far_us),
                                                 .replicas = (int32_t)world_random(w) & INT32_MAX};
        for (uint32_t i = 0; i < events[k]->n; i++)
            events[k]->entries[i] = (struct behavior_event){
                .time_us = w->time_us + far_us - (int64_t)(world_random(w) % (2 * (uint64_t)far_us)),
                .change = (int32_t)world_random(w) & INT32_MAX,
                .outdated = world_below(w, 2)};
    }
}

static void damage(struct random_world *w, struct core_state *state)
{
    int64_t far_us = WORLD_PICK(w, 1, 60, 3600, 100000000) * WORLD_SECOND;
    damage_behavior(w, &state->behavior, far_us);
    if (!state->loan.active && world_below(w, 2)) {
        state->loan.active = true;
        behavior_copy(&state->loan.behavior, &state->behavior);
    }
    if (state->loan.active) {
        damage_behavior(w, &state->loan.behavior, far_us);
        state->loan.without = 1 + ((int32_t)world_random(w) & (INT32_MAX - 1));
        state->loan.planned_without = (int32_t)world_random(w) & INT32_MAX;
        state->loan.live = (int32_t)WORLD_PICK(w, w->live, 3, INT32_MAX);
        state->loan.planned = (int32_t)WORLD_PICK(w, w->live, 3, INT32_MAX);
        state->loan.raised_us = w->time_us + far_us - (int64_t)(world_random(w) % (2 * (uint64_t)far_us));
    }
    state->contention = (struct contention){.known = world_below(w, 2),
                                            .expected = (int32_t)world_random(w) & INT32_MAX,
                                            .from = (int32_t)world_below(w, 50),
                                            .to = (int32_t)world_below(w, 50),
                                            .written_us = w->time_us - far_us,
                                            .undone_us = world_below(w, 2) ? 0 : w->time_us + far_us,
                                            .until_us = world_below(w, 2) ? 0 : w->time_us + far_us,
                                            .hold_until_us = w->time_us + far_us,
                                            .hold_off_s = world_below(w, 3601)};
    state->scaled_to_zero = world_below(w, 2);
    for (uint32_t i = 0; i < state->outages.n; i++)
        state->outages.entries[i].since_us = WORLD_PICK(w, INT64_MIN, 0, INT64_MAX);
}

/* One world: an autoscaler and its past, and the two others that are asked the same. */
struct scene {
    struct random_world world;
    struct core_spec spec;
    struct core_state *state, again, plain, alone;
    struct ledger ledger;
    bool calm;
    bool steady; /* the rules of behaviour stay as they are, and the clock only goes on */
    uint64_t seed;
    struct advice advice;
    int32_t need, bare; /* of the last plan */
    uint32_t raised, lowered, snapped, unknown, held, advised;
};

static void specify(struct scene *s)
{
    world_spec(&s->world, &s->spec);
    if (!s->calm)
        return;
    s->spec.mode = CORE_AUTO;
    s->spec.paused = false;
    s->spec.max_replicas = MAX(s->spec.max_replicas, 20);
    s->spec.n_metrics = MIN(s->spec.n_metrics, 2);
    s->spec.n_schedules = world_below(&s->world, 4) ? 0 : s->spec.n_schedules;
    s->spec.down.stabilization_s = MIN(s->spec.down.stabilization_s, 300);
}

/* Another specification for the same object. */
static void respecify(struct scene *s)
{
    struct core_spec old = s->spec;
    specify(s);
    if (s->steady) {
        s->spec.behavior = old.behavior;
        s->spec.up = old.up;
        s->spec.down = old.down;
        s->spec.has_trusted_stabilization = old.has_trusted_stabilization;
        s->spec.trusted_stabilization_s = old.trusted_stabilization_s;
    }
    state_take_spec(s->state, &s->spec);
}

static void begin(struct scene *s, uint64_t seed)
{
    s->seed = seed;
    s->world.seed = seed * 2654435761u + 88172645463325252u;
    s->world.live = 1 + (int32_t)world_below(&s->world, 12);
    s->world.level = 1;
    s->world.time_us = (1700000000 + (int64_t)world_below(&s->world, 86400)) * WORLD_SECOND;
    s->calm = world_below(&s->world, 2);
    s->spec = core_spec_default();
    specify(s);
    s->steady = world_below(&s->world, 4) > 0;
    s->state = core_state_free(s->state);
    s->state = core_state_new(&s->spec);
    ledger_clear(&s->ledger);
    if (!s->steady)
        ledger_forget(&s->ledger);
}

/* What happens between two syncs, and what is seen then. A world is looked at anew at every third sync; in between, the
 * count, the time and the forecasts are others. */
static const struct core_observation *look(struct scene *s, uint32_t step)
{
    struct random_world *w = &s->world;
    if (world_below(w, 40) == 0)
        respecify(s);
    if (world_below(w, 60) == 0) {
        core_resume(s->state, &s->spec, w->time_us, w->live);
        ledger_seen(&s->ledger, w->time_us, w->live);
    }
    if (world_below(w, 400) == 0) {
        damage(w, s->state);
        ledger_forget(&s->ledger);
    }
    if (step % 3 == 0 || w->observation.n_metrics != s->spec.n_metrics) {
        world_observe(w, &s->spec);
    } else {
        w->time_us += 15 * WORLD_SECOND;
        if (!s->steady && world_below(w, 20) == 0)
            w->time_us -= (int64_t)world_below(w, 4000) * WORLD_SECOND;
        w->observation.time_us = w->time_us;
        w->observation.spec_replicas = w->live;
    }
    w->observation.advice = world_advice(w, &s->advice);
    if (s->calm && s->need > 0) { /* advice about where things are, not about anything */
        s->advice.need = s->bare;
        s->advice.side = ADVICE_WITHIN_TOLERANCE;
        s->advice.target_replicas = (int32_t)MAX((int64_t)MIN(s->need, 1000) + WORLD_PICK(w, -3, -1, 1, 3, 10, 100), 1);
    }
    w->observation.approved_advice = world_below(w, 5);
    w->observation.unschedulable = world_below(w, 5) == 0;
    shake_forecasts(w, s->state);
    shake_anomaly(w, s->state);
    if (s->calm)
        calm_down(w, &s->spec, s->state);
    return &w->observation;
}

static void refuse(const struct scene *s, uint32_t step, const struct core_plan *p, const char *wrong)
{
    fail_msg("seed %llu, step %u: %s: %d -> %d, bounds %d..%d", (unsigned long long)s->seed, step, wrong, p->current,
             p->replicas, p->min, s->spec.max_replicas);
}

static void count(struct scene *s, const struct core_plan *p)
{
    if (!check_is_active(&s->spec, p))
        return;
    s->raised += p->replicas > p->current && p->stabilized >= 0;
    s->lowered += p->replicas < p->current && p->stabilized >= 0;
    s->snapped += p->replicas != p->current && p->stabilized < 0;
    s->unknown += p->failed_metric >= 0;
    s->held += p->raw >= 0 && p->replicas != p->raw;
    s->advised += p->advice == ADVICE_APPLIED;
}

static void plan_one(struct scene *s, uint32_t step)
{
    static struct core_plan plan, again, plain, alone;
    const struct core_observation *seen = look(s, step);
    twin_copy(&s->again, s->state);
    twin_copy(&s->plain, s->state);
    twin_copy(&s->alone, s->state);
    silence_forecasts(&s->plain);
    uint32_t down_window_s = window_s(&s->spec, s->state);

    ledger_advised(&s->ledger, &s->spec, seen);
    core_step(&s->spec, s->state, seen, &plan);
    if (plan.anomaly.sets_aside) /* the forecast is, and with it what goes with trust in it */
        down_window_s = s->spec.down.stabilization_s;
    const char *wrong = check_plan(&s->ledger, &s->spec, seen, &plan, down_window_s);
    if (wrong)
        refuse(s, step, &plan, wrong);
    core_step(&s->spec, &s->again, seen, &again);
    if (!world_same_plan(&plan, &again))
        refuse(s, step, &plan, "I11: another plan from the same state");

    struct advice_config advice = s->spec.advice;
    s->spec.advice.mode = ADVICE_OFF;
    core_step(&s->spec, &s->alone, seen, &alone);
    uint32_t n_schedules = s->spec.n_schedules;
    enum anomaly_mode anomaly_mode = s->spec.anomaly.mode;
    s->spec.n_schedules = 0;
    s->spec.anomaly.mode = ANOMALY_OFF;
    core_step(&s->spec, &s->plain, seen, &plain);
    s->spec.n_schedules = n_schedules;
    s->spec.anomaly.mode = anomaly_mode;
    s->spec.advice = advice;
    wrong = check_advice(&s->ledger, &s->spec, &plan, &alone);
    if (wrong)
        refuse(s, step, &plan, wrong);
    if (check_is_active(&s->spec, &plan) && !s->spec.has_trusted_stabilization && plan.replicas < plain.replicas)
        refuse(s, step, &plan, "I8: fewer than without forecasts, anomalies, schedules and advice");
    if (plan.ask != ADVICE_TRIGGER_NONE)
        core_asked(s->state, &plan.situation, seen->time_us);
    count(s, &plan);

    s->need = plan.raw;
    s->bare = plan.bare;
    ledger_planned(&s->ledger, &s->spec, &plan);
    if (plan.write) {
        core_applied(&s->spec, s->state, seen->time_us, plan.current, plan.replicas);
        ledger_wrote(&s->ledger, &s->spec, seen->time_us, plan.current, plan.replicas);
        s->world.live = plan.replicas;
    }
    if (step % 16 == 0) {
        core_explain(&s->spec, &plan);
        assert_true(plan.n_stages <= CORE_MAX_STAGES && strlen(plan.message) > 5);
    }
}

#define PLANS 1000000
#define STEPS 100
static void test_a_million_plans(void **state)
{
    (void)state;
    static struct scene s;
    twin_init(&s.again);
    twin_init(&s.plain);
    twin_init(&s.alone);
    for (uint32_t n = 0; n < PLANS; n++) {
        if (n % STEPS == 0)
            begin(&s, 1 + n / STEPS);
        plan_one(&s, n % STEPS);
    }
    /* Each happens often, or the generator has become tame. */
    print_message("raised %u, lowered %u, snapped %u, unknown %u, held back %u, advised %u of %d\n", s.raised,
                  s.lowered, s.snapped, s.unknown, s.held, s.advised, PLANS);
    assert_true(s.raised > PLANS / 50 && s.lowered > PLANS / 100 && s.snapped > PLANS / 100);
    assert_true(s.unknown > PLANS / 10 && s.held > PLANS / 10 && s.advised > PLANS / 200);
    s.state = core_state_free(s.state);
    twin_done(&s.again);
    twin_done(&s.plain);
    twin_done(&s.alone);
}

/* States that pass the checksum and are nonsense: refused, or lived with inside the bounds. */
static void test_damaged_state(void **state)
{
    (void)state;
    uint32_t accepted = 0;
    struct core_spec spec = core_spec_default();
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct random_world w = {.seed = seed * 40503u + 12345, .live = 3, .level = 1};
        w.time_us = 1700000000 * WORLD_SECOND;
        world_spec(&w, &spec);
        spec.mode = CORE_AUTO;
        struct core_state *s = core_state_new(&spec);
        struct core_plan plan;
        for (int i = 0; i < 20; i++) {
            core_step(&spec, s, world_observe(&w, &spec), &plan);
            if (plan.write) {
                core_applied(&spec, s, w.time_us, w.live, plan.replicas);
                w.live = plan.replicas;
            }
        }
        _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
        core_state_encode_tail(s, &b);
        core_state_free(s);
        for (uint32_t hits = 1 + world_below(&w, 4); hits > 0; hits--)
            b.data[16 + world_below(&w, (uint32_t)b.len - 16)] = (char)world_random(&w);
        uint32_t crc = codec_crc32c(b.data + 16, b.len - 16);
        for (unsigned i = 0; i < 4; i++)
            b.data[12 + i] = (char)(uint8_t)(crc >> (8 * i));
        struct error err = ERROR_INIT;
        s = core_state_decode(&spec, b.data, b.len, &err);
        if (!s) {
            assert_true(err.message[0] != '\0');
            continue;
        }
        accepted++;
        for (int i = 0; i < 20; i++) {
            core_step(&spec, s, world_observe(&w, &spec), &plan);
            if (check_is_active(&spec, &plan))
                assert_true(plan.replicas >= plan.min && plan.replicas <= spec.max_replicas);
            if (plan.write) {
                core_applied(&spec, s, w.time_us, w.live, plan.replicas);
                w.live = plan.replicas;
            }
        }
        core_state_free(s);
    }
    assert_true(accepted > 50); /* or the damage never got through, and nothing was tested */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_million_plans),
        cmocka_unit_test(test_damaged_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
