/* Made by hack/fit-prior; see prior.h. Columns are the features of features.h. */
#ifndef CORE_PRIOR_TABLE_H
#define CORE_PRIOR_TABLE_H

#define PRIOR_LEADS 2
static const double prior_leads[PRIOR_LEADS] = {1, 72};
static const float prior_one[PRIOR_LEADS][11] = {
    {.1f, 0, 0, .6f, .2f, .1f, 0, 0, 0, 0, 0},
    {.3f, 0, 0, 0, .1f, .3f, .1f, 0, 0, 0, 0},
};
static const float prior_many[PRIOR_LEADS][11] = {
    {.1f, .1f, 0, .6f, .2f, .1f, 0, 0, 0, 0, 0},
    {.1f, .1f, .2f, 0, .1f, .3f, .1f, 0, 0, 0, 0},
};

#endif
