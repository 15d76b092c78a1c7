/* Evidence -> class, by tables whose first match wins; the header has what each class means. */
#include "advisor/classify.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "kube/json.h"

#define MAX_ERROR_BODY (64 * 1024)

enum {
    RETRY = 1 << 0,
    LOADING = 1 << 1,
    NO_SCHEMA = 1 << 2,
    TOO_LONG = 1 << 3,
};

/* What of an error body is looked at. Empty where it has none; a copy, because the tree does not outlive its reader. */
struct evidence {
    int status;
    char type[64], code[64], detail[64];
    char message[512];
};

/* `word`: type, code or detail is exactly that. `text`: the message has that in it, in any case. NULL: any. */
struct rule {
    int first, last; /* HTTP status */
    const char *word, *text;
    bool groq_only;
    enum advisor_class class;
    unsigned flags;
    const char *said;
};

static const struct rule rules[] = {
    {300, 399, NULL, NULL, false, ADVISOR_CONFIGURATION, 0, "a redirect, which is not followed"},

    {503, 503, NULL, "loading model", false, ADVISOR_TRANSIENT, RETRY | LOADING, "the model is being loaded"},
    {500, 500, NULL, "more system memory", false, ADVISOR_CONFIGURATION, 0, "the model does not fit into memory"},
    {400, 500, NULL, "context size has been exceeded", false, ADVISOR_CONFIGURATION, TOO_LONG, "prompt too long"},

    {429, 429, "credit_balance_exhausted", NULL, false, ADVISOR_QUOTA, 0, "HTTP 429 credit_balance_exhausted"},
    {429, 429, "insufficient_quota", NULL, false, ADVISOR_QUOTA, 0, "HTTP 429 insufficient_quota"},
    {429, 429, "organization_spend_limit_exceeded", NULL, false, ADVISOR_QUOTA, 0, "HTTP 429 spend limit"},
    {429, 429, "project_spend_limit_exceeded", NULL, false, ADVISOR_QUOTA, 0, "HTTP 429 spend limit"},
    {429, 429, "organization_usage_limit_exceeded", NULL, false, ADVISOR_QUOTA, 0, "HTTP 429 usage limit"},
    {429, 429, "billing_hard_limit_reached", NULL, false, ADVISOR_QUOTA, 0, "HTTP 429 billing limit"},
    {429, 429, "enforced_spend_limit_reached", NULL, false, ADVISOR_QUOTA, 0, "HTTP 429 spend limit"},
    {402, 402, NULL, NULL, false, ADVISOR_QUOTA, 0, "HTTP 402"},
    {400, 400, NULL, "you have reached your specified api usage limits", false, ADVISOR_QUOTA, 0, "usage limits"},
    {400, 400, NULL, "you have reached your specified workspace api usage limits", false, ADVISOR_QUOTA, 0,
     "usage limits"},
    {400, 400, NULL, "credit balance is too low", false, ADVISOR_QUOTA, 0, "credit balance"},
    {400, 400, "billing_hard_limit_reached", NULL, false, ADVISOR_QUOTA, 0, "HTTP 400 billing limit"},
    {429, 429, NULL, NULL, false, ADVISOR_THROTTLED, RETRY, "HTTP 429"},
    {498, 498, NULL, NULL, false, ADVISOR_TRANSIENT, 0, "HTTP 498 capacity exceeded"},
    {424, 424, NULL, NULL, false, ADVISOR_TRANSIENT, 0, "HTTP 424"},

    {422, 422, NULL, NULL, true, ADVISOR_INVALID_ANSWER, RETRY, "HTTP 422 of the model"},
    {400, 400, "json_validate_failed", NULL, false, ADVISOR_INVALID_ANSWER, RETRY, "the model wrote no valid JSON"},
    {400, 400, "tool_use_failed", NULL, false, ADVISOR_INVALID_ANSWER, RETRY, "the model misused the tool"},
    {400, 400, "failed_generation", NULL, false, ADVISOR_INVALID_ANSWER, RETRY, "the model failed to generate"},

    {401, 401, NULL, NULL, false, ADVISOR_AUTHENTICATION, 0, "HTTP 401"},
    {403, 403, NULL, NULL, false, ADVISOR_AUTHENTICATION, 0, "HTTP 403"},
    {404, 404, NULL, NULL, false, ADVISOR_CONFIGURATION, 0, "HTTP 404: no such model or URL"},
    {410, 410, NULL, NULL, false, ADVISOR_CONFIGURATION, 0, "HTTP 410: no such model or URL"},
    {400, 400, "model_decommissioned", NULL, false, ADVISOR_CONFIGURATION, 0, "the model was taken out of service"},
    {400, 400, "model_not_found", NULL, false, ADVISOR_CONFIGURATION, 0, "no such model"},
    {400, 400, NULL, "decommissioned", false, ADVISOR_CONFIGURATION, 0, "the model was taken out of service"},
    {400, 400, NULL, "does not support response format", false, ADVISOR_CONFIGURATION, NO_SCHEMA,
     "the model has no structured output"},
    {400, 400, NULL, "response_format", false, ADVISOR_CONFIGURATION, NO_SCHEMA, "the model has no structured output"},
    {400, 400, NULL, "output_config", false, ADVISOR_CONFIGURATION, NO_SCHEMA, "the model has no structured output"},

    {413, 413, NULL, NULL, false, ADVISOR_CONFIGURATION, TOO_LONG, "HTTP 413"},
    {400, 400, "context_length_exceeded", NULL, false, ADVISOR_CONFIGURATION, TOO_LONG, "prompt too long"},
    {400, 400, "exceed_context_size_error", NULL, false, ADVISOR_CONFIGURATION, TOO_LONG, "prompt too long"},
    {400, 400, NULL, "maximum context length", false, ADVISOR_CONFIGURATION, TOO_LONG, "prompt too long"},

    {400, 400, "content_filter", NULL, false, ADVISOR_REFUSED, 0, "content filter"},
    {400, 400, "content_policy_violation", NULL, false, ADVISOR_REFUSED, 0, "content filter"},
    {400, 400, NULL, "content policy", false, ADVISOR_REFUSED, 0, "content filter"},
    {400, 400, NULL, "content management policy", false, ADVISOR_REFUSED, 0, "content filter"},

    {408, 408, NULL, NULL, false, ADVISOR_TRANSIENT, RETRY, "HTTP 408"},
    {409, 409, NULL, NULL, false, ADVISOR_TRANSIENT, RETRY, "HTTP 409"},
    {425, 425, NULL, NULL, false, ADVISOR_TRANSIENT, RETRY, "HTTP 425"},
    {499, 499, NULL, NULL, false, ADVISOR_TRANSIENT, 0, "HTTP 499"},
    {400, 400, NULL, NULL, false, ADVISOR_INVALID_REQUEST, 0, "HTTP 400 invalid request"},
    {422, 422, NULL, NULL, false, ADVISOR_INVALID_REQUEST, 0, "HTTP 422 invalid request"},
    {400, 499, NULL, NULL, false, ADVISOR_CONFIGURATION, 0, "an HTTP status of 4xx"},
    {500, 599, NULL, NULL, false, ADVISOR_TRANSIENT, RETRY, "an HTTP status of 5xx"},
    {100, 999, NULL, NULL, false, ADVISOR_TRANSIENT, RETRY, "an HTTP status that means nothing here"},
};

