/* Series files: what is read, and what is refused with which line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/series_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/ai4k8s-series-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static int read_bytes(const char *text, size_t len, enum series_grid grid, struct series_file *ret, struct error *err)
{
    FILE *f = fopen(path, "wbe");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    return series_file_read(path, &(struct series_file_options){.interval_s = 300, .grid = grid}, ret, err);
}

#define NO ((double)NAN)

static void reads(void **state)
{
    static const struct {
        const char *what, *text;
        enum series_grid grid;
        unsigned n;
        double value[4];
        int64_t start_s;
    } rows[] = {
        {"RFC 3339", "t,v\n2024-01-01T00:00:00Z,1\n2024-01-01T00:05:00Z,2\n", 0, 2, {1, 2}, 1704067200},
        {"an offset", "t,v\n2024-01-01T01:00:00+01:00,1\n2024-01-01T00:05:00Z,2\n", 0, 2, {1, 2}, 1704067200},
        {"UTC without a zone", "t,v\n2024-01-01 00:00:00,1\n2024-01-01 00:05:00,2\n", 0, 2, {1, 2}, 1704067200},
        {"a fraction", "t,v\n2024-01-01 00:00:00.5,1\n", 0, 1, {1}, 1704067200},
        {"Unix seconds", "t,v\n1000,1\n1300.5,2\n", 0, 2, {1, 2}, 1000},
        {"before 1970", "t,v\n-600,1\n-1,2\n", 0, 2, {1, 2}, -600},
        {"a mean in a slot", "t,v\n0,1\n60,2\n120,6\n300,5\n", 0, 2, {3, 5}, 0},
        {"equal times", "t,v\n0,1\n0,3\n", 0, 1, {2}, 0},
        {"no data", "t,v\n0,\n300,NaN\n600,nan\n900,4\n", 0, 4, {NO, NO, NO, 4}, 0},
        {"no data beside a value", "t,v\n0,\n60,4\n", 0, 1, {4}, 0},
        {"a gap", "t,v\n0,1\n900,4\n", 0, 4, {1, NO, NO, 4}, 0},
        {"slots from the first row", "t,v\n100,1\n399,3\n400,5\n", 0, 2, {2, 5}, 100},
        {"slots of Unix time", "t,v\n100,1\n399,3\n400,5\n", SERIES_UNIX, 2, {1, 4}, 0},
        {"Unix slots before 1970", "t,v\n-1,1\n1,3\n", SERIES_UNIX, 2, {1, 3}, -300},
        {"rows", "t,v\n0,1\n0,3\n90000,\n90000,5\n", SERIES_ROWS, 4, {1, 3, NO, 5}, 0},
        {"CRLF, quotes, blanks", "t,v\r\n \"0\" , 1 \r\n\t300,\"2\"\r\n", 0, 2, {1, 2}, 0},
        {"quotes around everything", "\"t\",\"v\"\n\"0\",\"1\"\n\"300\",\"2\"\n", 0, 2, {1, 2}, 0},
        {"blanks in quotes", "t,v\n\" 0\" ,\t\"1 \"\n\"300\",\"\"\n", 0, 2, {1, NO}, 0},
        {"a comma in a header", "\"t, UTC\",v\n0,1\n", 0, 1, {1}, 0},
        {"no last line break", "t,v\n0,1\n300,2", 0, 2, {1, 2}, 0},
        {"empty lines at the end", "t,v\n0,1\n300,2\n\n \n", 0, 2, {1, 2}, 0},
        {"any header", "when?,how much\n0,1\n", 0, 1, {1}, 0},
        {"negative", "t,v\n0,-1.5e1\n", 0, 1, {-15}, 0},
        {"clipped", "t,v\n0,1e308\n1,1e308\n300,-1e308\n", 0, 2, {1e30, -1e30}, 0},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct series_file s;
        struct error err = ERROR_INIT;
        if (read_bytes(rows[i].text, strlen(rows[i].text), rows[i].grid, &s, &err) < 0)
            fail_msg("%s: %s", rows[i].what, error_text(&err));
        if (s.n != rows[i].n || s.start_us / 1000000 != rows[i].start_s)
            fail_msg("%s: %u slots from %lld", rows[i].what, s.n, (long long)(s.start_us / 1000000));
        for (unsigned k = 0; k < s.n; k++)
            if (isnan(rows[i].value[k]) ? !isnan(s.value[k])
                                        : !(fabs(s.value[k] - rows[i].value[k]) <= 1e-12 * fabs(s.value[k])))
                fail_msg("%s: slot %u is %g", rows[i].what, k, s.value[k]);
        series_file_done(&s);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *at, *word;
        enum error_kind kind;
    } rows[] = {
        {"", ":1:", "empty", ERROR_PARSE},
        {"t,v\n", ":1:", "no row", ERROR_PARSE},
        {"t,v\n\n\n", ":3:", "no row", ERROR_PARSE},
        {"time\n0,1\n", ":1:", "header", ERROR_PARSE},
        {"0,1\n300,2\n", ":1:", "header line is missing", ERROR_PARSE},
        {"2024-01-01T00:00:00Z,1\n", ":1:", "header line is missing", ERROR_PARSE},
        {"\xEF\xBB\xBF"
         "0,1\n300,2\n",
         ":1:", "header line is missing", ERROR_PARSE},
        {"t,v\n0,1\n300\n", ":3:", "two columns", ERROR_PARSE},
        {"t,v\n0,1\n300,2,3\n", ":3:", "two columns", ERROR_PARSE},
        {"t,v\n0;1\n", ":2:", "two columns", ERROR_PARSE},
        {"t,v\nyesterday,1\n", ":2:", "RFC 3339", ERROR_PARSE},
        {"t,v\n2024-02-30T00:00:00Z,1\n", ":2:", "RFC 3339", ERROR_PARSE},
        {"t,v\n2024-01-01T00:00:00,1\n", ":2:", "RFC 3339", ERROR_PARSE},
        {"t,v\n,1\n", ":2:", "RFC 3339", ERROR_PARSE},
        {"t,v\nnan,1\n", ":2:", "RFC 3339", ERROR_PARSE},
        {"t,v\n1704067200000,1\n", ":2:", "milliseconds", ERROR_PARSE},
        {"t,v\n0,one\n", ":2:", "finite number", ERROR_PARSE},
        {"t,v\n0,inf\n", ":2:", "finite number", ERROR_PARSE},
        {"t,v\n0,1e999\n", ":2:", "finite number", ERROR_PARSE},
        {"t,v\n0,0x10\n", ":2:", "finite number", ERROR_PARSE},
        {"t,v\n0,-\n", ":2:", "finite number", ERROR_PARSE},
        {"t,v\n0,\"1,234\"\n", ":2:", "finite number such as 12.5", ERROR_PARSE},
        {"t,v\n0,\"1\"\"2\"\n", ":2:", "a quote that does not end its field, as in 2024", ERROR_PARSE},
        {"t,v\n0,\"1\n", ":2:", "a quote that does not end its field, as in 2024", ERROR_PARSE},
        {"t,v\n0,1\n\"300,2\n", ":3:", "a quote that does not end its field, as in 2024", ERROR_PARSE},
        {"t,v\n0,1\n\"300\"x,2\n", ":3:", "a quote that does not end its field, as in 2024", ERROR_PARSE},
        {"t,v\n\"0,1\"\n", ":2:", "two columns, time and value, as in 2024", ERROR_PARSE},
        {"t,v\n\"\"\n", ":2:", "two columns, time and value, as in 2024", ERROR_PARSE},
        {"t,v\n\"\",1\n", ":2:", "RFC 3339", ERROR_PARSE},
        {"t,v\n\"0\",\"1\",\"\"\n", ":2:", "two columns", ERROR_PARSE},
        {"\"0\",\"1\"\n", ":1:", "header line is missing", ERROR_PARSE},
        {"t,v\n300,1\n0,2\n", ":3:", "backward", ERROR_PARSE},
        {"t,v\n0,1\n\n300,2\n", ":3:", "empty line", ERROR_PARSE},
        {"t,v\n0,1\n253402300799,2\n", ":3:", "--interval", ERROR_LIMIT},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct series_file s;
        struct error err = ERROR_INIT;
        if (read_bytes(rows[i].text, strlen(rows[i].text), SERIES_FROM_FIRST, &s, &err) == 0)
            fail_msg("taken: %s", rows[i].text);
        if (err.kind != rows[i].kind || !strstr(err.message, rows[i].at) || !strstr(err.message, rows[i].word))
            fail_msg("%s -> %s", rows[i].text, error_text(&err));
    }
}

/* Wherever it stands: a line must not end there unseen. */
static void refuses_nul(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *at;
    } rows[] = {
        {"\0", 1, ":1:"},
        {"t,v\n\0\0", 6, ":2:"},
        {"t,v\n\0\0\n", 7, ":2:"},
        {"t,v\n0,1\n\0", 9, ":3:"},
        {"t,v\n0,1\0", 8, ":2:"},
        {"t,v\n0,1\0\n", 9, ":2:"},
        {"t,v\n0,1\0002\n", 10, ":2:"},
        {"t,v\n0,1\n \0\n\n", 12, ":3:"},
        {"\xff\xfet\0,\0v\0\n\0", 10, ":1:"}, /* UTF-16 */
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct series_file s;
        struct error err = ERROR_INIT;
        if (read_bytes(rows[i].text, rows[i].len, SERIES_FROM_FIRST, &s, &err) == 0)
            fail_msg("row %u is taken", i);
        if (err.kind != ERROR_PARSE || !strstr(err.message, rows[i].at) || !strstr(err.message, "save the file as CSV"))
            fail_msg("row %u: %s", i, error_text(&err));
    }
}

