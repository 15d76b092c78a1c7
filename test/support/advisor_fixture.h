/* An advisor with three scripted providers: for the tests of what stands in front of them. Time is scripted, sockets
 * are real. Each test ends with a look for the providers' key where it must not be. */
#ifndef TEST_ADVISOR_FIXTURE_H
#define TEST_ADVISOR_FIXTURE_H

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

static inline int set_up(void **state)
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

static inline void start(struct fixture *f, uint32_t n_providers)
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

static inline int tear_down(void **state)
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

static inline void on_reserve(void *data, int64_t id)
{
    struct asked *q = data;
    assert_int_equal(id, q->id);
    q->reserved++;
    if (!q->wait)
        advisor_go(q->f->advisor, id, !q->refuse);
}

static inline void on_done(void *data, const struct advisor_answer *answer)
{
    struct asked *q = data;
    q->done++;
    q->answer = *answer;
}

static inline void put(struct fixture *f, struct asked *q, const struct advice_situation *s)
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
static inline void wait_for(struct fixture *f, struct asked *q)
{
    for (int i = 0; i < 20000 && !q->done; i++)
        if (!loop_turn(f->loop, 2000) && http_active(f->http) == 0)
            (void)loop_jump(f->loop, &f->clock, f->clock.boot_us + 300 * S);
    assert_int_equal(q->done, 1);
}

/* Some turns without moving the clock. */
static inline void turn(struct fixture *f)
{
    for (int i = 0; i < 30; i++)
        (void)loop_turn(f->loop, 2000);
}

static inline void pass(struct fixture *f, int64_t us)
{
    clock_fake_advance(&f->clock, us);
    turn(f);
}

static inline struct asked ask(struct fixture *f)
{
    struct asked q = {.f = f};
    put(f, &q, &situation);
    wait_for(f, &q);
    return q;
}

static inline void check_key(struct fixture *f, int i, const char *header, const char *value)
{
    struct server_request *r = server_take(f->servers[i], 1000);
    assert_non_null(r);
    assert_string_equal(server_request_header(r, header), value);
    assert_null(strstr(r->body, "s3cret"));
    assert_null(strstr(r->path, "s3cret"));
    server_request_free(r);
}

static inline struct script *json(int status, const char *body)
{
    return script_answer(status, "application/json", body);
}

#endif
