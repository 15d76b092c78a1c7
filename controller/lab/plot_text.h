/* A plot's first panel in block characters: a bar per column, what was measured solid, what is forecast shaded up to
 * its mean and dotted up to the end of its interval, a triangle below where there are anomalies; value and time axes.
 */
#ifndef LAB_PLOT_TEXT_H
#define LAB_PLOT_TEXT_H

#include "lab/plot.h"

/* `width` columns in all, `height` rows of bars. */
void plot_text(const struct plot *p, unsigned width, unsigned height, bool colour, struct buf *out);
/* "█████▌  ": `value` of `whole` in `width` columns. */
void plot_text_bar(double value, double whole, unsigned width, struct buf *out);

/* The same for an interval: solid up to its lower end, shaded up to `value`, dotted up to its upper end. */
void plot_text_range_bar(double lower, double value, double upper, double whole, unsigned width, struct buf *out);

#endif
