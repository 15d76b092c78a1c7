/* Requests to the API server. One `struct call` lives from kube_client_start() to its `done`: it is sent,
 * judged, and perhaps sent again, by client-go's rules (rest/with_retry.go):
 *
 *   429 and 5xx with Retry-After: the server says when, and that it wants to be asked again. Any verb.
 *   GET and the connection breaks before an answer: again, with back-off. A write is not: it may have been
 *   acted upon.
 *   401: once more, if the token file has another token by now.
 *
 * Everything else is the caller's to decide, who knows whether the world has changed meanwhile.
 */
#include "kube/client.h"

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"
#include "kube/client_auth.h"
#include "kube/client_report.h"

#include <stdlib.h>
#include <string.h>

#define MAX_RETRIES     10
#define MAX_RETRY_AFTER (120 * USEC_PER_SEC) /* what asks for longer is left to the caller */
#define DEFAULT_TIMEOUT (30 * USEC_PER_SEC)
#define FENCED_TIMEOUT  (4 * USEC_PER_SEC)
#define MAX_REFUSAL     ((size_t)256 << 10)
#define MAX_PATH        ((size_t)64 << 10)

static const struct backoff_config broken_backoff = {
    .initial_us = USEC_PER_SEC, .cap_us = 10 * USEC_PER_SEC, .factor = 2.0, .jitter = 0.2};

struct kube_client {
    struct loop *loop;
    struct http *http;
    const struct kube_config *config;
    struct client_auth *auth;
    struct client_report report;
    struct log *log;
    struct rng *rng;
    struct rng own_rng;
    struct ratelimit limit;
    char *field_manager, *field_validation, *user_agent;
    bool (*fence)(void *data);
    void *fence_data;
    struct list calls;
    int64_t last_id;
    enum { NOT_KNOWN, REACHABLE, UNREACHABLE } reach;
};

struct call {
    struct list node;
    struct kube_client *client;
    struct kube_request request; /* its strings are ours; path with the query */
    char **headers;
    int64_t id, http_id; /* http_id 0: not under way */
    struct loop_timer timer;
    struct backoff backoff;
    unsigned retries;
    uint64_t token; /* number of the one it was sent with */
    bool token_retried, maybe_applied, was_sent;
    int status;           /* of the answer that is coming in */
    struct buf refusal;   /* body of an answer that is not 2xx, when streaming */
    struct error failure; /* to be reported from the timer, when its kind is set */
};

static const char *method_of(enum kube_verb verb)
{
    static const char *const methods[] = {
        [KUBE_GET] = "GET",          [KUBE_POST] = "POST",         [KUBE_PUT] = "PUT",
        [KUBE_DELETE] = "DELETE",    [KUBE_PATCH_MERGE] = "PATCH", [KUBE_PATCH_APPLY] = "PATCH",
        [KUBE_PATCH_JSON] = "PATCH",
    };
    return methods[verb];
}

static const char *content_type_of(enum kube_verb verb)
{
    static const char *const types[] = {
        [KUBE_GET] = "application/json",
        [KUBE_POST] = "application/json",
        [KUBE_PUT] = "application/json",
        [KUBE_DELETE] = "application/json",
        [KUBE_PATCH_MERGE] = "application/merge-patch+json",
        [KUBE_PATCH_APPLY] = "application/apply-patch+yaml", /* JSON is YAML */
        [KUBE_PATCH_JSON] = "application/json-patch+json",
    };
    return types[verb];
}

static bool is_write(const struct call *c)
{
    return c->request.verb != KUBE_GET;
}

static bool is_fenced(const struct call *c)
{
    return is_write(c) && !c->request.unfenced && c->client->fence;
}

static bool fence_allows(const struct call *c)
{
    return !is_fenced(c) || c->client->fence(c->client->fence_data);
}

static int refuse_fenced(struct error *err)
{
    return error_set(err, ERROR_FENCED, "not written: the lease is not safely ours");
}

/* ---- the end of a call ---- */

