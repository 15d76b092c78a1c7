/* What the API says of pods, their usage, scales, workloads and HPAs: decoded, and refused where it is not
 * what it should be. */
#include "base/rfc3339.h"
#include "sources/hpas.h"
#include "sources/pod_decode.h"
#include "sources/scale_decode.h"
#include "sources/usage_decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t at(const char *time)
{
    int64_t us;
    assert_true(rfc3339_parse(time, &us));
    return us;
}

/* ---- usage ---- */

static void usage_sums_containers_each_rounded_up(void **state UNUSED)
{
    static const char item[] =
        "{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\"},\"timestamp\":\"2026-01-02T03:04:05Z\","
        "\"window\":\"15.046s\","
        "\"containers\":[{\"name\":\"a\",\"usage\":{\"cpu\":\"1500001n\",\"memory\":\"1Ki\"}},"
        "{\"name\":\"b\",\"usage\":{\"cpu\":\"2m\",\"memory\":\"10\"}}]}";
    struct usage_item got;
    struct error err = ERROR_INIT;
    assert_int_equal(usage_decode(item, strlen(item), &got, &err), 0);
    assert_string_equal(got.namespace_, "shop");
    assert_string_equal(got.pod, "web-1");
    assert_int_equal(got.usage.cpu_milli, 4); /* 1.500001 m rounds up to 2 m */
    assert_int_equal(got.usage.memory_milli, 1034000);
    assert_int_equal(got.usage.window_us, 15046000);
    assert_int_equal(got.usage.time_us, at("2026-01-02T03:04:05Z"));
    assert_int_equal(got.usage.n_containers, 2);
    assert_string_equal(got.usage.containers[0].name, "a");
    assert_int_equal(got.usage.containers[0].cpu_milli, 2);
    assert_string_equal(got.usage.containers[1].name, "b");
    assert_int_equal(got.usage.containers[1].memory_milli, 10000);
    free(got.usage.containers);
}

static void usage_without_a_value_is_missing_not_zero(void **state UNUSED)
{
    static const char *const items[] = {
        "{\"metadata\":{\"name\":\"w\",\"namespace\":\"s\"},\"timestamp\":\"2026-01-02T03:04:05Z\","
        "\"window\":\"15s\",\"containers\":[]}",
        "{\"metadata\":{\"name\":\"w\",\"namespace\":\"s\"},\"timestamp\":\"2026-01-02T03:04:05Z\","
        "\"window\":\"15s\","
        "\"containers\":[{\"usage\":{\"cpu\":\"1m\",\"memory\":\"1\"}},{\"usage\":{\"memory\":\"1\"}}]}",
        "{\"metadata\":{\"name\":\"w\",\"namespace\":\"s\"},\"timestamp\":\"2026-01-02T03:04:05Z\","
        "\"window\":\"15s\","
        "\"containers\":[{\"usage\":{\"cpu\":\"-1m\",\"memory\":\"1\"}}]}",
        "{\"metadata\":{\"name\":\"w\",\"namespace\":\"s\"},\"timestamp\":\"2026-01-02T03:04:05Z\","
        "\"window\":\"15s\","
        "\"containers\":[{\"usage\":{\"cpu\":\"NaN\",\"memory\":\"1\"}}]}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        struct usage_item got;
        struct error err = ERROR_INIT;
        assert_int_equal(usage_decode(items[i], strlen(items[i]), &got, &err), 1);
        assert_null(got.usage.containers); /* only a sample gives any */
    }
}

