/* Finds a short period that nobody told us of: hourly batch jobs, a poll every few minutes.
 *
 * A candidate p predicts y[t] by the median of the three last values of its phase that are at least an eighth
 * of the season old; its score is the sum of absolute errors over the last third of a season, relative to the
 * smaller of two that need no such period: p = 1 (the level of that age), and the season itself. Smooth
 * series score near 1 for every p; a period is believed below PERIOD_FOUND and given up above PERIOD_KEPT.
 * Candidates up to a quarter of the season, one at every second slot, so that the search costs next to
 * nothing and comes round in about half a season.
 */
#ifndef CORE_PERIOD_H
#define CORE_PERIOD_H

#include "core/series.h"

#define PERIOD_FOUND 0.75
#define PERIOD_KEPT  0.85

struct period {
    uint32_t found;     /* slots; 0: none */
    uint32_t candidate; /* the next to be tried; 0: begin */
    uint32_t best;
    float reference; /* sum of errors without a period */
    float best_score, found_score;
};

/* Called after every push. */
void period_step(struct period *p, const struct series *s, uint32_t season);

#endif
