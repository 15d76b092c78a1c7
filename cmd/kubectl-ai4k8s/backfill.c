/* kubectl-ai4k8s backfill: leaves samples where the operator takes them in as history, and waits for that. */
#include "backfill_wait.h"
#include "cluster.h"
#include "command.h"
#include "option.h"
#include "output.h"
#include "prometheus.h"

#include "api/pa.h"
#include "api/pa_checkpoint.h"
#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "lab/series_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
    "Gives an autoscaler a history to start with, so that it can forecast at once: the demand of one metric, over all "
    "pods "
    "together, in cores, bytes or plain numbers. Samples that the autoscaler has itself are kept.\v"
    "Examples:\n"
    "  kubectl ai4k8s backfill web --series last-week.csv\n"
    "  kubectl ai4k8s backfill web --series an-old-week.csv --end now\n"
    "  kubectl ai4k8s backfill web --prometheus http://localhost:9090 --range 7d \\\n"
    "      --query 'sum(shop:cpu_usage:rate5m)' --token-file ~/.prometheus-token\n";

struct backfilling {
    struct cluster_options cluster;
    const char *name, *metric, *series, *prometheus, *query, *token_file;
    uint32_t interval_s; /* 0: the autoscaler's */
    bool has_end;
    int64_t end_us; /* INT64_MAX: now */
    int64_t range_s, step_s;
    bool wait;
    int64_t timeout_s;
};

/* ---- options ---- */

enum {
    KEY_SERIES = 600,
    KEY_METRIC,
    KEY_INTERVAL,
    KEY_END,
    KEY_PROMETHEUS,
    KEY_QUERY,
    KEY_TOKEN_FILE,
    KEY_RANGE,
    KEY_STEP,
    KEY_WAIT,
    KEY_TIMEOUT
};

static const struct argp_option option_table[] = {
    {"series", KEY_SERIES, "FILE", 0, "CSV with a header line and two columns, time and value; \"-\" is standard input",
     1},
    {"interval", KEY_INTERVAL, "SECONDS", 0, "Length of a sample, 10 to 3600 (default: the autoscaler's)", 1},
    {"end", KEY_END, "now|TIME", 0,
     "Shift the series so that its last sample ends then; for --prometheus the end of the range", 1},
    {"prometheus", KEY_PROMETHEUS, "URL", 0, "Read the samples from this Prometheus instead", 2},
    {"query", KEY_QUERY, "PROMQL", 0, "What to ask it; must give one series", 2},
    {"token-file", KEY_TOKEN_FILE, "FILE", 0,
     "Has the bearer token that Prometheus wants; it is sent over https, or to this machine, only", 2},
    {"range", KEY_RANGE, "DURATION", 0, "How far back, such as 36h or 2w (default 7d)", 2},
    {"step", KEY_STEP, "DURATION", 0, "Distance of its points (default: the interval)", 2},
    {"metric", KEY_METRIC, "NAME", 0, "The metric in spec.metrics that it is the demand of (default cpu)", 3},
    {"wait", KEY_WAIT, "BOOL", OPTION_ARG_OPTIONAL, "Wait until the operator has taken it in (default true)", 3},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "How long to wait for that (default 30)", 3},
    {0},
};

static void take_end(struct argp_state *state, struct backfilling *b, const char *text)
{
    b->has_end = true;
    b->end_us = INT64_MAX;
    if (!streq(text, "now") && !rfc3339_parse(text, &b->end_us))
        argp_error(state, "--end takes \"now\" or a time such as 2024-05-01T00:00:00Z, not \"%s\"", text);
}

static void check(struct argp_state *state, const struct backfilling *b)
{
    if (!b->series == !b->prometheus)
        argp_error(state, "either --series FILE or --prometheus URL says where the history comes from");
    if (b->prometheus && !b->query)
        argp_error(state, "--query is missing: what to ask Prometheus");
    if (b->series && (b->query || b->token_file))
        argp_error(state, "--%s goes with --prometheus", b->query ? "query" : "token-file");
}

