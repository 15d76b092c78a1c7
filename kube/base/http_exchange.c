/* One exchange: what libcurl is asked for, and what its callbacks make of the answer; see http_private.h. */
#include "base/alloc.h"
#include "base/http_error.h"
#include "base/http_private.h"
#include "base/str.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
    DEFAULT_MAX_BODY = 8 << 20,
    MAX_HEADER_BYTES = 256 * 1024,
    /* A dead path is noticed after 45 s, by a write or by a probe. */
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 5,
    KEEPALIVE_COUNT = 3,
    USER_TIMEOUT_MS = 45000,
    CONNECTION_LIFETIME_S = 3600,
    /* Its least. Every request over TLS is copied there, and a watch keeps it: with libcurl's 64 KiB, a thousand
     * autoscalers in 20 namespaces would spend 1.2 MB on 25 request heads. */
    SEND_BUFFER_BYTES = 16 * 1024,
    /* libcurl reads up to a hundred buffers in one go, as long as there is something to read. A reader that works on
     * what it gets, at some 20 MB/s, would hold up the loop for a tenth of a second with libcurl's own 16 KiB. */
    STREAM_BUFFER = 1024,
};
#define DEFAULT_CONNECT_TIMEOUT_US (10 * USEC_PER_SEC)
#define DEFAULT_TOTAL_TIMEOUT_US   (30 * USEC_PER_SEC)
#define MAX_RETRY_AFTER_S          (INT64_C(24) * 3600)
/* A proxy would see in plain text what goes to ourselves. */
#define DIRECT_HOSTS "localhost,127.0.0.0/8,::1"

static bool is_repeatable(const struct exchange *ex)
{
    return streq(ex->method, "GET") || streq(ex->method, "HEAD");
}

/* Time */

static void check_time(struct exchange *ex, int64_t now)
{
    if (ex->failure.kind != ERROR_NONE)
        return;
    const struct http_request *q = &ex->request;
    if (now >= ex->deadline_us)
        (void)error_set(&ex->failure, ERROR_TIMEOUT, "no %sanswer from %s within %.1f s",
                        ex->result.got_response ? "complete " : "", ex->origin->place,
                        (double)q->total_timeout_us / 1e6);
    else if (q->idle_timeout_us > 0 && ex->result.sent && now - ex->heard_us >= q->idle_timeout_us)
        (void)error_set(&ex->failure, ERROR_TIMEOUT, "%s has been silent for %.1f s", ex->origin->place,
                        (double)q->idle_timeout_us / 1e6);
}

static void arm_timer(struct exchange *ex)
{
    int64_t at = ex->deadline_us;
    if (ex->request.idle_timeout_us > 0 && ex->result.sent)
        at = MIN(at, ex->heard_us + ex->request.idle_timeout_us);
    if (at < INT64_MAX)
        loop_timer_arm_at(&ex->timer, at);
}

/* What has been heard since is not worth a move in the heap each time: it is looked at here. */
static void on_timer(void *data)
{
    struct exchange *ex = data;
    check_time(ex, loop_now_us(ex->http->loop));
    if (ex->failure.kind == ERROR_NONE)
        arm_timer(ex);
    else
        exchange_expired(ex);
}

/* libcurl's callbacks */

static int on_resolve(void *resolver UNUSED, void *reserved UNUSED, void *userp)
{
    ((struct exchange *)userp)->connecting = true;
    return 0;
}

