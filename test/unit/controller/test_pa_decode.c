/* Specs as the API and people write them: what is accepted, what is refused and in which words, defaults,
 * updates, and that no JSON whatever does harm. That the API server says the same is
 * test/integration/test_api_agreement.py. */
#include "api/pa.h"
#include "base/rng.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TARGET "\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"web\"}"
#define HEAD   TARGET ",\"maxReplicas\":10"

static json_t *parse(const char *text)
{
    struct error err = ERROR_INIT;
    json_t *value = json_parse(text, strlen(text), &err);
    if (!value)
        fail_msg("%s: %s", text, error_text(&err));
    return value;
}

/* `members` in single quotes for double ones, behind a target and a maxReplicas unless they begin with "!".
 */
static void spec_text(const char *members, char *out, size_t cap)
{
    bool bare = members[0] == '!';
    (void)snprintf(out, cap, "{%s%s%s}", bare ? "" : HEAD, bare || !members[0] ? "" : ",", members + bare);
    for (char *p = out; *p; p++)
        if (*p == '\'')
            *p = '"';
}

static int decode(const char *members, struct pa_spec *spec, struct api_problems *problems)
{
    char text[4096];
    spec_text(members, text, sizeof text);
    _json_cleanup_ json_t *value = parse(text);
    *problems = (struct api_problems){0};
    return pa_spec_decode(value, API_STRICT, spec, problems);
}

#define RESOURCE(metric, resource) "{'name':'" metric "','type':'Resource','resource':{'name':'" resource "','target':{"
#define CPU(name)                  RESOURCE(name, "cpu") "'type':'Utilization','averageUtilization':70}}"
#define MEMORY(name)               RESOURCE(name, "memory") "'type':'AverageValue','averageValue':'1Gi'}}"
#define VALUE(name)                RESOURCE(name, "cpu") "'type':'AverageValue','averageValue':'500m'}}"
#define TARGETED(members)          "'metrics':[" RESOURCE("a", "cpu") members "}}}]"
#define UP(members)                "'behavior':{'scaleUp':{" members "}}"

static void accepts(void **state UNUSED)
{
    static const char *const cases[] = {
        "",
        "'minReplicas':10",
        "'minReplicas':null,'mode':null,'metrics':null,'behavior':null,'prediction':null",
        "'mode':'Off','syncPeriodSeconds':3,'conflictPolicy':'Refuse'",
        "'metrics':[" CPU("a") "}]",
        "'metrics':[" CPU("a") "}," MEMORY("b") "}]",
        "'metrics':[" CPU("a") ",'forecast':false}," MEMORY("b") ",'forecast':false}]",
        "'metrics':[" VALUE("a") ",'capacityPerPod':'500m'}]",
        "'metrics':[" VALUE("a") ",'capacityPerPod':1}]",
        "'behavior':{}",
        UP("'stabilizationWindowSeconds':3600,'tolerance':'0','selectPolicy':'Disabled'"),
        UP("'tolerance':1"),
        UP("'policies':[{'type':'Pods','value':1,'periodSeconds':1800}]"),
        "'prediction':{}",
        "'prediction':{'historySeconds':3600,'horizonSeconds':3600}",
        "'prediction':{'historySeconds':1209600}",
        "'prediction':{'sampleIntervalSeconds':15,'historySeconds':60480,'horizonSeconds':4320}",
        "'prediction':{'leadTimeSeconds':3600,'minHistorySeconds':604800}",
        "'prediction':{'horizonSeconds':300,'leadTimeSeconds':300}",
        "'prediction':{'confidencePercent':80,'qualityGate':{'minCoveragePercent':80}}",
        "'prediction':{'seasonality':{'mode':'Fixed','periodsSeconds':[600,86400,302400]}}",
        ("'syncPeriodSeconds':5,'prediction':{'sampleIntervalSeconds':10,'historySeconds':20160,"
         "'horizonSeconds':720,'seasonality':{'mode':'Fixed','periodsSeconds':[2880]}}"),
        /* a number that no rule reads may have a fraction of nothing */
        UP("'stabilizationWindowSeconds':60.0"),
        "'prediction':{'qualityGate':{'maxErrorPercent':2e1}}",
        "!'scaleTargetRef':{'apiVersion':'v1','kind':'ReplicationController','name':'web'},'maxReplicas':1",
        "!'scaleTargetRef':{'apiVersion':'a.io/v1','kind':'Rollout','name':'a.b'},'maxReplicas':100000",
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pa_spec spec;
        struct api_problems problems;
        if (decode(cases[i], &spec, &problems) != 0)
            fail_msg("%s: %s: %s", cases[i], problems.items[0].path, problems.items[0].message);
        assert_int_equal(problems.total, 0);
    }
}

