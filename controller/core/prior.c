/* The table of coefficients and its interpolation; see prior.h. */
#include "core/prior.h"

#include "core/prior_table.h"

/* Where `lead` lies among the table's leads: index of the lower one and the share of the upper one. */
static uint32_t locate(double lead, double *ret_share)
{
    uint32_t i = 0;
    while (i + 2 < PRIOR_LEADS && lead > prior_leads[i + 1])
        i++;
    double share = (lead - prior_leads[i]) / (prior_leads[i + 1] - prior_leads[i]);
    *ret_share = share < 0 ? 0 : share > 1 ? 1 : share;
    return i;
}

void prior_at(double theta[FEATURES], uint32_t lead, uint32_t season, uint32_t seasons, uint32_t weeks)
{
    double share;
    uint32_t i = locate(lead * 288.0 / season, &share);
    /* The noise of a profile falls with the number of seasons: from the table of one to that of
     * FEATURES_SEASONS. */
    double k = seasons < 1 ? 1 : seasons > FEATURES_SEASONS ? FEATURES_SEASONS : seasons;
    double one = (1 / k - 1.0 / FEATURES_SEASONS) / (1 - 1.0 / FEATURES_SEASONS);
    const float(*table)[FEATURES] = weeks >= FEATURES_WEEKS ? prior_weeks : prior_many;
    for (uint32_t j = 0; j < FEATURES; j++)
        theta[j] = (1 - share) * (double)table[i][j] + share * (double)table[i + 1][j];
    if (!(one > 0))
        return;
    for (uint32_t j = 0; j < FEATURES; j++) {
        double few = (1 - share) * (double)prior_one[i][j] + share * (double)prior_one[i + 1][j];
        theta[j] += one * (few - theta[j]);
    }
}
