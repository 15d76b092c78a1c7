"""The decision core against the HPA controller itself, in virtual time: see test/parity. It needs no control plane."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from conftest import ROOT
from controlplane import tools
from operator_process import BUILD


def parity(*arguments: str) -> tuple[int, int]:
    """Scenarios and rescales, all alike."""
    done = subprocess.run([os.path.join(ROOT, "test", "parity"), "--build", str(BUILD), *arguments],
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    scenarios, syncs, rescales, differ, early = map(
        int, re.findall(r"\d+", done.stdout.splitlines()[-1])[:5])
    assert differ == 0 and early * 100 <= scenarios and syncs > 200 * scenarios
    return scenarios, rescales


def test_the_controller_is_that_of_the_control_plane():
    kube = next(module for module in tools.MODULES if module.name == "kube")
    assert tools.ORACLE.version == kube.version


@pytest.mark.slow(60)
def test_500_hours_like_the_hpa():
    scenarios, rescales = parity("--count", "500")
    assert scenarios == 500 and rescales > 8 * scenarios, "little has happened"


@pytest.mark.long
def test_10000_hours_like_the_hpa():
    scenarios, rescales = parity("--count", "10000", "--seed", "2")
    assert scenarios == 10000 and rescales > 8 * scenarios


def test_a_difference_is_told(tmp_path):
    """A trace with one count changed: the sync, its inputs and both answers are shown."""
    one = ["--first", "4"]
    oracle = subprocess.run([os.path.join(ROOT, "test", "parity"), "--trace", *one], text=True,
                            capture_output=True, check=True).stdout
    lines = oracle.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith("answer ")][100]
    kind, count, rest = lines[at].split(" ", 2)
    lines[at] = f"{kind} {int(count) + 1} {rest}"
    done = subprocess.run([str(BUILD / "test/hpa_parity")], input="\n".join(lines) + "\n", text=True,
                          capture_output=True)
    assert done.returncode == 1 and "1 differ" in done.stdout
    assert re.search(r"DIFFERENT: scenario 4 ", done.stdout) and "  sync 100 " in done.stdout
    assert f"HPA   {int(count) + 1} " in done.stdout and f"ours  {count} " in done.stdout
