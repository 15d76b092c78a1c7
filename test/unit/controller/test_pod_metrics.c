/* Shared reading of usage: who causes a list, who is served by another's, and what is kept of it. */
#include "base/alloc.h"
#include "sources/pod_metrics.h"
#include "test/api/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_LOOKERS 16
#define PERIOD_US   (15 * USEC_PER_SEC)

struct fixture;
struct looker {
    struct fixture *f;
    char key[16];
    unsigned answers;
    bool failed;
    const char *forgets; /* when it is answered */
};

struct fixture {
    struct world *world;
    struct pods *pods;
    struct pod_metrics *usage;
    unsigned lists; /* of pods themselves */
    struct looker lookers[MAX_LOOKERS];
};

static void put_pod(struct fixture *f, const char *app, unsigned n)
{
    char name[32], body[128];
    (void)snprintf(name, sizeof(name), "%s-%u", app, n);
    (void)snprintf(body, sizeof(body), "{\"metadata\":{\"labels\":{\"app\":\"%s\"}},\"spec\":{\"containers\":[]}}",
                   app);
    (void)api_put(f->world->api, &api_pods, "shop", name, body);
}

/* With the labels of its pod, as metrics-server serves it. */
static void put_usage(struct fixture *f, const char *pod, const char *cpu)
{
    char body[256];
    (void)snprintf(body, sizeof(body),
                   "{\"metadata\":{\"labels\":{\"app\":\"%.1s\"}},\"timestamp\":\"2026-11-21T08:47:50Z\",\"window\":"
                   "\"15s\",\"containers\":[{\"name\":\"c\",\"usage\":{\"cpu\":\"%s\",\"memory\":\"1Mi\"}}]}",
                   pod, cpu);
    (void)api_put(f->world->api, &api_pod_metrics, "shop", pod, body);
}

static bool pods_known(void *data)
{
    const struct fixture *f = data;
    return pods_synced(f->pods, "shop");
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->world = world_new();
    for (unsigned i = 0; i < 3; i++) {
        put_pod(f, "a", i);
        put_pod(f, "b", i);
    }
    put_usage(f, "a-0", "250m");
    put_usage(f, "b-0", "1");
    f->pods = pods_new(f->world->client, f->world->log, f->world->metrics);
    f->usage = pod_metrics_new(f->world->client, f->pods, PERIOD_US, f->world->log, f->world->metrics);
    pods_watch(f->pods, "shop");
    assert_true(world_until(f->world, pods_known, f));
    f->lists = api_count(f->world->api, API_LIST);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    pod_metrics_free(f->usage);
    pods_free(f->pods);
    world_free(f->world);
    free(f);
    return 0;
}

static void on_answer(void *data, const struct error *err)
{
    struct looker *l = data;
    l->answers++;
    l->failed = err != NULL;
    if (l->forgets)
        pod_metrics_forget(l->f->usage, l->forgets);
}

/* Looker number n looks at the pods of a selector. */
static struct looker *look(struct fixture *f, unsigned n, const char *selector)
{
    struct looker *l = &f->lookers[n];
    l->f = f;
    (void)snprintf(l->key, sizeof(l->key), "shop/pa-%u", n);
    pod_metrics_interest(f->usage, l->key, "shop", selector, PERIOD_US);
    pod_metrics_refresh(f->usage, l->key, on_answer, l);
    return l;
}

static bool was_answered(void *data)
{
    const struct looker *l = data;
    return l->answers > 0;
}

static void await(struct fixture *f, struct looker *l)
{
    assert_true(world_until(f->world, was_answered, l));
    assert_int_equal(l->answers, 1);
    l->answers = 0;
}

static unsigned lists(struct fixture *f)
{
    return api_count(f->world->api, API_LIST) - f->lists;
}

static void expect_path(struct fixture *f, unsigned n, const char *part, bool there)
{
    char *path = api_path(f->world->api, API_LIST, f->lists + n);
    assert_true((strstr(path, part) != NULL) == there);
    free(path);
}

static void test_one_list_serves_all_for_an_interval(void **state)
{
    struct fixture *f = *state;
    struct looker *first = look(f, 0, "app=a"), *second = look(f, 1, "app=a");
    assert_int_equal(first->answers, 0); /* never from inside */
    await(f, first);
    await(f, second);
    assert_int_equal(lists(f), 1);
    assert_int_equal(pod_metrics_get(f->usage, "shop", "a-0")->cpu_milli, 250);
    world_pass(f->world, 10 * USEC_PER_SEC);
    await(f, look(f, 0, "app=a"));
    assert_int_equal(lists(f), 1);
    world_pass(f->world, 5 * USEC_PER_SEC);
    await(f, look(f, 0, "app=a"));
    assert_int_equal(lists(f), 2);
}

static void test_asks_for_the_fewest_pods(void **state)
{
    struct fixture *f = *state;
    await(f, look(f, 0, "app=a"));
    expect_path(f, 0, "labelSelector=app%3Da", true);
    /* Two requests cost more than the few pods that the others are. */
    await(f, look(f, 1, "app=b"));
    assert_int_equal(lists(f), 2);
    expect_path(f, 1, "labelSelector", false);
}

