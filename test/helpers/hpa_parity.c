/* Holds the decision core against the HorizontalPodAutoscaler controller: plays a trace of hack/tools/hpa-oracle (its
 * trace.go has the format) through core_step(), with nothing forecast, and compares every answer.
 *
 *   hpa-oracle --seed 1 --count 500 | hpa_parity
 *
 * The first difference of a scenario is printed with all that led to it at that sync, and ends the scenario: from then
 * on the two look at different worlds. The last line is "N scenarios, N syncs, N rescales, N differ, N ended early";
 * exit status 1 if any differs.
 *
 * Where someone else writes the replicas too, the mode is Recommend: giving way to another writer is ours, and the HPA
 * does not do it. Then the helper is the executor.
 *
 * One difference is meant, and ends a scenario early: a target that we hold at zero goes to a minimum that was raised
 * meanwhile, also when its metrics fail (invariant I1). The HPA stays at zero, and if the metrics are those of its
 * pods, for ever.
 */
#include "core/condition.h"
#include "core/explain.h"
#include "core/step.h"
#include "core/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define MAX_PODS    512
#define MAX_SHOWN   5 /* differences */
#define MAX_CONTEXT 65536

struct parity {
    char *line;
    size_t cap;
    char *at; /* the next word of `line` */
    uint64_t number;

    struct core_spec spec;
    struct core_state *state;
    bool others_write;
    uint32_t metrics_left; /* that `spec` has announced, and `sync` */
    uint32_t metric, rules;

    struct core_observation observation;
    struct core_pod pods[MAX_PODS];
    struct core_pod_sample samples[CORE_MAX_METRICS][MAX_PODS];
    uint32_t pod;
    bool refused;

    char able[64], active[64], limited[64]; /* the conditions that we show */
    char scenario[256], shown_spec[4096];   /* lines, for a difference */
    struct buf context;
    bool skip;
    uint64_t scenarios, syncs, rescales, differ, ended_early;
};

static void broken(const struct parity *p, const char *what)
{
    fprintf(stderr, "hpa_parity: line %llu of the trace: %s\n", (unsigned long long)p->number, what);
    exit(2);
}

static const char *word(struct parity *p)
{
    while (*p->at == ' ')
        p->at++;
    if (*p->at == '\0')
        broken(p, "it ends too early");
    char *first = p->at;
    p->at += strcspn(p->at, " ");
    if (*p->at)
        *p->at++ = '\0';
    return first;
}

static int64_t number(struct parity *p)
{
    while (*p->at == ' ')
        p->at++;
    bool negative = *p->at == '-';
    if (negative)
        p->at++;
    if (*p->at < '0' || *p->at > '9')
        broken(p, "not a number");
    uint64_t value = 0;
    for (; *p->at >= '0' && *p->at <= '9'; p->at++)
        value = value * 10 + (uint64_t)(*p->at - '0');
    return negative ? (int64_t)(0 - value) : (int64_t)value;
}

/* ---- the trace, line by line ---- */

static void begin_scenario(struct parity *p)
{
    (void)snprintf(p->scenario, sizeof p->scenario, "%s", p->at);
    (void)number(p);
    (void)number(p);
    (void)word(p);
    p->others_write = number(p);
    p->state = core_state_free(p->state);
    p->skip = false;
    p->scenarios++;
    (void)snprintf(p->able, sizeof p->able, ".");
    (void)snprintf(p->active, sizeof p->active, ".");
    (void)snprintf(p->limited, sizeof p->limited, ".");
}

static void read_spec(struct parity *p)
{
    p->spec = core_spec_default();
    p->spec.mode = p->others_write ? CORE_RECOMMEND : CORE_AUTO;
    p->spec.min_replicas = (int32_t)number(p);
    p->spec.max_replicas = (int32_t)number(p);
    p->spec.n_metrics = (uint32_t)number(p);
    p->spec.behavior = number(p);
    p->metric = p->rules = 0;
    if (p->spec.n_metrics < 1 || p->spec.n_metrics > CORE_MAX_METRICS)
        broken(p, "too many metrics");
}

