"""`decide` and `simulate` as other programs use them: a conversation over pipes, exit statuses, shapes, plots."""

from __future__ import annotations

import csv
import datetime
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import threading
import xml.etree.ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("AI4K8S_BUILD") or ROOT / "build-san")
PROGRAM = BUILD / "kubectl-ai4k8s"
GOOGLE = ROOT / "test/data/google19_cpu.csv"
SPEC = """apiVersion: ai4k8s.io/v1alpha1
kind: PredictiveAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 100
  metrics:
  - name: cpu
    type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
"""


@pytest.fixture(name="spec")
def spec_file(tmp_path):
    path = tmp_path / "pa.yaml"
    path.write_text(SPEC)
    return path


def run(*arguments, text=None):
    return subprocess.run([PROGRAM, *map(str, arguments)], input=text, capture_output=True,
                          text=True, timeout=300, check=False)


def stamp(second):
    return (datetime.datetime(2024, 5, 1) + datetime.timedelta(seconds=second)).isoformat() + "Z"


def line(second, replicas=4, ready=None, **more):
    return json.dumps({"time": stamp(second), "replicas": replicas,
                       "readyReplicas": replicas if ready is None else ready, **more})


def decide(spec, *lines, request="cpu=500m"):
    answer = run("decide", "--spec", spec, "--pod-request", request, text="\n".join(lines) + "\n")
    assert answer.returncode == 0, answer.stderr
    return [json.loads(text) for text in answer.stdout.splitlines()]


# ---- usage ----

@pytest.mark.parametrize("arguments, word", [
    (["decide"], "--spec"),
    (["decide", "--spec", "SPEC", "x"], "standard input"),
    (["decide", "--spec", "SPEC", "--pod-request", "cpu"], "cpu=500m"),
    (["decide", "--spec", "SPEC", "--pod-request", "cpu=0"], "cpu=500m"),
    (["decide", "--spec", "SPEC", "--pod-request", "cpu=1,"], "cpu=500m"),
    (["decide", "--spec", "SPEC", "--pod-request", "gpu=1"], "cpu=500m"),
    (["simulate"], "--trace"),
    (["simulate", "--trace", GOOGLE], "--spec"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--startup", "60.120"], "60..120"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--startup", "120..60"], "60..120"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--startup", "0..9999"], "3600"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--warmup", "7"], "7d"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--warmup", "99999999999d"], "7d"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--pod-capacity", "0"], "above 0"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--pod-capacity", "nan"], "above 0"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--compare", "vpa"], "hpa"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--seed", "-1"], "--seed"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "-o", "png"], "svg"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", GOOGLE], "one trace"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--warmup", "18d"], "shorter --warmup"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--advisor", ""], "hostile, clairvoyant or a file"),
    (["simulate", "--trace", GOOGLE, "--spec", "SPEC", "--advisor", "hostile"], "advisor.mode to Bounded"),
])
def test_wrong_usage(spec, arguments, word):
    answer = run(*[spec if a == "SPEC" else a for a in arguments], text="")
    assert answer.returncode == 2, answer
    assert answer.stdout == "" and word in answer.stderr


@pytest.mark.parametrize("command", [["decide"], ["simulate", "--trace", GOOGLE]])
def test_a_spec_that_is_not_valid(tmp_path, command):
    path = tmp_path / "pa.yaml"
    path.write_text(SPEC.replace("maxReplicas: 100", "maxReplicas: 1\n  minReplicas: 2"))
    answer = run(*command, "--spec", path, text="")
    assert answer.returncode == 2 and answer.stdout == ""
    assert f"{path}:6: spec.maxReplicas: must be >= minReplicas" in answer.stderr
    answer = run(*command, "--spec", tmp_path / "none.yaml", text="")
    assert answer.returncode == 1 and "No such file" in answer.stderr


# ---- decide ----

