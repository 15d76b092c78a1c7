"""What the operator says to Alertmanagers, held against Debian's: raised, repeated, resolved, by all who are told."""

from __future__ import annotations

import json
import pathlib
import subprocess
import time

import pytest
from alertmanagers import PASSWORD, USER, Alertmanager, V2Only, time_of
from controlplane import certs
from operator_process import BUILD
from support import eventually

LABELS = {"alertname": "AI4K8sAdvisorProviderFailing", "severity": "warning", "service": "ai4k8s-operator",
          "provider": "groq"}
ENDS_AFTER_S = 240


class Teller:
    """test/helpers/alerts_check.c: the operator's alerts with timers that can be told to run."""

    def __init__(self, directory: pathlib.Path, *alertmanagers: dict):
        config = directory / "operator.yaml"
        config.write_text(json.dumps({"apiVersion": "ai4k8s.io/v1alpha1", "kind": "OperatorConfiguration",
                                      "alertmanagers": alertmanagers}))
        self._log = directory / "teller.log"
        with open(self._log, "wb") as log:
            self._child = subprocess.Popen([BUILD / "test/alerts_check", config], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, stderr=log, text=True)

    def __enter__(self) -> Teller:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate(timeout=30)
        assert self._child.returncode == 0, self.log()

    def _say(self, line: str) -> tuple[int, int, int]:
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline().split()
        assert len(answer) == 3, self.log()
        return tuple(int(number) for number in answer)

    def health(self, kind: str, failures: int = 0, since_s: int = 0) -> tuple[int, int, int]:
        """Alerts that fire, requests that Alertmanagers took, requests that they did not."""
        return self._say(f"health groq {kind} {failures} {since_s}")

    def pass_time(self, seconds: int) -> tuple[int, int, int]:
        return self._say(f"pass {seconds}")

    def log(self) -> str:
        return self._log.read_text()


@pytest.fixture
def pki(tmp_path):
    certs.create(str(tmp_path / "pki"))
    return str(tmp_path / "pki")


def password_file(tmp_path, text):
    file = tmp_path / "password"
    file.write_text(text)
    return str(file)


def reasons(alertmanager):
    return [alert["labels"]["reason"] for alert in alertmanager.alerts()]


def gone(alertmanager):
    eventually(lambda: not alertmanager.alerts(), 10, message="the alert to be over")


def test_an_alert_in_real_ones(tmp_path, pki):
    with Alertmanager(tmp_path / "one", prefix="/am") as first, V2Only() as newest:
        second = Alertmanager(tmp_path / "two", pki=pki)
        with Teller(tmp_path, {"url": first.url},
                    {"url": second.url, "caFile": f"{pki}/ca.crt", "username": USER,
                     "passwordFile": password_file(tmp_path, PASSWORD + "\n")},
                    {"url": newest.url}) as teller:
            assert teller.health("Transient", 4) == (0, 0, 0)
            began = time.time()
            assert teller.health("Transient", 5) == (1, 2, 1), "the second is down"
            told, = first.alerts()
            assert told["labels"] == {**LABELS, "reason": "Transient"}
            assert told["annotations"] == {
                "summary": "LLM provider groq fails: Transient",
                "description": "groq does not answer; no call is charged. Scaling goes on without advice. "
                               "5 failures in the last 5 minutes."}
            assert told["status"]["state"] == "active"
            assert abs(time_of(told, "startsAt") - began) < 5
            assert ENDS_AFTER_S - 5 < time_of(told, "endsAt") - began < ENDS_AFTER_S + 5

            # The one that was down hears of it when it is there; the others hear of it again, and it lasts longer.
            with second:
                time.sleep(1.1)
                assert teller.health("Transient", 9)[0] == 1
                assert teller.pass_time(60) == (1, 5, 1)
                again, = first.alerts()
                assert again["fingerprint"] == told["fingerprint"] and again["startsAt"] == told["startsAt"]
                assert time_of(again, "endsAt") >= time_of(told, "endsAt") + 1
                assert "9 failures" in again["annotations"]["description"]
                assert second.alerts()[0]["labels"] == told["labels"]

                # What an administrator has to mend is another alert, and the first is over.
                assert teller.health("AuthenticationFailed", 9)[0] == 1
                for one in (first, second):
                    eventually(lambda one=one: reasons(one) == ["AuthenticationFailed"], 10)
                mend, = first.alerts()
                assert "refuses the API key; an administrator has to put a valid one into its Secret" \
                    in mend["annotations"]["description"]

                # Healthy, but not for long; then for ten minutes.
                assert teller.health("Available", 0, 590)[0] == 1
                assert reasons(first) == reasons(second) == ["AuthenticationFailed"]
                assert teller.health("Available", 0, 600)[0] == 0
                gone(first)
                gone(second)

        assert {(method, path) for method, path, *_ in newest.received} == {("POST", "/api/v2/alerts")}
        last = json.loads(newest.received[-1][3])
        assert len(last) == 2 and all(time_of(alert, "endsAt") <= time.time() for alert in last)


def test_who_is_not_let_in(tmp_path, pki):
    """A wrong password is told once, without it, and a new one is taken from the file; an authority that nobody named is
    not trusted."""
    file = password_file(tmp_path, "wr0ng-word")
    with Alertmanager(tmp_path / "one", pki=pki) as real:
        with Teller(tmp_path, {"url": real.url, "caFile": f"{pki}/ca.crt", "username": USER, "passwordFile": file},
                    {"url": real.url.replace("127.0.0.1", "localhost"), "username": USER,
                     "passwordFile": password_file(tmp_path / "pki", PASSWORD)}
                    ) as teller:
            assert teller.health("QuotaExhausted", 1, 120) == (1, 0, 2)
            assert not real.alerts()
            assert "refuses our alerts" in teller.log() and "certificate" in teller.log()
            password_file(tmp_path, PASSWORD)
            assert teller.pass_time(60)[1] == 0, "it reads the file when it is refused"
            assert teller.pass_time(60)[1] == 1
            assert reasons(real) == ["QuotaExhausted"]
            text = teller.log()
            assert "wr0ng" not in text and PASSWORD not in text and text.count("refuses our alerts") == 1


def test_one_that_answers_410(tmp_path):
    """Of the first API nothing is used, and an Alertmanager that has no second one is told of in the log."""
    with V2Only() as old:
        old.answer = lambda headers: (410, '{"status":"deprecated"}')
        with Teller(tmp_path, {"url": old.url}) as teller:
            assert teller.health("Transient", 5) == (1, 0, 1)
            for minute in range(3):
                assert teller.pass_time(60) == (1, 0, 2 + minute)
            assert teller.log().count("API v2") == 1
        assert [(method, path) for method, path, *_ in old.received] == [("POST", "/api/v2/alerts")] * 4
