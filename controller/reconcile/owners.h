/* Who scales what: for each target the autoscalers that claim it, the built-in HPA and ours. Answers "is
 * another one the owner?" for conflictPolicy Refuse.
 *
 * An HPA always owns its target. Of several PredictiveAutoscalers the hand-written ones come before those
 * made from annotations, then the oldest, then the first by name. */
#ifndef RECONCILE_OWNERS_H
#define RECONCILE_OWNERS_H

#include "base/buf.h"
#include "base/map.h"

enum owner_kind { OWNER_HPA, OWNER_PA, OWNER_PA_ANNOTATED };

struct owners {
    struct map by_target; /* target key -> claims */
};

void owners_init(struct owners *o);
void owners_done(struct owners *o);

/* "namespace/group/Kind/name"; the version of `api_version` does not matter. */
void owners_target_key(struct buf *out, const char *namespace_, const char *api_version, const char *kind,
                       const char *name);

/* Claims and releases are by (kind, name) on a target; claiming again updates. */
void owners_claim(struct owners *o, const char *target_key, enum owner_kind kind, const char *name,
                  int64_t creation_us);
void owners_release(struct owners *o, const char *target_key, enum owner_kind kind, const char *name);

/* The owner of the target, when it is another than the PredictiveAutoscaler `name`: true, with its kind and
 * name (valid until the next change). */
bool owners_other(const struct owners *o, const char *target_key, const char *name, enum owner_kind *ret_kind,
                  const char **ret_name);

/* Calls `fn` with the name of each PredictiveAutoscaler that claims the target. */
void owners_each_pa(const struct owners *o, const char *target_key, void (*fn)(void *data, const char *name),
                    void *data);

#endif
