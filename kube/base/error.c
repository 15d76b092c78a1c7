/* Errors by value; see error.h. Messages may quote foreign bytes, so control characters are made harmless
 * here, once. */
#include "base/error.h"

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
    size_t len = strlen(text);
    bool cut = len > cap;
    if (cut) {
        len = cap - 3;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        err->message[i] = (c < 0x20 || c == 0x7F) ? ' ' : text[i];
    }
    memcpy(err->message + len, "...", 4);
    if (!cut)
        err->message[len] = '\0';
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
    char full[1300];
    (void)snprintf(full, sizeof(full), "%s: %s", text, strerror(errno_value));
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
