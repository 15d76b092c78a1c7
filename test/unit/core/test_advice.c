/* Advice: when it is asked for, what of it is taken, when it lapses, and whose is no longer believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "base/rng.h"
#include "core/advice.h"

#define SECOND INT64_C(1000000)
#define START  (1700000000 * SECOND)

static struct advice_config config_of(enum advice_mode mode)
{
    return (struct advice_config){.mode = mode,
                                  .max_replica_delta = 3,
                                  .min_interval_s = 30,
                                  .timeout_s = 240,
                                  .cache_ttl_s = 300,
                                  .daily_call_budget = 100};
}

static struct advice advice_of(int32_t need, int32_t target)
{
    return (struct advice){.id = 7,
                           .sampled_us = START,
                           .need = need,
                           .current = need,
                           .side = ADVICE_ABOVE_TARGET,
                           .target_replicas = target,
                           .confidence_percent = 80,
                           .provider = 42};
}

static struct advice_bounds bounds_of(int32_t need)
{
    return (struct advice_bounds){.need = need,
                                  .bare = need,
                                  .reactive = need - 2,
                                  .effective_min = 2,
                                  .max = 20,
                                  .side = ADVICE_ABOVE_TARGET,
                                  .active = true};
}

static void test_what_is_taken(void **unused)
{
    (void)unused;
    const struct {
        const char *what;
        enum advice_mode mode;
        int32_t target;
        bool approved;
        int32_t replicas, proposal;
        enum advice_outcome outcome;
    } cases[] = {
        {"off", ADVICE_OFF, 9, false, 8, -1, ADVICE_NONE},
        {"bounded raises", ADVICE_BOUNDED, 10, false, 10, 10, ADVICE_APPLIED},
        {"bounded raises by no more than the delta", ADVICE_BOUNDED, 10000, false, 11, 11, ADVICE_APPLIED},
        {"bounded agrees", ADVICE_BOUNDED, 8, false, 8, 8, ADVICE_AGREES},
        {"bounded never lowers", ADVICE_BOUNDED, 1, false, 8, 8, ADVICE_LOWER_SHOWN},
        {"observe takes nothing", ADVICE_OBSERVE, 10, true, 8, 10, ADVICE_OBSERVED},
        {"approval waits", ADVICE_APPROVAL, 10, false, 8, 10, ADVICE_AWAITS_APPROVAL},
        {"approved raise", ADVICE_APPROVAL, 10, true, 10, 10, ADVICE_APPLIED},
        {"approved lowering gives back predicted surplus", ADVICE_APPROVAL, 1, true, 6, 6, ADVICE_APPLIED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        print_message("%s\n", cases[i].what);
        struct advice_config config = config_of(cases[i].mode);
        struct advice_state state = {0};
        struct advice a = advice_of(8, cases[i].target);
        advice_take(&state, &a);
        assert_false(advice_approve(&state, 8));
        if (cases[i].approved)
            assert_true(advice_approve(&state, 7));
        struct advice_bounds bounds = bounds_of(8);
        struct advice_effect e = advice_apply(&config, &state, &bounds, START + SECOND);
        assert_int_equal(e.outcome, cases[i].outcome);
        assert_int_equal(e.replicas, cases[i].replicas);
        assert_int_equal(e.proposal, cases[i].proposal);
    }
}

static void test_when_it_lapses(void **unused)
{
    (void)unused;
    const struct {
        const char *what;
        int64_t after_s;
        int32_t need;
        enum advice_side side;
        uint32_t confidence;
        bool active;
        enum advice_outcome outcome;
    } cases[] = {
        {"fresh", 0, 10, ADVICE_ABOVE_TARGET, 80, true, ADVICE_APPLIED},
        {"at its last second", 300, 10, ADVICE_ABOVE_TARGET, 80, true, ADVICE_APPLIED},
        {"a second later", 301, 10, ADVICE_ABOVE_TARGET, 80, true, ADVICE_EXPIRED},
        {"before its sample: the clock was set back", -1, 10, ADVICE_ABOVE_TARGET, 80, true, ADVICE_EXPIRED},
        {"D moved by one", 10, 11, ADVICE_ABOVE_TARGET, 80, true, ADVICE_APPLIED},
        {"D moved by two of ten", 10, 12, ADVICE_ABOVE_TARGET, 80, true, ADVICE_MOVED_ON},
        {"D fell by two of ten", 10, 8, ADVICE_ABOVE_TARGET, 80, true, ADVICE_MOVED_ON},
        {"the other side of the target", 10, 10, ADVICE_BELOW_TARGET, 80, true, ADVICE_MOVED_ON},
        {"half sure", 10, 10, ADVICE_ABOVE_TARGET, 50, true, ADVICE_APPLIED},
        {"less than half sure", 10, 10, ADVICE_ABOVE_TARGET, 49, true, ADVICE_UNSURE},
        {"no metrics", 10, 10, ADVICE_ABOVE_TARGET, 80, false, ADVICE_NOT_ACTIVE},
        {"scaled to zero", 10, 0, ADVICE_ABOVE_TARGET, 80, true, ADVICE_NOT_ACTIVE},
    };
    struct advice_config config = config_of(ADVICE_BOUNDED);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        print_message("%s\n", cases[i].what);
        struct advice_state state = {0};
        struct advice a = advice_of(10, 12);
        a.confidence_percent = cases[i].confidence;
        advice_take(&state, &a);
        struct advice_bounds bounds = bounds_of(cases[i].need);
        bounds.side = cases[i].side;
        bounds.active = cases[i].active;
        struct advice_effect e = advice_apply(&config, &state, &bounds, START + cases[i].after_s * SECOND);
        assert_int_equal(e.outcome, cases[i].outcome);
        assert_int_equal(e.replicas, cases[i].outcome == ADVICE_APPLIED ? 12 : cases[i].need);
    }
}

/* Advice relative to D can't climb on its own effect: however often it is given, the count stays at D + delta. */
static void test_no_ratchet(void **unused)
{
    (void)unused;
    struct advice_config config = config_of(ADVICE_BOUNDED);
    struct advice_state state = {0};
    int32_t current = 8;
    for (int i = 0; i < 100; i++) {
        struct advice a = advice_of(8, current + 3);
        a.sampled_us = START + i * 30 * SECOND;
        advice_take(&state, &a);
        struct advice_bounds bounds = bounds_of(8);
        current = advice_apply(&config, &state, &bounds, a.sampled_us).replicas;
        assert_int_equal(current, 11);
    }
}

