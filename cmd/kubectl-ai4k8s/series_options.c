/* Options of the offline commands; see series_options.h. */
#include "series_options.h"

#include "command.h"
#include "option.h"
#include "output.h"

#include "base/alloc.h"
#include "base/str.h"
#include "core/series.h"

#include <stdlib.h>

enum { KEY_SERIES = 300, KEY_INTERVAL, KEY_HISTORY, KEY_HORIZON, KEY_EVERY, KEY_ROWS };

static const struct argp_option option_table[] = {
    {"series", KEY_SERIES, "FILE", 0,
     "CSV with a header line and two columns, time and value; \"-\" is standard input. Time is RFC 3339, YYYY-MM-DD "
     "HH:MM:SS "
     "(UTC) or Unix seconds; an empty value or NaN is no data",
     1},
    {"interval", KEY_INTERVAL, "SECONDS", 0,
     "Length of a slot, 10 to 3600 (default 300); rows in one slot are averaged", 2},
    {"history", KEY_HISTORY, "SLOTS", 0, "Slots that the model remembers, 12 to 4032 (default 2016)", 2},
    {"horizon", KEY_HORIZON, "SLOTS", 0, "Slots that are forecast, 1 to 288 (default 72)", 2},
    {"every", KEY_EVERY, "SLOTS", 0,
     "Forecast again and again, this many slots apart, beginning after the first --history slots", 2},
    {"rows", KEY_ROWS, NULL, 0, "A row is a slot, whatever its time: for series of concatenated days", 2},
    {"output", 'o', "FORMAT", 0, "table, jsonl or svg", 3},
    {0},
};

struct series_options series_options_default(void)
{
    struct demand_config config = demand_config_default();
    return (struct series_options){.file = {.interval_s = config.interval_s, .grid = SERIES_FROM_FIRST},
                                   .play = {.history = config.slots, .horizon = config.horizon}};
}

void series_options_done(struct series_options *o)
{
    free(o->files);
    o->files = NULL;
}

static void add_file(struct series_options *o, const char *file)
{
    o->files = xreallocarray(o->files, o->n_files + 1, sizeof *o->files);
    o->files[o->n_files++] = file;
}

static uint32_t number(struct argp_state *state, const char *option, const char *text, int64_t min, int64_t max)
{
    return (uint32_t)option_number(state, option, text, min, max);
}

static enum series_output format(struct argp_state *state, const char *text)
{
    static const enum series_output formats[] = {OUTPUT_TABLE, OUTPUT_JSONL, OUTPUT_SVG};
    static const char *const words[] = {"table", "jsonl", "svg", NULL};
    return streq(text, "json") ? OUTPUT_JSONL : formats[option_choice(state, "-o", text, words)];
}

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct series_options *o = state->input;
    switch (key) {
    case KEY_SERIES:
    case ARGP_KEY_ARG:
        add_file(o, arg);
        return 0;
    case KEY_INTERVAL:
        o->file.interval_s = number(state, "--interval", arg, 10, 3600);
        return 0;
    case KEY_HISTORY:
        o->play.history = number(state, "--history", arg, DEMAND_MIN_SLOTS, DEMAND_MAX_SLOTS);
        return 0;
    case KEY_HORIZON:
        o->play.horizon = number(state, "--horizon", arg, 1, FORECAST_MAX_HORIZON);
        return 0;
    case KEY_EVERY:
        o->play.every = number(state, "--every", arg, 1, SERIES_FILE_MAX_SLOTS);
        return 0;
    case KEY_ROWS:
        o->file.grid = SERIES_ROWS;
        return 0;
    case 'o':
        o->output = format(state, arg);
        return 0;
    case ARGP_KEY_END:
        if (o->n_files == 0)
            argp_error(state, "--series FILE is missing: which series?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp series_options_argp = {.options = option_table, .parser = take};

int series_options_read(const struct series_options *o, unsigned i, struct series_file *ret)
{
    struct error err = ERROR_INIT;
    if (series_file_read(o->files[i], &o->file, ret, &err) < 0)
        return output_bad_input(&err);
    output_clipped(o->files[i], ret->clipped, ret->clipped_line, "model");
    if (ret->filled == 0)
        output_note("%s: no row has a value, so there is nothing to go by", o->files[i]);
    return STATUS_OK;
}
