"""The plugin with a cluster: pause, resume, backfill, status, explain."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from autoscalers import await_condition, create, get, path
from operator_process import BUILD, ROOT, install
from support import create_deployment, eventually

PROGRAM = BUILD / "kubectl-ai4k8s"
WEEK = ROOT / "test/data/worldcup98_june25.csv"


@pytest.fixture
def plugin(control_plane):
    install(control_plane)
    environment = {**os.environ, **control_plane.environment()}

    def run(*arguments, **options):
        return subprocess.run([PROGRAM, *map(str, arguments)], env=environment, text=True,
                              capture_output=True, timeout=120, check=False, **options)

    return run


@pytest.fixture
def idle(api, namespace, plugin):
    """An autoscaler that nobody needs to scale: its target does not exist."""
    return create(api, namespace, "web", "web")["metadata"]["name"]


# ---- pause and resume ----

def test_pause_and_resume(api, namespace, plugin, idle):
    answer = plugin("pause", idle, "-n", namespace)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "predictiveautoscaler.ai4k8s.io/web paused\n"
    assert get(api, namespace, idle)["metadata"]["annotations"]["ai4k8s.io/paused"] == "true"
    assert plugin("pause", idle, "-n", namespace).returncode == 0  # again: no harm
    answer = plugin("resume", idle, "-n", namespace, "-o", "json")
    assert json.loads(answer.stdout) == {"namespace": namespace, "name": "web", "paused": False}
    assert "ai4k8s.io/paused" not in get(api, namespace, idle)["metadata"].get("annotations", {})
    assert plugin("resume", idle, "-n", namespace).returncode == 0


@pytest.mark.parametrize("command", ["pause", "resume", "explain", "status", "approve"])
def test_an_autoscaler_that_is_not_there(namespace, plugin, command):
    answer = plugin(command, "nobody", "-n", namespace)
    assert answer.returncode == 1 and answer.stdout == ""
    assert f'no PredictiveAutoscaler "nobody" in namespace {namespace}' in answer.stderr


def test_names_that_are_none(namespace, plugin):
    for name in ("../web", "Web", "a" * 254):
        answer = plugin("pause", name, "-n", namespace)
        assert answer.returncode == 1 and "no name of an object" in answer.stderr


def test_a_kubeconfig_that_is_no_good(plugin, tmp_path):
    config = tmp_path / "config"
    config.write_text("apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n"
                      "- name: a\n  context: {cluster: a, user: a}\n"
                      "clusters:\n- name: a\n  cluster: {}\nusers:\n- name: a\n  user: {}\n")
    answer = plugin("status", "--kubeconfig", config)
    assert answer.returncode == 1 and str(config) in answer.stderr
    answer = plugin("status", "--kubeconfig", tmp_path / "none")
    assert answer.returncode == 1 and str(tmp_path / "none") in answer.stderr
    answer = plugin("status", "--context", "nowhere")
    assert answer.returncode == 1 and "nowhere" in answer.stderr


def test_a_server_that_does_not_answer(plugin, tmp_path):
    config = tmp_path / "config"
    config.write_text("apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n"
                      "- name: a\n  context: {cluster: a, user: a}\nclusters:\n- name: a\n"
                      "  cluster: {server: 'http://127.0.0.1:1'}\nusers:\n- name: a\n  user: {}\n")
    answer = plugin("backfill", "web", "--series", WEEK, "--kubeconfig", config)
    assert answer.returncode == 1 and "127.0.0.1:1" in answer.stderr


# ---- status and explain ----

def test_status_lists(api, namespace, plugin, idle):
    answer = plugin("status", "-n", namespace)
    assert answer.returncode == 0, answer.stderr
    head, row = answer.stdout.splitlines()
    assert head.split() == ["NAME", "TARGET", "REPLICAS", "MIN", "MAX", "TRUSTED", "NEXT", "WHY"]
    assert row.split()[:2] == ["web", "Deployment/web"]
    rows = plugin("status", "-A").stdout.splitlines()
    assert rows[0].startswith("NAMESPACE") and any(r.split()[0] == namespace for r in rows)
    items = json.loads(plugin("status", "-n", namespace, "-o", "json").stdout)["items"]
    assert [list(item) for item in items] == [
        ["namespace", "name", "target", "mode", "paused", "next", "why", "status"]]
    assert items[0]["target"] == "Deployment/web" and items[0]["mode"] == "Auto"


def test_status_of_an_empty_namespace(namespace, plugin):
    answer = plugin("status", "-n", namespace)
    assert answer.returncode == 0 and answer.stdout == ""
    assert f"no PredictiveAutoscaler in namespace {namespace}" in answer.stderr
    assert json.loads(plugin("status", "-n", namespace, "-o", "json").stdout) == {"items": []}


def test_explain_before_a_decision(namespace, plugin, idle):
    answer = plugin("explain", idle, "-n", namespace)
    assert answer.returncode == 1 and "no decision yet" in answer.stderr
    answer = plugin("explain", idle, "-n", namespace, "-o", "json")
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["lastDecision"] is None


# ---- backfill: what is refused before anything is written ----

@pytest.mark.parametrize("text, status, word", [
    ("t,v\n0,1\n10,-1\n", 2, ":3: demand can't be negative"),
    ("t,v\n0,\n10,NaN\n", 2, "no row has a value"),
    ("t,v\n10,1\n0,1\n", 2, ":3: time runs backward"),
    ("t,v\n0,1\n10,1\n", 2, "--end now moves it"),
    (None, 1, "No such file"),
])
def test_backfill_refuses_bad_series(api, namespace, plugin, idle, tmp_path, text, status, word):
    file = tmp_path / "s.csv"
    if text is not None:
        file.write_text(text)
    answer = plugin("backfill", idle, "-n", namespace, "--series", file)
    assert answer.returncode == status and word in answer.stderr, answer
    assert not api.exists(path(namespace, "web-backfill", "predictiveautoscalercheckpoints"))


def test_backfill_of_what_is_not_forecast(namespace, plugin, idle):
    answer = plugin("backfill", idle, "-n", namespace, "--series", WEEK, "--metric", "memory")
    assert answer.returncode == 1 and "--metric can be: cpu" in answer.stderr
    answer = plugin("backfill", "nobody", "-n", namespace, "--series", WEEK)
    assert answer.returncode == 1 and "nobody" in answer.stderr


# ---- backfill from Prometheus ----

class FakePrometheus(ThreadingHTTPServer):
    """Answers query_range with the points' own times as values, and remembers the questions."""

    daemon_threads = True

    def __init__(self):
        self.asked = []
        self.tokens = []
        self.wanted = None  # the token, when it wants one
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/prefix"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        self.server.asked.append((address.path, query))
        self.server.tokens.append(self.headers.get("Authorization"))
        if self.server.wanted and self.headers.get("Authorization") != self.server.wanted:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start, end, step = (int(query[key]) for key in ("start", "end", "step"))
        points = [[t, str(t)] for t in range(start, end + 1, step)]
        result = {"none": [], "two": [{"values": points}] * 2, "text": "x"}.get(
            query["query"], [{"metric": {}, "values": points}])
        body = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        if query["query"] == "infinite":
            points[0][1] = "+Inf"
        code = 200
        if query["query"] == "broken(":
            code, body = 400, {"status": "error", "error": "parse error: unclosed left parenthesis"}
        elif len(points) > 11000:
            code, body = 400, {"status": "error", "error": "exceeded maximum resolution"}
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def prometheus():
    with FakePrometheus() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("query, word", [
    ("none", "gives nothing"),
    ("two", "sum("),
    ("text", "not that of Prometheus"),
    ("infinite", "no finite number"),
    ("broken(", "400: parse error: unclosed left parenthesis"),
])
def test_backfill_refuses_bad_answers(api, namespace, plugin, idle, prometheus, query, word):
    answer = plugin("backfill", idle, "-n", namespace, "--prometheus", prometheus.url,
                    "--query", query)
    assert answer.returncode == 1 and word in answer.stderr, answer
    assert not api.exists(path(namespace, "web-backfill", "predictiveautoscalercheckpoints"))


