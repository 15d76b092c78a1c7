/* Cached objects, and the set of them that an informer keeps: a map by "namespace/name" that holds one
 * reference each. */
#ifndef KUBE_STORE_H
#define KUBE_STORE_H

#include "base/map.h"
#include "kube/meta.h"

/* First member of every cached object. Reference counted, immutable once stored. */
struct object {
    struct object_meta meta;
    unsigned refs;
    void (*free)(struct object *self); /* frees the whole; object_unref() has already done `meta` */
};
struct object *object_ref(const struct object *o);
void object_unref(struct object *o); /* NULL: nothing */

/* True only when the order of the two is defined (both decimal) and `a` comes before `b`. */
bool resource_version_older(const char *a, const char *b);
/* The same object in the same state: uid and resourceVersion are there and equal. */
bool object_same(const struct object *a, const struct object *b);
/* The same object in any state. A name that was deleted and created anew is another one. */
bool object_same_uid(const struct object *a, const struct object *b);

void store_init(struct map *store);
struct object *store_get(const struct map *store, const char *namespace_,
                         const char *name);          /* borrowed; NULL: absent */
void store_put(struct map *store, struct object *o); /* takes; what was under the key is let go */
void store_remove(struct map *store, const struct object *o);

#endif