def test_each_answer_comes_at_once(spec):
    """A simulator waits for the answer before it makes the next observation."""
    with subprocess.Popen([PROGRAM, "decide", "--spec", spec, "--pod-request", "cpu=500m"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        replicas = 4
        for second in range(0, 300, 15):
            process.stdin.write(line(second, replicas, metrics={"cpu": 1.9 + second / 100}) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert list(answer) == ["replicas", "proposals", "reason", "limits"]
            assert list(answer["proposals"]) == ["reactive", "predicted", "scheduled", "advisor"]
            replicas = answer["replicas"]
        process.stdin.close()
        assert process.wait() == 0
        watchdog.cancel()
    assert replicas == math.ceil(4.75 / 0.35) or replicas == math.ceil(4.75 / 0.35) - 1


def test_a_utilization_needs_a_request(spec):
    answer = run("decide", "--spec", spec, text=line(0, metrics={"cpu": 1}) + "\n")
    assert answer.returncode == 2 and answer.stdout == "" and "--pod-request cpu=500m" in answer.stderr
    answer = run("decide", "--spec", spec, text=line(0, metrics={"cpu": 1}, podRequest={"cpu": 0.5}))
    assert answer.returncode == 0 and json.loads(answer.stdout)["replicas"] == 4


def test_a_value_needs_none(tmp_path):
    path = tmp_path / "pa.yaml"
    path.write_text(SPEC.replace("type: Utilization, averageUtilization: 70", "type: AverageValue, averageValue: 350m"))
    answer = run("decide", "--spec", path, text=line(0, metrics={"cpu": 1.9}))
    assert answer.returncode == 0 and json.loads(answer.stdout)["replicas"] == 6


def test_lines_that_are_too_long_or_broken(spec):
    answers = decide(spec, line(0, metrics={"cpu": 1.4}), "x" * 70000, "\0\0", '{"time":', line(15, metrics={"cpu": 1.9}),
                     "[" * 5000)
    assert [("error" in a) for a in answers] == [False, True, True, True, False, True]
    assert answers[1]["error"] == "line 2: longer than 65536 bytes"
    assert answers[4]["replicas"] == 6


def test_an_endless_line_in_bounded_memory(spec):
    with subprocess.Popen([PROGRAM, "decide", "--spec", spec, "--pod-request", "cpu=500m"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            for _ in range(1000):
                process.stdin.write(b"y" * 100000)
            process.stdin.flush()
            peak = pathlib.Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
        finally:
            process.stdin.close()
        assert process.stdout.read() == b'{"error":"line 1: longer than 65536 bytes"}\n'
        assert process.wait() == 0
    assert int(peak) < 100 << 10


def test_any_spacing_and_far_times(spec):
    answers = decide(spec, line(0, metrics={"cpu": 1.4}), line(0.000001, metrics={"cpu": 1.4}),
                     line(1e9, metrics={"cpu": 1.4}),
                     '{"time":"9999-12-31T23:59:59Z","replicas":4,"readyReplicas":4,"metrics":{"cpu":1.4}}')
    assert [a["replicas"] for a in answers] == [4, 4, 4, 4]
    early = decide(spec, '{"time":"0001-01-01T00:00:00Z","replicas":4,"readyReplicas":4,"metrics":{"cpu":1.9}}',
                   '{"time":"1970-01-01T00:00:00Z","replicas":4,"readyReplicas":4,"metrics":{"cpu":1.9}}')
    assert [a["replicas"] for a in early] == [6, 6]


def test_the_largest_counts(spec):
    answers = decide(spec, line(0, 200000, metrics={"cpu": 70000}), line(15, 200001, metrics={"cpu": 1}))
    assert answers[0]["replicas"] == 100 and answers[0]["reason"] == "TooManyReplicas"
    assert "200000" in answers[1]["error"]


def test_recommendations_count_as_applied(tmp_path):
    path = tmp_path / "pa.yaml"
    path.write_text(SPEC.replace("maxReplicas: 100", "maxReplicas: 100\n  mode: Recommend\n"
                                 "  behavior: {scaleUp: {policies: [{type: Pods, value: 2, periodSeconds: 60}]}}"))
    answers = decide(path, line(0, metrics={"cpu": 4}), line(15, 6, metrics={"cpu": 4}), line(75, 6, metrics={"cpu": 4}))
    assert [a["replicas"] for a in answers] == [6, 6, 8]
    assert answers[0]["limits"] == ["ScaleUpLimit", "NotActive"]


def test_the_same_lines_have_the_same_answers(spec):
    lines = [line(300 * i, 8, metrics={"cpu": 2 + math.sin(i / 40) + i * 7919 % 13 / 20}, warmup=True) for i in range(600)]
    lines += [line(300 * 600 + 15 * i, 8, 8 - i % 3, metrics={"cpu": 2 + i * 104729 % 17 / 5}) for i in range(200)]
    first = decide(spec, *lines)
    assert len(first) == 200 and first == decide(spec, *lines)
    assert any(a["proposals"]["predicted"] is not None for a in first)


# ---- simulate ----

def trace(path, days, step=300, height=20):
    rows = [(i * step, height * (1 + 0.6 * math.sin(i * step * 2 * math.pi / 86400)) + i * 7919 % 13 / 5)
            for i in range(days * 86400 // step)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "value"])
        writer.writerows(rows)
    return path


RUN = ["targetPercent", "underProvisionedMinutes", "unservedPercent", "podHours", "oracleRatio", "scaleActions",
       "utilizationPercent"]


@pytest.mark.slow(35)
def test_the_shape_of_json(tmp_path, spec):
    path = trace(tmp_path / "wave.csv", 4)
    arguments = ["simulate", "--trace", path, "--spec", spec, "--warmup", "3d", "-o", "json"]
    answer = run(*arguments)
    assert answer.returncode == 0 and answer.stderr == ""
    result = json.loads(answer.stdout)
    assert list(result) == ["trace", "from", "to", "warmupSeconds", "podCapacity", "startupSeconds", "seed", "unsaturated",
                            "metric", "oracle", "ai4k8s", "hpa", "frontier", "hpaAtSameCost"]
    assert result["trace"] == "wave" and result["from"] == "1970-01-04T00:00:00Z" and result["to"] == "1970-01-05T00:00:00Z"
    assert list(result["ai4k8s"]) == RUN + ["trustedPercent"] and list(result["hpa"]) == RUN
    assert [r["targetPercent"] for r in result["frontier"]] == list(range(40, 100, 5))
    assert result["frontier"][6] == result["hpa"]
    assert result["ai4k8s"]["oracleRatio"] == pytest.approx(result["ai4k8s"]["podHours"] / result["oracle"]["podHours"])
    assert run(*arguments).stdout == answer.stdout
    assert run(*arguments, "--seed", "2").stdout != answer.stdout
    alone = json.loads(run(*arguments, "--compare", "none").stdout)
    assert "hpa" not in alone and alone["ai4k8s"] == result["ai4k8s"]


def test_a_pod_serves_by_default_what_makes_the_peak_28(tmp_path, spec):
    path = tmp_path / "t.csv"
    path.write_text("t,v\n" + "".join(f"{i * 300},{i % 1001}\n" for i in range(2002)))
    result = json.loads(run("simulate", "--trace", path, "--spec", spec, "--warmup", "1d", "--compare", "none",
                            "-o", "json").stdout)
    assert result["podCapacity"] == pytest.approx(1000 * 0.999 / 28, rel=1e-2)
    result = json.loads(run("simulate", "--trace", path, "--spec", spec, "--warmup", "1d", "--compare", "none",
                            "--pod-capacity", "500m", "-o", "json").stdout)
    assert result["podCapacity"] == 0.5


def test_min_replicas_is_two_unless_the_spec_says_otherwise(tmp_path, spec):
    path = tmp_path / "t.csv"
    path.write_text("t,v\n" + "".join(f"{i * 300},0.1\n" for i in range(600)))
    arguments = ["simulate", "--trace", path, "--warmup", "1d", "--pod-capacity", "1", "--compare", "none", "-o", "json"]
    hours = 600 / 12 - 24
    assert json.loads(run(*arguments, "--spec", spec).stdout)["ai4k8s"]["podHours"] == pytest.approx(2 * hours)
    spec.write_text(SPEC.replace("maxReplicas: 100", "maxReplicas: 100\n  minReplicas: 1"))
    assert json.loads(run(*arguments, "--spec", spec).stdout)["ai4k8s"]["podHours"] == pytest.approx(hours)


def test_a_metric_that_saturates_stops_an_hpa_near_the_limit(tmp_path, spec):
    """At 95 % of the request usage can't pass the tolerance, unless it is seen beyond what pods serve."""
    path = trace(tmp_path / "wave.csv", 2)
    arguments = ["simulate", "--trace", path, "--spec", spec, "--warmup", "1d", "-o", "json"]
    capped, free = json.loads(run(*arguments).stdout), json.loads(run(*arguments, "--unsaturated").stdout)
    assert capped["frontier"][-1]["scaleActions"] == 0 and free["frontier"][-1]["scaleActions"] > 0
    assert free["frontier"][-1]["unservedPercent"] < capped["frontier"][-1]["unservedPercent"]


@pytest.mark.parametrize("text, place, word", [
    ("t,v\n0,1\n300,-1\n600,1\n", ":3: ", "below 0"),
    ("t,v\n0,\n300,\n", ": ", "no row has a value"),
    ("t,v\n0,1\nnonsense\n", ":3: ", "two columns"),
    ("t,v\n0,0\n300,0\n86400000,0\n", ": ", "two years; cut the file"),
    ("t,v\n0,1\n300,-1\n", ":3: ", "leave the value empty"),
    ("t,v\n0,1\n864000000,1\n", ":3: ", "is the time right? Otherwise cut the file into pieces of two years"),
    ("t,v\n" + "".join(f"{i * 300},0\n" for i in range(3000)), " ", "--pod-capacity"),
    ("t,v\n" + "".join(f"{i * 300},1e-310\n" for i in range(3000)), " ", "--pod-capacity"),
    ("t,v\n0,1\n", " ", "shorter --warmup"),
], ids=["negative", "no data", "one column", "too long", "none for negative", "not seconds", "no demand",
        "next to no demand", "too short"])
def test_bad_traces(tmp_path, spec, text, place, word):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    answer = run("simulate", "--trace", path, "--spec", spec)
    assert answer.returncode == 2 and answer.stdout == ""
    assert f"{path}{place}" in answer.stderr and word in answer.stderr


def test_the_table_and_the_plot(tmp_path, spec):
    path = trace(tmp_path / "wave.csv", 3)
    arguments = ["simulate", "--trace", path, "--spec", spec, "--warmup", "2d"]
    table = run(*arguments).stdout.splitlines()
    assert table[0] == "wave: 1 days from 1970-01-03T00:00:00Z, after 2 of warm-up"
    assert [row.split("  ")[0] for row in table[5:8]] == ["AI4K8s", "HPA, same target", "HPA at the same cost"]
    assert sum(row.startswith("HPA  ") for row in table) == 12
    for capacity, title in [("2", "highest demand"), ("0.01", "HPA's greatest shortage")]:
        drawing = run(*arguments, "--pod-capacity", capacity, "-o", "svg")
        root = xml.etree.ElementTree.fromstring(drawing.stdout)
        words = "".join(root.itertext())
        assert f"wave: the day of the {title}" in words
        assert "demand, and what ready pods can serve" in words and "pods, ready or not" in words
        assert ("unserved" in words) == ("shortage" in title)  # a panel that would be empty is left out
        width = float(root.get("width"))
        assert all(0 <= float(t.get("x")) <= width for t in root.iter("{http://www.w3.org/2000/svg}text"))


def test_the_mode_is_not_played(tmp_path, spec):
    path = trace(tmp_path / "wave.csv", 2)
    arguments = ["simulate", "--trace", path, "--spec", spec, "--warmup", "1d", "--compare", "none"]
    auto = run(*arguments)
    assert auto.stderr == ""
    spec.write_text(SPEC + "  mode: ScaleUpOnly\n")
    other = run(*arguments)
    assert other.stdout == auto.stdout and "played is what mode Auto would do" in other.stderr


def test_one_metric_is_played(tmp_path, spec):
    spec.write_text(SPEC + "  - name: mem\n    type: Resource\n    resource: {name: memory, target: {type: AverageValue, "
                    "averageValue: 1Gi}}\n")
    path = trace(tmp_path / "wave.csv", 2)
    answer = run("simulate", "--trace", path, "--spec", spec, "--warmup", "1d", "--compare", "none", "-o", "json")
    assert answer.returncode == 0 and "the other metrics are left out" in answer.stderr
    assert json.loads(answer.stdout)["metric"] == "cpu"


# ---- recorded answers of an advisor ----

ADVISED = SPEC.replace("maxReplicas: 100", "maxReplicas: 100\n  advisor: {mode: Bounded, maxReplicaDelta: 3}")
DECISION = {"action": "scale_up", "target_replicas": 90, "confidence": 0.9, "reasoning": "r", "risk_assessment": "low",
            "cost_impact": "low", "recommended_timing": "immediate"}


def write_answers(path, *answers):
    path.write_text("".join(json.dumps(one) + "\n" for one in answers))
    return path


def test_recorded_answers_are_replayed(tmp_path, spec):
    spec.write_text(ADVISED)
    answers = write_answers(tmp_path / "answers.jsonl",
                            {"time": "1970-01-02T02:00:00Z", "latencySeconds": 20, "decision": DECISION},
                            {"time": "1970-01-02T02:05:00Z", "failure": "Throttled"},
                            {"time": "1970-01-02T02:10:00Z", "decision": {**DECISION, "action": "scale_down"}},
                            {"time": "1999-01-01T00:00:00Z", "decision": DECISION})
    arguments = ["simulate", "--trace", trace(tmp_path / "wave.csv", 2), "--spec", spec, "--warmup", "1d", "--compare", "none",
                 "--pod-capacity", "12"]  # few pods: three more are beyond the tolerance
    plain, advised = [json.loads(run(*arguments, *more, "-o", "json").stdout) for more in ([], ["--advisor", answers])]
    told = advised["advisor"]
    assert "advisor" not in plain and told.pop("appliedSyncs") > 0
    assert told == {"name": "recorded", "questions": 3, "failures": 1, "contradictions": 1, "skipped": 1}
    more = advised["ai4k8s"]["podHours"] - plain["ai4k8s"]["podHours"]
    assert 0 < more < 3  # three pods, for minutes
    table = run(*arguments, "--advisor", answers).stdout.splitlines()
    assert table[-2].startswith("a recorded advisor was asked 3 times") and "could be asked: 1" in table[-1]


@pytest.mark.parametrize("text, place, word", [
    ('{"time":"1970-01-02T12:00:00Z","failure":"Throttled"}\n{"time":"1970-01-02T12:00:00Z"}\n', ":2: ", "a decision or a failure"),
    ('{"time":"1970-01-02T12:00:00Z","decision":"up"}\n', ":1: decision: ", "not a JSON object"),
    ('{"time":"1999-01-02T12:00:00Z","failure":"Throttled"}\n', " ", "no answer of a time that lies in"),
    ("", ": ", "no answer in it"),
])
def test_bad_answers(tmp_path, spec, text, place, word):
    spec.write_text(ADVISED)
    path = tmp_path / "answers.jsonl"
    path.write_text(text)
    arguments = ["simulate", "--trace", trace(tmp_path / "wave.csv", 2), "--spec", spec, "--warmup", "1d", "--advisor"]
    answer = run(*arguments, path)
    assert answer.returncode == 2 and answer.stdout == ""
    assert f"{path}{place}" in answer.stderr and word in answer.stderr
    assert run(*arguments, tmp_path / "none").returncode == 1


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_what_the_document_records_is_what_is_replayed(tmp_path, spec):
    """The pipe in docs/advisor.md, fed with an object as the API server gives it."""
    text = (ROOT / "docs/advisor.md").read_text()
    pipe = re.search(r"--watch -o json \| (jq .*?uniq) > answers", text, re.DOTALL)[1]
    told = {"id": "1", "time": "1970-01-02T12:00:00Z", "provider": "local", "action": "scale_up", "targetReplicas": 90,
            "confidencePercent": 90, "reasoning": "r", "risk": "low", "cost": "low", "timing": "immediate"}
    seen = [{"status": {}}, {"status": {"advisor": {"lastCallTime": "1970-01-02T11:00:00Z"}}}, {"status": {"advisor": told}},
            {"status": {"advisor": {**told, "outcome": "Observed"}}}]
    done = subprocess.run(["bash", "-c", pipe], input="\n".join(map(json.dumps, seen)), capture_output=True, text=True,
                          timeout=60, check=True)
    assert [json.loads(row) for row in done.stdout.splitlines()] == [
        {"time": told["time"], "provider": "local", "decision": DECISION}]
    spec.write_text(ADVISED)
    path = tmp_path / "answers.jsonl"
    path.write_text(done.stdout)
    answer = run("simulate", "--trace", trace(tmp_path / "wave.csv", 2), "--spec", spec, "--warmup", "1d", "--compare",
                 "none", "--advisor", path, "-o", "json")
    assert json.loads(answer.stdout)["advisor"]["questions"] == 1
