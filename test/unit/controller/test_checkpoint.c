/* Checkpoints against an API server: what is restored and what is discarded, what a failed write leads to, the rate of
 * writes, the last ones, and what is kept of a removed autoscaler. */
#include "api/pa.h"
#include "api/pa_checkpoint.h"
#include "base/alloc.h"
#include "base/str.h"
#include "reconcile/checkpoint.h"
#include "reconcile/expiry.h"
#include "test/api/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY        "shop/web"
#define INTERVAL   (600 * USEC_PER_SEC)
#define DAY_US     (INT64_C(86400) * USEC_PER_SEC)
#define EXPIRES_IN "\"expireTime\""

struct fixture {
    struct world *world;
    struct checkpoints *checkpoints;
    struct core_spec spec;
    struct core_state *state;
    struct core_state *loaded;
    char note[400];
    struct error error;
    bool done;
    size_t written, left;
};

/* A state with `n` samples of a metric, the last of them just now. */
static struct core_state *state_with(const struct fixture *f, uint32_t n)
{
    struct core_state *s = core_state_new(&f->spec);
    struct demand *d = core_state_demand(s, "cpu");
    int64_t now = f->world->clock.real_us / USEC_PER_SEC / 300;
    for (uint32_t i = 0; i < n; i++)
        demand_push_slot(d, now - n + i, 2 + i % 3, 120);
    return s;
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    const struct checkpoints_config config = {.interval_us = INTERVAL, .writes_per_second = 10};
    f->world = world_new();
    f->checkpoints = checkpoints_new(f->world->client, &config, f->world->log, f->world->metrics, &f->world->rng);
    f->spec = core_spec_default();
    f->state = state_with(f, 600);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    checkpoints_free(f->checkpoints);
    core_state_free(f->state);
    core_state_free(f->loaded);
    world_free(f->world);
    free(f);
    return 0;
}

static struct checkpoint_owner owner(void)
{
    return (struct checkpoint_owner){.namespace_ = "shop",
                                     .name = "web",
                                     .uid = "u-1",
                                     .target_kind = "Deployment",
                                     .target_name = "web",
                                     .target_uid = "t-1"};
}

static const struct core_state *current(void *data)
{
    const struct fixture *f = data;
    return f->state;
}

static const struct core_state *itself(void *data)
{
    return data;
}

static void track(struct fixture *f, bool annotated)
{
    struct checkpoint_owner who = owner();
    who.annotated = annotated;
    checkpoints_track(f->checkpoints, KEY, &who, current, f);
}

static void save(struct fixture *f)
{
    track(f, false);
    checkpoints_save_soon(f->checkpoints, KEY);
    world_pass(f->world, USEC_PER_SEC);
}

static bool is_done(void *data)
{
    return ((const struct fixture *)data)->done;
}

static void on_loaded(void *data, struct core_state *state, const char *note, const struct error *err)
{
    struct fixture *f = data;
    core_state_free(f->loaded);
    f->loaded = state;
    f->error = err ? *err : ERROR_INIT;
    (void)str_copy(f->note, sizeof(f->note), note);
    f->done = true;
}

static void load_as(struct fixture *f, const struct checkpoint_owner *who)
{
    f->done = false;
    (void)checkpoints_load(f->checkpoints, who, &f->spec, on_loaded, f);
    assert_true(world_until(f->world, is_done, f));
}

static void load(struct fixture *f)
{
    struct checkpoint_owner who = owner();
    load_as(f, &who);
}

static uint32_t samples_of(struct core_state *s)
{
    return demand_filled_slots(core_state_demand(s, "cpu"));
}

/* Changes the stored object: `from` becomes `to` in its JSON. */
static void tamper(struct fixture *f, const char *name, const char *from, const char *to)
{
    char *json = api_get(f->world->api, &api_checkpoints, "shop", name);
    assert_non_null(json);
    char *at = strstr(json, from);
    assert_non_null(at);
    _cleanup_(freep) char *changed = xasprintf("%.*s%s%s", (int)(at - json), json, to, at + strlen(from));
    (void)api_put(f->world->api, &api_checkpoints, "shop", name, changed);
    free(json);
}

