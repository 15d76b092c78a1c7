/* History from Prometheus: query_range in pieces that it accepts, into slots. */
#ifndef PLUGIN_PROMETHEUS_H
#define PLUGIN_PROMETHEUS_H

#include "cluster.h"

struct prometheus_range {
    const char *url, *query;
    const char *token_file;              /* has the bearer token; NULL: none */
    int64_t start_s, step_s, interval_s; /* start: a multiple of the interval */
    uint32_t n;                          /* slots */
};

/* Fills `values` [range->n] with the slots' means; NaN is no data. A point stands for the step that ends at it. The
 * query must give one series. Gives how many slots have a value, or -1. */
int prometheus_fetch(struct cluster *c, const struct prometheus_range *range, double *values, struct error *err);

#endif
