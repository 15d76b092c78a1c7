/* resource.Quantity exactly: "250m", "1.5Gi", "123456n", "2e3". Kept as a whole number of nano units in 128
 * bits; more than nine fraction digits round up (away from zero), what does not fit saturates and says so.
 *
 * The grammar is apimachinery's, without its leniencies: a number needs a digit (there "." and "Ki" are
 * zero). Binary quantities end at 2^63-1 as there, decimal ones at 2^127 nano, about 1.7e29.
 */
#ifndef KUBE_QUANTITY_H
#define KUBE_QUANTITY_H

#include "base/base.h"
#include "kube/json.h"

#define QUANTITY_CAP 48

struct quantity {
    __int128 nano;
    bool binary;   /* written with Ki..Ei: the canonical form keeps that */
    bool exponent; /* written as 2e3: the same */
    bool saturated;
};

bool quantity_parse(const char *s, struct quantity *ret); /* false: not a quantity */
/* A JSON string or number, as the API takes both. */
bool quantity_of_json(const json_t *value, struct quantity *ret);
void quantity_format(char out[QUANTITY_CAP], struct quantity q); /* canonical: no fraction, largest fitting suffix */
double quantity_double(struct quantity q);
int64_t quantity_milli(struct quantity q); /* rounded up (away from zero), saturating */
/* The quantity nearest to a finite double, with at most `digits` (1..17) significant digits (for status). Not
 * finite: saturated, and zero for a NaN. */
struct quantity quantity_of_double(double v, int digits);

#endif
