/* From a request to the script that answers it, as an API server would or as the test ordered; see api.h. */
#include "base/alloc.h"
#include "base/str.h"
#include "test/api/api_private.h"

#include <cjson/cJSON.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request, taken apart. */
struct call {
    const struct server_request *r;
    enum api_op op;
    const struct api_kind *kind;
    char namespace_[256], name[256], selector[256], subresource[32];
    bool has_namespace, has_name, has_selector;
};

/* ---- answers ---- */

struct script *api_new_answer(const struct api *a)
{
    struct script *s = script_new();
    if (a->split)
        script_split(s, a->split, a->split_pause_ms);
    return s;
}

static struct script *reply(const struct api *a, int status, const char *headers, const char *body)
{
    struct script *s = api_new_answer(a);
    struct buf all = BUF_INIT(4096);
    (void)buf_printf(&all, "Content-Type: application/json\r\n%s", headers ? headers : "");
    script_reply(s, status, buf_str(&all), body);
    buf_done(&all);
    return s;
}

static void status_body(const struct api_fault *f, struct buf *out)
{
    (void)buf_printf(out,
                     "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
                     "\"message\":\"%s\","
                     "\"reason\":\"%s\",\"details\":{",
                     f->message ? f->message : "refused by the test", f->reason ? f->reason : "");
    if (f->cause)
        (void)buf_printf(out, "\"causes\":[{\"reason\":\"%s\"}]%s", f->cause, f->retry_after_s ? "," : "");
    if (f->retry_after_s)
        (void)buf_printf(out, "\"retryAfterSeconds\":%d", f->retry_after_s);
    (void)buf_printf(out, "},\"code\":%d}", f->status);
}

static struct script *refuse(const struct api *a, const struct api_fault *f)
{
    struct buf body = BUF_INIT(4096), headers = BUF_INIT(256);
    status_body(f, &body);
    if (f->retry_after_s)
        (void)buf_printf(&headers, "Retry-After: %d\r\n", f->retry_after_s);
    struct script *s = reply(a, f->status, buf_str(&headers), buf_str(&body));
    buf_done(&body);
    buf_done(&headers);
    return s;
}

static struct script *refuse_with(const struct api *a, int status, const char *reason, const char *message)
{
    return refuse(a, &(struct api_fault){.status = status, .reason = reason, .message = message});
}

/* The head of an answer and as much of its body as the fault lets through. */
static struct script *cut(const struct api *a, const char *body, size_t bytes)
{
    struct script *s = api_new_answer(a);
    size_t len = strlen(body);
    script_printf(s, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", len);
    script_bytes(s, body, MIN(bytes, len));
    script_cut(s);
    return s;
}

/* ---- requests ---- */

static bool hex_digit(char c, unsigned *ret)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    *ret = at ? (unsigned)(at - digits) : 0;
    return at;
}

static bool query(const struct server_request *r, const char *name, char *out, size_t cap)
{
    char raw[4096];
    size_t n = 0;
    if (!server_request_query(r, name, raw, sizeof(raw)))
        return false;
    for (const char *p = raw; *p && n + 1 < cap; p++) {
        unsigned high, low;
        if (*p == '%' && hex_digit(p[1], &high) && hex_digit(p[2], &low)) {
            out[n++] = (char)(high * 16 + low);
            p += 2;
        } else {
            out[n++] = *p == '+' ? ' ' : *p;
        }
    }
    out[n] = '\0';
    return true;
}

static uint64_t query_number(const struct server_request *r, const char *name)
{
    char text[64];
    uint64_t n;
    return query(r, name, text, sizeof(text)) && str_to_u64(text, &n) ? n : 0;
}

/* Copies up to the next slash, question mark or the end; gives where that is. */
static const char *segment(const char *at, char *out, size_t cap)
{
    size_t n = strcspn(at, "/?");
    snprintf(out, cap, "%.*s", (int)n, at);
    return at + n;
}

