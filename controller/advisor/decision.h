/* What a model may answer: one JSON object of seven members, validated here whatever the provider promised.
 *
 *     {"action":"scale_up","target_replicas":6,"confidence":0.8,"reasoning":"...","risk_assessment":"low",
 *      "cost_impact":"medium","recommended_timing":"immediate"}
 *
 * Strict: the whole message is the object (at most one code fence around it is taken off; nothing is searched for);
 * UTF-8, no duplicate or unknown keys, no trailing data, depth <= 8, content <= 16 KiB; target_replicas an integer
 * 0..10000 written as one; confidence finite, 0..1; enums from closed lists; action, target and current must agree
 * (scale_up: target > current ...), a contradiction is not mended. Prose never drives a decision: reasoning is for
 * people, cleaned of control, ANSI, bidi and zero-width characters and cut to DECISION_TEXT_MAX bytes at a character.
 */
#ifndef ADVISOR_DECISION_H
#define ADVISOR_DECISION_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "core/advice.h"

#define DECISION_CONTENT_MAX (16 * 1024)
#define DECISION_TEXT_MAX    512

enum decision_action { DECISION_SCALE_UP, DECISION_SCALE_DOWN, DECISION_MAINTAIN };
enum decision_level { DECISION_LOW, DECISION_MEDIUM, DECISION_HIGH };
enum decision_timing { DECISION_IMMEDIATE, DECISION_GRADUAL, DECISION_SCHEDULED };

struct decision {
    enum decision_action action;
    int32_t target_replicas;
    uint32_t confidence_percent;
    enum decision_level risk, cost;
    enum decision_timing timing; /* shown; it postpones nothing */
    char reasoning[DECISION_TEXT_MAX];
};

/* `content` is what the model said. 0, or < 0 with a message that says what is wrong and quotes nothing of it. `asked`
 * NULL: whether the action agrees with the count is not known yet, and is left to decision_fits(). */
int decision_parse(const char *content, size_t len, const struct advice_situation *asked, struct decision *ret,
                   struct error *err);

/* Whether action and target agree where `current` run. */
bool decision_fits(const struct decision *d, int32_t current);

const char *decision_action_name(enum decision_action action);
const char *decision_level_name(enum decision_level level);
const char *decision_timing_name(enum decision_timing timing);
/* The enums of `ret` back from these names; false: some are another version's. */
bool decision_words(const char *action, const char *risk, const char *cost, const char *timing, struct decision *ret);

/* The JSON schema of the answer, in the strict form that constrained decoding wants: every property required, no
 * additional ones, no numeric ranges (these are checked here). Static. */
const char *decision_schema(void);

/* Text from outside made fit to be shown: see above. Gives the bytes written without the NUL. */
size_t decision_clean_text(const char *text, size_t len, char *out, size_t cap);

#endif
