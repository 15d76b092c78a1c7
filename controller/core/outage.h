/* Since when metrics that have a fallback are unknown. A metric that is known again, or gone from the specification, is
 * forgotten at once. Part of the state, so that a restart does not begin to wait anew. */
#ifndef CORE_OUTAGE_H
#define CORE_OUTAGE_H

#include "core/codec.h"
#include "core/spec.h"

struct outages {
    uint32_t n;
    struct outage {
        uint64_t metric; /* a hash of its name */
        int64_t since_us;
    } entries[CORE_MAX_METRICS];
};

/* Takes note of one sync: `unknown` has a flag for each metric of the spec. Gives in `ret_s` for how long each metric
 * with a fallback has been unknown, in seconds; 0 for the others. */
void outages_note(struct outages *o, const struct core_spec *spec, const bool unknown[CORE_MAX_METRICS], int64_t now_us,
                  uint32_t ret_s[CORE_MAX_METRICS]);

void outages_encode(const struct outages *o, struct codec_writer *w);
int outages_decode(struct outages *o, struct codec_reader *r); /* -1: not ours */

#endif
