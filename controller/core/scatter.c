/* Deviations around a time of the season; see scatter.h. */
#include "core/scatter.h"

#include <math.h>

#define SEASONS 7
#define ASIDE   8   /* values to each side: 40 minutes of a day */
#define FEWEST  3   /* the same where a season has few slots */
#define FINEST  288 /* slots of a season that has more are passed over, so that about as many are left */

/* Four at a time, as a rebuild would otherwise spend most of its time here. What is added up are differences to the
 * first value: of values that are all alike nothing is left. */
#define LANES 4
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef int32_t lane_bits __attribute__((vector_size(LANES * sizeof(float))));

static double sum_of(lanes v)
{
    return ((double)v[0] + (double)v[1]) + ((double)v[2] + (double)v[3]);
}

/* Mean deviation from their mean of n > 0 values; NaN when one of them is. There is room for LANES more behind them. */
static double deviation_of(float *one, uint32_t n)
{
    const lanes *four = (const lanes *)one;
    uint32_t more = -n % LANES;
    for (uint32_t i = 0; i < more; i++)
        one[n + i] = one[0];
    lanes sum = {0}, deviation = {0};
    for (uint32_t i = 0; i < n; i += LANES)
        sum += four[i / LANES] - one[0];
    double mean = sum_of(sum) / n;
    for (uint32_t i = 0; i < n; i += LANES) {
        lanes d = four[i / LANES] - one[0] - (float)mean;
        deviation += (lanes)((lane_bits)d & INT32_MAX);
    }
    double total = sum_of(deviation) - more * fabs(mean);
    return total < 0 ? 0 : total / n;
}

static uint32_t without_nan(float *v, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!isnan(v[i]))
            v[kept++] = v[i];
    return kept;
}

double scatter_at(const struct series *s, uint32_t season, int64_t target)
{
    if (season == 0)
        return (double)NAN;
    float v[SEASONS * (2 * ASIDE + 1) + LANES] __attribute__((uninitialized)); /* to zero it costs a fifth of this */
    uint32_t n = 0, step = MAX(1u, (season + FINEST / 2) / FINEST);
    uint32_t aside = MIN((uint32_t)ASIDE, MAX((uint32_t)FEWEST, season / 36));
    int64_t side = (int64_t)aside * step, oldest = s->next - s->n - side;
    int64_t past = target < s->next + season ? 1 : (target - s->next) / season + 1;
    for (uint32_t k = 0; k < SEASONS && target - past * season >= oldest; k++, past++, n += 2 * aside + 1)
        series_read(s, target - past * season - side, 2 * aside + 1, step, v + n);
    double deviation = n ? deviation_of(v, n) : (double)NAN;
    if (!isnan(deviation))
        return deviation;
    n = without_nan(v, n);
    return n ? deviation_of(v, n) : (double)NAN;
}

void scatter_init(struct scatter *c)
{
    *c = (struct scatter){0};
}

void scatter_take(struct scatter *c, double at, double share)
{
    if (isnan(at))
        return;
    c->sum = (float)((1 - share) * (double)c->sum + share * at);
    c->weight = (float)((1 - share) * (double)c->weight + share);
}

double scatter_usual(const struct scatter *c)
{
    return c->weight > 0 ? (double)c->sum / (double)c->weight : (double)NAN;
}

#define LEVEL_FLOOR   0.15 /* of the mean of the ring: near zero errors are no more */
#define SCATTER_FLOOR 0.7  /* of the usual one: times at which nothing was seen to happen are not safe for that */
#define MOST          5.0  /* of what either makes of it */

double scatter_size(const struct series *s, double usual, double at, double root)
{
    double mean = series_mean_root(s), most = MOST * MOST, size = 1;
    mean *= mean;
    if (!(mean > 0))
        return 1;
    double level = (root * root + LEVEL_FLOOR * mean) / ((1 + LEVEL_FLOOR) * mean);
    if (usual > 0 && !isnan(at))
        size = MIN((at + SCATTER_FLOOR * usual) / ((1 + SCATTER_FLOOR) * usual), most);
    return sqrt(size * MIN(sqrt(level), most));
}
