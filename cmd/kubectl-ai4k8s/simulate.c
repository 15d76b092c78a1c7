/* kubectl-ai4k8s simulate: what the operator and a plain HPA would have made of a demand trace. */
#include "command.h"
#include "option.h"
#include "output.h"
#include "spec_file.h"

#include "base/str.h"
#include "kube/yaml.h"
#include "lab/simulation_view.h"

#include <string.h>

static const char doc[] =
    "Plays a demand trace against a model of pods, with the operator's own decisions, beside a plain HPA at the same "
    "target "
    "and the HPA whose target costs the same.\v"
    "The trace is a series file: the demand of the whole workload. It is the demand of the spec's first metric that is "
    "forecast; a pod requests its capacity. Figures are of the time after the warm-up: minutes in which demand was "
    "above what "
    "ready pods serve, the share that was not served, pod-hours, those of an oracle that knows the future as 1, "
    "changes of "
    "the count, and the mean utilisation.\n\n"
    "Examples:\n"
    "  kubectl-ai4k8s simulate --trace last-month.csv --spec pa.yaml\n"
    "  kubectl-ai4k8s simulate --trace last-month.csv --spec pa.yaml \\\n"
    "      --startup 240..300 --pod-capacity 500m\n"
    "  kubectl-ai4k8s simulate --trace last-month.csv --spec pa.yaml -o svg \\\n"
    "      > worst-day.svg\n"
    "  kubectl-ai4k8s simulate --trace last-month.csv --spec pa.yaml \\\n"
    "      --advisor answers.jsonl\n\n"
    "JSON: {\"trace\",\"ai4k8s\",\"hpa\",\"frontier\",\"hpaAtSameCost\",\"oracle\",...}; docs/offline.md has it all.\n";

enum {
    KEY_TRACE = 300,
    KEY_SPEC,
    KEY_COMPARE,
    KEY_POD_CAPACITY,
    KEY_STARTUP,
    KEY_WARMUP,
    KEY_UNSATURATED,
    KEY_SEED,
    KEY_ADVISOR
};

static const struct argp_option option_table[] = {
    {"trace", KEY_TRACE, "FILE", 0, "Demand over time: CSV with a header line and two columns, time and value", 1},
    {"spec", KEY_SPEC, "FILE", 0, "The manifest of a PredictiveAutoscaler; minReplicas is 2 unless it says otherwise",
     1},
    {"compare", KEY_COMPARE, "hpa|none", 0, "What to compare with (default hpa)", 2},
    {"pod-capacity", KEY_POD_CAPACITY, "VALUE", 0,
     "What a ready pod serves, in the trace's unit (default: such that 28 pods serve its 99.9 % quantile)", 2},
    {"startup", KEY_STARTUP, "FROM..TO", 0, "How long a pod takes to become ready, in seconds (default 60..120)", 2},
    {"warmup", KEY_WARMUP, "DURATION", 0, "How much of the beginning is not scored, such as 36h (default 7d)", 2},
    {"unsaturated", KEY_UNSATURATED, NULL, 0, "The metric shows the demand also where pods can't serve it", 2},
    {"seed", KEY_SEED, "N", 0, "Of the start-up times (default 1)", 2},
    {"advisor", KEY_ADVISOR, "NAME|FILE", 0,
     "Play an LLM advisor: hostile (always asks for 10,000 pods), clairvoyant (knows the next 15 min), or a file of "
     "answers, one JSON object a line (docs/advisor.md); the spec has advisor mode Bounded",
     2},
    {"output", 'o', "FORMAT", 0, "table, json or svg", 3},
    {0},
};

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_SVG };

struct simulating {
    const char *trace, *spec;
    bool compare, unsaturated;
    enum simulation_advisor advisor;
    const char *answers; /* file of SIMULATION_RECORDED */
    double pod_capacity; /* 0: the default */
    uint32_t startup_min_s, startup_max_s;
    int64_t warmup_s;
    uint64_t seed;
    enum format format;
};

#define MAX_STARTUP_S 3600
#define MIN_CAPACITY  1e-9 /* what is less can't be counted in */
#define DEFAULT_PODS  28   /* 40 at 70 % */

/* ---- arguments ---- */

