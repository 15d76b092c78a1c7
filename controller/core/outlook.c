/* Beyond the lead; see outlook.h. */
#include "core/outlook.h"

#include <math.h>

static int32_t pods(double demand, double per_pod)
{
    if (!(per_pod > 0))
        return -1;
    double n = ceil(demand / per_pod);
    return n < (double)INT32_MAX ? (int32_t)n : INT32_MAX;
}

int32_t outlook_need(const struct outlook_metric *metric, int64_t now_us, uint32_t lead_s, uint32_t ahead_s,
                     bool with_margin)
{
    double demand = demand_ahead(metric->demand, now_us, lead_s, ahead_s);
    if (!(demand >= 0))
        return -1;
    int32_t need = pods(demand, metric->target);
    return with_margin ? MAX(need, pods(demand + metric->margin, metric->capacity)) : need;
}

int32_t outlook_raise(int32_t current, int32_t need, int32_t ahead)
{
    int64_t most = ((int64_t)current * OUTLOOK_MOST_PERCENT + 99) / 100;
    return MAX(need, (int32_t)MIN(ahead, most));
}

int32_t outlook_hold(int32_t current, int32_t lowered, int32_t ahead)
{
    if ((double)ahead * OUTLOOK_SLACK >= (double)current)
        return current;
    return MAX(lowered, ahead);
}
