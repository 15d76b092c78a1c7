/* Records read back by readers of their own (a small logfmt reader here, jansson for JSON), nasty bytes, and
 * sinks that don't take what they are given. */
#include "test/unit/base/unit.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOW_US INT64_C(1795250883120000) /* 2026-11-21T08:48:03.12Z */

/* A log into a file in memory, whose text is read and dropped. */
struct fixture {
    struct clock_fake clock;
    struct log *log;
    int fd;
    char text[16384];
};

static void open_log(struct fixture *f, enum log_format format, enum log_level level)
{
    clock_fake_init(&f->clock, NOW_US);
    f->fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(f->fd >= 0);
    f->log = log_new(&(struct log_config){
        .fd = f->fd,
        .format = format,
        .level = level,
        .clock = &f->clock.clock,
    });
}

static const char *take_text(struct fixture *f)
{
    ssize_t n = pread(f->fd, f->text, sizeof(f->text) - 1, 0);
    assert_true(n >= 0);
    f->text[n] = '\0';
    assert_int_equal(ftruncate(f->fd, 0), 0);
    assert_int_equal(lseek(f->fd, 0, SEEK_SET), 0);
    return f->text;
}

static void close_log(struct fixture *f)
{
    f->log = log_free(f->log);
    assert_null(f->log);
    close(f->fd);
}

static void test_text(void **state UNUSED)
{
    struct fixture f;
    struct error err;
    open_log(&f, LOG_TEXT, LOG_INFO);
    error_set(&err, ERROR_IO, "connection \"reset\"");
    log_warn(f.log, "watch ended", LOG_S("resource", "pods"), LOG_I("attempt", -3), LOG_D("delay", 0.1),
             LOG_B("first", false), LOG_B("again", true), LOG_S("empty", ""), LOG_S("none", NULL),
             LOG_S("word", "null"), LOG_S("path", "a=b"), LOG_ERR(&err), LOG_D("nan", (double)NAN));
    assert_string_equal(take_text(&f), "time=2026-11-21T08:48:03.120000Z level=warn msg=\"watch ended\" resource=pods "
                                       "attempt=-3 delay=0.1 first=false again=true empty=\"\" none=null "
                                       "word=\"null\" path=\"a=b\" error=\"connection \\\"reset\\\"\" nan=NaN\n");
    log_info(f.log, "ready");
    clock_fake_advance(&f.clock, 1);
    log_error(f.log, "gone", LOG_S("name", "b\xC3\xA4r"));
    assert_string_equal(take_text(&f), "time=2026-11-21T08:48:03.120000Z level=info msg=ready\n"
                                       "time=2026-11-21T08:48:03.120001Z level=error msg=gone name=b\xC3\xA4r\n");
    close_log(&f);
}

static void test_json(void **state UNUSED)
{
    struct fixture f;
    open_log(&f, LOG_JSON, LOG_TRACE);
    log_debug(f.log, "watch ended", LOG_S("resource", "pods"), LOG_I("attempt", INT64_MIN), LOG_D("delay", 1e21),
              LOG_B("first", true), LOG_S("none", NULL), LOG_S("word", "null"), LOG_D("nan", (double)NAN),
              LOG_D("inf", -(double)INFINITY));
    assert_string_equal(take_text(&f),
                        "{\"time\":\"2026-11-21T08:48:03.120000Z\",\"level\":\"debug\",\"msg\":\"watch ended\","
                        "\"resource\":\"pods\",\"attempt\":-9223372036854775808,\"delay\":1e+21,\"first\":true,"
                        "\"none\":null,\"word\":\"null\",\"nan\":\"NaN\",\"inf\":\"-Inf\"}\n");
    log_trace(f.log, "x");
    assert_string_equal(take_text(&f),
                        "{\"time\":\"2026-11-21T08:48:03.120000Z\",\"level\":\"trace\",\"msg\":\"x\"}\n");
    close_log(&f);
}

