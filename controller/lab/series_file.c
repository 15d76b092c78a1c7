/* Reading series files; see series_file.h. One row at a time; sums and counts are kept for the slot that is open only,
 * because time never runs backward. */
#include "lab/series_file.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "core/series.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_CAP     1024
#define FIRST_UNIX_S (-62167219200.0) /* year 0 */
#define LAST_UNIX_S  253402300799.0   /* year 9999 */

static const char example[] = "2024-05-01T00:05:00Z,12.5";

struct reader {
    const char *name; /* for messages */
    const struct series_file_options *options;
    struct series_file *out;
    uint64_t line, empty_line; /* the line at hand; the first of the empty ones before it, 0: none */
    uint32_t cap;
    double sum; /* of the open slot, which is out->n - 1 */
    uint32_t count;
    int64_t last_us, spacing_us; /* time of the last row, and how far it was from the one before */
    uint64_t votes;              /* for out->usual_spacing_us */
    series_row_fn *each;         /* who is told each row; NULL: they go into slots */
    void *each_data;
};

static int refuse(const struct reader *r, uint64_t line, struct error *err, const char *what)
{
    return error_set(err, ERROR_PARSE, "%s:%llu: %s", r->name, (unsigned long long)line, what);
}

/* ---- fields ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char *trim(char *s)
{
    size_t n = strlen(s);
    while (n > 0 && is_blank(s[n - 1]))
        s[--n] = '\0';
    while (is_blank(*s))
        s++;
    return s;
}

/* Cuts the field that begins at `*at` out of its line; *at is then behind its comma, NULL behind the last one. NULL:
 * something stands outside of its quotes. Quotes inside of quotes are left to be refused: no time and no number has
 * them. */
static char *cut_field(char **at)
{
    char *s = *at + strspn(*at, " \t"), *end = s + strcspn(s, ",");
    if (*s == '"') {
        char *close = strchr(++s, '"');
        if (!close)
            return NULL;
        end = close + 1 + strspn(close + 1, " \t");
        if (*end != ',' && *end != '\0')
            return NULL;
        *close = '\0';
    }
    *at = *end == ',' ? end + 1 : NULL;
    *end = '\0';
    return trim(s);
}

static bool parse_calendar(const char *s, int64_t *ret_us)
{
    char text[48];
    size_t n = strlen(s);
    if (rfc3339_parse(s, ret_us))
        return true;
    if (n < 19 || n + 2 > sizeof text || s[10] != ' ')
        return false;
    memcpy(text, s, n + 1);
    text[10] = 'T';
    if (rfc3339_parse(text, ret_us))
        return true;
    text[n] = 'Z';
    text[n + 1] = '\0';
    return rfc3339_parse(text, ret_us);
}

static bool parse_time(const char *s, int64_t *ret_us, const char **ret_why)
{
    double seconds;
    *ret_why = "the time is neither RFC 3339 nor \"YYYY-MM-DD HH:MM:SS\" nor Unix seconds";
    if (!str_to_double(s, &seconds))
        return parse_calendar(s, ret_us);
    if (seconds < FIRST_UNIX_S || seconds > LAST_UNIX_S) {
        *ret_why = "the time is not in the years 0 to 9999; Unix time is expected in seconds, not in milliseconds";
        return false;
    }
    *ret_us = (int64_t)floor(seconds) * USEC_PER_SEC + (int64_t)((seconds - floor(seconds)) * 1e6);
    return true;
}

static bool parse_value(const char *s, double *ret)
{
    *ret = (double)NAN;
    return *s == '\0' || strcasecmp(s, "nan") == 0 || str_to_double(s, ret);
}

/* ---- slots ---- */

static void close_open(struct reader *r)
{
    struct series_file *out = r->out;
    if (r->count) {
        out->value[out->n - 1] = r->sum / r->count;
        out->filled++;
    }
    r->sum = 0;
    r->count = 0;
}

static const char *what_to_do(const struct series_file_options *o)
{
    if (o->too_long)
        return o->too_long;
    return o->grid == SERIES_FROM_FIRST ? "choose a larger --interval, or --rows to count rows instead of time"
                                        : "choose a larger --interval";
}

