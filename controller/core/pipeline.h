/* From needs to a count, pure: tolerance, advice, windows, policies, bounds, and what holds a reduction. It is asked
 * several times in a step: for the plan, for the count without advice, and to assert the invariants.
 *
 * While advice has a loan (loan.h) there are two counts: `without`, which the same rules make of the need as if no
 * advice had ever been, and the live one. The need is that of `without`; what the live count takes from it is
 *   - with advice: as far as that asks, at most max_replica_delta above what would be written without;
 *   - until the scale-down window has passed since: what the windows keep, never raised above what would be without;
 *   - then: what would be without, as fast as the policies allow.
 * Nothing else may keep a loan: no tolerance, no outlook.
 */
#ifndef CORE_PIPELINE_H
#define CORE_PIPELINE_H

#include "core/loan.h"
#include "core/step.h"

/* HPA: which of its ways reconcileAutoscaler goes. */
enum pipeline_way { WAY_COMPUTE, WAY_DISABLED, WAY_DOWN_TO_MAX, WAY_UP_TO_MIN };

/* All that a decision depends on. */
struct question {
    const struct core_spec *spec;
    const struct behavior *behavior;
    int64_t now_us;
    enum pipeline_way way;
    enum core_mode mode;                   /* paused is Recommend */
    int32_t current, min, max;             /* `min` with the floor of the schedules */
    int32_t reactive, predicted, fallback; /* -1: none; with a loan, those of the count without */
    int32_t bare;                          /* the reactive part, as usage alone has it */
    int32_t ahead;                         /* outlook.h, -1: none */
    uint32_t down_window_s;
    bool contended;
    bool on_hold;                      /* contended: no write yet */
    bool odd;                          /* an anomaly holds what would be lowered */
    bool unknown;                      /* some metric is */
    const struct advice_state *advice; /* NULL: there is no advisor */
    enum advice_side side;
    const struct loan *loan; /* NULL: there is none */
};

struct answer {
    int32_t raw, bare, raised, advised, stabilized, limited, rated, replicas;
    struct advice_effect effect;
    unsigned limits;
    bool recorded;   /* `advised` enters the windows */
    bool advised_up; /* advice asks for more than the need */
    bool repaid;     /* the loan is due */
    bool write;
    int32_t without;    /* what `replicas` would be without advice */
    bool without_write; /* and whether that would be written */
};

void pipeline_decide(const struct question *q, struct answer *a);
/* I1, I2, I8, I9, I11 hold for that answer, or the program ends. I3 is behavior_apply()'s. */
void pipeline_assert(const struct question *q, const struct answer *a, bool metric_failed);
/* Whether it is a person's approval that lets the count be lower than without advice. */
bool pipeline_lowered_by_approval(const struct question *q, const struct answer *a);

#endif
