/* Which script answers what, and the record of what came; see server.h for the patterns. */
#include "test/server/server_private.h"

#include "base/alloc.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool same(const char *a, const char *b)
{
    return (!a && !b) || (a && b && streq(a, b));
}

/* The route of this pattern, made when it is new. The lock is held. */
static struct route *route_of(struct server *s, const char *method, const char *pattern)
{
    size_t path_len = strcspn(pattern, "?");
    bool prefix = pattern[path_len] == '\0' && path_len > 0 && pattern[path_len - 1] == '*';
    char *path = xstrndup(pattern, prefix ? path_len - 1 : path_len);
    const char *query = pattern[path_len] == '?' ? pattern + path_len + 1 : NULL;
    list_for_each (it, &s->routes) {
        struct route *r = CONTAINER_OF(it, struct route, node);
        if (r->prefix == prefix && streq(r->path, path) && same(r->method, method) && same(r->query, query)) {
            free(path);
            return r;
        }
    }
    struct route *r = xcalloc(1, sizeof(*r));
    r->method = xstrdup0(method);
    r->path = path;
    r->query = xstrdup0(query);
    r->prefix = prefix;
    list_append(&s->routes, &r->node);
    return r;
}

static void push(struct script ***array, size_t *n, struct script *script)
{
    *array = xreallocarray(*array, *n + 1, sizeof(struct script *));
    (*array)[(*n)++] = script;
}

void server_on(struct server *s, const char *method, const char *path, struct script *script)
{
    pthread_mutex_lock(&s->lock);
    struct route *r = route_of(s, method, path);
    push(&r->queue, &r->n_queue, script);
    pthread_mutex_unlock(&s->lock);
}

void server_default(struct server *s, const char *method, const char *path, struct script *script)
{
    pthread_mutex_lock(&s->lock);
    struct route *r = route_of(s, method, path);
    (void)script_free(r->standing);
    r->standing = script;
    pthread_mutex_unlock(&s->lock);
}

void server_handle(struct server *s, const char *method, const char *path,
                   struct script *(*fn)(void *data, const struct server_request *r), void *data)
{
    pthread_mutex_lock(&s->lock);
    struct route *r = route_of(s, method, path);
    r->fn = fn;
    r->data = data;
    pthread_mutex_unlock(&s->lock);
}

void server_on_accept(struct server *s, struct script *script)
{
    pthread_mutex_lock(&s->lock);
    push(&s->accepts, &s->n_accepts, script);
    pthread_mutex_unlock(&s->lock);
}

static bool has_parameters(const struct server_request *r, const char *wanted)
{
    while (*wanted) {
        size_t len = strcspn(wanted, "&"), name_len = strcspn(wanted, "=&");
        char name[128], value[256];
        if (name_len >= sizeof(name))
            return false;
        memcpy(name, wanted, name_len);
        name[name_len] = '\0';
        if (!server_request_query(r, name, value, sizeof(value)))
            return false;
        if (name_len < len &&
            (strlen(value) != len - name_len - 1 || strncmp(value, wanted + name_len + 1, len - name_len - 1) != 0))
            return false;
        wanted += len + (wanted[len] == '&');
    }
    return true;
}

/* 0: no match; higher is more specific. */
static size_t match(const struct route *route, const struct server_request *r)
{
    size_t path_len = strcspn(r->path, "?"), route_len = strlen(route->path);
    if (route->method && !streq(route->method, r->method))
        return 0;
    if (route_len > path_len || strncmp(route->path, r->path, route_len) != 0)
        return 0;
    if (!route->prefix && route_len != path_len)
        return 0;
    if (route->query && !has_parameters(r, route->query))
        return 0;
    enum { METHOD = 1, LENGTH = 2, WHOLE = 1 << 20, QUERY = 1 << 21 };
    return LENGTH + (route->query ? QUERY + LENGTH * strlen(route->query) : 0) +
           (route->prefix ? LENGTH * route_len : WHOLE) + (route->method ? METHOD : 0);
}

