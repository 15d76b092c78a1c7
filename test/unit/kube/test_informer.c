/* The informer on a server that behaves: lists, pages, watches, resumes, and what handlers are told. */
#include "base/alloc.h"
#include "base/str.h"
#include "test/api/watcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    *state = watcher_new();
    return 0;
}

static int teardown(void **state)
{
    watcher_free(*state);
    return 0;
}

static void put(struct watcher *w, const char *name, const char *body)
{
    (void)api_put(w->world->api, &api_pods, "shop", name, body);
}

static void drop(struct watcher *w, const char *name)
{
    assert_true(api_delete(w->world->api, &api_pods, "shop", name) > 0);
}

/* ---- list, then watch ---- */

static void test_first_list_is_consistent(void **state)
{
    struct watcher *w = *state;
    put(w, "a", "{}");
    put(w, "b", "{}");
    watcher_start(w);
    assert_int_equal(informer_age_us(w->informer), 0);
    assert_false(informer_synced(w->informer));
    watcher_in_step(w);
    watcher_told_in_any_order(w, "+a +b synced ");
    assert_true(str_ends(buf_str(&w->told), "synced "));
    assert_true(informer_synced(w->informer));
    assert_null(informer_error(w->informer));
    assert_int_equal(informer_count(w->informer), 2);
    watcher_asked(w, API_LIST, 0, "/api/v1/pods?limit=500");
    const struct object *a = informer_get(w->informer, "shop", "a");
    assert_string_equal(a->meta.name, "a");
    assert_null(informer_get(w->informer, NULL, "a"));
    assert_null(informer_get(w->informer, "shop", "c"));
}

static void test_watch_parameters(void **state)
{
    struct watcher *w = *state;
    for (unsigned round = 0; round < 20; round++) {
        int64_t seconds;
        watcher_fresh(w);
        watcher_start(w);
        watcher_in_step(w);
        char *path = api_path(w->world->api, API_WATCH, round);
        const char *timeout = strstr(path, "&timeoutSeconds=");
        assert_true(str_starts(path, "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=1000&"));
        assert_non_null(timeout);
        assert_true(str_to_i64(timeout + 16, &seconds));
        assert_in_range(seconds, 300, 600);
        free(path);
    }
}

static void test_selectors_and_namespace(void **state)
{
    struct watcher *w = *state;
    watcher_fresh(w);
    w->config.namespace_ = "shop";
    w->config.label_selector = "app in (a,b)";
    w->config.field_selector = "status.phase!=Failed";
    put(w, "a", "{}");
    (void)api_put(w->world->api, &api_pods, "other", "b", "{}");
    watcher_start(w);
    watcher_in_step(w);
    watcher_told(w, "+a synced ");
    watcher_asked(w, API_LIST, 0,
                  "/api/v1/namespaces/shop/"
                  "pods?labelSelector=app%20in%20%28a%2Cb%29&fieldSelector=status.phase%21%3DFailed&limit=500");
    char *path = api_path(w->world->api, API_WATCH, 0);
    assert_true(str_starts(path, "/api/v1/namespaces/shop/pods?labelSelector=app%20in%20%28a%2Cb%29&fieldSelector="));
    free(path);
}

