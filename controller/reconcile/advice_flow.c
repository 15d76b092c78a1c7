/* Questions, reservations, answers of one autoscaler; see advice_flow.h.
 *
 * A question is in one of four places: nowhere (`question` 0); with the advisor; reserved and not yet seen on the
 * object
 * (`awaits`); called. The ledger moves in memory first, by the step that takes the advice, and reaches the object with
 * the next status, always together with what it is about; nothing new is asked before that has been seen there. */
#include "reconcile/advice_flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "core/situation.h"
#include "reconcile/autoscaler.h"

#define DAY_US           (86400 * USEC_PER_SEC)
#define SEEN_IN_TIME_US  (180 * USEC_PER_SEC) /* a reservation that does not reach the object is given back */
#define LONGEST_PERIOD_S 120 /* the reservation waits for one sync, the advice for another: it lasts for 300 s */
#define RESTORE_CALLS_US (60 * USEC_PER_SEC)

enum trouble { TROUBLE_NONE, TROUBLE_CLASS, TROUBLE_SPENT, TROUBLE_OPERATOR_SPENT, TROUBLE_REFUNDS };

struct advice_flow {
    struct autoscaler *a;
    struct ledger ledger;
    bool recovered; /* what was left reserved by the leader before us is settled */

    int64_t question; /* of the advisor; 0: none */
    uint64_t call;    /* the reservation that is ours; 0: none */
    bool awaits;
    struct loop_timer unseen; /* while it awaits */
    int64_t sampled_us;
    struct advice_situation asked;

    struct pa_advisor_status *left; /* by the leader before us: the advice that is on the object; NULL: none */
    int32_t left_replicas;          /* the count that it saw then */

    bool arrived; /* `advice` goes into the next step */
    bool untold;  /* what was charged has not been seen on the object */
    struct advice advice;
    int64_t sampled_boot_us;         /* CLOCK_BOOTTIME, of its sample */
    struct advice_situation advised; /* what it answers */
    struct decision decision;        /* of the advice that is in hand */
    char provider[64];               /* who gave it */

    bool answered; /* there was a verdict since we lead */
    enum trouble trouble;
    enum advisor_class class;
    char failed[64];      /* whose failure it is */
    int64_t retry_at_us;  /* Unix; 0: not by itself */
    int64_t last_call_us; /* Unix */
};

static void on_unseen(void *data);

static struct advice_flow *flow_of(struct autoscaler *a)
{
    if (!a->flow) {
        a->flow = xcalloc(1, sizeof *a->flow);
        a->flow->a = a;
        loop_timer_init(&a->flow->unseen, a->r->loop, LOOP_IDLE, on_unseen, a->flow);
    }
    return a->flow;
}

static struct advisor *advisor_of(const struct advice_flow *f)
{
    return f->a->r->advisor;
}

static struct loop_meter *meter_of(const struct autoscaler *a)
{
    return advisor_meter(a->r->advisor);
}

static int64_t now_us(const struct advice_flow *f)
{
    return loop_real_us(f->a->r->loop);
}

/* Of a time that is not ahead. */
static int64_t boot_us_of(const struct advice_flow *f, int64_t real_us)
{
    return loop_now_us(f->a->r->loop) - MAX(now_us(f) - real_us, 0);
}

static void count_settled(struct advice_flow *f, const char *how, const char *why)
{
    metrics_add(metrics_get(f->a->r->advice_settled, how, why, NULL), 1);
}

/* ---- the ledger ---- */

static void settled(struct advice_flow *f)
{
    f->call = 0;
    f->awaits = false;
    loop_timer_disarm(&f->unseen);
}

static void refund(struct advice_flow *f, const char *why)
{
    if (f->call != 0 && ledger_refund(&f->ledger, f->call, now_us(f)))
        count_settled(f, "refunded", why);
    settled(f);
}

