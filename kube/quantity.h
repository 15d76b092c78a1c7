/* resource.Quantity exactly: "250m", "1.5Gi", "123456n", "2e3". Kept as a whole number of nano units in 128 bits; more
 * than nine fraction digits round up (away from zero), what does not fit saturates and says so. */
#ifndef KUBE_QUANTITY_H
#define KUBE_QUANTITY_H

#include "base/base.h"

#define QUANTITY_CAP 48

struct quantity {
    __int128 nano;
    bool binary; /* written with Ki..Ei: the canonical form keeps that */
    bool saturated;
};

bool quantity_parse(const char *s, struct quantity *ret);      /* false: not a quantity */
void quantity_format(char out[QUANTITY_CAP], struct quantity q); /* canonical: no fraction, largest fitting suffix */
double quantity_double(struct quantity q);
int64_t quantity_milli(struct quantity q); /* rounded up, saturating */
/* The quantity nearest to a finite double, with at most `digits` significant digits (for status). */
struct quantity quantity_of_double(double v, int digits);

#endif
