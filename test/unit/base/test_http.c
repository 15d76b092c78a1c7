/* What a request sends and what its answer becomes, against the scripted server. */
#include "test/unit/base/http_fixture.h"

static void test_an_answer(void **state UNUSED)
{
    struct fixture f = fixture_new(NULL);
    struct script *s = script_new();
    script_reply(s, 200, "Content-Type: application/json\r\nX-Two: a\r\nx-two: b\r\n", "{\"a\":1}");
    server_on(f.server, "GET", "/version", s);
    struct call c = {0};
    static const char *const headers[] = {"Accept: application/json", "X-Mine: 1", NULL};
    call_start(&f, &c, (struct http_request){.path = "/version?x=%20y", .headers = headers});
    assert_int_equal(http_active(f.http), 1);
    call_wait(&c);
    assert_int_equal(http_active(f.http), 0);
    assert_int_equal(c.err.kind, ERROR_NONE);
    assert_int_equal(c.status, 200);
    assert_string_equal(c.content_type, "application/json");
    assert_string_equal(c.body.data, "{\"a\":1}");
    assert_true(c.heads == 1 && c.sent && c.got_response && c.retry_after_ms == -1);
    assert_true(c.total_us > 0 && c.total_us < 20 * S);
    struct server_request *r = server_take(f.server, 0);
    assert_string_equal(r->path, "/version?x=%20y");
    assert_string_equal(server_request_header(r, "User-Agent"), "unit/1.0");
    assert_string_equal(server_request_header(r, "Accept"), "application/json");
    assert_string_equal(server_request_header(r, "X-Mine"), "1");
    assert_string_equal(server_request_header(r, "Accept-Encoding"), "gzip");
    static const char *const absent[] = {"Authorization",  "Cookie", "Content-Type",
                                         "Content-Length", "Expect", "Upgrade"};
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
        check_row(absent[i], !server_request_header(r, absent[i]));
    server_request_free(r);
    call_clear(&c);
    fixture_done(&f);
}

static void take_headers(struct call *c, const struct http_result *r)
{
    assert_string_equal(http_result_header(r, "x-two", 0), "a");
    assert_string_equal(http_result_header(r, "X-TWO", 1), "b");
    assert_null(http_result_header(r, "X-Two", 2));
    assert_null(http_result_header(r, "X-Three", 0));
    c->data = c;
}

static void test_headers_of_an_answer(void **state UNUSED)
{
    struct fixture f = fixture_new(NULL);
    struct script *s = script_new();
    script_text(s, "HTTP/1.1 103 Early Hints\r\nX-Two: hint\r\nRetry-After: 9\r\nContent-Type: hint\r\n\r\n");
    script_reply(s, 429, "X-Two: a\r\nx-two: b\r\n", "no");
    server_on(f.server, NULL, "*", s);
    struct call c = {.on_head = take_headers, .on_done = take_headers};
    call_start(&f, &c, (struct http_request){0});
    call_wait(&c);
    assert_ptr_equal(c.data, &c);
    assert_int_equal(c.heads, 1);
    assert_int_equal(c.status, 429);
    assert_int_equal(c.retry_after_ms, -1); /* the hint's is not the answer's */
    assert_string_equal(c.content_type, "");
    call_clear(&c);
    fixture_done(&f);
}