/* Replaces the data of the stored object by these bytes. */
static void replace_data(struct fixture *f, const char *name, const struct buf *bytes)
{
    char *json = api_get(f->world->api, &api_checkpoints, "shop", name);
    struct pa_checkpoint c;
    _json_cleanup_ json_t *root = json_parse(json, strlen(json), NULL);
    assert_int_equal(pa_checkpoint_decode(root, &c, NULL), 0);
    buf_clear(&c.data);
    (void)buf_append(&c.data, bytes->data, bytes->len);
    struct buf body = BUF_INIT(1 << 20);
    pa_checkpoint_body(&c, "shop", NULL, &body);
    (void)api_put(f->world->api, &api_checkpoints, "shop", name, buf_str(&body));
    buf_done(&body);
    pa_checkpoint_done(&c);
    free(json);
}

/* ---- restoring ---- */

static void test_what_was_saved_is_restored(void **state)
{
    struct fixture *f = *state;
    save(f);
    assert_true(api_has(f->world->api, &api_checkpoints, "shop", "web-history"));
    load(f);
    assert_non_null(f->loaded);
    assert_string_equal(f->note, "from its checkpoint");
    struct buf was = BUF_INIT(1 << 20), now = BUF_INIT(1 << 20);
    core_state_encode(f->state, &was);
    core_state_encode(f->loaded, &now);
    assert_int_equal(was.len, now.len);
    assert_memory_equal(was.data, now.data, was.len);
    buf_done(&was);
    buf_done(&now);
}

static void test_without_a_checkpoint_history_begins(void **state)
{
    struct fixture *f = *state;
    load(f);
    assert_null(f->loaded);
    assert_int_equal(f->error.kind, ERROR_NONE);
    assert_string_equal(f->note, "there is no checkpoint");
}

static void test_a_tail_goes_without_its_history(void **state)
{
    struct fixture *f = *state;
    save(f);
    (void)api_delete(f->world->api, &api_checkpoints, "shop", "web-history");
    load(f);
    assert_non_null(f->loaded);
    assert_string_equal(f->note, "from its tail alone");
    assert_in_range(samples_of(f->loaded), 1, samples_of(f->state) - 1);
    /* A history of someone else is none. */
    save(f);
    load(f);
    checkpoints_untrack(f->checkpoints, KEY, false);
    save(f);
    tamper(f, "web-history", "\"uid\":\"t-1\"", "\"uid\":\"t-9\"");
    load(f);
    assert_string_equal(f->note, "from its tail alone");
}

