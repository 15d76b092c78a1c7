"""An advisor whose provider fails is an alert in Alertmanagers, the real ones, and over when it is healthy again."""

from __future__ import annotations

import time

import pytest
from alertmanagers import PASSWORD, USER, Alertmanager, time_of
from autoscalers import await_condition, await_event, condition, create
from llm_script import ScriptedLlm, answered
from support import deployment, eventually, wait_ready

PER_POD = 0.05
ENDS_AFTER_S = 240
REPLICAS = {"web": 3, "shop": 2}  # two situations: more calls than one may make in its half minute
DOWN = 500, {}, '{"error":{"message":"The server had an error","type":"server_error"}}'
WRONG_KEY = 401, {}, '{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}'


def provider_of(llm, **changed):
    return {"name": "local", "api": "OpenAI", "url": f"{llm.url}/v1", "model": "model-1", **changed}


def workloads(plane, load):
    for name, replicas in REPLICAS.items():
        plane.client.post("/apis/apps/v1/namespaces/default/deployments", deployment(name, replicas))
    for name, replicas in REPLICAS.items():
        wait_ready(plane.client, "default", name, replicas)
        load.set_demand("default", name, (replicas - 0.3) * PER_POD)
        create(plane.client, "default", name, name,
               advisor={"mode": "Observe", "minIntervalSeconds": 30, "cacheTTLSeconds": 0})


def check(alert, reason):
    assert alert["labels"] == {"alertname": "AI4K8sAdvisorProviderFailing", "severity": "warning",
                               "service": "ai4k8s-operator", "provider": "local", "reason": reason}
    assert 0 < time_of(alert, "endsAt") - time.time() <= ENDS_AFTER_S
    return alert["annotations"]["description"]


@pytest.mark.slow(35)
def test_a_provider_that_is_down(plane, load, make_operator, tmp_path):
    api = plane.client
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    late = Alertmanager(tmp_path / "late", pki=plane.file("pki"))
    with ScriptedLlm(lambda call: DOWN) as llm, Alertmanager(tmp_path / "first") as first:
        make_operator(plane, advisor={"providers": [provider_of(llm)]}, alertmanagers=[
            {"url": first.url},
            {"url": late.url, "caFile": plane.ca_file, "username": USER, "passwordFile": str(password)}]).start()
        workloads(plane, load)
        told, = eventually(first.alerts, 90, message="the alert in the first")
        said = check(told, "Transient")
        assert "local does not answer; no call is charged. Scaling goes on without advice." in said
        assert "failures in the last 5 minutes" in said and len(llm.calls) >= 5
        with late:
            again, = eventually(late.alerts, 60, message="the alert in the one that was down")
            check(again, "Transient")
            assert again["startsAt"] == told["startsAt"]
        item = await_condition(api, "default", "web", "AdvisorAvailable", "False", "Transient")
        assert "it is tried again" in condition(item, "AdvisorAvailable")[2]
        assert await_event(api, "default", "web", "AdvisorUnavailable")["type"] == "Warning"


@pytest.mark.long
def test_it_is_over_after_ten_minutes_of_health(plane, load, make_operator, tmp_path):
    key, right = tmp_path / "key", "sk-right-0123456789"
    key.write_text("sk-wrong-0123456789")
    with ScriptedLlm(lambda call: answered(call, call.current + 1) if call.key == right else WRONG_KEY) as llm, \
            Alertmanager(tmp_path / "one") as real:
        make_operator(plane, advisor={"providers": [provider_of(llm, keyFile=str(key))]},
                      alertmanagers=[{"url": real.url}]).start()
        workloads(plane, load)
        told, = eventually(real.alerts, 240, message="the alert, after two minutes")
        assert "refuses the API key" in check(told, "AuthenticationFailed")
        key.write_text(right)
        await_condition(plane.client, "default", "web", "AdvisorAvailable", "True", "Available", timeout=240)
        healthy = time.time()
        ends = time_of(told, "endsAt")
        while real.alerts():
            assert time.time() - healthy < 720, "it is not over"
            time.sleep(5)
            now = real.alerts()
            if now:
                check(now[0], "AuthenticationFailed")
                ends = max(ends, time_of(now[0], "endsAt"))
        assert time.time() - healthy > 580 and ends > time_of(told, "endsAt") + 540, "it was refreshed all the while"
