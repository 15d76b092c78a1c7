/* Showing anomalies: a line of CSV for each row, or all rows together as a plot and a table. */
#ifndef LAB_ANOMALIES_VIEW_H
#define LAB_ANOMALIES_VIEW_H

#include "base/buf.h"
#include "lab/anomalies.h"
#include "lab/series_file.h"

#define ANOMALIES_VIEW_MAX_ROWS (1u << 20) /* that are kept for a plot */

extern const char anomalies_csv_header[]; /* with its line's end */
/* Time and value as they stand in the file. */
void anomalies_csv_line(const struct series_row *row, const struct anomaly_result *result, struct buf *out);

struct anomalies_row {
    int64_t time_us;
    double value, score;
    enum anomaly_severity severity; /* ANOMALY_NONE: it is none */
};

struct anomalies_view {
    const char *file;
    const struct anomalies_row *rows;
    uint32_t n; /* 1..ANOMALIES_VIEW_MAX_ROWS */
    double threshold;
};

void anomalies_view_text(const struct anomalies_view *v, unsigned width, bool colour, struct buf *out);
void anomalies_view_svg(const struct anomalies_view *v, struct buf *out);

#endif
