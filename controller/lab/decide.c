/* Lines in, decisions out; see decide.h. */
#include "lab/decide.h"

#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "core/explain.h"
#include "lab/pods.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_TOTAL 9e15 /* in thousandths still a 64-bit integer */

struct decide {
    struct core_spec spec;
    struct core_state *state;
    struct lab_pods pods;
    struct pod_request request;
    int resource[CORE_MAX_METRICS]; /* enum pa_resource_name, -1: the metric is of none */
    int64_t last_us;                /* of the last line that was understood */
    bool any, decided;              /* such a line; one that was no warm-up */
};

/* A line that has been checked. */
struct line {
    int64_t time_us;
    bool warmup, counted; /* `counted`: replicas were given */
    int64_t replicas, ready;
    enum sample_kind kind[CORE_MAX_METRICS];
    double total[CORE_MAX_METRICS];
    struct pod_request request;
};

static int resource_of(const struct pa_metric *m)
{
    return m->has_resource || m->has_container_resource ? (int)pa_metric_resource(m) : -1;
}

struct decide *decide_new(const struct pa *pa, const struct core_spec *spec, const struct pod_request *request)
{
    struct decide *d = xcalloc(1, sizeof *d);
    d->spec = *spec;
    for (uint32_t i = 0; i < pa->spec.n_metrics; i++)
        d->resource[i] = resource_of(&pa->spec.metrics[i]);
    d->state = core_state_new(&d->spec);
    d->request = *request;
    return d;
}

struct decide *decide_free(struct decide *d)
{
    if (!d)
        return NULL;
    core_state_free(d->state);
    lab_pods_done(&d->pods);
    free(d);
    return NULL;
}

/* ---- reading ---- */

static int metric_index(const struct decide *d, const char *name)
{
    for (uint32_t i = 0; i < d->spec.n_metrics; i++)
        if (streq(d->spec.metrics[i].name, name))
            return (int)i;
    return -1;
}

static int unknown_name(const char *member, const char *name, struct error *err)
{
    return error_set(err, ERROR_PARSE, "%s: the spec has no metric \"%.64s\"", member, name);
}

static int read_total(const struct decide *d, uint32_t i, const json_t *value, struct line *l, struct error *err)
{
    const char *name = d->spec.metrics[i].name;
    if (json_is_null(value))
        return 0;
    if (!json_is_number(value))
        return error_set(err, ERROR_PARSE, "metrics.%s: want a number, or null where there is no data", name);
    double total = json_number_value(value);
    bool per_pod = d->spec.metrics[i].kind != CORE_METRIC_TOTAL;
    if (!isfinite(total) || fabs(total) > MAX_TOTAL || (per_pod && total < 0))
        return error_set(err, ERROR_PARSE, "metrics.%s: want a number from %s to %g", name, per_pod ? "0" : "-9e+15",
                         MAX_TOTAL);
    l->kind[i] = SAMPLE_VALUE;
    l->total[i] = total;
    return 0;
}

static int read_metrics(const struct decide *d, json_t *metrics, struct line *l, struct error *err)
{
    if (!metrics || json_is_null(metrics))
        return 0;
    if (!json_is_object(metrics))
        return error_set(err, ERROR_PARSE, "metrics: want an object of totals by name");
    const char *name;
    json_t *value;
    json_object_foreach(metrics, name, value)
    {
        int i = metric_index(d, name);
        if (i < 0)
            return unknown_name("metrics", name, err);
        if (read_total(d, (uint32_t)i, value, l, err) < 0)
            return -1;
    }
    return 0;
}

static int read_errors(const struct decide *d, const json_t *errors, struct line *l, struct error *err)
{
    if (!errors || json_is_null(errors))
        return 0;
    if (!json_is_array(errors))
        return error_set(err, ERROR_PARSE, "error: want a list of names of metrics");
    size_t k;
    json_t *name;
    json_array_foreach(errors, k, name)
    {
        if (!json_is_string(name))
            return error_set(err, ERROR_PARSE, "error: want a list of names of metrics");
        int i = metric_index(d, json_string_value(name));
        if (i < 0)
            return unknown_name("error", json_string_value(name), err);
        if (l->kind[i] == SAMPLE_VALUE)
            return error_set(err, ERROR_PARSE, "error: %s has a value too", d->spec.metrics[i].name);
        l->kind[i] = SAMPLE_ERROR;
    }
    return 0;
}

