"""The optional policy: who may not scale a workload may not have it scaled by an autoscaler."""

from __future__ import annotations

import os
import subprocess

import pytest

from autoscalers import autoscaler, await_condition, await_replicas, path, touch
from kubeapi import ApiError
from operator_process import ROOT, install
from support import create_deployment, eventually
from test_operator_objects import CONFIG, ENABLED, annotate, config

RBAC = "/apis/rbac.authorization.k8s.io/v1"
OWN = {"apiGroups": ["ai4k8s.io"], "resources": ["predictiveautoscalers"],
       "verbs": ["get", "create", "update", "patch", "delete"]}


def user(plane, name, *rules):
    """A client with the rights of a new service account: its own objects, and these rules."""
    api, home = plane.client, "default"
    api.post(f"/api/v1/namespaces/{home}/serviceaccounts", {"metadata": {"name": name}})
    api.post(f"{RBAC}/namespaces/{home}/roles",
             {"metadata": {"name": name}, "rules": [OWN, *rules]})
    api.post(f"{RBAC}/namespaces/{home}/rolebindings", {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": home}]})
    client = plane.client_for(name, home)
    eventually(lambda: client.exists(path(home, "nobody")) is False, 30, message="its rights")
    return client


def scale_of(*resources, verbs=("update",), group="apps", **more):
    return {"apiGroups": [group], "resources": [f"{r}/scale" for r in resources],
            "verbs": list(verbs), **more}


def refusal(action):
    with pytest.raises(ApiError) as caught:
        action()
    assert caught.value.status == 403, caught.value
    return str(caught.value)


@pytest.fixture
def plane(make_control_plane):
    plane = make_control_plane()
    install(plane)
    done = subprocess.run(["kubectl", "apply", "-k", str(ROOT / "manifests/base/scale-right")],
                          env={**os.environ, **plane.environment(), "HOME": plane.directory},
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    stranger = user(plane, "stranger")

    def is_in_force():
        try:
            stranger.post(path("default"), autoscaler("probe", "probe"))
        except ApiError as error:
            return error.status == 403
        plane.client.delete(path("default", "probe"))
        return False

    eventually(is_in_force, 60, message="the policy to be in force")
    policy = plane.client.get("/apis/admissionregistration.k8s.io/v1/"
                              "validatingadmissionpolicies/ai4k8s-scale-right")
    assert not policy.get("status", {}).get("typeChecking", {}).get("expressionWarnings"), policy
    plane.stranger = stranger
    return plane


@pytest.mark.slow(45)
def test_a_scale_right_is_needed(plane, make_operator):
    api, stranger = plane.client, plane.stranger
    said = refusal(lambda: stranger.post(path("default"), autoscaler("web", "web")))
    assert ("who has Deployment web scaled needs the right to scale it: "
            "system:serviceaccount:default:stranger may neither update nor patch deployments/scale"
            " in API group apps in namespace default") in said
    # One who may, by either verb, for one name, and not for another or another kind.
    scaler = user(plane, "scaler", scale_of("deployments", resourceNames=["web"]))
    patcher = user(plane, "patcher", scale_of("deployments", verbs=["patch"]))
    reader = user(plane, "reader", scale_of("deployments", verbs=["get"]))
    scaler.post(path("default"), autoscaler("web", "web"))
    patcher.post(path("default"), autoscaler("other", "other"))
    refusal(lambda: scaler.post(path("default"), autoscaler("more", "other")))
    refusal(lambda: reader.post(path("default"), autoscaler("more", "web")))
    said = refusal(lambda: patcher.post(path("default"),
                                        autoscaler("db", "db", kind="StatefulSet")))
    assert "statefulsets/scale" in said
    # Other kinds: the plural is guessed.
    custom = user(plane, "custom", scale_of("foundries", "buses", group="example.com"))
    for kind in ("Foundry", "Bus"):
        custom.post(path("default"), autoscaler(kind.lower(), "x", kind=kind,
                                                api_version="example.com/v1"))
    core = user(plane, "core", scale_of("replicationcontrollers", group=""))
    core.post(path("default"), autoscaler("rc", "x", kind="ReplicationController",
                                          api_version="v1"))

    # Changes: what changes scaling is checked, the rest is not.
    web = path("default", "web")
    refusal(lambda: stranger.patch(web, {"spec": {"maxReplicas": 50}}))
    stranger.patch(web, {"metadata": {"labels": {"team": "a"}}})
    refusal(lambda: stranger.patch(web, {"metadata": {"annotations": {"ai4k8s.io/paused": "true"}}}))
    scaler.patch(web, {"metadata": {"annotations": {"ai4k8s.io/paused": "true"}}})
    refusal(lambda: stranger.patch(web, {"metadata": {"annotations": {"ai4k8s.io/paused": None}}}))
    scaler.patch(web, {"metadata": {"annotations": {"ai4k8s.io/paused": None}},
                       "spec": {"maxReplicas": 20}})
    stranger.delete(web)

    # The operator: its status, and the objects of annotated workloads.
    make_operator(plane, "leader").start()
    create_deployment(api, "default", "noted", 1)
    annotate(api, "default", "noted", **{ENABLED: "true", CONFIG: config(min=2, max=5)})
    await_replicas(api, "default", "noted", 2)
    annotate(api, "default", "noted", **{CONFIG: config(min=3, max=5)})
    await_replicas(api, "default", "noted", 3)
    await_condition(api, "default", "deployment-noted", "AbleToScale", "True")
    touch(api, "default", "other")
    annotate(api, "default", "noted", **{ENABLED: None})
    eventually(lambda: not api.exists(path("default", "deployment-noted")), 30)
    # Nor does it keep the garbage collector from its work.
    annotate(api, "default", "noted", **{ENABLED: "true"})
    eventually(lambda: api.exists(path("default", "deployment-noted")), 30)
    api.delete("/apis/apps/v1/namespaces/default/deployments/noted")
    eventually(lambda: not api.exists(path("default", "deployment-noted")), 60)
