/* Text without a locale: views, numbers, quoting, escaping. strtod and printf("%f") depend on the locale and
 * on trailing junk being noticed; these don't. */
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

/* Whole-string parsers: no leading or trailing space, range checked, no partial match. true on success; `out`
 * is left alone otherwise. Integers are decimal digits, with "-" before a negative one. */
bool str_to_i64(const char *s, int64_t *out);
bool str_to_u64(const char *s, uint64_t *out);
/* Decimal notation with optional sign and exponent ("-1", "+.5", "5.", "6e-3"), rounded correctly; finite
 * only: "nan", "inf" and what is too large for a double are refused, and so are texts above 1024 bytes. */
bool str_to_double(const char *s, double *out);
bool str_to_double_n(const char *s, size_t len, double *out);

/* Shortest text that reads back as the same double ("0.1", "1e+21"); `cap` >= 32. NaN and infinities: "NaN",
 * "+Inf",
 * "-Inf". An exponent appears below 0.0001 and from 1e+21 on, as in Go's %v; finite values are JSON numbers
 * too. */
void str_from_double(char *out, size_t cap, double value);
/* The same with the exponent from 1e+06 on, as in Go's strconv 'g': how Prometheus clients write bucket
 * bounds. */
void str_from_double_g(char *out, size_t cap, double value);

/* Copies as much as fits without cutting a UTF-8 sequence; always terminates. Returns whether all of it
 * fitted. */
bool str_copy(char *dst, size_t cap, const char *src);

/* Valid UTF-8 without overlong forms and surrogates. */
bool str_is_utf8(const char *s, size_t len);

/* The code point that `s` starts with, and how many bytes it takes (`len` > 0). For bytes that are not UTF-8
 * (or cut): STR_INVALID and the length of the part that one U+FFFD stands for, as the Unicode standard
 * advises. */
#define STR_INVALID UINT32_MAX
uint32_t str_code_point(const char *s, size_t len, size_t *ret_len);
/* Whether it can change how the text around it is shown: C0, DEL, C1, line and paragraph separators,
 * bidirectional controls. */
bool str_is_unsafe(uint32_t code_point);

/* Makes foreign text harmless for logs, events and conditions: line breaks and tabs become a space, other
 * control characters (C0, C1, DEL), bidirectional controls and invalid UTF-8 become U+FFFD. Appends at most
 * `max_bytes` to `out` and never cuts a sequence. Gives how many bytes of `s` were taken: less than `len`
 * when the text was cut. */
size_t str_sanitize(struct buf *out, const char *s, size_t len, size_t max_bytes);

/* Appends `s` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD; nothing else is lost: what
 * str_is_unsafe() names is written as \u escapes, so that the JSON is harmless on a terminal too. */
void str_json(struct buf *out, const char *s, size_t len);
/* The same with at most `max_bytes` between the quotes; gives how many bytes of `s` were taken, cutting no
 * sequence. */
size_t str_json_cut(struct buf *out, const char *s, size_t len, size_t max_bytes);
/* Quotes in the same bounds as Go's strconv.Quote does: \n, \x1b, \u202e, and \xff for bytes that are not
 * UTF-8, so that nothing at all is lost. Printable text of any script stays as it is. */
size_t str_quote_cut(struct buf *out, const char *s, size_t len, size_t max_bytes);

/* Percent-encodes everything but unreserved characters (RFC 3986). */
void str_url_escape(struct buf *out, const char *s);

/* RFC 1123 label (<= 63) and subdomain (<= 253) as Kubernetes checks names. */
bool str_is_dns_label(const char *s);
bool str_is_dns_subdomain(const char *s);

/* base64 (RFC 4648 with padding; white space inside is skipped on decoding). 0, or -1 for bytes that are not.
 */
void str_base64_encode(struct buf *out, const void *data, size_t len);
int str_base64_decode(struct buf *out, const char *s, size_t len);

#endif
