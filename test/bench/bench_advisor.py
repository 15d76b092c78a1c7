#!/usr/bin/python3
"""What an LLM advisor costs the syncs of a thousand autoscalers, when its provider takes a minute for every answer and eight are
asked at a time.

    make bench B=advisor                  five pairs, with the advisor and without, about 50 minutes
    make bench B=advisor SECONDS=60       windows of a minute instead of two: less sure of the 99 %

One control plane serves all. Before each window every autoscaler gets another maxReplicas, so that all of them have a reason to
ask, by forty bounds and five levels of usage, which with what else differs are some 250 situations; then the operator is started,
with a configuration that names the provider or with one that does not, and is looked at once it has settled. Which of a pair
comes first changes from pair to pair. The demand stands still.

A sync's delay is the time from when it was due until it began (workqueue_queue_duration_seconds). The provider listens on
loopback, in this process. On a machine that others use, waits for the processor are most of it: `--alone` leaves them out. The exit
status is 1 when a goal is missed.
"""
import argparse
import concurrent.futures
import datetime
import http.server
import json
import math
import os
import pathlib
import statistics
import sys
import threading
import time

from bench_operator import DEPLOYMENTS, MIB, PAS, ROOT, Bench, Window, autoscaler, play, say  # sets sys.path

from kubeapi import eventually  # noqa: E402  isort: skip
from support import deployment  # noqa: E402  isort: skip
from traffic import Trace, Traffic  # noqa: E402  isort: skip

CALL_S, KEEP_ALIVE_S, CONCURRENT = 60.0, 20.0, 8
BOUNDS = 40
PER_POD = 0.06  # cores, of a request of 0.1 and a target of 60 %
LEVELS = (0.92, 0.96, 1.0, 1.04, 1.08)  # of the target, inside of the tolerance: nothing is scaled but by advice
MOST_DIFFERENCE_MS, MOST_TURN_MS = 5, 2


