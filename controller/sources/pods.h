/* The pods of the targets, watched: one informer per namespace that holds a target (one for the cluster above
 * 64 namespaces), finished pods filtered out by the server. Kept compact: about 300 bytes a pod.
 *
 * Also learns how long a pod takes to start: from its creation to its first Ready, for pods that we saw
 * created. */
#ifndef SOURCES_PODS_H
#define SOURCES_PODS_H

#include "core/step.h"
#include "kube/informer.h"
#include "kube/labels.h"

/* Sums over a pod's containers, as the HPA counts them (restartable init containers included). */
struct pod_resource {
    int64_t request_milli; /* thousandths; < 0: a container lacks it */
    int64_t limit_milli;   /* 0: a container has none */
};

/* One container, for metrics that are about it alone. */
struct pod_container {
    const char *name;
    struct pod_resource cpu, memory;
};

struct pod {
    struct object object;
    struct labels labels;
    struct core_pod core; /* phase, readiness, times */
    bool unschedulable;   /* PodScheduled False with reason Unschedulable */
    struct pod_resource cpu, memory;
    uint32_t n_containers;
    struct pod_container *containers; /* with their names in one allocation */
};
#define POD_MAX_CONTAINERS 256

const struct pod_container *pod_container(const struct pod *pod, const char *name); /* NULL: it has none */

struct pods;
struct pods *pods_new(struct kube_client *client, struct log *log, struct metrics *metrics);
struct pods *pods_free(struct pods *p);

/* Reference counted per namespace. */
void pods_watch(struct pods *p, const char *namespace_);
void pods_unwatch(struct pods *p, const char *namespace_);
bool pods_synced(const struct pods *p, const char *namespace_);
const struct error *pods_error(const struct pods *p, const char *namespace_); /* NULL: none */
bool pods_watches_cluster(const struct pods *p);
size_t pods_count(const struct pods *p, const char *namespace_); /* NULL: all that are watched */

/* The pods that a selector matches, in order of their names (deterministic). Gives the number; grows *out
 * (free()). Borrowed until the next turn of the loop. */
size_t pods_select(const struct pods *p, const char *namespace_, const struct selector *selector,
                   const struct pod ***out, size_t *cap);

/* The p90 in seconds of the start-up of the pods of this selector, of the last 50 we saw created; 0: fewer
 * than 5. */
uint32_t pods_startup_p90_s(struct pods *p, const char *namespace_, const char *selector_text);

#endif
