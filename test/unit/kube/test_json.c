/* Strict reading, getters with paths, and writing without a tree. */
#include "base/alloc.h"
#include "base/str.h"
#include "kube/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_strict(void **state)
{
    (void)state;
    static const char *const good[] = {"{}",
                                       "[]",
                                       "null",
                                       "1",
                                       "\"x\"",
                                       " {\"a\" : [1,2.5e3,true,null]}\n",
                                       "\"\\ud83d\\ude00 \xc3\xa4\"",
                                       "{\"\":0}",
                                       "-0.0",
                                       "9223372036854775807"};
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "{\"a\":1,}",
        "[1,]",
        "[1 2]",
        "{\"a\":1}{}",
        "{}x",
        "{'a':1}",
        "{a:1}",
        "01",
        "+1",
        ".5",
        "1.",
        "NaN",
        "Infinity",
        "tru",
        "\"\t\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"",
        "[\"a\"",
        "// x\n1",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "\"\\u0000\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\xef\xbb\xbf{}",
        "1e999",
        "9223372036854775808",
        "[[[]]",
    };
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        json_t *j = json_parse(good[i], strlen(good[i]), &err);
        if (!j)
            fail_msg("%s: %s", good[i], err.message);
        json_decref(j);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        err = ERROR_INIT;
        if (json_parse(bad[i], strlen(bad[i]), &err))
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(err.kind, ERROR_PARSE);
    }
    assert_null(json_parse("{}\0", 3, &err));     /* a NUL behind the value */
    assert_null(json_parse("\"a\0b\"", 5, &err)); /* and inside a string */
    assert_null(json_parse("{} {}", 5, NULL));    /* no error wanted */
}

static void test_depth(void **state)
{
    (void)state;
    struct error err;
    for (unsigned depth = 1; depth < 300; depth++) {
        char text[700];
        size_t n = 0;
        for (unsigned i = 0; i < depth; i++)
            text[n++] = '[';
        memcpy(text + n, "\"[[[\\\"{{\"", 9); /* brackets in a string don't count */
        n += 9;
        for (unsigned i = 0; i < depth; i++)
            text[n++] = ']';
        json_t *j = json_parse(text, n, &err);
        assert_int_equal(j != NULL, depth <= JSON_MAX_DEPTH);
        if (!j)
            assert_int_equal(err.kind, ERROR_LIMIT);
        json_decref(j);
    }
    char *bomb = xcalloc(1, 10000000);
    memset(bomb, '[', 10000000);
    assert_null(json_parse(bomb, 10000000, &err));
    assert_int_equal(err.kind, ERROR_LIMIT);
    free(bomb);
}

