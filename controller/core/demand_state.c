/* Encoding, rebuilding, reconfiguring; see demand.h. Everything that a later answer depends on is written
 * with its bits; what can be made from the rest (the forecast) is not. A rebuild plays the history through a
 * fresh model, slot by slot, as it would have come. */
#include "core/demand_impl.h"

#include "base/alloc.h"
#include "core/bfloat.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_CONFIG = 1, TAG_SERIES, TAG_OPEN, TAG_MODEL, TAG_DRIVER, TAG_TRUST = 7 };

#define LAYOUT 4 /* of the model's sums and windows; another one keeps the history and rebuilds them */

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (a % b < 0);
}

/* ---- rebuild and reconfigure ---- */

/* Plays `from` into d, whose parts are fresh. Slots of another length: each of ours takes the mean of theirs
 * that overlap it, by the time that they share. */
static void play(struct demand *d, const struct series *from, uint32_t from_interval_s)
{
    uint32_t ours = d->config.interval_s;
    int64_t first = floor_div((from->next - from->n) * from_interval_s, ours);
    int64_t end = floor_div(from->next * from_interval_s, ours);
    first = MAX(first, end - (int64_t)d->config.slots);
    for (int64_t slot = first; slot < end; slot++) {
        if (from_interval_s == ours) {
            demand_take_slot(d, slot, (double)series_raw(from, slot), series_marks(from, slot));
            continue;
        }
        double sum = 0, time = 0;
        unsigned marks = 0;
        int64_t begin_s = slot * ours, end_s = begin_s + ours;
        for (int64_t k = floor_div(begin_s, from_interval_s); k * from_interval_s < end_s; k++) {
            float v = series_raw(from, k);
            if (isnan(v))
                continue;
            double shared = (double)(MIN(end_s, (k + 1) * from_interval_s) - MAX(begin_s, k * from_interval_s));
            sum += shared * (double)v;
            time += shared;
            marks |= series_marks(from, k);
        }
        demand_take_slot(d, slot, time > 0 ? sum / time : (double)NAN, marks);
    }
}

void demand_replay(struct demand *d, const struct demand_config *config, struct series *from)
{
    struct series old = d->series;
    struct demand_open open = d->open;
    uint32_t old_interval_s = d->config.interval_s;
    int64_t last_us = d->last_us;
    d->series = (struct series){0};
    demand_parts_done(d);
    d->config = *config;
    demand_parts_init(d);
    d->last_us = INT64_MIN;
    d->judged_lead_s = d->lead_s;
    play(d, from ? from : &old, old_interval_s);
    d->last_us = MAX(d->last_us, last_us);
    if (old_interval_s == config->interval_s) {
        d->open = open;
        if (d->series.n == 0 && (open.n > 0 || open.excluded_n > 0)) /* nothing is closed yet: it is the first one */
            series_skip_to(&d->series, old.next);
    }
    series_done(&old);
}

void demand_step_back(struct demand *d, int64_t time_us)
{
    const struct series *s = &d->series;
    struct series kept = {0};
    series_init(&kept, d->config.slots);
    int64_t first = s->next - s->n, end = MIN(s->next, demand_slot_of(d, time_us));
    if (first < end)
        series_skip_to(&kept, first);
    for (int64_t slot = first; slot < end; slot++)
        series_push(&kept, (double)series_raw(s, slot), series_marks(s, slot));
    d->open = (struct demand_open){0};
    d->last_us = INT64_MIN;
    demand_replay(d, &d->config, &kept);
    demand_changed(d);
    series_done(&kept);
}

/* Errors of windows of three minutes say little of windows of half a minute. A measured start-up time and the age of
 * metrics move a little all the time, so only a lasting change by half counts. */
#define OTHER_LEAD_SLOTS 3

void demand_follow_lead(struct demand *d)
{
    uint32_t lo = MIN(d->lead_s, d->judged_lead_s), hi = MAX(d->lead_s, d->judged_lead_s);
    d->other_lead_slots = hi > lo + lo / 2 ? d->other_lead_slots + 1 : 0;
    if (d->series.filled == 0)
        d->judged_lead_s = d->lead_s;
    if (d->other_lead_slots < OTHER_LEAD_SLOTS || d->series.filled == 0)
        return;
    d->other_lead_slots = 0;
    demand_replay(d, &d->config, NULL);
}

