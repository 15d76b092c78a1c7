/* Plays a series through the demand model slot by slot, as the operator would see it, and stops at origins.
 *
 * An origin is the index of the first slot that is forecast. At an origin the model has seen the slots before it and
 * nothing else: what it says there depends neither on which other origins are looked at nor on how the file goes on.
 */
#ifndef LAB_PLAY_H
#define LAB_PLAY_H

#include "core/demand.h"
#include "lab/series_file.h"

/* The lead that trust is scored at: start-up of a pod 120 s, a sync, the age of a sample. The operator's too, until it
 * has measured its own. */
#define PLAY_LEAD_S 180

struct play_options {
    uint32_t history; /* slots in the ring, 12..4032 */
    uint32_t horizon; /* slots, 1..FORECAST_MAX_HORIZON */
    uint32_t every;   /* origins are history, history + every ...; 0: one, after the last slot */
    /* Told now and then how far it is; NULL: nobody asks. */
    void (*progress)(void *data, uint32_t slot, uint32_t n);
    void *data;
};

/* `d` is at `origin`: demand_forecast() and demand_trust() are what it thinks there. False: that was enough. */
typedef bool play_fn(void *data, uint32_t origin, struct demand *d);

/* How many origins were looked at. */
uint32_t play_series(const struct series_file *s, const struct play_options *options, play_fn *fn, void *data);

#endif
