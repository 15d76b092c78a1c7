/* The two exposition formats to the byte, and values that come back out of escaped labels. */
#include "test/unit/base/unit.h"

#include "base/rng.h"
#include "base/str.h"
#include "test/unit/base/exposition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double three_buckets[] = {0.5, 1, 2500000};

static void test_counter(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    struct metrics_family *f =
        metrics_family(m, METRICS_COUNTER, "requests_total", "Requests by status.", "code,method", NULL, 0);
    check_exposition(m, false, "");
    check_exposition(m, true, "# EOF\n");
    metrics_add(metrics_get(f, "200", "GET", NULL), 1);
    metrics_add(metrics_get(f, "200", "GET", NULL), 2);
    metrics_add(metrics_get(f, "500", "PUT", NULL), 0);
    struct metrics_family *plain = metrics_family(m, METRICS_COUNTER, "lists_total", "", "", NULL, 0);
    struct metrics_series *s = metrics_get(plain, NULL);
    metrics_add(s, 0.25);
    /* Counters don't fall, and don't take what they could not be rid of. */
    metrics_add(s, -1);
    metrics_add(s, (double)NAN);
    metrics_add(s, (double)INFINITY);
    metrics_set(s, 0.125);
    metrics_set(s, (double)NAN);
    assert_true(metrics_value(s) >= 0.25 && metrics_value(s) <= 0.25);
    metrics_set(s, 0.75);
    check_exposition(m, false,
                     "# HELP requests_total Requests by status.\n"
                     "# TYPE requests_total counter\n"
                     "requests_total{code=\"200\",method=\"GET\"} 3\n"
                     "requests_total{code=\"500\",method=\"PUT\"} 0\n"
                     "# TYPE lists_total counter\n"
                     "lists_total 0.75\n");
    check_exposition(m, true,
                     "# HELP requests Requests by status.\n"
                     "# TYPE requests counter\n"
                     "requests_total{code=\"200\",method=\"GET\"} 3\n"
                     "requests_total{code=\"500\",method=\"PUT\"} 0\n"
                     "# TYPE lists counter\n"
                     "lists_total 0.75\n"
                     "# EOF\n");
    assert_null(metrics_free(m));
    assert_null(metrics_free(NULL));
}

static void test_gauge(void **state UNUSED)
{
    static const double values[] = {0, -1.5, 1e21, 123456789, (double)NAN, (double)INFINITY, -(double)INFINITY, 1e-5};
    struct metrics *m = metrics_new();
    struct metrics_family *f = metrics_family(m, METRICS_GAUGE, "ai4k8s:level", "Levels.", "i", NULL, 0);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        char label[] = {(char)('0' + i), '\0'};
        metrics_set(metrics_get(f, label, NULL), values[i]);
    }
    metrics_add(metrics_get(f, "1", NULL), -1);
    check_exposition(m, false,
                     "# HELP ai4k8s:level Levels.\n"
                     "# TYPE ai4k8s:level gauge\n"
                     "ai4k8s:level{i=\"0\"} 0\n"
                     "ai4k8s:level{i=\"1\"} -2.5\n"
                     "ai4k8s:level{i=\"2\"} 1e+21\n"
                     "ai4k8s:level{i=\"3\"} 123456789\n"
                     "ai4k8s:level{i=\"4\"} NaN\n"
                     "ai4k8s:level{i=\"5\"} +Inf\n"
                     "ai4k8s:level{i=\"6\"} -Inf\n"
                     "ai4k8s:level{i=\"7\"} 1e-05\n");
    metrics_free(m);
}

