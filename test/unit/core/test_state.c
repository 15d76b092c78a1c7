/* The state and its encoding, with the real forecaster: bit-exact at any step of any sequence, bounded, and
 * closed to foreign bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "core/step.h"
#include "test/support/plan_check.h"
#include "test/support/random_world.h"

static struct core_state *through_bytes(struct core_state *state, const struct core_spec *spec, bool parts)
{
    _cleanup_(buf_done) struct buf tail = BUF_INIT(1 << 20), history = BUF_INIT(1 << 20);
    struct error err = ERROR_INIT;
    struct core_state *out;
    if (parts) {
        core_state_encode_tail(state, &tail);
        core_state_encode_history(state, &history);
        out = core_state_decode_parts(spec, tail.data, tail.len, history.data, history.len, &err);
    } else {
        core_state_encode(state, &tail);
        out = core_state_decode(spec, tail.data, tail.len, &err);
    }
    if (!out)
        fail_msg("%s", err.message);
    core_state_free(state);
    return out;
}

static void assert_same_bytes(const struct core_state *a, const struct core_state *b)
{
    _cleanup_(buf_done) struct buf x = BUF_INIT(1 << 20), y = BUF_INIT(1 << 20);
    core_state_encode(a, &x);
    core_state_encode(b, &y);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
}

static void shrink_prediction(struct random_world *w, struct core_spec *spec)
{
    spec->prediction.interval_s = (uint32_t)WORLD_PICK(w, 10, 15, 60);
    spec->prediction.slots = (uint32_t)WORLD_PICK(w, 12, 50, 600);
    spec->prediction.horizon = 12;
}

struct sequence {
    struct random_world world;
    struct core_spec spec;
    struct core_state *kept, *carried; /* the second goes through bytes now and then; nobody can tell */
    struct ledger past;
    uint32_t encodings;
};

/* What comes between two syncs: another specification, a clock that is set, a restart, a way through bytes. */
static void disturb(struct sequence *q)
{
    struct random_world *w = &q->world;
    if (world_below(w, 100) == 0)
        world_spec(w, &q->spec);
    if (world_below(w, 100) == 0)
        shrink_prediction(w, &q->spec);
    if (world_below(w, 60) == 0)
        w->time_us += WORLD_PICK(w, -86400, -3600, -120, -15, -1, 1, 3600, 86400, 40 * 86400) * WORLD_SECOND;
    if (world_below(w, 100) == 0) {
        core_resume(q->kept, &q->spec, w->time_us, w->live);
        core_resume(q->carried, &q->spec, w->time_us, w->live);
    }
    if (world_below(w, 16) == 0) {
        q->carried = through_bytes(q->carried, &q->spec, world_below(w, 2));
        q->encodings++;
    }
}

static void sync(struct sequence *q, uint64_t seed, int step)
{
    struct random_world *w = &q->world;
    static struct core_plan plan, other;
    const struct core_observation *seen = world_observe(w, &q->spec);
    core_step(&q->spec, q->kept, seen, &plan);
    core_step(&q->spec, q->carried, seen, &other);
    const char *wrong = check_plan(&q->past, &q->spec, seen, &plan, plan.down_window_s);
    if (!wrong && !world_same_plan(&plan, &other))
        wrong = "another plan after a way through bytes";
    if (wrong)
        fail_msg("seed %llu, step %d: %s: %d -> %d", (unsigned long long)seed, step, wrong, plan.current,
                 plan.replicas);
    if (plan.write) {
        core_applied(&q->spec, q->kept, w->time_us, w->live, plan.replicas);
        core_applied(&q->spec, q->carried, w->time_us, w->live, plan.replicas);
        w->live = plan.replicas;
    }
}

