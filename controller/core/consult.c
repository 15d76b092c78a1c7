/* The advisor's part of a step; see consult.h. */
#include "core/consult.h"

#include "core/situation.h"
#include "core/state.h"

void consult_answers(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation)
{
    if (spec->advice.mode == ADVICE_OFF)
        return;
    if (observation->advice)
        advice_take(&state->advice, observation->advice);
    if (observation->approved_advice != 0)
        (void)advice_approve(&state->advice, observation->approved_advice);
}

/* The error of the first metric that is forecast; < 0: not known. */
static double forecast_error(const struct core_state *state)
{
    return state->n_metrics > 0 ? demand_trust(state->metrics[0].demand).error_percent : -1;
}

void consult(const struct core_spec *spec, struct core_state *state, const struct core_observation *observation,
             int32_t metric, struct core_plan *plan)
{
    if (spec->advice.mode == ADVICE_OFF)
        return;
    situation_of(spec, observation, plan, metric, forecast_error(state), &plan->situation);
    if (plan->situation.need < 0)
        return;
    advice_score(&state->advice, plan->situation.need, plan->time_us);
    if (spec->paused) /* a person wants peace: nothing is asked, and nothing paid */
        return;
    plan->ask = advice_trigger(&spec->advice, &state->advice, &plan->situation, plan->time_us);
    plan->situation.trigger = plan->ask;
}

void core_asked(struct core_state *state, const struct advice_situation *situation, int64_t time_us)
{
    advice_asked(&state->advice, situation, time_us);
}

void core_unanswered(struct core_state *state)
{
    advice_unanswered(&state->advice);
}

void core_spoiled(struct core_state *state)
{
    advice_spoiled(&state->advice);
}

const struct advice_state *core_state_advice(const struct core_state *state)
{
    return &state->advice;
}
