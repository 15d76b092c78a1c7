/* What a model is told: a fixed instruction and one JSON block of numbers and enums.
 *
 * Nothing in it comes from a user's text: no names, labels, annotations, logs or events, so there is nothing in it that
 * could instruct the model, and nothing private. Equal situations give equal bytes; at most PROMPT_MAX bytes, so that
 * it fits the smallest context that local servers have (4096 tokens).
 */
#ifndef ADVISOR_PROMPT_H
#define ADVISOR_PROMPT_H

#include "base/buf.h"
#include "core/advice.h"

#define PROMPT_VERSION 1 /* part of the cache's key: another text is another question */
#define PROMPT_MAX     4096

const char *prompt_system(void);
/* `shrink`: only what is needed to answer, for a model whose context was too small. */
void prompt_situation(const struct advice_situation *s, bool shrink, struct buf *out);

#endif
