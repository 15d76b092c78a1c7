/* Five fields to five sets, and back through the calendar; see cron.h. */
#include "core/cron.h"

#include <string.h>

#include "base/rfc3339.h"

#define DAY_S          86400
#define LOOK_BACK      40 /* years: February 29 on a given weekday comes at the latest after 40, around a year 2100 */
#define MAX_FIELD_TEXT 40 /* of a message */

struct field {
    const char *name;
    unsigned min, max;
    const char *const *words; /* of min, min + 1, ... */
    unsigned n_words;
};

static const char *const month_words[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
static const struct field fields[] = {
    {.name = "minute", .min = 0, .max = 59},
    {.name = "hour", .min = 0, .max = 23},
    {.name = "day of the month", .min = 1, .max = 31},
    {.name = "month", .min = 1, .max = 12, .words = month_words, .n_words = 12},
    {.name = "day of the week", .min = 0, .max = 7, .words = weekday_words, .n_words = 7},
};
#define N_FIELDS ARRAY_SIZE(fields)

/* ---- text ---- */

/* The part of the text that is looked at. */
struct piece {
    const char *p, *end;
};

static bool number(struct piece *s, unsigned *ret)
{
    const char *start = s->p;
    unsigned value = 0;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9' && s->p - start < 3; s->p++)
        value = value * 10 + (unsigned)(*s->p - '0');
    *ret = value;
    return s->p > start;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool word(struct piece *s, const struct field *f, unsigned *ret)
{
    for (unsigned i = 0; s->end - s->p >= 3 && i < f->n_words; i++)
        if (lower(s->p[0]) == f->words[i][0] && lower(s->p[1]) == f->words[i][1] && lower(s->p[2]) == f->words[i][2]) {
            s->p += 3;
            *ret = f->min + i;
            return true;
        }
    return false;
}

static bool value(struct piece *s, const struct field *f, unsigned *ret)
{
    return (number(s, ret) || word(s, f, ret)) && *ret >= f->min && *ret <= f->max;
}

static bool take(struct piece *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* "*", "5", "mon-fri", each of the ranges with "/2". NULL, or what is wrong. */
static const char *element(struct piece *s, const struct field *f, uint64_t *set)
{
    unsigned first = f->min, last = f->max, step = 1;
    bool range = take(s, '*');
    if (!range) {
        if (!value(s, f, &first))
            return "is not in its range";
        last = first;
        range = take(s, '-');
        if (range && !value(s, f, &last))
            return "has a range without an end in its range";
        if (last == 0 && first > 0 && f->max == 7)
            last = 7; /* fri-sun */
        if (last < first)
            return "has a range that ends before it begins";
    }
    if (take(s, '/')) {
        if (!range)
            return "has a step after a single value: a step needs a range, such as 5-59/10";
        if (!number(s, &step) || step < 1)
            return "has a step that is not a number from 1 on";
    }
    for (unsigned i = first; i <= last; i += step)
        *set |= UINT64_C(1) << i;
    return NULL;
}

static const char *list(struct piece s, const struct field *f, uint64_t *set)
{
    do {
        const char *wrong = element(&s, f, set);
        if (wrong)
            return wrong;
    } while (take(&s, ','));
    return s.p == s.end ? NULL : "has something that is not cron";
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static unsigned split(const char *text, struct piece out[N_FIELDS])
{
    unsigned n = 0;
    for (const char *p = text; *p;) {
        if (blank(*p)) {
            p++;
            continue;
        }
        const char *start = p;
        while (*p && !blank(*p))
            p++;
        if (n < N_FIELDS)
            out[n] = (struct piece){.p = start, .end = p};
        n++;
    }
    return n;
}

/* Whether some year has such a day: only days of the month can miss all their months. */
static bool comes(const struct cron *c)
{
    static const unsigned longest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->either_day)
        return true;
    for (unsigned m = 1; m <= 12; m++)
        if (c->months & 1u << m && c->days & ((UINT64_C(2) << longest[m - 1]) - 1))
            return true;
    return false;
}

int cron_parse(const char *text, struct cron *ret, struct error *err)
{
    struct piece pieces[N_FIELDS] = {{NULL, NULL}};
    uint64_t sets[N_FIELDS] = {0};
    size_t len = strlen(text);
    if (len > CRON_MAX_TEXT)
        return error_set(err, ERROR_CONFIG, "longer than %d characters", CRON_MAX_TEXT);
    unsigned n = split(text, pieces);
    if (n != N_FIELDS)
        return error_set(err, ERROR_CONFIG,
                         "want 5 fields (minute, hour, day of the month, month, day of the week), have %u", n);
    for (unsigned i = 0; i < N_FIELDS; i++) {
        const char *wrong = list(pieces[i], &fields[i], &sets[i]);
        if (wrong)
            return error_set(err, ERROR_CONFIG, "the %s (%.*s) %s; it is %u to %u", fields[i].name,
                             (int)MIN(pieces[i].end - pieces[i].p, MAX_FIELD_TEXT), pieces[i].p, wrong, fields[i].min,
                             fields[i].max);
    }
    *ret = (struct cron){.minutes = sets[0],
                         .hours = (uint32_t)sets[1],
                         .days = (uint32_t)sets[2],
                         .months = (uint16_t)sets[3],
                         .weekdays = (uint8_t)((sets[4] | sets[4] >> 7) & 0x7f),
                         .either_day = *pieces[2].p != '*' && *pieces[4].p != '*'};
    if (!comes(ret))
        return error_set(err, ERROR_CONFIG, "never comes: none of its months has such a day");
    return 0;
}

/* ---- the calendar ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool day_matches(const struct cron *c, int day, int64_t days)
{
    bool of_month = c->days & 1u << day;
    bool of_week = c->weekdays & 1u << (unsigned)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    return c->either_day ? of_month || of_week : of_month && of_week;
}

/* The highest of the set at or below `at`; -1: none. */
static int highest(uint64_t set, int at)
{
    set &= at >= 63 ? UINT64_MAX : (UINT64_C(2) << at) - 1;
    return set ? 63 - __builtin_clzll(set) : -1;
}

/* The latest matching minute of the day at or before `minute`; -1: none. */
static int last_of_day(const struct cron *c, int minute)
{
    int hour = highest(c->hours, minute / 60);
    if (hour < 0)
        return -1;
    int in_hour = highest(c->minutes, hour == minute / 60 ? minute % 60 : 59);
    if (in_hour < 0) {
        hour = hour > 0 ? highest(c->hours, hour - 1) : -1;
        if (hour < 0)
            return -1;
        in_hour = highest(c->minutes, 59);
    }
    return hour * 60 + in_hour;
}

bool cron_last(const struct cron *c, int64_t local_s, int64_t *ret_local_s)
{
    int64_t days = floor_div(local_s, DAY_S);
    int minute = (int)((local_s - days * DAY_S) / 60);
    struct civil_date date = civil_from_days(days);
    for (int months = 0; months < LOOK_BACK * 12; months++) {
        for (; c->months & 1u << date.month && date.day >= 1; date.day--, days--, minute = DAY_S / 60 - 1) {
            int at = day_matches(c, date.day, days) ? last_of_day(c, minute) : -1;
            if (at >= 0) {
                *ret_local_s = days * DAY_S + at * 60;
                return true;
            }
        }
        /* On the last day of the month before. */
        days = days_from_civil(date.year, date.month, 1) - 1;
        date = civil_from_days(days);
        minute = DAY_S / 60 - 1;
    }
    return false;
}
