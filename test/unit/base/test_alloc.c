/* Allocation: zeroed, never NULL, and the end of the process when there is no memory. */
#include "test/unit/base/unit.h"

#include "base/alloc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_basics(void **state UNUSED)
{
    unsigned char *p = xcalloc(100, 3);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(p[i], 0);
    memset(p, 1, 300);
    p = xreallocarray(p, 1000, 3);
    assert_true(p[0] == 1 && p[299] == 1);
    free(p);
    free(xcalloc(0, 5));
    free(xreallocarray(NULL, 0, 0));

    _cleanup_(freep) char *copy = xstrdup("text");
    assert_string_equal(copy, "text");
    _cleanup_(freep) char *part = xstrndup("text", 2);
    assert_string_equal(part, "te");
    _cleanup_(freep) char *whole = xstrndup("text", 20);
    assert_string_equal(whole, "text");
    /* The source may end where its memory ends. */
    _cleanup_(freep) char *bare = memcpy(xcalloc(1, 3), "abc", 3);
    _cleanup_(freep) char *of_bare = xstrndup(bare, 3);
    assert_string_equal(of_bare, "abc");
    assert_null(xstrdup0(NULL));
    _cleanup_(freep) char *copy0 = xstrdup0("x");
    assert_string_equal(copy0, "x");
    _cleanup_(freep) char *printed = xasprintf("%s-%d", "pod", 7);
    assert_string_equal(printed, "pod-7");
}

/* So large that its product with 4 overflows; volatile, or the compiler would refuse what is tested here. */
static volatile size_t too_many = SIZE_MAX / 2;

static void calloc_too_much(void)
{
    free(xcalloc(too_many, 4));
}

static void realloc_too_much(void)
{
    free(xreallocarray(NULL, too_many, 4));
}

/* Gives what the child said before it was killed by abort(). */
static void check_aborts(void (*fn)(void))
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    close(fds[1]);
    char text[4096] = "";
    size_t len = 0;
    for (ssize_t n; (n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0;)
        len += (size_t)n;
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    /* A sanitizer may see the demand first; it ends the process as well, in its own words. */
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(strcmp(text, "out of memory\n") == 0 || strstr(text, "AddressSanitizer"));
}

static void test_out_of_memory(void **state UNUSED)
{
    check_aborts(calloc_too_much);
    check_aborts(realloc_too_much);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_basics),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
