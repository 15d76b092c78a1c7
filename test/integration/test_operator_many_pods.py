"""Usage of many pods: an answer that is larger than one buffer arrives whole, at every sync."""

from __future__ import annotations

from autoscalers import await_condition, create, get
from support import create_deployment, eventually

PODS = 25  # their usage is about 11 KiB of JSON


def test_usage_of_many_pods_arrives(api, namespace, operator, traffic):
    create_deployment(api, namespace, "web", PODS)
    traffic.set_demand(namespace, "web", PODS * 0.05)
    create(api, namespace, "web", "web", minimum=PODS, maximum=PODS + 5, utilization=50)
    item = await_condition(api, namespace, "web", "ScalingActive", "True", timeout=90)
    assert item["status"]["lastDecision"]["podsReady"] == PODS
    first = item["status"]["lastDecision"]["time"]
    # also later ones, on a connection that has been used
    api.patch(f"/apis/ai4k8s.io/v1alpha1/namespaces/{namespace}/predictiveautoscalers/web", {"spec": {"maxReplicas": PODS + 6}})
    eventually(lambda: get(api, namespace, "web")["status"]["lastDecision"]["time"] > first, 30)
    status = get(api, namespace, "web")["status"]
    assert status["currentMetrics"][0]["state"] == "Normal"
    assert status["lastDecision"]["podsMissingMetrics"] == 0