static void take_startup(struct simulating *s, struct argp_state *state, const char *text)
{
    char from[16];
    int64_t low = 0, high = 0;
    const char *dots = strstr(text, "..");
    size_t n = dots ? (size_t)(dots - text) : strlen(text);
    bool good = n < sizeof from;
    if (good) {
        memcpy(from, text, n);
        from[n] = '\0';
        good = str_to_i64(from, &low) && str_to_i64(dots ? dots + 2 : from, &high) && low >= 0 && low <= high &&
               high <= MAX_STARTUP_S;
    }
    if (!good)
        argp_error(state, "--startup takes seconds such as 60..120, up to %d, not \"%s\"", MAX_STARTUP_S, text);
    s->startup_min_s = (uint32_t)low;
    s->startup_max_s = (uint32_t)high;
}

static void take_capacity(struct simulating *s, struct argp_state *state, const char *text)
{
    struct quantity q;
    if (!str_to_double(text, &s->pod_capacity))
        s->pod_capacity = quantity_parse(text, &q) && !q.saturated ? quantity_double(q) : 0;
    if (!(s->pod_capacity >= MIN_CAPACITY) || !(s->pod_capacity <= 1e30))
        argp_error(state, "--pod-capacity takes a number or quantity above 0, such as 0.5 or 500m, not \"%s\"", text);
}

static void take_advisor(struct simulating *s, struct argp_state *state, const char *text)
{
    s->advisor = streq(text, "hostile")       ? SIMULATION_HOSTILE
                 : streq(text, "clairvoyant") ? SIMULATION_CLAIRVOYANT
                                              : SIMULATION_RECORDED;
    s->answers = s->advisor == SIMULATION_RECORDED ? text : NULL;
    if (!*text)
        argp_error(state, "--advisor is hostile, clairvoyant or a file of answers");
}

