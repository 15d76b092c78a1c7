/* What advice has added is a loan: beside an autoscaler of the same world that was never advised, the advised one never
 * has fewer pods, never more than max_replica_delta on top, and one answer costs at most that for 300 s and the
 * scale-down window, on steady and on moving demand, inside the tolerance and out of it. */
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
#define WORLDS 600

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

static void side_init(struct side *s, const struct core_spec *spec, enum advice_mode mode, int32_t live)
{
    memset(s, 0, sizeof *s);
    s->spec = *spec;
    s->spec.advice.mode = mode;
    s->state = core_state_new(&s->spec);
    s->live = live;
    for (int i = 0; i < PODS; i++)
        s->born_us[i] = START - 3600 * SECOND;
}

static struct core_spec a_spec(uint32_t window_s)
{
    struct core_spec spec = core_spec_default();
    spec.min_replicas = 2;
    spec.max_replicas = PODS;
    spec.behavior = true;
    spec.down.stabilization_s = window_s;
    spec.advice = (struct advice_config){.max_replica_delta = DELTA, .min_interval_s = 30, .timeout_s = 240};
    return spec;
}

static void world_init(struct world *w, const struct core_spec *spec, double demand, int32_t live)
{
    memset(w, 0, sizeof *w);
    side_init(&w->advised, spec, ADVICE_BOUNDED, live);
    side_init(&w->twin, spec, ADVICE_OFF, live);
    w->demand = demand;
    w->predicted = w->ahead = -1;
}

static void world_done(struct world *w)
{
    core_state_free(w->advised.state);
    core_state_free(w->twin.state);
}

static void reload(struct side *s)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    core_state_encode(s->state, &b);
    core_state_free(s->state);
    s->state = core_state_decode(&s->spec, b.data, b.len, NULL);
    assert_non_null(s->state);
}

static void scale(struct side *s, int64_t now_us, int32_t to)
{
    for (int32_t i = s->live; i < to; i++)
        s->born_us[i] = now_us;
    s->live = to;
}

/* Pods of a CPU metric, or one sum of which each has its share. */
static void look(struct world *w, const struct side *s, struct core_observation *seen)
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

static void sync_side(struct world *w, struct side *s, const struct advice *advice)
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
static void sync_both(struct world *w, const struct advice *advice)
{
    w->second += SYNC;
    sync_side(w, &w->advised, advice);
    sync_side(w, &w->twin, NULL);
    w->surplus += SYNC * (int64_t)(w->advised.live - w->twin.live);
    w->most = MAX(w->most, w->advised.live - w->twin.live);
}

static struct advice answer(const struct world *w, int32_t target)
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

static const struct core_stage *stage(const struct core_plan *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_stages; i++)
        if (strcmp(p->stages[i].name, name) == 0)
            return &p->stages[i];
    return NULL;
}

/* Three on forty are less than the tolerance of a tenth: an HPA would keep them for as long as the demand stays. */
static void test_inside_the_tolerance(void **state)
{
    (void)state;
    static struct world w;
    const struct core_spec spec = a_spec(60);
    world_init(&w, &spec, 40, 40);
    sync_both(&w, NULL);
    struct advice a = answer(&w, 1000);
    sync_both(&w, &a);
    assert_int_equal(w.advised.live, 43);
    for (int i = 0; i < 400; i++) {
        reload(&w.advised);
        sync_both(&w, NULL);
        assert_in_range(w.advised.live, w.twin.live, w.twin.live + DELTA);
    }
    assert_int_equal(w.advised.live, 40);
    assert_false(w.advised.state->loan.active);
    assert_in_range(w.surplus, 1, DELTA * (300 + 60));
    world_done(&w);
}

