"""What breaks around the operator, and the operator itself: nothing is lowered, nothing written
that need not be, and it goes on by itself."""

from __future__ import annotations

import base64
import math
import signal
import time
from datetime import UTC, datetime

import pytest

from autoscalers import (MUTATING, await_condition, await_event, await_replicas, condition, create,
                         events, get, holds, path, scale_writes, touch, writes)
from operator_process import LEASE, NAMESPACE, USER
from support import AuditLog, create_deployment, eventually, replicas_of
from traffic import Traffic, cores

LEASE_PATH = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{LEASE}"
PER_POD = 0.05
GAP_S = 60  # six samples


@pytest.fixture
def log(plane):
    return AuditLog(plane.audit_log)


def web(plane, load, replicas=3, start=3, **options):
    """An autoscaler in namespace default with the load for that many; it may begin with fewer."""
    create_deployment(plane.client, "default", "web", start)
    load.set_demand("default", "web", (replicas - 0.3) * PER_POD)
    create(plane.client, "default", "web", "web", **options)
    await_replicas(plane.client, "default", "web", replicas)
    await_condition(plane.client, "default", "web", "ScalingActive", "True", timeout=60)
    await_condition(plane.client, "default", "web", "Ready", "True")


@pytest.mark.slow(95)
def test_metrics_server_stopped(plane, load, log, make_operator):
    api = plane.client
    make_operator(plane).start()
    web(plane, load)
    before = log.end()
    plane.kill("metrics-server", signal.SIGKILL)
    load.set_demand("default", "web", 0.7 * PER_POD)
    item = await_condition(api, "default", "web", "ScalingActive", "False", timeout=60)
    status, reason, message = condition(item, "ScalingActive")
    assert reason == "FailedGetResourceMetric" and message
    told = await_event(api, "default", "web", "FailedGetResourceMetric")
    assert told["type"] == "Warning"
    for _ in range(3):
        touch(api, "default", "web")
    assert not scale_writes(log, before, "default")
    assert replicas_of(api, "default", "web") == 3
    assert len(events(api, "default", "web", "FailedGetResourceMetric")) == 1
    # Limits hold without any metric.
    api.patch(path("default", "web"), {"spec": {"minReplicas": 4}})
    await_replicas(api, "default", "web", 4)
    api.patch(path("default", "web"), {"spec": {"minReplicas": 1}})
    plane.start("metrics-server")
    await_condition(api, "default", "web", "ScalingActive", "True", timeout=60)
    await_replicas(api, "default", "web", 1)


@pytest.mark.slow(60)
def test_api_server_killed(plane, load, log, make_operator):
    api = plane.client
    operator = make_operator(plane).start()
    web(plane, load)
    renewed = api.get(LEASE_PATH)["spec"]
    plane.kill("kube-apiserver", signal.SIGKILL)
    before = log.end()
    plane.start("kube-apiserver")
    load.set_demand("default", "web", 4.7 * PER_POD)
    # Back within the lease's deadline (10 s) it goes on; after it, it has ended, and is started anew as by its Deployment.
    eventually(lambda: not operator.is_running() or api.get(LEASE_PATH)["spec"]["renewTime"] > renewed["renewTime"], 60)
    outlived = operator.is_running()
    if not outlived:
        assert operator.wait() == 1 and "not renewed within the deadline" in operator.log_tail()
        operator = make_operator(plane, "again").start()
    await_replicas(api, "default", "web", 5)
    assert operator.is_running(), operator.log_tail()
    lease = api.get(LEASE_PATH)["spec"]
    assert not outlived or lease["holderIdentity"] == renewed["holderIdentity"]
    assert not outlived or lease["leaseTransitions"] == renewed["leaseTransitions"]
    await_condition(api, "default", "web", "Ready", "True")
    assert len(scale_writes(log, before, "default")) <= 2


def samples_of(api, name="web"):
    """How many samples a forecast stands on, as its condition says."""
    message = condition(touch(api, "default", name), "ForecastReady")[2]
    return int(message.split(" from ")[1].split()[0])


