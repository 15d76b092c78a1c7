/* One measurement: a value, or no data, or an error. Three different things, never confused: empty is not zero, and an
 * error is not no-data. */
#ifndef CORE_SAMPLE_H
#define CORE_SAMPLE_H

#include "base/base.h"

enum sample_kind {
    SAMPLE_NO_DATA, /* nothing was measured: absent, stale, too few pods */
    SAMPLE_VALUE,   /* `value` is finite and >= 0 */
    SAMPLE_ERROR,   /* the question failed */
};

struct sample {
    double value; /* in the metric's unit: cores, bytes, plain numbers */
    enum sample_kind kind;
    bool censored; /* saturated at a limit: a lower bound of the truth */
};

#define SAMPLE_OF(v) ((struct sample){.kind = SAMPLE_VALUE, .value = (v)})
#define SAMPLE_NONE  ((struct sample){.kind = SAMPLE_NO_DATA})
#define SAMPLE_FAIL  ((struct sample){.kind = SAMPLE_ERROR})

#endif
