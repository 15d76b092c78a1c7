/* Standard output and standard error; see output.h. */
#include "output.h"

#include "command.h"

#include "core/series.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define USUAL_WIDTH 100u

int output_failed(const struct error *err)
{
    (void)fprintf(stderr, "kubectl-ai4k8s: %s\n", error_text(err));
    return STATUS_FAILED;
}

int output_bad_input(const struct error *err)
{
    (void)output_failed(err);
    return err->kind == ERROR_IO ? STATUS_FAILED : STATUS_USAGE;
}

void output_note(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)fputs("kubectl-ai4k8s: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

void output_clipped(const char *file, uint64_t n, uint64_t line, const char *model)
{
    if (n)
        output_note("%s:%llu: %llu value%s beyond +-%g and taken as that; the %s knows no larger ones", file,
                    (unsigned long long)line, (unsigned long long)n, n == 1 ? " was" : "s were", SERIES_MAX, model);
}

/* Right behind the write that failed, for errno tells its cause no longer than that. */
static void tell_write_error(void)
{
    if (errno != EPIPE) /* a reader such as `head` that has enough is no news */
        (void)fprintf(stderr, "kubectl-ai4k8s: writing standard output: %s\n", strerrordesc_np(errno));
}

void output_text(const struct buf *text)
{
    if (!output_takes_more()) /* has been told; more would only follow what is missing */
        return;
    if (fwrite(buf_str(text), 1, text->len, stdout) < text->len)
        tell_write_error();
}

bool output_takes_more(void)
{
    return !ferror(stdout);
}

bool output_flush(void)
{
    if (!output_takes_more())
        return false;
    if (fflush(stdout) == 0)
        return true;
    tell_write_error();
    return false;
}

int output_end(int status)
{
    return output_flush() || status != STATUS_OK ? status : STATUS_FAILED;
}

bool output_is_terminal(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

bool output_has_colour(void)
{
    const char *no = getenv("NO_COLOR");
    return output_is_terminal() && !(no && no[0]);
}

unsigned output_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return USUAL_WIDTH;
    return MAX(40u, MIN((unsigned)size.ws_col, 200u));
}

void output_progress(const char *label, uint64_t part, uint64_t whole)
{
    if (isatty(STDERR_FILENO) != 1)
        return;
    if (part >= whole)
        (void)fputs("\r\033[K", stderr);
    else
        (void)fprintf(stderr, "\r\033[K%.60s %d %%", label, (int)(100 * part / whole));
    (void)fflush(stderr);
}

void output_progress_count(const char *label, uint64_t count)
{
    if (isatty(STDERR_FILENO) != 1)
        return;
    (void)fprintf(stderr, "\r\033[K%llu %.60s", (unsigned long long)count, label);
    (void)fflush(stderr);
}
