/* The event loop: one thread, sd-event below (the only file that knows it is loop.c).
 *
 * Timers are kept in heaps of our own above sd-event, so that a thousand of them cost one kernel timer and a test can
 * run them on a fake clock. Callbacks run to completion; none may block or take longer than 20 ms of thread CPU time
 * (exported as a histogram). A handler that works off a list takes pieces while loop_spent_us() is below
 * LOOP_BUDGET_US, then arms a timer with 0 and goes on in the next turn.
 *
 * What is ready runs in the order LOOP_LEASE, LOOP_IO, LOOP_NORMAL, LOOP_IDLE, strictly: a higher priority that always
 * has work starves a lower one. Timers of equal priority run in the order of their due times, equal ones in the order
 * they were armed in.
 *
 * Ownership: everything made on a loop borrows it and is freed before it. Each object here may be freed from inside its
 * own callback, or from any other.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/base.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/heap.h"

struct loop;
struct metrics;

enum loop_priority { LOOP_LEASE = -20, LOOP_IO = -10, LOOP_NORMAL = 0, LOOP_IDLE = 10 };
enum { LOOP_READ = 1, LOOP_WRITE = 2 };

#define LOOP_BUDGET_US (5 * USEC_PER_MSEC)

/* `clock` is borrowed. With any clock but clock_system the kernel wakes nobody: timers run when loop_turn() or
 * loop_jump() finds them due. */
struct loop *loop_new(const struct clock *clock, struct error *err) MUST_USE;
struct loop *loop_free(struct loop *loop);

/* Runs until loop_exit(); gives its code, or < 0 when the loop itself failed. The exit is used up: it can run again. */
int loop_run(struct loop *loop, struct error *err) MUST_USE;
void loop_exit(struct loop *loop, int code); /* code >= 0; the first call counts */
bool loop_exiting(const struct loop *loop);

/* Tests: dispatches what is ready, waiting for it at most `timeout_us` of real time. A timer that is armed meanwhile
 * waits for the next turn. Returns whether anything ran. */
bool loop_turn(struct loop *loop, int64_t timeout_us);
/* Fake clock only: moves it to the next timer and dispatches what is ready then; false when there is no timer before or
 * at `until_us`, and nothing was done. */
bool loop_jump(struct loop *loop, struct clock_fake *fake, int64_t until_us);

int64_t loop_now_us(const struct loop *loop);  /* CLOCK_BOOTTIME of this turn; outside of a callback: now */
int64_t loop_real_us(const struct loop *loop); /* CLOCK_REALTIME, now */
const struct clock *loop_clock(const struct loop *loop);
/* Thread CPU time since this dispatch began. */
int64_t loop_spent_us(const struct loop *loop);

/* A timer belongs to its user's object: initialise once, then arm, re-arm and disarm at will, also inside its callback.
 * It fires once per arming. Disarm it before its memory goes. */
struct loop_timer {
    struct heap_node node;
    struct loop *loop;
    void (*fn)(void *data);
    void *data;
    enum loop_priority priority;
    uint64_t armed_turn; /* it does not run in the turn in which it was armed */
};

void loop_timer_init(struct loop_timer *t, struct loop *loop, enum loop_priority priority, void (*fn)(void *data),
                     void *data);
void loop_timer_arm(struct loop_timer *t, int64_t after_us); /* <= 0: on the next turn */
void loop_timer_arm_at(struct loop_timer *t, int64_t boot_us);
void loop_timer_disarm(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);

/* One timer in real time whatever the loop's clock: for libraries that keep time themselves (libcurl, libmicrohttpd).
 */
struct loop_alarm;
struct loop_alarm *loop_alarm_new(struct loop *loop, enum loop_priority priority, void (*fn)(void *data), void *data,
                                  struct error *err) MUST_USE;
void loop_alarm_set(struct loop_alarm *a, int64_t after_us); /* < 0: off */
struct loop_alarm *loop_alarm_free(struct loop_alarm *a);

/* File descriptors; `fd` stays the caller's and is closed after loop_io_free(). Level-triggered. An error or a hang-up
 * of the descriptor is reported as whatever is waited for, so that the next read or write finds it.
 */
struct loop_io;
struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned events, enum loop_priority priority,
                            void (*fn)(void *data, unsigned events), void *data, struct error *err) MUST_USE;
void loop_io_events(struct loop_io *io, unsigned events); /* 0: not now */
struct loop_io *loop_io_free(struct loop_io *io);

/* Calls `fn` for this signal, at the highest priority. The signal is blocked for the calling thread and those it makes
 * later, and stays blocked: call before any thread exists. At most one handler per signal. */
int loop_on_signal(struct loop *loop, int signo, void (*fn)(void *data, int signo), void *data,
                   struct error *err) MUST_USE;

/* Readiness for a service manager; nothing without NOTIFY_SOCKET. */
void loop_notify(struct loop *loop, const char *state); /* "READY=1", "STOPPING=1", "STATUS=..." */
/* Feeds the service manager's watchdog from the loop itself, when it asked for it (WATCHDOG_USEC). */
void loop_watchdog(struct loop *loop);

/* The CPU time that one part of the program takes of a turn: each of its entries is bracketed, and what they took of
 * one dispatch together goes into `series` (a histogram, in seconds) when the dispatch is over. Brackets nest. Entering
 * NULL measures nothing. A meter outlives the dispatches in which it was entered. */
struct loop_meter {
    struct loop *loop;
    struct metrics_series *series;
    struct loop_meter *next; /* of those that ran in this dispatch */
    bool noted;
    unsigned depth;
    int64_t began_us, spent_us; /* thread CPU time */
};
void loop_meter_init(struct loop_meter *m, struct loop *loop, struct metrics_series *series);
struct loop_meter *loop_meter_enter(struct loop_meter *m);
void loop_meter_leave(struct loop_meter **m); /* *m may be NULL */
/* From here to the end of the block. */
#define LOOP_METERED(m) _cleanup_(loop_meter_leave) struct loop_meter *metered UNUSED = loop_meter_enter(m)

/* Histograms: event_loop_dispatch_cpu_seconds, event_loop_timer_late_seconds. `m` outlives the loop. */
void loop_metrics(struct loop *loop, struct metrics *m);
/* The longest dispatch so far in us of thread CPU time; reading resets it. For tests. */
int64_t loop_longest_dispatch_us(struct loop *loop);

#endif
