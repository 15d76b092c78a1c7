/* A demand trace as ticks of 15 s: each row of a series file stands for the interval that begins with it, demand is
 * linear between the middles of intervals (constant before the first and after the last), also across gaps, and a tick
 * has the demand of its own middle. */
#ifndef LAB_TRACE_H
#define LAB_TRACE_H

#include "base/base.h"
#include "base/error.h"

#define TRACE_TICK_S    15
#define TRACE_MAX_TICKS (1u << 22) /* two years */

struct trace {
    double *demand; /* [n], >= 0, finite */
    uint32_t n;
    int64_t start_us;
    uint32_t interval_s;            /* the usual time between two rows */
    double high;                    /* the 99.9 % quantile of the rows */
    uint64_t clipped, clipped_line; /* of the file: as in struct series_file */
};

/* 0, or -1: what series_file_read() says, and ERROR_PARSE where a demand is negative or there is none. */
int trace_read(const char *path, struct trace *ret, struct error *err);
/* From values that are `interval_s` (a multiple of 15) apart; NaN is a gap. At least one is a number. */
void trace_make(struct trace *ret, const double *values, uint32_t n, uint32_t interval_s, int64_t start_us);
void trace_done(struct trace *t);

#endif