static uint64_t random_bits(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static double random_share(uint64_t *seed)
{
    return (double)(random_bits(seed) >> 11) / (double)(1ull << 53);
}

/* Wanders, mostly inside a tolerance of what runs; now and then it jumps. */
static void move(struct world *w, uint64_t *seed)
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

static struct core_spec random_spec(uint64_t *seed)
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

static int32_t serving(const struct world *w, const struct side *s)
{
    int32_t n = 0;
    for (int32_t i = 0; i < s->live; i++)
        n += s->born_us[i] + w->startup_s * SECOND <= START + w->second * SECOND;
    return n;
}

/* `answers` at random times, each of a model that is sure and wants a thousand, or what is just not too much. */
static uint32_t play(struct world *w, uint64_t seed, uint32_t answers, uint32_t syncs)
{
    uint32_t asked = 0;
    for (uint32_t i = 0; i < syncs; i++) {
        move(w, &seed);
        bool now = i > 10 && asked < answers && random_bits(&seed) % 20 == 0;
        struct advice a = answer(w, random_bits(&seed) % 2 ? 1000 : w->advised.live + 1);
        asked += now;
        sync_both(w, now ? &a : NULL);
        if (i % 64 == 0)
            reload(&w->advised);
        const struct loan *l = &w->advised.state->loan;
        int32_t without = w->startup_s == 0 ? w->twin.live : l->active ? l->without : w->advised.live;
        if (w->advised.live < without || w->advised.live > without + DELTA || (l->active && l->without != without))
            fail_msg("sync %u: %d beside %d, and %d is thought to run without", i, w->advised.live, without,
                     l->active ? l->without : -1);
        double pods = w->demand * 0.7; /* at the limit */
        if (serving(w, &w->advised) < pods && serving(w, &w->twin) >= pods)
            fail_msg("sync %u: only the advised one is short of pods", i);
    }
    return asked;
}

static void random_world(struct world *w, uint64_t *seed)
{
    struct core_spec spec = random_spec(seed);
    int32_t live = 3 + (int32_t)(random_bits(seed) % 80);
    world_init(w, &spec, live * 0.95, live);
    if (spec.metrics[0].kind != CORE_METRIC_TOTAL && random_bits(seed) % 2)
        w->predicted = live * 0.7;
}

/* Where pods serve at once, what is thought to run without advice is what the twin has, to the pod. */
static void test_moving_demand(void **state)
{
    (void)state;
    static struct world w;
    uint32_t full = 0;
    for (uint64_t n = 1; n <= WORLDS; n++) {
        uint64_t seed = n * 2654435761u + 88172645463325252u;
        random_world(&w, &seed);
        uint32_t asked = play(&w, seed, n % 3 ? 1 : 20, n % 3 ? 120 : 600);
        assert_in_range(w.surplus, 0, (int64_t)asked * DELTA * (300 + w.twin.spec.down.stabilization_s));
        full += w.most == DELTA;
        world_done(&w);
    }
    assert_true(full > WORLDS / 3);
}

/* Where they take a minute, the two see other pods starting, and rules with a tolerance may part for good now and then:
 * the bounds hold for what is thought to run without, no minute is lost, and all in all the cost is no higher. */
static void test_pods_that_start(void **state)
{
    (void)state;
    static struct world w;
    int64_t surplus = 0, allowed = 0;
    for (uint64_t n = 1; n <= WORLDS; n++) {
        uint64_t seed = n * 40503u + 88172645463325252u;
        random_world(&w, &seed);
        w.startup_s = 60;
        uint32_t asked = play(&w, seed, n % 3 ? 1 : 20, n % 3 ? 120 : 600);
        surplus += w.surplus;
        allowed += (int64_t)asked * DELTA * (300 + w.twin.spec.down.stabilization_s);
        world_done(&w);
    }
    assert_in_range(surplus, 1, allowed);
}

/* One answer on forty pods, taken at the second sync. */
static void lend(struct world *w, uint32_t window_s)
{
    const struct core_spec spec = a_spec(window_s);
    world_init(w, &spec, 40, 40);
    sync_both(w, NULL);
    struct advice a = answer(w, 1000);
    sync_both(w, &a);
    assert_int_equal(w->advised.live, 43);
}

static void pass(struct world *w, int64_t seconds)
{
    for (int64_t t = 0; t < seconds; t += SYNC)
        sync_both(w, NULL);
}

static void test_words(void **state)
{
    (void)state;
    static struct world w;
    lend(&w, 60);
    sync_both(&w, NULL);
    const struct core_plan *p = &w.advised.plan;
    assert_int_equal(p->without, 40);
    assert_int_equal(p->reason, CORE_REASON_ADVISED);
    assert_string_equal(p->message, "Holding 43: the advisor asks for 43, where the need is 40.");
    assert_int_equal(stage(p, "Lent")->replicas, 40);
    assert_string_equal(stage(p, "Lent")->note,
                        "would run without the 3 that advice has added: need and tolerance are reckoned from here");
    pass(&w, 300);
    assert_int_equal(p->reason, CORE_REASON_ADVICE_ENDED);
    assert_string_equal(p->message, "Holding 43: advice that is over has added 3 to the 40 that would run without it; "
                                    "they go 60 s after its end.");
    while (!p->write)
        sync_both(&w, NULL);
    assert_string_equal(p->message,
                        "Scaling down 43 -> 40: advice that is over has added 3 to the 40 that would run without it.");
    char why[64];
    core_rescale_reason(&w.advised.spec, p, why, sizeof why);
    assert_string_equal(why, "advice ended");
    sync_both(&w, NULL);
    assert_int_equal(p->without, -1);
    assert_null(stage(p, "Lent"));
    world_done(&w);
}

/* Who switches the advisor off, or to Observe, gets back what it had lent all the same. */
static void test_advisor_switched_off(void **state)
{
    (void)state;
    static const enum advice_mode modes[] = {ADVICE_OFF, ADVICE_OBSERVE, ADVICE_APPROVAL};
    static struct world w;
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        lend(&w, 60);
        w.advised.spec.advice.mode = modes[i];
        pass(&w, 45);
        assert_int_equal(w.advised.live, 43); /* for a window */
        pass(&w, 30);
        assert_int_equal(w.advised.live, 40);
        world_done(&w);
    }
}

