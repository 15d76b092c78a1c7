/* One provider: its place, its breaker, its requests; see provider.h. */
#include "advisor/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advisor/prompt.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/siphash.h"
#include "base/str.h"

#define MAX_CA_BYTES        (1024 * 1024)
#define TRANSIENT_TO_OPEN   5
#define TRANSIENT_WINDOW_US (60 * USEC_PER_SEC)
#define CALLS_TO_JUDGE      10
#define OPEN_FIRST_US       (30 * USEC_PER_SEC)
#define OPEN_LONGEST_US     (600 * USEC_PER_SEC)
#define OPEN_LASTING_US     (3600 * USEC_PER_SEC)
#define LONGEST_WISH_MS     86400000
#define LOADING_GRACE_US    (300 * USEC_PER_SEC)
#define UNUSABLE_TO_DEGRADE 5
#define DEGRADED_US         (600 * USEC_PER_SEC)
#define NEVER               INT64_MAX

struct provider {
    const struct advisor_provider_config *config;
    const struct clock *clock;
    struct http_origin *origin;
    uint64_t digest;
    char *key;       /* to see that it changed */
    uint32_t n_keys; /* so far: which one an attempt was made with */

    bool without_schema;
    uint32_t unusable; /* in a row */
    int64_t degraded_until_us;
    struct {
        int64_t open_until_us; /* 0: closed, NEVER: until a change */
        enum advisor_class why;
        int64_t open_for_us; /* the next time */
        bool probing;
        int64_t recent_us[TRANSIENT_TO_OPEN]; /* of the last transient failures */
        uint32_t calls, failures;             /* since it was closed, halved at 100 */
        int64_t loading_since_us;
    } breaker;
};

/* ---- life ---- */

static uint64_t digest_of(const struct advisor_provider_config *c)
{
    static const uint64_t key[2] = {PROMPT_VERSION, 0};
    _cleanup_(buf_done) struct buf text = BUF_INIT(2048);
    (void)buf_printf(&text, "%s\n%s\n%s", c->name, c->url, c->model);
    uint64_t digest = siphash24(key, text.data, text.len);
    return digest ? digest : 1;
}

struct provider *provider_new(const struct advisor_provider_config *config, const struct clock *clock,
                              struct error *err)
{
    if (advisor_url_is_link_local(config->url)) {
        error_set(err, ERROR_CONFIG, "advisor provider %s: url is a link-local address, where clouds keep credentials",
                  config->name);
        return NULL;
    }
    char *ca = NULL;
    size_t ca_len;
    struct error why = ERROR_INIT;
    if (config->ca_file[0] && file_read(config->ca_file, MAX_CA_BYTES, &ca, &ca_len, &why) < 0) {
        error_set(err, ERROR_CONFIG, "advisor provider %s: caFile: %s", config->name, error_text(&why));
        return NULL;
    }
    struct http_origin_config where = {.url = config->url, .ca_pem = ca};
    struct http_origin *origin = http_origin_new(&where, err);
    free(ca);
    if (!origin) {
        error_wrap(err, "advisor provider %s", config->name);
        return NULL;
    }
    struct provider *p = xcalloc(1, sizeof *p);
    *p = (struct provider){.config = config, .clock = clock, .origin = origin, .digest = digest_of(config)};
    p->breaker.open_for_us = OPEN_FIRST_US;
    return p;
}

struct provider *provider_free(struct provider *p)
{
    if (!p)
        return NULL;
    http_origin_unref(p->origin);
    secret_free(p->key);
    free(p);
    return NULL;
}

int provider_set_key(struct provider *p, const char *key, struct error *err)
{
    if (streq0(key, p->key))
        return 0;
    int result = p->config->flavor == ADVISOR_ANTHROPIC ? http_origin_set_header(p->origin, "x-api-key", key, err)
                                                        : http_origin_set_bearer(p->origin, key, err);
    if (result < 0)
        return error_wrap(err, "key of advisor provider %s", p->config->name);
    secret_free(p->key);
    p->key = key ? xstrdup(key) : NULL;
    p->n_keys++;
    if (p->breaker.why == ADVISOR_AUTHENTICATION || p->breaker.why == ADVISOR_QUOTA)
        p->breaker.open_until_us = 0;
    return 0;
}

