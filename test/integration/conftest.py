"""Fixtures on real control planes.

control_plane        one for all tests of a run: parallel tests have namespaces of their own
api                  its API with the administrator's rights (kubeapi.Client)
namespace            name of a fresh namespace, deleted afterwards without waiting
traffic              a running traffic driver on it
audit_log            its audit log (support.AuditLog)
operator             the operator that looks after it, started by the first test that asks
fresh_control_plane  one for this test alone, to be mistreated
make_control_plane   the same with options: make_control_plane(hpa_sync_period="5s")
plane                one made so, as it is by default
load                 a running traffic driver on that one
make_operator        an operator of this test's own on one of these, not started:
                     make_operator(plane, checkpointIntervalSeconds=10)

Tests that ask for a control plane of their own are marked `disruptive`, so that a runner can keep
them apart; `long` marks what takes too long for every run, `slow(SECONDS)` what is begun early, the
slowest first (order.py).

The shared one is that of $AI4K8S_TEST_CP (its name; a runner has started it), or else is
started by the first test that asks and stopped at the end of the run, whatever the number
of pytest-xdist workers. It ends with pytest even if pytest is killed.
"""

from __future__ import annotations

import os
import re
import sys
import uuid

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "hack"))

from controlplane import AlreadyUp, ControlPlane  # noqa: E402
from kubeapi import ApiError  # noqa: E402
from operator_process import Operator, end_shared, shared  # noqa: E402
from support import AuditLog, eventually  # noqa: E402
from traffic import Traffic  # noqa: E402

_IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
_RUN = os.getppid() if _IS_WORKER else os.getpid()  # the process of the whole run
_PROGRESS = os.environ.get("AI4K8S_TEST_PROGRESS")
_SHARED = os.environ.get("AI4K8S_TEST_CP") or f"pytest-{_RUN}"


def pytest_configure(config):
    config.addinivalue_line("markers", "disruptive: has control planes of its own")
    config.addinivalue_line("markers", "long: takes longer than every run may")
    config.addinivalue_line("markers", "slow(seconds): takes about so long, so it is begun early")


@pytest.hookimpl(tryfirst=True)  # before marks select
def pytest_collection_modifyitems(items):
    for item in items:
        if "make_control_plane" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.disruptive)
    items.sort(key=lambda item: -seconds_of(item))


def seconds_of(item) -> float:
    marker = item.get_closest_marker("slow")
    if marker and not marker.args:
        raise pytest.UsageError(f"{item.nodeid}: slow(SECONDS) says how long it takes")
    return marker.args[0] if marker else 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from order import TwoAtATime  # needs xdist, and a run without it does not

    return TwoAtATime(config, log)


def tell(line: str) -> None:
    """To who started this run, and wants to know how far it is: test/run."""
    if _PROGRESS and not _IS_WORKER:
        with open(_PROGRESS, "a", encoding="utf-8") as file:
            file.write(line + "\n")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(ids):
    tell(f"of {len(ids)}")


def pytest_runtest_logreport(report):
    if report.failed:
        tell(f"FAILED {report.nodeid.partition('::')[2]}")
    if report.when == "teardown":
        tell("ended")


@pytest.hookimpl(tryfirst=True)  # the status counts only if it is set before others report it
def pytest_sessionfinish(session):
    if _IS_WORKER:
        return
    plane = ControlPlane(_SHARED)
    try:
        wrong = end_shared(plane)
    finally:
        if "AI4K8S_TEST_CP" not in os.environ:
            plane.down()
    if wrong:
        sys.stderr.write(f"\nthe shared operator: {wrong}\n")
        session.exitstatus = 3


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    arguments = getattr(item, "funcargs", {})
    if report.failed:
        for operator in [arguments.get("operator"), *getattr(item, "operators", [])]:
            if operator:
                about = arguments.get("namespace", "") if "operator" in arguments else ""
                report.sections.append((f"log of {operator.name}", operator.log_tail(80, about)))


@pytest.fixture(scope="session")
def control_plane():
    plane = ControlPlane(_SHARED)
    if "AI4K8S_TEST_CP" in os.environ:
        if not plane.is_up():
            pytest.exit(f"control plane {_SHARED!r} of AI4K8S_TEST_CP is not up; start it with "
                        f"`hack/control-plane up --name {_SHARED}`, or unset the variable", 3)
        return plane
    try:
        plane.up(until_exit_of=_RUN)
    except AlreadyUp:  # by another worker
        def done():
            phase = plane.status().get("phase")
            assert phase != "starting", "it is still being started"
            return phase or "gone"

        assert eventually(done, 900) == "ready", "its start in another worker has failed"
    return plane


@pytest.fixture(scope="session")
def api(control_plane):
    return control_plane.client


@pytest.fixture
def namespace(api, request):
    stem = re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].rstrip("-")
    name = f"{stem}-{uuid.uuid4().hex[:6]}"
    api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    # pods are refused until it is there
    eventually(lambda: api.exists(f"/api/v1/namespaces/{name}/serviceaccounts/default"), 30,
               message="the default service account")
    yield name
    try:
        api.delete(f"/api/v1/namespaces/{name}", missing_ok=True)
    except (ApiError, OSError):
        pass  # the control plane is gone, and all namespaces with it


@pytest.fixture
def traffic(api):
    with Traffic(api, tick=1.0) as driver:
        yield driver


@pytest.fixture
def audit_log(control_plane):
    return AuditLog(control_plane.audit_log)


@pytest.fixture
def make_control_plane():
    planes = []

    def make(**options):
        plane = ControlPlane(f"test-{uuid.uuid4().hex[:8]}", **options)
        planes.append(plane)
        plane.up(until_exit_of=os.getpid())
        return plane

    yield make
    for plane in planes:
        plane.down()


@pytest.fixture
def fresh_control_plane(make_control_plane):
    return make_control_plane(durable_etcd=True)


@pytest.fixture
def operator(control_plane):
    running = shared(control_plane)
    yield running
    assert running.is_running(), f"the operator has ended:\n{running.log_tail()}"


@pytest.fixture
def plane(make_control_plane):
    return make_control_plane()


@pytest.fixture
def load(plane):
    with Traffic(plane.client, tick=1.0) as driver:
        yield driver


@pytest.fixture
def make_operator(request, tmp_path):
    request.node.operators = made = []

    def make(plane, name="operator", **config):
        made.append(Operator(plane, tmp_path, name, config))
        return made[-1]

    yield make
    for operator in made:
        operator.close()
