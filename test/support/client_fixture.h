/* A client, a TLS server that does what the test says, and a clock that the test moves. Real sockets,
 * scripted time: nothing sleeps, and a wait of the client's is over when the test says so. */
#ifndef TEST_SUPPORT_CLIENT_FIXTURE_H
#define TEST_SUPPORT_CLIENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/loop.h"
#include "kube/client.h"
#include "test/server/server.h"

#define SECRET "s3cret-token"

struct fixture {
    struct clock_fake clock;
    struct loop *loop;
    struct http *http;
    struct server *server;
    struct kube_config config;
    struct kube_client_options options;
    struct kube_client *client;
    struct metrics *metrics;
    struct rng rng;
    int log_fd;
    char dir[64]; /* for credential files */
};

/* What came of a request. */
struct outcome {
    struct fixture *f;
    int64_t id;
    bool done;
    bool has_error;
    struct error err;
    struct kube_response response; /* its body is not valid any more */
    char body[4096];
    char streamed[4096];
    size_t n_streamed;
};

/* cmocka setup and teardown. The teardown checks that SECRET is nowhere in the log. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);
/* (Re)starts the server with options, and points the configuration at it. */
void fixture_serve(struct fixture *f, const struct server_options *options);
/* Makes the client from config and options, which the test may have changed before. */
void fixture_client(struct fixture *f);

/* Starts a request whose end goes to `o`; strings are as in kube_request. */
void begin(struct fixture *f, struct outcome *o, struct kube_request request);
/* Dispatches until it is done; fails the test after 10 s of real time. */
void finish(struct outcome *o);
/* Both. */
void ask(struct fixture *f, struct outcome *o, struct kube_request request);
/* Dispatches for a while without moving the clock, and checks that it is not done. */
void still_waits(struct outcome *o);
/* Moves the clock and dispatches what is due. */
void pass(struct fixture *f, int64_t us);
/* Dispatches until the server has seen `n` requests. */
void until_seen(struct fixture *f, size_t n);

void put_file(struct fixture *f, const char *name, const char *text); /* swaps it in, as a kubelet does */
char *file_path(struct fixture *f, const char *name);                 /* gives */
char *logged(struct fixture *f);                                      /* gives */
unsigned count_in(const char *text, const char *word);
/* The value of a series in the exposition ("name{labels}") in thousandths, or -1. */
int64_t metric_milli(struct fixture *f, const char *series);

#endif
