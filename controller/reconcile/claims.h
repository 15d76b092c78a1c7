/* Whose pods they are: the selectors of all autoscalers that are evaluated, and whether the pods that one of them
 * counts are counted by an autoscaler of another workload too. What those pods use then says nothing of either's load,
 * so neither computes a count from it. The HPA's AmbiguousSelector; as there, what matters is a pod that both match,
 * not that both could.
 *
 * Two autoscalers of the same target don't meet here: owners.h.
 *
 * A selector is kept under one label that it requires (key=value): of several the one that the fewest share. So a
 * question costs a look-up per pod and label, however many autoscalers a namespace has. Selectors that require no
 * such label (sets, Exists) are tried on every pod.
 */
#ifndef RECONCILE_CLAIMS_H
#define RECONCILE_CLAIMS_H

#include "base/list.h"
#include "base/map.h"
#include "sources/pods.h"

struct claims {
    struct map spaces; /* namespace -> its claims; those without any are not there */
};

/* One autoscaler's; lives in its record. Zero: it claims nothing. */
struct pod_claim {
    struct claims_space *space;
    struct claims_bucket *bucket;
    struct list node; /* in the bucket */
    const char *name, *target;
    const struct selector *selector;
};

void claims_init(struct claims *c);
void claims_done(struct claims *c); /* all claims were withdrawn */

/* Claims the pods of `selector`. `name` (the autoscaler's), `target` (any text that tells one target of the namespace
 * from another) and `selector` are borrowed until the claim is withdrawn, which it is before another is made. */
void claims_make(struct claims *c, struct pod_claim *claim, const char *namespace_, const char *name,
                 const char *target, const struct selector *selector);
void claims_withdraw(struct claims *c, struct pod_claim *claim); /* may claim nothing */

/* The name of an autoscaler that scales another target and claims one of these pods, which are of this claim's
 * namespace: the first by name. NULL: there is none, or nothing is claimed here. Valid until that one changes. */
const char *claims_other(const struct pod_claim *claim, const struct pod *const *pods, size_t n_pods);

#endif
