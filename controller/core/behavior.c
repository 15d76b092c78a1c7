/* Windows, policies and bounds. Names of the HPA's own functions stand beside what follows them. */
#include "core/behavior.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/varint.h"

#define SECOND_US INT64_C(1000000)

void behavior_done(struct behavior *b)
{
    free(b->highest.entries);
    free(b->lowest.entries);
    free(b->up.entries);
    free(b->down.entries);
    *b = (struct behavior){.seeded = false};
}

size_t behavior_memory(const struct behavior *b)
{
    return (b->highest.cap + b->lowest.cap) * sizeof(struct behavior_recommendation) +
           (b->up.cap + b->down.cap) * sizeof(struct behavior_event);
}

static void copy_window(struct behavior_window *to, const struct behavior_window *from)
{
    *to = (struct behavior_window){.n = from->n, .cap = from->n};
    to->entries = from->n > 0 ? xcalloc(from->n, sizeof *to->entries) : NULL;
    for (uint32_t i = 0; i < from->n; i++)
        to->entries[i] = from->entries[i];
}

static void copy_events(struct behavior_events *to, const struct behavior_events *from)
{
    *to = (struct behavior_events){.n = from->n, .cap = from->n};
    to->entries = from->n > 0 ? xcalloc(from->n, sizeof *to->entries) : NULL;
    for (uint32_t i = 0; i < from->n; i++)
        to->entries[i] = from->entries[i];
}

void behavior_copy(struct behavior *to, const struct behavior *from)
{
    copy_window(&to->highest, &from->highest);
    copy_window(&to->lowest, &from->lowest);
    copy_events(&to->up, &from->up);
    copy_events(&to->down, &from->down);
    to->seeded = from->seeded;
}

static int32_t to_int32(int64_t v)
{
    return (int32_t)MIN(MAX(v, INT32_MIN), INT32_MAX);
}

/* ---- windows ---- */

static void window_drop(struct behavior_window *w, uint32_t first, uint32_t n)
{
    memmove(w->entries + first, w->entries + first + n, (w->n - first - n) * sizeof *w->entries);
    w->n -= n;
}

/* `sign` 1 keeps the highest, -1 the lowest. */
static void window_push(struct behavior_window *w, int sign, int64_t now_us, int32_t replicas)
{
    if (w->n > 0)
        now_us = MAX(now_us, w->entries[w->n - 1].time_us);
    while (w->n > 0 && (int64_t)w->entries[w->n - 1].replicas * sign <= (int64_t)replicas * sign)
        w->n--;
    if (w->n == BEHAVIOR_MAX_RECOMMENDATIONS) {
        /* The highest lives longer, the lowest is forgotten earlier: both end in more replicas. */
        if (sign > 0)
            w->entries[0].time_us = w->entries[1].time_us;
        window_drop(w, sign > 0 ? 1 : 0, 1);
    }
    if (w->n == w->cap) {
        w->cap = w->cap ? MIN(2 * w->cap, BEHAVIOR_MAX_RECOMMENDATIONS) : 4;
        w->entries = xreallocarray(w->entries, w->cap, sizeof *w->entries);
    }
    w->entries[w->n++] = (struct behavior_recommendation){.time_us = now_us, .replicas = replicas};
}

/* What both cutoffs of the HPA call old is of no use any more. */
static void window_expire(struct behavior_window *w, int64_t cutoff_us)
{
    uint32_t old = 0;
    while (old < w->n && w->entries[old].time_us < cutoff_us)
        old++;
    if (old > 0)
        window_drop(w, 0, old);
}

/* The extreme of `desired` and everything at or after `first_us`. */
static int32_t window_extreme(const struct behavior_window *w, int sign, int64_t first_us, int32_t desired)
{
    for (uint32_t i = 0; i < w->n; i++)
        if (w->entries[i].time_us >= first_us)
            return (int64_t)w->entries[i].replicas * sign > (int64_t)desired * sign ? w->entries[i].replicas : desired;
    return desired;
}

static void window_set_back(struct behavior_window *w, int64_t now_us)
{
    for (uint32_t i = w->n; i-- > 0 && w->entries[i].time_us > now_us;)
        w->entries[i].time_us = now_us;
}

static void events_set_back(struct behavior_events *e, int64_t now_us)
{
    for (uint32_t i = 0; i < e->n; i++)
        e->entries[i].time_us = MIN(e->entries[i].time_us, now_us);
}

