/* Finding anomalies row by row; see anomaly.h. Constants were chosen on public series with known anomalies
 * (make bench-anomalies); the score is flat around all of them. */
#include "core/anomaly.h"

#include "base/alloc.h"
#include "core/forest.h"
#include "core/ln.h"

#include <assert.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#define FEATURES     5
#define MAX_FEATURES (FEATURES * ANOMALY_MAX_METRICS)
_Static_assert(MAX_FEATURES <= FOREST_MAX_FEATURES, "the forest sees all metrics");
#define SCALES      3
#define HOUR        12  /* rows: what the slow features look at */
#define SEASON_SIDE 2   /* rows on each side of the one a day ago */
#define YOUNG       216 /* rows */
#define YOUNG_REFIT 4   /* in the beginning each row is news */

#define MARGIN        0.2 /* strangeness is a sum of logarithms: one fifth stranger */
#define YOUNG_MARGIN  2.0
#define FOREST_WEIGHT 1.5
#define OUTSIDE       3.0
#define LEAST_OFF     0.5  /* standard deviations: below that nothing is less strange */
#define MAX_OUTSIDE   3.0  /* of the range of a feature */
#define MAX_OFF       1e6  /* standard deviations */
#define LEAST_SPREAD  1e-3 /* of the level: what varies less than that does not vary */
#define DAMPED        0.3
#define BLOCK_COUNTS  100 /* in rank: the newest block; the oldest 60 */
#define BLOCK_FADES   3   /* one less for so many blocks */
#define FEW_BLOCKS    8   /* that are fewer count for so many */
#define NOT_RANKED    UINT16_MAX

const char *const anomaly_severity_names[] = {"none", "low", "medium", "high"};

static const uint32_t scales[SCALES] = {1, 6, 24};

/* Mean and variance; what is older than `memory` values fades. */
struct moments {
    double mean, variance;
};

struct model {
    struct forest *forest;
    int64_t fitted; /* the rows before this one */
    float low[MAX_FEATURES], high[MAX_FEATURES];
};

struct anomaly {
    struct anomaly_config config;
    int64_t first; /* row; INT64_MIN: none yet */
    int64_t next;  /* the least row that may come */
    uint32_t rows; /* judged, with a value */
    uint32_t seen[ANOMALY_MAX_METRICS];
    struct moments moments[ANOMALY_MAX_METRICS][SCALES];

    /* The strangest row of each block; entry b of block b modulo the number; -FLT_MAX: none. The open block included.
     */
    float peak[ANOMALY_BLOCKS + 1];
    int64_t block;                /* the open one */
    uint16_t rank[ANOMALY_EVENT]; /* of the last rows, by row modulo */
    struct model model;           /* forest NULL: at rest */
};

/* ---- memory ---- */

struct anomaly *anomaly_new(const struct anomaly_config *config)
{
    assert(config->n_metrics >= 1 && config->n_metrics <= ANOMALY_MAX_METRICS);
    struct anomaly *a = xcalloc(1, sizeof *a);
    a->config = *config;
    a->first = a->next = INT64_MIN;
    for (uint32_t i = 0; i < ARRAY_SIZE(a->peak); i++)
        a->peak[i] = -FLT_MAX;
    for (uint32_t i = 0; i < ARRAY_SIZE(a->rank); i++)
        a->rank[i] = NOT_RANKED;
    return a;
}

struct anomaly *anomaly_free(struct anomaly *a)
{
    if (a)
        anomaly_rest(a);
    free(a);
    return NULL;
}

void anomaly_rest(struct anomaly *a)
{
    a->model.forest = forest_free(a->model.forest);
}

int64_t anomaly_next(const struct anomaly *a)
{
    return a->next;
}

int64_t anomaly_first(const struct anomaly *a)
{
    return a->first;
}

size_t anomaly_memory(const struct anomaly *a)
{
    return sizeof *a + (a->model.forest ? forest_memory(ANOMALY_TREES) : 0);
}

void anomaly_configure(struct anomaly *a, const struct anomaly_config *config)
{
    assert(config->n_metrics == a->config.n_metrics);
    if (config->seed != a->config.seed || config->season != a->config.season)
        anomaly_rest(a);
    a->config = *config;
}

