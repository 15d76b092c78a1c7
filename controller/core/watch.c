/* Looking at slots before they are closed; see watch.h. */
#include "core/watch.h"

#include <math.h>

static struct anomaly_config config_of(const struct core_spec *spec, uint32_t n, uint32_t season)
{
    return (struct anomaly_config){.n_metrics = MIN(n, ANOMALY_MAX_METRICS),
                                   .season = season,
                                   .seed = spec->anomaly.seed,
                                   .sensitivity = spec->anomaly.sensitivity};
}

/* The slot that is closing, the same for all demands that have begun. */
static bool closing(struct demand *const *demands, uint32_t n, int64_t time_us, int64_t *ret_row, double *values)
{
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        int64_t row;
        double value;
        values[i] = (double)NAN;
        if (!demand_closes(demands[i], time_us, &row, &value))
            continue;
        if (any && row != *ret_row)
            return false; /* only after an import into one of them; in step again with the next slot */
        *ret_row = row;
        values[i] = value;
        any = true;
    }
    for (uint32_t i = 0; any && i < n; i++) {
        const struct series *s = demand_series(demands[i]);
        if (s->n > 0 && s->next > *ret_row)
            return false; /* likewise, the other way round */
    }
    return any;
}

/* Whether the detector has seen this history: not when one has been imported since, which goes further back. */
static bool is_of(const struct anomaly *detector, const struct series *const *series, uint32_t n, int64_t row)
{
    for (uint32_t i = 0; i < n; i++)
        if (series[i]->n > 0 && series[i]->next - series[i]->n < anomaly_first(detector))
            return false;
    return anomaly_next(detector) <= row;
}

void watch_observe(struct watch *w, const struct core_spec *spec, struct demand *const *demands, uint32_t n,
                   int64_t time_us)
{
    const struct series *series[ANOMALY_MAX_METRICS];
    double values[ANOMALY_MAX_METRICS];
    int64_t row = 0;
    if (spec->anomaly.mode == ANOMALY_OFF) {
        watch_clear(w);
        return;
    }
    anomaly_policy_set_back(&w->policy, time_us);
    uint32_t watched = MIN(n, ANOMALY_MAX_METRICS);
    if (watched == 0 || !closing(demands, watched, time_us, &row, values))
        return;
    struct anomaly_config config = config_of(spec, n, demand_season_slots(demands[0]));
    for (uint32_t i = 0; i < watched; i++)
        series[i] = demand_series(demands[i]);
    if (w->detector && !is_of(w->detector, series, watched, row))
        w->detector = anomaly_free(w->detector);
    if (w->detector)
        anomaly_configure(w->detector, &config);
    else
        w->detector = anomaly_new(&config);
    struct anomaly_result result = anomaly_judge(w->detector, series, row, values);
    w->score = result.score;
    if (!anomaly_policy_excludes(&w->policy, spec->anomaly.mode, &result, time_us))
        return;
    for (uint32_t i = 0; i < n; i++)
        demand_exclude_open(demands[i]);
}

struct watch_finding watch_finding(const struct watch *w, const struct core_spec *spec, int64_t now_us)
{
    enum anomaly_mode mode = spec->anomaly.mode;
    return (struct watch_finding){.is_anomaly = w->policy.since_us != 0,
                                  .score = w->score,
                                  .severity = w->policy.severity,
                                  .since_us = w->policy.since_us,
                                  .holds = anomaly_policy_holds(&w->policy, mode, now_us),
                                  .sets_aside = anomaly_policy_is_reactive(&w->policy, mode, now_us)};
}

void watch_rest(struct watch *w)
{
    if (w->detector)
        anomaly_rest(w->detector);
}

void watch_clear(struct watch *w)
{
    *w = (struct watch){.detector = anomaly_free(w->detector)};
}

size_t watch_memory(const struct watch *w)
{
    return w->detector ? anomaly_memory(w->detector) : 0;
}

void watch_encode(const struct watch *w, uint64_t metrics, struct codec_writer *writer)
{
    codec_u64(writer, metrics);
    codec_f64(writer, w->score);
    anomaly_policy_encode(&w->policy, writer);
    codec_u8(writer, w->detector != NULL);
    if (w->detector)
        anomaly_encode(w->detector, writer);
}

int watch_decode(struct watch *w, const struct core_spec *spec, uint64_t metrics, uint32_t n, struct codec_reader *r)
{
    *w = (struct watch){0};
    if (codec_get_u64(r) != metrics || n == 0)
        return 0;
    w->score = codec_get_finite(r);
    if (anomaly_policy_decode(&w->policy, r) < 0 || !(w->score >= 0 && w->score <= 1))
        return -1;
    if (codec_get_u8(r) == 0)
        return r->failed ? -1 : 0;
    struct anomaly_config config = config_of(spec, n, 0); /* the season is known at the next slot */
    w->detector = anomaly_decode(&config, r);
    return w->detector ? 0 : -1;
}
