/* kubectl-ai4k8s explain: the last decision, stage by stage, as the operator wrote it down; nothing is computed again.
 */
#include "autoscalers.h"
#include "command.h"
#include "output.h"

#include "base/rfc3339.h"
#include "base/str.h"
#include "kube/json.h"
#include "lab/plot_text.h"
#include "lab/table.h"

static const char doc[] =
    "Shows the last decision of an autoscaler stage by stage: what each stage made of the number of "
    "replicas, and why.\v"
    "Examples:\n"
    "  kubectl ai4k8s explain web -n shop\n"
    "  kubectl ai4k8s explain web -o json\n\n"
    "JSON: {\"namespace\",\"name\",\"lastDecision\"}, where lastDecision is that of the object's status, or "
    "null.\n";

#define BAR_WIDTH 30

struct asking {
    struct cluster_options cluster;
    const char *name;
};

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct asking *a = state->input;
    if (key != ARGP_KEY_INIT)
        return cluster_take_name(key, arg, state, &a->name);
    state->child_inputs[0] = &a->cluster;
    return 0;
}

static void write_head(const struct pa_decision *d, struct buf *out)
{
    static const char *const directions[] = {"Hold", "Up", "Down"};
    char time[RFC3339_CAP];
    rfc3339_format(time, d->time_us);
    (void)buf_printf(out, "%s\n\n%s at %s: %s", d->message, directions[d->direction], time, d->reason);
    if (d->metric[0])
        (void)buf_printf(out, ", decided by %s", d->metric);
    for (uint32_t i = 0; i < d->n_limits; i++)
        (void)buf_printf(out, "%s%s", i ? ", " : "; limited by ", d->limits[i]);
    (void)buf_printf(out, "\n%d pods ready, %d without metrics\n\n", d->pods_ready, d->pods_missing_metrics);
}

static void write_stages(const struct shown *s, struct buf *out)
{
    static const char *const headers[] = {"STAGE", "REPLICAS", "", "WHY"};
    const struct pa_decision *d = &s->status.last_decision;
    struct table *t = table_new("lrll", headers);
    int32_t most = s->status.current_replicas;
    for (uint32_t i = 0; i < d->n_stages; i++)
        most = MAX(most, d->stages[i].replicas);
    for (uint32_t i = 0; i < d->n_stages; i++) {
        struct buf bar = BUF_INIT(1024);
        plot_text_bar(d->stages[i].replicas, most, BAR_WIDTH, &bar);
        table_cell(t, "%s", d->stages[i].name);
        if (d->stages[i].replicas < 0) /* it has no answer, and says why */
            table_cell(t, "-");
        else
            table_cell(t, "%d", d->stages[i].replicas);
        table_cell(t, "%s", buf_str(&bar));
        table_cell(t, "%s", d->stages[i].note);
        buf_done(&bar);
    }
    table_write(t, out);
    table_free(t);
}

static void write_json(const struct shown *s, struct buf *out)
{
    struct buf raw = BUF_INIT((size_t)4 << 20);
    struct json_emit j = json_emit(out);
    _json_cleanup_ json_t *status =
        s->raw_status ? json_parse(s->raw_status, __builtin_strlen(s->raw_status), NULL) : NULL;
    const json_t *decision = status ? json_object_get(status, "lastDecision") : NULL;
    if (decision)
        json_write(&raw, decision);
    else
        (void)buf_puts(&raw, "null");
    json_open(&j, NULL, '{');
    json_emit_str(&j, "namespace", s->meta.namespace_);
    json_emit_str(&j, "name", s->meta.name);
    json_emit_raw(&j, "lastDecision", buf_str(&raw), raw.len);
    json_close(&j, '}');
    (void)buf_putc(out, '\n');
    buf_done(&raw);
}

static int explain(struct cluster *c, const void *data, struct error *err)
{
    const struct asking *a = data;
    struct shown_list list;
    struct buf text = BUF_INIT((size_t)8 << 20);
    int result = autoscalers_read(c, a->name, false, &list, err);
    if (result == 0 && a->cluster.json)
        write_json(&list.items[0], &text);
    else if (result == 0 && !list.items[0].status.has_last_decision)
        result =
            error_set(err, ERROR_API, "%s has no decision yet: %s; `kubectl ai4k8s status %s` shows its conditions",
                      a->name, autoscaler_why(&list.items[0]), a->name);
    else if (result == 0) {
        write_head(&list.items[0].status.last_decision, &text);
        write_stages(&list.items[0], &text);
    }
    output_text(&text);
    buf_done(&text);
    autoscalers_done(&list);
    return result;
}

int command_explain(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cluster_options_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {.parser = take, .args_doc = "NAME", .doc = doc, .children = children};
    struct asking a = {0};
    (void)argp_parse(&parser, argc, argv, 0, NULL, &a);
    return cluster_run(&a.cluster, explain, &a);
}