/* ---- reading the error body ---- */

static void copy_member(const json_t *object, const char *name, char *out, size_t cap)
{
    const json_t *v = json_object_get(object, name);
    if (json_is_string(v))
        (void)snprintf(out, cap, "%s", json_string_value(v));
    else if (json_is_integer(v))
        (void)snprintf(out, cap, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
}

static void read_error(const json_t *error, struct evidence *e)
{
    if (json_is_string(error)) {
        (void)snprintf(e->message, sizeof e->message, "%s", json_string_value(error));
        return;
    }
    copy_member(error, "type", e->type, sizeof e->type);
    copy_member(error, "code", e->code, sizeof e->code);
    copy_member(error, "message", e->message, sizeof e->message);
    copy_member(json_object_get(error, "details"), "error_code", e->detail, sizeof e->detail);
}

static bool is_word(const struct evidence *e, const char *word)
{
    return strcmp(e->type, word) == 0 || strcmp(e->code, word) == 0 || strcmp(e->detail, word) == 0;
}

/* An error inside of a 200 says by its type, or by a number that it calls its code, which status it would have been. */
static int status_inside(const struct evidence *e)
{
    static const struct {
        const char *word;
        int status;
    } types[] = {
        {"invalid_request_error", 400}, {"authentication_error", 401}, {"invalid_api_key", 401},
        {"billing_error", 402},         {"permission_error", 403},     {"not_found_error", 404},
        {"model_not_found", 404},       {"request_too_large", 413},    {"rate_limit_error", 429},
        {"rate_limit_exceeded", 429},   {"insufficient_quota", 429},   {"api_error", 500},
        {"server_error", 500},          {"timeout_error", 504},        {"overloaded_error", 529},
        {"model_decommissioned", 400},  {"content_filter", 400},       {"context_length_exceeded", 400},
    };
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (is_word(e, types[i].word))
            return types[i].status;
    int64_t code;
    return str_to_i64(e->code, &code) && code >= 400 && code <= 599 ? (int)code : 500;
}

/* True when the body says that there is an error, whatever the status. */
static bool look(const struct http_result *result, struct evidence *e)
{
    *e = (struct evidence){.status = result->status};
    if (!result->body || result->body_len > MAX_ERROR_BODY)
        return false;
    _json_cleanup_ json_t *root = json_parse(result->body, result->body_len, NULL);
    const json_t *error = json_is_object(root) ? json_object_get(root, "error") : NULL;
    if (!error || json_is_null(error))
        return false;
    read_error(error, e);
    if (result->status >= 200 && result->status < 300)
        e->status = status_inside(e);
    return true;
}

/* ---- the verdict ---- */

static struct verdict by_rule(const struct evidence *e, enum advisor_flavor flavor)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        const struct rule *r = &rules[i];
        if (e->status < r->first || e->status > r->last || (r->groq_only && flavor != ADVISOR_GROQ))
            continue;
        if ((r->word && !is_word(e, r->word)) || (r->text && !strcasestr(e->message, r->text)))
            continue;
        return (struct verdict){.class = r->class,
                                .retry = r->flags & RETRY,
                                .loading = r->flags & LOADING,
                                .without_schema = r->flags & NO_SCHEMA,
                                .too_long = r->flags & TOO_LONG,
                                .retry_after_ms = -1,
                                .evidence = r->said};
    }
    return (struct verdict){.class = ADVISOR_TRANSIENT, .retry_after_ms = -1, .evidence = "no HTTP status"};
}

