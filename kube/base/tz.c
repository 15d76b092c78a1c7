/* TZif files and POSIX rules as a list of segments, each with one offset; see tz.h. A segment is asked for by a moment
 * in it; everything else walks from one to the next. */
#include "base/tz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/map.h"
#include "base/rfc3339.h"

#define MAX_BYTES    (64 * 1024)
#define HEADER_BYTES 44
#define OFFSET_MAX_S (26 * 3600 - 1) /* RFC 8536 */
#define DAY_S        86400
#define TIME_LIMIT_S (INT64_C(1) << 60)     /* of transitions: far from overflow, and beyond any age of the universe */
#define RULE_LIMIT_S INT64_C(1000000000000) /* rules are followed for 31,000 years */

/* A day of every year: the forms of POSIX, and a wall clock time on it. */
struct rule_date {
    enum { DAY_JULIAN, DAY_OF_YEAR, DAY_OF_MONTH } form; /* Jn (no February 29), n (from 0), Mm.w.d */
    int day, week, month;                                /* DAY_OF_MONTH: day is the weekday, week 5 the last */
    int32_t time_s;                                      /* -167 h .. 167 h */
};

struct tz {
    uint32_t n;
    int64_t *times_s;   /* n, ascending: where segments begin */
    int32_t *offsets_s; /* n, of the segments that begin there */
    int32_t first_s;    /* before all of them */
    bool has_rule;      /* after the last */
    int32_t standard_s, summer_s;
    bool has_summer;
    struct rule_date begin, end; /* of summer time */
};

/* ---- rules ---- */

