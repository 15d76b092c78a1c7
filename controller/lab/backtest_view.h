/* The result of a backtest: a table, JSON lines or bars.
 *
 * JSON: one line per series in the order given, then one for the mean:
 *     {"series":"web","origins":157,"skipped":0,"excluded":0,"points":11304,"mase":0.81,"scale":12.3,
 *      "pinball":{"0.025":...},"coverage":{"0.025":...},"inside80":0.8,"inside95":0.95,"trusted":0.97,"forecastMicroseconds":31.2}
 *     {"mean":{...the same, with "series" the number of them and "geometricMase"...}}
 * Figures that a series does not have are null. Times differ from run to run, the rest does not.
 */
#ifndef LAB_BACKTEST_VIEW_H
#define LAB_BACKTEST_VIEW_H

#include "base/buf.h"
#include "lab/backtest.h"

#define BACKTEST_VIEW_MAX_BARS 200

struct backtest_view {
    const char *const *files; /* [n] */
    const struct backtest *items;
    unsigned n;
    uint32_t min_origins; /* of series that count for the mean */
};
void backtest_view_table(const struct backtest_view *v, struct buf *out);
void backtest_view_jsonl(const struct backtest_view *v, struct buf *out);
void backtest_view_svg(const struct backtest_view *v, struct buf *out); /* MASE per series */

#endif
