/* The informer on servers and objects that are not what they should be: half lists, foreign bodies, streams that are
 * none, objects that can't be decoded. */
#include "base/alloc.h"
#include "base/str.h"
#include "test/api/watcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FOR_EVER 1000000

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

/* In step with one pod "a" at 1001, nothing told yet. */
static void begin(struct watcher *w)
{
    put(w, "a", "{}");
    watcher_start(w);
    watcher_in_step(w);
    buf_clear(&w->told);
}

static void fault(struct watcher *w, struct api_fault f)
{
    api_fault(w->world->api, &f);
}

static struct reflector_stats stats(const struct watcher *w)
{
    return informer_stats(w->informer).reflector;
}

struct goal {
    struct watcher *w;
    uint64_t lists, watches;
};

static bool reached(void *data)
{
    const struct goal *g = data;
    return stats(g->w).lists >= g->lists && stats(g->w).watches >= g->watches;
}

/* Until so many lists and watches were begun; gives the client's time then. */
static int64_t until(struct watcher *w, uint64_t lists, uint64_t watches)
{
    struct goal g = {w, lists, watches};
    if (!world_until(w->world, reached, &g))
        fail_msg("only %d lists and %d watches", (int)stats(w).lists, (int)stats(w).watches);
    return w->world->clock.boot_us;
}

static void assert_error(struct watcher *w, const char *part)
{
    const struct error *err = informer_error(w->informer);
    if (!err || !strstr(error_text(err), part))
        fail_msg("error is \"%s\", want \"%s\"", err ? error_text(err) : "none", part);
}

/* ---- lists that are none ---- */

static void test_absence_in_a_failed_list_is_no_deletion(void **state)
{
    struct watcher *w = *state;
    put(w, "b", "{}");
    put(w, "c", "{}");
    begin(w);
    for (size_t bytes = 0; bytes < 600; bytes += 37) {
        uint64_t lists = stats(w).lists;
        fault(w, (struct api_fault){.op = API_LIST, .how = API_CUT, .bytes = bytes});
        api_tell_error(w->world->api, 410, "Expired");
        (void)until(w, lists + 1, 0);
        watcher_in_step(w);
    }
    assert_true(stats(w).errors > 15);
    watcher_told(w, "");
    assert_int_equal(informer_count(w->informer), 3);
}

static void test_lists_that_lie(void **state)
{
    struct watcher *w = *state;
    static const char *const bodies[] = {
        "<html><body>Please log in</body></html>",
        "",
        "{}",
        "[]",
        "null",
        "{\"kind\":\"Status\",\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}",
        "{\"kind\":\"PodList\",\"items\":[]}",
        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"\"},\"items\":[]}",
        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":7},\"items\":[]}",
        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":{}}",
        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"}}",
        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]} {}",
        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"a\":1]}",
    };
    begin(w);
    for (size_t n = 0; n < ARRAY_SIZE(bodies); n++) {
        uint64_t lists = stats(w).lists;
        fault(w, (struct api_fault){.op = API_LIST, .how = API_SAY, .body = bodies[n]});
        api_tell_error(w->world->api, 410, "Expired");
        (void)until(w, lists + 1, 0);
        watcher_until_error(w, true);
        assert_error(w, "listing pods: ");
        assert_int_equal(informer_count(w->informer), 1);
        (void)until(w, lists + 2, 0);
        watcher_in_step(w);
    }
    watcher_told(w, "");
}

/* Pages that never end are given up. */
static void test_endless_list(void **state)
{
    struct watcher *w = *state;
    fault(w, (struct api_fault){.op = API_LIST,
                                .how = API_SAY,
                                .body = "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\","
                                        "\"continue\":\"x\"},\"items\":[]}",
                                .times = FOR_EVER});
    watcher_start(w);
    watcher_until_error(w, true);
    assert_error(w, "does not end");
    api_heal(w->world->api);
    watcher_in_step(w);
}

