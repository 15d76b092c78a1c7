/* Label selectors as the query text of a list: "a=b,c in (d,e),!f". Keys and values are checked, because the
 * text has no quoting: a comma in a value would be another requirement. */
#include "kube/meta.h"

#include "base/alloc.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct requirement {
    const char *key;
    const char *operator_; /* NULL: equality with `value`, from matchLabels */
    const char *value;
    const json_t *values;
};

/* "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", at most 63. */
static bool is_label_name(const char *s)
{
    size_t len = strlen(s);
    if (len == 0 || len > 63 || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("-_.", *s))
            return false;
    return true;
}

static bool is_label_value(const char *s)
{
    return s[0] == '\0' || is_label_name(s);
}

static bool is_label_key(const char *s)
{
    const char *slash = strchr(s, '/');
    if (!slash)
        return is_label_name(s);
    _cleanup_(freep) char *prefix = xstrndup(s, (size_t)(slash - s));
    return str_is_dns_subdomain(prefix) && is_label_name(slash + 1);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct requirement *)a)->key, ((const struct requirement *)b)->key);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int write_set(const struct requirement *r, const char *word, struct buf *out, struct error *err)
{
    size_t n = json_array_size(r->values);
    if (n == 0)
        return error_set(err, ERROR_PARSE, "%s: operator %s needs values", r->key, r->operator_);
    _cleanup_(freep) const char **values = xcalloc(n, sizeof(*values));
    for (size_t i = 0; i < n; i++) {
        values[i] = json_string_value(json_array_get(r->values, i));
        if (!values[i] || !is_label_value(values[i]))
            return error_set(err, ERROR_PARSE, "%s: value %zu is not a label value", r->key, i);
    }
    qsort(values, n, sizeof(*values), by_text);
    (void)buf_printf(out, "%s %s (", r->key, word);
    for (size_t i = 0; i < n; i++)
        (void)buf_printf(out, "%s%s", i ? "," : "", values[i]);
    return buf_putc(out, ')');
}

static int write_requirement(const struct requirement *r, struct buf *out, struct error *err)
{
    if (!is_label_key(r->key))
        return error_set(err, ERROR_PARSE, "\"%.80s\" is not a label key", r->key);
    if (!r->operator_) {
        if (!r->value || !is_label_value(r->value))
            return error_set(err, ERROR_PARSE, "%s: not a label value", r->key);
        (void)buf_printf(out, "%s=%s", r->key, r->value);
        return 0;
    }
    if (streq(r->operator_, "In"))
        return write_set(r, "in", out, err);
    if (streq(r->operator_, "NotIn"))
        return write_set(r, "notin", out, err);
    bool exists = streq(r->operator_, "Exists");
    if (!exists && !streq(r->operator_, "DoesNotExist"))
        return error_set(err, ERROR_PARSE, "%s: unknown operator \"%.40s\"", r->key, r->operator_);
    if (json_array_size(r->values) > 0)
        return error_set(err, ERROR_PARSE, "%s: operator %s takes no values", r->key, r->operator_);
    (void)buf_printf(out, "%s%s", exists ? "" : "!", r->key);
    return 0;
}

static int collect(const json_t *labels, const json_t *expressions, struct requirement *all, struct error *err)
{
    size_t n = 0, i;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)labels, key, value)
    {
        all[n++] = (struct requirement){.key = key, .value = json_string_value(value)};
    }
    json_array_foreach(expressions, i, value)
    {
        const char *name = json_str(value, "key"), *operator_ = json_str(value, "operator");
        if (!name || !operator_)
            return error_set(err, ERROR_PARSE, "matchExpressions[%zu]: want key and operator", i);
        all[n++] = (struct requirement){.key = name, .operator_ = operator_, .values = json_at(value, "values")};
    }
    return 0;
}

int selector_format(const json_t *selector, struct buf *out, struct error *err)
{
    if (!selector || json_is_null(selector))
        return 1;
    const json_t *labels = json_at(selector, "matchLabels"), *expressions = json_at(selector, "matchExpressions");
    if (!json_is_object(selector) || (labels && !json_is_object(labels)) ||
        (expressions && !json_is_array(expressions)))
        return error_set(err, ERROR_PARSE, "selector: want an object with matchLabels and matchExpressions");
    size_t n = json_object_size(labels) + json_array_size(expressions);
    if (n == 0)
        return 0;
    _cleanup_(freep) struct requirement *all = xcalloc(n, sizeof(*all));
    if (collect(labels, expressions, all, err) < 0)
        return error_wrap(err, "selector");
    qsort(all, n, sizeof(*all), by_key);
    for (size_t i = 0; i < n; i++) {
        if (i)
            (void)buf_putc(out, ',');
        if (write_requirement(&all[i], out, err) < 0)
            return error_wrap(err, "selector");
    }
    return out->failed ? error_set(err, ERROR_LIMIT, "selector: too long") : 0;
}
