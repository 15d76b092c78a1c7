/* Annotations on a workload that ask for a PredictiveAutoscaler:
 *
 *     ai4k8s.io/predictive-autoscaling-enabled: "true"
 *     ai4k8s.io/predictive-autoscaling-config: '{"min": 2, "max": 10}'
 *
 * The configuration is JSON: `min` and `max` are short for minReplicas and maxReplicas, every other field of
 * a spec but scaleTargetRef may stand there under its own name. All rules of a spec hold; an unknown field is
 * an error.
 */
#ifndef API_ANNOTATION_H
#define API_ANNOTATION_H

#include "api/names.h"
#include "api/pa.h"

#define ANNOTATION_ENABLED PA_GROUP "/predictive-autoscaling-enabled"
#define ANNOTATION_CONFIG  PA_GROUP "/predictive-autoscaling-config"

struct annotation_workload {
    const char *api_version, *kind, *namespace_, *name, *uid;
    const char *enabled, *config; /* the annotations' values; NULL: absent */
};

/* Name of the autoscaler that belongs to a workload: "<kind>-<name>" in lower case. */
void annotation_name(char out[API_NAME_CAP], const char *kind, const char *name);

enum { ANNOTATION_OFF = 1 };

/* 0: appended the body of a server-side apply that has just the annotated fields, the label
 * ai4k8s.io/source=annotation and an ownerReference (controller) to the workload; the same annotations give
 * the same bytes. ANNOTATION_OFF: not asked for. < 0: asked for, and the message says what is wrong with it.
 */
int annotation_render(const struct annotation_workload *w, struct buf *body, struct error *err);

#endif
