/* Small symmetric systems: LDL' without pivoting, for matrices that a penalty has made positive definite. */
#ifndef CORE_LINEAR_H
#define CORE_LINEAR_H

#include "base/base.h"

/* Solves M x = v in place: `m` holds the lower triangle by rows (n (n + 1) / 2 numbers) and is overwritten,
 * `v` becomes x. False, with x of no use, when M is not positive definite. */
bool linear_solve(uint32_t n, double *m, double *v);

#endif
