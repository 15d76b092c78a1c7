/* The Reflector as a state machine; the rules are in reflector.h.
 *
 *     listing --(all pages)--> taking --(reflector_watch)--> watching --(ends)--> watching | listing
 *         \________(failed)________ pausing __________(failed)________/
 *
 * One request at a time. A list is cut into items and a stream into events while they arrive; a page or a
 * list as a whole is never in memory. What a watch ended of is first put into words (enum ending), then
 * decided upon in one place.
 */
#include "kube/reflector.h"

#include "base/alloc.h"
#include "base/str.h"
#include "kube/split.h"
#include "kube/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE         500
#define MAX_PAGES         2000                /* a million objects; a server that never ends its list stops here */
#define LIST_TIMEOUT_US   (90 * USEC_PER_SEC) /* the server gives up after 60 s */
#define LIST_IDLE_US      (30 * USEC_PER_SEC)
#define LIST_MAX_BYTES    ((size_t)2 << 30)
#define WATCH_MIN_S       300
#define WATCH_GRACE_S     30
#define WATCH_IDLE_US     (180 * USEC_PER_SEC)
#define WATCH_MAX_BYTES   (SIZE_MAX / 2) /* a stream is capped by its time; its events have a cap each */
#define SHORT_WATCH_US    USEC_PER_SEC
#define INTERNAL_RETRY_US (60 * USEC_PER_SEC)
#define VERSION_CAP       128
#define CONTINUE_CAP      ((size_t)64 * 1024)

enum state { IDLE, LISTING, TAKING, WATCHING, PAUSING };
enum ending {
    END_CLEAN,
    END_CUT,
    END_SILENT,
    END_SHORT,
    END_NO_ANSWER,
    END_BUSY,
    END_EXPIRED,
    END_TOO_LARGE,
    END_INTERNAL,
    END_OTHER
};

struct reflector {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    struct reflector_config config;
    char *namespace_, *label_selector, *field_selector;
    enum state state;
    bool then_watch; /* what comes after the pause */

    char version[VERSION_CAP]; /* resourceVersion to go on from; "" before the first list */
    bool version_unavailable;  /* the server can't list at it: ask for the newest */

    int64_t request; /* 0: none under way */
    struct split split;
    bool splitting;

    char *next_page; /* metadata.continue; NULL on the first page */
    char list_version[VERSION_CAP];
    unsigned n_pages;
    bool unpaged; /* the pages expired under us: all in one */

    int64_t watch_began_us, internal_since_us;
    bool opened;      /* the answer of this watch has begun */
    bool heard;       /* ... and brought something */
    bool progress;    /* of this watch: the resourceVersion moved */
    bool has_refusal; /* an ERROR event came */
    struct kube_status refusal;

    struct backoff backoff;
    struct loop_timer pause_timer;
    int64_t active_us;
    bool failing;
    enum state failing_in; /* LISTING or WATCHING */
    struct error error;
    bool unknown_type_logged;
    struct reflector_stats stats;
};

static void start_list(struct reflector *r);
static void start_watch(struct reflector *r);
static void on_pause_over(void *data);

struct reflector *reflector_new(struct kube_client *client, const struct reflector_config *config, struct log *log)
{
    struct reflector *r = xcalloc(1, sizeof(*r));
    *r = (struct reflector){.client = client,
                            .loop = kube_client_loop(client),
                            .log = log,
                            .config = *config,
                            .namespace_ = xstrdup0(config->namespace_),
                            .label_selector = xstrdup0(config->label_selector),
                            .field_selector = xstrdup0(config->field_selector)};
    if (r->config.page_size == 0)
        r->config.page_size = PAGE_SIZE;
    backoff_init(&r->backoff, config->backoff ? config->backoff : &backoff_reflector);
    loop_timer_init(&r->pause_timer, r->loop, LOOP_NORMAL, on_pause_over, r);
    return r;
}

static void drop_split(struct reflector *r)
{
    if (r->splitting)
        split_done(&r->split);
    r->splitting = false;
}

