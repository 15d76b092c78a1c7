/* Binary min-heap of pointers; every node knows its place, so that it can be moved and removed in O(log n).
 */
#include "base/heap.h"

#include "base/alloc.h"

#include <stdlib.h>

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void place(struct heap *h, size_t index, struct heap_node *node)
{
    h->nodes[index] = node;
    node->index = index;
}

static void sift_up(struct heap *h, size_t index, struct heap_node *node)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!before(node, h->nodes[parent]))
            break;
        place(h, index, h->nodes[parent]);
        index = parent;
    }
    place(h, index, node);
}

static void sift_down(struct heap *h, size_t index, struct heap_node *node)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && before(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!before(h->nodes[child], node))
            break;
        place(h, index, h->nodes[child]);
        index = child;
    }
    place(h, index, node);
}

void heap_node_init(struct heap_node *node)
{
    *node = (struct heap_node){.index = HEAP_NONE};
}

void heap_done(struct heap *h)
{
    for (size_t i = 0; i < h->count; i++)
        h->nodes[i]->index = HEAP_NONE;
    free(h->nodes);
    *h = (struct heap){0};
}

void heap_add(struct heap *h, struct heap_node *node, int64_t key)
{
    heap_remove(h, node);
    if (h->count == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 16;
        h->nodes = xreallocarray(h->nodes, h->cap, sizeof(struct heap_node *));
    }
    node->key = key;
    node->order = h->next_order++;
    sift_up(h, h->count++, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    size_t index = node->index;
    if (index == HEAP_NONE)
        return;
    node->index = HEAP_NONE;
    struct heap_node *last = h->nodes[--h->count];
    if (last == node)
        return;
    if (index > 0 && before(last, h->nodes[(index - 1) / 2]))
        sift_up(h, index, last);
    else
        sift_down(h, index, last);
}

struct heap_node *heap_first(const struct heap *h)
{
    return h->count ? h->nodes[0] : NULL;
}