static void charge(struct advice_flow *f, const char *why)
{
    if (f->call != 0 && ledger_charge(&f->ledger, f->call))
        count_settled(f, "charged", why);
    f->untold |= f->call != 0;
    settled(f);
}

static void take_back(struct advice_flow *f)
{
    if (f->question != 0) {
        advisor_cancel(advisor_of(f), f->question);
        if (f->a->state)
            core_unanswered(f->a->state);
    }
    f->question = 0;
    f->arrived = false;
    refund(f, "Cancelled");
}

/* A reservation that does not reach the object must not keep others from asking. */
static void on_unseen(void *data)
{
    struct advice_flow *f = data;
    take_back(f);
    log_warn(f->a->r->log, "a call to the advisor could not be put on the object, and was not made",
             LOG_S("autoscaler", f->a->key));
}

/* Of an autoscaler that goes away: who makes it anew has not got the operator's money back. */
static void keep_what_was_spent(struct advice_flow *f)
{
    struct reconciler *r = f->a->r;
    const struct ledger *l = &f->ledger;
    if (l->day > r->gone_day)
        r->gone_calls = 0;
    r->gone_day = MAX(r->gone_day, l->day);
    if (l->day == r->gone_day)
        r->gone_calls += l->charged;
}

struct advice_flow *advice_flow_free(struct advice_flow *f)
{
    if (!f)
        return NULL;
    take_back(f);
    keep_what_was_spent(f);
    free(f->left);
    free(f);
    return NULL;
}

/* The operator's budget is the sum of the ledgers, also of those that went away since we lead. */
static bool operator_has_spent(const struct reconciler *r, int64_t now)
{
    uint64_t spent = r->gone_day == (int32_t)(now / DAY_US) ? r->gone_calls : 0;
    struct map_iter it = map_iter(&r->records);
    for (struct map_entry *e; (e = map_next(&r->records, &it)) != NULL;) {
        const struct advice_flow *f = ((const struct autoscaler *)e->value)->flow;
        if (f)
            spent += ledger_spent(&f->ledger, now) + (f->ledger.reserved_id != 0);
    }
    return r->config->advisor.daily_call_budget > 0 && spent >= (uint64_t)r->config->advisor.daily_call_budget;
}

static enum trouble reserve_on_ledger(struct advice_flow *f)
{
    uint64_t id = rng_next(f->a->r->rng) | 1;
    if (operator_has_spent(f->a->r, now_us(f)))
        return TROUBLE_OPERATOR_SPENT;
    struct core_spec spec;
    pa_object_spec(f->a->in_force, &spec);
    switch (ledger_reserve(&f->ledger, spec.advice.daily_call_budget, id, now_us(f))) {
    case LEDGER_MAY:
        f->call = id;
        f->last_call_us = now_us(f);
        return TROUBLE_NONE;
    case LEDGER_SPENT:
        return TROUBLE_SPENT;
    case LEDGER_BUSY:
    case LEDGER_TOO_MANY_REFUNDS:
    default:
        return TROUBLE_REFUNDS;
    }
}

/* ---- with the advisor ---- */

/* A call is to be made for us: on the object first. */
static void on_reserve(void *data, int64_t id)
{
    struct advice_flow *f = data;
    enum trouble trouble = reserve_on_ledger(f);
    if (trouble == TROUBLE_NONE) {
        f->awaits = true;
        loop_timer_arm(&f->unseen, SEEN_IN_TIME_US);
        return;
    }
    f->question = 0;
    f->answered = true;
    f->trouble = trouble;
    core_unanswered(f->a->state);
    advisor_go(advisor_of(f), id, false);
}

