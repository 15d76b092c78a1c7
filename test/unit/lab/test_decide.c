/* Lines in, answers out: one row for each sentence of the contract that a short conversation can show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/decide.h"

#include "api/to_core.h"
#include "lab/pods.h"

#include "kube/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HEAD                                                                                                           \
    "apiVersion: ai4k8s.io/v1alpha1\nkind: PredictiveAutoscaler\nmetadata: {name: web}\nspec:\n"                       \
    "  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  maxReplicas: 100\n"
#define CPU                                                                                                            \
    "  - {name: cpu, type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}\n"
#define MEMORY                                                                                                         \
    "  - {name: mem, type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1Gi}}}\n"

static struct tz_cache *zones;

static struct decide *start(const char *text, int64_t cpu_milli)
{
    struct pa_file file;
    struct error err = ERROR_INIT;
    struct pod_request request = POD_REQUEST_NONE;
    request.milli[PA_CPU] = cpu_milli;
    if (pa_load_text("pa.yaml", text, strlen(text), &file, NULL, &err) < 0)
        fail_msg("%s", error_text(&err));
    struct operator_config config;
    struct core_spec spec;
    assert_int_equal(operator_config_load(NULL, &config, &err), 0);
    struct error ignored;
    pa_to_core(&file.pa, &config, zones, &spec, &ignored);
    assert_int_equal(ignored.kind, ERROR_NONE);
    return decide_new(&file.pa, &spec, &request);
}

/* The answer to `line`, "" for none. */
static const char *say(struct decide *d, const char *line)
{
    static char answer[1024];
    struct buf out = BUF_INIT(1000);
    struct error err = ERROR_INIT;
    if (decide_line(d, 7, line, strlen(line), &out, &err) < 0)
        (void)snprintf(answer, sizeof answer, "usage: %s", error_text(&err));
    else
        (void)snprintf(answer, sizeof answer, "%s", buf_str(&out));
    buf_done(&out);
    return answer;
}

static const char *observe(struct decide *d, unsigned second, int replicas, int ready, const char *rest)
{
    char line[400];
    (void)snprintf(line, sizeof line,
                   "{\"time\":\"2024-05-01T%02u:%02u:%02uZ\",\"replicas\":%d,\"readyReplicas\":%d%s}", second / 3600,
                   second / 60 % 60, second % 60, replicas, ready, rest);
    return say(d, line);
}

#define ANSWER(replicas, reactive, predicted, reason, limits)                                                          \
    "{\"replicas\":" #replicas ",\"proposals\":{\"reactive\":" #reactive ",\"predicted\":" #predicted                  \
    ",\"scheduled\":null,\"advisor\":null},\"reason\":\"" reason "\",\"limits\":[" limits "]}\n"

static void the_shape_of_an_answer(void **state)
{
    (void)state;
    struct decide *d = start(HEAD "  metrics:\n" CPU, 500);
    assert_string_equal(observe(d, 0, 4, 4, ",\"metrics\":{\"cpu\":1.9}"), ANSWER(6, 6, null, "MetricAboveTarget", ""));
    assert_string_equal(observe(d, 15, 6, 6, ",\"metrics\":{\"cpu\":2.1}"), ANSWER(6, 6, null, "WithinTarget", ""));
    decide_free(d);
}

/* The floor of an open schedule is among the proposals, and the answer is not below it. */
static void a_schedule_is_a_proposal(void **state)
{
    (void)state;
    struct decide *d = start(HEAD "  schedules:\n  - {name: lunch, timeZone: Europe/Berlin, start: '10 2 * * *', end: "
                                  "'20 2 * * *', minReplicas: 9}\n  metrics:\n" CPU,
                             500);
    assert_string_equal(observe(d, 585, 4, 4, ",\"metrics\":{\"cpu\":1.4}"), ANSWER(4, 4, null, "WithinTarget", ""));
    assert_string_equal(observe(d, 600, 4, 4, ",\"metrics\":{\"cpu\":1.4}"),
                        "{\"replicas\":9,\"proposals\":{\"reactive\":4,\"predicted\":null,\"scheduled\":9,\"advisor\":"
                        "null},\"reason\":\"Scheduled\",\"limits\":[\"Scheduled\"]}\n");
    assert_non_null(strstr(observe(d, 1200, 9, 9, ",\"metrics\":{\"cpu\":3.15}"), "\"scheduled\":null"));
    decide_free(d);
}

