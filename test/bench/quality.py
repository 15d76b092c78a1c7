#!/usr/bin/python3
"""How good the decisions are: tables over a folder of series, beside baselines and goals.

    test/bench/quality.py --build build --data test/data [--only forecast|scaling|anomalies]
                          [--target 75 --confidence 99] [--traces NAME...]

Series are CSV files of the folder or of its subfolder "series"; a series.json beside them may name those that count for
forecasts. Forecasts are scored here, from the lines that `forecast --every` writes, so that `backtest` has a second opinion.
Scaling is `simulate` with one setting for all traces, the default one being that which meets the goals of minutes on all of
them. Anomalies are scored where a labels.json beside the series says when there were some: as the Numenta Anomaly Benchmark
does (nab.py), at the program's own threshold, one for all series, and at the threshold that would have been best.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import csv
import datetime
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import nab

SLOT_S, DAY, WEEK, HORIZON, EVERY = 300, 288, 2016, 72, 36
MIN_ORIGINS = 20
NAN = math.nan
# The traces that the scaling goals are stated for, and the share of the frontier's minutes that is the goal.
GOALS = {"nasa_jul95": 0.25, "nab_realAWSCloudwatch__elb_request_count_8c0756": 0.5,
         "worldcup98_june": 1.0, "google19_cpu": 1.0, "alibaba18_cpu_30s": 1.0}
ACTIONS_GOAL = 0.5  # of the HPA's scale actions, for every trace
SPEC = """apiVersion: ai4k8s.io/v1alpha1
kind: PredictiveAutoscaler
metadata: {{name: bench}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: bench}}
  maxReplicas: 1000
  metrics:
  - name: cpu
    type: Resource
    resource: {{name: cpu, target: {{type: Utilization, averageUtilization: {target}}}}}
  prediction: {{confidencePercent: {confidence}}}
"""


def find_series(data):
    """All series of the folder by name, and the names of those that count for forecasts."""
    files = {f.stem: f for folder in (data, data / "series") for f in sorted(folder.glob("*.csv"))}
    wanted = set(files)
    if (data / "series.json").exists():
        kinds = json.loads((data / "series.json").read_text())["forecast"]
        wanted = {name for names in kinds.values() for name in names}
    return files, [name for name in files if name in wanted]


def print_table(headers, rows):
    cells = [headers] + [[f"{c:.3f}" if isinstance(c, float) else str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headers))]
    for row in cells:
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w)
                        for i, (c, w) in enumerate(zip(row, widths))).rstrip())
    print()


# ---- forecasts ----

def seconds(text):
    try:
        return float(text)
    except ValueError:
        when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)).timestamp()


def read_slots(path, by_rows):
    """Means of slots of five minutes, counted from the first row; NaN is no data."""
    sums, counts, first = [], [], None
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        next(reader)
        for row, (time, value) in enumerate(reader):
            at = seconds(time)
            first = at if first is None else first
            slot = row if by_rows else int((at - first) // SLOT_S)
            while len(sums) <= slot:
                sums.append(0.0)
                counts.append(0)
            if value and not math.isnan(float(value)):
                sums[slot] += float(value)
                counts[slot] += 1
    return [s / c if c else NAN for s, c in zip(sums, counts)]


def scale_at(values, origin):
    """Mean change from one day to the next over the week before; None where it can't be told."""
    pairs = [abs(values[t] - values[t - DAY]) for t in range(max(origin - WEEK, DAY), origin)]
    pairs = [p for p in pairs if not math.isnan(p)]
    return sum(pairs) / len(pairs) if len(pairs) >= DAY and sum(pairs) > 0 else None


def last_value(past):
    last = next((v for v in reversed(past) if not math.isnan(v)), 0.0)
    return [last] * HORIZON


def as_yesterday(past):
    fallback = last_value(past)[0]
    return [v if not math.isnan(v) else fallback for v in past[-DAY:][:HORIZON]]