/* The advice that an answer is. What came from the cache or from another's call is good for as long as that call. */
static void take_decision(struct advice_flow *f, const struct advisor_answer *answer)
{
    f->decision = answer->outcome.decision;
    (void)str_copy(f->provider, sizeof f->provider, answer->provider_is);
    int64_t sampled = answer->kind == ADVISOR_ANSWERED ? f->sampled_us : MIN(f->sampled_us, answer->asked_us);
    f->advice = (struct advice){
        .id = f->call != 0 ? f->call : rng_next(f->a->r->rng) | 1,
        .sampled_us = sampled,
        .need = f->asked.need,
        .current = f->asked.current,
        .side = f->asked.side,
        .target_replicas = f->decision.target_replicas,
        .confidence_percent = f->decision.confidence_percent,
        .provider = answer->provider,
    };
    f->sampled_boot_us = boot_us_of(f, sampled);
    f->advised = f->asked;
    f->arrived = true;
}

/* Not what a model that was reached made of the question: that would be the same again. */
static bool may_be_answered_later(const struct advisor_answer *answer)
{
    enum advisor_class class = answer->outcome.class;
    return answer->kind == ADVISOR_LIMITED || (answer->kind == ADVISOR_FAILED && advisor_class_system(class) &&
                                               class != ADVISOR_INVALID_ANSWER && class != ADVISOR_REFUSED);
}

static void on_answer(void *data, const struct advisor_answer *answer)
{
    struct advice_flow *f = data;
    enum advisor_class class = answer->outcome.class;
    f->question = 0;
    if (f->a->state && may_be_answered_later(answer))
        core_unanswered(f->a->state);
    else if (f->a->state && answer->kind == ADVISOR_FAILED)
        core_spoiled(f->a->state);
    if (answer->kind == ADVISOR_LIMITED) /* by our own limits: no verdict of anybody's */
        return;
    f->answered = true;
    f->trouble = TROUBLE_NONE;
    f->class = class;
    if (answer->kind != ADVISOR_FAILED) {
        take_decision(f, answer);
        return;
    }
    f->trouble = TROUBLE_CLASS;
    (void)str_copy(f->failed, sizeof f->failed, answer->provider_is);
    int64_t retry_ms = answer->outcome.retry_in_ms;
    f->retry_at_us = retry_ms < 0 ? 0 : now_us(f) + retry_ms * USEC_PER_MSEC;
    if (advisor_class_charged(class))
        charge(f, advisor_class_name(class));
    else
        refund(f, advisor_class_name(class));
}

/* ---- the object ---- */

void advice_flow_seed(struct autoscaler *a, const struct pa_object *pa)
{
    if (!pa->has_ledger && !pa->advice)
        return;
    struct advice_flow *f = flow_of(a);
    f->ledger = pa->ledger;
    f->last_call_us = pa->last_call_us;
    free(f->left);
    f->left = NULL;
    if (pa->advice) {
        f->left = xcalloc(1, sizeof *f->left);
        *f->left = *pa->advice;
        f->left_replicas = pa->status_current;
    }
}

void advice_flow_seen(struct autoscaler *a, const struct pa_object *pa)
{
    struct advice_flow *f = a->flow;
    if (!f || !pa->has_ledger || pa->ledger.reserved_id != f->ledger.reserved_id)
        return;
    if (pa->ledger.day == f->ledger.day && pa->ledger.charged == f->ledger.charged)
        f->untold = false;
    if (!f->awaits)
        return;
    LOOP_METERED(meter_of(a));
    f->awaits = false;
    loop_timer_disarm(&f->unseen);
    advisor_go(advisor_of(f), f->question, true);
}

/* ---- a step ---- */

void advice_flow_rest(struct autoscaler *a)
{
    if (a->flow)
        take_back(a->flow);
}

