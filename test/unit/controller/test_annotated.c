/* Annotated workloads against an API server: what becomes an autoscaler, what stays, what goes. */
#include "api/annotation.h"
#include "base/alloc.h"
#include "base/str.h"
#include "reconcile/annotated.h"
#include "reconcile/pa_object.h"
#include "test/api/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAME "deployment-web"
#define KEY  "shop/" NAME

struct fixture {
    struct world *world;
    struct recorder *recorder;
    struct targets *targets;
    struct informer *autoscalers;
    struct annotated *annotated;
    unsigned changes; /* of problems */
    struct operator_config config;
};

/* The decoder wants a reconciler for its configuration, and nothing else of it. */
static struct object *decode(void *data, const char *raw, size_t len, struct error *err)
{
    const struct fixture *f = data;
    struct reconciler r = {.config = &f->config};
    return pa_object_decode(&r, raw, len, err);
}

static void on_autoscaler(void *data, enum informer_event event UNUSED, const struct object *now,
                          const struct object *old UNUSED)
{
    struct fixture *f = data;
    if (now->meta.owner_kind)
        annotated_look(f->annotated, now->meta.owner_kind, now->meta.namespace_, now->meta.owner_name);
}

static void on_workload(void *data, enum informer_event event UNUSED, const struct workload *now,
                        const struct workload *old UNUSED)
{
    struct fixture *f = data;
    annotated_look(f->annotated, now->kind, now->object.meta.namespace_, now->object.meta.name);
}

static void on_changed(void *data, const char *key)
{
    assert_string_equal(key, KEY);
    ((struct fixture *)data)->changes++;
}

static bool is_synced(void *data)
{
    const struct fixture *f = data;
    return targets_synced(f->targets) && informer_synced(f->autoscalers);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct world *w = f->world = world_new();
    assert_int_equal(operator_config_load(NULL, &f->config, NULL), 0);
    f->recorder = recorder_new(w->client, "ai4k8s.io/operator", "test", w->log, &w->rng);
    const struct targets_config targets = {.on_workload = on_workload, .data = f};
    f->targets = targets_new(w->client, &targets, w->log, w->metrics);
    const struct informer_config autoscalers = {
        .resource = &resource_predictiveautoscalers, .decode = decode, .handler = on_autoscaler, .data = f};
    f->autoscalers = informer_new(w->client, &autoscalers, w->log, w->metrics);
    const struct annotated_config config = {
        .targets = f->targets, .autoscalers = &f->autoscalers, .n_informers = 1, .changed = on_changed, .data = f};
    f->annotated = annotated_new(w->client, &config, f->recorder, w->log);
    targets_start(f->targets);
    informer_start(f->autoscalers);
    assert_true(world_until(w, is_synced, f));
    annotated_pause(f->annotated, false);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    annotated_free(f->annotated);
    informer_free(f->autoscalers);
    targets_free(f->targets);
    recorder_free(f->recorder);
    world_free(f->world);
    free(f);
    return 0;
}

/* The Deployment "web" with this configuration (JSON, its quotes escaped); NULL: not annotated. */
static void annotate(struct fixture *f, const char *config)
{
    struct buf body = BUF_INIT(8192);
    (void)buf_puts(&body, "{\"metadata\":{");
    if (config)
        (void)buf_printf(&body, "\"annotations\":{\"%s\":\"true\",\"%s\":\"%s\"}", ANNOTATION_ENABLED,
                         ANNOTATION_CONFIG, config);
    (void)buf_puts(&body, "},\"spec\":{\"replicas\":1,\"selector\":{\"matchLabels\":{\"app\":\"web\"}}}}");
    (void)api_put(f->world->api, &api_deployments, "shop", "web", buf_str(&body));
    buf_done(&body);
    world_pass(f->world, USEC_PER_SEC);
}

static unsigned count(struct fixture *f, enum api_op op)
{
    return api_count(f->world->api, op);
}

static bool exists(struct fixture *f)
{
    return api_has(f->world->api, &api_autoscalers, "shop", NAME);
}

static void assert_spec(struct fixture *f, const char *want)
{
    char *json = api_get(f->world->api, &api_autoscalers, "shop", NAME);
    assert_non_null(json);
    if (!strstr(json, want))
        fail_msg("%s is not in %s", want, json);
    free(json);
}

static unsigned events(struct fixture *f, const char *reason)
{
    unsigned n = 0;
    _cleanup_(freep) char *field = xasprintf("\"reason\":\"%s\"", reason);
    for (unsigned i = 0; i < count(f, API_CREATE); i++) {
        char *body = api_body(f->world->api, API_CREATE, i);
        n += strstr(body, field) != NULL;
        free(body);
    }
    return n;
}

static unsigned applies(struct fixture *f)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count(f, API_PATCH); i++) {
        char *path = api_path(f->world->api, API_PATCH, i);
        n += strstr(path, "/predictiveautoscalers/") != NULL;
        free(path);
    }
    return n;
}

#define GOOD   "{\\\"min\\\":2,\\\"max\\\":10}"
#define BETTER "{\\\"min\\\":3,\\\"max\\\":10}"
#define BAD    "{\\\"min\\\":2,"
#define WRONG  "{\\\"min\\\":20,\\\"max\\\":10}"

