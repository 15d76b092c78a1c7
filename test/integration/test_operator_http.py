"""What the operator serves: probes and metrics, of the leader and of a standby."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from autoscalers import await_condition, create
from support import create_deployment, eventually

OPEN = "application/openmetrics-text"


def ask(operator, port, route, accept="*/*"):
    """Status, content type, body."""
    number = [r[port] for r in operator.records() if r.get("msg") == "starting"][-1]
    request = urllib.request.Request(f"http://127.0.0.1:{number}{route}",
                                     headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def families(operator):
    status, kind, text = ask(operator, "metricsPort", "/metrics")
    assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(found, family, sample=None, **labels):
    """The one sample of these labels."""
    values = [s.value for s in found[family].samples
              if s.name == (sample or family) and labels.items() <= s.labels.items()]
    assert len(values) == 1, (family, sample, labels, found[family].samples)
    return values[0]


@pytest.fixture
def standby(control_plane, operator, make_operator):
    return make_operator(control_plane, "standby").start(leads=False)


def test_probes(operator, standby):
    for one in (operator, standby):
        assert ask(one, "probePort", "/livez")[::2] == (200, "ok\n")
        assert ask(one, "probePort", "/healthz")[::2] == (200, "ok\n")
        assert ask(one, "probePort", "/readyz")[::2] == (200, "ok\n")
        assert ask(one, "probePort", "/metrics")[0] == 404
        assert ask(one, "metricsPort", "/readyz")[0] == 404
    assert not standby.leads()


def test_metrics(api, namespace, operator, standby):
    create_deployment(api, namespace, "web", 1)
    create(api, namespace, "web", "web", minimum=2)
    await_condition(api, namespace, "web", "ScalingActive", "True", timeout=60)
    ours = {"namespace": namespace, "name": "web"}
    found = eventually(lambda: (value(families(operator), "ai4k8s_current_replicas", **ours) == 2
                                and families(operator)), 30)
    # What dashboards of controller-runtime's programs ask for; a counter's family has no _total.
    types = {"controller_runtime_reconcile": "counter",
             "controller_runtime_reconcile_time_seconds": "histogram",
             "workqueue_depth": "gauge", "workqueue_adds": "counter",
             "workqueue_queue_duration_seconds": "histogram",
             "workqueue_work_duration_seconds": "histogram", "workqueue_retries": "counter",
             "workqueue_unfinished_work_seconds": "gauge",
             "workqueue_longest_running_processor_seconds": "gauge",
             "rest_client_requests": "counter", "leader_election_master_status": "gauge",
             "process_resident_memory_bytes": "gauge", "process_cpu_seconds": "counter",
             "ai4k8s_build_info": "gauge", "ai4k8s_desired_replicas": "gauge",
             "ai4k8s_forecast_trusted": "gauge", "ai4k8s_rescales": "counter",
             "ai4k8s_status_writes": "counter", "ai4k8s_checkpoint_writes": "counter"}
    assert {name: getattr(found.get(name), "type", None) for name in types} == types
    assert all(family.documentation for family in found.values())
    assert value(found, "ai4k8s_desired_replicas", **ours) == 2
    assert value(found, "controller_runtime_reconcile", "controller_runtime_reconcile_total",
                 controller="predictiveautoscaler", result="requeue_after") >= 1
    assert [s.value for s in found["rest_client_requests"].samples if s.labels["code"] == "200"]
    buckets = [s for s in found["workqueue_work_duration_seconds"].samples
               if s.name.endswith("_bucket")]
    counts = [s.value for s in buckets]
    assert buckets[-1].labels["le"] == "+Inf" and counts == sorted(counts) and counts[-1] >= 1
    # A standby knows the same objects and does nothing about them.
    idle = families(standby)
    assert value(found, "leader_election_master_status") == 1
    assert value(idle, "leader_election_master_status") == 0
    assert "ai4k8s_desired_replicas" not in idle or not idle["ai4k8s_desired_replicas"].samples
    assert sum(s.value for s in idle["reflector_items"].samples) > 0


def test_open_metrics(operator):
    status, kind, text = ask(operator, "metricsPort", "/metrics", f"{OPEN};version=1.0.0,*/*;q=0.1")
    assert status == 200 and kind.startswith(OPEN) and text.endswith("# EOF\n")
    names = {family.name for family in openmetrics.text_string_to_metric_families(text)}
    assert {"rest_client_requests", "workqueue_depth", "ai4k8s_build_info"} <= names