/* Opens slot `slot`; those that are skipped are no data. */
static int open_slot(struct reader *r, int64_t slot, struct error *err)
{
    struct series_file *out = r->out;
    if (slot >= SERIES_FILE_MAX_SLOTS)
        return error_set(err, ERROR_LIMIT,
                         "%s:%llu: more than %u slots of %u s since the first row; is the time right? Otherwise %s",
                         r->name, (unsigned long long)r->line, SERIES_FILE_MAX_SLOTS, out->interval_s,
                         what_to_do(r->options));
    close_open(r);
    while (r->cap <= slot) {
        r->cap = r->cap ? 2 * r->cap : 4096;
        out->value = xreallocarray(out->value, r->cap, sizeof *out->value);
    }
    while (out->n <= slot)
        out->value[out->n++] = (double)NAN;
    return 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static void begin(struct reader *r, int64_t time_us)
{
    int64_t slot_us = (int64_t)r->out->interval_s * USEC_PER_SEC;
    r->out->start_us = r->options->grid == SERIES_UNIX ? floor_div(time_us, slot_us) * slot_us : time_us;
}

static double clip(struct reader *r, double value)
{
    struct series_file *out = r->out;
    if (fabs(value) > SERIES_MAX && out->clipped++ == 0)
        out->clipped_line = r->line;
    if (value < 0 && !out->negative) {
        out->negative = true;
        out->negative_line = r->line;
    }
    return fmax(-SERIES_MAX, fmin(value, SERIES_MAX));
}

/* Boyer and Moore's majority vote: finds what more than half of the rows have without keeping them. */
static void vote(struct reader *r)
{
    struct series_file *out = r->out;
    if (r->votes == 0)
        out->usual_spacing_us = r->spacing_us;
    if (out->usual_spacing_us == r->spacing_us)
        r->votes++;
    else
        r->votes--;
}

static int put_into_slot(struct reader *r, int64_t time_us, double value, struct error *err)
{
    struct series_file *out = r->out;
    int64_t slot = r->options->grid == SERIES_ROWS
                       ? (int64_t)out->rows
                       : floor_div(time_us - out->start_us, (int64_t)out->interval_s * USEC_PER_SEC);
    out->rows++;
    if (slot >= (int64_t)out->n && open_slot(r, slot, err) < 0)
        return -1;
    if (!isnan(value)) {
        r->sum += value;
        r->count++;
    }
    return 0;
}

static int take_row(struct reader *r, struct series_row *row, struct error *err)
{
    struct series_file *out = r->out;
    int64_t time_us = row->time_us;
    if (out->rows == 0) {
        begin(r, time_us);
    } else if (time_us < r->last_us) {
        return refuse(r, r->line, err, "time runs backward; sort the rows by time, or split the file");
    } else if (time_us > r->last_us) {
        r->spacing_us = time_us - r->last_us;
        vote(r);
    }
    r->last_us = time_us;
    row->value = isnan(row->value) ? row->value : clip(r, row->value);
    if (!r->each)
        return put_into_slot(r, time_us, row->value, err);
    row->index = out->rows++;
    out->filled += isnan(row->value) ? 0 : 1;
    return r->each(r->each_data, row, err);
}

/* ---- lines ---- */

/* 1: a line without its end; 0: the end of the file. */
static int next_line(struct reader *r, FILE *file, char line[LINE_CAP], struct error *err)
{
    size_t n = 0;
    int c;
    r->line++;
    while ((c = getc(file)) != EOF && c != '\n') {
        if (c == '\0')
            return refuse(r, r->line, err, "a NUL byte in it, so it is not plain text; save the file as CSV in UTF-8");
        if (n + 1 == LINE_CAP)
            return refuse(r, r->line, err, "the line is too long, or not text; a series file has two short columns");
        line[n++] = (char)c;
    }
    if (ferror(file))
        return error_errno(err, errno, "reading %s", r->name);
    if (c == EOF && n == 0) {
        r->line--;
        return 0;
    }
    if (n > 0 && line[n - 1] == '\r')
        n--;
    line[n] = '\0';
    return 1;
}

static int parse_row(const struct reader *r, char *line, struct series_row *ret, struct error *err)
{
    char *at = line, *time = cut_field(&at), *value = time && at ? cut_field(&at) : NULL;
    const char *why = NULL;
    *ret = (struct series_row){.time_text = time, .value_text = value};
    if (!time || (at && !value))
        why = "a quote that does not end its field";
    else if (!value || at)
        why = "want two columns, time and value";
    else if (parse_time(time, &ret->time_us, &why))
        why = NULL;
    if (why)
        return error_set(err, ERROR_PARSE, "%s:%llu: %s, as in %s", r->name, (unsigned long long)r->line, why, example);
    if (!parse_value(value, &ret->value))
        return refuse(r, r->line, err,
                      "the value is not a finite number such as 12.5; leave it empty where there is no data");
    return 0;
}

static int check_header(const struct reader *r, char *line, struct error *err)
{
    struct series_row row;
    struct error ignored;
    if (!strchr(line, ','))
        return refuse(r, 1, err, "want a header line with two columns such as \"timestamp,value\"");
    char *first = str_starts(line, "\xEF\xBB\xBF") ? line + 3 : line; /* behind a byte order mark */
    if (parse_row(r, first, &row, &ignored) == 0)
        return refuse(r, 1, err, "the header line is missing; put a line such as \"timestamp,value\" on top");
    return 0;
}

static int take_line(struct reader *r, char *line, struct error *err)
{
    struct series_row row;
    if (r->line == 1)
        return check_header(r, line, err);
    if (line[strspn(line, " \t")] == '\0') {
        r->empty_line = r->empty_line ? r->empty_line : r->line;
        return 0;
    }
    if (r->empty_line)
        return refuse(r, r->empty_line, err, "an empty line between rows; remove it");
    if (parse_row(r, line, &row, err) < 0)
        return -1;
    return take_row(r, &row, err);
}

/* Rows that come several to a slot, and the next one would still have gone into the last slot. */
static bool last_is_whole(const struct reader *r)
{
    const struct series_file *out = r->out;
    int64_t slot_us = (int64_t)out->interval_s * USEC_PER_SEC;
    return r->options->grid == SERIES_ROWS || r->spacing_us == 0 || r->spacing_us > slot_us / 2 ||
           r->last_us + r->spacing_us >= out->start_us + (int64_t)out->n * slot_us;
}

static int read_all(struct reader *r, FILE *file, struct error *err)
{
    char line[LINE_CAP];
    int more, result = 0;
    while (result == 0 && (more = next_line(r, file, line, err)) != 0)
        result = more > 0 ? take_line(r, line, err) : more;
    if (result != 0)
        return result;
    if (r->line == 0)
        return refuse(r, 1, err, "the file is empty; want a header line and rows of time and value");
    if (r->out->rows == 0)
        return refuse(r, r->line, err, "there is no row behind the header");
    close_open(r);
    r->out->last_is_whole = last_is_whole(r);
    return 0;
}

static int read_path(struct reader *r, const char *path, struct error *err)
{
    bool is_stdin = streq(path, "-");
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    if (!file)
        return error_errno(err, errno, "opening %s", path);
    r->name = is_stdin ? "standard input" : path;
    int result = read_all(r, file, err);
    if (!is_stdin)
        (void)fclose(file);
    return result;
}

int series_file_read(const char *path, const struct series_file_options *options, struct series_file *ret,
                     struct error *err)
{
    *ret = (struct series_file){.interval_s = options->interval_s};
    struct reader r = {.options = options, .out = ret};
    int result = read_path(&r, path, err);
    if (result < 0)
        series_file_done(ret);
    return result;
}

int series_file_each_row(const char *path, series_row_fn *fn, void *data, struct series_file *ret, struct error *err)
{
    static const struct series_file_options by_rows = {.interval_s = 1, .grid = SERIES_ROWS};
    *ret = (struct series_file){.interval_s = by_rows.interval_s};
    struct reader r = {.options = &by_rows, .out = ret, .each = fn, .each_data = data};
    return read_path(&r, path, err);
}

void series_file_done(struct series_file *s)
{
    free(s->value);
    s->value = NULL;
}

int64_t series_file_time_us(const struct series_file *s, uint32_t i)
{
    return s->start_us + (int64_t)i * s->interval_s * USEC_PER_SEC;
}

char *series_file_title(const char *path)
{
    if (streq(path, "-"))
        return xstrdup("series");
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    return xstrndup(name, n > 4 && str_ends(name, ".csv") ? n - 4 : n);
}
