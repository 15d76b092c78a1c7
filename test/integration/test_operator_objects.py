"""PredictiveAutoscalers and annotations come, change and go; the operator follows."""

from __future__ import annotations

import json
import time

import pytest

from autoscalers import (autoscaler, await_condition, await_event, await_generation,
                         await_replicas, condition, create, events, get, path, scale_writes,
                         touch)
from kubeapi import ApiError
from support import (create_deployment, create_hpa, deployment, eventually, replicas_of,
                     wait_ready)

ENABLED = "ai4k8s.io/predictive-autoscaling-enabled"
CONFIG = "ai4k8s.io/predictive-autoscaling-config"


def annotate(api, namespace, name, **annotations):
    api.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
              {"metadata": {"annotations": annotations}})


def config(**fields):
    """What autoscaler() has, as an annotation."""
    spec = autoscaler("x", "x")["spec"]
    del spec["scaleTargetRef"], spec["minReplicas"], spec["maxReplicas"]
    return json.dumps({**spec, **fields})


@pytest.mark.slow(45)
def test_created_edited_deleted(api, namespace, operator, traffic, audit_log):
    create_deployment(api, namespace, "web", 1)
    traffic.set_demand(namespace, "web", 0.143)
    create(api, namespace, "web", "web")
    await_replicas(api, namespace, "web", 3)
    item = await_condition(api, namespace, "web", "Ready", "True")
    status = item["status"]
    eventually(lambda: get(api, namespace, "web")["status"]["currentReplicas"] == 3)
    assert status["selector"] == "app=web"
    assert condition(item, "AbleToScale")[0] == condition(item, "ScalingActive")[0] == "True"
    assert condition(item, "Conflict")[0] == "False"
    assert await_event(api, namespace, "web", "SuccessfulRescale")["note"].startswith("New size: 3")

    api.patch(path(namespace, "web"), {"spec": {"metrics": autoscaler(
        "web", "web", utilization=25)["spec"]["metrics"]}})
    await_replicas(api, namespace, "web", 6)
    notes = eventually(lambda: [e["note"] for e in events(api, namespace, "web",
                                                         "SuccessfulRescale")
                                if e["note"].startswith("New size: 6")])
    assert len(notes) == 1

    api.delete(path(namespace, "web"))
    eventually(lambda: not api.exists(path(namespace, "web")))
    before = audit_log.end()
    traffic.set_demand(namespace, "web", 0.05)
    create_deployment(api, namespace, "other", 1)
    create(api, namespace, "other", "other")  # its decisions show that time has passed
    for _ in range(3):
        touch(api, namespace, "other")
    assert not [e for e in scale_writes(audit_log, before, namespace)
                if e["objectRef"]["name"] == "web"]


def test_annotation_on_changed_broken_removed(api, namespace, operator, audit_log):
    create_deployment(api, namespace, "web", 1)
    annotate(api, namespace, "web", **{ENABLED: "true", CONFIG: config(min=2, max=5)})
    item = eventually(lambda: get(api, namespace, "deployment-web"))
    assert item["metadata"]["labels"]["ai4k8s.io/source"] == "annotation"
    assert item["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
    assert item["spec"]["minReplicas"] == 2 and item["spec"]["maxReplicas"] == 5
    await_replicas(api, namespace, "web", 2)

    annotate(api, namespace, "web", **{CONFIG: config(min=3, max=5)})
    await_replicas(api, namespace, "web", 3)
    await_condition(api, namespace, "deployment-web", "ConfigValid", "True")

    annotate(api, namespace, "web", **{CONFIG: '{"min": 1, "max": "many"}'})
    item = await_condition(api, namespace, "deployment-web", "ConfigValid", "False",
                           "InvalidAnnotation")
    assert "max" in condition(item, "ConfigValid")[2]
    assert item["spec"]["minReplicas"] == 3, "the last valid configuration does not run on"
    told = await_event(api, namespace, "web", "InvalidAnnotation")
    assert told["type"] == "Warning" and told["regarding"]["kind"] == "Deployment"
    # It still scales, and says it once.
    api.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/web/scale",
              {"spec": {"replicas": 1}})
    await_replicas(api, namespace, "web", 3)
    assert len(events(api, namespace, "web", "InvalidAnnotation")) == 1
    assert "series" not in events(api, namespace, "web", "InvalidAnnotation")[0]

    annotate(api, namespace, "web", **{CONFIG: config(min=2, max=5)})
    await_condition(api, namespace, "deployment-web", "ConfigValid", "True")
    annotate(api, namespace, "web", **{ENABLED: None, CONFIG: None})
    eventually(lambda: not api.exists(path(namespace, "deployment-web")), 30)
    kept = path(namespace, "deployment-web-tail", "predictiveautoscalercheckpoints")
    tail = eventually(lambda: api.get(kept))
    assert tail["spec"]["expireTime"] > tail["spec"]["time"]
    assert tail["metadata"]["labels"]["ai4k8s.io/expires"] == "true"