static void call_free(struct call *c)
{
    loop_timer_disarm(&c->timer);
    list_remove(&c->node);
    for (char **line = c->headers; line && *line; line++)
        free(*line);
    free((void *)c->headers);
    free((void *)(uintptr_t)c->request.path);
    free((void *)(uintptr_t)c->request.body);
    buf_done(&c->refusal);
    free(c);
}

static void finish(struct call *c, const struct kube_response *response, const struct error *err)
{
    list_remove(&c->node); /* from here on its id is nobody's */
    loop_timer_disarm(&c->timer);
    c->request.done(c->request.data, response, err);
    call_free(c);
}

static void finish_failed(struct call *c, const struct error *err)
{
    struct kube_response response = {.status.retry_after_ms = -1, .maybe_applied = c->maybe_applied};
    finish(c, &response, err);
}

/* Ends the call on a later turn: `done` is never called from inside kube_client_start(). */
static void fail_later(struct call *c)
{
    loop_timer_arm(&c->timer, 0);
}

static void note_reachable(struct kube_client *client, bool now, const struct error *err)
{
    if (!now && client->reach != UNREACHABLE)
        log_warn(client->log, "the API server does not answer", LOG_S("server", kube_client_server(client)),
                 LOG_ERR(err));
    else if (now && client->reach == UNREACHABLE)
        log_info(client->log, "the API server answers again", LOG_S("server", kube_client_server(client)));
    client->reach = now ? REACHABLE : UNREACHABLE;
}

/* ---- sending ---- */

static void attempt(struct call *c);

static void on_timer(void *data)
{
    struct call *c = data;
    if (c->failure.kind != ERROR_NONE)
        finish_failed(c, &c->failure);
    else
        attempt(c);
}

/* Sends it after `delay_us`, and when the token bucket lets it. The lease must not wait behind other
 * requests. */
static void schedule(struct call *c, int64_t delay_us)
{
    struct kube_client *client = c->client;
    int64_t wait_us = 0;
    if (c->request.priority != LOOP_LEASE) {
        wait_us = ratelimit_reserve_us(&client->limit, loop_now_us(client->loop));
        client_report_throttled(&client->report, method_of(c->request.verb), wait_us);
    }
    if (delay_us > 0 || wait_us > 0)
        loop_timer_arm(&c->timer, MAX(delay_us, wait_us));
    else
        attempt(c);
}

static int on_send(void *data, struct error *err)
{
    return fence_allows(data) ? 0 : refuse_fenced(err);
}

static bool is_success(int status)
{
    return status >= 200 && status < 300;
}

static void on_headers(void *data, const struct http_result *head)
{
    struct call *c = data;
    c->status = head->status;
    buf_clear(&c->refusal);
    client_report_warnings(&c->client->report, head);
    if (is_success(head->status) && c->request.on_open)
        c->request.on_open(c->request.data);
}

/* What is not 2xx is not what the caller asked for: it is kept for the Status. */
static int on_data(void *data, const char *bytes, size_t len, struct error *err)
{
    struct call *c = data;
    if (is_success(c->status))
        return c->request.on_data(c->request.data, bytes, len, err);
    (void)buf_append(&c->refusal, bytes, MIN(len, c->refusal.max - c->refusal.len));
    return 0;
}

static void on_done(void *data, const struct http_result *result, const struct error *err);

