/* A forecast as one line of JSON, the shape that other programs read:
 *
 *     {"origin":2016,"time":"2024-05-08T00:00:00Z","mean":[...],"quantiles":{"0.025":[...],...},"trusted":true,"model":"Seasonal"}
 *
 * `origin` counts slots from the start of the series, `time` is when that slot begins. Numbers have seven significant
 * digits, which is what float32 carries; rounding keeps quantiles in order.
 */
#ifndef LAB_FORECAST_LINE_H
#define LAB_FORECAST_LINE_H

#include "base/buf.h"
#include "core/demand.h"
#include "lab/series_file.h"

extern const char *const forecast_level_names[FORECAST_LEVELS]; /* "0.025" ... "0.975" */

/* Appends the line with its end. `d` is at `origin`. */
void forecast_line(const struct series_file *s, uint32_t origin, struct demand *d, struct buf *out);

#endif
