/* The loop on a fake clock (order, re-arming, jumps) and on the machine's (descriptors, signals, lateness, the service
 * manager's socket). */
#include "test/unit/base/unit.h"

#include "base/alloc.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/rng.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MS USEC_PER_MSEC
#define S  USEC_PER_SEC

/* A line of letters: who ran, in order. */
struct trace {
    char text[256];
    size_t len;
    struct loop *loop;
};

struct item {
    struct loop_timer timer;
    struct trace *trace;
    char name;
    int again;          /* re-arms itself this many times */
    int64_t again_us;   /* after this */
    struct item *other; /* disarmed when it runs */
    size_t exit_at;     /* ends the loop when so many have run; 0: not */
};

static void note(struct trace *t, char c)
{
    assert_true(t->len < sizeof(t->text) - 1);
    t->text[t->len++] = c;
    t->text[t->len] = '\0';
}

static void on_item(void *data)
{
    struct item *item = data;
    note(item->trace, item->name);
    assert_false(loop_timer_armed(&item->timer));
    if (item->again-- > 0)
        loop_timer_arm(&item->timer, item->again_us);
    if (item->other)
        loop_timer_disarm(&item->other->timer);
    if (item->exit_at == item->trace->len)
        loop_exit(item->trace->loop, 0);
}

static void init(struct item *item, struct loop *loop, struct trace *trace, char name, enum loop_priority p)
{
    *item = (struct item){.trace = trace, .name = name};
    loop_timer_init(&item->timer, loop, p, on_item, item);
}

static struct loop *fake_loop(struct clock_fake *fake)
{
    struct error err = ERROR_INIT;
    clock_fake_init(fake, 1700000000 * S);
    struct loop *loop = loop_new(&fake->clock, &err);
    assert_non_null(loop);
    return loop;
}

static struct loop *real_loop(void)
{
    struct error err = ERROR_INIT;
    struct loop *loop = loop_new(&clock_system, &err);
    assert_non_null(loop);
    return loop;
}

static void test_order_of_timers(void **state UNUSED)
{
    struct clock_fake fake;
    struct loop *loop = fake_loop(&fake);
    struct trace trace = {.loop = loop};
    static const struct {
        char name;
        int64_t after_us;
        enum loop_priority priority;
    } rows[] = {
        {'a', 3 * S, LOOP_NORMAL}, {'b', 1 * S, LOOP_NORMAL}, {'c', 1 * S, LOOP_IDLE}, {'d', 1 * S, LOOP_LEASE},
        {'e', 1 * S, LOOP_IO},     {'f', 1 * S, LOOP_NORMAL}, {'g', 0, LOOP_IDLE},     {'h', -5, LOOP_IDLE},
    };
    struct item items[ARRAY_SIZE(rows)];
    int64_t begin = loop_now_us(loop);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        init(&items[i], loop, &trace, rows[i].name, rows[i].priority);
        loop_timer_arm(&items[i].timer, rows[i].after_us);
        assert_true(loop_timer_armed(&items[i].timer));
    }
    assert_true(loop_turn(loop, 0));
    assert_string_equal(trace.text, "gh");
    assert_false(loop_turn(loop, 0));
    assert_true(loop_jump(loop, &fake, INT64_MAX));
    assert_string_equal(trace.text, "ghdebfc");
    assert_int_equal(loop_now_us(loop) - begin, 1 * S);
    /* Not beyond the limit, and the clock stays. */
    assert_false(loop_jump(loop, &fake, begin + 3 * S - 1));
    assert_int_equal(loop_now_us(loop) - begin, 1 * S);
    assert_true(loop_jump(loop, &fake, begin + 3 * S));
    assert_string_equal(trace.text, "ghdebfca");
    assert_false(loop_jump(loop, &fake, INT64_MAX));
    loop_free(loop);
}