static void test_foreign_tails_are_discarded(void **state)
{
    static const struct {
        const char *from, *to, *note;
    } cases[] = {
        {"\"uid\":\"t-1\"", "\"uid\":\"t-2\"", "discarded: the target was recreated"},
        {"\"name\":\"web\",\"uid\":\"u-1\"", "\"name\":\"web\",\"uid\":\"u-2\"",
         "discarded: the autoscaler was recreated"},
        {"\"autoscaler\":{\"name\":\"web\"", "\"autoscaler\":{\"name\":\"shop\"",
         "discarded: it is not this autoscaler's"},
        {"\"part\":\"Tail\"", "\"part\":\"History\"", "discarded: it is not this autoscaler's"},
        {"\"data\":\"", "\"data\":\"!!!!", "discarded: it can't be read"},
        {"\"spec\":{", "\"spec\":7,\"was\":{", "discarded: it can't be read"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        checkpoints_untrack(f->checkpoints, KEY, false);
        save(f);
        /* ownerReferences name the autoscaler too: the spec stands last. */
        char *json = api_get(f->world->api, &api_checkpoints, "shop", "web-tail"), *spec = strstr(json, "\"spec\":");
        char *at = strstr(spec, cases[i].from);
        assert_non_null(at);
        _cleanup_(freep) char *changed =
            xasprintf("%.*s%s%s", (int)(at - json), json, cases[i].to, at + strlen(cases[i].from));
        free(json);
        (void)api_put(f->world->api, &api_checkpoints, "shop", "web-tail", changed);
        load(f);
        assert_null(f->loaded);
        assert_int_equal(f->error.kind, ERROR_NONE);
        if (!str_starts(f->note, cases[i].note))
            fail_msg("case %zu: %s", i, f->note);
        (void)api_delete(f->world->api, &api_checkpoints, "shop", "web-tail");
    }
}

/* History of an annotated workload is bound to the workload: its autoscaler may be another object by now. */
static void test_annotated_history_is_found_by_its_target(void **state)
{
    struct fixture *f = *state;
    track(f, true);
    checkpoints_save_soon(f->checkpoints, KEY);
    world_pass(f->world, USEC_PER_SEC);
    struct checkpoint_owner who = owner();
    who.annotated = true;
    who.uid = "u-2";
    load_as(f, &who);
    assert_non_null(f->loaded);
    who.target_uid = "t-2";
    load_as(f, &who);
    assert_null(f->loaded);
}

/* A byte of a tail that is changed or cut off is noticed. */
static void test_corrupt_bytes_are_discarded(void **state)
{
    struct fixture *f = *state;
    save(f);
    struct buf tail = BUF_INIT(1 << 20), bad = BUF_INIT(1 << 20);
    core_state_encode_tail(f->state, &tail);
    assert_in_range(tail.len, 64, 16384);
    for (size_t i = 0; i <= 24; i++) {
        size_t at = i * (tail.len - 1) / 23;
        buf_clear(&bad);
        (void)buf_append(&bad, tail.data, i == 24 ? tail.len - 1 : tail.len);
        if (i < 24)
            bad.data[at] = (char)(bad.data[at] ^ 0x20);
        replace_data(f, "web-tail", &bad);
        load(f);
        if (f->loaded)
            fail_msg("byte %zu of %zu", at, tail.len);
        assert_true(str_starts(f->note, "discarded: "));
    }
    replace_data(f, "web-tail", &tail);
    load(f);
    assert_non_null(f->loaded);
    buf_done(&tail);
    buf_done(&bad);
}

/* A newer program wrote it: its version stands behind the four magic bytes, and the checksum is of the payload. */
static void test_a_newer_version_is_discarded(void **state)
{
    struct fixture *f = *state;
    save(f);
    struct buf tail = BUF_INIT(1 << 20);
    core_state_encode_tail(f->state, &tail);
    tail.data[4] = (char)(tail.data[4] + 1);
    replace_data(f, "web-tail", &tail);
    load(f);
    assert_null(f->loaded);
    assert_non_null(strstr(f->note, "of version 2, newer than 1"));
    buf_done(&tail);
}

static void test_an_answer_that_is_too_large_is_discarded(void **state)
{
    struct fixture *f = *state;
    save(f);
    _cleanup_(freep) char *filler = xcalloc(1, (1 << 20) + 100);
    memset(filler, 'x', (1 << 20) + 99);
    _cleanup_(freep) char *label = xasprintf("\"metadata\":{\"annotations\":{\"note\":\"%s\"},", filler);
    tamper(f, "web-tail", "\"metadata\":{", label);
    load(f);
    assert_null(f->loaded);
    assert_int_equal(f->error.kind, ERROR_NONE);
    assert_string_equal(f->note, "discarded: it is too large");
    _cleanup_(freep) char *data = xcalloc(1, 140001);
    memset(data, 'A', 140000);
    _cleanup_(freep) char *field = xasprintf("\"data\":\"%s", data);
    (void)api_delete(f->world->api, &api_checkpoints, "shop", "web-tail");
    checkpoints_untrack(f->checkpoints, KEY, false);
    save(f);
    tamper(f, "web-tail", "\"data\":\"", field);
    load(f);
    assert_null(f->loaded);
    assert_string_equal(f->note, "discarded: it can't be read");
}

/* No answer is not the answer "there is none": the caller asks again. */
static void test_an_error_is_not_an_empty_checkpoint(void **state)
{
    struct fixture *f = *state;
    save(f);
    api_fault(f->world->api, &(struct api_fault){.op = API_GET, .status = 403, .reason = "Forbidden"});
    load(f);
    assert_null(f->loaded);
    assert_int_equal(f->error.kind, ERROR_API);
    /* and at the second part, too */
    api_fault(f->world->api, &(struct api_fault){.op = API_GET, .skip = 1, .status = 403, .reason = "Forbidden"});
    load(f);
    assert_null(f->loaded);
    assert_int_equal(f->error.kind, ERROR_API);
    load(f);
    assert_non_null(f->loaded);
}

static void test_a_load_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    struct checkpoint_owner who = owner();
    f->done = false;
    int64_t id = checkpoints_load(f->checkpoints, &who, &f->spec, on_loaded, f);
    checkpoints_cancel(f->checkpoints, id);
    world_pass(f->world, USEC_PER_SEC);
    assert_false(f->done);
}

