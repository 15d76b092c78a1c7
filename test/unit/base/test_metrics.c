/* The registry: families and series, the limit of series, removal, what the process says of itself, and
 * misuse. The formats are in test_metrics_text.c. */
#include "test/unit/base/unit.h"

#include "base/str.h"
#include "test/unit/base/exposition.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const double three_buckets[] = {0.5, 1, 2500000};

static void test_same_family(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    struct metrics_family *f = metrics_family(m, METRICS_HISTOGRAM, "h", "one", "a,b", three_buckets, 3);
    assert_ptr_equal(metrics_family(m, METRICS_HISTOGRAM, "h", "", "a,b", three_buckets, 3), f);
    struct metrics_series *s = metrics_get(f, "1", "2", NULL);
    assert_ptr_equal(metrics_get(f, "1", "2", NULL), s);
    assert_ptr_not_equal(metrics_get(f, "2", "1", NULL), s);
    metrics_free(m);
}

static void test_limit(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    struct metrics_family *c = metrics_family(m, METRICS_COUNTER, "c_total", "", "a,b", NULL, 0);
    struct metrics_family *g = metrics_family(m, METRICS_GAUGE, "g", "", "a", NULL, 0);
    metrics_limit(c, 2);
    metrics_limit(g, 1);
    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof(name), "%d", i);
        metrics_add(metrics_get(c, name, "x", NULL), 1);
        metrics_set(metrics_get(g, name, NULL), i);
    }
    assert_ptr_equal(metrics_get(c, "7", "x", NULL), metrics_get(c, "8", "x", NULL));
    metrics_add(metrics_get(c, "1", "x", NULL), 10);
    static const char want[] =
        "# HELP metrics_over_limit_total Uses of label values beyond a metric's limit of series.\n"
        "# TYPE metrics_over_limit_total counter\n"
        "metrics_over_limit_total{metric=\"c_total\"} 5\n"
        "metrics_over_limit_total{metric=\"g\"} 4\n"
        "# TYPE c_total counter\n"
        "c_total{a=\"0\",b=\"x\"} 1\n"
        "c_total{a=\"1\",b=\"x\"} 11\n"
        "c_total{a=\"_overflow\",b=\"_overflow\"} 3\n"
        "# TYPE g gauge\n"
        "g{a=\"0\"} 0\n";
    check_exposition(m, false, want);
    check_exposition(m, false, want);
    /* Who has these very values gets that series; it is not removed, as others hold it. */
    struct metrics_series *shared = metrics_get(c, "_overflow", "_overflow", NULL);
    assert_int_equal((int)metrics_value(shared), 3);
    metrics_remove(m, "a", "_overflow");
    metrics_remove2(m, "a", "_overflow", "b", "_overflow");
    check_exposition(m, false, want);
    /* Room that becomes free is used again. */
    metrics_remove(m, "a", "0");
    metrics_add(metrics_get(c, "9", "x", NULL), 1);
    assert_ptr_not_equal(metrics_get(c, "9", "x", NULL), shared);
    assert_ptr_equal(metrics_get(c, "8", "x", NULL), shared);
    metrics_free(m);
}

static void test_default_limit(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    struct metrics_family *f = metrics_family(m, METRICS_COUNTER, "c_total", "", "a", NULL, 0);
    struct metrics_series *last = NULL;
    for (int i = 0; i < 1001; i++) {
        char name[8];
        snprintf(name, sizeof(name), "%d", i);
        last = metrics_get(f, name, NULL);
    }
    assert_ptr_equal(metrics_get(f, "more", NULL), last);
    assert_ptr_not_equal(metrics_get(f, "999", NULL), last);
    metrics_free(m);
}

