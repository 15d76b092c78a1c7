/* Where the API server is and who we are to it: kubeconfig files or the in-cluster environment.
 *
 * kubeconfig: a list of files merged left to right (the first that defines a name wins), relative paths are
 * relative to their file, *-data beats files, token beats tokenFile at first (tokenFile is re-read and then
 * wins), tls-server-name, insecure-skip-tls-verify (not together with a CA), proxy-url, a path prefix in the
 * server's URL, namespace of the context, impersonation. exec plugins are refused with a message that names
 * the remedy. Every message names the file, the line and what to do.
 */
#ifndef KUBE_CONFIG_H
#define KUBE_CONFIG_H

#include "base/base.h"
#include "base/error.h"

struct kube_config {
    char *server;               /* "https://host:port[/prefix]", without a slash at the end */
    char *namespace_;           /* of the context, or of the service account; "default" when not said */
    char *ca_pem;               /* NULL: the system's */
    char *ca_file;              /* where it came from, re-read every 5 min; NULL: inline */
    char *cert_pem, *key_pem;   /* NULL: none */
    char *cert_file, *key_file; /* re-read every 5 min; NULL: inline */
    char *token;                /* wiped when freed, as is key_pem */
    char *token_file;           /* re-read every 60 s and on 401 */
    char *server_name;          /* SNI and name to verify; NULL: the server's host */
    char *proxy_url;            /* for http_config; NULL: none */
    bool insecure_skip_verify;
    bool disable_compression;
    bool in_cluster;
    char **impersonate; /* header lines "Impersonate-User: x" ..., NULL-terminated, or NULL */
    char *source;       /* "/home/x/.kube/config, context kind" or "in-cluster service account": for messages */
};

/* What the environment says; the only place that reads it (options of a program may override each). */
struct kube_environment {
    const char *kubeconfig;          /* $KUBECONFIG */
    const char *home;                /* $HOME */
    const char *service_host;        /* $KUBERNETES_SERVICE_HOST */
    const char *service_port;        /* $KUBERNETES_SERVICE_PORT */
    const char *service_account_dir; /* NULL: /var/run/secrets/kubernetes.io/serviceaccount */
};
struct kube_environment kube_environment(void);

/* `path`: --kubeconfig, or NULL; then $KUBECONFIG, then (unless `context` is given) in-cluster where the
 * environment says so, then ~/.kube/config. `context`: NULL: the current one. Gives *ret. */
int kube_config_load(const struct kube_environment *env, const char *path, const char *context,
                     struct kube_config **ret, struct error *err);
struct kube_config *kube_config_free(struct kube_config *c);

#endif
