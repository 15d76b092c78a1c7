/* Strict JSON in, careful getters, and text out. jansson parses; what it would let pass or do badly is
 * checked around it: the depth is bounded by a scan before it recurses, and its messages are cut to one line
 * of ours. */
#include "kube/json.h"

#include "base/str.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Whether brackets outside of strings nest deeper than JSON_MAX_DEPTH. It needs no grammar: on text that is
 * not JSON it may answer anything, because the parser refuses that text. */
static bool too_deep(const char *text, size_t len)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_MAX_DEPTH)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

json_t *json_parse(const char *text, size_t len, struct error *err)
{
    if (too_deep(text, len)) {
        error_set(err, ERROR_LIMIT, "JSON is nested deeper than %d levels", JSON_MAX_DEPTH);
        return NULL;
    }
    json_error_t why;
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!value)
        error_set(err, ERROR_PARSE, "invalid JSON at line %d, column %d: %s", why.line, why.column, why.text);
    return value;
}

const json_t *json_at(const json_t *root, const char *dotted)
{
    const json_t *at = root;
    while (at && *dotted) {
        const char *dot = strchrnul(dotted, '.');
        at = json_object_getn(at, dotted, (size_t)(dot - dotted));
        dotted = *dot ? dot + 1 : dot;
    }
    return at && !json_is_null(at) ? at : NULL;
}

const char *json_str(const json_t *root, const char *dotted)
{
    return json_string_value(json_at(root, dotted));
}

int64_t json_int(const json_t *root, const char *dotted, int64_t fallback)
{
    int64_t value = fallback;
    return json_want_int(root, dotted, INT64_MIN, INT64_MAX, &value, NULL) == 0 ? value : fallback;
}

bool json_bool(const json_t *root, const char *dotted, bool fallback)
{
    const json_t *at = json_at(root, dotted);
    return json_is_boolean(at) ? json_is_true(at) : fallback;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
    default:
        return "null";
    }
}

static int wrong_type(const char *dotted, const char *want, const json_t *have, struct error *err)
{
    return error_set(err, ERROR_PARSE, "%s: want %s, have %s", dotted, want, type_name(have));
}

int json_want_str(const json_t *root, const char *dotted, const char **ret, struct error *err)
{
    const json_t *at = json_at(root, dotted);
    if (!at)
        return 1;
    if (!json_is_string(at))
        return wrong_type(dotted, "a string", at, err);
    *ret = json_string_value(at);
    return 0;
}

/* 2^63 itself is the first double that an int64_t can't hold; -2^63 is the last that it can. */
static bool whole(double d, int64_t *ret)
{
    if (!isfinite(d) || d < -0x1p63 || d >= 0x1p63 || fabs(d - trunc(d)) > 0)
        return false;
    *ret = (int64_t)d;
    return true;
}

int json_want_int(const json_t *root, const char *dotted, int64_t min, int64_t max, int64_t *ret, struct error *err)
{
    const json_t *at = json_at(root, dotted);
    if (!at)
        return 1;
    int64_t value;
    if (json_is_integer(at))
        value = json_integer_value(at);
    else if (!json_is_real(at) || !whole(json_real_value(at), &value)) /* 3.0 and 1e3 are integers in JSON */
        return wrong_type(dotted, "an integer", at, err);
    if (value < min || value > max)
        return error_set(err, ERROR_PARSE, "%s: want %lld to %lld, have %lld", dotted, (long long)min, (long long)max,
                         (long long)value);
    *ret = value;
    return 0;
}

int json_want_bool(const json_t *root, const char *dotted, bool *ret, struct error *err)
{
    const json_t *at = json_at(root, dotted);
    if (!at)
        return 1;
    if (!json_is_boolean(at))
        return wrong_type(dotted, "true or false", at, err);
    *ret = json_is_true(at);
    return 0;
}

static int append_piece(const char *bytes, size_t len, void *data)
{
    return buf_append(data, bytes, len);
}

void json_write(struct buf *out, const json_t *value)
{
    /* The only failures are the buffer's own, which it remembers. */
    if (json_dump_callback(value, append_piece, out, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) < 0)
        out->failed = true;
}

struct json_emit json_emit(struct buf *out)
{
    return (struct json_emit){.out = out};
}

/* The comma and the name that belong in front of the next value. */
static void begin_value(struct json_emit *j, const char *key)
{
    uint64_t bit = UINT64_C(1) << j->depth;
    if (j->has_member & bit)
        (void)buf_putc(j->out, ',');
    j->has_member |= bit;
    if (key) {
        str_json(j->out, key, strlen(key));
        (void)buf_putc(j->out, ':');
    }
}

void json_open(struct json_emit *j, const char *key, char bracket)
{
    assert(bracket == '{' || bracket == '[');
    assert(j->depth + 1 < JSON_MAX_DEPTH);
    begin_value(j, key);
    (void)buf_putc(j->out, bracket);
    j->depth++;
    j->has_member &= ~(UINT64_C(1) << j->depth);
}

void json_close(struct json_emit *j, char bracket)
{
    assert(bracket == '}' || bracket == ']');
    assert(j->depth > 0);
    (void)buf_putc(j->out, bracket);
    j->depth--;
}

void json_emit_str(struct json_emit *j, const char *key, const char *value)
{
    if (!value)
        return;
    begin_value(j, key);
    str_json(j->out, value, strlen(value));
}

void json_emit_int(struct json_emit *j, const char *key, int64_t value)
{
    begin_value(j, key);
    (void)buf_printf(j->out, "%lld", (long long)value);
}

void json_emit_double(struct json_emit *j, const char *key, double value)
{
    char text[32] = "null"; /* JSON has no word for what is not finite */
    if (isfinite(value))
        str_from_double(text, sizeof(text), value);
    begin_value(j, key);
    (void)buf_puts(j->out, text);
}

void json_emit_bool(struct json_emit *j, const char *key, bool value)
{
    begin_value(j, key);
    (void)buf_puts(j->out, value ? "true" : "false");
}

void json_emit_raw(struct json_emit *j, const char *key, const char *json, size_t len)
{
    begin_value(j, key);
    (void)buf_append(j->out, json, len);
}
