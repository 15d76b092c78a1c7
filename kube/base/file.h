/* Whole small files: configuration, credentials, certificates. Some hold secrets, so no copy of the contents
 * is left behind in freed memory. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/base.h"
#include "base/error.h"

/* Gives the contents, NUL-terminated (secret_free() where it matters). ERROR_IO with errno, ERROR_LIMIT above
 * `max_bytes`. Pipes are read to their end: whoever must not block asks stat(2) before. */
int file_read(const char *path, size_t max_bytes, char **ret, size_t *ret_len, struct error *err);

/* Wipes a secret and frees it. NULL: nothing. */
void secret_free(char *secret);
static inline void secret_freep(char **secret)
{
    secret_free(*secret);
}
#define _secret_cleanup_ _cleanup_(secret_freep)

#endif
