/* The informer through everything that breaks or is refused, one thing at a time: client-go's reflector tests in our
 * form. */
#include "base/alloc.h"
#include "base/str.h"
#include "test/api/watcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FOR_EVER 1000000

static int setup(void **state)
{
    *state = watcher_new();
    return 0;
}

static int teardown(void **state)
{
    watcher_free(*state);
    return 0;
}

static void put(struct watcher *w, const char *name, const char *body)
{
    (void)api_put(w->world->api, &api_pods, "shop", name, body);
}

/* In step with one pod "a" at 1001, nothing told yet. */
static void begin(struct watcher *w)
{
    put(w, "a", "{}");
    watcher_start(w);
    watcher_in_step(w);
    buf_clear(&w->told);
}

static void fault(struct watcher *w, struct api_fault f)
{
    api_fault(w->world->api, &f);
}

static struct reflector_stats stats(const struct watcher *w)
{
    return informer_stats(w->informer).reflector;
}

struct goal {
    struct watcher *w;
    uint64_t lists, watches;
};

static bool reached(void *data)
{
    const struct goal *g = data;
    return stats(g->w).lists >= g->lists && stats(g->w).watches >= g->watches;
}

/* Until so many lists and watches were begun; gives the client's time then. */
static int64_t until(struct watcher *w, uint64_t lists, uint64_t watches)
{
    struct goal g = {w, lists, watches};
    if (!world_until(w->world, reached, &g))
        fail_msg("only %d lists and %d watches", (int)stats(w).lists, (int)stats(w).watches);
    return w->world->clock.boot_us;
}

static void assert_error(struct watcher *w, const char *part)
{
    const struct error *err = informer_error(w->informer);
    if (!err || !strstr(error_text(err), part))
        fail_msg("error is \"%s\", want \"%s\"", err ? error_text(err) : "none", part);
}

/* ---- no connection, no answer ---- */

/* 800 ms x 2^n with jitter 1, at most 30 s. */
static void test_first_list_backs_off(void **state)
{
    struct watcher *w = *state;
    put(w, "a", "{}");
    watcher_server_down(w);
    watcher_start(w);
    double base_s = 0.8;
    int64_t last_us = until(w, 1, 0);
    for (uint64_t n = 2; n < 10; n++) {
        int64_t now_us = until(w, n, 0);
        assert_in_range(now_us - last_us, (int64_t)(base_s * 1e6), (int64_t)(2 * base_s * 1e6));
        last_us = now_us;
        base_s = MIN(2 * base_s, 30);
    }
    assert_error(w, "listing pods: ");
    assert_false(informer_synced(w->informer));
    watcher_server_up(w);
    watcher_in_step(w);
    assert_null(informer_error(w->informer));
    watcher_told(w, "+a synced ");
}

static void test_watch_without_connection_does_not_relist(void **state)
{
    struct watcher *w = *state;
    begin(w);
    watcher_server_down(w);
    (void)until(w, 1, 8);
    assert_error(w, "watching pods: ");
    api_mute(w->world->api, true);
    put(w, "b", "{}");
    api_mute(w->world->api, false);
    watcher_server_up(w);
    watcher_in_step(w);
    watcher_told(w, "+b ");
    assert_int_equal(stats(w).lists, 1);

    assert_null(informer_error(w->informer));
}

static void test_cuts_resume_at_once(void **state)
{
    struct watcher *w = *state;
    static const enum api_end ends[] = {API_END_CUT, API_END_RESET, API_END_CLEAN};
    begin(w);
    for (unsigned n = 0; n < 9; n++) {
        clock_fake_advance(&w->world->clock, 2 * USEC_PER_SEC);
        int64_t before_us = w->world->clock.boot_us;
        put(w, "a", "{\"spec\":{}}");
        watcher_in_step(w);
        api_watch_end(w->world->api, ends[n % ARRAY_SIZE(ends)]);
        (void)until(w, 1, n + 2);
        assert_int_equal(w->world->clock.boot_us, before_us);
        watcher_in_step(w);
    }
    assert_int_equal(stats(w).lists, 1);
    assert_null(informer_error(w->informer));
}

