/* Cache, single flight and limits in front of the cascade; see advisor.h.
 *
 * Equal questions under way are one flight. The first who asked pays for it (its payer); the others only wait. A flight
 * is waiting for its payer's reservation, or in the cascade. Answers that need no call are given on the next turn. */
#include "advisor/advisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advisor/cache.h"
#include "advisor/health.h"
#include "advisor/prompt.h"
#include "base/alloc.h"
#include "base/backoff.h"
#include "base/str.h"
#include "kube/json.h"

#define KEY_CAP (ADVICE_KEY_MAX + 32)

struct question {
    struct list node; /* of a flight, or of advisor->ready */
    int64_t id;
    struct flight *flight; /* NULL: the answer is ready */
    bool pays;             /* for the call of its flight */
    struct advisor_answer answer;
    uint32_t timeout_s;
    void (*reserve)(void *data, int64_t id);
    advisor_done done;
    void *data;
};

struct flight {
    struct list node;
    struct advisor *a;
    char key[KEY_CAP];
    struct advice_situation situation;
    struct list waiting;    /* questions; the first is asked to pay; it may leave when it has */
    bool reserving, paid;   /* `reserve` was called; and answered with yes */
    struct loop_timer turn; /* to ask the payer */
    int64_t call;           /* of the cascade; 0: not yet */
    int64_t asked_us;       /* Unix */
};

struct advisor {
    struct advisor_deps deps;
    struct log *log;
    struct provider *providers[CONFIG_MAX_PROVIDERS];
    struct health health[CONFIG_MAX_PROVIDERS];
    size_t n_providers;
    uint64_t providers_digest;
    struct cascade *cascade;
    struct cache cache;
    struct ratelimit calls;
    size_t in_flight;
    struct list flights, ready;
    struct loop_timer deliver;
    int64_t last_id;
    struct metrics_family *call_count, *cache_count, *seconds, *tokens, *cost;
};

/* ---- answers ---- */

static void deliver(void *data)
{
    struct advisor *a = data;
    LOOP_METERED(a->deps.meter);
    struct list *n = a->ready.next;
    if (n == &a->ready)
        return;
    struct question *q = CONTAINER_OF(n, struct question, node);
    list_remove(&q->node);
    if (a->ready.next != &a->ready)
        loop_timer_arm(&a->deliver, 0);
    struct advisor_answer answer = q->answer;
    advisor_done done = q->done;
    void *user = q->data;
    free(q);
    done(user, &answer);
}

static void make_ready(struct advisor *a, struct question *q, const struct advisor_answer *answer)
{
    q->answer = *answer;
    q->flight = NULL;
    list_remove(&q->node);
    list_append(&a->ready, &q->node);
    loop_timer_arm(&a->deliver, 0);
}

static void flight_free(struct flight *f)
{
    loop_timer_disarm(&f->turn);
    if (f->call > 0)
        cascade_cancel(f->a->cascade, f->call);
    if (f->paid)
        f->a->in_flight--;
    else
        ratelimit_give_back(&f->a->calls); /* who has no budget left must not use up what others may still spend */
    list_remove(&f->node);
    free(f);
}

static struct question *payer(const struct flight *f)
{
    return CONTAINER_OF(f->waiting.next, struct question, node);
}

static bool nobody_waits(const struct flight *f)
{
    return f->waiting.next == &f->waiting;
}

static void flight_done(void *data, const struct cascade_outcome *outcome)
{
    struct flight *f = data;
    struct advisor *a = f->a;
    f->call = 0;
    if (outcome->class == ADVISOR_OK)
        cache_put(&a->cache, f->key, &outcome->decision, provider_digest(outcome->provider), f->asked_us);
    struct advisor_answer answer = {.outcome = *outcome, .asked_us = f->asked_us, .provider_is = ""};
    if (outcome->provider) {
        answer.provider = provider_digest(outcome->provider);
        answer.provider_is = provider_name(outcome->provider);
    }
    list_for_each_safe (n, after, &f->waiting) {
        struct question *q = CONTAINER_OF(n, struct question, node);
        answer.kind = outcome->class != ADVISOR_OK ? ADVISOR_FAILED : q->pays ? ADVISOR_ANSWERED : ADVISOR_FROM_CACHE;
        answer.outcome.attempts = q->pays ? outcome->attempts : 0;
        make_ready(a, q, &answer);
    }
    flight_free(f);
}

/* ---- taking off ---- */

