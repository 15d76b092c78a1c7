/* Anomalies of a series, row by row, as the operator's detector (core/anomaly.h) finds them in one metric.
 *
 * A row is a row of the file, whatever its time; what a day is in rows is given by the interval, or learned from how
 * the first ANOMALY_WARMUP rows are spaced, which are never anomalies themselves. So nothing that is said of a row
 * depends on later ones. The memory is that of `history` rows.
 */
#ifndef LAB_ANOMALIES_H
#define LAB_ANOMALIES_H

#include "core/anomaly.h"

#define ANOMALIES_MIN_HISTORY 64
#define ANOMALIES_MAX_HISTORY 4032

struct anomalies_options {
    uint32_t history;    /* rows */
    uint32_t interval_s; /* between rows; 0: as the first ones are spaced */
    enum anomaly_sensitivity sensitivity;
};

struct anomalies;
struct anomalies *anomalies_new(const struct anomalies_options *options); /* gives */
struct anomalies *anomalies_free(struct anomalies *a);

/* The next row; times don't decrease. NaN: no data. */
struct anomaly_result anomalies_take(struct anomalies *a, int64_t time_us, double value);

#endif