static void attempt(struct call *c)
{
    struct kube_client *client = c->client;
    const struct kube_request *q = &c->request;
    if (!fence_allows(c)) {
        refuse_fenced(&c->failure);
        fail_later(c);
        return;
    }
    int64_t timeout_us = q->timeout_us ? q->timeout_us : DEFAULT_TIMEOUT;
    if (is_fenced(c) && (timeout_us < 0 || timeout_us > FENCED_TIMEOUT))
        timeout_us = FENCED_TIMEOUT;
    struct http_request request = {
        .method = method_of(q->verb),
        .path = q->path,
        .headers = (const char *const *)c->headers,
        .body = q->body,
        .body_len = q->body_len,
        .total_timeout_us = timeout_us,
        .idle_timeout_us = q->on_data ? q->idle_timeout_us : 0,
        .max_body = q->max_body || !q->on_data ? q->max_body : SIZE_MAX,
        .connection = q->connection,
        .priority = q->priority,
        .fresh_connection = c->retries > 0 && c->status == 0,
        /* A compressor between us and a watch holds events back until its block is full; and what is worked on while it
         * streams must come in small pieces, where a kilobyte of gzip is a page of JSON. */
        .verbatim_encoding = client->config->disable_compression || q->on_data,
        .on_send = is_fenced(c) ? on_send : NULL,
        .on_headers = on_headers,
        .on_data = q->on_data ? on_data : NULL,
        .done = on_done,
        .data = c,
    };
    c->status = 0;
    struct http_origin *origin = client_auth_origin(client->auth);
    c->token = client_auth_token(client->auth);
    c->http_id = http_start(client->http, origin, &request, &c->failure);
    if (c->http_id < 0) {
        c->http_id = 0;
        fail_later(c);
    }
}

/* ---- judging ---- */

static void report_attempt(struct call *c, const struct http_result *result)
{
    log_trace(c->client->log, "request", LOG_S("method", method_of(c->request.verb)), LOG_S("path", c->request.path),
              LOG_I("code", result->got_response ? result->status : 0), LOG_I("ms", result->total_us / USEC_PER_MSEC));
    client_report_attempt(&c->client->report,
                          &(struct client_attempt){
                              .method = method_of(c->request.verb),
                              .code = result->got_response ? result->status : 0,
                              .duration_us = result->total_us,
                              .sent_bytes = c->request.body_len,
                              .received_bytes = result->body_len,
                              .retry = c->was_sent,
                              /* A watch lasts minutes, which says nothing about latency. */
                              .watch = c->request.on_data && c->request.connection == HTTP_DEDICATED,
                          });
    c->was_sent = true;
}

/* Whether to try once more after `*ret_delay_us`: no answer came, or only a part of one. */
static bool retry_broken(struct call *c, const struct http_result *result, const struct error *err,
                         int64_t *ret_delay_us)
{
    if (is_write(c) || c->request.no_retry || c->retries >= MAX_RETRIES)
        return false;
    /* Neither what was refused before it was sent, nor a deadline: those callers have a rhythm of their own.
     */
    if (err->kind != ERROR_IO || !result->sent || result->got_response)
        return false;
    *ret_delay_us = backoff_next_us(&c->backoff, loop_now_us(c->client->loop), c->client->rng);
    return true;
}

/* The same for an answer: the server asks to come back. */
static bool retry_asked(struct call *c, const struct http_result *result, int64_t *ret_delay_us)
{
    if ((result->status != 429 && result->status < 500) || result->retry_after_ms < 0)
        return false;
    if (c->request.no_retry || c->retries >= MAX_RETRIES)
        return false;
    *ret_delay_us = result->retry_after_ms * USEC_PER_MSEC;
    return *ret_delay_us <= MAX_RETRY_AFTER;
}

static const char *header_or_empty(const struct http_result *result, const char *name)
{
    const char *value = http_result_header(result, name, 0);
    return value ? value : "";
}

static void log_asked(const struct call *c, const struct http_result *result, int64_t delay_us)
{
    /* Priority and fairness says which of its queues was full; only its UID, but that finds it. */
    log_info(c->client->log, "the API server asks to come back later", LOG_S("method", method_of(c->request.verb)),
             LOG_S("path", c->request.path), LOG_I("code", result->status),
             LOG_D("seconds", (double)delay_us / USEC_PER_SEC), LOG_I("attempt", c->retries + 1),
             LOG_S("flow_schema", header_or_empty(result, "X-Kubernetes-PF-FlowSchema-UID")));
}

static void retry(struct call *c, int64_t delay_us)
{
    c->retries++;
    schedule(c, delay_us);
}

