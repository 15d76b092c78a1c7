"""A small Kubernetes API client for scripts and tests: standard library only.

It is deliberately a second implementation, independent of the client that the
operator is made of: a test that asks the API server through this module does
not inherit a bug of the code under test.

    api = Client.from_kubeconfig("admin.kubeconfig")
    pods = api.list("/api/v1/namespaces/default/pods", labelSelector="app=web")
    api.patch("/apis/apps/v1/namespaces/default/deployments/web/scale",
              {"spec": {"replicas": 3}})
    for event in api.watch("/api/v1/pods", timeout=30):
        print(event["type"], event["object"]["metadata"]["name"])

Objects are plain dictionaries, exactly as the server sends them. A Client may
be used from several threads: each thread has a connection of its own.

Errors: ApiError (the server answered with a failure; has .status and .reason)
and ApiUnavailable (no answer; a ConnectionError, hence also an OSError).
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import select
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

JSON = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"  # JSON is YAML
RAREST_S = 1.0  # eventually() looks at least so often


class ApiError(Exception):
    """The API server answered with a Status of failure."""

    def __init__(self, status: int, reason: str, message: str, body: JSON, request: str):
        super().__init__(f"{request}: {status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.body = body
        self.request = request


class ApiUnavailable(ConnectionError):
    """The API server did not answer: not reachable, cut off, or too late."""


class Client:
    """Talks to one API server with one identity."""

    def __init__(self, server: str, *, ca_file: str | None = None, ca_data: str | None = None,
                 cert_file: str | None = None, key_file: str | None = None,
                 token: str | None = None, token_file: str | None = None,
                 insecure: bool = False, timeout: float = 30.0, user_agent: str | None = None):
        url = urllib.parse.urlsplit(server)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"not the address of an API server: {server!r} "
                             "(expected https://HOST:PORT)")
        self.server = server.rstrip("/")
        self.timeout = timeout
        self.user_agent = user_agent or "ai4k8s-hack"
        self._host = url.hostname
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._prefix = url.path.rstrip("/")
        self._token = token
        self._token_file = token_file
        self._local = threading.local()
        self._tls: ssl.SSLContext | None = None
        if url.scheme == "https":
            self._tls = ssl.create_default_context(cafile=ca_file, cadata=ca_data)
            if insecure:
                self._tls.check_hostname = False
                self._tls.verify_mode = ssl.CERT_NONE
            if cert_file:
                self._tls.load_cert_chain(cert_file, key_file)

    @classmethod
    def from_kubeconfig(cls, path: str | os.PathLike | None = None, context: str | None = None,
                        **options: Any) -> Client:
        """Client for a context of a kubeconfig (default: $KUBECONFIG, current context)."""
        path = os.fspath(path or os.environ.get("KUBECONFIG") or
                         os.path.expanduser("~/.kube/config"))
        config = _read_kubeconfig(path)
        base = os.path.dirname(os.path.abspath(path))

        def entry(kind: str, name: str) -> JSON:
            for item in config.get(kind + "s") or []:
                if item.get("name") == name:
                    return item.get(kind) or {}
            raise ValueError(f"{path}: no {kind} named {name!r}")

        def file(section: JSON, key: str) -> str | None:
            return os.path.join(base, section[key]) if section.get(key) else None

        chosen = entry("context", context or config.get("current-context") or "")
        cluster = entry("cluster", chosen.get("cluster", ""))
        user = entry("user", chosen["user"]) if chosen.get("user") else {}
        if not cluster.get("server"):
            raise ValueError(f"{path}: cluster {chosen.get('cluster')!r} has no server")
        for key in ("exec", "auth-provider", "username"):
            if key in user:
                raise ValueError(f"{path}: users with {key!r} are not supported here; "
                                 "use a client certificate or a token")

        ca_data = cluster.get("certificate-authority-data")
        with tempfile.TemporaryDirectory(prefix="ai4k8s-") as secrets:
            # ssl loads key pairs from files only; these live for this block
            def pem(inline: str, named: str) -> str | None:
                if not user.get(inline):
                    return file(user, named)
                target = os.path.join(secrets, named)
                with open(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
                    out.write(base64.b64decode(user[inline]))
                return target

            return cls(cluster["server"],
                       ca_file=file(cluster, "certificate-authority"),
                       ca_data=base64.b64decode(ca_data).decode() if ca_data else None,
                       cert_file=pem("client-certificate-data", "client-certificate"),
                       key_file=pem("client-key-data", "client-key"),
                       token=user.get("token"), token_file=file(user, "tokenFile"),
                       insecure=bool(cluster.get("insecure-skip-tls-verify")), **options)

    # -- requests ---------------------------------------------------------

    def get(self, path: str, **params: Any) -> JSON:
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Any, **params: Any) -> JSON:
        return self.request("POST", path, body, params=params)

    def put(self, path: str, body: Any, **params: Any) -> JSON:
        return self.request("PUT", path, body, params=params)

    def patch(self, path: str, body: Any, content_type: str = MERGE_PATCH, **params: Any) -> JSON:
        return self.request("PATCH", path, body, params=params, content_type=content_type)

    def apply(self, path: str, body: Any, field_manager: str = "ai4k8s-hack",
              force: bool = True) -> JSON:
        """Server-side apply: creates the object or sets exactly these fields.

        `body` is an object, or the text of one YAML document (the server reads YAML).
        """
        return self.patch(path, body, APPLY_PATCH, fieldManager=field_manager, force=force)

    def delete(self, path: str, missing_ok: bool = False, **params: Any) -> JSON:
        try:
            return self.request("DELETE", path, params=params)
        except ApiError as error:
            if missing_ok and error.status == 404:
                return {}
            raise

    def exists(self, path: str) -> bool:
        try:
            self.get(path)
            return True
        except ApiError as error:
            if error.status == 404:
                return False
            raise

    def list(self, path: str, limit: int = 500, **params: Any) -> list[JSON]:
        """All items of a collection, page by page.

        resourceVersion="0" asks for the server's cache: cheaper, perhaps a
        moment old, and never in pages.
        """
        items: list[JSON] = []
        if params.get("resourceVersion") != "0":
            params["limit"] = limit
        while True:
            page = self.get(path, **params)
            items += page.get("items") or []
            more = page.get("metadata", {}).get("continue")
            if not more:
                return items
            params["continue"] = more

    def text(self, path: str, **params: Any) -> str:
        """The body as it is, for /metrics, /readyz and other non-JSON answers."""
        return self._exchange("GET", path, None, params, None)[1].decode(errors="replace")

    def request(self, method: str, path: str, body: Any = None, *,
                params: JSON | None = None, content_type: str = "application/json") -> JSON:
        """One request; returns the decoded answer or raises ApiError. Text is sent as it is."""
        payload: bytes | None = None
        if body is not None:
            payload = (body if isinstance(body, str) else json.dumps(body)).encode()
        raw = self._exchange(method, path, payload, params or {}, content_type)[1]
        try:
            return json.loads(raw) if raw else {}
        except ValueError:
            return {"message": raw.decode(errors="replace")}

    def watch(self, path: str, timeout: float = 60.0, **params: Any) -> Iterator[JSON]:
        """Events of a collection until `timeout` seconds have passed or the server ends it.

        Without resourceVersion the watch starts with an ADDED event per existing
        object. An ERROR event (410 Gone, say) raises ApiError.
        """
        params.update(watch=True, timeoutSeconds=max(1, int(timeout)))
        connection = self._connect(timeout + 5)
        request = f"GET {path}"
        try:
            connection.request("GET", self._target(path, params), headers=self._headers(None))
            response = connection.getresponse()
            if response.status != 200:
                raise _api_error(response.status, response.reason, response.read(), request)
            for line in response:
                event = json.loads(line)
                if event.get("type") == "ERROR":
                    status = event.get("object", {})
                    raise _api_error(status.get("code", 500), "", json.dumps(status).encode(),
                                     request)
                yield event
        except (OSError, http.client.HTTPException) as error:
            raise ApiUnavailable(f"watch {self.server}{path}: {error or type(error).__name__}"
                                 ) from error
        finally:
            connection.close()

    # -- transport --------------------------------------------------------

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        if self._tls:
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout,
                                               context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)

    def _target(self, path: str, params: JSON) -> str:
        def plain(value: Any) -> Any:
            return ("false", "true")[value] if isinstance(value, bool) else value

        query = urllib.parse.urlencode({k: plain(v) for k, v in params.items() if v is not None})
        return self._prefix + path + ("?" + query if query else "")

    def _headers(self, content_type: str | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": self.user_agent}
        token = self._token
        if self._token_file:  # read each time: a bound token is rotated in place
            with open(self._token_file, encoding="ascii") as file:
                token = file.read().strip()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if content_type:
            headers["Content-Type"] = content_type
        return headers

    def _exchange(self, method: str, path: str, payload: bytes | None, params: JSON,
                  content_type: str | None) -> tuple[int, bytes]:
        target = self._target(path, params)
        headers = self._headers(content_type if payload is not None else None)
        request = f"{method} {path}"
        while True:
            connection = getattr(self._local, "connection", None)
            if connection is not None and _stale(connection):
                connection.close()
                connection = None
            reused = connection is not None
            if connection is None:
                connection = self._local.connection = self._connect(self.timeout)
            try:
                connection.request(method, target, body=payload, headers=headers)
                response = connection.getresponse()
                raw = response.read()
                break
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._local.connection = None
                if reused and method == "GET" and isinstance(error, ConnectionError):
                    continue  # closed by the server between two requests: ask again
                raise ApiUnavailable(f"{method} {self.server}{path}: "
                                     f"{error or type(error).__name__}") from error
        if response.will_close:
            connection.close()
            self._local.connection = None
        if response.status >= 400:
            raise _api_error(response.status, response.reason, raw, request)
        return response.status, raw


def _stale(connection: http.client.HTTPConnection) -> bool:
    """An idle connection with something to read has been closed by the server."""
    if connection.sock is None:
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _api_error(status: int, phrase: str, raw: bytes, request: str) -> ApiError:
    try:
        body = json.loads(raw)
    except ValueError:
        body = {}
    if not isinstance(body, dict) or body.get("kind") != "Status":
        body = {"message": raw.decode(errors="replace").strip()}
    return ApiError(status, body.get("reason") or phrase, body.get("message") or "", body, request)


def _read_kubeconfig(path: str) -> JSON:
    """A kubeconfig as a dictionary: JSON as it is, YAML by PyYAML or else by kubectl."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        import yaml
    except ImportError:
        kubectl = shutil.which("kubectl")
        if not kubectl:
            raise RuntimeError(f"{path} is YAML: install python3-yaml (hack/deps does), "
                               "or put kubectl into the PATH") from None
        shown = subprocess.run([kubectl, "config", "view", "--raw", "--kubeconfig", path,
                                "-o", "json"], check=True, capture_output=True, text=True)
        return json.loads(shown.stdout)
    config = yaml.safe_load(text)
    if not isinstance(config, dict):
        raise ValueError(f"{path}: not a kubeconfig")
    return config


def eventually(check, timeout: float = 30.0, interval: float = 0.25, message: str = ""):
    """Calls check() until it returns something true, and returns that.

    A check that raises (AssertionError, ApiError, ...) has not succeeded yet. After
    `timeout` seconds: TimeoutError with the last error, or the last value, in its text.
    What takes long is looked at more rarely, by a tenth of its time: many who wait would
    otherwise keep a small machine from what they wait for.
    """
    begin = time.monotonic()
    deadline = begin + timeout
    while True:
        cause: BaseException | None = None
        try:
            value = check()
            if value:
                return value
            last = f"last value: {value!r}"
        except Exception as error:  # the reason is reported if time runs out
            last, cause = f"last error: {type(error).__name__}: {error}", error
        if time.monotonic() >= deadline:
            what = message or getattr(check, "__name__", "the condition")
            raise TimeoutError(f"{what}: not within {timeout:g} s; {last}") from cause
        time.sleep(max(interval, min(RAREST_S, (time.monotonic() - begin) / 10)))
