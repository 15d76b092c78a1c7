"""PredictiveAutoscalers for tests: making them, and reading what the operator says of them."""

from __future__ import annotations

import time
from typing import Any

from kubeapi import Client
from operator_process import USER
from support import AuditLog, eventually, replicas_of

JSON = dict[str, Any]
MUTATING = {"create", "update", "patch", "delete", "deletecollection"}
SCALE = {"deployments/scale", "statefulsets/scale"}


def path(namespace: str, name: str = "", plural: str = "predictiveautoscalers") -> str:
    return f"/apis/ai4k8s.io/v1alpha1/namespaces/{namespace}/{plural}" + f"/{name}" * bool(name)


def autoscaler(name: str, target: str, minimum: int = 1, maximum: int = 10, utilization: int = 50,
               kind: str = "Deployment", api_version: str = "apps/v1", down_window: int = 0,
               interval: int = 10, **spec: Any) -> JSON:
    """One that reacts fast: a sync in 5 s, a sample in 10 s, and it lowers at once."""
    return {"apiVersion": "ai4k8s.io/v1alpha1", "kind": "PredictiveAutoscaler",
            "metadata": {"name": name},
            "spec": {"scaleTargetRef": {"apiVersion": api_version, "kind": kind, "name": target},
                     "minReplicas": minimum, "maxReplicas": maximum, "syncPeriodSeconds": 5,
                     "metrics": [{"name": "cpu", "type": "Resource", "resource": {
                         "name": "cpu", "target": {"type": "Utilization",
                                                   "averageUtilization": utilization}}}],
                     "behavior": {"scaleDown": {"stabilizationWindowSeconds": down_window}},
                     "prediction": {"sampleIntervalSeconds": interval, "historySeconds": 20160,
                                    "horizonSeconds": 600, "leadTimeSeconds": 30},
                     **spec}}


def create(api: Client, namespace: str, name: str, target: str, **options: Any) -> JSON:
    return api.post(path(namespace), autoscaler(name, target, **options))


def get(api: Client, namespace: str, name: str) -> JSON:
    return api.get(path(namespace, name))


def condition(item: JSON, kind: str) -> tuple[str, str, str]:
    """Status, reason, message."""
    for entry in item.get("status", {}).get("conditions") or []:
        if entry["type"] == kind:
            return entry["status"], entry["reason"], entry["message"]
    return "", "", ""


def await_condition(api: Client, namespace: str, name: str, kind: str, status: str,
                    reason: str | None = None, timeout: float = 30) -> JSON:
    """Waits for it; returns the object."""
    def check() -> JSON:
        item = get(api, namespace, name)
        now = condition(item, kind)
        assert now[0] == status and reason in (None, now[1]), now
        return item

    return eventually(check, timeout, message=f"{kind}={status} {reason or ''} of {name}")


def await_replicas(api: Client, namespace: str, name: str, wanted: int, timeout: float = 130,
                   kind: str = "deployments") -> None:
    """A scale-down waits for room in the budget that all tests share: most of the time limit is that."""
    def check() -> bool:
        now = replicas_of(api, namespace, name, kind)
        assert now == wanted, f"{now} replicas"
        return True

    eventually(check, timeout, 0.5, f"{wanted} replicas of {name}")


def touch(api: Client, namespace: str, name: str, timeout: float = 30) -> JSON:
    """Changes something of no consequence; returns the object once the operator has taken it in."""
    seconds = get(api, namespace, name)["spec"]["prediction"].get("minHistorySeconds", 0) + 1
    changed = api.patch(path(namespace, name),
                        {"spec": {"prediction": {"minHistorySeconds": seconds}}})
    return await_generation(api, namespace, name, changed["metadata"]["generation"], timeout)


def await_generation(api: Client, namespace: str, name: str, generation: int, timeout: float = 30
                     ) -> JSON:
    def check() -> JSON:
        item = get(api, namespace, name)
        seen = item.get("status", {}).get("observedGeneration", 0)
        assert seen >= generation, f"observedGeneration {seen}"
        return item

    return eventually(check, timeout, message=f"{name} to be observed")


def events(api: Client, namespace: str, regarding: str, reason: str | None = None) -> list[JSON]:
    return [event for event in api.list(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
            if event["regarding"]["name"] == regarding
            and event.get("reportingController") == "ai4k8s.io/operator"
            and reason in (None, event["reason"])]


def await_event(api: Client, namespace: str, regarding: str, reason: str, timeout: float = 20
                ) -> JSON:
    return eventually(lambda: events(api, namespace, regarding, reason), timeout,
                      message=f"event {reason} of {regarding}")[0]


def writes(log: AuditLog, since: int, namespace: str | None = None, resource: str | None = None
           ) -> list[JSON]:
    """What the operator changed, leases apart."""
    return [entry for entry in log.entries(since, USER, MUTATING, resource, namespace)
            if entry["objectRef"]["resource"] != "leases"]


def scale_writes(log: AuditLog, since: int, namespace: str) -> list[JSON]:
    return [entry for resource in SCALE for entry in writes(log, since, namespace, resource)]


def holds(check, seconds: float, interval: float = 0.5) -> None:
    """The opposite of eventually(): check() stays true for that long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert check()
        time.sleep(interval)