static void test_histogram(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    struct metrics_family *f = metrics_family(m, METRICS_HISTOGRAM, "size_bytes", "Sizes.", "verb", three_buckets, 3);
    struct metrics_series *s = metrics_get(f, "GET", NULL);
    /* A bound is in its bucket. */
    static const double observed[] = {0, 0.5, 0.75, 1, 1, 3e6, -1, (double)NAN, (double)INFINITY};
    for (size_t i = 0; i < ARRAY_SIZE(observed); i++)
        metrics_observe(s, observed[i]);
    assert_int_equal((int)metrics_value(s), 6);
    metrics_observe(metrics_get(metrics_family(m, METRICS_HISTOGRAM, "seconds", "", "", three_buckets, 1), NULL), 0.25);
    check_exposition(m, false,
                     "# HELP size_bytes Sizes.\n"
                     "# TYPE size_bytes histogram\n"
                     "size_bytes_bucket{verb=\"GET\",le=\"0.5\"} 2\n"
                     "size_bytes_bucket{verb=\"GET\",le=\"1\"} 5\n"
                     "size_bytes_bucket{verb=\"GET\",le=\"2.5e+06\"} 5\n"
                     "size_bytes_bucket{verb=\"GET\",le=\"+Inf\"} 6\n"
                     "size_bytes_sum{verb=\"GET\"} 3000003.25\n"
                     "size_bytes_count{verb=\"GET\"} 6\n"
                     "# TYPE seconds histogram\n"
                     "seconds_bucket{le=\"0.5\"} 1\n"
                     "seconds_bucket{le=\"+Inf\"} 1\n"
                     "seconds_sum 0.25\n"
                     "seconds_count 1\n");
    check_exposition(m, true,
                     "# HELP size_bytes Sizes.\n"
                     "# TYPE size_bytes histogram\n"
                     "size_bytes_bucket{verb=\"GET\",le=\"0.5\"} 2\n"
                     "size_bytes_bucket{verb=\"GET\",le=\"1.0\"} 5\n"
                     "size_bytes_bucket{verb=\"GET\",le=\"2.5e+06\"} 5\n"
                     "size_bytes_bucket{verb=\"GET\",le=\"+Inf\"} 6\n"
                     "size_bytes_sum{verb=\"GET\"} 3000003.25\n"
                     "size_bytes_count{verb=\"GET\"} 6\n"
                     "# TYPE seconds histogram\n"
                     "seconds_bucket{le=\"0.5\"} 1\n"
                     "seconds_bucket{le=\"+Inf\"} 1\n"
                     "seconds_sum 0.25\n"
                     "seconds_count 1\n"
                     "# EOF\n");
    metrics_free(m);
}

static void test_created(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    struct clock_fake clock;
    clock_fake_init(&clock, INT64_C(1795250883120000));
    struct metrics_family *f = metrics_family(m, METRICS_COUNTER, "a_total", "", "k", NULL, 0);
    metrics_get(f, "before", NULL);
    metrics_created(m, &clock.clock);
    metrics_get(f, "x", NULL);
    clock_fake_advance(&clock, USEC_PER_SEC);
    metrics_get(f, "y", NULL);
    metrics_get(metrics_family(m, METRICS_HISTOGRAM, "h", "", "", three_buckets, 1), NULL);
    metrics_get(metrics_family(m, METRICS_GAUGE, "g", "", "", NULL, 0), NULL);
    check_exposition(m, true,
                     "# TYPE a counter\n"
                     "a_total{k=\"before\"} 0\n"
                     "a_total{k=\"x\"} 0\n"
                     "a_created{k=\"x\"} 1795250883.12\n"
                     "a_total{k=\"y\"} 0\n"
                     "a_created{k=\"y\"} 1795250884.12\n"
                     "# TYPE h histogram\n"
                     "h_bucket{le=\"0.5\"} 0\n"
                     "h_bucket{le=\"+Inf\"} 0\n"
                     "h_sum 0\n"
                     "h_count 0\n"
                     "h_created 1795250884.12\n"
                     "# TYPE g gauge\n"
                     "g 0\n"
                     "# EOF\n");
    struct buf out = BUF_INIT(1 << 20);
    metrics_write(m, &out, false);
    assert_null(strstr(buf_str(&out), "_created"));
    buf_done(&out);
    metrics_free(m);
}

