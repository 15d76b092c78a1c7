/* How large the errors of a forecast are, relative to those at other times: a factor of its interval's width.
 *
 *     size = (level / mean of the ring)^(1/4) x (scatter of this time of the season / usual scatter)^(1/2)
 *
 * Errors are larger where demand is, and at times at which past seasons differ from one another or go up and down
 * within an hour: on the morning's ramp they are not those of the night. What is left of them is alike at all times,
 * and its quantiles serve all. The scatter of a time is read from the ring when it is needed; what is usual is the mean
 * of those that forecasts ended at, over about a season.
 */
#ifndef CORE_SCATTER_H
#define CORE_SCATTER_H

#include "core/series.h"

struct scatter {
    float sum, weight; /* of the scatter of past times, the last ones weighing most */
};

void scatter_init(struct scatter *c);
/* A forecast ended at a time with the scatter `at`; NaN is passed over. `share` in (0, 1): of the season, and of what
 * was taken before that is forgotten for it. */
void scatter_take(struct scatter *c, double at, double share);
double scatter_usual(const struct scatter *c); /* NaN: none was taken */

/* Mean deviation from their mean of the values within 40 minutes (of 24 hours) to each side of `target` in up to seven
 * past seasons of `season` slots; NaN: none is held, or there is no season (0). */
double scatter_at(const struct series *s, uint32_t season, int64_t target);

/* For a forecast of `root` (as series_root() has it), with what these two give; NaN: by the level alone. */
double scatter_size(const struct series *s, double usual, double at, double root);

#endif
