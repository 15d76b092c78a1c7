/* The distribution of a forecast's own errors, online: what turns a mean into quantiles that mean what they
 * say.
 *
 * A finished forecast leaves z = error / scale, with the scale that was known when it was made; z goes into a
 * histogram that forgets slowly. Quantiles are read from it with a density that is straight within a bin; a few
 * made-up errors (wide, symmetric) stand in it from the start, so that the first intervals are wide, and are forgotten
 * like all others. The scale is a fast mean absolute error, so that a change of regime widens the interval at once, on
 * top of a slow one.
 *
 * Split conformal prediction with normalised residuals (Papadopoulos 2002; Lei et al. 2018), with weights for
 * drift (Barber et al. 2023).
 */
#ifndef CORE_RESIDUALS_H
#define CORE_RESIDUALS_H

#include "base/base.h"

#define RESIDUALS_BINS 24

struct residuals {
    float fast, slow; /* mean absolute errors; < 0: none yet */
    float total;      /* of the counts */
    float count[RESIDUALS_BINS];
};

void residuals_init(struct residuals *r);
/* The scale for a forecast made now; 0 when no error was ever seen. */
double residuals_scale(const struct residuals *r);
/* Of late against what is usual: near 1 in quiet times, never below a third. 1 when no error was ever seen. */
double residuals_unrest(const struct residuals *r);
struct residuals_rates {
    double weight; /* in (0, 1]: the share of the past that is forgotten for this error */
    double fast, slow;
    double clip; /* in scales */
};
/* `scale` as residuals_scale() gave it then. `least`: an error up to that size is taken into the scale as it
 * is; a larger one counts for at most `clip` scales, so that one spike does not leave a wide interval behind, while
 * errors that stay large soon make the scale their own. */
void residuals_take(struct residuals *r, double error, double scale, double least, const struct residuals_rates *rates);
/* z at `level` in (0, 1): non-decreasing in the level. */
double residuals_quantile(const struct residuals *r, double level);

#endif
