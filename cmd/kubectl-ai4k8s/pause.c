/* kubectl-ai4k8s pause and resume: an annotation, so that tools that own the spec don't fight it. */
#include "cluster.h"
#include "command.h"
#include "output.h"

#include "api/pa.h"
#include "base/str.h"
#include "kube/json.h"

static const char pause_doc[] =
    "Keeps an autoscaler from scaling. It goes on observing, forecasting and recommending.\v"
    "Example:\n"
    "  kubectl ai4k8s pause web -n shop\n";
static const char resume_doc[] = "Lets a paused autoscaler scale again.\v"
                                 "Example:\n"
                                 "  kubectl ai4k8s resume web -n shop\n";

struct pausing {
    struct cluster_options cluster;
    const char *name;
    bool pause;
};

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct pausing *p = state->input;
    if (key != ARGP_KEY_INIT)
        return cluster_take_name(key, arg, state, &p->name);
    state->child_inputs[0] = &p->cluster;
    return 0;
}

static int annotate(struct cluster *c, const struct pausing *p, struct error *err)
{
    struct buf path = BUF_INIT(4096), body = BUF_INIT(1024);
    int code = 0, result = cluster_autoscaler_path(c, p->name, &path, err);
    (void)buf_printf(&body, "{\"metadata\":{\"annotations\":{\"%s\":%s}}}", PA_ANNOTATION_PAUSED,
                     p->pause ? "\"true\"" : "null");
    if (result == 0 && cluster_ask(c, KUBE_PATCH_MERGE, buf_str(&path), &body, NULL, &code, err) < 0)
        result = cluster_explain_missing(c, p->name, code, err);
    buf_done(&path);
    buf_done(&body);
    return result;
}

static void tell(const struct cluster *c, const struct pausing *p)
{
    struct buf text = BUF_INIT(4096);
    if (p->cluster.json) {
        struct json_emit j = json_emit(&text);
        json_open(&j, NULL, '{');
        json_emit_str(&j, "namespace", c->namespace_);
        json_emit_str(&j, "name", p->name);
        json_emit_bool(&j, "paused", p->pause);
        json_close(&j, '}');
        (void)buf_putc(&text, '\n');
    } else {
        (void)buf_printf(&text, "predictiveautoscaler.%s/%s %s\n", PA_GROUP, p->name, p->pause ? "paused" : "resumed");
    }
    output_text(&text);
    buf_done(&text);
}

static int work(struct cluster *c, const void *data, struct error *err)
{
    if (annotate(c, data, err) < 0)
        return -1;
    tell(c, data);
    return 0;
}

static int run(int argc, char **argv, bool pause)
{
    static const struct argp_child children[] = {{&cluster_options_argp, 0, NULL, 0}, {0}};
    const struct argp parser = {
        .parser = take, .args_doc = "NAME", .doc = pause ? pause_doc : resume_doc, .children = children};
    struct pausing p = {.pause = pause};
    (void)argp_parse(&parser, argc, argv, 0, NULL, &p);
    return cluster_run(&p.cluster, work, &p);
}

int command_pause(int argc, char **argv)
{
    return run(argc, argv, true);
}

int command_resume(int argc, char **argv)
{
    return run(argc, argv, false);
}
