/* RFC 3339 timestamps as Kubernetes writes and reads them: metav1.Time (seconds, "2026-11-21T08:48:03Z") and
 * MicroTime (six digits). Offsets and any number of fraction digits are read; the proleptic Gregorian
 * calendar, years 0..9999 in UTC; a leap second (23:59:60 UTC at the end of a month) is read as the second
 * after. */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include "base/base.h"

#define RFC3339_CAP 32

/* Microseconds since 1970 UTC. False: not a timestamp. The whole string must match. */
bool rfc3339_parse(const char *s, int64_t *ret_us);
/* A time outside the years 0..9999 is written as the first or last one inside. */
void rfc3339_format(char out[RFC3339_CAP], int64_t us);       /* seconds, floored */
void rfc3339_format_micro(char out[RFC3339_CAP], int64_t us); /* six fraction digits */

/* Civil date of a day number since 1970-01-01, and back. For 1.9e9 years around 1970; `month` is 1..12; `day`
 * may be any number and counts from the first of the month. */
struct civil_date {
    int year, month /* 1..12 */, day /* 1..31 */;
};
struct civil_date civil_from_days(int64_t days);
int64_t days_from_civil(int year, int month, int day);

#endif
