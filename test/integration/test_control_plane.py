"""The control plane tool itself: what it promises to every other test."""

from __future__ import annotations

import glob
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import pytest

from conftest import ROOT
from controlplane import AlreadyUp, ControlPlane, ControlPlaneError, place, process
from kubeapi import ApiError, ApiUnavailable, Client
from support import (cpu_of, create_deployment, create_hpa, eventually, replicas_of,
                     service_account_user, wait_ready)

SCRIPT = os.path.join(ROOT, "hack", "control-plane")


def run(*arguments, **options):
    return subprocess.run([SCRIPT, *arguments], text=True, capture_output=True, timeout=120,
                          **options)


@pytest.fixture
def name():
    """A name whose control plane is certainly gone afterwards."""
    chosen = f"test-{uuid.uuid4().hex[:8]}"
    yield chosen
    ControlPlane(chosen).down()


def leftovers(name):
    directory = place.directory_of(name)
    return ([directory] if os.path.exists(directory) else []) + process.marked(directory)


# -- up and down ------------------------------------------------------------

@pytest.mark.disruptive
def test_up_status_env_and_down(name):
    before = set(glob.glob(os.path.join(tempfile.gettempdir(), "*")))
    done = run("up", "--name", name, "--nodes", "2")
    assert done.returncode == 0, done.stderr
    assert f"env --name {name}" in done.stdout, "it says what to do next"

    [status] = json.loads(run("status", "--name", name, "-o", "json").stdout)
    assert status["phase"] == "ready"
    assert [p["state"] for p in status["programs"]] == ["running"] * 6
    assert len({p["port"] for p in status["programs"]}) == 6

    shell = subprocess.run(["sh", "-c", 'eval "$("$0" env --name "$1")"; kubectl get nodes -o name',
                            SCRIPT, name], text=True, capture_output=True, timeout=60)
    assert shell.stdout.split() == ["node/node-1", "node/node-2"], shell.stderr

    again = run("up", "--name", name)
    assert again.returncode == 1 and "already up" in again.stderr

    assert run("down", "--name", name).returncode == 0
    assert leftovers(name) == []
    assert "not up" in run("down", "--name", name).stdout, "a second down has nothing to do"
    assert run("status", "--name", name).returncode == 1
    added = set(glob.glob(os.path.join(tempfile.gettempdir(), "*"))) - before
    assert not [path for path in added if name in path]


