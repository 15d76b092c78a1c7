/* Series files: CSV with a header line and two columns, time and value, read into slots while streaming, so that memory
 * depends on the time that is covered and not on the number of rows.
 *
 * Fields may be quoted. Time is RFC 3339, "YYYY-MM-DD HH:MM:SS" (UTC) or Unix seconds. An empty value or NaN is no
 * data. A row goes to the slot that its time lies in; several rows in one slot are averaged; a slot without a value is
 * no data (NaN). Equal times are allowed. What is refused, with the line and what to do: time that runs backward, a
 * malformed row, a file without a header or without rows, and more than SERIES_FILE_MAX_SLOTS slots. Values beyond
 * +-SERIES_MAX are clipped (the model's own range) and counted.
 */
#ifndef LAB_SERIES_FILE_H
#define LAB_SERIES_FILE_H

#include "base/base.h"
#include "base/error.h"

#define SERIES_FILE_MAX_SLOTS (1u << 24)

enum series_grid {
    SERIES_FROM_FIRST, /* slot i begins at the first row's time + i x interval */
    SERIES_UNIX,       /* slots begin at multiples of the interval in Unix time, as the operator's do */
    SERIES_ROWS,       /* slot i is row i, whatever its time: series of concatenated days */
};

struct series_file_options {
    uint32_t interval_s; /* 10..3600 */
    enum series_grid grid;
    const char *too_long; /* what to do when there are too many slots; NULL: --interval and --rows */
};

struct series_file {
    double *value; /* [n] slot means; NaN: no data */
    uint32_t n;
    uint32_t filled; /* slots with a value */
    uint32_t interval_s;
    int64_t start_us; /* where slot 0 begins */
    uint64_t rows;
    int64_t usual_spacing_us; /* between two rows: that of most of them where there is one; 0: all have one time */
    uint64_t clipped, clipped_line; /* how many values were out of range, and where the first of them is */
    bool negative;                  /* a value is below 0 */
    uint64_t negative_line;
    bool last_is_whole; /* false: the rows end in the middle of the last slot, its mean may still change */
};

/* `path` "-" is standard input. 0, or -1: ERROR_IO when the file can't be read, ERROR_PARSE or ERROR_LIMIT (message
 * with file, line and remedy) when it is not what it should be. `ret` is to be released after success only. */
int series_file_read(const char *path, const struct series_file_options *options, struct series_file *ret,
                     struct error *err);
void series_file_done(struct series_file *s);

/* The same rows under the same rules, one by one instead of into slots; memory does not depend on their number. */
struct series_row {
    uint64_t index; /* from 0 */
    int64_t time_us;
    double value;                       /* NaN: no data */
    const char *time_text, *value_text; /* as they stand in the file, without spaces and quotes around them */
};
/* What is not 0 ends the reading and is what series_file_each_row() gives: < 0 with `err` filled, > 0 as the caller
 * likes. */
typedef int series_row_fn(void *data, const struct series_row *row, struct error *err);
/* `ret` has counts alone, no slots, and need not be released: rows, filled (rows with a value), clipped. */
int series_file_each_row(const char *path, series_row_fn *fn, void *data, struct series_file *ret, struct error *err);

/* When slot `i` begins; also beyond the end. */
int64_t series_file_time_us(const struct series_file *s, uint32_t i);
/* The file's name without folders and ".csv": what tables and plots call it. Gives (free()). */
char *series_file_title(const char *path);

#endif
