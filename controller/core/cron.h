/* Five fields of cron: minute, hour, day of the month, month, day of the week. As in Vixie cron: lists, ranges, steps
 * over a range or a star, names of months and weekdays, 0 and 7 both Sunday; when both day fields are restricted (do
 * not begin with a star), a day that matches either one counts.
 *
 * A schedule is about what a clock on the wall shows, so everything here is in local time (base/tz.h has the way
 * there): of a local time that is skipped the end of the gap counts, of one that is repeated the first.
 */
#ifndef CORE_CRON_H
#define CORE_CRON_H

#include "base/base.h"
#include "base/error.h"

#define CRON_MAX_TEXT 100

struct cron { /* a bit for each value */
    uint64_t minutes;
    uint32_t hours, days; /* days: bits 1..31 */
    uint16_t months;      /* bits 1..12 */
    uint8_t weekdays;     /* bits 0..6, Sunday is 0 */
    bool either_day;      /* a day of `days` or of `weekdays`; else it must be of both */
};

/* The message says which field is wrong and what it may be. A date that never comes (February 30) is refused too. */
int cron_parse(const char *text, struct cron *ret, struct error *err);

/* The latest minute at or before `local_s` that matches, as the second at its start. false: none in 40 years. */
bool cron_last(const struct cron *cron, int64_t local_s, int64_t *ret_local_s);

#endif
