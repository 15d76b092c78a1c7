"""Plays demand onto workloads of a test control plane.

The nodes of a test control plane do no work, so somebody has to say how much CPU a
pod uses. This driver does it as a load balancer in front of a real service would:
the demand on a workload, in cores, is spread evenly over its ready pods, and a pod
uses no more than its CPU limit (without a limit: all of its share). What does not
fit is unserved.

    with Traffic(client) as traffic:
        traffic.set_demand("shop", "web", 2.5)       # 2.5 cores from now on
        traffic.play("shop", "api", Trace.read("day.csv", speed=30))
        ...
        traffic.state("shop", "web").unserved

For every ready pod it keeps one ResourceUsage object of kwok, with the pod's name
and owned by the pod: it goes when the pod goes, and it counts from the next scrape
of metrics-server on. A pod that is not ready has no traffic.
"""

from __future__ import annotations

import bisect
import csv
import math
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from kubeapi import ApiError, ApiUnavailable, Client

IDLE_CORES = 0.001  # a pod without traffic; metrics-server drops containers that use nothing
DEFAULT_MEMORY = "64Mi"
CHECK_TICKS = 30  # how often the objects are compared with what was written
USAGES = "/apis/kwok.x-k8s.io/v1alpha1/namespaces/{0}/resourceusages"
KINDS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "ReplicaSet": "replicasets"}

_SUFFIXES = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}


def cores(quantity: str) -> float:
    """The value of a CPU quantity: "1500m" is 1.5."""
    number = quantity.rstrip("numkMG")
    return float(number) * _SUFFIXES[quantity[len(number):]]


class TraceError(ValueError):
    """A series file that cannot be read, with the number of the line."""


