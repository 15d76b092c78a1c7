/* LDL'; see linear.h. */
#include "core/linear.h"

static uint32_t row(uint32_t i)
{
    return i * (i + 1) / 2;
}

bool linear_solve(uint32_t n, double *m, double *v)
{
    /* Below the diagonal L D while row i is worked on, L when it is done; on it D. */
    for (uint32_t i = 0; i < n; i++) {
        double *mi = m + row(i), d = mi[i];
        for (uint32_t j = 0; j < i; j++) {
            const double *mj = m + row(j);
            for (uint32_t k = 0; k < j; k++)
                mi[j] -= mi[k] * mj[k];
        }
        for (uint32_t j = 0; j < i; j++) {
            double ld = mi[j];
            mi[j] = ld / m[row(j) + j];
            d -= ld * mi[j];
        }
        if (!(d > 0))
            return false;
        mi[i] = d;
    }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < i; k++)
            v[i] -= m[row(i) + k] * v[k];
    for (uint32_t i = n; i-- > 0;) {
        v[i] /= m[row(i) + i];
        for (uint32_t k = i + 1; k < n; k++)
            v[i] -= m[row(k) + i] * v[k];
    }
    return true;
}
