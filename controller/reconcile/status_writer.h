/* Writes status: at once on a decision or a change of condition, otherwise at most every 5 minutes and only when a value
 * rounded to two digits changed. Process-wide bucket of 20 writes/s, transitions first. Server-side apply of
 * `status`, so that what is no longer said disappears. One write per object is under way at a time; a newer status
 * replaces one that waits. A failed write is made again from the newest status, with back-off. */
#ifndef RECONCILE_STATUS_WRITER_H
#define RECONCILE_STATUS_WRITER_H

#include "api/status.h"
#include "kube/client.h"

struct status_writer;
struct status_writer *status_writer_new(struct kube_client *client, double writes_per_second, struct log *log, struct metrics *metrics);
struct status_writer *status_writer_free(struct status_writer *w);

/* What the API server has (from the informer), so that an unchanged status is not written after a restart. */
void status_writer_seen(struct status_writer *w, const char *key, const struct pa_status *status);
/* Copies the status. `transition`: a decision or a condition changed. */
void status_writer_put(struct status_writer *w, const char *key, const char *uid, const struct pa_status *status, bool transition);
void status_writer_forget(struct status_writer *w, const char *key);
size_t status_writer_pending(const struct status_writer *w);

#endif
