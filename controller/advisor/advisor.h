/* The advisor as the reconciler sees it: asked with a situation, answers some time later, at once from the cache, or
 * says why not. It knows no object and writes nothing; who may ask and what an answer may do is decided elsewhere
 * (core/advice.h), who pays in reconcile/ledger.h.
 *
 * Between a question and a provider stand, in this order:
 *   cache          the same situation within `cache_ttl_s`: answered at once, for every autoscaler alike
 *   single flight  an equal question is under way: this one joins it
 *   breakers       all are open: refused with the reason; nothing is reserved
 *   limits         concurrent calls, a token bucket of calls per minute for the whole operator: ADVISOR_LIMITED
 *   budget         `reserve`: the caller puts the call on its ledger, and says whether it may go
 * A question can be taken back; the call of the last one that waits is then aborted.
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
    const struct operator_config *config; /* outlives the advisor */
    struct loop_meter *meter;             /* of what all of it costs the loop; NULL: not measured */
};
/* Refuses a provider that can't be used as configured, with its name. Keys come later. */
struct advisor *advisor_new(const struct advisor_deps *deps, struct error *err) MUST_USE;
struct advisor *advisor_free(struct advisor *a);
struct loop_meter *advisor_meter(const struct advisor *a); /* of deps; for who works on its behalf. Accepts NULL */
bool advisor_configured(const struct advisor *a);          /* there is at least one provider */
/* NULL: none. Called again whenever the Secret or the file changed. */
int advisor_set_key(struct advisor *a, const char *provider, const char *key, struct error *err) MUST_USE;

enum advisor_answer_kind {
    ADVISOR_ANSWERED,   /* by a provider, by the call that this question paid for */
    ADVISOR_FROM_CACHE, /* by the cache or somebody else's call: nothing is paid */
    ADVISOR_LIMITED,    /* nothing was sent: ask again after outcome.retry_in_ms */
    ADVISOR_FAILED,     /* outcome.class says why; outcome.attempts is 0 when this question's call was not made */
};
struct advisor_answer {
    enum advisor_answer_kind kind;
    struct cascade_outcome outcome;
    uint64_t provider;       /* provider_digest() of who answered; 0: nobody */
    const char *provider_is; /* its name; "" when it is not configured any more */
    int64_t asked_us;        /* Unix: when the call left that gave the answer */
};
typedef void (*advisor_done)(void *data, const struct advisor_answer *answer);

struct advisor_question {
    const struct advice_situation *situation; /* copied */
    uint32_t timeout_s, cache_ttl_s;
    /* Optional. A call is about to be made for this question: the caller reserves it and then says advisor_go(), now or
     * later. Never from inside advisor_ask(). */
    void (*reserve)(void *data, int64_t id);
    advisor_done done; /* exactly once, never from inside advisor_ask() */
    void *data;
};
int64_t advisor_ask(struct advisor *a, const struct advisor_question *question); /* gives an id > 0 */
/* The answer to `reserve`. Not `may`: `done` does not come, and the next one who waits is asked to pay. */
void advisor_go(struct advisor *a, int64_t id, bool may);
void advisor_cancel(struct advisor *a, int64_t id); /* `done` does not come */

/* After a takeover: an answer that stands on some object is worth as much as one in the cache, and a call that was made
 * counts against the limits. */
void advisor_restore(struct advisor *a, const struct advice_situation *situation, const struct decision *decision,
                     uint64_t provider, int64_t asked_us);
void advisor_restore_call(struct advisor *a, int64_t asked_us);

uint64_t advisor_provider(const struct advisor *a, const char *name); /* its digest; 0: it is not configured */

struct advisor_health {
    const char *provider;
    enum advisor_class class; /* ADVISOR_OK: healthy */
    uint32_t failures;        /* in the last 5 min */
    int64_t since_us;         /* CLOCK_BOOTTIME, of that class: a clock that is set raises and resolves nothing */
    int64_t lasted_us;        /* from its first failure to its last, with no success in between */
};
size_t advisor_health(const struct advisor *a, struct advisor_health *out, size_t cap);

#endif