static void test_metadata_only(void **state)
{
    struct watcher *w = *state;
    watcher_fresh(w);
    w->config.metadata_only = true;
    watcher_start(w);
    watcher_until_watching(w);
    char *accept = api_header(w->world->api, API_LIST, 0, "Accept");
    assert_string_equal(accept, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
    free(accept);
    accept = api_header(w->world->api, API_WATCH, 0, "Accept");
    assert_string_equal(accept, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
    free(accept);
    api_tell(w->world->api, "ADDED",
             "{\"kind\":\"PartialObjectMetadata\",\"metadata\":{\"namespace\":\"shop\",\"name\":\"a\","
             "\"uid\":\"u\","
             "\"resourceVersion\":\"2000\"}}");
    watcher_until_told(w, "synced +a ");
}

static void test_pages(void **state)
{
    struct watcher *w = *state;
    char name[16];
    watcher_fresh(w);
    w->config.page_size = 50;
    for (unsigned n = 0; n < 120; n++) {
        snprintf(name, sizeof(name), "pod-%03u", n);
        put(w, name, "{}");
    }
    watcher_start(w);
    watcher_in_step(w);
    assert_int_equal(informer_count(w->informer), 120);
    watcher_asked(w, API_LIST, 0, "/api/v1/pods?limit=50");
    watcher_asked(w, API_LIST, 1, "/api/v1/pods?limit=50&continue=1%20at%2B50");
    watcher_asked(w, API_LIST, 2, "/api/v1/pods?limit=50&continue=1%20at%2B100");
    assert_int_equal(informer_stats(w->informer).reflector.lists, 1);
    assert_int_equal(informer_stats(w->informer).reflector.pages, 3);
    /* A relist is not paged: a limit would send the server to its disk. */
    buf_clear(&w->told);
    api_tell_error(w->world->api, 410, "Expired");
    watcher_until_lists(w, 4);
    char *path = api_path(w->world->api, API_LIST, 3);
    assert_string_equal(path, "/api/v1/pods?resourceVersion=1120");
    free(path);
    watcher_in_step(w);
    watcher_told(w, "");
}

/* ---- what the handler is told ---- */

static void test_changes(void **state)
{
    struct watcher *w = *state;
    put(w, "a", "{}");
    watcher_start(w);
    watcher_in_step(w);
    put(w, "b", "{}");
    put(w, "a", "{\"spec\":{\"x\":1}}");
    drop(w, "b");
    watcher_in_step(w);
    watcher_until_told(w, "+a synced +b ~a -b ");
}

/* An object that no longer matches the selector arrives as DELETED, and may come back. */
static void test_leaving_the_selector(void **state)
{
    struct watcher *w = *state;
    put(w, "a", "{}");
    watcher_start(w);
    watcher_in_step(w);
    api_tell(w->world->api, "DELETED",
             "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"shop\",\"name\":\"a\",\"uid\":\"uid-1\","
             "\"resourceVersion\":\"1005\"}}");
    api_tell(w->world->api, "ADDED",
             "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"shop\",\"name\":\"a\",\"uid\":\"uid-1\","
             "\"resourceVersion\":\"1006\"}}");
    watcher_until_told(w, "+a synced -a +a ");
}

static void test_duplicates_and_old_events(void **state)
{
    struct watcher *w = *state;
    put(w, "a", "{}");
    watcher_start(w);
    watcher_in_step(w);
    put(w, "a", "{\"spec\":{\"x\":1}}");
    put(w, "b", "{}");
    drop(w, "b");
    watcher_in_step(w);
    watcher_until_told(w, "+a synced ~a +b -b ");
    api_repeat(w->world->api, 4);
    put(w, "c", "{}");
    watcher_until_told(w, "+a synced ~a +b -b +c ");
    assert_int_equal(informer_stats(w->informer).reflector.outdated, 4);
    watcher_in_step(w);
}

static void test_created_anew(void **state)
{
    struct watcher *w = *state;
    put(w, "a", "{}");
    watcher_start(w);
    watcher_in_step(w);
    /* The watch misses the deletion: the next thing it hears of is another object of the same name. */
    api_mute(w->world->api, true);
    drop(w, "a");
    put(w, "a", "{}");
    char *now = api_get(w->world->api, &api_pods, "shop", "a");
    api_tell(w->world->api, "MODIFIED", now);
    free(now);
    watcher_until_told(w, "+a synced -a +a ");
    /* The same through a relist. */
    drop(w, "a");
    put(w, "a", "{}");
    api_compact(w->world->api);
    api_mute(w->world->api, false);
    api_tell_error(w->world->api, 410, "Expired");
    watcher_until_told(w, "+a synced -a +a -a +a ");
    watcher_in_step(w);
}

static void test_relist_reports_the_difference(void **state)
{
    struct watcher *w = *state;
    put(w, "same", "{}");
    put(w, "changed", "{}");
    put(w, "gone", "{}");
    watcher_start(w);
    watcher_in_step(w);
    struct object *same = object_ref(informer_get(w->informer, "shop", "same"));
    buf_clear(&w->told);
    api_mute(w->world->api, true);
    put(w, "changed", "{\"spec\":{}}");
    put(w, "new", "{}");
    drop(w, "gone");
    api_compact(w->world->api);
    api_mute(w->world->api, false);
    api_tell_error(w->world->api, 410, "Expired");
    watcher_in_step(w);
    watcher_told_in_any_order(w, "-gone ~changed +new ");
    assert_true(str_starts(buf_str(&w->told), "-gone "));              /* what vanished first */
    assert_ptr_equal(informer_get(w->informer, "shop", "same"), same); /* not a second copy of what is unchanged */
    object_unref(same);
}

static void test_unwanted(void **state)
{
    struct watcher *w = *state;
    put(w, "a", "{}");
    put(w, "done", "{\"unwanted\":true}");
    watcher_start(w);
    watcher_until_watching(w);
    put(w, "a", "{\"unwanted\":true}");
    put(w, "done", "{\"unwanted\":true,\"x\":1}");
    put(w, "b", "{}");
    watcher_until_told(w, "+a synced -a +b ");
    put(w, "a", "{}");
    watcher_until_told(w, "+a synced -a +b +a ");
    assert_int_equal(informer_count(w->informer), 2);
    assert_int_equal(informer_stats(w->informer).undecodable, 0);
}

static void count_one(void *data, const struct object *o)
{
    unsigned *counts = data;
    counts[o->meta.name[0] == 'a']++;
}

static void test_each(void **state)
{
    struct watcher *w = *state;
    unsigned counts[2] = {0};
    put(w, "a1", "{}");
    put(w, "b1", "{}");
    (void)api_put(w->world->api, &api_pods, "other", "a2", "{}");
    watcher_start(w);
    watcher_in_step(w);
    informer_each(w->informer, NULL, count_one, counts);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 2);
    counts[0] = counts[1] = 0;
    informer_each(w->informer, "other", count_one, counts);
    assert_int_equal(counts[0], 0);
    assert_int_equal(counts[1], 1);
}

/* ---- resuming ---- */

static void test_clean_end_resumes(void **state)
{
    struct watcher *w = *state;
    put(w, "a", "{}");
    watcher_start(w);
    watcher_in_step(w);
    put(w, "b", "{}"); /* 1002 */
    watcher_in_step(w);
    api_mute(w->world->api, true);
    put(w, "c", "{}");
    drop(w, "a");
    api_watch_end(w->world->api, API_END_CLEAN);
    api_mute(w->world->api, false);
    watcher_in_step(w);
    watcher_until_told(w, "+a synced +b +c -a ");
    watcher_watched_from(w, 1, "1002");
    assert_int_equal(api_count(w->world->api, API_LIST), 1);
    assert_null(informer_error(w->informer));
    assert_int_equal(informer_stats(w->informer).reflector.errors, 0);
}

static void test_bookmarks_move_the_start(void **state)
{
    struct watcher *w = *state;
    watcher_start(w);
    watcher_in_step(w);
    /* Others write; this collection does not change. */
    (void)api_put(w->world->api, &api_leases, "sys", "l", "{}");
    (void)api_put(w->world->api, &api_leases, "sys", "l", "{}");
    clock_fake_advance(&w->world->clock, 50 * USEC_PER_SEC);
    assert_int_equal(informer_age_us(w->informer), 50 * USEC_PER_SEC);
    api_bookmark(w->world->api);
    watcher_until_bookmarks(w, 1);
    assert_int_equal(informer_age_us(w->informer), 0);
    api_watch_end(w->world->api, API_END_CLEAN);
    watcher_until_watches(w, 2);
    watcher_watched_from(w, 1, "1002");
    /* A bookmark that goes back is no reason to. */
    api_tell(w->world->api, "BOOKMARK", "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"7\"}}");
    watcher_until_bookmarks(w, 2);
    api_watch_end(w->world->api, API_END_CLEAN);
    watcher_until_watches(w, 3);
    watcher_watched_from(w, 2, "1002");
}

static void test_any_split(void **state)
{
    struct watcher *w = *state;
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1000};
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        watcher_fresh(w);
        api_split(w->world->api, pieces[i], 0);
        put(w, "a", "{\"spec\":{\"text\":\"}{\\\"\\\\\"}}");
        put(w, "b", "{}");
        watcher_start(w);
        watcher_in_step(w);
        put(w, "a", "{\"spec\":{\"x\":[1,{\"y\":\"\\n\"}]}}");
        put(w, "c", "{}");
        drop(w, "b");
        watcher_in_step(w);
        watcher_told_in_any_order(w, "+a +b synced ~a +c -b ");
        drop(w, "a");
        drop(w, "c");
        watcher_in_step(w);
    }
}

