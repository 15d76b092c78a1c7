/* Requests to the API server: credentials, deadlines, retries, Status decoding, the write fence, and metrics.
 *
 * Every request is asynchronous and ends in one `done`. The rules are client-go's, see client.c:
 *   429, or 5xx with Retry-After: waited for and sent again, at most 10 times, reads and writes.
 *   A GET whose connection broke before an answer: sent again, with back-off, within the same 10.
 *   A write is never sent a second time blindly: when it is not certain that the server did not act, the
 *   caller gets the error with `maybe_applied` and reads again.
 *   401: the token file is read anew, and when it has another token, that is tried once.
 *
 * A write asks the fence immediately before each sending and ends with ERROR_FENCED when the answer is no.
 * Credential files are read again as they are replaced (client_auth.h); a request under way keeps what it
 * began with.
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
    const char *user_agent;       /* "ai4k8s-operator/0.1.0 (linux/amd64) kubernetes/abc"; NULL: http's */
    const char *field_manager;    /* of all writes */
    const char *field_validation; /* NULL: "Warn"; or "Strict" */
    struct log *log;              /* borrowed, may be NULL */
    struct metrics *metrics;      /* borrowed; NULL: none. rest_client_* */
    struct rng *rng;              /* borrowed; NULL: one of its own */
    double qps, burst;            /* <= 0: 50 and 100 */
};

/* Borrows loop, http and config for its life; strings are copied. Refuses a server URL and certificates that
 * make no sense, and a client certificate that has expired, with the configuration's name in the message. */
struct kube_client *kube_client_new(struct loop *loop, struct http *http, const struct kube_config *config,
                                    const struct kube_client_options *options, struct error *err) MUST_USE;
/* Drops all requests without a `done`. Allowed in any callback. */
struct kube_client *kube_client_free(struct kube_client *c);
struct loop *kube_client_loop(const struct kube_client *c);
const char *kube_client_server(const struct kube_client *c); /* "https://host:port[/prefix]" */
const char *kube_client_namespace(const struct kube_client *c);

/* The fence of all writes that are not `unfenced` (leader.h sets it). NULL: writes are free (tools). */
void kube_client_set_fence(struct kube_client *c, bool (*allowed)(void *data), void *data);

enum kube_verb {
    KUBE_GET,
    KUBE_POST,
    KUBE_PUT,
    KUBE_DELETE,
    KUBE_PATCH_MERGE,
    KUBE_PATCH_APPLY,
    KUBE_PATCH_JSON,
};

struct kube_response {
    int code;         /* HTTP status; 0: no whole answer */
    const char *body; /* 2xx: the bytes, NUL-terminated; borrowed for the callback. NULL when streaming */
    size_t body_len;
    struct kube_status status; /* of an answer that is not 2xx */
    /* A write that failed and may have been done nevertheless: no answer came although it may have been sent,
     * or one that leaves it open (500, 502, 504). */
    bool maybe_applied;
};

struct kube_request {
    enum kube_verb verb;
    const char *path; /* from resource_path() and resource_query(); copied */
    const char *body; /* copied */
    size_t body_len;
    int64_t timeout_us; /* of each sending; 0: 30 s; < 0: none. A fenced write: 4 s at most */
    size_t max_body;    /* 0: 8 MiB, or any when streaming */
    bool unfenced;      /* the Lease itself, events of a standby, reviews */
    bool no_retry;      /* the caller has its own rhythm (lease renewal, watches); 401 is still retried */
    bool force;         /* apply: take fields over */
    enum http_connection connection;
    enum loop_priority priority; /* LOOP_LEASE does not wait for the limit of requests per second */
    const char *accept;          /* NULL: application/json */
    /* Streaming (watches, large lists): pieces of a 2xx body; other answers are buffered and decoded as ever.
     * < 0 with *err filled ends the request with that error. */
    int (*on_data)(void *data, const char *bytes, size_t len, struct error *err);
    /* Streaming, optional: a 2xx answer has begun; its body may be long in coming. */
    void (*on_open)(void *data);
    int64_t idle_timeout_us; /* streaming: longest silence; 0: any */
    /* err == NULL: 2xx. Otherwise what went wrong: ERROR_API for a refusal, with response->status. The
     * response is never NULL. */
    void (*done)(void *data, const struct kube_response *response, const struct error *err);
    void *data;
};

/* Never calls `done` from inside. Gives an id > 0, good for kube_client_cancel() until `done` is called.
 * Writes get fieldManager and fieldValidation in their query. */
int64_t kube_client_start(struct kube_client *c, const struct kube_request *request);
/* No callback comes after this; a write may have been done. Allowed in any callback. */
void kube_client_cancel(struct kube_client *c, int64_t id);

/* Whether the last request got any answer; false before the first. For readiness and conditions. */
bool kube_client_reachable(const struct kube_client *c);

#endif
