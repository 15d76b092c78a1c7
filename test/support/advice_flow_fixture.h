/* One autoscaler with an advisor, as far as its questions, calls and account go: a leader that can die at every point
 * between the question and the write of its verdict, and an object whose status is the store. The provider is a
 * scripted server, the advisor is the real one. */
#ifndef TEST_ADVICE_FLOW_FIXTURE_H
#define TEST_ADVICE_FLOW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "reconcile/autoscaler.h"
#include "reconcile/pa_object.h"
#include "test/server/server.h"

#define S     USEC_PER_SEC
#define ROUND (200 * S) /* not more than 20 refunds within an hour */

enum outcome { ANSWER, ERROR_500, NOT_JSON, REFUSAL, INVALID_REQUEST, N_OUTCOMES };
enum crash {
    NO_CRASH,
    BEFORE_RESERVE,
    BEFORE_THE_RESERVATION_IS_WRITTEN,
    BEFORE_THE_CALL,
    AFTER_DISPATCH,
    AFTER_THE_ANSWER,
    AFTER_THE_VERDICT,
    N_CRASHES
};

#define DECISION                                                                                                       \
    "{\\\"action\\\":\\\"scale_up\\\",\\\"target_replicas\\\":6,\\\"confidence\\\":0.9,\\\"reasoning\\\":"             \
    "\\\"steep\\\",\\\"risk_assessment\\\":\\\"low\\\",\\\"cost_impact\\\":\\\"low\\\",\\\"recommended_timing\\\":"    \
    "\\\"immediate\\\"}"

struct fixture {
    struct clock_fake clock;
    struct loop *loop;
    struct http *http;
    struct server *server;
    atomic_int outcome;
    struct operator_config config;
    struct metrics *metrics;
    struct rng rng;
    struct log *log;

    /* the leader */
    struct reconciler r;
    struct autoscaler a;
    struct core_plan plan;

    /* the object */
    char *status; /* JSON; NULL: none yet */
    struct ledger stored;
    uint64_t verdicts, charged_before; /* before the stored day */
    int32_t situation;
    const char *more;   /* of the spec: ",\"syncPeriodSeconds\":121" */
    bool paused;        /* its annotation */
    const char *budget; /* ",\"dailyCallBudget\":2" of the object */
    const char *mode;   /* of its advisor; NULL: Bounded */
};

static inline struct script *answer(void *data, const struct server_request *r)
{
    (void)r;
    struct fixture *f = data;
    static const struct {
        int status;
        const char *body;
    } answers[N_OUTCOMES] = {
        [ANSWER] = {200, "{\"choices\":[{\"message\":{\"content\":\"" DECISION "\"},\"finish_reason\":\"stop\"}]}"},
        [ERROR_500] = {500, "{}"},
        [NOT_JSON] = {200, "<html>"},
        [REFUSAL] = {200, "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"no\"}}]}"},
        [INVALID_REQUEST] = {400, "{\"error\":{\"type\":\"invalid_request_error\",\"param\":\"temperature\"}}"},
    };
    int i = atomic_load(&f->outcome);
    return script_answer(answers[i].status, "application/json", answers[i].body);
}

/* ---- the object ---- */

static inline const struct pa_object *read_object(struct fixture *f)
{
    _cleanup_(freep) char *text = xasprintf(
        "{\"metadata\":{\"namespace\":\"shop\",\"name\":\"web\",\"uid\":\"u\",\"resourceVersion\":\"1\","
        "\"generation\":1%s},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\","
        "\"name\":\"web\"},\"maxReplicas\":20%s,\"advisor\":{\"mode\":\"%s\",\"maxReplicaDelta\":2%s}}%s%s}",
        f->paused ? ",\"annotations\":{\"ai4k8s.io/paused\":\"true\"}" : "", f->more ? f->more : "",
        f->mode ? f->mode : "Bounded", f->budget ? f->budget : "", f->status ? ",\"status\":" : "",
        f->status ? f->status : "");
    struct error err = ERROR_INIT;
    struct object *o = pa_object_decode(&f->r, text, strlen(text), &err);
    if (!o)
        fail_msg("%s", error_text(&err));
    return CONTAINER_OF(o, const struct pa_object, object);
}

