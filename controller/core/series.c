/* The ring of slots; see series.h. The running sum gives the mean of a week for the price of one addition.
 * Its rounding errors are harmless for numbers of one size; once a number leaves the ring that dwarfed the
 * rest, and once per turn of the ring, the sum is taken afresh. */
#include "core/series.h"

#include "base/alloc.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DWARFS 1e6

void series_init(struct series *s, uint32_t cap)
{
    assert(cap > 0);
    *s = (struct series){.cap = cap, .value = xcalloc(cap, sizeof *s->value), .marks = xcalloc((cap + 3) / 4, 1)};
    series_reset(s, 0, 0);
}

void series_done(struct series *s)
{
    free(s->value);
    free(s->marks);
    *s = (struct series){0};
}

void series_reset(struct series *s, int64_t next, uint32_t n)
{
    assert(n <= s->cap);
    int64_t r = next % (int64_t)s->cap;
    s->head = (uint32_t)(r < 0 ? r + s->cap : r);
    s->next = next;
    s->n = n;
    s->filled = s->sum_n = 0;
    s->sum = 0;
    for (uint32_t i = 0; i < s->cap; i++)
        s->value[i] = NAN;
    memset(s->marks, 0, (s->cap + 3) / 4);
}

size_t series_memory(uint32_t cap)
{
    return cap * sizeof(float) + (cap + 3) / 4;
}

static uint32_t place(const struct series *s, int64_t slot)
{
    uint32_t back = (uint32_t)(s->next - slot);
    return s->head >= back ? s->head - back : s->head + s->cap - back;
}

static bool held(const struct series *s, int64_t slot)
{
    return slot < s->next && s->next - slot <= (int64_t)s->n;
}

static unsigned marks_at(const struct series *s, uint32_t i)
{
    return (unsigned)s->marks[i >> 2] >> (2 * (i & 3)) & 3u;
}

static void put(struct series *s, uint32_t i, float value, unsigned marks)
{
    s->value[i] = value;
    unsigned shift = 2 * (i & 3);
    s->marks[i >> 2] = (uint8_t)((s->marks[i >> 2] & ~(3u << shift)) | ((marks & 3u) << shift));
}

void series_resum(struct series *s)
{
    s->sum = 0;
    s->sum_n = 0;
    for (int64_t slot = s->next - s->n; slot < s->next; slot++) {
        float v = series_at(s, slot);
        if (!isnan(v)) {
            s->sum += series_root((double)v);
            s->sum_n++;
        }
    }
}

/* Takes the oldest value out of the sums; true when the sum must be taken afresh. */
static bool evict(struct series *s)
{
    float old = s->value[s->head];
    if (isnan(old))
        return false;
    s->filled--;
    if (marks_at(s, s->head) & SERIES_EXCLUDED)
        return false;
    double root = series_root((double)old);
    s->sum -= root;
    s->sum_n--;
    return fabs(root) > DWARFS * fabs(s->sum);
}

static float clip(double value)
{
    if (isnan(value))
        return NAN;
    return (float)(value > SERIES_MAX ? SERIES_MAX : value < -SERIES_MAX ? -SERIES_MAX : value);
}

void series_push(struct series *s, double value, unsigned marks)
{
    bool afresh = s->n == s->cap && evict(s);
    float v = clip(value);
    if (isnan(v))
        marks = 0;
    put(s, s->head, v, marks);
    s->head = s->head + 1 == s->cap ? 0 : s->head + 1;
    s->next++;
    s->n = MIN(s->n + 1, s->cap);
    if (!isnan(v)) {
        s->filled++;
        if (!(marks & SERIES_EXCLUDED)) {
            s->sum += series_root((double)v);
            s->sum_n++;
        }
    }
    if (afresh || s->head == 0)
        series_resum(s);
}

void series_skip_to(struct series *s, int64_t slot)
{
    if (s->n == 0) {
        series_reset(s, slot, 0);
        return;
    }
    if (slot - s->next >= (int64_t)s->cap) {
        series_reset(s, slot, s->cap);
        return;
    }
    while (s->next < slot)
        series_push(s, (double)NAN, 0);
}

void series_set(struct series *s, int64_t slot, float value, unsigned marks)
{
    if (!held(s, slot))
        return;
    float v = clip((double)value);
    uint32_t i = place(s, slot);
    if (!isnan(s->value[i]))
        s->filled--;
    if (!isnan(v))
        s->filled++;
    put(s, i, v, isnan(v) ? 0 : marks);
}

float series_raw(const struct series *s, int64_t slot)
{
    return held(s, slot) ? s->value[place(s, slot)] : NAN;
}

unsigned series_marks(const struct series *s, int64_t slot)
{
    return held(s, slot) ? marks_at(s, place(s, slot)) : 0;
}

double series_mean_root(const struct series *s)
{
    return s->sum_n ? s->sum / s->sum_n : 0;
}

static bool any_excluded(const struct series *s, uint32_t from, uint32_t end)
{
    unsigned marks = 0;
    for (uint32_t i = from >> 2; i <= (end - 1) >> 2; i++)
        marks |= s->marks[i];
    return marks & 0x55u * SERIES_EXCLUDED;
}

void series_read(const struct series *s, int64_t first, uint32_t n, uint32_t step, float *out)
{
    if (step == 1 && n > 0 && held(s, first) && held(s, first + n - 1)) {
        uint32_t from = place(s, first);
        if (from + n <= s->cap && !any_excluded(s, from, from + n)) {
            memcpy(out, s->value + from, n * sizeof *out);
            return;
        }
    }
    for (uint32_t i = 0; i < n; i++)
        out[i] = series_at(s, first + (int64_t)i * step);
}
