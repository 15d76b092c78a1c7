/* One connection: plays scripts, does the handshake, reads requests. Everything is non-blocking; connection_run() goes
 * on until the socket or the script says wait. */
#include "test/server/server_private.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_REQUEST = 64 << 20 };
enum progress { BLOCKED, MOVED };

struct connection *connection_new(struct server *s, int fd, struct script *first)
{
    struct connection *c = xcalloc(1, sizeof(*c));
    *c = (struct connection){.server = s, .id = ++s->next_connection, .fd = fd, .wake_us = INT64_MAX};
    list_init(&c->node);
    list_init(&c->appended);
    buf_init(&c->in, MAX_REQUEST);
    c->script.script = first;
    c->state = first ? CONNECTION_SCRIPT : s->tls ? CONNECTION_HANDSHAKE : CONNECTION_READ;
    c->http = !first;
    if (s->tls) {
        c->ssl = SSL_new(s->tls);
        assert(c->ssl && SSL_set_fd(c->ssl, fd) == 1);
        SSL_set_accept_state(c->ssl);
        SSL_set_app_data(c->ssl, c);
    }
    return c;
}

static void drop_scripts(struct connection *c)
{
    c->script.script = script_free(c->script.script);
    c->extra.script = script_free(c->extra.script);
    list_for_each_safe (it, after, &c->appended) {
        struct append *a = CONTAINER_OF(it, struct append, node);
        list_remove(&a->node);
        (void)script_free(a->script);
        free(a);
    }
}

