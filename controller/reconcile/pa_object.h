/* Cached PredictiveAutoscalers and HPAs: decoders in the form that informers want. */
#ifndef RECONCILE_PA_OBJECT_H
#define RECONCILE_PA_OBJECT_H

#include "reconcile/autoscaler.h"

/* `data`: the reconciler, for its configuration and time zones. */
struct object *pa_object_decode(void *data, const char *raw, size_t len, struct error *err);
struct object *hpa_object_decode(void *data, const char *raw, size_t len, struct error *err);

#endif
