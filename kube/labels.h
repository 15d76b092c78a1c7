/* Label selectors as text, and matching them: "app=web,tier in (a,b),!canary,env!=dev". Parsed once, matched
 * often. */
#ifndef KUBE_LABELS_H
#define KUBE_LABELS_H

#include "kube/json.h"

/* An object's labels in one allocation: key NUL value NUL, `count` times. */
struct labels {
    char *packed;
    unsigned count;
};

/* From the JSON object metadata.labels (NULL: none); values that are not strings are left out. */
void labels_decode(const json_t *object, struct labels *ret);
void labels_done(struct labels *l);
const char *labels_get(const struct labels *l, const char *key); /* NULL: absent */

struct selector;

/* Gives; "" matches everything. NULL and err for text that is not a selector. */
struct selector *selector_parse(const char *text, struct error *err);
struct selector *selector_free(struct selector *s);
bool selector_matches(const struct selector *s, const struct labels *labels);
/* The i-th label (from 0) that whatever matches must have with this very value; false: there are no more. Borrowed. */
bool selector_equality(const struct selector *s, size_t i, const char **ret_key, const char **ret_value);

#endif
