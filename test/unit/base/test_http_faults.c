/* Everything that can go wrong on the wire, what the caller is told, and whether a write may be tried again. */
#include "test/unit/base/http_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Broken answers */

static void cut_before(struct script *s)
{
    script_cut(s);
}

static void cut_in_headers(struct script *s)
{
    script_text(s, "HTTP/1.1 200 OK\r\nContent-Le");
    script_cut(s);
}

static void cut_in_body(struct script *s)
{
    script_text(s, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
    script_cut(s);
}

static void cut_in_chunk(struct script *s)
{
    script_head(s, 200, "Transfer-Encoding: chunked\r\n");
    script_text(s, "10\r\nabc");
    script_cut(s);
}

static void cut_between_chunks(struct script *s)
{
    script_head(s, 200, "Transfer-Encoding: chunked\r\n");
    script_chunk(s, "abc");
    script_cut(s);
}

static void cut_dirty(struct script *s)
{
    script_head(s, 200, NULL); /* the body ends with the connection: TLS has to say so */
    script_text(s, "abc");
    script_cut_dirty(s);
}

static void without_length(struct script *s)
{
    script_head(s, 200, NULL);
    script_text(s, "abc");
    script_cut(s);
}

static void reset_before(struct script *s)
{
    script_reset(s);
}

static void reset_in_body(struct script *s)
{
    script_text(s, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
    script_delay(s, 20);
    script_reset(s);
}

static void garbage(struct script *s)
{
    script_text(s, "SSH-2.0-OpenSSH\r\n\r\n");
    script_cut(s);
}

static void huge_header(struct script *s)
{
    script_text(s, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 300; i++)
        script_printf(s, "X-%d: %01000d\r\n", i, 0);
    script_text(s, "\r\n");
}

static void endless_line(struct script *s)
{
    script_text(s, "HTTP/1.1 200 OK\r\nX: ");
    for (int i = 0; i < 300; i++)
        script_printf(s, "%01000d", 0);
}

static void endless_hints(struct script *s)
{
    for (int i = 0; i < 20000; i++)
        script_text(s, "HTTP/1.1 103 Early Hints\r\n\r\n");
    script_stall(s);
}

static void switched(struct script *s)
{
    script_text(s, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nabc");
    script_stall(s);
}

static void bad_chunk(struct script *s)
{
    script_head(s, 200, "Transfer-Encoding: chunked\r\n");
    script_text(s, "zz\r\nabc\r\n");
}

static void bad_gzip(struct script *s)
{
    script_head(s, 200, "Content-Encoding: gzip\r\nContent-Length: 8\r\n");
    script_text(s, "not gzip");
}

static void too_large(struct script *s)
{
    script_reply(s, 200, NULL, "0123456789");
}

static void too_large_chunked(struct script *s)
{
    script_head(s, 200, "Transfer-Encoding: chunked\r\n");
    for (int i = 0; i < 4; i++)
        script_chunk(s, "0123");
    script_stall(s);
}

static void test_broken_answers(void **state UNUSED)
{
    static const struct {
        const char *name;
        void (*script)(struct script *s);
        enum error_kind kind;
        const char *text;
        bool got_response;
        int status;
    } rows[] = {
        {"cut before", cut_before, ERROR_IO, "closed the connection without an answer", false, 0},
        {"cut in headers", cut_in_headers, ERROR_IO, "closed the connection", true, 0},
        {"cut in body", cut_in_body, ERROR_IO, "in the middle of its answer, after 3 bytes", true, 200},
        {"cut in chunk", cut_in_chunk, ERROR_IO, "in the middle of its answer, after 3 bytes", true, 200},
        {"cut between chunks", cut_between_chunks, ERROR_IO, "after 3 bytes", true, 200},
        {"without a length", without_length, ERROR_HTTP, "neither its length nor its end", true, 200},
        {"dirty cut", cut_dirty, ERROR_NONE, NULL, true,
         200}, /* libcurl 7 sees no cut, only that there was no length */
        {"reset before", reset_before, ERROR_IO, "without an answer", false, 0},
        {"reset in body", reset_in_body, ERROR_IO, "after 3 bytes", true, 200},
        {"garbage", garbage, ERROR_HTTP, "exchange with", false, 0},
        {"huge headers", huge_header, ERROR_LIMIT, "256 KiB of headers", true, 0},
        {"endless line", endless_line, ERROR_LIMIT, "a header line that is too long", true, 0},
        {"endless hints", endless_hints, ERROR_LIMIT, "256 KiB of headers", true, 0},
        {"switched", switched, ERROR_HTTP, "a protocol nobody asked for", true, 0},
        {"bad chunk", bad_chunk, ERROR_HTTP, "exchange with", true, 200},
        {"bad gzip", bad_gzip, ERROR_HTTP, "exchange with", true, 200},
        {"too large", too_large, ERROR_LIMIT, "larger than 9 bytes", true, 200},
        {"too large, chunked", too_large_chunked, ERROR_LIMIT, "larger than 9 bytes", true, 200},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture f = fixture_new(NULL);
        struct script *s = script_new();
        rows[i].script(s);
        server_on(f.server, NULL, "*", s);
        struct call c = {0};
        call_start(&f, &c, (struct http_request){.max_body = 9, .connection = i % 2 ? HTTP_SHARED : HTTP_DEDICATED});
        call_wait(&c);
        bool length_missed = !rows[i].text && c.err.kind == ERROR_HTTP;
        enum error_kind kind = rows[i].text ? rows[i].kind : length_missed ? ERROR_HTTP : ERROR_IO;
        const char *text = length_missed ? "neither its length nor its end" : "after 3 bytes";
        check_says(rows[i].name, &c.err, kind, rows[i].text ? rows[i].text : text);
        char place[32];
        (void)snprintf(place, sizeof(place), "127.0.0.1:%d", server_port(f.server));
        check_says(rows[i].name, &c.err, kind, place);
        check_row(rows[i].name, c.sent && c.got_response == rows[i].got_response && c.status == rows[i].status);
        call_clear(&c);
        /* What went wrong on one connection is not taken along to the next request. */
        server_default(f.server, NULL, "*", script_answer(200, NULL, "fine"));
        struct call after = {0};
        call_start(&f, &after, (struct http_request){.connection = i % 2 ? HTTP_SHARED : HTTP_DEDICATED});
        call_wait(&after);
        check_row(rows[i].name, after.err.kind == ERROR_NONE && strcmp(after.body.data, "fine") == 0);
        check_row(rows[i].name, server_accepted(f.server) == 2);
        call_clear(&after);
        fixture_done(&f);
    }
}

/* Time */

/* On a fake clock: an hour of silence is a jump. */
static void test_deadlines(void **state UNUSED)
{
    enum { STALL_BEFORE, STALL_IN_BODY, TRICKLE };
    static const struct {
        const char *name;
        int kind;
        int64_t total_us, idle_us, expect_us;
        const char *text;
    } rows[] = {
        {"no answer, default", STALL_BEFORE, 0, 0, 30 * S, "no answer from"},
        {"no answer", STALL_BEFORE, 4 * S, 0, 4 * S, "no answer from"},
        {"no end", STALL_IN_BODY, 4 * S, 0, 4 * S, "no complete answer from"},
        {"silence before", STALL_BEFORE, -1, 90 * S, 90 * S, "has been silent for 90.0 s"},
        {"silence in the body", STALL_IN_BODY, -1, 90 * S, 90 * S, "has been silent for 90.0 s"},
        {"deadline before silence", STALL_IN_BODY, 60 * S, 90 * S, 60 * S, "no complete answer"},
        {"silence before deadline", STALL_IN_BODY, 3600 * S, 90 * S, 90 * S, "silent"},
        {"trickle", TRICKLE, 600 * S, 90 * S, 600 * S, "no complete answer"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture f = {0};
        clock_fake_init(&f.fake, 1700000000 * S);
        fixture_init(&f, NULL, &f.fake.clock);
        struct script *s = script_new();
        if (rows[i].kind != STALL_BEFORE) {
            script_head(s, 200, "Transfer-Encoding: chunked\r\n");
            script_chunk(s, "x");
        }
        script_hold(s);
        server_on(f.server, NULL, "*", s);
        struct call c = {.on_piece = NULL};
        int64_t begin = loop_now_us(f.loop);
        call_start(&f, &c,
                   (struct http_request){.total_timeout_us = rows[i].total_us,
                                         .idle_timeout_us = rows[i].idle_us,
                                         .connection = HTTP_DEDICATED});
        turn_until_seen(&f, 1);
        turn_for(&f, 30 * MS);
        assert_int_equal(c.done, 0);
        struct server_request *r = server_take(f.server, 0);
        for (int n = 1; rows[i].kind == TRICKLE && n <= 9; n++) {
            (void)loop_jump(f.loop, &f.fake, begin + n * 60 * S);
            if (f.fake.boot_us < begin + n * 60 * S)
                clock_fake_advance(&f.fake, begin + n * 60 * S - f.fake.boot_us);
            struct script *more = script_new();
            script_chunk(more, "x");
            server_append(f.server, r->id, more);
            turn_for(&f, 15 * MS);
            check_row(rows[i].name, c.done == 0);
        }
        while (!c.done && loop_jump(f.loop, &f.fake, INT64_MAX))
            continue;
        check_row(rows[i].name, c.done == 1);
        check_says(rows[i].name, &c.err, ERROR_TIMEOUT, rows[i].text);
        check_row(rows[i].name, loop_now_us(f.loop) - begin == rows[i].expect_us && c.sent);
        check_row(rows[i].name, c.total_us == rows[i].expect_us);
        /* For good: the server sees the connection go. */
        for (int n = 0; n < 500 && server_connections(f.server); n++)
            turn_for(&f, 10 * MS);
        check_row(rows[i].name, server_connections(f.server) == 0);
        server_request_free(r);
        call_clear(&c);
        fixture_done(&f);
    }
}

/* A listener whose queue is full drops what comes, as a firewall does. */
static int full_listener(int *ret_port, int *ret_fillers, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    for (size_t i = 0; i < n; i++) {
        ret_fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(ret_fillers[i], (struct sockaddr *)&a, sizeof(a));
    }
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static void test_connecting_takes_too_long(void **state UNUSED)
{
    struct fixture f = fixture_new(NULL);
    struct error err = ERROR_INIT;
    int port, fillers[4];
    int fd = full_listener(&port, fillers, ARRAY_SIZE(fillers));
    char url[64];
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", port);
    struct http_origin_config config = {.url = url, .insecure_skip_verify = true};
    struct http_origin *o = http_origin_new(&config, &err);
    struct call c = {0};
    call_start_to(&f, &c, o, (struct http_request){.connect_timeout_us = 100 * MS});
    call_wait(&c);
    check_says("packets dropped", &c.err, ERROR_TIMEOUT, "within 0.1 s; is it up, does a firewall drop packets?");
    assert_true(!c.sent && !c.got_response && c.total_us >= 90 * MS && c.total_us < 5 * S);
    /* The handshake is part of connecting. */
    struct script *s = script_new();
    script_stall(s);
    server_on_accept(f.server, s);
    struct call d = {0};
    call_start(&f, &d, (struct http_request){.connect_timeout_us = 100 * MS});
    call_wait(&d);
    check_says("handshake", &d.err, ERROR_TIMEOUT, "no connection to 127.0.0.1:");
    assert_false(d.sent);
    http_origin_unref(o);
    for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
        close(fillers[i]);
    close(fd);
    fixture_done(&f);
}

/* Requests that wait for a free connection don't use up the time to connect. */
static void test_queueing_is_not_connecting(void **state UNUSED)
{
    enum { N = 24 };
    struct fixture f = fixture_new(NULL);
    struct script *s = script_new();
    script_delay(s, 800);
    script_reply(s, 200, NULL, "x");
    server_default(f.server, NULL, "*", s);
    struct call calls[N] = {0};
    for (size_t i = 0; i < N; i++)
        call_start(&f, &calls[i], (struct http_request){.connect_timeout_us = 1500 * MS});
    for (size_t i = 0; i < N; i++) {
        call_wait(&calls[i]);
        if (calls[i].err.kind != ERROR_NONE)
            fail_msg("%s", error_text(&calls[i].err));
        call_clear(&calls[i]);
    }
    fixture_done(&f);
}

/* TLS */

static void test_certificates_of_the_server(void **state UNUSED)
{
    static const struct {
        const char *name;
        enum server_certificate certificate;
        const char *text;
    } rows[] = {
        {"expired", SERVER_CERT_EXPIRED, "the server's certificate (CN=scripted server) expired on 20"},
        {"expired, remedy", SERVER_CERT_EXPIRED, "renew it"},
        {"not yet", SERVER_CERT_NOT_YET, "is valid from 20"},
        {"wrong name", SERVER_CERT_WRONG_NAME, "is for other.example, not for 127.0.0.1; use an address it is for"},
        {"other CA", SERVER_CERT_OTHER_CA,
         "is signed by CN=another CA, which the trusted CA certificates don't include"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (int connection = HTTP_SHARED; connection <= HTTP_DEDICATED; connection++) {
            struct server_options options = {.certificate = rows[i].certificate};
            struct fixture f = fixture_new(&options);
            struct call c = {0};
            call_start(&f, &c, (struct http_request){.connection = (enum http_connection)connection});
            call_wait(&c);
            check_says(rows[i].name, &c.err, ERROR_TLS, rows[i].text);
            check_row(rows[i].name, !c.sent && !c.got_response && server_seen(f.server) == 0);
            /* Told not to look, it does not. */
            struct error err = ERROR_INIT;
            struct http_origin_config config = {.url = server_url(f.server), .insecure_skip_verify = true};
            struct http_origin *o = http_origin_new(&config, &err);
            server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
            struct call insecure = {0};
            call_start_to(&f, &insecure, o, (struct http_request){0});
            call_wait(&insecure);
            check_row(rows[i].name, insecure.status == 200);
            http_origin_unref(o);
            fixture_done(&f);
        }
    }
}

static void test_client_certificates_that_are_refused(void **state UNUSED)
{
    static const struct {
        const char *name;
        bool tls12, pair, foreign;
        int64_t from_s, until_s;
        const char *text;
    } rows[] = {
        {"none", false, false, false, 0, 0, "may want a client certificate, and none is configured"},
        {"none, TLS 1.2", true, false, false, 0, 0, "may want a client certificate, and none is configured"},
        {"expired", false, true, false, -7200, -3600,
         "refused the client certificate; the client certificate (CN=me) "
         "expired on 20"},
        {"expired, TLS 1.2", true, true, false, -7200, -3600, "expired on 20"},
        {"foreign", false, true, true, 0, 3600, "refused the client certificate (CN=me, valid until 20"},
        {"foreign, TLS 1.2", true, true, true, 0, 3600, "does it trust the CA that signed it?"},
    };
    struct pki *foreign = pki_new("foreign");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct server_options options = {.client_cert = SERVER_CLIENT_REQUIRED, .tls12 = rows[i].tls12};
        struct fixture f = fixture_new(&options);
        struct error err = ERROR_INIT;
        struct http_origin_config config = {.url = server_url(f.server), .ca_pem = server_ca_pem(f.server)};
        struct pki_pair pair = {0};
        struct pki_leaf leaf = {.common_name = "me", .from_s = rows[i].from_s, .until_s = rows[i].until_s};
        if (rows[i].pair && rows[i].foreign)
            pki_issue(foreign, &leaf, &pair);
        else if (rows[i].pair)
            server_issue(f.server, &leaf, &pair);
        config.client_cert_pem = pair.cert_pem;
        config.client_key_pem = pair.key_pem;
        struct http_origin *o = http_origin_new(&config, &err);
        assert_non_null(o);
        struct call c = {0};
        call_start_to(&f, &c, o, (struct http_request){.connection = HTTP_DEDICATED});
        call_wait(&c);
        check_says(rows[i].name, &c.err, ERROR_TLS, rows[i].text);
        check_row(rows[i].name, !c.got_response && server_seen(f.server) == 0);
        http_origin_unref(o);
        pki_pair_done(&pair);
        fixture_done(&f);
    }
    pki_free(foreign);
}

static void test_not_tls(void **state UNUSED)
{
    struct fixture f = fixture_new(&(struct server_options){.plain = true});
    struct error err = ERROR_INIT;
    char url[64];
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", server_port(f.server));
    struct http_origin_config config = {.url = url, .insecure_skip_verify = true};
    struct http_origin *o = http_origin_new(&config, &err);
    struct script *s = script_new();
    script_read(s, 10);
    script_text(s, "HTTP/1.1 400 Bad Request\r\n\r\n");
    script_cut(s);
    server_on_accept(f.server, s);
    struct call c = {0};
    call_start_to(&f, &c, o, (struct http_request){0});
    call_wait(&c);
    check_says("plain", &c.err, ERROR_TLS, "does not speak TLS; is the port right, or is it an http:// server?");
    http_origin_unref(o);
    fixture_done(&f);
}

static void test_no_server(void **state UNUSED)
{
    struct fixture f = fixture_new(NULL);
    struct error err = ERROR_INIT;
    server_down(f.server);
    struct call c = {0};
    call_start(&f, &c, (struct http_request){0});
    assert_int_equal(c.done, 0);
    call_wait(&c);
    check_says("refused", &c.err, ERROR_IO, "connection refused; is it running there, is the port right?");
    assert_int_equal(c.err.code, ECONNREFUSED);
    assert_false(c.sent);
    struct http_origin_config config = {.url = "https://no-such-host.invalid:6443", .insecure_skip_verify = true};
    struct http_origin *o = http_origin_new(&config, &err);
    struct call d = {0};
    call_start_to(&f, &d, o, (struct http_request){0});
    call_wait(&d);
    check_says("name", &d.err, ERROR_IO, "can't connect to no-such-host.invalid:6443: the name is not known");
    assert_false(d.sent);
    http_origin_unref(o);
    /* And it comes back. */
    server_up(f.server);
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    struct call e = {0};
    call_start(&f, &e, (struct http_request){0});
    call_wait(&e);
    assert_int_equal(e.status, 200);
    fixture_done(&f);
}

/* Writes */

/* The kept connection dies at the moment of the next request: a GET goes out again by itself, a write never does. */
static void test_kept_connection_dies(void **state UNUSED)
{
    static const struct {
        const char *method, *body;
        bool repeated;
    } rows[] = {{"GET", NULL, true},     {"HEAD", NULL, true}, {"POST", "{}", false}, {"PATCH", "{}", false},
                {"DELETE", NULL, false}, {"PUT", "{}", false}, {"POST", NULL, false}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (int reset = 0; reset <= 1; reset++) {
            struct fixture f = fixture_new(NULL);
            struct script *first = script_answer(200, NULL, "x"), *dies = script_new();
            (reset ? script_reset : script_cut)(dies);
            server_on(f.server, NULL, "/first", first);
            server_on(f.server, NULL, "/second", dies);
            server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
            struct call one = {0}, two = {0};
            call_start(&f, &one, (struct http_request){.path = "/first"});
            call_wait(&one);
            call_start(&f, &two,
                       (struct http_request){.method = rows[i].method,
                                             .path = "/second",
                                             .body = rows[i].body,
                                             .body_len = rows[i].body ? 2 : 0});
            call_wait(&two);
            check_row(rows[i].method, two.sent);
            if (rows[i].repeated) {
                check_row(rows[i].method, two.status == 200 && two.err.kind == ERROR_NONE);
            } else {
                check_says(rows[i].method, &two.err, ERROR_IO, "closed the connection without an answer");
                check_row(rows[i].method, !two.got_response);
            }
            turn_for(&f, 5 * MS);
            check_row(rows[i].method, server_seen(f.server) == (rows[i].repeated ? 3 : 2));
            call_clear(&one);
            call_clear(&two);
            fixture_done(&f);
        }
    }
}

static int refuse(struct call *c UNUSED, struct error *err)
{
    return error_set(err, ERROR_FENCED, "the lease is not safely ours");
}

static int count_and_allow(struct call *c, struct error *err UNUSED)
{
    c->data = (char *)c->data + 1;
    return 0;
}

static void test_the_last_moment_before_sending(void **state UNUSED)
{
    struct fixture f = fixture_new(NULL);
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    struct call refused = {.on_send = refuse};
    call_start(&f, &refused, (struct http_request){.method = "PATCH", .body = "{}", .body_len = 2});
    call_wait(&refused);
    check_says("refused", &refused.err, ERROR_FENCED, "the lease is not safely ours");
    assert_false(refused.sent);
    turn_for(&f, 5 * MS);
    assert_int_equal(server_seen(f.server), 0);
    struct server_hello hello; /* it was asked when there was a connection, not before */
    assert_true(server_take_hello(f.server, 1000, &hello));
    assert_true(hello.complete);
    char zero[8];
    struct call allowed = {.on_send = count_and_allow, .data = zero};
    call_start(&f, &allowed, (struct http_request){.method = "PATCH", .body = "{}", .body_len = 2});
    call_wait(&allowed);
    assert_int_equal(allowed.status, 200);
    assert_true(allowed.data == zero + 1);
    fixture_done(&f);
}

static void thaw(void *data)
{
    clock_fake_advance(data, 3600 * S);
}

/* A process that is frozen while it connects: when it wakes, the answer to its handshake is there before the loop has
 * looked at its timers. The deadline has passed, and nothing goes out any more. */
static void test_frozen_while_connecting(void **state UNUSED)
{
    struct fixture f = {0};
    clock_fake_init(&f.fake, 1700000000 * S);
    fixture_init(&f, NULL, &f.fake.clock);
    struct script *s = script_new();
    script_delay(s, 200);
    server_on_accept(f.server, s);
    char zero[8];
    struct call c = {.on_send = count_and_allow, .data = zero};
    call_start(&f, &c,
               (struct http_request){.method = "PATCH", .body = "{}", .body_len = 2, .total_timeout_us = 4 * S});
    turn_for(&f, 50 * MS);
    usleep(400000); /* frozen; the answer to the hello comes */
    struct loop_timer timer;
    loop_timer_init(&timer, f.loop, LOOP_LEASE, thaw, &f.fake);
    loop_timer_arm(&timer, 0);
    call_wait(&c);
    check_says("frozen", &c.err, ERROR_TIMEOUT, "no answer from");
    assert_true(!c.sent && c.data == zero);
    turn_for(&f, 20 * MS);
    assert_int_equal(server_seen(f.server), 0);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_answers),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_connecting_takes_too_long),
        cmocka_unit_test(test_queueing_is_not_connecting),
        cmocka_unit_test(test_certificates_of_the_server),
        cmocka_unit_test(test_client_certificates_that_are_refused),
        cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_kept_connection_dies),
        cmocka_unit_test(test_the_last_moment_before_sending),
        cmocka_unit_test(test_frozen_while_connecting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