struct reflector *reflector_free(struct reflector *r)
{
    if (!r)
        return NULL;
    if (r->request)
        kube_client_cancel(r->client, r->request);
    loop_timer_disarm(&r->pause_timer);
    drop_split(r);
    free(r->next_page);
    free(r->namespace_);
    free(r->label_selector);
    free(r->field_selector);
    free(r);
    return NULL;
}

void reflector_start(struct reflector *r)
{
    assert(r->state == IDLE);
    r->active_us = loop_now_us(r->loop);
    start_list(r);
}

int64_t reflector_active_us(const struct reflector *r)
{
    return r->active_us;
}

const struct error *reflector_error(const struct reflector *r)
{
    return r->failing ? &r->error : NULL;
}

struct reflector_stats reflector_stats(const struct reflector *r)
{
    struct reflector_stats stats = r->stats;
    stats.watching = r->state == WATCHING;
    return stats;
}

/* ---- trouble ---- */

static void failed(struct reflector *r, enum state in, const struct error *err)
{
    const char *plural = r->config.resource->plural;
    r->error = *err;
    if (r->namespace_)
        error_wrap(&r->error, "%s %s in namespace %s", in == LISTING ? "listing" : "watching", plural, r->namespace_);
    else
        error_wrap(&r->error, "%s %s", in == LISTING ? "listing" : "watching", plural);
    r->failing = true;
    r->failing_in = in;
    log_warn(r->log, in == LISTING ? "list failed" : "watch failed", LOG_S("resource", plural), LOG_ERR(&r->error));
}

/* What failed in this state works again. */
static void recovered(struct reflector *r, enum state in)
{
    if (!r->failing || r->failing_in != in)
        return;
    r->failing = false;
    log_info(r->log, in == LISTING ? "list works again" : "watch works again",
             LOG_S("resource", r->config.resource->plural));
}

static void changed(struct reflector *r)
{
    if (r->config.changed)
        r->config.changed(r->config.data);
}

static void pause_before(struct reflector *r, bool watch, uint32_t at_least_ms)
{
    int64_t delay_us = backoff_next_us(&r->backoff, loop_now_us(r->loop), r->config.rng);
    r->state = PAUSING;
    r->then_watch = watch;
    loop_timer_arm(&r->pause_timer, MAX(delay_us, (int64_t)at_least_ms * USEC_PER_MSEC));
}

static void on_pause_over(void *data)
{
    struct reflector *r = data;
    if (r->then_watch)
        start_watch(r);
    else
        start_list(r);
}

/* ---- requests ---- */

static void query(struct buf *path, const char *key, const char *value)
{
    if (value)
        resource_query(path, key, value);
}

static void query_int(struct buf *path, const char *key, uint64_t value)
{
    struct buf text = BUF_INIT(24);
    (void)buf_printf(&text, "%" PRIu64, value);
    resource_query(path, key, buf_str(&text));
    buf_done(&text);
}

static void send(struct reflector *r, struct kube_request *request, const struct buf *path)
{
    request->verb = KUBE_GET;
    request->path = buf_str(path);
    request->no_retry = true; /* the pauses here know more than the client's */
    request->priority = LOOP_NORMAL;
    request->data = r;
    r->request = kube_client_start(r->client, request);
}

static void begin_path(const struct reflector *r, struct buf *path)
{
    resource_path(path, r->config.resource, r->namespace_, NULL, NULL);
    query(path, "labelSelector", r->label_selector);
    query(path, "fieldSelector", r->field_selector);
}

/* ---- list ---- */

static int on_item(void *data, const char *json, size_t len, struct error *err UNUSED)
{
    struct reflector *r = data;
    r->config.list_item(r->config.data, (struct peek){json, len});
    return 0;
}

static int on_list_data(void *data, const char *bytes, size_t len, struct error *err)
{
    struct reflector *r = data;
    return split_feed(&r->split, bytes, len, err);
}

static void on_list_done(void *data, const struct kube_response *response, const struct error *err);

