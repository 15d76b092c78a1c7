/* The inputs of fuzz_state.c: eight bytes that are the seed of a random world, then an encoded state. */
#ifndef TEST_FUZZ_STATE_H
#define TEST_FUZZ_STATE_H

#include "test/support/random_world.h"

static inline struct random_world fuzz_world(uint64_t seed, struct core_spec *spec)
{
    struct random_world w = {
        .seed = seed * 2654435761u + 88172645463325252u, .live = 3, .level = 1, .time_us = 1700000000 * WORLD_SECOND};
    *spec = core_spec_default();
    world_spec(&w, spec);
    spec->prediction.interval_s = (uint32_t)WORLD_PICK(&w, 10, 15, 60);
    spec->prediction.slots = (uint32_t)WORLD_PICK(&w, 12, 50);
    spec->prediction.horizon = 12;
    return w;
}

#endif
