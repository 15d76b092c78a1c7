/* Annotated workloads: `ai4k8s.io/predictive-autoscaling-enabled: "true"` on a Deployment or StatefulSet
 * becomes an owned PredictiveAutoscaler `<kind>-<name>` (server-side apply of the annotated fields only,
 * label ai4k8s.io/source=annotation, ownerReference to the workload). An object of that name without our
 * label is never touched. Annotation gone: object gone. A hand-written autoscaler for the same target wins
 * (owners.h). A broken configuration keeps the last valid one running, with ConfigValid=False
 * (annotated_problem) and one Warning event on the workload; without a valid one, nothing is created. */
#ifndef RECONCILE_ANNOTATED_H
#define RECONCILE_ANNOTATED_H

#include "kube/recorder.h"
#include "sources/targets.h"

struct annotated;
struct annotated_config {
    const struct targets *targets;
    struct informer *const
        *autoscalers; /* their objects are struct pa_object; one per namespace that is looked after */
    size_t n_informers;
    /* The problem of an autoscaler (by key) has come, changed or gone. */
    void (*changed)(void *data, const char *autoscaler_key);
    void *data;
};
struct annotated *annotated_new(struct kube_client *client, const struct annotated_config *config,
                                struct recorder *recorder, struct log *log);
struct annotated *annotated_free(struct annotated *a);
/* A workload or its autoscaler changed: looked at again, by the state of the caches. Cheap when nothing is to
 * do. */
void annotated_look(struct annotated *a, const char *kind, const char *namespace_, const char *name);
/* Nothing is looked at while paused (not leading, not synced); afterwards everything is. */
void annotated_pause(struct annotated *a, bool paused);
/* The message of a broken annotation that has a running autoscaler (key "namespace/name" of it); NULL: it is
 * fine. */
const char *annotated_problem(const struct annotated *a, const char *autoscaler_key);

#endif
