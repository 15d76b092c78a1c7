/* The registry: families by name, series by their rendered labels. Rendering once at creation makes the
 * exposition a walk that copies text. */
#include "base/metrics_private.h"

#include "base/alloc.h"
#include "base/str.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_SERIES 1000
#define LABEL_VALUE_MAX    1024
#define OVERFLOW_VALUE     "_overflow"

/* As controller-runtime, client-go and component-base have them; those of the queue with what repeated
 * multiplication by ten gives in Go, so that the `le` texts are the same. */
const double metrics_buckets_reconcile[40] = {
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5,
    1.75,  2.0,  2.5,   3.0,  3.5, 4.0,  4.5, 5,    6,   7,    8,   9,    10,  15,  20,  25,  30,  40,  50,   60,
};
const double metrics_buckets_request[12] = {0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60};
const double metrics_buckets_queue[10] = {
    1e-8, 1e-7, 1e-6, 9.999999999999999e-6, 9.999999999999999e-5, 1e-3, 1e-2, 0.1, 1, 10,
};
const double metrics_buckets_wait[40] = {
    1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 2e-4, 3e-4, 5e-4,  7e-4,  1e-3,  15e-4, 2e-3, 25e-4, 3e-3,
    4e-3, 5e-3, 6e-3, 7e-3, 8e-3, 9e-3, 1e-2, 12e-3, 14e-3, 16e-3, 18e-3, 2e-2, 25e-3, 3e-2,
    4e-2, 5e-2, 7e-2, 0.1,  0.15, 0.2,  0.3,  0.5,   1,     2,     5,     10,
};

static void series_free(void *value)
{
    struct metrics_series *s = value;
    list_remove(&s->node);
    free(s);
}

struct metrics *metrics_new(void)
{
    struct metrics *m = xcalloc(1, sizeof(*m));
    list_init(&m->families);
    map_init(&m->names, NULL);
    /* Rendered labels: 8 values of 1 KiB, each byte escaped or replaced, and the names. */
    buf_init(&m->scratch, 64 << 10);
    m->over_limit = metrics_family(m, METRICS_COUNTER, "metrics_over_limit_total",
                                   "Uses of label values beyond a metric's limit of series.", "metric", NULL, 0);
    metrics_limit(m->over_limit, SIZE_MAX);
    return m;
}

struct metrics *metrics_free(struct metrics *m)
{
    if (!m)
        return NULL;
    list_for_each_safe (it, after, &m->families) {
        struct metrics_family *f = CONTAINER_OF(it, struct metrics_family, node);
        map_done(&f->series);
        free(f->label_text);
        free(f->buckets);
        free(f);
    }
    map_done(&m->names);
    free(m->collectors);
    buf_done(&m->scratch);
    free(m);
    return NULL;
}