static inline void drop_object(const struct pa_object *pa)
{
    object_unref((struct object *)(uintptr_t)&pa->object);
}

/* The write of a status; checks that the ledger moved with what it is about, and only then. */
static inline void write_status(struct fixture *f, const struct pa_status *s)
{
    _cleanup_(buf_done) struct buf body = BUF_INIT(1 << 20);
    pa_status_apply_body(s, "shop", "web", &body);
    _json_cleanup_ json_t *root = json_parse(body.data, body.len, NULL);
    free(f->status);
    f->status = json_dumps(json_object_get(root, "status"), JSON_COMPACT);
    const struct pa_object *now = read_object(f);
    struct ledger was = f->stored;
    f->stored = now->ledger;
    drop_object(now);
    if (f->stored.day != was.day) {
        f->charged_before += was.charged;
        was.charged = 0;
    }
    bool settled = was.reserved_id != 0 && f->stored.reserved_id != was.reserved_id;
    char id[17];
    pa_advice_id_format(was.reserved_id, id);
    const struct pa_condition *c = pa_condition_get(s, PA_ADVISOR_AVAILABLE);
    bool verdict = settled && (streq(s->advisor.id, id) || streq(c->reason, "InvalidRequest"));
    assert_int_equal(f->stored.charged, was.charged + verdict);
    f->verdicts += verdict;
}

/* ---- the leader ---- */

static inline void lead(struct fixture *f)
{
    struct error err = ERROR_INIT;
    struct reconciler *r = &f->r;
    *r = (struct reconciler){.loop = f->loop,
                             .log = f->log,
                             .metrics = f->metrics,
                             .rng = &f->rng,
                             .config = &f->config,
                             .zones = tz_cache_new(NULL)};
    map_init(&r->records, NULL);
    r->advice_settled = metrics_family(f->metrics, METRICS_COUNTER, "settled_total", "x", "how,why", NULL, 0);
    r->advisor = advisor_new(&(struct advisor_deps){.loop = f->loop,
                                                    .http = f->http,
                                                    .rng = &f->rng,
                                                    .log = f->log,
                                                    .metrics = f->metrics,
                                                    .config = &f->config},
                             &err);
    assert_non_null(r->advisor);
    struct autoscaler *a = &f->a;
    *a = (struct autoscaler){.r = r, .key = xstrdup("shop/web"), .pa = read_object(f)};
    assert_true(a->pa->valid);
    a->in_force = a->pa;
    a->last_time_us = loop_real_us(f->loop);
    struct core_spec spec;
    pa_object_spec(a->pa, &spec);
    a->state = core_state_new(&spec);
    map_set(&r->records, a->key, a);
    advice_flow_seed(a, a->pa);
}

static inline void die(struct fixture *f)
{
    struct autoscaler *a = &f->a;
    a->flow = advice_flow_free(a->flow);
    core_state_free(a->state);
    drop_object(a->pa);
    map_done(&f->r.records);
    free((char *)(uintptr_t)a->key);
    f->r.advisor = advisor_free(f->r.advisor);
    tz_cache_free(f->r.zones);
}

/* A sync as far as advice goes: the step, the question if there is to be one, and what would be told. */
static inline void sync_once(struct fixture *f, bool ask, struct pa_status *told)
{
    struct autoscaler *a = &f->a;
    a->work = xcalloc(1, sizeof(*a->work));
    pa_object_spec(a->in_force, &a->work->spec);
    clock_fake_advance(&f->clock, S);
    struct core_observation seen = {.time_us = MAX(loop_real_us(f->loop), a->last_time_us + 1),
                                    .spec_replicas = 4,
                                    .status_replicas = 4,
                                    .n_metrics = 1};
    a->last_time_us = seen.time_us;
    advice_flow_observe(a, &seen);
    core_step(&a->work->spec, a->state, &seen, &a->work->plan);
    a->work->plan.ask = ask ? ADVICE_TRIGGER_CHANGED : ADVICE_TRIGGER_NONE;
    a->work->plan.situation = (struct advice_situation){
        .current = 4, .min = 1, .max = 20, .need = 4, .usage_percent = f->situation, .trigger = a->work->plan.ask};
    advice_flow_ask(a);
    a->work->finding.ok = true;
    *told = (struct pa_status){.observed_generation = 1};
    advice_flow_report(a, told);
    free(TAKE_PTR(a->work));
}

