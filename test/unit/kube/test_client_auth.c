/* Credentials while the client runs: tokens and certificates that are replaced, that are broken for a while,
 * that have expired; and secrets that stay where they belong. */
#include "base/alloc.h"
#include "base/str.h"
#include "test/support/client_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH "/api/v1/pods"
#define JSON "application/json"

static const struct kube_request get = {.verb = KUBE_GET, .path = PATH};

static void check_bearer(struct fixture *f, const char *want)
{
    struct server_request *r = server_take(f->server, 5000);
    assert_non_null(r);
    const char *have = server_request_header(r, "Authorization");
    assert_true(have && str_starts(have, "Bearer "));
    assert_string_equal(have + 7, want);
    server_request_free(r);
}

static void use_token_file(struct fixture *f, const char *token)
{
    put_file(f, "token", token);
    f->config.token_file = file_path(f, "token");
}

static void test_token_is_read_again(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{}"));
    use_token_file(f, SECRET "-2\n"); /* the one of the configuration counts at first */
    ask(f, &o, get);
    check_bearer(f, SECRET);
    pass(f, 49 * USEC_PER_SEC);
    ask(f, &o, get);
    check_bearer(f, SECRET);
    pass(f, 2 * USEC_PER_SEC); /* a minute, less ten seconds */
    ask(f, &o, get);
    check_bearer(f, SECRET "-2");

    /* Broken for a while: the last one stays, and it is said once. */
    put_file(f, "token", " \n");
    for (int i = 0; i < 3; i++) {
        pass(f, 60 * USEC_PER_SEC);
        ask(f, &o, get);
        check_bearer(f, SECRET "-2");
    }
    put_file(f, "token", SECRET "\r\nX-Evil: 1");
    pass(f, 60 * USEC_PER_SEC);
    ask(f, &o, get);
    check_bearer(f, SECRET "-2");
    (void)unlink(f->config.token_file);
    pass(f, 60 * USEC_PER_SEC);
    ask(f, &o, get);
    check_bearer(f, SECRET "-2");
    put_file(f, "token", SECRET "-3");
    pass(f, 60 * USEC_PER_SEC);
    ask(f, &o, get);
    check_bearer(f, SECRET "-3");
    char *log = logged(f);
    assert_int_equal(count_in(log, "the token file can't be used"), 1);
    free(log);
    free(f->config.token_file);
}

static void test_401(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    use_token_file(f, SECRET "\n");
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{\"ok\":1}"));

    /* The same token is not tried again. */
    server_on(f->server, NULL, "/*", script_answer(401, JSON, "{}"));
    ask(f, &o, get);
    assert_int_equal(o.err.code, 401);
    check_bearer(f, SECRET);

    /* Another one is, at once, also for a write and when nothing else would be retried. */
    static const enum kube_verb verbs[] = {KUBE_GET, KUBE_PATCH_MERGE};
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        const char *before = i ? SECRET "-0" : SECRET, *after = i ? SECRET "-1" : SECRET "-0";
        put_file(f, "token", after);
        server_on(f->server, NULL, "/*", script_answer(401, JSON, "{}"));
        ask(f, &o,
            (struct kube_request){.verb = verbs[i], .path = PATH, .body = "{}", .body_len = 2, .no_retry = true});
        assert_false(o.has_error);
        assert_string_equal(o.body, "{\"ok\":1}");
        check_bearer(f, before);
        check_bearer(f, after);
    }

    /* Once: two refusals are an answer. */
    put_file(f, "token", SECRET "-x");
    server_on(f->server, NULL, "/*", script_answer(401, JSON, "{}"));
    server_on(f->server, NULL, "/*", script_answer(401, JSON, "{\"kind\":\"Status\",\"message\":\"nobody\"}"));
    ask(f, &o, get);
    assert_int_equal(o.err.code, 401);
    assert_string_equal(o.response.status.message, "nobody");
    assert_int_equal(o.response.status.reason, STATUS_UNAUTHORIZED);
    assert_int_equal(server_seen(f->server), 7);
    free(f->config.token_file);
}

/* On the server's thread: another token for each refusal. */
static struct script *refuse_and_replace(void *data, const struct server_request *r)
{
    char token[32];
    (void)snprintf(token, sizeof(token), SECRET "-%llu", (unsigned long long)r->id);
    put_file(data, "token", token);
    return script_answer(401, JSON, "{}");
}