static void test_silence_is_a_broken_watch(void **state)
{
    struct watcher *w = *state;
    begin(w);
    api_bookmark(w->world->api);
    watcher_until_bookmarks(w, 1);
    world_pass(w->world, 179 * USEC_PER_SEC);
    assert_int_equal(stats(w).watches, 1);
    world_pass(w->world, 2 * USEC_PER_SEC);
    assert_int_equal(stats(w).watches, 2);
    assert_int_equal(stats(w).lists, 1);
    /* One that never said anything is not to be believed: it may wait for a version that does not come. */
    world_pass(w->world, 185 * USEC_PER_SEC);
    assert_int_equal(stats(w).watches, 3);
    assert_int_equal(stats(w).lists, 2);
    watcher_in_step(w);
    watcher_told(w, "");
}

/* The server does not end the watch when it should: we do. */
static void test_watch_has_a_deadline(void **state)
{
    struct watcher *w = *state;
    w->config.watch_timeout_s = 300;
    begin(w);
    for (unsigned n = 0; n < 6; n++) {
        assert_int_equal(stats(w).watches, 1);
        api_bookmark(w->world->api);
        watcher_until_bookmarks(w, n + 1);
        world_pass(w->world, (n == 5 ? 31 : 60) * USEC_PER_SEC);
    }
    assert_int_equal(stats(w).watches, 2);
    assert_int_equal(stats(w).lists, 1);
    watcher_in_step(w);
}

static void test_unanswered_list_times_out(void **state)
{
    struct watcher *w = *state;
    fault(w, (struct api_fault){.op = API_LIST, .how = API_STALL});
    put(w, "a", "{}");
    watcher_start(w);
    world_pass(w->world, 60 * USEC_PER_SEC);
    watcher_in_step(w);
    watcher_told(w, "+a synced ");
}

/* ---- refused ---- */

static void test_busy_watch_does_not_relist(void **state)
{
    struct watcher *w = *state;
    begin(w);
    fault(w, (struct api_fault){
                 .op = API_WATCH, .status = 429, .reason = "TooManyRequests", .retry_after_s = 7, .times = 4});
    clock_fake_advance(&w->world->clock, 2 * USEC_PER_SEC);
    api_watch_end(w->world->api, API_END_CLEAN);
    int64_t last_us = until(w, 1, 2);
    for (uint64_t n = 3; n <= 6; n++) {
        int64_t now_us = until(w, 1, n);
        assert_true(now_us - last_us >= 7 * USEC_PER_SEC);
        last_us = now_us;
    }
    watcher_in_step(w);
    assert_int_equal(stats(w).lists, 1);
}

static void test_busy_list_waits(void **state)
{
    struct watcher *w = *state;
    fault(w, (struct api_fault){.op = API_LIST, .status = 429, .reason = "TooManyRequests", .retry_after_s = 40});
    put(w, "a", "{}");
    watcher_start(w);
    int64_t began_us = w->world->clock.boot_us;
    assert_true(until(w, 2, 0) - began_us >= 40 * USEC_PER_SEC);
    watcher_in_step(w);
}

static void test_forbidden_list_says_so(void **state)
{
    struct watcher *w = *state;
    static const char message[] = "pods is forbidden: User \\\"system:serviceaccount:a:b\\\" cannot list resource "
                                  "\\\"pods\\\" in API group \\\"\\\" at the cluster scope";
    fault(w, (struct api_fault){
                 .op = API_LIST, .status = 403, .reason = "Forbidden", .message = message, .times = FOR_EVER});
    put(w, "a", "{}");
    watcher_start(w);
    (void)until(w, 6, 0);
    assert_error(w,
                 "listing pods: pods is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"pods\"");
    assert_int_equal(informer_error(w->informer)->code, 403);
    api_heal(w->world->api);
    watcher_in_step(w);
    assert_null(informer_error(w->informer));
}

/* List allowed, watch not: the cache follows by listing, and the error stays and names the verb. */
static void test_forbidden_watch_says_so(void **state)
{
    struct watcher *w = *state;
    w->config.namespace_ = "shop";
    fault(w, (struct api_fault){.op = API_WATCH,
                                .status = 403,
                                .reason = "Forbidden",
                                .message = "pods is forbidden: cannot watch resource",
                                .times = FOR_EVER});
    put(w, "a", "{}");
    watcher_start(w);
    (void)until(w, 3, 2);
    put(w, "b", "{}");
    (void)until(w, 5, 5);
    watcher_told(w, "+a synced +b ");
    assert_error(w, "watching pods in namespace shop: pods is forbidden: cannot watch resource");
    api_heal(w->world->api);
    watcher_in_step(w);
}

/* ---- expired, too large ---- */

