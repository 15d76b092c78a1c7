/* HTTP in: probes and metrics, on libmicrohttpd's epoll descriptor nested in the loop (httpd.c alone knows it). Plain
 * HTTP, GET and HEAD only, 32 connections, 10 s idle limit, no request body. */
#ifndef BASE_HTTPD_H
#define BASE_HTTPD_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"

struct httpd;

struct httpd_request {
    const char *path;
    const char *accept; /* "" when absent */
};

struct httpd_response {
    int status; /* starts as 200 */
    const char *content_type; /* starts as "text/plain; charset=utf-8"; a constant */
    struct buf body;          /* capped at 64 MiB */
};

/* `address`: "host:port", ":port" (all addresses), port 0 takes a free one. A port in use is an ERROR_CONFIG that names
 * it and the remedy. */
struct httpd *httpd_new(struct loop *loop, const char *address, struct error *err);
struct httpd *httpd_free(struct httpd *h);
/* Exact path; the handler runs on the loop. */
void httpd_handle(struct httpd *h, const char *path,
                  void (*fn)(void *data, const struct httpd_request *request, struct httpd_response *response), void *data);
int httpd_port(const struct httpd *h);

#endif
