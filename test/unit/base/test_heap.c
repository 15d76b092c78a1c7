/* The heap against a plain array, and the order of equals. */
#include "test/unit/base/unit.h"

#include "base/heap.h"
#include "base/rng.h"

static void test_order(void **state UNUSED)
{
    struct heap heap = {0};
    struct heap_node nodes[5];
    static const int64_t keys[] = {30, 10, INT64_MIN, 10, INT64_MAX};
    static const size_t want[] = {2, 1, 3, 0, 4};
    assert_null(heap_first(&heap));
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
        heap_node_init(&nodes[i]);
        heap_remove(&heap, &nodes[i]);
        heap_add(&heap, &nodes[i], keys[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_ptr_equal(heap_first(&heap), &nodes[want[i]]);
        heap_remove(&heap, &nodes[want[i]]);
        heap_remove(&heap, &nodes[want[i]]);
        assert_int_equal(heap.count, ARRAY_SIZE(want) - 1 - i);
    }
    assert_null(heap_first(&heap));
    heap_done(&heap);
}

static void test_move(void **state UNUSED)
{
    struct heap heap = {0};
    struct heap_node a, b;
    heap_node_init(&a);
    heap_node_init(&b);
    heap_add(&heap, &a, 1);
    heap_add(&heap, &b, 2);
    heap_add(&heap, &a, 3);
    assert_int_equal(heap.count, 2);
    assert_ptr_equal(heap_first(&heap), &b);
    /* A move is an insertion: behind its equals. */
    heap_add(&heap, &a, 2);
    assert_ptr_equal(heap_first(&heap), &b);
    heap_add(&heap, &b, 2);
    assert_ptr_equal(heap_first(&heap), &a);
    heap_done(&heap);
    assert_true(a.index == HEAP_NONE && b.index == HEAP_NONE);
    /* Forgotten nodes can be added again. */
    heap_add(&heap, &a, 7);
    assert_ptr_equal(heap_first(&heap), &a);
    heap_done(&heap);
}

#define N 200

static struct heap_node *plain_first(struct heap_node *nodes)
{
    struct heap_node *first = NULL;
    for (size_t i = 0; i < N; i++) {
        struct heap_node *n = &nodes[i];
        if (n->index != HEAP_NONE &&
            (!first || n->key < first->key || (n->key == first->key && n->order < first->order)))
            first = n;
    }
    return first;
}

static void test_random(void **state UNUSED)
{
    struct rng rng;
    struct heap heap = {0};
    struct heap_node nodes[N];
    rng_seed(&rng, 1);
    for (size_t i = 0; i < N; i++)
        heap_node_init(&nodes[i]);
    size_t count = 0;
    for (int step = 0; step < 30000; step++) {
        struct heap_node *n = &nodes[rng_below(&rng, N)];
        bool was_in = n->index != HEAP_NONE;
        if (rng_below(&rng, 100) < (step / 3000 % 2 ? 70 : 40)) {
            heap_add(&heap, n, (int64_t)rng_below(&rng, 50) - 25);
            count += !was_in;
        } else {
            heap_remove(&heap, n);
            count -= was_in;
        }
        assert_int_equal(heap.count, count);
        assert_ptr_equal(heap_first(&heap), plain_first(nodes));
    }
    for (size_t i = 0; i < heap.count; i++)
        assert_int_equal(heap.nodes[i]->index, i);
    heap_done(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
