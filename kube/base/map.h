/* Hash map from strings to pointers. Keys are copied; values are borrowed unless `free_value` is set.
 * SipHash-1-3 with a random key per map, so that a peer can't choose collisions. Iteration order is
 * unspecified: sort where it shows.
 *
 * During an iteration any entry may be removed (the current one, or one still to come, which then does not
 * come); none may be added. An entry stays where it is from map_set() to its removal. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/base.h"

struct map_entry {
    uint64_t hash;
    void *value;
    char key[];
};

struct map {
    struct map_entry **slots; /* open addressing: an entry, NULL, or the mark of a removed one */
    size_t n_slots;           /* a power of two, or 0 */
    size_t n_used;            /* slots that are not NULL */
    size_t count;
    uint64_t hash_key[2];
    void (*free_value)(void *value);
};

#define MAP_INIT(free_fn) ((struct map){.free_value = (free_fn)})

void map_init(struct map *m, void (*free_value)(void *value));
void map_done(struct map *m);
void map_clear(struct map *m); /* the same: the map may be used again */

void *map_get(const struct map *m, const char *key); /* NULL: absent */
/* Stores; another value that was there is freed. `value` must not be NULL. Gives the map's own copy of the
 * key, valid until the entry is removed and its value freed. */
const char *map_set(struct map *m, const char *key, void *value);
/* Removes and gives the value (it is not freed), or NULL. */
void *map_take(struct map *m, const char *key);
/* Removes and frees. True if it was there. */
bool map_remove(struct map *m, const char *key);

struct map_iter {
    size_t slot;
};

/* struct map_entry *e;
 * for (struct map_iter it = map_iter(m); (e = map_next(m, &it)) != NULL;) */
struct map_iter map_iter(const struct map *m);
struct map_entry *map_next(const struct map *m, struct map_iter *it);

#endif
