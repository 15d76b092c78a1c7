/* A ring of grants and a queue of those who were refused; see shrink.h. */
#include "reconcile/shrink.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <stdlib.h>

#define WINDOW_US (60 * USEC_PER_SEC)

struct waiter {
    struct list node;
    int64_t until_us; /* its place is kept until then */
};

static void waiter_free(void *value)
{
    struct waiter *w = value;
    list_remove(&w->node);
    free(w);
}

void shrink_init(struct shrink *s, uint32_t least)
{
    *s = (struct shrink){.granted_us = xcalloc(SHRINK_MAX, sizeof(*s->granted_us)), .least = least};
    map_init(&s->waiting, waiter_free);
    list_init(&s->order);
}

void shrink_done(struct shrink *s)
{
    map_done(&s->waiting);
    free(s->granted_us);
    *s = (struct shrink){.granted_us = NULL};
}

void shrink_empty(struct shrink *s, int64_t now_us)
{
    s->closed_until_us = now_us + WINDOW_US;
}

/* The i-th that still counts, oldest first. */
static int64_t *grant(struct shrink *s, uint32_t i)
{
    return &s->granted_us[(s->first + i) % SHRINK_MAX];
}

static uint32_t left(struct shrink *s, int64_t now_us, size_t n_targets)
{
    while (s->n > 0 && *grant(s, 0) <= now_us - WINDOW_US) {
        s->first = (s->first + 1) % SHRINK_MAX;
        s->n--;
    }
    size_t limit = MIN(MAX(n_targets * SHRINK_PERCENT / 100, (size_t)s->least), (size_t)SHRINK_MAX);
    return now_us < s->closed_until_us || s->n >= limit ? 0 : (uint32_t)limit - s->n;
}

/* Whether fewer than `n` of those who still ask have waited longer. */
static bool among_first(const struct shrink *s, const struct waiter *w, int64_t now_us, uint32_t n)
{
    uint32_t before = 0;
    for (const struct list *it = s->order.next; it != &s->order && before < n; it = it->next) {
        const struct waiter *other = CONTAINER_OF(it, const struct waiter, node);
        if (other == w)
            return true;
        before += other->until_us >= now_us;
    }
    return before < n;
}

bool shrink_ask(struct shrink *s, const char *key, int64_t now_us, int64_t patience_us, size_t n_targets)
{
    struct waiter *w = map_get(&s->waiting, key);
    if (among_first(s, w, now_us, left(s, now_us, n_targets))) {
        *grant(s, s->n++) = now_us;
        shrink_leave(s, key);
        return true;
    }
    if (!w) {
        w = xcalloc(1, sizeof(*w));
        list_append(&s->order, &w->node);
        map_set(&s->waiting, key, w);
    }
    w->until_us = now_us + patience_us;
    return false;
}

void shrink_refund(struct shrink *s, int64_t granted_us)
{
    uint32_t i = 0;
    while (i < s->n && *grant(s, i) != granted_us)
        i++;
    if (i == s->n)
        return; /* older than a minute */
    for (; i + 1 < s->n; i++)
        *grant(s, i) = *grant(s, i + 1);
    s->n--;
}

void shrink_leave(struct shrink *s, const char *key)
{
    (void)map_remove(&s->waiting, key);
}

size_t shrink_waiting(const struct shrink *s)
{
    return s->waiting.count;
}