/* ---- rows ---- */

/* One metric as it was when `row` was the newest: series [.., row), and `value` at `row`. */
struct view {
    const struct series *series;
    int64_t first, row;
    float value;
};

static float view_at(const struct view *v, int64_t row)
{
    if (row == v->row)
        return v->value;
    return row < v->first ? NAN : series_raw(v->series, row);
}

/* Over rows [end - n, end); NaN where none has a value. */
static double view_mean(const struct view *v, int64_t end, uint32_t n)
{
    double sum = 0;
    uint32_t count = 0;
    for (int64_t row = end - n; row < end; row++) {
        float x = view_at(v, row);
        if (!isnan(x)) {
            sum += (double)x;
            count++;
        }
    }
    return count ? sum / count : (double)NAN;
}

static double or_else(double value, double otherwise)
{
    return isnan(value) ? otherwise : value;
}

static uint32_t season_of(const struct anomaly *a, const struct series *s)
{
    return a->config.season <= s->cap / 2 ? a->config.season : 0;
}

static uint32_t look_back(const struct anomaly *a, const struct series *s)
{
    uint32_t season = season_of(a, s);
    return season + SEASON_SIDE > 2 * HOUR ? season + SEASON_SIDE : 2 * HOUR;
}

/* What the forest sees of one metric. A row without a value of this metric has the last hour's. */
static void metric_features(const struct view *v, uint32_t season, float out[FEATURES])
{
    double hour = view_mean(v, v->row + 1, HOUR), value = or_else((double)v->value, or_else(hour, 0));
    double day_ago = season ? view_mean(v, v->row - season + SEASON_SIDE + 1, 2 * SEASON_SIDE + 1) : (double)NAN;
    hour = or_else(hour, value);
    out[0] = (float)value;
    out[1] = (float)(value - or_else((double)view_at(v, v->row - 1), value));
    out[2] = (float)hour;
    out[3] = (float)(hour - or_else(view_mean(v, v->row + 1 - HOUR, HOUR), hour));
    out[4] = (float)(value - or_else(day_ago, value));
}

/* Features of all metrics; false when none has a value. */
static bool features(const struct anomaly *a, const struct series *const *series, int64_t row, const float *values,
                     float *out)
{
    bool any = false;
    for (uint32_t m = 0; m < a->config.n_metrics; m++) {
        struct view v = {series[m], a->first, row, values ? values[m] : series_raw(series[m], row)};
        metric_features(&v, season_of(a, series[m]), out + (size_t)m * FEATURES);
        any |= !isnan(v.value);
    }
    return any;
}

/* ---- the forest and the range of what it has seen ---- */

static void extend(struct model *model, const float *row, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        model->low[i] = row[i] < model->low[i] ? row[i] : model->low[i];
        model->high[i] = row[i] > model->high[i] ? row[i] : model->high[i];
    }
}

/* The newest forest that `row` may be judged by is that of the rows before this one. */
static int64_t fit_end(const struct anomaly *a, const struct series *s, int64_t row, uint32_t *ret_step)
{
    *ret_step = row - a->first < YOUNG ? YOUNG_REFIT : MAX(YOUNG_REFIT, MIN(s->cap / 8, ANOMALY_REFIT));
    return row - (row - a->first) % *ret_step;
}

/* Grown on rows that the series still hold when the next forest is due, with all that their features look at: so it can
 * be grown again, the same, at any row until then. */
