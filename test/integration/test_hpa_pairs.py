"""Twenty pairs of twins on a real control plane: one under the HPA of kube-controller-manager, one under ours with
nothing forecast, both with the same spec and the same traffic. After every step of the demand both end at the same
count, the one that the spec and the demand come to, and stay there."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from autoscalers import JSON, autoscaler, condition, holds, path
from support import deployment, eventually, wait_ready
from traffic import Traffic

PAIRS_AT_ONCE = 8
EVERYWHERE = "/apis/ai4k8s.io/v1alpha1/predictiveautoscalers"
SIZES = (3, 5, 2, 1)
CALM = {"stabilizationWindowSeconds": 15}  # longer than a sample takes to show the last change


def cpu(utilization: int) -> JSON:
    return {"type": "Utilization", "averageUtilization": utilization}


def value(quantity: str) -> JSON:
    return {"type": "AverageValue", "averageValue": quantity}


def policy(kind: str, number: int, period: int) -> JSON:
    return {"type": kind, "value": number, "periodSeconds": period}


@dataclass
class Pair:
    """What both twins are told, and the counts that the demands of the steps come to."""

    name: str
    target: JSON = field(default_factory=lambda: cpu(50))
    per_pod: float = 0.05           # cores at the target; a pod requests 0.1
    up: JSON | None = None
    down: JSON | None = field(default_factory=lambda: dict(CALM))
    minimum: int = 1
    maximum: int = 10
    memory: JSON | None = None      # the target of a second metric; each pod uses half of its 64Mi
    only_memory: bool = False
    asked: tuple[int, ...] = SIZES  # what the load alone needs
    wanted: tuple[int, ...] = ()    # where the spec lets it end, if elsewhere
    behavior: bool = True

    def demand(self, step: int) -> float:
        """A load that exactly so many pods fit, far enough from one more and one fewer."""
        return (self.asked[step] - 0.3) * self.per_pod

    def count(self, step: int) -> int:
        return (self.wanted or self.asked)[step]

    def metrics(self) -> list[JSON]:
        found = [] if self.only_memory else [("cpu", self.target)]
        found += [("memory", self.memory)] if self.memory else []
        return [{"type": "Resource", "resource": {"name": name, "target": target}} for name, target in found]

    def rules(self) -> JSON:
        if not self.behavior:
            return {}
        rules = {"scaleUp": self.up, "scaleDown": self.down}
        return {"behavior": {name: rule for name, rule in rules.items() if rule}}

    def bounds(self) -> JSON:
        return {"minReplicas": self.minimum, "maxReplicas": self.maximum}

    def hpa(self) -> JSON:
        return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "theirs"},
                "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs"},
                         **self.bounds(), **self.rules(), "metrics": self.metrics()}}

    def ours(self) -> JSON:
        item = autoscaler("ours", "ours")
        del item["spec"]["behavior"]
        item["spec"].update(**self.bounds(), **self.rules(), metrics=[
            {"name": metric["resource"]["name"], "forecast": False, **metric} for metric in self.metrics()])
        return item


PAIRS = [
    Pair("plain"),
    Pair("low-target", cpu(20), 0.02),
    Pair("high-target", cpu(90), 0.09),
    Pair("above-request", cpu(150), 0.15),
    Pair("average-value", value("40m"), 0.04),
    Pair("large-value", value("1"), 1.0),
    Pair("bounded-above", maximum=4, wanted=(3, 4, 2, 1)),
    Pair("bounded-below", minimum=3, wanted=(3, 5, 3, 3)),
    Pair("no-behavior", behavior=False, maximum=4, asked=(4, 6, 2, 1), wanted=(4, 4, 4, 4)),
    Pair("never-down", down={"selectPolicy": "Disabled"}, maximum=4, asked=(4, 6, 2, 1), wanted=(4, 4, 4, 4)),
    Pair("never-up", up={"selectPolicy": "Disabled"}, wanted=(1, 1, 1, 1)),
    Pair("pods-up", up={"policies": [policy("Pods", 1, 5)]}),
    Pair("percent-up", up={"policies": [policy("Percent", 50, 5)]}),
    Pair("smaller-of-two", up={"selectPolicy": "Min", "policies": [policy("Pods", 2, 10), policy("Percent", 100, 5)]}),
    Pair("pods-down", down={**CALM, "policies": [policy("Pods", 1, 5)]}),
    Pair("percent-down", down={**CALM, "policies": [policy("Percent", 40, 5)]}),
    Pair("slow-up", up={"stabilizationWindowSeconds": 10}),
    Pair("tolerant", up={"tolerance": "0.3"}, down={**CALM, "tolerance": "0.3"}, asked=(3, 1, 3, 1)),
    Pair("with-memory", memory=cpu(100)),
    Pair("memory-alone", memory=cpu(25), only_memory=True, maximum=4, wanted=(4, 4, 4, 4)),
]


@pytest.mark.slow(210)
def test_twenty_pairs(make_control_plane, make_operator):
    assert len(PAIRS) == 20 == len({pair.name for pair in PAIRS})
    plane = make_control_plane(hpa_sync_period="5s")
    make_operator(plane, shrinksPerMinute=1000).start()
    api = plane.client
    space = {pair.name: f"{pair.name}-{uuid.uuid4().hex[:6]}" for pair in PAIRS}

    def set_up(pair: Pair) -> None:
        namespace = space[pair.name]
        api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        eventually(lambda: api.exists(f"/api/v1/namespaces/{namespace}/serviceaccounts/default"), 30)
        for name in ("ours", "theirs"):
            api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment(
                name, pair.minimum, pod_annotations={"kwok.x-k8s.io/usage-memory": "32Mi"}))
        for name in ("ours", "theirs"):
            wait_ready(api, namespace, name, pair.minimum)
        api.post(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers", pair.hpa())
        api.post(path(namespace), pair.ours())

    def wrong(step: int) -> list[str]:
        count = {(item["metadata"]["namespace"], item["metadata"]["name"]): item["spec"]["replicas"]
                 for item in api.list("/apis/apps/v1/deployments")}
        found = []
        for pair in PAIRS:
            ours, theirs = (count[space[pair.name], name] for name in ("ours", "theirs"))
            if {ours, theirs} != {pair.count(step)}:
                found.append(f"{pair.name}: ours {ours}, theirs {theirs}, wanted {pair.count(step)}")
        return found

    with ThreadPoolExecutor(PAIRS_AT_ONCE) as pool:
        list(pool.map(set_up, PAIRS))
    with Traffic(api, tick=1.0) as traffic:
        for step in range(len(SIZES)):
            for pair in PAIRS:
                for name in ("ours", "theirs"):
                    traffic.set_demand(space[pair.name], name, pair.demand(step))

            def settled() -> bool:
                found = wrong(step)
                assert not found, f"step {step + 1}: {found}"
                return True

            if step == 0:  # without a sample everything is as it should be
                eventually(lambda: all(condition(item, "ScalingActive")[0] == "True"
                                       for item in api.list(EVERYWHERE)), 90, 1)
            eventually(settled, 90, 1)
            holds(settled, 8, 2)