/* Nothing is written in a pause; after it there is no window left to wait for. Off gives up what it knew: who takes
 * over finds the count as it is. ScaleUpOnly never lowers. */
static void test_modes(void **state)
{
    (void)state;
    static struct world w;
    lend(&w, 60);
    w.advised.spec.paused = true;
    pass(&w, 900);
    assert_int_equal(w.advised.live, 43);
    assert_int_equal(w.advised.plan.replicas, 40);
    w.advised.spec.paused = false;
    pass(&w, SYNC);
    assert_int_equal(w.advised.live, 40);
    world_done(&w);

    lend(&w, 60);
    w.advised.spec.mode = CORE_SCALE_UP_ONLY;
    pass(&w, 900);
    assert_int_equal(w.advised.live, 43);
    w.advised.spec.mode = CORE_AUTO;
    pass(&w, SYNC);
    assert_int_equal(w.advised.live, 40);
    world_done(&w);

    lend(&w, 60);
    w.advised.spec.mode = CORE_OFF;
    pass(&w, SYNC);
    w.advised.spec.mode = CORE_AUTO;
    pass(&w, 900);
    assert_int_equal(w.advised.live, 43);
    world_done(&w);
}

/* The count that somebody else has set is nobody's loan. A write of ours that the checkpoint does not know of is. */
static void test_who_wrote(void **state)
{
    (void)state;
    static struct world w;
    lend(&w, 60);
    w.advised.live = 42;
    pass(&w, 900);
    assert_int_equal(w.advised.live, 42);
    world_done(&w);

    const struct core_spec spec = a_spec(60);
    world_init(&w, &spec, 40, 40);
    sync_both(&w, NULL);
    struct advice a = answer(&w, 1000);
    w.refuses = true; /* it died between its write and the answer */
    sync_both(&w, &a);
    w.refuses = false;
    w.advised.live = 43;
    reload(&w.advised);
    core_resume(w.advised.state, &w.advised.spec, START + w.second * SECOND, 43);
    pass(&w, 900);
    assert_int_equal(w.advised.live, 40);
    world_done(&w);
}

/* After a restart nothing is lowered for a whole window, and then it is given back. */
static void test_restart(void **state)
{
    (void)state;
    static struct world w;
    lend(&w, 60);
    pass(&w, 330);
    reload(&w.advised);
    core_resume(w.advised.state, &w.advised.spec, START + w.second * SECOND, w.advised.live);
    pass(&w, 45);
    assert_int_equal(w.advised.live, 43);
    pass(&w, 15);
    assert_int_equal(w.advised.live, 40);
    world_done(&w);
}

/* While a metric is unknown nothing is given back (I2). */
static void test_unknown_metric(void **state)
{
    (void)state;
    static struct world w;
    lend(&w, 60);
    w.unknown = true;
    pass(&w, 900);
    assert_int_equal(w.advised.live, 43);
    w.unknown = false;
    pass(&w, SYNC);
    assert_int_equal(w.advised.live, 40);
    world_done(&w);
}