static curl_socket_t on_open_socket(void *userp, curlsocktype purpose UNUSED, struct curl_sockaddr *a)
{
    ((struct exchange *)userp)->connecting = true;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static int on_socket_made(void *userp UNUSED, curl_socket_t fd, curlsocktype purpose UNUSED)
{
    int count = KEEPALIVE_COUNT;
    unsigned timeout = USER_TIMEOUT_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
    return CURL_SOCKOPT_OK;
}

static CURLcode on_ssl_ctx(CURL *easy UNUSED, void *ssl_ctx, void *userp)
{
    struct exchange *ex = userp;
    if (ex->origin->system)
        tls_store_use(ex->origin->system, ssl_ctx);
    tls_peer_watch(ex->peer, ssl_ctx, ex->http->tls_slot);
    return CURLE_OK;
}

/* The connection is there, the first byte is about to go. */
static int on_before_send(void *userp, char *ip UNUSED, char *local_ip UNUSED, int port UNUSED, int local_port UNUSED)
{
    struct exchange *ex = userp;
    const struct http_request *q = &ex->request;
    if (!ex->id)
        return CURL_PREREQFUNC_ABORT;
    /* libcurl repeats what it sent over a kept connection that turned out to be dead. */
    if (ex->attempts++ > 0 && !is_repeatable(ex))
        (void)error_set(&ex->failure, ERROR_IO, "%s closed the connection without an answer", ex->origin->place);
    /* Not the turn's time: the process may have been frozen since. */
    check_time(ex, clock_boot_us(loop_clock(ex->http->loop)));
    if (ex->failure.kind == ERROR_NONE && q->on_send && q->on_send(q->data, &ex->failure) < 0 &&
        ex->failure.kind == ERROR_NONE)
        (void)error_set(&ex->failure, ERROR_CANCELED, "given up before sending");
    if (ex->failure.kind != ERROR_NONE || !ex->id)
        return CURL_PREREQFUNC_ABORT;
    ex->result.sent = true;
    ex->heard_us = loop_now_us(ex->http->loop);
    arm_timer(ex);
    return CURL_PREREQFUNC_OK;
}

static bool is_header(const char *line, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    return len > name_len && strncasecmp(line, name, name_len) == 0 && line[name_len] == ':';
}

/* Copies a header's value into `out` when the line is of that name; one that is too long counts as absent. */
static void take_header(const char *line, size_t len, const char *name, char *out, size_t cap)
{
    if (!is_header(line, len, name))
        return;
    const char *value = line + strlen(name) + 1, *end = line + len;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (unsigned char)end[-1] <= ' ')
        end--;
    size_t n = (size_t)(end - value);
    if (n >= cap)
        n = 0;
    memcpy(out, value, n);
    out[n] = '\0';
}

static int64_t retry_after_ms(const struct exchange *ex)
{
    int64_t seconds;
    if (!ex->retry_after[0])
        return -1;
    if (!str_to_i64(ex->retry_after, &seconds)) {
        /* Both dates are the peer's, so that its clock may be wrong. */
        time_t until = curl_getdate(ex->retry_after, NULL);
        time_t now = ex->date[0] ? curl_getdate(ex->date, NULL) : -1;
        if (until == -1)
            return -1;
        seconds = until - (now != -1 ? now : (time_t)(loop_real_us(ex->http->loop) / USEC_PER_SEC));
        seconds = MAX(seconds, 0);
    }
    return seconds < 0 ? -1 : MIN(seconds, MAX_RETRY_AFTER_S) * 1000;
}

static int end_of_headers(struct exchange *ex)
{
    long status = 0;
    (void)curl_easy_getinfo(ex->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 101)
        return error_set(&ex->failure, ERROR_HTTP, "%s switched to a protocol nobody asked for", ex->origin->place);
    if (status < 200)
        return 0; /* the answer proper follows */
    ex->result.status = (int)status;
    ex->result.retry_after_ms = retry_after_ms(ex);
    ex->headers_done = true;
    if (ex->request.on_headers)
        ex->request.on_headers(ex->request.data, &ex->result);
    return ex->id ? 0 : -1;
}

/* What libcurl's header and write callbacks return to stop it: anything but the size. */
static size_t verdict(int r, size_t len)
{
    return r < 0 ? len + 1 : len;
}

static size_t on_header(char *line, size_t size UNUSED, size_t len, void *userp)
{
    struct exchange *ex = userp;
    if (!ex->id)
        return verdict(-1, len);
    ex->heard_us = loop_now_us(ex->http->loop);
    ex->header_bytes += len;
    if (ex->header_bytes > MAX_HEADER_BYTES)
        return verdict(error_set(&ex->failure, ERROR_LIMIT, "%s sent more than %d KiB of headers", ex->origin->place,
                                 MAX_HEADER_BYTES / 1024),
                       len);
    if (ex->headers_done)
        return len; /* trailers */
    if (len >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
        ex->result.got_response = true;
        ex->content_type[0] = ex->retry_after[0] = ex->date[0] = '\0';
        ex->measured = false;
        return len;
    }
    if (line[0] == '\r' || line[0] == '\n')
        return verdict(end_of_headers(ex), len);
    if (is_header(line, len, "Content-Length") || is_header(line, len, "Transfer-Encoding"))
        ex->measured = true;
    take_header(line, len, "Content-Type", ex->content_type, sizeof(ex->content_type));
    take_header(line, len, "Retry-After", ex->retry_after, sizeof(ex->retry_after));
    take_header(line, len, "Date", ex->date, sizeof(ex->date));
    return len;
}

