/* Text without a locale: views, numbers, quoting, escaping. strtod and printf("%f") depend on the locale and on
 * trailing junk being noticed; these don't. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/base.h"
#include "base/buf.h"

static inline bool streq(const char *a, const char *b)
{
    return __builtin_strcmp(a, b) == 0;
}
/* NULL equals NULL only. */
bool streq0(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Whole-string parsers: no leading or trailing space, range checked, no partial match. true on success. */
bool str_to_i64(const char *s, int64_t *out);
bool str_to_u64(const char *s, uint64_t *out);
/* Decimal notation with optional exponent; finite only ("nan" and "inf" are refused). */
bool str_to_double(const char *s, double *out);
bool str_to_double_n(const char *s, size_t len, double *out);

/* Shortest text that reads back as the same double ("0.1", "1e+21"); `cap` >= 32. NaN and infinities: "NaN", "+Inf", "-Inf". */
void str_from_double(char *out, size_t cap, double value);

/* Copies as much as fits without cutting a UTF-8 sequence; always terminates. Returns whether all of it fitted. */
bool str_copy(char *dst, size_t cap, const char *src);

/* Valid UTF-8 without overlong forms and surrogates. */
bool str_is_utf8(const char *s, size_t len);

/* Makes foreign text harmless for logs, events and conditions: control characters (C0, C1, DEL), bidirectional
 * overrides and invalid UTF-8 become U+FFFD or a space, at most `max_bytes` are taken. Appends to `out`. */
void str_sanitize(struct buf *out, const char *s, size_t len, size_t max_bytes);

/* Appends `s` as a JSON string with its quotes. Invalid UTF-8 is replaced. */
void str_json(struct buf *out, const char *s, size_t len);

/* Percent-encodes everything but unreserved characters (RFC 3986). */
void str_url_escape(struct buf *out, const char *s);

/* RFC 1123 label (<= 63) and subdomain (<= 253) as Kubernetes checks names. */
bool str_is_dns_label(const char *s);
bool str_is_dns_subdomain(const char *s);

/* base64 (RFC 4648 with padding; white space inside is skipped on decoding). 0, or -1 for bytes that are not. */
void str_base64_encode(struct buf *out, const void *data, size_t len);
int str_base64_decode(struct buf *out, const char *s, size_t len);

#endif
