/* Texts of the core in fixed room, and the phrases that the stages, the sentence (explain.c) and the conditions
 * (condition.c) have in common. What does not fit is cut off. */
#ifndef CORE_WORDS_H
#define CORE_WORDS_H

#include "core/step.h"

struct text {
    char *data;
    size_t cap, len;
};
#define TEXT(array) ((struct text){.data = (array), .cap = sizeof(array)})

void say(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void say_seconds(struct text *t, uint32_t s); /* "5 min" */

/* Of the i-th metric: what it is at, what its forecast says, for how long it has been unknown. */
void say_metric(struct text *t, const struct core_spec *spec, const struct core_plan *plan, uint32_t i);
void say_forecast(struct text *t, const struct core_spec *spec, const struct core_plan *plan, uint32_t i);
void say_outage(struct text *t, const struct core_spec *spec, const struct core_plan *plan, uint32_t i);

const char *core_problem_text(enum core_problem problem);  /* "no ready pod has a sample" ... */
uint32_t fallen_back_metric(const struct core_plan *plan); /* whose fallback counts */

#endif