static size_t on_body(char *bytes, size_t size UNUSED, size_t len, void *userp)
{
    struct exchange *ex = userp;
    const struct http_request *q = &ex->request;
    if (!ex->id)
        return verdict(-1, len);
    ex->heard_us = loop_now_us(ex->http->loop);
    if (len > q->max_body - ex->received)
        return verdict(error_set(&ex->failure, ERROR_LIMIT, "the answer of %s is larger than %zu bytes",
                                 ex->origin->place, q->max_body),
                       len);
    ex->received += len;
    if (!q->on_data)
        return verdict(buf_append(&ex->response, bytes, len), len);
    struct error err = ERROR_INIT;
    if (q->on_data(q->data, bytes, len, &err) < 0) {
        if (err.kind == ERROR_NONE)
            (void)error_set(&err, ERROR_CANCELED, "given up while reading the answer of %s", ex->origin->place);
        ex->failure = err;
        return verdict(-1, len);
    }
    return verdict(ex->id ? 0 : -1, len);
}

/* A body that ends with its connection: libcurl takes a cut connection for the end, even one that TLS did not close. */
static bool is_whole(const struct exchange *ex)
{
    long version = 0;
    (void)curl_easy_getinfo(ex->easy, CURLINFO_HTTP_VERSION, &version);
    return ex->measured || version >= CURL_HTTP_VERSION_2_0 || streq(ex->method, "HEAD") || ex->result.status == 204 ||
           ex->result.status == 304;
}

void exchange_ended(struct exchange *ex, CURLcode code)
{
    if (ex->failure.kind != ERROR_NONE)
        return;
    /* To libcurl a connection that ends in the middle of the headers is a good answer. */
    if (code == CURLE_OK && !ex->headers_done)
        code = CURLE_PARTIAL_FILE;
    if (code == CURLE_OK) {
        if (!is_whole(ex))
            (void)error_set(&ex->failure, ERROR_HTTP,
                            "%s sent an answer that says neither its length nor its end; it may be cut short",
                            ex->origin->place);
        return;
    }
    long os_errno = 0;
    (void)curl_easy_getinfo(ex->easy, CURLINFO_OS_ERRNO, &os_errno);
    struct http_failure f = {
        .origin = ex->origin,
        .code = (int)code,
        .os_errno = (int)os_errno,
        .detail = ex->detail,
        .problem = tls_peer_problem(ex->peer),
        .connect_timeout_us = ex->request.connect_timeout_us,
        .real_us = loop_real_us(ex->http->loop),
        .received = ex->received,
        .sent = ex->result.sent,
        .got_response = ex->result.got_response,
    };
    (void)http_describe(&f, &ex->failure);
}

