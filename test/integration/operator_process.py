"""The operator as a process beside a test control plane.

It runs as it does in its pod: with the shipped service account, that account's projected token
and the environment of a cluster. What the manifests install is installed once per control plane.

    operator = Operator(plane, tmp_path)          # not started yet
    operator.start()                              # leads, and its caches are synced
    operator.send(signal.SIGSTOP)
    assert operator.stop() == 0                   # SIGTERM, and its exit status

It carries its control plane's mark, so that a control plane which goes down takes it along,
however the test ended.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import Any

from controlplane import ControlPlane, process
from kubeapi import eventually
from support import service_account_user

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("AI4K8S_BUILD") or ROOT / "build-san")
NAMESPACE = "ai4k8s-system"
ACCOUNT = LEASE = "ai4k8s-operator"
USER = service_account_user(NAMESPACE, ACCOUNT)
READY_S = 60
STOP_S = 40  # the grace period of its pod, and some

# What a sanitizer or a failed assertion leaves in a log.
FINDING = re.compile(r"ERROR: \w*Sanitizer|runtime error:|SUMMARY: |Assertion .* failed")


@contextmanager
def locked(path: str):
    """Between the workers of a run."""
    with open(path, "a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(plane: ControlPlane) -> None:
    """`kubectl apply -k manifests/base`, once per control plane, and waits until it is served."""
    done = plane.file("operator-installed")
    with locked(plane.file("operator-install.lock")):
        if os.path.exists(done):
            return
        answer = subprocess.run(["kubectl", "apply", "-k", str(ROOT / "manifests/base")],
                                env={**os.environ, **plane.environment(),
                                     "HOME": plane.directory}, capture_output=True,
                                text=True, timeout=120)
        assert answer.returncode == 0, answer.stderr
        for plural in ("predictiveautoscalers", "predictiveautoscalercheckpoints"):
            eventually(lambda plural=plural: plane.client.list(
                f"/apis/ai4k8s.io/v1alpha1/{plural}") is not None, 30)
        eventually(lambda: _may_list(plane), 30, message="the aggregated role of the operator")
        pathlib.Path(done).touch()


def _may_list(plane: ControlPlane) -> bool:
    role = plane.client.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/ai4k8s-operator")
    return bool(role.get("rules"))


def allow_secret(plane: ControlPlane, name: str, key: str) -> None:
    """A Secret with that key under "token", and what docs/advisor.md says: the right to read this one."""
    api, role = plane.client, f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"
    api.post(f"/api/v1/namespaces/{NAMESPACE}/secrets", {
        "metadata": {"name": name}, "data": {"token": base64.b64encode(key.encode()).decode()}})
    api.post(f"{role}/roles", {"metadata": {"name": name}, "rules": [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [name], "verbs": ["get"]}]})
    api.post(f"{role}/rolebindings", {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}]})


class Operator:
    """One process of the operator."""

    def __init__(self, plane: ControlPlane, directory: str | os.PathLike, name: str = "operator",
                 config: dict[str, Any] | None = None):
        self.plane = plane
        self.name = name
        self.log = os.path.join(directory, f"{name}.log")
        self.pid = self.started = 0
        self.status: int | None = None
        self.token = ""
        self.api_port = 0  # of a proxy (api_proxy.py) in front of the API server; 0: straight to it
        self.arguments = [
            "--leader-elect-namespace", NAMESPACE, "--log-format=json", "-v1",
            "--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0"]
        if config:
            file = pathlib.Path(directory, f"{name}.yaml")
            file.write_text(json.dumps({"apiVersion": "ai4k8s.io/v1alpha1",
                                        "kind": "OperatorConfiguration", **config}))
            self.arguments += ["--config", str(file)]
        self._child: subprocess.Popen | None = None

    def start(self, leads: bool = True) -> Operator:
        """Returns when it leads and its caches are synced; without `leads` when they are."""
        self.launch()
        wanted = ["caches are synced"] + ["leading"] * leads
        eventually(lambda: self._has_said(wanted), READY_S, 0.05, f"{self.name} to be ready")
        return self

    def install(self) -> None:
        install(self.plane)

    def launch(self) -> None:
        self.install()
        argv, environment = self.plane.in_cluster([str(BUILD / "ai4k8s-operator"), *self.arguments],
                                                  ACCOUNT, NAMESPACE)
        account = pathlib.Path(self.plane.account_dir(ACCOUNT, NAMESPACE))
        self.token = (account / "token").read_text(encoding="ascii").strip()
        environment[process.MARKER] = self.plane.directory
        if self.api_port:
            environment["KUBERNETES_SERVICE_PORT"] = environment["KUBERNETES_SERVICE_PORT_HTTPS"] = str(self.api_port)
        environment.setdefault("ASAN_OPTIONS", "detect_stack_use_after_return=1")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        with open(self.log, "ab") as output:
            self._child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output,
                                           stderr=output, env=environment, start_new_session=True)
        self.pid = self._child.pid
        self.started = process.start_time(self.pid) or 0
        self.plane.adopt(f"{self.name}-{self.pid}", self.pid, self.started)

    def _has_said(self, words: list[str]) -> bool:
        if not self.is_running():
            raise AssertionError(f"{self.name} has ended:\n{self.log_tail()}")
        said = {record.get("msg") for record in self.records()}
        return all(word in said for word in words)

    def leads(self) -> bool:
        return any(record.get("msg") == "leading" for record in self.records())

    def is_running(self) -> bool:
        return self.pid != 0 and process.is_alive(self.pid, self.started)

    def send(self, number: int) -> None:
        assert process.send(self.pid, self.started, number), f"{self.name} is not running"

    def wait(self, timeout: float = STOP_S) -> int | None:
        """Its exit status; None when it was started by another process."""
        assert not process.wait_gone([(self.pid, self.started)] if not self._child else [], timeout)
        if self._child:
            try:
                self.status = self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                doing = self._threads()
                self._child.kill()
                raise AssertionError(f"{self.name} has not ended in {timeout:g} s:\n{doing}\n{self.log_tail()}") from None
        self.pid = 0
        return self.status

    def _threads(self) -> str:
        """What each of its threads waits for in the kernel."""
        said = []
        for task in sorted(pathlib.Path(f"/proc/{self.pid}/task").glob("*")):
            for name in ("comm", "wchan", "syscall"):
                try:
                    said.append((task / name).read_text(encoding="ascii").strip())
                except OSError as error:
                    said.append(str(error))
        return " | ".join(said)

    def stop(self) -> int | None:
        """SIGTERM, as a kubelet sends it."""
        assert process.terminate(self.pid, self.started), f"{self.name} is not running"
        return self.wait()

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.wait()

    def close(self) -> None:
        """The end of a test: whatever state it is in, it ends, and is asked what it found."""
        if self.is_running():
            assert self.stop() in (0, None), f"{self.name} ended with {self.status}:\n" \
                                             f"{self.log_tail()}"
        self.assert_clean()

    def assert_clean(self) -> None:
        with open(self.log, encoding="utf-8", errors="replace") as file:
            text = file.read()
        found = FINDING.search(text)
        assert not found, f"in the log of {self.name}:\n{text[max(0, found.start() - 200):][:8000]}"

    # -- what it says -----------------------------------------------------

    def records(self) -> list[dict[str, Any]]:
        found = []
        with open(self.log, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("{") and line.endswith("}\n"):
                    found.append(json.loads(line))
        return found

    def log_tail(self, lines: int = 60, about: str = "") -> str:
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                chosen = [line for line in file if about in line or not line.startswith("{")]
        except OSError:
            return "(it wrote nothing)"
        return "".join(chosen[-lines:])


# -- the one that the parallel tests of a run share -----------------------------------------------

def _shared_file(plane: ControlPlane) -> str:
    return plane.file("operator.json")


def shared(plane: ControlPlane) -> Operator:
    """The operator of a shared control plane: started by the first who asks."""
    # Many tests lower their targets at once: what holds them back has a test of its own.
    operator = Operator(plane, plane.directory, config={"shrinksPerMinute": 1000})
    with locked(plane.file("operator.lock")):
        try:
            with open(_shared_file(plane), encoding="ascii") as file:
                operator.pid, operator.started = json.load(file)
        except FileNotFoundError:
            operator.launch()
            with open(_shared_file(plane), "w", encoding="ascii") as file:
                json.dump([operator.pid, operator.started], file)
            operator._child.returncode = 0  # it outlives the worker: no waiting, no warning
            operator._child = None
    eventually(lambda: operator._has_said(["caches are synced", "leading"]), READY_S,
               message="the operator to be ready")
    return operator


def end_shared(plane: ControlPlane) -> str:
    """At the end of a run: stops it; returns what is wrong, or ""."""
    operator = Operator(plane, plane.directory)
    try:
        with open(_shared_file(plane), encoding="ascii") as file:
            operator.pid, operator.started = json.load(file)
    except FileNotFoundError:
        return ""
    if not operator.is_running():
        return f"the operator has ended before its time:\n{operator.log_tail()}"
    began = time.monotonic()
    operator.send(signal.SIGTERM)
    if process.wait_gone([(operator.pid, operator.started)], STOP_S):
        return f"the operator has not ended {time.monotonic() - began:.0f} s after SIGTERM"
    try:
        operator.assert_clean()
        said = [record.get("msg") for record in operator.records()]
        assert said and said[-1] == "stopped", f"its last words:\n{operator.log_tail(10)}"
    except AssertionError as error:
        return str(error)
    os.unlink(_shared_file(plane))
    return ""
