/* Checkpoints whose autoscaler went while nobody looked: which of them are given an end, and which are left alone. */
#include "api/pa.h"
#include "api/pa_checkpoint.h"
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "reconcile/checkpoint.h"
#include "reconcile/expiry.h"
#include "reconcile/orphans.h"
#include "test/api/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_US (INT64_C(3600) * USEC_PER_SEC)

struct fixture {
    struct world *world;
    struct orphans *orphans;
    struct expiry *expiry;
    struct map autoscalers; /* those that are there: key -> uid */
};

static const char *uid_of(void *data, const char *key)
{
    const struct fixture *f = data;
    return map_get(&f->autoscalers, key);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->world = world_new();
    map_init(&f->autoscalers, NULL);
    f->orphans = orphans_new(f->world->client, &(struct orphans_config){.uid = uid_of, .data = f}, f->world->log);
    f->expiry = expiry_new(f->world->client, NULL, f->world->log);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    orphans_free(f->orphans);
    expiry_free(f->expiry);
    map_done(&f->autoscalers);
    world_free(f->world);
    free(f);
    return 0;
}

static void autoscaler(struct fixture *f, const char *key)
{
    static char uid[] = "u-1";
    map_set(&f->autoscalers, key, uid);
}

/* Stores one part of this autoscaler's state. */
static void store(struct fixture *f, const char *name, enum pa_checkpoint_part part, bool owned, int64_t expire_us)
{
    struct pa_checkpoint c = {.part = part, .has_target = true, .expire_us = expire_us, .time_us = USEC_PER_SEC};
    const struct pa_checkpoint_owner owner = {
        .api_version = PA_API_VERSION, .kind = PA_KIND, .name = name, .uid = "u-1"};
    struct buf body = BUF_INIT(1 << 20);
    char object[PA_CHECKPOINT_NAME_CAP];
    (void)str_copy(c.autoscaler.name, sizeof(c.autoscaler.name), name);
    (void)str_copy(c.autoscaler.uid, sizeof(c.autoscaler.uid), "u-1");
    (void)str_copy(c.target.kind, sizeof(c.target.kind), "Deployment");
    (void)str_copy(c.target.name, sizeof(c.target.name), "web");
    (void)str_copy(c.target.uid, sizeof(c.target.uid), "t-1");
    if (part == PA_PART_BACKFILL) {
        c.has_target = false;
        c.has_backfill = true;
        c.backfill.interval_s = 300;
        (void)str_copy(c.backfill.metric, sizeof(c.backfill.metric), "cpu");
    }
    pa_backfill_put(&c, (const float[]){1, 2, 3}, 3);
    pa_checkpoint_body(&c, "shop", owned ? &owner : NULL, &body);
    pa_checkpoint_name(object, name, part);
    assert_false(body.failed);
    (void)api_put(f->world->api, &api_checkpoints, "shop", object, buf_str(&body));
    buf_done(&body);
    pa_checkpoint_done(&c);
}

static void look(struct fixture *f)
{
    orphans_look(f->orphans);
    world_pass(f->world, 10 * USEC_PER_SEC);
}

static bool has_end(struct fixture *f, const char *name, enum pa_checkpoint_part part)
{
    char object[PA_CHECKPOINT_NAME_CAP];
    pa_checkpoint_name(object, name, part);
    _cleanup_(freep) char *json = api_get(f->world->api, &api_checkpoints, "shop", object);
    assert_non_null(json);
    bool label = strstr(json, "\"" PA_CHECKPOINT_LABEL_EXPIRES "\":\"true\"") != NULL;
    assert_int_equal(label, strstr(json, "\"expireTime\"") != NULL);
    return label;
}

static unsigned count(struct fixture *f, enum api_op op)
{
    return api_count(f->world->api, op);
}

static void test_what_is_left_gets_its_day(void **state)
{
    struct fixture *f = *state;
    store(f, "deployment-web", PA_PART_TAIL, false, 0);
    store(f, "deployment-web", PA_PART_HISTORY, false, 0);
    look(f);
    assert_true(has_end(f, "deployment-web", PA_PART_TAIL) && has_end(f, "deployment-web", PA_PART_HISTORY));
    char *body = api_body(f->world->api, API_PATCH, 0);
    assert_non_null(strstr(body, "\"data\":\"AACAPwAAAEAAAEBA\"")); /* one who comes back finds it */
    free(body);
    world_pass(f->world, CHECKPOINT_KEEP_US - HOUR_US);
    expiry_collect(f->expiry);
    world_pass(f->world, 10 * USEC_PER_SEC);
    assert_int_equal(count(f, API_DELETE), 0);
    world_pass(f->world, 2 * HOUR_US);
    expiry_collect(f->expiry);
    world_pass(f->world, 10 * USEC_PER_SEC);
    assert_false(api_has(f->world->api, &api_checkpoints, "shop", "deployment-web-tail"));
    assert_false(api_has(f->world->api, &api_checkpoints, "shop", "deployment-web-history"));
}

