/* Any bytes as a state, with checksums that fit: refused with a reason, or lived with for some steps, inside the bounds
 * and with the same plans after another way through bytes. */
#include "test/fuzz/fuzz_state.h"

#include "core/explain.h"
#include "test/fuzz/fuzz.h"
#include "test/support/plan_check.h"

#define HEADER 16
#define STEPS  8

/* The frames' lengths and checksums become right, or nothing would ever come past them. */
static void seal(uint8_t *data, size_t size)
{
    while (size >= HEADER) {
        uint32_t len = 0;
        for (unsigned i = 0; i < 4; i++)
            len |= (uint32_t)data[8 + i] << (8 * i);
        len = (uint32_t)MIN(len, size - HEADER);
        uint32_t crc = codec_crc32c(data + HEADER, len);
        for (unsigned i = 0; i < 4; i++) {
            data[8 + i] = (uint8_t)(len >> (8 * i));
            data[12 + i] = (uint8_t)(crc >> (8 * i));
        }
        data += HEADER + len;
        size -= HEADER + len;
    }
}

static struct core_state *through_bytes(const struct core_state *state, const struct core_spec *spec)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 22);
    struct error err = ERROR_INIT;
    core_state_encode(state, &b);
    CLAIM(!b.failed);
    struct core_state *out = core_state_decode(spec, b.data, b.len, &err);
    if (!out)
        fprintf(stderr, "%s\n", err.message);
    CLAIM(out);
    return out;
}

static void live(struct random_world *w, const struct core_spec *spec, struct core_state *state)
{
    static struct ledger ledger;
    static struct core_plan plan, again;
    ledger_clear(&ledger);
    ledger_forget(&ledger);
    struct core_state *twin = through_bytes(state, spec);
    for (int i = 0; i < STEPS; i++) {
        const struct core_observation *seen = world_observe(w, spec);
        core_step(spec, state, seen, &plan);
        core_step(spec, twin, seen, &again);
        CLAIM(world_same_plan(&plan, &again));
        const char *wrong = check_plan(&ledger, spec, seen, &plan, plan.down_window_s);
        if (wrong)
            fprintf(stderr, "%s\n", wrong);
        CLAIM(!wrong);
        core_explain(spec, &plan);
        if (plan.write) {
            core_applied(spec, state, seen->time_us, plan.current, plan.replicas);
            core_applied(spec, twin, seen->time_us, plan.current, plan.replicas);
            w->live = plan.replicas;
        }
    }
    core_state_free(twin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t seed;
    if (size < sizeof seed)
        return 0;
    memcpy(&seed, data, sizeof seed);
    struct core_spec spec;
    struct random_world w = fuzz_world(seed, &spec);
    size_t len = size - sizeof seed;
    uint8_t *bytes = malloc(len + 1);
    CLAIM(bytes);
    memcpy(bytes, data + sizeof seed, len);
    seal(bytes, len);
    struct error err = ERROR_INIT;
    struct core_state *state = core_state_decode(&spec, bytes, len, &err);
    free(bytes);
    if (!state) {
        claim_message(&err);
        return 0;
    }
    live(&w, &spec, state);
    core_state_free(state);
    return 0;
}
