/* Prometheus metrics: families with a fixed set of label names, created once; series by label values, created
 * at first use, capped per family. Text exposition format 0.0.4, and OpenMetrics 1.0 on request.
 *
 *     f = metrics_family(m, METRICS_COUNTER, "rest_client_requests_total", "Requests by status.",
 * "code,method", NULL, 0); metrics_add(metrics_get(f, "200", "GET", NULL), 1);
 *
 * A family is owned by the registry. A series pointer stays valid until metrics_remove() of its labels: hold
 * it where the hot path is. Names and help texts are constants. Label values may be any text: what is not
 * UTF-8 is replaced, and what is above 1 KiB is cut.
 *
 * A misuse that shows at the first run is an assertion: a name that is no metric name, a counter whose name
 * does not end in "_total" (others must not), names that would collide in one of the formats ("x" beside
 * "x_total", "x_count" beside the histogram "x"), the wrong number of label values. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/base.h"
#include "base/buf.h"
#include "base/clock.h"

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics;        /* the registry */
struct metrics_family; /* one name */
struct metrics_series; /* one set of label values */

struct metrics *metrics_new(void);
struct metrics *metrics_free(struct metrics *m);

/* `labels`: names separated by commas ("code,method"), at most 8, "" for none. `buckets`: finite upper bounds
 * >= 0, ascending, histograms only. The name of a family that exists gives that family; type, labels and
 * buckets must be its. */
struct metrics_family *metrics_family(struct metrics *m, enum metrics_type type, const char *name, const char *help,
                                      const char *labels, const double *buckets, size_t n_buckets);

/* Default 1000. Label values beyond it share one series, whose label values are all "_overflow"; that of a
 * gauge, where one value can't stand for many, takes values and is not shown.
 * metrics_over_limit_total{metric} counts the uses. */
void metrics_limit(struct metrics_family *f, size_t max_series);

/* The series for these values, in the order of the names and closed by NULL; made when absent. Never NULL. */
struct metrics_series *metrics_get(struct metrics_family *f, ...) __attribute__((sentinel));

/* Removes the series whose label `name` has this value (a deleted object), in all families. */
void metrics_remove(struct metrics *m, const char *name, const char *value);
/* The same for two labels at once (namespace and name). */
void metrics_remove2(struct metrics *m, const char *name1, const char *value1, const char *name2, const char *value2);

/* Counters and gauges. A counter ignores what is negative or not finite: it never falls. */
void metrics_add(struct metrics_series *s, double delta);
/* Gauges; counters that are kept elsewhere (ignored when it is less than was shown). NaN is no data. */
void metrics_set(struct metrics_series *s, double value);
/* Histograms. What is negative or not finite is ignored. */
void metrics_observe(struct metrics_series *s, double value);
double metrics_value(const struct metrics_series *s); /* histograms: the number of observations */

/* Calls `fn` before each exposition (process_* and other sampled values). */
void metrics_on_collect(struct metrics *m, void (*fn)(void *data), void *data);

/* process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds ...: registered and sampled on
 * collect. */
void metrics_process(struct metrics *m);

/* From now on series remember when they were made, and OpenMetrics says so (`_created`). Off by default, as
 * it doubles the lines of counters. */
void metrics_created(struct metrics *m, const struct clock *clock);

/* Appends the exposition: families in the order of their registration, those without series left out. Check
 * `out->failed` afterwards: in format 0.0.4 half an exposition looks like a whole one. */
void metrics_write(struct metrics *m, struct buf *out, bool openmetrics);

/* Bucket bounds that existing dashboards expect. */
extern const double metrics_buckets_reconcile[40]; /* controller_runtime_reconcile_time_seconds */
extern const double metrics_buckets_request[12];   /* rest_client_request_duration_seconds */
extern const double metrics_buckets_queue[10];     /* workqueue_*_seconds: 1e-8 x 10^k */
extern const double metrics_buckets_wait[40];      /* the same, and finer where a wait begins to matter */

#endif
