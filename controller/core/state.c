/* The state: its life, and its encoding.
 *
 * A part of a checkpoint is a frame around sections:
 *     u32 magic, u16 version, u16 kind, u32 length, u32 CRC-32C of the payload, payload
 * A reader skips sections that it does not know and keeps the default of those that are absent, so that
 * fields are added without a new version; the version changes when an old reader would misunderstand. */
#include "core/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define MAGIC        0x4b344941u /* "AI4K" */
#define VERSION      1u
#define FRAME_BYTES  16
#define MAX_SEGMENTS (DEMAND_MAX_SLOTS / DEMAND_SEGMENT + 2)

enum frame_kind { FRAME_TAIL = 1, FRAME_HISTORY = 2 };
enum tail_tag {
    TAG_GENERAL = 1,
    TAG_BEHAVIOR = 2,
    TAG_CONTENTION = 3,
    TAG_DECISIONS = 4,
    TAG_METRIC = 5,
    TAG_OUTAGES = 6,
    TAG_WATCH = 7, /* behind the metrics */
    TAG_ADVICE = 8,
    TAG_LOAN = 9
};
enum history_tag { TAG_SEGMENT = 1 };

/* ---- life ---- */

static void metric_done(struct core_state_metric *m)
{
    free(m->name);
    demand_free(m->demand);
    *m = (struct core_state_metric){.name = NULL};
}

static bool same_config(const struct demand_config *a, const struct demand_config *b)
{
    if (a->interval_s != b->interval_s || a->slots != b->slots || a->horizon != b->horizon ||
        a->seasonality != b->seasonality || a->n_periods != b->n_periods ||
        a->confidence_percent != b->confidence_percent || a->min_history_s != b->min_history_s ||
        a->max_error_percent != b->max_error_percent || a->min_coverage_percent != b->min_coverage_percent)
        return false;
    for (uint32_t i = 0; i < a->n_periods && i < DEMAND_MAX_PERIODS; i++)
        if (a->periods_s[i] != b->periods_s[i])
            return false;
    return true;
}

static bool same_metrics(const struct core_state *state, const struct core_spec *spec)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        if (!spec->metrics[i].forecast)
            continue;
        if (n == state->n_metrics || strcmp(state->metrics[n].name, spec->metrics[i].name) != 0 ||
            !same_config(demand_config(state->metrics[n].demand), &spec->prediction))
            return false;
        n++;
    }
    return n == state->n_metrics;
}

static struct core_state_metric *find_metric(struct core_state *state, const char *name)
{
    for (uint32_t i = 0; i < state->n_metrics; i++)
        if (state->metrics[i].name && strcmp(state->metrics[i].name, name) == 0)
            return &state->metrics[i];
    return NULL;
}

void state_take_spec(struct core_state *state, const struct core_spec *spec)
{
    if (same_metrics(state, spec))
        return;
    struct core_state_metric taken[CORE_MAX_METRICS] = {{.name = NULL}};
    uint32_t n = 0;
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        if (!spec->metrics[i].forecast)
            continue;
        struct core_state_metric *old = find_metric(state, spec->metrics[i].name);
        if (old) {
            taken[n] = *old;
            *old = (struct core_state_metric){.name = NULL};
            if (!same_config(demand_config(taken[n].demand), &spec->prediction))
                demand_reconfigure(taken[n].demand, &spec->prediction);
        } else {
            taken[n].name = xstrdup(spec->metrics[i].name);
            taken[n].demand = demand_new(&spec->prediction);
        }
        n++;
    }
    for (uint32_t i = 0; i < state->n_metrics; i++)
        metric_done(&state->metrics[i]);
    memcpy(state->metrics, taken, sizeof taken);
    state->n_metrics = n;
    watch_clear(&state->watch);
}

struct core_state *core_state_new(const struct core_spec *spec)
{
    struct core_state *state = xcalloc(1, sizeof *state);
    state_take_spec(state, spec);
    return state;
}

struct core_state *core_state_free(struct core_state *state)
{
    if (!state)
        return NULL;
    for (uint32_t i = 0; i < state->n_metrics; i++)
        metric_done(&state->metrics[i]);
    behavior_done(&state->behavior);
    loan_done(&state->loan);
    decisions_done(&state->decisions);
    watch_clear(&state->watch);
    free(state);
    return NULL;
}

