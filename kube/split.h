/* Cuts a streamed JSON list into its items without ever holding the list: an incremental scanner that finds
 * the elements of the top-level member "items" (each handed out whole), and collects the small rest ("kind",
 * "metadata" ...) as text with "items":[]. Also frames a watch stream (concatenated objects). Any chunking
 * gives the same items.
 *
 * It checks what it needs to cut at the right places (brackets that match, commas between items, depth); what
 * it hands out is still to be parsed strictly. Each byte is looked at once.
 */
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
    struct buf item; /* the piece being collected, with its cap */
    struct buf rest; /* SPLIT_LIST: all but the items; complete when done; at most 256 KiB */
    int (*on_item)(void *data, const char *json, size_t len, struct error *err);
    void *data;
    /* Scanner state, not for others. */
    int state;
    uint64_t kinds; /* bit per open bracket: 1 for '{' */
    unsigned depth; /* open brackets, of the item while in one */
    bool in_string, escaped, done, saw_items;
    char key[8]; /* the string read last at the top of the list, as far as it fits */
    unsigned key_len;
    int key_state;
};

/* `max_item`: bytes of one item; 0: 16 MiB. `on_item` borrows its bytes, which are NUL-terminated, to the
 * caller for the call; < 0 from it ends split_feed() with that error. It must not call split_done(). */
void split_init(struct split *s, enum split_mode mode, size_t max_item,
                int (*on_item)(void *data, const char *json, size_t len, struct error *err), void *data);
/* After a failure nothing more may be fed. */
int split_feed(struct split *s, const char *bytes, size_t len, struct error *err);
/* After the last byte: fails when something is incomplete. */
int split_finish(struct split *s, struct error *err);
void split_done(struct split *s);

#endif