/* As fast as the policies for scaling down allow. */
static void test_policies(void **state)
{
    (void)state;
    static struct world w;
    lend(&w, 60);
    w.advised.spec.down.n_policies = 1;
    w.advised.spec.down.policies[0] = (struct core_policy){.type = CORE_POLICY_PODS, .value = 1, .period_s = 60};
    pass(&w, 345);
    assert_int_equal(w.advised.live, 42);
    pass(&w, 120);
    assert_int_equal(w.advised.live, 40);
    world_done(&w);
}

/* In mode Approval a loan begins with a person's yes, and ends with one to fewer pods than the forecast asks for: those
 * go down to what the metrics need, which the count without advice does not. */
static void test_approval(void **state)
{
    (void)state;
    static struct world w;
    const struct core_spec spec = a_spec(60);
    world_init(&w, &spec, 30, 40);
    w.advised.spec.advice.mode = ADVICE_APPROVAL;
    w.predicted = 40;
    sync_both(&w, NULL);
    struct advice more = answer(&w, 1000);
    sync_both(&w, &more);
    assert_int_equal(w.advised.live, 40);
    w.approved = more.id;
    pass(&w, 30);
    assert_int_equal(w.advised.live, 43);
    assert_int_equal(w.advised.plan.without, 40);
    struct advice less = answer(&w, 30);
    sync_both(&w, &less);
    assert_int_equal(w.advised.plan.advice, ADVICE_AWAITS_APPROVAL);
    w.approved = less.id;
    pass(&w, 15);
    assert_false(w.advised.state->loan.active);
    pass(&w, 75);
    assert_int_equal(w.advised.live, 30);
    assert_int_equal(w.twin.live, 40);
    pass(&w, 600);
    assert_int_equal(w.advised.live, 40);
    world_done(&w);
}

/* A write that the API server refuses has not happened, for the policies of either count: none waits for it. */
static void test_refused_write(void **state)
{
    (void)state;
    static struct world w;
    lend(&w, 60);
    w.advised.spec.up.n_policies = w.twin.spec.up.n_policies = 1;
    w.advised.spec.up.policies[0] = w.twin.spec.up.policies[0] =
        (struct core_policy){.type = CORE_POLICY_PODS, .value = 10, .period_s = 120};
    pass(&w, 120);
    w.demand = 90;
    w.refuses = true;
    pass(&w, 2 * SYNC);
    assert_true(w.twin.plan.write && w.advised.plan.write);
    w.refuses = false;
    pass(&w, SYNC);
    assert_int_equal(w.twin.live, 50);
    assert_in_range(w.advised.live, 50, 53);
    world_done(&w);
}

/* Nor one that waits for its turn among all that shrink. */
static void test_postponed_write(void **state)
{
    (void)state;
    static struct world w;
    lend(&w, 60);
    w.demand = 34;
    w.refuses = true;
    pass(&w, 120);
    assert_true(w.twin.plan.write && w.advised.plan.write);
    w.demand = 38;
    pass(&w, 420);
    w.refuses = false;
    pass(&w, 60);
    assert_int_equal(w.twin.live, 40);
    assert_int_equal(w.advised.live, 40);
    world_done(&w);
}

/* What is only recommended can't have been written by us, whoever follows it. */
static void test_followed_by_hand(void **state)
{
    (void)state;
    static struct world w;
    const struct core_spec spec = a_spec(60);
    world_init(&w, &spec, 40, 40);
    sync_both(&w, NULL);
    struct advice a = answer(&w, 1000);
    w.advised.spec.paused = true;
    sync_both(&w, &a);
    w.advised.live = w.twin.live = 43;
    w.advised.spec.paused = false;
    pass(&w, 900);
    assert_int_equal(w.twin.live, 43);
    assert_int_equal(w.advised.live, 43);
    world_done(&w);
}

/* A raise that waits for its window is what there is to say, not the loan. */
static void test_words_of_a_raise(void **state)
{
    (void)state;
    static struct world w;
    lend(&w, 60);
    w.advised.spec.up.stabilization_s = 600;
    pass(&w, 315);
    w.demand = 60;
    pass(&w, SYNC);
    assert_int_equal(w.advised.live, 43);
    assert_int_equal(w.advised.plan.reason, CORE_REASON_METRIC_ABOVE_TARGET);
    world_done(&w);
}