size_t core_state_memory(const struct core_state *state)
{
    size_t bytes = sizeof *state + behavior_memory(&state->behavior) + loan_memory(&state->loan) +
                   state->decisions.cap + watch_memory(&state->watch);
    for (uint32_t i = 0; i < state->n_metrics; i++)
        bytes += strlen(state->metrics[i].name) + 1 + demand_memory(state->metrics[i].demand);
    return bytes;
}

struct demand *core_state_demand(struct core_state *state, const char *metric)
{
    struct core_state_metric *m = find_metric(state, metric);
    return m ? m->demand : NULL;
}

uint32_t core_state_decisions(const struct core_state *state, struct core_decision *out, uint32_t cap)
{
    return decisions_list(&state->decisions, out, cap);
}

void core_rest(struct core_state *state)
{
    watch_rest(&state->watch);
}

/* Of what is forecast, and on which grid (FNV-1a). */
static uint64_t metrics_digest(const struct core_state *state)
{
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < state->n_metrics; i++) {
        const struct demand_config *config = demand_config(state->metrics[i].demand);
        for (const char *c = state->metrics[i].name; *c; c++)
            digest = (digest ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
        digest = (digest ^ config->interval_s) * UINT64_C(0x100000001b3);
        digest = (digest ^ config->slots) * UINT64_C(0x100000001b3);
    }
    return digest;
}

/* ---- writing ---- */

static size_t frame_begin(struct codec_writer *w, enum frame_kind kind)
{
    size_t at = w->out->len;
    codec_u32(w, MAGIC);
    codec_u16(w, VERSION);
    codec_u16(w, (uint16_t)kind);
    codec_u64(w, 0);
    return at;
}

static void put_u32_at(struct buf *out, size_t at, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        out->data[at + i] = (char)(uint8_t)(v >> (8 * i));
}

static void frame_end(struct codec_writer *w, size_t at)
{
    if (w->out->failed)
        return;
    size_t len = w->out->len - at - FRAME_BYTES;
    put_u32_at(w->out, at + 8, (uint32_t)len);
    put_u32_at(w->out, at + 12, codec_crc32c(w->out->data + at + FRAME_BYTES, len));
}

static void put_name(struct codec_writer *w, const char *name)
{
    codec_bytes(w, name, strlen(name));
}

static void put_contention(struct codec_writer *w, const struct contention *c)
{
    codec_u8(w, c->known);
    codec_u32(w, (uint32_t)c->expected);
    codec_u32(w, (uint32_t)c->from);
    codec_u32(w, (uint32_t)c->to);
    codec_i64(w, c->written_us);
    codec_i64(w, c->undone_us);
    codec_i64(w, c->until_us);
    codec_i64(w, c->hold_until_us);
    codec_u32(w, c->hold_off_s);
}

void core_state_encode_tail(const struct core_state *state, struct buf *out)
{
    struct codec_writer w = {.out = out};
    size_t frame = frame_begin(&w, FRAME_TAIL);

    size_t at = codec_section(&w, TAG_GENERAL);
    codec_u8(&w, state->scaled_to_zero);
    codec_section_end(&w, at);

    at = codec_section(&w, TAG_BEHAVIOR);
    behavior_encode(&state->behavior, &w);
    codec_section_end(&w, at);

    at = codec_section(&w, TAG_CONTENTION);
    put_contention(&w, &state->contention);
    codec_section_end(&w, at);

    at = codec_section(&w, TAG_DECISIONS);
    decisions_encode(&state->decisions, &w);
    codec_section_end(&w, at);

    at = codec_section(&w, TAG_OUTAGES);
    outages_encode(&state->outages, &w);
    codec_section_end(&w, at);

    if (advice_known(&state->advice)) {
        at = codec_section(&w, TAG_ADVICE);
        advice_encode(&state->advice, &w);
        codec_section_end(&w, at);
    }

    if (state->loan.active) {
        at = codec_section(&w, TAG_LOAN);
        loan_encode(&state->loan, &w);
        codec_section_end(&w, at);
    }

    for (uint32_t i = 0; i < state->n_metrics; i++) {
        at = codec_section(&w, TAG_METRIC);
        put_name(&w, state->metrics[i].name);
        demand_encode_tail(state->metrics[i].demand, &w);
        codec_section_end(&w, at);
    }
    at = codec_section(&w, TAG_WATCH);
    watch_encode(&state->watch, metrics_digest(state), &w);
    codec_section_end(&w, at);
    frame_end(&w, frame);
}

