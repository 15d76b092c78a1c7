/* YAML as a JSON tree. libyaml gives events; a stack of at most 64 open containers makes the tree, so nothing
 * recurses. Everything that makes YAML mean different things to different readers is refused with its line:
 * tags, merge keys, aliases, duplicate keys, numbers with leading zeros. */
#include "kube/yaml.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/map.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* Lines are known for paths up to this; longer ones would let a small file make a large map. */
#define PATH_CAP 512

struct frame {
    json_t *container; /* borrowed from the tree */
    char *key;         /* the name that waits for its value (objects) */
    size_t key_line;
    size_t path_len; /* of the container, in reader.path; PATH_CAP: not known */
};

struct reader {
    const char *name;
    yaml_parser_t parser;
    struct yaml_doc *doc;
    struct frame stack[JSON_MAX_DEPTH];
    unsigned depth;
    char path[PATH_CAP];
};

static int fail(const struct reader *r, size_t line, struct error *err, const char *fmt, ...) PRINTF_LIKE(4, 5);
static int fail(const struct reader *r, size_t line, struct error *err, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return error_set(err, ERROR_CONFIG, "%s:%zu: %s", r->name, line + 1, text);
}

/* ---- scalars ---- */

static bool is_one_of(const char *s, const char *a, const char *b, const char *c)
{
    return streq(s, a) || streq(s, b) || streq(s, c);
}

/* "[-+]?[0-9]+" */
static bool looks_decimal(const char *s)
{
    s += *s == '-' || *s == '+';
    size_t digits = strspn(s, "0123456789");
    return digits > 0 && s[digits] == '\0';
}

/* "[-+]?(.[0-9]+|[0-9]+(.[0-9]*)?)([eE][-+]?[0-9]+)?" */
static bool looks_real(const char *s)
{
    s += *s == '-' || *s == '+';
    size_t whole = strspn(s, "0123456789"), fraction = 0;
    s += whole;
    if (*s == '.') {
        fraction = strspn(++s, "0123456789");
        s += fraction;
    }
    if (whole + fraction == 0)
        return false;
    return *s == '\0' || ((*s == 'e' || *s == 'E') && looks_decimal(s + 1));
}

/* 0o17 and 0x1F: what stands behind the prefix, most significant first. */
static bool read_radix(const char *digits, unsigned bits, int64_t *ret)
{
    uint64_t value = 0;
    for (; *digits; digits++) {
        unsigned digit = *digits <= '9' ? (unsigned)(*digits - '0') : (unsigned)((*digits | 0x20) - 'a') + 10;
        if (value >> (63 - bits))
            return false;
        value = value << bits | digit;
    }
    *ret = (int64_t)value;
    return true;
}

static bool has_only(const char *s, const char *prefix, const char *digits)
{
    return str_starts(s, prefix) && s[2] && s[2 + strspn(s + 2, digits)] == '\0';
}

static json_t *plain_number(const struct reader *r, size_t line, const char *s, struct error *err)
{
    int64_t i;
    double d;
    if (has_only(s, "0o", "01234567") ? read_radix(s + 2, 3, &i)
                                      : has_only(s, "0x", "0123456789abcdefABCDEF") && read_radix(s + 2, 4, &i))
        return json_integer(i);
    if (looks_decimal(s)) {
        const char *digits = s + (*s == '-' || *s == '+');
        if (digits[0] == '0' && digits[1]) {
            fail(r, line, err, "%.40s is octal for some readers: write it without the zero, or quote it", s);
            return NULL;
        }
        if (str_to_i64(*s == '+' ? digits : s, &i))
            return json_integer(i);
    } else if (looks_real(s) && str_to_double(s, &d)) {
        return json_real(d);
    }
    fail(r, line, err, "%.40s is not a number that fits", s);
    return NULL;
}

/* The value of a plain scalar by the core schema of YAML 1.2. */
static json_t *plain_scalar(const struct reader *r, size_t line, const char *s, struct error *err)
{
    if (!*s || streq(s, "~") || is_one_of(s, "null", "Null", "NULL"))
        return json_null();
    if (is_one_of(s, "true", "True", "TRUE"))
        return json_true();
    if (is_one_of(s, "false", "False", "FALSE"))
        return json_false();
    if (looks_decimal(s) || looks_real(s) || has_only(s, "0o", "01234567") ||
        has_only(s, "0x", "0123456789abcdefABCDEF"))
        return plain_number(r, line, s, err);
    const char *unsigned_ = s + (*s == '-' || *s == '+');
    if (is_one_of(unsigned_, ".inf", ".Inf", ".INF") || is_one_of(s, ".nan", ".NaN", ".NAN")) {
        fail(r, line, err, "%s is not a number", s);
        return NULL;
    }
    return json_string_nocheck(s); /* libyaml has checked the UTF-8 */
}

