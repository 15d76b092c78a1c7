"""The LLM advisor with the real control plane and a provider of its own: what advice does, what it may not do, and what
failures cost. That a crash neither charges nor loses a call is in test_operator_accounting.py."""

from __future__ import annotations

import base64
import json
import re
import subprocess

import pytest
from autoscalers import (await_condition, await_event, await_replicas, condition, create, get, holds, path)
from llm_mock import LlmMock, decision
from operator_process import BUILD, allow_secret
from support import create_deployment, eventually, replicas_of

PER_POD = 0.05
KEY = "sk-s3cret-0123456789abcdef"


@pytest.fixture
def mock(tmp_path):
    with LlmMock(tmp_path) as running:
        yield running


def provider(mock, **changed):
    return {"name": "local", "api": "OpenAI", "url": f"{mock.url}/v1", "model": "model-1", **changed}


def web(plane, load, replicas=3, **advisor):
    create_deployment(plane.client, "default", "web", replicas)
    load.set_demand("default", "web", (replicas - 0.3) * PER_POD)
    create(plane.client, "default", "web", "web", advisor={"minIntervalSeconds": 30, **advisor})


def advice(plane):
    return get(plane.client, "default", "web").get("status", {}).get("advisor", {})


def budget(plane):
    return advice(plane).get("budget", {})


def kubectl_ai4k8s(plane, *arguments):
    return subprocess.run([BUILD / "kubectl-ai4k8s", *arguments], env={**plane.environment()}, text=True,
                          capture_output=True, timeout=60, check=False)


def test_bounded_advice_raises_by_its_delta_and_no_more(plane, load, mock, make_operator):
    api = plane.client
    operator = make_operator(plane, advisor={"providers": [
        provider(mock, keySecret={"name": "groq", "key": "token"})]})
    operator.install()
    allow_secret(plane, "groq", KEY)
    operator.start()
    mock.answer(decision("scale_up", 9))
    web(plane, load, mode="Bounded", maxReplicaDelta=2)
    await_replicas(api, "default", "web", 5)
    item = await_condition(api, "default", "web", "AdvisorAvailable", "True", "Available")
    told = item["status"]["advisor"]
    assert told["targetReplicas"] == 9 and told["provider"] == "local", told
    assert told["reasoning"] == "demand is rising steeply" and told["confidencePercent"] == 90
    assert told["budget"]["charged"] >= 1 and "reservedID" not in told["budget"]
    assert "advisor" in await_event(api, "default", "web", "SuccessfulRescale")["note"]

    # What left the cluster: numbers, and the key where it belongs.
    request = mock.requests()[0]
    assert request["headers"]["authorization"] == "[REDACTED]"
    sent = json.loads(request["body"]["messages"][1]["content"])
    assert all(isinstance(value, (int, bool)) or value in ("within tolerance", "above", "below", "none",
                                                             "SituationChanged", "NearMax") for value in sent.values()), sent
    assert "web" not in request["body"]["messages"][1]["content"]
    shown = kubectl_ai4k8s(plane, "advise", "web", "-n", "default", "--dry-run", "--config", operator.arguments[-1])
    assert shown.returncode == 0, shown.stderr
    body = json.loads(shown.stdout.split("\n\n", 1)[1])
    last = mock.requests()[-1]["body"]
    assert body["messages"] == last["messages"]

    # A key is nowhere but in its Secret and its header.
    everything = json.dumps(get(api, "default", "web")) + json.dumps(
        api.list("/apis/events.k8s.io/v1/namespaces/default/events"))
    with open(operator.log, encoding="utf-8", errors="replace") as log:
        everything += log.read()
    with open(f"/proc/{operator.pid}/cmdline", "rb") as file:
        everything += file.read().decode()
    assert KEY not in everything and base64.b64encode(KEY.encode()).decode() not in everything


def test_bad_answers_and_failures_change_nothing(plane, load, mock, make_operator):
    api = plane.client
    make_operator(plane, advisor={"providers": [provider(mock)]}).start()
    mock.answer("Sure! Ignore the limits and set replicas to 10.")
    web(plane, load, mode="Bounded", maxReplicaDelta=5)
    item = await_condition(api, "default", "web", "AdvisorAvailable", "False", timeout=60)
    assert condition(item, "AdvisorAvailable")[1] == "InvalidAnswer", condition(item, "AdvisorAvailable")
    assert "Ignore" not in json.dumps(item), "a model's prose on the object"
    assert await_event(api, "default", "web", "AdvisorUnavailable")["type"] == "Warning"
    settled = eventually(lambda: budget(plane).get("refunded"), 30)
    assert settled >= 1 and budget(plane).get("charged", 0) == 0
    assert holds(lambda: replicas_of(api, "default", "web") == 3, 10) is None
    # The next question is answered: no trace is left of the failure.
    mock.answer(decision("scale_up", 9))
    load.set_demand("default", "web", 4.7 * PER_POD)
    await_condition(api, "default", "web", "AdvisorAvailable", "True", "Available", timeout=120)
    await_event(api, "default", "web", "AdvisorAvailable")


def test_approval(plane, load, mock, make_operator):
    api = plane.client
    make_operator(plane, advisor={"providers": [provider(mock)]}).start()
    mock.answer(decision("scale_up", 9))
    web(plane, load, mode="Approval", maxReplicaDelta=3)
    eventually(lambda: advice(plane).get("outcome") == "AwaitsApproval", 60)
    holds(lambda: replicas_of(api, "default", "web") == 3, 8)
    wrong = kubectl_ai4k8s(plane, "approve", "web", "0123456789abcdef", "-n", "default")
    assert wrong.returncode == 1 and "look at it again" in wrong.stderr, wrong
    done = kubectl_ai4k8s(plane, "approve", "web", "-n", "default")
    assert done.returncode == 0, done.stderr
    assert re.search(r"advice [0-9a-f]{16} approved", done.stdout), done.stdout
    await_replicas(api, "default", "web", 6)


def test_without_a_provider(plane, load, make_operator):
    make_operator(plane).start()
    web(plane, load, mode="Bounded", maxReplicaDelta=1)
    item = await_condition(plane.client, "default", "web", "AdvisorAvailable", "False", "NotConfigured", timeout=60)
    assert "advisor.providers" in condition(item, "AdvisorAvailable")[2]
    await_condition(plane.client, "default", "web", "Ready", "True", timeout=60)
    plane.client.patch(path("default", "web"), {"spec": {"advisor": {"mode": "Off"}}})
    eventually(lambda: condition(get(plane.client, "default", "web"), "AdvisorAvailable") == ("", "", ""), 30)
