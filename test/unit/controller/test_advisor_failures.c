/* Every class of failure, from what a provider puts on the wire to what people see of it: the condition and its words,
 * the event, the alert, how often it was tried and who pays. All of the operator's parts are real; around them are the
 * API server of the tests, a scripted provider and a scripted Alertmanager. */
#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "reconcile/advisor_service.h"
#include "reconcile/reconciler.h"
#include "test/api/world.h"
#include "test/server/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S        USEC_PER_SEC
#define REPLICAS 9
#define WATCHES  6                          /* autoscalers, HPAs, Deployments, StatefulSets, checkpoints, pods */
#define ECHO     "sk-echo-0123456789abcdef" /* a provider's own words are nowhere */
#define STATUS   "/predictiveautoscalers/web/status"
#define V2       "/api/v2/alerts"

enum transport { ANSWERS, RESETS, STOPS_HALFWAY, TALKS_TOO_MUCH };

static const struct row {
    const char *reason; /* of the condition, and label of the alert */
    enum advisor_flavor flavor;
    enum transport transport;
    int status;
    const char *headers, *body;
    unsigned attempts; /* for one question */
    bool charged, raised;
    const char *says;
} rows[] = {
    {"Transient", ADVISOR_OPENAI, ANSWERS, 503, "x-request-id: " ECHO "\r\n",
     "<html><head><title>503 Service Temporarily Unavailable</title></head>" ECHO "</html>", 3, false, true,
     "does not answer"},
    {"Transient", ADVISOR_ANTHROPIC, ANSWERS, 529, "request-id: req_011CSHoEeqs5C35K2UUqR7Fy\r\n",
     "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded " ECHO "\"},\"request_id\":"
     "\"req_011CSHoEeqs5C35K2UUqR7Fy\"}",
     3, false, true, "does not answer"},
    {"Transient", ADVISOR_GROQ, ANSWERS, 498, NULL,
     "{\"error\":{\"message\":\"" ECHO "\",\"type\":\"internal_server_error\",\"code\":\"capacity_exceeded\"}}", 1,
     false, true, "does not answer"},
    {"Transient", ADVISOR_OPENAI, ANSWERS, 200, NULL,
     "{\"error\":{\"message\":\"The server had an error " ECHO
     "\",\"type\":\"server_error\",\"param\":null,\"code\":null}}",
     3, false, true, "does not answer"},
    {"Transient", ADVISOR_OPENAI, RESETS, 0, NULL, NULL, 3, false, true, "does not answer"},
    {"Transient", ADVISOR_OPENAI, STOPS_HALFWAY, 200, NULL, NULL, 3, false, true, "does not answer"},
    {"Throttled", ADVISOR_GROQ, ANSWERS, 429,
     "retry-after: 2\r\nx-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 2m59.56s\r\n",
     "{\"error\":{\"message\":\"Rate limit reached for model in organization " ECHO
     ". Please try again in 1.9s\",\"type\":"
     "\"requests\",\"code\":\"rate_limit_exceeded\"}}",
     2, false, true, "limits the rate of our calls"},
    {"Throttled", ADVISOR_ANTHROPIC, ANSWERS, 429, "retry-after: 600\r\n",
     "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"" ECHO "\"}}", 1, false, true,
     "limits the rate of our calls"},
    {"QuotaExhausted", ADVISOR_OPENAI, ANSWERS, 429, NULL,
     "{\"error\":{\"message\":\"You exceeded your current quota, " ECHO
     "\",\"type\":\"insufficient_quota\",\"param\":null,"
     "\"code\":\"insufficient_quota\"}}",
     1, false, true, "quota or credit is used up; an administrator has to raise it"},
    {"QuotaExhausted", ADVISOR_ANTHROPIC, ANSWERS, 400, NULL,
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"You have reached your specified "
     "workspace API usage limits. " ECHO "\"}}",
     1, false, true, "quota or credit is used up"},
    {"AuthenticationFailed", ADVISOR_OPENAI, ANSWERS, 401, "WWW-Authenticate: Bearer " ECHO "\r\n",
     "{\"error\":{\"message\":\"Incorrect API key provided: " ECHO
     "\",\"type\":\"invalid_request_error\",\"param\":null,"
     "\"code\":\"invalid_api_key\"}}",
     1, false, true, "refuses the API key; an administrator has to put a valid one into its Secret"},
    {"AuthenticationFailed", ADVISOR_ANTHROPIC, ANSWERS, 403, NULL,
     "{\"type\":\"error\",\"error\":{\"type\":\"permission_error\",\"message\":\"" ECHO "\"}}", 1, false, true,
     "refuses the API key"},
    {"Misconfigured", ADVISOR_GROQ, ANSWERS, 400, NULL,
     "{\"error\":{\"message\":\"The model `" ECHO
     "` has been decommissioned\",\"type\":\"invalid_request_error\",\"code\":"
     "\"model_decommissioned\"}}",
     1, false, true, "an administrator has to check its url and model"},
    {"Misconfigured", ADVISOR_OPENAI, ANSWERS, 404, NULL,
     "{\"error\":\"model '" ECHO "' not found, try pulling it first\"}", 1, false, true,
     "an administrator has to check its url and model"},
    {"Misconfigured", ADVISOR_OPENAI, ANSWERS, 308, "Location: https://" ECHO ".example/\r\n", "", 1, false, true,
     "an administrator has to check its url and model"},
    {"InvalidRequest", ADVISOR_OPENAI, ANSWERS, 400, NULL,
     "{\"error\":{\"message\":\"Unsupported parameter: " ECHO "\",\"type\":\"invalid_request_error\",\"param\":"
     "\"max_tokens\",\"code\":\"unsupported_parameter\"}}",
     1, true, false, "check this object's spec.metrics and spec.advisor; the call is charged"},
    {"InvalidAnswer", ADVISOR_OPENAI, ANSWERS, 200, NULL,
     "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Scale to 90! " ECHO "\"},"
     "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":300,\"completion_tokens\":9}}",
     2, false, true, "gave an answer that can't be used"},
    {"InvalidAnswer", ADVISOR_GROQ, ANSWERS, 400, NULL,
     "{\"error\":{\"message\":\"Failed to generate JSON\",\"type\":\"invalid_request_error\",\"code\":"
     "\"json_validate_failed\",\"failed_generation\":\"" ECHO "\"}}",
     2, false, true, "gave an answer that can't be used"},
    {"InvalidAnswer", ADVISOR_OPENAI, TALKS_TOO_MUCH, 200, NULL, NULL, 2, false, true,
     "gave an answer that can't be used"},
    {"Refused", ADVISOR_ANTHROPIC, ANSWERS, 200, NULL,
     "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"I can't. " ECHO
     "\"}],\"stop_reason\":\"refusal\",\"usage\":{\"input_tokens\":300,\"output_tokens\":9}}",
     1, false, true, "declined to answer"},
};

