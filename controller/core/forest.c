/* Growing and reading isolation trees; see forest.h. */
#include "core/forest.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "core/ln.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INNER  (FOREST_MAX_PSI - 1) /* nodes above the bottom */
#define BOTTOM FOREST_MAX_PSI

struct cut {
    float at;
    uint32_t feature;
};

/* Where a row ends up: at what depth, and how many rows of the sample did. */
struct leaf {
    uint16_t depth, rows;
};

struct tree {
    struct cut cut[INNER];
    struct leaf leaf[BOTTOM];
};

struct forest {
    uint32_t features, n_trees, sample;
    double c[FOREST_MAX_PSI + 1];
    struct tree trees[];
};

/* ---- path lengths ---- */

static void fill_c(double c[FOREST_MAX_PSI + 1])
{
    static const double euler_gamma = 0.57721566490153286;
    c[0] = c[1] = 0;
    c[2] = 1;
    for (uint32_t n = 3; n <= FOREST_MAX_PSI; n++)
        c[n] = 2 * (ln(n - 1) + euler_gamma) - 2.0 * (n - 1) / n;
}

double forest_c(uint32_t n)
{
    double c[FOREST_MAX_PSI + 1];
    assert(n <= FOREST_MAX_PSI);
    fill_c(c);
    return c[n];
}

/* ---- memory ---- */

size_t forest_memory(uint32_t trees)
{
    return sizeof(struct forest) + trees * sizeof(struct tree);
}

struct forest *forest_new(uint32_t features, uint32_t trees)
{
    assert(features >= 1 && features <= FOREST_MAX_FEATURES && trees >= 1 && trees <= FOREST_MAX_TREES);
    struct forest *f = xcalloc(1, forest_memory(trees));
    f->features = features;
    f->n_trees = trees;
    f->sample = 1;
    fill_c(f->c);
    return f;
}

struct forest *forest_free(struct forest *f)
{
    free(f);
    return NULL;
}

/* ---- growing ---- */

/* A leaf above the bottom: rows that come here go left, past cuts that nothing exceeds. */
static void put_leaf(struct tree *t, uint32_t node, uint32_t depth, uint32_t rows)
{
    for (; node < INNER; node = 2 * node + 1)
        t->cut[node] = (struct cut){.at = INFINITY};
    t->leaf[node - INNER] = (struct leaf){.depth = (uint16_t)depth, .rows = (uint16_t)rows};
}

struct grower {
    struct tree *tree;
    struct rng rng;
    uint32_t features, max_depth;
    uint32_t order[FOREST_MAX_PSI];                   /* rows of the sample, those of a node side by side */
    float value[FOREST_MAX_FEATURES][FOREST_MAX_PSI]; /* of the sample */
};

struct span {
    uint32_t node, begin, end, depth;
};

