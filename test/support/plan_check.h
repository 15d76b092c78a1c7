/* What the invariants of the decision core demand of a plan, computed anew from what the autoscaler was told and has
 * done: the specification, the observation, the plans before and the writes. It uses nothing of the core's windows,
 * policies, schedules or metrics, so that a mistake there is not repeated here.
 *
 * The ledger remembers one autoscaler's past. What it can't know (a damaged state, rules that changed, a clock that was
 * set back) it is told by ledger_forget(); then steps are not judged by it, the bounds still are. */
#ifndef TEST_PLAN_CHECK_H
#define TEST_PLAN_CHECK_H

#include "core/step.h"

#define LEDGER_MAX 1024

struct ledger_entry {
    int64_t time_us, value;
};
struct ledger_list {
    uint32_t n;
    struct ledger_entry entries[LEDGER_MAX];
};
struct ledger {
    bool forgotten;                /* the past is not known: I3 is not checked */
    bool seen;                     /* the target was seen before */
    bool zeroed;                   /* our last write was to zero */
    struct advice advice;          /* the one in hand, id 0: none */
    bool approved;                 /* by a person */
    bool lent;                     /* advice has asked for more than the need ... */
    int64_t lent_us;               /* ... last at this time */
    struct ledger_list down, up;   /* what the windows have to remember */
    struct ledger_list ups, downs; /* our writes */
};

static inline void ledger_add(struct ledger_list *list, int64_t time_us, int64_t value)
{
    if (list->n < LEDGER_MAX)
        list->entries[list->n++] = (struct ledger_entry){.time_us = time_us, .value = value};
}

static inline void ledger_clear(struct ledger *l)
{
    l->forgotten = l->seen = l->zeroed = l->approved = l->lent = false;
    l->advice.id = 0;
    l->down.n = l->up.n = l->ups.n = l->downs.n = 0;
}

static inline void ledger_forget(struct ledger *l)
{
    l->forgotten = true;
}

static inline void ledger_seen(struct ledger *l, int64_t time_us, int32_t live)
{
    ledger_add(&l->down, time_us, live);
    if (!l->seen)
        ledger_add(&l->up, time_us, live);
    l->seen = true;
}

static inline bool check_has_total(const struct core_spec *spec)
{
    for (uint32_t i = 0; i < spec->n_metrics; i++)
        if (spec->metrics[i].kind == CORE_METRIC_TOTAL)
            return true;
    return false;
}

/* core_applied() was called. */
static inline void ledger_wrote(struct ledger *l, const struct core_spec *spec, int64_t time_us, int32_t from,
                                int32_t to)
{
    l->zeroed = from > 0 && to == 0 && spec->min_replicas == 0 && check_has_total(spec);
    if (spec->behavior && to > from)
        ledger_add(&l->ups, time_us, (int64_t)to - from);
    if (spec->behavior && to < from)
        ledger_add(&l->downs, time_us, (int64_t)from - to);
}

static inline bool check_is_off(const struct core_spec *spec)
{
    return spec->mode == CORE_OFF;
}

/* Mode Auto or ScaleUpOnly, not paused, replicas not zero by hand. */
static inline bool check_is_active(const struct core_spec *spec, const struct core_plan *p)
{
    return !spec->paused && (spec->mode == CORE_AUTO || spec->mode == CORE_SCALE_UP_ONLY) &&
           p->reason != CORE_REASON_SCALING_DISABLED;
}

/* For schedules in UTC whose fields but the minute are stars: every hour is alike, so that it is enough to look back
 * for one. */
static inline int32_t check_floor(const struct core_spec *spec, int64_t now_us)
{
    int32_t highest = -1;
    int64_t now_minute = now_us / 60000000;
    for (uint32_t i = 0; i < spec->n_schedules; i++) {
        const struct core_schedule *s = &spec->schedules[i];
        for (int64_t back = 0; back < 60; back++) {
            uint64_t bit = UINT64_C(1) << (now_minute - back) % 60;
            if (s->end.minutes & bit)
                break;
            if (s->start.minutes & bit) {
                highest = MAX(highest, s->min_replicas);
                break;
            }
        }
    }
    return highest;
}

static inline int32_t check_min(const struct core_spec *spec, int64_t now_us)
{
    return MIN(spec->max_replicas, MAX(spec->min_replicas, check_floor(spec, now_us)));
}

static inline bool check_is_old(int64_t now_us, int64_t time_us, int64_t window_us)
{
    int64_t age = MAX(90 * INT64_C(1000000), 3 * window_us);
    return time_us != 0 && now_us - time_us > age;
}