@pytest.mark.disruptive
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_up_leaves_nothing(name, number):
    child = subprocess.Popen([SCRIPT, "up", "--name", name], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    eventually(lambda: len(process.marked(place.directory_of(name))) >= 2, 30)
    child.send_signal(number)
    _, errors = child.communicate(timeout=60)
    assert child.returncode != 0
    assert "Traceback" not in errors
    assert leftovers(name) == []


@pytest.mark.disruptive
def test_down_after_a_killed_up_leaves_nothing(name):
    child = subprocess.Popen([SCRIPT, "up", "--name", name], stdout=subprocess.DEVNULL)
    eventually(lambda: len(process.marked(place.directory_of(name))) >= 2, 30)
    child.kill()
    child.wait()
    assert process.marked(place.directory_of(name))
    # the file about the processes may be lost as well
    os.unlink(os.path.join(place.directory_of(name), "state.json"))
    assert run("down", "--name", name).returncode == 0
    assert leftovers(name) == []


@pytest.mark.disruptive
def test_it_ends_with_its_owner(name):
    owner = subprocess.Popen(["sleep", "600"])
    done = run("up", "--name", name, "--no-metrics-server", "--until-exit-of", str(owner.pid))
    assert done.returncode == 0, done.stderr
    assert not leftovers(name) == []
    owner.kill()
    owner.wait()
    eventually(lambda: leftovers(name) == [], 30)


@pytest.mark.disruptive
def test_a_failing_start_shows_the_log_and_leaves_nothing(name):
    done = run("up", "--name", name, "--apiserver-arg=--no-such-flag")
    assert done.returncode == 1
    assert "kube-apiserver has ended" in done.stderr and "--no-such-flag" in done.stderr
    assert leftovers(name) == []


def test_two_side_by_side(make_control_plane):
    one = make_control_plane(metrics_server=False)
    other = make_control_plane(kwok=False, metrics_server=False)
    assert one.port("kube-apiserver") != other.port("kube-apiserver")
    one.client.post("/api/v1/namespaces", {"metadata": {"name": "mine"}})
    assert not other.client.exists("/api/v1/namespaces/mine")
    with pytest.raises(ApiUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        # one's certificate authority means nothing to the other
        Client(other.server, ca_file=one.ca_file).text("/version")
    with pytest.raises(AlreadyUp):
        ControlPlane(other.name).up()
    other.down()
    assert one.client.exists("/api/v1/namespaces/mine")


@pytest.mark.disruptive
def test_a_port_lost_to_somebody_else_is_replaced(name, monkeypatch):
    choose = place.free_ports
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = [other.getsockname()[1]]
        monkeypatch.setattr(place, "free_ports",
                            lambda count: [(taken or choose(1)).pop(), *choose(count - 1)])
        plane = ControlPlane(name, kwok=False, metrics_server=False)
        plane.up()
        assert not taken and plane.port("etcd") != other.getsockname()[1]
        plane.down()
    assert leftovers(name) == []


def test_a_reused_process_id_is_never_signalled():
    innocent = subprocess.Popen(["sleep", "600"])
    try:
        started = process.start_time(innocent.pid)
        assert process.send(innocent.pid, started - 1, signal.SIGKILL) is False
        assert process.stop([(innocent.pid, started - 1)]) == []
        time.sleep(0.2)
        assert innocent.poll() is None
        assert process.send(innocent.pid, started, signal.SIGKILL) is True
    finally:
        innocent.kill()
        innocent.wait()


@pytest.mark.parametrize("frozen", [False, True])
def test_only_the_frozen_are_woken_to_end(tmp_path, frozen):
    """A SIGCONT at the end of a program takes back the SIGSTOP of its leak checker, which then waits for ever."""
    program = ("import signal\n"
               "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCONT})\n"
               "print('ready', flush=True)\n"
               "signal.sigwait({signal.SIGTERM})\n"
               "if signal.sigtimedwait({signal.SIGCONT}, 0.5):\n"
               "    print('woken', flush=True)\n")
    log = tmp_path / "log"
    one = process.spawn([sys.executable, "-c", program], str(log), str(tmp_path))
    eventually(lambda: log.read_text() == "ready\n", 20)
    if frozen:
        process.send(*one, signal.SIGSTOP)
        eventually(lambda: process.is_stopped(one[0]), 20)
    assert process.stop([one], grace=20) == []
    assert log.read_text() == "ready\n" + "woken\n" * frozen


@pytest.mark.parametrize("wrong", ["", "Upper", "../x", "a" * 60, "-a"])
def test_names_that_are_none(wrong):
    with pytest.raises(ControlPlaneError):
        ControlPlane(wrong)


# -- pods, metrics, scaling ---------------------------------------------------

def test_pods_start_after_their_delay(api, namespace):
    begin = time.monotonic()
    create_deployment(api, namespace, "fast", 3)
    assert time.monotonic() - begin < 10
    slow = {"pod-ready.stage.kwok.x-k8s.io/delay": "6s"}
    begin = time.monotonic()
    create_deployment(api, namespace, "slow", 1, pod_annotations=slow)
    assert 5 < time.monotonic() - begin < 15
    pods = api.list(f"/api/v1/namespaces/{namespace}/pods")
    assert len(pods) == 4
    assert all(pod["status"]["podIP"] for pod in pods)  # KWOK may give one twice: nothing here needs more


@pytest.mark.slow(40)
def test_traffic_shows_in_the_metrics_api(api, namespace, traffic):
    create_deployment(api, namespace, "open", 2)
    create_deployment(api, namespace, "capped", 2, cpu_limit="500m")
    traffic.set_demand(namespace, "open", 1.5)
    traffic.set_demand(namespace, "capped", 3.0)

    def uses(app, cores):
        usage = cpu_of(api, namespace, f"app={app}")
        assert len(usage) == 2, usage
        assert list(usage.values()) == pytest.approx([cores] * 2, rel=0.03), usage
        return True

    eventually(lambda: uses("open", 0.75), 60)
    eventually(lambda: uses("capped", 0.5), 30)
    state = traffic.state(namespace, "capped")
    assert (state.ready, state.served, state.unserved) == (2, 1.0, 2.0)

    begin = time.monotonic()
    traffic.set_demand(namespace, "open", 0.4)
    eventually(lambda: uses("open", 0.2), 25)
    assert time.monotonic() - begin < 13, "a change shows in the next scrape, 10 s apart"

    # a pod less: the other takes all of it
    api.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/open", {"spec": {"replicas": 1}})
    eventually(lambda: list(cpu_of(api, namespace, "app=open").values())
               == pytest.approx([0.4], rel=0.03), 30)


@pytest.mark.slow(60)
def test_the_hpa_scales_on_demand(api, namespace, traffic):
    create_deployment(api, namespace, "web", 1, cpu_request="200m")
    create_hpa(api, namespace, "web", "web", utilization=50, maximum=12)
    traffic.set_demand(namespace, "web", 0.62)  # at 100m a pod: 7 pods
    eventually(lambda: replicas_of(api, namespace, "web") == 7, 150, interval=1,
               message="7 replicas by the HPA")
    wait_ready(api, namespace, "web", 7)
    traffic.set_demand(namespace, "web", 1.05)
    eventually(lambda: replicas_of(api, namespace, "web") == 11, 90, interval=1,
               message="11 replicas by the HPA")


def test_the_annotation_says_usage_without_traffic(api, namespace):
    create_deployment(api, namespace, "web", 1, pod_annotations={
        "kwok.x-k8s.io/usage-cpu": "250m", "kwok.x-k8s.io/usage-memory": "100Mi"})
    eventually(lambda: list(cpu_of(api, namespace).values()) == pytest.approx([0.25], rel=0.03),
               60)


# -- failures -----------------------------------------------------------------

@pytest.mark.slow(50)
def test_objects_survive_crashes(fresh_control_plane):
    plane = fresh_control_plane
    api = plane.client
    maps = "/api/v1/namespaces/default/configmaps"
    for round_, program in enumerate(("kube-apiserver", "etcd", "kube-apiserver")):
        api.post(maps, {"metadata": {"name": f"round-{round_}"}})
        port = plane.port(program)
        plane.kill(program, signal.SIGKILL)
        if program == "kube-apiserver":
            with pytest.raises(ApiUnavailable):
                api.get(maps)
            assert plane.status()["phase"] == "broken"
        plane.start(program)
        assert plane.port(program) == port
        eventually(lambda: api.exists(f"{maps}/round-{round_}"), 30)
    assert {item["metadata"]["name"] for item in api.list(maps)} >= {"round-0", "round-1",
                                                                     "round-2"}
    create_deployment(api, "default", "web", 2)  # the controllers have come back too
    with pytest.raises(ControlPlaneError, match="already running"):
        plane.start("etcd")


def test_metrics_server_stopped_and_back(fresh_control_plane):
    plane = fresh_control_plane
    pods = "/apis/metrics.k8s.io/v1beta1/pods"
    plane.client.list(pods)
    plane.kill("metrics-server")
    with pytest.raises(ApiError) as caught:
        plane.client.list(pods)
    assert caught.value.status == 503
    plane.start("metrics-server")
    assert plane.client.list(pods) == []


def test_a_frozen_api_server_answers_nobody(fresh_control_plane):
    plane = fresh_control_plane
    impatient = Client(plane.server, ca_file=plane.ca_file, token=plane.token("default"),
                       timeout=2)
    plane.freeze("kube-apiserver")
    assert [p["state"] for p in plane.status()["programs"] if p["name"] == "kube-apiserver"
            ] == ["frozen"]
    with pytest.raises(ApiUnavailable):
        impatient.text("/version")
    plane.thaw("kube-apiserver")
    assert "gitVersion" in eventually(lambda: impatient.text("/version"), 10)
    plane.freeze("kube-apiserver")  # and `down` ends it even so


def test_without_nodes_and_metrics(make_control_plane):
    plane = make_control_plane(kwok=False, metrics_server=False)
    assert plane.client.list("/api/v1/nodes") == []
    assert {p["name"] for p in plane.status()["programs"]} == {
        "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}


# -- identities ---------------------------------------------------------------

def test_a_service_account_has_its_rights_and_no_more(control_plane, api, namespace, audit_log,
                                                      tmp_path):
    position = audit_log.end()
    base = f"/api/v1/namespaces/{namespace}"
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    api.post(f"{base}/serviceaccounts", {"metadata": {"name": "reader"}})
    api.post(f"{roles}/roles", {"metadata": {"name": "reader"}, "rules": [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]})
    api.post(f"{roles}/rolebindings", {
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}]})

    directory = tmp_path / "serviceaccount"
    done = run("in-cluster-dir", str(directory), "--name", control_plane.name, "--namespace",
               namespace, "--serviceaccount", "reader", "--duration", "10m")
    assert done.returncode == 0, done.stderr
    variables = dict(line.removeprefix("export ").split("=") for line in done.stdout.split("\n")
                     if line)
    assert (directory / "namespace").read_text() == namespace
    first = (directory / "token").read_text()

    reader = Client(f"https://{variables['KUBERNETES_SERVICE_HOST']}:"
                    f"{variables['KUBERNETES_SERVICE_PORT']}",
                    ca_file=str(directory / "ca.crt"), token_file=str(directory / "token"))
    eventually(lambda: reader.list(f"{base}/pods") == [], 10)  # the authorizer sees the role
    for path in (f"{base}/secrets", "/api/v1/pods", "/apis/metrics.k8s.io/v1beta1/nodes"):
        with pytest.raises(ApiError) as caught:
            reader.list(path)
        assert caught.value.status == 403

    # rotation, as a kubelet does it: another token behind the same name
    control_plane.in_cluster_dir(str(directory), "reader", namespace, "10m")
    assert (directory / "token").read_text() != first
    assert reader.list(f"{base}/pods") == []

    entries = audit_log.entries(since=position, user=service_account_user(namespace, "reader"))
    assert {entry["responseStatus"]["code"] for entry in entries} == {200, 403}
    assert len(audit_log.entries(since=position, namespace=namespace, resource="secrets")) == 1


def test_a_program_runs_as_in_a_pod(control_plane, namespace):
    look = "cd /var/run/secrets/kubernetes.io/serviceaccount && cat namespace && ls && " \
           "echo && echo $KUBERNETES_SERVICE_PORT ${KUBECONFIG-none} && test -s token"
    done = run("in-cluster-run", "--name", control_plane.name, "--namespace", namespace, "--",
               "sh", "-c", look, env={**os.environ, "KUBECONFIG": "/nowhere"})
    assert done.returncode == 0, done.stderr
    port = control_plane.port("kube-apiserver")
    assert done.stdout.split() == [f"{namespace}ca.crt", "namespace", "token", str(port), "none"]
    assert not os.path.exists("/run/secrets/kubernetes.io")


def test_a_token_for_nobody_is_explained(control_plane):
    done = run("token", "--name", control_plane.name, "--serviceaccount", "nobody")
    assert done.returncode == 1
    assert "kubectl create serviceaccount -n default nobody" in done.stderr


def test_the_audit_log_is_free_of_the_control_plane_itself(control_plane, api, namespace,
                                                           audit_log):
    create_deployment(api, namespace, "web", 2)
    users = {entry["user"]["username"] for entry in audit_log.entries(stage=None)}
    assert "kubernetes-admin" in users
    assert not [user for user in users if user.startswith("system:")
                and not user.startswith("system:serviceaccount:")]
    assert not [user for user in users if user.startswith("system:serviceaccount:kube-system:")]


# -- the build, with a stand-in for go ----------------------------------------

FAKE_GO = """#!/bin/sh
case "$1" in
env) echo go1.99.0 ;;
list) echo "$FAKE_MODULE" ;;
build)
    echo "$$ begin" >> "$FAKE_LOG"
    while [ "$1" != -o ]; do shift; done
    echo half > "$2"; sleep "$FAKE_SECONDS"; chmod +x "$2"
    echo "$$ end" >> "$FAKE_LOG" ;;
esac
"""


@pytest.fixture
def fake_go(tmp_path):
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "go").write_text(FAKE_GO)
    (binaries / "go").chmod(0o755)
    module = tmp_path / "module"
    for folder in ("stage/pod/general", "stage/node/fast", "stage/node/heartbeat-with-lease",
                   "metrics", "crd/bases"):
        (module / "kustomize" / folder).mkdir(parents=True)
    (module / "kustomize/crd/bases/kwok.x-k8s.io_resourceusages.yaml").touch()
    return {**os.environ, "PATH": f"{binaries}:/usr/bin:/bin", "FAKE_SECONDS": "0.1",
            "XDG_CACHE_HOME": str(tmp_path / "cache"), "FAKE_LOG": str(tmp_path / "log"),
            "FAKE_MODULE": str(module)}


