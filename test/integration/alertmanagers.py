"""Alertmanagers to be told: Debian's, the real one, and a stand-in that is stricter than any.

    with Alertmanager(directory) as real:
        real.alerts()                     # what fires there, as its API v2 tells it
    with V2Only() as newest:              # 410 on every path of API v1, as Alertmanager answers since 0.27
        newest.received                   # (method, path, headers, body), newest last
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import urllib.parse
import urllib.request
from datetime import datetime
from typing import Any

import pytest
from support import eventually

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
JSON = dict[str, Any]

USER, PASSWORD = "operator", "pa55word-0123456789"
_HASH = "$2b$05$sbwyIYmshcUP60dnu9YZKuU0wtKdn26qpRO4RIBMag5YgKguII10G"  # bcrypt of PASSWORD


def program() -> str:
    """Where it is; a test is skipped where it isn't."""
    found = subprocess.run([ROOT / "hack/deps", "--path", "alertmanager"], capture_output=True, text=True,
                           timeout=60, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return found.stdout.strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def time_of(alert: JSON, key: str) -> float:
    """A time of an alert, in seconds."""
    return datetime.fromisoformat(alert[key].replace("Z", "+00:00")).timestamp()


class Alertmanager:
    """One process of the real one, while its `with` lasts, on a port that it has before.

    With `pki` (a folder with ca.crt, local-server.crt, local-server.key) it speaks TLS and wants USER and PASSWORD.
    """

    def __init__(self, directory: str | os.PathLike, prefix: str = "", pki: str = ""):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.prefix, self.pki, self.port = prefix, pki, free_port()
        self.url = f"http{'s' if pki else ''}://127.0.0.1:{self.port}{prefix}"
        self._child: subprocess.Popen | None = None

    def __enter__(self) -> Alertmanager:
        assert not self._child
        config = self.directory / "alertmanager.yml"
        config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        argv = [program(), f"--config.file={config}", f"--storage.path={self.directory}",
                f"--web.listen-address=127.0.0.1:{self.port}", f"--web.route-prefix={self.prefix or '/'}",
                "--cluster.listen-address="]
        if self.pki:
            web = self.directory / "web.yml"
            web.write_text(json.dumps({
                "tls_server_config": {"cert_file": f"{self.pki}/local-server.crt",
                                      "key_file": f"{self.pki}/local-server.key"},
                "basic_auth_users": {USER: _HASH}}))
            argv.append(f"--web.config.file={web}")
        with open(self.directory / "log", "ab") as log:
            self._child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            eventually(self._is_ready, 30, message="Alertmanager to be ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        self._child.wait(20)
        self._child = None

    def _is_ready(self) -> bool:
        assert self._child and self._child.poll() is None, (self.directory / "log").read_text()
        try:
            self._get("/-/ready")
        except OSError:
            return False
        return True

    def _get(self, path: str) -> bytes:
        request = urllib.request.Request(self.url + path)
        trust = None
        if self.pki:
            pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            request.add_header("Authorization", f"Basic {pair}")
            trust = ssl.create_default_context(cafile=f"{self.pki}/ca.crt")
        with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
            return answer.read()

    def alerts(self) -> list[JSON]:
        """Those of the operator that it holds to be active."""
        matcher = urllib.parse.quote('service="ai4k8s-operator"')
        return json.loads(self._get(f"/api/v2/alerts?active=true&filter={matcher}"))


class _Strict(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.received.append((self.command, self.path, dict(self.headers.items()), body.decode()))
        if self.path == "/api/v2/alerts" and self.command == "POST":
            status, answer = self.server.answer(self.headers)
        elif self.path.startswith("/api/v1/"):
            status, answer = 410, '{"status":"deprecated","error":"The Alertmanager v1 API was deprecated"}'
        else:
            status, answer = 404, ""
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _take  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


class V2Only(http.server.ThreadingHTTPServer):
    """The stand-in. `answer` says status and body of what is posted to API v2, from the request's headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Strict)
        self.received: list[tuple[str, str, dict[str, str], str]] = []
        self.answer = lambda headers: (200, "")
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *reason: object) -> None:
        self.shutdown()
        super().__exit__(*reason)