static void test_remove(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    struct metrics_family *exact = metrics_family(m, METRICS_GAUGE, "exact", "", "namespace,name", NULL, 0);
    struct metrics_family *more =
        metrics_family(m, METRICS_COUNTER, "more_total", "", "name,reason,namespace", NULL, 0);
    struct metrics_family *other = metrics_family(m, METRICS_GAUGE, "other", "", "name", NULL, 0);
    struct metrics_family *none = metrics_family(m, METRICS_GAUGE, "none", "", "", NULL, 0);
    static const char *const objects[][2] = {{"a", "x"}, {"a", "y"}, {"b", "x"}};
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        metrics_get(exact, objects[i][0], objects[i][1], NULL);
        metrics_get(more, objects[i][1], "Up", objects[i][0], NULL);
        metrics_get(more, objects[i][1], "x", objects[i][0], NULL);
        metrics_get(other, objects[i][1], NULL);
    }
    metrics_get(none, NULL);
    metrics_remove2(m, "namespace", "a", "name", "x");
    check_exposition(m, false,
                     "# TYPE exact gauge\n"
                     "exact{namespace=\"a\",name=\"y\"} 0\n"
                     "exact{namespace=\"b\",name=\"x\"} 0\n"
                     "# TYPE more_total counter\n"
                     "more_total{name=\"y\",reason=\"Up\",namespace=\"a\"} 0\n"
                     "more_total{name=\"y\",reason=\"x\",namespace=\"a\"} 0\n"
                     "more_total{name=\"x\",reason=\"Up\",namespace=\"b\"} 0\n"
                     "more_total{name=\"x\",reason=\"x\",namespace=\"b\"} 0\n"
                     "# TYPE other gauge\n"
                     "other{name=\"x\"} 0\n"
                     "other{name=\"y\"} 0\n"
                     "# TYPE none gauge\n"
                     "none 0\n");
    metrics_remove(m, "name", "x");
    metrics_remove(m, "name", "nobody");
    metrics_remove(m, "label", "x");
    metrics_remove2(m, "namespace", "a", "label", "y");
    /* Removed and made again, it begins anew. */
    metrics_add(metrics_get(more, "x", "Up", "b", NULL), 1);
    check_exposition(m, false,
                     "# TYPE exact gauge\n"
                     "exact{namespace=\"a\",name=\"y\"} 0\n"
                     "# TYPE more_total counter\n"
                     "more_total{name=\"y\",reason=\"Up\",namespace=\"a\"} 0\n"
                     "more_total{name=\"y\",reason=\"x\",namespace=\"a\"} 0\n"
                     "more_total{name=\"x\",reason=\"Up\",namespace=\"b\"} 1\n"
                     "# TYPE other gauge\n"
                     "other{name=\"y\"} 0\n"
                     "# TYPE none gauge\n"
                     "none 0\n");
    metrics_remove(m, "name", "y");
    metrics_remove(m, "name", "x");
    check_exposition(m, false, "# TYPE none gauge\nnone 0\n");
    metrics_free(m);
}

static double sample(struct metrics *m, const char *name)
{
    struct buf out = BUF_INIT(1 << 20);
    metrics_write(m, &out, false);
    char line[100];
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(buf_str(&out), line);
    check_row(name, at);
    at += strlen(line);
    double value;
    check_row(name, str_to_double_n(at, strcspn(at, "\n"), &value));
    buf_done(&out);
    return value;
}

