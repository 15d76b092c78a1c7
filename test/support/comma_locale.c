/* Runs localedef (Debian: libc-bin; its character maps: locales) on three lines of locale source in a temporary
 * directory.
 */
#include "test/support/comma_locale.h"

#include <fcntl.h>
#include <locale.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char source[] = "LC_NUMERIC\n"
                             "decimal_point \",\"\n"
                             "thousands_sep \".\"\n"
                             "grouping 3;3\n"
                             "END LC_NUMERIC\n";

static int run_quietly(const char *const argv[])
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int r = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return r == 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? 0 : -1;
}

const char *comma_locale_begin(void)
{
    char folder[] = "/tmp/comma-locale-XXXXXX";
    char source_path[64], locale_path[64];
    if (!mkdtemp(folder))
        return "no temporary directory";
    snprintf(source_path, sizeof(source_path), "%s/source", folder);
    snprintf(locale_path, sizeof(locale_path), "%s/comma", folder);
    FILE *f = fopen(source_path, "we");
    if (!f || fputs(source, f) < 0 || fclose(f) != 0)
        return "can't write the locale source";
    /* Its exit status is about the categories that the source does not have. */
    const char *const make[] = {"localedef", "-c", "-i", source_path, locale_path, NULL};
    run_quietly(make);
    setenv("LOCPATH", folder, 1);
    bool made = setlocale(LC_NUMERIC, "comma");
    const char *const clean[] = {"rm", "-rf", folder, NULL};
    run_quietly(clean);
    if (!made)
        return "localedef made no locale";
    char text[8];
    snprintf(text, sizeof(text), "%.1f", 0.5);
    return strcmp(text, "0,5") == 0 ? NULL : "the locale has no comma";
}

void comma_locale_end(void)
{
    setlocale(LC_NUMERIC, "C");
}
