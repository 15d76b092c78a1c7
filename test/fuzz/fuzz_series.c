/* Any bytes as a series file: one byte chooses grid and interval, the rest is the file. What is accepted is what the
 * header promises; what is refused is so with a place. */
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lab/series_file.h"
#include "test/fuzz/fuzz.h"

static void check(const struct series_file *s, const struct series_file_options *options)
{
    CLAIM(s->n > 0 && s->n <= SERIES_FILE_MAX_SLOTS && s->rows > 0 && s->interval_s == options->interval_s);
    uint32_t filled = 0;
    bool negative = false;
    for (uint32_t i = 0; i < s->n; i++) {
        CLAIM(!isinf(s->value[i]));
        filled += !isnan(s->value[i]);
        negative |= s->value[i] < 0;
    }
    CLAIM(filled == s->filled && filled <= s->rows);
    CLAIM(!negative || s->negative);
    CLAIM((s->clipped > 0) == (s->clipped_line > 0) && s->negative == (s->negative_line > 0));
    CLAIM(series_file_time_us(s, s->n) >= series_file_time_us(s, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("series", 0);
        CLAIM(fd >= 0);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (size < 1)
        return 0;
    CLAIM(ftruncate(fd, 0) == 0 && pwrite(fd, data + 1, size - 1, 0) == (ssize_t)(size - 1));
    static const uint32_t intervals_s[] = {3600, 900, 10, 3600}; /* years of gaps cost time and find nothing */
    struct series_file_options options = {.interval_s = intervals_s[data[0] & 3],
                                          .grid = (enum series_grid)((data[0] >> 2) % 3)};
    struct series_file s;
    struct error err = ERROR_INIT;
    if (series_file_read(path, &options, &s, &err) < 0) {
        claim_message(&err);
        CLAIM(strncmp(err.message, path, strlen(path)) == 0);
        return 0;
    }
    check(&s, &options);
    series_file_done(&s);
    return 0;
}
