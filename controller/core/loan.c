/* The count without advice, beside the live one. */
#include "core/loan.h"

#define SECOND_US INT64_C(1000000)

void loan_done(struct loan *l)
{
    behavior_done(&l->behavior);
    *l = (struct loan){.active = false};
}

size_t loan_memory(const struct loan *l)
{
    return behavior_memory(&l->behavior);
}

/* Until then some window of the live count may remember what advice asked for, or some policy what came of it. */
static bool is_remembered(const struct loan *l, const struct core_spec *spec, int64_t now_us)
{
    return now_us - l->raised_us <= behavior_longest_window_s(spec) * SECOND_US ||
           now_us - l->lent_us <= behavior_longest_period_s(spec) * SECOND_US;
}

static void move(struct loan *l, const struct core_spec *spec, int64_t now_us, int32_t to)
{
    if (to != l->without)
        behavior_scaled(&l->behavior, spec, now_us, l->without, to);
    l->without = l->planned_without = MAX(to, 1);
}

int32_t loan_begin(struct loan *l, const struct core_spec *spec, int64_t now_us, int32_t current)
{
    if (!l->active)
        return current;
    if (current != l->live && current != l->planned) /* somebody else has set it */
        l->without = current;
    else if (current != l->live) /* a write of ours that we did not hear of */
        l->without = l->planned_without;
    l->live = l->planned = current;
    /* A minimum that has changed, and raises of ours that did not get through. */
    l->without = MIN(MAX(l->without, spec->min_replicas), current);
    if (current == 0 || (current == l->without && !is_remembered(l, spec, now_us))) {
        loan_done(l);
        return current;
    }
    l->without = l->planned_without = MAX(l->without, 1);
    return l->without;
}

bool loan_due(const struct loan *l, int64_t now_us, uint32_t down_window_s)
{
    return now_us - l->raised_us >= down_window_s * SECOND_US;
}

void loan_note(struct loan *l, const struct core_spec *spec, const struct behavior *behavior, int64_t now_us,
               const struct loan_note *note)
{
    if (note->refused)
        loan_done(l);
    if (note->refused || (!l->active && !note->raised))
        return;
    if (!l->active) {
        *l = (struct loan){.active = true, .without = note->current};
        behavior_copy(&l->behavior, behavior);
    }
    if (note->raised)
        l->raised_us = l->lent_us = now_us;
    if (note->recorded)
        behavior_record(&l->behavior, spec, now_us, note->need);
    if (note->current != l->without)
        l->lent_us = now_us;
    l->live = note->current;
    l->planned = note->planned;
    /* One write for both: whether it happens is not known yet. */
    bool waits = l->planned != l->live && (l->planned > l->live) == (note->without > l->without);
    if (waits)
        l->planned_without = note->without;
    else
        move(l, spec, now_us, note->without);
}

void loan_hold(struct loan *l, int64_t now_us, int32_t replicas)
{
    if (l->active)
        behavior_hold(&l->behavior, now_us, replicas);
}

void loan_applied(struct loan *l, const struct core_spec *spec, int64_t now_us, int32_t to)
{
    if (l->active)
        move(l, spec, now_us, l->planned_without);
    l->live = l->planned = to;
}

void loan_set_back(struct loan *l, int64_t now_us)
{
    behavior_set_back(&l->behavior, now_us);
    l->raised_us = MIN(l->raised_us, now_us);
    l->lent_us = MIN(l->lent_us, now_us);
}

void loan_resume(struct loan *l, const struct core_spec *spec, int64_t now_us, int32_t replicas)
{
    if (!l->active)
        return;
    behavior_resume(&l->behavior, spec, now_us, MIN(l->without, replicas));
    l->raised_us = now_us;
}

void loan_restore(struct loan *l, int64_t now_us, int32_t replicas, int32_t lent)
{
    if (l->active || lent <= 0 || lent >= replicas)
        return;
    *l = (struct loan){.active = true,
                       .without = replicas - lent,
                       .planned_without = replicas - lent,
                       .live = replicas,
                       .planned = replicas,
                       .raised_us = now_us,
                       .lent_us = now_us};
    behavior_first_sight(&l->behavior, now_us, l->without);
}

void loan_encode(const struct loan *l, struct codec_writer *w)
{
    codec_u32(w, (uint32_t)l->without);
    codec_u32(w, (uint32_t)l->planned_without);
    codec_u32(w, (uint32_t)l->live);
    codec_u32(w, (uint32_t)l->planned);
    codec_i64(w, l->raised_us);
    codec_i64(w, l->lent_us);
    behavior_encode(&l->behavior, w);
}

int loan_decode(struct loan *l, struct codec_reader *r)
{
    uint32_t without = codec_get_u32(r), planned_without = codec_get_u32(r);
    uint32_t live = codec_get_u32(r), planned = codec_get_u32(r);
    int64_t raised_us = codec_get_i64(r), lent_us = codec_get_i64(r);
    const int64_t limit = INT64_MAX / 4;
    if (r->failed || without == 0 || without > INT32_MAX || planned_without > INT32_MAX || live > INT32_MAX ||
        planned > INT32_MAX || raised_us > limit || raised_us < -limit || lent_us > limit || lent_us < -limit)
        return -1;
    l->active = true;
    l->without = (int32_t)without;
    l->planned_without = (int32_t)planned_without;
    l->live = (int32_t)live;
    l->planned = (int32_t)planned;
    l->raised_us = raised_us;
    l->lent_us = lent_us;
    return behavior_decode(&l->behavior, r);
}
