/* Status: its JSON, its way through the API server, conditions that keep their times, and which change is
 * worth a write. */
#include "api/pa.h"
#include "api/status.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1767225600000000)

static struct pa_status sample(void)
{
    struct pa_status s = {.observed_generation = 3, .current_replicas = 4, .desired_replicas = 6, .last_scale_us = NOW};
    (void)str_copy(s.selector, sizeof s.selector, "app=web");
    s.has_replica_proposals = s.has_last_decision = s.has_forecast = true;
    s.replica_proposals = (struct pa_proposals){.has_reactive = true, .reactive = 4, .final = 6};
    s.last_decision =
        (struct pa_decision){.time_us = NOW, .direction = PA_UP, .raw_replicas = 6, .n_stages = 1, .n_limits = 1};
    (void)str_copy(s.last_decision.reason, 48, "MetricAboveTarget");
    (void)str_copy(s.last_decision.limits[0], 32, "Tolerance");
    (void)str_copy(s.last_decision.stages[0].name, 24, "Reactive");
    (void)str_copy(s.last_decision.message, 256, "Scaled up 4 -> 6.");
    s.n_current_metrics = 1;
    s.current_metrics[0] = (struct pa_metric_status){.name = "cpu", .type = "Resource", .has_resource = true};
    s.current_metrics[0].resource = (struct pa_resource_status){
        .name = "cpu", .current = {.has_average_value = true, .average_value = pa_status_quantity(0.3547)}};
    s.forecast = (struct pa_forecast_status){
        .generated_us = NOW, .expire_us = NOW + 1, .model = "Level", .trend = "Steady", .n_hourly = 1};
    s.forecast.hourly[0] = (struct pa_forecast_point){.time_us = NOW, .value = pa_status_quantity(1.5)};
    pa_condition_set(&s, PA_READY, CONDITION_TRUE, "Ready", "fine");
    pa_condition_set(&s, PA_FORECAST_TRUSTED, CONDITION_FALSE, "Learning", "needs %d more", 7);
    return s;
}

static void absent_is_left_out_and_nothing_is_null(void **state UNUSED)
{
    struct buf out = BUF_INIT(1 << 16);
    struct pa_status s = {.observed_generation = 1};
    pa_status_apply_body(&s, "shop", "web", &out);
    assert_string_equal(buf_str(&out),
                        "{\"apiVersion\":\"ai4k8s.io/"
                        "v1alpha1\",\"kind\":\"PredictiveAutoscaler\",\"metadata\":{\"name\":\"web\","
                        "\"namespace\":\"shop\"},\"status\":{\"observedGeneration\":1,\"currentReplicas\":0,"
                        "\"desiredReplicas\":0}}");
    buf_clear(&out);
    s = sample();
    pa_status_apply_body(&s, "shop", "web", &out);
    assert_null(strstr(buf_str(&out), "null"));
    assert_null(strstr(buf_str(&out), "[]"));
    assert_null(strstr(buf_str(&out), "predicted")); /* there is no prediction: not 0 */
    assert_non_null(strstr(buf_str(&out), "\"averageValue\":\"355m\""));
    assert_non_null(strstr(buf_str(&out), "\"lastScaleTime\":\"2026-01-01T00:00:00Z\""));
    buf_done(&out);
}

static struct pa_status through_the_api(const struct pa_status *s)
{
    struct buf out = BUF_INIT(1 << 16);
    struct pa_status back;
    struct error err = ERROR_INIT;
    pa_status_apply_body(s, "shop", "web", &out);
    _json_cleanup_ json_t *object = json_parse(out.data, out.len, &err);
    assert_non_null(object);
    pa_status_decode(object, &back);
    buf_done(&out);
    return back;
}

/* What the API server gives back is no news; otherwise every write would lead to the next one. */
static void a_status_that_comes_back_is_no_news(void **state UNUSED)
{
    struct pa_status s = sample();
    struct pa_condition_times times = {0};
    s.last_scale_us += 123456; /* JSON keeps seconds */
    s.last_decision.time_us += 999999;
    pa_conditions_stamp(&times, &s, NOW + 500000);
    struct pa_status back = through_the_api(&s);
    struct schema_digest a = pa_status_digest(&s), b = pa_status_digest(&back);
    assert_int_equal(pa_digest_compare(&a, &b), PA_STATUS_SAME);
    assert_int_equal(back.n_conditions, 2);
    assert_string_equal(back.conditions[1].message, "needs 7 more");
    assert_int_equal(back.conditions[1].transition_us, NOW);
    assert_false(back.replica_proposals.has_predicted);
    assert_int_equal(back.current_metrics[0].resource.current.average_value.nano / 1000000, 355);
}

