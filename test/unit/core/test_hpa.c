/* The reactive arithmetic against what the HPA is documented and known to answer: scenarios of its own tests,
 * its documented constants, and the edges of its time windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/hpa.h"

#include <math.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define NOW    (1700000000 * SECOND)
#define NONE   (-1) /* no sample */

/* One letter per pod: R ready; u unready and never ready; n no Ready condition; h ready, but its sample
 * covers its start; p pending; f failed; d deleting; S succeeded; U Ready unknown. */
struct scenario {
    const char *what;
    const char *pods;
    int64_t levels[12]; /* usage in thousandths */
    enum core_metric_kind kind;
    enum core_target_type target_type;
    enum core_metric_source source; /* as far as the arithmetic depends on it */
    int64_t target, request;        /* request 0: 1000; -1: none; -2: of 0 */
    int32_t current, status;
    enum core_problem problem;
    int32_t replicas, percent;
    int64_t milli;
};

static struct core_pod make_pod(char letter)
{
    struct core_pod pod = {.phase = CORE_POD_RUNNING,
                           .ready = CORE_READY_TRUE,
                           .start_us = NOW - 7200 * SECOND,
                           .ready_transition_us = NOW - 7100 * SECOND};
    switch (letter) {
    case 'u':
        pod.ready = CORE_READY_FALSE;
        pod.ready_transition_us = pod.start_us;
        break;
    case 'n':
        pod.ready = CORE_READY_ABSENT;
        break;
    case 'h':
        pod.start_us = NOW - 60 * SECOND;
        pod.ready_transition_us = NOW - 20 * SECOND;
        break;
    case 'p':
        pod.phase = CORE_POD_PENDING;
        break;
    case 'f':
        pod.phase = CORE_POD_FAILED;
        break;
    case 'd':
        pod.deleting = true;
        break;
    case 'S':
        pod.phase = CORE_POD_SUCCEEDED;
        break;
    case 'U':
        pod.ready = CORE_READY_UNKNOWN;
        break;
    default:
        break;
    }
    return pod;
}

/* `count` < 0: of the pods that are there. */
static struct hpa_proposal propose_for(const struct scenario *s, int32_t count)
{
    struct core_spec spec = core_spec_default();
    struct core_metric_spec *metric = &spec.metrics[0];
    struct core_pod pods[12];
    struct core_pod_sample samples[12] = {{.present = false}};
    uint32_t n = (uint32_t)strlen(s->pods);
    metric->kind = s->kind;
    metric->target_type = s->target_type;
    metric->source = s->source;
    metric->target_percent = s->target_type == CORE_TARGET_UTILIZATION ? (int32_t)s->target : 0;
    metric->target_milli = s->target;
    for (uint32_t i = 0; i < n; i++) {
        pods[i] = make_pod(s->pods[i]);
        samples[i] = (struct core_pod_sample){.present = s->levels[i] >= 0,
                                              .usage_milli = s->levels[i],
                                              .request_milli = s->request == -2 ? 0
                                                               : s->request     ? s->request
                                                                                : 1000,
                                              .time_us = NOW - 5 * SECOND,
                                              .window_us = 30 * SECOND};
    }
    struct core_observation observation = {.time_us = NOW,
                                           .spec_replicas = s->current,
                                           .status_replicas = s->status ? s->status : s->current,
                                           .pods = pods,
                                           .n_pods = n};
    struct core_metric_observation measured = {.kind = SAMPLE_VALUE, .pods = samples, .value_milli = s->levels[0]};
    return count < 0 ? hpa_propose(&spec, metric, &observation, &measured)
                     : hpa_propose_for(&spec, metric, &observation, &measured, count);
}

static struct hpa_proposal propose(const struct scenario *s)
{
    return propose_for(s, -1);
}

#define CPU    .kind = CORE_METRIC_CPU, .target_type = CORE_TARGET_UTILIZATION
#define CPUV   .kind = CORE_METRIC_CPU, .target_type = CORE_TARGET_AVERAGE_VALUE, .percent = -1
#define PODS   .kind = CORE_METRIC_POD, .target_type = CORE_TARGET_AVERAGE_VALUE, .percent = -1
#define VALUE  .kind = CORE_METRIC_TOTAL, .target_type = CORE_TARGET_VALUE, .percent = -1
#define AVG    .kind = CORE_METRIC_TOTAL, .target_type = CORE_TARGET_AVERAGE_VALUE, .percent = -1
#define L(...) .levels = {__VA_ARGS__}

