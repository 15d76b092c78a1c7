/* Properties of plans over random and adversarial worlds, with forecasts of any value: the invariants,
 * determinism, and that no state, however damaged, leads out of the bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/explain.h"
#include "core/step.h"
#include "test/support/fake_demand.h"
#include "test/support/random_world.h"

static struct core_state *copy(const struct core_state *state, const struct core_spec *spec)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    struct error err = ERROR_INIT;
    core_state_encode(state, &b);
    struct core_state *out = core_state_decode(spec, b.data, b.len, &err);
    if (!out)
        fail_msg("%s", err.message);
    return out;
}

static void shake_forecasts(struct random_world *w, const struct core_spec *spec, struct core_state *state)
{
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        struct demand *d = core_state_demand(state, spec->metrics[i].name);
        if (!d)
            continue;
        d->trusted = world_below(w, 3) > 0;
        d->usable = world_below(w, 5) > 0;
        d->quantile = (double)WORLD_PICK(w, 0, 1, 5, 10, 20, 100, 1000000000) * (double)world_below(w, 100) / 50;
        d->ahead = (double)WORLD_PICK(w, -1, 1, 5, 10, 20, 100, 1000000000) * (double)world_below(w, 100) / 50;
        if (world_below(w, 200) == 0)
            d->ahead = world_below(w, 2) ? __builtin_inf() : __builtin_nan("");
        if (world_below(w, 200) == 0)
            d->quantile = world_below(w, 2) ? __builtin_inf() : __builtin_nan("");
    }
}

static void silence_forecasts(const struct core_spec *spec, struct core_state *state)
{
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        struct demand *d = core_state_demand(state, spec->metrics[i].name);
        if (d)
            d->usable = false;
    }
}

static bool active(const struct core_spec *spec, const struct core_plan *p)
{
    return !spec->paused && (spec->mode == CORE_AUTO || spec->mode == CORE_SCALE_UP_ONLY) &&
           p->reason != CORE_REASON_SCALING_DISABLED;
}

/* I9: without advice the count is the same or lower, unless a person approved what lowers it. */
static void check_advice(const struct core_spec *spec, const struct core_plan *p, const struct core_plan *alone)
{
    if (!active(spec, p))
        return;
    bool approved = spec->advice.mode == ADVICE_APPROVAL && p->advice == ADVICE_APPLIED && p->advised < p->raw;
    assert_true(p->replicas >= alone->replicas || approved);
    if (p->advice != ADVICE_APPLIED) {
        assert_int_equal(p->replicas, alone->replicas);
        return;
    }
    assert_true(spec->advice.mode == ADVICE_BOUNDED || spec->advice.mode == ADVICE_APPROVAL);
    assert_true(p->advised >= p->min && p->advised <= spec->max_replicas);
    assert_true((int64_t)p->advised - MAX(p->raw, p->min) <= spec->advice.max_replica_delta);
}

static void check(const struct core_spec *spec, const struct core_plan *p, const struct core_plan *plain)
{
    assert_true(p->replicas >= 0);
    if (!active(spec, p)) {
        assert_false(p->write);
        return;
    }
    assert_true(p->min == MIN(MAX(spec->min_replicas, p->scheduled), spec->max_replicas));
    assert_true(p->replicas >= p->min && p->replicas <= spec->max_replicas); /* I1 */
    for (uint32_t i = 0; i < p->n_metrics; i++)
        if (p->metrics[i].problem != CORE_PROBLEM_NONE)
            assert_true(p->replicas >= MIN(p->current, spec->max_replicas)); /* I2 */
    if (!spec->has_trusted_stabilization)
        assert_true(p->replicas >= plain->replicas); /* I8 */
    if (p->stabilized < 0 || p->current == 0)
        return;
    if (!spec->behavior && p->replicas > MAX(p->current, p->min)) /* I3, without policies */
        assert_true(p->replicas <= MAX(2 * (int64_t)p->current, 4));
    if (spec->behavior && spec->up.select == CORE_SELECT_DISABLED)
        assert_true(p->replicas <= MAX(p->current, p->min));
    if (spec->behavior && spec->down.select == CORE_SELECT_DISABLED)
        assert_true(p->replicas >= p->current);
    if (spec->mode == CORE_SCALE_UP_ONLY || p->contended)
        assert_true(p->replicas >= p->current);
}

#define STEPS 60
static uint32_t play(uint64_t seed)
{
    struct random_world w = {.seed = seed * 2654435761u + 88172645463325252u, .live = 3, .level = 1};
    struct core_spec spec = core_spec_default();
    w.time_us = 1700000000 * WORLD_SECOND;
    world_spec(&w, &spec);
    struct core_state *state = core_state_new(&spec);
    for (int i = 0; i < STEPS; i++) {
        if (world_below(&w, 25) == 0)
            world_spec(&w, &spec);
        if (world_below(&w, 40) == 0)
            core_resume(state, &spec, w.time_us, w.live);
        const struct core_observation *seen = world_observe(&w, &spec);
        shake_forecasts(&w, &spec, state);
        struct advice advice;
        w.observation.advice = world_advice(&w, &advice);
        w.observation.approved_advice = world_below(&w, 5);
        w.observation.unschedulable = world_below(&w, 5) == 0;

        struct core_state *twin = copy(state, &spec), *plain_state = copy(state, &spec), *alone_state;
        alone_state = copy(state, &spec);
        struct core_plan plan, again, plain, alone;
        silence_forecasts(&spec, plain_state);
        core_step(&spec, state, seen, &plan);
        core_step(&spec, twin, seen, &again);
        struct core_spec bare = spec;
        bare.advice.mode = ADVICE_OFF;
        core_step(&bare, alone_state, seen, &alone);
        bare.n_schedules = 0;
        core_step(&bare, plain_state, seen, &plain);
        assert_true(world_same_plan(&plan, &again)); /* I11 */
        check(&spec, &plan, &plain);
        check_advice(&spec, &plan, &alone);
        if (plan.ask != ADVICE_TRIGGER_NONE)
            core_asked(state, &plan.situation, w.time_us);
        core_explain(&spec, &plan);
        assert_true(plan.n_stages <= CORE_MAX_STAGES && strlen(plan.message) > 5);
        core_state_free(twin);
        core_state_free(plain_state);
        core_state_free(alone_state);
        if (plan.write) {
            core_applied(&spec, state, w.time_us, w.live, plan.replicas);
            w.live = plan.replicas;
        }
    }
    core_state_free(state);
    return STEPS;
}

static void test_invariants(void **state)
{
    (void)state;
    uint32_t plans = 0;
    for (uint64_t seed = 1; plans < 50000; seed++)
        plans += play(seed);
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
            if (active(&spec, &plan))
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
        cmocka_unit_test(test_invariants),
        cmocka_unit_test(test_damaged_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
