/* Floors by the clock (decision rule 12): what the active schedules raise the minimum to.
 *
 * A schedule is a state: active exactly while its last start is later than its last end. So a window is right however
 * late one looks, after a restart, across daylight saving, and where windows overlap. Start and end in the same minute:
 * the end counts. Of several active ones the highest floor counts.
 */
#ifndef CORE_SCHEDULE_H
#define CORE_SCHEDULE_H

#include "core/spec.h"

bool schedule_active(const struct core_schedule *schedule, int64_t now_us);

struct schedule_floor {
    int32_t replicas; /* at most the spec's max_replicas; -1: no schedule is active */
    int32_t schedule; /* index of the schedule that it is of (the first of equals), -1: none */
};
struct schedule_floor schedule_floor(const struct core_spec *spec, int64_t now_us);

#endif
