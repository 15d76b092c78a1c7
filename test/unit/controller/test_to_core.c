/* From the API's words to the core's numbers. */
#include "api/to_core.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                                           \
    "\"scaleTargetRef\":{\"apiVersion\":\"apps/"                                                                       \
    "v1\",\"kind\":\"Deployment\",\"name\":\"web\"},\"maxReplicas\":9"

static struct error ignored;
static struct tz_cache *zones;

static struct core_spec core_of(const char *members, bool paused)
{
    char text[4096];
    struct error err = ERROR_INIT;
    struct api_problems problems = {0};
    struct operator_config config;
    struct pa pa = {.paused = paused};
    struct core_spec core;
    (void)snprintf(text, sizeof text, "{" HEAD "%s%s}", members[0] ? "," : "", members);
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    _json_cleanup_ json_t *value = json_parse(text, strlen(text), &err);
    assert_non_null(value);
    if (pa_spec_decode(value, API_STRICT, &pa.spec, &problems) < 0)
        fail_msg("%s: %s", problems.items[0].path, problems.items[0].message);
    assert_int_equal(operator_config_load(NULL, &config, &err), 0);
    config.cpu_initialization_s = 77;
    pa_to_core(&pa, &config, zones, &core, &ignored);
    assert_null(core_spec_broken(&core));
    return core;
}

static void rules_equal(const struct core_rules *a, const struct core_rules *b)
{
    assert_int_equal(a->stabilization_s, b->stabilization_s);
    assert_true(a->tolerance >= b->tolerance && a->tolerance <= b->tolerance);
    assert_int_equal(a->select, b->select);
    assert_int_equal(a->n_policies, b->n_policies);
    for (uint32_t i = 0; i < a->n_policies; i++) {
        assert_int_equal(a->policies[i].type, b->policies[i].type);
        assert_int_equal(a->policies[i].value, b->policies[i].value);
        assert_int_equal(a->policies[i].period_s, b->policies[i].period_s);
    }
}

static void the_advisor(void **state UNUSED)
{
    struct core_spec off = core_of("", false);
    assert_int_equal(off.advice.mode, ADVICE_OFF);
    struct core_spec observe = core_of("'advisor':{'mode':'Observe'}", false);
    assert_int_equal(observe.advice.mode, ADVICE_OBSERVE);
    assert_int_equal(observe.advice.timeout_s, 240);
    assert_int_equal(observe.advice.min_interval_s, 30);
    assert_int_equal(observe.advice.cache_ttl_s, 300);
    assert_int_equal(observe.advice.daily_call_budget, 0);
    struct core_spec bounded = core_of("'advisor':{'mode':'Bounded','maxReplicaDelta':3,'timeoutSeconds':5,"
                                       "'minIntervalSeconds':31,'cacheTTLSeconds':0,'dailyCallBudget':7}",
                                       false);
    assert_int_equal(bounded.advice.mode, ADVICE_BOUNDED);
    assert_int_equal(bounded.advice.max_replica_delta, 3);
    assert_int_equal(bounded.advice.timeout_s, 5);
    assert_int_equal(bounded.advice.min_interval_s, 31);
    assert_int_equal(bounded.advice.cache_ttl_s, 0);
    assert_int_equal(bounded.advice.daily_call_budget, 7);
    struct core_spec approval = core_of("'advisor':{'mode':'Approval','maxReplicaDelta':1}", false);
    assert_int_equal(approval.advice.mode, ADVICE_APPROVAL);
}

/* The least that can be said is the core's own default. */
static void defaults_are_the_cores(void **state UNUSED)
{
    struct core_spec have = core_of("", false), want = core_spec_default();
    assert_int_equal(have.min_replicas, 1);
    assert_int_equal(have.max_replicas, 9);
    assert_int_equal(have.mode, want.mode);
    assert_int_equal(have.sync_period_s, want.sync_period_s);
    assert_int_equal(have.lead_time_s, 0);
    assert_false(have.behavior);
    assert_int_equal(have.n_metrics, 1);
    assert_string_equal(have.metrics[0].name, want.metrics[0].name);
    assert_int_equal(have.metrics[0].kind, CORE_METRIC_CPU);
    assert_int_equal(have.metrics[0].target_percent, 70);
    assert_true(have.metrics[0].forecast);
    rules_equal(&have.up, &want.up);
    rules_equal(&have.down, &want.down);
    const struct demand_config *p = &have.prediction, *q = &want.prediction;
    assert_int_equal(p->interval_s, q->interval_s);
    assert_int_equal(p->slots, q->slots);
    assert_int_equal(p->horizon, q->horizon);
    assert_int_equal(p->seasonality, q->seasonality);
    assert_int_equal(p->confidence_percent, q->confidence_percent);
    assert_int_equal(p->max_error_percent, q->max_error_percent);
    assert_int_equal(p->min_coverage_percent, q->min_coverage_percent);
    assert_int_equal(have.cpu_initialization_s, 77);
    assert_int_equal(have.initial_readiness_s, want.initial_readiness_s);
}

