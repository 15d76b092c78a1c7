/* Axes with round numbers and real times, and drawings that keep inside of their frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "lab/plot_svg.h"
#include "lab/plot_text.h"
#include "lab/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NO ((double)NAN)

static void value_axes(void **state)
{
    static const struct {
        double y[3], low, high, step;
    } rows[] = {
        {{0, 50, 98}, 0, 100, 20},    {{5, 6, 7}, 0, 8, 2},          {{1000, 1001, 1004}, 1000, 1004, 1},
        {{-5, 0, 5}, -6, 6, 2},       {{0, 0, 0}, 0, 1, 0.2},        {{NO, NO, NO}, 0, 1, 0.2},
        {{7, 7, 7}, 0, 8, 2},         {{1e30, 0, 1}, 0, 1e30, 2e29}, {{1e-9, 2e-9, NO}, 0, 2e-9, 5e-10},
        {{0, 5e-324, NO}, 0, 1, 0.2},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plot_panel p = {.n_items = 1, .items = {{.y = rows[i].y, .n = 3}}};
        struct plot_axis a = plot_value_axis(&p, 6);
        if (!(a.step > 0) || a.n < 2 || a.n > 12)
            fail_msg("row %u: %u steps of %g", i, a.n, a.step);
        for (unsigned k = 0; k < 3; k++)
            if (!isnan(rows[i].y[k]) && (rows[i].y[k] < a.low - 1e-9 * a.step || rows[i].y[k] > a.high + 1e-9 * a.step))
                fail_msg("row %u: %g is outside of %g .. %g", i, rows[i].y[k], a.low, a.high);
        assert_true(fabs(a.high - a.low - (a.n - 1) * a.step) < 1e-6 * a.step);
    }
    struct plot_axis a = plot_value_axis(&(struct plot_panel){.n_items = 1, .items = {{.y = rows[0].y, .n = 3}}}, 6);
    assert_true(fabs(a.low) < 1e-9 && fabs(a.high - 100) < 1e-9 && fabs(a.step - 20) < 1e-9);
}

static void value_labels(void **state)
{
    static const struct {
        double value, step;
        const char *text;
    } rows[] = {{0, 1, "0"},
                {1e-20, 1, "0"},
                {0.25, 0.25, "0.25"},
                {2500, 500, "2500"},
                {12000, 1000, "12k"},
                {3.5e6, 5e5, "3.5M"},
                {-4e9, 1e9, "-4G"},
                {1e30, 1e29, "1e+30"},
                {1000000020, 20, "1.00000002G"},
                {12345.5, 0.5, "12.3455k"},
                {-2.5e29, 5e28, "-2.5e+29"}};
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[16];
        plot_value_label(text, rows[i].value, rows[i].step);
        assert_string_equal(text, rows[i].text);
    }
}

static void time_axes(void **state)
{
    static const struct {
        int64_t start_s;
        uint32_t interval_s, n;
        int64_t step_s, first_s;
        const char *label;
    } rows[] = {
        {1704067200, 300, 288, 10800, 1704067200, "1 Jan"},  /* a day: every three hours */
        {1704067260, 300, 12, 600, 1704067800, "00:10"},     /* an hour: every ten minutes */
        {1704067200, 300, 2016, 86400, 1704067200, "1 Jan"}, /* a week: every day */
        {1704067201, 10, 12, 30, 1704067230, "00:00:30"},    /* two minutes */
        {-3601, 300, 12, 600, -3600, "23:00"},               /* before 1970 */
        {0, 3600, 100000, 0, 0, "1 Jan"},                    /* eleven years: whatever it is, few */
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plot p = {.start_us = rows[i].start_s * 1000000, .interval_s = rows[i].interval_s, .n = rows[i].n};
        struct plot_time_axis a = plot_time_axis(&p, 11);
        char label[24];
        plot_time_label(label, &a, a.first_us, false);
        if (rows[i].step_s && (a.step_us != rows[i].step_s * 1000000 || a.first_us != rows[i].first_s * 1000000))
            fail_msg("row %u: %lld from %lld", i, (long long)(a.step_us / 1000000), (long long)(a.first_us / 1000000));
        assert_string_equal(label, rows[i].label);
        assert_true((int64_t)p.n * p.interval_s * 1000000 / a.step_us <= 11);
    }
}

