/* The two wire forms, without connections: a request's path and body, and what an answer's body says.
 *
 *     POST {url}/chat/completions   OpenAI, Groq, llama.cpp, Ollama, vLLM
 *     POST {url}/messages           Anthropic, version 2023-06-01
 *
 * Private to controller/advisor.
 */
#ifndef ADVISOR_WIRE_H
#define ADVISOR_WIRE_H

#include "advisor/classify.h"
#include "advisor/decision.h"

struct wire_options {
    enum advisor_flavor flavor;
    enum advisor_structure structure;
    bool without_schema; /* it was learnt that the model has none */
    bool shrink;
    const char *model;
    const char *max_tokens_parameter;
    int32_t max_tokens;
};
struct wire_usage {
    int64_t prompt_tokens, completion_tokens; /* -1: not said */
};

const char *wire_path(enum advisor_flavor flavor);
const char *const *wire_headers(enum advisor_flavor flavor); /* NULL-terminated, static */
void wire_request(const struct wire_options *options, const struct advice_situation *situation, struct buf *out);
/* Of the body of a 2xx answer that advisor_classify() took for ADVISOR_OK. */
struct verdict wire_answer(enum advisor_flavor flavor, const char *body, size_t len,
                           const struct advice_situation *asked, struct decision *ret, struct wire_usage *usage);

#endif
