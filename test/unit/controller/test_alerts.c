/* What Alertmanagers are told: when an alert is raised, repeated and resolved, to whom, and how a peer's failure is
 * dealt with. Time is scripted, sockets are real. */
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

#include "advisor/alerts.h"
#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "kube/json.h"
#include "test/server/server.h"

#define S      USEC_PER_SEC
#define MINUTE (60 * S)
#define START  (INT64_C(1790000000) * S)
#define V2     "/api/v2/alerts"

struct fixture {
    struct clock_fake clock;
    struct loop *loop;
    struct http *http;
    struct server *servers[2];
    struct operator_config config;
    struct metrics *metrics;
    struct rng rng;
    struct log *log;
    int log_fd;
    struct alerts *alerts;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err = ERROR_INIT;
    clock_fake_init(&f->clock, START);
    f->loop = loop_new(&f->clock.clock, &err);
    f->http = http_new(f->loop, &(struct http_config){.user_agent = "test/1"}, &err);
    f->metrics = metrics_new();
    rng_seed(&f->rng, 1);
    f->log_fd = memfd_create("log", MFD_CLOEXEC);
    f->log = log_new(
        &(struct log_config){.fd = f->log_fd, .format = LOG_JSON, .level = LOG_TRACE, .clock = &f->clock.clock});
    assert_int_equal(operator_config_load(NULL, &f->config, &err), 0);
    for (int i = 0; i < 2; i++) {
        f->servers[i] = server_new(&(struct server_options){.plain = true});
        (void)str_copy(f->config.alertmanagers[i].url, sizeof f->config.alertmanagers[i].url,
                       server_url(f->servers[i]));
    }
    *state = f;
    return 0;
}