static struct advice_situation situation_of(int32_t need)
{
    return (struct advice_situation){.current = 8,
                                     .min = 2,
                                     .max = 20,
                                     .need = need,
                                     .reactive = need,
                                     .predicted = -1,
                                     .usage_percent = 105,
                                     .peak_percent = -1,
                                     .error_percent = -1,
                                     .trusted = true,
                                     .side = ADVICE_WITHIN_TOLERANCE,
                                     .lead_s = 150};
}

static void test_triggers(void **unused)
{
    (void)unused;
    struct advice_config config = config_of(ADVICE_BOUNDED);
    struct advice_state state = {0};
    struct advice_situation s = situation_of(8);
    int64_t now = START;
    struct advice_config off = config_of(ADVICE_OFF);
    assert_int_equal(advice_trigger(&off, &state, &s, now), ADVICE_TRIGGER_NONE);
    assert_int_equal(advice_trigger(&config, &state, &s, now), ADVICE_TRIGGER_CHANGED); /* the first look */
    advice_asked(&state, &s, now);

    /* Nothing new: not asked again, however long. */
    assert_int_equal(advice_trigger(&config, &state, &s, now + 86400 * SECOND), ADVICE_TRIGGER_NONE);
    s.need = 9;
    assert_int_equal(advice_trigger(&config, &state, &s, now + 60 * SECOND), ADVICE_TRIGGER_NONE);
    s.need = 10;
    assert_int_equal(advice_trigger(&config, &state, &s, now + 29 * SECOND), ADVICE_TRIGGER_NONE); /* too soon */
    assert_int_equal(advice_trigger(&config, &state, &s, now + 30 * SECOND), ADVICE_TRIGGER_CHANGED);

    /* An edge that falls into the interval is not lost. */
    s = situation_of(8);
    s.trusted = false;
    assert_int_equal(advice_trigger(&config, &state, &s, now + 15 * SECOND), ADVICE_TRIGGER_NONE);
    assert_int_equal(advice_trigger(&config, &state, &s, now + 45 * SECOND), ADVICE_TRIGGER_TRUST_LOST);
    s.anomaly = 2;
    assert_int_equal(advice_trigger(&config, &state, &s, now + 45 * SECOND), ADVICE_TRIGGER_ANOMALY);
    advice_asked(&state, &s, now + 45 * SECOND);
    assert_int_equal(advice_trigger(&config, &state, &s, now + 90 * SECOND), ADVICE_TRIGGER_NONE); /* the same one */

    s.unschedulable = 1;
    assert_int_equal(advice_trigger(&config, &state, &s, now + 90 * SECOND), ADVICE_TRIGGER_UNSCHEDULABLE);
    s.unschedulable = 0;
    s.need = 18;
    s.max = 20;
    assert_int_equal(advice_trigger(&config, &state, &s, now + 90 * SECOND), ADVICE_TRIGGER_NEAR_MAX);
    /* Where nothing can be raised, nothing is paid; what is to be learned of it, or approved, still is. */
    s.max = 18;
    assert_int_equal(advice_trigger(&config, &state, &s, now + 90 * SECOND), ADVICE_TRIGGER_NONE);
    struct advice_config observing = config_of(ADVICE_OBSERVE), approving = config_of(ADVICE_APPROVAL);
    assert_int_equal(advice_trigger(&observing, &state, &s, now + 90 * SECOND), ADVICE_TRIGGER_NEAR_MAX);
    assert_int_equal(advice_trigger(&approving, &state, &s, now + 90 * SECOND), ADVICE_TRIGGER_NEAR_MAX);
    s.max = 20;

    /* Advice in hand that fits is enough. */
    struct advice a = advice_of(18, 18);
    a.side = s.side;
    a.sampled_us = now + 80 * SECOND;
    advice_take(&state, &a);
    assert_int_equal(advice_trigger(&config, &state, &s, now + 90 * SECOND), ADVICE_TRIGGER_NONE);
    assert_int_equal(advice_trigger(&config, &state, &s, now + 381 * SECOND), ADVICE_TRIGGER_NEAR_MAX);

    /* From and to zero is nothing for a model. */
    s.current = 0;
    assert_int_equal(advice_trigger(&config, &state, &s, now + 900 * SECOND), ADVICE_TRIGGER_NONE);
}