static const struct scenario scenarios[] = {
    /* utilisation */
    {"up", "RRR", L(300, 500, 700), CPU, .target = 30, .current = 3, .replicas = 5, .percent = 50, .milli = 500},
    {"up, one unready damps", "uRR", L(300, 500, 700), CPU, .target = 30, .current = 3, .replicas = 4, .percent = 60,
     .milli = 600},
    {"up, one sample of the start damps", "hRR", L(300, 500, 700), CPU, .target = 30, .current = 3, .replicas = 4,
     .percent = 60, .milli = 600},
    {"two unready hold", "Ruu", L(400, 500, 700), CPU, .target = 30, .current = 3, .replicas = 3, .percent = 40,
     .milli = 400},
    {"failed pods don't count", "RRff", L(500, 700, NONE, NONE), CPU, .target = 30, .current = 2, .replicas = 4,
     .percent = 60, .milli = 600},
    {"deleting pods don't count", "RRdd", L(500, 700, 900, 900), CPU, .target = 30, .current = 2, .replicas = 4,
     .percent = 60, .milli = 600},
    {"down", "RRRRR", L(100, 300, 500, 250, 250), CPU, .target = 50, .current = 5, .replicas = 3, .percent = 28,
     .milli = 280},
    {"down over the ready ones", "RRRuu", L(100, 300, 500, 250, 250), CPU, .target = 50, .current = 5, .replicas = 2,
     .percent = 30, .milli = 300},
    {"down, pending ones aside", "Rpppp", L(100, NONE, NONE, NONE, NONE), CPU, .target = 50, .current = 5,
     .replicas = 1, .percent = 10, .milli = 100},
    {"inside the tolerance", "RRR", L(1010, 1030, 1020), CPU, .target = 100, .current = 3, .replicas = 3,
     .percent = 102, .milli = 1020},
    {"percent truncates into the tolerance", "R", L(779), CPU, .target = 70, .current = 1, .replicas = 1, .percent = 77,
     .milli = 779},
    {"just beyond the tolerance", "R", L(780), CPU, .target = 70, .current = 1, .replicas = 2, .percent = 78,
     .milli = 780},
    {"lower edge of the tolerance holds", "RRRRRRRRRR", L(630, 630, 630, 630, 630, 630, 630, 630, 630, 630), CPU,
     .target = 70, .current = 10, .replicas = 10, .percent = 63, .milli = 630},
    {"missing ones at the request", "RRRR", L(400, 95, NONE, NONE), CPU, .target = 100, .current = 4, .replicas = 3,
     .percent = 24, .milli = 247},
    {"missing, at the target", "RR", L(1000, NONE), CPU, .target = 100, .current = 2, .replicas = 2, .percent = 100,
     .milli = 1000},
    {"missing, up: inside the tolerance then", "RR", L(1900, NONE), CPU, .target = 100, .current = 2, .replicas = 2,
     .percent = 190, .milli = 1900},
    {"missing, down: would turn", "RR", L(600, NONE), CPU, .target = 100, .current = 2, .replicas = 2, .percent = 60,
     .milli = 600},
    {"missing and unready, no change", "uRR", L(100, 450, NONE), CPU, .target = 50, .current = 3, .replicas = 3,
     .percent = 45, .milli = 450},
    {"missing and unready, up", "uRR", L(100, 2000, NONE), CPU, .target = 50, .current = 3, .replicas = 4,
     .percent = 200, .milli = 2000},
    {"missing and unready, down", "uRRR", L(100, 100, 100, NONE), CPU, .target = 50, .current = 4, .replicas = 3,
     .percent = 10, .milli = 100},
    {"surge of an update holds", "RRR", L(100, 100, NONE), CPU, .target = 50, .current = 2, .replicas = 2,
     .percent = 10, .milli = 100},
    {"Ready unknown counts", "UR", L(500, 700), CPU, .target = 30, .current = 2, .replicas = 4, .percent = 60,
     .milli = 600},
    {"no Ready condition does not", "nR", L(100, 600), CPU, .target = 30, .current = 2, .replicas = 2, .percent = 60,
     .milli = 600},
    {"succeeded pods count", "SR", L(100, 700), CPU, .target = 40, .current = 2, .replicas = 2, .percent = 40,
     .milli = 400},
    {"above 100 %, missing ones at the target", "RRR", L(1000, 1000, NONE), CPU, .target = 150, .current = 3,
     .replicas = 3, .percent = 100, .milli = 1000},
    {"requests of 0", "R", L(200), CPU, .target = 100, .request = -2, .current = 1,
     .problem = CORE_PROBLEM_ZERO_REQUEST, .replicas = -1, .percent = -1},
    {"deleting pods without a request fail it all", "Rd", L(200, 200), CPU, .target = 100, .request = -1, .current = 1,
     .problem = CORE_PROBLEM_NO_REQUEST, .replicas = -1, .percent = -1},
    {"all unready", "uu", L(500, 700), CPU, .target = 30, .current = 2, .problem = CORE_PROBLEM_NOT_READY,
     .replicas = -1, .percent = -1},
    {"no pods", "", L(0), CPU, .target = 30, .current = 2, .problem = CORE_PROBLEM_NO_PODS, .replicas = -1,
     .percent = -1},
    {"no request", "R", L(200), CPU, .target = 100, .request = -1, .current = 1, .problem = CORE_PROBLEM_NO_REQUEST,
     .replicas = -1, .percent = -1},

    /* per-pod values */
    {"pods up", "RRR", L(20000, 10000, 30000), PODS, .target = 15000, .current = 3, .replicas = 4, .milli = 20000},
    {"readiness is of no concern", "RRu", L(50000, 10000, 30000), PODS, .target = 15000, .current = 3, .replicas = 6,
     .milli = 30000},
    {"nor are samples of the start", "uRu", L(50000, 15000, 30000), PODS, .target = 15000, .current = 3, .replicas = 7,
     .milli = 31666},
    {"pods down", "RRRRR", L(12000, 12000, 12000, 12000, 12000), PODS, .target = 20000, .current = 5, .replicas = 3,
     .milli = 12000},
    {"pods, missing at the target", "RRRRR", L(20000, 19000, 21000, NONE, NONE), PODS, .target = 20000, .current = 5,
     .replicas = 5, .milli = 20000},
    {"pods, surge", "RRR", L(10000, 10000, NONE), PODS, .target = 17000, .current = 2, .replicas = 2, .milli = 10000},
    {"cpu by value keeps its windows", "hRR", L(300, 500, 700), CPUV, .target = 300, .current = 3, .replicas = 4,
     .milli = 600},

    /* one number for all */
    {"value up", "RRR", L(20000), VALUE, .target = 15000, .current = 3, .replicas = 4, .milli = 20000},
    {"value, unready pods don't multiply", "uRu", L(50000), VALUE, .target = 10000, .current = 3, .replicas = 5,
     .milli = 50000},
    {"value, less than there are", "uRu", L(8600), VALUE, .target = 4400, .current = 3, .replicas = 2, .milli = 8600},
    {"value down", "RRRRR", L(12000), VALUE, .target = 20000, .current = 5, .replicas = 3, .milli = 12000},
    {"value from zero", "", L(2500), VALUE, .target = 1000, .current = 0, .replicas = 3, .milli = 2500},
    {"value in the tolerance without pods", "", L(1000), VALUE, .target = 1000, .current = 2, .replicas = 2,
     .milli = 1000},
    {"value out of it without pods", "", L(2000), VALUE, .target = 1000, .current = 2, .problem = CORE_PROBLEM_NO_PODS,
     .replicas = -1, .milli = 2000},
    {"value beyond all counts", "RRR", L(INT64_MAX), VALUE, .target = 1, .current = 3, .replicas = INT32_MAX,
     .milli = INT64_MAX},
    {"average up", "RRR", L(20000), AVG, .target = 5000, .current = 3, .replicas = 4, .milli = 6667},
    {"average goes by the status", "RRR", L(8600), AVG, .target = 2150, .current = 1, .status = 3, .replicas = 4,
     .milli = 2867},
    {"average down", "RRRRR", L(6000), AVG, .target = 2000, .current = 5, .replicas = 3, .milli = 1200},
    {"average in the tolerance keeps the status", "R", L(10900), AVG, .target = 1000, .current = 9, .status = 10,
     .replicas = 10, .milli = 1090},
    {"a negative average is 0", "RRR", L(-1), AVG, .source = CORE_SOURCE_OBJECT, .target = 1000, .current = 3,
     .replicas = 0, .milli = 0},
    {"of an external metric it has overflowed", "RRR", L(-1), AVG, .source = CORE_SOURCE_EXTERNAL, .target = 1000,
     .current = 3, .replicas = INT32_MAX, .milli = INT64_MAX},
    {"a negative value", "RRR", L(-1500), VALUE, .source = CORE_SOURCE_EXTERNAL, .target = 1000, .current = 3,
     .replicas = -4, .milli = -1500},
    {"average without pods in the status", "", L(900), AVG, .target = 1000, .current = 0, .replicas = 1, .milli = 900},
    {"average from zero", "", L(2500), AVG, .target = 1000, .current = 0, .replicas = 3, .milli = 2500},
    {"average of nothing from zero", "", L(0), AVG, .target = 1000, .current = 0, .replicas = 0, .milli = 0},
};

