/* An informer under test: it writes down what its handler is told, and checks with every word what a handler
 * may rely on. Pods decode into bare objects; a body with "bad" in it does not decode, one with "unwanted" is
 * not wanted. */
#ifndef TEST_API_WATCHER_H
#define TEST_API_WATCHER_H

#include "base/map.h"
#include "kube/informer.h"
#include "test/api/world.h"

struct watcher {
    struct world *world;
    struct informer_config config; /* may be changed before watcher_start() */
    struct informer *informer;
    struct buf told;   /* "+a ~a -a synced " */
    struct map shadow; /* key -> "uid version": what the handler believes is there */
    unsigned synced;
    uint64_t watches_before;      /* of earlier informers, that the server has seen */
    uint64_t unreached;           /* of this one, that it has not, because it was down */
    void (*on_event)(void *data); /* a test's own handler, called last; may be NULL */
    void *data;
};

struct watcher *watcher_new(void);
struct watcher *watcher_free(struct watcher *w);
/* Ends the informer; the next watcher_start() makes another one. The server remains. */
void watcher_fresh(struct watcher *w);
void watcher_start(struct watcher *w);
void watcher_server_down(struct watcher *w);
void watcher_server_up(struct watcher *w);

/* Whether store, handler and server agree; `data` is the watcher. */
bool watcher_agrees(void *data);
/* Each drives the world until it is so, or fails the test. */
void watcher_in_step(struct watcher *w); /* watching, and store, handler and server agree */
void watcher_until_watching(struct watcher *w);
void watcher_until_told(struct watcher *w, const char *all);
void watcher_until_lists(struct watcher *w, unsigned n); /* requests that the server has seen */
void watcher_until_watches(struct watcher *w, unsigned n);
void watcher_until_bookmarks(struct watcher *w, unsigned n);
void watcher_until_error(struct watcher *w, bool there);

void watcher_told(struct watcher *w, const char *all);
void watcher_told_in_any_order(struct watcher *w, const char *all);
/* The n-th request of this kind had this path, or began its watch there. */
void watcher_asked(struct watcher *w, enum api_op op, unsigned n, const char *path);
void watcher_watched_from(struct watcher *w, unsigned n, const char *version);
/* "ns/name=version " of the store, in order. */
void watcher_digest(const struct watcher *w, struct buf *out);

#endif
