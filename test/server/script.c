/* Scripts are arrays of steps; see script.h. The reference count is atomic: scripts go from the test's thread to the
 * server's. */
#include "test/server/script.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct script {
    atomic_uint refs;
    struct script_step *steps;
    size_t n, cap;
    size_t split;
    int pause_ms;
};

struct script *script_new(void)
{
    struct script *s = xcalloc(1, sizeof(*s));
    atomic_init(&s->refs, 1);
    return s;
}

struct script *script_ref(struct script *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

struct script *script_free(struct script *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
        return NULL;
    for (size_t i = 0; i < s->n; i++)
        free(s->steps[i].bytes);
    free(s->steps);
    free(s);
    return NULL;
}

static struct script_step *add(struct script *s, enum script_op op)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 8;
        s->steps = xreallocarray(s->steps, s->cap, sizeof(*s->steps));
    }
    struct script_step *step = &s->steps[s->n++];
    *step = (struct script_step){.op = op};
    return step;
}

void script_bytes(struct script *s, const void *data, size_t len)
{
    if (len == 0)
        return;
    struct script_step *step = add(s, SCRIPT_BYTES);
    step->bytes = xcalloc(1, len);
    memcpy(step->bytes, data, len);
    step->len = len;
    step->split = s->split;
    step->ms = s->pause_ms;
}

void script_text(struct script *s, const char *text)
{
    script_bytes(s, text, strlen(text));
}

void script_printf(struct script *s, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n > 0)
        script_bytes(s, text, (size_t)n);
    free(text);
}

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Scripted";
    }
}

void script_head(struct script *s, int status, const char *headers)
{
    script_printf(s, "HTTP/1.1 %d %s\r\n%s\r\n", status, reason(status), headers ? headers : "");
}

void script_reply(struct script *s, int status, const char *headers, const char *body)
{
    script_printf(s, "HTTP/1.1 %d %s\r\n%sContent-Length: %zu\r\n\r\n", status, reason(status), headers ? headers : "",
                  strlen(body));
    script_text(s, body);
}

struct script *script_answer(int status, const char *content_type, const char *body)
{
    struct script *s = script_new();
    char *type = content_type ? xasprintf("Content-Type: %s\r\n", content_type) : NULL;
    script_reply(s, status, type, body ? body : "");
    free(type);
    return s;
}

void script_chunk(struct script *s, const char *text)
{
    script_printf(s, "%zx\r\n%s\r\n", strlen(text), text);
}

void script_last_chunk(struct script *s)
{
    script_text(s, "0\r\n\r\n");
}

void script_split(struct script *s, size_t n, int pause_ms)
{
    s->split = n;
    s->pause_ms = pause_ms;
}

void script_delay(struct script *s, int ms)
{
    add(s, SCRIPT_DELAY)->ms = ms;
}

void script_hold(struct script *s)
{
    (void)add(s, SCRIPT_HOLD);
}

void script_done(struct script *s)
{
    (void)add(s, SCRIPT_DONE);
}

void script_stall(struct script *s)
{
    (void)add(s, SCRIPT_STALL);
}

void script_cut(struct script *s)
{
    (void)add(s, SCRIPT_CUT);
}

void script_cut_dirty(struct script *s)
{
    (void)add(s, SCRIPT_CUT_DIRTY);
}

void script_reset(struct script *s)
{
    (void)add(s, SCRIPT_RESET);
}

void script_tls(struct script *s)
{
    (void)add(s, SCRIPT_TLS);
}

void script_read(struct script *s, size_t n)
{
    add(s, SCRIPT_READ)->len = n;
}

size_t script_length(const struct script *s)
{
    return s->n;
}

const struct script_step *script_at(const struct script *s, size_t i)
{
    return &s->steps[i];
}
