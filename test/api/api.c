/* What the test orders and asks; see api.h. One lock around all of it: requests come on the server's thread,
 * orders from the test's. */
#include "base/alloc.h"
#include "test/api/api_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void api_lock(struct api *a)
{
    if (pthread_mutex_lock(&a->lock) != 0)
        abort();
}

void api_unlock(struct api *a)
{
    if (pthread_mutex_unlock(&a->lock) != 0)
        abort();
}

/* ---- open watches ---- */

/* The lock is held. `more` is taken and played by all of them. */
static void append(struct api *a, struct script *more)
{
    for (size_t i = 0; i < a->n_watches; i++)
        server_append(a->server, a->watches[i].request, script_ref(more));
    (void)script_free(more);
}

void api_watch_done(struct watch *w)
{
    free(w->namespace_);
    free(w->selector);
}

static void forget_watches(struct api *a)
{
    for (size_t i = 0; i < a->n_watches; i++)
        api_watch_done(&a->watches[i]);
    a->n_watches = 0;
}

size_t api_watching(struct api *a)
{
    api_lock(a);
    size_t n = a->n_watches;
    api_unlock(a);
    return n;
}

void api_mute(struct api *a, bool muted)
{
    api_lock(a);
    a->muted = muted;
    api_tell_watches(a);
    api_unlock(a);
}

void api_tell_raw(struct api *a, const char *text)
{
    api_lock(a);
    struct script *s = api_new_answer(a);
    script_chunk(s, text);
    append(a, s);
    api_unlock(a);
}

void api_tell(struct api *a, const char *type, const char *object)
{
    struct buf line = BUF_INIT(TEXT_MAX);
    api_event_line(type, object, &line);
    api_tell_raw(a, buf_str(&line));
    buf_done(&line);
}

void api_tell_error(struct api *a, int code, const char *reason)
{
    struct buf line = BUF_INIT(8192);
    api_error_event(code, reason, &line);
    api_tell_raw(a, buf_str(&line));
    buf_done(&line);
}

void api_bookmark(struct api *a)
{
    char object[160];
    snprintf(object, sizeof(object),
             "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"}}",
             api_version(a));
    api_tell(a, "BOOKMARK", object);
}

void api_repeat(struct api *a, size_t n)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    api_lock(a);
    size_t total = api_objects_events(a->objects);
    for (size_t i = total - MIN(n, total); i < total; i++) {
        const struct api_event *e = api_objects_event(a->objects, i);
        api_event_line(e->type, e->json, &text);
    }
    api_unlock(a);
    if (text.len > 0)
        api_tell_raw(a, buf_str(&text));
    buf_done(&text);
}

void api_watch_end(struct api *a, enum api_end how)
{
    api_lock(a);
    struct script *s = script_new();
    if (how == API_END_CLEAN) {
        script_last_chunk(s);
        script_done(s);
    } else if (how == API_END_CUT) {
        script_text(s, "40\r\n{\"type\":\"ADDED\",\"object\":{\"kind\":\"Po");
        script_cut(s);
    } else {
        script_reset(s);
    }
    append(a, s);
    forget_watches(a);
    api_unlock(a);
}

/* ---- state and orders ---- */

struct api *api_new(void)
{
    struct api *a = xcalloc(1, sizeof(*a));
    if (pthread_mutex_init(&a->lock, NULL) != 0)
        abort();
    a->objects = api_objects_new();
    a->server = server_new(NULL);
    server_handle(a->server, NULL, "*", api_answer, a);
    return a;
}

struct api *api_free(struct api *a)
{
    if (!a)
        return NULL;
    a->server = server_free(a->server);
    for (size_t i = 0; i < a->n_seen; i++) {
        for (size_t h = 0; h < a->seen[i].n_headers; h++) {
            free(a->seen[i].headers[h].name);
            free(a->seen[i].headers[h].value);
        }
        free(a->seen[i].headers);
        free(a->seen[i].path);
        free(a->seen[i].body);
    }
    free(a->seen);
    forget_watches(a);
    free(a->watches);
    for (size_t i = 0; i < MAX_SNAPSHOTS; i++)
        api_objects_all_free(a->snapshots[i].items);
    (void)api_objects_free(a->objects);
    (void)pthread_mutex_destroy(&a->lock);
    free(a);
    return NULL;
}

