"""Credentials: of providers from files and Secrets, of Alertmanagers, of the operator itself. All of them are used, every
class of failure is provoked by providers that echo the key in their headers and bodies, and then everything that was
written is searched for them."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import threading

import pytest
from alertmanagers import V2Only
from autoscalers import autoscaler, condition, get, path
from llm_script import ScriptedLlm, answered
from operator_process import NAMESPACE, allow_secret
from support import deployment, eventually, wait_ready
from test_operator_advisor import kubectl_ai4k8s
from test_operator_http import ask
from traffic import Traffic

PER_POD = 0.05
MARK = "s3cret"  # in every credential of this test
PROVIDERS = {"transient": "OpenAI", "reset": "OpenAI", "throttled": "Groq", "quota": "OpenAI", "auth": "Anthropic",
             "gone": "Groq", "prose": "OpenAI", "last": "Anthropic"}
FROM_SECRET = {"auth", "last"}
# replicas: what becomes of its questions
REPLICAS = {"web": 3, "at-fault": 2, "echo": 4, "refused": 5, "cancelled": 6}


def key_of(provider):
    return f"sk-{provider}-{MARK}-0123456789abcdef"


def forms(text):
    """How it could be written down: as it is, in base64 at any offset, in hexadecimal."""
    data = text.encode()
    shifted = [base64.b64encode(b"x" * n + data)[(n * 8 + 5) // 6:len(data) * 4 // 3 - 2].decode() for n in range(3)]
    return [text, data.hex(), *shifted]


@contextlib.contextmanager
def cores_allowed():
    """As far as this machine lets us."""
    was = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (was[1], was[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, was)


def dumps_core(pid):
    os.kill(pid, signal.SIGQUIT)
    return os.WCOREDUMP(os.waitpid(pid, 0)[1])


def echo(call, status, kind="", **changed):
    """An error that repeats the key wherever it can."""
    said = f"Incorrect API key provided: {call.key} (Bearer {call.key})"
    return (status, {"x-request-id": call.key, "Set-Cookie": f"key={call.key}", "WWW-Authenticate": f"Bearer {call.key}",
                     "retry-after-ms": "1", "Location": f"http://127.0.0.1:1/{call.key}"},
            json.dumps({"type": "error", "error": {"type": kind or call.key, "code": kind, "message": said,
                                                   "param": call.key, **changed}}))


def script(call, release):
    provider, name = call.path.split("/")[1], {n: name for name, n in REPLICAS.items()}[call.current]
    if name == "at-fault":
        return echo(call, 400, "invalid_request_error")
    if name == "cancelled":
        release.wait(120)
        return None
    if provider == "last" and name == "refused":
        return 200, {"x-echo": call.key}, json.dumps({"stop_reason": "refusal", "content": [
            {"type": "text", "text": call.key}]})
    replies = {"transient": lambda: echo(call, 500, "server_error"),
               "reset": lambda: None,
               "throttled": lambda: echo(call, 429, "rate_limit_exceeded"),
               "quota": lambda: echo(call, 429, "insufficient_quota"),
               "auth": lambda: echo(call, 401, "authentication_error"),
               "gone": lambda: echo(call, 404, "model_not_found"),
               "prose": lambda: (200, {"x-echo": call.key}, json.dumps({"choices": [{
                   "message": {"content": f"I was called with {call.key}."}, "finish_reason": "stop"}]})),
               "last": lambda: answered(call, call.current + 2,
                                        reasoning=f"as {call.key} says" if name == "echo" else "demand rises")}
    return replies[provider]()


@pytest.mark.slow(60)
def test_no_credential_is_written_anywhere(make_control_plane, make_operator, tmp_path):
    plane, release = make_control_plane(), threading.Event()
    api = plane.client
    token, password = tmp_path / "token", tmp_path / "password"
    token.write_text(f"t0ken-{MARK}-0123456789\n")
    password.write_text(f"pass-{MARK}-0123456789\n")

    def key_source(name):
        if name in FROM_SECRET:
            return {"keySecret": {"name": name, "key": "token"}}
        file = tmp_path / f"{name}.key"
        file.write_text(key_of(name) + "\n")
        return {"keyFile": str(file)}

    with ScriptedLlm(lambda call: script(call, release)) as provider, V2Only() as by_token, V2Only() as by_password, \
            V2Only() as refusing, Traffic(api, tick=1.0) as load:
        refusing.answer = lambda headers: (401, f"not {headers['Authorization']}")
        operator = make_operator(
            plane, advisor={"maxConcurrentCalls": 16, "callsPerMinute": 600, "providers": [
                {"name": name, "api": kind, "url": f"{provider.url}/{name}/v1", "model": "model-1", **key_source(name)}
                for name, kind in PROVIDERS.items()]},
            alertmanagers=[{"url": by_token.url, "tokenFile": str(token)},
                           {"url": by_password.url, "username": "operator", "passwordFile": str(password)},
                           {"url": refusing.url, "tokenFile": str(token)}])
        operator.arguments = ["-v2" if argument == "-v1" else argument for argument in operator.arguments]
        operator.install()
        for name in FROM_SECRET:
            allow_secret(plane, name, key_of(name))
        with cores_allowed():
            operator.start()
            other = subprocess.Popen(["sleep", "600"], cwd=tmp_path)

        for name, replicas in REPLICAS.items():
            api.post("/apis/apps/v1/namespaces/default/deployments", deployment(name, replicas))
        for name, replicas in REPLICAS.items():
            wait_ready(api, "default", name, replicas)
            load.set_demand("default", name, (replicas - 0.3) * PER_POD)
            api.post(path("default"), autoscaler(name, name, maximum=20, advisor={
                "mode": "Bounded", "maxReplicaDelta": 1, "minIntervalSeconds": 30, "cacheTTLSeconds": 0}))

        def reason(name):
            return condition(get(api, "default", name), "AdvisorAvailable")[1]

        # Every class has come to an object, and failures that last to Alertmanagers.
        expected = {"web": "Available", "at-fault": "InvalidRequest", "echo": "InvalidAnswer", "refused": "Refused"}
        for name, why in expected.items():
            eventually(lambda name=name, why=why: reason(name) == why, 120, message=f"{why} of {name}")
        eventually(lambda: any(call.current == REPLICAS["cancelled"] for call in provider.calls), 60)
        api.delete(path("default", "cancelled"))
        for told in (by_token, by_password, refusing):
            eventually(lambda told=told: told.received, 60, message="an Alertmanager to be told")
        metrics = ask(operator, "metricsPort", "/metrics")[2]
        for kind in ("Transient", "Throttled", "QuotaExhausted", "AuthenticationFailed", "Misconfigured",
                     "InvalidRequest", "InvalidAnswer", "Refused", "Available"):
            assert f'result="{kind}"' in metrics, f"no call of class {kind}"

        # They were used, each where it belongs and nowhere else.
        for call in provider.calls:
            assert call.key == key_of(call.path.split("/")[1])
            assert MARK not in call.text and operator.token not in call.text
        assert {call.path.split("/")[1] for call in provider.calls} == set(PROVIDERS)
        pair = base64.b64encode(f"operator:{password.read_text().strip()}".encode()).decode()
        assert by_token.received[0][2]["Authorization"] == f"Bearer {token.read_text().strip()}"
        assert by_password.received[0][2]["Authorization"] == f"Basic {pair}"

        written = {"log": pathlib.Path(operator.log).read_text(encoding="utf-8", errors="replace"), "metrics": metrics}
        for port, route in (("probePort", "/readyz"), ("probePort", "/livez")):
            written[route] = ask(operator, port, route)[2]
        for kind in ("cmdline", "environ"):
            with contextlib.suppress(PermissionError):  # nobody but root may, which is as good
                written[kind] = pathlib.Path(f"/proc/{operator.pid}/{kind}").read_bytes().decode(errors="replace")
        for resources in ("/apis/ai4k8s.io/v1alpha1/predictiveautoscalers",
                          "/apis/ai4k8s.io/v1alpha1/predictiveautoscalercheckpoints",
                          "/apis/events.k8s.io/v1/events", "/apis/apps/v1/deployments",
                          f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases",
                          f"/api/v1/namespaces/{NAMESPACE}/configmaps"):
            written[resources] = json.dumps(api.list(resources))
        for told in (by_token, by_password, refusing):
            written[f"alerts {told.url}"] = "".join(body for *_, body in told.received)
            assert "AI4K8sAdvisorProviderFailing" in written[f"alerts {told.url}"]
        config = operator.arguments[operator.arguments.index("--config") + 1]
        for command in (["advise", "web", "--dry-run", "--config", config], ["advise", "web", "--dry-run"],
                        ["status"], ["explain", "web"]):
            done = kubectl_ai4k8s(plane, *command, "-n", "default")
            assert done.returncode == 0 and done.stdout, done.stderr
            written[" ".join(command)] = done.stdout + done.stderr
        assert "x-api-key" not in written["advise web --dry-run"]
        for place, text in written.items():
            for needle in [*forms(MARK), operator.token, pair]:
                at = text.find(needle)
                assert at < 0, f"in {place}: {text[max(0, at - 200):at + 60]}"
        assert '"level":"trace"' in written["log"], "the most that it says"

        # Nor does it leave a core, where another program does.
        limits = pathlib.Path(f"/proc/{operator.pid}/limits").read_text()
        assert [line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size")] == ["0"]
        resource.prlimit(operator.pid, resource.RLIMIT_CORE, resource.prlimit(other.pid, resource.RLIMIT_CORE))
        others, ours = dumps_core(other.pid), dumps_core(operator.pid)
        other.returncode = operator._child.returncode = -signal.SIGQUIT
        operator.pid = 0
        assert not ours, f"it dumped core (and another program: {others})"
        release.set()
        operator.assert_clean()