static void test_arming_in_a_callback(void **state UNUSED)
{
    struct clock_fake fake;
    struct loop *loop = fake_loop(&fake);
    struct trace trace = {.loop = loop};
    struct item a, b;
    init(&a, loop, &trace, 'a', LOOP_NORMAL);
    init(&b, loop, &trace, 'b', LOOP_NORMAL);
    /* A timer armed with 0 inside its callback runs once a turn, and lets the others run. */
    a.again = 2;
    loop_timer_arm(&a.timer, 0);
    loop_timer_arm(&b.timer, 0);
    assert_true(loop_turn(loop, 0));
    assert_string_equal(trace.text, "ab");
    assert_true(loop_turn(loop, 0));
    assert_true(loop_turn(loop, 0));
    assert_string_equal(trace.text, "abaa");
    assert_false(loop_turn(loop, 0));
    /* One that is due is taken away by the one before. */
    trace.len = 0;
    a.other = &b;
    loop_timer_arm(&a.timer, 1);
    loop_timer_arm(&b.timer, 1);
    clock_fake_advance(&fake, 5);
    assert_true(loop_turn(loop, 0));
    assert_string_equal(trace.text, "a");
    assert_false(loop_timer_armed(&b.timer));
    assert_false(loop_turn(loop, 0));
    /* Re-arming moves. */
    loop_timer_arm(&b.timer, 10);
    loop_timer_arm(&b.timer, 20);
    clock_fake_advance(&fake, 10);
    assert_false(loop_turn(loop, 0));
    loop_timer_disarm(&b.timer);
    loop_timer_disarm(&b.timer);
    assert_false(loop_jump(loop, &fake, INT64_MAX));
    loop_free(loop);
}

/* Many timers are a batch's worth several times over; all of them run, in order, whichever way they were armed. */
static void test_many_timers(void **state UNUSED)
{
    enum { N = 1000 };
    struct clock_fake fake;
    struct loop *loop = fake_loop(&fake);
    struct rng rng;
    rng_seed(&rng, 7);
    struct trace *traces = xcalloc(N, sizeof(*traces));
    struct item *items = xcalloc(N, sizeof(*items));
    int64_t begin = loop_now_us(loop);
    size_t ran = 0;
    for (size_t i = 0; i < N; i++) {
        init(&items[i], loop, &traces[i], 'x', LOOP_NORMAL);
        loop_timer_arm_at(&items[i].timer, begin + (int64_t)rng_below(&rng, 50));
        if (rng_below(&rng, 4) == 0)
            loop_timer_arm_at(&items[i].timer, begin + (int64_t)rng_below(&rng, 50));
    }
    clock_fake_advance(&fake, 25);
    while (loop_turn(loop, 0))
        continue;
    for (size_t i = 0; i < N; i++) {
        bool due = items[i].timer.node.key <= begin + 25;
        assert_int_equal(traces[i].len, due ? 1 : 0);
        ran += due;
    }
    assert_true(ran > N / 4 && ran < N * 3 / 4);
    while (loop_jump(loop, &fake, INT64_MAX))
        continue;
    for (size_t i = 0; i < N; i++)
        assert_int_equal(traces[i].len, 1);
    free(items);
    free(traces);
    loop_free(loop);
}

static void on_readable(void *data, unsigned events)
{
    struct trace *t = data;
    assert_int_equal(events, LOOP_READ);
    note(t, 'r');
    loop_exit(t->loop, 3);
}

