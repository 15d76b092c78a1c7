"""LLM providers to test against: aimock, from npm, a peer that was not made for this project.

    with LlmMock(directory) as mock:
        mock.answer(decision("scale_up", 9))      # from now on, whatever is asked
        mock.requests()                           # what was answered, newest last

What it can't be told to do, llm_script.py does.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import time
import urllib.request
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
JSON = dict[str, Any]


def program() -> str:
    """Where it is; a test is skipped where it can't be."""
    found = subprocess.run([ROOT / "hack/deps", "--path", "aimock"], capture_output=True, text=True,
                           timeout=300, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return found.stdout.strip()


def decision(action: str, target: int, confidence: float = 0.9, **changed: Any) -> JSON:
    return {"action": action, "target_replicas": target, "confidence": confidence,
            "reasoning": "demand is rising steeply", "risk_assessment": "low", "cost_impact": "low",
            "recommended_timing": "immediate", **changed}


class LlmMock:
    def __init__(self, directory: str | os.PathLike):
        self.directory = pathlib.Path(directory)
        self.url = ""
        self._child: subprocess.Popen | None = None

    def __enter__(self) -> LlmMock:
        fixtures, log = self.directory / "fixtures.json", self.directory / "aimock.log"
        fixtures.write_text(json.dumps({"fixtures": [self._fixture(decision("maintain", 1))]}))
        with open(log, "wb") as output:
            self._child = subprocess.Popen([program(), "-p", "0", "-f", str(fixtures), "--strict"],
                                           stdout=output, stderr=output)
        end = time.monotonic() + 30
        while not self.url:
            assert time.monotonic() < end and self._child.poll() is None, log.read_text()
            found = re.search(r"listening on (http://\S+)", log.read_text())
            self.url = found.group(1) if found else ""
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child
        self._child.terminate()
        self._child.wait(10)

    @staticmethod
    def _fixture(content: JSON | str) -> JSON:
        text = content if isinstance(content, str) else json.dumps(content)
        return {"match": {"userMessage": "needReplicas"}, "response": {"content": text}}

    def _ask(self, path: str, body: JSON | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/__aimock/{path}", data,
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def answer(self, content: JSON | str) -> None:
        self._ask("reset", {})
        self._ask("fixtures", {"fixtures": [self._fixture(content)]})

    def requests(self) -> list[JSON]:
        return self._ask("journal")
