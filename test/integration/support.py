"""What integration tests share besides fixtures: objects, waiting, the audit log."""

from __future__ import annotations

import json
import math
from typing import Any

from kubeapi import Client, eventually

__all__ = ["AuditLog", "cpu_of", "create_deployment", "create_hpa", "deployment", "eventually",
           "hpa", "replicas_of", "service_account_user", "wait_ready"]

JSON = dict[str, Any]


def service_account_user(namespace: str, name: str) -> str:
    """The user name that the API server, and hence the audit log, knows it by."""
    return f"system:serviceaccount:{namespace}:{name}"


class AuditLog:
    """What people and service accounts asked the API server for, from the audit log.

        log = AuditLog(control_plane.audit_log)
        position = log.end()
        ...
        writes = log.entries(since=position, user=service_account_user(ns, "operator"),
                             verbs={"create", "update", "patch", "delete"})

    An entry is the API server's audit event: .["verb"], .["user"]["username"],
    .["objectRef"], .["responseStatus"]["code"], .["requestReceivedTimestamp"]. The server
    writes it before it answers, so a request that has been answered is in the log.
    """

    def __init__(self, path: str):
        self.path = path

    def end(self) -> int:
        """Now, as a position for `since`."""
        with open(self.path, "rb") as file:
            return file.seek(0, 2)

    def entries(self, since: int = 0, user: str | None = None, verbs: set[str] | None = None,
                resource: str | None = None, namespace: str | None = None,
                group: str | None = None, stage: str | None = "ResponseComplete"
                ) -> list[JSON]:
        """The entries that match.

        resource is "pods" or "deployments/scale"; group tells pods ("") from the pods of
        "metrics.k8s.io".
        A watch has its ResponseComplete only when it ends: ask for the stage
        "ResponseStarted" to see it begin, or None for both.
        """
        found = []
        with open(self.path, "rb") as file:
            file.seek(since)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # being written
                entry = json.loads(line)
                reference = entry.get("objectRef") or {}
                name = "/".join(filter(None, (reference.get("resource"),
                                              reference.get("subresource"))))
                if ((user is None or entry["user"].get("username") == user)
                        and (verbs is None or entry["verb"] in verbs)
                        and (resource is None or name == resource)
                        and (namespace is None or reference.get("namespace") == namespace)
                        and (group is None or reference.get("apiGroup", "") == group)
                        and (stage is None or entry["stage"] == stage)):
                    found.append(entry)
        return found


def deployment(name: str, replicas: int = 1, cpu_request: str = "100m",
               cpu_limit: str | None = None, annotations: dict[str, str] | None = None,
               pod_annotations: dict[str, str] | None = None) -> JSON:
    labels = {"app": name}
    resources: JSON = {"requests": {"cpu": cpu_request, "memory": "64Mi"}}
    if cpu_limit:
        resources["limits"] = {"cpu": cpu_limit}
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels,
                                               "annotations": pod_annotations or {}},
                                  "spec": {"containers": [{"name": "main", "image": "none",
                                                           "resources": resources}]}}}}


def create_deployment(api: Client, namespace: str, name: str, replicas: int = 1,
                      **options: Any) -> JSON:
    """Creates it and waits until its pods are Ready. Options are those of deployment()."""
    item = api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments",
                    deployment(name, replicas, **options))
    wait_ready(api, namespace, name, replicas)
    return item


def wait_ready(api: Client, namespace: str, name: str, replicas: int, kind: str = "deployments",
               timeout: float = 60) -> None:
    def ready() -> bool:
        status = api.get(f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name}")["status"]
        return status.get("readyReplicas", 0) == replicas == status.get("replicas", 0)

    eventually(ready, timeout, message=f"{replicas} ready pods of {namespace}/{name}")


def replicas_of(api: Client, namespace: str, name: str, kind: str = "deployments") -> int:
    return api.get(f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name}/scale"
                   )["spec"].get("replicas", 0)


def hpa(name: str, target: str, minimum: int = 1, maximum: int = 10, utilization: int = 50,
        kind: str = "Deployment") -> JSON:
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": target},
                     "minReplicas": minimum, "maxReplicas": maximum,
                     "metrics": [{"type": "Resource", "resource": {
                         "name": "cpu", "target": {"type": "Utilization",
                                                   "averageUtilization": utilization}}}]}}


def create_hpa(api: Client, namespace: str, name: str, target: str, **options: Any) -> JSON:
    return api.post(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
                    hpa(name, target, **options))


def cpu_of(api: Client, namespace: str, selector: str = "") -> dict[str, float]:
    """Pod name -> cores, as the metrics API has it now."""
    from traffic import cores

    pods = api.list(f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods",
                    labelSelector=selector or None)
    return {pod["metadata"]["name"]: math.fsum(cores(c["usage"]["cpu"])
                                               for c in pod["containers"]) for pod in pods}
