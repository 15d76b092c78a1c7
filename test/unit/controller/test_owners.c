/* Which autoscaler owns a target. */
#include "reconcile/owners.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TARGET "shop/apps/Deployment/web"

static const char *other(const struct owners *o, const char *self, enum owner_kind *kind)
{
    const char *name = NULL;
    return owners_other(o, TARGET, self, kind, &name) ? name : NULL;
}

static void the_key_leaves_the_version_out(void **state UNUSED)
{
    struct buf a = BUF_INIT(256), b = BUF_INIT(256), core = BUF_INIT(256);
    owners_target_key(&a, "shop", "apps/v1", "Deployment", "web");
    owners_target_key(&b, "shop", "apps/v1beta2", "Deployment", "web");
    owners_target_key(&core, "shop", "v1", "ReplicationController", "web");
    assert_string_equal(buf_str(&a), TARGET);
    assert_string_equal(buf_str(&a), buf_str(&b));
    assert_string_equal(buf_str(&core), "shop//ReplicationController/web");
    buf_done(&a);
    buf_done(&b);
    buf_done(&core);
}

static void an_hpa_owns_until_it_goes(void **state UNUSED)
{
    struct owners o;
    enum owner_kind kind;
    owners_init(&o);
    owners_claim(&o, TARGET, OWNER_PA, "web", 10);
    assert_null(other(&o, "web", &kind));
    owners_claim(&o, TARGET, OWNER_HPA, "web", 99); /* the same name, another kind */
    assert_string_equal(other(&o, "web", &kind), "web");
    assert_int_equal(kind, OWNER_HPA);
    owners_release(&o, TARGET, OWNER_HPA, "web");
    assert_null(other(&o, "web", &kind));
    owners_done(&o);
}

static void hand_written_comes_before_annotated_then_the_oldest_then_the_name(void **state UNUSED)
{
    struct owners o;
    enum owner_kind kind;
    owners_init(&o);
    owners_claim(&o, TARGET, OWNER_PA_ANNOTATED, "deployment-web", 1);
    owners_claim(&o, TARGET, OWNER_PA, "young", 30);
    assert_string_equal(other(&o, "deployment-web", &kind), "young");
    owners_claim(&o, TARGET, OWNER_PA, "old", 20);
    assert_string_equal(other(&o, "young", &kind), "old");
    owners_claim(&o, TARGET, OWNER_PA, "aged", 20);
    assert_string_equal(other(&o, "old", &kind), "aged");
    assert_null(other(&o, "aged", &kind));
    owners_release(&o, TARGET, OWNER_PA, "aged");
    owners_release(&o, TARGET, OWNER_PA, "old");
    owners_release(&o, TARGET, OWNER_PA, "young");
    assert_null(other(&o, "deployment-web", &kind));
    owners_release(&o, TARGET, OWNER_PA, "deployment-web");
    assert_int_equal(o.by_target.count, 0);
    owners_done(&o);
}

static void an_annotated_one_that_is_taken_over_by_hand_keeps_its_claim(void **state UNUSED)
{
    struct owners o;
    enum owner_kind kind;
    owners_init(&o);
    owners_claim(&o, TARGET, OWNER_PA_ANNOTATED, "a", 1);
    owners_claim(&o, TARGET, OWNER_PA_ANNOTATED, "b", 2);
    assert_string_equal(other(&o, "b", &kind), "a");
    owners_claim(&o, TARGET, OWNER_PA, "b", 2);
    assert_null(other(&o, "b", &kind));
    owners_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_leaves_the_version_out),
        cmocka_unit_test(an_hpa_owns_until_it_goes),
        cmocka_unit_test(hand_written_comes_before_annotated_then_the_oldest_then_the_name),
        cmocka_unit_test(an_annotated_one_that_is_taken_over_by_hand_keeps_its_claim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
