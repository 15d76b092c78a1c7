/* Playing rows through the detector; see anomalies.h. */
#include "lab/anomalies.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <stdlib.h>

#define DAY_S   86400
#define USUAL_S 300 /* where all first rows have one time */
/* Any constant: the operator seeds with the autoscaler's UID. */
#define SEED UINT64_C(20)

struct anomalies {
    struct anomalies_options options;
    struct series series;
    struct anomaly *detector; /* NULL as long as the day's length is not known */
    uint32_t rows;            /* before there is a detector */
    int64_t last_us, spacing_us[ANOMALY_WARMUP];
};

static void start(struct anomalies *a, int64_t interval_s)
{
    int64_t day = (DAY_S + interval_s / 2) / interval_s;
    const struct anomaly_config config = {
        .n_metrics = 1, .season = (uint32_t)day, .seed = SEED, .sensitivity = a->options.sensitivity};
    a->detector = anomaly_new(&config);
}

struct anomalies *anomalies_new(const struct anomalies_options *options)
{
    struct anomalies *a = xcalloc(1, sizeof *a);
    a->options = *options;
    series_init(&a->series, options->history);
    if (options->interval_s)
        start(a, options->interval_s);
    return a;
}

struct anomalies *anomalies_free(struct anomalies *a)
{
    if (a) {
        (void)anomaly_free(a->detector);
        series_done(&a->series);
    }
    free(a);
    return NULL;
}

static int compare(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

/* The median: a gap, or two rows at one time, change nothing. */
static int64_t usual_interval_s(const struct anomalies *a)
{
    int64_t sorted[ANOMALY_WARMUP];
    uint32_t n = 0;
    for (uint32_t i = 1; i < a->rows; i++)
        if (a->spacing_us[i] > 0)
            sorted[n++] = a->spacing_us[i];
    qsort(sorted, n, sizeof *sorted, compare);
    int64_t interval_s = n ? (sorted[n / 2] + USEC_PER_SEC / 2) / USEC_PER_SEC : USUAL_S;
    return MAX(1, MIN(interval_s, DAY_S));
}

static void learn_interval(struct anomalies *a, int64_t time_us)
{
    if (a->rows > 0)
        a->spacing_us[a->rows] = time_us - a->last_us;
    a->last_us = time_us;
    if (++a->rows == ANOMALY_WARMUP)
        start(a, usual_interval_s(a));
}

struct anomaly_result anomalies_take(struct anomalies *a, int64_t time_us, double value)
{
    const struct series *series = &a->series;
    struct anomaly_result result = {0};
    if (a->detector)
        result = anomaly_judge(a->detector, &series, series->next, &value);
    else
        learn_interval(a, time_us);
    series_push(&a->series, value, 0);
    return result;
}