/* A question that nobody could answer is asked again while its reason lasts, whatever that reason was. */
static void test_unanswered(void **unused)
{
    (void)unused;
    const struct {
        enum advice_trigger why;
        bool trusted;
        uint32_t anomaly;
    } cases[] = {
        {ADVICE_TRIGGER_CHANGED, true, 0}, {ADVICE_TRIGGER_ANOMALY, true, 2}, {ADVICE_TRIGGER_TRUST_LOST, false, 0}};
    struct advice_config config = config_of(ADVICE_BOUNDED);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct advice_state state = {0};
        struct advice_situation s = situation_of(8);
        s.trusted = cases[i].trusted;
        s.anomaly = cases[i].anomaly;
        s.trigger = cases[i].why;
        advice_asked(&state, &s, START);
        assert_int_equal(advice_trigger(&config, &state, &s, START + 60 * SECOND), ADVICE_TRIGGER_NONE);
        advice_unanswered(&state);
        assert_int_equal(advice_trigger(&config, &state, &s, START + 29 * SECOND), ADVICE_TRIGGER_NONE);
        assert_int_equal(advice_trigger(&config, &state, &s, START + 30 * SECOND), cases[i].why);
        advice_asked(&state, &s, START + 30 * SECOND);
        assert_int_equal(advice_trigger(&config, &state, &s, START + 90 * SECOND), ADVICE_TRIGGER_NONE);
        advice_unanswered(&state);
        struct advice_situation over = situation_of(8);
        if (cases[i].why != ADVICE_TRIGGER_CHANGED)
            assert_int_equal(advice_trigger(&config, &state, &over, START + 90 * SECOND), ADVICE_TRIGGER_NONE);
    }
}

