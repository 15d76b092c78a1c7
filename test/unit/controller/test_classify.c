/* Every way in which a provider fails, as it looks on the wire, and what it means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "advisor/classify.h"

enum { RETRY = 1, LOADING = 2, PLAIN = 4, SHORTER = 8 };

static const struct {
    enum advisor_flavor flavor;
    int status;
    const char *body;
    enum advisor_class class;
    unsigned flags;
} cases[] = {
    /* OpenAI, and servers that speak like it */
    {ADVISOR_OPENAI, 200, "{\"choices\":[]}", ADVISOR_OK, 0},
    {ADVISOR_OPENAI, 200, "{\"error\":null,\"choices\":[]}", ADVISOR_OK, 0},
    {ADVISOR_OPENAI, 401,
     "{\"error\":{\"message\":\"Incorrect API key provided: sk-...abcd\",\"type\":\"invalid_request_error\","
     "\"param\":null,\"code\":\"invalid_api_key\"}}",
     ADVISOR_AUTHENTICATION, 0},
    {ADVISOR_OPENAI, 403,
     "{\"error\":{\"message\":\"Country not supported\",\"code\":"
     "\"unsupported_country_region_territory\"}}",
     ADVISOR_AUTHENTICATION, 0},
    {ADVISOR_OPENAI, 404,
     "{\"error\":{\"message\":\"The model `x` does not exist\",\"type\":\"invalid_request_error\",\"code\":"
     "\"model_not_found\"}}",
     ADVISOR_CONFIGURATION, 0},
    {ADVISOR_OPENAI, 429,
     "{\"error\":{\"message\":\"Rate limit reached\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}",
     ADVISOR_THROTTLED, RETRY},
    {ADVISOR_OPENAI, 429, "{\"error\":{\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
     ADVISOR_QUOTA, 0},
    {ADVISOR_OPENAI, 429, "{\"error\":{\"type\":\"insufficient_quota\",\"code\":\"credit_balance_exhausted\"}}",
     ADVISOR_QUOTA, 0},
    {ADVISOR_OPENAI, 429, "{\"error\":{\"code\":\"project_spend_limit_exceeded\"}}", ADVISOR_QUOTA, 0},
    {ADVISOR_OPENAI, 400,
     "{\"error\":{\"message\":\"This model's maximum context length is 4096 tokens\",\"code\":"
     "\"context_length_exceeded\"}}",
     ADVISOR_CONFIGURATION, SHORTER},
    {ADVISOR_OPENAI, 400, "{\"error\":{\"code\":\"content_filter\"}}", ADVISOR_REFUSED, 0},
    {ADVISOR_OPENAI, 400, "{\"error\":{\"type\":\"invalid_request_error\",\"param\":\"temperature\"}}",
     ADVISOR_INVALID_REQUEST, 0},
    {ADVISOR_OPENAI, 400, "{\"error\":{\"message\":\"response_format json_schema is not supported\"}}",
     ADVISOR_CONFIGURATION, PLAIN},
    {ADVISOR_OPENAI, 408, "", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 409, "", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 500, "{\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\"}}",
     ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 502, "<html><head><title>502 Bad Gateway</title></head></html>", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 503, "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}",
     ADVISOR_TRANSIENT, RETRY | LOADING},
    {ADVISOR_OPENAI, 524, "error code: 524", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 425, "", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 504, "upstream request timeout", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 520, "", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 521, "", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 522, "", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 523, "", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 503,
     "{\"error\":{\"message\":\"Slow down\",\"type\":\"service_unavailable\",\"code\":\"slow_down\"}}",
     ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 429, "{\"error\":{\"message\":\"Slow down\",\"code\":\"slow_down\"}}", ADVISOR_THROTTLED, RETRY},
    {ADVISOR_OPENAI, 429, "", ADVISOR_THROTTLED, RETRY},
    {ADVISOR_OPENAI, 429, "{\"error\":{\"code\":\"organization_spend_limit_exceeded\"}}", ADVISOR_QUOTA, 0},
    {ADVISOR_OPENAI, 429, "{\"error\":{\"code\":\"organization_usage_limit_exceeded\"}}", ADVISOR_QUOTA, 0},
    {ADVISOR_OPENAI, 429, "{\"error\":{\"code\":\"billing_hard_limit_reached\"}}", ADVISOR_QUOTA, 0},
    {ADVISOR_OPENAI, 400, "{\"error\":{\"code\":\"billing_hard_limit_reached\",\"type\":\"invalid_request_error\"}}",
     ADVISOR_QUOTA, 0},
    {ADVISOR_OPENAI, 403,
     "{\"error\":{\"message\":\"Project does not have access to model\",\"code\":\"model_not_found\"}}",
     ADVISOR_AUTHENTICATION, 0},
    {ADVISOR_OPENAI, 404, "<html>nginx</html>", ADVISOR_CONFIGURATION, 0},
    {ADVISOR_OPENAI, 400, "{\"error\":{\"message\":\"Your request was rejected by our content policy\"}}",
     ADVISOR_REFUSED, 0},
    {ADVISOR_OPENAI, 400, "{\"error\":{\"code\":\"content_policy_violation\"}}", ADVISOR_REFUSED, 0},
    {ADVISOR_OPENAI, 302, "", ADVISOR_CONFIGURATION, 0},
    {ADVISOR_OPENAI, 307, "", ADVISOR_CONFIGURATION, 0},
    {ADVISOR_OPENAI, 200, "{\"error\":{\"type\":\"insufficient_quota\",\"code\":null}}", ADVISOR_QUOTA, 0},
    {ADVISOR_OPENAI, 200, "{\"error\":{\"code\":\"invalid_api_key\"}}", ADVISOR_AUTHENTICATION, 0},
    {ADVISOR_OPENAI, 200, "{\"error\":\"out of memory\"}", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 402, "", ADVISOR_QUOTA, 0},
    {ADVISOR_OPENAI, 301, "", ADVISOR_CONFIGURATION, 0},
    {ADVISOR_OPENAI, 200, "{\"error\":{\"message\":\"x\",\"type\":\"server_error\"}}", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 200, "{\"error\":{\"code\":\"insufficient_quota\"}}", ADVISOR_QUOTA, 0},
    {ADVISOR_OPENAI, 200, "{\"error\":{\"code\":401,\"message\":\"User not found\"}}", ADVISOR_AUTHENTICATION, 0},
    {ADVISOR_OPENAI, 200, "{\"error\":{\"code\":429,\"message\":\"x\"}}", ADVISOR_THROTTLED, RETRY},
    {ADVISOR_OPENAI, 200, "{\"error\":{\"code\":99999999999,\"message\":\"x\"}}", ADVISOR_TRANSIENT, RETRY},
    /* Ollama: text; llama.cpp: integer code; vLLM likewise */
    {ADVISOR_OPENAI, 404, "{\"error\":\"model 'x' not found, try pulling it first\"}", ADVISOR_CONFIGURATION, 0},
    {ADVISOR_OPENAI, 500, "{\"error\":\"model requires more system memory (8 GiB) than is available\"}",
     ADVISOR_CONFIGURATION, 0},
    {ADVISOR_OPENAI, 500, "{\"error\":{\"code\":500,\"message\":\"Context size has been exceeded.\"}}",
     ADVISOR_CONFIGURATION, SHORTER},
    {ADVISOR_OPENAI, 400, "{\"error\":{\"code\":400,\"type\":\"exceed_context_size_error\",\"n_ctx\":4096}}",
     ADVISOR_CONFIGURATION, SHORTER},
    {ADVISOR_OPENAI, 422, "{\"detail\":[{\"loc\":[\"body\"]}]}", ADVISOR_INVALID_REQUEST, 0},
    /* Groq */
    {ADVISOR_GROQ, 400,
     "{\"error\":{\"message\":\"The model has been decommissioned\",\"type\":\"invalid_request_error\",\"code\":"
     "\"model_decommissioned\"}}",
     ADVISOR_CONFIGURATION, 0},
    {ADVISOR_GROQ, 400, "{\"error\":{\"message\":\"This model does not support response format `json_schema`\"}}",
     ADVISOR_CONFIGURATION, PLAIN},
    {ADVISOR_GROQ, 400, "{\"error\":{\"code\":\"json_validate_failed\",\"failed_generation\":\"{\"}}",
     ADVISOR_INVALID_ANSWER, RETRY},
    {ADVISOR_GROQ, 400, "{\"error\":{\"code\":\"tool_use_failed\"}}", ADVISOR_INVALID_ANSWER, RETRY},
    {ADVISOR_GROQ, 422, "{}", ADVISOR_INVALID_ANSWER, RETRY},
    {ADVISOR_GROQ, 413, "{\"error\":{\"code\":\"rate_limit_exceeded\"}}", ADVISOR_CONFIGURATION, SHORTER},
    {ADVISOR_GROQ, 424, "", ADVISOR_TRANSIENT, 0},
    {ADVISOR_GROQ, 498, "{\"error\":{\"code\":\"capacity_exceeded\"}}", ADVISOR_TRANSIENT, 0},
    /* Anthropic */
    {ADVISOR_ANTHROPIC, 529,
     "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", ADVISOR_TRANSIENT,
     RETRY},
    {ADVISOR_ANTHROPIC, 200, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", ADVISOR_TRANSIENT,
     RETRY},
    {ADVISOR_ANTHROPIC, 429,
     "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"details\":{\"error_code\":"
     "\"enforced_spend_limit_reached\"}}}",
     ADVISOR_QUOTA, 0},
    {ADVISOR_ANTHROPIC, 429, "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}", ADVISOR_THROTTLED,
     RETRY},
    {ADVISOR_ANTHROPIC, 400,
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"You have reached your specified "
     "API usage limits. You will regain access on 2026-12-01\"}}",
     ADVISOR_QUOTA, 0},
    {ADVISOR_ANTHROPIC, 400,
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"You have reached your specified "
     "workspace API usage limits.\"}}",
     ADVISOR_QUOTA, 0},
    {ADVISOR_ANTHROPIC, 402, "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"x\"}}",
     ADVISOR_QUOTA, 0},
    {ADVISOR_ANTHROPIC, 403, "{\"type\":\"error\",\"error\":{\"type\":\"permission_error\"}}", ADVISOR_AUTHENTICATION,
     0},
    {ADVISOR_ANTHROPIC, 409, "{\"type\":\"error\",\"error\":{\"type\":\"conflict_error\"}}", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_ANTHROPIC, 422, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\"}}",
     ADVISOR_INVALID_REQUEST, 0},
    {ADVISOR_ANTHROPIC, 500, "{\"type\":\"error\",\"error\":{\"type\":\"api_error\"}}", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_ANTHROPIC, 504, "{\"type\":\"error\",\"error\":{\"type\":\"timeout_error\"}}", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_ANTHROPIC, 200, "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\"}}",
     ADVISOR_AUTHENTICATION, 0},
    {ADVISOR_ANTHROPIC, 200, "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}", ADVISOR_THROTTLED,
     RETRY},
    {ADVISOR_ANTHROPIC, 400,
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit balance is too low "
     "to "
     "access the Anthropic API.\"}}",
     ADVISOR_QUOTA, 0},
    {ADVISOR_ANTHROPIC, 400,
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"output_config.format: not "
     "supported "
     "by this model\"}}",
     ADVISOR_CONFIGURATION, PLAIN},
    {ADVISOR_ANTHROPIC, 401, "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\"}}",
     ADVISOR_AUTHENTICATION, 0},
    {ADVISOR_ANTHROPIC, 404, "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: x\"}}",
     ADVISOR_CONFIGURATION, 0},
    {ADVISOR_ANTHROPIC, 413, "{\"type\":\"error\",\"error\":{\"type\":\"request_too_large\"}}", ADVISOR_CONFIGURATION,
     SHORTER},
    {ADVISOR_ANTHROPIC, 400, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\"}}",
     ADVISOR_INVALID_REQUEST, 0},
    /* What no documentation says */
    {ADVISOR_OPENAI, 418, "", ADVISOR_CONFIGURATION, 0},
    {ADVISOR_OPENAI, 599, "[[[[", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 101, "", ADVISOR_TRANSIENT, RETRY},
    {ADVISOR_OPENAI, 400, "{\"error\":{\"code\":{\"a\":1},\"message\":[1],\"type\":7}}", ADVISOR_INVALID_REQUEST, 0},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct http_result r = {.status = cases[i].status,
                                      .body = cases[i].body,
                                      .body_len = strlen(cases[i].body),
                                      .retry_after_ms = 7000,
                                      .got_response = true};
        struct verdict v = advisor_classify(cases[i].flavor, &r, NULL);
        unsigned flags = (v.retry ? RETRY : 0U) | (v.loading ? LOADING : 0U) | (v.without_schema ? PLAIN : 0U) |
                         (v.too_long ? SHORTER : 0U);
        if (v.class != cases[i].class || flags != cases[i].flags)
            fail_msg("HTTP %d %s: %s, flags %u", cases[i].status, cases[i].body, advisor_class_name(v.class), flags);
        assert_int_equal(v.retry_after_ms, v.class == ADVISOR_OK ? -1 : 7000);
        assert_non_null(v.evidence);
    }
}