/* Fresh relists need no pages: the server answers them from memory, and a limit would send it to its disk. */
static void start_page(struct reflector *r)
{
    bool newest = !r->version[0] || r->version_unavailable;
    struct buf path = BUF_INIT(CONTINUE_CAP * 3 + (size_t)64 * 1024);
    begin_path(r, &path);
    if (newest && !r->unpaged)
        query_int(&path, "limit", r->config.page_size);
    if (r->next_page)
        query(&path, "continue", r->next_page);
    else if (!newest)
        query(&path, "resourceVersion", r->version);
    struct kube_request request = {
        .timeout_us = LIST_TIMEOUT_US,
        .idle_timeout_us = LIST_IDLE_US,
        .max_body = LIST_MAX_BYTES,
        .connection = HTTP_DEDICATED, /* the watch takes it over, and a long list is in nobody's way */
        .accept = r->config.metadata_only ? "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" : NULL,
        .on_data = on_list_data,
        .done = on_list_done,
    };
    drop_split(r);
    split_init(&r->split, SPLIT_LIST, 0, on_item, r);
    r->splitting = true;
    r->stats.pages++;
    send(r, &request, &path);
    buf_done(&path);
}

static void start_list(struct reflector *r)
{
    r->state = LISTING;
    free(r->next_page);
    r->next_page = NULL;
    r->n_pages = 0;
    r->list_version[0] = '\0';
    r->stats.lists++;
    r->config.list_begin(r->config.data);
    start_page(r);
}

/* The rest of a list: its resourceVersion and whether more pages follow. */
static int end_of_page(struct reflector *r, struct error *err)
{
    if (split_finish(&r->split, err) < 0)
        return -1;
    _json_cleanup_ json_t *root = json_parse(buf_str(&r->split.rest), r->split.rest.len, err);
    if (!root)
        return -1;
    const char *kind = json_str(root, "kind");
    if (!kind || !str_ends(kind, "List"))
        return error_set(err, ERROR_PARSE, "the answer is no list but \"%.60s\"", kind ? kind : "");
    const json_t *items = json_object_get(root, "items"); /* null is how some servers write an empty one */
    if (!json_is_array(items) && !json_is_null(items))
        return error_set(err, ERROR_PARSE, "the list has no items");
    const char *version = json_str(root, "metadata.resourceVersion"), *next = json_str(root, "metadata.continue");
    if (!version || !*version || strlen(version) >= VERSION_CAP)
        return error_set(err, ERROR_PARSE, "the list has no usable resourceVersion");
    /* Pages of one list agree. If they don't, the oldest is the one from which no event is missed. */
    if (!r->list_version[0] || resource_version_older(version, r->list_version))
        (void)str_copy(r->list_version, sizeof(r->list_version), version);
    bool more = next && *next;
    if (more && (++r->n_pages >= MAX_PAGES || strlen(next) >= CONTINUE_CAP || streq0(next, r->next_page)))
        return error_set(err, ERROR_LIMIT, "the list does not end");
    free(r->next_page);
    r->next_page = more ? xstrdup(next) : NULL;
    return 0;
}

static void list_complete(struct reflector *r)
{
    memcpy(r->version, r->list_version, sizeof(r->version));
    r->version_unavailable = r->unpaged = false;
    r->active_us = loop_now_us(r->loop);
    r->state = TAKING;
    recovered(r, LISTING);
    log_debug(r->log, "listed", LOG_S("resource", r->config.resource->plural), LOG_S("resourceVersion", r->version));
    r->config.list_end(r->config.data);
}

static bool is_gone(const struct kube_status *s)
{
    return s->code == 410 || s->reason == STATUS_EXPIRED || s->reason == STATUS_GONE;
}

static void list_failed(struct reflector *r, const struct kube_response *response, const struct error *err)
{
    const struct kube_status *status = response->code >= 300 ? &response->status : NULL;
    bool gone = status && is_gone(status), too_large = status && status->too_large_resource_version;
    bool at_version = r->version[0] && !r->version_unavailable;
    r->stats.errors++;
    failed(r, LISTING, err);
    if (gone && r->next_page && !r->unpaged) {
        r->unpaged = true;
        start_list(r);
    } else if ((gone || too_large) && at_version) {
        r->version_unavailable = true;
        start_list(r);
    } else {
        pause_before(r, false, err->retry_after_ms);
    }
}