static void test_newcomer_to_a_round_by_selectors_waits_for_its_own(void **state)
{
    struct fixture *f = *state;
    struct looker *a = look(f, 0, "app=a"), *b = look(f, 1, "app=b");
    expect_path(f, 0, "labelSelector=app%3Da", false); /* not sent yet */
    await(f, b);
    assert_int_equal(a->answers, 1);
    assert_int_equal(lists(f), 2);
    expect_path(f, 0, "labelSelector=app%3Da", true);
    expect_path(f, 1, "labelSelector", false);
}

static void test_newcomer_to_a_whole_namespace_asks_nothing(void **state)
{
    struct fixture *f = *state;
    await(f, look(f, 0, ""));
    for (unsigned i = 1; i < MAX_LOOKERS; i++)
        await(f, look(f, i, i % 2 ? "app=a" : "app=b"));
    assert_int_equal(lists(f), 1);
}

static void test_failure_keeps_samples_and_a_complete_round_drops_them(void **state)
{
    struct fixture *f = *state;
    struct looker *l = look(f, 0, "");
    await(f, l);
    world_pass(f->world, PERIOD_US);
    (void)api_delete(f->world->api, &api_pod_metrics, "shop", "b-0");
    api_fault(f->world->api, &(struct api_fault){.op = API_LIST, .status = 403, .reason = "Forbidden"});
    await(f, look(f, 0, ""));
    assert_true(l->failed);
    assert_non_null(pod_metrics_get(f->usage, "shop", "b-0"));
    /* The failure is the answer for the interval too: a broken metrics API is not hammered. */
    await(f, look(f, 0, ""));
    assert_true(l->failed);
    assert_int_equal(lists(f), 2);
    world_pass(f->world, PERIOD_US);
    await(f, look(f, 0, ""));
    assert_false(l->failed);
    assert_null(pod_metrics_get(f->usage, "shop", "b-0"));
    assert_non_null(pod_metrics_get(f->usage, "shop", "a-0"));
}

static void test_cut_list_is_a_failure(void **state)
{
    struct fixture *f = *state;
    api_fault(f->world->api, &(struct api_fault){.op = API_LIST, .how = API_CUT, .bytes = 200, .times = 100});
    struct looker *l = look(f, 0, "");
    await(f, l);
    assert_true(l->failed);
}

static void test_bad_item_hides_no_other(void **state)
{
    struct fixture *f = *state;
    (void)api_put(f->world->api, &api_pod_metrics, "shop", "a-1", "{\"timestamp\":\"yesterday\"}");
    put_usage(f, "a-2", "-1");
    struct looker *l = look(f, 0, "");
    await(f, l);
    assert_false(l->failed);
    assert_null(pod_metrics_get(f->usage, "shop", "a-1"));
    assert_null(pod_metrics_get(f->usage, "shop", "a-2"));
    assert_non_null(pod_metrics_get(f->usage, "shop", "b-0"));
}

static void test_shorter_period_is_served(void **state)
{
    struct fixture *f = *state;
    await(f, look(f, 0, ""));
    pod_metrics_interest(f->usage, "shop/pa-0", "shop", "", 3 * USEC_PER_SEC);
    world_pass(f->world, 3 * USEC_PER_SEC);
    pod_metrics_refresh(f->usage, "shop/pa-0", on_answer, &f->lookers[0]);
    await(f, &f->lookers[0]);
    assert_int_equal(lists(f), 2);
}

static void test_forgotten_and_cancelled_are_not_told(void **state)
{
    struct fixture *f = *state;
    struct looker *first = look(f, 0, ""), *second = look(f, 1, ""), *third = look(f, 2, "");
    first->forgets = "shop/pa-1";
    pod_metrics_cancel(f->usage, "shop/pa-2");
    await(f, first);
    world_pass(f->world, USEC_PER_SEC);
    assert_int_equal(second->answers, 0);
    assert_int_equal(third->answers, 0);
}

/* The last one goes while its list is under way: the group goes with it, and comes anew. */
static void test_group_ends_with_its_last_interest(void **state)
{
    struct fixture *f = *state;
    struct looker *l = look(f, 0, "");
    pod_metrics_forget(f->usage, "shop/pa-0");
    world_pass(f->world, USEC_PER_SEC);
    assert_int_equal(l->answers, 0);
    assert_null(pod_metrics_get(f->usage, "shop", "a-0"));
    await(f, look(f, 0, ""));
    assert_non_null(pod_metrics_get(f->usage, "shop", "a-0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_list_serves_all_for_an_interval, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asks_for_the_fewest_pods, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newcomer_to_a_round_by_selectors_waits_for_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newcomer_to_a_whole_namespace_asks_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure_keeps_samples_and_a_complete_round_drops_them, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_list_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_item_hides_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shorter_period_is_served, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgotten_and_cancelled_are_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_group_ends_with_its_last_interest, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
