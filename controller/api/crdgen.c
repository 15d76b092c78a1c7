/* The table as a CustomResourceDefinition; see crdgen.h. Keys are in the order that controller-gen gives
 * them, so that the files read as people are used to. Recursion is bounded by the depth of the table. */
#include "api/crdgen.h"

#include "api/pa.h"
#include "base/str.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 110

struct yaml {
    struct buf *out;
    int indent;
};

static void line(struct yaml *y, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void line(struct yaml *y, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < sizeof text);
    (void)buf_printf(y->out, "%*s%s\n", y->indent, "", text);
}

/* Prose as a folded block: a reader of the file sees lines, a reader of the value one paragraph. */
static void prose(struct yaml *y, const char *key, const char *text)
{
    line(y, "%s: >-", key);
    int at = 0;
    for (const char *word = text; *word;) {
        int n = (int)strcspn(word, " ");
        if (at > 0 && at + 1 + n > WIDTH) {
            (void)buf_putc(y->out, '\n');
            at = 0;
        }
        int lead = at > 0 ? 1 : y->indent + 2;
        (void)buf_printf(y->out, "%*s%.*s", lead, "", n, word);
        at += lead + n;
        word += n;
        word += strspn(word, " ");
    }
    (void)buf_putc(y->out, '\n');
}

/* A string that YAML and JSON write alike. */
static void quoted(struct yaml *y, const char *key, const char *text)
{
    struct buf json = BUF_INIT(4096);
    str_json(&json, text, strlen(text));
    line(y, "%s: %s", key, buf_str(&json));
    buf_done(&json);
}

/* ---- descriptions ---- */

void crdgen_limits(const struct schema_field *f, char *out, size_t cap)
{
    char bounds[96] = "", fallback[64] = "";
    if ((f->type == SCHEMA_INT32 || f->type == SCHEMA_INT64) && f->max != 0)
        (void)snprintf(bounds, sizeof bounds, "%lld to %lld", (long long)f->min, (long long)f->max);
    else if (f->type == SCHEMA_LIST)
        (void)snprintf(bounds, sizeof bounds, "at most %lld", (long long)f->max);
    else if (f->bounds)
        schema_quantity_words(f->bounds, bounds, sizeof bounds);
    if (f->fallback && f->fallback[0] != '{' && f->fallback[0] != '[') {
        bool text = f->fallback[0] == '"';
        (void)snprintf(fallback, sizeof fallback, "default %.*s", (int)strlen(f->fallback) - (text ? 2 : 0),
                       f->fallback + text);
    }
    (void)snprintf(out, cap, "%s%s%s", bounds, bounds[0] && fallback[0] ? ", " : "", fallback);
}

static void describe(struct yaml *y, const struct schema_field *f)
{
    char limits[192], text[1024];
    crdgen_limits(f, limits, sizeof limits);
    if (limits[0] >= 'a' && limits[0] <= 'z')
        limits[0] = (char)(limits[0] - 'a' + 'A');
    int n = snprintf(text, sizeof text, "%s%s%s%s", f->doc, limits[0] ? " " : "", limits, limits[0] ? "." : "");
    assert(n > 0 && (size_t)n < sizeof text);
    prose(y, "description", text);
}

/* ---- defaults ---- */

/* YAML 1.1 takes the bare word for a boolean. */
static bool needs_quotes(const char *word)
{
    return streq(word, "Off") || streq(word, "True") || streq(word, "False");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as our own tables */
static void default_value(struct yaml *y, const json_t *value, const char *prefix)
{
    const char *key;
    json_t *member;
    bool first = true;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const char *lead = first ? prefix : "";
        int pad = first ? 0 : (int)strlen(prefix);
        first = false;
        if (json_is_object(member)) {
            line(y, "%s%*s%s:", lead, pad, "", key);
            y->indent += (int)strlen(prefix) + 2;
            default_value(y, member, "");
            y->indent -= (int)strlen(prefix) + 2;
        } else if (json_is_string(member)) {
            const char *quote = needs_quotes(json_string_value(member)) ? "\"" : "";
            line(y, "%s%*s%s: %s%s%s", lead, pad, "", key, quote, json_string_value(member), quote);
        } else {
            assert(json_is_integer(member));
            line(y, "%s%*s%s: %lld", lead, pad, "", key, (long long)json_integer_value(member));
        }
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static bool has_rules(const struct schema_object *o)
{
    bool found = o->n_rules > 0;
    for (size_t i = 0; i < o->n_fields && !found; i++)
        found = o->fields[i].type == SCHEMA_OBJECT && has_rules(o->fields[i].object);
    return found;
}

/* The object that only defaults make. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static json_t *only_defaults(const struct schema_object *o)
{
    json_t *all = json_object();
    for (size_t i = 0; i < o->n_fields; i++) {
        const struct schema_field *f = &o->fields[i];
        if (f->fallback)
            (void)json_object_set_new(all, f->name,
                                      f->type == SCHEMA_OBJECT ? only_defaults(f->object)
                                                               : json_loads(f->fallback, JSON_DECODE_ANY, NULL));
    }
    return all;
}

static void print_default(struct yaml *y, const struct schema_field *f)
{
    _json_cleanup_ json_t *value = NULL;
    if (f->type == SCHEMA_LIST) {
        value = json_loads(f->fallback, 0, NULL);
        assert(value);
        line(y, "default:");
        for (size_t i = 0; i < json_array_size(value); i++)
            default_value(y, json_array_get(value, i), "- ");
    } else if (f->type == SCHEMA_OBJECT && has_rules(f->object)) {
        /* The API server holds a default against the rules as it stands, without the defaults inside. */
        value = only_defaults(f->object);
        line(y, "default:");
        y->indent += 2;
        default_value(y, value, "");
        y->indent -= 2;
    } else {
        line(y, "default: %s", f->fallback);
    }
}

