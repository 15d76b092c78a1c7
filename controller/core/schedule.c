/* Which schedules are active, and what they ask for. Both ends are compared as local times of their zone: the order of
 * their moments is the same, and two that fall into one gap of the clock keep theirs. */
#include "core/schedule.h"

#define SECOND_US INT64_C(1000000)

bool schedule_active(const struct core_schedule *schedule, int64_t now_us)
{
    int64_t now_s = now_us / SECOND_US - (now_us % SECOND_US < 0);
    int64_t local_s = tz_latest_s(schedule->zone, now_s), start_s, end_s;
    if (!cron_last(&schedule->start, local_s, &start_s))
        return false;
    return !cron_last(&schedule->end, local_s, &end_s) || start_s > end_s;
}

struct schedule_floor schedule_floor(const struct core_spec *spec, int64_t now_us)
{
    struct schedule_floor floor = {.replicas = -1, .schedule = -1};
    for (uint32_t i = 0; i < spec->n_schedules; i++) {
        int32_t replicas = MIN(spec->schedules[i].min_replicas, spec->max_replicas);
        if (replicas > floor.replicas && schedule_active(&spec->schedules[i], now_us))
            floor = (struct schedule_floor){.replicas = replicas, .schedule = (int32_t)i};
    }
    return floor;
}
