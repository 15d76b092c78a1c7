/* sd-event with our own timer heaps on top; see loop.h.
 *
 * One heap and one sd-event source per priority, so that sd-event's strict order of priorities covers timers and
 * descriptors alike. On the machine's clock the source is a CLOCK_BOOTTIME timer set to the first due time (sd-event
 * multiplexes them onto one timerfd); on a fake clock it is a deferred event that is enabled when that time is reached.
 */
#include "base/loop.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/metrics.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>

/* sd-event polls the kernel for every dispatch; a batch of timers shares one. */
enum { TIMER_BATCH = 64, TURN_DISPATCHES = 64 };

/* sd-event takes 0 for "its default", which is a quarter of a second. */
#define ACCURACY_US 1

struct level {
    struct loop *loop;
    enum loop_priority priority;
    struct heap timers;
    sd_event_source *source;
};

enum { N_LEVELS = 4 };
static const enum loop_priority level_priority[N_LEVELS] = {LOOP_LEASE, LOOP_IO, LOOP_NORMAL, LOOP_IDLE};

struct loop {
    sd_event *event;
    const struct clock *clock;
    bool fake;
    bool dispatching;
    bool exiting;
    int exit_code;
    int64_t now_us;
    int64_t dispatch_began_us; /* thread CPU time */
    int64_t longest_us;
    uint64_t turn;
    struct level levels[N_LEVELS];
    struct list signals;
    size_t users; /* alarms and descriptors that still borrow the loop */
    struct metrics_series *dispatch_seconds, *late_seconds;
    struct loop_meter *metered; /* what ran in this dispatch */
};

struct loop_alarm {
    struct loop *loop;
    sd_event_source *source;
    void (*fn)(void *data);
    void *data;
};

struct loop_io {
    struct loop *loop;
    sd_event_source *source;
    unsigned events;
    void (*fn)(void *data, unsigned events);
    void *data;
};

struct signal_handler {
    struct list node;
    sd_event_source *source;
    void (*fn)(void *data, int signo);
    void *data;
};

