/* What happens to a loan from outside: writes that are refused or wait, people who write themselves, specs that change.
 * None of it ends in fewer pods than without advice. */
#include "test/support/loan_world.h"

#define WORLDS 600

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_write),    cmocka_unit_test(test_postponed_write),
        cmocka_unit_test(test_followed_by_hand), cmocka_unit_test(test_words_of_a_raise),
        cmocka_unit_test(test_changing_spec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