/* ---- writing ---- */

static unsigned patches(struct fixture *f)
{
    return api_count(f->world->api, API_PATCH);
}

static void test_the_history_is_written_when_a_segment_closes(void **state)
{
    struct fixture *f = *state;
    save(f);
    assert_int_equal(patches(f), 2);
    world_pass(f->world, INTERVAL + INTERVAL / 8);
    assert_int_equal(patches(f), 3);
    _cleanup_(freep) char *third = api_path(f->world->api, API_PATCH, 2);
    assert_non_null(strstr(third, "/web-tail?"));
    assert_non_null(strstr(third, "fieldManager="));
}

static void test_a_refused_write_is_made_again(void **state)
{
    static const struct {
        int status;
        const char *reason;
    } refusals[] = {{409, "Conflict"}, {403, "Forbidden"}, {422, "Invalid"}, {500, "InternalError"}};
    struct fixture *f = *state;
    track(f, false);
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        unsigned before = patches(f);
        api_fault(f->world->api,
                  &(struct api_fault){.op = API_PATCH, .status = refusals[i].status, .reason = refusals[i].reason});
        checkpoints_save_soon(f->checkpoints, KEY);
        world_pass(f->world, USEC_PER_SEC);
        assert_int_equal(patches(f), before + 1); /* the history first: its tail is nothing without it */
        assert_false(api_has(f->world->api, &api_checkpoints, "shop", "web-tail"));
    }
    world_pass(f->world, INTERVAL + INTERVAL / 8);
    assert_true(api_has(f->world->api, &api_checkpoints, "shop", "web-history"));
    assert_true(api_has(f->world->api, &api_checkpoints, "shop", "web-tail"));
    load(f);
    assert_non_null(f->loaded);
}

static void test_the_largest_state_fits(void **state)
{
    struct fixture *f = *state;
    f->spec.n_metrics = 4; /* that are forecast; 4032 slots each */
    f->spec.prediction.slots = 4032;
    for (uint32_t m = 1; m < 4; m++) {
        f->spec.metrics[m] = f->spec.metrics[0];
        (void)snprintf(f->spec.metrics[m].name, sizeof(f->spec.metrics[m].name), "%062u", m);
    }
    core_state_free(f->state);
    f->state = core_state_new(&f->spec);
    for (uint32_t m = 0; m < 4; m++)
        for (int64_t i = 0; i < 4200; i++)
            demand_push_slot(core_state_demand(f->state, f->spec.metrics[m].name), 5984000 + i, 1e9 / (double)(i + 1),
                             900);
    save(f);
    assert_int_equal(patches(f), 2);
    load(f);
    assert_non_null(f->loaded);
    assert_string_equal(f->note, "from its checkpoint");
}

static void test_ten_writes_per_second(void **state)
{
    struct fixture *f = *state;
    char keys[60][32];
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "a%02zu", i);
        (void)snprintf(keys[i], sizeof(keys[i]), "shop/%s", name);
        struct checkpoint_owner who = owner();
        who.name = who.uid = name;
        checkpoints_track(f->checkpoints, keys[i], &who, itself, f->state);
        checkpoints_save_soon(f->checkpoints, keys[i]);
    }
    /* A state has two parts the first time; the bucket counts autoscalers. */
    world_pass(f->world, USEC_PER_SEC / 20);
    assert_int_equal(patches(f), 20);
    world_pass(f->world, USEC_PER_SEC);
    assert_in_range(patches(f), 38, 42);
    world_pass(f->world, 5 * USEC_PER_SEC);
    assert_int_equal(patches(f), 120);
}

static bool has_begun(void *data)
{
    const struct fixture *f = data;
    return api_count(f->world->api, API_PATCH) > 0;
}

