/* Whose pods they are: what overlaps, what does not, and what is left when one goes. */
#include "reconcile/claims.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX_CLAIMS 6

struct fixture {
    struct claims claims;
    struct pod_claim claim[MAX_CLAIMS];
    struct selector *selector[MAX_CLAIMS];
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    claims_init(&f->claims);
    *state = f;
    return 0;
}

static void withdraw(struct fixture *f, size_t i)
{
    claims_withdraw(&f->claims, &f->claim[i]);
    f->selector[i] = selector_free(f->selector[i]);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < MAX_CLAIMS; i++)
        withdraw(f, i);
    claims_done(&f->claims); /* nothing is left behind */
    test_free(f);
    return 0;
}

static void make(struct fixture *f, size_t i, const char *namespace_, const char *name, const char *target,
                 const char *selector)
{
    struct error err = ERROR_INIT;
    f->selector[i] = selector_parse(selector, &err);
    assert_non_null(f->selector[i]);
    claims_make(&f->claims, &f->claim[i], namespace_, name, target, f->selector[i]);
}

/* Of one pod with these labels, a JSON object; "-": none. */
static const char *other(const struct fixture *f, size_t i, const char *labels)
{
    struct pod pod = {.n_containers = 0};
    const struct pod *pods[] = {&pod};
    json_t *tree = json_loads(labels, 0, NULL);
    assert_non_null(tree);
    labels_decode(tree, &pod.labels);
    json_decref(tree);
    const char *name = claims_other(&f->claim[i], pods, 1);
    labels_done(&pod.labels);
    return name ? name : "-";
}

#define WEB "{\"app\":\"web\",\"hash\":\"5f7\",\"track\":\"canary\",\"empty\":\"\"}"

