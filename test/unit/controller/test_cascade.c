/* Providers asked one after the other: order, retries, deadlines, breakers, what of an answer is used; and that a key
 * is nowhere but in its header. */
#include "test/support/advisor_fixture.h"

static void test_an_answer(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_on(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct asked q = ask(f);
    assert_int_equal(q.reserved, 1);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
    assert_int_equal(q.answer.outcome.class, ADVISOR_OK);
    assert_int_equal(q.answer.outcome.decision.target_replicas, 6);
    assert_string_equal(q.answer.provider_is, "local");
    check_key(f, 0, "Authorization", "Bearer " KEY);
}

static void test_cascade_in_order(void **state)
{
    struct fixture *f = *state;
    start(f, 3);
    server_default(f->servers[0], "POST", CHAT, json(503, "busy"));
    server_default(f->servers[1], "POST", CHAT, json(429, "{\"error\":{\"code\":\"insufficient_quota\"}}"));
    server_on(f->servers[2], "POST", "/v1/messages",
              json(200, "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"" CONTENT
                        "\"}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":9,\"output_tokens\":9}}"));
    struct asked q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
    assert_string_equal(q.answer.provider_is, "claude");
    assert_int_equal(server_seen(f->servers[0]), 3); /* three attempts, then the next */
    assert_int_equal(server_seen(f->servers[1]), 1); /* quota: never tried again */
    assert_int_equal(q.answer.outcome.attempts, 5);
    check_key(f, 2, "x-api-key", KEY);

    struct advisor_health h[3];
    assert_int_equal(advisor_health(f->advisor, h, 3), 3);
    assert_int_equal(h[0].class, ADVISOR_TRANSIENT);
    assert_int_equal(h[0].failures, 3);
    assert_int_equal(h[1].class, ADVISOR_QUOTA);
    assert_int_equal(h[2].class, ADVISOR_OK);
}

static void test_all_fail(void **state)
{
    struct fixture *f = *state;
    start(f, 2);
    server_default(f->servers[0], "POST", CHAT, json(401, "{\"error\":{\"message\":\"key " KEY " is wrong\"}}"));
    server_default(f->servers[1], "POST", CHAT, json(200, "<html>not JSON</html>"));
    struct asked q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_FAILED);
    assert_int_equal(q.answer.outcome.class, ADVISOR_INVALID_ANSWER);
    assert_int_equal(server_seen(f->servers[1]), 2); /* once more, then no */

    /* A wrong key is not tried until there is another one. */
    (void)ask(f);
    assert_int_equal(server_seen(f->servers[0]), 1);
    assert_int_equal(advisor_set_key(f->advisor, "local", KEY "-2", NULL), 0);
    server_on(f->servers[0], "POST", CHAT, json(200, GOOD));
    q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
}

/* The deadline covers all attempts of all providers, aborts the transfer, and nothing comes after it: the first
 * provider falls silent three times in 60 s each, the second one is cut short in its fourth minute. */
static void test_deadline(void **state)
{
    struct fixture *f = *state;
    start(f, 2);
    for (int i = 0; i < 2; i++) {
        struct script *slow = script_new();
        script_head(slow, 200, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
        script_chunk(slow, " ");
        script_stall(slow);
        server_default(f->servers[i], "POST", CHAT, slow);
    }
    struct asked q = {.f = f};
    put(f, &q, &situation);
    turn(f);
    assert_true(server_wait_seen(f->servers[0], 1, 2000));
    for (int i = 0; i < 47; i++)
        pass(f, 5 * S);
    pass(f, 4 * S);
    assert_int_equal(q.done, 0);
    assert_int_equal(server_seen(f->servers[0]), 3);
    assert_int_equal(server_seen(f->servers[1]), 1);
    pass(f, 2 * S);
    assert_int_equal(q.done, 1);
    assert_int_equal(q.answer.kind, ADVISOR_FAILED);
    assert_int_equal(q.answer.outcome.class, ADVISOR_TRANSIENT);
    assert_int_equal(http_active(f->http), 0);
    pass(f, 300 * S);
    assert_int_equal(q.done, 1);
}

static void test_bad_answers_are_not_used(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body;
        enum advisor_class class;
    } answers[] = {
        {"{\"choices\":[]}", ADVISOR_INVALID_ANSWER},
        {"{}", ADVISOR_INVALID_ANSWER},
        {"", ADVISOR_INVALID_ANSWER},
        {"{\"choices\":[{\"message\":{\"content\":null},\"finish_reason\":\"stop\"}]}", ADVISOR_INVALID_ANSWER},
        {"{\"choices\":[{\"message\":{\"content\":\"Scale to 9!\"},\"finish_reason\":\"stop\"}]}",
         ADVISOR_INVALID_ANSWER},
        {"{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"no\"},\"finish_reason\":\"stop\"}]}",
         ADVISOR_REFUSED},
        {"{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"content_filter\"}]}", ADVISOR_REFUSED},
        {"{\"choices\":[{\"message\":{\"content\":\"{\"},\"finish_reason\":\"length\"}]}", ADVISOR_INVALID_ANSWER},
        {"{\"choices\":[{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"delete\",\"arguments\":\"" CONTENT
         "\"}}]},\"finish_reason\":\"tool_calls\"}]}",
         ADVISOR_INVALID_ANSWER},
        {"{\"error\":{\"type\":\"server_error\",\"message\":\"inside of a 200\"}}", ADVISOR_TRANSIENT},
        {"{\"choices\":[],\"choices\":[]}", ADVISOR_INVALID_ANSWER},
        {"\xff\xfe", ADVISOR_INVALID_ANSWER},
    };
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        start(f, 1);
        server_default(f->servers[0], "POST", CHAT, json(200, answers[i].body));
        struct asked q = ask(f);
        assert_int_equal(q.answer.kind, ADVISOR_FAILED);
        if (q.answer.outcome.class != answers[i].class)
            fail_msg("%s: %s", answers[i].body, advisor_class_name(q.answer.outcome.class));
        f->advisor = advisor_free(f->advisor);
    }
}

