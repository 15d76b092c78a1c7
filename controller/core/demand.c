/* Feeding and asking; see demand.h. A measurement goes two ways: into the slot that is open (its mean trains
 * the model once the slot is closed), and, as it is, to the driver, whose windows live at sync level. */
#include "core/demand_impl.h"

#include "base/alloc.h"
#include "core/anomaly.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define DAY_S 86400u

struct demand_config demand_config_default(void)
{
    return (struct demand_config){
        .interval_s = 300,
        .slots = 2016,
        .horizon = 72,
        .seasonality = DEMAND_SEASON_AUTO,
        .confidence_percent = 90,
        .max_error_percent = 30,
        .min_coverage_percent = 85,
    };
}

static void check(const struct demand_config *c)
{
    assert(c->interval_s >= 10 && c->interval_s <= 3600);
    assert(c->slots >= DEMAND_MIN_SLOTS && c->slots <= DEMAND_MAX_SLOTS);
    assert(c->horizon >= 1 && c->horizon <= FORECAST_MAX_HORIZON);
    assert(c->confidence_percent >= 50 && c->confidence_percent <= 99);
    assert(c->n_periods <= DEMAND_MAX_PERIODS);
}

/* Of the periods asked for, in slots: the longest of which the ring holds two, else the longest that it holds; and the
 * longest below a quarter of that. A week beside the day is no season of its own: seven days with their own levels. */
static struct features_cycles cycles_of(const uint32_t *m, uint32_t n, uint32_t slots, uint32_t week)
{
    uint32_t once = 0, twice = 0;
    struct features_cycles out = {.week = week};
    for (uint32_t i = 0; i < n; i++) {
        if (m[i] == week)
            continue;
        if (m[i] >= 2 && m[i] <= slots)
            once = MAX(once, m[i]);
        if (m[i] >= 2 && 2 * m[i] <= slots)
            twice = MAX(twice, m[i]);
    }
    out.season = twice ? twice : once;
    for (uint32_t i = 0; i < n; i++)
        if (m[i] >= 2 && m[i] <= out.season / 4)
            out.shorter = MAX(out.shorter, m[i]);
    return out;
}

struct features_cycles demand_cycles(const struct demand_config *c)
{
    static const uint32_t usual[] = {DAY_S, 7 * DAY_S};
    bool automatic = c->seasonality == DEMAND_SEASON_AUTO;
    const uint32_t *periods = automatic ? usual : c->periods_s;
    uint32_t n = automatic ? ARRAY_SIZE(usual) : c->seasonality == DEMAND_SEASON_FIXED ? c->n_periods : 0;
    uint32_t m[DEMAND_MAX_PERIODS];
    bool day = false, week = false;
    for (uint32_t i = 0; i < n; i++) {
        m[i] = (periods[i] + c->interval_s / 2) / c->interval_s;
        day |= periods[i] == DAY_S;
        week |= periods[i] == 7 * DAY_S;
    }
    uint32_t week_slots = 7 * ((DAY_S + c->interval_s / 2) / c->interval_s);
    struct features_cycles out = cycles_of(m, n, c->slots, day && week ? week_slots : 0);
    if (out.week > c->slots || out.week != 7 * out.season)
        out.week = 0;
    return out;
}

uint32_t demand_season_s(const struct demand *d)
{
    return d->model.season ? d->model.season * d->config.interval_s : DAY_S;
}

void demand_parts_init(struct demand *d)
{
    series_init(&d->series, d->config.slots);
    d->open = (struct demand_open){0};
    struct features_cycles cycles = demand_cycles(&d->config);
    model_init(&d->model, &cycles, d->config.seasonality == DEMAND_SEASON_AUTO, d->config.horizon);
    driver_init(&d->driver);
    d->trust = (struct trust){0};
    d->cache = NULL;
    demand_changed(d);
}

void demand_parts_done(struct demand *d)
{
    series_done(&d->series);
    model_done(&d->model);
    free(d->cache);
    d->cache = NULL;
}

struct demand *demand_new(const struct demand_config *config)
{
    check(config);
    struct demand *d = xcalloc(1, sizeof *d);
    d->config = *config;
    d->last_us = INT64_MIN;
    d->lead_s = d->judged_lead_s = 120;
    demand_parts_init(d);
    return d;
}