/* An empty behavior has the HPA's defaults; only that it is there is said. */
static void an_empty_behavior_has_the_same_rules(void **state UNUSED)
{
    struct core_spec have = core_of("'behavior':{}", false), want = core_spec_default();
    assert_true(have.behavior);
    rules_equal(&have.up, &want.up);
    rules_equal(&have.down, &want.down);
}

static void everything_is_carried_over(void **state UNUSED)
{
    struct core_spec s =
        core_of("'minReplicas':3,'mode':'ScaleUpOnly','syncPeriodSeconds':5,'metrics':["
                "{'name':'a','type':'Resource','resource':{'name':'cpu','target':{'type':'AverageValue','"
                "averageValue':'1u'}},"
                "'capacityPerPod':'1.5'},"
                "{'name':'b','type':'Resource','resource':{'name':'memory','target':{'type':'AverageValue','"
                "averageValue':'1Gi'}}}],"
                "'behavior':{'scaleUp':{'stabilizationWindowSeconds':60,'tolerance':'0.05','selectPolicy':'"
                "Min','policies':"
                "[{'type':'Pods','value':3,'periodSeconds':90}]},'scaleDown':{'selectPolicy':'Disabled'}},"
                "'prediction':{'sampleIntervalSeconds':10,'historySeconds':20165,'horizonSeconds':729,'"
                "leadTimeSeconds':40,"
                "'seasonality':{'mode':'Fixed','periodsSeconds':[2880,60]},'confidencePercent':95,'"
                "minHistorySeconds':7200,"
                "'qualityGate':{'maxErrorPercent':20,'minCoveragePercent':90}}",
                true);
    assert_int_equal(s.min_replicas, 3);
    assert_int_equal(s.mode, CORE_SCALE_UP_ONLY);
    assert_true(s.paused);
    assert_int_equal(s.sync_period_s, 5);
    assert_int_equal(s.lead_time_s, 40);
    assert_int_equal(s.n_metrics, 2);
    assert_int_equal(s.metrics[0].target_type, CORE_TARGET_AVERAGE_VALUE);
    assert_int_equal(s.metrics[0].target_milli, 1); /* rounded up, as the HPA does: never 0 */
    assert_true(s.metrics[0].capacity_per_pod >= 1.5 && s.metrics[0].capacity_per_pod <= 1.5);
    assert_int_equal(s.metrics[1].kind, CORE_METRIC_POD);
    assert_true(s.metrics[1].target_milli == INT64_C(1073741824000));
    assert_false(s.metrics[1].forecast);
    assert_true(s.behavior);
    assert_int_equal(s.up.stabilization_s, 60);
    assert_true(s.up.tolerance >= 0.05 && s.up.tolerance <= 0.05);
    assert_int_equal(s.up.select, CORE_SELECT_MIN);
    assert_int_equal(s.up.n_policies, 1);
    assert_int_equal(s.up.policies[0].type, CORE_POLICY_PODS);
    assert_int_equal(s.up.policies[0].period_s, 90);
    assert_int_equal(s.down.select, CORE_SELECT_DISABLED);
    assert_int_equal(s.prediction.slots, 2016);
    assert_int_equal(s.prediction.horizon, 72);
    assert_int_equal(s.prediction.seasonality, DEMAND_SEASON_FIXED);
    assert_int_equal(s.prediction.n_periods, 2);
    assert_int_equal(s.prediction.periods_s[0], 2880);
    assert_int_equal(s.prediction.confidence_percent, 95);
    assert_int_equal(s.prediction.min_history_s, 7200);
    assert_int_equal(s.prediction.max_error_percent, 20);
    assert_int_equal(s.prediction.min_coverage_percent, 90);
}

