/* kubectl-ai4k8s backtest: how good the forecasts of series would have been. */
#include "command.h"
#include "output.h"
#include "series_options.h"

#include "base/alloc.h"
#include "base/str.h"
#include "lab/backtest_view.h"

#include <stdlib.h>

#define USUAL_EVERY 36

static const char doc[] =
    "Plays series through the operator's own model and compares every forecast with what came after it.\v"
    "Errors are relative to the series: 1 is the mean error of \"as yesterday\" over the week before. Columns:\n"
    "  MASE     mean absolute error of the forecast\n"
    "  PINBALL  loss of the quantile; lower is better\n"
    "  IN80, IN95  share of values inside the interval that should hold 80 % and\n"
    "              95 % of them\n"
    "  BELOW95  share of values below the 95 % quantile\n\n"
    "Examples:\n"
    "  kubectl-ai4k8s backtest --series last-month.csv\n"
    "  kubectl-ai4k8s backtest --history 288 --every 12 -o jsonl web.csv api.csv\n";

struct backtesting {
    struct series_options series;
    uint32_t min_origins;
};

enum { KEY_MIN_ORIGINS = 400 };
static const struct argp_option option_table[] = {
    {"min-origins", KEY_MIN_ORIGINS, "N", 0, "Leave series with fewer scored forecasts out of the mean (default 1)", 2},
    {0},
};

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct backtesting *b = state->input;
    int64_t value;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &b->series;
        return 0;
    case KEY_MIN_ORIGINS:
        if (!str_to_i64(arg, &value) || value < 1 || value > INT32_MAX)
            argp_error(state, "--min-origins takes a whole number from 1 on, not \"%s\"", arg);
        b->min_origins = (uint32_t)value;
        return 0;
    case ARGP_KEY_SUCCESS:
        if (b->series.output == OUTPUT_SVG && b->series.n_files > BACKTEST_VIEW_MAX_BARS)
            argp_error(state, "a plot has room for %d series", BACKTEST_VIEW_MAX_BARS);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void progress(void *data, uint32_t slot, uint32_t n)
{
    output_progress(data, slot, n);
}

static int score(const struct backtesting *b, unsigned i, struct backtest *ret)
{
    const struct series_options *o = &b->series;
    struct play_options play = o->play;
    struct series_file series;
    int status = series_options_read(o, i, &series);
    if (status != STATUS_OK)
        return status;
    _cleanup_(freep) char *label = xasprintf("%u of %u: %.40s", i + 1, o->n_files, o->files[i]);
    play.progress = progress;
    play.data = label;
    *ret = backtest_series(&series, &play);
    output_progress("", 1, 1);
    series_file_done(&series);
    return STATUS_OK;
}

static int backtest(const struct backtesting *b)
{
    const struct series_options *o = &b->series;
    struct backtest *items = xcalloc(o->n_files, sizeof *items);
    struct buf text = BUF_INIT((size_t)64 << 20);
    int status = STATUS_OK;
    for (unsigned i = 0; i < o->n_files && status == STATUS_OK; i++)
        status = score(b, i, &items[i]);
    if (status == STATUS_OK) {
        const struct backtest_view view = {
            .files = o->files, .items = items, .n = o->n_files, .min_origins = b->min_origins};
        if (o->output == OUTPUT_JSONL)
            backtest_view_jsonl(&view, &text);
        else if (o->output == OUTPUT_SVG)
            backtest_view_svg(&view, &text);
        else
            backtest_view_table(&view, &text);
        output_text(&text);
    }
    buf_done(&text);
    free(items);
    return status;
}

int command_backtest(int argc, char **argv)
{
    static const struct argp_child children[] = {{&series_options_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .options = option_table, .parser = take, .args_doc = "--series FILE...", .doc = doc, .children = children};
    struct backtesting b = {.series = series_options_default(), .min_origins = 1};
    b.series.play.every = USUAL_EVERY;
    (void)argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &b); /* files stay in the order given */
    int status = backtest(&b);
    series_options_done(&b.series);
    return status;
}