static void usage_that_is_none_is_refused(void **state UNUSED)
{
    static const char *const items[] = {
        "{",
        "{}",
        "[]",
        "{\"metadata\":{\"name\":\"w\"},\"timestamp\":\"2026-01-02T03:04:05Z\",\"window\":\"15s\"}",
        "{\"metadata\":{\"name\":\"w\",\"namespace\":\"s\"},\"timestamp\":\"yesterday\",\"window\":\"15s\"}",
        "{\"metadata\":{\"name\":\"w\",\"namespace\":\"s\"},\"timestamp\":\"2026-01-02T03:04:05Z\","
        "\"window\":15}",
        "{\"metadata\":{\"name\":\"w\",\"namespace\":\"s\"},\"timestamp\":\"2026-01-02T03:04:05Z\","
        "\"window\":\"-15s\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        struct usage_item got;
        struct error err = ERROR_INIT;
        assert_true(usage_decode(items[i], strlen(items[i]), &got, &err) < 0);
        assert_null(got.usage.containers);
        assert_int_equal(err.kind, ERROR_PARSE);
    }
}

static void durations_are_read_as_go_writes_them(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: refused */
    } cases[] = {{"15.046s", 15046000},
                 {"1m0s", 60000000},
                 {"250ms", 250000},
                 {"1h2m3.5s", 3723500000},
                 {"10us", 10},
                 {"0s", 0},
                 {"", -1},
                 {"15", -1},
                 {"s", -1},
                 {"1d", -1},
                 {"25h", -1},
                 {"1s2", -1},
                 {"..s", -1}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t us = -1;
        bool ok = usage_parse_duration(cases[i].text, &us);
        if (ok != (cases[i].us >= 0) || (ok && us != cases[i].us))
            fail_msg("%s: %lld", cases[i].text, (long long)us);
    }
}

/* ---- pods ---- */

static const struct pod *pod_of(const char *json)
{
    struct error err = ERROR_INIT;
    struct object *o = pod_decode(json, strlen(json), &err);
    if (!o)
        fail_msg("%s", error_text(&err));
    return CONTAINER_OF(o, const struct pod, object);
}

static void pod_done(const struct pod *pod)
{
    object_unref((struct object *)(uintptr_t)&pod->object);
}

static void a_pod_is_what_the_hpa_asks_of_it(void **state UNUSED)
{
    const struct pod *pod =
        pod_of("{\"metadata\":{\"name\":\"p\",\"namespace\":\"s\",\"uid\":\"u\",\"resourceVersion\":\"7\","
               "\"creationTimestamp\":\"2026-01-01T00:00:00Z\","
               "\"labels\":{\"app\":\"web\"}},"
               "\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{\"requests\":{\"cpu\":\"250m\",\"memory\":"
               "\"1Gi\"},\"limits\":{\"cpu\":\"1\"}}},"
               "{\"name\":\"b\",\"resources\":{\"requests\":{\"cpu\":\"0.1\"},\"limits\":{\"cpu\":\"500m\"}}}],"
               "\"initContainers\":[{\"name\":\"once\"},{\"name\":\"side\",\"restartPolicy\":\"Always\","
               "\"resources\":{\"requests\":{\"cpu\":\"50m\"},"
               "\"limits\":{\"cpu\":\"50m\"}}}]},"
               "\"status\":{\"phase\":\"Running\",\"startTime\":\"2026-01-01T00:00:01Z\",\"conditions\":[{\"type\":"
               "\"Ready\",\"status\":\"True\","
               "\"lastTransitionTime\":\"2026-01-01T00:00:09Z\"}]}}");
    assert_int_equal(pod->cpu.request_milli, 400);
    assert_int_equal(pod->cpu.limit_milli, 1550);
    assert_int_equal(pod->memory.request_milli, -1); /* b and the sidecar lack it */
    assert_int_equal(pod->memory.limit_milli, 0);
    assert_int_equal(pod->core.phase, CORE_POD_RUNNING);
    assert_int_equal(pod->core.ready, CORE_READY_TRUE);
    assert_int_equal(pod->core.start_us, at("2026-01-01T00:00:01Z"));
    assert_int_equal(pod->core.ready_transition_us, at("2026-01-01T00:00:09Z"));
    assert_false(pod->core.deleting);
    assert_string_equal(labels_get(&pod->labels, "app"), "web");
    pod_done(pod);
}

