/* The end of a leader while a scale is being written: the answer is waited for, and what was written is in the
 * checkpoint that the next leader begins with. */
#include "api/config.h"
#include "api/pa_checkpoint.h"
#include "base/alloc.h"
#include "base/str.h"
#include "core/step.h"
#include "reconcile/reconciler.h"
#include "test/api/world.h"
#include "test/server/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SCALE "/apis/apps/v1/namespaces/shop/deployments/web/scale"

struct fixture {
    struct world *world;
    struct recorder *recorder;
    struct operator_config config;
    struct reconciler *reconciler;
    bool stopped;
    int64_t stopped_us;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct world *w = f->world = world_new();
    struct error err = ERROR_INIT;
    assert_int_equal(operator_config_load(NULL, &f->config, &err), 0);
    f->recorder = recorder_new(w->client, "ai4k8s.io/operator", "test", w->log, &w->rng);
    const struct reconciler_config config = {.config = &f->config, .recorder = f->recorder};
    f->reconciler = reconciler_new(w->client, &config, w->log, w->metrics, &w->rng);
    /* One replica, and three are the least: the first sync writes. */
    (void)api_put(w->api, &api_deployments, "shop", "web",
                  "{\"spec\":{\"replicas\":1,\"selector\":{\"matchLabels\":{\"app\":\"web\"}}},"
                  "\"status\":{\"replicas\":1}}");
    (void)api_put(w->api, &api_autoscalers, "shop", "web",
                  "{\"metadata\":{\"generation\":1},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\","
                  "\"kind\":\"Deployment\",\"name\":\"web\"},\"minReplicas\":3,\"maxReplicas\":10}}");
    reconciler_start(f->reconciler);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    reconciler_free(f->reconciler);
    recorder_free(f->recorder);
    world_free(f->world);
    free(f);
    return 0;
}

static void on_stopped(void *data)
{
    struct fixture *f = data;
    assert_false(f->stopped);
    f->stopped = true;
    f->stopped_us = f->world->clock.boot_us;
}

static bool is_stopped(void *data)
{
    return ((const struct fixture *)data)->stopped;
}

/* The n-th request of this kind (from 0) whose path has `part`; NULL: there is none. free() */
static char *find_path(struct fixture *f, enum api_op op, const char *part)
{
    for (unsigned i = 0; i < api_count(f->world->api, op); i++) {
        char *path = api_path(f->world->api, op, i);
        if (strstr(path, part))
            return path;
        free(path);
    }
    return NULL;
}

static bool scale_is_being_written(void *data)
{
    struct server_request *r;
    struct fixture *f = data;
    bool found = false;
    while ((r = server_take(api_server(f->world->api), 0)) != NULL) {
        found |= streq(r->method, "PATCH") && str_starts(r->path, SCALE);
        server_request_free(r);
    }
    return found;
}

/* Watches are open all the time, so that the world does not jump by itself. */
static bool pass_until(struct fixture *f, bool (*done)(void *data))
{
    for (int i = 0; i < 100; i++) {
        if (done(f))
            return true;
        world_pass(f->world, USEC_PER_SEC / 20);
    }
    return false;
}

/* In real time: the clock of the reconciler stands still. */
static bool listen_until(struct fixture *f, bool (*done)(void *data))
{
    for (int i = 0; i < 500 && !done(f); i++)
        world_listen(f->world, 10);
    return done(f);
}

/* Leads until the scale is on its way; the answer is then given by `script`. */
static void lead_until_it_writes(struct fixture *f, struct script *script)
{
    server_on(api_server(f->world->api), "PATCH", SCALE, script);
    reconciler_lead(f->reconciler);
    assert_true(pass_until(f, scale_is_being_written));
}

static void stop(struct fixture *f)
{
    reconciler_stop(f->reconciler, 15 * USEC_PER_SEC, on_stopped, f);
}

