/* Two workloads whose selectors match the same pods: neither autoscaler computes a count from them, from the very first
 * sync on, both say so once, and when one of them goes the other goes on. */
#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "reconcile/reconciler.h"
#include "test/api/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WATCHES 6 /* autoscalers, HPAs, Deployments, StatefulSets, Backfills, pods */

struct fixture {
    struct world *world;
    struct recorder *recorder;
    struct operator_config config;
    struct reconciler *reconciler;
};

static void put_workload(struct fixture *f, const char *name, const char *selector, const char *labels)
{
    _cleanup_(freep) char *workload = xasprintf(
        "{\"spec\":{\"replicas\":2,\"selector\":{\"matchLabels\":{%s}}},\"status\":{\"replicas\":2}}", selector);
    _cleanup_(freep) char *autoscaler = xasprintf(
        "{\"metadata\":{\"generation\":1},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":"
        "\"Deployment\",\"name\":\"%s\"},\"minReplicas\":1,\"maxReplicas\":10,\"syncPeriodSeconds\":5,\"metrics\":[{"
        "\"name\":\"cpu\",\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\","
        "\"averageUtilization\":50}}}]}}",
        name);
    (void)api_put(f->world->api, &api_deployments, "shop", name, workload);
    (void)api_put(f->world->api, &api_autoscalers, "shop", name, autoscaler);
    for (int i = 0; i < 2; i++) {
        _cleanup_(freep) char *pod_name = xasprintf("%s-%d", name, i);
        _cleanup_(freep) char *pod = xasprintf(
            "{\"metadata\":{\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{%s}},\"spec\":{"
            "\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"100m\"}}}]},\"status\":{"
            "\"phase\":\"Running\",\"startTime\":\"2026-01-01T00:00:01Z\",\"conditions\":[{\"type\":\"Ready\","
            "\"status\":\"True\",\"lastTransitionTime\":\"2026-01-01T00:00:09Z\"}]}}",
            labels);
        (void)api_put(f->world->api, &api_pods, "shop", pod_name, pod);
    }
}

/* Both are at the double of their target: whoever computes a count asks for 4. */
static void put_usage(struct fixture *f)
{
    static const char *const pods[] = {"web-0", "web-1", "back-0", "back-1"};
    char now[RFC3339_CAP];
    rfc3339_format(now, f->world->clock.real_us);
    for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
        _cleanup_(freep) char *usage =
            xasprintf("{\"metadata\":{\"labels\":{\"app\":\"web\"%s}},\"timestamp\":\"%s\",\"window\":\"15s\","
                      "\"containers\":[{\"name\":\"c\",\"usage\":{\"cpu\":\"100m\",\"memory\":\"1Mi\"}}]}",
                      i < 2 ? "" : ",\"tier\":\"back\"", now);
        (void)api_put(f->world->api, &api_pod_metrics, "shop", pods[i], usage);
    }
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct world *w = f->world = world_new();
    struct error err = ERROR_INIT;
    assert_int_equal(operator_config_load(NULL, &f->config, &err), 0);
    f->recorder = recorder_new(w->client, "ai4k8s.io/operator", "test", w->log, &w->rng);
    const struct reconciler_config config = {.config = &f->config, .recorder = f->recorder};
    f->reconciler = reconciler_new(w->client, &config, w->log, w->metrics, &w->rng);
    put_workload(f, "web", "\"app\":\"web\"", "\"app\":\"web\"");
    put_workload(f, "back", "\"tier\":\"back\"", "\"app\":\"web\",\"tier\":\"back\"");
    reconciler_start(f->reconciler);
    reconciler_lead(f->reconciler);
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

/* In steps of a second, each until nothing has happened for a moment of real time. */
static void pass(struct fixture *f, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        if (i % 10 == 0)
            put_usage(f);
        clock_fake_advance(&f->world->clock, USEC_PER_SEC);
        for (int quiet = 0, turns = 0; quiet < 2 && turns < 2000; turns++)
            if (loop_turn(f->world->loop, USEC_PER_MSEC) || http_active(f->world->http) > WATCHES)
                quiet = 0;
            else
                quiet++;
    }
}

/* What was told last of it, as "status reason message"; "" when nothing was. free() */
static char *activity(struct fixture *f, const char *name)
{
    _cleanup_(freep) char *part = xasprintf("/predictiveautoscalers/%s/status", name);
    for (unsigned i = api_count(f->world->api, API_PATCH); i-- > 0;) {
        _cleanup_(freep) char *path = api_path(f->world->api, API_PATCH, i);
        if (!strstr(path, part))
            continue;
        _cleanup_(freep) char *body = api_body(f->world->api, API_PATCH, i);
        _json_cleanup_ json_t *root = json_parse(body, strlen(body), NULL);
        size_t k;
        json_t *c;
        json_array_foreach((json_t *)(uintptr_t)json_at(root, "status.conditions"), k, c)
        {
            if (streq0(json_str(c, "type"), "ScalingActive"))
                return xasprintf("%s %s %s", json_str(c, "status"), json_str(c, "reason"), json_str(c, "message"));
        }
    }
    return xstrdup("");
}

