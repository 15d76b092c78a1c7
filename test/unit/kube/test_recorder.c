/* The recorder: what becomes of events that repeat, of too many, and of those that can't be written. */
#include "base/alloc.h"
#include "base/str.h"
#include "kube/recorder.h"
#include "test/api/world.h"
#include "test/server/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE (60 * USEC_PER_SEC)

static const struct object_ref web = {"ai4k8s.io/v1alpha1", "PredictiveAutoscaler", "shop", "web", "uid-web"};
static const struct object_ref target = {"apps/v1", "Deployment", "shop", "web", "uid-target"};

struct fixture {
    struct world *world;
    struct recorder *recorder;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->world = world_new();
    f->recorder = recorder_new(f->world->client, "ai4k8s.io/operator", "pod-1", f->world->log, &f->world->rng);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    assert_null(recorder_free(f->recorder));
    assert_null(recorder_free(NULL));
    world_free(f->world);
    free(f);
    return 0;
}

static bool is_idle(void *data)
{
    return recorder_pending(((struct fixture *)data)->recorder) == 0;
}

static void written(struct fixture *f)
{
    assert_true(world_until(f->world, is_idle, f));
}

static void rescaled(struct fixture *f, int replicas)
{
    recorder_event(f->recorder, &web, NULL, EVENT_NORMAL, "SuccessfulRescale", "Rescale", "New size: %d", replicas);
}

static unsigned count(struct fixture *f, enum api_op op)
{
    return api_count(f->world->api, op);
}

/* The n-th body of this operation, parsed; json_decref(). */
static json_t *body(struct fixture *f, enum api_op op, unsigned n)
{
    char *text = api_body(f->world->api, op, n);
    json_t *root = json_parse(text, strlen(text), NULL);
    assert_non_null(root);
    free(text);
    return root;
}

static void assert_str(const json_t *root, const char *dotted, const char *want)
{
    const char *have = json_str(root, dotted);
    if (!streq0(have, want))
        fail_msg("%s is %s, want %s", dotted, have ? have : "absent", want ? want : "absent");
}

/* ---- one event ---- */

static void test_fields(void **state)
{
    struct fixture *f = *state;
    recorder_event(f->recorder, &web, &target, EVENT_WARNING, "FailedGetMetrics", "FetchMetrics", "no %s for %d pods",
                   "CPU", 3);
    assert_int_equal(recorder_pending(f->recorder), 1);
    assert_int_equal(count(f, API_CREATE), 0); /* nothing is sent from inside */
    written(f);
    char *path = api_path(f->world->api, API_CREATE, 0);
    assert_true(str_starts(path, "/apis/events.k8s.io/v1/namespaces/shop/events?"));
    free(path);
    _json_cleanup_ json_t *e = body(f, API_CREATE, 0);
    assert_str(e, "apiVersion", "events.k8s.io/v1");
    assert_str(e, "kind", "Event");
    assert_str(e, "metadata.namespace", "shop");
    assert_true(str_starts(json_str(e, "metadata.name"), "web."));
    assert_str(e, "eventTime", "2026-11-21T08:48:03.000000Z");
    assert_str(e, "type", "Warning");
    assert_str(e, "reason", "FailedGetMetrics");
    assert_str(e, "action", "FetchMetrics");
    assert_str(e, "reportingController", "ai4k8s.io/operator");
    assert_str(e, "reportingInstance", "pod-1");
    assert_str(e, "note", "no CPU for 3 pods");
    assert_str(e, "regarding.apiVersion", "ai4k8s.io/v1alpha1");
    assert_str(e, "regarding.kind", "PredictiveAutoscaler");
    assert_str(e, "regarding.namespace", "shop");
    assert_str(e, "regarding.name", "web");
    assert_str(e, "regarding.uid", "uid-web");
    assert_str(e, "related.kind", "Deployment");
    assert_null(json_at(e, "series"));
}

