/* Any bytes as a TZif file: eight bytes of time, then the file. What is accepted answers for every time, and the way to
 * local time and back is consistent. */
#include <string.h>

#include "base/tz.h"
#include "test/fuzz/fuzz.h"

static void ask(const struct tz *tz, int64_t utc_s)
{
    int64_t until_s;
    int32_t offset_s = tz_offset_s(tz, utc_s, &until_s);
    CLAIM(until_s > utc_s);
    int64_t unused_s;
    CLAIM(tz_offset_s(tz, until_s - 1, &unused_s) == offset_s);
    int64_t latest_s = tz_latest_s(tz, utc_s);
    CLAIM(latest_s >= utc_s + offset_s);
    const int64_t around[] = {latest_s, latest_s + 1, utc_s + offset_s, latest_s - 3600, latest_s + 3600};
    for (size_t i = 0; i < ARRAY_SIZE(around); i++)
        CLAIM((tz_first_s(tz, around[i]) <= utc_s) == (around[i] <= latest_s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t time_s;
    if (size < sizeof time_s)
        return 0;
    memcpy(&time_s, data, sizeof time_s);
    struct error err = ERROR_INIT;
    struct tz *tz = tz_parse(data + sizeof time_s, size - sizeof time_s, &err);
    if (!tz) {
        claim_message(&err);
        return 0;
    }
    const int64_t years_s = INT64_C(4000) * 366 * 86400;
    ask(tz, time_s % years_s);
    ask(tz, 1700000000 + time_s % 100000000);
    for (int64_t day = 0; day < 366; day += 7)
        ask(tz, (20000 + day) * 86400 + time_s % 86400);
    tz_free(tz);
    return 0;
}
