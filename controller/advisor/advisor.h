/* The advisor as the reconciler sees it: asked with a situation, answers some time later, at once from the cache, or
 * says why not. It knows no object and writes nothing; who may ask and what the answer may do is decided elsewhere
 * (core/advice.h), who pays in reconcile/ledger.h.
 *
 * Between a question and a provider stand, in this order:
 *   cache         the same situation within `cache_ttl_s`: answered at once, for every autoscaler alike. Only validated
 *                 answers; negative entries for at most 60 s, and only for what an administrator has to mend
 *   single flight an equal question is under way: this one joins it
 *   limits        concurrent calls, a token bucket of calls per minute for the whole operator: "Limited", asked again
 * later budget        `may_call`: the caller's ledger; refused before anything is sent A question that waits can be
 * taken back; the call of the last one that waits is then aborted.
 */
#ifndef ADVISOR_ADVISOR_H
#define ADVISOR_ADVISOR_H

#include "advisor/cascade.h"
#include "base/log.h"
#include "base/metrics.h"

struct advisor;
struct advisor_deps {
    struct loop *loop;
    struct http *http;
    struct rng *rng;
    struct log *log;
    struct metrics *metrics;
    const struct operator_config *config;
};
struct advisor *advisor_new(const struct advisor_deps *deps, struct error *err) MUST_USE;
struct advisor *advisor_free(struct advisor *a);
bool advisor_configured(const struct advisor *a); /* there is at least one provider */
int advisor_set_key(struct advisor *a, const char *provider, const char *key, struct error *err) MUST_USE;

enum advisor_answer_kind {
    ADVISOR_ANSWERED,   /* by a provider: this question's call was made, settle it */
    ADVISOR_FROM_CACHE, /* by the cache or another one's call: nothing is paid */
    ADVISOR_LIMITED,    /* limits: nothing was sent, try again after retry_in_ms */
    ADVISOR_FAILED,     /* outcome.class says why; the call was made unless outcome.attempts is 0 */
};
struct advisor_answer {
    enum advisor_answer_kind kind;
    struct cascade_outcome outcome;
    int64_t asked_us; /* Unix, when the call that gave it left: advice of a hit is no older for its reader */
};
typedef void (*advisor_done)(void *data, const struct advisor_answer *answer);

struct advisor_question {
    const struct advice_situation *situation;
    uint32_t timeout_s, cache_ttl_s;
    /* Optional; a call (not a hit) is about to be made. `go` must be called once, now or later (after the reservation
     * is on the object), with whether it may. */
    void (*reserve)(void *data, int64_t id);
    advisor_done done;
    void *data;
};
/* Gives an id > 0; `done` comes later, never from inside. */
int64_t advisor_ask(struct advisor *a, const struct advisor_question *question);
void advisor_go(struct advisor *a, int64_t id, bool may); /* the answer to `reserve` */
void advisor_cancel(struct advisor *a, int64_t id);

/* After a takeover: an answer that is on some object is worth as much as one in the cache; and a call that was made
 * counts against the limits. */
void advisor_restore(struct advisor *a, const char *situation_key, const struct decision *decision, uint64_t provider,
                     int64_t asked_us);
void advisor_restore_call(struct advisor *a, int64_t asked_us);

/* The exact request that would be sent first, for `advise --dry-run`: method, URL, headers without secrets, body. */
int advisor_describe(struct advisor *a, const struct advice_situation *situation, struct buf *out, struct error *err);

/* Health per provider since `window`: what alerts.h watches. */
struct advisor_health {
    const char *provider;
    enum advisor_class class; /* ADVISOR_OK: healthy */
    uint32_t failures;        /* of that class in the last 5 min */
    int64_t since_us;         /* Unix */
};
size_t advisor_health(const struct advisor *a, struct advisor_health *out, size_t cap);

#endif
