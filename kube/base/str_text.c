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
    return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
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

static void json_escape(struct buf *out, uint32_t c)
{
    static const char short_forms[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (const char *p = short_forms; *p; p += 2) {
        if ((unsigned char)*p == c) {
            buf_append(out, (const char[]){'\\', p[1]}, 2);
            return;
        }
    }
    buf_printf(out, "\\u%04x", c);
}

void str_json(struct buf *out, const char *s, size_t len)
{
    size_t clean = 0; /* start of what needs no escape and is not yet copied */
    buf_putc(out, '"');
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t c = str_code_point(s + i, len - i, &n);
        if (c != STR_INVALID && c != '"' && c != '\\' && !str_is_unsafe(c))
            continue;
        buf_append(out, s + clean, i - clean);
        clean = i + n;
        if (c == STR_INVALID)
            buf_puts(out, REPLACEMENT);
        else
            json_escape(out, c);
    }
    buf_append(out, s + clean, len - clean);
    buf_putc(out, '"');
}
