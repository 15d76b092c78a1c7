/* Requests written and answers read, in both wire forms; see wire.h. */
#include "advisor/wire.h"

#include <string.h>

#include "advisor/prompt.h"
#include "kube/json.h"

#define TOOL_NAME        "decide"
#define TOOL_DESCRIPTION "Reports the decision."

const char *wire_path(enum advisor_flavor flavor)
{
    return flavor == ADVISOR_ANTHROPIC ? "/messages" : "/chat/completions";
}

const char *const *wire_headers(enum advisor_flavor flavor)
{
    static const char *const openai[] = {"Content-Type: application/json", "Accept: application/json", NULL};
    static const char *const anthropic[] = {"Content-Type: application/json", "Accept: application/json",
                                            "anthropic-version: 2023-06-01", NULL};
    return flavor == ADVISOR_ANTHROPIC ? anthropic : openai;
}

/* ---- requests ---- */

static void emit_schema(struct json_emit *j, const char *key)
{
    json_emit_raw(j, key, decision_schema(), strlen(decision_schema()));
}

static void emit_message(struct json_emit *j, const char *role, const char *content)
{
    json_open(j, NULL, '{');
    json_emit_str(j, "role", role);
    json_emit_str(j, "content", content);
    json_close(j, '}');
}

static void emit_openai_structure(struct json_emit *j, const struct wire_options *o)
{
    if (o->structure == ADVISOR_TOOL_CALL) {
        json_open(j, "tools", '[');
        json_open(j, NULL, '{');
        json_emit_str(j, "type", "function");
        json_open(j, "function", '{');
        json_emit_str(j, "name", TOOL_NAME);
        json_emit_str(j, "description", TOOL_DESCRIPTION);
        json_emit_bool(j, "strict", true);
        emit_schema(j, "parameters");
        json_close(j, '}');
        json_close(j, '}');
        json_close(j, ']');
        json_open(j, "tool_choice", '{');
        json_emit_str(j, "type", "function");
        json_open(j, "function", '{');
        json_emit_str(j, "name", TOOL_NAME);
        json_close(j, '}');
        json_close(j, '}');
    } else if (o->structure == ADVISOR_JSON_SCHEMA) {
        json_open(j, "response_format", '{');
        json_emit_str(j, "type", o->without_schema ? "json_object" : "json_schema");
        if (!o->without_schema) {
            json_open(j, "json_schema", '{');
            json_emit_str(j, "name", TOOL_NAME);
            json_emit_bool(j, "strict", true);
            emit_schema(j, "schema");
            json_close(j, '}');
        }
        json_close(j, '}');
    }
}

static void write_openai(const struct wire_options *o, const char *situation, struct json_emit *j)
{
    json_emit_str(j, "model", o->model);
    json_emit_int(j, o->max_tokens_parameter, o->max_tokens);
    json_emit_bool(j, "stream", false);
    json_open(j, "messages", '[');
    emit_message(j, "system", prompt_system());
    emit_message(j, "user", situation);
    json_close(j, ']');
    emit_openai_structure(j, o);
}

static void emit_anthropic_structure(struct json_emit *j, const struct wire_options *o)
{
    if (o->structure == ADVISOR_TOOL_CALL) {
        json_open(j, "tools", '[');
        json_open(j, NULL, '{');
        json_emit_str(j, "name", TOOL_NAME);
        json_emit_str(j, "description", TOOL_DESCRIPTION);
        json_emit_bool(j, "strict", true);
        emit_schema(j, "input_schema");
        json_close(j, '}');
        json_close(j, ']');
        json_open(j, "tool_choice", '{');
        json_emit_str(j, "type", "tool");
        json_emit_str(j, "name", TOOL_NAME);
        json_close(j, '}');
    } else if (o->structure == ADVISOR_JSON_SCHEMA && !o->without_schema) {
        json_open(j, "output_config", '{');
        json_open(j, "format", '{');
        json_emit_str(j, "type", "json_schema");
        emit_schema(j, "schema");
        json_close(j, '}');
        json_close(j, '}');
    }
}

static void write_anthropic(const struct wire_options *o, const char *situation, struct json_emit *j)
{
    json_emit_str(j, "model", o->model);
    json_emit_int(j, "max_tokens", o->max_tokens);
    json_emit_str(j, "system", prompt_system());
    json_open(j, "messages", '[');
    emit_message(j, "user", situation);
    json_close(j, ']');
    emit_anthropic_structure(j, o);
}