struct fixture {
    struct world *world;
    struct server *provider, *alertmanager;
    struct operator_config config;
    struct advisor_service *service;
    struct recorder *recorder;
    struct reconciler *reconciler;
};

/* ---- what is around ---- */

static struct script *script_of(const struct row *row)
{
    struct script *s = script_new();
    switch (row->transport) {
    case RESETS:
        script_reset(s);
        break;
    case STOPS_HALFWAY:
        script_head(s, 200, "Content-Type: application/json\r\nContent-Length: 4000\r\n");
        script_text(s, "{\"choices\":[{\"message\":{\"content\":\"");
        script_cut(s);
        break;
    case TALKS_TOO_MUCH: {
        script_head(s, 200, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
        char *much = xcalloc(1, 65537);
        memset(much, ' ', 65536);
        for (int i = 0; i < 8; i++)
            script_chunk(s, much);
        script_last_chunk(s);
        free(much);
        break;
    }
    case ANSWERS:
    default: {
        _cleanup_(freep) char *headers =
            xasprintf("Content-Type: application/json\r\n%s", row->headers ? row->headers : "");
        script_reply(s, row->status, headers, row->body);
        break;
    }
    }
    return s;
}

static void put_usage(struct fixture *f)
{
    char now[RFC3339_CAP], name[16];
    rfc3339_format(now, f->world->clock.real_us);
    for (int i = 0; i < REPLICAS; i++) {
        (void)snprintf(name, sizeof name, "web-%d", i);
        _cleanup_(freep) char *usage = xasprintf(
            "{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"timestamp\":\"%s\",\"window\":\"15s\",\"containers\":[{"
            "\"name\":\"c\",\"usage\":{\"cpu\":\"70m\",\"memory\":\"1Mi\"}}]}",
            now);
        (void)api_put(f->world->api, &api_pod_metrics, "shop", name, usage);
    }
}

/* Near the maximum, so that there is a reason to ask as long as that is so. */
static void put_workload(struct fixture *f, const char *mode)
{
    static const char pod[] =
        "{\"metadata\":{\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{\"app\":\"web\"}},\"spec\":{"
        "\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"100m\"}}}]},\"status\":{\"phase\":"
        "\"Running\",\"startTime\":\"2026-01-01T00:00:01Z\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
        "\"lastTransitionTime\":\"2026-01-01T00:00:09Z\"}]}}";
    char name[16];
    for (int i = 0; i < REPLICAS; i++) {
        (void)snprintf(name, sizeof name, "web-%d", i);
        (void)api_put(f->world->api, &api_pods, "shop", name, pod);
    }
    (void)api_put(f->world->api, &api_deployments, "shop", "web",
                  "{\"spec\":{\"replicas\":9,\"selector\":{\"matchLabels\":{\"app\":\"web\"}}},"
                  "\"status\":{\"replicas\":9}}");
    _cleanup_(freep) char *autoscaler = xasprintf(
        "{\"metadata\":{\"generation\":1},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":"
        "\"Deployment\",\"name\":\"web\"},\"minReplicas\":8,\"maxReplicas\":10,\"syncPeriodSeconds\":5,\"prediction\":{"
        "\"sampleIntervalSeconds\":10,\"historySeconds\":20160,\"horizonSeconds\":600},\"metrics\":[{\"name\":\"cpu\","
        "\"type\":\"Resource\",\"resource\":{\"name\":"
        "\"cpu\",\"target\":{\"type\":\"Utilization\",\"averageUtilization\":70}}}],\"advisor\":{\"mode\":\"%s\","
        "\"maxReplicaDelta\":1,\"minIntervalSeconds\":30}}}",
        mode);
    (void)api_put(f->world->api, &api_autoscalers, "shop", "web", autoscaler);
}

static void begin(struct fixture *f, enum advisor_flavor flavor, struct script *answer)
{
    struct world *w = f->world = world_new();
    struct error err = ERROR_INIT;
    f->provider = server_new(&(struct server_options){.plain = true});
    f->alertmanager = server_new(&(struct server_options){.plain = true});
    server_default(f->provider, "POST", flavor == ADVISOR_ANTHROPIC ? "/v1/messages" : "/v1/chat/completions", answer);
    server_default(f->alertmanager, "POST", V2, script_answer(200, NULL, ""));
    assert_int_equal(operator_config_load(NULL, &f->config, &err), 0);
    struct advisor_provider_config *p = &f->config.advisor.providers[0];
    *p = (struct advisor_provider_config){.flavor = flavor, .timeout_s = 60, .max_tokens = 600};
    (void)str_copy(p->name, sizeof p->name, "one");
    (void)snprintf(p->url, sizeof p->url, "%s/v1", server_url(f->provider));
    (void)str_copy(p->model, sizeof p->model, "model-1");
    (void)str_copy(p->max_tokens_parameter, sizeof p->max_tokens_parameter, "max_tokens");
    (void)str_copy(f->config.alertmanagers[0].url, sizeof f->config.alertmanagers[0].url, server_url(f->alertmanager));
    f->config.advisor.n_providers = f->config.n_alertmanagers = 1;
    f->service = advisor_service_new(w->client, &f->config, w->log, w->metrics, &w->rng, &err);
    if (!f->service)
        fail_msg("%s", error_text(&err));
    f->recorder = recorder_new(w->client, "ai4k8s.io/operator", "test", w->log, &w->rng);
    const struct reconciler_config config = {
        .config = &f->config, .recorder = f->recorder, .advisor = advisor_service_advisor(f->service)};
    f->reconciler = reconciler_new(w->client, &config, w->log, w->metrics, &w->rng);
    put_workload(f, "Bounded");
    reconciler_start(f->reconciler);
    advisor_service_start(f->service);
    reconciler_lead(f->reconciler);
}

static void end(struct fixture *f)
{
    reconciler_free(f->reconciler);
    recorder_free(f->recorder);
    advisor_service_free(f->service);
    server_free(f->provider);
    server_free(f->alertmanager);
    world_free(f->world);
}

/* Steps of two seconds, each until the API server has answered and nothing has happened for a moment of real time: the
 * world would give every watch that is open its time at every timer. */
static void pass(struct fixture *f, int seconds)
{
    for (int i = 0; i < seconds; i += 2) {
        if (i % 10 == 0)
            put_usage(f);
        clock_fake_advance(&f->world->clock, 2 * S);
        for (int quiet = 0, turns = 0; quiet < 2 && turns < 2000; turns++)
            if (loop_turn(f->world->loop, USEC_PER_MSEC) || http_active(f->world->http) > WATCHES)
                quiet = 0;
            else
                quiet++;
    }
}

/* ---- what people see ---- */

/* What was told last of the object; NULL: nothing so far. json_decref() */
static json_t *status_told(struct fixture *f)
{
    for (unsigned i = api_count(f->world->api, API_PATCH); i-- > 0;) {
        _cleanup_(freep) char *path = api_path(f->world->api, API_PATCH, i);
        if (!strstr(path, STATUS))
            continue;
        _cleanup_(freep) char *body = api_body(f->world->api, API_PATCH, i);
        _json_cleanup_ json_t *root = json_parse(body, strlen(body), NULL);
        return json_incref(json_object_get(root, "status"));
    }
    return NULL;
}

static const json_t *advisor_condition(const json_t *status)
{
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(status, "conditions"), i,
                       c) if (streq0(json_str(c, "type"), "AdvisorAvailable")) return c;
    return NULL;
}

