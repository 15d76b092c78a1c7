/* The history of one metric: a ring of slot means, float32, with two marks per slot.
 *
 * Slot k covers Unix time [k s, (k + 1) s). A slot holds a value or no data (NaN). `excluded` slots are shown
 * but read as no data by the model; `censored` ones are lower bounds of the truth and are read as they are.
 *
 * Closed slots are [next - n, next); `next` is the origin of a forecast. Reading outside gives NaN, so that a
 * model asks for what it wants and takes what there is.
 */
#ifndef CORE_SERIES_H
#define CORE_SERIES_H

#include "base/base.h"

#include <math.h>

enum series_mark { SERIES_EXCLUDED = 1, SERIES_CENSORED = 2 };

struct series {
    uint32_t cap;
    uint32_t n;      /* closed slots held, with and without a value */
    int64_t next;    /* the first slot that is not closed */
    uint32_t filled; /* slots with a value */
    uint32_t head;   /* place of `next` in the ring: next modulo cap */
    double sum;      /* of the roots of what the model reads, and their number */
    uint32_t sum_n;
    float *value;
    uint8_t *marks; /* 2 bits a slot */
};

void series_init(struct series *s, uint32_t cap);
void series_done(struct series *s);
size_t series_memory(uint32_t cap); /* bytes on the heap */

/* Closes slot `next` (the first push: any slot). Values beyond +-SERIES_MAX are clipped; NaN is no data. */
#define SERIES_MAX 1e30
void series_push(struct series *s, double value, unsigned marks);
/* Starts at `slot` when empty, otherwise closes all slots before it as no data (at most `cap` are walked). */
void series_skip_to(struct series *s, int64_t slot);
/* A ring whose closed slots [next - n, next) are all no data, to be filled with series_set() and finished
 * with series_resum(): for checkpoints. Slots outside the ring are ignored. */
void series_reset(struct series *s, int64_t next, uint32_t n);
void series_set(struct series *s, int64_t slot, float value, unsigned marks);
void series_resum(struct series *s);

float series_raw(const struct series *s, int64_t slot); /* what was stored, excluded or not */
unsigned series_marks(const struct series *s, int64_t slot);
double series_mean_root(const struct series *s); /* over the ring, of what the model reads; 0 when empty */

/* The scale on which demand is modelled: the signed square root. The noise of counts grows with their root,
 * so that on this scale it is of one size by day and by night, and a spike weighs less; zero stays zero. */
static inline double series_root(double v)
{
    return v < 0 ? -sqrt(-v) : sqrt(v);
}

static inline double series_unroot(double r)
{
    return r < 0 ? -r * r : r * r;
}

/* By place in the ring. */
static inline bool series_excluded(const struct series *s, uint32_t i)
{
    return ((unsigned)s->marks[i >> 2] >> (2 * (i & 3)) & SERIES_EXCLUDED) != 0;
}

/* What the model reads: NaN for no data, excluded, or outside. */
static inline float series_at(const struct series *s, int64_t slot)
{
    int64_t back = s->next - slot;
    if (back < 1 || back > (int64_t)s->n)
        return __builtin_nanf("");
    uint32_t i = s->head >= (uint32_t)back ? s->head - (uint32_t)back : s->head + s->cap - (uint32_t)back;
    if (__builtin_expect(series_excluded(s, i), 0))
        return __builtin_nanf("");
    return s->value[i];
}

/* The values of `n` slots, the first at `first`, then every `step`-th, as series_at() gives them, NaN among them. */
void series_read(const struct series *s, int64_t first, uint32_t n, uint32_t step, float *out);

#endif