static bool is_name(const char *s, bool label)
{
    for (size_t i = 0; s[i]; i++) {
        char c = s[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c == ':' && !label);
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return *s && !(label && str_starts(s, "__"));
}

static void parse_labels(struct metrics_family *f, const char *labels)
{
    f->label_text = xstrdup(labels);
    for (char *name = f->label_text, *comma; *name; name = comma + 1) {
        assert(f->n_labels < METRICS_MAX_LABELS);
        f->label_names[f->n_labels++] = name;
        comma = strchr(name, ',');
        if (comma)
            *comma = '\0';
        assert(is_name(name, true) && !streq(name, "le"));
        for (size_t i = 0; i + 1 < f->n_labels; i++)
            assert(!streq(f->label_names[i], name));
        if (!comma)
            break;
    }
}

static void copy_buckets(struct metrics_family *f, const double *bounds, size_t n)
{
    f->buckets = xcalloc(n, sizeof(*f->buckets));
    f->n_buckets = n;
    for (size_t i = 0; i < n; i++) {
        struct metrics_bucket *b = &f->buckets[i];
        assert(isfinite(bounds[i]) && bounds[i] >= 0 && (i == 0 || bounds[i] > bounds[i - 1]));
        b->bound = bounds[i];
        char text[32];
        str_from_double_g(text, sizeof(text), bounds[i]);
        bool fits = str_copy(b->le, sizeof(b->le), text);
        assert(fits);
        b->bare = !strpbrk(b->le, ".e");
    }
}

size_t metrics_base_length(enum metrics_type type, const char *name)
{
    return strlen(name) - (type == METRICS_COUNTER ? strlen("_total") : 0);
}

static void claim(struct metrics *m, struct metrics_family *f, const char *suffix)
{
    struct buf *name = &m->scratch;
    buf_clear(name);
    buf_append(name, f->name, metrics_base_length(f->type, f->name));
    buf_puts(name, suffix);
    assert(!name->failed && !map_get(&m->names, name->data));
    map_set(&m->names, name->data, f);
}

static void claim_names(struct metrics *m, struct metrics_family *f)
{
    static const char *const suffixes[][6] = {
        [METRICS_COUNTER] = {"", "_total", "_created"},
        [METRICS_GAUGE] = {""},
        [METRICS_HISTOGRAM] = {"", "_bucket", "_sum", "_count", "_created"},
    };
    for (const char *const *suffix = suffixes[f->type]; *suffix; suffix++)
        claim(m, f, *suffix);
}

static bool same_shape(const struct metrics_family *f, enum metrics_type type, const char *name, const char *labels,
                       const double *buckets, size_t n_buckets)
{
    if (f->type != type || !streq(f->name, name) || f->n_buckets != n_buckets)
        return false;
    for (size_t i = 0; i < n_buckets; i++) {
        if (f->buckets[i].bound < buckets[i] || f->buckets[i].bound > buckets[i])
            return false;
    }
    for (size_t i = 0; i < f->n_labels; i++) {
        size_t len = strlen(f->label_names[i]);
        if (strncmp(labels, f->label_names[i], len) != 0 || labels[len] != (i + 1 < f->n_labels ? ',' : '\0'))
            return false;
        labels += len + 1;
    }
    return f->n_labels > 0 || !*labels;
}

struct metrics_family *metrics_family(struct metrics *m, enum metrics_type type, const char *name, const char *help,
                                      const char *labels, const double *buckets, size_t n_buckets)
{
    struct metrics_family *f = map_get(&m->names, name);
    if (f) {
        assert(same_shape(f, type, name, labels, buckets, n_buckets));
        return f;
    }
    assert(is_name(name, false) && str_ends(name, "_total") == (type == METRICS_COUNTER));
    assert((type == METRICS_HISTOGRAM) == (n_buckets > 0));
    f = xcalloc(1, sizeof(*f));
    f->metrics = m;
    f->type = type;
    f->name = name;
    f->help = help;
    f->max_series = DEFAULT_MAX_SERIES;
    parse_labels(f, labels);
    if (n_buckets > 0)
        copy_buckets(f, buckets, n_buckets);
    map_init(&f->series, series_free);
    list_init(&f->series_list);
    list_append(&m->families, &f->node);
    claim_names(m, f);
    return f;
}

void metrics_limit(struct metrics_family *f, size_t max_series)
{
    assert(max_series > 0);
    f->max_series = max_series;
}

static void put_label_value(struct buf *out, const char *value)
{
    size_t len = strnlen(value, LABEL_VALUE_MAX + 4);
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t c = str_code_point(value + i, len - i, &n);
        if (i + n > LABEL_VALUE_MAX)
            break;
        if (c == STR_INVALID)
            buf_puts(out, "\xEF\xBF\xBD");
        else if (c == '\n')
            buf_puts(out, "\\n");
        else if (c == '"' || c == '\\')
            buf_append(out, (const char[]){'\\', (char)c}, 2);
        else
            buf_append(out, value + i, n);
    }
}

static void put_label(struct buf *out, const struct metrics_family *f, size_t index, const char *value)
{
    if (index > 0)
        buf_putc(out, ',');
    buf_puts(out, f->label_names[index]);
    buf_puts(out, "=\"");
    put_label_value(out, value);
    buf_putc(out, '"');
}

static struct metrics_series *series_add(struct metrics_family *f, const char *labels)
{
    size_t n_counts = f->type == METRICS_HISTOGRAM ? f->n_buckets + 1 : 0;
    struct metrics_series *s = xcalloc(1, sizeof(*s) + n_counts * sizeof(s->counts[0]));
    s->family = f;
    s->created_us = f->metrics->clock ? clock_real_us(f->metrics->clock) : 0;
    s->labels = map_set(&f->series, labels, s);
    list_append(&f->series_list, &s->node);
    return s;
}

static struct metrics_series *overflow(struct metrics_family *f)
{
    f->over_limit++;
    if (f->overflow)
        return f->overflow;
    struct buf *labels = &f->metrics->scratch;
    buf_clear(labels);
    for (size_t i = 0; i < f->n_labels; i++)
        put_label(labels, f, i, OVERFLOW_VALUE);
    f->overflow = map_get(&f->series, buf_str(labels));
    if (!f->overflow)
        f->overflow = series_add(f, buf_str(labels));
    return f->overflow;
}

struct metrics_series *metrics_get(struct metrics_family *f, ...)
{
    struct buf *labels = &f->metrics->scratch;
    buf_clear(labels);
    va_list args;
    va_start(args, f);
    for (size_t i = 0; i < f->n_labels; i++) {
        const char *value = va_arg(args, const char *);
        assert(value);
        put_label(labels, f, i, value);
    }
    const char *end = va_arg(args, const char *);
    va_end(args);
    assert(!end && !labels->failed);
    struct metrics_series *s = map_get(&f->series, buf_str(labels));
    if (s)
        return s;
    size_t count = f->series.count - (f->overflow ? 1 : 0);
    return count < f->max_series ? series_add(f, buf_str(labels)) : overflow(f);
}

