"""Two Deployments with the same traffic: one under the built-in HPA, one under AI4K8s, and what is measured of both."""
from __future__ import annotations

import time
from dataclasses import dataclass, field

NAMESPACE = "demo"
CORES_PER_POD = 1.0   # limit and request: what a pod can serve; so large that one pod more is beyond both autoscalers' tolerance
TARGET_PERCENT = 70
MAX_REPLICAS = 60
SCALE_DOWN_WINDOW_S = 10
SYNC_S = 5
POD_START_S = 3
SLOT_S = 10           # 5 minutes of the trace
HPA, OURS = "web-hpa", "web-ai4k8s"


def deployment(name, replicas):
    labels = {"app": name}
    cpu = f"{round(CORES_PER_POD * 1000)}m"
    resources = {"requests": {"cpu": cpu, "memory": "64Mi"}, "limits": {"cpu": cpu}}
    pod = {"metadata": {"labels": labels, "annotations": {"pod-ready.stage.kwok.x-k8s.io/delay": f"{POD_START_S}s"}},
           "spec": {"terminationGracePeriodSeconds": 0,
                    "containers": [{"name": "web", "image": "web", "resources": resources}]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}}


def autoscaler_of_kubernetes(replicas):
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": TARGET_PERCENT}}}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": HPA, "namespace": NAMESPACE},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": HPA}, "minReplicas": 2,
                     "maxReplicas": MAX_REPLICAS, "metrics": [metric],
                     "behavior": {"scaleDown": {"stabilizationWindowSeconds": SCALE_DOWN_WINDOW_S}}}}


def autoscaler_of_ours(history_slots):
    return {"apiVersion": "ai4k8s.io/v1alpha1", "kind": "PredictiveAutoscaler", "metadata": {"name": OURS, "namespace": NAMESPACE},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": OURS}, "minReplicas": 2,
                     "maxReplicas": MAX_REPLICAS, "syncPeriodSeconds": SYNC_S,
                     "metrics": [{"name": "cpu", "type": "Resource",
                                  "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": TARGET_PERCENT}}}],
                     "behavior": {"scaleDown": {"stabilizationWindowSeconds": SCALE_DOWN_WINDOW_S}},
                     "prediction": {"sampleIntervalSeconds": SLOT_S, "historySeconds": history_slots * SLOT_S,
                                    "horizonSeconds": 72 * SLOT_S, "leadTimeSeconds": POD_START_S,
                                    "seasonality": {"mode": "Fixed", "periodsSeconds": [288 * SLOT_S]}}}}


@dataclass
class Tick:
    """One look at both twins. Times in seconds since the counted window began (negative: warm-up)."""
    at: float
    demand: float
    ready: dict
    wanted: dict
    forecast: list = field(default_factory=list)  # (at, mean, upper) ahead
    trusted: bool = False
    message: str = ""


@dataclass
class Account:
    """What a twin cost and what it failed to serve, in wall seconds; the trace's time is `speed` times as long."""
    under_s: float = 0.0
    unserved: float = 0.0  # core seconds
    demanded: float = 0.0
    pod_s: float = 0.0
    actions: int = 0

    def add(self, seconds, demand, ready, wanted, wanted_before):
        capacity = ready * CORES_PER_POD
        self.under_s += seconds if demand > capacity + 1e-9 else 0.0
        self.unserved += max(0.0, demand - capacity) * seconds
        self.demanded += demand * seconds
        self.pod_s += max(ready, wanted) * seconds
        self.actions += wanted != wanted_before


class Twins:
    """Reads both twins and keeps the accounts."""

    def __init__(self, api, trace, begin):
        self.api, self.trace, self.begin = api, trace, begin  # trace: seconds since `begin` -> cores
        self.ticks: list[Tick] = []
        self.accounts = {HPA: Account(), OURS: Account()}

    def look(self):
        ready, wanted = {}, {}
        for item in self.api.list(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"):
            name = item["metadata"]["name"]
            ready[name], wanted[name] = item["status"].get("readyReplicas", 0), item["spec"]["replicas"]
        status = self.api.get(f"/apis/ai4k8s.io/v1alpha1/namespaces/{NAMESPACE}/predictiveautoscalers/{OURS}").get("status", {})
        at = time.time() - self.begin
        tick = Tick(at, self.trace(at), ready, wanted, message=status.get("lastDecision", {}).get("message", ""))
        tick.trusted = any(c["type"] == "ForecastTrusted" and c["status"] == "True" for c in status.get("conditions", []))
        tick.forecast = [(moment(p["time"]) - self.begin, cores(p["value"]), cores(p["upper"]))
                         for p in status.get("forecast", {}).get("hourly", [])]
        if self.ticks and at > 0:
            last = self.ticks[-1]
            for name, account in self.accounts.items():
                account.add(min(at - last.at, at), tick.demand, ready.get(name, 0), wanted.get(name, 0), last.wanted.get(name, 0))
        self.ticks.append(tick)
        return tick


def cores(quantity):
    text = str(quantity)
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def moment(text):
    from datetime import datetime
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