static bool same_shape(const struct demand_config *a, const struct demand_config *b)
{
    struct features_cycles sa = demand_cycles(a), sb = demand_cycles(b);
    return a->interval_s == b->interval_s && a->slots == b->slots && a->horizon == b->horizon &&
           sa.season == sb.season && sa.shorter == sb.shorter && sa.week == sb.week &&
           (a->seasonality == DEMAND_SEASON_AUTO) == (b->seasonality == DEMAND_SEASON_AUTO);
}

void demand_reconfigure(struct demand *d, const struct demand_config *config)
{
    if (!same_shape(&d->config, config))
        demand_replay(d, config, NULL);
    d->config = *config;
    demand_changed(d);
}

/* ---- encoding ---- */

static void encode_config(const struct demand_config *c, struct codec_writer *w)
{
    codec_u32(w, c->interval_s);
    codec_u32(w, c->slots);
    codec_u32(w, c->horizon);
    codec_u8(w, (uint8_t)c->seasonality);
    codec_u8(w, (uint8_t)c->n_periods);
    for (uint32_t i = 0; i < c->n_periods; i++)
        codec_u32(w, c->periods_s[i]);
    codec_u32(w, c->confidence_percent);
    codec_u32(w, c->min_history_s);
    codec_u32(w, c->max_error_percent);
    codec_u32(w, c->min_coverage_percent);
}

static bool decode_config(struct demand_config *c, struct codec_reader *r)
{
    *c = (struct demand_config){0};
    c->interval_s = codec_get_u32(r);
    c->slots = codec_get_u32(r);
    c->horizon = codec_get_u32(r);
    uint8_t seasonality = codec_get_u8(r);
    c->n_periods = codec_get_u8(r);
    if (c->n_periods > DEMAND_MAX_PERIODS || seasonality > DEMAND_SEASON_NONE)
        return false;
    c->seasonality = (enum demand_seasonality)seasonality;
    for (uint32_t i = 0; i < c->n_periods; i++)
        c->periods_s[i] = codec_get_u32(r);
    c->confidence_percent = codec_get_u32(r);
    c->min_history_s = codec_get_u32(r);
    c->max_error_percent = codec_get_u32(r);
    c->min_coverage_percent = codec_get_u32(r);
    for (uint32_t i = 0; i < c->n_periods; i++)
        if (c->periods_s[i] == 0 || c->periods_s[i] > 366 * 86400u)
            return false;
    return !r->failed && c->interval_s >= 10 && c->interval_s <= 3600 && c->slots >= DEMAND_MIN_SLOTS &&
           c->slots <= DEMAND_MAX_SLOTS && c->horizon >= 1 && c->horizon <= FORECAST_MAX_HORIZON &&
           c->confidence_percent >= 50 && c->confidence_percent <= 99;
}

static void encode_slots(const struct series *s, int64_t from, int64_t end, struct codec_writer *w)
{
    from = MAX(from, s->next - s->n);
    end = MAX(MIN(end, s->next), from);
    codec_i64(w, from);
    codec_u16(w, (uint16_t)(end - from));
    for (int64_t slot = from; slot < end; slot++)
        codec_f32(w, series_raw(s, slot));
    unsigned marks = 0;
    for (int64_t slot = from; slot < end; slot++) {
        marks |= series_marks(s, slot) << 2 * ((slot - from) & 3);
        if (((slot - from) & 3) == 3 || slot + 1 == end) {
            codec_u8(w, (uint8_t)marks);
            marks = 0;
        }
    }
}

/* Slots that the ring does not hold (any more) are passed over. */
static bool decode_slots(struct series *s, int64_t segment, struct codec_reader *r)
{
    int64_t from = codec_get_i64(r);
    uint32_t n = codec_get_u16(r);
    if (r->failed || n > DEMAND_SEGMENT || from < segment * DEMAND_SEGMENT ||
        from > (segment + 1) * DEMAND_SEGMENT - (int64_t)n)
        return false;
    struct codec_reader values = *r, marks = *r;
    size_t value_bytes = (size_t)n * 4;
    if (r->len - r->pos < value_bytes + (n + 3) / 4)
        return false;
    marks.pos += value_bytes;
    unsigned bits = 0;
    for (uint32_t i = 0; i < n; i++) {
        if ((i & 3) == 0)
            bits = codec_get_u8(&marks);
        series_set(s, from + i, codec_get_f32(&values), bits >> (2 * (i & 3)) & 3u);
    }
    r->pos = marks.pos;
    return true;
}

