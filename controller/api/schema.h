/* The table language: one description of an API type from which everything else follows.
 *
 *     table --+-> crdgen.h   the CustomResourceDefinition, and the field reference for people
 *             +-> decode.h   JSON and YAML -> plain structs: types, defaults, bounds, rules, messages
 *             +-> encode.h   plain structs -> JSON, and digests that tell a real change from noise
 *
 * A field is one line or two of a table: its JSON name, type, bounds, default, place in the struct, and a
 * description that people read with `kubectl explain` (defaults and bounds are appended to it, so that they
 * are never said twice). Tables are const data; nothing is registered and nothing is computed at start.
 *
 * What the API server checks by itself (types, bounds, enums, patterns, duplicates) the decoder checks in the
 * same way. What it checks by CEL is a rule of an object: the expression for the server and its C twin stand
 * side by side, and a test proves on thousands of generated objects that both accept and reject the same.
 *
 * To add a field: a member in the struct (with has_MEMBER where absence has a meaning, n_MEMBER for a list),
 * a line in the table, `make crds`.
 */
#ifndef API_SCHEMA_H
#define API_SCHEMA_H

#include "base/base.h"
#include "kube/quantity.h"

enum schema_type {
    SCHEMA_BOOL,     /* bool */
    SCHEMA_INT32,    /* int32_t */
    SCHEMA_INT64,    /* int64_t */
    SCHEMA_STRING,   /* char[N]; N > .max in a spec, cut on decoding where it is not (free text of a status) */
    SCHEMA_ENUM,     /* an enum that counts from 0 in the order of .values */
    SCHEMA_QUANTITY, /* struct quantity; an integer or a string in JSON */
    SCHEMA_TIME,     /* int64_t, microseconds since 1970; RFC 3339 in JSON */
    SCHEMA_BYTES,    /* struct buf; base64 in JSON */
    SCHEMA_OBJECT,   /* an embedded struct, described by .object */
    SCHEMA_LIST,     /* an array with its count; the element is described by .item */
};

/* What a change of the field means for someone who decides whether to write (encode.h). */
enum schema_news {
    SCHEMA_DRIFT,  /* counts when it differs in its first two digits: worth a write now and then */
    SCHEMA_PROMPT, /* counts exactly, and at once as long as that is rare */
    SCHEMA_LOUD,   /* counts exactly and at once */
    SCHEMA_SILENT, /* follows from the others or moves all the time: never a reason to write */
};

enum schema_list_kind {
    SCHEMA_ATOMIC, /* x-kubernetes-list-type: atomic */
    SCHEMA_SET,
    SCHEMA_MAP, /* by the element's field .key */
};

/* A shape of strings: the regular expression for the API server, its twin, and what to tell a person. */
struct schema_format {
    const char *pattern;
    bool (*matches)(const char *s);
    const char *hint; /* "a lower-case name such as web-1" */
    bool hides;       /* what does not match is not quoted: it may have a secret in it */
};
extern const struct schema_format schema_dns_label, schema_dns_subdomain, schema_api_version, schema_kind,
    schema_reason;
/* Every quantity: no sign but +, at least one digit, at most two digits of exponent. */
extern const struct schema_format schema_quantity_format;
#define SCHEMA_QUANTITY_MAX_LENGTH 32

/* Bounds of a quantity, as quantities. */
struct schema_quantity_bounds {
    const char *min, *max;
    bool above_min; /* min itself is refused */
};

/* A rule over one object. `cel` sees it as `self`; the twin sees the decoded struct, complete and with
 * defaults. Rules are looked at when the object's own values are all valid. */
struct schema_rule {
    const char *cel;
    const char *message;    /* always: for people, and where the expression below fails */
    const char *expression; /* CEL of the message where it names values, with `say` as its twin; or NULL */
    const char *path;       /* the field that is to blame, relative: ".maxReplicas"; NULL: the object itself */
    bool (*holds)(const void *self);
    void (*say)(const void *self, char *out, size_t cap);
    /* A transition rule (`cel` uses oldSelf): looked at on updates only, instead of `holds`. Not inside
     * lists. */
    bool (*holds_update)(const void *self, const void *old);
};

struct schema_object;

struct schema_field {
    const char *name;
    const char *doc; /* whole sentences; units, and what it is good for */
    enum schema_type type;
    bool required;
    /* A rule reads this number: CEL then refuses 3.0 where the schema alone takes it for an integer. */
    bool exact;
    const char *fallback; /* the default, as JSON; NULL: none */
    /* Numbers: value; strings and bytes: length in JSON; lists: items. max 0: not bounded. */
    int64_t min, max;
    const char *const *values; /* SCHEMA_ENUM, NULL-terminated */
    const struct schema_format *format;
    const struct schema_quantity_bounds *bounds;
    const struct schema_object *object;
    const struct schema_field *item;
    const char *key;
    enum schema_list_kind list;
    enum schema_news news;
    /* The place in the struct: see AT, OPT and LIST below. has_at and count_at are one more than the offset;
     * 0: none. */
    size_t at, size, has_at, count_at, capacity;
};

struct schema_object {
    const struct schema_field *fields;
    size_t n_fields;
    const struct schema_rule *rules;
    size_t n_rules;
};

#define SCHEMA_OBJECT_OF(f)                                                                                            \
    {                                                                                                                  \
        .fields = (f), .n_fields = ARRAY_SIZE(f)                                                                       \
    }
#define SCHEMA_OBJECT_RULED(f, r)                                                                                      \
    {                                                                                                                  \
        .fields = (f), .n_fields = ARRAY_SIZE(f), .rules = (r), .n_rules = ARRAY_SIZE(r)                               \
    }

/* Always there once decoded (required or with a default); an empty string and a zero time are absent. */
#define AT(type_, member) .at = offsetof(struct type_, member), .size = sizeof(((struct type_ *)0)->member)
/* With has_MEMBER beside it. */
#define OPT(type_, member) AT(type_, member), .has_at = offsetof(struct type_, has_##member) + 1
/* With n_MEMBER (uint32_t) beside it; .size is that of an element. */
#define LIST(type_, member)                                                                                            \
    .at = offsetof(struct type_, member), .size = sizeof(((struct type_ *)0)->member[0]),                              \
    .count_at = offsetof(struct type_, n_##member) + 1, .capacity = ARRAY_SIZE(((struct type_ *)0)->member)

/* A whole kind of the API. */
struct schema_column {
    const char *name, *type, *path, *doc;
    bool wide; /* shown with -o wide only */
};
struct schema_resource {
    const char *kind, *plural, *singular, *short_name;
    const char *doc;
    const struct schema_object *spec;
    const char *spec_doc;
    const struct schema_object *status; /* NULL: no status, and no status subresource */
    const char *status_doc;
    const struct schema_column *columns;
    size_t n_columns;
};

/* ---- helpers of those who walk a table ---- */

static inline void *schema_member(const struct schema_field *f, void *object)
{
    return (char *)object + f->at;
}
static inline const void *schema_member_const(const struct schema_field *f, const void *object)
{
    return (const char *)object + f->at;
}
/* Whether the member says something: by its flag, or by not being empty. */
bool schema_present(const struct schema_field *f, const void *object);
uint32_t schema_count(const struct schema_field *f, const void *object); /* of a list */
int64_t schema_int(const struct schema_field *f, const void *member);    /* bool, integers, time, enum */
bool schema_quantity_within(const struct schema_quantity_bounds *b, struct quantity q);
/* "above 0 and at most 1E" */
void schema_quantity_words(const struct schema_quantity_bounds *b, char *out, size_t cap);

#endif
