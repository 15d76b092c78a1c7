/* Requests to the API server: paths, credentials, deadlines, retries, Status decoding, the write fence, and metrics.
 *
 * Every request is asynchronous and ends in one `done`. Rules (client-go's, see the comments in client.c):
 *   429 or 5xx with Retry-After: waited for, at most 10 times, GET or not. A GET whose connection broke before an answer: again,
 *   with back-off. A write is never sent a second time blindly: when it is not certain that the server did not act, the
 *   caller gets the error (`maybe_applied`) and reads again. 401: the token is read anew, and tried once more.
 * A mutating request asks `fence` immediately before each sending and is refused with ERROR_FENCED when the answer is no.
 */
#ifndef KUBE_CLIENT_H
#define KUBE_CLIENT_H

#include "base/base.h"
#include "base/error.h"
#include "base/http.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/rng.h"
#include "kube/config.h"
#include "kube/meta.h"
#include "kube/resource.h"

struct kube_client;

struct kube_client_options {
    const char *user_agent;    /* "ai4k8s-operator/0.1.0 (linux/amd64) kubernetes/abc" */
    const char *field_manager; /* of all writes */
    const char *field_validation; /* "Warn" (default) or "Strict" */
    struct log *log;
    struct metrics *metrics; /* NULL: none. rest_client_* */
    struct rng *rng;
    double qps, burst; /* <= 0: 50 and 100 */
};

struct kube_client *kube_client_new(struct loop *loop, struct http *http, const struct kube_config *config,
                                    const struct kube_client_options *options, struct error *err);
struct kube_client *kube_client_free(struct kube_client *c);
struct loop *kube_client_loop(const struct kube_client *c);
const char *kube_client_server(const struct kube_client *c);
const char *kube_client_namespace(const struct kube_client *c);

/* The fence of all mutating requests but the Lease's own (leader.h sets it). NULL: writes are free (tools). */
void kube_client_set_fence(struct kube_client *c, bool (*allowed)(void *data), void *data);

enum kube_verb { KUBE_GET, KUBE_POST, KUBE_PUT, KUBE_DELETE, KUBE_PATCH_MERGE, KUBE_PATCH_APPLY, KUBE_PATCH_JSON };

struct kube_response {
    int code;               /* HTTP status; 0: no answer */
    const char *body;       /* 2xx: the bytes, NUL-terminated; borrowed for the callback */
    size_t body_len;
    struct kube_status status; /* non-2xx */
    bool maybe_applied;     /* a write that failed without an answer: it may have happened */
};

struct kube_request {
    enum kube_verb verb;
    const char *path; /* from resource_path() / resource_query(); copied */
    const char *body; /* copied */
    size_t body_len;
    int64_t timeout_us;  /* 0: 30 s; 4 s at most for a fenced write */
    size_t max_body;     /* 0: 8 MiB */
    bool unfenced;       /* the Lease itself, events of a standby */
    bool no_retry;       /* the caller has its own rhythm (lease renewal) */
    bool force;          /* apply: take fields over */
    enum http_connection connection;
    enum loop_priority priority;
    const char *accept;  /* NULL: application/json */
    /* Streaming (watch, large lists): pieces of a 2xx body; other answers are buffered and decoded as ever. */
    int (*on_data)(void *data, const char *bytes, size_t len, struct error *err);
    int64_t idle_timeout_us; /* streaming only */
    /* err == NULL: 2xx. Otherwise what went wrong (ERROR_API for a refusal, with response->status). */
    void (*done)(void *data, const struct kube_response *response, const struct error *err);
    void *data;
};

/* Never calls `done` from inside. Gives an id > 0 that is good for kube_client_cancel() until done was called. */
int64_t kube_client_start(struct kube_client *c, const struct kube_request *request);
void kube_client_cancel(struct kube_client *c, int64_t id);

/* Called when the server answers again after not doing so, and the other way round: for readiness and conditions. */
bool kube_client_reachable(const struct kube_client *c);

#endif
