/* Checkpoints that nobody said farewell to. What an annotated autoscaler leaves is kept for a day by
 * checkpoints_untrack() and then deleted (expiry.h). When no operator was there while the annotation or the workload
 * went, or the last write failed, its checkpoints would stay for ever: they have no owner that they are collected with.
 * They are found here and are given their day, from then on. */
#ifndef RECONCILE_ORPHANS_H
#define RECONCILE_ORPHANS_H

#include "kube/client.h"

struct orphans;
struct orphans_config {
    const char *const *namespaces; /* NULL-terminated; NULL: all */
    /* Of the PredictiveAutoscaler "namespace/name" as the caches have it; NULL: there is none. */
    const char *(*uid)(void *data, const char *key);
    void *data;
};
/* Borrows what the configuration points to. */
struct orphans *orphans_new(struct kube_client *client, const struct orphans_config *config, struct log *log);
struct orphans *orphans_free(struct orphans *o);
/* To be called now and then while the caches are synced: looks at most once per hour, one object after the other. */
void orphans_look(struct orphans *o);

#endif
