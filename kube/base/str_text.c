/* Foreign text made harmless. All of it goes through one decoder, which gives code points or the length of
 * what is none. */
#include "base/str.h"

#include <assert.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* How a lead byte goes on: number of continuation bytes, and the range of the first of them, which is what
 * keeps out overlong forms, surrogates and everything above U+10FFFF (The Unicode Standard, table 3-7). */
static size_t continuation(unsigned char lead, unsigned char *ret_low, unsigned char *ret_high)
{
    *ret_low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *ret_high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 1;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 2;
    if (lead >= 0xF0 && lead <= 0xF4)
        return 3;
    return 0;
}

uint32_t str_code_point(const char *s, size_t len, size_t *ret_len)
{
    assert(len > 0);
    const unsigned char *in = (const unsigned char *)s;
    *ret_len = 1;
    if (in[0] < 0x80)
        return in[0];
    unsigned char low, high;
    size_t n = continuation(in[0], &low, &high);
    uint32_t code_point = in[0] & (0x3FU >> n);
    for (size_t i = 1; i <= n; i++) {
        if (i >= len || in[i] < low || in[i] > high)
            return STR_INVALID;
        code_point = code_point << 6 | (in[i] & 0x3FU);
        low = 0x80;
        high = 0xBF;
        *ret_len = i + 1;
    }
    return n ? code_point : STR_INVALID;
}

bool str_is_utf8(const char *s, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        if (str_code_point(s + i, len - i, &n) == STR_INVALID)
            return false;
    }
    return true;
}

/* The controls of the bidirectional algorithm (UAX #9), the implicit marks included: they reorder too. */
static bool is_bidi(uint32_t c)
{
    return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

bool str_is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029 || is_bidi(c);
}

static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

size_t str_sanitize(struct buf *out, const char *s, size_t len, size_t max_bytes)
{
    size_t i = 0, n;
    for (size_t room = max_bytes; i < len; i += n) {
        uint32_t c = str_code_point(s + i, len - i, &n);
        const char *text = s + i;
        size_t size = n;
        if (c != STR_INVALID && is_space(c)) {
            text = " ";
            size = 1;
        } else if (c == STR_INVALID || str_is_unsafe(c)) {
            text = REPLACEMENT;
            size = strlen(REPLACEMENT);
        }
        if (size > room)
            break;
        buf_append(out, text, size);
        room -= size;
    }
    return i;
}

/* `escape` writes what stands for a code point that takes `n` bytes at `in`, at most 12 bytes; 0: it stays as
 * it is. */
static size_t append_quoted(struct buf *out, const char *s, size_t len, size_t max_bytes,
                            size_t (*escape)(char *out, uint32_t code_point, const char *in, size_t n))
{
    size_t clean = 0; /* start of what needs no escape and is not copied yet */
    size_t i = 0, n;
    buf_putc(out, '"');
    for (size_t room = max_bytes; i < len; i += n) {
        char text[12];
        uint32_t c = str_code_point(s + i, len - i, &n);
        size_t escaped = escape(text, c, s + i, n);
        size_t size = escaped ? escaped : n;
        if (size > room)
            break;
        room -= size;
        if (escaped) {
            buf_append(out, s + clean, i - clean);
            buf_append(out, text, escaped);
            clean = i + n;
        }
    }
    buf_append(out, s + clean, i - clean);
    buf_putc(out, '"');
    return i;
}

/* The prefix and the last `digits` hexadecimal digits of the value. */
static size_t put_hex(char *out, const char *prefix, uint32_t value, size_t digits)
{
    size_t at = 0;
    while (*prefix)
        out[at++] = *prefix++;
    while (digits-- > 0)
        out[at++] = "0123456789abcdef"[value >> 4 * digits & 15];
    return at;
}

/* The escapes of one letter that JSON and Go share, and those of JSON alone behind them. */
static const char short_escapes[] = "\"\"\\\\\nn\rr\tt\bb\ff";
#define N_SHARED_ESCAPES 5

static size_t put_short(char *out, uint32_t c, size_t n_pairs)
{
    for (size_t i = 0; i < n_pairs; i++) {
        if ((unsigned char)short_escapes[2 * i] == c) {
            out[0] = '\\';
            out[1] = short_escapes[2 * i + 1];
            return 2;
        }
    }
    return 0;
}

static size_t escape_json(char *out, uint32_t c, const char *in UNUSED, size_t n UNUSED)
{
    if (c == STR_INVALID)
        return put_hex(out, REPLACEMENT, 0, 0);
    size_t size = put_short(out, c, sizeof(short_escapes) / 2);
    return size || !str_is_unsafe(c) ? size : put_hex(out, "\\u", c, 4);
}

static size_t escape_go(char *out, uint32_t c, const char *in, size_t n)
{
    size_t size = put_short(out, c, N_SHARED_ESCAPES);
    if (size || (c != STR_INVALID && !str_is_unsafe(c)))
        return size;
    if (c != STR_INVALID && c >= 0x80)
        return put_hex(out, "\\u", c, 4);
    for (size_t i = 0; i < n; i++)
        size += put_hex(out + size, "\\x", (unsigned char)in[i], 2);
    return size;
}

void str_json(struct buf *out, const char *s, size_t len)
{
    append_quoted(out, s, len, SIZE_MAX, escape_json);
}

size_t str_json_cut(struct buf *out, const char *s, size_t len, size_t max_bytes)
{
    return append_quoted(out, s, len, max_bytes, escape_json);
}

size_t str_quote_cut(struct buf *out, const char *s, size_t len, size_t max_bytes)
{
    return append_quoted(out, s, len, max_bytes, escape_go);
}
