/* The work queue against client-go's rules, on a fake clock, and against a model under random orders of
 * everything. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/str.h"
#include "kube/workqueue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct clock_fake clock;
    struct loop *loop;
    struct metrics *metrics;
    struct workqueue *q;
    struct buf seen; /* "a@12 b@15 " in ms since the start */
    int64_t began_us;
    bool finish; /* process finishes at once */
    unsigned finished_inside;
};

static void process(void *data, const char *key)
{
    struct fixture *f = data;
    (void)buf_printf(&f->seen, "%s@%lld ", key, (long long)((f->clock.boot_us - f->began_us) / USEC_PER_MSEC));
    if (!f->finish)
        return;
    f->finished_inside++;
    workqueue_forget(f->q, key);
    workqueue_finish(f->q, key);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct error err = ERROR_INIT;
    clock_fake_init(&f->clock, 0);
    f->began_us = f->clock.boot_us;
    f->loop = loop_new(&f->clock.clock, &err);
    assert_non_null(f->loop);
    f->metrics = metrics_new();
    f->seen = BUF_INIT(1 << 20);
    f->q = workqueue_new(f->loop, "test", 2, process, f, f->metrics);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    assert_null(workqueue_free(f->q));
    assert_null(workqueue_free(NULL));
    metrics_free(f->metrics);
    loop_free(f->loop);
    buf_done(&f->seen);
    free(f);
    return 0;
}

static void settle(struct fixture *f)
{
    while (loop_turn(f->loop, 0))
        ;
}

static void run_for(struct fixture *f, int64_t us)
{
    int64_t until_us = f->clock.boot_us + us;
    settle(f);
    while (loop_jump(f->loop, &f->clock, until_us))
        ;
    clock_fake_advance(&f->clock, until_us - f->clock.boot_us);
    settle(f);
}

static void expect(struct fixture *f, const char *want)
{
    assert_string_equal(buf_str(&f->seen), want);
    buf_clear(&f->seen);
}

static void test_in_order_and_never_from_inside(void **state)
{
    struct fixture *f = *state;
    f->finish = true;
    workqueue_add(f->q, "a");
    workqueue_add(f->q, "b");
    workqueue_add(f->q, "a");
    expect(f, "");
    assert_int_equal(workqueue_depth(f->q), 2);
    settle(f);
    expect(f, "a@0 b@0 ");
    assert_int_equal(workqueue_depth(f->q), 0);
    assert_int_equal(workqueue_unfinished(f->q), 0);
}

static void test_parallel_is_a_limit(void **state)
{
    struct fixture *f = *state;
    workqueue_add(f->q, "a");
    workqueue_add(f->q, "b");
    workqueue_add(f->q, "c");
    settle(f);
    expect(f, "a@0 b@0 ");
    assert_int_equal(workqueue_unfinished(f->q), 2);
    workqueue_finish(f->q, "b");
    settle(f);
    expect(f, "c@0 ");
    workqueue_finish(f->q, "a");
    workqueue_finish(f->q, "c");
}

/* Added while processing: once more, after the end, however often it was added. */
static void test_added_while_processing(void **state)
{
    struct fixture *f = *state;
    workqueue_add(f->q, "a");
    settle(f);
    expect(f, "a@0 ");
    workqueue_add(f->q, "a");
    workqueue_add(f->q, "a");
    assert_int_equal(workqueue_depth(f->q), 1);
    settle(f);
    expect(f, "");
    workqueue_finish(f->q, "a");
    settle(f);
    expect(f, "a@0 ");
    workqueue_finish(f->q, "a");
    settle(f);
    expect(f, "");
}

