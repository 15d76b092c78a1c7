/* Structured logging: a constant message and typed fields, one line per record, text (logfmt) or JSON.
 *
 *     log_warn(log, "watch ended", LOG_S("resource", plural), LOG_I("attempt", n), LOG_ERR(&err));
 *
 *     time=2026-11-21T08:48:03.120000Z level=warn component=reflector msg="watch ended" resource=pods
 * attempt=3 error="..."
 *     {"time":"2026-11-21T08:48:03.120000Z","level":"warn","component":"reflector","msg":"watch
 * ended","resource":"pods",...}
 *
 * Text of foreign origin is escaped and cut ("...") to 1 KiB per field: no control characters, no
 * bidirectional controls, valid UTF-8. In text form Go's quoting is used where a value is not plain, and
 * nothing is lost; JSON replaces invalid UTF-8. A `struct log` is passed down, never global; log_with()
 * derives one that says which component speaks. Secrets are never given to it.
 *
 * A record is one write(2) of at most 4 KiB, which is atomic and, as the descriptor is asked first, does not
 * wait on a full pipe. A field that does not fit in is left out and `truncated=true` says so. What can't be
 * written at once is dropped and counted. SIGPIPE has to be ignored by the program. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"
#include "base/clock.h"
#include "base/error.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };
enum log_format { LOG_TEXT, LOG_JSON };

enum log_field_type { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_DOUBLE, LOG_FIELD_BOOL };
struct log_field {
    const char *key;
    enum log_field_type type;
    const char *s;
    int64_t i;
    double d;
};

#define LOG_S(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_STR, .s = (v)})
#define LOG_I(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_INT, .i = (int64_t)(v)})
#define LOG_D(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_DOUBLE, .d = (v)})
#define LOG_B(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_BOOL, .i = (v)})
#define LOG_ERR(e)  LOG_S("error", error_text(e))

struct log; /* opaque */

struct log_config {
    int fd; /* usually STDERR_FILENO; borrowed */
    enum log_format format;
    enum log_level level; /* records above it are not made */
    const struct clock *clock;
};

struct log *log_new(const struct log_config *config);
/* A child that adds `component` (constant text, behind the parent's and a dot) to every record; valid until
 * log_free(). Children share the sink and the counter of their root. NULL for NULL. */
struct log *log_with(struct log *parent, const char *component);
struct log *log_free(struct log *log); /* the root and all its children; never called with a child */
/* Whether it is worth computing a field. */
bool log_enabled(const struct log *log, enum log_level level);
/* Records that were not written whole. */
uint64_t log_dropped(const struct log *log);

/* `log` may be NULL: nothing is written. Keys are constants: letters, digits, "_", "-", "."; a NULL text is
 * null. */
void log_write(struct log *log, enum log_level level, const char *message, const struct log_field *fields, size_t n);

/* The {0} at the end is what keeps `...` from being empty, which C23 alone allows. */
#define LOG_AT_(log, level, message, ...)                                                                              \
    log_write((log), (level), (message), (const struct log_field[]){__VA_ARGS__},                                      \
              ARRAY_SIZE(((const struct log_field[]){__VA_ARGS__})) - 1)
#define log_error(log, ...) LOG_AT_(log, LOG_ERROR, __VA_ARGS__, {0})
#define log_warn(log, ...)  LOG_AT_(log, LOG_WARN, __VA_ARGS__, {0})
#define log_info(log, ...)  LOG_AT_(log, LOG_INFO, __VA_ARGS__, {0})
#define log_debug(log, ...) LOG_AT_(log, LOG_DEBUG, __VA_ARGS__, {0})
#define log_trace(log, ...) LOG_AT_(log, LOG_TRACE, __VA_ARGS__, {0})

#endif