static void what_overlaps(void **state UNUSED)
{
    static const struct {
        const char *mine, *theirs;
        bool ambiguous;
    } cases[] = {
        {"app=web", "app=web", true},
        {"app=web", "app=web,track=canary", true},
        {"app=web", "app=web,track=stable", false},
        {"app=web", "app=api", false},
        {"app=web", "track=canary", true},
        {"app=web", "app in (web)", true}, /* a set of one is a label too */
        {"app=web", "app in (web,api)", true},
        {"app in (web,api)", "app in (web,db)", true},
        {"app=web", "app in (api,db)", false},
        {"app=web", "app", true},
        {"app=web", "!missing", true},
        {"app=web", "!app", false},
        {"app=web", "app!=api", true},
        {"app=web", "app notin (web)", false},
        {"app=web", "empty=", true},
        {"app=web", "missing=", false},
        {"app=web", "track", true},
        {"app=web", "hash=5f7,track=canary,app=web", true},
        {"app=web", "hash=5f7,track=canary,app=api", false},
        {"app", "!missing", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        void *own;
        setup(&own);
        struct fixture *f = own;
        make(f, 0, "shop", "mine", "apps/Deployment/a", cases[i].mine);
        make(f, 1, "shop", "theirs", "apps/Deployment/b", cases[i].theirs);
        /* A pod of both is found from either side. */
        if (!streq(other(f, 0, WEB), cases[i].ambiguous ? "theirs" : "-") ||
            (cases[i].ambiguous && !streq(other(f, 1, WEB), "mine")))
            fail_msg("%s and %s: want %d", cases[i].mine, cases[i].theirs, cases[i].ambiguous);
        teardown(&own);
    }
}

static void a_pod_that_both_match_is_what_matters(void **state)
{
    struct fixture *f = *state;
    make(f, 0, "shop", "a", "A", "app=web");
    make(f, 1, "shop", "b", "B", "track=canary");
    assert_string_equal(other(f, 0, "{\"app\":\"web\"}"), "-");
    assert_string_equal(other(f, 0, "{\"app\":\"web\",\"track\":\"canary\"}"), "b");
    assert_null(claims_other(&f->claim[0], NULL, 0));
}

static void the_same_target_and_other_namespaces_are_none(void **state)
{
    struct fixture *f = *state;
    make(f, 0, "shop", "a", "A", "app=web");
    make(f, 1, "shop", "a2", "A", "app=web");
    make(f, 2, "test", "b", "B", "app=web");
    make(f, 3, "test", "c", "C", "app");
    assert_string_equal(other(f, 0, WEB), "-");
    assert_string_equal(other(f, 1, WEB), "-");
    assert_string_equal(other(f, 2, WEB), "c");
    assert_string_equal(other(f, 3, WEB), "b");
}

static void the_first_by_name_however_they_came(void **state)
{
    static const char *const selectors[] = {"app=web", "app in (web,x)", "track=canary", "app=web,track=canary", "app"};
    static const char *const names[] = {"e", "d", "b", "a", "c"};
    for (size_t turn = 0; turn < ARRAY_SIZE(names); turn++) {
        struct fixture *f = *state;
        make(f, 5, "shop", "self", "S", "app=web");
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
            make(f, i, "shop", names[(i + turn) % ARRAY_SIZE(names)], "T", selectors[i]);
        assert_string_equal(other(f, 5, WEB), "a");
        for (size_t i = 0; i < MAX_CLAIMS; i++) {
            if (f->claim[i].name && streq(f->claim[i].name, "a"))
                withdraw(f, i);
        }
        assert_string_equal(other(f, 5, WEB), "b");
        for (size_t i = 0; i < MAX_CLAIMS; i++)
            withdraw(f, i);
        assert_int_equal(f->claims.spaces.count, 0);
    }
}

/* The first of a selector's own pods in order may be another's later than the last. */
static void all_pods_are_looked_at(void **state)
{
    struct fixture *f = *state;
    make(f, 0, "shop", "self", "S", "app");
    make(f, 1, "shop", "z", "Z", "app=one");
    make(f, 2, "shop", "m", "M", "app=two");
    char one[] = "app\0one", two[] = "app\0two", no[] = "app\0three";
    const struct pod pods[] = {{.labels = {no, 1}}, {.labels = {one, 1}}, {.labels = {two, 1}}, {.labels = {no, 0}}};
    const struct pod *in_order[] = {&pods[0], &pods[1], &pods[2], &pods[3]};
    assert_string_equal(claims_other(&f->claim[0], in_order, 4), "m");
    assert_string_equal(claims_other(&f->claim[0], in_order, 2), "z");
    assert_null(claims_other(&f->claim[0], in_order, 1));
}

static void withdrawn_and_made_anew(void **state)
{
    struct fixture *f = *state;
    make(f, 0, "shop", "a", "A", "app=web");
    make(f, 1, "shop", "b", "B", "app=web");
    assert_string_equal(other(f, 0, WEB), "b");
    withdraw(f, 1);
    assert_string_equal(other(f, 0, WEB), "-");
    assert_string_equal(other(f, 1, WEB), "-"); /* who claims nothing is no one's rival */
    make(f, 1, "shop", "b", "B", "app=api");
    assert_string_equal(other(f, 0, WEB), "-");
    withdraw(f, 1);
    make(f, 1, "shop", "b", "B", "app");
    assert_string_equal(other(f, 0, WEB), "b");
    withdraw(f, 1);
    withdraw(f, 1); /* as often as one likes */
    assert_string_equal(other(f, 0, WEB), "-");
}

/* A label that all share (a release's, a team's) is not what they are kept under, once there is a better one. */
static void the_label_that_the_fewest_share(void **state)
{
    struct fixture *f = *state;
    make(f, 0, "shop", "a", "A", "team=x,app=web");
    make(f, 1, "shop", "b", "B", "team=x,app=api");
    make(f, 2, "shop", "c", "C", "team=x,app=db");
    assert_ptr_not_equal(f->claim[1].bucket, f->claim[0].bucket);
    assert_ptr_not_equal(f->claim[2].bucket, f->claim[0].bucket);
    assert_ptr_not_equal(f->claim[2].bucket, f->claim[1].bucket);
    assert_string_equal(other(f, 0, "{\"team\":\"x\",\"app\":\"web\"}"), "-");
    make(f, 3, "shop", "d", "D", "team=x");
    assert_string_equal(other(f, 0, "{\"team\":\"x\",\"app\":\"web\"}"), "d");
}

/* Longer than any API server has them: not indexed, and found all the same. */
static void labels_without_end(void **state)
{
    struct fixture *f = *state;
    char key[600], text[1300], labels[1300];
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    (void)snprintf(text, sizeof(text), "%s=v", key);
    (void)snprintf(labels, sizeof(labels), "{\"%s\":\"v\",\"app\":\"%s\"}", key, key);
    make(f, 0, "shop", "a", "A", text);
    make(f, 1, "shop", "b", "B", text);
    assert_string_equal(other(f, 0, labels), "b");
    assert_string_equal(other(f, 0, WEB), "-");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_overlaps),
        TEST(a_pod_that_both_match_is_what_matters),
        TEST(the_same_target_and_other_namespaces_are_none),
        TEST(the_first_by_name_however_they_came),
        TEST(all_pods_are_looked_at),
        TEST(withdrawn_and_made_anew),
        TEST(the_label_that_the_fewest_share),
        TEST(labels_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
