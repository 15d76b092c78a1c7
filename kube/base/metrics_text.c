/* The exposition. Format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/,
 * OpenMetrics 1.0: https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md. They
 * differ in the name of a counter's family, in quotes within help, in the `le` of whole numbers, in
 * `_created`, and in the end. */
#include "base/metrics_private.h"

#include "base/str.h"

#include <inttypes.h>
#include <string.h>

static const char *type_name(enum metrics_type type)
{
    static const char *const names[] = {"counter", "gauge", "histogram"};
    return names[type];
}

static void put_help(struct buf *out, const char *help, bool openmetrics)
{
    for (; *help; help++) {
        if (*help == '\n')
            buf_puts(out, "\\n");
        else if (*help == '\\' || (*help == '"' && openmetrics))
            buf_append(out, (const char[]){'\\', *help}, 2);
        else
            buf_putc(out, *help);
    }
}

static void put_head(struct buf *out, const struct metrics_family *f, bool openmetrics)
{
    int name_len = (int)(openmetrics ? metrics_base_length(f->type, f->name) : strlen(f->name));
    if (*f->help) {
        buf_printf(out, "# HELP %.*s ", name_len, f->name);
        put_help(out, f->help, openmetrics);
        buf_putc(out, '\n');
    }
    buf_printf(out, "# TYPE %.*s %s\n", name_len, f->name, type_name(f->type));
}

/* name + suffix {labels, le} and the space behind. Plain appends: there may be a hundred thousand lines. */
static void put_sample_name(struct buf *out, const struct metrics_series *s, const char *suffix, const char *le,
                            const char *le_end)
{
    buf_append(out, s->family->name, metrics_base_length(s->family->type, s->family->name));
    buf_puts(out, suffix);
    if (*s->labels || le) {
        buf_putc(out, '{');
        buf_puts(out, s->labels);
        if (le) {
            buf_puts(out, *s->labels ? ",le=\"" : "le=\"");
            buf_puts(out, le);
            buf_puts(out, le_end);
            buf_putc(out, '"');
        }
        buf_putc(out, '}');
    }
    buf_putc(out, ' ');
}

static void put_double(struct buf *out, double value)
{
    char text[32];
    str_from_double(text, sizeof(text), value);
    buf_puts(out, text);
    buf_putc(out, '\n');
}

static void put_histogram(struct buf *out, const struct metrics_series *s, bool openmetrics)
{
    const struct metrics_family *f = s->family;
    uint64_t count = 0;
    for (size_t i = 0; i < f->n_buckets; i++) {
        count += s->counts[i];
        put_sample_name(out, s, "_bucket", f->buckets[i].le, openmetrics && f->buckets[i].bare ? ".0" : "");
        buf_printf(out, "%" PRIu64 "\n", count);
    }
    count += s->counts[f->n_buckets];
    put_sample_name(out, s, "_bucket", "+Inf", "");
    buf_printf(out, "%" PRIu64 "\n", count);
    put_sample_name(out, s, "_sum", NULL, NULL);
    put_double(out, s->value);
    put_sample_name(out, s, "_count", NULL, NULL);
    buf_printf(out, "%" PRIu64 "\n", count);
}

static void put_series(struct buf *out, const struct metrics_series *s, bool openmetrics)
{
    switch (s->family->type) {
    case METRICS_COUNTER:
        put_sample_name(out, s, "_total", NULL, NULL);
        put_double(out, s->value);
        break;
    case METRICS_GAUGE:
        put_sample_name(out, s, "", NULL, NULL);
        put_double(out, s->value);
        return;
    case METRICS_HISTOGRAM:
        put_histogram(out, s, openmetrics);
        break;
    }
    if (openmetrics && s->created_us > 0) {
        put_sample_name(out, s, "_created", NULL, NULL);
        put_double(out, (double)s->created_us / 1e6);
    }
}

static void put_family(struct buf *out, const struct metrics_family *f, bool openmetrics)
{
    bool headed = false;
    list_for_each (it, &f->series_list) {
        const struct metrics_series *s = CONTAINER_OF(it, struct metrics_series, node);
        if (s == f->overflow && f->type == METRICS_GAUGE)
            continue;
        if (!headed)
            put_head(out, f, openmetrics);
        headed = true;
        put_series(out, s, openmetrics);
    }
}

void metrics_write(struct metrics *m, struct buf *out, bool openmetrics)
{
    for (size_t i = 0; i < m->n_collectors; i++)
        m->collectors[i].fn(m->collectors[i].data);
    list_for_each (it, &m->families) {
        const struct metrics_family *f = CONTAINER_OF(it, struct metrics_family, node);
        if (f->over_limit > 0)
            metrics_set(metrics_get(m->over_limit, f->name, NULL), (double)f->over_limit);
    }
    list_for_each (it, &m->families) {
        put_family(out, CONTAINER_OF(it, struct metrics_family, node), openmetrics);
    }
    if (openmetrics)
        buf_puts(out, "# EOF\n");
}
