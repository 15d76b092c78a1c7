/* What the tests of demand share: dice, days, and what must hold of every answer. */
#ifndef TEST_DEMAND_FIXTURE_H
#define TEST_DEMAND_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/demand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define S   INT64_C(1000000)
#define T0  (INT64_C(1700006400) * S) /* a midnight */
#define DAY 288

/* xorshift64*: the tests' own dice. */
static inline uint64_t dice(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static inline double uniform(uint64_t *state)
{
    return (double)(dice(state) >> 11) / 9007199254740992.0;
}

/* A smooth day: 20 at night, 100 at noon. */
static inline double daily(int64_t slot, uint32_t m)
{
    double x = (double)(slot % m) / m * 2 - 1; /* -1..1 */
    return 20 + 80 * (1 - x * x) * (1 - x * x);
}

static inline void check_forecast(struct demand *d, bool nonnegative)
{
    const struct forecast *f = demand_forecast(d);
    for (uint32_t h = 0; h < f->n; h++) {
        assert_true(isfinite(f->mean[h]));
        assert_true(!nonnegative || f->mean[h] >= 0);
        for (uint32_t j = 0; j < FORECAST_LEVELS; j++) {
            assert_true(isfinite(f->quantile[j][h]));
            assert_true(!nonnegative || f->quantile[j][h] >= 0);
            assert_true(j == 0 || f->quantile[j][h] >= f->quantile[j - 1][h]);
        }
    }
}

static inline void check_drive(struct demand *d, int64_t now, uint32_t lead)
{
    struct demand_drive q = demand_drive(d, now, lead);
    assert_true(isfinite(q.quantile) && isfinite(q.mean));
    assert_true(q.quantile >= q.mean && q.mean >= 0);
    assert_true(q.usable || (q.quantile <= 0 && q.mean <= 0));
}

static inline struct demand_config small(uint32_t interval, uint32_t slots, uint32_t horizon, uint32_t period)
{
    struct demand_config c = demand_config_default();
    c.interval_s = interval;
    c.slots = slots;
    c.horizon = horizon;
    if (period) {
        c.seasonality = DEMAND_SEASON_FIXED;
        c.n_periods = 1;
        c.periods_s[0] = period;
    }
    return c;
}

static inline struct demand *played(int64_t slots, double (*value)(int64_t slot))
{
    struct demand_config c = demand_config_default();
    struct demand *d = demand_new(&c);
    for (int64_t t = 0; t < slots; t++)
        demand_push_slot(d, t, value(t), 180);
    return d;
}

static inline double day_value(int64_t t)
{
    return daily(t, DAY);
}

#endif