/* What stands on the object is in hand again, and in the cache. */
static void restore_advice(struct advice_flow *f)
{
    const struct pa_advisor_status *left = f->left;
    struct advice_situation situation;
    struct decision d = {.target_replicas = left->target_replicas,
                         .confidence_percent = (uint32_t)MIN(MAX(left->confidence_percent, 0), 100)};
    uint64_t id, provider = advisor_of(f) ? advisor_provider(advisor_of(f), left->provider) : 0;
    if (provider == 0 || !pa_advice_id_parse(left->id, &id) || left->target_replicas < 0 ||
        !advice_situation_parse(left->situation, &situation) || situation.need != left->need_replicas ||
        !decision_words(left->action, left->risk, left->cost, left->timing, &d))
        return;
    (void)decision_clean_text(left->reasoning, strlen(left->reasoning), d.reasoning, sizeof d.reasoning);
    advisor_restore(advisor_of(f), &situation, &d, provider, left->time_us);
    f->decision = d;
    f->sampled_boot_us = boot_us_of(f, left->time_us);
    f->advised = situation;
    (void)str_copy(f->provider, sizeof f->provider, left->provider);
    f->advice = (struct advice){.id = id,
                                .sampled_us = left->time_us,
                                .need = situation.need,
                                .current = situation.current,
                                .side = situation.side,
                                .target_replicas = d.target_replicas,
                                .confidence_percent = d.confidence_percent,
                                .provider = provider};
    const struct advice_state *state = core_state_advice(f->a->state);
    if (state->asked.max == 0)
        core_asked(f->a->state, &situation, MIN(f->last_call_us, f->a->last_time_us));
    f->arrived = state->advice.id != id; /* else the checkpoint has it */
}

/* Once, when we begin to lead: what was under way is refunded, and calls just made count against the limits. */
static void recover(struct advice_flow *f)
{
    if (f->recovered)
        return;
    f->recovered = true;
    const struct advice_state *state = core_state_advice(f->a->state);
    bool lost = false;
    if (f->ledger.reserved_id != 0 && f->ledger.reserved_id == state->advice.id) {
        f->call = f->ledger.reserved_id; /* its advice is in the checkpoint: it delivered */
        charge(f, "Restart");
    } else if (ledger_recover(&f->ledger, now_us(f))) {
        count_settled(f, "refunded", "Restart");
        lost = true;
    }
    if (advisor_of(f) && f->last_call_us > now_us(f) - RESTORE_CALLS_US)
        advisor_restore_call(advisor_of(f), f->last_call_us);
    if (state->asked_us < f->last_call_us)
        core_asked(f->a->state, &state->asked, MIN(f->last_call_us, f->a->last_time_us));
    if (f->left)
        restore_advice(f);
    if (f->left && f->left->has_lent_replicas)
        core_lent(f->a->state, f->a->last_time_us, f->left_replicas, f->left->lent_replicas);
    if (lost)
        core_unanswered(f->a->state);
    free(f->left);
    f->left = NULL;
}

static bool is_consulted(const struct autoscaler *a)
{
    return a->pa->valid && a->work->spec.mode != CORE_OFF && a->work->spec.advice.mode != ADVICE_OFF;
}

/* The steps' time stands still while the calendar, which was set back, makes up for it. Advice does not live on. */
static bool has_outlived_its_time(const struct advice_flow *f, int64_t time_us)
{
    const struct advice *a = &core_state_advice(f->a->state)->advice;
    const int64_t ttl_us = ADVICE_TTL_S * USEC_PER_SEC;
    return a->id != 0 && a->id == f->advice.id && time_us - a->sampled_us <= ttl_us &&
           loop_now_us(f->a->r->loop) - f->sampled_boot_us > ttl_us;
}

void advice_flow_observe(struct autoscaler *a, struct core_observation *seen)
{
    if (!is_consulted(a)) {
        advice_flow_rest(a);
        if (a->flow) /* what was lent, or reserved, while somebody was asked */
            recover(a->flow);
        return;
    }
    if (a->work->spec.paused)
        advice_flow_rest(a);
    LOOP_METERED(meter_of(a));
    struct advice_flow *f = flow_of(a);
    recover(f);
    seen->approved_advice = a->pa->approved_advice;
    if (f->arrived) {
        seen->advice = &f->advice;
        charge(f, advisor_class_name(ADVISOR_OK)); /* nothing, when it came from the cache */
    } else if (has_outlived_its_time(f, seen->time_us)) {
        static const struct advice none = {.id = 0};
        seen->advice = &none;
    }
    f->arrived = false;
}

