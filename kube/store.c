/* See store.h. */
#include "kube/store.h"

#include "base/str.h"

#include <assert.h>
#include <string.h>

#define KEY_MAX 1024 /* namespace (63), slash, name (253), with room for what a server makes of it */

struct object *object_ref(const struct object *o)
{
    /* The count is the one member that changes in an object that is otherwise shared as const. */
    struct object *shared = (struct object *)(uintptr_t)o;
    assert(shared->refs > 0 && shared->refs < UINT32_MAX);
    shared->refs++;
    return shared;
}

void object_unref(struct object *o)
{
    if (!o)
        return;
    assert(o->refs > 0);
    if (--o->refs > 0)
        return;
    object_meta_done(&o->meta);
    o->free(o);
}

static bool is_decimal(const char *s)
{
    size_t n = s ? strspn(s, "0123456789") : 0;
    return n > 0 && s[n] == '\0' && (s[0] != '0' || n == 1);
}

bool resource_version_older(const char *a, const char *b)
{
    return is_decimal(a) && is_decimal(b) && resource_version_compare(a, b) < 0;
}

bool object_same_uid(const struct object *a, const struct object *b)
{
    return streq0(a->meta.uid, b->meta.uid);
}

bool object_same(const struct object *a, const struct object *b)
{
    return a->meta.resource_version && a->meta.uid && object_same_uid(a, b) &&
           streq0(a->meta.resource_version, b->meta.resource_version);
}

static void unref_value(void *value)
{
    object_unref(value);
}

void store_init(struct map *store)
{
    map_init(store, unref_value);
}

struct object *store_get(const struct map *store, const char *namespace_, const char *name)
{
    struct buf key = BUF_INIT(KEY_MAX);
    object_key(&key, namespace_, name);
    struct object *o = key.failed ? NULL : map_get(store, buf_str(&key));
    buf_done(&key);
    return o;
}

void store_put(struct map *store, struct object *o)
{
    struct buf key = BUF_INIT(KEY_MAX);
    object_key(&key, o->meta.namespace_, o->meta.name);
    if (key.failed)
        object_unref(o);
    else
        map_set(store, buf_str(&key), o);
    buf_done(&key);
}

void store_remove(struct map *store, const struct object *o)
{
    struct buf key = BUF_INIT(KEY_MAX);
    object_key(&key, o->meta.namespace_, o->meta.name);
    (void)map_remove(store, buf_str(&key));
    buf_done(&key);
}
