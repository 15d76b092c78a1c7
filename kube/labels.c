/* Label selectors: a list of requirements that must all hold; see labels.h for the grammar. */
#include "kube/labels.h"

#include "base/alloc.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* What a selector of a scale target can sensibly hold; the API server's own objects stay far below. */
#define MAX_SELECTOR_BYTES 16384

enum selector_op { OP_IN, OP_NOT_IN, OP_EXISTS, OP_NOT_EXISTS };

struct requirement {
    char *key;
    enum selector_op op;
    char **values;
    size_t n_values;
};

struct selector {
    struct requirement *items;
    size_t count;
};

void labels_decode(const json_t *object, struct labels *ret)
{
    struct buf packed = BUF_INIT(SIZE_MAX / 2);
    const char *key;
    json_t *value;
    *ret = (struct labels){0};
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (!json_is_string(value))
            continue;
        (void)buf_append(&packed, key, strlen(key) + 1);
        (void)buf_append(&packed, json_string_value(value), json_string_length(value) + 1);
        ret->count++;
    }
    if (ret->count)
        ret->packed = buf_steal(&packed);
}

void labels_done(struct labels *l)
{
    free(l->packed);
    *l = (struct labels){0};
}

const char *labels_get(const struct labels *l, const char *key)
{
    const char *p = l->packed;
    for (unsigned i = 0; i < l->count; i++) {
        const char *value = p + strlen(p) + 1;
        if (streq(p, key))
            return value;
        p = value + strlen(value) + 1;
    }
    return NULL;
}

/* ---- parsing ---- */

struct scanner {
    const char *p;
    const char *text;
};

static void skip_space(struct scanner *s)
{
    while (*s->p == ' ')
        s->p++;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == '/';
}

/* A key, an operator in letters, or a value; NULL when there is none here. */
static char *word(struct scanner *s)
{
    skip_space(s);
    const char *from = s->p;
    while (is_word(*s->p))
        s->p++;
    return s->p == from ? NULL : xstrndup(from, (size_t)(s->p - from));
}

static bool accept(struct scanner *s, const char *token)
{
    skip_space(s);
    if (!str_starts(s->p, token))
        return false;
    s->p += strlen(token);
    return true;
}

static void add_value(struct requirement *r, char *value)
{
    r->values = xreallocarray(r->values, r->n_values + 1, sizeof(*r->values));
    r->values[r->n_values++] = value;
}

static int parse_set(struct scanner *s, struct requirement *r, struct error *err)
{
    if (!accept(s, "("))
        return error_set(err, ERROR_PARSE, "selector \"%s\": want \"(\" behind in or notin", s->text);
    do {
        char *value = word(s);
        add_value(r, value ? value : xstrdup("")); /* an empty value is a value */
    } while (accept(s, ","));
    if (!accept(s, ")"))
        return error_set(err, ERROR_PARSE, "selector \"%s\": want \")\" at the end of the set", s->text);
    return 0;
}

static int parse_operator(struct scanner *s, struct requirement *r, struct error *err)
{
    if (accept(s, "!=") || accept(s, "==") || accept(s, "=")) {
        r->op = s->p[-2] == '!' ? OP_NOT_IN : OP_IN;
        char *value = word(s);
        add_value(r, value ? value : xstrdup(""));
        return 0;
    }
    skip_space(s);
    if (*s->p == ',' || *s->p == '\0') {
        r->op = OP_EXISTS;
        return 0;
    }
    _cleanup_(freep) char *op = word(s);
    if (op && streq(op, "in"))
        r->op = OP_IN;
    else if (op && streq(op, "notin"))
        r->op = OP_NOT_IN;
    else
        return error_set(err, ERROR_PARSE, "selector \"%s\": no operator that is known behind \"%s\"", s->text, r->key);
    return parse_set(s, r, err);
}

static int parse_requirement(struct scanner *s, struct requirement *r, struct error *err)
{
    bool negated = accept(s, "!");
    r->key = word(s);
    if (!r->key)
        return error_set(err, ERROR_PARSE, "selector \"%s\": want a label key at byte %zu", s->text,
                         (size_t)(s->p - s->text));
    if (negated) {
        r->op = OP_NOT_EXISTS;
        return 0;
    }
    return parse_operator(s, r, err);
}

struct selector *selector_parse(const char *text, struct error *err)
{
    struct scanner s = {.p = text, .text = text};
    struct selector *sel = xcalloc(1, sizeof(*sel));
    if (strlen(text) > MAX_SELECTOR_BYTES) {
        (void)error_set(err, ERROR_LIMIT, "a selector of more than %d bytes", MAX_SELECTOR_BYTES);
        return selector_free(sel);
    }
    skip_space(&s);
    while (*s.p) {
        sel->items = xreallocarray(sel->items, sel->count + 1, sizeof(*sel->items));
        struct requirement *r = &sel->items[sel->count++];
        *r = (struct requirement){0};
        if (parse_requirement(&s, r, err) < 0)
            return selector_free(sel);
        skip_space(&s);
        if (*s.p && !accept(&s, ",")) {
            (void)error_set(err, ERROR_PARSE, "selector \"%s\": want a comma at byte %zu", text, (size_t)(s.p - text));
            return selector_free(sel);
        }
    }
    return sel;
}

struct selector *selector_free(struct selector *s)
{
    for (size_t i = 0; s && i < s->count; i++) {
        for (size_t v = 0; v < s->items[i].n_values; v++)
            free(s->items[i].values[v]);
        free(s->items[i].values);
        free(s->items[i].key);
    }
    if (s)
        free(s->items);
    free(s);
    return NULL;
}

static bool holds(const struct requirement *r, const char *value)
{
    if (r->op == OP_EXISTS || r->op == OP_NOT_EXISTS)
        return (value != NULL) == (r->op == OP_EXISTS);
    bool found = false;
    for (size_t i = 0; value && !found && i < r->n_values; i++)
        found = streq(r->values[i], value);
    return found == (r->op == OP_IN);
}

bool selector_matches(const struct selector *s, const struct labels *labels)
{
    for (size_t i = 0; i < s->count; i++)
        if (!holds(&s->items[i], labels_get(labels, s->items[i].key)))
            return false;
    return true;
}

bool selector_equality(const struct selector *s, size_t i, const char **ret_key, const char **ret_value)
{
    for (size_t at = 0; at < s->count; at++) {
        const struct requirement *r = &s->items[at];
        if (r->op != OP_IN || r->n_values != 1 || i-- > 0)
            continue;
        *ret_key = r->key;
        *ret_value = r->values[0];
        return true;
    }
    return false;
}
