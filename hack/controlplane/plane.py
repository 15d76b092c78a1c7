"""One control plane: up, down, and everything a failure test does to it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from kubeapi import ApiError, ApiUnavailable, Client

from . import accounts, certs, kwok, objects, place, process, programs, tools
from .errors import AlreadyUp, ControlPlaneError
from .programs import Options

PORTS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok",
         "metrics-server"]
ATTEMPTS = 3  # another program may take a port between our look and our use


class ControlPlane:
    """A real control plane on loopback, in a directory of its own.

        with ControlPlane("my-test") as plane:       # up() ... down()
            plane.client.get("/api/v1/nodes")
            plane.kill("kube-apiserver", signal.SIGKILL)
            plane.start("kube-apiserver")

    An object of this class is a handle: several, in several processes, may stand for
    the same running control plane.
    """

    def __init__(self, name: str = "default", **options: Any):
        self.name = name
        self.directory = place.directory_of(name)
        self.options = Options(**options)
        self._client: Client | None = None
        self._expected: set[str] = set()  # programs whose end would be a failure of ours

    def __enter__(self) -> ControlPlane:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    # -- what is known about it -------------------------------------------

    def file(self, name: str) -> str:
        return os.path.join(self.directory, name)

    @property
    def kubeconfig(self) -> str:
        """Path of the administrator's kubeconfig."""
        return self.file("admin.kubeconfig")

    @property
    def audit_log(self) -> str:
        return self.file("audit.log")

    @property
    def ca_file(self) -> str:
        return self.file("pki/ca.crt")

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.port('kube-apiserver')}"

    @property
    def client(self) -> Client:
        """The API with the administrator's rights."""
        if self._client is None:
            self._require_up()
            self._client = Client(self.server, ca_file=self.ca_file,
                                  cert_file=self.file("pki/admin.crt"),
                                  key_file=self.file("pki/admin.key"))
        return self._client

    def port(self, program: str) -> int:
        return self._require_up()["ports"][program]

    def is_up(self) -> bool:
        return self.status().get("phase") == "ready"

    def environment(self) -> dict[str, str]:
        """What a shell needs to work with it; PATH has kubectl of the same version first."""
        return {
            "AI4K8S_CP_NAME": self.name,
            "AI4K8S_CP_DIR": self.directory,
            "KUBECONFIG": self.kubeconfig,
            "KUBE_SERVER": self.server,
            "KUBE_CA_FILE": self.ca_file,
            "AUDIT_LOG": self.audit_log,
            "PATH": self.file("bin") + os.pathsep + os.environ.get("PATH", os.defpath),
        }

    def status(self) -> dict[str, Any]:
        """{} when there is none; phase is starting, ready, or broken (a program ended)."""
        state = place.read_state(self.directory)
        if state is None:
            return {}
        shown = []
        for program in state["programs"]:
            entry = state["processes"].get(program)
            pid, started = entry or (0, 0)
            alive = bool(entry) and process.is_alive(pid, started)
            shown.append({
                "name": program, "port": state["ports"][program], "pid": pid if alive else None,
                "state": "frozen" if alive and process.is_stopped(pid) else
                         "running" if alive else "stopped",
                "uptimeSeconds": round(process.age(started)) if alive else None,
                "residentBytes": process.resident_bytes(pid) if alive else None,
                "cpuSeconds": process.cpu_seconds(pid) if alive else None,
            })
        phase = state["phase"]
        if phase == "starting" and not process.is_alive(*state["starter"]):
            phase = "broken"
        if phase == "ready" and any(p["state"] == "stopped" for p in shown):
            phase = "broken"
        return {"name": self.name, "phase": phase, "directory": self.directory,
                "server": f"https://127.0.0.1:{state['ports']['kube-apiserver']}",
                "uptimeSeconds": round(time.time() - state["created"]), "programs": shown}

    # -- up and down ------------------------------------------------------

    def up(self, until_exit_of: int | None = None, quiet: bool = False) -> float:
        """Builds what is missing and starts everything; returns the seconds the start took.

        Returns when the API server is ready, the default service account exists, all
        nodes are Ready and the metrics API is available. On failure or interruption
        nothing is left behind. With `until_exit_of` the control plane is taken down when
        that process ends, however it ends.
        """
        tools.ensure_built(quiet)
        for attempt in range(1, ATTEMPTS + 1):
            started = time.monotonic()
            ours = False
            try:
                with _undisturbed():
                    self._reserve(until_exit_of)
                    ours = True
                self._bring_up(until_exit_of)
                return time.monotonic() - started
            except BaseException as error:
                if not ours:
                    raise
                with _undisturbed():
                    again = attempt < ATTEMPTS and isinstance(error, ControlPlaneError) \
                        and self._lost_a_port()
                    self._tear_down()
                if not again:
                    raise
        raise AssertionError("unreachable")

    def down(self) -> bool:
        """Stops everything and removes the directory; False when there was nothing."""
        if not os.path.isdir(self.directory):
            return False
        with _undisturbed():
            self._tear_down()
        return True

    def _reserve(self, owner: int | None) -> None:
        """Makes the name and the ports ours."""
        if owner is not None and process.start_time(owner) is None:
            raise ControlPlaneError(f"there is no process {owner} whose end could be awaited")
        with place.locked_base():
            phase = self.status().get("phase")
            if phase in ("ready", "starting"):
                raise AlreadyUp(
                    f"control plane {self.name!r} is already "
                    f"{'up' if phase == 'ready' else 'being started'}; use it, stop it with "
                    f"`hack/control-plane down --name {self.name}`,\nor start another with "
                    "--name")
            if os.path.isdir(self.directory):  # a crash or a reboot left it
                self._stop_processes()
                shutil.rmtree(self.directory)
            ports = dict(zip(PORTS, place.free_ports(len(PORTS))))
            os.mkdir(self.directory, 0o700)
            self._expected = set()
            self._write({
                "name": self.name, "phase": "starting", "created": time.time(),
                "starter": [os.getpid(), process.start_time(os.getpid())],
                "options": self.options.as_dict(), "ports": ports,
                "programs": self.options.programs(), "processes": {}})
        self._client = None

    def _bring_up(self, owner: int | None) -> None:
        certs.create(self.file("pki"))
        self._write_files()
        if owner is not None:
            self._spawn_keeper(owner)
        deadline = time.monotonic() + self.options.timeout
        for program in ("etcd", "kube-apiserver"):
            self._spawn(program)
        self._await_healthy("kube-apiserver", deadline)
        for program in ("kube-controller-manager", "kube-scheduler"):
            self._spawn(program)
        if self.options.kwok:
            objects.create(self.client, objects.for_kwok())
            self.client.apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
                              "resourceusages.kwok.x-k8s.io", _text(tools.shared_file(
                                  "kwok", "kustomize/crd/bases/"
                                  "kwok.x-k8s.io_resourceusages.yaml")))
            self._await("the API of ResourceUsage objects", self._usages_served, deadline,
                        "kube-apiserver")
            objects.create(self.client, [
                objects.node(f"node-{i + 1}", self.options.node_cpu, self.options.node_memory,
                             self.options.node_pods) for i in range(self.options.nodes)])
            self._spawn("kwok")
        if self.options.metrics_server:
            objects.create(self.client, objects.for_metrics_server(self.port("metrics-server")))
            self._spawn("metrics-server")
        for program in self.options.programs():
            self._await_healthy(program, deadline)
        self._await("the default service account", self._default_account, deadline,
                    "kube-controller-manager")
        if self.options.kwok:
            self._await("all nodes to be Ready", self._nodes_ready, deadline, "kwok")
        state = self._require_up()
        state["phase"] = "ready"
        self._write(state)

    def _write_files(self) -> None:
        os.mkdir(self.file("bin"))
        os.symlink(tools.path("kubectl"), self.file("bin/kubectl"))
        self._put("audit-policy.json", programs.audit_policy(self.options.audit_level))
        if self.options.kwok:
            self._put("kwok.yaml", kwok.configuration(self.options.pod_start_delay))
        for client in certs.CLIENTS:
            self._put(f"{client}.kubeconfig",
                      certs.kubeconfig(self.file("pki"), client, self.server,
                                       f"ai4k8s-{self.name}"))

    def _put(self, name: str, text: str) -> None:
        with open(os.open(self.file(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w",
                  encoding="utf-8") as file:
            file.write(text)

    def _tear_down(self) -> None:
        self._stop_processes()
        with place.locked_base():
            shutil.rmtree(self.directory, ignore_errors=True)
        if os.path.isdir(self.directory):
            raise ControlPlaneError(f"{self.directory} could not be removed; remove it by hand")
        self._client = None

    def _stop_processes(self) -> None:
        state = place.read_state(self.directory) or {"processes": {}}
        own = {name: tuple(entry) for name, entry in state["processes"].items()
               if entry[0] != os.getpid()}  # the keeper ends by itself
        store = own.pop("etcd", None)
        left = process.stop([*own.values()], grace=2.0)
        # etcd after its client: the other way round the API server spends its end on retries
        left += process.stop([store] if store else [], grace=2.0)
        left += process.stop(process.marked(self.directory), grace=1.0)
        if left:
            raise ControlPlaneError(f"processes {[pid for pid, _ in left]} of control plane "
                                    f"{self.name!r} do not end, even by SIGKILL")

    # -- one program ------------------------------------------------------

    def kill(self, program: str, number: int = signal.SIGTERM, timeout: float = 60.0) -> None:
        """Signals a program and waits for its end (SIGKILL: as a crash would end it)."""
        pid, started = self._running(program)
        process.terminate(pid, started, number)
        if process.wait_gone([(pid, started)], timeout):
            raise ControlPlaneError(f"{program} (process {pid}) has not ended {timeout:g} s after "
                                    f"{signal.Signals(number).name}; use -9")

    def start(self, program: str) -> None:
        """Starts a stopped program again, on its old port, and waits until it is healthy."""
        state = self._require_up()
        entry = state["processes"].get(program)
        if program not in state["programs"]:
            raise ControlPlaneError(f"control plane {self.name!r} has no {program}; it has "
                                    f"{', '.join(state['programs'])}")
        if entry and process.is_alive(*entry):
            raise ControlPlaneError(f"{program} is already running (process {entry[0]})")
        self.options = Options(**state["options"])
        self._expected = set()
        self._spawn(program)
        self._await_healthy(program, time.monotonic() + self.options.timeout)

    def adopt(self, name: str, pid: int, started: int) -> None:
        """Another program that belongs to it, already running: `down` ends that one too."""
        with place.locked_base():
            state = self._require_up()
            state["processes"][name] = (pid, started)
            self._write(state)

    def freeze(self, program: str) -> None:
        """SIGSTOP: the program is there and does nothing, its connections stay open."""
        pid, started = self._running(program)
        process.send(pid, started, signal.SIGSTOP)
        while process.is_alive(pid, started) and not process.is_stopped(pid):
            time.sleep(0.005)

    def thaw(self, program: str) -> None:
        process.send(*self._running(program), signal.SIGCONT)

    def log(self, program: str) -> str:
        """Path of what the program wrote."""
        return self.file(f"{program}.log")

    def log_tail(self, program: str, lines: int = 15) -> str:
        try:
            with open(self.log(program), "rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - 16384))
                return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(it wrote nothing)"

    # -- identities -------------------------------------------------------

    def token(self, serviceaccount: str, namespace: str = "default",
              duration: str | float = "1h") -> str:
        """A bound token of a service account, at least 10 minutes valid."""
        return accounts.token(self.client, namespace, serviceaccount, duration)

    def in_cluster_dir(self, directory: str, serviceaccount: str, namespace: str = "default",
                       duration: str | float = "1h") -> dict[str, str]:
        """Writes token, ca.crt and namespace as a pod finds them; returns the variables that
        go with them. Called again, it replaces the token the way a kubelet does."""
        token = self.token(serviceaccount, namespace, duration)
        accounts.write_projected(directory, {"token": token, "namespace": namespace,
                                             "ca.crt": _text(self.ca_file)})
        port = str(self.port("kube-apiserver"))
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port,
                "KUBERNETES_SERVICE_PORT_HTTPS": port}

    def in_cluster(self, argv: list[str], serviceaccount: str, namespace: str = "default",
                   duration: str | float = "1h") -> tuple[list[str], dict[str, str]]:
        """A command line and an environment that run `argv` as in a pod of this account:
        token, ca.crt and namespace are where every client looks for them. The same process
        becomes `argv`; call in_cluster_dir() on self.account_dir(...) to renew the token."""
        directory = self.account_dir(serviceaccount, namespace)
        variables = self.in_cluster_dir(directory, serviceaccount, namespace, duration)
        environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        return accounts.as_in_a_pod(directory, argv), {**environment, **variables}

    def account_dir(self, serviceaccount: str, namespace: str = "default") -> str:
        return self.file(f"accounts/{namespace}/{serviceaccount}")

    def client_for(self, serviceaccount: str, namespace: str = "default") -> Client:
        """The API with a service account's rights."""
        return Client(self.server, ca_file=self.ca_file,
                      token=self.token(serviceaccount, namespace))

    # -- conditions -------------------------------------------------------

    def _await_healthy(self, program: str, deadline: float) -> None:
        self._await(f"{program} to be ready", lambda: self._healthy(program), deadline, program)

    def _healthy(self, program: str) -> bool:
        port = self.port(program)
        if program == "etcd":
            return "true" in Client(f"http://127.0.0.1:{port}", timeout=5).text("/health")
        if program == "kube-apiserver":
            return self.client.text("/readyz") == "ok"
        path = {"metrics-server": "/livez"}.get(program, "/healthz")
        answer = Client(f"https://localhost:{port}", ca_file=self.ca_file, timeout=5).text(path)
        if program == "metrics-server":
            service = self.client.get("/apis/apiregistration.k8s.io/v1/apiservices/"
                                      "v1beta1.metrics.k8s.io")
            # it knows users only once it has read how the API server vouches for them
            return _condition(service, "Available") and "items" in self.client.get(
                "/apis/metrics.k8s.io/v1beta1/nodes")
        return answer == "ok"

    def _usages_served(self) -> bool:
        self.client.list("/apis/kwok.x-k8s.io/v1alpha1/resourceusages")
        return True

    def _default_account(self) -> bool:
        return self.client.exists("/api/v1/namespaces/default/serviceaccounts/default")

    def _nodes_ready(self) -> bool:
        nodes = self.client.list("/api/v1/nodes")
        return len(nodes) >= self.options.nodes and all(_condition(n, "Ready") for n in nodes)

    def _await(self, what: str, check: Callable[[], bool], deadline: float,
               responsible: str) -> None:
        last = ""
        while True:
            for program, entry in self._require_up()["processes"].items():
                if program in self._expected and not process.is_alive(*entry):
                    raise ControlPlaneError(f"{program} has ended. The end of {self.name}'s "
                                            f"{program}.log:\n{self.log_tail(program)}")
            try:
                if check():
                    return
            except (ApiError, ApiUnavailable) as error:
                last = f" ({error})"
            if time.monotonic() > deadline:
                raise ControlPlaneError(
                    f"waited {self.options.timeout:g} s in vain for {what}{last}.\n"
                    f"The end of {responsible}.log:\n{self.log_tail(responsible)}\n"
                    "On a busy machine a longer --timeout helps.")
            time.sleep(0.1)

    # -- state ------------------------------------------------------------

    def _require_up(self) -> dict[str, Any]:
        state = place.read_state(self.directory)
        if state is None:
            raise ControlPlaneError(f"control plane {self.name!r} is not up; start it with "
                                    f"`hack/control-plane up --name {self.name}`")
        return state

    def _write(self, state: dict[str, Any]) -> None:
        place.write_state(self.directory, state)

    def _running(self, program: str) -> tuple[int, int]:
        entry = self._require_up()["processes"].get(program)
        if not entry or not process.is_alive(*entry):
            raise ControlPlaneError(f"{program} of control plane {self.name!r} is not running")
        return entry[0], entry[1]

    def _spawn(self, program: str) -> None:
        state = self._require_up()
        argv = programs.command(program, self.directory, state["ports"], self.options)
        state["processes"][program] = process.spawn(argv, self.log(program), self.directory,
                                                      programs.ENVIRONMENT)
        self._write(state)
        self._expected.add(program)

    def _spawn_keeper(self, owner: int) -> None:
        """A watchman who takes the control plane down when the owner has ended."""
        script = os.path.join(os.path.dirname(tools.HERE), "control-plane")
        state = self._require_up()
        state["processes"]["keeper"] = process.spawn(
            [sys.executable, script, "keep", "--name", self.name, str(owner),
             str(process.start_time(owner))], self.log("keeper"), self.directory,
            {name: os.environ[name] for name in ("XDG_RUNTIME_DIR", "TMPDIR")
             if name in os.environ})
        self._write(state)

    def _lost_a_port(self) -> bool:
        return any("address already in use" in self.log_tail(program, 40)
                   for program in self.options.programs())


def _condition(item: dict[str, Any], kind: str) -> bool:
    return any(condition["type"] == kind and condition["status"] == "True"
               for condition in item.get("status", {}).get("conditions") or [])


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


@contextmanager
def _undisturbed():
    """Ctrl-C has to wait: a clean-up that is interrupted would be none."""
    numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
