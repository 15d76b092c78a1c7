/* Cuts a streamed JSON list into its items without ever holding the list: an incremental scanner that finds the elements
 * of the top-level member "items" (each handed out whole), and collects the small rest ("kind", "metadata" ...) as text
 * with "items":[]. Also frames a watch stream (concatenated objects). Any chunking gives the same items. */
#ifndef KUBE_SPLIT_H
#define KUBE_SPLIT_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

enum split_mode {
    SPLIT_LIST,   /* one object with "items" */
    SPLIT_STREAM, /* concatenated objects: each top-level object is an item */
};

struct split {
    enum split_mode mode;
    size_t max_item;      /* bytes of one item: 16 MiB for watches */
    struct buf item;      /* the piece being collected */
    struct buf rest;      /* SPLIT_LIST: all but the items; complete when done */
    int (*on_item)(void *data, const char *json, size_t len, struct error *err);
    void *data;
    /* scanner state */
    unsigned depth, state;
    bool in_string, escaped, in_items, done;
    char key[8];
    unsigned key_len;
};

void split_init(struct split *s, enum split_mode mode, size_t max_item,
                int (*on_item)(void *data, const char *json, size_t len, struct error *err), void *data);
int split_feed(struct split *s, const char *bytes, size_t len, struct error *err);
/* After the last byte: fails when something is incomplete. */
int split_finish(struct split *s, struct error *err);
void split_done(struct split *s);

#endif