/* What the next leader would begin with. */
static bool checkpoint_knows_of(struct fixture *f, int32_t from, int32_t to)
{
    char *json = api_get(f->world->api, &api_checkpoints, "shop", "web-tail");
    if (!json)
        return false;
    struct pa_checkpoint c;
    struct error err = ERROR_INIT;
    _json_cleanup_ json_t *root = json_parse(json, strlen(json), &err);
    assert_int_equal(pa_checkpoint_decode(root, &c, &err), 0);
    struct core_spec spec = core_spec_default();
    spec.min_replicas = 3;
    struct core_state *state = core_state_decode_parts(&spec, c.data.data, c.data.len, NULL, 0, &err);
    assert_non_null(state);
    /* Someone else's write is what differs from the count that we expect: ours is none. */
    struct core_observation seen = {
        .time_us = f->world->clock.real_us + USEC_PER_SEC, .spec_replicas = to, .status_replicas = to, .n_metrics = 1};
    struct core_plan plan;
    core_step(&spec, state, &seen, &plan);
    bool knows = !plan.foreign_write;
    seen.time_us += USEC_PER_SEC;
    seen.spec_replicas = seen.status_replicas = from;
    core_step(&spec, state, &seen, &plan);
    knows = knows && plan.foreign_write;
    core_state_free(state);
    pa_checkpoint_done(&c);
    free(json);
    return knows;
}

static const char answer[] = "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/v1\",\"metadata\":{\"name\":\"web\","
                             "\"namespace\":\"shop\",\"uid\":\"uid-1\",\"resourceVersion\":\"2000\"},\"spec\":{"
                             "\"replicas\":3},\"status\":{\"replicas\":1,\"selector\":\"app=web\"}}";

static void test_the_answer_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct script *late = script_new();
    script_delay(late, 1500);
    script_reply(late, 200, "Content-Type: application/json\r\n", answer);
    lead_until_it_writes(f, late);
    stop(f);
    world_listen(f->world, 50);
    assert_false(f->stopped);
    assert_null(find_path(f, API_PATCH, "web-tail")); /* not before the answer */
    assert_true(listen_until(f, is_stopped));
    assert_true(checkpoint_knows_of(f, 1, 3));
    recorder_flush(f->recorder);
    world_pass(f->world, USEC_PER_SEC);
    char *event = api_body(f->world->api, API_CREATE, 0);
    assert_non_null(strstr(event, "New size: 3"));
    free(event);
}

static void test_a_refusal_ends_it_too(void **state)
{
    struct fixture *f = *state;
    struct script *late = script_new();
    script_delay(late, 1000);
    script_reply(late, 409, "Content-Type: application/json\r\n",
                 "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Conflict\",\"code\":409}");
    lead_until_it_writes(f, late);
    stop(f);
    assert_true(listen_until(f, is_stopped));
    assert_false(checkpoint_knows_of(f, 1, 3));
    assert_true(api_has(f->world->api, &api_checkpoints, "shop", "web-tail"));
}

/* No answer at all: the request's own time limit ends the wait, the checkpoints come all the same. */
static void test_no_answer_is_not_waited_for_for_ever(void **state)
{
    struct fixture *f = *state;
    struct script *never = script_new();
    script_stall(never);
    lead_until_it_writes(f, never);
    int64_t began_us = f->world->clock.boot_us;
    stop(f);
    world_pass(f->world, 3500 * USEC_PER_MSEC);
    assert_false(f->stopped);
    world_pass(f->world, 2 * USEC_PER_SEC);
    assert_true(f->stopped);
    assert_in_range(f->stopped_us - began_us, 3500 * USEC_PER_MSEC, 5 * USEC_PER_SEC);
    assert_true(api_has(f->world->api, &api_checkpoints, "shop", "web-tail"));
}

/* Nothing is being written: nothing is waited for, and nothing new begins. */
static void test_without_a_write_it_ends_at_once(void **state)
{
    struct fixture *f = *state;
    lead_until_it_writes(f, script_answer(200, "application/json", answer));
    world_pass(f->world, USEC_PER_SEC);
    int64_t began_us = f->world->clock.boot_us;
    stop(f);
    assert_true(listen_until(f, is_stopped));
    assert_in_range(f->stopped_us - began_us, 0, USEC_PER_SEC);
    unsigned before = api_count(f->world->api, API_ANY);
    world_pass(f->world, 60 * USEC_PER_SEC);
    assert_in_range(api_count(f->world->api, API_ANY), before, before + 20); /* watches begin anew */
    assert_true(checkpoint_knows_of(f, 1, 3));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_answer_is_waited_for),
        TEST(test_a_refusal_ends_it_too),
        TEST(test_no_answer_is_not_waited_for_for_ever),
        TEST(test_without_a_write_it_ends_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
