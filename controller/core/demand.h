/* The demand of one metric: its history, what is forecast of it, how far that is to be believed, and the one
 * number that drives scaling.
 *
 * Fed at every sync with what was measured (demand_observe). Samples fall into slots of `interval_s`; a
 * slot's value is the mean of its samples, and its peak the highest of them; it is closed by the first later
 * observation. At each closed slot the regression takes the new value in (<= 10 us), and a forecast is made
 * when one is asked for (<= 50 us).
 *
 * Model: direct ridge regression per lead on level, recent growth, the same slot of earlier seasons, the
 * seasonal profile and a damped trend, on the square-root scale; interval from the model's own past errors
 * per lead (online conformal). The driving quantile Q is that of the highest sync-level demand in [now, now +
 * lead], calibrated on exactly that: design and formulas in demand's own files.
 *
 * Trust has hysteresis: scored on the last 56 finished forecasts at the lead in use, earned after 12
 * consecutive good scores, lost after 3 bad ones. Censored and excluded samples are neither scored nor, when
 * excluded, trained on.
 *
 * Pure: no clock, no I/O, deterministic; only sqrt of libm touches what is stored. All of it is encoded
 * bit-exactly. Memory: <= 14 KiB per metric with 2016 slots.
 */
#ifndef CORE_DEMAND_H
#define CORE_DEMAND_H

#include "base/base.h"
#include "core/codec.h"
#include "core/forecast.h"
#include "core/sample.h"

#define DEMAND_MIN_SLOTS   12
#define DEMAND_MAX_SLOTS   4032
#define DEMAND_MAX_PERIODS 4

enum demand_seasonality { DEMAND_SEASON_AUTO, DEMAND_SEASON_FIXED, DEMAND_SEASON_NONE };

struct demand_config {
    uint32_t interval_s; /* 10..3600 */
    uint32_t slots;      /* ring length, 12..4032 */
    uint32_t horizon;    /* slots, 1..FORECAST_MAX_HORIZON */
    enum demand_seasonality seasonality;
    uint32_t n_periods; /* FIXED only */
    uint32_t periods_s[DEMAND_MAX_PERIODS];
    uint32_t confidence_percent;   /* 50..99: the one-sided level c of the driving quantile */
    uint32_t min_history_s;        /* no trust before that much history */
    uint32_t max_error_percent;    /* quality gate, default 30 */
    uint32_t min_coverage_percent; /* quality gate, default 85 */
};

/* 300 s, 2016 slots, 72, AUTO, 90, 0, 30, 85 */
struct demand_config demand_config_default(void);

struct demand;
struct demand *demand_new(const struct demand_config *config); /* gives; asserts a valid config */
struct demand *demand_free(struct demand *d);
const struct demand_config *demand_config(const struct demand *d);
/* A changed configuration: keeps the history (resampled where the interval changed), rebuilds the rest. */
void demand_reconfigure(struct demand *d, const struct demand_config *config);
size_t demand_memory(const struct demand *d); /* bytes on the heap */

enum demand_flags {
    DEMAND_EXCLUDE = 1, /* an anomalous sample: kept and shown, not trained on, not scored */
};

/* A measurement at `time_us` (Unix, strictly after the last one). An earlier one is ignored, until the clock has come
 * back to where it was; one that is more than DEMAND_MAX_BACK_SLOTS earlier says that the clock was wrong before: the
 * history from there on goes, and the rest is played anew. `lead_s` is the lead in use. Returns the number of slots
 * that it closed. */
#define DEMAND_MAX_BACK_SLOTS 3
uint32_t demand_observe(struct demand *d, int64_t time_us, struct sample sample, unsigned flags, uint32_t lead_s);

/* A whole slot at once: backfill and offline series. `value` NaN is no data. Slots must increase; skipped
 * ones are no data. */
void demand_push_slot(struct demand *d, int64_t slot, double value, uint32_t lead_s);