static void test_levels(void **state UNUSED)
{
    for (enum log_level level = LOG_ERROR; level <= LOG_TRACE; level++) {
        struct fixture f;
        open_log(&f, LOG_TEXT, level);
        for (enum log_level l = LOG_ERROR; l <= LOG_TRACE; l++) {
            log_write(f.log, l, "m", NULL, 0);
            assert_int_equal(log_enabled(f.log, l), l <= level);
            assert_int_equal(strlen(take_text(&f)) > 0, l <= level);
        }
        assert_int_equal(log_dropped(f.log), 0);
        close_log(&f);
    }
}

static void test_components(void **state UNUSED)
{
    struct fixture f;
    open_log(&f, LOG_TEXT, LOG_INFO);
    struct log *child = log_with(f.log, "reflector");
    struct log *grandchild = log_with(child, "pods");
    log_info(grandchild, "a");
    assert_string_equal(take_text(&f), "time=2026-11-21T08:48:03.120000Z level=info component=reflector.pods msg=a\n");
    log_info(child, "a");
    assert_string_equal(take_text(&f), "time=2026-11-21T08:48:03.120000Z level=info component=reflector msg=a\n");
    log_debug(child, "a");
    assert_false(log_enabled(child, LOG_DEBUG));
    log_info(f.log, "a");
    assert_string_equal(take_text(&f), "time=2026-11-21T08:48:03.120000Z level=info msg=a\n");
    close_log(&f);
}

static void test_null(void **state UNUSED)
{
    log_info(NULL, "a", LOG_I("n", 1));
    assert_false(log_enabled(NULL, LOG_ERROR));
    assert_null(log_with(NULL, "x"));
    assert_null(log_free(NULL));
    assert_int_equal(log_dropped(NULL), 0);
}

/* What foreign text may hold. */
static const char *const nasty[] = {
    "plain",
    "two words",
    "a=b",
    "\"quoted\"",
    "back\\slash",
    "line\nfeed\r\n",
    "\nlevel=error msg=\"forged\"",
    "\"} {\"level\":\"error\"",
    "\t\b\f\v\a",
    "\x01\x02\x03\x1e\x1f\x7f",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "\xC2\x80\xC2\x85\xC2\x9B"
    "31m\xC2\x9F", /* C1, with the one-character CSI */
    "\xE2\x80\xAE"
    "txt.exe\xE2\x80\xAC", /* right-to-left override */
    "\xE2\x81\xA6"
    "isolate\xE2\x81\xA9\xD8\x9C\xE2\x80\x8F",
    "\xE2\x80\xA8line\xE2\x80\xA9paragraph",
    "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80",
    "\xEF\xBF\xBD",                     /* U+FFFD itself */
    "\x80\xBF\xC3",                     /* lone continuations, a lead without its byte */
    "\xC0\xAF\xE0\x80\xAF",             /* overlong */
    "\xED\xA0\x80\xED\xB0\x80",         /* surrogates */
    "\xF4\x90\x80\x80\xF8\x88\x80\x80", /* above U+10FFFF */
    "\xF0\x9F\x98",                     /* cut */
    "\xFE\xFF\xFF\xFE",
};

/* No byte of a line may do anything to a terminal. */
static void check_harmless(const char *line)
{
    size_t len = strlen(line);
    assert_true(len > 0 && len < PIPE_BUF);
    assert_int_equal(line[len - 1], '\n');
    assert_true(str_is_utf8(line, len));
    for (size_t i = 0, n; i < len - 1; i += n)
        assert_false(str_is_unsafe(str_code_point(line + i, len - i, &n)));
}

static unsigned int hex_number(const char *s, size_t n)
{
    char text[9] = {0};
    memcpy(text, s, n);
    char *end;
    unsigned long value = strtoul(text, &end, 16);
    assert_ptr_equal(end, text + n);
    return (unsigned int)value;
}

static size_t put_utf8(char *out, unsigned int c)
{
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 63));
    out[2] = (char)(0x80 | (c & 63));
    return 3;
}