/* The advisor's account comes back exactly, for it is money; a reservation and a verdict are written at once. */
static void the_ledger_comes_back(void **state UNUSED)
{
    struct pa_status s = sample();
    s.has_advisor = true;
    s.advisor = (struct pa_advisor_status){.id = "00000000000000ff",
                                           .outcome = "AwaitsApproval",
                                           .provider = "local",
                                           .time_us = NOW,
                                           .has_target_replicas = true,
                                           .target_replicas = 9,
                                           .reasoning = "\"quoted\"",
                                           .has_budget = true,
                                           .budget = {.day_us = NOW / 86400000000 * 86400000000,
                                                      .charged = 41,
                                                      .refunded = 2,
                                                      .reserved_id = "fedcba9876543210",
                                                      .reserved_us = NOW}};
    struct pa_status back = through_the_api(&s);
    assert_true(back.has_advisor && back.advisor.has_budget);
    assert_string_equal(back.advisor.id, s.advisor.id);
    assert_string_equal(back.advisor.reasoning, "\"quoted\"");
    assert_int_equal(back.advisor.budget.charged, 41);
    assert_int_equal(back.advisor.budget.refunded, 2);
    assert_int_equal(back.advisor.budget.day_us, s.advisor.budget.day_us);
    uint64_t id;
    assert_true(pa_advice_id_parse(back.advisor.budget.reserved_id, &id));
    assert_true(id == UINT64_C(0xfedcba9876543210));
    struct schema_digest was = pa_status_digest(&s);
    s.advisor.budget.charged++;
    struct schema_digest charged = pa_status_digest(&s);
    assert_int_equal(pa_digest_compare(&was, &charged), PA_STATUS_TRANSITION);
    s.advisor.budget.reserved_id[0] = '\0';
    struct schema_digest settled = pa_status_digest(&s);
    assert_int_equal(pa_digest_compare(&charged, &settled), PA_STATUS_TRANSITION);

    static const char *const none[] = {
        "", "0000000000000000", "ff", "00000000000000FF", "00000000000000ff0", "0x000000000000ff"};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        assert_false(pa_advice_id_parse(none[i], &id));
        assert_true(id == 0);
    }
}

static void foreign_statuses_do_no_harm(void **state UNUSED)
{
    static const char *const cases[] = {"{}",
                                        "{\"status\":null}",
                                        "{\"status\":[]}",
                                        "{\"status\":{\"conditions\":[{\"type\":\"Ready\"},7,null]}}",
                                        "{\"status\":{\"currentReplicas\":\"x\",\"desiredReplicas\":5}}",
                                        "{\"status\":{\"lastDecision\":{\"stages\":[1,2,3,4,5,6,7,8,9,10,11,12]}}}"};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = ERROR_INIT;
        struct pa_status s;
        _json_cleanup_ json_t *object = json_parse(cases[i], strlen(cases[i]), &err);
        pa_status_decode(object, &s);
        assert_true(s.n_conditions <= PA_STATUS_CONDITIONS && s.last_decision.n_stages <= PA_STATUS_STAGES);
        (void)pa_status_digest(&s);
        (void)through_the_api(&s);
    }
}

/* ---- conditions ---- */

static void conditions_keep_their_time_until_they_flip(void **state UNUSED)
{
    struct pa_condition_times times = {0};
    struct pa_status s = {0};
    pa_condition_set(&s, PA_READY, CONDITION_FALSE, "Starting", "x");
    pa_conditions_stamp(&times, &s, NOW);
    assert_int_equal(s.conditions[0].transition_us, NOW);
    pa_condition_set(&s, PA_READY, CONDITION_FALSE, "StillStarting", "y"); /* another reason is no flip */
    pa_conditions_stamp(&times, &s, NOW + 1);
    assert_int_equal(s.n_conditions, 1);
    assert_int_equal(s.conditions[0].transition_us, NOW);
    pa_condition_set(&s, PA_READY, CONDITION_TRUE, "Ready", "z");
    pa_conditions_stamp(&times, &s, NOW + 2);
    assert_int_equal(s.conditions[0].transition_us, NOW + 2);

    /* a restart: times come from what is stored */
    struct pa_condition_times again;
    pa_conditions_seed(&again, &s);
    struct pa_status fresh = {0};
    pa_condition_set(&fresh, PA_READY, CONDITION_TRUE, "Ready", "z");
    pa_condition_set(&fresh, PA_PAUSED, CONDITION_UNKNOWN, "NotKnown", "z"); /* never set before */
    pa_conditions_stamp(&again, &fresh, NOW + 99);
    assert_int_equal(fresh.conditions[0].transition_us, NOW + 2);
    assert_int_equal(fresh.conditions[1].transition_us, NOW + 99);
}

