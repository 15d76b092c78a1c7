/* HTTP/2 on shared connections, with the frames written by hand: requests share one connection, a stream can fail
 * alone, and a write that the server did not take is not sent again. */
#include "test/unit/base/http_fixture.h"

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { INTERNAL_ERROR = 2, REFUSED_STREAM = 7 };

static void frame(struct script *s, int type, int flags, uint32_t stream, const void *payload, size_t len)
{
    unsigned char head[9] = {(unsigned char)(len >> 16),    (unsigned char)(len >> 8),    (unsigned char)len,
                             (unsigned char)type,           (unsigned char)flags,         (unsigned char)(stream >> 24),
                             (unsigned char)(stream >> 16), (unsigned char)(stream >> 8), (unsigned char)stream};
    script_bytes(s, head, sizeof(head));
    script_bytes(s, payload, len);
}

/* ":status: 200" and, as a literal, "content-type: text/plain". */
static const char ok_headers[] = "\x88\x00\x0c"
                                 "content-type\x0a"
                                 "text/plain";

static void answer(struct script *s, uint32_t stream, const char *body)
{
    frame(s, HEADERS, END_HEADERS, stream, ok_headers, sizeof(ok_headers) - 1);
    frame(s, DATA, END_STREAM, stream, body, strlen(body));
}

static void reset_stream(struct script *s, uint32_t stream, uint32_t code)
{
    unsigned char payload[4] = {0, 0, 0, (unsigned char)code};
    frame(s, RST_STREAM, 0, stream, payload, sizeof(payload));
}

/* A connection up to the point where the client has sent its requests. */
static struct script *begin(void)
{
    struct script *s = script_new();
    script_tls(s);
    frame(s, SETTINGS, 0, 0, NULL, 0);
    script_delay(s, 60);
    frame(s, SETTINGS, ACK, 0, NULL, 0);
    return s;
}

static const struct server_options h2 = {.http2 = true};

static void test_requests_share_a_connection(void **state UNUSED)
{
    struct fixture f = fixture_new(&h2);
    struct script *s = begin();
    answer(s, 5, "five");
    answer(s, 1, "one");
    answer(s, 3, "three");
    script_stall(s);
    server_on_accept(f.server, s);
    static const char *const want[] = {"one", "three", "five"};
    struct call calls[3] = {0};
    for (size_t i = 0; i < 3; i++)
        call_start(&f, &calls[i], (struct http_request){0});
    for (size_t i = 0; i < 3; i++) {
        call_wait(&calls[i]);
        assert_int_equal(calls[i].err.kind, ERROR_NONE);
        assert_int_equal(calls[i].status, 200);
        assert_string_equal(calls[i].body.data, want[i]);
        assert_string_equal(calls[i].content_type, "text/plain");
        call_clear(&calls[i]);
    }
    assert_int_equal(server_accepted(f.server), 1);
    fixture_done(&f);
}

static int cancel_once(struct call *c, const char *bytes UNUSED, size_t len UNUSED, struct error *err UNUSED)
{
    http_cancel(c->f->http, c->id);
    return 0;
}

/* One is cancelled in its own stream's data, one is reset by the server, one runs into its cap: the fourth is well. */
static void test_streams_fail_alone(void **state UNUSED)
{
    struct fixture f = fixture_new(&h2);
    struct script *s = begin();
    frame(s, HEADERS, END_HEADERS, 1, ok_headers, sizeof(ok_headers) - 1);
    frame(s, DATA, 0, 1, "abc", 3);
    frame(s, HEADERS, END_HEADERS, 3, ok_headers, sizeof(ok_headers) - 1);
    reset_stream(s, 3, INTERNAL_ERROR);
    answer(s, 5, "0123456789");
    script_delay(s, 20);
    answer(s, 7, "well");
    script_stall(s);
    server_on_accept(f.server, s);
    struct call calls[4] = {{.on_piece = cancel_once}};
    for (size_t i = 0; i < 4; i++)
        call_start(&f, &calls[i], (struct http_request){.max_body = i == 2 ? 5 : 0});
    for (size_t i = 1; i < 4; i++)
        call_wait(&calls[i]);
    assert_int_equal(calls[0].done, 0);
    check_says("reset", &calls[1].err, ERROR_IO, "ended the HTTP/2 exchange");
    assert_true(calls[1].sent);
    check_says("cap", &calls[2].err, ERROR_LIMIT, "larger than 5 bytes");
    assert_int_equal(calls[3].err.kind, ERROR_NONE);
    assert_string_equal(calls[3].body.data, "well");
    assert_int_equal(server_accepted(f.server), 1);
    assert_int_equal(http_active(f.http), 0);
    for (size_t i = 0; i < 4; i++)
        call_clear(&calls[i]);
    fixture_done(&f);
}

/* The server goes away without having taken the stream. */
static void test_streams_that_were_not_taken(void **state UNUSED)
{
    static const struct {
        const char *name, *method;
        bool goaway;
        enum { NEVER, ALWAYS, EITHER } repeated;
    } rows[] = {
        {"refused read", "GET", false, ALWAYS},
        {"refused write", "POST", false, NEVER},
        {"goaway, read", "GET", true, EITHER}, /* libcurl 7 leaves it to the caller, 8 repeats it */
        {"goaway, write", "PATCH", true, NEVER},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture f = fixture_new(&h2);
        struct script *s = begin(), *again = begin();
        if (rows[i].goaway) {
            static const unsigned char nothing_taken[8] = {0};
            frame(s, GOAWAY, 0, 0, nothing_taken, sizeof(nothing_taken));
            script_cut(s);
        } else {
            reset_stream(s, 1, REFUSED_STREAM);
            script_delay(s, 60);
            answer(s, 3, "again");
            script_stall(s);
        }
        answer(again, 1, "again");
        script_stall(again);
        server_on_accept(f.server, s);
        server_on_accept(f.server, again);
        struct call c = {0};
        call_start(&f, &c, (struct http_request){.method = rows[i].method});
        call_wait(&c);
        check_row(rows[i].name, c.sent);
        if (c.err.kind == ERROR_NONE) {
            check_row(rows[i].name, rows[i].repeated != NEVER);
            assert_string_equal(c.body.data, "again");
        } else {
            check_row(rows[i].name, rows[i].repeated != ALWAYS);
            check_says(rows[i].name, &c.err, ERROR_IO, "127.0.0.1");
            check_row(rows[i].name, !c.got_response);
        }
        call_clear(&c);
        fixture_done(&f);
    }
}

static void test_cut_in_a_stream(void **state UNUSED)
{
    struct fixture f = fixture_new(&h2);
    struct script *s = begin();
    frame(s, HEADERS, END_HEADERS, 1, ok_headers, sizeof(ok_headers) - 1);
    frame(s, DATA, 0, 1, "abc", 3);
    script_cut(s);
    server_on_accept(f.server, s);
    struct call c = {0};
    call_start(&f, &c, (struct http_request){0});
    call_wait(&c);
    check_says("cut", &c.err, ERROR_IO, "127.0.0.1");
    call_clear(&c);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_share_a_connection),
        cmocka_unit_test(test_streams_fail_alone),
        cmocka_unit_test(test_streams_that_were_not_taken),
        cmocka_unit_test(test_cut_in_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
