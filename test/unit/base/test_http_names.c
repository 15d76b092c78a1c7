/* Names that take their time: the resolver's threads neither hold up the loop nor take its signals. This program has a
 * getaddrinfo() of its own, which libcurl finds before the C library's. */
#include "test/unit/base/http_fixture.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { SLOW_MS = 1000 };
static atomic_int resolving;    /* threads inside */
static atomic_int took_signals; /* threads that had a signal unblocked */

static void sleep_ms(int ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&ts, NULL);
}

/* "slow.example" takes SLOW_MS, "fast.example" nothing; both are 127.0.0.1. */
__attribute__((visibility("default"))) int getaddrinfo(const char *restrict node, const char *restrict service,
                                                       const struct addrinfo *restrict hints UNUSED,
                                                       struct addrinfo **restrict ret)
{
    sigset_t mask;
    atomic_fetch_add(&resolving, 1);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (!sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGUSR1) || !sigismember(&mask, SIGCHLD))
        atomic_fetch_add(&took_signals, 1);
    if (strcmp(node, "slow.example") == 0)
        sleep_ms(SLOW_MS);
    struct addrinfo *a = calloc(1, sizeof(*a) + sizeof(struct sockaddr_in));
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)(a + 1);
    *in = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)strtoul(service, NULL, 10)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *a = (struct addrinfo){.ai_family = AF_INET,
                           .ai_socktype = SOCK_STREAM,
                           .ai_protocol = IPPROTO_TCP,
                           .ai_addrlen = sizeof(*in),
                           .ai_addr = (struct sockaddr *)in};
    *ret = a;
    atomic_fetch_sub(&resolving, 1);
    return 0;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *a)
{
    free(a);
}

static struct http_origin *origin_named(const struct fixture *f, const char *name)
{
    struct error err = ERROR_INIT;
    char *url = xasprintf("https://%s:%d", name, server_port(f->server));
    struct http_origin_config c = {.url = url, .ca_pem = server_ca_pem(f->server)};
    struct http_origin *o = http_origin_new(&c, &err);
    assert_non_null(o);
    free(url);
    return o;
}

static const struct server_options named = {.names = "DNS:fast.example,DNS:slow.example"};

static void wait_for_threads(void)
{
    for (int i = 0; i < 500 && atomic_load(&resolving); i++)
        sleep_ms(10);
    assert_int_equal(atomic_load(&resolving), 0);
    sleep_ms(20); /* the thread's own end, which frees what it was given */
}

static void test_a_name_is_resolved_and_verified(void **state UNUSED)
{
    struct fixture f = fixture_new(&named);
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    static const char *const names[] = {"fast.example", "slow.example"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct http_origin *o = origin_named(&f, names[i]);
        struct call c = {0};
        call_start_to(&f, &c, o, (struct http_request){0});
        call_wait(&c);
        assert_int_equal(c.status, 200);
        struct server_hello hello;
        assert_true(server_take_hello(f.server, 1000, &hello));
        assert_string_equal(hello.server_name, names[i]);
        http_origin_unref(o);
    }
    fixture_done(&f);
    wait_for_threads();
}

/* What the environment says about proxies is not asked: the configuration says where requests go. */
static void test_no_proxy_of_the_environment(void **state UNUSED)
{
    static const char *const variables[] = {"https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"};
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        setenv(variables[i], "http://127.0.0.1:1", 1);
    struct fixture f = fixture_new(&named);
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    struct http_origin *o = origin_named(&f, "fast.example");
    struct call c = {0};
    call_start_to(&f, &c, o, (struct http_request){0});
    call_wait(&c);
    assert_int_equal(c.status, 200);
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        unsetenv(variables[i]);
    http_origin_unref(o);
    fixture_done(&f);
    wait_for_threads();
}

static int64_t now_us(void)
{
    return clock_boot_us(&clock_system);
}

static void turn_until_resolving(struct fixture *f)
{
    int64_t end = now_us() + 20 * S;
    while (!atomic_load(&resolving) && now_us() < end)
        (void)loop_turn(f->loop, MS);
    assert_true(atomic_load(&resolving) >= 1);
}

static void test_giving_up_does_not_wait_for_the_resolver(void **state UNUSED)
{
    struct fixture f = fixture_new(&named);
    struct http_origin *o = origin_named(&f, "slow.example");
    struct call cancelled = {0}, late = {0}, freed = {0};
    call_start_to(&f, &cancelled, o, (struct http_request){0});
    turn_until_resolving(&f);
    int64_t begin = now_us();
    http_cancel(f.http, cancelled.id);
    assert_true(now_us() - begin < SLOW_MS * MS / 2);
    call_start_to(&f, &late, o, (struct http_request){.connect_timeout_us = 50 * MS});
    begin = now_us();
    call_wait(&late);
    assert_true(now_us() - begin < SLOW_MS * MS / 2);
    check_says("late", &late.err, ERROR_TIMEOUT, "no connection to slow.example");
    call_start_to(&f, &freed, o, (struct http_request){0});
    turn_for(&f, 30 * MS);
    begin = now_us();
    http_origin_unref(o);
    fixture_done(&f);
    assert_true(now_us() - begin < SLOW_MS * MS / 2);
    assert_true(cancelled.done == 0 && freed.done == 0);
    wait_for_threads();
}

static void on_signal(void *data, int signo)
{
    assert_int_equal(signo, SIGUSR1);
    ++*(int *)data;
}

/* A signal comes to the loop while resolver threads are there, even when its handler was set up after them: a thread
 * that had it unblocked would die of it, and the process with it. */
static void test_threads_take_no_signals(void **state UNUSED)
{
    struct fixture f = fixture_new(&named);
    struct error err = ERROR_INIT;
    server_default(f.server, NULL, "*", script_answer(200, NULL, NULL));
    struct http_origin *o = origin_named(&f, "slow.example");
    struct call calls[4] = {0};
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        call_start_to(&f, &calls[i], o, (struct http_request){.connection = HTTP_DEDICATED});
    turn_until_resolving(&f);
    int seen = 0;
    assert_int_equal(loop_on_signal(f.loop, SIGUSR1, on_signal, &seen, &err), 0);
    for (int i = 0; i < 10; i++) {
        kill(getpid(), SIGUSR1);
        turn_for(&f, 2 * MS);
    }
    assert_int_equal(seen, 10);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        call_wait(&calls[i]);
        assert_int_equal(calls[i].status, 200);
    }
    assert_int_equal(atomic_load(&took_signals), 0);
    http_origin_unref(o);
    fixture_done(&f);
    wait_for_threads();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_is_resolved_and_verified),
        cmocka_unit_test(test_no_proxy_of_the_environment),
        cmocka_unit_test(test_giving_up_does_not_wait_for_the_resolver),
        cmocka_unit_test(test_threads_take_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