/* ---- the tree ---- */

/* The path of the value that comes next, in r->path; PATH_CAP when it does not fit. */
static size_t next_path(struct reader *r)
{
    if (r->depth == 0)
        return 0;
    const struct frame *top = &r->stack[r->depth - 1];
    if (top->path_len >= PATH_CAP)
        return PATH_CAP;
    char *end = r->path + top->path_len;
    size_t room = PATH_CAP - top->path_len;
    int n = top->key ? snprintf(end, room, "%s%s", top->path_len ? "." : "", top->key)
                     : snprintf(end, room, "[%zu]", json_array_size(top->container));
    return n >= 0 && (size_t)n < room ? top->path_len + (size_t)n : PATH_CAP;
}

/* Puts a value (taken) where it belongs. */
static void add_value(struct reader *r, size_t line, json_t *value, size_t path_len)
{
    if (r->depth > 0 && r->stack[r->depth - 1].key)
        line = r->stack[r->depth - 1].key_line; /* where a reader looks for "spec:", whatever its value starts at */
    if (path_len < PATH_CAP) {
        r->path[path_len] = '\0';
        map_set(r->doc->lines, r->path, (void *)(uintptr_t)(line + 1));
    }
    if (r->depth == 0) {
        r->doc->root = value;
        return;
    }
    struct frame *top = &r->stack[r->depth - 1];
    if (json_is_array(top->container)) {
        (void)json_array_append_new(top->container, value);
        return;
    }
    (void)json_object_set_new_nocheck(top->container, top->key, value);
    secret_free(top->key);
    top->key = NULL;
}

static int add_key(struct reader *r, size_t line, const char *key, bool plain, struct error *err)
{
    struct frame *top = &r->stack[r->depth - 1];
    if (plain && streq(key, "<<"))
        return fail(r, line, err, "merge keys are not supported");
    if (json_object_get(top->container, key))
        return fail(r, line, err, "\"%.80s\" is there twice", key);
    top->key = xstrdup(key);
    top->key_line = line;
    return 0;
}

static bool wants_key(const struct reader *r)
{
    return r->depth > 0 && json_is_object(r->stack[r->depth - 1].container) && !r->stack[r->depth - 1].key;
}

static int on_scalar(struct reader *r, const yaml_event_t *e, struct error *err)
{
    size_t line = e->start_mark.line;
    const char *text = (const char *)e->data.scalar.value;
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (e->data.scalar.tag)
        return fail(r, line, err, "tags are not supported");
    if (strlen(text) != e->data.scalar.length)
        return fail(r, line, err, "a text has a zero byte in it");
    if (wants_key(r))
        return add_key(r, line, text, plain, err);
    json_t *value = plain ? plain_scalar(r, line, text, err) : json_string_nocheck(text);
    if (!value)
        return -1;
    add_value(r, line, value, next_path(r));
    return 0;
}

static int on_start(struct reader *r, const yaml_event_t *e, bool object, struct error *err)
{
    size_t line = e->start_mark.line;
    if (object ? e->data.mapping_start.tag != NULL : e->data.sequence_start.tag != NULL)
        return fail(r, line, err, "tags are not supported");
    if (wants_key(r))
        return fail(r, line, err, "a name must be a text");
    if (r->depth == JSON_MAX_DEPTH)
        return fail(r, line, err, "nested deeper than %d levels", JSON_MAX_DEPTH);
    json_t *container = object ? json_object() : json_array();
    size_t path_len = next_path(r);
    add_value(r, line, container, path_len);
    r->stack[r->depth++] = (struct frame){.container = container, .path_len = path_len};
    return 0;
}

