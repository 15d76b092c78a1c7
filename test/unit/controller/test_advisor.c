/* The advisor against scripted providers: the cascade, deadlines, retries, breakers, cache, single flight, limits; and
 * that a key is nowhere but in its header. Time is scripted, sockets are real. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "advisor/advisor.h"
#include "base/alloc.h"
#include "base/str.h"
#include "test/server/server.h"

#define KEY  "sk-s3cret-key-0123456789"
#define S    USEC_PER_SEC
#define CHAT "/v1/chat/completions"
#define TEXT                                                                                                           \
    "\"confidence\":0.9,\"reasoning\":\"steep\",\"risk_assessment\":\"low\",\"cost_impact\":\"low\","                  \
    "\"recommended_timing\":\"immediate\"}"
#define ESCAPED                                                                                                        \
    "\\\"confidence\\\":0.9,\\\"reasoning\\\":\\\"steep\\\",\\\"risk_assessment\\\":\\\"low\\\","                      \
    "\\\"cost_impact\\\":\\\"low\\\",\\\"recommended_timing\\\":\\\"immediate\\\"}"
#define CONTENT "{\\\"action\\\":\\\"scale_up\\\",\\\"target_replicas\\\":6," ESCAPED
#define GOOD                                                                                                           \
    "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"" CONTENT                                        \
    "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":300,\"completion_tokens\":60}}"

struct fixture {
    struct clock_fake clock;
    struct loop *loop;
    struct http *http;
    struct server *servers[3];
    struct operator_config config;
    struct metrics *metrics;
    struct rng rng;
    struct log *log;
    int log_fd;
    struct advisor *advisor;
};

static const struct advice_situation situation = {.current = 4,
                                                  .min = 2,
                                                  .max = 20,
                                                  .need = 4,
                                                  .reactive = 4,
                                                  .predicted = -1,
                                                  .usage_percent = 110,
                                                  .peak_percent = 150,
                                                  .error_percent = 10,
                                                  .trusted = true,
                                                  .side = ADVICE_ABOVE_TARGET,
                                                  .lead_s = 150,
                                                  .trigger = ADVICE_TRIGGER_CHANGED};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err = ERROR_INIT;
    clock_fake_init(&f->clock, INT64_C(1790000000) * S);
    f->loop = loop_new(&f->clock.clock, &err);
    f->http = http_new(f->loop, &(struct http_config){.user_agent = "test/1"}, &err);
    f->metrics = metrics_new();
    rng_seed(&f->rng, 1);
    f->log_fd = memfd_create("log", MFD_CLOEXEC);
    f->log = log_new(
        &(struct log_config){.fd = f->log_fd, .format = LOG_JSON, .level = LOG_TRACE, .clock = &f->clock.clock});
    assert_int_equal(operator_config_load(NULL, &f->config, &err), 0);
    static const char *const names[] = {"local", "groq", "claude"};
    for (int i = 0; i < 3; i++) {
        f->servers[i] = server_new(&(struct server_options){.plain = true});
        struct advisor_provider_config *p = &f->config.advisor.providers[i];
        *p = (struct advisor_provider_config){.flavor = (enum advisor_flavor)i, .timeout_s = 60, .max_tokens = 600};
        (void)str_copy(p->name, sizeof p->name, names[i]);
        (void)snprintf(p->url, sizeof p->url, "%s/v1", server_url(f->servers[i]));
        (void)str_copy(p->model, sizeof p->model, "model-1");
        (void)str_copy(p->max_tokens_parameter, sizeof p->max_tokens_parameter, "max_tokens");
    }
    f->config.advisor.n_providers = 1;
    *state = f;
    return 0;
}

static void start(struct fixture *f, uint32_t n_providers)
{
    struct error err = ERROR_INIT;
    f->config.advisor.n_providers = n_providers;
    f->advisor = advisor_new(&(struct advisor_deps){.loop = f->loop,
                                                    .http = f->http,
                                                    .rng = &f->rng,
                                                    .log = f->log,
                                                    .metrics = f->metrics,
                                                    .config = &f->config},
                             &err);
    if (!f->advisor)
        fail_msg("%s", error_text(&err));
    for (uint32_t i = 0; i < n_providers; i++)
        assert_int_equal(advisor_set_key(f->advisor, f->config.advisor.providers[i].name, KEY, &err), 0);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    advisor_free(f->advisor);
    off_t len = lseek(f->log_fd, 0, SEEK_END);
    char *text = xcalloc(1, (size_t)len + 1);
    assert_int_equal(pread(f->log_fd, text, (size_t)len, 0), len);
    assert_null(strstr(text, "s3cret"));
    free(text);
    struct buf exposition = BUF_INIT(1 << 20);
    metrics_write(f->metrics, &exposition, false);
    assert_true(exposition.len == 0 || !memmem(exposition.data, exposition.len, "s3cret", 6));
    buf_done(&exposition);
    http_free(f->http);
    for (int i = 0; i < 3; i++)
        server_free(f->servers[i]);
    metrics_free(f->metrics);
    log_free(f->log);
    close(f->log_fd);
    loop_free(f->loop);
    free(f);
    return 0;
}

/* ---- a question and what came of it ---- */

