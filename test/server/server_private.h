/* The inside of the scripted server: server.c (the thread), connection.c (one connection), route.c (which script
 * answers what, and what came). */
#ifndef TEST_SERVER_SERVER_PRIVATE_H
#define TEST_SERVER_SERVER_PRIVATE_H

#include "base/buf.h"
#include "base/list.h"
#include "test/server/server.h"

#include <openssl/ssl.h>
#include <pthread.h>

/* What is behind the mutex is said; everything else belongs to the server's thread or never changes. */

struct route {
    struct list node;
    char *method; /* NULL: any */
    char *path;   /* without parameters and star */
    char *query;  /* "watch=1&x", NULL: none asked for */
    bool prefix;
    struct script **queue;
    size_t n_queue;
    struct script *standing;
    struct script *(*fn)(void *data, const struct server_request *r);
    void *data;
};

/* A script that is to be played on a held request. */
struct append {
    struct list node;
    uint64_t id;
    struct script *script;
};

struct captured {
    struct list node;
    struct server_request *request;
};

struct greeting {
    struct list node;
    struct server_hello hello;
};

enum server_order { ORDER_NONE, ORDER_DOWN, ORDER_UP, ORDER_DROP, ORDER_QUIT };

struct server {
    struct server_options options;
    struct pki *pki, *other_pki;
    SSL_CTX *tls;
    int port, listener, epoll, wake;
    char url[64];
    pthread_t thread;
    struct list connections;
    uint64_t next_connection, next_request;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock: */
    struct list routes, captured, appends, hellos;
    struct script **accepts;
    size_t n_accepts;
    size_t seen, unexpected, accepted, open;
    enum server_order order;
};

struct player {
    struct script *script; /* NULL: plays nothing */
    size_t step, offset;
    bool waited; /* the delay of this step, or of this piece, has passed */
};

enum connection_state { CONNECTION_SCRIPT, CONNECTION_HANDSHAKE, CONNECTION_READ, CONNECTION_CLOSING, CONNECTION_DEAD };

struct connection {
    struct list node;
    struct server *server;
    uint64_t id, request_id; /* 0: none */
    size_t nth;
    int fd;
    SSL *ssl;
    bool secure; /* the handshake is done, or plain */
    bool http;   /* the accept script is over */
    enum connection_state state;
    struct player script, extra; /* `extra`: what was appended to a held one */
    struct list appended;
    struct buf in;
    struct server_hello hello;
    int64_t wake_us; /* CLOCK_MONOTONIC; INT64_MAX: no delay */
    bool want_read, want_write;
};

int64_t server_monotonic_us(void);

/* connection.c */
struct connection *connection_new(struct server *s, int fd, struct script *first);
struct connection *connection_free(struct connection *c, bool reset);
/* Does whatever can be done now. */
void connection_run(struct connection *c, bool readable, bool hung_up);

/* route.c; all lock for themselves. */
struct script *route_answer(struct server *s, const struct server_request *r, bool *ret_expected);
void route_capture(struct server *s, struct server_request *r);
void route_free_all(struct server *s);

/* request.c: takes one request from the front of `in`. 1: there is one, 0: not whole yet, -1: not HTTP. */
int request_parse(struct buf *in, struct server_request **ret);

#endif
