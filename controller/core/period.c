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

/* Slots of the history: from `end` + n before the next one up to `end` before it. */
struct stretch {
    uint32_t end, n;
};

/* Mean absolute error over a stretch of what lay `lag`, `lag` + p and `lag` + 2 p before; infinite when too little is
 * known. Where the third value is beyond the ring, the second stands for it: the median of three is then the second. */
static double error_of(const struct series *s, struct stretch over, uint32_t lag, uint32_t p)
{
    uint32_t begin = over.end + over.n, back[4] = {0, lag, lag + p, lag + 2 * p}, at[4];
    if (begin + back[2] > s->n)
        return (double)INFINITY;
    if (begin + back[3] > s->n)
        back[3] = back[2];
    for (uint32_t j = 0; j < 4; j++) {
        back[j] += begin;
        at[j] = s->head >= back[j] ? s->head - back[j] : s->head + s->cap - back[j];
    }
    struct errors e = {.marked = s->filled != s->sum_n};
    for (uint32_t left = over.n; left;) {
        uint32_t run = left;
        for (uint32_t j = 0; j < 4; j++)
            run = MIN(run, s->cap - at[j]);
        add_errors(&e, s, at, run);
        for (uint32_t j = 0; j < 4; j++)
            at[j] = at[j] + run == s->cap ? 0 : at[j] + run;
        left -= run;
    }
    return e.n > 0 && e.n >= over.n / 2 ? e.sum / e.n : (double)INFINITY;
}

/* The age from which on values are used. */
static uint32_t oldest_of(uint32_t season)
{
    return season / 8;
}

static uint32_t lag_of(uint32_t season, uint32_t p)
{
    uint32_t old = oldest_of(season);
    return p * ((old + p - 1) / p);
}

static double error_at_phase(const struct series *s, struct stretch over, uint32_t season, uint32_t p)
{
    return error_of(s, over, lag_of(season, p), p);
}

/* The smaller error of two that need no short period: the season, and the level. Of the level at three ages, in the
 * mean: at a single one it would be in phase with whatever period divides that age. */
static double error_without(const struct series *s, struct stretch over, uint32_t season)
{
    uint32_t old = oldest_of(season), ages[] = {old, old + old / 7, old + old / 2 + 1};
    double level = 0;
    for (uint32_t i = 0; i < ARRAY_SIZE(ages); i++)
        level += error_of(s, over, ages[i], 1) / ARRAY_SIZE(ages);
    return MIN(level, error_at_phase(s, over, season, season));
}

/* Shares of a period that are no simple fractions, so that they are wrong for its parts as well. */
static const double wrong_phases[] = {0.21, 0.38};

static uint32_t shift_of(uint32_t p, uint32_t i)
{
    return MAX((uint32_t)(wrong_phases[i] * p + 0.5), 1u);
}

/* The mean error of the prediction with its phase shifted, forth and back alike. */
static double error_at_wrong_phases(const struct series *s, struct stretch over, uint32_t season, uint32_t p)
{
    uint32_t lag = lag_of(season, p);
    double sum = 0;
    for (uint32_t i = 0; i < ARRAY_SIZE(wrong_phases); i++)
        sum += error_of(s, over, lag - shift_of(p, i), p) + error_of(s, over, lag + shift_of(p, i), p);
    return sum / (2 * ARRAY_SIZE(wrong_phases));
}

static bool better_in_phase(const struct series *s, struct stretch over, uint32_t season, uint32_t p)
{
    double other = MIN(error_without(s, over, season), error_at_wrong_phases(s, over, season, p));
    return isfinite(other) && error_at_phase(s, over, season, p) < PERIOD_FOUND * other;
}

/* A suspect, on the slots of the round that began when it became one, or as many of them as the ring allows. A half is
 * at least as long as the period: something has to happen in it. */
static bool confirmed(const struct series *s, uint32_t season, uint32_t p)
{
    uint32_t round = 2 * (season / 4), before = lag_of(season, p) + p + shift_of(p, ARRAY_SIZE(wrong_phases) - 1);
    uint32_t n = MIN(round, s->n - MIN(before, s->n)), half = MAX(n / 2, p);
    if (n < MAX(season / 4, p))
        return false;
    struct stretch first = {n - half, half}, last = {0, half};
    return better_in_phase(s, first, season, p) && better_in_phase(s, last, season, p);
}

static struct stretch looked_at(uint32_t season)
{
    return (struct stretch){0, season / 3};
}

static void begin(struct period *p, const struct series *s, uint32_t season)
{
    double reference = error_without(s, looked_at(season), season);
    p->reference = isfinite(reference) ? (float)reference : 0;
    p->candidate = 2;
    p->best = 0;
    p->best_score = p->found_score = 1;
}

static void decide(struct period *p, const struct series *s, uint32_t season)
{
    if (p->found && (double)p->found_score >= PERIOD_KEPT)
        p->found = 0;
    if (p->suspect && confirmed(s, season, p->suspect))
        p->found = p->suspect;
    bool better = p->found == 0 || (p->found != p->best && p->best_score < p->found_score / 1.1f);
    p->suspect = better && (double)p->best_score < PERIOD_FOUND ? p->best : 0;
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
    uint32_t tried = p->candidate;
    double unit = (double)p->reference,
           score = unit > 0 ? error_at_phase(s, looked_at(season), season, tried) / unit : 1;
    if (score < (double)p->best_score) {
        double one_later = error_of(s, looked_at(season), lag_of(season, tried) + tried, tried) / unit;
        double both = isfinite(one_later) ? MAX(score, one_later) : score;
        if (both < (double)p->best_score) {
            p->best = tried;
            p->best_score = (float)both;
        }
    }
    if (tried == p->found)
        p->found_score = (float)MIN(score, 9.0);
    if (++p->candidate > season / 4)
        decide(p, s, season);
}
