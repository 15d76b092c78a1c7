/* Problems that people read: where, what, and in files on which line; see decode.h. */
#include "api/decode.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int api_problem_add(struct api_problems *problems, const char *path, const char *fmt, ...)
{
    problems->total++;
    if (problems->n == API_MAX_PROBLEMS)
        return -1;
    struct api_problem *p = &problems->items[problems->n++];
    *p = (struct api_problem){0};
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    /* Paths and messages quote what a file or an annotation says. */
    _cleanup_(buf_done) struct buf clean = BUF_INIT(2 * sizeof text);
    str_sanitize(&clean, path, strlen(path), sizeof p->path - 1);
    (void)str_copy(p->path, sizeof p->path, buf_str(&clean));
    buf_clear(&clean);
    str_sanitize(&clean, text, strlen(text), sizeof text);
    (void)str_copy(p->message, sizeof p->message, buf_str(&clean));
    return -1;
}

/* Cuts the last part off "a.b[0].c"; false: nothing is left. */
static bool parent(char *path)
{
    char *dot = strrchr(path, '.'), *bracket = strrchr(path, '[');
    char *cut = dot > bracket ? dot : bracket;
    if (!cut)
        return false;
    *cut = '\0';
    return true;
}

void api_problems_locate(struct api_problems *problems, const struct yaml_doc *doc)
{
    for (unsigned i = 0; i < problems->n; i++) {
        struct api_problem *p = &problems->items[i];
        char path[sizeof p->path];
        (void)str_copy(path, sizeof path, p->path);
        do
            p->line = yaml_line(doc, path);
        while (p->line == 0 && parent(path));
    }
}

static void format_one(const struct api_problem *p, const char *file, struct buf *out)
{
    if (file)
        (void)buf_puts(out, file);
    if (file && p->line > 0)
        (void)buf_printf(out, ":%d", p->line);
    if (file)
        (void)buf_puts(out, ": ");
    if (p->path[0])
        (void)buf_printf(out, "%s: ", p->path);
    (void)buf_puts(out, p->message);
}

void api_problems_format(const struct api_problems *problems, const char *file, struct buf *out)
{
    for (unsigned i = 0; i < problems->n; i++) {
        format_one(&problems->items[i], file, out);
        (void)buf_putc(out, '\n');
    }
    if (problems->total > problems->n)
        (void)buf_printf(out, "... and %u more\n", problems->total - problems->n);
}

int api_problems_error(const struct api_problems *problems, const char *file, struct error *err)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(sizeof(struct api_problems) + 4096);
    for (unsigned i = 0; i < problems->n; i++) {
        if (i > 0)
            (void)buf_puts(&text, "; ");
        format_one(&problems->items[i], i == 0 ? file : NULL, &text);
    }
    if (problems->total > problems->n)
        (void)buf_printf(&text, "; and %u more", problems->total - problems->n);
    return error_set(err, ERROR_CONFIG, "%s", buf_str(&text));
}