static void encode_series(const struct demand *d, struct codec_writer *w)
{
    const struct series *s = &d->series;
    codec_i64(w, s->next);
    codec_u32(w, s->n);
    codec_u32(w, s->sum_n);
    codec_f64(w, s->sum);
    codec_i64(w, d->last_us);
    codec_u32(w, d->lead_s);
    codec_u32(w, d->judged_lead_s);
    codec_u32(w, d->other_lead_slots);
    encode_slots(s, demand_open_segment(d) * DEMAND_SEGMENT, s->next, w);
}

static bool decode_series(struct demand *d, struct codec_reader *r)
{
    struct series *s = &d->series;
    int64_t next = codec_get_i64(r);
    uint32_t n = codec_get_u32(r), sum_n = codec_get_u32(r);
    double sum = codec_get_f64(r);
    d->last_us = codec_get_i64(r);
    uint32_t lead_s = codec_get_u32(r);
    d->lead_s = MAX(lead_s, 1u);
    uint32_t judged_lead_s = codec_get_u32(r);
    d->judged_lead_s = MAX(judged_lead_s, 1u);
    d->other_lead_slots = codec_get_u32(r);
    const int64_t limit = INT64_C(1) << 60, slots = limit / 1000000 / d->config.interval_s;
    if (r->failed || n > s->cap || sum_n > n || next > slots || next < -slots ||
        (d->last_us != INT64_MIN && (d->last_us > limit || d->last_us < -limit)))
        return false;
    series_reset(s, next, n);
    s->sum = isfinite(sum) ? sum : 0;
    s->sum_n = sum_n;
    return decode_slots(s, demand_open_segment(d), r);
}

static void encode_open(const struct demand_open *o, struct codec_writer *w)
{
    codec_f64(w, o->sum);
    codec_f64(w, o->excluded_sum);
    codec_u32(w, o->n);
    codec_u32(w, o->excluded_n);
    codec_u8(w, o->censored);
}

static void decode_open(struct demand_open *o, struct codec_reader *r)
{
    o->sum = codec_get_finite(r);
    o->excluded_sum = codec_get_finite(r);
    o->n = codec_get_u32(r);
    o->excluded_n = codec_get_u32(r);
    o->censored = codec_get_u8(r) != 0;
}

static void encode_driver(const struct driver *d, struct codec_writer *w)
{
    for (uint32_t i = 0; i < DRIVER_WINDOWS; i++) {
        const struct driver_window *v = &d->window[i];
        codec_i64(w, v->end_us);
        if (v->end_us == 0)
            continue;
        codec_f32s(w, v->x, DRIVER_FEATURES);
        const float rest[] = {v->value, v->expected, v->quantile, v->scale, v->highest, v->weight};
        codec_f32s(w, rest, ARRAY_SIZE(rest));
        codec_u8(w, v->scores);
    }
    codec_i64(w, d->last_us);
    codec_i64(w, d->last_start_us);
    codec_i64(w, d->last_score_us);
    codec_u32(w, d->lag_s);
    codec_u8(w, d->censored);
    const float one[] = {d->last, d->lag, d->rows, d->level, d->errors.fast, d->errors.slow, d->errors.total};
    codec_f32s(w, one, ARRAY_SIZE(one));
    codec_f32s(w, d->errors.count, RESIDUALS_BINS);
    codec_f32s(w, d->phase, DRIVER_PHASES);
    codec_f32s(w, d->a, ARRAY_SIZE(d->a));
    codec_f32s(w, d->b, DRIVER_FEATURES);
    codec_f32s(w, d->theta, DRIVER_FEATURES);
}

/* Of a value, INT64_MIN for none; so far from the ends of the range that differences can't overflow. */
static int64_t decode_time(struct codec_reader *r)
{
    const int64_t limit = INT64_C(1) << 60;
    int64_t time_us = codec_get_i64(r);
    if (time_us != INT64_MIN && (time_us > limit || time_us < -limit))
        r->failed = true;
    return time_us;
}