static bool is_ambiguous(struct fixture *f, const char *name, const char *other)
{
    _cleanup_(freep) char *told = activity(f, name);
    _cleanup_(freep) char *wanted = xasprintf("PredictiveAutoscaler %s,", other);
    return str_starts(told, "False AmbiguousSelector ") && strstr(told, wanted) && strstr(told, "disjoint");
}

/* Patches of what has this in its path. */
static unsigned patches(struct fixture *f, const char *part)
{
    unsigned n = 0;
    for (unsigned i = 0; i < api_count(f->world->api, API_PATCH); i++) {
        _cleanup_(freep) char *path = api_path(f->world->api, API_PATCH, i);
        n += strstr(path, part) != NULL;
    }
    return n;
}

static unsigned scale_writes(struct fixture *f, const char *name)
{
    _cleanup_(freep) char *part = xasprintf("/deployments/%s/scale", name);
    return patches(f, part);
}

static unsigned events(struct fixture *f, const char *name)
{
    unsigned n = 0;
    recorder_flush(f->recorder);
    pass(f, 2);
    for (unsigned i = 0; i < api_count(f->world->api, API_CREATE); i++) {
        _cleanup_(freep) char *body = api_body(f->world->api, API_CREATE, i);
        _json_cleanup_ json_t *event = json_parse(body, strlen(body), NULL);
        n += streq0(json_str(event, "reason"), "AmbiguousSelector") && streq0(json_str(event, "type"), "Warning") &&
             streq0(json_str(event, "regarding.name"), name);
    }
    return n;
}

static void until(struct fixture *f, bool (*holds)(struct fixture *f))
{
    for (int i = 0; i < 60 && !holds(f); i++)
        pass(f, 1);
    if (!holds(f))
        fail_msg("web: %s\nback: %s", activity(f, "web"), activity(f, "back"));
}

static bool both_are(struct fixture *f)
{
    return is_ambiguous(f, "web", "back") && is_ambiguous(f, "back", "web");
}

static bool back_goes_on(struct fixture *f)
{
    _cleanup_(freep) char *told = activity(f, "back");
    return str_starts(told, "True ValidMetricFound ") && scale_writes(f, "back") > 0;
}

static void neither_scales_until_one_goes(void **state)
{
    struct fixture *f = *state;
    until(f, both_are);
    pass(f, 30);
    assert_true(both_are(f));
    assert_int_equal(scale_writes(f, "web") + scale_writes(f, "back"), 0);
    assert_int_equal(events(f, "web"), 1);
    assert_int_equal(events(f, "back"), 1);
    assert_int_equal(patches(f, "/events/"), 0); /* no series: told once, not at each sync */
    (void)api_delete(f->world->api, &api_autoscalers, "shop", "web");
    until(f, back_goes_on);
    assert_int_equal(scale_writes(f, "web"), 0);
}

static void put_web(struct fixture *f, int generation, const char *mode, int max)
{
    _cleanup_(freep) char *body =
        xasprintf("{\"metadata\":{\"generation\":%d},\"spec\":{\"mode\":\"%s\",\"scaleTargetRef\":{\"apiVersion\":"
                  "\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"web\"},\"minReplicas\":2,\"maxReplicas\":%d,"
                  "\"syncPeriodSeconds\":5}}",
                  generation, mode, max);
    (void)api_put(f->world->api, &api_autoscalers, "shop", "web", body);
}

static void one_that_is_not_evaluated_is_no_rival(void **state)
{
    struct fixture *f = *state;
    until(f, both_are);
    (void)api_delete(f->world->api, &api_deployments, "shop", "web");
    until(f, back_goes_on);
    put_workload(f, "web", "\"app\":\"web\"", "\"app\":\"web\"");
    until(f, both_are);
    unsigned before = scale_writes(f, "back");
    pass(f, 20);
    assert_int_equal(scale_writes(f, "back"), before);
    put_web(f, 2, "Off", 10);
    until(f, back_goes_on);
    put_web(f, 3, "Recommend", 10);
    until(f, both_are);
    put_web(f, 4, "Recommend", 1); /* invalid */
    until(f, back_goes_on);
    put_web(f, 5, "Auto", 10);
    until(f, both_are);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(neither_scales_until_one_goes),
        TEST(one_that_is_not_evaluated_is_no_rival),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
