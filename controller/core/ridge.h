/* One ridge regression that never sees its past again: sums of the normal equations, forgetting slowly.
 *
 *     minimise  sum_i g^(n - i) w_i (y_i - theta x_i)^2  +  sum_j L_j (theta_j - theta0_j)^2
 *     (A + L)(theta - theta0) = b - A theta0,   A = sum g^(n-i) w_i x_i x_i',   b = sum g^(n-i) w_i x_i y_i
 *
 * The penalty pulls towards a prior theta0, what holds over many workloads, and L_j = RIDGE_PRIOR_ROWS times
 * the mean square of x_j: the prior weighs as much as that many rows, whatever the units. w_i = 1 / (u
 * max(|e_i|, 3 u / 10)), with e_i the error made when the row was forecast and u the usual one: iteratively
 * reweighted least squares one row at a time, so that what is minimised is close to the absolute error, and a
 * spike does not tilt the plane.
 *
 * Hoerl and Kennard 1970; absolute errors by reweighting: Schlossmacher 1973. Sums in float32 (their rounding
 * is far below the penalty), arithmetic in double.
 */
#ifndef CORE_RIDGE_H
#define CORE_RIDGE_H

#include "core/features.h"

#define RIDGE_SUMS       (FEATURES * (FEATURES + 1) / 2)
#define RIDGE_FORGET     0.985
#define RIDGE_PRIOR_ROWS 15.0

struct ridge {
    float a[RIDGE_SUMS]; /* lower triangle, by rows */
    float b[FEATURES];
    float delta[FEATURES]; /* theta - theta0, of the last solve */
    float rows;            /* effective number of rows */
    float usual;           /* u: mean absolute error; < 0: none yet */
};

void ridge_init(struct ridge *r);
/* A finished row: what was known, what came, and the error made. Units of y are free; x in the same. */
void ridge_take(struct ridge *r, const float x[FEATURES], double y, double error);
void ridge_solve(struct ridge *r, const double prior[FEATURES]);

#endif
