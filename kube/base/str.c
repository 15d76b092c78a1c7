/* Views, copies, names, percent and base64 encoding. Numbers are in str_number.c, escaping of text in
 * str_text.c. */
#include "base/str.h"

#include <assert.h>
#include <string.h>

bool streq0(const char *a, const char *b)
{
    return a && b ? streq(a, b) : a == b;
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t len = strlen(s), n = strlen(suffix);
    return len >= n && streq(s + len - n, suffix);
}

bool str_copy(char *dst, size_t cap, const char *src)
{
    assert(cap > 0);
    size_t len = strnlen(src, cap);
    bool fits = len < cap;
    if (!fits) {
        len = cap - 1;
        /* No sequence has more than three continuation bytes; more of them is not UTF-8 and may be cut
         * anywhere. */
        size_t at = len;
        while (at > 0 && len - at < 3 && ((unsigned char)src[at] & 0xC0) == 0x80)
            at--;
        if (((unsigned char)src[at] & 0xC0) != 0x80)
            len = at;
    }
    memcpy(dst, src, len);
    dst[len] = '\0';
    return fits;
}

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* Length of the [a-z0-9]([-a-z0-9]*[a-z0-9])? that `s` starts with and that `.` or the end follows; 0: there
 * is none. */
static size_t label_length(const char *s)
{
    size_t n = 0;
    while (is_lower_alnum(s[n]) || s[n] == '-')
        n++;
    if (n == 0 || s[0] == '-' || s[n - 1] == '-' || (s[n] != '\0' && s[n] != '.'))
        return 0;
    return n;
}

bool str_is_dns_label(const char *s)
{
    size_t n = label_length(s);
    return n > 0 && n <= 63 && s[n] == '\0';
}

bool str_is_dns_subdomain(const char *s)
{
    if (strnlen(s, 254) > 253)
        return false;
    for (;;) {
        size_t n = label_length(s);
        if (n == 0)
            return false;
        if (s[n] == '\0')
            return true;
        s += n + 1;
    }
}

void str_url_escape(struct buf *out, const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (is_alnum(*s) || c == '-' || c == '.' || c == '_' || c == '~')
            buf_putc(out, *s);
        else
            buf_append(out, (const char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
    }
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void str_base64_encode(struct buf *out, const void *data, size_t len)
{
    const unsigned char *in = data;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = MIN(len - i, (size_t)3);
        uint32_t group = (uint32_t)in[i] << 16;
        group |= n > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        group |= n > 2 ? (uint32_t)in[i + 2] : 0;
        char text[4] = {base64_digits[group >> 18], base64_digits[group >> 12 & 63], '=', '='};
        if (n > 1)
            text[2] = base64_digits[group >> 6 & 63];
        if (n > 2)
            text[3] = base64_digits[group & 63];
        buf_append(out, text, sizeof(text));
    }
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Appends the bytes of one group of `n` digits (2..4). Spare bits are ignored, as Go does. */
static int base64_flush(struct buf *out, uint32_t group, size_t n)
{
    group <<= 6 * (4 - n);
    const unsigned char bytes[3] = {(unsigned char)(group >> 16), (unsigned char)(group >> 8), (unsigned char)group};
    return buf_append(out, bytes, n - 1);
}

static int base64_decode(struct buf *out, const char *s, size_t len)
{
    uint32_t group = 0;
    size_t n = 0, padding = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r')
            continue;
        if (s[i] == '=') {
            padding++;
            continue;
        }
        int value = base64_value(s[i]);
        if (value < 0 || padding)
            return -1;
        group = group << 6 | (uint32_t)value;
        if (++n == 4) {
            if (base64_flush(out, group, 4) < 0)
                return -1;
            group = 0;
            n = 0;
        }
    }
    if (n == 0)
        return padding ? -1 : 0;
    if (n == 1 || n + padding != 4)
        return -1;
    return base64_flush(out, group, n);
}

int str_base64_decode(struct buf *out, const char *s, size_t len)
{
    size_t before = out->len;
    if (base64_decode(out, s, len) == 0)
        return 0;
    buf_truncate(out, before);
    return -1;
}
