/* Label selectors: parsing and matching, by table. */
#include "kube/labels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct labels labels_of(const char *json)
{
    struct labels labels;
    json_t *tree = json_loads(json, 0, NULL);
    assert_non_null(tree);
    labels_decode(tree, &labels);
    json_decref(tree);
    return labels;
}

static void selectors_match_as_in_kubernetes(void **state UNUSED)
{
    static const struct {
        const char *selector;
        bool matches;
    } cases[] = {
        {"", true},
        {"app=web", true},
        {"app==web", true},
        {" app = web ", true},
        {"app=api", false},
        {"app!=api", true},
        {"app!=web", false},
        {"missing!=x", true},
        {"missing=x", false},
        {"app", true},
        {"missing", false},
        {"!missing", true},
        {"!app", false},
        {"app in (api,web)", true},
        {"app in (api, db)", false},
        {"app notin (api,db)", true},
        {"app notin (web)", false},
        {"missing notin (a)", true},
        {"empty=", true},
        {"empty in (,x)", true},
        {"empty!=", false},
        {"app=web,tier=front,ai4k8s.io/part", true},
        {"app=web,tier=back", false},
        {"app in (web),!missing,tier notin (back,db)", true},
        {"ai4k8s.io/part=a.b-c_d", true},
    };
    struct labels labels =
        labels_of("{\"app\":\"web\",\"tier\":\"front\",\"empty\":\"\",\"ai4k8s.io/part\":\"a.b-c_d\",\"number\":3}");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = ERROR_INIT;
        struct selector *s = selector_parse(cases[i].selector, &err);
        if (!s)
            fail_msg("%s: %s", cases[i].selector, error_text(&err));
        if (selector_matches(s, &labels) != cases[i].matches)
            fail_msg("%s: want %d", cases[i].selector, cases[i].matches);
        selector_free(s);
    }
    labels_done(&labels);
}

static void what_is_not_a_selector_is_refused_with_the_place(void **state UNUSED)
{
    static const char *const bad[] = {"=web",           "app in", "app in (a", "app in a,b", "app>1",
                                      "app=web tier=x", "!",      ",",         "app=web,=",  "app ~ web"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = ERROR_INIT;
        struct selector *s = selector_parse(bad[i], &err);
        if (s)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.kind, ERROR_PARSE);
    }
}

static void no_labels_match_only_the_negative_and_the_empty(void **state UNUSED)
{
    struct labels none;
    labels_decode(NULL, &none);
    struct selector *all = selector_parse("", NULL), *no = selector_parse("!a,b!=c", NULL),
                    *yes = selector_parse("a", NULL);
    assert_true(selector_matches(all, &none));
    assert_true(selector_matches(no, &none));
    assert_false(selector_matches(yes, &none));
    selector_free(all);
    selector_free(no);
    selector_free(yes);
    labels_done(&none);
}

static void labels_that_a_selector_requires(void **state UNUSED)
{
    static const char text[] = "app=web,tier,env!=dev,zone in (a),!old,team in (x,y),none=,track notin (z)";
    static const char *const want[][2] = {{"app", "web"}, {"zone", "a"}, {"none", ""}};
    struct error err = ERROR_INIT;
    struct selector *s = selector_parse(text, &err);
    assert_non_null(s);
    const char *key, *value;
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_true(selector_equality(s, i, &key, &value));
        assert_string_equal(key, want[i][0]);
        assert_string_equal(value, want[i][1]);
    }
    assert_false(selector_equality(s, ARRAY_SIZE(want), &key, &value));
    selector_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selectors_match_as_in_kubernetes),
        cmocka_unit_test(labels_that_a_selector_requires),
        cmocka_unit_test(what_is_not_a_selector_is_refused_with_the_place),
        cmocka_unit_test(no_labels_match_only_the_negative_and_the_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
