/* A model's answer: what is one, and that nothing else drives a decision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advisor/decision.h"
#include "kube/json.h"

#define REST                                                                                                           \
    "\"confidence\":0.8,\"reasoning\":\"load rises\",\"risk_assessment\":\"low\",\"cost_impact\":\"medium\","          \
    "\"recommended_timing\":\"immediate\"}"
#define ANSWER(action, target) "{\"action\":\"" action "\",\"target_replicas\":" target "," REST

static const struct advice_situation asked = {.current = 4, .min = 1, .max = 10, .need = 4};

static int parse(const char *text, struct decision *d)
{
    struct error err = ERROR_INIT;
    int result = decision_parse(text, strlen(text), &asked, d, &err);
    if (result < 0) {
        assert_int_not_equal(err.kind, ERROR_NONE);
        assert_null(strstr(err.message, "SECRET")); /* nothing of the answer is quoted */
    }
    return result;
}

static void test_accepted(void **state)
{
    (void)state;
    const struct {
        const char *text;
        enum decision_action action;
        int32_t target;
    } cases[] = {
        {ANSWER("scale_up", "6"), DECISION_SCALE_UP, 6},
        {ANSWER("scale_down", "2"), DECISION_SCALE_DOWN, 2},
        {ANSWER("maintain", "4"), DECISION_MAINTAIN, 4},
        {ANSWER("scale_up", "10000"), DECISION_SCALE_UP, 10000},
        {" \n" ANSWER("scale_up", "6") "\n ", DECISION_SCALE_UP, 6},
        {"```json\n" ANSWER("scale_up", "6") "\n```", DECISION_SCALE_UP, 6},
        {"```\n" ANSWER("scale_up", "6") "```\n", DECISION_SCALE_UP, 6},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct decision d;
        assert_int_equal(parse(cases[i].text, &d), 0);
        assert_int_equal(d.action, cases[i].action);
        assert_int_equal(d.target_replicas, cases[i].target);
        assert_int_equal(d.confidence_percent, 80);
        assert_string_equal(d.reasoning, "load rises");
        assert_string_equal(decision_level_name(d.cost), "medium");
        assert_string_equal(decision_timing_name(d.timing), "immediate");
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "SECRET",
        "null",
        "[]",
        "I recommend to scale to 10 replicas.",
        "Here it is: " ANSWER("scale_up", "6"),
        ANSWER("scale_up", "6") " trailing",
        ANSWER("scale_up", "6") ANSWER("scale_up", "7"),
        "```json\n```json\n" ANSWER("scale_up", "6") "\n```\n```",
        "``````",
        "```\n```",
        ANSWER("scale_up", "-1"),
        ANSWER("scale_up", "1e99"),
        ANSWER("scale_up", "1e1"),
        ANSWER("scale_up", "6.0"),
        ANSWER("scale_up", "3.7"),
        ANSWER("scale_up", "10001"),
        ANSWER("scale_up", "99999999999999999999"),
        ANSWER("scale_up", "\"5\""),
        ANSWER("scale_up", "null"),
        ANSWER("scale_up", "true"),
        ANSWER("scale_up", "[6]"),
        ANSWER("scale_up", "{\"value\":6}"),
        ANSWER("scale_up", "NaN"),
        ANSWER("scale_up", "4"), /* contradictions are not mended */
        ANSWER("scale_up", "3"),
        ANSWER("scale_down", "4"),
        ANSWER("scale_down", "5"),
        ANSWER("maintain", "5"),
        ANSWER("scale_down", "0"),
        ANSWER("SCALE_UP", "6"),
        ANSWER("delete", "6"),
        "{\"action\":\"scale_up\",\"target_replicas\":6}",
        "{\"action\":\"scale_up\",\"action\":\"scale_up\",\"target_replicas\":6," REST,
        "{\"SECRET\":1,\"action\":\"scale_up\",\"target_replicas\":6," REST,
        "{\"action\":\"scale_up\",\"target_replicas\":6,\"confidence\":1.1,\"reasoning\":\"\",\"risk_assessment\":"
        "\"low\",\"cost_impact\":\"low\",\"recommended_timing\":\"immediate\"}",
        "{\"action\":\"scale_up\",\"target_replicas\":6,\"confidence\":\"0.8\",\"reasoning\":\"\",\"risk_assessment\":"
        "\"low\",\"cost_impact\":\"low\",\"recommended_timing\":\"immediate\"}",
        "{\"action\":\"scale_up\",\"target_replicas\":6,\"confidence\":0.8,\"reasoning\":[\"SECRET\"],\"risk_"
        "assessment\":\"low\",\"cost_impact\":\"low\",\"recommended_timing\":\"immediate\"}",
        "{\"action\":\"scale_up\",\"target_replicas\":6,\"confidence\":0.8,\"reasoning\":\"\xff\",\"risk_assessment\":"
        "\"low\",\"cost_impact\":\"low\",\"recommended_timing\":\"immediate\"}",
        "{\"action\":\"scale_up\",\"target_replicas\":6,\"confidence\":0.8,\"reasoning\":\"\",\"risk_assessment\":"
        "\"none\",\"cost_impact\":\"low\",\"recommended_timing\":\"immediate\"}",
        "{\"action\":\"scale_up\",\"target_replicas\":6,\"confidence\":0.8,\"reasoning\":\"\",\"risk_assessment\":"
        "\"low\",\"cost_impact\":\"low\",\"recommended_timing\":\"after you deleted the namespace\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct decision d = {.target_replicas = 77};
        if (parse(cases[i], &d) >= 0)
            fail_msg("accepted: %s", cases[i]);
        assert_int_equal(d.target_replicas, 77); /* untouched */
    }
}

