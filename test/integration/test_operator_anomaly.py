"""Demand that is unlike all that is remembered: found, told, held, and let go."""

from __future__ import annotations

import random
import time

from autoscalers import (autoscaler, await_condition, await_event, await_replicas, condition, get, holds, path)
from support import create_deployment, eventually, replicas_of
from test_operator_policy import PER_POD, stages
from test_operator_scaling import backfill

STEP = 10
HISTORY = 400  # samples; more than an hour


def remember(api, namespace: str, demand: float) -> None:
    """A past in which demand was always about that."""
    noise = random.Random(1)
    values = [demand * (1 + 0.05 * noise.gauss(0, 1)) for _ in range(HISTORY)]
    api.post(path(namespace, plural="predictiveautoscalercheckpoints"),
             backfill("web", values, STEP, int(time.time()) // STEP * STEP))
    eventually(lambda: not api.exists(path(namespace, "web-backfill", "predictiveautoscalercheckpoints")), 60,
               message="the history to be taken in")


def test_an_anomaly_holds_what_would_be_lowered(api, namespace, operator, traffic):
    """What else could hold the count is out of the way: the forecast, which goes on asking for three pods and holds a
    reduction while it does, is trusted by nobody here, and the window ends only when the anomaly has begun."""
    create_deployment(api, namespace, "web", 1)
    traffic.set_demand(namespace, "web", 2.7 * PER_POD)
    item = autoscaler("web", "web", anomaly={"mode": "HoldScaleDown"}, down_window=3600)
    item["spec"]["prediction"]["minHistorySeconds"] = item["spec"]["prediction"]["historySeconds"]
    api.post(path(namespace), item)
    await_replicas(api, namespace, "web", 3)
    remember(api, namespace, 2.7 * PER_POD)
    item = await_condition(api, namespace, "web", "AnomalyDetected", "False", "NoAnomaly", 60)
    assert item["status"]["anomaly"]["isAnomaly"] is False

    traffic.set_demand(namespace, "web", 0.3 * PER_POD)
    item = await_condition(api, namespace, "web", "AnomalyDetected", "True", "Anomaly", 90)
    assert "nothing is lowered" in condition(item, "AnomalyDetected")[2]
    found = item["status"]["anomaly"]
    assert found["isAnomaly"] is True and found["severity"] in ("Low", "Medium", "High") and found["since"]
    assert (await_event(api, namespace, "web", "AnomalyDetected"))["type"] == "Warning"
    api.patch(path(namespace, "web"), {"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}})

    def is_held():
        decision = (item := get(api, namespace, "web"))["status"]["lastDecision"]
        assert "Anomaly" in decision["limits"], decision
        return item

    item = eventually(is_held, 60)
    assert stages(item)["Need"] == 1 and stages(item)["Anomaly"] == 3
    assert "so nothing is lowered for now" in item["status"]["lastDecision"]["message"]
    holds(lambda: replicas_of(api, namespace, "web") == 3, 20)

    api.patch(path(namespace, "web"), {"spec": {"anomaly": {"mode": "Off"}}})
    item = await_condition(api, namespace, "web", "AnomalyDetected", "False", "NotWatched", 60)
    assert "anomaly" not in item["status"]
    await_event(api, namespace, "web", "AnomalyEnded")
    await_replicas(api, namespace, "web", 1)
