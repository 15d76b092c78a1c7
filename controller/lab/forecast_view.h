/* A forecast for people: a plot of what came before it and of what is expected, and a table by the hour. */
#ifndef LAB_FORECAST_VIEW_H
#define LAB_FORECAST_VIEW_H

#include "core/demand.h"
#include "lab/plot.h"
#include "lab/series_file.h"

/* `d` is after the last slot of `s`, which was read from `file`. */
void forecast_view_svg(const struct series_file *s, const char *file, struct demand *d, struct buf *out);
void forecast_view_text(const struct series_file *s, const char *file, struct demand *d, unsigned width, bool colour,
                        struct buf *out);

#endif