static void decode_driver(struct driver *d, struct codec_reader *r)
{
    for (uint32_t i = 0; i < DRIVER_WINDOWS; i++) {
        struct driver_window *v = &d->window[i];
        v->end_us = decode_time(r);
        r->failed |= v->end_us == INT64_MIN;
        if (v->end_us == 0)
            continue;
        codec_get_finite_f32s(r, v->x, DRIVER_FEATURES);
        float rest[6];
        codec_get_finite_f32s(r, rest, ARRAY_SIZE(rest));
        v->value = rest[0], v->expected = rest[1], v->quantile = rest[2];
        v->scale = rest[3], v->highest = rest[4], v->weight = rest[5];
        v->scores = codec_get_u8(r) != 0;
    }
    d->last_us = decode_time(r);
    d->last_start_us = decode_time(r);
    d->last_score_us = decode_time(r);
    d->lag_s = codec_get_u32(r);
    d->censored = codec_get_u8(r) != 0;
    float one[7];
    codec_get_finite_f32s(r, one, ARRAY_SIZE(one));
    d->last = one[0], d->lag = one[1], d->rows = one[2], d->level = one[3];
    d->errors.fast = one[4], d->errors.slow = one[5], d->errors.total = one[6];
    codec_get_finite_f32s(r, d->errors.count, RESIDUALS_BINS);
    codec_get_finite_f32s(r, d->phase, DRIVER_PHASES);
    codec_get_finite_f32s(r, d->a, ARRAY_SIZE(d->a));
    codec_get_finite_f32s(r, d->b, DRIVER_FEATURES);
    codec_get_finite_f32s(r, d->theta, DRIVER_FEATURES);
}

static void encode_trust(const struct trust *t, struct codec_writer *w)
{
    codec_u8(w, t->n);
    codec_u8(w, t->head);
    codec_u8(w, t->good);
    codec_u8(w, t->bad);
    codec_u8(w, t->trusted);
    codec_u16(w, t->open.n);
    codec_u16(w, t->open.covered);
    const float sums[] = {t->open.error, t->open.last_value, t->open.actual};
    codec_f32s(w, sums, ARRAY_SIZE(sums));
    for (uint32_t i = 0; i < t->n; i++) {
        codec_u16(w, t->error[i]);
        codec_u16(w, t->actual[i]);
        codec_u16(w, t->last_value[i]);
        codec_u8(w, t->covered[i]);
    }
}

static void decode_trust(struct trust *t, struct codec_reader *r)
{
    t->n = codec_get_u8(r);
    t->head = codec_get_u8(r);
    t->good = codec_get_u8(r);
    t->bad = codec_get_u8(r);
    t->trusted = codec_get_u8(r) != 0;
    float sums[3];
    t->open.n = codec_get_u16(r);
    t->open.covered = codec_get_u16(r);
    codec_get_finite_f32s(r, sums, ARRAY_SIZE(sums));
    t->open.error = sums[0], t->open.last_value = sums[1], t->open.actual = sums[2];
    if (t->n > TRUST_SCORES || t->head >= TRUST_SCORES || (t->n < TRUST_SCORES && t->head != t->n) ||
        t->open.covered > t->open.n) {
        *t = (struct trust){0};
        r->failed = true;
        return;
    }
    for (uint32_t i = 0; i < t->n; i++) {
        t->error[i] = codec_get_u16(r);
        t->actual[i] = codec_get_u16(r);
        t->last_value[i] = codec_get_u16(r);
        t->covered[i] = codec_get_u8(r);
        if (!bfloat_finite(t->error[i]) || !bfloat_finite(t->actual[i]) || !bfloat_finite(t->last_value[i]) ||
            t->covered[i] > TRUST_ALL)
            r->failed = true;
    }
}

