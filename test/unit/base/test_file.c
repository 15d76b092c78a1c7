/* Whole files: exact contents at every size around the buffer's steps, caps, and what is no file. */
#include "base/alloc.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void write_file(const char *path, const char *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    (void)close(fd);
}

static void test_sizes(void **state)
{
    (void)state;
    char path[] = "/tmp/test_file.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    char data[10000], *got;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7);
    static const size_t sizes[] = {0, 1, 2, 127, 4095, 4096, 4097, 9999};
    struct error err;
    size_t len;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        write_file(path, data, sizes[i]);
        assert_int_equal(file_read(path, sizes[i], &got, &len, &err), 0);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(got, data, len);
        assert_int_equal(got[len], '\0');
        free(got);
        if (sizes[i] > 0) {
            assert_true(file_read(path, sizes[i] - 1, &got, &len, &err) < 0);
            assert_int_equal(err.kind, ERROR_LIMIT);
        }
    }
    (void)unlink(path);
    assert_true(file_read(path, 10, &got, &len, &err) < 0);
    assert_int_equal(err.kind, ERROR_IO);
    assert_int_equal(err.code, ENOENT);
    assert_true(file_read("/tmp", 10, &got, &len, &err) < 0);
    assert_int_equal(err.code, EISDIR);
}

/* Files that say they are empty, and pipes, have a size only at their end. */
static void test_unsized(void **state)
{
    (void)state;
    char *got;
    size_t len;
    struct error err;
    assert_int_equal(file_read("/proc/self/status", 100000, &got, &len, &err), 0);
    assert_true(len > 0 && strlen(got) == len);
    free(got);

    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    char path[64], data[20000];
    memset(data, 'p', sizeof(data));
    assert_int_equal(write(fds[1], data, sizeof(data)), sizeof(data));
    (void)close(fds[1]);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
    assert_int_equal(file_read(path, 100000, &got, &len, &err), 0);
    assert_int_equal(len, sizeof(data));
    assert_memory_equal(got, data, len);
    secret_free(got);
    (void)close(fds[0]);
    secret_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes), cmocka_unit_test(test_unsized)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
