/* process_*, by the names and meanings of the Prometheus client libraries. What can't be read is NaN, not
 * zero. */
#include "base/metrics.h"

#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What of /proc/self/stat is shown, in bytes and ticks. */
struct stat_line {
    double virtual_bytes, resident_bytes, start_ticks;
};

static struct metrics_series *series_of(struct metrics *m, enum metrics_type type, const char *name, const char *help)
{
    return metrics_get(metrics_family(m, type, name, help, "", NULL, 0), NULL);
}

static void gauge(struct metrics *m, const char *name, const char *help, double value)
{
    metrics_set(series_of(m, METRICS_GAUGE, name, help), value);
}

/* The n-th field of proc(5), counted from 1, as a number. The second is the program's name in parentheses,
 * which may hold anything; so counting begins behind the last parenthesis. */
static double stat_field(const char *text, int n)
{
    const char *p = strrchr(text, ')');
    for (int i = 2; p && i < n; i++)
        p = strchr(p + 1, ' ');
    double value;
    return p && str_to_double_n(p + 1, strcspn(p + 1, " \n"), &value) ? value : (double)NAN;
}

static struct stat_line read_stat(void)
{
    char text[2048] = "";
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read(fd, text, sizeof(text) - 1);
        text[MAX(n, 0)] = '\0';
        close(fd);
    }
    return (struct stat_line){
        .virtual_bytes = stat_field(text, 23),
        .resident_bytes = stat_field(text, 24) * (double)sysconf(_SC_PAGESIZE),
        .start_ticks = stat_field(text, 22),
    };
}

static double count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return (double)NAN;
    /* ".", ".." and the directory itself are not counted. */
    double n = -3;
    while (readdir(dir)) /* NOLINT(concurrency-mt-unsafe): the stream is ours alone */
        n++;
    closedir(dir);
    return n;
}

static double limit_of(__rlimit_resource_t resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0)
        return (double)NAN;
    return limit.rlim_cur == RLIM_INFINITY ? (double)INFINITY : (double)limit.rlim_cur;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return (double)NAN;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void collect(void *data)
{
    struct metrics *m = data;
    struct stat_line stat = read_stat();
    metrics_set(
        series_of(m, METRICS_COUNTER, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds."),
        cpu_seconds());
    gauge(m, "process_open_fds", "Number of open file descriptors.", count_fds());
    gauge(m, "process_max_fds", "Maximum number of open file descriptors.", limit_of(RLIMIT_NOFILE));
    gauge(m, "process_virtual_memory_bytes", "Virtual memory size in bytes.", stat.virtual_bytes);
    gauge(m, "process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.",
          limit_of(RLIMIT_AS));
    gauge(m, "process_resident_memory_bytes", "Resident memory size in bytes.", stat.resident_bytes);
}

void metrics_process(struct metrics *m)
{
    /* Once, because the difference of two clocks would make it tremble from one scrape to the next. */
    double boot_s = (double)(clock_real_us(&clock_system) - clock_boot_us(&clock_system)) / 1e6;
    double start_s = boot_s + read_stat().start_ticks / (double)sysconf(_SC_CLK_TCK);
    gauge(m, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", start_s);
    metrics_on_collect(m, collect, m);
}
