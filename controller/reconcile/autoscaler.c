/* What an autoscaler is called, and what it scales; see autoscaler.h. */
#include "reconcile/autoscaler.h"

#include "reconcile/pa_object.h"

struct target_ref autoscaler_target(const struct autoscaler *a)
{
    const struct pa_object_target *ref = &a->in_force->target;
    return (struct target_ref){.api_version = ref->api_version,
                               .kind = ref->kind,
                               .namespace_ = a->pa->object.meta.namespace_,
                               .name = ref->name};
}

struct object_ref autoscaler_object(const struct autoscaler *a)
{
    const struct object_meta *m = &a->pa->object.meta;
    return (struct object_ref){
        .api_version = PA_API_VERSION, .kind = PA_KIND, .namespace_ = m->namespace_, .name = m->name, .uid = m->uid};
}
