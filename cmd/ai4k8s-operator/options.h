/* The operator's command line: parsed into a value, checked, nothing else. */
#ifndef OPERATOR_OPTIONS_H
#define OPERATOR_OPTIONS_H

#include "base/base.h"
#include "base/log.h"

#define OPTIONS_MAX_NAMESPACES 64

struct options {
    const char *kubeconfig, *context, *config;
    const char *namespaces[OPTIONS_MAX_NAMESPACES + 1]; /* NULL-terminated; none: all */
    unsigned n_namespaces;
    bool leader_elect;
    const char *leader_elect_namespace;
    const char *probe_address, *metrics_address;
    enum log_format log_format;
    int verbosity;
};

/* Strings point into argv. Usage errors, --help and --version end the process (status 2 and 0), as argp does. */
void options_parse(int argc, char **argv, struct options *ret);

#endif