/* No usable answer: `err` says why. */
static void judge_failure(struct call *c, const struct http_result *result, const struct error *err)
{
    struct kube_client *client = c->client;
    bool ours = err->kind == ERROR_FENCED || err->kind == ERROR_INTERNAL || err->kind == ERROR_CONFIG;
    if (!ours && !result->got_response)
        note_reachable(client, false, err);
    /* A refusal whose body broke is still a refusal. */
    bool refused = result->got_response && result->status >= 400 && result->status < 500;
    if (is_write(c) && result->sent && !refused)
        c->maybe_applied = true;
    int64_t delay_us;
    if (retry_broken(c, result, err, &delay_us)) {
        log_debug(client->log, "the connection broke, trying again", LOG_S("path", c->request.path), LOG_ERR(err));
        retry(c, delay_us);
        return;
    }
    finish_failed(c, err);
}

/* A whole answer that is not 2xx. */
static void judge_refusal(struct call *c, const struct http_result *result)
{
    struct kube_client *client = c->client;
    if (result->status == 401 && !c->token_retried && client_auth_refused(client->auth, c->token)) {
        c->token_retried = true;
        schedule(c, 0);
        return;
    }
    /* These leave open whether the write was done: a proxy gave up waiting, or the server did in the middle.
     */
    if (is_write(c) && (result->status == 500 || result->status == 502 || result->status == 504))
        c->maybe_applied = true;
    int64_t delay_us;
    if (retry_asked(c, result, &delay_us)) {
        log_asked(c, result, delay_us);
        retry(c, delay_us);
        return;
    }
    struct kube_response response = {.code = result->status, .maybe_applied = c->maybe_applied};
    if (c->request.on_data)
        kube_status_decode(result->status, buf_str(&c->refusal), c->refusal.len, &response.status);
    else
        kube_status_decode(result->status, result->body, result->body_len, &response.status);
    if (result->retry_after_ms >= 0)
        response.status.retry_after_ms = result->retry_after_ms;
    struct error err;
    (void)kube_status_error(&response.status, &err);
    finish(c, &response, &err);
}

static void judge_success(struct call *c, const struct http_result *result)
{
    if (str_starts(result->content_type, "text/html")) {
        struct error err;
        (void)error_set(&err, ERROR_HTTP, "%s answered with a web page; is that the API server?",
                        kube_client_server(c->client));
        finish_failed(c, &err);
        return;
    }
    struct kube_response response = {.code = result->status, .status.retry_after_ms = -1};
    if (!c->request.on_data) {
        response.body = result->body;
        response.body_len = result->body_len;
    }
    finish(c, &response, NULL);
}

static void on_done(void *data, const struct http_result *result, const struct error *err)
{
    struct call *c = data;
    c->http_id = 0;
    if (!err || err->kind != ERROR_FENCED)
        report_attempt(c, result);
    if (result->got_response)
        note_reachable(c->client, true, NULL);
    if (err)
        judge_failure(c, result, err);
    else if (is_success(result->status))
        judge_success(c, result);
    else
        judge_refusal(c, result);
}

/* ---- calls ---- */

/* The path with what every write says about itself. NULL: it can't be a path. */
static char *make_path(const struct kube_client *client, const struct kube_request *q)
{
    if (!q->path || q->path[0] != '/')
        return NULL;
    struct buf path = BUF_INIT(MAX_PATH);
    (void)buf_puts(&path, q->path);
    if (q->verb != KUBE_GET && q->verb != KUBE_DELETE) {
        if (client->field_manager)
            resource_query(&path, "fieldManager", client->field_manager);
        resource_query(&path, "fieldValidation", client->field_validation);
        if (q->verb == KUBE_PATCH_APPLY && q->force)
            resource_query(&path, "force", "true");
    }
    /* The server gives a write up too: one that waits in its queue could otherwise be done after our lease.
     */
    if (q->verb != KUBE_GET && !q->unfenced && client->fence)
        resource_query(&path, "timeout", "4s");
    char *text = path.failed ? NULL : xstrdup(buf_str(&path));
    buf_done(&path);
    return text;
}

