/* From a Pod's JSON to what the HPA's rules ask of it: phase, readiness, and the sums of requests and limits.
 *
 * Requests are summed as the HPA does: containers and restartable init containers, in milli units each
 * rounded up; one of them without a request makes the sum unknown. Requests at pod level (KEP-2837) go before
 * those of the containers. */
#include "sources/pod_decode.h"

#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "kube/quantity.h"

#include <stdlib.h>
#include <string.h>

static void pod_free(struct object *o)
{
    struct pod *pod = CONTAINER_OF(o, struct pod, object);
    labels_done(&pod->labels);
    free(pod->containers);
    free(pod);
}

const struct pod_container *pod_container(const struct pod *pod, const char *name)
{
    for (uint32_t i = 0; i < pod->n_containers; i++)
        if (streq(pod->containers[i].name, name))
            return &pod->containers[i];
    return NULL;
}

static int64_t time_at(const json_t *o, const char *path)
{
    int64_t us = 0;
    const char *text = json_str(o, path);
    return text && rfc3339_parse(text, &us) ? us : 0;
}

/* A quantity in milli units; false: absent or not a quantity. */
static bool milli_of(const json_t *resources, const char *name, int64_t *ret)
{
    struct quantity q;
    const char *text = resources ? json_string_value(json_object_get(resources, name)) : NULL;
    if (!text || !quantity_parse(text, &q))
        return false;
    *ret = quantity_milli(q);
    return true;
}

struct sum {
    int64_t request, limit; /* in milli units */
    bool request_missing, limit_missing;
};

static void add_saturating(int64_t *sum, int64_t value)
{
    if (__builtin_add_overflow(*sum, value, sum))
        *sum = INT64_MAX;
}

static void add_container(struct sum *s, const json_t *container, const char *resource)
{
    int64_t milli;
    if (milli_of(json_at(container, "resources.requests"), resource, &milli))
        add_saturating(&s->request, milli);
    else
        s->request_missing = true;
    if (milli_of(json_at(container, "resources.limits"), resource, &milli))
        add_saturating(&s->limit, milli);
    else
        s->limit_missing = true;
}

/* Calls `each` for the containers that run as long as the pod does: restartable init containers are some of them. */
static void each_container(const json_t *pod, void (*each)(void *data, const json_t *container), void *data)
{
    size_t i;
    json_t *container;
    json_array_foreach((json_t *)(uintptr_t)json_at(pod, "spec.containers"), i, container) each(data, container);
    json_array_foreach((json_t *)(uintptr_t)json_at(pod, "spec.initContainers"), i, container)
    {
        const char *restart = json_str(container, "restartPolicy");
        if (restart && streq(restart, "Always"))
            each(data, container);
    }
}

static struct pod_resource resource_of_sum(const struct sum *s)
{
    return (struct pod_resource){
        .request_milli = s->request_missing ? -1 : s->request,
        .limit_milli = s->limit_missing ? 0 : s->limit,
    };
}

struct pod_sums {
    struct sum cpu, memory;
    uint32_t n;
    size_t name_bytes;
};

static void add_to_sums(void *data, const json_t *container)
{
    struct pod_sums *sums = data;
    const char *name = json_str(container, "name");
    add_container(&sums->cpu, container, "cpu");
    add_container(&sums->memory, container, "memory");
    sums->n++;
    sums->name_bytes += name ? strlen(name) + 1 : 1;
}

struct container_list {
    struct pod *pod;
    char *names; /* room for the next one */
};

static const char *keep_name(char **room, const char *name)
{
    size_t bytes = strlen(name) + 1;
    char *at = memcpy(*room, name, bytes);
    *room += bytes;
    return at;
}

static void keep_container(void *data, const json_t *container)
{
    struct container_list *list = data;
    if (list->pod->n_containers == POD_MAX_CONTAINERS)
        return;
    struct pod_container *c = &list->pod->containers[list->pod->n_containers++];
    struct sum cpu = {0}, memory = {0};
    const char *name = json_str(container, "name");
    add_container(&cpu, container, "cpu");
    add_container(&memory, container, "memory");
    c->name = keep_name(&list->names, name ? name : "");
    c->cpu = resource_of_sum(&cpu);
    c->memory = resource_of_sum(&memory);
}

static void read_containers(struct pod *pod, const json_t *root, const struct pod_sums *sums)
{
    uint32_t n = MIN(sums->n, POD_MAX_CONTAINERS);
    char *block = xcalloc(1, n * sizeof(*pod->containers) + sums->name_bytes + 1);
    pod->containers = (struct pod_container *)(void *)block;
    struct container_list list = {.pod = pod, .names = block + n * sizeof(*pod->containers)};
    each_container(root, keep_container, &list);
}

static struct pod_resource resource_of(const json_t *pod, const struct sum *s, const char *resource)
{
    struct pod_resource r = resource_of_sum(s);
    int64_t milli;
    if (milli_of(json_at(pod, "spec.resources.requests"), resource, &milli))
        r.request_milli = milli;
    if (milli_of(json_at(pod, "spec.resources.limits"), resource, &milli))
        r.limit_milli = milli;
    return r;
}

static enum core_pod_phase phase_of(const char *phase)
{
    static const struct {
        const char *name;
        enum core_pod_phase phase;
    } phases[] = {{"Pending", CORE_POD_PENDING},
                  {"Running", CORE_POD_RUNNING},
                  {"Succeeded", CORE_POD_SUCCEEDED},
                  {"Failed", CORE_POD_FAILED}};
    for (size_t i = 0; phase && i < ARRAY_SIZE(phases); i++)
        if (streq(phase, phases[i].name))
            return phases[i].phase;
    return phase && *phase ? CORE_POD_UNKNOWN : CORE_POD_PENDING;
}

static void read_conditions(struct pod *pod, const json_t *root)
{
    size_t i;
    json_t *c;
    json_array_foreach((json_t *)(uintptr_t)json_at(root, "status.conditions"), i, c)
    {
        const char *type = json_str(c, "type"), *status = json_str(c, "status"), *reason = json_str(c, "reason");
        if (!type || !status)
            continue;
        if (streq(type, "Ready")) {
            pod->core.ready = streq(status, "True")    ? CORE_READY_TRUE
                              : streq(status, "False") ? CORE_READY_FALSE
                                                       : CORE_READY_UNKNOWN;
            pod->core.ready_transition_us = time_at(c, "lastTransitionTime");
        } else if (streq(type, "PodScheduled")) {
            pod->unschedulable = streq(status, "False") && reason && streq(reason, "Unschedulable");
        }
    }
}

struct object *pod_decode(const char *raw, size_t len, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(raw, len, err);
    if (!root)
        return NULL;
    struct pod *pod = xcalloc(1, sizeof(*pod));
    pod->object.refs = 1;
    pod->object.free = pod_free;
    if (object_meta_decode(root, &pod->object.meta, err) < 0) {
        free(pod);
        return NULL;
    }
    pod->core.phase = phase_of(json_str(root, "status.phase"));
    pod->core.deleting = pod->object.meta.deletion_us != 0;
    pod->core.start_us = time_at(root, "status.startTime");
    read_conditions(pod, root);
    struct pod_sums sums = {.n = 0};
    each_container(root, add_to_sums, &sums);
    pod->cpu = resource_of(root, &sums.cpu, "cpu");
    pod->memory = resource_of(root, &sums.memory, "memory");
    read_containers(pod, root, &sums);
    labels_decode(json_at(root, "metadata.labels"), &pod->labels);
    return &pod->object;
}