#define SEQUENCE_STEPS 500
static void test_round_trips(void **state)
{
    (void)state;
    const char *all = getenv("AI4K8S_TEST_LONG"); /* test/run --long */
    uint64_t sequences = all && *all ? 10000 : 600;
    static struct sequence q;
    uint32_t encodings = 0;
    for (uint64_t seed = 1; seed <= sequences; seed++) {
        q = (struct sequence){.world = {.seed = seed * 7919 + 104729, .live = 3, .level = 1}};
        q.world.time_us = 1700000000 * WORLD_SECOND;
        q.spec = core_spec_default();
        world_spec(&q.world, &q.spec);
        shrink_prediction(&q.world, &q.spec);
        ledger_forget(&q.past); /* specifications and clocks change all the time */
        q.kept = core_state_new(&q.spec);
        q.carried = core_state_new(&q.spec);
        for (int i = 0; i < SEQUENCE_STEPS; i++) {
            disturb(&q);
            sync(&q, seed, i);
        }
        assert_same_bytes(q.kept, q.carried);
        encodings += q.encodings;
        core_state_free(q.kept);
        core_state_free(q.carried);
    }
    assert_true(encodings > sequences * SEQUENCE_STEPS / 20);
}

/* The load of a week, as the daemon sees it, but for the syncs between samples. */
static void feed_week(const struct core_spec *spec, struct core_state *state, uint32_t slots)
{
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        struct demand *d = core_state_demand(state, spec->metrics[i].name);
        for (uint32_t k = 0; d && k < slots; k++) {
            double phase = (double)(k % 288) / 288;
            demand_push_slot(d, 5666000 + k, 10 + 40 * phase * (1 - phase) + i + (double)(k * 7919 % 13) / 10, 150);
        }
    }
}

static void test_sizes(void **state)
{
    (void)state;
    struct random_world w = {.seed = 99, .live = 3, .level = 1, .time_us = 1700000000 * WORLD_SECOND};
    struct core_spec spec = core_spec_default();
    for (uint32_t n = 1; n <= 4; n += 3) {
        for (uint32_t i = 1; i < n; i++) {
            spec.metrics[i] = spec.metrics[0];
            snprintf(spec.metrics[i].name, sizeof spec.metrics[i].name, "a-metric-with-a-long-name-%u", i);
        }
        spec.n_metrics = n;
        spec.behavior = n > 1;
        struct core_state *s = core_state_new(&spec);
        feed_week(&spec, s, 2016);
        w.time_us = (5666000 + 2016) * 300 * WORLD_SECOND;
        struct core_plan plan;
        for (int i = 0; i < 2000; i++) {
            core_step(&spec, s, world_observe(&w, &spec), &plan);
            if (plan.write) {
                core_applied(&spec, s, w.time_us, w.live, plan.replicas);
                w.live = plan.replicas;
            }
        }
        _cleanup_(buf_done) struct buf tail = BUF_INIT(1 << 20), history = BUF_INIT(1 << 20);
        core_state_encode_tail(s, &tail);
        core_state_encode_history(s, &history);
        print_message("%u metrics: %zu bytes in memory, tail %zu, history %zu\n", n, core_state_memory(s), tail.len,
                      history.len);
        assert_true(core_state_memory(s) <= 16384 + (size_t)(n - 1) * 14336);
        assert_true(tail.len <= (n == 1 ? 5 * 1024 : 16 * 1024));
        assert_true(history.len <= 98304);
        core_state_free(s);
    }
}

static void test_history_version(void **state)
{
    (void)state;
    struct core_spec spec = core_spec_default();
    struct core_state *s = core_state_new(&spec);
    feed_week(&spec, s, 287); /* wherever in a segment that is */
    int64_t version = core_state_history_version(s);
    struct demand *d = core_state_demand(s, "cpu");
    int64_t open = demand_open_segment(d);
    uint32_t changes = 0;
    for (int64_t slot = 5666287; slot < 5666287 + 3 * DEMAND_SEGMENT; slot++) {
        demand_push_slot(d, slot, 5, 150);
        changes += core_state_history_version(s) != version;
        version = core_state_history_version(s);
    }
    assert_int_equal(demand_open_segment(d), open + 3);
    assert_int_equal(changes, 3);
    core_state_free(s);
}