/* One event. 1: the stream is over. */
static int on_event(struct reader *r, const yaml_event_t *e, unsigned *documents, struct error *err)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(r, e, err);
    case YAML_MAPPING_START_EVENT:
        return on_start(r, e, true, err);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(r, e, false, err);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        r->depth--;
        return 0;
    case YAML_ALIAS_EVENT:
        return fail(r, e->start_mark.line, err, "aliases are not supported");
    case YAML_DOCUMENT_START_EVENT:
        if ((*documents)++ > 0)
            return fail(r, e->start_mark.line, err, "more than one document");
        return 0;
    case YAML_STREAM_END_EVENT:
        return 1;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    default:
        return 0;
    }
}

static int read_events(struct reader *r, struct error *err)
{
    unsigned documents = 0;
    for (int done = 0; !done;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) {
            const char *problem = r->parser.problem ? r->parser.problem : "not YAML";
            if (r->parser.error == YAML_READER_ERROR)
                return error_set(err, ERROR_CONFIG, "%s: byte %zu: %s", r->name, r->parser.problem_offset, problem);
            return fail(r, r->parser.problem_mark.line, err, "%s%s%s", problem, r->parser.context ? " " : "",
                        r->parser.context ? r->parser.context : "");
        }
        done = on_event(r, &event, &documents, err);
        if (event.type == YAML_SCALAR_EVENT)
            explicit_bzero(event.data.scalar.value, event.data.scalar.length);
        yaml_event_delete(&event);
        if (done < 0)
            return -1;
    }
    if (!r->doc->root)
        r->doc->root = json_null(); /* an empty file */
    return 0;
}

int yaml_parse(const char *name, const char *text, size_t len, struct yaml_doc *ret, struct error *err)
{
    struct yaml_doc doc = {.lines = xcalloc(1, sizeof(*doc.lines))};
    map_init(doc.lines, NULL);
    struct reader r = {.name = name, .doc = &doc};
    if (!yaml_parser_initialize(&r.parser)) {
        yaml_done(&doc);
        return error_set(err, ERROR_INTERNAL, "%s: out of memory", name);
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    int result = read_events(&r, err);
    for (unsigned i = 0; i < r.depth; i++)
        secret_free(r.stack[i].key);
    /* A kubeconfig has keys and tokens in it, and these are libyaml's copies of the text. */
    explicit_bzero(r.parser.raw_buffer.start, (size_t)(r.parser.raw_buffer.end - r.parser.raw_buffer.start));
    explicit_bzero(r.parser.buffer.start, (size_t)(r.parser.buffer.end - r.parser.buffer.start));
    yaml_parser_delete(&r.parser);
    if (result < 0)
        yaml_done(&doc);
    else
        *ret = doc;
    return result;
}

int yaml_load(const char *path, size_t max_bytes, struct yaml_doc *ret, struct error *err)
{
    _secret_cleanup_ char *text = NULL;
    size_t len;
    if (file_read(path, max_bytes, &text, &len, err) < 0)
        return -1;
    int r = yaml_parse(path, text, len, ret, err);
    explicit_bzero(text, len); /* also what stands behind a NUL */
    return r;
}

int yaml_line(const struct yaml_doc *doc, const char *path)
{
    return doc->lines ? (int)(uintptr_t)map_get(doc->lines, path) : 0;
}

/* Depth first with a stack, as the tree was built. */
static void wipe_strings(json_t *root)
{
    struct {
        json_t *container;
        void *iter;
        size_t index;
    } stack[JSON_MAX_DEPTH + 1];
    unsigned depth = 0;
    json_t *at = root;
    for (;;) {
        if (json_is_string(at))
            explicit_bzero((char *)(uintptr_t)json_string_value(at), json_string_length(at));
        else if ((json_is_object(at) || json_is_array(at)) && depth < ARRAY_SIZE(stack)) {
            stack[depth].container = at;
            stack[depth].iter = json_object_iter(at);
            stack[depth++].index = 0;
        }
        for (at = NULL; depth > 0 && !at;) {
            json_t *container = stack[depth - 1].container;
            if (json_is_array(container)) {
                at = json_array_get(container, stack[depth - 1].index++);
            } else if (stack[depth - 1].iter) {
                at = json_object_iter_value(stack[depth - 1].iter);
                stack[depth - 1].iter = json_object_iter_next(container, stack[depth - 1].iter);
            }
            if (!at)
                depth--;
        }
        if (!at)
            return;
    }
}

void yaml_done(struct yaml_doc *doc)
{
    if (doc->root)
        wipe_strings(doc->root);
    json_decref(doc->root);
    if (doc->lines)
        map_done(doc->lines);
    free(doc->lines);
    *doc = (struct yaml_doc){0};
}
