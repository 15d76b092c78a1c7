/* One question put to the providers in their order until one answers usably: retries, deadlines, cancellation.
 *
 * All on the loop; ends in exactly one `done`, never from inside cascade_ask(), unless it is cancelled. The total
 * deadline covers everything; when it passes, the transfer is aborted, not abandoned. Per provider at most 3 attempts,
 * full-jitter back-off from 0.5 s to 8 s, not below Retry-After; a Retry-After above 120 s or the time that is left
 * means the next provider now. Body cap 256 KiB; connect 1 s loopback, 3 s elsewhere; silence 60 s local, 30 s cloud.
 */
#ifndef ADVISOR_CASCADE_H
#define ADVISOR_CASCADE_H

#include "advisor/provider.h"
#include "base/loop.h"
#include "base/rng.h"

struct cascade;
struct cascade_deps {
    struct loop *loop;
    struct http *http;
    struct rng *rng;
    struct provider *const *providers; /* in order; borrowed */
    size_t n_providers;
    struct loop_meter *meter; /* NULL: not measured */
    /* Optional: after every attempt, for metrics, alerts and the log. */
    void (*on_attempt)(void *data, struct provider *p, const struct verdict *v, int64_t took_us,
                       const struct wire_usage *usage);
    void *data;
};
struct cascade *cascade_new(const struct cascade_deps *deps);
struct cascade *cascade_free(struct cascade *c); /* cancels all */

struct cascade_outcome {
    enum advisor_class class; /* of the last provider that was tried; ADVISOR_OK: `decision` is there */
    struct decision decision;
    struct provider *provider; /* whose answer or failure it is; NULL: all breakers are open */
    uint32_t attempts;
    int64_t took_us;
    int64_t retry_in_ms; /* when asking again is worth it; -1: only after a change of configuration */
};
typedef void (*cascade_done)(void *data, const struct cascade_outcome *outcome);
int64_t cascade_ask(struct cascade *c, const struct advice_situation *situation, int64_t timeout_us, cascade_done done,
                    void *data); /* gives an id > 0 */
void cascade_cancel(struct cascade *c, int64_t id);

#endif
