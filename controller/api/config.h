/* The operator's configuration file (--config): YAML, optional, read once at start. Strict: an unknown key, a
 * wrong type or a value out of bounds is an error with its line, and the operator does not start. No secrets
 * in it.
 *
 *     apiVersion: ai4k8s.io/v1alpha1
 *     kind: OperatorConfiguration
 *     apiQPS: 100
 */
#ifndef API_CONFIG_H
#define API_CONFIG_H

#include "api/decode.h"

#define OPERATOR_CONFIG_KIND "OperatorConfiguration"

struct operator_config {
    int32_t checkpoint_interval_s;        /* between two checkpoints of one autoscaler */
    int32_t checkpoint_writes_per_second; /* of the whole process; above it the interval stretches */
    int32_t status_writes_per_second;     /* of the whole process; decisions go first */
    int32_t api_qps, api_burst;           /* requests to the API server, watches and the lease apart */
    /* What kube-controller-manager's --horizontal-pod-autoscaler-cpu-initialization-period and
     * -initial-readiness-delay are for the HPA. */
    int32_t cpu_initialization_s, initial_readiness_s;
    int32_t shrinks_per_minute; /* targets lowered, or a tenth of all where that is more */
    int32_t api_version, kind; /* of the file: one of one */
};

extern const struct schema_object operator_config_schema;

/* `path` NULL: the defaults. 0, or -1 with all problems in one line. */
int operator_config_load(const char *path, struct operator_config *ret, struct error *err);
int operator_config_load_text(const char *name, const char *text, size_t len, struct operator_config *ret,
                              struct error *err);

#endif
