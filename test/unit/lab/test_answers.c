/* Recorded answers: what the file may be, line by line, and that their replay is bound by what binds a live answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advisor/decision.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"
#include "lab/simulation.h"

#define S     USEC_PER_SEC
#define START (INT64_C(1714521600) * S) /* 2024-05-01 */

#define WORDS                                                                                                          \
    "\"reasoning\":\"r\",\"risk_assessment\":\"low\",\"cost_impact\":\"low\",\"recommended_timing\":\"immediate\""
#define UP(n)     "{\"action\":\"scale_up\",\"target_replicas\":" #n ",\"confidence\":0.8," WORDS "}"
#define TIME(t)   "\"time\":\"2024-05-01T00:" t "Z\""
#define FAIL(t)   "{" TIME(t) ",\"failure\":\"Transient\"}\n"
#define ADVISE(t) "{" TIME(t) ",\"decision\":" UP(6) "}\n"
#define WHOLE     "{" TIME("00:07.5") ",\"latencySeconds\":4.25,\"provider\":\"local\",\"decision\":" UP(6) "}\n"

/* ---- the file ---- */

static void test_what_is_read(void **unused)
{
    (void)unused;
    static const char text[] =
        WHOLE "{" TIME("00:11.75") ",\"failure\":\"Misconfigured\",\"provider\":\"groq\"}\n"
                                   "{" TIME("00:30") ",\"provider\":\"local\",\"decision\":" UP(10000) "}";
    struct answers a;
    struct error err = ERROR_INIT;
    if (answers_parse("x.jsonl", text, strlen(text), &a, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_int_equal(a.n, 3);
    assert_int_equal(a.list[0].time_us, START + 7500000);
    assert_int_equal(a.list[0].latency_ms, 4250);
    assert_int_equal(a.list[0].class, ADVISOR_OK);
    assert_int_equal(a.list[0].action, DECISION_SCALE_UP);
    assert_int_equal(a.list[0].target_replicas, 6);
    assert_int_equal(a.list[0].confidence_percent, 80);
    assert_int_equal(a.list[1].class, ADVISOR_CONFIGURATION);
    assert_int_equal(a.list[1].latency_ms, 0);
    assert_int_equal(a.list[2].target_replicas, 10000);
    assert_int_equal(a.list[0].provider, a.list[2].provider);
    assert_int_not_equal(a.list[0].provider, a.list[1].provider);
    answers_done(&a);
}

static void test_what_is_refused(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "x.jsonl: there is no answer"},
        {"\n", "x.jsonl:1: want one JSON object"},
        {FAIL("00:00") "\n", "x.jsonl:2: want one JSON object"},
        {"[1]\n", "x.jsonl:1: want one JSON object"},
        {FAIL("00:00") "nonsense\n", "x.jsonl:2: want one JSON object"},
        {"{" TIME("00:00") "," TIME("00:00") ",\"failure\":\"Transient\"}", "x.jsonl:1: want one JSON object"},
        {FAIL("00:00") "{" TIME("00:01") "}", "x.jsonl:2: wants a decision or a failure"},
        {"{" TIME("00:00") ",\"failure\":\"Transient\",\"decision\":" UP(6) "}", "x.jsonl:1: wants a decision or"},
        {"{" TIME("00:00") ",\"failure\":\"Transient\",\"latency\":3}", "x.jsonl:1: has a member that is none of"},
        {"{" TIME("00:00") ",\"failure\":\"Cancelled\"}", "x.jsonl:1: failure: want a reason"},
        {"{" TIME("00:00") ",\"failure\":\"Available\"}", "x.jsonl:1: failure: want a reason"},
        {"{" TIME("00:00") ",\"failure\":7}", "x.jsonl:1: failure: want a reason"},
        {"{\"failure\":\"Transient\"}", "x.jsonl:1: time: want RFC 3339"},
        {"{\"time\":1714521600,\"failure\":\"Transient\"}", "x.jsonl:1: time: want RFC 3339"},
        {"{\"time\":\"yesterday\",\"failure\":\"Transient\"}", "x.jsonl:1: time: want RFC 3339"},
        {FAIL("00:05") FAIL("00:05"), "x.jsonl:2: time: must be later"},
        {FAIL("00:05") FAIL("00:04"), "x.jsonl:2: time: must be later"},
        {WHOLE FAIL("00:11.7"), "x.jsonl:2: time: the answer of the line before was not there yet"},
        {"{" TIME("00:00") ",\"latencySeconds\":-1,\"failure\":\"Transient\"}", "x.jsonl:1: latencySeconds: want"},
        {"{" TIME("00:00") ",\"latencySeconds\":240.1,\"failure\":\"Transient\"}", "x.jsonl:1: latencySeconds: want"},
        {"{" TIME("00:00") ",\"latencySeconds\":\"5\",\"failure\":\"Transient\"}", "x.jsonl:1: latencySeconds: want"},
        {"{" TIME("00:00") ",\"latencySeconds\":1e999,\"failure\":\"Transient\"}", "x.jsonl:1: "},
        {"{" TIME("00:00") ",\"provider\":5,\"failure\":\"Transient\"}", "x.jsonl:1: provider: want a name"},
        {"{" TIME("00:00") ",\"decision\":{}}", "x.jsonl:1: decision: action is missing"},
        {"{" TIME("00:00") ",\"decision\":\"scale up!\"}", "x.jsonl:1: decision: "},
        {"{" TIME("00:00") ",\"decision\":" UP(6.5) "}", "x.jsonl:1: decision: target_replicas"},
        {"{" TIME("00:00") ",\"decision\":" UP(-1) "}", "x.jsonl:1: decision: target_replicas"},
        {"{" TIME("00:00") ",\"decision\":" UP(10001) "}", "x.jsonl:1: decision: target_replicas"},
        {"{" TIME("00:00") ",\"decision\":" UP(0) "}", "x.jsonl:1: decision: target_replicas is 0"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct answers a;
        struct error err = ERROR_INIT;
        assert_int_equal(answers_parse("x.jsonl", cases[i].text, strlen(cases[i].text), &a, &err), -1);
        if (strncmp(error_text(&err), cases[i].why, strlen(cases[i].why)) != 0)
            fail_msg("case %zu: \"%s\", not \"%s\"", i, error_text(&err), cases[i].why);
    }
}

static void test_limits(void **unused)
{
    (void)unused;
    struct answers a;
    struct error err = ERROR_INIT;
    struct buf text = BUF_INIT(1 << 20);
    for (int i = 0; i <= ANSWERS_MAX_PROVIDERS; i++)
        (void)buf_printf(&text, "{" TIME("00:%02d") ",\"provider\":\"p%d\",\"failure\":\"Refused\"}\n", i, i);
    assert_int_equal(answers_parse("x", text.data, text.len, &a, &err), -1);
    assert_string_equal(error_text(&err), "x:9: provider: there are more than 8 different ones");

    buf_clear(&text);
    (void)buf_printf(&text, "{" TIME("00:00") ",\"provider\":\"%*s\",\"failure\":\"Refused\"}", (int)ANSWERS_LINE_BYTES,
                     "");
    assert_int_equal(answers_parse("x", text.data, text.len, &a, &err), -1);
    assert_int_equal(err.kind, ERROR_LIMIT);
    assert_string_equal(error_text(&err), "x:1: the line has more than 20480 bytes");
    assert_int_equal(answers_load("/nonexistent/answers.jsonl", &a, &err), -1);
    assert_int_equal(err.kind, ERROR_IO);
    buf_done(&text);
}

/* Whatever the bytes: refused, or within the bounds. */
static void test_any_bytes(void **unused)
{
    (void)unused;
    static const char text[] = WHOLE FAIL("00:30") ADVISE("01:00");
    struct rng rng;
    rng_seed(&rng, 7);
    size_t taken = 0;
    for (int i = 0; i < 20000; i++) {
        char bytes[sizeof text];
        memcpy(bytes, text, sizeof text);
        for (uint64_t n = rng_below(&rng, 4); n > 0; n--)
            bytes[rng_below(&rng, sizeof text - 1)] = (char)rng_below(&rng, 256);
        struct answers a;
        struct error err = ERROR_INIT;
        if (answers_parse("x", bytes, sizeof text - 1 - rng_below(&rng, 40), &a, &err) < 0)
            continue;
        taken++;
        for (size_t k = 0; k < a.n; k++) {
            const struct answer *w = &a.list[k];
            assert_true(w->latency_ms >= 0 && w->latency_ms <= 240000 && w->confidence_percent <= 100);
            assert_true(w->class == ADVISOR_OK ? w->target_replicas >= 1 && w->target_replicas <= 10000
                                               : w->class < ADVISOR_CANCELLED);
            assert_true(k == 0 || w->time_us > a.list[k - 1].time_us);
        }
        answers_done(&a);
    }
    assert_true(taken > 100);
}

/* ---- the replay ---- */

static struct core_plan plan_at(int64_t time_us, int32_t need, int32_t current)
{
    return (struct core_plan){.time_us = time_us, .situation = {.need = need, .current = current, .max = 20}};
}

static void test_replay(void **unused)
{
    (void)unused;
    static const char text[] = ADVISE("00:00") /* before the start */
        "{" TIME("01:02") ",\"latencySeconds\":20,\"decision\":" UP(6) "}\n" FAIL("02:00") ADVISE("03:00")
            ADVISE("04:01") ADVISE("04:14") ADVISE("05:00");
    struct answers a;
    struct error err = ERROR_INIT;
    assert_int_equal(answers_parse("x", text, strlen(text), &a, &err), 0);
    int64_t start = START + 60 * S;
    struct answers_replay r = answers_replay(&a, start);
    assert_int_equal(r.skipped, 1);

    /* Asked at the first sync after its time, of what is there then; given when it was there. */
    struct core_plan plan = plan_at(start, 4, 4);
    assert_false(answers_replay_ask(&r, &plan));
    assert_null(answers_replay_take(&r, start + 15 * S));
    plan = plan_at(start + 15 * S, 5, 4);
    assert_true(answers_replay_ask(&r, &plan));
    assert_false(answers_replay_ask(&r, &plan));
    assert_null(answers_replay_take(&r, start + 30 * S));
    const struct advice *given = answers_replay_take(&r, start + 45 * S);
    assert_non_null(given);
    assert_int_equal(given->sampled_us, start + 15 * S);
    assert_int_equal(given->need, 5);
    assert_int_equal(given->current, 4);
    assert_int_equal(given->target_replicas, 6);
    assert_null(answers_replay_take(&r, start + 60 * S)); /* once */

    /* A failure gives nothing. */
    plan = plan_at(start + 60 * S, 5, 4);
    assert_true(answers_replay_ask(&r, &plan));
    assert_null(answers_replay_take(&r, start + 75 * S));
    assert_int_equal(r.failures, 1);

    /* To "scale up" to what runs already is no answer. */
    plan = plan_at(start + 120 * S, 5, 6);
    assert_true(answers_replay_ask(&r, &plan));
    assert_null(answers_replay_take(&r, start + 135 * S));
    assert_int_equal(r.contradictions, 1);

    /* Of two between syncs the later one counts; without metrics nobody asks. */
    plan = plan_at(start + 195 * S, 4, 4);
    assert_true(answers_replay_ask(&r, &plan));
    assert_non_null(answers_replay_take(&r, start + 210 * S));
    assert_int_equal(r.skipped, 2);
    plan = plan_at(start + 240 * S, -1, 4);
    assert_false(answers_replay_ask(&r, &plan));
    assert_int_equal(r.skipped, 3);
    assert_int_equal(r.asked, 4);
    assert_int_equal(r.next, a.n);
    answers_done(&a);
}

/* ---- in a simulation ---- */

#define HOURS       6
#define MOVING_DAYS 8

static struct trace flat(void)
{
    double values[HOURS * 12];
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        values[i] = 5.6; /* four pods at 70 % of 2 */
    struct trace t;
    trace_make(&t, values, ARRAY_SIZE(values), 300, START);
    return t;
}

static struct core_spec spec_of(void)
{
    struct core_spec spec = core_spec_default();
    spec.metrics[0].target_percent = 70;
    spec.metrics[0].forecast = false;
    spec.min_replicas = 2;
    spec.max_replicas = 50;
    spec.advice = (struct advice_config){.mode = ADVICE_BOUNDED, .max_replica_delta = 3, .min_interval_s = 30};
    return spec;
}

static void simulate_with(const struct core_spec *spec, const struct trace *t, const char *text, struct simulation *ret)
{
    struct answers a = {.n = 0};
    struct error err = ERROR_INIT;
    if (text)
        assert_int_equal(answers_parse("x", text, strlen(text), &a, &err), 0);
    struct simulation_options o = {
        .advisor = text ? SIMULATION_RECORDED : SIMULATION_NO_ADVISOR, .answers = &a, .spec = spec};
    o.world = (struct world_options){
        .trace = t, .pod_capacity = 2, .startup_min_s = 60, .startup_max_s = 60, .warmup_ticks = 0, .seed = 1};
    simulate(&o, ret);
    answers_done(&a);
}

/* One answer, however much it asks for, costs the delta for its 300 s and the scale-down window, no more; one that
 * fails, contradicts or agrees costs nothing, and everything is as without an advisor. */
static void test_what_an_answer_costs(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        bool costs;
        uint64_t failures, contradictions;
    } cases[] = {
        {"{\"time\":\"2024-05-01T01:00:00Z\",\"decision\":" UP(10000) "}", true, 0, 0},
        {"{\"time\":\"2024-05-01T01:00:00Z\",\"latencySeconds\":240,\"decision\":" UP(10000) "}", true, 0, 0},
        {"{\"time\":\"2024-05-01T01:00:00Z\",\"failure\":\"InvalidAnswer\"}", false, 1, 0},
        {"{\"time\":\"2024-05-01T01:00:00Z\",\"decision\":" UP(3) "}", false, 0, 1},
        {"{\"time\":\"2024-05-01T01:00:00Z\",\"decision\":{\"action\":\"maintain\",\"target_replicas\":4,"
         "\"confidence\":1," WORDS "}}",
         false, 0, 0},
        {"{\"time\":\"2024-05-01T01:00:00Z\",\"decision\":{\"action\":\"scale_down\",\"target_replicas\":1,"
         "\"confidence\":1," WORDS "}}",
         false, 0, 0},
        {"{\"time\":\"2024-05-01T01:00:00Z\",\"decision\":{\"action\":\"scale_up\",\"target_replicas\":9,"
         "\"confidence\":0.49," WORDS "}}",
         false, 0, 0},
    };
    struct trace t = flat();
    struct core_spec spec = spec_of();
    struct simulation none, s;
    simulate_with(&spec, &t, NULL, &none);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        print_message("%s\n", cases[i].text);
        simulate_with(&spec, &t, cases[i].text, &s);
        assert_int_equal(s.own.questions, 1);
        assert_int_equal(s.own.failures, cases[i].failures);
        assert_int_equal(s.own.contradictions, cases[i].contradictions);
        assert_int_equal(s.own.skipped, 0);
        double more = s.own.score.pod_hours - none.own.score.pod_hours;
        assert_true(cases[i].costs ? more > 0 && more <= 3 * (300 + 300) / 3600.0 : fabs(more) < 1e-9);
        assert_true((s.own.advised_syncs > 0) == cases[i].costs);
        assert_int_equal(s.own.score.actions, none.own.score.actions + (cases[i].costs ? 2 : 0));
    }
    /* An answer that took longer has less of its 300 s left. */
    struct simulation fast, slow;
    simulate_with(&spec, &t, cases[0].text, &fast);
    simulate_with(&spec, &t, cases[1].text, &slow);
    assert_true(slow.own.advised_syncs < fast.own.advised_syncs);
    trace_done(&t);
}

