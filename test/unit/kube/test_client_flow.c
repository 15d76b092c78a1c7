/* Many requests: streams, cancelling, our own limit of requests per second, and what the client tells about
 * them. */
#include "base/alloc.h"
#include "base/str.h"
#include "kube/client_report.h"
#include "test/support/client_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "/api/v1/pods"
#define JSON "application/json"

static const struct kube_request get = {.verb = KUBE_GET, .path = PATH};

static struct script *hold(int status)
{
    struct script *s = script_new();
    script_head(s, status, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
    script_hold(s);
    return s;
}

static void send_chunk(struct fixture *f, uint64_t id, const char *text)
{
    struct script *s = script_new();
    script_chunk(s, text);
    server_append(f->server, id, s);
}

static void end_stream(struct fixture *f, uint64_t id, bool cleanly)
{
    struct script *s = script_new();
    if (cleanly)
        script_last_chunk(s);
    if (cleanly)
        script_done(s);
    else
        script_cut(s);
    server_append(f->server, id, s);
}

static const struct kube_request watch = {
    .verb = KUBE_GET,
    .path = PATH "?watch=1",
    .connection = HTTP_DEDICATED,
    .timeout_us = 630 * USEC_PER_SEC,
    .idle_timeout_us = 600 * USEC_PER_SEC,
};

static void until_streamed(struct outcome *o, const char *want)
{
    for (int i = 0; i < 1000 && !streq(o->streamed, want); i++)
        (void)loop_turn(o->f->loop, 5 * USEC_PER_MSEC);
    assert_string_equal(o->streamed, want);
}

static void test_stream(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_default(f->server, NULL, "/*", hold(200));
    begin(f, &o, watch);
    until_seen(f, 1);
    send_chunk(f, 1, "{\"a\":1}\n");
    until_streamed(&o, "{\"a\":1}\n");
    pass(f, 500 * USEC_PER_SEC); /* silence is normal */
    still_waits(&o);
    send_chunk(f, 1, "{\"b\":2}\n");
    until_streamed(&o, "{\"a\":1}\n{\"b\":2}\n");
    end_stream(f, 1, true);
    finish(&o);
    assert_false(o.has_error);
    assert_int_equal(o.response.code, 200);
    assert_null(o.response.body);
    struct server_request *r = server_take(f->server, 1000);
    assert_null(server_request_header(r, "Accept-Encoding")); /* a compressor would hold events back */
    server_request_free(r);

    begin(f, &o, watch); /* one that breaks */
    until_seen(f, 2);
    send_chunk(f, 2, "x");
    until_streamed(&o, "x");
    end_stream(f, 2, false);
    finish(&o);
    assert_int_equal(o.err.kind, ERROR_IO);
    assert_true(kube_client_reachable(f->client));
    assert_int_equal(server_seen(f->server), 2);

    begin(f, &o, watch); /* one that is too old */
    until_seen(f, 3);
    send_chunk(f, 3, "y");
    until_streamed(&o, "y");
    pass(f, 631 * USEC_PER_SEC);
    finish(&o);
    assert_int_equal(o.err.kind, ERROR_TIMEOUT);
}

/* A refusal of a stream comes whole, however it was cut, and is cut itself where it is absurdly long. */
static void test_stream_refused(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_on(f->server, NULL, "/*", hold(410));
    begin(f, &o, watch);
    until_seen(f, 1);
    send_chunk(f, 1, "{\"kind\":\"Status\",\"reason\":\"Exp");
    still_waits(&o);
    send_chunk(f, 1, "ired\",\"message\":\"too old\"}");
    end_stream(f, 1, true);
    finish(&o);
    assert_int_equal(o.err.code, 410);
    assert_int_equal(o.response.status.reason, STATUS_EXPIRED);
    assert_string_equal(o.response.status.message, "too old");
    assert_int_equal(o.n_streamed, 0);

    char *page = xcalloc(1, (1 << 20) + 1);
    memset(page, 'x', 1 << 20);
    server_on(f->server, NULL, "/*", script_answer(500, "text/plain", page));
    free(page);
    ask(f, &o, watch);
    assert_int_equal(o.err.code, 500);
    assert_true(strlen(o.response.status.message) <= 256);
}

static int refuse(void *data, const char *bytes, size_t len, struct error *err)
{
    (void)data;
    (void)bytes;
    (void)len;
    return error_set(err, ERROR_PARSE, "not what I want");
}

static int cancel_inside(void *data, const char *bytes, size_t len, struct error *err)
{
    (void)bytes;
    (void)len;
    (void)err;
    struct outcome *o = data;
    o->n_streamed++;
    kube_client_cancel(o->f->client, o->id);
    return 0;
}

static int free_inside(void *data, const char *bytes, size_t len, struct error *err)
{
    (void)bytes;
    (void)len;
    (void)err;
    struct outcome *o = data;
    o->n_streamed++;
    o->f->client = kube_client_free(o->f->client);
    return 0;
}

static void test_stream_user(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_default(f->server, NULL, "/*", hold(200));
    struct kube_request q = watch;
    q.on_data = refuse;
    begin(f, &o, q);
    until_seen(f, 1);
    send_chunk(f, 1, "x");
    finish(&o);
    assert_int_equal(o.err.kind, ERROR_PARSE);
    assert_string_equal(o.err.message, "not what I want");

    q.on_data = cancel_inside;
    begin(f, &o, q);
    until_seen(f, 2);
    send_chunk(f, 2, "x");
    still_waits(&o);
    assert_int_equal(o.n_streamed, 1);

    q.on_data = free_inside;
    begin(f, &o, q);
    until_seen(f, 3);
    send_chunk(f, 3, "x");
    still_waits(&o);
    assert_int_equal(o.n_streamed, 1);
    assert_null(f->client);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    struct script *s = script_new();
    script_stall(s);
    server_on(f->server, NULL, "/*", s);
    begin(f, &o, get); /* under way */
    until_seen(f, 1);
    kube_client_cancel(f->client, o.id);
    kube_client_cancel(f->client, o.id);
    still_waits(&o);
    pass(f, 60 * USEC_PER_SEC);
    still_waits(&o);

    s = script_new();
    script_reply(s, 429, "Retry-After: 1\r\n", "");
    server_on(f->server, NULL, "/*", s);
    begin(f, &o, get); /* waiting to be sent again */
    until_seen(f, 2);
    still_waits(&o);
    kube_client_cancel(f->client, o.id);
    pass(f, 10 * USEC_PER_SEC);
    still_waits(&o);

    begin(f, &o, (struct kube_request){.verb = KUBE_GET, .path = "bad"}); /* failed already, not said yet */
    kube_client_cancel(f->client, o.id);
    still_waits(&o);
    begin(f, &o, get); /* not even begun */
    kube_client_cancel(f->client, o.id);
    still_waits(&o);
    kube_client_cancel(f->client, 0);
    kube_client_cancel(f->client, 1 << 30);
    assert_int_equal(http_active(f->http), 0);
}

static void test_free_with_requests(void **state)
{
    struct fixture *f = *state;
    struct outcome a, b, c;
    struct script *s = script_new();
    script_stall(s);
    server_on(f->server, NULL, "/*", s);
    s = script_new();
    script_reply(s, 429, "Retry-After: 9\r\n", "");
    server_on(f->server, NULL, "/*", s);
    begin(f, &a, get);
    until_seen(f, 1);
    begin(f, &b, get);
    until_seen(f, 2);
    begin(f, &c, (struct kube_request){.verb = KUBE_GET, .path = ""});
    f->client = kube_client_free(f->client);
    pass(f, 60 * USEC_PER_SEC);
    assert_false(a.done || b.done || c.done);
    assert_int_equal(http_active(f->http), 0);
}

/* ---- limits ---- */

static void test_qps(void **state)
{
    struct fixture *f = *state;
    struct outcome o[5], lease;
    f->options.qps = 0.5;
    f->options.burst = 2;
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{}"));
    for (size_t i = 0; i < ARRAY_SIZE(o); i++)
        begin(f, &o[i], get);
    finish(&o[0]);
    finish(&o[1]);
    still_waits(&o[2]);
    assert_int_equal(server_seen(f->server), 2);
    /* The lease's renewal does not stand in that queue. */
    ask(f, &lease, (struct kube_request){.verb = KUBE_GET, .path = "/lease", .priority = LOOP_LEASE});
    assert_false(lease.has_error);
    pass(f, 2 * USEC_PER_SEC - 1000);
    still_waits(&o[2]);
    pass(f, 1000);
    finish(&o[2]);
    still_waits(&o[3]);
    pass(f, 2 * USEC_PER_SEC);
    finish(&o[3]);
    still_waits(&o[4]);
    pass(f, 2 * USEC_PER_SEC);
    finish(&o[4]);
    char *log = logged(f);
    assert_int_equal(count_in(log, "our own limit"), 3);
    free(log);
    char series[128];
    (void)snprintf(series, sizeof(series), "rest_client_rate_limiter_duration_seconds_sum{verb=\"GET\",host=\"%s\"}",
                   server_url(f->server) + 8);
    assert_int_equal(metric_milli(f, series), 12000); /* 2 + 4 + 6 s */
}

/* ---- reports ---- */

static int64_t series(struct fixture *f, const char *name, const char *labels)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "%s{%s,host=\"%s\"}", name, labels, server_url(f->server) + 8);
    return metric_milli(f, text);
}

