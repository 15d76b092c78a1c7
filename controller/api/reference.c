/* The table as a field reference for people, in Markdown; see crdgen.h. Recursion is bounded by the depth of
 * the table. */
#include "api/crdgen.h"

#include "api/pa.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const char *type_of(const struct schema_field *f)
{
    switch (f->type) {
    case SCHEMA_BOOL:
        return "boolean";
    case SCHEMA_INT32:
    case SCHEMA_INT64:
        return "integer";
    case SCHEMA_STRING:
        return "string";
    case SCHEMA_ENUM:
        return "enum";
    case SCHEMA_QUANTITY:
        return "quantity";
    case SCHEMA_TIME:
        return "time";
    case SCHEMA_BYTES:
        return "base64";
    case SCHEMA_OBJECT:
        return "object";
    case SCHEMA_LIST:
    default:
        return "list";
    }
}

static void print_values(const struct schema_field *f, struct buf *out)
{
    if (f->type != SCHEMA_ENUM)
        return;
    for (int i = 0; f->values[i]; i++)
        (void)buf_printf(out, "%s`%s`", i > 0 ? ", " : " ", f->values[i]);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void print_fields(const struct schema_object *o, const char *path, struct buf *out)
{
    for (size_t i = 0; i < o->n_fields; i++) {
        const struct schema_field *f = &o->fields[i];
        const struct schema_field *inner = f->type == SCHEMA_LIST ? f->item : f;
        char here[256], limits[192];
        (void)snprintf(here, sizeof here, "%s%s%s%s", path, path[0] ? "." : "", f->name,
                       f->type == SCHEMA_LIST ? "[]" : "");
        crdgen_limits(f, limits, sizeof limits);
        (void)buf_printf(out, "| `%s` | %s", here, type_of(inner));
        print_values(inner, out);
        (void)buf_printf(out, " | %s%s%s | %s |\n", f->required ? "required" : "", f->required && limits[0] ? ", " : "",
                         limits, f->doc);
        if (inner->type == SCHEMA_OBJECT)
            print_fields(inner->object, here, out);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void print_rules(const struct schema_object *o, const char *path, struct buf *out)
{
    for (size_t i = 0; i < o->n_rules; i++) {
        const char *field = o->rules[i].path ? o->rules[i].path : "";
        (void)buf_printf(out, "- `%s%s` %s\n", path, path[0] ? field : field + (field[0] == '.'), o->rules[i].message);
    }
    for (size_t i = 0; i < o->n_fields; i++) {
        const struct schema_field *f = &o->fields[i];
        const struct schema_field *inner = f->type == SCHEMA_LIST ? f->item : f;
        if (inner->type != SCHEMA_OBJECT)
            continue;
        char here[256];
        (void)snprintf(here, sizeof here, "%s%s%s%s", path, path[0] ? "." : "", f->name,
                       f->type == SCHEMA_LIST ? "[]" : "");
        print_rules(inner->object, here, out);
    }
}

static void print_head(struct buf *out)
{
    (void)buf_puts(out, "| Field | Type | Limits | Meaning |\n|---|---|---|---|\n");
}

void crdgen_object_reference(const struct schema_object *object, struct buf *out)
{
    print_head(out);
    print_fields(object, "", out);
    (void)buf_puts(out, "\nRules:\n\n");
    print_rules(object, "", out);
}

void crdgen_reference(const struct schema_resource *r, struct buf *out)
{
    (void)buf_printf(out, "## %s\n\n%s\n\n`%s`, `apiVersion: " PA_API_VERSION "`.\n\n", r->kind, r->doc, r->short_name);
    print_head(out);
    print_fields(r->spec, "spec", out);
    (void)buf_puts(out, "\nRules:\n\n");
    print_rules(r->spec, "spec", out);
    if (!r->status)
        return;
    (void)buf_printf(out, "\n### Status\n\n%s\n\n", r->status_doc);
    print_head(out);
    print_fields(r->status, "status", out);
}
