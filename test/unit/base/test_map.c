/* The map: against a plain array under random load, removal during iteration, who frees what. */
#include "test/unit/base/unit.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct keyed {
    const char *key; /* the map's */
    char seen[8];
};

static void note_key(void *value)
{
    struct keyed *k = value;
    (void)str_copy(k->seen, sizeof(k->seen), k->key);
}

static void test_key_outlives_value(void **state UNUSED)
{
    struct map map = MAP_INIT(note_key);
    struct keyed a = {0}, b = {0};
    a.key = map_set(&map, "a", &a);
    b.key = map_set(&map, "b", &b);
    assert_true(map_remove(&map, a.key));
    assert_string_equal(a.seen, "a");
    map_done(&map);
    assert_string_equal(b.seen, "b");
}

static void test_basics(void **state UNUSED)
{
    struct map map = MAP_INIT(NULL);
    int a, b;
    struct map_iter it = map_iter(&map);
    assert_null(map_next(&map, &it));
    assert_null(map_get(&map, "x"));
    assert_null(map_take(&map, "x"));
    assert_false(map_remove(&map, "x"));

    map_set(&map, "x", &a);
    map_set(&map, "", &b);
    assert_ptr_equal(map_get(&map, "x"), &a);
    assert_ptr_equal(map_get(&map, ""), &b);
    assert_null(map_get(&map, "X"));
    assert_null(map_get(&map, "xx"));
    map_set(&map, "x", &b);
    assert_int_equal(map.count, 2);
    assert_ptr_equal(map_take(&map, "x"), &b);
    assert_null(map_get(&map, "x"));
    assert_true(map_remove(&map, ""));
    assert_int_equal(map.count, 0);
    map_done(&map);
    map_set(&map, "again", &a);
    assert_ptr_equal(map_get(&map, "again"), &a);
    map_done(&map);
}

static void count_free(void *value)
{
    ++*(int *)value;
}

static void test_ownership(void **state UNUSED)
{
    struct map map;
    int a = 0, b = 0, c = 0;
    map_init(&map, count_free);
    map_set(&map, "k", &a);
    map_set(&map, "k", &a);
    assert_int_equal(a, 0);
    map_set(&map, "k", &b);
    assert_int_equal(a, 1);
    assert_ptr_equal(map_take(&map, "k"), &b);
    assert_int_equal(b, 0);
    map_set(&map, "k", &b);
    assert_true(map_remove(&map, "k"));
    assert_int_equal(b, 1);
    map_set(&map, "k", &c);
    map_clear(&map);
    assert_int_equal(c, 1);
    map_set(&map, "k", &c);
    map_done(&map);
    assert_int_equal(c, 2);
}

/* The key may be the entry's own. */
static void test_own_key(void **state UNUSED)
{
    struct map map = MAP_INIT(free);
    map_set(&map, "key", xstrdup("one"));
    struct map_iter it = map_iter(&map);
    struct map_entry *e = map_next(&map, &it);
    map_set(&map, e->key, xstrdup("two"));
    assert_string_equal(e->value, "two");
    assert_true(map_remove(&map, e->key));
    map_done(&map);
}

#define N 500

static void key_of(size_t i, char out[24])
{
    snprintf(out, 24, "%s/pod-%zu", i % 3 ? "default" : "kube-system", i);
}

static void test_random(void **state UNUSED)
{
    struct rng rng;
    struct map map = MAP_INIT(NULL);
    int values[N], *plain[N] = {NULL};
    char key[24];
    size_t count = 0;
    rng_seed(&rng, 13);
    for (int step = 0; step < 60000; step++) {
        size_t i = (size_t)rng_below(&rng, N);
        key_of(i, key);
        assert_ptr_equal(map_get(&map, key), plain[i]);
        if (rng_below(&rng, 100) < (step / 10000 % 2 ? 20 : 70)) {
            int *value = &values[rng_below(&rng, N)];
            map_set(&map, key, value);
            count += plain[i] == NULL;
            plain[i] = value;
        } else {
            assert_ptr_equal(map_take(&map, key), plain[i]);
            count -= plain[i] != NULL;
            plain[i] = NULL;
        }
        assert_int_equal(map.count, count);
    }
    size_t seen = 0;
    struct map_entry *e;
    for (struct map_iter it = map_iter(&map); (e = map_next(&map, &it)) != NULL; seen++) {
        size_t i = (size_t)strtoul(strrchr(e->key, '-') + 1, NULL, 10);
        assert_ptr_equal(e->value, plain[i]);
    }
    assert_int_equal(seen, count);
    /* Removed entries leave no growth behind. */
    assert_true(map.n_slots <= 4096);
    map_done(&map);
}

/* Every entry is removed by the time the loop ends, half of them before their turn. */
static void test_removal_while_iterating(void **state UNUSED)
{
    struct map map = MAP_INIT(free);
    char key[24];
    for (size_t i = 0; i < N; i++) {
        key_of(i, key);
        map_set(&map, key, xstrdup(key));
    }
    size_t seen = 0;
    struct map_entry *e;
    for (struct map_iter it = map_iter(&map); (e = map_next(&map, &it)) != NULL; seen++) {
        size_t i = (size_t)strtoul(strrchr(e->key, '-') + 1, NULL, 10);
        assert_string_equal(e->value, e->key);
        key_of(i ^ 1, key);
        assert_true(map_remove(&map, key));
        assert_true(map_remove(&map, e->key));
    }
    assert_int_equal(seen, N / 2);
    assert_int_equal(map.count, 0);
    map_done(&map);
}

/* A set of keys that come and go for ever needs a table for those that are there at once. */
static void test_churn_stays_small(void **state UNUSED)
{
    struct map map = MAP_INIT(NULL);
    char key[24];
    int value;
    for (size_t i = 0; i < 100000; i++) {
        key_of(i, key);
        map_set(&map, key, &value);
        if (i >= 10) {
            key_of(i - 10, key);
            assert_ptr_equal(map_take(&map, key), &value);
        }
    }
    assert_int_equal(map.count, 10);
    assert_true(map.n_slots <= 64);
    map_done(&map);
}

static void test_key_is_random(void **state UNUSED)
{
    struct map a = MAP_INIT(NULL), b = MAP_INIT(NULL);
    int value;
    map_set(&a, "x", &value);
    map_set(&b, "x", &value);
    assert_true(a.hash_key[0] != b.hash_key[0] && a.hash_key[1] != b.hash_key[1]);
    map_done(&a);
    map_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_basics),
        cmocka_unit_test(test_key_outlives_value),
        cmocka_unit_test(test_ownership),
        cmocka_unit_test(test_own_key),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_removal_while_iterating),
        cmocka_unit_test(test_churn_stays_small),
        cmocka_unit_test(test_key_is_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
