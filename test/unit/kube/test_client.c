/* One request at a time against a server of bytes: what is sent, what is made of each answer, and when it is
 * sent again. */
#include "base/alloc.h"
#include "base/str.h"
#include "test/support/client_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH  "/api/v1/namespaces/shop/pods/web"
#define SCALE "/apis/apps/v1/namespaces/shop/deployments/web/scale"
#define JSON  "application/json"

static struct kube_request get(void)
{
    return (struct kube_request){.verb = KUBE_GET, .path = PATH};
}

static struct kube_request patch(void)
{
    return (struct kube_request){.verb = KUBE_PATCH_MERGE, .path = SCALE, .body = "{\"spec\":{}}", .body_len = 11};
}

static struct server_request *take(struct fixture *f)
{
    struct server_request *r = server_take(f->server, 5000);
    assert_non_null(r);
    return r;
}

static void check_header(const struct server_request *r, const char *name, const char *want)
{
    const char *have = server_request_header(r, name);
    if (!streq0(have, want))
        fail_msg("%s: want %s, have %s", name, want ? want : "none", have ? have : "none");
}

static struct script *with_header(int status, const char *header, const char *body)
{
    struct script *s = script_new();
    script_reply(s, status, header, body);
    return s;
}

static struct script *cut(void)
{
    struct script *s = script_new();
    script_cut(s);
    return s;
}

static void test_get(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_on(f->server, "GET", PATH, script_answer(200, JSON, "{\"kind\":\"Pod\"}"));
    ask(f, &o, get());
    assert_false(o.has_error);
    assert_int_equal(o.response.code, 200);
    assert_string_equal(o.body, "{\"kind\":\"Pod\"}");
    assert_false(o.response.maybe_applied);
    struct server_request *r = take(f);
    assert_string_equal(r->path, PATH);
    check_header(r, "Accept", JSON);
    check_header(r, "Authorization", "Bearer " SECRET);
    check_header(r, "User-Agent", "ai4k8s-test/1 (linux/amd64) kubernetes/abc");
    check_header(r, "Content-Type", NULL);
    check_header(r, "Impersonate-User", NULL);
    server_request_free(r);
    assert_true(kube_client_reachable(f->client));
    assert_string_equal(kube_client_namespace(f->client), "shop");
    assert_string_equal(kube_client_server(f->client), server_url(f->server));
    assert_ptr_equal(kube_client_loop(f->client), f->loop);
}

static void test_writes(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum kube_verb verb;
        const char *method, *type, *query;
    } cases[] = {
        {KUBE_POST, "POST", JSON, "?fieldManager=ai4k8s&fieldValidation=Strict"},
        {KUBE_PUT, "PUT", JSON, "?fieldManager=ai4k8s&fieldValidation=Strict"},
        {KUBE_DELETE, "DELETE", JSON, ""},
        {KUBE_PATCH_MERGE, "PATCH", "application/merge-patch+json", "?fieldManager=ai4k8s&fieldValidation=Strict"},
        {KUBE_PATCH_JSON, "PATCH", "application/json-patch+json", "?fieldManager=ai4k8s&fieldValidation=Strict"},
        {KUBE_PATCH_APPLY, "PATCH", "application/apply-patch+yaml",
         "?fieldManager=ai4k8s&fieldValidation=Strict&force=true"},
    };
    f->options.field_validation = "Strict";
    char *impersonate[] = {(char *)(uintptr_t) "Impersonate-User: boss", NULL};
    f->config.impersonate = impersonate;
    server_default(f->server, NULL, "/*", script_answer(201, JSON, "{}"));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome o;
        char body[] = "{\"a\":1}", path[] = PATH;
        begin(f, &o,
              (struct kube_request){.verb = cases[i].verb, .path = path, .body = body, .body_len = 7, .force = true});
        memset(body, 'x', sizeof(body) - 1); /* they were copied */
        memset(path, 'x', sizeof(path) - 1);
        finish(&o);
        assert_false(o.has_error);
        struct server_request *r = take(f);
        assert_string_equal(r->method, cases[i].method);
        assert_string_equal(r->path + strlen(PATH), cases[i].query);
        assert_string_equal(r->body, "{\"a\":1}");
        check_header(r, "Content-Type", cases[i].type);
        check_header(r, "Impersonate-User", "boss");
        server_request_free(r);
    }
    struct outcome o; /* a query that is there already */
    ask(f, &o, (struct kube_request){.verb = KUBE_POST, .path = PATH "?dryRun=All", .accept = "x/y"});
    struct server_request *r = take(f);
    assert_string_equal(r->path, PATH "?dryRun=All&fieldManager=ai4k8s&fieldValidation=Strict");
    check_header(r, "Accept", "x/y");
    server_request_free(r);
}

