/* The built-in autoscaler's objects, decoded to their targets. */
#include "sources/hpas.h"

#include "base/alloc.h"

#include <stdlib.h>

static void hpa_free(struct object *o)
{
    struct hpa *h = CONTAINER_OF(o, struct hpa, object);
    free(h->api_version);
    free(h->kind);
    free(h->name);
    free(h);
}

struct object *hpa_decode(const char *raw, size_t len, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(raw, len, err);
    if (!root)
        return NULL;
    const char *kind = json_str(root, "spec.scaleTargetRef.kind"), *name = json_str(root, "spec.scaleTargetRef.name");
    const char *api_version = json_str(root, "spec.scaleTargetRef.apiVersion");
    if (!kind || !name) {
        (void)error_set(err, ERROR_PARSE, "a HorizontalPodAutoscaler without a target");
        return NULL;
    }
    struct hpa *h = xcalloc(1, sizeof(*h));
    h->object.refs = 1;
    h->object.free = hpa_free;
    if (object_meta_decode(root, &h->object.meta, err) < 0) {
        free(h);
        return NULL;
    }
    h->api_version = xstrdup(api_version ? api_version : "");
    h->kind = xstrdup(kind);
    h->name = xstrdup(name);
    return &h->object;
}