const char *api_url(const struct api *a)
{
    return server_url(a->server);
}

const char *api_ca_pem(const struct api *a)
{
    return server_ca_pem(a->server);
}

struct server *api_server(struct api *a)
{
    return a->server;
}

uint64_t api_put(struct api *a, const struct api_kind *kind, const char *ns, const char *name, const char *body)
{
    api_lock(a);
    uint64_t version = api_objects_put(a->objects, kind, ns, name, body);
    api_tell_watches(a);
    api_unlock(a);
    return version;
}

uint64_t api_delete(struct api *a, const struct api_kind *kind, const char *ns, const char *name)
{
    api_lock(a);
    uint64_t version = api_objects_delete(a->objects, kind, ns, name);
    api_tell_watches(a);
    api_unlock(a);
    return version;
}

char *api_get(struct api *a, const struct api_kind *kind, const char *ns, const char *name)
{
    api_lock(a);
    char *json = xstrdup0(api_objects_get(a->objects, kind, ns, name));
    api_unlock(a);
    return json;
}

bool api_has(struct api *a, const struct api_kind *kind, const char *ns, const char *name)
{
    char *json = api_get(a, kind, ns, name);
    free(json);
    return json;
}

uint64_t api_version(struct api *a)
{
    api_lock(a);
    uint64_t version = api_objects_version(a->objects);
    api_unlock(a);
    return version;
}

void api_contents(struct api *a, const struct api_kind *kind, const char *ns, struct buf *out)
{
    api_lock(a);
    api_objects_digest(a->objects, kind, ns, out);
    api_unlock(a);
}

void api_compact(struct api *a)
{
    api_lock(a);
    api_objects_compact(a->objects);
    api_unlock(a);
}

void api_expire_pages(struct api *a)
{
    api_lock(a);
    for (size_t i = 0; i < MAX_SNAPSHOTS; i++) {
        api_objects_all_free(a->snapshots[i].items);
        a->snapshots[i].items = NULL;
    }
    api_unlock(a);
}

void api_rewind(struct api *a, uint64_t version)
{
    api_lock(a);
    api_objects_rewind(a->objects, version);
    api_unlock(a);
}

void api_fault(struct api *a, const struct api_fault *fault)
{
    api_lock(a);
    if (a->n_faults == MAX_FAULTS)
        abort();
    a->faults[a->n_faults] = *fault;
    a->faults[a->n_faults].times = fault->times ? fault->times : 1;
    a->n_faults++;
    api_unlock(a);
}

size_t api_faults(struct api *a)
{
    api_lock(a);
    size_t n = a->n_faults;
    api_unlock(a);
    return n;
}

void api_heal(struct api *a)
{
    api_lock(a);
    a->n_faults = 0;
    api_unlock(a);
}

void api_split(struct api *a, size_t n, int pause_ms)
{
    api_lock(a);
    a->split = n;
    a->split_pause_ms = pause_ms;
    api_unlock(a);
}

/* ---- what was asked ---- */

unsigned api_count(struct api *a, enum api_op op)
{
    api_lock(a);
    unsigned n = a->counts[op];
    api_unlock(a);
    return n;
}

static const struct seen *seen(const struct api *a, enum api_op op, unsigned n)
{
    for (size_t i = 0; i < a->n_seen; i++)
        if ((op == API_ANY || a->seen[i].op == op) && n-- == 0)
            return &a->seen[i];
    return NULL;
}

char *api_path(struct api *a, enum api_op op, unsigned n)
{
    api_lock(a);
    const struct seen *s = seen(a, op, n);
    char *path = xstrdup(s ? s->path : "");
    api_unlock(a);
    return path;
}

char *api_body(struct api *a, enum api_op op, unsigned n)
{
    api_lock(a);
    const struct seen *s = seen(a, op, n);
    char *body = xstrdup(s ? s->body : "");
    api_unlock(a);
    return body;
}

char *api_header(struct api *a, enum api_op op, unsigned n, const char *name)
{
    api_lock(a);
    const struct seen *s = seen(a, op, n);
    const char *value = "";
    for (size_t i = 0; s && i < s->n_headers; i++)
        if (strcasecmp(s->headers[i].name, name) == 0)
            value = s->headers[i].value;
    char *copy = xstrdup(value);
    api_unlock(a);
    return copy;
}