static void test_what_is_used_or_owned_stays(void **state)
{
    struct fixture *f = *state;
    char longest[254];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    _cleanup_(freep) char *key = xasprintf("shop/%s", longest);
    autoscaler(f, "shop/deployment-web");
    autoscaler(f, key); /* whose checkpoint's name does not say whose it is */
    store(f, "deployment-web", PA_PART_TAIL, false, 0);
    store(f, "deployment-web", PA_PART_HISTORY, false, 0);
    store(f, longest, PA_PART_TAIL, false, 0);
    store(f, "hand-written", PA_PART_TAIL, true, 0); /* goes with its owner */
    store(f, "gone", PA_PART_BACKFILL, false, 0);
    look(f);
    assert_int_equal(count(f, API_PATCH), 0);
    assert_int_equal(count(f, API_GET), 1); /* the one with the long name had to be asked */
    map_remove(&f->autoscalers, key);
    world_pass(f->world, HOUR_US);
    look(f);
    assert_int_equal(count(f, API_PATCH), 1);
    assert_true(has_end(f, longest, PA_PART_TAIL));
}

static void test_an_end_is_set_once(void **state)
{
    struct fixture *f = *state;
    store(f, "deployment-web", PA_PART_TAIL, false, 0);
    look(f);
    look(f); /* not before an hour has passed */
    assert_int_equal(count(f, API_LIST), 1);
    world_pass(f->world, HOUR_US);
    look(f);
    assert_int_equal(count(f, API_LIST), 2);
    assert_int_equal(count(f, API_PATCH), 1);
}

/* One that can't be read or written keeps no other from its end, and is found again. */
static void test_it_goes_on_after_failures(void **state)
{
    struct fixture *f = *state;
    store(f, "a", PA_PART_TAIL, false, 0);
    store(f, "b", PA_PART_TAIL, false, 0);
    store(f, "c", PA_PART_TAIL, false, 0);
    api_fault(f->world->api, &(struct api_fault){.op = API_GET, .status = 403, .reason = "Forbidden"});
    api_fault(f->world->api, &(struct api_fault){.op = API_PATCH, .status = 409, .reason = "Conflict"});
    look(f);
    assert_false(has_end(f, "a", PA_PART_TAIL) || has_end(f, "b", PA_PART_TAIL));
    assert_true(has_end(f, "c", PA_PART_TAIL));
    world_pass(f->world, HOUR_US);
    api_fault(f->world->api, &(struct api_fault){.op = API_LIST, .status = 403, .reason = "Forbidden"});
    look(f);
    world_pass(f->world, HOUR_US);
    look(f);
    assert_true(has_end(f, "a", PA_PART_TAIL) && has_end(f, "b", PA_PART_TAIL));
}

/* Came back between the list and the write: it is left alone. */
static void test_one_that_comes_back_is_left_alone(void **state)
{
    struct fixture *f = *state;
    store(f, "deployment-web", PA_PART_TAIL, false, 0);
    api_split(f->world->api, 64, 1);
    orphans_look(f->orphans);
    for (int i = 0; i < 1000 && count(f, API_GET) == 0; i++)
        world_listen(f->world, 5);
    assert_int_equal(count(f, API_GET), 1);
    autoscaler(f, "shop/deployment-web");
    world_pass(f->world, 10 * USEC_PER_SEC);
    assert_int_equal(count(f, API_PATCH), 0);
}

static void test_a_look_ends_with_its_owner(void **state)
{
    struct fixture *f = *state;
    store(f, "deployment-web", PA_PART_TAIL, false, 0);
    api_fault(f->world->api, &(struct api_fault){.op = API_GET, .how = API_STALL});
    orphans_look(f->orphans);
    for (int i = 0; i < 1000 && count(f, API_GET) == 0; i++)
        world_listen(f->world, 5);
    f->orphans = orphans_free(f->orphans);
    world_pass(f->world, 60 * USEC_PER_SEC); /* a callback now would reach what is gone */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_left_gets_its_day),
        TEST(test_what_is_used_or_owned_stays),
        TEST(test_an_end_is_set_once),
        TEST(test_it_goes_on_after_failures),
        TEST(test_one_that_comes_back_is_left_alone),
        TEST(test_a_look_ends_with_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