static bool parse_kind(const char *at, const struct api_kind *kind, struct call *call)
{
    size_t prefix = strlen(kind->prefix);
    char plural[64];
    if (strncmp(at, kind->prefix, prefix) != 0 || at[prefix] != '/')
        return false;
    at += prefix + 1;
    if (strncmp(at, "namespaces/", 11) == 0) {
        call->has_namespace = true;
        at = segment(at + 11, call->namespace_, sizeof(call->namespace_));
        at += *at == '/';
    }
    at = segment(at, plural, sizeof(plural));
    if (*at == '/') {
        call->has_name = true;
        at = segment(at + 1, call->name, sizeof(call->name));
        if (*at == '/')
            (void)segment(at + 1, call->subresource, sizeof(call->subresource));
    }
    call->kind = kind;
    return streq(plural, kind->plural);
}

static bool parse(const struct server_request *r, struct call *ret)
{
    static const struct api_kind *const kinds[] = {&api_pods,        &api_leases,       &api_events,
                                                   &api_pod_metrics, &api_autoscalers,  &api_checkpoints,
                                                   &api_deployments, &api_statefulsets, &api_hpas};
    char watching[8];
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        *ret = (struct call){.r = r};
        if (!parse_kind(r->path, kinds[i], ret))
            continue;
        ret->has_selector = query(r, "labelSelector", ret->selector, sizeof(ret->selector));
        if (streq(r->method, "GET"))
            ret->op = ret->has_name ? API_GET : query(r, "watch", watching, sizeof(watching)) ? API_WATCH : API_LIST;
        else
            ret->op = streq(r->method, "POST")    ? API_CREATE
                      : streq(r->method, "PUT")   ? API_UPDATE
                      : streq(r->method, "PATCH") ? API_PATCH
                                                  : API_DELETE;
        return true;
    }
    return false;
}

static void note(struct api *a, const struct call *call)
{
    const struct server_request *r = call->r;
    struct seen s = {.op = call->op,
                     .path = xstrdup(r->path),
                     .body = xstrndup(r->body ? r->body : "", r->body_len),
                     .n_headers = r->n_headers};
    s.headers = xcalloc(r->n_headers, sizeof(*s.headers));
    for (size_t i = 0; i < r->n_headers; i++)
        s.headers[i] =
            (struct server_header){.name = xstrdup(r->headers[i].name), .value = xstrdup(r->headers[i].value)};
    a->seen = xreallocarray(a->seen, a->n_seen + 1, sizeof(*a->seen));
    a->seen[a->n_seen++] = s;
    a->counts[call->op]++;
    a->counts[API_ANY]++;
}

/* The first fault that is for this request, if it strikes now. */
static bool strikes(struct api *a, enum api_op op, struct api_fault *ret)
{
    for (size_t i = 0; i < a->n_faults; i++) {
        struct api_fault *f = &a->faults[i];
        if (f->op != API_ANY && f->op != op)
            continue;
        if (f->skip > 0) {
            f->skip--;
            return false;
        }
        *ret = *f;
        if (--f->times == 0) {
            memmove(f, f + 1, (a->n_faults - i - 1) * sizeof(*f));
            a->n_faults--;
        }
        return true;
    }
    return false;
}

/* ---- lists ---- */

static struct snapshot *snapshot_new(struct api *a, const struct call *call)
{
    struct snapshot *s = &a->snapshots[a->next_snapshot % MAX_SNAPSHOTS];
    api_objects_all_free(s->items);
    *s = (struct snapshot){.id = ++a->next_snapshot,
                           .version = api_objects_version(a->objects),
                           .items =
                               api_objects_all(a->objects, call->kind, call->has_namespace ? call->namespace_ : NULL,
                                               call->has_selector ? call->selector : NULL)};
    return s;
}

/* Tokens have a space and a plus sign, so that a client that does not escape them is found out. */
static struct snapshot *snapshot_of(struct api *a, const char *token, size_t *ret_from)
{
    uint64_t id = 0, from = 0;
    char id_text[24] = "", from_text[24] = "";
    const char *space = strchr(token, ' '), *plus = strchr(token, '+');
    if (!space || !plus || plus < space)
        return NULL;
    snprintf(id_text, sizeof(id_text), "%.*s", (int)(space - token), token);
    snprintf(from_text, sizeof(from_text), "%s", plus + 1);
    if (!str_to_u64(id_text, &id) || !str_to_u64(from_text, &from))
        return NULL;
    *ret_from = (size_t)from;
    for (size_t i = 0; i < MAX_SNAPSHOTS; i++)
        if (a->snapshots[i].id == id && a->snapshots[i].items)
            return &a->snapshots[i];
    return NULL;
}