struct asked {
    struct fixture *f;
    int64_t id;
    bool refuse; /* what its ledger says */
    bool wait;   /* its ledger does not answer by itself */
    int reserved, done;
    struct advisor_answer answer;
};

static void on_reserve(void *data, int64_t id)
{
    struct asked *q = data;
    assert_int_equal(id, q->id);
    q->reserved++;
    if (!q->wait)
        advisor_go(q->f->advisor, id, !q->refuse);
}

static void on_done(void *data, const struct advisor_answer *answer)
{
    struct asked *q = data;
    q->done++;
    q->answer = *answer;
}

static void put(struct fixture *f, struct asked *q, const struct advice_situation *s)
{
    q->f = f;
    const struct advisor_question question = {
        .situation = s, .timeout_s = 240, .cache_ttl_s = 300, .reserve = on_reserve, .done = on_done, .data = q};
    q->id = advisor_ask(f->advisor, &question);
    assert_true(q->id > 0);
    assert_int_equal(q->done + q->reserved, 0); /* never from inside */
}

/* Turns the loop in real time while an exchange is under way, and moves the clock to the next timer when none is:
 * back-off is all that can be waited for then. */
static void wait_for(struct fixture *f, struct asked *q)
{
    for (int i = 0; i < 20000 && !q->done; i++)
        if (!loop_turn(f->loop, 2000) && http_active(f->http) == 0)
            (void)loop_jump(f->loop, &f->clock, f->clock.boot_us + 300 * S);
    assert_int_equal(q->done, 1);
}

/* Some turns without moving the clock. */
static void turn(struct fixture *f)
{
    for (int i = 0; i < 30; i++)
        (void)loop_turn(f->loop, 2000);
}

static void pass(struct fixture *f, int64_t us)
{
    clock_fake_advance(&f->clock, us);
    turn(f);
}

static struct asked ask(struct fixture *f)
{
    struct asked q = {.f = f};
    put(f, &q, &situation);
    wait_for(f, &q);
    return q;
}

static void check_key(struct fixture *f, int i, const char *header, const char *value)
{
    struct server_request *r = server_take(f->servers[i], 1000);
    assert_non_null(r);
    assert_string_equal(server_request_header(r, header), value);
    assert_null(strstr(r->body, "s3cret"));
    assert_null(strstr(r->path, "s3cret"));
    server_request_free(r);
}

static struct script *json(int status, const char *body)
{
    return script_answer(status, "application/json", body);
}

/* ---- tests ---- */

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
    for (int i = 0; i < 239; i++)
        pass(f, S);
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

static void test_describe(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    struct buf out = BUF_INIT(65536);
    assert_int_equal(advisor_describe(f->advisor, &situation, &out, NULL), 0);
    assert_int_equal(strncmp(out.data, "POST http://127.0.0.1:", 22), 0);
    assert_non_null(strstr(out.data, "/v1/chat/completions\n"));
    assert_non_null(strstr(out.data, "\\\"needReplicas\\\":4"));
    assert_null(strstr(out.data, "s3cret"));
    buf_done(&out);
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
        T(test_cache),
        T(test_restored_cache),
        T(test_single_flight),
        T(test_who_pays),
        T(test_cancel_aborts),
        T(test_limits),
        T(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
