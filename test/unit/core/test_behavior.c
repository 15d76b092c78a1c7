/* Windows, policies and bounds: tables of documented cases, and the queues against the plain list that the
 * HPA keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/behavior.h"

#define SECOND INT64_C(1000000)
#define START  (1700000000 * SECOND)

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s >> 11;
}

static struct core_spec spec_with_behavior(void)
{
    struct core_spec spec = core_spec_default();
    spec.behavior = true;
    spec.max_replicas = 1000;
    return spec;
}

/* ---- policies ---- */

static void test_default_policies(void **state)
{
    (void)state;
    const struct {
        bool behavior;
        int32_t current, desired, min, max, replicas;
        enum behavior_limit limit;
    } cases[] = {
        /* up 100 % or 4 pods, whichever is more; down everything */
        {true, 1, 100, 1, 1000, 5, BEHAVIOR_SCALE_UP_LIMIT},
        {true, 4, 100, 1, 1000, 8, BEHAVIOR_SCALE_UP_LIMIT},
        {true, 10, 100, 1, 1000, 20, BEHAVIOR_SCALE_UP_LIMIT},
        {true, 10, 20, 1, 1000, 20, BEHAVIOR_WITHIN_RANGE},
        {true, 10, 100, 1, 15, 15, BEHAVIOR_TOO_MANY},
        {true, 10, 100, 1, 20, 20, BEHAVIOR_TOO_MANY}, /* where both end at 20 the HPA names the bound */
        {true, 10, 10, 1, 1000, 10, BEHAVIOR_WITHIN_RANGE},
        {true, 10, 0, 1, 1000, 1, BEHAVIOR_TOO_FEW},
        {true, 10, 3, 1, 1000, 3, BEHAVIOR_WITHIN_RANGE},
        {true, 0, 100, 0, 1000, 4, BEHAVIOR_SCALE_UP_LIMIT},
        {true, INT32_MAX / 2 + 1, INT32_MAX, 1, INT32_MAX, INT32_MAX, BEHAVIOR_WITHIN_RANGE},
        /* without spec.behavior: max(2 x current, 4) */
        {false, 1, 100, 1, 1000, 4, BEHAVIOR_SCALE_UP_LIMIT},
        {false, 2, 100, 1, 1000, 4, BEHAVIOR_SCALE_UP_LIMIT},
        {false, 10, 100, 1, 1000, 20, BEHAVIOR_SCALE_UP_LIMIT},
        {false, 10, 100, 1, 20, 20, BEHAVIOR_TOO_MANY},
        {false, 10, 0, 2, 1000, 2, BEHAVIOR_TOO_FEW},
        {false, 0, 1, 9, 1000, 9, BEHAVIOR_TOO_FEW}, /* no limit holds back from a raised minimum */
        {false, 10, 5, 2, 1000, 5, BEHAVIOR_WITHIN_RANGE},
        {false, INT32_MAX, INT32_MAX, 1, INT32_MAX, INT32_MAX, BEHAVIOR_WITHIN_RANGE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct core_spec spec = spec_with_behavior();
        spec.behavior = cases[i].behavior;
        struct behavior b = {.seeded = true};
        struct behavior_answer a = behavior_apply(&spec, &b, START, cases[i].current, cases[i].desired, cases[i].min,
                                                  cases[i].max, spec.down.stabilization_s);
        if (a.replicas != cases[i].replicas || a.limit != cases[i].limit)
            fail_msg("case %zu: %d, limit %d", i, a.replicas, (int)a.limit);
    }
}

#define PODS(v, s)                                                                                                     \
    {                                                                                                                  \
        CORE_POLICY_PODS, (v), (s)                                                                                     \
    }
#define PERCENT(v, s)                                                                                                  \
    {                                                                                                                  \
        CORE_POLICY_PERCENT, (v), (s)                                                                                  \
    }

static void test_policies(void **state)
{
    (void)state;
    const struct {
        const char *what;
        enum core_select select;
        uint32_t n;
        struct core_policy policies[2];
        int32_t current, desired, added, removed; /* in the last 10 s */
        int32_t replicas;
    } cases[] = {
        {"one pod, rounded up", CORE_SELECT_MAX, 1, {PERCENT(10, 60)}, 5, 50, 0, 0, 6},
        {"down by percent truncates the count", CORE_SELECT_MAX, 1, {PERCENT(10, 60)}, 5, 1, 0, 0, 4},
        {"down by percent of 10", CORE_SELECT_MAX, 1, {PERCENT(15, 60)}, 10, 1, 0, 0, 8},
        {"the larger up", CORE_SELECT_MAX, 2, {PODS(4, 60), PERCENT(100, 60)}, 3, 50, 0, 0, 7},
        {"the smaller up", CORE_SELECT_MIN, 2, {PODS(4, 60), PERCENT(100, 60)}, 3, 50, 0, 0, 6},
        {"the larger down", CORE_SELECT_MAX, 2, {PODS(4, 60), PERCENT(10, 60)}, 80, 1, 0, 0, 72},
        {"the smaller down", CORE_SELECT_MIN, 2, {PODS(4, 60), PERCENT(10, 60)}, 80, 1, 0, 0, 76},
        {"disabled up", CORE_SELECT_DISABLED, 1, {PODS(4, 60)}, 3, 50, 0, 0, 3},
        {"disabled down", CORE_SELECT_DISABLED, 1, {PODS(4, 60)}, 3, 1, 0, 0, 3},
        {"what was added counts from the start", CORE_SELECT_MAX, 1, {PODS(4, 60)}, 8, 50, 3, 0, 9},
        {"all used up", CORE_SELECT_MAX, 1, {PODS(4, 60)}, 9, 50, 4, 0, 9},
        {"more than used up holds", CORE_SELECT_MAX, 1, {PODS(4, 60)}, 9, 50, 7, 0, 9},
        {"out of the period", CORE_SELECT_MAX, 1, {PODS(4, 5)}, 9, 50, 7, 0, 13},
        {"what was removed may come back", CORE_SELECT_MAX, 1, {PODS(4, 60)}, 6, 50, 0, 3, 13},
        {"percent of the start", CORE_SELECT_MAX, 1, {PERCENT(50, 60)}, 12, 50, 2, 0, 15},
        {"down after down", CORE_SELECT_MAX, 1, {PODS(4, 60)}, 7, 1, 0, 3, 6},
        {"a foreign cut below what was added", CORE_SELECT_MAX, 1, {PODS(4, 60)}, 2, 50, 5, 0, 2},
        {"no overflow", CORE_SELECT_MAX, 1, {PODS(INT32_MAX, 60)}, 10, 900, 0, 0, 900},
        {"no overflow of percent", CORE_SELECT_MAX, 1, {PERCENT(INT32_MAX, 60)}, 10, 900, 0, 0, 900},
        {"percent above 100 down", CORE_SELECT_MAX, 1, {PERCENT(300, 60)}, 10, 1, 0, 0, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct core_spec spec = spec_with_behavior();
        bool up = cases[i].desired > cases[i].current;
        struct core_rules *rules = up ? &spec.up : &spec.down;
        rules->select = cases[i].select;
        rules->n_policies = cases[i].n;
        for (uint32_t k = 0; k < cases[i].n; k++)
            rules->policies[k] = cases[i].policies[k];
        struct behavior b = {.seeded = true};
        if (cases[i].added)
            behavior_scaled(&b, &spec, START - 10 * SECOND, 0, cases[i].added);
        if (cases[i].removed)
            behavior_scaled(&b, &spec, START - 10 * SECOND, cases[i].removed, 0);
        struct behavior_answer a = behavior_apply(&spec, &b, START, cases[i].current, cases[i].desired, 1,
                                                  spec.max_replicas, spec.down.stabilization_s);
        if (a.replicas != cases[i].replicas)
            fail_msg("%s: %d, want %d", cases[i].what, a.replicas, cases[i].replicas);
        behavior_done(&b);
    }
}

/* An event leaves the period exactly when it is that old. */
static void test_period_edge(void **state)
{
    (void)state;
    struct core_spec spec = spec_with_behavior();
    spec.up.n_policies = 1;
    struct behavior b = {.seeded = true};
    behavior_scaled(&b, &spec, START, 4, 8);
    assert_int_equal(
        behavior_apply(&spec, &b, START + 15 * SECOND - 1, 8, 50, 1, 100, spec.down.stabilization_s).replicas, 8);
    assert_int_equal(behavior_apply(&spec, &b, START + 15 * SECOND, 8, 50, 1, 100, spec.down.stabilization_s).replicas,
                     12);
    behavior_done(&b);
}

/* ---- windows ---- */

static void test_windows(void **state)
{
    (void)state;
    struct core_spec spec = spec_with_behavior();
    spec.up.stabilization_s = 60;
    struct behavior b = {.seeded = false};
    behavior_first_sight(&b, START, 10);
    behavior_first_sight(&b, START, 99); /* the second time is no first sight */
    /* The live count holds in both directions at first. */
    assert_int_equal(
        behavior_apply(&spec, &b, START + 15 * SECOND, 10, 20, 1, 1000, spec.down.stabilization_s).stabilized, 10);
    assert_int_equal(
        behavior_apply(&spec, &b, START + 15 * SECOND, 10, 3, 1, 1000, spec.down.stabilization_s).stabilized, 10);
    /* Each window ends exactly when it is over. */
    assert_int_equal(
        behavior_apply(&spec, &b, START + 60 * SECOND - 1, 10, 20, 1, 1000, spec.down.stabilization_s).stabilized, 10);
    assert_int_equal(
        behavior_apply(&spec, &b, START + 60 * SECOND, 10, 20, 1, 1000, spec.down.stabilization_s).stabilized, 20);
    assert_int_equal(
        behavior_apply(&spec, &b, START + 300 * SECOND - 1, 10, 3, 1, 1000, spec.down.stabilization_s).stabilized, 10);
    assert_int_equal(
        behavior_apply(&spec, &b, START + 300 * SECOND, 10, 3, 1, 1000, spec.down.stabilization_s).stabilized, 3);
    /* Without behavior: one window, and its edge belongs to it. */
    spec.behavior = false;
    assert_int_equal(
        behavior_apply(&spec, &b, START + 300 * SECOND, 10, 3, 1, 1000, spec.down.stabilization_s).stabilized, 10);
    assert_int_equal(
        behavior_apply(&spec, &b, START + 300 * SECOND + 1, 10, 3, 1, 1000, spec.down.stabilization_s).stabilized, 3);
    assert_int_equal(
        behavior_apply(&spec, &b, START + 15 * SECOND, 10, 20, 1, 1000, spec.down.stabilization_s).stabilized, 20);
    behavior_done(&b);
}

static void test_resume(void **state)
{
    (void)state;
    struct core_spec spec = spec_with_behavior();
    spec.up.stabilization_s = 60;
    struct behavior b = {.seeded = false};
    behavior_first_sight(&b, START, 4);
    behavior_record(&b, &spec, START + 15 * SECOND, 4);
    /* Taken over an hour later: old needs are gone, the live count holds for the full window; raises don't
     * wait. */
    int64_t now = START + 3600 * SECOND;
    behavior_resume(&b, &spec, now, 10);
    assert_int_equal(
        behavior_apply(&spec, &b, now + 299 * SECOND, 10, 3, 1, 1000, spec.down.stabilization_s).stabilized, 10);
    assert_int_equal(
        behavior_apply(&spec, &b, now + 300 * SECOND, 10, 3, 1, 1000, spec.down.stabilization_s).stabilized, 3);
    assert_int_equal(behavior_apply(&spec, &b, now, 10, 20, 1, 1000, spec.down.stabilization_s).stabilized, 20);
    behavior_done(&b);
}

/* The HPA's list as it is: append, or replace the last one that both cutoffs call old. */
struct list {
    struct behavior_recommendation entries[4096];
    uint32_t n;
};

static int32_t list_stabilize(struct list *l, const struct core_spec *spec, int64_t now, int32_t current,
                              int32_t desired)
{
    int32_t up = desired, down = desired;
    int64_t up_cutoff = now - spec->up.stabilization_s * SECOND,
            down_cutoff = now - spec->down.stabilization_s * SECOND;
    uint32_t old = UINT32_MAX;
    for (uint32_t i = 0; i < l->n; i++) {
        int64_t t = l->entries[i].time_us;
        if (spec->behavior) {
            if (t > up_cutoff)
                up = MIN(up, l->entries[i].replicas);
            if (t > down_cutoff)
                down = MAX(down, l->entries[i].replicas);
            if (t < up_cutoff && t < down_cutoff)
                old = i;
        } else if (t < down_cutoff) {
            old = i;
        } else {
            down = MAX(down, l->entries[i].replicas);
        }
    }
    struct behavior_recommendation r = {.time_us = now, .replicas = desired};
    l->entries[old != UINT32_MAX ? old : l->n++] = r;
    if (!spec->behavior)
        return down;
    int32_t out = current < up ? up : current;
    return out > down ? down : out;
}

static void test_queues_equal_the_list(void **state)
{
    (void)state;
    static const uint32_t windows[] = {0, 15, 60, 61, 300, 3600};
    uint64_t seed = 7;
    for (int round = 0; round < 300; round++) {
        struct core_spec spec = spec_with_behavior();
        spec.behavior = next_random(&seed) % 4 != 0;
        spec.up.stabilization_s = windows[next_random(&seed) % ARRAY_SIZE(windows)];
        spec.down.stabilization_s = windows[next_random(&seed) % ARRAY_SIZE(windows)];
        static struct list list;
        list.n = 0;
        struct behavior b = {.seeded = false};
        int64_t now = START;
        int32_t current = 10, drift = (int32_t)(next_random(&seed) % 3) - 1;
        behavior_first_sight(&b, now, current);
        list.entries[list.n++] = (struct behavior_recommendation){.time_us = now, .replicas = current};
        for (int i = 0; i < 400; i++) {
            now += (next_random(&seed) % 3 ? 15 : 1 + (int64_t)(next_random(&seed) % 40)) * SECOND;
            int32_t desired = 500 + drift * i + (int32_t)(next_random(&seed) % 20);
            struct behavior_answer a =
                behavior_apply(&spec, &b, now, current, desired, 1, 1000, spec.down.stabilization_s);
            behavior_record(&b, &spec, now, desired);
            assert_int_equal(a.stabilized, list_stabilize(&list, &spec, now, current, desired));
            current = a.replicas;
        }
        behavior_done(&b);
    }
}

/* More entries than there is room for: bounded, and never lower than the exact answer. */
static void test_overflow_errs_upward(void **state)
{
    (void)state;
    struct core_spec spec = spec_with_behavior();
    spec.up.stabilization_s = spec.down.stabilization_s = 3600;
    static struct list list;
    for (int direction = -1; direction <= 1; direction += 2) {
        list.n = 0;
        struct behavior b = {.seeded = false};
        int64_t now = START;
        for (int i = 0; i < 1000; i++) {
            now += SECOND;
            int32_t desired = 2000 + direction * i, current = 2000;
            struct behavior_answer a =
                behavior_apply(&spec, &b, now, current, desired, 1, 5000, spec.down.stabilization_s);
            behavior_record(&b, &spec, now, desired);
            assert_true(a.stabilized >= list_stabilize(&list, &spec, now, current, desired));
        }
        assert_true(b.highest.n <= BEHAVIOR_MAX_RECOMMENDATIONS && b.lowest.n <= BEHAVIOR_MAX_RECOMMENDATIONS);
        assert_true(behavior_memory(&b) <= 2 * BEHAVIOR_MAX_RECOMMENDATIONS * sizeof(struct behavior_recommendation));
        behavior_done(&b);
    }
}

static void test_events_are_bounded(void **state)
{
    (void)state;
    struct core_spec spec = spec_with_behavior();
    spec.up.policies[0].period_s = 1800;
    struct behavior b = {.seeded = true};
    int32_t sum = 0;
    for (int i = 0; i < 1000; i++, sum += 2)
        behavior_scaled(&b, &spec, START + i * SECOND, sum, sum + 2);
    assert_int_equal(b.up.n, BEHAVIOR_MAX_EVENTS);
    /* Nothing is forgotten inside the period: start = 2000 - 2000. */
    spec.up.n_policies = 1;
    assert_int_equal(
        behavior_apply(&spec, &b, START + 1001 * SECOND, 2000, 3000, 1, 5000, spec.down.stabilization_s).replicas,
        2000);
    /* Past the period the entries are used again. */
    behavior_scaled(&b, &spec, START + 9999 * SECOND, 1, 2);
    assert_int_equal(b.up.n, BEHAVIOR_MAX_EVENTS);
    behavior_done(&b);
}

static void test_encoding(void **state)
{
    (void)state;
    struct core_spec spec = spec_with_behavior();
    spec.up.stabilization_s = 600;
    struct behavior b = {.seeded = false};
    uint64_t seed = 3;
    behavior_first_sight(&b, START, 5);
    spec.up.policies[0].period_s = spec.down.policies[0].period_s = 600;
    for (int i = 0; i < 60; i++) {
        if (i == 50) /* most events are outdated at once, and not yet used again */
            spec.up.policies[0].period_s = spec.down.policies[0].period_s = 15;
        int64_t now = START + i * 15 * SECOND + (int64_t)(next_random(&seed) % SECOND);
        behavior_record(&b, &spec, now, (int32_t)(next_random(&seed) % 50));
        if (i % 3 == 0)
            behavior_scaled(&b, &spec, now, 5, (int32_t)(next_random(&seed) % 10));
    }
    _cleanup_(buf_done) struct buf first = BUF_INIT(65536), second = BUF_INIT(65536);
    behavior_encode(&b, &(struct codec_writer){&first});
    struct behavior back = {.seeded = false};
    struct codec_reader r = codec_reader(first.data, first.len);
    assert_int_equal(behavior_decode(&back, &r), 0);
    assert_true(codec_done(&r));
    behavior_encode(&back, &(struct codec_writer){&second});
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    behavior_done(&back);
    behavior_done(&b);
    for (size_t cut = 0; cut < first.len; cut++) { /* no prefix is one */
        r = codec_reader(first.data, cut);
        assert_int_equal(behavior_decode(&back, &r), -1);
        behavior_done(&back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_policies),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_period_edge),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_queues_equal_the_list),
        cmocka_unit_test(test_overflow_errs_upward),
        cmocka_unit_test(test_events_are_bounded),
        cmocka_unit_test(test_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