static void test_refusals(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int status;
        const char *type, *body, *message;
        enum status_reason reason;
        bool maybe; /* for a write */
    } cases[] = {
        {403, JSON,
         "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"pods \\\"web\\\" is forbidden: User "
         "\\\"x\\\" cannot get\"}",
         "pods \"web\" is forbidden: User \"x\" cannot get (HTTP 403 Forbidden)", STATUS_FORBIDDEN, false},
        {404, JSON, "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"no\"}", "no (HTTP 404 NotFound)",
         STATUS_NOT_FOUND, false},
        {409, JSON, "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"the object has been modified\"}",
         "the object has been modified (HTTP 409 Conflict)", STATUS_CONFLICT, false},
        {409, JSON, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"e\"}",
         "e (HTTP 409 AlreadyExists)", STATUS_ALREADY_EXISTS, false},
        {422, JSON, "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"bad\"}", "bad (HTTP 422 Invalid)",
         STATUS_INVALID, false},
        {502, "text/html", "<html><head><title>502 Bad Gateway</title>", "502 Bad Gateway (HTTP 502 Unknown)",
         STATUS_UNKNOWN, true},
        {504, JSON, "{\"kind\":\"Status\",\"reason\":\"Timeout\",\"message\":\"t\"}", "t (HTTP 504 Timeout)",
         STATUS_TIMEOUT, true},
        {500, "text/plain", "boom", "boom (HTTP 500 InternalError)", STATUS_INTERNAL_ERROR, true},
        {503, "text/plain", "", "ServiceUnavailable (HTTP 503 ServiceUnavailable)", STATUS_SERVICE_UNAVAILABLE, false},
        {401, "text/plain", "Unauthorized", "Unauthorized (HTTP 401 Unauthorized)", STATUS_UNAUTHORIZED, false},
        {307, "text/plain", "", "the server refused without saying why (HTTP 307 Unknown)", STATUS_UNKNOWN, false},
    };
    size_t seen = 0;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (int way = 0; way < 3; way++) { /* buffered, streaming, a write */
            struct outcome o;
            struct kube_request q = way == 2 ? patch() : get();
            q.idle_timeout_us = way == 1 ? USEC_PER_SEC : 0;
            server_on(f->server, NULL, "/*", script_answer(cases[i].status, cases[i].type, cases[i].body));
            ask(f, &o, q);
            assert_true(o.has_error);
            assert_int_equal(o.err.kind, ERROR_API);
            assert_int_equal(o.err.code, cases[i].status);
            assert_string_equal(o.err.message, cases[i].message);
            assert_int_equal(o.response.code, cases[i].status);
            assert_int_equal(o.response.status.reason, cases[i].reason);
            assert_int_equal(o.response.maybe_applied, way == 2 && cases[i].maybe);
            assert_int_equal(o.n_streamed, 0);
            assert_true(kube_client_reachable(f->client));
            seen++;
        }
    assert_int_equal(server_seen(f->server), seen); /* none was sent twice */
}

static void test_not_the_api_server(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_on(f->server, NULL, "/*", script_answer(200, "text/html; charset=utf-8", "<html>Please log in"));
    ask(f, &o, get());
    assert_true(o.has_error);
    assert_int_equal(o.err.kind, ERROR_HTTP);
    assert_non_null(strstr(o.err.message, "answered with a web page; is that the API server?"));
}

/* ---- asked to come back ---- */