class Provider(http.server.ThreadingHTTPServer):
    """A model that thinks for a minute: a blank now and then, as some providers send them, then the decision."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.lock, self.calls, self.at_once, self.most_at_once = threading.Lock(), 0, 0, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_):
        """The operator has ended and taken its question back."""


class Answering(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def do_POST(self):  # noqa: N802
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = json.loads(body["messages"][-1]["content"])
        with server.lock:
            server.calls += 1
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            end = time.monotonic() + CALL_S
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(left, KEEP_ALIVE_S))
                self.chunk(b" ")
            self.chunk(json.dumps({
                "choices": [{"message": {"role": "assistant", "content": json.dumps(self.decision(asked))},
                             "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 400, "completion_tokens": 80}}).encode())
            self.chunk(b"")
        finally:
            with server.lock:
                server.at_once -= 1

    @staticmethod
    def decision(asked):
        """One more where usage is well above the target, else as it is."""
        raised = asked.get("usagePercentOfTarget", 0) > 105 and asked["currentReplicas"] < asked["maxReplicas"]
        return {"action": "scale_up" if raised else "maintain", "target_replicas": asked["currentReplicas"] + raised,
                "confidence": 0.8, "reasoning": "Usage is above its target and grows. " * 8, "risk_assessment": "low",
                "cost_impact": "low", "recommended_timing": "immediate"}

    def log_message(self, *_):
        pass


class Side:
    """One run of the operator, with the advisor or without."""

    def __init__(self, window, advised, calls, turns):
        self.delay_ms = 1000 * window.histograms["workqueue_queue_duration_seconds"].estimate(0.99)
        self.late_ms = 1000 * window.histograms["event_loop_timer_late_seconds"].estimate(0.99)
        self.cpu, self.anonymous, self.peak = window.cpu_percent, window.anonymous / MIB, window.peak / MIB
        self.syncs, self.advised, self.calls = window.syncs / window.seconds, advised, calls
        self.turn_ms, self.turns_above = 1000 * turns.quantile(1), turns.above(MOST_TURN_MS / 1000)


class AdvisorBench(Bench):
    def __init__(self, options):
        n = options.autoscalers  # three nodes, and advice adds some pods
        super().__init__(options, node_pods=str(n), node_cpu=str(n // 10 + 1))
        self.provider = Provider()
        self.namespaces = [f"bench-{i}" for i in range(min(20, n))]
        self.all = [(self.namespaces[i % len(self.namespaces)], f"app-{i}", i) for i in range(n)]
        self.runs = 0
        self.configs = {}
        for advised in (False, True):
            path = self.build / f"bench-advisor-{'on' if advised else 'off'}.yaml"
            providers = [{"name": "slow", "api": "OpenAI", "url": self.provider.url, "model": "slow-1", "timeoutSeconds": 120}]
            path.write_text(json.dumps({
                "apiVersion": "ai4k8s.io/v1alpha1", "kind": "OperatorConfiguration",
                "advisor": {"maxConcurrentCalls": CONCURRENT, "providers": providers if advised else []}}))
            self.configs[advised] = path

    def in_parallel(self, what, wanted):
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            list(pool.map(what, wanted))

    # ---- what is measured on ----

    def add_one(self, one):
        namespace, name, i = one
        item = autoscaler(name)
        item["spec"].update(maxReplicas=self.max_replicas(i), advisor={"mode": "Bounded", "maxReplicaDelta": 1})
        self.api.post(DEPLOYMENTS.format(namespace), deployment(name, 1, cpu_request="100m"))
        self.api.post(PAS.format(namespace), item)

    def max_replicas(self, i):
        return 5 + (i // len(self.namespaces)) % BOUNDS + BOUNDS * self.runs

    def give_reason(self, one):
        namespace, name, i = one
        self.api.patch(f"{PAS.format(namespace)}/{name}", {"spec": {"maxReplicas": self.max_replicas(i)}})

    def populate(self):
        say(f"{len(self.all)} autoscalers in {len(self.namespaces)} namespaces, a pod each: creating them")
        for namespace in self.namespaces:
            self.add_namespace(namespace)
        self.in_parallel(self.add_one, self.all)
        self.await_pods(self.namespaces, 300 + len(self.all))  # kube-controller-manager's rate of requests
        traffic = Traffic(self.api)
        for namespace, name, i in self.all:  # the level goes with the bound, so that equal ones ask the same
            level = LEVELS[(i // len(self.namespaces)) % len(LEVELS)]
            traffic.play(namespace, name, Trace.constant(level * PER_POD))
        traffic.apply()  # once: the pods go on using that

    def advised(self):
        """The share of autoscalers that have advice which has not expired."""
        now, items = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S"), []
        for namespace in self.namespaces:
            items += [item.get("status", {}).get("advisor", {}) for item in self.api.list(PAS.format(namespace))]
        return sum(bool(told.get("id")) and told.get("expireTime", "") > now for told in items) / len(items)

    # ---- the measurements ----

    def side(self, with_advisor):
        self.runs += 1
        self.in_parallel(self.give_reason, self.all)
        before = self.provider.calls
        self.operator.start("--config", str(self.configs[with_advisor]))
        try:
            if self.options.alone:
                os.sched_setscheduler(self.operator.process.pid, os.SCHED_FIFO, os.sched_param(1))
            time.sleep(5)
            eventually(lambda: self.operator.check() or self.operator.scrape()[0]["controller_runtime_reconcile_total"] > 0, 60,
                       message="the first sync")
            time.sleep(self.options.settle)
            window = Window(self, self.options.seconds)
            turns = self.operator.scrape()[1]["ai4k8s_advisor_loop_cpu_seconds"]  # since the start, the rush included
            return Side(window, self.advised() if with_advisor else 0.0, self.provider.calls - before, turns)
        finally:
            self.operator.stop()

    def pairs(self):
        t = self.table
        print(f"\n{self.options.autoscalers} autoscalers, {CONCURRENT} calls of {CALL_S:g} s at once, windows of "
              f"{self.options.seconds:g} s, {self.options.settle:g} s after the start; load of the machine "
              f"{os.getloadavg()[1]:.1f}\n"
              f"{'':>6}{'99 % of syncs begin within':>28}{'CPU':>15}{'RssAnon':>17}{'calls':>7}{'advised':>9}{'turn <=':>9}\n"
              f"{'pair':>6}{'off':>9}{'on':>9}{'more':>10}{'off':>8}{'on':>7}{'off':>8}{'on':>9}", flush=True)
        found = []
        for k in range(self.options.pairs):
            sides = {}
            for with_advisor in ((False, True), (True, False))[k % 2]:
                say(f"pair {k + 1} of {self.options.pairs}, the advisor {'on' if with_advisor else 'off'}")
                sides[with_advisor] = self.side(with_advisor)
            off, on = sides[False], sides[True]
            found.append((off, on))
            print(f"{k + 1:>6}{off.delay_ms:>6.2f} ms{on.delay_ms:>6.2f} ms{on.delay_ms - off.delay_ms:>+7.2f} ms"
                  f"{off.cpu:>6.2f} %{on.cpu:>5.2f} %{off.anonymous:>8.1f}{on.anonymous:>5.1f} MiB{on.calls:>7}"
                  f"{100 * on.advised:>7.0f} %{on.turn_ms:>6.1f} ms", flush=True)
        t.heading(f"Medians of {len(found)} pairs")
        t.row("99 % of syncs begin later by", statistics.median(on.delay_ms - off.delay_ms for off, on in found), "ms",
              MOST_DIFFERENCE_MS)
        t.row("  within, without the advisor", statistics.median(off.delay_ms for off, _ in found), "ms")
        t.row("  within, with it", statistics.median(on.delay_ms for _, on in found), "ms")
        t.row("99 % of timers run later by", statistics.median(on.late_ms - off.late_ms for off, on in found), "ms")
        t.row("share of autoscalers with advice at the end", 100 * statistics.median(on.advised for _, on in found), "%")
        t.row("most calls at once", self.provider.most_at_once, "", CONCURRENT)
        t.row("CPU, without it", statistics.median(off.cpu for off, _ in found), "%")
        t.row("CPU, with it", statistics.median(on.cpu for _, on in found), "%")
        t.row("anonymous memory (RssAnon), without it", statistics.median(off.anonymous for off, _ in found), "MiB")
        t.row("anonymous memory (RssAnon), with it", statistics.median(on.anonymous for _, on in found), "MiB")
        t.heading("The longest of all runs, from the start on")
        t.row("turn of the loop in the advisor's code, CPU (bound of a bucket)",
              max((on.turn_ms for _, on in found if not math.isnan(on.turn_ms)), default=math.nan), "ms", MOST_TURN_MS)
        t.row(f"  turns above {MOST_TURN_MS} ms", int(sum(on.turns_above for _, on in found)))

    def run(self):
        self.install()
        try:
            self.populate()
            self.pairs()
        finally:
            if hasattr(self.operator, "process"):
                self.operator.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="length of the windows (%(default)g)")
    parser.add_argument("--settle", type=float, default=90, help="from the start to the window (%(default)g)")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--autoscalers", type=int, default=1000, metavar="N")
    parser.add_argument("--alone", action="store_true", help="the operator goes before all other processes (SCHED_FIFO, "
                        "by root): its own delays on a machine that others use")
    parser.add_argument("--build", default=str(ROOT / "build"), help="where the programs are (build)")
    parser.add_argument("--json", metavar="FILE", help="also write the values there")
    options = parser.parse_args()
    if not os.access(pathlib.Path(options.build) / "ai4k8s-operator", os.X_OK):
        sys.exit(f"bench: {options.build}/ai4k8s-operator is not there: run `make`")
    play(AdvisorBench, options)


if __name__ == "__main__":
    main()
