/* Keys, alerts and the life of the advisor; see advisor_service.h. */
#include "reconcile/advisor_service.h"

#include <stdlib.h>
#include <string.h>

#include "advisor/alerts.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "kube/json.h"

#define KEYS_US    (60 * USEC_PER_SEC)
#define HEALTH_US  (5 * USEC_PER_SEC)
#define MAX_KEY    4096
#define MAX_SECRET (2 << 20) /* an object is at most 1.5 MiB */

static const char user_agent[] = "ai4k8s-operator/" AI4K8S_VERSION;

/* Where one provider's key comes from. */
struct key_source {
    struct advisor_service *s;
    const struct advisor_provider_config *provider;
    int64_t request;
    bool failed; /* told in the log */
};

struct advisor_service {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    struct http *http; /* of its own: no connection of the API server's is shared with a provider */
    struct advisor *advisor;
    struct alerts *alerts;
    struct key_source keys[CONFIG_MAX_PROVIDERS];
    size_t n_keys;
    struct loop_timer read, watch;
    struct loop_meter meter;
};

/* ---- keys ---- */

static void key_unreadable(struct key_source *k, const struct error *err)
{
    if (!k->failed)
        log_error(k->s->log, "the key of an advisor provider can't be read", LOG_S("provider", k->provider->name),
                  LOG_ERR(err));
    k->failed = true;
}

static void take_key(struct key_source *k, char *key)
{
    struct error err = ERROR_INIT;
    key[strcspn(key, "\r\n")] = '\0';
    if (advisor_set_key(k->s->advisor, k->provider->name, key, &err) < 0)
        key_unreadable(k, &err);
    else
        k->failed = false;
}

static void read_file(struct key_source *k)
{
    struct error err = ERROR_INIT;
    _secret_cleanup_ char *key = NULL;
    size_t len;
    if (file_read(k->provider->key_file, MAX_KEY, &key, &len, &err) < 0)
        key_unreadable(k, &err);
    else
        take_key(k, key);
}

static void on_secret(void *data, const struct kube_response *response, const struct error *err)
{
    struct key_source *k = data;
    const struct secret_ref *ref = &k->provider->key_secret;
    struct error problem = err ? *err : ERROR_INIT;
    k->request = 0;
    _json_cleanup_ json_t *root = NULL;
    if (!err) /* the parser's own message may quote the Secret */
        root = json_parse(response->body, response->body_len, NULL);
    if (!root) {
        if (!err)
            error_set(&problem, ERROR_PARSE, "the answer is no JSON");
        error_wrap(&problem, "Secret %s", ref->name);
        key_unreadable(k, &problem);
        return;
    }
    const json_t *value = json_object_get(json_object_get(root, "data"), ref->key);
    _cleanup_(buf_done) struct buf key = BUF_INIT(MAX_KEY);
    if (!json_is_string(value) || str_base64_decode(&key, json_string_value(value), json_string_length(value)) < 0 ||
        key.len == 0 || buf_putc(&key, '\0') < 0) {
        error_set(&problem, ERROR_CONFIG, "Secret %s has no usable key %s", ref->name, ref->key);
        key_unreadable(k, &problem);
        return;
    }
    take_key(k, key.data);
    explicit_bzero(key.data, key.len);
}

static void read_secret(struct key_source *k)
{
    if (k->request != 0)
        return;
    _cleanup_(buf_done) struct buf path = BUF_INIT(2048);
    (void)buf_printf(&path, "/api/v1/namespaces/%s/secrets/%s", kube_client_namespace(k->s->client),
                     k->provider->key_secret.name);
    k->request = kube_client_start(
        k->s->client,
        &(struct kube_request){
            .verb = KUBE_GET, .path = buf_str(&path), .max_body = MAX_SECRET, .done = on_secret, .data = k});
}

static void read_keys(void *data)
{
    struct advisor_service *s = data;
    LOOP_METERED(&s->meter);
    for (size_t i = 0; i < s->n_keys; i++) {
        if (s->keys[i].provider->has_key_secret)
            read_secret(&s->keys[i]);
        else
            read_file(&s->keys[i]);
    }
    loop_timer_arm(&s->read, KEYS_US);
}

/* ---- alerts ---- */

static void watch(void *data)
{
    struct advisor_service *s = data;
    LOOP_METERED(&s->meter);
    struct advisor_health health[CONFIG_MAX_PROVIDERS];
    alerts_watch(s->alerts, health, advisor_health(s->advisor, health, ARRAY_SIZE(health)));
    loop_timer_arm(&s->watch, HEALTH_US);
}

/* ---- life ---- */

struct advisor_service *advisor_service_new(struct kube_client *client, const struct operator_config *config,
                                            struct log *log, struct metrics *metrics, struct rng *rng,
                                            struct error *err)
{
    struct advisor_service *s = xcalloc(1, sizeof(*s));
    *s = (struct advisor_service){.client = client, .loop = kube_client_loop(client), .log = log};
    loop_timer_init(&s->read, s->loop, LOOP_IDLE, read_keys, s);
    loop_timer_init(&s->watch, s->loop, LOOP_IDLE, watch, s);
    static const double seconds[] = {50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 100e-3};
    loop_meter_init(&s->meter, s->loop,
                    metrics_get(metrics_family(metrics, METRICS_HISTOGRAM, "ai4k8s_advisor_loop_cpu_seconds",
                                               "Thread CPU time of the advisor in one dispatch of the event loop.", "",
                                               seconds, ARRAY_SIZE(seconds)),
                                NULL));
    /* A call that waits for a free connection would run into its deadline without having been sent. */
    const struct http_config http = {.user_agent = user_agent,
                                     .max_host_connections = MAX(config->advisor.max_concurrent_calls, 8),
                                     .meter = &s->meter};
    s->http = http_new(s->loop, &http, err);
    const struct advisor_deps deps = {.loop = s->loop,
                                      .http = s->http,
                                      .rng = rng,
                                      .log = log,
                                      .metrics = metrics,
                                      .config = config,
                                      .meter = &s->meter};
    if (s->http)
        s->advisor = advisor_new(&deps, err);
    if (s->advisor)
        s->alerts = alerts_new(&deps, err);
    if (!s->alerts)
        return advisor_service_free(s);
    for (uint32_t i = 0; i < config->advisor.n_providers; i++) {
        const struct advisor_provider_config *p = &config->advisor.providers[i];
        if (p->has_key_secret || p->key_file[0])
            s->keys[s->n_keys++] = (struct key_source){.s = s, .provider = p};
    }
    return s;
}

struct advisor_service *advisor_service_free(struct advisor_service *s)
{
    if (!s)
        return NULL;
    loop_timer_disarm(&s->read);
    loop_timer_disarm(&s->watch);
    for (size_t i = 0; i < s->n_keys; i++)
        kube_client_cancel(s->client, s->keys[i].request);
    alerts_free(s->alerts);
    advisor_free(s->advisor);
    http_free(s->http);
    free(s);
    return NULL;
}

struct advisor *advisor_service_advisor(struct advisor_service *s)
{
    return s->advisor;
}

void advisor_service_start(struct advisor_service *s)
{
    loop_timer_arm(&s->read, 0);
    loop_timer_arm(&s->watch, HEALTH_US);
}