void behavior_set_back(struct behavior *b, int64_t now_us)
{
    window_set_back(&b->highest, now_us);
    window_set_back(&b->lowest, now_us);
    events_set_back(&b->up, now_us);
    events_set_back(&b->down, now_us);
}

static void remember(struct behavior *b, int64_t now_us, int32_t replicas)
{
    window_push(&b->highest, 1, now_us, replicas);
    window_push(&b->lowest, -1, now_us, replicas);
}

void behavior_first_sight(struct behavior *b, int64_t now_us, int32_t replicas)
{
    if (b->seeded)
        return;
    b->seeded = true;
    remember(b, now_us, replicas);
}

void behavior_hold(struct behavior *b, int64_t now_us, int32_t replicas)
{
    window_push(&b->highest, 1, now_us, replicas);
}

uint32_t behavior_longest_window_s(const struct core_spec *spec)
{
    uint32_t down_s =
        MAX(spec->down.stabilization_s, spec->has_trusted_stabilization ? spec->trusted_stabilization_s : 0);
    return MAX(down_s, spec->behavior ? spec->up.stabilization_s : 0);
}

void behavior_record(struct behavior *b, const struct core_spec *spec, int64_t now_us, int32_t desired)
{
    uint32_t keep_s = behavior_longest_window_s(spec);
    remember(b, now_us, desired);
    window_expire(&b->highest, now_us - keep_s * SECOND_US);
    window_expire(&b->lowest, now_us - keep_s * SECOND_US);
}

void behavior_resume(struct behavior *b, const struct core_spec *spec, int64_t now_us, int32_t replicas)
{
    if (!b->seeded) {
        behavior_first_sight(b, now_us, replicas);
        return;
    }
    uint32_t keep_s = behavior_longest_window_s(spec);
    window_push(&b->highest, 1, now_us, replicas);
    window_expire(&b->highest, now_us - keep_s * SECOND_US);
    window_expire(&b->lowest, now_us - keep_s * SECOND_US);
}

/* stabilizeRecommendationWithBehaviors: younger than each window, without its very edge.
 * stabilizeRecommendation: one window, with its edge, and never below. */
static int32_t stabilize(const struct core_spec *spec, const struct behavior *b, int64_t now_us, int32_t current,
                         int32_t desired, uint32_t down_window_s)
{
    int64_t down_cutoff_us = now_us - down_window_s * SECOND_US;
    if (!spec->behavior)
        return window_extreme(&b->highest, 1, down_cutoff_us, desired);
    int64_t up_cutoff_us = now_us - spec->up.stabilization_s * SECOND_US;
    int32_t up = window_extreme(&b->lowest, -1, up_cutoff_us + 1, desired);
    int32_t down = window_extreme(&b->highest, 1, down_cutoff_us + 1, desired);
    return MIN(MAX(current, up), down);
}

/* ---- policies ---- */

/* getReplicasChangePerPeriod */
static int64_t change_within(const struct behavior_events *e, int64_t now_us, uint32_t period_s)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < e->n; i++)
        if (e->entries[i].time_us > now_us - period_s * SECOND_US)
            sum += e->entries[i].change;
    return sum;
}

/* calculateScaleUpLimitWithScalingRules (`sign` 1), calculateScaleDownLimitWithBehaviors (-1) */
static int32_t policy_limit(const struct core_rules *rules, const struct behavior *b, int64_t now_us, int32_t current,
                            int sign)
{
    if (rules->select == CORE_SELECT_DISABLED)
        return current;
    bool highest = (rules->select == CORE_SELECT_MAX) == (sign > 0);
    int32_t limit = highest ? INT32_MIN : INT32_MAX;
    for (uint32_t i = 0; i < rules->n_policies; i++) {
        const struct core_policy *policy = &rules->policies[i];
        int64_t start = current - change_within(&b->up, now_us, policy->period_s) +
                        change_within(&b->down, now_us, policy->period_s);
        start = to_int32(start);
        int32_t proposed;
        if (policy->type == CORE_POLICY_PODS) {
            proposed = to_int32(start + (int64_t)sign * policy->value);
        } else {
            double share = (double)policy->value / 100;
            double to = (double)start * (sign > 0 ? 1 + share : 1 - share);
            to = sign > 0 ? ceil(to) : trunc(to);
            proposed = (int32_t)fmin(fmax(to, (double)INT32_MIN), (double)INT32_MAX);
        }
        limit = highest ? MAX(limit, proposed) : MIN(limit, proposed);
    }
    return limit;
}