static void refuses(void **state UNUSED)
{
    static const struct {
        const char *members, *path, *message;
    } cases[] = {
        /* the rules, one by one */
        {"'minReplicas':11", "spec.maxReplicas", "must be >= minReplicas (11)"},
        {"'syncPeriodSeconds':301", "spec.prediction.sampleIntervalSeconds",
         "must be >= syncPeriodSeconds (301): a sample is the mean of what the syncs in it saw"},
        {"'metrics':[" CPU("a") "}," VALUE("b") "}]", "spec.metrics",
         "two metrics measure the same resource: keep the one with the target that counts"},
        {"'metrics':[" CPU("a") ",'capacityPerPod':'1'}," MEMORY("b") ",'capacityPerPod':'2Gi'}]",
         "spec.metrics[1].capacityPerPod", "is for metrics that are forecast, and memory is not"},
        {"'metrics':[" MEMORY("b") ",'forecast':true}]", "spec.metrics[0].forecast",
         "must be false for memory, which does not fall when pods are added"},
        {"'metrics':[" VALUE("a") ",'capacityPerPod':'499m'}]", "spec.metrics[0].capacityPerPod",
         "must be >= target.averageValue: a pod can serve at least what the target gives it"},
        {"'metrics':[{'name':'a','type':'Resource'}]", "spec.metrics[0].resource",
         "is required when type is Resource, and only then"},
        {TARGETED("'type':'Utilization'"), "spec.metrics[0].resource.target.averageUtilization",
         "is required when type is Utilization, and only then"},
        {TARGETED("'type':'AverageValue'"), "spec.metrics[0].resource.target.averageValue",
         "is required when type is AverageValue, and only then"},
        {TARGETED("'type':'Utilization','averageUtilization':1,'averageValue':1"),
         "spec.metrics[0].resource.target.averageValue", "is required when type is AverageValue, and only then"},
        {"'metrics':[{'name':'a','type':'ContainerResource','resource':{'name':'cpu','target':{'type':'Utilization',"
         "'averageUtilization':5}}}]",
         "spec.metrics[0].resource", "is required when type is Resource, and only then"},
        {"'metrics':[{'name':'a','type':'ContainerResource','containerResource':{'name':'cpu','container':'x',"
         "'target':{'type':'Utilization','averageUtilization':5}}},{'name':'b','type':'ContainerResource',"
         "'containerResource':{'name':'cpu','container':'x','target':{'type':'Utilization','averageUtilization':6}}}]",
         "spec.metrics",
         "two metrics measure the same resource of the same container: keep the one with the target that counts"},
        {"'metrics':[{'name':'a','type':'ContainerResource','containerResource':{'name':'memory','container':'x',"
         "'target':{'type':'Utilization','averageUtilization':5}},'forecast':true}]",
         "spec.metrics[0].forecast", "must be false for memory, which does not fall when pods are added"},
        {"'schedules':[{'name':'a','start':'0 1 * * *','end':'0 1 * * *','minReplicas':3}]", "spec.schedules[0].end",
         "must not be the same as start: the window would never be open"},
        {"'prediction':{'seasonality':{'mode':'Fixed'}}", "spec.prediction.seasonality.periodsSeconds",
         "is required when mode is Fixed, and only then"},
        {"'prediction':{'seasonality':{'periodsSeconds':[86400]}}", "spec.prediction.seasonality.periodsSeconds",
         "is required when mode is Fixed, and only then"},
        {"'prediction':{'sampleIntervalSeconds':3600,'historySeconds':43199}", "spec.prediction.historySeconds",
         "must be 43200 to 14515200: 12 to 4032 samples of sampleIntervalSeconds (3600)"},
        {"'syncPeriodSeconds':10,'prediction':{'sampleIntervalSeconds':10,'historySeconds':40321,"
         "'horizonSeconds':10}",
         "spec.prediction.historySeconds", "must be 120 to 40320: 12 to 4032 samples of sampleIntervalSeconds (10)"},
        {"'prediction':{'horizonSeconds':86401}", "spec.prediction.horizonSeconds",
         "must be 300 to 86400: 1 to 288 samples of sampleIntervalSeconds (300)"},
        {"'prediction':{'horizonSeconds':299}", "spec.prediction.horizonSeconds",
         "must be 300 to 86400: 1 to 288 samples of sampleIntervalSeconds (300)"},
        {"'prediction':{'historySeconds':3600}", "spec.prediction.horizonSeconds", "must be <= historySeconds (3600)"},
        {"'prediction':{'horizonSeconds':300,'leadTimeSeconds':301}", "spec.prediction.leadTimeSeconds",
         "must be <= horizonSeconds (300)"},
        {"'prediction':{'minHistorySeconds':604801}", "spec.prediction.minHistorySeconds",
         "must be <= historySeconds (604800)"},
        {"'prediction':{'confidencePercent':80}", "spec.prediction.qualityGate.minCoveragePercent",
         "must be <= confidencePercent (80): that is what a good forecast covers, so this one would never be "
         "trusted"},
        {"'prediction':{'seasonality':{'mode':'Fixed','periodsSeconds':[450]}}",
         "spec.prediction.seasonality.periodsSeconds",
         "must be multiples of sampleIntervalSeconds (300), from 600 to half of historySeconds (302400)"},
        {"'prediction':{'seasonality':{'mode':'Fixed','periodsSeconds':[300]}}",
         "spec.prediction.seasonality.periodsSeconds",
         "must be multiples of sampleIntervalSeconds (300), from 600 to half of historySeconds (302400)"},
        {"'prediction':{'seasonality':{'mode':'Fixed','periodsSeconds':[302700]}}",
         "spec.prediction.seasonality.periodsSeconds",
         "must be multiples of sampleIntervalSeconds (300), from 600 to half of historySeconds (302400)"},
        {"!'scaleTargetRef':{'apiVersion':'v1','kind':'Deployment','name':'web'},'maxReplicas':1",
         "spec.scaleTargetRef.apiVersion", "must name group and version: a Deployment or StatefulSet is apps/v1"},
        {"!'scaleTargetRef':{'apiVersion':'apps/v1','kind':'DaemonSet','name':'web'},'maxReplicas':1",
         "spec.scaleTargetRef.kind",
         "has no replicas to scale: name a kind with a scale subresource, such as Deployment or StatefulSet"},
        {"'advisor':{'mode':'Bounded'}", "spec.advisor.maxReplicaDelta", "is required in modes Bounded and Approval"},
        {"'advisor':{'mode':'Approval','timeoutSeconds':60}", "spec.advisor.maxReplicaDelta",
         "is required in modes Bounded and Approval"},
        {"'advisor':{'minIntervalSeconds':29}", "spec.advisor.minIntervalSeconds", "must be 30 to 86400, not 29"},
        {"'advisor':{'cacheTTLSeconds':301}", "spec.advisor.cacheTTLSeconds", "must be 0 to 300, not 301"},
        {UP("'tolerance':'1.01'"), "spec.behavior.scaleUp.tolerance", "must be 0 to 1"},
        {"'metrics':[" VALUE("a") ",'capacityPerPod':'2E'}]", "spec.metrics[0].capacityPerPod",
         "must be above 0 and at most 1E"},
        /* types, bounds, words */
        {"!", "spec.scaleTargetRef", "is required"},
        {"!" TARGET, "spec.maxReplicas", "is required"},
        {"!'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment'},'maxReplicas':1", "spec.scaleTargetRef.name",
         "is required"},
        {"'minReplicas':0", "spec.minReplicas", "must be 1 to 100000, not 0"},
        {"'minReplicas':4294967297", "spec.minReplicas", "must be 1 to 100000, not 4294967297"},
        {"'minReplicas':'2'", "spec.minReplicas", "want an integer, have a string"},
        {"'minReplicas':2.5", "spec.minReplicas", "want an integer, have a number with a fraction"},
        {"'minReplicas':2.0", "spec.minReplicas", "want an integer, without a fraction: 2"},
        {"'mode':'auto'", "spec.mode", "want one of Auto, ScaleUpOnly, Recommend, Off, have \"auto\""},
        {"'mode':false", "spec.mode",
         "want one of Auto, ScaleUpOnly, Recommend, Off; put \"Off\" in quotes, YAML takes the bare word for "
         "a boolean"},
        {"'prediction':[]", "spec.prediction", "want an object, have a list"},
        {"'metrics':{}", "spec.metrics", "want a list, have an object"},
        {"'metrics':[]", "spec.metrics", "must not be empty"},
        {"'metrics':[null]", "spec.metrics[0]", "want an object, have null"},
        {"'metrics':[" CPU("a") "}," MEMORY("a") "}]", "spec.metrics[1]", "has the same name as [0]"},
        {"'metrics':[" CPU("A") "}]", "spec.metrics[0].name",
         "want lower-case letters, digits and '-', such as cpu, have \"A\""},
        {"'metrics':[" CPU("") "}]", "spec.metrics[0].name", "must not be empty"},
        {"'metrics':[" CPU("a") ",'forecast':'true'}]", "spec.metrics[0].forecast",
         "want true or false, have a string"},
        {"'prediction':{'seasonality':{'mode':'Fixed','periodsSeconds':[600,600]}}",
         "spec.prediction.seasonality.periodsSeconds[1]", "is in the list twice"},
        {"'prediction':{'seasonality':{'mode':'Fixed','periodsSeconds':[1200,1800,2400,3000,3600]}}",
         "spec.prediction.seasonality.periodsSeconds", "has 5 items, at most 4"},
        {UP("'tolerance':0.5"), "spec.behavior.scaleUp.tolerance",
         "want a quantity: put a number with a fraction in quotes, as \"0.5\" or \"500m\""},
        {UP("'tolerance':'1O'"), "spec.behavior.scaleUp.tolerance",
         "want a quantity such as 500m, 1.5 or 512Mi, have \"1O\""},
        {UP("'tolerance':true"), "spec.behavior.scaleUp.tolerance",
         "want a quantity such as 500m, 1.5 or 512Mi, have a boolean"},
        {"'maxReplica':1", "spec.maxReplica", "unknown field, did you mean maxReplicas?"},
        {"'MinReplicas':1", "spec.MinReplicas", "unknown field, did you mean minReplicas?"},
        {"'prediction':{'horizon':1}", "spec.prediction.horizon", "unknown field"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pa_spec spec;
        struct api_problems problems;
        assert_int_equal(decode(cases[i].members, &spec, &problems), -1);
        bool found = false;
        for (unsigned k = 0; k < problems.n; k++)
            found = found || (streq(problems.items[k].path, cases[i].path) &&
                              streq(problems.items[k].message, cases[i].message));
        if (!found)
            fail_msg("%s: want %s: %s, have %s: %s", cases[i].members, cases[i].path, cases[i].message,
                     problems.items[0].path, problems.items[0].message);
    }
}

static void at_most_four_metrics_are_forecast(void **state UNUSED)
{
    struct pa_spec spec;
    struct api_problems problems;
    /* five of the same source break another rule too; both are said */
    assert_int_equal(
        decode("'metrics':[" CPU("a") "}," CPU("b") "}," CPU("c") "}," CPU("d") "}," CPU("e") "}]", &spec, &problems),
        -1);
    assert_int_equal(problems.total, 2);
    assert_string_equal(problems.items[0].message,
                        "at most 4 metrics can be forecast: set forecast to false on the others");
    assert_int_equal(
        decode("'metrics':[" CPU("a") "}," CPU("b") "}," CPU("c") "}," CPU("d") "}," CPU("e") ",'forecast':false}]",
               &spec, &problems),
        -1);
    assert_int_equal(problems.total, 1);
}

static void everything_has_a_default(void **state UNUSED)
{
    struct pa_spec s;
    struct api_problems problems;
    assert_int_equal(decode("", &s, &problems), 0);
    assert_string_equal(s.scale_target_ref.api_version, "apps/v1");
    assert_int_equal(s.min_replicas, 1);
    assert_int_equal(s.mode, PA_AUTO);
    assert_int_equal(s.sync_period_s, 15);
    assert_int_equal(s.n_metrics, 1);
    assert_string_equal(s.metrics[0].name, "cpu");
    assert_int_equal(s.metrics[0].resource.name, PA_CPU);
    assert_int_equal(s.metrics[0].resource.target.average_utilization, 70);
    assert_true(pa_metric_forecast(&s.metrics[0]) && !s.metrics[0].has_forecast);
    assert_false(s.has_behavior);
    assert_int_equal(s.prediction.history_s, 604800);
    assert_int_equal(s.prediction.sample_interval_s, 300);
    assert_int_equal(s.prediction.horizon_s, 21600);
    assert_false(s.prediction.has_lead_time_s);
    assert_int_equal(s.prediction.seasonality.mode, PA_SEASON_AUTO);
    assert_int_equal(s.prediction.confidence_percent, 90);
    assert_int_equal(s.prediction.min_history_s, 0);
    assert_int_equal(s.prediction.quality_gate.max_error_percent, 30);
    assert_int_equal(s.prediction.quality_gate.min_coverage_percent, 85);
    assert_int_equal(s.conflict_policy, PA_REFUSE);
}

static void an_empty_behavior_is_the_hpas(void **state UNUSED)
{
    struct pa_spec s;
    struct api_problems problems;
    assert_int_equal(decode("'behavior':{'scaleDown':{'tolerance':'0.05'}}", &s, &problems), 0);
    assert_true(s.has_behavior);
    const struct pa_rules *up = &s.behavior.up, *down = &s.behavior.down;
    assert_int_equal(up->stabilization_window_s, 0);
    assert_int_equal(up->n_policies, 2);
    assert_int_equal(up->policies[0].type, PA_POLICY_PODS);
    assert_int_equal(up->policies[0].value, 4);
    assert_int_equal(up->policies[1].value, 100);
    assert_true(up->tolerance.nano == 100000000 && down->tolerance.nano == 50000000);
    assert_int_equal(down->stabilization_window_s, 300);
    assert_int_equal(down->n_policies, 1);
}

static void an_update_keeps_the_target(void **state UNUSED)
{
    struct pa_spec old, now;
    struct api_problems problems;
    assert_int_equal(decode("", &old, &problems), 0);
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"{" HEAD "}", true},
        {"{" TARGET ",\"maxReplicas\":99}", true},
        {"{\"scaleTargetRef\":{\"apiVersion\":\"apps/"
         "v1\",\"kind\":\"Deployment\",\"name\":\"api\"},\"maxReplicas\":10}",
         false},
        {"{\"scaleTargetRef\":{\"apiVersion\":\"apps/"
         "v2\",\"kind\":\"Deployment\",\"name\":\"web\"},\"maxReplicas\":10}",
         false},
        {"{\"scaleTargetRef\":{\"apiVersion\":\"apps/"
         "v1\",\"kind\":\"StatefulSet\",\"name\":\"web\"},\"maxReplicas\":10}",
         false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _json_cleanup_ json_t *value = parse(cases[i].text);
        problems = (struct api_problems){0};
        assert_int_equal(pa_spec_decode_update(value, &old, API_STRICT, &now, &problems), cases[i].ok ? 0 : -1);
        if (!cases[i].ok) {
            assert_int_equal(problems.total, 1);
            assert_string_equal(problems.items[0].path, "spec.scaleTargetRef");
        }
    }
}

