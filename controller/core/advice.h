/* What an LLM's advice may do to a plan: the rules of decision.md 8, pure.
 *
 *     situation_of(plan) --(somebody else asks, nobody waits)--> struct advice --advice_apply()--> replicas >= D
 *
 * Four questions, each a function of numbers alone:
 *   - advice_situation(): what is worth telling: small integers in 5 % steps, no names. Two autoscalers in the same
 *     situation give the same bytes, so one answer serves both (advisor/cache.h).
 *   - advice_trigger(): is there a reason to ask now? Never on the reconcile path: the plan goes on without it. A
 * question that nobody could answer stays one.
 *   - advice_apply(): what of it fits now. Bounded: only raises, into [D, min(max, N + max_replica_delta)], relative to
 *     the need and never to the current count, so that it can't ratchet. N is D but for what of D comes from the
 * current count, which an HPA keeps within its tolerance, and while pods start. Everything about advice is about N.
 * (What advice has added is no part of D either: loan.h.) Approval: nothing until a person approved this one advice;
 * then also down to max(reactive, effective minimum), which gives back predicted surplus. Observe: recorded.
 *   - advice_score(): was it right? Against the highest need that came within ADVICE_JUDGE_S. Advice of a model that
 *     was wrong in more than half of the last ADVICE_RECORD scores is shown and not applied.
 *
 * Advice lives ADVICE_TTL_S from the sample that it was built from, whatever the cache says, and only while N is where
 * it was (moved by <= max(1, 10 %)), and usage has not crossed the target. Confidence can only discard it. Scaling to
 * and from 0 is never advised.
 *
 * A plan with advice off, absent, expired or rejected is the plan without an advisor, bit for bit (I9).
 */
#ifndef CORE_ADVICE_H
#define CORE_ADVICE_H

#include "base/base.h"
#include "core/codec.h"

#define ADVICE_TTL_S          300 /* after the sample */
#define ADVICE_JUDGE_S        900 /* after the advice: how long its truth is waited for */
#define ADVICE_RECORD         10  /* scores that are remembered */
#define ADVICE_MIN_SCORES     4   /* fewer say nothing about a model */
#define ADVICE_MIN_CONFIDENCE 50  /* percent; below it advice is shown, not applied */

enum advice_mode { ADVICE_OFF, ADVICE_OBSERVE, ADVICE_BOUNDED, ADVICE_APPROVAL };

struct advice_config {
    enum advice_mode mode;
    int32_t max_replica_delta;  /* >= 1: how far above D it may go */
    uint32_t min_interval_s;    /* between two calls for one autoscaler */
    uint32_t timeout_s;         /* of a call, over all providers */
    uint32_t cache_ttl_s;       /* 0: no cache */
    uint32_t daily_call_budget; /* 0: none */
};

/* Why it is asked. Numbers are stored: never reused. */
enum advice_trigger {
    ADVICE_TRIGGER_NONE = 0,
    ADVICE_TRIGGER_ANOMALY = 1,
    ADVICE_TRIGGER_TRUST_LOST = 2,
    ADVICE_TRIGGER_NEAR_MAX = 3,      /* D is within 10 % of max */
    ADVICE_TRIGGER_UNSCHEDULABLE = 4, /* pods that no node takes */
    ADVICE_TRIGGER_CHANGED = 5,       /* the situation left the neighbourhood of the last one asked about */
};

enum advice_side { ADVICE_BELOW_TARGET, ADVICE_WITHIN_TOLERANCE, ADVICE_ABOVE_TARGET };

/* What the model is told, and all of it. Percentages are rounded to 5; -1: not known. */
struct advice_situation {
    int32_t current, min, max;   /* min: the effective one */
    int32_t need;                /* N */
    int32_t reactive, predicted; /* -1: none */
    int32_t usage_percent;       /* of the target, of the deciding metric */
    int32_t peak_percent;        /* the forecast's highest demand within the horizon, of the present one */
    int32_t growth_percent;      /* of demand over the last 30 min, signed; as -1 is no multiple of 5: not known */
    int32_t error_percent;       /* of the forecast */
    bool trusted;
    enum advice_side side;
    uint32_t anomaly;      /* 0 none .. 3 high */
    int32_t unschedulable; /* pods */
    uint32_t lead_s;       /* rounded up to 30 */
    enum advice_trigger trigger;
};

/* The situation as text that is equal exactly when it is: "v1;c=4;..." <= 256 bytes with the NUL. It is the cache's
 * key together with model and prompt version, and the digest in status. */
#define ADVICE_KEY_MAX 256
void advice_situation_key(const struct advice_situation *s, char out[ADVICE_KEY_MAX]);

/* From that text, for who shows it. False: it is none. */
bool advice_situation_parse(const char *key, struct advice_situation *ret);

