/* Anomalies of the demand of one target, in the state: looks at each slot of the forecast metrics before it is closed,
 * and says what that means for training and for scaling (anomaly.h has the finding and the rules).
 *
 * The detector borrows the rings of the demands, so that it costs 1.2 KiB besides. Its forest (300 KiB) is grown when a
 * slot closes (1 ms) and dropped by watch_rest(); answers don't depend on that.
 */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

#include "core/anomaly.h"
#include "core/spec.h"

struct watch {
    struct anomaly *detector; /* NULL: off, or nothing is forecast, or no slot has been closed yet */
    struct anomaly_policy policy;
    double score; /* of the last slot */
};

/* What a plan says of it. */
struct watch_finding {
    bool is_anomaly;                /* an episode is on */
    double score;                   /* 0..1, of the last slot */
    enum anomaly_severity severity; /* the highest of the episode */
    int64_t since_us;               /* of the episode; 0: there is none */
    bool holds;                     /* nothing is lowered now */
    bool sets_aside;                /* the forecast is left out now */
};

/* Before the demands take an observation at `time_us`: all `n` of them, in the order of the spec. */
void watch_observe(struct watch *w, const struct core_spec *spec, struct demand *const *demands, uint32_t n,
                   int64_t time_us);
struct watch_finding watch_finding(const struct watch *w, const struct core_spec *spec, int64_t now_us);

void watch_rest(struct watch *w);
/* Other metrics, or another grid of slots: nothing that was found counts. */
void watch_clear(struct watch *w);
size_t watch_memory(const struct watch *w); /* bytes on the heap */

/* `metrics`: a digest of what the demands are of; a state of others is not taken. */
void watch_encode(const struct watch *w, uint64_t metrics, struct codec_writer *writer);
/* 0, also when it is not of these metrics; -1: not ours. */
int watch_decode(struct watch *w, const struct core_spec *spec, uint64_t metrics, uint32_t n, struct codec_reader *r);

#endif
