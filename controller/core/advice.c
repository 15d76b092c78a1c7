/* What an LLM's advice may do to a plan; the header has the rules. */
#include "core/advice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define SECOND_US INT64_C(1000000)

static int32_t clamp(int64_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : (int32_t)v;
}

/* Whether the need is still where it was when that advice was asked for. */
static bool near(int32_t then, int32_t now)
{
    int64_t moved = llabs((int64_t)now - then);
    return moved <= 1 || moved * 10 <= then;
}

/* From one side of the target to the other. To reach it is what scaling is for, and no reason to forget the advice. */
static bool crossed(enum advice_side then, enum advice_side now)
{
    return then != now && then != ADVICE_WITHIN_TOLERANCE && now != ADVICE_WITHIN_TOLERANCE;
}

static bool fresh(const struct advice *a, int64_t now_us)
{
    return now_us >= a->sampled_us && now_us - a->sampled_us <= ADVICE_TTL_S * SECOND_US;
}

void advice_situation_key(const struct advice_situation *s, char out[ADVICE_KEY_MAX])
{
    (void)snprintf(out, ADVICE_KEY_MAX,
                   "v1;c=%d;min=%d;max=%d;d=%d;r=%d;p=%d;u=%d;peak=%d;g=%d;e=%d;t=%d;side=%d;a=%u;un=%d;lead=%u;why=%d",
                   s->current, s->min, s->max, s->need, s->reactive, s->predicted, s->usage_percent, s->peak_percent,
                   s->growth_percent, s->error_percent, s->trusted, (int)s->side, s->anomaly, s->unschedulable,
                   s->lead_s, (int)s->trigger);
}

/* One "name=number" up to the next ';'. */
static bool key_member(const char **at, const char *name, int64_t *ret)
{
    char number[24];
    size_t head = strlen(name), len;
    if (strncmp(*at, name, head) != 0 || (*at)[head] != '=')
        return false;
    len = strcspn(*at + head + 1, ";");
    if (len >= sizeof number)
        return false;
    memcpy(number, *at + head + 1, len);
    number[len] = '\0';
    *at += head + 1 + len;
    *at += **at == ';';
    return str_to_i64(number, ret) && *ret >= INT32_MIN && *ret <= INT32_MAX;
}

bool advice_situation_parse(const char *key, struct advice_situation *ret)
{
    struct advice_situation s = {.current = 0};
    static const char *const names[] = {"c", "min", "max", "d", "r", "p", "u", "peak", "g", "e"};
    int32_t *const numbers[] = {&s.current,   &s.min,           &s.max,          &s.need,           &s.reactive,
                                &s.predicted, &s.usage_percent, &s.peak_percent, &s.growth_percent, &s.error_percent};
    int64_t v, side, anomaly, lead, why;
    if (!str_starts(key, "v1;"))
        return false;
    const char *at = key + 3;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!key_member(&at, names[i], &v))
            return false;
        *numbers[i] = (int32_t)v;
    }
    if (!key_member(&at, "t", &v) || !key_member(&at, "side", &side) || !key_member(&at, "a", &anomaly))
        return false;
    s.trusted = v != 0;
    if (!key_member(&at, "un", &v) || !key_member(&at, "lead", &lead) || !key_member(&at, "why", &why) || *at)
        return false;
    if (side < 0 || side > ADVICE_ABOVE_TARGET || anomaly < 0 || lead < 0 || why < 0 || why > ADVICE_TRIGGER_CHANGED)
        return false;
    s.side = (enum advice_side)side;
    s.anomaly = (uint32_t)anomaly;
    s.unschedulable = (int32_t)v;
    s.lead_s = (uint32_t)lead;
    s.trigger = (enum advice_trigger)why;
    *ret = s;
    return true;
}

/* ---- when to ask ---- */

static bool is_another(const struct advice_state *state, const struct advice_situation *now)
{
    const struct advice_situation *asked = &state->asked;
    return state->asked_us == 0 || now->side != asked->side || !near(asked->need, now->need) ||
           now->max != asked->max || now->min != asked->min;
}

static enum advice_trigger reason_to_ask(const struct advice_state *state, const struct advice_situation *now,
                                         int64_t now_us)
{
    const struct advice_situation *asked = &state->asked;
    bool changed = is_another(state, now);
    bool in_vain = state->spoiled && !changed && now_us - state->asked_us < ADVICE_TTL_S * SECOND_US;
    enum advice_trigger open = state->unanswered ? asked->trigger : ADVICE_TRIGGER_NONE;
    if (now->unschedulable > 0 && !in_vain)
        return ADVICE_TRIGGER_UNSCHEDULABLE;
    if (now->anomaly > 0 && (state->seen_calm || open == ADVICE_TRIGGER_ANOMALY))
        return ADVICE_TRIGGER_ANOMALY;
    if (!now->trusted && (state->seen_trusted || open == ADVICE_TRIGGER_TRUST_LOST))
        return ADVICE_TRIGGER_TRUST_LOST;
    if ((int64_t)now->need * 10 >= (int64_t)now->max * 9 && now->max > now->min && !in_vain)
        return ADVICE_TRIGGER_NEAR_MAX;
    if (changed || open == ADVICE_TRIGGER_CHANGED)
        return ADVICE_TRIGGER_CHANGED;
    return ADVICE_TRIGGER_NONE;
}