static void messages_are_made_harmless_and_cut(void **state UNUSED)
{
    struct pa_status s = {.observed_generation = 5};
    char text[1200];
    memset(text, 'x', sizeof text);
    memcpy(text, "a\x1b[31m\nb", 8);
    text[sizeof text - 1] = '\0';
    pa_condition_set(&s, PA_READY, CONDITION_FALSE, "Broken", "%s", text);
    const struct pa_condition *c = pa_condition_get(&s, PA_READY);
    assert_non_null(c);
    assert_null(strpbrk(c->message, "\x1b\n"));
    assert_int_equal(strlen(c->message), sizeof c->message - 1);
    assert_true(str_ends(c->message, "..."));
    assert_int_equal(c->observed_generation, 5);
    assert_null(pa_condition_get(&s, PA_CONFLICT));
    /* a cut does not split a character */
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof text - 2] = '\0';
    pa_condition_set(&s, PA_READY, CONDITION_FALSE, "Broken", "%s", text);
    c = pa_condition_get(&s, PA_READY);
    assert_true(str_is_utf8(c->message, strlen(c->message)) && str_ends(c->message, "..."));
}

static void all_conditions_have_a_place(void **state UNUSED)
{
    struct pa_status s = {0};
    for (int type = 0; type < PA_N_CONDITION_TYPES; type++)
        pa_condition_set(&s, (enum pa_condition_type)type, CONDITION_UNKNOWN, "NotKnown", "x");
    assert_int_equal(s.n_conditions, PA_N_CONDITION_TYPES);
    struct pa_status back = through_the_api(&s);
    assert_int_equal(back.n_conditions, PA_N_CONDITION_TYPES);
    assert_string_equal(pa_condition_name(PA_CONFIG_VALID), "ConfigValid");
}

/* ---- whether to write ---- */

static void change_replicas(struct pa_status *s)
{
    s->current_replicas++;
}
static void change_desired(struct pa_status *s)
{
    s->desired_replicas--;
}
static void change_generation(struct pa_status *s)
{
    s->observed_generation++;
}
static void change_scale_time(struct pa_status *s)
{
    s->last_scale_us += USEC_PER_SEC;
}
static void flip_condition(struct pa_status *s)
{
    s->conditions[1].status = CONDITION_TRUE;
}
static void drop_condition(struct pa_status *s)
{
    s->n_conditions--;
}
static void change_reason(struct pa_status *s)
{
    (void)str_copy(s->conditions[1].reason, 48, "ErrorHigh");
}
static void change_decision_reason(struct pa_status *s)
{
    (void)str_copy(s->last_decision.reason, 48, "WithinTarget");
}
static void change_direction(struct pa_status *s)
{
    s->last_decision.direction = PA_DOWN;
}
static void change_limit(struct pa_status *s)
{
    (void)str_copy(s->last_decision.limits[0], 32, "Untrusted");
}
static void drop_limits(struct pa_status *s)
{
    s->last_decision.n_limits = 0;
}
static void change_words_in_texts(struct pa_status *s)
{
    (void)str_copy(s->conditions[1].message, 256, "needs no more");
}
static void change_value(struct pa_status *s)
{
    s->current_metrics[0].resource.current.average_value = pa_status_quantity(0.366);
}
static void lose_value(struct pa_status *s)
{
    s->current_metrics[0].resource.current.has_average_value = false;
}
static void change_state(struct pa_status *s)
{
    s->current_metrics[0].state = PA_MISSING;
}
static void gain_prediction(struct pa_status *s)
{
    s->replica_proposals.has_predicted = true;
}
static void nudge_value(struct pa_status *s)
{
    s->current_metrics[0].resource.current.average_value = pa_status_quantity(0.359);
}
static void move_times(struct pa_status *s)
{
    s->last_decision.time_us += 15 * USEC_PER_SEC;
    s->forecast.generated_us += 300 * USEC_PER_SEC;
    s->forecast.hourly[0].time_us += 300 * USEC_PER_SEC;
    s->conditions[0].transition_us++;
}
static void change_numbers_in_texts(struct pa_status *s)
{
    (void)str_copy(s->conditions[1].message, 256, "needs 6 more");
    (void)str_copy(s->last_decision.message, 256, "Holding 6.");
}