static void test_methods_and_bodies(void **state UNUSED)
{
    char *large = xcalloc(1, (2 << 20) + 1);
    memset(large, 'x', 2 << 20);
    const struct {
        const char *method, *body, *type, *length;
    } rows[] = {
        {"GET", NULL, NULL, NULL},
        {"DELETE", NULL, NULL, NULL},
        {"HEAD", NULL, NULL, NULL},
        {"POST", "{}", "application/json", "2"},
        {"PUT", "{}", "application/json", "2"},
        {"PATCH", "{}", "application/merge-patch+json", "2"},
        {"DELETE", "{}", "application/json", "2"},
        {"POST", "a=b", NULL, "3"}, /* no type is made up */
        {"POST", NULL, NULL, "0"},
        {"PATCH", NULL, NULL, "0"},
        {"POST", large, "application/json", "2097152"}, /* without waiting for 100 Continue */
    };
    struct fixture f = fixture_new(NULL);
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct call c = {0};
        char type[64] = "Content-Type: ";
        const char *const headers[] = {strcat(type, rows[i].type ? rows[i].type : ""), NULL};
        call_start(&f, &c,
                   (struct http_request){.method = rows[i].method,
                                         .body = rows[i].body,
                                         .body_len = rows[i].body ? strlen(rows[i].body) : 0,
                                         .headers = rows[i].type ? headers : NULL});
        call_wait(&c);
        check_row(rows[i].method, c.err.kind == ERROR_NONE && c.status == 200 && c.total_us < 900 * MS);
        struct server_request *r = server_take(f.server, 0);
        const char *got_type = server_request_header(r, "Content-Type");
        const char *got_length = server_request_header(r, "Content-Length");
        assert_string_equal(r->method, rows[i].method);
        assert_string_equal(r->body, rows[i].body ? rows[i].body : "");
        assert_string_equal(got_type ? got_type : "-", rows[i].type ? rows[i].type : "-");
        assert_string_equal(got_length ? got_length : "-", rows[i].length ? rows[i].length : "-");
        assert_null(server_request_header(r, "Expect"));
        server_request_free(r);
        call_clear(&c);
    }
    assert_int_equal(server_accepted(f.server), 1);
    free(large);
    fixture_done(&f);
}

static void test_refused_requests(void **state UNUSED)
{
    static const char *const bad_header[] = {"X: a\r\nY: b", NULL}, *const no_colon[] = {"X", NULL},
                             *const no_value[] = {"X:", NULL};
    static const struct {
        const char *name;
        struct http_request request;
    } rows[] = {
        {"method", {.method = "get", .path = "/"}},
        {"method with space", {.method = "GET /", .path = "/"}},
        {"no slash", {.method = "GET", .path = "x"}},
        {"other host", {.method = "GET", .path = "@evil.example/"}},
        {"space", {.method = "GET", .path = "/a b"}},
        {"fragment", {.method = "GET", .path = "/a#b"}},
        {"line break", {.method = "GET", .path = "/a\r\nX: y"}},
        {"dots", {.method = "GET", .path = "/a/../b"}},
        {"dots at the end", {.method = "GET", .path = "/a/.."}},
        {"dots before a query", {.method = "GET", .path = "/a/..?b"}},
        {"dot", {.method = "GET", .path = "/./b"}},
        {"header smuggling", {.method = "GET", .path = "/", .headers = bad_header}},
        {"header without colon", {.method = "GET", .path = "/", .headers = no_colon}},
        {"header without value", {.method = "GET", .path = "/", .headers = no_value}},
    };
    struct fixture f = fixture_new(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error err = ERROR_INIT;
        struct http_request q = rows[i].request;
        q.done = call_done;
        check_row(rows[i].name, http_start(f.http, f.origin, &q, &err) < 0);
        check_row(rows[i].name, err.kind == ERROR_INTERNAL);
    }
    assert_int_equal(http_active(f.http), 0);
    /* Dots that are no segments are the caller's. */
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    struct call c = {0};
    call_start(&f, &c, (struct http_request){.path = "/.a/..b/c..?x=/../y"});
    call_wait(&c);
    struct server_request *r = server_take(f.server, 0);
    assert_string_equal(r->path, "/.a/..b/c..?x=/../y");
    server_request_free(r);
    fixture_done(&f);
}

