"""The plugin without a cluster: exit statuses, messages, and the shapes that other programs read."""

from __future__ import annotations

import json
import math
import os
import pathlib
import pty
import re
import resource
import subprocess
import xml.etree.ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("AI4K8S_BUILD") or ROOT / "build-san")
PROGRAM = BUILD / "kubectl-ai4k8s"
NASA = ROOT / "test/data/nasa_jul95.csv"
GOOGLE = ROOT / "test/data/google19_cpu.csv"
COMMANDS = ["status", "explain", "pause", "resume", "backfill", "advise", "approve", "forecast", "backtest", "anomalies", "simulate", "decide"]
LEVELS = ["0.025", "0.05", "0.1", "0.5", "0.9", "0.95", "0.975"]


def run(*arguments, text=None, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], input=text, capture_output=True,
                          text=True, timeout=300, check=False, **options)


def series(path, values, start=0, step=300):
    lines = ["time,value"] + [f"{start + i * step},{'' if v is None else v}"
                              for i, v in enumerate(values)]
    path.write_text("\n".join(lines) + "\n")
    return path


def daily(n):
    return [round(50 + 30 * math.sin(i * 2 * math.pi / 288) + (i * 7919 % 13), 3)
            for i in range(n)]


# ---- the program ----

@pytest.mark.parametrize("arguments", [["--help"], ["help"], ["-h"]])
def test_help_lists_the_commands(arguments):
    answer = run(*arguments)
    assert answer.returncode == 0 and answer.stderr == ""
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", answer.stdout, re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(command):
    answer = run(command, "--help")
    assert answer.returncode == 0 and answer.stderr == ""
    assert re.search(r"^Examples?:\n  kubectl.ai4k8s " + command, answer.stdout, re.M)
    assert run("help", command).stdout == answer.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_can_be_copied(command):
    """The library that prints help breaks long lines, also those of examples."""
    text = run(command, "--help").stdout
    lines = re.search(r"^Examples?:\n((?:.+\n)+)", text, re.M)[1].splitlines()
    for before, line in zip([""] + lines, lines):
        start = "      " if before.endswith("\\") else "  "
        assert re.match(start + r"\S", line) and len(line) < 80, line
    assert not lines[-1].endswith("\\")


def test_version():
    answer = run("--version")
    assert answer.returncode == 0
    assert answer.stdout == f"kubectl-ai4k8s {(ROOT / 'VERSION').read_text().strip()}\n"


@pytest.mark.parametrize("arguments, word", [
    ([], "COMMAND"),
    (["launch"], "--help"),
    (["help", "launch"], "--help"),
    (["forecast"], "--series"),
    (["forecast", "--series", NASA, NASA], "one series"),
    (["forecast", "--series", NASA, "--interval", "5"], "10 to 3600"),
    (["forecast", "--series", NASA, "--interval", "300.0"], "10 to 3600"),
    (["forecast", "--series", NASA, "--history", "4033"], "12 to 4032"),
    (["forecast", "--series", NASA, "--horizon", "0"], "1 to 288"),
    (["forecast", "--series", NASA, "--every", "0"], "--every"),
    (["forecast", "--series", NASA, "--every", "9", "-o", "svg"], "--every"),
    (["forecast", "--series", NASA, "-o", "png"], "svg"),
    (["forecast", "--series", NASA, "--colour"], "--help"),
    (["backtest"], "--series"),
    (["backtest", NASA, "--min-origins", "0"], "from 1 on"),
    (["pause"], "NAME"),
    (["pause", "a", "b"], "one autoscaler"),
    (["pause", "a", "-n", "No_Name"], "namespace"),
    (["explain"], "NAME"),
    (["status", "web", "-A"], "-n NS"),
    (["status", "-o", "yaml"], "table or json"),
    (["backfill", "web"], "--series"),
    (["backfill", "web", "--series", NASA, "--prometheus", "http://x"], "--series"),
    (["backfill", "web", "--prometheus", "http://x"], "--query"),
    (["backfill", "web", "--series", NASA, "--end", "tomorrow"], "now"),
    (["backfill", "web", "--prometheus", "http://x", "--query", "up", "--range", "7"], "7d"),
])
def test_wrong_usage(arguments, word):
    answer = run(*arguments)
    assert answer.returncode == 2, answer
    assert answer.stdout == "" and word in answer.stderr


# ---- bad input ----

