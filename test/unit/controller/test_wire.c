/* The wire forms: what is sent to each kind of provider, member by member, and what is read from each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "advisor/prompt.h"
#include "advisor/wire.h"
#include "kube/json.h"

static const struct advice_situation situation = {.current = 4,
                                                  .min = 2,
                                                  .max = 20,
                                                  .need = 4,
                                                  .reactive = 4,
                                                  .predicted = -1,
                                                  .usage_percent = 110,
                                                  .peak_percent = -1,
                                                  .growth_percent = -1,
                                                  .error_percent = -1,
                                                  .side = ADVICE_ABOVE_TARGET,
                                                  .lead_s = 150,
                                                  .trigger = ADVICE_TRIGGER_CHANGED};

#define DECISION                                                                                                       \
    "{\"action\":\"scale_up\",\"target_replicas\":6,\"confidence\":0.9,\"reasoning\":\"steep\","                       \
    "\"risk_assessment\":\"low\",\"cost_impact\":\"low\",\"recommended_timing\":\"immediate\"}"
#define QUOTED                                                                                                         \
    "\"{\\\"action\\\":\\\"scale_up\\\",\\\"target_replicas\\\":6,\\\"confidence\\\":0.9,\\\"reasoning\\\":"           \
    "\\\"steep\\\",\\\"risk_assessment\\\":\\\"low\\\",\\\"cost_impact\\\":\\\"low\\\",\\\"recommended_timing\\\":"    \
    "\\\"immediate\\\"}\""

static json_t *request(enum advisor_flavor flavor, enum advisor_structure structure, bool without_schema)
{
    _cleanup_(buf_done) struct buf body = BUF_INIT(65536);
    const struct wire_options options = {.flavor = flavor,
                                         .structure = structure,
                                         .without_schema = without_schema,
                                         .model = "model-1",
                                         .max_tokens_parameter = "max_completion_tokens",
                                         .max_tokens = 600};
    wire_request(&options, &situation, &body);
    assert_false(body.failed);
    json_t *root = json_parse(body.data, body.len, NULL);
    assert_non_null(root);
    return root;
}

static void check_text(const json_t *root, const char *path, const char *want)
{
    const char *text = json_str(root, path);
    if (!text || strcmp(text, want) != 0)
        fail_msg("%s: %s, not %s", path, text ? text : "(absent)", want);
}

/* The schema that constrained decoding wants: every member required, none besides. */
static void check_schema(const json_t *schema)
{
    assert_true(json_is_object(schema));
    assert_int_equal(json_array_size(json_object_get(schema, "required")), 7);
    assert_int_equal(json_object_size(json_object_get(schema, "properties")), 7);
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
}

/* The user's message is the situation and nothing else; the instruction is text without anything of it. */
static void check_messages(const json_t *root, bool system_apart)
{
    const json_t *messages = json_object_get(root, "messages");
    const json_t *user = json_array_get(messages, system_apart ? 0 : 1);
    assert_int_equal(json_array_size(messages), system_apart ? 1 : 2);
    const char *system = system_apart ? json_str(root, "system") : json_str(json_array_get(messages, 0), "content");
    assert_string_equal(system, prompt_system());
    check_text(user, "role", "user");
    const char *content = json_str(user, "content");
    _json_cleanup_ json_t *told = json_parse(content, strlen(content), NULL);
    assert_int_equal(json_int(told, "needReplicas", 0), 4);
    assert_int_equal(json_int(told, "usagePercentOfTarget", 0), 110);
    assert_null(json_object_get(told, "predictedReplicas")); /* not known is not told */
    assert_null(json_object_get(told, "forecastPeakPercentOfPresentDemand"));
    assert_null(json_object_get(told, "demandGrowthPercentInLastHalfHour"));
}

