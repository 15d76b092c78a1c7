/* Looks at members of a JSON object without building a tree: for the envelope of a watch event and for the
 * few fields of an object (kind, key, resourceVersion) that matter before, or without, its decoding.
 *
 * The text is one that a splitter has cut out, so its brackets match; beyond that nothing is trusted: what
 * does not look like an object with members gives "absent". What is taken out of it is still to be parsed
 * strictly.
 */
#ifndef KUBE_PEEK_H
#define KUBE_PEEK_H

#include "base/base.h"

struct peek {
    const char *at; /* NULL: absent */
    size_t len;
};

/* The value of member `key` (plain ASCII) of the object `json`, with its quotes or brackets. Of several the
 * first. */
struct peek peek_member(struct peek json, const char *key);
/* The same for a string without escapes, copied to `out` with its NUL. False: absent, no string, has escapes,
 * too long. */
bool peek_str(struct peek json, const char *key, char *out, size_t cap);

#endif
