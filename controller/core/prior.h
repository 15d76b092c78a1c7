/* The regression's prior: coefficients that hold over many workloads, per lead and number of seasons seen.
 *
 * Fitted by least absolute errors over public traces (hack/fit-prior), each series with the same weight; a
 * series' own history moves away from them (ridge.h). Between the leads of the table they are interpolated;
 * leads are fractions of the season, so that the table serves any season and interval. */
#ifndef CORE_PRIOR_H
#define CORE_PRIOR_H

#include "core/features.h"

/* `lead` slots ahead (1: the first forecast slot) of a season of `season` slots; `seasons` >= 1 that the
 * profile saw, `weeks` that are held. */
void prior_at(double theta[FEATURES], uint32_t lead, uint32_t season, uint32_t seasons, uint32_t weeks);

#endif