/* Tokens that change faster than they are accepted don't make a loop. */
static void test_401_for_ever(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    use_token_file(f, SECRET);
    server_handle(f->server, NULL, "/*", refuse_and_replace, f);
    ask(f, &o, get);
    assert_int_equal(o.err.code, 401);
    assert_int_equal(server_seen(f->server), 2);
    free(f->config.token_file);
}

/* Two requests are under way with the old token; the first one's 401 finds the new token, the second one uses
 * it. */
static void test_401_of_two(void **state)
{
    struct fixture *f = *state;
    struct outcome a, b;
    use_token_file(f, SECRET "-new");
    struct script *held = script_new();
    script_hold(held);
    server_on(f->server, NULL, "/*", held);
    server_on(f->server, NULL, "/*", script_answer(401, JSON, "{}"));
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{}"));
    begin(f, &a, get);
    until_seen(f, 1);
    ask(f, &b, get);
    assert_false(b.has_error);
    (void)unlink(f->config.token_file); /* it is not needed again */
    struct script *refusal = script_new();
    script_reply(refusal, 401, NULL, "{}");
    script_done(refusal);
    server_append(f->server, 1, refusal);
    finish(&a);
    assert_false(a.has_error);
    check_bearer(f, SECRET);
    check_bearer(f, SECRET);
    check_bearer(f, SECRET "-new");
    check_bearer(f, SECRET "-new");
    free(f->config.token_file);
}

static void use_pair(struct fixture *f, const char *name, int64_t until_s)
{
    struct pki_pair pair;
    server_issue(f->server, &(struct pki_leaf){.common_name = name, .organization = "team", .until_s = until_s}, &pair);
    put_file(f, "client.crt", pair.cert_pem);
    put_file(f, "client.key", pair.key_pem);
    free(f->config.cert_pem);
    free(f->config.key_pem);
    f->config.cert_pem = xstrdup(pair.cert_pem);
    f->config.key_pem = xstrdup(pair.key_pem);
    pki_pair_done(&pair);
}

static void free_pair(struct fixture *f)
{
    free(f->config.cert_pem);
    free(f->config.key_pem);
    free(f->config.cert_file);
    free(f->config.key_file);
}

/* Who the client was in its last handshake; "" when there was none since the last look. */
static void check_subject(struct fixture *f, const char *name)
{
    struct server_hello hello, last = {0};
    while (server_take_hello(f->server, 0, &hello))
        last = hello;
    if (!name[0] ? last.client[0] != 0 : !strstr(last.client, name))
        fail_msg("\"%s\" is not %s", last.client, name);
}

static void test_client_certificate(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    fixture_serve(f, &(struct server_options){.client_cert = SERVER_CLIENT_REQUIRED});
    f->config.token = NULL;
    use_pair(f, "first", 86400);
    f->config.cert_file = file_path(f, "client.crt");
    f->config.key_file = file_path(f, "client.key");
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{}"));
    ask(f, &o, get);
    assert_false(o.has_error);
    check_subject(f, "first");
    struct server_request *r = server_take(f->server, 5000);
    assert_null(server_request_header(r, "Authorization"));
    server_request_free(r);

    /* A certificate that is replaced before its key: for five minutes they don't fit, and the old pair stays.
     */
    struct pki_pair pair;
    server_issue(f->server, &(struct pki_leaf){.common_name = "second", .until_s = 86400}, &pair);
    put_file(f, "client.crt", pair.cert_pem);
    pass(f, 300 * USEC_PER_SEC);
    size_t accepted = server_accepted(f->server);
    ask(f, &o, get);
    assert_false(o.has_error);
    check_subject(f, "");
    put_file(f, "client.key", pair.key_pem);
    pki_pair_done(&pair);
    pass(f, 299 * USEC_PER_SEC);
    ask(f, &o, get);
    check_subject(f, "");
    pass(f, 2 * USEC_PER_SEC);
    ask(f, &o, get);
    assert_false(o.has_error);
    check_subject(f, "second");
    assert_true(server_accepted(f->server) > accepted);
    char *log = logged(f);
    assert_int_equal(count_in(log, "certificate files can't be used"), 1);
    assert_int_equal(count_in(log, "certificates were replaced"), 1);
    assert_null(strstr(log, "PRIVATE KEY"));
    free(log);
    assert_true(metric_milli(f, "rest_client_transport_ca_reload_total{result=\"success\",reason=\"updated\"}") < 0);
    free_pair(f);
}

