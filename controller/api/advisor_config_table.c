/* The tables of the operator's configuration for the LLM advisor and for Alertmanager: which, in which order, where
 * their secrets are. */
#include "api/config.h"
#include "api/config_tables.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/http.h"
#include "base/str.h"

/* ---- URLs ---- */

static bool is_url(const char *s)
{
    return (str_starts(s, "https://") && s[8]) || (str_starts(s, "http://") && s[7]);
}
static const struct schema_format url_format = {
    .pattern = "^https?://.+$", .matches = is_url, .hint = "a URL such as https://api.example.com/v1", .hides = true};

static bool url_is_sound(const char *url)
{
    bool safe;
    return http_url_check(url, &safe, NULL) == 0;
}

static void say_url(const char *url, const char *instead, char *out, size_t cap)
{
    bool safe;
    struct error err = ERROR_INIT;
    if (http_url_check(url, &safe, &err) < 0)
        (void)snprintf(out, cap, "%s%s", error_text(&err), strchr(url, '@') ? instead : "");
}

/* What is no URL has been told as such. */
static bool url_keeps_secrets(const char *url)
{
    bool safe;
    return http_url_check(url, &safe, NULL) < 0 || safe;
}

/* Without brackets and the dot at its end; the user name and the path are refused elsewhere. */
static void host_of(const char *url, char *out, size_t cap)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    bool bracket = *host == '[';
    (void)snprintf(out, cap, "%.*s", (int)strcspn(host + bracket, bracket ? "]" : ":/"), host + bracket);
    size_t len = strlen(out);
    if (len > 0 && out[len - 1] == '.')
        out[len - 1] = '\0';
}

bool advisor_url_is_link_local(const char *url)
{
    static const uint8_t amazon[] = {0xfd, 0x00, 0x0e, 0xc2};
    char host[256];
    host_of(url, host, sizeof host);
    struct in6_addr v6;
    struct in_addr v4;
    if (inet_pton(AF_INET6, host, &v6) == 1) {
        if (IN6_IS_ADDR_V4MAPPED(&v6))
            return v6.s6_addr[12] == 169 && v6.s6_addr[13] == 254;
        return IN6_IS_ADDR_LINKLOCAL(&v6) || memcmp(v6.s6_addr, amazon, sizeof amazon) == 0;
    }
    if (inet_aton(host, &v4) == 1) /* 0xa9fea9fe is an address too, to libcurl */
        return ntohl(v4.s_addr) >> 16 == 0xa9fe;
    return strcasecmp(host, "metadata.google.internal") == 0 || strcasecmp(host, "metadata") == 0;
}

#define URL_CEL     "isURL(self.url) && !self.url.matches('[@?#]')"
#define URL_MESSAGE "has a scheme, a host, a port, a path, and nothing else"
#define SAFE_CEL                                                                                                       \
    "url(self.url).getScheme() == 'https' || url(self.url).getHostname() in ['localhost', '127.0.0.1', '::1']"
#define SAFE_MESSAGE(what)                                                                                             \
    "must be https:// for its " what " not to go unencrypted; http:// is for this machine alone "                      \
    "(127.0.0.1, [::1], localhost)"

/* ---- paths ---- */

static bool is_path(const char *s)
{
    return s[0] == '/';
}
static const struct schema_format path_format = {
    .pattern = "^/.*$", .matches = is_path, .hint = "an absolute path of a file"};

static const struct schema_quantity_bounds price = {.min = "0", .max = "1M"};

/* ---- a secret's place ---- */

static const struct schema_field secret_fields[] = {
    {.name = "name",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 253,
     .format = &schema_dns_subdomain,
     .doc = "Name of the Secret, in the operator's own namespace.",
     AT(secret_ref, name)},
    {.name = "key",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 253,
     .doc = "Key in it.",
     AT(secret_ref, key)},
};
static const struct schema_object secret_ref = SCHEMA_OBJECT_OF(secret_fields);

/* ---- providers ---- */

