/* The scripted server's thread: an epoll loop over its connections, and the orders it takes from the test's thread. */
#include "test/server/server_private.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, BACKLOG = 1024, HOUR_S = 3600, DAY_S = 86400 };

int64_t server_monotonic_us(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* TLS */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned in_len, void *arg)
{
    const struct server *s = arg;
    struct connection *c = SSL_get_app_data(ssl);
    const unsigned char *h2 = NULL, *h1 = NULL;
    size_t at = 0;
    for (unsigned i = 0; i < in_len && i + 1 + in[i] <= in_len; i += 1u + in[i]) {
        at += (size_t)snprintf(c->hello.alpn + at, sizeof(c->hello.alpn) - at, "%s%.*s", at ? "," : "", in[i],
                               (const char *)&in[i + 1]);
        at = MIN(at, sizeof(c->hello.alpn) - 1);
        if (in[i] == 2 && memcmp(&in[i + 1], "h2", 2) == 0)
            h2 = &in[i + 1];
        if (in[i] == 8 && memcmp(&in[i + 1], "http/1.1", 8) == 0)
            h1 = &in[i + 1];
    }
    const unsigned char *chosen = s->options.http2 && h2 ? h2 : h1;
    if (!chosen)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    *out_len = chosen[-1];
    return SSL_TLSEXT_ERR_OK;
}

