"""`make demo` without its drawing, over one ramp that comes every day at the same time.

The traffic of the demo itself is a football match that no week before it foretells; what a test can
hold the forecast to is load that repeats.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import subprocess
import sys

import pytest

from controlplane import ControlPlane
from demolib.twins import CORES_PER_POD
from operator_process import BUILD, ROOT

DAY, PLAYED, BEFORE = 288, 2016, 6  # slots of 5 minutes: of a day, before the counted window
RAMP = 3                            # slots into the counted window in which it begins
STEEP = 3                           # slots that it takes
SLOT_S = 10                         # a slot in the demo
MINUTES = 5 * (RAMP + STEEP + 2)


def value(slot: int) -> float:
    """A quiet night, a steep morning, a busy day that ends as steeply: two thirds of the day high.

    What differs from day to day is noise, so that the last value foretells less than the model: the
    demo's time is compressed and the age of its measurements is not, which shifts all slow changes by
    two slots or three against the history, and that costs trust.
    """
    into = (slot - PLAYED - RAMP) % DAY
    high = min(1.0, into / STEEP, max(0.0, (DAY * 2 / 3 - into) / STEEP))
    return 20 + 60 * high


@pytest.fixture
def trace(tmp_path):
    noise = random.Random(7)
    rows = [f"{slot * 300},{value(slot) * (1 + 0.05 * max(-2.0, min(2.0, noise.gauss(0, 1)))):.3f}\n"
            for slot in range(PLAYED + DAY)]
    file = tmp_path / "days.csv"
    file.write_text("time,requests\n" + "".join(rows))
    return file


def left_of(pid: int) -> list[str]:
    """Processes of the demo that had this number: its control plane is named after it."""
    found = []
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            text = (directory / "cmdline").read_bytes() + (directory / "environ").read_bytes()
        except OSError:
            continue  # it has ended, or is someone else's
        if f"demo-{pid}".encode() in text:
            found.append(text[:80].decode(errors="replace"))
    return found


@pytest.mark.disruptive
@pytest.mark.slow(170)
def test_demo_has_capacity_when_the_ramp_arrives(tmp_path, trace):
    told = tmp_path / "summary.json"
    environment = {**os.environ}
    environment.pop("AI4K8S_TEST_CP", None)
    demo = subprocess.Popen(
        [sys.executable, ROOT / "hack/demo", "--headless", "--minutes", str(MINUTES), "--json", told,
         "--build", BUILD, "--trace", trace], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    try:
        output = demo.communicate(timeout=480)[0]
    except BaseException:
        demo.terminate()
        demo.communicate(timeout=60)
        raise
    assert demo.returncode == 0, output
    summary = json.loads(told.read_text())

    samples = [s for s in summary["samples"] if s["atSeconds"] >= 0]
    ramp = [s for s in samples if (RAMP - 1) * SLOT_S <= s["atSeconds"] <= (RAMP + STEEP + 1) * SLOT_S]
    assert len(ramp) >= 30, f"{len(ramp)} samples of the ramp"
    assert max(s["demandCores"] for s in ramp) > 3 * min(s["demandCores"] for s in ramp)
    assert ramp[0]["trusted"], "the forecast was not trusted when the ramp came"
    late = [s for s in ramp if s["capacityCores"]["web-ai4k8s"] < s["demandCores"]]
    assert not late, f"{late}\n{output}"

    # The summary says what the samples say.
    assert abs(summary["traceMinutes"] - MINUTES) < 3
    assert set(summary["twins"]) == {"web-hpa", "web-ai4k8s"}
    for name, twin in summary["twins"].items():
        assert 0 <= twin["unservedPercent"] < 100 and 0 <= twin["underProvisionedMinutes"] <= MINUTES
        assert twin["scaleActions"] >= 1
        mean = sum(s["capacityCores"][name] for s in samples) / len(samples) / CORES_PER_POD
        assert 0.8 <= twin["podHours"] / (mean * MINUTES / 60) <= 1.5, (name, twin, mean)
    assert (BUILD / "demo.svg").read_text().startswith("<svg")
    assert (BUILD / "demo-decisions.txt").read_text()

    assert not left_of(demo.pid)
    assert not os.path.exists(ControlPlane(f"demo-{demo.pid}").directory)