/* Its reasoning is for everybody who reads the object: one that repeats the key, or its beginning, is not shown. */
static void test_a_key_told_back(void **state)
{
    struct fixture *f = *state;
    static const char *const reasons[] = {("called with " KEY), "called with sk-s3cret-key-012", "sk-s3cret, they say"};
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        start(f, 1);
        _cleanup_(freep) char *body =
            xasprintf("{\"choices\":[{\"message\":{\"content\":\"{\\\"action\\\":\\\"scale_up\\\","
                      "\\\"target_replicas\\\":6,\\\"confidence\\\":0.9,\\\"reasoning\\\":\\\"%s\\\","
                      "\\\"risk_assessment\\\":\\\"low\\\",\\\"cost_impact\\\":\\\"low\\\","
                      "\\\"recommended_timing\\\":\\\"immediate\\\"}\"},\"finish_reason\":\"stop\"}]}",
                      reasons[i]);
        server_default(f->servers[0], "POST", CHAT, json(200, body));
        struct asked q = ask(f);
        assert_int_equal(q.answer.kind, i < 2 ? ADVISOR_FAILED : ADVISOR_ANSWERED);
        assert_int_equal(q.answer.outcome.class, i < 2 ? ADVISOR_INVALID_ANSWER : ADVISOR_OK);
        f->advisor = advisor_free(f->advisor);
    }
}

