/* Growable bytes with a maximum that is set at birth. Nothing whose size a peer chooses grows without one.
 *
 * `data` is always NUL-terminated (the terminator is not counted in `len`). The first append that would pass
 * the maximum leaves the contents as they are, sets `failed` and returns -1; so do all later ones. A writer
 * may therefore append many times and look at `failed` once. Running out of memory aborts (alloc.h).
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/base.h"

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
};

#define BUF_INIT(maximum) ((struct buf){.max = (maximum)})

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);  /* frees; the buffer may be used again */
void buf_clear(struct buf *b); /* empties and forgets a failure, keeps the memory */

int buf_append(struct buf *b, const void *data, size_t len);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Keeps the first `len` bytes; nothing when there are no more than that. */
void buf_truncate(struct buf *b, size_t len);
/* Drops the first `n` bytes. */
void buf_consume(struct buf *b, size_t n);
/* Gives the bytes to the caller (free()), NUL-terminated, never NULL; the buffer is empty afterwards. */
char *buf_steal(struct buf *b);
/* The text, never NULL. */
const char *buf_str(const struct buf *b);

#endif
