/* Walks a table and a struct together; see encode.h. Recursion is bounded by the depth of the table. */
#include "api/encode.h"

#include "base/rfc3339.h"
#include "base/str.h"

#include <assert.h>
#include <string.h>

/* ---- JSON ---- */

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void encode_value(const struct schema_field *f, const void *member, struct json_emit *j, const char *key)
{
    char text[MAX(RFC3339_CAP, QUANTITY_CAP)];
    const struct buf *bytes;
    switch (f->type) {
    case SCHEMA_BOOL:
        json_emit_bool(j, key, schema_int(f, member) != 0);
        break;
    case SCHEMA_INT32:
    case SCHEMA_INT64:
        json_emit_int(j, key, schema_int(f, member));
        break;
    case SCHEMA_STRING:
        json_emit_str(j, key, member);
        break;
    case SCHEMA_ENUM:
        json_emit_str(j, key, f->values[schema_int(f, member)]);
        break;
    case SCHEMA_QUANTITY:
        quantity_format(text, *(const struct quantity *)member);
        json_emit_str(j, key, text);
        break;
    case SCHEMA_TIME:
        rfc3339_format(text, schema_int(f, member));
        json_emit_str(j, key, text);
        break;
    case SCHEMA_BYTES: {
        bytes = member;
        _cleanup_(buf_done) struct buf encoded = BUF_INIT((bytes->len + 2) / 3 * 4 + 1);
        str_base64_encode(&encoded, bytes->data, bytes->len);
        json_emit_str(j, key, buf_str(&encoded));
        break;
    }
    case SCHEMA_OBJECT:
        api_encode(f->object, member, j, key);
        break;
    case SCHEMA_LIST:
    default: /* lists of lists are not in the language */
        assert(0);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
void api_encode(const struct schema_object *schema, const void *object, struct json_emit *j, const char *key)
{
    json_open(j, key, '{');
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct schema_field *f = &schema->fields[i];
        if (!schema_present(f, object))
            continue;
        const char *member = schema_member_const(f, object);
        if (f->type != SCHEMA_LIST) {
            encode_value(f, member, j, f->name);
            continue;
        }
        json_open(j, f->name, '[');
        for (uint32_t k = 0; k < schema_count(f, object); k++)
            encode_value(f->item, member + k * f->size, j, NULL);
        json_close(j, ']');
    }
    json_close(j, '}');
}

/* ---- digest ---- */

/* FNV-1a over bytes, and its like over words: the inputs are our own, and a collision costs one delayed
 * write. */
#define PRIME UINT64_C(0x100000001b3)

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * PRIME;
    return hash;
}

static uint64_t mix_number(uint64_t hash, __int128 v)
{
    hash = (hash ^ (uint64_t)v) * PRIME;
    hash ^= hash >> 32; /* a product's low bits know nothing of the high ones */
    hash = (hash ^ (uint64_t)(v >> 64)) * PRIME;
    return hash ^ hash >> 29;
}

/* The first two significant digits: 1249 -> 1200, 1250 -> 1300. */
static int64_t two_digits_64(int64_t v)
{
    int64_t unit = 1;
    while (v / unit >= 100 || v / unit <= -100)
        unit *= 10;
    if (unit == 1)
        return v;
    int64_t kept = v / unit, rest = v % unit; /* rounded by what is cut off, so that nothing overflows */
    if (rest >= unit / 2)
        kept++;
    else if (-rest >= unit / 2)
        kept--;
    return kept * unit;
}

/* The same for what is wider. */
static __int128 two_digits(__int128 v)
{
    __int128 scale = 1;
    for (; v > INT64_MAX || v < INT64_MIN; v /= 1000)
        scale *= 1000;
    return two_digits_64((int64_t)v) * scale;
}

static uint64_t mix_text(uint64_t hash, const char *s, bool exact)
{
    for (; *s; s++)
        if (exact || *s < '0' || *s > '9')
            hash = mix(hash, s, 1);
    return mix(hash, "", 1);
}

static uint64_t *hash_of(struct schema_digest *d, enum schema_news news)
{
    return news == SCHEMA_LOUD ? &d->loud : news == SCHEMA_PROMPT ? &d->prompt : &d->drift;
}

static void digest_scalar(struct schema_digest *d, const struct schema_field *f, const void *member,
                          enum schema_news news)
{
    uint64_t *hash = hash_of(d, news);
    bool exact = news != SCHEMA_DRIFT;
    const struct buf *bytes = member;
    int64_t v = schema_int(f, member);
    switch (f->type) {
    case SCHEMA_STRING:
        *hash = mix_text(*hash, member, exact);
        break;
    case SCHEMA_QUANTITY: {
        __int128 nano = ((const struct quantity *)member)->nano;
        *hash = mix_number(*hash, exact ? nano : two_digits(nano));
        break;
    }
    case SCHEMA_BYTES:
        *hash = mix(*hash, bytes->data, bytes->len);
        break;
    case SCHEMA_TIME:
        *hash = mix_number(*hash, v / (exact ? INT64_C(1000000) : INT64_C(3600000000))); /* JSON has seconds */
        break;
    case SCHEMA_BOOL:
    case SCHEMA_INT32:
    case SCHEMA_INT64:
    case SCHEMA_ENUM:
        *hash = mix_number(*hash, exact ? v : two_digits(v));
        break;
    case SCHEMA_OBJECT:
    case SCHEMA_LIST:
    default:
        assert(0);
    }
}

static void digest_object(struct schema_digest *d, const struct schema_object *o, const void *object);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void digest_value(struct schema_digest *d, const struct schema_field *f, const void *member,
                         enum schema_news news)
{
    if (f->type == SCHEMA_OBJECT)
        digest_object(d, f->object, member);
    else
        digest_scalar(d, f, member, news);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table */
static void digest_object(struct schema_digest *d, const struct schema_object *o, const void *object)
{
    for (size_t i = 0; i < o->n_fields; i++) {
        const struct schema_field *f = &o->fields[i];
        if (f->news == SCHEMA_SILENT || !schema_present(f, object))
            continue;
        uint64_t *hash = hash_of(d, f->news);
        const char *member = schema_member_const(f, object);
        /* the index tells an absent member from a present one that looks like its neighbour */
        *hash = mix_number(*hash, (__int128)i);
        if (f->type != SCHEMA_LIST) {
            digest_value(d, f, member, f->news);
            continue;
        }
        for (uint32_t k = 0; k < schema_count(f, object); k++)
            digest_value(d, f->item, member + k * f->size, f->news);
    }
}

struct schema_digest api_digest(const struct schema_object *schema, const void *object)
{
    const uint64_t start = UINT64_C(0xcbf29ce484222325);
    struct schema_digest d = {start, start, start};
    digest_object(&d, schema, object);
    return d;
}