@pytest.mark.parametrize("text, words", [
    ("apiQPS: fast\n", [":1: apiQPS: want an integer"]),
    ("apiQPS: 5\n", ["names no provider"]),
    ("advisor: {providers: [{name: p, api: Groq, model: m, url: 'https://me:s3cr3t@x'}]}\n", [":1: ", "a user name"]),
])
def test_a_configuration_is_looked_at_before_the_cluster(tmp_path, text, words):
    path = tmp_path / "operator.yaml"
    path.write_text(text)
    answer = run("advise", "web", "--dry-run", "--config", path, "--kubeconfig", tmp_path / "none")
    assert answer.returncode == 2 and answer.stdout == ""
    assert all(word in answer.stderr for word in [str(path), *words]) and "s3cr3t" not in answer.stderr


@pytest.mark.parametrize("text, place, word", [
    ("", "1", "empty"),
    ("t,v\n", "1", "no row"),
    ("0,1\n300,2\n", "1", "header"),
    ("t,v\n0,1\nnonsense\n", "3", "two columns"),
    ("t,v\n0,1\n300,abc\n", "3", "empty where there is no data"),
    ("t,v\n300,1\n0,1\n", "3", "sort"),
    ("t,v\n0,1\n1714521600000,1\n", "3", "milliseconds"),
    ("t,v\n0,1\n250000000000,1\n", "3", "--interval"),
    ("t,v\n0,inf\n", "2", "finite"),
    ("t,v\n\0\0\0", "2", "save the file as CSV"),
    ("t,v\n\"0\",\"1\n", "2", "as in 2024"),
])
@pytest.mark.parametrize("command", ["forecast", "backtest"])
def test_bad_series(tmp_path, command, text, place, word):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    answer = run(command, "--series", path)
    assert answer.returncode == 2 and answer.stdout == ""
    assert answer.stderr.startswith(f"kubectl-ai4k8s: {path}:{place}: ") and word in answer.stderr


def test_a_file_that_is_not_there(tmp_path):
    answer = run("forecast", "--series", tmp_path / "none.csv")
    assert answer.returncode == 1 and answer.stdout == ""
    assert "none.csv" in answer.stderr and "No such file" in answer.stderr


def test_nothing_but_no_data(tmp_path):
    answer = run("forecast", "--series", series(tmp_path / "empty.csv", [None] * 20))
    assert answer.returncode == 2 and "no row has a value" in answer.stderr


def test_huge_values_are_clipped_with_a_word(tmp_path):
    path = series(tmp_path / "huge.csv", [1, 2, "1e308", 2, "-1e308"] * 10)
    answer = run("forecast", "--series", path, "-o", "jsonl")
    assert answer.returncode == 0 and f"{path}:4: 20 values were beyond +-1e+30 and taken" in answer.stderr
    check_line(json.loads(answer.stdout), 72)


def test_many_rows_in_bounded_memory(tmp_path):
    """Rows of a second: memory follows the slots, not the rows."""
    path = tmp_path / "long.csv"
    with path.open("w") as file:
        file.write("t,v\n")
        for start in range(0, 2_000_000, 1000):
            file.writelines(f"{t},{t % 977}\n" for t in range(start, start + 1000))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    answer = run("forecast", "--series", path, "-o", "jsonl")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["origin"] == 6667
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after <= max(before, 120 << 10)  # KiB; a sanitizer's own is most of it


