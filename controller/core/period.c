/* The search for a short period; see period.h. */
#include "core/period.h"

#include <math.h>

static double median3(double a, double b, double c)
{
    double low = MIN(a, b), high = MAX(a, b);
    return MAX(low, MIN(high, c));
}

/* Mean absolute error of period p; infinite when too little is known. */
static double error_of(const struct series *s, uint32_t season, uint32_t p)
{
    uint32_t window = season / 3, old = season / 8, n = 0;
    int64_t lag = (int64_t)p * ((old + p - 1) / p);
    double sum = 0;
    for (int64_t t = s->next - window; t < s->next; t++) {
        float y = series_at(s, t), a = series_at(s, t - lag), b = series_at(s, t - lag - p);
        float c = series_at(s, t - lag - 2 * (int64_t)p);
        if (isnan(y) || isnan(a) || isnan(b))
            continue;
        double guess = isnan(c) ? 0.5 * ((double)a + (double)b) : median3((double)a, (double)b, (double)c);
        sum += fabs((double)y - guess);
        n++;
    }
    return n >= window / 2 ? sum / n : (double)INFINITY;
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