static void test_getters(void **state)
{
    (void)state;
    const char text[] = "{\"a\":{\"s\":\"x\",\"i\":3,\"r\":3.0,\"f\":3.5,\"big\":1e300,\"b\":true,\"n\":null,"
                        "\"min\":-9223372036854775808,"
                        "\"edge\":9223372036854775808.0},\"l\":[1]}";
    struct error err = ERROR_INIT;
    _json_cleanup_ json_t *j = json_parse(text, sizeof(text) - 1, &err);
    assert_non_null(j);
    assert_string_equal(json_str(j, "a.s"), "x");
    assert_null(json_str(j, "a.i"));
    assert_null(json_str(j, "a.n"));
    assert_null(json_at(j, "a.n"));
    assert_null(json_at(j, "a.s.t"));
    assert_null(json_at(j, "l.0"));
    assert_null(json_at(j, "no.where"));
    assert_null(json_at(NULL, "a"));
    assert_ptr_equal(json_at(j, ""), j);
    assert_int_equal(json_int(j, "a.i", -1), 3);
    assert_int_equal(json_int(j, "a.r", -1), 3);
    assert_int_equal(json_int(j, "a.min", -1), INT64_MIN);
    assert_int_equal(json_int(j, "a.f", -1), -1);
    assert_int_equal(json_int(j, "a.big", -1), -1);
    assert_int_equal(json_int(j, "a.edge", -1), -1);
    assert_int_equal(json_int(j, "a.s", -1), -1);
    assert_true(json_bool(j, "a.b", false));
    assert_true(json_bool(j, "a.s", true));
    assert_false(json_bool(j, "a.x", false));

    const char *s = "before";
    int64_t i = 7;
    bool b = true;
    assert_int_equal(json_want_str(j, "a.s", &s, &err), 0);
    assert_string_equal(s, "x");
    assert_int_equal(json_want_str(j, "a.n", &s, &err), 1);
    assert_true(json_want_str(j, "a.i", &s, &err) < 0);
    assert_string_equal(err.message, "a.i: want a string, have an integer");
    assert_true(json_want_int(j, "a.s", 0, 9, &i, &err) < 0);
    assert_string_equal(err.message, "a.s: want an integer, have a string");
    assert_true(json_want_int(j, "a.f", 0, 9, &i, &err) < 0);
    assert_string_equal(err.message, "a.f: want an integer, have a number with a fraction");
    assert_true(json_want_int(j, "a.i", 4, 9, &i, &err) < 0);
    assert_string_equal(err.message, "a.i: want 4 to 9, have 3");
    assert_int_equal(json_want_int(j, "a.zz", 4, 9, &i, &err), 1);
    assert_int_equal(i, 7);
    assert_true(json_want_bool(j, "l", &b, &err) < 0);
    assert_string_equal(err.message, "l: want true or false, have a list");
    assert_true(json_want_bool(j, "a", &b, &err) < 0);
    assert_int_equal(json_want_bool(j, "a.b", &b, &err), 0);
    assert_true(b);
}

static void test_write(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(100);
    const char text[] = "{\"b\": [1, {\"z\":null,\"y\":\"\\n\"}], \"a\": true}";
    _json_cleanup_ json_t *j = json_parse(text, strlen(text), NULL);
    assert_non_null(j);
    json_write(&out, j);
    assert_string_equal(buf_str(&out), "{\"a\":true,\"b\":[1,{\"y\":\"\\n\",\"z\":null}]}");
    json_write(&out, j);
    json_write(&out, j);
    assert_true(out.failed);
    buf_done(&out);
}

static void test_emit(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1000);
    struct json_emit j = json_emit(&out);
    json_open(&j, NULL, '{');
    json_emit_str(&j, "none", NULL);
    json_emit_str(&j, "k\"", "v\n");
    json_open(&j, "list", '[');
    json_open(&j, NULL, '[');
    json_close(&j, ']');
    json_emit_int(&j, NULL, INT64_MIN);
    json_emit_double(&j, NULL, 0.1);
    json_emit_double(&j, NULL, (double)NAN);
    json_emit_bool(&j, NULL, false);
    json_open(&j, NULL, '{');
    json_emit_raw(&j, "raw", "[1]", 3);
    json_close(&j, '}');
    json_close(&j, ']');
    json_emit_str(&j, "last", "");
    json_close(&j, '}');
    const char want[] =
        "{\"k\\\"\":\"v\\n\",\"list\":[[],-9223372036854775808,0.1,null,false,{\"raw\":[1]}],\"last\":\"\"}";
    assert_string_equal(buf_str(&out), want);
    json_t *back = json_parse(out.data, out.len, NULL);
    assert_non_null(back);
    json_decref(back);

    /* As deep as the parser takes, and commas at every depth. */
    buf_clear(&out);
    j = json_emit(&out);
    for (int i = 0; i < JSON_MAX_DEPTH - 1; i++) {
        json_open(&j, NULL, '[');
        json_emit_int(&j, NULL, i % 10);
    }
    for (int i = 0; i < JSON_MAX_DEPTH - 1; i++) {
        json_close(&j, ']');
        if (j.depth)
            json_emit_int(&j, NULL, 0);
    }
    back = json_parse(out.data, out.len, NULL);
    assert_non_null(back);
    json_decref(back);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict), cmocka_unit_test(test_depth), cmocka_unit_test(test_getters),
        cmocka_unit_test(test_write),  cmocka_unit_test(test_emit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
