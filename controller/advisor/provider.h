/* One provider: how its requests are written, how its answers are read, and when it is left alone.
 *
 * Three wire forms: OpenAI's chat completions (local servers, OpenAI), the same with Groq's deviations, and Anthropic's
 * messages. Structured output where the provider has it (`response_format: json_schema`, `output_config.format`), a
 * forced tool call or plain JSON elsewhere; always validated by decision.h.
 *
 * A provider keeps to itself: key (bound to the URL's origin by http_origin, wiped, never printed), circuit breaker
 * (open after 5 transient failures within 60 s, or half of at least 10 calls; 30 s, doubling to 10 min; for as long as
 * Retry-After says; one probe), and
 * what it learnt (no schema support), and how often its answers were of no use: five in a row, and it is asked last for
 * ten minutes (degraded).
 */
#ifndef ADVISOR_PROVIDER_H
#define ADVISOR_PROVIDER_H

#include "advisor/classify.h"
#include "advisor/wire.h"
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
uint64_t provider_digest(const struct provider *p);  /* of name, URL, model and prompt version */

/* ---- breaker ---- */
/* False: open. A true may be the one probe of a half-open breaker: the caller asks now, and notes what came of it. */
bool provider_admits(struct provider *p);
int64_t provider_wait_ms(const struct provider *p);               /* until it admits again; INT64_MAX: until a change */
enum advisor_class provider_open_class(const struct provider *p); /* what opened it last */
void provider_note(struct provider *p, const struct verdict *verdict);
bool provider_degraded(const struct provider *p);

/* ---- wire ---- */
struct provider_attempt {
    bool shrink;        /* the prompt was too long */
    int32_t max_tokens; /* 0: the configured cap */
    /* Filled by provider_request(): what the provider has learnt or been given since does not explain its answer. */
    bool without_schema;
    uint32_t key;
};
/* The request of one attempt: method, path, headers, body (appended to `body`, which must outlive http_start()). What
 * else a request has is the caller's. No name, label or key is in it. */
void provider_request(const struct provider *p, const struct advice_situation *situation,
                      struct provider_attempt *attempt, struct http_request *ret, struct buf *body);
/* The request of a first attempt, for people: method and URL, headers without secrets, body. */
void provider_describe(struct provider *p, const struct advice_situation *situation, struct buf *out);
struct http_origin *provider_origin(struct provider *p); /* borrowed */
bool provider_is_local(const struct provider *p);        /* loopback: other deadlines hold */
int32_t provider_timeout_s(const struct provider *p);    /* of one attempt */
int32_t provider_max_tokens(const struct provider *p);
/* What came of it; `decision` is filled when the verdict is ADVISOR_OK. */
struct verdict provider_answer(const struct provider *p, const struct provider_attempt *attempt,
                               const struct http_result *result, const struct error *err,
                               const struct advice_situation *asked, struct decision *decision,
                               struct wire_usage *usage);

#endif
