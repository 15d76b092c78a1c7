/* Deviations around a time of the season; see scatter.h. */
#include "core/scatter.h"

#include <math.h>

#define SEASONS 7
#define ASIDE   3  /* values to each side ... */
#define STEP    72 /* ... one every so many-th part of the season */

double scatter_at(const struct series *s, uint32_t season, int64_t target)
{
    if (season == 0)
        return (double)NAN;
    double sum = 0, scatter = 0;
    double v[SEASONS * (2 * ASIDE + 1)] __attribute__((uninitialized)); /* to zero it costs a fifth of this */
    uint32_t n = 0;
    int64_t step = MAX(1u, (season + STEP / 2) / STEP), oldest = s->next - s->n - ASIDE * step;
    int64_t past = target < s->next + season ? 1 : (target - s->next) / season + 1;
    for (uint32_t k = 0; k < SEASONS && target - past * season >= oldest; k++, past++)
        for (int64_t j = -ASIDE; j <= ASIDE; j++) {
            float x = series_at(s, target - past * season + j * step);
            if (isnan(x))
                continue;
            v[n++] = (double)x;
            sum += (double)x;
        }
    if (n == 0)
        return (double)NAN;
    double mean = sum / n;
    for (uint32_t i = 0; i < n; i++)
        scatter += fabs(v[i] - mean);
    return scatter / n;
}

#define TIMES 8 /* of the season, looked at for what is usual */

double scatter_usual(const struct series *s, uint32_t season)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < TIMES; i++) {
        double at = scatter_at(s, season, s->next + (int64_t)season * i / TIMES);
        if (isnan(at))
            continue;
        sum += at;
        n++;
    }
    return n ? sum / n : (double)NAN;
}

#define LEVEL_FLOOR   0.04 /* of the mean of the ring: near zero errors are no more */
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