static struct core_policy random_policy(uint64_t bits)
{
    return (struct core_policy){.type = bits % 2 ? CORE_POLICY_PODS : CORE_POLICY_PERCENT,
                                .value = 1 + (int32_t)(bits / 2 % 10),
                                .period_s = 60};
}

static void change_spec(struct core_spec *s, uint64_t what, uint64_t bits)
{
    switch (what) {
    case 0:
        s->max_replicas = bits % 2 ? PODS : 5 + (int32_t)(bits / 2 % 100);
        s->min_replicas = MIN(s->min_replicas, s->max_replicas);
        break;
    case 1:
        s->min_replicas = bits % 2 ? 1 : MIN(1 + (int32_t)(bits / 2 % 60), s->max_replicas);
        break;
    case 2:
        s->mode = bits % 2 ? CORE_SCALE_UP_ONLY : CORE_AUTO;
        break;
    case 3:
        s->paused = bits % 2;
        break;
    case 4:
        s->up.stabilization_s = bits % 2 ? 0 : 45;
        break;
    case 5:
        s->down.n_policies = 1;
        s->down.policies[0] = random_policy(bits);
        break;
    default:
        s->up.n_policies = 1;
        s->up.policies[0] = random_policy(bits);
        break;
    }
}

/* Whatever of a spec changes while pods are lent, in pauses, and while metrics are unknown: never fewer pods. */
static void test_changing_spec(void **state)
{
    (void)state;
    static struct world w;
    uint32_t other = 0, syncs = 0;
    for (uint64_t n = 1; n <= WORLDS; n++) {
        uint64_t seed = n * 912367u + 88172645463325252u;
        random_world(&w, &seed);
        for (int i = 0; i < 250; i++, syncs++) {
            move(&w, &seed);
            if (random_bits(&seed) % 25 == 0) {
                uint64_t what = random_bits(&seed) % 7, bits = random_bits(&seed);
                change_spec(&w.advised.spec, what, bits);
                change_spec(&w.twin.spec, what, bits);
            }
            if (random_bits(&seed) % 60 == 0)
                w.unknown = !w.unknown;
            struct advice a = answer(&w, random_bits(&seed) % 2 ? 1000 : w.advised.live + 1);
            sync_both(&w, i > 10 && random_bits(&seed) % 20 == 0 ? &a : NULL);
            const struct loan *l = &w.advised.state->loan;
            if (w.advised.live < w.twin.live)
                fail_msg("world %d, sync %d: %d, and %d without", (int)n, i, w.advised.live, w.twin.live);
            other += (l->active ? l->without : w.advised.live) != w.twin.live;
        }
        world_done(&w);
    }
    assert_in_range(other, 0,
                    syncs / 100); /* what is thought to run without is what does, but for bounds that change */
}

/* A state without the section of a loan, as before there were any, has none; a broken one is refused. */
static void test_encoding(void **state)
{
    (void)state;
    static struct world w;
    lend(&w, 60);
    struct loan *l = &w.advised.state->loan;
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 16);
    struct codec_writer out = {.out = &b};
    loan_encode(l, &out);
    struct loan back = {.active = false};
    struct codec_reader in = codec_reader(b.data, b.len);
    assert_int_equal(loan_decode(&back, &in), 0);
    assert_true(back.active && back.without == 40 && back.live == 43 && back.planned == 43 &&
                back.raised_us == l->raised_us && back.behavior.highest.n == l->behavior.highest.n);
    loan_done(&back);
    for (size_t len = 0; len < b.len; len++) {
        in = codec_reader(b.data, len);
        assert_int_equal(loan_decode(&back, &in), -1);
        loan_done(&back);
    }
    memset(b.data, 0, 4);
    in = codec_reader(b.data, b.len);
    assert_int_equal(loan_decode(&back, &in), -1);
    loan_done(&back);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inside_the_tolerance),
        cmocka_unit_test(test_moving_demand),
        cmocka_unit_test(test_pods_that_start),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_advisor_switched_off),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_who_wrote),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_unknown_metric),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_approval),
        cmocka_unit_test(test_refused_write),
        cmocka_unit_test(test_postponed_write),
        cmocka_unit_test(test_followed_by_hand),
        cmocka_unit_test(test_words_of_a_raise),
        cmocka_unit_test(test_changing_spec),
        cmocka_unit_test(test_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