static void take_off(struct flight *f)
{
    struct advisor *a = f->a;
    f->paid = payer(f)->pays = true;
    a->in_flight++;
    f->asked_us = loop_real_us(a->deps.loop);
    f->call = cascade_ask(a->cascade, &f->situation, (int64_t)payer(f)->timeout_s * USEC_PER_SEC, flight_done, f);
}

static void ask_payer(void *data)
{
    struct flight *f = data;
    LOOP_METERED(f->a->deps.meter);
    struct question *q = payer(f);
    if (!q->reserve) {
        take_off(f);
        return;
    }
    f->reserving = true;
    q->reserve(q->data, q->id);
}

static struct question *find(struct advisor *a, int64_t id)
{
    list_for_each (r, &a->ready) {
        struct question *q = CONTAINER_OF(r, struct question, node);
        if (q->id == id)
            return q;
    }
    list_for_each (m, &a->flights) {
        struct flight *f = CONTAINER_OF(m, struct flight, node);
        list_for_each (n, &f->waiting) {
            struct question *q = CONTAINER_OF(n, struct question, node);
            if (q->id == id)
                return q;
        }
    }
    return NULL;
}

/* A question leaves; when it was to pay and the flight has not taken off, the next one is asked. */
static void leave(struct question *q)
{
    struct flight *f = q->flight;
    bool was_payer = f && payer(f) == q;
    list_remove(&q->node);
    free(q);
    if (!f)
        return;
    if (nobody_waits(f)) {
        flight_free(f);
    } else if (was_payer && !f->paid) {
        f->reserving = false;
        loop_timer_arm(&f->turn, 0);
    }
}

void advisor_go(struct advisor *a, int64_t id, bool may)
{
    struct question *q = find(a, id);
    if (!q || !q->flight || payer(q->flight) != q || !q->flight->reserving || q->flight->paid)
        return;
    if (may)
        take_off(q->flight);
    else
        leave(q);
}

void advisor_cancel(struct advisor *a, int64_t id)
{
    struct question *q = find(a, id);
    if (q)
        leave(q);
}

/* ---- asking ---- */

static const char *name_of(const struct advisor *a, uint64_t digest)
{
    for (size_t i = 0; i < a->n_providers; i++)
        if (provider_digest(a->providers[i]) == digest)
            return provider_name(a->providers[i]);
    return "";
}

/* All breakers are open: what is told is of the one that will be asked first, and when that is. */
static bool is_closed_for_now(struct advisor *a, struct cascade_outcome *ret)
{
    int64_t least = INT64_MAX;
    struct provider *soonest = a->providers[0];
    for (size_t i = 0; i < a->n_providers; i++) {
        int64_t wait_ms = provider_wait_ms(a->providers[i]);
        if (wait_ms < least)
            soonest = a->providers[i];
        least = MIN(least, wait_ms);
    }
    if (least == 0)
        return false;
    *ret = (struct cascade_outcome){
        .class = soonest ? provider_open_class(soonest) : ADVISOR_CONFIGURATION,
        .provider = soonest,
        .retry_in_ms = least == INT64_MAX ? -1 : least,
    };
    return true;
}

static bool is_limited(struct advisor *a, struct cascade_outcome *ret)
{
    size_t waiting = 0;
    list_for_each (n, &a->flights)
        waiting += !CONTAINER_OF(n, struct flight, node)->paid;
    int64_t now = loop_now_us(a->deps.loop);
    if (a->in_flight + waiting < (size_t)a->deps.config->advisor.max_concurrent_calls && ratelimit_take(&a->calls, now))
        return false;
    *ret = (struct cascade_outcome){.class = ADVISOR_CANCELLED, .retry_in_ms = 5000};
    return true;
}

static void count_cache(struct advisor *a, const char *result)
{
    metrics_add(metrics_get(a->cache_count, result, NULL), 1);
}

static void key_of(const struct advisor *a, const struct advice_situation *s, char out[KEY_CAP])
{
    char key[ADVICE_KEY_MAX];
    advice_situation_key(s, key);
    (void)snprintf(out, KEY_CAP, "%016llx;%s", (unsigned long long)a->providers_digest, key);
}

static struct flight *find_flight(struct advisor *a, const char *key)
{
    list_for_each (n, &a->flights) {
        struct flight *f = CONTAINER_OF(n, struct flight, node);
        if (strcmp(f->key, key) == 0)
            return f;
    }
    return NULL;
}

static void join(struct flight *f, struct question *q)
{
    q->flight = f;
    list_append(&f->waiting, &q->node);
}

