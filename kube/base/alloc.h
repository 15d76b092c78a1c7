/* Allocation of small, fixed things. A failure aborts: restart is the recovery path, because all state is in
 * the API server. Whatever a peer chooses the size of goes through `buf` instead, which has a cap and an
 * error. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include "base/base.h"

void *xcalloc(size_t count, size_t size) __attribute__((returns_nonnull, malloc, alloc_size(1, 2)));
void *xreallocarray(void *ptr, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((returns_nonnull, malloc, nonnull));
/* At most `n` bytes; `s` need not be terminated behind them. */
char *xstrndup(const char *s, size_t n) __attribute__((returns_nonnull, malloc));
/* NULL stays NULL. */
char *xstrdup0(const char *s) __attribute__((malloc));
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((returns_nonnull, malloc));

/* `_cleanup_(freep) char *s` frees with free(). */
static inline void freep(void *p)
{
    __builtin_free(*(void **)p);
}

#endif