static void use_pair(SSL_CTX *ctx, const struct pki_pair *pair)
{
    BIO *bio = BIO_new_mem_buf(pair->cert_pem, -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free_all(bio);
    bio = BIO_new_mem_buf(pair->key_pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free_all(bio);
    assert(SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void trust_clients(SSL_CTX *ctx, const struct server *s)
{
    BIO *bio = BIO_new_mem_buf(pki_ca_pem(s->pki), -1);
    X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free_all(bio);
    assert(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca) == 1 && SSL_CTX_add_client_CA(ctx, ca) == 1);
    X509_free(ca);
    SSL_CTX_set_verify(
        ctx, SSL_VERIFY_PEER | (s->options.client_cert == SERVER_CLIENT_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        NULL);
    /* Without a context id OpenSSL refuses to resume sessions of clients with certificates. */
    assert(SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"test", 4) == 1);
}

static SSL_CTX *make_tls(struct server *s)
{
    const struct server_options *o = &s->options;
    char *names = xasprintf("DNS:localhost,IP:127.0.0.1,IP:::1%s%s", o->names ? "," : "", o->names ? o->names : "");
    struct pki_leaf leaf = {.common_name = "scripted server", .names = names};
    if (o->certificate == SERVER_CERT_EXPIRED) {
        leaf.from_s = -DAY_S;
        leaf.until_s = -HOUR_S;
    } else if (o->certificate == SERVER_CERT_NOT_YET) {
        leaf.from_s = DAY_S;
        leaf.until_s = 2L * DAY_S;
    } else if (o->certificate == SERVER_CERT_WRONG_NAME) {
        leaf.names = "DNS:other.example";
    }
    struct pki_pair pair;
    pki_issue(o->certificate == SERVER_CERT_OTHER_CA ? s->other_pki : s->pki, &leaf, &pair);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert(ctx);
    use_pair(ctx, &pair);
    if (o->client_cert != SERVER_CLIENT_NONE)
        trust_clients(ctx, s);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, s);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (o->tls12)
        (void)SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    pki_pair_done(&pair);
    free(names);
    return ctx;
}

/* The listener */

static void watch(struct server *s, int op, int fd, uint32_t events, void *ptr)
{
    struct epoll_event ev = {.events = events, .data.ptr = ptr};
    int r = epoll_ctl(s->epoll, op, fd, &ev);
    assert(r == 0);
    (void)r;
}

static void start_listening(struct server *s)
{
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;
    (void)setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)s->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int r = bind(s->listener, (struct sockaddr *)&a, sizeof(a));
    r = r == 0 ? listen(s->listener, BACKLOG) : r;
    r = r == 0 ? getsockname(s->listener, (struct sockaddr *)&a, &len) : r;
    assert(r == 0);
    (void)r;
    s->port = ntohs(a.sin_port);
    watch(s, EPOLL_CTL_ADD, s->listener, EPOLLIN, &s->listener);
}

static void stop_listening(struct server *s)
{
    if (s->listener >= 0)
        (void)close(s->listener);
    s->listener = -1;
}

/* The thread */

static uint32_t interest(const struct connection *c)
{
    return (uint32_t)EPOLLRDHUP | (c->want_read ? (uint32_t)EPOLLIN : 0) | (c->want_write ? (uint32_t)EPOLLOUT : 0);
}

static void count_open(struct server *s, int change)
{
    pthread_mutex_lock(&s->lock);
    s->open = change > 0 ? s->open + 1 : s->open - 1;
    s->accepted += change > 0;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void run_connection(struct connection *c, bool readable, bool hung_up)
{
    struct server *s = c->server;
    connection_run(c, readable, hung_up);
    if (c->state == CONNECTION_DEAD) {
        (void)connection_free(c, false);
        count_open(s, -1);
        return;
    }
    watch(s, EPOLL_CTL_MOD, c->fd, interest(c), c);
}

static void accept_all(struct server *s)
{
    for (;;) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        int yes = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        struct script *first = NULL;
        pthread_mutex_lock(&s->lock);
        if (s->n_accepts) {
            first = s->accepts[0];
            memmove(s->accepts, s->accepts + 1, --s->n_accepts * sizeof(struct script *));
        }
        pthread_mutex_unlock(&s->lock);
        struct connection *c = connection_new(s, fd, first);
        list_append(&s->connections, &c->node);
        watch(s, EPOLL_CTL_ADD, fd, interest(c), c);
        count_open(s, +1);
        run_connection(c, true, false);
    }
}

static void reset_all(struct server *s)
{
    list_for_each_safe (it, after, &s->connections) {
        (void)connection_free(CONTAINER_OF(it, struct connection, node), true);
        count_open(s, -1);
    }
}

static struct connection *connection_of(struct server *s, uint64_t request_id)
{
    list_for_each (it, &s->connections) {
        struct connection *c = CONTAINER_OF(it, struct connection, node);
        if (c->request_id == request_id)
            return c;
    }
    return NULL;
}

static void deliver_appends(struct server *s)
{
    for (;;) {
        pthread_mutex_lock(&s->lock);
        struct append *a = list_empty(&s->appends) ? NULL : CONTAINER_OF(s->appends.next, struct append, node);
        if (a)
            list_remove(&a->node);
        pthread_mutex_unlock(&s->lock);
        if (!a)
            return;
        struct connection *c = connection_of(s, a->id);
        if (c) {
            list_append(&c->appended, &a->node);
            run_connection(c, false, false);
        } else {
            (void)script_free(a->script);
            free(a);
        }
    }
}

/* Whether to go on. */
static bool obey(struct server *s)
{
    uint64_t count;
    ssize_t ignored UNUSED = read(s->wake, &count, sizeof(count));
    deliver_appends(s);
    pthread_mutex_lock(&s->lock);
    enum server_order order = s->order;
    pthread_mutex_unlock(&s->lock);
    if (order == ORDER_NONE)
        return true;
    if (order == ORDER_DOWN || order == ORDER_QUIT)
        stop_listening(s);
    if (order != ORDER_UP)
        reset_all(s);
    if (order == ORDER_UP && s->listener < 0)
        start_listening(s);
    pthread_mutex_lock(&s->lock);
    s->order = ORDER_NONE;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return order != ORDER_QUIT;
}

static int next_wake_ms(const struct server *s)
{
    int64_t first = INT64_MAX;
    list_for_each (it, &s->connections) {
        const struct connection *c = CONTAINER_OF(it, struct connection, node);
        first = MIN(first, c->wake_us);
    }
    if (first == INT64_MAX)
        return -1;
    int64_t left = first - server_monotonic_us();
    return (int)MIN(MAX((left + 999) / 1000, 0), 1000000);
}

static void run_woken(struct server *s)
{
    int64_t now = server_monotonic_us();
    list_for_each_safe (it, after, &s->connections) {
        struct connection *c = CONTAINER_OF(it, struct connection, node);
        if (c->wake_us <= now)
            run_connection(c, false, false);
    }
}

static void *serve(void *data)
{
    struct server *s = data;
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(s->epoll, events, EVENTS, next_wake_ms(s));
        bool listen_ready = false, woken = false;
        for (int i = 0; i < n; i++) {
            void *ptr = events[i].data.ptr;
            uint32_t e = events[i].events;
            if (ptr == &s->listener)
                listen_ready = true;
            else if (ptr == &s->wake)
                woken = true;
            else
                run_connection(ptr, e & EPOLLIN, e & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
        }
        run_woken(s);
        if (listen_ready && s->listener >= 0)
            accept_all(s);
        if (woken && !obey(s))
            return NULL;
    }
}

static void wake(struct server *s)
{
    uint64_t one = 1;
    ssize_t ignored UNUSED = write(s->wake, &one, sizeof(one));
}

static void give_order(struct server *s, enum server_order order)
{
    pthread_mutex_lock(&s->lock);
    s->order = order;
    wake(s);
    while (s->order != ORDER_NONE)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* What the test sees */

struct server *server_new(const struct server_options *options)
{
    struct server *s = xcalloc(1, sizeof(*s));
    s->options = options ? *options : (struct server_options){0};
    s->pki = pki_new("test CA");
    s->other_pki = pki_new("another CA");
    s->tls = s->options.plain ? NULL : make_tls(s);
    s->options.names = NULL; /* borrowed until here */
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    list_init(&s->connections);
    list_init(&s->routes);
    list_init(&s->captured);
    list_init(&s->appends);
    list_init(&s->hellos);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    watch(s, EPOLL_CTL_ADD, s->wake, EPOLLIN, &s->wake);
    start_listening(s);
    (void)snprintf(s->url, sizeof(s->url), "%s://127.0.0.1:%d", s->tls ? "https" : "http", s->port);
    /* Signals are the test's; a reset connection is no reason to die. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&s->thread, NULL, serve, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert(r == 0);
    (void)r;
    return s;
}

struct server *server_free(struct server *s)
{
    if (!s)
        return NULL;
    give_order(s, ORDER_QUIT);
    pthread_join(s->thread, NULL);
    route_free_all(s);
    (void)close(s->epoll);
    (void)close(s->wake);
    SSL_CTX_free(s->tls);
    (void)pki_free(s->pki);
    (void)pki_free(s->other_pki);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
    return NULL;
}

int server_port(const struct server *s)
{
    return s->port;
}

const char *server_url(const struct server *s)
{
    return s->url;
}

const char *server_ca_pem(const struct server *s)
{
    return pki_ca_pem(s->pki);
}

void server_issue(struct server *s, const struct pki_leaf *leaf, struct pki_pair *ret)
{
    pki_issue(s->pki, leaf, ret);
}

void server_append(struct server *s, uint64_t id, struct script *script)
{
    struct append *a = xcalloc(1, sizeof(*a));
    *a = (struct append){.id = id, .script = script};
    pthread_mutex_lock(&s->lock);
    list_append(&s->appends, &a->node);
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

static size_t read_count(struct server *s, const size_t *count)
{
    pthread_mutex_lock(&s->lock);
    size_t n = *count;
    pthread_mutex_unlock(&s->lock);
    return n;
}

size_t server_seen(struct server *s)
{
    return read_count(s, &s->seen);
}

size_t server_unexpected(struct server *s)
{
    return read_count(s, &s->unexpected);
}

size_t server_accepted(struct server *s)
{
    return read_count(s, &s->accepted);
}

size_t server_connections(struct server *s)
{
    return read_count(s, &s->open);
}

void server_down(struct server *s)
{
    give_order(s, ORDER_DOWN);
}

void server_up(struct server *s)
{
    give_order(s, ORDER_UP);
}

void server_drop(struct server *s)
{
    give_order(s, ORDER_DROP);
}