static error_t take(int key, char *arg, struct argp_state *state)
{
    static const char *const comparisons[] = {"hpa", "none", NULL};
    static const char *const formats[] = {"table", "json", "svg", NULL};
    struct simulating *s = state->input;
    switch (key) {
    case KEY_TRACE:
        s->trace = arg;
        return 0;
    case KEY_SPEC:
        s->spec = arg;
        return 0;
    case KEY_COMPARE:
        s->compare = option_choice(state, "--compare", arg, comparisons) == 0;
        return 0;
    case KEY_POD_CAPACITY:
        take_capacity(s, state, arg);
        return 0;
    case KEY_STARTUP:
        take_startup(s, state, arg);
        return 0;
    case KEY_WARMUP:
        s->warmup_s = option_duration_s(state, "--warmup", arg, 0);
        return 0;
    case KEY_UNSATURATED:
        s->unsaturated = true;
        return 0;
    case KEY_SEED:
        s->seed = (uint64_t)option_number(state, "--seed", arg, 0, INT64_MAX);
        return 0;
    case KEY_ADVISOR:
        take_advisor(s, state, arg);
        return 0;
    case 'o':
        s->format = (enum format)option_choice(state, "-o", arg, formats);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is too much: one trace at a time, with --trace", arg);
        return 0;
    case ARGP_KEY_END:
        if (!s->trace || !s->spec)
            argp_error(state, "--%s FILE is missing", s->trace ? "spec" : "trace");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the work ---- */

#define SPEC_MAX_BYTES ((size_t)1 << 20)
#define MIN_REPLICAS   2

/* The default of minReplicas is another here than in a cluster, so what the file says has to be told from what it does
 * not. */
static int load_spec(const struct simulating *s, struct spec_file *ret, struct error *err)
{
    struct yaml_doc text;
    if (yaml_load(s->spec, SPEC_MAX_BYTES, &text, err) < 0)
        return -1;
    bool says = json_at(text.root, "spec.minReplicas") != NULL;
    yaml_done(&text);
    if (spec_file_load(s->spec, ret, err) < 0)
        return -1;
    if (!says)
        ret->core.min_replicas = MIN(MIN_REPLICAS, ret->core.max_replicas);
    const char *why = simulation_refuses(&ret->core);
    if (!why && s->advisor != SIMULATION_NO_ADVISOR && ret->core.advice.mode != ADVICE_BOUNDED)
        why = "--advisor plays one that may do something: set advisor.mode to Bounded, with a maxReplicaDelta";
    if (!why)
        return 0;
    spec_file_done(ret);
    return error_set(err, ERROR_CONFIG, "%s: %s", s->spec, why);
}

static int make_world(const struct simulating *s, const struct trace *trace, struct world_options *ret,
                      struct error *err)
{
    int64_t warmup = s->warmup_s / TRACE_TICK_S;
    if (warmup >= trace->n)
        return error_set(err, ERROR_CONFIG, "%s is %.3g days long, all of which is warm-up; choose a shorter --warmup",
                         s->trace, trace->n * (double)TRACE_TICK_S / 86400);
    double capacity = s->pod_capacity > 0 ? s->pod_capacity : trace->high / DEFAULT_PODS;
    if (!(capacity >= MIN_CAPACITY))
        return error_set(err, ERROR_CONFIG, "%s has hardly a demand above 0; say what a pod serves with --pod-capacity",
                         s->trace);
    *ret = (struct world_options){.trace = trace,
                                  .pod_capacity = capacity,
                                  .startup_min_s = s->startup_min_s,
                                  .startup_max_s = s->startup_max_s,
                                  .warmup_ticks = (uint32_t)warmup,
                                  .seed = s->seed,
                                  .unsaturated = s->unsaturated};
    return 0;
}

static void progress(void *data, uint32_t part, uint32_t whole)
{
    output_progress(data, part, whole);
}

static void show(const struct simulating *s, const struct core_spec *spec, const struct simulation *result)
{
    const struct core_metric_spec *metric = &spec->metrics[result->metric];
    struct simulation_view view = {.simulation = result,
                                   .file = s->trace,
                                   .metric = metric->name,
                                   .confidence_percent = spec->prediction.confidence_percent,
                                   .forecast = metric->forecast};
    struct buf text = BUF_INIT((size_t)64 << 20);
    if (s->format == FORMAT_JSON)
        simulation_view_json(&view, &text);
    else if (s->format == FORMAT_SVG)
        simulation_view_svg(&view, &text);
    else
        simulation_view_table(&view, &text);
    output_text(&text);
    buf_done(&text);
}

static bool is_of_that_time(const struct answers *answers, const struct trace *trace)
{
    int64_t end_us = trace->start_us + (int64_t)trace->n * TRACE_TICK_S * 1000000;
    for (size_t i = 0; i < answers->n; i++)
        if (answers->list[i].time_us >= trace->start_us && answers->list[i].time_us < end_us)
            return true;
    return false;
}

static int play(const struct simulating *s, const struct core_spec *spec, const struct trace *trace,
                const struct answers *answers, struct error *err)
{
    struct simulation_options options = {.advisor = s->advisor,
                                         .answers = answers,
                                         .spec = spec,
                                         .compare = s->compare,
                                         .keep_ticks = s->format == FORMAT_SVG,
                                         .progress = progress,
                                         .data = (void *)(uintptr_t) "simulating"};
    struct simulation result;
    if (make_world(s, trace, &options.world, err) < 0)
        return -1;
    if (answers->n > 0 && !is_of_that_time(answers, trace))
        return error_set(err, ERROR_CONFIG, "%s has no answer of a time that lies in %s", s->answers, s->trace);
    simulate(&options, &result);
    if (spec->mode != CORE_AUTO || spec->paused)
        output_note("%s: it is not in mode Auto, or paused; played is what mode Auto would do", s->spec);
    if (spec->n_metrics > 1)
        output_note("%s: the trace is the demand of %s; the other metrics are left out", s->spec,
                    spec->metrics[result.metric].name);
    show(s, spec, &result);
    simulation_done(&result);
    return 0;
}

int command_simulate(int argc, char **argv)
{
    static const struct argp parser = {
        .options = option_table, .parser = take, .args_doc = "--trace FILE --spec FILE", .doc = doc};
    struct simulating s = {.compare = true, .startup_min_s = 60, .startup_max_s = 120, .warmup_s = 604800, .seed = 1};
    struct spec_file spec;
    struct trace trace;
    struct answers answers = {.n = 0};
    struct error err = ERROR_INIT;
    (void)argp_parse(&parser, argc, argv, 0, NULL, &s);
    if (load_spec(&s, &spec, &err) < 0)
        return output_bad_input(&err);
    int result = s.answers ? answers_load(s.answers, &answers, &err) : 0;
    if (result >= 0)
        result = trace_read(s.trace, &trace, &err);
    if (result >= 0) {
        output_clipped(s.trace, trace.clipped, trace.clipped_line, "model");
        result = play(&s, &spec.core, &trace, &answers, &err);
        trace_done(&trace);
    }
    answers_done(&answers);
    spec_file_done(&spec);
    return result < 0 ? output_bad_input(&err) : STATUS_OK;
}