static json_t *await_failure(struct fixture *f, const struct row *row)
{
    for (int i = 0; i < 40; i++) {
        json_t *status = status_told(f);
        if (json_int(status, "advisor.budget.charged", 0) + json_int(status, "advisor.budget.refunded", 0) > 0)
            return status;
        json_decref(status);
        pass(f, 5);
    }
    fail_msg("%s: nothing was told", row->reason);
    return NULL;
}

static void check_event(struct fixture *f, const struct row *row)
{
    recorder_flush(f->recorder);
    pass(f, 5);
    unsigned found = 0;
    for (unsigned i = 0; i < api_count(f->world->api, API_CREATE); i++) {
        _cleanup_(freep) char *body = api_body(f->world->api, API_CREATE, i);
        _json_cleanup_ json_t *event = json_parse(body, strlen(body), NULL);
        assert_null(strstr(body, ECHO));
        if (!streq0(json_str(event, "reason"), "AdvisorUnavailable"))
            continue;
        found++;
        assert_string_equal(json_str(event, "type"), "Warning");
        assert_non_null(strstr(json_str(event, "note"), row->says));
        assert_string_equal(json_str(event, "regarding.name"), "web");
    }
    assert_int_equal(found, 1);
}

/* What Alertmanager was told last; NULL: nothing. */
static json_t *alert_told(struct fixture *f)
{
    json_t *alert = NULL;
    world_listen(f->world, 20);
    for (struct server_request *r; (r = server_take(f->alertmanager, 0)) != NULL; server_request_free(r)) {
        json_decref(alert);
        assert_string_equal(r->path, V2);
        assert_null(strstr(r->body, ECHO));
        _json_cleanup_ json_t *alerts = json_parse(r->body, r->body_len, NULL);
        alert = json_incref(json_array_get(alerts, 0));
    }
    return alert;
}