static char **make_headers(const struct kube_client *client, const struct kube_request *q)
{
    size_t n = 0, others = 0;
    while (client->config->impersonate && client->config->impersonate[others])
        others++;
    char **lines = xcalloc(others + 4, sizeof(*lines));
    lines[n++] = xasprintf("Accept: %s", q->accept ? q->accept : "application/json");
    if (q->body_len > 0)
        lines[n++] = xasprintf("Content-Type: %s", content_type_of(q->verb));
    if (client->user_agent)
        lines[n++] = xasprintf("User-Agent: %s", client->user_agent);
    for (size_t i = 0; i < others; i++)
        lines[n++] = xstrdup(client->config->impersonate[i]);
    return lines;
}

static char *copy_body(const struct kube_request *q)
{
    char *body = xcalloc(q->body_len + 1, 1);
    if (q->body_len)
        memcpy(body, q->body, q->body_len);
    return body;
}

int64_t kube_client_start(struct kube_client *client, const struct kube_request *request)
{
    struct call *c = xcalloc(1, sizeof(*c));
    c->client = client;
    c->id = ++client->last_id;
    c->request = *request;
    c->request.path = make_path(client, request);
    c->request.body = copy_body(request);
    c->request.accept = NULL;
    c->headers = make_headers(client, request);
    c->refusal = BUF_INIT(MAX_REFUSAL);
    backoff_init(&c->backoff, &broken_backoff);
    loop_timer_init(&c->timer, client->loop, request->priority, on_timer, c);
    list_init(&c->node);
    list_append(&client->calls, &c->node);
    if (!c->request.path) {
        (void)error_set(&c->failure, ERROR_INTERNAL, "a request without a valid path");
        fail_later(c);
    } else {
        schedule(c, 0);
    }
    return c->id;
}

void kube_client_cancel(struct kube_client *client, int64_t id)
{
    list_for_each (it, &client->calls) {
        struct call *c = CONTAINER_OF(it, struct call, node);
        if (c->id != id)
            continue;
        if (c->http_id)
            http_cancel(client->http, c->http_id);
        call_free(c);
        return;
    }
}

/* ---- the client ---- */

struct kube_client *kube_client_new(struct loop *loop, struct http *http, const struct kube_config *config,
                                    const struct kube_client_options *options, struct error *err)
{
    struct client_auth *auth = client_auth_new(config, options->log, options->metrics, loop, err);
    if (!auth)
        return NULL;
    struct kube_client *c = xcalloc(1, sizeof(*c));
    *c = (struct kube_client){
        .loop = loop,
        .http = http,
        .config = config,
        .auth = auth,
        .log = options->log,
        .rng = options->rng,
        .field_manager = xstrdup0(options->field_manager),
        .field_validation = xstrdup(options->field_validation ? options->field_validation : "Warn"),
        .user_agent = xstrdup0(options->user_agent),
    };
    if (!c->rng) {
        rng_seed_random(&c->own_rng);
        c->rng = &c->own_rng;
    }
    list_init(&c->calls);
    double qps = options->qps > 0 ? options->qps : 50, burst = options->burst > 0 ? options->burst : 100;
    ratelimit_init(&c->limit, qps, burst, loop_now_us(loop));
    client_report_init(&c->report, kube_client_server(c), options->log, options->metrics);
    return c;
}

struct kube_client *kube_client_free(struct kube_client *c)
{
    if (!c)
        return NULL;
    list_for_each_safe (it, after, &c->calls) {
        struct call *call = CONTAINER_OF(it, struct call, node);
        if (call->http_id)
            http_cancel(c->http, call->http_id);
        call_free(call);
    }
    client_report_done(&c->report);
    client_auth_free(c->auth);
    free(c->field_manager);
    free(c->field_validation);
    free(c->user_agent);
    free(c);
    return NULL;
}

void kube_client_set_fence(struct kube_client *c, bool (*allowed)(void *data), void *data)
{
    c->fence = allowed;
    c->fence_data = data;
}

struct loop *kube_client_loop(const struct kube_client *c)
{
    return c->loop;
}

const char *kube_client_server(const struct kube_client *c)
{
    return client_auth_url(c->auth);
}

const char *kube_client_namespace(const struct kube_client *c)
{
    return c->config->namespace_;
}

bool kube_client_reachable(const struct kube_client *c)
{
    return c->reach == REACHABLE;
}
