/* ai4k8s-operator: options, wiring, run. Nothing else. */
#include "options.h"

#include "api/config.h"
#include "base/alloc.h"
#include "reconcile/operator.h"

#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

DEFINE_CLEANUP(struct operator*, operator_free);
DEFINE_CLEANUP(struct loop *, loop_free);
DEFINE_CLEANUP(struct log *, log_free);
DEFINE_CLEANUP(struct kube_config *, kube_config_free);

static void on_terminate(void *data, int signo UNUSED)
{
    operator_stop(data);
}

/* Exit statuses of the program; options.h has those of its options. */
enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

static int failed(const struct error *err)
{
    (void)fprintf(stderr, "ai4k8s-operator: %s\n", error_text(err));
    return STATUS_FAILED;
}

/* What we were given is wrong: starting again is in vain before someone has mended it. */
static int refused(const struct error *err)
{
    (void)failed(err);
    return STATUS_USAGE;
}

/* Credentials are in memory: no core dumps, no attaching by others. The limit alone would not do, a program that the
 * kernel pipes dumps to gets them in spite of it; it is what people look at. */
static void protect_memory(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    struct rlimit core;
    if (getrlimit(RLIMIT_CORE, &core) == 0) {
        core.rlim_cur = 0;
        (void)setrlimit(RLIMIT_CORE, &core);
    }
}

/* One thread allocates, libcurl's resolvers hardly: one arena. What a large list took goes back to the kernel, and a
 * block of some size is a mapping of its own, so that it leaves no hole among what stays. */
static void configure_allocator(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

int main(int argc, char **argv)
{
    struct options options;
    struct error err = ERROR_INIT;
    options_parse(argc, argv, &options);
    protect_memory();
    configure_allocator();
    (void)signal(SIGPIPE, SIG_IGN);

    static const enum log_level levels[] = {LOG_INFO, LOG_DEBUG, LOG_TRACE};
    const struct log_config log_config = {
        .fd = STDERR_FILENO, .format = options.log_format, .level = levels[options.verbosity], .clock = &clock_system};
    _cleanup_(log_freep) struct log *log = log_new(&log_config);
    _cleanup_(loop_freep) struct loop *loop = loop_new(&clock_system, &err);
    if (!loop)
        return failed(&err);

    struct operator_options wanted = {
        .namespaces = options.n_namespaces ? options.namespaces : NULL,
        .leader_elect = options.leader_elect,
        .leader_elect_namespace = options.leader_elect_namespace,
        .probe_address = options.probe_address,
        .metrics_address = options.metrics_address,
        .grace_us = 30 * USEC_PER_SEC,
    };
    if (operator_config_load(options.config, &wanted.config, &err) < 0)
        return refused(&err);
    const struct kube_environment env = kube_environment();
    _cleanup_(kube_config_freep) struct kube_config *kube = NULL;
    if (kube_config_load(&env, options.kubeconfig, options.context, &kube, &err) < 0)
        return refused(&err);
    wanted.kube = kube;

    _cleanup_(operator_freep) struct operator* op = operator_new(loop, log, &wanted, &err);
    if (!op && (err.kind == ERROR_CONFIG || err.kind == ERROR_TLS))
        return refused(&err);
    if (!op || loop_on_signal(loop, SIGTERM, on_terminate, op, &err) < 0 ||
        loop_on_signal(loop, SIGINT, on_terminate, op, &err) < 0)
        return failed(&err);
    operator_start(op);
    int status = loop_run(loop, &err);
    return status < 0 ? failed(&err) : status;
}
