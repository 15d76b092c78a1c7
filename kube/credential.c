/* Credential files are mounted by a kubelet that replaces them by swapping a symlink, so they are opened anew
 * each time and never judged by their modification time. */
#include "kube/credential.h"

#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_TOKEN ((size_t)64 << 10)
#define MAX_PEM   ((size_t)1 << 20)

/* Gives, or NULL. */
static char *read_text(const char *path, size_t max, struct error *err)
{
    /* This is also called on the loop, where opening a pipe without a writer would hang. */
    struct stat st;
    char *text = NULL;
    size_t len;
    if (stat(path, &st) < 0)
        (void)error_errno(err, errno, "opening %s", path);
    else if (!S_ISREG(st.st_mode))
        (void)error_set(err, ERROR_CONFIG, "%s is not a regular file", path);
    else if (file_read(path, max, &text, &len, err) < 0)
        text = NULL;
    return text;
}

int credential_read_token(const char *path, char **ret, struct error *err)
{
    static const char space[] = " \t\r\n\v\f";
    char *text = read_text(path, MAX_TOKEN, err);
    if (!text)
        return -1;
    size_t before = strspn(text, space), len = strlen(text + before);
    while (len > 0 && strchr(space, text[before + len - 1]))
        len--;
    if (len == 0) {
        secret_free(text);
        return error_set(err, ERROR_CONFIG, "%s has no token in it", path);
    }
    memmove(text, text + before, len);
    explicit_bzero(text + len, strlen(text + len));
    *ret = text;
    return 0;
}

int credential_read_pem(const char *path, char **ret, struct error *err)
{
    char *text = read_text(path, MAX_PEM, err);
    if (!text)
        return -1;
    if (!strstr(text, "-----BEGIN ")) {
        secret_free(text);
        return error_set(err, ERROR_CONFIG, "%s has no PEM block (-----BEGIN ...) in it", path);
    }
    *ret = text;
    return 0;
}