struct script *route_answer(struct server *s, const struct server_request *r, bool *ret_expected)
{
    struct script *script = NULL;
    struct script *(*fn)(void *data, const struct server_request *r) = NULL;
    void *data = NULL;
    pthread_mutex_lock(&s->lock);
    struct route *best = NULL;
    size_t best_match = 0;
    list_for_each (it, &s->routes) {
        struct route *route = CONTAINER_OF(it, struct route, node);
        size_t m = route->n_queue || route->standing || route->fn ? match(route, r) : 0;
        if (m > best_match) {
            best = route;
            best_match = m;
        }
    }
    if (best && best->n_queue) {
        script = best->queue[0];
        memmove(best->queue, best->queue + 1, --best->n_queue * sizeof(struct script *));
    } else if (best && best->fn) {
        fn = best->fn;
        data = best->data;
    } else if (best) {
        script = script_ref(best->standing);
    }
    pthread_mutex_unlock(&s->lock);
    if (fn)
        script = fn(data, r);
    *ret_expected = script != NULL;
    return script ? script : script_answer(404, "text/plain", "no script for this request\n");
}

void route_capture(struct server *s, struct server_request *r)
{
    struct captured *c = xcalloc(1, sizeof(*c));
    c->request = r;
    pthread_mutex_lock(&s->lock);
    list_append(&s->captured, &c->node);
    s->seen++;
    s->unexpected += r->unexpected;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static struct timespec until(int timeout_ms)
{
    int64_t us = server_monotonic_us() + (int64_t)timeout_ms * 1000;
    return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
}

struct server_request *server_take(struct server *s, int timeout_ms)
{
    struct timespec end = until(timeout_ms);
    struct server_request *r = NULL;
    pthread_mutex_lock(&s->lock);
    while (list_empty(&s->captured) && timeout_ms > 0 && pthread_cond_timedwait(&s->changed, &s->lock, &end) == 0)
        continue;
    if (!list_empty(&s->captured)) {
        struct captured *c = CONTAINER_OF(s->captured.next, struct captured, node);
        list_remove(&c->node);
        r = c->request;
        free(c);
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

bool server_take_hello(struct server *s, int timeout_ms, struct server_hello *ret)
{
    struct timespec end = until(timeout_ms);
    pthread_mutex_lock(&s->lock);
    while (list_empty(&s->hellos) && timeout_ms > 0 && pthread_cond_timedwait(&s->changed, &s->lock, &end) == 0)
        continue;
    bool there = !list_empty(&s->hellos);
    if (there) {
        struct greeting *g = CONTAINER_OF(s->hellos.next, struct greeting, node);
        list_remove(&g->node);
        *ret = g->hello;
        free(g);
    }
    pthread_mutex_unlock(&s->lock);
    return there;
}

bool server_wait_seen(struct server *s, size_t n, int timeout_ms)
{
    struct timespec end = until(timeout_ms);
    pthread_mutex_lock(&s->lock);
    while (s->seen < n && timeout_ms > 0 && pthread_cond_timedwait(&s->changed, &s->lock, &end) == 0)
        continue;
    bool there = s->seen >= n;
    pthread_mutex_unlock(&s->lock);
    return there;
}

void route_free_all(struct server *s)
{
    list_for_each_safe (it, after, &s->routes) {
        struct route *r = CONTAINER_OF(it, struct route, node);
        for (size_t i = 0; i < r->n_queue; i++)
            (void)script_free(r->queue[i]);
        (void)script_free(r->standing);
        free(r->queue);
        free(r->method);
        free(r->path);
        free(r->query);
        free(r);
    }
    list_for_each_safe (it, after, &s->captured) {
        struct captured *c = CONTAINER_OF(it, struct captured, node);
        (void)server_request_free(c->request);
        free(c);
    }
    list_for_each_safe (it, after, &s->appends) {
        struct append *a = CONTAINER_OF(it, struct append, node);
        (void)script_free(a->script);
        free(a);
    }
    list_for_each_safe (it, after, &s->hellos)
        free(CONTAINER_OF(it, struct greeting, node));
    for (size_t i = 0; i < s->n_accepts; i++)
        (void)script_free(s->accepts[i]);
    free(s->accepts);
}