enum advice_trigger advice_trigger(const struct advice_config *config, struct advice_state *state,
                                   const struct advice_situation *now, int64_t now_us)
{
    if (config->mode == ADVICE_OFF)
        return ADVICE_TRIGGER_NONE;
    state->seen_trusted |= now->trusted;
    state->seen_calm |= now->anomaly == 0;
    if (now->need <= 0 || now->current <= 0)
        return ADVICE_TRIGGER_NONE;
    if (config->mode == ADVICE_BOUNDED && now->need >= now->max) /* an answer could only be shown, and is paid for */
        return ADVICE_TRIGGER_NONE;
    if (state->asked_us != 0 && now_us >= state->asked_us &&
        now_us - state->asked_us < (int64_t)config->min_interval_s * SECOND_US)
        return ADVICE_TRIGGER_NONE;
    const struct advice *a = &state->advice;
    if (a->id != 0 && fresh(a, now_us) && !crossed(a->side, now->side) && near(a->need, now->need))
        return ADVICE_TRIGGER_NONE;
    return reason_to_ask(state, now, now_us);
}

void advice_asked(struct advice_state *state, const struct advice_situation *situation, int64_t now_us)
{
    state->asked = *situation;
    state->asked_us = now_us;
    state->seen_trusted = situation->trusted;
    state->seen_calm = situation->anomaly == 0;
    state->unanswered = state->spoiled = false;
}

void advice_unanswered(struct advice_state *state)
{
    state->unanswered = state->asked_us != 0;
}

void advice_spoiled(struct advice_state *state)
{
    state->spoiled = true;
}

/* ---- what it may do ---- */

/* NULL: there is none. What waits for its score keeps its place: whoever is asked every 30 s would else never get one.
 * What would wait for longer than anything can is of a clock that was ahead. */
static struct advice_pending *free_pending(struct advice_state *state, int64_t sampled_us)
{
    for (size_t i = 0; i < ARRAY_SIZE(state->pending); i++) {
        struct advice_pending *p = &state->pending[i];
        if (p->until_us == 0 || p->until_us - sampled_us > (ADVICE_JUDGE_S + ADVICE_TTL_S) * SECOND_US)
            return p;
    }
    return NULL;
}

void advice_take(struct advice_state *state, const struct advice *advice)
{
    state->advice = *advice;
    state->approved_id = 0;
    if (advice->target_replicas == advice->need)
        return;
    struct advice_pending *slot = free_pending(state, advice->sampled_us);
    if (!slot)
        return;
    *slot = (struct advice_pending){
        .until_us = advice->sampled_us + ADVICE_JUDGE_S * SECOND_US,
        .advised = advice->target_replicas,
        .need = advice->need,
        .provider = advice->provider,
    };
}

bool advice_approve(struct advice_state *state, uint64_t id)
{
    if (id == 0 || id != state->advice.id)
        return false;
    state->approved_id = id;
    return true;
}

static bool wrong_lately(const struct advice_state *state, uint64_t provider)
{
    uint32_t n, right = advice_record(state, provider, &n);
    return n >= ADVICE_MIN_SCORES && right * 2 < n;
}

/* Why the advice in hand can't be taken now; ADVICE_NONE: it can. */
static enum advice_outcome objection(const struct advice_state *state, const struct advice_bounds *bounds,
                                     int64_t now_us)
{
    const struct advice *a = &state->advice;
    if (!bounds->active || bounds->need <= 0 || a->target_replicas <= 0)
        return ADVICE_NOT_ACTIVE;
    if (!fresh(a, now_us))
        return ADVICE_EXPIRED;
    if (crossed(a->side, bounds->side) || !near(a->need, bounds->bare))
        return ADVICE_MOVED_ON;
    if (a->confidence_percent < ADVICE_MIN_CONFIDENCE)
        return ADVICE_UNSURE;
    if (wrong_lately(state, a->provider))
        return ADVICE_WRONG_LATELY;
    return ADVICE_NONE;
}

