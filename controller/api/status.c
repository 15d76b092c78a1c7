/* Conditions, and the way of a status to and from the API; see status.h. */
#include "api/status.h"

#include "api/decode.h"
#include "api/pa.h"
#include "base/str.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const condition_names[] = {
    [PA_READY] = "Ready",
    [PA_ABLE_TO_SCALE] = "AbleToScale",
    [PA_SCALING_ACTIVE] = "ScalingActive",
    [PA_SCALING_LIMITED] = "ScalingLimited",
    [PA_FORECAST_READY] = "ForecastReady",
    [PA_FORECAST_TRUSTED] = "ForecastTrusted",
    [PA_FALLBACK_ACTIVE] = "FallbackActive",
    [PA_ANOMALY_DETECTED] = "AnomalyDetected",
    [PA_ADVISOR_AVAILABLE] = "AdvisorAvailable",
    [PA_CONFLICT] = "Conflict",
    [PA_PAUSED] = "Paused",
    [PA_CONFIG_VALID] = "ConfigValid",
};
STATIC_ASSERT(ARRAY_SIZE(condition_names) == PA_N_CONDITION_TYPES);
STATIC_ASSERT((int)PA_N_CONDITION_TYPES <= PA_STATUS_CONDITIONS);

const char *pa_condition_name(enum pa_condition_type type)
{
    return type < PA_N_CONDITION_TYPES ? condition_names[type] : "?";
}

void pa_advice_id_format(uint64_t id, char out[17])
{
    (void)snprintf(out, 17, "%016llx", (unsigned long long)id);
}

bool pa_advice_id_parse(const char *text, uint64_t *ret)
{
    static const char digits[] = "0123456789abcdef";
    *ret = 0;
    if (strlen(text) != 16 || strspn(text, digits) != 16)
        return false;
    for (const char *c = text; *c; c++)
        *ret = *ret << 4 | (uint64_t)(strchr(digits, *c) - digits);
    return *ret != 0;
}

struct quantity pa_status_quantity(double value)
{
    return quantity_of_double(isfinite(value) ? value : 0, 3);
}

static struct pa_condition *find(struct pa_status *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_conditions; i++)
        if (streq(s->conditions[i].type, name))
            return &s->conditions[i];
    return NULL;
}

void pa_condition_set(struct pa_status *s, enum pa_condition_type type, enum condition_status status,
                      const char *reason, const char *fmt, ...)
{
    assert(type < PA_N_CONDITION_TYPES && schema_reason.matches(reason));
    struct pa_condition *c = find(s, condition_names[type]);
    if (!c) {
        assert(s->n_conditions < PA_STATUS_CONDITIONS);
        c = &s->conditions[s->n_conditions++];
    }
    *c = (struct pa_condition){.status = status, .observed_generation = s->observed_generation};
    (void)str_copy(c->type, sizeof c->type, condition_names[type]);
    bool whole = str_copy(c->reason, sizeof c->reason, reason);
    assert(whole);
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    _cleanup_(buf_done) struct buf clean = BUF_INIT(4 * sizeof text);
    str_sanitize(&clean, text, strlen(text), sizeof text);
    if (!str_copy(c->message, sizeof c->message, buf_str(&clean))) {
        (void)str_copy(c->message, sizeof c->message - 3, buf_str(&clean));
        memcpy(c->message + strlen(c->message), "...", 4);
    }
}

const struct pa_condition *pa_condition_get(const struct pa_status *s, enum pa_condition_type type)
{
    for (uint32_t i = 0; i < s->n_conditions; i++)
        if (streq(s->conditions[i].type, pa_condition_name(type)))
            return &s->conditions[i];
    return NULL;
}

void pa_conditions_seed(struct pa_condition_times *times, const struct pa_status *stored)
{
    *times = (struct pa_condition_times){0};
    for (int type = 0; type < PA_N_CONDITION_TYPES; type++) {
        const struct pa_condition *c = pa_condition_get(stored, (enum pa_condition_type)type);
        if (!c)
            continue;
        times->status[type] = (uint8_t)(c->status + 1);
        times->us[type] = c->transition_us;
    }
}

void pa_conditions_stamp(struct pa_condition_times *times, struct pa_status *s, int64_t now_us)
{
    for (int type = 0; type < PA_N_CONDITION_TYPES; type++) {
        struct pa_condition *c = find(s, condition_names[type]);
        if (!c)
            continue;
        if (times->status[type] != c->status + 1) {
            times->status[type] = (uint8_t)(c->status + 1);
            times->us[type] = now_us;
        }
        c->transition_us = times->us[type];
    }
}

void pa_status_apply_body(const struct pa_status *s, const char *namespace_, const char *name, struct buf *out)
{
    struct json_emit j = json_emit(out);
    json_open(&j, NULL, '{');
    json_emit_str(&j, "apiVersion", PA_API_VERSION);
    json_emit_str(&j, "kind", PA_KIND);
    json_open(&j, "metadata", '{');
    json_emit_str(&j, "name", name);
    json_emit_str(&j, "namespace", namespace_);
    json_close(&j, '}');
    api_encode(&pa_status_schema, s, &j, "status");
    json_close(&j, '}');
}

void pa_status_decode(const json_t *object, struct pa_status *ret)
{
    struct api_problems ignored = {0};
    (void)api_decode(&pa_status_schema, json_object_get(object, "status"), "status", 0, ret, sizeof *ret, NULL,
                     &ignored);
}

struct schema_digest pa_status_digest(const struct pa_status *s)
{
    return api_digest(&pa_status_schema, s);
}

enum pa_status_change pa_digest_compare(const struct schema_digest *was, const struct schema_digest *now)
{
    if (was->loud != now->loud)
        return PA_STATUS_TRANSITION;
    if (was->prompt != now->prompt)
        return PA_STATUS_REASON;
    return was->drift != now->drift ? PA_STATUS_DRIFT : PA_STATUS_SAME;
}
