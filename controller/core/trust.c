/* Scores and hysteresis; see trust.h. */
#include "core/trust.h"

#include "core/bfloat.h"

#include <math.h>

/* An error beyond what is kept is as large as errors get here. */
static uint16_t pack(double v)
{
    return bfloat_pack((float)MIN(fabs(v), 1e38));
}

static double unpack(uint16_t v)
{
    return (double)bfloat_unpack(v);
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
        s.covered += t->covered[i] / (double)TRUST_ALL;
    }
    return s;
}

#define RESTLESS            2    /* an error may be that many gates, where the last value's is larger */
#define AS_GOOD             1.1  /* an error may be that many times that of the last value */
#define SMALL_ERROR_SHARE   2    /* an error below half of the gate ... */
#define CLOSE_TO_LAST_VALUE 1.5  /* ... may be this many times that of the last value */
#define NO_ERROR            0.05 /* of the demand */

/* Zero error on zero demand is no error; any error on it is as large as errors get here. */
static double percent(double error, double actual)
{
    return actual > 0 ? MIN(100 * error / actual, 9999.0) : error > 0 ? 9999 : 0;
}

static enum demand_trust_reason judge(const struct trust *t, const struct sums *s, uint32_t max_error_percent,
                                      uint32_t min_coverage_percent)
{
    double error = percent(s->error, s->actual);
    bool close = SMALL_ERROR_SHARE * error <= max_error_percent;
    double bar = (close ? CLOSE_TO_LAST_VALUE : AS_GOOD) * s->last_value;
    if (error > max_error_percent && (error > RESTLESS * max_error_percent || s->error >= bar))
        return TRUST_ERROR_HIGH;
    if (100 * s->covered < (double)min_coverage_percent * t->n)
        return TRUST_COVERAGE_LOW;
    if (s->error > NO_ERROR * s->actual && s->error >= bar)
        return TRUST_NOT_BETTER;
    return TRUST_EARNED;
}

static void close_score(struct trust *t)
{
    struct trust_open o = t->open;
    uint32_t i = t->head;
    t->open = (struct trust_open){0};
    t->error[i] = pack((double)o.error / o.n);
    t->last_value[i] = pack((double)o.last_value / o.n);
    t->actual[i] = pack((double)o.actual / o.n);
    t->covered[i] = (uint8_t)((uint32_t)o.covered * TRUST_ALL / o.n);
    t->head = (uint8_t)((i + 1) % TRUST_SCORES);
    t->n = (uint8_t)MIN(t->n + 1, TRUST_SCORES);
}

void trust_take(struct trust *t, const struct trust_score *window, bool ends, uint32_t max_error_percent,
                uint32_t min_coverage_percent)
{
    struct trust_open *o = &t->open;
    if (o->n < UINT16_MAX) {
        o->error = (float)MIN((double)o->error + window->error, 1e38);
        o->last_value = (float)MIN((double)o->last_value + window->last_value_error, 1e38);
        o->actual = (float)MIN((double)o->actual + window->actual, 1e38);
        o->n++;
        o->covered += window->covered;
    }
    if (!ends)
        return;
    close_score(t);
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
