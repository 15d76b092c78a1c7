/* The two ends of a step that an advisor has a part in: answers and approvals that came since the last one go into the
 * state before it decides; afterwards the plan says what the advisor would be told, and whether it should be. For
 * step.c alone. What advice does in between is advice.h's.
 */
#ifndef CORE_CONSULT_H
#define CORE_CONSULT_H

#include "core/step.h"

void consult_answers(const struct core_spec *spec, struct core_state *state,
                     const struct core_observation *observation);
/* Fills the situation, and why to ask; follows whether what was said before was right. `metric`: the one that decides.
 */
void consult(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation,
             int32_t metric, struct core_plan *plan);

#endif