def test_backfill_asks_in_pieces(namespace, plugin, idle, prometheus):
    answer = plugin("backfill", idle, "-n", namespace, "--prometheus", prometheus.url,
                    "--query", 'sum(rate(a{b="c d"}[5m]))', "--step", "1s", "--range", "5h",
                    "--end", "2024-05-01T00:00:07Z", "--wait=false", "-o", "json")
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert told["samples"] == 1800 and told["intervalSeconds"] == 10
    assert told["start"] == "2024-04-30T19:00:00Z" and told["end"] == "2024-05-01T00:00:00Z"
    assert [p for p, _ in prometheus.asked] == ["/prefix/api/v1/query_range"] * 2
    asked = [(int(q["start"]), int(q["end"])) for _, q in prometheus.asked]
    first = 1714503600
    assert asked == [(first + 1, first + 10000), (first + 10001, first + 18000)]
    assert all(q["query"] == 'sum(rate(a{b="c d"}[5m]))' for _, q in prometheus.asked)


TOKEN = "s3cret.token-of_Prometheus~1"


def test_backfill_shows_its_token(namespace, plugin, idle, prometheus, tmp_path):
    prometheus.wanted = f"Bearer {TOKEN}"
    arguments = ("backfill", idle, "-n", namespace, "--prometheus", prometheus.url,
                 "--query", "up", "--range", "1h", "--wait=false")
    answer = plugin(*arguments)
    assert answer.returncode == 1 and "it answers 401" in answer.stderr
    assert prometheus.tokens == [None]
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    answer = plugin(*arguments, "--token-file", file)
    assert answer.returncode == 0, answer.stderr
    assert prometheus.tokens[1:] and set(prometheus.tokens[1:]) == {f"Bearer {TOKEN}"}
    assert TOKEN not in answer.stdout + answer.stderr
    file.write_text("another")
    answer = plugin(*arguments, "--token-file", file)
    assert answer.returncode == 1 and "it answers 401" in answer.stderr
    assert "another" not in answer.stdout + answer.stderr


