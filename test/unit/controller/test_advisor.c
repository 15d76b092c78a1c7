/* What stands in front of the providers: the cache, one call for equal questions, who pays for it, limits. */
#include "test/support/advisor_fixture.h"

static void test_cache(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct asked q = ask(f);
    int64_t asked_us = q.answer.asked_us;
    pass(f, 299 * S);
    q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_FROM_CACHE);
    assert_int_equal(q.reserved, 0);
    assert_int_equal(q.answer.asked_us, asked_us);
    assert_int_equal(q.answer.outcome.decision.target_replicas, 6);
    assert_string_equal(q.answer.provider_is, "local");

    struct advice_situation other = situation;
    other.side = ADVICE_BELOW_TARGET;
    struct asked q2 = {.f = f};
    put(f, &q2, &other);
    wait_for(f, &q2);
    assert_int_equal(q2.answer.kind, ADVISOR_ANSWERED);

    pass(f, 2 * S);
    q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
    assert_int_equal(server_seen(f->servers[0]), 3);
}

/* What stands on objects fills the cache of a new leader; of models that are not asked any more it does not. */
static void test_restored_cache(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct asked q = ask(f);
    f->advisor = advisor_free(f->advisor);
    start(f, 1);
    advisor_restore(f->advisor, &situation, &q.answer.outcome.decision, 12345, q.answer.asked_us);
    struct asked miss = ask(f);
    assert_int_equal(miss.answer.kind, ADVISOR_ANSWERED);
    f->advisor = advisor_free(f->advisor);
    start(f, 1);
    advisor_restore(f->advisor, &situation, &q.answer.outcome.decision, q.answer.provider, q.answer.asked_us);
    struct asked hit = ask(f);
    assert_int_equal(hit.answer.kind, ADVISOR_FROM_CACHE);
    assert_int_equal(server_seen(f->servers[0]), 2);
}

/* 1,000 autoscalers in 10 situations: 10 calls. */
static void test_single_flight(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    f->config.advisor.max_concurrent_calls = 16;
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct asked *q = xcalloc(1000, sizeof *q);
    for (int i = 0; i < 1000; i++) {
        struct advice_situation s = situation;
        s.usage_percent = 100 + 5 * (i % 10);
        put(f, &q[i], &s);
    }
    int reserved = 0, answered = 0;
    for (int i = 0; i < 1000; i++) {
        for (int k = 0; k < 20000 && !q[i].done; k++)
            (void)loop_turn(f->loop, 2000);
        assert_int_equal(q[i].done, 1);
        assert_int_equal(q[i].answer.outcome.class, ADVISOR_OK);
        reserved += q[i].reserved;
        answered += q[i].answer.kind == ADVISOR_ANSWERED;
    }
    assert_int_equal(server_seen(f->servers[0]), 10);
    assert_int_equal(reserved, 10);
    assert_int_equal(answered, 10);
    free(q);
}

/* When the first one may not pay, the next one is asked; when it goes away too. */
static void test_who_pays(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    struct asked poor = {.refuse = true}, gone = {.wait = true}, rich = {.refuse = false};
    put(f, &poor, &situation);
    put(f, &gone, &situation);
    put(f, &rich, &situation);
    turn(f);
    assert_int_equal(poor.reserved, 1);
    assert_int_equal(gone.reserved, 1);
    assert_int_equal(rich.reserved, 0);
    advisor_cancel(f->advisor, gone.id);
    wait_for(f, &rich);
    assert_int_equal(rich.answer.kind, ADVISOR_ANSWERED);
    assert_int_equal(poor.done + gone.done, 0);
    assert_int_equal(server_seen(f->servers[0]), 1);
}

static void test_cancel_aborts(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    struct script *s = script_new();
    script_hold(s);
    server_default(f->servers[0], "POST", CHAT, s);
    struct asked a = {.f = f}, b = {.f = f};
    put(f, &a, &situation);
    put(f, &b, &situation);
    turn(f);
    assert_true(server_wait_seen(f->servers[0], 1, 2000));
    advisor_cancel(f->advisor, a.id);
    turn(f);
    assert_int_equal(http_active(f->http), 1); /* the other still waits */
    advisor_cancel(f->advisor, b.id);
    assert_int_equal(http_active(f->http), 0);
    pass(f, 300 * S);
    assert_int_equal(a.done + b.done, 0);
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    f->config.advisor.calls_per_minute = 2;
    start(f, 1);
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    enum advisor_answer_kind want[] = {ADVISOR_ANSWERED, ADVISOR_ANSWERED, ADVISOR_LIMITED};
    for (int i = 0; i < 3; i++) {
        struct advice_situation s = situation;
        s.usage_percent = 200 + 5 * i;
        struct asked q = {.f = f};
        put(f, &q, &s);
        for (int k = 0; k < 5000 && !q.done; k++)
            (void)loop_turn(f->loop, 2000);
        assert_int_equal(q.answer.kind, want[i]);
    }
    pass(f, 31 * S); /* one more token */
    struct asked q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
}

