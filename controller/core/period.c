/* The search for a short period; see period.h. */
#include "core/period.h"

#include <math.h>

static float median3(float a, float b, float c)
{
    float low = MIN(a, b), high = MAX(a, b), upper = MIN(high, c);
    return MAX(low, upper);
}

/* Sums of the errors over a stretch in which no view wraps. `marked`: some slots may be excluded. */
struct errors {
    double sum;
    uint32_t n;
    bool marked;
};

static void add_errors(struct errors *e, const struct series *s, const uint32_t at[4], uint32_t n)
{
    const float *y = s->value + at[0], *a = s->value + at[1], *b = s->value + at[2], *c = s->value + at[3];
    double sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (isnan(y[i] + a[i] + b[i] + c[i]))
            continue;
        if (e->marked && (series_excluded(s, at[0] + i) || series_excluded(s, at[1] + i) ||
                          series_excluded(s, at[2] + i) || series_excluded(s, at[3] + i)))
            continue;
        sum += (double)fabsf(y[i] - median3(a[i], b[i], c[i]));
        count++;
    }
    e->sum += sum;
    e->n += count;
}

/* Mean absolute error of period p; infinite when too little is known. Where the third value is beyond the
 * ring, the second stands for it: the median of three is then the second. */
static double error_of(const struct series *s, uint32_t season, uint32_t p)
{
    uint32_t window = season / 3, old = season / 8;
    uint32_t lag = p * ((old + p - 1) / p), back[4] = {0, lag, lag + p, lag + 2 * p}, at[4];
    if (window + lag + p > s->n)
        return (double)INFINITY;
    if (window + back[3] > s->n)
        back[3] = back[2];
    for (uint32_t j = 0; j < 4; j++) {
        back[j] += window;
        at[j] = s->head >= back[j] ? s->head - back[j] : s->head + s->cap - back[j];
    }
    struct errors e = {.marked = s->filled != s->sum_n};
    for (uint32_t left = window; left;) {
        uint32_t run = left;
        for (uint32_t j = 0; j < 4; j++)
            run = MIN(run, s->cap - at[j]);
        add_errors(&e, s, at, run);
        for (uint32_t j = 0; j < 4; j++)
            at[j] = at[j] + run == s->cap ? 0 : at[j] + run;
        left -= run;
    }
    return e.n >= window / 2 ? e.sum / e.n : (double)INFINITY;
}

static void begin(struct period *p, const struct series *s, uint32_t season)
{
    double level = error_of(s, season, 1), seasonal = error_of(s, season, season);
    double reference = MIN(level, seasonal);
    p->reference = isfinite(reference) ? (float)reference : 0;
    p->candidate = 2;
    p->best = 0;
    p->best_score = p->found_score = 1;
}

static void decide(struct period *p)
{
    bool keep = p->found && (double)p->found_score < PERIOD_KEPT && p->found_score <= p->best_score * 1.1f;
    if (!keep)
        p->found = (double)p->best_score < PERIOD_FOUND ? p->best : 0;
    p->candidate = 0;
}

void period_step(struct period *p, const struct series *s, uint32_t season)
{
    if (season < 32 || s->next % 2 != 0 || s->n < season / 2)
        return;
    if (p->candidate == 0) {
        begin(p, s, season);
        return;
    }
    double score = p->reference > 0 ? error_of(s, season, p->candidate) / (double)p->reference : 1;
    if (score < (double)p->best_score) {
        p->best = p->candidate;
        p->best_score = (float)score;
    }
    if (p->candidate == p->found)
        p->found_score = (float)MIN(score, 9.0);
    if (++p->candidate > season / 4)
        decide(p);
}