struct advice_effect advice_apply(const struct advice_config *config, const struct advice_state *state,
                                  const struct advice_bounds *bounds, int64_t now_us)
{
    const struct advice *a = &state->advice;
    struct advice_effect effect = {.replicas = bounds->need, .proposal = -1, .outcome = ADVICE_NONE};
    if (config->mode == ADVICE_OFF || a->id == 0)
        return effect;
    effect.outcome = objection(state, bounds, now_us);
    if (effect.outcome != ADVICE_NONE)
        return effect;

    int32_t need = clamp(bounds->need, bounds->effective_min, bounds->max);
    int32_t high = clamp((int64_t)MIN(bounds->bare, need) + config->max_replica_delta, need, bounds->max);
    int32_t low = need;
    if (config->mode == ADVICE_APPROVAL && bounds->reactive >= 0)
        low = clamp(bounds->reactive, bounds->effective_min, need);
    effect.proposal = clamp(a->target_replicas, low, high);
    if (config->mode == ADVICE_OBSERVE) {
        effect.outcome = ADVICE_OBSERVED;
    } else if (config->mode == ADVICE_APPROVAL && state->approved_id != a->id) {
        effect.outcome = ADVICE_AWAITS_APPROVAL;
    } else if (effect.proposal == need) {
        effect.outcome = a->target_replicas < need ? ADVICE_LOWER_SHOWN : ADVICE_AGREES;
    } else {
        effect.outcome = ADVICE_APPLIED;
        effect.replicas = effect.proposal;
    }
    return effect;
}

/* ---- was it right? ---- */

static struct advice_record *record_of(struct advice_state *state, uint64_t provider)
{
    struct advice_record *least = &state->records[0];
    for (size_t i = 0; i < ARRAY_SIZE(state->records); i++) {
        if (state->records[i].provider == provider)
            return &state->records[i];
        if (state->records[i].n < least->n)
            least = &state->records[i];
    }
    *least = (struct advice_record){.provider = provider};
    return least;
}

void advice_score(struct advice_state *state, int32_t need, int64_t now_us)
{
    for (size_t i = 0; i < ARRAY_SIZE(state->pending); i++) {
        struct advice_pending *p = &state->pending[i];
        if (p->until_us == 0)
            continue;
        if (p->until_us - now_us > ADVICE_JUDGE_S * SECOND_US) { /* the clock was set back */
            *p = (struct advice_pending){.until_us = 0};
            continue;
        }
        p->highest = MAX(p->highest, need);
        if (now_us < p->until_us)
            continue;
        bool right = llabs((int64_t)p->highest - p->advised) <= llabs((int64_t)p->highest - p->need);
        struct advice_record *r = record_of(state, p->provider);
        r->bits = (uint16_t)((unsigned)r->bits << 1 | right);
        r->n = (uint8_t)MIN(r->n + 1, ADVICE_RECORD);
        *p = (struct advice_pending){.until_us = 0};
    }
}

uint32_t advice_record(const struct advice_state *state, uint64_t provider, uint32_t *ret_n)
{
    *ret_n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(state->records); i++) {
        const struct advice_record *r = &state->records[i];
        if (r->provider != provider || r->n == 0)
            continue;
        *ret_n = r->n;
        return (uint32_t)__builtin_popcount(r->bits & ((1U << r->n) - 1));
    }
    return 0;
}

/* ---- words ---- */

const char *advice_outcome_name(enum advice_outcome outcome)
{
    static const char *const names[ADVICE_N_OUTCOMES] = {
        [ADVICE_NONE] = "None",
        [ADVICE_APPLIED] = "Applied",
        [ADVICE_AGREES] = "Agrees",
        [ADVICE_LOWER_SHOWN] = "LowerNotApplied",
        [ADVICE_OBSERVED] = "Observed",
        [ADVICE_AWAITS_APPROVAL] = "AwaitsApproval",
        [ADVICE_EXPIRED] = "Expired",
        [ADVICE_MOVED_ON] = "SituationChanged",
        [ADVICE_UNSURE] = "LowConfidence",
        [ADVICE_WRONG_LATELY] = "WrongLately",
        [ADVICE_NOT_ACTIVE] = "NotActive",
    };
    return outcome < ADVICE_N_OUTCOMES ? names[outcome] : "None";
}

const char *advice_trigger_name(enum advice_trigger trigger)
{
    switch (trigger) {
    case ADVICE_TRIGGER_ANOMALY:
        return "Anomaly";
    case ADVICE_TRIGGER_TRUST_LOST:
        return "TrustLost";
    case ADVICE_TRIGGER_NEAR_MAX:
        return "NearMax";
    case ADVICE_TRIGGER_UNSCHEDULABLE:
        return "Unschedulable";
    case ADVICE_TRIGGER_CHANGED:
        return "SituationChanged";
    case ADVICE_TRIGGER_NONE:
    default:
        return "None";
    }
}

/* ---- what survives ---- */

