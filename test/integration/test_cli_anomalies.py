"""kubectl-ai4k8s anomalies: one answer for each row, from the rows up to it; what it draws; what it refuses."""

from __future__ import annotations

import csv
import math
import os
import pty
import re
import resource
import subprocess
import xml.etree.ElementTree

import pytest

from test_cli_offline import GOOGLE, PROGRAM, daily, run, series

HEADER = ["timestamp", "value", "score", "is_anomaly", "severity"]


def judge(*arguments, **options):
    answer = run("anomalies", *arguments, **options)
    assert answer.returncode == 0, answer.stderr
    rows = list(csv.reader(answer.stdout.splitlines()))
    assert rows[0] == HEADER
    for _, _, score, alarm, severity in rows[1:]:
        assert 0 <= float(score) <= 1 and (alarm == "1") == (severity != "none")
        assert alarm in "01" and severity in ("none", "low", "medium", "high")
    return rows[1:]


def odd(n=2500, at=2400):
    values = daily(n)
    values[at] = 400
    return values


def test_one_row_for_each_as_written(tmp_path):
    text = ("when,what\n2024-01-01 00:00:00,1.50\n2024-01-01T00:05:00Z,\n\"2024-01-01T01:05:00+01:00\", NaN \n"
            "2024-01-01T00:05:00Z,1e2\n1704068400,-0\n")
    path = tmp_path / "odd.csv"
    path.write_text(text)
    rows = judge("--series", path)
    assert [r[0] for r in rows] == ["2024-01-01 00:00:00", "2024-01-01T00:05:00Z", "2024-01-01T01:05:00+01:00",
                                    "2024-01-01T00:05:00Z", "1704068400"]
    assert [r[1] for r in rows] == ["1.50", "", "NaN", "1e2", "-0"]
    assert all(float(r[2]) == 0 for r in rows)
    assert judge("--series", "-", text=text) == rows


def test_finds_the_spike_and_little_else(tmp_path):
    rows = judge(series(tmp_path / "spike.csv", odd()))
    assert len(rows) == 2500
    assert rows[2400][3:] == ["1", "high"]
    assert sum(r[3] == "1" for r in rows[600:]) <= 2
    assert all(float(r[2]) == 0 for r in rows[:20])


def test_a_row_depends_on_none_behind_it(tmp_path):
    """For each way in which the length of a day can be known."""
    values = odd(1200, 700)
    for options in ([], ["--interval", "600"], ["--history", "500"]):
        whole = judge(series(tmp_path / "whole.csv", values), *options)
        for n in (1, 19, 20, 21, 333, 701, 1199):
            other = values[:n] + [9e9 * (-1) ** i for i in range(30)]
            assert judge(series(tmp_path / "part.csv", other), *options)[:n] == whole[:n]


def test_the_scale_of_a_series_does_not_matter(tmp_path):
    values = odd(1500, 1400)
    plain = judge(series(tmp_path / "plain.csv", values))
    large = judge(series(tmp_path / "large.csv", [2 ** 30 * v for v in values]))
    assert [r[3] for r in plain] == [r[3] for r in large]


def test_sensitivity_moves_the_threshold_alone(tmp_path):
    path = GOOGLE
    by_level = {level: judge(path, "--sensitivity", level) for level in ("low", "medium", "high")}
    alarms = {level: {i for i, r in enumerate(rows) if r[3] == "1"} for level, rows in by_level.items()}
    assert alarms["low"] < alarms["medium"] < alarms["high"]
    assert [r[2] for r in by_level["low"]] == [r[2] for r in by_level["high"]]


def test_constant_and_empty_series_are_quiet(tmp_path):
    for values in ([5] * 800, [0] * 800, [None] * 50 + [3] * 800, [None] * 60):
        assert all(r[3] == "0" for r in judge(series(tmp_path / "quiet.csv", values))[100:])
    answer = run("anomalies", "--series", series(tmp_path / "none.csv", [None] * 60))
    assert answer.returncode == 0 and "no row has a value" in answer.stderr


def test_huge_values_are_clipped_with_a_word(tmp_path):
    path = series(tmp_path / "huge.csv", [1, 2, "1e308", 2, "-1e308"] * 100)
    answer = run("anomalies", "--series", path)
    assert answer.returncode == 0 and f"{path}:4: 200 values were beyond +-1e+30 and taken" in answer.stderr
    assert answer.stdout.splitlines()[3].split(",")[1] == "1e308"


