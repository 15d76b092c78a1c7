/* Anomalies of one target, found while its metrics are measured.
 *
 * Fed with one row per closed slot: the slot means of all forecast metrics. Each metric gives five features in its own
 * unit: value, change, mean of 12 rows, change of that mean in 12 rows, difference from the same time a day ago. An
 * Isolation Forest (forest.h) of all features, grown on the rows of the ring, says how easily the row is separated from
 * them; because a forest can't tell far from farther, what lies outside of all that the ring holds adds how far
 * outside, and each metric adds how many standard deviations its means over 1, 6 and 24 rows are off (the
 * geometric mean of the three, so that what lasts counts for more than one needle). The sum is the strangeness of a
 * row.
 *
 * Strangeness has no unit that would be the same for two series, so what is scored is its rank: how many of the last
 * ANOMALY_BLOCKS blocks of ANOMALY_BLOCK rows had a row at least as strange, less a margin. The newest block counts as
 * one, the oldest as 0.6. None: the score is above 0.8, and towards 1 the farther it is above all of them; n: 4.8 / (6
 * + n). One alarm per event: a row that is not above all those of the last ANOMALY_EVENT rows keeps only 0.3 of its
 * score. A row is an anomaly when its score reaches the threshold, the same for all series.
 *
 * In the beginning there is little to compare with, so more is asked for: in the first 216 rows the margin is larger,
 * and as long as there are fewer than 8 blocks, they count for 8. Before ANOMALY_WARMUP rows the score is 0.
 *
 * The rows themselves are not kept here: the series are borrowed at each call, the same that hold the history for the
 * forecast. The forest is grown again every ANOMALY_REFIT rows from what the series hold, the same from the same rows,
 * so it is neither stored nor need it stay: anomaly_rest() gives its memory back, and the next row grows it again
 * (about 1 ms). What does stay is below 1 KiB a target; encoded and decoded at any row it gives the same later answers,
 * bit for bit, with and without resting.
 */
#ifndef CORE_ANOMALY_H
#define CORE_ANOMALY_H

#include "base/base.h"
#include "core/codec.h"
#include "core/series.h"

#define ANOMALY_MAX_METRICS 4
#define ANOMALY_WARMUP      20
#define ANOMALY_BLOCK       60
#define ANOMALY_BLOCKS      120
#define ANOMALY_EVENT       144
#define ANOMALY_REFIT       144
#define ANOMALY_TREES       100

enum anomaly_severity { ANOMALY_NONE, ANOMALY_LOW, ANOMALY_MEDIUM, ANOMALY_HIGH };
extern const char *const anomaly_severity_names[]; /* "none" "low" "medium" "high" */

/* The threshold of the score: Low 0.8 (stranger than everything remembered), Medium 0.5 (than all but three or four
 * blocks), High 0.35 (all but seven to twelve). */
enum anomaly_sensitivity { ANOMALY_SENSITIVITY_LOW, ANOMALY_SENSITIVITY_MEDIUM, ANOMALY_SENSITIVITY_HIGH };

double anomaly_threshold(enum anomaly_sensitivity sensitivity);

struct anomaly_config {
    uint32_t n_metrics; /* 1..ANOMALY_MAX_METRICS */
    uint32_t season;    /* rows in a day; 0: not known. Ignored when the series hold less than twice that */
    uint64_t seed;      /* of the object: same seed and rows, same answers */
    enum anomaly_sensitivity sensitivity;
};

struct anomaly_result {
    double score; /* 0..1 */
    bool is_anomaly;
    bool unusual; /* as an anomaly, but not damped: true for the rows of an event behind its alarm too */
    enum anomaly_severity severity;
};

struct anomaly;
struct anomaly *anomaly_new(const struct anomaly_config *config); /* gives */
struct anomaly *anomaly_free(struct anomaly *a);
size_t anomaly_memory(const struct anomaly *a); /* bytes on the heap now, with the forest where it is there */
/* A changed configuration of the same number of metrics. */
void anomaly_configure(struct anomaly *a, const struct anomaly_config *config);

/* Judges `row`, which the series don't hold yet: values[n_metrics], NaN where there is no data (all NaN: a row that is
 * never an anomaly). All series have the same capacity; those that hold anything hold the rows up to this one. To be
 * called with rows that increase; those that are skipped are no data. Series that held rows before the first call are
 * looked at then. */
struct anomaly_result anomaly_judge(struct anomaly *a, const struct series *const *series, int64_t row,
                                    const double *values);
int64_t anomaly_next(const struct anomaly *a);  /* the least row that may come; INT64_MIN: any */
int64_t anomaly_first(const struct anomaly *a); /* the first row that counts; INT64_MIN: none yet */
void anomaly_rest(struct anomaly *a);

/* Decoding makes a detector of the configuration; NULL for bytes that are not ours or of another number of metrics. */
void anomaly_encode(const struct anomaly *a, struct codec_writer *w);
struct anomaly *anomaly_decode(const struct anomaly_config *config, struct codec_reader *r);

/* ---- what it does to scaling ---- */

enum anomaly_mode { ANOMALY_OFF, ANOMALY_EXCLUDE_SAMPLES, ANOMALY_HOLD_SCALE_DOWN, ANOMALY_REACTIVE_ONLY };

/* An episode begins with an anomaly and is over after ANOMALY_CALM rows in a row that are not unusual. In it, unusual
 * rows are kept from training, at most ANOMALY_MAX_EXCLUDED of them: what goes on after that is a new level, and is
 * trained on. Scale-down is held, or prediction is left out, until ANOMALY_MAX_HOLD_S after its beginning, or until it
 * is over. Plain data; all zeros is the beginning. */
#define ANOMALY_CALM         12
#define ANOMALY_MAX_EXCLUDED 12
#define ANOMALY_MAX_HOLD_S   1800

struct anomaly_policy {
    int64_t since_us; /* of the episode; 0: there is none */
    uint32_t excluded, calm;
    enum anomaly_severity severity; /* the highest in it */
};

/* The row that has just been judged; what to do with it. */
bool anomaly_policy_excludes(struct anomaly_policy *p, enum anomaly_mode mode, const struct anomaly_result *row,
                             int64_t time_us);
/* A clock that was set back behind the beginning of an episode: for how long it has lasted nobody knows, so it holds
 * nothing any more. */
void anomaly_policy_set_back(struct anomaly_policy *p, int64_t now_us);
/* At a sync. */
bool anomaly_policy_holds(const struct anomaly_policy *p, enum anomaly_mode mode, int64_t now_us);
bool anomaly_policy_is_reactive(const struct anomaly_policy *p, enum anomaly_mode mode, int64_t now_us);

void anomaly_policy_encode(const struct anomaly_policy *p, struct codec_writer *w);
int anomaly_policy_decode(struct anomaly_policy *p, struct codec_reader *r); /* 0, or -1: not ours */

#endif
