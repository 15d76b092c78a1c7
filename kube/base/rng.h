/* Random numbers as a seam: xoshiro256**, seeded by the caller (tests, deterministic algorithms) or by the
 * kernel (jitter, identities). Not for secrets. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include "base/base.h"

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *rng, uint64_t seed);                      /* the same seed gives the same numbers for ever */
void rng_seed_bytes(struct rng *rng, const void *data, size_t len); /* e.g. an object's UID */
void rng_seed_random(struct rng *rng);                              /* from getrandom(2) */
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t limit); /* uniform in [0, limit), without bias; limit > 0 */
double rng_unit(struct rng *rng);                    /* uniform in [0, 1) */

#endif
