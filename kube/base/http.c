/* libcurl's multi socket interface on the loop; see http.h.
 *
 * Rules that this file is built around (libcurl 7.88):
 *   - From inside a callback of libcurl nothing may be added or removed. So a cancelled exchange goes to
 * `doomed` and a new one to `starting`, and settle() does the work once libcurl has returned.
 *   - What libcurl has finished goes to a list per priority and is delivered from a timer of that priority:
 * `done` never runs inside libcurl or http_start().
 *   - An exchange is known outside by an id that is used once, so a late cancel hits nothing.
 *   - A connection is never paused: what comes is consumed, and our own caps act.
 */
#include "base/http.h"

#include "base/alloc.h"
#include "base/http_private.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_HOST_CONNECTIONS = 8,
    KEPT_CONNECTIONS = 32,
    SLOT_BITS = 16, /* of an id: where its exchange is */
    MAX_ACTIVE = 1 << SLOT_BITS,
    DELIVER_BATCH = 64,
};

static const enum loop_priority pool_priority[N_POOLS] = {LOOP_IO, LOOP_IO, LOOP_LEASE};
static const enum loop_priority delivery_priority[N_DELIVERIES] = {LOOP_LEASE, LOOP_IO, LOOP_NORMAL, LOOP_IDLE};

/* A socket of libcurl's that the loop watches. */
struct sock {
    struct pool *pool;
    curl_socket_t fd;
    struct loop_io *io;
};

/* Ids */

static struct exchange *find(const struct http *http, int64_t id)
{
    size_t slot = (size_t)id & (MAX_ACTIVE - 1);
    struct exchange *ex = id > 0 && slot < http->n_slots ? http->slots[slot] : NULL;
    return ex && ex->id == id ? ex : NULL;
}

static int take_id(struct http *http, struct exchange *ex, struct error *err)
{
    size_t slot = 0;
    while (slot < http->n_slots && http->slots[slot])
        slot++;
    if (slot == MAX_ACTIVE)
        return error_set(err, ERROR_LIMIT, "more than %d HTTP requests at once", MAX_ACTIVE);
    if (slot == http->n_slots) {
        size_t n = http->n_slots ? 2 * http->n_slots : 16;
        http->slots = xreallocarray(http->slots, n, sizeof(struct exchange *));
        memset(http->slots + http->n_slots, 0, (n - http->n_slots) * sizeof(struct exchange *));
        http->n_slots = n;
    }
    http->slots[slot] = ex;
    http->active++;
    ex->id = (++http->next_serial << SLOT_BITS) | (int64_t)slot;
    return 0;
}

/* From here on the exchange is unknown outside. */
static void drop_id(struct exchange *ex)
{
    if (!ex->id)
        return;
    ex->http->slots[(size_t)ex->id & (MAX_ACTIVE - 1)] = NULL;
    ex->http->active--;
    ex->id = 0;
}

/* The end of an exchange */

static void leave_multi(struct exchange *ex)
{
    if (!ex->in_multi)
        return;
    assert(!ex->http->in_curl);
    ex->http->in_curl++;
    (void)curl_multi_remove_handle(ex->pool->multi, ex->easy);
    ex->http->in_curl--;
    ex->in_multi = false;
}

static void discard(struct exchange *ex)
{
    leave_multi(ex);
    drop_id(ex);
    list_remove(&ex->node);
    exchange_free(ex);
}

static struct delivery *delivery_of(struct http *http, enum loop_priority priority)
{
    size_t i = 0;
    while (i < N_DELIVERIES - 1 && delivery_priority[i] != priority)
        i++;
    return &http->deliveries[i];
}

/* The transfer is over: its `done` is due. */
static void finish(struct exchange *ex)
{
    leave_multi(ex);
    loop_timer_disarm(&ex->timer);
    ex->result.total_us = loop_now_us(ex->http->loop) - ex->started_us;
    ex->result.body = buf_str(&ex->response);
    ex->result.body_len = ex->response.len;
    struct delivery *d = delivery_of(ex->http, ex->request.priority);
    list_remove(&ex->node);
    list_append(&d->finished, &ex->node);
    loop_timer_arm(&d->timer, 0);
}