struct demand *demand_free(struct demand *d)
{
    if (!d)
        return NULL;
    demand_parts_done(d);
    free(d->wanted);
    free(d);
    return NULL;
}

const struct demand_config *demand_config(const struct demand *d)
{
    return &d->config;
}

static size_t cache_floats(const struct demand *d)
{
    return (size_t)d->config.horizon * FORECAST_LEVELS;
}

size_t demand_memory(const struct demand *d)
{
    return sizeof *d + series_memory(d->series.cap) + model_memory(&d->model) +
           (d->cache ? cache_floats(d) * sizeof(float) : 0);
}

/* ---- slots ---- */

static void close_slot(struct demand *d, double value, unsigned marks)
{
    float seen = marks & SERIES_EXCLUDED ? NAN : (float)value;
    model_close(&d->model, &d->series, seen, marks & SERIES_CENSORED);
    series_push(&d->series, value, marks);
    model_look_ahead(&d->model, &d->series);
    demand_changed(d);
}

static void close_open(struct demand *d)
{
    struct demand_open o = d->open;
    d->open = (struct demand_open){0};
    if (o.n)
        close_slot(d, o.sum / o.n, o.censored ? SERIES_CENSORED : 0);
    else if (o.excluded_n)
        close_slot(d, o.excluded_sum / o.excluded_n, SERIES_EXCLUDED);
    else
        close_slot(d, (double)NAN, 0);
}

/* Closes what lies before `slot`; returns the number of slots closed. */
static uint32_t advance(struct demand *d, int64_t slot)
{
    if (d->series.n == 0 && d->open.n == 0 && d->open.excluded_n == 0) {
        series_skip_to(&d->series, slot);
        return 0;
    }
    int64_t count = slot - d->series.next;
    if (count <= 0)
        return 0;
    close_open(d);
    if (count > (int64_t)d->config.slots) {
        series_skip_to(&d->series, slot);
        model_skip(&d->model);
        d->model.now.gap = 65535;
        driver_skip(&d->driver);
        demand_changed(d);
    }
    while (d->series.next < slot)
        close_open(d);
    return (uint32_t)MIN(count, (int64_t)UINT32_MAX);
}

/* ---- the driver's side ---- */

/* The forecast's path over the window: straight lines between the middles of slots, the last closed one being
 * the first point. At most PATH_POINTS slots are asked. False where the forecast does not reach. */
#define PATH_POINTS 8

static double mean_at(struct demand *d, uint32_t lead)
{
    struct demand_memo *memo = &d->memo;
    assert(lead > 0);
    if (lead > DEMAND_MEMO_LEADS)
        return model_mean(&d->model, &d->series, lead);
    uint32_t i = lead - 1;
    if (!(memo->means & (1u << i))) {
        memo->mean[i] = (float)model_mean(&d->model, &d->series, lead);
        memo->means |= (uint8_t)(1u << i);
    }
    return (double)memo->mean[i];
}

static double least_at(struct demand *d, uint32_t lead)
{
    struct demand_memo *memo = &d->memo;
    assert(lead > 0);
    if (lead > DEMAND_MEMO_LEADS)
        return model_least(&d->model, &d->series, lead);
    uint32_t i = lead - 1;
    if (!(memo->leasts & (1u << i))) {
        memo->least[i] = (float)model_least(&d->model, &d->series, lead);
        memo->leasts |= (uint8_t)(1u << i);
    }
    return (double)memo->least[i];
}

struct path {
    struct demand *d;
    uint32_t lead[2]; /* memo of the last two points, by parity; 0: empty */
    double mean[2];
};

static double path_point(struct path *p, int64_t i)
{
    const struct demand *d = p->d;
    if (i < 0 && d->model.now.gap == 0)
        return (double)d->model.now.last;
    i = MAX(i, 0);
    uint32_t lead = (uint32_t)i + 1, at = lead & 1;
    if (p->lead[at] != lead) {
        p->lead[at] = lead;
        p->mean[at] = mean_at(p->d, lead);
    }
    return p->mean[at];
}

