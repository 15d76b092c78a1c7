"""What the advisor's calls cost when the operator is killed: at each point between the question and the write of its
verdict, with the real control plane. Charged are exactly the verdicts that are on the objects.

One kill -9 meets eight autoscalers, each at a point of its own; they differ in their replicas, which is all that a
provider sees of them. A proxy in front of the API server and a scripted provider hold each where it is to be.
"""

from __future__ import annotations

import json
import threading
import time

import pytest
from api_proxy import ApiProxy
from autoscalers import autoscaler, condition, events, get, path
from llm_script import ScriptedLlm, answered
from operator_process import USER
from support import AuditLog, deployment, eventually, wait_ready
from test_operator_http import families

PER_POD = 0.05
NAMES = {"before-reserve": 2, "after-reserve": 3, "dispatched": 4, "answered": 5, "before-settle": 6,
         "after-settle": 7, "before-settle-at-fault": 8, "after-settle-at-fault": 9}
CHARGED = {"after-settle", "after-settle-at-fault"}          # when it is killed
LOST = set(NAMES) - CHARGED - {"before-reserve"}              # reserved, and no verdict will come
INVALID = 400, {}, '{"error":{"type":"invalid_request_error","param":"temperature","message":"no"}}'
DAY_S = 86400
STEP_S = 5


@pytest.fixture
def plane(make_control_plane):
    return make_control_plane(audit_level="RequestResponse")


def budget(item):
    return item.get("status", {}).get("advisor", {}).get("budget", {})


def told(request, name):
    """status.advisor of a write of this object's status; {}: it is another request."""
    if request.method != "PATCH" or f"/predictiveautoscalers/{name}/status" not in request.path:
        return {}
    return json.loads(request.body)["status"].get("advisor", {})


def is_reservation(request, name):
    return bool(told(request, name).get("budget", {}).get("reservedID"))


def is_verdict(request, name):
    return told(request, name).get("budget", {}).get("charged", 0) > 0


def make_all(plane, load):
    api = plane.client
    for name, replicas in NAMES.items():
        api.post("/apis/apps/v1/namespaces/default/deployments", deployment(name, replicas))
    for name, replicas in NAMES.items():
        wait_ready(api, "default", name, replicas)
        load.set_demand("default", name, (replicas - 0.3) * PER_POD)
        api.post(path("default"), autoscaler(name, name, maximum=20, advisor={
            "mode": "Off" if name == "after-reserve" else "Observe", "minIntervalSeconds": 30, "cacheTTLSeconds": 0}))


def step_every(plane, name, seconds):
    plane.client.patch(path("default", name), {"spec": {
        "syncPeriodSeconds": seconds, "prediction": {"sampleIntervalSeconds": max(seconds, 10)}}})


def verdicts_match_charges(plane, name, up_to):
    """Through everything that was ever written to this object: a charge came with its verdict, a verdict with its
    charge. Gives the number of them."""
    verdicts = charged = refunded = 0
    reserved = last = None
    for entry in AuditLog(plane.audit_log).entries(0, USER, {"patch"}, "predictiveautoscalers/status"):
        if entry["objectRef"]["name"] != name or entry["responseStatus"]["code"] >= 300:
            continue
        item = entry["responseObject"]
        if int(item["metadata"]["resourceVersion"]) > int(up_to):
            break
        advisor, now = item["status"].get("advisor", {}), budget(item)
        settled = reserved is not None and now.get("reservedID") != reserved
        answer = advisor.get("id") != last
        at_fault = condition(item, "AdvisorAvailable")[1] == "InvalidRequest"
        verdict = settled and now.get("refunded", 0) == refunded and (answer or at_fault)
        assert now.get("charged", 0) == charged + verdict, (name, charged, item["status"])
        assert not answer or verdict, f"{name}: an answer that nobody paid for: {advisor}"
        verdicts += verdict
        charged, refunded = now.get("charged", 0), now.get("refunded", 0)
        reserved, last = now.get("reservedID"), advisor.get("id")
    return verdicts