static int64_t thread_cpu_us(void)
{
    struct timespec ts;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) < 0)
        return 0;
    return (int64_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

/* sd-event's setters fail only on misuse (a wrong type, another process). */
static void must(int r)
{
    assert(r >= 0);
    (void)r;
}

static struct level *level_of(struct loop *loop, enum loop_priority priority)
{
    size_t i = 0;
    while (i < N_LEVELS && level_priority[i] != priority)
        i++;
    assert(i < N_LEVELS);
    return &loop->levels[i];
}

/* Timers */

static struct loop_timer *first_timer(const struct level *level)
{
    struct heap_node *node = heap_first(&level->timers);
    return node ? CONTAINER_OF(node, struct loop_timer, node) : NULL;
}

/* Lets the kernel wake us for the first timer of the level. */
static void level_wake(struct level *level)
{
    if (level->loop->fake)
        return;
    const struct heap_node *first = heap_first(&level->timers);
    if (first)
        must(sd_event_source_set_time(level->source, (uint64_t)MAX(first->key, 0)));
    must(sd_event_source_set_enabled(level->source, first ? SD_EVENT_ONESHOT : SD_EVENT_OFF));
}

static bool level_due(const struct level *level)
{
    const struct loop_timer *t = first_timer(level);
    return t && t->node.key <= level->loop->now_us && t->armed_turn != level->loop->turn;
}

static void level_run(struct level *level)
{
    struct loop *loop = level->loop;
    for (size_t n = 0; n < TIMER_BATCH && level_due(level); n++) {
        if (n > 0 && loop_spent_us(loop) >= LOOP_BUDGET_US)
            break;
        struct loop_timer *t = first_timer(level);
        if (loop->late_seconds)
            metrics_observe(loop->late_seconds, (double)(loop->now_us - t->node.key) / 1e6);
        heap_remove(&level->timers, &t->node);
        t->fn(t->data);
    }
    level_wake(level);
    if (loop->fake && level_due(level))
        must(sd_event_source_set_enabled(level->source, SD_EVENT_ONESHOT));
}

static int on_level_time(sd_event_source *s UNUSED, uint64_t usec UNUSED, void *userdata)
{
    level_run(userdata);
    return 0;
}

static int on_level_defer(sd_event_source *s UNUSED, void *userdata)
{
    level_run(userdata);
    return 0;
}

void loop_timer_init(struct loop_timer *t, struct loop *loop, enum loop_priority priority, void (*fn)(void *data),
                     void *data)
{
    *t = (struct loop_timer){.loop = loop, .fn = fn, .data = data, .priority = priority};
    heap_node_init(&t->node);
}

void loop_timer_arm(struct loop_timer *t, int64_t after_us)
{
    int64_t now = loop_now_us(t->loop);
    loop_timer_arm_at(t, after_us <= 0 ? now : after_us > INT64_MAX - now ? INT64_MAX : now + after_us);
}

void loop_timer_arm_at(struct loop_timer *t, int64_t boot_us)
{
    struct level *level = level_of(t->loop, t->priority);
    heap_add(&level->timers, &t->node, boot_us);
    /* Outside of a dispatch the turn that is to come is the next one. */
    t->armed_turn = t->loop->dispatching ? t->loop->turn : 0;
    level_wake(level);
}

void loop_timer_disarm(struct loop_timer *t)
{
    if (!loop_timer_armed(t))
        return;
    struct level *level = level_of(t->loop, t->priority);
    heap_remove(&level->timers, &t->node);
    level_wake(level);
}

bool loop_timer_armed(const struct loop_timer *t)
{
    return t->node.index != HEAP_NONE;
}

/* Alarms */

static int on_alarm(sd_event_source *s UNUSED, uint64_t usec UNUSED, void *userdata)
{
    struct loop_alarm *a = userdata;
    a->fn(a->data);
    return 0;
}

struct loop_alarm *loop_alarm_new(struct loop *loop, enum loop_priority priority, void (*fn)(void *data), void *data,
                                  struct error *err)
{
    struct loop_alarm *a = xcalloc(1, sizeof(*a));
    *a = (struct loop_alarm){.loop = loop, .fn = fn, .data = data};
    int r = sd_event_add_time(loop->event, &a->source, CLOCK_BOOTTIME, 0, ACCURACY_US, on_alarm, a);
    if (r < 0) {
        free(a);
        (void)error_errno(err, -r, "making a timer");
        return NULL;
    }
    must(sd_event_source_set_enabled(a->source, SD_EVENT_OFF));
    must(sd_event_source_set_priority(a->source, priority));
    loop->users++;
    return a;
}

void loop_alarm_set(struct loop_alarm *a, int64_t after_us)
{
    if (after_us >= 0) {
        /* Not relative to the turn's time: the library that asks has just read its own clock. */
        int64_t now = clock_boot_us(&clock_system);
        must(sd_event_source_set_time(a->source, (uint64_t)(after_us > INT64_MAX - now ? INT64_MAX : now + after_us)));
    }
    must(sd_event_source_set_enabled(a->source, after_us < 0 ? SD_EVENT_OFF : SD_EVENT_ONESHOT));
}

struct loop_alarm *loop_alarm_free(struct loop_alarm *a)
{
    if (!a)
        return NULL;
    a->loop->users--;
    (void)sd_event_source_disable_unref(a->source);
    free(a);
    return NULL;
}

/* Descriptors */

static uint32_t epoll_bits(unsigned events)
{
    return (events & LOOP_READ ? (uint32_t)EPOLLIN : 0) | (events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0);
}

static int on_io(sd_event_source *s UNUSED, int fd UNUSED, uint32_t revents, void *userdata)
{
    struct loop_io *io = userdata;
    unsigned events = (revents & EPOLLIN ? LOOP_READ : 0u) | (revents & EPOLLOUT ? LOOP_WRITE : 0u);
    if (revents & (EPOLLERR | EPOLLHUP))
        events |= io->events;
    io->fn(io->data, events);
    return 0;
}

struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned events, enum loop_priority priority,
                            void (*fn)(void *data, unsigned events), void *data, struct error *err)
{
    struct loop_io *io = xcalloc(1, sizeof(*io));
    *io = (struct loop_io){.loop = loop, .fn = fn, .data = data};
    int r = sd_event_add_io(loop->event, &io->source, fd, epoll_bits(events), on_io, io);
    if (r < 0) {
        free(io);
        (void)error_errno(err, -r, "watching descriptor %d", fd);
        return NULL;
    }
    must(sd_event_source_set_priority(io->source, priority));
    loop->users++;
    loop_io_events(io, events);
    return io;
}