/* Without its history a tail still gives a state; with another interval in the spec the history is kept. */
static void test_parts(void **state)
{
    (void)state;
    struct core_spec spec = core_spec_default();
    struct core_state *s = core_state_new(&spec);
    feed_week(&spec, s, 2016);
    uint32_t filled = demand_filled_slots(core_state_demand(s, "cpu"));
    assert_true(filled >= 2015);
    _cleanup_(buf_done) struct buf tail = BUF_INIT(1 << 20), history = BUF_INIT(1 << 20);
    core_state_encode_tail(s, &tail);
    core_state_encode_history(s, &history);
    core_state_free(s);

    struct error err = ERROR_INIT;
    s = core_state_decode_parts(&spec, tail.data, tail.len, NULL, 0, &err);
    assert_non_null(s);
    assert_true(demand_filled_slots(core_state_demand(s, "cpu")) < 288);
    core_state_free(s);

    spec.prediction.interval_s = 600;
    s = core_state_decode_parts(&spec, tail.data, tail.len, history.data, history.len, &err);
    assert_non_null(s);
    assert_true(demand_filled_slots(core_state_demand(s, "cpu")) >= filled / 2 - 2);
    core_state_free(s);

    strcpy(spec.metrics[0].name, "renamed");
    s = core_state_decode_parts(&spec, tail.data, tail.len, history.data, history.len, &err);
    assert_non_null(s);
    assert_null(core_state_demand(s, "cpu"));
    assert_int_equal(demand_filled_slots(core_state_demand(s, "renamed")), 0);
    core_state_free(s);
}

/* All sections once more, with a length and a checksum that fit. */
static void test_sections_twice(void **state)
{
    (void)state;
    struct core_spec spec = core_spec_default();
    spec.behavior = true;
    struct core_state *s = core_state_new(&spec);
    core_applied(&spec, s, 1700000000 * WORLD_SECOND, 3, 5);
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    core_state_encode_tail(s, &b);
    core_state_free(s);
    const size_t header = 16, payload = b.len - header;
    char *bytes = malloc(header + 2 * payload);
    assert_non_null(bytes);
    memcpy(bytes, b.data, b.len);
    memcpy(bytes + b.len, b.data + header, payload);
    uint32_t crc = codec_crc32c(bytes + header, 2 * payload);
    for (unsigned i = 0; i < 4; i++) {
        bytes[8 + i] = (char)(uint8_t)(2 * payload >> (8 * i));
        bytes[12 + i] = (char)(uint8_t)(crc >> (8 * i));
    }
    struct error err = ERROR_INIT;
    assert_null(core_state_decode(&spec, bytes, header + 2 * payload, &err));
    assert_non_null(strstr(err.message, "twice"));
    free(bytes);
}

static void test_foreign_bytes(void **state)
{
    (void)state;
    struct core_spec spec = core_spec_default();
    struct core_state *s = core_state_new(&spec);
    feed_week(&spec, s, 600);
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    core_state_encode(s, &b);
    _cleanup_(buf_done) struct buf tail = BUF_INIT(1 << 20);
    core_state_encode_tail(s, &tail);
    core_state_free(s);
    struct error err = ERROR_INIT;
    const struct {
        size_t at;
        const char *says;
    } damage[] = {{0, "not a state of this program"}, {4, "newer than 1"}, {6, "another part"}, {20, "checksum"}};
    for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
        b.data[damage[i].at] = (char)(b.data[damage[i].at] + 64);
        assert_null(core_state_decode(&spec, b.data, b.len, &err));
        if (!strstr(err.message, damage[i].says))
            fail_msg("%s", err.message);
        b.data[damage[i].at] = (char)(b.data[damage[i].at] - 64);
    }
    for (size_t cut = 0; cut < b.len; cut += cut < 64 ? 1 : 97)
        if (cut != tail.len)
            assert_null(core_state_decode(&spec, b.data, cut, &err));
    /* The one cut that is whole: the samples since the last segment of the history. */
    s = core_state_decode(&spec, b.data, tail.len, &err);
    assert_non_null(s);
    assert_in_range(demand_filled_slots(core_state_demand(s, "cpu")), 1, DEMAND_SEGMENT - 1);
    core_state_free(s);
    assert_null(core_state_decode(&spec, NULL, 0, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),     cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_history_version), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_foreign_bytes),   cmocka_unit_test(test_sections_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