@pytest.mark.slow(150)
def test_operator_killed_and_restarted(plane, load, log, make_operator):
    """What its last checkpoint held is there again, nothing is written for the restart, and the time
    without an operator is no data, not zero.

    A checkpoint is written every 10 s here, and every 10 minutes as shipped: so much may be lost.
    """
    api = plane.client
    first = make_operator(plane, "first", checkpointIntervalSeconds=10)
    first.start()
    web(plane, load)
    tail = path("default", "web-tail", "predictiveautoscalercheckpoints")
    eventually(lambda: samples_of(api) >= 3, 60, 2)
    known = samples_of(api)
    written = eventually(lambda: api.get(tail))["spec"]["time"]
    eventually(lambda: api.get(tail)["spec"]["time"] > written, 30)
    assert base64.b64decode(api.get(tail)["spec"]["data"])
    known = samples_of(api)
    first.kill()
    killed = time.monotonic()
    settled = get(api, "default", "web")
    before = log.end()
    time.sleep(GAP_S)
    second = make_operator(plane, "second", checkpointIntervalSeconds=600).start()
    restored = eventually(lambda: [r for r in second.records()
                                   if r.get("msg") in ("history restored", "history starts anew")])
    assert restored[0]["msg"] == "history restored", restored
    back = time.monotonic()
    # The checkpoint may lack the last 10 s; a zero for each of the slots that were missed would be
    # GAP_S / 10 samples more. One more is that of the slot in which it was killed.
    samples = samples_of(api)
    slots_since = (time.monotonic() - killed) / 10
    slots_back = math.ceil((time.monotonic() - back) / 10) + 1
    assert known - 1 <= samples <= known + slots_back + 1 < known + slots_since, \
        (known, samples, slots_back, slots_since)
    # Nor does the forecast know of an hour of rest.
    points = get(api, "default", "web")["status"]["forecast"]["hourly"]
    assert all(cores(point["value"]) > 1.5 * PER_POD for point in points), points
    now = get(api, "default", "web")
    assert not scale_writes(log, before, "default")
    assert not writes(log, before, "default", "events"), "a restart is no transition"
    changed = [c["type"] for c, was in zip(now["status"]["conditions"],
                                           settled["status"]["conditions"], strict=True)
               if c["status"] != was["status"] or
               c["lastTransitionTime"] != was["lastTransitionTime"]]
    assert not changed
    # One status for the touch of the spec, no more.
    assert len(writes(log, before, "default", "predictiveautoscalers/status")) <= 2


@pytest.mark.slow(75)
def test_two_operators(plane, load, log, make_operator):
    """One writes. Frozen, it is followed by the other; woken, it writes nothing and ends."""
    api = plane.client
    leader = make_operator(plane, "leader").start()
    standby = make_operator(plane, "standby").start(leads=False)
    web(plane, load)
    holder = api.get(LEASE_PATH)["spec"]["holderIdentity"]
    assert not standby.leads()
    leader.send(signal.SIGSTOP)
    frozen = log.end()
    load.set_demand("default", "web", 4.7 * PER_POD)
    await_replicas(api, "default", "web", 5, 60)
    assert standby.leads()
    after = api.get(LEASE_PATH)["spec"]
    assert after["holderIdentity"] != holder
    # Only one is awake: every write that the server receives from here on is the woken one's.
    standby.send(signal.SIGSTOP)
    time.sleep(1)  # what the standby had sent is received
    asleep = datetime.now(UTC).isoformat(timespec="microseconds")
    leader.send(signal.SIGCONT)
    assert leader.wait(15) == 1, "it should end with status 1"
    woken = [e for e in log.entries(frozen, USER, MUTATING) if e["requestReceivedTimestamp"] > asleep]
    assert not woken, f"the woken one has written: {woken}"
    standby.send(signal.SIGCONT)
    assert log.entries(frozen, USER, MUTATING)
    leader.assert_clean()
    # The other goes on, or, frozen for too long itself, ends for the same reason.
    eventually(lambda: standby.status is None and standby.is_running(), 5)


@pytest.mark.slow(70)
def test_a_right_is_missing(plane, load, log, make_operator):
    """StatefulSets can't be scaled: they say so, Deployments go on."""
    api = plane.client
    operator = make_operator(plane)
    operator.install()
    role = api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/ai4k8s-operator-base")
    rules = []
    for rule in role["rules"]:
        if "statefulsets/scale" in rule["resources"]:
            rules += [{**rule, "resources": ["deployments/scale"]},
                      {**rule, "resources": ["statefulsets/scale"], "verbs": ["get"]}]
        else:
            rules.append(rule)
    api.patch("/apis/rbac.authorization.k8s.io/v1/clusterroles/ai4k8s-operator-base",
              {"rules": rules})
    aggregated = "/apis/rbac.authorization.k8s.io/v1/clusterroles/ai4k8s-operator"
    eventually(lambda: not any("statefulsets/scale" in rule["resources"] and "patch" in
                               rule["verbs"] for rule in api.get(aggregated)["rules"]))
    operator.start()
    body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"replicas": 1, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
                     "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [
                         {"name": "main", "image": "none",
                          "resources": {"requests": {"cpu": "100m"}}}]}}}}
    api.post("/apis/apps/v1/namespaces/default/statefulsets", body)
    create(api, "default", "db", "db", kind="StatefulSet", minimum=2)
    web(plane, load, start=1)
    item = await_condition(api, "default", "db", "AbleToScale", "False", "FailedUpdateScale")
    message = condition(item, "AbleToScale")[2]
    assert "statefulsets/scale" in message and "patch" in message, message
    assert await_event(api, "default", "db", "FailedRescale")["type"] == "Warning"
    assert condition(item, "Ready")[0] == "False"
    await_condition(api, "default", "web", "Ready", "True")
    # Given back, it goes on by itself.
    api.patch("/apis/rbac.authorization.k8s.io/v1/clusterroles/ai4k8s-operator-base",
              {"rules": role["rules"]})
    await_replicas(api, "default", "db", 2, kind="statefulsets")
    await_condition(api, "default", "db", "AbleToScale", "True")
    holds(lambda: replicas_of(api, "default", "web") == 3, 2)