void loop_io_events(struct loop_io *io, unsigned events)
{
    io->events = events;
    if (events)
        must(sd_event_source_set_io_events(io->source, epoll_bits(events)));
    /* A descriptor that is in the set with no events still reports a hang-up, again and again. */
    must(sd_event_source_set_enabled(io->source, events ? SD_EVENT_ON : SD_EVENT_OFF));
}

struct loop_io *loop_io_free(struct loop_io *io)
{
    if (!io)
        return NULL;
    io->loop->users--;
    (void)sd_event_source_disable_unref(io->source);
    free(io);
    return NULL;
}

/* Signals and the service manager */

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si UNUSED, void *userdata)
{
    struct signal_handler *h = userdata;
    h->fn(h->data, sd_event_source_get_signal(s));
    return 0;
}

int loop_on_signal(struct loop *loop, int signo, void (*fn)(void *data, int signo), void *data, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    int r = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (r != 0)
        return error_errno(err, r, "blocking signal %d", signo);
    struct signal_handler *h = xcalloc(1, sizeof(*h));
    *h = (struct signal_handler){.fn = fn, .data = data};
    r = sd_event_add_signal(loop->event, &h->source, signo, on_signal, h);
    if (r < 0) {
        free(h);
        return error_errno(err, -r, "handling signal %d", signo);
    }
    must(sd_event_source_set_priority(h->source, LOOP_LEASE));
    list_append(&loop->signals, &h->node);
    return 0;
}

void loop_notify(struct loop *loop UNUSED, const char *state)
{
    (void)sd_notify(0, state);
}

void loop_watchdog(struct loop *loop)
{
    (void)sd_event_set_watchdog(loop->event, 1);
}

/* The loop */

static int add_level(struct loop *loop, size_t i)
{
    struct level *level = &loop->levels[i];
    *level = (struct level){.loop = loop, .priority = level_priority[i]};
    int r = loop->fake
                ? sd_event_add_defer(loop->event, &level->source, on_level_defer, level)
                : sd_event_add_time(loop->event, &level->source, CLOCK_BOOTTIME, 0, ACCURACY_US, on_level_time, level);
    if (r < 0)
        return r;
    must(sd_event_source_set_enabled(level->source, SD_EVENT_OFF));
    must(sd_event_source_set_priority(level->source, level->priority));
    return 0;
}

struct loop *loop_new(const struct clock *clock, struct error *err)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    loop->clock = clock;
    loop->fake = clock != &clock_system;
    list_init(&loop->signals);
    int r = sd_event_new(&loop->event);
    for (size_t i = 0; r >= 0 && i < N_LEVELS; i++)
        r = add_level(loop, i);
    if (r < 0) {
        (void)error_errno(err, -r, "making the event loop");
        return loop_free(loop);
    }
    return loop;
}

struct loop *loop_free(struct loop *loop)
{
    if (!loop)
        return NULL;
    assert(!loop->dispatching);
    assert(loop->users == 0);
    list_for_each_safe (it, after, &loop->signals) {
        struct signal_handler *h = CONTAINER_OF(it, struct signal_handler, node);
        (void)sd_event_source_disable_unref(h->source);
        free(h);
    }
    for (size_t i = 0; i < N_LEVELS; i++) {
        heap_done(&loop->levels[i].timers);
        (void)sd_event_source_disable_unref(loop->levels[i].source);
    }
    (void)sd_event_unref(loop->event);
    free(loop);
    return NULL;
}

static void tell_meters(struct loop *loop)
{
    for (struct loop_meter *m = loop->metered; m; m = m->next) {
        assert(m->depth == 0);
        metrics_observe(m->series, (double)m->spent_us / 1e6);
        m->noted = false;
        m->spent_us = 0;
    }
    loop->metered = NULL;
}

static void dispatch(struct loop *loop)
{
    loop->now_us = clock_boot_us(loop->clock);
    loop->dispatching = true;
    loop->dispatch_began_us = thread_cpu_us();
    must(sd_event_dispatch(loop->event));
    int64_t spent = loop_spent_us(loop);
    loop->dispatching = false;
    loop->longest_us = MAX(loop->longest_us, spent);
    if (loop->dispatch_seconds)
        metrics_observe(loop->dispatch_seconds, (double)spent / 1e6);
    tell_meters(loop);
}

/* One source at most: 1 when it ran, 0 when nothing was ready in time, < 0: errno. */
static int step(struct loop *loop, uint64_t timeout_us)
{
    int r = sd_event_prepare(loop->event);
    if (r == 0)
        r = sd_event_wait(loop->event, timeout_us);
    if (r > 0)
        dispatch(loop);
    return r;
}