static void test_untracking_ends_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    api_fault(f->world->api, &(struct api_fault){.op = API_PATCH, .how = API_STALL});
    track(f, false);
    checkpoints_save_soon(f->checkpoints, KEY);
    assert_true(world_until(f->world, has_begun, f));
    checkpoints_untrack(f->checkpoints, KEY, true);
    world_pass(f->world, 2 * INTERVAL);
    assert_int_equal(patches(f), 1);
}

/* ---- the last ones ---- */

static void on_flushed(void *data, size_t written, size_t left)
{
    struct fixture *f = data;
    f->done = true;
    f->written = written;
    f->left = left;
}

static void test_the_last_tails_are_written(void **state)
{
    struct fixture *f = *state;
    track(f, false);
    checkpoints_flush(f->checkpoints, 15 * USEC_PER_SEC, on_flushed, f);
    assert_true(world_until(f->world, is_done, f));
    assert_int_equal(f->written, 1);
    assert_int_equal(f->left, 0);
    assert_true(api_has(f->world->api, &api_checkpoints, "shop", "web-tail"));
}

static void test_the_last_ones_have_a_deadline(void **state)
{
    struct fixture *f = *state;
    track(f, false);
    api_fault(f->world->api, &(struct api_fault){.op = API_PATCH, .how = API_STALL});
    checkpoints_flush(f->checkpoints, USEC_PER_SEC, on_flushed, f);
    world_pass(f->world, 2 * USEC_PER_SEC);
    assert_true(f->done);
    assert_int_equal(f->written, 0);
    assert_int_equal(f->left, 1);
}

/* What a removed autoscaler leaves behind is waited for like the tails of the others. */
static void test_a_farewell_is_among_the_last_ones(void **state)
{
    struct fixture *f = *state;
    track(f, true);
    api_split(f->world->api, 40, 1);
    checkpoints_untrack(f->checkpoints, KEY, true);
    checkpoints_flush(f->checkpoints, 15 * USEC_PER_SEC, on_flushed, f);
    assert_true(world_until(f->world, is_done, f));
    assert_int_equal(f->left, 0);
    assert_true(api_has(f->world->api, &api_checkpoints, "shop", "web-tail"));
    assert_true(api_has(f->world->api, &api_checkpoints, "shop", "web-history"));
}

static void test_a_farewell_ends_with_its_owner(void **state)
{
    struct fixture *f = *state;
    track(f, true);
    api_fault(f->world->api, &(struct api_fault){.op = API_PATCH, .how = API_STALL, .times = 2});
    checkpoints_untrack(f->checkpoints, KEY, true);
    assert_true(world_until(f->world, has_begun, f));
    f->checkpoints = checkpoints_free(f->checkpoints);
    world_pass(f->world, 60 * USEC_PER_SEC); /* a callback now would reach what is gone */
}

/* ---- what is kept, and for how long ---- */

static void test_history_is_kept_a_day(void **state)
{
    struct fixture *f = *state;
    struct expiry *expiry = expiry_new(f->world->client, NULL, f->world->log);
    track(f, true);
    checkpoints_save_soon(f->checkpoints, KEY);
    world_pass(f->world, USEC_PER_SEC);
    checkpoints_untrack(f->checkpoints, KEY, true);
    world_pass(f->world, USEC_PER_SEC);
    for (unsigned i = 2; i < 4; i++) {
        char *body = api_body(f->world->api, API_PATCH, i);
        assert_non_null(strstr(body, EXPIRES_IN));
        assert_null(strstr(body, "ownerReferences"));
        free(body);
    }
    for (int hour = 0; hour < 23; hour++) {
        world_pass(f->world, 3601 * USEC_PER_SEC);
        expiry_collect(expiry);
    }
    world_pass(f->world, USEC_PER_SEC);
    assert_int_equal(api_count(f->world->api, API_DELETE), 0);
    struct checkpoint_owner who = owner();
    who.annotated = true;
    load_as(f, &who);
    assert_non_null(f->loaded); /* the annotation came back in time */
    world_pass(f->world, 2 * 3600 * USEC_PER_SEC);
    expiry_collect(expiry);
    world_pass(f->world, USEC_PER_SEC);
    assert_int_equal(api_count(f->world->api, API_DELETE), 2);
    assert_false(api_has(f->world->api, &api_checkpoints, "shop", "web-tail"));
    assert_false(api_has(f->world->api, &api_checkpoints, "shop", "web-history"));
    expiry_free(expiry);
}

