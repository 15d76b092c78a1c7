/* Annotations become the body of a server-side apply, or a message that says which annotation to mend. */
#include "api/annotation.h"
#include "base/file.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int render(const char *enabled, const char *config, struct buf *body, struct error *err)
{
    const struct annotation_workload w = {.api_version = "apps/v1",
                                          .kind = "Deployment",
                                          .namespace_ = "shop",
                                          .name = "web",
                                          .uid = "u-1",
                                          .enabled = enabled,
                                          .config = config};
    buf_init(body, 1 << 20);
    *err = ERROR_INIT;
    return annotation_render(&w, body, err);
}

static void only_what_is_annotated_is_applied(void **state UNUSED)
{
    struct buf body;
    struct error err;
    assert_int_equal(render("true", "{\"max\":10,\"min\":2,\"prediction\":{\"confidencePercent\":95}}", &body, &err),
                     0);
    assert_string_equal(
        buf_str(&body),
        "{\"apiVersion\":\"ai4k8s.io/"
        "v1alpha1\",\"kind\":\"PredictiveAutoscaler\",\"metadata\":{\"name\":\"deployment-web\","
        "\"namespace\":\"shop\",\"labels\":{\"ai4k8s.io/"
        "source\":\"annotation\"},\"ownerReferences\":[{\"apiVersion\":\"apps/v1\","
        "\"kind\":\"Deployment\",\"name\":\"web\",\"uid\":\"u-1\",\"controller\":true}]},\"spec\":{"
        "\"maxReplicas\":10,"
        "\"minReplicas\":2,\"prediction\":{\"confidencePercent\":95},\"scaleTargetRef\":{\"apiVersion\":"
        "\"apps/v1\",\"kind\":"
        "\"Deployment\",\"name\":\"web\"}}}");
    buf_done(&body);
}

static void the_order_of_members_is_no_change(void **state UNUSED)
{
    struct buf a, b;
    struct error err;
    assert_int_equal(render("true", "{\"min\":2,\"max\":10}", &a, &err), 0);
    assert_int_equal(render("1", " { \"maxReplicas\" : 10, \"minReplicas\" : 2 } ", &b, &err), 0);
    assert_string_equal(buf_str(&a), buf_str(&b));
    buf_done(&a);
    buf_done(&b);
}

static void off_is_off(void **state UNUSED)
{
    static const char *const off[] = {NULL, "false", "False", "0"};
    for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
        struct buf body;
        struct error err;
        assert_int_equal(render(off[i], "{broken", &body, &err), ANNOTATION_OFF);
        assert_int_equal(body.len, 0);
    }
}

#define CONFIG "annotation ai4k8s.io/predictive-autoscaling-config: "

static void bad_ones_say_what_to_mend(void **state UNUSED)
{
    static const struct {
        const char *enabled, *config, *message;
    } cases[] = {
        {"yes", "{}", "annotation ai4k8s.io/predictive-autoscaling-enabled: want \"true\" or \"false\""},
        {"", "{}", "annotation ai4k8s.io/predictive-autoscaling-enabled: want \"true\" or \"false\""},
        {"true", NULL, CONFIG "is missing, it needs at least the upper limit: {\"max\": 10}"},
        {"true", "{}", CONFIG "maxReplicas: is required"},
        {"true", "[]", CONFIG "want a JSON object such as {\"max\": 10}"},
        {"true", "10", CONFIG "want a JSON object such as {\"max\": 10}"},
        {"true", "{\"min\":2,\"max\":10", CONFIG "invalid JSON at line 1, column 17: '}' expected near end of file"},
        {"true", "{\"max\":10,\"max\":11}",
         CONFIG "invalid JSON at line 1, column 15: duplicate object key near '\"max\"'"},
        {"true", "{\"min\":5,\"max\":2}", CONFIG "maxReplicas: must be >= minReplicas (5)"},
        {"true", "{\"max\":2,\"maxReplicas\":2}", CONFIG "max and maxReplicas mean the same, give one"},
        {"true", "{\"max\":\"2\"}", CONFIG "maxReplicas: want an integer, have a string"},
        {"true", "{\"max\":2,\"mod\":\"Auto\"}", CONFIG "mod: unknown field, did you mean mode?"},
        {"true", "{\"max\":2,\"scaleTargetRef\":{}}",
         CONFIG "scaleTargetRef must not be given, it is the annotated workload"},
        {"true", "{\"max\":2,\"prediction\":{\"horizonSeconds\":7}}",
         CONFIG "prediction.horizonSeconds: must be 10 to 1036800, not 7"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct buf body;
        struct error err;
        assert_true(render(cases[i].enabled, cases[i].config, &body, &err) < 0);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_int_equal(body.len, 0);
    }
    char *long_one = calloc(1, 20000);
    memset(long_one, ' ', 19999);
    struct buf body;
    struct error err;
    assert_true(render("true", long_one, &body, &err) < 0);
    assert_string_equal(err.message, CONFIG "is too long, at most 16 KiB are read");
    free(long_one);
}

static void names_are_valid_and_distinct(void **state UNUSED)
{
    char name[API_NAME_CAP], other[API_NAME_CAP], workload[254];
    annotation_name(name, "StatefulSet", "Db"); /* only the kind is lowered: names are lower case already */
    assert_string_equal(name, "statefulset-Db");
    memset(workload, 'a', 253);
    workload[253] = '\0';
    workload[235 - 11] = '.'; /* where it would be cut */
    annotation_name(name, "Deployment", workload);
    assert_true(strlen(name) <= 253 && schema_dns_subdomain.matches(name));
    workload[252] = 'b';
    annotation_name(other, "Deployment", workload);
    assert_string_not_equal(name, other);
}

static void the_example_is_good(void **state UNUSED)
{
    char *text;
    size_t len;
    struct error err = ERROR_INIT;
    struct yaml_doc doc;
    assert_int_equal(file_read("crds/examples/annotated-deployment.yaml", 1 << 16, &text, &len, &err), 0);
    assert_int_equal(yaml_parse("example", text, len, &doc, &err), 0);
    const json_t *annotations = json_at(doc.root, "metadata.annotations");
    struct buf body;
    int asked = render(json_string_value(json_object_get(annotations, ANNOTATION_ENABLED)),
                       json_string_value(json_object_get(annotations, ANNOTATION_CONFIG)), &body, &err);
    if (asked != 0)
        fail_msg("%s", error_text(&err));
    buf_done(&body);
    yaml_done(&doc);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_annotated_is_applied),
        cmocka_unit_test(the_order_of_members_is_no_change),
        cmocka_unit_test(off_is_off),
        cmocka_unit_test(bad_ones_say_what_to_mend),
        cmocka_unit_test(names_are_valid_and_distinct),
        cmocka_unit_test(the_example_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
