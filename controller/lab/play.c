/* Playing a series; see play.h. */
#include "lab/play.h"

#include <assert.h>

#define PROGRESS_EVERY 4096 /* slots */

/* With --every a slot whose mean may still change is no base for a line that others compare with. */
static bool is_origin(const struct series_file *s, const struct play_options *o, uint32_t t)
{
    if (o->every == 0)
        return t == s->n;
    return t >= o->history && (t - o->history) % o->every == 0 && (t < s->n || s->last_is_whole);
}

uint32_t play_series(const struct series_file *s, const struct play_options *o, play_fn *fn, void *data)
{
    struct demand_config config = demand_config_default();
    config.interval_s = s->interval_s;
    config.slots = o->history;
    config.horizon = o->horizon;
    struct demand *d = demand_new(&config);
    uint32_t origins = 0;
    bool more = true;
    for (uint32_t t = 0; t <= s->n && more; t++) {
        if (o->progress && t % PROGRESS_EVERY == 0)
            o->progress(o->data, t, s->n);
        if (is_origin(s, o, t)) {
            more = fn(data, t, d);
            origins++;
        }
        if (t < s->n && more)
            demand_push_slot(d, t, s->value[t], PLAY_LEAD_S);
    }
    demand_free(d);
    return origins;
}