static error_t take(int key, char *arg, struct argp_state *state)
{
    static const char *const truths[] = {"true", "false", NULL};
    struct backfilling *b = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &b->cluster;
        return 0;
    case KEY_SERIES:
        b->series = arg;
        return 0;
    case KEY_METRIC:
        b->metric = arg;
        return 0;
    case KEY_INTERVAL:
        b->interval_s = (uint32_t)option_number(state, "--interval", arg, 10, 3600);
        return 0;
    case KEY_END:
        take_end(state, b, arg);
        return 0;
    case KEY_PROMETHEUS:
        b->prometheus = arg;
        return 0;
    case KEY_QUERY:
        b->query = arg;
        return 0;
    case KEY_TOKEN_FILE:
        b->token_file = arg;
        return 0;
    case KEY_RANGE:
        b->range_s = option_duration_s(state, "--range", arg, 1);
        return 0;
    case KEY_STEP:
        b->step_s = option_duration_s(state, "--step", arg, 1);
        return 0;
    case KEY_WAIT:
        b->wait = !arg || option_choice(state, "--wait", arg, truths) == 0;
        return 0;
    case KEY_TIMEOUT:
        b->timeout_s = option_number(state, "--timeout", arg, 1, 86400);
        return 0;
    case ARGP_KEY_SUCCESS:
        check(state, b);
        return 0;
    default:
        return cluster_take_name(key, arg, state, &b->name);
    }
}

/* ---- the autoscaler ---- */

struct target {
    struct object_meta meta;
    uint32_t interval_s, slots;
    int64_t history_s; /* what it remembers */
};

static int find_metric(const struct pa_spec *spec, const char *metric, struct error *err)
{
    struct buf names = BUF_INIT(1024);
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        if (!pa_metric_forecast(&spec->metrics[i]))
            continue;
        if (streq(spec->metrics[i].name, metric)) {
            buf_done(&names);
            return 0;
        }
        (void)buf_printf(&names, "%s%s", names.len ? ", " : "", spec->metrics[i].name);
    }
    (void)error_set(err, ERROR_CONFIG, "the autoscaler has no metric \"%s\" that is forecast; --metric can be: %s",
                    metric, names.len ? buf_str(&names) : "none, because no metric of it is forecast");
    buf_done(&names);
    return -1;
}

static int read_target(struct cluster *c, const struct backfilling *b, struct target *ret, struct error *err)
{
    struct buf body = BUF_INIT((size_t)4 << 20);
    struct api_problems problems = {0};
    struct pa *pa = xcalloc(1, sizeof *pa);
    int result = cluster_autoscaler(c, b->name, &body, err);
    json_t *root = result == 0 ? json_parse(buf_str(&body), body.len, err) : NULL;
    result = root ? object_meta_decode(root, &ret->meta, err) : -1;
    if (result == 0 && pa_decode(root, pa, &problems) < 0)
        result = api_problems_error(&problems, NULL, err);
    if (result == 0)
        result = find_metric(&pa->spec, b->metric, err);
    if (result == 0) {
        ret->interval_s = b->interval_s ? b->interval_s : (uint32_t)pa->spec.prediction.sample_interval_s;
        ret->slots = MIN((uint32_t)pa->spec.prediction.history_s / ret->interval_s, (uint32_t)PA_BACKFILL_MAX_SAMPLES);
        ret->slots = MAX(ret->slots, 1u);
        ret->history_s = pa->spec.prediction.history_s;
    }
    json_decref(root);
    free(pa);
    buf_done(&body);
    return result;
}

/* ---- the samples ---- */

struct samples {
    float values[PA_BACKFILL_MAX_SAMPLES];
    uint32_t n, filled;
    int64_t start_s;
};

static int64_t grid_floor(int64_t seconds, int64_t interval_s)
{
    return (seconds / interval_s - (seconds % interval_s < 0)) * interval_s;
}

static int64_t end_s(const struct cluster *c, const struct backfilling *b)
{
    return (b->end_us == INT64_MAX ? cluster_now_us(c) : b->end_us) / USEC_PER_SEC;
}

static void take_values(struct samples *s, const double *values, uint32_t n)
{
    s->n = n;
    for (uint32_t i = 0; i < n; i++) {
        s->values[i] = (float)values[i];
        s->filled += isnan(values[i]) ? 0 : 1;
    }
}

/* The operator would take in none of it, and say so without a reason. */
static int refuse_forgotten(const struct cluster *c, const struct backfilling *b, const struct target *t,
                            const struct samples *s, struct error *err)
{
    int64_t until_us = (s->start_s + (int64_t)s->n * t->interval_s) * USEC_PER_SEC;
    char until[RFC3339_CAP];
    if (until_us > cluster_now_us(c) - t->history_s * USEC_PER_SEC)
        return 0;
    rfc3339_format(until, until_us);
    return error_set(err, ERROR_CONFIG,
                     "%s: it ends at %s, before the %lld h that %s remembers; --end now moves it to where it ends now",
                     b->series, until, (long long)t->history_s / 3600, b->name);
}