static void test_cluster_scoped_goes_to_default(void **state)
{
    struct fixture *f = *state;
    const struct object_ref node = {"v1", "Node", NULL, "node-1", NULL};
    recorder_event(f->recorder, &node, NULL, EVENT_NORMAL, "Seen", "See", "x");
    written(f);
    _json_cleanup_ json_t *e = body(f, API_CREATE, 0);
    assert_str(e, "metadata.namespace", "default");
    assert_null(json_at(e, "regarding.namespace"));
    assert_null(json_at(e, "regarding.uid"));
    assert_null(json_at(e, "related"));
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    char longest[254];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    longest[235] = longest[236] = '.'; /* where it is cut */
    const struct object_ref refs[] = {{"v1", "A", "shop", longest, NULL},
                                      {"v1", "A", "shop", "system:node", NULL},
                                      {"v1", "A", "shop", "x", NULL},
                                      {"v1", "B", "shop", "x", NULL}};
    char *names[ARRAY_SIZE(refs)];
    for (size_t i = 0; i < ARRAY_SIZE(refs); i++)
        recorder_event(f->recorder, &refs[i], NULL, EVENT_NORMAL, "R", "A", "n");
    written(f);
    for (unsigned i = 0; i < ARRAY_SIZE(refs); i++) {
        _json_cleanup_ json_t *e = body(f, API_CREATE, i);
        names[i] = xstrdup(json_str(e, "metadata.name"));
        assert_true(str_is_dns_subdomain(names[i]));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(names[i], names[k]);
    }
    assert_true(str_starts(names[1], "event."));
    for (size_t i = 0; i < ARRAY_SIZE(refs); i++)
        free(names[i]);
}