static void refuses_bytes(void **state)
{
    struct series_file s;
    struct error err = ERROR_INIT;
    char *line = malloc(100000);
    (void)state;
    memset(line, 'x', 100000);
    assert_int_equal(read_bytes(line, 100000, SERIES_FROM_FIRST, &s, &err), -1);
    assert_non_null(strstr(err.message, ":1: the line is too long"));
    free(line);
    assert_int_equal(series_file_read("/nonexistent/x.csv", &(struct series_file_options){.interval_s = 300}, &s, &err),
                     -1);
    assert_int_equal(err.kind, ERROR_IO);
    assert_int_equal(series_file_read("/", &(struct series_file_options){.interval_s = 300}, &s, &err), -1);
    assert_int_equal(err.kind, ERROR_IO);
}

static void counts_what_it_clips(void **state)
{
    struct series_file s;
    struct error err = ERROR_INIT;
    const char *text = "t,v\n0,1\n300,1e31\n600,-1e31\n900,1e30\n";
    (void)state;
    assert_int_equal(read_bytes(text, strlen(text), SERIES_FROM_FIRST, &s, &err), 0);
    assert_int_equal(s.clipped, 2);
    assert_int_equal(s.clipped_line, 3);
    assert_true(s.negative);
    assert_int_equal(s.negative_line, 4);
    assert_int_equal(s.rows, 4);
    series_file_done(&s);
}