static void fit(struct anomaly *a, const struct series *const *series, int64_t row)
{
    uint32_t step, n_features = a->config.n_metrics * FEATURES, n = 0, n_fit = 0;
    int64_t end = fit_end(a, series[0], row, &step);
    int64_t begin = end + step - series[0]->cap + look_back(a, series[0]);
    begin = begin > a->first ? begin : a->first;
    anomaly_rest(a);
    a->model.fitted = end;
    if (end - begin < ANOMALY_WARMUP)
        return;
    _cleanup_(freep) float *rows = xcalloc((size_t)(row - begin) * n_features, sizeof *rows);
    for (int64_t r = begin; r < row; r++) {
        n += features(a, series, r, NULL, rows + (size_t)n * n_features);
        n_fit = r < end ? n : n_fit;
    }
    if (n_fit < ANOMALY_WARMUP / 2)
        return;
    a->model.forest = forest_new(n_features, ANOMALY_TREES);
    forest_fit(a->model.forest, rows, n_fit, a->config.seed ^ (uint64_t)end * UINT64_C(0x9E3779B97F4A7C15));
    memcpy(a->model.low, rows, n_features * sizeof *rows);
    memcpy(a->model.high, rows, n_features * sizeof *rows);
    for (uint32_t i = 1; i < n; i++)
        extend(&a->model, rows + (size_t)i * n_features, n_features);
}

/* How far outside of all that was seen, in ranges of it: the mean over a metric's features, of the worst metric. */
static double outside(const struct model *model, const float *row, uint32_t n_metrics)
{
    double worst = 0;
    for (uint32_t m = 0; m < n_metrics; m++) {
        double sum = 0;
        double level = fmax(fabs((double)model->low[m * FEATURES]), fabs((double)model->high[m * FEATURES]));
        for (uint32_t i = m * FEATURES; i < (m + 1) * FEATURES; i++) {
            double low = (double)model->low[i], high = (double)model->high[i], x = (double)row[i];
            double by = fmax(x - high, low - x) / fmax(high - low, LEAST_SPREAD * level + DBL_MIN);
            sum += fmax(0, fmin(by, MAX_OUTSIDE));
        }
        worst = fmax(worst, sum / FEATURES);
    }
    return worst;
}

/* ---- how far off the means are ---- */

static double off(const struct moments *m, double x)
{
    double scale = sqrt(m->variance) + LEAST_SPREAD * fabs(m->mean) + DBL_MIN;
    return fmin(fabs(x - m->mean) / scale, MAX_OFF);
}

static void learn(struct moments *m, double x, uint32_t n, uint32_t memory)
{
    double weight = 1.0 / (n < memory ? n : memory), step = x - m->mean;
    m->mean += weight * step;
    m->variance = (1 - weight) * (m->variance + weight * step * step);
}

/* The mean logarithm over the scales, of the worst metric. Takes the row in. */
static double far_off(struct anomaly *a, const struct series *const *series, int64_t row, const float *values)
{
    double worst = -DBL_MAX;
    for (uint32_t m = 0; m < a->config.n_metrics; m++) {
        struct view v = {series[m], a->first, row, values[m]};
        double sum = 0;
        if (isnan(v.value))
            continue;
        a->seen[m]++;
        for (uint32_t k = 0; k < SCALES; k++) {
            double x = view_mean(&v, row + 1, scales[k]);
            sum += ln(off(&a->moments[m][k], x) + LEAST_OFF);
            learn(&a->moments[m][k], x, a->seen[m], series[m]->cap);
        }
        if (a->seen[m] > ANOMALY_WARMUP)
            worst = fmax(worst, sum / SCALES);
    }
    return worst;
}

/* ---- rank ---- */

/* How many blocks, in hundredths, had a row that is at least as strange, but for the margin; and how far this one is
 * above all of them. */
static uint16_t rank(const struct anomaly *a, double strange, double *ret_above)
{
    bool young = a->rows < YOUNG;
    double margin = MARGIN + (young ? YOUNG_MARGIN * (1 - (double)a->rows / YOUNG) : 0), highest = -DBL_MAX;
    uint32_t stronger = 0, known = 0;
    for (uint32_t age = young ? 0 : 1; age <= ANOMALY_BLOCKS && age <= a->block; age++) {
        double peak = (double)a->peak[(a->block - age) % (int64_t)ARRAY_SIZE(a->peak)];
        if (peak <= -(double)FLT_MAX)
            continue;
        known++;
        if (peak + margin >= strange)
            stronger += BLOCK_COUNTS - age / BLOCK_FADES;
        highest = fmax(highest, peak + margin);
    }
    *ret_above = fmax(0, strange - highest);
    stronger = known && known < FEW_BLOCKS ? stronger * FEW_BLOCKS / known : stronger;
    return known ? (uint16_t)stronger : NOT_RANKED;
}

