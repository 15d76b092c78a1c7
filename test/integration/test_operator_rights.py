"""The operator's rights: what the manifests grant is what it uses, no more and no less; and its
token is nowhere to be read."""

from __future__ import annotations

import json
import signal

import pytest

from autoscalers import await_condition, await_event, await_replicas, create, path, touch
from operator_process import LEASE, NAMESPACE, USER
from support import AuditLog, create_deployment, deployment, eventually, hpa
from test_operator_objects import CONFIG, ENABLED, annotate, config
from test_operator_scaling import backfill
from traffic import Traffic

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def granted(api) -> set[tuple[str, str, str]]:
    """(group, resource, verb) of the two roles of the manifests."""
    rules = (api.get(f"{RBAC}/clusterroles/ai4k8s-operator")["rules"]
             + api.get(f"{RBAC}/namespaces/{NAMESPACE}/roles/ai4k8s-operator-leader-election"
                       )["rules"])
    return {(group, resource, verb) for rule in rules for group in rule["apiGroups"]
            for resource in rule["resources"] for verb in rule["verbs"]}


def used(log) -> tuple[set[tuple[str, str, str]], list]:
    """The same from the audit log, and the requests that were refused for want of a right."""
    found, refused = set(), []
    for entry in log.entries(user=USER, stage=None):
        reference = entry.get("objectRef")
        if not reference:
            continue  # discovery, which everyone may read
        if entry.get("responseStatus", {}).get("code") == 403:
            refused.append(entry)
            continue
        resource = "/".join(filter(None, (reference["resource"], reference.get("subresource"))))
        right = (reference.get("apiGroup", ""), resource, entry["verb"])
        found.add(right)
        # An apply that makes the object needs the right to create it as well.
        if entry["verb"] == "patch" and entry.get("responseStatus", {}).get("code") == 201:
            found.add((*right[:2], "create"))
    return found, refused


@pytest.mark.slow(40)
def test_rights_granted_and_used_are_the_same(make_control_plane, make_operator):
    plane = make_control_plane()
    api, log = plane.client, AuditLog(plane.audit_log)
    operator = make_operator(plane, checkpointIntervalSeconds=10).start()
    with Traffic(api, tick=1.0) as load:
        _everything(api, load)
    second = make_operator(plane, "second", checkpointIntervalSeconds=10)
    assert operator.stop() == 0
    _leave(api)
    second.start()  # loads what the first has saved
    left = path("default", "deployment-left-tail", "predictiveautoscalercheckpoints")
    eventually(lambda: api.get(left)["spec"].get("expireTime"), 30)
    assert api.get(left)["metadata"]["labels"]["ai4k8s.io/expires"] == "true"
    touch(api, "default", "web")
    _expire(api)
    second.stop()
    third = make_operator(plane, "third").start()
    eventually(lambda: not api.exists(path("default", "old-tail",
                                           "predictiveautoscalercheckpoints")), 30)
    third.stop()
    found, refused = used(log)
    assert not refused, [e["requestURI"] for e in refused]
    assert granted(api) - found == set(), "granted and not used"
    assert found - granted(api) == set(), "used and not granted"
    _assert_secret(api, [operator, second, third])


def _everything(api, load):
    """A scenario that has a bit of all."""
    create_deployment(api, "default", "web", 1)
    create_deployment(api, "default", "noted", 1)
    create_deployment(api, "default", "left", 1)
    annotate(api, "default", "left", **{ENABLED: "true", CONFIG: config(min=1, max=2)})
    body = deployment("db", 1)
    body["kind"] = "StatefulSet"
    body["spec"]["serviceName"] = "db"
    api.post("/apis/apps/v1/namespaces/default/statefulsets", body)
    create(api, "default", "web", "web", minimum=2)
    create(api, "default", "db", "db", kind="StatefulSet", minimum=2)
    annotate(api, "default", "noted", **{ENABLED: "true", CONFIG: config(min=2, max=5)})
    await_replicas(api, "default", "web", 2)
    await_replicas(api, "default", "db", 2, kind="statefulsets")
    await_replicas(api, "default", "noted", 2)
    load.set_demand("default", "web", 0.1)
    # An event that happens again is a patch of its series.
    hpas = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
    for _ in range(2):
        api.post(hpas, hpa("web", "web"))
        await_condition(api, "default", "web", "Conflict", "True")
        api.delete(f"{hpas}/web")
        await_condition(api, "default", "web", "Conflict", "False")
    series = eventually(lambda: [e for e in api.list("/apis/events.k8s.io/v1/namespaces/default/"
                                                     "events") if e.get("series")
                                 and e["regarding"]["kind"] == "PredictiveAutoscaler"])
    assert series[0]["series"]["count"] == 2
    # Someone else's scaling is looked into: who was it?
    for kind, name in (("deployments", "web"), ("statefulsets", "db")):
        api.patch(f"/apis/apps/v1/namespaces/default/{kind}/{name}/scale",
                  {"spec": {"replicas": 1}})
        await_replicas(api, "default", name, 2, kind=kind)
    now = 1700000000
    api.post(path("default", plural="predictiveautoscalercheckpoints"),
             backfill("web", [0.1] * 20, 10, now))
    await_event(api, "default", "web", "BackfillImported")
    eventually(lambda: api.exists(path("default", "web-tail",
                                       "predictiveautoscalercheckpoints")), 30)
    annotate(api, "default", "noted", **{ENABLED: None})
    eventually(lambda: not api.exists(path("default", "deployment-noted")), 30)


def _leave(api):
    """An annotated workload goes while no operator is there to see it."""
    api.delete("/apis/apps/v1/namespaces/default/deployments/left")
    eventually(lambda: not api.exists(path("default", "deployment-left")), 60)
    assert "expireTime" not in api.get(path("default", "deployment-left-tail", "predictiveautoscalercheckpoints"))["spec"]


def _expire(api):
    """A checkpoint that is past its time, as an annotation that went leaves it after a day."""
    stored = eventually(lambda: api.get(path("default", "deployment-noted-tail",
                                             "predictiveautoscalercheckpoints")))
    body = {key: stored[key] for key in ("apiVersion", "kind", "spec")}
    body["metadata"] = {"name": "old-tail", "labels": stored["metadata"]["labels"]}
    body["spec"] = {**body["spec"], "expireTime": "2026-01-01T00:00:00Z"}
    api.post(path("default", plural="predictiveautoscalercheckpoints"), body)


def _assert_secret(api, operators):
    secrets = [operator.token.split(".")[-1] for operator in operators]  # the signatures
    assert min(map(len, secrets)) > 80 and len(set(secrets)) == len(secrets)
    told = [json.dumps(api.list(p)) for p in (
        "/apis/events.k8s.io/v1/events", "/apis/ai4k8s.io/v1alpha1/predictiveautoscalers",
        "/apis/ai4k8s.io/v1alpha1/predictiveautoscalercheckpoints")]
    told.append(json.dumps(api.get(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/"
                                   f"{LEASE}")))
    for operator in operators:
        with open(operator.log, encoding="utf-8") as file:
            told.append(file.read())
    assert not [text for text in told for secret in secrets if secret[:40] in text]


def test_sigint_ends_it_as_sigterm_does(make_control_plane, make_operator):
    plane = make_control_plane()
    operator = make_operator(plane).start()
    operator.send(signal.SIGINT)
    assert operator.wait() == 0
    lease = plane.client.get(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{LEASE}")
    assert not lease["spec"].get("holderIdentity"), "the lease was not given back"
