/* The forecasting model of one series: regressions at a few leads ("knots"), the errors they make, and the
 * forecasts that wait to be scored.
 *
 * At every stride-th slot the model looks ahead from its knots and keeps what it saw and said; when the slot
 * in question closes, the row trains the knot's regression and the error goes into the knot's distribution. A
 * forecast for lead h uses the coefficients and errors interpolated between the knots around h. Before one
 * season is held there is no profile to regress on: level and a damped trend, their errors measured the same
 * way.
 */
#ifndef CORE_MODEL_H
#define CORE_MODEL_H

#include "core/codec.h"
#include "core/demand.h"
#include "core/period.h"
#include "core/residuals.h"
#include "core/ridge.h"
#include "core/scatter.h"
#include "core/series.h"

#define MODEL_KNOTS 3

struct model_row {
    uint16_t x[FEATURES]; /* as bfloat.h has them */
    float profile;        /* what x is relative to */
    float mean;           /* what was said */
    float scale;          /* of its error, as expected then */
    bool issued;          /* waits for its slot */
    bool regressed;       /* x is defined: trains the regression */
};

struct model_knot {
    uint32_t lead; /* slots; 1 is the first slot of the forecast */
    uint32_t rows; /* forecasts that can wait at a time */
    uint32_t first_row;
    struct ridge ridge;
    struct residuals errors;
};

struct model {
    uint32_t season;      /* slots; 0: none */
    uint32_t week;        /* seven seasons of a day each; 0: none */
    bool searches;        /* for a period shorter than the season */
    struct period period; /* what it found, or was told */
    uint32_t horizon, stride;
    uint32_t n_knots;
    uint32_t n_rows;
    bool negative; /* a value below zero was seen: nothing is clipped at zero */
    struct features_now now;
    struct scatter scatter; /* what is usual where forecasts end */
    struct model_knot knot[MODEL_KNOTS];
    struct model_row *row;
};

/* What repeats; `searches`: a period inside the season is looked for. */
void model_init(struct model *m, const struct features_cycles *cycles, bool searches, uint32_t horizon);
void model_done(struct model *m);
size_t model_memory(const struct model *m); /* on the heap */

/* The slot that is about to be pushed onto `s`; NaN: no data, or excluded. Scores, trains. */
void model_close(struct model *m, const struct series *s, float value, bool censored);
/* After the push: looks ahead from the new origin when it is its turn. */
void model_look_ahead(struct model *m, const struct series *s);
/* Slots were skipped: nothing that waits can be finished. */
void model_skip(struct model *m);

enum forecast_model model_kind(const struct model *m, const struct series *s);
double model_mean(const struct model *m, const struct series *s, uint32_t lead);
/* The lowest quantile of a slot: what it is all but sure to reach. -SERIES_MAX: nothing is. */
double model_least(const struct model *m, const struct series *s, uint32_t lead);
void model_forecast(const struct model *m, const struct series *s, struct forecast *f);

void model_encode(const struct model *m, struct codec_writer *w);
void model_decode(struct model *m, struct codec_reader *r);

#endif