static void test_scenarios(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
        const struct scenario *s = &scenarios[i];
        struct hpa_proposal p = propose(s);
        if (p.problem != s->problem || p.replicas != s->replicas || p.percent != s->percent || p.milli != s->milli)
            fail_msg("%s: problem %d, %d replicas, %d %%, %lld; want %d, %d, %d, %lld", s->what, (int)p.problem,
                     p.replicas, p.percent, (long long)p.milli, (int)s->problem, s->replicas, s->percent,
                     (long long)s->milli);
    }
}

/* Each edge of the CPU windows, one microsecond to either side. Two pods, the other one at 200 % of the
 * target: the pod in question counts (4 pods), or is taken to be unready and to use nothing (2 pods). */
static void test_windows(void **state)
{
    (void)state;
    const struct {
        const char *what;
        enum core_ready ready;
        int64_t start_us, transition_us, sample_us, window_us; /* before now */
        bool counts;
    } edges[] = {
        {"started 300 s ago: over", CORE_READY_FALSE, 300 * SECOND, 200 * SECOND, 0, 0, true},
        {"a moment less: initialising", CORE_READY_FALSE, 300 * SECOND - 1, 200 * SECOND, 0, 0, false},
        {"initialising, a full window since", CORE_READY_TRUE, 100 * SECOND, 60 * SECOND, 30 * SECOND, 30 * SECOND,
         true},
        {"initialising, a moment short", CORE_READY_TRUE, 100 * SECOND, 60 * SECOND, 30 * SECOND + 1, 30 * SECOND,
         false},
        {"unready after 30 s: was ready once", CORE_READY_FALSE, 1000 * SECOND, 970 * SECOND, 0, 0, true},
        {"unready before 30 s: never was", CORE_READY_FALSE, 1000 * SECOND, 970 * SECOND + 1, 0, 0, false},
    };
    struct core_spec spec = core_spec_default();
    for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
        struct core_pod pods[2] = {make_pod('R'),
                                   {.phase = CORE_POD_RUNNING,
                                    .ready = edges[i].ready,
                                    .start_us = NOW - edges[i].start_us,
                                    .ready_transition_us = NOW - edges[i].transition_us}};
        struct core_pod_sample samples[2] = {
            {.present = true, .usage_milli = 1400, .request_milli = 1000, .time_us = NOW, .window_us = SECOND},
            {.present = true,
             .usage_milli = 1400,
             .request_milli = 1000,
             .time_us = NOW - edges[i].sample_us,
             .window_us = edges[i].window_us}};
        struct core_observation o = {.time_us = NOW, .spec_replicas = 2, .pods = pods, .n_pods = 2};
        struct core_metric_observation m = {.kind = SAMPLE_VALUE, .pods = samples};
        struct hpa_proposal p = hpa_propose(&spec, &spec.metrics[0], &o, &m);
        if (p.replicas != (edges[i].counts ? 4 : 2))
            fail_msg("%s: %d replicas", edges[i].what, p.replicas);
    }
}