static const char *const apis[] = {"OpenAI", "Groq", "Anthropic", NULL};
static const char *const structures[] = {"JSONSchema", "ToolCall", "PlainJSON", NULL};
static const struct schema_field provider_fields[] = {
    {.name = "name",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 63,
     .format = &schema_dns_label,
     .doc = "Name of the provider in status, metrics and alerts.",
     AT(advisor_provider_config, name)},
    {.name = "api",
     .type = SCHEMA_ENUM,
     .required = true,
     .values = apis,
     .doc = "The wire form: OpenAI (chat completions; also llama.cpp, Ollama, vLLM), Groq, or Anthropic (messages).",
     AT(advisor_provider_config, flavor)},
    {.name = "url",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 8,
     .max = 511,
     .format = &url_format,
     .doc =
         "Base URL, such as https://api.groq.com/openai/v1 or https://api.anthropic.com/v1. A key is sent over https "
         "or to the machine itself only.",
     AT(advisor_provider_config, url)},
    {.name = "model",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 1,
     .max = 127,
     .doc = "The model, as the provider calls it.",
     AT(advisor_provider_config, model)},
    {.name = "keySecret",
     .type = SCHEMA_OBJECT,
     .object = &secret_ref,
     .doc = "The Secret that holds the API key. Read again when it changes.",
     OPT(advisor_provider_config, key_secret)},
    {.name = "keyFile",
     .type = SCHEMA_STRING,
     .min = 1,
     .max = 511,
     .format = &path_format,
     .doc = "A file that holds the API key, instead of a Secret. Read again every minute.",
     AT(advisor_provider_config, key_file)},
    {.name = "caFile",
     .type = SCHEMA_STRING,
     .min = 1,
     .max = 511,
     .format = &path_format,
     .doc = "PEM file with the authorities to trust. Default: the system's.",
     AT(advisor_provider_config, ca_file)},
    {.name = "timeoutSeconds",
     .type = SCHEMA_INT32,
     .fallback = "60",
     .min = 1,
     .max = 240,
     .doc = "Deadline of one attempt, in seconds.",
     AT(advisor_provider_config, timeout_s)},
    {.name = "maxTokens",
     .type = SCHEMA_INT32,
     .fallback = "600",
     .min = 64,
     .max = 8192,
     .doc = "Cap of an answer, in tokens. A model that reasons first needs more.",
     AT(advisor_provider_config, max_tokens)},
    {.name = "maxTokensParameter",
     .type = SCHEMA_STRING,
     .fallback = "\"max_tokens\"",
     .min = 1,
     .max = 31,
     .doc =
         "Name of that cap in the request: max_tokens (Ollama, llama.cpp, Anthropic) or max_completion_tokens (OpenAI, "
         "Groq).",
     AT(advisor_provider_config, max_tokens_parameter)},
    {.name = "structuredOutput",
     .type = SCHEMA_ENUM,
     .fallback = "\"JSONSchema\"",
     .values = structures,
     .doc =
         "How the model is held to the answer's form: JSONSchema where the provider has it, ToolCall, or PlainJSON (by "
         "the instruction alone). It is checked here in every case.",
     AT(advisor_provider_config, structure)},
    {.name = "inputPricePerMillionTokens",
     .type = SCHEMA_QUANTITY,
     .fallback = "0",
     .bounds = &price,
     .doc = "For the metric ai4k8s_advisor_cost_total.",
     AT(advisor_provider_config, input_price)},
    {.name = "outputPricePerMillionTokens",
     .type = SCHEMA_QUANTITY,
     .fallback = "0",
     .bounds = &price,
     .doc = "Likewise.",
     AT(advisor_provider_config, output_price)},
};

static bool provider_one_key(const void *self)
{
    const struct advisor_provider_config *p = self;
    return !(p->has_key_secret && p->key_file[0]);
}

static bool provider_url_is_sound(const void *self)
{
    const struct advisor_provider_config *p = self;
    return url_is_sound(p->url);
}

static void provider_url_say(const void *self, char *out, size_t cap)
{
    const struct advisor_provider_config *p = self;
    say_url(p->url, "; a key belongs into keySecret or keyFile", out, cap);
}

static bool provider_url_is_public(const void *self)
{
    const struct advisor_provider_config *p = self;
    return !advisor_url_is_link_local(p->url);
}

static bool provider_key_is_safe(const void *self)
{
    const struct advisor_provider_config *p = self;
    return (!p->has_key_secret && !p->key_file[0]) || url_keeps_secrets(p->url);
}

static const struct schema_rule provider_rules[] = {
    {.cel = URL_CEL, .message = URL_MESSAGE, .path = ".url", .holds = provider_url_is_sound, .say = provider_url_say},
    {.cel = "!self.url.matches('://(169[.]254[.]|[[]fe80:|[[]fd00:ec2:|metadata[.]google[.]internal)')",
     .message = "is not link-local: clouds keep credentials there",
     .path = ".url",
     .holds = provider_url_is_public},
    {.cel = "!(has(self.keySecret) || has(self.keyFile)) || " SAFE_CEL,
     .message = SAFE_MESSAGE("key"),
     .path = ".url",
     .holds = provider_key_is_safe},
    {.cel = "!(has(self.keySecret) && has(self.keyFile))",
     .message = "and keySecret exclude each other",
     .path = ".keyFile",
     .holds = provider_one_key},
};
static const struct schema_object provider = SCHEMA_OBJECT_RULED(provider_fields, provider_rules);