def test_broken_annotation_from_the_start_creates_nothing(api, namespace, operator):
    create_deployment(api, namespace, "web", 1)
    annotate(api, namespace, "web", **{ENABLED: "true", CONFIG: "{"})
    await_event(api, namespace, "web", "InvalidAnnotation")
    assert not api.exists(path(namespace, "deployment-web"))


@pytest.mark.slow(65)
def test_hand_written_wins_over_annotation(api, namespace, operator):
    create_deployment(api, namespace, "web", 1)
    annotate(api, namespace, "web", **{ENABLED: "true", CONFIG: config(min=2, max=5)})
    await_replicas(api, namespace, "web", 2)
    create(api, namespace, "mine", "web", minimum=4)
    await_replicas(api, namespace, "web", 4)
    item = await_condition(api, namespace, "deployment-web", "Conflict", "True",
                           "ConflictingAutoscaler")
    assert "mine" in condition(item, "Conflict")[2]
    api.delete(path(namespace, "mine"))
    await_condition(api, namespace, "deployment-web", "Conflict", "False")
    await_replicas(api, namespace, "web", 2)


def test_the_older_of_two_wins(api, namespace, operator):
    create_deployment(api, namespace, "web", 1)
    create(api, namespace, "first", "web", minimum=3)
    await_replicas(api, namespace, "web", 3)
    # Ages are whole seconds; of two of the same age the name would decide.
    born = get(api, namespace, "first")["metadata"]["creationTimestamp"]
    eventually(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > born)
    create(api, namespace, "a-second", "web", minimum=5)
    item = await_condition(api, namespace, "a-second", "Conflict", "True")
    assert "first" in condition(item, "Conflict")[2]
    touch(api, namespace, "a-second")
    await_replicas(api, namespace, "web", 3)
    await_condition(api, namespace, "first", "Conflict", "False")
    api.delete(path(namespace, "first"))
    await_replicas(api, namespace, "web", 5)


@pytest.mark.slow(75)
def test_the_same_pods_under_two_selectors(api, namespace, operator, traffic, audit_log):
    """Neither of two autoscalers computes a count from them, ours as the HPA's."""
    def overlap(app):
        for name, labels in ((f"{app}-all", {"app": app}), (f"{app}-back", {"app": app, "tier": "back"})):
            item = deployment(name, 2)
            item["spec"]["selector"]["matchLabels"] = labels
            item["spec"]["template"]["metadata"]["labels"] = labels
            api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", item)
            wait_ready(api, namespace, name, 2)

    def theirs(name):
        return f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{name}"

    def theirs_says(name, status, reason):
        now = condition(api.get(theirs(name)), "ScalingActive")
        assert now[:2] == (status, reason), now
        return True

    overlap("theirs")
    overlap("ours")
    for end in ("all", "back"):
        create_hpa(api, namespace, f"theirs-{end}", f"theirs-{end}", minimum=2)
        create(api, namespace, f"ours-{end}", f"ours-{end}", minimum=2)
    for name, other in (("ours-all", "ours-back"), ("ours-back", "ours-all")):
        item = await_condition(api, namespace, name, "ScalingActive", "False", "AmbiguousSelector")
        assert f"PredictiveAutoscaler {other}," in condition(item, "ScalingActive")[2]
        assert condition(item, "Ready")[:2] == ("False", "AmbiguousSelector")
        assert await_event(api, namespace, name, "AmbiguousSelector")["type"] == "Warning"
        eventually(lambda name=name.replace("ours", "theirs"): theirs_says(
            name, "False", "AmbiguousSelector"), 60)

    before = audit_log.end()
    for app in ("theirs", "ours"):
        traffic.set_demand(namespace, f"{app}-all", 0.4)  # on the pods of both: the double of the target
    for _ in range(5):
        touch(api, namespace, "ours-all")
        touch(api, namespace, "ours-back")
        time.sleep(5)  # a sync, and time for a sample
    assert not scale_writes(audit_log, before, namespace)
    for app in ("theirs", "ours"):
        assert [replicas_of(api, namespace, f"{app}-{end}") for end in ("all", "back")] == [2, 2]
    told = events(api, namespace, "ours-back", "AmbiguousSelector")
    assert len(told) == 1 and "series" not in told[0]

    api.delete(theirs("theirs-all"))
    api.delete(path(namespace, "ours-all"))
    await_condition(api, namespace, "ours-back", "ScalingActive", "True", "ValidMetricFound")
    for app in ("ours", "theirs"):
        eventually(lambda app=app: replicas_of(api, namespace, f"{app}-back") > 2, 60)
        assert replicas_of(api, namespace, f"{app}-all") == 2
    assert theirs_says("theirs-back", "True", "ValidMetricFound")


