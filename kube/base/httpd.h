/* HTTP in: probes and metrics, on libmicrohttpd's epoll descriptor nested in the loop (httpd.c alone knows it). Plain
 * HTTP, GET and HEAD only, no request body, headers up to 16 KiB.
 *
 * At most 32 connections, each closed after 10 s of silence. The 33rd is not made to wait: the one that has been quiet
 * for longest makes room, so that nobody keeps a probe out by holding connections open. A client that reads slowly
 * holds up nobody but itself.
 */
#ifndef BASE_HTTPD_H
#define BASE_HTTPD_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"

struct httpd;

struct httpd_request {
    const char *path;   /* without the query */
    const char *accept; /* "" when absent */
};

struct httpd_response {
    int status;               /* starts as 200 */
    const char *content_type; /* starts as "text/plain; charset=utf-8"; a constant */
    struct buf body;          /* capped at 64 MiB; above it the answer is a 500 */
};

/* `address`: "host:port" with a numeric host or localhost, "[::1]:port", ":port" (all addresses); port 0 takes a free
 * one. A port in use is an ERROR_CONFIG that names it and the remedy. `loop` is borrowed. */
struct httpd *httpd_new(struct loop *loop, const char *address, struct error *err) MUST_USE;
/* Closes all connections. Not from inside a handler. */
struct httpd *httpd_free(struct httpd *h);
/* Exact path (copied); the handler runs on the loop. A path that has one gets the new one. */
void httpd_handle(struct httpd *h, const char *path,
                  void (*fn)(void *data, const struct httpd_request *request, struct httpd_response *response),
                  void *data);
int httpd_port(const struct httpd *h);

#endif
