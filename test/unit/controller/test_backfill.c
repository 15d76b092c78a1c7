/* Backfills against an API server: validated, taken in once, deleted for certain, and not hoarded. */
#include "api/pa.h"
#include "api/pa_checkpoint.h"
#include "base/alloc.h"
#include "base/str.h"
#include "reconcile/backfill.h"
#include "test/api/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY "shop/web"

struct fixture {
    struct world *world;
    struct recorder *recorder;
    struct backfill *backfill;
    struct core_spec spec;
    struct core_state *state; /* of shop/web; NULL: it does not run */
    unsigned imports;
    uint32_t samples;
};

static struct core_state *state_of(void *data, const char *key)
{
    struct fixture *f = data;
    return streq(key, KEY) ? f->state : NULL;
}

static const char *uid_of(void *data UNUSED, const char *key)
{
    return streq(key, KEY) ? "u-1" : NULL;
}

static uint32_t lead_of(void *data UNUSED, const char *key UNUSED)
{
    return 120;
}

static void on_imported(void *data, const char *key, uint32_t samples)
{
    struct fixture *f = data;
    assert_string_equal(key, KEY);
    f->imports++;
    f->samples = samples;
}

static void begin(struct fixture *f)
{
    const struct backfill_config config = {
        .state = state_of, .uid = uid_of, .lead_s = lead_of, .imported = on_imported, .data = f};
    f->backfill = backfill_new(f->world->client, &config, f->recorder, f->world->log, f->world->metrics);
    backfill_start(f->backfill);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->world = world_new();
    f->recorder = recorder_new(f->world->client, "ai4k8s.io/operator", "test", f->world->log, &f->world->rng);
    f->spec = core_spec_default();
    f->state = core_state_new(&f->spec);
    begin(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    backfill_free(f->backfill);
    recorder_free(f->recorder);
    core_state_free(f->state);
    world_free(f->world);
    free(f);
    return 0;
}

/* A backfill of 100 samples of `metric`, of which `bad` (or none: < 0) is negative. */
static void leave(struct fixture *f, const char *name, const char *autoscaler, const char *metric, int bad)
{
    float samples[100];
    struct pa_checkpoint c = {.part = PA_PART_BACKFILL, .time_us = f->world->clock.real_us, .has_backfill = true};
    struct buf body = BUF_INIT(1 << 20);
    int64_t now_s = f->world->clock.real_us / USEC_PER_SEC / 300 * 300;
    c.backfill.interval_s = 300;
    c.backfill.start_us = (now_s - INT64_C(300) * (int64_t)ARRAY_SIZE(samples)) * USEC_PER_SEC;
    (void)str_copy(c.backfill.metric, sizeof(c.backfill.metric), metric);
    (void)str_copy(c.autoscaler.name, sizeof(c.autoscaler.name), autoscaler);
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        samples[i] = 1.0f + (float)i / 100;
    if (bad >= 0)
        samples[bad] = -1;
    pa_backfill_put(&c, samples, ARRAY_SIZE(samples));
    pa_checkpoint_body(&c, "shop", NULL, &body);
    (void)api_put(f->world->api, &api_checkpoints, "shop", name, buf_str(&body));
    buf_done(&body);
    pa_checkpoint_done(&c);
}

static void pass(struct fixture *f, int64_t seconds)
{
    world_pass(f->world, seconds * USEC_PER_SEC);
}

static bool is_there(struct fixture *f)
{
    return api_has(f->world->api, &api_checkpoints, "shop", "web-backfill");
}

/* How many events have this reason; and that the last of them says `note`. */
static unsigned told(struct fixture *f, const char *reason, const char *note)
{
    unsigned n = 0;
    char *last = NULL;
    _cleanup_(freep) char *field = xasprintf("\"reason\":\"%s\"", reason);
    for (unsigned i = 0; i < api_count(f->world->api, API_CREATE); i++) {
        char *body = api_body(f->world->api, API_CREATE, i);
        if (strstr(body, field)) {
            n++;
            free(last);
            last = body;
        } else {
            free(body);
        }
    }
    if (note && (!last || !strstr(last, note)))
        fail_msg("%s: %s", note, last ? last : "no event");
    free(last);
    return n;
}

static unsigned deletions(struct fixture *f)
{
    return api_count(f->world->api, API_DELETE);
}

/* ---- taken in ---- */

static void test_samples_are_taken_in_and_the_object_goes(void **state)
{
    struct fixture *f = *state;
    leave(f, "web-backfill", "web", "cpu", -1);
    pass(f, 2);
    assert_int_equal(f->imports, 1);
    assert_int_equal(f->samples, 100);
    assert_int_equal(demand_filled_slots(core_state_demand(f->state, "cpu")), 100);
    assert_false(is_there(f));
    assert_int_equal(told(f, "BackfillImported", "imported 100 samples"), 1);
    char *body = api_body(f->world->api, API_DELETE, 0);
    assert_non_null(strstr(body, "\"preconditions\":{\"uid\":\"uid-"));
    free(body);
}

static void test_one_waits_for_its_autoscaler(void **state)
{
    struct fixture *f = *state;
    struct core_state *later = f->state;
    f->state = NULL;
    leave(f, "web-backfill", "web", "cpu", -1);
    pass(f, 30);
    assert_int_equal(f->imports, 0);
    assert_true(is_there(f));
    f->state = later;
    backfill_ready(f->backfill, KEY);
    pass(f, 2);
    assert_int_equal(f->imports, 1);
    assert_false(is_there(f));
}

static void test_nothing_is_done_while_paused(void **state)
{
    struct fixture *f = *state;
    backfill_pause(f->backfill, true);
    leave(f, "web-backfill", "web", "cpu", -1);
    pass(f, 60);
    assert_int_equal(f->imports, 0);
    backfill_pause(f->backfill, false);
    pass(f, 2);
    assert_int_equal(f->imports, 1);
}

/* ---- rejected ---- */

static void test_bad_ones_are_rejected_and_deleted(void **state)
{
    struct fixture *f = *state;
    leave(f, "web-backfill", "web", "cpu", 7);
    pass(f, 2);
    assert_int_equal(told(f, "BackfillRejected", "sample 7 is negative"), 1);
    assert_false(is_there(f));
    leave(f, "web-backfill", "web", "requests", -1);
    pass(f, 2);
    assert_int_equal(told(f, "BackfillRejected", "no metric \\\"requests\\\" that is forecast"), 2);
    assert_false(is_there(f));
    (void)api_put(f->world->api, &api_checkpoints, "shop", "web-backfill",
                  "{\"metadata\":{\"labels\":{\"ai4k8s.io/part\":\"Backfill\"}},\"spec\":7}");
    pass(f, 2);
    assert_int_equal(told(f, "BackfillRejected", "spec: want an object"), 3);
    assert_false(is_there(f));
    assert_int_equal(f->imports, 0);
    assert_int_equal(demand_filled_slots(core_state_demand(f->state, "cpu")), 0);
}

/* ---- deleted for certain ---- */

static void test_a_deletion_that_fails_is_tried_again(void **state)
{
    struct fixture *f = *state;
    api_fault(f->world->api, &(struct api_fault){.op = API_DELETE, .status = 403, .reason = "Forbidden", .times = 2});
    api_fault(f->world->api, &(struct api_fault){.op = API_DELETE, .status = 409, .reason = "Conflict"});
    leave(f, "web-backfill", "web", "cpu", -1);
    pass(f, 1);
    assert_int_equal(deletions(f), 1);
    assert_true(is_there(f));
    pass(f, 2);
    assert_int_equal(deletions(f), 2);
    pass(f, 4);
    assert_int_equal(deletions(f), 3);
    pass(f, 6);
    assert_int_equal(deletions(f), 3); /* the pauses double */
    pass(f, 3);
    assert_int_equal(deletions(f), 4);
    assert_false(is_there(f));
    pass(f, 30);
    assert_int_equal(deletions(f), 4);
    assert_int_equal(f->imports, 1);
}

/* As long as it is there it is seen again and again: by a change of its metadata, by whatever wakes us. */
static void test_the_same_one_is_taken_in_once(void **state)
{
    struct fixture *f = *state;
    api_fault(f->world->api, &(struct api_fault){.op = API_DELETE, .status = 403, .reason = "Forbidden", .times = 60});
    leave(f, "web-backfill", "web", "cpu", -1);
    pass(f, 2);
    for (int i = 0; i < 3; i++) {
        leave(f, "web-backfill", "web", "cpu", -1); /* the same UID */
        backfill_ready(f->backfill, KEY);
        pass(f, 5);
    }
    assert_int_equal(f->imports, 1);
    assert_int_equal(told(f, "BackfillImported", NULL), 1);
    api_heal(f->world->api);
    pass(f, 20);
    assert_false(is_there(f));
    /* Another object of that name is another backfill. */
    leave(f, "web-backfill", "web", "cpu", -1);
    pass(f, 2);
    assert_int_equal(f->imports, 2);
    assert_false(is_there(f));
}

static void test_an_answer_that_is_lost_does_no_harm(void **state)
{
    struct fixture *f = *state;
    api_fault(f->world->api, &(struct api_fault){.op = API_DELETE, .how = API_RESET, .applied = true});
    leave(f, "web-backfill", "web", "cpu", -1);
    pass(f, 60);
    assert_int_equal(f->imports, 1);
    assert_false(is_there(f));
}

static void test_a_deletion_ends_with_its_owner(void **state)
{
    struct fixture *f = *state;
    api_fault(f->world->api, &(struct api_fault){.op = API_DELETE, .how = API_STALL});
    leave(f, "web-backfill", "web", "cpu", -1);
    pass(f, 1);
    assert_int_equal(deletions(f), 1);
    f->backfill = backfill_free(f->backfill);
    pass(f, 60); /* a callback now would reach what is gone */
}

/* ---- not hoarded ---- */

static unsigned stored(struct fixture *f)
{
    struct buf all = BUF_INIT(1 << 16);
    unsigned n = 0;
    api_contents(f->world->api, &api_checkpoints, "shop", &all);
    for (const char *at = buf_str(&all); (at = strchr(at, '=')) != NULL; at++)
        n++;
    buf_done(&all);
    return n;
}

static void test_only_so_many_wait(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < BACKFILL_MAX_WAITING; i++) {
        _cleanup_(freep) char *name = xasprintf("a%d", i), *object = xasprintf("a%d-backfill", i);
        leave(f, object, name, "cpu", -1);
    }
    pass(f, 2);
    assert_int_equal(stored(f), BACKFILL_MAX_WAITING);
    assert_int_equal(deletions(f), 0);
    /* One for an autoscaler that runs does not wait. */
    leave(f, "web-backfill", "web", "cpu", -1);
    pass(f, 2);
    assert_int_equal(f->imports, 1);
    for (int i = 0; i < 3; i++) {
        _cleanup_(freep) char *name = xasprintf("b%d", i), *object = xasprintf("b%d-backfill", i);
        leave(f, object, name, "cpu", -1);
    }
    pass(f, 2);
    assert_int_equal(stored(f), BACKFILL_MAX_WAITING);
    (void)told(f, "BackfillRejected", "too many wait");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_samples_are_taken_in_and_the_object_goes),
        TEST(test_one_waits_for_its_autoscaler),
        TEST(test_nothing_is_done_while_paused),
        TEST(test_bad_ones_are_rejected_and_deleted),
        TEST(test_a_deletion_that_fails_is_tried_again),
        TEST(test_the_same_one_is_taken_in_once),
        TEST(test_an_answer_that_is_lost_does_no_harm),
        TEST(test_a_deletion_ends_with_its_owner),
        TEST(test_only_so_many_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
