/* kubectl-ai4k8s forecast: what the operator would forecast for a series. */
#include "command.h"
#include "output.h"
#include "series_options.h"

#include "base/rfc3339.h"
#include "lab/forecast_line.h"
#include "lab/forecast_view.h"

static const char doc[] = "Forecasts a series with the operator's own model: once, after its end, or with --every "
                          "again and again, as the operator "
                          "would have while it went on.\v"
                          "Examples:\n"
                          "  kubectl-ai4k8s forecast --series last-week.csv\n"
                          "  kubectl-ai4k8s forecast --series last-week.csv -o svg > forecast.svg\n"
                          "  kubectl-ai4k8s forecast --series last-month.csv --every 36 > forecasts.jsonl\n";

struct forecasting {
    const struct series_file *series;
    const char *file;
    enum series_output output;
};

static void progress(void *data, uint32_t slot, uint32_t n)
{
    output_progress(data, slot, n);
}

static bool at_origin(void *data, uint32_t origin, struct demand *d)
{
    const struct forecasting *x = data;
    struct buf text = BUF_INIT((size_t)16 << 20);
    if (x->output == OUTPUT_JSONL)
        forecast_line(x->series, origin, d, &text);
    else if (x->output == OUTPUT_SVG)
        forecast_view_svg(x->series, x->file, d, &text);
    else
        forecast_view_text(x->series, x->file, d, output_width(), output_has_colour(), &text);
    output_text(&text);
    buf_done(&text);
    return output_takes_more();
}

static int forecast(const struct series_options *o)
{
    struct series_file series;
    struct play_options play = o->play;
    struct forecasting x = {.series = &series, .file = o->files[0], .output = o->output};
    int status = series_options_read(o, 0, &series);
    if (status != STATUS_OK)
        return status;
    if (x.output == OUTPUT_AUTO)
        x.output = play.every ? OUTPUT_JSONL : OUTPUT_TABLE;
    play.progress = progress;
    play.data = (void *)(uintptr_t) "playing";
    if (series.filled == 0) {
        status = STATUS_USAGE;
    } else if (play_series(&series, &play, at_origin, &x) == 0) {
        output_note("%s has %u slots, so there is no origin after the first %u; choose a smaller --history",
                    o->files[0], series.n, play.history);
    }
    output_progress("", 1, 1);
    series_file_done(&series);
    return status;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct series_options *o = state->input;
    (void)arg;
    if (key == ARGP_KEY_INIT)
        state->child_inputs[0] = o;
    else if (key == ARGP_KEY_SUCCESS && o->n_files > 1)
        argp_error(state, "one series at a time; `backtest` takes several");
    else if (key == ARGP_KEY_SUCCESS && o->play.every && (o->output == OUTPUT_TABLE || o->output == OUTPUT_SVG))
        argp_error(state, "--every gives many forecasts, as JSON lines; leave it out for a table or a plot");
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

int command_forecast(int argc, char **argv)
{
    static const struct argp_child children[] = {{&series_options_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {.parser = take, .args_doc = "--series FILE", .doc = doc, .children = children};
    struct series_options options = series_options_default();
    (void)argp_parse(&parser, argc, argv, 0, NULL, &options);
    int status = forecast(&options);
    series_options_done(&options);
    return status;
}
