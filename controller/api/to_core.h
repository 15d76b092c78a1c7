/* From the API's spec to the core's: quantities become numbers in base units, seconds become slots. */
#ifndef API_TO_CORE_H
#define API_TO_CORE_H

#include "api/config.h"
#include "api/pa.h"
#include "core/spec.h"

/* Total: every decoded spec gives a core spec that core_spec_broken() accepts. */
void pa_to_core(const struct pa *pa, const struct operator_config *config, struct core_spec *ret);

#endif
