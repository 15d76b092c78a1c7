/* What core_state is made of. For step.c and state.c alone; everyone else uses step.h. */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "core/advice.h"
#include "core/behavior.h"
#include "core/contention.h"
#include "core/decisions.h"
#include "core/loan.h"
#include "core/outage.h"
#include "core/step.h"
#include "core/watch.h"

struct core_state_metric {
    char *name;
    struct demand *demand;
};

struct core_state {
    struct core_state_metric metrics[CORE_MAX_METRICS]; /* those that are forecast, in the order of the spec */
    uint32_t n_metrics;
    struct behavior behavior;
    struct contention contention;
    struct decisions decisions;
    struct outages outages;
    struct watch watch;
    struct advice_state advice;
    struct loan loan;
    bool scaled_to_zero; /* the last write of ours was to 0: a count of 0 is not by hand (HPA: condition
                            ScaledToZero) */
};

/* Makes `metrics` those of the spec: by name, with the spec's configuration. */
void state_take_spec(struct core_state *state, const struct core_spec *spec);

#endif
