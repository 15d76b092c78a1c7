/* The driving quantile; see driver.h. */
#include "core/driver.h"

#include "core/linear.h"

#include <math.h>

#define NEVER INT64_MIN

/* Coefficients that hold before there is any experience, and how many windows of experience they are worth.
 */
static const double prior[DRIVER_FEATURES] = {0.7, 0.1, 0.2, 0.2};
#define PRIOR_ROWS 24.0
#define LEVEL_MIN  0.5
#define LEVEL_MAX  0.998

void driver_init(struct driver *d)
{
    *d = (struct driver){.last_us = NEVER, .last_start_us = NEVER, .last_score_us = NEVER};
    residuals_init(&d->errors);
    for (uint32_t i = 0; i < DRIVER_PHASES; i++)
        d->phase[i] = -1;
    for (uint32_t i = 0; i < DRIVER_FEATURES; i++)
        d->theta[i] = (float)prior[i];
}

static uint32_t phase_of(int64_t time_us, uint32_t season_s)
{
    int64_t season_us = (int64_t)season_s * 1000000, in = time_us % season_us;
    if (in < 0)
        in += season_us;
    return (uint32_t)(in / (season_us / DRIVER_PHASES + 1));
}

static double scale_of(const struct driver *d, int64_t time_us, uint32_t season_s)
{
    if (d->errors.fast < 0)
        return 0;
    float phase = d->phase[phase_of(time_us, season_s)];
    return 0.5 * ((double)d->errors.fast + (double)(phase < 0 ? d->errors.slow : phase));
}

static void learn(struct driver *d, const struct driver_window *w, double forget)
{
    double e = (double)w->highest - (double)w->expected, y = (double)w->highest - (double)w->value;
    double u = (double)d->errors.slow;
    if (!(u > 0) || !(fabs(y) < 1e8 * u))
        return;
    for (uint32_t i = 0; i < DRIVER_FEATURES; i++)
        if (!(fabs((double)w->x[i]) < 1e8 * u))
            return;
    double unit = 1 / u, weight = u / MAX(fabs(e), 0.1 * u);
    for (uint32_t i = 0, at = 0; i < DRIVER_FEATURES; i++) {
        double xi = weight * unit * (double)w->x[i];
        for (uint32_t j = 0; j <= i; j++, at++)
            d->a[at] = (float)(forget * (double)d->a[at] + xi * unit * (double)w->x[j]);
        d->b[i] = (float)(forget * (double)d->b[i] + xi * unit * y);
    }
    d->rows = (float)(forget * (double)d->rows + 1);

    double m[ARRAY_SIZE(d->a)], v[DRIVER_FEATURES], top = 0;
    for (uint32_t i = 0, at = 0; i < DRIVER_FEATURES; i++)
        for (uint32_t j = 0; j <= i; j++, at++) {
            m[at] = (double)d->a[at];
            if (i == j)
                top = MAX(top, m[at]);
        }
    for (uint32_t i = 0, at = 0; i < DRIVER_FEATURES; i++, at += i + 1) {
        double pull = m[at] * PRIOR_ROWS / (double)d->rows + 1e-6 * top + 1e-30;
        m[at] += pull;
        v[i] = (double)d->b[i] + pull * prior[i];
    }
    if (!linear_solve(DRIVER_FEATURES, m, v))
        return;
    for (uint32_t i = 0; i < DRIVER_FEATURES; i++)
        if (isfinite(v[i]))
            d->theta[i] = (float)MAX(-2.0, MIN(v[i], 2.0));
}

static void finish(struct driver *d, struct driver_window *w, double level, uint32_t season_s,
                   struct driver_finished *out)
{
    double e = (double)w->highest - (double)w->expected;
    double share = MIN((double)w->weight / season_s, 0.02); /* of a season */
    struct residuals_rates rates = {
        .weight = share / 3, .fast = MIN(24 * share, 0.3), .slow = MIN(2 * share, 0.1), .clip = 10};
    residuals_take(&d->errors, e, (double)w->scale, 0.25 * fabs((double)w->expected), &rates);
    float *phase = &d->phase[phase_of(w->end_us, season_s)];
    double rate = MIN(DRIVER_PHASES * share * 0.7, 0.5);
    *phase = *phase < 0 ? d->errors.slow : (float)((double)*phase + rate * (fabs(e) - (double)*phase));
    double missed = (double)w->highest > (double)w->quantile ? 1 : 0;
    d->level = (float)((double)d->level + MIN(share, 0.01) * (missed - (1 - level)));
    d->level = (float)MAX(-0.2, MIN((double)d->level, 0.2));
    learn(d, w, 1 - share / 3);
    *out = (struct driver_finished){.scores = w->scores,
                                    .value = (double)w->value,
                                    .expected = (double)w->expected,
                                    .quantile = (double)w->quantile,
                                    .highest = (double)w->highest};
    w->end_us = 0;
}

static void drop_windows(struct driver *d)
{
    for (uint32_t i = 0; i < DRIVER_WINDOWS; i++)
        d->window[i].end_us = 0;
}

