/* Advice inside of a decision: what it adds and for how long, what an approval gives back, when it is asked for, and
 * the words for it. The demand is what it is: more pods only share it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/explain.h"
#include "core/step.h"
#include "test/support/fake_demand.h"

#define SECOND INT64_C(1000000)
#define START  (INT64_C(1700006400) * SECOND)
#define DELTA  3
#define WINDOW 60

struct world {
    struct core_spec spec;
    struct core_state *state;
    struct core_pod pods[64];
    struct core_pod_sample samples[64];
    struct core_plan plan;
    double demand; /* cores */
    double predicted;
    int32_t live, serving; /* serving 0: all */
    uint64_t approved;
};

static void world_init(struct world *w, enum advice_mode mode)
{
    memset(w, 0, sizeof *w);
    w->spec = core_spec_default();
    w->spec.min_replicas = 2;
    w->spec.max_replicas = 50;
    w->spec.behavior = true;
    w->spec.down.stabilization_s = WINDOW;
    w->spec.advice =
        (struct advice_config){.mode = mode, .max_replica_delta = DELTA, .min_interval_s = 30, .timeout_s = 240};
    w->state = core_state_new(&w->spec);
    w->demand = 2.8; /* at 70 % of a core per pod: 4 */
    w->predicted = -1;
    w->live = 4;
}

static void reload(struct world *w)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    core_state_encode(w->state, &b);
    core_state_free(w->state);
    w->state = core_state_decode(&w->spec, b.data, b.len, NULL);
    assert_non_null(w->state);
}

/* `advice` NULL: none came. What is to be written is. */
static const struct core_plan *sync_at(struct world *w, int64_t second, const struct advice *advice)
{
    reload(w);
    int64_t now_us = START + second * SECOND;
    struct core_observation seen = {.time_us = now_us,
                                    .spec_replicas = w->live,
                                    .status_replicas = w->live,
                                    .pods = w->pods,
                                    .n_pods = (uint32_t)w->live,
                                    .n_metrics = 1,
                                    .metrics = {{.kind = SAMPLE_VALUE, .pods = w->samples}},
                                    .advice = advice,
                                    .approved_advice = w->approved};
    int32_t serving = w->serving > 0 ? MIN(w->serving, w->live) : w->live;
    for (int32_t i = 0; i < w->live; i++) {
        bool starting = w->serving > 0 && i >= w->serving;
        w->pods[i] = (struct core_pod){.phase = starting ? CORE_POD_PENDING : CORE_POD_RUNNING,
                                       .ready = starting ? CORE_READY_FALSE : CORE_READY_TRUE,
                                       .start_us = START - 3600 * SECOND,
                                       .ready_transition_us = START - 3600 * SECOND};
        w->samples[i] = (struct core_pod_sample){.present = !starting,
                                                 .usage_milli = (int64_t)(w->demand * 1000 / serving),
                                                 .request_milli = 1000,
                                                 .limit_milli = 1000,
                                                 .time_us = now_us,
                                                 .window_us = 15 * SECOND};
    }
    struct demand *d = core_state_demand(w->state, "cpu");
    d->trusted = d->usable = w->predicted >= 0;
    d->quantile = w->predicted;
    core_step(&w->spec, w->state, &seen, &w->plan);
    core_explain(&w->spec, &w->plan);
    if (w->plan.write) {
        core_applied(&w->spec, w->state, now_us, w->live, w->plan.replicas);
        w->live = w->plan.replicas;
    }
    return &w->plan;
}

static struct advice advice_for(const struct world *w, int64_t second, int32_t target)
{
    return (struct advice){.id = 1 + (uint64_t)second,
                           .sampled_us = START + second * SECOND,
                           .need = w->plan.situation.need,
                           .current = w->live,
                           .side = w->plan.situation.side,
                           .target_replicas = target,
                           .confidence_percent = 90,
                           .provider = 7};
}

static const struct core_stage *stage(const struct core_plan *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_stages; i++)
        if (strcmp(p->stages[i].name, name) == 0)
            return &p->stages[i];
    return NULL;
}

/* One answer of the most hostile advisor costs at most DELTA pods for 300 s and the scale-down window. */
static void test_worst_cost(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, ADVICE_BOUNDED);
    (void)sync_at(&w, 0, NULL);
    assert_int_equal(w.plan.ask, ADVICE_TRIGGER_CHANGED);
    struct advice a = advice_for(&w, 0, INT32_MAX);
    int64_t cost = 0, last = 0;
    for (int64_t t = 15; t < 1200; t += 15) {
        (void)sync_at(&w, t, t == 15 ? &a : NULL);
        assert_in_range(w.live, 4, 4 + DELTA); /* never a pod too few, for whatever it says */
        cost += 15 * (w.live - 4);
        last = w.live > 4 ? t : last;
    }
    assert_true(cost > 0 && cost <= DELTA * (300 + WINDOW));
    assert_true(last <= 15 + 300 + WINDOW);
    core_state_free(w.state);
}

