/* kubectl-ai4k8s approve: a person lets one advice be applied. The annotation names that advice and no other, so that
 * what comes after it is not approved too. */
#include "autoscalers.h"
#include "cluster.h"
#include "command.h"
#include "output.h"

#include "base/rfc3339.h"
#include "base/str.h"
#include "kube/json.h"

static const char doc[] = "Lets an autoscaler in advisor mode Approval apply the one advice that waits, and shows "
                          "which. It expires 5 minutes "
                          "after the sample that it was built from, approved or not.\v"
                          "Examples:\n"
                          "  kubectl ai4k8s approve web -n shop\n"
                          "  kubectl ai4k8s approve web 3f0c11d2a49be871\n\n"
                          "JSON: {\"namespace\",\"name\",\"advice\"}, where advice is the id.\n";

struct approving {
    struct cluster_options cluster;
    const char *name, *id;
};

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct approving *p = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &p->cluster;
        return 0;
    case ARGP_KEY_ARG:
        if (p->id)
            argp_error(state, "NAME and at most one id, but there is \"%s\" too", arg);
        *(p->name ? &p->id : &p->name) = arg;
        return 0;
    case ARGP_KEY_END: {
        uint64_t id;
        if (!p->name)
            argp_error(state, "NAME is missing: which autoscaler?");
        if (p->id && !pa_advice_id_parse(p->id, &id))
            argp_error(state, "\"%s\" is no id: 16 hexadecimal digits, as in status.advisor.id", p->id);
        return 0;
    }
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What waits, and that it is what was named. */
static int check(const struct approving *p, const struct shown *s, int64_t now_us, struct error *err)
{
    const struct pa_advisor_status *a = &s->status.advisor;
    if (!s->has_status || !s->status.has_advisor || !a->id[0])
        return error_set(err, ERROR_CONFIG, "%s has no advice to approve", p->name);
    if (p->id && !streq(p->id, a->id))
        return error_set(err, ERROR_CONFIG, "the advice of %s is now %s, not %s: look at it again", p->name, a->id,
                         p->id);
    if (now_us > a->expire_us)
        return error_set(err, ERROR_CONFIG, "advice %s of %s has expired; the next one can be approved", a->id,
                         p->name);
    if (!streq(a->outcome, "AwaitsApproval"))
        return error_set(err, ERROR_CONFIG, "advice %s of %s does not wait for approval: %s", a->id, p->name,
                         a->outcome[0] ? a->outcome : "nothing became of it yet");
    return 0;
}

static int annotate(struct cluster *c, const struct approving *p, const char *id, struct error *err)
{
    _cleanup_(buf_done) struct buf path = BUF_INIT(4096), body = BUF_INIT(1024);
    int code = 0;
    if (cluster_autoscaler_path(c, p->name, &path, err) < 0)
        return -1;
    (void)buf_printf(&body, "{\"metadata\":{\"annotations\":{\"%s\":\"%s\"}}}", PA_ANNOTATION_APPROVE, id);
    if (cluster_ask(c, KUBE_PATCH_MERGE, buf_str(&path), &body, NULL, &code, err) < 0)
        return cluster_explain_missing(c, p->name, code, err);
    return 0;
}

static void tell(const struct cluster *c, const struct approving *p, const struct pa_advisor_status *a)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(4096);
    if (p->cluster.json) {
        struct json_emit j = json_emit(&text);
        json_open(&j, NULL, '{');
        json_emit_str(&j, "namespace", c->namespace_);
        json_emit_str(&j, "name", p->name);
        json_emit_str(&j, "advice", a->id);
        json_close(&j, '}');
        (void)buf_putc(&text, '\n');
    } else {
        char until[RFC3339_CAP];
        rfc3339_format(until, a->expire_us);
        (void)buf_printf(&text, "predictiveautoscaler.%s/%s: advice %s approved (%s asks for %d replicas, until %s)\n",
                         PA_GROUP, p->name, a->id, a->provider[0] ? a->provider : "the advisor", a->target_replicas,
                         until);
    }
    output_text(&text);
}

static int approve(struct cluster *c, const void *data, struct error *err)
{
    const struct approving *p = data;
    struct shown_list list;
    int result = autoscalers_read(c, p->name, false, &list, err);
    if (result == 0)
        result = check(p, &list.items[0], cluster_now_us(c), err);
    if (result == 0)
        result = annotate(c, p, list.items[0].status.advisor.id, err);
    if (result == 0)
        tell(c, p, &list.items[0].status.advisor);
    autoscalers_done(&list);
    return result;
}

int command_approve(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cluster_options_argp, 0, NULL, 0}, {0}};
    const struct argp parser = {.parser = take, .args_doc = "NAME [ID]", .doc = doc, .children = children};
    struct approving p = {.name = NULL};
    (void)argp_parse(&parser, argc, argv, 0, NULL, &p);
    return cluster_run(&p.cluster, approve, &p);
}