static void test_stale(void **state)
{
    (void)state;
    assert_false(hpa_stale(NOW, NOW - 90 * SECOND, 0));
    assert_true(hpa_stale(NOW, NOW - 90 * SECOND - 1, 0));
    assert_false(hpa_stale(NOW, NOW - 180 * SECOND, 60 * SECOND));
    assert_true(hpa_stale(NOW, NOW - 180 * SECOND - 1, 60 * SECOND));
    assert_false(hpa_stale(NOW, NOW + 3600 * SECOND, 0)); /* another clock */
    assert_false(hpa_stale(NOW, 0, 0));
    assert_false(hpa_stale(NOW, NOW - SECOND, INT64_MAX));

    struct core_spec spec = core_spec_default();
    struct core_pod pods[2] = {make_pod('R'), make_pod('R')};
    struct core_pod_sample samples[2] = {
        {.present = true, .usage_milli = 100, .request_milli = 1000, .time_us = NOW, .window_us = SECOND},
        {.present = true,
         .usage_milli = 100,
         .request_milli = 1000,
         .time_us = NOW - 91 * SECOND,
         .window_us = SECOND}};
    struct core_observation o = {.time_us = NOW, .spec_replicas = 2, .pods = pods, .n_pods = 2};
    struct core_metric_observation m = {.kind = SAMPLE_VALUE, .pods = samples};
    struct hpa_proposal p = hpa_propose(&spec, &spec.metrics[0], &o, &m);
    assert_int_equal(p.missing, 1);
    assert_int_equal(p.replicas, 2); /* the missing one is taken to use all of its request: 55 % of 70 % */
    samples[0].time_us = NOW - 91 * SECOND;
    p = hpa_propose(&spec, &spec.metrics[0], &o, &m);
    assert_int_equal(p.problem, CORE_PROBLEM_STALE);

    spec.metrics[0].kind = CORE_METRIC_TOTAL;
    spec.metrics[0].target_type = CORE_TARGET_VALUE;
    spec.metrics[0].target_milli = 1000;
    m = (struct core_metric_observation){.kind = SAMPLE_VALUE, .value_milli = 1000, .time_us = NOW - 91 * SECOND};
    assert_int_equal(hpa_propose(&spec, &spec.metrics[0], &o, &m).problem, CORE_PROBLEM_STALE);
}