static void on_deliver(void *data)
{
    struct delivery *d = data;
    struct http *http = d->http;
    LOOP_METERED(http->meter);
    http->delivering = true;
    for (size_t n = 0; n < DELIVER_BATCH && !list_empty(&d->finished); n++) {
        if (n > 0 && loop_spent_us(http->loop) >= LOOP_BUDGET_US)
            break;
        struct exchange *ex = CONTAINER_OF(d->finished.next, struct exchange, node);
        list_remove(&ex->node);
        drop_id(ex);
        ex->request.done(ex->request.data, &ex->result, ex->failure.kind == ERROR_NONE ? NULL : &ex->failure);
        discard(ex);
    }
    http->delivering = false;
    if (!list_empty(&d->finished))
        loop_timer_arm(&d->timer, 0);
}

/* After libcurl has returned: what its callbacks could not do. */

static void start_waiting(struct http *http)
{
    while (!list_empty(&http->starting)) {
        struct exchange *ex = CONTAINER_OF(http->starting.next, struct exchange, node);
        list_remove(&ex->node);
        http->in_curl++;
        CURLMcode code = curl_multi_add_handle(ex->pool->multi, ex->easy);
        http->in_curl--;
        ex->in_multi = code == CURLM_OK;
        if (code == CURLM_OK)
            continue;
        (void)error_set(&ex->failure, ERROR_INTERNAL, "libcurl: %s", curl_multi_strerror(code));
        finish(ex);
    }
}

/* libcurl 8 counts the wait for a free connection as time to connect, and gives up a request when its turn has come.
 * Nothing was tried, so it starts anew; our own deadline goes on. */
static void collect_finished(struct pool *pool)
{
    int left;
    for (CURLMsg *msg; (msg = curl_multi_info_read(pool->multi, &left));) {
        CURLcode code = msg->data.result;
        char *private = NULL;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
        struct exchange *ex = (struct exchange *)(void *)private;
        if (code == CURLE_OPERATION_TIMEDOUT && !ex->connecting) {
            leave_multi(ex);
            list_append(&pool->http->starting, &ex->node);
            continue;
        }
        exchange_ended(ex, code);
        finish(ex);
    }
}

static void settle(struct http *http)
{
    if (http->in_curl)
        return;
    while (!list_empty(&http->doomed))
        discard(CONTAINER_OF(http->doomed.next, struct exchange, node));
    for (size_t i = 0; i < N_POOLS; i++)
        collect_finished(&http->pools[i]);
    start_waiting(http);
}

void exchange_expired(struct exchange *ex)
{
    finish(ex);
    settle(ex->http);
}

/* Sockets and time */

static void run_pool(struct pool *pool, curl_socket_t fd, int events)
{
    struct http *http = pool->http;
    int running;
    /* Connections begin here, and with them resolver threads: signals are for the loop's thread. Not those that a
     * thread raises itself by a fault. */
    sigset_t mask, before;
    sigfillset(&mask);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        sigdelset(&mask, faults[i]);
    (void)pthread_sigmask(SIG_BLOCK, &mask, &before);
    http->in_curl++;
    CURLMcode code = curl_multi_socket_action(pool->multi, fd, events, &running);
    http->in_curl--;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert(code == CURLM_OK);
    (void)code;
    settle(http);
}

