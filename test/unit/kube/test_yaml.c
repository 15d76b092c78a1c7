/* YAML as JSON: values by the core schema, lines, and everything that is refused. */
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "kube/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"", "null"},
        {"# nothing\n", "null"},
        {"---\n...\n", "null"},
        {"a: 1\nb: [x, 2.5, true, null, ~, ]\n", "{\"a\":1,\"b\":[\"x\",2.5,true,null,null]}"},
        {"{\"a\": {\"b\": [1, \"2\"]}}", "{\"a\":{\"b\":[1,\"2\"]}}"},
        {"a:\n- 1\n-\n- b: c\n  d: e\n", "{\"a\":[1,null,{\"b\":\"c\",\"d\":\"e\"}]}"},
        {"yes: no\non: off\ny: n\n", "{\"on\":\"off\",\"y\":\"n\",\"yes\":\"no\"}"},
        {"a: True\nb: FALSE\nc: tRue\n", "{\"a\":true,\"b\":false,\"c\":\"tRue\"}"},
        {"a: Null\nb: 'null'\nc: \"1\"\nd: '~'\n", "{\"a\":null,\"b\":\"null\",\"c\":\"1\",\"d\":\"~\"}"},
        {"[0, -0, +5, -7, 0x1F, 0o17, 0x, 0o8, 1_000]", "[0,0,5,-7,31,15,\"0x\",\"0o8\",\"1_000\"]"},
        {"[9223372036854775807, -9223372036854775808, 0x7fffffffffffffff]",
         "[9223372036854775807,-9223372036854775808,9223372036854775807]"},
        {"[.5, 5., 1e3, 1.5E-3, -.5]", "[0.5,5.0,1000.0,0.0015,-0.5]"},
        {"[., -, 1e, e3, 1.2.3, --1, +, 12:30, 2026-11-21, 1e3x]",
         "[\".\",\"-\",\"1e\",\"e3\",\"1.2.3\",\"--1\",\"+\",\"12:30\",\"2026-11-21\",\"1e3x\"]"},
        {"a: |\n  line 1\n  line 2\nb: >-\n  folded\n  text\n", "{\"a\":\"line 1\\nline 2\\n\",\"b\":\"folded text\"}"},
        {"1: a\ntrue: b\n\"<<\": c\n", "{\"1\":\"a\",\"<<\":\"c\",\"true\":\"b\"}"},
        {"\xef\xbb\xbf"
         "a: \xc3\xa4\n",
         "{\"a\":\"\xc3\xa4\"}"},
        {"a: &anchor 1\n", "{\"a\":1}"},
        {"a: \"\\u00e4\\n\"\n", "{\"a\":\"\xc3\xa4\\n\"}"},
        {"\"\": 1", "{\"\":1}"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct yaml_doc doc;
        struct error err;
        if (yaml_parse("t", cases[i].yaml, strlen(cases[i].yaml), &doc, &err) < 0)
            fail_msg("%s: %s", cases[i].yaml, err.message);
        json_t *want = json_parse(cases[i].json, strlen(cases[i].json), NULL);
        assert_non_null(want);
        if (!json_equal(doc.root, want)) {
            struct buf have = BUF_INIT(10000);
            json_write(&have, doc.root);
            fail_msg("%s: want %s, have %s", cases[i].yaml, cases[i].json, buf_str(&have));
        }
        json_decref(want);
        yaml_done(&doc);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "t:3: \"a\" is there twice"},
        {"a: 1\n\"\\x61\": 3\n", "t:2: \"a\" is there twice"},
        {"x:\n  a: &a 1\n  b: *a\n", "t:3: aliases are not supported"},
        {"a:\n  <<: {b: 1}\n", "t:2: merge keys are not supported"},
        {"a: !!str 1\n", "t:1: tags are not supported"},
        {"a: !x\n  b: 1\n", "t:1: tags are not supported"},
        {"- !x [1]\n", "t:1: tags are not supported"},
        {"a: 1\n---\nb: 2\n", "t:2: more than one document"},
        {"? [a]\n: b\n", "t:1: a name must be a text"},
        {"{{a: b}: c}", "t:1: a name must be a text"},
        {"a: 010\n", "t:1: 010 is octal for some readers: write it without the zero, or quote it"},
        {"\na: -007\n", "t:2: -007 is octal for some readers: write it without the zero, or quote it"},
        {"a: 9223372036854775808\n", "t:1: 9223372036854775808 is not a number that fits"},
        {"a: 0xffffffffffffffff\n", "t:1: 0xffffffffffffffff is not a number that fits"},
        {"a: 1e999\n", "t:1: 1e999 is not a number that fits"},
        {"a: .inf\n", "t:1: .inf is not a number"},
        {"a: -.INF\n", "t:1: -.INF is not a number"},
        {"a: .nan\n", "t:1: .nan is not a number"},
        {"a: \"x\\0y\"\n", "t:1: a text has a zero byte in it"},
        {"a: [1\nb: 2\n", NULL},
        {"a: b: c\n", NULL},
        {"\tb: 2\n", NULL},
        {"a: \"open\n", NULL},
        {"a: \xff\n", NULL},
        {"%YAML 3.0\n---\na: 1\n", NULL},
        {"\x01", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct yaml_doc doc = {0};
        struct error err = ERROR_INIT;
        if (yaml_parse("t", cases[i].yaml, strlen(cases[i].yaml), &doc, &err) >= 0)
            fail_msg("taken: %s", cases[i].yaml);
        assert_int_equal(err.kind, ERROR_CONFIG);
        if (cases[i].message)
            assert_string_equal(err.message, cases[i].message);
        else if (!str_starts(err.message, "t:"))
            fail_msg("%s", err.message);
        assert_null(doc.root);
    }
}

