#!/usr/bin/python3
"""What the running operator costs, beside its goals: the optimised program, as in a pod of the shipped manifests, on a control
plane of its own.

    make bench B=operator                 with 1 and with 100 autoscalers, about 20 minutes
    make bench B=operator SECONDS=60      windows of a minute instead of five: less sure of the rates
    make bench B=operator-1000            with 1,000 autoscalers in 20 namespaces, about 7 minutes

Requests are counted in the API server's audit log, memory and CPU time read from /proc, the rest from /metrics. The exit status
is 1 when a goal is missed.
"""
import argparse
import collections
import concurrent.futures
import json
import math
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "hack"), str(ROOT / "test/integration")]

from controlplane import ControlPlane, ControlPlaneError  # noqa: E402
from kubeapi import eventually  # noqa: E402
from support import AuditLog, deployment, service_account_user  # noqa: E402
from traffic import Trace, Traffic  # noqa: E402

SYNC_S = 15
PAS = "/apis/ai4k8s.io/v1alpha1/namespaces/{}/predictiveautoscalers"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
READS, WRITES = {"get", "list"}, {"create", "update", "patch", "delete"}
OUTSIDE_SYNCS = {"leases"}
CHECKPOINTS, CHECKPOINTS_PER_HOUR = "predictiveautoscalercheckpoints", 6
MIB = 1 << 20


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def proc_status(pid):
    """The sizes in /proc/PID/status, in bytes."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: int(rest.split()[0]) * 1024 for key, _, rest in (line.partition(":") for line in lines) if rest.endswith(" kB")}


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def autoscaler(name):
    metric = {"name": "cpu", "type": "Resource",
              "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}
    return {"apiVersion": "ai4k8s.io/v1alpha1", "kind": "PredictiveAutoscaler", "metadata": {"name": name},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "minReplicas": 1,
                     "maxReplicas": 5, "syncPeriodSeconds": SYNC_S, "metrics": [metric]}}


class Table:
    """Values beside their goals; printed line by line as they become known."""

    def __init__(self):
        self.rows, self.missed = [], 0

    def heading(self, text):
        print(f"\n{text}\n{'':2}{'':<58}{'value':>14}  goal", flush=True)

    def row(self, what, value, unit="", most=None, goal=None, digits=2):
        """`most` is the goal; without one the line only informs."""
        met = most is None or value <= most
        self.missed += not met
        self.rows.append({"what": what, "value": value, "unit": unit, "goal": most})
        text = f"{value:.{digits}f}" if isinstance(value, float) else str(value)
        goal = goal or ("" if most is None else f"<= {most:g} {unit}".rstrip())
        print(f"  {what:<58}{text + (' ' + unit if unit else ''):>14}  {goal}{'' if met else '   MISSED'}", flush=True)


class Histogram(dict):
    """Cumulative counts by upper bound, as one scrape has them."""

    def __sub__(self, other):
        return Histogram({bound: count - other.get(bound, 0) for bound, count in self.items()})

    def quantile(self, q):
        """The bound of the bucket in which it lies; NaN when there is nothing."""
        total = self.get(math.inf, 0)
        return min((bound for bound, count in self.items() if total and count >= q * total), default=math.nan)

    def estimate(self, q):
        """The same, and where in that bucket, as histogram_quantile() has it."""
        wanted, below, under = q * self.get(math.inf, 0), 0.0, 0.0
        for bound, count in sorted(self.items()):
            if wanted and count >= wanted:
                return below if math.isinf(bound) else below + (bound - below) * (wanted - under) / (count - under)
            below, under = bound, count
        return math.nan

    def above(self, bound):
        """How many; `bound` is one of a bucket."""
        return self.get(math.inf, 0) - self.get(bound, 0)


class Operator:
    """The operator's process, with exactly the rights and the environment of its pod."""

    def __init__(self, plane, program, log):
        self.plane, self.program, self.log = plane, program, log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.metrics_port = free.getsockname()[1]

    def start(self, *more):
        argv = [str(self.program), *more, "--leader-elect-namespace=ai4k8s-system", "--log-format=json",
                "--health-probe-bind-address=127.0.0.1:0", f"--metrics-bind-address=127.0.0.1:{self.metrics_port}"]
        argv, env = self.plane.in_cluster(argv, "ai4k8s-operator", "ai4k8s-system", "6h")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(argv, env=env, stdout=log, stderr=log)

    def stop(self):
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def check(self):
        if self.process.poll() is not None:
            sys.exit(f"bench: the operator ended with status {self.process.returncode}; see {self.log}")

    def scrape(self):
        """Sums by name; histograms by name, over all their labels but controller and queue."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        sums, histograms = collections.Counter(), collections.defaultdict(Histogram)
        for line in text.splitlines():
            match = re.match(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if not match or line.startswith("#"):
                continue
            name, labels, value = match[1], match[2] or "", float(match[3])
            bound = re.search(r'le="([^"]*)"', labels)
            if name.endswith("_bucket") and bound:
                bound, buckets = float(bound[1]), histograms[name.removesuffix("_bucket")]
                buckets[bound] = buckets.get(bound, 0) + value
            else:
                sums[name] += value
        return sums, histograms


class Window:
    """A stretch of time: what the operator used and asked for in it."""

    def __init__(self, bench, seconds, look=lambda: None):
        operator, audit = bench.operator, bench.audit
        position, began, cpu = audit.end(), time.monotonic(), cpu_seconds(operator.process.pid)
        sums, histograms = operator.scrape()
        self.rss = self.anonymous = 0
        while (left := began + seconds - time.monotonic()) > 0:
            operator.check()
            look()
            time.sleep(min(left, 5))
        look()
        self.seconds = time.monotonic() - began
        self.cpu = cpu_seconds(operator.process.pid) - cpu
        status = proc_status(operator.process.pid)
        self.rss, self.anonymous, self.peak = status["VmRSS"], status["RssAnon"], status["VmHWM"]
        entries = audit.entries(since=position, user=bench.user)
        now, now_histograms = operator.scrape()
        self.syncs = now["controller_runtime_reconcile_total"] - sums["controller_runtime_reconcile_total"]
        self.histograms = {name: h - histograms.get(name, Histogram()) for name, h in now_histograms.items()}
        self.reads = self._count(entries, READS)
        self.writes = self._count(entries, WRITES)
        self.writes_to = collections.Counter()  # by the autoscaler's name, which is also its target's; checkpoints apart
        for entry in entries:
            reference = entry.get("objectRef") or {}
            if entry["verb"] in WRITES and reference.get("resource") not in OUTSIDE_SYNCS | {CHECKPOINTS}:
                self.writes_to[self._about(entry)] += 1

    @staticmethod
    def _about(entry):
        """The autoscaler that a request is about; an event's name begins with its object's."""
        return (entry["objectRef"].get("name") or "").split(".")[0]

    @staticmethod
    def _count(entries, verbs):
        found = collections.Counter()
        for entry in entries:
            reference = entry.get("objectRef") or {}
            name = "/".join(filter(None, (reference.get("resource"), reference.get("subresource"))))
            if entry["verb"] in verbs and name not in OUTSIDE_SYNCS:
                found[name] += 1
        return found

    def per_period(self, counts):
        return sum(counts.values()) / self.seconds * SYNC_S

    def per_hour(self, counts, autoscalers):
        return sum(counts.values()) / self.seconds * 3600 / autoscalers

    @property
    def cpu_percent(self):
        return 100 * self.cpu / self.seconds


class Told:
    """What the status of one autoscaler said in turn, times apart: a write that repeats it was for nothing."""

    def __init__(self, api, path):
        self.api, self.path, self.version, self.values, self.changes, self.changed = api, path, None, {}, 0, set()

    def __call__(self):
        found = self.api.get(self.path)
        version, values = found["metadata"]["resourceVersion"], dict(self._flat("", found.get("status", {})))
        if self.version and version != self.version:
            differ = {key for key in values.keys() | self.values.keys() if values.get(key) != self.values.get(key)}
            self.changes += bool(differ)
            self.changed |= {re.split(r"[.\[]", key)[0] for key in differ}
        self.version, self.values = version, values

    def _flat(self, name, value):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from self._flat(f"{name}.{key}".lstrip("."), inner)
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                yield from self._flat(f"{name}[{i}]", inner)
        elif not re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", str(value)):
            yield name, value


def named(counts):
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none"


class Bench:
    def __init__(self, options, **plane):
        self.options = options
        self.build = pathlib.Path(options.build)
        self.plane = ControlPlane(f"bench-{os.getpid()}", audit_level="Metadata", **plane)
        self.operator = Operator(self.plane, self.build / "ai4k8s-operator", self.build / "bench-operator.log")
        self.user = service_account_user("ai4k8s-system", "ai4k8s-operator")
        self.table = Table()

    # ---- what is measured on ----

    def install(self):
        say("starting a Kubernetes control plane (the first time its programs are built, about 7 minutes)")
        self.plane.up(until_exit_of=os.getpid())
        self.api, self.audit = self.plane.client, AuditLog(self.plane.audit_log)
        env = dict(os.environ, **self.plane.environment())
        subprocess.run(["kubectl", "apply", "-k", str(ROOT / "manifests/base")], env=env, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["kubectl", "scale", "-n", "ai4k8s-system", "deployment/ai4k8s-operator", "--replicas=0"], env=env, check=True,
                       stdout=subprocess.DEVNULL)  # it runs here, not in a pod

    def add_namespace(self, namespace):
        self.api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        eventually(lambda: self.api.exists(f"/api/v1/namespaces/{namespace}/serviceaccounts/default"), 60, message=namespace)

    def add(self, namespace, name, replicas):
        self.api.post(DEPLOYMENTS.format(namespace), deployment(name, replicas, cpu_request="100m"))
        self.api.post(PAS.format(namespace), autoscaler(name))

    def add_all(self, wanted):
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda one: self.add(*one), wanted))

    def await_pods(self, namespaces, timeout=300):
        def ready():
            return all(d["status"].get("readyReplicas", 0) == d["spec"]["replicas"]
                       for namespace in namespaces for d in self.api.list(DEPLOYMENTS.format(namespace)))
        eventually(ready, timeout, 1, message="the pods")

    def await_status(self, namespaces, timeout=120):
        """Every autoscaler has been told about."""
        def told():
            self.operator.check()
            return all(item.get("status", {}).get("conditions") for namespace in namespaces
                       for item in self.api.list(PAS.format(namespace)))
        eventually(told, timeout, message="a status of every autoscaler")

    def have_forecasts(self):
        self.operator.check()
        return all(any(c["type"] == "ForecastReady" and c["status"] == "True" for c in item.get("status", {}).get("conditions", []))
                   for item in self.api.list(PAS.format("bench")))

    # ---- the measurements ----

    def idle_peer(self):
        token = self.plane.token("ai4k8s-operator", "ai4k8s-system")
        with subprocess.Popen([str(self.build / "bench/idle_peer"), f"{self.plane.server}/version", self.plane.ca_file],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
            peer.stdin.write(token + "\n")
            peer.stdin.flush()
            if peer.stdout.readline() != "ready\n":
                sys.exit("bench: the do-nothing program could not connect")
            status = proc_status(peer.pid)
            peer.stdin.close()
        return status

    def one(self):
        seconds = self.options.seconds
        self.add_namespace("bench")
        self.add("bench", "app-0", 1)
        self.await_pods(["bench"])
        self.traffic.set_demand("bench", "app-0", 0.05)
        self.operator.start()
        self.await_status(["bench"])
        say(f"one autoscaler: until its first sample is taken (at most 5 minutes), then {seconds:g} s")
        time.sleep(60)
        eventually(self.have_forecasts, 330, 2, message="the first forecast")
        time.sleep(15)
        told = Told(self.api, PAS.format("bench") + "/app-0")
        window = Window(self, seconds, told)
        peer = self.idle_peer()
        t = self.table
        t.heading(f"One autoscaler, nothing changes, {seconds:g} s")
        t.row("anonymous memory (RssAnon)", window.anonymous / MIB, "MiB", 4)
        t.row("resident memory (VmRSS)", window.rss / MIB, "MiB")
        t.row("  of a program that does nothing, same libraries, 4 TLS", peer["VmRSS"] / MIB, "MiB")
        t.row("  its anonymous memory", peer["RssAnon"] / MIB, "MiB")
        t.row("CPU", window.cpu_percent, "%", 0.1, "< 0.1 %", digits=3)
        t.row("API reads per sync period, watches and lease apart", window.per_period(window.reads))
        writes = sum(window.writes.values()) - window.writes[CHECKPOINTS]
        t.row("writes, checkpoints apart", writes, goal=f"changed: {', '.join(sorted(told.changed)) or 'nothing'}")
        t.row("  that changed nothing but times", writes - told.changes, most=0)
        print(f"    reads: {named(window.reads)}; writes: {named(window.writes)}")
        return window

    def hundred(self, with_one):
        n, seconds = 100, self.options.seconds
        say(f"{n} autoscalers: creating them")
        self.add_all([("bench", f"app-{i}", 1) for i in range(1, n)])
        self.await_pods(["bench"])
        self.await_status(["bench"])
        say("until the first sample of each is taken (at most 5 minutes), then 120 s with nothing changing")
        eventually(self.have_forecasts, 400, 5, message="a forecast of every autoscaler")
        time.sleep(30)
        window = Window(self, 120)
        t = self.table
        t.heading(f"{n} autoscalers in the same namespace, nothing changes, 120 s")
        reads = window.per_period(window.reads)
        t.row("API reads per sync period, watches and lease apart", reads, most=round(with_one.per_period(with_one.reads) + 0.3, 2),
              goal=f"as with one: {with_one.per_period(with_one.reads):.2f}")
        t.row("CPU", window.cpu_percent, "%", digits=3)
        t.row("anonymous memory, per autoscaler beyond the first", (window.anonymous - with_one.anonymous) / 1024 / (n - 1), "KiB")
        print(f"    reads: {named(window.reads)}; writes: {named(window.writes)}")
        say(f"a demand that varies on twenty of them: a minute to settle, then {seconds:g} s")
        varying = {f"app-{i}" for i in range(0, n, 5)}
        for k, name in enumerate(sorted(varying)):  # from one pod to three and back within an hour, each at another hour
            wave = [0.1 - 0.07 * math.cos(2 * math.pi * (minute / 60 + k / len(varying))) for minute in range(61)]
            self.traffic.play("bench", name, Trace([60.0 * minute for minute in range(61)], wave), loop=True)
        time.sleep(60)
        window = Window(self, seconds)
        t.heading(f"{n} autoscalers, the demand on {len(varying)} of them goes up and down within an hour, {seconds:g} s")
        # Checkpoints come every ten minutes, after a window that begins with the autoscalers.
        decisions = {what: count for what, count in window.writes.items() if what != CHECKPOINTS}
        t.row("writes per autoscaler and hour, with 6 checkpoints", window.per_hour(decisions, n) + CHECKPOINTS_PER_HOUR, "", 20)
        theirs = {name: window.writes_to[name] for name in varying | {""}}  # nothing else scales, or has events
        t.row("  of one whose demand varies", window.per_hour(theirs, len(varying)) + CHECKPOINTS_PER_HOUR, "",
              goal="18, and 3 per scaling")
        t.row("CPU", window.cpu_percent, "%", digits=3)
        self.delays(window)
        print(f"    reads: {named(window.reads)}; writes: {named(window.writes)}")

    def thousand(self):
        n, seconds = self.options.autoscalers, min(self.options.seconds, 120)
        namespaces = [f"bench-{i}" for i in range(min(20, n))]
        say(f"{n} autoscalers in {len(namespaces)} namespaces: creating them")
        for namespace in namespaces:
            self.add_namespace(namespace)
        self.add_all([(namespaces[i % len(namespaces)], f"app-{i}", (i // len(namespaces)) % 2) for i in range(n)])
        self.await_pods(namespaces)
        began = time.monotonic()
        self.operator.start()
        self.await_status(namespaces, 600)
        told_after = time.monotonic() - began
        say(f"every one has its status after {told_after:.0f} s; two minutes to settle, then {seconds:g} s")
        time.sleep(120)
        window = Window(self, seconds)
        t = self.table
        t.heading(f"{n} autoscalers in {len(namespaces)} namespaces, a pod in half of them, {seconds:g} s")
        t.row("resident memory (VmRSS)", window.rss / MIB, "MiB", 32)
        t.row("  the most so far (VmHWM)", window.peak / MIB, "MiB")
        t.row("  anonymous (RssAnon)", window.anonymous / MIB, "MiB")
        t.row("CPU", window.cpu_percent, "%")
        t.row("syncs per second", window.syncs / window.seconds)
        t.row("from the start to a status of every one", told_after, "s", digits=0)
        self.delays(window)
        print(f"    reads: {named(window.reads)}; writes: {named(window.writes)}")

    def delays(self, window):
        t = self.table
        requests = sum(window.reads.values()) + sum(window.writes.values())
        syncs = max(window.syncs, 1)
        t.row("API requests per sync", requests / syncs, goal="(built-in HPA controller: 2.8)")
        t.row("CPU per sync", 1000 * window.cpu / syncs, "ms", goal="(built-in HPA controller: 1.1)")
        wait = window.histograms["workqueue_queue_duration_seconds"]
        t.row("99 of 100 syncs begin within (bound of a bucket)", 1000 * wait.quantile(0.99), "ms", goal="(built-in: 52 ms)")
        late = window.histograms["event_loop_timer_late_seconds"]
        t.row("99 of 100 timers run within (bound of a bucket)", 1000 * late.quantile(0.99), "ms")

    def whole_life(self):
        """The longest dispatch since the start, start included."""
        dispatch = self.operator.scrape()[1]["event_loop_dispatch_cpu_seconds"]
        self.table.heading("Since the operator's start")
        self.table.row("longest dispatch of the loop, CPU (bound of a bucket)", 1000 * dispatch.quantile(1), "ms", 20)

    def run(self):
        self.install()
        try:
            if self.options.autoscalers:
                self.thousand()
            else:
                with Traffic(self.api, tick=5.0) as self.traffic:
                    self.hundred(self.one())
            self.whole_life()
        finally:
            if hasattr(self.operator, "process"):
                self.operator.stop()


def play(kind, options):
    """Measures, stops the control plane whatever happens, and ends with a status that is not 0 when a goal is missed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = kind(options)
    try:
        bench.run()
    except (ControlPlaneError, subprocess.CalledProcessError, TimeoutError) as error:
        sys.exit(f"bench: {error}")
    finally:
        bench.plane.down()
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(bench.table.rows, indent=1) + "\n")
    if bench.table.missed:
        sys.exit(f"\n{bench.table.missed} goals are missed.")
    print("\nEvery goal is met.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="length of the windows (%(default)g)")
    parser.add_argument("--autoscalers", type=int, metavar="N", help="only measure with so many, spread over 20 namespaces")
    parser.add_argument("--build", default=str(ROOT / "build"), help="where the programs are (build)")
    parser.add_argument("--json", metavar="FILE", help="also write the values there")
    options = parser.parse_args()
    for program in ("ai4k8s-operator", "bench/idle_peer"):
        if not os.access(pathlib.Path(options.build) / program, os.X_OK):
            sys.exit(f"bench: {options.build}/{program} is not there: run `make bench`")
    play(Bench, options)


if __name__ == "__main__":
    main()