/* However often it says it: relative to the need, so that it can't climb. */
static void test_no_ratchet(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, ADVICE_BOUNDED);
    (void)sync_at(&w, 0, NULL);
    for (int64_t t = 15; t < 3600; t += 15) {
        struct advice a = advice_for(&w, t, 10000);
        (void)sync_at(&w, t, &a);
        assert_in_range(w.live, 4, 4 + DELTA);
    }
    core_state_free(w.state);
}

/* Pods that advice has added are no need that more advice is built on: neither while they start, for which an HPA keeps
 * the count, nor where they are too few to leave its tolerance. An advisor that asks for a bit more each time, so that
 * it seems to have been right, gets no further. */
static void test_no_need_of_its_own_making(void **state)
{
    (void)state;
    for (int many = 0; many < 2; many++)
        for (int sly = 0; sly < 2; sly++) {
            struct world w;
            world_init(&w, ADVICE_BOUNDED);
            int32_t need = many ? 40 : 4;
            w.demand = 0.7 * need;
            w.live = need;
            w.serving = many ? 0 : need; /* the others never start */
            (void)sync_at(&w, 0, NULL);
            for (int64_t t = 15; t < 7200; t += 15) {
                struct advice a = advice_for(&w, t, sly ? w.live + DELTA : 10000);
                (void)sync_at(&w, t, &a);
                assert_in_range(w.live, need, need + DELTA);
                assert_int_equal(w.plan.situation.need, need);
            }
            uint32_t n;
            assert_int_equal(advice_record(core_state_advice(w.state), 7, &n), 0);
            assert_int_equal(n, ADVICE_RECORD);
            core_state_free(w.state);
        }
}

static void test_words(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, ADVICE_BOUNDED);
    (void)sync_at(&w, 0, NULL);
    assert_null(stage(&w.plan, "Advised"));
    struct advice a = advice_for(&w, 0, 6);
    (void)sync_at(&w, 15, &a);
    assert_int_equal(w.plan.reason, CORE_REASON_ADVISED);
    assert_string_equal(w.plan.message, "Scaling up 4 -> 6: the advisor asks for 6, where the need is 4.");
    assert_int_equal(stage(&w.plan, "Advised")->replicas, 6);
    assert_string_equal(stage(&w.plan, "Advised")->note, "the advisor asks for it");
    char why[64];
    core_rescale_reason(&w.spec, &w.plan, why, sizeof why);
    assert_string_equal(why, "advisor");

    core_state_free(w.state);
    world_init(&w, ADVICE_OBSERVE);
    (void)sync_at(&w, 0, NULL);
    (void)sync_at(&w, 15, &a);
    assert_int_equal(w.plan.replicas, 4);
    assert_int_equal(w.plan.advice, ADVICE_OBSERVED);
    assert_int_equal(stage(&w.plan, "Advised")->replicas, 6);
    core_state_free(w.state);
}

/* Predicted pods go when a person said so, through the window, and not below what the metrics need. */
static void test_approval(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, ADVICE_APPROVAL);
    w.predicted = 8;
    (void)sync_at(&w, 0, NULL);
    assert_int_equal(w.live, 8);
    (void)sync_at(&w, 15, NULL);
    struct advice a = advice_for(&w, 15, 1);
    (void)sync_at(&w, 30, &a);
    assert_int_equal(w.plan.advice, ADVICE_AWAITS_APPROVAL);
    assert_int_equal(w.plan.advised, 4);
    w.approved = a.id + 1; /* of another one */
    for (int64_t t = 45; t <= 150; t += 15)
        (void)sync_at(&w, t, NULL);
    assert_int_equal(w.live, 8);
    w.approved = a.id;
    for (int64_t t = 165; t < 150 + WINDOW; t += 15) { /* 8 was needed at 150 */
        (void)sync_at(&w, t, NULL);
        assert_int_equal(w.plan.advice, ADVICE_APPLIED);
        assert_int_equal(w.live, 8);
    }
    for (int64_t t = 150 + WINDOW; t < 200 + WINDOW; t += 15)
        (void)sync_at(&w, t, NULL);
    assert_int_equal(w.live, 4);
    /* What was approved ends with that advice. */
    for (int64_t t = 300; t < 400; t += 15)
        (void)sync_at(&w, t, NULL);
    assert_int_equal(w.live, 8);
    core_state_free(w.state);
}

