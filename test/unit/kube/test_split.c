/* The cut of streamed lists and watch streams: any chunking gives what the whole gives, and what the whole
 * gives is what a parser of the whole sees. */
#include "base/alloc.h"
#include "base/rng.h"
#include "base/str.h"
#include "kube/json.h"
#include "kube/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Items and rest of a text fed in pieces, as one text: "item|item|...#rest", or "!kind". */
struct outcome {
    struct buf text;
    unsigned items;
};

static int take(void *data, const char *json, size_t len, struct error *err)
{
    (void)err;
    struct outcome *o = data;
    assert_int_equal(json[len], '\0');
    assert_int_equal(strlen(json), len);
    (void)buf_append(&o->text, json, len);
    (void)buf_putc(&o->text, '|');
    o->items++;
    return 0;
}

/* `step` 0: random pieces. Every piece is a copy of its own, so that a read past its end is seen. */
static unsigned run(enum split_mode mode, const char *text, size_t len, size_t step, struct rng *rng, struct buf *ret)
{
    struct outcome o = {.text = BUF_INIT((size_t)64 << 20)};
    struct split s;
    struct error err = ERROR_INIT;
    split_init(&s, mode, 0, take, &o);
    int r = 0;
    for (size_t i = 0; r == 0 && i < len;) {
        size_t n = step ? step : (size_t)rng_below(rng, 9);
        n = MIN(n, len - i);
        char *piece = xstrndup(text + i, n);
        r = split_feed(&s, piece, n, &err);
        free(piece);
        i += n;
    }
    if (r == 0)
        r = split_finish(&s, &err);
    if (r < 0)
        (void)buf_printf(&o.text, "!%s", error_kind_name(err.kind));
    else
        (void)buf_printf(&o.text, "#%s", buf_str(&s.rest));
    assert_true(r == 0 || err.kind != ERROR_NONE);
    split_done(&s);
    *ret = o.text;
    return o.items;
}

static void check_chunks(enum split_mode mode, const char *text, const char *want)
{
    struct rng rng;
    rng_seed(&rng, 7);
    size_t len = strlen(text);
    for (size_t step = 0; step <= len + 1 && step < 70; step++) {
        struct buf got;
        run(mode, text, len, step, &rng, &got);
        if (!streq(buf_str(&got), want))
            fail_msg("%s in pieces of %zu: want %s, have %s", text, step, want, buf_str(&got));
        buf_done(&got);
    }
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"{\"kind\":\"L\",\"items\":[{\"a\":1},{\"b\":2}]}", "{\"a\":1}|{\"b\":2}|#{\"kind\":\"L\",\"items\":[]}"},
        {"{\"items\":[]}", "#{\"items\":[]}"},
        {"{\"items\":null,\"x\":1}", "#{\"items\":null,\"x\":1}"},
        {"{}", "#{}"},
        {" {\"items\" : [ {} , {} ] } \n", "{}|{}|#{\"items\" : [] }"},
        /* "items" elsewhere is something else */
        {"{\"metadata\":{\"items\":[{\"no\":1}]},\"items\":[{\"yes\":1}]}",
         "{\"yes\":1}|#{\"metadata\":{\"items\":[{\"no\":1}]},\"items\":[]}"},
        {"{\"items\":[{\"items\":[{\"items\":[]}]}]}", "{\"items\":[{\"items\":[]}]}|#{\"items\":[]}"},
        {"{\"kind\":\"items\",\"x\":[1],\"items\":[{}]}", "{}|#{\"kind\":\"items\",\"x\":[1],\"items\":[]}"},
        {"{\"itemsx\":[1],\"item\":[2],\"Items\":[3],\"xitems\":[4]}",
         "#{\"itemsx\":[1],\"item\":[2],\"Items\":[3],\"xitems\":[4]}"},
        {"{\"items\":{\"items\":[1]},\"y\":[2]}", "#{\"items\":{\"items\":[1]},\"y\":[2]}"},
        /* strings that look like structure */
        {"{\"m\":\"\\\"items\\\":[\",\"items\":[{\"s\":\"]}\\\\\\\"{[\"}]}",
         "{\"s\":\"]}\\\\\\\"{[\"}|#{\"m\":\"\\\"items\\\":[\",\"items\":[]}"},
        {"{\"items\":[{\"a\":\"\\\\\"},{\"b\":\"\\\\\\\"\"}]}",
         "{\"a\":\"\\\\\"}|{\"b\":\"\\\\\\\"\"}|#{\"items\":[]}"},
        {"{\"m\":\"\\\\\",\"items\":[{}]}", "{}|#{\"m\":\"\\\\\",\"items\":[]}"},
        /* not lists */
        {"", "!parse"},
        {"  ", "!parse"},
        {"<html>", "!parse"},
        {"[{}]", "!parse"},
        {"{\"items\":[{}", "{}|!parse"},
        {"{\"items\":[{}]", "{}|!parse"},
        {"{\"items\":[{},]}", "{}|!parse"},
        {"{\"items\":[,{}]}", "!parse"},
        {"{\"items\":[{}{}]}", "{}|!parse"},
        {"{\"items\":[1]}", "!parse"},
        {"{\"items\":[[{}]]}", "!parse"},
        {"{\"items\":[{]}]}", "!parse"},
        {"{\"items\":[{}}}", "{}|!parse"},
        {"{\"items\":[{}]}x", "{}|!parse"},
        {"{\"items\":[{}]}{}", "{}|!parse"},
        {"{\"items\":[{}],\"items\":[{}]}", "{}|!parse"},
        {"{\"\\u0069tems\":[{}]}", "!parse"},
        {"{\"a\":[}", "!parse"},
        {"}", "!parse"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_chunks(SPLIT_LIST, cases[i].text, cases[i].want);
}

