/* Cancelling and starting from every place where a caller has control: nothing is heard of a cancelled exchange any
 * more, and of every other one exactly one end. */
#include "test/unit/base/http_fixture.h"

#include "base/rng.h"

enum place { IN_SEND, IN_HEAD, IN_PIECE, IN_DONE, N_PLACES };
static const char *const place_names[] = {"on_send", "on_headers", "on_data", "done"};

/* What is done at that place. */
struct plan {
    enum place place;
    struct call *victim;  /* cancelled; NULL: none */
    struct call *started; /* started; NULL: none */
    int reached;
};

static void act(struct call *c, enum place place)
{
    struct plan *plan = c->data;
    if (!plan || plan->place != place || plan->reached++)
        return;
    if (plan->victim)
        http_cancel(c->f->http, plan->victim->id);
    if (plan->started)
        call_start(c->f, plan->started, (struct http_request){0});
}

static int plan_send(struct call *c, struct error *err UNUSED)
{
    act(c, IN_SEND);
    return 0;
}

static void plan_head(struct call *c, const struct http_result *head UNUSED)
{
    act(c, IN_HEAD);
}

static int plan_piece(struct call *c, const char *bytes UNUSED, size_t len UNUSED, struct error *err UNUSED)
{
    act(c, IN_PIECE);
    return 0;
}

static void plan_done(struct call *c, const struct http_result *r UNUSED)
{
    act(c, IN_DONE);
}

static struct call planned(struct plan *plan)
{
    return (struct call){
        .on_send = plan_send, .on_head = plan_head, .on_piece = plan_piece, .on_done = plan_done, .data = plan};
}

static void long_answer(struct fixture *f)
{
    struct script *s = script_new();
    script_split(s, 5, 0);
    script_reply(s, 200, NULL, "0123456789012345678901234567890123456789");
    server_default(f->server, NULL, "*", s);
}

static void test_cancel_itself(void **state UNUSED)
{
    for (int place = IN_SEND; place < N_PLACES; place++) {
        for (int kind = HTTP_SHARED; kind <= HTTP_DEDICATED; kind++) {
            struct fixture f = fixture_new(NULL);
            long_answer(&f);
            struct plan plan = {.place = (enum place)place};
            struct call c = planned(&plan);
            plan.victim = &c;
            call_start(&f, &c, (struct http_request){.connection = (enum http_connection)kind});
            int64_t end = clock_boot_us(&clock_system) + 10 * S;
            while (!plan.reached && clock_boot_us(&clock_system) < end)
                (void)loop_turn(f.loop, 10 * MS);
            int pieces = c.pieces;
            check_row(place_names[place], plan.reached == 1);
            check_row(place_names[place], http_active(f.http) == 0);
            turn_for(&f, 20 * MS);
            check_row(place_names[place], c.done == (place == IN_DONE) && c.pieces == pieces);
            check_row(place_names[place], server_seen(f.server) == (place == IN_SEND ? 0 : 1));
            fixture_done(&f);
        }
    }
}

/* The victim is in flight, on the same multi handle or another; or it has just been started. */
static void test_cancel_another(void **state UNUSED)
{
    for (int place = IN_SEND; place < N_PLACES; place++) {
        for (int kind = HTTP_SHARED; kind <= HTTP_DEDICATED; kind++) {
            struct fixture f = fixture_new(NULL);
            struct script *s = script_new();
            script_head(s, 200, "Content-Length: 5\r\n");
            script_text(s, "abc");
            script_stall(s);
            server_on(f.server, NULL, "/victim", s);
            struct call victim = {0}, fresh = {0};
            call_start(&f, &victim, (struct http_request){.path = "/victim", .connection = (enum http_connection)kind});
            turn_until_seen(&f, 1);
            turn_for(&f, 5 * MS);
            long_answer(&f);
            struct plan plan = {.place = (enum place)place, .victim = &victim, .started = &fresh};
            struct call c = planned(&plan);
            call_start(&f, &c, (struct http_request){0});
            call_wait(&c);
            call_wait(&fresh);
            check_row(place_names[place], c.status == 200 && fresh.status == 200 && victim.done == 0);
            check_row(place_names[place], http_active(f.http) == 0);
            for (int n = 0; n < 500 && server_connections(f.server) > 2; n++)
                turn_for(&f, 2 * MS);
            check_row(place_names[place], server_connections(f.server) <= 2); /* the victim's is closed */
            turn_for(&f, 5 * MS);
            check_row(place_names[place], victim.done == 0);
            call_clear(&fresh);
            fixture_done(&f);
        }
    }
}

