/* Errors by value; see error.h. Messages may quote foreign bytes, so control characters are made harmless
 * here, once. */
#include "base/error.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    [ERROR_NONE] = "none",         [ERROR_IO] = "io",         [ERROR_TLS] = "tls",
    [ERROR_HTTP] = "http",         [ERROR_API] = "api",       [ERROR_PARSE] = "parse",
    [ERROR_CONFIG] = "config",     [ERROR_LIMIT] = "limit",   [ERROR_TIMEOUT] = "timeout",
    [ERROR_CANCELED] = "canceled", [ERROR_FENCED] = "fenced", [ERROR_INTERNAL] = "internal",
};

const char *error_kind_name(enum error_kind kind)
{
    return (size_t)kind < ARRAY_SIZE(kind_names) ? kind_names[kind] : "unknown";
}

/* Copies `text` into the message: one line, and a truncation that shows and does not cut a UTF-8 sequence. */
static void set_message(struct error *err, const char *text)
{
    const size_t cap = sizeof(err->message) - 1;
    size_t len = strlen(text), at = 0;
    size_t cut_at = 0; /* where "..." would still fit */
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t c = str_code_point(text + i, len - i, &n);
        const char *piece = c == STR_INVALID ? "?" : str_is_unsafe(c) ? " " : text + i;
        size_t size = piece == text + i ? n : 1;
        if (size > cap - at) {
            memcpy(err->message + cut_at, "...", 4);
            return;
        }
        memcpy(err->message + at, piece, size);
        at += size;
        if (at + 3 <= cap)
            cut_at = at;
    }
    err->message[at] = '\0';
}

int error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
{
    if (!err)
        return -1;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    *err = (struct error){.kind = kind};
    set_message(err, text);
    return -1;
}

int error_errno(struct error *err, int errno_value, const char *fmt, ...)
{
    if (!err)
        return -1;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    char reason[128], full[1300];
    (void)snprintf(full, sizeof(full), "%s: %s", text, strerror_r(errno_value, reason, sizeof(reason)));
    *err = (struct error){.kind = ERROR_IO, .code = errno_value};
    set_message(err, full);
    return -1;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
    if (!err)
        return -1;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    char full[1400];
    (void)snprintf(full, sizeof(full), "%s: %s", text, error_text(err));
    set_message(err, full);
    return -1;
}

const char *error_text(const struct error *err)
{
    return err && err->message[0] ? err->message : "unknown error";
}
