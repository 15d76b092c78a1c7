/* See watcher.h. */
#include "test/api/watcher.h"

#include "base/alloc.h"
#include "base/str.h"
#include "test/server/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX ((size_t)16 << 20)

static void free_object(struct object *o)
{
    free(o);
}

static struct object *decode(void *data, const char *raw, size_t len, struct error *err)
{
    (void)data;
    _json_cleanup_ json_t *root = json_parse(raw, len, err);
    if (!root)
        return NULL;
    if (json_at(root, "bad")) {
        (void)error_set(err, ERROR_PARSE, "bad: want nothing of the kind");
        return NULL;
    }
    if (json_at(root, "unwanted"))
        return NULL;
    struct object *o = xcalloc(1, sizeof(*o));
    o->refs = 1;
    o->free = free_object;
    if (object_meta_decode(root, &o->meta, err) < 0) {
        free(o);
        return NULL;
    }
    return o;
}

static char *key_of(const struct object *o)
{
    return xasprintf("%s/%s", o->meta.namespace_ ? o->meta.namespace_ : "", o->meta.name);
}

static char *state_of(const struct object *o)
{
    return xasprintf("%s %s", o->meta.uid, o->meta.resource_version);
}

/* What informer.h promises to handlers. */
static void check_promises(struct watcher *w, enum informer_event event, const struct object *now,
                           const struct object *old)
{
    char *key = key_of(now), *believed = map_get(&w->shadow, key), *state = state_of(now);
    const struct object *stored = informer_get(w->informer, now->meta.namespace_, now->meta.name);
    assert_int_equal(event == INFORMER_ADDED, believed == NULL);
    assert_int_equal(event == INFORMER_UPDATED, old != NULL);
    if (event == INFORMER_UPDATED) {
        char *was = state_of(old);
        assert_string_equal(believed, was);
        assert_string_equal(now->meta.uid, old->meta.uid);
        assert_string_not_equal(now->meta.resource_version, old->meta.resource_version);
        free(was);
    }
    if (event == INFORMER_DELETED) {
        assert_string_equal(believed, state);
        assert_true(stored != now);
        (void)map_remove(&w->shadow, key);
        free(state);
    } else {
        assert_ptr_equal(stored, now);
        map_set(&w->shadow, key, state);
    }
    free(key);
}

static void handler(void *data, enum informer_event event, const struct object *now, const struct object *old)
{
    static const char signs[] = {[INFORMER_ADDED] = '+', [INFORMER_UPDATED] = '~', [INFORMER_DELETED] = '-'};
    struct watcher *w = data;
    check_promises(w, event, now, old);
    (void)buf_printf(&w->told, "%c%s ", signs[event], now->meta.name);
    if (w->on_event)
        w->on_event(w->data);
}

static void on_synced(void *data)
{
    struct watcher *w = data;
    assert_int_equal(w->synced, 0);
    assert_true(informer_synced(w->informer));
    w->synced++;
    (void)buf_puts(&w->told, "synced ");
}

struct watcher *watcher_new(void)
{
    struct watcher *w = xcalloc(1, sizeof(*w));
    w->world = world_new();
    w->config = (struct informer_config){.resource = &resource_pods,
                                         .decode = decode,
                                         .handler = handler,
                                         .on_synced = on_synced,
                                         .data = w,
                                         .rng = &w->world->rng};
    w->told = BUF_INIT(TEXT_MAX);
    map_init(&w->shadow, free);
    return w;
}

void watcher_fresh(struct watcher *w)
{
    w->informer = informer_free(w->informer);
    buf_clear(&w->told);
    map_clear(&w->shadow);
    w->synced = 0;
}

struct watcher *watcher_free(struct watcher *w)
{
    watcher_fresh(w);
    buf_done(&w->told);
    map_done(&w->shadow);
    w->world = world_free(w->world);
    free(w);
    return NULL;
}

void watcher_start(struct watcher *w)
{
    w->watches_before = api_count(w->world->api, API_WATCH);
    w->unreached = 0;
    w->informer = informer_new(w->world->client, &w->config, w->world->log, w->world->metrics);
    informer_start(w->informer);
}

void watcher_server_down(struct watcher *w)
{
    server_down(api_server(w->world->api));
}

void watcher_server_up(struct watcher *w)
{
    uint64_t begun = w->informer ? informer_stats(w->informer).reflector.watches : 0;
    w->unreached = begun - (api_count(w->world->api, API_WATCH) - w->watches_before);
    server_up(api_server(w->world->api));
}