@dataclass(frozen=True)
class Trace:
    """Demand over time: points in seconds since the trace's start, linear in between."""

    times: list[float]
    values: list[float]

    @classmethod
    def read(cls, path: str, *, interval: float | None = None, speed: float = 1.0,
             scale: float = 1.0, peak: float | None = None, start: float = 0.0,
             duration: float | None = None) -> Trace:
        """Reads a series file: a header, then `time,value`; an empty value or NaN is no data.

        Times are RFC 3339, `YYYY-MM-DD HH:MM:SS` (UTC) or Unix seconds. `interval` ignores
        them and spaces the rows that many seconds apart. `start` and `duration` choose a part,
        in seconds of the trace; `speed` 30 plays 30 s of it in one second; values are
        multiplied by `scale`, or so that the largest played one is `peak`.
        """
        times: list[float] = []
        values: list[float] = []
        with open(path, newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            next(rows, None)
            for index, row in enumerate(rows):
                where = f"{path}, line {rows.line_num}"
                if not row:
                    continue
                if len(row) < 2:
                    raise TraceError(f"{where}: expected a time and a value")
                moment = index * interval if interval else _moment(row[0], where)
                if times and moment < times[-1]:
                    raise TraceError(f"{where}: time runs backward")
                try:
                    value = float(row[1] or "nan")
                except ValueError:
                    raise TraceError(f"{where}: {row[1]!r} is not a number") from None
                if math.isfinite(value):
                    times.append(moment)
                    values.append(max(0.0, value))
        if not times:
            raise TraceError(f"{path}: no values in it")
        begin = times[0] + start
        end = times[-1] if duration is None else begin + duration
        if begin > times[-1]:
            raise TraceError(f"{path}: it ends {times[-1] - times[0]:g} s after its start, "
                             f"before the part that was asked for")
        whole = cls(times, values)
        inner = [i for i, moment in enumerate(times) if begin < moment < end]
        times = [begin] + [times[i] for i in inner] + [end]
        values = [whole.at(begin)] + [values[i] for i in inner] + [whole.at(end)]
        factor = scale if peak is None else (peak / max(values) if max(values) else 0.0)
        return cls([(moment - begin) / speed for moment in times],
                   [value * factor for value in values])

    @classmethod
    def constant(cls, value: float) -> Trace:
        return cls([0.0], [value])

    @property
    def length(self) -> float:
        """Seconds it takes to play."""
        return self.times[-1]

    def at(self, moment: float) -> float:
        """The demand then; before the start the first value, after the end the last."""
        after = bisect.bisect_right(self.times, moment)
        if after == 0:
            return self.values[0]
        if after == len(self.times):
            return self.values[-1]
        span = self.times[after] - self.times[after - 1]
        part = (moment - self.times[after - 1]) / span
        return self.values[after - 1] + part * (self.values[after] - self.values[after - 1])


def _moment(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise TraceError(f"{where}: {text!r} is not a time (RFC 3339, YYYY-MM-DD HH:MM:SS or "
                         "Unix seconds)") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


@dataclass
class State:
    """What one workload got in the last tick, in cores."""

    demand: float
    pods: int          # that exist and are not being deleted
    ready: int
    per_pod: float     # of the pod that got most
    served: float
    time: float        # of the tick, Unix seconds

    @property
    def unserved(self) -> float:
        return max(0.0, self.demand - self.served)


@dataclass
class _Workload:
    namespace: str
    name: str
    kind: str
    demand: Callable[[], float]
    selector: Callable[[dict[str, str]], bool] | None = None
    state: State | None = None


@dataclass
class _Pod:
    """What was last written for a pod."""

    uid: str
    written: float
    seen: int = field(default=0)


class Traffic:
    """The driver: a thread that spreads the demand anew every `tick` seconds."""

    def __init__(self, client: Client, tick: float = 1.0,
                 on_error: Callable[[str], None] | None = None):
        self.client = client
        self.tick = tick
        self.on_error = on_error or (lambda message: None)
        self.last_error = ""
        self._workloads: dict[tuple[str, str, str], _Workload] = {}
        self._pods: dict[tuple[str, str], _Pod] = {}
        self._lock = threading.Lock()     # the workloads
        self._ticking = threading.Lock()  # one tick at a time
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._writers = ThreadPoolExecutor(4, "traffic")
        self._ticks = 0

    def __enter__(self) -> Traffic:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Traffic:
        if not self._thread:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Stops spreading; the pods keep using what they use (see clear())."""
        self._stop.set()
        if self._thread:
            self._thread.join()
            self._thread = None

    def set_demand(self, namespace: str, name: str, demand: float, kind: str = "Deployment"
                   ) -> None:
        """From now on this many cores are asked of the workload. Takes effect at once."""
        workload = self._set(namespace, name, kind, lambda: demand)
        if self._thread:
            with self._ticking:
                self._serve([workload])

    def play(self, namespace: str, name: str, trace: Trace, kind: str = "Deployment",
             loop: bool = False) -> None:
        """Plays a trace onto the workload, starting now."""
        begin = time.monotonic()

        def demand() -> float:
            elapsed = time.monotonic() - begin
            return trace.at(elapsed % trace.length if loop and trace.length else elapsed)

        self._set(namespace, name, kind, demand)

    def state(self, namespace: str, name: str, kind: str = "Deployment") -> State | None:
        """The last tick of the workload; None before the first."""
        with self._lock:
            workload = self._workloads.get((namespace, name, kind))
            return workload.state if workload else None

    def clear(self, namespace: str, name: str, kind: str = "Deployment") -> None:
        """No more traffic on the workload: its pods idle."""
        self._set(namespace, name, kind, lambda: 0.0)
        self.apply()
        with self._lock:
            self._workloads.pop((namespace, name, kind), None)

    def apply(self) -> None:
        """One tick, now. Raises ApiError or ApiUnavailable when the API does."""
        with self._ticking:
            self._ticks += 1
            with self._lock:
                workloads = list(self._workloads.values())
            if self._ticks % CHECK_TICKS == 0:
                for namespace in {workload.namespace for workload in workloads}:
                    self._check(namespace)
            self._serve(workloads)
            self._forget()

    # -- the parts --------------------------------------------------------

    def _set(self, namespace: str, name: str, kind: str, demand: Callable[[], float]) -> _Workload:
        if kind not in KINDS:
            raise ValueError(f"no traffic for a {kind}; one of {', '.join(KINDS)}")
        with self._lock:
            workload = self._workloads.setdefault((namespace, name, kind),
                                                  _Workload(namespace, name, kind, demand))
            workload.demand = demand
            return workload

    def _serve(self, workloads: list[_Workload]) -> None:
        """Spreads the demands on these as they are now."""
        namespaces = {workload.namespace for workload in workloads}
        # of all namespaces at once where there are several: a request costs the API server more than some pods in it
        where = f"/namespaces/{next(iter(namespaces))}" if len(namespaces) == 1 else ""
        pods: dict[str, list[dict[str, Any]]] = {namespace: [] for namespace in namespaces}
        for pod in self.client.list(f"/api/v1{where}/pods", resourceVersion="0") if pods else ():
            pods.get(pod["metadata"]["namespace"], []).append(pod)
        jobs = [job for workload in workloads for job in self._spread(workload, pods[workload.namespace])]
        errors = [error for error in self._writers.map(self._write, jobs) if error]
        if errors:
            raise errors[0]

    def _run(self) -> None:
        while not self._stop.is_set():
            begin = time.monotonic()
            try:
                self.apply()
                self._report("")
            except (ApiError, ApiUnavailable) as error:  # the API comes back, or the test ends
                self._report(str(error))
            self._stop.wait(max(0.0, self.tick - (time.monotonic() - begin)))

    def _report(self, message: str) -> None:
        if message and message != self.last_error:
            self.on_error(message)
        self.last_error = message

    def _spread(self, workload: _Workload, pods: list[dict[str, Any]]
                ) -> list[tuple[dict[str, Any], float]]:
        """Who gets how much: pods and cores, only where that changes something."""
        if workload.selector is None:
            workload.selector = self._selector(workload)
        if workload.selector is None:
            return []
        mine = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")
                and workload.selector(pod["metadata"].get("labels") or {})]
        if not mine:
            workload.selector = None  # it may be deleted and come back as another one
        ready = [pod for pod in mine if _is_ready(pod)]
        demand = max(0.0, workload.demand())
        jobs = []
        served = most = 0.0
        for pod in ready:
            share = min(demand / len(ready), _limit(pod))
            served += share
            most = max(most, share)
            jobs += self._changed(pod, max(share, IDLE_CORES))
        for pod in mine:
            if pod not in ready and self._known(pod):
                jobs += self._changed(pod, IDLE_CORES)
        workload.state = State(demand, len(mine), len(ready), most, served, time.time())
        return jobs

    def _selector(self, workload: _Workload) -> Callable[[dict[str, str]], bool] | None:
        try:
            target = self.client.get(f"/apis/apps/v1/namespaces/{workload.namespace}/"
                                     f"{KINDS[workload.kind]}/{workload.name}")
        except ApiError as error:
            if error.status == 404:
                return None  # not there yet
            raise
        return _matcher(target["spec"]["selector"])

    def _known(self, pod: dict[str, Any]) -> bool:
        meta = pod["metadata"]
        known = self._pods.get((meta["namespace"], meta["name"]))
        return known is not None and known.uid == meta["uid"]

    def _changed(self, pod: dict[str, Any], usage: float) -> list[tuple[dict[str, Any], float]]:
        meta = pod["metadata"]
        known = self._pods.get((meta["namespace"], meta["name"]))
        if known and known.uid == meta["uid"]:
            known.seen = self._ticks
            if abs(known.written - usage) <= 0.0005 * known.written:
                return []
        return [(pod, usage)]

    def _check(self, namespace: str) -> None:
        """What somebody else has removed is written again: the garbage collector may take a
        recreated pod's object for its predecessor's."""
        there = {item["metadata"]["name"]
                 for item in self.client.list(USAGES.format(namespace), resourceVersion="0")}
        for key in [key for key in self._pods if key[0] == namespace and key[1] not in there]:
            del self._pods[key]

    def _forget(self) -> None:
        """Pods that are gone; their objects go with them."""
        for key in [key for key, pod in self._pods.items()
                    if self._ticks - pod.seen > 2 * CHECK_TICKS]:
            del self._pods[key]

    def _write(self, job: tuple[dict[str, Any], float]) -> Exception | None:
        pod, usage = job
        meta = pod["metadata"]
        body = _usage_object(pod, usage)
        collection = USAGES.format(meta["namespace"])
        try:
            try:
                self.client.patch(f"{collection}/{meta['name']}", body)
            except ApiError as error:
                if error.status != 404:
                    raise
                try:
                    self.client.post(collection, body)
                except ApiError as conflict:
                    # made by another driver in between, or the namespace is going: next tick
                    if conflict.status not in (403, 404, 409):
                        raise
                    return None
        except (ApiError, ApiUnavailable) as error:
            return error
        self._pods[(meta["namespace"], meta["name"])] = _Pod(meta["uid"], usage, self._ticks)
        return None


def _is_ready(pod: dict[str, Any]) -> bool:
    return any(condition["type"] == "Ready" and condition["status"] == "True"
               for condition in pod["status"].get("conditions") or [])


def _main_container(pod: dict[str, Any]) -> dict[str, Any]:
    """The one that does the work: as kubectl chooses its default container."""
    wanted = (pod["metadata"].get("annotations") or {}).get(
        "kubectl.kubernetes.io/default-container")
    containers = pod["spec"]["containers"]
    return next((c for c in containers if c["name"] == wanted), containers[0])


def _limit(pod: dict[str, Any]) -> float:
    limits = [section.get("resources", {}).get("limits", {}).get("cpu")
              for section in (_main_container(pod), pod["spec"])]
    return min((cores(limit) for limit in limits if limit), default=math.inf)


def _usage_object(pod: dict[str, Any], usage: float) -> dict[str, Any]:
    meta = pod["metadata"]
    main = _main_container(pod)["name"]
    memory = (meta.get("annotations") or {}).get("kwok.x-k8s.io/usage-memory", DEFAULT_MEMORY)

    def entry(value: float) -> dict[str, Any]:
        return {"cpu": {"value": f"{max(1, round(value * 1e6))}u"}, "memory": {"value": memory}}

    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ResourceUsage",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"],
                         "ownerReferences": [{"apiVersion": "v1", "kind": "Pod",
                                              "name": meta["name"], "uid": meta["uid"]}]},
            "spec": {"usages": [{"containers": [main], "usage": entry(usage)},
                                {"usage": entry(IDLE_CORES)}]}}


def _matcher(selector: dict[str, Any]) -> Callable[[dict[str, str]], bool]:
    equal = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []

    def one(expression: dict[str, Any], labels: dict[str, str]) -> bool:
        key, operator = expression["key"], expression["operator"]
        values: Iterable[str] = expression.get("values") or []
        return {"In": key in labels and labels[key] in values,
                "NotIn": labels.get(key, "") not in values,
                "Exists": key in labels,
                "DoesNotExist": key not in labels}[operator]

    def matches(labels: dict[str, str]) -> bool:
        return (all(labels.get(key) == value for key, value in equal.items())
                and all(one(expression, labels) for expression in expressions))

    return matches