static void test_an_annotation_becomes_an_autoscaler(void **state)
{
    struct fixture *f = *state;
    annotate(f, GOOD);
    assert_spec(f, "\"minReplicas\":2");
    assert_spec(f, "\"ai4k8s.io/source\":\"annotation\"");
    assert_int_equal(count(f, API_PATCH), 1);
    annotate(f, BETTER);
    assert_spec(f, "\"minReplicas\":3");
    assert_int_equal(count(f, API_PATCH), 2);
    annotate(f, BETTER); /* something else about the workload changed */
    assert_int_equal(count(f, API_PATCH), 2);
    annotate(f, NULL);
    assert_false(exists(f));
    assert_int_equal(count(f, API_DELETE), 1);
    char *body = api_body(f->world->api, API_DELETE, 0);
    assert_non_null(strstr(body, "\"preconditions\":{\"uid\":"));
    free(body);
}

/* What ran before goes on; the problem is told once per message and goes with it. */
static void test_a_bad_configuration_keeps_the_last_valid_one(void **state)
{
    static const char *const bad[] = {BAD, WRONG, "7", "{\\\"unheard\\\":1}", ""};
    struct fixture *f = *state;
    annotate(f, GOOD);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        annotate(f, bad[i]);
        assert_non_null(annotated_problem(f->annotated, KEY));
        assert_spec(f, "\"minReplicas\":2");
        annotate(f, bad[i]);
    }
    assert_int_equal(applies(f), 1);
    assert_int_equal(events(f, "InvalidAnnotation"), 1); /* what follows is of its series */
    assert_int_equal(f->changes, ARRAY_SIZE(bad));
    annotate(f, BETTER);
    assert_null(annotated_problem(f->annotated, KEY));
    assert_int_equal(f->changes, ARRAY_SIZE(bad) + 1);
    assert_spec(f, "\"minReplicas\":3");
}

static void test_a_bad_configuration_alone_creates_nothing(void **state)
{
    struct fixture *f = *state;
    annotate(f, BAD);
    assert_false(exists(f));
    assert_int_equal(count(f, API_PATCH), 0);
    assert_int_equal(events(f, "InvalidAnnotation"), 1);
    annotate(f, GOOD);
    assert_spec(f, "\"minReplicas\":2");
}

static void test_a_name_that_is_taken_is_left_alone(void **state)
{
    struct fixture *f = *state;
    (void)api_put(
        f->world->api, &api_autoscalers, "shop", NAME,
        "{\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"other\"},"
        "\"minReplicas\":7,\"maxReplicas\":9}}");
    world_pass(f->world, USEC_PER_SEC);
    annotate(f, GOOD);
    assert_spec(f, "\"minReplicas\":7");
    assert_int_equal(count(f, API_PATCH), 0);
    assert_int_equal(events(f, "AutoscalerNameTaken"), 1);
    annotate(f, NULL);
    assert_true(exists(f));
    assert_int_equal(count(f, API_DELETE), 0);
}

static void test_a_write_that_fails_is_made_again(void **state)
{
    struct fixture *f = *state;
    api_fault(f->world->api, &(struct api_fault){.op = API_PATCH, .status = 403, .reason = "Forbidden"});
    annotate(f, GOOD);
    assert_int_equal(count(f, API_PATCH), 1);
    assert_false(exists(f));
    world_pass(f->world, 30 * USEC_PER_SEC);
    assert_int_equal(count(f, API_PATCH), 2);
    assert_spec(f, "\"minReplicas\":2");
}

/* Someone edits the object that is ours: the annotation is what counts. */
static void test_what_someone_changes_is_mended(void **state)
{
    struct fixture *f = *state;
    annotate(f, GOOD);
    char *json = api_get(f->world->api, &api_autoscalers, "shop", NAME), *at = strstr(json, "\"minReplicas\":2");
    memcpy(at, "\"minReplicas\":5", 15);
    char *meta = strstr(json, "\"metadata\":{");
    _cleanup_(freep) char *changed =
        xasprintf("%.*s\"metadata\":{\"generation\":2,%s", (int)(meta - json), json, meta + strlen("\"metadata\":{"));
    (void)api_put(f->world->api, &api_autoscalers, "shop", NAME, changed);
    free(json);
    world_pass(f->world, USEC_PER_SEC);
    assert_spec(f, "\"minReplicas\":2");
    assert_int_equal(count(f, API_PATCH), 2);
}

static void test_nothing_is_written_while_paused(void **state)
{
    struct fixture *f = *state;
    annotated_pause(f->annotated, true);
    annotate(f, GOOD);
    assert_int_equal(count(f, API_PATCH), 0);
    annotated_pause(f->annotated, false);
    world_pass(f->world, USEC_PER_SEC);
    assert_int_equal(count(f, API_PATCH), 1);
}

static void test_a_write_ends_with_its_owner(void **state)
{
    struct fixture *f = *state;
    api_fault(f->world->api, &(struct api_fault){.op = API_PATCH, .how = API_STALL});
    annotate(f, GOOD);
    assert_int_equal(count(f, API_PATCH), 1);
    f->annotated = annotated_free(f->annotated);
    world_pass(f->world, 10 * USEC_PER_SEC); /* a callback now would reach what is gone */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_annotation_becomes_an_autoscaler),       TEST(test_a_bad_configuration_keeps_the_last_valid_one),
        TEST(test_a_bad_configuration_alone_creates_nothing), TEST(test_a_name_that_is_taken_is_left_alone),
        TEST(test_a_write_that_fails_is_made_again),          TEST(test_what_someone_changes_is_mended),
        TEST(test_nothing_is_written_while_paused),           TEST(test_a_write_ends_with_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
