/* What the registry (metrics.c) and the exposition (metrics_text.c) know of each other. Nobody else includes
 * it. */
#ifndef BASE_METRICS_PRIVATE_H
#define BASE_METRICS_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "base/metrics.h"

#define METRICS_MAX_LABELS 8

struct metrics_bucket {
    double bound;
    char le[28]; /* `bound` as text */
    bool bare;   /* neither point nor exponent in it: OpenMetrics adds ".0" */
};

struct metrics_series {
    struct metrics_family *family;
    struct list node;   /* of the family, in the order of creation */
    const char *labels; /* code="200",method="GET": the key in the family's map */
    int64_t created_us; /* 0: not known */
    double value;       /* histograms: the sum */
    uint64_t counts[];  /* histograms: observations per bucket, the last one above all bounds */
};

struct metrics_family {
    struct metrics *metrics;
    struct list node; /* of the registry, in the order of registration */
    enum metrics_type type;
    const char *name, *help;
    char *label_text;                            /* the names, each terminated */
    const char *label_names[METRICS_MAX_LABELS]; /* into it */
    size_t n_labels;
    struct metrics_bucket *buckets;
    size_t n_buckets;
    struct map series; /* by their labels; owns them */
    struct list series_list;
    size_t max_series;
    struct metrics_series *overflow; /* one of the series, or NULL */
    uint64_t over_limit;             /* uses of it */
};

struct metrics_collector {
    void (*fn)(void *data);
    void *data;
};

struct metrics {
    struct list families;
    struct map names; /* every name that a sample or a family has in one of the formats -> family; borrows */
    struct metrics_family *over_limit;
    struct metrics_collector *collectors;
    size_t n_collectors;
    const struct clock *clock; /* NULL: creation times are not kept */
    struct buf scratch;
};

/* Length of the name that OpenMetrics gives the family: a counter's without "_total". */
size_t metrics_base_length(enum metrics_type type, const char *name);

#endif
