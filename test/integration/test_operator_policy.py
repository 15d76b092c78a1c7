"""What raises and holds counts beside metrics and forecasts: schedules, fallbacks, the metrics of one
container, and the budget that bounds how many targets shrink within a minute."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from autoscalers import (autoscaler, await_condition, await_event, await_replicas, condition, create,
                         get, holds, path, scale_writes, touch)
from support import AuditLog, create_deployment, deployment, eventually, hpa, replicas_of, wait_ready
from traffic import USAGES, Traffic

PER_POD = 0.05  # cores that a pod of 100m is to use at 50 %
ZONE = "Asia/Kathmandu"  # 5:45 east of UTC: no other zone would do


def cron(moment: datetime) -> str:
    local = moment.astimezone(ZoneInfo(ZONE))
    return f"{local.minute} {local.hour} * * *"


def stages(item) -> dict[str, int]:
    return {stage["name"]: stage["replicas"] for stage in item["status"]["lastDecision"]["stages"]}


@pytest.mark.slow(60)
def test_a_schedule_raises_the_minimum_while_it_is_open(api, namespace, operator, traffic):
    """Opened before it was made, closed while we look; and one that can't be understood beside it."""
    create_deployment(api, namespace, "web", 1)
    traffic.set_demand(namespace, "web", 0.7 * PER_POD)
    now = datetime.now(UTC)
    closes = (now + timedelta(seconds=100)).replace(second=0, microsecond=0)
    create(api, namespace, "web", "web", schedules=[
        {"name": "rush", "timeZone": ZONE, "start": cron(now - timedelta(minutes=1)), "end": cron(closes),
         "minReplicas": 4},
        {"name": "never", "timeZone": "Mars/Base", "start": "0 8 * * *", "end": "0 9 * * *", "minReplicas": 9}])
    await_replicas(api, namespace, "web", 4, 30)
    item = await_condition(api, namespace, "web", "ScalingLimited", "True", "TooFewReplicas", 60)
    assert datetime.now(UTC) < closes, "too slow to see it open"
    assert item["status"]["replicaProposals"]["scheduled"] == 4
    assert stages(item)["Scheduled"] == 4
    assert "Scheduled" in item["status"]["lastDecision"]["limits"]
    assert "schedule rush" in item["status"]["lastDecision"]["message"]
    assert "schedule rush" in await_event(api, namespace, "web", "SuccessfulRescale")["note"]
    status, reason, message = condition(item, "Ready")
    assert (status, reason) == ("False", "InvalidSchedule") and "never" in message and "Mars/Base" in message
    holds(lambda: datetime.now(UTC) >= closes or replicas_of(api, namespace, "web") == 4,
          max(0.0, (closes - datetime.now(UTC)).total_seconds()))
    await_replicas(api, namespace, "web", 1)
    api.patch(path(namespace, "web"), {"spec": {"schedules": []}})
    item = await_condition(api, namespace, "web", "Ready", "True")
    assert item["status"]["replicaProposals"].get("scheduled", 0) == 0


def use(api, namespace: str, cores: float, memory: str = "64Mi") -> None:
    """What each pod uses. metrics-server gives no sample of one without memory."""
    for pod in api.list(f"/api/v1/namespaces/{namespace}/pods"):
        name = pod["metadata"]["name"]
        usage = {"cpu": {"value": f"{round(cores * 1e6)}u"}, "memory": {"value": memory}}
        body = {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ResourceUsage", "metadata": {"name": name},
                "spec": {"usages": [{"usage": usage}]}}
        one = f"{USAGES.format(namespace)}/{name}"
        if api.exists(one):
            api.patch(one, body)
        else:
            api.post(USAGES.format(namespace), body)


@pytest.mark.slow(60)
def test_the_fallback_of_a_metric_that_is_gone(api, namespace, operator):
    create_deployment(api, namespace, "web", 2, pod_annotations={"kwok.x-k8s.io/usage-memory": "0"})
    use(api, namespace, PER_POD)
    item = autoscaler("web", "web", minimum=2)
    item["spec"]["metrics"][0]["fallback"] = {"failureDurationSeconds": 15, "replicas": 5}
    api.post(path(namespace), item)
    item = await_condition(api, namespace, "web", "ScalingActive", "True", "ValidMetricFound", 60)
    assert condition(item, "FallbackActive")[:2] == ("False", "MetricsAvailable")

    use(api, namespace, PER_POD, memory="0")
    item = await_condition(api, namespace, "web", "FallbackActive", "True", "MetricUnavailable", 150)
    assert "its fallback is 5" in condition(item, "FallbackActive")[2]
    await_replicas(api, namespace, "web", 5)
    assert await_event(api, namespace, "web", "FallbackActive")["type"] == "Warning"
    item = touch(api, namespace, "web")
    assert item["status"]["currentMetrics"][0]["state"] == "Fallback"
    assert stages(item)["Fallback"] == 5

    wait_ready(api, namespace, "web", 5)
    use(api, namespace, 0.2 * PER_POD)
    await_condition(api, namespace, "web", "FallbackActive", "False", "MetricsAvailable", 60)
    await_event(api, namespace, "web", "FallbackEnded")
    await_replicas(api, namespace, "web", 2)


