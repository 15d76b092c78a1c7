/* kubeconfig files: merging, and what the chosen context says. Used by config.c alone. */
#ifndef KUBE_KUBECONFIG_H
#define KUBE_KUBECONFIG_H

#include "kube/config.h"

/* Fills `c` (zeroed) from the first `n` files of `paths`, merged left to right. Files that don't exist are
 * skipped when `optional`; 1: none of them exists. What was filled before a failure is freed by
 * kube_config_free(). */
int kubeconfig_read(char *const *paths, size_t n, bool optional, const char *context, struct kube_config *c,
                    struct error *err);

#endif