/* ---- schemas ---- */

static void print_rule(struct yaml *y, const char *cel, const char *message, const char *expression, const char *path)
{
    y->indent += 2;
    if (path) {
        /* the dash belongs to the first key */
        (void)buf_printf(y->out, "%*s- fieldPath: %s\n", y->indent - 2, "", path);
        quoted(y, "message", message);
    } else {
        y->indent -= 2;
        quoted(y, "- message", message);
        y->indent += 2;
    }
    if (expression)
        quoted(y, "messageExpression", expression);
    quoted(y, "rule", cel);
    y->indent -= 2;
}

static void print_rules(struct yaml *y, const struct schema_object *o)
{
    if (o->n_rules == 0)
        return;
    line(y, "x-kubernetes-validations:");
    for (size_t i = 0; i < o->n_rules; i++)
        print_rule(y, o->rules[i].cel, o->rules[i].message, o->rules[i].expression, o->rules[i].path);
}

static void print_quantity(struct yaml *y, const struct schema_field *f)
{
    line(y, "anyOf:");
    line(y, "- type: integer");
    line(y, "- type: string");
    if (f->doc)
        describe(y, f);
    line(y, "maxLength: %d", SCHEMA_QUANTITY_MAX_LENGTH);
    quoted(y, "pattern", schema_quantity_format.pattern);
    line(y, "x-kubernetes-int-or-string: true");
    if (!f->bounds)
        return;
    char cel[256], words[64], message[80];
    schema_quantity_words(f->bounds, words, sizeof words);
    (void)snprintf(message, sizeof message, "must be %s", words);
    (void)snprintf(cel, sizeof cel,
                   "quantity(string(self)).compareTo(quantity('%s')) %s 0 && "
                   "quantity(string(self)).compareTo(quantity('%s')) <= 0",
                   f->bounds->min, f->bounds->above_min ? ">" : ">=", f->bounds->max);
    line(y, "x-kubernetes-validations:");
    print_rule(y, cel, message, NULL, NULL);
}

static void print_object(struct yaml *y, const struct schema_object *o);
static void print_field(struct yaml *y, const struct schema_field *f);

static void print_enum(struct yaml *y, const struct schema_field *f)
{
    line(y, "enum:");
    for (int i = 0; f->values[i]; i++)
        /* Off and Unknown are words, but YAML 1.1 takes the first for a boolean */
        line(y, needs_quotes(f->values[i]) ? "- \"%s\"" : "- %s", f->values[i]);
    line(y, "type: string");
}

static void print_string(struct yaml *y, const struct schema_field *f, const char *format)
{
    if (format)
        line(y, "format: %s", format);
    if (f->max != 0)
        line(y, "maxLength: %lld", (long long)f->max);
    if (f->min != 0)
        line(y, "minLength: %lld", (long long)f->min);
    if (f->format)
        quoted(y, "pattern", f->format->pattern);
    line(y, "type: string");
}

