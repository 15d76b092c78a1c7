/* Credentials that are replaced while we run. A new CA or certificate makes a new http_origin: requests under
 * way keep the old one, new connections are made for the new one, and the old connections drain. */
#include "kube/client_auth.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "kube/credential.h"

#include <stdlib.h>

#define TOKEN_AGE_US (50 * USEC_PER_SEC) /* a minute, with ten seconds for the request to arrive */
#define FILES_AGE_US (300 * USEC_PER_SEC)

struct client_auth {
    const struct kube_config *config;
    struct loop *loop;
    struct log *log;
    struct metrics_family *reloads; /* NULL: none */
    struct http_origin *origin;
    char *ca_pem, *cert_pem, *key_pem, *token; /* in use */
    uint64_t token_number;
    int64_t token_read_us, files_read_us;
    bool token_fails, files_fail; /* logged already */
};

static struct http_origin *make_origin(const struct kube_config *config, const char *ca, const char *cert,
                                       const char *key, const char *token, struct error *err)
{
    struct http_origin *o = http_origin_new(
        &(struct http_origin_config){
            .url = config->server,
            .ca_pem = ca,
            .client_cert_pem = cert,
            .client_key_pem = key,
            .server_name = config->server_name,
            .proxy = config->proxy_url,
            .insecure_skip_verify = config->insecure_skip_verify,
        },
        err);
    if (o && token && http_origin_set_bearer(o, token, err) < 0)
        o = http_origin_unref(o);
    return o;
}

/* Servers only answer 401 to an expired certificate, which says nothing about the cause. */
static int check_expiry(const struct kube_config *config, struct http_origin *origin, int64_t real_us, struct log *log,
                        struct error *err)
{
    int64_t expiry_s = http_origin_cert_expiry(origin);
    if (expiry_s == 0 || expiry_s > real_us / USEC_PER_SEC)
        return 0;
    char when[RFC3339_CAP];
    rfc3339_format(when, expiry_s * USEC_PER_SEC);
    if (config->token) {
        log_warn(log, "the client certificate has expired, the token alone counts", LOG_S("expired", when));
        return 0;
    }
    return error_set(err, ERROR_TLS,
                     "the client certificate%s%s expired on %s: renew it, or check this machine's clock",
                     config->cert_file ? " " : "", config->cert_file ? config->cert_file : "", when);
}

struct client_auth *client_auth_new(const struct kube_config *config, struct log *log, struct metrics *metrics,
                                    struct loop *loop, struct error *err)
{
    struct http_origin *origin =
        make_origin(config, config->ca_pem, config->cert_pem, config->key_pem, config->token, err);
    if (origin && check_expiry(config, origin, loop_real_us(loop), log, err) < 0)
        origin = http_origin_unref(origin);
    if (!origin) {
        error_wrap(err, "%s", config->source ? config->source : "configuration");
        return NULL;
    }
    struct client_auth *a = xcalloc(1, sizeof(*a));
    *a = (struct client_auth){
        .config = config,
        .loop = loop,
        .log = log,
        .origin = origin,
        .ca_pem = xstrdup0(config->ca_pem),
        .cert_pem = xstrdup0(config->cert_pem),
        .key_pem = xstrdup0(config->key_pem),
        .token = xstrdup0(config->token),
        .token_read_us = loop_now_us(loop),
        .files_read_us = loop_now_us(loop),
    };
    if (metrics)
        a->reloads =
            metrics_family(metrics, METRICS_COUNTER, "rest_client_transport_ca_reload_total",
                           "Number of times a CA reload is attempted, partitioned by the result and reason for "
                           "the reload attempt",
                           "result,reason", NULL, 0);
    return a;
}

struct client_auth *client_auth_free(struct client_auth *a)
{
    if (!a)
        return NULL;
    http_origin_unref(a->origin);
    free(a->ca_pem);
    free(a->cert_pem);
    secret_free(a->key_pem);
    secret_free(a->token);
    free(a);
    return NULL;
}

/* ---- token ---- */

