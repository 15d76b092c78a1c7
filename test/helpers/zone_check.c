/* Lets a test hold time zones and cron against another implementation of them.
 *
 *   zone_check < LINES    each line "offset ZONE UTC" is answered by "OFFSET", "first ZONE LOCAL" by "UTC", and
 *                         "last ZONE UTC CRON" by "LOCAL UTC" of the latest firing, or "never"
 *
 * All times are seconds; ZONE is a name below /usr/share/zoneinfo.
 */
#include "base/str.h"
#include "base/tz.h"
#include "core/cron.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *line, const struct error *err)
{
    (void)fprintf(stderr, "%s: %s\n", line, error_text(err));
    return -1;
}

/* The word that `*rest` begins with; `*rest` moves behind it. */
static char *word(char **rest)
{
    char *start = *rest;
    char *end = start + strcspn(start, " ");
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return start;
}

static int answer(struct tz_cache *zones, char *line)
{
    struct error err = ERROR_INIT;
    char *rest = line;
    const char *what = word(&rest);
    const struct tz *tz = tz_cache_get(zones, word(&rest), &err);
    int64_t time_s, unused;
    if (!tz)
        return fail(line, &err);
    if (!str_to_i64(word(&rest), &time_s))
        return fail(what, &err);
    if (streq(what, "offset")) {
        printf("%d\n", (int)tz_offset_s(tz, time_s, &unused));
    } else if (streq(what, "first")) {
        printf("%" PRId64 "\n", tz_first_s(tz, time_s));
    } else {
        struct cron cron;
        int64_t local_s;
        if (cron_parse(rest, &cron, &err) < 0)
            return fail(rest, &err);
        if (cron_last(&cron, tz_latest_s(tz, time_s), &local_s))
            printf("%" PRId64 " %" PRId64 "\n", local_s, tz_first_s(tz, local_s));
        else
            printf("never\n");
    }
    return 0;
}

int main(void)
{
    struct tz_cache *zones = tz_cache_new(NULL);
    char *line = NULL;
    size_t cap = 0;
    int failed = 0;
    while (!failed && getline(&line, &cap, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        failed = answer(zones, line);
    }
    free(line);
    tz_cache_free(zones);
    return failed ? 1 : 0;
}
