/* Tables of text; see table.h. */
#include "lab/table.h"

#include "base/alloc.h"
#include "base/str.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table {
    unsigned columns;
    char align[TABLE_MAX_COLUMNS + 1];
    char **cells;
    size_t n, cap;
};

size_t table_width(const char *s)
{
    size_t width = 0, len = strlen(s);
    for (size_t at = 0, step; at < len; at += step, width++)
        (void)str_code_point(s + at, len - at, &step);
    return width;
}

static void add(struct table *t, const char *text)
{
    struct buf clean = BUF_INIT((size_t)4 * TABLE_CELL_BYTES);
    (void)str_sanitize(&clean, text, strlen(text), TABLE_CELL_BYTES);
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 64;
        t->cells = xreallocarray(t->cells, t->cap, sizeof *t->cells);
    }
    t->cells[t->n++] = buf_steal(&clean);
}

struct table *table_new(const char *align, const char *const *headers)
{
    struct table *t = xcalloc(1, sizeof *t);
    assert(*align && strlen(align) <= TABLE_MAX_COLUMNS);
    t->columns = (unsigned)strlen(align);
    memcpy(t->align, align, t->columns);
    for (unsigned i = 0; headers && i < t->columns; i++)
        add(t, headers[i]);
    return t;
}

struct table *table_free(struct table *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->n; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
    return NULL;
}

void table_cell(struct table *t, const char *fmt, ...)
{
    va_list args;
    char text[4 * TABLE_CELL_BYTES];
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    add(t, text);
}

void table_number(struct table *t, double value, int digits)
{
    if (isfinite(value))
        table_cell(t, "%.*g", digits, value);
    else
        add(t, "-");
}

void table_fixed(struct table *t, double value, int decimals)
{
    if (isfinite(value))
        table_cell(t, "%.*f", decimals, value);
    else
        add(t, "-");
}

static void pad(struct buf *out, size_t n)
{
    while (n-- > 0)
        (void)buf_putc(out, ' ');
}

static void write_row(const struct table *t, char *const *cells, const size_t *widths, struct buf *out)
{
    for (unsigned i = 0; i < t->columns; i++) {
        size_t room = widths[i] - table_width(cells[i]);
        pad(out, i ? 2 : 0);
        pad(out, t->align[i] == 'r' ? room : 0);
        (void)buf_puts(out, cells[i]);
        pad(out, t->align[i] == 'r' ? 0 : room);
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        buf_truncate(out, out->len - 1);
    (void)buf_putc(out, '\n');
}

void table_write(struct table *t, struct buf *out)
{
    size_t widths[TABLE_MAX_COLUMNS] = {0};
    while (t->n % t->columns != 0)
        add(t, "");
    for (size_t i = 0; i < t->n; i++)
        widths[i % t->columns] = MAX(widths[i % t->columns], table_width(t->cells[i]));
    for (size_t i = 0; i < t->n; i += t->columns)
        write_row(t, t->cells + i, widths, out);
}
