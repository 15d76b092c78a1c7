/* What becomes of a question and its advice besides the plain way: failures, restarts, objects that rest or go away. */
#include "test/support/advice_flow_fixture.h"

/* The advice on the object is in hand again after a crash without a checkpoint, words and all, and answers an equal
 * question without a call. */
static void test_advice_survives(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told), *after = xcalloc(1, sizeof *after);
    lead(f);
    atomic_store(&f->outcome, ANSWER);
    play(f, NO_CRASH);
    sync_once(f, false, told);
    write_status(f, told);
    assert_string_equal(told->advisor.reasoning, "steep");
    size_t seen = server_seen(f->server);
    die(f);
    lead(f);
    sync_once(f, true, after);
    assert_string_equal(after->advisor.id, told->advisor.id);
    assert_string_equal(after->advisor.reasoning, "steep");
    assert_string_equal(after->advisor.situation, told->advisor.situation);
    assert_int_equal(after->advisor.target_replicas, 6);
    turn(f);
    sync_once(f, false, after);
    assert_string_not_equal(after->advisor.id, told->advisor.id); /* advice of its own, from the cache */
    assert_int_equal(after->advisor.target_replicas, 6);
    assert_int_equal(after->advisor.budget.charged, told->advisor.budget.charged);
    assert_int_equal(server_seen(f->server), seen);
    free(told);
    free(after);
    die(f);
}

/* What advice had added is on the object too: a crash before the next checkpoint makes it nobody's else. Where the
 * count is another than the one it was said of, it says nothing. It is given back also where nobody is asked any more.
 */
static void test_a_loan_survives(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told), *after = xcalloc(1, sizeof *after);
    for (int i = 0; i < 4; i++) {
        int32_t current = i % 2 ? 5 : 4;
        f->mode = NULL;
        lead(f);
        atomic_store(&f->outcome, ANSWER);
        play(f, NO_CRASH);
        sync_once(f, false, told);
        told->current_replicas = current;
        told->advisor.has_lent_replicas = true;
        told->advisor.lent_replicas = 1;
        write_status(f, told);
        die(f);
        f->mode = i < 2 ? NULL : "Off";
        lead(f);
        sync_once(f, false, after);
        assert_int_equal(after->advisor.lent_replicas, current == 4);
        assert_int_equal(after->advisor.has_lent_replicas, current == 4);
        f->a.work = xcalloc(1, sizeof *f->a.work); /* a sync that fails does not take it away */
        *after = (struct pa_status){.has_advisor = false};
        advice_flow_report(&f->a, after);
        assert_int_equal(after->advisor.lent_replicas, current == 4);
        free(TAKE_PTR(f->a.work));
        die(f);
    }
    free(told);
    free(after);
}

/* A question that our own limits or a provider's outage left without an answer is asked again; one that the model
 * answered with nonsense is not. */
static void test_asked_again(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum outcome outcome;
        double tokens;
        bool again;
    } cases[] = {{ERROR_500, 100, true}, {NOT_JSON, 100, false}, {INVALID_REQUEST, 100, false}, {ANSWER, 0, true}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        f->config.advisor.calls_per_minute = cases[i].tokens > 0 ? 100 : 1;
        atomic_store(&f->outcome, cases[i].outcome);
        lead(f);
        if (cases[i].tokens <= 0) /* the one of this minute */
            advisor_restore_call(f->r.advisor, loop_real_us(f->loop));
        play(f, NO_CRASH);
        assert_int_equal(core_state_advice(f->a.state)->unanswered, cases[i].again);
        die(f);
        clock_fake_advance(&f->clock, 3600 * S);
    }
}

/* A question whose answer was lost with its leader is open. */
static void test_asked_again_by_the_next_leader(void **state)
{
    struct fixture *f = *state;
    atomic_store(&f->outcome, ANSWER);
    lead(f);
    play(f, AFTER_DISPATCH);
    die(f);
    lead(f);
    struct pa_status *told = xcalloc(1, sizeof *told);
    sync_once(f, false, told);
    assert_true(core_state_advice(f->a.state)->unanswered);
    free(told);
    die(f);
}