/* Whether the mean of the last slot may still change when the file goes on. */
static void knows_whether_the_last_slot_is_whole(void **state)
{
    static const struct {
        const char *text;
        bool whole;
    } rows[] = {
        {"t,v\n0,1\n300,1\n", true},                     /* a row a slot */
        {"t,v\n0,1\n298,1\n601,1\n", true},              /* the same, a little irregular */
        {"t,v\n0,1\n60,1\n120,1\n180,1\n240,1\n", true}, /* the next one is in the next slot */
        {"t,v\n0,1\n60,1\n120,1\n180,1\n", false},       /* it may not be */
        {"t,v\n0,1\n60,1\n60,1\n", false},               /* equal times say nothing of the distance */
        {"t,v\n0,1\n", true},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct series_file s;
        struct error err = ERROR_INIT;
        assert_int_equal(read_bytes(rows[i].text, strlen(rows[i].text), SERIES_FROM_FIRST, &s, &err), 0);
        if (s.last_is_whole != rows[i].whole)
            fail_msg("%s", rows[i].text);
        series_file_done(&s);
    }
}

static void names_series(void **state)
{
    static const char *const rows[][2] = {
        {"a/b/web.csv", "web"}, {"web", "web"}, {".csv", ".csv"}, {"-", "series"}, {"x.csv.gz", "x.csv.gz"}};
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *title = series_file_title(rows[i][0]);
        assert_string_equal(title, rows[i][1]);
        free(title);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_nul),
        cmocka_unit_test(refuses_bytes),
        cmocka_unit_test(counts_what_it_clips),
        cmocka_unit_test(knows_whether_the_last_slot_is_whole),
        cmocka_unit_test(names_series),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
