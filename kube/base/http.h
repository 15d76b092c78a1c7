/* HTTP out: libcurl's multi interface on the loop. The only file that knows curl is http.c.
 *
 * Every exchange is asynchronous and ends in exactly one `done` callback, never from inside http_start(), unless it is
 * cancelled, which ends it silently and for good (the transfer is aborted). Deadlines, body caps and an idle limit are
 * part of the request. Redirects are never followed; no cookies, no netrc, no proxy but the one that is configured.
 * Credentials are bound to an origin (scheme, host, port): a request has no other address than its origin's.
 *
 * Errors name the peer and the remedy:
 *   ERROR_IO       name not known, connection refused, reset or closed early
 *   ERROR_TLS      a certificate or a handshake; code HTTP_TLS_LASTING: it stays wrong until somebody changes something
 *   ERROR_TIMEOUT  connecting, the whole, or silence took too long
 *   ERROR_LIMIT    the answer is larger than it may be
 *   ERROR_HTTP     what came is not HTTP
 *   and whatever on_send or on_data filled in
 *
 * Whether a write may be tried again: `sent` false means that no byte of it has left; otherwise, without a response, it
 * may or may not have been acted upon. libcurl repeats a request by itself when a kept connection turns out to be dead;
 * here only GET and HEAD are let through a second time.
 *
 * Durations are in the loop's time (on a fake clock: jumped over), but for connecting, which libcurl measures itself.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"

#define HTTP_TLS_LASTING 1

struct http;

struct http_config {
    const char *user_agent;
    const char *proxy;         /* "http://host:port"; NULL: none (the environment is not read). Loopback goes direct */
    long max_host_connections; /* of HTTP_SHARED; 0: 8 */
    struct loop_meter *meter;  /* of what its exchanges cost, `done` included; NULL: not measured */
};

/* `loop` is borrowed. */
struct http *http_new(struct loop *loop, const struct http_config *config, struct error *err) MUST_USE;
/* Cancels what is under way and closes all connections. Not from inside a callback of an exchange. */
struct http *http_free(struct http *http);

/* TLS material and credential of one origin. Blobs are PEM. Reference counted: a change makes a new one, requests under
 * way keep theirs; other material means other connections. */
struct http_origin;
struct http_origin_config {
    const char *url;             /* "https://host:port[/prefix]" (http:// only where the user configured it) */
    const char *ca_pem;          /* NULL: the system's bundle, as it is when the origin is made */
    const char *client_cert_pem; /* NULL: none */
    const char *client_key_pem;
    const char *server_name; /* SNI and name to verify, NULL: the URL's host */
    const char *proxy;       /* NULL: http_config's; "": none */
    bool insecure_skip_verify;
};
/* Refuses a URL that is not what it should be, and PEM that does not parse, with a message for the user; notes the
 * client certificate's expiry. */
struct http_origin *http_origin_new(const struct http_origin_config *config, struct error *err) MUST_USE;
struct http_origin *http_origin_ref(struct http_origin *o);
/* What http_origin_new() would say of the URL alone. No message has a user name, password or query of it. *ret_safe: a
 * credential may go there, over https or to this machine. */
int http_url_check(const char *url, bool *ret_safe, struct error *err) MUST_USE;
struct http_origin *http_origin_unref(struct http_origin *o);
/* "Authorization: Bearer TOKEN" for requests to this origin; NULL takes it away. Copied; wiped when replaced. Refused
 * (-1) for a plain http origin that is not loopback, and for control characters. Requests under way keep theirs. */
int http_origin_set_bearer(struct http_origin *o, const char *token, struct error *err) MUST_USE;
/* Another authentication header (x-api-key ...); NULL takes it away. At most 8. */
int http_origin_set_header(struct http_origin *o, const char *name, const char *secret, struct error *err) MUST_USE;
const char *http_origin_url(const struct http_origin *o);     /* with the port, without a slash at the end */
bool http_origin_is_loopback(const struct http_origin *o);    /* this machine */
int64_t http_origin_cert_expiry(const struct http_origin *o); /* Unix seconds; 0: no client certificate */

struct http_result {
    int status;       /* HTTP status, 0 when there is none */
    const char *body; /* buffered requests: the bytes, NUL-terminated; borrowed for the callback */
    size_t body_len;
    const char *content_type; /* "" when absent */
    int64_t retry_after_ms;   /* Retry-After in seconds or as a date (against the answer's Date); -1 when absent */
    int64_t total_us;
    bool sent;          /* whether any byte of the request may have reached the peer */
    bool got_response;  /* a status line was read */
    const void *handle; /* for http_result_header() */
};

/* The `index`-th header of this name (any case), or NULL; valid until the next call, only inside the callback. */
const char *http_result_header(const struct http_result *r, const char *name, size_t index);

enum http_connection {
    HTTP_SHARED,    /* pooled; HTTP/2 where the peer has it */
    HTTP_DEDICATED, /* a connection no other request is on, HTTP/1.1: watches, lease renewal. It is kept and
                       taken again by the next one. Those of priority LOOP_LEASE have connections of their own
                     */
};

struct http_request {
    const char *method;         /* "GET" ... */
    const char *path;           /* what follows the origin's URL, already escaped, starts with "/"; no "." segments */
    const char *const *headers; /* "Name: value", NULL-terminated, or NULL; never secrets */
    const char *body;           /* copied; its type is a header */
    size_t body_len;
    int64_t connect_timeout_us; /* 0: 10 s */
    int64_t total_timeout_us;   /* 0: 30 s; < 0: none */
    int64_t idle_timeout_us;    /* 0: none: longest silence of the peer once the request is sent */
    size_t max_body;            /* 0: 8 MiB. Counts decompressed bytes */
    enum http_connection connection;
    enum loop_priority priority; /* of the callbacks; LOOP_LEASE: of the whole exchange, always on HTTP_DEDICATED */
    bool fresh_connection;       /* not one that was used before: after a failure on a kept one */
    bool verbatim_encoding;      /* true: no compressed answers are asked for */

    /* Optional. A connection is there and the first byte is about to leave: the last moment to think better of it.
     * Return < 0 with *err filled to end the exchange with that error and nothing sent. */
    int (*on_send)(void *data, struct error *err);
    /* Optional. Status and headers are there. */
    void (*on_headers)(void *data, const struct http_result *head);
    /* Streaming: pieces of the body as they come; when set, nothing is buffered and max_body is the sum (SIZE_MAX:
     * any). Return < 0 with *err filled to end the exchange with that error. */
    int (*on_data)(void *data, const char *bytes, size_t len, struct error *err);
    /* The end. err == NULL: a response was read to its end, whatever its status. (One that says neither its length nor
     * its end is an error, because a cut connection looks the same.) */
    void (*done)(void *data, const struct http_result *result, const struct error *err);
    void *data;
    /* In all of them http_start() and http_cancel(), also of itself, are allowed. */
};

/* Gives an id > 0 (ids are never used twice), or < 0. The origin is referenced, the body and all strings are copied. */
int64_t http_start(struct http *http, struct http_origin *origin, const struct http_request *request,
                   struct error *err) MUST_USE;
/* No callback comes after this. An id that is done already: nothing. */
void http_cancel(struct http *http, int64_t id);
size_t http_active(const struct http *http);

#endif
