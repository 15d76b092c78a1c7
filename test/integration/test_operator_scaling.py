"""What the operator does with a target: reactively as the HPA, and ahead of the load."""

from __future__ import annotations

import base64
import datetime
import math
import random
import struct
import subprocess
import time

import pytest

from autoscalers import (autoscaler, await_condition, await_event, await_replicas, condition,
                         create, events, get, holds, path, scale_writes, touch)
from support import create_deployment, deployment, eventually, hpa, replicas_of, wait_ready

PER_POD = 0.05  # cores that a pod of 100m is to use at 50 %


def demand_for(replicas: int) -> float:
    """Cores that need exactly that many pods, far enough from one more and one fewer."""
    assert replicas <= 6, "with more, one fewer is inside the tolerance"
    return (replicas - 0.3) * PER_POD


def kubectl(control_plane, namespace, *arguments):
    done = subprocess.run(["kubectl", "-n", namespace, *arguments], capture_output=True, text=True,
                          env={**control_plane.environment(), "HOME": control_plane.directory}, timeout=30)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow(130)
def test_the_same_count_as_the_hpa_after_every_step(api, namespace, operator, traffic):
    """Two twins with the same demand, one under the built-in autoscaler. Both lower after 30 s: at
    once would be before the samples show what the last change did, and lower than needed."""
    for name in ("ours", "theirs"):
        create_deployment(api, namespace, name, 1)
    create(api, namespace, "ours", "ours", down_window=30)
    body = hpa("theirs", "theirs", maximum=10)
    body["spec"]["behavior"] = {"scaleDown": {"stabilizationWindowSeconds": 30}}
    api.post(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers", body)
    for wanted in (2, 6, 3, 1):
        for name in ("ours", "theirs"):
            traffic.set_demand(namespace, name, demand_for(wanted))

        def same():
            counts = [replicas_of(api, namespace, name) for name in ("ours", "theirs")]
            assert counts == [wanted, wanted], f"ours and theirs: {counts}, needed {wanted}"
            return True

        eventually(same, 150, 0.5, f"both twins at {wanted}")
        touch(api, namespace, "ours")
        assert same(), "ours has not stayed"


def backfill(namespace_uid_free_name: str, values: list[float], interval: int, end: int) -> dict:
    start = end - len(values) * interval
    moment = datetime.datetime.fromtimestamp(start, datetime.timezone.utc)
    now = datetime.datetime.now(datetime.timezone.utc)
    form = "%Y-%m-%dT%H:%M:%SZ"
    return {"apiVersion": "ai4k8s.io/v1alpha1", "kind": "PredictiveAutoscalerCheckpoint",
            "metadata": {"name": f"{namespace_uid_free_name}-backfill",
                         "labels": {"ai4k8s.io/part": "Backfill"}},
            "spec": {"autoscaler": {"name": namespace_uid_free_name}, "part": "Backfill",
                     "time": now.strftime(form),
                     "backfill": {"metric": "cpu", "startTime": moment.strftime(form),
                                  "intervalSeconds": interval},
                     "data": base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()}}


@pytest.mark.slow(90)
def test_scaled_up_before_the_load(api, namespace, operator, traffic):
    """A week at 210 times speed in which the load came every 2880 s: it is expected again."""
    interval, period, low, high = 10, 2880, 0.06, 0.5
    create_deployment(api, namespace, "web", 2)
    traffic.set_demand(namespace, "web", low)
    now = int(time.time()) // interval * interval
    ramp = now + 110  # when the load would come
    noise = random.Random(1)

    def usual(moment: float) -> float:
        into = (moment - ramp) % period
        wave = 1 + 0.25 * math.sin(2 * math.pi * into / 360)
        level = high if into < period * 0.4 else low * wave
        return level * (1 + 0.02 * noise.gauss(0, 1))

    values = [usual(now - (2016 - i) * interval) for i in range(2016)]
    item = autoscaler("web", "web", minimum=2, maximum=20)
    item["spec"]["prediction"].update(leadTimeSeconds=40, seasonality={
        "mode": "Fixed", "periodsSeconds": [period]})
    api.post(path(namespace), item)
    api.post(path(namespace, plural="predictiveautoscalercheckpoints"),
             backfill("web", values, interval, now))
    await_event(api, namespace, "web", "BackfillImported", 30)
    eventually(lambda: not api.exists(path(namespace, "web-backfill",
                                           "predictiveautoscalercheckpoints")), 20)
    await_condition(api, namespace, "web", "ForecastTrusted", "True", timeout=30)

    def raised():
        status = get(api, namespace, "web")["status"]
        proposals = status["replicaProposals"]
        assert proposals["predicted"] >= 5 > proposals["reactive"], status["lastDecision"]
        return status

    status = eventually(raised, ramp - time.time())
    assert time.time() < ramp, "not before the load"
    assert status["lastDecision"]["reason"] == "ForecastAboveCapacity"
    await_replicas(api, namespace, "web", status["desiredReplicas"])
    assert "forecast" in await_event(api, namespace, "web", "SuccessfulRescale")["note"]
    peak = status["forecast"]["peak"]
    assert peak["replicas"] >= 5 and status["forecast"]["periodSeconds"] == period


@pytest.mark.slow(35)
def test_a_target_deleted_and_recreated(api, namespace, operator, traffic):
    create_deployment(api, namespace, "web", 1)
    traffic.set_demand(namespace, "web", demand_for(3))
    create(api, namespace, "web", "web")
    await_replicas(api, namespace, "web", 3)
    api.delete(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    item = await_condition(api, namespace, "web", "AbleToScale", "False", "FailedGetScale")
    assert "does not exist" in condition(item, "AbleToScale")[2]
    assert condition(item, "Ready")[0] == "False"
    eventually(lambda: not api.list(f"/api/v1/namespaces/{namespace}/pods"), 30)
    create_deployment(api, namespace, "web", 1)
    await_replicas(api, namespace, "web", 3)
    await_condition(api, namespace, "web", "AbleToScale", "True")
    await_condition(api, namespace, "web", "Ready", "True")


@pytest.mark.slow(90)
def test_foreign_writes(control_plane, api, namespace, operator, traffic, audit_log):
    """One is adopted; two that undo ours make a conflict that names the writer."""
    create_deployment(api, namespace, "web", 1)
    traffic.set_demand(namespace, "web", demand_for(3))
    create(api, namespace, "web", "web")
    await_replicas(api, namespace, "web", 3)
    wait_ready(api, namespace, "web", 3)

    kubectl(control_plane, namespace, "scale", "deployment/web", "--replicas=5")
    await_replicas(api, namespace, "web", 3)  # that was up, and undid nothing
    assert condition(get(api, namespace, "web"), "Conflict")[0] == "False"
    eventually(lambda: get(api, namespace, "web")["status"]["currentReplicas"] == 3)

    kubectl(control_plane, namespace, "scale", "deployment/web", "--replicas=6")
    await_replicas(api, namespace, "web", 3)  # the first: it had lowered to 3
    kubectl(control_plane, namespace, "scale", "deployment/web", "--replicas=6")
    before = audit_log.end()
    await_condition(api, namespace, "web", "Conflict", "True", "ForeignWrites")
    eventually(lambda: "kubectl" in condition(get(api, namespace, "web"), "Conflict")[2], 30)
    assert await_event(api, namespace, "web", "ForeignWrites")["type"] == "Warning"
    # Status shows it at once only with news; a touch of the spec is that.
    eventually(lambda: touch(api, namespace, "web")["status"]["lastDecision"]["reason"]
               == "Contended", 60)
    assert replicas_of(api, namespace, "web") == 6 and not scale_writes(audit_log, before, namespace)
    traffic.set_demand(namespace, "web", 8 * PER_POD)
    eventually(lambda: replicas_of(api, namespace, "web") >= 8, 60)  # raising goes on


@pytest.mark.slow(40)
def test_a_statefulset(api, namespace, operator, traffic):
    body = deployment("db", 1)
    body["kind"] = "StatefulSet"
    body["spec"]["serviceName"] = "db"
    body["spec"]["podManagementPolicy"] = "Parallel"
    api.post(f"/apis/apps/v1/namespaces/{namespace}/statefulsets", body)
    wait_ready(api, namespace, "db", 1, "statefulsets")
    traffic.set_demand(namespace, "db", demand_for(4), "StatefulSet")
    create(api, namespace, "db", "db", kind="StatefulSet")
    await_replicas(api, namespace, "db", 4, kind="statefulsets")
    await_condition(api, namespace, "db", "Ready", "True")
    traffic.set_demand(namespace, "db", demand_for(2), "StatefulSet")
    await_replicas(api, namespace, "db", 2, kind="statefulsets")


def test_targets_that_cannot_be_scaled(api, namespace, operator):
    wrong = {
        "missing": ({"target": "nobody"}, "does not exist"),
        "kind": ({"target": "web", "kind": "Widget"}, "there is no kind Widget in apps/v1"),
        "group": ({"target": "web", "kind": "Widget", "api_version": "example.com/v1"},
                  "Widget"),
        "scaleless": ({"target": "web", "kind": "NetworkPolicy",
                       "api_version": "networking.k8s.io/v1"}, "no /scale subresource"),
        "forbidden": ({"target": "web", "kind": "ReplicaSet"}, "replicasets/scale"),
    }
    for name, (options, _) in wrong.items():
        create(api, namespace, name, **options)
    for name, (_, words) in wrong.items():
        item = await_condition(api, namespace, name, "AbleToScale", "False", "FailedGetScale")
        assert words in condition(item, "AbleToScale")[2], condition(item, "AbleToScale")
        ready = condition(item, "Ready")
        assert ready[0] == "False" and words in ready[2]
        told = await_event(api, namespace, name, "FailedGetScale")
        assert told["type"] == "Warning" and words in told["note"]
    # One that comes into being is found without anyone's help, and soon.
    create_deployment(api, namespace, "nobody", 1)
    await_condition(api, namespace, "missing", "AbleToScale", "True", timeout=10)


def test_an_hpa_on_the_same_target(api, namespace, operator, traffic, audit_log):
    create_deployment(api, namespace, "web", 1)
    hpas = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
    create(api, namespace, "web", "web", minimum=2)
    await_replicas(api, namespace, "web", 2)
    api.post(hpas, hpa("web", "web", minimum=1, maximum=4, utilization=50))
    item = await_condition(api, namespace, "web", "Conflict", "True", "ConflictingAutoscaler")
    assert "HorizontalPodAutoscaler web" in condition(item, "Conflict")[2]
    assert await_event(api, namespace, "web", "ConflictingAutoscaler")["type"] == "Warning"
    before = audit_log.end()
    api.patch(path(namespace, "web"), {"spec": {"minReplicas": 5}})
    for _ in range(2):
        touch(api, namespace, "web")
    assert not scale_writes(audit_log, before, namespace)
    api.delete(f"{hpas}/web")
    await_condition(api, namespace, "web", "Conflict", "False")
    await_event(api, namespace, "web", "ConflictResolved")
    await_replicas(api, namespace, "web", 5)


@pytest.mark.slow(60)
def test_nothing_is_written_without_a_change(api, namespace, operator, traffic, audit_log):
    """A target at rest costs no write: not of its scale, not of status, no event."""
    create_deployment(api, namespace, "web", 2)
    traffic.set_demand(namespace, "web", demand_for(2))
    create(api, namespace, "web", "web")
    item = await_condition(api, namespace, "web", "ScalingActive", "True", timeout=60)

    def settled():
        version = get(api, namespace, "web")["metadata"]["resourceVersion"]
        before, settled.version = getattr(settled, "version", ""), version
        return before == version

    def told_conditions():
        return [(c["type"], c["status"], c["reason"]) for c in get(api, namespace, "web")["status"]["conditions"]]

    eventually(settled, 60, 11)
    conditions = told_conditions()
    before = audit_log.end()
    told = len(events(api, namespace, "web"))
    holds(lambda: replicas_of(api, namespace, "web") == 2, 20)  # four syncs, two samples
    found = [(e["verb"], e["objectRef"]["resource"], e["objectRef"].get("subresource"))
             for e in audit_log.entries(before, verbs={"patch", "create", "update", "delete"},
                                        namespace=namespace)
             if "ai4k8s-operator" in e["user"]["username"]]
    if told_conditions() != conditions:  # on a busy machine the twelfth sample may fall into this time: a change
        assert set(found) == {("patch", "predictiveautoscalers", "status")} and len(found) == 1
    else:
        assert not found
        assert len(events(api, namespace, "web")) == told and item
