/* libmicrohttpd without threads: its epoll descriptor is a source of the loop, and the time it wants to be called again
 * is asked for after every run. See httpd.h.
 *
 * Its own connection limit would stop accepting, and then a few silent clients lock out the probes. So the limit is
 * kept here: the connections are in a list, quietest first, and one too many shuts down the first. libmicrohttpd's own
 * limit is above ours by what it accepts in one run.
 */
#include "base/httpd.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MAX_CONNECTIONS = 32,
    ACCEPTED_PER_RUN = 16,
    IDLE_LIMIT_S = 10,
    CONNECTION_MEMORY = 16 * 1024,
    BACKLOG = 64,
};
#define MAX_BODY ((size_t)64 << 20)

struct route {
    char *path;
    void (*fn)(void *data, const struct httpd_request *request, struct httpd_response *response);
    void *data;
};

struct httpd {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    int listener, port;
    struct loop_io *io;
    struct loop_alarm *alarm;
    struct route *routes;
    size_t n_routes;
    struct list connections; /* quietest first; not those already shut down */
    size_t n_connections;
    bool running;
};

struct connection {
    struct list node;
    int fd;
};

/* Connections */

static void move_to_end(struct httpd *h, struct connection *c)
{
    list_remove(&c->node);
    list_append(&h->connections, &c->node);
}

static void on_connection(void *data, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct httpd *h = data;
    struct connection *c = *socket_context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        h->n_connections -= !list_empty(&c->node);
        list_remove(&c->node);
        free(c);
        return;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    c = xcalloc(1, sizeof(*c));
    c->fd = info ? info->connect_fd : -1;
    *socket_context = c;
    list_append(&h->connections, &c->node);
    if (++h->n_connections <= MAX_CONNECTIONS)
        return;
    struct connection *quiet = CONTAINER_OF(h->connections.next, struct connection, node);
    list_remove(&quiet->node);
    h->n_connections--;
    (void)shutdown(quiet->fd, SHUT_RDWR);
}

/* Requests */

static enum MHD_Result send_text(struct MHD_Connection *connection, int status, const char *type, char *body,
                                 size_t len, const char *allow)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
    if (!r) {
        free(body);
        return MHD_NO;
    }
    (void)MHD_add_response_header(r, "Content-Type", type);
    (void)MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (allow)
        (void)MHD_add_response_header(r, "Allow", allow);
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)status, r);
    MHD_destroy_response(r);
    return queued;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, int status, const char *text)
{
    return send_text(connection, status, "text/plain; charset=utf-8", xstrdup(text), strlen(text),
                     status == MHD_HTTP_METHOD_NOT_ALLOWED ? "GET, HEAD" : NULL);
}

static const struct route *find_route(const struct httpd *h, const char *path)
{
    for (size_t i = 0; i < h->n_routes; i++)
        if (streq(h->routes[i].path, path))
            return &h->routes[i];
    return NULL;
}

static enum MHD_Result answer(const struct httpd *h, struct MHD_Connection *connection, const char *path)
{
    const struct route *route = find_route(h, path);
    if (!route)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "not found\n");
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
    struct httpd_request request = {.path = path, .accept = accept ? accept : ""};
    struct httpd_response response = {
        .status = MHD_HTTP_OK, .content_type = "text/plain; charset=utf-8", .body = BUF_INIT(MAX_BODY)};
    route->fn(route->data, &request, &response);
    if (response.body.failed) {
        buf_done(&response.body);
        return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "the answer is too large\n");
    }
    size_t len = response.body.len;
    return send_text(connection, response.status, response.content_type, buf_steal(&response.body), len, NULL);
}

static bool announces_body(struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    return (length && !streq(length, "0")) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version UNUSED, const char *upload UNUSED, size_t *upload_len UNUSED,
                                  void **request_context)
{
    struct httpd *h = data;
    /* The first call is about the headers alone: answering there ends the connection, which is right for refusals. */
    if (!*request_context) {
        *request_context = h;
        if (!streq(method, "GET") && !streq(method, "HEAD"))
            return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        if (announces_body(connection))
            return refuse(connection, MHD_HTTP_BAD_REQUEST, "a request body is not expected\n");
        return MHD_YES;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *c = info ? info->socket_context : NULL;
    if (c && !list_empty(&c->node))
        move_to_end(h, c);
    return answer(h, connection, url);
}

/* The loop */

static void run(struct httpd *h)
{
    h->running = true;
    (void)MHD_run(h->daemon);
    h->running = false;
    MHD_UNSIGNED_LONG_LONG ms;
    bool wanted = MHD_get_timeout(h->daemon, &ms) == MHD_YES;
    loop_alarm_set(h->alarm,
                   wanted ? (int64_t)MIN(ms, (MHD_UNSIGNED_LONG_LONG)IDLE_LIMIT_S * 1000) * USEC_PER_MSEC : -1);
}

static void on_ready(void *data, unsigned events UNUSED)
{
    run(data);
}

static void on_alarm(void *data)
{
    run(data);
}

/* Addresses */

struct address {
    struct sockaddr_storage sa;
    socklen_t len;
    bool any; /* no host was given */
};

static void set_address(struct address *a, int family, const void *ip, uint16_t port)
{
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)&a->sa;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in->sin_addr, ip, sizeof(in->sin_addr));
        a->len = sizeof(*in);
        return;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&a->sa;
    *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&in6->sin6_addr, ip, sizeof(in6->sin6_addr));
    a->len = sizeof(*in6);
}