/* Samples of pods that are gone stretch the second pass of a utilisation, and the means of values. */
static void test_strays(void **state)
{
    (void)state;
    struct core_spec spec = core_spec_default();
    struct core_pod pods[2] = {make_pod('R'), make_pod('u')};
    struct core_pod_sample samples[2] = {
        {.present = true, .usage_milli = 2100, .request_milli = 1000, .time_us = NOW, .window_us = SECOND},
        {.present = true, .usage_milli = 2100, .request_milli = 1000, .time_us = NOW, .window_us = SECOND}};
    struct core_observation o = {.time_us = NOW, .spec_replicas = 2, .pods = pods, .n_pods = 2};
    struct core_metric_observation m = {.kind = SAMPLE_VALUE, .pods = samples};
    assert_int_equal(hpa_propose(&spec, &spec.metrics[0], &o, &m).replicas, 3);
    m.n_strays = 2;
    m.strays_milli = 2000;
    assert_int_equal(hpa_propose(&spec, &spec.metrics[0], &o, &m).replicas, 6);
    spec.metrics[0].kind = CORE_METRIC_POD;
    spec.metrics[0].target_type = CORE_TARGET_AVERAGE_VALUE;
    spec.metrics[0].target_milli = 1000;
    assert_int_equal(hpa_propose(&spec, &spec.metrics[0], &o, &m).milli, (2100 + 2100 + 2000) / 4);
}