static int read_request(json_t *request, struct line *l, struct error *err)
{
    if (!request || json_is_null(request))
        return 0;
    if (!json_is_object(request))
        return error_set(err, ERROR_PARSE, "podRequest: want an object such as {\"cpu\":0.5}");
    const char *name;
    json_t *value;
    json_object_foreach(request, name, value)
    {
        bool cpu = streq(name, "cpu");
        if (!cpu && !streq(name, "memory"))
            return error_set(err, ERROR_PARSE, "podRequest: a pod requests cpu and memory, not \"%.64s\"", name);
        double amount = json_is_number(value) ? json_number_value(value) : 0;
        if (!(amount > 0) || !(amount <= MAX_TOTAL))
            return error_set(err, ERROR_PARSE, "podRequest.%s: want a number above 0", name);
        l->request.milli[cpu ? PA_CPU : PA_MEMORY] = core_milli(amount);
    }
    return 0;
}

static int read_counts(const json_t *root, struct line *l, struct error *err)
{
    int has_replicas = json_want_int(root, "replicas", 0, DECIDE_MAX_REPLICAS, &l->replicas, err);
    int has_ready =
        has_replicas < 0 ? -1 : json_want_int(root, "readyReplicas", 0, DECIDE_MAX_REPLICAS, &l->ready, err);
    if (has_replicas < 0 || has_ready < 0)
        return -1;
    l->counted = has_replicas == 0 && has_ready == 0;
    if (l->warmup && has_replicas == 1 && has_ready == 1)
        return 0;
    if (!l->counted)
        return error_set(err, ERROR_PARSE, "%s is missing", has_replicas ? "replicas" : "readyReplicas");
    if (l->ready > l->replicas)
        return error_set(err, ERROR_PARSE, "readyReplicas: %lld of %lld replicas can't be ready", (long long)l->ready,
                         (long long)l->replicas);
    return 0;
}

static int read_time(const struct decide *d, const json_t *root, struct line *l, struct error *err)
{
    const char *text = NULL;
    int result = json_want_str(root, "time", &text, err);
    if (result < 0)
        return -1;
    if (result > 0)
        return error_set(err, ERROR_PARSE, "time is missing");
    if (!rfc3339_parse(text, &l->time_us))
        return error_set(err, ERROR_PARSE, "time: want RFC 3339, such as 2024-05-01T00:00:00Z");
    if (d->any && l->time_us <= d->last_us)
        return error_set(err, ERROR_PARSE, "time: must be later than that of the line before");
    return 0;
}

static int check_members(json_t *root, struct error *err)
{
    static const char *const known[] = {"time",  "replicas", "readyReplicas", "metrics",
                                        "error", "warmup",   "podRequest"};
    const char *name;
    json_t *value;
    if (!json_is_object(root))
        return error_set(err, ERROR_PARSE, "want one JSON object");
    json_object_foreach(root, name, value)
    {
        bool found = false;
        for (size_t i = 0; i < ARRAY_SIZE(known) && !found; i++)
            found = streq(name, known[i]);
        if (!found)
            return error_set(err, ERROR_PARSE, "there is no member \"%.64s\"", name);
    }
    return 0;
}

static int read_line(const struct decide *d, const char *text, size_t len, struct line *ret, struct error *err)
{
    _json_cleanup_ json_t *root = json_parse(text, len, err);
    *ret = (struct line){.request = d->request};
    for (uint32_t i = 0; i < d->spec.n_metrics; i++)
        ret->kind[i] = SAMPLE_NO_DATA;
    if (!root || check_members(root, err) < 0 || json_want_bool(root, "warmup", &ret->warmup, err) < 0 ||
        read_time(d, root, ret, err) < 0 || read_counts(root, ret, err) < 0 ||
        read_metrics(d, json_object_get(root, "metrics"), ret, err) < 0 ||
        read_errors(d, json_object_get(root, "error"), ret, err) < 0 ||
        read_request(json_object_get(root, "podRequest"), ret, err) < 0)
        return -1;
    return 0;
}

/* ---- deciding ---- */

