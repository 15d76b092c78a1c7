/* The API server as a program that does one thing after the other sees it: each call runs the loop until its answer is
 * there. */
#ifndef PLUGIN_CLUSTER_H
#define PLUGIN_CLUSTER_H

#include "base/buf.h"
#include "base/http.h"
#include "kube/client.h"

#include <argp.h>

struct cluster_options {
    const char *kubeconfig, *context, *namespace_;
    bool json; /* -o json */
};
/* Its input is a struct cluster_options, zeroed. */
extern const struct argp cluster_options_argp;
/* What a parser does with all other keys, where a command wants the NAME of one autoscaler. */
error_t cluster_take_name(int key, char *arg, struct argp_state *state, const char **name);

struct cluster {
    struct loop *loop;
    struct http *http;
    struct kube_config *config;
    struct kube_client *client;
    const char *namespace_; /* that of the options, else of the context */
};

/* Connects to nothing yet. `c` is to be released in any case. */
int cluster_open(struct cluster *c, const struct cluster_options *options, struct error *err);
void cluster_close(struct cluster *c);
/* Both, and `work` in between: 0, or -1 with `err`, which is told. Gives the exit status. */
typedef int cluster_work_fn(struct cluster *c, const void *data, struct error *err);
int cluster_run(const struct cluster_options *options, cluster_work_fn *work, const void *data);

/* 0: 2xx, *ret_body has its body. -1: err, and *ret_code is the HTTP status or 0. Both may be NULL. `body` NULL: none.
 */
int cluster_ask(struct cluster *c, enum kube_verb verb, const char *path, const struct buf *body, struct buf *ret_body,
                int *ret_code, struct error *err);
/* A GET elsewhere: the whole path, escaped. 0 with the status in *ret_code whatever it is; -1: no answer. */
int cluster_fetch(struct cluster *c, struct http_origin *origin, const char *path, size_t max_body,
                  struct buf *ret_body, int *ret_code, struct error *err);
/* Lets time pass. */
void cluster_sleep(struct cluster *c, int64_t us);
int64_t cluster_now_us(const struct cluster *c); /* Unix */

/* An autoscaler that the user has named: its path, and its object. What is not there is said with the namespace and
 * what to try. */
int cluster_autoscaler_path(const struct cluster *c, const char *name, struct buf *out, struct error *err);
int cluster_autoscaler(struct cluster *c, const char *name, struct buf *ret_body, struct error *err);
/* Adds to a 404 what the user may do about it. */
int cluster_explain_missing(const struct cluster *c, const char *name, int code, struct error *err);

#endif
