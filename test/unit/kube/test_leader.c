/* The elector: who leads, who waits, and what a renewal leaves alone. */
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

/* ---- configuration ---- */

static void test_durations_are_checked(void **state)
{
    struct world *w = *state;
    static const struct {
        int64_t lease_us, renew_us, retry_us;
        const char *identity, *part;
    } rows[] = {
        {10 * SEC, 10 * SEC, 2 * SEC, "a", "longer than the renew deadline"},
        {15 * SEC, 2 * SEC, 2 * SEC, "a", "1.2 times the retry period"},
        {15 * SEC, 10 * SEC, -1, "a", "1.2 times the retry period"},
        {SEC / 2, SEC / 4, SEC / 8, "a", "a second or more"},
        {0, 0, 0, "", "must not be empty"},
        {0, 0, 0, NULL, "must not be empty"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error err = ERROR_INIT;
        struct leader_config config = {.namespace_ = "sys",
                                       .name = "op",
                                       .identity = rows[i].identity,
                                       .lease_us = rows[i].lease_us,
                                       .renew_us = rows[i].renew_us,
                                       .retry_us = rows[i].retry_us};
        assert_null(leader_new(w->client, &config, NULL, NULL, &w->rng, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_non_null(strstr(err.message, rows[i].part));
    }
    assert_null(leader_free(NULL));
}

/* ---- acquiring ---- */

static void test_creates_the_lease(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_new(w, "a");
    assert_false(leader_may_write(a->leader));
    assert_true(leader_healthy(a->leader));
    leader_start(a->leader);
    assert_int_equal(a->started, 0); /* never from inside */
    assert_true(world_until(w, candidate_leads, a));
    assert_int_equal(a->started, 1);
    assert_string_equal(buf_str(&a->holders), "a ");
    candidate_assert_lease(w, "spec.holderIdentity", "a");
    candidate_assert_lease(w, "spec.leaseDurationSeconds", "15");
    candidate_assert_lease(w, "spec.leaseTransitions", "0");
    candidate_assert_lease(w, "spec.acquireTime", "2026-11-21T08:48:03.000000Z");
    candidate_free(a);
}

/* One created it between our look and our write: a lost race, no error. */
static void test_lost_race_to_create(void **state)
{
    struct world *w = *state;
    candidate_fault(w, (struct api_fault){.op = API_CREATE, .status = 409, .reason = "AlreadyExists"});
    struct candidate *a = candidate_new(w, "a");
    leader_start(a->leader);
    int64_t began_us = w->clock.boot_us;
    assert_true(world_until(w, candidate_leads, a));
    assert_in_range(w->clock.boot_us - began_us, 2 * SEC, 4400 * USEC_PER_MSEC); /* retry x [1, 2.2) */
    candidate_free(a);
}

/* A lease is expired when its record has not changed for its duration on our clock, whatever times stand in it. */
static void test_takes_over_by_its_own_clock(void **state)
{
    struct world *w = *state;
    static const char *const renew_times[] = {"1999-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z", "nonsense"};
    for (size_t i = 0; i < ARRAY_SIZE(renew_times); i++) {
        char body[256];
        snprintf(body, sizeof(body),
                 "{\"spec\":{\"holderIdentity\":\"gone\",\"leaseDurationSeconds\":30,\"leaseTransitions\":4,"
                 "\"renewTime\":\"%s\"}}",
                 renew_times[i]);
        (void)api_put(w->api, &api_leases, "sys", "op", body);
        struct candidate *a = candidate_new(w, "a");
        leader_start(a->leader);
        int64_t began_us = w->clock.boot_us;
        assert_true(world_until(w, candidate_leads, a));
        assert_in_range(w->clock.boot_us - began_us, 30 * SEC, 30 * SEC + 4400 * USEC_PER_MSEC);
        candidate_assert_lease(w, "spec.leaseTransitions", "5");
        assert_string_equal(buf_str(&a->holders), "gone a ");
        candidate_free(a);
    }
}

static void test_waits_as_long_as_it_is_renewed(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a"), *b = candidate_new(w, "b");
    leader_start(b->leader);
    world_pass(w, 120 * SEC);
    assert_true(leader_is_leader(a->leader));
    assert_false(leader_is_leader(b->leader));
    assert_string_equal(leader_holder(b->leader), "a");
    assert_string_equal(buf_str(&b->holders), "a ");
    candidate_assert_lease(w, "spec.leaseTransitions", "0");
    assert_int_equal(a->lost + b->started, 0);
    candidate_free(b);
    candidate_free(a);
}

/* An empty holder is free at once, and so is a lease that never said for how long. */
static void test_free_lease(void **state)
{
    struct world *w = *state;
    static const char *const bodies[] = {
        "{\"spec\":{\"holderIdentity\":\"\",\"leaseDurationSeconds\":1,\"leaseTransitions\":7}}",
        "{\"spec\":{\"leaseTransitions\":7}}",
        "{\"spec\":{\"holderIdentity\":\"x\",\"leaseTransitions\":7}}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        (void)api_put(w->api, &api_leases, "sys", "op", bodies[i]);
        int64_t began_us = w->clock.boot_us;
        struct candidate *a = candidate_leading(w, "a");
        assert_int_equal(w->clock.boot_us, began_us);
        candidate_assert_lease(w, "spec.leaseTransitions", "8");
        candidate_free(a);
    }
}

/* Standing by with a server that fails: it goes on trying, and is not made a leader by errors. */
static void test_standby_survives_errors(void **state)
{
    struct world *w = *state;
    server_down(api_server(w->api));
    struct candidate *a = candidate_new(w, "a");
    leader_start(a->leader);
    world_pass(w, 60 * SEC);
    assert_int_equal(a->started, 0);
    server_up(api_server(w->api));
    candidate_fault(w, (struct api_fault){.op = API_GET, .how = API_SAY, .body = "<html>"});
    candidate_fault(w, (struct api_fault){.op = API_GET, .how = API_SAY, .body = "{\"kind\":\"Lease\"}"});
    candidate_fault(w, (struct api_fault){.op = API_GET, .status = 403, .reason = "Forbidden"});
    candidate_fault(w, (struct api_fault){.op = API_CREATE, .status = 500, .reason = "InternalError"});
    assert_true(world_until(w, candidate_leads, a));
    candidate_free(a);
}

/* ---- renewing ---- */

static void test_fast_path(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    unsigned gets = api_count(w->api, API_GET), puts = api_count(w->api, API_UPDATE);
    char before[64], after[64];
    candidate_lease_text(w, "spec.renewTime", before, sizeof(before));
    world_pass(w, 60 * SEC);
    assert_int_equal(api_count(w->api, API_GET), gets); /* no look before each write */
    assert_in_range(api_count(w->api, API_UPDATE) - puts, 29, 31);
    assert_string_not_equal(before, candidate_lease_text(w, "spec.renewTime", after, sizeof(after)));
    candidate_assert_lease(w, "spec.acquireTime", "2026-11-21T08:48:03.000000Z");
    candidate_assert_lease(w, "spec.leaseTransitions", "0");
    candidate_free(a);
}

/* Fields that are not ours survive, and an edit by someone else costs one look. */
static void test_foreign_edit(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    char *json = api_get(w->api, &api_leases, "sys", "op");
    char *edited = api_merge(
        json, "{\"metadata\":{\"labels\":{\"team\":\"x\"}},\"spec\":{\"strategy\":\"Some\",\"new\":{\"y\":1}}}");
    (void)api_put(w->api, &api_leases, "sys", "op", edited);
    unsigned gets = api_count(w->api, API_GET);
    world_pass(w, 10 * SEC);
    assert_true(leader_may_write(a->leader));
    assert_int_equal(api_count(w->api, API_GET), gets + 1);
    candidate_assert_lease(w, "spec.strategy", "Some");
    candidate_assert_lease(w, "spec.new.y", "1");
    candidate_assert_lease(w, "metadata.labels.team", "x");
    candidate_assert_lease(w, "spec.holderIdentity", "a");
    struct metrics_series *slow = metrics_get(
        metrics_family(w->metrics, METRICS_COUNTER, "leader_election_slowpath_total", "", "name", NULL, 0), "op", NULL);
    assert_float_equal(metrics_value(slow), 1, 0);
    free(edited);
    free(json);
    candidate_free(a);
}

/* The Lease is deleted under us, or its holder wiped: as long as nobody else has it we take it again. */
static void test_lease_vanishes(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    (void)api_delete(w->api, &api_leases, "sys", "op");
    world_pass(w, 5 * SEC);
    assert_true(leader_may_write(a->leader));
    candidate_assert_lease(w, "spec.holderIdentity", "a");
    (void)api_put(w->api, &api_leases, "sys", "op", "{\"spec\":{\"holderIdentity\":\"\",\"leaseTransitions\":2}}");
    world_pass(w, 5 * SEC);
    assert_true(leader_may_write(a->leader));
    candidate_assert_lease(w, "spec.holderIdentity", "a");
    assert_int_equal(a->lost, 0);
    candidate_free(a);
}

/* A write whose answer was lost may have been done: the next attempt looks before it writes. */
static void test_answer_is_lost(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    candidate_fault(w, (struct api_fault){.op = API_UPDATE, .how = API_RESET, .applied = true, .times = 2});
    world_pass(w, 20 * SEC);
    assert_true(leader_may_write(a->leader));
    assert_int_equal(a->lost, 0);
    candidate_free(a);
}

static void test_a_few_failures_are_survived(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    for (unsigned round = 0; round < 5; round++) {
        candidate_fault(w, (struct api_fault){.op = API_UPDATE, .status = 500, .reason = "InternalError"});
        candidate_fault(w, (struct api_fault){.op = API_GET, .how = API_RESET});
        world_pass(w, 20 * SEC);
        assert_true(leader_may_write(a->leader));
    }
    /* One renewal that is never answered: given up in time for another. */
    candidate_fault(w, (struct api_fault){.op = API_UPDATE, .how = API_STALL});
    world_pass(w, 20 * SEC);
    assert_true(leader_may_write(a->leader));
    assert_int_equal(a->lost, 0);
    candidate_free(a);
}

/* Renewals have a connection of their own, which is kept. */
static void test_connection_is_kept(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_leading(w, "a");
    size_t accepted = server_accepted(api_server(w->api));
    world_pass(w, 120 * SEC);
    assert_int_equal(server_accepted(api_server(w->api)), accepted);
    candidate_free(a);
}

/* ---- health ---- */

static void test_health_and_metric(void **state)
{
    struct world *w = *state;
    struct candidate *a = candidate_new(w, "a");
    struct metrics_series *master = metrics_get(
        metrics_family(w->metrics, METRICS_GAUGE, "leader_election_master_status", "", "name", NULL, 0), "op", NULL);
    assert_float_equal(metrics_value(master), 0, 0);
    leader_start(a->leader);
    assert_true(world_until(w, candidate_leads, a));
    assert_float_equal(metrics_value(master), 1, 0);
    /* Nothing runs any more, not even the timer that would close the fence. */
    clock_fake_advance(&w->clock, 35 * SEC);
    assert_true(leader_healthy(a->leader));
    clock_fake_advance(&w->clock, SEC);
    assert_false(leader_healthy(a->leader));
    assert_true(world_until(w, candidate_has_lost, a));
    assert_float_equal(metrics_value(master), 0, 0);
    candidate_free(a);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_durations_are_checked),
        TEST(test_creates_the_lease),
        TEST(test_lost_race_to_create),
        TEST(test_takes_over_by_its_own_clock),
        TEST(test_waits_as_long_as_it_is_renewed),
        TEST(test_free_lease),
        TEST(test_standby_survives_errors),
        TEST(test_fast_path),
        TEST(test_foreign_edit),
        TEST(test_lease_vanishes),
        TEST(test_answer_is_lost),
        TEST(test_a_few_failures_are_survived),
        TEST(test_connection_is_kept),
        TEST(test_health_and_metric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
