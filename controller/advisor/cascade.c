/* One question, several providers, one deadline; see cascade.h.
 *
 * An ask is always in one of three places: an exchange is under way (`exchange` > 0), or its timer runs (a back-off, or
 * the first turn), or it is over. The deadline has a timer of its own. */
#include "advisor/cascade.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/list.h"

#define MAX_ATTEMPTS         3
#define MAX_ANSWER           (256 * 1024)
#define MAX_REQUEST          (64 * 1024)
#define BACKOFF_FIRST_US     (500 * USEC_PER_MSEC)
#define BACKOFF_LONGEST_US   (8 * USEC_PER_SEC)
#define LONGEST_WAIT_MS      120000
#define AFTER_RETRY_AFTER_US (100 * USEC_PER_MSEC)
#define CONNECT_US(local)    ((local) ? USEC_PER_SEC : 3 * USEC_PER_SEC)
#define SILENCE_US(local)    ((local) ? 60 * USEC_PER_SEC : 30 * USEC_PER_SEC)

struct ask {
    struct list node; /* of cascade->asks */
    struct cascade *c;
    int64_t id;
    struct advice_situation situation;
    int64_t started_us, deadline_us; /* CLOCK_BOOTTIME */
    struct loop_timer next, deadline;
    int64_t exchange;
    int64_t sent_us;

    size_t order[CONFIG_MAX_PROVIDERS], at; /* which provider; those that are degraded come last */
    uint32_t tries;                         /* with this provider */
    struct provider_attempt attempt;
    bool again_longer; /* only once */

    struct cascade_outcome outcome;
    cascade_done done;
    void *data;
};

struct cascade {
    struct cascade_deps deps;
    struct list asks;
    int64_t last_id;
};

struct cascade *cascade_new(const struct cascade_deps *deps)
{
    struct cascade *c = xcalloc(1, sizeof *c);
    c->deps = *deps;
    list_init(&c->asks);
    return c;
}

static void ask_free(struct ask *a)
{
    if (a->exchange > 0)
        http_cancel(a->c->deps.http, a->exchange);
    loop_timer_disarm(&a->next);
    loop_timer_disarm(&a->deadline);
    list_remove(&a->node);
    free(a);
}

struct cascade *cascade_free(struct cascade *c)
{
    if (!c)
        return NULL;
    list_for_each_safe (n, after, &c->asks)
        ask_free(CONTAINER_OF(n, struct ask, node));
    free(c);
    return NULL;
}

/* ---- the end ---- */

static void finish(struct ask *a)
{
    struct cascade_outcome outcome = a->outcome;
    outcome.took_us = loop_now_us(a->c->deps.loop) - a->started_us;
    cascade_done done = a->done;
    void *data = a->data;
    ask_free(a);
    done(data, &outcome);
}

static struct provider *current(const struct ask *a)
{
    return a->c->deps.providers[a->order[a->at]];
}

static void tell_attempt(struct ask *a, const struct verdict *v, const struct wire_usage *usage)
{
    provider_note(current(a), v);
    if (a->c->deps.on_attempt)
        a->c->deps.on_attempt(a->c->deps.data, current(a), v, loop_now_us(a->c->deps.loop) - a->sent_us, usage);
}

static void on_deadline(void *data)
{
    struct ask *a = data;
    LOOP_METERED(a->c->deps.meter);
    struct verdict v = {.class = ADVISOR_TRANSIENT, .retry_after_ms = -1, .evidence = "no answer in time"};
    if (a->exchange > 0) {
        const struct wire_usage usage = {-1, -1};
        /* Who sets a short spec.advisor.timeoutSeconds must not close a slow provider to everybody else. */
        v.impatient = loop_now_us(a->c->deps.loop) - a->sent_us < provider_timeout_s(current(a)) * USEC_PER_SEC;
        http_cancel(a->c->deps.http, a->exchange);
        a->exchange = 0;
        tell_attempt(a, &v, &usage);
        a->outcome.class = v.class;
        a->outcome.provider = current(a);
    }
    a->outcome.retry_in_ms = MAX(a->outcome.retry_in_ms, 0);
    finish(a);
}

/* ---- one attempt after the other ---- */

static void attempt(void *data);

/* The shortest time after which one of them may be asked again. */
static int64_t retry_in_ms(struct ask *a)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < a->c->deps.n_providers; i++)
        least = MIN(least, provider_wait_ms(a->c->deps.providers[i]));
    return least == INT64_MAX ? -1 : least;
}

static void next_provider(struct ask *a)
{
    a->at++;
    a->tries = 0;
    a->attempt = (struct provider_attempt){.max_tokens = 0};
    a->again_longer = false;
    if (a->at < a->c->deps.n_providers) {
        loop_timer_arm(&a->next, 0);
        return;
    }
    a->outcome.retry_in_ms = retry_in_ms(a);
    finish(a);
}

/* Whether this provider is asked once more, and after how long; < 0: no. */
static int64_t wait_before_retry_us(struct ask *a, const struct verdict *v)
{
    if (!v->retry || a->tries >= MAX_ATTEMPTS)
        return -1;
    if (v->class == ADVISOR_INVALID_ANSWER && a->tries >= 2)
        return -1;
    int64_t wait_us = 0;
    if (v->class == ADVISOR_TRANSIENT || v->class == ADVISOR_THROTTLED) {
        int64_t most = MIN(BACKOFF_FIRST_US << a->tries, BACKOFF_LONGEST_US);
        wait_us = (int64_t)(rng_unit(a->c->deps.rng) * (double)most);
        if (v->retry_after_ms > LONGEST_WAIT_MS)
            return -1;
        if (v->retry_after_ms > 0) /* the breaker is open for as long, and its clock reads a little later than ours */
            wait_us = MAX(wait_us, v->retry_after_ms * USEC_PER_MSEC + AFTER_RETRY_AFTER_US);
    }
    return loop_now_us(a->c->deps.loop) + wait_us < a->deadline_us ? wait_us : -1;
}