const char *http_result_header(const struct http_result *r, const char *name, size_t index)
{
    struct curl_header *h;
    CURL *easy = ((const struct exchange *)r->handle)->easy;
    return curl_easy_header(easy, name, index, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

/* The request */

static int check_line(const char *s, const char *what, struct error *err)
{
    for (size_t i = 0; s[i]; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7F)
            return error_set(err, ERROR_INTERNAL, "a control character in an HTTP %s", what);
    return 0;
}

static int check_request(const struct http_request *q, struct error *err)
{
    for (const char *p = q->method; *p; p++)
        if (*p < 'A' || *p > 'Z')
            return error_set(err, ERROR_INTERNAL, "an HTTP method that is not in capitals");
    if (q->path[0] != '/' || strpbrk(q->path, " #") || check_line(q->path, "path", err) < 0)
        return error_set(err, ERROR_INTERNAL, "an HTTP path that does not start with / or is not escaped");
    /* A name of a peer's that is ".." must not climb out of the path it was put into. */
    size_t path_len = strcspn(q->path, "?");
    for (const char *p = q->path; p && p < q->path + path_len; p = strchr(p + 1, '/')) {
        size_t len = strcspn(p + 1, "/?");
        if ((len == 1 && p[1] == '.') || (len == 2 && p[1] == '.' && p[2] == '.'))
            return error_set(err, ERROR_INTERNAL, "an HTTP path with a segment of dots");
    }
    for (size_t i = 0; q->headers && q->headers[i]; i++) {
        const char *colon = strchr(q->headers[i], ':');
        if (check_line(q->headers[i], "header", err) < 0)
            return -1;
        if (!colon || colon == q->headers[i] || colon[1] != ' ' || !colon[2])
            return error_set(err, ERROR_INTERNAL, "an HTTP header that is not \"Name: value\"");
    }
    return 0;
}

static void add_header(struct exchange *ex, size_t *n, char *line)
{
    ex->headers[*n].data = line;
    ex->headers[*n].next = NULL;
    if (*n > 0)
        ex->headers[*n - 1].next = &ex->headers[*n];
    ++*n;
}

static char *keep(struct exchange *ex, const char *line)
{
    return ex->header_copies[ex->n_header_copies++] = xstrdup(line);
}

/* libcurl borrows the list. Lines with a secret stay where they are, so that there is no copy that is not wiped. */
static void make_headers(struct exchange *ex, const struct http_request *q)
{
    size_t n = 0, given = 0;
    while (q->headers && q->headers[given])
        given++;
    ex->headers = xcalloc(given + HTTP_MAX_SECRETS + 3, sizeof(*ex->headers));
    ex->header_copies = xcalloc(given + 3, sizeof(char *));
    bool typed = !ex->body;
    for (size_t i = 0; i < given; i++) {
        typed = typed || strncasecmp(q->headers[i], "Content-Type:", 13) == 0;
        add_header(ex, &n, keep(ex, q->headers[i]));
    }
    for (size_t i = 0; i < ex->origin->n_secrets; i++) {
        ex->secrets[ex->n_secrets++] = http_secret_ref(ex->origin->secrets[i]);
        add_header(ex, &n, ex->origin->secrets[i]->line);
    }
    if (ex->origin->host_header)
        add_header(ex, &n, keep(ex, ex->origin->host_header));
    /* "Name:" takes libcurl's own away: a type that is wrong, and a wait of a second for 100 Continue. */
    if (!typed)
        add_header(ex, &n, keep(ex, "Content-Type:"));
    if (ex->body)
        add_header(ex, &n, keep(ex, "Expect:"));
}

#define SET(option, value)                                                                                             \
    do {                                                                                                               \
        if (code == CURLE_OK)                                                                                          \
            code = curl_easy_setopt(easy, option, value);                                                              \
    } while (0)

static CURLcode set_tls(struct exchange *ex)
{
    CURLcode code = CURLE_OK;
    CURL *easy = ex->easy;
    const struct http_origin *o = ex->origin;
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, o->insecure ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, o->insecure ? 0L : 2L);
    /* libcurl trusts its directory of CAs beside a blob; and its own bundle it would parse on the loop. */
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_CA_CACHE_TIMEOUT, 0L);
    struct curl_blob blob = {.flags = CURL_BLOB_NOCOPY};
    if (o->ca_pem) {
        blob.data = o->ca_pem;
        blob.len = strlen(o->ca_pem);
        SET(CURLOPT_CAINFO_BLOB, &blob);
    }
    if (o->cert_pem) {
        blob.data = o->cert_pem;
        blob.len = strlen(o->cert_pem);
        SET(CURLOPT_SSLCERT_BLOB, &blob);
        blob.data = o->key_pem;
        blob.len = strlen(o->key_pem);
        SET(CURLOPT_SSLKEY_BLOB, &blob);
    }
    if (!o->insecure) {
        SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
        SET(CURLOPT_SSL_CTX_DATA, ex);
    }
    return code;
}

/* How a socket of it comes about and is kept. */
static CURLcode set_socket(struct exchange *ex)
{
    CURLcode code = CURLE_OK;
    CURL *easy = ex->easy;
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
    SET(CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S);
    SET(CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
    SET(CURLOPT_RESOLVER_START_DATA, ex);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, ex);
    SET(CURLOPT_SOCKOPTFUNCTION, on_socket_made);
    if (ex->origin->connect_to) {
        ex->connect_to.data = ex->origin->connect_to;
        SET(CURLOPT_CONNECT_TO, &ex->connect_to);
    }
    return code;
}

