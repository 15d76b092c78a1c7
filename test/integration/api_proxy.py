"""Stands between the operator and the API server, and stops chosen requests: so that a process can be killed at a
point between two of its writes, without a word of that in the product.

    with ApiProxy(plane) as proxy:
        operator.api_port = proxy.port
        before = proxy.hold_request(lambda request: "reservedID" in request.body)   # does not reach the server
        after = proxy.hold_answer(lambda request: ...)                              # reaches it; nobody is told
        before.wait()
        operator.kill()
        proxy.drop()                      # what is held is never sent

The operator reaches it as it reaches an API server: by TLS, with a certificate of the control plane's authority.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import threading
from collections.abc import Callable

from controlplane import ControlPlane
from support import eventually

MAX_HEAD = 1 << 20


class Request:
    def __init__(self, head: bytes, body: bytes):
        self.method, self.path = head.split(b"\r\n", 1)[0].decode().split(" ")[:2]
        self.body = body.decode(errors="replace")


class Gate:
    def __init__(self, match: Callable[[Request], bool], answers: bool):
        self.match, self.answers = match, answers
        self.held: list[Request] = []  # of answers: the server has done it

    def wait(self, timeout: float = 60) -> Request:
        return eventually(lambda: self.held, timeout, 0.05, "a request to come to its gate")[0]


class ApiProxy:
    def __init__(self, plane: ControlPlane):
        self._server_port = plane.port("kube-apiserver")
        self._trust = ssl.create_default_context(cafile=plane.ca_file)
        self._own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._own.load_cert_chain(plane.file("pki/local-server.crt"), plane.file("pki/local-server.key"))
        self._own.set_alpn_protocols(["http/1.1"])
        self._trust.set_alpn_protocols(["http/1.1"])
        self._gates: list[Gate] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections: set[asyncio.Task] = set()
        self.port = 0

    def __enter__(self) -> ApiProxy:
        self._thread.start()
        server = self._run(asyncio.start_server(self._connection, "127.0.0.1", 0, ssl=self._own, limit=MAX_HEAD))
        self._server = server
        self.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self.drop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def hold_request(self, match: Callable[[Request], bool]) -> Gate:
        """`match` is asked once of every request."""
        self._gates.append(Gate(match, False))
        return self._gates[-1]

    def hold_answer(self, match: Callable[[Request], bool]) -> Gate:
        """`match` is asked of the request whenever something of its answer arrives: a watch is stopped at any time."""
        self._gates.append(Gate(match, True))
        return self._gates[-1]

    def drop(self) -> None:
        """Opens all gates; the connections that are there end, with what was held on them."""
        async def end() -> None:
            self._gates.clear()
            tasks = list(self._connections)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._run(end())

    # -- a connection -----------------------------------------------------

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._connections.add(task)
        upstream = answers = None
        try:
            from_server, upstream = await asyncio.open_connection(
                "127.0.0.1", self._server_port, ssl=self._trust, server_hostname="localhost")
            asked: list[Request] = []
            answers = asyncio.create_task(self._answers(from_server, writer, asked))
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                body = await reader.readexactly(int(length.group(1))) if length else b""
                request = Request(head, body)
                asked[:] = [request]
                await self._pass(request, False)
                upstream.write(head + body)
                await upstream.drain()
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            if answers:
                answers.cancel()
            for stream in (upstream, writer):
                if stream:
                    with contextlib.suppress(OSError):
                        stream.transport.abort()
            self._connections.discard(task)

    async def _pass(self, request: Request, is_answer: bool) -> None:
        for gate in self._gates:
            if gate.answers == is_answer and gate.match(request):
                gate.held.append(request)
                await asyncio.Event().wait()  # until it is dropped

    async def _answers(self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter,
                       asked: list[Request]) -> None:
        with contextlib.suppress(OSError):
            while data := await from_server.read(65536):
                await self._pass(asked[0], True)
                writer.write(data)
                await writer.drain()
            writer.close()
