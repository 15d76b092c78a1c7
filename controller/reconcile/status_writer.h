/* Writes status: at once on a decision or a change of condition; at once too when a reason, a direction or a limit
 * changes, four times and then once in ten minutes, so that one that flaps costs little; otherwise at most every 5
 * minutes and only when a value has changed in its first two digits. Process-wide bucket, transitions first.
 * Server-side apply of `status`, so that what is no longer said disappears. One write per object is under way at a
 * time; a newer status replaces one that waits, and where many wait no further object is taken in: its next sync says
 * it again, which is cheaper than to keep it. A failed write is made again, with back-off; one whose object is gone
 * is forgotten. */
#ifndef RECONCILE_STATUS_WRITER_H
#define RECONCILE_STATUS_WRITER_H

#include "api/status.h"
#include "kube/client.h"

struct status_writer;
struct status_writer *status_writer_new(struct kube_client *client, double writes_per_second, struct log *log,
                                        struct metrics *metrics);
struct status_writer *status_writer_free(struct status_writer *w);

/* What the API server has (from the informer): while nothing is being written, this is what a new status is
 * compared with, so that neither a restart nor our own echo leads to a write. */
void status_writer_seen(struct status_writer *w, const char *key, const struct schema_digest *digest);
/* Takes the status in (nothing of it is borrowed afterwards) and writes it when it is worth it. False: it is worth it,
 * but too many wait; to be put again. */
bool status_writer_put(struct status_writer *w, const char *key, const struct pa_status *status);
void status_writer_forget(struct status_writer *w, const char *key);
/* Statuses that wait or are under way. */
size_t status_writer_pending(const struct status_writer *w);

#endif
