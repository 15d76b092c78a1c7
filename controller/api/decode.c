/* Walks a table and a JSON tree together; see decode.h. Recursion is bounded by the depth of the table. */
#include "api/decode.h"

#include "base/rfc3339.h"
#include "base/str.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct walker {
    struct api_problems *problems;
    unsigned flags;
    unsigned bad_values; /* problems that leave the struct incomplete: no rule is looked at above them */
    size_t len;
    char path[256];
};

/* ---- where we are ---- */

static size_t enter(struct walker *w, const char *name)
{
    size_t was = w->len;
    int n = snprintf(w->path + was, sizeof w->path - was, "%s%s", was > 0 ? "." : "", name);
    w->len = MIN(was + (size_t)MAX(n, 0), sizeof w->path - 1);
    return was;
}

static size_t enter_index(struct walker *w, size_t index)
{
    size_t was = w->len;
    int n = snprintf(w->path + was, sizeof w->path - was, "[%zu]", index);
    w->len = MIN(was + (size_t)MAX(n, 0), sizeof w->path - 1);
    return was;
}

static void leave(struct walker *w, size_t was)
{
    w->len = was;
    w->path[was] = '\0';
}

static void bad(struct walker *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void bad(struct walker *w, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    w->bad_values++;
    (void)api_problem_add(w->problems, w->path, "%s", text);
}

static const char *kind_of(const json_t *value)
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

/* ---- names that were meant ---- */

#define MAX_NAME 40

/* Edits between two words without regard to case; more than MAX_NAME characters are "far". */
static unsigned distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > MAX_NAME || m > MAX_NAME)
        return MAX_NAME;
    unsigned char row[MAX_NAME + 1];
    for (size_t k = 0; k <= m; k++)
        row[k] = (unsigned char)k;
    for (size_t i = 1; i <= n; i++) {
        unsigned char diagonal = row[0];
        row[0] = (unsigned char)i;
        for (size_t k = 1; k <= m; k++) {
            unsigned char above = row[k];
            bool same = strncasecmp(a + i - 1, b + k - 1, 1) == 0;
            unsigned char change = (unsigned char)(diagonal + !same);
            unsigned char skip = (unsigned char)((above < row[k - 1] ? above : row[k - 1]) + 1);
            row[k] = change < skip ? change : skip;
            diagonal = above;
        }
    }
    return row[m];
}

/* The field that was meant by a name that is none; NULL: no idea. */
static const char *meant(const struct schema_object *o, const char *name)
{
    const char *best = NULL;
    unsigned least = 3; /* two slips of the finger, and not most of a short word */
    for (size_t i = 0; i < o->n_fields; i++) {
        unsigned d = distance(name, o->fields[i].name);
        if (d < least && d < (strlen(name) + 1) / 2) {
            least = d;
            best = o->fields[i].name;
        }
    }
    return best;
}

static void refuse_unknown(struct walker *w, const struct schema_object *o, const json_t *value)
{
    const char *name;
    json_t *ignored;
    /* jansson's macro casts the constness away and gives it back */
    json_object_foreach((json_t *)(uintptr_t)value, name, ignored)
    {
        bool known = false;
        for (size_t i = 0; i < o->n_fields && !known; i++)
            known = streq(o->fields[i].name, name);
        if (known)
            continue;
        size_t was = enter(w, name);
        const char *instead = meant(o, name);
        if (instead)
            (void)api_problem_add(w->problems, w->path, "unknown field, did you mean %s?", instead);
        else
            (void)api_problem_add(w->problems, w->path, "unknown field");
        leave(w, was);
    }
}

/* ---- scalars ---- */

static void decode_int(struct walker *w, const struct schema_field *f, const json_t *value, void *to)
{
    int64_t v = 0;
    double d = json_is_real(value) ? json_real_value(value) : 0;
    bool whole = json_is_real(value) && isfinite(d) && fabs(d) < 0x1p53 && !(fabs(d - trunc(d)) > 0);
    if (json_is_integer(value)) {
        v = json_integer_value(value);
    } else if (whole && !f->exact) {
        v = (int64_t)d;
    } else if (whole) {
        bad(w, "want an integer, without a fraction: %.0f", d);
        return;
    } else {
        bad(w, "want an integer, have %s", kind_of(value));
        return;
    }
    int64_t min = f->min, max = f->max;
    bool bounded = max != 0;
    if (!bounded) {
        min = f->type == SCHEMA_INT32 ? INT32_MIN : INT64_MIN;
        max = f->type == SCHEMA_INT32 ? INT32_MAX : INT64_MAX;
    }
    if (v < min || v > max) {
        bad(w, "must be %lld to %lld, not %lld", (long long)min, (long long)max, (long long)v);
        return;
    }
    if (f->type == SCHEMA_INT32)
        *(int32_t *)to = (int32_t)v;
    else
        *(int64_t *)to = v;
}

