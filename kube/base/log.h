/* Structured logging: a constant message and typed fields, one line per record, text (logfmt) or JSON.
 *
 *     log_warn(log, "watch ended", LOG_S("resource", plural), LOG_I("attempt", n), LOG_ERR(&err));
 *
 * Text of foreign origin is escaped and cut to 1 KiB per field: no control characters, no bidirectional overrides, valid
 * UTF-8. A `struct log` is passed down, never global; `log_with` derives one that adds fields to every record. Secrets
 * are never given to it. Writes are one write(2) per record; what can't be written at once is dropped and counted.
 */
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
/* A child that adds `component` (constant text) to every record; valid until log_free(). */
struct log *log_with(struct log *parent, const char *component);
struct log *log_free(struct log *log); /* the root and all its children */
bool log_enabled(const struct log *log, enum log_level level);
uint64_t log_dropped(const struct log *log);

/* `log` may be NULL: nothing is written. */
void log_write(struct log *log, enum log_level level, const char *message, const struct log_field *fields, size_t n);

#define LOG_AT_(log, level, message, ...)                                                                              \
    log_write((log), (level), (message), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}},                   \
              ARRAY_SIZE(((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})) - 1)
#define log_error(log, message, ...) LOG_AT_(log, LOG_ERROR, message __VA_OPT__(, ) __VA_ARGS__)
#define log_warn(log, message, ...)  LOG_AT_(log, LOG_WARN, message __VA_OPT__(, ) __VA_ARGS__)
#define log_info(log, message, ...)  LOG_AT_(log, LOG_INFO, message __VA_OPT__(, ) __VA_ARGS__)
#define log_debug(log, message, ...) LOG_AT_(log, LOG_DEBUG, message __VA_OPT__(, ) __VA_ARGS__)

#endif