static void test_notes_are_cleaned_and_cut(void **state)
{
    struct fixture *f = *state;
    char huge[5000];
    memset(huge, 'n', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    static const char rude[] = "a\nb\x1b[31mc\xff\xe2\x80\xae\"";
    recorder_event(f->recorder, &web, NULL, EVENT_NORMAL, "R1", "A", "%s", huge);
    recorder_event(f->recorder, &web, NULL, EVENT_NORMAL, "R2", "A", "%s", rude);
    memset(huge, '\xff', sizeof(huge) - 1); /* each becomes three bytes */
    recorder_event(f->recorder, &web, NULL, EVENT_NORMAL, "R3", "A", "%s", huge);
    recorder_event(f->recorder, &web, NULL, EVENT_NORMAL, "R4", "A", "%s", "");
    written(f);
    for (unsigned i = 0; i < 4; i++) {
        _json_cleanup_ json_t *e = body(f, API_CREATE, i);
        const char *note = json_str(e, "note");
        assert_non_null(note);
        assert_true(strlen(note) <= 1024);
        assert_true(str_is_utf8(note, strlen(note)));
        assert_null(strpbrk(note, "\n\x1b"));
        assert_true(i == 3 || strlen(note) > (i == 1 ? 4 : 1000));
    }
}

/* ---- series ---- */

/* The first is an object, the second makes it a series, the rest is counted in memory until 6 min of silence. */
static void test_series(void **state)
{
    struct fixture *f = *state;
    rescaled(f, 1);
    written(f);
    for (int n = 2; n <= 5; n++) {
        world_pass(f->world, MINUTE);
        rescaled(f, n); /* another note: the same event all the same */
        written(f);
    }
    assert_int_equal(count(f, API_CREATE), 1);
    assert_int_equal(count(f, API_PATCH), 1);
    _json_cleanup_ json_t *second = body(f, API_PATCH, 0);
    assert_int_equal(json_int(second, "series.count", 0), 2);
    assert_str(second, "series.lastObservedTime", "2026-11-21T08:49:03.000000Z");
    assert_null(json_at(second, "note"));
    world_pass(f->world, 6 * MINUTE - 1);
    assert_int_equal(count(f, API_PATCH), 1);
    world_pass(f->world, 2 * USEC_PER_SEC);
    assert_int_equal(count(f, API_PATCH), 2);
    _json_cleanup_ json_t *last = body(f, API_PATCH, 1);
    assert_int_equal(json_int(last, "series.count", 0), 5);
    assert_str(last, "series.lastObservedTime", "2026-11-21T08:52:03.000000Z");
    /* Forgotten: the next one is a new object. */
    rescaled(f, 6);
    written(f);
    assert_int_equal(count(f, API_CREATE), 2);
    world_pass(f->world, 20 * MINUTE);
    assert_int_equal(count(f, API_PATCH), 2); /* one that stayed alone has no end to report */
}

static void test_what_makes_another_event(void **state)
{
    struct fixture *f = *state;
    const struct object_ref recreated = {web.api_version, web.kind, web.namespace_, web.name, "uid-2"};
    recorder_event(f->recorder, &web, NULL, EVENT_NORMAL, "R", "A", "x");
    recorder_event(f->recorder, &web, NULL, EVENT_WARNING, "R", "A", "x");
    recorder_event(f->recorder, &web, NULL, EVENT_NORMAL, "R2", "A", "x");
    recorder_event(f->recorder, &web, NULL, EVENT_NORMAL, "R", "A2", "x");
    recorder_event(f->recorder, &web, &target, EVENT_NORMAL, "R", "A", "x");
    recorder_event(f->recorder, &target, NULL, EVENT_NORMAL, "R", "A", "x");
    recorder_event(f->recorder, &recreated, NULL, EVENT_NORMAL, "R", "A", "x");
    written(f);
    assert_int_equal(count(f, API_CREATE), 7);
    assert_int_equal(count(f, API_PATCH), 0);
}

static void test_long_series_is_refreshed(void **state)
{
    struct fixture *f = *state;
    for (int n = 0; n < 65; n++) {
        rescaled(f, n);
        world_pass(f->world, MINUTE);
    }
    assert_int_equal(count(f, API_CREATE), 1);
    assert_in_range(count(f, API_PATCH), 3, 3); /* the second, and after 30 and 60 min */
    _json_cleanup_ json_t *refresh = body(f, API_PATCH, 1);
    assert_in_range(json_int(refresh, "series.count", 0), 31, 34);
}

/* The second comes while the first is still on its way, or not even sent. */
static void test_second_overtakes_nothing(void **state)
{
    struct fixture *f = *state;
    rescaled(f, 1);
    rescaled(f, 2);
    written(f);
    assert_int_equal(count(f, API_CREATE), 1);
    assert_int_equal(count(f, API_PATCH), 0);
    _json_cleanup_ json_t *e = body(f, API_CREATE, 0);
    assert_int_equal(json_int(e, "series.count", 0), 2);
    recorder_event(f->recorder, &target, NULL, EVENT_NORMAL, "R", "A", "x");
    while (http_active(f->world->http) == 0)
        (void)loop_turn(f->world->loop, 0);
    recorder_event(f->recorder, &target, NULL, EVENT_NORMAL, "R", "A", "x");
    written(f);
    assert_int_equal(count(f, API_CREATE), 2);
    assert_int_equal(count(f, API_PATCH), 1);
}

/* The server has let the object expire: it is created again, with its count. */
static void test_series_of_an_expired_event(void **state)
{
    struct fixture *f = *state;
    rescaled(f, 1);
    written(f);
    _json_cleanup_ json_t *first = body(f, API_CREATE, 0);
    assert_true(api_delete(f->world->api, &api_events, "shop", json_str(first, "metadata.name")) > 0);
    rescaled(f, 2);
    written(f);
    assert_int_equal(count(f, API_PATCH), 1);
    assert_int_equal(count(f, API_CREATE), 2);
    _json_cleanup_ json_t *again = body(f, API_CREATE, 1);
    assert_str(again, "metadata.name", json_str(first, "metadata.name"));
    assert_int_equal(json_int(again, "series.count", 0), 2);
}

/* ---- too many ---- */

static void test_budget_of_an_object(void **state)
{
    struct fixture *f = *state;
    char reason[16];
    for (int n = 0; n < 40; n++) {
        snprintf(reason, sizeof(reason), "Reason%d", n);
        recorder_event(f->recorder, &web, NULL, EVENT_NORMAL, reason, "A", "x");
    }
    rescaled(f, 1); /* of the same object */
    recorder_event(f->recorder, &target, NULL, EVENT_NORMAL, "R", "A", "x");
    written(f);
    assert_int_equal(count(f, API_CREATE), 26);
    assert_int_equal(recorder_dropped(f->recorder), 16);
    world_pass(f->world, 5 * MINUTE);
    rescaled(f, 1);
    rescaled(f, 2);
    written(f);
    assert_int_equal(count(f, API_CREATE), 27);
}

static void test_queue_has_an_end(void **state)
{
    struct fixture *f = *state;
    char name[16];
    server_down(api_server(f->world->api));
    for (int n = 0; n < 1200; n++) {
        snprintf(name, sizeof(name), "obj-%d", n);
        const struct object_ref o = {"v1", "A", "shop", name, NULL};
        recorder_event(f->recorder, &o, NULL, EVENT_NORMAL, "R", "A", "x");
    }
    assert_int_equal(recorder_pending(f->recorder), 1000);
    assert_int_equal(recorder_dropped(f->recorder), 200);
    server_up(api_server(f->world->api));
    written(f);
    assert_int_equal(count(f, API_CREATE), 1000);
}

/* More objects than are remembered: the oldest are forgotten, nothing breaks. */
static void test_memory_has_an_end(void **state)
{
    struct fixture *f = *state;
    char name[16];
    api_fault(f->world->api, &(struct api_fault){.op = API_CREATE, .status = 403, .reason = "Forbidden", .times = 1});
    for (int n = 0; n < 4400; n++) {
        snprintf(name, sizeof(name), "obj-%d", n);
        const struct object_ref o = {"v1", "A", "shop", name, NULL};
        recorder_event(f->recorder, &o, NULL, EVENT_NORMAL, "R", "A", "x");
        if (n % 400 == 399)
            written(f);
    }
    written(f);
    assert_int_equal(count(f, API_CREATE), 4400);
    assert_int_equal(recorder_dropped(f->recorder), 1);
}

/* ---- not written ---- */

static void test_tries_again(void **state)
{
    struct fixture *f = *state;
    server_down(api_server(f->world->api));
    rescaled(f, 1);
    world_pass(f->world, 35 * USEC_PER_SEC);
    assert_int_equal(recorder_pending(f->recorder), 1);
    server_up(api_server(f->world->api));
    written(f);
    assert_int_equal(count(f, API_CREATE), 1);
    assert_int_equal(recorder_dropped(f->recorder), 0);
    /* One that arrived though its answer was lost is not written twice. */
    api_fault(f->world->api, &(struct api_fault){.op = API_CREATE, .how = API_RESET, .applied = true});
    recorder_event(f->recorder, &target, NULL, EVENT_NORMAL, "R", "A", "x");
    written(f);
    assert_int_equal(count(f, API_CREATE), 3);
    assert_int_equal(recorder_dropped(f->recorder), 0);
}

static void test_gives_up(void **state)
{
    struct fixture *f = *state;
    server_down(api_server(f->world->api));
    rescaled(f, 1);
    int64_t began_us = f->world->clock.boot_us;
    written(f);
    assert_int_equal(recorder_dropped(f->recorder), 1);
    assert_in_range(f->world->clock.boot_us - began_us, 110 * USEC_PER_SEC, 140 * USEC_PER_SEC);
}

static void test_refusals_are_final(void **state)
{
    struct fixture *f = *state;
    static const struct api_fault faults[] = {{.op = API_CREATE, .status = 403, .reason = "Forbidden"},
                                              {.op = API_CREATE, .status = 422, .reason = "Invalid"},
                                              {.op = API_CREATE, .status = 404, .reason = "NotFound"}};
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        api_fault(f->world->api, &faults[i]);
        rescaled(f, 1);
        written(f);
        assert_int_equal(recorder_dropped(f->recorder), i + 1);
        assert_int_equal(count(f, API_CREATE), i + 1);
    }
    rescaled(f, 1); /* nothing is left of it that would make this one a repetition */
    written(f);
    assert_int_equal(count(f, API_CREATE), ARRAY_SIZE(faults) + 1);
    assert_int_equal(count(f, API_PATCH), 0);
}