static void test_openai_requests(void **state)
{
    (void)state;
    for (int flavor = ADVISOR_OPENAI; flavor <= ADVISOR_GROQ; flavor++) {
        assert_string_equal(wire_path((enum advisor_flavor)flavor), "/chat/completions");
        _json_cleanup_ json_t *schema = request((enum advisor_flavor)flavor, ADVISOR_JSON_SCHEMA, false);
        check_text(schema, "model", "model-1");
        assert_int_equal(json_int(schema, "max_completion_tokens", 0), 600);
        assert_null(json_object_get(schema, "max_tokens"));
        assert_true(json_is_false(json_object_get(schema, "stream")));
        check_messages(schema, false);
        check_text(schema, "response_format.type", "json_schema");
        /* Inside of json_schema: servers ignore one that stands beside it, silently. */
        assert_null(json_at(schema, "response_format.schema"));
        assert_true(json_is_true(json_at(schema, "response_format.json_schema.strict")));
        check_schema(json_at(schema, "response_format.json_schema.schema"));

        _json_cleanup_ json_t *learnt = request((enum advisor_flavor)flavor, ADVISOR_JSON_SCHEMA, true);
        check_text(learnt, "response_format.type", "json_object");
        assert_null(json_at(learnt, "response_format.json_schema"));

        _json_cleanup_ json_t *tool = request((enum advisor_flavor)flavor, ADVISOR_TOOL_CALL, false);
        assert_null(json_object_get(tool, "response_format"));
        check_schema(json_at(json_array_get(json_object_get(tool, "tools"), 0), "function.parameters"));
        check_text(tool, "tool_choice.function.name", "decide");

        _json_cleanup_ json_t *plain = request((enum advisor_flavor)flavor, ADVISOR_PLAIN_JSON, false);
        assert_null(json_object_get(plain, "response_format"));
        assert_null(json_object_get(plain, "tools"));
    }
}

static void test_anthropic_requests(void **state)
{
    (void)state;
    assert_string_equal(wire_path(ADVISOR_ANTHROPIC), "/messages");
    const char *const *h = wire_headers(ADVISOR_ANTHROPIC);
    bool versioned = false;
    for (; *h; h++)
        versioned |= strcmp(*h, "anthropic-version: 2023-06-01") == 0;
    assert_true(versioned);

    _json_cleanup_ json_t *schema = request(ADVISOR_ANTHROPIC, ADVISOR_JSON_SCHEMA, false);
    assert_int_equal(json_int(schema, "max_tokens", 0), 600); /* required, and never called otherwise */
    assert_null(json_object_get(schema, "max_completion_tokens"));
    check_messages(schema, true);
    check_text(schema, "output_config.format.type", "json_schema");
    check_schema(json_at(schema, "output_config.format.schema"));

    _json_cleanup_ json_t *learnt = request(ADVISOR_ANTHROPIC, ADVISOR_JSON_SCHEMA, true);
    assert_null(json_object_get(learnt, "output_config"));

    _json_cleanup_ json_t *tool = request(ADVISOR_ANTHROPIC, ADVISOR_TOOL_CALL, false);
    check_schema(json_at(json_array_get(json_object_get(tool, "tools"), 0), "input_schema"));
    check_text(tool, "tool_choice.type", "tool");
    check_text(tool, "tool_choice.name", "decide");
}

#define CHOICE(message, finish)                                                                                        \
    "{\"id\":\"c1\",\"choices\":[{\"index\":0,\"message\":" message ",\"finish_reason\":\"" finish                     \
    "\"}],\"usage\":{\"prompt_tokens\":300,\"completion_tokens\":60}}"
#define MESSAGE(content, stop)                                                                                         \
    "{\"type\":\"message\",\"content\":[" content "],\"stop_reason\":\"" stop                                          \
    "\",\"usage\":{\"input_tokens\":300,\"output_tokens\":60}}"
#define TEXT(text) "{\"type\":\"text\",\"text\":" text "}"

