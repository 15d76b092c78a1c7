/* Plain struct -> JSON, by the same table that decodes it: absent members and empty lists are left out,
 * nothing is ever null. And a digest of a struct that says whether a change is worth telling. */
#ifndef API_ENCODE_H
#define API_ENCODE_H

#include "api/schema.h"
#include "kube/json.h"

/* Writes the object as member `key` (NULL: as an element, or as the whole). */
void api_encode(const struct schema_object *schema, const void *object, struct json_emit *j, const char *key);

/* Numbers in `drift` count with their first two significant digits, times by the hour, and texts without
 * their digits; `loud` and `prompt` count exactly. Which field is which, the table says (schema_news). */
struct schema_digest {
    uint64_t loud, prompt, drift;
};
struct schema_digest api_digest(const struct schema_object *schema, const void *object);

#endif