static inline void turn(struct fixture *f)
{
    for (int i = 0; i < 5; i++)
        (void)loop_turn(f->loop, 0);
}

/* Until the provider's answer, or its failure after all attempts, has arrived. */
static inline void await_answer(struct fixture *f)
{
    for (int idle = 0; idle < 3;) {
        if (loop_turn(f->loop, 300))
            idle = 0;
        else if (http_active(f->http) == 0 && !loop_jump(f->loop, &f->clock, f->clock.boot_us + 60 * S))
            idle++;
    }
}

/* The object comes by. */
static inline void echo(struct fixture *f)
{
    const struct pa_object *pa = read_object(f);
    advice_flow_seen(&f->a, pa);
    drop_object(pa);
}

static inline void play(struct fixture *f, enum crash crash)
{
    struct pa_status *told = xcalloc(1, sizeof *told);
    f->situation++;
    sync_once(f, true, told);
    write_status(f, told);
    if (crash == BEFORE_RESERVE)
        goto end;
    turn(f); /* the advisor asks for the reservation */
    sync_once(f, false, told);
    if (crash == BEFORE_THE_RESERVATION_IS_WRITTEN)
        goto end;
    write_status(f, told);
    bool reserved = f->stored.reserved_id != 0; /* else its breaker is open */
    if (crash == BEFORE_THE_CALL)
        goto end;
    size_t seen = server_seen(f->server);
    echo(f);
    if (crash == AFTER_DISPATCH && reserved) {
        for (int i = 0; i < 5000 && server_seen(f->server) == seen; i++)
            (void)loop_turn(f->loop, 500);
        assert_true(server_seen(f->server) > seen);
        goto end;
    }
    await_answer(f);
    sync_once(f, false, told);
    if (crash == AFTER_THE_ANSWER)
        goto end;
    write_status(f, told);
    assert_int_equal(f->stored.reserved_id, 0);
    echo(f);
end:
    free(told);
}

static inline int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err = ERROR_INIT;
    clock_fake_init(&f->clock, INT64_C(1790035200) * S);
    f->loop = loop_new(&f->clock.clock, &err);
    f->http = http_new(f->loop, &(struct http_config){.user_agent = "test/1"}, &err);
    f->metrics = metrics_new();
    rng_seed(&f->rng, 1);
    f->log = log_new(&(struct log_config){.fd = 2, .level = LOG_ERROR, .clock = &f->clock.clock});
    assert_int_equal(operator_config_load(NULL, &f->config, &err), 0);
    f->server = server_new(&(struct server_options){.plain = true});
    server_handle(f->server, "POST", "/v1/chat/completions", answer, f);
    struct advisor_provider_config *p = &f->config.advisor.providers[0];
    *p = (struct advisor_provider_config){.flavor = ADVISOR_OPENAI, .timeout_s = 60, .max_tokens = 600};
    (void)str_copy(p->name, sizeof p->name, "local");
    (void)snprintf(p->url, sizeof p->url, "%s/v1", server_url(f->server));
    (void)str_copy(p->model, sizeof p->model, "model-1");
    (void)str_copy(p->max_tokens_parameter, sizeof p->max_tokens_parameter, "max_tokens");
    f->config.advisor.n_providers = 1;
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->status);
    http_free(f->http);
    server_free(f->server);
    metrics_free(f->metrics);
    log_free(f->log);
    loop_free(f->loop);
    free(f);
    return 0;
}

#endif