/* What a sync tells that ended before its step: the target could not be read. */
static void report_only(struct fixture *f, struct pa_status *told)
{
    struct autoscaler *a = &f->a;
    a->work = xcalloc(1, sizeof(*a->work));
    pa_object_spec(a->in_force, &a->work->spec);
    *told = (struct pa_status){.observed_generation = 1};
    advice_flow_report(a, told);
    free(TAKE_PTR(a->work));
}

/* As far as the answer, which is on no object yet. */
static void play_to_the_answer(struct fixture *f, struct pa_status *told)
{
    atomic_store(&f->outcome, ANSWER);
    f->situation++;
    sync_once(f, true, told);
    turn(f);
    sync_once(f, false, told);
    write_status(f, told);
    assert_int_not_equal(f->stored.reserved_id, 0);
    echo(f);
    await_answer(f);
}

/* The charge is told with the advice, not by a sync that comes before the step that takes it; and nothing is asked
 * before both have been seen on the object. */
static void test_charged_with_its_advice(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told);
    lead(f);
    play_to_the_answer(f, told);
    report_only(f, told);
    write_status(f, told);
    assert_int_equal(f->stored.charged, 0);
    assert_int_not_equal(f->stored.reserved_id, 0);
    sync_once(f, false, told);
    assert_int_equal(told->advisor.budget.charged, 1);
    assert_int_equal(told->advisor.target_replicas, 6);
    for (int written = 0; written < 2; written++) {
        clock_fake_advance(&f->clock, ROUND);
        f->situation++;
        sync_once(f, true, told);
        turn(f);
        sync_once(f, false, told);
        assert_int_equal(told->advisor.budget.reserved_id[0] != 0, written);
        write_status(f, told);
        echo(f);
    }
    die(f);
    free(told);
}

/* A leader that ended between its checkpoint and its status: the advice lives on in the state, so it is paid for. */
static void test_verdict_in_the_checkpoint(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told);
    _cleanup_(buf_done) struct buf checkpoint = BUF_INIT(1 << 20);
    lead(f);
    play_to_the_answer(f, told);
    sync_once(f, false, told);
    core_state_encode(f->a.state, &checkpoint);
    die(f);
    lead(f);
    struct core_spec spec;
    pa_object_spec(f->a.in_force, &spec);
    core_state_free(f->a.state);
    f->a.state = core_state_decode(&spec, checkpoint.data, checkpoint.len, NULL);
    assert_non_null(f->a.state);
    sync_once(f, false, told);
    write_status(f, told); /* which looks whether charge and verdict agree */
    assert_int_equal(f->stored.charged, 1);
    assert_int_equal(f->stored.reserved_id, 0);
    die(f);
    free(told);
}

/* An object that rests, because it is switched off or its spec has become invalid, holds up nobody: its question is
 * taken back, and what it was charged stays on it. One whose reservation is never seen gives it back by itself. */
static void test_rest(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told);
    f->config.advisor.max_concurrent_calls = 1;
    atomic_store(&f->outcome, ANSWER);
    lead(f);
    play(f, NO_CRASH);
    for (int by_itself = 0; by_itself < 2; by_itself++) {
        size_t seen = server_seen(f->server);
        clock_fake_advance(&f->clock, ROUND);
        f->situation++;
        sync_once(f, true, told);
        turn(f);
        if (by_itself) {
            clock_fake_advance(&f->clock, 181 * S);
            turn(f);
        } else {
            advice_flow_rest(&f->a);
        }
        f->a.work = xcalloc(1, sizeof(*f->a.work));
        pa_object_spec(f->a.in_force, &f->a.work->spec);
        f->a.work->spec.mode = CORE_OFF;
        *told = (struct pa_status){.observed_generation = 1};
        advice_flow_report(&f->a, told);
        free(TAKE_PTR(f->a.work));
        assert_int_equal(told->n_conditions, 0);
        assert_int_equal(told->advisor.budget.charged, by_itself + 1);
        assert_string_equal(told->advisor.budget.reserved_id, "");
        clock_fake_advance(&f->clock, ROUND);
        play(f, NO_CRASH); /* there is room for a call */
        assert_int_equal(server_seen(f->server), seen + 1);
    }
    die(f);
    free(told);
}

