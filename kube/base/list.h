/* Intrusive doubly linked list with a sentinel head. A node is in one list at most; a node that is in none
 * points to itself, so that list_remove() may be called twice. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/base.h"

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void list_append(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#define list_for_each(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
/* The current node may be removed. */
#define list_for_each_safe(it, after, head)                                                                            \
    for (struct list *it = (head)->next, *after = it->next; it != (head); it = after, after = it->next)

#endif