static void modes_are_the_cores(void **state UNUSED)
{
    static const struct {
        const char *members;
        enum core_mode mode;
    } cases[] = {{"'mode':'Auto'", CORE_AUTO},
                 {"'mode':'ScaleUpOnly'", CORE_SCALE_UP_ONLY},
                 {"'mode':'Recommend'", CORE_RECOMMEND},
                 {"'mode':'Off'", CORE_OFF}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(core_of(cases[i].members, false).mode, cases[i].mode);
    static const enum demand_seasonality want[] = {DEMAND_SEASON_AUTO, DEMAND_SEASON_NONE};
    assert_int_equal(core_of("'prediction':{'seasonality':{}}", false).prediction.seasonality, want[0]);
    assert_int_equal(core_of("'prediction':{'seasonality':{'mode':'None'}}", false).prediction.seasonality, want[1]);
    assert_int_equal(
        core_of("'behavior':{'scaleUp':{'policies':[{'type':'Percent','value':1,'periodSeconds':1}]}}", false)
            .up.policies[0]
            .type,
        CORE_POLICY_PERCENT);
}

static void anomaly_modes_are_the_cores(void **state UNUSED)
{
    static const struct {
        const char *members;
        enum anomaly_mode mode;
        enum anomaly_sensitivity sensitivity;
    } cases[] = {
        {"'mode':'Auto'", ANOMALY_EXCLUDE_SAMPLES, ANOMALY_SENSITIVITY_MEDIUM},
        {"'anomaly':{'mode':'Off'}", ANOMALY_OFF, ANOMALY_SENSITIVITY_MEDIUM},
        {"'anomaly':{'mode':'ExcludeSamples','sensitivity':'Low'}", ANOMALY_EXCLUDE_SAMPLES, ANOMALY_SENSITIVITY_LOW},
        {"'anomaly':{'mode':'HoldScaleDown','sensitivity':'Medium'}", ANOMALY_HOLD_SCALE_DOWN,
         ANOMALY_SENSITIVITY_MEDIUM},
        {"'anomaly':{'mode':'ReactiveOnly','sensitivity':'High'}", ANOMALY_REACTIVE_ONLY, ANOMALY_SENSITIVITY_HIGH}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct core_anomaly_spec a = core_of(cases[i].members, false).anomaly;
        assert_int_equal(a.mode, cases[i].mode);
        assert_int_equal(a.sensitivity, cases[i].sensitivity);
    }
}

static void schedules_and_fallbacks(void **state UNUSED)
{
    struct core_spec s = core_of(
        "'metrics':[{'name':'app','type':'ContainerResource','containerResource':{'name':'cpu','container':'main',"
        "'target':{'type':'Utilization','averageUtilization':60}},'fallback':{'replicas':4}},"
        "{'name':'mem','type':'ContainerResource','containerResource':{'name':'memory','container':'main',"
        "'target':{'type':'AverageValue','averageValue':'1Gi'}},"
        "'fallback':{'failureDurationSeconds':60,'replicas':7,'behavior':'AtLeast'}}],"
        "'prediction':{'trustedScaleDownStabilizationSeconds':0},"
        "'schedules':[{'name':'wrong','start':'0 8 * * 9','end':'0 18 * * *','minReplicas':2},"
        "{'name':'day','timeZone':'Europe/Berlin','start':'0 8 * * mon-fri','end':'0 18 * * *','minReplicas':5},"
        "{'name':'nowhere','timeZone':'Europe/Atlantis','start':'0 8 * * *','end':'0 18 * * *','minReplicas':2},"
        "{'name':'utc','start':'30 1 * * *','end':'0 2 * * *','minReplicas':6}]",
        false);
    assert_int_equal(s.metrics[0].source, CORE_SOURCE_CONTAINER_RESOURCE);
    assert_int_equal(s.metrics[0].kind, CORE_METRIC_CPU);
    assert_true(s.metrics[0].forecast);
    assert_int_equal(s.metrics[0].target_percent, 60);
    assert_int_equal(s.metrics[0].fallback.after_s, 180);
    assert_int_equal(s.metrics[0].fallback.behavior, CORE_FALLBACK_CURRENT_IF_HIGHER);
    assert_int_equal(s.metrics[1].kind, CORE_METRIC_POD);
    assert_false(s.metrics[1].forecast);
    assert_int_equal(s.metrics[1].fallback.after_s, 60);
    assert_int_equal(s.metrics[1].fallback.replicas, 7);
    assert_int_equal(s.metrics[1].fallback.behavior, CORE_FALLBACK_AT_LEAST);
    assert_true(s.has_trusted_stabilization && s.trusted_stabilization_s == 0);
    /* Those that can't be understood are left out, and the first of them is named. */
    assert_int_equal(s.n_schedules, 2);
    assert_string_equal(s.schedules[0].name, "day");
    assert_ptr_equal(s.schedules[0].zone, tz_cache_get(zones, "Europe/Berlin", NULL));
    assert_int_equal(s.schedules[0].min_replicas, 5);
    assert_string_equal(s.schedules[1].name, "utc");
    assert_ptr_equal(s.schedules[1].zone, tz_utc());
    assert_string_equal(error_text(&ignored), "schedule wrong is ignored: start: the day of the week (9) is not in its "
                                              "range; it is 0 to 7");
    s = core_of("'schedules':[{'name':'nowhere','timeZone':'Europe/Atlantis','start':'0 8 * * *','end':'0 18 * * *',"
                "'minReplicas':2}]",
                false);
    assert_int_equal(s.n_schedules, 0);
    assert_string_equal(error_text(&ignored),
                        "schedule nowhere is ignored: timeZone: no time zone is called Europe/Atlantis");
    (void)core_of("", false);
    assert_int_equal(ignored.kind, ERROR_NONE);
}

static int load_zones(void **state UNUSED)
{
    zones = tz_cache_new(NULL);
    return 0;
}

static int drop_zones(void **state UNUSED)
{
    zones = tz_cache_free(zones);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_advisor),
        cmocka_unit_test(defaults_are_the_cores),
        cmocka_unit_test(an_empty_behavior_has_the_same_rules),
        cmocka_unit_test(everything_is_carried_over),
        cmocka_unit_test(modes_are_the_cores),
        cmocka_unit_test(schedules_and_fallbacks),
        cmocka_unit_test(anomaly_modes_are_the_cores),
    };
    return cmocka_run_group_tests(tests, load_zones, drop_zones);
}
