/* The last decisions, packed: mostly four bytes each, so that a day of them fits where a struct would need
 * five times the room. Each is stored as its difference from the one before.
 *
 *     seconds since the one before (varint) | reason, flags | current if it is not what was desired before
 * (zigzag varint of the difference) | desired if it is not `current` (likewise)
 *
 * The oldest go when there are CORE_MAX_DECISIONS, or when the bytes run out.
 */
#ifndef CORE_DECISIONS_H
#define CORE_DECISIONS_H

#include "core/codec.h"
#include "core/step.h"

#define DECISIONS_BYTES 1152

struct decisions {
    uint8_t *bytes;
    uint32_t len, cap, n;
    int64_t base_s; /* what the oldest differs from */
    int32_t base_desired;
    struct core_decision last; /* n > 0; its time to the second */
};

void decisions_done(struct decisions *d);
/* Drops one that only repeats the last one. */
void decisions_add(struct decisions *d, const struct core_decision *decision);
uint32_t decisions_list(const struct decisions *d, struct core_decision *out, uint32_t cap);
void decisions_encode(const struct decisions *d, struct codec_writer *w);
int decisions_decode(struct decisions *d, struct codec_reader *r); /* -1: not ours */

#endif
