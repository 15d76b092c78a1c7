/* Paths of the API. */
#include "base/str.h"
#include "kube/resource.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_paths(void **state)
{
    (void)state;
    static const struct resource cluster = {"g.io", "v1alpha1", "things", "Thing", false};
    static const struct {
        const struct resource *r;
        const char *ns, *name, *sub, *want;
    } cases[] = {
        {&resource_deployments, "ns", "web", "scale", "/apis/apps/v1/namespaces/ns/deployments/web/scale"},
        {&resource_deployments, "ns", "web", NULL, "/apis/apps/v1/namespaces/ns/deployments/web"},
        {&resource_statefulsets, "ns", NULL, NULL, "/apis/apps/v1/namespaces/ns/statefulsets"},
        {&resource_pods, NULL, NULL, NULL, "/api/v1/pods"},
        {&resource_pods, "a b", "ä?&#", NULL, "/api/v1/namespaces/a%20b/pods/%C3%A4%3F%26%23"},
        {&resource_hpas, NULL, NULL, NULL, "/apis/autoscaling/v2/horizontalpodautoscalers"},
        {&resource_leases, "n", "l", NULL, "/apis/coordination.k8s.io/v1/namespaces/n/leases/l"},
        {&resource_events, "n", NULL, NULL, "/apis/events.k8s.io/v1/namespaces/n/events"},
        {&resource_pod_metrics, "n", NULL, NULL, "/apis/metrics.k8s.io/v1beta1/namespaces/n/pods"},
        {&cluster, "ignored", "x", "status", "/apis/g.io/v1alpha1/things/x/status"},
        {&resource_deployments, "ns", "..", "scale", NULL},
        {&resource_deployments, "ns", ".", NULL, NULL},
        {&resource_deployments, "ns", "", NULL, NULL},
        {&resource_deployments, "", "x", NULL, NULL},
        {&resource_deployments, "..", NULL, NULL, NULL},
        {&resource_deployments, "ns", "a/b", NULL, NULL},
        {&resource_deployments, "ns", "%2e", NULL, NULL},
        {&resource_deployments, "ns", "a", "../..", NULL},
        {&resource_deployments, "ns", "...", NULL, "/apis/apps/v1/namespaces/ns/deployments/..."},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct buf b = BUF_INIT(1000);
        resource_path(&b, cases[i].r, cases[i].ns, cases[i].name, cases[i].sub);
        assert_string_equal(buf_str(&b), cases[i].want ? cases[i].want : "");
        assert_int_equal(b.failed, cases[i].want == NULL);
        resource_query(&b, "a", "b"); /* what has failed stays empty */
        assert_int_equal(b.len == 0, cases[i].want == NULL);
        buf_done(&b);
    }
}

static void test_query(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(1000);
    (void)buf_puts(&b, "/api/v1/pods");
    resource_query(&b, "labelSelector", "a=b,c in (d,e),!f");
    resource_query(&b, "limit", "500");
    assert_string_equal(buf_str(&b), "/api/v1/pods?labelSelector=a%3Db%2Cc%20in%20%28d%2Ce%29%2C%21f&limit=500");
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths), cmocka_unit_test(test_query)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
