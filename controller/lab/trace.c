/* Demand by ticks; see trace.h. */
#include "lab/trace.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "lab/series_file.h"

#include <math.h>
#include <stdlib.h>

#define HIGH_SHARE 0.999

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The quantile of those that are numbers, linear between ranks. */
static double high_of(const double *values, uint32_t n)
{
    double *sorted = xcalloc(n, sizeof *sorted);
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!isnan(values[i]))
            sorted[m++] = values[i];
    qsort(sorted, m, sizeof *sorted, by_value);
    double rank = HIGH_SHARE * (m - 1);
    uint32_t below = (uint32_t)rank;
    double high = sorted[below];
    if (below + 1 < m)
        high += (rank - below) * (sorted[below + 1] - high);
    free(sorted);
    return high;
}

/* `slots` of a tick each, of which those with a row have a value; a row's middle is `half_s` behind its beginning. */
static void fill(struct trace *t, const double *slots, uint32_t n, double half_s)
{
    double last_s = -1, last = 0;
    uint32_t tick = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (isnan(slots[i]))
            continue;
        double middle_s = i * (double)TRACE_TICK_S + half_s;
        for (; tick < t->n && (tick + 0.5) * TRACE_TICK_S <= middle_s; tick++) {
            double share = last_s < 0 ? 1 : ((tick + 0.5) * TRACE_TICK_S - last_s) / (middle_s - last_s);
            t->demand[tick] = last_s < 0 ? slots[i] : last + share * (slots[i] - last);
        }
        last_s = middle_s;
        last = slots[i];
    }
    for (; tick < t->n; tick++)
        t->demand[tick] = last;
}

static void make(struct trace *ret, const double *slots, uint32_t n, uint32_t interval_s, int64_t start_us)
{
    uint32_t end = n;
    while (end > 0 && isnan(slots[end - 1]))
        end--;
    *ret = (struct trace){.start_us = start_us, .interval_s = interval_s, .high = high_of(slots, n)};
    ret->n = end - 1 + MAX(interval_s / TRACE_TICK_S, 1u);
    ret->demand = xcalloc(ret->n, sizeof *ret->demand);
    fill(ret, slots, end, interval_s / 2.0);
}

void trace_make(struct trace *ret, const double *values, uint32_t n, uint32_t interval_s, int64_t start_us)
{
    uint32_t each = interval_s / TRACE_TICK_S, ticks = n * each;
    double *slots = xcalloc(ticks, sizeof *slots);
    for (uint32_t i = 0; i < ticks; i++)
        slots[i] = i % each == 0 ? values[i / each] : (double)NAN;
    make(ret, slots, ticks, interval_s, start_us);
    free(slots);
}

int trace_read(const char *path, struct trace *ret, struct error *err)
{
    static const struct series_file_options options = {
        .interval_s = TRACE_TICK_S, .grid = SERIES_FROM_FIRST, .too_long = "cut the file into pieces of two years"};
    struct series_file s;
    if (series_file_read(path, &options, &s, err) < 0)
        return -1;
    int result = 0;
    if (s.filled == 0)
        result = error_set(err, ERROR_PARSE, "%s: no row has a value, so there is nothing to serve", path);
    else if (s.negative)
        result =
            error_set(err, ERROR_PARSE, "%s:%llu: the demand is below 0; leave the value empty where there is no data",
                      path, (unsigned long long)s.negative_line);
    else if (s.n > TRACE_MAX_TICKS)
        result = error_set(err, ERROR_LIMIT, "%s: it covers more than two years; cut the file into pieces", path);
    else
        make(ret, s.value, s.n, (uint32_t)MIN(MAX(s.usual_spacing_us / USEC_PER_SEC, TRACE_TICK_S), 86400), s.start_us);
    if (result == 0) {
        ret->clipped = s.clipped;
        ret->clipped_line = s.clipped_line;
    }
    series_file_done(&s);
    return result;
}

void trace_done(struct trace *t)
{
    free(t->demand);
    t->demand = NULL;
}
