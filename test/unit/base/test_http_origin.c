/* Origins: which URLs and certificates are refused and how that reads, and that a credential goes where it belongs and
 * nowhere else, not even into freed memory. */
#include "test/unit/base/http_fixture.h"

#include "base/tls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct http_origin *make(const char *url, struct error *err)
{
    struct http_origin_config c = {.url = url, .insecure_skip_verify = true};
    *err = ERROR_INIT;
    return http_origin_new(&c, err);
}

static void test_urls(void **state UNUSED)
{
    static const struct {
        const char *url, *want, *error;
    } rows[] = {
        {"https://host", "https://host:443", NULL},
        {"http://host", "http://host:80", NULL},
        {"HTTPS://Host:6443", "https://Host:6443", NULL},
        {"https://10.0.0.1:6443/", "https://10.0.0.1:6443", NULL},
        {"https://[::1]:6443/k8s/clusters/c-1/", "https://[::1]:6443/k8s/clusters/c-1", NULL},
        {"https://h/a//", "https://h:443/a", NULL},
        {"", NULL, "start with https://"},
        {"host:6443", NULL, "start with https://"},
        {"ftp://host", NULL, "start with https://"},
        {"https://", NULL, "the host is not"},
        {"https://:443", NULL, "the host is not"},
        {"https://-x", NULL, "the host is not"},
        {"https://a%41", NULL, "the host is not"},
        {"https://[::1", NULL, "the host is not"},
        {"https://[zz]:1", NULL, "the host is not"},
        {"https://[127.0.0.1]:1", NULL, "the host is not"},
        {"https://[]:1", NULL, "the host is not"},
        {"https://[::1]x", NULL, "not understood from \"x\""},
        {"https://host:", NULL, "the port is not"},
        {"https://host:0", NULL, "the port is not"},
        {"https://host:65536", NULL, "the port is not"},
        {"https://host:6443x", NULL, "the port is not"},
        {"https://host:+1", NULL, "the port is not"},
        {"https://host:000000006443", NULL, "the port is not"},
        {"https://user:secret@host", NULL, "a user name"},
        {"https://host/?q", NULL, "a query"},
        {"https://host/#f", NULL, "a fragment"},
        {"https://host\\@evil", NULL, "only scheme"},
        {"https://ho st", NULL, "a space, control or non-ASCII character in it at 11"},
        {"https://host\n", NULL, "a space, control"},
        {"https://h\xc3\xb6st", NULL, "non-ASCII"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error err;
        struct http_origin *o = make(rows[i].url, &err);
        if (rows[i].want) {
            check_row(rows[i].url, o);
            assert_string_equal(http_origin_url(o), rows[i].want);
            assert_int_equal(http_origin_cert_expiry(o), 0);
        } else {
            check_row(rows[i].url, !o);
            check_says(rows[i].url, &err, ERROR_CONFIG, rows[i].error);
            check_row(rows[i].url, !strstr(err.message, "secret"));
        }
        http_origin_unref(o);
    }
    char *longest = xcalloc(1, 5000);
    memset(longest, 'a', 4999);
    memcpy(longest, "https://", 8);
    struct error err;
    assert_null(make(longest, &err));
    check_says("long", &err, ERROR_CONFIG, "longer than");
    longest[300] = '\0';
    assert_null(make(longest, &err));
    check_says("long host", &err, ERROR_CONFIG, "the host is not");
    free(longest);
}

/* Whether this machine has a bundle or not: one of the two is said. */
static void test_trust_of_the_machine(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct http_origin_config c = {.url = "https://h"};
    struct http_origin *o = http_origin_new(&c, &err);
    if (!o)
        check_says("no bundle", &err, ERROR_CONFIG, "no CA certificates on this machine");
    http_origin_unref(o);
}

static const char encrypted_key[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAh/bHG3PSiL6AICCAAw\n"
                                    "-----END ENCRYPTED PRIVATE KEY-----\n";

static void test_certificates(void **state UNUSED)
{
    struct pki *pki = pki_new("my CA");
    struct pki_pair one, two, old;
    pki_issue(pki, &(struct pki_leaf){.common_name = "one", .organization = "group", .until_s = 3600}, &one);
    pki_issue(pki, &(struct pki_leaf){.common_name = "two"}, &two);
    pki_issue(pki, &(struct pki_leaf){.common_name = "old", .from_s = -7200, .until_s = -3600}, &old);
    const char *ca = pki_ca_pem(pki);
    char *bundle = xasprintf("# a comment\n%s\n%s", ca, one.cert_pem);
    char *chain = xasprintf("%s%s", one.cert_pem, ca);
    char *damaged = xstrdup(bundle);
    memcpy(strstr(strstr(damaged, "-----END") + 1, "-----BEGIN") + 60, "////", 4);
    char *cut = xstrndup(ca, strlen(ca) / 2);
    const struct {
        const char *name, *ca, *cert, *key, *error;
        bool insecure;
    } rows[] = {
        {"ca", ca, NULL, NULL, NULL, false},
        {"bundle with comments", bundle, NULL, NULL, NULL, false},
        {"empty ca", "", NULL, NULL, "no PEM certificate", false},
        {"not pem", "hello", NULL, NULL, "CA certificates: no PEM certificate", false},
        {"a key for a ca", one.key_pem, NULL, NULL, "no PEM certificate", false},
        {"second damaged", damaged, NULL, NULL, "certificate 2 in it is damaged", false},
        {"cut", cut, NULL, NULL, "damaged", false},
        {"ca and insecure", ca, NULL, NULL, "drop one of them", true},
        {"pair", ca, one.cert_pem, one.key_pem, NULL, false},
        {"chain", ca, chain, one.key_pem, NULL, false},
        {"expired is the server's matter", ca, old.cert_pem, old.key_pem, NULL, false},
        {"without key", NULL, one.cert_pem, NULL, "a client certificate is given without its key", false},
        {"without cert", NULL, NULL, one.key_pem, "a client key is given without its certificate", false},
        {"not belonging", NULL, one.cert_pem, two.key_pem, "O=group, CN=one does not belong", false},
        {"swapped", NULL, one.key_pem, one.cert_pem, "client certificate: no PEM certificate", false},
        {"key not pem", NULL, one.cert_pem, "x", "client key: no PEM private key", false},
        {"key with a passphrase", NULL, one.cert_pem, encrypted_key, "protected by a passphrase", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error err = ERROR_INIT;
        struct http_origin_config c = {.url = "https://h",
                                       .ca_pem = rows[i].ca,
                                       .client_cert_pem = rows[i].cert,
                                       .client_key_pem = rows[i].key,
                                       .insecure_skip_verify = rows[i].insecure};
        struct http_origin *o = http_origin_new(&c, &err);
        check_row(rows[i].name, !o == !!rows[i].error);
        if (!o)
            check_says(rows[i].name, &err, ERROR_CONFIG, rows[i].error);
        else if (rows[i].cert) {
            int64_t left = http_origin_cert_expiry(o) - clock_real_us(&clock_system) / S;
            bool expired = rows[i].cert == old.cert_pem;
            check_row(rows[i].name, expired ? left <= -3590 && left >= -3700 : left > 3500 && left <= 3600);
        }
        http_origin_unref(o);
    }
    free(cut);
    free(damaged);
    free(chain);
    free(bundle);
    pki_pair_done(&one);
    pki_pair_done(&two);
    pki_pair_done(&old);
    pki_free(pki);
}

static void test_refused_credentials(void **state UNUSED)
{
    static const struct {
        const char *url, *name, *secret, *error;
    } rows[] = {
        {"https://h", NULL, "abc.def-_~+/=", NULL},
        {"http://localhost:1", NULL, "abc", NULL},
        {"http://127.9.9.9:1", NULL, "abc", NULL},
        {"http://[::1]:1", NULL, "abc", NULL},
        {"http://h", NULL, "abc", "would go unencrypted; use https"},
        {"http://127.0.0.1.evil.example", NULL, "abc", "unencrypted"},
        {"http://10.0.0.1", "x-api-key", "abc", "unencrypted"},
        {"https://h", NULL, "", "is empty"},
        {"https://h", NULL, "abc\n", "line break"},
        {"https://h", NULL, "a\r\nX: y", "line break"},
        {"https://h", NULL, "a b", "a space"},
        {"https://h", NULL, "a\x7f", "can't be sent"},
        {"https://h", NULL, "a\xc3\xa4", "can't be sent"},
        {"https://h", "x-api-key", "abc", NULL},
        {"https://h", "Authorization", "Basic dTpw", NULL},
        {"https://h", "x-api-key", " abc", "a space"},
        {"https://h", "x-api-key", "abc ", "a space"},
        {"https://h", "x api", "abc", "header name"},
        {"https://h", "x:api", "abc", "header name"},
        {"https://h", "", "abc", "no name"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error err;
        struct http_origin *o = make(rows[i].url, &err);
        assert_non_null(o);
        int r = rows[i].name ? http_origin_set_header(o, rows[i].name, rows[i].secret, &err)
                             : http_origin_set_bearer(o, rows[i].secret, &err);
        check_row(rows[i].url, (r < 0) == !!rows[i].error);
        if (r < 0) {
            check_says(rows[i].url, &err, ERROR_CONFIG, rows[i].error);
            check_row(rows[i].secret, !*rows[i].secret || !strstr(err.message, rows[i].secret));
        }
        http_origin_unref(o);
    }
    struct error err;
    struct http_origin *o = make("https://h", &err);
    for (int i = 0; i < 9; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "x-%d", i);
        assert_int_equal(http_origin_set_header(o, name, "v", &err), i < 8 ? 0 : -1);
    }
    check_says("many", &err, ERROR_LIMIT, "more than 8");
    http_origin_unref(o);
}

static struct server_request *get(struct fixture *f, struct http_origin *o)
{
    struct call c = {0};
    call_start_to(f, &c, o, (struct http_request){0});
    call_wait(&c);
    assert_int_equal(c.err.kind, ERROR_NONE);
    call_clear(&c);
    struct server_request *r = server_take(f->server, 0);
    assert_non_null(r);
    return r;
}

static void check_header(struct fixture *f, const char *name, const char *want)
{
    struct server_request *r = get(f, f->origin);
    const char *got = server_request_header(r, name);
    assert_string_equal(got ? got : "-", want);
    server_request_free(r);
}

static void test_credentials_are_sent(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct fixture f = fixture_new(NULL);
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    check_header(&f, "Authorization", "-");
    assert_int_equal(http_origin_set_bearer(f.origin, "one", &err), 0);
    check_header(&f, "Authorization", "Bearer one");
    /* A request under way has the old one, the next the new one. */
    struct call held = {0};
    server_on_accept(f.server, script_new());
    call_start(&f, &held, (struct http_request){.fresh_connection = true, .path = "/held"});
    assert_int_equal(http_origin_set_bearer(f.origin, "two", &err), 0);
    assert_int_equal(http_origin_set_header(f.origin, "X-Api-Key", "key", &err), 0);
    call_wait(&held);
    struct server_request *r = server_take(f.server, 0);
    assert_string_equal(r->path, "/held");
    assert_string_equal(server_request_header(r, "Authorization"), "Bearer one");
    assert_null(server_request_header(r, "X-Api-Key"));
    server_request_free(r);
    check_header(&f, "Authorization", "Bearer two");
    check_header(&f, "x-api-key", "key");
    /* A bad one leaves the good one. */
    assert_true(http_origin_set_bearer(f.origin, "", &err) < 0);
    check_header(&f, "Authorization", "Bearer two");
    assert_int_equal(http_origin_set_bearer(f.origin, NULL, &err), 0);
    check_header(&f, "Authorization", "-");
    check_header(&f, "X-Api-Key", "key");
    fixture_done(&f);
}

/* A redirect to another server is an answer like any other; nobody goes there, and least of all with the token. */
static void test_redirects_are_not_followed(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct fixture f = fixture_new(NULL);
    struct server *other = server_new(NULL);
    static const int codes[] = {301, 302, 303, 307, 308, 401};
    assert_int_equal(http_origin_set_bearer(f.origin, "token", &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        char head[128];
        (void)snprintf(head, sizeof(head), "Location: %s/elsewhere\r\nWWW-Authenticate: Basic\r\nConnection: close\r\n",
                       i % 2 ? server_url(other) : server_url(f.server));
        struct script *s = script_new();
        script_reply(s, codes[i], head, "");
        server_on(f.server, NULL, "*", s);
        struct call c = {0};
        call_start(&f, &c, (struct http_request){0});
        call_wait(&c);
        assert_int_equal(c.status, codes[i]);
        assert_int_equal(c.err.kind, ERROR_NONE);
        call_clear(&c);
    }
    turn_for(&f, 20 * MS);
    assert_int_equal(server_seen(f.server), ARRAY_SIZE(codes));
    assert_int_equal(server_accepted(other), 0);
    /* Two origins on one client: each request carries its own origin's. */
    struct http_origin *plain = origin_of(other);
    server_default(other, NULL, "*", script_answer(200, NULL, NULL));
    struct call c = {0};
    call_start_to(&f, &c, plain, (struct http_request){0});
    call_wait(&c);
    struct server_request *r = server_take(other, 0);
    assert_null(server_request_header(r, "Authorization"));
    server_request_free(r);
    http_origin_unref(plain);
    server_free(other);
    fixture_done(&f);
}

/* The name in SNI, the name that is verified and the host that is connected to are three things. */
static void test_server_name(void **state UNUSED)
{
    static const struct server_options options = {.certificate = SERVER_CERT_WRONG_NAME};
    struct error err = ERROR_INIT;
    struct fixture f = fixture_new(&options);
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    struct http_origin_config c = {
        .url = server_url(f.server), .ca_pem = server_ca_pem(f.server), .server_name = "other.example"};
    struct http_origin *named = http_origin_new(&c, &err);
    assert_non_null(named);
    assert_string_equal(http_origin_url(named), server_url(f.server));
    struct server_request *r = get(&f, named);
    struct server_hello hello;
    assert_true(server_take_hello(f.server, 0, &hello));
    assert_string_equal(hello.server_name, "other.example");
    /* To HTTP it is still the host of the URL. */
    assert_string_equal(server_request_header(r, "Host"), server_url(f.server) + strlen("https://"));
    server_request_free(r);
    /* The connection with the right name is no way around the check. */
    struct call call = {0};
    call_start(&f, &call, (struct http_request){0});
    call_wait(&call);
    check_says("mismatch", &call.err, ERROR_TLS, "is for other.example, not for 127.0.0.1");
    assert_int_equal(server_seen(f.server), 1);
    http_origin_unref(named);
    c.server_name = "a/b";
    assert_null(http_origin_new(&c, &err));
    check_says("name", &err, ERROR_CONFIG, "not a host name");
    fixture_done(&f);
}

static void test_client_certificate(void **state UNUSED)
{
    static const struct server_options options = {.client_cert = SERVER_CLIENT_REQUIRED};
    struct error err = ERROR_INIT;
    struct fixture f = fixture_new(&options);
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    static const char *const names[] = {"one", "two"};
    struct server_hello hello;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct pki_pair pair;
        server_issue(f.server, &(struct pki_leaf){.common_name = names[i]}, &pair);
        struct http_origin_config c = {.url = server_url(f.server),
                                       .ca_pem = server_ca_pem(f.server),
                                       .client_cert_pem = pair.cert_pem,
                                       .client_key_pem = pair.key_pem};
        struct http_origin *o = http_origin_new(&c, &err);
        assert_non_null(o);
        pki_pair_done(&pair); /* copied */
        server_request_free(get(&f, o));
        http_origin_unref(o);
        /* Another certificate never travels on a connection made with the first. */
        assert_true(server_take_hello(f.server, 0, &hello));
        assert_string_equal(hello.client + strlen("/CN="), names[i]);
    }
    fixture_done(&f);
}

/* A file of the user's is no source of credentials. */
static void test_no_netrc(void **state UNUSED)
{
    char dir[] = "/tmp/http-home-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/.netrc", dir);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    static const char text[] = "machine 127.0.0.1 login me password secret\n";
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    setenv("HOME", dir, 1);
    struct fixture f = fixture_new(NULL);
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    check_header(&f, "Authorization", "-");
    unlink(path);
    rmdir(dir);
    fixture_done(&f);
}

/* A proxy sees where we go, not what we carry. */
static void test_proxy(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct fixture f = fixture_new(&(struct server_options){.plain = true}); /* the proxy */
    server_default(f.server, "CONNECT", "*", script_answer(403, NULL, "no"));
    struct http_config config = {.proxy = server_url(f.server)};
    struct http *proxied = http_new(f.loop, &config, &err);
    struct http *direct = f.http;
    static const struct {
        const char *name, *proxy;
        bool by_client, asked;
    } rows[] = {
        {"the client's", NULL, true, true},
        {"none, against the client's", "", true, false},
        {"the origin's", "set", false, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_origin_config c = {
            .url = "https://192.0.2.1:6443", .insecure_skip_verify = true, .proxy = rows[i].proxy};
        if (c.proxy && *c.proxy)
            c.proxy = server_url(f.server);
        struct http_origin *o = http_origin_new(&c, &err);
        assert_int_equal(http_origin_set_bearer(o, "token", &err), 0);
        f.http = rows[i].by_client ? proxied : direct;
        struct call call = {0};
        call_start_to(&f, &call, o, (struct http_request){.connect_timeout_us = 200 * MS});
        call_wait(&call);
        check_row(rows[i].name, !call.sent && call.err.kind != ERROR_NONE);
        struct server_request *r = server_take(f.server, 0);
        check_row(rows[i].name, !r == !rows[i].asked);
        if (r) {
            check_says(rows[i].name, &call.err, ERROR_IO, "the proxy");
            assert_string_equal(r->path, "192.0.2.1:6443");
            assert_null(server_request_header(r, "Authorization"));
        }
        server_request_free(r);
        http_origin_unref(o);
    }
    /* Loopback goes direct. */
    struct server *own = server_new(NULL);
    server_default(own, NULL, "*", script_answer(200, NULL, NULL));
    struct http_origin *o = origin_of(own);
    f.http = proxied;
    struct call call = {0};
    call_start_to(&f, &call, o, (struct http_request){0});
    call_wait(&call);
    assert_int_equal(call.status, 200);
    http_origin_unref(o);
    http_free(proxied);
    f.http = direct;
    server_free(own);
    fixture_done(&f);
}

/* Counts how often the text, which is given with every byte inverted, stands in writable memory outside the stack. */
static size_t count_in_memory(const unsigned char *inverted, size_t len)
{
    enum { CHUNK = 65536 };
    unsigned char chunk[CHUNK];
    size_t found = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    char line[512];
    while (fgets(line, sizeof(line), maps)) {
        char *end, *rest;
        unsigned long from = strtoul(line, &end, 16), to = strtoul(end + 1, &rest, 16);
        if (strncmp(rest, " rw", 3) != 0 || strstr(line, "[stack]") || to - from > ((unsigned long)1 << 28))
            continue;
        for (unsigned long at = from; at < to; at += CHUNK - len) {
            ssize_t n = pread(mem, chunk, MIN(CHUNK, to - at), (off_t)at);
            for (ssize_t i = 0; n > 0 && i + (ssize_t)len <= n; i++) {
                size_t k = 0;
                while (k < len && chunk[i + (ssize_t)k] == (unsigned char)~inverted[k])
                    k++;
                found += k == len;
            }
        }
    }
    fclose(maps);
    close(mem);
    return found;
}

static void fill(char *out, const unsigned char *inverted, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (char)~inverted[i];
    out[len] = '\0';
}

static void test_secrets_are_wiped(void **state UNUSED)
{
    unsigned char inverted[2][24];
    for (size_t i = 0; i < 24; i++) {
        inverted[0][i] = (unsigned char)~("A5zq"
                                          "Vn2k"[i % 8] +
                                          (i == 3));
        inverted[1][i] = (unsigned char)~("9xPw"
                                          "Lm4t"[i % 8] +
                                          (i == 5));
    }
    char text[25];
    struct error err;
    struct http_origin *o = make("https://h", &err);
    fill(text, inverted[0], 24);
    assert_int_equal(http_origin_set_bearer(o, text, &err), 0);
    explicit_bzero(text, sizeof(text));
    assert_int_equal(count_in_memory(inverted[0], 24), 1);
    fill(text, inverted[1], 24);
    assert_int_equal(http_origin_set_bearer(o, text, &err), 0);
    explicit_bzero(text, sizeof(text));
    assert_int_equal(count_in_memory(inverted[0], 24), 0);
    assert_int_equal(count_in_memory(inverted[1], 24), 1);
    http_origin_unref(o);
    assert_int_equal(count_in_memory(inverted[1], 24), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_trust_of_the_machine),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_refused_credentials),
        cmocka_unit_test(test_credentials_are_sent),
        cmocka_unit_test(test_redirects_are_not_followed),
        cmocka_unit_test(test_server_name),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_no_netrc),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_secrets_are_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