static void test_too_large(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    struct script *s = script_new();
    script_head(s, 200, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
    char *chunk = xcalloc(1, 65537);
    memset(chunk, ' ', 65536);
    for (int i = 0; i < 160; i++) /* 10 MiB */
        script_chunk(s, chunk);
    script_last_chunk(s);
    free(chunk);
    server_default(f->servers[0], "POST", CHAT, s);
    struct asked q = ask(f);
    assert_int_equal(q.answer.outcome.class, ADVISOR_INVALID_ANSWER);
}

/* Learns once that a model has no structured output, and asks it without from then on. */
static void test_without_schema(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_on(f->servers[0], "POST", CHAT,
              json(400, "{\"error\":{\"message\":\"This model does not support response format `json_schema`\"}}"));
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct asked q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
    const char *want[] = {"json_schema", "json_object"};
    for (int i = 0; i < 2; i++) {
        struct server_request *r = server_take(f->servers[0], 1000);
        assert_non_null(strstr(r->body, want[i]));
        server_request_free(r);
    }
}

/* A cut answer: once more with twice the tokens. A prompt too long: once more, shorter. */
static void test_mends_what_it_can(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_on(f->servers[0], "POST", CHAT,
              json(200, "{\"choices\":[{\"message\":{\"content\":\"{\"},\"finish_reason\":\"length\"}]}"));
    server_on(f->servers[0], "POST", CHAT, json(400, "{\"error\":{\"code\":\"context_length_exceeded\"}}"));
    server_on(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct asked q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
    struct server_request *r[3];
    for (int i = 0; i < 3; i++)
        assert_non_null(r[i] = server_take(f->servers[0], 1000));
    assert_non_null(strstr(r[0]->body, "\"max_tokens\":600"));
    assert_non_null(strstr(r[1]->body, "\"max_tokens\":1200"));
    assert_true(strlen(r[2]->body) < strlen(r[1]->body));
    for (int i = 0; i < 3; i++)
        server_request_free(r[i]);
}

static void test_retry_after(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    struct script *s = script_new();
    script_reply(s, 429, "Retry-After: 20\r\n", "{}");
    server_on(f->servers[0], "POST", CHAT, s);
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct asked q = {.f = f};
    put(f, &q, &situation);
    turn(f);
    assert_true(server_wait_seen(f->servers[0], 1, 2000));
    turn(f);
    pass(f, 19 * S);
    assert_int_equal(server_seen(f->servers[0]), 1);
    pass(f, 2 * S);
    wait_for(f, &q);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
}

/* Hints besides Retry-After: "no" is obeyed, milliseconds are waited for. */
static void test_hints(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    struct script *no = script_new(), *later = script_new();
    script_reply(no, 500, "x-should-retry: false\r\n", "{}");
    server_on(f->servers[0], "POST", CHAT, no);
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct asked q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_FAILED);
    assert_int_equal(server_seen(f->servers[0]), 1);

    script_reply(later, 429, "retry-after-ms: 9500\r\n", "{}");
    server_on(f->servers[0], "POST", CHAT, later);
    q = (struct asked){.f = f};
    put(f, &q, &situation);
    turn(f);
    assert_true(server_wait_seen(f->servers[0], 2, 2000));
    turn(f);
    pass(f, 9 * S);
    assert_int_equal(server_seen(f->servers[0]), 2);
    pass(f, S);
    wait_for(f, &q);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
    assert_int_equal(server_seen(f->servers[0]), 3);
}

static void test_breaker(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    f->config.advisor.calls_per_minute = 1000;
    server_default(f->servers[0], "POST", CHAT, json(500, "{}"));
    struct advice_situation s = situation;
    for (int i = 0; i < 2; i++) {
        struct asked q = {.f = f};
        s.usage_percent += 5;
        put(f, &q, &s);
        wait_for(f, &q);
        assert_int_equal(q.answer.kind, ADVISOR_FAILED);
    }
    size_t seen = server_seen(f->servers[0]);
    assert_int_equal(seen, 5); /* the fifth failure opened it */
    struct asked q = ask(f);
    assert_int_equal(q.reserved, 0); /* nothing is reserved, nothing is sent */
    assert_int_equal(q.answer.outcome.attempts, 0);
    assert_int_equal(q.answer.outcome.class, ADVISOR_TRANSIENT);
    assert_in_range(q.answer.outcome.retry_in_ms, 1, 30000);
    assert_int_equal(server_seen(f->servers[0]), seen);

    /* One probe after 30 s; it fails: a minute. */
    pass(f, 31 * S);
    q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_FAILED);
    assert_int_equal(server_seen(f->servers[0]), seen + 1);
    pass(f, 31 * S);
    q = ask(f);
    assert_int_equal(q.reserved, 0);
    pass(f, 30 * S);
    server_on(f->servers[0], "POST", CHAT, json(200, GOOD));
    q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
}

/* A question whose provider holds its answer back until answer_held(). */
static void put_held(struct fixture *f, struct asked *q, int32_t usage_percent)
{
    struct advice_situation s = situation;
    struct script *held = script_new();
    script_hold(held);
    server_on(f->servers[0], "POST", CHAT, held);
    s.usage_percent = usage_percent;
    size_t seen = server_seen(f->servers[0]);
    put(f, q, &s);
    for (int i = 0; i < 5000 && server_seen(f->servers[0]) == seen; i++)
        (void)loop_turn(f->loop, 2000);
}

static void answer_held(struct fixture *f, int status, const char *body)
{
    struct server_request *r = server_take(f->servers[0], 1000);
    assert_non_null(r);
    struct script *reply = script_new();
    script_reply(reply, status, "Connection: close\r\n", body);
    server_append(f->servers[0], r->id, reply);
    server_request_free(r);
}

/* Two that were under way when the model turned out to have no structured output: both learn, neither condemns it. */
static void test_two_without_schema(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    struct asked a = {.f = f}, b = {.f = f};
    put_held(f, &a, 50);
    put_held(f, &b, 55);
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    for (int i = 0; i < 2; i++)
        answer_held(f, 400, "{\"error\":{\"message\":\"does not support response format `json_schema`\"}}");
    wait_for(f, &a);
    wait_for(f, &b);
    assert_int_equal(a.answer.kind, ADVISOR_ANSWERED);
    assert_int_equal(b.answer.kind, ADVISOR_ANSWERED);
}

/* What an old key is refused for says nothing of the new one, which came meanwhile. */
static void test_key_changes_under_way(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    struct asked q = {.f = f};
    put_held(f, &q, 50);
    assert_int_equal(advisor_set_key(f->advisor, "local", KEY "-2", NULL), 0);
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    answer_held(f, 401, "{}");
    wait_for(f, &q);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
    check_key(f, 0, "Authorization", "Bearer " KEY "-2");
}