def test_output_that_nobody_takes():
    with open("/dev/full", "w", encoding="ascii") as full:
        answer = subprocess.run([PROGRAM, "forecast", "--series", NASA], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert answer.returncode == 1 and "standard output" in answer.stderr


@pytest.mark.parametrize("command", [["forecast", "--every", "8", "--series"], ["anomalies"], ["backtest"]])
def test_why_output_is_not_taken(command):
    """However much of it there is; and one who has enough, such as `head`, is no news."""
    with open("/dev/full", "w", encoding="ascii") as full:
        answer = subprocess.run([PROGRAM, *command, NASA], stdout=full, stderr=subprocess.PIPE, text=True,
                                timeout=100, check=False)
    assert answer.returncode == 1
    assert answer.stderr == "kubectl-ai4k8s: writing standard output: No space left on device\n"
    reader, writer = os.pipe()
    os.close(reader)
    answer = subprocess.run([PROGRAM, *command, NASA], stdout=writer, stderr=subprocess.PIPE, text=True,
                            timeout=100, check=False)
    os.close(writer)
    assert answer.returncode == 1 and answer.stderr == ""


def cpu_of(command, stdout):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    answer = subprocess.run([PROGRAM, *command], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    assert answer.stderr == ""
    return answer.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def test_forecasts_that_nobody_takes_are_not_computed():
    """`| head -1`"""
    command = ["forecast", "--series", NASA, "--every", "8"]
    whole, all_s = cpu_of(command, subprocess.DEVNULL)
    reader, writer = os.pipe()
    os.close(reader)
    cut, some_s = cpu_of(command, writer)
    os.close(writer)
    assert (whole, cut) == (0, 1) and some_s < all_s / 3


def test_rows_whose_findings_nobody_takes_are_not_read():
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen([PROGRAM, "anomalies", "--history", "64", "-"], stdin=subprocess.PIPE, stdout=writer,
                          stderr=subprocess.PIPE, text=True) as process:
        os.close(writer)
        with pytest.raises(BrokenPipeError):
            process.stdin.write("t,v\n")
            for start in range(0, 1_000_000, 1000):
                process.stdin.write("".join(f"{t},{t % 97}\n" for t in range(start, start + 1000)))
        assert process.wait(60) == 1 and process.stderr.read() == ""
        process.stdin = None  # what is still in its buffer nobody takes


# ---- forecast ----

def check_line(line, horizon, nonnegative=False):
    assert list(line) == ["origin", "time", "mean", "quantiles", "trusted", "model"]
    assert list(line["quantiles"]) == LEVELS
    rows = [line["quantiles"][level] for level in LEVELS]
    for values in [line["mean"], *rows]:
        assert len(values) == horizon and all(math.isfinite(v) for v in values)
        assert not nonnegative or min(values) >= 0
    for lower, upper in zip(rows, rows[1:]):
        assert all(a <= b for a, b in zip(lower, upper))
    assert isinstance(line["trusted"], bool)


def lines_of(answer):
    assert answer.returncode == 0, answer.stderr
    return {json.loads(line)["origin"]: line for line in answer.stdout.splitlines()}


def test_forecast_lines(tmp_path):
    path = series(tmp_path / "s.csv", daily(2500), start=1714521600)
    lines = lines_of(run("forecast", "--series", path, "--every", "100"))
    assert list(lines) == [2016, 2116, 2216, 2316, 2416]
    for line in lines.values():
        check_line(json.loads(line), 72, nonnegative=True)
    assert json.loads(lines[2016])["time"] == "2024-05-08T00:00:00Z"


def test_a_line_does_not_depend_on_what_comes_after_or_between(tmp_path):
    values = daily(1200)
    values[500:520] = [None] * 20
    path = series(tmp_path / "s.csv", values)
    options = ["--history", "576", "--horizon", "24"]
    every = lines_of(run("forecast", "--series", path, *options, "--every", "1"))
    assert list(every) == list(range(576, 1201))
    for step in (7, 90):
        some = lines_of(run("forecast", "--series", path, *options, "--every", step))
        assert some == {origin: every[origin] for origin in range(576, 1201, step)}
    shorter = series(tmp_path / "shorter.csv", values[:900])
    other = series(tmp_path / "other.csv", values[:900] + [1e6, None, 3] * 100)
    for file in (shorter, other):
        lines = lines_of(run("forecast", "--series", file, *options, "--every", "1"))
        assert all(lines[origin] == every[origin] for origin in range(576, 901))
    once = run("forecast", "--series", shorter, *options, "-o", "jsonl")
    assert once.stdout == every[900] + "\n"


def test_a_slot_that_is_not_over_is_no_base(tmp_path):
    """A file of minutes that ends in the middle of a slot, and the same file going on."""
    rows = [i * 7919 % 101 for i in range(3002)]
    half = series(tmp_path / "half.csv", rows[:2998], step=60)
    whole = series(tmp_path / "whole.csv", rows, step=60)
    options = ["--history", "288", "--every", "1"]
    first = lines_of(run("forecast", "--series", half, *options))
    second = lines_of(run("forecast", "--series", whole, *options))
    assert list(first) == list(range(288, 600)) and list(second) == list(range(288, 601))
    assert all(second[origin] == first[origin] for origin in first)


def test_short_series(tmp_path):
    for n in (1, 2, 11, 40):
        answer = run("forecast", "--series", series(tmp_path / "s.csv", daily(n)), "-o", "jsonl")
        assert answer.returncode == 0, answer.stderr
        line = json.loads(answer.stdout)
        check_line(line, 72)
        assert line["origin"] == n and not line["trusted"]
    answer = run("forecast", "--series", tmp_path / "s.csv", "--every", "10")
    assert answer.returncode == 0 and answer.stdout == "" and "--history" in answer.stderr


def test_standard_input():
    answer = run("forecast", "--series", "-", "-o", "jsonl", text=NASA.read_text())
    assert answer.stdout == run("forecast", "--series", NASA, "-o", "jsonl").stdout


def test_rows(tmp_path):
    path = series(tmp_path / "s.csv", daily(600), step=100000)
    line = json.loads(run("forecast", "--series", path, "--rows", "-o", "jsonl").stdout)
    assert line["origin"] == 600


def test_forecast_table_and_plot():
    answer = run("forecast", "--series", NASA)
    assert answer.returncode == 0 and answer.stderr == ""
    assert "█" in answer.stdout and "\033" not in answer.stdout
    assert re.search(r"^1995-07-28T13:35:00Z +\d", answer.stdout, re.M)
    answer = run("forecast", "--series", NASA, "-o", "svg")
    root = xml.etree.ElementTree.fromstring(answer.stdout)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"observed", "mean forecast", "time in UTC", "28 Jul"} <= set(texts)


@pytest.mark.parametrize("no_color", [None, "1"])
def test_colour_only_on_a_terminal(no_color):
    environment = {**os.environ, "NO_COLOR": no_color} if no_color else dict(os.environ)
    if not no_color:
        environment.pop("NO_COLOR", None)
    parent, child = pty.openpty()
    with subprocess.Popen([PROGRAM, "forecast", "--series", NASA], stdout=child, stderr=child,
                          env=environment) as process:
        os.close(child)
        output = b""
        try:
            while piece := os.read(parent, 65536):
                output += piece
        except OSError:
            pass
        assert process.wait(60) == 0
    os.close(parent)
    assert (b"\033[34m" in output) == (not no_color)


# ---- backtest ----

def test_backtest_lines():
    answer = run("backtest", NASA, "--series", GOOGLE, "-o", "jsonl")
    assert answer.returncode == 0 and answer.stderr == ""
    *rows, last = map(json.loads, answer.stdout.splitlines())
    assert [row["series"] for row in rows] == ["nasa_jul95", "google19_cpu"]
    mean = last["mean"]
    assert mean["series"] == 2 and mean["origins"] == sum(row["origins"] for row in rows)
    assert mean["mase"] == pytest.approx(sum(row["mase"] for row in rows) / 2)
    assert mean["geometricMase"] == pytest.approx(math.sqrt(rows[0]["mase"] * rows[1]["mase"]))
    for row in rows:
        assert list(row["pinball"]) == list(row["coverage"]) == LEVELS
        assert row["mase"] < 0.85 and row["pinball"]["0.95"] < 0.15
        assert 0.9 < row["inside95"] < 0.99
        assert row["pinball"]["0.5"] < row["mase"]


def test_backtest_agrees_with_the_lines_of_forecast(tmp_path):
    """The same figures, computed here from what `forecast` says."""
    values = daily(1500)
    values[700:705] = [None] * 5
    path = series(tmp_path / "s.csv", values)
    options = ["--history", "600", "--every", "50"]
    result = json.loads(run("backtest", path, *options, "-o", "jsonl").stdout.splitlines()[0])
    errors, losses, inside, scales = [], [], [], []
    for origin, text in lines_of(run("forecast", "--series", path, *options)).items():
        pairs = [abs(values[t] - values[t - 288]) for t in range(max(origin - 2016, 288), origin)
                 if None not in (values[t], values[t - 288])]
        line = json.loads(text)
        ahead = [(h, values[origin + h]) for h in range(72)
                 if origin + h < len(values) and values[origin + h] is not None]
        if len(pairs) < 288 or not ahead:
            continue
        scales.append(math.fsum(pairs) / len(pairs))
        for h, y in ahead:
            q = line["quantiles"]["0.95"][h]
            errors.append(abs(y - line["mean"][h]))
            losses.append(0.95 * (y - q) if y > q else 0.05 * (q - y))
            inside.append(line["quantiles"]["0.025"][h] <= y <= line["quantiles"]["0.975"][h])
    scale = math.fsum(scales) / len(scales)
    assert result["origins"] == len(scales) and result["points"] == len(errors)
    assert result["mase"] == pytest.approx(math.fsum(errors) / len(errors) / scale, rel=1e-5)
    assert result["pinball"]["0.95"] == pytest.approx(math.fsum(losses) / len(losses) / scale,
                                                      rel=1e-5)
    assert result["inside95"] == pytest.approx(sum(inside) / len(inside), abs=1e-3)


def test_backtest_counts_what_it_leaves_out(tmp_path):
    flat = series(tmp_path / "flat.csv", [5] * 1000)
    short = series(tmp_path / "short.csv", daily(700))
    options = ["--history", "300", "--every", "100", "-o", "jsonl"]
    row, mean = map(json.loads, run("backtest", flat, *options).stdout.splitlines())
    assert (row["origins"], row["skipped"], row["excluded"]) == (0, 3, 5)
    assert row["mase"] is None and mean["mean"]["series"] == 0
    row = json.loads(run("backtest", short, *options).stdout.splitlines()[0])
    assert (row["origins"], row["skipped"], row["excluded"]) == (1, 4, 0)
    assert "nothing could be scored" in run("backtest", flat).stdout


def test_backtest_plot():
    root = xml.etree.ElementTree.fromstring(run("backtest", GOOGLE, "-o", "svg").stdout)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "google19_cpu" in texts and "as yesterday" in texts
