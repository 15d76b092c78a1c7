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

static const char secret[] = "s3cr3t";

/* One provider, one Alertmanager: what is refused says where, and never what a secret is. */
static void urls_are_checked(void **state UNUSED)
{
#define PROVIDER(more)     "advisor:\n  providers:\n  - name: p\n    api: OpenAI\n    model: m\n    url: " more "\n"
#define ALERTMANAGER(more) "alertmanagers:\n- url: " more "\n"
    static const char plain[] = "https://", user[] = "a user name", nothing_else[] = "only scheme, host, port and path";
    static const struct {
        const char *text, *at, *says[2]; /* `at` NULL: it is taken */
    } cases[] = {
        {PROVIDER("http://models.example/v1"), NULL, {NULL}},
        {PROVIDER("https://models.example:8443/v1"), NULL, {NULL}},
        {PROVIDER("https://models.example/v1\n    keyFile: /k"), NULL, {NULL}},
        {PROVIDER("http://127.0.0.1:11434/v1\n    keyFile: /k"), NULL, {NULL}},
        {PROVIDER("http://127.8.0.1/v1\n    keyFile: /k"), NULL, {NULL}},
        {PROVIDER("http://[::1]:8000/v1\n    keySecret: {name: a, key: b}"), NULL, {NULL}},
        {PROVIDER("http://localhost/v1\n    keySecret: {name: a, key: b}"), NULL, {NULL}},
        {PROVIDER("https://me:s3cr3t@models.example/v1"), "op.yaml:6: advisor.providers[0].url: ", {user, "keyFile"}},
        {PROVIDER("http://s3cr3t@127.0.0.1/v1"), "op.yaml:6: advisor.providers[0].url: ", {user, "keySecret"}},
        {PROVIDER("\"https://me:s3 s3cr3t@x/\""), "op.yaml:6: advisor.providers[0].url: ", {"a space", "keyFile"}},
        {PROVIDER("https://models.example/v1?key=s3cr3t"), "op.yaml:6: ", {"a query", nothing_else}},
        {PROVIDER("me:s3cr3t@models.example"), "op.yaml:6: advisor.providers[0].url: ", {"a URL such as", plain}},
        {PROVIDER("https://models.example:99999"), "op.yaml:6: advisor.providers[0].url: ", {"the port", ""}},
        {PROVIDER("http://models.example/v1\n    keyFile: /k"),
         "op.yaml:6: advisor.providers[0].url: ",
         {"must be https:// for its key", "127.0.0.1"}},
        {PROVIDER("http://models.example/v1\n    keySecret: {name: a, key: b}"), "op.yaml:6: ", {"https://", "key"}},
        {PROVIDER("http://localhost.example/v1\n    keyFile: /k"), "op.yaml:6: ", {"https://", "key"}},
        {PROVIDER("http://127.example/v1\n    keyFile: /k"), "op.yaml:6: ", {"https://", "key"}},
        {PROVIDER("http://192.168.1.7/v1\n    keyFile: /k"), "op.yaml:6: ", {"https://", "key"}},
        {PROVIDER("http://169.254.169.254/v1"), "op.yaml:6: advisor.providers[0].url: ", {"link-local", ""}},
        {PROVIDER("https://Metadata.google.internal/v1"), "op.yaml:6: ", {"link-local", ""}},
        {ALERTMANAGER("http://alertmanager.monitoring:9093/prefix"), NULL, {NULL}},
        {ALERTMANAGER("http://127.0.0.1:9093\n  tokenFile: /t"), NULL, {NULL}},
        {ALERTMANAGER("http://alertmanager.monitoring:9093\n  tokenFile: /t"),
         "op.yaml:2: alertmanagers[0].url: ",
         {"must be https:// for its credential", "127.0.0.1"}},
        {ALERTMANAGER("http://alertmanager.monitoring:9093\n  username: u\n  passwordFile: /p"),
         "op.yaml:2: ",
         {"must be https:// for its credential", "127.0.0.1"}},
        {ALERTMANAGER("https://me:s3cr3t@alertmanager.monitoring:9093"),
         "op.yaml:2: alertmanagers[0].url: ",
         {user, "passwordFile"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct operator_config c;
        struct error err;
        bool taken = load(cases[i].text, &c, &err) == 0;
        if (taken != !cases[i].at)
            fail_msg("%s: %s", cases[i].text, error_text(&err));
        if (taken)
            continue;
        assert_int_equal(err.kind, ERROR_CONFIG);
        if (strncmp(err.message, cases[i].at, strlen(cases[i].at)) != 0 || strstr(err.message, secret) ||
            strstr(err.message, "; advisor"))
            fail_msg("%s: %s", cases[i].text, err.message);
        for (size_t k = 0; k < 2; k++)
            if (!strstr(err.message, cases[i].says[k]))
                fail_msg("%s: %s", cases[i].text, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_there_are_defaults),
        cmocka_unit_test(values_are_taken),
        cmocka_unit_test(errors_have_lines),
        cmocka_unit_test(urls_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
