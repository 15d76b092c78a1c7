/* From the tables: CustomResourceDefinitions as YAML, and the field reference for people as Markdown. `make
 * crds` writes what is committed in crds/; a test compares the two. */
#ifndef API_CRDGEN_H
#define API_CRDGEN_H

#include "api/schema.h"
#include "base/buf.h"

/* A whole manifest: structural schema, defaults, CEL rules, printer columns, subresource. */
void crdgen_crd(const struct schema_resource *resource, struct buf *out);

/* Tables of fields and lists of rules of one kind, as Markdown. */
void crdgen_reference(const struct schema_resource *resource, struct buf *out);
void crdgen_object_reference(const struct schema_object *object, struct buf *out); /* without a kind: a file */

/* "3 to 3600, default 15" as it stands behind every description; "" when there is nothing to say. */
void crdgen_limits(const struct schema_field *f, char *out, size_t cap);

#endif
