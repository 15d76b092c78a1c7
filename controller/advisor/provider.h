/* One provider: how its requests are written, how its answers are read, and when it is left alone.
 *
 * Three wire forms: OpenAI's chat completions (local servers, OpenAI), the same with Groq's deviations, and Anthropic's
 * messages. Structured output where the provider has it (`response_format: json_schema`, `output_config.format`), a
 * forced tool call or plain JSON elsewhere; always validated by decision.h.
 *
 * A provider keeps to itself: key (bound to the URL's origin by http_origin, wiped, never printed), circuit breaker
 * (open after 5 transient failures within 60 s, or half of at least 10 calls; 30 s, doubling to 10 min; one probe), and
 * what it learnt (no schema support).
 */
#ifndef ADVISOR_PROVIDER_H
#define ADVISOR_PROVIDER_H

#include "advisor/classify.h"
#include "advisor/decision.h"
#include "api/config.h"
#include "base/clock.h"

struct provider;
/* `config` is one entry of the operator's configuration (api/config.h), borrowed. Refuses with the place in the file.
 */
struct provider *provider_new(const struct advisor_provider_config *config, const struct clock *clock,
                              struct error *err) MUST_USE;
struct provider *provider_free(struct provider *p);

/* The key, from the Secret or the file; NULL: none (a local server). A changed key closes the breaker that an
 * authentication failure opened. */
int provider_set_key(struct provider *p, const char *key, struct error *err) MUST_USE;

const char *provider_name(const struct provider *p); /* of the configuration: safe for status and labels */
const char *provider_model(const struct provider *p);
uint64_t provider_digest(const struct provider *p); /* of name, URL, model and prompt version */

/* ---- breaker ---- */
bool provider_admits(struct provider *p,
                     int64_t *ret_wait_ms); /* false: open for that long, INT64_MAX: until a change */
void provider_note(struct provider *p, const struct verdict *verdict);

/* ---- wire ---- */
struct provider_usage {
    int64_t prompt_tokens, completion_tokens; /* -1: not said */
};
/* The request for this situation: path, headers (NULL-terminated, static or owned by `p`) and body. `max_tokens` > 0
 * overrides the configured cap (a longer one after a cut answer). The body has no name, label or key in it. */
void provider_request(struct provider *p, const struct advice_situation *situation, bool shrink, int32_t max_tokens,
                      struct http_request *ret, struct buf *body);
struct http_origin *provider_origin(struct provider *p); /* borrowed */
/* Reads a 2xx answer; fills `decision` when the verdict is ADVISOR_OK. */
struct verdict provider_answer(struct provider *p, const struct http_result *result,
                               const struct advice_situation *asked, struct decision *decision,
                               struct provider_usage *usage);

#endif
