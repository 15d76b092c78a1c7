/* Writes the seeds of fuzz_state.c into a folder: states that the core of today has encoded. They are made and not
 * committed, because their format grows.
 *
 *   state_seeds DIR N
 */
#include "test/fuzz/fuzz_state.h"

#include <stdlib.h>

static int write_seed(const char *directory, uint64_t seed)
{
    struct core_spec spec;
    struct random_world w = fuzz_world(seed, &spec);
    struct core_state *state = core_state_new(&spec);
    for (uint64_t i = 0; i < 20 + 20 * (seed % 8); i++) {
        struct core_plan plan;
        core_step(&spec, state, world_observe(&w, &spec), &plan);
        if (plan.write) {
            core_applied(&spec, state, w.time_us, w.live, plan.replicas);
            w.live = plan.replicas;
        }
    }
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 22);
    core_state_encode(state, &b);
    core_state_free(state);
    char path[512];
    (void)snprintf(path, sizeof path, "%s/world-%llu", directory, (unsigned long long)seed);
    FILE *f = fopen(path, "wb");
    if (!f)
        return -1;
    bool written = fwrite(&seed, sizeof seed, 1, f) == 1 && fwrite(b.data, b.len, 1, f) == 1;
    return fclose(f) == 0 && written ? 0 : -1;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    for (uint64_t seed = 1; seed <= strtoull(argv[2], NULL, 10); seed++)
        if (write_seed(argv[1], seed) < 0) {
            perror(argv[1]);
            return 1;
        }
    return 0;
}