static void requests_of_the_pod_go_before_those_of_its_containers(void **state UNUSED)
{
    const struct pod *pod =
        pod_of("{\"metadata\":{\"name\":\"p\",\"namespace\":\"s\",\"uid\":\"u\",\"resourceVersion\":\"7\"},"
               "\"spec\":{\"resources\":{\"requests\":{\"cpu\":\"2\"}},\"containers\":[{\"name\":\"a\"}]},"
               "\"status\":{\"phase\":\"Pending\","
               "\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"Unschedulable\"}]}}");
    assert_int_equal(pod->cpu.request_milli, 2000);
    assert_int_equal(pod->memory.request_milli, -1);
    assert_int_equal(pod->core.phase, CORE_POD_PENDING);
    assert_int_equal(pod->core.ready, CORE_READY_ABSENT);
    assert_true(pod->unschedulable);
    pod_done(pod);
}

/* ---- scales, workloads, discovery ---- */

static void an_absent_replica_count_of_a_scale_is_zero(void **state UNUSED)
{
    static const char json[] = "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/"
                               "v1\",\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"12\"},"
                               "\"spec\":{},\"status\":{\"replicas\":2}}";
    struct target_scale s;
    struct error err = ERROR_INIT;
    assert_int_equal(scale_decode(json, strlen(json), &s, &err), 0);
    assert_int_equal(s.spec_replicas, 0);
    assert_int_equal(s.status_replicas, 2);
    assert_string_equal(s.selector, "");
    target_scale_done(&s);
}

static void a_scale_with_a_wrong_count_or_kind_is_refused(void **state UNUSED)
{
    static const char *const bad[] = {
        "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/"
        "v1\",\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":-1}}",
        "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/"
        "v1\",\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":2147483648}}",
        "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/"
        "v1\",\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":\"3\"}}",
        "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/v1\",\"metadata\":{}}",
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct target_scale s;
        struct error err = ERROR_INIT;
        if (scale_decode(bad[i], strlen(bad[i]), &s, &err) >= 0)
            fail_msg("%s was taken", bad[i]);
        target_scale_done(&s);
    }
}

static void a_workload_has_its_selector_and_annotations(void **state UNUSED)
{
    static const char json[] = "{\"metadata\":{\"name\":\"w\",\"namespace\":\"s\",\"uid\":\"u\","
                               "\"resourceVersion\":\"1\",\"annotations\":"
                               "{\"ai4k8s.io/predictive-autoscaling-enabled\":\"true\"}},"
                               "\"spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{\"app\":\"w\"}}},"
                               "\"status\":{\"replicas\":2}}";
    struct error err = ERROR_INIT;
    struct object *o = workload_decode("Deployment", json, strlen(json), &err);
    assert_non_null(o);
    const struct workload *w = CONTAINER_OF(o, const struct workload, object);
    assert_string_equal(w->selector, "app=w");
    assert_string_equal(w->annotation_enabled, "true");
    assert_null(w->annotation_config);
    assert_int_equal(w->spec_replicas, 3);
    assert_int_equal(w->status_replicas, 2);
    object_unref(o);
}