static void begin_turn(struct loop *loop)
{
    loop->turn++;
    if (!loop->fake)
        return;
    loop->now_us = clock_boot_us(loop->clock);
    for (size_t i = 0; i < N_LEVELS; i++)
        must(sd_event_source_set_enabled(loop->levels[i].source,
                                         level_due(&loop->levels[i]) ? SD_EVENT_ONESHOT : SD_EVENT_OFF));
}

int loop_run(struct loop *loop, struct error *err)
{
    while (!loop->exiting) {
        begin_turn(loop);
        int r = step(loop, UINT64_MAX);
        if (r < 0)
            return error_errno(err, -r, "waiting for events");
    }
    loop->exiting = false;
    return loop->exit_code;
}

void loop_exit(struct loop *loop, int code)
{
    assert(code >= 0);
    if (loop->exiting)
        return;
    loop->exiting = true;
    loop->exit_code = code;
}

bool loop_exiting(const struct loop *loop)
{
    return loop->exiting;
}

bool loop_turn(struct loop *loop, int64_t timeout_us)
{
    bool ran = false;
    for (size_t i = 0; i < TURN_DISPATCHES; i++) {
        /* On a fake clock all of it is one turn, so that what a callback arms runs in the next one. */
        if (i == 0 || !loop->fake)
            begin_turn(loop);
        int r = step(loop, i == 0 ? (uint64_t)MAX(timeout_us, 0) : 0);
        assert(r >= 0);
        if (r == 0)
            break;
        ran = true;
    }
    return ran;
}

bool loop_jump(struct loop *loop, struct clock_fake *fake, int64_t until_us)
{
    assert(loop->clock == &fake->clock);
    bool any = false;
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < N_LEVELS; i++) {
        const struct heap_node *first = heap_first(&loop->levels[i].timers);
        if (first) {
            any = true;
            next = MIN(next, first->key);
        }
    }
    if (!any || next > until_us)
        return false;
    if (next > fake->boot_us)
        clock_fake_advance(fake, next - fake->boot_us);
    (void)loop_turn(loop, 0);
    return true;
}

int64_t loop_now_us(const struct loop *loop)
{
    return loop->dispatching ? loop->now_us : clock_boot_us(loop->clock);
}

int64_t loop_real_us(const struct loop *loop)
{
    return clock_real_us(loop->clock);
}

const struct clock *loop_clock(const struct loop *loop)
{
    return loop->clock;
}

int64_t loop_spent_us(const struct loop *loop)
{
    return loop->dispatching ? thread_cpu_us() - loop->dispatch_began_us : 0;
}

void loop_meter_init(struct loop_meter *m, struct loop *loop, struct metrics_series *series)
{
    *m = (struct loop_meter){.loop = loop, .series = series};
}

struct loop_meter *loop_meter_enter(struct loop_meter *m)
{
    if (!m || !m->loop->dispatching) /* before the loop runs nothing waits for it */
        return NULL;
    if (m->depth++ == 0)
        m->began_us = thread_cpu_us();
    if (!m->noted) {
        m->noted = true;
        m->next = m->loop->metered;
        m->loop->metered = m;
    }
    return m;
}

void loop_meter_leave(struct loop_meter **m)
{
    if (*m && --(*m)->depth == 0)
        (*m)->spent_us += thread_cpu_us() - (*m)->began_us;
}

void loop_metrics(struct loop *loop, struct metrics *m)
{
    static const double buckets[] = {10e-6, 100e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 500e-3, 1};
    loop->dispatch_seconds = metrics_get(metrics_family(m, METRICS_HISTOGRAM, "event_loop_dispatch_cpu_seconds",
                                                        "Thread CPU time of one dispatch of the event loop.", "",
                                                        buckets, ARRAY_SIZE(buckets)),
                                         NULL);
    loop->late_seconds = metrics_get(metrics_family(m, METRICS_HISTOGRAM, "event_loop_timer_late_seconds",
                                                    "How much later than due a timer of the event loop ran.", "",
                                                    buckets, ARRAY_SIZE(buckets)),
                                     NULL);
}

int64_t loop_longest_dispatch_us(struct loop *loop)
{
    int64_t longest = loop->longest_us;
    loop->longest_us = 0;
    return longest;
}
