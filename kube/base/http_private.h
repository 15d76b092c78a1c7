/* The inside of the client, between http.c (the multi handles on the loop, who is under way, who is told) and
 * http_exchange.c (one exchange: what libcurl is asked for, and what its callbacks make of the answer). */
#ifndef BASE_HTTP_PRIVATE_H
#define BASE_HTTP_PRIVATE_H

#include "base/http.h"
#include "base/http_origin.h"
#include "base/list.h"

#include <curl/curl.h>

/* Three multi handles: watches don't eat the connections of the shared pool, and the lease's run at its priority. */
enum { POOL_SHARED, POOL_DEDICATED, POOL_LEASE, N_POOLS };

struct pool {
    struct http *http;
    CURLM *multi;
    struct loop_alarm *alarm;
    enum loop_priority priority;
};

/* The exchanges whose `done` is due, one list per priority. */
struct delivery {
    struct http *http;
    enum loop_priority priority;
    struct loop_timer timer;
    struct list finished;
};
enum { N_DELIVERIES = 4 };

struct http {
    struct loop *loop;
    struct loop_meter *meter; /* may be NULL */
    char *user_agent, *proxy;
    bool global;
    int tls_slot;
    struct pool pools[N_POOLS];
    struct delivery deliveries[N_DELIVERIES];
    struct exchange **slots;
    size_t n_slots, active;
    int64_t next_serial;
    struct list starting, doomed;
    unsigned in_curl; /* > 0: no call into libcurl now */
    bool delivering;
};

struct exchange {
    struct list node; /* of starting, doomed or finished */
    struct http *http;
    struct pool *pool;
    int64_t id; /* 0: cancelled, nobody is told anything any more */
    struct http_origin *origin;
    struct http_request request; /* with the defaults filled in; its strings are these: */
    char *method, *url, *body;
    char **header_copies;
    size_t n_header_copies;
    struct http_secret *secrets[HTTP_MAX_SECRETS];
    size_t n_secrets;
    struct curl_slist *headers; /* one array, linked */
    struct curl_slist connect_to;
    struct tls_peer *peer;
    CURL *easy;
    bool in_multi;
    char detail[CURL_ERROR_SIZE];

    struct loop_timer timer; /* the deadline or the end of patience with silence, whatever is first */
    int64_t started_us, deadline_us, heard_us;
    unsigned attempts;
    bool connecting; /* a name was asked for, or a socket opened: it is no longer queued */

    struct http_result result;
    char content_type[128], retry_after[64], date[64];
    size_t header_bytes, received;
    bool headers_done, measured /* by Content-Length or chunks */;
    struct buf response;
    struct error failure; /* kind != ERROR_NONE: how it ends */
};

/* Checks the request and makes the easy handle. The exchange has no id yet and is in no list. */
struct exchange *exchange_new(struct http *http, struct http_origin *origin, const struct http_request *request,
                              struct error *err) MUST_USE;
/* It has left its multi handle. */
void exchange_free(struct exchange *ex);
/* libcurl is through with it: fills `failure` where no callback of ours has and all is not well. */
void exchange_ended(struct exchange *ex, CURLcode code);
/* In http.c: the timer has filled `failure`. */
void exchange_expired(struct exchange *ex);

#endif
