/* Open addressing with linear probing over pointers to entries. A removal leaves a mark and moves nothing,
 * which is what lets an iteration, a plain walk over the slots, survive any removal. Marks go when the table
 * is rebuilt: an insertion that finds three quarters of the slots used sizes it anew after the live entries.
 */
#include "base/map.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/siphash.h"
#include "base/str.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MIN_SLOTS 8

/* What a slot points to after its entry was removed. Never read or written, only compared with. */
static const struct map_entry removed_mark;

static bool is_entry(const struct map_entry *e)
{
    return e && e != &removed_mark;
}

void map_init(struct map *m, void (*free_value)(void *value))
{
    *m = MAP_INIT(free_value);
}

void map_clear(struct map *m)
{
    struct map old = *m;
    /* Emptied first: a value's destructor may look into the map it was in. */
    map_init(m, old.free_value);
    for (size_t i = 0; i < old.n_slots; i++) {
        struct map_entry *e = old.slots[i];
        if (!is_entry(e))
            continue;
        if (old.free_value)
            old.free_value(e->value);
        free(e);
    }
    free(old.slots);
}

void map_done(struct map *m)
{
    map_clear(m);
}

/* The slot of the key, or NULL. */
static struct map_entry **find(const struct map *m, const char *key, uint64_t hash)
{
    if (!m->n_slots)
        return NULL;
    size_t mask = m->n_slots - 1;
    /* Ends: a quarter of the slots is NULL. */
    for (size_t i = (size_t)hash & mask; m->slots[i]; i = (i + 1) & mask) {
        struct map_entry *e = m->slots[i];
        if (e != &removed_mark && e->hash == hash && streq(e->key, key))
            return &m->slots[i];
    }
    return NULL;
}

static void insert(struct map *m, struct map_entry *e)
{
    size_t mask = m->n_slots - 1;
    size_t i = (size_t)e->hash & mask;
    while (m->slots[i])
        i = (i + 1) & mask;
    m->slots[i] = e;
    m->n_used++;
}

static void rebuild(struct map *m)
{
    struct map_entry **old = m->slots;
    size_t n_old = m->n_slots;
    size_t n = MIN_SLOTS;
    while (n < 2 * (m->count + 1))
        n *= 2;
    m->slots = xcalloc(n, sizeof(struct map_entry *));
    m->n_slots = n;
    m->n_used = 0;
    for (size_t i = 0; i < n_old; i++) {
        if (is_entry(old[i]))
            insert(m, old[i]);
    }
    free(old);
}

static uint64_t hash_of(const struct map *m, const char *key, size_t len)
{
    return siphash13(m->hash_key, key, len);
}

void *map_get(const struct map *m, const char *key)
{
    if (!m->count)
        return NULL;
    struct map_entry **slot = find(m, key, hash_of(m, key, strlen(key)));
    return slot ? (*slot)->value : NULL;
}

const char *map_set(struct map *m, const char *key, void *value)
{
    assert(value);
    if (!m->n_slots) {
        struct rng rng;
        rng_seed_random(&rng);
        m->hash_key[0] = rng_next(&rng);
        m->hash_key[1] = rng_next(&rng);
    }
    size_t len = strlen(key);
    uint64_t hash = hash_of(m, key, len);
    struct map_entry **slot = find(m, key, hash);
    if (slot) {
        struct map_entry *e = *slot;
        void *old = e->value;
        e->value = value;
        if (m->free_value && old != value)
            m->free_value(old);
        return e->key;
    }
    if (4 * (m->n_used + 1) > 3 * m->n_slots)
        rebuild(m);
    struct map_entry *e = xcalloc(1, sizeof(*e) + len + 1);
    e->hash = hash;
    e->value = value;
    memcpy(e->key, key, len + 1);
    insert(m, e);
    m->count++;
    return e->key;
}

static struct map_entry *detach(struct map *m, const char *key)
{
    if (!m->count)
        return NULL;
    struct map_entry **slot = find(m, key, hash_of(m, key, strlen(key)));
    if (!slot)
        return NULL;
    struct map_entry *e = *slot;
    *slot = (struct map_entry *)(uintptr_t)&removed_mark;
    m->count--;
    return e;
}

void *map_take(struct map *m, const char *key)
{
    struct map_entry *e = detach(m, key);
    void *value = e ? e->value : NULL;
    free(e);
    return value;
}

bool map_remove(struct map *m, const char *key)
{
    struct map_entry *e = detach(m, key);
    if (!e)
        return false;
    if (m->free_value)
        m->free_value(e->value); /* which may still use the key that map_set() gave */
    free(e);
    return true;
}

struct map_iter map_iter(const struct map *m UNUSED)
{
    return (struct map_iter){0};
}

struct map_entry *map_next(const struct map *m, struct map_iter *it)
{
    while (it->slot < m->n_slots) {
        struct map_entry *e = m->slots[it->slot++];
        if (is_entry(e))
            return e;
    }
    return NULL;
}
