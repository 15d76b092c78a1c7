/* Knots, rows and forecasts; see model.h. */
#include "core/model.h"

#include "base/alloc.h"
#include "core/bfloat.h"
#include "core/prior.h"

#include <math.h>
#include <stdlib.h>

/* Rates of the errors' distribution, per finished forecast of a knot (24 a day in the usual setting). */
static const struct residuals_rates rates = {.weight = 0.003, .fast = 0.5, .slow = 0.002, .clip = 40};
#define CALM 0.25 /* errors up to that share of the demand are never a spike */

/* Of what was said, which has the precision of a float: less is nothing. In a dead calm last digits would be all that
 * is learned from, and the first change after it be answered with a forecast of ten times as much. */
#define EXACT 1e-6

#define TREND_DAMPING 0.9
#define ROOT_MAX      1e15 /* of SERIES_MAX */

static uint32_t ceil_div(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

void model_init(struct model *m, const struct features_cycles *cycles, bool searches, uint32_t horizon)
{
    static const uint32_t leads_of_72[MODEL_KNOTS] = {1, 19, 71};
    *m = (struct model){
        .season = cycles->season,
        .week = cycles->week,
        .searches = searches,
        .period = {.found = cycles->shorter},
        .horizon = horizon,
        .stride = horizon / 6 + 1,
    };
    scatter_init(&m->scatter);
    for (uint32_t i = 0; i < MODEL_KNOTS; i++) {
        uint32_t lead = i == 0 ? 1 : MAX(1u, (leads_of_72[i] * horizon + 36) / 72);
        if (m->n_knots && lead <= m->knot[m->n_knots - 1].lead)
            continue;
        struct model_knot *k = &m->knot[m->n_knots++];
        *k = (struct model_knot){.lead = lead, .rows = ceil_div(lead, m->stride) + 1, .first_row = m->n_rows};
        ridge_init(&k->ridge);
        residuals_init(&k->errors);
        m->n_rows += k->rows;
    }
    m->row = xcalloc(m->n_rows, sizeof *m->row);
}

void model_done(struct model *m)
{
    free(m->row);
    *m = (struct model){0};
}

size_t model_memory(const struct model *m)
{
    return m->n_rows * sizeof *m->row;
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    int64_t r = a % b;
    return r < 0 ? r + b : r;
}

static int64_t block_of(const struct model *m, int64_t slot)
{
    return (slot - floor_mod(slot, m->stride)) / m->stride;
}

/* The model looks ahead from one slot of every `stride`: from another one each time, by dice that are always
 * the same. At a fixed one it would meet a short period always in the same phase, and what it learned there
 * would be wrong in all others. */
static bool looks_from(const struct model *m, int64_t slot)
{
    uint64_t block = (uint64_t)block_of(m, slot);
    uint64_t toss = block * UINT64_C(0x9E3779B97F4A7C15) >> 40;
    return (uint64_t)floor_mod(slot, m->stride) == toss % m->stride;
}

/* Where the row of the forecast from `origin` lies. */
static struct model_row *row_of(const struct model *m, const struct model_knot *k, int64_t origin)
{
    return &m->row[k->first_row + (uint32_t)floor_mod(block_of(m, origin), k->rows)];
}

static struct features_cycles cycles_of(const struct model *m)
{
    return (struct features_cycles){.season = m->season, .shorter = m->period.found, .week = m->week};
}

void model_close(struct model *m, const struct series *s, float value, bool censored)
{
    struct features_cycles cycles = cycles_of(m);
    features_close(&m->now, s, &cycles, value);
    double root = series_root((double)value);
    if (value < 0)
        m->negative = true;
    for (uint32_t i = 0; i < m->n_knots; i++) {
        struct model_knot *k = &m->knot[i];
        int64_t origin = s->next - k->lead + 1;
        if (!looks_from(m, origin))
            continue;
        struct model_row *row = row_of(m, k, origin);
        if (!row->issued)
            continue;
        row->issued = false;
        /* A censored value is a lower bound: it can say that the forecast was too low, and nothing else. */
        double said = (double)row->mean, e = (double)value - series_unroot(said);
        if (isnan(value) || (censored && e < 0))
            continue;
        bool exact = fabs(e) <= EXACT * fabs(series_unroot(said));
        if (exact)
            e = 0;
        double at = scatter_at(s, m->season, s->next);
        scatter_take(&m->scatter, at, (double)m->stride / (m->n_knots * MAX(m->season, m->stride)));
        double size = scatter_size(s, scatter_usual(&m->scatter), at, said);
        residuals_take(&k->errors, e / size, (double)row->scale, CALM * fabs(series_unroot(said)) / size, &rates);
        if (!row->regressed || exact)
            continue;
        float x[FEATURES];
        for (uint32_t j = 0; j < FEATURES; j++)
            x[j] = bfloat_unpack(row->x[j]);
        ridge_take(&k->ridge, x, root - (double)row->profile, root - said);
    }
}

/* Plain. Level and damped trend: the sum of a geometric series of steps. */
static double level_mean(const struct model *m, uint32_t lead)
{
    double level = (double)m->now.level[0], step = (level - (double)m->now.level[1]) / 11;
    double reach = 0, damp = 1;
    for (uint32_t i = 0; i < MIN(lead, 48u); i++) {
        damp *= TREND_DAMPING;
        reach += damp;
    }
    return m->now.seen < 12 ? level : level + 0.5 * step * reach;
}

static bool has_season(const struct model *m, const struct series *s)
{
    return m->season && s->n >= m->season;
}

/* What the knot adds to the prior, between knots by interpolation: index of the lower one and the upper one's
 * share. */
static uint32_t between(const struct model *m, uint32_t lead, double *ret_share)
{
    uint32_t i = 0;
    while (i + 2 < m->n_knots && lead > m->knot[i + 1].lead)
        i++;
    if (m->n_knots == 1 || lead <= m->knot[i].lead) {
        *ret_share = 0;
        return i;
    }
    double share = (double)(lead - m->knot[i].lead) / (double)(m->knot[i + 1].lead - m->knot[i].lead);
    *ret_share = MIN(share, 1.0);
    return i;
}

struct looked {
    struct features f;
    double mean; /* root scale */
    bool regressed;
};

static void look(const struct model *m, const struct series *s, uint32_t lead, struct looked *out)
{
    out->f.seasons = 0;
    if (has_season(m, s)) {
        struct features_cycles cycles = cycles_of(m);
        features_at(&out->f, &m->now, s, &cycles, s->next + lead - 1);
    }
    out->regressed = out->f.seasons > 0;
    if (!out->regressed) {
        out->mean = series_root(level_mean(m, lead));
    } else {
        double theta[FEATURES], share, y = out->f.profile;
        prior_at(theta, lead, m->season, out->f.seasons, out->f.weeks);
        uint32_t i = between(m, lead, &share);
        const float *lower = m->knot[i].ridge.delta, *upper = m->knot[MIN(i + 1, m->n_knots - 1)].ridge.delta;
        for (uint32_t j = 0; j < FEATURES; j++)
            y += (theta[j] + (1 - share) * (double)lower[j] + share * (double)upper[j]) * out->f.x[j];
        out->mean = y;
    }
    if (!m->negative && !(out->mean > 0))
        out->mean = 0;
    out->mean = MAX(-ROOT_MAX, MIN(out->mean, ROOT_MAX));
}

/* The scale of a knot's errors. Those of the longer leads are known only hours later: unrest among the first knot's
 * widens them at once, by its eighth root. */
static double scale_of(const struct model *m, const struct model_knot *k)
{
    double scale = residuals_scale(&k->errors);
    return k == m->knot ? scale : scale * sqrt(sqrt(sqrt(residuals_unrest(&m->knot[0].errors))));
}

double model_mean(const struct model *m, const struct series *s, uint32_t lead)
{
    struct looked l;
    look(m, s, lead, &l);
    return series_unroot(l.mean);
}

void model_look_ahead(struct model *m, const struct series *s)
{
    if (m->searches && m->season)
        period_step(&m->period, s, m->season);
    if (!looks_from(m, s->next) || m->now.seen == 0)
        return;
    for (uint32_t i = 0; i < m->n_knots; i++) {
        struct model_knot *k = &m->knot[i];
        struct looked l;
        look(m, s, k->lead, &l);
        struct model_row *row = row_of(m, k, s->next);
        *row = (struct model_row){
            .profile = (float)l.f.profile,
            .mean = (float)l.mean,
            .scale = (float)scale_of(m, k),
            .issued = true,
            .regressed = l.regressed,
        };
        if (!l.regressed)
            continue;
        for (uint32_t j = 0; j < FEATURES; j++)
            row->x[j] = bfloat_pack(fabs(l.f.x[j]) > EXACT * fabs(l.mean) ? (float)l.f.x[j] : 0);
        /* Every second knot is solved at a turn: in between its sums change little. */
        if (floor_mod(block_of(m, s->next) + i, 2) != 0)
            continue;
        double theta[FEATURES];
        prior_at(theta, k->lead, m->season, l.f.seasons, l.f.weeks);
        ridge_solve(&k->ridge, theta);
    }
}

void model_skip(struct model *m)
{
    for (uint32_t i = 0; i < m->n_rows; i++)
        m->row[i].issued = false;
}

enum forecast_model model_kind(const struct model *m, const struct series *s)
{
    if (m->now.seen == 0)
        return FORECAST_NONE;
    if (has_season(m, s))
        return s->n >= 2 * m->season ? FORECAST_SEASONAL : FORECAST_SHAPE;
    return m->now.seen < 12 ? FORECAST_LEVEL : FORECAST_TREND;
}

#define UNKNOWN 0.25 /* of the level: the scale of errors that were never seen */

/* The errors and their scale at a knot. A knot that has seen no error of its own takes those of the one before it,
 * wider by the lead, and at least half of the level to each side at 90 %. */
static const struct residuals *errors_at(const struct model *m, uint32_t i, double *ret_scale)
{
    const struct model_knot *k = &m->knot[i], *from = k;
    while (from->errors.fast < 0 && from > m->knot)
        from--;
    double scale = scale_of(m, from);
    if (k->errors.fast < 0)
        scale = MAX(scale * sqrt((double)k->lead / from->lead), UNKNOWN * fabs((double)m->now.last));
    *ret_scale = scale;
    return &from->errors;
}

/* Offsets of the quantiles at a knot. */
static void offsets(const struct model *m, uint32_t i, double out[FORECAST_LEVELS])
{
    double scale;
    const struct residuals *errors = errors_at(m, i, &scale);
    for (uint32_t j = 0; j < FORECAST_LEVELS; j++)
        out[j] = scale * residuals_quantile(errors, forecast_levels[j]);
}

double model_least(const struct model *m, const struct series *s, uint32_t lead)
{
    struct looked l;
    look(m, s, lead, &l);
    if (!l.regressed)
        return -SERIES_MAX;
    double share, scale[2];
    uint32_t i = between(m, lead, &share);
    const struct residuals *lower = errors_at(m, i, &scale[0]);
    const struct residuals *upper = errors_at(m, MIN(i + 1, m->n_knots - 1), &scale[1]);
    double at = scatter_at(s, m->season, s->next + lead - 1);
    double size = scatter_size(s, scatter_usual(&m->scatter), at, l.mean);
    double offset = (1 - share) * scale[0] * residuals_quantile(lower, forecast_levels[0]) +
                    share * scale[1] * residuals_quantile(upper, forecast_levels[0]);
    return MAX(-SERIES_MAX, MIN(series_unroot(l.mean) + size * offset, SERIES_MAX));
}

#define TREND_LEAST 0.02 /* a smaller change is none */

static enum forecast_trend trend_of(const struct model *m, const struct forecast *f)
{
    double mean = 0, up = 0, down = 0, now = (double)m->now.level[0];
    for (uint32_t h = 0; h < f->n; h++) {
        mean += (double)f->mean[h];
        up += (double)f->quantile[4][h];
        down += (double)f->quantile[2][h];
    }
    double change = mean - now * f->n, least = MAX(0.5 * (up - down), TREND_LEAST * fabs(now) * f->n);
    if (change > least)
        return FORECAST_RISING;
    return change < -least ? FORECAST_FALLING : FORECAST_STEADY;
}

#define SCATTER_EVERY 4 /* leads: between them a straight line, as it changes little */

void model_forecast(const struct model *m, const struct series *s, struct forecast *f)
{
    f->origin_slot = s->next;
    f->model = model_kind(m, s);
    f->n = f->model == FORECAST_NONE ? 0 : m->horizon;
    f->trend = FORECAST_STEADY;
    if (f->n == 0)
        return;
    double offset[MODEL_KNOTS][FORECAST_LEVELS] = {{0}}, usual = scatter_usual(&m->scatter), scatter[2] = {0};
    for (uint32_t i = 0; i < m->n_knots; i++)
        offsets(m, i, offset[i]);
    for (uint32_t h = 0; h < f->n; h++) {
        struct looked l;
        look(m, s, h + 1, &l);
        uint32_t in = h % SCATTER_EVERY;
        if (in == 0) {
            scatter[0] = h ? scatter[1] : scatter_at(s, m->season, s->next);
            scatter[1] = scatter_at(s, m->season, s->next + h + SCATTER_EVERY);
        }
        double at = scatter[0] + in * (scatter[1] - scatter[0]) / SCATTER_EVERY;
        double size = scatter_size(s, usual, at, l.mean);
        double share, mean = series_unroot(l.mean), before = -(double)INFINITY;
        uint32_t i = between(m, h + 1, &share), up = MIN(i + 1, m->n_knots - 1);
        for (uint32_t j = 0; j < FORECAST_LEVELS; j++) {
            double q = mean + size * ((1 - share) * offset[i][j] + share * offset[up][j]);
            if (!m->negative && !(q > 0))
                q = 0;
            q = MAX(-SERIES_MAX, MIN(MAX(q, before), SERIES_MAX));
            f->quantile[j][h] = (float)q;
            before = q;
        }
    }
    f->trend = trend_of(m, f);
}
