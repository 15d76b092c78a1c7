/* Lets a test hold the API types of the program against a real API server.
 *
 *   api_check spec < LINES     each line {"new": SPEC} or {"new": SPEC, "old": SPEC} is answered by one line:
 *                              {"ok":true,"spec":DECODED} or
 * {"ok":false,"total":N,"problems":[{"field","message","rule"}]} api_check status NS NAME   the body of a
 * server-side apply of a status that has everything api_check checkpoint PART NS NAME UID   the body of a
 * checkpoint of that autoscaler api_check annotation NS KIND NAME UID CONFIG   the body that annotations ask
 * for
 */
#include "api/annotation.h"
#include "api/encode.h"
#include "api/pa.h"
#include "api/pa_checkpoint.h"
#include "api/status.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ANSWER (1 << 20)

static int print(struct buf *out)
{
    bool ok = !out->failed && printf("%s\n", buf_str(out)) > 0 && fflush(stdout) == 0;
    buf_done(out);
    return ok ? 0 : 1;
}

/* ---- spec ---- */

static void answer_problems(struct json_emit *j, const struct api_problems *problems)
{
    json_emit_int(j, "total", problems->total);
    json_open(j, "problems", '[');
    for (unsigned i = 0; i < problems->n; i++) {
        json_open(j, NULL, '{');
        json_emit_str(j, "field", problems->items[i].path);
        json_emit_str(j, "message", problems->items[i].message);
        json_emit_bool(j, "rule", problems->items[i].rule);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static int check_line(const char *line, size_t len, struct json_emit *j)
{
    struct api_problems problems = {0};
    struct pa_spec spec, old;
    struct error err = ERROR_INIT;
    _json_cleanup_ json_t *root = json_parse(line, len, &err);
    const json_t *before = json_object_get(root, "old");
    if (!root)
        (void)api_problem_add(&problems, "", "%s", error_text(&err));
    else if (before && pa_spec_decode(before, API_STRICT, &old, &problems) < 0)
        return -1; /* the test's fault */
    else
        (void)pa_spec_decode_update(json_object_get(root, "new"), before ? &old : NULL, API_STRICT, &spec, &problems);
    json_emit_bool(j, "ok", problems.total == 0);
    if (problems.total > 0)
        answer_problems(j, &problems);
    else
        api_encode(pa_resource.spec, &spec, j, "spec");
    return 0;
}

static int check_specs(void)
{
    char *line = NULL;
    size_t cap = 0;
    int result = 0;
    for (ssize_t n; result == 0 && (n = getline(&line, &cap, stdin)) > 0;) {
        struct buf out = BUF_INIT(MAX_ANSWER);
        struct json_emit j = json_emit(&out);
        json_open(&j, NULL, '{');
        if (check_line(line, (size_t)n, &j) < 0)
            result = 1;
        json_close(&j, '}');
        result |= print(&out);
    }
    free(line);
    return result;
}

/* ---- status ---- */

#define HOUR_US INT64_C(3600000000)
#define NOW_US  INT64_C(1767225600000000) /* 2026-01-01 */

static struct pa_forecast_point point(int hour, double value)
{
    return (struct pa_forecast_point){.time_us = NOW_US + hour * HOUR_US,
                                      .value = pa_status_quantity(value),
                                      .lower = pa_status_quantity(value * 0.8),
                                      .upper = pa_status_quantity(value * 1.3)};
}

static void fill_decision(struct pa_decision *d)
{
    *d = (struct pa_decision){.time_us = NOW_US, .direction = PA_UP, .raw_replicas = 6, .pods_ready = 4};
    (void)str_copy(d->reason, sizeof d->reason, "ForecastAboveCapacity");
    (void)str_copy(d->metric, sizeof d->metric, "cpu");
    (void)str_copy(d->message, sizeof d->message, "Scaled up 4 -> 6: cpu will need 2.9 cores within 3 min.");
    for (int i = 0; i < PA_STATUS_LIMITS; i++)
        (void)snprintf(d->limits[d->n_limits++], sizeof d->limits[0], "Limit%d", i);
    for (int i = 0; i < PA_STATUS_STAGES; i++) {
        struct pa_stage *s = &d->stages[d->n_stages++];
        s->replicas = i;
        (void)snprintf(s->name, sizeof s->name, "Stage%d", i);
        (void)str_copy(s->note, sizeof s->note, "why \"it\" is so");
    }
}

static void fill_metrics(struct pa_status *s)
{
    static const char *const names[] = {"cpu", "memory"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct pa_metric_status *m = &s->current_metrics[s->n_current_metrics++];
        *m = (struct pa_metric_status){
            .has_proposed_replicas = true, .proposed_replicas = 4, .has_resource = true, .state = PA_NORMAL};
        (void)str_copy(m->name, sizeof m->name, names[i]);
        (void)str_copy(m->type, sizeof m->type, "Resource");
        (void)str_copy(m->resource.name, sizeof m->resource.name, names[i]);
        m->resource.current.has_average_utilization = m->resource.current.has_average_value = true;
        m->resource.current.average_utilization = 71;
        m->resource.current.average_value = pa_status_quantity(i == 0 ? 0.3547 : 268435456);
    }
    struct pa_metric_status *m = &s->current_metrics[s->n_current_metrics++];
    *m = (struct pa_metric_status){.has_container_resource = true, .state = PA_FALLBACK};
    (void)str_copy(m->name, sizeof m->name, "main");
    (void)str_copy(m->type, sizeof m->type, "ContainerResource");
    (void)str_copy(m->container_resource.name, sizeof m->container_resource.name, "cpu");
    (void)str_copy(m->container_resource.container, sizeof m->container_resource.container, "main");
    m->container_resource.current.has_average_utilization = true;
    m->container_resource.current.average_utilization = 55;
}

static void fill_forecast(struct pa_forecast_status *f)
{
    *f = (struct pa_forecast_status){.generated_us = NOW_US,
                                     .expire_us = NOW_US + HOUR_US,
                                     .has_period_s = true,
                                     .has_error_percent = true,
                                     .has_coverage_percent = true,
                                     .has_peak = true,
                                     .period_s = 86400,
                                     .error_percent = 12,
                                     .coverage_percent = 93};
    (void)str_copy(f->model, sizeof f->model, "Seasonal");
    (void)str_copy(f->trend, sizeof f->trend, "Rising");
    f->peak.point = point(5, 12.3456);
    f->peak.replicas = 25;
    for (int i = 0; i < PA_STATUS_POINTS; i++)
        f->hourly[f->n_hourly++] = point(i, 1.5 * i);
}

static int print_status(const char *namespace_, const char *name)
{
    struct pa_status *s = calloc(1, sizeof *s);
    struct pa_condition_times times = {0};
    s->observed_generation = 1;
    (void)str_copy(s->selector, sizeof s->selector, "app=web,tier in (a,b)");
    s->current_replicas = 4;
    s->desired_replicas = 6;
    s->last_scale_us = NOW_US - HOUR_US;
    s->has_replica_proposals = s->has_last_decision = s->has_forecast = true;
    s->replica_proposals = (struct pa_proposals){.has_reactive = true,
                                                 .has_predicted = true,
                                                 .has_scheduled = true,
                                                 .reactive = 4,
                                                 .predicted = 7,
                                                 .scheduled = 5,
                                                 .final = 6};
    fill_decision(&s->last_decision);
    fill_metrics(s);
    fill_forecast(&s->forecast);
    for (int i = 0; i < PA_N_CONDITION_TYPES; i++)
        pa_condition_set(s, (enum pa_condition_type)i, CONDITION_TRUE, "BecauseOfThis", "message with \"quotes\"");
    pa_conditions_stamp(&times, s, NOW_US);
    struct buf out = BUF_INIT(MAX_ANSWER);
    pa_status_apply_body(s, namespace_, name, &out);
    free(s);
    return print(&out);
}

/* ---- checkpoint ---- */

static int print_checkpoint(const char *part, const char *namespace_, const char *name, const char *uid)
{
    struct pa_checkpoint c = {.time_us = NOW_US};
    const struct pa_checkpoint_owner owner = {PA_API_VERSION, PA_KIND, name, uid};
    bool backfill = strcmp(part, "backfill") == 0;
    c.part = backfill ? PA_PART_BACKFILL : strcmp(part, "tail") == 0 ? PA_PART_TAIL : PA_PART_HISTORY;
    (void)str_copy(c.autoscaler.name, sizeof c.autoscaler.name, name);
    if (backfill) {
        static float samples[PA_BACKFILL_MAX_SAMPLES];
        for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
            samples[i] = i % 7 == 0 ? NAN : (float)i;
        c.has_backfill = true;
        c.backfill = (struct pa_backfill){.start_us = NOW_US, .interval_s = 300};
        (void)str_copy(c.backfill.metric, sizeof c.backfill.metric, "cpu");
        pa_backfill_put(&c, samples, ARRAY_SIZE(samples));
    } else {
        (void)str_copy(c.autoscaler.uid, sizeof c.autoscaler.uid, uid);
        c.has_target = true;
        (void)str_copy(c.target.kind, sizeof c.target.kind, "Deployment");
        (void)str_copy(c.target.name, sizeof c.target.name, "web");
        (void)str_copy(c.target.uid, sizeof c.target.uid, uid);
        buf_init(&c.data, PA_CHECKPOINT_MAX_DATA);
        for (int i = 0; i < PA_CHECKPOINT_MAX_DATA; i++) /* as large as it gets */
            (void)buf_putc(&c.data, (char)(i * 7));
    }
    struct buf out = BUF_INIT(MAX_ANSWER);
    pa_checkpoint_body(&c, namespace_, &owner, &out);
    pa_checkpoint_done(&c);
    return print(&out);
}

/* ---- annotation ---- */

static int print_annotation(char **argv)
{
    const struct annotation_workload w = {.api_version = "apps/v1",
                                          .namespace_ = argv[0],
                                          .kind = argv[1],
                                          .name = argv[2],
                                          .uid = argv[3],
                                          .enabled = "true",
                                          .config = argv[4]};
    struct buf out = BUF_INIT(MAX_ANSWER);
    struct error err = ERROR_INIT;
    if (annotation_render(&w, &out, &err) == 0)
        return print(&out);
    buf_done(&out);
    (void)fprintf(stderr, "%s\n", error_text(&err));
    return 1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (argc == 2 && strcmp(what, "spec") == 0)
        return check_specs();
    if (argc == 4 && strcmp(what, "status") == 0)
        return print_status(argv[2], argv[3]);
    if (argc == 6 && strcmp(what, "checkpoint") == 0)
        return print_checkpoint(argv[2], argv[3], argv[4], argv[5]);
    if (argc == 7 && strcmp(what, "annotation") == 0)
        return print_annotation(argv + 2);
    (void)fprintf(stderr, "usage: api_check spec|status|checkpoint|annotation ...\n");
    return 2;
}
