/* The natural logarithm from + - x / alone. libm's differs in the last bit from machine to machine, and state that is
 * stored and compared must not. */
#ifndef CORE_LN_H
#define CORE_LN_H

#include <math.h>

/* Of a finite v > 0; to about 1e-15. ln(f 2^e) = e ln 2 + 2 atanh((f - 1) / (f + 1)), by its series. */
static inline double ln(double v)
{
    static const double ln2 = 0.69314718055994530942, root_half = 0.70710678118654752440;
    int exponent;
    double f = frexp(v, &exponent);
    if (f < root_half) {
        f *= 2;
        exponent--;
    }
    double x = (f - 1) / (f + 1), square = x * x, power = x, sum = 0;
    for (int k = 1; k < 24; k += 2, power *= square)
        sum += power / k;
    return exponent * ln2 + 2 * sum;
}

#endif
