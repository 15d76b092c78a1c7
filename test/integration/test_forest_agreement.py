"""The Isolation Forest, held against scikit-learn's: the same trees give the same scores, and large forests
of our own agree with theirs about as well as two of theirs with different seeds do (those differ by 0.002).

scikit-learn comes from hack/deps --reference, into an environment of its own; forest_reference.py runs there.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHECK = pathlib.Path(os.environ.get("AI4K8S_BUILD") or ROOT / "build-san") / "test" / "forest_check"
COMPARE = pathlib.Path(__file__).with_name("forest_reference.py")


@pytest.mark.slow(30)
def test_agrees_with_scikit_learn():
    found = subprocess.run([ROOT / "hack/deps", "--reference"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    done = subprocess.run([found.stdout.strip(), COMPARE, CHECK], capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(figures) == 7
    for figure in figures:
        assert figure["sameTrees"] <= 1e-9, figure
        assert figure["meanDifference"] <= 0.005 and figure["correlation"] >= 0.99, figure