static void objects_of_a_newer_definition_are_read(void **state UNUSED)
{
    struct pa pa;
    struct api_problems problems = {0};
    _json_cleanup_ json_t *object =
        parse("{\"metadata\":{\"name\":\"x\",\"annotations\":{\"ai4k8s.io/paused\":\"true\"},"
              "\"labels\":{\"ai4k8s.io/source\":\"annotation\"}},\"spec\":{" HEAD ",\"later\":{\"a\":1}}}");
    assert_int_equal(pa_decode(object, &pa, &problems), 0);
    assert_true(pa.paused && pa.annotated && !pa.paused_unclear);
    assert_int_equal(pa.spec.max_replicas, 10);
}

static void paused_is_read_as_people_write_it(void **state UNUSED)
{
    static const struct {
        const char *value;
        bool paused, unclear;
    } cases[] = {{"true", true, false}, {"True", true, false}, {"1", true, false},   {"false", false, false},
                 {"yes", false, true},  {"", false, true},     {"tRUE", false, true}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[512];
        struct pa pa;
        struct api_problems problems = {0};
        (void)snprintf(text, sizeof text,
                       "{\"metadata\":{\"annotations\":{\"ai4k8s.io/paused\":\"%s\"}},\"spec\":{" HEAD "}}",
                       cases[i].value);
        _json_cleanup_ json_t *object = parse(text);
        assert_int_equal(pa_decode(object, &pa, &problems), 0);
        assert_int_equal(pa.paused, cases[i].paused);
        assert_int_equal(pa.paused_unclear, cases[i].unclear);
    }
}