static void on_socket_ready(void *data, unsigned events)
{
    struct sock *s = data;
    LOOP_METERED(s->pool->http->meter);
    run_pool(s->pool, s->fd, (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_alarm(void *data)
{
    struct pool *pool = data;
    LOOP_METERED(pool->http->meter);
    run_pool(pool, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi UNUSED, long timeout_ms, void *userp)
{
    struct pool *pool = userp;
    loop_alarm_set(pool->alarm, timeout_ms < 0 ? -1 : timeout_ms * USEC_PER_MSEC);
    return 0;
}

static int on_curl_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *userp, void *socketp)
{
    struct pool *pool = userp;
    struct sock *s = socketp;
    unsigned events = (what & CURL_POLL_IN ? LOOP_READ : 0u) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0u);
    if (what == CURL_POLL_REMOVE) {
        if (s)
            (void)loop_io_free(s->io);
        free(s);
        return 0;
    }
    if (s) {
        loop_io_events(s->io, events);
        return 0;
    }
    s = xcalloc(1, sizeof(*s));
    *s = (struct sock){.pool = pool, .fd = fd};
    s->io = loop_io_new(pool->http->loop, fd, events, pool->priority, on_socket_ready, s, NULL);
    /* -1 would end this multi handle for good; the kernel has no other reason than want of memory. */
    assert(s->io);
    (void)curl_multi_assign(pool->multi, fd, s);
    return 0;
}

/* The client */

static int add_pool(struct http *http, size_t i, const struct http_config *config, struct error *err)
{
    struct pool *pool = &http->pools[i];
    *pool = (struct pool){.http = http, .priority = pool_priority[i], .multi = curl_multi_init()};
    if (!pool->multi)
        return error_set(err, ERROR_INTERNAL, "libcurl: making a multi handle failed");
    pool->alarm = loop_alarm_new(http->loop, pool->priority, on_alarm, pool, err);
    if (!pool->alarm)
        return -1;
    CURLM *m = pool->multi;
    long per_host = config->max_host_connections > 0 ? config->max_host_connections : DEFAULT_HOST_CONNECTIONS;
    (void)curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    (void)curl_multi_setopt(m, CURLMOPT_SOCKETDATA, pool);
    (void)curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    (void)curl_multi_setopt(m, CURLMOPT_TIMERDATA, pool);
    (void)curl_multi_setopt(m, CURLMOPT_PIPELINING, i == POOL_SHARED ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING);
    (void)curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, i == POOL_SHARED ? per_host : 0L);
    (void)curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    return 0;
}

struct http *http_new(struct loop *loop, const struct http_config *config, struct error *err)
{
    struct http *http = xcalloc(1, sizeof(*http));
    http->loop = loop;
    http->meter = config->meter;
    http->user_agent = xstrdup0(config->user_agent);
    http->proxy = xstrdup0(config->proxy);
    http->tls_slot = tls_slot_new();
    list_init(&http->starting);
    list_init(&http->doomed);
    for (size_t i = 0; i < N_DELIVERIES; i++) {
        struct delivery *d = &http->deliveries[i];
        *d = (struct delivery){.http = http, .priority = delivery_priority[i]};
        list_init(&d->finished);
        loop_timer_init(&d->timer, loop, d->priority, on_deliver, d);
    }
    int r = 0;
    http->global = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (!http->global)
        r = error_set(err, ERROR_INTERNAL, "libcurl: initialisation failed");
    for (size_t i = 0; r == 0 && i < N_POOLS; i++)
        r = add_pool(http, i, config, err);
    return r < 0 ? http_free(http) : http;
}

struct http *http_free(struct http *http)
{
    if (!http)
        return NULL;
    assert(!http->in_curl && !http->delivering);
    for (size_t i = 0; i < http->n_slots; i++)
        if (http->slots[i])
            discard(http->slots[i]);
    for (size_t i = 0; i < N_DELIVERIES; i++)
        loop_timer_disarm(&http->deliveries[i].timer);
    for (size_t i = 0; i < N_POOLS; i++) {
        if (http->pools[i].multi)
            (void)curl_multi_cleanup(http->pools[i].multi);
        (void)loop_alarm_free(http->pools[i].alarm);
    }
    if (http->global)
        curl_global_cleanup();
    tls_slot_free(http->tls_slot);
    free(http->slots);
    free(http->user_agent);
    http->proxy = http_wipe(http->proxy);
    free(http);
    return NULL;
}

int64_t http_start(struct http *http, struct http_origin *origin, const struct http_request *request, struct error *err)
{
    struct exchange *ex = exchange_new(http, origin, request, err);
    if (!ex)
        return -1;
    if (take_id(http, ex, err) < 0) {
        exchange_free(ex);
        return -1;
    }
    ex->pool = &http->pools[ex->request.priority == LOOP_LEASE      ? POOL_LEASE
                            : request->connection == HTTP_DEDICATED ? POOL_DEDICATED
                                                                    : POOL_SHARED];
    list_append(&http->starting, &ex->node);
    int64_t id = ex->id;
    if (!http->in_curl)
        start_waiting(http);
    return id;
}

void http_cancel(struct http *http, int64_t id)
{
    struct exchange *ex = find(http, id);
    if (!ex)
        return;
    drop_id(ex);
    loop_timer_disarm(&ex->timer);
    if (http->in_curl) {
        list_remove(&ex->node);
        list_append(&http->doomed, &ex->node);
        return;
    }
    discard(ex);
}

size_t http_active(const struct http *http)
{
    return http->active;
}