static int from_file(const struct cluster *c, const struct backfilling *b, const struct target *t, struct samples *ret,
                     struct error *err)
{
    const struct series_file_options options = {.interval_s = t->interval_s,
                                                .grid = b->has_end ? SERIES_FROM_FIRST : SERIES_UNIX};
    struct series_file file;
    if (series_file_read(b->series, &options, &file, err) < 0)
        return -1;
    int result = 0;
    uint32_t n = MIN(file.n, t->slots);
    if (file.negative)
        result = error_set(err, ERROR_PARSE, "%s:%llu: demand can't be negative", b->series,
                           (unsigned long long)file.negative_line);
    else if (file.filled == 0)
        result = error_set(err, ERROR_PARSE, "%s: no row has a value", b->series);
    take_values(ret, file.value + (file.n - n), n);
    int64_t file_end_s = series_file_time_us(&file, file.n) / USEC_PER_SEC;
    ret->start_s = (b->has_end ? grid_floor(end_s(c, b), t->interval_s) : file_end_s) - (int64_t)n * t->interval_s;
    series_file_done(&file);
    return result == 0 ? refuse_forgotten(c, b, t, ret, err) : result;
}

static int from_prometheus(struct cluster *c, const struct backfilling *b, const struct target *t, struct samples *ret,
                           struct error *err)
{
    struct prometheus_range range = {
        .url = b->prometheus, .query = b->query, .token_file = b->token_file, .interval_s = t->interval_s};
    range.step_s = b->step_s ? b->step_s : t->interval_s;
    range.n = (uint32_t)MAX(1, MIN(b->range_s / t->interval_s, (int64_t)t->slots));
    range.start_s = grid_floor(end_s(c, b), t->interval_s) - (int64_t)range.n * t->interval_s;
    if (range.step_s > t->interval_s)
        return error_set(err, ERROR_CONFIG, "--step must not be longer than a sample, which is %u s", t->interval_s);
    double *values = xcalloc(range.n, sizeof *values);
    int filled = prometheus_fetch(c, &range, values, err), result = filled < 0 ? -1 : 0;
    if (filled == 0)
        result = error_set(err, ERROR_CONFIG, "the query gives nothing in the last %lld s; try it in Prometheus first",
                           (long long)range.n * range.interval_s);
    for (uint32_t i = 0; result == 0 && i < range.n; i++)
        if (values[i] < 0)
            result = error_set(err, ERROR_CONFIG, "the query gives negative values; demand can't be negative");
    ret->start_s = range.start_s;
    take_values(ret, values, range.n);
    free(values);
    return result;
}

/* ---- the object ---- */

static void compose(const struct cluster *c, const struct backfilling *b, const struct target *t,
                    const struct samples *s, struct buf *out)
{
    struct pa_checkpoint *object = xcalloc(1, sizeof *object);
    const struct pa_checkpoint_owner owner = {
        .api_version = PA_API_VERSION, .kind = PA_KIND, .name = t->meta.name, .uid = t->meta.uid};
    object->part = PA_PART_BACKFILL;
    object->time_us = cluster_now_us(c);
    object->has_backfill = true;
    object->backfill.start_us = s->start_s * USEC_PER_SEC;
    object->backfill.interval_s = (int32_t)t->interval_s;
    (void)str_copy(object->backfill.metric, sizeof object->backfill.metric, b->metric);
    (void)str_copy(object->autoscaler.name, sizeof object->autoscaler.name, t->meta.name);
    (void)str_copy(object->autoscaler.uid, sizeof object->autoscaler.uid, t->meta.uid);
    pa_backfill_put(object, s->values, s->n);
    pa_checkpoint_body(object, c->namespace_, &owner, out);
    pa_checkpoint_done(object);
    free(object);
}