static void test_exchanges(void **state)
{
    (void)state;
    const struct {
        struct error err;
        enum advisor_class class;
        bool retry;
    } failures[] = {
        {{.kind = ERROR_IO, .message = "can't connect"}, ADVISOR_TRANSIENT, true},
        {{.kind = ERROR_TIMEOUT, .message = "too slow"}, ADVISOR_TRANSIENT, true},
        {{.kind = ERROR_HTTP, .message = "not HTTP"}, ADVISOR_TRANSIENT, true},
        {{.kind = ERROR_TLS, .message = "it broke off the handshake; a client certificate?"}, ADVISOR_TRANSIENT, true},
        {{.kind = ERROR_TLS, .code = HTTP_TLS_LASTING, .message = "self-signed"}, ADVISOR_CONFIGURATION, false},
        {{.kind = ERROR_CONFIG, .message = "no such scheme"}, ADVISOR_CONFIGURATION, false},
        {{.kind = ERROR_LIMIT, .message = "too large"}, ADVISOR_INVALID_ANSWER, true},
        {{.kind = ERROR_CANCELED, .message = "given up"}, ADVISOR_CANCELLED, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
        const struct http_result none = {.retry_after_ms = -1};
        struct verdict v = advisor_classify(ADVISOR_OPENAI, &none, &failures[i].err);
        assert_int_equal(v.class, failures[i].class);
        assert_int_equal(v.retry, failures[i].retry);
    }
}

/* What the user reads: who failed, whether it is paid, what to do; nothing of the provider's words. */
static void test_sentences(void **state)
{
    (void)state;
    for (int c = ADVISOR_TRANSIENT; c < ADVISOR_N_CLASSES; c++) {
        char text[400];
        advisor_class_sentence((enum advisor_class)c, "groq", 30, text, sizeof text);
        assert_int_equal(strncmp(text, "groq ", 5), 0);
        assert_non_null(strstr(text, "tried again in 30 s"));
        assert_non_null(strstr(text, "Scaling goes on without advice."));
        advisor_class_sentence((enum advisor_class)c, "groq", 0, text, sizeof text);
        assert_non_null(strstr(text, "tried again by itself"));
        advisor_class_sentence((enum advisor_class)c, "groq", -1, text, sizeof text);
        assert_null(strstr(text, "again"));
        bool charged = strstr(text, "the call is charged") != NULL;
        assert_int_equal(charged, advisor_class_charged((enum advisor_class)c));
        assert_int_equal(charged, c == ADVISOR_INVALID_REQUEST);
        for (size_t cap = 1; cap < 100; cap += 7) { /* short buffers are cut, not overrun */
            char small[100];
            memset(small, 'x', sizeof small);
            advisor_class_sentence((enum advisor_class)c, "groq", -1, small, cap);
            assert_true(memchr(small, '\0', cap) != NULL);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
