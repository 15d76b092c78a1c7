"""Usage of many pods: an answer that is larger than one buffer arrives whole, at every sync."""

from __future__ import annotations

from autoscalers import await_condition, create, get, touch
from support import create_deployment, eventually

PODS = 25  # their usage is about 11 KiB of JSON


def test_usage_of_many_pods_arrives(api, namespace, operator, traffic):
    create_deployment(api, namespace, "web", PODS)
    traffic.set_demand(namespace, "web", PODS * 0.05)
    create(api, namespace, "web", "web", minimum=PODS, maximum=PODS + 5, utilization=50)
    await_condition(api, namespace, "web", "ScalingActive", "True", timeout=90)

    def all_counted():
        touch(api, namespace, "web")  # a status is written at once only when something has changed
        return get(api, namespace, "web")["status"]["lastDecision"]["podsReady"] == PODS

    # several looks: also on a connection that has been used
    for _ in range(3):
        eventually(all_counted, 60, interval=5)
    status = get(api, namespace, "web")["status"]
    assert status["currentMetrics"][0]["state"] == "Normal"
    assert status["lastDecision"]["podsMissingMetrics"] == 0