def create_pair(api, namespace: str, name: str) -> None:
    """Pods of two containers; all the traffic is on the second one."""
    body = deployment(name, 1, pod_annotations={"kubectl.kubernetes.io/default-container": "proxy"})
    containers = body["spec"]["template"]["spec"]["containers"]
    containers.append({**containers[0], "name": "proxy"})
    api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", body)
    wait_ready(api, namespace, name, 1)


def of_container(container: str) -> list:
    return [{"name": "cpu", "type": "ContainerResource", "containerResource": {
        "name": "cpu", "container": container,
        "target": {"type": "Utilization", "averageUtilization": 50}}}]


@pytest.mark.slow(40)
def test_the_metric_of_one_container(api, namespace, operator, traffic):
    """Beside an HPA with the same metric."""
    for name in ("ours", "theirs"):
        create_pair(api, namespace, name)
        traffic.set_demand(namespace, name, 2.7 * PER_POD)
    item = autoscaler("ours", "ours")
    item["spec"]["metrics"] = of_container("main")
    api.post(path(namespace), item)
    await_condition(api, namespace, "ours", "ScalingActive", "True", "ValidMetricFound", 60)
    touch(api, namespace, "ours")
    assert replicas_of(api, namespace, "ours") == 1, "the load of the other container counted"

    api.patch(path(namespace, "ours"), {"spec": {"metrics": of_container("proxy")}})
    body = hpa("theirs", "theirs")
    body["spec"]["metrics"] = [{key: value for key, value in of_container("proxy")[0].items() if key != "name"}]
    api.post(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers", body)
    for name in ("ours", "theirs"):
        await_replicas(api, namespace, name, 3)
    current = touch(api, namespace, "ours")["status"]["currentMetrics"][0]
    assert current["type"] == "ContainerResource" and current["containerResource"]["container"] == "proxy"

    api.patch(path(namespace, "ours"), {"spec": {"metrics": of_container("nobody")}})
    item = await_condition(api, namespace, "ours", "ScalingActive", "False",
                           "FailedGetContainerResourceMetric", 60)
    assert "container nobody not present in metrics" in condition(item, "ScalingActive")[2]
    assert replicas_of(api, namespace, "ours") == 3


@pytest.mark.slow(150)
def test_few_targets_shrink_within_a_minute(make_control_plane, make_operator):
    """Seven that are idle at once: none in the first minute of an operator, then five, then the others;
    one that has to grow does not wait."""
    plane = make_control_plane()
    api, log = plane.client, AuditLog(plane.audit_log)
    idle = [f"idle-{i}" for i in range(7)]
    with Traffic(api, tick=1.0) as traffic:
        for name in [*idle, "busy"]:
            api.post("/apis/apps/v1/namespaces/default/deployments", deployment(name, 2))
            traffic.set_demand("default", name, (3.7 if name == "busy" else 0.7) * PER_POD)
        for name in [*idle, "busy"]:
            wait_ready(api, "default", name, 2)
        operator = make_operator(plane)
        operator.install()
        for name in [*idle, "busy"]:
            create(api, "default", name, name)
        started = time.time()
        operator.start()
        await_replicas(api, "default", "busy", 4, 55)

        def waits():
            item = get(api, "default", "idle-0")
            decision = item["status"]["lastDecision"]
            assert "GlobalShrinkBudget" in decision["limits"], decision
            return decision

        assert eventually(waits, 45)["message"].startswith("Waiting to scale down 2 -> 1")
        for name in idle:
            await_replicas(api, "default", name, 1, 180)

    found = {}
    for entry in scale_writes(log, 0, "default"):
        moment = datetime.fromisoformat(entry["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()
        found.setdefault(entry["objectRef"]["name"], []).append(moment)
    assert len(found.pop("busy")) >= 1
    assert sorted(found) == idle and all(len(moments) == 1 for moments in found.values())
    lowered = sorted(moment for (moment,) in found.values())
    assert lowered[0] - started >= 60, "lowered within the first minute"
    for i in range(len(lowered) - 5):
        assert lowered[i + 5] - lowered[i] >= 59, "more than five within a minute"