void core_state_encode_history(const struct core_state *state, struct buf *out)
{
    struct codec_writer w = {.out = out};
    size_t frame = frame_begin(&w, FRAME_HISTORY);
    for (uint32_t i = 0; i < state->n_metrics; i++) {
        const struct demand *d = state->metrics[i].demand;
        int64_t open = demand_open_segment(d);
        for (int64_t index = MAX(demand_first_segment(d), open - MAX_SEGMENTS); index < open; index++) {
            size_t at = codec_section(&w, TAG_SEGMENT);
            put_name(&w, state->metrics[i].name);
            codec_i64(&w, index);
            demand_encode_segment(d, index, &w);
            codec_section_end(&w, at);
        }
    }
    frame_end(&w, frame);
}

void core_state_encode(const struct core_state *state, struct buf *out)
{
    core_state_encode_tail(state, out);
    core_state_encode_history(state, out);
}

int64_t core_state_history_version(const struct core_state *state)
{
    uint64_t version = 0;
    for (uint32_t i = 0; i < state->n_metrics; i++)
        version = version * 0x100000001b3u + (uint64_t)demand_open_segment(state->metrics[i].demand) + 1;
    return (int64_t)version;
}

/* ---- reading ---- */

/* The payload of the frame in front, and how long the whole frame is. */
static int frame_open(const void *data, size_t len, enum frame_kind kind, struct codec_reader *ret, size_t *ret_bytes,
                      struct error *err)
{
    struct codec_reader r = codec_reader(data, len);
    uint32_t magic = codec_get_u32(&r);
    uint16_t version = codec_get_u16(&r);
    uint16_t is = codec_get_u16(&r);
    uint32_t payload = codec_get_u32(&r), crc = codec_get_u32(&r);
    if (r.failed || magic != MAGIC)
        return error_set(err, ERROR_PARSE, "not a state of this program");
    if (version > VERSION)
        return error_set(err, ERROR_PARSE, "of version %u, newer than %u", version, VERSION);
    if (is != (uint16_t)kind)
        return error_set(err, ERROR_PARSE, "another part of a state");
    if (payload > len - FRAME_BYTES)
        return error_set(err, ERROR_PARSE, "cut short");
    const uint8_t *bytes = (const uint8_t *)data + FRAME_BYTES;
    if (codec_crc32c(bytes, payload) != crc)
        return error_set(err, ERROR_PARSE, "checksum does not match");
    *ret = codec_reader(bytes, payload);
    *ret_bytes = FRAME_BYTES + payload;
    return 0;
}

static bool get_name(struct codec_reader *r, char out[64])
{
    size_t len = 0;
    const void *name = codec_get_bytes(r, 63, &len);
    if (r->failed || len == 0 || memchr(name, '\0', len))
        return false;
    memcpy(out, name, len);
    out[len] = '\0';
    return true;
}

static bool get_contention(struct codec_reader *r, struct contention *c)
{
    c->known = codec_get_u8(r) != 0;
    uint32_t expected = codec_get_u32(r), from = codec_get_u32(r), to = codec_get_u32(r);
    c->written_us = codec_get_i64(r);
    c->undone_us = codec_get_i64(r);
    c->until_us = codec_get_i64(r);
    c->hold_until_us = codec_get_i64(r);
    c->hold_off_s = codec_get_u32(r);
    const int64_t limit = INT64_MAX / 4;
    if (r->failed || expected > INT32_MAX || from > INT32_MAX || to > INT32_MAX || c->hold_off_s > 3600 ||
        MAX(c->written_us, c->undone_us) > limit || MAX(c->until_us, c->hold_until_us) > limit ||
        MIN(c->written_us, c->undone_us) < -limit || MIN(c->until_us, c->hold_until_us) < -limit)
        return false;
    c->expected = (int32_t)expected;
    c->from = (int32_t)from;
    c->to = (int32_t)to;
    return true;
}

static bool is_forecast(const struct core_spec *spec, const char *name)
{
    for (uint32_t i = 0; i < spec->n_metrics; i++)
        if (spec->metrics[i].forecast && strcmp(spec->metrics[i].name, name) == 0)
            return true;
    return false;
}

static bool get_metric(struct codec_reader *r, const struct core_spec *spec, struct core_state *state)
{
    char name[64];
    if (!get_name(r, name) || find_metric(state, name))
        return false;
    if (!is_forecast(spec, name))
        return true; /* it has been removed since */
    struct core_state_metric *m = &state->metrics[state->n_metrics++];
    m->name = xstrdup(name);
    m->demand = demand_new(&spec->prediction);
    return demand_decode_tail(m->demand, r) == 0;
}