/* Reads a logfmt value at `s` into `out`, undoing Go's quoting; gives the end of it. */
static const char *read_value(const char *s, char *out, size_t *ret_len)
{
    size_t len = 0;
    if (*s != '"') {
        size_t n = strcspn(s, " \n");
        memcpy(out, s, n);
        *ret_len = n;
        return s + n;
    }
    for (s++; *s != '"'; s++) {
        assert_true(*s && *s != '\n');
        if (*s != '\\') {
            out[len++] = *s;
            continue;
        }
        static const char from[] = "nrt\"\\", to[] = "\n\r\t\"\\";
        const char *at = strchr(from, *++s);
        if (at && *at) {
            out[len++] = to[at - from];
        } else if (*s == 'x') {
            out[len++] = (char)hex_number(s + 1, 2);
            s += 2;
        } else {
            assert_int_equal(*s, 'u');
            len += put_utf8(out + len, hex_number(s + 1, 4));
            s += 4;
        }
    }
    *ret_len = len;
    return s + 1;
}

/* The text form gives every byte back. */
static void check_text_round_trip(struct fixture *f, const char *value)
{
    static char out[8192];
    size_t len;
    log_info(f->log, value, LOG_S("k", value), LOG_I("end", 1));
    const char *line = take_text(f);
    check_harmless(line);
    const char *msg = strstr(line, " msg=");
    assert_non_null(msg);
    const char *end = read_value(msg + 5, out, &len);
    assert_int_equal(len, strlen(value));
    assert_memory_equal(out, value, len);
    assert_memory_equal(end, " k=", 3);
    end = read_value(end + 3, out, &len);
    assert_int_equal(len, strlen(value));
    assert_memory_equal(out, value, len);
    assert_string_equal(end, " end=1\n");
}

/* JSON gives everything back but what was no UTF-8. */
static void check_json_round_trip(struct fixture *f, const char *value)
{
    log_info(f->log, value, LOG_S("k", value), LOG_I("end", 1));
    const char *line = take_text(f);
    check_harmless(line);
    json_error_t problem;
    json_t *record = json_loads(line, JSON_REJECT_DUPLICATES, &problem);
    if (!record)
        fail_msg("%s: %s", problem.text, line);
    const char *back = json_string_value(json_object_get(record, "k"));
    assert_non_null(back);
    assert_string_equal(json_string_value(json_object_get(record, "msg")), back);
    assert_int_equal(json_integer_value(json_object_get(record, "end")), 1);
    assert_int_equal(json_object_size(record), 5);
    if (str_is_utf8(value, strlen(value)))
        assert_string_equal(back, value);
    else
        assert_non_null(strstr(back, "\xEF\xBF\xBD"));
    json_decref(record);
}

static void test_nasty(void **state UNUSED)
{
    struct fixture text, json;
    open_log(&text, LOG_TEXT, LOG_INFO);
    open_log(&json, LOG_JSON, LOG_INFO);
    for (size_t i = 0; i < ARRAY_SIZE(nasty); i++) {
        check_text_round_trip(&text, nasty[i]);
        check_json_round_trip(&json, nasty[i]);
    }
    /* Every single byte, and random strings of bytes that are likely to be special. */
    for (int c = 1; c < 256; c++) {
        const char value[] = {'a', (char)c, 'b', '\0'};
        check_text_round_trip(&text, value);
        check_json_round_trip(&json, value);
    }
    struct rng rng;
    rng_seed(&rng, 8);
    for (int i = 0; i < 5000; i++) {
        char value[160];
        size_t len = 0, pieces = (size_t)rng_below(&rng, 10);
        value[0] = '\0';
        while (pieces-- > 0) {
            const char *from = nasty[rng_below(&rng, ARRAY_SIZE(nasty))];
            size_t n = (size_t)rng_below(&rng, MIN(strlen(from), (size_t)14) + 1);
            memcpy(value + len, from, n);
            len += n;
            value[len] = '\0';
        }
        check_text_round_trip(&text, value);
        check_json_round_trip(&json, value);
    }
    close_log(&text);
    close_log(&json);
}

