/* A TLS (or plain TCP) HTTP/1.1 server that does exactly what the test wrote down: any bytes in any pieces, delays,
 * silence, cut and reset connections, wrong certificates. It knows no domain; an API simulator is scripts on it.
 *
 * It runs on a thread of its own, so that a single-threaded client can be driven by the test's thread. All functions
 * may be called from the test's thread at any time, and from handlers. What fails in here aborts: a test can't go on.
 *
 *     struct server *server = server_new(NULL);                                  // TLS on 127.0.0.1, a free
 * port server_on(server, "GET", "/version", script_answer(200, "application/json", "{}"));
 *
 *     struct script *s = script_new();                                           // the next one is a watch
 *     script_head(s, 200, "Transfer-Encoding: chunked\r\n");
 *     script_hold(s);
 *     server_on(server, "GET", "/api/v1/pods?watch", s);
 *
 *     ... the client is started with server_url(server) and server_ca_pem(server), and driven ...
 *     struct server_request *r = server_take(server, 0);                         // NULL: nothing came yet
 *     assert_string_equal(server_request_header(r, "Authorization"), "Bearer x");
 *     struct script *more = script_new();
 *     script_chunk(more, "{\"type\":\"BOOKMARK\"}\n");
 *     server_append(server, r->id, more);                                        // the held one goes on
 *     server_request_free(r);
 *     server_free(server);
 *
 * Routes. A pattern is a method (NULL: any) and a path:
 *     "/api/v1/pods"          this path, with any query or none
 *     "/api/v1/pods?watch"    and the query has this parameter (with any value)
 *     "/api/v1/pods?watch=1"  and with this value; several joined by &
 *     "/api/" and "*"         at the end: a prefix: "/api/" followed by a star
 * The most specific pattern that has something to play wins: parameters before none, whole paths before prefixes,
 * longer prefixes before shorter, a named method before any; equal ones: the one that was there first. Each pattern has
 * a queue of scripts, played once each, and behind it a default or a handler. A request that nothing answers gets a 404
 * and is counted (server_unexpected).
 */
#ifndef TEST_SERVER_SERVER_H
#define TEST_SERVER_SERVER_H

#include "base/base.h"
#include "test/server/pki.h"
#include "test/server/script.h"

struct server;

enum server_certificate {
    SERVER_CERT_VALID,      /* for localhost, 127.0.0.1, ::1 and `names` */
    SERVER_CERT_EXPIRED,    /* an hour ago */
    SERVER_CERT_NOT_YET,    /* from tomorrow on */
    SERVER_CERT_WRONG_NAME, /* for other.example */
    SERVER_CERT_OTHER_CA,   /* signed by a CA that server_ca_pem() is not */
};
enum server_client_cert { SERVER_CLIENT_NONE, SERVER_CLIENT_ASKED, SERVER_CLIENT_REQUIRED };

struct server_options {
    bool plain; /* no TLS */
    enum server_certificate certificate;
    enum server_client_cert client_cert; /* must be signed by the server's CA */
    const char *names;                   /* further names in the certificate: "DNS:api.example,IP:127.0.0.2" */
    bool http2;                          /* chooses "h2" when it is offered; the frames are the script's */
    bool tls12;                          /* nothing newer */
};

struct server *server_new(const struct server_options *options); /* NULL: all zero */
struct server *server_free(struct server *s);

int server_port(const struct server *s);
const char *server_url(const struct server *s); /* "https://127.0.0.1:PORT" */
const char *server_ca_pem(const struct server *s);
/* A certificate of the server's CA, for clients. */
void server_issue(struct server *s, const struct pki_leaf *leaf, struct pki_pair *ret);

/* Scripts are taken. */
void server_on(struct server *s, const char *method, const char *path, struct script *script);
void server_default(struct server *s, const char *method, const char *path, struct script *script);
/* The next connection that is accepted plays this first; when it does not close, the handshake (unless the script made
 * it) and HTTP follow. */
void server_on_accept(struct server *s, struct script *script);

/* One request as it came. Header names are compared without case. */
struct server_header {
    char *name, *value;
};
struct server_request {
    uint64_t id;         /* ascending from 1 */
    uint64_t connection; /* the same for requests on the same connection */
    size_t nth;          /* on its connection, from 1 */
    char *method;
    char *path; /* with the query */
    struct server_header *headers;
    size_t n_headers;
    char *body; /* NUL-terminated */
    size_t body_len;
    int64_t at_us;   /* CLOCK_BOOTTIME, when it was complete */
    int64_t real_us; /* CLOCK_REALTIME */
    bool unexpected;
};
const char *server_request_header(const struct server_request *r, const char *name); /* NULL: absent */
/* The value of a query parameter as it stands (not unescaped), in `out`; false: absent. */
bool server_request_query(const struct server_request *r, const char *name, char *out, size_t cap);

/* Runs on the server's thread for requests that no queued script answers; gives a script. `r` is borrowed. */
void server_handle(struct server *s, const char *method, const char *path,
                   struct script *(*fn)(void *data, const struct server_request *r), void *data);

/* Plays `script` (taken) where request `id` is held; nothing when its connection is gone. */
void server_append(struct server *s, uint64_t id, struct script *script);

/* The oldest request not taken yet; waits for one at most `timeout_ms`; NULL: none. */
struct server_request *server_take(struct server *s, int timeout_ms);
struct server_request *server_request_free(struct server_request *r);

size_t server_seen(struct server *s);        /* requests so far */
size_t server_unexpected(struct server *s);  /* of those, unanswered by any route */
size_t server_accepted(struct server *s);    /* connections so far */
size_t server_connections(struct server *s); /* open now */
/* Whether this many requests were seen, waiting for them at most `timeout_ms`. */
bool server_wait_seen(struct server *s, size_t n, int timeout_ms);

/* What a client offered in a handshake. */
struct server_hello {
    char server_name[256]; /* SNI, "" when absent */
    char alpn[64];         /* "h2,http/1.1" */
    char client[256];      /* subject of the client's certificate, "" when there was none */
    bool complete;         /* the handshake ended well, seen from here */
};
/* The oldest handshake not taken yet, waited for at most `timeout_ms`; false: none. */
bool server_take_hello(struct server *s, int timeout_ms, struct server_hello *ret);

/* Nobody listens and all connections are reset, as if the process had been killed; then again on the same port. Both
 * have taken effect when they return. */
void server_down(struct server *s);
void server_up(struct server *s);
/* Resets all connections and goes on listening. */
void server_drop(struct server *s);

#endif
