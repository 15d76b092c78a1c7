/* A record is put together in one buffer, field by field, each taken back if it doesn't fit, and leaves in
 * one write. */
#include "base/log.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rfc3339.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* Up to PIPE_BUF a write to a pipe is atomic, and does not wait when poll says that the pipe is writable. One
 * byte is for the line feed that ends a torn line. */
#define RECORD_MAX (PIPE_BUF - 1)
#define VALUE_MAX  1024
/* `,"truncated":true}` and the line feed, or their shorter text form. */
#define TAIL_MAX 24

/* What the root and its children share. */
struct sink {
    struct log *root; /* owns this */
    struct log_config config;
    struct buf record;
    uint64_t dropped;
    bool torn; /* the last line written lacks its end */
};

struct log {
    struct sink *sink;
    char *component;  /* NULL: the root */
    struct log *next; /* the root's list of its children */
};

struct log *log_new(const struct log_config *config)
{
    assert(config->clock && config->fd >= 0);
    struct log *log = xcalloc(1, sizeof(*log));
    log->sink = xcalloc(1, sizeof(*log->sink));
    log->sink->config = *config;
    buf_init(&log->sink->record, RECORD_MAX);
    log->sink->root = log;
    return log;
}

struct log *log_with(struct log *parent, const char *component)
{
    if (!parent)
        return NULL;
    struct log *log = xcalloc(1, sizeof(*log));
    struct log *root = parent->sink->root;
    log->sink = parent->sink;
    log->component = parent->component ? xasprintf("%s.%s", parent->component, component) : xstrdup(component);
    log->next = root->next;
    root->next = log;
    return log;
}

struct log *log_free(struct log *log)
{
    if (!log)
        return NULL;
    assert(log->sink->root == log);
    buf_done(&log->sink->record);
    free(log->sink);
    while (log) {
        struct log *next = log->next;
        free(log->component);
        free(log);
        log = next;
    }
    return NULL;
}

bool log_enabled(const struct log *log, enum log_level level)
{
    return log && level <= log->sink->config.level;
}

uint64_t log_dropped(const struct log *log)
{
    return log ? log->sink->dropped : 0;
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug", "trace"};
    return (size_t)level < ARRAY_SIZE(names) ? names[level] : "unknown";
}

/* Whether logfmt takes the text without quotes, and no reader takes it for something else. */
static bool is_plain(const char *s, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t c = str_code_point(s + i, len - i, &n);
        if (c == STR_INVALID || c == ' ' || c == '=' || c == '"' || c == '\\' || str_is_unsafe(c))
            return false;
    }
    return len > 0 && !streq(s, "null");
}

static void put_text(struct sink *sink, const char *s)
{
    struct buf *record = &sink->record;
    if (!s) {
        buf_puts(record, "null");
        return;
    }
    /* Escapes only lengthen: more input than this never fits. */
    size_t len = strnlen(s, VALUE_MAX + 1);
    if (sink->config.format == LOG_TEXT && len <= VALUE_MAX && is_plain(s, len)) {
        buf_append(record, s, len);
        return;
    }
    size_t before = record->len;
    size_t (*quote)(struct buf *, const char *, size_t, size_t) =
        sink->config.format == LOG_JSON ? str_json_cut : str_quote_cut;
    if (quote(record, s, len, VALUE_MAX) == len)
        return;
    buf_truncate(record, before);
    quote(record, s, len, VALUE_MAX - strlen("..."));
    if (record->failed)
        return;
    buf_truncate(record, record->len - 1);
    buf_puts(record, "...\"");
}

static void put_double(struct sink *sink, double value)
{
    char text[32];
    str_from_double(text, sizeof(text), value);
    /* JSON has no NaN and no infinities. */
    bool quote = sink->config.format == LOG_JSON && !isfinite(value);
    buf_printf(&sink->record, quote ? "\"%s\"" : "%s", text);
}

static void put_key(struct sink *sink, const char *key)
{
    struct buf *record = &sink->record;
    bool json = sink->config.format == LOG_JSON;
    if (record->len > 0)
        buf_putc(record, json ? ',' : ' ');
    else if (json)
        buf_putc(record, '{');
    buf_printf(record, json ? "\"%s\":" : "%s=", key);
}

static void put_field(struct sink *sink, const struct log_field *field)
{
    put_key(sink, field->key);
    switch (field->type) {
    case LOG_FIELD_STR:
        put_text(sink, field->s);
        break;
    case LOG_FIELD_INT:
        buf_printf(&sink->record, "%" PRId64, field->i);
        break;
    case LOG_FIELD_DOUBLE:
        put_double(sink, field->d);
        break;
    case LOG_FIELD_BOOL:
        buf_puts(&sink->record, field->i ? "true" : "false");
        break;
    }
}

/* One write, or none. */
static void emit(struct sink *sink)
{
    struct pollfd ready = {.fd = sink->config.fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)) {
        sink->dropped++;
        return;
    }
    char line_feed = '\n';
    const struct iovec parts[] = {{&line_feed, sink->torn}, {sink->record.data, sink->record.len}};
    ssize_t n;
    do
        n = writev(sink->config.fd, parts, ARRAY_SIZE(parts));
    while (n < 0 && errno == EINTR);
    size_t written = n > 0 ? (size_t)n : 0;
    bool whole = written == sink->torn + sink->record.len;
    sink->dropped += !whole;
    if (written > 0)
        sink->torn = !whole && written > sink->torn;
}

void log_write(struct log *log, enum log_level level, const char *message, const struct log_field *fields, size_t n)
{
    if (!log_enabled(log, level))
        return;
    struct sink *sink = log->sink;
    struct buf *record = &sink->record;
    char time[RFC3339_CAP];
    rfc3339_format_micro(time, clock_real_us(sink->config.clock));
    buf_clear(record);
    put_field(sink, &LOG_S("time", time));
    put_field(sink, &LOG_S("level", level_name(level)));
    if (log->component)
        put_field(sink, &LOG_S("component", log->component));
    put_field(sink, &LOG_S("msg", message));

    bool truncated = false;
    for (size_t i = 0; i < n; i++) {
        size_t before = record->len;
        put_field(sink, &fields[i]);
        if (record->failed || record->len > RECORD_MAX - TAIL_MAX) {
            buf_truncate(record, before);
            record->failed = false;
            truncated = true;
        }
    }
    if (truncated)
        put_field(sink, &LOG_B("truncated", true));
    buf_puts(record, sink->config.format == LOG_JSON ? "}\n" : "\n");
    assert(!record->failed);
    emit(sink);
}