/* One after the other on the same kind of connection: the connection is kept. */
static void test_connections_are_kept(void **state UNUSED)
{
    static const struct {
        const char *name;
        bool plain;
        enum http_connection connection;
        enum loop_priority priority;
    } rows[] = {
        {"shared", false, HTTP_SHARED, LOOP_NORMAL},
        {"dedicated", false, HTTP_DEDICATED, LOOP_NORMAL},
        {"lease", false, HTTP_DEDICATED, LOOP_LEASE},
        {"plain", true, HTTP_SHARED, LOOP_NORMAL},
        {"lease, shared asked", false, HTTP_SHARED, LOOP_LEASE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct server_options options = {.plain = rows[i].plain};
        struct fixture f = fixture_new(&options);
        server_default(f.server, NULL, "*", script_answer(200, NULL, "x"));
        struct http_request q = {.connection = rows[i].connection, .priority = rows[i].priority};
        for (int n = 0; n < 4; n++) {
            struct call c = {0};
            q.fresh_connection = n == 2;
            call_start(&f, &c, q);
            call_wait(&c);
            check_row(rows[i].name, c.status == 200);
            call_clear(&c);
        }
        check_row(rows[i].name, server_accepted(f.server) == 2);
        struct server_hello hello;
        if (!rows[i].plain) {
            assert_true(server_take_hello(f.server, 0, &hello));
            bool alone = rows[i].connection == HTTP_DEDICATED || rows[i].priority == LOOP_LEASE;
            check_row(rows[i].name, strcmp(hello.alpn, alone ? "http/1.1" : "h2,http/1.1") == 0);
            check_row(rows[i].name, hello.server_name[0] == '\0'); /* no SNI for an address */
        }
        fixture_done(&f);
    }
}

/* Ten watches are held, and neither the shared pool nor the lease waits for one of them. */
static void test_dedicated_connections_are_nobody_elses(void **state UNUSED)
{
    enum { WATCHES = 10 };
    struct fixture f = fixture_new(NULL);
    struct call watches[WATCHES] = {0};
    for (int i = 0; i < WATCHES; i++) {
        struct script *s = script_new();
        script_head(s, 200, "Transfer-Encoding: chunked\r\n");
        script_hold(s);
        server_on(f.server, NULL, "/watch", s);
        call_start(&f, &watches[i],
                   (struct http_request){.path = "/watch", .connection = HTTP_DEDICATED, .total_timeout_us = -1});
    }
    turn_until_seen(&f, WATCHES);
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    struct call shared = {0}, lease = {0};
    call_start(&f, &shared, (struct http_request){0});
    call_start(&f, &lease, (struct http_request){.connection = HTTP_DEDICATED, .priority = LOOP_LEASE});
    call_wait(&shared);
    call_wait(&lease);
    assert_int_equal(server_accepted(f.server), WATCHES + 2);
    assert_int_equal(http_active(f.http), WATCHES);
    fixture_done(&f);
}

static void test_a_hundred_at_once(void **state UNUSED)
{
    enum { N = 100 };
    struct fixture f = fixture_new(NULL);
    struct call *calls = xcalloc(N, sizeof(*calls));
    for (size_t i = 0; i < N; i++) {
        char path[16];
        (void)snprintf(path, sizeof(path), "/%zu", i);
        struct script *s = script_new();
        script_delay(s, (int)(i % 7));
        script_reply(s, 200, NULL, path);
        server_on(f.server, NULL, path, s);
        call_start(&f, &calls[i], (struct http_request){.path = path});
    }
    assert_int_equal(http_active(f.http), N);
    for (size_t i = 0; i < N; i++) {
        char path[16];
        (void)snprintf(path, sizeof(path), "/%zu", i);
        call_wait(&calls[i]);
        assert_int_equal(calls[i].err.kind, ERROR_NONE);
        assert_string_equal(calls[i].body.data, path);
        for (size_t k = 0; k < i; k++)
            assert_true(calls[k].id != calls[i].id);
        call_clear(&calls[i]);
    }
    assert_true(server_accepted(f.server) <= 8);
    assert_int_equal(server_seen(f.server), N);
    turn_for(&f, 10 * MS);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(calls[i].done, 1);
    free(calls);
    fixture_done(&f);
}

static int keep_piece(struct call *c, const char *bytes, size_t len, struct error *err UNUSED)
{
    return buf_append(&c->body, bytes, len);
}

/* However the bytes are cut on the wire, the same come out. */
static void test_streams_in_any_pieces(void **state UNUSED)
{
    static const size_t splits[] = {0, 1, 2, 3, 7, 64};
    struct fixture f = fixture_new(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(splits); i++) {
        struct script *s = script_new();
        script_split(s, splits[i], 0);
        script_head(s, 200, "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n");
        script_chunk(s, "{\"type\":\"ADDED\"}\n");
        script_chunk(s, "{\"type\":\"MODI");
        script_chunk(s, "FIED\"}\n");
        script_text(s, "0\r\nX-Trailer: 1\r\n\r\n");
        server_on(f.server, NULL, "*", s);
        struct call c = {.on_piece = keep_piece};
        call_start(&f, &c, (struct http_request){.connection = HTTP_DEDICATED, .total_timeout_us = -1});
        call_wait(&c);
        assert_int_equal(c.err.kind, ERROR_NONE);
        assert_string_equal(c.body.data, "{\"type\":\"ADDED\"}\n{\"type\":\"MODIFIED\"}\n");
        assert_string_equal(c.content_type, "application/json");
        assert_true(c.pieces >= 1);
        call_clear(&c);
    }
    assert_int_equal(server_accepted(f.server), 1);
    fixture_done(&f);
}

/* Pieces come when they are there, not when a buffer is full. */
static void test_streams_are_prompt(void **state UNUSED)
{
    struct fixture f = fixture_new(NULL);
    struct script *s = script_new();
    script_head(s, 200, "Transfer-Encoding: chunked\r\n");
    script_hold(s);
    server_on(f.server, NULL, "*", s);
    struct call c = {.on_piece = keep_piece};
    call_start(&f, &c, (struct http_request){.connection = HTTP_DEDICATED, .total_timeout_us = -1});
    turn_until_seen(&f, 1);
    struct server_request *r = server_take(f.server, 0);
    for (size_t i = 1; i <= 5; i++) {
        struct script *more = script_new();
        script_chunk(more, "event\n");
        server_append(f.server, r->id, more);
        int64_t end = clock_boot_us(&clock_system) + 10 * S;
        while (c.body.len < 6 * i && clock_boot_us(&clock_system) < end)
            (void)loop_turn(f.loop, 10 * MS);
        assert_int_equal(c.body.len, 6 * i);
        assert_int_equal(c.done, 0);
    }
    server_request_free(r);
    http_cancel(f.http, c.id);
    call_clear(&c);
    fixture_done(&f);
}

static void test_retry_after(void **state UNUSED)
{
    static const struct {
        const char *headers;
        int64_t want_ms;
    } rows[] = {
        {NULL, -1},
        {"Retry-After: 0\r\n", 0},
        {"Retry-After: 32\r\n", 32000},
        {"retry-after:   5  \r\n", 5000},
        {"Retry-After: -5\r\n", -1},
        {"Retry-After: 1.5\r\n", -1},
        {"Retry-After: soon\r\n", -1},
        {"Retry-After: 99999999\r\n", 86400000},
        {"Retry-After: 99999999999999999999999\r\n", -1},
        {"Date: Wed, 21 Oct 2026 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2026 07:28:30 GMT\r\n", 30000},
        {"Retry-After: Wed, 21 Oct 2026 07:28:30 GMT\r\nDate: Wed, 21 Oct 2026 07:28:00 GMT\r\n", 30000},
        {"Date: Wed, 21 Oct 2026 07:28:30 GMT\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", 0},
        {"Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", 0},
    };
    struct fixture f = fixture_new(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct script *s = script_new();
        script_reply(s, 503, rows[i].headers, "busy");
        server_on(f.server, NULL, "*", s);
        struct call c = {0};
        call_start(&f, &c, (struct http_request){0});
        call_wait(&c);
        assert_int_equal(c.err.kind, ERROR_NONE); /* an answer is an answer */
        if (c.retry_after_ms != rows[i].want_ms)
            fail_msg("%s: %lld", rows[i].headers, (long long)c.retry_after_ms);
        call_clear(&c);
    }
    fixture_done(&f);
}

/* "x" a thousand times, as gzip. */
static const unsigned char thousand_x[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                           0xab, 0xa8, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x0c, 0x77, 0x00,
                                           0x00, 0xe6, 0xc9, 0x41, 0x3b, 0xe8, 0x03, 0x00, 0x00};

static void send_gzip(struct fixture *f, const char *path)
{
    struct script *s = script_new();
    char head[64];
    (void)snprintf(head, sizeof(head), "Content-Encoding: gzip\r\nContent-Length: %zu\r\n", sizeof(thousand_x));
    script_head(s, 200, head);
    script_bytes(s, thousand_x, sizeof(thousand_x));
    server_on(f->server, NULL, path, s);
}

static void test_compressed_answers(void **state UNUSED)
{
    struct fixture f = fixture_new(NULL);
    send_gzip(&f, "/");
    struct call c = {0};
    call_start(&f, &c, (struct http_request){0});
    call_wait(&c);
    assert_int_equal(c.err.kind, ERROR_NONE);
    assert_int_equal(c.body.len, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(c.body.data[i], 'x');
    call_clear(&c);
    /* The cap counts what comes out. */
    send_gzip(&f, "/");
    struct call capped = {0};
    call_start(&f, &capped, (struct http_request){.max_body = 999});
    call_wait(&capped);
    check_says("cap", &capped.err, ERROR_LIMIT, "larger than 999 bytes");
    call_clear(&capped);
    /* Not asked for, not undone. */
    send_gzip(&f, "/");
    struct call raw = {0};
    call_start(&f, &raw, (struct http_request){.verbatim_encoding = true});
    call_wait(&raw);
    assert_int_equal(raw.body.len, sizeof(thousand_x));
    call_clear(&raw);
    struct server_request *r = NULL;
    for (int i = 0; i < 3; i++) {
        server_request_free(r);
        r = server_take(f.server, 0);
    }
    assert_null(server_request_header(r, "Accept-Encoding"));
    server_request_free(r);
    fixture_done(&f);
}

static void note_order(struct call *c, const struct http_result *r UNUSED)
{
    struct buf *order = c->data;
    assert_int_equal(buf_printf(order, "%d", c->pieces), 0);
}

/* Four are finished when the loop gets to tell: the most urgent hears it first. */
static void test_done_has_a_priority(void **state UNUSED)
{
    static const enum loop_priority order[] = {LOOP_IDLE, LOOP_NORMAL, LOOP_IO};
    struct fixture f = fixture_new(NULL);
    struct buf text = BUF_INIT(64);
    struct call calls[ARRAY_SIZE(order)] = {0};
    server_down(f.server); /* refused at once, all of them */
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        calls[i].on_done = note_order;
        calls[i].data = &text;
        calls[i].pieces = (int)i;
        call_start(&f, &calls[i], (struct http_request){.priority = order[i]});
        assert_int_equal(calls[i].done, 0); /* never from inside */
    }
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        call_wait(&calls[i]);
    assert_string_equal(text.data, "210");
    buf_done(&text);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer),
        cmocka_unit_test(test_headers_of_an_answer),
        cmocka_unit_test(test_methods_and_bodies),
        cmocka_unit_test(test_refused_requests),
        cmocka_unit_test(test_connections_are_kept),
        cmocka_unit_test(test_dedicated_connections_are_nobody_elses),
        cmocka_unit_test(test_a_hundred_at_once),
        cmocka_unit_test(test_streams_in_any_pieces),
        cmocka_unit_test(test_streams_are_prompt),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_compressed_answers),
        cmocka_unit_test(test_done_has_a_priority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