/* Nothing is asked, taken or kept where there is no advisor; the state has no byte of it. */
/* Advice in hand is told to be of no use where no need is computed: at 0 by hand, and outside of the bounds. */
static void test_not_active(void **state)
{
    (void)state;
    static const int32_t lives[] = {0, 1, 51};
    for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
        struct world w;
        world_init(&w, ADVICE_BOUNDED);
        (void)sync_at(&w, 0, NULL);
        struct advice a = advice_for(&w, 0, 6);
        assert_int_equal(sync_at(&w, 15, &a)->advice, ADVICE_APPLIED);
        w.live = lives[i];
        assert_int_equal(sync_at(&w, 30, NULL)->advice, ADVICE_NOT_ACTIVE);
        assert_int_equal(w.plan.advised, -1);
        core_state_free(w.state);
    }
}

static void test_off(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, ADVICE_OFF);
    const struct advice a = {.id = 1, .sampled_us = START, .target_replicas = 40, .confidence_percent = 100};
    (void)sync_at(&w, 0, &a);
    (void)sync_at(&w, 15, &a);
    assert_int_equal(w.live, 4);
    assert_int_equal(w.plan.ask, ADVICE_TRIGGER_NONE);
    assert_false(advice_known(core_state_advice(w.state)));
    core_state_free(w.state);
}

/* Asked once, then when something is new; not again while the interval runs. */
static void test_when_it_is_asked(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, ADVICE_BOUNDED);
    (void)sync_at(&w, 0, NULL);
    assert_int_equal(w.plan.situation.usage_percent, 100);
    assert_int_equal(w.plan.situation.need, 4);
    core_asked(w.state, &w.plan.situation, START);
    (void)sync_at(&w, 60, NULL);
    assert_int_equal(w.plan.ask, ADVICE_TRIGGER_NONE);
    w.demand = 5.6;
    (void)sync_at(&w, 75, NULL);
    assert_int_equal(w.plan.ask, ADVICE_TRIGGER_CHANGED);
    core_asked(w.state, &w.plan.situation, START + 75 * SECOND);
    w.demand = 33;
    (void)sync_at(&w, 90, NULL);
    assert_int_equal(w.plan.ask, ADVICE_TRIGGER_NONE); /* 15 s after */
    (void)sync_at(&w, 105, NULL);
    assert_int_equal(w.plan.ask, ADVICE_TRIGGER_NEAR_MAX);
    core_state_free(w.state);
}

/* Recommend is asked, for the advice is part of what is recommended; a pause costs nothing, and what was new in it is
 * asked about after it. */
static void test_modes(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, ADVICE_BOUNDED);
    w.spec.paused = true;
    (void)sync_at(&w, 0, NULL);
    assert_int_equal(w.plan.ask, ADVICE_TRIGGER_NONE);
    assert_int_equal(w.plan.situation.need, 4);
    w.spec.paused = false;
    w.spec.mode = CORE_RECOMMEND;
    (void)sync_at(&w, 15, NULL);
    assert_int_equal(w.plan.ask, ADVICE_TRIGGER_CHANGED);
    core_asked(w.state, &w.plan.situation, START + 15 * SECOND);
    const struct advice a = {.id = 1,
                             .sampled_us = START + 15 * SECOND,
                             .need = 4,
                             .current = 4,
                             .side = ADVICE_WITHIN_TOLERANCE,
                             .target_replicas = 40,
                             .confidence_percent = 100};
    (void)sync_at(&w, 30, &a);
    assert_int_equal(w.plan.advice, ADVICE_APPLIED);
    assert_true(w.plan.replicas > 4);
    assert_int_equal(w.live, 4); /* recommended, not written */
    w.spec.mode = CORE_OFF;
    (void)sync_at(&w, 45, NULL);
    assert_int_equal(w.plan.ask, ADVICE_TRIGGER_NONE);
    core_state_free(w.state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worst_cost), cmocka_unit_test(test_no_ratchet),
        cmocka_unit_test(test_words),      cmocka_unit_test(test_no_need_of_its_own_making),
        cmocka_unit_test(test_approval),   cmocka_unit_test(test_off),
        cmocka_unit_test(test_not_active), cmocka_unit_test(test_when_it_is_asked),
        cmocka_unit_test(test_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