def test_a_bad_row_ends_it_behind_the_good_ones(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("t,v\n0,1\n300,2\n600,abc\n900,4\n")
    answer = run("anomalies", "--series", path)
    assert answer.returncode == 2
    assert answer.stdout.splitlines() == [",".join(HEADER), "0,1,0,0,none", "300,2,0,0,none"]
    assert answer.stderr.startswith(f"kubectl-ai4k8s: {path}:4: ")


@pytest.mark.parametrize("text, place, word", [
    ("", "1", "empty"),
    ("t,v\n", "1", "no row"),
    ("0,1\n300,2\n", "1", "header"),
    ("t,v\n300,1\n0,1\n", "3", "sort"),
    ("t,v\n0,1,2\n", "2", "two columns"),
    ("t,v\n0,inf\n", "2", "finite"),
])
@pytest.mark.parametrize("output", ["csv", "table", "svg"])
def test_bad_series(tmp_path, text, place, word, output):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    answer = run("anomalies", "--series", path, "-o", output)
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"kubectl-ai4k8s: {path}:{place}: ") and word in answer.stderr


@pytest.mark.parametrize("arguments, word", [
    ([], "--series"),
    ([GOOGLE, GOOGLE], "one series"),
    ([GOOGLE, "--history", "63"], "64 to 4032"),
    ([GOOGLE, "--history", "4033"], "64 to 4032"),
    ([GOOGLE, "--interval", "0"], "1 to 86400"),
    ([GOOGLE, "--sensitivity", "extreme"], "low, medium or high"),
    ([GOOGLE, "-o", "json"], "csv, table or svg"),
])
def test_wrong_usage(arguments, word):
    answer = run("anomalies", *arguments)
    assert answer.returncode == 2 and answer.stdout == "" and word in answer.stderr


def test_a_file_that_is_not_there(tmp_path):
    answer = run("anomalies", "--series", tmp_path / "none.csv")
    assert answer.returncode == 1 and answer.stdout == "" and "No such file" in answer.stderr


def test_many_rows_in_bounded_memory(tmp_path):
    path = tmp_path / "long.csv"
    with path.open("w") as file:
        file.write("t,v\n")
        for start in range(0, 60_000, 1000):
            file.writelines(f"{t},{t % 977}\n" for t in range(start, start + 1000))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with (tmp_path / "out.csv").open("w") as out:
        done = subprocess.run([PROGRAM, "anomalies", "--history", "300", "--series", path], stdout=out, timeout=300, check=False,
                              env=dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=8"))
    assert done.returncode == 0
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before < 60_000  # KiB, of a sanitized program
    assert sum(1 for _ in (tmp_path / "out.csv").open()) == 60_001


def test_table_and_plot(tmp_path):
    path = series(tmp_path / "spike.csv", odd())
    text = run("anomalies", path, "-o", "table", env=dict(os.environ, NO_COLOR="1"))
    assert text.returncode == 0 and "\033" not in text.stdout
    assert re.search(r"^spike: [1-6] anomal(y|ies) in 2500 rows$", text.stdout, re.M)
    assert "▲" in text.stdout and re.search(r"^1970-01-09T08:00:00Z +400 +0\.\d+ +high$", text.stdout, re.M)
    assert all(len(line) <= 100 for line in text.stdout.splitlines())
    drawn = run("anomalies", path, "-o", "svg")
    root = xml.etree.ElementTree.fromstring(drawn.stdout)
    dots = [e for e in root.iter() if e.get("class") == "anomaly" and e.tag.endswith("circle")]
    assert 2 <= len(dots) <= 7  # and the one in the legend
    for dot in dots:
        assert all(math.isfinite(float(dot.get(k))) for k in ("cx", "cy"))


def test_plots_of_odd_files(tmp_path):
    """One row; one time; a gap of years; rows of many kinds of spacing."""
    shapes = {"one": "0,1\n", "time": "7,1\n7,2\n7,3\n", "years": "0,1\n9000000000,2\n",
              "dense": "".join(f"{i},{i % 7}\n" for i in range(9000)), "nothing": "0,\n300,\n"}
    for name, rows in shapes.items():
        path = tmp_path / f"{name}.csv"
        path.write_text("t,v\n" + rows)
        for output in ("table", "svg"):
            answer = run("anomalies", path, "-o", output)
            assert answer.returncode == 0, (name, answer.stderr)
            assert "nan" not in answer.stdout.lower()


def test_progress_on_a_terminal(tmp_path):
    path = series(tmp_path / "long.csv", daily(9000))
    master, slave = pty.openpty()
    with subprocess.Popen([PROGRAM, "anomalies", path], stdout=subprocess.DEVNULL, stderr=slave) as process:
        assert process.wait(timeout=120) == 0
    os.close(slave)
    said = os.read(master, 65536).decode()
    os.close(master)
    assert "8192 rows judged" in said and said.endswith("\r\033[K")