static void test_streams(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "#"},
        {"\n\n", "#"},
        {"{\"a\":1}\n{\"b\":[{}]}\n", "{\"a\":1}|{\"b\":[{}]}|#"},
        {"{}{}  {}\r\n{}", "{}|{}|{}|{}|#"},
        {"{\"a\":\"}\\\"}{\"}{\"items\":[{}]}", "{\"a\":\"}\\\"}{\"}|{\"items\":[{}]}|#"},
        {"{\"a\":\n1\n}\n", "{\"a\":\n1\n}|#"},
        {"{}{", "{}|!parse"},
        {"{}]", "{}|!parse"},
        {"{} x", "{}|!parse"},
        {"{},{}", "{}|!parse"},
        {"[]", "!parse"},
        {"{\"a\":\"", "!parse"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_chunks(SPLIT_STREAM, cases[i].text, cases[i].want);
}

static void random_string(struct buf *out, struct rng *rng)
{
    static const char *const pieces[] = {"a", "items", "\\\"", "\\\\", "[",       "]",
                                         "{", "}",     ":",    ",",    "\\u0041", "\xc3\xa4"};
    (void)buf_putc(out, '"');
    for (uint64_t n = rng_below(rng, 5); n > 0; n--)
        (void)buf_puts(out, pieces[rng_below(rng, ARRAY_SIZE(pieces))]);
    (void)buf_putc(out, '"');
}

static void space(struct buf *out, struct rng *rng)
{
    if (rng_below(rng, 4) == 0)
        (void)buf_putc(out, " \n\t\r"[rng_below(rng, 4)]);
}

static void random_value(struct buf *out, struct rng *rng, unsigned depth, bool object)
{
    uint64_t kind = object ? 0 : rng_below(rng, depth < 4 ? 4 : 2) + (depth < 4 ? 0 : 2);
    if (kind == 2) {
        random_string(out, rng);
        return;
    }
    if (kind == 3) {
        static const char *const scalars[] = {"1", "-2.5e3", "true", "null"};
        (void)buf_puts(out, scalars[rng_below(rng, 4)]);
        return;
    }
    (void)buf_putc(out, kind ? '[' : '{');
    for (uint64_t i = 0, n = rng_below(rng, 4); i < n; i++) {
        space(out, rng);
        if (i)
            (void)buf_putc(out, ',');
        space(out, rng);
        if (!kind) /* a number makes the names differ, "items" alone may be one */
            (void)(i == 0 && rng_below(rng, 2) ? buf_puts(out, "\"items\"") : buf_printf(out, "\"k%u\"", (unsigned)i));
        if (!kind) {
            space(out, rng);
            (void)buf_putc(out, ':');
            space(out, rng);
        }
        random_value(out, rng, depth + 1, false);
    }
    (void)buf_putc(out, kind ? ']' : '}');
}

static void random_list(struct buf *text, struct rng *rng, unsigned n_items)
{
    (void)buf_puts(text, "{\"kind\":");
    random_string(text, rng);
    (void)buf_puts(text, ",\"metadata\":");
    random_value(text, rng, 2, true);
    (void)buf_puts(text, ",\"items\":[");
    for (unsigned i = 0; i < n_items; i++) {
        if (i)
            (void)buf_putc(text, ',');
        space(text, rng);
        random_value(text, rng, 1, true);
        space(text, rng);
    }
    (void)buf_puts(text, "],\"z\":");
    random_value(text, rng, 1, false);
    (void)buf_putc(text, '}');
}

static int parse_item(void *data, const char *json, size_t len, struct error *err)
{
    json_t *item = json_parse(json, len, err);
    return item ? json_array_append_new(data, item) : -1;
}

/* The list put together again from what was cut out of it. */
static json_t *cut_and_join(const struct buf *text)
{
    struct error err;
    struct split s;
    json_t *items = json_array();
    split_init(&s, SPLIT_LIST, 0, parse_item, items);
    if (split_feed(&s, text->data, text->len, &err) < 0 || split_finish(&s, &err) < 0)
        fail_msg("%s: %s", buf_str(text), err.message);
    json_t *list = json_parse(s.rest.data, s.rest.len, &err);
    if (!list)
        fail_msg("%s: %s", buf_str(&s.rest), err.message);
    json_object_set_new(list, "items", items);
    split_done(&s);
    return list;
}

