"""Generated PredictiveAutoscaler specs: valid ones, ones just beside a bound or a rule, and broken ones.

    for raw in generate(schema, count=2000, seed=1): ...

`schema` is the spec's schema as the API server has it, so that a new field is generated
without a change here. `raw` is JSON text: some cases exist only as text (3.0 for an integer,
a member twice).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

JSON = dict[str, Any]

QUANTITIES = ["1", "500m", "0.5", ".5", "1.", "+2", "1Gi", "512Mi", "1e3", "2E-1", "1E", "1000P", "1u", "1n", "0.1",
              "100m", "1.5Gi", 3, 1]
BAD_QUANTITIES = ["", "0", "0m", "-1", "-0.5", "1.0001E", "1Ei", "2E", "1e19", "abc", "1K", "1mi", "1 ", " 1", "1e", "1e+",
                  "1e999", "--1", "1..2", ".", "Ki", "1e1.5", "9" * 33, "1\u0000", "é", 0, -1, 10**18 + 1, 1.5, True, [], {}]
NAMES = ["cpu", "a", "0", "web-1", "x" * 63]
BAD_NAMES = ["", "-a", "a-", "A", "a_b", "a.b", "x" * 64, "é", "a b", "a\n", 7, None]
SUBDOMAINS = ["web", "web-1", "a.b", "x" * 253, "0"]
BAD_SUBDOMAINS = ["", "a.", ".a", "a..b", "Web", "a-.b", "x" * 254, "a/b", "web\n", False]
API_VERSIONS = ["apps/v1", "argoproj.io/v1alpha1", "a.b.c/v1", "x/stable"]
BAD_API_VERSIONS = ["", "v1", "apps", "apps/", "/v1", "apps/v1/x", "Apps/v1", "apps/V1", "apps/1", "a" * 128, 1]
BAD_SCHEDULE_TEXTS = ["", "0 8 * * é", "0 8 * *\n*", "../../etc/passwd", "europe/berlin", "x" * 101, "0 8 * * mon#1", "?", 5]
KINDS = ["Deployment", "StatefulSet", "Rollout", "X1"]
BAD_KINDS = ["", "deployment", "Deploy ment", "Deploy-ment", "X" * 64, "DaemonSet", "Job", 1]
WRONG = [None, True, False, 0, 1, -1, 2.0, 2.5, "1", "", "Auto", [], {}, [1], [None], {"a": 1}, 2**31, 2**63 - 1, -(2**63)]


class Raw(str):
    """JSON text that stands as it is."""


def dump(value: Any) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{dump(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value)


class Generator:
    def __init__(self, schema: JSON, rng: random.Random):
        self.schema = schema
        self.rng = rng

    # -- any value of a schema, within its own bounds -----------------------

    def value(self, schema: JSON, name: str = "") -> Any:
        rng = self.rng
        if schema.get("x-kubernetes-int-or-string"):
            return rng.choice(["0", "0.1", "1", "50m", 1, 0]) if name == "tolerance" else rng.choice(QUANTITIES)
        if "enum" in schema:
            return rng.choice(schema["enum"])
        kind = schema["type"]
        if kind == "object":
            return self.object(schema)
        if kind == "array":
            return [self.value(schema["items"]) for _ in range(rng.randint(schema.get("minItems", 0), min(3, schema["maxItems"])))]
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "integer":
            low, high = schema["minimum"], schema["maximum"]
            return rng.choice([low, high, schema.get("default", low), rng.randint(low, high), min(high, low + 7)])
        return rng.choice({"apiVersion": API_VERSIONS, "kind": KINDS}.get(name, NAMES))

    def object(self, schema: JSON) -> JSON:
        required = schema.get("required", [])
        return {name: self.value(inner, name) for name, inner in schema["properties"].items()
                if name in required or self.rng.random() < 0.4}

    # -- a spec whose parts fit each other, mostly ---------------------------

    def near(self, *edges: int) -> int:
        """An edge, or just beside it."""
        return self.rng.choice(edges) + self.rng.choice([0] * 12 + [-1, 1])

    def metric(self, name: str, resource: str) -> JSON:
        rng = self.rng
        kind = rng.choice(["Utilization", "AverageValue"])
        target: JSON = {"type": kind}
        if (kind == "Utilization") != (rng.random() < 0.03):
            target["averageUtilization"] = rng.choice([1, 70, 100, 1000])
        if (kind == "AverageValue") != (rng.random() < 0.03):
            target["averageValue"] = rng.choice(QUANTITIES)
        metric: JSON = {"name": name, "type": "Resource", "resource": {"name": resource, "target": target}}
        if rng.random() < 0.3:
            metric = {"name": name, "type": "ContainerResource", "containerResource": {
                "name": resource, "container": rng.choice(["main", "main", "sidecar"]), "target": target}}
        if rng.random() < 0.03:
            del metric["containerResource" if "containerResource" in metric else "resource"]
        if rng.random() < 0.03:
            metric["type"] = rng.choice(["Resource", "ContainerResource"])
        if rng.random() < 0.2:
            metric["fallback"] = {"replicas": self.near(1, 3, 100000)}
            if rng.random() < 0.5:
                metric["fallback"]["failureDurationSeconds"] = self.near(15, 180, 86400)
            if rng.random() < 0.5:
                metric["fallback"]["behavior"] = rng.choice(["AtLeast", "CurrentReplicasIfHigher"])
        if rng.random() < 0.3:
            metric["forecast"] = rng.random() < (0.7 if resource == "cpu" else 0.1)
        if rng.random() < (0.3 if resource == "cpu" else 0.05):
            metric["capacityPerPod"] = rng.choice(QUANTITIES)
        return metric

    def prediction(self, sync: int) -> JSON:
        rng = self.rng
        step = rng.choice([10, 30, 60, 300, 300, 300, 900, 3600])
        history = rng.choice([None, self.near(12 * step, 4032 * step, 3600, 86400, 604800, 1209600)])
        horizon = rng.choice([None, self.near(step, 288 * step, 21600, 3600, 12 * step)])
        told: JSON = {"sampleIntervalSeconds": step, "historySeconds": history, "horizonSeconds": horizon}
        have_history, have_horizon = history or 604800, horizon or 21600
        if rng.random() < 0.3:
            told["leadTimeSeconds"] = self.near(1, 120, have_horizon, 3600)
        if rng.random() < 0.3:
            told["minHistorySeconds"] = self.near(0, 3600, have_history)
        confidence = rng.choice([None, 50, 80, 90, 99])
        told["confidencePercent"] = confidence
        if rng.random() < 0.5 or confidence in (50, 80):
            told["qualityGate"] = {"minCoveragePercent": self.near(confidence or 90, (confidence or 90) - 5, 1)}
        mode = rng.choice(["Auto", "None", "Fixed", None])
        if mode or rng.random() < 0.5:
            periods = [step * rng.choice([1, 2, 2, 12, 24, 288]) for _ in range(rng.randint(1, 3))]
            periods += [have_history // 2 // step * step] * (rng.random() < 0.3)
            season = {"mode": mode, "periodsSeconds": [self.near(p) for p in periods]}
            if (mode == "Fixed") == (rng.random() < 0.05):
                del season["periodsSeconds"]
            if not mode:
                del season["mode"]
            told["seasonality"] = season
        return {k: v for k, v in told.items() if v is not None}

    def schedule(self, name: str) -> JSON:
        rng = self.rng
        crons = ["0 8 * * mon-fri", "0 18 * * *", "*/5 1-3 1,15 feb *", "no cron", "x" * 100]
        schedule: JSON = {"name": name, "start": rng.choice(crons), "end": rng.choice(crons),
                          "minReplicas": self.near(1, 5, 100000)}
        if rng.random() < 0.5:
            schedule["timeZone"] = rng.choice(["UTC", "Europe/Berlin", "Etc/GMT+3", "Mars/Base", "X" * 47])
        if rng.random() < 0.1:
            schedule[rng.choice(["start", "end", "timeZone"])] = rng.choice(BAD_SCHEDULE_TEXTS)
        return schedule

    def advisor(self) -> JSON:
        rng = self.rng
        advisor: JSON = {"mode": rng.choice(["Off", "Observe", "Bounded", "Approval"])}
        if (advisor["mode"] in ("Bounded", "Approval")) != (rng.random() < 0.1):
            advisor["maxReplicaDelta"] = self.near(1, 2, 100000)
        for name, low, high in (("timeoutSeconds", 5, 240), ("minIntervalSeconds", 30, 86400),
                                ("cacheTTLSeconds", 0, 300), ("dailyCallBudget", 1, 100000)):
            if rng.random() < 0.3:
                advisor[name] = self.near(low, high)
        return advisor

    def spec(self) -> JSON:
        rng = self.rng
        spec = self.object(self.schema)
        spec["scaleTargetRef"] = {"apiVersion": rng.choice(API_VERSIONS[:2]), "kind": rng.choice(KINDS * 8 + ["DaemonSet"]), "name": "web"}
        spec["minReplicas"] = self.near(1, 1, 2, 3)
        spec["maxReplicas"] = self.near(3, 10, 10, 100000)
        sync = self.near(3, 15, 15, 15, 60)
        spec["syncPeriodSeconds"] = sync
        if rng.random() < 0.6:
            spec["prediction"] = self.prediction(sync)
        else:
            spec.pop("prediction", None)
        spec.pop("advisor", None)
        if rng.random() < 0.3:
            spec["advisor"] = self.advisor()
        spec.pop("schedules", None)
        if rng.random() < 0.3:
            spec["schedules"] = [self.schedule(rng.choice(NAMES) if rng.random() < 0.2 else f"s{i}")
                                 for i in range(rng.choice([1, 1, 2, 3, 16]))]
        spec.pop("metrics", None)
        if rng.random() < 0.6:
            n = rng.choice([1, 1, 1, 1, 2, 2, 2, 3, 6])
            sources = rng.sample(["cpu", "memory"], 2) + [rng.choice(["cpu", "memory"]) for _ in range(n)]
            spec["metrics"] = [self.metric(rng.choice(NAMES) if rng.random() < 0.1 else f"m{i}", sources[i])
                               for i in range(n)]
        return {k: v for k, v in spec.items() if k == "maxReplicas" or k == "scaleTargetRef" or rng.random() < 0.8}

    # -- something about it that is not right -------------------------------

    def places(self, value: Any, schema: JSON) -> list[tuple[Any, Any, JSON]]:
        """All (container, key, schema) in a value."""
        found: list[tuple[Any, Any, JSON]] = []
        if isinstance(value, dict) and schema.get("type") == "object":
            for name, inner in schema["properties"].items():
                found.append((value, name, inner))
                if name in value:
                    found += self.places(value[name], inner)
        elif isinstance(value, list) and schema.get("type") == "array":
            for i, item in enumerate(value):
                found.append((value, i, schema["items"]))
                found += self.places(item, schema["items"])
        return found

    def beside(self, name: Any, schema: JSON) -> Any:
        """A value just outside, or of another kind."""
        rng = self.rng
        if rng.random() < 0.15:
            return rng.choice(WRONG)
        if schema.get("x-kubernetes-int-or-string"):
            return rng.choice(QUANTITIES + BAD_QUANTITIES)
        if schema.get("type") == "integer":
            low, high = schema["minimum"], schema["maximum"]
            return rng.choice([low - 1, low, high, high + 1, 0, -1, 2**31, Raw(f"{low}.0"), Raw(f"{high}.0"), Raw("1e1"),
                               Raw(f"{low}.5"), str(low), Raw("1e400"), Raw("12345678901234567890")])
        if "enum" in schema:
            return rng.choice(schema["enum"] + [schema["enum"][0].lower(), "", "Of", False])
        if schema.get("type") == "array":
            return rng.choice([[], None, {}, [None], "x"])
        if schema.get("type") == "object":
            return rng.choice([{}, None, [], "x", {"unknownField": 1}])
        if schema.get("type") == "string":
            return rng.choice({"apiVersion": API_VERSIONS + BAD_API_VERSIONS, "kind": KINDS + BAD_KINDS}.get(
                name, NAMES + BAD_NAMES + SUBDOMAINS + BAD_SUBDOMAINS))
        return rng.choice(WRONG)

    def mutate(self, spec: JSON) -> None:
        rng = self.rng
        places = self.places(spec, self.schema)
        container, key, schema = rng.choice(places)
        how = rng.random()
        if how < 0.62:
            container[key] = self.beside(key, schema) if isinstance(container, list) or key in container or how < 0.4 \
                else self.value(schema, key)
        elif how < 0.74 and isinstance(container, dict):
            container.pop(key, None)
        elif how < 0.82 and isinstance(container, dict):
            container[rng.choice(["unknownField", key.lower() + "s", key.upper(), ""])] = rng.choice(WRONG)
        elif how < 0.87 and isinstance(container, dict) and container:
            twice = rng.choice(list(container))
            text = dump(container)
            container.clear()
            container["$raw"] = Raw(text[:-1] + f",{json.dumps(twice)}:{dump(rng.choice(WRONG))}}}")
        elif isinstance(container, list) and len(container) < 12:
            container += [container[key]] * rng.choice([1, 1, 9])
        else:
            container[key] = self.value(schema, key)


def flatten(value: Any) -> Any:
    """An object with a member twice exists as text alone."""
    if isinstance(value, dict):
        return value["$raw"] if "$raw" in value else {k: flatten(v) for k, v in value.items()}
    return [flatten(v) for v in value] if isinstance(value, list) else value


def generate(schema: JSON, count: int, seed: int) -> Iterator[str]:
    rng = random.Random(seed)
    generator = Generator(schema, rng)
    for _ in range(count):
        spec = generator.spec()
        for _ in range(rng.choice([0, 0, 1, 1, 1, 2])):
            generator.mutate(spec)
        yield dump(flatten(spec))
