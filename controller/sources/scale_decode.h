/* What the API says of scale targets: autoscaling/v1 Scale, watched workloads, discovery, managedFields. */
#ifndef SOURCES_SCALE_DECODE_H
#define SOURCES_SCALE_DECODE_H

#include "sources/targets.h"

/* autoscaling/v1 Scale only. spec.replicas absent means 0. */
int scale_decode(const char *json, size_t len, struct target_scale *ret, struct error *err);

/* `kind` is a constant that is kept. Gives an object with one reference. */
struct object *workload_decode(const char *kind, const char *json, size_t len, struct error *err);

/* In an APIResourceList: the plural of `kind`, and whether it has a /scale of autoscaling/v1. 0 found, 1
 * there is no such kind, < 0 not a list. `plural` is freed by the caller. */
int discovery_find_kind(const char *json, size_t len, const char *kind, char **ret_plural, bool *ret_namespaced,
                        bool *ret_scalable, struct error *err);

/* The manager of the latest entry of managedFields that owns spec.replicas, where one without a time (written
 * through /scale) counts as the latest; "" when none does. */
void scale_writer_decode(const char *json, size_t len, char *out, size_t cap);

#endif