static void change_object(struct fixture *f)
{
    drop_object(f->a.pa);
    f->a.pa = f->a.in_force = read_object(f);
}

/* Whoever pauses an autoscaler pays for nothing: what is reserved is given back, what is under way is aborted, and both
 * are asked again afterwards. */
static void test_a_pause_costs_nothing(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told);
    atomic_store(&f->outcome, ANSWER);
    for (int called = 0; called < 2; called++) {
        f->paused = false;
        lead(f);
        clock_fake_advance(&f->clock, ROUND);
        f->situation++;
        sync_once(f, true, told);
        turn(f);
        sync_once(f, false, told);
        write_status(f, told);
        assert_true(f->stored.reserved_id != 0);
        size_t seen = server_seen(f->server);
        if (called) {
            const struct pa_object *echo = read_object(f);
            advice_flow_seen(&f->a, echo);
            drop_object(echo);
            for (int i = 0; i < 5000 && http_active(f->http) == 0; i++)
                (void)loop_turn(f->loop, 500);
            assert_true(http_active(f->http) > 0);
        }
        f->paused = true;
        change_object(f);
        sync_once(f, false, told);
        write_status(f, told);
        assert_int_equal(http_active(f->http), 0);
        assert_int_equal(f->stored.reserved_id, 0);
        assert_int_equal(f->stored.charged, 0);
        assert_int_equal(f->stored.refunded, 1);
        assert_true(core_state_advice(f->a.state)->unanswered);
        if (!called)
            assert_int_equal(server_seen(f->server), seen);
        f->paused = false;
        change_object(f);
        f->situation++;
        play(f, NO_CRASH);
        assert_int_equal(f->stored.charged, 1);
        assert_false(core_state_advice(f->a.state)->unanswered);
        die(f);
        clock_fake_advance(&f->clock, 86400 * S);
    }
    free(told);
}

/* An object that goes away at any point of its question takes the call along; nobody is told afterwards. */
static void test_deleted_under_way(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told);
    atomic_store(&f->outcome, ANSWER);
    static const enum crash points[] = {BEFORE_RESERVE, BEFORE_THE_RESERVATION_IS_WRITTEN, BEFORE_THE_CALL,
                                        AFTER_DISPATCH, AFTER_THE_ANSWER};
    for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
        lead(f);
        play(f, points[i]);
        f->a.flow = advice_flow_free(f->a.flow);
        assert_int_equal(http_active(f->http), 0);
        clock_fake_advance(&f->clock, ROUND);
        turn(f);
        sync_once(f, false, told); /* another one under the same name */
        assert_string_equal(told->advisor.budget.reserved_id, "");
        die(f);
    }
    free(told);
}

/* To delete an object and make it anew gives the operator's budget nothing back. */
static void test_deleted_and_made_anew(void **state)
{
    struct fixture *f = *state;
    f->config.advisor.daily_call_budget = 2;
    atomic_store(&f->outcome, ANSWER);
    lead(f);
    size_t seen = server_seen(f->server);
    for (int i = 0; i < 4; i++) {
        clock_fake_advance(&f->clock, ROUND);
        play(f, NO_CRASH);
        f->a.flow = advice_flow_free(f->a.flow);
        free(TAKE_PTR(f->status));
        f->stored = (struct ledger){0};
    }
    assert_int_equal(server_seen(f->server), seen + 2);
    die(f);
}

/* Before its first step, as where the target does not exist, an object says nothing untrue of the operator. */
static void test_before_the_first_step(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told);
    lead(f);
    report_only(f, told);
    const struct pa_condition *c = pa_condition_get(told, PA_ADVISOR_AVAILABLE);
    assert_string_equal(c->reason, "NotAsked");
    assert_int_equal(c->status, CONDITION_UNKNOWN);
    die(f);
    free(told);
}