static void on_list_done(void *data, const struct kube_response *response, const struct error *err)
{
    struct reflector *r = data;
    struct error own = ERROR_INIT;
    r->request = 0;
    if (!err && end_of_page(r, &own) < 0)
        err = &own;
    if (err)
        list_failed(r, response, err);
    else if (r->next_page)
        start_page(r);
    else
        list_complete(r);
    changed(r);
}

/* ---- watch ---- */

/* A watch goes forwards: what is not newer than the point it has reached was there before. */
static bool is_outdated(const struct reflector *r, const char *version)
{
    return streq(version, r->version) || resource_version_older(version, r->version);
}

static void advance(struct reflector *r, const char *version)
{
    if (is_outdated(r, version))
        return;
    (void)str_copy(r->version, sizeof(r->version), version);
    r->progress = true;
}

static int on_object(struct reflector *r, enum watch_type type, struct peek object, struct error *err)
{
    char version[VERSION_CAP];
    if (!peek_str(peek_member(object, "metadata"), "resourceVersion", version, sizeof(version)))
        return error_set(err, ERROR_PARSE, "an event without a resourceVersion");
    r->stats.events++;
    if (is_outdated(r, version)) {
        r->stats.outdated++;
        return 0;
    }
    r->config.event(r->config.data, type, object, version);
    advance(r, version);
    return 0;
}

static int on_bookmark(struct reflector *r, struct peek object, struct error *err)
{
    char version[VERSION_CAP];
    if (!peek_str(peek_member(object, "metadata"), "resourceVersion", version, sizeof(version)))
        return error_set(err, ERROR_PARSE, "a bookmark without a resourceVersion");
    r->stats.bookmarks++;
    advance(r, version);
    return 0;
}

static int on_event(void *data, const char *json, size_t len, struct error *err)
{
    struct reflector *r = data;
    struct peek event = {json, len}, object = peek_member(event, "object");
    char type[16];
    if (!peek_str(event, "type", type, sizeof(type)) || !object.at)
        return error_set(err, ERROR_PARSE, "the stream has something that is no event");
    r->active_us = loop_now_us(r->loop);
    if (streq(type, "ADDED"))
        return on_object(r, WATCH_ADDED, object, err);
    if (streq(type, "MODIFIED"))
        return on_object(r, WATCH_MODIFIED, object, err);
    if (streq(type, "DELETED"))
        return on_object(r, WATCH_DELETED, object, err);
    if (streq(type, "BOOKMARK"))
        return on_bookmark(r, object, err);
    if (streq(type, "ERROR")) {
        kube_status_decode(0, object.at, object.len, &r->refusal);
        r->has_refusal = true;
        return kube_status_error(&r->refusal, err);
    }
    if (!r->unknown_type_logged)
        log_warn(r->log, "event of unknown type ignored", LOG_S("resource", r->config.resource->plural),
                 LOG_S("type", type));
    r->unknown_type_logged = true;
    return 0;
}

static int on_watch_data(void *data, const char *bytes, size_t len, struct error *err)
{
    struct reflector *r = data;
    r->heard = true;
    int result = split_feed(&r->split, bytes, len, err);
    changed(r);
    return result;
}

static void on_watch_open(void *data)
{
    struct reflector *r = data;
    r->opened = true;
    recovered(r, WATCHING);
}

static void on_watch_done(void *data, const struct kube_response *response, const struct error *err);

static int64_t watch_seconds(const struct reflector *r)
{
    if (r->config.watch_timeout_s)
        return r->config.watch_timeout_s;
    return WATCH_MIN_S + (int64_t)rng_below(r->config.rng, WATCH_MIN_S + 1);
}

