/* The tables are sound (a slip in one would be wrong in the CRD, in decoding and in the documentation alike),
 * and formats do what their patterns say. */
#include "api/config.h"
#include "api/pa.h"
#include "api/pa_checkpoint.h"
#include "api/status.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- tables ---- */

static void check_object(const struct schema_object *o, const char *path, bool is_spec);

static void check_scalar(const struct schema_field *f, size_t size, bool is_spec)
{
    switch (f->type) {
    case SCHEMA_BOOL:
        assert_int_equal(size, sizeof(bool));
        break;
    case SCHEMA_INT32:
    case SCHEMA_ENUM:
        assert_int_equal(size, 4);
        break;
    case SCHEMA_INT64:
    case SCHEMA_TIME:
        assert_int_equal(size, 8);
        break;
    case SCHEMA_QUANTITY:
        assert_int_equal(size, sizeof(struct quantity));
        break;
    case SCHEMA_BYTES:
        assert_int_equal(size, sizeof(struct buf));
        assert_true(f->max > 0);
        break;
    case SCHEMA_STRING:
        assert_true(f->max > 0);
        if (is_spec) {
            assert_true((int64_t)size > f->max); /* nothing that is accepted is cut */
            assert_true(f->min > 0);
        }
        break;
    case SCHEMA_OBJECT:
    case SCHEMA_LIST:
    default:
        break;
    }
    if (f->type == SCHEMA_ENUM)
        assert_non_null(f->values[0]);
    if (is_spec && f->type == SCHEMA_INT32)
        assert_true(f->max > f->min);
    if (f->bounds) {
        struct quantity min, max;
        assert_true(quantity_parse(f->bounds->min, &min) && quantity_parse(f->bounds->max, &max));
        assert_true(min.nano < max.nano);
    }
}

static void check_list(const struct schema_field *f, const char *path, bool is_spec)
{
    assert_true(f->count_at > 0);
    assert_true(f->max > 0 && (size_t)f->max <= f->capacity);
    check_scalar(f->item, f->size, is_spec);
    if (f->list == SCHEMA_SET)
        assert_int_equal(f->item->type, SCHEMA_INT32);
    if (f->item->type != SCHEMA_OBJECT)
        return;
    bool has_key = f->list != SCHEMA_MAP;
    for (size_t i = 0; i < f->item->object->n_fields; i++) {
        const struct schema_field *key = &f->item->object->fields[i];
        has_key = has_key || (streq(key->name, f->key) && key->type == SCHEMA_STRING && key->required);
    }
    assert_true(has_key);
    check_object(f->item->object, path, is_spec);
}

static void check_field(const struct schema_field *f, const char *path, bool is_spec)
{
    size_t n = strlen(f->doc);
    if (n < 4 || f->doc[n - 1] != '.')
        fail_msg("%s: the description is no sentence: %s", path, f->doc);
    if (f->fallback) {
        json_t *value = json_loads(f->fallback, JSON_DECODE_ANY, NULL);
        if (!value || f->required)
            fail_msg("%s: default", path);
        json_decref(value);
    }
    if (f->type == SCHEMA_LIST)
        check_list(f, path, is_spec);
    else
        check_scalar(f, f->size, is_spec);
    if (f->type == SCHEMA_OBJECT)
        check_object(f->object, path, is_spec);
}

static void check_object(const struct schema_object *o, const char *path, bool is_spec)
{
    for (size_t i = 0; i < o->n_fields; i++) {
        char here[256];
        (void)snprintf(here, sizeof here, "%s.%s", path, o->fields[i].name);
        check_field(&o->fields[i], here, is_spec);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(o->fields[i].name, o->fields[k].name);
    }
    for (size_t i = 0; i < o->n_rules; i++) {
        const struct schema_rule *r = &o->rules[i];
        assert_true(r->cel && r->message);
        assert_true((r->holds != NULL) != (r->holds_update != NULL));
        assert_true((strstr(r->cel, "oldSelf") != NULL) == (r->holds_update != NULL));
        if (r->expression)
            assert_non_null(r->say);
        if (r->path)
            assert_int_equal(r->path[0], '.');
    }
}

