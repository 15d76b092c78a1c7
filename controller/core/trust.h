/* Trust in a forecast: earned slowly, lost quickly, on what was promised and what came.
 *
 * Judged are finished windows at the lead in use: the expected highest demand against the actual one, and against what
 * the last value would have said, and whether the driving quantile held. A score is the mean over all windows of about
 * an hour, so that nothing that happens once a day falls between two of them. Over the last TRUST_SCORES scores:
 *
 *     errorPercent    = 100 x sum |error| / sum |actual|
 *     coveragePercent = 100 x share of windows whose highest demand stayed below the driving quantile
 *
 * A score is good when, after it,
 * - errorPercent passes its gate; of a load that jumps by more than that within a lead it may be twice as much, when it
 *   is about as good as the last value's: nobody knows where single jumps go, but the quantile knows how far;
 * - coveragePercent passes its gate;
 * - the error is at most a tenth above that of the last value, which is what the HPA goes by; half above it where it is
 *   below half of the gate, because over a short lead of a smooth load the last value is hard to beat. And 5 % of the
 *   demand are no error: the HPA's own tolerance is 10 %, and where demand stands still all day but for one step, the
 *   last value is right to the last digit until it matters.
 * Trusted after TRUST_EARN good scores in a row, no longer after TRUST_LOSE bad ones. Censored and excluded windows
 * don't get here.
 */
#ifndef CORE_TRUST_H
#define CORE_TRUST_H

#include "core/demand.h"

#define TRUST_SCORES 56
#define TRUST_EARN   12
#define TRUST_LOSE   3

/* A window. */
struct trust_score {
    double error;            /* |expected - actual| */
    double last_value_error; /* |last value - actual| */
    double actual;
    bool covered;
};

/* Windows of the score that is being made. */
struct trust_open {
    float error, last_value, actual; /* sums */
    uint16_t n, covered;
};

/* The last scores, as bfloat.h has them: they are for percentages. */
struct trust {
    uint16_t error[TRUST_SCORES], actual[TRUST_SCORES], last_value[TRUST_SCORES];
    uint8_t covered[TRUST_SCORES]; /* of TRUST_ALL */
    uint8_t n, head;
    uint8_t good, bad; /* in a row, saturating */
    bool trusted;
    struct trust_open open;
};
#define TRUST_ALL 250

/* `ends`: the window ends a score. */
void trust_take(struct trust *t, const struct trust_score *window, bool ends, uint32_t max_error_percent,
                uint32_t min_coverage_percent);
/* `enough_history`: the history is as long as asked for. `stale`: there was no data for too long. */
struct demand_trust trust_state(const struct trust *t, uint32_t max_error_percent, uint32_t min_coverage_percent,
                                bool enough_history, bool stale);

#endif
