/* What went wrong, by value: no allocation, nothing to free.
 *
 * A library layer fills the error and returns it; it does not log. Context is added in front on the way up:
 *     error_wrap(err, "listing %s", plural)  ->  "listing pods: connection refused"
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/base.h"

enum error_kind {
    ERROR_NONE = 0,
    ERROR_IO,       /* the local system: files, sockets, name resolution */
    ERROR_TLS,      /* certificates and handshakes */
    ERROR_HTTP,     /* a broken or unexpected HTTP exchange */
    ERROR_API,      /* the API server said no: `code` is the HTTP status */
    ERROR_PARSE,    /* bytes of a peer or of a file are not what they should be */
    ERROR_CONFIG,   /* the user's configuration: the message says what to change */
    ERROR_LIMIT,    /* a cap was reached */
    ERROR_TIMEOUT,  /* a deadline passed */
    ERROR_CANCELED, /* given up by us */
    ERROR_FENCED,   /* a write was refused because the lease is not safely ours */
    ERROR_INTERNAL, /* a bug */
};

struct error {
    enum error_kind kind;
    int code;                /* errno for ERROR_IO, HTTP status for ERROR_API and ERROR_HTTP; http.h has
                              * one for ERROR_TLS; else 0 */
    uint32_t retry_after_ms; /* what the peer asked for, 0 when it did not */
    char message[300];       /* one harmless line of UTF-8; truncated with "..." */
};

#define ERROR_INIT ((struct error){.kind = ERROR_NONE})

const char *error_kind_name(enum error_kind kind);

/* All return a negative number so that `return error_set(...)` is one statement. `err` may be NULL. */
int error_set(struct error *err, enum error_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Kind ERROR_IO with `errno_value` and its text behind the message. */
int error_errno(struct error *err, int errno_value, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts "text: " in front of the message that is there. */
int error_wrap(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The message, never NULL. */
const char *error_text(const struct error *err);

#endif