/* Whether nobody can say how much this metric asks for: no answer, an error, nothing but old samples. */
static inline bool check_is_unknown(const struct core_metric_spec *metric, const struct core_observation *seen,
                                    const struct core_metric_observation *m)
{
    if (m->kind != SAMPLE_VALUE)
        return true;
    if (metric->kind == CORE_METRIC_TOTAL)
        return check_is_old(seen->time_us, m->time_us, m->window_us);
    if (!m->pods || seen->n_pods == 0)
        return true;
    for (uint32_t i = 0; i < seen->n_pods; i++)
        if (m->pods[i].present && !check_is_old(seen->time_us, m->pods[i].time_us, m->pods[i].window_us))
            return false;
    return m->n_strays == 0;
}

/* ---- I3 ---- */

static inline int64_t check_sum(const struct ledger_list *list, int64_t after_us)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < list->n; i++)
        if (list->entries[i].time_us > after_us)
            sum += list->entries[i].value;
    return sum;
}

/* How far one step may go. A percentage may be one pod further: the HPA computes it in binary fractions. */
static inline int64_t check_limit(const struct ledger *l, const struct core_rules *rules, int64_t now_us,
                                  int32_t current, bool up)
{
    if (rules->select == CORE_SELECT_DISABLED)
        return current;
    bool highest = (rules->select == CORE_SELECT_MAX) == up;
    int64_t limit = highest ? INT64_MIN : INT64_MAX;
    for (uint32_t i = 0; i < rules->n_policies; i++) {
        const struct core_policy *policy = &rules->policies[i];
        int64_t since_us = now_us - policy->period_s * INT64_C(1000000);
        int64_t start = current - check_sum(&l->ups, since_us) + check_sum(&l->downs, since_us);
        start = MIN(MAX(start, INT32_MIN), INT32_MAX);
        int64_t by = policy->value;
        if (policy->type == CORE_POLICY_PERCENT)
            by = (MAX(start, 0) * policy->value + 99) / 100 + 1;
        int64_t to = up ? start + by : start - by;
        limit = highest ? MAX(limit, to) : MIN(limit, to);
    }
    return limit;
}

static inline int64_t check_highest(const struct ledger_list *list, int64_t after_us, int64_t value)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->entries[i].time_us > after_us)
            value = MAX(value, list->entries[i].value);
    return value;
}

static inline int64_t check_lowest(const struct ledger_list *list, int64_t after_us, int64_t value)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->entries[i].time_us > after_us)
            value = MIN(value, list->entries[i].value);
    return value;
}

static inline const char *check_raise(const struct ledger *l, const struct core_spec *spec, const struct core_plan *p,
                                      int32_t min)
{
    int64_t snap = MAX(p->current, min);
    if (p->replicas <= snap)
        return NULL;
    if (!spec->behavior)
        return p->replicas <= MAX(2 * (int64_t)p->current, 4) ? NULL : "I3: more than twice as many in one step";
    if (l->forgotten)
        return spec->up.select == CORE_SELECT_DISABLED ? "I3: raised against Disabled" : NULL;
    if (p->replicas > MAX(snap, check_limit(l, &spec->up, p->time_us, p->current, true)))
        return "I3: raised by more than the policies allow";
    int64_t since_us = p->time_us - spec->up.stabilization_s * INT64_C(1000000);
    if (p->replicas > MAX(snap, check_lowest(&l->up, since_us, INT32_MAX)))
        return "I3: raised before the scale-up window let it";
    return NULL;
}

static inline const char *check_lowering(const struct ledger *l, const struct core_spec *spec,
                                         const struct core_plan *p, uint32_t window_s)
{
    if (p->replicas >= p->current)
        return NULL;
    if (p->current > spec->max_replicas) /* a snap, in one step */
        return p->replicas == spec->max_replicas ? NULL : "I3: lowered past maxReplicas";
    if (spec->mode == CORE_SCALE_UP_ONLY)
        return "ScaleUpOnly: lowered";
    if (p->anomaly.holds)
        return "lowered although an anomaly holds the count";
    if (p->contended)
        return "lowered although another writer undoes it";
    if (spec->behavior && spec->down.select == CORE_SELECT_DISABLED)
        return "I3: lowered against Disabled";
    if (l->forgotten)
        return NULL;
    if (spec->behavior && p->replicas < check_limit(l, &spec->down, p->time_us, p->current, false))
        return "I3: lowered by more than the policies allow";
    int64_t since_us = p->time_us - window_s * INT64_C(1000000);
    /* What advice has added waits for a window of its own, and goes down to what would run without. */
    if (l->lent && p->without >= 0 && l->lent_us <= since_us && p->replicas >= p->unadvised)
        return NULL;
    if (p->replicas < MIN(p->current, check_highest(&l->down, since_us, 0)))
        return "I3: lowered before the scale-down window let it";
    return NULL;
}

/* ---- I9 ---- */