static void test_expired_certificate(void **state)
{
    struct fixture *f = *state;
    struct error err;
    use_pair(f, "late", 3600);
    f->config.token = NULL;
    f->config.cert_file = file_path(f, "client.crt");
    f->clock.real_us += 7200 * USEC_PER_SEC;
    assert_null(kube_client_new(f->loop, f->http, &f->config, &f->options, &err));
    assert_true(str_starts(err.message, "test: the client certificate "));
    assert_non_null(strstr(err.message, "/client.crt expired on 20"));
    assert_non_null(strstr(err.message, ": renew it, or check this machine's clock"));
    f->config.token = (char *)(uintptr_t)SECRET; /* with a token beside it there is a way in */
    fixture_client(f);
    char *log = logged(f);
    assert_int_equal(count_in(log, "the client certificate has expired"), 1);
    free(log);
    free_pair(f);
}

static void test_bad_material(void **state)
{
    struct fixture *f = *state;
    struct error err;
    f->config.ca_pem = (char *)(uintptr_t) "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n";
    assert_null(kube_client_new(f->loop, f->http, &f->config, &f->options, &err));
    assert_true(str_starts(err.message, "test: "));
    f->config.ca_pem = NULL;
    f->config.server = (char *)(uintptr_t) "https://";
    assert_null(kube_client_new(f->loop, f->http, &f->config, &f->options, &err));
    f->config.server = (char *)(uintptr_t) "https://127.0.0.1:1";
    f->config.token = (char *)(uintptr_t)SECRET "\r\nX: y";
    assert_null(kube_client_new(f->loop, f->http, &f->config, &f->options, &err));
    assert_null(strstr(err.message, SECRET));
    f->config.token = NULL;
}

static void test_ca_rotation(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    struct pki *other = pki_new("another CA");
    put_file(f, "ca.crt", pki_ca_pem(other));
    f->config.ca_file = file_path(f, "ca.crt");
    f->config.ca_pem = (char *)(uintptr_t)pki_ca_pem(other);
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{}"));
    ask(f, &o, get);
    assert_int_equal(o.err.kind, ERROR_TLS);
    assert_false(kube_client_reachable(f->client));

    /* Nonsense does not replace it; nor does an empty file, which a half-written volume looks like. */
    static const char *const nonsense[] = {"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
        put_file(f, "ca.crt", nonsense[i]);
        pass(f, 300 * USEC_PER_SEC);
        ask(f, &o, get);
        assert_int_equal(o.err.kind, ERROR_TLS);
    }
    /* The right one, after five minutes. */
    put_file(f, "ca.crt", server_ca_pem(f->server));
    pass(f, 299 * USEC_PER_SEC);
    ask(f, &o, get);
    assert_int_equal(o.err.kind, ERROR_TLS);
    assert_int_equal(server_seen(f->server), 0);
    pass(f, USEC_PER_SEC);
    ask(f, &o, get);
    assert_false(o.has_error);
    size_t accepted = server_accepted(f->server);

    /* A CA that does not fit any more: new connections are made for it, the old one is not taken again. */
    put_file(f, "ca.crt", pki_ca_pem(other));
    pass(f, 300 * USEC_PER_SEC);
    ask(f, &o, get);
    assert_int_equal(o.err.kind, ERROR_TLS);
    assert_true(server_accepted(f->server) > accepted);

    assert_true(metric_milli(f, "rest_client_transport_ca_reload_total{result=\"success\",reason=\"updated\"}") ==
                2000);
    assert_true(
        metric_milli(f, "rest_client_transport_ca_reload_total{result=\"failure\",reason=\"ca_parse_error\"}") == 3000);
    free(f->config.ca_file);
    pki_free(other);
}

/* The same content is no reason for new connections. */
static void test_ca_unchanged(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    put_file(f, "ca.crt", server_ca_pem(f->server));
    f->config.ca_file = file_path(f, "ca.crt");
    server_default(f->server, NULL, "/*", script_answer(200, JSON, "{}"));
    for (int i = 0; i < 3; i++) {
        ask(f, &o, get);
        assert_false(o.has_error);
        put_file(f, "ca.crt", server_ca_pem(f->server));
        pass(f, 301 * USEC_PER_SEC);
    }
    assert_true(metric_milli(f, "rest_client_transport_ca_reload_total{result=\"success\",reason=\"unchanged\"}") ==
                2000);
    char *log = logged(f);
    assert_int_equal(count_in(log, "certificates were replaced"), 0);
    free(log);
    free(f->config.ca_file);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_token_is_read_again), T(test_401),
        T(test_401_for_ever),        T(test_401_of_two),
        T(test_client_certificate),  T(test_expired_certificate),
        T(test_bad_material),        T(test_ca_rotation),
        T(test_ca_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
