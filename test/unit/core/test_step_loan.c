/* What advice has added is a loan: beside an autoscaler of the same world that was never advised, the advised one never
 * has fewer pods, never more than max_replica_delta on top, and one answer costs at most that for 300 s and the
 * scale-down window, on steady and on moving demand, inside the tolerance and out of it. */
#include "test/support/loan_world.h"

#define WORLDS 600

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
        cmocka_unit_test(test_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