struct connection *connection_free(struct connection *c, bool reset)
{
    if (reset) {
        struct linger now = {.l_onoff = 1};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    drop_scripts(c);
    list_remove(&c->node);
    buf_done(&c->in);
    SSL_free(c->ssl);
    (void)close(c->fd);
    free(c);
    return NULL;
}

/* Bytes moved; 0: not now (what is waited for is noted); -1: the connection is at its end. */
static ssize_t after_io(struct connection *c, ssize_t n, bool reading)
{
    if (n > 0)
        return n;
    if (c->secure) {
        int e = SSL_get_error(c->ssl, (int)n);
        c->want_read = e == SSL_ERROR_WANT_READ;
        c->want_write = e == SSL_ERROR_WANT_WRITE;
        return c->want_read || c->want_write ? 0 : -1;
    }
    c->want_read = reading;
    c->want_write = !reading;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static ssize_t read_some(struct connection *c)
{
    char piece[16384];
    ERR_clear_error();
    ssize_t n = c->secure ? SSL_read(c->ssl, piece, sizeof(piece)) : recv(c->fd, piece, sizeof(piece), 0);
    n = after_io(c, n, true);
    if (n > 0 && buf_append(&c->in, piece, (size_t)n) < 0)
        return -1;
    return n;
}

static ssize_t write_some(struct connection *c, const char *bytes, size_t len)
{
    ERR_clear_error();
    int most = (int)MIN(len, (size_t)1 << 20);
    ssize_t n = c->secure ? SSL_write(c->ssl, bytes, most) : send(c->fd, bytes, (size_t)most, MSG_NOSIGNAL);
    return after_io(c, n, false);
}

/* The handshake */

static void note_hello(struct connection *c, bool complete)
{
    const char *name = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
    X509 *cert = SSL_get1_peer_certificate(c->ssl);
    if (name)
        memcpy(c->hello.server_name, name, MIN(strlen(name), sizeof(c->hello.server_name) - 1));
    if (cert)
        (void)X509_NAME_oneline(X509_get_subject_name(cert), c->hello.client, sizeof(c->hello.client));
    X509_free(cert);
    c->hello.complete = complete;
    struct greeting *g = xcalloc(1, sizeof(*g));
    g->hello = c->hello;
    pthread_mutex_lock(&c->server->lock);
    list_append(&c->server->hellos, &g->node);
    pthread_cond_broadcast(&c->server->changed);
    pthread_mutex_unlock(&c->server->lock);
}

/* 1: done, 0: not yet, -1: failed. */
static int handshake(struct connection *c)
{
    ERR_clear_error();
    int n = SSL_accept(c->ssl);
    if (n == 1) {
        c->secure = true;
        note_hello(c, true);
        return 1;
    }
    int e = SSL_get_error(c->ssl, n);
    c->want_read = e == SSL_ERROR_WANT_READ;
    c->want_write = e == SSL_ERROR_WANT_WRITE;
    if (c->want_read || c->want_write)
        return 0;
    note_hello(c, false);
    return -1;
}

/* Scripts */

static void wait_ms(struct connection *c, int ms)
{
    c->wake_us = server_monotonic_us() + (int64_t)ms * 1000;
}

static enum progress die(struct connection *c)
{
    c->state = CONNECTION_DEAD;
    return MOVED;
}

static enum progress next_step(struct player *p)
{
    p->step++;
    p->offset = 0;
    p->waited = false;
    return MOVED;
}

static enum progress play_bytes(struct connection *c, struct player *p, const struct script_step *step)
{
    size_t left = step->len - p->offset;
    ssize_t n = write_some(c, step->bytes + p->offset, step->split ? MIN(left, step->split) : left);
    if (n <= 0)
        return n < 0 ? die(c) : BLOCKED;
    p->offset += (size_t)n;
    bool last = p->offset == step->len;
    if (last)
        (void)next_step(p);
    if (step->split && step->ms > 0) {
        wait_ms(c, step->ms);
        return BLOCKED;
    }
    return MOVED;
}

static enum progress play_read(struct connection *c, struct player *p, size_t n)
{
    while (c->in.len < n) {
        ssize_t got = read_some(c);
        if (got <= 0)
            return got < 0 ? die(c) : BLOCKED;
    }
    buf_consume(&c->in, n);
    return next_step(p);
}

static enum progress play_hold(struct connection *c)
{
    if (list_empty(&c->appended))
        return BLOCKED;
    struct append *a = CONTAINER_OF(c->appended.next, struct append, node);
    list_remove(&a->node);
    c->extra = (struct player){.script = a->script};
    free(a);
    return MOVED;
}

static enum progress end_of_script(struct connection *c)
{
    drop_scripts(c);
    c->request_id = 0;
    c->state = c->server->tls && !c->secure ? CONNECTION_HANDSHAKE : CONNECTION_READ;
    c->http = true;
    return MOVED;
}

static enum progress play_cut(struct connection *c, bool clean)
{
    if (c->secure && clean) {
        ERR_clear_error();
        (void)SSL_shutdown(c->ssl);
    }
    (void)shutdown(c->fd, SHUT_WR);
    drop_scripts(c);
    c->secure = false; /* what still comes is thrown away as it is */
    c->state = CONNECTION_CLOSING;
    return MOVED;
}

static enum progress play_tls(struct connection *c, struct player *p)
{
    int r = handshake(c);
    /* Not closed at once: with bytes unread that would be a reset, and overtake the alert that says why. */
    return r > 0 ? next_step(p) : r < 0 ? play_cut(c, false) : BLOCKED;
}

static enum progress play_step(struct connection *c)
{
    struct player *p = c->extra.script ? &c->extra : &c->script;
    if (p->step == script_length(p->script)) {
        if (p == &c->script)
            return end_of_script(c);
        c->extra.script = script_free(c->extra.script);
        return MOVED;
    }
    const struct script_step *step = script_at(p->script, p->step);
    switch (step->op) {
    case SCRIPT_BYTES:
        return play_bytes(c, p, step);
    case SCRIPT_DELAY:
        if (p->waited)
            return next_step(p);
        p->waited = true;
        wait_ms(c, step->ms);
        return BLOCKED;
    case SCRIPT_HOLD:
        return play_hold(c);
    case SCRIPT_DONE:
        return end_of_script(c);
    case SCRIPT_CUT:
    case SCRIPT_CUT_DIRTY:
        return play_cut(c, step->op == SCRIPT_CUT);
    case SCRIPT_RESET: {
        struct linger now = {.l_onoff = 1};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        return die(c);
    }
    case SCRIPT_TLS:
        return play_tls(c, p);
    case SCRIPT_READ:
        return play_read(c, p, step->len);
    case SCRIPT_STALL:
    default:
        return BLOCKED;
    }
}

/* Requests */

static enum progress read_request(struct connection *c)
{
    struct server_request *r = NULL;
    int parsed = request_parse(&c->in, &r);
    if (parsed < 0)
        return die(c);
    if (parsed == 0) {
        ssize_t n = read_some(c);
        return n > 0 ? MOVED : n < 0 ? die(c) : BLOCKED;
    }
    struct timespec boot, real;
    (void)clock_gettime(CLOCK_BOOTTIME, &boot);
    (void)clock_gettime(CLOCK_REALTIME, &real);
    r->id = c->request_id = ++c->server->next_request;
    r->connection = c->id;
    r->nth = ++c->nth;
    r->at_us = (int64_t)boot.tv_sec * 1000000 + boot.tv_nsec / 1000;
    r->real_us = (int64_t)real.tv_sec * 1000000 + real.tv_nsec / 1000;
    bool expected;
    c->script = (struct player){.script = route_answer(c->server, r, &expected)};
    r->unexpected = !expected;
    c->state = CONNECTION_SCRIPT;
    route_capture(c->server, r);
    return MOVED;
}

static enum progress drain(struct connection *c)
{
    ssize_t n = read_some(c);
    buf_clear(&c->in);
    return n > 0 ? MOVED : n < 0 ? die(c) : BLOCKED;
}

void connection_run(struct connection *c, bool readable UNUSED, bool hung_up)
{
    if (c->wake_us <= server_monotonic_us())
        c->wake_us = INT64_MAX;
    /* A client that has gone while a script plays: nothing more can come of it. */
    if (hung_up && c->state == CONNECTION_SCRIPT)
        c->state = CONNECTION_DEAD;
    enum progress progress = MOVED;
    while (progress == MOVED && c->wake_us == INT64_MAX) {
        c->want_read = c->want_write = false;
        switch (c->state) {
        case CONNECTION_SCRIPT:
            progress = play_step(c);
            break;
        case CONNECTION_HANDSHAKE: {
            int r = handshake(c);
            if (r > 0)
                c->state = CONNECTION_READ;
            progress = r > 0 ? MOVED : r < 0 ? play_cut(c, false) : BLOCKED;
            break;
        }
        case CONNECTION_READ:
            progress = read_request(c);
            break;
        case CONNECTION_CLOSING:
            progress = drain(c);
            break;
        case CONNECTION_DEAD:
        default:
            return;
        }
    }
}