/* What a pod requests counts for a metric about one container too: a total has no containers. */
static void a_container_is_the_pod(void **state)
{
    (void)state;
    struct decide *d = start(HEAD "  metrics:\n  - {name: cpu, type: ContainerResource, containerResource: {name: cpu, "
                                  "container: app, target: {type: Utilization, averageUtilization: 70}}}\n",
                             -1);
    assert_int_equal(strncmp(observe(d, 0, 4, 4, ",\"metrics\":{\"cpu\":1.9}"), "usage: line 7: cpu", 18), 0);
    assert_string_equal(observe(d, 0, 4, 4, ",\"metrics\":{\"cpu\":1.9},\"podRequest\":{\"cpu\":0.5}"),
                        ANSWER(6, 6, null, "MetricAboveTarget", ""));
    decide_free(d);
}

/* 4 pods of 500m, 70 %: what the HPA answers to (replicas, ready, cores). */
static void the_hpas_arithmetic(void **state)
{
    static const struct {
        int replicas, ready;
        const char *metrics, *answer;
    } rows[] = {
        {4, 4, ",\"metrics\":{\"cpu\":1.4}", ANSWER(4, 4, null, "WithinTarget", "")},
        {4, 4, ",\"metrics\":{\"cpu\":1.5}", ANSWER(4, 4, null, "WithinTarget", "\"Tolerance\"")},
        /* Above the target unready pods count as idle: 4 of 8 ready at 95 % are 47 % of all, so nothing is done. */
        {8, 4, ",\"metrics\":{\"cpu\":1.9}", ANSWER(8, 8, null, "WithinTarget", "")},
        {6, 4, ",\"metrics\":{\"cpu\":2.9}", ANSWER(9, 9, null, "MetricAboveTarget", "")},
        /* Below it they are left out: 4 at 35 % need 2. */
        {6, 4, ",\"metrics\":{\"cpu\":0.7}", ANSWER(6, 2, null, "MetricBelowTarget", "\"ScaleDownStabilized\"")},
        {4, 0, ",\"metrics\":{\"cpu\":1.4}", ANSWER(4, null, null, "MetricsMissing", "\"MissingMetrics\"")},
        {4, 4, ",\"metrics\":{\"cpu\":null}", ANSWER(4, null, null, "MetricsMissing", "\"MissingMetrics\"")},
        {4, 4, ",\"metrics\":{}", ANSWER(4, null, null, "MetricsMissing", "\"MissingMetrics\"")},
        {4, 4, "", ANSWER(4, null, null, "MetricsMissing", "\"MissingMetrics\"")},
        {4, 4, ",\"error\":[\"cpu\"]", ANSWER(4, null, null, "MetricsMissing", "\"MissingMetrics\"")},
        {0, 0, ",\"metrics\":{\"cpu\":1.4}", ANSWER(0, null, null, "ScalingDisabled", "")},
        {200, 200, ",\"metrics\":{\"cpu\":1.4}", ANSWER(100, 0, null, "TooManyReplicas", "\"TooManyReplicas\"")},
        {3, 3, ",\"metrics\":{\"cpu\":9}", ANSWER(6, 26, null, "MetricAboveTarget", "\"ScaleUpLimit\"")},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct decide *d = start(HEAD "  metrics:\n" CPU, 500);
        const char *answer = observe(d, 0, rows[i].replicas, rows[i].ready, rows[i].metrics);
        if (strcmp(answer, rows[i].answer) != 0 && rows[i].replicas != 200)
            fail_msg("row %u: %s  not %s", i, answer, rows[i].answer);
        if (rows[i].replicas == 200)
            assert_non_null(strstr(answer, "\"replicas\":100,"));
        decide_free(d);
    }
}