/* Not even the short prompt fits: the model is too small for us. No question is at fault, so the next one is asked. */
static void test_context_too_small(void **state)
{
    struct fixture *f = *state;
    start(f, 2);
    server_default(f->servers[0], "POST", CHAT, json(400, "{\"error\":{\"code\":\"context_length_exceeded\"}}"));
    server_default(f->servers[1], "POST", CHAT, json(200, GOOD));
    struct asked q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
    assert_string_equal(q.answer.provider_is, "groq");
    assert_int_equal(server_seen(f->servers[0]), 2);
    struct advisor_health h[2];
    assert_int_equal(advisor_health(f->advisor, h, 2), 2);
    assert_int_equal(h[0].class, ADVISOR_CONFIGURATION);
}

/* What Retry-After says holds for every question; one that comes meanwhile is not sent. */
static void test_retry_after_for_all(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    struct script *s = script_new();
    script_reply(s, 429, "Retry-After: 600\r\n", "{}");
    server_on(f->servers[0], "POST", CHAT, s);
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct asked q = ask(f);
    assert_int_equal(q.answer.outcome.class, ADVISOR_THROTTLED);
    assert_in_range(q.answer.outcome.retry_in_ms, 590000, 600000);
    pass(f, 590 * S);
    q = ask(f);
    assert_int_equal(q.reserved, 0);
    assert_int_equal(q.answer.outcome.class, ADVISOR_THROTTLED);
    assert_int_equal(server_seen(f->servers[0]), 1);
    pass(f, 11 * S);
    q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
}

/* A question that waits for less than the provider may take says nothing of the provider, however often. */
static void test_impatience(void **state)
{
    struct fixture *f = *state;
    f->config.advisor.calls_per_minute = 100;
    start(f, 1);
    for (int i = 0; i < 8; i++) {
        struct script *silent = script_new();
        script_hold(silent);
        server_on(f->servers[0], "POST", CHAT, silent);
        struct advice_situation s = situation;
        s.usage_percent = 5 * i;
        struct asked q = {.f = f};
        q.id = advisor_ask(f->advisor,
                           &(struct advisor_question){
                               .situation = &s, .timeout_s = 5, .reserve = on_reserve, .done = on_done, .data = &q});
        turn(f);
        assert_true(server_wait_seen(f->servers[0], (size_t)i + 1, 2000));
        pass(f, 6 * S);
        assert_int_equal(q.done, 1);
        assert_int_equal(q.answer.outcome.class, ADVISOR_TRANSIENT);
    }
    struct advisor_health h;
    assert_int_equal(advisor_health(f->advisor, &h, 1), 1);
    assert_int_equal(h.class, ADVISOR_OK);
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct asked q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
}

/* All are closed: what is told is who will be asked first, and when. */
static void test_who_is_next(void **state)
{
    struct fixture *f = *state;
    start(f, 2);
    server_default(f->servers[0], "POST", CHAT, json(401, "{}"));
    struct script *s = script_new();
    script_reply(s, 429, "Retry-After: 600\r\n", "{}");
    server_default(f->servers[1], "POST", CHAT, s);
    (void)ask(f);
    struct asked q = ask(f);
    assert_int_equal(q.answer.outcome.attempts, 0);
    assert_int_equal(q.answer.outcome.class, ADVISOR_THROTTLED);
    assert_string_equal(q.answer.provider_is, "groq");
    assert_in_range(q.answer.outcome.retry_in_ms, 590000, 600000);
}

/* Health lasts from the first success on, not from the newest: else an alert would never end while calls go on. */
static void test_health_lasts(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_on(f->servers[0], "POST", CHAT, json(500, "{}"));
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct advice_situation s = situation;
    struct advisor_health h[2];
    for (int i = 0; i < 2; i++) {
        s.usage_percent += 5;
        struct asked q = {.f = f};
        put(f, &q, &s);
        wait_for(f, &q);
        assert_int_equal(advisor_health(f->advisor, &h[i], 1), 1);
        assert_int_equal(h[i].class, ADVISOR_OK);
        pass(f, 60 * S);
    }
    assert_int_equal(h[1].since_us, h[0].since_us);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_an_answer),
        T(test_cascade_in_order),
        T(test_all_fail),
        T(test_deadline),
        T(test_bad_answers_are_not_used),
        T(test_too_large),
        T(test_without_schema),
        T(test_mends_what_it_can),
        T(test_retry_after),
        T(test_breaker),
        T(test_health_lasts),
        T(test_who_is_next),
        T(test_retry_after_for_all),
        T(test_impatience),
        T(test_two_without_schema),
        T(test_key_changes_under_way),
        T(test_context_too_small),
        T(test_a_key_told_back),
        T(test_hints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
