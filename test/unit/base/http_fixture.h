/* A loop, a client and scripted servers, and a call that keeps what came of it; for the tests of http. */
#ifndef TEST_UNIT_BASE_HTTP_FIXTURE_H
#define TEST_UNIT_BASE_HTTP_FIXTURE_H

#include "test/unit/base/unit.h"

#include "base/alloc.h"
#include "base/http.h"
#include "base/loop.h"
#include "test/server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS USEC_PER_MSEC
#define S  USEC_PER_SEC

struct fixture {
    struct loop *loop;
    struct http *http;
    struct server *server;
    struct http_origin *origin; /* of the server, trusted */
    struct clock_fake fake;
};

static inline struct http_origin *origin_of(const struct server *s)
{
    struct error err = ERROR_INIT;
    struct http_origin_config c = {.url = server_url(s), .ca_pem = server_ca_pem(s)};
    if (strncmp(c.url, "https", 5) != 0)
        c.ca_pem = NULL;
    struct http_origin *o = http_origin_new(&c, &err);
    if (!o)
        fail_msg("%s", error_text(&err));
    return o;
}

static inline void fixture_init(struct fixture *f, const struct server_options *options, const struct clock *clock)
{
    struct error err = ERROR_INIT;
    f->loop = loop_new(clock, &err);
    struct http_config config = {.user_agent = "unit/1.0"};
    f->http = http_new(f->loop, &config, &err);
    assert_non_null(f->http);
    f->server = server_new(options);
    f->origin = origin_of(f->server);
}

static inline struct fixture fixture_new(const struct server_options *options)
{
    struct fixture f = {0};
    fixture_init(&f, options, &clock_system);
    return f;
}

static inline void fixture_done(struct fixture *f)
{
    http_free(f->http);
    http_origin_unref(f->origin);
    server_free(f->server);
    loop_free(f->loop);
}

struct call {
    struct fixture *f;
    int64_t id;
    int done, heads, pieces;
    int status;
    struct buf body;
    char content_type[128];
    int64_t retry_after_ms, total_us;
    bool sent, got_response;
    struct error err; /* kind ERROR_NONE: it ended well */
    /* Hooks; NULL: none. Those with a result say < 0 to end it. */
    int (*on_send)(struct call *c, struct error *err);
    void (*on_head)(struct call *c, const struct http_result *head);
    int (*on_piece)(struct call *c, const char *bytes, size_t len, struct error *err);
    void (*on_done)(struct call *c, const struct http_result *r);
    void *data;
};

static inline int call_send(void *data, struct error *err)
{
    struct call *c = data;
    return c->on_send(c, err);
}

static inline void call_head(void *data, const struct http_result *head)
{
    struct call *c = data;
    c->heads++;
    assert_int_equal(c->done, 0);
    if (c->on_head)
        c->on_head(c, head);
}

static inline int call_piece(void *data, const char *bytes, size_t len, struct error *err)
{
    struct call *c = data;
    c->pieces++;
    assert_int_equal(c->done, 0);
    assert_int_equal(c->heads, 1);
    if (c->on_piece)
        return c->on_piece(c, bytes, len, err);
    return buf_append(&c->body, bytes, len);
}

static inline void call_done(void *data, const struct http_result *r, const struct error *err)
{
    struct call *c = data;
    c->done++;
    c->status = r->status;
    c->retry_after_ms = r->retry_after_ms;
    c->total_us = r->total_us;
    c->sent = r->sent;
    c->got_response = r->got_response;
    if (err)
        c->err = *err;
    assert_true(strlen(r->content_type) < sizeof(c->content_type));
    memcpy(c->content_type, r->content_type, strlen(r->content_type) + 1);
    assert_int_equal(r->body[r->body_len], '\0');
    if (r->body_len)
        assert_int_equal(buf_append(&c->body, r->body, r->body_len), 0);
    if (c->on_done)
        c->on_done(c, r);
}

/* Starts `request` (a GET of "/" where it says nothing) to `origin` with this call's callbacks. */
static inline void call_start_to(struct fixture *f, struct call *c, struct http_origin *origin,
                                 struct http_request request)
{
    struct error err = ERROR_INIT;
    c->f = f;
    c->body.max = (size_t)64 << 20;
    request.method = request.method ? request.method : "GET";
    request.path = request.path ? request.path : "/";
    request.on_send = c->on_send ? call_send : NULL;
    request.on_headers = call_head;
    request.on_data = c->on_piece ? call_piece : request.on_data;
    request.done = call_done;
    request.data = c;
    c->id = http_start(f->http, origin, &request, &err);
    if (c->id <= 0)
        fail_msg("%s", error_text(&err));
}

static inline void call_start(struct fixture *f, struct call *c, struct http_request request)
{
    call_start_to(f, c, f->origin, request);
}

/* Turns the loop until `done` of the call, 20 s at most. */
static inline void call_wait(struct call *c)
{
    int64_t end = clock_boot_us(&clock_system) + 20 * S;
    while (!c->done && clock_boot_us(&clock_system) < end)
        (void)loop_turn(c->f->loop, 100 * MS);
    assert_int_equal(c->done, 1);
}

static inline void call_clear(struct call *c)
{
    buf_done(&c->body);
}

/* Turns the loop for this long of real time. */
static inline void turn_for(struct fixture *f, int64_t us)
{
    int64_t end = clock_boot_us(&clock_system) + us;
    for (int64_t left; (left = end - clock_boot_us(&clock_system)) > 0;)
        (void)loop_turn(f->loop, left);
}

/* Turns the loop until the server has seen `n` requests in all. */
static inline void turn_until_seen(struct fixture *f, size_t n)
{
    int64_t end = clock_boot_us(&clock_system) + 20 * S;
    while (server_seen(f->server) < n && clock_boot_us(&clock_system) < end)
        (void)loop_turn(f->loop, 10 * MS);
    assert_true(server_seen(f->server) >= n);
}

static inline void check_says(const char *row, const struct error *err, enum error_kind kind, const char *text)
{
    if (err->kind != kind || !strstr(err->message, text))
        fail_msg("%s: wanted %s with \"%s\", got %s \"%s\"", row, error_kind_name(kind), text,
                 error_kind_name(err->kind), err->message);
}

#endif
