/* The end of checkpoints that were kept for an annotation that might come back: deletes what has expired, in
 * the namespaces that are looked after. */
#ifndef RECONCILE_EXPIRY_H
#define RECONCILE_EXPIRY_H

#include "kube/client.h"

struct expiry;
/* `namespaces` is NULL-terminated and borrowed; NULL: all. */
struct expiry *expiry_new(struct kube_client *client, const char *const *namespaces, struct log *log);
struct expiry *expiry_free(struct expiry *x);
/* To be called now and then: looks at most once per hour. */
void expiry_collect(struct expiry *x);

#endif