/* ---- what is there ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct collection {
    char **words;
    size_t n;
};

static void collect(void *data, const struct object *o)
{
    struct collection *c = data;
    c->words = xreallocarray(c->words, c->n + 1, sizeof(*c->words));
    c->words[c->n++] =
        xasprintf("%s/%s=%s ", o->meta.namespace_ ? o->meta.namespace_ : "", o->meta.name, o->meta.resource_version);
}

void watcher_digest(const struct watcher *w, struct buf *out)
{
    struct collection c = {0};
    informer_each(w->informer, NULL, collect, &c);
    if (c.n)
        qsort(c.words, c.n, sizeof(*c.words), by_text);
    for (size_t i = 0; i < c.n; i++) {
        (void)buf_puts(out, c.words[i]);
        free(c.words[i]);
    }
    free(c.words);
}

static bool watching(void *data)
{
    struct watcher *w = data;
    struct reflector_stats s = informer_stats(w->informer).reflector;
    return informer_synced(w->informer) && s.watching &&
           api_count(w->world->api, API_WATCH) - w->watches_before >= s.watches - w->unreached;
}

static bool believed_as_stored(const struct watcher *w)
{
    const struct map_entry *e;
    if (w->shadow.count != informer_count(w->informer))
        return false;
    for (struct map_iter it = map_iter(&w->shadow); (e = map_next(&w->shadow, &it)) != NULL;) {
        char *key = xstrdup(e->key);
        const char *ns, *name;
        object_key_split(key, &ns, &name);
        const struct object *o = informer_get(w->informer, ns, name);
        char *state = o ? state_of(o) : NULL;
        bool same = streq0(state, e->value);
        free(state);
        free(key);
        if (!same)
            return false;
    }
    return true;
}

bool watcher_agrees(void *data)
{
    struct watcher *w = data;
    struct buf ours = BUF_INIT(TEXT_MAX), theirs = BUF_INIT(TEXT_MAX);
    watcher_digest(w, &ours);
    api_contents(w->world->api, &api_pods, w->config.namespace_, &theirs);
    bool same = streq(buf_str(&ours), buf_str(&theirs)) && believed_as_stored(w);
    buf_done(&ours);
    buf_done(&theirs);
    return same;
}

static bool in_step(void *data)
{
    return watching(data) && watcher_agrees(data);
}

static void fail_with_state(const struct watcher *w, const char *what)
{
    struct buf ours = BUF_INIT(TEXT_MAX), theirs = BUF_INIT(TEXT_MAX);
    watcher_digest(w, &ours);
    api_contents(w->world->api, &api_pods, w->config.namespace_, &theirs);
    const struct error *err = informer_error(w->informer);
    fail_msg("%s\n told:   %s\n store:  %.400s\n server: %.400s\n error:  %s", what, buf_str(&w->told), buf_str(&ours),
             buf_str(&theirs), err ? error_text(err) : "none");
}

void watcher_in_step(struct watcher *w)
{
    if (!world_until(w->world, in_step, w))
        fail_with_state(w, "never in step");
}

void watcher_until_watching(struct watcher *w)
{
    if (!world_until(w->world, watching, w))
        fail_with_state(w, "never watching");
}

/* ---- waiting for one thing ---- */

struct wish {
    struct watcher *w;
    const char *told;
    enum api_op op;
    unsigned n;
};

static bool is_told(void *data)
{
    const struct wish *wish = data;
    return streq(buf_str(&wish->w->told), wish->told);
}

static bool is_asked(void *data)
{
    const struct wish *wish = data;
    return api_count(wish->w->world->api, wish->op) >= wish->n;
}

static bool is_bookmarked(void *data)
{
    const struct wish *wish = data;
    return informer_stats(wish->w->informer).reflector.bookmarks >= wish->n;
}

static bool has_error(void *data)
{
    const struct wish *wish = data;
    return (informer_error(wish->w->informer) != NULL) == (wish->n > 0);
}

static void want(struct watcher *w, bool (*fn)(void *data), struct wish wish, const char *what)
{
    wish.w = w;
    if (!world_until(w->world, fn, &wish))
        fail_with_state(w, what);
}

void watcher_until_told(struct watcher *w, const char *all)
{
    want(w, is_told, (struct wish){.told = all}, all);
}

void watcher_until_lists(struct watcher *w, unsigned n)
{
    want(w, is_asked, (struct wish){.op = API_LIST, .n = n}, "not listed again");
}

void watcher_until_watches(struct watcher *w, unsigned n)
{
    want(w, is_asked, (struct wish){.op = API_WATCH, .n = n}, "not watched again");
}

void watcher_until_bookmarks(struct watcher *w, unsigned n)
{
    want(w, is_bookmarked, (struct wish){.n = n}, "no bookmark");
}

void watcher_until_error(struct watcher *w, bool there)
{
    want(w, has_error, (struct wish){.n = there}, there ? "no error" : "still an error");
}

/* ---- what was told and asked ---- */

void watcher_told(struct watcher *w, const char *all)
{
    assert_string_equal(buf_str(&w->told), all);
}

static char *sorted_words(const char *text)
{
    struct collection c = {0};
    struct buf out = BUF_INIT(TEXT_MAX);
    while (*text) {
        size_t n = strcspn(text, " ") + 1;
        c.words = xreallocarray(c.words, c.n + 1, sizeof(*c.words));
        c.words[c.n++] = xstrndup(text, n);
        text += n;
    }
    if (c.n)
        qsort(c.words, c.n, sizeof(*c.words), by_text);
    for (size_t i = 0; i < c.n; i++) {
        (void)buf_puts(&out, c.words[i]);
        free(c.words[i]);
    }
    free(c.words);
    return buf_steal(&out);
}

void watcher_told_in_any_order(struct watcher *w, const char *all)
{
    char *have = sorted_words(buf_str(&w->told)), *expected = sorted_words(all);
    assert_string_equal(have, expected);
    free(have);
    free(expected);
}

void watcher_asked(struct watcher *w, enum api_op op, unsigned n, const char *path)
{
    char *have = api_path(w->world->api, op, n);
    assert_string_equal(have, path);
    free(have);
}

void watcher_watched_from(struct watcher *w, unsigned n, const char *version)
{
    char *path = api_path(w->world->api, API_WATCH, n), *parameter = xasprintf("&resourceVersion=%s&", version);
    if (!strstr(path, parameter))
        fail_msg("watch %u was %s, want one from %s", n, path, version);
    free(path);
    free(parameter);
}
