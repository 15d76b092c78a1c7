/* kubectl-ai4k8s decide: what the operator would decide, observation by observation. */
#include "command.h"
#include "output.h"
#include "pod_request.h"
#include "spec_file.h"

#include "lab/decide.h"

#include <stdio.h>

static const char doc[] =
    "Decides as the operator would: reads one observation per line from standard input and answers each with one line, "
    "at "
    "once. Its answers are taken as applied, the next observation says what came of it.\v"
    "Observation, one line:\n"
    "  {\"time\":\"2024-05-01T00:00:00Z\",\"replicas\":4,\"readyReplicas\":4,\n"
    "   \"metrics\":{\"cpu\":1.25}}\n"
    "  metrics are totals over all pods, by their names in the spec; null or absent\n"
    "  is no data. Optional: \"error\":[\"cpu\"] (its query failed),\n"
    "  \"podRequest\":{\"cpu\":0.5}, \"warmup\":true (history, not answered).\n\n"
    "Answer, one line:\n"
    "  {\"replicas\":5,\"proposals\":{\"reactive\":4,\"predicted\":5,\"scheduled\":null,\n"
    "   \"advisor\":null},\"reason\":\"ForecastAboveCapacity\",\"limits\":[]}\n"
    "  or {\"error\":\"line 7: ...\"} for a line that is not understood; it changes\n"
    "  nothing. docs/decisions.md has all reasons and limits.\n\n"
    "Examples:\n"
    "  kubectl-ai4k8s decide --spec pa.yaml --pod-request cpu=500m \\\n"
    "      < observations.jsonl\n"
    "  my-simulator | kubectl-ai4k8s decide --spec pa.yaml > answers.jsonl\n";

enum { KEY_SPEC = 300, KEY_POD_REQUEST };

static const struct argp_option option_table[] = {
    {"spec", KEY_SPEC, "FILE", 0, "The manifest of a PredictiveAutoscaler", 1},
    {"pod-request", KEY_POD_REQUEST, "RESOURCE=QUANTITY", 0,
     "What a pod requests, such as cpu=500m or cpu=500m,memory=1Gi; needed for Utilization targets, unless the lines "
     "say it",
     1},
    {0},
};

struct deciding {
    const char *spec;
    struct pod_request request;
};

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct deciding *d = state->input;
    switch (key) {
    case KEY_SPEC:
        d->spec = arg;
        return 0;
    case KEY_POD_REQUEST:
        pod_request_take(state, arg, &d->request);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is too much: observations come from standard input", arg);
        return 0;
    case ARGP_KEY_END:
        if (!d->spec)
            argp_error(state, "--spec FILE is missing: what is to be decided?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The next line without its end. False at the end of the input. `*ret_long`: there was more of it than is kept. */
static bool next_line(struct buf *line, bool *ret_long)
{
    int c;
    bool any = false;
    buf_clear(line);
    *ret_long = false;
    while ((c = getc(stdin)) != EOF) {
        any = true;
        if (c == '\n')
            break;
        if (!*ret_long)
            *ret_long = buf_putc(line, (char)c) < 0;
    }
    return any;
}

static int converse(struct decide *d)
{
    struct buf line = BUF_INIT(DECIDE_LINE_BYTES), out = BUF_INIT(DECIDE_LINE_BYTES);
    struct error err = ERROR_INIT;
    int result = 0;
    bool is_long, taken = true;
    for (uint64_t number = 1; result == 0 && taken && next_line(&line, &is_long); number++) {
        buf_clear(&out);
        if (is_long)
            decide_refuse_long(number, &out);
        else
            result = decide_line(d, number, buf_str(&line), line.len, &out, &err);
        output_text(&out);
        taken = output_flush();
    }
    buf_done(&line);
    buf_done(&out);
    if (result < 0)
        return output_bad_input(&err);
    if (ferror(stdin)) {
        (void)error_set(&err, ERROR_IO, "reading standard input failed");
        return output_failed(&err);
    }
    return STATUS_OK;
}

int command_decide(int argc, char **argv)
{
    static const struct argp parser = {.options = option_table, .parser = take, .args_doc = "--spec FILE", .doc = doc};
    struct deciding o = {.request = POD_REQUEST_NONE};
    struct spec_file spec;
    struct error err = ERROR_INIT;
    (void)argp_parse(&parser, argc, argv, 0, NULL, &o);
    if (spec_file_load(o.spec, &spec, &err) < 0)
        return output_bad_input(&err);
    struct decide *d = decide_new(&spec.file.pa, &spec.core, &o.request);
    int status = converse(d);
    decide_free(d);
    spec_file_done(&spec);
    return status;
}