/* Days with their ups and downs, and noise from one sample to the next, so that a forecast is trusted and holds what
 * comes back soon: no answer costs more on them either, nor a minute. What it costs is what it adds to the run without
 * it; pods start as fast in both, or the dice of the starts would be all that is compared. */
static void test_what_it_costs_on_moving_demand(void **unused)
{
    (void)unused;
    static double values[MOVING_DAYS * 288];
    struct rng rng;
    rng_seed(&rng, 7);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        values[i] = (40 + 25 * sin((double)i * 2 * 3.14159265358979 / 288)) * (0.92 + 0.16 * rng_unit(&rng));
    struct trace t;
    trace_make(&t, values, ARRAY_SIZE(values), 300, START);
    struct core_spec spec = spec_of();
    spec.metrics[0].forecast = true;
    struct simulation none, s;
    simulate_with(&spec, &t, NULL, &none);
    assert_true(none.own.trusted > 0.3);
    double most = 0;
    for (unsigned hour = 0; hour < 24; hour += 3) {
        char text[320];
        (void)snprintf(text, sizeof text, "{\"time\":\"2024-05-%02uT%02u:%02u:00Z\",\"decision\":" UP(10000) "}",
                       MOVING_DAYS - hour % 2, hour, hour * 7 % 60);
        simulate_with(&spec, &t, text, &s);
        double more = s.own.score.pod_hours - none.own.score.pod_hours;
        print_message("hour %u: %.3f pod-hours, %llu syncs\n", hour, more, (unsigned long long)s.own.advised_syncs);
        assert_true(more >= 0 && more <= 3 * (300 + 300) / 3600.0);
        assert_true(s.own.score.under_provisioned_min <= none.own.score.under_provisioned_min);
        most = MAX(most, more);
    }
    assert_true(most > 0.3);
    trace_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_what_an_answer_costs),
        cmocka_unit_test(test_what_it_costs_on_moving_demand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