/* What a model can't answer is not asked again and again because the need stays near the maximum. */
static void test_spoiled(void **unused)
{
    (void)unused;
    struct advice_config config = config_of(ADVICE_BOUNDED);
    struct advice_state state = {0};
    struct advice_situation s = situation_of(19);
    s.trigger = ADVICE_TRIGGER_NEAR_MAX;
    for (int unschedulable = 0; unschedulable < 2; unschedulable++) {
        s.unschedulable = unschedulable;
        enum advice_trigger why = unschedulable ? ADVICE_TRIGGER_UNSCHEDULABLE : ADVICE_TRIGGER_NEAR_MAX;
        advice_asked(&state, &s, START);
        assert_int_equal(advice_trigger(&config, &state, &s, START + 30 * SECOND), why);
        advice_spoiled(&state);
        assert_int_equal(advice_trigger(&config, &state, &s, START + 299 * SECOND), ADVICE_TRIGGER_NONE);
        assert_int_equal(advice_trigger(&config, &state, &s, START + 300 * SECOND), why);
        struct advice_situation other = s;
        other.max = 21;
        assert_int_equal(advice_trigger(&config, &state, &other, START + 30 * SECOND),
                         unschedulable ? why : ADVICE_TRIGGER_NEAR_MAX);
    }
}

static void play_advice(struct advice_state *state, int64_t at_us, int32_t advised, int32_t came)
{
    struct advice a = advice_of(8, advised);
    a.sampled_us = at_us;
    advice_take(state, &a);
    advice_score(state, 8, at_us);
    advice_score(state, came, at_us + 400 * SECOND);
    advice_score(state, 8, at_us + ADVICE_JUDGE_S * SECOND);
}

