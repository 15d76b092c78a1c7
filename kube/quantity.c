/* Quantities by digit positions: a number is its decimal digits and where the point is, so a suffix or an
 * exponent only moves the point, and a binary suffix is one pass of multiplication from the right. All of it
 * is O(length) whatever the exponent says. */
#include "kube/quantity.h"

#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NANO_MAX  ((__int128)(((unsigned __int128)1 << 127) - 1))
#define NANO_UNIT 1000000000

/* "n" is 10^-9 and "E" 10^18: exponent = 3 x (index - 3). "" stands for the unit. */
static const char *const decimal_suffixes[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
static const char *const binary_suffixes[] = {"Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};

/* The digits of "12.34" are number[0..2) and number[3..5). */
struct number {
    const char *whole, *fraction;
    size_t n_whole, n_fraction;
};

static unsigned digit_at(const struct number *n, size_t i)
{
    return (unsigned)((i < n->n_whole ? n->whole[i] : n->fraction[i - n->n_whole]) - '0');
}

/* value x 10 + digit, or false when it would not fit. */
static bool push_digit(__int128 *value, unsigned digit)
{
    if (*value > (NANO_MAX - digit) / 10)
        return false;
    *value = *value * 10 + digit;
    return true;
}

/* Nano units of a decimal number x 10^exponent. */
static __int128 decimal_nano(const struct number *n, int64_t exponent, bool *saturated)
{
    int64_t whole_digits =
        (int64_t)n->n_whole + exponent + 9; /* digits that stand before the point of the nano count */
    int64_t digits = (int64_t)(n->n_whole + n->n_fraction);
    __int128 nano = 0;
    bool rest = false;
    for (int64_t i = 0; i < digits; i++) {
        unsigned digit = digit_at(n, (size_t)i);
        if (i >= whole_digits)
            rest = rest || digit;
        else if (!push_digit(&nano, digit))
            goto saturate;
    }
    for (int64_t i = digits; nano > 0 && i < whole_digits; i++)
        if (!push_digit(&nano, 0))
            goto saturate;
    if (rest && nano == NANO_MAX)
        goto saturate;
    return nano + rest;
saturate:
    *saturated = true;
    return NANO_MAX;
}

/* Nano units of a number x 2^shift, with the cap of binary quantities: 2^63-1 units. */
static __int128 binary_nano(const struct number *n, unsigned shift, bool *saturated)
{
    const __int128 cap = (__int128)INT64_MAX * NANO_UNIT;

    /* From the last fraction digit to the first: what is carried out of the first is whole. A digit x 2^60
     * and a carry below 2^60 stay below 10 x 2^60, which fits 64 bits. */
    uint64_t carry = 0;
    int64_t nano_fraction = 0, weight = 1;
    bool rest = false;
    for (size_t i = n->n_fraction; i-- > 0;) {
        carry += (uint64_t)(n->fraction[i] - '0') << shift;
        int64_t digit = (int64_t)(carry % 10);
        carry /= 10;
        if (i >= 9) {
            rest = rest || digit;
            continue;
        }
        nano_fraction += digit * weight;
        weight *= 10;
    }
    for (size_t i = n->n_fraction; i < 9; i++)
        nano_fraction *= 10;

    __int128 whole = 0;
    for (size_t i = 0; i < n->n_whole && whole <= INT64_MAX; i++)
        whole = whole * 10 + (n->whole[i] - '0');
    if (whole > (INT64_MAX >> shift))
        goto saturate;
    __int128 nano = ((whole << shift) + carry) * NANO_UNIT + nano_fraction + rest;
    if (nano > cap)
        goto saturate;
    return nano;
saturate:
    *saturated = true;
    return cap;
}

static const char *skip_digits(const char *s)
{
    while (*s >= '0' && *s <= '9')
        s++;
    return s;
}

/* "[+-]digits[.digits]" with at least one digit; gives what follows, or NULL. */
static const char *read_number(const char *s, struct number *ret)
{
    while (*s == '0' && s[1] >= '0' && s[1] <= '9')
        s++;
    ret->whole = s;
    s = skip_digits(s);
    ret->n_whole = (size_t)(s - ret->whole);
    ret->fraction = s;
    ret->n_fraction = 0;
    if (*s == '.') {
        ret->fraction = ++s;
        s = skip_digits(s);
        ret->n_fraction = (size_t)(s - ret->fraction);
    }
    return ret->n_whole + ret->n_fraction > 0 ? s : NULL;
}

/* The exponent of "e3", "E-3", "e+3"; the API server keeps it in 32 bits and refuses others. */
static bool read_exponent(const char *s, int64_t *ret)
{
    if ((*s != 'e' && *s != 'E') || s[1] == '\0')
        return false;
    s++;
    const char *digits = s + (*s == '+' || *s == '-');
    if (*digits < '0' || *digits > '9')
        return false;
    return str_to_i64(*s == '+' ? digits : s, ret) && *ret >= -INT32_MAX && *ret <= INT32_MAX;
}

bool quantity_parse(const char *s, struct quantity *ret)
{
    bool negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    struct number number;
    const char *suffix = read_number(s, &number);
    if (!suffix)
        return false;

    struct quantity q = {0};
    int64_t exponent = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(binary_suffixes); i++)
        if (streq(suffix, binary_suffixes[i])) {
            q.binary = true;
            q.nano = binary_nano(&number, 10 * (i + 1), &q.saturated);
            goto signed_value;
        }
    for (unsigned i = 0; i < ARRAY_SIZE(decimal_suffixes); i++)
        if (streq(suffix, decimal_suffixes[i])) {
            exponent = 3 * ((int64_t)i - 3);
            goto decimal;
        }
    if (!read_exponent(suffix, &exponent))
        return false;
    q.exponent = true;
decimal:
    q.nano = decimal_nano(&number, exponent, &q.saturated);
signed_value:
    if (negative)
        q.nano = -q.nano;
    *ret = q;
    return true;
}

bool quantity_of_json(const json_t *value, struct quantity *ret)
{
    if (json_is_string(value))
        return quantity_parse(json_string_value(value), ret);
    if (json_is_integer(value)) {
        *ret = (struct quantity){.nano = (__int128)json_integer_value(value) * NANO_UNIT};
        return true;
    }
    if (!json_is_real(value))
        return false;
    char text[32];
    str_from_double(text, sizeof(text), json_real_value(value));
    return quantity_parse(text, ret);
}

static bool is_binary_form(const struct quantity *q, __int128 magnitude)
{
    return q->binary && magnitude >= (__int128)1024 * NANO_UNIT && magnitude % NANO_UNIT == 0;
}

/* Digits of a magnitude that fits 128 bits: "123" -> end of `out`. */
static void put(char out[QUANTITY_CAP], bool negative, unsigned __int128 magnitude, const char *suffix)
{
    char digits[40];
    size_t at = sizeof(digits);
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
    } while (magnitude > 0);
    (void)snprintf(out, QUANTITY_CAP, "%s%s%s", negative ? "-" : "", digits + at, suffix);
}

