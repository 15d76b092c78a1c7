/* Prometheus metrics: families with a fixed set of label names, created once; series by label values, created at first
 * use, capped per family. Text exposition format 0.0.4 (and OpenMetrics 1.0 on request).
 *
 * A family is owned by the registry. A series pointer stays valid until metrics_remove() of its labels: hold it where the
 * hot path is. Names and help texts are constants.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/base.h"
#include "base/buf.h"

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics;        /* the registry */
struct metrics_family; /* one name */
struct metrics_series; /* one set of label values */

struct metrics *metrics_new(void);
struct metrics *metrics_free(struct metrics *m);

/* `labels`: names separated by commas ("code,method"), "" for none. `buckets`: upper bounds, ascending, histograms only. */
struct metrics_family *metrics_family(struct metrics *m, enum metrics_type type, const char *name, const char *help,
                                      const char *labels, const double *buckets, size_t n_buckets);
void metrics_limit(struct metrics_family *f, size_t max_series); /* default 1000; above it one shared overflow series */

/* The series for these values, in the order of the names; made when absent. Never NULL. */
struct metrics_series *metrics_get(struct metrics_family *f, ...) __attribute__((sentinel));
/* Removes the series whose label `name` has this value (a deleted object), in all families. */
void metrics_remove(struct metrics *m, const char *name, const char *value);
/* The same for two labels at once (namespace and name). */
void metrics_remove2(struct metrics *m, const char *name1, const char *value1, const char *name2, const char *value2);

void metrics_add(struct metrics_series *s, double delta); /* counters: delta >= 0 */
void metrics_set(struct metrics_series *s, double value); /* gauges */
void metrics_observe(struct metrics_series *s, double value);
double metrics_value(const struct metrics_series *s); /* histograms: the number of observations */

/* Calls `fn` before each exposition (process_* and other sampled values). */
void metrics_on_collect(struct metrics *m, void (*fn)(void *data), void *data);
/* process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds ...: registered and sampled on collect. */
void metrics_process(struct metrics *m);

void metrics_write(struct metrics *m, struct buf *out, bool openmetrics);

/* Bucket bounds that existing dashboards expect. */
extern const double metrics_buckets_reconcile[32]; /* controller_runtime_reconcile_time_seconds */
extern const double metrics_buckets_request[12];   /* rest_client_request_duration_seconds */
extern const double metrics_buckets_queue[10];     /* workqueue_*_seconds: 1e-8 x 10^k */

#endif