static void page(const struct call *call, const struct snapshot *s, size_t from, size_t limit, struct buf *out)
{
    size_t n = 0;
    while (s->items[n])
        n++;
    size_t end = limit && from + limit < n ? from + limit : n;
    (void)buf_printf(out,
                     "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"",
                     call->kind->kind, call->kind->api_version, s->version);
    if (end < n)
        (void)buf_printf(out, ",\"continue\":\"%" PRIu64 " at+%zu\",\"remainingItemCount\":%zu", s->id, end, n - end);
    (void)buf_puts(out, "},\"items\":[");
    for (size_t i = from; i < end; i++)
        (void)buf_printf(out, "%s%s", i > from ? "," : "", s->items[i]);
    (void)buf_puts(out, "]}\n");
}

static struct script *too_large(const struct api *a, uint64_t version)
{
    char text[96];
    snprintf(text, sizeof(text), "Too large resource version: %" PRIu64 ", current: %" PRIu64, version,
             api_objects_version(a->objects));
    return refuse(a, &(struct api_fault){.status = 504,
                                         .reason = "Timeout",
                                         .message = text,
                                         .cause = "ResourceVersionTooLarge",
                                         .retry_after_s = 1});
}

static struct script *list(struct api *a, const struct call *call, const struct api_fault *f)
{
    char token[256];
    struct snapshot *s;
    size_t from = 0;
    uint64_t version = query_number(call->r, "resourceVersion");
    if (query(call->r, "continue", token, sizeof(token)) && *token) {
        s = snapshot_of(a, token, &from);
        if (version)
            return refuse_with(a, 400, "BadRequest", "specifying resource version is not allowed when using continue");
        if (!s)
            return refuse_with(a, 410, "Expired", "The provided continue parameter is too old");
    } else if (version > api_objects_version(a->objects)) {
        return too_large(a, version);
    } else {
        s = snapshot_new(a, call);
    }
    struct buf body = BUF_INIT(TEXT_MAX);
    page(call, s, from, (size_t)query_number(call->r, "limit"), &body);
    struct script *answer = f ? cut(a, buf_str(&body), f->bytes) : reply(a, 200, NULL, buf_str(&body));
    buf_done(&body);
    return answer;
}

/* ---- watches ---- */

static bool concerns(const struct watch *w, const struct api_event *e)
{
    return e->kind == w->kind && (!w->namespace_ || streq(w->namespace_, e->namespace_)) && e->version > w->version &&
           api_selected(e->json, w->selector);
}

/* A client has one watch of a collection: a new one means that it has given up the old one. */
static void add_watch(struct api *a, struct watch w)
{
    for (size_t i = 0; i < a->n_watches; i++) {
        struct watch *old = &a->watches[i];
        if (old->kind == w.kind && streq0(old->namespace_, w.namespace_)) {
            api_watch_done(old);
            *old = w;
            return;
        }
    }
    a->watches = xreallocarray(a->watches, a->n_watches + 1, sizeof(*a->watches));
    a->watches[a->n_watches++] = w;
}

/* What a watch has not been told yet. */
static void backlog(const struct api *a, struct watch *w, struct buf *out)
{
    for (size_t i = 0; i < api_objects_events(a->objects); i++) {
        const struct api_event *e = api_objects_event(a->objects, i);
        if (concerns(w, e))
            api_event_line(e->type, e->json, out);
    }
    w->version = MAX(w->version, api_objects_version(a->objects));
}

static void chunk(struct script *s, const struct buf *text)
{
    if (text->len > 0)
        script_chunk(s, buf_str(text));
}