static void test_metrics(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_on(f->server, NULL, "/*", script_answer(200, JSON, "{\"a\":1}"));
    ask(f, &o, get);
    server_on(f->server, NULL, "/*", script_answer(404, JSON, "{}"));
    ask(f, &o, (struct kube_request){.verb = KUBE_PATCH_APPLY, .path = PATH, .body = "{}", .body_len = 2});
    struct script *s = script_new();
    script_reply(s, 503, "Retry-After: 1\r\n", "");
    server_on(f->server, NULL, "/*", s);
    s = script_new();
    script_cut(s);
    server_on(f->server, NULL, "/*", s);
    begin(f, &o, (struct kube_request){.verb = KUBE_POST, .path = PATH, .body = "[1]", .body_len = 3});
    until_seen(f, 3);
    still_waits(&o);
    pass(f, USEC_PER_SEC);
    finish(&o);
    assert_true(o.response.maybe_applied);
    server_on(f->server, NULL, "/*", hold(200));
    begin(f, &o, watch);
    until_seen(f, 5);
    end_stream(f, server_seen(f->server), true);
    finish(&o);

    assert_int_equal(series(f, "rest_client_requests_total", "code=\"200\",method=\"GET\""), 2000);
    assert_int_equal(series(f, "rest_client_requests_total", "code=\"404\",method=\"PATCH\""), 1000);
    assert_int_equal(series(f, "rest_client_requests_total", "code=\"503\",method=\"POST\""), 1000);
    assert_int_equal(series(f, "rest_client_requests_total", "code=\"<error>\",method=\"POST\""), 1000);
    assert_int_equal(series(f, "rest_client_request_retries_total", "code=\"<error>\",verb=\"POST\""), 1000);
    assert_int_equal(series(f, "rest_client_request_retries_total", "code=\"503\",verb=\"POST\""), -1);
    /* The watch is not among the latencies. */
    assert_int_equal(series(f, "rest_client_request_duration_seconds_count", "verb=\"GET\""), 1000);
    assert_int_equal(series(f, "rest_client_request_duration_seconds_count", "verb=\"POST\""), 2000);
    assert_int_equal(series(f, "rest_client_request_size_bytes_sum", "verb=\"POST\""), 6000);
    assert_int_equal(series(f, "rest_client_response_size_bytes_sum", "verb=\"GET\""), 7000);
    char *log = logged(f);
    assert_null(strstr(log, "Bearer"));
    free(log);
}