@pytest.mark.parametrize("content, word", [
    (None, "No such file"), (b"\n", "it is empty"), (b"a\x00b", "no text"), (b"a\nb", "line break"),
    (b"x" * 70000, "65536"),
], ids=["absent", "empty", "binary", "lines", "large"])
def test_backfill_refuses_bad_token_files(namespace, plugin, idle, prometheus, tmp_path, content,
                                          word):
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    answer = plugin("backfill", idle, "-n", namespace, "--prometheus", prometheus.url,
                    "--query", "up", "--token-file", file)
    assert answer.returncode == 1 and "--token-file" in answer.stderr, answer
    assert word in answer.stderr, answer
    assert not prometheus.tokens, "it asked all the same"


def test_a_token_goes_nowhere_in_the_clear(namespace, plugin, idle, tmp_path):
    """Plain http to another machine: refused before anything is sent."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    answer = plugin("backfill", idle, "-n", namespace, "--prometheus", "http://192.0.2.1:9090",
                    "--query", "up", "--token-file", file)
    assert answer.returncode == 1 and "--token-file" in answer.stderr, answer
    assert TOKEN not in answer.stderr


def test_a_token_needs_a_prometheus(namespace, plugin, idle):
    answer = plugin("backfill", idle, "-n", namespace, "--series", WEEK, "--token-file", "x")
    assert answer.returncode == 2 and "--token-file goes with --prometheus" in answer.stderr


# ---- backfill: what becomes of it ----

CHECKPOINTS = "predictiveautoscalercheckpoints"


@pytest.fixture
def series(tmp_path):
    file = tmp_path / "history.csv"
    file.write_text("t,v\n" + "".join(f"{i * 10},{2 + i % 7}\n" for i in range(200)))
    return file


def test_backfill_that_nobody_takes_in(api, namespace, plugin, idle, series):
    """The autoscaler's target does not exist, so it never has a state: Waiting, and status 1."""
    answer = plugin("backfill", idle, "-n", namespace, "--series", series, "--end", "now",
                    "--timeout", "2", "-o", "json")
    told = json.loads(answer.stdout)
    assert answer.returncode == 1 and told["outcome"] == "Waiting", answer
    assert "is it running, and is the autoscaler Ready?" in told["message"]
    assert api.exists(path(namespace, "web-backfill", CHECKPOINTS)), "it stays for later"
    again = plugin("backfill", idle, "-n", namespace, "--series", series, "--end", "now",
                   "--wait=false", "-o", "json")
    assert again.returncode == 0 and json.loads(again.stdout)["outcome"] == "Left"


