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
    static const char *const reasons[] = {"called with " KEY, "called with sk-s3cret-key-012", "sk-s3cret, they say"};
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

#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_an_answer),      T(test_cascade_in_order),         T(test_all_fail),
        T(test_deadline),       T(test_bad_answers_are_not_used), T(test_too_large),
        T(test_without_schema), T(test_mends_what_it_can),        T(test_retry_after),
        T(test_breaker),        T(test_a_key_told_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