/* ---- events that lie ---- */

static void test_streams_that_lie(void **state)
{
    struct watcher *w = *state;
    static const char *const texts[] = {
        "hello\n",
        "{}\n",
        "[]\n",
        "{\"type\":\"ADDED\"}\n",
        "{\"type\":7,\"object\":{}}\n",
        "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\"}}}\n",
        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{}}}\n",
        "}\n",
        "<html>\n",
    };
    begin(w);
    for (size_t n = 0; n < ARRAY_SIZE(texts); n++) {
        uint64_t lists = stats(w).lists;
        api_tell_raw(w->world->api, texts[n]);
        (void)until(w, lists + 1, 0);
        watcher_in_step(w);
    }
    watcher_told(w, "");
}

static void test_events_that_are_left_out(void **state)
{
    struct watcher *w = *state;
    begin(w);
    api_tell(w->world->api, "NOVELTY", "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"2000\"}}");
    api_tell(w->world->api, "ADDED",
             "{\"kind\":\"Status\",\"metadata\":{\"namespace\":\"shop\",\"name\":\"x\",\"uid\":\"u\","
             "\"resourceVersion\":\"2001\"}}");
    api_tell(w->world->api, "ADDED", "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"2002\"}}");
    api_tell(w->world->api, "DELETED",
             "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"shop\",\"name\":\"nobody\",\"uid\":\"u\","
             "\"resourceVersion\":\"2003\"}}");
    api_tell(w->world->api, "ADDED",
             "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"shop\",\"name\":\"b\",\"uid\":\"u\","
             "\"resourceVersion\":\"2004\"}}");
    watcher_until_told(w, "+b ");
    assert_int_equal(stats(w).lists, 1);
    assert_int_equal(stats(w).watches, 1);
    assert_int_equal(informer_stats(w->informer).undecodable, 2);
}

static void test_event_beyond_the_cap(void **state)
{
    struct watcher *w = *state;
    begin(w);
    size_t len = (size_t)17 << 20;
    struct buf text = BUF_INIT(len + 256);
    (void)buf_puts(&text, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"x\":\"");
    while (text.len < len)
        (void)buf_puts(&text, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    (void)buf_puts(&text, "\"}}\n");
    api_tell_raw(w->world->api, buf_str(&text));
    buf_done(&text);
    (void)until(w, 2, 1);
    watcher_in_step(w);
    watcher_told(w, "");
}

/* ---- objects that can't be decoded ---- */

static void test_undecodable(void **state)
{
    struct watcher *w = *state;
    put(w, "a", "{}");
    put(w, "b", "{\"bad\":true}");
    put(w, "c", "{}");
    watcher_start(w);
    watcher_until_watching(w);
    watcher_told_in_any_order(w, "+a +c synced ");
    buf_clear(&w->told);
    /* What was good before stays as it was, in the watch and in a relist. */
    put(w, "a", "{\"bad\":true}");
    put(w, "b", "{\"bad\":true,\"x\":1}");
    put(w, "c", "{\"spec\":{}}");
    watcher_until_told(w, "~c ");
    assert_int_equal(informer_stats(w->informer).undecodable, 3);
    api_tell_error(w->world->api, 410, "Expired");
    (void)until(w, 2, 2);
    watcher_told(w, "~c ");
    assert_string_equal(informer_get(w->informer, "shop", "a")->meta.resource_version, "1001");
    /* A deletion is understood all the same, and so is a repair. */
    put(w, "b", "{}");
    (void)api_delete(w->world->api, &api_pods, "shop", "a");
    watcher_until_told(w, "~c +b -a ");
    watcher_in_step(w);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_absence_in_a_failed_list_is_no_deletion),
        TEST(test_lists_that_lie),
        TEST(test_endless_list),
        TEST(test_streams_that_lie),
        TEST(test_events_that_are_left_out),
        TEST(test_event_beyond_the_cap),
        TEST(test_undecodable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
