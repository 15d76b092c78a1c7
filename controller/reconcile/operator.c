/* Composition, readiness and the end of life of the operator; see operator.h. */
#include "reconcile/operator.h"

#include "base/alloc.h"
#include "base/http.h"
#include "base/rng.h"
#include "base/str.h"
#include "kube/client.h"
#include "kube/leader.h"
#include "kube/recorder.h"
#include "reconcile/advisor_service.h"
#include "reconcile/reconciler.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASE_NAME       "ai4k8s-operator"
#define FAREWELL_US      (2 * USEC_PER_SEC)
#define FAREWELL_LOOK_US (USEC_PER_SEC / 20)

struct operator
{
    struct loop *loop;
    struct log *log;
    struct metrics *metrics;
    struct rng rng;
    struct http *http;
    struct kube_client *client;
    struct recorder *recorder;
    struct advisor_service *advisor;
    struct reconciler *reconciler;
    struct leader *leader; /* NULL: --leader-elect=false */
    struct httpd *probes, *exposition;
    struct operator_config config;
    char *identity;
    int64_t grace_us;
    bool stopping;
    struct loop_timer readiness, deadline, farewell;
    int64_t farewell_until_us;
};

/* ---- probes ---- */

static void livez(void *data, const struct httpd_request *request UNUSED, struct httpd_response *response)
{
    const struct operator* o = data;
    if (o->leader && !leader_healthy(o->leader)) {
        response->status = 503;
        (void)buf_puts(&response->body, "the lease has not been renewed for too long\n");
        return;
    }
    (void)buf_puts(&response->body, "ok\n");
}

static void readyz(void *data, const struct httpd_request *request UNUSED, struct httpd_response *response)
{
    const struct operator* o = data;
    if (o->stopping)
        (void)buf_puts(&response->body, "shutting down\n");
    else
        reconciler_unsynced(o->reconciler, &response->body);
    if (response->body.len > 0)
        response->status = 503;
    else
        (void)buf_puts(&response->body, "ok\n");
}

static void expose(void *data, const struct httpd_request *request, struct httpd_response *response)
{
    static const char open_metrics[] = "application/openmetrics-text";
    const struct operator* o = data;
    bool wants_open = strstr(request->accept, open_metrics) != NULL;
    response->content_type = wants_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                        : "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(o->metrics, &response->body, wants_open);
    if (response->body.failed) { /* rather nothing than a part */
        buf_clear(&response->body);
        response->status = 500;
    }
}

/* Tells a service manager, once, that the caches are filled. */
static void look_at_readiness(void *data)
{
    struct operator* o = data;
    if (!reconciler_synced(o->reconciler)) {
        loop_timer_arm(&o->readiness, USEC_PER_SEC / 2);
        return;
    }
    log_info(o->log, "caches are synced");
    loop_notify(o->loop, "READY=1");
}

/* ---- leadership ---- */

static void on_started(void *data)
{
    struct operator* o = data;
    log_info(o->log, "leading", LOG_S("identity", o->identity));
    reconciler_lead(o->reconciler);
}

/* Another process may write from now on: nothing tidy is left to do. */
static void on_lost(void *data)
{
    struct operator* o = data;
    log_error(o->log, "the lease is lost: ending at once, the new leader goes on");
    loop_exit(o->loop, 1);
}

static bool may_write(void *data)
{
    return leader_may_write(data);
}

static char *make_identity(const char *wanted, struct rng *rng)
{
    char host[128] = "";
    if (wanted)
        return xstrdup(wanted);
    if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
        (void)snprintf(host, sizeof(host), "operator");
    return xasprintf("%s_%016llx", host, (unsigned long long)rng_next(rng));
}

static int make_leader(struct operator* o, const struct operator_options *options, struct error *err)
{
    const struct leader_config config = {
        .namespace_ =
            options->leader_elect_namespace ? options->leader_elect_namespace : kube_client_namespace(o->client),
        .name = LEASE_NAME,
        .identity = o->identity,
        .on_started = on_started,
        .on_lost = on_lost,
        .data = o,
    };
    o->leader = leader_new(o->client, &config, log_with(o->log, "leader"), o->metrics, &o->rng, err);
    if (!o->leader)
        return -1;
    kube_client_set_fence(o->client, may_write, o->leader);
    return 0;
}

static void on_deadline(void *data)
{
    struct operator* o = data;
    log_warn(o->log, "the grace period is over: ending with work undone");
    loop_exit(o->loop, 0);
}

static void give_lease_back(void *data);

/* ---- composition ---- */

static struct httpd *serve(struct operator* o, const char *address, struct error *err, bool *failed)
{
    if (streq(address, "0"))
        return NULL;
    struct httpd *h = httpd_new(o->loop, address, err);
    *failed |= h == NULL;
    return h;
}

static int make_servers(struct operator* o, const struct operator_options *options, struct error *err)
{
    bool failed = false;
    o->probes = serve(o, options->probe_address, err, &failed);
    if (failed)
        return error_wrap(err, "--health-probe-bind-address %s", options->probe_address);
    o->exposition = serve(o, options->metrics_address, err, &failed);
    if (failed)
        return error_wrap(err, "--metrics-bind-address %s", options->metrics_address);
    if (o->probes) {
        httpd_handle(o->probes, "/livez", livez, o);
        httpd_handle(o->probes, "/healthz", livez, o);
        httpd_handle(o->probes, "/readyz", readyz, o);
    }
    if (o->exposition)
        httpd_handle(o->exposition, "/metrics", expose, o);
    return 0;
}

