"""The operator's own reading of its API types, held against a real API server.

Offline tools, annotations and the operator itself decode and check specs in C, from the table
that generates the CRD. Here thousands of generated specs are put to both: they must accept and
reject the same ones, understand the accepted ones alike (defaults included), and name the same
broken rules in the same words.
"""

from __future__ import annotations

import concurrent.futures
import decimal
import json
import os
import pathlib
import re
import subprocess
import time
from typing import Any

import pytest

from apispecs import generate
from kubeapi import ApiError, eventually

JSON = dict[str, Any]
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHECK = pathlib.Path(os.environ.get("AI4K8S_BUILD") or ROOT / "build-san") / "test" / "api_check"
GROUP = "ai4k8s.io"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
COUNT = 2600
THREADS = 4

# Tests that store objects and look at what becomes of them: not where an operator looks after these.
alone = pytest.mark.disruptive


def collection(namespace: str, plural: str = "predictiveautoscalers") -> str:
    return f"/apis/{GROUP}/v1alpha1/namespaces/{namespace}/{plural}"


@pytest.fixture(scope="module")
def crds(api) -> dict[str, JSON]:
    """The committed definitions, applied and served; by plural."""
    applied = {}
    for file in sorted((ROOT / "crds").glob("ai4k8s.io_*.yaml")):
        plural = file.stem.split("_")[1]
        api.apply(f"{CRDS}/{plural}.{GROUP}", file.read_text())
        applied[plural] = plural
    for plural in applied:
        deadline = time.monotonic() + 30
        while True:
            definition = api.get(f"{CRDS}/{plural}.{GROUP}")
            conditions = {c["type"]: c for c in (definition.get("status") or {}).get("conditions") or []}
            if conditions.get("Established", {}).get("status") == "True":
                break
            assert time.monotonic() < deadline, conditions
            time.sleep(0.1)
        assert "NonStructuralSchema" not in conditions, conditions
        applied[plural] = definition
    return applied


@pytest.fixture(scope="module")
def schema(crds) -> JSON:
    version = crds["predictiveautoscalers"]["spec"]["versions"][0]
    return version["schema"]["openAPIV3Schema"]["properties"]["spec"]


def manifest(spec: str, name: str = "x", **metadata: Any) -> str:
    return ('{"apiVersion":"ai4k8s.io/v1alpha1","kind":"PredictiveAutoscaler","metadata":%s,"spec":%s}'
            % (json.dumps({"name": name, **metadata}), spec))


# -- the two judges --------------------------------------------------------------

def by_program(lines: list[str]) -> list[JSON]:
    done = subprocess.run([CHECK, "spec"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-4000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(lines)
    return answers


def by_server(api, method: str, path: str, body: str) -> JSON:
    try:
        answer = api.request(method, path, body, params={"dryRun": "All", "fieldValidation": "Strict"})
        return {"ok": True, "spec": answer["spec"]}
    except ApiError as error:
        assert error.status in (400, 422), error
        causes = (error.body.get("details") or {}).get("causes") or []
        return {"ok": False, "message": error.message, "causes": [(c.get("field"), c["message"]) for c in causes]}


def all_by_server(api, requests: list[tuple[str, str, str]]) -> list[JSON]:
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda r: by_server(api, *r), requests))


# -- what both understood ----------------------------------------------------------

SUFFIXES = {"n": "1e-9", "u": "1e-6", "m": "1e-3", "k": "1e3", "M": "1e6", "G": "1e9", "T": "1e12", "P": "1e15", "E": "1e18",
            **{f"{c}i": str(1024 ** (i + 1)) for i, c in enumerate("KMGTPE")}}
QUANTITY_FIELDS = {"averageValue", "capacityPerPod", "tolerance"}


def amount(quantity: Any) -> decimal.Decimal:
    text = str(quantity)
    for suffix, factor in sorted(SUFFIXES.items(), key=lambda item: -len(item[0])):
        if text.endswith(suffix):
            return decimal.Decimal(text[: -len(suffix)]) * decimal.Decimal(factor)
    return decimal.Decimal(text)


