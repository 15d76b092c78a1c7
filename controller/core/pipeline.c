/* What becomes of a need; pipeline.h has the rules. */
#include "core/pipeline.h"

#include <assert.h>

#include "core/outlook.h"

/* A predicted raise inside the tolerance is ignored; it still speaks against going below the current count.
 */
static int32_t tolerated(const struct question *q, int32_t predicted, unsigned *limits)
{
    if (predicted <= q->current || (double)predicted > (1.0 + q->spec->up.tolerance) * (double)q->current)
        return predicted;
    *limits |= CORE_LIMIT_TOLERANCE;
    return q->current;
}

/* What advice makes of the need: judged by D, and never less than a raise that goes further by itself. A need above
 * maxReplicas is left as it is: the windows know it so. */
static void take_advice(const struct question *q, struct answer *a)
{
    a->advised = a->raised;
    if (!q->advice)
        return;
    const struct advice_bounds bounds = {.need = MIN(MAX(a->raw, q->min), q->max),
                                         .bare = MIN(MAX(a->bare, q->min), q->max),
                                         .reactive = q->reactive < 0 ? -1 : MAX(q->reactive, q->fallback),
                                         .effective_min = q->min,
                                         .max = q->max,
                                         .side = q->side,
                                         .active = q->reactive >= 0 && !q->unknown};
    a->effect = advice_apply(&q->spec->advice, q->advice, &bounds, q->now_us);
    if (a->effect.outcome == ADVICE_APPLIED)
        a->advised = a->effect.replicas < bounds.need ? a->effect.replicas : MAX(a->raised, a->effect.replicas);
    a->advised_up = a->advised > MAX(a->raised, bounds.need);
}

/* Whether it is a person's approval that lets the count be lower than without advice. */
bool pipeline_lowered_by_approval(const struct question *q, const struct answer *a)
{
    return q->spec->advice.mode == ADVICE_APPROVAL && a->effect.outcome == ADVICE_APPLIED && a->advised < a->raised;
}

/* The need of the count that rules look at: with a loan, of the one without it. False: the HPA does nothing at all when
 * its metrics give no count, and remembers nothing. Then only a raise counts. */
static bool find_need(const struct question *q, const struct answer *without, struct answer *a)
{
    if (without) {
        a->raw = without->raw;
        a->bare = without->bare;
        a->raised = without->raised;
        a->recorded = without->recorded;
        a->limits = without->limits & CORE_LIMIT_TOLERANCE;
        return a->recorded;
    }
    int32_t raise = MAX(tolerated(q, q->predicted, &a->limits), q->fallback);
    if (q->reactive < 0 && raise <= q->current)
        return false;
    a->raw = a->raised = MAX(q->reactive, raise);
    a->bare = MIN(MAX(q->bare, MAX(q->predicted, q->fallback)), a->raw);
    if (a->raw > q->current && q->current > 0)
        a->raised = outlook_raise(q->current, a->raw, q->ahead);
    a->recorded = true;
    return true;
}

/* A floor that the count has not reached yet is no bound of this step: decide_one() snaps to it. */
static int32_t lower_bound(const struct question *q)
{
    return q->current < q->min ? q->spec->min_replicas : q->min;
}

/* By policies and bounds alone. */
static struct behavior_answer rate(const struct question *q, int32_t replicas)
{
    return behavior_rate(q->spec, q->behavior, q->now_us, q->current, replicas, lower_bound(q), q->max);
}

