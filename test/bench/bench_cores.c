/* Ten thousand autoscalers' cores in one process, each with a week of 2016 samples per metric: memory of each (as the
 * core counts it, and as the process has grown), and the time of a sync that only decides and of one that closes a
 * slot, over all of them in turn, so that none finds its state in a cache. Beside the goals. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/step.h"

#define SECOND   INT64_C(1000000)
#define CORES    10000u
#define KINDS    16 /* different histories */
#define PODS     5
#define SLOTS    2016u
#define SLOT_S   300
#define FIRST    5666000 /* slot */
#define LEAD_S   150
#define CORE_KIB 16.0 /* goals: a core with one metric, and each further metric */
#define MORE_KIB 14.0

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static double resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (f)
        (void)fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* One core with a week behind it, as bytes: a checkpoint is a quick way to have many of them. */
static void make_week(const struct core_spec *spec, uint32_t kind, struct buf *out)
{
    struct core_state *state = core_state_new(spec);
    for (uint32_t i = 0; i < spec->n_metrics; i++) {
        struct demand *d = core_state_demand(state, spec->metrics[i].name);
        for (uint32_t k = 0; k < SLOTS; k++) {
            double phase = (double)((k + kind * 18) % 288) / 288;
            double noise = (double)((k * 7919 + kind * 104729 + i) % 101) / 50;
            demand_push_slot(d, FIRST + k, 2 + 12 * phase * (1 - phase) + noise, LEAD_S);
        }
    }
    core_state_encode(state, out);
    core_state_free(state);
}

struct fleet {
    struct core_spec spec;
    struct core_state *cores[CORES];
    struct core_pod pods[PODS];
    struct core_pod_sample samples[PODS];
    struct core_observation seen;
    int64_t ns[CORES];
};

/* The forecast of every metric, as status and metrics show it. */
static void forecast_all(struct fleet *f)
{
    for (uint32_t c = 0; c < CORES; c++) {
        int64_t began = now_ns();
        for (uint32_t i = 0; i < f->spec.n_metrics; i++)
            (void)demand_forecast(core_state_demand(f->cores[c], f->spec.metrics[i].name));
        f->ns[c] = now_ns() - began;
    }
}

/* One sync of every core. */
static void round_of(struct fleet *f, int64_t seconds)
{
    static struct core_plan plan;
    f->seen.time_us += seconds * SECOND;
    for (uint32_t c = 0; c < CORES; c++) {
        for (uint32_t k = 0; k < PODS; k++) {
            f->samples[k].usage_milli = 250 + (c * 37 + k * 11) % 300;
            f->samples[k].time_us = f->seen.time_us - 15 * SECOND;
        }
        int64_t began = now_ns();
        core_step(&f->spec, f->cores[c], &f->seen, &plan);
        f->ns[c] = now_ns() - began;
    }
}

static void print_times(struct fleet *f, const char *what)
{
    int64_t sum = 0;
    for (uint32_t c = 0; c < CORES; c++)
        sum += f->ns[c];
    qsort(f->ns, CORES, sizeof *f->ns, compare);
    printf("  %-28s %7.2f us median, %7.2f us p99; all %u: %.1f ms\n", what, (double)f->ns[CORES / 2] / 1000,
           (double)f->ns[CORES / 100 * 99] / 1000, CORES, (double)sum / 1e6);
}

static void prepare(struct fleet *f, uint32_t metrics)
{
    f->spec = core_spec_default();
    f->spec.behavior = true;
    f->spec.n_metrics = metrics;
    for (uint32_t i = 1; i < metrics; i++) {
        f->spec.metrics[i] = f->spec.metrics[0];
        (void)snprintf(f->spec.metrics[i].name, sizeof f->spec.metrics[i].name, "metric-%u", i);
    }
    f->seen = (struct core_observation){.time_us = (int64_t)(FIRST + SLOTS) * SLOT_S * SECOND,
                                        .spec_replicas = PODS,
                                        .status_replicas = PODS,
                                        .pods = f->pods,
                                        .n_pods = PODS,
                                        .n_metrics = metrics,
                                        .metric_age_s = 15};
    for (uint32_t i = 0; i < metrics; i++)
        f->seen.metrics[i] = (struct core_metric_observation){.kind = SAMPLE_VALUE, .pods = f->samples};
    for (uint32_t k = 0; k < PODS; k++) {
        f->pods[k] = (struct core_pod){.phase = CORE_POD_RUNNING,
                                       .ready = CORE_READY_TRUE,
                                       .start_us = FIRST * SLOT_S * SECOND,
                                       .ready_transition_us = FIRST * SLOT_S * SECOND};
        f->samples[k] = (struct core_pod_sample){
            .present = true, .request_milli = 500, .limit_milli = 1000, .window_us = 30 * SECOND};
    }
}

static double counted_kib(const struct fleet *f)
{
    size_t bytes = 0;
    for (uint32_t c = 0; c < CORES; c++)
        bytes += core_state_memory(f->cores[c]);
    return (double)bytes / 1024 / CORES;
}

static void load(struct fleet *f)
{
    struct buf weeks[KINDS];
    for (uint32_t k = 0; k < KINDS; k++) {
        weeks[k] = BUF_INIT(1 << 22);
        make_week(&f->spec, k, &weeks[k]);
    }
    for (uint32_t c = 0; c < CORES; c++) {
        struct error err = ERROR_INIT;
        f->cores[c] = core_state_decode(&f->spec, weeks[c % KINDS].data, weeks[c % KINDS].len, &err);
        if (!f->cores[c]) {
            (void)fprintf(stderr, "%s\n", error_text(&err));
            exit(1);
        }
    }
    for (uint32_t k = 0; k < KINDS; k++)
        buf_done(&weeks[k]);
}

/* KiB per core. At rest means as the operator keeps it: a forecast is made for the status and dropped. */
static double run(struct fleet *f, uint32_t metrics)
{
    prepare(f, metrics);
    (void)malloc_trim(0);
    double before_kib = resident_kib();
    load(f);
    for (int i = 0; i < 16; i++) /* what is made at first use is there then */
        round_of(f, 15);
    printf("%u cores, %u metric%s of %u samples\n", CORES, metrics, metrics > 1 ? "s" : "", SLOTS);
    print_times(f, "a sync that only decides");
    round_of(f, SLOT_S);
    print_times(f, "a sync that closes a slot");
    double rest_kib = counted_kib(f), grown_kib = (resident_kib() - before_kib) / CORES;
    forecast_all(f);
    print_times(f, "the forecast after that");
    printf("  %-28s %7.2f KiB (goal %.0f), with its forecasts kept %.2f; the process has grown by %.2f for each\n",
           "memory of a core", rest_kib, CORE_KIB + (metrics - 1) * MORE_KIB, counted_kib(f), grown_kib);
    for (uint32_t c = 0; c < CORES; c++)
        f->cores[c] = core_state_free(f->cores[c]);
    return rest_kib;
}

int main(void)
{
    static struct fleet fleet;
    double one_kib = run(&fleet, 1), four_kib = run(&fleet, 4), more_kib = (four_kib - one_kib) / 3;
    printf("one metric: %.2f KiB (goal %.0f), each further one: %.2f KiB (goal %.0f)\n", one_kib, CORE_KIB, more_kib,
           MORE_KIB);
    return one_kib > CORE_KIB || more_kib > MORE_KIB;
}
