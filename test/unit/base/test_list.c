/* The list keeps order, and forgives a second removal. */
#include "test/unit/base/unit.h"

#include "base/list.h"

struct item {
    int n;
    struct list node;
};

static int sum_in_order(struct list *head)
{
    int digits = 0;
    list_for_each (it, head)
        digits = 10 * digits + CONTAINER_OF(it, struct item, node)->n;
    return digits;
}

static void test_list(void **state UNUSED)
{
    struct list head;
    struct item a = {.n = 1}, b = {.n = 2}, c = {.n = 3};
    list_init(&head);
    list_init(&a.node);
    list_remove(&a.node);
    assert_true(list_empty(&head));
    assert_int_equal(sum_in_order(&head), 0);
    list_append(&head, &a.node);
    list_append(&head, &c.node);
    list_insert_before(&c.node, &b.node);
    assert_int_equal(sum_in_order(&head), 123);
    list_remove(&b.node);
    list_remove(&b.node);
    assert_int_equal(sum_in_order(&head), 13);
    list_append(&head, &b.node);
    assert_int_equal(sum_in_order(&head), 132);
    int seen = 0;
    list_for_each_safe (it, after, &head) {
        list_remove(it);
        seen++;
    }
    assert_int_equal(seen, 3);
    assert_true(list_empty(&head) && list_empty(&a.node));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