/* Only metrics may come more than once: what is decoded goes into a part that is fresh. */
static bool is_repeated(uint32_t *seen, uint16_t tag)
{
    uint32_t bit = tag < 32 && tag != TAG_METRIC ? 1u << tag : 0;
    bool repeated = *seen & bit;
    *seen |= bit;
    return repeated;
}

static int read_tail(struct core_state *state, const struct core_spec *spec, struct codec_reader *frame,
                     struct error *err)
{
    struct codec_reader section;
    uint32_t seen = 0;
    uint16_t tag;
    while (codec_get_section(frame, &tag, &section)) {
        bool ok = true;
        if (is_repeated(&seen, tag))
            return error_set(err, ERROR_PARSE, "section %u is there twice", tag);
        if (tag == TAG_GENERAL)
            state->scaled_to_zero = codec_get_u8(&section) != 0;
        else if (tag == TAG_BEHAVIOR)
            ok = behavior_decode(&state->behavior, &section) == 0;
        else if (tag == TAG_CONTENTION)
            ok = get_contention(&section, &state->contention);
        else if (tag == TAG_DECISIONS)
            ok = decisions_decode(&state->decisions, &section) == 0;
        else if (tag == TAG_OUTAGES)
            ok = outages_decode(&state->outages, &section) == 0;
        else if (tag == TAG_ADVICE)
            ok = advice_decode(&state->advice, &section) == 0;
        else if (tag == TAG_LOAN)
            ok = loan_decode(&state->loan, &section) == 0;
        else if (tag == TAG_METRIC)
            ok = get_metric(&section, spec, state);
        else if (tag == TAG_WATCH)
            ok = watch_decode(&state->watch, spec, metrics_digest(state), state->n_metrics, &section) == 0;
        if (!ok || section.failed)
            return error_set(err, ERROR_PARSE, "section %u is broken", tag);
    }
    return frame->failed ? error_set(err, ERROR_PARSE, "the sections are broken") : 0;
}

static int read_history(struct core_state *state, struct codec_reader *frame, struct error *err)
{
    struct codec_reader section;
    uint16_t tag;
    while (codec_get_section(frame, &tag, &section)) {
        char name[64];
        if (tag != TAG_SEGMENT)
            continue;
        bool ok = get_name(&section, name);
        int64_t index = codec_get_i64(&section);
        struct core_state_metric *m = ok ? find_metric(state, name) : NULL;
        if (m && demand_decode_segment(m->demand, index, &section) != 0)
            ok = false;
        if (!ok || section.failed)
            return error_set(err, ERROR_PARSE, "a segment of the history is broken");
    }
    return frame->failed ? error_set(err, ERROR_PARSE, "the sections are broken") : 0;
}

static struct core_state *read_parts(const struct core_spec *spec, const void *tail, size_t tail_len,
                                     const void *history, size_t history_len, size_t *ret_tail_bytes, struct error *err)
{
    struct codec_reader frame;
    if (frame_open(tail, tail_len, FRAME_TAIL, &frame, ret_tail_bytes, err) < 0)
        return NULL;
    struct core_state *state = xcalloc(1, sizeof *state);
    if (read_tail(state, spec, &frame, err) < 0)
        return core_state_free(state);
    if (!history && tail_len > *ret_tail_bytes) { /* both parts in one piece */
        history = (const uint8_t *)tail + *ret_tail_bytes;
        history_len = tail_len - *ret_tail_bytes;
    }
    size_t unused;
    if (history_len > 0 && (frame_open(history, history_len, FRAME_HISTORY, &frame, &unused, err) < 0 ||
                            read_history(state, &frame, err) < 0))
        return core_state_free(state);
    uint64_t before = metrics_digest(state);
    for (uint32_t i = 0; i < state->n_metrics; i++)
        demand_decode_done(state->metrics[i].demand);
    if (metrics_digest(state) != before)
        watch_clear(&state->watch);
    state_take_spec(state, spec);
    return state;
}

struct core_state *core_state_decode(const struct core_spec *spec, const void *data, size_t len, struct error *err)
{
    size_t used;
    return read_parts(spec, data, len, NULL, 0, &used, err);
}

struct core_state *core_state_decode_parts(const struct core_spec *spec, const void *tail, size_t tail_len,
                                           const void *history, size_t history_len, struct error *err)
{
    size_t used;
    return read_parts(spec, tail, tail_len, history ? history : "", history ? history_len : 0, &used, err);
}