/* Windows, policies and bounds. */
static void limit(const struct question *q, struct answer *a)
{
    struct behavior_answer b = behavior_apply(q->spec, q->behavior, q->now_us, q->current, a->advised, lower_bound(q),
                                              q->max, q->down_window_s);
    static const unsigned bits[] = {[BEHAVIOR_WITHIN_RANGE] = 0,
                                    [BEHAVIOR_TOO_FEW] = CORE_LIMIT_MIN_REPLICAS,
                                    [BEHAVIOR_TOO_MANY] = CORE_LIMIT_MAX_REPLICAS,
                                    [BEHAVIOR_SCALE_UP_LIMIT] = CORE_LIMIT_SCALE_UP_POLICY,
                                    [BEHAVIOR_SCALE_DOWN_LIMIT] = CORE_LIMIT_SCALE_DOWN_POLICY};
    a->limits |= bits[b.limit];
    /* An open schedule is in the window too; then it is the schedule that holds the count. */
    if (b.stabilized != a->advised && b.stabilized == q->min && q->min > q->spec->min_replicas)
        a->limits |= CORE_LIMIT_SCHEDULED;
    else if (b.stabilized != a->advised)
        a->limits |= MAX(a->raw, a->advised) >= q->current && q->spec->behavior ? CORE_LIMIT_STABILIZED_UP
                                                                                : CORE_LIMIT_STABILIZED_DOWN;
    a->stabilized = b.stabilized;
    a->limited = a->rated = b.replicas;
}

/* The scale-down window has passed: what would be without advice, as fast as the policies allow. */
static void give_back(const struct question *q, const struct answer *without, struct answer *a)
{
    struct behavior_answer b = rate(q, MAX(without->replicas, lower_bound(q)));
    a->repaid = true;
    a->limits |= without->limits;
    if (b.limit == BEHAVIOR_SCALE_DOWN_LIMIT)
        a->limits |= CORE_LIMIT_SCALE_DOWN_POLICY;
    a->stabilized = without->stabilized;
    a->limited = without->limits & CORE_LIMIT_HELD ? without->limited : b.replicas;
    a->rated = b.replicas;
}

/* What advice may add to the count at most. A raise that policies limit by what runs would go further than that. */
static void cap_loan(const struct question *q, const struct answer *without, struct answer *a)
{
    int64_t most = (int64_t)without->replicas + (a->advised_up ? q->spec->advice.max_replica_delta : 0);
    if (a->rated <= MAX(q->current, most))
        return;
    a->rated = a->limited = MAX(q->current, (int32_t)most);
    a->limits |= without->limits & CORE_LIMIT_SCALE_UP_POLICY;
}

static void compute(const struct question *q, const struct answer *without, struct answer *a)
{
    if (!find_need(q, without, a))
        return;
    take_advice(q, a);
    if (without && q->loan && !a->advised_up && loan_due(q->loan, q->now_us, q->down_window_s) &&
        !pipeline_lowered_by_approval(q, a))
        give_back(q, without, a);
    else
        limit(q, a);
    if (pipeline_lowered_by_approval(q, a))
        return;
    if (without) {
        cap_loan(q, without, a);
        /* A raise of the count without advice may be none of this one. */
        int32_t least = q->unknown ? MAX(MIN(q->current, q->max), without->replicas) : without->replicas;
        if (a->rated < least)
            a->rated = a->limited = least;
        return;
    }
    if (a->rated >= q->current)
        return;
    a->rated = outlook_hold(q->current, a->stabilized, a->limited, q->ahead);
    if (a->rated > a->limited)
        a->limits |= CORE_LIMIT_HELD;
}

/* Below the lower bound: a schedule has begun, or the minimum has been raised since the count went to zero. */
static void snap_to_min(const struct question *q, struct answer *a)
{
    if (a->rated < q->min) {
        a->rated = q->min;
        a->limits |= CORE_LIMIT_MIN_REPLICAS;
        if (q->min >= a->stabilized && q->min > q->spec->min_replicas) /* else the HPA still names the policy */
            a->limits &= ~(unsigned)CORE_LIMIT_SCALE_UP_POLICY;
    }
    if (a->limits & CORE_LIMIT_MIN_REPLICAS && q->min > q->spec->min_replicas) {
        a->limits &= ~(unsigned)CORE_LIMIT_MIN_REPLICAS;
        a->limits |= CORE_LIMIT_SCHEDULED;
    }
}

