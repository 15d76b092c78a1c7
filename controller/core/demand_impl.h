/* The inside of demand.h, shared by its own files alone: demand.c (feeding and asking), demand_state.c
 * (encoding, rebuilding, reconfiguring). */
#ifndef CORE_DEMAND_IMPL_H
#define CORE_DEMAND_IMPL_H

#include "core/demand.h"
#include "core/driver.h"
#include "core/model.h"
#include "core/series.h"
#include "core/trust.h"

/* The slot that is being filled. Excluded samples count only when there is nothing else. */
struct demand_open {
    double sum, excluded_sum;
    uint32_t n, excluded_n;
    bool censored;
};

/* demand_ahead()'s, for the slots after `next`; slots 0: none. */
struct demand_ahead_memo {
    int64_t next;
    uint32_t slots;
    float highest;
};

struct demand {
    struct demand_config config;
    struct series series;
    struct demand_open open;
    struct model model;
    struct driver driver;
    struct trust trust;
    int64_t last_us;           /* of the last observation; INT64_MIN: none */
    uint32_t lead_s;           /* the last lead in use */
    uint32_t judged_lead_s;    /* the lead that the driver's errors and the trust are about */
    uint32_t other_lead_slots; /* how many closed slots in a row the lead in use has been quite another */
    /* What follows is made from the above and never encoded. */
    struct forecast forecast;
    float *cache; /* the numbers of `forecast` */
    bool cached;
    struct demand_ahead_memo ahead;
    struct demand_config *wanted; /* while decoding: what to become afterwards */
    uint32_t missing;             /* while decoding: closed segments that have not come, bit 0 the oldest */
};

/* What a configuration lets repeat and its ring can hold. */
struct features_cycles demand_cycles(const struct demand_config *config);
uint32_t demand_season_s(const struct demand *d); /* for what repeats: the season, or a day */
/* Empties everything but the configuration and the ring's memory. */
void demand_parts_init(struct demand *d);
void demand_parts_done(struct demand *d);
/* One slot, at its middle: measured, then closed. */
void demand_take_slot(struct demand *d, int64_t slot, double value, unsigned marks);
/* The lead in use at a closed slot: when it has become quite another for good, everything that was judged at the old
 * one is judged anew at this one. */
void demand_follow_lead(struct demand *d);
/* Plays a history through fresh parts for `config`: `from` (slots of the present interval), or NULL for its own. The
 * last time and, where the interval stays, the slot that is being filled are kept. */
void demand_replay(struct demand *d, const struct demand_config *config, struct series *from);
/* The clock was set back to `time_us`: what lies after it was measured by a clock that was wrong, and goes. */
void demand_step_back(struct demand *d, int64_t time_us);
int64_t demand_slot_of(const struct demand *d, int64_t time_us);

#endif