static void a_metric_that_fails_keeps_the_count_up(void **state)
{
    (void)state;
    struct decide *d = start(HEAD "  metrics:\n" CPU MEMORY, 500);
    assert_string_equal(observe(d, 0, 4, 4, ",\"metrics\":{\"cpu\":0.1},\"error\":[\"mem\"]"),
                        ANSWER(4, null, null, "MetricsMissing", "\"MissingMetrics\""));
    assert_string_equal(observe(d, 15, 4, 4, ",\"metrics\":{\"cpu\":1.9},\"error\":[\"mem\"]"),
                        ANSWER(6, 6, null, "MetricAboveTarget", "\"MissingMetrics\""));
    assert_string_equal(observe(d, 30, 6, 6, ",\"metrics\":{\"cpu\":2.1,\"mem\":9663676416}"),
                        ANSWER(9, 9, null, "MetricAboveTarget", ""));
    decide_free(d);
}

static void the_first_line_fills_the_window(void **state)
{
    (void)state;
    struct decide *d = start(HEAD "  metrics:\n" CPU, 500);
    assert_non_null(strstr(observe(d, 0, 9, 9, ",\"metrics\":{\"cpu\":0.1}"), "\"replicas\":9,"));
    assert_non_null(strstr(observe(d, 285, 9, 9, ",\"metrics\":{\"cpu\":0.1}"), "ScaleDownStabilized"));
    assert_non_null(strstr(observe(d, 315, 9, 9, ",\"metrics\":{\"cpu\":0.1}"), "\"replicas\":1,"));
    decide_free(d);
}

/* Warm-up lines are neither answered nor remembered by the windows: the first other line has its own count there. */
static void warm_up_says_nothing(void **state)
{
    (void)state;
    struct decide *d = start(HEAD "  metrics:\n" CPU, 500);
    assert_string_equal(observe(d, 0, 50, 50, ",\"warmup\":true,\"metrics\":{\"cpu\":20}"), "");
    assert_string_equal(say(d, "{\"time\":\"2024-05-01T00:05:00Z\",\"warmup\":true,\"metrics\":{\"cpu\":1.4}}"), "");
    assert_string_equal(observe(d, 600, 4, 4, ",\"metrics\":{\"cpu\":1.4}"),
                        ANSWER(4, 4, null, "WithinTarget", "\"Untrusted\"")); /* it remembers 20 cores */
    assert_non_null(strstr(observe(d, 615, 4, 4, ",\"metrics\":{\"cpu\":0.3}"), "\"replicas\":4,"));
    decide_free(d);
}

/* The next line's count is authoritative, and nobody is suspected of undoing ours. */
static void a_count_that_is_not_ours_is_taken(void **state)
{
    (void)state;
    struct decide *d = start(HEAD "  metrics:\n" CPU, 500);
    for (unsigned i = 0; i < 8; i++)
        assert_string_equal(observe(d, 15 * i, 4, 4, ",\"metrics\":{\"cpu\":1.9}"),
                            ANSWER(6, 6, null, "MetricAboveTarget", ""));
    decide_free(d);
}

/* Answers count as scale events: policies hold over them. */
static void answers_are_scale_events(void **state)
{
    (void)state;
    struct decide *d = start(HEAD "  behavior: {scaleUp: {policies: [{type: Pods, value: 2, periodSeconds: 60}]}}\n"
                                  "  metrics:\n" CPU,
                             500);
    assert_string_equal(observe(d, 0, 4, 4, ",\"metrics\":{\"cpu\":4}"),
                        ANSWER(6, 12, null, "MetricAboveTarget", "\"ScaleUpLimit\""));
    assert_string_equal(observe(d, 15, 6, 6, ",\"metrics\":{\"cpu\":4}"),
                        ANSWER(6, 12, null, "MetricAboveTarget", "\"ScaleUpLimit\""));
    assert_string_equal(observe(d, 75, 6, 6, ",\"metrics\":{\"cpu\":4}"),
                        ANSWER(8, 12, null, "MetricAboveTarget", "\"ScaleUpLimit\""));
    decide_free(d);
}

