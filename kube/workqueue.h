/* Rate-limited, de-duplicating queue of keys: client-go's workqueue on the loop.
 *
 * A key is in at most one of the two sets "dirty" (wants processing) and "processing" for the outside: it is
 * handed to one worker at a time; added while it is being processed, it comes again after that. Per-key
 * exponential back-off (5 ms x 2^n, at most 1000 s) and an overall bucket for retries (10/s, burst 100), of
 * which the longer delay counts. Adding with a delay keeps the earliest due time per key; a delay does not
 * hold back an add without one.
 *
 * What a worker does with a key: succeed (workqueue_forget), or fail (workqueue_add_failed), may ask to come
 * again (workqueue_add_after), and in the end always workqueue_finish().
 *
 * Metrics: workqueue_depth, _adds_total, _queue_duration_seconds, _work_duration_seconds,
 * _unfinished_work_seconds, _longest_running_processor_seconds, _retries_total, each with the label `name`.
 */
#ifndef KUBE_WORKQUEUE_H
#define KUBE_WORKQUEUE_H

#include "base/base.h"
#include "base/loop.h"
#include "base/metrics.h"

struct workqueue;

/* `process` is called on the loop for each ready key, at most `parallel` (>= 1) unfinished at a time, never
 * from inside a function of this queue; it must lead to one workqueue_finish() for the key, inside it or
 * later. `key` is borrowed until the finish. One turn of the loop hands out at most 64 keys, or what fits
 * into LOOP_BUDGET_US. `name` is copied; `metrics` may be NULL, else it outlives the queue. */
struct workqueue *workqueue_new(struct loop *loop, const char *name, unsigned parallel,
                                void (*process)(void *data, const char *key), void *data, struct metrics *metrics);
/* Forgets everything; not from inside `process`. Accepts NULL, returns NULL. */
struct workqueue *workqueue_free(struct workqueue *q);

void workqueue_add(struct workqueue *q, const char *key);
void workqueue_add_after(struct workqueue *q, const char *key, int64_t after_us); /* <= 0: at once */
void workqueue_add_failed(struct workqueue *q, const char *key);                  /* with the key's back-off */
void workqueue_forget(struct workqueue *q, const char *key);             /* success: the back-off starts anew */
unsigned workqueue_failures(const struct workqueue *q, const char *key); /* in a row, since the last forget */
void workqueue_finish(struct workqueue *q, const char *key);             /* the key must be in processing */
/* The object is gone: drops what is waiting of the key and its back-off. One that is being processed still
 * finishes. */
void workqueue_remove(struct workqueue *q, const char *key);
/* Keys that want processing, those that wait for their due time not counted. */
size_t workqueue_depth(const struct workqueue *q);
size_t workqueue_unfinished(const struct workqueue *q); /* handed out and not finished yet */
void workqueue_pause(struct workqueue *q, bool paused); /* hands out nothing while paused (not synced, not leader) */

#endif