/* Fields are cut to 1 KiB on the way out, at a character, and it shows. */
static void test_long_values(void **state UNUSED)
{
    static const char *const units[] = {"a", "\x1b", "\xC3\xA4", "\xF0\x9F\x98\x80", "\xE2\x80\xAE", "\xFF", "\"", " "};
    for (enum log_format format = LOG_TEXT; format <= LOG_JSON; format++) {
        struct fixture f;
        open_log(&f, format, LOG_INFO);
        for (size_t u = 0; u < ARRAY_SIZE(units); u++) {
            size_t unit = strlen(units[u]);
            static char value[1 << 20];
            for (size_t i = 0; i + unit < sizeof(value); i += unit)
                memcpy(value + i, units[u], unit);
            value[sizeof(value) - 1] = '\0';
            log_info(f.log, "m", LOG_S("k", value), LOG_I("end", 1));
            const char *line = take_text(&f);
            check_harmless(line);
            const char *start = strstr(line, format == LOG_JSON ? "\"k\":" : "k=");
            const char *end = strstr(line, format == LOG_JSON ? "...\",\"end\":1}\n" : "...\" end=1\n");
            assert_true(start && end && end > start);
            assert_in_range(end - start, 1018, 1026);
        }
        close_log(&f);
    }
}

static void test_value_bounds(void **state UNUSED)
{
    struct fixture f;
    open_log(&f, LOG_TEXT, LOG_INFO);
    char value[1026] = {0}, want[1200];
    memset(value, 'x', 1024);
    log_info(f.log, "m", LOG_S("k", value));
    snprintf(want, sizeof(want), "time=2026-11-21T08:48:03.120000Z level=info msg=m k=%s\n", value);
    assert_string_equal(take_text(&f), want);
    value[1024] = 'x';
    log_info(f.log, "m", LOG_S("k", value));
    snprintf(want, sizeof(want), "time=2026-11-21T08:48:03.120000Z level=info msg=m k=\"%.1021s...\"\n", value);
    assert_string_equal(take_text(&f), want);
    close_log(&f);
}

/* A record stays below 4 KiB: what doesn't fit is left out, and what is smaller still gets in. */
static void test_long_records(void **state UNUSED)
{
    char big[901] = {0};
    memset(big, 'x', 900);
    for (enum log_format format = LOG_TEXT; format <= LOG_JSON; format++) {
        struct fixture f;
        open_log(&f, format, LOG_INFO);
        for (size_t extra = 0; extra < 200; extra++) {
            char filler[201] = {0};
            memset(filler, 'f', extra);
            log_info(f.log, "m", LOG_S("a", big), LOG_S("b", big), LOG_S("c", big), LOG_S("d", big),
                     LOG_S("filler", filler), LOG_S("e", big), LOG_I("end", 1));
            const char *line = take_text(&f);
            check_harmless(line);
            assert_true(strlen(line) < PIPE_BUF);
            assert_null(strstr(line, format == LOG_JSON ? "\"e\":" : " e="));
            assert_non_null(strstr(line, format == LOG_JSON ? "\"end\":1," : " end=1 "));
            assert_non_null(strstr(line, format == LOG_JSON ? ",\"truncated\":true}\n" : " truncated=true\n"));
            if (format == LOG_JSON) {
                json_t *record = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
                assert_non_null(record);
                json_decref(record);
            }
        }
        /* Many fields of every size around the limit. */
        struct log_field fields[400];
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
            fields[i] = LOG_S("key", big + 900 - i % 37);
        for (size_t n = 0; n <= ARRAY_SIZE(fields); n++) {
            log_write(f.log, LOG_INFO, "m", fields, n);
            check_harmless(take_text(&f));
        }
        assert_int_equal(log_dropped(f.log), 0);
        close_log(&f);
    }
}

static void on_alarm(int signal_number UNUSED)
{
    static const char text[] = "log_write() waits\n";
    ssize_t ignored UNUSED = write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(1);
}