const char *provider_name(const struct provider *p)
{
    return p->config->name;
}

uint64_t provider_digest(const struct provider *p)
{
    return p->digest;
}

void provider_describe(struct provider *p, const struct advice_situation *situation, struct buf *out)
{
    struct provider_attempt first = {.max_tokens = 0};
    struct http_request request = {.method = NULL};
    _cleanup_(buf_done) struct buf body = BUF_INIT(64 * 1024);
    provider_request(p, situation, &first, &request, &body);
    (void)buf_printf(out, "%s %s%s\n", request.method, http_origin_url(p->origin), request.path);
    for (const char *const *h = request.headers; *h; h++)
        (void)buf_printf(out, "%s\n", *h);
    (void)buf_printf(out, "\n%.*s\n", (int)body.len, body.data);
}

struct http_origin *provider_origin(struct provider *p)
{
    return p->origin;
}

bool provider_is_local(const struct provider *p)
{
    return http_origin_is_loopback(p->origin);
}

int32_t provider_timeout_s(const struct provider *p)
{
    return p->config->timeout_s;
}

int32_t provider_max_tokens(const struct provider *p)
{
    return p->config->max_tokens;
}

/* ---- breaker ---- */

static void open_for(struct provider *p, enum advisor_class why, int64_t us)
{
    p->breaker.why = why;
    p->breaker.open_until_us = us == NEVER ? NEVER : clock_boot_us(p->clock) + us;
    p->breaker.probing = false;
}

static void open_transient(struct provider *p, enum advisor_class why)
{
    open_for(p, why, p->breaker.open_for_us);
    p->breaker.open_for_us = MIN(2 * p->breaker.open_for_us, OPEN_LONGEST_US);
    memset(p->breaker.recent_us, 0, sizeof p->breaker.recent_us);
    p->breaker.calls = p->breaker.failures = 0;
}