/* One validated answer, bound to what it was asked about. */
struct advice {
    uint64_t id;           /* of this advice on this object; approval names it. 0: there is none */
    int64_t sampled_us;    /* Unix, the observation it was built from */
    int32_t need, current; /* N and the count then */
    enum advice_side side;
    int32_t target_replicas; /* >= 1 */
    uint32_t confidence_percent;
    uint64_t provider; /* digest of provider and model: whose record it counts for */
};

/* What became of it. Numbers are stored: never reused; advice_outcome_name() has the words for status and docs. */
enum advice_outcome {
    ADVICE_NONE = 0,
    ADVICE_APPLIED = 1,         /* replicas come from it */
    ADVICE_AGREES = 2,          /* it asks for D */
    ADVICE_LOWER_SHOWN = 3,     /* it asks for less than D: shown, not applied */
    ADVICE_OBSERVED = 4,        /* mode Observe */
    ADVICE_AWAITS_APPROVAL = 5, /* mode Approval */
    ADVICE_EXPIRED = 6,
    ADVICE_MOVED_ON = 7,     /* D moved by more than max(1, 10 %), or crossed the target */
    ADVICE_UNSURE = 8,       /* confidence below ADVICE_MIN_CONFIDENCE */
    ADVICE_WRONG_LATELY = 9, /* its model's record */
    ADVICE_NOT_ACTIVE = 10,  /* replicas 0 by hand, metrics missing: no advice is taken */
    ADVICE_N_OUTCOMES
};
const char *advice_outcome_name(enum advice_outcome outcome);
const char *advice_trigger_name(enum advice_trigger trigger);

/* What survives: the advice in hand, what was asked last, scores under way and the record. Part of core_state. */
struct advice_state {
    struct advice advice;
    uint64_t approved_id; /* that a person approved */
    int64_t asked_us;     /* Unix; of the last call, whatever came of it */
    struct advice_situation asked;
    bool seen_trusted, seen_calm; /* since that call: what makes losing trust, or an anomaly, news */
    bool unanswered;              /* by no fault of its own: its reason is still news */
    bool spoiled;                 /* by an answer that was of no use: the same is not asked again for ADVICE_TTL_S */
    struct advice_pending {
        int64_t until_us;               /* 0: free */
        int32_t advised, need, highest; /* highest need seen since */
        uint64_t provider;
    } pending[4];
    struct advice_record {
        uint64_t provider; /* 0: free */
        uint16_t bits;     /* newest is bit 0; 1: right */
        uint8_t n;
    } records[4];
};

/* Whether to ask now. False while the last call is younger than min_interval_s, while advice that fits is in hand, in
 * mode Bounded where the need leaves nothing to raise, and in mode Off. `now_us` is Unix time of the observation. */
enum advice_trigger advice_trigger(const struct advice_config *config, struct advice_state *state,
                                   const struct advice_situation *now, int64_t now_us);
/* It is being asked: starts the interval. */
void advice_asked(struct advice_state *state, const struct advice_situation *situation, int64_t now_us);
/* Nobody could answer, and not because of the question: while its reason lasts it is asked again after the interval. */
void advice_unanswered(struct advice_state *state);
/* A model was reached and its answer was of no use, as that of an equal question would be. */
void advice_spoiled(struct advice_state *state);
/* The answer is there. Replaces what was in hand; starts its score. */
void advice_take(struct advice_state *state, const struct advice *advice);
/* A person approved advice `id` (the annotation): true when it is the one in hand. */
bool advice_approve(struct advice_state *state, uint64_t id);

struct advice_bounds {
    int32_t need, reactive; /* D; reactive -1: none */
    int32_t bare;           /* N, <= D */
    int32_t effective_min, max;
    enum advice_side side;
    bool active; /* false: ADVICE_NOT_ACTIVE */
};
struct advice_effect {
    int32_t replicas; /* what stabilisation goes on with: D when nothing was taken */
    int32_t proposal; /* what the advice asks for, clamped; -1: there is none */
    enum advice_outcome outcome;
};
struct advice_effect advice_apply(const struct advice_config *config, const struct advice_state *state,
                                  const struct advice_bounds *bounds, int64_t now_us);

/* Once per step, after D is known: follows scores under way and finishes those that are due. Right: the advised count
 * is nearer to the highest need that came than D was, or as near. Advice that agreed with D says nothing about its
 * model and is not scored. */
void advice_score(struct advice_state *state, int32_t need, int64_t now_us);
/* Right answers of the last `*ret_n` (<= ADVICE_RECORD) of this provider. */
uint32_t advice_record(const struct advice_state *state, uint64_t provider, uint32_t *ret_n);

/* False: nobody was asked so far, and there is nothing to be encoded. */
bool advice_known(const struct advice_state *state);
void advice_encode(const struct advice_state *state, struct codec_writer *w);
int advice_decode(struct advice_state *ret, struct codec_reader *r);

#endif
