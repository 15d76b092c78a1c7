/* When status is written: at once, later, again, or not at all. */
#include "base/alloc.h"
#include "reconcile/status_writer.h"
#include "test/api/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY "shop/web"

struct fixture {
    struct world *world;
    struct status_writer *writer;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->world = world_new();
    (void)api_put(f->world->api, &api_autoscalers, "shop", "web", "{}");
    f->writer = status_writer_new(f->world->client, 20, f->world->log, f->world->metrics);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    status_writer_free(f->writer);
    world_free(f->world);
    free(f);
    return 0;
}

static struct pa_status status_of(int32_t replicas, const char *reason)
{
    struct pa_status s = {.observed_generation = 1, .current_replicas = replicas, .desired_replicas = replicas};
    pa_condition_set(&s, PA_READY, CONDITION_TRUE, reason, "all is well");
    return s;
}

static void put(struct fixture *f, int32_t replicas, const char *reason)
{
    struct pa_status s = status_of(replicas, reason);
    assert_true(status_writer_put(f->writer, KEY, &s));
}

static bool is_idle(void *data)
{
    const struct fixture *f = data;
    return status_writer_pending(f->writer) == 0;
}

static void settle(struct fixture *f)
{
    assert_true(world_until(f->world, is_idle, f));
}

static void expect_writes(struct fixture *f, unsigned n, const char *in_the_last)
{
    assert_int_equal(api_count(f->world->api, API_PATCH), n);
    char *body = api_body(f->world->api, API_PATCH, n - 1);
    assert_non_null(strstr(body, in_the_last));
    free(body);
}

static void test_writes_what_is_new_once(void **state)
{
    struct fixture *f = *state;
    put(f, 3, "Fine");
    settle(f);
    expect_writes(f, 1, "\"currentReplicas\":3");
    put(f, 3, "Fine");
    assert_int_equal(status_writer_pending(f->writer), 0);
    put(f, 4, "Fine");
    settle(f);
    expect_writes(f, 2, "\"currentReplicas\":4");
}

static void put_message(struct fixture *f, const char *message)
{
    struct pa_status s = status_of(3, "Fine");
    pa_condition_set(&s, PA_READY, CONDITION_TRUE, "Fine", "%s", message);
    status_writer_put(f->writer, KEY, &s);
}

static void test_drift_waits_five_minutes(void **state)
{
    struct fixture *f = *state;
    put_message(f, "all is well");
    settle(f);
    world_pass(f->world, 299 * USEC_PER_SEC);
    put_message(f, "all is even better");
    assert_int_equal(status_writer_pending(f->writer), 0);
    world_pass(f->world, 2 * USEC_PER_SEC);
    put_message(f, "all is even better");
    settle(f);
    expect_writes(f, 2, "even better");
}

static void test_a_new_reason_is_written_at_once(void **state)
{
    struct fixture *f = *state;
    put(f, 3, "Fine");
    settle(f);
    world_pass(f->world, USEC_PER_SEC);
    put(f, 3, "Better");
    settle(f);
    expect_writes(f, 2, "Better");
}

/* An hour of syncs in which `say` has something else to say each time. */
static unsigned writes_in_an_hour(struct fixture *f, void (*say)(struct fixture *f, unsigned i))
{
    world_pass(f->world, 301 * USEC_PER_SEC);
    say(f, 0);
    settle(f);
    unsigned before = api_count(f->world->api, API_PATCH);
    for (unsigned i = 1; i <= 240; i++) {
        world_pass(f->world, 15 * USEC_PER_SEC);
        say(f, i);
    }
    settle(f);
    return api_count(f->world->api, API_PATCH) - before;
}

static void flap_reason(struct fixture *f, unsigned i)
{
    put(f, 3, i % 2 ? "Better" : "Fine");
}

static void flap_sentence(struct fixture *f, unsigned i)
{
    put_message(f, i % 2 ? "3 pods are enough" : "4 pods would be better");
}

static void move_number(struct fixture *f, unsigned i)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "usage is %u millicores", 100 + i);
    put_message(f, text);
}

static void test_flapping_costs_little(void **state)
{
    struct fixture *f = *state;
    unsigned n = writes_in_an_hour(f, flap_reason);
    assert_in_range(n, 12, 17);
    /* The second hour has no first ones: one in 5 minutes, both ends counted. */
    n = writes_in_an_hour(f, flap_reason);
    assert_in_range(n, 6, 13);
    n = writes_in_an_hour(f, flap_sentence);
    assert_in_range(n, 6, 13);
    assert_int_equal(writes_in_an_hour(f, move_number), 0);
}

/* What flaps uses up no transition's right to be told at once. */
static void test_a_transition_goes_before_any_budget(void **state)
{
    struct fixture *f = *state;
    (void)writes_in_an_hour(f, flap_reason);
    unsigned before = api_count(f->world->api, API_PATCH);
    for (int32_t replicas = 5; replicas < 10; replicas++) {
        world_pass(f->world, USEC_PER_SEC);
        put(f, replicas, "Fine");
        settle(f);
    }
    assert_int_equal(api_count(f->world->api, API_PATCH), before + 5);
}

