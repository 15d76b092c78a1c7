/* The committed definitions are what the tables give, and defaults in them are complete where rules read
 * them. */
#include "api/config.h"
#include "api/crdgen.h"
#include "api/pa.h"
#include "api/pa_checkpoint.h"
#include "base/file.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_committed(const struct schema_resource *resource)
{
    char path[1024];
    struct buf made = BUF_INIT(1 << 20);
    struct error err = ERROR_INIT;
    crdgen_crd(resource, &made);
    assert_false(made.failed);
    (void)snprintf(path, sizeof path, "crds/ai4k8s.io_%s.yaml", resource->plural);
    char *committed;
    size_t len;
    if (file_read(path, 1 << 20, &committed, &len, &err) < 0)
        fail_msg("%s", error_text(&err));
    if (len != made.len || memcmp(committed, made.data, len) != 0)
        fail_msg("%s is not what the table gives: run `make crds`", path);
    buf_done(&made);
    free(committed);
}

static void the_committed_definitions_are_the_tables(void **state UNUSED)
{
    check_committed(&pa_resource);
    check_committed(&pa_checkpoint_resource);
}

static void a_definition_reads_back(void **state UNUSED)
{
    struct buf made = BUF_INIT(1 << 20);
    struct yaml_doc doc = {0};
    struct error err = ERROR_INIT;
    crdgen_crd(&pa_resource, &made);
    if (yaml_parse("crd", buf_str(&made), made.len, &doc, &err) < 0)
        fail_msg("%s", error_text(&err));
    const json_t *crd = doc.root;
    assert_string_equal(json_str(crd, "metadata.name"), "predictiveautoscalers.ai4k8s.io");
    const json_t *version = json_array_get(json_at(crd, "spec.versions"), 0);
    const json_t *spec = json_at(version, "schema.openAPIV3Schema.properties.spec.properties");
    assert_non_null(json_at(version, "subresources.status"));
    assert_int_equal(json_int(spec, "minReplicas.default", 0), 1);
    assert_string_equal(json_str(spec, "minReplicas.description"),
                        "The lower limit of replicas. 1 to 100000, default 1.");
    /* YAML 1.1 readers must not take a mode for a boolean */
    assert_string_equal(json_string_value(json_array_get(json_at(spec, "mode.enum"), 3)), "Off");
    assert_string_equal(json_str(spec, "behavior.properties.scaleUp.properties.tolerance.default"), "0.1");
    assert_null(json_at(spec, "behavior.default"));
    /* the API server holds a default against the rules as it stands */
    assert_int_equal(json_int(spec, "prediction.default.qualityGate.minCoveragePercent", 0), 85);
    assert_string_equal(json_str(spec, "prediction.default.seasonality.mode"), "Auto");
    const json_t *metric = json_array_get(json_at(spec, "metrics.default"), 0);
    assert_int_equal(json_int(metric, "resource.target.averageUtilization", 0), 70);
    const json_t *key = json_array_get(json_at(spec, "metrics.x-kubernetes-list-map-keys"), 0);
    assert_string_equal(json_string_value(key), "name");
    yaml_done(&doc);
    buf_done(&made);
}

static void limits_are_worded(void **state UNUSED)
{
    static const struct schema_quantity_bounds share = {.min = "0", .max = "1"};
    static const struct {
        struct schema_field field;
        const char *words;
    } cases[] = {
        {{.type = SCHEMA_INT32, .min = 3, .max = 3600, .fallback = "15"}, "3 to 3600, default 15"},
        {{.type = SCHEMA_INT32, .max = 99}, "0 to 99"},
        {{.type = SCHEMA_INT32}, ""},
        {{.type = SCHEMA_ENUM, .fallback = "\"Auto\""}, "default Auto"},
        {{.type = SCHEMA_QUANTITY, .bounds = &share, .fallback = "\"0.1\""}, "0 to 1, default 0.1"},
        {{.type = SCHEMA_LIST, .max = 8, .fallback = "[]"}, "at most 8"},
        {{.type = SCHEMA_OBJECT, .fallback = "{}"}, ""},
        {{.type = SCHEMA_BOOL, .fallback = "true"}, "default true"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char words[192];
        crdgen_limits(&cases[i].field, words, sizeof words);
        assert_string_equal(words, cases[i].words);
    }
}

static void the_reference_has_every_field(void **state UNUSED)
{
    struct buf text = BUF_INIT(1 << 20);
    crdgen_reference(&pa_resource, &text);
    crdgen_object_reference(&operator_config_schema, &text);
    assert_false(text.failed);
    static const char *const wanted[] = {
        "`spec.metrics[].resource.target.averageUtilization`", "`status.conditions[].type`",
        "`spec.prediction.seasonality.periodsSeconds[]`",      "`apiQPS`",
        "- `spec.maxReplicas` must be >= minReplicas\n",       "- `apiBurst` must be >= apiQPS\n"};
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        if (!strstr(buf_str(&text), wanted[i]))
            fail_msg("not in the reference: %s", wanted[i]);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_committed_definitions_are_the_tables),
        cmocka_unit_test(a_definition_reads_back),
        cmocka_unit_test(limits_are_worded),
        cmocka_unit_test(the_reference_has_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
