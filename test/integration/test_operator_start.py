"""Starts that are refused: their exit statuses, and one line that says where and what to do. No cluster is needed."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("AI4K8S_BUILD") or ROOT / "build-san")
KUBECONFIG = """
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""
QUIET = ["--metrics-bind-address=0", "--health-probe-bind-address=127.0.0.1:0"]


def start(*arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBE") and name != "HOME"}
    return subprocess.run([BUILD / "ai4k8s-operator", *map(str, arguments)], env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def kubeconfig(tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    return path


@pytest.mark.parametrize("argument, word", [
    ("--colour", "--help"),
    ("--leader-elect=perhaps", "true or false"),
    ("--namespace=No_Name", "no name of a namespace"),
    ("--leader-elect-namespace=No_Name", "no name of a namespace"),
    ("--leader-elect-namespace=", "no name of a namespace"),
    ("--log-format=xml", "text or json"),
    ("--verbose=9", "0, 1 or 2"),
    ("web", "no argument is expected"),
])
def test_wrong_options(argument, word):
    answer = start(argument)
    assert answer.returncode == 2 and answer.stdout == "" and word in answer.stderr, answer


def provider(**fields):
    return json.dumps({"advisor": {"providers": [{"name": "p", "api": "OpenAI", "model": "m",
                                                  "url": "https://models.example", **fields}]}})


@pytest.mark.parametrize("text, words", [
    ("apiQPS: 5\napiBurts: 9\n", ["operator.yaml:2: apiBurts: unknown field, did you mean apiBurst?"]),
    ("apiQPS: fast\n", ["operator.yaml:1: apiQPS: want an integer"]),
    ("- apiQPS\n", ["operator.yaml:1: want an object"]),
    ("apiQPS: [1\nkind: x\n", ["operator.yaml:"]),
    ("apiQPS: \0\n", ["operator.yaml:"]),
    (None, ["operator.yaml: No such file or directory"]),
    ("advisor:\n  providers:\n  - name: p\n    url: https://me:s3cr3t@models.example\n    api: OpenAI\n    model: m\n",
     ["operator.yaml:4: advisor.providers[0].url: a user name", "keySecret"]),
    (provider(url="http://models.example", keyFile="/k"), ["operator.yaml:1: advisor.providers[0].url: must be https://"]),
    (provider(caFile="/nowhere/ca.pem"), ["advisor provider p: caFile", "/nowhere/ca.pem: No such file"]),
    ('alertmanagers: [{url: "https://a:9093", tokenFile: /nowhere/token}]', ["/nowhere/token: No such file"]),
    ('alertmanagers: [{url: "https://a:9093", caFile: /nowhere/ca}]', ["caFile", "/nowhere/ca: No such file"]),
])
def test_wrong_configuration(kubeconfig, tmp_path, text, words):
    path = tmp_path / "operator.yaml"
    if text is not None:
        path.write_text(text)
    answer = start("--kubeconfig", kubeconfig, "--config", path, *QUIET)
    assert answer.returncode == 2 and answer.stdout == "", answer
    *_, last = answer.stderr.splitlines()
    assert last.startswith("ai4k8s-operator: ") and all(word in last for word in words), answer
    assert "s3cr3t" not in answer.stderr


def test_a_configuration_that_may_not_be_read(kubeconfig, tmp_path):
    answer = start("--kubeconfig", kubeconfig, "--config", tmp_path, *QUIET)
    assert answer.returncode == 2 and f"{tmp_path}: Is a directory" in answer.stderr


@pytest.mark.parametrize("change, arguments, word", [
    (None, [], "kubeconfig: No such file or directory"),
    (("clusters", "clutters"), [], "kubeconfig"),
    (("127.0.0.1:1", "127.0.0.1:x"), [], "the port is not a number"),
    (("http://", "http://me:s3cr3t@"), [], "a user name"),
    (("", "["), [], "kubeconfig:"),
    (("user: {}", "user: {tokenFile: /nowhere/token}"), [], "/nowhere/token"),
    (("", ""), ["--context", "nowhere"], "nowhere"),
    (("", ""), ["--health-probe-bind-address", "8081"], "host:port"),
    (("", ""), ["--metrics-bind-address", "192.0.2.1:0"], "does not have that address"),
])
def test_wrong_place(tmp_path, change, arguments, word):
    path = tmp_path / "kubeconfig"
    if change:
        path.write_text(KUBECONFIG.replace(*change, 1))
    answer = start("--kubeconfig", path, *QUIET, *arguments)
    assert answer.returncode == 2 and answer.stdout == "" and word in answer.stderr, answer
    assert "s3cr3t" not in answer.stderr


def test_no_place():
    answer = start(*QUIET)
    assert answer.returncode == 2 and "give --kubeconfig FILE" in answer.stderr, answer


def test_a_port_in_use_is_a_failure(kubeconfig):
    """Nothing that was given is wrong, and the next start may find it free."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        place = f"127.0.0.1:{other.getsockname()[1]}"
        answer = start("--kubeconfig", kubeconfig, *QUIET, "--health-probe-bind-address", place)
    assert answer.returncode == 1 and "is in use by another process" in answer.stderr, answer