static void test_start_from_each_place(void **state UNUSED)
{
    for (int place = IN_SEND; place < N_PLACES; place++) {
        struct fixture f = fixture_new(NULL);
        long_answer(&f);
        struct call fresh = {0};
        struct plan plan = {.place = (enum place)place, .started = &fresh};
        struct call c = planned(&plan);
        call_start(&f, &c, (struct http_request){0});
        call_wait(&c);
        call_wait(&fresh);
        check_row(place_names[place], fresh.status == 200 && fresh.body.len == 40 && c.status == 200);
        call_clear(&fresh);
        fixture_done(&f);
    }
}

static void test_cancel_at_odd_times(void **state UNUSED)
{
    struct fixture f = fixture_new(NULL);
    long_answer(&f);
    struct call c = {0};
    /* Before the loop ran at all. */
    call_start(&f, &c, (struct http_request){0});
    http_cancel(f.http, c.id);
    assert_int_equal(http_active(f.http), 0);
    /* Unknown, old and nonsensical ids. */
    http_cancel(f.http, c.id);
    http_cancel(f.http, 0);
    http_cancel(f.http, -1);
    http_cancel(f.http, INT64_MAX);
    http_cancel(f.http, c.id + 1);
    /* An old id does not hit the one that took its place. */
    struct call d = {0};
    call_start(&f, &d, (struct http_request){0});
    assert_true(d.id != c.id);
    http_cancel(f.http, c.id);
    assert_int_equal(http_active(f.http), 1);
    call_wait(&d);
    http_cancel(f.http, d.id);
    assert_int_equal(c.done, 0);
    call_clear(&d);
    fixture_done(&f);
}

/* Both are over, and the first to be told cancels the second: it is not told. */
static void test_cancel_what_is_finished_but_not_told(void **state UNUSED)
{
    struct fixture f = fixture_new(NULL);
    server_down(f.server);
    struct call second = {0};
    struct plan plan = {.place = IN_DONE, .victim = &second};
    struct call first = planned(&plan);
    call_start(&f, &second, (struct http_request){0});
    call_start(&f, &first, (struct http_request){.priority = LOOP_IO});
    call_wait(&first);
    turn_for(&f, 20 * MS);
    assert_int_equal(second.done, 0);
    assert_int_equal(http_active(f.http), 0);
    fixture_done(&f);
}

static void test_client_goes_with_requests_under_way(void **state UNUSED)
{
    struct fixture f = fixture_new(NULL);
    struct script *s = script_new();
    script_head(s, 200, "Content-Length: 5\r\n");
    script_stall(s);
    server_default(f.server, NULL, "*", s);
    struct call calls[5] = {0};
    for (size_t i = 0; i < 3; i++)
        call_start(&f, &calls[i], (struct http_request){.connection = i % 2 ? HTTP_SHARED : HTTP_DEDICATED});
    turn_until_seen(&f, 3);
    call_start(&f, &calls[3], (struct http_request){0});
    server_drop(f.server);
    call_start(&f, &calls[4], (struct http_request){.priority = LOOP_LEASE});
    fixture_done(&f);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(calls[i].done, 0);
}

/* Random scripts, random cancels, from inside and outside. */

enum { N = 400, PER_ROUND = 40 };

struct random_call {
    struct call call;
    bool cancelled;
    int heard_after;
};

struct chaos {
    struct rng rng;
    struct fixture *f;
    struct random_call *calls;
    size_t started;
};

static void random_cancel(struct chaos *chaos)
{
    if (chaos->started == 0 || rng_below(&chaos->rng, 4) != 0)
        return;
    size_t back = (size_t)rng_below(&chaos->rng, MIN(chaos->started, PER_ROUND));
    struct random_call *victim = &chaos->calls[chaos->started - 1 - back];
    if (!victim->call.done)
        victim->cancelled = true;
    http_cancel(chaos->f->http, victim->call.id);
}

static void heard(struct call *c)
{
    struct random_call *r = CONTAINER_OF(c, struct random_call, call);
    r->heard_after += r->cancelled;
    random_cancel(c->data);
}