static void test_record(void **unused)
{
    (void)unused;
    struct advice_config config = config_of(ADVICE_BOUNDED);
    struct advice_state state = {0};
    struct advice_bounds bounds = bounds_of(8);
    uint32_t n;
    int64_t at = START;
    for (int i = 0; i < 3; i++, at += 3600 * SECOND)
        play_advice(&state, at, 11, 8); /* nothing came */
    assert_int_equal(advice_record(&state, 42, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(advice_apply(&config, &state, &bounds, at - 3600 * SECOND).outcome, ADVICE_APPLIED);
    play_advice(&state, at, 11, 9); /* 9 is nearer to 8 */
    assert_int_equal(advice_apply(&config, &state, &bounds, at).outcome, ADVICE_WRONG_LATELY);
    assert_int_equal(advice_apply(&config, &state, &bounds, at).replicas, 8);

    /* It is scored on while it is not applied, and earns its way back. */
    for (int i = 0; i < 4; i++) {
        at += 3600 * SECOND;
        play_advice(&state, at, 11, 11);
    }
    assert_int_equal(advice_record(&state, 42, &n), 4);
    assert_int_equal(n, 8);
    assert_int_equal(advice_apply(&config, &state, &bounds, at).outcome, ADVICE_APPLIED);

    /* Agreeing earns nothing. */
    play_advice(&state, at + 3600 * SECOND, 8, 8);
    advice_record(&state, 42, &n);
    assert_int_equal(n, 8);
    /* Who answers every minute is judged like anybody else. */
    memset(&state, 0, sizeof state);
    for (int64_t t = 0; t <= 3600; t += 60) {
        struct advice a = advice_of(8, 11);
        a.sampled_us = START + t * SECOND;
        advice_take(&state, &a);
        advice_score(&state, 8, a.sampled_us);
    }
    assert_int_equal(advice_record(&state, 42, &n), 0);
    assert_true(n >= ADVICE_MIN_SCORES);
    /* A clock that was set back by an hour leaves nothing that is waited for so long. */
    advice_score(&state, 8, START);
    struct advice next = advice_of(8, 11);
    advice_take(&state, &next);
    assert_int_equal(state.pending[0].until_us, START + ADVICE_JUDGE_S * SECOND);
    /* Another model has its own record. */
    assert_int_equal(advice_record(&state, 43, &n), 0);
    assert_int_equal(n, 0);
}

/* Asked far more often than answers come due: some of them are scored all the same, and the model is found out. */
static void test_record_of_a_busy_model(void **unused)
{
    (void)unused;
    struct advice_state state = {0};
    uint32_t n;
    for (int i = 0; i < 120; i++) {
        struct advice a = advice_of(8, 11);
        a.sampled_us = START + i * 30 * SECOND;
        advice_take(&state, &a);
        advice_score(&state, 8, a.sampled_us);
    }
    assert_int_equal(advice_record(&state, 42, &n), 0);
    assert_int_equal(n, ADVICE_RECORD);

    /* Scores that wait for a time that will not come, because the clock was set back, make room. */
    struct advice ahead = advice_of(8, 11), now = advice_of(8, 12);
    state = (struct advice_state){0};
    ahead.sampled_us = START + 86400 * SECOND;
    for (int i = 0; i < 4; i++)
        advice_take(&state, &ahead);
    advice_take(&state, &now);
    advice_score(&state, 8, START + ADVICE_JUDGE_S * SECOND);
    advice_record(&state, 42, &n);
    assert_int_equal(n, 1);
}

static int32_t number(struct rng *rng, int32_t low, int32_t high)
{
    return (int32_t)(low + (int64_t)rng_below(rng, (uint64_t)((int64_t)high - low + 1)));
}

/* A million answers of an advisor that says anything: I9, the bounds of decision rule 8, and that what is not applied
 * leaves the plan as it was. */
static void test_any_advice_is_bounded(void **unused)
{
    (void)unused;
    struct rng rng;
    rng_seed(&rng, 5);
    for (int i = 0; i < 1000000; i++) {
        struct advice_config config = config_of((enum advice_mode)number(&rng, ADVICE_OFF, ADVICE_APPROVAL));
        config.max_replica_delta = number(&rng, 1, INT32_MAX);
        if (i % 2)
            config.max_replica_delta = number(&rng, 1, 10);
        int32_t min = number(&rng, 0, 50), max = number(&rng, MAX(min, 1), i % 3 ? 100 : INT32_MAX);
        struct advice_bounds b = {.need = number(&rng, min, max),
                                  .effective_min = min,
                                  .max = max,
                                  .side = (enum advice_side)number(&rng, 0, 2),
                                  .active = number(&rng, 0, 9) > 0};
        b.reactive = number(&rng, -1, b.need);
        b.bare = i % 7 ? b.need : number(&rng, min, b.need);
        struct advice a = {.id = (uint64_t)number(&rng, 0, 3),
                           .sampled_us = START,
                           .need = i % 4 ? b.bare : number(&rng, 0, INT32_MAX),
                           .side = i % 5 ? b.side : ADVICE_BELOW_TARGET,
                           .target_replicas = i % 6 ? number(&rng, 0, 200) : number(&rng, 0, INT32_MAX),
                           .confidence_percent = (uint32_t)number(&rng, 0, 100)};
        struct advice_state state = {0};
        advice_take(&state, &a);
        bool approved = number(&rng, 0, 1) && advice_approve(&state, (uint64_t)number(&rng, 0, 3));
        struct advice_effect e = advice_apply(&config, &state, &b, START + number(&rng, -400, 400) * SECOND);
        if (e.outcome != ADVICE_APPLIED) {
            assert_int_equal(e.replicas, b.need);
        } else if (config.mode == ADVICE_BOUNDED) {
            assert_true(e.replicas > b.need);
        } else {
            assert_int_equal(config.mode, ADVICE_APPROVAL);
            assert_true(approved);
            assert_true(e.replicas >= MAX(b.reactive, b.effective_min) || e.replicas >= b.need);
        }
        assert_true(e.replicas <= MAX(b.need, b.max));
        assert_true((int64_t)e.replicas <= MAX(b.need, (int64_t)b.bare + config.max_replica_delta));
    }
}

static void test_encoding(void **unused)
{
    (void)unused;
    struct advice_state state = {0};
    struct advice_situation s = situation_of(8);
    s.anomaly = 3;
    s.trigger = ADVICE_TRIGGER_ANOMALY;
    advice_asked(&state, &s, START);
    for (int i = 0; i < 7; i++)
        play_advice(&state, START + i * 100 * SECOND, 11, 9 + i);
    advice_approve(&state, 7);
    advice_unanswered(&state);
    advice_spoiled(&state);

    _cleanup_(buf_done) struct buf bytes = BUF_INIT(4096);
    struct codec_writer w = {.out = &bytes};
    advice_encode(&state, &w);
    struct advice_state back;
    struct codec_reader r = codec_reader(bytes.data, bytes.len);
    assert_int_equal(advice_decode(&back, &r), 0);
    assert_true(codec_done(&r));
    _cleanup_(buf_done) struct buf again = BUF_INIT(4096);
    w.out = &again;
    advice_encode(&back, &w);
    assert_int_equal(again.len, bytes.len);
    assert_memory_equal(again.data, bytes.data, bytes.len);
    assert_int_equal(back.approved_id, 7);
    assert_true(back.unanswered && back.spoiled);

    for (size_t len = 0; len < bytes.len; len++) {
        r = codec_reader(bytes.data, len);
        assert_int_equal(advice_decode(&back, &r), -1);
    }
}

/* Equal keys exactly for equal situations, whoever is asked about; the longest fits. */
static void test_key(void **unused)
{
    (void)unused;
    char a[ADVICE_KEY_MAX], b[ADVICE_KEY_MAX];
    struct advice_situation s = situation_of(8);
    advice_situation_key(&s, a);
    advice_situation_key(&s, b);
    assert_string_equal(a, b);
    s.side = ADVICE_ABOVE_TARGET;
    advice_situation_key(&s, b);
    assert_string_not_equal(a, b);
    s = (struct advice_situation){INT32_MIN,  INT32_MIN, INT32_MIN,  INT32_MIN,
                                  INT32_MIN,  INT32_MIN, INT32_MIN,  INT32_MIN,
                                  INT32_MIN,  INT32_MIN, true,       ADVICE_ABOVE_TARGET,
                                  UINT32_MAX, INT32_MIN, UINT32_MAX, ADVICE_TRIGGER_CHANGED};
    advice_situation_key(&s, b);
    assert_true(strstr(b, ";why=5") != NULL);
    struct advice_situation back;
    assert_false(advice_situation_parse(b, &back)); /* a lead beyond an int is none of ours */
    s = situation_of(8);
    s.growth_percent = -35;
    s.trusted = true;
    s.trigger = ADVICE_TRIGGER_NEAR_MAX;
    advice_situation_key(&s, a);
    assert_true(advice_situation_parse(a, &back));
    advice_situation_key(&back, b);
    assert_string_equal(a, b);
    for (size_t len = 0; len < strlen(a); len++) {
        memcpy(b, a, len);
        b[len] = '\0';
        assert_false(advice_situation_parse(b, &back));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_taken),
        cmocka_unit_test(test_when_it_lapses),
        cmocka_unit_test(test_no_ratchet),
        cmocka_unit_test(test_triggers),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_unanswered),
        cmocka_unit_test(test_spoiled),
        cmocka_unit_test(test_record_of_a_busy_model),
        cmocka_unit_test(test_any_advice_is_bounded),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