void wire_request(const struct wire_options *options, const struct advice_situation *situation, struct buf *out)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(PROMPT_MAX);
    prompt_situation(situation, options->shrink, &text);
    (void)buf_putc(&text, '\0');
    struct json_emit j = json_emit(out);
    json_open(&j, NULL, '{');
    if (options->flavor == ADVISOR_ANTHROPIC)
        write_anthropic(options, text.data, &j);
    else
        write_openai(options, text.data, &j);
    json_close(&j, '}');
}

/* ---- answers ---- */

static struct verdict unusable(const char *evidence)
{
    return (struct verdict){.class = ADVISOR_INVALID_ANSWER, .retry = true, .retry_after_ms = -1, .evidence = evidence};
}

static struct verdict refused(void)
{
    return (struct verdict){.class = ADVISOR_REFUSED, .retry_after_ms = -1, .evidence = "the model declined"};
}

static struct verdict cut(void)
{
    struct verdict v = unusable("the answer was cut at its cap of tokens");
    v.cut = true;
    return v;
}

static struct verdict judge(const char *content, size_t len, const struct advice_situation *asked, struct decision *ret)
{
    if (!content || len == 0)
        return unusable("the answer is empty");
    if (decision_parse(content, len, asked, ret, NULL) < 0)
        return unusable("the answer is not the JSON that was asked for");
    return (struct verdict){.class = ADVISOR_OK, .retry_after_ms = -1, .evidence = "answered"};
}

static bool is(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

static struct verdict answer_openai(const json_t *root, const struct advice_situation *asked, struct decision *ret)
{
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    const json_t *message = json_object_get(choice, "message");
    if (!json_is_object(message))
        return unusable("there is no choice in the answer");
    const char *finish = json_str(choice, "finish_reason");
    const char *refusal = json_str(message, "refusal");
    if ((refusal && *refusal) || is(finish, "content_filter"))
        return refused();
    if (is(finish, "length"))
        return cut();
    const json_t *call = json_array_get(json_object_get(message, "tool_calls"), 0);
    const json_t *content = call ? json_at(call, "function.arguments") : json_object_get(message, "content");
    if (call && !is(json_str(call, "function.name"), TOOL_NAME))
        return unusable("another tool was called");
    return judge(json_string_value(content), json_string_length(content), asked, ret);
}

static struct verdict answer_anthropic(const json_t *root, const struct advice_situation *asked, struct decision *ret)
{
    const char *stop = json_str(root, "stop_reason");
    if (is(stop, "refusal"))
        return refused();
    if (is(stop, "max_tokens"))
        return cut();
    if (!is(stop, "end_turn") && !is(stop, "tool_use") && !is(stop, "stop_sequence"))
        return unusable("the answer did not come to its end");
    const json_t *text = NULL, *input = NULL;
    size_t i;
    json_t *block;
    json_array_foreach(json_object_get(root, "content"), i, block)
    {
        if (!input && is(json_str(block, "type"), "tool_use") && is(json_str(block, "name"), TOOL_NAME))
            input = json_object_get(block, "input");
        else if (!text && is(json_str(block, "type"), "text"))
            text = json_object_get(block, "text");
    }
    if (input) { /* words in front of a tool call are no answer */
        _cleanup_(buf_done) struct buf bytes = BUF_INIT(DECISION_CONTENT_MAX);
        json_write(&bytes, input);
        return bytes.failed ? unusable("the answer is too large") : judge(bytes.data, bytes.len, asked, ret);
    }
    if (text)
        return judge(json_string_value(text), json_string_length(text), asked, ret);
    return unusable("there is no text in the answer");
}

struct verdict wire_answer(enum advisor_flavor flavor, const char *body, size_t len,
                           const struct advice_situation *asked, struct decision *ret, struct wire_usage *usage)
{
    *usage = (struct wire_usage){-1, -1};
    _json_cleanup_ json_t *root = json_parse(body, len, NULL);
    if (!json_is_object(root))
        return unusable("the answer is not JSON");
    bool anthropic = flavor == ADVISOR_ANTHROPIC;
    usage->prompt_tokens = json_int(root, anthropic ? "usage.input_tokens" : "usage.prompt_tokens", -1);
    usage->completion_tokens = json_int(root, anthropic ? "usage.output_tokens" : "usage.completion_tokens", -1);
    return anthropic ? answer_anthropic(root, asked, ret) : answer_openai(root, asked, ret);
}
