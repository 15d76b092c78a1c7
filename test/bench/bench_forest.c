/* What anomaly detection costs: a forest of 100 trees on 256 rows grown on 288 rows and asked for all of them; one row
 * through the detector, with the forest there and after a rest; what it keeps. Medians, beside their targets. */
#include "base/rng.h"
#include "core/anomaly.h"
#include "core/forest.h"
#include "test/bench/meter.h"

#include <stdio.h>

#define ROWS     288
#define FEATURES 5
#define RING     2016

static double value(struct rng *rng, int i)
{
    double phase = (double)(i % 288) / 288;
    return 10 + 40 * phase * (1 - phase) + 2 * rng_unit(rng);
}

static bool bench_forest(struct rng *rng)
{
    static float rows[ROWS * FEATURES];
    static struct meter m;
    static double depth[ROWS];
    const uint32_t runs = meter_runs();
    for (int i = 0; i < ROWS * FEATURES; i++)
        rows[i] = (float)value(rng, i);
    for (uint32_t n = 0; n < runs; n++) {
        meter_begin(&m);
        struct forest *f = forest_new(FEATURES, 100);
        forest_fit(f, rows, ROWS, n);
        forest_depths(f, rows, ROWS, depth);
        forest_free(f);
        meter_end(&m);
    }
    return meter_print(&m, "forest: 100 trees x 256 on 288 rows, and their scores", 2000);
}

static void bench_detector(struct rng *rng, bool rests)
{
    static struct meter m;
    const struct anomaly_config config = {.n_metrics = 1, .season = 288, .seed = 1};
    struct series series;
    const struct series *all = &series;
    struct anomaly *a = anomaly_new(&config);
    series_init(&series, RING);
    for (int i = 0; i < 2 * RING; i++)
        series_push(&series, value(rng, i), 0);
    /* The first row finds no forest. Without rests another is due every 144 rows: the median does not see it. */
    const uint32_t runs = meter_runs();
    for (uint32_t i = 0; i <= runs; i++) {
        double v = value(rng, (int)i);
        if (i > 0)
            meter_begin(&m);
        (void)anomaly_judge(a, &all, series.next, &v);
        if (i > 0)
            meter_end(&m);
        series_push(&series, v, 0);
        if (rests)
            anomaly_rest(a);
    }
    (void)meter_print(&m, rests ? "row: after a rest, 2016 rows remembered" : "row: with the forest there", 0);
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
    bool met = bench_forest(&rng);
    bench_detector(&rng, false);
    bench_detector(&rng, true);
    return met ? 0 : 1;
}
