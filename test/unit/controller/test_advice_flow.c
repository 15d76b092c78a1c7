/* Accounting of calls: outcomes of every kind, and a leader that dies at every point between the question and the write
 * of its verdict. The store is what the object's status is; the provider is a scripted server, the advisor is the real
 * one. Charged are exactly the verdicts that are on the object. */
#include "test/support/advice_flow_fixture.h"

#define ROUNDS 2000 /* 10,000 take a minute */

static void test_charged_are_verdicts(void **state)
{
    struct fixture *f = *state;
    unsigned crashes[N_CRASHES] = {0}, charged[N_OUTCOMES] = {0};
    lead(f);
    for (int i = 0; i < ROUNDS; i++) {
        clock_fake_advance(&f->clock, ROUND);
        enum outcome outcome = (enum outcome)rng_below(&f->rng, N_OUTCOMES + 3);
        outcome = outcome < N_OUTCOMES ? outcome : ANSWER;
        enum crash crash = (enum crash)rng_below(&f->rng, 2 * N_CRASHES);
        crash = crash < N_CRASHES ? crash : NO_CRASH;
        atomic_store(&f->outcome, outcome);
        uint64_t before = f->verdicts;
        play(f, crash);
        charged[outcome] += f->verdicts > before;
        crashes[crash]++;
        if (crash != NO_CRASH) {
            die(f);
            lead(f);
        }
    }
    /* What was left reserved is given back by the next leader, not charged. */
    struct pa_status *told = xcalloc(1, sizeof *told);
    sync_once(f, false, told);
    write_status(f, told);
    free(told);
    assert_int_equal(f->stored.reserved_id, 0);
    assert_int_equal(f->charged_before + f->stored.charged, f->verdicts);
    assert_true(f->verdicts > ROUNDS / 5);
    assert_true(charged[ANSWER] > 0 && charged[INVALID_REQUEST] > 0);
    assert_int_equal(charged[ERROR_500] + charged[NOT_JSON] + charged[REFUSAL], 0);
    for (int i = 0; i < N_CRASHES; i++)
        assert_true(crashes[i] > ROUNDS / 50);
    die(f);
}

/* What is spent is spent until midnight, for the object and for the operator; a restart gives nothing back. */
static void test_daily_budgets(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told);
    for (int operators = 0; operators < 2; operators++) {
        f->budget = operators ? NULL : ",\"dailyCallBudget\":2";
        f->config.advisor.daily_call_budget = operators ? 2 : 0;
        atomic_store(&f->outcome, ANSWER);
        clock_fake_advance(&f->clock, 86400 * S); /* another day */
        size_t seen = server_seen(f->server);
        lead(f);
        for (int i = 0; i < 4; i++) {
            clock_fake_advance(&f->clock, ROUND);
            play(f, NO_CRASH);
            if (i == 1) {
                die(f);
                lead(f);
            }
        }
        assert_int_equal(server_seen(f->server), seen + 2);
        assert_int_equal(f->stored.charged, 2);
        sync_once(f, false, told);
        assert_string_equal(pa_condition_get(told, PA_ADVISOR_AVAILABLE)->reason,
                            operators ? "OperatorBudgetSpent" : "BudgetSpent");
        die(f);
    }
    clock_fake_advance(&f->clock, 86400 * S);
    lead(f);
    play(f, NO_CRASH);
    assert_int_equal(f->stored.charged, 1);
    die(f);
    free(told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_daily_budgets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_charged_are_verdicts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
