/* The scripted server, looked at with a plain socket: one example for each thing it can do to a client. */
#include "test/unit/base/unit.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "test/server/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS USEC_PER_MSEC

/* A blocking client that gives up after five seconds. */
struct client {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    struct buf in;
    size_t pieces;
    int last_errno;
    bool clean; /* the end was announced by TLS */
};

static int64_t now_us(void)
{
    return clock_boot_us(&clock_system);
}

static bool client_connect(struct client *c, const struct server *s)
{
    *c = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .in = BUF_INIT(1 << 20)};
    struct timeval limit = {.tv_sec = 5};
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)server_port(s)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect(c->fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

static bool client_tls(struct client *c, const struct server *s, const char *name, const char *alpn,
                       const struct pki_pair *pair)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    BIO *bio = BIO_new_mem_buf(server_ca_pem(s), -1);
    X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(c->ctx), ca);
    X509_free(ca);
    BIO_free_all(bio);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    if (pair) {
        bio = BIO_new_mem_buf(pair->cert_pem, -1);
        X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free_all(bio);
        bio = BIO_new_mem_buf(pair->key_pem, -1);
        EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        BIO_free_all(bio);
        SSL_CTX_use_certificate(c->ctx, cert);
        SSL_CTX_use_PrivateKey(c->ctx, key);
        X509_free(cert);
        EVP_PKEY_free(key);
    }
    c->ssl = SSL_new(c->ctx);
    if (alpn)
        SSL_set_alpn_protos(c->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    char sni[64]; /* OpenSSL's macro casts const away */
    (void)snprintf(sni, sizeof(sni), "%s", name);
    SSL_set_tlsext_host_name(c->ssl, sni);
    SSL_set1_host(c->ssl, name);
    SSL_set_fd(c->ssl, c->fd);
    return SSL_connect(c->ssl) == 1;
}

