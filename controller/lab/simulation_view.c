/* Showing the outcome in words and numbers; see simulation_view.h. */
#include "lab/simulation_view.h"

#include "base/alloc.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "kube/json.h"
#include "lab/series_file.h"
#include "lab/table.h"

#include <math.h>
#include <stdio.h>

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static double ratio(const struct simulation *s, const struct simulation_run *r)
{
    return s->oracle_pod_hours > 0 ? r->score.pod_hours / s->oracle_pod_hours : (double)NAN;
}

static int64_t tick_us(const struct simulation *s, uint32_t tick)
{
    return s->world.trace->start_us + (int64_t)tick * TRACE_TICK_S * 1000000;
}

/* ---- table ---- */

static void write_head(const struct simulation_view *v, struct buf *out)
{
    const struct simulation *s = v->simulation;
    _cleanup_(freep) char *name = series_file_title(v->file);
    char from[RFC3339_CAP];
    double days = (double)s->own.score.ticks * TRACE_TICK_S / 86400;
    rfc3339_format(from, tick_us(s, s->world.warmup_ticks));
    (void)buf_printf(out, "%s: %.4g days from %s, after %.4g of warm-up\n", name, days, from,
                     s->world.warmup_ticks * (double)TRACE_TICK_S / 86400);
    (void)buf_printf(out, "a pod serves %.4g and starts in %u to %u s, seed %llu%s\n", s->world.pod_capacity,
                     s->world.startup_min_s, s->world.startup_max_s, (unsigned long long)s->world.seed,
                     s->world.unsaturated ? ", the metric never saturates" : "");
    if (v->forecast)
        (void)buf_printf(out, "forecast of %s at %u %% confidence, trusted %.0f %% of the time\n", v->metric,
                         v->confidence_percent, 100 * s->own.trusted);
    else
        (void)buf_printf(out, "%s is not forecast: we are a plain HPA\n", v->metric);
    (void)buf_putc(out, '\n');
}

static void write_run(const struct simulation *s, const char *name, const struct simulation_run *r, struct table *t)
{
    const struct world_score *x = &r->score;
    table_cell(t, "%s", name);
    table_cell(t, "%.4g %%", r->target_percent);
    table_fixed(t, x->under_provisioned_min, 2);
    table_cell(t, "%.4f %%", percent(x->unserved, x->demand));
    table_fixed(t, x->pod_hours, 0);
    table_fixed(t, ratio(s, r), 3);
    table_cell(t, "%llu", (unsigned long long)x->actions);
    table_cell(t, "%.1f %%", percent(x->served, x->ready_capacity));
}

static void write_match(const struct simulation *s, struct table *t)
{
    static const char *const names[] = {"HPA at most (95 %)", "HPA at the same cost", "HPA at least (40 %)"};
    table_cell(t, "%s", names[s->match.outside + 1]);
    table_cell(t, "%.1f %%", s->match.target_percent);
    table_fixed(t, s->match.under_provisioned_min, 2);
    table_cell(t, "%.4f %%", 100 * s->match.unserved_share);
    table_fixed(t, s->own.score.pod_hours, 0);
    table_fixed(t, ratio(s, &s->own), 3);
    table_cell(t, "%s", "");
    table_cell(t, "%s", "");
}

void simulation_view_table(const struct simulation_view *v, struct buf *out)
{
    static const char *const headers[] = {"",          "TARGET",  "SHORT MIN", "UNSERVED",
                                          "POD-HOURS", "xORACLE", "ACTIONS",   "UTILISED"};
    const struct simulation *s = v->simulation;
    struct table *t = table_new("lrrrrrrr", headers);
    write_head(v, out);
    write_run(s, "AI4K8s", &s->own, t);
    if (s->compared) {
        write_run(s, "HPA, same target", &s->hpa, t);
        write_match(s, t);
        for (uint32_t i = 0; i < SIMULATION_TARGETS; i++)
            write_run(s, "HPA", &s->frontier[i], t);
    }
    table_write(t, out);
    table_free(t);
    (void)buf_printf(out, "\noracle that knows the future: %.0f pod-hours\n", s->oracle_pod_hours);
    if (simulation_advisor_name(s->advisor))
        (void)buf_printf(out, "a %s advisor was asked %llu times, and its advice applied at %llu syncs\n",
                         simulation_advisor_name(s->advisor), (unsigned long long)s->own.questions,
                         (unsigned long long)s->own.advised_syncs);
    if (s->advisor == SIMULATION_RECORDED)
        (void)buf_printf(
            out,
            "failures: %llu, answers that contradicted the count of pods then: %llu, times at which nothing "
            "could be asked: %llu\n",
            (unsigned long long)s->own.failures, (unsigned long long)s->own.contradictions,
            (unsigned long long)s->own.skipped);
    if (s->own.limited_ticks)
        (void)buf_printf(out, "maxReplicas held the count down for %.0f min: a larger one would serve more\n",
                         (double)s->own.limited_ticks * TRACE_TICK_S / 60);
}