static int make_client(struct operator* o, const struct operator_options *options, struct error *err)
{
    static const char user_agent[] = "ai4k8s-operator/" AI4K8S_VERSION " (linux)";
    const struct http_config http_config = {.user_agent = user_agent, .proxy = options->kube->proxy_url};
    o->http = http_new(o->loop, &http_config, err);
    if (!o->http)
        return -1;
    const struct kube_client_options client_options = {
        .user_agent = user_agent,
        .field_manager = "ai4k8s",
        .log = log_with(o->log, "client"),
        .metrics = o->metrics,
        .rng = &o->rng,
        .qps = o->config.api_qps,
        .burst = o->config.api_burst,
    };
    o->client = kube_client_new(o->loop, o->http, options->kube, &client_options, err);
    return o->client ? 0 : -1;
}

static void register_build_info(struct metrics *m)
{
    struct metrics_family *info =
        metrics_family(m, METRICS_GAUGE, "ai4k8s_build_info", "Version of this program; always 1.", "version", NULL, 0);
    metrics_set(metrics_get(info, AI4K8S_VERSION, NULL), 1);
}

struct operator*
    operator_new(struct loop *loop, struct log *log, const struct operator_options *options, struct error *err)
{
    struct operator* o = xcalloc(1, sizeof(*o));
    *o = (struct operator){.loop = loop, .log = log, .config = options->config, .grace_us = options->grace_us};
    o->metrics = metrics_new();
    metrics_process(o->metrics);
    loop_metrics(loop, o->metrics);
    register_build_info(o->metrics);
    rng_seed_random(&o->rng);
    o->identity = make_identity(options->identity, &o->rng);
    loop_timer_init(&o->readiness, loop, LOOP_NORMAL, look_at_readiness, o);
    loop_timer_init(&o->deadline, loop, LOOP_NORMAL, on_deadline, o);
    loop_timer_init(&o->farewell, loop, LOOP_NORMAL, give_lease_back, o);
    if (make_client(o, options, err) < 0 || (options->leader_elect && make_leader(o, options, err) < 0) ||
        make_servers(o, options, err) < 0)
        return operator_free(o);
    o->advisor = advisor_service_new(o->client, &o->config, log, o->metrics, &o->rng, err);
    if (!o->advisor)
        return operator_free(o);
    o->recorder = recorder_new(o->client, "ai4k8s.io/operator", o->identity, log_with(log, "events"), &o->rng);
    const struct reconciler_config config = {.namespaces = options->namespaces,
                                             .config = &o->config,
                                             .recorder = o->recorder,
                                             .advisor = advisor_service_advisor(o->advisor)};
    o->reconciler = reconciler_new(o->client, &config, log_with(log, "reconciler"), o->metrics, &o->rng);
    return o;
}

struct operator* operator_free(struct operator* o)
{
    if (!o)
        return NULL;
    loop_timer_disarm(&o->readiness);
    loop_timer_disarm(&o->deadline);
    loop_timer_disarm(&o->farewell);
    httpd_free(o->probes);
    httpd_free(o->exposition);
    reconciler_free(o->reconciler);
    advisor_service_free(o->advisor);
    recorder_free(o->recorder);
    if (o->client)
        kube_client_set_fence(o->client, NULL, NULL);
    leader_free(o->leader);
    kube_client_free(o->client);
    http_free(o->http);
    metrics_free(o->metrics);
    free(o->identity);
    free(o);
    return NULL;
}

void operator_start(struct operator* o)
{
    log_info(o->log, "starting", LOG_S("version", AI4K8S_VERSION), LOG_S("server", kube_client_server(o->client)),
             LOG_S("identity", o->identity), LOG_I("probePort", operator_probe_port(o)),
             LOG_I("metricsPort", operator_metrics_port(o)));
    loop_watchdog(o->loop);
    advisor_service_start(o->advisor);
    reconciler_start(o->reconciler);
    loop_timer_arm(&o->readiness, 0);
    if (o->leader)
        leader_start(o->leader);
    else
        on_started(o);
}

/* ---- the end ---- */

static void on_released(void *data)
{
    struct operator* o = data;
    log_info(o->log, "stopped");
    loop_exit(o->loop, 0);
}

/* Events pass the fence like any write: the last ones go before the lease does. */
static void give_lease_back(void *data)
{
    struct operator* o = data;
    if (recorder_pending(o->recorder) > 0 && loop_now_us(o->loop) < o->farewell_until_us) {
        loop_timer_arm(&o->farewell, FAREWELL_LOOK_US);
        return;
    }
    if (o->leader && leader_is_leader(o->leader))
        leader_release(o->leader, on_released, o);
    else
        on_released(o);
}

static void last_events(void *data)
{
    struct operator* o = data;
    recorder_flush(o->recorder);
    o->farewell_until_us = loop_now_us(o->loop) + FAREWELL_US;
    give_lease_back(o);
}

void operator_stop(struct operator* o)
{
    if (o->stopping)
        return;
    o->stopping = true;
    log_info(o->log, "stopping: no new sync, saving checkpoints, then giving the lease back");
    loop_notify(o->loop, "STOPPING=1");
    loop_timer_disarm(&o->readiness);
    loop_timer_arm(&o->deadline, o->grace_us - 2 * USEC_PER_SEC);
    reconciler_stop(o->reconciler, o->grace_us / 2, last_events, o);
}

int operator_probe_port(const struct operator* o)
{
    return o->probes ? httpd_port(o->probes) : 0;
}

int operator_metrics_port(const struct operator* o)
{
    return o->exposition ? httpd_port(o->exposition) : 0;
}