void quantity_format(char out[QUANTITY_CAP], struct quantity q)
{
    bool negative = q.nano < 0;
    unsigned __int128 magnitude = negative ? -(unsigned __int128)q.nano : (unsigned __int128)q.nano;
    if (magnitude == 0) {
        put(out, false, 0, "");
    } else if (is_binary_form(&q, negative ? -q.nano : q.nano)) {
        magnitude /= NANO_UNIT;
        unsigned power = 0;
        while (power < ARRAY_SIZE(binary_suffixes) && magnitude % 1024 == 0) {
            magnitude /= 1024;
            power++;
        }
        put(out, negative, magnitude, power ? binary_suffixes[power - 1] : "");
    } else {
        int exponent = -9;
        while (magnitude % 1000 == 0 && (q.exponent || exponent < 18)) {
            magnitude /= 1000;
            exponent += 3;
        }
        char power[16] = "";
        if (q.exponent && exponent)
            (void)snprintf(power, sizeof(power), "e%d", exponent);
        put(out, negative, magnitude, q.exponent ? power : decimal_suffixes[exponent / 3 + 3]);
    }
}

double quantity_double(struct quantity q)
{
    const __int128 exact = (__int128)1 << 53;
    if (q.nano > -exact && q.nano < exact)
        return (double)q.nano / NANO_UNIT; /* one rounding: the nearest double */
    __int128 whole = q.nano / NANO_UNIT;
    return (double)whole + (double)(q.nano % NANO_UNIT) / NANO_UNIT;
}

int64_t quantity_milli(struct quantity q)
{
    __int128 milli = q.nano / 1000000;
    if (q.nano % 1000000)
        milli += q.nano > 0 ? 1 : -1;
    if (milli > INT64_MAX)
        return INT64_MAX;
    return milli < INT64_MIN ? INT64_MIN : (int64_t)milli;
}

struct quantity quantity_of_double(double v, int digits)
{
    if (isnan(v))
        return (struct quantity){.saturated = true};
    if (isinf(v) || fabs(v) >= 0x1p127 / NANO_UNIT)
        return (struct quantity){.nano = v < 0 ? -NANO_MAX : NANO_MAX, .saturated = true};

    /* Parsing rounds up; "nearest" therefore asks for no digit below nano. The exponent is that of the
     * rounded text. */
    char text[64];
    digits = MAX(1, MIN(digits, 17));
    int exponent = fabs(v) > 0 ? (int)floor(log10(fabs(v))) : 0;
    int representable = exponent + 10;
    if (representable < 1)
        return (struct quantity){.nano = fabs(v) * NANO_UNIT < 0.5 ? 0 : v < 0 ? -1 : 1};
    (void)snprintf(text, sizeof(text), "%.*e", MIN(digits, representable) - 1, v);
    char *comma = strchr(text, ','); /* the point of a locale that somebody set */
    if (comma)
        *comma = '.';
    struct quantity q;
    if (!quantity_parse(text, &q))
        return (struct quantity){.saturated = true};
    q.exponent = false;
    return q;
}