static void test_process(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    metrics_process(m);

    double fds = sample(m, "process_open_fds");
    int extra[3];
    for (size_t i = 0; i < 3; i++)
        assert_true((extra[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    assert_int_equal((int)(sample(m, "process_open_fds") - fds), 3);
    for (size_t i = 0; i < 3; i++)
        close(extra[i]);
    assert_int_equal((int)(sample(m, "process_open_fds") - fds), 0);

    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal((rlim_t)sample(m, "process_max_fds"), limit.rlim_cur);

    double cpu_s = sample(m, "process_cpu_seconds_total");
    clock_t until = clock() + CLOCKS_PER_SEC / 20;
    while (clock() < until)
        continue;
    double burnt_s = sample(m, "process_cpu_seconds_total") - cpu_s;
    assert_true(burnt_s > 0.04 && burnt_s < 2);

    double resident = sample(m, "process_resident_memory_bytes");
    size_t size = 32 << 20;
    char *memory = malloc(size);
    assert_non_null(memory);
    memset(memory, 1, size);
    double grown = sample(m, "process_resident_memory_bytes") - resident;
    assert_true(grown > 0.9 * (double)size && grown < 2 * (double)size);
    assert_true(sample(m, "process_virtual_memory_bytes") > sample(m, "process_resident_memory_bytes"));
    free(memory);

    double start_s = sample(m, "process_start_time_seconds"), now_s = (double)time(NULL);
    assert_true(start_s > now_s - 600 && start_s < now_s + 2);
    usleep(2000);
    assert_true(sample(m, "process_start_time_seconds") >= start_s);
    assert_true(sample(m, "process_start_time_seconds") <= start_s);
    metrics_free(m);
}

static void count_call(void *data)
{
    ++*(int *)data;
}

static void test_collect(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    int a = 0, b = 0;
    metrics_on_collect(m, count_call, &a);
    metrics_on_collect(m, count_call, &b);
    check_exposition(m, false, "");
    check_exposition(m, true, "# EOF\n");
    assert_true(a == 2 && b == 2);
    metrics_free(m);
}

/* Misuse, by number: what must not get past a first run. */
static void misuse(size_t which, struct metrics *m)
{
    static const double falling[] = {1, 0.5}, endless[] = {1, (double)INFINITY}, negative[] = {-1, 0};
    struct metrics_family *c = metrics_family(m, METRICS_COUNTER, "c_total", "", "a", NULL, 0);
    struct metrics_family *h = metrics_family(m, METRICS_HISTOGRAM, "h", "", "", three_buckets, 3);
    switch (which) {
    case 0:
        metrics_family(m, METRICS_COUNTER, "c", "", "", NULL, 0);
        break;
    case 1:
        metrics_family(m, METRICS_GAUGE, "g_total", "", "", NULL, 0);
        break;
    case 2:
        metrics_family(m, METRICS_GAUGE, "c", "", "", NULL, 0);
        break;
    case 3:
        metrics_family(m, METRICS_GAUGE, "h_count", "", "", NULL, 0);
        break;
    case 4:
        metrics_family(m, METRICS_GAUGE, "1g", "", "", NULL, 0);
        break;
    case 5:
        metrics_family(m, METRICS_GAUGE, "g", "", "a-b", NULL, 0);
        break;
    case 6:
        metrics_family(m, METRICS_HISTOGRAM, "h2", "", "le", three_buckets, 3);
        break;
    case 7:
        metrics_family(m, METRICS_GAUGE, "g", "", "__a", NULL, 0);
        break;
    case 8:
        metrics_family(m, METRICS_GAUGE, "g", "", "a,b,c,d,e,f,g,h,i", NULL, 0);
        break;
    case 9:
        metrics_family(m, METRICS_COUNTER, "c_total", "", "b", NULL, 0);
        break;
    case 10:
        metrics_family(m, METRICS_COUNTER, "c_total", "", "a,b", NULL, 0);
        break;
    case 11:
        metrics_family(m, METRICS_HISTOGRAM, "h", "", "", three_buckets, 2);
        break;
    case 12:
        metrics_family(m, METRICS_HISTOGRAM, "h2", "", "", falling, 2);
        break;
    case 13:
        metrics_family(m, METRICS_HISTOGRAM, "h2", "", "", endless, 2);
        break;
    case 14:
        metrics_family(m, METRICS_HISTOGRAM, "h2", "", "", negative, 2);
        break;
    case 15:
        metrics_family(m, METRICS_HISTOGRAM, "h2", "", "", NULL, 0);
        break;
    case 16:
        metrics_get(c, NULL);
        break;
    case 17:
        metrics_get(c, "a", "b", NULL);
        break;
    case 18:
        metrics_add(metrics_get(h, NULL), 1);
        break;
    case 19:
        metrics_observe(metrics_get(c, "a", NULL), 1);
        break;
    case 20:
        metrics_family(m, METRICS_GAUGE, "g", "", "a,a", NULL, 0);
        break;
    default:
        break;
    }
}

static void test_misuse(void **state UNUSED)
{
    enum { N = 22 };
    for (size_t which = 0; which < N; which++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
            dup2(null, STDERR_FILENO);
            signal(SIGABRT, SIG_DFL);
            struct metrics *m = metrics_new();
            misuse(which, m);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        /* The last one is no misuse. */
        bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
        if (aborted != (which < N - 1))
            fail_msg("misuse %zu: status %d", which, status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_family), cmocka_unit_test(test_limit),   cmocka_unit_test(test_default_limit),
        cmocka_unit_test(test_remove),      cmocka_unit_test(test_process), cmocka_unit_test(test_collect),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