static const struct {
    enum advisor_flavor flavor;
    const char *body;
    enum advisor_class class;
} answers[] = {
    {ADVISOR_OPENAI, CHOICE("{\"role\":\"assistant\",\"content\":" QUOTED ",\"refusal\":null}", "stop"), ADVISOR_OK},
    {ADVISOR_OPENAI, CHOICE("{\"content\":" QUOTED ",\"refusal\":\"\"}", "stop"), ADVISOR_OK},
    {ADVISOR_OPENAI,
     CHOICE("{\"content\":null,\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"decide\","
            "\"arguments\":" QUOTED "}}]}",
            "tool_calls"),
     ADVISOR_OK},
    /* arguments are a string of JSON: an object in its place is not what was asked for */
    {ADVISOR_OPENAI,
     CHOICE("{\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"decide\",\"arguments\":" DECISION "}}]}",
            "tool_calls"),
     ADVISOR_INVALID_ANSWER},
    {ADVISOR_OPENAI, CHOICE("{\"content\":[{\"type\":\"text\",\"text\":" QUOTED "}]}", "stop"), ADVISOR_INVALID_ANSWER},
    {ADVISOR_GROQ, CHOICE("{\"content\":" QUOTED "}", "stop"), ADVISOR_OK},
    {ADVISOR_GROQ, CHOICE("{\"content\":" QUOTED "}", "length"), ADVISOR_INVALID_ANSWER},
    {ADVISOR_GROQ, CHOICE("{\"content\":\"\",\"reasoning\":" QUOTED "}", "stop"), ADVISOR_INVALID_ANSWER},
    {ADVISOR_ANTHROPIC, MESSAGE(TEXT(QUOTED), "end_turn"), ADVISOR_OK},
    {ADVISOR_ANTHROPIC,
     MESSAGE(TEXT("\"I will decide now.\"") ",{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"decide\","
                                            "\"input\":" DECISION "}",
             "tool_use"),
     ADVISOR_OK},
    {ADVISOR_ANTHROPIC,
     MESSAGE("{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"delete\",\"input\":" DECISION "}", "tool_use"),
     ADVISOR_INVALID_ANSWER},
    {ADVISOR_ANTHROPIC, MESSAGE(TEXT(QUOTED), "max_tokens"), ADVISOR_INVALID_ANSWER},
    {ADVISOR_ANTHROPIC, MESSAGE(TEXT(QUOTED), "pause_turn"), ADVISOR_INVALID_ANSWER},
    {ADVISOR_ANTHROPIC, MESSAGE(TEXT(QUOTED), "model_context_window_exceeded"), ADVISOR_INVALID_ANSWER},
    {ADVISOR_ANTHROPIC, MESSAGE(TEXT(QUOTED), "refusal"), ADVISOR_REFUSED},
    {ADVISOR_ANTHROPIC, MESSAGE("", "end_turn"), ADVISOR_INVALID_ANSWER},
    /* the other provider's form is no answer */
    {ADVISOR_ANTHROPIC, CHOICE("{\"content\":" QUOTED "}", "stop"), ADVISOR_INVALID_ANSWER},
    {ADVISOR_OPENAI, MESSAGE(TEXT(QUOTED), "end_turn"), ADVISOR_INVALID_ANSWER},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct decision d;
        struct wire_usage usage;
        struct verdict v =
            wire_answer(answers[i].flavor, answers[i].body, strlen(answers[i].body), &situation, &d, &usage);
        if (v.class != answers[i].class)
            fail_msg("%s: %s (%s)", answers[i].body, advisor_class_name(v.class), v.evidence);
        if (v.class == ADVISOR_OK) {
            assert_int_equal(d.target_replicas, 6);
            assert_int_equal(d.confidence_percent, 90);
            assert_int_equal(usage.prompt_tokens, 300);
            assert_int_equal(usage.completion_tokens, 60);
        }
    }
}

/* No cut of a good answer is an answer. */
static void test_cut_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        if (answers[i].class != ADVISOR_OK)
            continue;
        for (size_t len = 0; len < strlen(answers[i].body); len++) {
            struct decision d;
            struct wire_usage usage;
            struct verdict v = wire_answer(answers[i].flavor, answers[i].body, len, &situation, &d, &usage);
            assert_int_equal(v.class, ADVISOR_INVALID_ANSWER);
            assert_int_equal(usage.prompt_tokens, -1);
        }
    }
}

/* The largest situation and the instruction fit the smallest contexts, and shrinking makes them smaller. */
static void test_prompt_size(void **state)
{
    (void)state;
    const struct advice_situation large = {.current = INT32_MAX,
                                           .min = INT32_MAX,
                                           .max = INT32_MAX,
                                           .need = INT32_MAX,
                                           .reactive = INT32_MAX,
                                           .predicted = INT32_MAX,
                                           .usage_percent = INT32_MAX,
                                           .peak_percent = INT32_MAX,
                                           .growth_percent = INT32_MIN,
                                           .error_percent = INT32_MAX,
                                           .anomaly = UINT32_MAX,
                                           .unschedulable = INT32_MAX,
                                           .lead_s = UINT32_MAX,
                                           .trigger = ADVICE_TRIGGER_UNSCHEDULABLE};
    _cleanup_(buf_done) struct buf whole = BUF_INIT(PROMPT_MAX), shrunk = BUF_INIT(PROMPT_MAX);
    prompt_situation(&large, false, &whole);
    prompt_situation(&large, true, &shrunk);
    assert_false(whole.failed || shrunk.failed);
    assert_true(shrunk.len < whole.len);
    assert_true(strlen(prompt_system()) + whole.len <= PROMPT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openai_requests), cmocka_unit_test(test_anthropic_requests),
        cmocka_unit_test(test_answers),         cmocka_unit_test(test_cut_answers),
        cmocka_unit_test(test_prompt_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