static void test_delay_keeps_the_earliest(void **state)
{
    struct fixture *f = *state;
    f->finish = true;
    workqueue_add_after(f->q, "a", 50 * USEC_PER_MSEC);
    workqueue_add_after(f->q, "a", 20 * USEC_PER_MSEC);
    workqueue_add_after(f->q, "a", 90 * USEC_PER_MSEC);
    workqueue_add_after(f->q, "b", 0);
    workqueue_add_after(f->q, "c", -5);
    assert_int_equal(workqueue_depth(f->q), 2);
    run_for(f, USEC_PER_SEC);
    expect(f, "b@0 c@0 a@20 ");
    /* A delay does not hold back an add without one, and still comes. */
    workqueue_add_after(f->q, "a", 30 * USEC_PER_MSEC);
    workqueue_add(f->q, "a");
    run_for(f, USEC_PER_SEC);
    expect(f, "a@1000 a@1030 ");
}

static void test_due_while_processing(void **state)
{
    struct fixture *f = *state;
    workqueue_add(f->q, "a");
    workqueue_add_after(f->q, "a", 10 * USEC_PER_MSEC);
    run_for(f, 100 * USEC_PER_MSEC);
    expect(f, "a@0 ");
    workqueue_finish(f->q, "a");
    run_for(f, 100 * USEC_PER_MSEC);
    expect(f, "a@100 ");
    workqueue_finish(f->q, "a");
}

/* 5 ms x 2^n up to 1000 s, per key; a forget starts anew. */
static void test_back_off(void **state)
{
    struct fixture *f = *state;
    int64_t want_us = 5 * USEC_PER_MSEC;
    for (unsigned n = 0; n < 40; n++) {
        int64_t before_us = f->clock.boot_us;
        workqueue_add_failed(f->q, "a");
        assert_int_equal(workqueue_failures(f->q, "a"), n + 1);
        run_for(f, want_us - 1);
        expect(f, "");
        run_for(f, 1);
        assert_int_equal(f->clock.boot_us - before_us, want_us);
        assert_true(f->seen.len > 0);
        buf_clear(&f->seen);
        workqueue_finish(f->q, "a");
        want_us = MIN(2 * want_us, 1000 * USEC_PER_SEC);
    }
    workqueue_forget(f->q, "a");
    assert_int_equal(workqueue_failures(f->q, "a"), 0);
    f->finish = true;
    int64_t before_us = f->clock.boot_us;
    workqueue_add_failed(f->q, "a");
    workqueue_add_failed(f->q, "b");
    settle(f);
    while (f->finished_inside < 2)
        assert_true(loop_jump(f->loop, &f->clock, INT64_MAX));
    assert_int_equal(f->clock.boot_us - before_us, 5 * USEC_PER_MSEC);
}

/* A hundred failures at once are the bucket's burst; from then on 10 a second, whatever the key's own
 * back-off. */
static void test_overall_bucket(void **state)
{
    struct fixture *f = *state;
    f->finish = true;
    for (unsigned n = 0; n < 120; n++) {
        char key[16];
        snprintf(key, sizeof(key), "k%u", n);
        workqueue_add_failed(f->q, key);
    }
    run_for(f, 6 * USEC_PER_MSEC);
    assert_int_equal(f->finished_inside, 100);
    run_for(f, USEC_PER_SEC);
    assert_in_range(f->finished_inside, 109, 111);
    run_for(f, USEC_PER_SEC);
    assert_int_equal(f->finished_inside, 120);
}

static void test_pause(void **state)
{
    struct fixture *f = *state;
    f->finish = true;
    workqueue_pause(f->q, true);
    workqueue_add(f->q, "a");
    workqueue_add_after(f->q, "b", 5 * USEC_PER_MSEC);
    run_for(f, 10 * USEC_PER_MSEC);
    expect(f, "");
    assert_int_equal(workqueue_depth(f->q), 2);
    workqueue_pause(f->q, false);
    settle(f);
    expect(f, "a@10 b@10 ");
}

