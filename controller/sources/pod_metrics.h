/* Usage of pods from metrics.k8s.io, shared by all autoscalers: a namespace (or selector, or the whole
 * cluster: whichever returns the fewest pods by our own store, a request counting as 50 pods) is fetched at
 * most once per `max_interval`, or per shortest period of those that look where that is shorter, whoever
 * asks. Lists are cut into items while they stream; no tree of a whole list exists. */
#ifndef SOURCES_POD_METRICS_H
#define SOURCES_POD_METRICS_H

#include "kube/client.h"
#include "sources/pods.h"

struct container_usage {
    const char *name;
    int64_t cpu_milli, memory_milli; /* thousandths of a core, of a byte: as the HPA counts */
};
struct pod_usage {
    int64_t time_us, window_us; /* Unix; the sample covers [time - window, time] */
    int64_t cpu_milli, memory_milli;
    uint32_t n_containers;
    struct container_usage *containers; /* with their names in one allocation */
};

struct pod_metrics;
struct pod_metrics *pod_metrics_new(struct kube_client *client, struct pods *pods, int64_t max_interval_us,
                                    struct log *log, struct metrics *metrics);
struct pod_metrics *pod_metrics_free(struct pod_metrics *m);

/* Interest of one autoscaler (its key) that looks every `period_us`: what is fetched, and how often, is
 * chosen among all interests. Setting again replaces. */
void pod_metrics_interest(struct pod_metrics *m, const char *key, const char *namespace_, const char *selector,
                          int64_t period_us);
void pod_metrics_forget(struct pod_metrics *m, const char *key);

/* Calls `done` once, on a later turn, when what `key` is interested in is younger than the interval or could
 * not be had: `err` NULL or why not (kept samples stay readable: their own time says how old they are). */
void pod_metrics_refresh(struct pod_metrics *m, const char *key, void (*done)(void *data, const struct error *err),
                         void *data);
/* No `done` of this key comes any more. */
void pod_metrics_cancel(struct pod_metrics *m, const char *key);

/* NULL: no sample of this pod. Borrowed until the next turn. */
const struct pod_usage *pod_metrics_get(const struct pod_metrics *m, const char *namespace_, const char *pod);

#endif