static int chaos_send(struct call *c, struct error *err)
{
    heard(c);
    struct chaos *chaos = c->data;
    return rng_below(&chaos->rng, 20) == 0 ? error_set(err, ERROR_FENCED, "no") : 0;
}

static void chaos_head(struct call *c, const struct http_result *r UNUSED)
{
    heard(c);
}

static int chaos_piece(struct call *c, const char *bytes UNUSED, size_t len UNUSED, struct error *err)
{
    heard(c);
    struct chaos *chaos = c->data;
    return rng_below(&chaos->rng, 30) == 0 ? error_set(err, ERROR_PARSE, "no") : 0;
}

static struct script *random_script(struct rng *rng)
{
    struct script *s = script_new();
    if (rng_below(rng, 3) == 0)
        script_delay(s, (int)rng_below(rng, 10));
    script_split(s, 1 + (size_t)rng_below(rng, 40), rng_below(rng, 4) == 0 ? 1 : 0);
    switch (rng_below(rng, 8)) {
    case 0:
        script_cut(s);
        break;
    case 1:
        script_head(s, 200, "Content-Length: 50\r\n");
        script_text(s, "12345");
        script_reset(s);
        break;
    case 2:
        script_head(s, 200, "Transfer-Encoding: chunked\r\n");
        script_chunk(s, "12345");
        script_stall(s);
        break;
    default:
        script_reply(s, 200, NULL, "0123456789012345678901234567890123456789");
    }
    return s;
}

static void random_start(struct chaos *chaos)
{
    struct random_call *r = &chaos->calls[chaos->started++];
    r->call = (struct call){.on_send = chaos_send, .on_head = chaos_head, .on_piece = chaos_piece, .data = chaos};
    server_on(chaos->f->server, NULL, "*", random_script(&chaos->rng));
    static const enum loop_priority priorities[] = {LOOP_LEASE, LOOP_IO, LOOP_NORMAL, LOOP_IDLE};
    call_start(chaos->f, &r->call,
               (struct http_request){.method = rng_below(&chaos->rng, 2) ? "GET" : "POST",
                                     .connection = rng_below(&chaos->rng, 2) ? HTTP_SHARED : HTTP_DEDICATED,
                                     .priority = priorities[rng_below(&chaos->rng, 4)],
                                     .total_timeout_us = 300 * MS,
                                     .idle_timeout_us = (int64_t)rng_below(&chaos->rng, 3) * 50 * MS});
}

static void test_any_order_of_events(void **state UNUSED)
{
    struct fixture f = fixture_new(NULL);
    struct chaos chaos = {.f = &f, .calls = xcalloc(N, sizeof(*chaos.calls))};
    rng_seed(&chaos.rng, 20261121);
    size_t cancelled = 0, failed = 0, well = 0;
    while (chaos.started < N) {
        for (size_t i = 0; i < PER_ROUND; i++) {
            random_start(&chaos);
            random_cancel(&chaos);
            (void)loop_turn(f.loop, 0);
        }
        int64_t end = clock_boot_us(&clock_system) + 10 * S;
        while (http_active(f.http) > 0 && clock_boot_us(&clock_system) < end)
            (void)loop_turn(f.loop, 10 * MS);
        assert_int_equal(http_active(f.http), 0);
    }
    turn_for(&f, 10 * MS);
    for (size_t i = 0; i < N; i++) {
        const struct random_call *r = &chaos.calls[i];
        assert_int_equal(r->heard_after, 0);
        assert_int_equal(r->call.done, r->cancelled ? 0 : 1);
        cancelled += r->cancelled;
        failed += !r->cancelled && r->call.err.kind != ERROR_NONE;
        well += !r->cancelled && r->call.err.kind == ERROR_NONE;
    }
    /* Each kind has been there. */
    if (cancelled < N / 50 || failed < N / 50 || well < N / 50)
        fail_msg("cancelled %zu, failed %zu, well %zu", cancelled, failed, well);
    free(chaos.calls);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_itself),
        cmocka_unit_test(test_cancel_another),
        cmocka_unit_test(test_start_from_each_place),
        cmocka_unit_test(test_cancel_at_odd_times),
        cmocka_unit_test(test_cancel_what_is_finished_but_not_told),
        cmocka_unit_test(test_client_goes_with_requests_under_way),
        cmocka_unit_test(test_any_order_of_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