/* Puts `n` slots that begin with `first_slot` behind the history where that has no value, and plays the whole through
 * the model with the lead `lead_s`, so that trust is what it would be had they been seen. NaN is no data; slots that
 * are not over by the last observation, or `now_s` when there was none, are left out. Returns how many values were
 * taken. */
uint32_t demand_import(struct demand *d, int64_t first_slot, const float *values, uint32_t n, int64_t now_s,
                       uint32_t lead_s);

/* The forecast after the last closed slot; made when a slot has closed since, otherwise the cached one.
 * Borrowed until the next change of `d`. n == 0 when there is nothing to go by. */
const struct forecast *demand_forecast(struct demand *d);
/* Frees what the last forecast is kept in, a seventh of all: the next question makes the same one anew. */
void demand_drop_forecast(struct demand *d);

struct demand_drive {
    double quantile; /* Q: the c quantile of the highest demand in [now, now + lead] */
    double mean;     /* the expected highest one, for the explanation */
    bool usable;     /* there is a forecast for this window; otherwise the rest is 0 */
};
struct demand_drive demand_drive(struct demand *d, int64_t now_us, uint32_t lead_s);

/* What the highest demand of the next `ahead_s` exceeds with about an even chance: the quantile 0.5^(lead / ahead) of a
 * window of one lead, as if such windows were independent. Cut at the horizon. < 0: there is no forecast for it. */
double demand_ahead(struct demand *d, int64_t now_us, uint32_t lead_s, uint32_t ahead_s);

enum demand_trust_reason {
    TRUST_NO_HISTORY, /* nothing finished yet */
    TRUST_LEARNING,   /* good so far, not for long enough */
    TRUST_EARNED,
    TRUST_ERROR_HIGH,   /* errorPercent above the gate */
    TRUST_COVERAGE_LOW, /* coveragePercent below the gate */
    TRUST_NOT_BETTER,   /* not better than the last value */
    TRUST_STALE,        /* no data for too long */
};
struct demand_trust {
    bool trusted;
    enum demand_trust_reason reason;
    uint32_t scored;         /* finished forecasts in the window, at most 56 */
    uint32_t streak;         /* consecutive good (untrusted) or bad (trusted) scores */
    double error_percent;    /* over the window; < 0: not known yet */
    double coverage_percent; /* likewise */
    double last_value_error_percent;
};
struct demand_trust demand_trust(const struct demand *d);
const char *demand_trust_reason_name(enum demand_trust_reason reason); /* "NoHistory" "Learning" "Earned" ... */

/* History, oldest first: for plots, anomaly detection and export. Gives the number of slots; NaN is no data.
 */
uint32_t demand_history(const struct demand *d, int64_t *ret_first_slot, float *values, uint32_t cap);
uint32_t demand_filled_slots(const struct demand *d); /* slots with a value */

/* The history in closed segments of DEMAND_SEGMENT slots, and all the rest (open segment, model sums,
 * windows) as the tail, so that a checkpoint rewrites the large part rarely. `demand_segment` encodes segment
 * `index` (slot / 144); decode takes the tail first, then the segments in any order; a segment that is
 * missing is no data, and the model is rebuilt from what is there when any is. Returns 0, or -1 for bytes
 * that are not ours. */
#define DEMAND_SEGMENT 144
void demand_encode_tail(const struct demand *d, struct codec_writer *w);
void demand_encode_segment(const struct demand *d, int64_t index, struct codec_writer *w);
int64_t demand_first_segment(const struct demand *d); /* oldest closed segment that the ring still holds */
int64_t demand_open_segment(const struct demand *d);  /* the segment that is being filled: encoded in the tail */
int demand_decode_tail(struct demand *d, struct codec_reader *r);
int demand_decode_segment(struct demand *d, int64_t index, struct codec_reader *r);
void demand_decode_done(struct demand *d);

#endif
