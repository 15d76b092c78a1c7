/* HorizontalPodAutoscalers, as far as we care: what they scale. */
#ifndef SOURCES_HPAS_H
#define SOURCES_HPAS_H

#include "kube/informer.h"

struct hpa {
    struct object object;
    char *api_version, *kind, *name; /* of the target */
};

/* Gives an object with one reference; NULL and err for JSON that is no HPA. */
struct object *hpa_decode(const char *raw, size_t len, struct error *err);

#endif