static void discovery_knows_what_can_be_scaled(void **state UNUSED)
{
    static const char json[] =
        "{\"kind\":\"APIResourceList\",\"resources\":["
        "{\"name\":\"rollouts\",\"kind\":\"Rollout\",\"namespaced\":true},"
        "{\"name\":\"rollouts/status\",\"kind\":\"Rollout\",\"namespaced\":true},"
        "{\"name\":\"rollouts/"
        "scale\",\"kind\":\"Scale\",\"group\":\"autoscaling\",\"version\":\"v1\",\"namespaced\":true},"
        "{\"name\":\"fixed\",\"kind\":\"Fixed\",\"namespaced\":true},"
        "{\"name\":\"old\",\"kind\":\"Old\",\"namespaced\":true},"
        "{\"name\":\"old/scale\",\"kind\":\"Scale\",\"group\":\"extensions\",\"version\":\"v1beta1\"}]}";
    static const struct {
        const char *kind;
        int result;
        bool scalable;
    } cases[] = {
        {"Rollout", 0, true}, {"Fixed", 0, false}, {"Old", 0, false}, {"Scale", 1, false}, {"Nothing", 1, false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *plural = NULL;
        bool namespaced = false, scalable = false;
        struct error err = ERROR_INIT;
        int r = discovery_find_kind(json, strlen(json), cases[i].kind, &plural, &namespaced, &scalable, &err);
        if (r != cases[i].result || scalable != cases[i].scalable)
            fail_msg("%s: %d %d", cases[i].kind, r, scalable);
        free(plural);
    }
}

static void the_last_manager_of_replicas_is_the_writer(void **state UNUSED)
{
    static const char json[] =
        "{\"metadata\":{\"managedFields\":["
        "{\"manager\":\"ai4k8s\",\"time\":\"2026-01-01T00:00:01Z\",\"fieldsV1\":{\"f:spec\":{\"f:replicas\":{"
        "}}}},"
        "{\"manager\":\"kubectl\\u001b[31m\",\"time\":\"2026-01-01T00:00:02Z\",\"fieldsV1\":{\"f:spec\":{\"f:"
        "replicas\":{}}}},"
        "{\"manager\":\"late\",\"time\":\"2026-01-01T00:00:03Z\",\"fieldsV1\":{\"f:status\":{}}}]}}";
    char writer[64];
    scale_writer_decode(json, strlen(json), writer, sizeof(writer));
    assert_ptr_equal(strstr(writer, "kubectl"), writer);
    assert_null(strchr(writer, '\x1b'));
    static const char scaled[] =
        "{\"metadata\":{\"managedFields\":["
        "{\"manager\":\"kubectl-scale\",\"subresource\":\"scale\",\"fieldsV1\":{\"f:spec\":{\"f:replicas\":{}}}},"
        "{\"manager\":\"old\",\"time\":\"2026-01-01T00:00:02Z\",\"fieldsV1\":{\"f:spec\":{\"f:replicas\":{}}}}]}}";
    scale_writer_decode(scaled, strlen(scaled), writer, sizeof(writer));
    assert_string_equal(writer, "kubectl-scale");
    scale_writer_decode("{}", 2, writer, sizeof(writer));
    assert_string_equal(writer, "");
}

static void an_hpa_has_a_target(void **state UNUSED)
{
    static const char good[] =
        "{\"metadata\":{\"name\":\"h\",\"namespace\":\"s\",\"uid\":\"u\",\"resourceVersion\":\"1\"},"
        "\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"name\":\"web\"}}}";
    struct error err = ERROR_INIT;
    struct object *o = hpa_decode(good, strlen(good), &err);
    assert_non_null(o);
    assert_string_equal(CONTAINER_OF(o, const struct hpa, object)->name, "web");
    object_unref(o);
    assert_null(hpa_decode("{\"metadata\":{\"name\":\"h\"}}", 25, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_sums_containers_each_rounded_up),
        cmocka_unit_test(usage_without_a_value_is_missing_not_zero),
        cmocka_unit_test(usage_that_is_none_is_refused),
        cmocka_unit_test(durations_are_read_as_go_writes_them),
        cmocka_unit_test(a_pod_is_what_the_hpa_asks_of_it),
        cmocka_unit_test(requests_of_the_pod_go_before_those_of_its_containers),
        cmocka_unit_test(an_absent_replica_count_of_a_scale_is_zero),
        cmocka_unit_test(a_scale_with_a_wrong_count_or_kind_is_refused),
        cmocka_unit_test(a_workload_has_its_selector_and_annotations),
        cmocka_unit_test(discovery_knows_what_can_be_scaled),
        cmocka_unit_test(the_last_manager_of_replicas_is_the_writer),
        cmocka_unit_test(an_hpa_has_a_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