static void test_retry_after(void **state)
{
    struct fixture *f = *state;
    static const int codes[] = {429, 500, 503, 504};
    size_t seen = 0;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        for (int write = 0; write < 2; write++) {
            struct outcome o;
            server_on(f->server, NULL, "/*", with_header(codes[i], "Retry-After: 2\r\n", "{}"));
            server_on(f->server, NULL, "/*", script_answer(200, JSON, "{\"ok\":1}"));
            begin(f, &o, write ? patch() : get());
            until_seen(f, ++seen);
            still_waits(&o);
            pass(f, 2 * USEC_PER_SEC - 1000);
            still_waits(&o);
            assert_int_equal(server_seen(f->server), seen);
            pass(f, 1000);
            seen++;
            finish(&o);
            assert_false(o.has_error);
            assert_string_equal(o.body, "{\"ok\":1}");
            for (int k = 0; k < 2; k++) {
                struct server_request *r = take(f);
                assert_string_equal(r->body, write ? "{\"spec\":{}}" : "");
                server_request_free(r);
            }
        }
    char *log = logged(f);
    assert_int_equal(count_in(log, "asks to come back later"), seen / 2);
    free(log);
}

static void test_ten_retries(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_default(f->server, NULL, "/*",
                   with_header(429, "Retry-After: 1\r\nX-Kubernetes-PF-FlowSchema-UID: flow-7\r\n",
                               "{\"kind\":\"Status\",\"message\":\"busy\"}"));
    begin(f, &o, patch());
    for (size_t n = 1; n <= 11; n++) {
        until_seen(f, n);
        if (n <= 10)
            still_waits(&o);
        pass(f, USEC_PER_SEC);
    }
    finish(&o);
    assert_int_equal(server_seen(f->server), 11);
    assert_int_equal(o.err.kind, ERROR_API);
    assert_int_equal(o.err.retry_after_ms, 1000);
    assert_int_equal(o.response.status.retry_after_ms, 1000);
    assert_false(o.response.maybe_applied);
    char *log = logged(f);
    assert_int_equal(count_in(log, "flow-7"), 10);
    free(log);
}

static void test_not_waited_for(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    struct kube_request q = get();
    q.no_retry = true;
    server_on(f->server, NULL, "/*", with_header(429, "Retry-After: 1\r\n", ""));
    ask(f, &o, q);
    assert_int_equal(o.err.retry_after_ms, 1000);

    server_on(f->server, NULL, "/*", with_header(503, "Retry-After: 3600\r\n", "")); /* an hour is not for us */
    ask(f, &o, get());
    assert_int_equal(o.err.retry_after_ms, 3600000);

    server_on(f->server, NULL, "/*", with_header(409, "Retry-After: 1\r\n", "")); /* not one of those codes */
    ask(f, &o, get());
    assert_int_equal(o.err.code, 409);

    /* Without the header there is no retry here, whatever the Status says. */
    server_on(f->server, NULL, "/*",
              script_answer(429, JSON, "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":7}}"));
    ask(f, &o, get());
    assert_int_equal(o.err.retry_after_ms, 7000);
    assert_int_equal(server_seen(f->server), 4);
}

/* ---- broken connections ---- */

static void test_get_cut(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_on(f->server, NULL, "/*", cut());
    server_on(f->server, NULL, "/*", cut());
    server_on(f->server, NULL, "/*", cut());
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{}"));
    begin(f, &o, get());
    for (int i = 0; i < 60 && !o.done; i++) { /* back-off: 1 s, 2 s, ... with jitter */
        still_waits(&o);
        pass(f, USEC_PER_SEC);
        for (int k = 0; k < 20 && !o.done; k++)
            (void)loop_turn(f->loop, 5 * USEC_PER_MSEC);
    }
    finish(&o);
    assert_false(o.has_error);
    assert_true(kube_client_reachable(f->client));
    assert_true(server_seen(f->server) >= 4);
}

static void test_get_cut_no_retry(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    struct kube_request q = get();
    q.no_retry = true;
    server_default(f->server, NULL, "/*", cut());
    ask(f, &o, q);
    assert_int_equal(o.err.kind, ERROR_IO);
    assert_int_equal(o.response.code, 0);
    assert_false(o.response.maybe_applied);
    assert_false(kube_client_reachable(f->client));

    /* A list that breaks in the middle is the caller's to read again: he has seen a part of it. */
    struct script *s = script_new();
    script_head(s, 200, "Content-Type: application/json\r\nContent-Length: 100\r\n");
    script_text(s, "{\"items\":[");
    script_cut(s);
    size_t seen = server_seen(f->server);
    server_on(f->server, NULL, "/*", s);
    q = get();
    q.idle_timeout_us = 10 * USEC_PER_SEC;
    ask(f, &o, q);
    assert_true(o.has_error);
    assert_string_equal(o.streamed, "{\"items\":[");
    assert_int_equal(server_seen(f->server), seen + 1);
    assert_true(kube_client_reachable(f->client));
}