static void problems_are_counted_and_bounded(void **state UNUSED)
{
    struct pa_spec spec;
    struct api_problems problems;
    assert_int_equal(decode("'a':1,'b':1,'c':1,'d':1,'e':1,'f':1,'g':1,'h':1,'i':1,'j':1", &spec, &problems), -1);
    assert_int_equal(problems.n, API_MAX_PROBLEMS);
    assert_int_equal(problems.total, 10);
    struct buf text = BUF_INIT(8192);
    api_problems_format(&problems, NULL, &text);
    assert_non_null(strstr(buf_str(&text), "spec.a: unknown field\nspec.b: unknown field\n"));
    assert_non_null(strstr(buf_str(&text), "... and 2 more\n"));
    buf_done(&text);
    struct error err = ERROR_INIT;
    assert_true(api_problems_error(&problems, "x.yaml", &err) < 0);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_int_equal(strncmp(err.message, "x.yaml: spec.a: unknown field; spec.b", 37), 0);
}

static void foreign_text_is_made_harmless(void **state UNUSED)
{
    struct pa_spec spec;
    struct api_problems problems;
    assert_int_equal(decode("'\\u001b[31m\\n':1,'mode':'\\u202e\\u0007'", &spec, &problems), -1);
    for (unsigned i = 0; i < problems.n; i++)
        for (const char *p = problems.items[i].path; *p; p++)
            assert_true((unsigned char)*p >= 0x20);
    assert_null(strchr(problems.items[1].message, '\a'));
}