/* convertDesiredReplicasWithBehaviorRate */
static struct behavior_answer limit_rate(const struct core_spec *spec, const struct behavior *b, int64_t now_us,
                                         int32_t current, int32_t stabilized, int32_t min, int32_t max)
{
    struct behavior_answer answer = {.stabilized = stabilized, .replicas = stabilized, .limit = BEHAVIOR_WITHIN_RANGE};
    if (stabilized > current) {
        int32_t limit = MAX(policy_limit(&spec->up, b, now_us, current, 1), current);
        if (stabilized > MIN(max, limit)) {
            answer.replicas = MIN(max, limit);
            answer.limit = max > limit ? BEHAVIOR_SCALE_UP_LIMIT : BEHAVIOR_TOO_MANY;
        }
    } else if (stabilized < current) {
        int32_t limit = MIN(policy_limit(&spec->down, b, now_us, current, -1), current);
        if (stabilized < MAX(min, limit)) {
            answer.replicas = MAX(min, limit);
            answer.limit = min < limit ? BEHAVIOR_SCALE_DOWN_LIMIT : BEHAVIOR_TOO_FEW;
        }
    }
    return answer;
}

/* calculateScaleUpLimit */
static int32_t plain_up_limit(int32_t current)
{
    return to_int32(MAX(2 * (int64_t)current, 4));
}

/* convertDesiredReplicasWithRules */
static struct behavior_answer limit_plain(int32_t current, int32_t stabilized, int32_t min, int32_t max)
{
    struct behavior_answer answer = {.stabilized = stabilized, .replicas = stabilized, .limit = BEHAVIOR_WITHIN_RANGE};
    int32_t limit = plain_up_limit(current);
    if (stabilized < min) {
        answer.replicas = min;
        answer.limit = BEHAVIOR_TOO_FEW;
    } else if (stabilized > MIN(max, limit)) {
        answer.replicas = MIN(max, limit);
        answer.limit = max > limit ? BEHAVIOR_SCALE_UP_LIMIT : BEHAVIOR_TOO_MANY;
    }
    return answer;
}

/* I3. From zero to a minimum that was raised meanwhile is a snap too; with a behavior the caller makes it. */
static void assert_steps(const struct core_spec *spec, const struct behavior *b, int64_t now_us, int32_t current,
                         int32_t min, int32_t replicas)
{
    if (replicas > current) {
        int32_t limit =
            spec->behavior ? policy_limit(&spec->up, b, now_us, current, 1) : MAX(plain_up_limit(current), min);
        assert(replicas <= MAX(limit, current));
    } else if (replicas < current && spec->behavior) {
        assert(replicas >= MIN(policy_limit(&spec->down, b, now_us, current, -1), current));
    }
}

struct behavior_answer behavior_rate(const struct core_spec *spec, const struct behavior *b, int64_t now_us,
                                     int32_t current, int32_t desired, int32_t min, int32_t max)
{
    struct behavior_answer answer = spec->behavior ? limit_rate(spec, b, now_us, current, desired, min, max)
                                                   : limit_plain(current, desired, min, max);
    assert_steps(spec, b, now_us, current, min, answer.replicas);
    return answer;
}

struct behavior_answer behavior_apply(const struct core_spec *spec, const struct behavior *b, int64_t now_us,
                                      int32_t current, int32_t desired, int32_t min, int32_t max,
                                      uint32_t down_window_s)
{
    return behavior_rate(spec, b, now_us, current, stabilize(spec, b, now_us, current, desired, down_window_s), min,
                         max);
}

static uint32_t longest_period_s(const struct core_rules *rules)
{
    uint32_t longest_s = 0;
    for (uint32_t i = 0; i < rules->n_policies; i++)
        longest_s = MAX(longest_s, rules->policies[i].period_s);
    return longest_s;
}

uint32_t behavior_longest_period_s(const struct core_spec *spec)
{
    return spec->behavior ? MAX(longest_period_s(&spec->up), longest_period_s(&spec->down)) : 0;
}

