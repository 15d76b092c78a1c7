/* Which configuration counts: what was asked for, then $KUBECONFIG, then the pod we run in, then
 * ~/.kube/config. */
#include "kube/config.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "kube/credential.h"
#include "kube/kubeconfig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

struct kube_environment kube_environment(void)
{
    /* Before any thread exists, and nobody here calls setenv(). */
    return (struct kube_environment){
        .kubeconfig = getenv("KUBECONFIG"),                /* NOLINT(concurrency-mt-unsafe) */
        .home = getenv("HOME"),                            /* NOLINT(concurrency-mt-unsafe) */
        .service_host = getenv("KUBERNETES_SERVICE_HOST"), /* NOLINT(concurrency-mt-unsafe) */
        .service_port = getenv("KUBERNETES_SERVICE_PORT"), /* NOLINT(concurrency-mt-unsafe) */
    };
}

static bool is_set(const char *s)
{
    return s && s[0];
}

/* ---- in-cluster ---- */

static int read_namespace(const char *dir, char **ret, struct error *err)
{
    _cleanup_(freep) char *path = xasprintf("%s/namespace", dir);
    struct error why;
    _cleanup_(freep) char *text = NULL;
    size_t len;
    if (file_read(path, 1024, &text, &len, &why) < 0) {
        if (why.kind == ERROR_IO && why.code == ENOENT) {
            *ret = xstrdup("default");
            return 0;
        }
        if (err)
            *err = why;
        return -1;
    }
    text[strcspn(text, " \t\r\n")] = '\0';
    if (!str_is_dns_label(text))
        return error_set(err, ERROR_CONFIG, "%s does not have the name of a namespace in it", path);
    *ret = TAKE_PTR(text);
    return 0;
}

static int read_in_cluster(const struct kube_environment *env, struct kube_config *c, struct error *err)
{
    uint64_t port;
    if (!str_to_u64(env->service_port, &port) || port == 0 || port > 65535)
        return error_set(err, ERROR_CONFIG, "KUBERNETES_SERVICE_PORT is not a port: \"%.40s\"", env->service_port);
    for (const char *s = env->service_host; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7F || strchr("/?#@[]", *s))
            return error_set(err, ERROR_CONFIG, "KUBERNETES_SERVICE_HOST is not a host: \"%.80s\"", env->service_host);
    const char *dir = env->service_account_dir ? env->service_account_dir : SERVICE_ACCOUNT_DIR;
    bool ipv6 = strchr(env->service_host, ':');
    c->server = xasprintf("https://%s%s%s:%u", ipv6 ? "[" : "", env->service_host, ipv6 ? "]" : "", (unsigned)port);
    c->in_cluster = true;
    c->source = xstrdup("in-cluster service account");
    c->token_file = xasprintf("%s/token", dir);
    c->ca_file = xasprintf("%s/ca.crt", dir);
    if (credential_read_token(c->token_file, &c->token, err) < 0 ||
        credential_read_pem(c->ca_file, &c->ca_pem, err) < 0)
        return error_wrap(err, "in-cluster configuration (is automountServiceAccountToken off?)");
    return read_namespace(dir, &c->namespace_, err);
}

/* ---- kubeconfig ---- */

/* $KUBECONFIG: a list separated by colons; empty parts are nothing. 1: no file of it exists. */
static int read_list(const char *list, const char *context, struct kube_config *c, struct error *err)
{
    size_t n = 0, cap = 1;
    for (const char *s = list; *s; s++)
        cap += *s == ':';
    if (cap > 256)
        return error_set(err, ERROR_CONFIG, "KUBECONFIG names too many files");
    char **paths = xcalloc(cap, sizeof(*paths));
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ":");
        if (len > 0)
            paths[n++] = xstrndup(at, len);
        at += len + (at[len] == ':');
    }
    int r = kubeconfig_read(paths, n, true, context, c, err);
    for (size_t i = 0; i < n; i++)
        free(paths[i]);
    free(paths);
    return r;
}

static int read_home(const char *home, const char *context, struct kube_config *c, struct error *err)
{
    if (is_set(home)) {
        char *path = xasprintf("%s/.kube/config", home);
        int r = kubeconfig_read(&path, 1, true, context, c, err);
        free(path);
        if (r <= 0)
            return r;
    }
    return error_set(err, ERROR_CONFIG,
                     "no cluster to talk to: give --kubeconfig FILE, or set KUBECONFIG, or have a ~/.kube/config (and "
                     "this is not a pod: KUBERNETES_SERVICE_HOST is not set)");
}

static int read_any(const struct kube_environment *env, const char *path, const char *context, struct kube_config *c,
                    struct error *err)
{
    if (path) {
        char *copy = xstrdup(path);
        int r = kubeconfig_read(&copy, 1, false, context, c, err);
        free(copy);
        return r;
    }
    if (is_set(env->kubeconfig)) {
        int r = read_list(env->kubeconfig, context, c, err);
        return r <= 0 ? r
                      : error_set(err, ERROR_CONFIG, "no file that KUBECONFIG names exists: %.200s", env->kubeconfig);
    }
    if (!context && is_set(env->service_host) && is_set(env->service_port))
        return read_in_cluster(env, c, err);
    return read_home(env->home, context, c, err);
}

int kube_config_load(const struct kube_environment *env, const char *path, const char *context,
                     struct kube_config **ret, struct error *err)
{
    struct kube_config *c = xcalloc(1, sizeof(*c));
    if (read_any(env, path, context, c, err) < 0) {
        kube_config_free(c);
        return -1;
    }
    *ret = c;
    return 0;
}

struct kube_config *kube_config_free(struct kube_config *c)
{
    if (!c)
        return NULL;
    secret_free(c->key_pem);
    secret_free(c->token);
    for (char **line = c->impersonate; line && *line; line++)
        free(*line);
    free((void *)c->impersonate);
    char *const plain[] = {c->server,   c->namespace_, c->ca_pem,      c->ca_file,   c->cert_pem, c->cert_file,
                           c->key_file, c->token_file, c->server_name, c->proxy_url, c->source};
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        free(plain[i]);
    free(c);
    return NULL;
}