/* ---- JSON ---- */

static void emit_run(struct json_emit *j, const char *key, const struct simulation *s, const struct simulation_run *r,
                     bool own)
{
    const struct world_score *x = &r->score;
    json_open(j, key, '{');
    json_emit_double(j, "targetPercent", r->target_percent);
    json_emit_double(j, "underProvisionedMinutes", x->under_provisioned_min);
    json_emit_double(j, "unservedPercent", percent(x->unserved, x->demand));
    json_emit_double(j, "podHours", x->pod_hours);
    if (s->oracle_pod_hours > 0)
        json_emit_double(j, "oracleRatio", ratio(s, r));
    else
        json_emit_raw(j, "oracleRatio", "null", 4);
    json_emit_int(j, "scaleActions", (int64_t)x->actions);
    json_emit_double(j, "utilizationPercent", percent(x->served, x->ready_capacity));
    if (own)
        json_emit_double(j, "trustedPercent", 100 * r->trusted);
    json_close(j, '}');
}

static void emit_world(struct json_emit *j, const struct simulation_view *v)
{
    const struct simulation *s = v->simulation;
    _cleanup_(freep) char *name = series_file_title(v->file);
    char from[RFC3339_CAP], to[RFC3339_CAP];
    rfc3339_format(from, tick_us(s, s->world.warmup_ticks));
    rfc3339_format(to, tick_us(s, s->world.trace->n));
    json_emit_str(j, "trace", name);
    json_emit_str(j, "from", from);
    json_emit_str(j, "to", to);
    json_emit_int(j, "warmupSeconds", (int64_t)s->world.warmup_ticks * TRACE_TICK_S);
    json_emit_double(j, "podCapacity", s->world.pod_capacity);
    json_open(j, "startupSeconds", '[');
    json_emit_int(j, NULL, s->world.startup_min_s);
    json_emit_int(j, NULL, s->world.startup_max_s);
    json_close(j, ']');
    json_emit_int(j, "seed", (int64_t)s->world.seed);
    json_emit_bool(j, "unsaturated", s->world.unsaturated);
    json_emit_str(j, "metric", v->metric);
    json_open(j, "oracle", '{');
    json_emit_double(j, "podHours", s->oracle_pod_hours);
    json_close(j, '}');
}

void simulation_view_json(const struct simulation_view *v, struct buf *out)
{
    const struct simulation *s = v->simulation;
    struct json_emit j = json_emit(out);
    json_open(&j, NULL, '{');
    emit_world(&j, v);
    emit_run(&j, "ai4k8s", s, &s->own, true);
    if (simulation_advisor_name(s->advisor)) {
        json_open(&j, "advisor", '{');
        json_emit_str(&j, "name", simulation_advisor_name(s->advisor));
        json_emit_int(&j, "questions", (int64_t)s->own.questions);
        json_emit_int(&j, "appliedSyncs", (int64_t)s->own.advised_syncs);
        if (s->advisor == SIMULATION_RECORDED) {
            json_emit_int(&j, "failures", (int64_t)s->own.failures);
            json_emit_int(&j, "contradictions", (int64_t)s->own.contradictions);
            json_emit_int(&j, "skipped", (int64_t)s->own.skipped);
        }
        json_close(&j, '}');
    }
    if (s->compared) {
        emit_run(&j, "hpa", s, &s->hpa, false);
        json_open(&j, "frontier", '[');
        for (uint32_t i = 0; i < SIMULATION_TARGETS; i++)
            emit_run(&j, NULL, s, &s->frontier[i], false);
        json_close(&j, ']');
        json_open(&j, "hpaAtSameCost", '{');
        json_emit_double(&j, "targetPercent", s->match.target_percent);
        json_emit_double(&j, "underProvisionedMinutes", s->match.under_provisioned_min);
        json_emit_double(&j, "unservedPercent", 100 * s->match.unserved_share);
        json_emit_int(&j, "outside", s->match.outside);
        json_close(&j, '}');
    }
    json_close(&j, '}');
    (void)buf_putc(out, '\n');
}
