/* The normal equations and their solution; see ridge.h. */
#include "core/ridge.h"

#include "core/linear.h"

#include <math.h>

#define USUAL_RATE 0.02 /* of the running mean absolute error */
#define ROW_MAX                                                                                                        \
    1e8               /* in usual errors; a row beyond says nothing, and its squares leave float32                     \
                       */
#define DELTA_MAX 4.0 /* no coefficient strays further from the prior */

void ridge_init(struct ridge *r)
{
    *r = (struct ridge){.usual = -1};
}

void ridge_take(struct ridge *r, const float x[FEATURES], double y, double error)
{
    double e = fabs(error);
    double u = (double)r->usual;
    u = u < 0 ? e : u + MAX(USUAL_RATE, 1.0 / ((double)r->rows + 1)) * (e - u);
    r->usual = (float)u;
    if (!(u > 0))
        return; /* nothing but perfect forecasts so far: there is nothing to learn, and no unit to learn it in
                 */
    double w = u / MAX(e, 0.3 * u), unit = 1 / u;
    if (!(fabs(y) * unit < ROW_MAX))
        return;
    for (uint32_t i = 0; i < FEATURES; i++)
        if (!(fabs((double)x[i]) * unit < ROW_MAX))
            return;
    for (uint32_t i = 0, at = 0; i < FEATURES; i++) {
        double xi = w * unit * (double)x[i];
        for (uint32_t j = 0; j <= i; j++, at++)
            r->a[at] = (float)(RIDGE_FORGET * (double)r->a[at] + xi * unit * (double)x[j]);
        r->b[i] = (float)(RIDGE_FORGET * (double)r->b[i] + xi * unit * y);
    }
    r->rows = (float)(RIDGE_FORGET * (double)r->rows + 1);
}

void ridge_solve(struct ridge *r, const double prior[FEATURES])
{
    if (!(r->rows > 0))
        return;
    double m[RIDGE_SUMS], v[FEATURES], top = 0;
    for (uint32_t i = 0; i < FEATURES; i++)
        v[i] = (double)r->b[i];
    for (uint32_t i = 0, at = 0; i < FEATURES; i++)
        for (uint32_t j = 0; j <= i; j++, at++) {
            m[at] = (double)r->a[at];
            v[i] -= m[at] * prior[j];
            if (j < i)
                v[j] -= m[at] * prior[i];
            else
                top = MAX(top, m[at]);
        }
    /* The last term keeps features that were never anything but zero from dividing by it. */
    for (uint32_t i = 0, at = 0; i < FEATURES; i++, at += i + 1)
        m[at] += m[at] * RIDGE_PRIOR_ROWS / (double)r->rows + 1e-6 * top + 1e-30;
    bool solved = linear_solve(FEATURES, m, v);
    for (uint32_t i = 0; i < FEATURES; i++)
        r->delta[i] = solved && isfinite(v[i]) ? (float)MAX(-DELTA_MAX, MIN(v[i], DELTA_MAX)) : 0;
}