static void print_int(struct yaml *y, const struct schema_field *f)
{
    line(y, "format: %s", f->type == SCHEMA_INT32 ? "int32" : "int64");
    if (f->max != 0) {
        line(y, "maximum: %lld", (long long)f->max);
        line(y, "minimum: %lld", (long long)f->min);
    }
    line(y, "type: integer");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void print_list(struct yaml *y, const struct schema_field *f)
{
    line(y, "items:");
    y->indent += 2;
    print_field(y, f->item);
    y->indent -= 2;
    line(y, "maxItems: %lld", (long long)f->max);
    if (f->min != 0)
        line(y, "minItems: %lld", (long long)f->min);
    line(y, "type: array");
    if (f->list == SCHEMA_MAP) {
        line(y, "x-kubernetes-list-map-keys:");
        line(y, "- %s", f->key);
    }
    static const char *const kinds[] = {[SCHEMA_ATOMIC] = "atomic", [SCHEMA_SET] = "set", [SCHEMA_MAP] = "map"};
    line(y, "x-kubernetes-list-type: %s", kinds[f->list]);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void print_field(struct yaml *y, const struct schema_field *f)
{
    if (f->fallback)
        print_default(y, f);
    if (f->type != SCHEMA_QUANTITY)
        describe(y, f);
    switch (f->type) {
    case SCHEMA_BOOL:
        line(y, "type: boolean");
        break;
    case SCHEMA_INT32:
    case SCHEMA_INT64:
        print_int(y, f);
        break;
    case SCHEMA_STRING:
        print_string(y, f, NULL);
        break;
    case SCHEMA_TIME:
        print_string(y, f, "date-time");
        break;
    case SCHEMA_BYTES:
        print_string(y, f, "byte");
        break;
    case SCHEMA_ENUM:
        print_enum(y, f);
        break;
    case SCHEMA_QUANTITY:
        print_quantity(y, f);
        break;
    case SCHEMA_OBJECT:
        print_object(y, f->object);
        break;
    case SCHEMA_LIST:
    default:
        print_list(y, f);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void print_object(struct yaml *y, const struct schema_object *o)
{
    line(y, "properties:");
    y->indent += 2;
    bool any_required = false;
    for (size_t i = 0; i < o->n_fields; i++) {
        line(y, "%s:", o->fields[i].name);
        y->indent += 2;
        print_field(y, &o->fields[i]);
        y->indent -= 2;
        any_required = any_required || o->fields[i].required;
    }
    y->indent -= 2;
    if (any_required) {
        line(y, "required:");
        for (size_t i = 0; i < o->n_fields; i++)
            if (o->fields[i].required)
                line(y, "- %s", o->fields[i].name);
    }
    line(y, "type: object");
    print_rules(y, o);
}

/* ---- the manifest ---- */

static void print_columns(struct yaml *y, const struct schema_resource *r)
{
    line(y, "additionalPrinterColumns:");
    for (size_t i = 0; i < r->n_columns; i++) {
        const struct schema_column *c = &r->columns[i];
        if (c->doc[0]) {
            quoted(y, "- description", c->doc);
            line(y, "  jsonPath: %s", c->path);
        } else {
            line(y, "- jsonPath: %s", c->path);
        }
        line(y, "  name: %s", c->name);
        if (c->wide)
            line(y, "  priority: 1");
        line(y, "  type: %s", c->type);
    }
}

static void print_section(struct yaml *y, const char *name, const struct schema_object *o, const char *doc)
{
    line(y, "%s:", name);
    y->indent += 2;
    prose(y, "description", doc);
    print_object(y, o);
    y->indent -= 2;
}

static void print_schema(struct yaml *y, const struct schema_resource *r)
{
    line(y, "schema:");
    line(y, "  openAPIV3Schema:");
    y->indent += 4;
    prose(y, "description", r->doc);
    line(y, "properties:");
    y->indent += 2;
    line(y, "apiVersion:");
    line(y, "  description: Group and version of this object, " PA_API_VERSION ".");
    line(y, "  type: string");
    line(y, "kind:");
    line(y, "  description: Kind of this object, %s.", r->kind);
    line(y, "  type: string");
    line(y, "metadata:");
    line(y, "  type: object");
    print_section(y, "spec", r->spec, r->spec_doc);
    if (r->status)
        print_section(y, "status", r->status, r->status_doc);
    y->indent -= 2;
    line(y, "required:");
    line(y, "- spec");
    line(y, "type: object");
    y->indent -= 4;
}

void crdgen_crd(const struct schema_resource *r, struct buf *out)
{
    struct yaml y = {.out = out};
    line(&y, "# Generated by `make crds` from the table in controller/api. Not edited by hand.");
    line(&y, "apiVersion: apiextensions.k8s.io/v1");
    line(&y, "kind: CustomResourceDefinition");
    line(&y, "metadata:");
    line(&y, "  name: %s." PA_GROUP, r->plural);
    line(&y, "spec:");
    y.indent = 2;
    line(&y, "group: " PA_GROUP);
    line(&y, "names:");
    line(&y, "  kind: %s", r->kind);
    line(&y, "  listKind: %sList", r->kind);
    line(&y, "  plural: %s", r->plural);
    line(&y, "  shortNames:");
    line(&y, "  - %s", r->short_name);
    line(&y, "  singular: %s", r->singular);
    line(&y, "scope: Namespaced");
    line(&y, "versions:");
    line(&y, "- name: " PA_VERSION);
    y.indent = 4;
    line(&y, "served: true");
    line(&y, "storage: true");
    print_columns(&y, r);
    print_schema(&y, r);
    if (r->status) {
        line(&y, "subresources:");
        line(&y, "  status: {}");
    }
}
