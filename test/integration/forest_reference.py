"""Compares the forest of test/helpers/forest_check.c with scikit-learn's and prints a line of JSON for each series; for
test_forest_agreement.py, in the environment that hack/deps --reference makes."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import numpy
from sklearn.ensemble import IsolationForest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SERIES = ["google19_cpu", "nasa_jul95", "worldcup98_june25", "normal", "few values", "constant", "short"]


def rows_of(name):
    if name == "normal":
        return numpy.random.default_rng(1).normal(size=(700, 5)).astype(numpy.float32)
    if name == "few values":
        return numpy.random.default_rng(2).integers(0, 4, size=(500, 3)).astype(numpy.float32)
    if name == "constant":
        return numpy.full((300, 2), 7, dtype=numpy.float32)
    if name == "short":
        return numpy.random.default_rng(3).exponential(size=(20, 4)).astype(numpy.float32)
    lines = (ROOT / "test/data" / f"{name}.csv").read_text().splitlines()[1:1000]
    value = numpy.array([float(line.split(",")[1] or 0) for line in lines])
    hour = numpy.convolve(value, numpy.ones(12) / 12)[:len(value)]
    change = numpy.diff(value, prepend=value[0])
    return numpy.stack([value, change, hour], axis=1).astype(numpy.float32)


def compare(program):
    node = numpy.dtype([("left", "i4"), ("right", "i4"), ("feature", "u4"), ("cut", "f8"), ("rows", "u4")], align=True)

    def ours(rows, trees, sample=0, nodes=b""):
        head = numpy.array([rows.shape[1], trees, sample, len(rows), 5], dtype=numpy.uint32)
        done = subprocess.run([program], input=head.tobytes() + rows.tobytes() + nodes, capture_output=True, check=True)
        return numpy.frombuffer(done.stdout)

    def export(forest, rows):
        parts = []
        for estimator in forest.estimators_:
            tree = estimator.tree_
            out = numpy.zeros(tree.node_count, dtype=node)
            out["left"], out["right"], out["rows"] = tree.children_left, tree.children_right, tree.n_node_samples
            out["feature"], out["cut"] = numpy.maximum(tree.feature, 0), tree.threshold
            parts += [numpy.uint32(tree.node_count).tobytes(), out.tobytes()]
        return ours(rows, len(forest.estimators_), forest.max_samples_, b"".join(parts))

    def theirs(rows, trees, seed):
        forest = IsolationForest(n_estimators=trees, max_samples=min(256, len(rows)), random_state=seed, n_jobs=2)
        return forest.fit(rows), -forest.score_samples(rows)

    for name in SERIES:
        rows = rows_of(name)
        forest, scores = theirs(rows, 100, 1)
        same = numpy.abs(export(forest, rows) - scores).max()
        _, many = theirs(rows, 2000, 2)
        own = ours(rows, 2000)
        spread = many.std() > 0 and own.std() > 0
        print(json.dumps({"name": name, "sameTrees": same, "meanDifference": numpy.abs(own - many).mean(),
                          "correlation": numpy.corrcoef(own, many)[0, 1] if spread else 1.0}))


if __name__ == "__main__":
    compare(sys.argv[1])