static void test_combine(void **state)
{
    (void)state;
    const struct hpa_proposal none = {.problem = CORE_PROBLEM_QUERY, .replicas = -1};
#define P(n)                                                                                                           \
    {                                                                                                                  \
        .replicas = (n)                                                                                                \
    }
    struct {
        struct hpa_proposal p[3];
        int32_t current, replicas, metric, failed;
    } cases[] = {
        {{P(3), P(5), P(4)}, 4, 5, 1, -1},  {{P(5), P(5), P(4)}, 4, 5, 0, -1}, /* the first of equals */
        {{P(3), none, P(2)}, 4, -1, -1, 1},                                    /* one is unknown, the rest says down */
        {{P(4), none, P(2)}, 4, 4, 0, 1},                                      /* the rest says stay */
        {{none, P(6), P(2)}, 4, 6, 1, 0},                                      /* the rest says up */
        {{none, none, none}, 4, -1, -1, 0}, {{P(0), P(0), P(0)}, 4, 0, 2, -1}, {{P(-7), P(-7), P(-9)}, 4, 0, 0, -1},
    };
#undef P
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct hpa_need need = hpa_combine(cases[i].p, 3, cases[i].current);
        assert_int_equal(need.replicas, cases[i].replicas);
        assert_int_equal(need.metric, cases[i].metric);
        assert_int_equal(need.failed, cases[i].failed);
    }
}

/* Numbers that no cluster has must not wrap into a scale-down, or trap. */
static void test_extremes(void **state)
{
    (void)state;
    const int64_t levels[] = {0, 1, INT32_MAX, INT64_MAX / 100, INT64_MAX, -1, INT64_MIN};
    const int64_t requests[] = {-1, 0, 1, 1000, INT64_MAX / 2, INT64_MAX};
    for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
        for (size_t r = 0; r < ARRAY_SIZE(requests); r++) {
            for (int target = 0; target < 2; target++) {
                struct core_spec spec = core_spec_default();
                spec.metrics[0].target_type = target ? CORE_TARGET_UTILIZATION : CORE_TARGET_AVERAGE_VALUE;
                spec.metrics[0].target_milli = 1;
                spec.metrics[0].target_percent = target ? INT32_MAX : 1;
                struct core_pod pods[3] = {make_pod('R'), make_pod('R'), make_pod('u')};
                struct core_pod_sample samples[3];
                for (int i = 0; i < 3; i++)
                    samples[i] = (struct core_pod_sample){.present = i != 1,
                                                          .usage_milli = levels[l],
                                                          .request_milli = requests[r],
                                                          .time_us = NOW,
                                                          .window_us = i ? INT64_MAX : 0};
                struct core_observation o = {.time_us = NOW, .spec_replicas = 3, .pods = pods, .n_pods = 3};
                struct core_metric_observation m = {
                    .kind = SAMPLE_VALUE, .pods = samples, .n_strays = 1, .strays_milli = levels[l]};
                struct hpa_proposal p = hpa_propose(&spec, &spec.metrics[0], &o, &m);
                if (!target && levels[l] >= INT32_MAX)
                    assert_true(p.replicas >= 3);
            }
        }
    }
}