@pytest.mark.slow(100)
@pytest.mark.parametrize("successor", ["restarted", "standby"])
def test_charged_are_the_verdicts_on_objects(plane, load, make_operator, successor):
    api = plane.client
    if (left := DAY_S - time.time() % DAY_S) < 240:
        time.sleep(left)  # budgets are of a day
    go, crashed = threading.Event(), threading.Event()
    names = {replicas: name for name, replicas in NAMES.items()}

    def script(call):
        name = names[call.current]
        if not crashed.is_set():
            if name == "dispatched":
                crashed.wait(300)
                return None
            if name == "answered":
                go.wait(300)
        return INVALID if name.endswith("at-fault") else answered(call, call.current + 2)

    with ScriptedLlm(script) as provider, ApiProxy(plane) as proxy:
        settings = {"maxConcurrentCalls": 16, "callsPerMinute": 600, "providers": [
            {"name": "local", "api": "OpenAI", "url": f"{provider.url}/v1", "model": "model-1"}]}
        operator = make_operator(plane, "first", advisor=settings)
        operator.api_port = proxy.port
        operator.start()
        second = make_operator(plane, "second", advisor=settings)
        if successor == "standby":
            second.start(leads=False)

        gates = {"before-reserve": proxy.hold_request(lambda r: is_reservation(r, "before-reserve")),
                 "before-settle": proxy.hold_request(lambda r: is_verdict(r, "before-settle")),
                 "before-settle-at-fault": proxy.hold_request(lambda r: is_verdict(r, "before-settle-at-fault")),
                 "after-settle": proxy.hold_answer(lambda r: is_verdict(r, "after-settle")),
                 "after-settle-at-fault": proxy.hold_answer(lambda r: is_verdict(r, "after-settle-at-fault"))}
        make_all(plane, load)
        # Once the step that is due is over, the next is two minutes away: it has its answer and does nothing about it.
        eventually(lambda: provider.calls_of(NAMES["answered"]), 90, 0.1, "the call of answered")
        step_every(plane, "answered", 120)
        eventually(lambda: get(api, "default", "answered")["status"]["observedGeneration"] == 2, 30)
        time.sleep(STEP_S + 1)
        for gate in gates.values():
            gate.wait(90)
        eventually(lambda: provider.calls_of(NAMES["dispatched"]), 30, message="the call of dispatched")
        go.set()

        def answers():
            calls = families(operator)["ai4k8s_advisor_calls"].samples
            return sum(s.value for s in calls if s.name.endswith("_total") and s.labels["result"] == "Available")

        eventually(lambda: answers() == 3, 30, message="the operator to have three answers")

        # Reserved, and nobody knows: neither the answer nor the watch says so.
        blind = threading.Event()
        proxy.hold_request(lambda r: is_reservation(r, "after-reserve") and blind.set())
        proxy.hold_answer(lambda r: blind.is_set() and "watch" in r.path and "predictiveautoscalers" in r.path)
        reserved = proxy.hold_answer(lambda r: is_reservation(r, "after-reserve"))
        api.patch(path("default", "after-reserve"), {"spec": {"advisor": {"mode": "Observe"}}})
        reserved.wait(90)
        operator.kill()
        proxy.drop()

        at_crash = {name: get(api, "default", name) for name in NAMES}
        assert {name for name, item in at_crash.items() if budget(item).get("reservedID")} == LOST
        assert {name for name, item in at_crash.items() if budget(item).get("charged")} == CHARGED
        assert not any(budget(item).get("refunded") for item in at_crash.values())
        assert at_crash["after-settle"]["status"]["advisor"]["targetReplicas"] == 9
        calls = {name: provider.calls_of(replicas) for name, replicas in NAMES.items()}
        assert calls == {name: not name.endswith("reserve") for name in NAMES}, "calls that were made"

        crashed.set()
        if successor == "standby":
            eventually(second.leads, 60, message="the standby to lead")
        else:
            second.start()
        step_every(plane, "answered", STEP_S)

        def settled(name):
            item = get(api, "default", name)
            now, reserved = budget(item), budget(at_crash[name]).get("reservedID")
            assert now.get("refunded", 0) == (name in LOST), (name, now)
            assert now.get("reservedID") in (None,) or now["reservedID"] != reserved, (name, now)
            return item

        for name in NAMES:
            eventually(lambda name=name: settled(name), 60, message=f"the call of {name} to be settled")
        # And it goes on: the next call of each is charged with its verdict, once.
        for name in NAMES:
            item = eventually(lambda name=name: budget(get(api, "default", name)).get("charged") and settled(name), 120,
                              message=f"the next call of {name} to be charged")
            verdicts = verdicts_match_charges(plane, name, item["metadata"]["resourceVersion"])
            assert verdicts == budget(item)["charged"], (name, verdicts, budget(item))
            assert condition(item, "AdvisorAvailable")[0] == str(not name.endswith("at-fault")), name
        assert not events(api, "default", "before-reserve", "AdvisorUnavailable")