/* A cut of a random feature that differs within the node; false when none does. */
static bool choose_cut(struct grower *g, const struct span *s, struct cut *ret)
{
    uint32_t open[FOREST_MAX_FEATURES], n = g->features;
    for (uint32_t i = 0; i < n; i++)
        open[i] = i;
    while (n > 0) {
        uint32_t pick = (uint32_t)rng_below(&g->rng, n), feature = open[pick];
        const float *value = g->value[feature];
        float low = value[g->order[s->begin]], high = low;
        for (uint32_t i = s->begin + 1; i < s->end; i++) {
            float v = value[g->order[i]];
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        if (low < high) {
            float at = (float)((double)low + rng_unit(&g->rng) * ((double)high - (double)low));
            *ret = (struct cut){.at = at < high ? at : low, .feature = feature};
            return true;
        }
        open[pick] = open[--n];
    }
    return false;
}

/* The rows up to the cut to the front; where the others begin. */
static uint32_t split(struct grower *g, const struct span *s, struct cut cut)
{
    const float *value = g->value[cut.feature];
    uint32_t front = s->begin;
    for (uint32_t i = s->begin; i < s->end; i++) {
        uint32_t row = g->order[i];
        g->order[i] = g->order[front];
        g->order[front] = row;
        front += value[row] <= cut.at;
    }
    return front;
}

static void grow(struct grower *g, uint32_t sample)
{
    struct span stack[FOREST_MAX_DEPTH + 1] = {{.end = sample}};
    uint32_t n = 1;
    while (n > 0) {
        struct span s = stack[--n];
        struct cut cut;
        if (s.end - s.begin < 2 || s.depth == g->max_depth || !choose_cut(g, &s, &cut)) {
            put_leaf(g->tree, s.node, s.depth, s.end - s.begin);
            continue;
        }
        uint32_t middle = split(g, &s, cut);
        g->tree->cut[s.node] = cut;
        stack[n++] = (struct span){2 * s.node + 2, middle, s.end, s.depth + 1};
        stack[n++] = (struct span){2 * s.node + 1, s.begin, middle, s.depth + 1};
    }
}

static uint32_t depth_for(uint32_t sample)
{
    uint32_t depth = 0;
    while (1u << depth < sample)
        depth++;
    return depth;
}

/* The next `sample` of a shuffle of all rows: without replacement within a tree. */
static void draw(struct grower *g, uint32_t *shuffled, const float *rows, uint32_t n, uint32_t sample)
{
    for (uint32_t i = 0; i < sample; i++) {
        uint32_t j = i + (uint32_t)rng_below(&g->rng, n - i), row = shuffled[j];
        shuffled[j] = shuffled[i];
        shuffled[i] = row;
        g->order[i] = i;
        for (uint32_t k = 0; k < g->features; k++)
            g->value[k][i] = rows[(size_t)row * g->features + k];
    }
}

void forest_fit(struct forest *f, const float *rows, uint32_t n, uint64_t seed)
{
    assert(n >= 1);
    f->sample = n < FOREST_MAX_PSI ? n : FOREST_MAX_PSI;
    struct grower g = {.features = f->features, .max_depth = depth_for(f->sample)};
    _cleanup_(freep) uint32_t *shuffled = xcalloc(n, sizeof *shuffled);
    for (uint32_t i = 0; i < n; i++)
        shuffled[i] = i;
    rng_seed(&g.rng, seed);
    for (uint32_t t = 0; t < f->n_trees; t++) {
        g.tree = &f->trees[t];
        draw(&g, shuffled, rows, n, f->sample);
        grow(&g, f->sample);
    }
}

/* ---- reading ---- */

static inline uint32_t step_down(const struct tree *t, const float *row, uint32_t node)
{
    struct cut cut = t->cut[node];
    return 2 * node + 1 + (row[cut.feature] > cut.at);
}

/* One more step for each of several walks at once: a walk waits for its loads, several wait together. */
#define WALKS 8

static double to_depth(const struct forest *f, double sum)
{
    return f->sample > 1 ? sum / (f->n_trees * f->c[f->sample]) : 1;
}

static double leaf_depth(const struct forest *f, struct leaf leaf)
{
    return leaf.depth + f->c[leaf.rows];
}

double forest_depth(const struct forest *f, const float *row)
{
    double sum = 0;
    for (uint32_t t = 0; t < f->n_trees; t += WALKS) {
        uint32_t node[WALKS] = {0}, n = f->n_trees - t < WALKS ? f->n_trees - t : WALKS;
        for (int depth = 0; depth < FOREST_MAX_DEPTH; depth++)
            for (uint32_t w = 0; w < n; w++)
                node[w] = step_down(&f->trees[t + w], row, node[w]);
        for (uint32_t w = 0; w < n; w++)
            sum += leaf_depth(f, f->trees[t + w].leaf[node[w] - INNER]);
    }
    return to_depth(f, sum);
}

void forest_depths(const struct forest *f, const float *rows, uint32_t n, double *ret)
{
    for (uint32_t i = 0; i < n; i++)
        ret[i] = 0;
    for (uint32_t t = 0; t < f->n_trees; t++) {
        const struct tree *tree = &f->trees[t];
        for (uint32_t i = 0; i < n; i += WALKS) {
            uint32_t node[WALKS] = {0}, m = n - i < WALKS ? n - i : WALKS;
            for (int depth = 0; depth < FOREST_MAX_DEPTH; depth++)
                for (uint32_t w = 0; w < m; w++)
                    node[w] = step_down(tree, rows + (size_t)(i + w) * f->features, node[w]);
            for (uint32_t w = 0; w < m; w++)
                ret[i + w] += leaf_depth(f, tree->leaf[node[w] - INNER]);
        }
    }
    for (uint32_t i = 0; i < n; i++)
        ret[i] = to_depth(f, ret[i]);
}

double forest_score(double depth)
{
    return exp2(-depth);
}

/* ---- trees from elsewhere ---- */

/* The greatest float that is not above it: for float rows the cut is the same. */
static float float_below(double cut)
{
    float at = (float)cut;
    return (double)at > cut ? nextafterf(at, -INFINITY) : at;
}

int forest_set_tree(struct forest *f, uint32_t tree, const struct forest_node *nodes, uint32_t n, uint32_t sample)
{
    struct place {
        int32_t from;
        uint32_t node, depth;
    } stack[FOREST_MAX_DEPTH + 1] = {{0}};
    uint32_t top = 1;
    assert(tree < f->n_trees && sample >= 1 && sample <= FOREST_MAX_PSI);
    f->sample = sample;
    while (top > 0) {
        struct place p = stack[--top];
        if (p.from < 0 || (uint32_t)p.from >= n)
            return -1;
        const struct forest_node *from = &nodes[p.from];
        if (from->left < 0) {
            if (from->rows > FOREST_MAX_PSI)
                return -1;
            put_leaf(&f->trees[tree], p.node, p.depth, from->rows);
            continue;
        }
        if (p.depth == FOREST_MAX_DEPTH || from->feature >= f->features || !(fabs(from->cut) <= (double)FLT_MAX))
            return -1;
        f->trees[tree].cut[p.node] = (struct cut){.at = float_below(from->cut), .feature = from->feature};
        stack[top++] = (struct place){from->right, 2 * p.node + 2, p.depth + 1};
        stack[top++] = (struct place){from->left, 2 * p.node + 1, p.depth + 1};
    }
    return 0;
}