/* ---- advisor ---- */

static const struct schema_field provider_item = {.type = SCHEMA_OBJECT, .object = &provider, .doc = "One provider."};
static const struct schema_field advisor_fields[] = {
    {.name = "providers",
     .type = SCHEMA_LIST,
     .item = &provider_item,
     .list = SCHEMA_MAP,
     .key = "name",
     .max = CONFIG_MAX_PROVIDERS,
     .doc = "Whom to ask, in this order: the next one is asked when one fails.",
     LIST(advisor_settings, providers)},
    {.name = "maxConcurrentCalls",
     .type = SCHEMA_INT32,
     .fallback = "4",
     .min = 1,
     .max = 64,
     .doc = "Calls that may be under way at once, in the whole operator.",
     AT(advisor_settings, max_concurrent_calls)},
    {.name = "callsPerMinute",
     .type = SCHEMA_INT32,
     .fallback = "30",
     .min = 1,
     .max = 6000,
     .doc = "Calls per minute, in the whole operator.",
     AT(advisor_settings, calls_per_minute)},
    {.name = "dailyCallBudget",
     .type = SCHEMA_INT32,
     .fallback = "0",
     .max = 1000000,
     .doc = "Calls that are charged per day (UTC), in the whole operator; 0 is no limit but those of the autoscalers. "
            "A call "
            "that failed by the system's fault is not charged.",
     AT(advisor_settings, daily_call_budget)},
};
const struct schema_object config_advisor_schema = SCHEMA_OBJECT_OF(advisor_fields);

/* ---- Alertmanager ---- */

static const struct schema_field alertmanager_fields[] = {
    {.name = "url",
     .type = SCHEMA_STRING,
     .required = true,
     .min = 8,
     .max = 511,
     .format = &url_format,
     .doc = "URL with its path prefix, such as https://alertmanager.monitoring:9093. Name every one of a cluster of "
            "Alertmanagers, not a load balancer in front.",
     AT(alertmanager_config, url)},
    {.name = "caFile",
     .type = SCHEMA_STRING,
     .min = 1,
     .max = 511,
     .format = &path_format,
     .doc = "PEM file with the authorities to trust. Default: the system's.",
     AT(alertmanager_config, ca_file)},
    {.name = "tokenFile",
     .type = SCHEMA_STRING,
     .min = 1,
     .max = 511,
     .format = &path_format,
     .doc = "A file with a bearer token.",
     AT(alertmanager_config, token_file)},
    {.name = "username",
     .type = SCHEMA_STRING,
     .min = 1,
     .max = 127,
     .doc = "For basic authentication, with passwordFile.",
     AT(alertmanager_config, username)},
    {.name = "passwordFile",
     .type = SCHEMA_STRING,
     .min = 1,
     .max = 511,
     .format = &path_format,
     .doc = "A file with the password of username.",
     AT(alertmanager_config, password_file)},
};

static bool one_authentication(const void *self)
{
    const struct alertmanager_config *a = self;
    return !(a->token_file[0] && a->username[0]);
}

static bool both_of_basic(const void *self)
{
    const struct alertmanager_config *a = self;
    return !a->username[0] == !a->password_file[0];
}

static bool alertmanager_url_is_sound(const void *self)
{
    const struct alertmanager_config *a = self;
    return url_is_sound(a->url);
}

static void alertmanager_url_say(const void *self, char *out, size_t cap)
{
    const struct alertmanager_config *a = self;
    say_url(a->url, "; credentials belong into username and passwordFile, or tokenFile", out, cap);
}

static bool alertmanager_credential_is_safe(const void *self)
{
    const struct alertmanager_config *a = self;
    return (!a->token_file[0] && !a->username[0]) || url_keeps_secrets(a->url);
}

static const struct schema_rule alertmanager_rules[] = {
    {.cel = URL_CEL,
     .message = URL_MESSAGE,
     .path = ".url",
     .holds = alertmanager_url_is_sound,
     .say = alertmanager_url_say},
    {.cel = "!(has(self.tokenFile) || has(self.username)) || " SAFE_CEL,
     .message = SAFE_MESSAGE("credential"),
     .path = ".url",
     .holds = alertmanager_credential_is_safe},
    {.cel = "!(has(self.tokenFile) && has(self.username))",
     .message = "and username exclude each other",
     .path = ".tokenFile",
     .holds = one_authentication},
    {.cel = "has(self.username) == has(self.passwordFile)",
     .message = "is required with username, and only then",
     .path = ".passwordFile",
     .holds = both_of_basic},
};
const struct schema_object config_alertmanager_schema = SCHEMA_OBJECT_RULED(alertmanager_fields, alertmanager_rules);
