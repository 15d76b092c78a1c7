/* The operator as a whole: builds every part in order, owns them, takes them down in reverse.
 *
 * Life: caches fill (standby and leader alike) -> the lease is ours -> checkpoints are read as autoscalers
 * are first looked at, their windows are seeded with the live counts -> syncs. On SIGTERM: not ready, no new
 * sync, checkpoints (at most half the grace period), lease released, exit 0. A lost lease ends the process at
 * once with status 1 and no write.
 */
#ifndef RECONCILE_OPERATOR_H
#define RECONCILE_OPERATOR_H

#include "api/config.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "kube/config.h"

struct operator_options {
    const struct kube_config *kube; /* borrowed for operator_new() */
    const char *const *namespaces;  /* NULL: all; else NULL-terminated; borrowed for the operator's life */
    struct operator_config config;  /* --config, defaults applied */
    bool leader_elect;
    const char *leader_elect_namespace;          /* NULL: the configuration's namespace */
    const char *identity;                        /* NULL: host name and a random part */
    const char *probe_address, *metrics_address; /* "0": not served */
    int64_t grace_us;                            /* 30 s */
};

struct operator;

struct operator*
    operator_new(struct loop *loop, struct log *log, const struct operator_options *options, struct error *err);
struct operator* operator_free(struct operator* o);
void operator_start(struct operator* o);
/* SIGTERM: ends the loop with exit code 0 when all is tidy, at most the grace period later. Once. */
void operator_stop(struct operator* o);
/* Ports in use (when asked for port 0). 0: not served. */
int operator_probe_port(const struct operator* o);
int operator_metrics_port(const struct operator* o);

#endif