static void test_lines(void **state)
{
    (void)state;
    const char text[] =
        "# head\nspec:\n  metrics:\n  - name: a\n    value: 1\n  - name: b\n  odd.key: {x: 1,\n    y: 2}\n";
    struct yaml_doc doc;
    assert_int_equal(yaml_parse("t", text, sizeof(text) - 1, &doc, NULL), 0);
    static const struct {
        const char *path;
        int line;
    } cases[] = {
        {"", 2},
        {"spec", 2},
        {"spec.metrics", 3},
        {"spec.metrics[0]", 4},
        {"spec.metrics[0].name", 4},
        {"spec.metrics[0].value", 5},
        {"spec.metrics[1].name", 6},
        {"spec.odd.key.y", 8},
        {"spec.metrics[2]", 0},
        {"nothing", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(yaml_line(&doc, cases[i].path), cases[i].line);
    yaml_done(&doc);
    assert_int_equal(yaml_line(&doc, "spec"), 0);
}

/* Depth, and a small file whose paths would be large. */
static void test_sizes(void **state)
{
    (void)state;
    for (unsigned depth = 1; depth < 120; depth++) {
        struct buf text = BUF_INIT(100000);
        for (unsigned i = 0; i < depth; i++)
            (void)buf_putc(&text, '[');
        for (unsigned i = 0; i < depth; i++)
            (void)buf_putc(&text, ']');
        struct yaml_doc doc;
        struct error err;
        int r = yaml_parse("t", text.data, text.len, &doc, &err);
        assert_int_equal(r == 0, depth <= JSON_MAX_DEPTH);
        if (r == 0)
            yaml_done(&doc);
        else
            assert_string_equal(err.message, "t:1: nested deeper than 64 levels");
        buf_done(&text);
    }
    struct buf text = BUF_INIT(1 << 20);
    (void)buf_puts(&text, "? ");
    for (int i = 0; i < 5000; i++)
        (void)buf_putc(&text, 'k');
    (void)buf_puts(&text, "\n: {a: {b: 1}, c: [1, 2]}\nlast: 1\n");
    struct yaml_doc doc;
    struct error err;
    if (yaml_parse("t", text.data, text.len, &doc, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(doc.lines->count, 2); /* the root and "last" */
    assert_int_equal(yaml_line(&doc, "last"), 3);
    assert_int_equal(json_object_size(doc.root), 2);
    yaml_done(&doc);
    buf_done(&text);

    char *bomb = xcalloc(1, 2000001);
    memset(bomb, '[', 2000000);
    assert_true(yaml_parse("t", bomb, 2000000, &doc, &err) < 0);
    memset(bomb, '-', 2000000);
    for (size_t i = 1; i < 2000000; i += 2)
        bomb[i] = ' ';
    assert_true(yaml_parse("t", bomb, 2000000, &doc, &err) < 0);
    free(bomb);
}

static void test_load(void **state)
{
    (void)state;
    char path[] = "/tmp/test_yaml.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: 1\nb: {\n", 10), 10);
    (void)close(fd);
    struct yaml_doc doc;
    struct error err;
    assert_true(yaml_load(path, 1000, &doc, &err) < 0);
    assert_true(str_starts(err.message, path));
    assert_true(yaml_load(path, 9, &doc, &err) < 0);
    assert_int_equal(err.kind, ERROR_LIMIT);
    (void)unlink(path);
    assert_true(yaml_load(path, 1000, &doc, &err) < 0);
    assert_int_equal(err.kind, ERROR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_refused), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_sizes),  cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