static void test_expired_watch_relists_from_the_last(void **state)
{
    struct watcher *w = *state;
    begin(w);
    int64_t before_us = w->world->clock.boot_us;
    api_tell_error(w->world->api, 410, "Expired");
    assert_in_range(until(w, 2, 1) - before_us, 800 * USEC_PER_MSEC, 1600 * USEC_PER_MSEC);
    watcher_in_step(w);
    watcher_asked(w, API_LIST, 1, "/api/v1/pods?resourceVersion=1001");
    assert_null(informer_error(w->informer));
    /* What an old server says, and what one says before the stream. */
    api_tell_error(w->world->api, 410, "Gone");
    (void)until(w, 3, 3);
    watcher_in_step(w);
    fault(w, (struct api_fault){.op = API_WATCH, .status = 410, .reason = "Expired"});
    clock_fake_advance(&w->world->clock, 2 * USEC_PER_SEC);
    api_watch_end(w->world->api, API_END_CLEAN);
    (void)until(w, 4, 5);
    watcher_in_step(w);
    watcher_told(w, "");
}

/* 410 or "too large" for a relist: the newest, at once; the one after that asks as ever. */
static void test_relist_that_is_not_to_be_had(void **state)
{
    struct watcher *w = *state;
    static const struct api_fault faults[] = {
        {.op = API_LIST, .status = 410, .reason = "Expired"},
        {.op = API_LIST, .status = 504, .reason = "Timeout", .cause = "ResourceVersionTooLarge", .retry_after_s = 1},
        {.op = API_LIST, .status = 504, .reason = "Timeout", .message = "Too large resource version: 9, current: 1"},
    };
    begin(w);
    for (unsigned n = 0; n < ARRAY_SIZE(faults); n++) {
        uint64_t lists = stats(w).lists;
        fault(w, faults[n]);
        api_tell_error(w->world->api, 410, "Expired");
        int64_t first_us = until(w, lists + 1, 0);
        assert_int_equal(until(w, lists + 2, 0), first_us);
        watcher_in_step(w);
        watcher_asked(w, API_LIST, (unsigned)lists, "/api/v1/pods?resourceVersion=1001");
        watcher_asked(w, API_LIST, (unsigned)lists + 1, "/api/v1/pods?limit=500");
    }
    watcher_told(w, "");
}

/* ... and when that fails too there is a pause. */
static void test_relist_that_stays_unavailable(void **state)
{
    struct watcher *w = *state;
    begin(w);
    fault(w, (struct api_fault){.op = API_LIST, .status = 410, .reason = "Expired", .times = 4});
    api_tell_error(w->world->api, 410, "Expired");
    int64_t second_us = until(w, 3, 0);
    assert_true(until(w, 4, 0) - second_us >= 800 * USEC_PER_MSEC);
    watcher_in_step(w);
    assert_int_equal(stats(w).lists, 6);
}

static void test_expired_pages_are_one_full_list(void **state)
{
    struct watcher *w = *state;
    w->config.page_size = 2;
    for (unsigned n = 0; n < 5; n++) {
        char name[] = {(char)('a' + n), '\0'};
        put(w, name, "{}");
    }
    fault(w, (struct api_fault){.op = API_LIST, .skip = 1, .status = 410, .reason = "Expired"});
    watcher_start(w);
    watcher_in_step(w);
    watcher_asked(w, API_LIST, 0, "/api/v1/pods?limit=2");
    watcher_asked(w, API_LIST, 1, "/api/v1/pods?limit=2&continue=1%20at%2B2");
    watcher_asked(w, API_LIST, 2, "/api/v1/pods");
    assert_int_equal(api_count(w->world->api, API_LIST), 3);
    assert_int_equal(stats(w).pages, 3);
}

/* etcd came back from an older backup: the counter went back. A watch from the future is silent, a list is
 * too large. */
static void test_restored_from_a_backup(void **state)
{
    struct watcher *w = *state;
    begin(w);
    put(w, "b", "{}");
    watcher_in_step(w);
    (void)api_delete(w->world->api, &api_pods, "shop", "b");
    watcher_in_step(w);
    watcher_server_down(w);
    api_rewind(w->world->api, 500);
    put(w, "a", "{\"spec\":{}}");
    put(w, "c", "{}");
    watcher_server_up(w);
    world_pass(w->world, 179 * USEC_PER_SEC); /* a silent watch; nothing to be known */
    assert_null(informer_get(w->informer, "shop", "c"));
    world_pass(w->world, 10 * USEC_PER_SEC);
    watcher_in_step(w);
    assert_string_equal(informer_get(w->informer, "shop", "c")->meta.resource_version, "502");
}