static struct verdict of_exchange(const struct error *err)
{
    struct verdict v = {.class = ADVISOR_TRANSIENT, .retry = true, .retry_after_ms = -1, .evidence = "no connection"};
    if (err->kind == ERROR_CANCELED)
        v = (struct verdict){.class = ADVISOR_CANCELLED, .retry_after_ms = -1, .evidence = "given up by us"};
    else if (err->kind == ERROR_CONFIG)
        v = (struct verdict){.class = ADVISOR_CONFIGURATION, .retry_after_ms = -1, .evidence = "configuration"};
    else if (err->kind == ERROR_TLS && err->code == HTTP_TLS_LASTING)
        v = (struct verdict){.class = ADVISOR_CONFIGURATION, .retry_after_ms = -1, .evidence = "TLS certificate"};
    else if (err->kind == ERROR_TLS)
        v.evidence = "TLS handshake";
    else if (err->kind == ERROR_TIMEOUT)
        v.evidence = "no answer in time";
    else if (err->kind == ERROR_HTTP)
        v.evidence = "no valid HTTP";
    else if (err->kind == ERROR_LIMIT) {
        v.class = ADVISOR_INVALID_ANSWER;
        v.evidence = "the answer is too large";
    }
    return v;
}

static void take_hints(const struct http_result *result, struct verdict *v)
{
    v->retry_after_ms = result->retry_after_ms;
    if (!result->handle)
        return;
    const char *ms = http_result_header(result, "retry-after-ms", 0);
    int64_t value = 0;
    size_t digits = ms ? strspn(ms, "0123456789") : 0;
    if (digits > 0 && digits < 10 && ms[digits] == '\0') {
        for (size_t i = 0; i < digits; i++)
            value = value * 10 + (ms[i] - '0');
        v->retry_after_ms = value;
    }
    const char *should = http_result_header(result, "x-should-retry", 0);
    if (should && strcasecmp(should, "false") == 0)
        v->retry = false;
}