static void test_size(void **state)
{
    (void)state;
    size_t len = DECISION_CONTENT_MAX;
    char *text = malloc(len + 1);
    memset(text, ' ', len + 1);
    memcpy(text, ANSWER("scale_up", "6"), strlen(ANSWER("scale_up", "6")));
    struct decision d;
    assert_int_equal(decision_parse(text, len, &asked, &d, NULL), 0);
    assert_true(decision_parse(text, len + 1, &asked, &d, NULL) < 0);
    memset(text, '[', len);
    assert_true(decision_parse(text, len, &asked, &d, NULL) < 0);
    free(text);
}

static void test_clean_text(void **state)
{
    (void)state;
    const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},
        {"  two\r\n\tlines  ", "two lines"},
        {"\x1b[31mred\x1b[0m and \x1b]0;title", "red and 0;title"},
        {"a\x01\x02z", "a z"},
        {"evil\xe2\x80\xaetxt.exe", "eviltxt.exe"}, /* right-to-left override */
        {"zero\xe2\x80\x8bwidth\xef\xbb\xbf", "zerowidth"},
        {"tag\xf3\xa0\x81\x81s", "tags"}, /* U+E0041 */
        {"c1\xc2\x9b"
         "31m",
         "c1 31m"}, /* CSI as one character */
        {"bad\xff\xc0\xaf", "bad???"},
        {"cut\xe2\x82", "cut?"},
        {"\xed\xa0\x80", "???"}, /* a surrogate */
        {"gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x80", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x80"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char out[64];
        assert_int_equal(decision_clean_text(cases[i].in, strlen(cases[i].in), out, sizeof out), strlen(cases[i].out));
        assert_string_equal(out, cases[i].out);
    }
    char out[5];
    assert_int_equal(decision_clean_text("abc\xc3\xbc"
                                         "d",
                                         6, out, sizeof out),
                     3); /* not in the middle of one */
    assert_string_equal(out, "abc");
    assert_int_equal(decision_clean_text("abc", 3, out, 1), 0);
    assert_string_equal(out, "");
}

static void test_schema_names_every_member(void **state)
{
    (void)state;
    _json_cleanup_ json_t *schema = json_parse(decision_schema(), strlen(decision_schema()), NULL);
    assert_non_null(schema);
    assert_int_equal(json_array_size(json_at(schema, "required")), json_object_size(json_at(schema, "properties")));
    assert_int_equal(json_object_size(json_at(schema, "properties")), 7);
    assert_false(json_bool(schema, "additionalProperties", true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_clean_text),
        cmocka_unit_test(test_schema_names_every_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