static void read_metric(struct parity *p)
{
    if (p->metric == p->spec.n_metrics)
        broken(p, "one metric too many");
    struct core_metric_spec *m = &p->spec.metrics[p->metric];
    *m = (struct core_metric_spec){.source = (enum core_metric_source)number(p)};
    m->kind = (enum core_metric_kind)number(p);
    m->target_type = (enum core_target_type)number(p);
    m->target_milli = number(p);
    m->target_percent = m->target_type == CORE_TARGET_UTILIZATION ? (int32_t)m->target_milli : 0;
    (void)snprintf(m->name, sizeof m->name, "m%u", p->metric++);
}

static void read_rules(struct parity *p)
{
    if (p->rules == 2)
        broken(p, "a third direction");
    struct core_rules *rules = p->rules++ == 0 ? &p->spec.up : &p->spec.down;
    if (!number(p))
        return;
    int64_t window_s = number(p), tolerance = number(p), select = number(p), n = number(p);
    if (window_s >= 0)
        rules->stabilization_s = (uint32_t)window_s;
    if (tolerance >= 0)
        memcpy(&rules->tolerance, &tolerance, sizeof rules->tolerance);
    if (select >= 0)
        rules->select = (enum core_select)select;
    if (n > CORE_MAX_POLICIES)
        broken(p, "too many policies");
    if (n > 0)
        rules->n_policies = (uint32_t)n;
    for (int64_t i = 0; i < n; i++) {
        rules->policies[i].type = (enum core_policy_type)number(p);
        rules->policies[i].value = (int32_t)number(p);
        rules->policies[i].period_s = (uint32_t)number(p);
    }
}

static void read_sync(struct parity *p)
{
    struct core_observation *o = &p->observation;
    (void)number(p);
    *o = (struct core_observation){.time_us = number(p), .pods = p->pods, .n_metrics = p->spec.n_metrics};
    o->spec_replicas = (int32_t)number(p);
    o->status_replicas = (int32_t)number(p);
    p->refused = number(p);
    o->n_pods = (uint32_t)number(p);
    p->pod = p->metric = 0;
    if (o->n_pods > MAX_PODS)
        broken(p, "too many pods");
}

static void read_pod(struct parity *p)
{
    if (p->pod == p->observation.n_pods)
        broken(p, "one pod too many");
    struct core_pod *pod = &p->pods[p->pod++];
    pod->phase = (enum core_pod_phase)number(p);
    pod->ready = (enum core_ready)number(p);
    pod->deleting = number(p);
    pod->start_us = number(p);
    pod->ready_transition_us = number(p);
}

static struct core_metric_observation *read_kind(struct parity *p)
{
    if (p->metric == p->spec.n_metrics)
        broken(p, "one metric too many");
    struct core_metric_observation *m = &p->observation.metrics[p->metric++];
    static const enum sample_kind kinds[] = {SAMPLE_VALUE, SAMPLE_NO_DATA, SAMPLE_ERROR};
    m->kind = kinds[number(p)];
    return m;
}

static void read_total(struct parity *p)
{
    read_kind(p)->value_milli = number(p);
}

static void read_pods(struct parity *p)
{
    struct core_metric_observation *m = read_kind(p);
    struct core_pod_sample *samples = p->samples[p->metric - 1];
    m->pods = samples;
    m->n_strays = (uint32_t)number(p);
    m->strays_milli = number(p);
    for (uint32_t i = 0; i < p->observation.n_pods; i++) {
        samples[i].present = number(p);
        samples[i].usage_milli = number(p);
        samples[i].request_milli = number(p);
        samples[i].time_us = number(p);
        samples[i].window_us = number(p);
    }
}

/* ---- our answer ---- */

static void show(char *shown, size_t cap, const struct core_condition *condition)
{
    if (condition->known)
        (void)snprintf(shown, cap, "%c%s", condition->status ? '+' : '-', condition->reason);
}

static void decide(struct parity *p, struct core_plan *plan)
{
    core_step(&p->spec, p->state, &p->observation, plan);
    core_explain(&p->spec, plan);
    struct core_condition condition;
    core_condition_able_to_scale(plan, &condition);
    show(p->able, sizeof p->able, &condition);
    core_condition_scaling_active(&p->spec, plan, NULL, &condition);
    show(p->active, sizeof p->active, &condition);
    core_condition_scaling_limited(&p->spec, plan, &condition);
    show(p->limited, sizeof p->limited, &condition);
    if (plan->replicas == plan->current)
        return;
    p->rescales++;
    core_condition_rescaled(plan, p->refused ? "refused" : NULL, &condition);
    show(p->able, sizeof p->able, &condition);
    if (!p->refused)
        core_applied(&p->spec, p->state, p->observation.time_us, plan->current, plan->replicas);
}

