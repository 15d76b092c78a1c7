"""The traffic driver: traces, selectors, and the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from conftest import ROOT
from support import create_deployment, eventually
from traffic import Trace, TraceError, Traffic, _matcher, cores

SCRIPT = os.path.join(ROOT, "hack", "traffic")


@pytest.fixture
def series(tmp_path):
    def write(*rows, header="time,value"):
        path = tmp_path / "series.csv"
        path.write_text("\n".join([header, *rows, ""]))
        return str(path)

    return write


@pytest.mark.parametrize("rows", [
    ["0,1", "10,2", "20,4"],
    ["2026-01-01T00:00:00Z,1", "2026-01-01T00:00:10Z,2", "2026-01-01T00:00:20Z,4"],
    ["2026-01-01T01:00:00+01:00,1", "2026-01-01T00:00:10Z,2", "2026-01-01T00:00:20Z,4"],
    ["2026-01-01 00:00:00,1", "2026-01-01 00:00:10,2", "2026-01-01 00:00:20,4"],
    ["100,1", "105,", "107,NaN", "110,2", "120,4"],
])
def test_a_trace_is_linear_between_its_points(series, rows):
    trace = Trace.read(series(*rows))
    assert trace.length == 20
    assert [trace.at(t) for t in (-5, 0, 5, 10, 15, 20, 99)] == [1, 1, 1.5, 2, 3, 4, 4]


@pytest.mark.parametrize("options, length, values", [
    ({"speed": 2}, 15, {0: 0, 2.5: 0.5, 15: 3}),
    ({"scale": 10}, 30, {0: 0, 30: 30}),
    ({"peak": 6}, 30, {0: 0, 30: 6}),
    ({"interval": 60}, 180, {0: 0, 90: 1.5, 180: 3}),
    ({"start": 5, "duration": 10}, 10, {0: 0.5, 5: 1, 10: 1.5}),
    ({"start": 5, "duration": 10, "peak": 3}, 10, {0: 1, 10: 3}),
    ({"start": 25, "duration": 100}, 100, {0: 2.5, 5: 3, 100: 3}),
])
def test_parts_of_a_trace(series, options, length, values):
    trace = Trace.read(series("0,0", "10,1", "20,2", "30,3"), **options)
    assert trace.length == pytest.approx(length)
    assert {t: trace.at(t) for t in values} == pytest.approx(values)


@pytest.mark.parametrize("rows, message", [
    (["0,1", "x,2"], "line 3: 'x' is not a time"),
    (["0,1", "1,much"], "line 3: 'much' is not a number"),
    (["0,1", "1"], "line 3: expected a time and a value"),
    (["5,1", "1,2"], "line 3: time runs backward"),
    (["0,", "1,nan"], "no values"),
    ([], "no values"),
])
def test_a_bad_trace_is_refused_with_its_line(series, rows, message):
    with pytest.raises(TraceError, match=message):
        Trace.read(series(*rows))


def test_a_part_after_the_end_is_refused(series):
    with pytest.raises(TraceError, match="it ends 10 s after its start"):
        Trace.read(series("0,1", "10,2"), start=11)


@pytest.mark.parametrize("text, value", [("1500m", 1.5), ("2", 2), ("0.1", 0.1), ("250u", 250e-6),
                                         ("7n", 7e-9), ("1k", 1000)])
def test_quantities(text, value):
    assert cores(text) == pytest.approx(value)


@pytest.mark.parametrize("expression, matching", [
    ({"operator": "In", "values": ["a", "b"]}, [True, False, False]),
    ({"operator": "NotIn", "values": ["a", "b"]}, [False, True, True]),
    ({"operator": "Exists"}, [True, True, False]),
    ({"operator": "DoesNotExist"}, [False, False, True]),
])
def test_selectors(expression, matching):
    match = _matcher({"matchLabels": {"app": "web"},
                      "matchExpressions": [{"key": "tier", **expression}]})
    labels = [{"tier": "a"}, {"tier": "c"}, {}]
    assert [match({"app": "web", **label}) for label in labels] == matching
    assert not any(match({"app": "api", **label}) for label in labels)


def test_pods_that_are_not_ready_get_nothing(api, namespace):
    """Two generations of one workload: the ready pods share, a slow one joins later."""
    create_deployment(api, namespace, "web", 2)
    usages = f"/apis/kwok.x-k8s.io/v1alpha1/namespaces/{namespace}/resourceusages"

    def shares():
        return sorted(item["spec"]["usages"][0]["usage"]["cpu"]["value"]
                      for item in api.list(usages))

    driver = Traffic(api)  # not started: every tick is ours
    driver.set_demand(namespace, "web", 3.0)
    driver.set_demand(namespace, "later", 1.0)  # not there yet
    driver.apply()
    assert shares() == ["1500000u", "1500000u"]
    assert driver.state(namespace, "later") is None

    api.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/web", {"spec": {
        "replicas": 3, "template": {"metadata": {"annotations": {
            "pod-ready.stage.kwok.x-k8s.io/delay": "30s"}}}}})
    eventually(lambda: len(api.list(f"/api/v1/namespaces/{namespace}/pods",
                                    labelSelector="app=web")) > 2, 20)
    driver.apply()
    assert shares() == ["1500000u", "1500000u"]
    state = driver.state(namespace, "web")
    assert (state.ready, state.served) == (2, 3.0) and state.pods > 2

    driver.clear(namespace, "web")
    assert shares() == ["1000u", "1000u"]


def test_the_command_plays_a_trace_and_stops(control_plane, api, namespace, series):
    create_deployment(api, namespace, "web", 2, cpu_limit="1")
    path = series("0,1", "300,4")
    done = subprocess.run([SCRIPT, "--kubeconfig", control_plane.kubeconfig, "--workload",
                           f"{namespace}/web={path}", "--speed", "50", "--tick", "0.5",
                           "-o", "json"], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    ticks = [json.loads(line) for line in done.stdout.splitlines()]
    demands = [tick["demand"] for tick in ticks if tick["found"]]
    assert demands == sorted(demands) and 3.5 < demands[-1] <= 4
    assert ticks[-1]["perPod"] == 1 and ticks[-1]["unserved"] == pytest.approx(
        ticks[-1]["demand"] - 2)
    # afterwards the pods idle
    [value] = {item["spec"]["usages"][0]["usage"]["cpu"]["value"] for item in
               api.list(f"/apis/kwok.x-k8s.io/v1alpha1/namespaces/{namespace}/resourceusages")}
    assert value == "1000u"


def test_the_command_ends_with_ctrl_c(control_plane, api, namespace):
    create_deployment(api, namespace, "web", 1)
    child = subprocess.Popen([SCRIPT, "--kubeconfig", control_plane.kubeconfig, "--workload",
                              f"{namespace}/web=0.5", "--tick", "0.2"], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = next(line for line in child.stdout if "not there yet" not in line)  # its pod may still be starting
    assert "demand   0.500" in said
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)
    assert (child.returncode, errors) == (0, "")


@pytest.mark.parametrize("arguments, message", [
    (["--workload", "web=1"], "expected NAMESPACE/NAME"),
    (["--workload", "a/Cron/web=1"], "KIND one of"),
    (["--workload", "a/web=/no/such/file"], "No such file"),
    (["--kubeconfig", "/no/such/file", "--workload", "a/web=1"], "No such file"),
])
def test_wrong_usage_is_explained(arguments, message):
    done = subprocess.run([SCRIPT, *arguments], text=True, capture_output=True, timeout=20)
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
