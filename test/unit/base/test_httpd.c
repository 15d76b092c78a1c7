/* The probes' server: what it answers, what it refuses, and that no client keeps another one waiting. */
#include "test/unit/base/unit.h"

#include "base/alloc.h"
#include "base/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS USEC_PER_MSEC

struct fixture {
    struct loop *loop;
    struct httpd *httpd;
    int calls;
    char accept[64], path[64];
};

static int64_t now_us(void)
{
    return clock_boot_us(&clock_system);
}

static void on_livez(void *data, const struct httpd_request *request, struct httpd_response *response)
{
    struct fixture *f = data;
    f->calls++;
    (void)snprintf(f->accept, sizeof(f->accept), "%s", request->accept);
    (void)snprintf(f->path, sizeof(f->path), "%s", request->path);
    (void)buf_puts(&response->body, "ok\n");
}

static void on_not_ready(void *data UNUSED, const struct httpd_request *request UNUSED, struct httpd_response *response)
{
    response->status = 503;
    response->content_type = "application/json";
    (void)buf_puts(&response->body, "{}");
}

static void on_large(void *data UNUSED, const struct httpd_request *request UNUSED, struct httpd_response *response)
{
    char line[1000];
    memset(line, 'x', sizeof(line));
    for (int i = 0; i < 20000; i++)
        (void)buf_append(&response->body, line, sizeof(line));
}

static void on_too_large(void *data UNUSED, const struct httpd_request *request UNUSED, struct httpd_response *response)
{
    (void)buf_puts(&response->body, "something");
    (void)buf_append(&response->body, "", ((size_t)64 << 20) + 1);
}

static void on_empty(void *data UNUSED, const struct httpd_request *request UNUSED,
                     struct httpd_response *response UNUSED)
{
}

static struct fixture *fixture_new(void)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct error err = ERROR_INIT;
    f->loop = loop_new(&clock_system, &err);
    f->httpd = httpd_new(f->loop, "127.0.0.1:0", &err);
    if (!f->httpd)
        fail_msg("%s", error_text(&err));
    httpd_handle(f->httpd, "/livez", on_not_ready, f);
    httpd_handle(f->httpd, "/livez", on_livez, f);
    httpd_handle(f->httpd, "/readyz", on_not_ready, f);
    httpd_handle(f->httpd, "/large", on_large, f);
    httpd_handle(f->httpd, "/too-large", on_too_large, f);
    httpd_handle(f->httpd, "/empty", on_empty, f);
    return f;
}

static void fixture_free(struct fixture *f)
{
    httpd_free(f->httpd);
    loop_free(f->loop);
    free(f);
}