/* What comes with an observation, before its plan. */
static inline void ledger_advised(struct ledger *l, const struct core_spec *spec, const struct core_observation *seen)
{
    if (check_is_off(spec) || spec->advice.mode == ADVICE_OFF)
        return;
    if (seen->advice) {
        l->advice = *seen->advice;
        l->approved = false;
    }
    l->approved |= seen->approved_advice != 0 && seen->approved_advice == l->advice.id;
}

/* `alone` is the plan of the same state without advice. Advice in mode Bounded raises, by so much at most; a person's
 * approval also lets it give back what only the forecast asked for. */
static inline const char *check_advice(const struct ledger *l, const struct core_spec *spec, const struct core_plan *p,
                                       const struct core_plan *alone)
{
    if (!check_is_active(spec, p))
        return NULL;
    if (p->advice != ADVICE_APPLIED)
        return p->replicas == alone->replicas ? NULL : "I9: another count, and no advice was taken";
    bool approved = spec->advice.mode == ADVICE_APPROVAL && l->approved;
    if (spec->advice.mode != ADVICE_BOUNDED && !approved)
        return "advice was taken that nobody allowed";
    if (p->replicas < alone->replicas && !(approved && l->advice.target_replicas < alone->raw))
        return "I9: fewer than without advice";
    if (p->replicas > MAX(p->current, (int64_t)p->unadvised + spec->advice.max_replica_delta))
        return "advice adds more than it may";
    int64_t age_us = p->time_us - l->advice.sampled_us, need = MIN(MAX(alone->raw, p->min), spec->max_replicas);
    if (age_us < 0 || age_us > 300 * INT64_C(1000000))
        return "advice was taken that is too old";
    if (p->advised > spec->max_replicas || p->advised > need + spec->advice.max_replica_delta)
        return "advice asks for more than it may";
    if (p->advised < (approved ? MAX(MIN(alone->reactive, need), p->min) : need))
        return "advice asks for less than it may";
    return NULL;
}

/* ---- all of it ---- */

/* NULL, or what is wrong. `window_s` is the scale-down window that counts now. */
static inline const char *check_plan(const struct ledger *l, const struct core_spec *spec,
                                     const struct core_observation *seen, const struct core_plan *p, uint32_t window_s)
{
    int32_t current = MAX(seen->spec_replicas, 0), min = check_min(spec, seen->time_us);
    if (p->current != current || p->time_us != seen->time_us || p->replicas < 0)
        return "a plan for something else";
    if (p->reason == CORE_REASON_SCALING_DISABLED &&
        (current != 0 || (!l->forgotten && l->zeroed && spec->min_replicas != 0)))
        return "given up without need";
    if (p->anomaly.sets_aside && p->predicted >= 0)
        return "a forecast that was set aside drives";
    if (!check_is_active(spec, p))
        return p->write ? "a write though not active" : NULL;
    if (p->min != min)
        return "another lower bound than the schedules ask for";
    if (p->replicas < min || p->replicas > spec->max_replicas)
        return "I1: out of the bounds";
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        bool unknown = check_is_unknown(&spec->metrics[i], seen, &seen->metrics[i]);
        if (unknown && p->metrics[i].problem == CORE_PROBLEM_NONE)
            return "I2: a metric that is unknown is taken for known";
        if ((unknown || p->metrics[i].problem != CORE_PROBLEM_NONE) && p->replicas < MIN(current, spec->max_replicas))
            return "I2: lowered though a metric is unknown";
    }
    if (p->write != (p->replicas != current && p->hold_off_s == 0))
        return "not written, or without need";
    const char *wrong = check_raise(l, spec, p, min);
    return wrong ? wrong : check_lowering(l, spec, p, window_s);
}

/* What this plan adds to the past. */
static inline void ledger_planned(struct ledger *l, const struct core_spec *spec, const struct core_plan *p)
{
    if (check_is_off(spec))
        return;
    if (!l->seen)
        ledger_seen(l, p->time_us, p->current);
    if (p->reason == CORE_REASON_SCALING_DISABLED)
        return;
    if (p->raised >= 0) {
        int32_t bounded = MIN(MAX(p->raw, p->min), spec->max_replicas);
        if (p->advice == ADVICE_APPLIED && p->advised > MAX(bounded, p->raised)) {
            l->lent = true;
            l->lent_us = p->time_us;
        }
        int32_t need = p->raised; /* which may go further than advice that raises */
        if (p->advice == ADVICE_APPLIED)
            need = p->advised < bounded ? p->advised : MAX(p->raised, p->advised);
        ledger_add(&l->down, p->time_us, need);
        ledger_add(&l->up, p->time_us, need);
    }
    int32_t held = MIN(check_floor(spec, p->time_us), spec->max_replicas);
    for (uint32_t i = 0; i < p->n_metrics; i++)
        held = MAX(held, p->metrics[i].fallback);
    if (held >= 0)
        ledger_add(&l->down, p->time_us, held);
}

#endif