def line_and_hour(past):
    """Linear regression on time and the hour of the day, by least squares: the textbook's first idea."""
    n, groups = len(past), {}
    for i, v in enumerate(past):
        if not math.isnan(v):
            groups.setdefault((i - n) // 12 % 24, []).append((i - n, v))
    means = {h: (statistics.fmean(t for t, _ in g), statistics.fmean(v for _, v in g)) for h, g in groups.items()}
    sxy = sum((t - means[h][0]) * (v - means[h][1]) for h, g in groups.items() for t, v in g)
    sxx = sum((t - means[h][0]) ** 2 for h, g in groups.items() for t, _ in g)
    slope = sxy / sxx if sxx else 0.0
    out = []
    for k in range(HORIZON):
        mean_t, mean_v = means.get(k // 12 % 24, (0.0, 0.0))
        out.append(mean_v + slope * (k - mean_t))
    return out


BASELINES = {"last value": last_value, "as yesterday": as_yesterday, "line + hour": line_and_hour}


def score_series(program, path, history):
    by_rows = "weekdays" in path.name
    values = read_slots(path, by_rows)
    command = [program, "forecast", "--series", path, "--history", str(history), "--every", str(EVERY)]
    done = subprocess.run(command + (["--rows"] if by_rows else []), capture_output=True, text=True, check=True)
    sums = {"scale": 0.0, "error": 0.0, "inside": 0.0, "pinball": 0.0, **{name: 0.0 for name in BASELINES}}
    points = origins = 0
    for text in done.stdout.splitlines():
        line = json.loads(text)
        origin = line["origin"]
        scale = scale_at(values, origin) if origin >= WEEK else None
        ahead = [(k, values[origin + k]) for k in range(min(HORIZON, len(values) - origin))
                 if not math.isnan(values[origin + k])]
        if scale is None or not ahead:
            continue
        origins += 1
        points += len(ahead)
        sums["scale"] += scale
        low, high, q95 = (line["quantiles"][q] for q in ("0.025", "0.975", "0.95"))
        for k, y in ahead:
            sums["error"] += abs(y - line["mean"][k])
            sums["inside"] += low[k] <= y <= high[k]
            sums["pinball"] += max(0.95 * (y - q95[k]), 0.05 * (q95[k] - y))
        past = values[max(0, origin - history):origin]
        for name, method in BASELINES.items():
            said = method(past)
            sums[name] += sum(abs(y - said[k]) for k, y in ahead)
    if origins == 0:
        return None
    unit = points * sums["scale"] / origins
    return {"name": path.stem, "origins": origins, "inside": sums["inside"] / points, "mase": sums["error"] / unit,
            "pinball": sums["pinball"] / unit, **{name: sums[name] / unit for name in BASELINES}}


def forecast_table(options):
    files, names = find_series(options.data)
    for history, words, goals in ((WEEK, "7 days", (0.78, 0.74)), (DAY, "24 h", (1.00, 0.91))):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = list(pool.map(lambda n, h=history: score_series(options.program, files[n], h), names))
        short = [r["name"] for r in rows if r and r["origins"] < MIN_ORIGINS]
        rows = [r for r in rows if r and r["origins"] >= MIN_ORIGINS]
        print(f"Forecasts of 6 h every 3 h with {words} of history; 1 is the mean error of \"as yesterday\"\n")
        columns = ["mase", *BASELINES, "pinball", "inside"]
        shown = [[r["name"], r["origins"], *(r[c] for c in columns)] for r in rows]
        shown.append(["mean", sum(r["origins"] for r in rows), *(statistics.fmean(r[c] for r in rows) for c in columns)])
        shown.append(["geometric mean", "", *(statistics.geometric_mean(max(r[c], 1e-9) for r in rows)
                                              for c in columns[:-2]), "", ""])
        shown.append(["least", "", "", "", "", "", "", min(r["inside"] for r in rows)])
        print_table(["series", "origins", "MASE", *BASELINES, "pinball .95", "in 95 %"], shown)
        if short:
            print(f"left out, with fewer than {MIN_ORIGINS} origins: {', '.join(short)}")
        print(f"goals: MASE {goals[0]:.2f}, geometric {goals[1]:.2f}"
              + ("; pinball .95 0.20; in 95 % 0.93 to 0.97, no series below 0.85\n" if history == WEEK else "\n"))


# ---- scaling ----

def simulate(options, path, spec, startup):
    command = [options.program, "simulate", "--trace", path, "--spec", spec, "--startup", startup, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip()


def scaling_row(name, result):
    own, hpa, match = result["ai4k8s"], result["hpa"], result["hpaAtSameCost"]
    theirs = match["underProvisionedMinutes"]
    ratio = own["underProvisionedMinutes"] / theirs if theirs else (0.0 if own["underProvisionedMinutes"] == 0 else math.inf)
    goal, actions = GOALS.get(name), own["scaleActions"] / max(hpa["scaleActions"], 1)
    met = "" if goal is None else "yes" if ratio <= goal else "no"
    few = "yes" if actions <= ACTIONS_GOAL else "no"
    beyond = {1: " or less", -1: " or more", 0: ""}[match["outside"]]
    return [name, f"{own['underProvisionedMinutes']:.2f}", f"{own['podHours']:.0f}", own["oracleRatio"],
            f"{own['trustedPercent']:.0f} %", f"{hpa['underProvisionedMinutes']:.2f}", f"{hpa['podHours']:.0f}",
            f"{match['targetPercent']:.1f} %", f"{theirs:.2f}{beyond}", ratio, "" if goal is None else goal, met,
            own["scaleActions"], hpa["scaleActions"], actions, ACTIONS_GOAL, few]


def scaling_table(options):
    files, _ = find_series(options.data)
    names = options.traces or [n for n in GOALS if n in files] or list(files)
    headers = ["trace", "short min", "pod-hours", "xoracle", "trusted", "HPA min", "HPA pod-hours", "same cost: target",
               "min", "min ratio", "goal", "met", "actions", "HPA actions", "actions ratio", "goal", "met"]
    with tempfile.TemporaryDirectory() as folder:
        spec = pathlib.Path(folder) / "pa.yaml"
        spec.write_text(SPEC.format(target=options.target, confidence=options.confidence))
        for startup in ("60..120", "240..300"):
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                results = list(pool.map(lambda n, s=startup: simulate(options, files[n], spec, s), names))
            print(f"Scaling: target {options.target} %, confidence {options.confidence} %, pods that start in {startup} s; "
                  "beside the HPA at the same target, and at the target that costs the same\n")
            print_table(headers, [scaling_row(n, r) for n, r in zip(names, results) if isinstance(r, dict)])
            for name, result in zip(names, results):
                if isinstance(result, str):
                    print(f"{name}: {result}")
    print("min ratio: short minutes over those of the HPA at the same cost; actions ratio: over those of the HPA at the same "
          "target\n")


# ---- anomalies ----

def judge(program, path, history):
    """Score and alarm of each row."""
    command = [program, "anomalies", "--series", path, "--history", str(history)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = list(csv.DictReader(done.stdout.splitlines()))
    return [float(row["score"]) for row in rows], [float(row["is_anomaly"]) for row in rows], [row["timestamp"] for row in rows]


def anomaly_table(options):
    files, _ = find_series(options.data)
    labels = json.loads((options.data / "labels.json").read_text()) if (options.data / "labels.json").exists() else {}
    names = [n for n in files if n.startswith("nab_") and "windows" in labels.get(n, {})]
    if not names:
        print(f"Anomalies: no labels.json with windows in {options.data}, so nothing to score by\n")
        return
    rows = []
    for history in (2 * WEEK, WEEK):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = dict(zip(names, pool.map(lambda n, h=history: judge(options.program, files[n], h), names)))
        labelled = {n: nab.Labelled(results[n][2], [tuple(w) for w in labels[n]["windows"]]) for n in names}
        scores, alarms = ({n: r[k] for n, r in results.items()} for k in (0, 1))
        for profile in nab.PROFILES:
            own = max((value for at, value in nab.sweep(labelled, alarms, profile) if at >= 0.5), default=0.0)
            threshold, best = max(nab.sweep(labelled, scores, profile), key=lambda x: x[1])
            hit, windows, outside = nab.outcome(labelled, alarms, 0.5)
            rows.append([f"{history} rows, {profile}", f"{own:.1f}", f"{hit} of {windows}", outside, f"{best:.1f}", f"{threshold:.3f}"])
    print(f"Anomalies: the Numenta benchmark's score over {len(names)} series; windows found, rows outside of any\n")
    print_table(["remembered, profile", "our threshold", "found", "outside", "best threshold", "at"], rows)
    print(f"goals: standard profile, {2 * WEEK} rows: 62 at our threshold, 66 at the best\n")


TABLES = {"forecast": forecast_table, "scaling": scaling_table, "anomalies": anomaly_table}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("test/data"))
    parser.add_argument("--only", choices=TABLES)
    parser.add_argument("--target", type=int, default=75)
    parser.add_argument("--confidence", type=int, default=99)
    parser.add_argument("--traces", nargs="+")
    options = parser.parse_args()
    options.program = options.build / "kubectl-ai4k8s"
    if not any(find_series(options.data)[0]):
        sys.exit(f"{options.data}: there is no CSV file in it or in its folder \"series\"")
    os.nice(10)
    for name, table in TABLES.items():
        if options.only in (None, name):
            table(options)


if __name__ == "__main__":
    main()