static void test_escaping(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    struct metrics_family *f = metrics_family(m, METRICS_GAUGE, "g", "A \\ \"help\"\nin two lines.", "a,b", NULL, 0);
    metrics_set(metrics_get(f, "back\\slash", "line\nfeed", NULL), 1);
    metrics_set(metrics_get(f, "\"", ",b=\"x\"", NULL), 2);
    metrics_set(metrics_get(f, "\xFFz\xC3", "\xC3\xA4 }", NULL), 3);
    metrics_set(metrics_get(f, "", "", NULL), 4);
    check_exposition(m, false,
                     "# HELP g A \\\\ \"help\"\\nin two lines.\n"
                     "# TYPE g gauge\n"
                     "g{a=\"back\\\\slash\",b=\"line\\nfeed\"} 1\n"
                     "g{a=\"\\\"\",b=\",b=\\\"x\\\"\"} 2\n"
                     "g{a=\"\xEF\xBF\xBDz\xEF\xBF\xBD\",b=\"\xC3\xA4 }\"} 3\n"
                     "g{a=\"\",b=\"\"} 4\n");
    struct buf out = BUF_INIT(1 << 20);
    metrics_write(m, &out, true);
    assert_memory_equal(buf_str(&out), "# HELP g A \\\\ \\\"help\\\"\\nin two lines.\n", 38);
    buf_done(&out);
    metrics_free(m);
}

/* Reads an escaped label value at `s`, behind its quote; gives the end of it. */
static const char *read_label(const char *s, char *out)
{
    for (; *s != '"'; s++) {
        assert_true(*s && *s != '\n');
        if (*s == '\\') {
            s++;
            assert_true(*s == 'n' || *s == '"' || *s == '\\');
            *out++ = *s == 'n' ? '\n' : *s;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
    return s;
}

static size_t count_lines(struct metrics *m)
{
    struct buf out = BUF_INIT(1 << 20);
    metrics_write(m, &out, false);
    size_t n = 0;
    for (const char *p = buf_str(&out); (p = strchr(p, '\n')); p++)
        n++;
    buf_done(&out);
    return n > 0 ? n - 1 : 0;
}

/* Whatever the values are made of, each set of them has one line, and comes back out of it. */
static void test_labels_round_trip(void **state UNUSED)
{
    static const char alphabet[] = "ab\\\"\n,={} \x01\x7f";
    struct metrics *m = metrics_new();
    struct metrics_family *f = metrics_family(m, METRICS_GAUGE, "g", "", "first,second", NULL, 0);
    metrics_limit(f, 100000);
    enum { N = 1500 };
    static char values[N][2][12];
    struct rng rng;
    rng_seed(&rng, 4);
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < 2; k++) {
            size_t len = (size_t)rng_below(&rng, 11);
            for (size_t c = 0; c < len; c++)
                values[i][k][c] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
            values[i][k][len] = '\0';
        }
        metrics_set(metrics_get(f, values[i][0], values[i][1], NULL), (double)i);
    }
    struct buf out = BUF_INIT(1 << 20);
    metrics_write(m, &out, false);
    size_t lines = 0;
    for (const char *p = strchr(buf_str(&out), '\n') + 1; *p; lines++) {
        char first[12], second[12];
        assert_memory_equal(p, "g{first=\"", 9);
        p = read_label(p + 9, first);
        assert_memory_equal(p, "\",second=\"", 10);
        p = read_label(p + 10, second);
        assert_memory_equal(p, "\"} ", 3);
        char *end;
        unsigned long i = strtoul(p + 3, &end, 10);
        assert_true(*end == '\n' && i < N);
        assert_string_equal(first, values[i][0]);
        assert_string_equal(second, values[i][1]);
        assert_int_equal((size_t)metrics_value(metrics_get(f, first, second, NULL)), i);
        p = end + 1;
    }
    buf_done(&out);
    /* Removing one takes its line and no other. */
    for (size_t i = 0; i < N; i++) {
        bool again = false;
        for (size_t j = i + 1; j < N && !again; j++)
            again = streq(values[i][0], values[j][0]) && streq(values[i][1], values[j][1]);
        if (again)
            continue;
        metrics_remove2(m, "second", values[i][1], "first", values[i][0]);
        lines--;
        if (i % 50 == 0)
            assert_int_equal(count_lines(m), lines);
    }
    assert_int_equal(lines, 0);
    check_exposition(m, false, "");
    metrics_free(m);
}

