/* ObjectMeta: the few fields a controller lives by, copied out of the tree. */
#include "kube/meta.h"

#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* 1 when absent (the field stays NULL). */
static int copy_str(const json_t *metadata, const char *name, char **ret, struct error *err)
{
    const char *value;
    int r = json_want_str(metadata, name, &value, err);
    if (r == 0)
        *ret = xstrdup(value);
    return r;
}

static int read_time(const json_t *metadata, const char *name, int64_t *ret_us, struct error *err)
{
    const char *value;
    int r = json_want_str(metadata, name, &value, err);
    if (r == 0 && !rfc3339_parse(value, ret_us))
        return error_set(err, ERROR_PARSE, "%s: \"%.40s\" is not a time", name, value);
    return r;
}

static int decode_owner(const json_t *metadata, struct object_meta *m, struct error *err)
{
    const json_t *owner, *owners = json_at(metadata, "ownerReferences");
    size_t i;
    if (owners && !json_is_array(owners))
        return error_set(err, ERROR_PARSE, "ownerReferences: want a list");
    json_array_foreach(owners, i, owner)
    {
        if (!json_bool(owner, "controller", false))
            continue;
        if (copy_str(owner, "kind", &m->owner_kind, err) || copy_str(owner, "name", &m->owner_name, err) ||
            copy_str(owner, "uid", &m->owner_uid, err))
            return error_set(err, ERROR_PARSE, "ownerReferences: an owner without kind, name or uid");
        break; /* the API server lets only one be the controller */
    }
    return 0;
}

static int decode(const json_t *metadata, struct object_meta *m, struct error *err)
{
    int r = copy_str(metadata, "name", &m->name, err);
    if (r < 0)
        return r;
    if (r > 0 || !m->name[0])
        return error_set(err, ERROR_PARSE, "name is missing");
    if (copy_str(metadata, "namespace", &m->namespace_, err) < 0 || copy_str(metadata, "uid", &m->uid, err) < 0 ||
        copy_str(metadata, "resourceVersion", &m->resource_version, err) < 0 ||
        json_want_int(metadata, "generation", 0, INT64_MAX, &m->generation, err) < 0 ||
        read_time(metadata, "creationTimestamp", &m->creation_us, err) < 0 ||
        read_time(metadata, "deletionTimestamp", &m->deletion_us, err) < 0)
        return -1;
    if (m->namespace_ && !m->namespace_[0]) {
        free(m->namespace_);
        m->namespace_ = NULL;
    }
    return decode_owner(metadata, m, err);
}

int object_meta_decode(const json_t *object, struct object_meta *ret, struct error *err)
{
    const json_t *metadata = json_at(object, "metadata");
    if (!json_is_object(metadata))
        return error_set(err, ERROR_PARSE, "the object has no metadata");
    struct object_meta m = {0};
    if (decode(metadata, &m, err) < 0) {
        object_meta_done(&m);
        return error_wrap(err, "metadata");
    }
    *ret = m;
    return 0;
}

void object_meta_done(struct object_meta *m)
{
    free(m->namespace_);
    free(m->name);
    free(m->uid);
    free(m->resource_version);
    free(m->owner_kind);
    free(m->owner_name);
    free(m->owner_uid);
    *m = (struct object_meta){0};
}

void object_key(struct buf *out, const char *namespace_, const char *name)
{
    if (namespace_ && namespace_[0]) {
        (void)buf_puts(out, namespace_);
        (void)buf_putc(out, '/');
    }
    (void)buf_puts(out, name);
}

void object_key_split(char *key, const char **ret_namespace, const char **ret_name)
{
    char *slash = strchr(key, '/');
    if (slash)
        *slash = '\0';
    *ret_namespace = slash ? key : "";
    *ret_name = slash ? slash + 1 : key;
}

int resource_version_compare(const char *a, const char *b)
{
    size_t a_len = a ? strlen(a) : 0, b_len = b ? strlen(b) : 0;
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return a_len ? strcmp(a, b) : 0;
}

const char *condition_status_name(enum condition_status s)
{
    static const char *const names[] = {
        [CONDITION_UNKNOWN] = "Unknown", [CONDITION_FALSE] = "False", [CONDITION_TRUE] = "True"};
    return (size_t)s < ARRAY_SIZE(names) ? names[s] : "Unknown";
}