/* Nothing at first: it fails neither often nor for long. */
static void check_alert(struct fixture *f, const struct row *row)
{
    _json_cleanup_ json_t *alert = alert_told(f);
    assert_null(alert);
    for (int i = 0; i < 1100 && !alert; i += 10) {
        pass(f, 10);
        alert = alert_told(f);
    }
    if ((alert != NULL) != row->raised)
        fail_msg("HTTP %d %s: alert %d after %zu calls", row->status, row->body ? row->body : "", alert != NULL,
                 server_seen(f->provider));
    if (!alert)
        return;
    assert_string_equal(json_str(alert, "labels.reason"), row->reason);
    assert_string_equal(json_str(alert, "labels.provider"), "one");
    assert_string_equal(json_str(alert, "labels.service"), "ai4k8s-operator");
    const char *words = json_str(alert, "annotations.description");
    assert_non_null(strstr(words, row->says));
    assert_non_null(strstr(words, "failures in the last 5 minutes"));
}

static void check_row(struct fixture *f, const struct row *row)
{
    _json_cleanup_ json_t *status = await_failure(f, row);
    unsigned attempts = (unsigned)server_seen(f->provider);
    const json_t *c = advisor_condition(status);
    if (!c || !streq0(json_str(c, "reason"), row->reason) || attempts != row->attempts)
        fail_msg("HTTP %d %s: %s after %u attempts", row->status, row->body ? row->body : "",
                 c ? json_str(c, "reason") : "", attempts);
    assert_string_equal(json_str(c, "status"), "False");
    const char *message = json_str(c, "message");
    assert_non_null(strstr(message, row->says));
    assert_non_null(strstr(message, row->charged ? "the call is charged" : "no call is charged"));
    bool by_itself = !streq(row->reason, "AuthenticationFailed") && !row->charged;
    assert_int_equal(strstr(message, "it is tried again") != NULL, by_itself);
    assert_non_null(strstr(message, "Scaling goes on without advice."));
    assert_int_equal(json_int(status, "advisor.budget.charged", 0), row->charged);
    assert_int_equal(json_int(status, "advisor.budget.refunded", 0), !row->charged);
    assert_null(json_str(status, "advisor.budget.reservedID"));
    _cleanup_(freep) char *all = json_dumps(status, 0);
    assert_null(strstr(all, ECHO));
    check_event(f, row);
    check_alert(f, row);
}