static void test_milli(void **state)
{
    (void)state;
    const struct {
        double value;
        int64_t milli;
    } cases[] = {
        {0, 0},
        {1.1, 1100},
        {0.3, 300},
        {0.1 + 0.2, 300},
        {0.0001, 1},
        {0.29, 290},
        {1e-9, 1},
        {2.0005, 2001},
        {-0.0004, 0},
        {-1.5, -1500},
        {1e12, 1000000000000000},
        {1e300, INT64_MAX},
        {-1e300, INT64_MIN},
        {(double)NAN, 0},
        {(double)INFINITY, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (core_milli(cases[i].value) != cases[i].milli)
            fail_msg("%g: %lld", cases[i].value, (long long)core_milli(cases[i].value));
}

/* What it would be with fewer pods is what it is where there are fewer, with the same demand: those that do not serve
 * are gone first, and who is not counted but serves leaves its share to the others. What is shown stays what is seen.
 */
static void test_fewer(void **state)
{
    (void)state;
    static const struct {
        struct scenario many, few;
    } cases[] = {
        {{"a share more for each", "RRRR", L(600, 600, 600, 600), CPU, .target = 70, .current = 4},
         {"", "RRR", L(800, 800, 800), CPU, .target = 70, .current = 3}},
        {{"inside the tolerance of fewer", "RRRRR", L(500, 500, 500, 500, 500), CPU, .target = 60, .current = 5},
         {"", "RRRR", L(625, 625, 625, 625), CPU, .target = 60, .current = 4}},
        {{"below it", "RRRR", L(300, 300, 300, 300), CPU, .target = 70, .current = 4},
         {"", "RRR", L(400, 400, 400), CPU, .target = 70, .current = 3}},
        {{"pending go first", "RRRp", L(900, 900, 900, NONE), CPU, .target = 70, .current = 4},
         {"", "RRR", L(900, 900, 900), CPU, .target = 70, .current = 3}},
        {{"one stays, and starts", "RRRpp", L(900, 900, 900, NONE, NONE), CPU, .target = 70, .current = 5},
         {"", "RRRp", L(900, 900, 900, NONE), CPU, .target = 70, .current = 4}},
        {{"serves, and its sample does not count", "RRRh", L(600, 600, 600, 600), CPU, .target = 70, .current = 4},
         {"", "RRR", L(800, 800, 800), CPU, .target = 70, .current = 3}},
        {{"serves without a sample", "RRRR", L(600, 600, 600, NONE), CPU, .target = 70, .current = 4},
         {"", "RRR", L(800, 800, 800), CPU, .target = 70, .current = 3}},
        {{"a value per pod", "RRRR", L(600, 600, 600, 600), PODS, .target = 700, .current = 4},
         {"", "RRR", L(800, 800, 800), PODS, .target = 700, .current = 3}},
        {{"a sum", "", L(2400), AVG, .target = 700, .current = 4}, {"", "", L(2400), AVG, .target = 700, .current = 3}},
        {{"a sum, and pods that are not there yet", "", L(2400), AVG, .target = 700, .current = 5, .status = 2},
         {"", "", L(2400), AVG, .target = 700, .current = 3, .status = 2}},
        {{"a value that raises", "RRRR", L(1200), VALUE, .target = 1000, .current = 4},
         {"", "RRRR", L(1200), VALUE, .target = 1000, .current = 4}},
        {{"a value far below", "RRRR", L(500), VALUE, .target = 1000, .current = 4},
         {"", "RRRR", L(500), VALUE, .target = 1000, .current = 4}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct scenario *few = &cases[i].few;
        int32_t count = few->kind == CORE_METRIC_TOTAL && few->target_type == CORE_TARGET_VALUE ? 3 : few->current;
        struct hpa_proposal seen = propose(&cases[i].many), want = propose(few);
        struct hpa_proposal got = propose_for(&cases[i].many, count);
        if (got.replicas != want.replicas || got.bare != want.bare || got.problem != want.problem ||
            got.within_tolerance != want.within_tolerance)
            fail_msg("%s: %d (%d), want %d (%d)", cases[i].many.what, got.replicas, got.bare, want.replicas, want.bare);
        if (got.percent != seen.percent || got.milli != seen.milli || got.ready != seen.ready ||
            got.unready != seen.unready || got.missing != seen.missing)
            fail_msg("%s: shown as %d %%", cases[i].many.what, got.percent);
    }
    /* A value would be higher with fewer pods, so that it may not lower yet. */
    const struct scenario value = {"", "RRRR", L(850), VALUE, .target = 1000, .current = 4};
    assert_int_equal(propose_for(&value, 3).replicas, 3);

    /* More serve than are counted, with a usage that nothing holds: still the highest there is. */
    const struct scenario huge = {"", "RRRR", L(INT64_MAX / 2, NONE, NONE, NONE), PODS, .target = 700, .current = 4};
    assert_int_equal(propose_for(&huge, 1).replicas, INT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios), cmocka_unit_test(test_windows), cmocka_unit_test(test_stale),
        cmocka_unit_test(test_strays),    cmocka_unit_test(test_combine), cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_milli),     cmocka_unit_test(test_fewer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