/* Closes blocks up to that of `row`. */
static void open_block(struct anomaly *a, int64_t row)
{
    int64_t block = (row - a->first) / ANOMALY_BLOCK, n = (int64_t)ARRAY_SIZE(a->peak);
    int64_t from = block - a->block > n ? block - n : a->block;
    for (int64_t b = from + 1; b <= block; b++)
        a->peak[b % n] = -FLT_MAX;
    a->block = block;
}

static void forget_ranks(struct anomaly *a, int64_t from, int64_t to)
{
    from = to - from > ANOMALY_EVENT ? to - ANOMALY_EVENT : from;
    for (int64_t r = from; r < to; r++)
        a->rank[(r - a->first) % ANOMALY_EVENT] = NOT_RANKED;
}

static bool is_damped(const struct anomaly *a, uint16_t mine)
{
    for (uint32_t i = 0; i < ANOMALY_EVENT; i++)
        if (a->rank[i] <= mine)
            return true;
    return false;
}

static double score_of(uint16_t stronger, double above)
{
    return stronger ? 4.8 / (6 + (double)stronger / BLOCK_COUNTS) : 0.8 + 0.2 * above / (1 + above);
}

double anomaly_threshold(enum anomaly_sensitivity sensitivity)
{
    static const double thresholds[] = {
        [ANOMALY_SENSITIVITY_LOW] = 0.8, [ANOMALY_SENSITIVITY_MEDIUM] = 0.5, [ANOMALY_SENSITIVITY_HIGH] = 0.35};
    return thresholds[sensitivity];
}

static struct anomaly_result result_of(const struct anomaly *a, uint16_t stronger, double above, bool damped)
{
    double threshold = anomaly_threshold(a->config.sensitivity), score = score_of(stronger, above);
    struct anomaly_result r = {.score = damped ? DAMPED * score : score, .unusual = score >= threshold};
    r.is_anomaly = r.unusual && !damped;
    if (r.is_anomaly)
        r.severity = score >= 0.9 ? ANOMALY_HIGH : score >= 0.8 ? ANOMALY_MEDIUM : ANOMALY_LOW;
    return r;
}

/* ---- one row ---- */

static bool prepare_forest(struct anomaly *a, const struct series *const *series, int64_t row)
{
    uint32_t step;
    if (!a->model.forest || a->model.fitted != fit_end(a, series[0], row, &step))
        fit(a, series, row);
    return a->model.forest != NULL;
}

/* What the row is compared by is remembered: the strangest of its block, and its rank. */
static struct anomaly_result place(struct anomaly *a, int64_t row, double strange)
{
    double above;
    uint16_t mine = rank(a, strange, &above);
    float *peak = &a->peak[a->block % (int64_t)ARRAY_SIZE(a->peak)];
    *peak = (float)strange > *peak ? (float)strange : *peak;
    if (mine == NOT_RANKED)
        return (struct anomaly_result){0};
    bool damped = is_damped(a, mine);
    a->rank[(row - a->first) % ANOMALY_EVENT] = mine;
    return result_of(a, mine, above, damped);
}

static struct anomaly_result judge(struct anomaly *a, const struct series *const *series, int64_t row,
                                   const float *values)
{
    float x[MAX_FEATURES];
    struct anomaly_result result = {0};
    forget_ranks(a, a->next, row + 1);
    a->next = row + 1;
    if (!features(a, series, row, values, x))
        return result;
    open_block(a, row);
    a->rows++;
    double far = far_off(a, series, row, values);
    if (a->rows <= ANOMALY_WARMUP || !prepare_forest(a, series, row))
        return result;
    double depth = forest_depth(a->model.forest, x), out = outside(&a->model, x, a->config.n_metrics);
    if (far > -DBL_MAX)
        result = place(a, row, far - FOREST_WEIGHT * depth + OUTSIDE * out);
    extend(&a->model, x, a->config.n_metrics * FEATURES);
    return result;
}

