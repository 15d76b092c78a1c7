/* Command line of the operator, by glibc's argp. */
#include "options.h"

#include "base/str.h"

#include <argp.h>
#include <stdlib.h>

enum {
    KEY_KUBECONFIG = 256,
    KEY_CONTEXT,
    KEY_NAMESPACE,
    KEY_CONFIG,
    KEY_LEADER_ELECT,
    KEY_LEADER_NAMESPACE,
    KEY_PROBES,
    KEY_METRICS,
    KEY_LOG_FORMAT
};

static const struct argp_option option_table[] = {
    {"kubeconfig", KEY_KUBECONFIG, "FILE", 0,
     "How to reach the API server (else $KUBECONFIG, else the pod's service account)", 1},
    {"context", KEY_CONTEXT, "NAME", 0, "Context of the kubeconfig (else its current one)", 1},
    {"namespace", KEY_NAMESPACE, "NS", 0, "Look after this namespace only; may be given several times (default: all)",
     1},
    {"config", KEY_CONFIG, "FILE", 0, "Operator configuration (YAML); an unknown key is an error", 1},
    {"leader-elect", KEY_LEADER_ELECT, "BOOL", OPTION_ARG_OPTIONAL,
     "Act only while holding the Lease (default true); false is for one process only", 2},
    {"leader-elect-namespace", KEY_LEADER_NAMESPACE, "NS", 0,
     "Where the Lease is (default: the namespace of the credentials)", 2},
    {"health-probe-bind-address", KEY_PROBES, "ADDR", 0, "/livez and /readyz (default :8081; 0: off)", 3},
    {"metrics-bind-address", KEY_METRICS, "ADDR", 0, "/metrics (default 127.0.0.1:8080; 0: off)", 3},
    {"log-format", KEY_LOG_FORMAT, "text|json", 0, "Form of the log on standard error (default text)", 4},
    {"verbose", 'v', "N", 0,
     "0: errors, warnings and events of the operator; 1: what it does; 2: each request (default 0)", 4},
    {0},
};

static const char doc[] = "Scales workloads before their load arrives: looks after PredictiveAutoscaler "
                          "objects and annotated workloads.\v"
                          "Examples:\n"
                          "  ai4k8s-operator --kubeconfig ~/.kube/config --leader-elect=false\n"
                          "  ai4k8s-operator --namespace shop --namespace billing --log-format json\n\n"
                          "SIGTERM saves the history, gives the lease back and ends with status 0.\n\n"
                          "Exit status: 0 done; 1 failure, such as a lost lease or a port in use; 2 wrong usage: an "
                          "option, or a file that one names, has to be mended first.";

static void check_namespace(struct argp_state *state, const char *option, const char *text)
{
    if (!str_is_dns_label(text))
        argp_error(state, "--%s: \"%s\" is no name of a namespace", option, text);
}

static error_t take_bool(struct argp_state *state, const char *text, bool *ret)
{
    *ret = !text || streq(text, "true");
    if (text && !*ret && !streq(text, "false"))
        argp_error(state, "--leader-elect takes true or false, not \"%s\"", text);
    return 0;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    int64_t number;
    switch (key) {
    case KEY_KUBECONFIG:
        o->kubeconfig = arg;
        return 0;
    case KEY_CONTEXT:
        o->context = arg;
        return 0;
    case KEY_NAMESPACE:
        check_namespace(state, "namespace", arg);
        for (size_t i = 0; i < o->n_namespaces; i++)
            if (streq(o->namespaces[i], arg))
                return 0;
        if (o->n_namespaces == OPTIONS_MAX_NAMESPACES)
            argp_error(state, "--namespace may be given %d times; leave it out to look after all",
                       OPTIONS_MAX_NAMESPACES);
        o->namespaces[o->n_namespaces++] = arg;
        return 0;
    case KEY_CONFIG:
        o->config = arg;
        return 0;
    case KEY_LEADER_ELECT:
        return take_bool(state, arg, &o->leader_elect);
    case KEY_LEADER_NAMESPACE:
        check_namespace(state, "leader-elect-namespace", arg);
        o->leader_elect_namespace = arg;
        return 0;
    case KEY_PROBES:
        o->probe_address = arg;
        return 0;
    case KEY_METRICS:
        o->metrics_address = arg;
        return 0;
    case KEY_LOG_FORMAT:
        if (!streq(arg, "text") && !streq(arg, "json"))
            argp_error(state, "--log-format is text or json, not \"%s\"", arg);
        o->log_format = streq(arg, "json") ? LOG_JSON : LOG_TEXT;
        return 0;
    case 'v':
        if (!str_to_i64(arg, &number) || number < 0 || number > 2)
            argp_error(state, "-v takes 0, 1 or 2, not \"%s\"", arg);
        o->verbosity = (int)number;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "no argument is expected, but there is \"%s\"", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_version(FILE *stream, struct argp_state *state UNUSED)
{
    (void)fprintf(stream, "ai4k8s-operator %s\n", AI4K8S_VERSION);
}

void options_parse(int argc, char **argv, struct options *ret)
{
    static const struct argp parser = {.options = option_table, .parser = take, .doc = doc};
    *ret = (struct options){
        .leader_elect = true, .probe_address = ":8081", .metrics_address = "127.0.0.1:8080", .log_format = LOG_TEXT};
    argp_program_version_hook = print_version;
    argp_err_exit_status = 2;
    (void)argp_parse(&parser, argc, argv, 0, NULL, ret);
}