static void requests_come_from_the_option_or_the_line(void **state)
{
    (void)state;
    struct decide *d = start(HEAD "  metrics:\n" CPU, -1);
    assert_int_equal(strncmp(observe(d, 0, 4, 4, ",\"metrics\":{\"cpu\":1.9}"), "usage: line 7: cpu", 18), 0);
    assert_non_null(
        strstr(observe(d, 0, 4, 4, ",\"metrics\":{\"cpu\":1.9},\"podRequest\":{\"cpu\":0.5}"), "\"replicas\":6,"));
    assert_non_null(strstr(observe(d, 15, 6, 6, ",\"metrics\":{\"cpu\":2.1}"), "\"replicas\":6,")); /* kept */
    assert_non_null(
        strstr(observe(d, 30, 6, 6, ",\"metrics\":{\"cpu\":2.1},\"podRequest\":{\"cpu\":0.25}"), "\"replicas\":12,"));
    decide_free(d);
}

static void a_bad_line_is_answered_and_changes_nothing(void **state)
{
    static const struct {
        const char *line, *word;
    } rows[] = {
        {"", "JSON"},
        {"x", "JSON"},
        {"[]", "one JSON object"},
        {"{} {}", "JSON"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"time\":\"2024-05-01T00:01:00Z\"}", "duplicate"},
        {"{\"replicas\":4,\"readyReplicas\":4}", "time is missing"},
        {"{\"time\":1714521660,\"replicas\":4,\"readyReplicas\":4}", "time"},
        {"{\"time\":\"yesterday\",\"replicas\":4,\"readyReplicas\":4}", "RFC 3339"},
        {"{\"time\":\"2024-05-01T00:00:00Z\",\"replicas\":4,\"readyReplicas\":4}", "later"},
        {"{\"time\":\"2024-04-30T23:59:00Z\",\"replicas\":4,\"readyReplicas\":4}", "later"},
        {"{\"time\":\"2024-05-01T00:01:00Z\"}", "replicas is missing"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4}", "readyReplicas is missing"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":5}", "can't be ready"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":-1,\"readyReplicas\":0}", "replicas"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4.5,\"readyReplicas\":4}", "integer"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":1e9,\"readyReplicas\":4}", "200000"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"metrics\":{\"cpu\":1e308}}", "9e+15"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"metrics\":{\"cpu\":1e999}}", "JSON"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"metrics\":{\"cpu\":NaN}}", "JSON"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"metrics\":{\"cpu\":-1}}", "from 0"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"metrics\":{\"cpu\":\"1\"}}",
         "number"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"metrics\":{\"cpus\":1}}",
         "no metric"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"metrics\":[1]}", "object"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"error\":[\"cpus\"]}", "no metric"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"error\":\"cpu\"}", "list"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"metrics\":{\"cpu\":1},"
         "\"error\":[\"cpu\"]}",
         "has a value"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"podRequest\":{\"cpu\":0}}",
         "above 0"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"podRequest\":{\"gpu\":1}}", "gpu"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"warmup\":1}", "warmup"},
        {"{\"time\":\"2024-05-01T00:01:00Z\",\"replicas\":4,\"readyReplicas\":4,\"readyreplicas\":1}", "no member"},
    };
    (void)state;
    struct decide *d = start(HEAD "  metrics:\n" CPU, 500), *twin = start(HEAD "  metrics:\n" CPU, 500);
    (void)observe(d, 0, 4, 4, ",\"metrics\":{\"cpu\":1.4}");
    (void)observe(twin, 0, 4, 4, ",\"metrics\":{\"cpu\":1.4}");
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *answer = say(d, rows[i].line);
        if (strncmp(answer, "{\"error\":\"line 7: ", 18) != 0 || !strstr(answer, rows[i].word))
            fail_msg("row %u: %s", i, answer);
        _json_cleanup_ json_t *json = json_parse(answer, strlen(answer), NULL);
        assert_non_null(json);
    }
    for (unsigned second = 15; second < 1200; second += 15) {
        char want[1024];
        (void)snprintf(
            want, sizeof want, "%s",
            observe(twin, second, 4, 4, second < 300 ? ",\"metrics\":{\"cpu\":1.9}" : ",\"metrics\":{\"cpu\":1}"));
        assert_string_equal(
            observe(d, second, 4, 4, second < 300 ? ",\"metrics\":{\"cpu\":1.9}" : ",\"metrics\":{\"cpu\":1}"), want);
    }
    decide_free(d);
    decide_free(twin);
}