void driver_skip(struct driver *d)
{
    drop_windows(d);
    d->last_us = NEVER;
    d->censored = false;
}

/* The windows that `value` falls into or finishes. */
static uint32_t feed_windows(struct driver *d, int64_t time_us, double value, double level, uint32_t season_s,
                             struct driver_finished out[DRIVER_WINDOWS])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < DRIVER_WINDOWS; i++) {
        struct driver_window *w = &d->window[i];
        if (w->end_us == 0)
            continue;
        double at_end = value;
        if (time_us > w->end_us) /* the line from the last value to this one, where the window ends */
            at_end = (double)d->last +
                     (value - (double)d->last) * (double)(w->end_us - d->last_us) / (double)(time_us - d->last_us);
        w->highest = (float)MAX((double)w->highest, at_end);
        if (time_us >= w->end_us)
            finish(d, w, level, season_s, &out[n++]);
    }
    return n;
}

uint32_t driver_observe(struct driver *d, int64_t time_us, double value, enum driver_sample kind, int64_t gap_us,
                        double level, uint32_t season_s, struct driver_finished out[DRIVER_WINDOWS])
{
    if (kind == DRIVER_EXCLUDED || (d->last_us != NEVER && time_us - d->last_us > gap_us))
        driver_skip(d);
    if (kind == DRIVER_EXCLUDED)
        return 0;
    uint32_t n = 0;
    if (d->last_us == NEVER) {
        d->lag = (float)value;
    } else {
        double dt = (double)(time_us - d->last_us) / 1e6;
        double lag = (double)d->lag + dt / (dt + (double)d->lag_s) * (value - (double)d->lag);
        if (kind == DRIVER_CENSORED)
            lag = value - MAX((double)d->last - (double)d->lag, value - lag);
        else
            n = feed_windows(d, time_us, value, level, season_s, out);
        d->lag = (float)lag;
    }
    if (kind == DRIVER_CENSORED)
        drop_windows(d);
    d->censored = kind == DRIVER_CENSORED;
    d->last = (float)value;
    d->last_us = time_us;
    return n;
}

bool driver_wants(const struct driver *d, uint32_t lead_s)
{
    if (d->last_us == NEVER || d->censored)
        return false;
    int64_t every = (int64_t)lead_s * 1000000 / DRIVER_WINDOWS;
    return d->last_start_us == NEVER || d->last_us - d->last_start_us >= every;
}

static double expect(const struct driver *d, double value, const struct driver_path *path, double x[DRIVER_FEATURES])
{
    double growth = value - (double)d->lag;
    x[0] = path->highest - path->now;
    x[1] = MAX(path->highest - value, 0.0);
    x[2] = growth;
    x[3] = MAX(growth, 0.0);
    double y = value;
    for (uint32_t i = 0; i < DRIVER_FEATURES; i++)
        y += (double)d->theta[i] * x[i];
    return MAX(y, value); /* the window begins with the value */
}

static double quantile_of(const struct driver *d, double expected, double scale, double floor, double level)
{
    double l = MAX(LEVEL_MIN, MIN(level + (double)d->level, LEVEL_MAX));
    return MAX(expected + residuals_quantile(&d->errors, l) * scale, floor);
}

void driver_start(struct driver *d, uint32_t lead_s, const struct driver_path *path, double level, uint32_t season_s,
                  uint32_t score_every_s)
{
    struct driver_window *w = NULL;
    for (uint32_t i = 0; i < DRIVER_WINDOWS && !w; i++)
        if (d->window[i].end_us == 0)
            w = &d->window[i];
    if (!w)
        return;
    double x[DRIVER_FEATURES], value = (double)d->last, scale = scale_of(d, d->last_us, season_s);
    double expected = expect(d, value, path, x);
    double since = d->last_start_us == NEVER ? lead_s : (double)(d->last_us - d->last_start_us) / 1e6;
    *w = (struct driver_window){
        .end_us = d->last_us + (int64_t)lead_s * 1000000,
        .value = d->last,
        .expected = (float)expected,
        .quantile = (float)quantile_of(d, expected, scale, value, level),
        .scale = (float)scale,
        .highest = d->last,
        .weight = (float)since,
        .scores = d->last_score_us == NEVER || d->last_us - d->last_score_us >= (int64_t)score_every_s * 1000000,
    };
    for (uint32_t i = 0; i < DRIVER_FEATURES; i++)
        w->x[i] = (float)x[i];
    if (w->scores)
        d->last_score_us = d->last_us;
    d->last_start_us = d->last_us;
    d->lag_s = lead_s;
}

struct driver_answer driver_answer(const struct driver *d, int64_t time_us, int64_t gap_us,
                                   const struct driver_path *path, double level, uint32_t season_s)
{
    double x[DRIVER_FEATURES], scale = scale_of(d, time_us, season_s);
    bool known = d->last_us != NEVER && time_us - d->last_us <= gap_us;
    double value = known ? (double)d->last : path->now;
    double expected = known ? expect(d, value, path, x) : path->highest;
    return (struct driver_answer){expected, quantile_of(d, expected, scale, known ? value : 0, level)};
}