/* A descriptor stands between the timers according to its priority. */
static void test_priorities_across_kinds(void **state UNUSED)
{
    struct clock_fake fake;
    struct loop *loop = fake_loop(&fake);
    struct error err = ERROR_INIT;
    struct trace trace = {.loop = loop};
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    struct loop_io *io = loop_io_new(loop, fds[0], LOOP_READ, LOOP_IO, on_readable, &trace, &err);
    assert_non_null(io);
    struct item lease, normal;
    init(&lease, loop, &trace, 'l', LOOP_LEASE);
    init(&normal, loop, &trace, 'n', LOOP_NORMAL);
    loop_timer_arm(&normal.timer, 0);
    loop_timer_arm(&lease.timer, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(loop_run(loop, &err), 3);
    assert_string_equal(trace.text, "lr");
    /* Nobody has read: it is ready again, and always before what is less urgent. */
    assert_int_equal(loop_run(loop, &err), 3);
    assert_string_equal(trace.text, "lrr");
    loop_io_events(io, 0);
    assert_true(loop_turn(loop, 0));
    assert_string_equal(trace.text, "lrrn");
    io = loop_io_free(io);
    close(fds[0]);
    close(fds[1]);
    loop_free(loop);
}

struct io_case {
    struct loop *loop;
    struct loop_io *io;
    unsigned events;
    int calls;
};

static void on_io_free(void *data, unsigned events)
{
    struct io_case *c = data;
    c->events = events;
    c->calls++;
    c->io = loop_io_free(c->io);
}

static void test_descriptor_freed_inside_and_hung_up(void **state UNUSED)
{
    static const struct {
        const char *name;
        unsigned wait, expect;
        bool close_peer, pipe;
    } rows[] = {
        {"writable", LOOP_WRITE, LOOP_WRITE, false, false},
        {"both asked, one ready", LOOP_READ | LOOP_WRITE, LOOP_WRITE, false, false},
        {"end of file", LOOP_READ, LOOP_READ, true, false},
        {"hang-up while writing", LOOP_WRITE, LOOP_WRITE, true, false},
        {"hang-up alone", LOOP_READ, LOOP_READ, true, true}, /* a pipe says nothing else */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error err = ERROR_INIT;
        struct io_case c = {.loop = real_loop()};
        int fds[2];
        assert_int_equal(rows[i].pipe ? pipe2(fds, O_CLOEXEC) : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                         0);
        if (rows[i].close_peer)
            close(fds[1]);
        c.io = loop_io_new(c.loop, fds[0], rows[i].wait, LOOP_IO, on_io_free, &c, &err);
        check_row(rows[i].name, c.io);
        check_row(rows[i].name, loop_turn(c.loop, S));
        check_row(rows[i].name, c.events == rows[i].expect);
        check_row(rows[i].name, !loop_turn(c.loop, 0) && c.calls == 1);
        close(fds[0]);
        if (!rows[i].close_peer)
            close(fds[1]);
        loop_free(c.loop);
    }
}

static void test_bad_descriptor(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct loop *loop = real_loop();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_null(loop_io_new(loop, fd, LOOP_READ, LOOP_IO, on_readable, NULL, &err)); /* epoll does not do files */
    assert_int_equal(err.kind, ERROR_IO);
    close(fd);
    loop_free(loop);
}

static void on_exit_timer(void *data)
{
    struct item *item = data;
    note(item->trace, item->name);
    loop_exit(item->trace->loop, 0);
}

static void test_real_time(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct loop *loop = real_loop();
    struct trace trace = {.loop = loop};
    struct item a, b;
    init(&a, loop, &trace, 'a', LOOP_NORMAL);
    init(&b, loop, &trace, 'b', LOOP_LEASE);
    a.again = 3;
    a.again_us = 0;
    a.exit_at = 5;
    int64_t begin = loop_now_us(loop);
    loop_timer_arm(&a.timer, 10 * MS);
    loop_timer_arm(&b.timer, 5 * MS);
    assert_int_equal(loop_run(loop, &err), 0);
    assert_string_equal(trace.text, "baaaa");
    int64_t took = clock_boot_us(&clock_system) - begin;
    assert_true(took >= 10 * MS && took < 5 * S);
    assert_true(loop_longest_dispatch_us(loop) < S);
    assert_int_equal(loop_longest_dispatch_us(loop), 0);
    loop_free(loop);
}

static void on_burn(void *data)
{
    struct trace *t = data;
    int64_t seen = loop_now_us(t->loop), begin = loop_spent_us(t->loop);
    while (loop_spent_us(t->loop) - begin < 3 * MS)
        continue;
    /* One time for the whole turn. */
    assert_int_equal(loop_now_us(t->loop), seen);
}

static void test_cpu_time_is_measured(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct loop *loop = real_loop();
    struct metrics *m = metrics_new();
    loop_metrics(loop, m);
    struct trace trace = {.loop = loop};
    struct loop_timer t;
    loop_timer_init(&t, loop, LOOP_NORMAL, on_burn, &trace);
    loop_timer_arm(&t, 0);
    assert_int_equal(loop_spent_us(loop), 0);
    assert_true(loop_turn(loop, S));
    int64_t longest = loop_longest_dispatch_us(loop);
    assert_true(longest >= 3 * MS && longest < 100 * MS);
    struct buf out = BUF_INIT(1 << 16);
    metrics_write(m, &out, false);
    assert_non_null(strstr(out.data, "event_loop_dispatch_cpu_seconds_count 1\n"));
    assert_non_null(strstr(out.data, "event_loop_dispatch_cpu_seconds_bucket{le=\"0.002\"} 0\n"));
    assert_non_null(strstr(out.data, "event_loop_timer_late_seconds_count 1\n"));
    buf_done(&out);
    loop_free(loop);
    metrics_free(m);
    (void)err;
}

struct metered {
    struct loop_meter meter;
    struct trace trace;
    struct loop_timer first, second, third;
};

static void on_metered(void *data)
{
    struct metered *m = data;
    struct loop_meter *outer = loop_meter_enter(&m->meter);
    struct loop_meter *inner = loop_meter_enter(&m->meter); /* its time counts once */
    on_burn(&m->trace);
    loop_meter_leave(&inner);
    loop_meter_leave(&outer);
}

static void on_not_metered(void *data)
{
    struct metered *m = data;
    LOOP_METERED(NULL);
    on_burn(&m->trace);
    on_burn(&m->trace);
}

/* What two entries of one dispatch took is one observation, without what ran between them. */
static void test_a_part_is_metered(void **state UNUSED)
{
    static const double bounds[] = {2.9e-3, 5.9e-3, 11e-3};
    struct loop *loop = real_loop();
    struct metrics *metrics = metrics_new();
    struct metrics_series *s =
        metrics_get(metrics_family(metrics, METRICS_HISTOGRAM, "part", "", "", bounds, ARRAY_SIZE(bounds)), NULL);
    struct metered m = {.trace = {.loop = loop}};
    loop_meter_init(&m.meter, loop, s);
    assert_null(loop_meter_enter(&m.meter)); /* outside of a dispatch */
    loop_timer_init(&m.first, loop, LOOP_NORMAL, on_metered, &m);
    loop_timer_init(&m.second, loop, LOOP_NORMAL, on_metered, &m);
    loop_timer_init(&m.third, loop, LOOP_IDLE, on_not_metered, &m);
    loop_timer_arm(&m.first, 0);
    loop_timer_arm(&m.second, 0); /* 3 ms of a budget of 5: the same dispatch */
    loop_timer_arm(&m.third, 0);
    while (loop_turn(loop, 0))
        continue;
    struct buf out = BUF_INIT(1 << 16);
    metrics_write(metrics, &out, false);
    assert_non_null(strstr(out.data, "part_bucket{le=\"0.0059\"} 0\n"));
    assert_non_null(strstr(out.data, "part_count 1\n"));
    buf_done(&out);
    metrics_free(metrics);
    loop_free(loop);
}

/* A batch of dear timers gives way after its budget, so that what is more urgent is looked at in between. */
static void test_batches_have_a_budget(void **state UNUSED)
{
    struct loop *loop = real_loop();
    struct trace trace = {.loop = loop};
    struct loop_timer burn[8];
    for (size_t i = 0; i < ARRAY_SIZE(burn); i++) {
        loop_timer_init(&burn[i], loop, LOOP_NORMAL, on_burn, &trace);
        loop_timer_arm(&burn[i], 0);
    }
    while (loop_turn(loop, 0))
        continue;
    int64_t longest = loop_longest_dispatch_us(loop);
    assert_true(longest >= 3 * MS);
    assert_true(longest < 4 * 3 * MS);
    for (size_t i = 0; i < ARRAY_SIZE(burn); i++)
        assert_false(loop_timer_armed(&burn[i]));
    loop_free(loop);
}

struct alarm_case {
    struct loop_alarm *alarm;
    int rings, again;
};

static void on_alarm(void *data)
{
    struct alarm_case *c = data;
    c->rings++;
    if (c->again-- > 0)
        loop_alarm_set(c->alarm, 0);
    else
        c->alarm = loop_alarm_free(c->alarm);
}

static void test_alarm_keeps_real_time_on_a_fake_clock(void **state UNUSED)
{
    struct clock_fake fake;
    struct error err = ERROR_INIT;
    struct loop *loop = fake_loop(&fake);
    struct alarm_case c = {.again = 1};
    c.alarm = loop_alarm_new(loop, LOOP_IO, on_alarm, &c, &err);
    assert_non_null(c.alarm);
    assert_false(loop_turn(loop, 0));
    loop_alarm_set(c.alarm, 3600 * S);
    loop_alarm_set(c.alarm, -1);
    clock_fake_advance(&fake, 7200 * S);
    assert_false(loop_turn(loop, 0));
    int64_t begin = clock_boot_us(&clock_system);
    loop_alarm_set(c.alarm, 5 * MS);
    while (c.rings < 2)
        assert_true(loop_turn(loop, 5 * S));
    assert_true(clock_boot_us(&clock_system) - begin >= 5 * MS);
    assert_null(c.alarm);
    loop_free(loop);
}

static void on_signal(void *data, int signo)
{
    struct trace *t = data;
    note(t, signo == SIGTERM ? 'T' : signo == SIGHUP ? 'H' : '?');
    if (t->len == 2)
        loop_exit(t->loop, 7);
}

static void test_signals(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct loop *loop = real_loop();
    struct trace trace = {.loop = loop};
    assert_int_equal(loop_on_signal(loop, SIGTERM, on_signal, &trace, &err), 0);
    assert_int_equal(loop_on_signal(loop, SIGHUP, on_signal, &trace, &err), 0);
    assert_true(loop_on_signal(loop, SIGHUP, on_signal, &trace, &err) < 0);
    struct item normal;
    init(&normal, loop, &trace, 'n', LOOP_NORMAL);
    loop_timer_arm(&normal.timer, 0);
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGTERM);
    assert_int_equal(loop_run(loop, &err), 7);
    assert_int_equal(trace.len, 2);
    assert_null(strchr(trace.text, 'n'));
    loop_free(loop);
}

