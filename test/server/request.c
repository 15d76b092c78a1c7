/* HTTP/1.1 requests, as far as a test server needs them: Content-Length and chunked bodies, no folding. */
#include "test/server/server_private.h"

#include "base/alloc.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_HEADERS = 200 };

struct server_request *server_request_free(struct server_request *r)
{
    if (!r)
        return NULL;
    for (size_t i = 0; i < r->n_headers; i++) {
        free(r->headers[i].name);
        free(r->headers[i].value);
    }
    free(r->headers);
    free(r->method);
    free(r->path);
    free(r->body);
    free(r);
    return NULL;
}

const char *server_request_header(const struct server_request *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++)
        if (strcasecmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    return NULL;
}

bool server_request_query(const struct server_request *r, const char *name, char *out, size_t cap)
{
    const char *p = strchr(r->path, '?');
    size_t name_len = strlen(name);
    while (p && *++p) {
        size_t len = strcspn(p, "&");
        if (len >= name_len && strncmp(p, name, name_len) == 0 && (len == name_len || p[name_len] == '=')) {
            size_t skip = MIN(name_len + 1, len), n = MIN(len - skip, cap - 1);
            memcpy(out, p + skip, n);
            out[n] = '\0';
            return true;
        }
        p = p[len] ? p + len : NULL;
    }
    return false;
}

static int parse_line(struct server_request *r, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (!colon || r->n_headers == MAX_HEADERS)
        return -1;
    const char *value = colon + 1, *end = line + len;
    while (value < end && *value == ' ')
        value++;
    r->headers = xreallocarray(r->headers, r->n_headers + 1, sizeof(*r->headers));
    r->headers[r->n_headers++] = (struct server_header){.name = xstrndup(line, (size_t)(colon - line)),
                                                        .value = xstrndup(value, (size_t)(end - value))};
    return 0;
}

static int parse_head(struct server_request *r, const char *p, const char *end)
{
    const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2);
    const char *space = memchr(p, ' ', (size_t)(eol - p));
    const char *space2 = space ? memchr(space + 1, ' ', (size_t)(eol - space - 1)) : NULL;
    if (!space2 || strncmp(space2 + 1, "HTTP/1.", 7) != 0)
        return -1;
    r->method = xstrndup(p, (size_t)(space - p));
    r->path = xstrndup(space + 1, (size_t)(space2 - space - 1));
    for (p = eol + 2; p < end; p = eol + 2) {
        eol = memmem(p, (size_t)(end - p), "\r\n", 2);
        if (!eol || parse_line(r, p, (size_t)(eol - p)) < 0)
            return -1;
    }
    return 0;
}

/* The body in chunks from `p` on; gives its length on the wire, 0: not whole yet, < 0: broken. */
static int64_t read_chunks(struct server_request *r, const char *start, size_t len)
{
    struct buf body = BUF_INIT(64 << 20);
    const char *p = start, *end = start + len;
    int64_t used = 0;
    for (;;) {
        const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2);
        char *stop = NULL;
        unsigned long long size = eol ? strtoull(p, &stop, 16) : 0;
        if (!eol || (size_t)(end - eol) < size + 4)
            break;
        if (stop != eol || buf_append(&body, eol + 2, (size_t)size) < 0) {
            used = -1;
            break;
        }
        p = eol + 4 + size;
        if (size == 0) {
            used = p - start;
            r->body_len = body.len;
            r->body = buf_steal(&body);
            break;
        }
    }
    buf_done(&body);
    return used;
}

int request_parse(struct buf *in, struct server_request **ret)
{
    const char *gap = in->len ? memmem(in->data, in->len, "\r\n\r\n", 4) : NULL;
    if (!gap)
        return 0;
    struct server_request *r = xcalloc(1, sizeof(*r));
    size_t head = (size_t)(gap - in->data) + 4;
    if (parse_head(r, in->data, gap + 2) < 0)
        goto broken;
    int64_t length = 0;
    const char *coding = server_request_header(r, "Transfer-Encoding");
    const char *announced = server_request_header(r, "Content-Length");
    if (coding && streq(coding, "chunked")) {
        length = read_chunks(r, in->data + head, in->len - head);
        if (length == 0)
            goto incomplete;
    } else if (announced && (!str_to_i64(announced, &length) || length < 0)) {
        goto broken;
    } else if (in->len - head < (size_t)length) {
        goto incomplete;
    }
    if (length < 0)
        goto broken;
    if (!r->body) {
        r->body = xstrndup(in->data + head, (size_t)length);
        r->body_len = (size_t)length;
    }
    buf_consume(in, head + (size_t)length);
    *ret = r;
    return 1;
incomplete:
    (void)server_request_free(r);
    return 0;
broken:
    (void)server_request_free(r);
    return -1;
}
