/* Checkpoints have an end where an annotation went: its history is kept for a day. What is past its expireTime is
 * deleted by the leader. */
#ifndef RECONCILE_EXPIRY_H
#define RECONCILE_EXPIRY_H

#include "kube/client.h"

struct expiry;
struct expiry *expiry_new(struct kube_client *client, struct log *log); /* borrows both */
struct expiry *expiry_free(struct expiry *e);
/* Called as often as one likes; looks at most once an hour. */
void expiry_look(struct expiry *e);

#endif