/* markScaleEventsOutdated, storeScaleEvent */
static void store(struct behavior_events *e, const struct core_rules *rules, int64_t now_us, int32_t change)
{
    uint32_t longest_s = longest_period_s(rules);
    struct behavior_event event = {.time_us = now_us, .change = change, .outdated = false};
    uint32_t old = UINT32_MAX, newest = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        if (e->entries[i].time_us < now_us - longest_s * SECOND_US)
            e->entries[i].outdated = true;
        if (e->entries[i].outdated)
            old = i;
        if (e->entries[i].time_us >= e->entries[newest].time_us)
            newest = i;
    }
    if (old != UINT32_MAX) {
        e->entries[old] = event;
        return;
    }
    if (e->n == BEHAVIOR_MAX_EVENTS) {
        event.change = to_int32((int64_t)change + e->entries[newest].change);
        e->entries[newest] = event;
        return;
    }
    if (e->n == e->cap) {
        e->cap = e->cap ? MIN(2 * e->cap, BEHAVIOR_MAX_EVENTS) : 2;
        e->entries = xreallocarray(e->entries, e->cap, sizeof *e->entries);
    }
    e->entries[e->n++] = event;
}

void behavior_scaled(struct behavior *b, const struct core_spec *spec, int64_t now_us, int32_t from, int32_t to)
{
    if (!spec->behavior)
        return; /* the HPA keeps none then */
    if (to > from)
        store(&b->up, &spec->up, now_us, to_int32((int64_t)to - from));
    else if (to < from)
        store(&b->down, &spec->down, now_us, to_int32((int64_t)from - to));
}

/* ---- encoding: entries as differences from the one before ---- */

static void encode_window(const struct behavior_window *window, struct codec_writer *w)
{
    int64_t time_us = 0, replicas = 0;
    codec_u16(w, (uint16_t)window->n);
    for (uint32_t i = 0; i < window->n; i++) {
        varint_put(w, window->entries[i].time_us - time_us);
        varint_put(w, window->entries[i].replicas - replicas);
        time_us = window->entries[i].time_us;
        replicas = window->entries[i].replicas;
    }
}

static void encode_events(const struct behavior_events *events, struct codec_writer *w)
{
    int64_t time_us = 0;
    codec_u16(w, (uint16_t)events->n);
    for (uint32_t i = 0; i < events->n; i++) {
        varint_put(w, events->entries[i].time_us - time_us);
        varint_put(w, events->entries[i].outdated ? -(int64_t)events->entries[i].change : events->entries[i].change);
        time_us = events->entries[i].time_us;
    }
}

void behavior_encode(const struct behavior *b, struct codec_writer *w)
{
    codec_u8(w, b->seeded);
    encode_window(&b->highest, w);
    encode_window(&b->lowest, w);
    encode_events(&b->up, w);
    encode_events(&b->down, w);
}

/* Times in use are far from the ends of their range, so that sums with periods can't overflow. */
#define TIME_LIMIT_US (INT64_MAX / 4)

static int64_t get_time(struct codec_reader *r, int64_t before_us)
{
    int64_t time_us;
    if (__builtin_add_overflow(before_us, varint_get(r), &time_us) || time_us > TIME_LIMIT_US ||
        time_us < -TIME_LIMIT_US)
        r->failed = true;
    return r->failed ? 0 : time_us;
}

static void decode_window(struct behavior_window *window, int sign, struct codec_reader *r)
{
    uint32_t n = codec_get_u16(r);
    int64_t time_us = 0, replicas = 0;
    if (n > BEHAVIOR_MAX_RECOMMENDATIONS)
        r->failed = true;
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        time_us = get_time(r, time_us);
        if (__builtin_add_overflow(replicas, varint_get(r), &replicas) || replicas < 0 || replicas > INT32_MAX)
            r->failed = true;
        else
            window_push(window, sign, time_us, (int32_t)replicas);
    }
}

static void decode_events(struct behavior_events *events, struct codec_reader *r)
{
    uint32_t n = codec_get_u16(r);
    int64_t time_us = 0;
    if (r->failed || n > BEHAVIOR_MAX_EVENTS) {
        r->failed = true;
        return;
    }
    events->entries = n > 0 ? xcalloc(n, sizeof *events->entries) : NULL;
    events->cap = n;
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        time_us = get_time(r, time_us);
        int64_t change = varint_get(r);
        if (change > INT32_MAX || change < -INT32_MAX)
            r->failed = true;
        events->entries[i] = (struct behavior_event){.time_us = time_us,
                                                     .change = r->failed ? 0 : (int32_t)(change < 0 ? -change : change),
                                                     .outdated = change < 0};
        events->n = i + 1;
    }
}

int behavior_decode(struct behavior *b, struct codec_reader *r)
{
    b->seeded = codec_get_u8(r) != 0;
    decode_window(&b->highest, 1, r);
    decode_window(&b->lowest, -1, r);
    decode_events(&b->up, r);
    decode_events(&b->down, r);
    return r->failed ? -1 : 0;
}