def test_backfill_that_is_rejected(api, namespace, plugin, operator, series):
    """While it waits for the autoscaler's target, the metric that it is for gets another name."""
    item = create(api, namespace, "web", "web")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(plugin(
        "backfill", "web", "-n", namespace, "--series", series, "--end", "now", "--timeout", "90",
        "-o", "json")))
    asking.start()
    try:
        eventually(lambda: api.exists(path(namespace, "web-backfill", CHECKPOINTS)), 30)
        metrics = [{**item["spec"]["metrics"][0], "name": "load"}]
        api.patch(path(namespace, "web"), {"spec": {"metrics": metrics}})
        create_deployment(api, namespace, "web", 1)
    finally:
        asking.join()
    told = json.loads(answers[0].stdout)
    assert answers[0].returncode == 1 and told["outcome"] == "Rejected", answers
    assert 'no metric "cpu" that is forecast' in told["message"]
    assert not api.exists(path(namespace, "web-backfill", CHECKPOINTS))


# ---- with an operator ----

def test_backfill_is_taken_in(api, namespace, plugin, operator, tmp_path):
    create_deployment(api, namespace, "web", 2, cpu_request="1")
    create(api, namespace, "web", "web", minimum=2)
    await_condition(api, namespace, "web", "ConfigValid", "True")
    file = tmp_path / "history.csv"
    file.write_text("t,v\n" + "".join(f"{i * 10},{2 + math.sin(i / 50):.4f}\n"
                                      for i in range(2500)))
    answer = plugin("backfill", "web", "-n", namespace, "--series", file, "--end", "now")
    assert answer.returncode == 0, answer
    assert re.match(r"2016 samples of cpu from .* to .*, 10 s each\nimported \d+ samples",
                    answer.stdout), answer.stdout
    assert not api.exists(path(namespace, "web-backfill", "predictiveautoscalercheckpoints"))
    item = eventually(lambda: (get(api, namespace, "web")["status"].get("lastDecision")
                               and get(api, namespace, "web")), 60)

    told = plugin("explain", "web", "-n", namespace)
    assert told.returncode == 0, told.stderr
    assert "STAGE" in told.stdout and "█" in told.stdout
    stages = item["status"]["lastDecision"]["stages"]
    assert stages and all(stage["name"] in told.stdout for stage in stages)
    decision = json.loads(plugin("explain", "web", "-n", namespace, "-o", "json").stdout)
    assert list(decision) == ["namespace", "name", "lastDecision"]
    assert decision["lastDecision"]["stages"]

    shown = plugin("status", "web", "-n", namespace).stdout
    assert re.search(r"^Next +\S", shown, re.M) and re.search(r"^Why +\S", shown, re.M)
    assert "Forecast (UTC): model" in shown and "CONDITION" in shown