void advice_flow_ask(struct autoscaler *a)
{
    struct advice_flow *f = a->flow;
    struct core_plan *plan = &a->work->plan;
    if (!f || plan->ask == ADVICE_TRIGGER_NONE || f->question != 0 || f->call != 0 || f->untold || !advisor_of(f) ||
        !advisor_configured(advisor_of(f)))
        return;
    if (a->work->spec.sync_period_s > LONGEST_PERIOD_S)
        return;
    LOOP_METERED(meter_of(a));
    const struct advice_config *config = &a->work->spec.advice;
    situation_complete(&a->work->spec, a->state, plan, &plan->situation);
    core_asked(a->state, &plan->situation, plan->time_us);
    f->asked = plan->situation;
    f->sampled_us = plan->time_us;
    const struct advisor_question question = {.situation = &f->asked,
                                              .timeout_s = config->timeout_s,
                                              .cache_ttl_s = config->cache_ttl_s,
                                              .reserve = on_reserve,
                                              .done = on_answer,
                                              .data = f};
    f->question = advisor_ask(advisor_of(f), &question);
}

/* ---- told ---- */

static void set_condition(struct autoscaler *a, struct pa_status *s)
{
    const struct advice_flow *f = a->flow;
    char text[400];
    if (!a->r->advisor || !advisor_configured(a->r->advisor)) {
        pa_condition_set(s, PA_ADVISOR_AVAILABLE, CONDITION_FALSE, "NotConfigured",
                         "no provider is configured: name one under advisor.providers in the operator's configuration");
        return;
    }
    if (a->work->spec.sync_period_s > LONGEST_PERIOD_S) {
        pa_condition_set(s, PA_ADVISOR_AVAILABLE, CONDITION_FALSE, "SyncPeriodTooLong",
                         "nobody is asked: advice would be over before a sync could take it; set "
                         "spec.syncPeriodSeconds to %d or less",
                         LONGEST_PERIOD_S);
        return;
    }
    if (!f || !f->answered) { /* a restart is no transition */
        uint8_t before = a->times.status[PA_ADVISOR_AVAILABLE];
        pa_condition_set(s, PA_ADVISOR_AVAILABLE, before ? (enum condition_status)(before - 1) : CONDITION_UNKNOWN,
                         "NotAsked", "there was no reason to ask since the operator started");
        return;
    }
    switch (f->trouble) {
    case TROUBLE_NONE:
        pa_condition_set(s, PA_ADVISOR_AVAILABLE, CONDITION_TRUE, "Available", "the last question was answered");
        return;
    case TROUBLE_SPENT:
        pa_condition_set(s, PA_ADVISOR_AVAILABLE, CONDITION_FALSE, "BudgetSpent",
                         "spec.advisor.dailyCallBudget is spent: the next call is made after 00:00 UTC");
        return;
    case TROUBLE_OPERATOR_SPENT:
        pa_condition_set(s, PA_ADVISOR_AVAILABLE, CONDITION_FALSE, "OperatorBudgetSpent",
                         "advisor.dailyCallBudget of the operator is spent: the next call is made after 00:00 UTC");
        return;
    case TROUBLE_REFUNDS:
        pa_condition_set(s, PA_ADVISOR_AVAILABLE, CONDITION_FALSE, "TooManyFailures",
                         "%d calls were given back within an hour: no more are made until it is over",
                         LEDGER_MAX_REFUNDS);
        return;
    case TROUBLE_CLASS:
    default:
        break;
    }
    int64_t left_us = f->retry_at_us - now_us(f), left_s = left_us > 0 ? left_us / USEC_PER_SEC + 1 : 0;
    advisor_class_sentence(f->class, f->failed[0] ? f->failed : "the advisor", f->retry_at_us == 0 ? -1 : left_s, text,
                           sizeof text);
    pa_condition_set(s, PA_ADVISOR_AVAILABLE, CONDITION_FALSE, advisor_class_name(f->class), "%s", text);
}

