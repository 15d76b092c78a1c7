/* The numbers the regression sees; see features.h. */
#include "core/features.h"

#include <math.h>

/* Windows and widths are those of a day of 288 slots, carried over to any season by its length. */
static uint32_t scaled(uint32_t slots_of_288, uint32_t season)
{
    return MAX(1u, (slots_of_288 * season + 144) / 288);
}

static const uint32_t windows[FEATURES_WINDOWS] = {1, 6, 24, 72};

/* The first past season whose slot is before the origin. */
static int64_t first_past(const struct series *s, uint32_t season, int64_t t)
{
    return t < s->next + season ? 1 : (t - s->next) / season + 1;
}

/* Values of t's phase in past seasons, newest first, on the root scale. */
static uint32_t phase_values(const struct series *s, uint32_t season, int64_t t, double out[FEATURES_SEASONS])
{
    uint32_t n = 0;
    int64_t oldest = s->next - s->n, k = first_past(s, season, t);
    for (int64_t slot = t - k * season; slot >= oldest && k <= FEATURES_SEASONS; slot -= season, k++) {
        float v = series_at(s, slot);
        if (!isnan(v))
            out[n++] = series_root((double)v);
    }
    return n;
}

static double mean_of(const double *v, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += v[i];
    return n ? sum / n : (double)NAN;
}

/* Sorts in place; n <= FEATURES_SEASONS. */
static double median_of(double *v, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        double x = v[i];
        uint32_t j = i;
        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

/* W(t) on the root scale, with `half` slots to each side; NaN: nothing is held. */
static double week_value(const struct series *s, uint32_t week, uint32_t half, int64_t t)
{
    double sum = 0;
    uint32_t n = 0;
    int64_t oldest = s->next - s->n - half, k = first_past(s, week, t);
    for (uint32_t i = 0; i < FEATURES_WEEKS && t - k * week >= oldest; i++, k++)
        for (int64_t j = -(int64_t)half; j <= (int64_t)half; j++) {
            float v = series_at(s, t - k * week + j);
            if (isnan(v))
                continue;
            sum += series_root((double)v);
            n++;
        }
    return n ? sum / n : (double)NAN;
}

/* A gap leaves the deviations to fade: half of them is gone after about 70 slots. */
#define FADE 0.99

#define CLIP       5.0  /* usual deviations */
#define CLIP_LEVEL 0.25 /* of the level: less is never cut, so that a shift after a dead calm is seen */
#define USUAL_RATE 0.05

/* A spike is cut to what it could be at most, for the level's sake; a shift of the level is not held up for
 * long, because what is usual grows with every such deviation. */
static double clipped(struct features_now *now, double dev, double level)
{
    double usual = (double)now->usual, most = MAX(CLIP * usual, CLIP_LEVEL * fabs(level)), size = fabs(dev);
    if (size > most)
        size = most;
    now->usual = (float)(usual > 0 ? usual + USUAL_RATE * (size - usual) : size);
    return dev < 0 ? -size : size;
}

#define WEEK_WINDOW 24 /* of 288 */

static void close_week(struct features_now *now, const struct series *s, const struct features_cycles *c, double p)
{
    double w = c->week && s->n >= c->week ? week_value(s, c->week, 0, s->next) : (double)NAN;
    if (isnan(w))
        return;
    double alpha = 2.0 / (scaled(WEEK_WINDOW, c->season) + 1.0);
    now->week = (float)((double)now->week + alpha * (w - p - (double)now->week));
}

void features_close(struct features_now *now, const struct series *s, const struct features_cycles *c, float value)
{
    uint32_t season = c->season;
    if (isnan(value)) {
        for (uint32_t i = 0; i < FEATURES_WINDOWS; i++)
            now->dev[i] = (float)((double)now->dev[i] * FADE);
        now->week = (float)((double)now->week * FADE);
        now->gap = MIN(now->gap + 1, 65535u);
        return;
    }
    now->gap = 0;
    double y = (double)value, v[FEATURES_SEASONS];
    uint32_t n = season ? phase_values(s, season, s->next, v) : 0;
    if (n) {
        double p = mean_of(v, n), dev = clipped(now, series_root(y) - p, series_mean_root(s));
        close_week(now, s, c, p);
        for (uint32_t i = 0; i < FEATURES_WINDOWS; i++) {
            double alpha = 2.0 / (scaled(windows[i], season) + 1.0);
            now->dev[i] = (float)((double)now->dev[i] + alpha * (dev - (double)now->dev[i]));
        }
    }
    static const double alpha[2] = {2.0 / (3 + 1), 2.0 / (24 + 1)};
    for (uint32_t i = 0; i < 2; i++)
        now->level[i] = now->seen ? (float)((double)now->level[i] + alpha[i] * (y - (double)now->level[i])) : value;
    now->last = value;
    now->seen = MIN(now->seen + 1, 65536u);
}

/* The past seasons around the target in one pass: sums for the smoothed profile, the values of the phase
 * itself, and the last season on its own. */
struct seasons {
    double sum, last_sum, phase[FEATURES_SEASONS];
    uint32_t n, last_n, phase_n;
    double last; /* the last season's slot; NaN: none */
};

static void read_seasons(struct seasons *r, const struct series *s, uint32_t season, int64_t target)
{
    int64_t half = season / 144, oldest = s->next - s->n - half, k = first_past(s, season, target);
    *r = (struct seasons){.last = (double)NAN};
    bool last = true;
    for (int64_t slot = target - k * season; slot >= oldest && k <= FEATURES_SEASONS; slot -= season, k++) {
        double sum = 0;
        uint32_t n = 0;
        for (int64_t j = -half; j <= half; j++) {
            float v = series_at(s, slot + j);
            if (isnan(v))
                continue;
            double root = series_root((double)v);
            sum += root;
            n++;
            if (j == 0) {
                r->phase[r->phase_n++] = root;
                r->last = last ? root : r->last;
            }
        }
        if (last) {
            r->last_sum = sum;
            r->last_n = n;
            last = false;
        }
        r->sum += sum;
        r->n += n;
    }
}

void features_at(struct features *f, const struct features_now *now, const struct series *s,
                 const struct features_cycles *c, int64_t target)
{
    *f = (struct features){0};
    struct seasons r;
    read_seasons(&r, s, c->season, target);
    if (r.n == 0)
        return;
    double mean = series_mean_root(s), p = r.sum / r.n;
    f->profile = p;
    f->x[0] = mean - p;
    f->seasons = MAX(r.phase_n, 1u);
    if (r.phase_n) {
        f->x[1] = mean_of(r.phase, r.phase_n) - p;
        f->x[2] = median_of(r.phase, r.phase_n) - p;
    }
    for (uint32_t i = 0; i < FEATURES_WINDOWS; i++)
        f->x[3 + i] = (double)now->dev[i];
    f->x[7] = isnan(r.last) ? 0 : r.last - p;
    f->x[8] = r.last_n ? r.last_sum / r.last_n - p : 0;
    f->x[9] = now->seen ? series_root((double)now->last) - mean : 0;
    if (c->shorter) {
        double v[FEATURES_SEASONS];
        uint32_t got = phase_values(s, c->shorter, target, v);
        f->x[10] = got ? median_of(v, got) - p : 0;
    }
    if (c->week && s->n >= c->week) {
        double w = week_value(s, c->week, c->season / 48, target);
        f->x[11] = isnan(w) ? 0 : w - p;
        f->x[12] = (double)now->week;
        f->weeks = s->n / c->week;
    }
}