static int64_t day_in_year(const struct rule_date *d, int year)
{
    bool leap = days_from_civil(year, 3, 1) - days_from_civil(year, 2, 1) == 29;
    if (d->form == DAY_JULIAN)
        return days_from_civil(year, 1, d->day) + (leap && d->day >= 60);
    if (d->form == DAY_OF_YEAR)
        return days_from_civil(year, 1, 1) + d->day;
    int64_t first = days_from_civil(year, d->month, 1);
    int64_t next = d->month == 12 ? days_from_civil(year + 1, 1, 1) : days_from_civil(year, d->month + 1, 1);
    int weekday = (int)(((first + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    int64_t day = first + (d->day - weekday + 7) % 7 + 7 * (int64_t)(d->week - 1);
    return day < next ? day : day - 7;
}

/* The changes of three years around `utc_s` in their order; summer time that ends in the second in which it begins
 * again does not end. */
static int32_t rule_offset(const struct tz *tz, int64_t utc_s, int64_t *ret_until_s)
{
    *ret_until_s = INT64_MAX;
    if (!tz->has_summer || utc_s < -RULE_LIMIT_S || utc_s > RULE_LIMIT_S)
        return tz->standard_s;
    int64_t days = utc_s >= 0 ? utc_s / DAY_S : -((DAY_S - 1 - utc_s) / DAY_S);
    int year = civil_from_days(days).year;
    int64_t last_s = INT64_MIN;
    int32_t offset_s = tz->standard_s;
    for (int y = year - 2; y <= year + 2; y++) {
        int64_t begin_s = day_in_year(&tz->begin, y) * DAY_S + tz->begin.time_s - tz->standard_s;
        int64_t end_s = day_in_year(&tz->end, y) * DAY_S + tz->end.time_s - tz->summer_s;
        if (end_s <= utc_s && end_s > last_s) {
            last_s = end_s;
            offset_s = tz->standard_s;
        }
        if (begin_s <= utc_s && begin_s >= last_s) {
            last_s = begin_s;
            offset_s = tz->summer_s;
        }
        if (end_s > utc_s)
            *ret_until_s = MIN(*ret_until_s, end_s);
        if (begin_s > utc_s)
            *ret_until_s = MIN(*ret_until_s, begin_s);
    }
    return offset_s;
}

static bool number(const char **p, int max, int *ret)
{
    int value = 0, digits = 0;
    for (; **p >= '0' && **p <= '9' && digits < 4; (*p)++, digits++)
        value = value * 10 + (**p - '0');
    *ret = value;
    return digits > 0 && value <= max;
}

/* [+-]h[h[h]][:mm[:ss]] */
static bool clock_time(const char **p, int max_hours, int32_t *ret_s)
{
    int sign = 1, hours, minutes = 0, seconds = 0;
    if (**p == '+' || **p == '-')
        sign = *(*p)++ == '-' ? -1 : 1;
    if (!number(p, max_hours, &hours))
        return false;
    if (**p == ':') {
        (*p)++;
        if (!number(p, 59, &minutes))
            return false;
        if (**p == ':') {
            (*p)++;
            if (!number(p, 59, &seconds))
                return false;
        }
    }
    *ret_s = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

/* "CET", or "<+03>" */
static bool abbreviation(const char **p)
{
    const char *start = *p;
    if (**p == '<') {
        size_t len = strcspn(*p, ">");
        *p += len;
        return len >= 4 && *(*p)++ == '>';
    }
    while ((**p >= 'A' && **p <= 'Z') || (**p >= 'a' && **p <= 'z'))
        (*p)++;
    return *p - start >= 3;
}

/* ",M3.5.0/2" */
static bool rule_date(const char **p, struct rule_date *ret)
{
    *ret = (struct rule_date){.form = DAY_OF_YEAR, .time_s = 2 * 3600};
    if (*(*p)++ != ',')
        return false;
    if (**p == 'M') {
        ret->form = DAY_OF_MONTH;
        (*p)++;
        if (!number(p, 12, &ret->month) || ret->month < 1 || *(*p)++ != '.' || !number(p, 5, &ret->week) ||
            ret->week < 1 || *(*p)++ != '.' || !number(p, 6, &ret->day))
            return false;
    } else if (**p == 'J') {
        ret->form = DAY_JULIAN;
        (*p)++;
        if (!number(p, 365, &ret->day) || ret->day < 1)
            return false;
    } else if (!number(p, 365, &ret->day)) {
        return false;
    }
    if (**p != '/')
        return true;
    (*p)++;
    return clock_time(p, 167, &ret->time_s);
}

static bool parse_rule(struct tz *tz, const char *text)
{
    const char *p = text;
    int32_t west_s;
    if (!abbreviation(&p) || !clock_time(&p, 24, &west_s))
        return false;
    tz->has_rule = true;
    tz->standard_s = -west_s;
    if (*p == '\0')
        return true;
    tz->has_summer = true;
    tz->summer_s = tz->standard_s + 3600;
    if (!abbreviation(&p))
        return false;
    if (*p != ',' && *p != '\0') {
        if (!clock_time(&p, 24, &west_s))
            return false;
        tz->summer_s = -west_s;
    }
    return rule_date(&p, &tz->begin) && rule_date(&p, &tz->end) && *p == '\0';
}

/* ---- files ---- */

static uint64_t big_endian(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

struct counts {
    uint32_t utc, standard, leaps, times, types, chars;
};

static bool header(const uint8_t *p, size_t len, struct counts *ret)
{
    if (len < HEADER_BYTES || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
        return false;
    uint32_t n[6];
    for (unsigned i = 0; i < 6; i++) {
        n[i] = (uint32_t)big_endian(p + 20 + 4 * (size_t)i, 4);
        if (n[i] > MAX_BYTES)
            return false;
    }
    *ret = (struct counts){.utc = n[0], .standard = n[1], .leaps = n[2], .times = n[3], .types = n[4], .chars = n[5]};
    return true;
}

static size_t body_bytes(const struct counts *c, size_t time_bytes)
{
    return c->times * (time_bytes + 1) + (size_t)c->types * 6 + c->chars + c->leaps * (time_bytes + 4) + c->standard +
           c->utc;
}

/* A body with times of eight bytes: times, their types, and what the types are. */
static bool read_body(struct tz *tz, const uint8_t *p, const struct counts *c)
{
    const uint8_t *indexes = p + (size_t)c->times * 8, *types = indexes + c->times;
    if (c->types == 0 || c->types > 256)
        return false;
    for (uint32_t i = 0; i < c->types; i++) {
        int32_t offset_s = (int32_t)(uint32_t)big_endian(types + 6 * (size_t)i, 4);
        if (offset_s > OFFSET_MAX_S || offset_s < -OFFSET_MAX_S)
            return false;
    }
    tz->n = c->times;
    tz->times_s = c->times ? xcalloc(c->times, sizeof *tz->times_s) : NULL;
    tz->offsets_s = c->times ? xcalloc(c->times, sizeof *tz->offsets_s) : NULL;
    tz->first_s = (int32_t)(uint32_t)big_endian(types, 4);
    for (uint32_t i = 0; i < c->times; i++) {
        int64_t time_s = (int64_t)big_endian(p + 8 * (size_t)i, 8);
        if (time_s > TIME_LIMIT_S || time_s < -TIME_LIMIT_S || (i > 0 && time_s <= tz->times_s[i - 1]) ||
            indexes[i] >= c->types)
            return false;
        tz->times_s[i] = time_s;
        tz->offsets_s[i] = (int32_t)(uint32_t)big_endian(types + 6 * (size_t)indexes[i], 4);
    }
    return true;
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; "\n\n": no rule. */
static bool read_footer(struct tz *tz, const uint8_t *p, size_t len)
{
    const uint8_t *end = len > 1 && p[0] == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;
    if (!end || memchr(p + 1, '\0', (size_t)(end - p - 1)))
        return false;
    _cleanup_(freep) char *text = xstrndup((const char *)p + 1, (size_t)(end - p - 1));
    return *text == '\0' || parse_rule(tz, text);
}

struct tz *tz_parse(const void *data, size_t len, struct error *err)
{
    const uint8_t *p = data;
    struct counts c;
    if (len > MAX_BYTES || !header(p, len, &c) || body_bytes(&c, 4) > len - HEADER_BYTES) {
        error_set(err, ERROR_PARSE, "not a time zone file of version 2 or later");
        return NULL;
    }
    size_t skip = HEADER_BYTES + body_bytes(&c, 4); /* the same again for readers of version 1 */
    p += skip;
    len -= skip;
    if (!header(p, len, &c) || body_bytes(&c, 8) > len - HEADER_BYTES) {
        error_set(err, ERROR_PARSE, "the time zone file is cut short");
        return NULL;
    }
    if (c.leaps > 0) {
        error_set(err, ERROR_PARSE, "the time zone file counts leap seconds, which no clock here does");
        return NULL;
    }
    struct tz *tz = xcalloc(1, sizeof *tz);
    size_t body = body_bytes(&c, 8);
    if (read_body(tz, p + HEADER_BYTES, &c) && read_footer(tz, p + HEADER_BYTES + body, len - HEADER_BYTES - body))
        return tz;
    error_set(err, ERROR_PARSE, "the time zone file is damaged");
    return tz_free(tz);
}

static bool name_ok(const char *name)
{
    if (*name < 'A' || *name > 'Z')
        return false;
    for (const char *p = name; *p; p++) {
        bool word = (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_' ||
                    *p == '+' || *p == '-';
        if (!word && (*p != '/' || p[1] == '/' || p[1] == '\0'))
            return false;
    }
    return strlen(name) <= TZ_MAX_NAME;
}

struct tz *tz_load(const char *directory, const char *name, struct error *err)
{
    if (!name_ok(name)) {
        error_set(err, ERROR_CONFIG, "not a name of a time zone, such as Europe/Berlin: %.60s", name);
        return NULL;
    }
    _cleanup_(freep) char *path = xasprintf("%s/%s", directory, name);
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (stat(directory, &st) != 0)
            error_set(err, ERROR_CONFIG, "the time zones are not installed: there is no %s", directory);
        else
            error_set(err, ERROR_CONFIG, "no time zone is called %s", name);
        return NULL;
    }
    _cleanup_(freep) char *bytes = NULL;
    size_t len;
    struct tz *tz = file_read(path, MAX_BYTES, &bytes, &len, err) < 0 ? NULL : tz_parse(bytes, len, err);
    if (!tz)
        error_wrap(err, "time zone %s", name);
    return tz;
}

struct tz *tz_free(struct tz *tz)
{
    if (tz) {
        free(tz->times_s);
        free(tz->offsets_s);
        free(tz);
    }
    return NULL;
}

/* ---- lookups ---- */

const struct tz *tz_utc(void)
{
    static const struct tz utc = {.first_s = 0};
    return &utc;
}

int32_t tz_offset_s(const struct tz *tz, int64_t utc_s, int64_t *ret_until_s)
{
    if (tz->n > 0 && utc_s < tz->times_s[0]) {
        *ret_until_s = tz->times_s[0];
        return tz->first_s;
    }
    if (tz->n == 0 || utc_s >= tz->times_s[tz->n - 1]) {
        if (tz->has_rule)
            return rule_offset(tz, utc_s, ret_until_s);
        *ret_until_s = INT64_MAX;
        return tz->n > 0 ? tz->offsets_s[tz->n - 1] : tz->first_s;
    }
    uint32_t low = 0, high = tz->n - 1; /* times[low] <= utc < times[high] */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (tz->times_s[middle] <= utc_s)
            low = middle;
        else
            high = middle;
    }
    *ret_until_s = tz->times_s[high];
    return tz->offsets_s[low];
}

static int64_t within(int64_t time_s)
{
    return MIN(MAX(time_s, -2 * TIME_LIMIT_S), 2 * TIME_LIMIT_S);
}

int64_t tz_first_s(const struct tz *tz, int64_t local_s)
{
    local_s = within(local_s);
    int64_t utc_s = local_s - OFFSET_MAX_S - 1, until_s;
    for (;;) {
        int32_t offset_s = tz_offset_s(tz, utc_s, &until_s);
        if (local_s <= utc_s + offset_s)
            return utc_s; /* the clock jumped over it */
        if (until_s == INT64_MAX || local_s < until_s + offset_s)
            return local_s - offset_s;
        utc_s = until_s;
    }
}

int64_t tz_latest_s(const struct tz *tz, int64_t utc_s)
{
    utc_s = within(utc_s);
    int64_t from_s = utc_s - 2 * (int64_t)(OFFSET_MAX_S + 1), until_s, latest_s = INT64_MIN;
    for (;;) {
        int32_t offset_s = tz_offset_s(tz, from_s, &until_s);
        if (until_s > utc_s)
            return MAX(latest_s, utc_s + offset_s);
        latest_s = MAX(latest_s, until_s - 1 + offset_s);
        from_s = until_s;
    }
}

/* ---- cache ---- */

struct tz_cache {
    char *directory;
    struct map zones; /* name -> struct tz */
};

static void zone_free(void *zone)
{
    tz_free(zone);
}

struct tz_cache *tz_cache_new(const char *directory)
{
    struct tz_cache *cache = xcalloc(1, sizeof *cache);
    cache->directory = xstrdup(directory ? directory : TZ_DIRECTORY);
    map_init(&cache->zones, zone_free);
    return cache;
}

struct tz_cache *tz_cache_free(struct tz_cache *cache)
{
    if (cache) {
        map_done(&cache->zones);
        free(cache->directory);
        free(cache);
    }
    return NULL;
}

const struct tz *tz_cache_get(struct tz_cache *cache, const char *name, struct error *err)
{
    if (strcmp(name, "UTC") == 0)
        return tz_utc();
    struct tz *tz = map_get(&cache->zones, name);
    if (!tz && (tz = tz_load(cache->directory, name, err)) != NULL)
        map_set(&cache->zones, name, tz);
    return tz;
}