static void report_budget(const struct advice_flow *f, struct pa_advisor_status *out)
{
    const struct ledger *l = &f->ledger;
    out->has_budget = l->day > 0;
    out->budget.day_us = (int64_t)l->day * DAY_US;
    out->budget.charged = (int32_t)MIN(l->charged, (uint32_t)INT32_MAX);
    out->budget.refunded = (int32_t)MIN(l->refunded, (uint32_t)INT32_MAX);
    if (l->reserved_id == 0)
        return;
    pa_advice_id_format(l->reserved_id, out->budget.reserved_id);
    out->budget.reserved_us = l->reserved_us;
}

/* The words are known of advice that came since we lead; its numbers are in the checkpoint. */
static void report_advice(const struct advice_flow *f, const struct advice *advice, struct pa_advisor_status *out)
{
    pa_advice_id_format(advice->id, out->id);
    out->time_us = advice->sampled_us;
    out->expire_us = advice->sampled_us + ADVICE_TTL_S * USEC_PER_SEC;
    out->has_target_replicas = out->has_need_replicas = out->has_confidence_percent = true;
    out->target_replicas = advice->target_replicas;
    out->need_replicas = advice->need;
    out->confidence_percent = (int32_t)advice->confidence_percent;
    uint32_t scored, right = advice_record(core_state_advice(f->a->state), advice->provider, &scored);
    out->has_right_answers = out->has_scored_answers = true;
    out->right_answers = (int32_t)right;
    out->scored_answers = (int32_t)scored;
    if (f->advice.id != advice->id)
        return;
    (void)str_copy(out->provider, sizeof out->provider, f->provider);
    (void)str_copy(out->action, sizeof out->action, decision_action_name(f->decision.action));
    (void)str_copy(out->risk, sizeof out->risk, decision_level_name(f->decision.risk));
    (void)str_copy(out->cost, sizeof out->cost, decision_level_name(f->decision.cost));
    (void)str_copy(out->timing, sizeof out->timing, decision_timing_name(f->decision.timing));
    (void)str_copy(out->reasoning, sizeof out->reasoning, f->decision.reasoning);
}

void advice_flow_report(struct autoscaler *a, struct pa_status *s)
{
    struct advice_flow *f = a->flow;
    if (!f && !is_consulted(a))
        return;
    LOOP_METERED(meter_of(a));
    if (is_consulted(a))
        set_condition(a, s);
    if (!f)
        return;
    struct pa_advisor_status *out = &s->advisor;
    s->has_advisor = true;
    out->last_call_us = f->last_call_us;
    report_budget(f, out);
    if (!a->state)
        return;
    out->lent_replicas = core_state_lent(a->state); /* also where nobody is asked any more, or a sync failed */
    out->has_lent_replicas = out->lent_replicas > 0;
    if (!is_consulted(a))
        return;
    const struct advice_state *state = core_state_advice(a->state);
    /* While advice lasts, what it answers, whatever was asked since: the next leader goes on with the two. */
    bool lasts = f->advice.id != 0 && f->advice.id == state->advice.id &&
                 now_us(f) <= f->advice.sampled_us + ADVICE_TTL_S * USEC_PER_SEC;
    if (lasts)
        advice_situation_key(&f->advised, out->situation);
    else if (state->asked.max > 0)
        advice_situation_key(&state->asked, out->situation);
    if (state->advice.id != 0)
        report_advice(f, &state->advice, out);
    if (!a->work->finding.ok)
        return;
    const struct core_plan *plan = &a->work->plan;
    if (state->advice.id != 0)
        (void)str_copy(out->outcome, sizeof out->outcome, advice_outcome_name(plan->advice));
    s->replica_proposals.has_advisor = plan->advised >= 0;
    s->replica_proposals.advisor = MAX(plan->advised, 0);
}