/* ---- whatever comes ---- */

static json_t *random_value(struct rng *rng, int depth)
{
    static const char *const words[] = {"cpu", "Auto", "Fixed",    "500m", "apps/v1", "Deployment",
                                        "web", "",     "\xc3\xa9", "-1",   "Resource"};
    switch (rng_below(rng, depth > 0 ? 9 : 6)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(rng_below(rng, 2));
    case 2:
        return json_integer((json_int_t)rng_next(rng) >> rng_below(rng, 64));
    case 3:
        return json_real((rng_unit(rng) - 0.5) * 1e300);
    case 4:
    case 5:
        return json_string(words[rng_below(rng, ARRAY_SIZE(words))]);
    case 6: {
        json_t *list = json_array();
        for (uint64_t n = rng_below(rng, 12); n > 0; n--)
            (void)json_array_append_new(list, random_value(rng, depth - 1));
        return list;
    }
    default:
        return NULL;
    }
}

/* Objects with the table's own names, so that chance gets deep. */
static json_t *random_object(struct rng *rng, const struct schema_object *o, int depth)
{
    json_t *object = json_object();
    for (size_t i = 0; i < o->n_fields; i++) {
        const struct schema_field *f = &o->fields[i];
        uint64_t how = rng_below(rng, 10);
        if (how < 5)
            continue;
        json_t *value = NULL;
        if (how < 9 && f->type == SCHEMA_OBJECT) {
            value = random_object(rng, f->object, depth);
        } else if (how < 9 && f->type == SCHEMA_LIST && f->item->type == SCHEMA_OBJECT) {
            value = json_array();
            for (uint64_t n = rng_below(rng, 12); n > 0; n--)
                (void)json_array_append_new(value, random_object(rng, f->item->object, depth));
        } else if (how < 9 && f->type == SCHEMA_ENUM) {
            value = json_string(f->values[rng_below(rng, 2) % (f->values[1] ? 2 : 1)]);
        } else if (how < 7 && f->type == SCHEMA_INT32) {
            value = json_integer(f->min + (json_int_t)rng_below(rng, (uint64_t)(f->max - f->min) + 2));
        } else {
            value = random_value(rng, depth);
        }
        if (value)
            (void)json_object_set_new(object, f->name, value);
    }
    return object;
}

