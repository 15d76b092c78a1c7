/* LIST + WATCH of one collection, kept going through everything a server or a network may do: client-go's Reflector.
 *
 * It knows the protocol and nothing of objects: items and events are handed on as text, in order. The rules:
 *
 * - The first list has no resourceVersion (it is consistent) and comes in pages of 500. 410 on a continuation: one
 *   full list.
 * - A relist asks for the last resourceVersion seen ("not older than"), unpaged. 410 or too large: for the newest, at
 *   once.
 * - A watch begins at the last resourceVersion, with bookmarks, timeoutSeconds random in [300, 600], on a connection
 *   of its own; we end it 30 s after that, and after 180 s without a byte, because bookmarks come every minute.
 * - Events that are not newer than the last resourceVersion come a second time, and are left out.
 * - A watch that ended cleanly or was cut is resumed from the last resourceVersion, at once. The same after a pause:
 *   one shorter than 1 s without progress, 429, no answer at all. ERROR 500: the same for up to a minute. Everything
 *   else leads to a relist after a pause: ERROR 410, other errors, bytes that are no events, and a watch that opened
 *   and then never said a word, which is what a server does whose counter went back.
 * - A pause is 800 ms x 2^n up to 30 s, jitter 1.0, from the start again after 2 min of peace; Retry-After when that
 *   is longer.
 */
#ifndef KUBE_REFLECTOR_H
#define KUBE_REFLECTOR_H

#include "base/backoff.h"
#include "kube/client.h"
#include "kube/peek.h"

enum watch_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED };

struct reflector_config {
    const struct resource *resource;                          /* borrowed for the reflector's life */
    const char *namespace_, *label_selector, *field_selector; /* NULL: all; copied */
    size_t page_size;                                         /* 0: 500 */
    bool metadata_only;
    int64_t watch_timeout_s;              /* 0: uniform random in [300, 600] */
    const struct backoff_config *backoff; /* NULL: backoff_reflector */
    struct rng *rng;                      /* borrowed */

    /* None of these may free the reflector. */
    void (*list_begin)(void *data); /* what an earlier list brought, if it did not end, is void */
    void (*list_item)(void *data, struct peek item);
    void (*list_end)(void *data); /* complete: leads to reflector_watch(), inside it or later */
    void (*event)(void *data, enum watch_type type, struct peek object, const char *resource_version);
    void (*changed)(void *data); /* the statistics or the error may have changed; may be NULL */
    void *data;
};

struct reflector_stats {
    uint64_t lists;   /* begun, their further pages not counted */
    uint64_t pages;   /* requests for lists */
    uint64_t watches; /* requests for watches */
    uint64_t events;  /* ADDED, MODIFIED, DELETED */
    uint64_t bookmarks;
    uint64_t outdated; /* events from before the point that was reached: not handed on */
    uint64_t errors;   /* failed lists and watches; a stream that was cut counts too */
    bool watching;     /* a watch is under way */
};

struct reflector;
struct reflector *reflector_new(struct kube_client *client, const struct reflector_config *config, struct log *log);
struct reflector *reflector_free(struct reflector *r);
void reflector_start(struct reflector *r);
void reflector_watch(struct reflector *r); /* the list has been taken in */

/* When the last list, event or bookmark came (CLOCK_BOOTTIME); since reflector_start() when none did. */
int64_t reflector_active_us(const struct reflector *r);
const struct error *reflector_error(const struct reflector *r); /* NULL: all is well */
struct reflector_stats reflector_stats(const struct reflector *r);

#endif
