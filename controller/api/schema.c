/* Formats with their twins, and what all walkers of a table need; see schema.h. */
#include "api/schema.h"

#include <stdio.h>
#include <string.h>

/* ---- characters: ASCII only, no locale ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* Length of "[a-z0-9]([-a-z0-9]*[a-z0-9])?" at `s`, as long as it gets; 0: none. */
static size_t label_length(const char *s)
{
    size_t good = 0;
    for (size_t i = 0; is_lower(s[i]) || is_digit(s[i]) || (s[i] == '-' && i > 0); i++)
        if (s[i] != '-')
            good = i + 1;
    return good;
}

static size_t subdomain_length(const char *s)
{
    size_t at = label_length(s);
    if (at == 0)
        return 0;
    while (s[at] == '.') {
        size_t next = label_length(s + at + 1);
        if (next == 0)
            break;
        at += 1 + next;
    }
    return at;
}

static bool is_label(const char *s)
{
    size_t n = label_length(s);
    return n > 0 && s[n] == '\0';
}

static bool is_subdomain(const char *s)
{
    size_t n = subdomain_length(s);
    return n > 0 && s[n] == '\0';
}

static bool is_api_version(const char *s)
{
    const char *slash = strchr(s, '/');
    if (slash) {
        if (slash == s || subdomain_length(s) != (size_t)(slash - s))
            return false;
        s = slash + 1;
    }
    return is_lower(*s) && is_label(s);
}

static bool is_kind(const char *s)
{
    if (!is_upper(*s))
        return false;
    while (is_upper(*s) || is_lower(*s) || is_digit(*s))
        s++;
    return *s == '\0';
}

static bool is_reason(const char *s)
{
    if (!is_upper(*s) && !is_lower(*s))
        return false;
    char last = *s;
    for (; is_upper(*s) || is_lower(*s) || is_digit(*s) || *s == '_' || *s == ',' || *s == ':'; s++)
        last = *s;
    return *s == '\0' && last != ',' && last != ':';
}

static bool is_quantity_suffix(const char *s)
{
    if (*s == '\0')
        return true;
    if (s[1] == 'i' && s[2] == '\0')
        return strchr("KMGTPE", *s) != NULL;
    if (s[1] == '\0')
        return strchr("numkMGTPE", *s) != NULL;
    if (*s != 'e' && *s != 'E')
        return false;
    s++;
    if (*s == '+' || *s == '-')
        s++;
    return is_digit(s[0]) && (s[1] == '\0' || (is_digit(s[1]) && s[2] == '\0'));
}

static bool is_quantity(const char *s)
{
    if (*s == '+')
        s++;
    size_t whole = 0, fraction = 0;
    for (; is_digit(*s); s++)
        whole++;
    if (*s == '.') {
        for (s++; is_digit(*s); s++)
            fraction++;
    }
    return whole + fraction > 0 && is_quantity_suffix(s);
}

#define LABEL     "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define SUBDOMAIN LABEL "(\\." LABEL ")*"

const struct schema_format schema_dns_label = {
    .pattern = "^" LABEL "$", .matches = is_label, .hint = "lower-case letters, digits and '-', such as cpu"};
const struct schema_format schema_dns_subdomain = {.pattern = "^" SUBDOMAIN "$",
                                                   .matches = is_subdomain,
                                                   .hint = "lower-case letters, digits, '-' and '.', such as web-1"};
const struct schema_format schema_api_version = {.pattern = "^(" SUBDOMAIN "/)?[a-z]([-a-z0-9]*[a-z0-9])?$",
                                                 .matches = is_api_version,
                                                 .hint = "a group and version such as apps/v1"};
const struct schema_format schema_kind = {
    .pattern = "^[A-Z][A-Za-z0-9]*$", .matches = is_kind, .hint = "a kind such as Deployment"};
const struct schema_format schema_reason = {
    .pattern = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", .matches = is_reason, .hint = "one word in CamelCase"};
const struct schema_format schema_quantity_format = {
    .pattern = "^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$",
    .matches = is_quantity,
    .hint = "a quantity such as 500m, 1.5 or 512Mi"};

/* ---- members ---- */

uint32_t schema_count(const struct schema_field *f, const void *object)
{
    uint32_t n;
    memcpy(&n, (const char *)object + f->count_at - 1, sizeof n);
    return n;
}

int64_t schema_int(const struct schema_field *f, const void *member)
{
    int32_t i32;
    int64_t i64;
    switch (f->type) {
    case SCHEMA_BOOL:
        return *(const bool *)member;
    case SCHEMA_INT32:
    case SCHEMA_ENUM:
        memcpy(&i32, member, sizeof i32);
        return i32;
    case SCHEMA_INT64:
    case SCHEMA_TIME:
        memcpy(&i64, member, sizeof i64);
        return i64;
    case SCHEMA_STRING:
    case SCHEMA_QUANTITY:
    case SCHEMA_BYTES:
    case SCHEMA_OBJECT:
    case SCHEMA_LIST:
    default:
        return 0;
    }
}

bool schema_present(const struct schema_field *f, const void *object)
{
    if (f->has_at)
        return *((const bool *)object + f->has_at - 1);
    if (f->type == SCHEMA_LIST)
        return schema_count(f, object) > 0;
    if (f->required)
        return true;
    if (f->type == SCHEMA_STRING)
        return *(const char *)schema_member_const(f, object) != '\0';
    if (f->type == SCHEMA_TIME)
        return schema_int(f, schema_member_const(f, object)) != 0;
    return true;
}

/* ---- bounds of quantities ---- */

static __int128 nano_of(const char *text)
{
    struct quantity q = {0};
    (void)quantity_parse(text, &q); /* the tables are checked by a test */
    return q.nano;
}

bool schema_quantity_within(const struct schema_quantity_bounds *b, struct quantity q)
{
    __int128 min = nano_of(b->min);
    return (b->above_min ? q.nano > min : q.nano >= min) && q.nano <= nano_of(b->max);
}

void schema_quantity_words(const struct schema_quantity_bounds *b, char *out, size_t cap)
{
    (void)snprintf(out, cap, b->above_min ? "above %s and at most %s" : "%s to %s", b->min, b->max);
}