static bool closed(void *data)
{
    (void)data;
    return false;
}

static void test_standby_is_silent(void **state)
{
    struct fixture *f = *state;
    kube_client_set_fence(f->world->client, closed, NULL);
    rescaled(f, 1);
    written(f);
    assert_int_equal(count(f, API_CREATE), 0);
    assert_int_equal(recorder_dropped(f->recorder), 1);
    kube_client_set_fence(f->world->client, NULL, NULL);
    rescaled(f, 1);
    written(f);
    assert_int_equal(count(f, API_CREATE), 1);
}

/* ---- shutdown ---- */

static void test_flush(void **state)
{
    struct fixture *f = *state;
    for (int n = 0; n < 5; n++) {
        rescaled(f, n);
        written(f);
    }
    recorder_event(f->recorder, &target, NULL, EVENT_NORMAL, "R", "A", "x");
    recorder_flush(f->recorder);
    assert_int_equal(recorder_pending(f->recorder), 2);
    written(f);
    _json_cleanup_ json_t *last = body(f, API_PATCH, count(f, API_PATCH) - 1);
    assert_int_equal(json_int(last, "series.count", 0), 5);
    assert_int_equal(count(f, API_CREATE), 2);
    /* Nothing is waited for any more. */
    server_down(api_server(f->world->api));
    recorder_event(f->recorder, &target, NULL, EVENT_NORMAL, "R2", "A", "x");
    int64_t began_us = f->world->clock.boot_us;
    written(f);
    assert_true(f->world->clock.boot_us - began_us < USEC_PER_SEC);
    assert_int_equal(recorder_dropped(f->recorder), 1);
}