static double path_at(struct path *p, double pos)
{
    if (pos <= -1)
        return path_point(p, -1);
    int64_t i = (int64_t)(pos + 1) - 1;
    double lower = path_point(p, i);
    return lower + (pos - (double)i) * (path_point(p, i + 1) - lower);
}

static bool look_along(struct demand *d, int64_t time_us, uint32_t lead_s, struct driver_path *out)
{
    struct path p = {.d = d};
    if (d->model.now.seen == 0)
        return false;
    double slot_us = d->config.interval_s * 1e6;
    int64_t from_us = time_us - d->series.next * (int64_t)d->config.interval_s * 1000000;
    double pos = (double)from_us / slot_us - 0.5, end = pos + lead_s * 1e6 / slot_us;
    if (pos > d->config.horizon)
        return false;
    /* A lead beyond the horizon is looked at as far as that reaches; what is calibrated are whole windows. */
    out->now = out->highest = path_at(&p, MIN(pos, d->config.horizon - 1.0));
    int64_t first = MAX((int64_t)(pos + 2) - 1, 0), last = MIN((int64_t)end, (int64_t)d->config.horizon - 1);
    int64_t step = MAX((last - first) / PATH_POINTS, 1);
    for (int64_t i = first; i <= last; i += step)
        out->highest = MAX(out->highest, path_point(&p, i));
    out->highest = MAX(out->highest, path_at(&p, MIN(end, d->config.horizon - 1.0)));
    return true;
}

static double level_of(const struct demand *d)
{
    return d->config.confidence_percent / 100.0;
}

/* A longer silence than that, and what came before it is no start for a window. */
static int64_t gap_us(const struct demand *d)
{
    return MAX((int64_t)d->config.interval_s * 2500000, INT64_C(60000000));
}

/* Exceeded by less than that share of the demand is not exceeded: no capacity is known that exactly, and a
 * forecast that is all but perfect would otherwise be distrusted for its last digits. */
#define TRIFLE 0.002

/* `start`: a window may begin here. */
static void drive_with(struct demand *d, int64_t time_us, double value, enum driver_sample kind, bool start)
{
    struct driver_finished done[DRIVER_WINDOWS];
    uint32_t n = driver_observe(&d->driver, time_us, value, kind, gap_us(d), level_of(d), demand_season_s(d), done);
    for (uint32_t i = 0; i < n; i++) {
        struct trust_score score = {
            .error = fabs(done[i].expected - done[i].highest),
            .last_value_error = fabs(done[i].value - done[i].highest),
            .actual = fabs(done[i].highest),
            .covered = done[i].highest <= done[i].quantile + TRIFLE * fabs(done[i].highest),
        };
        trust_take(&d->trust, &score, done[i].scores, d->config.max_error_percent, d->config.min_coverage_percent);
    }
    struct driver_path path;
    if (start && driver_wants(&d->driver, d->lead_s) && look_along(d, time_us, d->lead_s, &path))
        driver_start(&d->driver, d->lead_s, &path, level_of(d), demand_season_s(d), 12 * d->config.interval_s);
}

/* ---- feeding ---- */

static int64_t slot_us(const struct demand *d)
{
    return (int64_t)d->config.interval_s * 1000000;
}

int64_t demand_slot_of(const struct demand *d, int64_t time_us)
{
    int64_t slot = time_us / slot_us(d);
    return slot - (time_us % slot_us(d) < 0);
}

uint32_t demand_observe(struct demand *d, int64_t time_us, struct sample sample, unsigned flags, uint32_t lead_s)
{
    /* Times beyond these are no times; within them no sum below overflows. */
    const int64_t limit = INT64_C(1) << 60;
    if (time_us > limit || time_us < -limit)
        return 0;
    if (d->last_us != INT64_MIN && d->last_us - time_us > DEMAND_MAX_BACK_SLOTS * slot_us(d))
        demand_step_back(d, time_us);
    if (time_us <= d->last_us)
        return 0;
    d->lead_s = MAX(lead_s, 1u);
    uint32_t closed = advance(d, demand_slot_of(d, time_us));
    d->last_us = time_us;
    if (closed > 0)
        demand_follow_lead(d);
    if (sample.kind != SAMPLE_VALUE || !isfinite(sample.value))
        return closed;
    double value = MAX(-SERIES_MAX, MIN(sample.value, SERIES_MAX));
    if (flags & DEMAND_EXCLUDE) {
        d->open.excluded_sum += value;
        d->open.excluded_n++;
    } else {
        d->open.sum += value;
        d->open.n++;
        d->open.censored |= sample.censored;
    }
    drive_with(d, time_us, value,
               flags & DEMAND_EXCLUDE ? DRIVER_EXCLUDED
               : sample.censored      ? DRIVER_CENSORED
                                      : DRIVER_VALUE,
               true);
    return closed;
}