static void no_json_does_harm(void **state UNUSED)
{
    struct rng rng;
    rng_seed(&rng, 4711);
    unsigned accepted = 0;
    for (int i = 0; i < 8000; i++) {
        _json_cleanup_ json_t *value = i % 16 ? random_object(&rng, pa_resource.spec, 2) : random_value(&rng, 3);
        if (i % 3 == 0 && json_is_object(value)) {
            _json_cleanup_ json_t *head = parse("{" HEAD "}");
            (void)json_object_update(value, head);
        }
        struct pa_spec *spec = malloc(sizeof *spec); /* of its own, so that a byte too far is seen */
        struct api_problems problems = {0};
        int result = pa_spec_decode(value, API_STRICT, spec, &problems);
        assert_int_equal(result == 0, problems.total == 0);
        accepted += result == 0;
        assert_true(problems.n <= API_MAX_PROBLEMS);
        if (result == 0)
            assert_true(spec->min_replicas >= 1 && spec->min_replicas <= spec->max_replicas && spec->n_metrics >= 1);
        free(spec);
    }
    assert_true(accepted > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(at_most_four_metrics_are_forecast),
        cmocka_unit_test(everything_has_a_default),
        cmocka_unit_test(an_empty_behavior_is_the_hpas),
        cmocka_unit_test(an_update_keeps_the_target),
        cmocka_unit_test(objects_of_a_newer_definition_are_read),
        cmocka_unit_test(paused_is_read_as_people_write_it),
        cmocka_unit_test(problems_are_counted_and_bounded),
        cmocka_unit_test(foreign_text_is_made_harmless),
        cmocka_unit_test(no_json_does_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
