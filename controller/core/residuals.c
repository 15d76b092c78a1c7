/* Errors by the bin; see residuals.h. */
#include "core/residuals.h"

#include <math.h>

/* Upper edges of the bins above zero, in scales; the last bin ends where the errors may. Below zero they are
 * mirrored. */
#define HALF (RESIDUALS_BINS / 2)
static const double edges[HALF] = {0.15, 0.35, 0.6, 0.9, 1.25, 1.7, 2.3, 3.1, 4.2, 6.2, 10, 20};

/* What stands in for errors before there are any: a wide, even spread, worth this much weight. */
#define START_WEIGHT 0.06
#define START_REACH  3.1 /* scales to each side: one of the edges */

void residuals_init(struct residuals *r)
{
    *r = (struct residuals){.fast = -1, .slow = -1, .total = (float)START_WEIGHT};
    for (uint32_t i = 0; i < HALF; i++) {
        double width = edges[i] - (i ? edges[i - 1] : 0);
        double share = edges[i] <= START_REACH ? width / (2 * START_REACH) : 0;
        r->count[HALF + i] = r->count[HALF - 1 - i] = (float)(START_WEIGHT * share);
    }
}

#define FAST_SHARE 0.2

double residuals_scale(const struct residuals *r)
{
    if (r->fast < 0)
        return 0;
    return FAST_SHARE * (double)r->fast + (1 - FAST_SHARE) * (double)r->slow;
}

#define STEADY 0.5 /* of what is usual, added to both */

double residuals_unrest(const struct residuals *r)
{
    double usual = (double)r->slow;
    return usual > 0 ? ((double)r->fast + STEADY * usual) / ((1 + STEADY) * usual) : 1;
}

static uint32_t bin_of(double z)
{
    double a = fabs(z);
    uint32_t i = 0;
    while (i + 1 < HALF && a > edges[i])
        i++;
    return z < 0 ? HALF - 1 - i : HALF + i;
}

void residuals_take(struct residuals *r, double error, double scale, double least, const struct residuals_rates *rates)
{
    double a = fabs(error), most = MAX(rates->clip * residuals_scale(r), least);
    if (r->fast < 0) {
        r->fast = r->slow = (float)a;
    } else {
        a = MIN(a, most);
        r->fast = (float)((double)r->fast + rates->fast * (a - (double)r->fast));
        r->slow = (float)((double)r->slow + rates->slow * (a - (double)r->slow));
    }
    double weight = rates->weight;
    /* No error so far at all: any error is beyond everything seen. */
    double z = scale > 0 ? error / scale : error > 0 ? edges[HALF - 1] : error < 0 ? -edges[HALF - 1] : 0;
    for (uint32_t i = 0; i < RESIDUALS_BINS; i++)
        r->count[i] = (float)((1 - weight) * (double)r->count[i]);
    r->total = (float)((1 - weight) * (double)r->total + weight);
    uint32_t bin = bin_of(z);
    r->count[bin] = (float)((double)r->count[bin] + weight);
}

static double lower_edge(uint32_t bin)
{
    return bin < HALF ? -edges[HALF - 1 - bin] : bin == HALF ? 0 : edges[bin - HALF - 1];
}

static double upper_edge(uint32_t bin)
{
    return bin + 1 < RESIDUALS_BINS ? lower_edge(bin + 1) : edges[HALF - 1];
}

/* 0 beyond the ends. */
static double density(const struct residuals *r, uint32_t bin)
{
    return bin < RESIDUALS_BINS ? (double)r->count[bin] / (upper_edge(bin) - lower_edge(bin)) : 0;
}

/* How far into the bin its lower `share` of errors reaches. Their density is taken to go straight from that of the bin
 * below to that of the bin above, `fall` = (below - above) / (below + above) to each side of its mean:
 *
 *     share = t + fall t (1 - t)
 *
 * Were it even, each quantile in a tail would lie too far out, as a bin there is wide and most of it near its inner
 * edge.
 */
static double reach(double share, double below, double above)
{
    double fall = below + above > 0 ? (below - above) / (below + above) : 0;
    return 2 * share / (1 + fall + sqrt(MAX((1 + fall) * (1 + fall) - 4 * fall * share, 0.0)));
}

double residuals_quantile(const struct residuals *r, double level)
{
    double want = level * (double)r->total, below = 0;
    uint32_t i = 0;
    while (i + 1 < RESIDUALS_BINS && below + (double)r->count[i] < want)
        below += (double)r->count[i++];
    double in = (double)r->count[i], share = in > 0 ? (want - below) / in : 0;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    if (share > 0)
        share = reach(share, i > 0 ? density(r, i - 1) : 0, density(r, i + 1));
    return lower_edge(i) + share * (upper_edge(i) - lower_edge(i));
}