static void encode_situation(const struct advice_situation *s, struct codec_writer *w)
{
    const int32_t numbers[] = {s->current,        s->min,           s->max,           s->need,
                               s->reactive,       s->predicted,     s->usage_percent, s->peak_percent,
                               s->growth_percent, s->error_percent, s->unschedulable};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        codec_u32(w, (uint32_t)numbers[i]);
    codec_u8(w, s->trusted);
    codec_u8(w, (uint8_t)s->side);
    codec_u8(w, (uint8_t)s->anomaly);
    codec_u8(w, (uint8_t)s->trigger);
    codec_u32(w, s->lead_s);
}

static void decode_situation(struct advice_situation *s, struct codec_reader *r)
{
    int32_t *const numbers[] = {&s->current,        &s->min,           &s->max,           &s->need,
                                &s->reactive,       &s->predicted,     &s->usage_percent, &s->peak_percent,
                                &s->growth_percent, &s->error_percent, &s->unschedulable};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        *numbers[i] = (int32_t)codec_get_u32(r);
    s->trusted = codec_get_u8(r) != 0;
    s->side = (enum advice_side)codec_get_u8(r);
    s->anomaly = codec_get_u8(r);
    s->trigger = (enum advice_trigger)codec_get_u8(r);
    s->lead_s = codec_get_u32(r);
    r->failed |= s->side > ADVICE_ABOVE_TARGET || s->trigger > ADVICE_TRIGGER_CHANGED;
}

bool advice_known(const struct advice_state *state)
{
    return state->advice.id != 0 || state->asked_us != 0 || state->seen_trusted || state->seen_calm;
}

void advice_encode(const struct advice_state *state, struct codec_writer *w)
{
    const struct advice *a = &state->advice;
    codec_u64(w, a->id);
    codec_i64(w, a->sampled_us);
    codec_u32(w, (uint32_t)a->need);
    codec_u32(w, (uint32_t)a->current);
    codec_u8(w, (uint8_t)a->side);
    codec_u32(w, (uint32_t)a->target_replicas);
    codec_u32(w, a->confidence_percent);
    codec_u64(w, a->provider);
    codec_u64(w, state->approved_id);
    codec_i64(w, state->asked_us);
    encode_situation(&state->asked, w);
    codec_u8(w, (uint8_t)(state->seen_trusted | state->seen_calm << 1 | state->unanswered << 2 | state->spoiled << 3));
    for (size_t i = 0; i < ARRAY_SIZE(state->pending); i++) {
        const struct advice_pending *p = &state->pending[i];
        codec_i64(w, p->until_us);
        codec_u32(w, (uint32_t)p->advised);
        codec_u32(w, (uint32_t)p->need);
        codec_u32(w, (uint32_t)p->highest);
        codec_u64(w, p->provider);
    }
    for (size_t i = 0; i < ARRAY_SIZE(state->records); i++) {
        codec_u64(w, state->records[i].provider);
        codec_u16(w, state->records[i].bits);
        codec_u8(w, state->records[i].n);
    }
}

int advice_decode(struct advice_state *ret, struct codec_reader *r)
{
    struct advice_state state = {0};
    struct advice *a = &state.advice;
    a->id = codec_get_u64(r);
    a->sampled_us = codec_get_i64(r);
    a->need = (int32_t)codec_get_u32(r);
    a->current = (int32_t)codec_get_u32(r);
    a->side = (enum advice_side)codec_get_u8(r);
    a->target_replicas = (int32_t)codec_get_u32(r);
    a->confidence_percent = codec_get_u32(r);
    a->provider = codec_get_u64(r);
    state.approved_id = codec_get_u64(r);
    state.asked_us = codec_get_i64(r);
    r->failed |= a->side > ADVICE_ABOVE_TARGET || a->confidence_percent > 100 || a->target_replicas < 0 ||
                 a->sampled_us < 0 || state.asked_us < 0;
    decode_situation(&state.asked, r);
    uint8_t seen = codec_get_u8(r);
    state.seen_trusted = seen & 1;
    state.seen_calm = seen >> 1 & 1;
    state.unanswered = seen >> 2 & 1;
    state.spoiled = seen >> 3 & 1;
    for (size_t i = 0; i < ARRAY_SIZE(state.pending); i++) {
        struct advice_pending *p = &state.pending[i];
        p->until_us = codec_get_i64(r);
        p->advised = (int32_t)codec_get_u32(r);
        p->need = (int32_t)codec_get_u32(r);
        p->highest = (int32_t)codec_get_u32(r);
        p->provider = codec_get_u64(r);
        r->failed |= p->until_us < 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(state.records); i++) {
        state.records[i].provider = codec_get_u64(r);
        state.records[i].bits = codec_get_u16(r);
        state.records[i].n = codec_get_u8(r);
        r->failed |= state.records[i].n > ADVICE_RECORD;
    }
    if (r->failed)
        return -1;
    *ret = state;
    return 0;
}
