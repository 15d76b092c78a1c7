/* The model's state as bytes, every float with its bits; see model.h. */
#include "core/model.h"

#include "core/bfloat.h"

static void encode_row(const struct model_row *row, struct codec_writer *w)
{
    codec_u8(w, (uint8_t)(row->issued | row->regressed << 1));
    if (!row->issued)
        return;
    if (row->regressed) {
        for (uint32_t i = 0; i < FEATURES; i++)
            codec_u16(w, row->x[i]);
        codec_f32(w, row->profile);
    }
    codec_f32(w, row->mean);
    codec_f32(w, row->scale);
}

static void decode_row(struct model_row *row, struct codec_reader *r)
{
    uint8_t flags = codec_get_u8(r);
    *row = (struct model_row){.issued = flags & 1, .regressed = flags >> 1 & 1};
    if (!row->issued)
        return;
    if (row->regressed) {
        for (uint32_t i = 0; i < FEATURES; i++) {
            row->x[i] = codec_get_u16(r);
            if (!bfloat_finite(row->x[i]))
                r->failed = true;
        }
        codec_get_finite_f32s(r, &row->profile, 1);
    }
    codec_get_finite_f32s(r, &row->mean, 1);
    codec_get_finite_f32s(r, &row->scale, 1);
}

void model_encode(const struct model *m, struct codec_writer *w)
{
    codec_u8(w, FEATURES);
    codec_u8(w, RESIDUALS_BINS);
    codec_u8(w, (uint8_t)m->n_knots);
    codec_u16(w, (uint16_t)m->n_rows);
    codec_u32(w, m->period.found);
    codec_u32(w, m->period.suspect);
    codec_u32(w, m->period.candidate);
    codec_u32(w, m->period.best);
    codec_f32(w, m->period.reference);
    codec_f32(w, m->period.best_score);
    codec_f32(w, m->period.found_score);
    codec_u8(w, m->negative);
    codec_f32s(w, m->now.dev, FEATURES_WINDOWS);
    codec_f32(w, m->now.week);
    codec_f32s(w, m->now.level, ARRAY_SIZE(m->now.level));
    codec_f32(w, m->now.usual);
    codec_f32(w, m->now.last);
    codec_u32(w, m->now.seen);
    codec_u32(w, m->now.gap);
    codec_f32(w, m->scatter.sum);
    codec_f32(w, m->scatter.weight);
    for (uint32_t i = 0; i < m->n_knots; i++) {
        const struct model_knot *k = &m->knot[i];
        codec_f32s(w, k->ridge.a, RIDGE_SUMS);
        codec_f32s(w, k->ridge.b, FEATURES);
        codec_f32s(w, k->ridge.delta, FEATURES);
        codec_f32(w, k->ridge.rows);
        codec_f32(w, k->ridge.usual);
        codec_f32(w, k->errors.fast);
        codec_f32(w, k->errors.slow);
        codec_f32(w, k->errors.total);
        codec_f32s(w, k->errors.count, RESIDUALS_BINS);
    }
    for (uint32_t i = 0; i < m->n_rows; i++)
        encode_row(&m->row[i], w);
}

void model_decode(struct model *m, struct codec_reader *r)
{
    if (codec_get_u8(r) != FEATURES || codec_get_u8(r) != RESIDUALS_BINS || codec_get_u8(r) != m->n_knots ||
        codec_get_u16(r) != m->n_rows) {
        r->failed = true;
        return;
    }
    m->period.found = codec_get_u32(r);
    m->period.suspect = codec_get_u32(r);
    m->period.candidate = codec_get_u32(r);
    m->period.best = codec_get_u32(r);
    codec_get_finite_f32s(r, &m->period.reference, 1);
    codec_get_finite_f32s(r, &m->period.best_score, 1);
    codec_get_finite_f32s(r, &m->period.found_score, 1);
    if (m->season ? m->period.found > m->season || MAX(m->period.candidate, m->period.suspect) > m->season / 4
                  : m->period.found > 0)
        r->failed = true;
    m->negative = codec_get_u8(r) != 0;
    codec_get_finite_f32s(r, m->now.dev, FEATURES_WINDOWS);
    codec_get_finite_f32s(r, &m->now.week, 1);
    codec_get_finite_f32s(r, m->now.level, ARRAY_SIZE(m->now.level));
    codec_get_finite_f32s(r, &m->now.usual, 1);
    codec_get_finite_f32s(r, &m->now.last, 1);
    m->now.seen = codec_get_u32(r);
    m->now.gap = codec_get_u32(r);
    codec_get_finite_f32s(r, &m->scatter.sum, 1);
    codec_get_finite_f32s(r, &m->scatter.weight, 1);
    for (uint32_t i = 0; i < m->n_knots; i++) {
        struct model_knot *k = &m->knot[i];
        codec_get_finite_f32s(r, k->ridge.a, RIDGE_SUMS);
        codec_get_finite_f32s(r, k->ridge.b, FEATURES);
        codec_get_finite_f32s(r, k->ridge.delta, FEATURES);
        codec_get_finite_f32s(r, &k->ridge.rows, 1);
        codec_get_finite_f32s(r, &k->ridge.usual, 1);
        codec_get_finite_f32s(r, &k->errors.fast, 1);
        codec_get_finite_f32s(r, &k->errors.slow, 1);
        codec_get_finite_f32s(r, &k->errors.total, 1);
        codec_get_finite_f32s(r, k->errors.count, RESIDUALS_BINS);
    }
    for (uint32_t i = 0; i < m->n_rows; i++)
        decode_row(&m->row[i], r);
}