static void test_write_cut(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_on(f->server, NULL, "/*", cut());
    ask(f, &o, patch());
    assert_int_equal(o.err.kind, ERROR_IO);
    assert_true(o.response.maybe_applied);
    assert_int_equal(server_seen(f->server), 1);

    /* Reset, and an answer that breaks. A refusal that breaks is one. */
    struct script *s = script_new();
    script_reset(s);
    server_on(f->server, NULL, "/*", s);
    ask(f, &o, patch());
    assert_true(o.response.maybe_applied);
    for (int refused = 0; refused < 2; refused++) {
        s = script_new();
        script_head(s, refused ? 409 : 200, "Content-Length: 100\r\n");
        script_cut(s);
        server_on(f->server, NULL, "/*", s);
        ask(f, &o, patch());
        assert_true(o.has_error);
        assert_int_equal(o.response.maybe_applied, !refused);
    }
    assert_int_equal(server_seen(f->server), 4);
}

static void test_server_down(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{}"));
    ask(f, &o, get());
    server_down(f->server);
    /* Nobody listens: nothing was sent, so nothing was done, and a read is not tried ten times either. */
    ask(f, &o, patch());
    assert_int_equal(o.err.kind, ERROR_IO);
    assert_false(o.response.maybe_applied);
    assert_false(kube_client_reachable(f->client));
    ask(f, &o, get());
    assert_int_equal(o.err.kind, ERROR_IO);
    assert_int_equal(server_seen(f->server), 1);
    server_up(f->server);
    ask(f, &o, get());
    assert_false(o.has_error);
    assert_true(kube_client_reachable(f->client));
    char *log = logged(f);
    assert_int_equal(count_in(log, "the API server does not answer"), 1);
    assert_int_equal(count_in(log, "the API server answers again"), 1);
    assert_true(count_in(log, "\"msg\":\"request\"") >= 4); /* each attempt, also one without an answer */
    assert_int_equal(count_in(log, "\"code\":200,\"ms\":"), 2);
    free(log);
}

/* ---- deadlines and caps ---- */

static struct script *stall(void)
{
    struct script *s = script_new();
    script_stall(s);
    return s;
}

static void test_stall(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_default(f->server, NULL, "/*", stall());
    begin(f, &o, get());
    until_seen(f, 1);
    pass(f, 30 * USEC_PER_SEC - 1000);
    still_waits(&o);
    pass(f, 2000);
    finish(&o);
    assert_int_equal(o.err.kind, ERROR_TIMEOUT);
    assert_false(o.response.maybe_applied);
    assert_int_equal(server_seen(f->server), 1); /* a deadline is not a broken connection */
    assert_false(kube_client_reachable(f->client));

    struct kube_request q = patch();
    q.timeout_us = 10 * USEC_PER_SEC;
    begin(f, &o, q);
    until_seen(f, 2);
    pass(f, 10 * USEC_PER_SEC + 1000);
    finish(&o);
    assert_int_equal(o.err.kind, ERROR_TIMEOUT);
    assert_true(o.response.maybe_applied);
}

static void test_body_cap(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    struct kube_request q = get();
    q.max_body = 10;
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{\"a\":1234}")); /* ten bytes */
    ask(f, &o, q);
    assert_false(o.has_error);
    q.max_body = 9;
    ask(f, &o, q);
    assert_int_equal(o.err.kind, ERROR_LIMIT);
    assert_int_equal(server_seen(f->server), 2);
}

static void test_bad_path(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"", "api/v1", "/api/../x", "/api/a b", NULL};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct outcome o;
        ask(f, &o, (struct kube_request){.verb = i % 2 ? KUBE_POST : KUBE_GET, .path = bad[i]});
        assert_int_equal(o.err.kind, ERROR_INTERNAL);
        assert_false(o.response.maybe_applied);
    }
    assert_int_equal(server_seen(f->server), 0);
}

/* ---- the fence ---- */

struct fence {
    int allowed; /* how many times it says yes */
    int asked;
};

