/* kubectl-ai4k8s advise --dry-run: the exact request that the advisor's last question makes, so that everybody can see
 * what leaves the cluster. Nothing is sent to a provider. */
#include "autoscalers.h"
#include "cluster.h"
#include "command.h"
#include "output.h"

#include "advisor/prompt.h"
#include "advisor/provider.h"
#include "base/str.h"

enum { OPTION_CONFIG = 256, OPTION_DRY_RUN };

static const char doc[] =
    "Shows the request that an autoscaler's last question to the LLM advisor makes: all that a provider gets to see. "
    "Nothing is sent.\v"
    "Examples:\n"
    "  kubectl ai4k8s advise web --dry-run\n"
    "  kubectl ai4k8s advise web --dry-run --config operator.yaml\n\n"
    "With --config it is the whole request to the first provider of that configuration: method, URL, headers without "
    "keys, body. Without it, the two texts that every request has: the instruction and the situation.\n";

struct advising {
    struct cluster_options cluster;
    const char *name;
    const char *config; /* NULL: none, and `settings` has nothing */
    struct operator_config settings;
    bool dry_run;
};

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct advising *p = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &p->cluster;
        return 0;
    case OPTION_CONFIG:
        p->config = arg;
        return 0;
    case OPTION_DRY_RUN:
        p->dry_run = true;
        return 0;
    case ARGP_KEY_SUCCESS:
        if (!p->dry_run)
            argp_error(state, "only the operator asks providers: --dry-run shows what it asks");
        return 0;
    default:
        return cluster_take_name(key, arg, state, &p->name);
    }
}

/* Method, URL, headers and body of the first provider. */
static int describe(const struct advising *p, const struct advice_situation *situation, struct buf *out,
                    struct error *err)
{
    struct provider *provider = provider_new(&p->settings.advisor.providers[0], &clock_system, err);
    if (!provider)
        return -1;
    provider_describe(provider, situation, out);
    provider_free(provider);
    return 0;
}

static int load(struct advising *p, struct error *err)
{
    if (operator_config_load(p->config, &p->settings, err) < 0)
        return -1;
    if (p->settings.advisor.n_providers == 0)
        return error_set(err, ERROR_CONFIG, "%s names no provider under advisor.providers", p->config);
    return 0;
}

static int show(const struct advising *p, const struct shown *s, struct error *err)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(128 * 1024);
    struct advice_situation situation;
    if (!s->has_status || !s->status.advisor.situation[0])
        return error_set(err, ERROR_CONFIG, "%s has asked nothing so far%s", p->name,
                         s->readable && s->pa.spec.advisor.mode == PA_ADVISOR_OFF ? ": spec.advisor.mode is Off" : "");
    if (!advice_situation_parse(s->status.advisor.situation, &situation))
        return error_set(err, ERROR_PARSE, "the situation of %s is of another version of the operator", p->name);
    if (p->config) {
        if (describe(p, &situation, &text, err) < 0)
            return -1;
    } else {
        (void)buf_printf(&text, "%s\n\n", prompt_system());
        prompt_situation(&situation, false, &text);
        (void)buf_putc(&text, '\n');
    }
    output_text(&text);
    return 0;
}

static int advise(struct cluster *c, const void *data, struct error *err)
{
    const struct advising *p = data;
    struct shown_list list;
    int result = autoscalers_read(c, p->name, false, &list, err);
    if (result == 0)
        result = show(p, &list.items[0], err);
    autoscalers_done(&list);
    return result;
}

int command_advise(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"dry-run", OPTION_DRY_RUN, NULL, 0, "Show the request; required, for nothing else is done", 0},
        {"config", OPTION_CONFIG, "FILE", 0, "The operator's configuration, for its first provider", 0},
        {0}};
    static const struct argp_child children[] = {{&cluster_options_argp, 0, NULL, 0}, {0}};
    const struct argp parser = {
        .options = options, .parser = take, .args_doc = "NAME", .doc = doc, .children = children};
    struct advising p = {.name = NULL};
    struct error err = ERROR_INIT;
    (void)argp_parse(&parser, argc, argv, 0, NULL, &p);
    if (p.config && load(&p, &err) < 0)
        return output_bad_input(&err);
    return cluster_run(&p.cluster, advise, &p);
}
