/* Aborting allocation; see alloc.h for why. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *p)
{
    static const char text[] = "out of memory\n";
    if (!p) {
        ssize_t ignored UNUSED = write(STDERR_FILENO, text, sizeof(text) - 1);
        abort();
    }
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *xreallocarray(void *ptr, size_t count, size_t size)
{
    return checked(reallocarray(ptr, count ? count : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
    return checked(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
    /* Not strndup(3): `s` need not be terminated, which sanitizers with strict string checks demand of it. */
    size_t len = strnlen(s, n);
    char *copy = xcalloc(len + 1, 1);
    memcpy(copy, s, len);
    return copy;
}

char *xstrdup0(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

char *xasprintf(const char *fmt, ...)
{
    char *out = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&out, fmt, args);
    va_end(args);
    return checked(n < 0 ? NULL : out);
}
