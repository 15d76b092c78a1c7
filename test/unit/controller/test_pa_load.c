/* Manifests as files: lines in messages, strictness about the envelope, and that the examples we ship are
 * good. */
#include "api/pa.h"
#include "base/str.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ENVELOPE                                                                                                       \
    "apiVersion: ai4k8s.io/v1alpha1\nkind: PredictiveAutoscaler\nmetadata:\n  name: web\n  namespace: "                \
    "shop\n" /* 5 lines */
#define TARGET "  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n"

static int load(const char *text, struct pa_file *file, struct api_problems *problems, struct error *err)
{
    *err = ERROR_INIT;
    return pa_load_text("pa.yaml", text, strlen(text), file, problems, err);
}

static void a_manifest_is_read(void **state UNUSED)
{
    struct pa_file file;
    struct api_problems problems;
    struct error err;
    assert_int_equal(load(ENVELOPE "  annotations: {ai4k8s.io/paused: \"true\"}\n"
                                   "spec:\n" TARGET "  maxReplicas: 7\n  mode: \"Off\"\n"
                                   "status: {anything: 1}\n",
                          &file, &problems, &err),
                     0);
    assert_string_equal(file.name, "web");
    assert_string_equal(file.namespace_, "shop");
    assert_true(file.pa.paused);
    assert_int_equal(file.pa.spec.max_replicas, 7);
    assert_int_equal(file.pa.spec.mode, PA_OFF);
}

static void messages_have_file_and_line(void **state UNUSED)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {ENVELOPE "spec:\n" TARGET "  minReplicas: 3\n  maxReplicas: 2\n",
         "pa.yaml:9: spec.maxReplicas: must be >= minReplicas (3)\n"},
        {ENVELOPE "spec:\n" TARGET
                  "  maxReplicas: 2\n  metrics:\n  - name: a\n    type: Resource\n    resource:\n      name: cpu\n"
                  "      target:\n        type: Utilization\n        averageUtilization: 0\n",
         "pa.yaml:16: spec.metrics[0].resource.target.averageUtilization: must be 1 to 1000, not 0\n"},
        /* what is missing stands where it should have been */
        {ENVELOPE "spec:\n" TARGET, "pa.yaml:6: spec.maxReplicas: is required\n"},
        {ENVELOPE "spec:\n" TARGET "  maxReplicas: 2\n  prediction:\n    confidencePercent: 60\n",
         "pa.yaml:9: spec.prediction.qualityGate.minCoveragePercent: must be <= confidencePercent (60): that "
         "is what a good "
         "forecast covers, so this one would never be trusted\n"},
        {ENVELOPE "spec:\n" TARGET "  maxReplicas: 2\n  predicton: {}\n",
         "pa.yaml:9: spec.predicton: unknown field, did you mean prediction?\n"},
        {ENVELOPE "spec:\n" TARGET "  maxReplicas: 2\nstats: {}\n", "pa.yaml:9: stats: unknown field\n"},
        {ENVELOPE, "pa.yaml: spec: is required\n"},
        {"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec: {a: 1}\n",
         "pa.yaml:1: apiVersion: want ai4k8s.io/v1alpha1, have autoscaling/v2\n"
         "pa.yaml:2: kind: want PredictiveAutoscaler, have HorizontalPodAutoscaler\n"},
        {"apiVersion: ai4k8s.io/v1alpha1\nkind: PredictiveAutoscaler\nspec:\n" TARGET "  maxReplicas: 2\n",
         "pa.yaml: metadata: is required, with a name\n"},
        {"apiVersion: ai4k8s.io/v1alpha1\nkind: PredictiveAutoscaler\nmetadata:\n  name: Web\n  namespace: "
         "a.b\nspec:\n" TARGET "  maxReplicas: 2\n",
         "pa.yaml:4: metadata.name: want lower-case letters, digits, '-' and '.', such as web-1, at most 253 "
         "characters\n"
         "pa.yaml:5: metadata.namespace: want lower-case letters, digits and '-', such as cpu, at most 63 "
         "characters\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pa_file file;
        struct api_problems problems;
        struct error err;
        struct buf text = BUF_INIT(8192);
        assert_int_equal(load(cases[i].text, &file, &problems, &err), -1);
        api_problems_format(&problems, "pa.yaml", &text);
        assert_string_equal(buf_str(&text), cases[i].message);
        assert_int_equal(err.kind, ERROR_CONFIG);
        buf_done(&text);
    }
}

static void what_is_no_manifest_is_said(void **state UNUSED)
{
    static const char *const cases[] = {
        "", "- 1\n", "x\n", "a: [1\n", "a: 1\na: 2\n", "a: 1\n---\nb: 1\n", "a: &x 1\nb: *x\n", "\x01"};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pa_file file;
        struct error err;
        assert_true(load(cases[i], &file, NULL, &err) < 0);
        assert_int_equal(strncmp(err.message, "pa.yaml", 7), 0);
    }
    struct pa_file file;
    struct error err = ERROR_INIT;
    assert_true(pa_load("/nowhere/pa.yaml", &file, NULL, &err) < 0);
    assert_non_null(strstr(err.message, "/nowhere/pa.yaml"));
}

static void the_examples_are_good(void **state UNUSED)
{
    DIR *directory = opendir("crds/examples");
    assert_non_null(directory);
    unsigned n = 0;
    for (struct dirent *e; (e = readdir(directory)) != NULL;) {
        /* one example is a Deployment with annotations; test_annotation.c reads that */
        if (!str_ends(e->d_name, ".yaml") || str_starts(e->d_name, "annotated"))
            continue;
        char path[1024];
        struct pa_file file;
        struct error err = ERROR_INIT;
        (void)snprintf(path, sizeof path, "crds/examples/%s", e->d_name);
        if (pa_load(path, &file, NULL, &err) < 0)
            fail_msg("%s", error_text(&err));
        n++;
    }
    (void)closedir(directory);
    assert_true(n >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manifest_is_read),
        cmocka_unit_test(messages_have_file_and_line),
        cmocka_unit_test(what_is_no_manifest_is_said),
        cmocka_unit_test(the_examples_are_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
