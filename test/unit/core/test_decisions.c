/* The packed list of decisions against a plain one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/decisions.h"

#include <string.h>

#define SECOND INT64_C(1000000)

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s >> 11;
}

static bool equal(const struct core_decision *a, const struct core_decision *b)
{
    return a->time_us == b->time_us && a->current == b->current && a->desired == b->desired && a->reason == b->reason;
}

/* Random decisions of a given spread; the newest must come back as they were. */
static void run(uint64_t seed, int64_t spread, uint32_t at_least)
{
    static struct core_decision all[3000];
    struct decisions d = {.n = 0};
    uint32_t n = 0;
    int64_t time_us = INT64_C(1700000000) * SECOND;
    for (int i = 0; i < 3000; i++) {
        time_us += (int64_t)(next_random(&seed) % 40) * SECOND + (int64_t)(next_random(&seed) % SECOND);
        struct core_decision c = {.time_us = time_us,
                                  .current = (int32_t)(next_random(&seed) % (uint64_t)spread),
                                  .desired = (int32_t)(next_random(&seed) % (uint64_t)spread),
                                  .reason = (enum core_reason)(next_random(&seed) % CORE_N_REASONS)};
        decisions_add(&d, &c);
        decisions_add(&d, &c); /* a repetition */
        c.time_us = c.time_us / SECOND * SECOND;
        if (n == 0 || all[n - 1].current != c.current || all[n - 1].desired != c.desired ||
            all[n - 1].reason != c.reason)
            all[n++] = c;
        struct core_decision list[CORE_MAX_DECISIONS];
        uint32_t kept = decisions_list(&d, list, CORE_MAX_DECISIONS);
        assert_true(kept >= MIN(n, at_least) && kept <= CORE_MAX_DECISIONS);
        for (uint32_t k = 0; k < kept; k++)
            assert_true(equal(&list[k], &all[n - kept + k]));
        assert_true(d.len <= DECISIONS_BYTES && d.cap <= DECISIONS_BYTES);
        if (i % 500 == 0) { /* the newest of them, when there is less room */
            assert_int_equal(decisions_list(&d, list, 1), 1);
            assert_true(equal(&list[0], &all[n - 1]));
        }
    }
    decisions_done(&d);
}

static void test_random(void **state)
{
    (void)state;
    run(1, 2, 280); /* small changes: all 288 fit, less those that are larger */
    run(2, 1000, 150);
    run(3, INT32_MAX, 60);
}

static void test_repetitions_are_one(void **state)
{
    (void)state;
    struct decisions d = {.n = 0};
    for (int i = 0; i < 100; i++)
        decisions_add(&d, &(struct core_decision){.time_us = i * 15 * SECOND, .current = 4, .desired = 4});
    assert_int_equal(d.n, 1);
    decisions_done(&d);
}

static void test_time_never_runs_back(void **state)
{
    (void)state;
    struct decisions d = {.n = 0};
    decisions_add(&d, &(struct core_decision){.time_us = 100 * SECOND, .current = 1, .desired = 2});
    decisions_add(&d, &(struct core_decision){.time_us = 50 * SECOND, .current = 2, .desired = 3});
    struct core_decision list[2];
    assert_int_equal(decisions_list(&d, list, 2), 2);
    assert_int_equal(list[1].time_us, 100 * SECOND);
    decisions_done(&d);
}

static void test_encoding(void **state)
{
    (void)state;
    struct decisions d = {.n = 0}, back = {.n = 0};
    uint64_t seed = 9;
    for (int i = 0; i < 400; i++)
        decisions_add(&d, &(struct core_decision){.time_us = i * 15 * SECOND,
                                                  .current = (int32_t)(next_random(&seed) % 9),
                                                  .desired = (int32_t)(next_random(&seed) % 9)});
    _cleanup_(buf_done) struct buf b = BUF_INIT(4096), again = BUF_INIT(4096);
    decisions_encode(&d, &(struct codec_writer){&b});
    struct codec_reader r = codec_reader(b.data, b.len);
    assert_int_equal(decisions_decode(&back, &r), 0);
    /* Both go on alike. */
    struct core_decision more = {.time_us = 401 * 15 * SECOND, .current = 77, .desired = 78};
    decisions_add(&d, &more);
    decisions_add(&back, &more);
    buf_clear(&b);
    decisions_encode(&d, &(struct codec_writer){&b});
    decisions_encode(&back, &(struct codec_writer){&again});
    assert_int_equal(b.len, again.len);
    assert_memory_equal(b.data, again.data, b.len);
    /* Any damage is refused or read as some list; nothing else. */
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] = (char)(b.data[i] ^ 0x55);
        r = codec_reader(b.data, b.len);
        struct decisions odd = {.n = 0};
        struct core_decision list[CORE_MAX_DECISIONS];
        if (decisions_decode(&odd, &r) == 0)
            assert_int_equal(decisions_list(&odd, list, CORE_MAX_DECISIONS), odd.n);
        decisions_add(&odd, &more);
        decisions_done(&odd);
        b.data[i] = (char)(b.data[i] ^ 0x55);
    }
    decisions_done(&d);
    decisions_done(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_repetitions_are_one),
        cmocka_unit_test(test_time_never_runs_back),
        cmocka_unit_test(test_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
