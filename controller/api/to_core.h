/* From the API's spec to the core's: quantities become numbers in base units, seconds become slots. */
#ifndef API_TO_CORE_H
#define API_TO_CORE_H

#include "api/config.h"
#include "api/pa.h"
#include "core/spec.h"

/* Total: every decoded spec gives a core spec that core_spec_broken() accepts. Its time zones are borrowed from
 * `zones`, which must live as long. A schedule that can't be understood is left out; `ret_ignored` says which and why
 * (of several the first), and has kind ERROR_NONE when there was none. */
void pa_to_core(const struct pa *pa, const struct operator_config *config, struct tz_cache *zones,
                struct core_spec *ret, struct error *ret_ignored);

#endif