static void test_random(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 20261121);
    for (unsigned round = 0; round < 1500; round++) {
        struct buf text = BUF_INIT(1 << 20), whole, again;
        unsigned n_items = (unsigned)rng_below(&rng, 6);
        random_list(&text, &rng, n_items);
        assert_int_equal(run(SPLIT_LIST, text.data, text.len, text.len, &rng, &whole), n_items);
        for (size_t step = 0; step < 4; step++) {
            run(SPLIT_LIST, text.data, text.len, step, &rng, &again);
            assert_string_equal(buf_str(&whole), buf_str(&again));
            buf_done(&again);
        }
        json_t *tree = json_parse(text.data, text.len, NULL), *joined = cut_and_join(&text);
        assert_non_null(tree);
        if (!json_equal(tree, joined))
            fail_msg("%s", buf_str(&text));
        json_decref(tree);
        json_decref(joined);
        buf_done(&whole);
        buf_done(&text);
    }
}

static int refuse(void *data, const char *json, size_t len, struct error *err)
{
    (void)json;
    (void)len;
    return --*(int *)data < 0 ? error_set(err, ERROR_CANCELED, "enough") : 0;
}

static void test_user_stops(void **state)
{
    (void)state;
    int left = 2;
    struct split s;
    struct error err;
    split_init(&s, SPLIT_STREAM, 0, refuse, &left);
    assert_true(split_feed(&s, "{}{}{}{}", 8, &err) < 0);
    assert_int_equal(err.kind, ERROR_CANCELED);
    assert_int_equal(left, -1);
    split_done(&s);
}

static void test_caps(void **state)
{
    (void)state;
    struct outcome o = {.text = BUF_INIT(1 << 20)};
    struct split s;
    struct error err;
    split_init(&s, SPLIT_STREAM, 16, take, &o);
    assert_int_equal(split_feed(&s, "{\"a\":\"12345678\"}", 16, &err), 0);
    assert_true(split_feed(&s, "{\"a\":\"123456789\"}", 17, &err) < 0);
    assert_int_equal(err.kind, ERROR_LIMIT);
    assert_string_equal(err.message, "one object is larger than 16 bytes");
    split_done(&s);

    /* The default cap is 16 MiB to the byte; the buffer that took so much is not kept. */
    size_t cap = (size_t)16 << 20;
    char *big = xcalloc(1, cap + 8);
    memset(big, 'x', cap);
    memcpy(big, "{\"a\":\"", 6);
    memcpy(big + cap - 2, "\"}", 2);
    split_init(&s, SPLIT_STREAM, 0, refuse, &(int){1});
    assert_int_equal(split_feed(&s, big, cap, &err), 0);
    assert_true(s.item.cap < 1 << 20);
    memcpy(big + cap - 2, "x\"}", 3);
    assert_true(split_feed(&s, big, cap + 1, &err) < 0);
    assert_int_equal(err.kind, ERROR_LIMIT);
    split_done(&s);

    /* What is not an item must stay small. */
    memset(big, 'x', cap);
    memcpy(big, "{\"a\":\"", 6);
    split_init(&s, SPLIT_LIST, 0, take, &o);
    assert_true(split_feed(&s, big, 300000, &err) < 0);
    assert_int_equal(err.kind, ERROR_LIMIT);
    split_done(&s);
    free(big);

    /* Depth: as the parser counts it, over the list and the item together. */
    for (unsigned depth = 1; depth < 80; depth++) {
        struct buf text = BUF_INIT(1000);
        for (unsigned i = 0; i < depth; i++)
            (void)buf_puts(&text, "{\"a\":");
        (void)buf_putc(&text, '1');
        for (unsigned i = 0; i < depth; i++)
            (void)buf_putc(&text, '}');
        split_init(&s, SPLIT_STREAM, 0, take, &o);
        assert_int_equal(split_feed(&s, text.data, text.len, &err) == 0, depth <= JSON_MAX_DEPTH);
        split_done(&s);
        buf_done(&text);
    }
    buf_done(&o.text);
}

static double cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A quadratic scanner would take minutes for 16 MiB that come byte by byte. */
static void test_linear(void **state)
{
    (void)state;
    size_t len = (size_t)15 << 20;
    char *text = xcalloc(1, len + 1);
    memset(text, 'x', len);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + len - 2, "\"}", 2);
    struct split s;
    struct error err;
    int left = 1;
    split_init(&s, SPLIT_STREAM, 0, refuse, &left);
    double began = cpu_s();
    for (size_t i = 0; i < len; i++)
        assert_true(split_feed(&s, text + i, 1, &err) == 0);
    assert_int_equal(left, 0);
    assert_true(cpu_s() - began < 20);
    split_done(&s);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),      cmocka_unit_test(test_streams), cmocka_unit_test(test_random),
        cmocka_unit_test(test_user_stops), cmocka_unit_test(test_caps),    cmocka_unit_test(test_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