static void start(struct fixture *f, uint32_t n)
{
    struct error err = ERROR_INIT;
    f->config.n_alertmanagers = n;
    f->alerts = alerts_new(&(struct advisor_deps){.loop = f->loop,
                                                  .http = f->http,
                                                  .rng = &f->rng,
                                                  .log = f->log,
                                                  .metrics = f->metrics,
                                                  .config = &f->config},
                           &err);
    if (!f->alerts)
        fail_msg("%s", error_text(&err));
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    alerts_free(f->alerts);
    http_free(f->http);
    for (int i = 0; i < 2; i++)
        server_free(f->servers[i]);
    metrics_free(f->metrics);
    log_free(f->log);
    close(f->log_fd);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void watch(struct fixture *f, enum advisor_class class, uint32_t failures, int64_t since_us)
{
    const struct advisor_health h = {
        .provider = "groq", .class = class, .failures = failures, .since_us = since_us - START + CLOCK_FAKE_BOOT_US};
    alerts_watch(f->alerts, &h, 1);
}

/* Until nothing is on its way any more. */
static void settle(struct fixture *f)
{
    for (int i = 0; i < 5000 && http_active(f->http) > 0; i++)
        (void)loop_turn(f->loop, 2000);
    assert_int_equal(http_active(f->http), 0);
}

static void pass(struct fixture *f, int64_t us)
{
    clock_fake_advance(&f->clock, us);
    (void)loop_turn(f->loop, 0);
    settle(f);
}

/* The alerts of the next request to this server. */
static json_t *told(struct fixture *f, int i)
{
    struct server_request *r = server_take(f->servers[i], 2000);
    assert_non_null(r);
    assert_string_equal(r->path, V2);
    assert_string_equal(server_request_header(r, "Content-Type"), "application/json");
    json_t *alerts = json_parse(r->body, r->body_len, NULL);
    assert_true(json_is_array(alerts));
    server_request_free(r);
    return alerts;
}

static int64_t time_of(const json_t *alert, const char *key)
{
    int64_t us = 0;
    const char *text = json_str(alert, key);
    assert_non_null(text);
    assert_true(rfc3339_parse(text, &us));
    return us;
}

/* Repeated every minute with an end that is always ahead; told as over at once, and for fifteen minutes. */
static void test_life_of_an_alert(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_default(f->servers[0], "POST", V2, script_answer(200, NULL, ""));
    watch(f, ADVISOR_TRANSIENT, 4, START);
    settle(f);
    assert_int_equal(server_seen(f->servers[0]), 0); /* four failures are not five */
    watch(f, ADVISOR_TRANSIENT, 5, START);
    assert_int_equal(alerts_firing(f->alerts), 1);
    settle(f);
    _json_cleanup_ json_t *first = told(f, 0);
    const json_t *alert = json_array_get(first, 0);
    assert_int_equal(json_array_size(first), 1);
    assert_string_equal(json_str(alert, "labels.alertname"), "AI4K8sAdvisorProviderFailing");
    assert_string_equal(json_str(alert, "labels.provider"), "groq");
    assert_string_equal(json_str(alert, "labels.reason"), "Transient");
    assert_int_equal(json_object_size(json_object_get(alert, "labels")), 5);
    assert_int_equal(time_of(alert, "startsAt"), START);
    assert_int_equal(time_of(alert, "endsAt"), START + 4 * MINUTE);

    for (int i = 1; i <= 3; i++) {
        watch(f, ADVISOR_TRANSIENT, 7, START);
        pass(f, MINUTE);
        _json_cleanup_ json_t *again = told(f, 0);
        /* The same labels are the same alert; what changes is in the annotations. */
        assert_true(json_equal(json_object_get(alert, "labels"), json_at(json_array_get(again, 0), "labels")));
        assert_int_equal(time_of(json_array_get(again, 0), "startsAt"), START);
        assert_int_equal(time_of(json_array_get(again, 0), "endsAt"), START + (4 + i) * MINUTE);
    }

    /* Healthy for less than ten minutes: it may come back. */
    int64_t healthy = START + 3 * MINUTE;
    watch(f, ADVISOR_OK, 0, healthy);
    assert_int_equal(alerts_firing(f->alerts), 1);
    for (int i = 0; i < 10; i++)
        pass(f, MINUTE);
    while (server_seen(f->servers[0]) > 0) {
        struct server_request *r = server_take(f->servers[0], 0);
        if (!r)
            break;
        server_request_free(r);
    }
    watch(f, ADVISOR_OK, 0, healthy);
    assert_int_equal(alerts_firing(f->alerts), 0);
    settle(f);
    int64_t over = START + 13 * MINUTE;
    for (int i = 0; i <= 15; i++) {
        _json_cleanup_ json_t *resolved = told(f, 0);
        assert_int_equal(json_array_size(resolved), 1);
        assert_int_equal(time_of(json_array_get(resolved, 0), "endsAt"), over);
        pass(f, MINUTE);
        watch(f, ADVISOR_OK, 0, healthy);
    }
    size_t seen = server_seen(f->servers[0]);
    pass(f, 5 * MINUTE);
    assert_in_range(server_seen(f->servers[0]), seen, seen + 1);
    seen = server_seen(f->servers[0]);
    pass(f, 5 * MINUTE);
    assert_int_equal(server_seen(f->servers[0]), seen); /* and then it is quiet */
}

/* What an administrator has to mend is told after two minutes, whatever the number; another reason is another alert. */
static void test_what_lasts(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_default(f->servers[0], "POST", V2, script_answer(200, NULL, ""));
    watch(f, ADVISOR_AUTHENTICATION, 1, START);
    pass(f, 119 * S);
    watch(f, ADVISOR_AUTHENTICATION, 1, START);
    assert_int_equal(alerts_firing(f->alerts), 0);
    pass(f, S);
    watch(f, ADVISOR_AUTHENTICATION, 1, START);
    assert_int_equal(alerts_firing(f->alerts), 1);
    settle(f);
    _json_cleanup_ json_t *first = told(f, 0);
    assert_string_equal(json_str(json_array_get(first, 0), "labels.reason"), "AuthenticationFailed");

    pass(f, S);
    watch(f, ADVISOR_QUOTA, 5, START + 121 * S);
    settle(f);
    _json_cleanup_ json_t *both = told(f, 0);
    assert_int_equal(json_array_size(both), 2);
    size_t over = 0, firing = 0;
    for (size_t i = 0; i < 2; i++) {
        const json_t *alert = json_array_get(both, i);
        bool ended = time_of(alert, "endsAt") == START + 121 * S;
        over += ended && streq(json_str(alert, "labels.reason"), "AuthenticationFailed");
        firing += !ended && streq(json_str(alert, "labels.reason"), "QuotaExhausted");
    }
    assert_int_equal(over + firing, 2);
    assert_int_equal(alerts_firing(f->alerts), 1);
}

/* Few failures, for its breaker is open most of the time; but nothing else for ten minutes. */
static void test_few_but_nothing_else(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_default(f->servers[0], "POST", V2, script_answer(200, NULL, ""));
    struct advisor_health h = {.provider = "groq", .class = ADVISOR_THROTTLED, .failures = 1};
    h.since_us = f->clock.boot_us;
    for (int minutes = 0; minutes <= 10; minutes++) {
        h.lasted_us = minutes * MINUTE;
        alerts_watch(f->alerts, &h, 1);
        assert_int_equal(alerts_firing(f->alerts), minutes == 10);
        pass(f, MINUTE);
    }
    /* One failure that nobody followed up is no such thing. */
    h = (struct advisor_health){.provider = "other", .class = ADVISOR_TRANSIENT, .failures = 1};
    h.since_us = f->clock.boot_us - 60 * MINUTE;
    alerts_watch(f->alerts, &h, 1);
    assert_int_equal(alerts_firing(f->alerts), 1);
}

/* Every Alertmanager is told; that one fails delays the other not at all, and it is tried again with growing pauses. */
static void test_several(void **state)
{
    struct fixture *f = *state;
    start(f, 2);
    server_default(f->servers[0], "POST", V2, script_answer(503, NULL, ""));
    server_default(f->servers[1], "POST", V2, script_answer(200, NULL, ""));
    watch(f, ADVISOR_TRANSIENT, 5, START);
    settle(f);
    assert_int_equal(server_seen(f->servers[0]), 1);
    assert_int_equal(server_seen(f->servers[1]), 1);
    for (int i = 0; i < 30; i++)
        pass(f, S);
    size_t tried = server_seen(f->servers[0]);
    assert_in_range(tried, 3, 10);
    assert_int_equal(server_seen(f->servers[1]), 1);
    server_default(f->servers[0], "POST", V2, script_answer(200, NULL, ""));
    pass(f, MINUTE);
    assert_int_equal(server_seen(f->servers[0]), tried + 1);
    assert_int_equal(server_seen(f->servers[1]), 2);
}

static char *log_text(struct fixture *f)
{
    off_t len = lseek(f->log_fd, 0, SEEK_END);
    char *text = xcalloc(1, (size_t)len + 1);
    assert_int_equal(pread(f->log_fd, text, (size_t)len, 0), len);
    return text;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

/* An Alertmanager that knows only the first API, or a URL that leads to it: told once, not hammered. */
static void test_gone(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_default(f->servers[0], "POST", V2, script_answer(410, "application/json", "{\"status\":\"deprecated\"}"));
    watch(f, ADVISOR_TRANSIENT, 5, START);
    settle(f);
    for (int i = 0; i < 5; i++)
        pass(f, MINUTE);
    assert_int_equal(server_seen(f->servers[0]), 6); /* once a minute */
    char *text = log_text(f);
    assert_int_equal(count(text, "API v2"), 1);
    free(text);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* Bearer and basic authentication; a token that was replaced is read again when it is refused. No log has either. */
static void test_authentication(void **state)
{
    struct fixture *f = *state;
    char token[] = "/tmp/ai4k8s-token-XXXXXX", password[] = "/tmp/ai4k8s-password-XXXXXX";
    close(mkstemp(token));
    close(mkstemp(password));
    write_file(token, "t0ken-one\n");
    write_file(password, "open sesame\n");
    (void)str_copy(f->config.alertmanagers[0].token_file, sizeof f->config.alertmanagers[0].token_file, token);
    (void)str_copy(f->config.alertmanagers[1].password_file, sizeof f->config.alertmanagers[1].password_file, password);
    (void)str_copy(f->config.alertmanagers[1].username, sizeof f->config.alertmanagers[1].username, "Aladdin");
    start(f, 2);
    server_on(f->servers[0], "POST", V2, script_answer(401, NULL, ""));
    server_default(f->servers[0], "POST", V2, script_answer(200, NULL, ""));
    server_default(f->servers[1], "POST", V2, script_answer(200, NULL, ""));
    write_file(token, "t0ken-two\n");
    watch(f, ADVISOR_TRANSIENT, 5, START);
    settle(f);
    pass(f, MINUTE);
    const char *want[2][2] = {{"Bearer t0ken-one", "Bearer t0ken-two"},
                              {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++) {
            struct server_request *r = server_take(f->servers[i], 2000);
            assert_non_null(r);
            assert_string_equal(server_request_header(r, "Authorization"), want[i][k]);
            server_request_free(r);
        }
    char *text = log_text(f);
    assert_null(strstr(text, "t0ken"));
    assert_null(strstr(text, "sesame"));
    free(text);
    unlink(token);
    unlink(password);
}

/* The calendar is for what is told: that it was set raises nothing, resolves nothing, and ends nothing early. */
static void test_the_calendar_jumps(void **state)
{
    struct fixture *f = *state;
    start(f, 1);
    server_default(f->servers[0], "POST", V2, script_answer(200, NULL, ""));
    watch(f, ADVISOR_AUTHENTICATION, 1, START);
    f->clock.real_us += 60 * MINUTE;
    watch(f, ADVISOR_AUTHENTICATION, 1, START);
    assert_int_equal(alerts_firing(f->alerts), 0);
    pass(f, 2 * MINUTE);
    watch(f, ADVISOR_AUTHENTICATION, 1, START);
    assert_int_equal(alerts_firing(f->alerts), 1);
    settle(f);
    json_decref(told(f, 0));
    f->clock.real_us -= 60 * MINUTE;
    pass(f, 11 * MINUTE);
    json_decref(told(f, 0));
    watch(f, ADVISOR_OK, 0, START + 3 * MINUTE);
    assert_int_equal(alerts_firing(f->alerts), 0);
    settle(f);
    _json_cleanup_ json_t *over = told(f, 0);
    const json_t *alert = json_array_get(over, 0);
    assert_true(time_of(alert, "endsAt") >= time_of(alert, "startsAt"));
}

/* Nobody to tell is no error; what fires is counted all the same. */
static void test_without_alertmanager(void **state)
{
    struct fixture *f = *state;
    start(f, 0);
    watch(f, ADVISOR_TRANSIENT, 5, START);
    assert_int_equal(alerts_firing(f->alerts), 1);
    assert_int_equal(http_active(f->http), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_few_but_nothing_else),
        T(test_life_of_an_alert),
        T(test_what_lasts),
        T(test_several),
        T(test_gone),
        T(test_authentication),
        T(test_without_alertmanager),
        T(test_the_calendar_jumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