static void start_watch(struct reflector *r)
{
    int64_t seconds = watch_seconds(r);
    struct buf path = BUF_INIT((size_t)64 * 1024);
    begin_path(r, &path);
    query(&path, "watch", "true");
    query(&path, "allowWatchBookmarks", "true");
    query(&path, "resourceVersion", r->version);
    query_int(&path, "timeoutSeconds", (uint64_t)seconds);
    struct kube_request request = {
        .timeout_us = (seconds + WATCH_GRACE_S) * USEC_PER_SEC,
        .idle_timeout_us = WATCH_IDLE_US,
        .max_body = WATCH_MAX_BYTES,
        .connection = HTTP_DEDICATED,
        .accept = r->config.metadata_only ? "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1" : NULL,
        .on_open = on_watch_open,
        .on_data = on_watch_data,
        .done = on_watch_done,
    };
    drop_split(r);
    split_init(&r->split, SPLIT_STREAM, 0, on_event, r);
    r->splitting = true;
    r->state = WATCHING;
    r->watch_began_us = loop_now_us(r->loop);
    r->opened = r->heard = r->progress = r->has_refusal = false;
    r->stats.watches++;
    send(r, &request, &path);
    buf_done(&path);
}

void reflector_watch(struct reflector *r)
{
    assert(r->state == TAKING);
    start_watch(r);
}

static enum ending ending_of_status(const struct kube_status *s)
{
    if (s->too_large_resource_version)
        return END_TOO_LARGE;
    if (is_gone(s))
        return END_EXPIRED;
    if (s->code == 429)
        return END_BUSY;
    return s->code == 500 || s->reason == STATUS_INTERNAL_ERROR ? END_INTERNAL : END_OTHER;
}

static enum ending ending_of(const struct reflector *r, const struct kube_response *response, const struct error *err)
{
    bool is_short = loop_now_us(r->loop) - r->watch_began_us < SHORT_WATCH_US && !r->progress;
    if (r->has_refusal)
        return ending_of_status(&r->refusal);
    if (!err)
        return is_short ? END_SHORT : END_CLEAN;
    if (response->code >= 300)
        return ending_of_status(&response->status);
    if (err->kind == ERROR_PARSE || err->kind == ERROR_LIMIT || err->kind == ERROR_CONFIG)
        return END_OTHER;
    if (!r->opened)
        return END_NO_ANSWER;
    if (!r->heard && err->kind == ERROR_TIMEOUT)
        return END_SILENT;
    return is_short ? END_SHORT : END_CUT;
}

/* An apiserver in trouble says 500 to everyone; to list as well would make it worse. But not for ever. */
static bool still_patient(struct reflector *r)
{
    int64_t now_us = loop_now_us(r->loop);
    if (r->internal_since_us == 0)
        r->internal_since_us = now_us;
    return now_us - r->internal_since_us < INTERNAL_RETRY_US;
}

static void watch_again_or_list(struct reflector *r, enum ending ending, uint32_t retry_after_ms)
{
    if (ending != END_INTERNAL)
        r->internal_since_us = 0;
    switch (ending) {
    case END_CLEAN:
    case END_CUT:
        start_watch(r);
        break;
    case END_SHORT:
    case END_NO_ANSWER:
    case END_BUSY:
        pause_before(r, true, retry_after_ms);
        break;
    case END_INTERNAL:
        pause_before(r, still_patient(r), retry_after_ms);
        break;
    case END_TOO_LARGE:
        r->version_unavailable = true;
        pause_before(r, false, retry_after_ms);
        break;
    case END_SILENT:
    case END_EXPIRED:
    case END_OTHER:
        pause_before(r, false, retry_after_ms);
        break;
    }
}

static void on_watch_done(void *data, const struct kube_response *response, const struct error *err)
{
    struct reflector *r = data;
    struct error own = ERROR_INIT;
    enum ending ending = ending_of(r, response, err);
    r->request = 0;
    if (!err && ending == END_CLEAN && split_finish(&r->split, &own) < 0) {
        ending = END_CUT; /* in the middle of an event */
        err = &own;
    }
    if (ending == END_SHORT && !err) {
        (void)error_set(&own, ERROR_HTTP, "the watch ended at once, without an event");
        err = &own;
    }
    if (ending != END_CLEAN)
        r->stats.errors++;
    if (ending == END_CLEAN)
        recovered(r, WATCHING);
    else if (ending == END_CUT || ending == END_EXPIRED || ending == END_TOO_LARGE)
        log_info(r->log, "watch ended early", LOG_S("resource", r->config.resource->plural), LOG_ERR(err));
    else if (err)
        failed(r, WATCHING, err);
    watch_again_or_list(r, ending, err ? err->retry_after_ms : 0);
    changed(r);
}