static void test_no_metrics(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    struct log *log = f->options.log;
    f->options = (struct kube_client_options){0};
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{}"));
    ask(f, &o, (struct kube_request){.verb = KUBE_POST, .path = PATH});
    assert_false(o.has_error);
    struct server_request *r = server_take(f->server, 1000);
    assert_string_equal(server_request_header(r, "User-Agent"), "test/1");
    assert_string_equal(r->path, PATH "?fieldValidation=Warn");
    server_request_free(r);
    f->client = kube_client_free(f->client);
    f->options.log = log;
}

static void test_warnings(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    static const char *const headers[] = {
        "Warning: 299 - \"unknown field \\\"spec.x\\\"\"\r\nWarning: 299 - \"v1beta1 is deprecated\"\r\n",
        "Warning: 299 - \"unknown field \\\"spec.x\\\"\"\r\n",
        "Warning: 199 - \"something else\"\r\n",
    };
    for (size_t round = 0; round < 2; round++)
        for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
            struct script *s = script_new();
            script_reply(s, 200, headers[i], "{}");
            server_on(f->server, NULL, "/*", s);
            ask(f, &o, get);
            assert_false(o.has_error);
        }
    char *log = logged(f);
    assert_int_equal(count_in(log, "the API server warns"), 2);
    assert_int_equal(count_in(log, "unknown field"), 1);
    assert_int_equal(count_in(log, "v1beta1 is deprecated"), 1);
    free(log);

    for (int i = 0; i < 600; i++) { /* a server that never repeats itself does not fill our memory */
        char header[64];
        (void)snprintf(header, sizeof(header), "Warning: 299 - \"w%d\"\r\n", i);
        struct script *s = script_new();
        script_reply(s, 200, header, "{}");
        server_on(f->server, NULL, "/*", s);
        ask(f, &o, get);
        if (i % 50 == 49)
            pass(f, 10 * USEC_PER_SEC); /* tokens for more requests */
    }
    log = logged(f);
    assert_int_equal(count_in(log, "the API server warns"), 602);
    free(log);
}

static void test_warning_texts(void **state)
{
    (void)state;
    static const struct {
        const char *value, *want; /* NULL: none */
    } cases[] = {
        {"299 - \"text\"", "text"},
        {"299 kube-apiserver \"a \\\"b\\\" \\\\ c\" \"Sat, 21 Nov 2026 00:00:00 GMT\"", "a \"b\" \\ c"},
        {"299 - \"0123456789abcdef\"", "0123456789a"}, /* cut */
        {"299 - \"\"", NULL},
        {"299 - \"open", NULL},
        {"299 - \"open\\", NULL},
        {"299 - text", NULL},
        {"299 -", NULL},
        {"299", NULL},
        {"299x - \"text\"", NULL},
        {"199 - \"text\"", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[12];
        bool found = client_warning_parse(cases[i].value, text, sizeof(text));
        assert_int_equal(found, cases[i].want != NULL);
        if (found)
            assert_string_equal(text, cases[i].want);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_stream),
        T(test_stream_refused),
        T(test_stream_user),
        T(test_cancel),
        T(test_free_with_requests),
        T(test_qps),
        T(test_metrics),
        T(test_no_metrics),
        T(test_warnings),
        cmocka_unit_test(test_warning_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
