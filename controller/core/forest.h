/* Isolation Forest (Liu, Ting and Zhou 2008): how easily a point is separated from the others by random cuts.
 *
 * Each tree is grown on a sample of at most `psi` rows without replacement; each inner node cuts one random feature
 * at a random place between its least and its greatest value; a tree is at most ceil(log2(psi)) deep. What a row gets
 * is the depth at which the trees leave it alone, plus c(size) where others are left with it, in the mean over the
 * trees and divided by c(sample): forest_depth(). The usual score is 2 to the minus that: near 1 strange, 0.5 and below
 * ordinary. Constants, float32 rows and the choice of a cut are those of scikit-learn's IsolationForest, so that its
 * trees give the same scores here (forest_set_tree()).
 *
 * Trees are complete binary trees in flat arrays: going down is `i = 2 i + 1 + (row[feature] > cut)`, as often as the
 * tree may be deep, without a branch; a leaf above the bottom is continued to the left. The forest is one block of
 * memory (3 KiB a tree), made for one job and freed after it. Deterministic: the same rows and seed give the same
 * depths, bit for bit, on every machine.
 */
#ifndef CORE_FOREST_H
#define CORE_FOREST_H

#include "base/base.h"

#define FOREST_MAX_DEPTH    8
#define FOREST_MAX_PSI      (1u << FOREST_MAX_DEPTH)
#define FOREST_MAX_FEATURES 20
#define FOREST_MAX_TREES    10000

struct forest;

/* `features` 1..FOREST_MAX_FEATURES, `trees` 1..FOREST_MAX_TREES. Gives. */
struct forest *forest_new(uint32_t features, uint32_t trees);
struct forest *forest_free(struct forest *f);
size_t forest_memory(uint32_t trees); /* bytes on the heap */

/* Grows all trees on `rows` [n][features], n >= 1, all finite; each sees min(n, FOREST_MAX_PSI) of them. */
void forest_fit(struct forest *f, const float *rows, uint32_t n, uint64_t seed);

/* Mean depth of a row over the trees, divided by c(sample): about 1 for what is ordinary, towards 0 for what is not. A
 * forest that was grown on one row finds everything ordinary. */
double forest_depth(const struct forest *f, const float *row);
void forest_depths(const struct forest *f, const float *rows, uint32_t n, double *ret);
/* 2^-depth, the score of the literature; for people: from libm, so not bit-exact between machines. */
double forest_score(double depth);

/* A tree that was grown elsewhere, its nodes in any order, node 0 the root. A leaf has left < 0 and the number of rows
 * that it holds. Go left where row[feature] <= cut. 0, or -1: not a tree of at most FOREST_MAX_DEPTH, or a feature
 * that is not there. `sample` is what all trees of the forest were grown on. */
struct forest_node {
    int32_t left, right;
    uint32_t feature;
    double cut;
    uint32_t rows;
};
int forest_set_tree(struct forest *f, uint32_t tree, const struct forest_node *nodes, uint32_t n, uint32_t sample);

/* Mean depth of an unsuccessful search in a binary search tree of n rows: 0, 1 for n <= 1, 2, else
 * 2 (ln(n - 1) + gamma) - 2 (n - 1) / n. */
double forest_c(uint32_t n);

#endif
