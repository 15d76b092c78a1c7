/* History that comes from elsewhere, merged with our own and played anew; see demand_import(). Own samples
 * win: they were measured as the model is fed. */
#include "core/demand_impl.h"

#include <math.h>

/* The first slot that is not over yet. */
static int64_t present_slot(const struct demand *d, int64_t now_s)
{
    if (d->series.n > 0)
        return d->series.next;
    return now_s / d->config.interval_s;
}

uint32_t demand_import(struct demand *d, int64_t first_slot, const float *values, uint32_t n, int64_t now_s,
                       uint32_t lead_s)
{
    int64_t end = present_slot(d, now_s), own_first = d->series.next - d->series.n;
    int64_t begin = MAX(d->series.n > 0 ? MIN(first_slot, own_first) : first_slot, end - (int64_t)d->config.slots);
    if (begin >= end)
        return 0;
    struct series merged = {0};
    uint32_t taken = 0;
    series_init(&merged, d->config.slots);
    series_skip_to(&merged, begin);
    for (int64_t slot = begin; slot < end; slot++) {
        float own = d->series.n > 0 ? series_raw(&d->series, slot) : NAN;
        int64_t i = slot - first_slot;
        bool given = isnan(own) && i >= 0 && i < (int64_t)n && isfinite(values[i]) && values[i] >= 0;
        series_push(&merged, (double)(given ? values[i] : own), given ? 0 : series_marks(&d->series, slot));
        taken += given;
    }
    if (taken > 0) {
        d->lead_s = lead_s;
        demand_replay(d, &d->config, &merged);
        demand_changed(d);
    }
    series_done(&merged);
    return taken;
}
