/* Members of objects without a tree: what a parser would find is found, and foreign shapes give "absent". */
#include "base/alloc.h"
#include "base/rng.h"
#include "kube/json.h"
#include "kube/peek.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *json, *key, *want; /* NULL: absent */
};

static void test_members(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{}", "a", NULL},
        {"", "a", NULL},
        {"[1]", "a", NULL},
        {"{\"a\":1}", "a", "1"},
        {" { \"a\" : 1 , \"b\" : [ 2 , {\"a\":3} ] } ", "b", "[ 2 , {\"a\":3} ]"},
        {"{\"x\":{\"a\":1},\"a\":2}", "a", "2"},
        {"{\"x\":\"\\\"a\\\":1\",\"a\":\"}]{\"}", "a", "\"}]{\""},
        {"{\"a\":1,\"a\":2}", "a", "1"},
        {"{\"ab\":1,\"a\":null}", "a", "null"},
        {"{\"a\\u0000\":1}", "a", NULL},
        {"{\"x\":\"\\\\\",\"a\":true}", "a", "true"},
        {"{\"a\"", "a", NULL},
        {"{\"a\":", "a", NULL},
        {"{\"a\":[1,2", "a", NULL},
        {"{\"a\":\"x", "a", NULL},
        {"{\"a\" 1}", "a", NULL},
        {"{a:1}", "a", NULL},
        {"{\"b\":1 \"a\":2}", "a", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        /* A copy without its NUL, so that a read past the end is seen. */
        size_t len = strlen(rows[i].json);
        char *copy = malloc(len ? len : 1);
        memcpy(copy, rows[i].json, len);
        struct peek v = peek_member((struct peek){copy, len}, rows[i].key);
        if (rows[i].want) {
            assert_non_null(v.at);
            assert_int_equal(v.len, strlen(rows[i].want));
            assert_memory_equal(v.at, rows[i].want, v.len);
        } else if (v.at) {
            fail_msg("%s: found %.*s", rows[i].json, (int)v.len, v.at);
        }
        free(copy);
    }
    assert_null(peek_member((struct peek){0}, "a").at);
}

static bool text_at(const char *json, char *out, size_t cap)
{
    return peek_str((struct peek){json, strlen(json)}, "a", out, cap);
}

static void test_strings(void **state)
{
    (void)state;
    char out[4];
    assert_true(text_at("{\"a\":\"\"}", out, sizeof(out)));
    assert_string_equal(out, "");
    assert_true(text_at("{\"a\":\"xyz\"}", out, sizeof(out)));
    assert_string_equal(out, "xyz");
    assert_false(text_at("{\"a\":\"wxyz\"}", out, sizeof(out)));
    assert_false(text_at("{\"a\":\"\\n\"}", out, sizeof(out)));
    assert_false(text_at("{\"a\":12}", out, sizeof(out)));
    assert_false(text_at("{\"a\":\"x\"1}", out, sizeof(out)));
    assert_false(text_at("{\"a\":\"}", out, sizeof(out)));
    assert_false(text_at("{\"a\":null}", out, sizeof(out)));
}

static void random_value(struct rng *rng, struct buf *out, unsigned depth)
{
    static const char *const scalars[] = {"0",        "-1.5e3", "true", "null", "\"\"", "\"a\"", "\"{\\\"a\\\":1}\"",
                                          "\"\\\\\"", "\"]\""};
    uint64_t kind = rng_below(rng, depth ? 4 : 2);
    if (kind < 2) {
        (void)buf_puts(out, scalars[rng_below(rng, ARRAY_SIZE(scalars))]);
        return;
    }
    size_t n = (size_t)rng_below(rng, 4);
    (void)buf_putc(out, kind == 2 ? '{' : '[');
    for (size_t i = 0; i < n; i++) {
        (void)buf_puts(out, i ? " , " : " ");
        if (kind == 2)
            (void)buf_printf(out, "\"%c\" :", (char)('a' + i));
        random_value(rng, out, depth - 1);
    }
    (void)buf_putc(out, kind == 2 ? '}' : ']');
}

/* Whatever a strict parser finds under a key is what is peeked at. */
static void test_agrees_with_a_parser(void **state)
{
    (void)state;
    struct rng rng;
    unsigned found = 0;
    rng_seed(&rng, 7);
    for (int round = 0; round < 3000; round++) {
        struct buf text = BUF_INIT(1 << 20);
        random_value(&rng, &text, 5);
        _json_cleanup_ json_t *root = json_parse(text.data, text.len, NULL);
        struct peek v = peek_member((struct peek){text.data, text.len}, "b");
        const json_t *want = json_object_get(root, "b");
        assert_int_equal(want != NULL, v.at != NULL);
        if (want) {
            char *copy = xstrndup(v.at, v.len);
            _json_cleanup_ json_t *got = json_loads(copy, JSON_DECODE_ANY, NULL);
            assert_true(json_equal(got, want));
            free(copy);
            found++;
        }
        buf_done(&text);
    }
    assert_true(found > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_agrees_with_a_parser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