static void test_remove(void **state)
{
    struct fixture *f = *state;
    workqueue_add(f->q, "gone");
    workqueue_add_after(f->q, "later", USEC_PER_SEC);
    workqueue_add_failed(f->q, "failed");
    workqueue_remove(f->q, "gone");
    workqueue_remove(f->q, "later");
    workqueue_remove(f->q, "failed");
    workqueue_remove(f->q, "unknown");
    assert_int_equal(workqueue_depth(f->q), 0);
    assert_int_equal(workqueue_failures(f->q, "failed"), 0);
    run_for(f, 10 * USEC_PER_SEC);
    expect(f, "");
    /* What is being processed still finishes, and does not come again. */
    workqueue_add(f->q, "busy");
    settle(f);
    workqueue_add(f->q, "busy");
    workqueue_remove(f->q, "busy");
    workqueue_finish(f->q, "busy");
    run_for(f, USEC_PER_SEC);
    expect(f, "busy@10000 ");
}

static double value(struct fixture *f, enum metrics_type type, const char *name)
{
    return metrics_value(metrics_get(metrics_family(f->metrics, type, name, "", "name", NULL, 0), "test", NULL));
}

static double duration(struct fixture *f, const char *name, const double *buckets, size_t n)
{
    return metrics_value(
        metrics_get(metrics_family(f->metrics, METRICS_HISTOGRAM, name, "", "name", buckets, n), "test", NULL));
}

static void test_metrics(void **state)
{
    struct fixture *f = *state;
    workqueue_add(f->q, "a");
    workqueue_add(f->q, "a");
    workqueue_add(f->q, "b");
    workqueue_add(f->q, "c");
    assert_float_equal(value(f, METRICS_COUNTER, "workqueue_adds_total"), 3, 0);
    assert_float_equal(value(f, METRICS_GAUGE, "workqueue_depth"), 3, 0);
    run_for(f, 2 * USEC_PER_SEC);
    assert_float_equal(value(f, METRICS_GAUGE, "workqueue_depth"), 1, 0);
    assert_float_equal(duration(f, "workqueue_queue_duration_seconds", metrics_buckets_wait, 40), 2, 0);
    assert_float_equal(value(f, METRICS_GAUGE, "workqueue_unfinished_work_seconds"), 4, 1e-9);
    assert_float_equal(value(f, METRICS_GAUGE, "workqueue_longest_running_processor_seconds"), 2, 1e-9);
    workqueue_finish(f->q, "a");
    workqueue_finish(f->q, "b");
    run_for(f, 0);
    workqueue_finish(f->q, "c");
    run_for(f, USEC_PER_SEC);
    assert_float_equal(duration(f, "workqueue_work_duration_seconds", metrics_buckets_queue, 10), 3, 0);
    assert_float_equal(value(f, METRICS_GAUGE, "workqueue_unfinished_work_seconds"), 0, 0);
    workqueue_add_failed(f->q, "a");
    assert_float_equal(value(f, METRICS_COUNTER, "workqueue_retries_total"), 1, 0);
    assert_false(loop_jump(f->loop, &f->clock, f->clock.boot_us)); /* nothing ticks while there is no work */
}

/* A loop that was busy when a key was due is part of that key's wait. */
static void test_a_wait_begins_when_due(void **state)
{
    struct fixture *f = *state;
    workqueue_add_after(f->q, "a", USEC_PER_SEC);
    clock_fake_advance(&f->clock, USEC_PER_SEC + 3500);
    settle(f);
    expect(f, "a@1003 ");
    struct buf out = BUF_INIT(1 << 16);
    metrics_write(f->metrics, &out, false);
    assert_non_null(strstr(out.data, "workqueue_queue_duration_seconds_bucket{name=\"test\",le=\"0.003\"} 0\n"));
    assert_non_null(strstr(out.data, "workqueue_queue_duration_seconds_bucket{name=\"test\",le=\"0.004\"} 1\n"));
    buf_done(&out);
    workqueue_finish(f->q, "a");
}

