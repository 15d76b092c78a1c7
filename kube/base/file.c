/* Reading a file whole. The buffer is not grown with realloc(), which would leave copies of a secret behind.
 */
#include "base/file.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void secret_free(char *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

/* A larger buffer with the same contents. */
static char *grow(char *old, size_t len, size_t cap)
{
    char *data = xcalloc(cap + 1, 1);
    memcpy(data, old, len);
    explicit_bzero(old, len);
    free(old);
    return data;
}

/* Reads to the end; one byte more than the maximum is asked for, to see that there is more. */
static int read_all(int fd, const char *path, size_t max_bytes, size_t guess, char **ret, size_t *ret_len,
                    struct error *err)
{
    size_t cap = MIN(guess, max_bytes) + 1, len = 0;
    char *data = xcalloc(cap + 1, 1);
    for (;;) {
        ssize_t n = read(fd, data + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_errno(err, errno, "reading %s", path);
            break;
        }
        if (n == 0) {
            *ret = data;
            *ret_len = len;
            return 0;
        }
        len += (size_t)n;
        if (len > max_bytes) {
            error_set(err, ERROR_LIMIT, "%s is larger than %zu bytes", path, max_bytes);
            break;
        }
        if (len == cap) {
            cap = MIN(2 * cap, max_bytes + 1);
            data = grow(data, len, cap);
        }
    }
    explicit_bzero(data, len);
    free(data);
    return -1;
}

int file_read(const char *path, size_t max_bytes, char **ret, size_t *ret_len, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_errno(err, errno, "opening %s", path);
    struct stat st;
    int r;
    if (fstat(fd, &st) < 0)
        r = error_errno(err, errno, "reading %s", path);
    else if (S_ISDIR(st.st_mode))
        r = error_errno(err, EISDIR, "reading %s", path);
    else
        r = read_all(fd, path, max_bytes, S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size : 4096, ret,
                     ret_len, err);
    (void)close(fd);
    return r;
}