static int connect_to(int port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Turns the loop until `text` has come at the end of what was received, the peer closed, or twenty seconds are over. */
static char *receive(struct fixture *f, int fd, const char *text)
{
    struct buf in = BUF_INIT(64 << 20);
    int64_t end = now_us() + 20 * USEC_PER_SEC;
    while (now_us() < end) {
        char piece[65536];
        (void)loop_turn(f->loop, 5 * MS);
        ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        if (n > 0)
            assert_int_equal(buf_append(&in, piece, (size_t)n), 0);
        size_t len = strlen(text);
        if (len && in.len >= len && memcmp(in.data + in.len - len, text, len) == 0)
            break;
    }
    char *all = buf_steal(&in);
    buf_done(&in);
    return all;
}

static void check_answer(struct fixture *f, const char *row, const char *request, const char *status, const char *has,
                         const char *lacks)
{
    int fd = connect_to(httpd_port(f->httpd));
    size_t line = strcspn(request, "\r") + 2;
    char *closing = xasprintf("%.*sConnection: close\r\n%s", (int)line, request, request + line);
    send_text(fd, closing);
    free(closing);
    char *all = receive(f, fd, "");
    check_row(row, strncmp(all, "HTTP/1.1 ", 9) == 0 && strncmp(all + 9, status, 3) == 0);
    if (!strstr(all, has))
        fail_msg("%s: no \"%s\" in \"%.500s\"", row, has, all);
    check_row(row, !lacks || !strstr(all, lacks));
    free(all);
    close(fd);
}

static void test_answers_and_refusals(void **state UNUSED)
{
    static const struct {
        const char *name, *request, *status, *has, *lacks;
    } rows[] = {
        {"get", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "200", "\r\n\r\nok\n", NULL},
        {"type", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "200", "Content-Type: text/plain; charset=utf-8\r\n", NULL},
        {"query", "GET /livez?verbose HTTP/1.1\r\nHost: x\r\n\r\n", "200", "ok", NULL},
        {"head", "HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n", "200", "Content-Length: 3\r\n", "ok"},
        {"1.0", "GET /livez HTTP/1.0\r\n\r\n", "200", "ok", NULL},
        {"status", "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "503", "Content-Type: application/json\r\n", NULL},
        {"empty", "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n", "200", "Content-Length: 0\r\n", NULL},
        {"no such path", "GET /livez/ HTTP/1.1\r\nHost: x\r\n\r\n", "404", "not found", NULL},
        {"dots", "GET /../livez HTTP/1.1\r\nHost: x\r\n\r\n", "404", "not found", NULL},
        {"post", "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", "405", "Allow: GET, HEAD\r\n", NULL},
        {"delete", "DELETE /livez HTTP/1.1\r\nHost: x\r\n\r\n", "405", "only GET and HEAD", NULL},
        {"body", "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", "400", "not expected", "ok"},
        {"chunks", "GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400",
         "not expected", "ok"},
        {"too large", "GET /too-large HTTP/1.1\r\nHost: x\r\n\r\n", "500", "too large", "something"},
    };
    struct fixture *f = fixture_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_answer(f, rows[i].name, rows[i].request, rows[i].status, rows[i].has, rows[i].lacks);
    assert_string_equal(f->path, "/livez");
    char *huge = xcalloc(1, 40000);
    (void)snprintf(huge, 40000, "GET /livez HTTP/1.1\r\nHost: x\r\nX: %030000d\r\n\r\n", 0);
    check_answer(f, "huge header", huge, "431", "", "\r\n\r\nok\n");
    free(huge);
    /* It goes on after garbage, too. */
    int fd = connect_to(httpd_port(f->httpd));
    send_text(fd, "\x16\x03\x01\x02garbage\r\n\r\n\r\n");
    for (int i = 0; i < 20; i++)
        (void)loop_turn(f->loop, MS);
    close(fd);
    check_answer(f, "after garbage", rows[0].request, "200", "ok", NULL);
    fixture_free(f);
}

static void test_keep_alive_and_accept(void **state UNUSED)
{
    struct fixture *f = fixture_new();
    int fd = connect_to(httpd_port(f->httpd));
    for (int i = 1; i <= 3; i++) {
        send_text(fd, "GET /livez HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\r\n");
        char *all = receive(f, fd, "ok\n");
        assert_non_null(strstr(all, "ok\n"));
        free(all);
        assert_int_equal(f->calls, i);
    }
    assert_string_equal(f->accept, "application/openmetrics-text");
    close(fd);
    check_answer(f, "no accept", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "200", "ok", NULL);
    assert_string_equal(f->accept, "");
    fixture_free(f);
}

static bool closed_by_peer(int fd)
{
    char c;
    ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

/* Fifty silent connections, half of them in the middle of a request: the probe is answered at once; the oldest pay. */
static void test_probes_while_connections_are_held(void **state UNUSED)
{
    enum { HELD = 50, LIMIT = 32 };
    struct fixture *f = fixture_new();
    int held[HELD];
    int kept = connect_to(httpd_port(f->httpd));
    for (size_t i = 0; i < HELD; i++) {
        held[i] = connect_to(httpd_port(f->httpd));
        if (i % 2)
            send_text(held[i], "GET /livez HTTP/1.1\r\nHo");
        /* One that asks now and then is not the quietest. */
        if (i % 10 == 0) {
            send_text(kept, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
            free(receive(f, kept, "ok\n"));
        }
        while (loop_turn(f->loop, 0))
            continue;
    }
    int64_t begin = now_us();
    check_answer(f, "probe", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "200", "ok", NULL);
    assert_true(now_us() - begin < USEC_PER_SEC);
    for (int i = 0; i < 20; i++)
        (void)loop_turn(f->loop, MS);
    size_t open = 0;
    for (size_t i = 0; i < HELD; i++) {
        bool gone = closed_by_peer(held[i]);
        open += !gone;
        assert_true(gone || i >= HELD - LIMIT); /* the youngest stay */
    }
    assert_true(open >= LIMIT - 2 && open <= LIMIT);
    assert_false(closed_by_peer(kept));
    for (size_t i = 0; i < HELD; i++)
        close(held[i]);
    close(kept);
    fixture_free(f);
}

static void test_a_slow_reader_holds_up_nobody(void **state UNUSED)
{
    struct fixture *f = fixture_new();
    int slow = connect_to(httpd_port(f->httpd));
    send_text(slow, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 20; i++)
        (void)loop_turn(f->loop, MS);
    (void)loop_longest_dispatch_us(f->loop);
    for (int i = 0; i < 10; i++) {
        int64_t begin = now_us();
        check_answer(f, "probe", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "200", "ok", NULL);
        assert_true(now_us() - begin < USEC_PER_SEC);
    }
    /* With the slow one's buffers full there is nothing to do: the loop sleeps. */
    int turns = 0;
    int64_t end = now_us() + 50 * MS;
    while (now_us() < end)
        turns += loop_turn(f->loop, 50 * MS);
    assert_true(turns < 20);
    /* And when it reads after all, everything is there. */
    char *all = receive(f, slow, "");
    const char *body = strstr(all, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(strlen(body + 4), 20000000);
    free(all);
    close(slow);
    fixture_free(f);
}

static void test_silence_has_a_limit(void **state UNUSED)
{
    struct fixture *f = fixture_new();
    int fd = connect_to(httpd_port(f->httpd));
    int64_t begin = now_us();
    while (!closed_by_peer(fd) && now_us() - begin < 15 * USEC_PER_SEC)
        (void)loop_turn(f->loop, 200 * MS);
    int64_t took = now_us() - begin;
    assert_true(took > 9 * USEC_PER_SEC && took < 12 * USEC_PER_SEC);
    close(fd);
    fixture_free(f);
}

static void test_addresses(void **state UNUSED)
{
    static const struct {
        const char *address, *error;
    } rows[] = {
        {"127.0.0.1:0", NULL},
        {"localhost:0", NULL},
        {":0", NULL},
        {"0.0.0.0:0", NULL},
        {"", "host:port or :port"},
        {"8080", "host:port or :port"},
        {":", "host:port or :port"},
        {":65536", "host:port or :port"},
        {":-1", "host:port or :port"},
        {":80x", "host:port or :port"},
        {"host.example:80", "an IP address"},
        {"::1:80", "in brackets"},
        {"[127.0.0.1]:80", "an IP address"},
        {"[]:80", "an IP address"},
        {"[::1]80", "host:port or :port"},
        {"1234567890123456789012345678901234567890123456789012345678901234567890:80", "an IP address"},
        {"192.0.2.1:0", "does not have that address"},
    };
    struct error err;
    struct loop *loop = loop_new(&clock_system, &err);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        err = ERROR_INIT;
        struct httpd *h = httpd_new(loop, rows[i].address, &err);
        check_row(rows[i].address, !h == !!rows[i].error);
        if (!h && (err.kind != ERROR_CONFIG || !strstr(err.message, rows[i].error)))
            fail_msg("%s: %s", rows[i].address, err.message);
        check_row(rows[i].address, !h || httpd_port(h) > 0);
        httpd_free(h);
    }
    loop_free(loop);
}

static void test_port_in_use(void **state UNUSED)
{
    struct fixture *f = fixture_new();
    struct error err = ERROR_INIT;
    char address[32], want[64];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", httpd_port(f->httpd));
    (void)snprintf(want, sizeof(want), "port %d is in use by another process", httpd_port(f->httpd));
    assert_null(httpd_new(f->loop, address, &err));
    assert_int_equal(err.kind, ERROR_IO); /* nothing that was asked for is wrong, and it may pass */
    assert_non_null(strstr(err.message, want));
    assert_non_null(strstr(err.message, "choose another port"));
    /* The first one goes on. */
    check_answer(f, "first", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "200", "ok", NULL);
    fixture_free(f);
}

static void test_ipv6_where_there_is_one(void **state UNUSED)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool there = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    if (fd >= 0)
        close(fd);
    struct error err = ERROR_INIT;
    struct fixture *f = fixture_new();
    struct httpd *h = httpd_new(f->loop, "[::1]:0", &err);
    assert_true(!h == !there);
    httpd_free(h);
    /* All addresses: reached over IPv4 in any case. */
    httpd_free(f->httpd);
    f->httpd = httpd_new(f->loop, ":0", &err);
    assert_non_null(f->httpd);
    httpd_handle(f->httpd, "/livez", on_livez, f);
    check_answer(f, "v4", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "200", "ok", NULL);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_and_refusals),
        cmocka_unit_test(test_keep_alive_and_accept),
        cmocka_unit_test(test_probes_while_connections_are_held),
        cmocka_unit_test(test_a_slow_reader_holds_up_nobody),
        cmocka_unit_test(test_silence_has_a_limit),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_ipv6_where_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