/* Deleted and made anew, not changed: for the operator another UID is another backfill. */
static int replace(struct cluster *c, const char *autoscaler, const struct buf *body, struct buf *answer,
                   struct error *err)
{
    char name[PA_CHECKPOINT_NAME_CAP];
    struct buf one = BUF_INIT(4096), all = BUF_INIT(4096);
    int code = 0, result = -1;
    pa_checkpoint_name(name, autoscaler, PA_PART_BACKFILL);
    resource_path(&one, &resource_checkpoints, c->namespace_, name, NULL);
    resource_path(&all, &resource_checkpoints, c->namespace_, NULL, NULL);
    for (int tries = 0; tries < 3 && result < 0; tries++) {
        result = cluster_ask(c, KUBE_POST, buf_str(&all), body, answer, &code, err);
        if (result == 0 || code != 409)
            break;
        if (cluster_ask(c, KUBE_DELETE, buf_str(&one), NULL, NULL, &code, err) < 0 && code != 404)
            break;
    }
    buf_done(&one);
    buf_done(&all);
    return result < 0 ? error_wrap(err, "creating %s", name) : 0;
}

static int created_uid(const struct buf *answer, struct object_meta *ret, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(buf_str(answer), answer->len, err);
    return root ? object_meta_decode(root, ret, err) : -1;
}

static void tell(const struct cluster *c, const struct backfilling *b, const struct target *t, const struct samples *s,
                 const struct backfill_outcome *outcome)
{
    char start[RFC3339_CAP], end[RFC3339_CAP];
    struct buf text = BUF_INIT(16384);
    rfc3339_format(start, s->start_s * USEC_PER_SEC);
    rfc3339_format(end, (s->start_s + (int64_t)s->n * t->interval_s) * USEC_PER_SEC);
    if (b->cluster.json) {
        struct json_emit j = json_emit(&text);
        json_open(&j, NULL, '{');
        json_emit_str(&j, "namespace", c->namespace_);
        json_emit_str(&j, "name", b->name);
        json_emit_str(&j, "metric", b->metric);
        json_emit_str(&j, "start", start);
        json_emit_str(&j, "end", end);
        json_emit_int(&j, "intervalSeconds", t->interval_s);
        json_emit_int(&j, "samples", s->filled);
        json_emit_str(&j, "outcome", backfill_outcome_name(outcome->kind));
        json_emit_str(&j, "message", outcome->note);
        json_close(&j, '}');
        (void)buf_putc(&text, '\n');
    } else {
        (void)buf_printf(&text, "%u samples of %s from %s to %s, %u s each\n%s\n", s->filled, b->metric, start, end,
                         t->interval_s, outcome->note);
    }
    output_text(&text);
    buf_done(&text);
}

static int backfill(struct cluster *c, const struct backfilling *b, struct error *err)
{
    struct target target = {0};
    struct object_meta object = {0};
    struct samples *samples = xcalloc(1, sizeof *samples);
    struct buf body = BUF_INIT((size_t)1 << 20), answer = BUF_INIT((size_t)1 << 20);
    struct backfill_outcome outcome = {.kind = BACKFILL_LEFT};
    int status = STATUS_FAILED, result = read_target(c, b, &target, err);
    if (result == 0) {
        result = b->series ? from_file(c, b, &target, samples, err) : from_prometheus(c, b, &target, samples, err);
        status = result < 0 && b->series && err->kind != ERROR_IO ? STATUS_USAGE : STATUS_FAILED;
    }
    if (result == 0) {
        status = STATUS_FAILED;
        compose(c, b, &target, samples, &body);
        result = replace(c, target.meta.name, &body, &answer, err);
    }
    if (result == 0)
        result = created_uid(&answer, &object, err);
    if (result == 0)
        result = backfill_wait(c, &target.meta, &object, b->wait ? b->timeout_s : 0, &outcome, err);
    if (result == 0) {
        tell(c, b, &target, samples, &outcome);
        status = outcome.kind == BACKFILL_REJECTED || outcome.kind == BACKFILL_WAITING ? STATUS_FAILED : STATUS_OK;
    } else {
        (void)output_failed(err);
    }
    object_meta_done(&target.meta);
    object_meta_done(&object);
    buf_done(&body);
    buf_done(&answer);
    free(samples);
    return status;
}

int command_backfill(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cluster_options_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .options = option_table, .parser = take, .args_doc = "NAME", .doc = doc, .children = children};
    struct backfilling b = {
        .metric = "cpu", .end_us = INT64_MAX, .range_s = INT64_C(7) * 86400, .wait = true, .timeout_s = 30};
    struct error err = ERROR_INIT;
    struct cluster c;
    (void)argp_parse(&parser, argc, argv, 0, NULL, &b);
    int status = cluster_open(&c, &b.cluster, &err) < 0 ? output_failed(&err) : backfill(&c, &b, &err);
    cluster_close(&c);
    return status;
}
