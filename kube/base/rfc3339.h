/* RFC 3339 timestamps as Kubernetes writes and reads them: metav1.Time (seconds, "2026-11-21T08:48:03Z") and MicroTime
 * (six digits). Offsets and any number of fraction digits are read; the proleptic Gregorian calendar, years 0..9999; a
 * leap second (:60) is read as the second after. */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include "base/base.h"

#define RFC3339_CAP 32

/* Microseconds since 1970 UTC. False: not a timestamp. The whole string must match. */
bool rfc3339_parse(const char *s, int64_t *ret_us);
void rfc3339_format(char out[RFC3339_CAP], int64_t us);       /* seconds, floored */
void rfc3339_format_micro(char out[RFC3339_CAP], int64_t us); /* six fraction digits */

/* Civil date of a day number since 1970-01-01, and back. */
struct civil_date {
    int year, month /* 1..12 */, day /* 1..31 */;
};
struct civil_date civil_from_days(int64_t days);
int64_t days_from_civil(int year, int month, int day);

#endif