/* Questions that nobody pays for take nothing of what may be sent in a minute. */
static void test_limits_are_of_calls(void **state)
{
    struct fixture *f = *state;
    f->config.advisor.calls_per_minute = 2;
    start(f, 1);
    server_default(f->servers[0], "POST", CHAT, json(200, GOOD));
    for (int i = 0; i < 5; i++) {
        struct advice_situation s = situation;
        s.usage_percent = 200 + 5 * i;
        struct asked q = {.refuse = true};
        put(f, &q, &s);
        turn(f);
        assert_int_equal(q.reserved, 1);
    }
    struct asked q = ask(f);
    assert_int_equal(q.answer.kind, ADVISOR_ANSWERED);
}

/* The one who paid went away: its answer is somebody else's call to the rest. */
static void test_payer_leaves(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    struct script *held = script_new();
    script_hold(held);
    server_on(f->servers[0], "POST", CHAT, held);
    struct asked payer = {.f = f}, other = {.f = f};
    put(f, &payer, &situation);
    put(f, &other, &situation);
    turn(f);
    assert_true(server_wait_seen(f->servers[0], 1, 2000));
    advisor_cancel(f->advisor, payer.id);
    struct server_request *r = server_take(f->servers[0], 1000);
    assert_non_null(r);
    server_append(f->servers[0], r->id, json(200, GOOD));
    server_request_free(r);
    wait_for(f, &other);
    assert_int_equal(payer.done + other.reserved, 0);
    assert_int_equal(other.answer.kind, ADVISOR_FROM_CACHE);
    assert_int_equal(other.answer.outcome.attempts, 0);
}

/* Where clouds keep credentials no request goes, however the address is written; and what only begins like this machine
 * is another one. */
static void test_places(void **state)
{
    struct fixture *f = *state;
    enum { REFUSED, LOCAL, REMOTE };
    static const struct {
        const char *url;
        int what;
    } cases[] = {{"http://169.254.169.254/v1", REFUSED},
                 {"http://2852039166/v1", REFUSED},
                 {"http://0xA9FEA9FE/v1", REFUSED},
                 {"http://0251.0376.169.254/v1", REFUSED},
                 {"http://[::ffff:169.254.169.254]/v1", REFUSED},
                 {"http://[FE80::1]:80/v1", REFUSED},
                 {"http://[fd00:ec2::254]/v1", REFUSED},
                 {"HTTP://Metadata.Google.Internal./v1", REFUSED},
                 {"http://127.0.0.1:11434/v1", LOCAL},
                 {"http://[::1]:11434/v1", LOCAL},
                 {"http://LocalHost:11434/v1", LOCAL},
                 {"http://127.0.0.1.example.com/v1", REMOTE},
                 {"http://localhost.example.com/v1", REMOTE},
                 {"http://10.0.0.1/v1", REMOTE}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = ERROR_INIT;
        struct advisor_provider_config *c = &f->config.advisor.providers[0];
        (void)str_copy(c->url, sizeof c->url, cases[i].url);
        struct provider *p = provider_new(c, &f->clock.clock, &err);
        int what = !p ? REFUSED : provider_is_local(p) ? LOCAL : REMOTE;
        if (what != cases[i].what)
            fail_msg("%s: %d", cases[i].url, what);
        assert_int_equal(err.kind, p ? ERROR_NONE : ERROR_CONFIG);
        provider_free(p);
    }
}

static void test_describe(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_INIT;
    struct provider *p = provider_new(&f->config.advisor.providers[0], &f->clock.clock, &err);
    assert_non_null(p);
    assert_int_equal(provider_set_key(p, KEY, &err), 0);
    struct buf out = BUF_INIT(65536);
    provider_describe(p, &situation, &out);
    assert_int_equal(strncmp(out.data, "POST http://127.0.0.1:", 22), 0);
    assert_non_null(strstr(out.data, "/v1/chat/completions\n"));
    assert_non_null(strstr(out.data, "\\\"needReplicas\\\":4"));
    assert_null(strstr(out.data, "s3cret"));
    buf_done(&out);
    provider_free(p);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_cache),        T(test_restored_cache), T(test_single_flight),
        T(test_who_pays),     T(test_cancel_aborts),  T(test_limits),
        T(test_describe),     T(test_places),         T(test_limits_are_of_calls),
        T(test_payer_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
