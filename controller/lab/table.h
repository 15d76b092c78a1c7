/* Tables of text: columns as wide as their widest cell, two spaces between them, no lines. */
#ifndef LAB_TABLE_H
#define LAB_TABLE_H

#include "base/base.h"
#include "base/buf.h"

#define TABLE_MAX_COLUMNS 20
#define TABLE_CELL_BYTES  400

struct table;

/* `align`: one letter per column, 'l' or 'r'. `headers` are borrowed for the call; NULL: none. */
struct table *table_new(const char *align, const char *const *headers);
struct table *table_free(struct table *t);
/* The next cell, row by row. Foreign text is made harmless; longer text is cut. */
void table_cell(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A number with `digits` significant ones, or "-" where it is NaN. */
void table_number(struct table *t, double value, int digits);
/* With `decimals` behind the point, or "-". */
void table_fixed(struct table *t, double value, int decimals);
/* An unfinished row is filled up with empty cells. Nothing but spaces is cut at the ends of lines. */
void table_write(struct table *t, struct buf *out);

/* How many columns a terminal shows `s` in: one per code point. */
size_t table_width(const char *s);

#endif