/* A label and the value of it that goes, rendered. */
struct doomed {
    const char *name;
    struct buf value;
};

/* The escaped value of the index-th rendered label. Quotes inside a value are escaped, so those that are not
 * delimit. */
static const char *label_at(const char *labels, size_t index, size_t *ret_len)
{
    const char *value = labels;
    for (;; index--) {
        value = strstr(value, "=\"") + 2;
        const char *end = value;
        while (*end != '"')
            end += *end == '\\' ? 2 : 1;
        if (index == 0) {
            *ret_len = (size_t)(end - value);
            return value;
        }
        value = end + 1;
    }
}

/* Whether the rendered labels have the values that go; `by_label` has NULL where any value does. */
static bool is_doomed(const struct metrics_family *f, const char *labels, const struct doomed *const *by_label)
{
    for (size_t i = 0; i < f->n_labels; i++) {
        size_t len;
        const char *value = label_at(labels, i, &len);
        if (by_label[i] && (len != by_label[i]->value.len || memcmp(value, buf_str(&by_label[i]->value), len) != 0))
            return false;
    }
    return true;
}

static void remove_from_family(struct metrics_family *f, const struct doomed *doomed, size_t n)
{
    const struct doomed *by_label[METRICS_MAX_LABELS] = {NULL};
    size_t found = 0;
    for (size_t i = 0; i < f->n_labels; i++) {
        for (size_t k = 0; k < n; k++) {
            if (streq(f->label_names[i], doomed[k].name)) {
                by_label[i] = &doomed[k];
                found++;
            }
        }
    }
    if (found < n)
        return;
    if (found == f->n_labels) {
        /* All labels are known: no search. */
        struct buf *key = &f->metrics->scratch;
        buf_clear(key);
        for (size_t i = 0; i < f->n_labels; i++)
            buf_printf(key, "%s%s=\"%s\"", i ? "," : "", f->label_names[i], buf_str(&by_label[i]->value));
        if (!f->overflow || map_get(&f->series, buf_str(key)) != f->overflow)
            map_remove(&f->series, buf_str(key));
        return;
    }
    struct map_entry *e;
    for (struct map_iter it = map_iter(&f->series); (e = map_next(&f->series, &it)) != NULL;) {
        if (e->value != f->overflow && is_doomed(f, e->key, by_label))
            map_remove(&f->series, e->key);
    }
}

static void remove_series(struct metrics *m, struct doomed *doomed, size_t n)
{
    list_for_each (it, &m->families) {
        remove_from_family(CONTAINER_OF(it, struct metrics_family, node), doomed, n);
    }
}

void metrics_remove(struct metrics *m, const char *name, const char *value)
{
    struct doomed doomed[] = {{name, BUF_INIT(m->scratch.max)}};
    put_label_value(&doomed[0].value, value);
    remove_series(m, doomed, 1);
    buf_done(&doomed[0].value);
}

void metrics_remove2(struct metrics *m, const char *name1, const char *value1, const char *name2, const char *value2)
{
    struct doomed doomed[] = {{name1, BUF_INIT(m->scratch.max)}, {name2, BUF_INIT(m->scratch.max)}};
    put_label_value(&doomed[0].value, value1);
    put_label_value(&doomed[1].value, value2);
    remove_series(m, doomed, 2);
    buf_done(&doomed[0].value);
    buf_done(&doomed[1].value);
}

void metrics_add(struct metrics_series *s, double delta)
{
    assert(s->family->type != METRICS_HISTOGRAM);
    if (s->family->type == METRICS_COUNTER && (!isfinite(delta) || delta < 0))
        return;
    s->value += delta;
}

void metrics_set(struct metrics_series *s, double value)
{
    assert(s->family->type != METRICS_HISTOGRAM);
    if (s->family->type == METRICS_COUNTER && (!isfinite(value) || value < s->value))
        return;
    s->value = value;
}

void metrics_observe(struct metrics_series *s, double value)
{
    const struct metrics_family *f = s->family;
    assert(f->type == METRICS_HISTOGRAM);
    if (!isfinite(value) || value < 0)
        return;
    size_t i = 0;
    while (i < f->n_buckets && value > f->buckets[i].bound)
        i++;
    s->counts[i]++;
    s->value += value;
}

double metrics_value(const struct metrics_series *s)
{
    if (s->family->type != METRICS_HISTOGRAM)
        return s->value;
    uint64_t count = 0;
    for (size_t i = 0; i <= s->family->n_buckets; i++)
        count += s->counts[i];
    return (double)count;
}

void metrics_on_collect(struct metrics *m, void (*fn)(void *data), void *data)
{
    m->collectors = xreallocarray(m->collectors, m->n_collectors + 1, sizeof(*m->collectors));
    m->collectors[m->n_collectors++] = (struct metrics_collector){fn, data};
}

void metrics_created(struct metrics *m, const struct clock *clock)
{
    m->clock = clock;
}