def test_concurrent_builds_do_the_work_once(fake_go):
    builds = [subprocess.Popen([SCRIPT, "build"], env=fake_go, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [build.communicate(timeout=60)[1] for build in builds]
    assert [build.returncode for build in builds] == [0, 0, 0], errors
    log = [line.split()[1] for line in open(fake_go["FAKE_LOG"], encoding="ascii")]
    assert log == ["begin", "end"] * 8, "one after another, each program once"


def test_an_interrupted_build_leaves_nothing_half(fake_go):
    fake_go["FAKE_SECONDS"] = "600"
    build = subprocess.Popen([SCRIPT, "build"], env=fake_go, stderr=subprocess.PIPE, text=True)
    eventually(lambda: os.path.exists(fake_go["FAKE_LOG"]), 10)
    time.sleep(0.2)
    build.send_signal(signal.SIGINT)
    build.communicate(timeout=60)
    assert build.returncode == 130
    tools = os.path.join(fake_go["XDG_CACHE_HOME"], "ai4k8s", "tools")
    assert [files for _, _, files in os.walk(tools) if files and files != ["lock"]] == []


# -- the client of the tests --------------------------------------------------

def test_watch_and_threads(api, namespace):
    maps = f"/api/v1/namespaces/{namespace}/configmaps"

    def create(number):
        for index in range(10):
            api.post(maps, {"metadata": {"name": f"m-{number}-{index}"}})

    threads = [threading.Thread(target=create, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    seen = set()
    for event in api.watch(maps, timeout=20):
        seen.add(event["object"]["metadata"]["name"])
        if len(seen) >= 41:  # and the certificate authority's
            break
    for thread in threads:
        thread.join()
    assert len(api.list(maps, limit=7)) == 41, "all pages"
    with pytest.raises(ApiError) as caught:
        list(api.watch(maps, timeout=5, resourceVersion="1", resourceVersionMatch="Exact"))
    assert caught.value.status in (400, 410, 422)