static bool goes_on_elsewhere(enum advisor_class class)
{
    return class != ADVISOR_INVALID_REQUEST && class != ADVISOR_CANCELLED;
}

static void after_failure(struct ask *a, const struct verdict *v)
{
    a->outcome.class = v->class;
    a->outcome.provider = current(a);
    a->outcome.retry_in_ms = v->retry_after_ms;
    if (v->too_long) {
        a->attempt.shrink = true;
        loop_timer_arm(&a->next, 0);
        return;
    }
    if (v->cut && !a->again_longer) {
        a->again_longer = true;
        a->attempt.max_tokens = 2 * provider_max_tokens(current(a));
        loop_timer_arm(&a->next, 0);
        return;
    }
    int64_t wait_us = wait_before_retry_us(a, v);
    if (wait_us >= 0)
        loop_timer_arm(&a->next, wait_us);
    else if (goes_on_elsewhere(v->class))
        next_provider(a);
    else
        finish(a);
}

static void on_answer(void *data, const struct http_result *result, const struct error *err)
{
    struct ask *a = data;
    a->exchange = 0;
    struct wire_usage usage;
    struct verdict v =
        provider_answer(current(a), &a->attempt, result, err, &a->situation, &a->outcome.decision, &usage);
    tell_attempt(a, &v, &usage);
    if (v.class != ADVISOR_OK) {
        after_failure(a, &v);
        return;
    }
    a->outcome.class = ADVISOR_OK;
    a->outcome.provider = current(a);
    a->outcome.retry_in_ms = 0;
    finish(a);
}

static void attempt(void *data)
{
    struct ask *a = data;
    LOOP_METERED(a->c->deps.meter);
    struct provider *p = current(a);
    int64_t now = loop_now_us(a->c->deps.loop);
    if (!provider_admits(p)) {
        if (!a->outcome.provider) { /* nobody was asked so far: why not is what there is to say */
            a->outcome.class = provider_open_class(p);
            a->outcome.provider = p;
        }
        next_provider(a);
        return;
    }
    a->tries++;
    a->outcome.attempts++;
    a->sent_us = now;
    bool local = provider_is_local(p);
    _cleanup_(buf_done) struct buf body = BUF_INIT(MAX_REQUEST);
    struct http_request request = {
        .connect_timeout_us = CONNECT_US(local),
        .total_timeout_us = MIN(provider_timeout_s(p) * USEC_PER_SEC, MAX(a->deadline_us - now, USEC_PER_MSEC)),
        .idle_timeout_us = SILENCE_US(local),
        .max_body = MAX_ANSWER,
        .priority = LOOP_IDLE,
        .done = on_answer,
        .data = a,
    };
    provider_request(p, &a->situation, &a->attempt, &request, &body);
    struct error err = ERROR_INIT;
    a->exchange = http_start(a->c->deps.http, provider_origin(p), &request, &err);
    if (a->exchange < 0) {
        a->exchange = 0;
        const struct http_result none = {.retry_after_ms = -1};
        on_answer(a, &none, &err);
    }
}

/* ---- asking ---- */

static void put_in_order(struct ask *a)
{
    size_t n = 0;
    for (int degraded = 0; degraded <= 1; degraded++)
        for (size_t i = 0; i < a->c->deps.n_providers; i++)
            if (provider_degraded(a->c->deps.providers[i]) == (degraded != 0))
                a->order[n++] = i;
}

int64_t cascade_ask(struct cascade *c, const struct advice_situation *situation, int64_t timeout_us, cascade_done done,
                    void *data)
{
    struct ask *a = xcalloc(1, sizeof *a);
    int64_t now = loop_now_us(c->deps.loop);
    *a = (struct ask){.c = c,
                      .id = ++c->last_id,
                      .situation = *situation,
                      .started_us = now,
                      .deadline_us = now + timeout_us,
                      .done = done,
                      .data = data};
    a->outcome.class = ADVISOR_CONFIGURATION; /* of a cascade without a provider */
    a->outcome.retry_in_ms = -1;
    put_in_order(a);
    list_append(&c->asks, &a->node);
    loop_timer_init(&a->next, c->deps.loop, LOOP_IDLE, attempt, a);
    loop_timer_init(&a->deadline, c->deps.loop, LOOP_IDLE, on_deadline, a);
    loop_timer_arm(&a->deadline, c->deps.n_providers > 0 ? timeout_us : 0);
    if (c->deps.n_providers > 0)
        loop_timer_arm(&a->next, 0);
    return a->id;
}

void cascade_cancel(struct cascade *c, int64_t id)
{
    list_for_each_safe (n, after, &c->asks) {
        struct ask *a = CONTAINER_OF(n, struct ask, node);
        if (a->id != id)
            continue;
        if (a->exchange > 0) {
            const struct verdict v = {.class = ADVISOR_CANCELLED, .retry_after_ms = -1, .evidence = "given up by us"};
            const struct wire_usage usage = {-1, -1};
            tell_attempt(a, &v, &usage);
        }
        ask_free(a);
        return;
    }
}