/* One count; `without`: what was decided for the other one, where there is a loan. */
static void decide_one(const struct question *q, const struct answer *without, struct answer *a)
{
    *a = (struct answer){.raw = -1,
                         .bare = -1,
                         .raised = -1,
                         .advised = -1,
                         .stabilized = -1,
                         .rated = q->current,
                         .effect = {.proposal = -1}};
    if (q->advice && q->advice->advice.id != 0) /* until it is looked at, which is where a need is computed */
        a->effect.outcome = ADVICE_NOT_ACTIVE;
    switch (q->way) {
    case WAY_DISABLED:
        a->replicas = 0;
        return;
    case WAY_DOWN_TO_MAX:
        a->rated = q->max;
        a->limits |= CORE_LIMIT_MAX_REPLICAS;
        break;
    case WAY_UP_TO_MIN:
        a->rated = q->min;
        a->limits |= CORE_LIMIT_MIN_REPLICAS;
        break;
    case WAY_COMPUTE:
        compute(q, without, a);
        break;
    }
    snap_to_min(q, a);
    a->replicas = MIN(MAX(a->rated, MIN(q->min, q->max)), q->max);
    bool active = q->mode == CORE_AUTO || q->mode == CORE_SCALE_UP_ONLY;
    int32_t floor = MIN(q->current, q->max);
    if (q->mode == CORE_SCALE_UP_ONLY && a->replicas < floor) {
        a->replicas = floor;
        a->limits |= CORE_LIMIT_NOT_ACTIVE;
    }
    if (q->odd && a->replicas < floor) {
        a->replicas = floor;
        a->limits |= CORE_LIMIT_ANOMALY;
    }
    if (q->contended && a->replicas < floor) {
        a->replicas = floor;
        a->limits |= CORE_LIMIT_CONTENTION;
    }
    if (a->replicas == q->current)
        return;
    if (!active)
        a->limits |= CORE_LIMIT_NOT_ACTIVE;
    else if (q->on_hold)
        a->limits |= CORE_LIMIT_CONTENTION;
    else
        a->write = true;
}

void pipeline_decide(const struct question *q, struct answer *a)
{
    bool lent = q->loan && q->way == WAY_COMPUTE;
    struct answer without;
    if (lent || (q->advice && q->advice->advice.id != 0)) {
        struct question other = *q;
        other.advice = NULL;
        other.loan = NULL;
        if (lent) {
            other.current = q->loan->without;
            other.behavior = &q->loan->behavior;
        }
        decide_one(&other, NULL, &without);
        if (lent && without.replicas > q->current) /* no count goes further than policies let the live one */
            without.replicas = MIN(without.replicas, MAX(q->current, rate(q, without.replicas).replicas));
        decide_one(q, lent ? &without : NULL, a);
        if (!lent && a->advised_up) /* which begins a loan */
            decide_one(q, &without, a);
    } else {
        decide_one(q, NULL, a);
        without = *a;
    }
    a->without = without.replicas;
    a->without_write = without.write;
}

static bool same_answer(const struct answer *a, const struct answer *b)
{
    return a->raw == b->raw && a->bare == b->bare && a->raised == b->raised && a->advised == b->advised &&
           a->stabilized == b->stabilized && a->rated == b->rated && a->replicas == b->replicas &&
           a->limits == b->limits && a->recorded == b->recorded && a->write == b->write && a->without == b->without &&
           a->repaid == b->repaid;
}

void pipeline_assert(const struct question *q, const struct answer *a, bool metric_failed)
{
    struct answer again, plain;
    pipeline_decide(q, &again);
    assert(same_answer(a, &again)); /* I11 */
    if (q->way == WAY_DISABLED || (q->mode != CORE_AUTO && q->mode != CORE_SCALE_UP_ONLY))
        return;
    assert(a->replicas >= q->min && a->replicas <= q->max);                  /* I1 */
    assert(!metric_failed || a->replicas >= MIN(q->current, q->max));        /* I2 */
    assert(a->replicas >= a->without || pipeline_lowered_by_approval(q, a)); /* I9 */
    if (q->spec->has_trusted_stabilization)
        return; /* the user gave I8 up */
    struct question without = *q;
    without.advice = NULL;
    without.predicted = without.ahead = -1;
    without.odd = false;
    without.min = q->spec->min_replicas;
    pipeline_decide(&without, &plain);
    assert(a->replicas >= plain.replicas); /* I8 */
}
