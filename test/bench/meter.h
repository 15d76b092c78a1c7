/* What an operation costs: begin and end around each of many runs, then one line with the median, the least and the
 * 99th percentile of the time beside its goal.
 *
 * A noisy machine changes its speed by half; instructions do not change. In valgrind the same program does fewer runs,
 * prints nothing, and leaves it to callgrind to count what happens between begin and end; test/bench/instructions runs
 * it so and prints the counts.
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_DUMP_STATS_AT(name) (void)(name)
#endif

#define METER_RUNS         1000
#define METER_COUNTED_RUNS 40

struct meter {
    double us[METER_RUNS];
    uint32_t n;
    struct timespec began;
};

static inline uint32_t meter_runs(void)
{
    return RUNNING_ON_VALGRIND ? METER_COUNTED_RUNS : METER_RUNS;
}

static inline void meter_begin(struct meter *m)
{
    clock_gettime(CLOCK_MONOTONIC, &m->began);
    CALLGRIND_TOGGLE_COLLECT;
}

static inline void meter_end(struct meter *m)
{
    struct timespec now;
    CALLGRIND_TOGGLE_COLLECT;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (m->n < METER_RUNS)
        m->us[m->n++] = (double)(now.tv_sec - m->began.tv_sec) * 1e6 + (double)(now.tv_nsec - m->began.tv_nsec) / 1e3;
}

static inline int meter_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Whether the median is within the goal; 0: there is none. For the next operation it begins anew. */
static inline bool meter_print(struct meter *m, const char *what, double goal_us)
{
    char counted[128];
    snprintf(counted, sizeof counted, "%s/%u", what, m->n);
    CALLGRIND_DUMP_STATS_AT(counted);
    qsort(m->us, m->n, sizeof *m->us, meter_by_value);
    double us = m->n > 0 ? m->us[m->n / 2] : 0;
    bool met = goal_us <= 0 || us <= goal_us || RUNNING_ON_VALGRIND;
    if (!RUNNING_ON_VALGRIND) {
        printf("%-54s %9.2f us (least %8.2f, p99 %8.2f)", what, us, m->us[0], m->us[m->n * 99 / 100]);
        if (goal_us > 0)
            printf("  target %6.0f us  %s", goal_us, met ? "met" : "MISSED");
        printf("\n");
    }
    m->n = 0;
    return met;
}

#endif
