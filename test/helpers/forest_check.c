/* Lets a test hold the Isolation Forest against another: reads a job from standard input and writes the score of each
 * row. All of it is binary in the machine's own order, floats and doubles:
 *
 *   u32 features, trees, sample, rows, seed;  float [rows][features];
 *   sample 0: a forest of that many trees is grown on the rows;
 *   else trees from elsewhere follow, each as u32 nodes; struct forest_node [nodes];
 *   out: double [rows]
 */
#include "base/alloc.h"
#include "core/forest.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_NODES 1024

struct job {
    uint32_t features, trees, sample, rows, seed;
};

static bool take(void *to, size_t size, size_t n)
{
    return fread(to, size, n, stdin) == n;
}

static bool take_trees(struct forest *f, const struct job *job)
{
    static struct forest_node nodes[MAX_NODES];
    for (uint32_t t = 0; t < job->trees; t++) {
        uint32_t n;
        if (!take(&n, sizeof n, 1) || n > MAX_NODES || !take(nodes, sizeof *nodes, n) ||
            forest_set_tree(f, t, nodes, n, job->sample) < 0)
            return false;
    }
    return true;
}

int main(void)
{
    struct job job;
    if (!take(&job, sizeof job, 1) || job.features < 1 || job.features > FOREST_MAX_FEATURES || job.trees < 1 ||
        job.trees > FOREST_MAX_TREES || job.rows < 1)
        return 2;
    _cleanup_(freep) float *rows = xcalloc((size_t)job.rows * job.features, sizeof *rows);
    _cleanup_(freep) double *scores = xcalloc(job.rows, sizeof *scores);
    if (!take(rows, sizeof *rows, (size_t)job.rows * job.features))
        return 2;
    struct forest *f = forest_new(job.features, job.trees);
    bool ok = true;
    if (job.sample == 0)
        forest_fit(f, rows, job.rows, job.seed);
    else
        ok = take_trees(f, &job);
    if (ok)
        forest_depths(f, rows, job.rows, scores);
    for (uint32_t i = 0; i < job.rows; i++)
        scores[i] = forest_score(scores[i]);
    forest_free(f);
    return ok && fwrite(scores, sizeof *scores, job.rows, stdout) == job.rows ? 0 : 1;
}
