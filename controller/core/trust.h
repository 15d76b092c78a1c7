/* Trust in a forecast: earned slowly, lost quickly, on what was promised and what came.
 *
 * Scored are finished windows at the lead in use: the expected highest demand against the actual one (and
 * against what the last value would have said), and whether the driving quantile held. Over the last
 * TRUST_SCORES of them: errorPercent    = 100 sum |error| / sum |actual| coveragePercent = 100 x share of
 * windows whose highest demand stayed below the driving quantile A score is good when errorPercent and
 * coveragePercent pass their gates and the error is below the last value's (an error below half of the gate may be
 * up to half above it). Trusted after TRUST_EARN good
 * scores in a row, no longer after TRUST_LOSE bad ones. Censored and excluded windows don't get here.
 */
#ifndef CORE_TRUST_H
#define CORE_TRUST_H

#include "core/demand.h"

#define TRUST_SCORES 56
#define TRUST_EARN   12
#define TRUST_LOSE   3

/* The last scores, as bfloat16 (the upper half of a float32): they are for percentages. */
struct trust {
    uint16_t error[TRUST_SCORES], actual[TRUST_SCORES], last_value[TRUST_SCORES];
    uint64_t covered; /* one bit a score */
    uint8_t n, head;
    uint8_t good, bad; /* in a row, saturating */
    bool trusted;
};

struct trust_score {
    double error;            /* |expected - actual| */
    double last_value_error; /* |last value - actual| */
    double actual;
    bool covered;
};

void trust_take(struct trust *t, const struct trust_score *score, uint32_t max_error_percent,
                uint32_t min_coverage_percent);
/* `enough_history`: the history is as long as asked for. `stale`: there was no data for too long. */
struct demand_trust trust_state(const struct trust *t, uint32_t max_error_percent, uint32_t min_coverage_percent,
                                bool enough_history, bool stale);

#endif