/* ---- errors in the stream ---- */

static void test_internal_errors_are_retried_first(void **state)
{
    struct watcher *w = *state;
    static const char error[] =
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"reason\":\"InternalError\",\"code\":500}}\n";
    begin(w);
    for (unsigned n = 0; n < 3; n++) {
        api_tell_error(w->world->api, 500, "InternalError");
        (void)until(w, 1, n + 2);
        watcher_in_step(w);
        put(w, "a", "{\"spec\":{}}"); /* peace in between: patience begins anew */
        watcher_in_step(w);
    }
    assert_int_equal(stats(w).lists, 1);
    fault(w, (struct api_fault){.op = API_WATCH, .how = API_SAY, .body = error, .times = FOR_EVER});
    api_tell_error(w->world->api, 500, "InternalError");
    int64_t began_us = w->world->clock.boot_us;
    assert_in_range(until(w, 2, 0) - began_us, 60 * USEC_PER_SEC, 180 * USEC_PER_SEC);
    assert_true(stats(w).watches >= 5);
    api_heal(w->world->api);
    watcher_in_step(w);
}

static void test_other_errors_relist(void **state)
{
    struct watcher *w = *state;
    begin(w);
    api_tell_error(w->world->api, 418, "");
    (void)until(w, 2, 2);
    watcher_in_step(w);
    api_tell(w->world->api, "ERROR", "{}");
    (void)until(w, 3, 3);
    watcher_in_step(w);
    watcher_told(w, "");
}

static void test_short_watches_back_off(void **state)
{
    struct watcher *w = *state;
    begin(w);
    fault(w, (struct api_fault){.op = API_WATCH, .how = API_SAY, .body = "", .times = 5});
    clock_fake_advance(&w->world->clock, 2 * USEC_PER_SEC);
    api_watch_end(w->world->api, API_END_CLEAN);
    int64_t last_us = until(w, 1, 2);
    for (uint64_t n = 3; n <= 7; n++) {
        int64_t now_us = until(w, 1, n);
        assert_true(now_us - last_us >= 800 * USEC_PER_MSEC);
        last_us = now_us;
    }
    watcher_in_step(w);
    assert_int_equal(stats(w).lists, 1);
    /* A watch that brought something may be as short as it likes. */
    int64_t before_us = w->world->clock.boot_us;
    put(w, "b", "{}");
    watcher_in_step(w);
    api_watch_end(w->world->api, API_END_CLEAN);
    assert_int_equal(until(w, 1, 8), before_us);
}

/* ---- being stopped ---- */

/* At any moment of its life: nothing is called any more, nothing leaks, nothing is touched that is gone. */
static void test_freed_at_any_moment(void **state)
{
    struct watcher *w = *state;
    put(w, "a", "{}");
    for (unsigned turns = 0; turns < 60; turns++) {
        if (turns % 3 == 1)
            fault(w, (struct api_fault){.op = API_ANY, .how = API_CUT, .bytes = turns});
        if (turns % 3 == 2)
            fault(w, (struct api_fault){.op = API_WATCH, .how = API_STALL});
        watcher_start(w);
        for (unsigned n = 0; n < turns; n++) {
            (void)loop_turn(w->world->loop, 200);
            if (n % 7 == 6)
                (void)loop_jump(w->world->loop, &w->world->clock, INT64_MAX);
        }
        watcher_fresh(w);
        world_listen(w->world, 1);
        assert_int_equal(http_active(w->world->http), 0);
        watcher_told(w, "");
        api_heal(w->world->api);
    }
    begin(w);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_first_list_backs_off),
        TEST(test_watch_without_connection_does_not_relist),
        TEST(test_cuts_resume_at_once),
        TEST(test_silence_is_a_broken_watch),
        TEST(test_watch_has_a_deadline),
        TEST(test_unanswered_list_times_out),
        TEST(test_busy_watch_does_not_relist),
        TEST(test_busy_list_waits),
        TEST(test_forbidden_list_says_so),
        TEST(test_forbidden_watch_says_so),
        TEST(test_expired_watch_relists_from_the_last),
        TEST(test_relist_that_is_not_to_be_had),
        TEST(test_relist_that_stays_unavailable),
        TEST(test_expired_pages_are_one_full_list),
        TEST(test_restored_from_a_backup),
        TEST(test_internal_errors_are_retried_first),
        TEST(test_other_errors_relist),
        TEST(test_short_watches_back_off),
        TEST(test_freed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