int64_t provider_wait_ms(const struct provider *p)
{
    int64_t now = clock_boot_us(p->clock), until = p->breaker.open_until_us;
    if (until == 0 || until == NEVER)
        return until;
    if (now < until)
        return (until - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
    return p->breaker.probing ? 1000 : 0; /* one at a time; the rest waits for what it finds */
}

enum advisor_class provider_open_class(const struct provider *p)
{
    return p->breaker.why;
}

bool provider_admits(struct provider *p)
{
    if (provider_wait_ms(p) != 0)
        return false;
    p->breaker.probing = p->breaker.open_until_us != 0;
    return true;
}

/* A model server that loads its model is not broken, for as long as loading takes at most. */
static bool is_still_loading(struct provider *p, const struct verdict *v, int64_t now)
{
    if (!v->loading) {
        p->breaker.loading_since_us = 0;
        return false;
    }
    if (p->breaker.loading_since_us == 0)
        p->breaker.loading_since_us = now;
    return now - p->breaker.loading_since_us < LOADING_GRACE_US;
}

static void note_transient(struct provider *p, const struct verdict *v)
{
    int64_t now = clock_boot_us(p->clock);
    if (is_still_loading(p, v, now)) {
        p->breaker.probing = false;
        return;
    }
    p->breaker.failures++;
    int64_t *recent = p->breaker.recent_us;
    memmove(recent + 1, recent, (TRANSIENT_TO_OPEN - 1) * sizeof *recent);
    recent[0] = now;
    bool many = recent[TRANSIENT_TO_OPEN - 1] != 0 && now - recent[TRANSIENT_TO_OPEN - 1] <= TRANSIENT_WINDOW_US;
    bool half = p->breaker.calls >= CALLS_TO_JUDGE && 2 * p->breaker.failures >= p->breaker.calls;
    if (p->breaker.probing || many || half)
        open_transient(p, v->class);
    if (v->retry_after_ms > 0) { /* what it asked for holds for every question, not for this one alone */
        int64_t wish_us = MIN(v->retry_after_ms, LONGEST_WISH_MS) * USEC_PER_MSEC;
        if (p->breaker.open_until_us < now + wish_us)
            open_for(p, v->class, wish_us);
    }
}

static void close_breaker(struct provider *p)
{
    p->breaker.probing = false;
    p->breaker.open_until_us = 0;
    p->breaker.why = ADVISOR_OK;
    p->breaker.open_for_us = OPEN_FIRST_US;
}

static void note_unusable(struct provider *p)
{
    if (++p->unusable >= UNUSABLE_TO_DEGRADE)
        p->degraded_until_us = clock_boot_us(p->clock) + DEGRADED_US;
}

void provider_note(struct provider *p, const struct verdict *v)
{
    if (v->class == ADVISOR_CANCELLED || v->impatient) {
        p->breaker.probing = false; /* found nothing out */
        return;
    }
    if (++p->breaker.calls > 100) {
        p->breaker.calls /= 2;
        p->breaker.failures /= 2;
    }
    if (v->class == ADVISOR_TRANSIENT || v->class == ADVISOR_THROTTLED) {
        note_transient(p, v);
    } else if (v->class == ADVISOR_QUOTA) {
        open_for(p, v->class,
                 v->retry_after_ms > 0 ? MIN(v->retry_after_ms, LONGEST_WISH_MS) * USEC_PER_MSEC : OPEN_LASTING_US);
    } else if (v->without_schema || v->too_long) { /* the next attempt is made so that it fits */
        p->without_schema |= v->without_schema;
        p->breaker.probing = false;
    } else if (v->class == ADVISOR_AUTHENTICATION) {
        open_for(p, v->class, NEVER);
    } else if (v->class == ADVISOR_CONFIGURATION) {
        open_for(p, v->class, OPEN_LASTING_US);
    } else {
        close_breaker(p); /* it is there and answers, whatever it says */
    }
    if (v->class == ADVISOR_INVALID_ANSWER)
        note_unusable(p);
    else if (v->class == ADVISOR_OK)
        p->unusable = 0;
}

bool provider_degraded(const struct provider *p)
{
    return clock_boot_us(p->clock) < p->degraded_until_us;
}

/* ---- wire ---- */

void provider_request(const struct provider *p, const struct advice_situation *situation,
                      struct provider_attempt *attempt, struct http_request *ret, struct buf *body)
{
    attempt->without_schema = p->without_schema || p->config->structure != ADVISOR_JSON_SCHEMA;
    attempt->key = p->n_keys;
    const struct wire_options options = {
        .flavor = p->config->flavor,
        .structure = p->config->structure,
        .without_schema = p->without_schema,
        .shrink = attempt->shrink,
        .model = p->config->model,
        .max_tokens_parameter = p->config->max_tokens_parameter,
        .max_tokens = attempt->max_tokens > 0 ? attempt->max_tokens : p->config->max_tokens,
    };
    wire_request(&options, situation, body);
    ret->method = "POST";
    ret->path = wire_path(options.flavor);
    ret->headers = wire_headers(options.flavor);
    ret->body = body->data;
    ret->body_len = body->len;
}

/* The reasoning is shown to whoever may read the object. Its end may be cut off, and the key's with it. */
static bool tells_the_key(const struct provider *p, const struct decision *decision)
{
    char start[17];
    if (!p->key || strlen(p->key) < 8)
        return false;
    (void)str_copy(start, sizeof start, p->key);
    return strstr(decision->reasoning, start) != NULL;
}

struct verdict provider_answer(const struct provider *p, const struct provider_attempt *attempt,
                               const struct http_result *result, const struct error *err,
                               const struct advice_situation *asked, struct decision *decision,
                               struct wire_usage *usage)
{
    *usage = (struct wire_usage){-1, -1};
    struct verdict v = advisor_classify(p->config->flavor, result, err);
    if (v.class == ADVISOR_OK)
        v = wire_answer(p->config->flavor, result->body, result->body_len, asked, decision, usage);
    if (v.class == ADVISOR_OK && tells_the_key(p, decision))
        v = (struct verdict){.class = ADVISOR_INVALID_ANSWER,
                             .retry = true,
                             .retry_after_ms = -1,
                             .evidence = "the answer repeats the key"};
    /* What the attempt did already mends nothing any more. */
    v.without_schema &= !attempt->without_schema;
    v.too_long &= !attempt->shrink;
    v.retry |= v.without_schema;
    if (v.class == ADVISOR_AUTHENTICATION && attempt->key != p->n_keys)
        v = (struct verdict){
            .class = ADVISOR_TRANSIENT, .retry = true, .retry_after_ms = -1, .evidence = "its key was just replaced"};
    return v;
}