void api_error_event(int code, const char *reason, struct buf *out)
{
    struct buf status = BUF_INIT(4096);
    status_body(&(struct api_fault){.status = code, .reason = reason, .message = "too old resource version: 1 (17)"},
                &status);
    api_event_line("ERROR", buf_str(&status), out);
    buf_done(&status);
}

static struct script *watch(struct api *a, const struct call *call, const struct api_fault *f)
{
    struct script *s = api_new_answer(a);
    struct buf text = BUF_INIT(TEXT_MAX);
    struct watch w = {.request = call->r->id,
                      .version = query_number(call->r, "resourceVersion"),
                      .kind = call->kind,
                      .namespace_ = call->has_namespace ? xstrdup(call->namespace_) : NULL,
                      .selector = call->has_selector ? xstrdup(call->selector) : NULL};
    script_head(s, 200, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
    if (w.version < api_objects_oldest(a->objects)) {
        api_error_event(410, "Expired", &text);
        chunk(s, &text);
        script_last_chunk(s);
        api_watch_done(&w);
    } else if (f) {
        backlog(a, &w, &text);
        script_printf(s, "%zx\r\n", text.len + 1);
        script_bytes(s, buf_str(&text), MIN(f->bytes, text.len));
        script_cut(s);
        api_watch_done(&w);
    } else {
        if (!a->muted)
            backlog(a, &w, &text);
        chunk(s, &text);
        script_hold(s);
        add_watch(a, w);
    }
    buf_done(&text);
    return s;
}

void api_tell_watches(struct api *a)
{
    for (size_t i = 0; !a->muted && i < a->n_watches; i++) {
        struct buf text = BUF_INIT(TEXT_MAX);
        /* One that was held up for so long that its history is gone is told so: nothing may be left out. */
        if (a->watches[i].version < api_objects_oldest(a->objects))
            api_error_event(410, "Expired", &text);
        else
            backlog(a, &a->watches[i], &text);
        if (text.len > 0) {
            struct script *s = api_new_answer(a);
            chunk(s, &text);
            server_append(a->server, a->watches[i].request, s);
        }
        buf_done(&text);
    }
}

/* ---- single objects ---- */

/* A resourceVersion in the body is a precondition. */
static bool precondition(const struct api *a, const struct call *call, const char *body)
{
    cJSON *root = cJSON_Parse(body);
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(root, "metadata");
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "resourceVersion"));
    uint64_t want = 0;
    bool ok = !text || !*text ||
              (str_to_u64(text, &want) &&
               want == api_objects_version_of(a->objects, call->kind, call->namespace_, call->name));
    cJSON_Delete(root);
    return ok;
}

static bool name_in_body(struct call *call)
{
    cJSON *root = cJSON_Parse(call->r->body);
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(root, "metadata");
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "name"));
    bool ok = name && *name;
    snprintf(call->name, sizeof(call->name), "%s", ok ? name : "");
    cJSON_Delete(root);
    return ok;
}

static bool is_apply(const struct call *call)
{
    const char *type = server_request_header(call->r, "Content-Type");
    return call->op == API_PATCH && type && str_starts(type, "application/apply-patch");
}

/* {"preconditions":{"uid":...,"resourceVersion":...}} of a deletion. */
static bool may_delete(const char *have, const char *options)
{
    static const char *const fields[] = {"uid", "resourceVersion"};
    cJSON *object = cJSON_Parse(have), *root = cJSON_Parse(options);
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(object, "metadata"),
                *wanted = cJSON_GetObjectItemCaseSensitive(root, "preconditions");
    bool ok = true;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const char *want = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(wanted, fields[i]));
        const char *is = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, fields[i]));
        ok = ok && (!want || (is && streq(want, is)));
    }
    cJSON_Delete(object);
    cJSON_Delete(root);
    return ok;
}