/* Whether another token is in use afterwards. */
static bool read_token(struct client_auth *a)
{
    if (!a->config->token_file)
        return false;
    a->token_read_us = loop_now_us(a->loop);
    struct error err;
    char *token;
    int r = credential_read_token(a->config->token_file, &token, &err);
    bool changed = r == 0 && !streq0(token, a->token);
    if (changed)
        r = http_origin_set_bearer(a->origin, token, &err);
    if (changed && r == 0) {
        secret_free(a->token);
        a->token = token;
        a->token_number++;
        log_debug(a->log, "the token was replaced", LOG_S("file", a->config->token_file));
    } else if (changed || r == 0) {
        secret_free(token);
    }
    if (r < 0 && !a->token_fails)
        log_warn(a->log, "the token file can't be used, the last token stays", LOG_ERR(&err));
    a->token_fails = r < 0;
    return changed && r == 0;
}

uint64_t client_auth_token(const struct client_auth *a)
{
    return a->token_number;
}

bool client_auth_refused(struct client_auth *a, uint64_t token)
{
    return token != a->token_number || read_token(a);
}

/* ---- CA and client certificate ---- */

/* Reads a file where there is one: what it has (gives), or a copy of what is in use. */
static int read_again(const char *path, const char *now, char **ret, struct error *err)
{
    if (path)
        return credential_read_pem(path, ret, err);
    *ret = xstrdup0(now);
    return 0;
}

static void count_reload(struct client_auth *a, const char *result, const char *reason)
{
    if (a->reloads && a->config->ca_file)
        metrics_add(metrics_get(a->reloads, result, reason, NULL), 1);
}

/* Puts new material into use, taking it, when it makes an origin. */
static int replace(struct client_auth *a, char **ca, char **cert, char **key, struct error *err)
{
    struct http_origin *origin = make_origin(a->config, *ca, *cert, *key, a->token, err);
    if (!origin)
        return -1;
    http_origin_unref(a->origin);
    a->origin = origin;
    free(a->ca_pem);
    free(a->cert_pem);
    secret_free(a->key_pem);
    a->ca_pem = TAKE_PTR(*ca);
    a->cert_pem = TAKE_PTR(*cert);
    a->key_pem = TAKE_PTR(*key);
    return 0;
}

static void read_files(struct client_auth *a)
{
    const struct kube_config *config = a->config;
    if (!config->ca_file && !config->cert_file && !config->key_file)
        return;
    a->files_read_us = loop_now_us(a->loop);
    _cleanup_(freep) char *ca = NULL, *cert = NULL;
    _secret_cleanup_ char *key = NULL;
    struct error err;
    int r = read_again(config->ca_file, a->ca_pem, &ca, &err);
    if (r < 0)
        count_reload(a, "failure", err.kind == ERROR_IO ? "read_error" : "ca_parse_error");
    if (r == 0 && read_again(config->cert_file, a->cert_pem, &cert, &err) == 0)
        r = read_again(config->key_file, a->key_pem, &key, &err);
    else
        r = -1;

    bool new_ca = r == 0 && !streq0(ca, a->ca_pem);
    if (r == 0 && (new_ca || !streq0(cert, a->cert_pem) || !streq0(key, a->key_pem))) {
        r = replace(a, &ca, &cert, &key, &err);
        if (r == 0)
            log_info(a->log, "certificates were replaced", LOG_B("ca", new_ca));
        count_reload(a, r == 0 ? "success" : "failure", r < 0 ? "ca_parse_error" : new_ca ? "updated" : "unchanged");
    } else if (r == 0) {
        count_reload(a, "success", "unchanged");
    }
    /* A certificate that is replaced before its key does not fit for a moment: the next look is five minutes
     * away. */
    if (r < 0 && !a->files_fail)
        log_warn(a->log, "certificate files can't be used, the last ones stay", LOG_ERR(&err));
    a->files_fail = r < 0;
}

struct http_origin *client_auth_origin(struct client_auth *a)
{
    int64_t now_us = loop_now_us(a->loop);
    if (now_us - a->token_read_us >= TOKEN_AGE_US)
        (void)read_token(a);
    if (now_us - a->files_read_us >= FILES_AGE_US)
        read_files(a);
    return a->origin;
}

const char *client_auth_url(const struct client_auth *a)
{
    return http_origin_url(a->origin);
}
