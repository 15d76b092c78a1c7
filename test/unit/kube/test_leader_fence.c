/* Losing and giving back the lease: above all, when the fence closes. */
#include "test/api/candidate.h"
#include "test/server/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

static int setup(void **state)
{
    *state = world_new();
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* ---- losing ---- */

/* The deadline counts from before the last successful renewal was sent. */
static void test_fence_closes_on_time(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    world_pass(w, 5 * SEC); /* renewals at 2 and 4 s */
    int64_t renewed_us = w->clock.boot_us - SEC;
    server_down(api_server(w->api));
    world_pass(w, renewed_us + 10 * SEC - 1 - w->clock.boot_us);
    assert_true(leader_may_write(a->leader));
    assert_int_equal(a->lost, 0);
    world_pass(w, 1);
    assert_false(leader_may_write(a->leader));
    assert_int_equal(a->lost, 1);
    server_up(api_server(w->api));
    world_pass(w, 60 * SEC);
    assert_int_equal(a->lost, 1);
    assert_int_equal(a->started, 1); /* lost is lost */
    assert_false(leader_healthy(a->leader));
    candidate_free(a);
}

static void test_unanswered_renewals(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    candidate_fault(w, (struct api_fault){.op = API_ANY, .how = API_STALL, .times = 100});
    int64_t began_us = w->clock.boot_us;
    assert_false(a->lost);
    world_pass(w, 9990 * USEC_PER_MSEC);
    assert_true(leader_may_write(a->leader));
    world_pass(w, 20 * USEC_PER_MSEC);
    assert_int_equal(a->lost, 1);
    assert_in_range(w->clock.boot_us - began_us, 10 * SEC, 11 * SEC);
    assert_int_equal(http_active(w->http), 0); /* nothing of it is under way any more */
    candidate_free(a);
}

static void test_another_holder_is_seen(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    (void)api_put(w->api, &api_leases, "sys", "op",
                  "{\"spec\":{\"holderIdentity\":\"thief\",\"leaseDurationSeconds\":15}}");
    int64_t began_us = w->clock.boot_us;
    assert_true(world_until(w, candidate_has_lost, a));
    assert_true(w->clock.boot_us - began_us <= 2 * SEC);
    candidate_assert_lease(w, "spec.holderIdentity", "thief");
    assert_string_equal(buf_str(&a->holders), "a thief ");
    candidate_free(a);
}

struct attempt {
    unsigned done;
    enum error_kind kind;
};

static void on_write_done(void *data, const struct kube_response *response, const struct error *err)
{
    struct attempt *t = data;
    (void)response;
    t->done++;
    t->kind = err ? err->kind : ERROR_NONE;
}

static bool is_done(void *data)
{
    return ((struct attempt *)data)->done > 0;
}

static enum error_kind write_something(struct candidate *c)
{
    struct attempt t = {0};
    const char body[] = "{\"metadata\":{\"name\":\"written\"}}";
    struct kube_request request = {.verb = KUBE_POST,
                                   .path = "/api/v1/namespaces/sys/pods",
                                   .body = body,
                                   .body_len = sizeof(body) - 1,
                                   .done = on_write_done,
                                   .data = &t};
    (void)kube_client_start(c->client, &request);
    assert_true(world_until(c->world, is_done, &t));
    return t.kind;
}

/* Stopped and woken within a turn, with the answer of a renewal already in the socket: the fence is closed before
 * anything runs, nothing is written, and the late answer does not open it again. */
static void test_frozen_process_writes_nothing(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    assert_int_equal(write_something(a), ERROR_NONE);
    (void)api_delete(w->api, &api_pods, "sys", "written");
    unsigned creates = api_count(w->api, API_CREATE), updates = api_count(w->api, API_UPDATE);
    while (api_count(w->api, API_UPDATE) == updates) /* a renewal goes out; its answer is not read */
        if (!loop_turn(w->loop, 100) && http_active(w->http) == 0)
            (void)loop_jump(w->loop, &w->clock, INT64_MAX);
    clock_fake_advance(&w->clock, 20 * SEC);
    assert_true(leader_is_leader(a->leader)); /* nothing has run yet that could know better */
    assert_false(leader_may_write(a->leader));
    assert_int_equal(write_something(a), ERROR_FENCED);
    assert_true(world_until(w, candidate_has_lost, a));
    world_pass(w, 30 * SEC);
    assert_int_equal(a->lost, 1);
    assert_int_equal(api_count(w->api, API_CREATE), creates);
    assert_int_equal(api_count(w->api, API_UPDATE), updates + 1);
    candidate_free(a);
}

/* Two processes, one stopped: at no time may both write, the other candidate_leads not before every write of the
 * stopped one has ended, and the woken one finds out before it does anything. */
static void test_takeover_from_a_frozen_leader(void **state)
{
    struct world *w = *state, stopped = *w;
    struct error err = ERROR_INIT;
    stopped.loop = loop_new(&w->clock.clock, &err);
    stopped.http = http_new(stopped.loop, &(struct http_config){.user_agent = "test"}, &err);
    struct candidate *a = candidate_new(&stopped, "a"), *b = candidate_new(w, "b");
    leader_start(a->leader);
    while (!candidate_leads(a))
        (void)loop_turn(stopped.loop, USEC_PER_MSEC);
    leader_start(b->leader);
    int64_t closed_us = 0;
    for (unsigned n = 0; !candidate_leads(b) && n < 4000; n++) {
        world_pass(w, 10 * USEC_PER_MSEC);
        assert_false(leader_may_write(a->leader) && leader_may_write(b->leader));
        if (!closed_us && !leader_may_write(a->leader))
            closed_us = w->clock.boot_us;
    }
    assert_true(candidate_leads(b));
    assert_true(closed_us > 0 && w->clock.boot_us >= closed_us + 4 * SEC);
    unsigned writes = api_count(w->api, API_UPDATE);
    while (!a->lost)
        (void)loop_turn(stopped.loop, USEC_PER_MSEC);
    assert_int_equal(http_active(stopped.http), 0);
    assert_int_equal(api_count(w->api, API_UPDATE), writes);
    candidate_assert_lease(w, "spec.holderIdentity", "b");
    candidate_free(b);
    candidate_free(a);
    (void)http_free(stopped.http);
    (void)loop_free(stopped.loop);
}

/* ---- release ---- */

static void test_release(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a"), *b = candidate_new(w, "b");
    leader_start(b->leader);
    assert_true(world_until(w, candidate_has_seen_a_holder, b));
    leader_release(a->leader, candidate_on_released, a);
    assert_false(leader_may_write(a->leader));
    assert_int_equal(a->released, 0);
    int64_t began_us = w->clock.boot_us;
    assert_true(world_until(w, candidate_is_released, a));
    candidate_assert_lease(w, "spec.holderIdentity", "");
    candidate_assert_lease(w, "spec.leaseDurationSeconds", "1");
    assert_int_equal(a->lost, 0);
    assert_true(world_until(w, candidate_leads, b));
    assert_true(w->clock.boot_us - began_us <= 4400 * USEC_PER_MSEC); /* not the whole duration */
    candidate_assert_lease(w, "spec.leaseTransitions", "1");
    world_pass(w, 30 * SEC);
    assert_int_equal(a->released, 1);
    assert_true(leader_may_write(b->leader));
    candidate_free(b);
    candidate_free(a);
}

static void test_release_after_a_conflict(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    candidate_fault(w, (struct api_fault){.op = API_UPDATE, .status = 409, .reason = "Conflict", .times = 2});
    leader_release(a->leader, candidate_on_released, a);
    assert_true(world_until(w, candidate_is_released, a));
    candidate_assert_lease(w, "spec.holderIdentity", "");
    candidate_free(a);
}

static void test_release_of_what_is_not_ours(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a"), *b = candidate_new(w, "b");
    leader_start(b->leader);
    assert_true(world_until(w, candidate_has_seen_a_holder, b));
    unsigned updates = api_count(w->api, API_UPDATE);
    leader_release(b->leader, candidate_on_released, b);
    assert_true(world_until(w, candidate_is_released, b));
    assert_int_equal(api_count(w->api, API_UPDATE), updates);
    /* Taken by another while we let go: left alone. */
    (void)api_put(w->api, &api_leases, "sys", "op",
                  "{\"spec\":{\"holderIdentity\":\"thief\",\"leaseDurationSeconds\":15}}");
    leader_release(a->leader, candidate_on_released, a);
    assert_true(world_until(w, candidate_is_released, a));
    candidate_assert_lease(w, "spec.holderIdentity", "thief");
    candidate_free(b);
    candidate_free(a);
}

static void test_release_has_an_end(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    candidate_fault(w, (struct api_fault){.op = API_ANY, .how = API_STALL, .times = 100});
    leader_release(a->leader, candidate_on_released, a);
    world_pass(w, 3900 * USEC_PER_MSEC);
    assert_int_equal(a->released, 0);
    world_pass(w, 200 * USEC_PER_MSEC);
    assert_int_equal(a->released, 1);
    candidate_free(a);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fence_closes_on_time),
        TEST(test_unanswered_renewals),
        TEST(test_another_holder_is_seen),
        TEST(test_frozen_process_writes_nothing),
        TEST(test_takeover_from_a_frozen_leader),
        TEST(test_release),
        TEST(test_release_after_a_conflict),
        TEST(test_release_of_what_is_not_ours),
        TEST(test_release_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
