/* kubectl-ai4k8s status: what autoscalers will do next and why; of one, all that is known. */
#include "autoscalers.h"
#include "command.h"
#include "output.h"

#include "base/rfc3339.h"
#include "base/str.h"
#include "kube/json.h"
#include "lab/plot_text.h"
#include "lab/table.h"

#include <math.h>

static const char doc[] =
    "Shows what autoscalers will do next and why; with NAME also conditions, metrics and the forecast.\v"
    "Examples:\n"
    "  kubectl ai4k8s status -A\n"
    "  kubectl ai4k8s status web -n shop\n"
    "  kubectl ai4k8s status -o json\n\n"
    "JSON: {\"items\":[{\"namespace\",\"name\",\"target\",\"mode\",\"paused\",\"next\",\"why\",\"status\"}]}, where "
    "status is that of the object.\n";

struct asking {
    struct cluster_options cluster;
    const char *name;
    bool everywhere;
};

static const struct argp_option option_table[] = {
    {"all-namespaces", 'A', NULL, 0, "Those of all namespaces", 9},
    {0},
};

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct asking *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->cluster;
        return 0;
    case 'A':
        a->everywhere = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->name)
            argp_error(state, "one NAME or none, but there is \"%s\" too", arg);
        a->name = arg;
        return 0;
    case ARGP_KEY_SUCCESS:
        if (a->name && a->everywhere)
            argp_error(state, "a NAME is in one namespace: -n NS instead of -A");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- all ---- */

static void cell_of(struct table *t, const struct shown *s, void (*write)(const struct shown *s, struct buf *out))
{
    struct buf text = BUF_INIT(4096);
    write(s, &text);
    table_cell(t, "%s", buf_str(&text));
    buf_done(&text);
}

static const char *trusted(const struct shown *s)
{
    const struct pa_condition *c = pa_condition_get(&s->status, PA_FORECAST_TRUSTED);
    return c ? condition_status_name(c->status) : "-";
}

static void write_list(const struct shown_list *list, bool everywhere, struct buf *out)
{
    static const char *const headers[] = {"NAMESPACE", "NAME",    "TARGET", "REPLICAS", "MIN",
                                          "MAX",       "TRUSTED", "NEXT",   "WHY"};
    struct table *t = table_new(everywhere ? "lllrrrlll" : "llrrrlll", headers + !everywhere);
    for (size_t i = 0; i < list->n; i++) {
        const struct shown *s = &list->items[i];
        if (everywhere)
            table_cell(t, "%s", s->meta.namespace_);
        table_cell(t, "%s", s->meta.name);
        cell_of(t, s, autoscaler_target);
        table_cell(t, "%d", s->status.current_replicas);
        table_cell(t, "%d", s->pa.spec.min_replicas);
        table_cell(t, "%d", s->pa.spec.max_replicas);
        table_cell(t, "%s", trusted(s));
        cell_of(t, s, autoscaler_next);
        table_cell(t, "%s", autoscaler_why(s));
    }
    table_write(t, out);
    table_free(t);
}

/* ---- one ---- */

static void write_conditions(const struct pa_status *status, struct buf *out)
{
    static const char *const headers[] = {"CONDITION", "STATUS", "REASON", "MESSAGE"};
    struct table *t = table_new("llll", headers);
    for (uint32_t i = 0; i < status->n_conditions; i++) {
        const struct pa_condition *c = &status->conditions[i];
        table_cell(t, "%s", c->type);
        table_cell(t, "%s", condition_status_name(c->status));
        table_cell(t, "%s", c->reason);
        table_cell(t, "%s", c->message);
    }
    (void)buf_putc(out, '\n');
    table_write(t, out);
    table_free(t);
}

static void write_points(const struct pa_forecast_status *f, unsigned width, struct buf *out)
{
    double whole = 0;
    char value[16], lower[16], upper[16], time[RFC3339_CAP];
    for (uint32_t i = 0; i < f->n_hourly; i++)
        whole = fmax(whole, quantity_double(f->hourly[i].upper));
    for (uint32_t i = 0; i < f->n_hourly; i++) {
        const struct pa_forecast_point *p = &f->hourly[i];
        rfc3339_format(time, p->time_us);
        plot_value_label(value, quantity_double(p->value), 0);
        plot_value_label(lower, quantity_double(p->lower), 0);
        plot_value_label(upper, quantity_double(p->upper), 0);
        (void)buf_printf(out, "  %.5s  ", time + 11);
        plot_text_range_bar(quantity_double(p->lower), quantity_double(p->value), quantity_double(p->upper), whole,
                            MIN(width / 2, 60u), out);
        (void)buf_printf(out, "  %s (%s to %s)\n", value, lower, upper);
    }
}