bool demand_closes(const struct demand *d, int64_t time_us, int64_t *ret_slot, double *ret_value)
{
    bool any = d->series.n > 0 || d->open.n > 0 || d->open.excluded_n > 0;
    if (!any || time_us <= d->last_us || demand_slot_of(d, time_us) <= d->series.next)
        return false;
    *ret_slot = d->series.next;
    *ret_value = d->open.n ? d->open.sum / d->open.n : (double)NAN;
    return true;
}

void demand_exclude_open(struct demand *d)
{
    d->open.excluded_sum += d->open.sum;
    d->open.excluded_n += d->open.n;
    d->open.sum = 0;
    d->open.n = 0;
    driver_skip(&d->driver);
}

const struct series *demand_series(const struct demand *d)
{
    return &d->series;
}

uint32_t demand_season_slots(const struct demand *d)
{
    return d->model.season;
}

void demand_take_slot(struct demand *d, int64_t slot, double value, unsigned marks)
{
    (void)advance(d, slot);
    int64_t middle = slot * slot_us(d) + slot_us(d) / 2;
    d->last_us = MAX(d->last_us, middle);
    if (isfinite(value)) {
        value = MAX(-SERIES_MAX, MIN(value, SERIES_MAX));
        drive_with(d, middle, value,
                   marks & SERIES_EXCLUDED   ? DRIVER_EXCLUDED
                   : marks & SERIES_CENSORED ? DRIVER_CENSORED
                                             : DRIVER_VALUE,
                   slot % 3 == 0);
    } else {
        value = (double)NAN;
    }
    d->open = (struct demand_open){0};
    close_slot(d, value, marks);
}

void demand_push_slot(struct demand *d, int64_t slot, double value, uint32_t lead_s)
{
    const int64_t limit = (INT64_C(1) << 60) / 1000000 / d->config.interval_s;
    if (slot > limit || slot < -limit || (d->series.n && slot < d->series.next))
        return;
    d->lead_s = MAX(lead_s, 1u);
    if (d->series.n == 0)
        d->judged_lead_s = d->lead_s;
    demand_take_slot(d, slot, value, 0);
}

/* ---- asking ---- */

const struct forecast *demand_forecast(struct demand *d)
{
    if (d->cached)
        return &d->forecast;
    if (!d->cache)
        d->cache = xcalloc(cache_floats(d), sizeof *d->cache);
    d->forecast = (struct forecast){
        .interval_s = d->config.interval_s,
        .period_s = d->model.season * d->config.interval_s,
    };
    for (uint32_t i = 0; i < FORECAST_LEVELS; i++)
        d->forecast.quantile[i] = d->cache + (size_t)d->config.horizon * i;
    d->forecast.mean = d->forecast.quantile[FORECAST_MEDIAN];
    model_forecast(&d->model, &d->series, &d->forecast);
    if (d->forecast.model < FORECAST_SHAPE)
        d->forecast.period_s = 0;
    d->cached = true;
    return &d->forecast;
}

void demand_drop_forecast(struct demand *d)
{
    free(d->cache);
    d->cache = NULL;
    d->cached = false;
}

/* By that much the path is above what the driver expects when it is worth to ask the model what it is sure of. */
#define WORTH_ASKING 0.05

/* What some slot of the window is all but sure to need in the mean. A driver that has seen nothing but stillness all
 * day forgets what a step of the forecast is worth; where that step comes at the same time each day, the model knows.
 */
