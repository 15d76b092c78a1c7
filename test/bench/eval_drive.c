/* How good the driving quantile is: plays a trace at sync level (demand linear between the middles of its
 * intervals, one measurement every 15 s, as `simulate` does), and compares Q with the highest demand that
 * came within the lead.
 *
 *     eval_drive [-l LEAD_S] [-c PERCENT] [-i INTERVAL_S] [-w WARMUP_DAYS] SERIES.csv...
 *
 * Printed: the share of syncs whose window stayed below Q (on all, and on those whose demand rises by over a
 * tenth within the lead); the share of syncs that are trusted, and how many of those stayed below Q; the mean of Q
 * over the mean of the highest demand; and, beside it, what a fixed
 * factor on the last value needs for the same coverage when that factor is chosen in hindsight. After the
 * warm-up, which is fed slot by slot.
 */
#include "base/base.h"
#include "core/demand.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK 15

static double parse_time(const char *s)
{
    struct tm tm = {0};
    if (strlen(s) > 10 && s[4] == '-') {
        const char *rest = strptime(s, "%Y-%m-%d", &tm);
        if (rest)
            strptime(rest + 1, "%H:%M:%S", &tm);
        return (double)timegm(&tm);
    }
    return strtod(s, NULL);
}

/* Values every `step` seconds (from the first two rows), the last one standing where there is none. */
static double *load(const char *path, uint32_t *ret_n, uint32_t *ret_step)
{
    FILE *f = fopen(path, "r");
    char line[256];
    if (!f || !fgets(line, sizeof line, f)) {
        perror(path);
        exit(1);
    }
    double first = 0, last = 0, *v = NULL;
    uint32_t n = 0, cap = 0, step = 0;
    while (fgets(line, sizeof line, f)) {
        char *comma = strchr(line, ',');
        if (!comma)
            continue;
        *comma = '\0';
        double t = parse_time(line), x = strtod(comma + 1, NULL);
        if (n == 0)
            first = t;
        else if (step == 0)
            step = (uint32_t)(t - first);
        uint32_t at = step ? (uint32_t)((t - first) / step) : 0;
        for (; n <= at; n++) {
            if (n == cap)
                v = realloc(v, (cap = cap ? 2 * cap : 4096) * sizeof *v);
            v[n] = n == at ? x : last;
        }
        last = x;
    }
    (void)fclose(f);
    *ret_n = n;
    *ret_step = step;
    return v;
}

static double demand_at(const double *v, uint32_t n, uint32_t step, double t)
{
    double pos = t / step - 0.5;
    if (pos <= 0)
        return v[0];
    uint32_t i = (uint32_t)pos;
    return i + 1 >= n ? v[n - 1] : v[i] + (pos - i) * (v[i + 1] - v[i]);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    uint32_t lead = 180, percent = 90, interval = 300, warmup = 7;
    for (int opt; (opt = getopt(argc, argv, "l:c:i:w:")) != -1;)
        *(opt == 'l'   ? &lead
          : opt == 'c' ? &percent
          : opt == 'i' ? &interval
                       : &warmup) = (uint32_t)strtoul(optarg, NULL, 10);
    printf("%-44s %7s %7s %7s | %7s %7s | %8s %8s %7s\n", "series", "covered", "rising", "share", "trusted", "covered",
           "Q/high", "fixed", "us");
    double sums[5] = {0};
    uint32_t count = 0;
    uint64_t trusted_all = 0;
    for (int i = optind; i < argc; i++) {
        uint32_t n, step;
        double *v = load(argv[i], &n, &step);
        struct demand_config c = demand_config_default();
        c.confidence_percent = percent;
        c.interval_s = interval;
        struct demand *d = demand_new(&c);
        uint32_t begin = warmup * 86400, ticks = (uint32_t)((uint64_t)n * step / TICK), w = lead / TICK;
        for (uint32_t s = 0; s < begin / interval; s++) {
            double sum = 0;
            uint32_t k = 0;
            for (uint32_t t = s * interval; t < (s + 1) * interval; t += TICK, k++)
                sum += demand_at(v, n, step, t);
            demand_push_slot(d, s, sum / k, lead);
        }
        double *ratio = calloc(ticks + 1, sizeof *ratio), q_sum = 0, high_sum = 0, value_sum = 0, us = 0;
        uint32_t m = 0, covered = 0, trusted = 0, trusted_covered = 0, rising = 0, rising_covered = 0;
        for (uint32_t t = begin / TICK; t + w < ticks; t++) {
            double x = demand_at(v, n, step, t * (double)TICK), high = x;
            for (uint32_t k = 1; k <= w; k++)
                high = MAX(high, demand_at(v, n, step, (t + k) * (double)TICK));
            struct timespec a, b;
            clock_gettime(CLOCK_MONOTONIC, &a);
            demand_observe(d, (int64_t)t * TICK * 1000000, SAMPLE_OF(x), 0, lead);
            struct demand_drive q = demand_drive(d, (int64_t)t * TICK * 1000000, lead);
            clock_gettime(CLOCK_MONOTONIC, &b);
            us += (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
            bool below = high <= q.quantile * (1 + 1e-3);
            covered += below;
            if (demand_trust(d).trusted) {
                trusted++;
                trusted_covered += below;
            }
            if (high > 1.1 * x) {
                rising++;
                rising_covered += below;
            }
            q_sum += q.quantile;
            high_sum += high;
            value_sum += x;
            ratio[m++] = x > 0 ? high / x : 1e9;
        }
        demand_free(d);
        free(v);
        const char *slash = strrchr(argv[i], '/'), *name = slash ? slash + 1 : argv[i];
        if (m < 1000 || !(high_sum > 0)) {
            printf("%-44.44s too short\n", name);
            free(ratio);
            continue;
        }
        qsort(ratio, m, sizeof *ratio, by_value);
        double fixed = ratio[MIN(covered, m - 1)] * value_sum / high_sum;
        printf("%-44.44s %7.3f %7.3f %7.3f | %7.3f %7.3f | %8.3f %8.3f %7.2f\n", name, (double)covered / m,
               rising ? (double)rising_covered / rising : 1, (double)rising / m, (double)trusted / m,
               trusted ? (double)trusted_covered / trusted : 1, q_sum / high_sum, fixed, us / m);
        sums[0] += (double)covered / m;
        sums[1] += q_sum / high_sum;
        sums[2] += MIN(fixed, 10.0);
        sums[3] += (double)trusted / m;
        sums[4] += (double)trusted_covered;
        trusted_all += trusted;
        count++;
        free(ratio);
    }
    printf("%-44s %7.3f %7s %7s | %7.3f %7.3f | %8.3f %8.3f\n", "mean", sums[0] / count, "", "", sums[3] / count,
           trusted_all ? sums[4] / (double)trusted_all : 1, sums[1] / count, sums[2] / count);
    return 0;
}
