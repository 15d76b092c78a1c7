/* A PodMetrics item of metrics.k8s.io to numbers. */
#ifndef SOURCES_USAGE_DECODE_H
#define SOURCES_USAGE_DECODE_H

#include "base/error.h"
#include "sources/pod_metrics.h"

struct usage_item {
    char namespace_[254], pod[254];
    struct pod_usage usage;
};

/* 0: a sample, whose containers the caller frees; 1: an item without one (a container lacks a value: the pod counts as
 * missing); < 0: no PodMetrics. */
int usage_decode(const char *json, size_t len, struct usage_item *ret, struct error *err);

/* metav1.Duration as text ("15.046s", "1m0s", "250ms"); false: not one, negative, or above a day. */
bool usage_parse_duration(const char *text, int64_t *ret_us);

#endif
