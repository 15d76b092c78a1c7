/* From the need to the next count: stabilisation windows, scaling policies, bounds. HPA v2 to the letter
 * (k8s.io/kubernetes v1.36 horizontal.go: normalizeDesiredReplicasWithBehaviors, and normalizeDesiredReplicas
 * where the spec has no behavior).
 *
 * Windows. The HPA keeps every recommendation and asks for the lowest of the scale-up window and the highest
 * of the scale-down window. Here two monotonic queues answer the same question: one keeps only
 * recommendations that are not followed by a higher one, the other those not followed by a lower one, so that
 * the extreme of every suffix is the first entry in it. Kept as long as the longer window is: where a window
 * is lengthened later, the HPA may still find an older entry in its list, or miss one. At most 256 entries
 * each, which is exact at the default sync period for every window; beyond that, entries merge such that the
 * count is never lower than the exact one.
 *
 * Scale events are the HPA's list itself: an entry is reused once it is older than the longest period of its
 * direction. At most 128 entries; beyond that, the newest one takes the change in.
 *
 * behavior_apply() asserts I3: outside of a snap no step is larger than the policies allow.
 */
#ifndef CORE_BEHAVIOR_H
#define CORE_BEHAVIOR_H

#include "core/codec.h"
#include "core/spec.h"

#define BEHAVIOR_MAX_RECOMMENDATIONS 256
#define BEHAVIOR_MAX_EVENTS          128

struct behavior_recommendation {
    int64_t time_us;
    int32_t replicas;
};
struct behavior_window { /* times never decrease */
    struct behavior_recommendation *entries;
    uint32_t n, cap;
};
struct behavior_event {
    int64_t time_us;
    int32_t change; /* > 0 */
    bool outdated;  /* may be reused */
};
struct behavior_events {
    struct behavior_event *entries;
    uint32_t n, cap;
};

struct behavior {
    struct behavior_window highest, lowest;
    struct behavior_events up, down;
    bool seeded; /* the target was seen before */
};

void behavior_done(struct behavior *b);
size_t behavior_memory(const struct behavior *b);
void behavior_copy(struct behavior *to, const struct behavior *from); /* into a fresh one */
/* Beyond it no recommendation is remembered. */
uint32_t behavior_longest_window_s(const struct core_spec *spec);
/* Beyond it no policy looks at a write. */
uint32_t behavior_longest_period_s(const struct core_spec *spec);

/* At first sight the live count is the first recommendation. Later calls do nothing. */
void behavior_first_sight(struct behavior *b, int64_t now_us, int32_t replicas);
/* A count that something else than a need keeps up (a schedule, a fallback): it enters the scale-down window alone, so
 * that leaving it goes through the window and no scale-up waits for it. */
void behavior_hold(struct behavior *b, int64_t now_us, int32_t replicas);
/* A clock that is earlier than what is remembered was wrong before: what happened after `now_us` happened now.
 * Otherwise windows would last until the clock has come back to where it was. */
void behavior_set_back(struct behavior *b, int64_t now_us);
/* After a restart: the live count enters the scale-down window (both, when nothing was seen before). */
void behavior_resume(struct behavior *b, const struct core_spec *spec, int64_t now_us, int32_t replicas);

enum behavior_limit {
    BEHAVIOR_WITHIN_RANGE,
    BEHAVIOR_TOO_FEW,  /* minReplicas */
    BEHAVIOR_TOO_MANY, /* maxReplicas */
    BEHAVIOR_SCALE_UP_LIMIT,
    BEHAVIOR_SCALE_DOWN_LIMIT,
};
struct behavior_answer {
    int32_t stabilized;
    int32_t replicas;
    enum behavior_limit limit;
};
/* Pure. `min` and `max` are the bounds in force; `current` is inside them, or 0 when scaling from zero. `down_window_s`
 * is the scale-down window in force: the spec's, or the one for trusted forecasts. */
struct behavior_answer behavior_apply(const struct core_spec *spec, const struct behavior *b, int64_t now_us,
                                      int32_t current, int32_t desired, int32_t min, int32_t max,
                                      uint32_t down_window_s);

/* Likewise without the windows: by policies and bounds alone. */
struct behavior_answer behavior_rate(const struct core_spec *spec, const struct behavior *b, int64_t now_us,
                                     int32_t current, int32_t desired, int32_t min, int32_t max);

/* The need of this sync, for the windows of later ones. */
void behavior_record(struct behavior *b, const struct core_spec *spec, int64_t now_us, int32_t desired);
/* A write of ours, for the policies. */
void behavior_scaled(struct behavior *b, const struct core_spec *spec, int64_t now_us, int32_t from, int32_t to);

void behavior_encode(const struct behavior *b, struct codec_writer *w);
int behavior_decode(struct behavior *b, struct codec_reader *r); /* into a fresh one; -1: not ours */

#endif
