"""What kwok plays: nodes that are Ready, pods that start, use CPU and end.

The stages and metrics are kwok's own (they come with its sources), with two
changes: delays are what this control plane was asked for instead of random, and
a few metrics are nearer to a real kubelet's (METRIC_CHANGES).

How much CPU a pod uses, first match:
  1. the ResourceUsage object with the pod's namespace and name (hack/traffic
     writes these, and they vanish with their pod),
  2. the pod's annotations kwok.x-k8s.io/usage-cpu and usage-memory,
  3. 1m and 1Mi.
"""

from __future__ import annotations

import os
import re

from . import tools

STAGES = {  # directory -> {stage: delay in ms}; the default delay of a stage is 0
    "kustomize/stage/pod/general": {"pod-delete": 1000, "pod-complete": 1000},
    "kustomize/stage/node/fast": {},
    "kustomize/stage/node/heartbeat-with-lease": {},
}
METRICS = ("kustomize/metrics/usage/usage-from-annotation.yaml",
           "kustomize/metrics/resource/metrics-resource.yaml")
METRIC_CHANGES = [
    # an idle node uses a little; metrics-server drops one whose counters are zero
    ("'node.CumulativeUsage(\"cpu\")'",
     "'node.CumulativeUsage(\"cpu\") + 0.05 * node.SinceSecond()'"),
    ("'node.Usage(\"memory\")'", "'node.Usage(\"memory\") + 268435456.0'"),
    # for the same reason a container's first scrape would be lost, and 10 s with it
    ("'pod.CumulativeUsage(\"cpu\", container.name)'",
     "'pod.CumulativeUsage(\"cpu\", container.name) + 0.001'"),
    # seconds since the epoch, as the metric's name says, not the age; a minute early, so
    # that metrics-server never takes the counter for one that began at zero
    ("value: 'pod.SinceSecond()'",
     "value: 'UnixSecond(pod.metadata.creationTimestamp) - 60.0'"),
]


def configuration(pod_start_seconds: float) -> str:
    """The text of kwok's configuration file: many documents, each after its own `---`."""
    documents = []
    for folder, delays in STAGES.items():
        base = tools.shared_file("kwok", folder)
        for name in sorted(os.listdir(base)):
            if name.endswith(".yaml") and name != "kustomization.yaml":
                text = _read(os.path.join(base, name))
                if "/pod/" in folder:
                    stage = name.removesuffix(".yaml")
                    delay = delays.get(stage, 0)
                    if stage == "pod-ready":
                        delay = round(pod_start_seconds * 1000)
                    text = _with_delay(text, delay)
                documents.append(text)
    for file in METRICS:
        text = _read(tools.shared_file("kwok", file))
        if file.endswith("metrics-resource.yaml"):
            for old, new in METRIC_CHANGES:
                if old not in text:
                    raise RuntimeError(f"{file} has changed: no {old} in it")
                text = text.replace(old, new)
        documents.append(text)
    return "".join("---\n" + document.strip("-\n") + "\n" for document in documents)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _with_delay(text: str, milliseconds: int) -> str:
    """A stage with a fixed delay. The annotations that override it per pod still do."""
    text, replaced = re.subn(r"^(    durationMilliseconds:) \d+$", rf"\1 {milliseconds}", text,
                             flags=re.M)
    if replaced != 1:
        raise RuntimeError("a stage of kwok has changed: it has not one delay")
    text = re.sub(r"^    jitterDurationMilliseconds: \d+\n", "", text, flags=re.M)
    # the stage for deletion draws up to the whole grace period
    return re.sub(r"^    jitterDurationFrom:\n"
                  r"      expressionFrom: '\.metadata\.deletionTimestamp'\n", "", text, flags=re.M)
