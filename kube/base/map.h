/* Hash map from strings to pointers. Keys are copied; values are borrowed unless `free_value` is set. SipHash-1-3 with a
 * random key per process, so that a peer can't choose collisions. Entries may be removed during an iteration; they may
 * not be added. Iteration order is unspecified: sort where it shows. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/base.h"

struct map_entry {
    struct map_entry *next; /* of the bucket */
    uint64_t hash;
    void *value;
    char key[];
};

struct map {
    struct map_entry **buckets;
    size_t n_buckets; /* a power of two, or 0 */
    size_t count;
    void (*free_value)(void *value);
};

#define MAP_INIT(free_fn) ((struct map){.free_value = (free_fn)})

void map_init(struct map *m, void (*free_value)(void *value));
void map_done(struct map *m);
void map_clear(struct map *m);

void *map_get(const struct map *m, const char *key); /* NULL: absent */
/* Stores; a value that was there is freed. `value` must not be NULL. */
void map_set(struct map *m, const char *key, void *value);
/* Removes and gives the value (it is not freed), or NULL. */
void *map_take(struct map *m, const char *key);
/* Removes and frees. True if it was there. */
bool map_remove(struct map *m, const char *key);

struct map_iter {
    size_t bucket;
    struct map_entry *next;
};

/* for (struct map_iter it = map_iter(m); (e = map_next(m, &it)) != NULL;) */
struct map_iter map_iter(const struct map *m);
struct map_entry *map_next(const struct map *m, struct map_iter *it);

#endif
