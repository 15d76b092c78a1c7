/* kubectl-ai4k8s anomalies: what of a series the operator would find strange. */
#include "command.h"
#include "option.h"
#include "output.h"

#include "base/alloc.h"
#include "base/str.h"
#include "lab/anomalies_view.h"

#include <math.h>
#include <stdlib.h>

#define USUAL_HISTORY  4032
#define MAX_INTERVAL_S 86400
#define FLUSH_BYTES    ((size_t)64 << 10)
#define PROGRESS_EVERY 4096

static const char doc[] =
    "Plays a series row by row through the operator's detector of anomalies; each row is judged by the rows up to it "
    "and by nothing behind it.\v"
    "Output: CSV, one row for each of the input's and in their order, written as they are read:\n"
    "  timestamp,value  as they stand in the file\n"
    "  score       0 to 1: above 0.8 stranger than everything remembered; 0.7 once\n"
    "              before something was as strange, 0.6 twice, 0.5 three or four\n"
    "              times ...; 0.3 of that behind a row that was as strange within\n"
    "              the last 144; 0 for the first 20 rows\n"
    "  is_anomaly  1 where the score reaches the threshold: low 0.8, medium 0.5,\n"
    "              high 0.35 (--sensitivity)\n"
    "  severity    none, low, medium or high\n\n"
    "Examples:\n"
    "  kubectl-ai4k8s anomalies --series last-month.csv > scores.csv\n"
    "  kubectl-ai4k8s anomalies --series last-month.csv -o table\n"
    "  kubectl-ai4k8s anomalies --series last-month.csv --sensitivity low -o svg \\\n"
    "      > anomalies.svg\n";

enum { KEY_SERIES = 300, KEY_INTERVAL, KEY_HISTORY, KEY_SENSITIVITY };

static const struct argp_option option_table[] = {
    {"series", KEY_SERIES, "FILE", 0,
     "CSV with a header line and two columns, time and value; \"-\" is standard input. Time is RFC 3339, YYYY-MM-DD "
     "HH:MM:SS (UTC) or Unix seconds; an empty value or NaN is no data",
     1},
    {"interval", KEY_INTERVAL, "SECONDS", 0,
     "Time between two rows, 1 to 86400 (default: as the first 20 rows are spaced); says how many rows a day has", 2},
    {"history", KEY_HISTORY, "ROWS", 0, "Rows that are remembered, 64 to 4032 (default 4032)", 2},
    {"sensitivity", KEY_SENSITIVITY, "LEVEL", 0, "low, medium (default) or high: how strange an anomaly is at least",
     2},
    {"output", 'o', "FORMAT", 0, "csv (default), table or svg", 3},
    {0},
};

enum { OUTPUT_GONE = 1 }; /* what ends the reading of rows: nobody takes what is found in them */

enum format { FORMAT_CSV, FORMAT_TABLE, FORMAT_SVG };

struct finding {
    const char *file;
    struct anomalies_options options;
    enum format format;

    struct anomalies *anomalies;
    struct buf text;
    struct anomalies_row *rows; /* for a plot */
    uint32_t cap, n;
};

static void set_file(struct argp_state *state, struct finding *f, const char *file)
{
    if (f->file)
        argp_error(state, "one series at a time");
    f->file = file;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
    static const char *const sensitivities[] = {"low", "medium", "high", NULL};
    static const char *const formats[] = {"csv", "table", "svg", NULL};
    struct finding *f = state->input;
    switch (key) {
    case KEY_SERIES:
    case ARGP_KEY_ARG:
        set_file(state, f, arg);
        return 0;
    case KEY_INTERVAL:
        f->options.interval_s = (uint32_t)option_number(state, "--interval", arg, 1, MAX_INTERVAL_S);
        return 0;
    case KEY_HISTORY:
        f->options.history =
            (uint32_t)option_number(state, "--history", arg, ANOMALIES_MIN_HISTORY, ANOMALIES_MAX_HISTORY);
        return 0;
    case KEY_SENSITIVITY:
        f->options.sensitivity = (enum anomaly_sensitivity)option_choice(state, "--sensitivity", arg, sensitivities);
        return 0;
    case 'o':
        f->format = (enum format)option_choice(state, "-o", arg, formats);
        return 0;
    case ARGP_KEY_END:
        if (!f->file)
            argp_error(state, "--series FILE is missing: which series?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void flush(struct finding *f)
{
    output_text(&f->text);
    buf_clear(&f->text);
}

static int keep(struct finding *f, const struct series_row *row, const struct anomaly_result *result, struct error *err)
{
    if (f->n == ANOMALIES_VIEW_MAX_ROWS)
        return error_set(err, ERROR_LIMIT, "%s has more rows than the %u that a plot can show; use -o csv", f->file,
                         ANOMALIES_VIEW_MAX_ROWS);
    if (f->n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 4096;
        f->rows = xreallocarray(f->rows, f->cap, sizeof *f->rows);
    }
    f->rows[f->n++] = (struct anomalies_row){
        .time_us = row->time_us, .value = row->value, .score = result->score, .severity = result->severity};
    return 0;
}

static int take_row(void *data, const struct series_row *row, struct error *err)
{
    struct finding *f = data;
    struct anomaly_result result = anomalies_take(f->anomalies, row->time_us, row->value);
    if (row->index % PROGRESS_EVERY == PROGRESS_EVERY - 1)
        output_progress_count("rows judged", row->index + 1);
    if (f->format != FORMAT_CSV)
        return keep(f, row, &result, err);
    if (row->index == 0)
        (void)buf_puts(&f->text, anomalies_csv_header);
    anomalies_csv_line(row, &result, &f->text);
    if (f->text.len >= FLUSH_BYTES)
        flush(f);
    return output_takes_more() ? 0 : OUTPUT_GONE;
}

static void show(struct finding *f)
{
    const struct anomalies_view view = {
        .file = f->file, .rows = f->rows, .n = f->n, .threshold = anomaly_threshold(f->options.sensitivity)};
    if (f->format == FORMAT_TABLE)
        anomalies_view_text(&view, output_width(), output_has_colour(), &f->text);
    else if (f->format == FORMAT_SVG)
        anomalies_view_svg(&view, &f->text);
    flush(f);
}

static int find(struct finding *f)
{
    struct error err = ERROR_INIT;
    struct series_file counts;
    f->anomalies = anomalies_new(&f->options);
    f->text = BUF_INIT((size_t)64 << 20);
    int result = series_file_each_row(f->file, take_row, f, &counts, &err);
    output_progress("", 1, 1);
    if (result == 0)
        show(f);
    else
        flush(f); /* what was read before is true */
    buf_done(&f->text);
    free(f->rows);
    (void)anomalies_free(f->anomalies);
    if (result < 0)
        return output_bad_input(&err);
    if (result == OUTPUT_GONE)
        return STATUS_FAILED;
    output_clipped(f->file, counts.clipped, counts.clipped_line, "detector");
    if (counts.filled == 0)
        output_note("%s: no row has a value, so there is nothing to go by", f->file);
    return STATUS_OK;
}

int command_anomalies(int argc, char **argv)
{
    static const struct argp parser = {
        .options = option_table, .parser = take, .args_doc = "--series FILE", .doc = doc};
    struct finding f = {.options = {.history = USUAL_HISTORY, .sensitivity = ANOMALY_SENSITIVITY_MEDIUM}};
    (void)argp_parse(&parser, argc, argv, 0, NULL, &f);
    return find(&f);
}