static void test_freed_with_work_under_way(void **state)
{
    struct fixture *f = *state;
    for (unsigned turns = 0; turns < 12; turns++) {
        struct recorder *r = recorder_new(f->world->client, "ai4k8s.io/operator", "pod-1", NULL, &f->world->rng);
        recorder_event(r, &web, NULL, EVENT_NORMAL, "R", "A", "x");
        recorder_event(r, &target, NULL, EVENT_NORMAL, "R", "A", "x");
        for (unsigned n = 0; n < turns; n++)
            (void)loop_turn(f->world->loop, 300);
        recorder_free(r);
        world_listen(f->world, 2);
    }
    assert_int_equal(http_active(f->world->http), 0);
}

/* What is news by its note: each size is an event, the same one again a series, and the budget holds for all. */
static void test_each_note_is_an_event(void **state)
{
    struct fixture *f = *state;
    for (int size = 4; size <= 6; size += 2)
        recorder_event_each(f->recorder, &web, NULL, EVENT_NORMAL, "SuccessfulRescale", "Rescale", "New size: %d",
                            size);
    written(f);
    assert_int_equal(count(f, API_CREATE), 2);
    _json_cleanup_ json_t *second = body(f, API_CREATE, 1);
    assert_str(second, "note", "New size: 6");
    recorder_event_each(f->recorder, &web, NULL, EVENT_NORMAL, "SuccessfulRescale", "Rescale", "New size: 4");
    written(f);
    assert_int_equal(count(f, API_CREATE), 2);
    for (int size = 10; size < 100; size++)
        recorder_event_each(f->recorder, &web, NULL, EVENT_NORMAL, "SuccessfulRescale", "Rescale", "New size: %d",
                            size);
    written(f);
    assert_int_equal(count(f, API_CREATE), 24); /* of 25, one went into the series */
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fields),
        TEST(test_cluster_scoped_goes_to_default),
        TEST(test_names),
        TEST(test_notes_are_cleaned_and_cut),
        TEST(test_series),
        TEST(test_each_note_is_an_event),
        TEST(test_what_makes_another_event),
        TEST(test_long_series_is_refreshed),
        TEST(test_second_overtakes_nothing),
        TEST(test_series_of_an_expired_event),
        TEST(test_budget_of_an_object),
        TEST(test_queue_has_an_end),
        TEST(test_memory_has_an_end),
        TEST(test_tries_again),
        TEST(test_gives_up),
        TEST(test_refusals_are_final),
        TEST(test_standby_is_silent),
        TEST(test_flush),
        TEST(test_freed_with_work_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
