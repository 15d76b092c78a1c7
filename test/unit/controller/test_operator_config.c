/* The operator's configuration file: defaults, and errors with their lines. */
#include "api/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int load(const char *text, struct operator_config *c, struct error *err)
{
    *err = ERROR_INIT;
    return operator_config_load_text("op.yaml", text, strlen(text), c, err);
}

static void without_a_file_there_are_defaults(void **state UNUSED)
{
    static const char *const empty[] = {"", "{}", "# nothing\n", "kind: OperatorConfiguration\n"};
    struct operator_config c;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i <= ARRAY_SIZE(empty); i++) {
        memset(&c, 0xff, sizeof c);
        if (i < ARRAY_SIZE(empty))
            assert_int_equal(load(empty[i], &c, &err), 0);
        else
            assert_int_equal(operator_config_load(NULL, &c, &err), 0);
        assert_int_equal(c.checkpoint_interval_s, 600);
        assert_int_equal(c.checkpoint_writes_per_second, 10);
        assert_int_equal(c.status_writes_per_second, 20);
        assert_int_equal(c.api_qps, 50);
        assert_int_equal(c.api_burst, 100);
        assert_int_equal(c.cpu_initialization_s, 300);
        assert_int_equal(c.initial_readiness_s, 30);
    }
}

static void values_are_taken(void **state UNUSED)
{
    struct operator_config c;
    struct error err;
    assert_int_equal(load("apiVersion: ai4k8s.io/v1alpha1\nkind: OperatorConfiguration\ncheckpointIntervalSeconds: 60\n"
                          "checkpointWritesPerSecond: 1\nstatusWritesPerSecond: 2\napiQPS: 3\napiBurst: 4\n"
                          "cpuInitializationPeriodSeconds: 0\ninitialReadinessDelaySeconds: 5\n",
                          &c, &err),
                     0);
    assert_int_equal(c.checkpoint_interval_s, 60);
    assert_int_equal(c.checkpoint_writes_per_second, 1);
    assert_int_equal(c.status_writes_per_second, 2);
    assert_int_equal(c.api_qps, 3);
    assert_int_equal(c.api_burst, 4);
    assert_int_equal(c.cpu_initialization_s, 0);
    assert_int_equal(c.initial_readiness_s, 5);
}

static void errors_have_lines(void **state UNUSED)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"apiQPS: 50\napiBurts: 100\n", "op.yaml:2: apiBurts: unknown field, did you mean apiBurst?"},
        {"\n\napiQPS: fast\n", "op.yaml:3: apiQPS: want an integer, have a string"},
        {"apiQPS: 0\n", "op.yaml:1: apiQPS: must be 1 to 10000, not 0"},
        {"apiQPS: 200\n", "op.yaml: apiBurst: must be >= apiQPS (200)"},
        {"apiBurst: 10\napiQPS: 20\n", "op.yaml:1: apiBurst: must be >= apiQPS (20)"},
        {"kind: Deployment\n", "op.yaml:1: kind: want one of OperatorConfiguration, have \"Deployment\""},
        {"checkpointIntervalSeconds: 600s\nsecrets: {token: x}\n",
         "op.yaml:2: secrets: unknown field; checkpointIntervalSeconds: want an integer, have a string"},
        {"[]\n", "op.yaml:1: want an object, have a list"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct operator_config c;
        struct error err;
        assert_true(load(cases[i].text, &c, &err) < 0);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.kind, ERROR_CONFIG);
    }
    struct operator_config c;
    struct error err;
    assert_true(load("apiQPS: 1\napiQPS: 2\n", &c, &err) < 0);
    assert_int_equal(strncmp(err.message, "op.yaml:2", 9), 0);
    assert_true(operator_config_load("/nowhere/op.yaml", &c, &err) < 0);
    assert_non_null(strstr(err.message, "/nowhere/op.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_there_are_defaults),
        cmocka_unit_test(values_are_taken),
        cmocka_unit_test(errors_have_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
