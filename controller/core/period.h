/* Finds a short period that nobody told us of: hourly batch jobs, a poll every few minutes.
 *
 * A candidate p predicts y[t] by the median of the three last values of its phase that are at least an eighth
 * of the season old. Two steps, because among seventy candidates chance always has a favourite:
 *
 * 1. A round tries all candidates up to a quarter of the season, one at every second slot, so that the search costs
 *    next to nothing and comes round in half a season. Scores are mean absolute errors over the last third of a
 *    season, relative to the smaller of two that need no such period: p = 1 (the level of that age), and the season
 *    itself. The best one, if below PERIOD_FOUND, is a suspect.
 * 2. The suspect is tested on what came after it was picked, a round later: over those slots it must be below
 *    PERIOD_FOUND not only relative to the same two, but also to its own prediction read at wrong phases. Where the
 *    phase does not matter there is no period: a level that wanders, noise that a wider look back averages out. And
 *    all of that in both halves of those slots: a few spikes that happened to lie at the same distance don't do that.
 *
 * A period is given up when its score in a round is above PERIOD_KEPT.
 */
#ifndef CORE_PERIOD_H
#define CORE_PERIOD_H

#include "core/series.h"

#define PERIOD_FOUND 0.75
#define PERIOD_KEPT  0.85

struct period {
    uint32_t found;     /* slots; 0: none */
    uint32_t suspect;   /* to be tested at the end of this round; 0: none */
    uint32_t candidate; /* the next to be tried; 0: begin */
    uint32_t best;
    float reference; /* the error without a period */
    float best_score, found_score;
};

/* Called after every push. */
void period_step(struct period *p, const struct series *s, uint32_t season);

#endif