/* A storm of keys is handed out in slices, so that a turn stays short. */
static void test_slices(void **state)
{
    struct fixture *f = *state;
    f->finish = true;
    for (unsigned n = 0; n < 1000; n++) {
        char key[16];
        snprintf(key, sizeof(key), "k%u", n);
        workqueue_add(f->q, key);
    }
    unsigned before = 0;
    for (unsigned turns = 0; f->finished_inside < 1000; turns++) {
        assert_true(loop_turn(f->loop, 0));
        assert_in_range(f->finished_inside - before, 1, 64);
        before = f->finished_inside;
        assert_true(turns < 1000);
    }
}

/* ---- against a model ---- */

#define N_KEYS 6

struct model {
    struct fixture *f;
    bool dirty[N_KEYS], processing[N_KEYS];
    int64_t due_us[N_KEYS]; /* 0: none */
    unsigned running;
    unsigned long handed;
};

static unsigned index_of(const char *key)
{
    return (unsigned)(key[1] - '0');
}

/* Due keys become dirty before anything is handed out. */
static void model_time(struct model *m)
{
    for (unsigned i = 0; i < N_KEYS; i++) {
        if (m->due_us[i] && m->due_us[i] <= m->f->clock.boot_us) {
            m->due_us[i] = 0;
            m->dirty[i] = true;
        }
    }
}

static void model_process(void *data, const char *key)
{
    struct model *m = data;
    unsigned i = index_of(key);
    model_time(m);
    assert_true(m->dirty[i]);
    assert_false(m->processing[i]);
    assert_true(m->running < 3);
    m->dirty[i] = false;
    m->processing[i] = true;
    m->running++;
    m->handed++;
}

static void model_check(struct model *m, struct workqueue *q)
{
    size_t dirty = 0;
    bool ready = false;
    for (unsigned i = 0; i < N_KEYS; i++) {
        dirty += m->dirty[i];
        ready |= m->dirty[i] && !m->processing[i];
    }
    assert_int_equal(workqueue_depth(q), dirty);
    assert_int_equal(workqueue_unfinished(q), m->running);
    assert_true(!ready || m->running == 3); /* nothing that could run is left lying */
}

static void model_step(struct model *m, struct workqueue *q, struct rng *rng)
{
    struct fixture *f = m->f;
    unsigned i = (unsigned)rng_below(rng, N_KEYS);
    char key[3] = {'k', (char)('0' + i), '\0'};
    int64_t after_us = (int64_t)rng_below(rng, 1000) + 1;
    switch (rng_below(rng, 6)) {
    case 0:
        workqueue_add(q, key);
        m->dirty[i] = true;
        break;
    case 1:
        workqueue_add_after(q, key, after_us);
        if (!m->due_us[i] || m->due_us[i] > f->clock.boot_us + after_us)
            m->due_us[i] = f->clock.boot_us + after_us;
        break;
    case 2:
    case 3:
        if (!m->processing[i])
            break;
        workqueue_finish(q, key);
        m->processing[i] = false;
        m->running--;
        break;
    case 4:
        workqueue_remove(q, key);
        m->dirty[i] = false;
        m->due_us[i] = 0;
        break;
    default:
        run_for(f, (int64_t)rng_below(rng, 500));
        model_time(m);
        break;
    }
    settle(f);
    model_time(m);
    model_check(m, q);
}

static void test_model(void **state)
{
    struct fixture *f = *state;
    unsigned long handed = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rng rng;
        struct model m = {.f = f};
        rng_seed(&rng, seed);
        struct workqueue *q = workqueue_new(f->loop, "model", 3, model_process, &m, NULL);
        for (unsigned n = 0; n < 500; n++)
            model_step(&m, q, &rng);
        handed += m.handed;
        workqueue_free(q);
    }
    assert_true(handed > 1000);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_in_order_and_never_from_inside),
        TEST(test_parallel_is_a_limit),
        TEST(test_added_while_processing),
        TEST(test_delay_keeps_the_earliest),
        TEST(test_due_while_processing),
        TEST(test_back_off),
        TEST(test_overall_bucket),
        TEST(test_pause),
        TEST(test_remove),
        TEST(test_metrics),
        TEST(test_a_wait_begins_when_due),
        TEST(test_slices),
        TEST(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
