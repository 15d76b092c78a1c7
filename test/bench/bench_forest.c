/* What anomaly detection costs: a forest of 100 trees on 256 rows grown on 288 rows and asked for all of them; one row
 * through the detector, with the forest there and after a rest; what it keeps. Medians, beside their targets. */
#include "base/alloc.h"
#include "base/rng.h"
#include "core/anomaly.h"
#include "core/forest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS     301
#define ROWS     288
#define FEATURES 5
#define RING     2016

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void print(const char *what, double *us, double target_us)
{
    qsort(us, RUNS, sizeof *us, compare);
    printf("%-58s %9.1f us (least %8.1f)", what, us[RUNS / 2], us[0]);
    if (target_us > 0)
        printf("  target %6.0f us  %s", target_us, us[RUNS / 2] <= target_us ? "met" : "MISSED");
    printf("\n");
}

static double value(struct rng *rng, int i)
{
    double phase = (double)(i % 288) / 288;
    return 10 + 40 * phase * (1 - phase) + 2 * rng_unit(rng);
}

static void bench_forest(struct rng *rng)
{
    static float rows[ROWS * FEATURES];
    static double us[RUNS], depth[ROWS];
    for (int i = 0; i < ROWS * FEATURES; i++)
        rows[i] = (float)value(rng, i);
    for (int n = 0; n < RUNS; n++) {
        double began = now_us();
        struct forest *f = forest_new(FEATURES, 100);
        forest_fit(f, rows, ROWS, (uint64_t)n);
        forest_depths(f, rows, ROWS, depth);
        forest_free(f);
        us[n] = now_us() - began;
    }
    print("forest: 100 trees x 256 on 288 rows, and their scores", us, 2000);
}

static void bench_detector(struct rng *rng, bool rests)
{
    static double us[RUNS];
    const struct anomaly_config config = {.n_metrics = 1, .season = 288, .seed = 1};
    struct series series;
    const struct series *all = &series;
    struct anomaly *a = anomaly_new(&config);
    series_init(&series, RING);
    for (int i = 0; i < 2 * RING; i++)
        series_push(&series, value(rng, i), 0);
    for (int n = 0, i = 0; n < RUNS; i++) {
        double v = value(rng, i), began = now_us();
        (void)anomaly_judge(a, &all, series.next, &v);
        double took = now_us() - began;
        if (i > 0 && (rests || took < 200)) /* without rests a forest is due every 144 rows: its time is shown apart */
            us[n++] = took;
        series_push(&series, v, 0);
        if (rests)
            anomaly_rest(a);
    }
    print(rests ? "row: after a rest, 2016 rows remembered" : "row: with the forest there", us, 0);
    if (rests)
        printf("kept at rest: %zu bytes; with the forest %zu\n", anomaly_memory(a),
               anomaly_memory(a) + forest_memory(ANOMALY_TREES));
    (void)anomaly_free(a);
    series_done(&series);
}

int main(void)
{
    struct rng rng;
    rng_seed(&rng, 1);
    bench_forest(&rng);
    bench_detector(&rng, false);
    bench_detector(&rng, true);
    return 0;
}