/* A pipe that nobody reads: records are dropped and counted, none waits, none is torn; afterwards all goes
 * on. */
static void check_full_pipe(int flags)
{
    int pipe_fds[2];
    struct clock_fake clock;
    clock_fake_init(&clock, NOW_US);
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | flags), 0);
    struct log *log = log_new(&(struct log_config){.fd = pipe_fds[1], .level = LOG_INFO, .clock = &clock.clock});
    signal(SIGALRM, on_alarm);
    alarm(20);
    uint64_t n = 0;
    for (; n < 10000; n++)
        log_info(log, "a record of some length, so that the pipe is full soon", LOG_I("n", n));
    uint64_t dropped = log_dropped(log);
    assert_true(dropped > 0 && dropped < n);

    char text[65537];
    size_t len = 0;
    assert_int_equal(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), 0);
    for (ssize_t r; (r = read(pipe_fds[0], text + len, sizeof(text) - 1 - len)) > 0;)
        len += (size_t)r;
    text[len] = '\0';
    uint64_t lines = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
        char want[32];
        int want_len = snprintf(want, sizeof(want), " n=%d\n", (int)lines);
        assert_memory_equal(end + 1 - want_len, want, (size_t)want_len);
    }
    assert_int_equal(lines, n - dropped);
    assert_int_equal(text[len - 1], '\n');

    log_info(log, "again");
    assert_int_equal(log_dropped(log), dropped);
    ssize_t r = read(pipe_fds[0], text, sizeof(text) - 1);
    assert_true(r > 0);
    text[r] = '\0';
    assert_string_equal(text, "time=2026-11-21T08:48:03.120000Z level=info msg=again\n");

    /* And when the reader is gone. */
    close(pipe_fds[0]);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    log_info(log, "nobody");
    sigaction(SIGPIPE, &before, NULL);
    assert_int_equal(log_dropped(log), dropped + 1);
    alarm(0);
    log_free(log);
    close(pipe_fds[1]);
}

static void test_full_pipe(void **state UNUSED)
{
    check_full_pipe(0);
    check_full_pipe(O_NONBLOCK);
}

/* A line that was torn by a full disk is ended before the next one begins. */
static void test_torn_line(void **state UNUSED)
{
    struct fixture f;
    open_log(&f, LOG_TEXT, LOG_INFO);
    struct rlimit before;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    sigaction(SIGXFSZ, &ignore, &old);
    struct rlimit tight = {.rlim_cur = 70, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    log_info(f.log, "one");
    log_info(f.log, "two");
    log_info(f.log, "three");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    log_info(f.log, "four");
    log_info(f.log, "five");
    sigaction(SIGXFSZ, &old, NULL);
    assert_int_equal(log_dropped(f.log), 2);
    assert_string_equal(take_text(&f), "time=2026-11-21T08:48:03.120000Z level=info msg=one\n"
                                       "time=2026-11-21T08\n"
                                       "time=2026-11-21T08:48:03.120000Z level=info msg=four\n"
                                       "time=2026-11-21T08:48:03.120000Z level=info msg=five\n");
    close_log(&f);
}

static void test_bad_descriptor(void **state UNUSED)
{
    struct clock_fake clock;
    clock_fake_init(&clock, NOW_US);
    int fd = memfd_create("log", MFD_CLOEXEC);
    close(fd);
    struct log *log = log_new(&(struct log_config){.fd = fd, .level = LOG_INFO, .clock = &clock.clock});
    log_info(log_with(log, "x"), "lost");
    assert_int_equal(log_dropped(log), 1);
    log_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),        cmocka_unit_test(test_json),         cmocka_unit_test(test_levels),
        cmocka_unit_test(test_components),  cmocka_unit_test(test_null),         cmocka_unit_test(test_nasty),
        cmocka_unit_test(test_long_values), cmocka_unit_test(test_value_bounds), cmocka_unit_test(test_long_records),
        cmocka_unit_test(test_full_pipe),   cmocka_unit_test(test_torn_line),    cmocka_unit_test(test_bad_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
