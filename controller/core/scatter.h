/* How large the errors of a forecast are, relative to those at other times: a factor of its interval's width.
 *
 *     size = (level / mean of the ring)^(1/4) x (scatter of this time of the season / usual scatter)^(1/2)
 *
 * Errors are larger where demand is, and at times at which past seasons differ from one another or go up and down
 * within an hour: on the morning's ramp they are not those of the night. What is left of them is alike at all times,
 * and its quantiles serve all. Both are read from the ring when they are needed: there is no state.
 */
#ifndef CORE_SCATTER_H
#define CORE_SCATTER_H

#include "core/series.h"

/* Mean deviation from their mean of the values within an hour (of 24) to each side of `target` in up to seven past
 * seasons of `season` slots; NaN: none is held, or there is no season (0). */
double scatter_at(const struct series *s, uint32_t season, int64_t target);
/* The same at any time of the season, in the mean; NaN as above. */
double scatter_usual(const struct series *s, uint32_t season);

/* For a forecast of `root` (as series_root() has it), with what the two above give; NaN: by the level alone. */
double scatter_size(const struct series *s, double usual, double at, double root);

#endif