void demand_encode_tail(const struct demand *d, struct codec_writer *w)
{
    size_t at = codec_section(w, TAG_CONFIG);
    encode_config(&d->config, w);
    codec_section_end(w, at);
    at = codec_section(w, TAG_SERIES);
    encode_series(d, w);
    codec_section_end(w, at);
    at = codec_section(w, TAG_OPEN);
    encode_open(&d->open, w);
    codec_section_end(w, at);
    at = codec_section(w, TAG_MODEL);
    codec_u16(w, LAYOUT);
    model_encode(&d->model, w);
    codec_section_end(w, at);
    at = codec_section(w, TAG_DRIVER);
    codec_u16(w, LAYOUT);
    encode_driver(&d->driver, w);
    codec_section_end(w, at);
    at = codec_section(w, TAG_TRUST);
    encode_trust(&d->trust, w);
    codec_section_end(w, at);
}

void demand_encode_segment(const struct demand *d, int64_t index, struct codec_writer *w)
{
    encode_slots(&d->series, index * DEMAND_SEGMENT, (index + 1) * DEMAND_SEGMENT, w);
}

int64_t demand_open_segment(const struct demand *d)
{
    return floor_div(d->series.next, DEMAND_SEGMENT);
}

int64_t demand_first_segment(const struct demand *d)
{
    return MIN(floor_div(d->series.next - d->series.n, DEMAND_SEGMENT), demand_open_segment(d));
}

/* ---- decoding ---- */

/* One section into d. False: it breaks what it should hold to. */
static bool take_section(struct demand *d, uint16_t tag, struct codec_reader *s, unsigned *seen)
{
    switch (tag) {
    case TAG_SERIES:
        if (!decode_series(d, s))
            return false;
        break;
    case TAG_OPEN:
        decode_open(&d->open, s);
        break;
    case TAG_MODEL:
    case TAG_DRIVER:
        if (codec_get_u16(s) != LAYOUT)
            return true; /* not seen: rebuilt */
        if (tag == TAG_MODEL)
            model_decode(&d->model, s);
        else
            decode_driver(&d->driver, s);
        break;
    case TAG_TRUST:
        decode_trust(&d->trust, s);
        break;
    default:
        return true;
    }
    *seen |= 1u << tag;
    return !s->failed;
}

int demand_decode_tail(struct demand *d, struct codec_reader *r)
{
    struct codec_reader section;
    uint16_t tag;
    struct demand_config config;
    if (!codec_get_section(r, &tag, &section) || tag != TAG_CONFIG || !decode_config(&config, &section))
        return -1;
    /* The state is taken in as it was written, then becomes what this one was made for. */
    if (!d->wanted)
        d->wanted = xcalloc(1, sizeof *d->wanted);
    *d->wanted = d->config;
    demand_parts_done(d);
    d->config = config;
    demand_parts_init(d);

    unsigned seen = 0, all = 1u << TAG_SERIES | 1u << TAG_OPEN | 1u << TAG_MODEL | 1u << TAG_DRIVER | 1u << TAG_TRUST;
    bool good = true;
    while (good && codec_get_section(r, &tag, &section))
        good = take_section(d, tag, &section, &seen);
    if (!good || r->failed || !(seen & 1u << TAG_SERIES)) {
        demand_parts_done(d);
        d->config = *d->wanted;
        demand_parts_init(d);
        free(d->wanted);
        d->wanted = NULL;
        return -1;
    }
    d->missing = (1u << (demand_open_segment(d) - demand_first_segment(d))) - 1;
    if (seen != all)
        d->missing |= 1u << 31; /* of the sums: never found */
    return 0;
}

int demand_decode_segment(struct demand *d, int64_t index, struct codec_reader *r)
{
    int64_t bit = index - demand_first_segment(d);
    if (index > INT64_MAX / DEMAND_SEGMENT - 1 || index < INT64_MIN / DEMAND_SEGMENT + 1)
        return -1;
    struct codec_reader at = *r;
    if (!decode_slots(&d->series, index, &at))
        return -1;
    *r = at;
    if (bit >= 0 && bit < demand_open_segment(d) - demand_first_segment(d))
        d->missing &= ~(1u << bit);
    return 0;
}

void demand_decode_done(struct demand *d)
{
    if (!d->wanted)
        return;
    struct demand_config wanted = *d->wanted;
    free(d->wanted);
    d->wanted = NULL;
    if (d->missing)
        demand_replay(d, &d->config, NULL);
    d->missing = 0;
    demand_reconfigure(d, &wanted);
}