static void client_send(struct client *c, const char *text)
{
    int len = (int)strlen(text);
    if (c->ssl)
        assert_int_equal(SSL_write(c->ssl, text, len), len);
    else
        assert_int_equal(send(c->fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

/* Reads until `want` bytes are there (0: until the end). False at the end, an error or after five seconds. */
static bool client_read(struct client *c, size_t want)
{
    while (want == 0 || c->in.len < want) {
        char piece[4096];
        ssize_t n = c->ssl ? SSL_read(c->ssl, piece, sizeof(piece)) : recv(c->fd, piece, sizeof(piece), 0);
        c->last_errno = n < 0 ? errno : 0;
        if (n <= 0) {
            c->clean = c->ssl ? SSL_get_error(c->ssl, (int)n) == SSL_ERROR_ZERO_RETURN : n == 0;
            ERR_clear_error();
            return false;
        }
        c->pieces++;
        assert_int_equal(buf_append(&c->in, piece, (size_t)n), 0);
    }
    return true;
}

static void client_done(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
    buf_done(&c->in);
}

static const struct server_options plain = {.plain = true};

static void test_answer_capture_and_keep_alive(void **state UNUSED)
{
    struct server *s = server_new(&plain);
    server_on(s, "GET", "/version", script_answer(200, "application/json", "{}"));
    server_on(s, "POST", "/things", script_answer(201, NULL, NULL));
    struct client c;
    assert_true(client_connect(&c, s));
    client_send(&c, "GET /version?a=1&b HTTP/1.1\r\nHost: x\r\nX-Note:  spaced \r\n\r\n");
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    assert_true(client_read(&c, sizeof(answer) - 1));
    assert_string_equal(c.in.data, answer);
    /* Two requests at once, the second in two pieces. */
    client_send(&c, "POST /things HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloPOST /things HTTP/1.1\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    client_send(&c, "0\r\n\r\n");
    assert_true(server_wait_seen(s, 3, 5000));
    struct server_request *r = server_take(s, 0);
    assert_string_equal(r->method, "GET");
    assert_string_equal(r->path, "/version?a=1&b");
    assert_string_equal(server_request_header(r, "x-note"), "spaced ");
    assert_null(server_request_header(r, "X-Other"));
    char value[8];
    assert_true(server_request_query(r, "a", value, sizeof(value)));
    assert_string_equal(value, "1");
    assert_true(server_request_query(r, "b", value, sizeof(value)));
    assert_string_equal(value, "");
    assert_false(server_request_query(r, "c", value, sizeof(value)));
    assert_true(r->id == 1 && r->nth == 1 && !r->unexpected);
    assert_true(llabs(now_us() - r->at_us) < 10 * USEC_PER_SEC);
    server_request_free(r);
    r = server_take(s, 1000);
    assert_string_equal(r->body, "hello");
    server_request_free(r);
    r = server_take(s, 1000);
    assert_string_equal(r->body, "abc");
    assert_true(r->connection == 1 && r->nth == 3 && r->unexpected);
    server_request_free(r);
    assert_null(server_take(s, 0));
    assert_int_equal(server_seen(s), 3);
    assert_int_equal(server_unexpected(s), 1);
    assert_int_equal(server_accepted(s), 1);
    client_done(&c);
    server_free(s);
}

static struct script *on_any(void *data, const struct server_request *r)
{
    struct script *s = script_new();
    script_printf(s, "handler %s %s", (const char *)data, r->path);
    return s;
}

static void test_routes(void **state UNUSED)
{
    static const struct {
        const char *method, *pattern, *text;
    } routes[] = {
        {NULL, "/api/*", "prefix"},
        {"GET", "/api/*", "get prefix"},
        {NULL, "/api/v1/*", "longer prefix"},
        {NULL, "/api/v1/pods", "whole"},
        {NULL, "/api/v1/pods?watch", "any watch"},
        {NULL, "/api/v1/pods?watch=1&x", "watch=1 and x"},
    };
    static const struct {
        const char *request, *want;
    } rows[] = {
        {"PUT /api/x", "prefix"},
        {"GET /api/x", "get prefix"},
        {"PUT /api/v1/nodes", "longer prefix"},
        {"GET /api/v1/pods", "whole"},
        {"GET /api/v1/pods?limit=5", "whole"},
        {"GET /api/v1/pods?watch=true", "any watch"},
        {"GET /api/v1/pods?limit=5&watch", "any watch"},
        {"GET /api/v1/pods?x=2&watch=1", "watch=1 and x"},
        {"GET /api/v1/pods?x=2&watch=10", "any watch"},
        {"GET /api/v1/podsy", "longer prefix"},
        {"GET /else", "handler h /else"},
    };
    struct server *s = server_new(&plain);
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        struct script *script = script_new();
        script_text(script, routes[i].text);
        server_default(s, routes[i].method, routes[i].pattern, script);
    }
    char h[] = "h";
    server_handle(s, NULL, "*", on_any, h);
    /* Once each, before the default. */
    struct script *once = script_new();
    script_text(once, "once");
    server_on(s, NULL, "/api/v1/pods", once);
    struct client c;
    assert_true(client_connect(&c, s));
    client_send(&c, "GET /api/v1/pods HTTP/1.1\r\n\r\n");
    assert_true(client_read(&c, 4));
    assert_string_equal(c.in.data, "once");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        buf_clear(&c.in);
        client_send(&c, rows[i].request);
        client_send(&c, " HTTP/1.1\r\n\r\n");
        check_row(rows[i].request, client_read(&c, strlen(rows[i].want)));
        check_row(rows[i].request, strcmp(c.in.data, rows[i].want) == 0);
    }
    client_done(&c);
    server_free(s);
}

static void test_delay_and_split(void **state UNUSED)
{
    struct server *s = server_new(NULL);
    struct script *script = script_new();
    script_delay(script, 30);
    script_text(script, "whole");
    script_split(script, 2, 5);
    script_text(script, "abcde");
    server_on(s, NULL, "*", script);
    struct client c;
    assert_true(client_connect(&c, s));
    assert_true(client_tls(&c, s, "localhost", NULL, NULL));
    int64_t begin = now_us();
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    assert_true(client_read(&c, 10));
    assert_string_equal(c.in.data, "wholeabcde");
    assert_int_equal(c.pieces, 4); /* a TLS record each, whatever TCP does */
    assert_true(now_us() - begin >= 40 * MS);
    client_done(&c);
    server_free(s);
}

static void test_ends_of_a_connection(void **state UNUSED)
{
    static const struct {
        const char *name;
        void (*end)(struct script *s);
        bool tls, clean;
        int errno_value;
    } rows[] = {
        {"cut", script_cut, false, true, 0},
        {"cut, TLS", script_cut, true, true, 0},
        {"dirty cut, TLS", script_cut_dirty, true, false, 0},
        {"reset", script_reset, false, false, ECONNRESET},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct server *s = server_new(rows[i].tls ? NULL : &plain);
        struct script *script = script_new();
        script_text(script, "abc");
        script_delay(script, 10);
        rows[i].end(script);
        server_on(s, NULL, "*", script);
        struct client c;
        assert_true(client_connect(&c, s));
        if (rows[i].tls)
            assert_true(client_tls(&c, s, "localhost", NULL, NULL));
        client_send(&c, "GET / HTTP/1.1\r\n\r\n");
        check_row(rows[i].name, !client_read(&c, 0));
        check_row(rows[i].name, strcmp(buf_str(&c.in), "abc") == 0);
        check_row(rows[i].name, c.clean == rows[i].clean);
        check_row(rows[i].name, rows[i].tls || c.last_errno == rows[i].errno_value);
        client_done(&c);
        server_free(s);
    }
}

static void test_stall(void **state UNUSED)
{
    struct server *s = server_new(&plain);
    struct script *script = script_new();
    script_text(script, "abc");
    script_stall(script);
    script_text(script, "never");
    server_on(s, NULL, "*", script);
    struct client c;
    assert_true(client_connect(&c, s));
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    assert_true(client_read(&c, 3));
    struct timeval limit = {.tv_usec = 50000};
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_false(client_read(&c, 4));
    assert_int_equal(c.last_errno, EAGAIN);
    assert_int_equal(server_connections(s), 1);
    client_done(&c);
    /* The server notices that the client has gone. */
    for (int i = 0; i < 500 && server_connections(s); i++)
        usleep(10000);
    assert_int_equal(server_connections(s), 0);
    server_free(s);
}

static void test_held_stream(void **state UNUSED)
{
    struct server *s = server_new(NULL);
    struct script *script = script_new();
    script_head(script, 200, "Transfer-Encoding: chunked\r\n");
    script_hold(script);
    server_on(s, "GET", "/watch", script);
    struct client c;
    assert_true(client_connect(&c, s));
    assert_true(client_tls(&c, s, "localhost", NULL, NULL));
    client_send(&c, "GET /watch HTTP/1.1\r\n\r\n");
    struct server_request *r = server_take(s, 5000);
    assert_non_null(r);
    size_t head = strlen("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        struct script *more = script_new();
        script_chunk(more, "event");
        server_append(s, r->id, more);
        assert_true(client_read(&c, head + 10 * (size_t)(i + 1)));
    }
    struct script *last = script_new();
    script_last_chunk(last);
    script_done(last);
    server_append(s, r->id, last);
    server_append(s, r->id + 1, script_answer(500, NULL, NULL)); /* nobody there: dropped */
    assert_true(client_read(&c, head + 35));
    assert_string_equal(c.in.data + head, "5\r\nevent\r\n5\r\nevent\r\n5\r\nevent\r\n0\r\n\r\n");
    server_request_free(r);
    /* The connection goes on. */
    server_on(s, "GET", "/", script_answer(200, NULL, "ok"));
    buf_clear(&c.in);
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    assert_true(client_read(&c, strlen("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")));
    client_done(&c);
    server_free(s);
}

static void test_hello_and_client_certificates(void **state UNUSED)
{
    static const struct server_options options = {.client_cert = SERVER_CLIENT_REQUIRED, .http2 = true, .tls12 = true};
    struct server *s = server_new(&options);
    struct server_hello hello;
    struct client c;
    assert_true(client_connect(&c, s));
    assert_false(client_tls(&c, s, "localhost", NULL, NULL));
    client_done(&c);
    assert_true(server_take_hello(s, 5000, &hello));
    assert_false(hello.complete);
    struct pki_pair pair;
    struct pki_leaf leaf = {.common_name = "someone", .organization = "group"};
    server_issue(s, &leaf, &pair);
    assert_true(client_connect(&c, s));
    assert_true(client_tls(&c, s, "localhost", "\x02h2\x08http/1.1", &pair));
    const unsigned char *chosen;
    unsigned len;
    SSL_get0_alpn_selected(c.ssl, &chosen, &len);
    assert_int_equal(len, 2);
    assert_true(server_take_hello(s, 5000, &hello));
    assert_false(server_take_hello(s, 0, &hello));
    assert_true(hello.complete);
    assert_string_equal(hello.server_name, "localhost");
    assert_string_equal(hello.alpn, "h2,http/1.1");
    assert_string_equal(hello.client, "/O=group/CN=someone");
    client_done(&c);
    pki_pair_done(&pair);
    server_free(s);
}

static void test_wrong_certificates(void **state UNUSED)
{
    static const struct {
        const char *name;
        enum server_certificate certificate;
        const char *names, *ask;
        long verify;
    } rows[] = {
        {"valid", SERVER_CERT_VALID, NULL, "localhost", X509_V_OK},
        {"further name", SERVER_CERT_VALID, "DNS:api.example", "api.example", X509_V_OK},
        {"expired", SERVER_CERT_EXPIRED, NULL, "localhost", X509_V_ERR_CERT_HAS_EXPIRED},
        {"not yet", SERVER_CERT_NOT_YET, NULL, "localhost", X509_V_ERR_CERT_NOT_YET_VALID},
        {"wrong name", SERVER_CERT_WRONG_NAME, NULL, "localhost", X509_V_ERR_HOSTNAME_MISMATCH},
        {"other CA", SERVER_CERT_OTHER_CA, NULL, "localhost", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct server_options options = {.certificate = rows[i].certificate, .names = rows[i].names};
        struct server *s = server_new(&options);
        struct client c;
        assert_true(client_connect(&c, s));
        check_row(rows[i].name, client_tls(&c, s, rows[i].ask, NULL, NULL) == (rows[i].verify == X509_V_OK));
        check_row(rows[i].name, SSL_get_verify_result(c.ssl) == rows[i].verify);
        client_done(&c);
        server_free(s);
    }
}

/* Before and instead of HTTP: garbage for a handshake, a protocol of the test's own behind one. */
static void test_accept_scripts(void **state UNUSED)
{
    struct server *s = server_new(NULL);
    struct script *script = script_new();
    script_text(script, "SSH-2.0-x\r\n");
    script_cut(script);
    server_on_accept(s, script);
    script = script_new();
    script_tls(script);
    script_read(script, 4);
    script_text(script, "pong");
    server_on_accept(s, script); /* and goes on with HTTP */
    server_on(s, NULL, "*", script_answer(204, NULL, NULL));
    struct client c;
    assert_true(client_connect(&c, s));
    assert_false(client_tls(&c, s, "localhost", NULL, NULL));
    client_done(&c);
    assert_true(client_connect(&c, s));
    assert_true(client_tls(&c, s, "localhost", NULL, NULL));
    client_send(&c, "pi");
    client_send(&c, "ngGET / HTTP/1.1\r\n\r\n");
    assert_true(client_read(&c, 5));
    assert_memory_equal(c.in.data, "pongHTTP", 5);
    client_done(&c);
    server_free(s);
}

static void test_down_and_up(void **state UNUSED)
{
    struct server *s = server_new(&plain);
    int port = server_port(s);
    struct client c, d;
    assert_true(client_connect(&c, s));
    client_send(&c, "GET / HTTP/1.1\r\n\r\n");
    assert_true(server_wait_seen(s, 1, 5000));
    server_down(s);
    assert_int_equal(server_connections(s), 0);
    assert_false(client_read(&c, 0));
    client_done(&c);
    assert_false(client_connect(&d, s));
    assert_int_equal(errno, ECONNREFUSED);
    client_done(&d);
    server_up(s);
    assert_int_equal(server_port(s), port);
    assert_true(client_connect(&c, s));
    server_drop(s);
    assert_false(client_read(&c, 0));
    client_done(&c);
    assert_true(client_connect(&c, s));
    client_done(&c);
    server_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_capture_and_keep_alive),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_delay_and_split),
        cmocka_unit_test(test_ends_of_a_connection),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_held_stream),
        cmocka_unit_test(test_hello_and_client_certificates),
        cmocka_unit_test(test_wrong_certificates),
        cmocka_unit_test(test_accept_scripts),
        cmocka_unit_test(test_down_and_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
