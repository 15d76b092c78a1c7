"""The objects a control plane starts with: rights, nodes, the metrics API."""

from __future__ import annotations

from typing import Any

from kubeapi import ApiError, Client

RBAC = "rbac.authorization.k8s.io"
READ = ["get", "list", "watch"]


def _cluster_role(name: str, rules: list[dict], labels: dict[str, str] | None = None) -> dict:
    return {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole",
            "metadata": {"name": name, "labels": labels or {}}, "rules": rules}


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _binding(kind: str, name: str, role_kind: str, role: str, user: str,
             namespace: str | None = None) -> dict:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}]}


def for_kwok() -> list[dict]:
    role = _cluster_role("system:kwok", [
        _rule("", ["events"], [*READ, "create", "patch", "update", "delete"]),
        _rule("", ["nodes"], READ),
        _rule("", ["nodes/status", "pods/status"], ["patch", "update"]),
        _rule("", ["pods"], [*READ, "patch", "update", "delete"]),
        _rule("coordination.k8s.io", ["leases"], [*READ, "create", "patch", "update"]),
        _rule("kwok.x-k8s.io", ["*"], [*READ, "create", "patch", "update", "delete"]),
    ])
    return [role, _binding("ClusterRoleBinding", "system:kwok", "ClusterRole", "system:kwok",
                           "system:kwok")]


def for_metrics_server(port: int) -> list[dict]:
    """Its rights, and the metrics API served from the loopback port: a Service of type
    ExternalName stands in for the pod network that is not there."""
    user = "system:metrics-server"
    aggregate = {f"{RBAC}/aggregate-to-{role}": "true"
                 for role in ("view", "edit", "admin")}
    return [
        _cluster_role("system:aggregated-metrics-reader",
                      [_rule("metrics.k8s.io", ["pods", "nodes"], READ)], aggregate),
        _cluster_role(user, [_rule("", ["nodes/metrics"], ["get"]),
                             _rule("", ["pods", "nodes"], READ)]),
        _binding("ClusterRoleBinding", user, "ClusterRole", user, user),
        _binding("ClusterRoleBinding", "metrics-server:system:auth-delegator", "ClusterRole",
                 "system:auth-delegator", user),
        _binding("RoleBinding", "metrics-server-auth-reader", "Role",
                 "extension-apiserver-authentication-reader", user, "kube-system"),
        {"apiVersion": "v1", "kind": "Service",
         "metadata": {"name": "metrics-server", "namespace": "kube-system"},
         "spec": {"type": "ExternalName", "externalName": "localhost",
                  "ports": [{"port": port}]}},
        {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
         "metadata": {"name": "v1beta1.metrics.k8s.io"},
         "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100,
                  "versionPriority": 100, "insecureSkipTLSVerify": True,
                  "service": {"name": "metrics-server", "namespace": "kube-system",
                              "port": port}}},
    ]


def node(name: str, cpu: str, memory: str, pods: str) -> dict:
    size = {"cpu": cpu, "memory": memory, "pods": pods}
    return {"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name,
                         "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
                                    "kubernetes.io/arch": "amd64", "type": "kwok",
                                    "node-role.kubernetes.io/worker": ""},
                         "annotations": {
                             "kwok.x-k8s.io/node": "fake",
                             "metrics.k8s.io/resource-metrics-path":
                                 f"/metrics/nodes/{name}/metrics/resource"}},
            "status": {"capacity": size, "allocatable": size}}


_COLLECTIONS = {
    "ClusterRole": f"/apis/{RBAC}/v1/clusterroles",
    "ClusterRoleBinding": f"/apis/{RBAC}/v1/clusterrolebindings",
    "RoleBinding": f"/apis/{RBAC}/v1/namespaces/{{namespace}}/rolebindings",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "APIService": "/apis/apiregistration.k8s.io/v1/apiservices",
    "Node": "/api/v1/nodes",
}


def create(api: Client, items: list[dict[str, Any]]) -> None:
    """Creates the objects; one that is there already is left as it is."""
    for item in items:
        path = _COLLECTIONS[item["kind"]].format(namespace=item["metadata"].get("namespace"))
        try:
            api.post(path, item)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