static double surely(struct demand *d, int64_t now_us, uint32_t lead_s)
{
    double least = -SERIES_MAX;
    int64_t begin = d->series.next, first = MAX(demand_slot_of(d, now_us), begin);
    int64_t last = MIN(demand_slot_of(d, now_us + (int64_t)lead_s * 1000000), begin + d->config.horizon - 1);
    int64_t step = MAX((last - first) / PATH_POINTS, 1);
    for (int64_t slot = first; slot <= last; slot += step)
        least = MAX(least, least_at(d, (uint32_t)(slot - begin) + 1));
    return least;
}

struct demand_drive demand_drive(struct demand *d, int64_t now_us, uint32_t lead_s)
{
    struct driver_path path;
    if (!look_along(d, now_us, lead_s, &path))
        return (struct demand_drive){0};
    struct driver_answer a = driver_answer(&d->driver, now_us, gap_us(d), &path, level_of(d), demand_season_s(d));
    double least = d->model.negative ? -SERIES_MAX : 0;
    if (path.highest - a.expected > WORTH_ASKING * fabs(a.expected))
        a.expected = MAX(a.expected, surely(d, now_us, lead_s));
    double mean = MAX(least, MIN(a.expected, SERIES_MAX));
    return (struct demand_drive){
        .quantile = MAX(mean, MIN(a.quantile, SERIES_MAX)),
        .mean = mean,
        .usable = true,
    };
}

/* The highest slot of the next `slots`; the same until a slot closes. */
static double highest_ahead(struct demand *d, uint32_t slots)
{
    struct demand_memo *memo = &d->memo;
    if (memo->slots == slots)
        return (double)memo->highest;
    struct path path = {.d = d};
    double highest = path_point(&path, 0);
    uint32_t step = MAX(slots / PATH_POINTS, 1u);
    for (uint32_t i = step; i < slots; i += step)
        highest = MAX(highest, path_point(&path, i));
    memo->slots = (uint16_t)slots; /* the horizon at most */
    memo->highest = (float)highest;
    return (double)memo->highest;
}

double demand_ahead(struct demand *d, int64_t now_us, uint32_t lead_s, uint32_t ahead_s)
{
    struct driver_path path;
    ahead_s = MIN(MAX(ahead_s, lead_s), d->config.horizon * d->config.interval_s);
    if (ahead_s == 0 || !look_along(d, now_us, MIN(lead_s, ahead_s), &path))
        return -1;
    path.highest = MAX(path.highest, highest_ahead(d, (ahead_s + d->config.interval_s - 1) / d->config.interval_s));
    double share = (double)MIN(lead_s, ahead_s) / ahead_s, even = 1 - share * (0.69 - share * 0.19);
    struct driver_answer a = driver_answer(&d->driver, now_us, gap_us(d), &path, even, demand_season_s(d));
    return MAX(0, MIN(a.quantile, SERIES_MAX));
}

/* There is enough history for the forecasts to be more than a level. */
static bool has_history(const struct demand *d)
{
    enum forecast_model kind = model_kind(&d->model, &d->series);
    bool seasoned = d->model.season == 0 ? kind >= FORECAST_TREND : kind >= FORECAST_SHAPE;
    return seasoned && (uint64_t)d->series.n * d->config.interval_s >= d->config.min_history_s;
}

/* Slots without anything to learn from. What one anomaly may exclude is no outage: trust outlives it. */
#define STALE_SLOTS (ANOMALY_MAX_EXCLUDED + 1)

struct demand_trust demand_trust(const struct demand *d)
{
    return trust_state(&d->trust, d->config.max_error_percent, d->config.min_coverage_percent, has_history(d),
                       d->model.now.gap >= STALE_SLOTS);
}

bool demand_trusted(const struct demand *d)
{
    return trust_given(&d->trust, has_history(d), d->model.now.gap >= STALE_SLOTS);
}

uint32_t demand_history(const struct demand *d, int64_t *ret_first_slot, float *values, uint32_t cap)
{
    uint32_t n = MIN(d->series.n, cap);
    *ret_first_slot = d->series.next - n;
    for (uint32_t i = 0; i < n; i++)
        values[i] = series_raw(&d->series, *ret_first_slot + i);
    return n;
}

uint32_t demand_filled_slots(const struct demand *d)
{
    return d->series.filled;
}
