/* A small API server that does on command what a real one can't: cut, stall, split, expire, lie. Scripts on
 * test/server that speak the Kubernetes wire for a few collections: list with pages, watch with history, get,
 * create, update, merge patch, apply, delete, and /scale, with resourceVersions that mean what they do in
 * Kubernetes. An apply merges its fields, as a merge patch does, and creates what is not there. A list or watch may
 * have one label selector of the form "key=value".
 *
 *     struct api *api = api_new();
 *     api_put(api, &api_pods, "shop", "web-1", "{}");
 *     ... a client of api_url() lists and watches /api/v1/pods ...
 *     api_put(api, &api_pods, "shop", "web-1", "{\"spec\":{}}");          // open watches are told
 *     api_fault(api, &(struct api_fault){.op = API_WATCH, .status = 429, .reason = "TooManyRequests"});
 *     api_watch_end(api, API_END_RESET);
 *
 * It answers on a thread of its own; all functions may be called from the test's. What a real server does is
 * checked by the integration tests, not here.
 */
#ifndef TEST_API_API_H
#define TEST_API_API_H

#include "test/api/objects.h"

struct api;
struct api *api_new(void);
struct api *api_free(struct api *a);
const char *api_url(const struct api *a);
const char *api_ca_pem(const struct api *a);
struct server *api_server(struct api *a); /* for server_down() and the like */

/* ---- the state ---- */
uint64_t api_put(struct api *a, const struct api_kind *kind, const char *ns, const char *name, const char *body);
uint64_t api_delete(struct api *a, const struct api_kind *kind, const char *ns, const char *name);
bool api_has(struct api *a, const struct api_kind *kind, const char *ns, const char *name);
char *api_get(struct api *a, const struct api_kind *kind, const char *ns, const char *name); /* free(); NULL: absent */
uint64_t api_version(struct api *a);
void api_contents(struct api *a, const struct api_kind *kind, const char *ns, struct buf *out);
void api_compact(struct api *a);                  /* watches can't begin before now */
void api_expire_pages(struct api *a);             /* continue tokens that were given are gone */
void api_rewind(struct api *a, uint64_t version); /* as after a restore of a backup */

/* ---- misbehaviour ---- */
enum api_op { API_ANY, API_LIST, API_WATCH, API_GET, API_CREATE, API_UPDATE, API_PATCH, API_DELETE, N_API_OPS };
enum api_how {
    API_REFUSE, /* with `status`, `reason` and so on */
    API_RESET,  /* no answer, the connection is reset */
    API_STALL,  /* no answer, for ever */
    API_CUT,    /* the answer, cut after `bytes` of its body (a watch: of its backlog) */
    API_SAY,    /* 200 and `body` instead of the answer */
};
struct api_fault {
    enum api_op op;
    enum api_how how;
    unsigned skip;  /* of matching requests, before it strikes */
    unsigned times; /* 0: once */
    bool applied;   /* a write is carried out all the same */
    int status;
    const char *reason, *message, *cause; /* NULL: none */
    int retry_after_s;
    size_t bytes;
    const char *body;
};
/* Copied, but for its texts, which stay the caller's. Faults strike in the order they were given. */
void api_fault(struct api *a, const struct api_fault *fault);
size_t api_faults(struct api *a);                      /* that have not struck */
void api_heal(struct api *a);                          /* forgets faults that have not struck */
void api_split(struct api *a, size_t n, int pause_ms); /* all answers from now on in pieces of n bytes */

/* ---- open watches ---- */
size_t api_watching(struct api *a);
void api_mute(struct api *a, bool muted);                           /* watches are told of changes only when it ends */
void api_bookmark(struct api *a);                                   /* with the newest resourceVersion */
void api_tell(struct api *a, const char *type, const char *object); /* any event, true or not */
void api_tell_error(struct api *a, int code, const char *reason);
void api_tell_raw(struct api *a, const char *text); /* any bytes */
void api_repeat(struct api *a, size_t n);           /* the last n events once more */
enum api_end { API_END_CLEAN, API_END_CUT /* without the last chunk */, API_END_RESET };
void api_watch_end(struct api *a, enum api_end how);

/* ---- what was asked ---- */
unsigned api_count(struct api *a, enum api_op op);
/* The path with its query of the n-th request of this operation, from 0; "" when there is none. free() */
char *api_path(struct api *a, enum api_op op, unsigned n);
/* Its body, or the value of a header, the same way. */
char *api_body(struct api *a, enum api_op op, unsigned n);
char *api_header(struct api *a, enum api_op op, unsigned n, const char *name);

#endif
