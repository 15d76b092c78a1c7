/* Paths of the API. Every part is percent-encoded, so that no name can leave its place in the path. */
#include "kube/resource.h"

#include "base/str.h"

#include <string.h>

const struct resource resource_pods = {"", "v1", "pods", "Pod", true};
const struct resource resource_deployments = {"apps", "v1", "deployments", "Deployment", true};
const struct resource resource_statefulsets = {"apps", "v1", "statefulsets", "StatefulSet", true};
const struct resource resource_hpas = {"autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler",
                                       true};
const struct resource resource_leases = {"coordination.k8s.io", "v1", "leases", "Lease", true};
const struct resource resource_events = {"events.k8s.io", "v1", "events", "Event", true};
const struct resource resource_pod_metrics = {"metrics.k8s.io", "v1beta1", "pods", "PodMetrics", true};

/* What the API server refuses as a path segment too. Names come from users (a target's name): "..", encoded
 * or not, would be taken for a step up on the way. */
static bool is_segment(const char *name)
{
    return name[0] && !streq(name, ".") && !streq(name, "..") && !strpbrk(name, "/%");
}

static void segment(struct buf *out, const char *name)
{
    if (!is_segment(name)) {
        buf_clear(out);
        out->failed = true;
        return;
    }
    (void)buf_putc(out, '/');
    str_url_escape(out, name);
}

void resource_path(struct buf *out, const struct resource *r, const char *namespace_, const char *name,
                   const char *subresource)
{
    if (r->group[0] == '\0') {
        (void)buf_puts(out, "/api");
    } else {
        (void)buf_puts(out, "/apis");
        segment(out, r->group);
    }
    segment(out, r->version);
    if (namespace_ && r->namespaced) {
        (void)buf_puts(out, "/namespaces");
        segment(out, namespace_);
    }
    segment(out, r->plural);
    if (name)
        segment(out, name);
    if (name && subresource)
        segment(out, subresource);
}

void resource_query(struct buf *out, const char *key, const char *value)
{
    (void)buf_putc(out, strchr(buf_str(out), '?') ? '&' : '?');
    str_url_escape(out, key);
    (void)buf_putc(out, '=');
    str_url_escape(out, value);
}
