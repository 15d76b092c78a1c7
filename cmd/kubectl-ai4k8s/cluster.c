/* Asking the API server, one thing after the other; see cluster.h. */
#include "cluster.h"

#include "command.h"
#include "option.h"
#include "output.h"

#include "api/pa.h"
#include "base/str.h"

static const char user_agent[] = "kubectl-ai4k8s/" AI4K8S_VERSION " (linux)";

/* ---- options ---- */

enum { KEY_KUBECONFIG = 500, KEY_CONTEXT };

static const struct argp_option option_table[] = {
    {"kubeconfig", KEY_KUBECONFIG, "FILE", 0, "How to reach the API server (else $KUBECONFIG, else ~/.kube/config)",
     10},
    {"context", KEY_CONTEXT, "NAME", 0, "Context of the kubeconfig (else its current one)", 10},
    {"namespace", 'n', "NS", 0, "Namespace (else that of the context)", 10},
    {"output", 'o', "FORMAT", 0, "table or json", 10},
    {0},
};

static error_t take(int key, char *arg, struct argp_state *state)
{
    static const char *const formats[] = {"table", "json", NULL};
    struct cluster_options *o = state->input;
    switch (key) {
    case KEY_KUBECONFIG:
        o->kubeconfig = arg;
        return 0;
    case KEY_CONTEXT:
        o->context = arg;
        return 0;
    case 'n':
        if (!str_is_dns_label(arg))
            argp_error(state, "--namespace: \"%s\" is no name of a namespace", arg);
        o->namespace_ = arg;
        return 0;
    case 'o':
        o->json = option_choice(state, "-o", arg, formats) == 1;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cluster_options_argp = {.options = option_table, .parser = take};

error_t cluster_take_name(int key, char *arg, struct argp_state *state, const char **name)
{
    if (key == ARGP_KEY_END && !*name)
        argp_error(state, "NAME is missing: which autoscaler?");
    if (key != ARGP_KEY_ARG)
        return key == ARGP_KEY_END ? 0 : ARGP_ERR_UNKNOWN;
    if (*name)
        argp_error(state, "one autoscaler at a time, but there is \"%s\" too", arg);
    *name = arg;
    return 0;
}

/* ---- life ---- */

int cluster_open(struct cluster *c, const struct cluster_options *options, struct error *err)
{
    *c = (struct cluster){0};
    const struct kube_environment env = kube_environment();
    if (kube_config_load(&env, options->kubeconfig, options->context, &c->config, err) < 0)
        return -1;
    c->namespace_ = options->namespace_ ? options->namespace_ : c->config->namespace_;
    c->loop = loop_new(&clock_system, err);
    if (!c->loop)
        return -1;
    c->http = http_new(c->loop, &(struct http_config){.user_agent = user_agent, .proxy = c->config->proxy_url}, err);
    if (!c->http)
        return -1;
    const struct kube_client_options client = {
        .user_agent = user_agent, .field_manager = "kubectl-ai4k8s", .field_validation = "Strict"};
    c->client = kube_client_new(c->loop, c->http, c->config, &client, err);
    return c->client ? 0 : -1;
}

void cluster_close(struct cluster *c)
{
    kube_client_free(c->client);
    http_free(c->http);
    loop_free(c->loop);
    kube_config_free(c->config);
    *c = (struct cluster){0};
}

int cluster_run(const struct cluster_options *options, cluster_work_fn *work, const void *data)
{
    struct error err = ERROR_INIT;
    struct cluster c;
    int result = cluster_open(&c, options, &err);
    if (result == 0)
        result = work(&c, data, &err);
    cluster_close(&c);
    return result == 0 ? STATUS_OK : output_failed(&err);
}

/* ---- asking ---- */

struct call {
    struct loop *loop;
    struct buf *body; /* NULL: not wanted */
    int code;
    bool failed;
    struct error err;
};

static void finish(struct call *call, int code, const char *body, size_t len, const struct error *err)
{
    call->code = code;
    call->failed = err != NULL;
    if (err)
        call->err = *err;
    else if (call->body && buf_append(call->body, body, len) < 0)
        call->failed = error_set(&call->err, ERROR_LIMIT, "the answer is larger than expected") < 0;
    loop_exit(call->loop, 0);
}

static void on_answer(void *data, const struct kube_response *response, const struct error *err)
{
    finish(data, response->code, response->body, response->body_len, err);
}

static void on_result(void *data, const struct http_result *result, const struct error *err)
{
    finish(data, result ? result->status : 0, result ? result->body : "", result ? result->body_len : 0, err);
}

static int wait_for(struct call *call, int *ret_code, struct error *err)
{
    if (loop_run(call->loop, err) < 0)
        return -1;
    if (ret_code)
        *ret_code = call->code;
    if (!call->failed)
        return 0;
    if (err)
        *err = call->err;
    return -1;
}

int cluster_ask(struct cluster *c, enum kube_verb verb, const char *path, const struct buf *body, struct buf *ret_body,
                int *ret_code, struct error *err)
{
    struct call call = {.loop = c->loop, .body = ret_body};
    (void)kube_client_start(c->client, &(struct kube_request){.verb = verb,
                                                              .path = path,
                                                              .body = body ? buf_str(body) : NULL,
                                                              .body_len = body ? body->len : 0,
                                                              .max_body = (size_t)64 << 20,
                                                              .done = on_answer,
                                                              .data = &call});
    return wait_for(&call, ret_code, err);
}

int cluster_fetch(struct cluster *c, struct http_origin *origin, const char *path, size_t max_body,
                  struct buf *ret_body, int *ret_code, struct error *err)
{
    struct call call = {.loop = c->loop, .body = ret_body};
    if (http_start(c->http, origin,
                   &(struct http_request){
                       .method = "GET", .path = path, .max_body = max_body, .done = on_result, .data = &call},
                   err) < 0)
        return -1;
    return wait_for(&call, ret_code, err);
}

static void on_time(void *data)
{
    loop_exit(data, 0);
}

void cluster_sleep(struct cluster *c, int64_t us)
{
    struct loop_timer timer;
    loop_timer_init(&timer, c->loop, LOOP_NORMAL, on_time, c->loop);
    loop_timer_arm(&timer, us);
    (void)!loop_run(c->loop, NULL);
    loop_timer_disarm(&timer);
}

int64_t cluster_now_us(const struct cluster *c)
{
    return loop_real_us(c->loop);
}

/* ---- one autoscaler ---- */

int cluster_autoscaler_path(const struct cluster *c, const char *name, struct buf *out, struct error *err)
{
    if (!str_is_dns_subdomain(name))
        return error_set(err, ERROR_CONFIG, "\"%.100s\" is no name of an object", name);
    resource_path(out, &resource_predictiveautoscalers, c->namespace_, name, NULL);
    return 0;
}

int cluster_explain_missing(const struct cluster *c, const char *name, int code, struct error *err)
{
    if (code != 404)
        return -1;
    /* The server says the same for a kind that it does not know. */
    if (__builtin_strstr(error_text(err), "could not find the requested resource"))
        return error_set(err, ERROR_API,
                         "the cluster does not know PredictiveAutoscalers; install them with `kubectl apply -k crds`");
    return error_set(err, ERROR_API,
                     "there is no PredictiveAutoscaler \"%s\" in namespace %s; `kubectl ai4k8s status -A` lists those "
                     "that there are",
                     name, c->namespace_);
}

int cluster_autoscaler(struct cluster *c, const char *name, struct buf *ret_body, struct error *err)
{
    struct buf path = BUF_INIT(4096);
    int code = 0, result = cluster_autoscaler_path(c, name, &path, err);
    if (result == 0 && cluster_ask(c, KUBE_GET, buf_str(&path), NULL, ret_body, &code, err) < 0)
        result = cluster_explain_missing(c, name, code, err);
    buf_done(&path);
    return result;
}
