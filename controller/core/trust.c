/* Scores and hysteresis; see trust.h. */
#include "core/trust.h"

#include <math.h>
#include <string.h>

static uint16_t pack(double v)
{
    float f = (float)fabs(v);
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return (uint16_t)(bits >> 16);
}

static double unpack(uint16_t v)
{
    uint32_t bits = (uint32_t)v << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

struct sums {
    double error, last_value, actual, covered;
};

static struct sums sums_of(const struct trust *t)
{
    struct sums s = {0};
    for (uint32_t i = 0; i < t->n; i++) {
        s.error += unpack(t->error[i]);
        s.last_value += unpack(t->last_value[i]);
        s.actual += unpack(t->actual[i]);
        s.covered += (double)(t->covered >> i & 1);
    }
    return s;
}

/* Zero error on zero demand is no error; any error on it is as large as errors get here. */
#define SMALL_ERROR_SHARE   2   /* an error below half of the gate ... */
#define CLOSE_TO_LAST_VALUE 1.5 /* ... may be this many times that of the last value */

static double percent(double error, double actual)
{
    return actual > 0 ? MIN(100 * error / actual, 9999.0) : error > 0 ? 9999 : 0;
}

static enum demand_trust_reason judge(const struct trust *t, const struct sums *s, uint32_t max_error_percent,
                                      uint32_t min_coverage_percent)
{
    if (percent(s->error, s->actual) > max_error_percent)
        return TRUST_ERROR_HIGH;
    if (100 * s->covered < (double)min_coverage_percent * t->n)
        return TRUST_COVERAGE_LOW;
    /* Where the last value makes no error there is nothing to be better at. Over a lead of a few slots of a smooth
     * series it is hard to beat, and a forecast that is as close as that is good: what it knows more shows on the
     * ramps. */
    bool close = SMALL_ERROR_SHARE * percent(s->error, s->actual) <= max_error_percent;
    double bar = close ? CLOSE_TO_LAST_VALUE * s->last_value : s->last_value;
    if (s->last_value > 0 ? s->error >= bar : s->error > 0)
        return TRUST_NOT_BETTER;
    return TRUST_EARNED;
}

void trust_take(struct trust *t, const struct trust_score *score, uint32_t max_error_percent,
                uint32_t min_coverage_percent)
{
    uint32_t i = t->head;
    t->error[i] = pack(score->error);
    t->last_value[i] = pack(score->last_value_error);
    t->actual[i] = pack(score->actual);
    t->covered = (t->covered & ~(UINT64_C(1) << i)) | (uint64_t)score->covered << i;
    t->head = (uint8_t)((i + 1) % TRUST_SCORES);
    t->n = (uint8_t)MIN(t->n + 1, TRUST_SCORES);

    struct sums s = sums_of(t);
    bool good = judge(t, &s, max_error_percent, min_coverage_percent) == TRUST_EARNED;
    t->good = good ? (uint8_t)MIN(t->good + 1, 255) : 0;
    t->bad = good ? 0 : (uint8_t)MIN(t->bad + 1, 255);
    if (t->trusted && t->bad >= TRUST_LOSE)
        t->trusted = false;
    else if (!t->trusted && t->good >= TRUST_EARN)
        t->trusted = true;
}

struct demand_trust trust_state(const struct trust *t, uint32_t max_error_percent, uint32_t min_coverage_percent,
                                bool enough_history, bool stale)
{
    struct demand_trust out = {
        .reason = TRUST_NO_HISTORY,
        .scored = t->n,
        .error_percent = -1,
        .coverage_percent = -1,
        .last_value_error_percent = -1,
    };
    if (t->n == 0)
        return out;
    struct sums s = sums_of(t);
    out.error_percent = percent(s.error, s.actual);
    out.coverage_percent = 100 * s.covered / t->n;
    out.last_value_error_percent = percent(s.last_value, s.actual);
    out.trusted = t->trusted && enough_history && !stale;
    out.streak = t->trusted ? t->bad : t->good;
    enum demand_trust_reason now = judge(t, &s, max_error_percent, min_coverage_percent);
    if (stale)
        out.reason = TRUST_STALE;
    else if (out.trusted)
        out.reason = TRUST_EARNED;
    else
        out.reason = now == TRUST_EARNED ? TRUST_LEARNING : now;
    return out;
}

const char *demand_trust_reason_name(enum demand_trust_reason reason)
{
    static const char *const names[] = {
        [TRUST_NO_HISTORY] = "NoHistory", [TRUST_LEARNING] = "Learning",        [TRUST_EARNED] = "Earned",
        [TRUST_ERROR_HIGH] = "ErrorHigh", [TRUST_COVERAGE_LOW] = "CoverageLow", [TRUST_NOT_BETTER] = "NotBetter",
        [TRUST_STALE] = "Stale",
    };
    return (unsigned)reason < ARRAY_SIZE(names) ? names[reason] : "Unknown";
}
