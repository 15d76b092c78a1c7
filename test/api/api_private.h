/* The inside of the API server of the tests: api.c takes the test's orders, answer.c answers requests. */
#ifndef TEST_API_API_PRIVATE_H
#define TEST_API_API_PRIVATE_H

#include "test/api/api.h"
#include "test/server/server.h"

#include <pthread.h>

#define MAX_FAULTS    64
#define MAX_SNAPSHOTS 8
#define TEXT_MAX      ((size_t)64 << 20)

struct seen {
    enum api_op op;
    char *path, *body;
    struct server_header *headers;
    size_t n_headers;
};

struct watch {
    uint64_t request;
    uint64_t version; /* what it was told up to */
    const struct api_kind *kind;
    char *namespace_; /* NULL: all */
    char *selector;   /* of labels; NULL: all */
};

/* What the pages of a list are cut from. */
struct snapshot {
    uint64_t id, version;
    char **items;
};

struct api {
    struct server *server;
    pthread_mutex_t lock;
    struct api_objects *objects;
    struct api_fault faults[MAX_FAULTS];
    size_t n_faults;
    size_t split;
    int split_pause_ms;
    bool muted;
    struct watch *watches;
    size_t n_watches;
    struct snapshot snapshots[MAX_SNAPSHOTS];
    uint64_t next_snapshot;
    struct seen *seen;
    size_t n_seen;
    unsigned counts[N_API_OPS];
};

/* Runs on the server's thread. */
struct script *api_answer(void *data, const struct server_request *r);

void api_lock(struct api *a);
void api_unlock(struct api *a);

/* For both, with the lock held: a script that splits as ordered; what watches were not told yet; an ERROR
 * event. */
struct script *api_new_answer(const struct api *a);
void api_tell_watches(struct api *a);
void api_watch_done(struct watch *w);
void api_error_event(int code, const char *reason, struct buf *out);

#endif