static bool may_write(void *data)
{
    struct fence *fence = data;
    fence->asked++;
    return fence->allowed-- > 0;
}

static void test_fence(void **state)
{
    struct fixture *f = *state;
    struct fence fence = {0};
    struct outcome o;
    fixture_client(f);
    kube_client_set_fence(f->client, may_write, &fence);
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{}"));

    ask(f, &o, patch());
    assert_int_equal(o.err.kind, ERROR_FENCED);
    assert_false(o.response.maybe_applied);
    assert_true(fence.asked > 0);
    assert_int_equal(server_seen(f->server), 0);

    ask(f, &o, get()); /* reads are free, and so is what says so */
    assert_false(o.has_error);
    struct kube_request q = patch();
    q.unfenced = true;
    ask(f, &o, q);
    assert_false(o.has_error);
    server_request_free(take(f));
    struct server_request *r = take(f);
    assert_null(strstr(r->path, "timeout="));
    server_request_free(r);

    fence = (struct fence){.allowed = 100};
    ask(f, &o, patch());
    assert_false(o.has_error);
    assert_true(fence.asked >= 1);
    r = take(f);
    assert_non_null(strstr(r->path, "&timeout=4s")); /* the server gives up too */
    server_request_free(r);
    assert_int_equal(server_seen(f->server), 3);

    /* It is asked when the connection stands, too: yes before, no then. */
    server_drop(f->server);
    fence = (struct fence){.allowed = 1};
    ask(f, &o, patch());
    assert_int_equal(o.err.kind, ERROR_FENCED);
    assert_false(o.response.maybe_applied);
    assert_int_equal(server_seen(f->server), 3);

    kube_client_set_fence(f->client, NULL, NULL);
    ask(f, &o, patch());
    assert_false(o.has_error);
}

static void test_fence_flips(void **state)
{
    struct fixture *f = *state;
    struct fence fence = {.allowed = 100};
    struct outcome o;
    fixture_client(f);
    kube_client_set_fence(f->client, may_write, &fence);
    server_default(f->server, NULL, "/*", with_header(429, "Retry-After: 1\r\n", ""));
    begin(f, &o, patch());
    until_seen(f, 1);
    still_waits(&o);
    fence.allowed = 0; /* the lease is lost while we wait to try again */
    pass(f, USEC_PER_SEC);
    finish(&o);
    assert_int_equal(o.err.kind, ERROR_FENCED);
    assert_false(o.response.maybe_applied);
    assert_int_equal(server_seen(f->server), 1);

    /* A 500 that asked to come back leaves open whether the first one was done. */
    server_on(f->server, NULL, "/*", with_header(500, "Retry-After: 1\r\n", ""));
    fence.allowed = 100;
    begin(f, &o, patch());
    until_seen(f, 2);
    still_waits(&o);
    fence.allowed = 0;
    pass(f, USEC_PER_SEC);
    finish(&o);
    assert_int_equal(o.err.kind, ERROR_FENCED);
    assert_true(o.response.maybe_applied);
}

static void test_fenced_deadline(void **state)
{
    struct fixture *f = *state;
    static const int64_t asked[] = {0, 30 * USEC_PER_SEC, -1, 4 * USEC_PER_SEC};
    struct fence fence = {.allowed = 1000};
    fixture_client(f);
    kube_client_set_fence(f->client, may_write, &fence);
    server_default(f->server, NULL, "/*", stall());
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        struct outcome o;
        struct kube_request q = patch();
        q.timeout_us = asked[i];
        begin(f, &o, q);
        until_seen(f, i + 1);
        pass(f, 4 * USEC_PER_SEC - 1000);
        still_waits(&o);
        pass(f, 2000);
        finish(&o);
        assert_int_equal(o.err.kind, ERROR_TIMEOUT);
        assert_true(o.response.maybe_applied);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_get),         T(test_writes),          T(test_refusals), T(test_not_the_api_server), T(test_retry_after),
        T(test_ten_retries), T(test_not_waited_for),  T(test_get_cut),  T(test_get_cut_no_retry),   T(test_write_cut),
        T(test_server_down), T(test_stall),           T(test_body_cap), T(test_bad_path),           T(test_fence),
        T(test_fence_flips), T(test_fenced_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