/* A history that came to life again has no end any more. */
static void test_history_in_use_does_not_expire(void **state)
{
    struct fixture *f = *state;
    struct expiry *expiry = expiry_new(f->world->client, NULL, f->world->log);
    track(f, false);
    checkpoints_save_soon(f->checkpoints, KEY);
    world_pass(f->world, USEC_PER_SEC);
    checkpoints_untrack(f->checkpoints, KEY, true); /* hand-written: its objects go with it, by their owner */
    world_pass(f->world, DAY_US + 3600 * USEC_PER_SEC);
    expiry_collect(expiry);
    world_pass(f->world, USEC_PER_SEC);
    assert_int_equal(patches(f), 2);
    assert_int_equal(api_count(f->world->api, API_DELETE), 0);
    char *body = api_body(f->world->api, API_PATCH, 1);
    assert_null(strstr(body, EXPIRES_IN));
    assert_non_null(strstr(body, "ownerReferences"));
    free(body);
    expiry_free(expiry);
}

/* The version that was listed, and no other, is deleted; one deletion that fails keeps no other from it, and the next
 * look finds what is left. */
static void test_expiry_goes_on_after_a_failure(void **state)
{
    struct fixture *f = *state;
    struct expiry *expiry = expiry_new(f->world->client, NULL, f->world->log);
    track(f, true);
    checkpoints_untrack(f->checkpoints, KEY, true);
    world_pass(f->world, DAY_US + USEC_PER_SEC);
    api_fault(f->world->api, &(struct api_fault){.op = API_LIST, .status = 403, .reason = "Forbidden"});
    expiry_collect(expiry);
    world_pass(f->world, USEC_PER_SEC);
    expiry_collect(expiry); /* not before an hour has passed */
    world_pass(f->world, USEC_PER_SEC);
    assert_int_equal(api_count(f->world->api, API_LIST), 1);
    world_pass(f->world, 3600 * USEC_PER_SEC);
    api_fault(f->world->api, &(struct api_fault){.op = API_DELETE, .status = 409, .reason = "Conflict"});
    expiry_collect(expiry);
    world_pass(f->world, USEC_PER_SEC);
    assert_int_equal(api_count(f->world->api, API_DELETE), 2);
    char *body = api_body(f->world->api, API_DELETE, 0);
    assert_non_null(strstr(body, "\"preconditions\":{\"resourceVersion\":"));
    free(body);
    world_pass(f->world, 3600 * USEC_PER_SEC);
    expiry_collect(expiry);
    world_pass(f->world, USEC_PER_SEC);
    assert_int_equal(api_count(f->world->api, API_DELETE), 3);
    struct buf left = BUF_INIT(4096);
    api_contents(f->world->api, &api_checkpoints, "shop", &left);
    assert_string_equal(buf_str(&left), "");
    buf_done(&left);
    expiry_free(expiry);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_saved_is_restored),
        TEST(test_without_a_checkpoint_history_begins),
        TEST(test_a_tail_goes_without_its_history),
        TEST(test_foreign_tails_are_discarded),
        TEST(test_annotated_history_is_found_by_its_target),
        TEST(test_corrupt_bytes_are_discarded),
        TEST(test_a_newer_version_is_discarded),
        TEST(test_an_answer_that_is_too_large_is_discarded),
        TEST(test_an_error_is_not_an_empty_checkpoint),
        TEST(test_a_load_can_be_cancelled),
        TEST(test_the_history_is_written_when_a_segment_closes),
        TEST(test_a_refused_write_is_made_again),
        TEST(test_the_largest_state_fits),
        TEST(test_ten_writes_per_second),
        TEST(test_untracking_ends_what_is_under_way),
        TEST(test_the_last_tails_are_written),
        TEST(test_the_last_ones_have_a_deadline),
        TEST(test_a_farewell_is_among_the_last_ones),
        TEST(test_a_farewell_ends_with_its_owner),
        TEST(test_history_is_kept_a_day),
        TEST(test_history_in_use_does_not_expire),
        TEST(test_expiry_goes_on_after_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