/* The Scale of an object: its spec.replicas, and a selector that is "app=<name>". */
static struct script *answer_scale(const struct api *a, const struct call *call)
{
    cJSON *object = cJSON_Parse(api_objects_get(a->objects, call->kind, call->namespace_, call->name));
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(object, "metadata"),
                *replicas =
                    cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, "spec"), "replicas");
    const char *uid = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "uid")),
               *version = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "resourceVersion"));
    int n = cJSON_IsNumber(replicas) ? replicas->valueint : 1;
    struct buf body = BUF_INIT(4096);
    (void)buf_printf(&body,
                     "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/v1\",\"metadata\":{\"name\":\"%s\","
                     "\"namespace\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%s\"},\"spec\":{\"replicas\":%d},"
                     "\"status\":{\"replicas\":%d,\"selector\":\"app=%s\"}}",
                     call->name, call->namespace_, uid, version, n, n, call->name);
    struct script *s = reply(a, 200, NULL, buf_str(&body));
    buf_done(&body);
    cJSON_Delete(object);
    return s;
}

static struct script *write_object(struct api *a, struct call *call)
{
    const char *have, *body = call->r->body;
    if (call->op == API_CREATE && !name_in_body(call))
        return refuse_with(a, 422, "Invalid", "metadata.name is required");
    have = api_objects_get(a->objects, call->kind, call->namespace_, call->name);
    if (call->op == API_CREATE && have)
        return refuse_with(a, 409, "AlreadyExists", "it already exists");
    bool creates = call->op == API_CREATE || (!have && is_apply(call) && !call->subresource[0]);
    if (!creates && !have)
        return refuse_with(a, 404, "NotFound", "it is not there");
    if (call->op == API_DELETE) {
        if (!may_delete(have, body))
            return refuse_with(a, 409, "Conflict", "it is not the object that was to be deleted");
        (void)api_objects_delete(a->objects, call->kind, call->namespace_, call->name);
        api_tell_watches(a);
        return reply(a, 200, NULL, "{\"kind\":\"Status\",\"status\":\"Success\"}");
    }
    if (!precondition(a, call, body))
        return refuse_with(a, 409, "Conflict", "the object has been modified");
    char *merged = api_merge(call->op == API_PATCH && have ? have : "{}", body);
    if (!merged)
        return refuse_with(a, 400, "BadRequest", "the body is no JSON object");
    (void)api_objects_put(a->objects, call->kind, call->namespace_, call->name, merged);
    free(merged);
    api_tell_watches(a);
    if (streq(call->subresource, "scale"))
        return answer_scale(a, call);
    return reply(a, creates ? 201 : 200, NULL, api_objects_get(a->objects, call->kind, call->namespace_, call->name));
}

static struct script *carry_out(struct api *a, struct call *call, const struct api_fault *cut_fault)
{
    if (call->op == API_LIST)
        return list(a, call, cut_fault);
    if (call->op == API_WATCH)
        return watch(a, call, cut_fault);
    if (call->op != API_GET)
        return write_object(a, call);
    const char *json = api_objects_get(a->objects, call->kind, call->namespace_, call->name);
    if (json && streq(call->subresource, "scale"))
        return answer_scale(a, call);
    return json ? reply(a, 200, NULL, json) : refuse_with(a, 404, "NotFound", "it is not there");
}

static struct script *misbehave(struct api *a, struct call *call, const struct api_fault *f)
{
    if (f->how == API_CUT && (call->op == API_LIST || call->op == API_WATCH))
        return carry_out(a, call, f);
    if (f->applied)
        (void)script_free(carry_out(a, call, NULL));
    if (f->how == API_REFUSE)
        return refuse(a, f);
    if (f->how == API_SAY)
        return reply(a, 200, NULL, f->body);
    struct script *s = script_new();
    if (f->how == API_STALL)
        script_stall(s);
    else
        script_reset(s);
    return s;
}

struct script *api_answer(void *data, const struct server_request *r)
{
    struct api *a = data;
    struct call call;
    struct api_fault fault;
    struct script *s;
    api_lock(a);
    if (!parse(r, &call)) {
        s = refuse_with(a, 404, "NotFound", "the server could not find the requested resource");
    } else {
        note(a, &call);
        s = strikes(a, call.op, &fault) ? misbehave(a, &call, &fault) : carry_out(a, &call, NULL);
    }
    api_unlock(a);
    return s;
}
