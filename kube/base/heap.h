/* Intrusive binary min-heap ordered by a 64-bit key (a due time), ties in order of insertion. The heap holds
 * pointers only; a node must stay where it is while it is in. An all-zero `struct heap` is empty; a node
 * starts with heap_node_init(). */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/base.h"

#define HEAP_NONE SIZE_MAX

struct heap_node {
    int64_t key;
    uint64_t order;
    size_t index; /* HEAP_NONE: not in a heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count, cap;
    uint64_t next_order;
};

void heap_node_init(struct heap_node *node);
void heap_done(struct heap *h);                                     /* forgets all nodes */
void heap_add(struct heap *h, struct heap_node *node, int64_t key); /* moves it if it is in: behind its equals */
void heap_remove(struct heap *h, struct heap_node *node);           /* nothing if it is not in */
struct heap_node *heap_first(const struct heap *h);                 /* NULL: empty */

#endif