struct verdict advisor_classify(enum advisor_flavor flavor, const struct http_result *result, const struct error *err)
{
    if (err && err->kind != ERROR_NONE)
        return of_exchange(err);
    struct evidence e;
    bool says_error = look(result, &e);
    if (result->status >= 200 && result->status < 300 && !says_error)
        return (struct verdict){.class = ADVISOR_OK, .retry_after_ms = -1, .evidence = "answered"};
    struct verdict v = by_rule(&e, flavor);
    take_hints(result, &v);
    return v;
}

/* ---- words ---- */

const char *advisor_class_name(enum advisor_class class)
{
    static const char *const names[ADVISOR_N_CLASSES] = {
        [ADVISOR_OK] = "Available",
        [ADVISOR_TRANSIENT] = "Transient",
        [ADVISOR_THROTTLED] = "Throttled",
        [ADVISOR_QUOTA] = "QuotaExhausted",
        [ADVISOR_AUTHENTICATION] = "AuthenticationFailed",
        [ADVISOR_CONFIGURATION] = "Misconfigured",
        [ADVISOR_INVALID_REQUEST] = "InvalidRequest",
        [ADVISOR_INVALID_ANSWER] = "InvalidAnswer",
        [ADVISOR_REFUSED] = "Refused",
        [ADVISOR_CANCELLED] = "Cancelled",
    };
    return class < ADVISOR_N_CLASSES ? names[class] : "Transient";
}

static const char *what_happened(enum advisor_class class)
{
    switch (class) {
    case ADVISOR_OK:
        return "answers";
    case ADVISOR_THROTTLED:
        return "limits the rate of our calls";
    case ADVISOR_QUOTA:
        return "says that the account's quota or credit is used up; an administrator has to raise it";
    case ADVISOR_AUTHENTICATION:
        return "refuses the API key; an administrator has to put a valid one into its Secret";
    case ADVISOR_CONFIGURATION:
        return "can't be used as configured; an administrator has to check its url and model in the operator's "
               "configuration";
    case ADVISOR_INVALID_REQUEST:
        return "refuses the request as invalid; check this object's spec.metrics and spec.advisor";
    case ADVISOR_INVALID_ANSWER:
        return "gave an answer that can't be used";
    case ADVISOR_REFUSED:
        return "declined to answer";
    case ADVISOR_CANCELLED:
        return "was not waited for: the call was given up";
    case ADVISOR_TRANSIENT:
    case ADVISOR_N_CLASSES:
    default:
        return "does not answer";
    }
}

void advisor_class_sentence(enum advisor_class class, const char *provider, int64_t retry_s, char *out, size_t cap)
{
    int n = snprintf(out, cap, "%s %s", provider, what_happened(class));
    if (class == ADVISOR_OK || n < 0 || (size_t)n >= cap)
        return;
    const char *charged = advisor_class_charged(class) ? "the call is charged" : "no call is charged";
    if (retry_s > 0)
        (void)snprintf(out + n, cap - (size_t)n, "; %s, it is tried again in %lld s. Scaling goes on without advice.",
                       charged, (long long)retry_s);
    else if (retry_s == 0)
        (void)snprintf(out + n, cap - (size_t)n, "; %s, it is tried again by itself. Scaling goes on without advice.",
                       charged);
    else
        (void)snprintf(out + n, cap - (size_t)n, "; %s. Scaling goes on without advice.", charged);
}

bool advisor_class_charged(enum advisor_class class)
{
    return class == ADVISOR_OK || class == ADVISOR_INVALID_REQUEST;
}

bool advisor_class_system(enum advisor_class class)
{
    return class != ADVISOR_OK && class != ADVISOR_INVALID_REQUEST && class != ADVISOR_CANCELLED;
}