static void test_what_the_server_has_is_not_written(void **state)
{
    struct fixture *f = *state;
    struct pa_status s = status_of(3, "Fine");
    struct schema_digest digest = pa_status_digest(&s);
    status_writer_seen(f->writer, KEY, &digest);
    put(f, 3, "Fine");
    assert_int_equal(status_writer_pending(f->writer), 0);
    put(f, 5, "Fine");
    settle(f);
    expect_writes(f, 1, "\"currentReplicas\":5");
}

static bool has_begun(void *data)
{
    const struct fixture *f = data;
    return api_count(f->world->api, API_PATCH) > 0;
}

static void test_newer_one_follows_a_write_under_way(void **state)
{
    struct fixture *f = *state;
    api_split(f->world->api, 20, 1);
    put(f, 3, "Fine");
    assert_true(world_until(f->world, has_begun, f));
    assert_int_equal(status_writer_pending(f->writer), 1);
    put(f, 4, "Fine");
    put(f, 5, "Fine");
    settle(f);
    expect_writes(f, 2, "\"currentReplicas\":5");
    put(f, 5, "Fine");
    assert_int_equal(status_writer_pending(f->writer), 0);
}

static void test_failed_one_is_tried_again_with_the_newest(void **state)
{
    struct fixture *f = *state;
    api_fault(f->world->api, &(struct api_fault){.op = API_PATCH, .status = 403, .reason = "Forbidden", .times = 2});
    put(f, 3, "Fine");
    world_pass(f->world, USEC_PER_SEC);
    expect_writes(f, 1, "\"currentReplicas\":3");
    put(f, 4, "Fine"); /* waits for the retry like the one before */
    world_pass(f->world, USEC_PER_SEC / 2);
    assert_int_equal(api_count(f->world->api, API_PATCH), 1);
    world_pass(f->world, USEC_PER_SEC);
    expect_writes(f, 2, "\"currentReplicas\":4");
    settle(f);
    expect_writes(f, 3, "\"currentReplicas\":4");
}

static void test_object_that_is_gone_is_forgotten(void **state)
{
    struct fixture *f = *state;
    (void)api_delete(f->world->api, &api_autoscalers, "shop", "web");
    put(f, 3, "Fine");
    settle(f);
    world_pass(f->world, 300 * USEC_PER_SEC);
    assert_int_equal(api_count(f->world->api, API_PATCH), 1);
}

static void test_forgetting_ends_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    api_fault(f->world->api, &(struct api_fault){.op = API_PATCH, .how = API_STALL});
    put(f, 3, "Fine");
    assert_true(world_until(f->world, has_begun, f));
    put(f, 4, "Fine");
    status_writer_forget(f->writer, KEY);
    assert_int_equal(status_writer_pending(f->writer), 0);
    world_pass(f->world, 300 * USEC_PER_SEC);
    assert_int_equal(api_count(f->world->api, API_PATCH), 1);
}

static bool put_to(struct fixture *f, int n)
{
    struct pa_status s = status_of(3, "Fine");
    _cleanup_(freep) char *key = xasprintf("shop/app-%d", n);
    return status_writer_put(f->writer, key, &s);
}

/* A thousand that start at once: those that are not taken in are told so, and none is lost who asks again. */
static void test_only_so_many_wait(void **state)
{
    struct fixture *f = *state;
    int taken = 0;
    for (int n = 0; n < 200; n++) {
        _cleanup_(freep) char *name = xasprintf("app-%d", n);
        (void)api_put(f->world->api, &api_autoscalers, "shop", name, "{}");
        taken += put_to(f, n);
    }
    assert_int_equal(taken, 128);
    assert_true(put_to(f, 0)); /* which waits already */
    settle(f);
    for (int n = 0; n < 200; n++)
        assert_true(put_to(f, n));
    settle(f);
    assert_int_equal(api_count(f->world->api, API_PATCH), 200);
}

static void test_only_so_many_are_under_way(void **state)
{
    struct fixture *f = *state;
    api_fault(f->world->api, &(struct api_fault){.op = API_PATCH, .how = API_STALL, .times = 8});
    for (int n = 0; n < 40; n++)
        assert_true(put_to(f, n));
    world_pass(f->world, 5 * USEC_PER_SEC);
    assert_int_equal(api_count(f->world->api, API_PATCH), 8);
    for (int n = 0; n < 8; n++) {
        _cleanup_(freep) char *key = xasprintf("shop/app-%d", n);
        status_writer_forget(f->writer, key);
    }
    settle(f);
    assert_int_equal(api_count(f->world->api, API_PATCH), 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_writes_what_is_new_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drift_waits_five_minutes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_new_reason_is_written_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flapping_costs_little, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_transition_goes_before_any_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_the_server_has_is_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_one_follows_a_write_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_one_is_tried_again_with_the_newest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_object_that_is_gone_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgetting_ends_what_is_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_so_many_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_so_many_are_under_way, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