static void the_tables_are_sound(void **state UNUSED)
{
    check_object(pa_resource.spec, "spec", true);
    check_object(pa_resource.status, "status", false);
    check_object(pa_checkpoint_resource.spec, "checkpoint", true);
    check_object(&operator_config_schema, "config", true);
}

/* ---- formats ---- */

static void check_format(const struct schema_format *f, const char *const *good, const char *const *bad)
{
    for (; *good; good++)
        if (!f->matches(*good))
            fail_msg("%s: refused \"%s\"", f->pattern, *good);
    for (; *bad; bad++)
        if (f->matches(*bad))
            fail_msg("%s: took \"%s\"", f->pattern, *bad);
}

static void formats_take_what_their_patterns_say(void **state UNUSED)
{
    check_format(&schema_dns_label, (const char *const[]){"a", "0", "a-b", "a--b", "x0", NULL},
                 (const char *const[]){"", "-", "-a", "a-", "A", "a.b", "a_b", "a\n", "\xc3\xa9", NULL});
    check_format(&schema_dns_subdomain, (const char *const[]){"a", "a.b", "a-b.c-d.0", NULL},
                 (const char *const[]){"", ".", "a.", ".a", "a..b", "a-.b", "a.-b", "A.b", "a/b", NULL});
    check_format(&schema_api_version, (const char *const[]){"v1", "apps/v1", "a.b/v1beta1", "x/stable", NULL},
                 (const char *const[]){"", "/", "/v1", "apps/", "apps/1", "apps/v1/x", "Apps/v1", "apps/v1-", NULL});
    check_format(&schema_kind, (const char *const[]){"A", "Deployment", "X509", NULL},
                 (const char *const[]){"", "deployment", "A-b", "A b", "1A", "A\n", NULL});
    check_format(&schema_reason, (const char *const[]){"A", "a", "A_", "A,b", "A1", NULL},
                 (const char *const[]){"", "1", "_A", "A,", "A:", "A b", NULL});
    check_format(&schema_quantity_format,
                 (const char *const[]){"1", "0", "+1", "1.", ".5", "1.5", "500m", "1Ki", "1E", "1e3", "1E3", "1e-3",
                                       "1e+99", "100n", "1u", "1k", NULL},
                 (const char *const[]){"", ".", "+", "-1", "1K", "1ki", "1mi", "1e", "1e+", "1e100", "1e1.5", "1 ",
                                       "Ki", "e3", "1\n", "0x1", "1kk", "1EiB", NULL});
}

static void quantity_bounds_are_exact(void **state UNUSED)
{
    static const struct schema_quantity_bounds above = {.min = "0", .max = "1E", .above_min = true},
                                               from = {.min = "0", .max = "1"};
    static const struct {
        const struct schema_quantity_bounds *b;
        const char *q;
        bool within;
    } cases[] = {{&above, "0", false},         {&above, "1n", true},
                 {&above, "1E", true},         {&above, "1000000000000000001", false},
                 {&above, "1Ei", false},       {&above, "9e99", false},
                 {&from, "0", true},           {&from, "1", true},
                 {&from, "1.000000001", false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct quantity q;
        assert_true(quantity_parse(cases[i].q, &q));
        assert_int_equal(schema_quantity_within(cases[i].b, q), cases[i].within);
    }
    char words[64];
    schema_quantity_words(&above, words, sizeof words);
    assert_string_equal(words, "above 0 and at most 1E");
    schema_quantity_words(&from, words, sizeof words);
    assert_string_equal(words, "0 to 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_are_sound),
        cmocka_unit_test(formats_take_what_their_patterns_say),
        cmocka_unit_test(quantity_bounds_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
