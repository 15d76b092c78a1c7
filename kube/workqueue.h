/* Rate-limited, de-duplicating queue of keys: client-go's workqueue. A key is handed to one worker at a time; added while
 * it is being processed, it comes again after that. Per-key exponential back-off (5 ms x 2^n, at most 1000 s), an overall
 * bucket for retries (10/s, burst 100), add-after with the earliest due time. */
#ifndef KUBE_WORKQUEUE_H
#define KUBE_WORKQUEUE_H

#include "base/base.h"
#include "base/loop.h"
#include "base/metrics.h"

struct workqueue;

/* `process` is called on the loop for each ready key, at most `parallel` unfinished at a time; it must lead to one
 * workqueue_finish() for the key, inside it or later. */
struct workqueue *workqueue_new(struct loop *loop, const char *name, unsigned parallel,
                                void (*process)(void *data, const char *key), void *data, struct metrics *metrics);
struct workqueue *workqueue_free(struct workqueue *q);

void workqueue_add(struct workqueue *q, const char *key);
void workqueue_add_after(struct workqueue *q, const char *key, int64_t after_us);
void workqueue_add_failed(struct workqueue *q, const char *key); /* with the key's back-off */
void workqueue_forget(struct workqueue *q, const char *key);     /* success: the back-off starts anew */
void workqueue_finish(struct workqueue *q, const char *key);
void workqueue_remove(struct workqueue *q, const char *key);     /* the object is gone: drop what is waiting */
size_t workqueue_depth(const struct workqueue *q);
void workqueue_pause(struct workqueue *q, bool paused);          /* hands out nothing while paused (not synced, not leader) */

#endif