static struct flight *flight_new(struct advisor *a, const char *key, const struct advice_situation *situation)
{
    struct flight *f = xcalloc(1, sizeof *f);
    f->a = a;
    f->situation = *situation;
    (void)snprintf(f->key, sizeof f->key, "%s", key);
    list_init(&f->waiting);
    list_append(&a->flights, &f->node);
    loop_timer_init(&f->turn, a->deps.loop, LOOP_IDLE, ask_payer, f);
    loop_timer_arm(&f->turn, 0);
    return f;
}

int64_t advisor_ask(struct advisor *a, const struct advisor_question *question)
{
    struct question *q = xcalloc(1, sizeof *q);
    *q = (struct question){.id = ++a->last_id,
                           .timeout_s = question->timeout_s,
                           .reserve = question->reserve,
                           .done = question->done,
                           .data = question->data};
    list_init(&q->node);
    char key[KEY_CAP];
    key_of(a, question->situation, key);
    const struct cached_answer *hit = cache_get(&a->cache, key, question->cache_ttl_s, loop_real_us(a->deps.loop));
    struct flight *f = hit ? NULL : find_flight(a, key);
    struct advisor_answer answer = {.kind = ADVISOR_FAILED, .provider_is = ""};
    if (hit) {
        count_cache(a, "hit");
        answer = (struct advisor_answer){.kind = ADVISOR_FROM_CACHE,
                                         .outcome = {.class = ADVISOR_OK, .decision = hit->decision},
                                         .provider = hit->provider,
                                         .provider_is = name_of(a, hit->provider),
                                         .asked_us = hit->asked_us};
        make_ready(a, q, &answer);
    } else if (f) {
        count_cache(a, "joined");
        join(f, q);
    } else if (is_closed_for_now(a, &answer.outcome)) {
        count_cache(a, "miss");
        answer.provider_is = answer.outcome.provider ? provider_name(answer.outcome.provider) : "";
        make_ready(a, q, &answer);
    } else if (is_limited(a, &answer.outcome)) {
        count_cache(a, "limited");
        answer.kind = ADVISOR_LIMITED;
        make_ready(a, q, &answer);
    } else {
        count_cache(a, "miss");
        join(flight_new(a, key, question->situation), q);
    }
    return q->id;
}

/* ---- life ---- */

static void count_tokens(struct advisor *a, const struct advisor_provider_config *c, const struct wire_usage *usage)
{
    if (usage->prompt_tokens < 0 || usage->completion_tokens < 0)
        return;
    metrics_add(metrics_get(a->tokens, c->name, "prompt", NULL), (double)usage->prompt_tokens);
    metrics_add(metrics_get(a->tokens, c->name, "completion", NULL), (double)usage->completion_tokens);
    metrics_add(metrics_get(a->cost, c->name, NULL),
                ((double)usage->prompt_tokens * quantity_double(c->input_price) +
                 (double)usage->completion_tokens * quantity_double(c->output_price)) /
                    1e6);
}

static void on_attempt(void *data, struct provider *p, const struct verdict *v, int64_t took_us,
                       const struct wire_usage *usage)
{
    struct advisor *a = data;
    size_t i = 0;
    while (a->providers[i] != p)
        i++;
    if (!v->impatient)
        health_note(&a->health[i], v->class, loop_now_us(a->deps.loop));
    metrics_add(metrics_get(a->call_count, provider_name(p), advisor_class_name(v->class), NULL), 1);
    metrics_observe(metrics_get(a->seconds, provider_name(p), NULL), (double)took_us / 1e6);
    count_tokens(a, &a->deps.config->advisor.providers[i], usage);
    if (v->class == ADVISOR_OK)
        log_debug(a->log, "advice", LOG_S("provider", provider_name(p)), LOG_I("ms", took_us / 1000));
    else
        log_warn(a->log, "no advice", LOG_S("provider", provider_name(p)), LOG_S("class", advisor_class_name(v->class)),
                 LOG_S("evidence", v->evidence), LOG_I("ms", took_us / 1000));
}

static void register_metrics(struct advisor *a)
{
    static const double seconds[] = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 240};
    struct metrics *m = a->deps.metrics;
    a->call_count = metrics_family(m, METRICS_COUNTER, "ai4k8s_advisor_calls_total",
                                   "Calls of LLM providers by what came of them", "provider,result", NULL, 0);
    a->cache_count = metrics_family(m, METRICS_COUNTER, "ai4k8s_advisor_questions_total",
                                    "Questions by where they went: hit, joined, limited, miss", "cache", NULL, 0);
    a->seconds = metrics_family(m, METRICS_HISTOGRAM, "ai4k8s_advisor_call_duration_seconds",
                                "Duration of calls of LLM providers", "provider", seconds, ARRAY_SIZE(seconds));
    a->tokens = metrics_family(m, METRICS_COUNTER, "ai4k8s_advisor_tokens_total", "Tokens as providers report them",
                               "provider,kind", NULL, 0);
    a->cost = metrics_family(m, METRICS_COUNTER, "ai4k8s_advisor_cost_total",
                             "Cost of tokens at the configured prices, whether the call was charged or not", "provider",
                             NULL, 0);
}