static void write_forecast(const struct pa_status *status, struct buf *out)
{
    const struct pa_forecast_status *f = &status->forecast;
    if (!status->has_forecast)
        return;
    (void)buf_printf(out, "\nForecast (UTC): model %s, trend %s", f->model, f->trend);
    if (f->has_period_s)
        (void)buf_printf(out, ", season %d s", f->period_s);
    if (f->has_error_percent)
        (void)buf_printf(out, ", error %d %%", f->error_percent);
    if (f->has_coverage_percent)
        (void)buf_printf(out, ", coverage %d %%", f->coverage_percent);
    (void)buf_putc(out, '\n');
    write_points(f, output_width(), out);
    if (f->n_hourly > 0)
        (void)buf_puts(out, "         █ to the lower end, ▓ to the expected, ░ to the upper end of the interval\n");
}

static void write_one(const struct shown *s, struct buf *out)
{
    const struct pa_status *status = &s->status;
    (void)buf_printf(out, "%s/%s scales ", s->meta.namespace_, s->meta.name);
    autoscaler_target(s, out);
    (void)buf_printf(out, ", mode %s%s\n", s->readable ? pa_mode_name(s->pa.spec.mode) : "-",
                     s->pa.paused ? ", paused" : "");
    if (s->has_status)
        (void)buf_printf(out, "Replicas  %d now, %d wanted, %d to %d allowed\n", status->current_replicas,
                         status->desired_replicas, s->pa.spec.min_replicas, s->pa.spec.max_replicas);
    (void)buf_puts(out, "Next      ");
    autoscaler_next(s, out);
    (void)buf_printf(out, "\nWhy       %s\n", autoscaler_why(s));
    write_forecast(status, out);
    if (status->n_conditions > 0)
        write_conditions(status, out);
}

/* ---- JSON ---- */

static void member(struct json_emit *j, const char *key, const struct shown *s,
                   void (*write)(const struct shown *s, struct buf *out))
{
    struct buf text = BUF_INIT(4096);
    write(s, &text);
    json_emit_str(j, key, buf_str(&text));
    buf_done(&text);
}

static void write_json(const struct shown_list *list, struct buf *out)
{
    struct json_emit j = json_emit(out);
    json_open(&j, NULL, '{');
    json_open(&j, "items", '[');
    for (size_t i = 0; i < list->n; i++) {
        const struct shown *s = &list->items[i];
        json_open(&j, NULL, '{');
        json_emit_str(&j, "namespace", s->meta.namespace_);
        json_emit_str(&j, "name", s->meta.name);
        member(&j, "target", s, autoscaler_target);
        json_emit_str(&j, "mode", s->readable ? pa_mode_name(s->pa.spec.mode) : "");
        json_emit_bool(&j, "paused", s->pa.paused);
        member(&j, "next", s, autoscaler_next);
        json_emit_str(&j, "why", autoscaler_why(s));
        const char *raw = s->raw_status ? s->raw_status : "null";
        json_emit_raw(&j, "status", raw, __builtin_strlen(raw));
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    (void)buf_putc(out, '\n');
}

static int show(struct cluster *c, const void *data, struct error *err)
{
    const struct asking *a = data;
    struct shown_list list;
    struct buf text = BUF_INIT((size_t)512 << 20);
    int result = autoscalers_read(c, a->name, a->everywhere, &list, err);
    if (result == 0 && a->cluster.json)
        write_json(&list, &text);
    else if (result == 0 && a->name && list.n == 1)
        write_one(&list.items[0], &text);
    else if (result == 0 && list.n > 0)
        write_list(&list, a->everywhere, &text);
    else if (result == 0)
        output_note("there is no PredictiveAutoscaler in %s%s", a->everywhere ? "any namespace" : "namespace ",
                    a->everywhere ? "" : c->namespace_);
    output_text(&text);
    buf_done(&text);
    autoscalers_done(&list);
    return result;
}

int command_status(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cluster_options_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .options = option_table, .parser = take, .args_doc = "[NAME]", .doc = doc, .children = children};
    struct asking a = {0};
    (void)argp_parse(&parser, argc, argv, 0, NULL, &a);
    return cluster_run(&a.cluster, show, &a);
}