def test_an_annotated_object_of_someone_else_is_left_alone(api, namespace, operator):
    create_deployment(api, namespace, "web", 1)
    create_deployment(api, namespace, "other", 1)
    made = create(api, namespace, "deployment-web", "other")
    annotate(api, namespace, "web", **{ENABLED: "true", CONFIG: config(min=2, max=5)})
    await_event(api, namespace, "web", "AutoscalerNameTaken")
    assert get(api, namespace, "deployment-web")["spec"] == made["spec"]


@pytest.mark.slow(40)
def test_min_and_max_changed(api, namespace, operator, traffic):
    create_deployment(api, namespace, "web", 2)
    traffic.set_demand(namespace, "web", 0.13)
    create(api, namespace, "web", "web", minimum=2, maximum=4)
    await_replicas(api, namespace, "web", 3)
    api.patch(path(namespace, "web"), {"spec": {"minReplicas": 4}})
    await_replicas(api, namespace, "web", 4, 20)
    api.patch(path(namespace, "web"), {"spec": {"minReplicas": 1, "maxReplicas": 2}})
    await_replicas(api, namespace, "web", 2)
    await_condition(api, namespace, "web", "ScalingLimited", "True", "TooManyReplicas")
    api.patch(path(namespace, "web"), {"spec": {"maxReplicas": 10}})
    await_replicas(api, namespace, "web", 3)
    await_condition(api, namespace, "web", "ScalingLimited", "False")


@pytest.mark.parametrize("how", ["Recommend", "Off", "paused"])
def test_what_does_not_write(api, namespace, operator, traffic, audit_log, how):
    create_deployment(api, namespace, "web", 1)
    traffic.set_demand(namespace, "web", 0.18)
    body = autoscaler("web", "web", mode="Auto" if how == "paused" else how)
    if how == "paused":
        body["metadata"]["annotations"] = {"ai4k8s.io/paused": "true"}
    before = audit_log.end()
    api.post(path(namespace), body)
    if how == "Off":
        await_condition(api, namespace, "web", "Paused", "True", "ModeOff")
        assert "lastDecision" not in get(api, namespace, "web")["status"]
    else:
        def sees_the_need():
            stages = {s["name"]: s["replicas"]
                      for s in get(api, namespace, "web")["status"]["lastDecision"]["stages"]}
            assert stages["Need"] == 4, stages
            return True

        eventually(sees_the_need, 60)
    for _ in range(2):
        touch(api, namespace, "web")
    assert not scale_writes(audit_log, before, namespace)
    if how == "paused":
        await_condition(api, namespace, "web", "Paused", "True", "PausedByAnnotation")
        api.patch(path(namespace, "web"), {"metadata": {"annotations": {"ai4k8s.io/paused": None}}})
    else:
        api.patch(path(namespace, "web"), {"spec": {"mode": "Auto"}})
    await_replicas(api, namespace, "web", 4)
    await_condition(api, namespace, "web", "Paused", "False")


def test_an_invalid_object_is_refused_with_its_field(api, namespace, operator):
    with pytest.raises(ApiError, match="minReplicas"):
        create(api, namespace, "web", "web", minimum=5, maximum=2)


def test_observed_generation(api, namespace, operator):
    create_deployment(api, namespace, "web", 1)
    made = create(api, namespace, "web", "web")
    await_generation(api, namespace, "web", made["metadata"]["generation"])
