/* Answers by what was asked: the situation's key and nothing else, so that nothing in it is private and every
 * autoscaler in the same situation shares one. Only validated answers; bounded, the oldest goes first. Private to
 * controller/advisor.
 */
#ifndef ADVISOR_CACHE_H
#define ADVISOR_CACHE_H

#include "advisor/decision.h"
#include "base/list.h"
#include "base/map.h"

#define CACHE_MAX_ENTRIES 1024

struct cached_answer {
    struct list node; /* newest call last */
    struct decision decision;
    uint64_t provider; /* provider_digest() */
    int64_t asked_us;  /* Unix, of the call */
    char *key;
};

struct cache {
    struct map answers;
    struct list order;
};

void cache_init(struct cache *c);
void cache_done(struct cache *c);
/* Replaces what is there unless that is of a later call. */
void cache_put(struct cache *c, const char *key, const struct decision *decision, uint64_t provider, int64_t asked_us);
/* NULL: none of at most `ttl_s`. Borrowed until the next change. */
const struct cached_answer *cache_get(struct cache *c, const char *key, uint32_t ttl_s, int64_t now_us);

#endif