static void test_every_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture f = {.world = NULL};
        begin(&f, rows[i].flavor, script_of(&rows[i]));
        check_row(&f, &rows[i]);
        end(&f);
    }
}

/* Who switches the advisor off while it is being asked has cancelled the call: nobody's failure, and nobody pays. */
static void test_cancelled(void **state)
{
    (void)state;
    struct fixture f = {.world = NULL};
    struct script *silent = script_new();
    script_stall(silent);
    begin(&f, ADVISOR_OPENAI, silent);
    for (int i = 0; i < 20 && server_seen(f.provider) == 0; i++)
        pass(&f, 5);
    assert_int_equal(server_seen(f.provider), 1);
    char *object = api_get(f.world->api, &api_autoscalers, "shop", "web");
    _json_cleanup_ json_t *off = json_parse(object, strlen(object), NULL);
    free(object);
    assert_int_equal(
        json_object_set_new(json_object_get(json_object_get(off, "spec"), "advisor"), "mode", json_string("Off")), 0);
    json_object_set_new(json_object_get(off, "metadata"), "generation", json_integer(2));
    _cleanup_(freep) char *text = json_dumps(off, 0);
    (void)api_put(f.world->api, &api_autoscalers, "shop", "web", text);
    pass(&f, 200);
    _json_cleanup_ json_t *status = status_told(&f);
    assert_null(advisor_condition(status));
    assert_int_equal(json_int(status, "advisor.budget.refunded", -1), 1);
    assert_int_equal(json_int(status, "advisor.budget.charged", 0), 0);
    assert_int_equal(server_seen(f.provider), 1);
    assert_int_equal(server_seen(f.alertmanager), 0);
    for (unsigned i = 0; i < api_count(f.world->api, API_CREATE); i++) {
        _cleanup_(freep) char *event = api_body(f.world->api, API_CREATE, i);
        assert_null(strstr(event, "AdvisorUnavailable"));
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_class),
        cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
