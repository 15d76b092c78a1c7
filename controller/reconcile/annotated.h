/* Annotated workloads: `ai4k8s.io/predictive-autoscaling-enabled: "true"` on a Deployment or StatefulSet becomes an owned
 * PredictiveAutoscaler `<kind>-<name>` (server-side apply of the annotated fields only, label ai4k8s.io/source=annotation,
 * ownerReference to the workload). An object of that name without our label is never touched. Annotation gone: object gone.
 * A hand-written autoscaler for the same target wins. A broken configuration keeps the last valid one running, with
 * ConfigValid=False (annotated_problem) and one Warning event on the workload; without a valid one, nothing is created. */
#ifndef RECONCILE_ANNOTATED_H
#define RECONCILE_ANNOTATED_H

#include "kube/recorder.h"
#include "sources/targets.h"

struct informer;
struct annotated;
/* `autoscalers`: the informers of PredictiveAutoscalers (one per namespace; their objects are struct pa_object, pa_object.h). */
struct annotated *annotated_new(struct kube_client *client, struct informer *const *autoscalers, size_t n_informers,
                                struct recorder *recorder, struct log *log, struct metrics *metrics);
struct annotated *annotated_free(struct annotated *a);
/* A workload or one of its autoscalers changed: looks at it again (level-based; cheap when nothing is to do). */
void annotated_look(struct annotated *a, const struct targets *targets, const char *kind, const char *namespace_, const char *name);
void annotated_pause(struct annotated *a, bool paused); /* nothing is written while paused (not leading, not synced) */
/* The message of a broken annotation that has a running autoscaler (key "namespace/name" of it); NULL: it is fine. */
const char *annotated_problem(const struct annotated *a, const char *autoscaler_key);

#endif
