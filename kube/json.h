/* JSON for the API: strict reading, careful getters, and text building. jansson does the parsing; a tree
 * never outlives the function that parsed it: decode at once into compact structs.
 *
 * Strict means: valid UTF-8, no duplicate keys, no NUL in strings, nothing behind the value, depth <= 64,
 * size <= the caller's cap. Getters say which path was wrong: "spec.maxReplicas: want an integer, have a
 * string".
 */
#ifndef KUBE_JSON_H
#define KUBE_JSON_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>

#define JSON_MAX_DEPTH 64

json_t *json_parse(const char *text, size_t len, struct error *err); /* gives; NULL and err */
static inline void json_tree_unrefp(json_t **j)
{
    json_decref(*j);
}
#define _json_cleanup_ _cleanup_(json_tree_unrefp)

/* Nested lookup "a.b.c" of objects; NULL when any part is absent or null; "" is the root. Borrowed. A name
 * that has a dot in it (labels, annotations) is not reached this way: json_object_get() on the map itself. */
const json_t *json_at(const json_t *root, const char *dotted);
const char *json_str(const json_t *root, const char *dotted); /* NULL: absent or no string */
/* Absent gives `fallback`; a wrong type or a fraction too (use json_want_* where the user must be told). */
int64_t json_int(const json_t *root, const char *dotted, int64_t fallback);
bool json_bool(const json_t *root, const char *dotted, bool fallback);

/* The same with a message: 0 present and stored; 1 absent or null, *ret untouched; < 0 of a wrong type or out
 * of range, "spec.maxReplicas: want an integer, have a string". Texts are borrowed from the tree. */
int json_want_str(const json_t *root, const char *dotted, const char **ret, struct error *err);
int json_want_int(const json_t *root, const char *dotted, int64_t min, int64_t max, int64_t *ret, struct error *err);
int json_want_bool(const json_t *root, const char *dotted, bool *ret, struct error *err);

/* Appends compact JSON with sorted keys. */
void json_write(struct buf *out, const json_t *value);

/* Objects written as text, without a tree: json_emit_* puts commas where they belong.
 *     struct json_emit j = json_emit(&buf);
 *     json_open(&j, NULL, '{'); json_emit_str(&j, "kind", "Lease"); json_close(&j, '}');
 * `key` NULL inside arrays. */
struct json_emit {
    struct buf *out;
    uint64_t has_member; /* bit per depth: whether a comma is due */
    unsigned depth;
};
struct json_emit json_emit(struct buf *out);
void json_open(struct json_emit *j, const char *key, char bracket);
void json_close(struct json_emit *j, char bracket);
void json_emit_str(struct json_emit *j, const char *key, const char *value); /* NULL value: the member is left out */
void json_emit_int(struct json_emit *j, const char *key, int64_t value);
void json_emit_double(struct json_emit *j, const char *key, double value); /* not for CRD fields: they have no floats */
void json_emit_bool(struct json_emit *j, const char *key, bool value);
void json_emit_raw(struct json_emit *j, const char *key, const char *json,
                   size_t len); /* JSON that is known to be valid */

#endif