/* The first time: what the series hold is the past. */
static void begin(struct anomaly *a, const struct series *const *series, int64_t row)
{
    a->first = row;
    for (uint32_t m = 0; m < a->config.n_metrics; m++)
        if (series[m]->n > 0)
            a->first = MIN(a->first, series[m]->next - series[m]->n);
    a->next = a->first;
}

struct anomaly_result anomaly_judge(struct anomaly *a, const struct series *const *series, int64_t row,
                                    const double *values)
{
    float x[ANOMALY_MAX_METRICS] = {0};
    if (a->first == INT64_MIN)
        begin(a, series, row);
    assert(row >= a->next);
    for (int64_t r = MAX(a->next, row - series[0]->cap); r < row; r++) {
        for (uint32_t m = 0; m < a->config.n_metrics; m++)
            x[m] = series_raw(series[m], r);
        (void)judge(a, series, r, x);
    }
    for (uint32_t m = 0; m < a->config.n_metrics; m++) {
        assert(series[m]->cap == series[0]->cap && (series[m]->n == 0 || series[m]->next <= row));
        x[m] = isnan(values[m]) ? NAN : (float)fmax(-SERIES_MAX, fmin(values[m], SERIES_MAX));
    }
    return judge(a, series, row, x);
}

/* ---- encoding ---- */

#define VERSION 1

void anomaly_encode(const struct anomaly *a, struct codec_writer *w)
{
    codec_u8(w, VERSION);
    codec_u8(w, (uint8_t)a->config.n_metrics);
    codec_i64(w, a->first);
    codec_i64(w, a->next);
    codec_u32(w, a->rows);
    codec_i64(w, a->block);
    for (uint32_t m = 0; m < a->config.n_metrics; m++) {
        codec_u32(w, a->seen[m]);
        for (uint32_t k = 0; k < SCALES; k++) {
            codec_f64(w, a->moments[m][k].mean);
            codec_f64(w, a->moments[m][k].variance);
        }
    }
    codec_f32s(w, a->peak, ARRAY_SIZE(a->peak));
    for (uint32_t i = 0; i < ARRAY_SIZE(a->rank); i++)
        codec_u16(w, a->rank[i]);
}

static void decode_moments(struct anomaly *a, struct codec_reader *r)
{
    for (uint32_t m = 0; m < a->config.n_metrics; m++) {
        a->seen[m] = codec_get_u32(r);
        if (a->seen[m] > UINT32_MAX / 2)
            r->failed = true;
        for (uint32_t k = 0; k < SCALES; k++) {
            a->moments[m][k].mean = codec_get_finite(r);
            a->moments[m][k].variance = codec_get_finite(r);
            if (!(fabs(a->moments[m][k].mean) <= SERIES_MAX) || a->moments[m][k].variance < 0 ||
                a->moments[m][k].variance > 4 * SERIES_MAX * SERIES_MAX)
                r->failed = true;
        }
    }
}

/* Slots of Unix time in seconds or more: far from where sums with a capacity or a season would overflow. */
static bool is_row(int64_t row)
{
    return row > INT64_MIN / 4 && row < INT64_MAX / 4;
}

struct anomaly *anomaly_decode(const struct anomaly_config *config, struct codec_reader *r)
{
    struct anomaly *a = anomaly_new(config);
    bool ours = codec_get_u8(r) == VERSION && codec_get_u8(r) == config->n_metrics;
    a->first = codec_get_i64(r);
    a->next = codec_get_i64(r);
    a->rows = codec_get_u32(r);
    a->block = codec_get_i64(r);
    decode_moments(a, r);
    codec_get_finite_f32s(r, a->peak, ARRAY_SIZE(a->peak));
    for (uint32_t i = 0; i < ARRAY_SIZE(a->rank); i++)
        a->rank[i] = codec_get_u16(r);
    bool fresh = a->first == INT64_MIN && a->next == INT64_MIN && a->rows == 0 && a->block == 0;
    bool sound = a->rows < UINT32_MAX / 2 && is_row(a->first) && a->next >= a->first && is_row(a->next) &&
                 a->block >= 0 && a->block <= (a->next - a->first) / ANOMALY_BLOCK;
    if (!ours || r->failed || (!fresh && !sound))
        return anomaly_free(a);
    return a;
}
