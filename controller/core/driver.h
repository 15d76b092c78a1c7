/* The number that drives scaling: the c quantile of the highest sync-level demand in [now, now + lead].
 *
 * With v the demand just measured, F the highest point of the forecast's path over the window and f the path
 * now:
 *
 *     expected highest = v + r
 *     Q = expected + z_c x scale
 *
 * where r is a ridge on F - f: what the season does from here; F - v where that is positive: the way up to the forecast
 * (how far v is above it says nothing of what is still to come, and after a step down it would speak against the step
 * up); v - its mean over one lead, and the positive part: recent growth goes on.
 *
 * z_c is the c quantile of the normalised errors of finished windows (residuals.h), and the scale knows the
 * time of the season: errors on the morning ramp are not those of the night. What is calibrated is thereby
 * exactly what drives: windows start at syncs, end one lead later, and their highest demand is taken at sync
 * level, linear between two measurements (so that a feed of slot means finishes windows shorter than a slot).
 * A last correction moves the level itself by what was missed (adaptive conformal inference, Gibbs and Candes
 * 2021), so that in the long run one window in 1 / (1 - c) is exceeded even where the errors are not alike.
 */
#ifndef CORE_DRIVER_H
#define CORE_DRIVER_H

#include "core/residuals.h"

#define DRIVER_WINDOWS  4
#define DRIVER_FEATURES 4
#define DRIVER_PHASES   24

struct driver_window {
    int64_t end_us; /* 0: free */
    float x[DRIVER_FEATURES];
    float value;    /* at the start */
    float expected; /* the highest, as said at the start */
    float quantile; /* likewise */
    float scale;
    float highest; /* so far */
    float weight;  /* seconds since the window before it started */
    bool scores;   /* counts for trust */
};

struct driver {
    struct driver_window window[DRIVER_WINDOWS];
    int64_t last_us;       /* the last value; INT64_MIN: none, or a gap since */
    int64_t last_start_us; /* of the last window; INT64_MIN: none */
    int64_t last_score_us; /* of the last window that counts for trust */
    float last;
    float lag;      /* exponential mean of the values over one lead: on a straight line, the value one lead ago */
    uint32_t lag_s; /* that lead */
    struct residuals errors;
    float phase[DRIVER_PHASES]; /* mean absolute error by time of the season; < 0: none yet */
    float a[DRIVER_FEATURES * (DRIVER_FEATURES + 1) / 2], b[DRIVER_FEATURES], theta[DRIVER_FEATURES];
    float rows;    /* effective number of rows behind a and b */
    float level;   /* correction of c */
    bool censored; /* the last value is a lower bound */
};

/* What the forecast says of one window. */
struct driver_path {
    double now;     /* the path at the start */
    double highest; /* over the window */
};

struct driver_finished {
    bool scores;
    double value, expected, quantile, highest;
};

struct driver_answer {
    double expected, quantile;
};

void driver_init(struct driver *d);
enum driver_sample {
    DRIVER_VALUE,
    DRIVER_CENSORED, /* a lower bound: the level is at least that, growth goes on as before, no window can be
                        judged */
    DRIVER_EXCLUDED, /* says nothing: as if it were not there, and the windows around it are not judged */
};
/* A measurement. Windows that it finishes are reported (at most DRIVER_WINDOWS). `gap_us`: a longer silence
 * drops all windows. `level` is c, `season_s` the time of which a third of the errors is forgotten. */
uint32_t driver_observe(struct driver *d, int64_t time_us, double value, enum driver_sample kind, int64_t gap_us,
                        double level, uint32_t season_s, struct driver_finished out[DRIVER_WINDOWS]);
void driver_skip(struct driver *d); /* time without measurements: what was there is no start any more */
/* Whether a window should start at the value just taken. */
bool driver_wants(const struct driver *d, uint32_t lead_s);
void driver_start(struct driver *d, uint32_t lead_s, const struct driver_path *path, double level, uint32_t season_s,
                  uint32_t score_every_s);
/* Q for a window that starts at `time_us`; with no value to start from (none yet, or a gap), from the path
 * alone. */
struct driver_answer driver_answer(const struct driver *d, int64_t time_us, int64_t gap_us,
                                   const struct driver_path *path, double level, uint32_t season_s);

#endif
