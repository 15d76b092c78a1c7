/* Names of resources and their paths in the API: group, version, plural ->
 * "/apis/apps/v1/namespaces/ns/deployments/web/scale". */
#ifndef KUBE_RESOURCE_H
#define KUBE_RESOURCE_H

#include "base/base.h"
#include "base/buf.h"

struct resource {
    const char *group; /* "" for the core group */
    const char *version;
    const char *plural;
    const char *kind;
    bool namespaced;
};

extern const struct resource resource_pods, resource_deployments, resource_statefulsets, resource_hpas, resource_leases,
    resource_events, resource_pod_metrics;

/* Appends the escaped path. `namespace_` NULL: all of them (lists), or cluster-scoped. `name` NULL: the
 * collection. `subresource` NULL: the object itself. A name that can't be a path segment ("", ".", "..", with
 * "/" or "%") empties the buffer and sets `failed`; a request without a path is then refused. */
void resource_path(struct buf *out, const struct resource *r, const char *namespace_, const char *name,
                   const char *subresource);
/* Appends "?key=value" or "&key=value" with escaping. */
void resource_query(struct buf *out, const char *key, const char *value);

#endif