static void test_long_label(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    struct metrics_family *f = metrics_family(m, METRICS_COUNTER, "x_total", "", "k", NULL, 0);
    static char value[1 << 16];
    memset(value, 'v', sizeof(value) - 1);
    memcpy(value + 1023, "\xC3\xA4", 2);
    metrics_add(metrics_get(f, value, NULL), 1);
    value[2000] = '\0';
    metrics_add(metrics_get(f, value, NULL), 1);
    char want[1200];
    snprintf(want, sizeof(want), "# TYPE x_total counter\nx_total{k=\"%.1023s\"} 2\n", value);
    check_exposition(m, false, want);
    /* The largest labels there are. */
    memset(value, '\xFF', 2000);
    f = metrics_family(m, METRICS_COUNTER, "y_total", "", "a,b,c,d,e,f,g,h", NULL, 0);
    metrics_add(metrics_get(f, value, value, value, value, value, value, value, value, NULL), 1);
    metrics_remove(m, "h", value);
    check_exposition(m, false, want);
    metrics_free(m);
}

static void test_short_buffer(void **state UNUSED)
{
    struct metrics *m = metrics_new();
    metrics_get(metrics_family(m, METRICS_GAUGE, "g", "", "", NULL, 0), NULL);
    struct buf out = BUF_INIT(10);
    metrics_write(m, &out, true);
    assert_true(out.failed);
    buf_done(&out);
    metrics_free(m);
}

static void test_bounds(void **state UNUSED)
{
    /* In their number and their texts what existing dashboards know. */
    struct metrics *m = metrics_new();
    metrics_get(
        metrics_family(m, METRICS_HISTOGRAM, "q", "", "", metrics_buckets_queue, ARRAY_SIZE(metrics_buckets_queue)),
        NULL);
    check_exposition(m, false,
                     "# TYPE q histogram\n"
                     "q_bucket{le=\"1e-08\"} 0\n"
                     "q_bucket{le=\"1e-07\"} 0\n"
                     "q_bucket{le=\"1e-06\"} 0\n"
                     "q_bucket{le=\"9.999999999999999e-06\"} 0\n"
                     "q_bucket{le=\"9.999999999999999e-05\"} 0\n"
                     "q_bucket{le=\"0.001\"} 0\n"
                     "q_bucket{le=\"0.01\"} 0\n"
                     "q_bucket{le=\"0.1\"} 0\n"
                     "q_bucket{le=\"1\"} 0\n"
                     "q_bucket{le=\"10\"} 0\n"
                     "q_bucket{le=\"+Inf\"} 0\n"
                     "q_sum 0\n"
                     "q_count 0\n");
    metrics_family(m, METRICS_HISTOGRAM, "r", "", "", metrics_buckets_reconcile, ARRAY_SIZE(metrics_buckets_reconcile));
    metrics_family(m, METRICS_HISTOGRAM, "s", "", "", metrics_buckets_request, ARRAY_SIZE(metrics_buckets_request));
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter),    cmocka_unit_test(test_gauge),
        cmocka_unit_test(test_histogram),  cmocka_unit_test(test_created),
        cmocka_unit_test(test_escaping),   cmocka_unit_test(test_labels_round_trip),
        cmocka_unit_test(test_long_label), cmocka_unit_test(test_short_buffer),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
