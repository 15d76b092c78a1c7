/* Values of options as users write them. What is none is wrong usage: it ends the process, as argp does, with a message
 * that says what would be one. `option` is how it is given, with its dashes. */
#ifndef PLUGIN_OPTION_H
#define PLUGIN_OPTION_H

#include "base/base.h"

#include <argp.h>

int64_t option_number(struct argp_state *state, const char *option, const char *text, int64_t min, int64_t max);
/* "7d": a whole number from `min` on, and one of s, m, h, d, w; in seconds. At most 30 years. */
int64_t option_duration_s(struct argp_state *state, const char *option, const char *text, int64_t min);
/* Which of `words` it is; they end with NULL. */
int option_choice(struct argp_state *state, const char *option, const char *text, const char *const words[]);

#endif