/* The calendar is set back by an hour: for that long the steps' time stands still, but advice ends when it is due. */
static void test_the_calendar_is_set_back(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told);
    lead(f);
    play_to_the_answer(f, told);
    sync_once(f, false, told);
    assert_string_not_equal(told->advisor.id, "");
    f->clock.real_us -= 3600 * S;
    sync_once(f, false, told);
    assert_string_not_equal(told->advisor.id, "");
    clock_fake_advance(&f->clock, 300 * S);
    sync_once(f, false, told);
    assert_string_equal(told->advisor.id, "");
    die(f);
    free(told);
}

/* With syncs so rare that no advice would be there in time nobody is asked, and the object says so. */
static void test_rare_syncs(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told);
    for (int rare = 0; rare < 2; rare++) {
        f->more = rare ? ",\"syncPeriodSeconds\":121" : ",\"syncPeriodSeconds\":120";
        lead(f);
        f->situation++;
        sync_once(f, true, told);
        turn(f);
        assert_string_equal(pa_condition_get(told, PA_ADVISOR_AVAILABLE)->reason,
                            rare ? "SyncPeriodTooLong" : "NotAsked");
        clock_fake_advance(&f->clock, 120 * S);
        turn(f);
        sync_once(f, false, told);
        assert_int_equal(told->advisor.budget.reserved_id[0] == 0, rare);
        die(f);
    }
    free(told);
}

/* The object names the question that its advice answers, also when another one has been asked since and a leader ends:
 * else the next one would take the advice for an answer to that. */
static void test_advice_survives_with_its_question(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told), *newer = xcalloc(1, sizeof *newer);
    lead(f);
    atomic_store(&f->outcome, ANSWER);
    play(f, NO_CRASH);
    clock_fake_advance(&f->clock, 40 * S);
    sync_once(f, false, told);
    f->situation++;
    sync_once(f, true, newer);
    assert_string_equal(newer->advisor.id, told->advisor.id);
    assert_string_equal(newer->advisor.situation, told->advisor.situation);
    write_status(f, newer);
    size_t seen = server_seen(f->server);
    die(f);
    lead(f);
    f->situation--;
    play(f, NO_CRASH); /* the newer one is asked anew, not taken from the cache */
    assert_int_equal(server_seen(f->server), seen + 1);
    die(f);
    free(told);
    free(newer);
}

/* Advice that came from the cache, on an object that never made a call. */
static void test_free_advice_survives(void **state)
{
    struct fixture *f = *state;
    struct pa_status *told = xcalloc(1, sizeof *told);
    lead(f);
    atomic_store(&f->outcome, ANSWER);
    play(f, NO_CRASH);
    f->a.flow = advice_flow_free(f->a.flow); /* another object */
    free(TAKE_PTR(f->status));
    f->stored = (struct ledger){0};
    core_state_free(f->a.state);
    struct core_spec spec;
    pa_object_spec(f->a.in_force, &spec);
    f->a.state = core_state_new(&spec);
    sync_once(f, true, told);
    turn(f);
    sync_once(f, false, told);
    write_status(f, told);
    assert_int_equal(told->advisor.target_replicas, 6);
    assert_false(told->advisor.has_budget);
    die(f);
    lead(f);
    struct pa_status *after = xcalloc(1, sizeof *after);
    sync_once(f, false, after);
    assert_string_equal(after->advisor.id, told->advisor.id);
    assert_int_equal(after->advisor.target_replicas, 6);
    die(f);
    free(told);
    free(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_advice_survives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_loan_survives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asked_again_by_the_next_leader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_charged_with_its_advice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verdict_in_the_checkpoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_pause_costs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deleted_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deleted_and_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_before_the_first_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_advice_survives_with_its_question, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_calendar_is_set_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rare_syncs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_free_advice_survives, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