struct advisor *advisor_new(const struct advisor_deps *deps, struct error *err)
{
    const struct advisor_settings *settings = &deps->config->advisor;
    struct advisor *a = xcalloc(1, sizeof *a);
    a->deps = *deps;
    a->log = log_with(deps->log, "advisor");
    list_init(&a->flights);
    list_init(&a->ready);
    cache_init(&a->cache);
    loop_timer_init(&a->deliver, deps->loop, LOOP_IDLE, deliver, a);
    ratelimit_init(&a->calls, settings->calls_per_minute / 60.0, settings->calls_per_minute, loop_now_us(deps->loop));
    register_metrics(a);
    for (uint32_t i = 0; i < settings->n_providers; i++) {
        a->providers[i] = provider_new(&settings->providers[i], loop_clock(deps->loop), err);
        if (!a->providers[i])
            return advisor_free(a);
        a->n_providers++;
        a->providers_digest = a->providers_digest * 31 + provider_digest(a->providers[i]);
    }
    a->cascade = cascade_new(&(struct cascade_deps){.loop = deps->loop,
                                                    .http = deps->http,
                                                    .rng = deps->rng,
                                                    .providers = a->providers,
                                                    .n_providers = a->n_providers,
                                                    .meter = deps->meter,
                                                    .on_attempt = on_attempt,
                                                    .data = a});
    return a;
}

static void free_questions(struct list *questions)
{
    list_for_each_safe (n, after, questions) {
        list_remove(n);
        free(CONTAINER_OF(n, struct question, node));
    }
}

struct advisor *advisor_free(struct advisor *a)
{
    if (!a)
        return NULL;
    list_for_each_safe (n, after, &a->flights) {
        struct flight *f = CONTAINER_OF(n, struct flight, node);
        free_questions(&f->waiting);
        flight_free(f);
    }
    free_questions(&a->ready);
    loop_timer_disarm(&a->deliver);
    cascade_free(a->cascade);
    for (size_t i = 0; i < a->n_providers; i++)
        provider_free(a->providers[i]);
    cache_done(&a->cache);
    free(a);
    return NULL;
}

struct loop_meter *advisor_meter(const struct advisor *a)
{
    return a ? a->deps.meter : NULL;
}

bool advisor_configured(const struct advisor *a)
{
    return a->n_providers > 0;
}

int advisor_set_key(struct advisor *a, const char *provider, const char *key, struct error *err)
{
    for (size_t i = 0; i < a->n_providers; i++)
        if (strcmp(provider_name(a->providers[i]), provider) == 0)
            return provider_set_key(a->providers[i], key, err);
    return error_set(err, ERROR_CONFIG, "there is no advisor provider %s", provider);
}

void advisor_restore(struct advisor *a, const struct advice_situation *situation, const struct decision *decision,
                     uint64_t provider, int64_t asked_us)
{
    char key[KEY_CAP];
    key_of(a, situation, key);
    if (*name_of(a, provider)) /* of a model that is configured */
        cache_put(&a->cache, key, decision, provider, asked_us);
}

uint64_t advisor_provider(const struct advisor *a, const char *name)
{
    for (size_t i = 0; i < a->n_providers; i++)
        if (streq(provider_name(a->providers[i]), name))
            return provider_digest(a->providers[i]);
    return 0;
}

void advisor_restore_call(struct advisor *a, int64_t asked_us)
{
    int64_t age_us = loop_real_us(a->deps.loop) - asked_us;
    if (age_us >= 0 && age_us < 60 * USEC_PER_SEC)
        (void)ratelimit_take(&a->calls, loop_now_us(a->deps.loop));
}

size_t advisor_health(const struct advisor *a, struct advisor_health *out, size_t cap)
{
    size_t n = MIN(a->n_providers, cap);
    for (size_t i = 0; i < n; i++)
        out[i] = (struct advisor_health){
            .provider = provider_name(a->providers[i]),
            .class = a->health[i].class,
            .failures = health_failures(&a->health[i], loop_now_us(a->deps.loop)),
            .since_us = a->health[i].since_us,
            .lasted_us = health_lasted_us(&a->health[i]),
        };
    return n;
}