static void test_metrics(void **state)
{
    struct watcher *w = *state;
    put(w, "a", "{}");
    watcher_start(w);
    watcher_in_step(w);
    put(w, "b", "{}");
    put(w, "b", "{\"spec\":{}}");
    drop(w, "a");
    watcher_in_step(w);
    struct buf text = BUF_INIT(1 << 20);
    metrics_write(w->world->metrics, &text, false);
    static const char *const lines[] = {
        "reflector_lists_total{resource=\"pods\",namespace=\"\"} 1\n",
        "reflector_watches_total{resource=\"pods\",namespace=\"\"} 1\n",
        "reflector_watch_events_total{resource=\"pods\",namespace=\"\",type=\"ADDED\"} 1\n",
        "reflector_watch_events_total{resource=\"pods\",namespace=\"\",type=\"MODIFIED\"} 1\n",
        "reflector_watch_events_total{resource=\"pods\",namespace=\"\",type=\"DELETED\"} 1\n",
        "reflector_errors_total{resource=\"pods\",namespace=\"\"} 0\n",
        "reflector_items{resource=\"pods\",namespace=\"\"} 1\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        if (!strstr(buf_str(&text), lines[i]))
            fail_msg("no %s in\n%s", lines[i], buf_str(&text));
    buf_clear(&text);
    watcher_fresh(w);
    metrics_write(w->world->metrics, &text, false);
    assert_null(strstr(buf_str(&text), "resource=\"pods\""));
    buf_done(&text);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_first_list_is_consistent),
        TEST(test_watch_parameters),
        TEST(test_selectors_and_namespace),
        TEST(test_metadata_only),
        TEST(test_pages),
        TEST(test_changes),
        TEST(test_leaving_the_selector),
        TEST(test_duplicates_and_old_events),
        TEST(test_created_anew),
        TEST(test_relist_reports_the_difference),
        TEST(test_unwanted),
        TEST(test_each),
        TEST(test_clean_end_resumes),
        TEST(test_bookmarks_move_the_start),
        TEST(test_any_split),
        TEST(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