static CURLcode set_connection(struct exchange *ex)
{
    CURLcode code = CURLE_OK;
    CURL *easy = ex->easy;
    const struct http_request *q = &ex->request;
    bool shared = q->connection == HTTP_SHARED && q->priority != LOOP_LEASE;
    const char *proxy = ex->origin->proxy ? ex->origin->proxy : ex->http->proxy;
    SET(CURLOPT_PROTOCOLS_STR, ex->origin->https ? "https" : "http");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PROXY, proxy ? proxy : ""); /* "": the environment is not asked */
    SET(CURLOPT_NOPROXY, DIRECT_HOSTS);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BUFFER_BYTES);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a cancel does not wait for getaddrinfo() */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)MAX(q->connect_timeout_us / 1000, 1));
    SET(CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_LIFETIME_S);
    SET(CURLOPT_FRESH_CONNECT, q->fresh_connection ? 1L : 0L);
    SET(CURLOPT_HTTP_VERSION, (long)(shared ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    SET(CURLOPT_PIPEWAIT, shared && ex->origin->https ? 1L : 0L);
    return code;
}

static CURLcode set_request(struct exchange *ex)
{
    CURLcode code = CURLE_OK;
    CURL *easy = ex->easy;
    SET(CURLOPT_URL, ex->url);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    if (ex->body) {
        SET(CURLOPT_POSTFIELDS, ex->body);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ex->request.body_len);
    }
    if (streq(ex->method, "HEAD"))
        SET(CURLOPT_NOBODY, 1L);
    else
        SET(CURLOPT_CUSTOMREQUEST, ex->method);
    if (ex->headers[0].data)
        SET(CURLOPT_HTTPHEADER, ex->headers);
    SET(CURLOPT_USERAGENT, ex->http->user_agent);
    /* Not with HTTP/2: libcurl 7.88 leaves what does not fit into the buffer in its own layers, and no event comes for
     * it. */
    if (ex->request.on_data && ex->request.connection == HTTP_DEDICATED)
        SET(CURLOPT_BUFFERSIZE, (long)STREAM_BUFFER);
    if (!ex->request.verbatim_encoding)
        SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    SET(CURLOPT_PRIVATE, ex);
    SET(CURLOPT_ERRORBUFFER, ex->detail);
    SET(CURLOPT_PREREQFUNCTION, on_before_send);
    SET(CURLOPT_PREREQDATA, ex);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, ex);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, ex);
    return code;
}

static void fill_request(struct exchange *ex, const struct http_request *q)
{
    ex->request = *q;
    struct http_request *r = &ex->request;
    r->connect_timeout_us = q->connect_timeout_us > 0 ? q->connect_timeout_us : DEFAULT_CONNECT_TIMEOUT_US;
    r->total_timeout_us = q->total_timeout_us ? q->total_timeout_us : DEFAULT_TOTAL_TIMEOUT_US;
    r->max_body = q->max_body ? q->max_body : DEFAULT_MAX_BODY;
    r->method = ex->method = xstrdup(q->method);
    r->path = NULL;
    r->headers = NULL;
    r->body = NULL;
    ex->url = xasprintf("%s%s", ex->origin->request_url, q->path);
    /* A body that is empty is still announced by those that usually have one. */
    if (q->body_len > 0 || streq(q->method, "POST") || streq(q->method, "PUT") || streq(q->method, "PATCH")) {
        ex->body = xcalloc(1, q->body_len + 1);
        if (q->body_len > 0)
            memcpy(ex->body, q->body, q->body_len);
    }
    ex->started_us = loop_now_us(ex->http->loop);
    ex->deadline_us = r->total_timeout_us < 0 || r->total_timeout_us > INT64_MAX - ex->started_us
                          ? INT64_MAX
                          : ex->started_us + r->total_timeout_us;
    buf_init(&ex->response, r->max_body);
}

struct exchange *exchange_new(struct http *http, struct http_origin *origin, const struct http_request *request,
                              struct error *err)
{
    if (check_request(request, err) < 0)
        return NULL;
    struct exchange *ex = xcalloc(1, sizeof(*ex));
    list_init(&ex->node);
    ex->http = http;
    ex->origin = http_origin_ref(origin);
    ex->result = (struct http_result){.content_type = ex->content_type, .retry_after_ms = -1, .handle = ex, .body = ""};
    loop_timer_init(&ex->timer, http->loop, request->priority == LOOP_LEASE ? LOOP_LEASE : LOOP_IO, on_timer, ex);
    fill_request(ex, request);
    make_headers(ex, request);
    ex->peer = tls_peer_new(origin->verify_name);
    ex->easy = curl_easy_init();
    CURLcode code = ex->easy ? set_tls(ex) : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK)
        code = set_connection(ex);
    if (code == CURLE_OK)
        code = set_socket(ex);
    if (code == CURLE_OK)
        code = set_request(ex);
    if (code != CURLE_OK) {
        (void)error_set(err, ERROR_INTERNAL, "libcurl: %s", curl_easy_strerror(code));
        exchange_free(ex);
        return NULL;
    }
    arm_timer(ex);
    return ex;
}

void exchange_free(struct exchange *ex)
{
    loop_timer_disarm(&ex->timer);
    if (ex->easy)
        curl_easy_cleanup(ex->easy);
    for (size_t i = 0; i < ex->n_secrets; i++)
        (void)http_secret_unref(ex->secrets[i]);
    for (size_t i = 0; i < ex->n_header_copies; i++)
        free(ex->header_copies[i]);
    free(ex->header_copies);
    free(ex->headers);
    free(ex->method);
    free(ex->url);
    free(ex->body);
    buf_done(&ex->response);
    (void)tls_peer_unref(ex->peer);
    (void)http_origin_unref(ex->origin);
    free(ex);
}
