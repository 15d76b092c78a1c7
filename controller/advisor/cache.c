/* The TTL cache of answers; see cache.h. */
#include "advisor/cache.h"

#include <stdlib.h>

#include "base/alloc.h"

static void answer_free(struct cached_answer *a)
{
    list_remove(&a->node);
    free(a->key);
    free(a);
}

void cache_init(struct cache *c)
{
    map_init(&c->answers, NULL);
    list_init(&c->order);
}

void cache_done(struct cache *c)
{
    list_for_each_safe (n, after, &c->order)
        answer_free(CONTAINER_OF(n, struct cached_answer, node));
    map_done(&c->answers);
}

static void drop(struct cache *c, struct cached_answer *a)
{
    (void)map_take(&c->answers, a->key);
    answer_free(a);
}

void cache_put(struct cache *c, const char *key, const struct decision *decision, uint64_t provider, int64_t asked_us)
{
    struct cached_answer *old = map_get(&c->answers, key);
    if (old && old->asked_us > asked_us)
        return;
    if (old)
        drop(c, old);
    if (c->answers.count >= CACHE_MAX_ENTRIES)
        drop(c, CONTAINER_OF(c->order.next, struct cached_answer, node));
    struct cached_answer *a = xcalloc(1, sizeof *a);
    *a = (struct cached_answer){.decision = *decision, .provider = provider, .asked_us = asked_us, .key = xstrdup(key)};
    list_init(&a->node);
    list_append(&c->order, &a->node);
    (void)map_set(&c->answers, key, a);
}

const struct cached_answer *cache_get(struct cache *c, const char *key, uint32_t ttl_s, int64_t now_us)
{
    struct cached_answer *a = map_get(&c->answers, key);
    if (!a)
        return NULL;
    int64_t age_us = now_us - a->asked_us;
    if (age_us < 0 || age_us >= (int64_t)ttl_s * 1000000)
        return NULL; /* another one may have a longer TTL: it stays until it is replaced or the oldest */
    return a;
}