static int check_requests(const struct decide *d, const struct line *l, struct error *err)
{
    for (uint32_t i = 0; i < d->spec.n_metrics; i++) {
        const struct core_metric_spec *m = &d->spec.metrics[i];
        if (m->target_type != CORE_TARGET_UTILIZATION || d->resource[i] < 0 || l->request.milli[d->resource[i]] >= 0)
            continue;
        const char *resource = d->resource[i] == PA_CPU ? "cpu" : "memory";
        return error_set(err, ERROR_CONFIG,
                         "%s has a Utilization target, a share of what a pod requests: say how much that is, with "
                         "--pod-request %s=%s or \"podRequest\" in the first line",
                         m->name, resource, d->resource[i] == PA_CPU ? "500m" : "512Mi");
    }
    return 0;
}

static struct core_observation observe(struct decide *d, const struct line *l)
{
    struct lab_metric metrics[CORE_MAX_METRICS];
    for (uint32_t i = 0; i < d->spec.n_metrics; i++) {
        double capacity = d->spec.metrics[i].capacity_per_pod;
        metrics[i] = (struct lab_metric){
            .kind = l->kind[i],
            .total_milli = core_milli(l->total[i]),
            .request_milli = d->resource[i] >= 0 ? l->request.milli[d->resource[i]] : -1,
            .limit_milli = l->counted && capacity > 0 ? core_milli(capacity) : 0,
        };
    }
    int32_t replicas = l->counted ? (int32_t)l->replicas : 1, ready = l->counted ? (int32_t)l->ready : 1;
    struct core_observation o = lab_pods_observe(&d->pods, &d->spec, l->time_us, replicas, ready, metrics);
    o.metric_age_s = DECIDE_METRIC_AGE_S;
    return o;
}

static void proposal(struct json_emit *j, const char *name, int32_t replicas)
{
    if (replicas >= 0)
        json_emit_int(j, name, replicas);
    else
        json_emit_raw(j, name, "null", 4);
}

static void answer(const struct core_plan *plan, struct buf *out)
{
    const char *limits[CORE_N_LIMITS];
    uint32_t n = core_limit_names(plan->limits, limits);
    struct json_emit j = json_emit(out);
    json_open(&j, NULL, '{');
    json_emit_int(&j, "replicas", plan->replicas);
    json_open(&j, "proposals", '{');
    proposal(&j, "reactive", plan->reactive);
    proposal(&j, "predicted", plan->predicted);
    proposal(&j, "scheduled", plan->scheduled);
    proposal(&j, "advisor", -1);
    json_close(&j, '}');
    json_emit_str(&j, "reason", core_reason_name(plan->reason));
    json_open(&j, "limits", '[');
    for (uint32_t i = 0; i < n; i++)
        json_emit_str(&j, NULL, limits[i]);
    json_close(&j, ']');
    json_close(&j, '}');
    (void)buf_putc(out, '\n');
}

static void decide(struct decide *d, const struct line *l, struct buf *out)
{
    struct core_observation seen = observe(d, l);
    d->request = l->request;
    d->last_us = l->time_us;
    d->any = true;
    if (l->warmup) {
        core_observe(&d->spec, d->state, &seen);
        return;
    }
    if (!d->decided)
        core_resume(d->state, &d->spec, l->time_us, (int32_t)l->replicas);
    d->decided = true;
    core_adopt(d->state, (int32_t)l->replicas);
    struct core_plan plan;
    core_step(&d->spec, d->state, &seen, &plan);
    if (plan.replicas != plan.current)
        core_applied(&d->spec, d->state, l->time_us, plan.current, plan.replicas);
    answer(&plan, out);
}

static void refuse(uint64_t number, const char *why, struct buf *out)
{
    char text[360];
    int n = snprintf(text, sizeof text, "line %llu: %s", (unsigned long long)number, why);
    (void)buf_puts(out, "{\"error\":");
    str_json(out, text, (size_t)MIN(n, (int)sizeof text - 1));
    (void)buf_puts(out, "}\n");
}

void decide_refuse_long(uint64_t number, struct buf *out)
{
    char why[80];
    (void)snprintf(why, sizeof why, "longer than %u bytes", DECIDE_LINE_BYTES);
    refuse(number, why, out);
}

int decide_line(struct decide *d, uint64_t number, const char *line, size_t len, struct buf *out, struct error *err)
{
    struct line l;
    struct error why = ERROR_INIT;
    if (read_line(d, line, len, &l, &why) < 0) {
        refuse(number, error_text(&why), out);
        return 0;
    }
    if (check_requests(d, &l, err) < 0)
        return error_wrap(err, "line %llu", (unsigned long long)number);
    decide(d, &l, out);
    return 0;
}
