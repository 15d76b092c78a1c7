/* Numbers in and out. The C library does the exact arithmetic between binary and decimal; this file keeps the
 * locale, the lax grammar and the choice of digits out of it. */
#include "base/str.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More digits than any double needs to be told from its neighbours (767), with room for zeros and an
 * exponent. */
#define DOUBLE_TEXT_MAX 1024
/* The decimal exponent from which on it is written as one. */
#define LIMIT_PLAIN 21
#define LIMIT_G     6

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool str_to_u64(const char *s, uint64_t *out)
{
    uint64_t value = 0;
    if (!*s)
        return false;
    for (; *s; s++) {
        if (!is_digit(*s) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

bool str_to_i64(const char *s, int64_t *out)
{
    bool negative = *s == '-';
    uint64_t magnitude;
    if (!str_to_u64(s + negative, &magnitude) || magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

static size_t count_digits(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && is_digit(s[n]))
        n++;
    return n;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or behind the point. */
static bool is_decimal(const char *s, size_t len)
{
    size_t i = len > 0 && (s[0] == '-' || s[0] == '+');
    size_t digits = count_digits(s + i, len - i);
    i += digits;
    if (i < len && s[i] == '.') {
        size_t fraction = count_digits(s + i + 1, len - i - 1);
        digits += fraction;
        i += 1 + fraction;
    }
    if (digits == 0)
        return false;
    if (i < len && (s[i] == 'e' || s[i] == 'E')) {
        i++;
        i += i < len && (s[i] == '-' || s[i] == '+');
        size_t exponent = count_digits(s + i, len - i);
        if (exponent == 0)
            return false;
        i += exponent;
    }
    return i == len;
}

/* `text` is decimal notation. */
static double read_decimal(const char *text)
{
    /* The C locale is a constant of the library: nothing is allocated and nothing can fail. */
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    assert(c_locale);
    double value = strtod_l(text, NULL, c_locale);
    freelocale(c_locale);
    return value;
}

bool str_to_double_n(const char *s, size_t len, double *out)
{
    char text[DOUBLE_TEXT_MAX + 1];
    if (len > DOUBLE_TEXT_MAX || !is_decimal(s, len))
        return false;
    memcpy(text, s, len);
    text[len] = '\0';
    double value = read_decimal(text);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

bool str_to_double(const char *s, double *out)
{
    return str_to_double_n(s, strnlen(s, DOUBLE_TEXT_MAX + 1), out);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* 0.d1d2d3... x 10^point, of a positive number. */
struct decimal {
    char digits[20];
    int n;
    int point;
};

/* `value` rounded to `precision` significant digits. Whatever the locale puts between the first digit and the
 * others is not a digit. */
static void decimal_round(struct decimal *d, double value, int precision)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%.*e", precision - 1, value);
    assert(len > 0 && (size_t)len < sizeof(text));
    const char *p = text;
    for (d->n = 0; *p != 'e'; p++) {
        if (is_digit(*p))
            d->digits[d->n++] = *p;
    }
    bool negative = p[1] == '-';
    int exponent = 0;
    for (p += 2; *p; p++)
        exponent = 10 * exponent + (*p - '0');
    d->point = (negative ? -exponent : exponent) + 1;
}

static bool decimal_is(const struct decimal *d, double value)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%.*se%d", d->n, d->digits, d->point - d->n);
    assert(len > 0 && (size_t)len < sizeof(text));
    return bits_of(read_decimal(text)) == bits_of(value);
}

/* The next number of as many digits. False: it would take one digit more. */
static bool decimal_increment(struct decimal *d)
{
    for (int i = d->n - 1; i >= 0; i--) {
        if (d->digits[i] != '9') {
            d->digits[i]++;
            return true;
        }
        d->digits[i] = '0';
    }
    return false;
}

static bool is_power_of_two(double value)
{
    return (bits_of(value) & ((UINT64_C(1) << (DBL_MANT_DIG - 1)) - 1)) == 0;
}

/* Gives the fewest digits that read back as `value`, and the nearest of those that are as few.
 *
 * A normal number is told apart by 15 digits if by any fewer, so the shorter ones are found by dropping
 * zeros; only numbers without full precision have to be tried from one digit up. Below a power of two the
 * doubles lie twice as close as above it, so the nearest 16 digits may read back as the neighbour below while
 * the next ones above don't. */
static void decimal_shortest(struct decimal *d, double value)
{
    for (int precision = value < DBL_MIN ? 1 : DBL_DIG;; precision++) {
        decimal_round(d, value, precision);
        if (precision == DBL_DECIMAL_DIG || decimal_is(d, value))
            break;
        struct decimal above = *d;
        if (precision > DBL_DIG && is_power_of_two(value) && decimal_increment(&above) && decimal_is(&above, value)) {
            *d = above;
            break;
        }
    }
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->n--;
}

static size_t put(char *out, size_t at, const char *text, int n)
{
    for (int i = 0; i < n; i++)
        out[at++] = text ? text[i] : '0';
    return at;
}

/* With an exponent below 0.0001 and from 10^limit on; at most 24 characters and the terminator. */
static void decimal_print(const struct decimal *d, int limit, char *out)
{
    int exponent = d->point - 1;
    size_t at = 0;
    if (exponent < -4 || exponent >= limit) {
        at = put(out, at, d->digits, 1);
        if (d->n > 1)
            out[at++] = '.';
        at = put(out, at, d->digits + 1, d->n - 1);
        int size = exponent < 0 ? -exponent : exponent;
        out[at++] = 'e';
        out[at++] = exponent < 0 ? '-' : '+';
        if (size >= 100)
            out[at++] = (char)('0' + size / 100);
        out[at++] = (char)('0' + size / 10 % 10);
        out[at++] = (char)('0' + size % 10);
    } else if (d->point <= 0) {
        at = put(out, at, "0.", 2);
        at = put(out, at, NULL, -d->point);
        at = put(out, at, d->digits, d->n);
    } else {
        at = put(out, at, d->digits, MIN(d->n, d->point));
        at = put(out, at, NULL, d->point - d->n);
        if (d->n > d->point) {
            out[at++] = '.';
            at = put(out, at, d->digits + d->point, d->n - d->point);
        }
    }
    out[at] = '\0';
}

/* Whole numbers need no search for their digits, and most numbers that are printed often are whole. */
static bool from_whole(char *out, size_t cap, double value, int limit)
{
    double bound = limit == LIMIT_G ? 1e6 : 1e15;
    if (!(value > -bound && value < bound))
        return false;
    int64_t whole = (int64_t)value;
    /* Bits, as -0 is not 0 here. */
    if (bits_of((double)whole) != bits_of(value))
        return false;
    (void)snprintf(out, cap, "%" PRId64, whole);
    return true;
}

static void from_double(char *out, size_t cap, double value, int limit)
{
    assert(cap >= 32);
    if (isnan(value)) {
        str_copy(out, cap, "NaN");
        return;
    }
    if (isinf(value)) {
        str_copy(out, cap, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (from_whole(out, cap, value, limit))
        return;
    if (signbit(value))
        *out++ = '-';
    struct decimal d = {.digits = "0", .n = 1, .point = 1};
    if (fpclassify(value) != FP_ZERO)
        decimal_shortest(&d, fabs(value));
    decimal_print(&d, limit, out);
}

void str_from_double(char *out, size_t cap, double value)
{
    from_double(out, cap, value, LIMIT_PLAIN);
}

void str_from_double_g(char *out, size_t cap, double value)
{
    from_double(out, cap, value, LIMIT_G);
}