static void draws(void **state)
{
    double y[4] = {1, NO, 3, 4}, upper[4] = {2, NO, 5, (double)INFINITY};
    struct plot p = {.title = "a <b> & \"c\"", .subtitle = "", .start_us = 0, .interval_s = 300, .n = 8, .n_panels = 2};
    p.panels[0] = (struct plot_panel){.title = "demand", .n_items = 2};
    p.panels[0].items[0] =
        (struct plot_item){.role = PLOT_INTERVAL, .label = "interval", .y = y, .upper = upper, .first = 4, .n = 4};
    p.panels[0].items[1] = (struct plot_item){.role = PLOT_OBSERVED, .label = "observed", .y = y, .n = 4};
    p.panels[1] = (struct plot_panel){.title = "replicas", .n_items = 1};
    p.panels[1].items[0] = (struct plot_item){.role = PLOT_REPLICAS, .label = "replicas", .y = y, .n = 4};
    struct buf out = BUF_INIT(1 << 20);
    (void)state;
    plot_svg(&p, &out);
    assert_non_null(strstr(out.data, "a &lt;b&gt; &amp; &quot;c&quot;"));
    assert_null(strstr(out.data, "nan"));
    assert_null(strstr(out.data, "inf\""));
    assert_non_null(strstr(out.data, "</svg>"));
    assert_non_null(strstr(out.data, "class=\"observed\" d=\"M64.0 "));
    /* Names of files are any bytes, and are cut to fit. */
    buf_clear(&out);
    p.title = "\xC3\xA4 \xC3 \xFF \x01 \xEF\xBF\xBF";
    plot_svg(&p, &out);
    assert_non_null(strstr(out.data, "<title>\xC3\xA4 \uFFFD \uFFFD \uFFFD \uFFFD</title>"));
    assert_true(str_is_utf8(out.data, out.len));
    buf_clear(&out);
    plot_text(&p, 60, 5, false, &out);
    assert_non_null(strstr(out.data, "█"));
    assert_null(strstr(out.data, "\033"));
    for (char *line = out.data, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        assert_true(table_width(line) <= 60);
    }
    buf_done(&out);
}

static void bars(void **state)
{
    static const struct {
        double value, whole;
        const char *text;
    } rows[] = {{0, 4, "    "},   {2, 4, "██  "}, {4, 4, "████"}, {9, 4, "████"},
                {1.5, 4, "█▌  "}, {1, 0, "    "}, {-1, 4, "    "}};
    struct buf out = BUF_INIT(1024);
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_clear(&out);
        plot_text_bar(rows[i].value, rows[i].whole, 4, &out);
        assert_string_equal(buf_str(&out), rows[i].text);
    }
    buf_clear(&out);
    plot_text_range_bar(1, 2, 3, 4, 4, &out);
    assert_string_equal(buf_str(&out), "█▓░ ");
    buf_done(&out);
}

static void tables(void **state)
{
    static const char *const headers[] = {"NAME", "N"};
    struct table *t = table_new("lr", headers);
    struct buf out = BUF_INIT(1024);
    (void)state;
    table_cell(t, "%s", "äöü\n\033[31m");
    table_number(t, 12.5, 3);
    table_cell(t, "x");
    table_fixed(t, NO, 2);
    table_cell(t, "last");
    table_write(t, &out);
    assert_string_equal(buf_str(&out), "NAME          N\näöü \xef\xbf\xbd[31m  12.5\nx             -\nlast\n");
    table_free(t);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_axes), cmocka_unit_test(value_labels), cmocka_unit_test(time_axes),
        cmocka_unit_test(draws),      cmocka_unit_test(bars),         cmocka_unit_test(tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
