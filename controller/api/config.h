/* The operator's configuration file (--config): YAML, optional, read once at start. Strict: an unknown key, a
 * wrong type or a value out of bounds is an error with its line, and the operator does not start. No secrets
 * in it.
 *
 *     apiVersion: ai4k8s.io/v1alpha1
 *     kind: OperatorConfiguration
 *     apiQPS: 100
 *     advisor:
 *       providers:
 *       - {name: local, api: OpenAI, url: "http://127.0.0.1:11434/v1", model: "qwen3:8b"}
 *       - {name: groq, api: Groq, url: "https://api.groq.com/openai/v1", model: "openai/gpt-oss-20b",
 *          keySecret: {name: groq, key: token}}
 *     alertmanagers:
 *     - {url: "https://alertmanager.monitoring:9093", caFile: /etc/ssl/am.pem, tokenFile: /run/secrets/am}
 */
#ifndef API_CONFIG_H
#define API_CONFIG_H

#include "api/decode.h"

#define OPERATOR_CONFIG_KIND "OperatorConfiguration"

#define CONFIG_MAX_PROVIDERS     8
#define CONFIG_MAX_ALERTMANAGERS 8

/* Where a secret is: never the secret. */
struct secret_ref {
    char name[254], key[254]; /* in the operator's own namespace */
};

enum advisor_flavor { ADVISOR_OPENAI, ADVISOR_GROQ, ADVISOR_ANTHROPIC };
enum advisor_structure { ADVISOR_JSON_SCHEMA, ADVISOR_TOOL_CALL, ADVISOR_PLAIN_JSON };

struct advisor_provider_config {
    char name[64]; /* in status, metrics, alerts */
    enum advisor_flavor flavor;
    char url[512];       /* base, without the last path ("https://api.groq.com/openai/v1") */
    char model[128];     /* as the provider calls it */
    bool has_key_secret; /* this, or key_file, or no key */
    struct secret_ref key_secret;
    char key_file[512];
    char ca_file[512];
    int32_t timeout_s;  /* of one attempt */
    int32_t max_tokens; /* of an answer */
    char max_tokens_parameter[32];
    enum advisor_structure structure;
    struct quantity input_price, output_price; /* per million tokens, for the cost metric; 0: not counted */
};

/* Whether it leads to where clouds keep credentials, however the address is written. The loader refuses it. */
bool advisor_url_is_link_local(const char *url);

struct advisor_settings {
    uint32_t n_providers;
    struct advisor_provider_config providers[CONFIG_MAX_PROVIDERS]; /* in the order in which they are asked */
    int32_t max_concurrent_calls, calls_per_minute;
    int32_t daily_call_budget; /* of the whole operator; 0: none */
};

struct alertmanager_config {
    char url[512]; /* with its path prefix; API v2 */
    char ca_file[512];
    char token_file[512]; /* bearer; or basic: */
    char username[128], password_file[512];
};

struct operator_config {
    int32_t checkpoint_interval_s;        /* between two checkpoints of one autoscaler */
    int32_t checkpoint_writes_per_second; /* of the whole process; above it the interval stretches */
    int32_t status_writes_per_second;     /* of the whole process; decisions go first */
    int32_t api_qps, api_burst;           /* requests to the API server, watches and the lease apart */
    /* What kube-controller-manager's --horizontal-pod-autoscaler-cpu-initialization-period and
     * -initial-readiness-delay are for the HPA. */
    int32_t cpu_initialization_s, initial_readiness_s;
    int32_t shrinks_per_minute; /* targets lowered, or a tenth of all where that is more */
    struct advisor_settings advisor;
    uint32_t n_alertmanagers;
    struct alertmanager_config alertmanagers[CONFIG_MAX_ALERTMANAGERS];
    int32_t api_version, kind; /* of the file: one of one */
};

extern const struct schema_object operator_config_schema;

/* `path` NULL: the defaults. 0, or -1 with all problems in one line. */
int operator_config_load(const char *path, struct operator_config *ret, struct error *err);
int operator_config_load_text(const char *name, const char *text, size_t len, struct operator_config *ret,
                              struct error *err);

#endif