static void test_exit_before_and_again(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct loop *loop = real_loop();
    loop_exit(loop, 4);
    loop_exit(loop, 5);
    assert_true(loop_exiting(loop));
    assert_int_equal(loop_run(loop, &err), 4);
    assert_false(loop_exiting(loop));
    loop_free(loop);
}

static void test_notify_and_watchdog(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/loop-notify-%d", getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    setenv("NOTIFY_SOCKET", a.sun_path, 1);
    setenv("WATCHDOG_USEC", "40000", 1);
    struct loop *loop = real_loop();
    loop_notify(loop, "READY=1");
    char text[64] = "";
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "READY=1");
    loop_watchdog(loop);
    struct trace trace = {.loop = loop};
    struct item end;
    init(&end, loop, &trace, 'e', LOOP_NORMAL);
    end.timer.fn = on_exit_timer;
    loop_timer_arm(&end.timer, 60 * MS);
    assert_int_equal(loop_run(loop, &err), 0);
    memset(text, 0, sizeof(text));
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "WATCHDOG=1");
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    loop_free(loop);
    close(fd);
    unlink(a.sun_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_timers),
        cmocka_unit_test(test_arming_in_a_callback),
        cmocka_unit_test(test_many_timers),
        cmocka_unit_test(test_priorities_across_kinds),
        cmocka_unit_test(test_descriptor_freed_inside_and_hung_up),
        cmocka_unit_test(test_bad_descriptor),
        cmocka_unit_test(test_real_time),
        cmocka_unit_test(test_cpu_time_is_measured),
        cmocka_unit_test(test_a_part_is_metered),
        cmocka_unit_test(test_batches_have_a_budget),
        cmocka_unit_test(test_alarm_keeps_real_time_on_a_fake_clock),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_exit_before_and_again),
        cmocka_unit_test(test_notify_and_watchdog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