static void tell(struct parity *p, const char *theirs, const struct core_plan *plan)
{
    if (p->differ++ >= MAX_SHOWN)
        return;
    printf("DIFFERENT: scenario %s\n%s%s\n", p->scenario, p->shown_spec, buf_str(&p->context));
    printf("  HPA   %s\n  ours  %d %s %s %s\n  %s\n", theirs, plan->replicas, p->able, p->active, p->limited,
           plan->message);
    for (uint32_t i = 0; i < plan->n_stages; i++)
        printf("  %-10s %d  %s\n", plan->stages[i].name, plan->stages[i].replicas, plan->stages[i].note);
    for (uint32_t i = 0; i < plan->n_metrics; i++)
        printf("  %-10s %d  %s\n", p->spec.metrics[i].name, plan->metrics[i].reactive,
               core_problem_text(plan->metrics[i].problem));
}

static void compare(struct parity *p)
{
    char theirs[256];
    (void)snprintf(theirs, sizeof theirs, "%s", p->at);
    if (p->pod != p->observation.n_pods || p->metric != p->spec.n_metrics)
        broken(p, "an answer to half a question");
    if (!p->state)
        p->state = core_state_new(&p->spec);
    struct core_plan plan;
    decide(p, &plan);
    p->syncs++;
    bool same = number(p) == plan.replicas;
    same &= strcmp(word(p), p->able) == 0;
    same &= strcmp(word(p), p->active) == 0;
    same &= strcmp(word(p), p->limited) == 0;
    if (same)
        return;
    p->skip = true;
    if (plan.current == 0 && plan.reactive < 0 && plan.replicas == p->spec.min_replicas)
        p->ended_early++;
    else
        tell(p, theirs, &plan);
}

/* The lines that a difference is shown with: the spec as it stands, and this sync. */
static void remember(struct parity *p, const char *kind)
{
    if (strcmp(kind, "spec") == 0)
        p->shown_spec[0] = '\0';
    if (strcmp(kind, "spec") == 0 || strcmp(kind, "metric") == 0 || strcmp(kind, "rules") == 0) {
        size_t len = strlen(p->shown_spec);
        (void)snprintf(p->shown_spec + len, sizeof p->shown_spec - len, "  %s %s\n", kind, p->at);
        return;
    }
    if (strcmp(kind, "sync") == 0)
        buf_clear(&p->context);
    (void)buf_printf(&p->context, "  %s %s\n", kind, p->at);
}

static void take(struct parity *p)
{
    static const struct {
        const char *kind;
        void (*read)(struct parity *p);
    } kinds[] = {{"sync", read_sync},     {"pod", read_pod},     {"pods", read_pods},
                 {"total", read_total},   {"answer", compare},   {"spec", read_spec},
                 {"metric", read_metric}, {"rules", read_rules}, {"scenario", begin_scenario}};
    p->number++;
    p->at = p->line;
    const char *kind = word(p);
    if (strcmp(kind, "end") == 0 || (p->skip && strcmp(kind, "scenario") != 0))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kind, kinds[i].kind) == 0) {
            remember(p, kind);
            kinds[i].read(p);
            return;
        }
    }
    broken(p, "it begins with an unknown word");
}

int main(void)
{
    struct parity *p = xcalloc(1, sizeof *p);
    p->context = BUF_INIT(MAX_CONTEXT);
    ssize_t len;
    while ((len = getline(&p->line, &p->cap, stdin)) > 0) {
        if (p->line[len - 1] == '\n')
            p->line[len - 1] = '\0';
        take(p);
    }
    printf("%llu scenarios, %llu syncs, %llu rescales, %llu differ, %llu ended early\n",
           (unsigned long long)p->scenarios, (unsigned long long)p->syncs, (unsigned long long)p->rescales,
           (unsigned long long)p->differ, (unsigned long long)p->ended_early);
    int status = p->differ > 0 || p->syncs == 0;
    p->state = core_state_free(p->state);
    buf_done(&p->context);
    free(p->line);
    free(p);
    return status;
}