/* Characters as the API server counts them: code points. */
static size_t characters(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static bool want_string(struct walker *w, const struct schema_field *f, const json_t *value)
{
    if (!json_is_string(value)) {
        bad(w, "want a string, have %s", kind_of(value));
        return false;
    }
    const char *s = json_string_value(value);
    size_t n = characters(s);
    if (n < (size_t)f->min)
        bad(w, "%s", n == 0 ? "must not be empty" : "is too short");
    else if (f->max != 0 && n > (size_t)f->max)
        bad(w, "is too long: %zu characters, at most %lld", n, (long long)f->max);
    else if (f->format && !f->format->matches(s) && f->format->hides)
        bad(w, "want %s", f->format->hint);
    else if (f->format && !f->format->matches(s))
        bad(w, "want %s, have \"%.60s\"", f->format->hint, s);
    else
        return true;
    return false;
}

static void decode_enum(struct walker *w, const struct schema_field *f, const json_t *value, void *to)
{
    const char *s = json_string_value(value); /* NULL: no string */
    char list[160] = "";
    bool has_off = false;
    for (int i = 0; f->values[i]; i++) {
        if (s && streq(s, f->values[i])) {
            memcpy(to, &i, sizeof i);
            return;
        }
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", f->values[i]);
        has_off = has_off || streq(f->values[i], "Off");
    }
    if (s)
        bad(w, "want one of %s, have \"%.40s\"", list, s);
    else if (has_off && json_is_false(value))
        bad(w, "want one of %s; put \"Off\" in quotes, YAML takes the bare word for a boolean", list);
    else
        bad(w, "want one of %s, have %s", list, kind_of(value));
}

static void decode_quantity(struct walker *w, const struct schema_field *f, const json_t *value, struct quantity *to)
{
    const char *s = json_string_value(value);
    struct quantity q = {0};
    if (json_is_integer(value)) {
        q.nano = (__int128)json_integer_value(value) * 1000000000;
    } else if (json_is_real(value)) {
        bad(w, "want a quantity: put a number with a fraction in quotes, as \"0.5\" or \"500m\"");
        return;
    } else if (!s || strlen(s) > SCHEMA_QUANTITY_MAX_LENGTH || !schema_quantity_format.matches(s) ||
               !quantity_parse(s, &q)) {
        bad(w, "want %s, have %s%.40s%s", schema_quantity_format.hint, s ? "\"" : "", s ? s : kind_of(value),
            s ? "\"" : "");
        return;
    }
    if (f->bounds && !schema_quantity_within(f->bounds, q)) {
        char words[64];
        schema_quantity_words(f->bounds, words, sizeof words);
        (void)api_problem_add(w->problems, w->path, "must be %s", words);
        if (w->problems->total == w->problems->n)
            w->problems->items[w->problems->n - 1].rule = true;
    }
    *to = q;
}

static void decode_bytes(struct walker *w, const struct schema_field *f, const json_t *value, struct buf *to)
{
    if (!want_string(w, f, value))
        return;
    const char *s = json_string_value(value);
    size_t len = strlen(s);
    buf_init(to, (size_t)f->max);
    if (s[strcspn(s, " \t\r\n")] != '\0' || str_base64_decode(to, s, len) < 0)
        bad(w, "is not base64");
}

static void decode_time(struct walker *w, const struct schema_field *f, const json_t *value, int64_t *to)
{
    if (want_string(w, f, value) && !rfc3339_parse(json_string_value(value), to))
        bad(w, "want a time such as 2026-01-31T08:00:00Z");
}

/* ---- structure ---- */

static void decode_object(struct walker *w, const struct schema_object *o, const json_t *value, char *base,
                          const char *old);
static void decode_list(struct walker *w, const struct schema_field *f, const json_t *value, char *base);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void decode_value(struct walker *w, const struct schema_field *f, const json_t *value, char *to, const char *old)
{
    switch (f->type) {
    case SCHEMA_BOOL:
        if (json_is_boolean(value))
            *(bool *)to = json_is_true(value);
        else
            bad(w, "want true or false, have %s", kind_of(value));
        break;
    case SCHEMA_INT32:
    case SCHEMA_INT64:
        decode_int(w, f, value, to);
        break;
    case SCHEMA_STRING:
        if (want_string(w, f, value))
            (void)str_copy(to, f->size, json_string_value(value));
        break;
    case SCHEMA_ENUM:
        decode_enum(w, f, value, to);
        break;
    case SCHEMA_QUANTITY:
        decode_quantity(w, f, value, (struct quantity *)(void *)to);
        break;
    case SCHEMA_TIME:
        decode_time(w, f, value, (int64_t *)(void *)to);
        break;
    case SCHEMA_BYTES:
        decode_bytes(w, f, value, (struct buf *)(void *)to);
        break;
    case SCHEMA_OBJECT:
        decode_object(w, f->object, value, to, old);
        break;
    case SCHEMA_LIST:
    default: /* lists of lists are not in the language */
        assert(0);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void decode_field(struct walker *w, const struct schema_field *f, const json_t *value, char *base,
                         const char *old)
{
    _json_cleanup_ json_t *fallback = NULL;
    if (json_is_null(value))
        value = NULL;
    if (!value && f->fallback) {
        fallback = json_loads(f->fallback, JSON_DECODE_ANY, NULL);
        value = fallback;
    }
    if (!value) {
        if (f->required)
            bad(w, "is required");
        return;
    }
    if (f->has_at)
        *((bool *)base + f->has_at - 1) = true;
    if (f->type == SCHEMA_LIST)
        decode_list(w, f, value, base);
    else
        decode_value(w, f, value, base + f->at, old ? old + f->at : NULL);
}

static bool same_element(const struct schema_field *f, const char *a, const char *b)
{
    if (f->list == SCHEMA_SET)
        return schema_int(f->item, a) == schema_int(f->item, b);
    const struct schema_object *o = f->item->object;
    for (size_t i = 0; i < o->n_fields; i++)
        if (streq(o->fields[i].name, f->key))
            return streq(a + o->fields[i].at, b + o->fields[i].at);
    return false;
}

static void refuse_duplicates(struct walker *w, const struct schema_field *f, const char *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (!same_element(f, items + k * f->size, items + i * f->size))
                continue;
            size_t was = enter_index(w, i);
            if (f->list == SCHEMA_MAP)
                bad(w, "has the same %s as [%zu]", f->key, k);
            else
                bad(w, "is in the list twice");
            leave(w, was);
            break;
        }
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void decode_list(struct walker *w, const struct schema_field *f, const json_t *value, char *base)
{
    if (!json_is_array(value)) {
        bad(w, "want a list, have %s", kind_of(value));
        return;
    }
    size_t n = json_array_size(value);
    if (n < (size_t)f->min || n > MIN((size_t)f->max, f->capacity)) {
        if (n < (size_t)f->min)
            bad(w, "must not be empty");
        else
            bad(w, "has %zu items, at most %lld", n, (long long)f->max);
        return;
    }
    unsigned before = w->bad_values;
    char *items = base + f->at;
    for (size_t i = 0; i < n; i++) {
        size_t was = enter_index(w, i);
        struct schema_field item = *f->item;
        item.size = f->size;
        decode_value(w, &item, json_array_get(value, i), items + i * f->size, NULL);
        leave(w, was);
    }
    uint32_t count = (uint32_t)n;
    memcpy(base + f->count_at - 1, &count, sizeof count);
    if (f->list != SCHEMA_ATOMIC && w->bad_values == before)
        refuse_duplicates(w, f, items, n);
}

static void check_rules(struct walker *w, const struct schema_object *o, const char *base, const char *old)
{
    for (size_t i = 0; i < o->n_rules; i++) {
        const struct schema_rule *r = &o->rules[i];
        if (r->holds_update ? !old || r->holds_update(base, old) : r->holds(base))
            continue;
        char said[sizeof w->problems->items[0].message];
        if (r->say)
            r->say(base, said, sizeof said);
        size_t was = w->len;
        if (r->path)
            (void)enter(w, r->path + 1);
        (void)api_problem_add(w->problems, w->path, "%s", r->say ? said : r->message);
        if (w->problems->total == w->problems->n)
            w->problems->items[w->problems->n - 1].rule = true;
        leave(w, was);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void decode_object(struct walker *w, const struct schema_object *o, const json_t *value, char *base,
                          const char *old)
{
    if (value && !json_is_object(value)) {
        bad(w, "want an object, have %s", kind_of(value));
        return;
    }
    if (value && (w->flags & API_STRICT))
        refuse_unknown(w, o, value);
    unsigned before = w->bad_values;
    for (size_t i = 0; i < o->n_fields; i++) {
        const struct schema_field *f = &o->fields[i];
        size_t was = enter(w, f->name);
        decode_field(w, f, json_object_get(value, f->name), base, old);
        leave(w, was);
    }
    if (w->bad_values == before)
        check_rules(w, o, base, old);
}

int api_decode(const struct schema_object *schema, const json_t *value, const char *path, unsigned flags, void *ret,
               size_t ret_size, const void *old, struct api_problems *problems)
{
    memset(ret, 0, ret_size);
    struct walker w = {.problems = problems, .flags = flags};
    unsigned before = problems->total;
    if (path[0])
        (void)enter(&w, path);
    decode_object(&w, schema, json_is_null(value) ? NULL : value, ret, old);
    return problems->total == before ? 0 : -1;
}