static void only_what_matters_is_written(void **state UNUSED)
{
    static const struct {
        void (*change)(struct pa_status *s);
        enum pa_status_change want;
    } cases[] = {
        {change_replicas, PA_STATUS_TRANSITION},
        {change_desired, PA_STATUS_TRANSITION},
        {change_generation, PA_STATUS_TRANSITION},
        {change_scale_time, PA_STATUS_TRANSITION},
        {flip_condition, PA_STATUS_TRANSITION},
        {drop_condition, PA_STATUS_TRANSITION},
        {change_reason, PA_STATUS_REASON},
        {change_decision_reason, PA_STATUS_REASON},
        {change_direction, PA_STATUS_REASON},
        {change_limit, PA_STATUS_REASON},
        {drop_limits, PA_STATUS_REASON},
        {change_words_in_texts, PA_STATUS_DRIFT},
        {change_value, PA_STATUS_DRIFT},
        {lose_value, PA_STATUS_DRIFT},
        {change_state, PA_STATUS_DRIFT},
        {gain_prediction, PA_STATUS_DRIFT},
        {nudge_value, PA_STATUS_SAME},
        {move_times, PA_STATUS_SAME},
        {change_numbers_in_texts, PA_STATUS_SAME},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pa_status s = sample();
        struct schema_digest was = pa_status_digest(&s), same = pa_status_digest(&s);
        assert_int_equal(pa_digest_compare(&was, &same), PA_STATUS_SAME);
        cases[i].change(&s);
        struct schema_digest now = pa_status_digest(&s);
        if (pa_digest_compare(&was, &now) != cases[i].want)
            fail_msg("case %zu: %d", i, (int)pa_digest_compare(&was, &now));
    }
}

/* Values that agree in two digits are the same, values that differ there are not, at any size. */
static void two_digits_count(void **state UNUSED)
{
    static const struct {
        double a, b;
        bool same;
    } cases[] = {{0, 0, true},       {0, 1e-9, false},         {0.3547, 0.351, false},    {0.354, 0.3501, true},
                 {99.4, 99.1, true}, {99.4, 98.4, false},      {99.6, 100, true},         {104, 100, true},
                 {106, 100, false},  {1.23e12, 1.21e12, true}, {1.23e12, 1.26e12, false}, {0.99, 9.9, false},
                 {99, 990, false},   {9.22e9, 9.23e9, true},   {9.2e9, 9.3e9, false},     {-0.35, 0.35, false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pa_status s = sample();
        s.current_metrics[0].resource.current.average_value = pa_status_quantity(cases[i].a);
        struct schema_digest a = pa_status_digest(&s);
        s.current_metrics[0].resource.current.average_value = pa_status_quantity(cases[i].b);
        struct schema_digest b = pa_status_digest(&s);
        if ((pa_digest_compare(&a, &b) == PA_STATUS_SAME) != cases[i].same)
            fail_msg("%g and %g", cases[i].a, cases[i].b);
    }
}

static void quantities_are_finite(void **state UNUSED)
{
    char text[QUANTITY_CAP];
    quantity_format(text, pa_status_quantity((double)NAN));
    assert_string_equal(text, "0");
    quantity_format(text, pa_status_quantity((double)INFINITY));
    assert_string_equal(text, "0");
    quantity_format(text, pa_status_quantity(1234567));
    assert_string_equal(text, "1230k");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_is_left_out_and_nothing_is_null),
        cmocka_unit_test(a_status_that_comes_back_is_no_news),
        cmocka_unit_test(the_ledger_comes_back),
        cmocka_unit_test(foreign_statuses_do_no_harm),
        cmocka_unit_test(conditions_keep_their_time_until_they_flip),
        cmocka_unit_test(messages_are_made_harmless_and_cut),
        cmocka_unit_test(all_conditions_have_a_place),
        cmocka_unit_test(only_what_matters_is_written),
        cmocka_unit_test(two_digits_count),
        cmocka_unit_test(quantities_are_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