def normal(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {k: normal(v, k) for k, v in value.items() if v is not None and v != []}  # an empty list says nothing
    if isinstance(value, list):
        return [normal(v) for v in value]
    return amount(value) if name in QUANTITY_FIELDS else value


def rules_named(ours: JSON, theirs: JSON) -> str | None:
    """Where only rules are broken, both must name the same ones; the difference, or None."""
    if ours["total"] > len(ours["problems"]) or not all(p["rule"] for p in ours["problems"]):
        return None  # the API server looks at rules only when the values are right
    said = {(p["field"], p["message"]) for p in ours["problems"]}
    heard = set()
    for field, message in theirs["causes"]:
        if field == "<nil>":
            continue
        heard.add((field, re.sub(r'^Invalid value: (?:[^:]*: )??(?=[a-z])', "", message)))
    same = {(f, next((m for g, m in said if g == f and h.endswith(m)), h)) for f, h in heard}
    return None if same == said else f"only ours: {sorted(said - same)}, only theirs: {sorted(same - said)}"


def disagreements(cases: list[str], ours: list[JSON], theirs: list[JSON]) -> list[str]:
    found = []
    for case, a, b in zip(cases, ours, theirs, strict=True):
        if a["ok"] != b["ok"]:
            found.append(f"{case}\n    program: {a}\n    server:  {b}")
        elif a["ok"] and normal(a["spec"]) != normal(b["spec"]):
            found.append(f"{case}\n    program understood {a['spec']}\n    server understood  {b['spec']}")
        elif not a["ok"] and (difference := rules_named(a, b)):
            found.append(f"{case}\n    {difference}")
    return found


# -- tests -----------------------------------------------------------------------

@pytest.mark.slow(40)
def test_generated_specs(api, namespace, schema):
    cases = list(generate(schema, COUNT, seed=1))
    ours = by_program([f'{{"new":{case}}}' for case in cases])
    theirs = all_by_server(api, [("POST", collection(namespace), manifest(case)) for case in cases])
    found = disagreements(cases, ours, theirs)
    assert not found, f"{len(found)} of {len(cases)} disagree:\n" + "\n".join(found[:10])

    # The agreement says something only if both sides of every rule were tried.
    accepted = sum(a["ok"] for a in ours)
    assert accepted > COUNT / 5 and COUNT - accepted > COUNT / 5, accepted
    heard = " ".join(message for b in theirs if not b["ok"] for _, message in b["causes"])
    for rule in rules(schema):
        if "oldSelf" not in rule["rule"]:
            words = rule.get("messageExpression", rule["message"]).strip("'").split("%d")[0]
            assert words in heard, f"no spec broke this rule: {rule}"


def rules(schema: JSON) -> list[JSON]:
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return schema.get("x-kubernetes-validations", []) + [rule for s in inner for rule in rules(s)]


def test_numbers_and_nulls_one_by_one(api, namespace, schema):
    """3.0, null and a wrong type in every field of a spec that has all of them."""
    whole = json.loads("""{"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
      "minReplicas": 2, "maxReplicas": 9, "mode": "Auto", "syncPeriodSeconds": 15, "conflictPolicy": "Refuse",
      "metrics": [{"name": "cpu", "type": "Resource", "forecast": true, "capacityPerPod": "800m",
                   "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "500m"}}},
                  {"name": "main", "type": "ContainerResource", "forecast": false,
                   "containerResource": {"name": "cpu", "container": "main",
                                         "target": {"type": "Utilization", "averageUtilization": 60}},
                   "fallback": {"failureDurationSeconds": 60, "replicas": 4, "behavior": "AtLeast"}},
                  {"name": "mem", "type": "Resource", "forecast": false,
                   "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 80}}}],
      "behavior": {"scaleUp": {"stabilizationWindowSeconds": 10, "tolerance": "0.05", "selectPolicy": "Min",
                               "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]},
                   "scaleDown": {"stabilizationWindowSeconds": 600, "tolerance": 1, "selectPolicy": "Disabled",
                                 "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}},
      "prediction": {"historySeconds": 604800, "sampleIntervalSeconds": 300, "horizonSeconds": 21600, "leadTimeSeconds": 90,
                     "seasonality": {"mode": "Fixed", "periodsSeconds": [86400, 43200]}, "confidencePercent": 95,
                     "minHistorySeconds": 86400, "qualityGate": {"maxErrorPercent": 20, "minCoveragePercent": 90},
                     "trustedScaleDownStabilizationSeconds": 60},
      "schedules": [{"name": "day", "timeZone": "Europe/Berlin", "start": "0 8 * * mon-fri", "end": "0 18 * * *",
                     "minReplicas": 5}],
      "anomaly": {"mode": "HoldScaleDown", "sensitivity": "High"},
      "advisor": {"mode": "Bounded", "maxReplicaDelta": 2, "timeoutSeconds": 120, "minIntervalSeconds": 60,
                  "cacheTTLSeconds": 300, "dailyCallBudget": 500}}""")
    missing = {f for f in schema["properties"]} - whole.keys()
    assert not missing, f"new fields belong into this test: {missing}"
    text = json.dumps(whole)
    cases = [text]
    for match in re.finditer(r'(?<=[:\[ ])(\d+|true|false|"[^"]*")(?=[,\]}])', text):
        value = match[0]
        for instead in (f"{value}.0" if value.isdigit() else None, "null", "true", "1.5", '"x"', "7", "{}", "[]", "-1"):
            if instead is not None:
                cases.append(text[: match.start()] + instead + text[match.end():])
    ours = by_program([f'{{"new":{case}}}' for case in cases])
    theirs = all_by_server(api, [("POST", collection(namespace), manifest(case)) for case in cases])
    assert ours[0]["ok"], ours[0]
    found = disagreements(cases, ours, theirs)
    assert not found, f"{len(found)} of {len(cases)} disagree:\n" + "\n".join(found[:10])


@alone
def test_updates(api, namespace, crds):
    """Transition rules: the target can't be changed, everything else can."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    old = {"scaleTargetRef": target, "maxReplicas": 5}
    stored = api.post(collection(namespace), json.loads(manifest(json.dumps(old), "kept")))
    version = stored["metadata"]["resourceVersion"]
    news = [{"scaleTargetRef": {**target, **change}, "maxReplicas": maximum}
            for change in ({}, {"name": "other"}, {"kind": "StatefulSet"}, {"apiVersion": "apps/v2"}, {"kind": "DaemonSet"})
            for maximum in (5, 1, 0, 100000)]
    cases = [json.dumps(new) for new in news]
    ours = by_program([f'{{"new":{case},"old":{json.dumps(old)}}}' for case in cases])
    path = collection(namespace) + "/kept"
    theirs = all_by_server(api, [("PUT", path, manifest(case, "kept", resourceVersion=version)) for case in cases])
    found = disagreements(cases, ours, theirs)
    assert not found, "\n".join(found)
    assert [a["ok"] for a in ours] == [n["scaleTargetRef"] == target and n["maxReplicas"] > 0 for n in news]


def test_examples_are_accepted(api, namespace, crds):
    places = {"PredictiveAutoscaler": collection(namespace), "Deployment": f"/apis/apps/v1/namespaces/{namespace}/deployments"}
    files = sorted((ROOT / "crds" / "examples").glob("*.yaml"))
    assert files
    for file in files:
        text = file.read_text()
        kind = re.search(r"^kind: (\w+)$", text, re.M)[1]
        api.request("POST", places[kind], text, content_type="application/yaml",
                    params={"dryRun": "All", "fieldValidation": "Strict"})


def program(*arguments: str) -> str:
    done = subprocess.run([CHECK, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def strict_apply(api, path: str, body: str) -> JSON:
    return api.request("PATCH", path, body, content_type="application/apply-patch+yaml",
                       params={"fieldManager": "ai4k8s", "force": True, "fieldValidation": "Strict"})


@alone
def test_status_and_columns(api, namespace, crds):
    spec = '{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},"minReplicas":2,"maxReplicas":9}'
    api.request("POST", collection(namespace), manifest(spec, "web"))
    told = json.loads(program("status", namespace, "web"))["status"]
    stored = strict_apply(api, f"{collection(namespace)}/web/status", json.dumps(
        {"apiVersion": "ai4k8s.io/v1alpha1", "kind": "PredictiveAutoscaler",
         "metadata": {"name": "web", "namespace": namespace}, "status": told}))
    assert stored["status"] == told, "the API server dropped or changed something"
    again = strict_apply(api, f"{collection(namespace)}/web/status", program("status", namespace, "web"))
    assert again["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]

    table = table_of(api, collection(namespace))
    columns = [c["name"] for c in table["columnDefinitions"]]
    assert columns == ["Name", "Target", "Min", "Max", "Current", "Desired", "Predicted", "Mode", "Trusted", "Ready", "Age",
                       "Peak", "Reason", "Last-Scale"]
    assert [c["name"] for c in table["columnDefinitions"] if c["priority"]] == ["Peak", "Reason", "Last-Scale"]
    cells = dict(zip(columns, table["rows"][0]["cells"], strict=True))
    del cells["Age"], cells["Last-Scale"]
    assert cells == {"Name": "web", "Target": "web", "Min": 2, "Max": 9, "Current": 4, "Desired": 6, "Predicted": 7,
                     "Mode": "Auto", "Trusted": "True", "Ready": "True", "Peak": 25, "Reason": "ForecastAboveCapacity"}


def table_of(api, path: str) -> JSON:
    headers = api._headers(None)
    headers["Accept"] = "application/json;as=Table;g=meta.k8s.io;v=v1"
    connection = api._connect(30)
    try:
        connection.request("GET", path, headers=headers)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


@alone
def test_checkpoints(api, namespace, crds):
    spec = '{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},"maxReplicas":9}'
    owner = api.request("POST", collection(namespace), manifest(spec, "web"))
    uid = owner["metadata"]["uid"]
    path = collection(namespace, "predictiveautoscalercheckpoints")
    for part in ("tail", "history", "backfill"):
        body = program("checkpoint", part, namespace, "web", uid)
        stored = strict_apply(api, f"{path}/web-{part}", body)
        assert stored["spec"] == json.loads(body)["spec"]
        assert stored["metadata"]["ownerReferences"][0]["uid"] == uid

    good = json.loads(program("checkpoint", "backfill", namespace, "web", uid))
    for field, value in (("startTime", "2026-01-01T00:01:00Z"), ("intervalSeconds", 9), ("metric", "Bad")):
        bad = json.loads(json.dumps(good))
        bad["spec"]["backfill"][field] = value
        with pytest.raises(ApiError, match=field):
            strict_apply(api, f"{path}/web-backfill", json.dumps(bad))
    for drop in ("backfill", "data", "time"):
        bad = json.loads(json.dumps(good))
        del bad["spec"][drop]
        with pytest.raises(ApiError, match=drop):
            api.request("POST", path, {**bad, "metadata": {"name": "other"}}, params={"fieldValidation": "Strict"})
    bad = json.loads(program("checkpoint", "tail", namespace, "web", uid))
    del bad["spec"]["target"]
    with pytest.raises(ApiError, match="target are required when part is Tail"):
        api.request("POST", path, {**bad, "metadata": {"name": "other"}})


@alone
def test_annotation_body(api, namespace, crds):
    """What annotations ask for is applied as it is, owns just the annotated fields, and is stable."""
    config = json.dumps({"min": 2, "max": 10, "prediction": {"confidencePercent": 95}, "behavior": {"scaleDown": {}}})
    body = program("annotation", namespace, "Deployment", "web", "0b0f1c9e-0000-4000-8000-000000000000", config)
    path = f"{collection(namespace)}/deployment-web"
    stored = strict_apply(api, path, body)
    assert stored["spec"]["minReplicas"] == 2 and stored["spec"]["maxReplicas"] == 10
    assert stored["metadata"]["labels"] == {"ai4k8s.io/source": "annotation"}
    fields = next(m for m in stored["metadata"]["managedFields"] if m["manager"] == "ai4k8s")["fieldsV1"]["f:spec"]
    assert set(fields) == {"f:scaleTargetRef", "f:minReplicas", "f:maxReplicas", "f:prediction", "f:behavior"}

    def at_rest():  # a definition that has just been made may be served anew between two of them
        before = api.get(path)
        again = strict_apply(api, path, body)
        assert again["spec"] == before["spec"] == stored["spec"]
        return again["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]

    eventually(at_rest, 20)
