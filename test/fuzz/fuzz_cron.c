/* Any text as a cron expression: eight bytes of local time, then the text. What is accepted fires at its own minutes,
 * and asking again at the answer gives the answer. */
#include <string.h>

#include "core/cron.h"
#include "test/fuzz/fuzz.h"

#define MINUTE 60

static void ask(const struct cron *cron, int64_t local_s)
{
    int64_t last_s, again_s;
    if (!cron_last(cron, local_s, &last_s))
        return;
    CLAIM(last_s <= local_s && last_s % MINUTE == 0);
    CLAIM(cron_last(cron, last_s, &again_s) && again_s == last_s);
    CLAIM(cron_last(cron, last_s + MINUTE - 1, &again_s) && again_s == last_s);
    CLAIM(cron_last(cron, last_s + (local_s - last_s) / 2, &again_s) && again_s == last_s);
    int64_t minute = last_s / MINUTE % 60, hour = last_s / 3600 % 24;
    CLAIM(cron->minutes >> (minute < 0 ? minute + 60 : minute) & 1);
    CLAIM(cron->hours >> (hour < 0 || last_s < 0 ? ((last_s % 86400) + 86400) % 86400 / 3600 : hour) & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[300];
    int64_t local_s;
    if (size < sizeof local_s)
        return 0;
    memcpy(&local_s, data, sizeof local_s);
    size_t n = MIN(size - sizeof local_s, sizeof text - 1);
    memcpy(text, data + sizeof local_s, n);
    text[n] = '\0';

    struct cron cron;
    struct error err = ERROR_INIT;
    if (cron_parse(text, &cron, &err) < 0) {
        claim_message(&err);
        return 0;
    }
    CLAIM(cron.minutes && cron.hours && cron.days && cron.months && cron.weekdays);
    const int64_t years_s = INT64_C(4000) * 366 * 86400; /* either side of 1970: what a clock may show */
    ask(&cron, local_s % years_s);
    ask(&cron, 1700000000 + local_s % 100000000);
    return 0;
}
