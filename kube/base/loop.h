/* The event loop: one thread, sd-event below (the only file that knows it is loop.c).
 *
 * Timers are kept in a heap of our own above one sd-event timer, so that a thousand of them cost one kernel timer and a
 * test can run them on a fake clock. Callbacks run to completion; none may block or take longer than 20 ms of thread CPU
 * time (exported as a histogram). `loop_now_us` is CLOCK_BOOTTIME, taken once per turn.
 *
 * Ordering within a turn: LOOP_LEASE before LOOP_IO before LOOP_NORMAL before LOOP_IDLE.
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

struct loop *loop_new(const struct clock *clock, struct error *err);
struct loop *loop_free(struct loop *loop);

/* Runs until loop_exit(); gives its code, or < 0 when the loop itself failed. */
int loop_run(struct loop *loop, struct error *err);
void loop_exit(struct loop *loop, int code);
bool loop_exiting(const struct loop *loop);

/* Tests: dispatches what is ready, waiting for I/O at most `timeout_us` of real time. With a fake clock the time to the
 * next timer is not waited for but jumped over when nothing else is ready (loop_jump). Returns whether anything ran. */
bool loop_turn(struct loop *loop, int64_t timeout_us);
/* Fake clock only: moves it to the next timer and runs what is due; false when there is no timer before `until_us`. */
bool loop_jump(struct loop *loop, struct clock_fake *fake, int64_t until_us);

int64_t loop_now_us(const struct loop *loop);  /* CLOCK_BOOTTIME of this turn */
int64_t loop_real_us(const struct loop *loop); /* CLOCK_REALTIME, now */
const struct clock *loop_clock(const struct loop *loop);

/* A timer belongs to its user's object: initialise once, then arm, re-arm and disarm at will, also inside its callback. */
struct loop_timer {
    struct heap_node node;
    struct loop *loop;
    void (*fn)(void *data);
    void *data;
    enum loop_priority priority;
};

void loop_timer_init(struct loop_timer *t, struct loop *loop, enum loop_priority priority, void (*fn)(void *data), void *data);
void loop_timer_arm(struct loop_timer *t, int64_t after_us); /* <= 0: on the next turn */
void loop_timer_arm_at(struct loop_timer *t, int64_t boot_us);
void loop_timer_disarm(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);

/* File descriptors; `fd` stays the caller's. */
struct loop_io;
struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned events, enum loop_priority priority,
                            void (*fn)(void *data, unsigned events), void *data, struct error *err);
void loop_io_events(struct loop_io *io, unsigned events);
struct loop_io *loop_io_free(struct loop_io *io);

/* Calls `fn` for each of the signals (they are blocked for the process here; call before any thread exists). */
int loop_on_signal(struct loop *loop, int signo, void (*fn)(void *data, int signo), void *data, struct error *err);

/* Watchdog and readiness of a service manager; nothing without NOTIFY_SOCKET. */
void loop_notify(struct loop *loop, const char *state); /* "READY=1", "STOPPING=1", "STATUS=..." */
void loop_watchdog(struct loop *loop);                  /* feeds it from the loop itself, when asked to */

/* Histogram of the CPU time of dispatches, and of how late timers run. */
void loop_metrics(struct loop *loop, struct metrics *m);
/* The longest dispatch so far in us of thread CPU time; reading resets it. For tests. */
int64_t loop_longest_dispatch_us(struct loop *loop);

#endif
