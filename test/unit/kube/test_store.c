/* Objects and their store: reference counts, keys, and what is the same and what is older. */
#include "base/alloc.h"
#include "kube/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned freed;

static void free_object(struct object *o)
{
    freed++;
    free(o);
}

static struct object *object(const char *ns, const char *name, const char *uid, const char *version)
{
    struct object *o = xcalloc(1, sizeof(*o));
    o->refs = 1;
    o->free = free_object;
    o->meta.namespace_ = xstrdup0(ns);
    o->meta.name = xstrdup(name);
    o->meta.uid = xstrdup0(uid);
    o->meta.resource_version = xstrdup0(version);
    return o;
}

static void test_references(void **state)
{
    (void)state;
    struct map store;
    freed = 0;
    store_init(&store);
    struct object *a = object("ns", "a", "1", "5");
    store_put(&store, a);
    assert_ptr_equal(store_get(&store, "ns", "a"), a);
    assert_null(store_get(&store, NULL, "a"));
    assert_null(store_get(&store, "ns", "b"));
    struct object *kept = object_ref(a);
    store_put(&store, object("ns", "a", "1", "6"));
    assert_int_equal(store.count, 1);
    assert_int_equal(freed, 0);
    object_unref(kept);
    assert_int_equal(freed, 1);
    store_put(&store, object(NULL, "a", "2", "7"));
    assert_int_equal(store.count, 2);
    store_remove(&store, store_get(&store, "", "a"));
    assert_int_equal(freed, 2);
    map_done(&store);
    assert_int_equal(freed, 3);
    object_unref(NULL);
}

static void test_same(void **state)
{
    (void)state;
    struct object *a = object("ns", "a", "1", "5"), *b = object("ns", "a", "1", "5"), *c = object("ns", "a", "2", "5"),
                  *d = object("ns", "a", "1", NULL);
    assert_true(object_same(a, b));
    assert_false(object_same(a, c));
    assert_false(object_same(a, d));
    assert_false(object_same(d, d)); /* without a resourceVersion nothing is known */
    assert_true(object_same_uid(a, d));
    assert_false(object_same_uid(a, c));
    object_unref(a);
    object_unref(b);
    object_unref(c);
    object_unref(d);
}

static void test_older(void **state)
{
    (void)state;
    assert_true(resource_version_older("9", "10"));
    assert_false(resource_version_older("10", "9"));
    assert_false(resource_version_older("10", "10"));
    assert_true(resource_version_older("18446744073709551615", "18446744073709551616"));
    assert_false(resource_version_older("abc", "abd"));
    assert_false(resource_version_older("09", "100"));
    assert_false(resource_version_older("", "1"));
    assert_false(resource_version_older(NULL, "1"));
    assert_false(resource_version_older("1", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_older),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
