/* RFC 3339 to microseconds and back, on Howard Hinnant's civil calendar ("chrono-Compatible Low-Level Date
 * Algorithms"): years begin in March, so that the leap day is the last one, and 400 years are a cycle of
 * 146,097 days. */
#include "base/rfc3339.h"

#include <assert.h>
#include <stdio.h>

#define US_PER_S     INT64_C(1000000)
#define S_PER_DAY    INT64_C(86400)
#define DAYS_PER_ERA INT64_C(146097)
#define ERA_TO_EPOCH INT64_C(719468)       /* 0000-03-01 to 1970-01-01 */
#define FIRST_S      INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define LAST_S       INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

struct civil_date civil_from_days(int64_t days)
{
    /* An int has to hold the year. */
    assert(days > INT64_C(-700000000000) && days < INT64_C(700000000000));
    days += ERA_TO_EPOCH;
    int64_t era = floor_div(days, DAYS_PER_ERA);
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    return (struct civil_date){
        .year = (int)(era * 400 + year_of_era + (month <= 2)),
        .month = month,
        .day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
    };
}

int64_t days_from_civil(int year, int month, int day)
{
    assert(month >= 1 && month <= 12);
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - ERA_TO_EPOCH;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Reads exactly `n` digits as a number of low..high. */
static bool read_number(const char **s, int n, int low, int high, int *out)
{
    int value = 0;
    for (int i = 0; i < n; i++, (*s)++) {
        if (**s < '0' || **s > '9')
            return false;
        value = 10 * value + (**s - '0');
    }
    *out = value;
    return value >= low && value <= high;
}

static bool read_char(const char **s, char lower, char upper)
{
    if (**s != lower && **s != upper)
        return false;
    (*s)++;
    return true;
}

/* An optional fraction; what is finer than a microsecond is dropped. */
static bool read_fraction(const char **s, int64_t *ret_us)
{
    int64_t us = 0, unit = US_PER_S / 10;
    *ret_us = 0;
    if (**s != '.')
        return true;
    const char *first = ++*s;
    for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
        us += unit * (**s - '0');
    *ret_us = us;
    return *s > first;
}

static bool read_offset(const char **s, int64_t *ret_s)
{
    *ret_s = 0;
    if (read_char(s, 'z', 'Z'))
        return true;
    bool west = **s == '-';
    int hours, minutes;
    if (!read_char(s, '-', '+') || !read_number(s, 2, 0, 23, &hours) || !read_char(s, ':', ':') ||
        !read_number(s, 2, 0, 59, &minutes))
        return false;
    *ret_s = (west ? INT64_C(-60) : INT64_C(60)) * (60 * hours + minutes);
    return true;
}

bool rfc3339_parse(const char *s, int64_t *ret_us)
{
    int year, month, day, hour, minute, second;
    int64_t fraction_us, offset_s;
    if (!read_number(&s, 4, 0, 9999, &year) || !read_char(&s, '-', '-') || !read_number(&s, 2, 1, 12, &month) ||
        !read_char(&s, '-', '-') || !read_number(&s, 2, 1, days_in_month(year, month), &day) ||
        !read_char(&s, 't', 'T') || !read_number(&s, 2, 0, 23, &hour) || !read_char(&s, ':', ':') ||
        !read_number(&s, 2, 0, 59, &minute) || !read_char(&s, ':', ':') || !read_number(&s, 2, 0, 60, &second) ||
        !read_fraction(&s, &fraction_us) || !read_offset(&s, &offset_s) || *s)
        return false;
    int64_t day_number = days_from_civil(year, month, day);
    int second_of_day = hour * 3600 + minute * 60 + second;
    int64_t at_s = day_number * S_PER_DAY + second_of_day - offset_s;
    if (at_s < FIRST_S || at_s > LAST_S)
        return false;
    /* Leap seconds are the last of a month in UTC: the second after is the first of the next. */
    if (second == 60 && (at_s % S_PER_DAY != 0 || civil_from_days(at_s / S_PER_DAY).day != 1))
        return false;
    *ret_us = at_s * US_PER_S + fraction_us;
    return true;
}

static void format(char out[RFC3339_CAP], int64_t us, bool micro)
{
    us = MIN(MAX(us, FIRST_S * US_PER_S), LAST_S * US_PER_S + US_PER_S - 1);
    int64_t at_s = floor_div(us, US_PER_S);
    int64_t days = floor_div(at_s, S_PER_DAY);
    int second_of_day = (int)(at_s - days * S_PER_DAY);
    struct civil_date date = civil_from_days(days);
    int n = snprintf(out, RFC3339_CAP, "%04d-%02d-%02dT%02d:%02d:%02d", date.year, date.month, date.day,
                     second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    assert(n == 19);
    if (micro)
        (void)snprintf(out + n, (size_t)(RFC3339_CAP - n), ".%06dZ", (int)(us - at_s * US_PER_S));
    else
        (void)snprintf(out + n, (size_t)(RFC3339_CAP - n), "Z");
}

void rfc3339_format(char out[RFC3339_CAP], int64_t us)
{
    format(out, us, false);
}

void rfc3339_format_micro(char out[RFC3339_CAP], int64_t us)
{
    format(out, us, true);
}