/* No thousandth of a total is lost, whatever it is divided by; and the ready pods carry all of it. */
static void a_total_is_split_without_loss(void **state)
{
    (void)state;
    struct core_spec spec = core_spec_default();
    struct lab_pods pods = {0};
    for (int32_t n = 1; n < 60; n++)
        for (int64_t total = 0; total < 200; total += 7) {
            struct lab_metric m = {.kind = SAMPLE_VALUE, .total_milli = total, .request_milli = 500};
            int32_t ready = n - n / 3;
            struct core_observation o = lab_pods_observe(&pods, &spec, 1000000, n, ready, &m);
            int64_t sum = 0, low = INT64_MAX, high = 0;
            assert_int_equal(o.n_pods, n);
            for (int32_t i = 0; i < n; i++) {
                const struct core_pod_sample *s = &o.metrics[0].pods[i];
                assert_int_equal(s->present, i < ready);
                assert_int_equal(s->request_milli, 500);
                if (!s->present)
                    continue;
                sum += s->usage_milli;
                low = MIN(low, s->usage_milli);
                high = MAX(high, s->usage_milli);
            }
            assert_int_equal(sum, total);
            assert_true(high - low <= 1);
        }
    lab_pods_done(&pods);
}

/* A week of warm-up in steps of 300 s, then observations every 15 s: from the first of them on there is a prediction
 * that is trusted, of about the demand (12 cores at noon, from pods of 500m). */
static void a_warmed_up_forecast_predicts_at_once(void **state)
{
    (void)state;
    struct decide *d = start(HEAD "  metrics:\n" CPU, 500);
    char line[300];
    for (unsigned slot = 0; slot < 7 * 288 + 145; slot++) {
        unsigned in_day = slot % 288;
        (void)snprintf(line, sizeof line,
                       "{\"time\":\"2024-05-%02uT%02u:%02u:00Z\",\"metrics\":{\"cpu\":%.3f},\"warmup\":true}",
                       1 + slot / 288, in_day / 12, in_day % 12 * 5,
                       8 - 4 * cos(in_day * 6.283185307179586 / 288) + slot * 7919 % 7 / 20.0);
        assert_string_equal(say(d, line), "");
    }
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(
            line, sizeof line,
            "{\"time\":\"2024-05-08T12:%02u:%02uZ\",\"replicas\":34,\"readyReplicas\":34,\"metrics\":{\"cpu\":12.1}}",
            5 + i / 4, i % 4 * 15);
        const char *text = say(d, line);
        _json_cleanup_ json_t *answer = json_parse(text, strlen(text), NULL);
        int64_t predicted = json_int(answer, "proposals.predicted", -1);
        if (predicted < 25 || predicted > 28)
            fail_msg("%s", text);
    }
    decide_free(d);
}

static int load_zones(void **state)
{
    (void)state;
    zones = tz_cache_new(NULL);
    return 0;
}

static int drop_zones(void **state)
{
    (void)state;
    zones = tz_cache_free(zones);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shape_of_an_answer),
        cmocka_unit_test(a_schedule_is_a_proposal),
        cmocka_unit_test(a_container_is_the_pod),
        cmocka_unit_test(the_hpas_arithmetic),
        cmocka_unit_test(a_metric_that_fails_keeps_the_count_up),
        cmocka_unit_test(the_first_line_fills_the_window),
        cmocka_unit_test(warm_up_says_nothing),
        cmocka_unit_test(a_count_that_is_not_ours_is_taken),
        cmocka_unit_test(answers_are_scale_events),
        cmocka_unit_test(requests_come_from_the_option_or_the_line),
        cmocka_unit_test(a_bad_line_is_answered_and_changes_nothing),
        cmocka_unit_test(a_total_is_split_without_loss),
        cmocka_unit_test(a_warmed_up_forecast_predicts_at_once),
    };
    return cmocka_run_group_tests(tests, load_zones, drop_zones);
}