static int parse_address(const char *text, struct address *ret, struct error *err)
{
    *ret = (struct address){0};
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || !str_to_i64(colon + 1, &port) || port < 0 || port > 65535)
        return error_set(err, ERROR_CONFIG, "listen address \"%.100s\": it should be host:port or :port", text);
    char host[INET6_ADDRSTRLEN + 2] = "";
    size_t len = (size_t)(colon - text);
    bool bracketed = len >= 2 && text[0] == '[' && colon[-1] == ']';
    if (bracketed) {
        text++;
        len -= 2;
    }
    unsigned char ip[sizeof(struct in6_addr)] = {0};
    ret->any = len == 0 && !bracketed;
    if (len < sizeof(host))
        memcpy(host, text, len);
    if (ret->any || (bracketed && inet_pton(AF_INET6, host, ip) == 1))
        set_address(ret, AF_INET6, ip, (uint16_t)port);
    else if (!bracketed && inet_pton(AF_INET, streq(host, "localhost") ? "127.0.0.1" : host, ip) == 1)
        set_address(ret, AF_INET, ip, (uint16_t)port);
    else
        return error_set(err, ERROR_CONFIG,
                         "listen address \"%.100s\": the host should be an IP address (IPv6 in brackets) or localhost",
                         bracketed ? text - 1 : text);
    return 0;
}

static int describe_bind(int e, const char *text, const struct address *a, struct error *err)
{
    unsigned port = ntohs(((const struct sockaddr_in *)(const void *)&a->sa)->sin_port);
    if (e == EADDRINUSE)
        return error_set(err, ERROR_IO,
                         "can't listen on %s: port %u is in use by another process; choose another port, or stop that "
                         "process (ss -ltnp sport = %u names it)",
                         text, port, port);
    if (e == EACCES)
        return error_set(err, ERROR_CONFIG, "can't listen on %s: port %u needs privileges; choose one above 1023", text,
                         port);
    if (e == EADDRNOTAVAIL)
        return error_set(err, ERROR_CONFIG, "can't listen on %s: this machine does not have that address", text);
    return error_errno(err, e, "can't listen on %s", text);
}

static int open_listener(struct httpd *h, const char *text, struct error *err)
{
    struct address a;
    if (parse_address(text, &a, err) < 0)
        return -1;
    h->listener = socket(a.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (h->listener < 0 && a.any) { /* a kernel without IPv6 */
        struct in_addr all = {.s_addr = htonl(INADDR_ANY)};
        set_address(&a, AF_INET, &all, ntohs(((struct sockaddr_in6 *)(void *)&a.sa)->sin6_port));
        h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    int yes = 1, no = 0;
    if (h->listener < 0)
        return describe_bind(errno, text, &a, err);
    (void)setsockopt(h->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (a.sa.ss_family == AF_INET6)
        (void)setsockopt(h->listener, IPPROTO_IPV6, IPV6_V6ONLY, a.any ? &no : &yes, sizeof(yes));
    if (bind(h->listener, (struct sockaddr *)&a.sa, a.len) < 0 || listen(h->listener, BACKLOG) < 0 ||
        getsockname(h->listener, (struct sockaddr *)&a.sa, &a.len) < 0)
        return describe_bind(errno, text, &a, err);
    /* The port stands at the same place in both kinds of address. */
    h->port = ntohs(((struct sockaddr_in *)(void *)&a.sa)->sin_port);
    return 0;
}

static int start(struct httpd *h, struct error *err)
{
    int listener = h->listener;
    h->listener = -1; /* libmicrohttpd's from here on */
    h->daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, listener,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)(MAX_CONNECTIONS + ACCEPTED_PER_RUN),
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_LIMIT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
    if (!h->daemon)
        return error_set(err, ERROR_INTERNAL, "libmicrohttpd did not start");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return error_set(err, ERROR_INTERNAL, "libmicrohttpd has no epoll descriptor");
    h->alarm = loop_alarm_new(h->loop, LOOP_NORMAL, on_alarm, h, err);
    if (!h->alarm)
        return -1;
    h->io = loop_io_new(h->loop, info->epoll_fd, LOOP_READ, LOOP_NORMAL, on_ready, h, err);
    if (!h->io)
        return -1;
    run(h);
    return 0;
}

struct httpd *httpd_new(struct loop *loop, const char *address, struct error *err)
{
    struct httpd *h = xcalloc(1, sizeof(*h));
    h->loop = loop;
    h->listener = -1;
    list_init(&h->connections);
    if (open_listener(h, address, err) < 0 || start(h, err) < 0)
        return httpd_free(h);
    return h;
}

struct httpd *httpd_free(struct httpd *h)
{
    if (!h)
        return NULL;
    assert(!h->running);
    (void)loop_io_free(h->io);
    (void)loop_alarm_free(h->alarm);
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    if (h->listener >= 0)
        (void)close(h->listener);
    for (size_t i = 0; i < h->n_routes; i++)
        free(h->routes[i].path);
    free(h->routes);
    free(h);
    return NULL;
}

void httpd_handle(struct httpd *h, const char *path,
                  void (*fn)(void *data, const struct httpd_request *request, struct httpd_response *response),
                  void *data)
{
    for (size_t i = 0; i < h->n_routes; i++)
        if (streq(h->routes[i].path, path)) {
            h->routes[i].fn = fn;
            h->routes[i].data = data;
            return;
        }
    h->routes = xreallocarray(h->routes, h->n_routes + 1, sizeof(*h->routes));
    h->routes[h->n_routes++] = (struct route){.path = xstrdup(path), .fn = fn, .data = data};
}

int httpd_port(const struct httpd *h)
{
    return h->port;
}
